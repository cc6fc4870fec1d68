/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams from above: header, identification, fragmentation. Read RFC 791 3.2, RFC 1122 3.3.5 and
 * RFC 6864 before editing.
 */
#include <errno.h>
#include "ipv4_wire.h"

/* RFC 1112 6.1: TTL of multicast datagrams whose sender does not say. */
#define MULTICAST_TTL 1

/* `count` identifications for datagrams to `dst` that may be fragmented; returns the first.
 *
 * RFC 6864 4.3: unique for as long as one may be under way. A counter for each destination, from
 * a random start, tells nobody what is sent to others, which a common one does. */
static uint16_t next_ids(struct strata_instance *self, uint32_t dst, uint32_t count)
{
	struct ipv4_state *state = self->state;
	struct ipv4_entry *entry = ipv4_table_find(&state->ids, dst);
	bool evicted = false;
	uint16_t first;

	if (entry == NULL) {
		entry = ipv4_table_add(&state->ids, dst, &evicted);
		strata_count(self, IPV4_ID_EVICTED, evicted);
		if (entry == NULL)
			return (uint16_t)strata_random32(self->stack);
		entry->id = (uint16_t)strata_random32(self->stack);
	} else {
		ipv4_table_touch(&state->ids, entry);
	}
	first = entry->id;
	entry->id = (uint16_t)(first + count);
	return first;
}

/* Largest packet that may go out in one piece. */
static uint32_t output_mtu(const struct strata_dst *dst, const struct strata_tx *tx)
{
	if (dst->kind == STRATA_DST_LOCAL && (dst->iface->flags & STRATA_IFACE_LOOPBACK) == 0)
		return STRATA_PKT_MAX;
	return tx->df == STRATA_DF_PROBE ? dst->iface->mtu : dst->mtu;
}

/* Bytes of the transport header, which every segment of a super-packet repeats. */
static uint32_t transport_header(struct strata_instance *self, const struct strata_pkt *pkt)
{
	const struct strata_instance *transport =
		strata_instance_by_number(self->stack, STRATA_TRANSPORT, pkt->number);

	if (transport == NULL || transport->module->transport->header_length == NULL)
		return 0;
	return transport->module->transport->header_length(pkt);
}

/* Datagrams that a packet becomes on the wire. */
static uint32_t segment_count(const struct strata_pkt *pkt, uint32_t header)
{
	uint32_t length = strata_pkt_length(pkt);

	if (pkt->seg_type == STRATA_SEG_NONE || pkt->seg_size == 0 || length <= header)
		return 1;
	return (length - header + pkt->seg_size - 1) / pkt->seg_size;
}

static void count_many(struct strata_instance *self, const struct strata_dst *dst)
{
	if (dst->kind == STRATA_DST_BROADCAST)
		strata_count(self, IPV4_OUT_BROADCAST, 1);
	if (dst->kind == STRATA_DST_MULTICAST)
		strata_count(self, IPV4_OUT_MULTICAST, 1);
}

/* Reads the header again, so that of a datagram that nobody traces none has to be kept. */
static __attribute__((cold, noinline)) void trace_output(struct strata_instance *self, struct strata_pkt *pkt)
{
	struct ipv4_header h;

	ipv4_header_read(pkt->data, &h);
	ipv4_trace(self, pkt, &h, "");
}

/* Writes the header in front of the packet and sends it. Consumes. Called from two places, of which one is on
 * every packet's way. */
static inline __attribute__((always_inline)) int send_one(struct strata_instance *self,
							  const struct strata_dst *dst,
							  struct strata_pkt *pkt, struct ipv4_header *h,
							  const struct strata_addr *to)
{
	uint8_t *p = strata_pkt_push(pkt, IPV4_HEADER_SIZE);

	if (p == NULL)
		return strata_drop_errno(self, pkt, IPV4_DROP_OUT_NO_MEMORY, -ENOBUFS);
	h->total = (uint16_t)strata_pkt_length(pkt);
	ipv4_header_write(h, p, 0);
	pkt->network_offset = (uint16_t)strata_pkt_headroom(pkt);
	pkt->iface = dst->iface;
	if (strata_traced(self))
		trace_output(self, pkt);
	if (strata_unlikely(dst->kind != STRATA_DST_UNICAST))
		count_many(self, dst);
	return strata_dst_output(dst, pkt, to, (uint16_t)self->number);
}

/* RFC 791 3.2, RFC 815: pieces that fit `mtu`, all but the last a multiple of 8 bytes. Consumes. Apart, since
 * most datagrams fit. */
static __attribute__((noinline)) int send_fragments(struct strata_instance *self, const struct strata_dst *dst,
						    struct strata_pkt *pkt, struct ipv4_header h,
						    const struct strata_addr *to, uint32_t mtu)
{
	const uint32_t length = strata_pkt_length(pkt);
	const uint32_t most = (mtu - IPV4_HEADER_SIZE) & ~UINT32_C(7);
	uint32_t at, n;
	int result = 0;

	strata_trace(self, pkt, "%u bytes, the path takes %u → fragments", length + IPV4_HEADER_SIZE, mtu);
	strata_pkt_csum_complete(pkt);
	h.df = false;
	h.id = next_ids(self, h.dst, 1);
	for (at = 0; at < length && result == 0; at += n) {
		struct strata_pkt *piece;
		n = length - at < most ? length - at : most;
		piece = strata_pkt_slice(pkt, at, n, STRATA_HEADROOM);
		if (piece == NULL)
			return strata_drop_errno(self, pkt, IPV4_DROP_OUT_NO_MEMORY, -ENOBUFS);
		/* Only the first has a transport header. */
		piece->transport_offset = at == 0 ? (uint16_t)strata_pkt_headroom(piece) : 0;
		h.offset = (uint16_t)at;
		h.mf = at + n < length;
		strata_count(self, IPV4_FRAG_CREATES, 1);
		result = send_one(self, dst, piece, &h, to);
	}
	strata_count(self, IPV4_FRAG_OKS, result == 0);
	strata_pkt_free(pkt);
	return result;
}

/* A packet with room for the header in front, that nobody else holds. Consumes; NULL: dropped. */
static struct strata_pkt *make_room(struct strata_instance *self, struct strata_pkt *pkt)
{
	struct strata_pkt *copy;

	if (strata_likely(pkt->refs == 1 && strata_pkt_headroom(pkt) >= IPV4_HEADER_SIZE))
		return pkt;
	copy = strata_pkt_copy(pkt, STRATA_HEADROOM);
	if (copy == NULL)
		strata_drop(self, pkt, IPV4_DROP_OUT_NO_MEMORY);
	else
		strata_pkt_free(pkt);
	return copy;
}

static uint8_t choose_ttl(struct strata_instance *self, const struct strata_dst *dst,
			  const struct strata_tx *tx)
{
	const struct ipv4_config *config = self->config;

	if (tx->ttl != 0)
		return tx->ttl;
	return dst->kind == STRATA_DST_MULTICAST ? MULTICAST_TTL : (uint8_t)config->ttl;
}

static bool choose_df(struct strata_instance *self, const struct strata_dst *dst,
		      const struct strata_tx *tx)
{
	const struct ipv4_config *config = self->config;

	if (tx->df == STRATA_DF_WANT && strata_unlikely(dst->mtu <= config->pmtu_floor))
		return !ipv4_path_narrow(self, &tx->dst);
	return tx->df != STRATA_DF_DONT;
}

int ipv4_output(struct strata_instance *self, const struct strata_dst *dst, struct strata_pkt *pkt,
		const struct strata_tx *tx)
{
	struct ipv4_header h = {
		.size = IPV4_HEADER_SIZE, .tos = tx->tos, .ttl = choose_ttl(self, dst, tx),
		.number = tx->number, .df = choose_df(self, dst, tx),
		.src = strata_inet4_value(&tx->src), .dst = strata_inet4_value(&tx->dst),
	};
	const uint32_t mtu = output_mtu(dst, tx);
	const bool must_not = tx->df == STRATA_DF_DO || tx->df == STRATA_DF_PROBE;
	uint32_t total, header = 0;

	strata_count(self, IPV4_OUT_REQUESTS, 1);
	pkt = make_room(self, pkt);
	if (pkt == NULL)
		return -ENOBUFS;
	pkt->family = (uint16_t)self->number;
	pkt->number = h.number;
	pkt->ttl = h.ttl;
	pkt->tos = h.tos;
	pkt->src = tx->src;
	pkt->dst = tx->dst;
	total = IPV4_HEADER_SIZE + strata_pkt_length(pkt);
	if (total > STRATA_PKT_MAX)
		return strata_drop_errno(self, pkt, IPV4_DROP_OUT_TOO_BIG, -EMSGSIZE);
	if (strata_unlikely(pkt->seg_type != STRATA_SEG_NONE))
		header = transport_header(self, pkt);
	if (total > mtu && pkt->seg_type != STRATA_SEG_NONE) {
		/* The transport cuts anew when it hears of it; a segment is never fragmented
		 * here. */
		if (IPV4_HEADER_SIZE + header + pkt->seg_size > mtu)
			return strata_drop_errno(self, pkt, IPV4_DROP_OUT_SEGMENT_TOO_BIG, -EMSGSIZE);
	} else if (total > mtu) {
		if (must_not || mtu < IPV4_MTU_MIN)
			return strata_drop_errno(self, pkt, IPV4_DROP_OUT_DF, -EMSGSIZE);
		return send_fragments(self, dst, pkt, h, &tx->dst, mtu);
	}
	/* RFC 6864 4.1: the identification of a datagram that cannot be fragmented means
	 * nothing. */
	if (!h.df)
		h.id = next_ids(self, h.dst, segment_count(pkt, header));
	return send_one(self, dst, pkt, &h, &tx->dst);
}

void ipv4_segment(struct strata_instance *self, const struct strata_pkt *whole,
		  struct strata_pkt *segment, uint32_t index)
{
	uint8_t *p = segment->buf + segment->network_offset;
	const uint8_t *from = whole->buf + whole->network_offset;
	struct ipv4_header h;

	(void)self;
	ipv4_header_read(from, &h);
	h.total = (uint16_t)((uint32_t)(segment->data + segment->len - p) + segment->frags_len);
	if (!(whole->flags & STRATA_PKT_SEG_ALIKE))
		h.id = (uint16_t)(h.id + index);
	ipv4_emit(&h, p);
}
