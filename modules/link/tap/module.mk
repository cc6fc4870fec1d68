# The tap module.
strata_modules += modules/tap.la
modules_tap_la_SOURCES = \
	modules/link/tap/tap.c \
	modules/link/tap/tap_drops.def \
	modules/link/tap/tap_host.c \
	modules/link/tap/tap_int.h \
	modules/link/tap/tap_io.c \
	modules/link/tap/tap_steer.c \
	modules/link/tap/tap_vnet.c
modules_tap_la_CFLAGS = $(AM_CFLAGS) $(MNL_CFLAGS)
modules_tap_la_LDFLAGS = $(module_ldflags)
modules_tap_la_LIBADD = $(module_libadd) $(MNL_LIBS)
dist_man_MANS += modules/link/tap/strata-tap.7
