# Tests of the kernel: flows, ports, sockets.
test_programs += tests/kernel/test_flow
tests_kernel_test_flow_SOURCES = tests/kernel/test_flow.c $(core_rig)
tests_kernel_test_flow_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_flow_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_flow_LDADD = $(kernel_test_libs)

test_programs += tests/kernel/test_port
tests_kernel_test_port_SOURCES = tests/kernel/test_port.c $(core_rig)
tests_kernel_test_port_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_port_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_port_LDADD = $(kernel_test_libs)

# Through the public interface, over the modules.
test_programs += tests/kernel/test_socket
tests_kernel_test_socket_SOURCES = tests/kernel/test_socket.c
tests_kernel_test_socket_CPPFLAGS = $(test_cppflags)
tests_kernel_test_socket_LDFLAGS = $(test_ldflags)
tests_kernel_test_socket_LDADD = $(test_libs)

test_programs += tests/kernel/test_report
tests_kernel_test_report_SOURCES = tests/kernel/test_report.c
tests_kernel_test_report_CPPFLAGS = $(test_cppflags)
tests_kernel_test_report_LDFLAGS = $(test_ldflags)
tests_kernel_test_report_LDADD = $(test_libs)

# Steps instead of time: these files of the kernel are compiled once more, with a call in every basic block.
steps_cflags = $(AM_CFLAGS) -fsanitize-coverage=trace-pc
if HAVE_CMOCKA
check_LTLIBRARIES += tests/kernel/libsteps.la
tests_kernel_libsteps_la_SOURCES = tests/kernel/steps.c tests/kernel/steps.h
endif

test_programs += tests/kernel/test_steps
tests_kernel_test_steps_SOURCES = tests/kernel/test_steps.c $(core_rig) \
	kernel/flow.c kernel/mem.c kernel/port.c kernel/socket.c kernel/sockcall.c kernel/timer.c kernel/work.c
tests_kernel_test_steps_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_steps_CFLAGS = $(steps_cflags)
tests_kernel_test_steps_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_steps_LDADD = tests/kernel/libsteps.la libkernel.la $(CMOCKA_LIBS)

test_programs += tests/kernel/test_steps_route
tests_kernel_test_steps_route_SOURCES = tests/kernel/test_steps_route.c $(net_test_sources) \
	kernel/addr.c kernel/route.c
tests_kernel_test_steps_route_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_steps_route_CFLAGS = $(steps_cflags)
tests_kernel_test_steps_route_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_steps_route_LDADD = tests/kernel/libsteps.la $(net_test_libs)

test_programs += tests/kernel/test_steps_neigh
tests_kernel_test_steps_neigh_SOURCES = tests/kernel/test_steps_neigh.c $(net_test_sources) \
	kernel/addr.c kernel/neigh.c kernel/random.c
tests_kernel_test_steps_neigh_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_steps_neigh_CFLAGS = $(steps_cflags)
tests_kernel_test_steps_neigh_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_steps_neigh_LDADD = tests/kernel/libsteps.la $(net_test_libs)
