# Tests of the loopback module.
test_programs += tests/modules/loopback/test_loopback
tests_modules_loopback_test_loopback_SOURCES = tests/modules/loopback/test_loopback.c
tests_modules_loopback_test_loopback_CPPFLAGS = $(test_cppflags)
tests_modules_loopback_test_loopback_LDFLAGS = $(test_ldflags)
tests_modules_loopback_test_loopback_LDADD = $(test_libs)
