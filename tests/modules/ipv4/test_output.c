/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams that go out: header, identification, fragmentation, path MTU, to many. */
#include <strata/network.h>
#include "fixture.h"

#define MODULES .modules = "ethernet arp ipv4 icmp udp"
#define GROUP IP4(239, 1, 2, 3)

static uint8_t data[65536];

static int udp_socket(struct fixture *fx, int discover)
{
	int s = fx_socket(fx, SOCK_DGRAM, IPPROTO_UDP);

	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, discover);
	return s;
}

static ssize_t send_to(struct fixture *fx, int s, size_t length, uint32_t ip)
{
	fx_pattern_fill(data, length, 0);
	return fx_sendto(fx, s, data, length, ip, 9);
}

/* ---- header ---- */

static void a_datagram_that_cannot_be_fragmented_has_no_identification(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = udp_socket(fx, IP_PMTUDISC_WANT), i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(send_to(fx, s, 100, PEER_IP), 100);
		const struct fx_pkt *pkt = expect_udp(.dport = 9, .len = 100);
		assert_true(pkt->ip.df);
		assert_int_equal(pkt->ip.id, 0);
		assert_int_equal(pkt->ip.ttl, 64);
		assert_int_equal(pkt->ip.tos, 0);
		assert_int_equal(pkt->ip.options_len, 0);
	}
	fx_close(fx);
}

static void the_default_ttl_is_an_option(void **state)
{
	struct fixture *fx = fx_open(MODULES, .options = "ipv4.ttl=7");
	struct strata_error error = { 0 };
	int s = udp_socket(fx, IP_PMTUDISC_WANT);

	(void)state;
	send_to(fx, s, 1, PEER_IP);
	assert_int_equal(expect_udp(.len = 1)->ip.ttl, 7);
	assert_int_equal(strata_option_set(fx->stack, "ipv4.ttl", "99", &error), 0);
	send_to(fx, s, 1, PEER_IP);
	assert_int_equal(expect_udp(.len = 1)->ip.ttl, 99);
	strata_error_clear(&error);
	fx_close(fx);
}

/* RFC 6864 4.3, and attacks, row 19: what one peer sees tells it nothing of what others are
 * sent. */
static void identifications_count_for_each_peer_from_an_unrelated_start(void **state)
{
	enum { PEERS = 32 };
	struct fixture *fx = fx_open(MODULES, .resolve = true, .answer_arp = true);
	int s = udp_socket(fx, IP_PMTUDISC_DONT);
	uint16_t first[PEERS], gaps[PEERS];
	unsigned int round, i, j, same = 0;

	(void)state;
	for (round = 0; round < 4; round++) {
		for (i = 0; i < PEERS; i++) {
			send_to(fx, s, 10, IP4(192, 0, 2, 10) + i);
			const struct fx_pkt *pkt = expect_udp(.len = 10, .within = 1);
			assert_false(pkt->ip.df);
			if (round == 0)
				first[i] = pkt->ip.id;
			assert_int_equal(pkt->ip.id, (uint16_t)(first[i] + round));
		}
	}
	for (i = 0; i < PEERS; i++)
		gaps[i] = (uint16_t)(first[(i + 1) % PEERS] - first[i]);
	for (i = 0; i < PEERS; i++)
		for (j = 0; j < i; j++)
			same += gaps[i] == gaps[j];
	assert_true(same <= 1);
	fx_close(fx);
}

static void identifications_of_many_peers_are_bounded(void **state)
{
	struct fixture *fx = fx_open(MODULES, .bare = true, .extra =
		"routes:\n  - to: 0.0.0.0/0\n    via: 192.0.2.1\n");
	int s = udp_socket(fx, IP_PMTUDISC_DONT);
	size_t before = 0;
	uint32_t i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		if (i == 3000)
			before = fx->bytes;
		send_to(fx, s, 1, IP4(198, 51, 100, 0) + i);
		fx_discard(fx);
	}
	assert_true(fx->bytes <= before);
	assert_int_equal(fx_counter(fx, "ipv4", "id_evicted"), 20000 - 1024);
	fx_close(fx);
}

/* ---- fragmentation ---- */

static void what_the_path_does_not_take_is_sent_in_fragments(void **state)
{
	static const unsigned int mtus[] = { 68, 69, 576, 1500, 9000 };
	size_t i, length;

	(void)state;
	for (i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		struct fixture *fx = fx_open(MODULES, .mtu = mtus[i]);
		int s = udp_socket(fx, IP_PMTUDISC_WANT);
		for (length = mtus[i] - 28; length < 30000; length = length * 2 + 7) {
			bool whole = length + 28 <= mtus[i];
			size_t most = (mtus[i] - 20) & ~7u, pieces = (length + 8 + most - 1) / most;
			assert_int_equal(send_to(fx, s, length, PEER_IP), (ssize_t)length);
			assert_int_equal(fx_waiting(fx), whole ? 1 : pieces);
			assert_int_equal(expect_udp(.len = (int64_t)length)->ip.df, whole);
		}
		fx_close(fx);
	}
}

static void fragments_are_full_but_the_last_and_share_an_identification(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = udp_socket(fx, IP_PMTUDISC_WANT);
	const struct fx_pkt *pkt;
	uint16_t id;
	unsigned int i;

	(void)state;
	send_to(fx, s, 4000, PEER_IP);
	id = 0;
	for (i = 0; i < 3; i++) {
		pkt = expect_ip();
		assert_false(pkt->ip.df);
		assert_int_equal(pkt->ip.offset, i * 1480);
		assert_int_equal(pkt->ip.mf, i < 2);
		assert_int_equal(pkt->ip.total_len, i < 2 ? 1500 : 20 + 4008 - 2960);
		if (i == 0)
			id = pkt->ip.id;
		assert_int_equal(pkt->ip.id, id);
	}
	assert_int_equal(fx_counter(fx, "ipv4", "frag_oks"), 1);
	assert_int_equal(fx_counter(fx, "ipv4", "frag_creates"), 3);
	fx_close(fx);
}

static void the_largest_datagram_is_65507_bytes(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = udp_socket(fx, IP_PMTUDISC_WANT);

	(void)state;
	assert_int_equal(send_to(fx, s, 65507, PEER_IP), 65507);
	expect_udp(.len = 65507);
	assert_int_equal(send_to(fx, s, 65508, PEER_IP), -EMSGSIZE);
	expect_silence(0);
	fx_close(fx);
}

static void what_must_not_be_fragmented_is_refused(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = udp_socket(fx, IP_PMTUDISC_DO);

	(void)state;
	assert_int_equal(send_to(fx, s, 1472, PEER_IP), 1472);
	assert_true(expect_udp(.len = 1472)->ip.df);
	assert_int_equal(send_to(fx, s, 1473, PEER_IP), -EMSGSIZE);
	expect_silence(0);
	fx_close(fx);
}

static void a_shortage_while_fragmenting_is_told_and_leaves_nothing(void **state)
{
	uint64_t k;

	(void)state;
	for (k = 1; k < 30; k++) {
		struct fixture *fx = fx_open(MODULES);
		int s = udp_socket(fx, IP_PMTUDISC_WANT);
		ssize_t result;
		fx_fail_at(fx, k, false);
		result = send_to(fx, s, 20000, PEER_IP);
		assert_true(result == 20000 || result == -ENOBUFS || result == -ENOMEM);
		fx_fail_at(fx, 0, false);
		fx_discard(fx);
		assert_int_equal(send_to(fx, s, 20000, PEER_IP), 20000);
		expect_udp(.len = 20000);
		fx_close(fx);
	}
}

/* ---- path MTU ---- */

/* Tells the stack that what it sends to the peer was too big. */
static void told_mtu(struct fixture *fx, int s, size_t length, uint32_t mtu)
{
	assert_int_equal(send_to(fx, s, length, PEER_IP), (ssize_t)length);
	fx_rx_icmp_error(fx, 3, 4, mtu, expect_ip(), 8);
	fx_discard(fx);
	/* As on Linux, a connected socket is told once. */
	fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR);
}

static int connected(struct fixture *fx)
{
	int s = udp_socket(fx, IP_PMTUDISC_WANT);

	assert_int_equal(fx_connect(fx, s, PEER_IP, 9), 0);
	return s;
}

/* Attacks, row 21. */
static void a_told_path_mtu_has_its_floor_and_never_rises(void **state)
{
	static const struct {
		uint32_t told;
		int then;
	} cases[] = {
		{ 1400, 1400 }, { 1500, 1400 }, { 9000, 1400 }, { 1300, 1300 }, { 20, 1300 },
		{ 67, 1300 }, { 551, 552 }, { 68, 552 }, { 552, 552 },
	};
	struct fixture *fx = fx_open(MODULES);
	int s = connected(fx);
	size_t i;

	(void)state;
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU), 1500);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		told_mtu(fx, s, (size_t)fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU) - 28, cases[i].told);
		assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU), cases[i].then);
	}
	/* What is larger is fragmented from now on, without asking. */
	send_to(fx, s, 1000, PEER_IP);
	assert_int_equal(expect_ip()->ip.total_len, 20 + ((552 - 20) & ~7));
	fx_discard(fx);
	fx_close(fx);
}

/* RFC 1191 5: a router that tells no MTU. */
static void a_path_under_the_floor_is_left_to_routers(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = connected(fx);

	(void)state;
	told_mtu(fx, s, 1000, 552);
	send_to(fx, s, 500, PEER_IP);
	assert_true(expect_udp(.len = 500)->ip.df);
	told_mtu(fx, s, 500, 300);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU), 552);
	send_to(fx, s, 500, PEER_IP);
	assert_false(expect_udp(.len = 500)->ip.df);
	/* Who forbids fragments has it so. */
	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	send_to(fx, s, 500, PEER_IP);
	assert_true(expect_udp(.len = 500)->ip.df);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT);
	fx_advance(fx, 600000);
	fx_discard(fx);
	send_to(fx, s, 500, PEER_IP);
	assert_true(expect_udp(.len = 500, .within = 10)->ip.df);
	fx_close(fx);
}

static void an_untold_mtu_is_the_next_plateau(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = connected(fx);

	(void)state;
	told_mtu(fx, s, 1472, 0);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU), 1492);
	told_mtu(fx, s, 1492 - 28, 0);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU), 1006);
	fx_close(fx);
}

static void a_path_mtu_is_forgotten_after_ten_minutes(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = connected(fx);

	(void)state;
	fx_advance(fx, 5000);
	told_mtu(fx, s, 1472, 1000);
	fx_advance(fx, 599999);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU), 1000);
	fx_advance(fx, 1);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU), 1500);
	assert_true(strata_next_timer(fx->stack) == STRATA_NEVER);
	send_to(fx, s, 1472, PEER_IP);
	expect_udp(.len = 1472);
	fx_close(fx);
}

static void path_mtus_are_bounded_and_the_oldest_goes(void **state)
{
	struct fixture *fx = fx_open(MODULES, .options = "ipv4.pmtu_entries=2", .bare = true);
	int s[3], i;

	(void)state;
	for (i = 0; i < 3; i++) {
		s[i] = udp_socket(fx, IP_PMTUDISC_WANT);
		assert_int_equal(fx_connect(fx, s[i], IP4(192, 0, 2, 10) + (uint32_t)i, 9), 0);
		fx_send(fx, s[i], data, 1472);
		rx_icmp_error(3, 4, 1000, expect_ip(), 8);
	}
	assert_int_equal(fx_getsockopt(fx, s[0], IPPROTO_IP, IP_MTU), 1500);
	assert_int_equal(fx_getsockopt(fx, s[1], IPPROTO_IP, IP_MTU), 1000);
	assert_int_equal(fx_getsockopt(fx, s[2], IPPROTO_IP, IP_MTU), 1000);
	assert_int_equal(fx_counter(fx, "ipv4", "pmtu_evicted"), 1);
	fx_close(fx);
}

static void a_probe_ignores_the_path_mtu(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = connected(fx);

	(void)state;
	told_mtu(fx, s, 1472, 1000);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
	send_to(fx, s, 1472, PEER_IP);
	assert_true(expect_udp(.len = 1472)->ip.df);
	assert_int_equal(send_to(fx, s, 1473, PEER_IP), -EMSGSIZE);
	fx_close(fx);
}

/* ---- to many ---- */

static void multicast_goes_one_hop_to_the_groups_link_address(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = udp_socket(fx, IP_PMTUDISC_WANT);

	(void)state;
	send_to(fx, s, 5, GROUP);
	const struct fx_pkt *pkt = expect_udp(.len = 5, .ip.dst = GROUP, .ip.src = STACK_IP);
	assert_int_equal(pkt->ip.ttl, 1);
	assert_memory_equal(pkt->eth_dst, "\x01\x00\x5e\x01\x02\x03", 6);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_MULTICAST_TTL, 9);
	send_to(fx, s, 5, GROUP);
	assert_int_equal(expect_udp(.len = 5)->ip.ttl, 9);
	fx_close(fx);
}

static void members_on_this_host_get_their_copy(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	struct ip_mreqn mreq = { .imr_multiaddr.s_addr = htonl(GROUP) };
	int s = udp_socket(fx, IP_PMTUDISC_WANT), member = udp_on(9);
	char buf[4096];

	(void)state;
	send_to(fx, s, 5, GROUP);
	expect_udp(.len = 5);
	assert_int_equal(fx_recv(fx, member, buf, sizeof(buf)), -EAGAIN);
	assert_int_equal(strata_setsockopt(fx->stack, member, IPPROTO_IP, IP_ADD_MEMBERSHIP, &mreq,
					   sizeof(mreq)), 0);
	send_to(fx, s, 5, GROUP);
	expect_udp(.len = 5);
	assert_int_equal(fx_recv(fx, member, buf, sizeof(buf)), 5);
	/* Fragments too. */
	send_to(fx, s, 4000, GROUP);
	expect_udp(.len = 4000);
	assert_int_equal(fx_recv(fx, member, buf, sizeof(buf)), 4000);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_MULTICAST_LOOP, 0);
	send_to(fx, s, 5, GROUP);
	expect_udp(.len = 5);
	assert_int_equal(fx_recv(fx, member, buf, sizeof(buf)), -EAGAIN);
	fx_close(fx);
}

static void broadcast_is_counted_and_sent_to_all(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = udp_socket(fx, IP_PMTUDISC_WANT);

	(void)state;
	assert_int_equal(send_to(fx, s, 5, IP4(255, 255, 255, 255)), -EACCES);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_BROADCAST, 1);
	send_to(fx, s, 5, IP4(255, 255, 255, 255));
	assert_memory_equal(expect_udp(.len = 5)->eth_dst, BROADCAST_MAC, 6);
	send_to(fx, s, 5, IP4(192, 0, 2, 255));
	assert_memory_equal(expect_udp(.len = 5)->eth_dst, BROADCAST_MAC, 6);
	assert_int_equal(fx_counter(fx, "ipv4", "out_broadcast"), 2);
	fx_close(fx);
}

/* To itself nothing is fragmented: there is no link to fit. */
static void what_stays_on_the_host_is_not_fragmented(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = udp_socket(fx, IP_PMTUDISC_WANT), own = udp_on(9);

	(void)state;
	assert_int_equal(send_to(fx, s, 60000, STACK_IP), 60000);
	assert_int_equal(fx_recv(fx, own, data, sizeof(data)), 60000);
	assert_int_equal(fx_counter(fx, "ipv4", "frag_creates"), 0);
	expect_silence(0);
	fx_close(fx);
}

/* ---- segmentation ---- */

static void a_segments_header_is_finished_from_the_wholes(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	const struct strata_instance *ipv4 = fx_instance(fx, "ipv4");
	struct strata_pkt *whole, *segment;
	uint8_t *p;

	(void)state;
	whole = strata_pkt_alloc(fx->stack, STRATA_HEADROOM, 20 + 100);
	p = strata_pkt_put(whole, 120);
	fx_build_ip(p, &(const struct fx_ip){ .proto = 6, .id = 0xfffe }, 1, data, 100);
	whole->network_offset = (uint16_t)strata_pkt_headroom(whole);
	segment = strata_pkt_copy(whole, STRATA_HEADROOM);
	strata_pkt_trim(segment, 70);
	ipv4->module->network->segment((struct strata_instance *)(uintptr_t)ipv4, whole, segment, 3);
	assert_int_equal(strata_get_be16(segment->data + 2), 70);
	assert_int_equal(strata_get_be16(segment->data + 4), 1);
	assert_int_equal(fx_sum(0, segment->data, 20), 0xffff);
	strata_pkt_free(segment);
	strata_pkt_free(whole);
	fx_close(fx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_that_cannot_be_fragmented_has_no_identification),
		cmocka_unit_test(the_default_ttl_is_an_option),
		cmocka_unit_test(identifications_count_for_each_peer_from_an_unrelated_start),
		cmocka_unit_test(identifications_of_many_peers_are_bounded),
		cmocka_unit_test(what_the_path_does_not_take_is_sent_in_fragments),
		cmocka_unit_test(fragments_are_full_but_the_last_and_share_an_identification),
		cmocka_unit_test(the_largest_datagram_is_65507_bytes),
		cmocka_unit_test(what_must_not_be_fragmented_is_refused),
		cmocka_unit_test(a_shortage_while_fragmenting_is_told_and_leaves_nothing),
		cmocka_unit_test(a_told_path_mtu_has_its_floor_and_never_rises),
		cmocka_unit_test(a_path_under_the_floor_is_left_to_routers),
		cmocka_unit_test(an_untold_mtu_is_the_next_plateau),
		cmocka_unit_test(a_path_mtu_is_forgotten_after_ten_minutes),
		cmocka_unit_test(path_mtus_are_bounded_and_the_oldest_goes),
		cmocka_unit_test(a_probe_ignores_the_path_mtu),
		cmocka_unit_test(multicast_goes_one_hop_to_the_groups_link_address),
		cmocka_unit_test(members_on_this_host_get_their_copy),
		cmocka_unit_test(broadcast_is_counted_and_sent_to_all),
		cmocka_unit_test(what_stays_on_the_host_is_not_fragmented),
		cmocka_unit_test(a_segments_header_is_finished_from_the_wholes),
	};

	return fx_main(tests);
}
