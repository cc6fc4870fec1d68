# The test library: fixtures, frames, scenarios (see tests/lib/fixture.h).
if HAVE_CMOCKA
check_LTLIBRARIES += tests/lib/libtest.la
EXTRA_DIST += tests/lib/cases.sh
tests_lib_libtest_la_SOURCES = \
	tests/lib/device.c tests/lib/device.h \
	tests/lib/fixture.c tests/lib/fixture.h \
	tests/lib/frame.c tests/lib/frame.h \
	tests/lib/join.c tests/lib/join.h \
	tests/lib/fixture_int.h tests/lib/memory.c tests/lib/life.c \
	tests/lib/expect.c tests/lib/rx.c tests/lib/scenario.h \
	tests/lib/play.c tests/lib/play.h \
	tests/lib/sockets.c
tests_lib_libtest_la_CPPFLAGS = $(test_cppflags) -I$(top_srcdir)/tests/sim -I$(top_srcdir)/modules/link/fault
tests_lib_libtest_la_LDFLAGS = $(library_ldflags)
tests_lib_libtest_la_LIBADD = tests/sim/libline.la
tests_lib_libtest_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
endif

test_programs += tests/lib/test_frame
tests_lib_test_frame_SOURCES = tests/lib/test_frame.c
tests_lib_test_frame_CPPFLAGS = $(test_cppflags)
tests_lib_test_frame_LDFLAGS = $(test_ldflags)
tests_lib_test_frame_LDADD = $(test_libs)
