/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scoreboard: which bytes beyond snd_una the peer has reported received. Read RFC 2018 5 and 8,
 * RFC 2883 4 and RFC 6675 4 before editing. Cost per ACK is bounded by the number of blocks, and
 * that by options, so that no peer can make it dear (CVE-2018-5390, CVE-2019-11478).
 */
#include "tcp_int.h"

/* local choice: blocks of a new scoreboard; it doubles up to the option `sack_holes`. */
#define ROOM_MIN 8

uint32_t tcp_sacked(const struct tcp_sock *tp)
{
	return tp->scoreboard != NULL ? tp->scoreboard->sacked : 0;
}

static size_t board_size(unsigned int room)
{
	return sizeof(struct tcp_scoreboard) + room * sizeof(struct tcp_block);
}

void tcp_sack_clear(struct tcp_sock *tp)
{
	struct tcp_module *m = tcp_module_of(tp);

	if (tp->scoreboard == NULL)
		return;
	m->scoreboard_blocks -= tp->scoreboard->room;
	strata_free(m->stack, tp->scoreboard);
	tp->scoreboard = NULL;
}

/* Room for one block more. False at a limit. */
static bool board_grow(struct tcp_sock *tp)
{
	struct tcp_module *m = tcp_module_of(tp);
	struct tcp_scoreboard *old = tp->scoreboard, *grown;
	unsigned int room = old != NULL ? old->room : 0, want;

	if (old != NULL && old->count < room)
		return true;
	want = room == 0 ? ROOM_MIN : 2 * room;
	if (want > m->config->sack_holes)
		want = (unsigned int)m->config->sack_holes;
	if (want <= room || m->scoreboard_blocks + want - room > m->config->sack_holes_max)
		return false;
	grown = strata_alloc(m->stack, board_size(want));
	if (grown == NULL)
		return false;
	if (old != NULL) {
		memcpy(grown, old, board_size(old->count));
		strata_free(m->stack, old);
	}
	grown->room = (uint16_t)want;
	m->scoreboard_blocks += want - room;
	tp->scoreboard = grown;
	return true;
}

static void block_remove(struct tcp_scoreboard *sb, unsigned int first, unsigned int n)
{
	memmove(&sb->blocks[first], &sb->blocks[first + n],
		(sb->count - first - n) * sizeof(struct tcp_block));
	sb->count = (uint16_t)(sb->count - n);
}

/* Index of the first block that ends at or after `seq`. */
static unsigned int block_find(const struct tcp_scoreboard *sb, uint32_t seq)
{
	unsigned int low = 0, high = sb->count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (seq_lt(sb->blocks[middle].end, seq))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Merges [start, end) in. Returns bytes that were new, 0 also at a limit. */
static uint32_t block_add(struct tcp_sock *tp, uint32_t start, uint32_t end)
{
	struct tcp_scoreboard *sb = tp->scoreboard;
	unsigned int first = 0, last;
	uint32_t before, old = 0;

	if (sb != NULL)
		first = block_find(sb, start);
	if (sb == NULL || first == sb->count || seq_gt(sb->blocks[first].start, end)) {
		if (!board_grow(tp)) {
			tcp_count(tp, TCP_COUNT_SACK_IGNORED, 1);
			return 0;
		}
		sb = tp->scoreboard;
		memmove(&sb->blocks[first + 1], &sb->blocks[first],
			(sb->count - first) * sizeof(struct tcp_block));
		sb->count++;
		sb->blocks[first].start = start;
		sb->blocks[first].end = end;
		sb->sacked += end - start;
		return end - start;
	}
	before = sb->sacked;
	for (last = first; last < sb->count && seq_leq(sb->blocks[last].start, end); last++)
		old += sb->blocks[last].end - sb->blocks[last].start;
	sb->blocks[first].start = seq_min(sb->blocks[first].start, start);
	sb->blocks[first].end = seq_max(sb->blocks[last - 1].end, end);
	sb->sacked += sb->blocks[first].end - sb->blocks[first].start - old;
	block_remove(sb, first + 1, last - first - 1);
	return sb->sacked - before;
}

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

uint32_t tcp_sack_input(struct tcp_sock *tp, const struct tcp_header *h, bool *duplicate)
{
	uint32_t added = 0, start, end;
	unsigned int i = 0;

	*duplicate = false;
	if (!tp->sack_ok || (h->options & TCP_HAS_SACK) == 0)
		return 0;
	if (is_dsack(h)) {
		*duplicate = true;
		tcp_count(tp, TCP_COUNT_DSACK_RECEIVED, 1);
		i = 1;
	}
	for (; i < h->sack_count; i++) {
		start = h->sack[i].start;
		end = h->sack[i].end;
		/* Nothing beyond what was sent, nothing empty or reversed is believed. */
		if (!seq_lt(start, end) || seq_gt(end, tp->snd_nxt) || seq_leq(end, tp->snd_una)) {
			tcp_count(tp, TCP_COUNT_SACK_IGNORED, 1);
			continue;
		}
		added += block_add(tp, seq_max(start, tp->snd_una), end);
	}
	return added;
}

void tcp_sack_advance(struct tcp_sock *tp)
{
	struct tcp_scoreboard *sb = tp->scoreboard;
	unsigned int n = 0;
	uint32_t part;

	if (sb == NULL)
		return;
	for (; n < sb->count && seq_leq(sb->blocks[n].end, tp->snd_una); n++)
		sb->sacked -= sb->blocks[n].end - sb->blocks[n].start;
	block_remove(sb, 0, n);
	if (sb->count == 0) {
		tcp_sack_clear(tp);
		return;
	}
	part = seq_span(sb->blocks[0].start, tp->snd_una);
	sb->blocks[0].start += part;
	sb->sacked -= part;
}

uint32_t tcp_sack_missing(const struct tcp_sock *tp, uint32_t from, uint32_t to)
{
	const struct tcp_scoreboard *sb = tp->scoreboard;
	uint32_t missing = seq_span(from, to), start, end;
	unsigned int i;

	if (sb == NULL || missing == 0)
		return missing;
	for (i = block_find(sb, from); i < sb->count && seq_lt(sb->blocks[i].start, to); i++) {
		start = seq_max(sb->blocks[i].start, from);
		end = seq_min(sb->blocks[i].end, to);
		missing -= seq_span(start, end);
	}
	return missing;
}

bool tcp_sack_hole(const struct tcp_sock *tp, uint32_t from, uint32_t to, struct tcp_block *hole)
{
	const struct tcp_scoreboard *sb = tp->scoreboard;
	unsigned int i = 0;

	hole->start = from;
	hole->end = to;
	if (sb != NULL) {
		for (i = block_find(sb, from); i < sb->count; i++) {
			if (seq_gt(sb->blocks[i].start, hole->start)) {
				hole->end = seq_min(to, sb->blocks[i].start);
				break;
			}
			hole->start = seq_max(hole->start, sb->blocks[i].end);
		}
	}
	return seq_lt(hole->start, hole->end);
}

uint32_t tcp_sack_lost_edge(const struct tcp_sock *tp)
{
	const struct tcp_scoreboard *sb = tp->scoreboard;
	uint32_t bytes = 0;
	unsigned int i, runs = 0;

	if (sb == NULL)
		return tp->snd_una;
	/* RFC 6675 section 4, IsLost: DupThresh runs, or more than (DupThresh - 1) * SMSS bytes, above. */
	for (i = sb->count; i-- > 0;) {
		bytes += sb->blocks[i].end - sb->blocks[i].start;
		if (++runs >= TCP_DUPACK_THRESHOLD ||
		    bytes > (TCP_DUPACK_THRESHOLD - 1) * tp->cc.mss)
			return sb->blocks[i].start;
	}
	return tp->snd_una;
}

bool tcp_sack_reneged(const struct tcp_sock *tp)
{
	return tp->scoreboard != NULL && tp->scoreboard->blocks[0].start == tp->snd_una;
}
