/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams out and the calls of a UDP socket: what is sent, what is refused, what is told. */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "udp_test.h"

/* ---- sending ---- */

static void what_is_sent_arrives_byte_by_byte_with_a_checksum(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(4000);
	const struct fx_pkt *pkt;

	(void)state;
	assert_int_equal(fx_sendto(fx, s, "hello", 5, PEER_IP, 7), 5);
	pkt = expect_udp(.sport = 4000, .dport = 7, .text = "hello");
	assert_true(pkt->udp.checksum);
	assert_int_equal(pkt->ip.src, STACK_IP);
	assert_int_equal(pkt->ip.dst, PEER_IP);
	assert_int_equal(pkt->ip.ttl, 64);
	assert_int_equal(fx_sendto(fx, s, "", 0, PEER_IP, 7), 0);
	expect_udp(.sport = 4000, .dport = 7, .text = "");
	assert_int_equal(fx_counter(fx, "udp", "out_datagrams"), 2);
	fx_close(fx);
}

static void a_sum_of_zero_is_sent_as_all_ones(void **state)
{
	struct fixture *fx = udp_open();
	uint8_t datagram[10] = { 0x0f, 0xa0, 0, 7, 0, 10, 0, 0, 0, 0 };
	const struct fx_pkt *pkt;
	uint16_t word;
	int s = udp_on(4000);

	(void)state;
	/* The payload is what is missing for a sum of 0xffff, whose complement is 0. */
	word = fx_sum_finish(fx_sum(fx_sum_pseudo(STACK_IP, PEER_IP, 17, 10), datagram, 10));
	strata_put_be16(datagram + 8, word);
	assert_int_equal(fx_sendto(fx, s, datagram + 8, 2, PEER_IP, 7), 2);
	pkt = expect_udp(.sport = 4000, .dport = 7, .data = datagram + 8, .len = 2);
	assert_int_equal(strata_get_be16(pkt->transport + 6), 0xffff);
	fx_close(fx);
}

static void parts_are_gathered_and_scattered(void **state)
{
	struct fixture *fx = udp_open();
	char a[3], b[10];
	struct iovec out[] = { { "he", 2 }, { NULL, 0 }, { "llo", 3 } }, in[] = { { a, 3 }, { b, 10 } };
	struct sockaddr_in to = fx_sockaddr(PEER_IP, 7);
	struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = out, .msg_iovlen = 3,
	};
	int s = udp_on(4000);

	(void)state;
	assert_int_equal(strata_sendmsg(fx->stack, s, &msg, 0), 5);
	expect_udp(.sport = 4000, .dport = 7, .text = "hello");
	rx_udp(.sport = 7, .dport = 4000, .text = "world");
	msg = (struct msghdr){ .msg_iov = in, .msg_iovlen = 2 };
	assert_int_equal(strata_recvmsg(fx->stack, s, &msg, 0), 5);
	assert_memory_equal(a, "wor", 3);
	assert_memory_equal(b, "ld", 2);
	fx_close(fx);
}

static void the_largest_datagram_goes_out_in_fragments_and_a_larger_one_does_not(void **state)
{
	struct fixture *fx = udp_open();
	static uint8_t data[65508];
	int s = udp_on(4000);

	(void)state;
	fx_pattern_fill(data, sizeof(data), 0);
	assert_int_equal(fx_sendto(fx, s, data, 65507, PEER_IP, 7), 65507);
	expect_udp(.sport = 4000, .dport = 7, .len = 65507);
	assert_int_equal(fx_sendto(fx, s, data, 65508, PEER_IP, 7), -EMSGSIZE);
	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO), 0);
	assert_int_equal(fx_sendto(fx, s, data, 1472, PEER_IP, 7), 1472);
	assert_true(expect_udp(.dport = 7, .len = 1472)->ip.df);
	assert_int_equal(fx_sendto(fx, s, data, 1473, PEER_IP, 7), -EMSGSIZE);
	expect_silence(10);
	fx_close(fx);
}

static void wrong_sends_have_linux_errors(void **state)
{
	struct fixture *fx = udp_open();
	struct sockaddr_in to = fx_sockaddr(PEER_IP, 7);
	int s = udp_socket(fx);

	(void)state;
	assert_int_equal(fx_send(fx, s, "x", 1), -EDESTADDRREQ);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 0), -EINVAL);
	assert_int_equal(fx_sendto(fx, s, "x", 1, IP4(203, 0, 113, 1), 7), -ENETUNREACH);
	assert_int_equal(strata_sendto(fx->stack, s, "x", 1, MSG_OOB, (struct sockaddr *)&to,
				       sizeof(to)), -EOPNOTSUPP);
	assert_int_equal(strata_sendto(fx->stack, s, "x", 1, 0, (struct sockaddr *)&to, 8),
			 -EINVAL);
	to.sin_family = AF_INET6;
	assert_int_equal(strata_sendto(fx->stack, s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)),
			 -EAFNOSUPPORT);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), -ENOTCONN);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -EPIPE);
	expect_silence(10);
	fx_close(fx);
}

static void a_first_send_binds_to_an_ephemeral_port(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_socket(fx);
	uint16_t port;

	(void)state;
	assert_int_equal(fx_local_port(fx, s), 0);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), 1);
	port = fx_local_port(fx, s);
	assert_in_range(port, 32768, 60999);
	expect_udp(.sport = port, .dport = 7, .text = "x");
	rx_udp(.sport = 7, .dport = port, .text = "y");
	expect_recv(fx, s, "y", PEER_IP, 7);
	fx_close(fx);
}

static void a_broadcast_needs_permission(void **state)
{
	struct fixture *fx = udp_open();
	const struct fx_pkt *pkt;
	int s = udp_socket(fx);

	(void)state;
	assert_int_equal(fx_sendto(fx, s, "x", 1, BROADCAST_IP, 7), -EACCES);
	assert_int_equal(fx_connect(fx, s, BROADCAST_IP, 7), -EACCES);
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_BROADCAST, 1), 0);
	assert_int_equal(fx_sendto(fx, s, "x", 1, BROADCAST_IP, 7), 1);
	pkt = expect_udp(.dport = 7, .text = "x", .ip = { .src = STACK_IP, .dst = BROADCAST_IP });
	assert_memory_equal(pkt->eth_dst, BROADCAST_MAC, 6);
	assert_int_equal(fx_connect(fx, s, BROADCAST_IP, 7), 0);
	fx_close(fx);
}

static void a_multicast_has_its_own_ttl_and_comes_back_when_joined(void **state)
{
	struct fixture *fx = udp_open();
	struct ip_mreqn group = {
		.imr_multiaddr.s_addr = htonl(GROUP_IP), .imr_ifindex = (int)fx->iface->index,
	};
	int s = udp_on(7);
	const struct fx_pkt *pkt;

	(void)state;
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_MULTICAST_IF, &group,
					   sizeof(group)), 0);
	assert_int_equal(fx_sendto(fx, s, "1", 1, GROUP_IP, 7), 1);
	pkt = expect_udp(.dport = 7, .text = "1", .ip = { .dst = GROUP_IP });
	assert_int_equal(pkt->ip.ttl, 1);
	assert_memory_equal(pkt->eth_dst, "\x01\x00\x5e\x00\x01\x05", 6);
	expect_nothing(fx, s);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &group,
					   sizeof(group)), 0);
	fx_discard(fx);
	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, IP_MULTICAST_TTL, 9), 0);
	assert_int_equal(fx_sendto(fx, s, "2", 1, GROUP_IP, 7), 1);
	assert_int_equal(expect_udp(.dport = 7, .text = "2")->ip.ttl, 9);
	expect_recv(fx, s, "2", STACK_IP, 7);
	/* With a TTL of 0 it stays on this host; without loop it goes nowhere else. */
	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, IP_MULTICAST_TTL, 0), 0);
	assert_int_equal(fx_sendto(fx, s, "3", 1, GROUP_IP, 7), 1);
	expect_silence(10);
	expect_recv(fx, s, "3", STACK_IP, 7);
	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, IP_MULTICAST_LOOP, 0), 0);
	assert_int_equal(fx_sendto(fx, s, "4", 1, GROUP_IP, 7), 1);
	expect_silence(10);
	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, IP_MULTICAST_TTL, 1), 0);
	assert_int_equal(fx_sendto(fx, s, "5", 1, GROUP_IP, 7), 1);
	expect_udp(.dport = 7, .text = "5");
	expect_nothing(fx, s);
	fx_close(fx);
}

static void what_is_sent_to_itself_arrives_without_the_wire(void **state)
{
	struct fixture *fx = udp_open();
	int a = udp_on(7), b = udp_on(8);
	static uint8_t data[60000], buf[60001];

	(void)state;
	assert_int_equal(fx_sendto(fx, b, "self", 4, STACK_IP, 7), 4);
	expect_recv(fx, a, "self", STACK_IP, 8);
	assert_int_equal(fx_sendto(fx, b, "any", 3, 0, 7), 3);
	expect_recv(fx, a, "any", STACK_IP, 8);
	fx_pattern_fill(data, sizeof(data), 0);
	assert_int_equal(fx_sendto(fx, b, data, sizeof(data), STACK_IP, 7), sizeof(data));
	assert_int_equal(fx_recv(fx, a, buf, sizeof(buf)), sizeof(data));
	assert_memory_equal(buf, data, sizeof(data));
	expect_silence(10);
	fx_close(fx);
}

/* ---- connecting ---- */

static void connecting_sets_both_ends_and_disconnecting_frees_them(void **state)
{
	struct fixture *fx = udp_open();
	struct sockaddr_in name;
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	socklen_t length = sizeof(name);
	int s = udp_socket(fx);
	uint16_t port;

	(void)state;
	assert_int_equal(strata_getpeername(fx->stack, s, (struct sockaddr *)&name, &length),
			 -ENOTCONN);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 7), 0);
	port = fx_local_port(fx, s);
	assert_in_range(port, 32768, 60999);
	assert_int_equal(strata_getsockname(fx->stack, s, (struct sockaddr *)&name, &length), 0);
	assert_int_equal(ntohl(name.sin_addr.s_addr), STACK_IP);
	assert_int_equal(strata_getpeername(fx->stack, s, (struct sockaddr *)&name, &length), 0);
	assert_int_equal(ntohl(name.sin_addr.s_addr), PEER_IP);
	assert_int_equal(ntohs(name.sin_port), 7);
	assert_int_equal(fx_send(fx, s, "x", 1), 1);
	expect_udp(.sport = port, .dport = 7, .text = "x");
	/* Elsewhere too, from the same end. */
	assert_int_equal(fx_sendto(fx, s, "y", 1, PEER_IP, 8), 1);
	expect_udp(.sport = port, .dport = 8, .text = "y");
	assert_int_equal(strata_connect(fx->stack, s, &unspec, sizeof(unspec)), 0);
	assert_int_equal(strata_getpeername(fx->stack, s, (struct sockaddr *)&name, &length),
			 -ENOTCONN);
	assert_int_equal(fx_local_port(fx, s), 0);
	assert_int_equal(fx_send(fx, s, "x", 1), -EDESTADDRREQ);
	rx_udp(.sport = 7, .dport = port, .text = "late");
	expect_drop("kernel", "no_flow");
	fx_close(fx);
}

static void a_bound_socket_keeps_its_port_when_it_disconnects(void **state)
{
	struct fixture *fx = udp_open();
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	int s = udp_on(4000);

	(void)state;
	assert_int_equal(fx_connect(fx, s, PEER_IP, 7), 0);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 8), 0);
	rx_udp(.sport = 8, .dport = 4000, .text = "8");
	expect_recv(fx, s, "8", PEER_IP, 8);
	assert_int_equal(strata_connect(fx->stack, s, &unspec, sizeof(unspec)), 0);
	assert_int_equal(fx_local_port(fx, s), 4000);
	rx_udp(.sport = 99, .dport = 4000, .text = "99", .ip = { .src = OTHER_IP });
	expect_recv(fx, s, "99", OTHER_IP, 99);
	fx_close(fx);
}

static void two_sockets_cannot_have_the_same_both_ends(void **state)
{
	struct fixture *fx = udp_open();
	int a = udp_socket(fx), b = udp_socket(fx);

	(void)state;
	assert_int_equal(fx_setsockopt(fx, a, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	assert_int_equal(fx_setsockopt(fx, b, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	fx_bind(fx, a, 0, 4000);
	fx_bind(fx, b, 0, 4000);
	assert_int_equal(fx_connect(fx, a, PEER_IP, 7), 0);
	assert_int_equal(fx_connect(fx, b, PEER_IP, 7), -EADDRINUSE);
	/* It is as it was. */
	rx_udp(.sport = 8, .dport = 4000, .text = "b");
	expect_recv(fx, b, "b", PEER_IP, 8);
	fx_close(fx);
}

static void the_source_is_the_bound_address(void **state)
{
	struct fixture *fx = udp_open(.address = "192.0.2.2/24, 192.0.2.3/24");
	int s = udp_socket(fx), t = udp_socket(fx);

	(void)state;
	fx_bind(fx, s, IP4(192, 0, 2, 3), 4000);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), 1);
	expect_udp(.dport = 7, .text = "x", .ip = { .src = IP4(192, 0, 2, 3) });
	fx_bind(fx, t, 0, 4000 + 1);
	assert_int_equal(fx_sendto(fx, t, "y", 1, PEER_IP, 7), 1);
	expect_udp(.dport = 7, .text = "y", .ip = { .src = STACK_IP });
	fx_close(fx);
}

static void who_is_bound_to_a_broadcast_address_sends_from_its_own(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_socket(fx);

	(void)state;
	fx_bind(fx, s, BROADCAST_IP, 4000);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), 1);
	expect_udp(.sport = 4000, .dport = 7, .text = "x", .ip = { .src = STACK_IP });
	assert_int_equal(fx_connect(fx, s, PEER_IP, 7), 0);
	assert_int_equal(fx_send(fx, s, "y", 1), 1);
	expect_udp(.sport = 4000, .dport = 7, .text = "y", .ip = { .src = STACK_IP });
	fx_close(fx);
}

/* ---- receiving ---- */

static void peeking_leaves_and_truncation_tells(void **state)
{
	struct fixture *fx = udp_open();
	char buf[8];
	struct iovec iov = { buf, 3 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	int s = udp_on(7), value = -1;

	(void)state;
	assert_int_equal(strata_ioctl(fx->stack, s, SIOCINQ, &value), 0);
	assert_int_equal(value, 0);
	rx_udp(.sport = 4000, .dport = 7, .text = "hello");
	rx_udp(.sport = 4000, .dport = 7, .text = "again");
	assert_int_equal(strata_ioctl(fx->stack, s, SIOCINQ, &value), 0);
	assert_int_equal(value, 5);
	assert_int_equal(strata_ioctl(fx->stack, s, SIOCOUTQ, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(strata_ioctl(fx->stack, s, 0x1234, &value), -ENOTTY);
	assert_int_equal(strata_recv(fx->stack, s, buf, sizeof(buf), MSG_PEEK), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(strata_recv(fx->stack, s, NULL, 0, MSG_PEEK | MSG_TRUNC), 5);
	assert_int_equal(strata_recvmsg(fx->stack, s, &msg, 0), 3);
	assert_int_equal(msg.msg_flags, MSG_TRUNC);
	expect_recv(fx, s, "again", PEER_IP, 4000);
	assert_int_equal(strata_recv(fx->stack, s, buf, 1, MSG_OOB), -EOPNOTSUPP);
	assert_int_equal(strata_recv(fx->stack, s, buf, 1, MSG_ERRQUEUE), -EAGAIN);
	fx_close(fx);
}

/* As Linux: a datagram is readable whatever its size, and no send buffer holds any back. */
static void readiness_does_not_ask_for_low_water_or_send_buffers(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(7);

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 100);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 1);
	expect_events(s, EPOLLOUT);
	rx_udp(.text = "short");
	expect_events(s, EPOLLIN | EPOLLOUT);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 1000);
	expect_events(s, EPOLLIN | EPOLLOUT);
	expect_recv(fx, s, "short", PEER_IP, 40000);
	expect_events(s, EPOLLOUT);
	fx_close(fx);
}

static void a_shut_down_socket_reads_the_end_and_takes_no_more(void **state)
{
	struct fixture *fx = udp_open();
	char buf[8];
	int s = udp_on(7);

	(void)state;
	assert_int_equal(fx_connect(fx, s, PEER_IP, 4000), 0);
	assert_int_equal(strata_shutdown(fx->stack, s, 9), -EINVAL);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_RD), 0);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 0);
	rx_udp(.sport = 4000, .dport = 7, .text = "late");
	expect_drop("udp", "shut_down");
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	fx_close(fx);
}

/* What a received message says beside its bytes. */
struct said {
	struct msghdr msg;
	struct iovec iov;
	char data[16];
	union {
		struct cmsghdr align;
		uint8_t room[256];
	} control;
};

static void receive(struct fixture *fx, int s, struct said *said, size_t room)
{
	memset(said, 0, sizeof(*said));
	said->iov = (struct iovec){ said->data, sizeof(said->data) };
	said->msg = (struct msghdr){
		.msg_iov = &said->iov, .msg_iovlen = 1, .msg_control = &said->control,
		.msg_controllen = room,
	};
	assert_true(strata_recvmsg(fx->stack, s, &said->msg, 0) >= 0);
}

static const void *find_control(struct said *said, int level, int type)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(&said->msg); c != NULL; c = CMSG_NXTHDR(&said->msg, c))
		if (c->cmsg_level == level && c->cmsg_type == type)
			return CMSG_DATA(c);
	return NULL;
}

static void control_messages_say_when_where_and_how(void **state)
{
	struct fixture *fx = udp_open();
	const struct in_pktinfo *info;
	struct timespec ts;
	struct timeval tv;
	struct said said;
	uint64_t wall;
	int s = udp_on(7), ttl;

	(void)state;
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_TIMESTAMPNS, 1), 0);
	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, IP_PKTINFO, 1), 0);
	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVTTL, 1), 0);
	rx_udp(.dport = 7, .text = "x", .ip = { .ttl = 17 });
	fx_advance(fx, 250);
	wall = strata_wall_clock(fx->stack) - 250 * STRATA_MS;
	receive(fx, s, &said, sizeof(said.control));
	assert_int_equal(said.msg.msg_flags, 0);
	assert_non_null(find_control(&said, SOL_SOCKET, SO_TIMESTAMPNS));
	memcpy(&ts, find_control(&said, SOL_SOCKET, SO_TIMESTAMPNS), sizeof(ts));
	assert_int_equal((uint64_t)ts.tv_sec * STRATA_SEC + (uint64_t)ts.tv_nsec, wall);
	info = find_control(&said, IPPROTO_IP, IP_PKTINFO);
	assert_non_null(info);
	assert_int_equal(ntohl(info->ipi_addr.s_addr), STACK_IP);
	assert_int_equal(info->ipi_ifindex, fx->iface->index);
	memcpy(&ttl, find_control(&said, IPPROTO_IP, IP_TTL), sizeof(ttl));
	assert_int_equal(ttl, 17);
	/* SO_TIMESTAMP takes the other's place. */
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_TIMESTAMP, 1), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_TIMESTAMPNS), 0);
	rx_udp(.dport = 7, .text = "x");
	wall = strata_wall_clock(fx->stack);
	receive(fx, s, &said, sizeof(said.control));
	memcpy(&tv, find_control(&said, SOL_SOCKET, SO_TIMESTAMP), sizeof(tv));
	assert_int_equal((uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec, wall / 1000);
	assert_null(find_control(&said, SOL_SOCKET, SO_TIMESTAMPNS));
	/* Too little room is told; nothing is written beyond it. */
	rx_udp(.dport = 7, .text = "x");
	receive(fx, s, &said, 8);
	assert_int_equal(said.msg.msg_flags, MSG_CTRUNC);
	assert_int_equal(said.msg.msg_controllen, 0);
	fx_close(fx);
}

static void packet_information_chooses_the_source(void **state)
{
	struct fixture *fx = udp_open(.address = "192.0.2.2/24, 192.0.2.3/24");
	struct sockaddr_in to = fx_sockaddr(PEER_IP, 7);
	union {
		struct cmsghdr header;
		uint8_t room[CMSG_SPACE(sizeof(struct in_pktinfo))];
	} control = { .room = { 0 } };
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(IP4(192, 0, 2, 3)) };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int s = udp_on(4000);

	(void)state;
	control.header = (struct cmsghdr){
		.cmsg_len = CMSG_LEN(sizeof(info)), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO,
	};
	memcpy(CMSG_DATA(&control.header), &info, sizeof(info));
	assert_int_equal(strata_sendmsg(fx->stack, s, &msg, 0), 1);
	expect_udp(.text = "x", .dport = 7, .ip = { .src = IP4(192, 0, 2, 3) });
	/* The next one without is not touched by it. */
	assert_int_equal(fx_sendto(fx, s, "y", 1, PEER_IP, 7), 1);
	expect_udp(.text = "y", .dport = 7, .ip = { .src = STACK_IP });
	fx_close(fx);
}

/* ---- limits and faults ---- */

static void without_memory_sending_says_so_and_later_works(void **state)
{
	struct fixture *fx = udp_open();
	static uint8_t data[60000];
	int s = udp_on(4000);
	ssize_t n;

	(void)state;
	fx_fail_at(fx, 1, true);
	while ((n = fx_sendto(fx, s, data, sizeof(data), PEER_IP, 7)) > 0)
		continue;
	assert_int_equal(n, -ENOBUFS);
	fx_fail_at(fx, 0, false);
	fx_discard(fx);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), 1);
	expect_udp(.dport = 7, .text = "x");
	fx_close(fx);
}

static void without_ephemeral_ports_sending_says_eagain(void **state)
{
	enum { PORTS = 60999 - 32768 + 1 };
	struct fixture *fx = udp_open();
	int *all = calloc(PORTS, sizeof(*all)), i, s;

	(void)state;
	assert_non_null(all);
	for (i = 0; i < PORTS; i++) {
		all[i] = udp_socket(fx);
		fx_bind(fx, all[i], 0, 0);
	}
	s = udp_socket(fx);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -EAGAIN);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 7), -EAGAIN);
	fx_close_socket(fx, all[5]);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 7), 0);
	free(all);
	fx_close(fx);
}

static void switched_off_its_sockets_end_and_the_protocol_is_unreachable(void **state)
{
	struct fixture *fx = udp_open();
	struct strata_error error = { 0 };
	int s = udp_on(7), t, i;
	char buf[8];

	(void)state;
	rx_udp(.dport = 7, .text = "queued");
	assert_int_equal(strata_module_disable(fx->stack, "udp", &error), 0);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ENETDOWN);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), -ENETDOWN);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -ENETDOWN);
	assert_int_equal(strata_socket(fx->stack, AF_INET, SOCK_DGRAM, 0), -EPROTONOSUPPORT);
	rx_udp(.dport = 7, .text = "x");
	expect_drop("kernel", "no_transport");
	expect_icmp(.type = 3, .code = 2, .any_data = true, .len = FX_AUTO);
	assert_int_equal(strata_module_enable(fx->stack, "udp", &error), 0);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), -ENETDOWN);
	t = udp_on(7);
	rx_udp(.sport = 4000, .dport = 7, .text = "back");
	expect_recv(fx, t, "back", PEER_IP, 4000);
	fx_close_socket(fx, s);
	for (i = 0; i < 100; i++) {
		assert_int_equal(strata_module_disable(fx->stack, "udp", &error), 0);
		assert_int_equal(strata_module_enable(fx->stack, "udp", &error), 0);
	}
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sent_arrives_byte_by_byte_with_a_checksum),
		cmocka_unit_test(a_sum_of_zero_is_sent_as_all_ones),
		cmocka_unit_test(parts_are_gathered_and_scattered),
		cmocka_unit_test(the_largest_datagram_goes_out_in_fragments_and_a_larger_one_does_not),
		cmocka_unit_test(wrong_sends_have_linux_errors),
		cmocka_unit_test(a_first_send_binds_to_an_ephemeral_port),
		cmocka_unit_test(a_broadcast_needs_permission),
		cmocka_unit_test(a_multicast_has_its_own_ttl_and_comes_back_when_joined),
		cmocka_unit_test(what_is_sent_to_itself_arrives_without_the_wire),
		cmocka_unit_test(connecting_sets_both_ends_and_disconnecting_frees_them),
		cmocka_unit_test(a_bound_socket_keeps_its_port_when_it_disconnects),
		cmocka_unit_test(two_sockets_cannot_have_the_same_both_ends),
		cmocka_unit_test(the_source_is_the_bound_address),
		cmocka_unit_test(who_is_bound_to_a_broadcast_address_sends_from_its_own),
		cmocka_unit_test(peeking_leaves_and_truncation_tells),
		cmocka_unit_test(readiness_does_not_ask_for_low_water_or_send_buffers),
		cmocka_unit_test(a_shut_down_socket_reads_the_end_and_takes_no_more),
		cmocka_unit_test(control_messages_say_when_where_and_how),
		cmocka_unit_test(packet_information_chooses_the_source),
		cmocka_unit_test(without_memory_sending_says_so_and_later_works),
		cmocka_unit_test(without_ephemeral_ports_sending_says_eagain),
		cmocka_unit_test(switched_off_its_sockets_end_and_the_protocol_is_unreachable),
	};

	return fx_main(tests);
}
