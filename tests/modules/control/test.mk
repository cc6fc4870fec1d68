# Tests of the control module.
test_programs += tests/modules/control/test_control
tests_modules_control_test_control_SOURCES = tests/modules/control/test_control.c
tests_modules_control_test_control_CPPFLAGS = $(test_cppflags)
tests_modules_control_test_control_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_modules_control_test_control_LDFLAGS = $(test_ldflags)
tests_modules_control_test_control_LDADD = $(test_libs) $(JANSSON_LIBS)

test_programs += tests/modules/control/test_filter
tests_modules_control_test_filter_SOURCES = \
	tests/modules/control/test_filter.c \
	modules/service/control/control_bpf.c \
	modules/service/control/control_bpf.h \
	modules/service/control/control_filter.c \
	modules/service/control/control_filter.h
tests_modules_control_test_filter_CPPFLAGS = $(test_cppflags) -I$(top_srcdir)/modules/service/control
tests_modules_control_test_filter_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PCAP_CFLAGS)
tests_modules_control_test_filter_LDFLAGS = $(test_ldflags)
tests_modules_control_test_filter_LDADD = $(test_libs) $(JANSSON_LIBS) $(PCAP_LIBS)
