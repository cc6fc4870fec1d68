/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Segmentation in software, just before a driver that cannot: a super-packet becomes packets of at
 * most seg_size payload that share its bytes. The headers are the modules' to finish; the kernel
 * copies them and keeps the checksum's pseudo-header sum right.
 */
#include <errno.h>
#include "iface.h"

/* Local choice: longest transport header, the 60 bytes of RFC 9293 3.1, where none can be asked. */
#define TRANSPORT_HEADER_MAX 60

/* Room left in front of a segment: a header at offset 0 of its buffer would count as not there. */
#define SEGMENT_HEADROOM 16

/* What is needed to cut one packet. Offsets count from pkt->buf. */
struct cut {
	struct strata_pkt *whole;
	struct strata_instance *network, *transport;
	uint32_t start;			/* of the first header, link or network */
	uint32_t payload;		/* of the payload */
	uint32_t length;		/* payload bytes */
	uint32_t network_limit;		/* largest network packet */
};

/* Moves the packet's data to another of its linear bytes. */
static void set_start(struct strata_pkt *pkt, uint32_t offset)
{
	const uint32_t end = strata_pkt_headroom(pkt) + pkt->len;

	pkt->data = pkt->buf + offset;
	pkt->len = end - offset;
}

/* Bytes of the outgoing packet's transport header; 0: not known. */
static uint32_t transport_header(const struct strata_pkt *pkt,
				 const struct strata_transport_ops *ops)
{
	struct strata_pkt view;

	if (ops == NULL || ops->header_length == NULL || pkt->transport_offset == 0)
		return 0;
	/* The op finds its header at data; the packet is borrowed, so a copy without the fragments, which
	 * never hold a header, is moved. */
	memcpy(&view, pkt, offsetof(struct strata_pkt, frags));
	view.frag_count = 0;
	view.frags_len = 0;
	set_start(&view, pkt->transport_offset);
	return ops->header_length(&view);
}

static const struct strata_transport_ops *transport_ops(const struct strata_pkt *pkt)
{
	const struct strata_instance *transport = registry_transport(kernel_of(pkt->stack),
								     pkt->number);
	return transport != NULL ? transport->module->transport : NULL;
}

uint32_t segment_count_super(const struct strata_pkt *pkt)
{
	uint32_t length = strata_pkt_length(pkt), start = strata_pkt_headroom(pkt), header = 0;

	if (pkt->seg_size == 0)
		return 1;
	if (pkt->flags & STRATA_PKT_TX)
		header = transport_header(pkt, transport_ops(pkt));
	if (header != 0 && pkt->transport_offset >= start)
		length -= pkt->transport_offset - start + header;
	else if (pkt->csum == STRATA_CSUM_PARTIAL && pkt->csum_start >= start)
		length -= pkt->csum_start - start;
	/* Where the header's end is not known, as in what was just received, a rest that may be all header
	 * is no segment. */
	if (header == 0 && length > pkt->seg_size && length % pkt->seg_size <= TRANSPORT_HEADER_MAX)
		length -= length % pkt->seg_size;
	return length <= pkt->seg_size ? 1 : (length + pkt->seg_size - 1) / pkt->seg_size;
}

/* Finds out whether and where `pkt` can be cut. */
static bool prepare(struct strata_iface *iface, struct strata_pkt *pkt, struct cut *cut)
{
	struct kernel *k = kernel_of(iface->stack);
	uint32_t header, headers, start = strata_pkt_headroom(pkt);

	cut->whole = pkt;
	cut->network = registry_network(k, pkt->family);
	cut->transport = registry_transport(k, pkt->number);
	if (cut->network == NULL || cut->network->module->network->segment == NULL ||
	    cut->transport == NULL || cut->transport->module->transport->segment == NULL ||
	    pkt->csum != STRATA_CSUM_PARTIAL || pkt->seg_size == 0 ||
	    pkt->network_offset < start || pkt->transport_offset <= pkt->network_offset)
		return false;
	header = transport_header(pkt, cut->transport->module->transport);
	headers = pkt->transport_offset - start + header;
	if (header == 0 || pkt->len < headers || headers > STRATA_PKT_SMALL)
		return false;
	cut->start = start;
	cut->payload = start + headers;
	cut->length = strata_pkt_length(pkt) - headers;
	cut->network_limit = iface->mtu;
	return true;
}

/* The copied header has the pseudo-header sum with the whole's length in it: takes that out and puts
 * the segment's in, by the one's complement arithmetic of RFC 1624. */
static void adjust_partial(const struct cut *cut, struct strata_pkt *segment, uint32_t payload)
{
	const uint32_t header = cut->payload - cut->whole->transport_offset;
	const uint32_t was = header + cut->length, is = header + payload;
	uint8_t *field = segment->buf + segment->csum_start + segment->csum_offset;
	uint32_t sum = strata_get_be16(field);

	sum += (uint16_t)~strata_csum_fold(was) + (is & 0xffff) + (is >> 16);
	strata_put_be16(field, strata_csum_fold(sum));
}

/* Copies the header bytes of the whole from `from` up to where the segment begins so far. */
static void copy_header(const struct cut *cut, struct strata_pkt *segment, uint32_t from, uint32_t to)
{
	if (from == to)
		return;
	memcpy(strata_pkt_push(segment, to - from), cut->whole->buf + from, to - from);
}

/* What a slice does not have of its whole, with offsets from its own buffer. */
static void copy_state(const struct cut *cut, struct strata_pkt *segment)
{
	const struct strata_pkt *whole = cut->whole;
	/* Unsigned arithmetic that wraps: the sum with each offset is right again. */
	const uint32_t shift = strata_pkt_headroom(segment) - cut->payload;

	segment->iface = whole->iface;
	segment->link_offset = whole->link_offset == 0 ? 0 : (uint16_t)(whole->link_offset + shift);
	segment->network_offset = (uint16_t)(whole->network_offset + shift);
	segment->transport_offset = (uint16_t)(whole->transport_offset + shift);
	segment->csum = whole->csum;
	segment->csum_start = (uint16_t)(whole->csum_start + shift);
	segment->csum_offset = whole->csum_offset;
	segment->seg_type = STRATA_SEG_NONE;
	segment->seg_size = 0;
}

/* Makes the segment of `length` payload bytes from `offset` on. Each module finds data at its own
 * header, in the whole as in the segment. Returns NULL when memory is short. */
static struct strata_pkt *cut_one(const struct cut *cut, uint32_t index, uint32_t offset,
				  uint32_t length)
{
	struct strata_pkt *whole = cut->whole, *segment;
	const uint32_t headers = cut->payload - cut->start;

	segment = strata_pkt_slice(whole, headers + offset, length, headers + SEGMENT_HEADROOM);
	if (segment == NULL)
		return NULL;
	copy_state(cut, segment);
	copy_header(cut, segment, whole->transport_offset, cut->payload);
	adjust_partial(cut, segment, length);
	set_start(whole, whole->transport_offset);
	cut->transport->module->transport->segment(cut->transport, whole, segment, offset,
						   offset + length == cut->length);
	copy_header(cut, segment, whole->network_offset, whole->transport_offset);
	set_start(whole, whole->network_offset);
	cut->network->module->network->segment(cut->network, whole, segment, index);
	set_start(whole, cut->start);
	copy_header(cut, segment, cut->start, whole->network_offset);
	return segment;
}

static int cut_all(struct strata_iface *iface, const struct cut *cut, struct strata_pkt_queue *out)
{
	const uint32_t size = cut->whole->seg_size;
	uint32_t offset, index;

	for (index = 0, offset = 0; offset < cut->length; index++, offset += size) {
		const uint32_t left = cut->length - offset;
		struct strata_pkt *segment = cut_one(cut, index, offset, left < size ? left : size);
		if (segment == NULL)
			return -ENOBUFS;
		if (!(iface->caps & STRATA_CAP_TX_CSUM))
			strata_pkt_csum_complete(segment);
		strata_pkt_enqueue(out, segment);
	}
	return 0;
}

/* Moves all of `from` behind `to`. */
static void join(struct strata_pkt_queue *to, struct strata_pkt_queue *from)
{
	if (to->tail != NULL)
		to->tail->next = from->head;
	else
		to->head = from->head;
	to->tail = from->tail;
	to->count += from->count;
	to->bytes += from->bytes;
}

int segment_enqueue(struct strata_iface *iface, struct strata_pkt *pkt, struct strata_pkt_queue *out)
{
	struct kernel *k = kernel_of(iface->stack);
	struct strata_pkt_queue made = { 0 };
	uint32_t network_headers;
	struct cut cut;

	pkt = iface_pkt_own(k, pkt);
	if (pkt == NULL)
		return -ENOBUFS;
	if (!prepare(iface, pkt, &cut))
		return strata_drop_errno(&k->self, pkt, KERNEL_DROP_CANNOT_SEGMENT, -EMSGSIZE);
	network_headers = cut.payload - pkt->network_offset;
	if (cut.length <= pkt->seg_size) {
		if (network_headers + cut.length > cut.network_limit)
			return strata_drop_errno(&k->self, pkt, KERNEL_DROP_TOO_BIG, -EMSGSIZE);
		pkt->seg_type = STRATA_SEG_NONE;
		if (!(iface->caps & STRATA_CAP_TX_CSUM))
			strata_pkt_csum_complete(pkt);
		strata_pkt_enqueue(out, pkt);
		return 0;
	}
	if (network_headers + pkt->seg_size > cut.network_limit)
		return strata_drop_errno(&k->self, pkt, KERNEL_DROP_TOO_BIG, -EMSGSIZE);
	if (cut_all(iface, &cut, &made) < 0) {
		strata_pkt_queue_purge(&made);
		return strata_drop_errno(&k->self, pkt, KERNEL_DROP_NO_MEMORY, -ENOBUFS);
	}
	strata_trace_fields(&k->self, pkt, STRATA_SAID(STRATA_FIELD_UINT("segments", made.count),
			    STRATA_FIELD_SIZE("size", pkt->seg_size)),
			    "cut into %u segments of %u bytes", made.count, pkt->seg_size);
	join(out, &made);
	strata_pkt_free(pkt);
	return 0;
}
