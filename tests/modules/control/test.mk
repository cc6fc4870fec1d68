# Tests of the control module.
test_programs += tests/modules/control/test_control
tests_modules_control_test_control_SOURCES = tests/modules/control/test_control.c
tests_modules_control_test_control_CPPFLAGS = $(test_cppflags)
tests_modules_control_test_control_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_modules_control_test_control_LDFLAGS = $(test_ldflags)
tests_modules_control_test_control_LDADD = $(test_libs) $(JANSSON_LIBS)
