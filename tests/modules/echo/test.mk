# Tests of the echo module.
test_programs += tests/modules/echo/test_echo_datagram
tests_modules_echo_test_echo_datagram_SOURCES = tests/modules/echo/test_echo_datagram.c
tests_modules_echo_test_echo_datagram_CPPFLAGS = $(test_cppflags)
tests_modules_echo_test_echo_datagram_LDFLAGS = $(test_ldflags)
tests_modules_echo_test_echo_datagram_LDADD = $(test_libs)

test_programs += tests/modules/echo/test_echo_stream
tests_modules_echo_test_echo_stream_SOURCES = tests/modules/echo/test_echo_stream.c
tests_modules_echo_test_echo_stream_CPPFLAGS = $(test_cppflags)
tests_modules_echo_test_echo_stream_LDFLAGS = $(test_ldflags)
tests_modules_echo_test_echo_stream_LDADD = $(test_libs)
