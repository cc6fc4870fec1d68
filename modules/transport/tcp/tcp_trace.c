/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * TCP's steps in a packet's walk: what a segment says, whom it is for, what its acknowledgement and its
 * text do, what leaves and why it leaves again. Nothing here is called while nobody listens.
 */
#include <strata/trace.h>
#include "tcp_int.h"
#include "tcp_flight.h"

/* RFC 9293 3.1, RFC 3168 6.1: from bit 0 on. */
#define FLAG_NAMES "FIN SYN RST PSH ACK URG ECE CWR"

static const char *phase_name(const struct tcp_sock *tp)
{
	static const char *const names[] = {
		[TCP_PHASE_OPEN] = "",
		[TCP_PHASE_DISORDER] = "disorder",
		[TCP_PHASE_CWR] = "reducing",
		[TCP_PHASE_RECOVERY] = "fast recovery",
		[TCP_PHASE_LOSS] = "loss",
	};

	return tp->phase < STRATA_COUNT(names) ? names[tp->phase] : "";
}

void tcp_trace_input(struct strata_instance *self, const struct tcp_segment *seg,
		     const struct strata_flow *flow)
{
	const struct strata_socket *sock = NULL;
	const char *whose = "no connection";

	if (flow != NULL && flow->kind == TCP_FLOW_REQUEST)
		whose = "half-open connection";
	else if (flow != NULL && flow->kind == TCP_FLOW_TIME_WAIT)
		whose = "connection in TIME-WAIT";
	else if (flow != NULL)
		sock = &strata_container_of(flow, struct tcp_sock, sock.flow)->sock;
	if (sock == NULL) {
		strata_trace_fields(self, seg->pkt, STRATA_FIELDS(
				    STRATA_FIELD_UINT("src_port", seg->h.source),
				    STRATA_FIELD_UINT("dst_port", seg->h.destination),
				    STRATA_FIELD_FLAGS("flags", seg->h.flags, FLAG_NAMES),
				    STRATA_FIELD_UINT("seq", seg->h.seq),
				    STRATA_FIELD_UINT("ack", seg->h.ack),
				    STRATA_FIELD_UINT("win", seg->h.window),
				    STRATA_FIELD_SIZE("length", seg->length)), "%s", whose);
		return;
	}
	strata_trace_fields(self, seg->pkt, STRATA_FIELDS(
			    STRATA_FIELD_UINT("src_port", seg->h.source),
			    STRATA_FIELD_UINT("dst_port", seg->h.destination),
			    STRATA_FIELD_FLAGS("flags", seg->h.flags, FLAG_NAMES),
			    STRATA_FIELD_UINT("seq", seg->h.seq),
			    STRATA_FIELD_UINT("ack", seg->h.ack),
			    STRATA_FIELD_UINT("win", seg->h.window),
			    STRATA_FIELD_SIZE("length", seg->length),
			    STRATA_FIELD_SOCKET("socket", sock)), "%s", "");
}

void tcp_trace_ack(const struct tcp_sock *tp, const struct tcp_segment *seg, uint32_t una)
{
	strata_trace_fields(tp->sock.transport, seg->pkt, STRATA_FIELDS(
			    STRATA_FIELD_UINT("una", tp->snd_una), STRATA_FIELD_UINT("nxt", tp->snd_nxt),
			    STRATA_FIELD_UINT("wnd", tp->snd_wnd), STRATA_FIELD_UINT("cwnd", tp->cc.cwnd),
			    STRATA_FIELD_TIME("srtt", tp->cc.srtt),
			    STRATA_FIELD_TEXT("phase", phase_name(tp))),
			    tp->snd_una != una ? "%u acknowledged" : "nothing new acknowledged",
			    tp->snd_una - una);
}

void tcp_trace_text(const struct tcp_sock *tp, uint32_t length, uint32_t before)
{
	const bool in_order = tp->rcv_nxt != before;

	strata_trace_fields(tp->sock.transport, NULL, STRATA_FIELDS(
			    STRATA_FIELD_SIZE("data", length), STRATA_FIELD_UINT("rcv_nxt", tp->rcv_nxt),
			    STRATA_FIELD_UINT("holes", tp->ooo_ranges)),
			    "%s", in_order ? "→ receive queue" : "out of order, kept");
}

/* Why bytes that were sent before go again. */
static const char *why_again(const struct tcp_sock *tp)
{
	if (tp->retransmits != 0)
		return "again: the retransmission timer fired";
	if (tp->phase == TCP_PHASE_RECOVERY)
		return "again: deemed lost, fast recovery";
	if (tp->flight != NULL && tp->flight->mtu_loss)
		return "again: the path takes less";
	if (tp->phase == TCP_PHASE_LOSS)
		return "again: deemed lost after a timeout";
	return "again: tail loss probe";
}

void tcp_trace_output(const struct tcp_sock *tp, struct strata_pkt *pkt, const struct tcp_header *h,
		      uint32_t length)
{
	const bool syn = (h->flags & TCP_SYN) != 0;
	const bool sent_before = seq_lt(h->seq, tp->snd_nxt) && (length != 0 || (h->flags & TCP_FIN) != 0);
	const char *why = "";

	if (syn && tp->retransmits != 0)
		why = "again: the retransmission timer fired";
	else if (!syn && sent_before)
		why = why_again(tp);
	else if (!syn && h->seq == tp->snd_una - 1)
		why = "probe: asks for an answer";
	strata_trace_fields(tp->sock.transport, pkt, STRATA_FIELDS(
			    STRATA_FIELD_TEXT("state", tcp_state_name(tp->state)),
			    STRATA_FIELD_UINT("src_port", h->source),
			    STRATA_FIELD_UINT("dst_port", h->destination),
			    STRATA_FIELD_FLAGS("flags", h->flags, FLAG_NAMES),
			    STRATA_FIELD_UINT("seq", h->seq), STRATA_FIELD_UINT("ack", h->ack),
			    STRATA_FIELD_UINT("win", h->window), STRATA_FIELD_SIZE("length", length)),
			    "%s", why);
}

void tcp_trace_reply(struct tcp_module *m, struct strata_pkt *pkt, const struct tcp_header *h)
{
	strata_trace_fields(m->self, pkt, STRATA_FIELDS(
			    STRATA_FIELD_UINT("src_port", h->source),
			    STRATA_FIELD_UINT("dst_port", h->destination),
			    STRATA_FIELD_FLAGS("flags", h->flags, FLAG_NAMES),
			    STRATA_FIELD_UINT("seq", h->seq), STRATA_FIELD_UINT("ack", h->ack),
			    STRATA_FIELD_UINT("win", h->window)), "%s", "");
}

void tcp_trace_state(const struct tcp_sock *tp, enum tcp_state state)
{
	strata_trace_fields(tp->sock.transport, NULL, STRATA_FIELDS(
			    STRATA_FIELD_STATE("state", tcp_state_name(tp->state), tcp_state_name(state)),
			    STRATA_FIELD_FLOW("connection", &tp->sock.flow.key)), "%s", "");
}

void tcp_trace_timer(const struct tcp_sock *tp, const char *name)
{
	strata_trace_fields(tp->sock.transport, NULL, STRATA_FIELDS(
			    STRATA_FIELD_FLOW("connection", &tp->sock.flow.key),
			    STRATA_FIELD_TEXT("timer", name),
			    STRATA_FIELD_TIME("rto", tcp_rto(tp)),
			    STRATA_FIELD_UINT("retransmits", tp->retransmits),
			    STRATA_FIELD_UINT("una", tp->snd_una), STRATA_FIELD_UINT("nxt", tp->snd_nxt)),
			    "%s", "fires");
}
