# Tests of the packet module. The socket itself is tested in tests/system.
test_programs += tests/modules/packet/test_frames
tests_modules_packet_test_frames_SOURCES = \
	tests/modules/packet/test_frames.c \
	modules/link/packet/packet_rx.c \
	modules/link/packet/packet_tx.c
tests_modules_packet_test_frames_CPPFLAGS = $(test_cppflags) -I$(top_srcdir)/modules/link/packet
tests_modules_packet_test_frames_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS)
tests_modules_packet_test_frames_LDFLAGS = $(test_ldflags) -Wl,--wrap=sendmsg
tests_modules_packet_test_frames_LDADD = $(test_libs)

test_programs += tests/modules/packet/test_filter
tests_modules_packet_test_filter_SOURCES = \
	tests/modules/packet/test_filter.c \
	tests/modules/shards/world.c \
	modules/link/packet/packet_filter.c
tests_modules_packet_test_filter_CPPFLAGS = $(test_cppflags) -I$(top_srcdir)/modules/link/packet -I$(top_srcdir)/tests/modules/shards
tests_modules_packet_test_filter_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS)
tests_modules_packet_test_filter_LDFLAGS = $(test_ldflags)
tests_modules_packet_test_filter_LDADD = $(test_libs)
