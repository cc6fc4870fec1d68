# Tests of the arp module.
test_programs += tests/modules/arp/test_arp
tests_modules_arp_test_arp_SOURCES = tests/modules/arp/test_arp.c
tests_modules_arp_test_arp_CPPFLAGS = $(test_cppflags)
tests_modules_arp_test_arp_LDFLAGS = $(test_ldflags)
tests_modules_arp_test_arp_LDADD = $(test_libs)
test_programs += tests/modules/arp/test_claim
tests_modules_arp_test_claim_SOURCES = tests/modules/arp/test_claim.c
tests_modules_arp_test_claim_CPPFLAGS = $(test_cppflags)
tests_modules_arp_test_claim_LDFLAGS = $(test_ldflags)
tests_modules_arp_test_claim_LDADD = $(test_libs)
