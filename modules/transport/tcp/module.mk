# The tcp module.
strata_modules += modules/tcp.la
modules_tcp_la_SOURCES = \
	modules/transport/tcp/tcp.c \
	modules/transport/tcp/tcp_ack.c \
	modules/transport/tcp/tcp_buffer.c \
	modules/transport/tcp/tcp_conn.c \
	modules/transport/tcp/tcp_cookie.c \
	modules/transport/tcp/tcp_counters.def \
	modules/transport/tcp/tcp_details.c \
	modules/transport/tcp/tcp_details.h \
	modules/transport/tcp/tcp_drops.def \
	modules/transport/tcp/tcp_ecn.c \
	modules/transport/tcp/tcp_error.c \
	modules/transport/tcp/tcp_fastopen.c \
	modules/transport/tcp/tcp_fastopen_cache.c \
	modules/transport/tcp/tcp_flight.h \
	modules/transport/tcp/tcp_input.c \
	modules/transport/tcp/tcp_int.h \
	modules/transport/tcp/tcp_listen.c \
	modules/transport/tcp/tcp_lost.c \
	modules/transport/tcp/tcp_mark.c \
	modules/transport/tcp/tcp_mtu_probe.c \
	modules/transport/tcp/tcp_output.c \
	modules/transport/tcp/tcp_probe.c \
	modules/transport/tcp/tcp_queue.c \
	modules/transport/tcp/tcp_rack.c \
	modules/transport/tcp/tcp_rate.c \
	modules/transport/tcp/tcp_reasm.c \
	modules/transport/tcp/tcp_recovery.c \
	modules/transport/tcp/tcp_reply.c \
	modules/transport/tcp/tcp_rest.c \
	modules/transport/tcp/tcp_rtt.c \
	modules/transport/tcp/tcp_sack.c \
	modules/transport/tcp/tcp_sent.c \
	modules/transport/tcp/tcp_seq.h \
	modules/transport/tcp/tcp_sockopt.c \
	modules/transport/tcp/tcp_tcb.h \
	modules/transport/tcp/tcp_time_wait.c \
	modules/transport/tcp/tcp_timer.c \
	modules/transport/tcp/tcp_trace.c \
	modules/transport/tcp/tcp_undo.c \
	modules/transport/tcp/tcp_user.c \
	modules/transport/tcp/tcp_wire.c
modules_tcp_la_LDFLAGS = $(module_ldflags)
modules_tcp_la_LIBADD = $(module_libadd)
dist_man_MANS += modules/transport/tcp/strata-tcp.7
