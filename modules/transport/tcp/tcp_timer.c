/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One timer of the wheel per connection, which stands at or before the earliest of its deadlines.
 * Setting a deadline later or clearing one leaves the wheel alone: the timer then fires early, finds
 * what is due, and is set anew. Read RFC 6298 5, RFC 9293 3.8.3, 3.8.4 and 3.8.6.1 before editing.
 */
#include <errno.h>
#include <strata/trace.h>
#include "tcp_int.h"

void tcp_timer_set(struct tcp_sock *tp, enum tcp_timer_id id, uint64_t deadline)
{
	tp->deadline[id] = deadline;
	if (!strata_timer_pending(&tp->timer) || deadline < tp->timer.deadline)
		strata_timer_start(tp->sock.stack, &tp->timer, deadline);
}

void tcp_timer_stop_all(struct tcp_sock *tp)
{
	memset(tp->deadline, 0, sizeof(tp->deadline));
	strata_timer_stop(tp->sock.stack, &tp->timer);
}

/* TCP_USER_TIMEOUT (RFC 5482): the last of several waits ends when it does. */
static uint64_t last_wait(const struct tcp_sock *tp)
{
	uint64_t rto = tcp_rto(tp), user = (uint64_t)tp->user_timeout_ms * STRATA_MS;
	uint64_t spent = (uint64_t)(tcp_ms(tcp_now(tp)) - tp->retransmit_ms) * STRATA_MS;

	return user > spent && user - spent < rto ? user - spent : rto;
}

void tcp_timer_retransmit(struct tcp_sock *tp)
{
	tcp_timer_set(tp, TCP_TIMER_RETRANSMIT,
		      tcp_now(tp) + (tp->retransmits != 0 ? last_wait(tp) : tcp_rto(tp)));
}

/* The connection has waited long enough for an answer. As Linux, no RST follows data that was not
 * answered; a peer that keepalive gave up is told. */
static void give_up(struct tcp_sock *tp, bool reset)
{
	int error = tp->soft_error != 0 ? tp->soft_error : ETIMEDOUT;

	if (reset)
		tcp_abort(tp, error);
	else
		tcp_finish(tp, error);
}

static bool user_timeout_over(const struct tcp_sock *tp)
{
	return tp->user_timeout_ms != 0 &&
	       tcp_ms(tcp_now(tp)) - tp->retransmit_ms >= tp->user_timeout_ms;
}

/* RFC 9293 3.8.3: R2, for SYNs, for data, and for connections without an owner. */
static unsigned int retries_allowed(const struct tcp_sock *tp)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;

	switch (tp->state) {
	case TCP_SYN_SENT:
		return tp->syncnt != 0 ? tp->syncnt : (unsigned int)config->syn_retries;
	case TCP_SYN_RECEIVED:
		return tp->syncnt != 0 ? tp->syncnt : (unsigned int)config->synack_retries;
	default:
		return (unsigned int)(tp->orphan ? config->orphan_retries : config->data_retries);
	}
}

/* The peer has closed its window under what is in flight, but answers: no number of retransmissions ends
 * that (RFC 9293 3.8.6, SHLD-17; 3.8.6.1, MUST-36). As Linux, twice the longest RTO may pass in silence. */
static bool closed_but_alive(const struct tcp_sock *tp)
{
	uint64_t silence = (uint64_t)(tcp_ms(tcp_now(tp)) - tp->last_ack_ms) * STRATA_MS;

	return tp->snd_wnd == 0 && !tp->orphan && tcp_in(tp, TCP_SYNCHRONISED) &&
	       silence < 2 * tcp_module_of(tp)->config->rto_max;
}

static void fire_retransmit(struct tcp_sock *tp)
{
	bool handshake = tcp_in(tp, TCP_MASK(TCP_SYN_SENT) | TCP_MASK(TCP_SYN_RECEIVED)), over;

	if (tp->snd_una == tp->snd_nxt)
		return;
	if (tp->retransmits == 0 && !tp->held_up)
		tp->retransmit_ms = tcp_ms(tcp_now(tp));
	over = (tp->retransmits >= retries_allowed(tp) && !closed_but_alive(tp)) ||
	       (tp->retransmits != 0 && user_timeout_over(tp));
	tcp_fastopen_timeout(tp, over);
	if (over) {
		give_up(tp, false);
		return;
	}
	tcp_count(tp, TCP_COUNT_TIMEOUTS, 1);
	tcp_mtu_probe_inconclusive(tp);
	tcp_mtu_black_hole(tp);
	if (!handshake)
		tcp_recovery_timeout(tp);
	if (tp->retransmits < UINT8_MAX)
		tp->retransmits++;
	/* RFC 6298 (5.5) */
	if (tp->backoff < UINT8_MAX)
		tp->backoff++;
	if (handshake)
		tcp_send_syn(tp);
	else
		tcp_recovery_output(tp);
	tcp_timer_retransmit(tp);
}

static void fire_rack(struct tcp_sock *tp)
{
	if (tp->flight == NULL)
		return;
	if (tp->flight->probing)
		tcp_probe_fire(tp);
	else
		tcp_recovery_reorder(tp);
}

/* RFC 9293 3.8.6.2.1 (4): the override; what a small window takes goes now. False: not possible. */
static bool persist_override(struct tcp_sock *tp)
{
	uint32_t unsent = seq_span(tp->snd_nxt, tp->snd_end);
	uint32_t window = seq_span(tp->snd_nxt, tp->snd_una + tp->snd_wnd);
	uint32_t length = tcp_min32(tcp_min32(unsent, window), tcp_segment_room(tp));

	if (length == 0 || tcp_xmit(tp, tp->snd_nxt, length, TCP_ACK) < 0)
		return false;
	tcp_timer_retransmit(tp);
	return true;
}

static void fire_persist(struct tcp_sock *tp)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;
	bool over;

	if (!tcp_in(tp, TCP_SENDS) || tp->snd_una != tp->snd_nxt ||
	    (tp->snd_nxt == tp->snd_end && !tp->fin_queued) || persist_override(tp))
		return;
	if (tp->window_probes == 0 && !tp->held_up)
		tp->retransmit_ms = tcp_ms(tcp_now(tp));
	/* RFC 9293 3.8.6.1, MUST-37: answered probes go on for ever; but nobody waits for an orphan, and the
	 * user timeout bounds, as tcp(7) has it, how long data waits for a window, answers or not. */
	over = tp->orphan ? tp->window_probes >= config->orphan_retries :
			    tp->probes >= config->data_retries;
	if (over || (tp->window_probes != 0 && user_timeout_over(tp))) {
		give_up(tp, false);
		return;
	}
	if (tp->probes < UINT8_MAX)
		tp->probes++;
	if (tp->window_probes < UINT8_MAX)
		tp->window_probes++;
	tcp_count(tp, TCP_COUNT_ZERO_WINDOW_PROBES, 1);
	tcp_send_probe(tp);
	if (tp->backoff < UINT8_MAX)
		tp->backoff++;
	tcp_timer_set(tp, TCP_TIMER_PERSIST, tcp_now(tp) + last_wait(tp));
}

static void fire_delayed_ack(struct tcp_sock *tp)
{
	if (!tp->ack_pending)
		return;
	tcp_count(tp, TCP_COUNT_DELAYED_ACKS, 1);
	/* The answer that the ACK waited for did not come. */
	tp->pingpong = false;
	tcp_send_ack(tp);
}

uint64_t tcp_keepidle(const struct tcp_sock *tp)
{
	return tp->keepidle != 0 ? tp->keepidle * STRATA_SEC : tcp_module_of(tp)->config->keepalive_time;
}

uint64_t tcp_keepintvl(const struct tcp_sock *tp)
{
	return tp->keepintvl != 0 ? tp->keepintvl * STRATA_SEC :
				    tcp_module_of(tp)->config->keepalive_interval;
}

unsigned int tcp_keepcnt(const struct tcp_sock *tp)
{
	return tp->keepcnt != 0 ? tp->keepcnt :
				  (unsigned int)tcp_module_of(tp)->config->keepalive_probes;
}

void tcp_timer_keepalive(struct tcp_sock *tp)
{
	if ((tp->sock.options & STRATA_SO_KEEPALIVE) != 0 && tcp_in(tp, TCP_SYNCHRONISED))
		tcp_timer_set(tp, TCP_TIMER_KEEPALIVE, tcp_now(tp) + tcp_keepidle(tp));
	else
		tcp_timer_clear(tp, TCP_TIMER_KEEPALIVE);
}

/* RFC 9293 3.8.4 */
static void fire_keepalive(struct tcp_sock *tp)
{
	uint32_t idle = tcp_ms(tcp_now(tp)) - tp->last_received_ms;
	uint64_t spent = (uint64_t)idle * STRATA_MS, when;
	bool over;

	if ((tp->sock.options & STRATA_SO_KEEPALIVE) == 0 || !tcp_in(tp, TCP_SYNCHRONISED))
		return;
	if (tp->snd_una != tp->snd_nxt || seq_span(tp->snd_nxt, tp->snd_end) != 0) {
		/* Retransmission or window probes watch the peer already. */
		tcp_timer_keepalive(tp);
		return;
	}
	if (spent < tcp_keepidle(tp)) {
		tp->probes = 0;
		tcp_timer_set(tp, TCP_TIMER_KEEPALIVE, tcp_now(tp) + tcp_keepidle(tp) - spent);
		return;
	}
	over = tp->user_timeout_ms != 0 ? idle >= tp->user_timeout_ms && tp->probes != 0 :
					  tp->probes >= tcp_keepcnt(tp);
	if (over) {
		give_up(tp, true);
		return;
	}
	tp->probes++;
	tcp_count(tp, TCP_COUNT_KEEPALIVES, 1);
	tcp_send_probe(tp);
	when = tcp_now(tp) + tcp_keepintvl(tp);
	tcp_timer_set(tp, TCP_TIMER_KEEPALIVE, when);
}

static void fire_cork(struct tcp_sock *tp)
{
	/* What CORK or MSG_MORE held back goes once, full or not. */
	tp->more = false;
	tp->uncork = true;
	tcp_schedule(tp);
}

static void fire_fin_wait(struct tcp_sock *tp)
{
	/* Forgotten; whatever the peer still sends meets a RST. As Linux, a TCP_LINGER2 below 0 sends one. */
	if (tp->extra != NULL && tp->extra->linger2 < 0)
		tcp_abort(tp, 0);
	else
		tcp_finish(tp, 0);
}

/* Something is queued that was not acknowledged, sent or not. */
static bool outstanding(const struct tcp_sock *tp)
{
	return tp->snd_una != tp->snd_nxt || seq_lt(tp->snd_nxt, tp->snd_end) ||
	       (tp->fin_queued && !tcp_fin_sent(tp));
}

/* RFC 5482: what the user allows does not ask why the data is not acknowledged. And whose owner has gone
 * waits for a device as often, and ever longer, as for a window: else a stuck one would keep them all. */
static bool waited_enough(struct tcp_sock *tp)
{
	if (tp->retransmits == 0 && tp->window_probes == 0 && !tp->held_up) {
		tp->held_up = true;
		tp->retransmit_ms = tcp_ms(tcp_now(tp));
	}
	if (user_timeout_over(tp))
		return true;
	if (!tp->orphan)
		return false;
	if (tp->window_probes >= tcp_module_of(tp)->config->orphan_retries)
		return true;
	tp->window_probes++;
	if (tp->backoff < UINT8_MAX)
		tp->backoff++;
	return false;
}

/* What has not left this host says nothing about the network, and the peer's silence nothing about the peer:
 * while the device takes no more, these wait. As Linux, nothing is counted meanwhile. */
static bool postponed(struct tcp_sock *tp, enum tcp_timer_id id)
{
	const unsigned int sending = 1u << TCP_TIMER_RETRANSMIT | 1u << TCP_TIMER_PERSIST;
	const unsigned int concerned = sending | 1u << TCP_TIMER_RACK | 1u << TCP_TIMER_KEEPALIVE;
	uint64_t wait = tcp_rto(tp);

	if ((concerned & 1u << id) == 0 || !tcp_held_up(tp))
		return false;
	if ((sending & 1u << id) != 0) {
		if (!outstanding(tp))
			return false;
		if (waited_enough(tp)) {
			give_up(tp, false);
			return true;
		}
		wait = last_wait(tp);
	}
	tcp_timer_set(tp, id, tcp_now(tp) + wait);
	return true;
}

void tcp_timer_fire(struct strata_stack *stack, struct strata_timer *timer)
{
	static void (*const fire[TCP_TIMER_REST])(struct tcp_sock *) = {
		[TCP_TIMER_RACK] = fire_rack,
		[TCP_TIMER_RETRANSMIT] = fire_retransmit,
		[TCP_TIMER_PACE] = tcp_schedule,
		[TCP_TIMER_PERSIST] = fire_persist,
		[TCP_TIMER_DELAYED_ACK] = fire_delayed_ack,
		[TCP_TIMER_KEEPALIVE] = fire_keepalive,
		[TCP_TIMER_CORK] = fire_cork,
		[TCP_TIMER_FIN_WAIT] = fire_fin_wait,
	};
	/* Pacing fires with every quantum, and tells nothing that the segments do not. */
	static const char *const names[TCP_TIMER_REST] = {
		[TCP_TIMER_RACK] = "reordering or tail loss probe",
		[TCP_TIMER_RETRANSMIT] = "retransmission",
		[TCP_TIMER_PERSIST] = "persist",
		[TCP_TIMER_DELAYED_ACK] = "delayed ACK",
		[TCP_TIMER_KEEPALIVE] = "keepalive",
		[TCP_TIMER_CORK] = "cork",
		[TCP_TIMER_FIN_WAIT] = "FIN-WAIT-2",
	};
	struct tcp_sock *tp = strata_container_of(timer, struct tcp_sock, timer);
	uint64_t now = strata_now(stack), earliest = 0;
	unsigned int id;

	for (id = 0; id < TCP_TIMER_REST; id++) {
		if (tp->deadline[id] == 0 || tp->deadline[id] > now)
			continue;
		tp->deadline[id] = 0;
		if (postponed(tp, id))
			continue;
		if (strata_tracing(stack) && names[id] != NULL)
			tcp_trace_timer(tp, names[id]);
		fire[id](tp);
	}
	if (tp->deadline[TCP_TIMER_REST] != 0 && tp->deadline[TCP_TIMER_REST] <= now &&
	    tcp_rest(tp))
		return;
	for (id = 0; id < TCP_TIMERS; id++)
		if (tp->deadline[id] != 0 && (earliest == 0 || tp->deadline[id] < earliest))
			earliest = tp->deadline[id];
	if (earliest != 0)
		strata_timer_start(stack, timer, earliest);
}
