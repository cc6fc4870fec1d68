/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Round-trip times and the retransmission timeout. Read RFC 6298, and RFC 7323 4.1 for time
 * stamps, before editing.
 */
#include "tcp_int.h"

void tcp_rtt_init(struct tcp_sock *tp)
{
	tp->cc.min_rtt = STRATA_NEVER;
	tp->rto = tcp_module_of(tp)->config->rto_initial;
	tp->min_rtt_recent = STRATA_NEVER;
	tp->min_rtt_ms = tcp_ms(tcp_now(tp));
}

/* The smallest of a while: of this half of the window and the one before (local choice: what Linux keeps
 * three samples for). */
static void min_rtt(struct tcp_sock *tp, uint64_t rtt)
{
	uint64_t half = tcp_module_of(tp)->config->min_rtt_window / 2;
	uint32_t now = tcp_ms(tcp_now(tp)), spent = now - tp->min_rtt_ms;

	if (strata_unlikely((uint64_t)spent * STRATA_MS > half)) {
		tp->cc.min_rtt = (uint64_t)spent * STRATA_MS > 2 * half ? rtt : tp->min_rtt_recent;
		tp->min_rtt_recent = rtt;
		tp->min_rtt_ms = now;
	}
	if (rtt < tp->min_rtt_recent)
		tp->min_rtt_recent = rtt;
	if (rtt < tp->cc.min_rtt)
		tp->cc.min_rtt = rtt;
}

void tcp_rtt_sample(struct tcp_sock *tp, uint64_t rtt)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;
	uint64_t deviation;

	if (rtt == 0)
		rtt = 1;
	min_rtt(tp, rtt);
	if (tp->cc.srtt == 0) {
		/* RFC 6298 (2.2) */
		tp->cc.srtt = rtt;
		tp->rttvar = rtt / 2;
	} else {
		/* RFC 6298 (2.3), alpha = 1/8, beta = 1/4 */
		deviation = rtt > tp->cc.srtt ? rtt - tp->cc.srtt : tp->cc.srtt - rtt;
		tp->rttvar = tp->rttvar - tp->rttvar / 4 + deviation / 4;
		tp->cc.srtt = tp->cc.srtt - tp->cc.srtt / 8 + rtt / 8;
		if (tp->cc.srtt == 0)
			tp->cc.srtt = 1;
	}
	/* DEVIATION from RFC 6298 (2.4), as Linux: the minimum bounds the variance term, not the sum, and
	 * is less than a second. */
	tp->rto = 4 * tp->rttvar > config->rto_min ? 4 * tp->rttvar : config->rto_min;
	tp->rto += tp->cc.srtt;
	if (tp->rto > config->rto_max)
		tp->rto = config->rto_max;
}

/* What the echoed time stamp says (RFC 7323 4.1), where the last copy left `since`; 0: nothing. An echo from
 * before is ambiguous again: its ACK may have been lost, and a sample would count the time until this
 * one. */
static uint64_t stamped(const struct tcp_sock *tp, uint32_t tsecr, uint32_t since)
{
	uint32_t ticks = tcp_tsval(tp) - tsecr;

	if ((int32_t)ticks < 0 || ticks > tcp_ms(tcp_now(tp)) - since)
		return 0;
	return (uint64_t)ticks * STRATA_MS + STRATA_MS / 2;
}

void tcp_rtt_handshake(struct tcp_sock *tp, const struct tcp_header *h)
{
	uint64_t rtt = 0;

	if (tp->syn_sent != 0)
		tcp_rtt_sample(tp, tcp_now(tp) - tp->syn_sent);
	else if (tp->retransmits != 0 && tp->ts_ok && (h->options & TCP_HAS_TIMESTAMP) != 0 &&
		 h->tsecr != 0)
		rtt = stamped(tp, h->tsecr, tp->last_sent_ms);
	if (rtt != 0)
		tcp_rtt_sample(tp, rtt);
}

void tcp_rtt_ack(struct tcp_sock *tp, struct tcp_ack_event *event)
{
	uint64_t rtt = 0;

	/* Karn: a retransmission among what is acknowledged may have held the ACK of the rest back. What is
	 * sacked was answered at once. */
	if (event->acked_first != 0 && !event->retransmitted) {
		rtt = event->now - event->acked_first;
		event->rtt = event->now - event->acked_last;
	} else if (event->sacked_first != 0) {
		rtt = event->now - event->sacked_first;
		event->rtt = event->now - event->sacked_last;
	} else if (event->acked != 0 && event->has_tsecr && event->newest.time != 0) {
		/* The echo says which copy this answers. It is coarse, so only where nothing else serves. */
		rtt = stamped(tp, event->tsecr, tcp_ms(event->newest.time));
		if (rtt == 0)
			return;
		event->rtt = rtt;
	} else {
		return;
	}
	if (event->rtt == 0)
		event->rtt = 1;
	if (event->rtt != rtt)
		min_rtt(tp, event->rtt);
	tcp_rtt_sample(tp, rtt);
}

uint64_t tcp_rto(const struct tcp_sock *tp)
{
	uint64_t max = tcp_module_of(tp)->config->rto_max;
	uint64_t rto = tp->backoff < 16 ? tp->rto << tp->backoff : max;

	/* RFC 6298 (5.5) and (2.5) */
	return rto < max ? rto : max;
}
