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
		tcp_timer_clear(tp, TCP_TIMER_PERSIST);
		tcp_recovery_opened(tp);
	}
	return window != before;
}

/* [snd_una, ack) has arrived. Returns the round-trip time, 0: no valid sample. */
static uint64_t advance_una(struct tcp_sock *tp, const struct tcp_segment *seg, uint32_t acked)
{
	uint64_t rtt = tcp_rtt_ack(tp, &seg->h, seg->h.ack);

	tp->bytes_acked += seq_span(tp->snd_una, seq_min(seg->h.ack, tp->snd_end));
	tp->snd_una += acked;
	tcp_sndq_ack(tp, tp->snd_una);
	tcp_sack_advance(tp);
	/* Karn: the doubled RTO stays until a sample says better (RFC 6298 section 5, last paragraph). */
	if (rtt != 0 || tp->retransmits == 0)
		tp->backoff = 0;
	tp->retransmits = 0;
	tp->orphan_retries = 0;
	tp->soft_error = 0;
	if (tp->dst.neigh != NULL)
		strata_neigh_confirm(tp->sock.stack, tp->dst.neigh);
	return rtt;
}

/* RFC 6298 (5.2), (5.3) */
static void restart_timer(struct tcp_sock *tp)
{
	if (tp->snd_una == tp->snd_nxt)
		tcp_timer_clear(tp, TCP_TIMER_RETRANSMIT);
	else
		tcp_timer_retransmit(tp);
	tcp_recovery_arm_probe(tp);
}

static void congestion_acked(struct tcp_sock *tp, const struct tcp_ack_event *event, uint64_t rtt,
			     uint32_t flight_before)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);
	struct strata_ack_sample sample = {
		.now = tcp_now(tp),
		.rtt = rtt,
		.acked = event->acked,
		.newly_delivered = event->acked,
		.flight_before = flight_before,
		.cwnd_limited = tp->cwnd_limited,
	};

	/* The window says something only where it was used: all of it, or half while it doubles. */
	if (tp->cc.cwnd < tp->cc.ssthresh && tp->cc.cwnd < 2 * (uint64_t)flight_before)
		sample.cwnd_limited = true;
	tp->cc.flight = tcp_pipe(tp);
	if (ops != NULL)
		ops->acked(&tp->cc, &sample);
}

void tcp_ack(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint32_t flight_before = tcp_pipe(tp);
	struct tcp_ack_event event = { .acked = seg->h.ack - tp->snd_una };
	bool was_limited = tp->no_space, window_changed;
	bool recovering = tp->phase == TCP_PHASE_RECOVERY;
	uint64_t rtt = 0;

	tp->last_ack_ms = tcp_ms(tcp_now(tp));
	tp->probes = 0;
	window_changed = update_window(tp, seg);
	/* RFC 5681 section 2: a duplicate has nothing new in any field. */
	event.duplicate = event.acked == 0 && seg->length == 0 && !window_changed &&
			  (seg->h.flags & (TCP_SYN | TCP_FIN)) == 0 && tp->snd_una != tp->snd_nxt;
	if (event.acked != 0)
		rtt = advance_una(tp, seg, event.acked);
	event.sacked = tcp_sack_input(tp, &seg->h, &event.dsack);
	tcp_recovery_ack(tp, &event);
	tcp_ecn_echoed(tp, seg, event.acked);
	if (event.acked != 0) {
		restart_timer(tp);
		/* The ACK that ends a recovery does not open the window, nor one that echoes a mark. */
		if (!recovering && tp->phase != TCP_PHASE_RECOVERY && !tcp_ecn_echo(tp, seg))
			congestion_acked(tp, &event, rtt, flight_before);
		tcp_snd_grow(tp);
	}
	if ((was_limited || (tp->sock.events & EPOLLOUT) == 0) && tcp_sndq_writable(tp)) {
		tp->no_space = false;
		tcp_events(tp, EPOLLOUT);
	}
}

void tcp_ack_old(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	struct tcp_ack_event event = { 0 };

	event.sacked = tcp_sack_input(tp, &seg->h, &event.dsack);
	if (event.sacked != 0)
		tcp_recovery_ack(tp, &event);
}
