# The ethernet module.
strata_modules += modules/ethernet.la
modules_ethernet_la_SOURCES = \
	modules/link/ethernet/ethernet.c \
	modules/link/ethernet/ethernet_drops.def
modules_ethernet_la_LDFLAGS = $(module_ldflags)
modules_ethernet_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/link/ethernet/strata-ethernet.7
