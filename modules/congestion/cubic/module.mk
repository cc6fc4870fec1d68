# The cubic module.
strata_modules += modules/cubic.la
modules_cubic_la_SOURCES = modules/congestion/cubic/cubic.c
modules_cubic_la_LDFLAGS = $(module_ldflags)
modules_cubic_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/congestion/cubic/strata-cubic.7
