# Malformed frames of every protocol against a whole stack.
test_programs += tests/modules/malformed/test_malformed
tests_modules_malformed_test_malformed_SOURCES = tests/modules/malformed/test_malformed.c
tests_modules_malformed_test_malformed_CPPFLAGS = $(test_cppflags)
tests_modules_malformed_test_malformed_LDFLAGS = $(test_ldflags)
tests_modules_malformed_test_malformed_LDADD = $(test_libs)
