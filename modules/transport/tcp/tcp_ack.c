/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an acknowledgement brings: a window, a round-trip time, bytes that need no longer be kept, and
 * news of losses. Read RFC 9293 3.10.7.4 (fifth), RFC 5681 2 and 3, RFC 7323 4 before editing.
 */
#include "tcp_int.h"

/* RFC 9293 3.10.7.4: the window is taken from segments that are not older than the last that gave one; and,
 * as Linux, from a retransmission that acknowledges more than any segment before: the window is that
 * of its acknowledgement, and the last one's would lie too far to the right. */
static bool update_window(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint32_t window = tcp_segment_window(tp, seg), before = tp->snd_wnd;

	if (!seq_gt(seg->h.ack, tp->snd_una) && !seq_lt(tp->snd_wl1, seg->h.seq) &&
	    !(tp->snd_wl1 == seg->h.seq && seq_leq(tp->snd_wl2, seg->h.ack)))
		return false;
	tp->snd_wl1 = seq_max(tp->snd_wl1, seg->h.seq);
	tp->snd_wl2 = seg->h.ack;
	tp->snd_wnd = window;
	tp->max_snd_wnd = tcp_max32(tp->max_snd_wnd, window);
	if (before == 0 && window != 0) {
		/* The window opens: probing is over. */
		tp->backoff = 0;
		/* An orphan's count stays: to open and close the window would keep it for ever. */
		if (!tp->orphan)
			tp->window_probes = 0;
		tcp_timer_clear(tp, TCP_TIMER_PERSIST);
		tcp_recovery_opened(tp);
	}
	return window != before;
}

/* [snd_una, ack) has arrived. */
static void advance_una(struct tcp_sock *tp, const struct tcp_segment *seg,
			struct tcp_ack_event *event)
{
	tp->bytes_acked += seq_span(tp->snd_una, seq_min(seg->h.ack, tp->snd_end));
	tp->snd_una += event->acked;
	tcp_sndq_ack(tp, tp->snd_una);
	tcp_sent_acked(tp, tp->snd_una, event);
	tp->soft_error = 0;
	tcp_mtu_probe_acked(tp);
	if (tp->extra != NULL)
		tcp_mark_acked(tp);
	if (tp->dst.neigh != NULL)
		strata_neigh_confirm(tp->sock.stack, tp->dst.neigh);
}

/* Karn: the doubled RTO stays until a sample says better (RFC 6298 section 5, last paragraph). With time
 * stamps progress is enough: should the path have become slower, the echoes tell, and a timeout that came
 * too early is taken back. Else a lossy path that acknowledges only retransmissions never leaves it. */
static void end_backoff(struct tcp_sock *tp, const struct tcp_ack_event *event)
{
	if (event->rtt != 0 || tp->retransmits == 0 || tp->ts_ok)
		tp->backoff = 0;
	tp->retransmits = 0;
	tp->window_probes = 0;
	tp->held_up = false;
}

/* RFC 6298 (5.2), (5.3) */
static void restart_timer(struct tcp_sock *tp)
{
	if (tp->snd_una == tp->snd_nxt)
		tcp_timer_clear(tp, TCP_TIMER_RETRANSMIT);
	else
		tcp_timer_retransmit(tp);
	tcp_probe_arm(tp);
}

/* The algorithm hears of it: all of it, or, where recovery's window is ours, what opens the window. */
static void congestion_ack(struct tcp_sock *tp, const struct tcp_ack_event *event,
			   struct strata_ack_sample *sample, bool reducing)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);

	sample->now = event->now;
	sample->rtt = event->rtt;
	sample->acked = event->acked;
	sample->newly_delivered = event->delivered;
	sample->in_recovery = tp->phase >= TCP_PHASE_RECOVERY;
	/* The window says something only where it was used: all of it, or half while it doubles. */
	sample->cwnd_limited = tp->cwnd_limited || (tp->cc.cwnd < tp->cc.ssthresh &&
			       tp->cc.cwnd < 2 * (uint64_t)sample->flight_before);
	tcp_rate_sample(tp, event, sample);
	if (ops == NULL) {
		/* Its module was stopped: a timeout's window opens as far as it had been judged safe. */
		if (tp->cc.ssthresh != UINT32_MAX && tp->cc.cwnd < tp->cc.ssthresh && !reducing &&
		    !tcp_recovery_reducing(tp))
			tp->cc.cwnd += tcp_min32(event->acked, tp->cc.ssthresh - tp->cc.cwnd);
		return;
	}
	tp->cc.flight = tcp_pipe(tp);
	if (ops->control != NULL) {
		if (event->delivered != 0 || sample->lost != 0)
			ops->control(&tp->cc, sample);
	} else if (event->acked != 0 && !reducing && !tcp_recovery_reducing(tp) && !sample->ece) {
		/* The ACK that ends a recovery does not open the window, nor one that echoes a mark. */
		ops->acked(&tp->cc, sample);
	}
}

/* What is common to an acknowledgement that advances, and one that only brings SACK blocks. */
static void take_in(struct tcp_sock *tp, const struct tcp_segment *seg, struct tcp_ack_event *event)
{
	struct strata_ack_sample sample = { .flight_before = tcp_pipe(tp) };
	bool reducing = tcp_recovery_reducing(tp);
	uint64_t lost = tp->cc.lost;

	if (tp->ts_ok && (seg->h.options & TCP_HAS_TIMESTAMP) != 0 && seg->h.tsecr != 0) {
		event->has_tsecr = true;
		event->tsecr = seg->h.tsecr;
	}
	if (event->acked != 0)
		advance_una(tp, seg, event);
	event->has_sack = (seg->h.options & TCP_HAS_SACK) != 0;
	if (event->has_sack)
		tcp_sack_input(tp, &seg->h, event);
	tcp_rtt_ack(tp, event);
	tcp_recovery_ack(tp, event);
	tcp_ecn_echoed(tp, seg, event->acked);
	sample.ece = tcp_ecn_echo(tp, seg);
	if (event->acked != 0)
		end_backoff(tp, event);
	sample.lost = (uint32_t)(tp->cc.lost - lost);
	congestion_ack(tp, event, &sample, reducing);
}

void tcp_wake_writer(struct tcp_sock *tp)
{
	if ((tp->no_space || (tp->sock.events & EPOLLOUT) == 0) && tcp_sndq_writable(tp)) {
		tp->no_space = false;
		tcp_events(tp, EPOLLOUT);
	}
}

/* RFC 5681 section 2: nothing new in any other field, while something is outstanding; or RFC 8985 7.4.2, the answer
 * to a tail loss probe is. */
static bool duplicate(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	return seg->length == 0 && (seg->h.flags & (TCP_SYN | TCP_FIN)) == 0 &&
	       (tp->snd_una != tp->snd_nxt || (tp->flight != NULL && tp->flight->tlp_pending));
}

/* Of what was sent: text came, or room for more. */
static bool says_nothing(const struct tcp_sock *tp, const struct tcp_segment *seg,
			 const struct tcp_ack_event *event)
{
	return event->acked == 0 && !event->duplicate && tp->phase == TCP_PHASE_OPEN &&
	       (seg->h.options & TCP_HAS_SACK) == 0 && !tcp_ecn_echo(tp, seg);
}

void tcp_ack(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct tcp_ack_event event = { .now = tcp_now(tp), .acked = seg->h.ack - tp->snd_una };
	bool window_changed;

	tp->last_ack_ms = tcp_ms(event.now);
	tp->probes = 0;
	window_changed = update_window(tp, seg);
	event.duplicate = event.acked == 0 && !window_changed && duplicate(tp, seg);
	if (!says_nothing(tp, seg, &event))
		take_in(tp, seg, &event);
	if (event.acked != 0) {
		restart_timer(tp);
		tcp_snd_grow(tp);
	}
	tcp_wake_writer(tp);
}

void tcp_ack_old(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct tcp_ack_event event = { .now = tcp_now(tp) };

	if (seg->h.options & TCP_HAS_SACK)
		take_in(tp, seg, &event);
}
