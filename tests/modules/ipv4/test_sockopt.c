/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket options of level IPPROTO_IP and its control messages, with Linux's numbers (ip(7)). */
#include "fixture.h"

#define MODULES .modules = "ethernet arp ipv4 icmp udp"
#define GROUP IP4(239, 1, 2, 3)

static void each_number_is_checked_and_read_back(void **state)
{
	static const struct {
		int name, value, result, then;
	} cases[] = {
		{ IP_TTL, 1, 0, 1 },
		{ IP_TTL, 255, 0, 255 },
		{ IP_TTL, 0, -EINVAL, 255 },
		{ IP_TTL, 256, -EINVAL, 255 },
		{ IP_TTL, -2, -EINVAL, 255 },
		{ IP_TTL, -1, 0, 64 },
		{ IP_TOS, 0x10, 0, 0x10 },
		{ IP_TOS, 0x03, 0, 0x03 },
		{ IP_MTU_DISCOVER, IP_PMTUDISC_DONT, 0, IP_PMTUDISC_DONT },
		{ IP_MTU_DISCOVER, IP_PMTUDISC_WANT, 0, IP_PMTUDISC_WANT },
		{ IP_MTU_DISCOVER, IP_PMTUDISC_DO, 0, IP_PMTUDISC_DO },
		{ IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, 0, IP_PMTUDISC_PROBE },
		{ IP_MTU_DISCOVER, IP_PMTUDISC_OMIT, -EINVAL, IP_PMTUDISC_PROBE },
		{ IP_MTU_DISCOVER, -1, -EINVAL, IP_PMTUDISC_PROBE },
		{ IP_PKTINFO, 1, 0, 1 },
		{ IP_PKTINFO, 0, 0, 0 },
		{ IP_RECVTTL, 7, 0, 1 },
		{ IP_RECVTOS, 1, 0, 1 },
		{ IP_RECVERR, 1, 0, 1 },
		{ IP_MULTICAST_TTL, 255, 0, 255 },
		{ IP_MULTICAST_TTL, 256, -EINVAL, 255 },
		{ IP_MULTICAST_TTL, -1, 0, 1 },
		{ IP_MULTICAST_LOOP, 0, 0, 0 },
		{ IP_MULTICAST_LOOP, 2, -EINVAL, 0 },
		{ IP_MULTICAST_LOOP, 1, 0, 1 },
		{ IP_HDRINCL, 1, -ENOPROTOOPT, -ENOPROTOOPT },
		{ IP_OPTIONS, 0, -ENOPROTOOPT, -ENOPROTOOPT },
		{ IP_TRANSPARENT, 1, -ENOPROTOOPT, -ENOPROTOOPT },
	};
	struct fixture *fx = fx_open(MODULES);
	int s = fx_socket(fx, SOCK_DGRAM, 0);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, cases[i].name, cases[i].value),
				 cases[i].result);
		assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, cases[i].name), cases[i].then);
	}
	fx_close(fx);
}

static void a_number_may_be_one_byte(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = fx_socket(fx, SOCK_DGRAM, 0);
	unsigned char byte = 9;
	socklen_t length = 1;

	(void)state;
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_MULTICAST_TTL, &byte, 1), 0);
	byte = 0;
	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_IP, IP_MULTICAST_TTL, &byte, &length),
			 0);
	assert_int_equal(byte, 9);
	assert_int_equal(length, 1);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_TTL, &byte, 0), -EINVAL);
	fx_close(fx);
}

static void what_is_set_is_what_is_sent(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_IP, IP_TTL, 3);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_TOS, 0xb8);
	fx_sendto(fx, s, "x", 1, PEER_IP, 9);
	const struct fx_pkt *pkt = expect_udp(.text = "x");
	assert_int_equal(pkt->ip.ttl, 3);
	assert_int_equal(pkt->ip.tos, 0xb8);
	fx_close(fx);
}

static void the_mtu_is_of_a_connected_socket(void **state)
{
	struct fixture *fx = fx_open(MODULES, .mtu = 1280);
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU), -ENOTCONN);
	fx_connect(fx, s, PEER_IP, 9);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU), 1280);
	fx_close(fx);
}

/* ---- control messages ---- */

struct received {
	struct in_pktinfo info;
	int ttl;
	uint8_t tos;
	int count;
};

static struct received receive(struct fixture *fx, int s)
{
	struct received r = { .ttl = -1 };
	char buf[64], control[128];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	assert_true(strata_recvmsg(fx->stack, s, &msg, 0) >= 0);
	for (c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		assert_int_equal(c->cmsg_level, IPPROTO_IP);
		r.count++;
		if (c->cmsg_type == IP_PKTINFO)
			memcpy(&r.info, CMSG_DATA(c), sizeof(r.info));
		if (c->cmsg_type == IP_TTL)
			memcpy(&r.ttl, CMSG_DATA(c), sizeof(r.ttl));
		if (c->cmsg_type == IP_TOS)
			r.tos = *CMSG_DATA(c);
	}
	return r;
}

static void what_was_received_is_told_to_who_asked(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = udp_on(9);
	struct received r;

	(void)state;
	rx_udp(.dport = 9, .text = "x", .ip = { .ttl = 5, .tos = 0x48 });
	assert_int_equal(receive(fx, s).count, 0);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_PKTINFO, 1);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVTTL, 1);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVTOS, 1);
	rx_udp(.dport = 9, .text = "x", .ip = { .ttl = 5, .tos = 0x48 });
	r = receive(fx, s);
	assert_int_equal(r.count, 3);
	assert_int_equal(r.ttl, 5);
	assert_int_equal(r.tos, 0x48);
	assert_int_equal(r.info.ipi_ifindex, fx->iface->index);
	assert_int_equal(ntohl(r.info.ipi_addr.s_addr), STACK_IP);
	assert_int_equal(ntohl(r.info.ipi_spec_dst.s_addr), STACK_IP);
	rx_udp(.dport = 9, .text = "x",
	       .ip = { .dst = IP4(255, 255, 255, 255), .to_mac = BROADCAST_MAC });
	r = receive(fx, s);
	assert_int_equal(ntohl(r.info.ipi_addr.s_addr), IP4(255, 255, 255, 255));
	assert_int_equal(ntohl(r.info.ipi_spec_dst.s_addr), STACK_IP);
	fx_close(fx);
}

/* Sends one byte to the peer with one control message. */
static ssize_t send_with(struct fixture *fx, int s, int type, const void *value, size_t length)
{
	struct sockaddr_in to = fx_sockaddr(PEER_IP, 9);
	char control[64] = { 0 };
	struct iovec iov = { (char[]){ 'x' }, 1 };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov,
			      .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = CMSG_SPACE(length) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(length);
	memcpy(CMSG_DATA(c), value, length);
	return strata_sendmsg(fx->stack, s, &msg, 0);
}

static void a_control_message_overrides_for_one_datagram(void **state)
{
	struct fixture *fx = fx_open(MODULES, .address = "192.0.2.2/24, 192.0.2.3/24");
	int s = fx_socket(fx, SOCK_DGRAM, 0), number = 9;
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(IP4(192, 0, 2, 3)) };

	(void)state;
	assert_int_equal(send_with(fx, s, IP_TTL, &number, sizeof(number)), 1);
	assert_int_equal(expect_udp(.text = "x")->ip.ttl, 9);
	assert_int_equal(send_with(fx, s, IP_TOS, &number, sizeof(number)), 1);
	assert_int_equal(expect_udp(.text = "x")->ip.tos, 9);
	assert_int_equal(send_with(fx, s, IP_TOS, "\x20", 1), 1);
	assert_int_equal(expect_udp(.text = "x")->ip.tos, 0x20);
	assert_int_equal(send_with(fx, s, IP_PKTINFO, &info, sizeof(info)), 1);
	expect_udp(.text = "x", .ip.src = IP4(192, 0, 2, 3));
	fx_sendto(fx, s, "y", 1, PEER_IP, 9);
	const struct fx_pkt *pkt = expect_udp(.text = "y", .ip.src = STACK_IP);
	assert_int_equal(pkt->ip.ttl, 64);
	assert_int_equal(pkt->ip.tos, 0);
	fx_close(fx);
}

static void a_faulty_control_message_is_refused(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = fx_socket(fx, SOCK_DGRAM, 0), number = 0;
	struct in_pktinfo info = { .ipi_ifindex = 99 };

	(void)state;
	assert_int_equal(send_with(fx, s, IP_TTL, &number, sizeof(number)), -EINVAL);
	number = 256;
	assert_int_equal(send_with(fx, s, IP_TTL, &number, sizeof(number)), -EINVAL);
	assert_int_equal(send_with(fx, s, IP_TOS, &number, sizeof(number)), -EINVAL);
	assert_int_equal(send_with(fx, s, 999, &number, sizeof(number)), -EINVAL);
	assert_int_equal(send_with(fx, s, IP_PKTINFO, &info, sizeof(info)), -ENODEV);
	assert_int_equal(send_with(fx, s, IP_PKTINFO, &info, sizeof(info) - 1), -EINVAL);
	info = (struct in_pktinfo){ .ipi_spec_dst.s_addr = htonl(IP4(192, 0, 2, 99)) };
	assert_int_equal(send_with(fx, s, IP_PKTINFO, &info, sizeof(info)), -EINVAL);
	expect_silence(0);
	fx_close(fx);
}

/* ---- groups ---- */

static int member(struct fixture *fx, int s, int name, const struct ip_mreqn *mreq, size_t length)
{
	return strata_setsockopt(fx->stack, s, IPPROTO_IP, name, mreq, (socklen_t)length);
}

static void a_group_is_heard_between_joining_and_leaving(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	struct ip_mreqn mreq = { .imr_multiaddr.s_addr = htonl(GROUP),
				 .imr_address.s_addr = htonl(STACK_IP) };
	const uint8_t *mac = (const uint8_t *)"\x01\x00\x5e\x01\x02\x03";
	int s = udp_on(9);
	char buf[8];

	(void)state;
	rx_udp(.dport = 9, .text = "x", .ip = { .dst = GROUP, .to_mac = mac });
	expect_drop("ipv4", "multicast_not_joined");
	/* The shorter structure, then the longer. */
	assert_int_equal(member(fx, s, IP_ADD_MEMBERSHIP, &mreq, sizeof(struct ip_mreq)), 0);
	assert_int_equal(member(fx, s, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)), -EADDRINUSE);
	rx_udp(.dport = 9, .text = "x", .ip = { .dst = GROUP, .to_mac = mac });
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 1);
	mreq.imr_ifindex = (int)fx->iface->index;
	assert_int_equal(member(fx, s, IP_DROP_MEMBERSHIP, &mreq, sizeof(mreq)), 0);
	assert_int_equal(member(fx, s, IP_DROP_MEMBERSHIP, &mreq, sizeof(mreq)), -EADDRNOTAVAIL);
	rx_udp(.dport = 9, .text = "x", .ip = { .dst = GROUP, .to_mac = mac });
	expect_drop("ipv4", "multicast_not_joined");
	fx_close(fx);
}

static void faulty_memberships_are_refused(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	struct ip_mreqn mreq = { .imr_multiaddr.s_addr = htonl(PEER_IP) };
	int s = udp_on(9);

	(void)state;
	assert_int_equal(member(fx, s, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)), -EINVAL);
	mreq.imr_multiaddr.s_addr = htonl(GROUP);
	assert_int_equal(member(fx, s, IP_ADD_MEMBERSHIP, &mreq, 7), -EINVAL);
	mreq.imr_ifindex = 99;
	assert_int_equal(member(fx, s, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)), -ENODEV);
	mreq.imr_ifindex = -1;
	assert_int_equal(member(fx, s, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)), -ENODEV);
	mreq.imr_ifindex = 0;
	mreq.imr_address.s_addr = htonl(PEER_IP);
	assert_int_equal(member(fx, s, IP_ADD_MEMBERSHIP, &mreq, sizeof(mreq)), -ENODEV);
	fx_close(fx);
}

static void the_multicast_interface_is_set_by_address_or_index(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	struct in_addr addr = { htonl(STACK_IP) };
	struct ip_mreqn mreq = { .imr_ifindex = (int)fx->iface->index };
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MULTICAST_IF), 0);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_MULTICAST_IF, &addr, 4), 0);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MULTICAST_IF), htonl(STACK_IP));
	addr.s_addr = 0;
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_MULTICAST_IF, &addr, 4), 0);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MULTICAST_IF), 0);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_MULTICAST_IF, &mreq,
					   sizeof(mreq)), 0);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MULTICAST_IF), htonl(STACK_IP));
	addr.s_addr = htonl(PEER_IP);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_MULTICAST_IF, &addr, 4),
			 -EADDRNOTAVAIL);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_MULTICAST_IF, &addr, 3),
			 -EINVAL);
	fx_close(fx);
}

/* ---- addresses, through the manifest and the socket calls ---- */

static void addresses_are_dotted_quads_to_the_letter(void **state)
{
	static const char *const bad[] = {
		"192.0.2", "192.0.2.2.2", "192.0.2.02", "192.0.2.256", "192.0.2.2 ", "0xc0.0.2.2",
		"192.0.2.", ".192.0.2", "192..0.2", "1922.0.2.2", "", "192.0.2.2/33",
	};
	struct fixture *fx = fx_open(MODULES);
	struct strata_prefix prefix;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(strata_prefix_parse(fx->stack, bad[i], &prefix), -EINVAL);
	assert_int_equal(strata_prefix_parse(fx->stack, "203.0.113.255/25", &prefix), 0);
	assert_int_equal(prefix.bits, 25);
	assert_memory_equal(prefix.addr.bytes, "\xcb\x00\x71\xff", 4);
	assert_string_equal(strata_addr_text(fx->stack, &prefix.addr), "203.0.113.255");
	assert_int_equal(strata_prefix_parse(fx->stack, "0.0.0.0/0", &prefix), 0);
	assert_int_equal(prefix.bits, 0);
	fx_close(fx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_number_is_checked_and_read_back),
		cmocka_unit_test(a_number_may_be_one_byte),
		cmocka_unit_test(what_is_set_is_what_is_sent),
		cmocka_unit_test(the_mtu_is_of_a_connected_socket),
		cmocka_unit_test(what_was_received_is_told_to_who_asked),
		cmocka_unit_test(a_control_message_overrides_for_one_datagram),
		cmocka_unit_test(a_faulty_control_message_is_refused),
		cmocka_unit_test(a_group_is_heard_between_joining_and_leaving),
		cmocka_unit_test(faulty_memberships_are_refused),
		cmocka_unit_test(the_multicast_interface_is_set_by_address_or_index),
		cmocka_unit_test(addresses_are_dotted_quads_to_the_letter),
	};

	return fx_main(tests);
}
