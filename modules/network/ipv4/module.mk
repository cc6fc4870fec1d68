# The ipv4 module.
strata_modules += modules/ipv4.la
modules_ipv4_la_SOURCES = \
	modules/network/ipv4/ipv4.c \
	modules/network/ipv4/ipv4_input.c \
	modules/network/ipv4/ipv4_output.c \
	modules/network/ipv4/ipv4_pmtu.c \
	modules/network/ipv4/ipv4_reass.c \
	modules/network/ipv4/ipv4_sockopt.c \
	modules/network/ipv4/ipv4_table.c \
	modules/network/ipv4/ipv4_trace.c \
	modules/network/ipv4/ipv4_wire.c \
	modules/network/ipv4/ipv4_int.h \
	modules/network/ipv4/ipv4_wire.h \
	modules/network/ipv4/ipv4_counters.def \
	modules/network/ipv4/ipv4_drops.def
modules_ipv4_la_LDFLAGS = $(module_ldflags)
modules_ipv4_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/network/ipv4/strata-ipv4.7
