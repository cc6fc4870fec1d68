# The fault module.
strata_modules += modules/fault.la
modules_fault_la_SOURCES = \
	modules/link/fault/fault.c \
	modules/link/fault/fault_drops.def \
	modules/link/fault/fault_heap.c \
	modules/link/fault/fault_int.h \
	modules/link/fault/fault_options.c \
	modules/link/fault/impair.c \
	modules/link/fault/impair.h
modules_fault_la_LDFLAGS = $(module_ldflags)
modules_fault_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/link/fault/strata-fault.7
