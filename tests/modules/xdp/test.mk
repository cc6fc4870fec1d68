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
endif
