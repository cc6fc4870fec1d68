# The bbr module.
strata_modules += modules/bbr.la
modules_bbr_la_SOURCES = \
	modules/congestion/bbr/bbr.c \
	modules/congestion/bbr/bbr_int.h \
	modules/congestion/bbr/bbr_model.c
modules_bbr_la_LDFLAGS = $(module_ldflags)
modules_bbr_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/congestion/bbr/strata-bbr.7
