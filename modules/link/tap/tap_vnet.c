/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header in front of each frame of a TAP device opened with IFF_VNET_HDR: which checksum is
 * still open, and how a larger frame is to be cut. Read virtio 1.2, 5.1.6.2 and 5.1.6.4, and the
 * kernel's virtio_net_hdr_to_skb() before editing. Fields are in the host's byte order.
 */
#include <stddef.h>
#include <linux/virtio_net.h>
#include "tap_int.h"

_Static_assert(sizeof(struct virtio_net_hdr) == TAP_VNET_SIZE, "size of the virtio header");

/* virtio 1.2, 5.1.6: newer than the headers of older distributions. */
#define TAP_GSO_UDP_L4 5

#define TAP_TYPE_IPV4 0x0800
#define TAP_TYPE_IPV6 0x86dd
#define TAP_TYPE_VLAN 0x8100
#define TAP_TYPE_QINQ 0x88a8
#define TAP_VLAN_TAG 4

#define TAP_NUMBER_TCP 6
#define TAP_NUMBER_UDP 17
#define TAP_TCP_HEADER 20
#define TAP_TCP_DATA_OFFSET 12
#define TAP_TCP_CHECKSUM 16
#define TAP_UDP_HEADER 8
#define TAP_UDP_CHECKSUM 6

static int tap_reject(enum tap_drop reason)
{
	return -(int)reason - 1;
}

/** Where the network packet in a frame begins and of which type it is. */
struct tap_frame {
	uint16_t type;
	uint32_t network;	/* offset of the network header */
	uint32_t transport;	/* least offset of the transport header */
	int number;		/* transport number; -1: not told without walking headers */
};

/* Reads as much of a frame as offload fields depend on. Returns false when it is too short. */
static bool tap_frame_parse(const uint8_t *frame, uint32_t linear, struct tap_frame *out)
{
	uint32_t offset = TAP_LINK_HEADER - 2;

	if (linear < TAP_LINK_HEADER)
		return false;
	out->type = strata_get_be16(frame + offset);
	while (out->type == TAP_TYPE_VLAN || out->type == TAP_TYPE_QINQ) {
		offset += TAP_VLAN_TAG;
		if (linear < offset + 2)
			return false;
		out->type = strata_get_be16(frame + offset);
	}
	out->network = offset + 2;
	out->number = -1;
	out->transport = out->network;
	if (out->type == TAP_TYPE_IPV4) {
		uint32_t size;

		if (linear < out->network + 20)
			return false;
		size = (frame[out->network] & 0x0fu) * 4u;
		if (size < 20)
			return false;
		out->transport = out->network + size;
		out->number = frame[out->network + 9];
	} else if (out->type == TAP_TYPE_IPV6) {
		if (linear < out->network + 40)
			return false;
		out->transport = out->network + 40;
		if (frame[out->network + 6] == TAP_NUMBER_TCP ||
		    frame[out->network + 6] == TAP_NUMBER_UDP)
			out->number = frame[out->network + 6];
	}
	return true;
}

static int tap_parse_checksum(const struct virtio_net_hdr *vnet, const struct tap_frame *parsed,
			      uint32_t linear, struct tap_offload *out)
{
	/* Sums in 32 bits: both fields come from outside. */
	uint32_t field = (uint32_t)vnet->csum_start + vnet->csum_offset;

	if (vnet->csum_start < parsed->transport)
		return tap_reject(TAP_DROP_VNET_CHECKSUM_START);
	if (field + 2 > linear)
		return tap_reject(TAP_DROP_VNET_CHECKSUM_END);
	out->csum = STRATA_CSUM_PARTIAL;
	out->csum_start = vnet->csum_start;
	out->csum_offset = vnet->csum_offset;
	return 0;
}

static int tap_parse_segments(const struct virtio_net_hdr *vnet, const struct tap_frame *parsed,
			      const uint8_t *frame, uint32_t linear, uint32_t length,
			      struct tap_offload *out)
{
	uint8_t type = vnet->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	bool stream = type == VIRTIO_NET_HDR_GSO_TCPV4 || type == VIRTIO_NET_HDR_GSO_TCPV6;
	uint32_t transport = out->csum == STRATA_CSUM_PARTIAL ? out->csum_start : parsed->transport;
	int number = stream ? TAP_NUMBER_TCP : TAP_NUMBER_UDP;
	uint16_t check = stream ? TAP_TCP_CHECKSUM : TAP_UDP_CHECKSUM;
	uint32_t size;

	if (!stream && type != TAP_GSO_UDP_L4)
		return tap_reject(TAP_DROP_VNET_SEGMENT_TYPE);
	if ((type == VIRTIO_NET_HDR_GSO_TCPV4 && parsed->type != TAP_TYPE_IPV4) ||
	    (type == VIRTIO_NET_HDR_GSO_TCPV6 && parsed->type != TAP_TYPE_IPV6) ||
	    (parsed->type != TAP_TYPE_IPV4 && parsed->type != TAP_TYPE_IPV6) ||
	    (parsed->number >= 0 && parsed->number != number) ||
	    (out->csum == STRATA_CSUM_PARTIAL && out->csum_offset != check))
		return tap_reject(TAP_DROP_VNET_SEGMENT_PACKET);
	size = stream ? TAP_TCP_HEADER : TAP_UDP_HEADER;
	if (transport + size > linear)
		return tap_reject(TAP_DROP_VNET_SEGMENT_PACKET);
	if (stream)
		size = (uint32_t)(frame[transport + TAP_TCP_DATA_OFFSET] >> 4) * 4;
	if ((stream && size < TAP_TCP_HEADER) || transport + size > linear ||
	    transport + size > length)
		return tap_reject(TAP_DROP_VNET_SEGMENT_PACKET);
	if (vnet->gso_size == 0 || vnet->gso_size > STRATA_PKT_MAX - size)
		return tap_reject(TAP_DROP_VNET_SEGMENT_SIZE);
	if (length - transport - size <= vnet->gso_size)
		return 0;	/* one segment: nothing to be cut */
	out->seg_type = stream ? STRATA_SEG_STREAM : STRATA_SEG_DATAGRAM;
	out->seg_size = vnet->gso_size;
	return 0;
}

int tap_vnet_parse(const uint8_t header[TAP_VNET_SIZE], const uint8_t *frame, uint32_t linear,
		   uint32_t length, struct tap_offload *out)
{
	struct virtio_net_hdr vnet;
	struct tap_frame parsed;
	int result = 0;

	memcpy(&vnet, header, sizeof(vnet));
	memset(out, 0, sizeof(*out));
	if (vnet.flags & ~(VIRTIO_NET_HDR_F_NEEDS_CSUM | VIRTIO_NET_HDR_F_DATA_VALID))
		return tap_reject(TAP_DROP_VNET_FLAGS);
	if (vnet.flags & VIRTIO_NET_HDR_F_DATA_VALID)
		out->csum = STRATA_CSUM_VERIFIED;
	if (!(vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) &&
	    vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return 0;
	if (!tap_frame_parse(frame, linear, &parsed))
		return tap_reject(TAP_DROP_VNET_CHECKSUM_START);
	if (vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		result = tap_parse_checksum(&vnet, &parsed, linear, out);
	/* hdr_len is a hint that drivers get wrong (virtio 1.2, 5.1.6.4.1): it is not looked at. */
	if (result == 0 && vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		result = tap_parse_segments(&vnet, &parsed, frame, linear, length, out);
	return result;
}

/* Type of segmentation for an outgoing packet; VIRTIO_NET_HDR_GSO_NONE: the device has none for it. */
static uint8_t tap_gso_type(const struct strata_pkt *pkt, bool uso)
{
	uint16_t type = strata_get_be16(pkt->data + TAP_LINK_HEADER - 2);

	if (pkt->seg_type == STRATA_SEG_STREAM && pkt->csum_offset == TAP_TCP_CHECKSUM) {
		if (type == TAP_TYPE_IPV4)
			return VIRTIO_NET_HDR_GSO_TCPV4;
		if (type == TAP_TYPE_IPV6)
			return VIRTIO_NET_HDR_GSO_TCPV6;
	}
	if (uso && pkt->seg_type == STRATA_SEG_DATAGRAM && pkt->csum_offset == TAP_UDP_CHECKSUM &&
	    (type == TAP_TYPE_IPV4 || type == TAP_TYPE_IPV6))
		return TAP_GSO_UDP_L4;
	return VIRTIO_NET_HDR_GSO_NONE;
}

static int tap_emit_segments(const struct strata_pkt *pkt, bool uso, struct virtio_net_hdr *vnet)
{
	uint32_t start, size;
	struct tap_frame parsed;

	if (pkt->csum != STRATA_CSUM_PARTIAL || pkt->seg_size == 0 ||
	    !tap_frame_parse(pkt->data, pkt->len, &parsed))
		return tap_reject(TAP_DROP_CANNOT_SEGMENT);
	start = pkt->csum_start - strata_pkt_headroom(pkt);
	size = pkt->seg_type == STRATA_SEG_STREAM ? TAP_TCP_HEADER : TAP_UDP_HEADER;
	vnet->gso_type = tap_gso_type(pkt, uso);
	if (vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE || pkt->csum_start < strata_pkt_headroom(pkt) ||
	    start + size > pkt->len)
		return tap_reject(TAP_DROP_CANNOT_SEGMENT);
	/* The device looks at the number in the packet: one bound elsewhere it cannot cut. */
	if (parsed.number >= 0 &&
	    parsed.number != (pkt->seg_type == STRATA_SEG_STREAM ? TAP_NUMBER_TCP : TAP_NUMBER_UDP))
		return tap_reject(TAP_DROP_CANNOT_SEGMENT);
	if (pkt->seg_type == STRATA_SEG_STREAM)
		size = (uint32_t)(pkt->data[start + TAP_TCP_DATA_OFFSET] >> 4) * 4;
	if (start + size > pkt->len || start + size > UINT16_MAX)
		return tap_reject(TAP_DROP_CANNOT_SEGMENT);
	if (strata_pkt_length(pkt) - start - size <= pkt->seg_size) {
		vnet->gso_type = VIRTIO_NET_HDR_GSO_NONE;	/* one segment */
		return 0;
	}
	vnet->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vnet->hdr_len = (uint16_t)(start + size);
	vnet->gso_size = pkt->seg_size;
	vnet->csum_start = (uint16_t)start;
	vnet->csum_offset = pkt->csum_offset;
	return 0;
}

bool tap_vnet_cuts(const struct strata_pkt *pkt, bool uso)
{
	struct virtio_net_hdr vnet;

	return tap_emit_segments(pkt, uso, &vnet) == 0;
}

int tap_vnet_emit(struct strata_pkt *pkt, bool uso, bool complete, uint8_t header[TAP_VNET_SIZE])
{
	struct virtio_net_hdr vnet;
	int result;

	memset(&vnet, 0, sizeof(vnet));
	if (strata_unlikely(pkt->seg_type != STRATA_SEG_NONE)) {
		result = tap_emit_segments(pkt, uso, &vnet);
		if (result < 0)
			return result;
	}
	if (vnet.gso_type == VIRTIO_NET_HDR_GSO_NONE || complete) {
		strata_pkt_csum_complete(pkt);
		vnet.flags = 0;
		vnet.csum_start = 0;
		vnet.csum_offset = 0;
	}
	memcpy(header, &vnet, sizeof(vnet));
	return 0;
}
