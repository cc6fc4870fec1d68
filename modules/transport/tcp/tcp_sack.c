/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Selective acknowledgements: which blocks are believed, and what they say. Read RFC 2018 5 and 8,
 * RFC 2883 4 and RFC 6675 4 before editing.
 */
#include "tcp_int.h"

/* RFC 2883 section 4: the first block reports a duplicate when it lies below the ACK, or inside the
 * second block. */
static bool is_dsack(const struct tcp_header *h)
{
	const struct tcp_block *first = &h->sack[0], *second = &h->sack[1];

	if (seq_lt(first->start, h->ack))
		return true;
	return h->sack_count > 1 && seq_leq(second->start, first->start) &&
	       seq_geq(second->end, first->end);
}

/* A duplicate can only be of something sent, not longer ago than the largest window ever offered. */
static bool dsack_valid(const struct tcp_sock *tp, const struct tcp_block *block)
{
	return seq_lt(block->start, block->end) && seq_leq(block->end, tp->snd_nxt) &&
	       seq_geq(block->start, tp->snd_una - tp->max_snd_wnd);
}

static void dsack_input(struct tcp_sock *tp, const struct tcp_block *block,
			struct tcp_ack_event *event)
{
	if (!dsack_valid(tp, block)) {
		tcp_count(tp, TCP_COUNT_SACK_IGNORED, 1);
		return;
	}
	tcp_count(tp, TCP_COUNT_DSACK_RECEIVED, 1);
	if (tp->flight == NULL)
		return;
	tcp_undo_dsack(tp, block);
	/* A probe's duplicate says nothing of reordering. */
	if (tp->flight->tlp_pending && block->end == tp->flight->tlp_end)
		event->probe_twice = true;
	else
		tcp_rack_dsack(tp);
}

void tcp_sack_input(struct tcp_sock *tp, const struct tcp_header *h, struct tcp_ack_event *event)
{
	unsigned int i = 0;

	if (!tp->sack_ok)
		return;
	if (is_dsack(h)) {
		dsack_input(tp, &h->sack[0], event);
		i = 1;
	}
	for (; i < h->sack_count; i++) {
		const struct tcp_block *block = &h->sack[i];

		/* Nothing beyond what was sent, nothing empty or reversed is believed. */
		if (!seq_lt(block->start, block->end) || seq_gt(block->end, tp->snd_nxt) ||
		    seq_leq(block->end, tp->snd_una) || tp->flight == NULL ||
		    !tcp_sent_sacked(tp, seq_max(block->start, tp->snd_una), block->end, event))
			tcp_count(tp, TCP_COUNT_SACK_IGNORED, 1);
	}
}
