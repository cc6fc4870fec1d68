# Tests of the ethernet module.
test_programs += tests/modules/ethernet/test_ethernet
tests_modules_ethernet_test_ethernet_SOURCES = tests/modules/ethernet/test_ethernet.c
tests_modules_ethernet_test_ethernet_CPPFLAGS = $(test_cppflags)
tests_modules_ethernet_test_ethernet_LDFLAGS = $(test_ldflags)
tests_modules_ethernet_test_ethernet_LDADD = $(test_libs)
