/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loss recovery: its phases, what the window is in each, and what is retransmitted. How losses are
 * inferred is in tcp_rack.c and tcp_lost.c. Read RFC 5681 3.2, RFC 6582 3.2, RFC 6675 5, RFC 6298 5,
 * RFC 9937 (proportional rate reduction) and RFC 5682 (F-RTO) before editing.
 */
#include "tcp_int.h"

void tcp_recovery_init(struct tcp_sock *tp)
{
	tp->phase = TCP_PHASE_OPEN;
	/* RFC 6582 3.2: nothing has been recovered yet. */
	tp->recover = tp->snd_una - 1;
	tp->dupacks = 0;
	tp->cwr_due = false;
	tp->reo_wnd_mult = 1;
	tp->reo_wnd_persist = 0;
	tp->reordering_seen = 0;
}

static bool repairing(const struct tcp_sock *tp)
{
	return tp->phase == TCP_PHASE_RECOVERY || tp->phase == TCP_PHASE_LOSS;
}

/* The algorithm keeps the window itself, in recovery too. */
static bool controlled(const struct tcp_sock *tp)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);

	return ops != NULL && ops->control != NULL;
}

bool tcp_recovery_reducing(const struct tcp_sock *tp)
{
	return tp->phase == TCP_PHASE_RECOVERY || tp->phase == TCP_PHASE_CWR;
}

bool tcp_recovery_allows_new(const struct tcp_sock *tp)
{
	switch (tp->phase) {
	case TCP_PHASE_LOSS:
		/* Nothing new before the recovery point is passed; but RFC 5682 2.1 (2b). */
		return tp->flight == NULL || tp->flight->frto == TCP_FRTO_NEW;
	case TCP_PHASE_RECOVERY:
		/* RFC 6675 NextSeg: what is lost goes first (1), then new data (2). */
		return tp->flight == NULL || tp->flight->waiting == 0;
	default:
		return true;
	}
}

/* ---- the window ---- */

static void reduce(struct tcp_sock *tp, bool timeout)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);
	uint32_t half = tcp_max32(tp->cc.flight / 2, 2u * tp->cc.mss);

	if (ops == NULL)
		tp->cc.ssthresh = half;
	else
		tp->cc.ssthresh = timeout ? ops->timeout(&tp->cc, tcp_now(tp)) :
					    ops->loss(&tp->cc, tcp_now(tp));
	/* RFC 3168 6.1.2: the peer's echo of congestion is answered. */
	tp->cwr_due = true;
}

/* RFC 9937 section 5: recovery begins. */
static void prr_begin(struct tcp_sock *tp, uint32_t delivered)
{
	struct tcp_flight *f = tp->flight;

	f->prr_delivered = f->prr_out = 0;
	f->recover_fs = tp->snd_nxt - tp->snd_una - f->sacked - f->reno_sacked + delivered;
	if (controlled(tp))
		return;
	if (tcp_module_of(tp)->config->prr)
		/* Each ACK gives more; this is for the fast retransmission. */
		tp->cc.cwnd = tcp_min32(tp->cc.cwnd, tcp_pipe(tp) + tp->cc.mss);
	else
		tp->cc.cwnd = tp->cc.ssthresh;
}

/* RFC 9937 section 5: on every ACK during recovery. `lost`: it shows a further loss. */
static void prr_ack(struct tcp_sock *tp, const struct tcp_ack_event *event, bool lost)
{
	struct tcp_flight *f = tp->flight;
	uint32_t pipe = tcp_pipe(tp), ssthresh = tp->cc.ssthresh, allowed, out;

	if (controlled(tp) || !tcp_module_of(tp)->config->prr || event->delivered == 0)
		return;
	f->prr_delivered += event->delivered;
	if (pipe > ssthresh) {
		allowed = (uint32_t)(((uint64_t)f->prr_delivered * ssthresh + f->recover_fs - 1) /
				     tcp_max32(f->recover_fs, 1));
		out = allowed > f->prr_out ? allowed - f->prr_out : 0;
	} else {
		out = f->prr_delivered > f->prr_out ? f->prr_delivered - f->prr_out : 0;
		out = tcp_max32(out, event->delivered);
		/* SafeACK: the slow-start reduction bound. */
		if (event->acked != 0 && !lost)
			out += tp->cc.mss;
		out = tcp_min32(out, ssthresh - pipe);
	}
	/* The fast retransmission waits for nothing. */
	if (f->prr_out == 0)
		out = tcp_max32(out, tp->cc.mss);
	tp->cc.cwnd = tcp_max32(pipe + out, tp->cc.mss);
}

/* ---- entering and leaving ---- */

/* FlightSize: what was outstanding, sacked or not, when the ACK came that has just taken `acked` bytes from it. One ACK
 * for a whole flight says both what arrived and what is lost. But RFC 5681 3.2 (2): not what limited transmit has sent
 * beyond the window. */
static uint32_t flight_size(const struct tcp_sock *tp, uint32_t acked)
{
	return tcp_min32(tp->snd_nxt - tp->snd_una + acked, tp->cc.cwnd);
}

static void begin(struct tcp_sock *tp, enum tcp_phase phase)
{
	tp->phase = (uint8_t)phase;
	tp->recover = tp->snd_nxt;
	tp->flight->tlp_pending = false;
	tp->flight->frto = TCP_FRTO_OFF;
	tp->flight->mtu_loss = false;
	/* What is late already stays so. */
	if (tp->flight->probing)
		tcp_timer_clear(tp, TCP_TIMER_RACK);
}

static void enter_recovery(struct tcp_sock *tp, uint32_t delivered, uint32_t acked)
{
	bool reduced = tp->phase == TCP_PHASE_CWR;

	tcp_count(tp, TCP_COUNT_FAST_RECOVERIES, 1);
	tcp_undo_begin(tp, !reduced);
	if (!reduced) {
		tp->cc.flight = flight_size(tp, acked);
		reduce(tp, false);
	}
	/* After a mark, too: from the flight of now on down to the threshold. */
	prr_begin(tp, delivered);
	begin(tp, TCP_PHASE_RECOVERY);
}

static void open_or_disorder(struct tcp_sock *tp)
{
	tp->phase = tp->dupacks != 0 || (tp->flight != NULL && tp->flight->sacked != 0) ?
			    TCP_PHASE_DISORDER : TCP_PHASE_OPEN;
}

/* The recovery point is passed, or nothing was wrong. */
static void leave(struct tcp_sock *tp, bool deflate)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);

	if (repairing(tp))
		tcp_rack_recovered(tp);
	tp->dupacks = 0;
	tp->flight->reno_sacked = 0;
	tp->flight->frto = TCP_FRTO_OFF;
	tp->flight->mtu_loss = false;
	open_or_disorder(tp);
	if (!deflate || controlled(tp))
		return;
	/* RFC 6675 section 5 (A), RFC 6582 3.2 (3), RFC 9937 section 5. There is no threshold where an algorithm that
	 * knows none was there when recovery began, and has gone since. */
	if (tp->cc.ssthresh != UINT32_MAX)
		tp->cc.cwnd = tp->cc.ssthresh;
	if (ops != NULL && ops->recovered != NULL)
		ops->recovered(&tp->cc, tcp_now(tp));
}

/* Something was found lost: recovery begins, unless it is a probe of the path's MTU, whose bytes are merely
 * sent again (RFC 4821 7.5.2). */
static void act_on_loss(struct tcp_sock *tp, uint32_t delivered, uint32_t acked)
{
	if (tp->flight->waiting == 0 || repairing(tp))
		return;
	if (!tcp_mtu_probe_lost(tp)) {
		enter_recovery(tp, delivered, acked);
		return;
	}
	begin(tp, TCP_PHASE_LOSS);
	tp->flight->mtu_loss = true;
	tcp_undo_forget(tp);
}

void tcp_recovery_ecn(struct tcp_sock *tp)
{
	/* Once for each window: what was reduced since snd_una is enough. */
	if (tp->phase >= TCP_PHASE_CWR || tp->flight == NULL || !seq_gt(tp->snd_una, tp->recover))
		return;
	/* The window is what is halved: this ACK may have emptied the flight. */
	tp->cc.flight = tp->cc.cwnd;
	/* The network has said so: nothing to take back. */
	tcp_undo_forget(tp);
	reduce(tp, false);
	prr_begin(tp, 0);
	begin(tp, TCP_PHASE_CWR);
	if (tp->snd_una == tp->snd_nxt)
		leave(tp, true);
}

/* ---- without SACK ---- */

/* Each duplicate says that one segment has left the network (RFC 5681 3.2 (4)). */
static void count_duplicate(struct tcp_sock *tp, struct tcp_ack_event *event)
{
	struct tcp_flight *f = tp->flight;
	uint32_t flight = tp->snd_nxt - tp->snd_una, before = f->reno_sacked, most;

	if (tp->dupacks < UINT8_MAX)
		tp->dupacks++;
	if (tp->sack_ok)
		return;
	most = flight > tp->cc.mss ? flight - tp->cc.mss : 0;
	f->reno_sacked = tcp_min32(before + tp->cc.mss, tcp_max32(most, before));
	event->delivered += f->reno_sacked - before;
	tp->cc.delivered += f->reno_sacked - before;
}

/* An acknowledgement covers what duplicates stood for, and one retransmission (RFC 6582 3.2 (3), said
 * with the pipe instead of an inflated window). That was counted as delivered already. */
static void uncount_duplicates(struct tcp_sock *tp, struct tcp_ack_event *event)
{
	struct tcp_flight *f = tp->flight;
	uint32_t counted = event->acked > tp->cc.mss ? event->acked - tp->cc.mss : 0;

	counted = tcp_min32(f->reno_sacked, counted);
	f->reno_sacked -= counted;
	counted = tcp_min32(counted, event->delivered);
	event->delivered -= counted;
	tp->cc.delivered -= counted;
	if (tp->phase < TCP_PHASE_RECOVERY)
		f->reno_sacked = 0;
}

/* ---- acknowledgements ---- */

static void detect(struct tcp_sock *tp, const struct tcp_ack_event *event)
{
	if (!tp->sack_ok || !tcp_module_of(tp)->config->rack)
		tcp_lost_detect(tp, event);
	else if (event->delivered != 0)
		/* What delivers nothing shows no loss; the reordering timer sees to what is late. */
		tcp_rack_detect(tp);
}

/* Was the reduction a mistake? Then it is taken back. */
static bool try_undo(struct tcp_sock *tp, const struct tcp_ack_event *event, bool unmark)
{
	if (event->acked != 0 && tcp_undo_delayed(tp, event))
		tcp_undo(tp, unmark, TCP_COUNT_UNDO_EIFEL);
	else if (tcp_undo_all_duplicates(tp))
		tcp_undo(tp, unmark, TCP_COUNT_UNDO_DSACK);
	else
		return false;
	return true;
}

/* In RECOVERY. */
static void recovery_ack(struct tcp_sock *tp, struct tcp_ack_event *event, bool duplicate)
{
	bool over = event->acked != 0 && seq_geq(tp->snd_una, tp->recover);

	if (duplicate)
		count_duplicate(tp, event);
	/* While retransmissions are in flight a late original may still be followed by real losses. */
	if (!over && tp->flight->retransmitted != 0 && !tcp_undo_all_duplicates(tp))
		return;
	if (try_undo(tp, event, !over))
		leave(tp, false);
	else if (over)
		leave(tp, true);
}

/* Is there something new that the peer's window takes? */
static bool has_new(const struct tcp_sock *tp)
{
	return seq_lt(tp->snd_nxt, tp->snd_end) && seq_gt(tp->snd_una + tp->snd_wnd, tp->snd_nxt);
}

/* F-RTO, RFC 5682 2.1 and 3.1. True: the timeout was spurious, or the decision waits for new data. */
static bool frto_ack(struct tcp_sock *tp, const struct tcp_ack_event *event, bool recovered)
{
	struct tcp_flight *f = tp->flight;

	/* Step 3b: what was sent before the timeout, and never again, arrives. Without SACK a retransmission
	 * that fills the hole acknowledges such data too, and says nothing. */
	if (event->original && (tp->sack_ok || !event->retransmitted)) {
		tcp_undo(tp, true, TCP_COUNT_UNDO_FRTO);
		return true;
	}
	if (seq_gt(tp->snd_nxt, tp->recover)) {
		/* Step 3a: the loss was real. */
		if (event->sacked != 0 || event->duplicate)
			f->frto = TCP_FRTO_OFF;
	} else if (event->acked != 0 && !recovered) {
		/* Step 2b: new data instead of retransmissions, if there is any. */
		tp->recover = tp->snd_nxt;
		f->frto = has_new(tp) ? TCP_FRTO_NEW : TCP_FRTO_OFF;
		return false;
	}
	return false;
}

/* In LOSS. */
static void loss_ack(struct tcp_sock *tp, struct tcp_ack_event *event, bool duplicate)
{
	bool recovered = event->acked != 0 && seq_geq(tp->snd_una, tp->recover);
	struct tcp_flight *f = tp->flight;

	/* New data that F-RTO sent: what duplicates report of it has left the network. */
	if (!tp->sack_ok && duplicate && seq_gt(tp->snd_nxt, tp->recover))
		count_duplicate(tp, event);
	else if (event->acked != 0)
		f->reno_sacked = 0;
	if ((event->acked != 0 && try_undo(tp, event, true)) ||
	    (f->frto != TCP_FRTO_OFF && frto_ack(tp, event, recovered))) {
		tp->retransmits = 0;
		tp->backoff = 0;
		leave(tp, false);
	} else if (recovered) {
		leave(tp, false);
	}
}

/* `recover` is kept near, or it would seem to lie ahead after 2 GiB. */
static void keep_recover_near(struct tcp_sock *tp)
{
	if (seq_gt(tp->snd_una, tp->recover))
		tp->recover = tp->snd_una - 1;
}

/* In OPEN, DISORDER and CWR. */
static void open_ack(struct tcp_sock *tp, struct tcp_ack_event *event, bool duplicate)
{
	if (event->acked != 0) {
		tp->dupacks = 0;
		if (tp->phase == TCP_PHASE_CWR &&
		    (seq_gt(tp->snd_una, tp->recover) || tp->snd_una == tp->snd_nxt))
			leave(tp, true);
		if (tp->phase != TCP_PHASE_CWR)
			keep_recover_near(tp);
	}
	if (duplicate)
		count_duplicate(tp, event);
	/* What a recovery that is over sent again was needless. */
	if (tcp_undo_all_duplicates(tp))
		tcp_undo(tp, false, TCP_COUNT_UNDO_DSACK);
	if (tp->phase != TCP_PHASE_CWR)
		open_or_disorder(tp);
}

/* RFC 8985 7.4.2: the probe repaired a loss, of which the window has not heard yet. */
static void probe_repaired(struct tcp_sock *tp, uint32_t flight)
{
	tp->cc.flight = flight;
	reduce(tp, false);
	if (!controlled(tp))
		tp->cc.cwnd = tp->cc.ssthresh;
}

/* New bytes are acknowledged, in order; none before them was ever missed, or sent twice: nothing to detect, to repair
 * or to take back. */
static bool undisturbed(const struct tcp_sock *tp, const struct tcp_ack_event *event)
{
	const struct tcp_flight *f = tp->flight;

	return tp->phase == TCP_PHASE_OPEN && event->acked != 0 && !event->duplicate &&
	       (f->sacked | f->lost | f->retransmitted | f->reno_sacked | event->sacked) == 0 &&
	       !f->undo_possible && !f->tlp_pending;
}

void tcp_recovery_ack(struct tcp_sock *tp, struct tcp_ack_event *event)
{
	uint64_t lost = tp->cc.lost;
	bool duplicate;

	if (tp->flight == NULL)
		return;
	if (strata_likely(undisturbed(tp, event))) {
		keep_recover_near(tp);
		if (!tp->flight->probing)
			tcp_timer_clear(tp, TCP_TIMER_RACK);
		return;
	}
	duplicate = tp->sack_ok ? event->sacked != 0 && event->acked == 0 : event->duplicate;
	if (tcp_probe_ack(tp, event) && !tcp_recovery_reducing(tp))
		probe_repaired(tp, tp->snd_nxt - tp->snd_una + event->acked);
	if (!tp->sack_ok && event->acked != 0)
		uncount_duplicates(tp, event);
	if (tp->phase == TCP_PHASE_LOSS)
		loss_ack(tp, event, duplicate);
	else if (tp->phase == TCP_PHASE_RECOVERY)
		recovery_ack(tp, event, duplicate);
	else
		open_ack(tp, event, duplicate);
	detect(tp, event);
	act_on_loss(tp, event->delivered, event->acked);
	if (tcp_recovery_reducing(tp))
		prr_ack(tp, event, tp->cc.lost != lost);
}

/* ---- timeouts and path changes ---- */

void tcp_recovery_timeout(struct tcp_sock *tp)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;
	bool repeated = tp->retransmits != 0, first = !repairing(tp);
	struct tcp_flight *f = tp->flight;

	if (f == NULL || f->count == 0)
		return;
	if (tcp_sent_at(f, 0)->flags & TCP_SENT_SACKED) {
		/* RFC 2018 section 8: the peer may have discarded what it reported. */
		tcp_count(tp, TCP_COUNT_SACK_RENEGED, 1);
		tcp_sent_reneged(tp);
	}
	tp->cc.flight = tp->snd_nxt - tp->snd_una;
	/* RFC 5681 3.1: a segment that times out again does not lower ssthresh again; nor, as Linux, one of a
	 * window for which it was lowered already. */
	if (tp->phase <= TCP_PHASE_DISORDER || !seq_gt(tp->recover, tp->snd_una) ||
	    (tp->phase == TCP_PHASE_LOSS && (f->mtu_loss || !repeated))) {
		tcp_undo_begin(tp, true);
		reduce(tp, true);
	}
	begin(tp, TCP_PHASE_LOSS);
	/* RFC 5682 2.1 step 1: not where something was being repaired already. */
	if (config->frto && (first || repeated))
		f->frto = TCP_FRTO_FIRST;
	f->reno_sacked = 0;
	tp->dupacks = 0;
	tcp_rack_timeout_losses(tp);
	/* RFC 5681 3.1: the loss window. */
	tp->cc.cwnd = tcp_pipe(tp) + tp->cc.mss;
	tp->pace_next = 0;
}

void tcp_recovery_mtu(struct tcp_sock *tp)
{
	struct tcp_flight *f = tp->flight;
	uint32_t i;

	if (f == NULL || f->count == 0)
		return;
	/* Nothing was congested: the window stays (as Linux's tcp_simple_retransmit). */
	begin(tp, TCP_PHASE_LOSS);
	f->mtu_loss = true;
	tcp_undo_forget(tp);
	f->reno_sacked = 0;
	tp->dupacks = 0;
	for (i = 0; i < f->count; i++)
		if ((tcp_sent_at(f, i)->flags & TCP_SENT_SACKED) == 0 &&
		    (tcp_sent_at(f, i)->flags & (TCP_SENT_LOST | TCP_SENT_RETRANSMITTED)) !=
			    TCP_SENT_LOST)
			i = tcp_sent_lost(tp, i);
}

void tcp_recovery_opened(struct tcp_sock *tp)
{
	if (tp->phase != TCP_PHASE_LOSS || tp->flight == NULL)
		return;
	tp->retransmits = 0;
	tcp_sent_refused(tp);
	tcp_timer_retransmit(tp);
}

void tcp_recovery_reorder(struct tcp_sock *tp)
{
	if (tp->flight->count == 0) {
		/* Nobody has reported a duplicate for so long: a probe was needed. */
		if (tp->flight->tlp_pending && tp->flight->tlp_again)
			/* The flight is gone: the window is what is halved. */
			probe_repaired(tp, tp->cc.cwnd);
		tp->flight->tlp_pending = false;
		tcp_undo_forget(tp);
		tcp_flight_release(tp);
		return;
	}
	tcp_rack_detect(tp);
	act_on_loss(tp, 0, 0);
	tcp_schedule(tp);
}

/* ---- output ---- */

/* How much of what is lost may go now: whole segments within the window, at least one when it is the first
 * (RFC 6675 section 5, step 4.3: the fast retransmission waits for nothing). */
static uint32_t retransmit_quota(const struct tcp_sock *tp, uint32_t length, uint32_t room)
{
	uint32_t pipe = tcp_pipe(tp), window = tp->cc.cwnd > pipe ? tp->cc.cwnd - pipe : 0;
	bool first = tp->phase == TCP_PHASE_RECOVERY && tp->flight->prr_out == 0;

	if (window < room && window < length && !first)
		return 0;
	return tcp_min32(length, tcp_max32(window / room, 1) * room);
}

void tcp_recovery_output(struct tcp_sock *tp)
{
	uint32_t room, length, right;
	struct tcp_sent *sent;

	while (tp->flight != NULL && tp->flight->frto != TCP_FRTO_NEW) {
		sent = tcp_sent_waiting(tp->flight);
		if (sent == NULL || tcp_pacing_holds(tp))
			return;
		room = tcp_segment_room(tp);
		length = retransmit_quota(tp, sent->end - sent->start, room);
		/* The window may have shrunk under what was sent: beyond its edge only the first segment goes
		 * (RFC 9293 3.8.6, MUST-34). */
		right = tp->snd_una + tp->snd_wnd;
		if (seq_gt(sent->start + length, right))
			length = sent->start == tp->snd_una ?
					 tcp_max32(seq_span(sent->start, right), tcp_min32(length, room)) :
					 tcp_min32(length, seq_span(sent->start, right));
		if (length == 0)
			return;
		if (tcp_xmit(tp, sent->start, length, TCP_ACK) < 0)
			return;
	}
}
