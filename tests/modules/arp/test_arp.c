/* SPDX-License-Identifier: BSD-2-Clause */
/* The arp module: answering, learning and resolving. Claims on own addresses are in
 * test_claim.c. */
#include "fixture.h"

#define OTHER_MAC ((const uint8_t *)"\x02\x00\x00\x00\x00\x77")
#define NULL_MAC ((const uint8_t *)"\0\0\0\0\0\0")
#define NEIGHBOUR IP4(192, 0, 2, 7)

#define MODULES .modules = "ethernet arp ipv4 icmp udp"
#define open_arp() fx_open(MODULES, .resolve = true, .options = "arp.announce=false")

static struct strata_neigh *neighbour(struct fixture *fx, uint32_t ip)
{
	uint8_t bytes[4];
	struct strata_addr addr;

	strata_put_be32(bytes, ip);
	addr = strata_addr_make(FX_ETH_IP, bytes, 4);
	return strata_neigh_find(fx->iface, &addr);
}

static void expect_neighbour(struct fixture *fx, uint32_t ip, enum strata_neigh_state state,
			     const uint8_t *mac)
{
	const struct strata_neigh *neigh = neighbour(fx, ip);

	assert_non_null(neigh);
	assert_string_equal(strata_neigh_state_name(neigh->state), strata_neigh_state_name(state));
	if (mac != NULL)
		assert_memory_equal(neigh->lladdr.bytes, mac, 6);
}

/* Makes NEIGHBOUR reachable at PEER_MAC: it is asked for and answers. */
static void make_reachable(struct fixture *fx, int s)
{
	assert_int_equal(fx_sendto(fx, s, "x", 1, NEIGHBOUR, 9), 1);
	expect_arp(1, .spa = STACK_IP, .tpa = NEIGHBOUR);
	rx_arp(2, .spa = NEIGHBOUR);
	expect_udp(.dport = 9, .text = "x");
	expect_neighbour(fx, NEIGHBOUR, STRATA_NEIGH_REACHABLE, PEER_MAC);
}

/* ---- answering ---- */

static void a_request_for_our_address_is_answered_by_unicast_and_its_sender_learnt(void **state)
{
	struct fixture *fx = open_arp();

	(void)state;
	rx_arp(1);
	const struct fx_pkt *pkt = expect_arp(2, .to_mac = PEER_MAC, .sha = STACK_MAC,
					      .tha = PEER_MAC, .spa = STACK_IP, .tpa = PEER_IP);
	assert_memory_equal(pkt->eth_src, STACK_MAC, 6);
	expect_neighbour(fx, PEER_IP, STRATA_NEIGH_STALE, PEER_MAC);
	expect_no_drop();
	fx_close(fx);
}

static void a_reply_needs_no_padding_and_minds_none(void **state)
{
	struct fixture *fx = open_arp();

	(void)state;
	rx_arp(1, .pad = 18);
	assert_int_equal(expect_arp(2)->length, 42);
	fx_close(fx);
}

static void a_probe_for_our_address_is_answered_and_nobody_learnt(void **state)
{
	struct fixture *fx = open_arp();

	(void)state;
	rx_arp(1, .spa = 0);
	expect_arp(2, .to_mac = PEER_MAC, .spa = STACK_IP, .tpa = 0);
	assert_null(neighbour(fx, 0));
	fx_close(fx);
}

static void a_request_for_another_host_teaches_nothing_new(void **state)
{
	struct fixture *fx = open_arp();

	(void)state;
	rx_arp(1, .tpa = IP4(192, 0, 2, 99));
	expect_drop("arp", "not_for_us");
	assert_null(neighbour(fx, PEER_IP));
	expect_silence(0);
	fx_close(fx);
}

static void a_request_from_another_network_is_answered_and_not_learnt(void **state)
{
	struct fixture *fx = open_arp();

	(void)state;
	rx_arp(1, .spa = IP4(198, 51, 100, 1));
	expect_arp(2, .spa = STACK_IP, .tpa = IP4(198, 51, 100, 1));
	assert_null(neighbour(fx, IP4(198, 51, 100, 1)));
	fx_close(fx);
}

static void arp_works_without_ipv4(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp", .address = "192.0.2.2/24",
				     .resolve = true, .options = "arp.announce=false");

	(void)state;
	rx_arp(1);
	expect_arp(2, .spa = STACK_IP);
	expect_neighbour(fx, PEER_IP, STRATA_NEIGH_STALE, PEER_MAC);
	rx_icmp(.type = 8, .text = "nobody answers");
	expect_drop("kernel", "no_network");
	fx_close(fx);
}

/* ---- malformed: attacks, row 38 ---- */

struct fault {
	struct fx_arp arp;
	const char *reason;
};

static void each_malformed_packet_has_one_reason(void **state)
{
	static const struct fault faults[] = {
		{ { .op = 1, .htype = 6 }, "hardware_type" },
		{ { .op = 1, .ptype = 0x86dd }, "protocol_type" },
		{ { .op = 1, .hlen = 1 }, "address_length" },
		{ { .op = 1, .hlen = 255 }, "address_length" },
		{ { .op = 1, .plen = 1 }, "address_length" },
		{ { .op = 1, .plen = 16 }, "address_length" },
		{ { .op = 1, .plen = 255 }, "address_length" },
		{ { .op = 3 }, "operation" },
		{ { .op = 0xffff }, "operation" },
		{ { .op = 1, .sha = BROADCAST_MAC, .from_mac = PEER_MAC }, "sender_hardware" },
		{ { .op = 1, .sha = NULL_MAC, .from_mac = PEER_MAC }, "sender_hardware" },
		{ { .op = 1, .sha = STACK_MAC, .from_mac = PEER_MAC }, "own" },
		{ { .op = 2, .spa = 0 }, "sender_protocol" },
		{ { .op = 1, .spa = IP4(224, 0, 0, 1) }, "sender_protocol" },
		{ { .op = 1, .spa = IP4(127, 0, 0, 1) }, "sender_protocol" },
		{ { .op = 1, .spa = IP4(255, 255, 255, 255) }, "sender_protocol" },
		{ { .op = 1, .spa = IP4(192, 0, 2, 255) }, "sender_protocol" },
		{ { .op = 1, .spa = IP4(0, 0, 0, 9) }, "sender_protocol" },
	};
	struct fixture *fx = open_arp();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct fx_arp arp = faults[i].arp;
		if (arp.spa == 0 && arp.op != 2)
			arp.spa = FX_AUTO;
		arp.tpa = FX_AUTO;
		fx_rx_arp(fx, &arp);
		expect_drop("arp", faults[i].reason);
	}
	expect_silence(0);
	fx_close(fx);
}

static void zero_address_lengths_are_dropped(void **state)
{
	static uint8_t frame[42];
	struct fixture *fx = open_arp();
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_ARP);
		memcpy(frame + 14, "\x00\x01\x08\x00\x06\x04\x00\x01", 8);
		frame[18 + i] = 0;
		rx_frame(frame, sizeof(frame));
		expect_drop("arp", "address_length");
	}
	fx_close(fx);
}

static void frames_of_14_to_41_bytes_are_truncated(void **state)
{
	struct fixture *fx = open_arp();
	size_t cut;

	(void)state;
	for (cut = 1; cut <= 28; cut++) {
		rx_arp(1, .cut = cut);
		expect_drop("arp", "truncated");
	}
	fx_close(fx);
}

/* ---- learning ---- */

static void an_unasked_reply_makes_no_entry(void **state)
{
	struct fixture *fx = open_arp();

	(void)state;
	rx_arp(2, .spa = NEIGHBOUR);
	expect_drop("arp", "unsolicited");
	assert_null(neighbour(fx, NEIGHBOUR));
	fx_close(fx);
}

/* Attacks, row 38: unsolicited, overriding. */
static void an_unasked_word_does_not_move_a_reachable_neighbour(void **state)
{
	struct fixture *fx = open_arp();
	int s = fx_socket(fx, SOCK_DGRAM, 0), i;

	(void)state;
	make_reachable(fx, s);
	for (i = 0; i < 5; i++) {
		rx_arp(2, .spa = NEIGHBOUR, .sha = OTHER_MAC);
		rx_arp(1, .spa = NEIGHBOUR, .tpa = NEIGHBOUR, .sha = OTHER_MAC);
		rx_arp(1, .spa = NEIGHBOUR, .sha = OTHER_MAC);
		expect_arp(2, .to_mac = OTHER_MAC);
		expect_neighbour(fx, NEIGHBOUR, STRATA_NEIGH_STALE, PEER_MAC);
	}
	assert_int_equal(fx_counter(fx, "arp", "contradicted"), 15);
	/* It is asked again, where it was. */
	fx_sendto(fx, s, "y", 1, NEIGHBOUR, 9);
	assert_memory_equal(expect_udp(.text = "y")->eth_dst, PEER_MAC, 6);
	fx_advance(fx, 5000);
	expect_arp(1, .to_mac = PEER_MAC, .tpa = NEIGHBOUR);
	rx_arp(2, .spa = NEIGHBOUR);
	expect_neighbour(fx, NEIGHBOUR, STRATA_NEIGH_REACHABLE, PEER_MAC);
	fx_close(fx);
}

static void a_neighbour_that_moved_is_found_again(void **state)
{
	struct fixture *fx = open_arp();
	int s = fx_socket(fx, SOCK_DGRAM, 0), i;

	(void)state;
	make_reachable(fx, s);
	rx_arp(1, .spa = NEIGHBOUR, .tpa = NEIGHBOUR, .sha = OTHER_MAC);
	fx_sendto(fx, s, "y", 1, NEIGHBOUR, 9);
	expect_udp(.text = "y");
	for (i = 0; i < 3; i++)
		expect_arp(1, .to_mac = PEER_MAC, .tpa = NEIGHBOUR, .within = 6000);
	fx_advance(fx, 3000);
	fx_sendto(fx, s, "z", 1, NEIGHBOUR, 9);
	expect_arp(1, .to_mac = BROADCAST_MAC, .tpa = NEIGHBOUR);
	rx_arp(2, .spa = NEIGHBOUR, .sha = OTHER_MAC);
	assert_memory_equal(expect_udp(.text = "z")->eth_dst, OTHER_MAC, 6);
	fx_close(fx);
}

static void with_unsolicited_accept_it_is_replaced_at_once(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true,
				     .options = "arp.announce=false arp.unsolicited=accept");
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	make_reachable(fx, s);
	rx_arp(1, .spa = NEIGHBOUR, .tpa = NEIGHBOUR, .sha = OTHER_MAC);
	expect_neighbour(fx, NEIGHBOUR, STRATA_NEIGH_STALE, OTHER_MAC);
	fx_close(fx);
}

static void a_neighbour_never_confirmed_follows_the_last_word(void **state)
{
	struct fixture *fx = open_arp();

	(void)state;
	rx_arp(1);
	expect_arp(2);
	rx_arp(1, .sha = OTHER_MAC);
	expect_arp(2, .to_mac = OTHER_MAC);
	expect_neighbour(fx, PEER_IP, STRATA_NEIGH_STALE, OTHER_MAC);
	fx_close(fx);
}

/* ---- resolving ---- */

static void a_neighbour_is_asked_for_by_broadcast_three_times_a_second_apart(void **state)
{
	struct fixture *fx = open_arp();
	int s = fx_socket(fx, SOCK_DGRAM, 0), i;

	(void)state;
	fx_sendto(fx, s, "x", 1, NEIGHBOUR, 9);
	for (i = 0; i < 3; i++)
		expect_arp(1, .to_mac = BROADCAST_MAC, .sha = STACK_MAC, .tha = NULL_MAC,
			   .spa = STACK_IP, .tpa = NEIGHBOUR, .within = 1001, .at = i * 1000);
	expect_silence(3000);
	assert_int_equal(fx_drops(fx, "kernel", "neigh_failed"), 1);
	fx_close(fx);
}

static void what_waits_is_sent_when_the_answer_comes(void **state)
{
	struct fixture *fx = open_arp();
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	fx_sendto(fx, s, "one", 3, NEIGHBOUR, 9);
	fx_sendto(fx, s, "two", 3, NEIGHBOUR, 9);
	expect_arp(1, .tpa = NEIGHBOUR);
	expect_silence(500);
	rx_arp(2, .spa = NEIGHBOUR, .sha = OTHER_MAC);
	assert_memory_equal(expect_udp(.text = "one")->eth_dst, OTHER_MAC, 6);
	expect_udp(.text = "two");
	expect_neighbour(fx, NEIGHBOUR, STRATA_NEIGH_REACHABLE, OTHER_MAC);
	fx_close(fx);
}

static void the_source_of_a_request_is_of_the_neighbours_network(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .options = "arp.announce=false",
				     .address = "192.0.2.2/24, 198.51.100.2/24");
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	fx_sendto(fx, s, "x", 1, IP4(198, 51, 100, 9), 9);
	expect_arp(1, .spa = IP4(198, 51, 100, 2), .tpa = IP4(198, 51, 100, 9));
	fx_sendto(fx, s, "x", 1, IP4(192, 0, 2, 9), 9);
	expect_arp(1, .spa = STACK_IP, .tpa = IP4(192, 0, 2, 9));
	fx_close(fx);
}

/* ---- entries by hand ---- */

#define STATIC_MANIFEST(entry) \
	"strata: 1\nmodules:\n  - name: wire\n  - name: ethernet\n  - name: ipv4\n  - name: udp\n" \
	"  - name: arp\n    options:\n      announce: false\n      static: [" entry "]\n" \
	"interfaces:\n  - name: w0\n    driver: wire\n    mac: 02:00:00:00:00:02\n" \
	"    addresses: [192.0.2.2/24]\n"

static void a_static_entry_is_never_asked_for_nor_replaced(void **state)
{
	struct fixture *fx = fx_open(.resolve = true,
		.manifest = STATIC_MANIFEST("\"192.0.2.7 02:00:00:00:00:77\""));
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	fx_sendto(fx, s, "x", 1, NEIGHBOUR, 9);
	assert_memory_equal(expect_udp(.text = "x")->eth_dst, OTHER_MAC, 6);
	rx_arp(1, .spa = NEIGHBOUR);
	expect_arp(2);
	expect_neighbour(fx, NEIGHBOUR, STRATA_NEIGH_PERMANENT, OTHER_MAC);
	fx_close(fx);
}

static void a_faulty_static_entry_is_told(void **state)
{
	static const char *const manifests[] = {
		STATIC_MANIFEST("\"192.0.2.7\""),
		STATIC_MANIFEST("\"192.0.2.300 02:00:00:00:00:77\""),
		STATIC_MANIFEST("\"192.0.02.3 02:00:00:00:00:77\""),
		STATIC_MANIFEST("\"224.0.0.1 02:00:00:00:00:77\""),
		STATIC_MANIFEST("\"192.0.2.7 02:00:00:00:00\""),
		STATIC_MANIFEST("\"192.0.2.7 02:00:00:00:00:77 x\""),
		STATIC_MANIFEST("\"192.0.2.7 03:00:00:00:00:77\""),
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(manifests) / sizeof(manifests[0]); i++) {
		struct fixture *fx = fx_open(.manifest = manifests[i], .may_fail = true);
		assert_null(fx->stack);
		assert_non_null(strstr(strata_error_text(&fx->error),
				       "arp: static: expected a host's IPv4 address"));
		fx_close(fx);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_for_our_address_is_answered_by_unicast_and_its_sender_learnt),
		cmocka_unit_test(a_reply_needs_no_padding_and_minds_none),
		cmocka_unit_test(a_probe_for_our_address_is_answered_and_nobody_learnt),
		cmocka_unit_test(a_request_for_another_host_teaches_nothing_new),
		cmocka_unit_test(a_request_from_another_network_is_answered_and_not_learnt),
		cmocka_unit_test(arp_works_without_ipv4),
		cmocka_unit_test(each_malformed_packet_has_one_reason),
		cmocka_unit_test(zero_address_lengths_are_dropped),
		cmocka_unit_test(frames_of_14_to_41_bytes_are_truncated),
		cmocka_unit_test(an_unasked_reply_makes_no_entry),
		cmocka_unit_test(an_unasked_word_does_not_move_a_reachable_neighbour),
		cmocka_unit_test(a_neighbour_that_moved_is_found_again),
		cmocka_unit_test(with_unsolicited_accept_it_is_replaced_at_once),
		cmocka_unit_test(a_neighbour_never_confirmed_follows_the_last_word),
		cmocka_unit_test(a_neighbour_is_asked_for_by_broadcast_three_times_a_second_apart),
		cmocka_unit_test(what_waits_is_sent_when_the_answer_comes),
		cmocka_unit_test(the_source_of_a_request_is_of_the_neighbours_network),
		cmocka_unit_test(a_static_entry_is_never_asked_for_nor_replaced),
		cmocka_unit_test(a_faulty_static_entry_is_told),
	};

	return fx_main(tests);
}
