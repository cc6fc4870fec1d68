# Tests of the control module.
control_house = tests/modules/control/house.c tests/modules/control/house.h

test_programs += tests/modules/control/test_access
tests_modules_control_test_access_SOURCES = tests/modules/control/test_access.c $(control_house)
tests_modules_control_test_access_CPPFLAGS = $(test_cppflags)
tests_modules_control_test_access_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_modules_control_test_access_LDFLAGS = $(test_ldflags)
tests_modules_control_test_access_LDADD = $(test_libs) $(JANSSON_LIBS)

test_programs += tests/modules/control/test_capture
tests_modules_control_test_capture_SOURCES = tests/modules/control/test_capture.c $(control_house)
tests_modules_control_test_capture_CPPFLAGS = $(test_cppflags)
tests_modules_control_test_capture_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(PCAP_CFLAGS)
tests_modules_control_test_capture_LDFLAGS = $(test_ldflags)
tests_modules_control_test_capture_LDADD = $(test_libs) $(JANSSON_LIBS) $(PCAP_LIBS)

test_programs += tests/modules/control/test_change
tests_modules_control_test_change_SOURCES = tests/modules/control/test_change.c $(control_house)
tests_modules_control_test_change_CPPFLAGS = $(test_cppflags)
tests_modules_control_test_change_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_modules_control_test_change_LDFLAGS = $(test_ldflags)
tests_modules_control_test_change_LDADD = $(test_libs) $(JANSSON_LIBS)

test_programs += tests/modules/control/test_control
tests_modules_control_test_control_SOURCES = tests/modules/control/test_control.c $(control_house)
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

test_programs += tests/modules/control/test_graph
tests_modules_control_test_graph_SOURCES = tests/modules/control/test_graph.c
tests_modules_control_test_graph_CPPFLAGS = $(test_cppflags)
tests_modules_control_test_graph_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_modules_control_test_graph_LDFLAGS = $(test_ldflags)
tests_modules_control_test_graph_LDADD = $(test_libs) $(JANSSON_LIBS)

test_programs += tests/modules/control/test_stream
tests_modules_control_test_stream_SOURCES = tests/modules/control/test_stream.c $(control_house)
tests_modules_control_test_stream_CPPFLAGS = $(test_cppflags)
tests_modules_control_test_stream_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_modules_control_test_stream_LDFLAGS = $(test_ldflags)
tests_modules_control_test_stream_LDADD = $(test_libs) $(JANSSON_LIBS)

test_programs += tests/modules/control/test_flood
tests_modules_control_test_flood_SOURCES = tests/modules/control/test_flood.c $(control_house)
tests_modules_control_test_flood_CPPFLAGS = $(test_cppflags)
tests_modules_control_test_flood_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_modules_control_test_flood_LDFLAGS = $(test_ldflags)
tests_modules_control_test_flood_LDADD = $(test_libs) $(JANSSON_LIBS)

test_programs += tests/modules/control/test_mutate
tests_modules_control_test_mutate_SOURCES = tests/modules/control/test_mutate.c $(control_house)
tests_modules_control_test_mutate_CPPFLAGS = $(test_cppflags)
tests_modules_control_test_mutate_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_modules_control_test_mutate_LDFLAGS = $(test_ldflags)
tests_modules_control_test_mutate_LDADD = $(test_libs) $(JANSSON_LIBS)

test_programs += tests/modules/control/test_trace
tests_modules_control_test_trace_SOURCES = tests/modules/control/test_trace.c $(control_house)
tests_modules_control_test_trace_CPPFLAGS = $(test_cppflags)
tests_modules_control_test_trace_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_modules_control_test_trace_LDFLAGS = $(test_ldflags)
tests_modules_control_test_trace_LDADD = $(test_libs) $(JANSSON_LIBS)

test_programs += tests/modules/control/test_documented
tests_modules_control_test_documented_SOURCES = tests/modules/control/test_documented.c $(control_house)
tests_modules_control_test_documented_CPPFLAGS = $(test_cppflags) -DTOP_SRCDIR=\"$(abs_top_srcdir)\"
tests_modules_control_test_documented_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
tests_modules_control_test_documented_LDFLAGS = $(test_ldflags)
tests_modules_control_test_documented_LDADD = $(test_libs) $(JANSSON_LIBS)
