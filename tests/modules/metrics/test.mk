# Tests of the metrics module.
test_programs += tests/modules/metrics/test_metrics
tests_modules_metrics_test_metrics_SOURCES = \
	tests/modules/metrics/test_metrics.c \
	modules/service/metrics/metrics_http.c \
	modules/service/metrics/metrics_int.h \
	modules/service/metrics/metrics_text.c
tests_modules_metrics_test_metrics_CPPFLAGS = $(test_cppflags) -I$(top_srcdir)/modules/service/metrics
tests_modules_metrics_test_metrics_LDFLAGS = $(test_ldflags)
tests_modules_metrics_test_metrics_LDADD = $(test_libs)
