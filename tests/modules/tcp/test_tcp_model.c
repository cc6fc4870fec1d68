/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SEGMENT ARRIVES, RFC 9293 3.10.7, arm by arm. DEVIATION marks where the stack is meant to differ from
 * the letter of it, with the reason; CHOICE, where the text leaves one.
 */
#include "test_tcp_model.h"

/* RFC 9293 3.4: arithmetic modulo 2^32. */
static int32_t after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

const char *model_state_name(enum model_state state)
{
	static const char *const names[MODEL_STATES] = {
		[MODEL_CLOSED] = "CLOSED", [MODEL_LISTEN] = "LISTEN",
		[MODEL_SYN_SENT] = "SYN-SENT", [MODEL_SYN_RECEIVED] = "SYN-RECEIVED",
		[MODEL_ESTABLISHED] = "ESTABLISHED", [MODEL_FIN_WAIT_1] = "FIN-WAIT-1",
		[MODEL_FIN_WAIT_2] = "FIN-WAIT-2", [MODEL_CLOSE_WAIT] = "CLOSE-WAIT",
		[MODEL_CLOSING] = "CLOSING", [MODEL_LAST_ACK] = "LAST-ACK",
		[MODEL_TIME_WAIT] = "TIME-WAIT",
	};

	return names[state];
}

/* SEG.LEN counts SYN and FIN (RFC 9293 3.4). */
static uint32_t seg_len(const struct model_segment *s)
{
	return s->text + ((s->flags & MODEL_SYN) != 0) + ((s->flags & MODEL_FIN) != 0);
}

static struct model_result discarded(const struct model_tcb *tcb, enum model_discard why,
				     const char *step)
{
	return (struct model_result){
		.state = tcb->state, .rcv_nxt = tcb->rcv_nxt, .discard = why, .step = step,
	};
}

/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, and the segment is dropped. */
static struct model_result discarded_with_ack(const struct model_tcb *tcb, enum model_discard why,
					      const char *step)
{
	struct model_result r = discarded(tcb, why, step);

	r.reply = MODEL_SEND_ACK;
	r.reply_seq = tcb->snd_nxt;
	r.reply_ack = tcb->rcv_nxt;
	return r;
}

/* <SEQ=SEG.ACK><CTL=RST>, and the segment is dropped. */
static struct model_result discarded_with_rst(const struct model_tcb *tcb,
					      const struct model_segment *s, enum model_discard why,
					      const char *step)
{
	struct model_result r = discarded(tcb, why, step);

	r.reply = MODEL_SEND_RST;
	r.reply_seq = s->ack;
	return r;
}

/* ---- 3.10.7.1 ---- */

static struct model_result closed(const struct model_tcb *tcb, const struct model_segment *s)
{
	struct model_result r;

	if ((s->flags & MODEL_RST) != 0)
		return discarded(tcb, MODEL_STRAY_RST, "3.10.7.1, RST");
	if ((s->flags & MODEL_ACK) != 0)
		return discarded_with_rst(tcb, s, MODEL_NO_CONNECTION, "3.10.7.1, ACK on");
	/* <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK> */
	r = discarded(tcb, MODEL_NO_CONNECTION, "3.10.7.1, ACK off");
	r.reply = MODEL_SEND_RST_ACK;
	r.reply_ack = s->seq + seg_len(s);
	return r;
}

/* ---- 3.10.7.2 ---- */

static struct model_result opened(const struct model_tcb *tcb, const struct model_segment *s,
				  const char *step)
{
	(void)tcb;
	/* <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>; ISS is new and not the model's to know. */
	return (struct model_result){
		.state = MODEL_SYN_RECEIVED, .reply = MODEL_SEND_SYN_ACK, .reply_ack = s->seq + 1,
		.rcv_nxt = s->seq + 1, .step = step,
	};
}

static struct model_result listening(const struct model_tcb *tcb, const struct model_segment *s)
{
	if ((s->flags & MODEL_RST) != 0)
		return discarded(tcb, MODEL_STRAY_RST, "3.10.7.2 first");
	if ((s->flags & MODEL_ACK) != 0)
		return discarded_with_rst(tcb, s, MODEL_UNACCEPTABLE_ACK, "3.10.7.2 second");
	if ((s->flags & MODEL_SYN) == 0)
		return discarded(tcb, MODEL_NO_CONTROL, "3.10.7.2 fourth");
	/* DEVIATION, as Linux: who opens and closes in one segment asks for nothing. */
	if ((s->flags & MODEL_FIN) != 0)
		return discarded(tcb, MODEL_NO_CONTROL, "3.10.7.2 third, with FIN");
	/* "Any other control or text should be queued for processing later." DEVIATION: the text of a SYN is
	 * not kept, for its sender has not shown that it is there; it sends it again. */
	return opened(tcb, s, "3.10.7.2 third");
}

/* ---- 3.10.7.4 seventh and eighth ---- */

static bool receives_text(enum model_state state)
{
	return state == MODEL_ESTABLISHED || state == MODEL_FIN_WAIT_1 || state == MODEL_FIN_WAIT_2;
}

static enum model_state state_after_fin(enum model_state state, bool our_fin_acked)
{
	switch (state) {
	case MODEL_SYN_RECEIVED:
	case MODEL_ESTABLISHED:
		return MODEL_CLOSE_WAIT;
	case MODEL_FIN_WAIT_1:
		return our_fin_acked ? MODEL_TIME_WAIT : MODEL_CLOSING;
	case MODEL_FIN_WAIT_2:
		return MODEL_TIME_WAIT;
	default:
		return state;
	}
}

/* After the peer's FIN: "ignore the segment text". CHOICE: what lies outside the window, and was trimmed
 * in the first step, is acknowledged as a segment that lies there whole. */
static struct model_result ignored_text(struct model_result r, const struct model_tcb *tcb,
					const struct model_segment *s)
{
	const uint32_t end = s->seq + s->text;

	if (s->text == 0)
		return r;
	r.discard = MODEL_AFTER_FIN;
	r.step = "3.10.7.4 seventh, after FIN";
	if (after(s->seq, tcb->rcv_nxt) < 0 || after(end, tcb->rcv_nxt + tcb->rcv_wnd) > 0) {
		r.reply = MODEL_SEND_ACK;
		r.reply_seq = tcb->snd_nxt;
		r.reply_ack = tcb->rcv_nxt;
	}
	return r;
}

/* Text and FIN of an acceptable segment, from `seq` on (past a SYN). */
static struct model_result text_and_fin(struct model_result r, const struct model_tcb *tcb,
					const struct model_segment *s, uint32_t seq)
{
	const uint32_t edge = tcb->rcv_wnd + tcb->rcv_nxt;
	uint32_t end = seq + s->text, begin = seq;
	bool fin = (s->flags & MODEL_FIN) != 0;

	if (s->text == 0 && !fin)
		return r;
	/* Eighth: a second FIN has no place behind the first either. */
	if (!receives_text(r.state))
		return ignored_text(r, tcb, s);
	/* First: "trim off any portions that lie outside the window (including SYN and FIN)". */
	if (after(begin, r.rcv_nxt) < 0)
		begin = after(end, r.rcv_nxt) < 0 ? end : r.rcv_nxt;
	if (after(end + fin, edge) > 0) {
		if (after(end, edge) > 0)
			end = edge;
		fin = false;
	}
	r.reply = MODEL_SEND_ACK;
	r.reply_seq = tcb->snd_nxt;
	if (after(begin, r.rcv_nxt) > 0) {
		/* First: "Segments with higher beginning sequence numbers SHOULD be held for later". RFC
		 * 5681 4.2: acknowledged at once. */
		r.held_seq = begin;
		r.held_text = end - begin;
		r.held_fin = fin;
		r.step = "3.10.7.4 first, held";
	} else {
		r.delivered = end - begin;
		r.rcv_nxt = end + fin;
		if (fin)
			r.state = state_after_fin(r.state, after(s->ack, tcb->snd_nxt) == 0);
		r.step = fin ? "3.10.7.4 eighth" : "3.10.7.4 seventh";
	}
	r.reply_ack = r.rcv_nxt;
	return r;
}

/* ---- 3.10.7.3 ---- */

static struct model_result syn_sent(const struct model_tcb *tcb, const struct model_segment *s)
{
	const bool ack = (s->flags & MODEL_ACK) != 0;
	struct model_tcb now = *tcb;
	struct model_result r;

	if (ack && (after(s->ack, tcb->iss) <= 0 || after(s->ack, tcb->snd_nxt) > 0))
		return (s->flags & MODEL_RST) != 0
			       ? discarded(tcb, MODEL_STRAY_RST, "3.10.7.3 first, RST")
			       : discarded_with_rst(tcb, s, MODEL_UNACCEPTABLE_ACK, "3.10.7.3 first");
	if ((s->flags & MODEL_RST) != 0) {
		if (!ack)
			return discarded(tcb, MODEL_STRAY_RST, "3.10.7.3 second, no ACK");
		return (struct model_result){ .state = MODEL_CLOSED, .signal = MODEL_REFUSED,
					      .step = "3.10.7.3 second" };
	}
	if ((s->flags & MODEL_SYN) == 0)
		return discarded(tcb, MODEL_NO_CONTROL, "3.10.7.3 fifth");
	if (!ack) {
		/* Fourth, otherwise: other controls and text are queued. DEVIATION: as in LISTEN. */
		r = opened(tcb, s, "3.10.7.3 fourth, simultaneous");
		r.reply_seq = tcb->iss;
		return r;
	}
	now.rcv_nxt = s->seq + 1;
	r = (struct model_result){
		.state = MODEL_ESTABLISHED, .reply = MODEL_SEND_ACK, .reply_seq = tcb->snd_nxt,
		.reply_ack = now.rcv_nxt, .rcv_nxt = now.rcv_nxt, .step = "3.10.7.3 fourth",
	};
	/* "If there are other controls or text in the segment, then continue processing at the sixth
	 * step"; one ACK may stand for both. */
	return text_and_fin(r, &now, s, s->seq + 1);
}

/* ---- 3.10.7.4 ---- */

/* Table 6 of 3.10.7.4. */
static bool acceptable(const struct model_tcb *tcb, const struct model_segment *s)
{
	const uint32_t length = seg_len(s), last = s->seq + length - 1;
	const uint32_t from_first = s->seq - tcb->rcv_nxt, from_last = last - tcb->rcv_nxt;

	if (length == 0)
		return tcb->rcv_wnd == 0 ? s->seq == tcb->rcv_nxt : from_first < tcb->rcv_wnd;
	return tcb->rcv_wnd != 0 && (from_first < tcb->rcv_wnd || from_last < tcb->rcv_wnd);
}

/* Second: RFC 5961 3.2. */
static struct model_result reset(const struct model_tcb *tcb, const struct model_segment *s)
{
	struct model_result r;

	if (s->seq - tcb->rcv_nxt >= tcb->rcv_wnd)
		return discarded(tcb, MODEL_RST_OUTSIDE, "3.10.7.4 second, 1)");
	if (s->seq != tcb->rcv_nxt)
		return discarded_with_ack(tcb, MODEL_RST_INEXACT, "3.10.7.4 second, 3)");
	r = (struct model_result){ .state = MODEL_CLOSED, .step = "3.10.7.4 second, 2)" };
	switch (tcb->state) {
	case MODEL_SYN_RECEIVED:
		if (tcb->passive)
			r.state = MODEL_LISTEN;
		else
			r.signal = MODEL_REFUSED;
		break;
	case MODEL_ESTABLISHED:
	case MODEL_FIN_WAIT_1:
	case MODEL_FIN_WAIT_2:
	case MODEL_CLOSE_WAIT:
	/* DEVIATION, as Linux: whose FIN is not acknowledged is told too, for what it sent may be lost. */
	case MODEL_CLOSING:
	case MODEL_LAST_ACK:
		r.signal = MODEL_RESET;
		break;
	default:
		/* TIME-WAIT: nobody is told. */
		break;
	}
	return r;
}

/* Fifth, for what the state's own arm says of an acceptable ACK. Returns whether processing goes on. */
static bool acknowledge(struct model_result *r, const struct model_tcb *tcb,
			const struct model_segment *s)
{
	const bool all = s->ack == tcb->snd_nxt;

	switch (tcb->state) {
	case MODEL_SYN_RECEIVED:
		r->state = MODEL_ESTABLISHED;
		r->step = "3.10.7.4 fifth, SYN-RECEIVED";
		return true;
	case MODEL_FIN_WAIT_1:
		if (all)
			r->state = MODEL_FIN_WAIT_2;
		return true;
	case MODEL_CLOSING:
		r->step = "3.10.7.4 fifth, CLOSING";
		/* It has done its work: no text follows a FIN. */
		if (all)
			r->state = MODEL_TIME_WAIT;
		/* "Otherwise, ignore the segment." */
		else
			*r = ignored_text(*r, tcb, s);
		return false;
	case MODEL_LAST_ACK:
		if (!all)
			return true;
		r->state = MODEL_CLOSED;
		r->step = "3.10.7.4 fifth, LAST-ACK";
		return false;
	default:
		return true;
	}
}

/* RFC 9293 3.6.1 (MAY-2), RFC 6191 2: a SYN above the last sequence number seen of the previous incarnation
 * opens the connection again, where somebody listens. DEVIATION, as Linux: above RCV.NXT, one more. */
static bool reopens(const struct model_tcb *tcb, const struct model_segment *s)
{
	return tcb->state == MODEL_TIME_WAIT && tcb->passive &&
	       (s->flags & (MODEL_SYN | MODEL_ACK | MODEL_RST | MODEL_FIN)) == MODEL_SYN &&
	       after(s->seq, tcb->rcv_nxt) > 0;
}

/* RFC 9293 3.5, figure 7: the peer's SYN,ACK of a simultaneous open has its SYN's number again and stands
 * below RCV.NXT; 3.10.7.4 alone would never let it in. */
static bool crosses(const struct model_tcb *tcb, const struct model_segment *s)
{
	return tcb->state == MODEL_SYN_RECEIVED && !tcb->passive && s->seq == tcb->irs &&
	       (s->flags & (MODEL_SYN | MODEL_ACK | MODEL_RST)) == (MODEL_SYN | MODEL_ACK);
}

/* TIME-WAIT, for what is no RST. "The only thing that can arrive in this state is a retransmission of the
 * remote FIN": all is discarded. DEVIATION, as Linux: what is more than an ACK of everything is answered,
 * whether its own ACK is on or old; the record that is left has no SND.UNA and no MAX.SND.WND. */
static struct model_result waiting(const struct model_tcb *tcb, const struct model_segment *s)
{
	if (seg_len(s) != 0 || s->seq != tcb->rcv_nxt ||
	    ((s->flags & MODEL_ACK) != 0 && after(s->ack, tcb->snd_nxt) > 0))
		return discarded_with_ack(tcb, MODEL_IGNORED, "3.10.7.4, TIME-WAIT");
	return discarded(tcb, MODEL_IGNORED, "3.10.7.4, TIME-WAIT, nothing new");
}

/* Fourth, in SYN-RECEIVED of a listener: "return this connection to the LISTEN state". DEVIATION: it stays,
 * for no blind SYN may end it, and is challenged as in the states after it (RFC 5961 4.2); and the first
 * SYN again, whose sender an ACK would not help, brings the SYN,ACK again. */
static bool first_syn_again(const struct model_tcb *tcb, const struct model_segment *s)
{
	return tcb->state == MODEL_SYN_RECEIVED && tcb->passive && s->seq == tcb->irs &&
	       (s->flags & (MODEL_SYN | MODEL_ACK | MODEL_RST)) == MODEL_SYN;
}

static struct model_result synchronised(const struct model_tcb *tcb, const struct model_segment *s)
{
	const bool rst = (s->flags & MODEL_RST) != 0;
	struct model_result r;

	if (first_syn_again(tcb, s)) {
		r = opened(tcb, s, "3.10.7.4 fourth, the SYN again");
		r.reply_seq = tcb->iss;
		r.discard = MODEL_SYN_AGAIN;
		return r;
	}
	if (!acceptable(tcb, s))
		return rst ? discarded(tcb, MODEL_RST_OUTSIDE, "3.10.7.4 first, RST")
			   : discarded_with_ack(tcb, MODEL_UNACCEPTABLE_SEQ, "3.10.7.4 first");
	if (rst)
		return reset(tcb, s);
	if ((s->flags & MODEL_SYN) != 0)
		return discarded_with_ack(tcb, MODEL_SYN_UNEXPECTED, "3.10.7.4 fourth");
	if (tcb->state == MODEL_TIME_WAIT)
		return waiting(tcb, s);
	if ((s->flags & MODEL_ACK) == 0)
		return discarded(tcb, MODEL_NO_ACK, "3.10.7.4 fifth, ACK off");
	if (tcb->state == MODEL_SYN_RECEIVED &&
	    (after(s->ack, tcb->snd_una) <= 0 || after(s->ack, tcb->snd_nxt) > 0))
		return discarded_with_rst(tcb, s, MODEL_UNACCEPTABLE_ACK,
					  "3.10.7.4 fifth, SYN-RECEIVED");
	/* RFC 5961 5.2, and SEG.ACK > SND.NXT of the fifth step. */
	if (after(s->ack, tcb->snd_nxt) > 0 || after(s->ack, tcb->snd_una - tcb->max_snd_wnd) < 0)
		return discarded_with_ack(tcb, MODEL_UNACCEPTABLE_ACK, "3.10.7.4 fifth");
	r = (struct model_result){ .state = tcb->state, .rcv_nxt = tcb->rcv_nxt,
				   .step = "3.10.7.4 fifth, taken" };
	return acknowledge(&r, tcb, s) ? text_and_fin(r, tcb, s, s->seq) : r;
}

static struct model_result otherwise(const struct model_tcb *tcb, const struct model_segment *s)
{
	struct model_segment rest = *s;

	if (reopens(tcb, s))
		return opened(tcb, s, "3.6.1, a SYN in TIME-WAIT");
	if (crosses(tcb, s)) {
		rest.flags &= (uint8_t)~MODEL_SYN;
		rest.seq++;
	}
	return synchronised(tcb, &rest);
}

struct model_result model_arrives(const struct model_tcb *tcb, const struct model_segment *segment)
{
	switch (tcb->state) {
	case MODEL_CLOSED:
		return closed(tcb, segment);
	case MODEL_LISTEN:
		return listening(tcb, segment);
	case MODEL_SYN_SENT:
		return syn_sent(tcb, segment);
	default:
		return otherwise(tcb, segment);
	}
}
