/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of what was sent: a ring sorted by sequence number, without gaps from snd_una to snd_nxt.
 * Loss detection by time (RFC 8985 5.1), selective acknowledgement and the delivery rate all live on
 * them. Cost per ACK is bounded: by what it newly delivers, and by the limit on separate sacked runs, so
 * that no peer can make it dear (CVE-2018-5390, CVE-2019-11478).
 */
#include "tcp_int.h"

/* local choice: from this many records on, new data joins the last one whatever its time. */
#define RECORDS_COARSE 8192

/* ---- the ring ---- */

static struct tcp_sent *at(const struct tcp_flight *f, uint32_t i)
{
	return tcp_sent_at(f, i);
}

static bool grow(struct tcp_sock *tp, uint32_t want)
{
	struct strata_stack *stack = tp->sock.stack;
	struct tcp_flight *f = tp->flight;
	uint32_t room = f->room, i;
	struct tcp_sent *ring;

	while (room < want)
		room *= 2;
	ring = strata_alloc(stack, room * sizeof(*ring));
	if (ring == NULL)
		return false;
	for (i = 0; i < f->count; i++)
		ring[i] = *at(f, i);
	if (f->ring != f->first)
		strata_free(stack, f->ring);
	f->ring = ring;
	f->room = room;
	f->head = 0;
	return true;
}

/* The block of a new flight. NULL: memory is short. */
static struct tcp_flight *flight_begin(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight_spare;

	if (f != NULL)
		memset(f, 0, offsetof(struct tcp_flight, ring));
	else
		f = strata_cache_alloc(tcp_module_of(tp)->flights);
	if (f == NULL)
		return NULL;
	f->ring = f->first;
	f->room = TCP_FLIGHT_RECORDS;
	if (tp->app_limited)
		f->app_limited = tp->cc.delivered != 0 ? tp->cc.delivered : 1;
	tp->flight_spare = NULL;
	tp->flight = f;
	return f;
}

bool tcp_flight_reserve(struct tcp_sock *tp, uint32_t n)
{
	struct tcp_flight *f = tp->flight;

	if (f == NULL) {
		f = flight_begin(tp);
		if (f == NULL)
			return false;
	}
	return strata_likely(f->count + n <= f->room) || grow(tp, f->count + n);
}

/* Takes `n` records out, moving the shorter side up. */
static void ring_remove(struct tcp_flight *f, uint32_t i, uint32_t n)
{
	uint32_t after = f->count - i - n, k;

	if (n == 0)
		return;
	if (i < after) {
		for (k = i; k-- > 0;)
			*at(f, k + n) = *at(f, k);
		f->head = (f->head + n) & (f->room - 1);
	} else {
		for (k = 0; k < after; k++)
			*at(f, i + k) = *at(f, i + n + k);
	}
	f->count -= n;
}

/* Makes room before record i, which was reserved. */
static void ring_insert(struct tcp_flight *f, uint32_t i)
{
	uint32_t k;

	f->count++;
	if (i < f->count / 2) {
		f->head = (f->head - 1) & (f->room - 1);
		for (k = 0; k < i; k++)
			*at(f, k) = *at(f, k + 1);
	} else {
		for (k = f->count - 1; k > i; k--)
			*at(f, k) = *at(f, k - 1);
	}
}

uint32_t tcp_sent_find(const struct tcp_flight *f, uint32_t seq)
{
	uint32_t low = 0, high = f->count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (seq_leq(at(f, middle)->end, seq))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool tcp_sent_split(struct tcp_sock *tp, uint32_t i, uint32_t seq)
{
	struct tcp_flight *f = tp->flight;
	struct tcp_sent *whole = at(f, i);

	if (seq_leq(seq, whole->start) || seq_geq(seq, whole->end))
		return true;
	if (!tcp_flight_reserve(tp, 1))
		return false;
	ring_insert(f, i + 1);
	whole = at(f, i);
	*at(f, i + 1) = *whole;
	whole->end = seq;
	at(f, i + 1)->start = seq;
	return true;
}

/* ---- the block's life ---- */

/* Runs of SACKED records count against the limits of the connection and of the stack. */
static void runs_add(struct tcp_sock *tp, int n)
{
	tp->flight->runs += (uint32_t)n;
	tcp_module_of(tp)->sack_runs += (uint32_t)n;
}

/* What a flight in disorder may have needed goes with it. */
static void flight_end(struct tcp_sock *tp)
{
	struct tcp_module *m = tcp_module_of(tp);
	struct tcp_flight *f = tp->flight;

	m->sack_runs -= f->runs;
	if (f->ring != f->first)
		strata_free(m->stack, f->ring);
	tp->flight = NULL;
	tp->flight_spare = f;
}

void tcp_flight_free(struct tcp_sock *tp)
{
	if (tp->flight != NULL)
		flight_end(tp);
	if (tp->flight_spare != NULL)
		strata_cache_free(tcp_module_of(tp)->flights, tp->flight_spare);
	tp->flight_spare = NULL;
}

void tcp_flight_release(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;

	if (f == NULL || f->count != 0)
		return;
	if (!f->undo_possible && !f->tlp_pending) {
		tcp_timer_clear(tp, TCP_TIMER_RACK);
		flight_end(tp);
	} else if (!tcp_timer_is_set(tp, TCP_TIMER_RACK)) {
		/* The last DSACKs may still be under way. */
		f->probing = false;
		tcp_timer_set(tp, TCP_TIMER_RACK, tcp_now(tp) + tcp_rto(tp));
	}
}

static bool is_sacked(const struct tcp_flight *f, uint32_t i)
{
	return i < f->count && (at(f, i)->flags & TCP_SENT_SACKED) != 0;
}

/* ---- sending ---- */

/* The four snapshots (draft-ietf-ccwg-bbr 4.5.1.2.2), and what else belongs to the moment. */
static void stamp(struct tcp_sock *tp, struct tcp_sent *sent, uint64_t now)
{
	struct tcp_flight *f = tp->flight;

	sent->time = now;
	sent->order = ++f->order;
	sent->delivered = tp->cc.delivered;
	sent->delivered_time = f->delivered_time;
	sent->first_sent_time = f->first_sent_time;
	sent->lost = tp->cc.lost;
}

void tcp_sent_new(struct tcp_sock *tp, uint32_t start, uint32_t end)
{
	uint32_t pipe = tcp_pipe(tp) + (end - start);
	struct tcp_flight *f = tp->flight;
	struct tcp_sent *tail = f->count != 0 ? at(f, f->count - 1) : NULL;
	uint64_t now = tcp_now(tp);
	uint8_t flags = 0;

	if (tail == NULL) {
		f->first_sent_time = f->delivered_time = now;
		/* No longer the time to forget the last reduction: this flight's tail may be probed. */
		if (!f->probing)
			tcp_timer_clear(tp, TCP_TIMER_RACK);
	}
	if (f->app_limited != 0 || tp->cc.mark_app_limited)
		flags = TCP_SENT_APP_LIMITED;
	/* What leaves at the same moment is one transmission. */
	if (tail == NULL || tail->flags != flags ||
	    (f->count < RECORDS_COARSE &&
	     (tail->time != now || tail->delivered != tp->cc.delivered))) {
		f->count++;
		tail = at(f, f->count - 1);
		tail->start = start;
		tail->flags = flags;
	}
	tail->end = end;
	tail->tx_flight = pipe;
	stamp(tp, tail, now);
}

/* May record i join the one before? Both are lost and wait, or both left again at the same moment. */
static bool joins(const struct tcp_flight *f, uint32_t i)
{
	const struct tcp_sent *a = at(f, i - 1), *b = at(f, i);

	if (((a->flags ^ b->flags) & ~TCP_SENT_APP_LIMITED) != 0 || (b->flags & TCP_SENT_LOST) == 0)
		return false;
	return (b->flags & TCP_SENT_RETRANSMITTED) == 0 ||
	       (a->time == b->time && a->delivered == b->delivered);
}

/* Merges record i into the one before where that is possible. Returns the index of what holds it. */
static uint32_t join(struct tcp_flight *f, uint32_t i)
{
	struct tcp_sent *before;

	if (i == 0 || !joins(f, i))
		return i;
	before = at(f, i - 1);
	before->end = at(f, i)->end;
	if (at(f, i)->time >= before->time) {
		before->time = at(f, i)->time;
		before->order = at(f, i)->order;
	}
	ring_remove(f, i, 1);
	return i - 1;
}

void tcp_sent_again(struct tcp_sock *tp, uint32_t start, uint32_t end)
{
	uint32_t i = tcp_sent_find(tp->flight, start), length;
	struct tcp_flight *f = tp->flight;
	uint64_t now = tcp_now(tp);
	struct tcp_sent *sent;

	if (!is_sacked(f, i)) {
		tcp_sent_split(tp, i, start);
		if (seq_lt(at(f, i)->start, start))
			i++;
	}
	for (; i < f->count && seq_lt(at(f, i)->start, end); i++) {
		if (is_sacked(f, i))
			continue;
		tcp_sent_split(tp, i, end);
		sent = at(f, i);
		length = sent->end - sent->start;
		if ((sent->flags & TCP_SENT_RETRANSMITTED) == 0) {
			f->retransmitted += length;
			if (sent->flags & TCP_SENT_LOST)
				f->waiting -= length;
		}
		tcp_undo_retransmitted(tp, length);
		sent->flags |= TCP_SENT_RETRANSMITTED | TCP_SENT_EVER;
		stamp(tp, sent, now);
		sent->tx_flight = tcp_pipe(tp);
		i = join(f, i);
	}
	if (seq_leq(start, f->waiting_seq))
		f->waiting_seq = seq_max(f->waiting_seq, end);
}

/* ---- what arrives ---- */

/* `bytes` of a record need no longer be counted as they were. */
static void uncount(struct tcp_flight *f, const struct tcp_sent *sent, uint32_t bytes)
{
	if (sent->flags & TCP_SENT_SACKED) {
		f->sacked -= bytes;
		return;
	}
	if (sent->flags & TCP_SENT_RETRANSMITTED)
		f->retransmitted -= bytes;
	if ((sent->flags & TCP_SENT_LOST) == 0)
		return;
	f->lost -= bytes;
	if ((sent->flags & TCP_SENT_RETRANSMITTED) == 0)
		f->waiting -= bytes;
}

/* [start, end) of a record has arrived: heard for the first time, by ACK or SACK. */
static void deliver(struct tcp_sock *tp, const struct tcp_sent *sent, uint32_t start, uint32_t end,
		    struct tcp_ack_event *event)
{
	event->delivered += end - start;
	if ((sent->flags & TCP_SENT_EVER) == 0 && seq_leq(end, tp->recover))
		event->original = true;
	tcp_rack_update(tp, sent, end, event);
	tcp_rate_delivered(tp, sent, end - start, event);
}

static void arrived(struct tcp_sock *tp, const struct tcp_sent *sent, uint32_t end,
		    struct tcp_ack_event *event)
{
	/* As nearly always it was sent once, and is heard of for the first time. */
	if (strata_likely((sent->flags & ~TCP_SENT_APP_LIMITED) == 0)) {
		if (event->acked_first == 0)
			event->acked_first = sent->time;
		event->acked_last = sent->time;
		deliver(tp, sent, sent->start, end, event);
		return;
	}
	uncount(tp->flight, sent, end - sent->start);
	if (sent->flags & TCP_SENT_EVER) {
		event->retransmitted = true;
	} else if ((sent->flags & TCP_SENT_SACKED) == 0) {
		if (event->acked_first == 0)
			event->acked_first = sent->time;
		event->acked_last = sent->time;
	}
	if ((sent->flags & TCP_SENT_SACKED) == 0)
		deliver(tp, sent, sent->start, end, event);
}

void tcp_sent_acked(struct tcp_sock *tp, uint32_t ack, struct tcp_ack_event *event)
{
	struct tcp_flight *f = tp->flight;
	struct tcp_sent *sent;

	if (strata_unlikely(f == NULL))
		return;
	for (; f->count != 0; f->head = (f->head + 1) & (f->room - 1), f->count--) {
		sent = at(f, 0);
		if (seq_gt(sent->end, ack)) {
			if (seq_lt(sent->start, ack)) {
				arrived(tp, sent, ack, event);
				sent->start = ack;
			}
			break;
		}
		arrived(tp, sent, sent->end, event);
		if (sent->flags & TCP_SENT_SACKED)
			runs_add(tp, -1);
	}
	f->waiting_seq = seq_max(f->waiting_seq, ack);
}

/* May one more separate run be remembered? */
static bool run_allowed(const struct tcp_sock *tp)
{
	const struct tcp_module *m = tcp_module_of(tp);

	return tp->flight->runs < m->config->sack_holes && m->sack_runs < m->config->sack_holes_max;
}

/* Record i is newly sacked. */
static void mark_sacked(struct tcp_sock *tp, struct tcp_sent *sent, struct tcp_ack_event *event)
{
	struct tcp_flight *f = tp->flight;
	uint32_t length = sent->end - sent->start;

	uncount(f, sent, length);
	/* A timeout since: the answer may be an old one, told again because it was lost. */
	if ((sent->flags & TCP_SENT_EVER) == 0 &&
	    (tp->phase != TCP_PHASE_LOSS || seq_geq(sent->start, tp->recover))) {
		if (event->sacked_first == 0 || sent->time < event->sacked_first)
			event->sacked_first = sent->time;
		if (sent->time > event->sacked_last)
			event->sacked_last = sent->time;
	}
	deliver(tp, sent, sent->start, sent->end, event);
	sent->flags &= (uint8_t)~(TCP_SENT_LOST | TCP_SENT_RETRANSMITTED);
	sent->flags |= TCP_SENT_SACKED;
	f->high_sacked = f->sacked != 0 ? seq_max(f->high_sacked, sent->end) : sent->end;
	f->sacked += length;
	event->sacked += length;
	runs_add(tp, 1);
}

/* Records first … last are sacked now: with their neighbours they become one. */
static void merge_sacked(struct tcp_sock *tp, uint32_t first, uint32_t last)
{
	struct tcp_flight *f = tp->flight;
	uint32_t i;

	if (first != 0 && is_sacked(f, first - 1))
		first--;
	if (is_sacked(f, last + 1))
		last++;
	for (i = first + 1; i <= last; i++)
		at(f, first)->flags |= at(f, i)->flags & TCP_SENT_EVER;
	at(f, first)->end = at(f, last)->end;
	runs_add(tp, -(int)(last - first));
	ring_remove(f, first + 1, last - first);
}

/* Does [start, end), whose first record is `first`, overlap or touch what is sacked already? */
static bool joins_run(const struct tcp_flight *f, uint32_t first, uint32_t start, uint32_t end)
{
	uint32_t i = first;

	if (i != 0 && is_sacked(f, i - 1) && at(f, i - 1)->end == start)
		return true;
	for (; i < f->count && seq_leq(at(f, i)->start, end); i++)
		if (is_sacked(f, i))
			return true;
	return false;
}

bool tcp_sent_sacked(struct tcp_sock *tp, uint32_t start, uint32_t end, struct tcp_ack_event *event)
{
	struct tcp_flight *f = tp->flight;
	uint32_t first = tcp_sent_find(f, start), i;

	if (first == f->count)
		return true;
	/* All of it known already: what most blocks say. */
	if (is_sacked(f, first) && seq_geq(at(f, first)->end, end))
		return true;
	if (!run_allowed(tp) && !joins_run(f, first, start, end))
		return false;
	if (!is_sacked(f, first)) {
		if (!tcp_sent_split(tp, first, start))
			return false;
		if (seq_lt(at(f, first)->start, start))
			first++;
	}
	for (i = first; i < f->count && seq_lt(at(f, i)->start, end); i++) {
		if (is_sacked(f, i))
			continue;
		if (!tcp_sent_split(tp, i, end))
			break;
		mark_sacked(tp, at(f, i), event);
	}
	if (i == first)
		return false;
	merge_sacked(tp, first, i - 1);
	return true;
}

/* ---- what does not ---- */

uint32_t tcp_sent_lost(struct tcp_sock *tp, uint32_t i)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);
	struct tcp_flight *f = tp->flight;
	struct tcp_sent *sent = at(f, i);
	uint32_t length = sent->end - sent->start;
	struct strata_loss_sample sample;

	if (sent->flags & TCP_SENT_RETRANSMITTED) {
		tcp_count(tp, TCP_COUNT_LOST_RETRANSMISSIONS, 1);
		f->retransmitted -= length;
		sent->flags &= (uint8_t)~TCP_SENT_RETRANSMITTED;
	}
	if ((sent->flags & TCP_SENT_LOST) == 0)
		f->lost += length;
	sent->flags |= TCP_SENT_LOST;
	f->waiting_seq = f->waiting != 0 ? seq_min(f->waiting_seq, sent->start) : sent->start;
	f->waiting += length;
	tp->cc.lost += length;
	if (ops != NULL && ops->segment_lost != NULL) {
		sample = (struct strata_loss_sample){
			.now = tcp_now(tp),
			.bytes = length,
			.tx_flight = sent->tx_flight,
			.lost_since = (uint32_t)(tp->cc.lost - sent->lost),
			.app_limited = (sent->flags & TCP_SENT_APP_LIMITED) != 0,
		};
		tp->cc.flight = tcp_pipe(tp);
		ops->segment_lost(&tp->cc, &sample);
	}
	return join(f, i);
}

struct tcp_sent *tcp_sent_waiting(struct tcp_flight *f)
{
	struct tcp_sent *sent;
	uint32_t i;

	if (f == NULL || f->waiting == 0)
		return NULL;
	for (i = tcp_sent_find(f, f->waiting_seq); i < f->count; i++) {
		sent = at(f, i);
		if ((sent->flags & (TCP_SENT_LOST | TCP_SENT_RETRANSMITTED)) == TCP_SENT_LOST) {
			f->waiting_seq = sent->start;
			return sent;
		}
	}
	return NULL;
}

void tcp_sent_unlose(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;
	uint32_t i;

	for (i = 0; i < f->count; i++)
		at(f, i)->flags &= (uint8_t)~TCP_SENT_LOST;
	f->lost = f->waiting = 0;
}

void tcp_sent_refused(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;
	struct tcp_sent *sent;
	uint32_t i;

	for (i = 0; i < f->count; i++) {
		sent = at(f, i);
		if ((sent->flags & TCP_SENT_RETRANSMITTED) == 0)
			continue;
		sent->flags &= (uint8_t)~TCP_SENT_RETRANSMITTED;
		f->retransmitted -= sent->end - sent->start;
		if (sent->flags & TCP_SENT_LOST) {
			f->waiting += sent->end - sent->start;
			f->waiting_seq = tp->snd_una;
		}
	}
}

void tcp_sent_reneged(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;
	uint32_t i;

	for (i = 0; i < f->count; i++)
		at(f, i)->flags &= (uint8_t)~TCP_SENT_SACKED;
	runs_add(tp, -(int)f->runs);
	f->sacked = 0;
}
