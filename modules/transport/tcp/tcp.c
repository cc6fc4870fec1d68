/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The module: options, start and stop, and the descriptor. RFC 9293 is what it implements; strata-tcp(7)
 * says with which of its companions.
 */
#include <errno.h>
#include <netinet/in.h>
#include "tcp_details.h"
#include "tcp_int.h"

/* ---- the module's life ---- */

static void destroy_caches(struct tcp_module *m)
{
	strata_cache_destroy(m->requests);
	strata_cache_destroy(m->time_waits);
	strata_cache_destroy(m->slices);
	strata_cache_destroy(m->ranges);
	strata_cache_destroy(m->listeners);
	strata_cache_destroy(m->flights);
}

static bool create_caches(struct tcp_module *m)
{
	struct strata_stack *stack = m->stack;

	m->requests = strata_cache_create(stack, "tcp half-open", sizeof(struct tcp_request));
	m->time_waits = strata_cache_create(stack, "tcp TIME-WAIT", sizeof(struct tcp_time_wait));
	m->slices = strata_cache_create(stack, "tcp send slices", sizeof(struct tcp_slice));
	m->ranges = strata_cache_create(stack, "tcp out of order", sizeof(struct tcp_range));
	m->listeners = strata_cache_create(stack, "tcp listeners", sizeof(struct tcp_listener));
	m->flights = strata_cache_create(stack, "tcp flights", sizeof(struct tcp_flight));
	return m->requests != NULL && m->time_waits != NULL && m->slices != NULL &&
	       m->ranges != NULL && m->listeners != NULL && m->flights != NULL;
}

static int check_congestion(struct tcp_module *m, struct strata_error *error)
{
	const char *name = m->config->congestion;

	if (strata_congestion_find(m->stack, name) != NULL)
		return 0;
	strata_error_add(error,
			 "%s: congestion control \"%s\" is not running: add \"- name: %s\" to "
			 "modules:, or name another in the option congestion",
			 m->self->name, name, name);
	return -ENOENT;
}

static int tcp_start(struct strata_instance *self, struct strata_error *error)
{
	struct tcp_module *m = strata_alloc(self->stack, sizeof(*m));
	int result = -ENOMEM;

	if (m == NULL)
		goto out_memory;
	m->self = self;
	m->stack = self->stack;
	m->config = self->config;
	m->reaper.run = tcp_reap;
	result = check_congestion(m, error);
	if (result < 0)
		goto out_free;
	strata_random(self->stack, &m->isn_key, sizeof(m->isn_key));
	strata_random(self->stack, &m->stamp_key, sizeof(m->stamp_key));
	result = tcp_fastopen_configure(m);
	if (result < 0) {
		strata_error_add(error, "%s: option fastopen_key: \"%s\" is no key: four groups of eight "
				 "hexadecimal digits with hyphens between, or two such with a comma",
				 self->name, m->config->fastopen_key);
		goto out_free;
	}
	result = -ENOMEM;
	if (create_caches(m)) {
		self->state = m;
		return 0;
	}
	destroy_caches(m);
out_free:
	strata_free(self->stack, m);
out_memory:
	if (result == -ENOMEM)
		strata_error_add(error, "%s: out of memory", self->name);
	return result;
}

/* Ends what stands behind a flow: its address, its interface or the module goes. */
static void tcp_abort_flow(struct strata_flow *flow, int error)
{
	struct tcp_sock *tp;

	switch (flow->kind) {
	case TCP_FLOW_REQUEST:
		tcp_request_free(strata_container_of(flow, struct tcp_request, flow));
		break;
	case TCP_FLOW_TIME_WAIT:
		tcp_time_wait_free(strata_container_of(flow, struct tcp_time_wait, flow));
		break;
	case TCP_FLOW_REST:
		tp = strata_container_of(flow, struct tcp_sock, sock.flow);
		tcp_rest_abort(tp, error);
		break;
	default:
		tp = strata_container_of(flow, struct tcp_sock, sock.flow);
		tcp_abort(tp, error);
		break;
	}
}

/* The stack is going to end: nobody listens any more, a connection ends behind what is queued. */
static void tcp_drain_flow(struct strata_flow *flow)
{
	struct tcp_sock *tp = tcp_awake_of(flow);

	if (tp == NULL)
		return;
	tp->cork = tp->more = false;
	tcp_shutdown(&tp->sock, tp->state == TCP_LISTEN ? SHUT_RDWR : SHUT_WR);
}

/* The module is unloaded: whoever uses it takes another. */
static void tcp_algorithm_gone(struct strata_flow *flow, struct strata_instance *algorithm)
{
	struct tcp_sock *tp;

	if (flow->kind != TCP_FLOW_SOCKET && flow->kind != TCP_FLOW_REST)
		return;
	tp = strata_container_of(flow, struct tcp_sock, sock.flow);
	if (tp->extra != NULL && tp->extra->algorithm == algorithm)
		tp->extra->algorithm = NULL;
	if (tp->cc.algorithm != algorithm)
		return;
	/* It has been stopped: nothing of it is called, and another one, if there is any, goes on from this window. */
	tp->cc.algorithm = NULL;
	/* One at rest takes it when it wakes. */
	if (flow->kind == TCP_FLOW_SOCKET)
		tcp_congestion_begin(tp);
}

static void stop_flow(struct strata_flow *flow, void *ctx)
{
	(void)ctx;
	tcp_abort_flow(flow, ENETDOWN);
}

static void tcp_stop(struct strata_instance *self)
{
	struct tcp_module *m = self->state;

	strata_flow_walk(self->stack, (uint8_t)self->number, stop_flow, NULL);
	tcp_time_wait_stop(m);
	tcp_fastopen_forget_all(m);
	tcp_reap(self->stack, &m->reaper);
	strata_work_cancel(self->stack, &m->reaper);
	destroy_caches(m);
	strata_free(self->stack, m);
	self->state = NULL;
}

static int tcp_option(struct strata_instance *self, const struct strata_option *option)
{
	struct tcp_config *config = self->config;
	struct tcp_module *m = self->state;

	if (option->offset == offsetof(struct tcp_config, congestion)) {
		m->algorithm = NULL;
		if (strata_congestion_find(self->stack, config->congestion) == NULL)
			return -ENOENT;
	}
	if (option->offset == offsetof(struct tcp_config, fastopen_key))
		return tcp_fastopen_configure(m);
	if (config->rto_min > config->rto_max || config->rto_initial > config->rto_max)
		return -EINVAL;
	return 0;
}

static void tcp_describe(const struct strata_flow *flow, const char **state, uint32_t *rx_queue,
			 uint32_t *tx_queue)
{
	const struct tcp_sock *tp;

	*rx_queue = *tx_queue = 0;
	switch (flow->kind) {
	case TCP_FLOW_REQUEST:
		*state = tcp_state_name(TCP_SYN_RECEIVED);
		return;
	case TCP_FLOW_TIME_WAIT:
		*state = tcp_state_name(TCP_TIME_WAIT);
		return;
	default:
		break;
	}
	tp = (const struct tcp_sock *)(const void *)((const char *)flow -
						     offsetof(struct tcp_sock, sock.flow));
	*state = tcp_state_name(tp->state);
	if (tp->state == TCP_LISTEN) {
		*rx_queue = tp->listener->accept_count;
		*tx_queue = tp->listener->backlog;
		return;
	}
	if (flow->kind == TCP_FLOW_REST)
		return;
	*rx_queue = tp->rcv_bytes;
	*tx_queue = seq_span(tp->snd_una, tp->snd_end);
}

/* ---- tables ---- */

#define OPTION(field, type_, fallback_, min_, max_, unit_, help_) \
	{ .name = #field, .type = STRATA_OPT_##type_, .offset = offsetof(struct tcp_config, field), \
	  .fallback = fallback_, .min = min_, .max = max_, .unit = unit_, .help = help_, \
	  .runtime = true }
#define FLAG(field, fallback_, help_) OPTION(field, BOOL, fallback_, 0, 0, NULL, help_)
#define TIME(field, fallback_, min_, max_, help_) \
	OPTION(field, TIME, fallback_, min_, max_, NULL, help_)

static const struct strata_option options[] = {
	{ .name = "congestion", .type = STRATA_OPT_MODULE, .names = STRATA_CONGESTION,
	  .offset = offsetof(struct tcp_config, congestion), .fallback = "cubic", .runtime = true,
	  .help = "Congestion control of new connections." },
	FLAG(sack, "true", "Offer selective acknowledgements (RFC 2018)."),
	FLAG(dsack, "true", "Report duplicates received (RFC 2883)."),
	FLAG(timestamps, "true", "Offer time stamps (RFC 7323)."),
	FLAG(window_scaling, "true", "Offer window scaling (RFC 7323)."),
	FLAG(nagle, "true", "Hold small segments back while one is unacknowledged (RFC 9293 3.7.4)."),
	FLAG(limited_transmit, "true", "Send new data on the first duplicate ACKs (RFC 3042)."),
	FLAG(tail_loss_probe, "true", "Probe a tail that is not acknowledged (RFC 8985 7)."),
	FLAG(rack, "true", "Infer losses by time (RFC 8985); without, by RFC 6675 alone."),
	FLAG(prr, "true", "Reduce the window in proportion to what arrives (RFC 9937), not at once."),
	FLAG(frto, "true", "Detect spurious timeouts by what arrives after them (RFC 5682)."),
	FLAG(eifel, "true", "Take a reduction back that time stamps show to be needless (RFC 3522)."),
	FLAG(dsack_undo, "true", "The same where the peer reports every retransmission as a duplicate."),
	FLAG(pacing, "false", "Spread each window over the round trip, whatever the algorithm."),
	OPTION(dupack_threshold, UINT, "3", 2, 127, "segments",
	       "Segments beyond a hole that show it to be lost (DupThresh of RFC 5681)."),
	FLAG(autotune, "true", "Let socket buffers grow with the connection's need."),
	FLAG(rfc1337, "false", "Let no RST end TIME-WAIT (RFC 1337)."),
	OPTION(ecn, UINT, "2", 0, 2, NULL,
	       "Explicit congestion notification (RFC 3168): 0 never, 1 asked for and granted, 2 granted "
	       "where the peer asks."),
	OPTION(fastopen, UINT, "1", 0, 0x7ff, NULL,
	       "Fast Open (RFC 7413), bits as Linux's: 1 as a client, 2 as a server, 4 data without a cookie, "
	       "0x200 taken without a cookie, 0x400 for every listener."),
	{ .name = "fastopen_key", .type = STRATA_OPT_STRING,
	  .offset = offsetof(struct tcp_config, fastopen_key), .runtime = true,
	  .help = "Key of Fast Open cookies, as four groups of eight hexadecimal digits with hyphens; after a "
		  "comma an older one that is still good. Unset: drawn." },
	OPTION(fastopen_peers, UINT, "1024", 0, 1048576, "peers",
	       "Most peers whose Fast Open cookies are remembered."),
	TIME(fastopen_blackhole_timeout, "3600s", 0, 86400 * STRATA_SEC,
	     "How long no Fast Open is tried after connections that began with it timed out; doubles each time."),
	OPTION(initial_window, UINT, "10", 1, 64, "segments", "Initial window (RFC 6928)."),
	OPTION(mss_min, UINT, "48", 28, 1460, "bytes", "Smallest MSS that is respected."),
	OPTION(backlog_max, UINT, "1024", 1, 65535, "connections",
	       "Most established connections that wait to be accepted, for each listener."),
	OPTION(half_open_max, UINT, "4096", 1, 1048576, "connections",
	       "Most half-open connections of the stack."),
	OPTION(syncookies, UINT, "1", 0, 2, NULL,
	       "SYN cookies (RFC 4987): 0 never, 1 when there is no room for a half-open connection, "
	       "2 always."),
	OPTION(syn_retries, UINT, "6", 1, 127, NULL, "Retransmissions of a SYN."),
	OPTION(synack_retries, UINT, "4", 1, 127, NULL, "Retransmissions of a SYN-ACK."),
	OPTION(data_retries, UINT, "15", 3, 127, NULL, "Retransmissions of data, R2 of RFC 9293 3.8.3."),
	OPTION(orphan_retries, UINT, "8", 1, 127, NULL,
	       "Retransmissions, window probes and waits for a device, of a connection without an owner."),
	TIME(rto_initial, "1s", STRATA_MS, 60 * STRATA_SEC, "First retransmission timeout (RFC 6298)."),
	TIME(rto_min, "200ms", STRATA_MS, 10 * STRATA_SEC,
	     "Smallest allowance for variance in the retransmission timeout."),
	TIME(rto_max, "60s", STRATA_SEC, 600 * STRATA_SEC, "Largest retransmission timeout."),
	TIME(min_rtt_window, "300s", STRATA_SEC, 86400 * STRATA_SEC,
	     "How long the smallest round-trip time is remembered."),
	TIME(delayed_ack, "40ms", STRATA_MS, 500 * STRATA_MS,
	     "How long an acknowledgement may wait (RFC 9293 3.8.6.3)."),
	TIME(cork_time, "200ms", STRATA_MS, 10 * STRATA_SEC,
	     "How long TCP_CORK and MSG_MORE hold a partial segment."),
	TIME(keepalive_time, "7200s", STRATA_SEC, 32767 * STRATA_SEC,
	     "Idle time before the first keepalive, where a socket asks for them."),
	TIME(keepalive_interval, "75s", STRATA_SEC, 32767 * STRATA_SEC, "Time between keepalives."),
	OPTION(keepalive_probes, UINT, "9", 1, 127, NULL,
	       "Keepalives without an answer that end a connection."),
	TIME(time_wait, "60s", 0, 240 * STRATA_SEC, "Length of TIME-WAIT, 2 MSL."),
	OPTION(time_wait_max, UINT, "65536", 0, 1048576, "connections",
	       "Most connections in TIME-WAIT; beyond, the oldest ends."),
	TIME(fin_timeout, "60s", 0, 600 * STRATA_SEC, "How long FIN-WAIT-2 lasts without an owner."),
	OPTION(fin_wait_max, UINT, "16384", 0, 1048576, "connections",
	       "Most connections in FIN-WAIT-2 without an owner."),
	TIME(rest_after, "1s", 0, 86400 * STRATA_SEC,
	     "Time without traffic after which a connection gives memory back that only traffic needs; 0: never."),
	TIME(challenge_ack_interval, "500ms", 0, 60 * STRATA_SEC,
	     "Shortest time between challenge ACKs of one connection (RFC 5961)."),
	OPTION(rcvbuf_max, SIZE, "4MiB", 4096, 1 << 30, NULL,
	       "Largest receive buffer that a connection grows to by itself."),
	OPTION(sndbuf_max, SIZE, "4MiB", 4096, 1 << 30, NULL,
	       "Largest send buffer that a connection grows to by itself."),
	OPTION(rcvbuf, SIZE, "128KiB", 2304, 1 << 30, NULL, "First receive buffer of a socket."),
	OPTION(sndbuf, SIZE, "16KiB", 2304, 1 << 30, NULL, "First send buffer of a socket."),
	OPTION(mtu_probing, UINT, "1", 0, 2, NULL,
	       "Path MTU probing (RFC 4821): 0 never, 1 once large segments seem to vanish, 2 always."),
	OPTION(mtu_base_mss, UINT, "1024", 48, 65495, "bytes", "Segment size that probing begins with."),
	OPTION(mtu_probe_floor, UINT, "512", 28, 1024, "bytes", "Smallest segment size that probing goes down to."),
	OPTION(mtu_probe_threshold, UINT, "8", 1, 1024, "bytes", "Range in which the search for the MTU ends."),
	TIME(mtu_probe_interval, "10min", STRATA_SEC, 86400 * STRATA_SEC,
	     "Time until a larger segment size is looked for again."),
	OPTION(mtu_black_hole, UINT, "3", 1, 15, NULL,
	       "Timeouts of the same large segment after which it is thought to vanish."),
	OPTION(out_of_order_ranges, UINT, "256", 1, 65535, NULL,
	       "Most separate runs of data out of order a connection keeps."),
	OPTION(sack_holes, UINT, "128", 8, 65535, NULL, "Most separate runs of sacked data a connection remembers."),
	OPTION(sack_holes_max, UINT, "65536", 8, 16777216, NULL,
	       "Most separate runs of sacked data all connections remember."),
};

#undef FLAG
#undef TIME

static const struct strata_counter_def counters[] = {
#define X(symbol, name_, help_, mib_) { name_, help_, mib_ },
#include "tcp_counters.def"
#undef X
};
_Static_assert(STRATA_COUNT(counters) == TCP_COUNTERS, "a counter without a name");

static const struct strata_drop_def drops[] = {
#define X(symbol, text, severity, mib) STRATA_DROP_DEF(symbol, text, severity, mib)
#include "tcp_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(drops) == TCP_DROPS, "a drop reason without a text");

static const char *const provides[] = { "default-stream", NULL };

static const struct strata_transport_ops transport = {
	.type = SOCK_STREAM,
	.socket_size = sizeof(struct tcp_sock),
	.sockopt_level = IPPROTO_TCP,
	.rcvbuf = 131072,
	.sndbuf = 16384,
	.input = tcp_input,
	.error = tcp_error,
	.segment = tcp_segment_cut,
	.coalesce = tcp_coalesce,
	.header_length = tcp_header_length,
	.ports = tcp_ports,
	.socket_open = tcp_open,
	.socket_close = tcp_close,
	.wake = tcp_wake_socket,
	.connect = tcp_connect,
	.disconnect = tcp_disconnect,
	.listen = tcp_listen,
	.accept = tcp_accept,
	.send = tcp_send,
	.recv = tcp_recv,
	.shutdown = tcp_shutdown,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.ioctl = tcp_ioctl,
	.option_changed = tcp_option_changed,
	.describe = tcp_describe,
	.details = tcp_details,
	.abort = tcp_abort_flow,
	.drain = tcp_drain_flow,
	.algorithm_gone = tcp_algorithm_gone,
};

STRATA_MODULE(tcp) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_TRANSPORT,
	.number = IPPROTO_TCP,
	.name = "tcp",
	.version = "0.1.0",
	.summary = "Transmission Control Protocol (RFC 9293)",
	.provides = provides,
	.config_size = sizeof(struct tcp_config),
	.options = options,
	.option_count = STRATA_COUNT(options),
	.counters = counters,
	.counter_count = STRATA_COUNT(counters),
	.drops = drops,
	.drop_count = STRATA_COUNT(drops),
	.start = tcp_start,
	.stop = tcp_stop,
	.option_changed = tcp_option,
	.transport = &transport,
};
