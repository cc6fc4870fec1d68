/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header that Linux puts in front of each frame of a TAP device opened with IFF_VNET_HDR and of a packet
 * socket with PACKET_VNET_HDR: which checksum is still open, and how a larger frame is to be cut. For link
 * modules; here and not in the library, which knows none of the protocols that it is about. Read virtio 1.2,
 * 5.1.6.2 and 5.1.6.4, and the kernel's virtio_net_hdr_to_skb() before editing. Fields are in the host's
 * byte order.
 */
#ifndef STRATA_VNET_H
#define STRATA_VNET_H

#include <string.h>
#include <strata/pkt.h>

STRATA_BEGIN_DECLS

/** Bytes of the header (virtio 1.2, 5.1.6, without num_buffers). */
#define STRATA_VNET_SIZE 10
/** Bytes of the link header of the frames (linux/if_ether.h: ETH_HLEN). */
#define STRATA_VNET_LINK_HEADER 14

/** The header as it is in memory (struct virtio_net_hdr). */
struct strata_vnet_header {
	uint8_t flags, gso_type;
	uint16_t hdr_len;	/**< a hint: bytes of all headers */
	uint16_t gso_size;
	uint16_t csum_start, csum_offset;
};

/** What is wrong with a header; each wants a drop reason of the driver's. */
enum strata_vnet_fault {
	STRATA_VNET_OK,
	STRATA_VNET_FLAGS,		/**< unknown flags */
	STRATA_VNET_CHECKSUM_START,	/**< the checksum does not begin behind the network header */
	STRATA_VNET_CHECKSUM_END,	/**< the checksum field lies outside the frame */
	STRATA_VNET_SEGMENT_TYPE,	/**< unknown segmentation type */
	STRATA_VNET_SEGMENT_SIZE,	/**< the segment size is 0 or leaves no room for a header */
	STRATA_VNET_SEGMENT_PACKET,	/**< the segmentation type does not fit the packet */
	STRATA_VNET_CANNOT_SEGMENT,	/**< out: no segmentation type fits the packet */
	STRATA_VNET_FAULTS,
};

/** What a header says of a frame, checked. */
struct strata_vnet {
	uint8_t csum;		/**< enum strata_csum */
	uint8_t seg_type;	/**< enum strata_seg */
	uint16_t seg_size;
	uint16_t csum_start;	/**< from the frame's first byte, with STRATA_CSUM_PARTIAL */
	uint16_t csum_offset;
};

/* virtio 1.2, 5.1.6.1. Not out of linux/virtio_net.h, which is no C++ and in older distributions has no UDP. */
#define STRATA_VNET_F_NEEDS_CSUM 1
#define STRATA_VNET_F_DATA_VALID 2
#define STRATA_VNET_GSO_NONE 0
#define STRATA_VNET_GSO_TCPV4 1
#define STRATA_VNET_GSO_TCPV6 4
#define STRATA_VNET_GSO_UDP_L4 5
#define STRATA_VNET_GSO_ECN 0x80

#define STRATA_VNET_TYPE_IPV4 0x0800
#define STRATA_VNET_TYPE_IPV6 0x86dd
#define STRATA_VNET_TYPE_VLAN 0x8100
#define STRATA_VNET_TYPE_QINQ 0x88a8
#define STRATA_VNET_VLAN_TAG 4

#define STRATA_VNET_NUMBER_TCP 6
#define STRATA_VNET_NUMBER_UDP 17
#define STRATA_VNET_TCP_HEADER 20
#define STRATA_VNET_TCP_DATA_OFFSET 12
#define STRATA_VNET_TCP_CHECKSUM 16
#define STRATA_VNET_UDP_HEADER 8
#define STRATA_VNET_UDP_CHECKSUM 6

/** Where the network packet in a frame begins and of which type it is. */
struct strata_vnet_frame {
	uint16_t type;
	uint32_t network;	/* offset of the network header */
	uint32_t transport;	/* least offset of the transport header */
	int number;		/* transport number; -1: not told without walking headers */
};

/* Reads as much of a frame as offload fields depend on. Returns false when it is too short. */
static inline bool strata_vnet_frame_parse(const uint8_t *frame, uint32_t linear,
					   struct strata_vnet_frame *out)
{
	uint32_t offset = STRATA_VNET_LINK_HEADER - 2;

	if (linear < STRATA_VNET_LINK_HEADER)
		return false;
	out->type = strata_get_be16(frame + offset);
	while (out->type == STRATA_VNET_TYPE_VLAN || out->type == STRATA_VNET_TYPE_QINQ) {
		offset += STRATA_VNET_VLAN_TAG;
		if (linear < offset + 2)
			return false;
		out->type = strata_get_be16(frame + offset);
	}
	out->network = offset + 2;
	out->number = -1;
	out->transport = out->network;
	if (out->type == STRATA_VNET_TYPE_IPV4) {
		uint32_t size;

		if (linear < out->network + 20)
			return false;
		size = (frame[out->network] & 0x0fu) * 4u;
		if (size < 20)
			return false;
		out->transport = out->network + size;
		out->number = frame[out->network + 9];
	} else if (out->type == STRATA_VNET_TYPE_IPV6) {
		if (linear < out->network + 40)
			return false;
		out->transport = out->network + 40;
		if (frame[out->network + 6] == STRATA_VNET_NUMBER_TCP ||
		    frame[out->network + 6] == STRATA_VNET_NUMBER_UDP)
			out->number = frame[out->network + 6];
	}
	return true;
}

static inline enum strata_vnet_fault
strata_vnet_parse_checksum(const struct strata_vnet_header *vnet, const struct strata_vnet_frame *parsed,
			   uint32_t linear, struct strata_vnet *out)
{
	/* Sums in 32 bits: both fields come from outside. */
	uint32_t field = (uint32_t)vnet->csum_start + vnet->csum_offset;

	if (vnet->csum_start < parsed->transport)
		return STRATA_VNET_CHECKSUM_START;
	if (field + 2 > linear)
		return STRATA_VNET_CHECKSUM_END;
	out->csum = STRATA_CSUM_PARTIAL;
	out->csum_start = vnet->csum_start;
	out->csum_offset = vnet->csum_offset;
	return STRATA_VNET_OK;
}

static inline enum strata_vnet_fault
strata_vnet_parse_segments(const struct strata_vnet_header *vnet, const struct strata_vnet_frame *parsed,
			   const uint8_t *frame, uint32_t linear, uint32_t length,
			   struct strata_vnet *out)
{
	uint8_t type = vnet->gso_type & (uint8_t)~STRATA_VNET_GSO_ECN;
	bool stream = type == STRATA_VNET_GSO_TCPV4 || type == STRATA_VNET_GSO_TCPV6;
	uint32_t transport = out->csum == STRATA_CSUM_PARTIAL ? out->csum_start : parsed->transport;
	int number = stream ? STRATA_VNET_NUMBER_TCP : STRATA_VNET_NUMBER_UDP;
	uint16_t check = stream ? STRATA_VNET_TCP_CHECKSUM : STRATA_VNET_UDP_CHECKSUM;
	uint32_t size;

	if (!stream && type != STRATA_VNET_GSO_UDP_L4)
		return STRATA_VNET_SEGMENT_TYPE;
	if ((type == STRATA_VNET_GSO_TCPV4 && parsed->type != STRATA_VNET_TYPE_IPV4) ||
	    (type == STRATA_VNET_GSO_TCPV6 && parsed->type != STRATA_VNET_TYPE_IPV6) ||
	    (parsed->type != STRATA_VNET_TYPE_IPV4 && parsed->type != STRATA_VNET_TYPE_IPV6) ||
	    (parsed->number >= 0 && parsed->number != number) ||
	    (out->csum == STRATA_CSUM_PARTIAL && out->csum_offset != check))
		return STRATA_VNET_SEGMENT_PACKET;
	size = stream ? STRATA_VNET_TCP_HEADER : STRATA_VNET_UDP_HEADER;
	if (transport + size > linear)
		return STRATA_VNET_SEGMENT_PACKET;
	if (stream)
		size = (uint32_t)(frame[transport + STRATA_VNET_TCP_DATA_OFFSET] >> 4) * 4;
	if ((stream && size < STRATA_VNET_TCP_HEADER) || transport + size > linear ||
	    transport + size > length)
		return STRATA_VNET_SEGMENT_PACKET;
	if (vnet->gso_size == 0 || vnet->gso_size > STRATA_PKT_MAX - size)
		return STRATA_VNET_SEGMENT_SIZE;
	if (length - transport - size <= vnet->gso_size)
		return STRATA_VNET_OK;	/* one segment: nothing to be cut */
	out->seg_type = stream ? STRATA_SEG_STREAM : STRATA_SEG_DATAGRAM;
	out->seg_size = vnet->gso_size;
	return STRATA_VNET_OK;
}

/** Checks a received header against its frame, of which the first `linear` of `length` bytes are at `frame`.
 *  Fills `out` where it returns STRATA_VNET_OK. */
static inline enum strata_vnet_fault
strata_vnet_parse(const uint8_t header[STRATA_VNET_SIZE], const uint8_t *frame, uint32_t linear,
		  uint32_t length, struct strata_vnet *out)
{
	struct strata_vnet_header vnet;
	struct strata_vnet_frame parsed;
	enum strata_vnet_fault fault = STRATA_VNET_OK;

	memcpy(&vnet, header, sizeof(vnet));
	memset(out, 0, sizeof(*out));
	if (vnet.flags & ~(STRATA_VNET_F_NEEDS_CSUM | STRATA_VNET_F_DATA_VALID))
		return STRATA_VNET_FLAGS;
	if (vnet.flags & STRATA_VNET_F_DATA_VALID)
		out->csum = STRATA_CSUM_VERIFIED;
	if (!(vnet.flags & STRATA_VNET_F_NEEDS_CSUM) &&
	    vnet.gso_type == STRATA_VNET_GSO_NONE)
		return STRATA_VNET_OK;
	if (!strata_vnet_frame_parse(frame, linear, &parsed))
		return STRATA_VNET_CHECKSUM_START;
	if (vnet.flags & STRATA_VNET_F_NEEDS_CSUM)
		fault = strata_vnet_parse_checksum(&vnet, &parsed, linear, out);
	/* hdr_len is a hint that drivers get wrong (virtio 1.2, 5.1.6.4.1): it is not looked at. */
	if (fault == STRATA_VNET_OK && vnet.gso_type != STRATA_VNET_GSO_NONE)
		fault = strata_vnet_parse_segments(&vnet, &parsed, frame, linear, length, out);
	return fault;
}

/* Type of segmentation for an outgoing packet; STRATA_VNET_GSO_NONE: the device has none for it. */
static inline uint8_t strata_vnet_gso_type(const struct strata_pkt *pkt, bool uso)
{
	uint16_t type = strata_get_be16(pkt->data + STRATA_VNET_LINK_HEADER - 2);

	if (pkt->seg_type == STRATA_SEG_STREAM && pkt->csum_offset == STRATA_VNET_TCP_CHECKSUM) {
		if (type == STRATA_VNET_TYPE_IPV4)
			return STRATA_VNET_GSO_TCPV4;
		if (type == STRATA_VNET_TYPE_IPV6)
			return STRATA_VNET_GSO_TCPV6;
	}
	if (uso && pkt->seg_type == STRATA_SEG_DATAGRAM &&
	    pkt->csum_offset == STRATA_VNET_UDP_CHECKSUM &&
	    (type == STRATA_VNET_TYPE_IPV4 || type == STRATA_VNET_TYPE_IPV6))
		return STRATA_VNET_GSO_UDP_L4;
	return STRATA_VNET_GSO_NONE;
}

static inline enum strata_vnet_fault
strata_vnet_emit_segments(const struct strata_pkt *pkt, bool uso, struct strata_vnet_header *vnet)
{
	uint32_t start, size;
	struct strata_vnet_frame parsed;

	if (pkt->csum != STRATA_CSUM_PARTIAL || pkt->seg_size == 0 ||
	    !strata_vnet_frame_parse(pkt->data, pkt->len, &parsed))
		return STRATA_VNET_CANNOT_SEGMENT;
	start = pkt->csum_start - strata_pkt_headroom(pkt);
	size = pkt->seg_type == STRATA_SEG_STREAM ? STRATA_VNET_TCP_HEADER : STRATA_VNET_UDP_HEADER;
	vnet->gso_type = strata_vnet_gso_type(pkt, uso);
	if (vnet->gso_type == STRATA_VNET_GSO_NONE || pkt->csum_start < strata_pkt_headroom(pkt) ||
	    start + size > pkt->len)
		return STRATA_VNET_CANNOT_SEGMENT;
	/* The device looks at the number in the packet: one bound elsewhere it cannot cut. */
	if (parsed.number >= 0 &&
	    parsed.number != (pkt->seg_type == STRATA_SEG_STREAM ? STRATA_VNET_NUMBER_TCP :
			      STRATA_VNET_NUMBER_UDP))
		return STRATA_VNET_CANNOT_SEGMENT;
	if (pkt->seg_type == STRATA_SEG_STREAM)
		size = (uint32_t)(pkt->data[start + STRATA_VNET_TCP_DATA_OFFSET] >> 4) * 4;
	if (start + size > pkt->len || start + size > UINT16_MAX)
		return STRATA_VNET_CANNOT_SEGMENT;
	if (strata_pkt_length(pkt) - start - size <= pkt->seg_size) {
		vnet->gso_type = STRATA_VNET_GSO_NONE;	/* one segment */
		return STRATA_VNET_OK;
	}
	vnet->flags = STRATA_VNET_F_NEEDS_CSUM;
	vnet->hdr_len = (uint16_t)(start + size);
	vnet->gso_size = pkt->seg_size;
	vnet->csum_start = (uint16_t)start;
	vnet->csum_offset = pkt->csum_offset;
	return STRATA_VNET_OK;
}

/** Whether a device can cut the packet, datagrams too where `uso` is set: of the protocols there are it knows
 *  two. Borrows. */
static inline bool strata_vnet_cuts(const struct strata_pkt *pkt, bool uso)
{
	struct strata_vnet_header vnet;

	return strata_vnet_emit_segments(pkt, uso, &vnet) == STRATA_VNET_OK;
}

/** Writes the header of an outgoing frame. A checksum is left to the device only together with segmentation,
 *  and of a stream not even then where `complete` is set; else it is completed here, so that whoever looks at the device
 *  sees it right. Returns STRATA_VNET_OK or STRATA_VNET_CANNOT_SEGMENT. */
static inline enum strata_vnet_fault
strata_vnet_emit(struct strata_pkt *pkt, bool uso, bool complete, uint8_t header[STRATA_VNET_SIZE])
{
	struct strata_vnet_header vnet;
	enum strata_vnet_fault fault;

	memset(&vnet, 0, sizeof(vnet));
	if (strata_unlikely(pkt->seg_type != STRATA_SEG_NONE)) {
		fault = strata_vnet_emit_segments(pkt, uso, &vnet);
		if (fault != STRATA_VNET_OK)
			return fault;
	}
	/* Linux discards datagrams to be cut whose checksum is not left open (udp_offload.c). */
	if (vnet.gso_type == STRATA_VNET_GSO_NONE ||
	    (complete && vnet.gso_type != STRATA_VNET_GSO_UDP_L4)) {
		strata_pkt_csum_complete(pkt);
		vnet.flags = 0;
		vnet.csum_start = 0;
		vnet.csum_offset = 0;
	}
	memcpy(header, &vnet, sizeof(vnet));
	return STRATA_VNET_OK;
}

STRATA_END_DECLS
#endif
