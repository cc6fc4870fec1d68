/* SPDX-License-Identifier: BSD-2-Clause */
/* Super-packets cut in software: every byte, length, number and checksum of what comes out. */
#include "net.h"

static struct net net;
static const uint32_t headers = FRAME_HEADER + FOUR_HEADER + THING_HEADER;

static int setup(void **state)
{
	(void)state;
	net_open(&net);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_close(&net);
	return 0;
}

static int output(struct strata_pkt *pkt)
{
	const struct strata_lladdr dst = mac(9);

	return strata_iface_output(net.one, pkt, FOUR, &dst);
}

/* True where the one's complement sum over pseudo-header and transport packet is right. */
static bool checksum_good(const struct strata_pkt *pkt)
{
	const struct strata_addr src = addr(&net, "192.0.2.1"), dst = addr(&net, "192.0.2.2");
	const uint32_t start = FRAME_HEADER + FOUR_HEADER, length = strata_pkt_length(pkt) - start;

	return strata_csum_fold(strata_pkt_csum(pkt, start, length,
						strata_csum_pseudo(&src, &dst, THING, length))) ==
	       0xffff;
}

/* Checks one frame as segment `index` of `payload` bytes cut into `size`. */
static void check_segment(const struct strata_pkt *pkt, uint32_t index, uint32_t payload, uint32_t size)
{
	const uint32_t offset = index * size;
	const uint32_t length = payload - offset < size ? payload - offset : size;
	uint8_t bytes[2048];
	uint32_t i;

	assert_int_equal(strata_pkt_length(pkt), headers + length);
	assert_int_equal(pkt->seg_type, STRATA_SEG_NONE);
	assert_int_equal(strata_pkt_read(pkt, 0, bytes, sizeof(bytes)), headers + length);
	assert_int_equal(strata_get_be16(bytes + 12), FOUR);
	assert_int_equal(strata_get_be16(bytes + FRAME_HEADER), length + headers - FRAME_HEADER);
	assert_int_equal(strata_get_be16(bytes + FRAME_HEADER + 12), 77 + index);
	assert_int_equal(strata_get_be32(bytes + FRAME_HEADER + FOUR_HEADER + 4), 1000 + offset);
	/* What fits in one segment stays as its sender made it. */
	assert_int_equal(bytes[FRAME_HEADER + FOUR_HEADER + 10],
			 payload > size && offset + length == payload);
	for (i = 0; i < length; i++)
		assert_int_equal(bytes[headers + i],
				 (uint8_t)((offset + i) * 7 + ((offset + i) >> 8)));
}

static void check_cut(uint32_t payload, uint16_t size, enum strata_seg type)
{
	const uint64_t before = net.one->counters.tx_packets;
	const uint32_t count = (payload + size - 1) / size;
	uint32_t i;

	assert_int_equal(output(net_super(&net, payload, size, type)), 0);
	assert_int_equal(net.sent.count, count);
	assert_int_equal(net.one->counters.tx_packets - before, count);
	for (i = 0; i < count; i++) {
		struct strata_pkt *pkt = net_sent(&net);
		check_segment(pkt, i, payload, size);
		assert_int_equal(pkt->csum, STRATA_CSUM_NONE);
		assert_true(checksum_good(pkt));
		strata_pkt_free(pkt);
	}
}

static void stream_is_cut_at_every_size(void **state)
{
	static const struct {
		uint32_t payload;
		uint16_t size;
	} rows[] = {
		{ 39000, 1400 }, { 39000, 1000 }, { 2, 1 }, { 1401, 1400 }, { 2800, 1400 }, { 1400, 1400 },
		{ 1, 1400 }, { 5001, 777 }, { 300, 7 }, { 39999, 1472 - THING_HEADER },
	};
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(rows); i++)
		check_cut(rows[i].payload, rows[i].size, STRATA_SEG_STREAM);
}

static void datagrams_are_cut_alike(void **state)
{
	(void)state;
	check_cut(10000, 1200, STRATA_SEG_DATAGRAM);
}

static void random_cuts_have_good_checksums(void **state)
{
	uint64_t seed = 7;
	unsigned int i;

	(void)state;
	for (i = 0; i < 200; i++)
		check_cut(1 + rig_below(&seed, 39000), (uint16_t)(100 + rig_below(&seed, 1360)),
			  STRATA_SEG_STREAM);
}

static void payload_is_shared_not_copied(void **state)
{
	struct strata_pkt *whole = net_super(&net, 10000, 1000, STRATA_SEG_STREAM), *pkt;
	struct strata_chunk *chunk = strata_chunk_get(whole->frags[0].chunk);

	(void)state;
	assert_int_equal(output(whole), 0);
	pkt = net_sent(&net);
	assert_int_equal(pkt->frag_count, 1);
	assert_ptr_equal(pkt->frags[0].chunk, chunk);
	assert_int_equal(pkt->len, headers);
	strata_pkt_free(pkt);
	net_forget(&net);
	assert_int_equal(chunk->refs, 1);
	strata_chunk_put(chunk);
}

static void driver_without_fragments_gets_linear_frames(void **state)
{
	(void)state;
	net.one->caps = 0;
	check_cut(20000, 1400, STRATA_SEG_STREAM);
	assert_int_equal(output(net_super(&net, 6000, 1400, STRATA_SEG_STREAM)), 0);
	while (net.sent.count != 0) {
		struct strata_pkt *pkt = net_sent(&net);
		assert_int_equal(pkt->frag_count, 0);
		strata_pkt_free(pkt);
	}
}

static void driver_that_sums_gets_the_right_pseudo_header(void **state)
{
	struct strata_pkt *pkt;

	(void)state;
	net.one->caps = STRATA_CAP_FRAGS | STRATA_CAP_TX_CSUM;
	assert_int_equal(output(net_super(&net, 2500, 1000, STRATA_SEG_STREAM)), 0);
	assert_int_equal(net.sent.count, 3);
	while (net.sent.count != 0) {
		pkt = net_sent(&net);
		assert_int_equal(pkt->csum, STRATA_CSUM_PARTIAL);
		strata_pkt_csum_complete(pkt);
		assert_true(checksum_good(pkt));
		strata_pkt_free(pkt);
	}
}

static void driver_that_cuts_gets_the_whole_counted_in_segments(void **state)
{
	struct strata_pkt *pkt;

	(void)state;
	net.one->caps = STRATA_CAP_FRAGS | STRATA_CAP_TX_CSUM | STRATA_CAP_SEG_STREAM;
	assert_int_equal(output(net_super(&net, 2500, 1000, STRATA_SEG_STREAM)), 0);
	assert_int_equal(net.sent.count, 1);
	pkt = net_sent(&net);
	assert_int_equal(pkt->seg_size, 1000);
	assert_int_equal(strata_pkt_length(pkt), headers + 2500);
	assert_int_equal(net.one->counters.tx_packets, 3);
	assert_int_equal(net.one->counters.tx_bytes, headers + 2500);
	/* What it does not cut is cut all the same. */
	assert_int_equal(output(net_super(&net, 2500, 1000, STRATA_SEG_DATAGRAM)), 0);
	assert_int_equal(net.sent.count, 3);
	/* Received as large, it is counted the same. */
	pkt->flags = 0;
	strata_iface_input(net.two, pkt);
	assert_int_equal(net.two->counters.rx_packets, 3);
}

static void packet_that_the_device_does_not_know_is_cut_here(void **state)
{
	(void)state;
	net.one->caps = STRATA_CAP_FRAGS | STRATA_CAP_SEG_STREAM;
	net.cuts_none = true;
	check_cut(5000, 1000, STRATA_SEG_STREAM);
}

static void received_segments_are_counted_without_knowing_the_header(void **state)
{
	struct strata_pkt *pkt = net_super(&net, 2000, 1000, STRATA_SEG_STREAM);

	(void)state;
	assert_int_equal(segment_count(pkt), 2);
	strata_pkt_free(pkt);
	pkt = net_super(&net, 2100, 1000, STRATA_SEG_STREAM);
	assert_int_equal(segment_count(pkt), 3);
	strata_pkt_free(pkt);
	pkt = net_super(&net, 500, 1000, STRATA_SEG_STREAM);
	assert_int_equal(segment_count(pkt), 1);
	strata_pkt_free(pkt);
}

static void segments_too_big_for_the_link_are_dropped(void **state)
{
	(void)state;
	assert_int_equal(output(net_super(&net, 5000, 1500 - FOUR_HEADER - THING_HEADER + 1,
					  STRATA_SEG_STREAM)), -EMSGSIZE);
	assert_int_equal(net_drops(&net, KERNEL_DROP_TOO_BIG), 1);
	assert_int_equal(net.sent.count, 0);
	assert_int_equal(net.one->counters.tx_dropped, 1);
	check_cut(5000, 1500 - FOUR_HEADER - THING_HEADER, STRATA_SEG_STREAM);
}

static void what_cannot_be_cut_is_dropped_with_a_reason(void **state)
{
	struct strata_pkt *pkt;

	(void)state;
	pkt = net_super(&net, 5000, 1000, STRATA_SEG_STREAM);
	pkt->csum = STRATA_CSUM_NONE;
	assert_int_equal(output(pkt), -EMSGSIZE);
	pkt = net_super(&net, 5000, 1000, STRATA_SEG_STREAM);
	pkt->transport_offset = 0;
	assert_int_equal(output(pkt), -EMSGSIZE);
	pkt = net_super(&net, 5000, 1000, STRATA_SEG_STREAM);
	pkt->number = 17;
	assert_int_equal(output(pkt), -EMSGSIZE);
	pkt = net_super(&net, 5000, 0, STRATA_SEG_STREAM);
	assert_int_equal(output(pkt), -EMSGSIZE);
	pkt = net_super(&net, 5000, 1000, STRATA_SEG_STREAM);
	pkt->data[FOUR_HEADER + 11] = 200;	/* a header longer than what is linear */
	assert_int_equal(output(pkt), -EMSGSIZE);
	assert_int_equal(net_drops(&net, KERNEL_DROP_CANNOT_SEGMENT), 5);
}

static void shared_packet_is_cut_and_left_as_it_was(void **state)
{
	struct strata_pkt *pkt = net_super(&net, 5000, 1000, STRATA_SEG_STREAM);
	uint8_t before[FOUR_HEADER + THING_HEADER];

	(void)state;
	memcpy(before, pkt->data, sizeof(before));
	assert_int_equal(output(strata_pkt_get(pkt)), 0);
	assert_int_equal(net.sent.count, 5);
	assert_int_equal(pkt->refs, 1);
	assert_memory_equal(pkt->data, before, sizeof(before));
	assert_int_equal(strata_pkt_length(pkt), sizeof(before) + 5000);
	strata_pkt_free(pkt);
}

static void short_memory_drops_all_of_it(void **state)
{
	struct strata_pkt *pkt;
	unsigned int i;

	(void)state;
	for (i = 0;; i++) {
		pkt = net_super(&net, 39000, 39, STRATA_SEG_STREAM);
		net.rig.fail_at = net.rig.allocs + 1 + i;
		net.rig.fail_forever = true;
		if (output(pkt) == 0)
			break;
		net.rig.fail_at = 0;
		assert_int_equal(net.sent.count, 0);
		assert_int_equal(net_drops(&net, KERNEL_DROP_NO_MEMORY), i + 1);
	}
	net.rig.fail_at = 0;
	assert_true(i > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(stream_is_cut_at_every_size),
		T(datagrams_are_cut_alike),
		T(random_cuts_have_good_checksums),
		T(payload_is_shared_not_copied),
		T(driver_without_fragments_gets_linear_frames),
		T(driver_that_sums_gets_the_right_pseudo_header),
		T(driver_that_cuts_gets_the_whole_counted_in_segments),
		T(packet_that_the_device_does_not_know_is_cut_here),
		T(received_segments_are_counted_without_knowing_the_header),
		T(segments_too_big_for_the_link_are_dropped),
		T(what_cannot_be_cut_is_dropped_with_a_reason),
		T(shared_packet_is_cut_and_left_as_it_was),
		T(short_memory_drops_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
