/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams that come in: each malformed or misdirected one has one reason to be dropped.
 * Attacks, rows 8 to 18. */
#include "fixture.h"

#define MODULES .modules = "ethernet arp ipv4 icmp udp"
#define OTHER_HOST IP4(192, 0, 2, 77)

static const uint8_t echo[8] = { 8, 0, 0xf7, 0xff - 1, 0, 0, 0, 1 };

/* An echo request, with whatever is wrong with its header. */
#define rx_echo(...) \
	fx_rx_ip(fx, &(const struct fx_ip){ .proto = FX_IP_ICMP, ##__VA_ARGS__ }, echo, sizeof(echo))

/* An echo request whose addresses may be zero. */
static void rx_from_to(struct fixture *fx, uint32_t src, uint32_t dst, const uint8_t *to_mac)
{
	uint8_t frame[64], *p = frame + 14;
	size_t length;

	fx_build_eth(frame, to_mac != NULL ? to_mac : STACK_MAC, PEER_MAC, FX_ETH_IP);
	length = fx_build_ip(p, &(const struct fx_ip){ .proto = FX_IP_ICMP }, 1, echo, sizeof(echo));
	strata_put_be32(p + 12, src);
	strata_put_be32(p + 16, dst);
	strata_put_be16(p + 10, 0);
	strata_put_be16(p + 10, fx_sum_finish(fx_sum(0, p, 20)));
	rx_frame(frame, 14 + length);
}

struct fault {
	struct fx_ip ip;
	const char *reason;
};

/* Attacks, rows 8 and 9. */
static void each_malformed_header_has_one_reason(void **state)
{
	static const struct fault faults[] = {
		{ { .version = 6 }, "version" },
		{ { .version = 15 }, "version" },
		{ { .ihl = 4 }, "header_length" },
		{ { .ihl = 1 }, "header_length" },
		{ { .ihl = 16 }, "header_length" },
		{ { .ihl = 15 }, "header_length" },
		{ { .total_length = -1 }, "total_length" },
		{ { .total_length = 19 }, "total_length" },
		{ { .total_length = 29 }, "total_length_beyond" },
		{ { .total_length = 65535 }, "total_length_beyond" },
		{ { .cut = 1 }, "total_length_beyond" },
		{ { .bad_checksum = true }, "checksum" },
	};
	struct fixture *fx = fx_open(MODULES);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct fx_ip ip = faults[i].ip;
		ip.proto = FX_IP_ICMP;
		fx_rx_ip(fx, &ip, echo, sizeof(echo));
		expect_drop("ipv4", faults[i].reason);
	}
	expect_silence(0);
	fx_close(fx);
}

static void a_datagram_cut_within_its_header_is_truncated(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	size_t left;

	(void)state;
	for (left = 1; left < 20; left++) {
		rx_echo(.cut = 28 - left);
		expect_drop("ipv4", "truncated");
	}
	fx_close(fx);
}

static void the_links_padding_is_cut_off(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_icmp(.type = 8, .id = 1, .seq = 2, .text = "abc", .ip.pad = 15);
	expect_icmp(.type = 0, .id = 1, .seq = 2, .text = "abc");
	fx_close(fx);
}

struct martian {
	uint32_t src, dst;
	const char *reason;
};

/* Attacks, row 17; RFC 1122 3.2.1.3. */
static void each_impossible_address_has_one_reason(void **state)
{
	static const struct martian martians[] = {
		{ STACK_IP, STACK_IP, "source_ours" },			/* LAND */
		{ IP4(127, 0, 0, 1), STACK_IP, "source_loopback" },
		{ IP4(127, 0, 0, 1), IP4(127, 0, 0, 1), "source_loopback" },
		{ PEER_IP, IP4(127, 0, 0, 1), "destination_loopback" },
		{ PEER_IP, IP4(127, 255, 255, 254), "destination_loopback" },
		{ IP4(224, 0, 0, 1), STACK_IP, "source_multicast" },
		{ IP4(239, 255, 255, 255), STACK_IP, "source_multicast" },
		{ IP4(255, 255, 255, 255), STACK_IP, "source_broadcast" },
		{ IP4(192, 0, 2, 255), STACK_IP, "source_broadcast" },
		{ IP4(240, 0, 0, 1), STACK_IP, "source_reserved" },
		{ 0, STACK_IP, "source_zero" },
		{ IP4(0, 1, 2, 3), STACK_IP, "source_zero" },
		{ PEER_IP, 0, "destination_zero" },
		{ PEER_IP, IP4(0, 0, 0, 1), "destination_zero" },
		{ PEER_IP, OTHER_HOST, "not_local" },
		{ PEER_IP, IP4(240, 0, 0, 1), "not_local" },
		{ PEER_IP, IP4(198, 51, 100, 255), "not_local" },
		{ PEER_IP, IP4(224, 0, 0, 9), "multicast_not_joined" },
	};
	struct fixture *fx = fx_open(MODULES);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(martians) / sizeof(martians[0]); i++) {
		rx_from_to(fx, martians[i].src, martians[i].dst, NULL);
		expect_drop("ipv4", martians[i].reason);
	}
	expect_silence(0);
	fx_close(fx);
}

static void a_host_without_an_address_may_speak_to_all(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_from_to(fx, 0, IP4(255, 255, 255, 255), BROADCAST_MAC);
	expect_drop("icmp", "echo_to_many");
	fx_close(fx);
}

static void one_hosts_datagram_in_a_broadcast_frame_is_dropped(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_from_to(fx, PEER_IP, STACK_IP, BROADCAST_MAC);
	expect_drop("ipv4", "link_broadcast");
	fx_close(fx);
}

/* What is remembered of a pair of addresses that often talk. */
static void whose_datagrams_were_taken_is_asked_again_when_anything_changes(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	struct strata_prefix ours, peers = { .bits = 24 };
	unsigned int i;

	(void)state;
	ours = strata_ifaddr_first(fx->iface)->prefix;
	for (i = 0; i < 3; i++) {
		rx_icmp(.type = 8, .id = 1, .seq = (uint16_t)i, .text = "abc");
		expect_icmp(.type = 0, .id = 1, .seq = (uint16_t)i, .text = "abc");
	}
	/* The same pair in a frame to all hosts is still none of ours. */
	rx_from_to(fx, PEER_IP, STACK_IP, BROADCAST_MAC);
	expect_drop("ipv4", "link_broadcast");
	/* The destination goes, and comes back. */
	assert_int_equal(strata_ifaddr_remove(fx->iface, &ours.addr), 0);
	rx_from_to(fx, PEER_IP, STACK_IP, NULL);
	expect_drop("ipv4", "not_local");
	assert_int_equal(strata_ifaddr_add(fx->iface, &ours), 0);
	strata_ifaddr_set_state(strata_ifaddr_first(fx->iface), STRATA_IFADDR_VALID);
	fx_discard(fx);
	rx_from_to(fx, PEER_IP, STACK_IP, NULL);
	assert_int_equal(fx_drops(fx, "ipv4", "not_local"), 1);
	/* The source becomes ours. */
	peers.addr = strata_addr_make(ours.addr.family, (const uint8_t[]){ 192, 0, 2, PEER_IP & 0xff }, 4);
	assert_int_equal(strata_ifaddr_add(fx->iface, &peers), 0);
	strata_ifaddr_set_state(strata_ifaddr_find(fx->stack, &peers.addr), STRATA_IFADDR_VALID);
	rx_from_to(fx, PEER_IP, STACK_IP, NULL);
	expect_drop("ipv4", "source_ours");
	fx_discard(fx);
	fx_close(fx);
}

/* RFC 1122 3.2.1.7: not dropped for a TTL that would not do for forwarding. */
static void the_ttl_does_not_matter_to_what_has_arrived(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_icmp(.type = 8, .text = "x", .ip.ttl = 1);
	expect_icmp(.type = 0, .text = "x");
	rx_icmp(.type = 8, .text = "x", .ip.ttl = -1);
	assert_int_equal(expect_icmp(.type = 0, .text = "x")->ip.ttl, 64);
	fx_close(fx);
}

/* Attacks, row 18: Smurf and fraggle. */
static void what_is_sent_to_many_is_answered_with_silence(void **state)
{
	static const uint32_t many[] = {
		IP4(255, 255, 255, 255), IP4(192, 0, 2, 255), IP4(224, 0, 0, 1),
	};
	struct fixture *fx = fx_open(MODULES);
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		rx_icmp(.type = 8, .text = "smurf", .ip = { .dst = many[i], .to_mac = BROADCAST_MAC });
		expect_drop("icmp", "echo_to_many");
		rx_udp(.dport = 7, .text = "fraggle",
		       .ip = { .dst = many[i], .to_mac = BROADCAST_MAC });
		rx_ip(253, "x", 1, .dst = many[i], .to_mac = BROADCAST_MAC);
		expect_drop("kernel", "no_transport");
	}
	expect_silence(1000);
	fx_close(fx);
}

/* ---- options ---- */

struct option_case {
	const char *bytes;
	size_t length;
	const char *reason;		/* NULL: taken */
};
#define BYTES(s) s, sizeof(s) - 1

/* Attacks, rows 10 and 11. */
static void each_malformed_option_is_dropped_and_told(void **state)
{
	static const struct option_case cases[] = {
		{ BYTES("\x83\x00\x04\x00"), "option" },
		{ BYTES("\x83\x01\x04\x00"), "option" },
		{ BYTES("\x83\x02\x04\x00"), "option" },
		{ BYTES("\x83\xff\x04\x00"), "option" },
		{ BYTES("\x89\x00\x04\x00"), "option" },
		{ BYTES("\x89\xff\x04\x00"), "option" },
		{ BYTES("\x83\x04\x04\x00"), "option" },
		{ BYTES("\x83\x07\x00\xc0\x00\x02\x05\x00"), "option" },
		{ BYTES("\x83\x07\x03\xc0\x00\x02\x05\x00"), "option" },
		{ BYTES("\x83\x07\x08\xc0\x00\x02\x05\x83\x07\x08\xc0\x00\x02\x05\x00\x00"), "option" },
		{ BYTES("\x83\x07\x08\xc0\x00\x02\x05\x89\x07\x08\xc0\x00\x02\x05\x00\x00"), "option" },
		{ BYTES("\x07\x00\x04\x00"), "option" },
		{ BYTES("\x07\x02\x04\x00"), "option" },
		{ BYTES("\x07\x07\x03\x00\x00\x00\x00\x00"), "option" },
		{ BYTES("\x07\x09\x04\x00\x00\x00\x00\x00"), "option" },
		{ BYTES("\x44\x03\x05\x00"), "option" },
		{ BYTES("\x44\x04\x04\x00"), "option" },
		{ BYTES("\x55\x00\x00\x00"), "option" },
		{ BYTES("\x55\x01\x00\x00"), "option" },
		{ BYTES("\x55\x05\x00\x00"), "option" },
		{ BYTES("\x01\x01\x01\x55"), "option" },
		{ BYTES("\x83\x03\x04\x00"), "source_route" },
		{ BYTES("\x83\x03\xff\x00"), "option" },
		{ BYTES("\x83\x07\x04\xc0\x00\x02\x05\x00"), "source_route" },
		{ BYTES("\x83\x07\x08\xc0\x00\x02\x05\x00"), "source_route" },
		{ BYTES("\x89\x07\xfc\xc0\x00\x02\x05\x00"), "source_route" },
		{ BYTES("\x01\x01\x01\x00"), NULL },
		{ BYTES("\x00\x83\x00\x00"), NULL },
		{ BYTES("\x07\x07\x04\x00\x00\x00\x00\x00"), NULL },
		{ BYTES("\x07\x07\xff\x00\x00\x00\x00\x00"), NULL },
		{ BYTES("\x44\x08\x05\x00\x00\x00\x00\x00"), NULL },
		{ BYTES("\x55\x04\xff\xff"), NULL },
		{ BYTES("\x94\x04\x00\x00"), NULL },
	};
	struct fixture *fx = fx_open(MODULES, .options = "icmp.error_destination_rate=1000000 "
							 "icmp.error_burst=1000000");
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct option_case *c = &cases[i];
		rx_icmp(.type = 8, .id = 1, .text = "x",
			.ip = { .options = (const uint8_t *)c->bytes, .options_len = c->length });
		if (c->reason == NULL) {
			expect_icmp(.type = 0, .id = 1, .text = "x");
			continue;
		}
		expect_drop("ipv4", c->reason);
		if (strcmp(c->reason, "option") == 0) {
			const struct fx_pkt *pkt = expect_icmp(.type = 12, .any_data = true, .len = FX_AUTO);
			assert_in_range(pkt->icmp.rest >> 24, 20, 20 + c->length - 1);
			assert_int_equal(pkt->payload_len, 20 + c->length + 9);
		}
		expect_silence(0);
	}
	fx_close(fx);
}

/* Attacks, row 13: no packet goes to a third host. */
static void a_source_route_to_a_third_host_is_not_followed(void **state)
{
	static const uint8_t route[] = "\x83\x0b\x04\xc6\x33\x64\x01\xcb\x00\x71\x01";
	struct fixture *fx = fx_open(MODULES, .options = "ipv4.accept_source_route=true");

	(void)state;
	rx_icmp(.type = 8, .text = "x", .ip = { .options = route, .options_len = 11 });
	expect_drop("ipv4", "source_route_unfinished");
	expect_silence(5000);
	fx_close(fx);
}

static void the_end_of_a_source_route_replies_by_route(void **state)
{
	static const uint8_t route[] = "\x83\x0b\x0c\xc6\x33\x64\x01\xcb\x00\x71\x01";
	struct fixture *fx = fx_open(MODULES, .options = "ipv4.accept_source_route=true");

	(void)state;
	rx_icmp(.type = 8, .text = "x", .ip = { .options = route, .options_len = 11 });
	const struct fx_pkt *pkt = expect_icmp(.type = 0, .text = "x", .ip.dst = PEER_IP);
	assert_int_equal(pkt->ip.options_len, 0);
	expect_silence(1000);
	fx_close(fx);
}

/* Attacks, row 12: the longest headers. */
static void the_longest_header_is_quoted_whole(void **state)
{
	static const uint8_t options[40] = { 1, 1, 1, 1 };
	uint8_t tcp[60] = { 0x12, 0x34, 0, 80, [12] = 0xf0, [13] = 2 };
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_ip(FX_IP_TCP, tcp, sizeof(tcp), .options = options, .options_len = 40);
	const struct fx_pkt *pkt = expect_icmp(.type = 3, .code = 2, .any_data = true, .len = FX_AUTO);
	assert_int_equal(pkt->payload_len, 120);
	assert_memory_equal(pkt->payload + 60, tcp, 60);
	expect_drop("kernel", "no_transport");
	fx_close(fx);
}

/* Attacks, rows 15 and 16: tunnels that nobody configured are not looked into. */
static void nested_headers_are_not_entered(void **state)
{
	static const unsigned int depths[] = { 1, 2, 40 };
	uint8_t nest[41 * 20 + 8];
	struct fixture *fx = fx_open(MODULES);
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		unsigned int depth = depths[i], d;
		size_t length = sizeof(echo);
		memcpy(nest + depth * 20, echo, sizeof(echo));
		for (d = depth; d-- > 0; length += 20)
			fx_build_ip(nest + d * 20,
				    &(const struct fx_ip){ .proto = d + 1 == depth ? 1 : 4,
							   .src = IP4(203, 0, 113, 9) },
				    1, nest + (d + 1) * 20, length);
		rx_ip(4, nest, length);
		expect_icmp(.type = 3, .code = 2, .any_data = true, .len = FX_AUTO, .ip.dst = PEER_IP);
		expect_drop("kernel", "no_transport");
		expect_silence(0);
	}
	fx_close(fx);
}

/* Attacks, row 7: only received bytes are quoted. */
static void a_protocol_that_is_not_there_is_told_as_unreachable(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	rx_ip(253, "twelve bytes", 12, .pad = 6);
	const struct fx_pkt *pkt = expect_icmp(.type = 3, .code = 2, .rest = 0, .any_data = true, .len = FX_AUTO,
					       .ip.src = STACK_IP, .ip.dst = PEER_IP);
	assert_int_equal(pkt->payload_len, 32);
	assert_memory_equal(pkt->payload + 20, "twelve bytes", 12);
	expect_drop("kernel", "no_transport");
	fx_close(fx);
}

/* ---- groups ---- */

static void the_all_hosts_group_is_joined_wherever_it_can_be(void **state)
{
	struct fixture *fx = fx_open(MODULES, .options = "icmp.echo_broadcast=true");

	(void)state;
	rx_icmp(.type = 8, .id = 3, .text = "all",
		.ip = { .dst = IP4(224, 0, 0, 1), .to_mac = (const uint8_t *)"\1\0\x5e\0\0\1" });
	expect_icmp(.type = 0, .id = 3, .text = "all", .ip.src = STACK_IP, .ip.dst = PEER_IP);
	strata_iface_set_running(fx->iface, false);
	strata_iface_set_running(fx->iface, true);
	rx_icmp(.type = 8, .id = 4, .text = "again",
		.ip = { .dst = IP4(224, 0, 0, 1), .to_mac = (const uint8_t *)"\1\0\x5e\0\0\1" });
	expect_icmp(.type = 0, .id = 4, .text = "again");
	fx_close(fx);
}

static void the_module_refuses_another_number(void **state)
{
	struct fixture *fx = fx_open(.may_fail = true, .manifest =
		"strata: 1\nmodules:\n  - name: wire\n  - name: ipv4\n    number: 0x88b5\n"
		"interfaces:\n  - name: w0\n    driver: wire\n    options:\n      medium: ip\n");

	(void)state;
	assert_null(fx->stack);
	assert_non_null(strstr(strata_error_text(&fx->error),
			       "ipv4: number: expected 0x0800, found 0x88b5"));
	fx_close(fx);
}

static void the_module_starts_or_leaves_nothing_when_memory_is_short(void **state)
{
	uint64_t k;

	(void)state;
	for (k = 1; ; k++) {
		struct fixture *fx = fx_open(MODULES, .fail_at = k, .may_fail = true,
					     .unsettled = true, .resolve = true);
		bool made = fx->stack != NULL && fx->allocs < k;
		fx_close(fx);
		if (made)
			break;
	}
	assert_true(k > 50);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_malformed_header_has_one_reason),
		cmocka_unit_test(a_datagram_cut_within_its_header_is_truncated),
		cmocka_unit_test(the_links_padding_is_cut_off),
		cmocka_unit_test(each_impossible_address_has_one_reason),
		cmocka_unit_test(a_host_without_an_address_may_speak_to_all),
		cmocka_unit_test(one_hosts_datagram_in_a_broadcast_frame_is_dropped),
		cmocka_unit_test(whose_datagrams_were_taken_is_asked_again_when_anything_changes),
		cmocka_unit_test(the_ttl_does_not_matter_to_what_has_arrived),
		cmocka_unit_test(what_is_sent_to_many_is_answered_with_silence),
		cmocka_unit_test(each_malformed_option_is_dropped_and_told),
		cmocka_unit_test(a_source_route_to_a_third_host_is_not_followed),
		cmocka_unit_test(the_end_of_a_source_route_replies_by_route),
		cmocka_unit_test(the_longest_header_is_quoted_whole),
		cmocka_unit_test(nested_headers_are_not_entered),
		cmocka_unit_test(a_protocol_that_is_not_there_is_told_as_unreachable),
		cmocka_unit_test(the_all_hosts_group_is_joined_wherever_it_can_be),
		cmocka_unit_test(the_module_refuses_another_number),
		cmocka_unit_test(the_module_starts_or_leaves_nothing_when_memory_is_short),
	};

	return fx_main(tests);
}
