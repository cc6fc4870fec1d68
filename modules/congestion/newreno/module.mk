# The newreno module.
strata_modules += modules/newreno.la
modules_newreno_la_SOURCES = modules/congestion/newreno/newreno.c
modules_newreno_la_LDFLAGS = $(module_ldflags)
modules_newreno_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/congestion/newreno/strata-newreno.7
