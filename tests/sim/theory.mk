# Congestion control against theory: the quick part of `make bench-theory`, judged.
test_programs += tests/sim/test_theory
tests_sim_test_theory_SOURCES = tests/sim/test_theory.c bench/dumbbell.c bench/dumbbell.h
tests_sim_test_theory_CPPFLAGS = $(sim_cppflags) -I$(top_srcdir)/bench
tests_sim_test_theory_LDFLAGS = $(test_ldflags)
tests_sim_test_theory_LDADD = $(sim_libs) $(CMOCKA_LIBS) -lm
