# The allocation sweep: what happens when memory runs out, at every single allocation.
sweep_common = tests/sweep/sweep.c tests/sweep/sweep.h

test_programs += tests/sweep/test_sweep_tcp
tests_sweep_test_sweep_tcp_SOURCES = tests/sweep/test_sweep_tcp.c tests/sweep/stream.c \
	tests/sweep/stream.h tests/sweep/connections.c tests/sweep/peer.c tests/sweep/connections.h $(sweep_common)
tests_sweep_test_sweep_tcp_CPPFLAGS = $(test_cppflags)
tests_sweep_test_sweep_tcp_LDFLAGS = $(test_ldflags)
tests_sweep_test_sweep_tcp_LDADD = $(test_libs)

test_programs += tests/sweep/test_sweep_stack
tests_sweep_test_sweep_stack_SOURCES = tests/sweep/test_sweep_stack.c tests/sweep/create.c \
	tests/sweep/datagrams.c tests/sweep/scenes.h $(sweep_common)
tests_sweep_test_sweep_stack_CPPFLAGS = $(test_cppflags)
tests_sweep_test_sweep_stack_LDFLAGS = $(test_ldflags)
tests_sweep_test_sweep_stack_LDADD = $(test_libs)
