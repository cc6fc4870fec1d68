# Tests of the xdp module. The socket itself is tested in tests/system.
if HAVE_XDP
test_programs += tests/modules/xdp/test_rings
tests_modules_xdp_test_rings_SOURCES = \
	tests/modules/xdp/test_rings.c \
	modules/link/xdp/xdp_io.c
tests_modules_xdp_test_rings_CPPFLAGS = $(test_cppflags) -I$(top_srcdir)/modules/link/xdp
tests_modules_xdp_test_rings_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS) $(XDP_CFLAGS)
tests_modules_xdp_test_rings_LDFLAGS = $(test_ldflags) -Wl,--wrap=sendto
tests_modules_xdp_test_rings_LDADD = $(test_libs)

# The host is the test's: what xdp_host.c asks of the system goes there.
test_programs += tests/modules/xdp/test_queues
tests_modules_xdp_test_queues_SOURCES = \
	tests/modules/xdp/test_queues.c \
	modules/link/xdp/xdp_host.c
tests_modules_xdp_test_queues_CPPFLAGS = $(test_cppflags) -I$(top_srcdir)/modules/link/xdp
tests_modules_xdp_test_queues_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS) $(XDP_CFLAGS)
tests_modules_xdp_test_queues_LDFLAGS = $(test_ldflags) -Wl,--wrap=ioctl
tests_modules_xdp_test_queues_LDADD = $(test_libs) $(MNL_LIBS)
endif
