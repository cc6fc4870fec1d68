/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Delivery-rate estimation: how fast the path delivered what was sent between two moments. Read
 * draft-ietf-ccwg-bbr 4.5.1 (before: draft-cheng-iccrg-delivery-rate-estimation) before editing.
 */
#include "tcp_int.h"

void tcp_rate_delivered(struct tcp_sock *tp, const struct tcp_sent *sent, uint32_t bytes,
			struct tcp_ack_event *event)
{
	tp->cc.delivered += bytes;
	/* UpdateRateSample(): of several, that which was sent last. */
	if (event->newest.time == 0 ||
	    tcp_sent_after(sent->time, sent->order, sent->end, &event->newest, event->newest.end))
		event->newest = *sent;
}

/* GenerateRateSample() */
static void generate(struct tcp_sock *tp, const struct tcp_ack_event *event,
		     struct strata_ack_sample *sample)
{
	const struct tcp_sent *newest = &event->newest;
	uint64_t send_elapsed = newest->time - newest->first_sent_time;
	uint64_t ack_elapsed = event->now - newest->delivered_time;
	uint64_t interval = send_elapsed > ack_elapsed ? send_elapsed : ack_elapsed, rate;

	sample->prior_delivered = newest->delivered;
	sample->rate_delivered = (uint32_t)(tp->cc.delivered - newest->delivered);
	sample->rate_lost = (uint32_t)(tp->cc.lost - newest->lost);
	sample->tx_flight = newest->tx_flight;
	sample->app_limited = (newest->flags & TCP_SENT_APP_LIMITED) != 0;
	/* Shorter than any round trip: ACKs were compressed, or what arrived was an older copy. */
	if (interval == 0 || interval < tp->cc.min_rtt)
		return;
	sample->interval = interval;
	/* At most 4 GiB in an interval: the product fits. */
	sample->delivery_rate = sample->rate_delivered * STRATA_SEC / interval;
	rate = sample->delivery_rate / TCP_RATE_UNIT;
	if (!sample->app_limited || rate >= tp->delivery_rate) {
		tp->delivery_rate = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
		tp->rate_app_limited = sample->app_limited;
	}
}

void tcp_rate_sample(struct tcp_sock *tp, const struct tcp_ack_event *event,
		     struct strata_ack_sample *sample)
{
	struct tcp_flight *f = tp->flight;

	if (f == NULL || event->delivered == 0)
		return;
	f->delivered_time = event->now;
	if (f->app_limited != 0 && tp->cc.delivered > f->app_limited)
		f->app_limited = tp->app_limited = 0;
	if (event->newest.time == 0)
		return;
	f->first_sent_time = event->newest.time;
	generate(tp, event, sample);
}

void tcp_rate_check_app_limited(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;
	uint32_t pipe = tcp_pipe(tp);

	/* 4.5.1.3: all was sent, the window was not full, and nothing lost waits. */
	if (seq_span(tp->snd_nxt, tp->snd_end) >= tp->cc.mss || pipe >= tp->cc.cwnd ||
	    (f != NULL && f->waiting != 0))
		return;
	tp->app_limited = true;
	if (f != NULL)
		f->app_limited = tp->cc.delivered + pipe != 0 ? tp->cc.delivered + pipe : 1;
}
