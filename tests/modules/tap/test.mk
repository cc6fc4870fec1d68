# Tests of the tap module. The device itself is tested in tests/system.
tap_test_cppflags = $(test_cppflags) -I$(top_srcdir)/modules/link/tap

test_programs += tests/modules/tap/test_vnet
tests_modules_tap_test_vnet_SOURCES = \
	tests/modules/tap/test_vnet.c \
	modules/link/tap/tap_vnet.c
tests_modules_tap_test_vnet_CPPFLAGS = $(tap_test_cppflags)
tests_modules_tap_test_vnet_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS)
tests_modules_tap_test_vnet_LDFLAGS = $(test_ldflags)
tests_modules_tap_test_vnet_LDADD = $(test_libs)

test_programs += tests/modules/tap/test_io
tests_modules_tap_test_io_SOURCES = \
	tests/modules/tap/test_io.c \
	modules/link/tap/tap_io.c \
	modules/link/tap/tap_vnet.c
tests_modules_tap_test_io_CPPFLAGS = $(tap_test_cppflags)
tests_modules_tap_test_io_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS)
tests_modules_tap_test_io_LDFLAGS = $(test_ldflags)
tests_modules_tap_test_io_LDADD = $(test_libs)

# The host is the test's: what tap_host.c asks of the system goes there.
test_programs += tests/modules/tap/test_host
tests_modules_tap_test_host_SOURCES = \
	tests/modules/tap/test_host.c \
	modules/link/tap/tap_host.c \
	modules/link/tap/tap_steer.c
tests_modules_tap_test_host_CPPFLAGS = $(tap_test_cppflags)
tests_modules_tap_test_host_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS)
tests_modules_tap_test_host_LDFLAGS = $(test_ldflags) -Wl,--wrap=open,--wrap=ioctl,--wrap=close
tests_modules_tap_test_host_LDADD = $(test_libs) $(MNL_LIBS)
