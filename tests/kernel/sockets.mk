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
