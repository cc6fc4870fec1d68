# Tests of the packet module. The socket itself is tested in tests/system.
test_programs += tests/modules/packet/test_frames
tests_modules_packet_test_frames_SOURCES = \
	tests/modules/packet/test_frames.c \
	modules/link/packet/packet_rx.c \
	modules/link/packet/packet_tx.c
tests_modules_packet_test_frames_CPPFLAGS = $(test_cppflags) -I$(top_srcdir)/modules/link/packet
tests_modules_packet_test_frames_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS)
tests_modules_packet_test_frames_LDFLAGS = $(test_ldflags)
tests_modules_packet_test_frames_LDADD = $(test_libs)
