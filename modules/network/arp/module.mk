# The arp module.
strata_modules += modules/arp.la
modules_arp_la_SOURCES = \
	modules/network/arp/arp.c \
	modules/network/arp/arp_claim.c \
	modules/network/arp/arp_wire.c \
	modules/network/arp/arp_int.h \
	modules/network/arp/arp_counters.def \
	modules/network/arp/arp_drops.def
modules_arp_la_LDFLAGS = $(module_ldflags)
modules_arp_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/network/arp/strata-arp.7
