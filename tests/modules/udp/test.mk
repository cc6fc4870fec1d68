# Tests of the udp module.
test_programs += tests/modules/udp/test_udp_input
tests_modules_udp_test_udp_input_SOURCES = \
	tests/modules/udp/test_udp_input.c \
	tests/modules/udp/udp_test.h
tests_modules_udp_test_udp_input_CPPFLAGS = $(test_cppflags)
tests_modules_udp_test_udp_input_LDFLAGS = $(test_ldflags)
tests_modules_udp_test_udp_input_LDADD = $(test_libs)

test_programs += tests/modules/udp/test_udp_socket
tests_modules_udp_test_udp_socket_SOURCES = \
	tests/modules/udp/test_udp_socket.c \
	tests/modules/udp/udp_test.h
tests_modules_udp_test_udp_socket_CPPFLAGS = $(test_cppflags)
tests_modules_udp_test_udp_socket_LDFLAGS = $(test_ldflags)
tests_modules_udp_test_udp_socket_LDADD = $(test_libs)

test_programs += tests/modules/udp/test_udp_error
tests_modules_udp_test_udp_error_SOURCES = \
	tests/modules/udp/test_udp_error.c \
	tests/modules/udp/udp_test.h
tests_modules_udp_test_udp_error_CPPFLAGS = $(test_cppflags)
tests_modules_udp_test_udp_error_LDFLAGS = $(test_ldflags)
tests_modules_udp_test_udp_error_LDADD = $(test_libs)
test_programs += tests/modules/udp/test_udp_offload
tests_modules_udp_test_udp_offload_SOURCES = tests/modules/udp/test_udp_offload.c tests/modules/udp/udp_test.h
tests_modules_udp_test_udp_offload_CPPFLAGS = $(test_cppflags)
tests_modules_udp_test_udp_offload_LDFLAGS = $(test_ldflags)
tests_modules_udp_test_udp_offload_LDADD = $(test_libs)
test_programs += tests/modules/udp/test_udp_join
tests_modules_udp_test_udp_join_SOURCES = \
	tests/modules/udp/test_udp_join.c \
	tests/modules/udp/udp_device.h tests/modules/udp/udp_test.h
tests_modules_udp_test_udp_join_CPPFLAGS = $(test_cppflags)
tests_modules_udp_test_udp_join_LDFLAGS = $(test_ldflags)
tests_modules_udp_test_udp_join_LDADD = $(test_libs)
test_programs += tests/modules/udp/test_udp_alone
tests_modules_udp_test_udp_alone_SOURCES = \
	tests/modules/udp/test_udp_alone.c \
	tests/modules/udp/udp_device.h tests/modules/udp/udp_test.h
tests_modules_udp_test_udp_alone_CPPFLAGS = $(test_cppflags)
tests_modules_udp_test_udp_alone_LDFLAGS = $(test_ldflags)
tests_modules_udp_test_udp_alone_LDADD = $(test_libs)
test_programs += tests/modules/udp/test_udp_way
tests_modules_udp_test_udp_way_SOURCES = \
	tests/modules/udp/test_udp_way.c \
	tests/modules/udp/udp_device.h tests/modules/udp/udp_test.h
tests_modules_udp_test_udp_way_CPPFLAGS = $(test_cppflags)
tests_modules_udp_test_udp_way_LDFLAGS = $(test_ldflags)
tests_modules_udp_test_udp_way_LDADD = $(test_libs)
