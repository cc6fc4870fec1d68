# The steps that packets leave in the trace, from the wire to the socket and back.
test_programs += tests/modules/trace/test_walk
tests_modules_trace_test_walk_SOURCES = tests/modules/trace/test_walk.c
tests_modules_trace_test_walk_CPPFLAGS = $(test_cppflags)
tests_modules_trace_test_walk_LDFLAGS = $(test_ldflags)
tests_modules_trace_test_walk_LDADD = $(test_libs)
