/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Round-trip times and the retransmission timeout. Read RFC 6298, and RFC 7323 4.1 for time
 * stamps, before editing.
 */
#include "tcp_int.h"

void tcp_rtt_init(struct tcp_sock *tp)
{
	tp->cc.srtt = 0;
	tp->cc.min_rtt = STRATA_NEVER;
	tp->rttvar = 0;
	tp->rto = tcp_module_of(tp)->config->rto_initial;
	tp->backoff = 0;
	tp->rtt_timing = false;
}

void tcp_rtt_sample(struct tcp_sock *tp, uint64_t rtt)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;
	uint64_t deviation;

	if (rtt == 0)
		rtt = 1;
	if (rtt < tp->cc.min_rtt)
		tp->cc.min_rtt = rtt;
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

void tcp_rtt_begin(struct tcp_sock *tp, uint32_t end)
{
	if (tp->rtt_timing)
		return;
	tp->rtt_timing = true;
	tp->rtt_seq = end;
	tp->rtt_start = tcp_now(tp);
}

void tcp_rtt_cancel(struct tcp_sock *tp, uint32_t seq)
{
	if (tp->rtt_timing && seq_lt(seq, tp->rtt_seq))
		tp->rtt_timing = false;
}

uint64_t tcp_rtt_ack(struct tcp_sock *tp, const struct tcp_header *h, uint32_t ack)
{
	uint64_t rtt = 0;
	uint32_t ticks;

	if (tp->rtt_timing) {
		if (seq_lt(ack, tp->rtt_seq))
			return 0;
		tp->rtt_timing = false;
		rtt = tcp_now(tp) - tp->rtt_start;
	} else if ((tp->retransmits != 0 || tp->phase >= TCP_PHASE_RECOVERY) && tp->ts_ok &&
		   (h->options & TCP_HAS_TIMESTAMP) != 0 && h->tsecr != 0) {
		/* Something was retransmitted: the echo says which copy this answers (RFC 7323 4.1). It is
		 * coarse, so where nothing was, the timed segment serves. */
		ticks = tcp_tsval(tp) - h->tsecr;
		/* An echo from before the last retransmission is ambiguous again: its ACK may have been lost,
		 * and a sample would count the time until this one. */
		if ((int32_t)ticks < 0 || ticks > tcp_ms(tcp_now(tp)) - tp->again_ms)
			return 0;
		rtt = (uint64_t)ticks * STRATA_MS + STRATA_MS / 2;
	} else {
		return 0;
	}
	if (rtt == 0)
		rtt = 1;
	tcp_rtt_sample(tp, rtt);
	return rtt;
}

uint64_t tcp_rto(const struct tcp_sock *tp)
{
	uint64_t max = tcp_module_of(tp)->config->rto_max;
	uint64_t rto = tp->backoff < 16 ? tp->rto << tp->backoff : max;

	/* RFC 6298 (5.5) and (2.5) */
	return rto < max ? rto : max;
}
