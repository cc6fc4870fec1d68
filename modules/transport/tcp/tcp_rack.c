/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * RACK: a segment is lost when one sent sufficiently later has arrived. Read RFC 8985 5 and 6 before
 * editing; the names are those of its pseudocode.
 */
#include "tcp_int.h"

/* RFC 8985 6.2 step 4: recoveries without a DSACK after which the window is narrow again. */
#define REO_WND_PERSIST 16
/* local choice: a window of more than a smoothed round trip is cut to it anyway. */
#define REO_WND_MULT_MAX 64

/* Step 3: something arrives after what was sent later, and no retransmission explains it. */
static void detect_reordering(struct tcp_sock *tp, const struct tcp_sent *sent, uint32_t end)
{
	struct tcp_flight *f = tp->flight;

	if (!f->fack_valid || seq_gt(end, f->rack_fack)) {
		f->fack_valid = true;
		f->rack_fack = end;
	} else if (seq_lt(end, f->rack_fack) && (sent->flags & TCP_SENT_EVER) == 0) {
		if (tp->reordering_seen < UINT8_MAX)
			tp->reordering_seen++;
		tcp_count(tp, TCP_COUNT_REORDERED, 1);
	}
}

/* A record, or its part that ends at `end`, left before the latest of what was delivered. */
static bool sent_before_rack(const struct tcp_flight *f, const struct tcp_sent *sent, uint32_t end)
{
	return tcp_sent_after(f->rack_time, f->rack_order, f->rack_end, sent, end);
}

void tcp_rack_update(struct tcp_sock *tp, const struct tcp_sent *sent, uint32_t end,
		     const struct tcp_ack_event *event)
{
	struct tcp_flight *f = tp->flight;
	uint64_t rtt = event->now - sent->time;

	if (!tp->sack_ok)
		return;
	detect_reordering(tp, sent, end);
	/* Step 2: which copy of a retransmission arrived? */
	if (sent->flags & TCP_SENT_EVER) {
		if (event->has_tsecr &&
		    seq_lt(event->tsecr, tcp_ms(sent->time) + tp->ts_offset))
			return;
		if (rtt < tp->cc.min_rtt)
			return;
	}
	f->rack_rtt = rtt;
	if (!f->rack_valid || !sent_before_rack(f, sent, end)) {
		f->rack_valid = true;
		f->rack_order = sent->order;
		f->rack_time = sent->time;
		f->rack_end = end;
	}
}

void tcp_rack_dsack(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;

	/* Step 4: the window grows once for each round trip that sees a DSACK. */
	if (f->dsack_seen && seq_geq(tp->snd_una, f->dsack_round))
		f->dsack_seen = false;
	if (f->dsack_seen)
		return;
	f->dsack_seen = true;
	f->dsack_round = tp->snd_nxt;
	if (tp->reo_wnd_mult < REO_WND_MULT_MAX)
		tp->reo_wnd_mult++;
	tp->reo_wnd_persist = REO_WND_PERSIST;
}

void tcp_rack_recovered(struct tcp_sock *tp)
{
	if (tp->reo_wnd_persist != 0 && --tp->reo_wnd_persist == 0)
		tp->reo_wnd_mult = 1;
}

/* Step 4: how much later, RACK.reo_wnd. */
static uint64_t reo_wnd(const struct tcp_sock *tp)
{
	uint64_t wnd;

	if (tp->reordering_seen == 0 &&
	    (tp->phase >= TCP_PHASE_RECOVERY || tcp_lost_dupthresh(tp)))
		return 0;
	if (tp->cc.min_rtt == STRATA_NEVER)
		return 0;
	wnd = tp->reo_wnd_mult * (tp->cc.min_rtt / 4);
	return wnd < tp->cc.srtt ? wnd : tp->cc.srtt;
}

void tcp_rack_detect(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;
	uint64_t now = tcp_now(tp), late, due, timeout = 0;
	const struct tcp_sent *sent;
	uint32_t i;

	if (!f->probing)
		tcp_timer_clear(tp, TCP_TIMER_RACK);
	/* In order and once, as nearly always: nothing sent earlier is left. */
	if (!f->rack_valid || (f->sacked | f->lost | f->retransmitted) == 0)
		return;
	late = f->rack_rtt + reo_wnd(tp);
	/* Step 5 */
	for (i = 0; i < f->count; i++) {
		sent = tcp_sent_at(f, i);
		if ((sent->flags & TCP_SENT_SACKED) != 0 ||
		    (sent->flags & (TCP_SENT_LOST | TCP_SENT_RETRANSMITTED)) == TCP_SENT_LOST)
			continue;
		if (!sent_before_rack(f, sent, sent->end)) {
			/* What follows left later still: first copies leave in order. */
			if ((sent->flags & TCP_SENT_EVER) == 0)
				break;
			continue;
		}
		due = sent->time + late;
		/* Where a round trip takes no time, as while a clock that was set back stands: what has just been
		 * sent again would be lost again with each acknowledgement. */
		if (sent->time == now && (sent->flags & TCP_SENT_RETRANSMITTED) != 0)
			continue;
		if (due <= now)
			i = tcp_sent_lost(tp, i);
		else if (due > timeout)
			timeout = due;
	}
	if (timeout == 0)
		return;
	f->probing = false;
	tcp_timer_set(tp, TCP_TIMER_RACK, timeout);
}

void tcp_rack_timeout_losses(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;
	bool timed = tcp_module_of(tp)->config->rack && tp->sack_ok && f->rack_valid;
	uint64_t now = tcp_now(tp), late = timed ? f->rack_rtt + reo_wnd(tp) : 0;
	const struct tcp_sent *sent;
	uint32_t i;

	for (i = 0; i < f->count; i++) {
		sent = tcp_sent_at(f, i);
		if ((sent->flags & TCP_SENT_SACKED) != 0 ||
		    (sent->flags & (TCP_SENT_LOST | TCP_SENT_RETRANSMITTED)) == TCP_SENT_LOST)
			continue;
		/* RFC 8985 6.3: the first one, and what is overdue; not what has just been sent. */
		if (sent->start == tp->snd_una || sent->time + late <= now)
			i = tcp_sent_lost(tp, i);
	}
}
