# Tests of the newreno module.
test_programs += tests/modules/newreno/test_newreno
tests_modules_newreno_test_newreno_SOURCES = \
	tests/modules/newreno/test_newreno.c \
	modules/congestion/newreno/newreno.c
tests_modules_newreno_test_newreno_CPPFLAGS = $(test_cppflags)
tests_modules_newreno_test_newreno_LDFLAGS = $(test_ldflags)
tests_modules_newreno_test_newreno_LDADD = $(test_libs)
