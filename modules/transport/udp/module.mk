# The udp module.
strata_modules += modules/udp.la
modules_udp_la_SOURCES = \
	modules/transport/udp/udp.c \
	modules/transport/udp/udp_counters.def \
	modules/transport/udp/udp_drops.def \
	modules/transport/udp/udp_input.c \
	modules/transport/udp/udp_int.h \
	modules/transport/udp/udp_join.c \
	modules/transport/udp/udp_offload.c modules/transport/udp/udp_output.c \
	modules/transport/udp/udp_socket.c \
	modules/transport/udp/udp_wire.c
modules_udp_la_LDFLAGS = $(module_ldflags)
modules_udp_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/transport/udp/strata-udp.7
