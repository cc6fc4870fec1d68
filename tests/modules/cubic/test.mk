# Tests of the cubic module.
test_programs += tests/modules/cubic/test_cubic
tests_modules_cubic_test_cubic_SOURCES = \
	tests/modules/cubic/test_cubic.c \
	modules/congestion/cubic/cubic.c
tests_modules_cubic_test_cubic_CPPFLAGS = $(test_cppflags)
tests_modules_cubic_test_cubic_LDFLAGS = $(test_ldflags)
tests_modules_cubic_test_cubic_LDADD = $(test_libs) -lm
