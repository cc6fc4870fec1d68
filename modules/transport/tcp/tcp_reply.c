/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segments made without a TCB: resets for what fits nothing, SYN-ACKs of half-open connections,
 * ACKs of TIME-WAIT. Read RFC 9293 3.10.7.1 and RFC 5961 before editing.
 */
#include <errno.h>
#include <strata/trace.h>
#include "tcp_int.h"

struct strata_pkt *tcp_pkt_new(struct strata_stack *stack, const struct tcp_header *h, uint32_t room)
{
	uint32_t length = tcp_emit_length(h);
	struct strata_pkt *pkt = strata_pkt_alloc(stack, STRATA_HEADROOM, length + room);

	if (pkt == NULL)
		return NULL;
	tcp_emit(h, strata_pkt_put(pkt, length), length);
	return pkt;
}

int tcp_pkt_output(const struct strata_dst *dst, struct strata_pkt *pkt,
		   const struct strata_tx *tx)
{
	uint16_t start = (uint16_t)strata_pkt_headroom(pkt);
	uint32_t sum = strata_csum_pseudo(&tx->src, &tx->dst, tx->number, strata_pkt_length(pkt));

	pkt->transport_offset = start;
	pkt->number = tx->number;
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = start;
	pkt->csum_offset = TCP_CHECKSUM_OFFSET;
	strata_put_be16(pkt->data + TCP_CHECKSUM_OFFSET, strata_csum_fold(sum));
	return strata_network_output(dst, pkt, tx);
}

int tcp_reply_by(struct tcp_module *m, const struct strata_dst *dst, const struct strata_flow_key *key,
		 const struct tcp_header *h, uint8_t ttl, uint8_t tos)
{
	struct strata_tx tx = { .src = key->local, .dst = key->remote, .number = key->number,
				.ttl = ttl, .tos = tos, .df = STRATA_DF_WANT };
	struct strata_pkt *pkt = tcp_pkt_new(m->stack, h, 0);

	if (pkt == NULL)
		return -ENOBUFS;
	if (strata_tracing(m->stack))
		tcp_trace_reply(m, pkt, h);
	strata_count(m->self, TCP_COUNT_OUT_SEGS, 1);
	if (h->flags & TCP_RST)
		strata_count(m->self, TCP_COUNT_OUT_RSTS, 1);
	return tcp_pkt_output(dst, pkt, &tx);
}

int tcp_reply(struct tcp_module *m, const struct strata_flow_key *key, struct strata_iface *iface,
	      const struct tcp_header *h, uint8_t ttl, uint8_t tos)
{
	struct strata_dst dst = { 0 };
	int error = strata_route_output(m->stack, &key->remote, &key->local, iface, &dst, NULL);

	if (error < 0)
		return error;
	error = tcp_reply_by(m, &dst, key, h, ttl, tos);
	strata_dst_release(&dst);
	return error;
}

struct strata_flow_key tcp_key_of(const struct strata_pkt *pkt, const struct tcp_header *h)
{
	struct strata_flow_key key = { .local = pkt->dst, .remote = pkt->src,
				       .local_port = h->destination, .remote_port = h->source,
				       .number = pkt->number };
	return key;
}

void tcp_reply_reset(struct tcp_module *m, const struct tcp_segment *seg)
{
	struct tcp_header h = { .source = seg->h.destination, .destination = seg->h.source };
	struct strata_flow_key key;

	if ((seg->h.flags & TCP_RST) != 0 || (seg->pkt->flags & STRATA_PKT_MANY) != 0)
		return;
	if (seg->h.flags & TCP_ACK) {
		h.flags = TCP_RST;
		h.seq = seg->h.ack;
	} else {
		/* "SEG.LEN" counts SYN and FIN (RFC 9293 3.4). */
		h.flags = TCP_RST | TCP_ACK;
		h.ack = seg->h.seq + seg->length + ((seg->h.flags & TCP_SYN) != 0) +
			((seg->h.flags & TCP_FIN) != 0);
	}
	key = tcp_key_of(seg->pkt, &seg->h);
	tcp_reply(m, &key, NULL, &h, 0, 0);
}

bool tcp_challenge_allowed(struct tcp_module *m, uint64_t *next)
{
	uint64_t now = strata_now(m->stack);

	if (now < *next) {
		strata_count(m->self, TCP_COUNT_ACKS_SKIPPED, 1);
		return false;
	}
	*next = now + m->config->challenge_ack_interval;
	return true;
}
