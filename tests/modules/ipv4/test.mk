# Tests of the ipv4 module.
test_programs += tests/modules/ipv4/test_input
tests_modules_ipv4_test_input_SOURCES = tests/modules/ipv4/test_input.c
tests_modules_ipv4_test_input_CPPFLAGS = $(test_cppflags)
tests_modules_ipv4_test_input_LDFLAGS = $(test_ldflags)
tests_modules_ipv4_test_input_LDADD = $(test_libs)
test_programs += tests/modules/ipv4/test_reass
tests_modules_ipv4_test_reass_SOURCES = tests/modules/ipv4/test_reass.c
tests_modules_ipv4_test_reass_CPPFLAGS = $(test_cppflags)
tests_modules_ipv4_test_reass_LDFLAGS = $(test_ldflags)
tests_modules_ipv4_test_reass_LDADD = $(test_libs)
