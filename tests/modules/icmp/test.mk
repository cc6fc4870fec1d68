# Tests of the icmp module.
test_programs += tests/modules/icmp/test_icmp
tests_modules_icmp_test_icmp_SOURCES = tests/modules/icmp/test_icmp.c
tests_modules_icmp_test_icmp_CPPFLAGS = $(test_cppflags)
tests_modules_icmp_test_icmp_LDFLAGS = $(test_ldflags)
tests_modules_icmp_test_icmp_LDADD = $(test_libs)
test_programs += tests/modules/icmp/test_socket
tests_modules_icmp_test_socket_SOURCES = tests/modules/icmp/test_socket.c
tests_modules_icmp_test_socket_CPPFLAGS = $(test_cppflags)
tests_modules_icmp_test_socket_LDFLAGS = $(test_ldflags)
tests_modules_icmp_test_socket_LDADD = $(test_libs)
