/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of the TAP driver through a socket pair that stands for the device: a message is a frame with
 * its virtio header. The interface is the fixture's, driven by the tap module for the time of the test.
 */
#include "device.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tap_int.h"

/** The fixture's interface under the tap driver, and the host's end of the device. */
struct rig {
	struct tap tap;
	struct tap_config config;
	struct fx_device device;
};

static struct rig *rig_open(struct fixture *fx)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig->config.offload = true;
	rig->config.backlog = 16;
	rig->tap.iface = fx->iface;
	rig->tap.device = "tap0";
	rig->tap.vnet = true;
	rig->tap.uso = true;
	rig->tap.watch.ready = fx_device_never;
	rig->tap.resend.fire = fx_device_no_timer;
	rig->tap.fd = fx_device_open(&rig->device, fx, "tap", &rig->config, &rig->tap,
				     STRATA_CAP_TX_CSUM | STRATA_CAP_FRAGS | STRATA_CAP_SEG_STREAM |
				     STRATA_CAP_SEG_DATAGRAM);
	assert_int_equal(tap_io_init(&rig->tap), 0);
	assert_int_equal(strata_watch_add(fx->stack, &rig->tap.watch, rig->tap.fd, EPOLLIN), 0);
	return rig;
}

static void rig_close(struct rig *rig)
{
	strata_watch_remove(rig->device.fx->stack, &rig->tap.watch);
	tap_io_fini(&rig->tap);
	close(rig->tap.fd);
	fx_device_close(&rig->device);
	fx_close(rig->device.fx);
	free(rig);
}

#define MODULES "tap ethernet arp ipv4 icmp"

/* Sends a frame in a batch of its own. */
static int send_alone(struct rig *rig, struct strata_pkt *pkt)
{
	int result = tap_io_send(&rig->tap, pkt);

	return result < 0 ? result : tap_io_flush(&rig->tap);
}

/* The host writes a frame behind its virtio header. */
static void host_writes(struct rig *rig, const struct virtio_net_hdr *vnet, const void *frame,
			size_t length)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)vnet, vnet != NULL ? sizeof(*vnet) : 0 },
				{ (void *)(uintptr_t)frame, length } };

	assert_true(writev(rig->device.host, iov, 2) >= 0);
}

static int receive(struct rig *rig)
{
	int result = tap_io_receive(&rig->tap);

	fx_run(rig->device.fx);
	return result;
}

/* ---- receive ---- */

static void a_small_frame_costs_a_small_packet(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	const struct virtio_net_hdr vnet = { 0 };
	uint8_t frame[2048], reply[2048];
	struct virtio_net_hdr out;
	struct fx_pkt pkt;
	size_t length = fx_echo_request(frame, 56);

	(void)state;
	host_writes(rig, &vnet, frame, length);
	assert_int_equal(receive(rig), 0);
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
}

/* After this frames are read into a packet and chunks. */
static void host_writes_a_large_frame(struct rig *rig)
{
	static uint8_t frame[70000];
	struct virtio_net_hdr vnet;
	size_t length = fx_super_packet(frame, &vnet);

	host_writes(rig, &vnet, frame, length);
	assert_int_equal(receive(rig), 0);
	assert_memory_equal(rig->device.bytes, frame, length);
}

static void a_full_frame_stays_where_it_was_read_while_frames_are_large(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	const struct virtio_net_hdr vnet = { 0 };
	const uint8_t *buf = rig->tap.rx_pkt->data;
	uint8_t frame[2048];
	size_t length = fx_echo_request(frame, 1400);

	(void)state;
	host_writes(rig, &vnet, frame, length);
	assert_int_equal(receive(rig), 0);
	assert_memory_equal(rig->device.bytes, frame, length);
	assert_ptr_not_equal(rig->device.last.data, buf);
	host_writes_a_large_frame(rig);
	host_writes(rig, &vnet, frame, length);
	assert_int_equal(receive(rig), 0);
	assert_memory_equal(rig->device.bytes, frame, length);
	assert_ptr_equal(rig->device.last.data, buf);
	assert_int_equal(rig->device.last.frag_count, 0);
	rig_close(rig);
}

static void the_second_super_packet_keeps_its_payload_in_chunks(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	static uint8_t frame[70000];
	struct virtio_net_hdr vnet;
	size_t length = fx_super_packet(frame, &vnet);
	struct strata_chunk *first, *last;
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		first = rig->tap.rx_chunks[0];
		last = rig->tap.rx_chunks[TAP_CHUNKS - 1];
		assert_true(i == 0 ? first == NULL : first != NULL);
		host_writes(rig, &vnet, frame, length);
		assert_int_equal(receive(rig), 0);
		assert_int_equal(rig->device.last.frag_count, 1);
		assert_int_equal(rig->device.last.len + rig->device.last.frags_len, length);
		assert_memory_equal(rig->device.bytes, frame, length);
		assert_int_equal(rig->device.last.seg_type, STRATA_SEG_STREAM);
		assert_int_equal(rig->device.last.seg_size, 1448);
		assert_int_equal(rig->device.last.csum, STRATA_CSUM_PARTIAL);
		assert_int_equal(rig->device.last.csum_start, TAP_HEADROOM + 34);
		receive(rig);	/* nothing there: but now there are chunks for the next */
	}
	assert_ptr_equal(rig->device.last.frags[0].chunk, first);
	/* Not needed: kept for the next. */
	assert_ptr_equal(rig->tap.rx_chunks[TAP_CHUNKS - 1], last);
	rig_close(rig);
}

static void small_frames_are_read_in_one_piece_again_after_the_last_large_one(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	const struct virtio_net_hdr vnet = { 0 };
	uint8_t frame[256];
	size_t length = fx_echo_request(frame, 56);
	unsigned int run = 0;

	(void)state;
	assert_int_equal(rig->tap.small_wanted, 0);
	host_writes_a_large_frame(rig);
	while (rig->tap.small_wanted != 0) {
		const unsigned int wanted = rig->tap.small_wanted;

		assert_true(run++ < 100);
		memset(rig->device.bytes, 0, length);
		host_writes(rig, &vnet, frame, length);
		assert_int_equal(receive(rig), 0);
		assert_memory_equal(rig->device.bytes, frame, length);
		assert_true(rig->device.last.room < STRATA_PKT_LARGE);
		assert_int_equal(rig->tap.small_wanted, wanted - 1);
	}
	assert_in_range(run, 2, 100);
	/* One large frame between them, and it begins again. */
	host_writes_a_large_frame(rig);
	host_writes(rig, &vnet, frame, length);
	assert_int_equal(receive(rig), 0);
	host_writes_a_large_frame(rig);
	assert_int_equal(rig->tap.small_wanted, run);
	rig_close(rig);
}

/* Frames that just fit the linear part, the linear part and a chunk, a packet's buffer …, and one byte more or
 * less, read either way. */
static void a_frame_of_any_length_is_whole_however_it_is_read(void **state)
{
	static const size_t edges[] = { 60, TAP_COPYBREAK, TAP_LINEAR, TAP_LINEAR + 256,
					TAP_LINEAR + STRATA_CHUNK_SIZE, 65535 + 17 };
	static uint8_t frame[65535 + 18];
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	const struct virtio_net_hdr vnet = { 0 };
	unsigned int i, way;
	size_t length;

	(void)state;
	fx_pattern_fill(frame, sizeof(frame), 0);
	memcpy(frame, STACK_MAC, 6);
	frame[6] = 2;
	for (i = 0; i < STRATA_COUNT(edges); i++) {
		for (length = edges[i] - 1; length <= edges[i] + 1; length++) {
			for (way = 0; way < 4; way++) {
				/* Each way with a virtio header and without. */
				rig->tap.small_wanted = way & 1;
				rig->tap.vnet = (way & 2) == 0;
				rig->tap.iface->mtu = 65521;
				rig->device.seen = 0;
				memset(rig->device.bytes, 0, length);
				host_writes(rig, rig->tap.vnet ? &vnet : NULL, frame, length);
				assert_int_equal(receive(rig), 0);
				assert_int_equal(rig->device.seen, 1);
				assert_int_equal(rig->device.last.len + rig->device.last.frags_len, length);
				assert_memory_equal(rig->device.bytes, frame, length);
			}
		}
	}
	rig->tap.iface->mtu = 1500;
	rig_close(rig);
}

static void a_frame_that_fills_all_there_is_may_be_cut_off_and_is_dropped(void **state)
{
	static uint8_t frame[TAP_FRAME_ROOM + 100];
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	const struct virtio_net_hdr vnet = { 0 };
	unsigned int way;

	(void)state;
	for (way = 0; way < 2; way++) {
		rig->tap.small_wanted = way;
		host_writes(rig, &vnet, frame, TAP_FRAME_ROOM);
		assert_int_equal(receive(rig), 0);
		rig->tap.small_wanted = way;
		host_writes(rig, &vnet, frame, TAP_FRAME_ROOM + 100);
		assert_int_equal(receive(rig), 0);
		assert_int_equal(fx_drops(fx, "tap", "truncated"), 2 * way + 2);
	}
	assert_int_equal(rig->device.seen, 0);
	rig_close(rig);
}

static void a_malformed_header_costs_its_frame_alone(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	struct virtio_net_hdr vnet = { 0 };
	uint8_t frame[2048];
	size_t length = fx_echo_request(frame, 56);
	unsigned int way;

	(void)state;
	for (way = 1; way <= 2; way++) {
		rig->tap.small_wanted = way == 2 ? 8 : 0;
		vnet.flags = 0x80;
		host_writes(rig, &vnet, frame, length);
		host_writes(rig, NULL, "short", 5);
		vnet.flags = 0;
		host_writes(rig, &vnet, frame, length);
		assert_int_equal(receive(rig), 0);
		assert_int_equal(rig->device.seen, way);
		assert_int_equal(fx_drops(fx, "tap", "vnet_flags"), way);
		assert_int_equal(fx_drops(fx, "tap", "vnet_short"), way);
		assert_int_equal(fx->iface->counters.rx_errors, 2 * way);
	}
	rig_close(rig);
}

/* All drops of the driver. */
static uint64_t driver_drops(struct fixture *fx)
{
	const struct strata_instance *tap = fx_instance(fx, "tap");
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < tap->module->drop_count; i++)
		sum += tap->drops[i];
	return sum;
}

/* Seeded changes of header and frame: each message is a frame that goes on into the stack, or a discard with
 * a reason; the stack, with somebody at the port, stands whatever goes on; and what is good still arrives. */
static void whatever_the_device_says_is_taken_or_discarded_with_a_reason(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES " udp newreno tcp", .large = true);
	struct rig *rig = rig_open(fx);
	struct virtio_net_hdr good, vnet;
	static uint8_t frame[70000], changed[70000];
	size_t length = fx_super_packet(frame, &good);
	int listener = fx_socket(fx, SOCK_STREAM, 0);
	uint64_t rng = 11;
	unsigned int i;

	(void)state;
	fx_bind(fx, listener, 0, 80);
	fx_listen(fx, listener, 5);
	for (i = 0; i < 4000; i++) {
		const uint64_t before = driver_drops(fx) + rig->device.seen;
		const uint64_t r = fx_random(&rng);
		size_t n = r % 8 == 0 ? fx_random(&rng) % 200 : r % 8 < 3 ? length : 200 + r % 2000;
		unsigned int flips = (unsigned int)(fx_random(&rng) % 4);

		vnet = good;
		memcpy(changed, frame, n);
		if (r & 64)
			((uint8_t *)&vnet)[fx_random(&rng) % sizeof(vnet)] = (uint8_t)fx_random(&rng);
		if (r & 128)
			((uint8_t *)&vnet)[fx_random(&rng) % sizeof(vnet)] ^= (uint8_t)(1u << (r >> 60) % 8);
		while (flips-- != 0 && n != 0)
			changed[fx_random(&rng) % (n < 80 ? n : 80)] ^= (uint8_t)fx_random(&rng);
		host_writes(rig, &vnet, changed, n);
		assert_int_equal(receive(rig), 0);
		assert_int_equal(driver_drops(fx) + rig->device.seen, before + 1);
		fx_discard(fx);
		while (fx_device_reads(&rig->device, &vnet, changed, sizeof(changed)) != 0)
			;
	}
	rig->device.seen = 0;
	vnet = (struct virtio_net_hdr){ 0 };
	length = fx_echo_request(frame, 56);
	host_writes(rig, &vnet, frame, length);
	assert_int_equal(receive(rig), 0);
	assert_int_equal(rig->device.seen, 1);
	assert_true(fx_device_reads(&rig->device, &vnet, changed, sizeof(changed)) != 0);
	rig_close(rig);
}

/* Frames are read ahead of the stack; large ones among them are read as such from the next on. */
static void large_frames_among_many_small_ones_change_nothing_of_them(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	struct virtio_net_hdr vnet, plain = { 0 };
	static uint8_t large[70000];
	uint8_t frame[2048], reply[2048];
	size_t length, size = fx_super_packet(large, &vnet);
	unsigned int i;

	(void)state;
	for (i = 0; i < 60; i++) {
		if (i == 7 || i == 8 || i == 30)
			host_writes(rig, &vnet, large, size);
		host_writes(rig, &plain, frame, fx_echo_request(frame, 16 + i));
	}
	assert_int_equal(receive(rig), 0);
	assert_int_equal(rig->device.seen, 63);
	assert_int_equal(rig->tap.frames, 63);
	assert_int_equal(fx_counter(fx, "tap", "rx_super_packets"), 3);
	for (i = 0; i < 60; i++) {
		do	/* nobody is there for the large ones: an ICMP error answers each */
			length = fx_device_reads(&rig->device, &plain, reply, sizeof(reply));
		while (length != 0 && reply[34] == 3);
		assert_int_equal(length, fx_echo_request(frame, 16 + i));
		assert_memory_equal(reply + 42, frame + 42, length - 42);
	}
	assert_int_equal(driver_drops(fx), 0);
	rig_close(rig);
}

/* Closes the device with the third frame, as an answer does that finds it gone. */
static void closes_with_the_third(void *ctx, struct strata_iface *iface, const struct strata_pkt *pkt, bool out)
{
	struct rig *rig = ctx;

	(void)iface;
	(void)pkt;
	if (!out && ++rig->device.seen == 3)
		rig->tap.fd = -1;
}

static void frames_read_from_a_device_that_goes_meanwhile_are_counted(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	const struct virtio_net_hdr vnet = { 0 };
	int fd = rig->tap.fd;
	uint8_t frame[2048];
	unsigned int i;

	(void)state;
	strata_iface_set_sniffer(fx->iface, closes_with_the_third, rig);
	for (i = 0; i < 10; i++)
		host_writes(rig, &vnet, frame, fx_echo_request(frame, 16));
	host_writes(rig, NULL, "short", 5);
	assert_int_equal(tap_io_receive(&rig->tap), 0);
	assert_int_equal(rig->device.seen, 3);
	assert_int_equal(fx_drops(fx, "tap", "vnet_short"), 1);
	assert_int_equal(fx->iface->counters.rx_dropped, 7);
	assert_int_equal(fx_drops(fx, "tap", "link_down"), 7 + 1);	/* and the answer to the third */
	rig->tap.fd = fd;
	fx_run(fx);
	rig_close(rig);
}

static void a_batch_ends_before_a_flood_does(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	const struct virtio_net_hdr vnet = { 0 };
	uint8_t frame[64] = { 2 };
	unsigned int i;

	(void)state;
	frame[6] = 2;
	for (i = 0; i < 200; i++)
		host_writes(rig, &vnet, frame, 60);
	assert_int_equal(receive(rig), 0);
	assert_int_equal(rig->device.seen, 128);
	assert_int_equal(fx_counter(fx, "tap", "batch_full"), 1);
	assert_int_equal(receive(rig), 0);
	assert_int_equal(rig->device.seen, 200);
	assert_int_equal(fx_counter(fx, "tap", "batch_full"), 1);
	rig_close(rig);
}

static void where_frames_come_one_at_a_time_each_is_a_batch(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	const struct virtio_net_hdr vnet = { 0 };
	unsigned int i, batches = 0;
	uint8_t frame[64] = { 2 };

	(void)state;
	frame[6] = 2;
	for (i = 0; i < 10; i++) {
		host_writes(rig, &vnet, frame, 60);
		assert_int_equal(receive(rig), 0);
		/* Nothing there, as a loop finds that polls busily, says nothing about what comes. */
		assert_int_equal(receive(rig), 0);
		assert_int_equal(rig->tap.frames, 0);
	}
	assert_int_equal(rig->device.seen, 10);
	/* Now they come in numbers: that is noticed before long, and meanwhile none is lost. */
	for (i = 0; i < 100; i++)
		host_writes(rig, &vnet, frame, 60);
	assert_int_equal(receive(rig), 0);
	assert_int_equal(rig->device.seen, 11);
	while (rig->device.seen < 110 && batches++ < 100)
		assert_int_equal(receive(rig), 0);
	assert_in_range(batches, 1, 16);
	assert_int_equal(rig->device.seen, 110);
	for (i = 0; i < 100; i++)
		host_writes(rig, &vnet, frame, 60);
	assert_int_equal(receive(rig), 0);
	assert_int_equal(rig->device.seen, 210);
	assert_int_equal(fx_counter(fx, "tap", "batch_full"), 0);
	rig_close(rig);
}

static void a_device_is_polled_while_it_is_there(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	const struct strata_link_ops *ops = rig->tap.iface->driver->module->link;
	const struct virtio_net_hdr vnet = { 0 };
	uint8_t frame[64] = { 2 };
	int fd = rig->tap.fd;

	(void)state;
	frame[6] = 2;
	assert_int_equal(ops->poll(rig->tap.iface), 0);
	host_writes(rig, &vnet, frame, 60);
	host_writes(rig, &vnet, frame, 60);
	assert_int_equal(ops->poll(rig->tap.iface), 2);
	assert_int_equal(rig->device.seen, 2);
	host_writes(rig, &vnet, frame, 60);
	rig->tap.fd = -1;
	assert_int_equal(ops->poll(rig->tap.iface), 0);
	rig->tap.fd = fd;
	rig->tap.iface->flags &= ~(uint32_t)STRATA_IFACE_RUNNING;
	assert_int_equal(ops->poll(rig->tap.iface), 0);
	rig->tap.iface->flags |= STRATA_IFACE_RUNNING;
	assert_int_equal(ops->poll(rig->tap.iface), 1);
	fx_run(fx);
	rig_close(rig);
}

static void without_memory_a_frame_is_dropped_and_the_next_is_read(void **state)
{
	static uint8_t frame[70000];
	unsigned int k;

	(void)state;
	for (k = 2; k < 16; k++) {
		struct fixture *fx = fx_open(.modules = MODULES);
		struct rig *rig = rig_open(fx);
		struct virtio_net_hdr vnet;
		size_t length = fx_super_packet(frame, &vnet);

		rig->tap.small_wanted = k & 1;
		fx_fail_at(fx, k / 2, true);
		host_writes(rig, &vnet, frame, length);
		assert_int_equal(receive(rig), 0);
		fx_fail_at(fx, 0, false);
		host_writes(rig, &vnet, frame, length);
		assert_int_equal(receive(rig), 0);
		assert_int_equal(fx_drops(fx, "tap", "no_memory") + fx_drops(fx, "tap", "truncated") +
				 rig->device.seen, 2);
		assert_memory_equal(rig->device.bytes, frame, length);
		rig_close(rig);
	}
}

/* ---- send ---- */

static void what_is_sent_stays_as_it_was(void **state)
{
	static const uint32_t sizes[] = { 60, 200, 1500, 9000 };
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	static uint8_t before[20000], frame[20000], bytes[9000];
	struct virtio_net_hdr vnet;
	unsigned int i;

	(void)state;
	fx_pattern_fill(bytes, sizeof(bytes), 0);
	fx_build_eth(bytes, PEER_MAC, STACK_MAC, 0x88b5);
	for (i = 0; i < 2 * STRATA_COUNT(sizes); i++) {
		const uint32_t size = sizes[i / 2];
		struct strata_pkt *pkt = strata_pkt_alloc(fx->stack, 64, 32);

		rig->tap.vnet = i % 2 == 0;
		memset(pkt->buf, 0xa5, pkt->room);
		assert_int_equal(strata_pkt_append(pkt, bytes, size), 0);
		pkt->iface = fx->iface;
		memcpy(before, pkt->buf, pkt->room);
		assert_int_equal(send_alone(rig, strata_pkt_get(pkt)), 0);
		assert_int_equal(strata_pkt_length(pkt), size);
		assert_memory_equal(pkt->buf, before, pkt->room);
		assert_int_equal(strata_pkt_read(pkt, 0, frame, sizeof(frame)), size);
		assert_memory_equal(frame, bytes, size);
		strata_pkt_free(pkt);
		if (rig->tap.vnet) {
			assert_int_equal(fx_device_reads(&rig->device, &vnet, frame, sizeof(frame)), size);
			assert_int_equal(vnet.flags, 0);
			assert_int_equal(vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		} else {
			assert_int_equal(read(rig->device.host, frame, sizeof(frame)), size);
		}
		assert_memory_equal(frame, bytes, size);
	}
	rig_close(rig);
}

/* With and without a virtio header, and room for it in front. */
static void a_frame_in_one_piece_leaves_from_where_it_is(void **state)
{
	static const uint32_t headrooms[] = { STRATA_HEADROOM, TAP_VNET_SIZE, TAP_VNET_SIZE - 1, 1 };
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	uint8_t bytes[200], untouched[sizeof(bytes)], frame[2048];
	struct virtio_net_hdr vnet;
	unsigned int i;

	(void)state;
	fx_pattern_fill(bytes, sizeof(bytes), 0);
	fx_build_eth(bytes, PEER_MAC, STACK_MAC, 0x88b5);
	memset(untouched, 0xa5, sizeof(untouched));
	for (i = 0; i < 2 * STRATA_COUNT(headrooms); i++) {
		const uint32_t headroom = headrooms[i / 2];
		struct strata_pkt *pkt = strata_pkt_alloc(fx->stack, headroom, sizeof(bytes));
		bool in_place;

		rig->tap.vnet = i % 2 == 0;
		in_place = !rig->tap.vnet || headroom >= TAP_VNET_SIZE;
		memcpy(rig->tap.tx_flat, untouched, sizeof(untouched));
		assert_int_equal(strata_pkt_append(pkt, bytes, sizeof(bytes)), 0);
		pkt->iface = fx->iface;
		assert_int_equal(send_alone(rig, pkt), 0);
		assert_int_equal(memcmp(rig->tap.tx_flat, untouched, sizeof(untouched)) == 0, in_place);
		if (rig->tap.vnet) {
			assert_int_equal(fx_device_reads(&rig->device, &vnet, frame, sizeof(frame)),
					 sizeof(bytes));
			assert_int_equal(vnet.flags, 0);
			assert_int_equal(vnet.gso_type, VIRTIO_NET_HDR_GSO_NONE);
		} else {
			assert_int_equal(read(rig->device.host, frame, sizeof(frame)), sizeof(bytes));
		}
		assert_memory_equal(frame, bytes, sizeof(bytes));
	}
	rig_close(rig);
}

/* The number in the next frame that the host reads; -1: there is none. */
static int host_reads_number(struct rig *rig)
{
	static uint8_t frame[70000];
	struct virtio_net_hdr vnet;

	return fx_device_reads(&rig->device, &vnet, frame, sizeof(frame)) == 0 ? -1 : strata_get_be16(frame + 14);
}

static void small_frames_of_a_batch_leave_together_at_its_end(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	int number;

	(void)state;
	for (number = 0; number < 5; number++)
		assert_int_equal(tap_io_send(&rig->tap, fx_numbered(fx, (unsigned int)number)), 0);
	assert_int_equal(host_reads_number(rig), -1);
	assert_int_equal(tap_io_flush(&rig->tap), 0);
	for (number = 0; number < 5; number++)
		assert_int_equal(host_reads_number(rig), number);
	assert_int_equal(host_reads_number(rig), -1);
	/* Nothing is left for the next end. */
	assert_int_equal(tap_io_flush(&rig->tap), 0);
	assert_int_equal(host_reads_number(rig), -1);
	rig_close(rig);
}

static void a_large_frame_leaves_at_once_behind_those_that_wait(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	struct strata_pkt *large = fx_numbered(fx, 1);
	static const uint8_t more[8000];

	(void)state;
	assert_int_equal(strata_pkt_append(large, more, sizeof(more)), 0);
	assert_int_equal(tap_io_send(&rig->tap, fx_numbered(fx, 0)), 0);
	assert_int_equal(tap_io_send(&rig->tap, large), 0);
	assert_int_equal(tap_io_send(&rig->tap, fx_numbered(fx, 2)), 0);
	assert_int_equal(host_reads_number(rig), 0);
	assert_int_equal(host_reads_number(rig), 1);
	assert_int_equal(host_reads_number(rig), -1);
	assert_int_equal(tap_io_flush(&rig->tap), 0);
	assert_int_equal(host_reads_number(rig), 2);
	rig_close(rig);
}

/* Of 64, and of no more than may wait for a device that takes none: none of them is dropped then. */
static void a_batch_of_many_small_frames_leaves_in_parts(void **state)
{
	static const unsigned int backlogs[] = { 1, 16, 256 }, parts[] = { 1, 16, 64 };
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(parts); i++) {
		struct fixture *fx = fx_open(.modules = MODULES);
		struct rig *rig = rig_open(fx);
		unsigned int sent = 0;
		int number = 0;

		rig->config.backlog = backlogs[i];
		while (sent < parts[i] - 1)
			assert_int_equal(tap_io_send(&rig->tap, fx_numbered(fx, sent++)), 0);
		assert_int_equal(host_reads_number(rig), -1);
		assert_int_equal(tap_io_send(&rig->tap, fx_numbered(fx, sent++)), 0);
		while (number < (int)sent)
			assert_int_equal(host_reads_number(rig), number++);
		assert_int_equal(host_reads_number(rig), -1);
		rig_close(rig);
	}
}

/* An answer to each of many that come at once: through the whole stack, each in its place. */
static void the_answers_to_a_batch_are_whole_and_in_order(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	const struct virtio_net_hdr vnet = { 0 };
	uint8_t frame[2048], reply[2048];
	struct virtio_net_hdr out;
	struct fx_pkt pkt;
	unsigned int i;
	size_t length;

	(void)state;
	for (i = 0; i < 100; i++)
		host_writes(rig, &vnet, frame, fx_echo_request(frame, 16 + i * 11));
	assert_int_equal(receive(rig), 0);
	for (i = 0; i < 100; i++) {
		length = fx_device_reads(&rig->device, &out, reply, sizeof(reply));
		assert_int_equal(length, fx_echo_request(frame, 16 + i * 11));
		assert_null(fx_decode(&pkt, reply, length, false));
		assert_memory_equal(reply + 42, frame + 42, length - 42);
	}
	rig_close(rig);
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
	setsockopt(rig->tap.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	while (rig->tap.tx.count < rig->config.backlog) {
		assert_true(sent < 1000);
		assert_int_equal(send_alone(rig, fx_numbered(fx, sent++)), 0);
	}
	assert_int_equal(fx_counter(fx, "tap", "back_pressure"), 1);
	assert_true(rig->tap.watch.events & EPOLLOUT);
	/* Transports hold back; what comes all the same has a queue that ends. */
	assert_true(fx->iface->flags & STRATA_IFACE_STOPPED);
	send_alone(rig, fx_numbered(fx, 9999));
	assert_int_equal(fx_drops(fx, "tap", "queue_full"), 1);
	assert_int_equal(tap_io_resend(&rig->tap), 0);	/* still full */
	assert_int_equal(rig->tap.tx.count, rig->config.backlog);
	assert_true(fx->iface->flags & STRATA_IFACE_STOPPED);
	while (got < sent) {
		if (fx_device_reads(&rig->device, &vnet, frame, sizeof(frame)) == 0) {
			assert_int_equal(tap_io_resend(&rig->tap), 0);
			continue;
		}
		assert_int_equal(strata_get_be16(frame + 14), got++);
	}
	assert_int_equal(tap_io_resend(&rig->tap), 0);
	assert_int_equal(rig->tap.watch.events, EPOLLIN);
	assert_false(fx->iface->flags & STRATA_IFACE_STOPPED);
	assert_int_equal(fx_device_reads(&rig->device, &vnet, frame, sizeof(frame)), 0);
	rig_close(rig);
}

static void what_waits_is_dropped_when_the_device_goes(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	int size = 4096;
	unsigned int sent = 0;

	(void)state;
	setsockopt(rig->tap.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	while (rig->tap.tx.count < 5)
		send_alone(rig, fx_numbered(fx, sent++));
	tap_io_purge(&rig->tap);
	assert_int_equal(fx_drops(fx, "tap", "link_down"), 5);
	assert_false(fx->iface->flags & STRATA_IFACE_STOPPED);
	assert_int_equal(rig->tap.tx.count, 0);
	rig_close(rig);
}

static void a_descriptor_gone_bad_is_told(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	int fd = rig->tap.fd;

	(void)state;
	rig->tap.fd = 12345;
	assert_int_equal(send_alone(rig, fx_numbered(fx, 1)), -EBADF);
	assert_int_equal(tap_io_receive(&rig->tap), -EBADF);
	rig->tap.fd = fd;
	assert_int_equal(fx_drops(fx, "tap", "link_down"), 1);
	assert_int_equal(fx->iface->counters.tx_errors, 1);
	rig_close(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_frame_costs_a_small_packet),
		cmocka_unit_test(a_full_frame_stays_where_it_was_read_while_frames_are_large),
		cmocka_unit_test(the_second_super_packet_keeps_its_payload_in_chunks),
		cmocka_unit_test(small_frames_are_read_in_one_piece_again_after_the_last_large_one),
		cmocka_unit_test(a_frame_of_any_length_is_whole_however_it_is_read),
		cmocka_unit_test(a_frame_that_fills_all_there_is_may_be_cut_off_and_is_dropped),
		cmocka_unit_test(a_malformed_header_costs_its_frame_alone),
		cmocka_unit_test(whatever_the_device_says_is_taken_or_discarded_with_a_reason),
		cmocka_unit_test(large_frames_among_many_small_ones_change_nothing_of_them),
		cmocka_unit_test(frames_read_from_a_device_that_goes_meanwhile_are_counted),
		cmocka_unit_test(a_batch_ends_before_a_flood_does),
		cmocka_unit_test(where_frames_come_one_at_a_time_each_is_a_batch),
		cmocka_unit_test(a_device_is_polled_while_it_is_there),
		cmocka_unit_test(without_memory_a_frame_is_dropped_and_the_next_is_read),
		cmocka_unit_test(what_is_sent_stays_as_it_was),
		cmocka_unit_test(a_frame_in_one_piece_leaves_from_where_it_is),
		cmocka_unit_test(small_frames_of_a_batch_leave_together_at_its_end),
		cmocka_unit_test(a_large_frame_leaves_at_once_behind_those_that_wait),
		cmocka_unit_test(a_batch_of_many_small_frames_leaves_in_parts),
		cmocka_unit_test(the_answers_to_a_batch_are_whole_and_in_order),
		cmocka_unit_test(what_the_device_does_not_take_waits_in_order),
		cmocka_unit_test(what_waits_is_dropped_when_the_device_goes),
		cmocka_unit_test(a_descriptor_gone_bad_is_told),
	};

	return fx_main(tests);
}
