/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams in: the header's checks, who gets them, and what becomes of those nobody wants. */
#include "udp_test.h"

/* ---- the header ---- */

static void a_datagram_reaches_the_socket_of_its_port(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(7);

	(void)state;
	expect_events(s, EPOLLOUT);
	rx_udp(.sport = 4000, .dport = 7, .text = "hello");
	expect_no_drop();
	expect_events(s, EPOLLIN | EPOLLOUT);
	expect_recv(fx, s, "hello", PEER_IP, 4000);
	expect_events(s, EPOLLOUT);
	expect_nothing(fx, s);
	rx_udp(.sport = 4000, .dport = 7);
	expect_recv(fx, s, "", PEER_IP, 4000);
	assert_int_equal(fx_counter(fx, "udp", "in_datagrams"), 2);
	fx_close(fx);
}

static void every_wrong_length_is_dropped_for_it(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(7), length;

	(void)state;
	for (length = 0; length <= 7; length++) {
		rx_udp(.dport = 7, .text = "hello", .length = length == 0 ? -1 : length);
		expect_drop("udp", "bad_length");
	}
	rx_udp(.dport = 7, .text = "hello", .length = 14);
	expect_drop("udp", "bad_length");
	rx_udp(.dport = 7, .text = "hello", .length = 65535);
	expect_drop("udp", "bad_length");
	expect_nothing(fx, s);
	expect_silence(10);
	fx_close(fx);
}

static void a_cut_header_is_dropped_as_truncated(void **state)
{
	struct fixture *fx = udp_open();
	uint8_t header[8] = { 0x0f, 0xa0, 0, 7, 0, 8, 0, 0 };
	size_t length;

	(void)state;
	udp_on(7);
	for (length = 0; length < 8; length++) {
		rx_ip(17, header, length);
		expect_drop("udp", "truncated");
	}
	rx_ip(17, header, 8);
	expect_no_drop();
	fx_close(fx);
}

static void what_follows_the_datagram_is_cut_off(void **state)
{
	struct fixture *fx = udp_open();
	/* Length 8 + 2; three bytes more in the IP packet; no checksum. */
	static const uint8_t bytes[] = { 0x0f, 0xa0, 0, 7, 0, 10, 0, 0, 'o', 'k', 1, 2, 3 };
	int s = udp_on(7);

	(void)state;
	rx_ip(17, bytes, sizeof(bytes));
	expect_recv(fx, s, "ok", PEER_IP, 4000);
	fx_close(fx);
}

static void a_wrong_checksum_is_dropped(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(7);

	(void)state;
	rx_udp(.dport = 7, .text = "odd", .bad_checksum = true);
	expect_drop("udp", "bad_checksum");
	rx_udp(.dport = 7, .text = "even", .bad_checksum = true);
	expect_drop("udp", "bad_checksum");
	expect_nothing(fx, s);
	fx_close(fx);
}

static void without_a_checksum_a_datagram_is_taken_unless_the_option_forbids_it(void **state)
{
	struct fixture *fx = udp_open();
	struct strata_error error = { 0 };
	int s = udp_on(7);

	(void)state;
	rx_udp(.sport = 4000, .dport = 7, .text = "none", .no_checksum = true);
	expect_recv(fx, s, "none", PEER_IP, 4000);
	assert_int_equal(strata_option_set(fx->stack, "udp.zero_checksum", "false", &error), 0);
	rx_udp(.sport = 4000, .dport = 7, .text = "none", .no_checksum = true);
	expect_drop("udp", "no_checksum");
	expect_nothing(fx, s);
	fx_close(fx);
}

static void a_reassembled_datagram_is_checked_and_delivered_whole(void **state)
{
	struct fixture *fx = udp_open();
	static uint8_t buf[65536], want[60000];
	int s = udp_on(7);

	(void)state;
	fx_pattern_fill(want, sizeof(want), 0);
	rx_udp(.sport = 4000, .dport = 7, .len = sizeof(want), .ip = { .fragment = 1480 });
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), sizeof(want));
	assert_memory_equal(buf, want, sizeof(want));
	rx_udp(.dport = 7, .len = sizeof(want), .bad_checksum = true, .ip = { .fragment = 1480 });
	expect_drop("udp", "bad_checksum");
	fx_close(fx);
}

/* ---- nobody there ---- */

static void a_port_nobody_has_is_told_as_unreachable(void **state)
{
	struct fixture *fx = udp_open();
	const struct fx_pkt *error;

	(void)state;
	rx_udp(.sport = 4000, .dport = 9, .text = "anyone?");
	expect_drop("kernel", "no_flow");
	error = expect_icmp(.type = 3, .code = 3, .any_data = true, .len = FX_AUTO);
	/* RFC 1812 4.3.2.3: as much of the datagram as there is: IP header, UDP header, payload. */
	assert_int_equal(error->payload_len, 20 + 8 + 7);
	assert_memory_equal(error->payload + 28, "anyone?", 7);
	assert_int_equal(fx_counter(fx, "udp", "no_ports"), 1);
	fx_close(fx);
}

static void nothing_is_told_about_broadcasts_and_multicasts(void **state)
{
	struct fixture *fx = udp_open();

	(void)state;
	rx_udp(.dport = 9, .text = "x", .ip = { .dst = BROADCAST_IP, .to_mac = BROADCAST_MAC });
	expect_drop("kernel", "no_flow");
	rx_udp(.dport = 9, .text = "x",
	       .ip = { .dst = IP4(255, 255, 255, 255), .to_mac = BROADCAST_MAC });
	expect_drop("kernel", "no_flow");
	rx_udp(.dport = 9, .text = "x", .ip = { .dst = IP4(224, 0, 0, 1),
	       .to_mac = (const uint8_t *)"\x01\x00\x5e\x00\x00\x01" });
	expect_drop("kernel", "no_flow");
	expect_silence(100);
	fx_close(fx);
}

/* ---- who gets it ---- */

static void a_connected_socket_has_its_peers_datagrams_only(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_socket(fx);

	(void)state;
	fx_bind(fx, s, 0, 7);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 4000), 0);
	rx_udp(.sport = 4000, .dport = 7, .text = "mine");
	expect_recv(fx, s, "mine", PEER_IP, 4000);
	rx_udp(.sport = 4001, .dport = 7, .text = "other port");
	expect_drop("kernel", "no_flow");
	expect_icmp(.type = 3, .code = 3, .any_data = true, .len = FX_AUTO);
	rx_udp(.sport = 4000, .dport = 7, .text = "other host", .ip = { .src = OTHER_IP });
	expect_drop("kernel", "no_flow");
	expect_nothing(fx, s);
	fx_close(fx);
}

static void the_most_specific_socket_wins(void **state)
{
	struct fixture *fx = udp_open();
	int any = udp_socket(fx), own = udp_socket(fx), connected = udp_socket(fx);
	int all[3] = { any, own, connected }, i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(fx_setsockopt(fx, all[i], SOL_SOCKET, SO_REUSEADDR, 1), 0);
	fx_bind(fx, own, STACK_IP, 7);
	fx_bind(fx, connected, STACK_IP, 7);
	assert_int_equal(fx_connect(fx, connected, PEER_IP, 4000), 0);
	fx_bind(fx, any, 0, 7);
	rx_udp(.sport = 4000, .dport = 7, .text = "1");
	expect_recv(fx, connected, "1", PEER_IP, 4000);
	rx_udp(.sport = 4001, .dport = 7, .text = "2");
	expect_recv(fx, own, "2", PEER_IP, 4001);
	fx_close_socket(fx, own);
	rx_udp(.sport = 4001, .dport = 7, .text = "3");
	expect_recv(fx, any, "3", PEER_IP, 4001);
	fx_close(fx);
}

static void sockets_that_reuse_the_port_share_the_senders(void **state)
{
	struct fixture *fx = udp_open();
	int s[4], i, count[4] = { 0 };
	char buf[8];

	(void)state;
	for (i = 0; i < 4; i++) {
		s[i] = udp_socket(fx);
		assert_int_equal(fx_setsockopt(fx, s[i], SOL_SOCKET, SO_REUSEPORT, 1), 0);
		fx_bind(fx, s[i], 0, 7);
	}
	for (i = 0; i < 400; i++) {
		int j, got = 0;

		rx_udp(.sport = (uint16_t)(1024 + i), .dport = 7, .text = "x");
		for (j = 0; j < 4; j++)
			if (fx_recv(fx, s[j], buf, sizeof(buf)) == 1) {
				count[j]++;
				got++;
			}
		assert_int_equal(got, 1);
	}
	for (i = 0; i < 4; i++)
		assert_in_range(count[i], 60, 140);
	fx_close(fx);
}

static void a_broadcast_reaches_every_socket_of_the_port(void **state)
{
	struct fixture *fx = udp_open();
	int any = udp_socket(fx), too = udp_socket(fx), bound = udp_socket(fx), own = udp_socket(fx);
	int all[4] = { any, too, bound, own }, i;
	struct iovec iov;
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	char buf[16];

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(fx_setsockopt(fx, all[i], SOL_SOCKET, SO_REUSEADDR, 1), 0);
	fx_bind(fx, any, 0, 7);
	fx_bind(fx, too, 0, 7);
	fx_bind(fx, bound, BROADCAST_IP, 7);
	fx_bind(fx, own, STACK_IP, 7);
	rx_udp(.sport = 4000, .dport = 7, .text = "all",
	       .ip = { .dst = BROADCAST_IP, .to_mac = BROADCAST_MAC });
	expect_recv(fx, any, "all", PEER_IP, 4000);
	expect_recv(fx, bound, "all", PEER_IP, 4000);
	expect_nothing(fx, own);
	/* It says what it was. */
	iov = (struct iovec){ buf, sizeof(buf) };
	assert_int_equal(strata_recvmsg(fx->stack, too, &msg, 0), 3);
	assert_memory_equal(buf, "all", 3);
	assert_int_equal(msg.msg_flags, STRATA_MSG_MANY);
	rx_udp(.sport = 4000, .dport = 7, .text = "one");
	assert_int_equal(strata_recvmsg(fx->stack, own, &msg, 0), 3);
	assert_int_equal(msg.msg_flags, 0);
	assert_int_equal(fx_counter(fx, "udp", "in_datagrams"), 4);
	fx_close(fx);
}

static struct ip_mreqn group_on(struct fixture *fx)
{
	return (struct ip_mreqn){
		.imr_multiaddr.s_addr = htonl(GROUP_IP), .imr_ifindex = (int)fx->iface->index,
	};
}

static void a_multicast_reaches_those_who_joined_until_they_leave(void **state)
{
	static const uint8_t mac[] = { 1, 0, 0x5e, 0, 1, 5 };
	struct fixture *fx = udp_open();
	struct ip_mreqn group = group_on(fx);
	int s = udp_on(7), other = udp_on(8);

	(void)state;
	rx_udp(.sport = 4000, .dport = 7, .text = "early", .ip = { .dst = GROUP_IP, .to_mac = mac });
	expect_nothing(fx, s);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group,
					   sizeof(group)), 0);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group,
					   sizeof(group)), -EADDRINUSE);
	fx_discard(fx);
	rx_udp(.sport = 4000, .dport = 7, .text = "joined", .ip = { .dst = GROUP_IP, .to_mac = mac });
	expect_recv(fx, s, "joined", PEER_IP, 4000);
	expect_nothing(fx, other);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group,
					   sizeof(group)), 0);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &group,
					   sizeof(group)), -EADDRNOTAVAIL);
	rx_udp(.sport = 4000, .dport = 7, .text = "late", .ip = { .dst = GROUP_IP, .to_mac = mac });
	expect_nothing(fx, s);
	fx_close(fx);
}

static void a_closed_socket_has_left_its_groups(void **state)
{
	static const uint8_t mac[] = { 1, 0, 0x5e, 0, 1, 5 };
	struct fixture *fx = udp_open();
	struct ip_mreqn group = group_on(fx);
	int s = udp_on(7), joined = udp_on(8);

	(void)state;
	assert_int_equal(strata_setsockopt(fx->stack, joined, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group,
					   sizeof(group)), 0);
	fx_close_socket(fx, joined);
	fx_discard(fx);
	rx_udp(.sport = 4000, .dport = 7, .text = "x", .ip = { .dst = GROUP_IP, .to_mac = mac });
	expect_nothing(fx, s);
	fx_close(fx);
}

/* ---- the queue ---- */

static void the_receive_buffer_is_a_limit_and_reading_makes_room(void **state)
{
	struct fixture *fx = udp_open();
	uint64_t before;
	int s = udp_on(7), i, queued = 0;
	char buf[1500];

	(void)state;
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVBUF, 8192), 0);
	for (i = 0; i < 100; i++)
		rx_udp(.dport = 7, .len = 1000);
	expect_drop("udp", "rcvbuf_full");
	before = fx_drops(fx, "udp", "rcvbuf_full");
	while (fx_recv(fx, s, buf, sizeof(buf)) == 1000)
		queued++;
	/* 16 KiB with overhead: fewer than 16 of 1000 bytes, but several. */
	assert_in_range(queued, 3, 16);
	assert_int_equal(before, 100 - queued);
	rx_udp(.dport = 7, .len = 1000);
	expect_no_drop();
	fx_close(fx);
}

static void the_first_datagram_fits_any_buffer(void **state)
{
	struct fixture *fx = udp_open();
	static uint8_t buf[65536];
	int s = udp_on(7);

	(void)state;
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVBUF, 1), 0);
	rx_udp(.dport = 7, .len = 40000, .ip = { .fragment = 1480 });
	rx_udp(.dport = 7, .text = "x");
	expect_drop("udp", "rcvbuf_full");
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 40000);
	fx_close(fx);
}

/* ---- super-packets ---- */

/* A packet as a device with segmentation offload gives it: one header, several datagrams. */
static void input_super(struct fixture *fx, uint16_t dport, uint32_t length, uint16_t size)
{
	struct strata_pkt *pkt = strata_pkt_alloc(fx->stack, 64, 0);
	static uint8_t payload[65536], frame[65600];
	const struct fx_ip ip = { .proto = 17 };
	size_t n;

	strata_put_be16(payload, 4000);
	strata_put_be16(payload + 2, dport);
	strata_put_be16(payload + 4, (uint16_t)(length + 8));
	strata_put_be16(payload + 6, 0xdead);
	fx_pattern_fill(payload + 8, length, 0);
	n = fx_build_ip(frame + 14, &ip, 1, payload, length + 8);
	fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_IP);
	assert_non_null(pkt);
	assert_int_equal(strata_pkt_append(pkt, frame, (uint32_t)n + 14), 0);
	pkt->csum = STRATA_CSUM_VERIFIED;
	pkt->seg_type = STRATA_SEG_DATAGRAM;
	pkt->seg_size = size;
	strata_iface_input(fx->iface, pkt);
	strata_run(fx->stack, fx->now);
}

static void a_super_packet_is_as_many_datagrams(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(7), i;
	uint8_t buf[2000], want[5500];

	(void)state;
	fx_pattern_fill(want, sizeof(want), 0);
	input_super(fx, 7, sizeof(want), 1000);
	for (i = 0; i < 6; i++) {
		ssize_t n = fx_recv(fx, s, buf, sizeof(buf));

		assert_int_equal(n, i < 5 ? 1000 : 500);
		assert_memory_equal(buf, want + i * 1000, (size_t)n);
	}
	expect_nothing(fx, s);
	assert_int_equal(fx_counter(fx, "udp", "in_datagrams"), 6);
	assert_int_equal(fx_counter(fx, "udp", "in_split"), 1);
	/* One that is not larger than its segments is just a datagram. */
	input_super(fx, 7, 900, 1000);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 900);
	assert_int_equal(fx_counter(fx, "udp", "in_split"), 1);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_reaches_the_socket_of_its_port),
		cmocka_unit_test(every_wrong_length_is_dropped_for_it),
		cmocka_unit_test(a_cut_header_is_dropped_as_truncated),
		cmocka_unit_test(what_follows_the_datagram_is_cut_off),
		cmocka_unit_test(a_wrong_checksum_is_dropped),
		cmocka_unit_test(without_a_checksum_a_datagram_is_taken_unless_the_option_forbids_it),
		cmocka_unit_test(a_reassembled_datagram_is_checked_and_delivered_whole),
		cmocka_unit_test(a_port_nobody_has_is_told_as_unreachable),
		cmocka_unit_test(nothing_is_told_about_broadcasts_and_multicasts),
		cmocka_unit_test(a_connected_socket_has_its_peers_datagrams_only),
		cmocka_unit_test(the_most_specific_socket_wins),
		cmocka_unit_test(sockets_that_reuse_the_port_share_the_senders),
		cmocka_unit_test(a_broadcast_reaches_every_socket_of_the_port),
		cmocka_unit_test(a_multicast_reaches_those_who_joined_until_they_leave),
		cmocka_unit_test(a_closed_socket_has_left_its_groups),
		cmocka_unit_test(the_receive_buffer_is_a_limit_and_reading_makes_room),
		cmocka_unit_test(the_first_datagram_fits_any_buffer),
		cmocka_unit_test(a_super_packet_is_as_many_datagrams),
	};

	return fx_main(tests);
}
