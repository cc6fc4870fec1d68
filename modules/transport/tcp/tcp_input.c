/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SEGMENT ARRIVES: RFC 9293 3.10.7, one function for each of its steps, with RFC 5961's and RFC 7323's
 * additions in their places. Read all three before editing.
 */
#include <errno.h>
#include <strata/trace.h>
#include "tcp_int.h"

/* RFC 7323 5.5: older than this, TS.Recent says nothing (24 days). */
#define TS_RECENT_AGE_MS (UINT32_C(24) * 24 * 3600 * 1000)
/* As Linux: ACKs sent at once at the beginning, and after reordering. */
#define QUICK_ACKS 16

/* How a step ends. */
enum tcp_step {
	STEP_NEXT,	/* goes on to the next */
	STEP_DROP,	/* the segment is discarded, seg->reason says why */
	STEP_DONE,	/* all that it says has been done */
};

enum strata_verdict tcp_segment_drop(struct tcp_module *m, struct tcp_segment *seg)
{
	struct strata_pkt *pkt = seg->pkt;

	seg->pkt = NULL;
	return pkt != NULL ? strata_drop(m->self, pkt, seg->reason) : STRATA_ACCEPTED;
}

enum strata_verdict tcp_segment_done(struct tcp_segment *seg)
{
	strata_pkt_free(seg->pkt);
	seg->pkt = NULL;
	return seg->dropped ? STRATA_DROPPED : STRATA_ACCEPTED;
}

static enum tcp_step drop_for(struct tcp_segment *seg, enum tcp_drop reason)
{
	seg->reason = reason;
	return STEP_DROP;
}

void tcp_challenge_ack(struct tcp_sock *tp, enum tcp_counter counter)
{
	if (!tcp_challenge_allowed(tcp_module_of(tp), &tp->challenge_next))
		return;
	tcp_count(tp, counter, 1);
	tp->ack_pending = tp->ack_now = true;
	tcp_schedule(tp);
}

/* An ACK that leaves at the end of the batch; one serves all segments of it. */
static void ack_soon(struct tcp_sock *tp)
{
	tp->ack_pending = tp->ack_now = true;
	tcp_schedule(tp);
}

/* RFC 5681 4.2: out of order, or a repair: the peer must hear at once; and it may be recovering. */
static void ack_quickly(struct tcp_sock *tp)
{
	tp->quick = QUICK_ACKS;
	tp->pingpong = false;
	ack_soon(tp);
}

void tcp_syn_options(struct tcp_sock *tp, const struct tcp_header *h)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;

	if (h->options & TCP_HAS_MSS)
		tp->peer_mss = h->mss;
	/* In an answer to our SYN an option counts only if we offered it. */
	tp->ts_ok = config->timestamps && (h->options & TCP_HAS_TIMESTAMP) != 0;
	if (tp->ts_ok) {
		tp->ts_recent = h->tsval;
		tp->ts_recent_ms = tcp_ms(tcp_now(tp));
	}
	tp->sack_ok = config->sack && (h->options & TCP_HAS_SACK_PERMITTED) != 0;
	/* RFC 7323 2.2: both or neither. */
	tp->wscale_ok = config->window_scaling && (h->options & TCP_HAS_WSCALE) != 0;
	if (tp->wscale_ok)
		tp->snd_wscale = h->wscale;
	else
		tp->rcv_wscale = 0;
	tcp_update_mss(tp);
}

/* ---- SYN-SENT: 3.10.7.3 ---- */

/* The peer's SYN, with or without its ACK, is taken in. */
static void take_syn(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	tp->irs = seg->h.seq;
	tp->rcv_nxt = tp->rcv_wup = seg->h.seq + 1;
	tp->rcv_adv = tp->rcv_nxt + tcp_min32(tp->rcv_adv, 65535);
	tcp_syn_options(tp, &seg->h);
	/* RFC 7323 2.2: the window in a SYN is not scaled. */
	tp->snd_wnd = tp->max_snd_wnd = seg->h.window;
	tp->snd_wl1 = seg->h.seq;
	tp->snd_wl2 = seg->h.ack;
	tcp_ecn_answered(tp, seg);
}

/* Our SYN has been acknowledged; data behind it, of Fast Open, perhaps too. */
static void syn_acked(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	tcp_rtt_handshake(tp, &seg->h);
	tp->snd_una = tp->iss + 1;
	tp->snd_sml = seq_max(tp->snd_sml, tp->snd_una);
	tcp_fastopen_answered(tp, seg);
	tcp_fastopen_settled(tp, false);
	tp->retransmits = 0;
	tp->backoff = 0;
	tcp_timer_clear(tp, TCP_TIMER_RETRANSMIT);
}

void tcp_syn_data(struct tcp_sock *tp, struct tcp_segment *seg)
{
	struct tcp_segment data = *seg;

	data.seq = data.h.seq = seg->h.seq + 1;
	data.length = tcp_min32(seg->length, tcp_rcv_wnd(tp));
	if (data.length == 0)
		return;
	strata_pkt_trim(data.pkt, data.length);
	seg->pkt = NULL;
	tcp_fastopen_of(tp)->data_acked = true;
	if (!tcp_reasm_input(tp, &data)) {
		tcp_segment_drop(tcp_module_of(tp), &data);
		return;
	}
	tp->data_segs_in++;
}

static enum strata_verdict syn_sent_input(struct tcp_sock *tp, struct tcp_segment *seg)
{
	struct tcp_module *m = tcp_module_of(tp);
	bool acked = (seg->h.flags & TCP_ACK) != 0;

	/* First: ACK */
	if (acked && (seq_leq(seg->h.ack, tp->iss) || seq_gt(seg->h.ack, tp->snd_nxt))) {
		tcp_reply_reset(m, seg);
		seg->reason = seg->h.flags & TCP_RST ? TCP_DROP_RST_IGNORED : TCP_DROP_BAD_ACK;
		return tcp_segment_drop(m, seg);
	}
	/* Second: RST, believed only with our ACK. */
	if (seg->h.flags & TCP_RST) {
		seg->reason = TCP_DROP_RST_IGNORED;
		if (!acked)
			return tcp_segment_drop(m, seg);
		tcp_finish(tp, ECONNREFUSED);
		return tcp_segment_done(seg);
	}
	/* Fourth: SYN */
	if ((seg->h.flags & TCP_SYN) == 0) {
		seg->reason = TCP_DROP_BAD_FLAGS;
		return tcp_segment_drop(m, seg);
	}
	take_syn(tp, seg);
	if (!acked) {
		/* Simultaneous open (3.5, figure 8). */
		tcp_timer_clear(tp, TCP_TIMER_RETRANSMIT);
		tcp_set_state(tp, TCP_SYN_RECEIVED);
		tcp_send_syn(tp);
		tcp_timer_retransmit(tp);
		return tcp_segment_done(seg);
	}
	syn_acked(tp, seg);
	tcp_set_state(tp, TCP_ESTABLISHED);
	ack_soon(tp);
	/* "If there are other controls or text …": a SYN-ACK may carry data, and a FIN. */
	seg->unscaled = true;
	seg->h.flags &= (uint8_t)~TCP_SYN;
	seg->h.seq++;
	seg->seq++;
	if (seg->length == 0 && (seg->h.flags & TCP_FIN) == 0)
		return tcp_segment_done(seg);
	return tcp_segment_arrives(tp, seg);
}

/* ---- the other states: 3.10.7.4 ---- */

/* RFC 7323 5.3, R1: protection against wrapped sequences, before anything else. */
static enum tcp_step check_timestamp(struct tcp_sock *tp, struct tcp_segment *seg)
{
	if (!tp->ts_ok || (seg->h.options & TCP_HAS_TIMESTAMP) == 0 ||
	    (seg->h.flags & TCP_RST) != 0 || !seq_lt(seg->h.tsval, tp->ts_recent))
		return STEP_NEXT;
	/* RFC 7323 5.5: after an idle time that long any stamp is taken. */
	if (tcp_ms(tcp_now(tp)) - tp->ts_recent_ms > TS_RECENT_AGE_MS)
		return STEP_NEXT;
	if (seg->length != 0)
		ack_soon(tp);
	else
		tcp_challenge_ack(tp, TCP_COUNT_CHALLENGE_ACKS);
	return drop_for(seg, TCP_DROP_OLD_TIMESTAMP);
}

/* RFC 9293 3.4, table 6. */
static bool acceptable(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint32_t window = tcp_rcv_wnd(tp), length = seg->length + ((seg->h.flags & TCP_SYN) != 0) +
						    ((seg->h.flags & TCP_FIN) != 0);
	uint32_t first = seg->h.seq - tp->rcv_nxt, last = first + length - 1;

	if (length == 0)
		return first == 0 || first < window;
	/* "If the RCV.WND is zero … special allowance should be made to accept valid ACKs, URGs, and
	 * RSTs": the text is cut off below. */
	return first < window || last < window || (window == 0 && first == 0);
}

/* What to do with a segment outside the window. */
static enum tcp_step refuse(struct tcp_sock *tp, struct tcp_segment *seg)
{
	uint32_t end = seg->h.seq + seg->length + ((seg->h.flags & TCP_FIN) != 0);

	if (seg->h.flags & TCP_RST)
		return drop_for(seg, TCP_DROP_RST_OUT_OF_WINDOW);
	if (seg->h.flags & TCP_SYN) {
		/* RFC 5961 4.2 */
		tcp_challenge_ack(tp, TCP_COUNT_CHALLENGE_ACKS);
		return drop_for(seg, TCP_DROP_SYN_IN_WINDOW);
	}
	if (end != seg->h.seq && seq_leq(end, tp->rcv_nxt)) {
		/* A retransmission: our ACK was lost. Nothing with data is part of a loop of ACKs. */
		if (seg->length != 0)
			tcp_dsack(tp, seg->h.seq, seg->h.seq + seg->length);
		ack_quickly(tp);
		return drop_for(seg, TCP_DROP_DUPLICATE);
	}
	tcp_challenge_ack(tp, TCP_COUNT_CHALLENGE_ACKS);
	return drop_for(seg, TCP_DROP_OUT_OF_WINDOW);
}

/* Cuts off what lies outside the window (3.10.7.4: "segments may be trimmed"). */
static void trim(struct tcp_sock *tp, struct tcp_segment *seg)
{
	uint32_t front = seq_span(seg->seq, tp->rcv_nxt), right = tp->rcv_nxt + tcp_rcv_wnd(tp);

	if (front != 0 && seg->length != 0) {
		if (front < seg->length)
			tcp_dsack(tp, seg->seq, tp->rcv_nxt);
		front = tcp_min32(front, seg->length);
		strata_pkt_pull(seg->pkt, front);
		seg->seq += front;
		seg->length -= front;
		/* Part of it came again: the peer is retransmitting. */
		ack_soon(tp);
	}
	if (seq_gt(seg->seq + seg->length, right)) {
		seg->length = seq_span(seg->seq, right);
		strata_pkt_trim(seg->pkt, seg->length);
		seg->flags &= (uint8_t)~TCP_FIN;
		ack_soon(tp);
	} else if (seg->seq + seg->length == right && (seg->flags & TCP_FIN) != 0 &&
		   tcp_rcv_wnd(tp) != 0) {
		seg->flags &= (uint8_t)~TCP_FIN;
	}
}

/* First: check sequence number. */
static enum tcp_step check_sequence(struct tcp_sock *tp, struct tcp_segment *seg)
{
	if (tp->state == TCP_SYN_RECEIVED && (seg->h.flags & (TCP_SYN | TCP_ACK | TCP_RST)) ==
	    (TCP_SYN | TCP_ACK) && seg->h.seq == tp->irs) {
		/* Simultaneous open: the other SYN-ACK. Its SYN was taken in already. */
		tcp_ecn_answered(tp, seg);
		seg->unscaled = true;
		seg->h.flags &= (uint8_t)~TCP_SYN;
		seg->flags &= (uint8_t)~TCP_SYN;
		seg->h.seq++;
		seg->seq++;
	}
	if (tcp_fastopen_early(tp) && seg->h.seq == tp->irs &&
	    (seg->h.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN) {
		/* The SYN again: our answer was lost (RFC 7413 4.2.2). */
		if (tcp_challenge_allowed(tcp_module_of(tp), &tp->challenge_next))
			tcp_send_syn(tp);
		return drop_for(seg, TCP_DROP_SYN_RECEIVED_DUPLICATE);
	}
	if (!acceptable(tp, seg))
		return refuse(tp, seg);
	return STEP_NEXT;
}

static int reset_errno(const struct tcp_sock *tp)
{
	switch (tp->state) {
	case TCP_SYN_RECEIVED:
		return tp->fast_open ? ECONNRESET : ECONNREFUSED;
	case TCP_CLOSE_WAIT:
		return EPIPE;
	default:
		return ECONNRESET;
	}
}

/* Second: check the RST bit, as RFC 5961 3.2 has it. */
static enum tcp_step check_rst(struct tcp_sock *tp, struct tcp_segment *seg)
{
	if ((seg->h.flags & TCP_RST) == 0)
		return STEP_NEXT;
	/* Text may reach into the window from a number that does not. */
	if (seq_lt(seg->h.seq, tp->rcv_nxt))
		return drop_for(seg, TCP_DROP_RST_OUT_OF_WINDOW);
	if (seg->h.seq != tp->rcv_nxt) {
		tcp_challenge_ack(tp, TCP_COUNT_CHALLENGE_ACKS);
		return drop_for(seg, TCP_DROP_RST_CHALLENGED);
	}
	if (tcp_in(tp, TCP_MAY_SEND))
		tcp_count(tp, TCP_COUNT_ESTAB_RESETS, 1);
	tcp_fastopen_settled(tp, true);
	tcp_finish(tp, reset_errno(tp));
	return STEP_DONE;
}

/* Fourth: check the SYN bit (third, security, is of no Internet today); RFC 5961 4.2. */
static enum tcp_step check_syn(struct tcp_sock *tp, struct tcp_segment *seg)
{
	if ((seg->h.flags & TCP_SYN) == 0)
		return STEP_NEXT;
	tcp_challenge_ack(tp, TCP_COUNT_CHALLENGE_ACKS);
	return drop_for(seg, TCP_DROP_SYN_IN_WINDOW);
}

/* Fifth, in SYN-RECEIVED: the handshake's end. */
static enum tcp_step establish(struct tcp_sock *tp, struct tcp_segment *seg)
{
	if (seq_leq(seg->h.ack, tp->snd_una) || seq_gt(seg->h.ack, tp->snd_nxt)) {
		tcp_reply_reset(tcp_module_of(tp), seg);
		return drop_for(seg, TCP_DROP_BAD_ACK);
	}
	syn_acked(tp, seg);
	tp->snd_wnd = tcp_segment_window(tp, seg);
	tp->max_snd_wnd = tcp_max32(tp->max_snd_wnd, tp->snd_wnd);
	tp->snd_wl1 = seg->h.seq;
	tp->snd_wl2 = seg->h.ack;
	tcp_set_state(tp, TCP_ESTABLISHED);
	return STEP_NEXT;
}

/* Fifth: what the acknowledgement of our FIN does. */
static enum tcp_step fin_acked(struct tcp_sock *tp)
{
	if (!tcp_fin_sent(tp) || tp->snd_una != tp->snd_nxt)
		return STEP_NEXT;
	switch (tp->state) {
	case TCP_FIN_WAIT_1:
		tcp_set_state(tp, TCP_FIN_WAIT_2);
		return STEP_NEXT;
	case TCP_CLOSING:
		/* The peer's FIN may have come in this very batch. */
		if (tp->ack_pending)
			tcp_send_ack(tp);
		tcp_set_state(tp, TCP_TIME_WAIT);
		return STEP_DONE;
	case TCP_LAST_ACK:
		tcp_finish(tp, 0);
		return STEP_DONE;
	default:
		return STEP_NEXT;
	}
}

/* RFC 7323 4.3: TS.Recent from segments at or before the last ACK sent, once they have proved right. */
static void update_ts_recent(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if (!tp->ts_ok || (seg->h.options & TCP_HAS_TIMESTAMP) == 0 ||
	    seq_gt(seg->h.seq, tp->rcv_wup))
		return;
	if (seq_geq(seg->h.tsval, tp->ts_recent) ||
	    tcp_ms(tcp_now(tp)) - tp->ts_recent_ms > TS_RECENT_AGE_MS) {
		tp->ts_recent = seg->h.tsval;
		tp->ts_recent_ms = tcp_ms(tcp_now(tp));
	}
}

/* Fifth: check the ACK field. */
static enum tcp_step check_ack(struct tcp_sock *tp, struct tcp_segment *seg)
{
	const uint32_t una = tp->snd_una;

	if ((seg->h.flags & TCP_ACK) == 0)
		return drop_for(seg, TCP_DROP_NO_ACK);
	if (tp->state == TCP_SYN_RECEIVED && establish(tp, seg) != STEP_NEXT)
		return STEP_DROP;
	/* RFC 5961 5.2: within the largest window ever offered below, and what was sent above. */
	if (seq_gt(seg->h.ack, tp->snd_nxt) ||
	    seq_lt(seg->h.ack, tp->snd_una - tp->max_snd_wnd)) {
		tcp_challenge_ack(tp, TCP_COUNT_CHALLENGE_ACKS);
		return drop_for(seg, TCP_DROP_BAD_ACK);
	}
	update_ts_recent(tp, seg);
	tp->last_received_ms = tcp_ms(tcp_now(tp));
	if (seq_lt(seg->h.ack, tp->snd_una))
		tcp_ack_old(tp, seg);
	else
		tcp_ack(tp, seg);
	/* Data that acknowledges nothing new says so with its text alone. */
	if (strata_tracing(tp->sock.stack) && (tp->snd_una != una || seg->length == 0))
		tcp_trace_ack(tp, seg, una);
	tcp_schedule_output(tp);
	return fin_acked(tp);
}

/* Sixth: check the URG bit. DEVIATION: RFC 6093 advises against urgent data; all of it is in line, and
 * the pointer, whatever it says, is left alone. */
static void check_urg(struct tcp_sock *tp, struct tcp_segment *seg)
{
	if (seg->h.flags & TCP_URG)
		strata_trace(tp->sock.transport, seg->pkt, "urgent pointer %u: data taken in line",
			     seg->h.urgent);
}

/* As Linux: estimates the peer's segment size, for windows and delayed ACKs. */
static void measure(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint32_t length = seg->pkt->seg_type == STRATA_SEG_STREAM && seg->pkt->seg_size != 0 ?
				  seg->pkt->seg_size : seg->length;

	if (length >= tp->rcv_mss)
		tp->rcv_mss = (uint16_t)tcp_min32(length, tp->advmss);
	tcp_buffers_measure(tp, seg);
	if (tp->data_segs_in++ == 0 && tp->quick == 0)
		tp->quick = (uint8_t)tcp_min32(tcp_max32(tcp_rcv_wnd(tp) / (2u * tp->rcv_mss), 2),
					       QUICK_ACKS);
}

/* Out of order: the peer must learn of it at once, each time (RFC 5681 4.2). With SACK the ACKs of one
 * batch may be one, as long as its blocks can tell all (RFC 2018 4). */
static void out_of_order(struct tcp_sock *tp)
{
	ack_quickly(tp);
	if (!tp->sack_ok || ++tp->batch_blocks >= TCP_SACK_BLOCKS - 1)
		tcp_send_ack(tp);
}

/* In order: one ACK serves a batch, which saves most of them. But where segments have been lost of late
 * ACKs are lost too, and a flight whose only ACK is lost waits for a timeout: there every second segment
 * has its own (RFC 5681 4.2), before the batch ends. */
static void in_order(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if (tp->quick != 0 && !tp->pingpong && (seg->flags & TCP_FIN) == 0 &&
	    tp->rcv_nxt - tp->rcv_wup >= 2u * tp->rcv_mss)
		tcp_send_ack(tp);
}

/* RFC 9293 3.10.4 and RFC 1122 4.2.2.13: data for which nobody is left: the peer is told by a RST. */
static enum tcp_step nobody_reads(struct tcp_sock *tp, struct tcp_segment *seg)
{
	tcp_abort(tp, 0);
	return drop_for(seg, TCP_DROP_DATA_AFTER_CLOSE);
}

/* Seventh: process the segment text. */
static enum tcp_step process_text(struct tcp_sock *tp, struct tcp_segment *seg)
{
	bool holes = tp->ooo != NULL;
	uint32_t before = tp->rcv_nxt;

	if (seg->length == 0)
		return STEP_NEXT;
	if (!tcp_in(tp, TCP_RECEIVES))
		return drop_for(seg, TCP_DROP_DATA_AFTER_FIN);
	if (tp->orphan)
		return nobody_reads(tp, seg);
	if (tp->rcv_fin_known && seq_gt(seg->seq + seg->length, tp->rcv_fin)) {
		ack_soon(tp);
		seg->length = seq_span(seg->seq, tp->rcv_fin);
		if (seg->length == 0)
			return drop_for(seg, TCP_DROP_DATA_AFTER_FIN);
		strata_pkt_trim(seg->pkt, seg->length);
	}
	measure(tp, seg);
	tcp_ecn_received(tp, seg);
	if (!tcp_reasm_input(tp, seg)) {
		ack_quickly(tp);
		return STEP_DROP;
	}
	if (strata_tracing(tp->sock.stack))
		tcp_trace_text(tp, seg->length, before);
	if (tp->rcv_nxt == before) {
		out_of_order(tp);
		return STEP_NEXT;
	}
	if (holes)
		ack_quickly(tp);
	tp->ack_pending = true;
	tcp_schedule(tp);
	in_order(tp, seg);
	if (tp->sock.shutdown & 1) {
		/* After SHUT_RD data is acknowledged and thrown away. */
		tcp_rcvq_purge(tp);
		return STEP_NEXT;
	}
	tcp_events_in(tp, EPOLLIN);
	return STEP_NEXT;
}

/* A FIN's number is noted when it is heard of first; it is taken in when everything before it has come.
 * Data beyond it that came earlier is forgotten; a FIN in the middle of received data is not believed. */
static void note_fin(struct tcp_sock *tp, uint32_t number)
{
	const struct tcp_range *range;

	for (range = tp->ooo; range != NULL; range = range->next)
		if (seq_lt(range->start, number) && seq_gt(range->end, number))
			return;
	tcp_reasm_forget(tp, number);
	tp->rcv_fin_known = true;
	tp->rcv_fin = number;
}

/* Eighth: check the FIN bit. */
static enum tcp_step check_fin(struct tcp_sock *tp, struct tcp_segment *seg)
{
	if (!tcp_in(tp, TCP_RECEIVES))
		return STEP_NEXT;
	if ((seg->flags & TCP_FIN) != 0 && !tp->rcv_fin_known) {
		note_fin(tp, seg->seq + seg->length);
		/* The text before it has brought its ACK. */
		if (seg->length == 0)
			ack_soon(tp);
	}
	if (!tp->rcv_fin_known || tp->rcv_nxt != tp->rcv_fin)
		return STEP_NEXT;
	tp->rcv_nxt++;
	tp->fin_received = true;
	tp->sock.shutdown |= 1;
	ack_soon(tp);
	switch (tp->state) {
	case TCP_ESTABLISHED:
		tcp_set_state(tp, TCP_CLOSE_WAIT);
		break;
	case TCP_FIN_WAIT_1:
		/* Our FIN has not been acknowledged, or it would be FIN-WAIT-2 by now. */
		tcp_set_state(tp, TCP_CLOSING);
		break;
	default:
		tcp_send_ack(tp);
		tcp_set_state(tp, TCP_TIME_WAIT);
		return STEP_DONE;
	}
	tcp_events(tp, EPOLLIN);
	return STEP_NEXT;
}

/* Nearly every segment of an established connection: the next in order, within the window, its stamp not an old one,
 * and no flag asks for anything. Then the first four steps, the sixth and the eighth have nothing to do (Jacobson's
 * header prediction). */
static bool predicted(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	return tp->state == TCP_ESTABLISHED && seg->h.seq == tp->rcv_nxt &&
	       (seg->h.flags & ~(TCP_PSH | TCP_ECE | TCP_CWR)) == TCP_ACK &&
	       seg->length <= tcp_rcv_wnd(tp) && !tp->rcv_fin_known &&
	       (!tp->ts_ok || (seg->h.options & TCP_HAS_TIMESTAMP) == 0 ||
		seq_geq(seg->h.tsval, tp->ts_recent));
}

/* All steps, in their order. */
static enum tcp_step process(struct tcp_sock *tp, struct tcp_segment *seg)
{
	enum tcp_step step = check_timestamp(tp, seg);

	if (step == STEP_NEXT)
		step = check_sequence(tp, seg);
	if (step == STEP_NEXT)
		step = check_rst(tp, seg);
	if (step == STEP_NEXT)
		step = check_syn(tp, seg);
	if (step == STEP_NEXT)
		step = check_ack(tp, seg);
	if (step == STEP_NEXT) {
		check_urg(tp, seg);
		trim(tp, seg);
		step = process_text(tp, seg);
	}
	if (step == STEP_NEXT)
		step = check_fin(tp, seg);
	return step;
}

enum strata_verdict tcp_segment_arrives(struct tcp_sock *tp, struct tcp_segment *seg)
{
	struct tcp_module *m = tcp_module_of(tp);
	enum tcp_step step;

	tp->segs_in++;
	if (strata_likely(predicted(tp, seg))) {
		step = check_ack(tp, seg);
		if (step == STEP_NEXT)
			step = process_text(tp, seg);
	} else {
		step = process(tp, seg);
	}
	return step == STEP_DROP ? tcp_segment_drop(m, seg) : tcp_segment_done(seg);
}

/* ---- from the network ---- */

/* No connection: RFC 9293 3.10.7.1. */
static enum strata_verdict closed_input(struct tcp_module *m, struct tcp_segment *seg)
{
	tcp_reply_reset(m, seg);
	seg->reason = TCP_DROP_NO_CONNECTION;
	return tcp_segment_drop(m, seg);
}

static enum strata_verdict socket_input(struct tcp_sock *tp, struct tcp_segment *seg, uint32_t iss)
{
	switch (tp->state) {
	case TCP_LISTEN:
		return tcp_listen_input(tp, seg, iss);
	case TCP_SYN_SENT:
		return syn_sent_input(tp, seg);
	default:
		return tcp_segment_arrives(tp, seg);
	}
}

static enum strata_verdict time_wait_input(struct tcp_module *m, struct tcp_time_wait *tw,
					   struct tcp_segment *seg)
{
	enum strata_verdict verdict;
	struct strata_flow *flow;
	uint32_t iss;

	if (!tcp_time_wait_input(tw, seg, &iss, &verdict))
		return verdict;
	flow = strata_flow_find(seg->pkt, seg->h.destination, seg->h.source);
	/* That is a listener: the ends were the record's. */
	if (flow == NULL || flow->kind != TCP_FLOW_SOCKET)
		return closed_input(m, seg);
	return socket_input(strata_container_of(flow, struct tcp_sock, sock.flow), seg, iss);
}

/* A connection wakes for whatever comes; without the memory for it the peer sends again. */
static enum strata_verdict rest_input(struct tcp_module *m, struct tcp_sock *tp,
				      struct tcp_segment *seg)
{
	tp = tcp_wake(tp);
	if (tp != NULL)
		return socket_input(tp, seg, 0);
	seg->reason = TCP_DROP_NO_MEMORY;
	return tcp_segment_drop(m, seg);
}

static uint32_t segments_of(const struct tcp_segment *seg)
{
	uint32_t size = seg->pkt->seg_size;

	return seg->pkt->seg_type == STRATA_SEG_NONE || size == 0 || seg->length <= size ? 1 :
		(seg->length + size - 1) / size;
}

enum strata_verdict tcp_input(struct strata_instance *self, struct strata_pkt *pkt)
{
	struct tcp_module *m = self->state;
	struct strata_flow *flow;
	struct tcp_segment seg;

	strata_count(self, TCP_COUNT_IN_SEGS, 1);
	/* RFC 9293 3.9.2.3, MUST-57 */
	if (pkt->flags & STRATA_PKT_MANY)
		return strata_drop(self, pkt, TCP_DROP_NOT_UNICAST);
	if (!tcp_parse(pkt, &seg.h, &seg.reason))
		return strata_drop(self, pkt, seg.reason);
	strata_pkt_pull(pkt, seg.h.length);
	seg.pkt = pkt;
	seg.seq = seg.h.seq;
	seg.length = strata_pkt_length(pkt);
	seg.flags = seg.h.flags;
	seg.unscaled = seg.dropped = false;
	strata_count(self, TCP_COUNT_IN_SEGS, segments_of(&seg) - 1);
	flow = strata_flow_find(pkt, seg.h.destination, seg.h.source);
	if (strata_traced(self))
		tcp_trace_input(self, &seg, flow);
	if (flow == NULL)
		return closed_input(m, &seg);
	switch (flow->kind) {
	case TCP_FLOW_REQUEST:
		return tcp_request_input(strata_container_of(flow, struct tcp_request, flow), &seg);
	case TCP_FLOW_TIME_WAIT:
		return time_wait_input(m, strata_container_of(flow, struct tcp_time_wait, flow),
				       &seg);
	case TCP_FLOW_REST:
		return rest_input(m, strata_container_of(flow, struct tcp_sock, sock.flow), &seg);
	default:
		return socket_input(strata_container_of(flow, struct tcp_sock, sock.flow), &seg, 0);
	}
}
