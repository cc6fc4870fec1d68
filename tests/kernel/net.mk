# Tests of the kernel: interfaces, addresses, routes, neighbours, segmentation, over modules of their
# own (net.c), which stand where the registry and the sockets do.
net_test_sources = tests/kernel/net.c tests/kernel/net.h tests/kernel/rig.c tests/kernel/rig.h
net_test_libs = libkernel.la $(CMOCKA_LIBS)

test_programs += tests/kernel/test_addr
tests_kernel_test_addr_SOURCES = tests/kernel/test_addr.c $(net_test_sources)
tests_kernel_test_addr_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_addr_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_addr_LDADD = $(net_test_libs)

test_programs += tests/kernel/test_iface
tests_kernel_test_iface_SOURCES = tests/kernel/test_iface.c $(net_test_sources)
tests_kernel_test_iface_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_iface_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_iface_LDADD = $(net_test_libs)

test_programs += tests/kernel/test_neigh
tests_kernel_test_neigh_SOURCES = tests/kernel/test_neigh.c $(net_test_sources)
tests_kernel_test_neigh_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_neigh_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_neigh_LDADD = $(net_test_libs)

test_programs += tests/kernel/test_poll
tests_kernel_test_poll_SOURCES = tests/kernel/test_poll.c $(net_test_sources)
tests_kernel_test_poll_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_poll_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_poll_LDADD = $(net_test_libs)

test_programs += tests/kernel/test_route
tests_kernel_test_route_SOURCES = tests/kernel/test_route.c $(net_test_sources)
tests_kernel_test_route_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_route_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_route_LDADD = $(net_test_libs)

test_programs += tests/kernel/test_segment
tests_kernel_test_segment_SOURCES = tests/kernel/test_segment.c $(net_test_sources)
tests_kernel_test_segment_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_segment_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_segment_LDADD = $(net_test_libs)

test_programs += tests/kernel/test_sniff
tests_kernel_test_sniff_SOURCES = tests/kernel/test_sniff.c $(net_test_sources)
tests_kernel_test_sniff_CPPFLAGS = $(kernel_test_cppflags)
tests_kernel_test_sniff_LDFLAGS = $(kernel_test_ldflags)
tests_kernel_test_sniff_LDADD = $(net_test_libs)
