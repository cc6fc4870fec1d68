/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections at rest. What only traffic needs (queues, deadlines, the way to the peer, loss recovery) goes
 * after a while without any, and is made anew when the connection wakes: nearly all connections of a large
 * server rest. Nothing the peer or the owner can see changes.
 */
#include <errno.h>
#include "tcp_int.h"

/* local choice: how soon a keepalive is tried again that memory was too short for. */
#define WAKE_AGAIN STRATA_SEC

/* ---- what rests ---- */

static bool no_deadline(const struct tcp_sock *tp)
{
	unsigned int id;

	for (id = 0; id < TCP_TIMERS; id++)
		if (tp->deadline[id] != 0 && id != TCP_TIMER_KEEPALIVE && id != TCP_TIMER_REST)
			return false;
	return true;
}

/* All of the second part is as wake_up() makes it. */
static bool may_rest(const struct tcp_sock *tp)
{
	bool sends = tp->snd_una != tp->snd_end || tp->snd_nxt != tp->snd_end ||
		     tp->sndq.head != NULL || tp->flight != NULL || tp->phase != TCP_PHASE_OPEN;
	bool receives = tp->rcvq.head != NULL || tp->ooo != NULL || tp->ack_pending ||
			tp->dsack_start != tp->dsack_end || (tp->rcv_fin_known && !tp->fin_received);
	bool waits = tp->probes != 0 || tp->window_probes != 0 || tp->backoff != 0 ||
		     tp->mtu_heard != 0 || tp->abort_pending != 0 || tp->work.link != NULL;
	bool told = tp->extra != NULL && (tp->extra->marks != NULL || tp->extra->fastopen != NULL);

	return tcp_in(tp, TCP_MASK(TCP_ESTABLISHED) | TCP_MASK(TCP_CLOSE_WAIT)) && !tp->fin_queued &&
	       !tcp_ownerless(tp) && !tp->embryo && !tp->queued && !sends && !receives && !waits &&
	       !told && tp->challenge_next <= tcp_now(tp) && no_deadline(tp);
}

/* Since when nothing came or went. */
static uint64_t quiet_for(const struct tcp_sock *tp)
{
	uint32_t now = tcp_ms(tcp_now(tp)), least = now - tp->last_sent_ms;

	least = tcp_min32(least, now - tp->last_received_ms);
	return (uint64_t)tcp_min32(least, now - tp->last_ack_ms) * STRATA_MS;
}

void tcp_rest_later(struct tcp_sock *tp)
{
	uint64_t after = tcp_module_of(tp)->config->rest_after;

	if (after != 0)
		tcp_timer_set(tp, TCP_TIMER_REST, tcp_now(tp) + after);
}

static void rest_fire(struct strata_stack *stack, struct strata_timer *timer);

static void fall_asleep(struct tcp_sock *tp, uint64_t keepalive)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);

	tp->sock.resting = 1;
	tp->sock.flow.kind = TCP_FLOW_REST;
	tp->timer.fire = rest_fire;
	if (ops != NULL && ops->moved != NULL)
		ops->moved(&tp->cc);
	if (keepalive != 0)
		strata_timer_start(tp->sock.stack, &tp->timer, keepalive);
}

bool tcp_rest(struct tcp_sock *tp)
{
	uint64_t after = tcp_module_of(tp)->config->rest_after, quiet = quiet_for(tp);
	uint64_t keepalive = tp->deadline[TCP_TIMER_KEEPALIVE];
	const struct strata_congestion_ops *ops = tcp_cc(tp);
	struct strata_socket *sock = NULL;

	tp->deadline[TCP_TIMER_REST] = 0;
	if (after == 0 || !tcp_in(tp, TCP_SYNCHRONISED))
		return false;
	if (quiet >= after && may_rest(tp)) {
		strata_timer_stop(tp->sock.stack, &tp->timer);
		strata_dst_release(&tp->dst);
		tcp_sndq_purge(tp);
		tcp_flight_free(tp);
		if (ops != NULL && ops->rest != NULL)
			ops->rest(&tp->cc);
		sock = strata_socket_resize(&tp->sock, TCP_REST_SIZE);
	}
	if (sock != NULL) {
		fall_asleep(tcp_of(sock), keepalive);
		return true;
	}
	/* What keeps it awake may last: it is asked more and more rarely. */
	tp->deadline[TCP_TIMER_REST] = tcp_now(tp) + (quiet < after ? after - quiet : quiet);
	return false;
}

/* ---- what wakes ---- */

/* Fills in the second part, which is zero. */
static void wake_up(struct tcp_sock *tp)
{
	tp->sock.resting = 0;
	tp->sock.flow.kind = TCP_FLOW_SOCKET;
	tp->snd_nxt = tp->snd_end = tp->snd_sml = tp->snd_una;
	tp->recover = tp->snd_una - 1;
	tp->rcv_fin = tp->rcv_nxt - 1;
	tp->rcv_epoch_seq = tp->rcv_nxt;
	tp->rcv_epoch_ms = tcp_ms(tcp_now(tp));
	tcp_work_init(tp);
}

struct tcp_sock *tcp_wake(struct tcp_sock *tp)
{
	bool keepalive = strata_timer_pending(&tp->timer);
	uint64_t deadline = tp->timer.deadline;
	const struct strata_congestion_ops *ops;
	struct strata_socket *sock;

	strata_timer_stop(tp->sock.stack, &tp->timer);
	sock = strata_socket_resize(&tp->sock, sizeof(*tp));
	if (sock == NULL) {
		if (keepalive)
			strata_timer_start(tp->sock.stack, &tp->timer, deadline);
		return NULL;
	}
	tp = tcp_of(sock);
	wake_up(tp);
	/* It ended while memory was too short to wake it. */
	if (tp->state == TCP_CLOSED)
		return tp;
	ops = tcp_cc(tp);
	if (ops != NULL && ops->moved != NULL)
		ops->moved(&tp->cc);
	/* Its algorithm was unloaded meanwhile. */
	if (tp->cc.algorithm == NULL)
		tcp_congestion_begin(tp);
	if (keepalive)
		tcp_timer_set(tp, TCP_TIMER_KEEPALIVE, deadline);
	tcp_rest_later(tp);
	tcp_route(tp);
	return tp;
}

struct strata_socket *tcp_wake_socket(struct strata_socket *sock)
{
	struct tcp_sock *tp = tcp_wake(tcp_of(sock));

	return tp != NULL ? &tp->sock : NULL;
}

struct tcp_sock *tcp_awake_of(struct strata_flow *flow)
{
	switch (flow->kind) {
	case TCP_FLOW_SOCKET:
		return strata_container_of(flow, struct tcp_sock, sock.flow);
	case TCP_FLOW_REST:
		return tcp_wake(strata_container_of(flow, struct tcp_sock, sock.flow));
	default:
		return NULL;
	}
}

/* A keepalive is due. */
static void rest_fire(struct strata_stack *stack, struct strata_timer *timer)
{
	struct tcp_sock *tp = strata_container_of(timer, struct tcp_sock, timer), *awake;

	awake = tcp_wake(tp);
	if (awake == NULL) {
		strata_timer_start(stack, timer, strata_now(stack) + WAKE_AGAIN);
		return;
	}
	awake->deadline[TCP_TIMER_KEEPALIVE] = strata_now(stack);
	strata_timer_stop(stack, &awake->timer);
	tcp_timer_fire(stack, &awake->timer);
}

void tcp_rest_copy(struct tcp_sock *copy, const struct tcp_sock *tp)
{
	memset(copy, 0, sizeof(*copy));
	memcpy((void *)copy, tp, TCP_REST_SIZE);
	wake_up(copy);
	if (strata_timer_pending(&tp->timer))
		copy->deadline[TCP_TIMER_KEEPALIVE] = tp->timer.deadline;
	tcp_route(copy);
}

void tcp_rest_abort(struct tcp_sock *tp, int error)
{
	struct tcp_sock *awake = tcp_wake(tp);

	/* Without memory the peer hears of it when it sends next. */
	if (awake != NULL)
		tcp_abort(awake, error);
	else
		tcp_finish(tp, error);
}
