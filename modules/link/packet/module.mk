# The packet module.
strata_modules += modules/packet.la
modules_packet_la_SOURCES = \
	modules/link/packet/packet.c \
	modules/link/packet/packet_drops.def \
	modules/link/packet/packet_filter.c \
	modules/link/packet/packet_host.c \
	modules/link/packet/packet_int.h \
	modules/link/packet/packet_rx.c \
	modules/link/packet/packet_socket.c \
	modules/link/packet/packet_tx.c
modules_packet_la_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS)
modules_packet_la_LDFLAGS = $(module_ldflags)
modules_packet_la_LIBADD = $(module_libadd) $(MNL_LIBS)
dist_man_MANS += modules/link/packet/strata-packet.7
