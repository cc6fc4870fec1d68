/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of the packet driver: in through a ring that the test fills as the host does, out through a socket
 * pair that stands for the packet socket. The interface is the fixture's, driven by the packet module for the
 * time of the test.
 */
#include "device.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "packet_int.h"

/* A ring of eight blocks with two slots each, and bytes that are no slot's behind them. */
#define SLOT 67584
#define BLOCK (2 * SLOT + 4096)
#define BLOCKS 8
#define SLOTS (2 * BLOCKS)
#define MAC_OFFSET 86

struct rig {
	struct packet packet;
	struct packet_config config;
	struct fx_device device;
	uint8_t *ring;
	unsigned int filled;			/* slot that the host fills next */
};

ssize_t __real_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);

/* A negative descriptor: the host refuses so. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
	if (fd >= 0)
		return __real_sendmsg(fd, message, flags);
	errno = -fd;
	return -1;
}

static struct rig *rig_open(struct fixture *fx)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct packet *packet = &rig->packet;

	rig->ring = calloc(BLOCKS, BLOCK);
	rig->config = (struct packet_config){ .device = "veth0", .backlog = 16,
					      .checksum = PACKET_CHECKSUM_DEVICE };
	packet->iface = fx->iface;
	packet->device = "veth0";
	packet->uso = true;
	packet->watch.ready = fx_device_never;
	packet->resend.fire = fx_device_no_timer;
	packet->ring = (struct packet_ring){ .base = rig->ring, .size = BLOCKS * BLOCK,
		.block_size = BLOCK, .slot_size = SLOT, .block_slots = 2, .slots = SLOTS };
	packet->scrap = strata_pkt_alloc(fx->stack, PACKET_HEADROOM, PACKET_COPYBREAK);
	assert_non_null(packet->scrap);
	packet->fd = fx_device_open(&rig->device, fx, "packet", &rig->config, packet,
				    STRATA_CAP_TX_CSUM | STRATA_CAP_FRAGS | STRATA_CAP_SEG_STREAM |
				    STRATA_CAP_SEG_DATAGRAM);
	assert_int_equal(strata_watch_add(fx->stack, &packet->watch, packet->fd, EPOLLIN), 0);
	return rig;
}

static void rig_close(struct rig *rig)
{
	strata_watch_remove(rig->device.fx->stack, &rig->packet.watch);
	strata_timer_stop(rig->device.fx->stack, &rig->packet.resend);
	strata_pkt_queue_purge(&rig->packet.tx);
	strata_pkt_free(rig->packet.scrap);
	close(rig->packet.fd);
	fx_device_close(&rig->device);
	free(rig->ring);
	free(rig);
}

#define MODULES "packet ethernet arp ipv4 icmp"

/* The slot that the host fills next. */
static struct tpacket2_hdr *next_slot(struct rig *rig)
{
	unsigned int n = rig->filled;

	return (struct tpacket2_hdr *)(void *)(rig->ring + (n / 2) * BLOCK + (n % 2) * SLOT);
}

/* The host writes a frame into the next slot, which must be its own. */
static struct tpacket2_hdr *host_fills(struct rig *rig, const struct virtio_net_hdr *vnet,
				       const void *frame, size_t length)
{
	struct tpacket2_hdr *slot = next_slot(rig);

	assert_int_equal(slot->tp_status, TP_STATUS_KERNEL);
	memset(slot, 0, sizeof(*slot));
	slot->tp_len = (uint32_t)length;
	slot->tp_snaplen = (uint32_t)length;
	slot->tp_mac = MAC_OFFSET;
	memcpy((uint8_t *)slot + MAC_OFFSET - sizeof(*vnet), vnet, sizeof(*vnet));
	memcpy((uint8_t *)slot + MAC_OFFSET, frame, length);
	slot->tp_status = TP_STATUS_USER;
	rig->filled = (rig->filled + 1) % SLOTS;
	return slot;
}

static unsigned int receive(struct rig *rig)
{
	unsigned int frames = packet_rx_receive(&rig->packet);

	fx_run(rig->device.fx);
	return frames;
}

static const struct virtio_net_hdr nothing;

/* ---- receive ---- */

static void a_frame_is_copied_and_its_slot_is_the_hosts_again(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	uint8_t frame[2048], reply[2048];
	struct virtio_net_hdr out;
	struct fx_pkt pkt;
	size_t length = fx_echo_request(frame, 56);
	struct tpacket2_hdr *slot = host_fills(rig, &nothing, frame, length);

	(void)state;
	assert_int_equal(receive(rig), 1);
	assert_int_equal(slot->tp_status, TP_STATUS_KERNEL);
	assert_int_equal(rig->device.seen, 1);
	assert_true(rig->device.last.room < STRATA_PKT_LARGE);
	assert_int_equal(rig->device.last.len, length);
	assert_memory_equal(rig->device.bytes, frame, length);
	/* The network header lies on a multiple of 16. */
	assert_int_equal(((uintptr_t)rig->device.last.data + 14) % 16, 0);

	length = fx_device_reads(&rig->device, &out, reply, sizeof(reply));
	assert_int_equal(out.flags, 0);
	assert_null(fx_decode(&pkt, reply, length, false));	/* checksums are complete */
	assert_int_equal(pkt.icmp.type, 0);
	rig_close(rig);
	fx_close(fx);
}

static void the_ring_goes_round_in_order(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	uint8_t frame[64] = { 2 };
	unsigned int i;

	(void)state;
	fx_build_eth(frame, STACK_MAC, PEER_MAC, 0x88b5);
	for (i = 0; i < 5 * SLOTS; i++) {
		strata_put_be16(frame + 14, (uint16_t)i);
		host_fills(rig, &nothing, frame, sizeof(frame));
		if (i % 3 == 2) {
			assert_int_equal(receive(rig), 3);
			assert_int_equal(strata_get_be16(rig->device.bytes + 14), i);
		}
	}
	receive(rig);
	assert_int_equal(rig->device.seen, 5 * SLOTS);
	rig_close(rig);
	fx_close(fx);
}

static void a_super_packet_comes_whole(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	static uint8_t frame[70000];
	struct virtio_net_hdr vnet;
	size_t length = fx_super_packet(frame, &vnet);

	(void)state;
	host_fills(rig, &vnet, frame, length);
	receive(rig);
	assert_int_equal(rig->device.last.len + rig->device.last.frags_len, length);
	assert_memory_equal(rig->device.bytes, frame, length);
	assert_int_equal(rig->device.last.seg_type, STRATA_SEG_STREAM);
	assert_int_equal(rig->device.last.seg_size, 1448);
	assert_int_equal(rig->device.last.csum, STRATA_CSUM_PARTIAL);
	assert_int_equal(rig->device.last.csum_start, PACKET_HEADROOM + 34);
	assert_int_equal(fx_counter(fx, "packet", "rx_super_packets"), 1);
	rig_close(rig);
	fx_close(fx);
}

static void the_largest_frame_fits_a_packet(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	static uint8_t frame[65535 + 14];
	struct tpacket2_hdr *slot;

	(void)state;
	fx_pattern_fill(frame, sizeof(frame), 0);
	fx_build_eth(frame, STACK_MAC, PEER_MAC, 0x88b5);
	slot = host_fills(rig, &nothing, frame, sizeof(frame));
	slot->tp_status = TP_STATUS_USER | TP_STATUS_VLAN_VALID;
	receive(rig);
	assert_int_equal(rig->device.last.len + rig->device.last.frags_len, sizeof(frame) + 4);
	assert_memory_equal(rig->device.bytes, frame, 12);
	assert_memory_equal(rig->device.bytes + 16, frame + 12, sizeof(frame) - 12);
	rig_close(rig);
	fx_close(fx);
}

static void a_tag_that_the_host_took_off_is_put_back(void **state)
{
	const uint16_t kinds[] = { 0x8100, 0x88a8 };
	static uint8_t frame[70000];
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct fixture *fx = fx_open(.modules = MODULES);
		struct rig *rig = rig_open(fx);
		struct virtio_net_hdr vnet = nothing;
		size_t length = i < 2 ? fx_echo_request(frame, 56) : fx_super_packet(frame, &vnet);
		struct tpacket2_hdr *slot = host_fills(rig, &vnet, frame, length);

		slot->tp_vlan_tci = 0x6123;
		slot->tp_vlan_tpid = kinds[i % 2];
		slot->tp_status = TP_STATUS_USER | TP_STATUS_VLAN_VALID | TP_STATUS_VLAN_TPID_VALID;
		receive(rig);
		assert_int_equal(rig->device.seen, 1);
		assert_int_equal(rig->device.last.len + rig->device.last.frags_len, length + 4);
		assert_memory_equal(rig->device.bytes, frame, 12);
		assert_int_equal(strata_get_be16(rig->device.bytes + 12), kinds[i % 2]);
		assert_int_equal(strata_get_be16(rig->device.bytes + 14), 0x6123);
		assert_memory_equal(rig->device.bytes + 16, frame + 12, length - 12);
		if (i >= 2)	/* the checksum lies behind the tag */
			assert_int_equal(rig->device.last.csum_start, PACKET_HEADROOM + 38);
		assert_int_equal(fx_counter(fx, "packet", "rx_tagged"), 1);
		rig_close(rig);
		fx_close(fx);
	}
}

static void a_bad_slot_costs_its_frame_alone(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	struct virtio_net_hdr vnet = { .flags = 0x80 };
	struct tpacket2_hdr *slot;
	uint8_t frame[2048];
	size_t length = fx_echo_request(frame, 56);

	(void)state;
	host_fills(rig, &vnet, frame, length);
	slot = host_fills(rig, &nothing, frame, length);
	slot->tp_mac = 3;
	slot = host_fills(rig, &nothing, frame, length);
	slot->tp_snaplen = UINT32_MAX;
	slot->tp_len = UINT32_MAX;
	slot = host_fills(rig, &nothing, frame, length);
	slot->tp_len = (uint32_t)length + 1;
	host_fills(rig, &nothing, frame, length);
	receive(rig);
	assert_int_equal(rig->device.seen, 1);
	assert_int_equal(fx_drops(fx, "packet", "vnet_flags"), 1);
	assert_int_equal(fx_drops(fx, "packet", "ring"), 2);
	assert_int_equal(fx_drops(fx, "packet", "truncated"), 1);
	assert_int_equal(fx->iface->counters.rx_errors, 4);
	rig_close(rig);
	fx_close(fx);
}

static void who_carries_another_interface_hands_in_nothing_uncut(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	static uint8_t frame[70000];
	struct virtio_net_hdr vnet;
	size_t length = fx_super_packet(frame, &vnet);

	(void)state;
	fx->iface->flags |= STRATA_IFACE_CARRIES;
	host_fills(rig, &vnet, frame, length);
	host_fills(rig, &vnet, frame, length);
	receive(rig);
	fx->iface->flags &= ~(uint32_t)STRATA_IFACE_CARRIES;
	assert_int_equal(rig->device.seen, 0);
	assert_int_equal(fx_drops(fx, "packet", "not_cut"), 2);
	assert_int_equal(fx->iface->counters.rx_dropped, 2);
	rig_close(rig);
	fx_close(fx);
}

static void a_batch_ends_before_a_flood_does(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	static uint8_t frame[65000];
	unsigned int i;

	(void)state;
	fx_build_eth(frame, STACK_MAC, PEER_MAC, 0x88b5);
	for (i = 0; i < SLOTS; i++)
		host_fills(rig, &nothing, frame, sizeof(frame));
	receive(rig);
	assert_int_equal(rig->device.seen, 9);		/* of 65,000 bytes: over 512 KiB */
	assert_int_equal(fx_counter(fx, "packet", "batch_full"), 1);
	receive(rig);
	assert_int_equal(rig->device.seen, SLOTS);
	assert_int_equal(fx_counter(fx, "packet", "batch_full"), 1);
	rig_close(rig);
	fx_close(fx);
}

static void without_memory_a_frame_is_dropped_and_the_next_is_read(void **state)
{
	static uint8_t frame[70000];
	unsigned int k;

	(void)state;
	for (k = 1; k < 8; k++) {
		struct fixture *fx = fx_open(.modules = MODULES);
		struct rig *rig = rig_open(fx);
		struct virtio_net_hdr vnet;
		size_t length = fx_super_packet(frame, &vnet);

		fx_fail_at(fx, k, true);
		host_fills(rig, &vnet, frame, length);
		receive(rig);
		fx_fail_at(fx, 0, false);
		host_fills(rig, &vnet, frame, length);
		receive(rig);
		assert_int_equal(fx_drops(fx, "packet", "no_memory") + rig->device.seen, 2);
		assert_memory_equal(rig->device.bytes, frame, length);
		rig_close(rig);
		fx_close(fx);
	}
}

/* ---- send ---- */

static void a_super_packet_leaves_whole_with_its_checksum_open(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	static uint8_t frame[70000], got[70000];
	struct virtio_net_hdr vnet, out;
	size_t length = fx_super_packet(frame, &vnet);
	struct strata_pkt *pkt = strata_pkt_alloc(fx->stack, 64, 1000);

	(void)state;
	assert_int_equal(strata_pkt_append(pkt, frame, (uint32_t)length), 0);
	pkt->iface = fx->iface;
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = 64 + 34;
	pkt->csum_offset = 16;
	pkt->seg_type = STRATA_SEG_STREAM;
	pkt->seg_size = 1448;
	assert_int_equal(packet_tx_send(&rig->packet, pkt), 0);
	assert_int_equal(fx_device_reads(&rig->device, &out, got, sizeof(got)), length);
	assert_memory_equal(got, frame, length);
	assert_memory_equal(&out, &vnet, sizeof(out));
	assert_int_equal(fx_counter(fx, "packet", "tx_super_packets"), 1);
	rig_close(rig);
	fx_close(fx);
}

static void what_the_device_does_not_take_waits_in_order(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	unsigned int sent = 0, got = 0;
	struct virtio_net_hdr vnet;
	uint8_t frame[2048];
	int size = 4096;

	(void)state;
	setsockopt(rig->packet.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	while (rig->packet.tx.count < rig->config.backlog) {
		assert_true(sent < 1000);
		assert_int_equal(packet_tx_send(&rig->packet, fx_numbered(fx, sent++)), 0);
	}
	assert_int_equal(fx_counter(fx, "packet", "back_pressure"), 1);
	assert_true(rig->packet.watch.events & EPOLLOUT);
	/* Transports hold back; what comes all the same has a queue that ends. */
	assert_true(fx->iface->flags & STRATA_IFACE_STOPPED);
	packet_tx_send(&rig->packet, fx_numbered(fx, 9999));
	assert_int_equal(fx_drops(fx, "packet", "queue_full"), 1);
	assert_int_equal(packet_tx_resend(&rig->packet), 0);	/* still full */
	assert_int_equal(rig->packet.tx.count, rig->config.backlog);
	assert_true(fx->iface->flags & STRATA_IFACE_STOPPED);
	while (got < sent) {
		if (fx_device_reads(&rig->device, &vnet, frame, sizeof(frame)) == 0) {
			assert_int_equal(packet_tx_resend(&rig->packet), 0);
			continue;
		}
		assert_int_equal(strata_get_be16(frame + 14), got++);
	}
	assert_int_equal(packet_tx_resend(&rig->packet), 0);
	assert_int_equal(rig->packet.watch.events, EPOLLIN);
	assert_false(fx->iface->flags & STRATA_IFACE_STOPPED);
	assert_int_equal(fx_device_reads(&rig->device, &vnet, frame, sizeof(frame)), 0);
	rig_close(rig);
	fx_close(fx);
}

static void what_waits_is_dropped_when_the_device_goes(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	int size = 4096;
	unsigned int sent = 0;

	(void)state;
	setsockopt(rig->packet.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	while (rig->packet.tx.count < 5)
		packet_tx_send(&rig->packet, fx_numbered(fx, sent++));
	packet_tx_purge(&rig->packet);
	assert_int_equal(fx_drops(fx, "packet", "link_down"), 5);
	assert_false(fx->iface->flags & STRATA_IFACE_STOPPED);
	assert_int_equal(rig->packet.tx.count, 0);
	rig_close(rig);
	fx_close(fx);
}

static void an_application_feels_a_full_device_and_goes_on_after_it(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES " udp");
	struct rig *rig = rig_open(fx);
	int fd = rig->packet.fd, s = fx_socket(fx, SOCK_DGRAM, 0);
	struct virtio_net_hdr vnet;
	uint8_t frame[2048];

	(void)state;
	rig->packet.fd = -ENOBUFS;
	assert_int_equal(packet_tx_send(&rig->packet, fx_numbered(fx, 0)), 0);
	assert_int_equal(fx_sendto(fx, s, "later", 5, PEER_IP, 7), -EAGAIN);
	assert_int_equal(strata_events(fx->stack, s) & EPOLLOUT, 0);
	rig->packet.fd = fd;
	strata_timer_stop(fx->stack, &rig->packet.resend);
	assert_int_equal(packet_tx_resend(&rig->packet), 0);
	fx_run(fx);
	assert_int_equal(strata_events(fx->stack, s) & EPOLLOUT, EPOLLOUT);
	assert_int_equal(fx_sendto(fx, s, "later", 5, PEER_IP, 7), 5);
	fx_run(fx);
	assert_int_equal(fx_device_reads(&rig->device, &vnet, frame, sizeof(frame)), 1000);
	assert_int_equal(fx_device_reads(&rig->device, &vnet, frame, sizeof(frame)), 14 + 20 + 8 + 5);
	assert_int_equal(fx_drops(fx, "packet", "queue_full"), 0);
	rig_close(rig);
	fx_close(fx);
}

/* Down and up again before anybody has looked. */
static void what_waits_is_offered_again_after_a_device_was_down(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	struct virtio_net_hdr vnet;
	uint8_t frame[2048];
	unsigned int i;
	int fd = rig->packet.fd;

	(void)state;
	rig->packet.fd = -ENOBUFS;
	for (i = 0; i < 3; i++)
		assert_int_equal(packet_tx_send(&rig->packet, fx_numbered(fx, i)), 0);
	rig->packet.fd = -ENETDOWN;
	strata_timer_stop(fx->stack, &rig->packet.resend);
	assert_int_equal(packet_tx_resend(&rig->packet), -EIO);
	assert_int_equal(rig->packet.tx.count, 2);
	assert_true(strata_timer_pending(&rig->packet.resend));
	assert_true(fx->iface->flags & STRATA_IFACE_STOPPED);
	rig->packet.fd = fd;
	assert_int_equal(packet_tx_resend(&rig->packet), 0);
	assert_false(fx->iface->flags & STRATA_IFACE_STOPPED);
	for (i = 1; i < 3; i++) {
		assert_int_equal(fx_device_reads(&rig->device, &vnet, frame, sizeof(frame)), 1000);
		assert_int_equal(strata_get_be16(frame + 14), i);
	}
	strata_timer_stop(fx->stack, &rig->packet.resend);
	rig_close(rig);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_copied_and_its_slot_is_the_hosts_again),
		cmocka_unit_test(the_ring_goes_round_in_order),
		cmocka_unit_test(a_super_packet_comes_whole),
		cmocka_unit_test(the_largest_frame_fits_a_packet),
		cmocka_unit_test(a_tag_that_the_host_took_off_is_put_back),
		cmocka_unit_test(a_bad_slot_costs_its_frame_alone),
		cmocka_unit_test(who_carries_another_interface_hands_in_nothing_uncut),
		cmocka_unit_test(a_batch_ends_before_a_flood_does),
		cmocka_unit_test(without_memory_a_frame_is_dropped_and_the_next_is_read),
		cmocka_unit_test(a_super_packet_leaves_whole_with_its_checksum_open),
		cmocka_unit_test(what_the_device_does_not_take_waits_in_order),
		cmocka_unit_test(what_waits_is_dropped_when_the_device_goes),
		cmocka_unit_test(an_application_feels_a_full_device_and_goes_on_after_it),
		cmocka_unit_test(what_waits_is_offered_again_after_a_device_was_down),
	};

	return fx_main(tests);
}
