# The icmp module.
strata_modules += modules/icmp.la
modules_icmp_la_SOURCES = \
	modules/transport/icmp/icmp.c \
	modules/transport/icmp/icmp_error.c \
	modules/transport/icmp/icmp_limit.c \
	modules/transport/icmp/icmp_socket.c \
	modules/transport/icmp/icmp_int.h \
	modules/transport/icmp/icmp_counters.def \
	modules/transport/icmp/icmp_drops.def
modules_icmp_la_LDFLAGS = $(module_ldflags)
modules_icmp_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/transport/icmp/strata-icmp.7
