/* SPDX-License-Identifier: BSD-2-Clause */
/* The icmp module: echo, errors out and in. Echo sockets are in test_socket.c. Attacks, rows 7,
 * 18, 20 to 26. */
#include "fixture.h"

#define MODULES .modules = "ethernet arp ipv4 icmp udp"
#define UNLIMITED "icmp.error_destination_rate=1000000 icmp.error_burst=1000000 " \
		  "icmp.error_rate=1000000 "

/* ---- echo ---- */

static void an_echo_of_any_size_is_answered(void **state)
{
	static const int64_t sizes[] = { 0, 1, 7, 8, 56, 1471, 1472, 1473, 2960, 9000, 65506, 65507 };
	struct fixture *fx = fx_open(MODULES);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		rx_icmp(.type = 8, .id = 77, .seq = (int64_t)i, .len = sizes[i],
			.ip.fragment = sizes[i] > 1472 ? 1480 : 0);
		expect_icmp(.type = 0, .id = 77, .seq = (int64_t)i, .len = sizes[i],
			    .ip = { .src = STACK_IP, .dst = PEER_IP });
		expect_no_drop();
	}
	assert_int_equal(fx_counter(fx, "icmp", "in_echos"), i);
	assert_int_equal(fx_counter(fx, "icmp", "out_echo_reps"), i);
	fx_close(fx);
}

static void a_thousand_echoes_are_answered_without_an_allocation(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	uint64_t before = 0;
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		if (i == 10)
			before = fx->allocs;
		rx_icmp(.type = 8, .id = 1, .seq = i, .len = 56);
		expect_icmp(.type = 0, .id = 1, .seq = i, .len = 56);
	}
	assert_int_equal(fx->allocs, before);
	fx_close(fx);
}

static void the_reply_comes_from_the_address_that_was_asked(void **state)
{
	struct fixture *fx = fx_open(MODULES, .address = "192.0.2.2/24, 192.0.2.3/24, 198.51.100.2/24");

	(void)state;
	rx_icmp(.type = 8, .text = "x", .ip.dst = IP4(192, 0, 2, 3));
	expect_icmp(.type = 0, .text = "x", .ip.src = IP4(192, 0, 2, 3));
	rx_icmp(.type = 8, .text = "x", .ip.dst = IP4(198, 51, 100, 2));
	expect_icmp(.type = 0, .text = "x", .ip.src = IP4(198, 51, 100, 2));
	fx_close(fx);
}

static void code_and_type_of_service_are_the_requests_but_for_ecn(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_icmp(.type = 8, .code = 9, .text = "x", .ip.tos = 0xbb);
	assert_int_equal(expect_icmp(.type = 0, .code = 9, .text = "x")->ip.tos, 0xb8);
	fx_close(fx);
}

static void without_a_way_back_a_request_is_dropped(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_icmp(.type = 8, .text = "x", .ip.src = IP4(203, 0, 113, 1));
	expect_drop("icmp", "no_way_back");
	expect_silence(0);
	fx_close(fx);
}

struct fault {
	struct fx_icmp message;
	const char *reason;
};

/* Attacks, rows 14, 22, 23, 25, 26. */
static void each_message_that_is_not_taken_has_one_reason(void **state)
{
	static const struct fault faults[] = {
		{ { .type = 8, .cut = 1 }, "truncated" },
		{ { .type = 8, .cut = 7 }, "truncated" },
		{ { .type = 8, .cut = 8 }, "truncated" },
		{ { .type = 0, .cut = 8 }, "truncated" },
		{ { .type = 0, .cut = 1 }, "truncated" },
		{ { .type = 8, .len = 10, .bad_checksum = true }, "checksum" },
		{ { .type = 8, .len = 10, .cut = 1 }, "checksum" },
		{ { .type = 0, .id = 5 }, "reply_unasked" },
		{ { .type = 1 }, "type" },
		{ { .type = 2 }, "type" },
		{ { .type = 9 }, "type" },
		{ { .type = 15 }, "type" },
		{ { .type = 42 }, "type" },
		{ { .type = 255 }, "type" },
		{ { .type = 4 }, "source_quench" },
		{ { .type = 5, .code = 1 }, "redirect" },
		{ { .type = 13, .len = 12 }, "timestamp" },
		{ { .type = 14, .len = 12 }, "timestamp_reply" },
		{ { .type = 17 }, "address_mask" },
		{ { .type = 18 }, "address_mask" },
		{ { .type = 3, .code = 16 }, "code" },
		{ { .type = 3, .code = 255 }, "code" },
		{ { .type = 11, .code = 2 }, "code" },
		{ { .type = 12, .code = 3 }, "code" },
		{ { .type = 3 }, "quote" },
	};
	struct fixture *fx = fx_open(MODULES);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct fx_icmp message = faults[i].message;
		message.rest = FX_AUTO;
		fx_rx_icmp(fx, &message);
		expect_drop("icmp", faults[i].reason);
	}
	expect_silence(1000);
	assert_int_equal(fx_counter(fx, "icmp", "in_msgs"), i);
	fx_close(fx);
}

static void a_timestamp_is_answered_when_it_is_wanted(void **state)
{
	static const uint8_t originate[12] = { 1, 2, 3, 4 };
	struct fixture *fx = fx_open(MODULES, .options = "icmp.timestamp=true");

	(void)state;
	rx_icmp(.type = 13, .id = 1, .seq = 2, .data = originate, .len = 12);
	const struct fx_pkt *pkt = expect_icmp(.type = 14, .id = 1, .seq = 2, .any_data = true,
					       .len = 12);
	assert_memory_equal(pkt->payload, originate, 4);
	assert_true(strata_get_be32(pkt->payload + 4) < 86400000);
	assert_memory_equal(pkt->payload + 4, pkt->payload + 8, 4);
	rx_icmp(.type = 13, .id = 1, .seq = 2, .len = 11);
	expect_drop("icmp", "truncated");
	fx_close(fx);
}

/* ---- errors out ---- */

static void a_closed_port_is_unreachable(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_udp(.dport = 9, .len = 100);
	const struct fx_pkt *pkt = expect_icmp(.type = 3, .code = 3, .rest = 0, .any_data = true,
					       .len = 128, .ip = { .src = STACK_IP, .dst = PEER_IP });
	assert_int_equal(pkt->payload[0], 0x45);
	assert_int_equal(strata_get_be32(pkt->payload + 12), PEER_IP);
	assert_int_equal(strata_get_be16(pkt->payload + 22), 9);
	assert_int_equal(pkt->payload[28 + 50], fx_pattern(50));
	assert_int_equal(pkt->ip.tos, 0xc0);
	assert_false(pkt->ip.df);
	assert_int_equal(fx_counter(fx, "icmp", "out_dest_unreachs"), 1);
	fx_close(fx);
}

/* RFC 1812 4.3.2.3. */
static void an_error_is_at_most_576_bytes(void **state)
{
	struct fixture *fx = fx_open(MODULES, .options = UNLIMITED);
	int64_t len;

	(void)state;
	for (len = 515; len <= 525; len++) {
		rx_udp(.dport = 9, .len = len);
		const struct fx_pkt *pkt = expect_icmp(.type = 3, .code = 3, .any_data = true,
						       .len = len + 28 < 548 ? len + 28 : 548);
		assert_true(pkt->ip.total_len <= 576);
	}
	/* Of a datagram that came in fragments, its whole header. */
	rx_udp(.dport = 9, .len = 5000, .ip.fragment = 1480);
	const struct fx_pkt *pkt = expect_icmp(.type = 3, .code = 3, .any_data = true, .len = 548);
	assert_int_equal(strata_get_be16(pkt->payload + 2), 5028);
	assert_int_equal(strata_get_be16(pkt->payload + 6), 0);
	assert_int_equal(fx_sum(0, pkt->payload, 20), 0xffff);
	fx_close(fx);
}

static void an_errors_type_of_service_has_the_packets_low_bits(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_udp(.dport = 9, .text = "x", .ip.tos = 0x1f);
	assert_int_equal(expect_icmp(.type = 3, .code = 3, .any_data = true, .len = 29)->ip.tos, 0xdc);
	fx_close(fx);
}

/* RFC 1122 3.2.2. What ends in protocol unreachable is enough to ask for an error. */
static void an_error_is_never_about_these(void **state)
{
	struct fixture *fx = fx_open(MODULES, .options = UNLIMITED);
	unsigned int type;

	(void)state;
	rx_udp(.dport = 9, .text = "x", .ip = { .dst = IP4(192, 0, 2, 255), .to_mac = BROADCAST_MAC });
	rx_udp(.dport = 9, .text = "x",
	       .ip = { .dst = IP4(224, 0, 0, 1), .to_mac = (const uint8_t *)"\1\0\x5e\0\0\1" });
	rx_udp(.dport = 9, .text = "x", .ip.to_mac = (const uint8_t *)"\1\0\x5e\0\0\1");
	expect_silence(0);
	/* With a malformed option, an error would be due for each of these. */
	for (type = 0; type < 256; type++) {
		rx_icmp(.type = (int)type, .len = 40,
			.ip = { .options = (const uint8_t *)"\x83\x00", .options_len = 2 });
		if (type == 0 || type == 8 || (type >= 13 && type <= 18))
			expect_icmp(.type = 12, .any_data = true, .len = FX_AUTO);
		expect_drop("ipv4", "option");
		expect_silence(0);
	}
	/* Of fragments, the first alone. */
	rx_ip(17, "01234567", 8, .mf = true, .options = (const uint8_t *)"\x83\x00", .options_len = 2);
	expect_icmp(.type = 12, .any_data = true, .len = FX_AUTO);
	rx_ip(17, "01234567", 8, .offset = 8, .options = (const uint8_t *)"\x83\x00", .options_len = 2);
	expect_silence(0);
	fx_close(fx);
}

/* Attacks, row 24. */
static void errors_are_limited_for_each_destination(void **state)
{
	uint64_t seed, most = 0, least = UINT64_MAX;

	(void)state;
	for (seed = 1; seed <= 8; seed++) {
		struct fixture *fx = fx_open(MODULES, .seed = seed);
		uint64_t burst, i;
		for (i = 0; i < 1000; i++)
			rx_udp(.dport = 9, .text = "x");
		burst = fx_waiting(fx);
		if (burst > most)
			most = burst;
		if (burst < least)
			least = burst;
		fx_discard(fx);
		for (i = 0; i < 20000; i++) {
			fx_advance(fx, 5);
			rx_udp(.dport = 9, .text = "x");
		}
		assert_in_range(fx_waiting(fx), 900, 1100);	/* 100 s */
		assert_true(fx_counter(fx, "icmp", "out_limited_destination") > 10000);
		fx_close(fx);
	}
	assert_in_range(least, 5, 40);
	assert_in_range(most, 5, 40);
	assert_true(most != least);
}

static void errors_are_limited_in_all_and_at_random(void **state)
{
	uint64_t seed, first = 0;
	bool differs = false;

	(void)state;
	for (seed = 1; seed <= 8; seed++) {
		struct fixture *fx = fx_open(MODULES, .bare = true, .seed = seed, .extra =
			"routes:\n  - to: 0.0.0.0/0\n    via: 192.0.2.1\n");
		uint32_t i;
		for (i = 0; i < 2000; i++)
			rx_udp(.dport = 9, .text = "x", .ip.src = IP4(198, 51, 100, 0) + i);
		assert_in_range(fx_waiting(fx), 30, 110);
		differs |= first != 0 && fx_waiting(fx) != first;
		first = fx_waiting(fx);
		fx_discard(fx);
		for (i = 0; i < 10000; i++) {
			fx_advance_ns(fx, 500 * STRATA_US);
			rx_udp(.dport = 9, .text = "x", .ip.src = IP4(203, 0, 113, 0) + i * 7919);
		}
		assert_in_range(fx_waiting(fx), 4000, 5400);	/* 5 s */
		assert_true(fx_counter(fx, "icmp", "out_limited_host") > 1000);
		fx_close(fx);
	}
	assert_true(differs);
}

static void what_stays_on_the_host_is_not_limited(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		int s = fx_socket(fx, SOCK_DGRAM, IPPROTO_UDP);
		fx_connect(fx, s, STACK_IP, 9);
		fx_send(fx, s, "x", 1);
		fx_run(fx);
		assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
		fx_close_socket(fx, s);
	}
	fx_close(fx);
}

static void a_shortage_withholds_an_error_and_nothing_more(void **state)
{
	uint64_t k;

	(void)state;
	for (k = 1; k < 8; k++) {
		struct fixture *fx = fx_open(MODULES);
		fx_fail_at(fx, k, false);
		rx_udp(.dport = 9, .text = "x");
		rx_icmp(.type = 8, .len = 3000, .ip.fragment = 1480);
		fx_fail_at(fx, 0, false);
		fx_discard(fx);
		rx_udp(.dport = 9, .text = "x");
		expect_icmp(.type = 3, .code = 3, .any_data = true, .len = 29);
		fx_close(fx);
	}
}

/* ---- errors in ---- */

static int connected(struct fixture *fx)
{
	int s = fx_socket(fx, SOCK_DGRAM, IPPROTO_UDP);

	assert_int_equal(fx_connect(fx, s, PEER_IP, 9), 0);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVERR, 1);
	return s;
}

static void each_error_reaches_the_socket_as_on_linux(void **state)
{
	static const struct {
		int type, code, error;
	} cases[] = {
		{ 3, 0, ENETUNREACH }, { 3, 1, EHOSTUNREACH }, { 3, 2, ENOPROTOOPT },
		{ 3, 3, ECONNREFUSED }, { 3, 4, EMSGSIZE }, { 3, 5, EOPNOTSUPP },
		{ 3, 6, ENETUNREACH }, { 3, 7, EHOSTDOWN }, { 3, 8, ENONET }, { 3, 9, ENETUNREACH },
		{ 3, 10, EHOSTUNREACH }, { 3, 11, ENETUNREACH }, { 3, 12, EHOSTUNREACH },
		{ 3, 13, EHOSTUNREACH }, { 3, 14, EHOSTUNREACH }, { 3, 15, EHOSTUNREACH },
		{ 11, 0, EHOSTUNREACH }, { 11, 1, EHOSTUNREACH }, { 12, 0, EPROTO },
	};
	struct fixture *fx = fx_open(MODULES);
	int s = connected(fx);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(fx_send(fx, s, "0123456789", 10), 10);
		rx_icmp_error(cases[i].type, cases[i].code, cases[i].error == EMSGSIZE ? 68 : 0,
			      expect_ip(), 10);
		if (cases[i].error == EMSGSIZE)
			expect_drop("icmp", "mtu");
		else
			assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR),
					 cases[i].error);
	}
	assert_int_equal(fx_counter(fx, "icmp", "errors_delivered"), i - 1);
	fx_close(fx);
}

/* Attacks, row 26: the quoted header says IHL 15; the quote is cut at each length. */
static void a_quote_is_read_within_its_bounds(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = connected(fx);
	unsigned int ihl, length;

	(void)state;
	for (ihl = 0; ihl <= 15; ihl++) {
		for (length = 0; length <= 70; length++) {
			uint8_t quote[80] = { 0 };
			bool sound = ihl >= 5 && length >= ihl * 4 + 8;
			fx_build_ip(quote, &(const struct fx_ip){ .proto = 17, .src = STACK_IP,
								 .dst = PEER_IP }, 1, NULL, 0);
			quote[0] = (uint8_t)(0x40 | ihl);
			strata_put_be16(quote + 2, 100);
			rx_icmp(.type = 3, .code = 3, .data = quote, .len = length);
			if (sound)
				expect_no_drop();
			else
				expect_drop("icmp", "quote");
		}
	}
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	fx_close(fx);
}

static void a_faulty_quote_has_one_reason(void **state)
{
	static const struct {
		struct fx_ip ip;
		const char *reason;
	} cases[] = {
		{ { .version = 6 }, "quote" },
		{ { .offset = 8 }, "quote" },
		{ { .total_length = 19 }, "quote" },
		{ { .total_length = 27 }, "quote" },
		{ { .src = IP4(192, 0, 2, 99) }, "quote_foreign" },
		{ { .src = PEER_IP }, "quote_foreign" },
	};
	struct fixture *fx = fx_open(MODULES);
	uint8_t quote[64];
	size_t i, length;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fx_ip ip = cases[i].ip;
		ip.proto = 17;
		ip.dst = PEER_IP;
		if (ip.src == 0)
			ip.src = STACK_IP;
		length = fx_build_ip(quote, &ip, 1, "0123456789abcdef", 16);
		rx_icmp(.type = 3, .code = 3, .data = quote, .len = (int64_t)length);
		expect_drop("icmp", cases[i].reason);
	}
	fx_close(fx);
}

static void an_error_to_many_is_dropped(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_icmp(.type = 3, .code = 3, .len = 40,
		.ip = { .dst = IP4(192, 0, 2, 255), .to_mac = BROADCAST_MAC });
	expect_drop("icmp", "error_to_many");
	fx_close(fx);
}

/* Attacks, row 21: an MTU that the quoted packet did not exceed, or that no link has. */
static void an_impossible_mtu_is_dropped(void **state)
{
	static const uint32_t told[] = { 1, 20, 67, 138, 139, 1500, 65535 };
	struct fixture *fx = fx_open(MODULES);
	int s = connected(fx);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
		fx_send(fx, s, (char[110]){ 0 }, 110);		/* 138 bytes */
		rx_icmp_error(3, 4, told[i], expect_ip(), 8);
		expect_drop("icmp", "mtu");
	}
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU), 1500);
	fx_close(fx);
}

static void without_icmp_the_host_is_silent(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 udp");

	(void)state;
	rx_udp(.dport = 9, .text = "x");
	rx_icmp(.type = 8, .text = "x");
	expect_drop("kernel", "no_transport");
	expect_silence(1000);
	fx_close(fx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_echo_of_any_size_is_answered),
		cmocka_unit_test(a_thousand_echoes_are_answered_without_an_allocation),
		cmocka_unit_test(the_reply_comes_from_the_address_that_was_asked),
		cmocka_unit_test(code_and_type_of_service_are_the_requests_but_for_ecn),
		cmocka_unit_test(without_a_way_back_a_request_is_dropped),
		cmocka_unit_test(each_message_that_is_not_taken_has_one_reason),
		cmocka_unit_test(a_timestamp_is_answered_when_it_is_wanted),
		cmocka_unit_test(a_closed_port_is_unreachable),
		cmocka_unit_test(an_error_is_at_most_576_bytes),
		cmocka_unit_test(an_errors_type_of_service_has_the_packets_low_bits),
		cmocka_unit_test(an_error_is_never_about_these),
		cmocka_unit_test(errors_are_limited_for_each_destination),
		cmocka_unit_test(errors_are_limited_in_all_and_at_random),
		cmocka_unit_test(what_stays_on_the_host_is_not_limited),
		cmocka_unit_test(a_shortage_withholds_an_error_and_nothing_more),
		cmocka_unit_test(each_error_reaches_the_socket_as_on_linux),
		cmocka_unit_test(a_quote_is_read_within_its_bounds),
		cmocka_unit_test(a_faulty_quote_has_one_reason),
		cmocka_unit_test(an_error_to_many_is_dropped),
		cmocka_unit_test(an_impossible_mtu_is_dropped),
		cmocka_unit_test(without_icmp_the_host_is_silent),
	};

	return fx_main(tests);
}
