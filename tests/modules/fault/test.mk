# Tests of the fault module.
test_programs += tests/modules/fault/test_fault
tests_modules_fault_test_fault_SOURCES = tests/modules/fault/test_fault.c
tests_modules_fault_test_fault_CPPFLAGS = $(test_cppflags)
tests_modules_fault_test_fault_LDFLAGS = $(test_ldflags)
tests_modules_fault_test_fault_LDADD = $(test_libs)
