# The whole of the default modules at work: what only shows when all are there.
test_programs += tests/modules/steady/test_steady
tests_modules_steady_test_steady_SOURCES = tests/modules/steady/test_steady.c
tests_modules_steady_test_steady_CPPFLAGS = $(test_cppflags)
tests_modules_steady_test_steady_LDFLAGS = $(test_ldflags)
tests_modules_steady_test_steady_LDADD = $(test_libs)
