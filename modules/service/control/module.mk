# The control module.
strata_modules += modules/control.la
modules_control_la_SOURCES = \
	modules/service/control/control.c \
	modules/service/control/control_access.c \
	modules/service/control/control_bpf.c \
	modules/service/control/control_bpf.h \
	modules/service/control/control_capture.c \
	modules/service/control/control_change.c \
	modules/service/control/control_client.c \
	modules/service/control/control_filter.c \
	modules/service/control/control_filter.h \
	modules/service/control/control_graph.c \
	modules/service/control/control_int.h \
	modules/service/control/control_json.h \
	modules/service/control/control_method.c \
	modules/service/control/control_modules.c \
	modules/service/control/control_reply.c \
	modules/service/control/control_show.c \
	modules/service/control/control_sockets.c \
	modules/service/control/control_stream.c \
	modules/service/control/control_trace.c \
	modules/service/control/control_trace.h \
	modules/service/control/control_trace_want.c \
	modules/service/control/pcapng.c \
	modules/service/control/pcapng.h
modules_control_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
modules_control_la_LDFLAGS = $(module_ldflags)
modules_control_la_LIBADD = $(module_libadd) $(JANSSON_LIBS)
dist_man_MANS += modules/service/control/strata-control.7
