# The wire module.
strata_modules += modules/wire.la
modules_wire_la_SOURCES = \
	modules/link/wire/wire.c \
	modules/link/wire/wire_drops.def
modules_wire_la_LDFLAGS = $(module_ldflags)
modules_wire_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/link/wire/strata-wire.7
