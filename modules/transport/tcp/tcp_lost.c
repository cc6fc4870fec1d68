/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Losses inferred by counting: the scoreboard's rules of RFC 6675 where RACK is off, and without
 * selective acknowledgements NewReno's. Read RFC 6675 4 and 5 and RFC 6582 3.2 before editing.
 */
#include "tcp_int.h"

bool tcp_lost_dupthresh(const struct tcp_sock *tp)
{
	uint32_t threshold = (uint32_t)tcp_module_of(tp)->config->dupack_threshold;
	const struct tcp_flight *f = tp->flight;

	/* RFC 6675 section 4: DupThresh runs, or more than (DupThresh - 1) * SMSS bytes; section 5: or as
	 * many duplicates, whatever their size. */
	return tp->dupacks >= threshold || f->runs >= threshold ||
	       f->sacked > (threshold - 1) * tp->cc.mss;
}

/* The first segment that is neither sacked nor deemed lost. */
static void lose_first(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;
	uint32_t i;

	for (i = 0; i < f->count; i++) {
		if ((tcp_sent_at(f, i)->flags & (TCP_SENT_SACKED | TCP_SENT_LOST)) != 0)
			continue;
		tcp_sent_split(tp, i, tcp_sent_at(f, i)->start + tp->cc.mss);
		tcp_sent_lost(tp, i);
		return;
	}
}

/* RFC 6582 3.2 (1), (3): the segment at snd_una, by duplicates or by a partial acknowledgement. A mark has begun no
 * recovery: its `recover` bars none. */
static void newreno(struct tcp_sock *tp, const struct tcp_ack_event *event)
{
	struct tcp_flight *f = tp->flight;

	if (f->count == 0 || (tcp_sent_at(f, 0)->flags & TCP_SENT_LOST) != 0)
		return;
	if (tp->phase == TCP_PHASE_RECOVERY ? event->acked != 0 :
	    tp->dupacks >= tcp_module_of(tp)->config->dupack_threshold &&
	    (tp->phase == TCP_PHASE_CWR || seq_gt(tp->snd_una, tp->recover)))
		lose_first(tp);
}

/* RFC 6675 section 4, IsLost(): everything unsacked below the result; snd_una when nothing is. */
static uint32_t lost_edge(const struct tcp_sock *tp)
{
	uint32_t threshold = (uint32_t)tcp_module_of(tp)->config->dupack_threshold;
	const struct tcp_flight *f = tp->flight;
	uint32_t i, runs = 0, bytes = 0;
	const struct tcp_sent *sent;

	for (i = tcp_sent_find(f, f->high_sacked - 1) + 1; i-- > 0;) {
		sent = tcp_sent_at(f, i);
		if ((sent->flags & TCP_SENT_SACKED) == 0)
			continue;
		bytes += sent->end - sent->start;
		if (++runs >= threshold || bytes > (threshold - 1) * tp->cc.mss)
			return sent->start;
	}
	return tp->snd_una;
}

static void by_scoreboard(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;
	uint32_t edge, i;

	if (f->sacked == 0 || tp->phase == TCP_PHASE_LOSS)
		return;
	edge = lost_edge(tp);
	for (i = 0; i < f->count && seq_lt(tcp_sent_at(f, i)->start, edge); i++)
		if ((tcp_sent_at(f, i)->flags & (TCP_SENT_SACKED | TCP_SENT_LOST)) == 0)
			i = tcp_sent_lost(tp, i);
	if (f->lost == 0 && tcp_lost_dupthresh(tp))
		lose_first(tp);
}

void tcp_lost_detect(struct tcp_sock *tp, const struct tcp_ack_event *event)
{
	if (tp->sack_ok)
		by_scoreboard(tp);
	else
		newreno(tp, event);
}
