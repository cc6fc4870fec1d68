/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames, packets and datagrams of a stack that is short of memory. */
#include "scenes.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#define BELOW_TCP "ethernet arp ipv4 icmp udp"
#define GROUP_IP IP4(224, 0, 1, 5)

static const uint8_t group_mac[] = { 1, 0, 0x5e, 0, 1, 5 };

/* ---- ARP ---- */

void sweep_resolution(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP, .resolve = true, .answer_arp = true);
	int s = udp_on(4000);
	char buf[8];

	sweep_begin(sw, fx);
	for (uint32_t i = 10; i < 30; i++) {
		sweep_result(sw, fx_sendto(fx, s, "one", 3, IP4(192, 0, 2, i), 7));
		sweep_result(sw, fx_sendto(fx, s, "two", 3, IP4(192, 0, 2, i), 7));
		fx_run(fx);
	}
	fx_advance(fx, 1500);
	sweep_end(sw);
	fx_advance(fx, 5000);
	fx_discard(fx);
	for (uint32_t i = 10; i < 30; i++) {
		assert_int_equal(fx_sendto(fx, s, "now", 3, IP4(192, 0, 2, i), 7), 3);
		fx_advance(fx, 10);
		while (fx->first != NULL && fx_waiting(fx) > 1)
			fx_next(fx);
		expect_udp(.dport = 7, .text = "now");
	}
	rx_udp(.dport = 4000, .text = "x");
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 1);
	fx_close(fx);
}

void sweep_arp_requests(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);

	sweep_begin(sw, fx);
	for (uint8_t i = 10; i < 30; i++) {
		const uint8_t mac[6] = { 2, 0, 0, 0, 0, i };

		rx_arp(1, .sha = mac, .spa = IP4(192, 0, 2, i));
		rx_arp(2, .sha = mac, .spa = IP4(192, 0, 2, i + 100));
	}
	sweep_end(sw);
	fx_discard(fx);
	rx_arp(1);
	expect_arp(2, .spa = STACK_IP);
	sweep_usable(fx);
	fx_close(fx);
}

/* RFC 5227: probing, a conflict, announcements. */
void sweep_address_claims(struct sweep *sw)
{
	static const uint8_t other[6] = { 2, 0, 0, 0, 0, 9 };
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP, .options = "arp.probe=true");
	struct strata_prefix prefix;

	assert_int_equal(strata_prefix_parse(fx->stack, "198.51.100.1/24", &prefix), 0);
	sweep_begin(sw, fx);
	sweep_result(sw, strata_ifaddr_add(fx->iface, &prefix));
	fx_advance(fx, 9000);
	rx_arp(1, .sha = other, .spa = IP4(198, 51, 100, 1), .tpa = IP4(198, 51, 100, 1));
	fx_advance(fx, 1000);
	rx_arp(1, .sha = other, .spa = STACK_IP, .tpa = STACK_IP);
	fx_advance(fx, 5000);
	sweep_end(sw);
	strata_ifaddr_remove(fx->iface, &prefix.addr);
	assert_int_equal(strata_ifaddr_add(fx->iface, &prefix), 0);
	fx_advance(fx, 20000);
	assert_int_equal(strata_ifaddr_find(fx->stack, &prefix.addr)->state, STRATA_IFADDR_VALID);
	sweep_usable(fx);
	fx_close(fx);
}

/* ---- fragments ---- */

void sweep_fragments_out(struct sweep *sw)
{
	static const size_t sizes[] = { 100, 1472, 1473, 9000, 40000, 65507 };
	static uint8_t data[65507];
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	int s = udp_on(4000);

	fx_pattern_fill(data, sizeof(data), 0);
	sweep_begin(sw, fx);
	for (size_t i = 0; i < STRATA_COUNT(sizes); i++)
		sweep_result(sw, fx_sendto(fx, s, data, sizes[i], PEER_IP, 7));
	sweep_end(sw);
	fx_discard(fx);
	for (size_t i = 0; i < STRATA_COUNT(sizes); i++) {
		assert_int_equal(fx_sendto(fx, s, data, sizes[i], PEER_IP, 7), sizes[i]);
		expect_udp(.dport = 7, .len = (int64_t)sizes[i]);
	}
	fx_close(fx);
}

static void datagram_arrives(struct fixture *fx, int s)
{
	static uint8_t back[65507];

	while (fx_recv(fx, s, back, sizeof(back)) >= 0)
		;
	rx_udp(.dport = 4000, .len = 5000, .ip.fragment = 1000);
	assert_int_equal(fx_recv(fx, s, back, sizeof(back)), 5000);
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(back[i], fx_pattern(i));
}

void sweep_fragments_in(struct sweep *sw)
{
	static const uint16_t cuts[] = { 8, 400, 1000, 1480 };
	static uint8_t back[8000];
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	int s = udp_on(4000);

	sweep_begin(sw, fx);
	for (size_t i = 0; i < STRATA_COUNT(cuts); i++) {
		ssize_t n, wanted = cuts[i] == 8 ? 300 : 5000;

		rx_udp(.dport = 4000, .len = wanted, .ip.fragment = cuts[i]);
		/* What arrives is whole. */
		while ((n = fx_recv(fx, s, back, sizeof(back))) >= 0) {
			assert_int_equal(n, wanted);
			for (ssize_t j = 0; j < n; j++)
				assert_int_equal(back[j], fx_pattern((uint64_t)j));
		}
	}
	rx_icmp(.type = 8, .id = 1, .seq = 1, .len = 6000, .ip.fragment = 1480);
	sweep_end(sw);
	datagram_arrives(fx, s);
	fx_advance(fx, 60000);
	sweep_usable(fx);
	fx_close(fx);
}

/* Out of sequence, overlapping, from many sources, never whole; and what a time-out says of them. */
void sweep_fragments_lost(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	uint8_t data[1000];
	int s = udp_on(4000);

	fx_pattern_fill(data, sizeof(data), 0);
	sweep_begin(sw, fx);
	for (uint16_t i = 0; i < 12; i++) {
		rx_ip(17, data, 400, .src = IP4(198, 51, 100, i % 4), .id = (uint16_t)(100 + i / 4),
		      .offset = 800, .mf = true);
		rx_ip(17, data, 400, .src = IP4(198, 51, 100, i % 4), .id = (uint16_t)(100 + i / 4),
		      .offset = 0, .mf = true);
		rx_ip(17, data, 400, .src = IP4(198, 51, 100, i % 4), .id = (uint16_t)(100 + i / 4),
		      .offset = (uint16_t)(i % 3 == 0 ? 200 : 1600), .mf = i % 2 == 0);
	}
	fx_advance(fx, 31000);
	sweep_end(sw);
	datagram_arrives(fx, s);
	fx_advance(fx, 60000);
	sweep_usable(fx);
	fx_close(fx);
}

/* ---- ICMP ---- */

void sweep_echo_replies(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);

	sweep_begin(sw, fx);
	for (uint16_t i = 0; i < 10; i++)
		rx_icmp(.type = 8, .id = 3, .seq = i, .len = i * 1000,
			.ip.fragment = (uint16_t)(i > 1 ? 1480 : 0));
	rx_icmp(.type = 13, .id = 3, .seq = 1, .len = 12);
	sweep_end(sw);
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_icmp_errors_out(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	const struct fx_pkt *pkt;

	sweep_begin(sw, fx);
	for (uint16_t i = 0; i < 8; i++) {
		rx_udp(.dport = (uint16_t)(3000 + i), .len = 100 * i,
		       .ip.src = IP4(198, 51, 100, 10 + i));
		rx_ip(200, "unknown protocol", 16, .src = IP4(198, 51, 100, 40 + i));
		rx_udp(.dport = 3000, .len = 100, .ip.src = IP4(192, 0, 2, 60 + i));
		fx_advance(fx, 200);
	}
	sweep_end(sw);
	fx_advance(fx, 5000);
	fx_discard(fx);
	rx_udp(.dport = 3000, .text = "nobody");
	pkt = expect_icmp(.type = 3, .code = 3, .any_data = true, .len = FX_AUTO);
	assert_int_equal(pkt->ip.dst, PEER_IP);
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_icmp_errors_in(struct sweep *sw)
{
	static const int kinds[][2] = { { 3, 3 }, { 3, 1 }, { 11, 0 }, { 3, 4 }, { 12, 0 }, { 5, 1 } };
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	int s = udp_on(4000), value = IP_PMTUDISC_DO;
	const struct fx_pkt *pkt;
	uint8_t buf[600];

	fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVERR, 1);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, value);
	sweep_begin(sw, fx);
	for (size_t i = 0; i < STRATA_COUNT(kinds); i++) {
		struct iovec iov = { buf, sizeof(buf) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

		fx_sendto(fx, s, "what becomes of it?", 19, PEER_IP, 7);
		pkt = fx_next(fx);
		if (pkt != NULL) {
			struct fx_pkt about = *pkt;

			rx_icmp_error(kinds[i][0], kinds[i][1], 1200, &about, 8);
		}
		fx_discard(fx);
		fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR);
		strata_recvmsg(fx->stack, s, &msg, MSG_ERRQUEUE);
	}
	sweep_end(sw);
	fx_close_socket(fx, s);
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_ping_socket(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	uint8_t request[3008] = { 8 }, back[4000];
	int s;

	sweep_begin(sw, fx);
	s = (int)sweep_result(sw, strata_socket(fx->stack, AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	for (uint16_t i = 0; s >= 0 && i < 4; i++) {
		strata_put_be16(request + 6, i);
		if (sweep_result(sw, fx_sendto(fx, s, request, 8 + (size_t)i * 1000, PEER_IP, 0)) > 0)
			rx_icmp(.type = 0, .id = fx_local_port(fx, s), .seq = i, .len = i * 1000);
	}
	sweep_end(sw);
	if (s < 0)
		s = fx_socket(fx, SOCK_DGRAM, IPPROTO_ICMP);
	while (fx_recv(fx, s, back, sizeof(back)) >= 0)
		;
	assert_int_equal(fx_sendto(fx, s, request, 50, PEER_IP, 0), 50);
	rx_icmp(.type = 0, .id = fx_local_port(fx, s), .seq = 1, .len = 42);
	assert_int_equal(fx_recv(fx, s, back, sizeof(back)), 50);
	fx_close_socket(fx, s);
	sweep_usable(fx);
	fx_close(fx);
}

/* ---- UDP ---- */

void sweep_udp_talk(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	char buf[1500];
	int s[6], i;

	sweep_begin(sw, fx);
	for (i = 0; i < 6; i++) {
		struct sockaddr_in to = fx_sockaddr(0, (uint16_t)(4000 + i));

		s[i] = (int)sweep_result(sw, strata_socket(fx->stack, AF_INET, SOCK_DGRAM, 0));
		if (s[i] < 0)
			continue;
		sweep_result(sw, strata_bind(fx->stack, s[i], (struct sockaddr *)&to, sizeof(to)));
		sweep_result(sw, fx_sendto(fx, s[i], buf, 100 * (size_t)i, PEER_IP, 7));
		rx_udp(.dport = (uint16_t)(4000 + i), .len = 200 * i);
		rx_udp(.dport = (uint16_t)(4000 + i), .text = "short");
	}
	sweep_end(sw);
	fx_discard(fx);
	for (i = 0; i < 6; i++) {
		if (s[i] < 0)
			continue;
		while (fx_recv(fx, s[i], buf, sizeof(buf)) >= 0)
			;
		assert_int_equal(fx_sendto(fx, s[i], "again", 5, PEER_IP, 7), 5);
		expect_udp(.text = "again");
		fx_close_socket(fx, s[i]);
	}
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_udp_multicast(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	struct ip_mreqn group = { .imr_multiaddr.s_addr = htonl(GROUP_IP),
				  .imr_ifindex = (int)fx->iface->index };
	int s[4], i, result[4];
	char buf[64];

	for (i = 0; i < 4; i++) {
		s[i] = fx_socket(fx, SOCK_DGRAM, 0);
		fx_setsockopt(fx, s[i], SOL_SOCKET, SO_REUSEADDR, 1);
		fx_bind(fx, s[i], 0, 5353);
	}
	sweep_begin(sw, fx);
	for (i = 0; i < 4; i++)
		result[i] = (int)sweep_result(sw, strata_setsockopt(fx->stack, s[i], IPPROTO_IP,
								    IP_ADD_MEMBERSHIP, &group,
								    sizeof(group)));
	for (i = 0; i < 3; i++)
		rx_udp(.dport = 5353, .text = "to all", .ip = { .dst = GROUP_IP, .to_mac = group_mac });
	for (i = 0; i < 3; i++)
		sweep_result(sw, fx_sendto(fx, s[i], "from one", 8, GROUP_IP, 5353));
	fx_run(fx);
	sweep_end(sw);
	for (i = 0; i < 4; i++) {
		if (result[i] < 0)
			assert_int_equal(strata_setsockopt(fx->stack, s[i], IPPROTO_IP, IP_ADD_MEMBERSHIP,
							   &group, sizeof(group)), 0);
		while (fx_recv(fx, s[i], buf, sizeof(buf)) >= 0)
			;
	}
	rx_udp(.dport = 5353, .text = "once more", .ip = { .dst = GROUP_IP, .to_mac = group_mac });
	for (i = 0; i < 4; i++) {
		assert_int_equal(fx_recv(fx, s[i], buf, sizeof(buf)), 9);
		fx_close_socket(fx, s[i]);
	}
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_udp_broadcast(struct sweep *sw)
{
	const uint32_t all = IP4(192, 0, 2, 255);
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	int s[3];
	char buf[64];

	for (int i = 0; i < 3; i++) {
		s[i] = fx_socket(fx, SOCK_DGRAM, 0);
		fx_setsockopt(fx, s[i], SOL_SOCKET, SO_REUSEADDR, 1);
		fx_setsockopt(fx, s[i], SOL_SOCKET, SO_BROADCAST, 1);
		fx_bind(fx, s[i], 0, 5000);
	}
	sweep_begin(sw, fx);
	for (int i = 0; i < 3; i++) {
		rx_udp(.dport = 5000, .text = "to all", .ip = { .dst = all, .to_mac = BROADCAST_MAC });
		sweep_result(sw, fx_sendto(fx, s[i], "from one", 8, all, 5000));
		fx_run(fx);
	}
	sweep_end(sw);
	for (int i = 0; i < 3; i++)
		while (fx_recv(fx, s[i], buf, sizeof(buf)) >= 0)
			;
	rx_udp(.dport = 5000, .text = "to all", .ip = { .dst = all, .to_mac = BROADCAST_MAC });
	for (int i = 0; i < 3; i++)
		assert_int_equal(fx_recv(fx, s[i], buf, sizeof(buf)), 6);
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_udp_to_itself(struct sweep *sw)
{
	static uint8_t data[10000], back[10000];
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	int s = udp_on(4000), t = udp_on(5000);

	sweep_begin(sw, fx);
	for (size_t i = 0; i < 5; i++) {
		sweep_result(sw, fx_sendto(fx, s, data, 2000 * i, STACK_IP, 5000));
		sweep_result(sw, fx_sendto(fx, s, data, 10, STACK_IP, 5999));
		fx_run(fx);
	}
	sweep_end(sw);
	fx_run(fx);
	while (fx_recv(fx, t, back, sizeof(back)) >= 0)
		;
	fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR);
	assert_int_equal(fx_sendto(fx, s, data, 3000, STACK_IP, 5000), 3000);
	fx_run(fx);
	assert_int_equal(fx_recv(fx, t, back, sizeof(back)), 3000);
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_udp_ancillary(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	struct sockaddr_in to = fx_sockaddr(PEER_IP, 7);
	char control[256], a[3] = "abc", b[2000] = "";
	struct iovec iov[] = { { a, 3 }, { b, sizeof(b) }, { a, 1 } };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = iov, .msg_iovlen = 3 };
	int s = udp_on(4000);

	fx_setsockopt(fx, s, IPPROTO_IP, IP_PKTINFO, 1);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVTTL, 1);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_TIMESTAMP, 1);
	sweep_begin(sw, fx);
	for (int i = 0; i < 4; i++) {
		struct msghdr in = { .msg_iov = iov, .msg_iovlen = 3, .msg_control = control,
				     .msg_controllen = sizeof(control) };
		ssize_t n;

		sweep_result(sw, strata_sendmsg(fx->stack, s, &msg, 0));
		rx_udp(.dport = 4000, .len = 1000);
		n = strata_recvmsg(fx->stack, s, &in, i == 1 ? MSG_PEEK : 0);
		if (n != -EAGAIN)
			sweep_result(sw, n);
	}
	sweep_end(sw);
	fx_close_socket(fx, s);
	sweep_usable(fx);
	fx_close(fx);
}

static unsigned int read_reports(struct sweep *sw, struct fixture *fx, int s)
{
	char control[512], data[256];
	unsigned int n = 0;

	for (;; n++) {
		struct iovec iov = { data, sizeof(data) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t result = strata_recvmsg(fx->stack, s, &msg, MSG_ERRQUEUE);

		if (result == -EAGAIN || sweep_result(sw, result) < 0)
			return n;
	}
}

/* Software time stamps of what is sent, told on the error queue. */
void sweep_udp_stamps(struct sweep *sw)
{
	const int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED |
			  SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID;
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	int s = udp_on(4000);

	sweep_begin(sw, fx);
	sweep_result(sw, fx_setsockopt(fx, s, SOL_SOCKET, SO_TIMESTAMPING, flags));
	for (int i = 0; i < 5; i++) {
		sweep_result(sw, fx_sendto(fx, s, "stamped", 7, PEER_IP, 7));
		fx_run(fx);
		if (i % 2)
			read_reports(sw, fx, s);
	}
	sweep_end(sw);
	read_reports(sw, fx, s);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_TIMESTAMPING, flags), 0);
	assert_int_equal(fx_sendto(fx, s, "stamped", 7, PEER_IP, 7), 7);
	fx_run(fx);
	assert_int_equal(read_reports(sw, fx, s), 2);
	fx_close_socket(fx, s);
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_udp_connected(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	int s[20];
	char buf[16];

	sweep_begin(sw, fx);
	for (int i = 0; i < 20; i++) {
		s[i] = (int)sweep_result(sw, strata_socket(fx->stack, AF_INET, SOCK_DGRAM, 0));
		if (s[i] < 0)
			continue;
		if (sweep_result(sw, fx_connect(fx, s[i], PEER_IP, (uint16_t)(100 + i))) == 0)
			sweep_result(sw, fx_send(fx, s[i], "hello", 5));
	}
	sweep_end(sw);
	fx_discard(fx);
	for (int i = 0; i < 20; i++) {
		if (s[i] < 0)
			s[i] = fx_socket(fx, SOCK_DGRAM, 0);
		assert_int_equal(fx_connect(fx, s[i], PEER_IP, (uint16_t)(100 + i)), 0);
		assert_int_equal(fx_send(fx, s[i], "hello", 5), 5);
		expect_udp(.dport = (uint16_t)(100 + i), .text = "hello");
		rx_udp(.sport = (uint16_t)(100 + i), .dport = fx_local_port(fx, s[i]), .text = "you");
		assert_int_equal(fx_recv(fx, s[i], buf, sizeof(buf)), 3);
		fx_close_socket(fx, s[i]);
	}
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_udp_full_buffer(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP);
	int s = udp_on(4000);
	char buf[1500];

	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVBUF, 8192);
	sweep_begin(sw, fx);
	for (int i = 0; i < 20; i++)
		rx_udp(.dport = 4000, .len = 1000);
	sweep_end(sw);
	while (fx_recv(fx, s, buf, sizeof(buf)) >= 0)
		;
	rx_udp(.dport = 4000, .len = 1000);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 1000);
	sweep_usable(fx);
	fx_close(fx);
}

void sweep_echo_datagrams(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP " newreno tcp echo");

	sweep_begin(sw, fx);
	for (int i = 0; i < 15; i++) {
		rx_udp(.sport = 4000, .dport = 7, .len = 90 * i);
		rx_udp(.sport = 4000, .dport = 7, .len = 3000, .ip.fragment = 1480);
		fx_run(fx);
	}
	sweep_end(sw);
	fx_advance(fx, 2000);
	fx_discard(fx);
	rx_udp(.sport = 4000, .dport = 7, .text = "still there?");
	expect_udp(.sport = 7, .text = "still there?", .within = 100);
	sweep_usable(fx);
	fx_close(fx);
}

/* ---- drivers ---- */

/* Two interfaces of one stack, each the other's end. */
void sweep_two_wires(struct sweep *sw)
{
	static const char manifest[] =
		"strata: 1\nmodules:\n  - name: wire\n  - name: loopback\n  - name: ethernet\n"
		"  - name: arp\n  - name: ipv4\n  - name: icmp\n  - name: udp\n"
		"interfaces:\n  - name: w0\n    driver: wire\n    addresses: [192.0.2.2/24]\n"
		"    options:\n      peer: w1\n"
		"  - name: w1\n    driver: wire\n  - name: lo\n    driver: loopback\n"
		"    addresses: [127.0.0.1/8]\n";
	struct fixture *fx = sweep_open(sw, .manifest = manifest, .resolve = true);
	int s = udp_on(4000), t = udp_on(5000);
	static uint8_t data[4000];

	sweep_begin(sw, fx);
	for (size_t i = 0; i < 8; i++) {
		sweep_result(sw, fx_sendto(fx, s, data, 500 * i, IP4(192, 0, 2, 9), 7));
		sweep_result(sw, fx_sendto(fx, s, data, 500 * i, IP4(127, 0, 0, 1), 5000));
		fx_run(fx);
	}
	fx_advance(fx, 1000);
	sweep_end(sw);
	fx_advance(fx, 10000);
	while (fx_recv(fx, t, data, sizeof(data)) >= 0)
		;
	fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR);
	assert_int_equal(fx_sendto(fx, s, data, 3000, IP4(127, 0, 0, 1), 5000), 3000);
	fx_run(fx);
	assert_int_equal(fx_recv(fx, t, data, sizeof(data)), 3000);
	fx_close(fx);
}

void sweep_super_datagrams(struct sweep *sw)
{
	static uint8_t data[60000];
	struct fixture *fx = sweep_open(sw, .modules = BELOW_TCP, .large = true,
					.interface = "    options:\n      offload: true\n");
	int s = udp_on(4000);

	sweep_begin(sw, fx);
	for (size_t i = 1; i < 8; i++)
		sweep_result(sw, fx_sendto(fx, s, data, 8000 * i, PEER_IP, 7));
	sweep_end(sw);
	fx_discard(fx);
	assert_int_equal(fx_sendto(fx, s, data, 50000, PEER_IP, 7), 50000);
	expect_udp(.dport = 7, .any_data = true, .len = 50000);
	sweep_usable(fx);
	fx_close(fx);
}
