/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TIME-WAIT: a small record stands in the connection's place for 2·MSL. Read RFC 9293 3.6.1 and
 * 3.10.7.4, RFC 1337 and RFC 6191 before editing.
 */
#include "tcp_int.h"

static void unlink_record(struct tcp_time_wait *tw)
{
	struct tcp_module *m = tw->module;

	if (tw->prev != NULL)
		tw->prev->next = tw->next;
	else
		m->time_wait_head = tw->next;
	if (tw->next != NULL)
		tw->next->prev = tw->prev;
	else
		m->time_wait_tail = tw->prev;
	tw->next = tw->prev = NULL;
}

void tcp_time_wait_free(struct tcp_time_wait *tw)
{
	struct tcp_module *m = tw->module;

	unlink_record(tw);
	strata_flow_remove(m->stack, &tw->flow);
	strata_port_release(m->stack, &tw->port);
	strata_cache_free(m->time_waits, tw);
	m->time_wait_count--;
	strata_count(m->self, TCP_COUNT_TIME_WAIT, UINT64_MAX);
}

/* All wait equally long, so the newest goes last and one timer serves them all. */
static void wait_anew(struct tcp_module *m, struct tcp_time_wait *tw)
{
	tw->deadline = strata_now(m->stack) + m->config->time_wait;
	tw->prev = m->time_wait_tail;
	if (tw->prev != NULL)
		tw->prev->next = tw;
	else
		m->time_wait_head = tw;
	m->time_wait_tail = tw;
	if (!strata_timer_pending(&m->time_wait_timer))
		strata_timer_start(m->stack, &m->time_wait_timer, tw->deadline);
}

static void fire(struct strata_stack *stack, struct strata_timer *timer)
{
	struct tcp_module *m = strata_container_of(timer, struct tcp_module, time_wait_timer);

	while (m->time_wait_head != NULL && m->time_wait_head->deadline <= strata_now(stack))
		tcp_time_wait_free(m->time_wait_head);
	if (m->time_wait_head != NULL)
		strata_timer_start(stack, timer, m->time_wait_head->deadline);
}

/* The record takes the connection's place in the flow and port tables. */
static void take_over(struct tcp_time_wait *tw, struct tcp_sock *tp)
{
	struct strata_stack *stack = tp->sock.stack;

	tw->flow.kind = TCP_FLOW_TIME_WAIT;
	strata_flow_replace(stack, &tp->sock.flow, &tw->flow);
	tw->snd_nxt = tp->snd_nxt;
	tw->rcv_nxt = tp->rcv_nxt;
	tw->rcv_wnd = tcp_rcv_wnd(tp);
	tw->ts_ok = tp->ts_ok;
	tw->ts_recent = tp->ts_recent;
	tw->ts_offset = tp->ts_offset;
	tw->rcv_wscale = tp->rcv_wscale;
	tw->tos = tp->sock.tos;
	tw->ttl = tp->sock.ttl;
	/* A socket that its owner has bound keeps its port, whatever becomes of the connection. */
	if (tcp_ownerless(tp) || tp->auto_port)
		strata_port_replace(stack, &tp->sock.port, &tw->port);
	else
		strata_port_share(stack, &tp->sock.port, &tw->port);
}

void tcp_time_wait_enter(struct tcp_sock *tp)
{
	struct tcp_module *m = tcp_module_of(tp);
	struct tcp_time_wait *tw = NULL;

	if (m->config->time_wait != 0 && m->config->time_wait_max != 0) {
		if (m->time_wait_count >= m->config->time_wait_max) {
			tcp_count(tp, TCP_COUNT_TIME_WAIT_OVERFLOWS, 1);
			tcp_time_wait_free(m->time_wait_head);
		}
		tw = strata_cache_alloc(m->time_waits);
	}
	if (tw != NULL) {
		tw->module = m;
		m->time_wait_timer.fire = fire;
		m->time_wait_count++;
		strata_count(m->self, TCP_COUNT_TIME_WAIT, 1);
		take_over(tw, tp);
		wait_anew(m, tw);
	}
	tcp_set_state(tp, TCP_CLOSED);
}

static void send_ack(struct tcp_time_wait *tw)
{
	struct tcp_module *m = tw->module;
	struct tcp_header h = { .source = tw->flow.key.local_port,
				.destination = tw->flow.key.remote_port,
				.seq = tw->snd_nxt, .ack = tw->rcv_nxt, .flags = TCP_ACK,
				.window = (uint16_t)tcp_min32(tw->rcv_wnd >> tw->rcv_wscale, 65535) };

	if (tw->ts_ok) {
		h.options = TCP_HAS_TIMESTAMP;
		h.tsval = tcp_ms(strata_now(m->stack)) + tw->ts_offset;
		h.tsecr = tw->ts_recent;
	}
	tcp_reply(m, &tw->flow.key, tw->flow.iface, &h, tw->ttl, tw->tos);
}

static void send_ack_limited(struct tcp_time_wait *tw)
{
	if (tcp_challenge_allowed(tw->module, &tw->challenge_next))
		send_ack(tw);
}

/* RFC 6191 section 2, RFC 9293 3.10.7.4: a SYN above what was received, or with a newer time stamp. */
static bool reopens(const struct tcp_time_wait *tw, const struct tcp_segment *seg)
{
	bool stamped = tw->ts_ok && (seg->h.options & TCP_HAS_TIMESTAMP) != 0;

	/* Nor does LISTEN take a SYN with a FIN. */
	if ((seg->h.flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) != TCP_SYN)
		return false;
	if (stamped && seq_gt(seg->h.tsval, tw->ts_recent))
		return true;
	return seq_gt(seg->h.seq, tw->rcv_nxt) && (!stamped || seg->h.tsval == tw->ts_recent);
}

/* Without one the SYN would meet a RST, and the wait be over for nothing. */
static bool somebody_listens(const struct tcp_module *m, const struct tcp_segment *seg)
{
	struct strata_flow_key key = tcp_key_of(seg->pkt, &seg->h);

	return strata_flow_listener(m->stack, &key, seg->pkt->iface) != NULL;
}

bool tcp_time_wait_input(struct tcp_time_wait *tw, struct tcp_segment *seg, uint32_t *iss,
			 enum strata_verdict *verdict)
{
	struct tcp_module *m = tw->module;
	bool stamped = tw->ts_ok && (seg->h.options & TCP_HAS_TIMESTAMP) != 0;
	bool old = stamped && seq_lt(seg->h.tsval, tw->ts_recent);
	uint32_t end = seg->h.seq + seg->length + ((seg->h.flags & TCP_FIN) != 0);

	if (reopens(tw, seg) && somebody_listens(m, seg)) {
		strata_count(m->self, TCP_COUNT_TIME_WAIT_REUSED, 1);
		/* Above whatever the old connection sent, as Linux. */
		*iss = tw->snd_nxt + 65535 + 2;
		tcp_time_wait_free(tw);
		return true;
	}
	seg->reason = TCP_DROP_TIME_WAIT;
	if (seg->h.flags & TCP_RST) {
		/* RFC 1337: with the option, a RST does not end the wait; by default the exact one does, and
		 * others in the window are challenged (RFC 5961 3.2). */
		if (!m->config->rfc1337 && !old && seg->h.seq == tw->rcv_nxt) {
			tcp_time_wait_free(tw);
			*verdict = tcp_segment_done(seg);
			return false;
		}
		if (seg->h.seq - tw->rcv_nxt < tw->rcv_wnd && seg->h.seq != tw->rcv_nxt)
			send_ack_limited(tw);
	} else if (!old && (seg->h.flags & TCP_FIN) != 0 && end == tw->rcv_nxt) {
		/* The last ACK was lost: send it again, wait again (RFC 9293 3.10.7.4, eighth). */
		send_ack(tw);
		unlink_record(tw);
		wait_anew(m, tw);
	} else if (old || seg->h.seq != tw->rcv_nxt || seg->length != 0 ||
		   (seg->h.flags & (TCP_SYN | TCP_FIN)) != 0 ||
		   ((seg->h.flags & TCP_ACK) != 0 && seq_gt(seg->h.ack, tw->snd_nxt))) {
		send_ack_limited(tw);
	}
	*verdict = tcp_segment_drop(m, seg);
	return false;
}

void tcp_time_wait_stop(struct tcp_module *m)
{
	while (m->time_wait_head != NULL)
		tcp_time_wait_free(m->time_wait_head);
	strata_timer_stop(m->stack, &m->time_wait_timer);
}
