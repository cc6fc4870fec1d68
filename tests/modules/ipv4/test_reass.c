/* SPDX-License-Identifier: BSD-2-Clause */
/* Reassembly: RFC 791, RFC 815, and what must not break it. Attacks, rows 1 to 6. */
#include "fixture.h"

#define MODULES .modules = "ethernet arp ipv4 icmp udp"
#define TIMEOUT_MS 30000

static const uint8_t zeros[2048];

/* One fragment of `length` zero bytes. */
#define rx_fragment(id_, offset_, length, more, ...) \
	fx_rx_ip(fx, &(const struct fx_ip){ .proto = FX_IP_ICMP, .id = (id_), .offset = (offset_), \
					   .mf = (more), ##__VA_ARGS__ }, zeros, length)

/* Gives the fragments of an echo request of `length` bytes, `size` each, in an order from
 * `seed`. */
static void rx_shuffled(struct fixture *fx, uint16_t id, size_t length, size_t size, uint64_t seed)
{
	static uint8_t message[65536];
	size_t order[8192], count = (length + size - 1) / size, i;
	uint64_t rng = seed;
	uint16_t sum;

	memset(message, 0, 8);
	message[0] = 8;
	strata_put_be16(message + 4, id);
	fx_pattern_fill(message + 8, length - 8, 0);
	sum = fx_sum_finish(fx_sum(0, message, length));
	message[2] = (uint8_t)(sum >> 8);
	message[3] = (uint8_t)sum;
	for (i = 0; i < count; i++)
		order[i] = i;
	for (i = count; i > 1; i--) {
		size_t j = fx_random(&rng) % i, t = order[j];
		order[j] = order[i - 1];
		order[i - 1] = t;
	}
	fx_mark(fx);
	for (i = 0; i < count; i++) {
		size_t at = order[i] * size, n = length - at < size ? length - at : size;
		fx_input_ip(fx, &(const struct fx_ip){ .id = id, .offset = (uint16_t)at,
						      .mf = at + n < length }, FX_IP_ICMP,
			    message + at, n);
	}
}

static void fragments_in_any_order_make_the_datagram(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 50; seed++) {
		size_t length = 1500 + (size_t)seed * 211;
		rx_shuffled(fx, (uint16_t)seed, length, seed % 2 != 0 ? 1480 : 304, seed);
		expect_icmp(.type = 0, .id = (int64_t)seed, .seq = 0, .len = (int64_t)length - 8);
		expect_no_drop();
	}
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_oks"), 50);
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_fails"), 0);
	fx_close(fx);
}

static void the_largest_datagram_is_reassembled_and_answered(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_icmp(.type = 8, .id = 1, .seq = 1, .len = 65507, .ip.fragment = 1480);
	expect_icmp(.type = 0, .id = 1, .seq = 1, .len = 65507);
	expect_no_drop();
	fx_close(fx);
}

static void datagrams_are_told_apart_by_all_four_fields(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_fragment(9, 0, 8, true);
	rx_fragment(10, 8, 8, false);
	rx_fragment(9, 8, 8, false, .src = IP4(192, 0, 2, 9));
	rx_fragment(9, 8, 8, false, .dst = IP4(255, 255, 255, 255));
	fx_rx_ip(fx, &(const struct fx_ip){ .proto = FX_IP_UDP, .id = 9, .offset = 8 }, zeros, 8);
	expect_no_drop();
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_oks"), 0);
	rx_fragment(9, 8, 8, false);
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_oks"), 1);
	fx_close(fx);
}

static void an_exact_copy_is_passed_over(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_fragment(1, 8, 8, true);
	rx_fragment(1, 8, 8, true);
	expect_drop("ipv4", "fragment_duplicate");
	rx_fragment(1, 16, 3, false);
	rx_fragment(1, 16, 3, false);
	expect_drop("ipv4", "fragment_duplicate");
	rx_fragment(1, 0, 8, true);
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_oks"), 1);
	fx_close(fx);
}

static void each_impossible_fragment_has_one_reason(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_fragment(1, 0, 0, true);
	expect_drop("ipv4", "fragment_empty");
	rx_fragment(1, 8, 0, false);
	expect_drop("ipv4", "fragment_empty");
	rx_fragment(1, 0, 7, true);
	expect_drop("ipv4", "fragment_length");
	rx_fragment(1, 0, 1001, true);
	expect_drop("ipv4", "fragment_length");
	assert_true(strata_next_timer(fx->stack) == STRATA_NEVER ||
		    strata_next_timer(fx->stack) < fx->now + 3 * STRATA_SEC);
	fx_close(fx);
}

/* Attacks, row 1. */
static void ping_of_death_is_dropped(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_fragment(1, 65528, 8, false);
	expect_drop("ipv4", "fragment_too_big");
	rx_fragment(1, 65528, 1480, false);
	expect_drop("ipv4", "fragment_too_big");
	rx_fragment(1, 65512, 8, true);
	expect_drop("ipv4", "fragment_too_big");
	rx_fragment(1, 65504, 11, false);
	expect_no_drop();
	/* With options on the first fragment the whole is longer than any part. */
	rx_fragment(2, 65504, 11, false);
	expect_no_drop();
	fx_close(fx);
}

/* Attacks, row 2: teardrop; row 3: the last inside the first, a header overwritten at offset 8. */
static void overlaps_end_the_datagram(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	static const struct {
		uint16_t off1, len1, off2, len2;
		bool more1, more2;
		const char *reason;
	} cases[] = {
		{ 0, 40, 24, 4, true, false, "fragment_end" },
		{ 0, 40, 24, 8, true, true, "fragment_overlap" },
		{ 0, 40, 8, 16, true, true, "fragment_overlap" },
		{ 0, 24, 8, 24, true, true, "fragment_overlap" },
		{ 8, 24, 0, 16, true, true, "fragment_overlap" },
		{ 8, 8, 0, 24, true, true, "fragment_overlap" },
		{ 0, 16, 0, 24, true, true, "fragment_overlap" },
		{ 0, 24, 0, 16, true, true, "fragment_overlap" },
		{ 16, 8, 8, 8, false, false, "fragment_end" },
		{ 16, 8, 24, 8, false, true, "fragment_end" },
		{ 16, 8, 16, 8, false, true, "fragment_end" },
		{ 16, 8, 16, 9, false, false, "fragment_end" },
		{ 64, 8, 8, 8, true, false, "fragment_end" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint16_t id = (uint16_t)(i + 1);
		uint64_t given_up = fx_drops(fx, "ipv4", "fragment_given_up");
		uint64_t before = fx_drops(fx, "ipv4", cases[i].reason);
		rx_fragment(id, cases[i].off1, cases[i].len1, cases[i].more1);
		rx_fragment(id, cases[i].off2, cases[i].len2, cases[i].more2);
		assert_int_equal(fx_drops(fx, "ipv4", cases[i].reason), before + 1);
		assert_int_equal(fx_drops(fx, "ipv4", "fragment_given_up"), given_up + 1);
		/* What still comes of it does not begin it anew. */
		rx_fragment(id, 0, 64, true);
		expect_drop("ipv4", "fragment_given_up");
		rx_fragment(id, 64, 64, false);
		expect_drop("ipv4", "fragment_given_up");
	}
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_fails"), i);
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_oks"), 0);
	/* After its time the identification may be used again. */
	fx_advance(fx, TIMEOUT_MS);
	rx_shuffled(fx, 1, 3000, 1480, 1);
	expect_icmp(.type = 0, .id = 1, .len = 2992);
	fx_close(fx);
}

/* Attacks, row 5: 8-byte fragments in random order. The work for one is bounded by their number. */
static void tiny_fragments_are_reassembled_up_to_their_limit(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 100; seed++) {
		rx_shuffled(fx, (uint16_t)seed, 512, 8, seed);
		expect_icmp(.type = 0, .id = (int64_t)seed, .len = 504);
	}
	assert_int_equal(fx_drops(fx, "ipv4", "fragment_count"), 0);
	for (seed = 101; seed <= 110; seed++)
		rx_shuffled(fx, (uint16_t)seed, 65000, 8, seed);
	expect_silence(0);
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_fails"), 10);
	assert_int_equal(fx_drops(fx, "ipv4", "fragment_count"), 10 * 65);
	assert_int_equal(fx_drops(fx, "ipv4", "fragment_given_up"), 10 * (8125 - 65));
	fx_close(fx);
}

/* Attacks, row 4: Rose, first and last only, from everywhere and from one. */
static void unfinished_datagrams_keep_within_memory_and_let_others_through(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	size_t before = fx->bytes, most = 0;
	uint32_t i, good = 0, tried = 0;

	(void)state;
	for (i = 0; i < 100000; i++) {
		uint32_t src = i % 2 != 0 ? IP4(198, 51, 100, 7) :
			       IP4(203, 0, 113, 0) + ((i * 2654435761u) >> 4 & 0xffffff);
		struct fx_ip ip = { .src = src, .id = (uint16_t)(i % 65535 + 1), .proto = FX_IP_ICMP,
				    .mf = true };
		fx_input_ip(fx, &ip, FX_IP_ICMP, zeros, 8);
		ip.mf = false;
		ip.offset = 1000;
		fx_input_ip(fx, &ip, FX_IP_ICMP, zeros, 8);
		if (fx->bytes > most)
			most = fx->bytes;
		if (i % 200 != 0)
			continue;
		tried++;
		rx_shuffled(fx, (uint16_t)(i / 200 + 1), 4000, 1480, i + 1);
		if (fx_waiting(fx) != 0) {
			good++;
			fx_discard(fx);
		}
	}
	assert_true(most - before <= 5 * 1024 * 1024);
	assert_true(good * 100 >= tried * 99);
	assert_true(fx_drops(fx, "ipv4", "reassembly_memory") > 0);
	assert_true(fx_drops(fx, "ipv4", "reassembly_source") > 0);
	/* When its time is over, nothing is left, nor a timer once the memory has gone back. */
	fx_advance(fx, TIMEOUT_MS + 3000);
	fx_discard(fx);
	assert_true(strata_next_timer(fx->stack) == STRATA_NEVER);
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_oks"), good);
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_fails"), 100000);
	fx_close(fx);
}

/* Attacks, row 6: jolt2. */
static void jolt2_keeps_nothing(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	size_t before;
	uint32_t i;

	(void)state;
	rx_fragment(1, 65520, 9, false);
	expect_drop("ipv4", "fragment_too_big");
	before = fx->bytes;
	for (i = 0; i < 100000; i++)
		fx_input_ip(fx, &(const struct fx_ip){ .id = 0x455, .offset = 65520 }, FX_IP_ICMP,
			    zeros, 9);
	assert_int_equal(fx->bytes, before);
	assert_int_equal(fx_drops(fx, "ipv4", "fragment_too_big"), 100001);
	rx_icmp(.type = 8, .text = "alive");
	expect_icmp(.type = 0, .text = "alive");
	fx_close(fx);
}

static void a_source_has_its_share_alone(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	uint32_t i;

	(void)state;
	/* The victim's datagram is the oldest of all. */
	rx_fragment(1, 0, 8, true, .src = IP4(192, 0, 2, 9));
	for (i = 0; i < 2000; i++)
		fx_input_ip(fx, &(const struct fx_ip){ .id = (uint16_t)i, .mf = true }, FX_IP_ICMP,
			    zeros, 1480);
	assert_true(fx_drops(fx, "ipv4", "reassembly_source") > 1000);
	assert_int_equal(fx_drops(fx, "ipv4", "reassembly_memory"), 0);
	rx_fragment(1, 8, 8, false, .src = IP4(192, 0, 2, 9));
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_oks"), 1);
	fx_close(fx);
}

static void the_limits_are_options(void **state)
{
	struct fixture *fx = fx_open(MODULES, .options =
		"ipv4.reassembly_fragments=2 ipv4.reassembly_time=2s");

	(void)state;
	rx_fragment(1, 0, 8, true);
	rx_fragment(1, 8, 8, true);
	rx_fragment(1, 16, 8, true);
	assert_int_equal(fx_drops(fx, "ipv4", "fragment_count"), 3);
	rx_fragment(2, 0, 8, true);
	fx_advance(fx, 1999);
	assert_int_equal(fx_drops(fx, "ipv4", "reassembly_timeout"), 0);
	fx_advance(fx, 1);
	assert_int_equal(fx_drops(fx, "ipv4", "reassembly_timeout"), 1);
	fx_close(fx);
}

/* ---- time ---- */

static void the_sender_is_told_when_time_is_over_and_the_first_fragment_is_there(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_fragment(7, 0, 1480, true);
	rx_fragment(7, 2960, 100, false);
	const struct fx_pkt *pkt = expect_icmp(.type = 11, .code = 1, .any_data = true, .len = FX_AUTO,
					       .ip.dst = PEER_IP, .within = TIMEOUT_MS,
					       .at = TIMEOUT_MS);
	assert_int_equal(pkt->payload_len, 548);
	assert_int_equal(pkt->payload[0], 0x45);
	assert_int_equal(strata_get_be16(pkt->payload + 4), 7);
	assert_int_equal(fx_drops(fx, "ipv4", "reassembly_timeout"), 2);
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_timeouts"), 1);
	expect_silence(60000);
	fx_close(fx);
}

static void without_the_first_fragment_time_passes_in_silence(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_fragment(7, 1480, 1480, true);
	rx_fragment(7, 2960, 100, false);
	expect_silence(TIMEOUT_MS + 1000);
	assert_int_equal(fx_drops(fx, "ipv4", "reassembly_timeout"), 2);
	fx_close(fx);
}

static void time_counts_from_the_first_that_came(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_fragment(7, 8, 8, true);
	fx_advance(fx, TIMEOUT_MS - 1);
	rx_fragment(7, 16, 8, false);
	fx_advance(fx, 1);
	rx_fragment(7, 0, 8, true);
	assert_int_equal(fx_counter(fx, "ipv4", "reasm_oks"), 0);
	assert_int_equal(fx_drops(fx, "ipv4", "reassembly_timeout"), 2);
	fx_close(fx);
}

/* ---- ECN, RFC 3168 5.3 ---- */

static void congestion_on_one_fragment_holds_for_the_whole(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = udp_on(9), one = 1;
	uint8_t datagram[24] = { 0x9c, 0x40, 0, 9, 0, 24 }, buf[64];
	char control[64];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVTOS, one);
	rx_ip(FX_IP_UDP, datagram, 16, .id = 5, .mf = true, .tos = 2);
	rx_ip(FX_IP_UDP, datagram + 16, 8, .id = 5, .offset = 16, .tos = 3);
	expect_no_drop();
	assert_int_equal(strata_recvmsg(fx->stack, s, &msg, 0), 16);
	assert_int_equal(CMSG_FIRSTHDR(&msg)->cmsg_type, IP_TOS);
	assert_int_equal(*CMSG_DATA(CMSG_FIRSTHDR(&msg)), 3);
	/* Marked, though another fragment says its sender does not understand marks. */
	rx_ip(FX_IP_UDP, datagram, 16, .id = 6, .mf = true, .tos = 0);
	rx_ip(FX_IP_UDP, datagram + 16, 8, .id = 6, .offset = 16, .tos = 3);
	assert_int_equal(fx_drops(fx, "ipv4", "fragment_ecn"), 1);
	fx_close(fx);
}

/* ---- memory ---- */

static void a_shortage_at_any_point_ends_the_datagram_and_nothing_more(void **state)
{
	uint64_t k;

	(void)state;
	for (k = 1; k < 40; k++) {
		struct fixture *fx = fx_open(MODULES);
		fx_fail_at(fx, k, false);
		rx_icmp(.type = 8, .id = 1, .seq = 1, .len = 30000, .ip.fragment = 1480);
		fx_discard(fx);
		fx_fail_at(fx, 0, false);
		rx_icmp(.type = 8, .id = 2, .seq = 1, .len = 30000, .ip.fragment = 1480);
		expect_icmp(.type = 0, .id = 2, .seq = 1, .len = 30000);
		fx_close(fx);
	}
}

static void stopping_the_module_gives_all_back(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	struct strata_error error = { 0 };

	(void)state;
	rx_fragment(1, 0, 1480, true);
	rx_fragment(2, 0, 1480, true);
	strata_module_disable(fx->stack, "icmp", &error);
	strata_module_disable(fx->stack, "udp", &error);
	assert_int_equal(strata_module_disable(fx->stack, "ipv4", &error), 0);
	fx_advance(fx, 60000);
	strata_error_clear(&error);
	fx_close(fx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments_in_any_order_make_the_datagram),
		cmocka_unit_test(the_largest_datagram_is_reassembled_and_answered),
		cmocka_unit_test(datagrams_are_told_apart_by_all_four_fields),
		cmocka_unit_test(an_exact_copy_is_passed_over),
		cmocka_unit_test(each_impossible_fragment_has_one_reason),
		cmocka_unit_test(ping_of_death_is_dropped),
		cmocka_unit_test(overlaps_end_the_datagram),
		cmocka_unit_test(tiny_fragments_are_reassembled_up_to_their_limit),
		cmocka_unit_test(unfinished_datagrams_keep_within_memory_and_let_others_through),
		cmocka_unit_test(jolt2_keeps_nothing),
		cmocka_unit_test(a_source_has_its_share_alone),
		cmocka_unit_test(the_limits_are_options),
		cmocka_unit_test(the_sender_is_told_when_time_is_over_and_the_first_fragment_is_there),
		cmocka_unit_test(without_the_first_fragment_time_passes_in_silence),
		cmocka_unit_test(time_counts_from_the_first_that_came),
		cmocka_unit_test(congestion_on_one_fragment_holds_for_the_whole),
		cmocka_unit_test(a_shortage_at_any_point_ends_the_datagram_and_nothing_more),
		cmocka_unit_test(stopping_the_module_gives_all_back),
	};

	return fx_main(tests);
}
