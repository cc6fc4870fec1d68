# The metrics module.
strata_modules += modules/metrics.la
modules_metrics_la_SOURCES = \
	modules/service/metrics/metrics.c \
	modules/service/metrics/metrics_client.c \
	modules/service/metrics/metrics_counters.def \
	modules/service/metrics/metrics_http.c \
	modules/service/metrics/metrics_int.h \
	modules/service/metrics/metrics_text.c
modules_metrics_la_LDFLAGS = $(module_ldflags)
modules_metrics_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/service/metrics/strata-metrics.7
