# Tests of the pcap module. Kinds of files and what is wrong with them are tested in tests/system.
test_programs += tests/modules/pcap/test_pcap
tests_modules_pcap_test_pcap_SOURCES = tests/modules/pcap/test_pcap.c
tests_modules_pcap_test_pcap_CPPFLAGS = $(test_cppflags)
tests_modules_pcap_test_pcap_LDFLAGS = $(test_ldflags)
tests_modules_pcap_test_pcap_LDADD = $(test_libs)
