/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection's life: how it begins, what each state does when it is entered, how it ends. Read
 * RFC 9293 3.3 and 3.6, and RFC 6528, before editing.
 */
#include <assert.h>
#include <errno.h>
#include <strata/trace.h>
#include "tcp_int.h"

/* RFC 6298 (5.7) */
#define RTO_AFTER_SYN_TIMEOUT (3 * STRATA_SEC)

/* ---- numbers ---- */

static uint64_t hash_ends(const struct strata_hash_key *secret, const struct strata_flow_key *key,
			  bool ports)
{
	uint8_t bytes[2 * STRATA_ADDR_MAX + 4];
	size_t length = key->remote.length;

	/* Copies of a constant size; what is beyond an address is overwritten, or not hashed. */
	memcpy(bytes, key->local.bytes, STRATA_ADDR_MAX);
	memcpy(bytes + length, key->remote.bytes, STRATA_ADDR_MAX);
	length *= 2;
	if (ports) {
		strata_put_be16(bytes + length, key->local_port);
		strata_put_be16(bytes + length + 2, key->remote_port);
		length += 4;
	}
	return strata_siphash(secret, bytes, length);
}

uint32_t tcp_isn(struct tcp_module *m, const struct strata_flow_key *key)
{
	/* RFC 6528 section 3: M, a clock of 4 µs, plus F of both ends and a secret. */
	uint32_t clock = (uint32_t)(strata_now(m->stack) / (4 * STRATA_US));

	return clock + (uint32_t)hash_ends(&m->isn_key, key, true);
}

uint32_t tcp_stamp_offset(struct tcp_module *m, const struct strata_flow_key *key)
{
	/* RFC 7323 7.1: not the uptime; the same for all connections of two hosts, so that TIME-WAIT can
	 * compare stamps of successive ones (RFC 6191). */
	return (uint32_t)hash_ends(&m->stamp_key, key, false);
}

uint8_t tcp_choose_wscale(const struct tcp_module *m, const struct strata_socket *sock)
{
	uint64_t space = sock->rcvbuf;
	uint8_t shift = 0;

	if (!m->config->window_scaling)
		return 0;
	if ((sock->options & STRATA_SO_RCVBUF_LOCKED) == 0 && m->config->rcvbuf_max > space)
		space = m->config->rcvbuf_max;
	while (shift < TCP_WSCALE_MAX && space >> shift > 65535)
		shift++;
	return shift;
}

/* ---- the path ---- */

static uint32_t headers_of(const struct strata_dst *dst)
{
	return (uint32_t)dst->network->module->network->header_size + TCP_HEADER_MIN;
}

uint16_t tcp_advertised_mss(const struct strata_dst *dst, uint16_t user)
{
	/* RFC 9293 3.7.1, RFC 6691: the MTU less the headers without options. */
	uint32_t headers = headers_of(dst), mss = dst->mtu > headers ? dst->mtu - headers : 0;

	mss = tcp_min32(mss, UINT16_MAX);
	if (user != 0)
		mss = tcp_min32(mss, user);
	return (uint16_t)mss;
}

uint32_t tcp_path_mss(const struct tcp_sock *tp)
{
	if (strata_likely(tp->dst.network != NULL))
		return tcp_advertised_mss(&tp->dst, tp->user_mss);
	return tp->mss != 0 ? tp->mss : TCP_MSS_DEFAULT_V4;
}

/* What is cut to: CVE-2019-11479 has a floor below which no peer makes us cut; the link may. */
static uint32_t choose_mss(struct tcp_sock *tp)
{
	uint32_t floor = (uint32_t)tcp_module_of(tp)->config->mss_min, path = tcp_path_mss(tp), link, headers;

	/* Without a way only the peer's size is news; the rest is when there is one again. */
	if (strata_unlikely(tp->dst.network == NULL))
		return tcp_min32(path, tcp_max32(tp->peer_mss, floor));
	link = tp->dst.iface->mtu;
	headers = headers_of(&tp->dst);
	return tcp_max32(tcp_mtu_probe_limit(tp, tcp_min32(path, tp->peer_mss)),
			 tcp_min32(floor, link > headers ? link - headers : 1));
}

void tcp_update_mss(struct tcp_sock *tp)
{
	uint32_t mss = choose_mss(tp);

	tp->mss = (uint16_t)mss;
	tp->cc.mss = mss - (tp->ts_ok ? TCP_TIMESTAMP_SIZE : 0);
	if (tp->cc.cwnd != 0)
		tp->cc.cwnd = tcp_max32(tp->cc.cwnd, tp->cc.mss);
}

int tcp_route_anew(struct tcp_sock *tp)
{
	const struct strata_flow_key *key = &tp->sock.flow.key;
	struct strata_addr src;
	int error;

	error = strata_route_output(tp->sock.stack, &key->remote, &key->local, tp->sock.flow.iface,
				    &tp->dst, &src);
	if (error < 0) {
		tp->soft_error = (int16_t)-error;
		return error;
	}
	tcp_update_mss(tp);
	return 0;
}

/* ---- congestion control ---- */

/* What the option names. Looked for once, until modules change or the option does. */
static struct strata_instance *module_algorithm(struct tcp_module *m)
{
	if (m->algorithm == NULL || m->generation != m->stack->generation) {
		m->algorithm = strata_congestion_find(m->stack, m->config->congestion);
		m->generation = m->stack->generation;
	}
	return m->algorithm;
}

/* The application's choice, the route's, the module's: the first that runs. */
static struct strata_instance *choose_algorithm(const struct tcp_sock *tp)
{
	struct strata_stack *stack = tp->sock.stack;
	struct strata_instance *found = NULL;

	if (tp->extra != NULL && tp->extra->algorithm != NULL && tp->extra->algorithm->running)
		return tp->extra->algorithm;
	/* The name is the route's, and goes with it. */
	if (tp->dst.congestion != NULL && strata_dst_valid(stack, &tp->dst))
		found = strata_congestion_find(stack, tp->dst.congestion);
	return found != NULL ? found : module_algorithm(tcp_module_of(tp));
}

void tcp_congestion_begin(struct tcp_sock *tp)
{
	const struct strata_congestion_ops *ops;

	tp->cc.algorithm = choose_algorithm(tp);
	tp->cc.sack = tp->sack_ok;
	memset(tp->cc.priv, 0, sizeof(tp->cc.priv));
	ops = tcp_cc(tp);
	if (ops != NULL)
		ops->init(&tp->cc);
}

void tcp_congestion_end(struct tcp_sock *tp)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);

	if (ops != NULL && ops->release != NULL)
		ops->release(&tp->cc);
	tp->cc.algorithm = NULL;
}

/* ---- readiness and deferred work ---- */

/* SO_RCVLOWAT, unless the window does not let so much come. */
static bool readable(const struct tcp_sock *tp)
{
	return tp->rcv_bytes != 0 &&
	       (tp->rcv_bytes >= tp->sock.rcvlowat || tcp_rcv_wnd(tp) == 0);
}

static uint32_t level_events(const struct tcp_sock *tp)
{
	const struct strata_socket *sock = &tp->sock;
	uint32_t events = sock->error != 0 ? EPOLLERR : 0;

	if (tp->state == TCP_LISTEN)
		return events | (tp->listener->accept_count != 0 ? EPOLLIN : 0);
	if (tp->state == TCP_CLOSED || sock->shutdown == 3)
		events |= EPOLLHUP;
	if (sock->shutdown & 1)
		events |= EPOLLIN | EPOLLRDHUP;
	/* It wakes for all but its end. */
	if (sock->resting)
		return events | EPOLLOUT;
	/* As Linux: a write sends the SYN that connect() put off. */
	if (tcp_fastopen_deferred(tp))
		return events | EPOLLOUT;
	if (tcp_in(tp, TCP_MASK(TCP_SYN_SENT) | TCP_MASK(TCP_SYN_RECEIVED)) && !tcp_fastopen_early(tp))
		return events;
	if (readable(tp))
		events |= EPOLLIN;
	if ((sock->shutdown & 2) != 0 || tcp_sndq_writable(tp))
		events |= EPOLLOUT;
	return events;
}

void tcp_events(struct tcp_sock *tp, uint32_t edge)
{
	uint32_t events = level_events(tp);

	if (events != tp->sock.events || edge != 0)
		strata_socket_set_events(&tp->sock, events, edge);
}

void tcp_events_in(struct tcp_sock *tp, uint32_t edge)
{
	uint32_t events = tp->sock.events & ~(uint32_t)EPOLLIN;

	if (readable(tp) || (tp->sock.shutdown & 1) != 0)
		events |= EPOLLIN;
	if (events != tp->sock.events || edge != 0)
		strata_socket_set_events(&tp->sock, events, edge);
}

/* May others of this batch go first? The owner, who is about to be told of what came: its answer takes the ACK along.
 * And answers that a peer waits for, while here is nothing left to send but the FIN, which nobody waits for. */
static bool makes_way(const struct tcp_sock *tp)
{
	if (tp->made_way)
		return false;
	return tp->sock.work.link != NULL || (tp->orphan && tp->fin_queued && tp->snd_nxt == tp->snd_end);
}

static void run_work(struct strata_stack *stack, struct strata_work *work)
{
	struct tcp_sock *tp = strata_container_of(work, struct tcp_sock, work);

	if (tp->abort_pending != 0) {
		tcp_finish(tp, tp->abort_pending);
		return;
	}
	if (tp->mtu_heard != 0)
		tcp_learn_mtu(tp);
	if (makes_way(tp)) {
		tp->made_way = true;
		strata_work_add(stack, work);
		return;
	}
	tp->made_way = false;
	tcp_output(tp);
	tcp_ack_flush(tp);
	tcp_flight_release(tp);
}

void tcp_work_init(struct tcp_sock *tp)
{
	tp->work.run = run_work;
	tp->timer.fire = tcp_timer_fire;
}

/* ---- beginning ---- */

/* What a connection before has left. */
static void forget_connection(struct tcp_sock *tp)
{
	tp->sock.shutdown = 0;
	tp->rcv_rtt_us = 0;
	tp->cc.cwnd = 0;
	tp->cc.srtt = 0;
	tp->rttvar = 0;
	tp->backoff = 0;
	tp->syn_sent = 0;
	tp->ts_ok = tp->sack_ok = tp->wscale_ok = false;
	tp->snd_wscale = 0;
	tp->max_snd_wnd = tp->snd_wnd = 0;
	tp->ts_recent = 0;
	tp->retransmits = tp->probes = tp->quick = 0;
	tp->window_probes = 0;
	tp->held_up = false;
	tp->soft_error = tp->abort_pending = 0;
	tp->ack_pending = tp->ack_now = tp->pingpong = false;
	tp->fin_queued = tp->rcv_fin_known = tp->fin_received = false;
	tp->connected = tp->no_space = tp->more = false;
	tp->bytes_acked = tp->bytes_received = 0;
	tp->segs_in = tp->segs_out = tp->data_segs_in = tp->data_segs_out = 0;
	tp->total_retrans = tp->bytes_retrans = 0;
	tp->dsack_start = tp->dsack_end = 0;
	tcp_fastopen_reset(tp);
	tp->ecn_ok = tp->ecn_seen = tp->ece_due = tp->cwr_due = false;
	tp->delivered_ce = 0;
	tp->challenge_next = 0;
}

void tcp_init_tcb(struct tcp_sock *tp)
{
	/* A new structure is zero. */
	if (tp->peer_mss != 0)
		forget_connection(tp);
	tp->sock.flow.kind = TCP_FLOW_SOCKET;
	tcp_work_init(tp);
	tp->peer_mss = TCP_MSS_DEFAULT_V4;
	tp->rcv_mss = TCP_MSS_DEFAULT_V4;
	tp->rcv_ratio = TCP_RATIO_DEFAULT;
	tp->cc.mss = TCP_MSS_DEFAULT_V4;
	tp->cc.ssthresh = UINT32_MAX;
	tcp_rtt_init(tp);
	tp->rcv_wscale = tcp_choose_wscale(tcp_module_of(tp), &tp->sock);
}

static void curr_estab(struct tcp_sock *tp, bool counts)
{
	if (tp->counted == counts)
		return;
	tp->counted = counts;
	tcp_count(tp, TCP_COUNT_CURR_ESTAB, counts ? 1 : UINT64_MAX);
}

/* As Linux's tcp_initialize_rcv_mss(): cautious until the peer has shown its segments. */
static uint16_t first_rcv_mss(const struct tcp_sock *tp)
{
	uint32_t mss = tcp_min32(tp->advmss, tp->mss);

	mss = tcp_min32(mss, tcp_rcv_wnd(tp) / 2);
	mss = tcp_min32(mss, TCP_MSS_DEFAULT_V4);
	return (uint16_t)tcp_max32(mss, 88);
}

void tcp_begin_transfer(struct tcp_sock *tp)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;

	tcp_route(tp);
	/* RFC 6928; RFC 5681 3.1: one segment where the handshake lost more than one. */
	tp->pace_next = 0;
	tp->cc.cwnd = (uint32_t)(tp->total_retrans > 1 ? 1 : config->initial_window) * tp->cc.mss;
	tcp_congestion_begin(tp);
	tcp_recovery_init(tp);
	tp->rcv_mss = first_rcv_mss(tp);
	tp->last_received_ms = tp->last_ack_ms = tcp_ms(tcp_now(tp));
	tp->last_sent_ms = tp->last_received_ms;
	tcp_buffers_begin(tp);
	tcp_mtu_probe_begin(tp);
	tcp_snd_grow(tp);
}

static void enter_established(struct tcp_sock *tp)
{
	tp->connected = true;
	curr_estab(tp, true);
	if (!tp->fast_open)
		tcp_begin_transfer(tp);
	/* RFC 6298 (5.7): the SYN timed out, and no time stamp told how long the way is. */
	if (tp->total_retrans != 0 && tp->cc.srtt == 0 && tp->rto < RTO_AFTER_SYN_TIMEOUT)
		tp->rto = RTO_AFTER_SYN_TIMEOUT;
	tcp_timer_keepalive(tp);
	tcp_rest_later(tp);
	if (tp->embryo)
		tcp_accept_enqueue(tp);
	tcp_events(tp, EPOLLOUT);
}

/* ---- ending ---- */

static void fin_waiting(struct tcp_sock *tp, bool waits)
{
	struct tcp_module *m = tcp_module_of(tp);

	if (tp->fin_waiting == waits)
		return;
	tp->fin_waiting = waits;
	m->orphans_waiting += waits ? 1u : UINT32_MAX;
}

/* An orphan waits for the peer's FIN no longer than this (local choice, as Linux; RFC 9293 has no limit). */
void tcp_fin_wait_2_orphan(struct tcp_sock *tp)
{
	struct tcp_module *m = tcp_module_of(tp);
	int32_t linger2 = tp->extra != NULL ? tp->extra->linger2 : 0;
	uint64_t wait = m->config->fin_timeout;

	if (!tp->orphan || tp->fin_waiting)
		return;
	if (linger2 > 0)
		wait = (uint64_t)linger2 * STRATA_SEC;
	if (m->orphans_waiting >= m->config->fin_wait_max) {
		tcp_count(tp, TCP_COUNT_ORPHAN_OVERFLOWS, 1);
		wait = 0;
	}
	fin_waiting(tp, true);
	tcp_timer_set(tp, TCP_TIMER_FIN_WAIT, tcp_now(tp) + (linger2 < 0 ? 0 : wait));
}

/* Where no user chose the local end, it is given back for the next connect(). */
static void release_port(struct tcp_sock *tp)
{
	struct strata_socket *sock = &tp->sock;

	if (!tp->auto_port)
		return;
	strata_port_release(sock->stack, &sock->port);
	sock->port.port = 0;
	memset(&sock->port.local, 0, sizeof(sock->port.local));
	tp->auto_port = false;
}

/* Empties what a connection at rest does not have. */
static void traffic_ends(struct tcp_sock *tp)
{
	tcp_fastopen_settled(tp, false);
	tcp_timer_stop_all(tp);
	strata_work_cancel(tp->sock.stack, &tp->work);
	tcp_sndq_purge(tp);
	tcp_mark_purge(tp);
	tcp_reasm_purge(tp);
	tcp_flight_free(tp);
	strata_dst_release(&tp->dst);
	tp->snd_una = tp->snd_nxt = tp->snd_end;
}

static void enter_closed(struct tcp_sock *tp)
{
	struct strata_stack *stack = tp->sock.stack;

	curr_estab(tp, false);
	fin_waiting(tp, false);
	strata_timer_stop(stack, &tp->timer);
	if (!tp->sock.resting)
		traffic_ends(tp);
	tcp_congestion_end(tp);
	strata_flow_remove(stack, &tp->sock.flow);
	release_port(tp);
	tp->sock.shutdown = 3;
	tp->ack_pending = tp->ack_now = false;
	if (!tcp_ownerless(tp)) {
		tcp_events(tp, 0);
		return;
	}
	/* It is freed after the batch; its port is another's at once. */
	strata_port_release(stack, &tp->sock.port);
	if (tp->sock.resting)
		tcp_free(tp);
	else
		tcp_bury(tp);
}

/* RFC 9293 3.3.2, figure 5, with the ways to CLOSED by reset and abort: where each state may lead. */
static const uint16_t transitions[TCP_STATES] = {
	[TCP_CLOSED] = TCP_MASK(TCP_LISTEN) | TCP_MASK(TCP_SYN_SENT) | TCP_MASK(TCP_SYN_RECEIVED),
	[TCP_LISTEN] = TCP_MASK(TCP_CLOSED),
	[TCP_SYN_SENT] = TCP_MASK(TCP_SYN_RECEIVED) | TCP_MASK(TCP_ESTABLISHED) |
			 TCP_MASK(TCP_CLOSED),
	[TCP_SYN_RECEIVED] = TCP_MASK(TCP_ESTABLISHED) | TCP_MASK(TCP_CLOSED),
	[TCP_ESTABLISHED] = TCP_MASK(TCP_FIN_WAIT_1) | TCP_MASK(TCP_CLOSE_WAIT) |
			    TCP_MASK(TCP_CLOSED),
	[TCP_FIN_WAIT_1] = TCP_MASK(TCP_FIN_WAIT_2) | TCP_MASK(TCP_CLOSING) |
			   TCP_MASK(TCP_TIME_WAIT) | TCP_MASK(TCP_CLOSED),
	[TCP_FIN_WAIT_2] = TCP_MASK(TCP_TIME_WAIT) | TCP_MASK(TCP_CLOSED),
	[TCP_CLOSE_WAIT] = TCP_MASK(TCP_LAST_ACK) | TCP_MASK(TCP_CLOSED),
	[TCP_CLOSING] = TCP_MASK(TCP_TIME_WAIT) | TCP_MASK(TCP_CLOSED),
	[TCP_LAST_ACK] = TCP_MASK(TCP_CLOSED),
	[TCP_TIME_WAIT] = TCP_MASK(TCP_CLOSED),
};

void tcp_set_state(struct tcp_sock *tp, enum tcp_state state)
{
	assert(TCP_IN(state, transitions[tp->state]));
	if (strata_tracing(tp->sock.stack))
		tcp_trace_state(tp, state);
	tp->state = (uint8_t)state;
	tp->sock.unconnected = state == TCP_CLOSED || state == TCP_SYN_SENT;
	switch (state) {
	case TCP_ESTABLISHED:
		enter_established(tp);
		if (tp->fin_queued)
			tcp_set_state(tp, TCP_FIN_WAIT_1);
		break;
	case TCP_FIN_WAIT_1:
	case TCP_LAST_ACK:
		curr_estab(tp, false);
		break;
	case TCP_FIN_WAIT_2:
		/* Nothing but ACKs will be sent. */
		tcp_sndq_purge(tp);
		tcp_flight_free(tp);
		tcp_fin_wait_2_orphan(tp);
		break;
	case TCP_TIME_WAIT:
		tcp_time_wait_enter(tp);
		break;
	case TCP_CLOSED:
		enter_closed(tp);
		break;
	default:
		break;
	}
}

const char *tcp_state_name(enum tcp_state state)
{
	static const char *const names[TCP_STATES] = {
		[TCP_ESTABLISHED] = "ESTABLISHED",
		[TCP_SYN_SENT] = "SYN-SENT",
		[TCP_SYN_RECEIVED] = "SYN-RECEIVED",
		[TCP_FIN_WAIT_1] = "FIN-WAIT-1",
		[TCP_FIN_WAIT_2] = "FIN-WAIT-2",
		[TCP_TIME_WAIT] = "TIME-WAIT",
		[TCP_CLOSED] = "CLOSED",
		[TCP_CLOSE_WAIT] = "CLOSE-WAIT",
		[TCP_LAST_ACK] = "LAST-ACK",
		[TCP_LISTEN] = "LISTEN",
		[TCP_CLOSING] = "CLOSING",
	};

	return names[state];
}

void tcp_finish(struct tcp_sock *tp, int error)
{
	if (tp->state == TCP_CLOSED)
		return;
	if (tcp_in(tp, TCP_MASK(TCP_SYN_SENT) | TCP_MASK(TCP_SYN_RECEIVED)))
		tcp_count(tp, TCP_COUNT_ATTEMPT_FAILS, 1);
	if (tp->state == TCP_LISTEN)
		tcp_listen_stop(tp);
	if (error != 0 && !tcp_ownerless(tp))
		strata_socket_set_error(&tp->sock, error);
	tcp_set_state(tp, TCP_CLOSED);
}

void tcp_abort(struct tcp_sock *tp, int error)
{
	/* RFC 9293 3.10.5 */
	if (tcp_in(tp, TCP_SYNCHRONISED | TCP_MASK(TCP_SYN_RECEIVED))) {
		tcp_count(tp, TCP_COUNT_ABORTED, 1);
		if (tcp_in(tp, TCP_MAY_SEND))
			tcp_count(tp, TCP_COUNT_ESTAB_RESETS, 1);
		tcp_send_reset(tp);
	}
	tcp_finish(tp, error);
}

void tcp_bury(struct tcp_sock *tp)
{
	struct tcp_module *m = tcp_module_of(tp);

	tp->accept_next = m->dead;
	m->dead = tp;
	strata_work_add(m->stack, &m->reaper);
}

void tcp_reap(struct strata_stack *stack, struct strata_work *work)
{
	struct tcp_module *m = strata_container_of(work, struct tcp_module, reaper);
	struct tcp_sock *tp;

	(void)stack;
	while ((tp = m->dead) != NULL) {
		m->dead = tp->accept_next;
		tcp_free(tp);
	}
}

void tcp_free(struct tcp_sock *tp)
{
	strata_timer_stop(tp->sock.stack, &tp->timer);
	if (!tp->sock.resting) {
		tcp_rcvq_purge(tp);
		strata_work_cancel(tp->sock.stack, &tp->work);
		tcp_mark_purge(tp);
	}
	tcp_fastopen_free(tp);
	if (tp->extra != NULL)
		strata_free(tp->sock.stack, tp->extra->mtu_probe);
	strata_free(tp->sock.stack, tp->extra);
	tp->extra = NULL;
	strata_socket_free(&tp->sock);
}
