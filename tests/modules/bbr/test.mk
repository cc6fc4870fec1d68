# Tests of the bbr module.
test_programs += tests/modules/bbr/test_bbr
tests_modules_bbr_test_bbr_SOURCES = tests/modules/bbr/test_bbr.c
tests_modules_bbr_test_bbr_CPPFLAGS = $(test_cppflags)
tests_modules_bbr_test_bbr_LDFLAGS = $(test_ldflags)
tests_modules_bbr_test_bbr_LDADD = $(test_libs)
