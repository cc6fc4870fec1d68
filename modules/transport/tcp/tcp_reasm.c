/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The receive queues: payload in order until the application takes it, and payload out of order in
 * runs until the hole before them is filled. Read RFC 9293 3.10.7.4 (seventh), RFC 2018 and RFC 2883
 * before editing. The first copy of a byte wins.
 */
#include "tcp_int.h"

/* Small payloads are copied into the packet before them, so that a peer that sends single bytes
 * does not make each of them occupy a packet (SegmentSmack, CVE-2018-5390). */
static bool coalesce(struct strata_pkt *tail, struct strata_pkt *pkt)
{
	uint32_t length = strata_pkt_length(pkt);

	if (tail == NULL || tail->refs != 1 || strata_pkt_tailroom(tail) < length)
		return false;
	strata_pkt_read(pkt, 0, strata_pkt_put(tail, length), length);
	strata_pkt_free(pkt);
	return true;
}

/* A packet that keeps more than twice its bytes of memory busy is copied into a large one: a slice of a
 * large read, or a small packet behind others, so that those that follow find room in it. What waits
 * thus never takes much more than twice its bytes, which is what the window is reckoned with. */
static struct strata_pkt *compact(const struct strata_pkt *tail, struct strata_pkt *pkt)
{
	uint32_t length = strata_pkt_length(pkt), size;
	struct strata_pkt *copy;

	if (length > STRATA_PKT_LARGE / 2)
		return pkt;
	if (pkt->frag_count == 0 && (tail == NULL || pkt->room >= STRATA_PKT_LARGE))
		return pkt;
	size = strata_pkt_truesize(pkt);
	if (size <= 2 * length ||
	    (pkt->frag_count != 0 && tail == NULL && size < 2 * STRATA_PKT_LARGE))
		return pkt;
	copy = strata_pkt_alloc(pkt->stack, 0, STRATA_PKT_LARGE);
	if (copy == NULL)
		return pkt;
	strata_pkt_read(pkt, 0, strata_pkt_put(copy, length), length);
	strata_pkt_free(pkt);
	return copy;
}

/* ---- in order ---- */

static void rcvq_append(struct tcp_sock *tp, struct strata_pkt *pkt)
{
	uint32_t length = strata_pkt_length(pkt);

	tp->rcv_nxt += length;
	tp->rcv_bytes += length;
	tp->bytes_received += length;
	if (!coalesce(tp->rcvq.tail, pkt))
		strata_pkt_enqueue(&tp->rcvq, compact(tp->rcvq.tail, pkt));
}

uint32_t tcp_rcvq_read(struct tcp_sock *tp, const struct iovec *iov, size_t count, uint32_t n,
		       bool peek)
{
	struct strata_pkt *pkt = tp->rcvq.head;
	uint32_t offset = tp->rcv_offset, done = 0, part;

	while (pkt != NULL && done < n) {
		part = tcp_min32(n - done, strata_pkt_length(pkt) - offset);
		if (iov != NULL)
			strata_pkt_read_iov(pkt, offset, iov, count, done, part);
		done += part;
		offset += part;
		if (offset < strata_pkt_length(pkt))
			break;
		pkt = pkt->next;
		offset = 0;
		if (!peek)
			strata_pkt_free(strata_pkt_dequeue(&tp->rcvq));
	}
	if (!peek) {
		tp->rcv_offset = offset;
		tp->rcv_bytes -= done;
	}
	return done;
}

uint64_t tcp_rcvq_time(const struct tcp_sock *tp, uint32_t n)
{
	const struct strata_pkt *pkt = tp->rcvq.head;
	uint64_t upto = 0, last = n + (uint64_t)tp->rcv_offset;

	for (; pkt != NULL; pkt = pkt->next) {
		upto += strata_pkt_length(pkt);
		if (upto >= last)
			return pkt->time;
	}
	return 0;
}

void tcp_rcvq_purge(struct tcp_sock *tp)
{
	strata_pkt_queue_purge(&tp->rcvq);
	tp->rcv_offset = 0;
	tp->rcv_bytes = 0;
}

/* ---- out of order ---- */

/* Runs are kept in the order of their last change too, so that an acknowledgement finds its blocks without
 * looking at all that a peer makes us keep (SegmentSmack, CVE-2018-5390). The first run holds the anchor. */
static void set_first(struct tcp_sock *tp, struct tcp_range *range)
{
	if (range != NULL)
		range->latest = tp->ooo != NULL ? tp->ooo->latest : NULL;
	tp->ooo = range;
}

static void unlink_change(struct tcp_sock *tp, struct tcp_range *range)
{
	if (range->newer != NULL)
		range->newer->older = range->older;
	else
		tp->ooo->latest = range->older;
	if (range->older != NULL)
		range->older->newer = range->newer;
}

static void link_change(struct tcp_sock *tp, struct tcp_range *range)
{
	range->newer = NULL;
	range->older = tp->ooo->latest;
	if (range->older != NULL)
		range->older->newer = range;
	tp->ooo->latest = range;
}

static void range_changed(struct tcp_sock *tp, struct tcp_range *range)
{
	unlink_change(tp, range);
	link_change(tp, range);
}

/* It is in no list any more. */
static void range_free(struct tcp_sock *tp, struct tcp_range *range)
{
	struct strata_pkt *pkt;

	while ((pkt = range->head) != NULL) {
		range->head = pkt->next;
		tp->ooo_size -= strata_pkt_truesize(pkt);
		strata_pkt_free(pkt);
	}
	strata_cache_free(tcp_module_of(tp)->ranges, range);
	tp->ooo_ranges--;
}

void tcp_reasm_forget(struct tcp_sock *tp, uint32_t seq)
{
	struct tcp_range *prev = NULL, *range = tp->ooo;

	for (; range != NULL && seq_lt(range->start, seq); range = range->next)
		prev = range;
	while (range != NULL) {
		struct tcp_range *next = range->next;

		unlink_change(tp, range);
		if (prev != NULL)
			prev->next = next;
		else
			set_first(tp, next);
		range_free(tp, range);
		range = next;
	}
}

void tcp_reasm_purge(struct tcp_sock *tp)
{
	if (tp->ooo != NULL)
		tcp_reasm_forget(tp, tp->ooo->start);
}

/* Moves the first run, which begins at or before rcv_nxt, to the queue in order. */
static void pull_first(struct tcp_sock *tp)
{
	struct tcp_range *range = tp->ooo;
	struct strata_pkt *pkt;

	unlink_change(tp, range);
	set_first(tp, range->next);
	while ((pkt = range->head) != NULL) {
		range->head = pkt->next;
		tp->ooo_size -= strata_pkt_truesize(pkt);
		rcvq_append(tp, pkt);
	}
	range_free(tp, range);
}

static void range_append(struct tcp_sock *tp, struct tcp_range *range, struct strata_pkt *pkt)
{
	range->end += strata_pkt_length(pkt);
	if (coalesce(range->tail, pkt))
		return;
	pkt = compact(range->tail, pkt);
	tp->ooo_size += strata_pkt_truesize(pkt);
	pkt->next = NULL;
	range->tail->next = pkt;
	range->tail = pkt;
}

static void range_prepend(struct tcp_sock *tp, struct tcp_range *range, struct strata_pkt *pkt)
{
	range->start -= strata_pkt_length(pkt);
	pkt = compact(NULL, pkt);
	tp->ooo_size += strata_pkt_truesize(pkt);
	pkt->next = range->head;
	range->head = pkt;
}

/* A new run between `prev` (NULL: none) and what follows it. */
static struct tcp_range *range_new(struct tcp_sock *tp, struct tcp_range *prev, uint32_t seq,
				   struct strata_pkt *pkt)
{
	struct tcp_range *range = strata_cache_alloc(tcp_module_of(tp)->ranges);

	if (range == NULL)
		return NULL;
	range->start = seq;
	range->end = seq + strata_pkt_length(pkt);
	pkt = compact(NULL, pkt);
	tp->ooo_size += strata_pkt_truesize(pkt);
	pkt->next = NULL;
	range->head = range->tail = pkt;
	range->next = prev != NULL ? prev->next : tp->ooo;
	if (prev != NULL)
		prev->next = range;
	else
		set_first(tp, range);
	link_change(tp, range);
	tp->ooo_ranges++;
	return range;
}

/* Joins `range` with the one behind it, which it touches. */
static void range_join(struct tcp_sock *tp, struct tcp_range *range)
{
	struct tcp_range *next = range->next;

	range->tail->next = next->head;
	range->tail = next->tail;
	range->end = next->end;
	range->next = next->next;
	unlink_change(tp, next);
	next->head = NULL;
	range_free(tp, next);
}

/* A run for bytes that touch no other; NULL with the reason when there can be none. */
static struct tcp_range *fill_alone(struct tcp_sock *tp, struct tcp_range *prev, uint32_t seq,
				    struct strata_pkt *pkt, enum tcp_drop *reason)
{
	struct tcp_range *range;

	if (tp->ooo_ranges >= tcp_module_of(tp)->config->out_of_order_ranges) {
		*reason = TCP_DROP_OUT_OF_ORDER_LIMIT;
		return NULL;
	}
	range = range_new(tp, prev, seq, pkt);
	if (range == NULL)
		*reason = TCP_DROP_NO_MEMORY;
	return range;
}

/* Puts bytes that no run has, at `seq` between `prev` and its successor. Returns the run that has
 * taken them; NULL: none, `pkt` is still the caller's, and the reason is told. */
static struct tcp_range *fill_gap(struct tcp_sock *tp, struct tcp_range *prev, uint32_t seq,
				  struct strata_pkt *pkt, enum tcp_drop *reason)
{
	struct tcp_range *next = prev != NULL ? prev->next : tp->ooo, *range;
	uint32_t end = seq + strata_pkt_length(pkt);

	if (prev != NULL && prev->end == seq) {
		range_append(tp, prev, pkt);
		range = prev;
	} else if (next != NULL && next->start == end) {
		range_prepend(tp, next, pkt);
		range = next;
	} else {
		range = fill_alone(tp, prev, seq, pkt, reason);
		if (range == NULL)
			return NULL;
	}
	if (range->next != NULL && range->next->start == range->end)
		range_join(tp, range);
	range_changed(tp, range);
	return range;
}

/* The packet's first `length` bytes, the rest staying in `*pkt`; NULL when memory is short. */
static struct strata_pkt *cut_front(struct strata_pkt **pkt, uint32_t length)
{
	struct strata_pkt *front;

	if (length == strata_pkt_length(*pkt)) {
		front = *pkt;
		*pkt = NULL;
		return front;
	}
	front = strata_pkt_slice(*pkt, 0, length, 0);
	strata_pkt_pull(*pkt, length);
	return front;
}

/* Queues the segment's bytes where runs have left gaps, and takes its packet; where none were new, the
 * packet is left, and the reason told. */
static void queue_out_of_order(struct tcp_sock *tp, struct tcp_segment *seg)
{
	struct strata_pkt *pkt = seg->pkt, *part = NULL;
	uint32_t seq = seg->seq, end = seq + strata_pkt_length(pkt), upto, added = 0;
	struct tcp_range *prev = NULL, *next, *range;
	bool repeated = false;

	for (next = tp->ooo; next != NULL && seq_lt(next->end, seq); next = next->next)
		prev = next;
	while (pkt != NULL && seq_lt(seq, end)) {
		next = prev != NULL ? prev->next : tp->ooo;
		if (next != NULL && seq_leq(next->start, seq))
			prev = next;
		if (prev != NULL && seq_gt(prev->end, seq)) {
			/* Held already, as far as this run goes: the first copy wins. */
			upto = seq_min(prev->end, end);
			/* RFC 2883 4.2.3: of several duplicate parts the first is reported. */
			if (!repeated)
				tcp_dsack(tp, seq, upto);
			repeated = true;
			strata_pkt_pull(pkt, upto - seq);
			range_changed(tp, prev);
			seq = upto;
			continue;
		}
		next = prev != NULL ? prev->next : tp->ooo;
		upto = next != NULL ? seq_min(next->start, end) : end;
		seg->reason = TCP_DROP_NO_MEMORY;
		part = cut_front(&pkt, upto - seq);
		range = part != NULL ? fill_gap(tp, prev, seq, part, &seg->reason) : NULL;
		if (range == NULL)
			break;
		part = NULL;
		added += upto - seq;
		seq = upto;
		prev = range;
	}
	seg->pkt = NULL;
	if (added == 0) {
		if (seq == end)
			seg->reason = TCP_DROP_DUPLICATE;
		seg->pkt = part != NULL ? part : pkt;
		part = part != NULL ? pkt : NULL;
	} else {
		strata_pkt_free(pkt);
	}
	strata_pkt_free(part);
}

/* ---- both ---- */

static bool buffer_full(const struct tcp_sock *tp)
{
	return tp->rcvq.bytes + tp->ooo_size > tp->sock.rcvbuf;
}

/* Moves over what is in order now. */
static void pull_ready(struct tcp_sock *tp)
{
	while (tp->ooo != NULL && tp->ooo->start == tp->rcv_nxt)
		pull_first(tp);
}

bool tcp_reasm_input(struct tcp_sock *tp, struct tcp_segment *seg)
{
	if (buffer_full(tp)) {
		/* RFC 9293 3.8.6: what was offered is taken, in order. Bytes out of order were not promised to
		 * be kept (RFC 2018 8): they make way, unless this fills the hole before them. */
		if (seg->seq != tp->rcv_nxt) {
			seg->reason = TCP_DROP_RCVBUF_FULL;
			return false;
		}
		if (tp->rcvq.head != NULL && tp->ooo != NULL &&
		    seq_lt(seg->seq + seg->length, tp->ooo->start))
			tcp_reasm_purge(tp);
	}
	if (seg->seq == tp->rcv_nxt && (tp->ooo == NULL || seq_leq(seg->seq + seg->length,
								    tp->ooo->start))) {
		rcvq_append(tp, seg->pkt);
		seg->pkt = NULL;
		pull_ready(tp);
		return true;
	}
	queue_out_of_order(tp, seg);
	if (seg->pkt != NULL) {
		/* Its acknowledgement and its FIN count all the same, so it goes on as a segment. */
		strata_drop(tp->sock.transport, seg->pkt, seg->reason);
		seg->pkt = NULL;
		seg->dropped = true;
	}
	tcp_count(tp, TCP_COUNT_OUT_OF_ORDER, 1);
	pull_ready(tp);
	return true;
}

void tcp_dsack(struct tcp_sock *tp, uint32_t start, uint32_t end)
{
	if (!tp->sack_ok || !tcp_module_of(tp)->config->dsack)
		return;
	tp->dsack_start = start;
	tp->dsack_end = end;
}

unsigned int tcp_reasm_blocks(const struct tcp_sock *tp, struct tcp_block *out, unsigned int max)
{
	const struct tcp_range *range = tp->ooo != NULL ? tp->ooo->latest : NULL;
	unsigned int n = 0;

	/* RFC 2883 section 4: the duplicate comes first. */
	if (tp->dsack_start != tp->dsack_end && n < max) {
		out[n].start = tp->dsack_start;
		out[n++].end = tp->dsack_end;
	}
	/* RFC 2018 section 4: the run changed last first, then those changed before it. */
	for (; range != NULL && n < max; range = range->older) {
		out[n].start = range->start;
		out[n++].end = range->end;
	}
	return n;
}
