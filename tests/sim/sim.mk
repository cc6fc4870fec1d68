# The simulator: a library of its own on <strata/embed.h>, installed with the SDK, and the simulations.
lib_LTLIBRARIES += libstrata-sim.la
strataincludesim_HEADERS = tests/sim/strata/sim.h
strataincludesimdir = $(strataincludedir)
pkgconfig_DATA += strata-sim.pc
dist_man_MANS += tests/sim/strata-sim.7

sim_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/sim
sim_libs = libstrata-sim.la libstrata.la

# Frames under way, which the fixtures' links stand on too, and what a device does with them; the blocks of captures.
noinst_LTLIBRARIES += tests/sim/libline.la
tests_sim_libline_la_SOURCES = \
	modules/link/fault/impair.c modules/link/fault/impair.h \
	modules/service/control/pcapng.c modules/service/control/pcapng.h \
	tests/sim/sim_line.c tests/sim/sim_line.h tests/sim/sim_packet.c
tests_sim_libline_la_LDFLAGS = $(library_ldflags)
tests_sim_libline_la_CPPFLAGS = $(sim_cppflags) -I$(top_srcdir)/modules/link/fault

libstrata_sim_la_SOURCES = \
	tests/sim/sim.c tests/sim/sim_flow.c tests/sim/sim_host.c tests/sim/sim_int.h \
	tests/sim/sim_link.c tests/sim/sim_main.c tests/sim/sim_record.c
libstrata_sim_la_CPPFLAGS = $(sim_cppflags) -I$(top_srcdir)/modules/link/fault \
	-I$(top_srcdir)/modules/service/control
libstrata_sim_la_LDFLAGS = $(library_ldflags) -version-info $(STRATA_LIBTOOL_VERSION) $(defs_ldflags) \
	-export-symbols-regex '^strata_sim_'
libstrata_sim_la_LIBADD = tests/sim/libline.la libstrata.la

# What it shows of Strata itself.
sim_programs = tests/sim/test_sim tests/sim/test_faulty tests/sim/test_lossy tests/sim/test_throughput tests/sim/test_super
check_PROGRAMS += $(sim_programs)
TESTS += $(sim_programs)
tests_sim_test_sim_SOURCES = tests/sim/test_sim.c
tests_sim_test_sim_CPPFLAGS = $(sim_cppflags)
tests_sim_test_sim_LDFLAGS = $(test_ldflags)
tests_sim_test_sim_LDADD = $(sim_libs)
tests_sim_test_faulty_SOURCES = tests/sim/test_faulty.c
tests_sim_test_faulty_CPPFLAGS = $(sim_cppflags)
tests_sim_test_faulty_LDFLAGS = $(test_ldflags)
tests_sim_test_faulty_LDADD = $(sim_libs)
tests_sim_test_lossy_SOURCES = tests/sim/test_lossy.c
tests_sim_test_lossy_CPPFLAGS = $(sim_cppflags)
tests_sim_test_lossy_LDFLAGS = $(test_ldflags)
tests_sim_test_lossy_LDADD = $(sim_libs)
tests_sim_test_throughput_SOURCES = tests/sim/test_throughput.c
tests_sim_test_throughput_CPPFLAGS = $(sim_cppflags)
tests_sim_test_throughput_LDFLAGS = $(test_ldflags)
tests_sim_test_throughput_LDADD = $(sim_libs)

tests_sim_test_super_SOURCES = tests/sim/test_super.c
tests_sim_test_super_CPPFLAGS = $(sim_cppflags)
tests_sim_test_super_LDFLAGS = $(test_ldflags)
tests_sim_test_super_LDADD = $(sim_libs)

test_scripts += tests/sim/test_replay.sh tests/sim/test_super.sh

# A million connections, a hundred times ten thousand, each time from another seed.
.PHONY: soak
soak: all $(sim_programs)
	STRATA_MODULE_PATH='$(abs_top_builddir)/modules/.libs' tests/sim/test_lossy --seeds 100
