/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loss: how it is inferred, what is retransmitted, and what the window is meanwhile. Sent data is
 * described by sequence ranges: below `lost_edge` what is not sacked is lost, below `high_rxt` it has
 * been retransmitted. Read RFC 5681 3.2, RFC 6582 3.2, RFC 6675 4 and 5, RFC 6298 5, RFC 8985 7 before
 * editing.
 */
#include "tcp_int.h"

/* RFC 8985 7.2: what a receiver may delay the ACK of a lone segment, and local: a timer's grain. */
#define PROBE_DELAYED_ACK (200 * STRATA_MS)
#define PROBE_GRAIN (2 * STRATA_MS)

void tcp_recovery_init(struct tcp_sock *tp)
{
	tp->phase = TCP_PHASE_OPEN;
	tp->high_rxt = tp->lost_edge = tp->snd_una;
	/* RFC 6582 3.2: nothing has been recovered yet. */
	tp->recover = tp->snd_una - 1;
	tp->reno_sacked = 0;
	tp->dupacks = 0;
	tp->head_lost = tp->tlp_pending = false;
}

static bool recovering(const struct tcp_sock *tp)
{
	return tp->phase == TCP_PHASE_RECOVERY || tp->phase == TCP_PHASE_LOSS;
}

uint32_t tcp_pipe(const struct tcp_sock *tp)
{
	uint32_t flight = tp->snd_nxt - tp->snd_una, out;

	if (tp->phase == TCP_PHASE_OPEN)
		return flight;
	out = tcp_sacked(tp) + tp->reno_sacked;
	if (recovering(tp)) {
		out += tcp_sack_missing(tp, tp->snd_una, tp->lost_edge);
		flight += tcp_sack_missing(tp, tp->snd_una, tp->high_rxt);
	}
	return flight > out ? flight - out : 0;
}

bool tcp_recovery_allows_new(const struct tcp_sock *tp)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;

	switch (tp->phase) {
	case TCP_PHASE_LOSS:
		/* Nothing new before the recovery point is passed. */
		return false;
	case TCP_PHASE_RECOVERY:
		/* RFC 6675 NextSeg: what is lost goes first (1), then new data (2). */
		return !seq_lt(tp->high_rxt, tp->lost_edge) ||
		       tcp_sack_missing(tp, tp->high_rxt, tp->lost_edge) == 0;
	case TCP_PHASE_DISORDER:
		return config->limited_transmit;
	default:
		return true;
	}
}

/* ---- entering and leaving ---- */

static void reduce(struct tcp_sock *tp, bool timeout)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);
	uint32_t half = tcp_max32(tp->cc.flight / 2, 2u * tp->cc.mss);

	if (ops == NULL)
		tp->cc.ssthresh = half;
	else
		tp->cc.ssthresh = timeout ? ops->timeout(&tp->cc, tcp_now(tp)) :
					    ops->loss(&tp->cc, tcp_now(tp));
}

/* Everything up to snd_nxt is to be repaired, nothing has been yet. */
static void begin(struct tcp_sock *tp, enum tcp_phase phase)
{
	tp->phase = (uint8_t)phase;
	tp->recover = tp->snd_nxt;
	tp->high_rxt = tp->snd_una;
	tp->rtx_bytes = tp->rtx_arrived = 0;
	tp->head_lost = tp->tlp_pending = false;
	tcp_timer_clear(tp, TCP_TIMER_PROBE);
}

static void enter_recovery(struct tcp_sock *tp)
{
	tcp_count(tp, TCP_COUNT_FAST_RECOVERIES, 1);
	/* FlightSize: what is outstanding, sacked or not; but RFC 5681 3.2 (2): not what limited transmit
	 * has sent beyond the window. */
	tp->cc.flight = tcp_min32(tp->snd_nxt - tp->snd_una, tp->cc.cwnd);
	reduce(tp, false);
	tp->cc.cwnd = tp->cc.ssthresh;
	begin(tp, TCP_PHASE_RECOVERY);
	tp->lost_edge = tp->snd_una;
}

static void leave(struct tcp_sock *tp)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);
	bool fast = tp->phase == TCP_PHASE_RECOVERY;

	tp->phase = tcp_sacked(tp) != 0 ? TCP_PHASE_DISORDER : TCP_PHASE_OPEN;
	tp->head_lost = false;
	tp->mtu_loss = false;
	tp->dupacks = 0;
	tp->reno_sacked = 0;
	tp->high_rxt = tp->lost_edge = tp->snd_una;
	if (!fast)
		return;
	/* RFC 6675 section 5 (A), RFC 6582 3.2 (3): deflate. */
	tp->cc.cwnd = tp->cc.ssthresh;
	if (ops != NULL && ops->recovered != NULL)
		ops->recovered(&tp->cc, tcp_now(tp));
}

/* ---- acknowledgements ---- */

/* Marks what the scoreboard, or without SACK the duplicates, show to be lost. */
static void mark_lost(struct tcp_sock *tp)
{
	struct tcp_block hole;
	uint32_t edge;

	if (tp->phase == TCP_PHASE_LOSS)
		return;
	if (!tp->sack_ok) {
		/* RFC 6582: the first segment not acknowledged, and no other. */
		tp->lost_edge = seq_min(tp->snd_una + tp->cc.mss, tp->snd_nxt);
		return;
	}
	edge = tcp_sack_lost_edge(tp);
	/* RFC 6675 section 5: by DupThresh duplicates the first hole is lost, whatever their size. */
	if (edge == tp->snd_una && tp->dupacks >= TCP_DUPACK_THRESHOLD &&
	    tcp_sack_hole(tp, tp->snd_una, tp->snd_nxt, &hole))
		edge = seq_min(hole.end, hole.start + tp->cc.mss);
	tp->lost_edge = seq_max(tp->lost_edge, edge);
}

static bool loss_inferred(const struct tcp_sock *tp)
{
	if (!tp->sack_ok)
		/* RFC 6582 3.2 (1): duplicates of what a former recovery sent twice mean nothing. */
		return tp->dupacks >= TCP_DUPACK_THRESHOLD && seq_gt(tp->snd_una, tp->recover);
	return tcp_sacked(tp) != 0 && (tp->dupacks >= TCP_DUPACK_THRESHOLD ||
				       tcp_sack_lost_edge(tp) != tp->snd_una);
}

/* Without SACK each duplicate says that one segment has left the network (RFC 5681 3.2 (4)). */
static void count_duplicate(struct tcp_sock *tp)
{
	uint32_t flight = tp->snd_nxt - tp->snd_una;

	if (tp->dupacks < UINT8_MAX)
		tp->dupacks++;
	if (tp->sack_ok)
		return;
	tp->reno_sacked += tp->cc.mss;
	if (tp->reno_sacked + tp->cc.mss > flight)
		tp->reno_sacked = flight > tp->cc.mss ? flight - tp->cc.mss : 0;
}

/* Without SACK, a partial acknowledgement: what it covers was one retransmission and duplicates
 * counted before (RFC 6582 3.2 (3), said with the pipe instead of an inflated window). */
static void partial_without_sack(struct tcp_sock *tp, uint32_t acked)
{
	uint32_t counted = acked > tp->cc.mss ? acked - tp->cc.mss : 0;

	tp->reno_sacked -= tcp_min32(tp->reno_sacked, counted);
	if (tp->phase == TCP_PHASE_RECOVERY)
		tp->high_rxt = tp->snd_una;
}

/* RFC 6675 does not see a retransmission that is lost, and waits for the timer. But what was sent after
 * it, retransmissions of later holes and new data, arrives in order as a rule: when more than DupThresh
 * allows has, and the first hole is still there, its retransmission is gone. */
static void check_retransmission(struct tcp_sock *tp, bool advanced)
{
	uint32_t waiting = tcp_sack_missing(tp, tp->snd_una, tp->high_rxt);
	uint32_t fresh = tp->snd_nxt - tp->recover - tcp_sack_missing(tp, tp->recover, tp->snd_nxt);
	uint32_t arrived = tp->rtx_bytes - waiting + fresh;

	if (!tp->sack_ok)
		return;
	if (!advanced && tp->high_rxt != tp->snd_una &&
	    arrived - tp->rtx_arrived > (TCP_DUPACK_THRESHOLD - 1) * tp->cc.mss)
		tp->head_lost = true;
	if (advanced || tp->head_lost)
		tp->rtx_arrived = arrived;
}

/* RFC 8985 7.4.2: did the probe repair a loss? Then the window has not heard of it yet. */
static void probe_ack(struct tcp_sock *tp, const struct tcp_ack_event *event)
{
	if (!tp->tlp_pending || seq_lt(tp->snd_una, tp->tlp_end))
		return;
	if (!tp->tlp_again || event->dsack || event->duplicate) {
		tp->tlp_pending = false;
	} else if (seq_gt(tp->snd_una, tp->tlp_end)) {
		tp->tlp_pending = false;
		tp->cc.flight = tp->snd_nxt - tp->snd_una + event->acked;
		reduce(tp, false);
		tp->cc.cwnd = tp->cc.ssthresh;
	}
}

void tcp_recovery_ack(struct tcp_sock *tp, const struct tcp_ack_event *event)
{
	bool duplicate = tp->sack_ok ? event->sacked != 0 && event->acked == 0 : event->duplicate;

	tp->high_rxt = seq_max(tp->high_rxt, tp->snd_una);
	tp->lost_edge = seq_max(tp->lost_edge, tp->snd_una);
	probe_ack(tp, event);
	if (recovering(tp)) {
		if (event->acked != 0 && seq_geq(tp->snd_una, tp->recover)) {
			leave(tp);
		} else if (event->acked != 0) {
			if (!tp->sack_ok)
				partial_without_sack(tp, event->acked);
		} else if (duplicate && tp->phase == TCP_PHASE_RECOVERY) {
			count_duplicate(tp);
		}
		if (recovering(tp)) {
			mark_lost(tp);
			check_retransmission(tp, event->acked != 0);
		}
		return;
	}
	if (event->acked != 0) {
		tp->dupacks = 0;
		tp->reno_sacked = 0;
		/* Kept near, or it would seem to lie ahead after 2 GiB. */
		if (seq_gt(tp->snd_una, tp->recover))
			tp->recover = tp->snd_una - 1;
	}
	if (duplicate)
		count_duplicate(tp);
	tp->phase = tp->dupacks != 0 || tcp_sacked(tp) != 0 ? TCP_PHASE_DISORDER : TCP_PHASE_OPEN;
	if (tp->phase == TCP_PHASE_DISORDER && loss_inferred(tp)) {
		enter_recovery(tp);
		mark_lost(tp);
	}
}

void tcp_recovery_ecn(struct tcp_sock *tp)
{
	/* Once a window: until what was in flight at the last reduction is acknowledged. */
	if (recovering(tp) || seq_leq(tp->snd_una, tp->recover))
		return;
	/* The window is what is halved: this ACK may have emptied the flight. */
	tp->cc.flight = tp->cc.cwnd;
	reduce(tp, false);
	tp->cc.cwnd = tp->cc.ssthresh;
	tp->recover = tp->snd_nxt;
	tp->cwr_due = true;
}

/* ---- timeouts and path changes ---- */

static void lose_all(struct tcp_sock *tp)
{
	if (tcp_sack_reneged(tp)) {
		/* RFC 2018 section 8: the peer may have discarded what it reported. */
		tcp_count(tp, TCP_COUNT_SACK_RENEGED, 1);
		tcp_sack_clear(tp);
	}
	begin(tp, TCP_PHASE_LOSS);
	tp->lost_edge = tp->snd_nxt;
	tp->reno_sacked = 0;
	tp->dupacks = 0;
}

void tcp_recovery_timeout(struct tcp_sock *tp)
{
	tp->cc.flight = tp->snd_nxt - tp->snd_una;
	/* RFC 5681 3.1: a segment that times out again does not lower ssthresh again. */
	if (tp->phase != TCP_PHASE_LOSS || tp->mtu_loss || tp->retransmits == 0)
		reduce(tp, true);
	tp->mtu_loss = false;
	lose_all(tp);
	tp->cc.cwnd = tp->cc.mss;
}

void tcp_recovery_mtu(struct tcp_sock *tp)
{
	if (tp->snd_una == tp->snd_nxt)
		return;
	/* Nothing was congested: the window stays (as Linux's tcp_simple_retransmit). */
	tp->mtu_loss = true;
	lose_all(tp);
	tcp_rtt_cancel(tp, tp->snd_una);
}

void tcp_recovery_opened(struct tcp_sock *tp)
{
	if (tp->phase != TCP_PHASE_LOSS)
		return;
	tp->retransmits = 0;
	tp->high_rxt = tp->snd_una;
	tp->rtx_bytes = tp->rtx_arrived = 0;
	tcp_timer_retransmit(tp);
}

/* ---- tail loss probes ---- */

void tcp_recovery_arm_probe(struct tcp_sock *tp)
{
	uint32_t flight = tp->snd_nxt - tp->snd_una;
	uint64_t wait = 2 * tp->cc.srtt + PROBE_GRAIN;

	tcp_timer_clear(tp, TCP_TIMER_PROBE);
	/* RFC 8985 7.2, 7.3: with SACK, outside recovery, one at a time. */
	if (!tcp_module_of(tp)->config->tail_loss_probe || !tp->sack_ok || tp->cc.srtt == 0 ||
	    tp->phase != TCP_PHASE_OPEN || tp->tlp_pending || flight == 0 ||
	    !tcp_in(tp, TCP_SENDS))
		return;
	if (flight <= tp->cc.mss)
		wait += PROBE_DELAYED_ACK;
	/* The retransmission timer comes first: then a probe is of no use. */
	if (wait < tcp_rto(tp))
		tcp_timer_set(tp, TCP_TIMER_PROBE, tcp_now(tp) + wait);
}

void tcp_recovery_probe(struct tcp_sock *tp)
{
	uint32_t room = tcp_segment_room(tp), length = tcp_min32(tp->snd_nxt - tp->snd_una, room);
	uint32_t fresh = tcp_min32(seq_span(tp->snd_nxt, tp->snd_end),
				   seq_span(tp->snd_nxt, tp->snd_una + tp->snd_wnd));

	if (tp->phase != TCP_PHASE_OPEN || length == 0 || !tcp_in(tp, TCP_SENDS))
		return;
	/* RFC 8985 7.3: new data where there is some, else the last segment again. */
	tp->tlp_again = fresh == 0;
	if ((fresh != 0 ? tcp_xmit(tp, tp->snd_nxt, tcp_min32(fresh, room), TCP_ACK) :
			  tcp_xmit(tp, tp->snd_nxt - length, length, TCP_ACK)) < 0)
		return;
	tp->tlp_pending = true;
	tp->tlp_end = tp->snd_nxt;
	tcp_count(tp, TCP_COUNT_TAIL_PROBES, 1);
	tcp_timer_retransmit(tp);
}

/* ---- output ---- */

/* How much of a hole may go now: whole segments within the window, at least one when it is the first
 * (RFC 6675 section 5, step 4.3: the first retransmission waits for nothing). */
static uint32_t retransmit_quota(const struct tcp_sock *tp, uint32_t length, uint32_t room)
{
	uint32_t pipe = tcp_pipe(tp), window;

	window = tp->cc.cwnd > pipe ? tp->cc.cwnd - pipe : 0;
	if (window < room && tp->high_rxt != tp->snd_una)
		return 0;
	return tcp_min32(length, tcp_max32(window / room, 1) * room);
}

/* The first hole once more, a segment of it. It was counted when it was retransmitted first. */
static void retransmit_head(struct tcp_sock *tp)
{
	struct tcp_block hole;
	uint32_t length;
	int taken;

	tp->head_lost = false;
	if (!tcp_sack_hole(tp, tp->snd_una, tp->high_rxt, &hole))
		return;
	length = tcp_min32(hole.end - hole.start, tcp_segment_room(tp));
	taken = tcp_xmit(tp, hole.start, length, TCP_ACK);
	if (taken > 0)
		tp->rtx_bytes -= (uint32_t)taken;
}

void tcp_recovery_output(struct tcp_sock *tp)
{
	struct tcp_block hole;
	uint32_t room, length, right;

	if (tp->head_lost)
		retransmit_head(tp);
	while (recovering(tp) && seq_lt(tp->high_rxt, tp->lost_edge)) {
		if (!tcp_sack_hole(tp, tp->high_rxt, tp->lost_edge, &hole)) {
			tp->high_rxt = tp->lost_edge;
			return;
		}
		room = tcp_segment_room(tp);
		length = retransmit_quota(tp, hole.end - hole.start, room);
		/* The window may have shrunk under what was sent: beyond its edge only the first segment goes
		 * (RFC 9293 3.8.6, MUST-34). */
		right = tp->snd_una + tp->snd_wnd;
		if (seq_gt(hole.start + length, right))
			length = hole.start == tp->snd_una ?
					 tcp_max32(seq_span(hole.start, right), tcp_min32(length, room)) :
					 tcp_min32(length, seq_span(hole.start, right));
		if (length == 0)
			return;
		if (tcp_xmit(tp, hole.start, length, TCP_ACK) < 0)
			return;
	}
}
