# The loopback module.
strata_modules += modules/loopback.la
modules_loopback_la_SOURCES = \
	modules/link/loopback/loopback.c \
	modules/link/loopback/loopback_drops.def
modules_loopback_la_LDFLAGS = $(module_ldflags)
modules_loopback_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/link/loopback/strata-loopback.7
