/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames out of the ring that the host writes them into. Each is copied once, to where the stack keeps it,
 * and its slot goes back to the host at once: a slot that were kept for a slow reader would hold up all
 * behind it. Read the kernel's tpacket_rcv() and Documentation/networking/packet_mmap.rst before editing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/socket.h>
#include <strata/trace.h>
#include "packet_int.h"

/* Local choice: what one batch may read before the stack's deferred work gets its turn. */
#define PACKET_BATCH_FRAMES 128
#define PACKET_BATCH_BYTES (512u * 1024)
/* Where a VLAN tag goes: behind both addresses. */
#define PACKET_ADDRESSES (2 * ETH_ALEN)

/** A received frame: where it lies and what the host says of it. */
struct packet_frame {
	const uint8_t *data;		/* without its VLAN tag */
	uint32_t length;		/* bytes at data */
	uint32_t tag;			/* bytes of the tag that has to be put back; 0: none */
	uint8_t tag_bytes[PACKET_VLAN_TAG];
	struct strata_vnet vnet;
};

static struct tpacket2_hdr *packet_slot(const struct packet_ring *ring)
{
	return (struct tpacket2_hdr *)(void *)(ring->base +
		(size_t)(ring->next / ring->block_slots) * ring->block_size +
		(size_t)(ring->next % ring->block_slots) * ring->slot_size);
}

void packet_rx_count_lost(struct packet *packet)
{
	struct tpacket_stats stats;
	socklen_t size = sizeof(stats);

	/* Reading takes them back to 0. */
	if (getsockopt(packet->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) < 0)
		return;
	strata_count(packet->iface->driver, PACKET_COUNTER_RING_FULL, stats.tp_drops);
	packet->iface->counters.rx_dropped += stats.tp_drops;
}

/* Counts and traces the discard of a frame that has no packet. */
static void packet_rx_drop(struct packet *packet, const struct packet_frame *frame,
			   enum packet_drop reason)
{
	struct strata_pkt *pkt = packet->scrap;
	uint32_t n = frame->length < PACKET_COPYBREAK ? frame->length : PACKET_COPYBREAK;

	if (reason == PACKET_DROP_NO_MEMORY || reason == PACKET_DROP_NOT_CUT)
		packet->iface->counters.rx_dropped++;
	else
		packet->iface->counters.rx_errors++;
	pkt->iface = packet->iface;
	pkt->data = pkt->buf + PACKET_HEADROOM;
	pkt->len = n;
	if (n != 0)	/* a slot that makes no sense has no data */
		memcpy(pkt->data, frame->data, n);
	strata_drop(packet->iface->driver, strata_pkt_get(pkt), reason);
	pkt->trace_id = 0;
}

/* Copies the frame's bytes from `offset` on, its tag among them where it was, `n` at most. */
static void packet_copy(const struct packet_frame *frame, uint32_t offset, uint8_t *to, uint32_t n)
{
	uint32_t part;

	if (strata_likely(frame->tag == 0)) {
		memcpy(to, frame->data + offset, n);
		return;
	}
	if (offset >= PACKET_ADDRESSES + frame->tag) {
		memcpy(to, frame->data + offset - frame->tag, n);
		return;
	}
	/* Only the first piece, which holds both addresses and the tag. */
	memcpy(to, frame->data, PACKET_ADDRESSES);
	memcpy(to + PACKET_ADDRESSES, frame->tag_bytes, frame->tag);
	part = PACKET_ADDRESSES + frame->tag;
	memcpy(to + part, frame->data + PACKET_ADDRESSES, n - part);
}

/* Appends the frame's bytes from `offset` on in chunks of their own. */
static int packet_rx_chunks(struct packet *packet, const struct packet_frame *frame,
			    struct strata_pkt *pkt, uint32_t offset)
{
	const uint32_t length = frame->length + frame->tag;

	while (offset < length) {
		uint32_t n = length - offset < STRATA_CHUNK_SIZE ? length - offset : STRATA_CHUNK_SIZE;
		struct strata_chunk *chunk = strata_chunk_alloc(packet->iface->stack, n);
		int result;

		if (chunk == NULL)
			return -ENOMEM;
		packet_copy(frame, offset, chunk->data, n);
		result = strata_pkt_append_chunk(pkt, chunk, 0, n);
		strata_chunk_put(chunk);
		if (result < 0)
			return result;
		offset += n;
	}
	return 0;
}

/* A packet with the frame's bytes; NULL when memory is short. */
static struct strata_pkt *packet_rx_take(struct packet *packet, const struct packet_frame *frame)
{
	const uint32_t length = frame->length + frame->tag;
	const uint32_t linear = length < PACKET_LINEAR ? length : PACKET_LINEAR;
	struct strata_pkt *pkt = strata_pkt_alloc(packet->iface->stack, PACKET_HEADROOM, linear);

	if (pkt == NULL)
		return NULL;
	packet_copy(frame, 0, strata_pkt_put(pkt, linear), linear);
	if (length > linear && packet_rx_chunks(packet, frame, pkt, linear) < 0) {
		strata_pkt_free(pkt);
		return NULL;
	}
	return pkt;
}

/* The host has taken the outer tag off. */
static void packet_rx_tag(struct packet *packet, const struct tpacket2_hdr *slot, uint32_t status,
			  struct packet_frame *frame)
{
	strata_count(packet->iface->driver, PACKET_COUNTER_RX_TAGGED, 1);
	frame->tag = PACKET_VLAN_TAG;
	/* Before Linux 3.14 it did not say which kind of tag. */
	strata_put_be16(frame->tag_bytes, (status & TP_STATUS_VLAN_TPID_VALID) ? slot->tp_vlan_tpid :
			(uint16_t)ETH_P_8021Q);
	strata_put_be16(frame->tag_bytes + 2, slot->tp_vlan_tci);
}

/* Reads and checks what is in a slot. Returns 0, or a reason (enum packet_drop) negated, less one. */
static int packet_rx_parse(struct packet *packet, const struct tpacket2_hdr *slot, uint32_t status,
			   struct packet_frame *frame)
{
	static const uint8_t reasons[STRATA_VNET_FAULTS] = {
		[STRATA_VNET_FLAGS] = PACKET_DROP_VNET_FLAGS,
		[STRATA_VNET_CHECKSUM_START] = PACKET_DROP_VNET_CHECKSUM_START,
		[STRATA_VNET_CHECKSUM_END] = PACKET_DROP_VNET_CHECKSUM_END,
		[STRATA_VNET_SEGMENT_TYPE] = PACKET_DROP_VNET_SEGMENT_TYPE,
		[STRATA_VNET_SEGMENT_SIZE] = PACKET_DROP_VNET_SEGMENT_SIZE,
		[STRATA_VNET_SEGMENT_PACKET] = PACKET_DROP_VNET_SEGMENT_PACKET,
		[STRATA_VNET_CANNOT_SEGMENT] = PACKET_DROP_CANNOT_SEGMENT,
	};
	const struct packet_ring *ring = &packet->ring;
	const uint32_t most = PACKET_LINEAR - PACKET_VLAN_TAG;
	enum strata_vnet_fault fault;

	memset(frame, 0, sizeof(*frame));
	if (slot->tp_mac < sizeof(struct tpacket2_hdr) + STRATA_VNET_SIZE ||
	    slot->tp_mac > ring->slot_size || slot->tp_snaplen > ring->slot_size - slot->tp_mac)
		return -(int)PACKET_DROP_RING - 1;
	frame->data = (const uint8_t *)slot + slot->tp_mac;
	frame->length = slot->tp_snaplen;
	if (slot->tp_len > slot->tp_snaplen)
		return -(int)PACKET_DROP_TRUNCATED - 1;
	fault = strata_vnet_parse(frame->data - STRATA_VNET_SIZE, frame->data,
				  frame->length < most ? frame->length : most, frame->length, &frame->vnet);
	if (strata_unlikely(fault != STRATA_VNET_OK))
		return -(int)reasons[fault] - 1;
	if (strata_unlikely((status & TP_STATUS_VLAN_VALID) && frame->length >= PACKET_ADDRESSES))
		packet_rx_tag(packet, slot, status, frame);
	return 0;
}

/* Whoever carries another interface promises it frames as they were on the wire. */
static bool packet_rx_not_cut(struct packet *packet, const struct packet_frame *frame)
{
	struct strata_iface *iface = packet->iface;

	if (!(iface->flags & STRATA_IFACE_CARRIES) || frame->vnet.seg_type == STRATA_SEG_NONE)
		return false;
	if (!packet->told_not_cut)
		strata_log(iface->stack, iface->driver, STRATA_LOG_WARNING,
			   "%s: the host gives packets larger than the MTU, which an interface that carries "
			   "another cannot hand on; `ethtool -K %s gro off`, and on a veth's other end `tso off "
			   "gso off`, keep them away", iface->name, packet->device);
	packet->told_not_cut = true;
	return true;
}

/* The packet of the frame in a slot; NULL: it was dropped. */
static struct strata_pkt *packet_rx_frame(struct packet *packet, const struct tpacket2_hdr *slot,
					  uint32_t status)
{
	struct packet_frame frame;
	struct strata_pkt *pkt;
	int result = packet_rx_parse(packet, slot, status, &frame);

	if (strata_unlikely(result < 0)) {
		packet_rx_drop(packet, &frame, (enum packet_drop)(-result - 1));
		return NULL;
	}
	if (strata_unlikely(packet_rx_not_cut(packet, &frame))) {
		packet_rx_drop(packet, &frame, PACKET_DROP_NOT_CUT);
		return NULL;
	}
	pkt = packet_rx_take(packet, &frame);
	if (strata_unlikely(pkt == NULL)) {
		packet_rx_drop(packet, &frame, PACKET_DROP_NO_MEMORY);
		return NULL;
	}
	pkt->time = strata_now(packet->iface->stack);
	pkt->csum = frame.vnet.csum;
	pkt->seg_type = frame.vnet.seg_type;
	pkt->seg_size = frame.vnet.seg_size;
	if (frame.vnet.csum == STRATA_CSUM_PARTIAL) {
		/* The host counts from the frame without its tag. */
		pkt->csum_start = (uint16_t)(frame.vnet.csum_start + frame.tag + PACKET_HEADROOM);
		pkt->csum_offset = frame.vnet.csum_offset;
	}
	if (frame.vnet.seg_type != STRATA_SEG_NONE)
		strata_count(packet->iface->driver, PACKET_COUNTER_RX_SUPER, 1);
	return pkt;
}

unsigned int packet_rx_receive(struct packet *packet)
{
	struct packet_ring *ring = &packet->ring;
	unsigned int frames = 0;
	uint32_t bytes = 0;
	bool lost = false;

	while (frames < PACKET_BATCH_FRAMES && bytes < PACKET_BATCH_BYTES) {
		struct tpacket2_hdr *slot = packet_slot(ring);
		/* Pairs with the host's barrier behind the bytes. */
		uint32_t status = __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
		struct strata_pkt *pkt;

		if (!(status & TP_STATUS_USER))
			break;
		frames++;
		bytes += slot->tp_snaplen;
		lost |= (status & TP_STATUS_LOSING) != 0;
		pkt = packet_rx_frame(packet, slot, status);
		__atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		ring->next = ring->next + 1 < ring->slots ? ring->next + 1 : 0;
		if (pkt != NULL)
			strata_iface_input(packet->iface, pkt);
		if (packet->fd < 0)	/* what was received made the stack close the device */
			return frames;
	}
	if (strata_unlikely(lost))
		packet_rx_count_lost(packet);
	if (frames == PACKET_BATCH_FRAMES || bytes >= PACKET_BATCH_BYTES)
		strata_count(packet->iface->driver, PACKET_COUNTER_BATCH_FULL, 1);
	return frames;
}
