/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Explicit congestion notification: agreed upon in the handshake, marked on new data, echoed until the
 * sender says that it has slowed down. Read RFC 3168 5 and 6.1 before editing.
 */
#include "tcp_int.h"

/* RFC 3168 5: the codepoints of the two low bits of the type of service. */
#define ECN_MASK 3u
#define ECN_NOT_ECT 0
#define ECN_ECT_0 2
#define ECN_CE 3

/* Option `ecn`, as Linux's tcp_ecn. */
enum {
	ECN_OFF = 0,
	ECN_ASK = 1,
};

/* ---- the handshake: RFC 3168 6.1.1 ---- */

bool tcp_ecn_asked(const struct tcp_module *m, const struct tcp_segment *seg)
{
	/* An ECN-setup SYN has both flags; its IP header may not be ECN-capable itself (as Linux, which takes a
	 * SYN that is for one whose bits somebody on the way sets without understanding). */
	return m->config->ecn != ECN_OFF && (seg->h.flags & (TCP_ECE | TCP_CWR)) == (TCP_ECE | TCP_CWR) &&
	       (seg->pkt->tos & ECN_MASK) == ECN_NOT_ECT;
}

uint8_t tcp_ecn_syn_flags(struct tcp_sock *tp)
{
	if (tp->state == TCP_SYN_RECEIVED)
		return tp->ecn_ok ? TCP_ECE : 0;
	/* RFC 3168 6.1.1.1: a SYN that was not answered goes again without, in case it is the flags that are
	 * not liked. */
	tp->ecn_ok = tp->retransmits == 0 && tcp_module_of(tp)->config->ecn == ECN_ASK;
	return tp->ecn_ok ? TCP_ECE | TCP_CWR : 0;
}

void tcp_ecn_answered(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint8_t flags = seg->h.flags & (TCP_ECE | TCP_CWR);

	/* An ECN-setup SYN-ACK has ECE alone: one that has both only reflects what we sent. */
	if (seg->h.flags & TCP_ACK)
		tp->ecn_ok = tp->ecn_ok && flags == TCP_ECE;
	else
		tp->ecn_ok = tp->ecn_ok && tcp_ecn_asked(tcp_module_of(tp), seg);
}

/* ---- sending: RFC 3168 6.1.2 ---- */

uint8_t tcp_ecn_tos(uint8_t tos, bool capable)
{
	return (uint8_t)((tos & ~ECN_MASK) | (capable ? ECN_ECT_0 : ECN_NOT_ECT));
}

void tcp_ecn_echoed(struct tcp_sock *tp, const struct tcp_segment *seg, uint32_t acked)
{
	if (!tcp_ecn_echo(tp, seg))
		return;
	tcp_count(tp, TCP_COUNT_ECE_RECEIVED, 1);
	tp->delivered_ce += acked != 0 ? (acked + tp->cc.mss - 1) / tp->cc.mss : 0;
	tcp_recovery_ecn(tp);
}

/* ---- receiving: RFC 3168 6.1.3 ---- */

void tcp_ecn_received(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	unsigned int mark = seg->pkt->tos & ECN_MASK;

	if (!tp->ecn_ok)
		return;
	if (seg->h.flags & TCP_CWR) {
		tp->ece_due = false;
		/* Its window may be a single segment: it waits for the answer to this one. */
		tp->ack_pending = tp->ack_now = true;
	}
	if (mark != ECN_NOT_ECT)
		tp->ecn_seen = true;
	if (mark != ECN_CE)
		return;
	tcp_count(tp, TCP_COUNT_CE_RECEIVED, 1);
	/* The first mark is told at once. */
	if (!tp->ece_due)
		tp->ack_pending = tp->ack_now = true;
	tp->ece_due = true;
}
