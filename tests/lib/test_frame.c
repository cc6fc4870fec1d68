/* SPDX-License-Identifier: BSD-2-Clause */
/* The test library's own frames: what is built is taken apart again, and no changed bit goes unnoticed. */
#include "fixture.h"

/* A frame from the peer with a TCP segment of `length` bytes of data, as rx() builds it. */
static size_t build(uint8_t *frame, uint8_t proto, size_t length)
{
	uint8_t segment[256] = { 0x9c, 0x40, 0x00, 0x50, 0, 0, 0x03, 0xe8 };
	size_t header = proto == FX_IP_TCP ? 20 : 8, total = header + length;
	size_t field = proto == FX_IP_TCP ? 16 : 6, at;
	const struct fx_ip ip = { .proto = proto };

	if (proto == FX_IP_TCP) {
		segment[12] = 0x50;
		segment[13] = ACK;
	} else {
		strata_put_be16(segment + 4, (uint16_t)total);
		strata_put_be16(segment + 6, 0);
	}
	fx_pattern_fill(segment + header, length, 0);
	strata_put_be16(segment + field,
			fx_sum_finish(fx_sum(fx_sum_pseudo(PEER_IP, STACK_IP, proto, total), segment,
					     total)));
	at = fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_IP);
	return at + fx_build_ip(frame + at, &ip, 7, segment, total);
}

static void sums_as_the_example_of_rfc_1071(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal(fx_sum(0, bytes, sizeof(bytes)), 0xddf2);
	assert_int_equal(fx_sum_finish(fx_sum(0, bytes, sizeof(bytes))), 0x220d);
	assert_int_equal(fx_sum(fx_sum(0, bytes, 4), bytes + 4, 4), 0xddf2);
	assert_int_equal(fx_sum(0, "\x12", 1), 0x1200);
}

static void takes_apart_what_it_built(void **state)
{
	uint8_t frame[512];
	struct fx_pkt pkt;
	size_t length = build(frame, FX_IP_TCP, 33);

	(void)state;
	assert_null(fx_decode(&pkt, frame, length, false));
	assert_int_equal(pkt.ip.src, PEER_IP);
	assert_int_equal(pkt.ip.dst, STACK_IP);
	assert_int_equal(pkt.ip.id, 7);
	assert_int_equal(pkt.ip.ttl, 64);
	assert_int_equal(pkt.tcp.sport, 40000);
	assert_int_equal(pkt.tcp.dport, 80);
	assert_int_equal(pkt.tcp.seq, 1000);
	assert_int_equal(pkt.tcp.flags, ACK);
	assert_int_equal(pkt.payload_len, 33);
	assert_int_equal(pkt.payload[32], fx_pattern(32));
}

static void notices(uint8_t proto)
{
	uint8_t frame[512];
	size_t length = build(frame, proto, 20);

	for (size_t bit = 14 * 8; bit < length * 8; bit++) {
		struct fx_pkt pkt;
		const char *fault;

		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		fault = fx_decode(&pkt, frame, length, false);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (fault == NULL)
			fail_msg("bit %zu of byte %zu changed unnoticed", bit % 8, bit / 8);
	}
}

static void notices_each_changed_bit_of_a_segment(void **state)
{
	(void)state;
	notices(FX_IP_TCP);
}

static void notices_each_changed_bit_of_a_datagram(void **state)
{
	(void)state;
	notices(FX_IP_UDP);
}

static void notices_a_frame_cut_anywhere(void **state)
{
	uint8_t frame[512];
	size_t length = build(frame, FX_IP_TCP, 20);

	(void)state;
	for (size_t n = 0; n < length; n++) {
		struct fx_pkt pkt;
		uint8_t *copy = malloc(n + 1);

		assert_non_null(copy);
		memcpy(copy, frame, n);
		assert_non_null(fx_decode(&pkt, copy, n, false));
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_as_the_example_of_rfc_1071),
		cmocka_unit_test(takes_apart_what_it_built),
		cmocka_unit_test(notices_each_changed_bit_of_a_segment),
		cmocka_unit_test(notices_each_changed_bit_of_a_datagram),
		cmocka_unit_test(notices_a_frame_cut_anywhere),
	};

	return fx_main(tests);
}
