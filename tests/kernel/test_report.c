/* SPDX-License-Identifier: BSD-2-Clause */
/* The error queue of sockets: errors of the network, time stamps, its limit. */
#include <time.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/tcp.h>

#include "fixture.h"

#define MODULES "ethernet arp ipv4 icmp udp newreno tcp"

/* What one recvmsg(2) with MSG_ERRQUEUE gave. */
struct told {
	ssize_t result;
	int flags;
	char data[2048];
	struct sockaddr_in to;
	socklen_t to_length;
	struct sock_extended_err ee;	/* of IP_RECVERR */
	struct sockaddr_in offender;
	bool has_error;
	struct timespec stamp;		/* of SCM_TIMESTAMPING */
	bool has_stamp;
};

static void take_control(struct msghdr *msg, struct told *told)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c != NULL; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) {
			assert_int_equal(c->cmsg_len,
					 CMSG_LEN(sizeof(told->ee) + sizeof(told->offender)));
			memcpy(&told->ee, CMSG_DATA(c), sizeof(told->ee));
			memcpy(&told->offender, CMSG_DATA(c) + sizeof(told->ee),
			       sizeof(told->offender));
			told->has_error = true;
		} else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPING) {
			assert_int_equal(c->cmsg_len, CMSG_LEN(3 * sizeof(struct timespec)));
			memcpy(&told->stamp, CMSG_DATA(c), sizeof(told->stamp));
			told->has_stamp = true;
		}
	}
}

static struct told take_flags(struct fixture *fx, int s, size_t room, int flags)
{
	struct told told = { 0 };
	union {
		struct cmsghdr align;
		char bytes[512];
	} control;
	struct iovec iov = { told.data, room };
	struct msghdr msg = {
		.msg_name = &told.to, .msg_namelen = sizeof(told.to), .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.bytes, .msg_controllen = sizeof(control.bytes),
	};

	told.result = strata_recvmsg(fx->stack, s, &msg, flags);
	told.flags = msg.msg_flags;
	told.to_length = msg.msg_namelen;
	if (told.result >= 0)
		take_control(&msg, &told);
	return told;
}

static struct told take(struct fixture *fx, int s)
{
	return take_flags(fx, s, 2048, MSG_ERRQUEUE);
}

/* A frame kept beyond the next one. */
struct kept {
	uint8_t bytes[2048];
	struct fx_pkt pkt;
};

static void keep(struct kept *kept, const struct fx_pkt *pkt)
{
	memcpy(kept->bytes, pkt->frame, pkt->length);
	assert_null(fx_decode(&kept->pkt, kept->bytes, pkt->length, false));
}

static int asking_socket(struct fixture *fx)
{
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVERR, 1);
	return s;
}

static void an_empty_queue_is_eagain(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int udp = fx_socket(fx, SOCK_DGRAM, 0), tcp = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(take(fx, udp).result, -EAGAIN);
	assert_int_equal(take(fx, tcp).result, -EAGAIN);
	fx_close(fx);
}

static void an_error_comes_with_its_datagram_and_who_told(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int s = asking_socket(fx);
	struct kept kept;
	struct told told;

	(void)state;
	fx_sendto(fx, s, "hello", 5, PEER_IP, 77);
	keep(&kept, expect_udp(.dport = 77, .text = "hello"));
	rx_icmp_error(3, 3, 0, &kept.pkt, 8 + 5);
	expect_events(s, EPOLLOUT | EPOLLERR);
	told = take(fx, s);
	assert_int_equal(told.result, 5);
	assert_memory_equal(told.data, "hello", 5);
	assert_int_equal(told.flags, MSG_ERRQUEUE);
	assert_int_equal(told.to_length, sizeof(told.to));
	assert_int_equal(ntohl(told.to.sin_addr.s_addr), PEER_IP);
	assert_int_equal(ntohs(told.to.sin_port), 77);
	assert_true(told.has_error);
	assert_int_equal(told.ee.ee_errno, ECONNREFUSED);
	assert_int_equal(told.ee.ee_origin, SO_EE_ORIGIN_ICMP);
	assert_int_equal(told.ee.ee_type, 3);
	assert_int_equal(told.ee.ee_code, 3);
	assert_int_equal(told.offender.sin_family, AF_INET);
	assert_int_equal(ntohl(told.offender.sin_addr.s_addr), PEER_IP);
	/* With the queue read, SO_ERROR has nothing more to say. */
	expect_events(s, EPOLLOUT);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	assert_int_equal(take(fx, s).result, -EAGAIN);
	fx_close(fx);
}

static void errors_stay_in_order_and_so_error_is_the_next(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int s = asking_socket(fx);
	static const char large[1400];
	struct kept kept;

	(void)state;
	fx_sendto(fx, s, large, sizeof(large), PEER_IP, 77);
	keep(&kept, expect_udp(.dport = 77, .len = FX_AUTO, .any_data = true));
	rx_icmp_error(3, 3, 0, &kept.pkt, 8);
	rx_icmp_error(3, 1, 0, &kept.pkt, 8);
	rx_icmp_error(3, 4, 1300, &kept.pkt, 8);
	assert_int_equal(take(fx, s).ee.ee_errno, ECONNREFUSED);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), EHOSTUNREACH);
	/* That took the error, not the report. */
	expect_events(s, EPOLLOUT | EPOLLERR);
	assert_int_equal(take(fx, s).ee.ee_errno, EHOSTUNREACH);
	{
		struct told told = take(fx, s);

		assert_int_equal(told.ee.ee_errno, EMSGSIZE);
		assert_int_equal(told.ee.ee_info, 1300);
	}
	expect_events(s, EPOLLOUT);
	fx_close(fx);
}

static void without_the_option_nothing_is_queued(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int s = fx_socket(fx, SOCK_DGRAM, 0);
	struct kept kept;

	(void)state;
	assert_int_equal(fx_connect(fx, s, PEER_IP, 77), 0);
	fx_send(fx, s, "x", 1);
	keep(&kept, expect_udp(.dport = 77, .len = FX_AUTO));
	rx_icmp_error(3, 3, 0, &kept.pkt, 8);
	assert_int_equal(take(fx, s).result, -EAGAIN);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	fx_close(fx);
}

static void data_that_does_not_fit_is_cut_and_told(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int s = asking_socket(fx);
	struct kept kept;
	struct told told;

	(void)state;
	fx_sendto(fx, s, "hello", 5, PEER_IP, 77);
	keep(&kept, expect_udp(.dport = 77, .len = FX_AUTO));
	rx_icmp_error(3, 3, 0, &kept.pkt, 8 + 5);
	told = take_flags(fx, s, 2, MSG_ERRQUEUE);
	assert_int_equal(told.result, 2);
	assert_int_equal(told.flags, MSG_ERRQUEUE | MSG_TRUNC);
	fx_close(fx);
}

static void the_queue_is_bounded_by_the_receive_buffer(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int s = asking_socket(fx), taken = 0, i;
	struct kept kept;
	size_t before;

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVBUF, 5000);
	fx_sendto(fx, s, "hello", 5, PEER_IP, 77);
	keep(&kept, expect_udp(.dport = 77, .len = FX_AUTO));
	before = fx->bytes;
	for (i = 0; i < 1000; i++)
		rx_icmp_error(3, 3, 0, &kept.pkt, 8 + 5);
	assert_true(fx->bytes - before < 20000);
	while (take(fx, s).result >= 0)
		taken++;
	assert_in_range(taken, 20, 999);
	assert_int_equal(fx_counter(fx, "kernel", "reports_lost"), 1000 - taken);
	/* And what nobody takes goes with the socket. */
	rx_icmp_error(3, 3, 0, &kept.pkt, 8 + 5);
	fx_close(fx);
}

static void a_connect_that_fails_tells_a_stream_why(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int s = fx_socket(fx, SOCK_STREAM, 0);
	struct kept kept;
	struct told told;

	(void)state;
	fx->conn.stack_port = 0;
	fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVERR, 1);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 40000), -EINPROGRESS);
	keep(&kept, expect_tx(SYN));
	rx_icmp_error(11, 0, 0, &kept.pkt, 8);
	told = take(fx, s);
	assert_true(told.result >= 8);
	assert_int_equal(told.ee.ee_errno, EHOSTUNREACH);
	assert_int_equal(told.ee.ee_type, 11);
	assert_int_equal(ntohs(told.to.sin_port), 40000);
	fx_close(fx);
}

/* ---- time stamps ---- */

static int stamping(struct fixture *fx, int s, uint32_t flags)
{
	return strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags));
}

static void stamping_flags_are_checked_as_on_linux(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int s = fx_socket(fx, SOCK_DGRAM, 0), stream = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(stamping(fx, s, 1u << 20), -EINVAL);
	assert_int_equal(stamping(fx, s, 1u << 16), -EINVAL);	/* OPT_ID_TCP without OPT_ID */
	assert_int_equal(stamping(fx, s, SOF_TIMESTAMPING_OPT_STATS | SOF_TIMESTAMPING_OPT_TSONLY),
			 -EOPNOTSUPP);
	assert_int_equal(stamping(fx, s, SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_HARDWARE), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_TIMESTAMPING),
			 SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_HARDWARE);
	/* Bytes of a stream are counted from where it stands: there must be one. */
	assert_int_equal(stamping(fx, stream, SOF_TIMESTAMPING_OPT_ID), -EINVAL);
	assert_int_equal(stamping(fx, stream, SOF_TIMESTAMPING_SOFTWARE), 0);
	fx_close(fx);
}

static void a_datagram_tells_when_it_came(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int s = udp_on(7);
	struct told told;

	(void)state;
	assert_int_equal(stamping(fx, s, SOF_TIMESTAMPING_RX_SOFTWARE), 0);
	rx_udp(.text = "a");
	assert_false(take_flags(fx, s, 10, 0).has_stamp);
	assert_int_equal(stamping(fx, s, SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE), 0);
	rx_udp(.text = "b");
	fx_advance(fx, 1500);
	rx_udp(.text = "c");
	told = take_flags(fx, s, 10, 0);
	assert_true(told.has_stamp);
	{
		struct told later = take_flags(fx, s, 10, 0);
		int64_t apart = (later.stamp.tv_sec - told.stamp.tv_sec) * 1000 +
				(later.stamp.tv_nsec - told.stamp.tv_nsec) / 1000000;

		assert_int_equal(apart, 1500);
	}
	fx_close(fx);
}

static void a_datagram_tells_when_it_left(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int s = fx_socket(fx, SOCK_DGRAM, 0);
	struct told told;

	(void)state;
	assert_int_equal(stamping(fx, s, SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED |
					 SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
					 SOF_TIMESTAMPING_OPT_TSONLY), 0);
	fx_sendto(fx, s, "one", 3, PEER_IP, 9);
	fx_sendto(fx, s, "two", 3, PEER_IP, 9);
	expect_udp(.text = "one");
	expect_udp(.text = "two");
	for (uint32_t i = 0; i < 4; i++) {
		told = take(fx, s);
		assert_int_equal(told.result, 0);
		assert_true(told.has_stamp);
		assert_true(told.stamp.tv_sec != 0);
		assert_int_equal(told.ee.ee_errno, ENOMSG);
		assert_int_equal(told.ee.ee_origin, SO_EE_ORIGIN_TIMESTAMPING);
		assert_int_equal(told.ee.ee_info, i % 2 == 0 ? SCM_TSTAMP_SCHED : SCM_TSTAMP_SND);
		assert_int_equal(told.ee.ee_data, i / 2);
		assert_int_equal(told.offender.sin_family, AF_UNSPEC);
	}
	assert_int_equal(take(fx, s).result, -EAGAIN);
	fx_close(fx);
}

static void leaving_is_told_when_the_neighbour_is_known_at_last(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES, .resolve = true);
	int s = fx_socket(fx, SOCK_DGRAM, 0);
	struct told told;

	(void)state;
	fx_discard(fx);
	assert_int_equal(stamping(fx, s, SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE), 0);
	fx_sendto(fx, s, "one", 3, PEER_IP, 9);
	expect_arp(1, .tpa = PEER_IP);
	assert_int_equal(take(fx, s).result, -EAGAIN);
	fx_advance(fx, 300);
	rx_arp(2);
	expect_udp(.text = "one");
	told = take(fx, s);
	assert_int_equal(told.ee.ee_info, SCM_TSTAMP_SND);
	/* Without OPT_TSONLY the frame comes along. */
	assert_int_equal(told.result, 14 + 20 + 8 + 3);
	assert_memory_equal(told.data + 14 + 20 + 8, "one", 3);
	fx_close(fx);
}

static void one_message_may_ask_for_itself(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int s = fx_socket(fx, SOCK_DGRAM, 0);
	struct sockaddr_in to = fx_sockaddr(PEER_IP, 9);
	struct iovec iov = { "x", 1 };
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(uint32_t))];
	} control = { .header = { .cmsg_len = CMSG_LEN(sizeof(uint32_t)), .cmsg_level = SOL_SOCKET,
				  .cmsg_type = SO_TIMESTAMPING } };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov,
			      .msg_iovlen = 1, .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	uint32_t flags = SOF_TIMESTAMPING_TX_SCHED;

	(void)state;
	memcpy(CMSG_DATA(&control.header), &flags, sizeof(flags));
	assert_int_equal(strata_sendmsg(fx->stack, s, &msg, 0), 1);
	assert_int_equal(take(fx, s).ee.ee_info, SCM_TSTAMP_SCHED);
	fx_sendto(fx, s, "x", 1, PEER_IP, 9);
	assert_int_equal(take(fx, s).result, -EAGAIN);
	flags = SOF_TIMESTAMPING_RX_SOFTWARE;
	memcpy(CMSG_DATA(&control.header), &flags, sizeof(flags));
	assert_int_equal(strata_sendmsg(fx->stack, s, &msg, 0), -EINVAL);
	fx_close(fx);
}

/* What was dropped on the way never leaves: its entry goes with the socket, or makes room. */
static void stamps_of_packets_that_never_leave_are_bounded(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES, .resolve = true);
	int s = fx_socket(fx, SOCK_DGRAM, 0), i;
	size_t before;

	(void)state;
	assert_int_equal(stamping(fx, s, SOF_TIMESTAMPING_TX_SOFTWARE), 0);
	for (i = 0; i < 20; i++)
		fx_sendto(fx, s, "x", 1, PEER_IP, 9);
	fx_advance(fx, 10000);
	before = fx->bytes;
	for (i = 0; i < 1000; i++)
		fx_sendto(fx, s, "x", 1, PEER_IP, 9);
	fx_advance(fx, 10000);
	fx_discard(fx);
	assert_true(fx->bytes < before + 20000);
	fx_close_socket(fx, s);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_queue_is_eagain),
		cmocka_unit_test(an_error_comes_with_its_datagram_and_who_told),
		cmocka_unit_test(errors_stay_in_order_and_so_error_is_the_next),
		cmocka_unit_test(without_the_option_nothing_is_queued),
		cmocka_unit_test(data_that_does_not_fit_is_cut_and_told),
		cmocka_unit_test(the_queue_is_bounded_by_the_receive_buffer),
		cmocka_unit_test(a_connect_that_fails_tells_a_stream_why),
		cmocka_unit_test(stamping_flags_are_checked_as_on_linux),
		cmocka_unit_test(a_datagram_tells_when_it_came),
		cmocka_unit_test(a_datagram_tells_when_it_left),
		cmocka_unit_test(leaving_is_told_when_the_neighbour_is_known_at_last),
		cmocka_unit_test(one_message_may_ask_for_itself),
		cmocka_unit_test(stamps_of_packets_that_never_leave_are_bounded),
	};

	return fx_main(tests);
}
