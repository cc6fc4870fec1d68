# Tests of the wire module.
test_programs += tests/modules/wire/test_wire
tests_modules_wire_test_wire_SOURCES = tests/modules/wire/test_wire.c
tests_modules_wire_test_wire_CPPFLAGS = $(test_cppflags)
tests_modules_wire_test_wire_LDFLAGS = $(test_ldflags)
tests_modules_wire_test_wire_LDADD = $(test_libs)
