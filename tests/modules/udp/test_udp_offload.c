/* SPDX-License-Identifier: BSD-2-Clause */
/* Several datagrams in one call: UDP_SEGMENT and UDP_GRO, with the results that Linux gives. */
#include <netinet/udp.h>

#include "udp_test.h"

/* The size of each datagram as the control message tells it; 0: none does. */
static int told_size(const struct msghdr *msg)
{
	struct msghdr whole = *msg;
	struct cmsghdr *c;
	int size = 0;

	for (c = CMSG_FIRSTHDR(&whole); c != NULL; c = CMSG_NXTHDR(&whole, c))
		if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO) {
			assert_int_equal(c->cmsg_len, CMSG_LEN(sizeof(size)));
			memcpy(&size, CMSG_DATA(c), sizeof(size));
		}
	return size;
}

static ssize_t recv_told(struct fixture *fx, int s, void *buf, size_t size, int *told, int *flags)
{
	uint64_t control[16];
	struct iovec iov = { buf, size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = strata_recvmsg(fx->stack, s, &msg, 0);

	*told = n >= 0 ? told_size(&msg) : 0;
	if (flags != NULL)
		*flags = msg.msg_flags;
	return n;
}

/* Sends with UDP_SEGMENT as a control message of `length` bytes that holds `segment`. */
static ssize_t send_told(struct fixture *fx, int s, size_t n, int type, uint32_t segment, size_t length)
{
	static uint8_t data[70000];
	uint64_t control[8] = { 0 };
	struct sockaddr_in to = fx_sockaddr(PEER_IP, 7);
	struct iovec iov = { data, n };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov,
			      .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = CMSG_SPACE(length) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	fx_pattern_fill(data, n, 0);
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(length);
	memcpy(CMSG_DATA(c), &segment, length);
	return strata_sendmsg(fx->stack, s, &msg, 0);
}

static ssize_t send_pattern(struct fixture *fx, int s, size_t n)
{
	static uint8_t data[70000];

	fx_pattern_fill(data, n, 0);
	return fx_sendto(fx, s, data, n, PEER_IP, 7);
}

/* The frames that wait are `n` bytes of the pattern in datagrams of `size`. */
static void expect_datagrams(struct fixture *fx, size_t n, size_t size)
{
	uint8_t pattern[2048];
	size_t at;

	for (at = 0; at < n; at += size) {
		const struct fx_pkt *pkt = fx_next(fx);
		size_t length = n - at < size ? n - at : size;

		assert_non_null(pkt);
		assert_int_equal(pkt->ip.proto, FX_IP_UDP);
		assert_int_equal(pkt->udp.dport, 7);
		assert_true(pkt->udp.checksum);
		assert_int_equal(pkt->payload_len, length);
		fx_pattern_fill(pattern, length, at);
		assert_memory_equal(pkt->payload, pattern, length);
	}
	assert_null(fx_next(fx));
}

/* ---- options ---- */

static void options_take_what_linux_takes(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(4000), one = 1;
	socklen_t length = 1;
	uint8_t byte = 9;

	(void)state;
	assert_int_equal(fx_getsockopt(fx, s, SOL_UDP, UDP_SEGMENT), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_UDP, UDP_GRO), 0);
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_SEGMENT, 1200), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_UDP, UDP_SEGMENT), 1200);
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_SEGMENT, -1), -EINVAL);
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_SEGMENT, 65536), -EINVAL);
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_SEGMENT, 65535), 0);
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_GRO, 7), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_UDP, UDP_GRO), 1);
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_UDP, UDP_GRO, &one, 3), -EINVAL);
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, 99, 1), -ENOPROTOOPT);
	assert_int_equal(fx_getsockopt(fx, s, SOL_UDP, 99), -ENOPROTOOPT);
	assert_int_equal(strata_getsockopt(fx->stack, s, SOL_UDP, UDP_GRO, &byte, &length), 0);
	assert_int_equal(length, 1);
	assert_int_equal(byte, 1);
	fx_close(fx);
}

/* ---- sending ---- */

static void what_is_sent_leaves_in_datagrams_of_the_size(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(4000);

	(void)state;
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_SEGMENT, 1200), 0);
	assert_int_equal(send_pattern(fx, s, 5000), 5000);
	expect_datagrams(fx, 5000, 1200);
	assert_int_equal(fx_counter(fx, "udp", "out_datagrams"), 5);
	assert_int_equal(send_pattern(fx, s, 2400), 2400);
	expect_datagrams(fx, 2400, 1200);
	assert_int_equal(send_pattern(fx, s, 1201), 1201);
	expect_datagrams(fx, 1201, 1200);
	/* Not more than one: as without. */
	assert_int_equal(send_pattern(fx, s, 1200), 1200);
	expect_datagrams(fx, 1200, 1200);
	assert_int_equal(send_pattern(fx, s, 3), 3);
	expect_datagrams(fx, 3, 1200);
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_SEGMENT, 100), 0);
	assert_int_equal(send_pattern(fx, s, 350), 350);
	expect_datagrams(fx, 350, 100);
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_SEGMENT, 0), 0);
	assert_int_equal(send_pattern(fx, s, 350), 350);
	expect_datagrams(fx, 350, 350);
	fx_close(fx);
}

static void every_size_and_length_is_cut_right(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(4000);
	uint64_t rng = 3;
	unsigned int i;

	(void)state;
	for (i = 0; i < 200; i++) {
		uint32_t size = 1 + (uint32_t)(fx_random(&rng) % 1472);
		uint32_t most = size * 128 < 65507 ? size * 128 : 65507;
		uint32_t n = 1 + (uint32_t)(fx_random(&rng) % most);

		assert_int_equal(send_told(fx, s, n, UDP_SEGMENT, size, 2), n);
		expect_datagrams(fx, n, size);
	}
	fx_close(fx);
}

static void a_control_message_holds_for_one_call(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(4000);

	(void)state;
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_SEGMENT, 1000), 0);
	assert_int_equal(send_told(fx, s, 3000, UDP_SEGMENT, 600, 2), 3000);
	expect_datagrams(fx, 3000, 600);
	assert_int_equal(send_pattern(fx, s, 3000), 3000);
	expect_datagrams(fx, 3000, 1000);
	/* 0 turns it off. */
	assert_int_equal(send_told(fx, s, 1100, UDP_SEGMENT, 0, 2), 1100);
	expect_datagrams(fx, 1100, 1100);
	assert_int_equal(send_told(fx, s, 3000, UDP_SEGMENT, 600, 4), -EINVAL);
	assert_int_equal(send_told(fx, s, 3000, UDP_SEGMENT, 600, 1), -EINVAL);
	assert_int_equal(send_told(fx, s, 3000, UDP_GRO, 600, 2), -EINVAL);
	assert_null(fx_next(fx));
	fx_close(fx);
}

static void what_cannot_be_cut_is_refused_as_linux_does(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(4000);

	(void)state;
	/* 128 datagrams at most. */
	assert_int_equal(send_told(fx, s, 1280, UDP_SEGMENT, 10, 2), 1280);
	expect_datagrams(fx, 1280, 10);
	assert_int_equal(send_told(fx, s, 1281, UDP_SEGMENT, 10, 2), -EINVAL);
	/* No datagram may be larger than the path takes. */
	assert_int_equal(send_told(fx, s, 3000, UDP_SEGMENT, 1472, 2), 3000);
	expect_datagrams(fx, 3000, 1472);
	assert_int_equal(send_told(fx, s, 3000, UDP_SEGMENT, 1473, 2), -EMSGSIZE);
	/* Together they are one packet. */
	assert_int_equal(send_told(fx, s, 65507, UDP_SEGMENT, 1472, 2), 65507);
	expect_datagrams(fx, 65507, 1472);
	assert_int_equal(send_told(fx, s, 65508, UDP_SEGMENT, 1472, 2), -EMSGSIZE);
	fx_close(fx);
}

static void identifications_count_up_where_fragments_may_be_made(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(4000);
	const struct fx_pkt *pkt;
	uint16_t id;
	int i;

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	assert_int_equal(send_told(fx, s, 3000, UDP_SEGMENT, 1000, 2), 3000);
	pkt = fx_next(fx);
	id = pkt->ip.id;
	for (i = 1; i < 3; i++)
		assert_int_equal(fx_next(fx)->ip.id, (uint16_t)(id + i));
	fx_close(fx);
}

/* ---- receiving ---- */

static void rx_batch(struct fixture *fx, unsigned int count, size_t size, size_t last)
{
	uint8_t data[2048];
	unsigned int i;

	fx->batched = true;
	for (i = 0; i < count; i++) {
		size_t n = i + 1 == count ? last : size;

		fx_pattern_fill(data, n, (uint64_t)i * size);
		rx_udp(.sport = 4000, .dport = 7, .data = data, .len = (ssize_t)n);
	}
	fx->batched = false;
	fx_run(fx);
}

static void a_socket_that_wants_them_gets_several_at_once(void **state)
{
	struct fixture *fx = udp_open();
	uint8_t buf[70000], pattern[70000];
	int s = udp_on(7), told;

	(void)state;
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_GRO, 1), 0);
	rx_batch(fx, 20, 500, 300);
	expect_events(s, EPOLLIN | EPOLLOUT);
	assert_int_equal(recv_told(fx, s, buf, sizeof(buf), &told, NULL), 19 * 500 + 300);
	assert_int_equal(told, 500);
	fx_pattern_fill(pattern, 19 * 500 + 300, 0);
	assert_memory_equal(buf, pattern, 19 * 500 + 300);
	expect_nothing(fx, s);
	assert_int_equal(fx_counter(fx, "udp", "in_datagrams"), 20);
	/* One is told nothing of. */
	rx_batch(fx, 1, 500, 500);
	assert_int_equal(recv_told(fx, s, buf, sizeof(buf), &told, NULL), 500);
	assert_int_equal(told, 0);
	fx_close(fx);
}

static void a_socket_that_does_not_gets_one_after_the_other(void **state)
{
	struct fixture *fx = udp_open();
	uint8_t buf[70000];
	int s = udp_on(7), other = udp_on(8), told, i;

	(void)state;
	assert_int_equal(fx_setsockopt(fx, other, SOL_UDP, UDP_GRO, 1), 0);
	rx_batch(fx, 5, 500, 300);
	for (i = 0; i < 5; i++) {
		assert_int_equal(recv_told(fx, s, buf, sizeof(buf), &told, NULL), i < 4 ? 500 : 300);
		assert_int_equal(told, 0);
	}
	expect_nothing(fx, s);
	fx_close(fx);
}

static void at_most_64_are_joined(void **state)
{
	struct fixture *fx = udp_open();
	uint8_t buf[70000];
	int s = udp_on(7), told;

	(void)state;
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_GRO, 1), 0);
	rx_batch(fx, 100, 200, 200);
	assert_int_equal(recv_told(fx, s, buf, sizeof(buf), &told, NULL), 64 * 200);
	assert_int_equal(recv_told(fx, s, buf, sizeof(buf), &told, NULL), 36 * 200);
	assert_int_equal(told, 200);
	fx_close(fx);
}

static void a_larger_one_begins_anew(void **state)
{
	struct fixture *fx = udp_open();
	uint8_t buf[70000];
	int s = udp_on(7), told;

	(void)state;
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_GRO, 1), 0);
	rx_batch(fx, 4, 500, 501);
	assert_int_equal(recv_told(fx, s, buf, sizeof(buf), &told, NULL), 1500);
	assert_int_equal(told, 500);
	assert_int_equal(recv_told(fx, s, buf, sizeof(buf), &told, NULL), 501);
	assert_int_equal(told, 0);
	fx_close(fx);
}

static void what_does_not_fit_the_buffer_is_told_as_cut(void **state)
{
	struct fixture *fx = udp_open();
	uint8_t buf[700];
	int s = udp_on(7), told, flags;

	(void)state;
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_GRO, 1), 0);
	rx_batch(fx, 4, 500, 500);
	assert_int_equal(recv_told(fx, s, buf, sizeof(buf), &told, &flags), 700);
	assert_int_equal(flags & MSG_TRUNC, MSG_TRUNC);
	assert_int_equal(told, 500);
	expect_nothing(fx, s);
	fx_close(fx);
}

static void what_a_socket_sends_itself_needs_no_cutting(void **state)
{
	struct fixture *fx = udp_open();
	uint8_t buf[70000];
	int s = udp_on(7), told;

	(void)state;
	fx_pattern_fill(buf, 5000, 0);
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_SEGMENT, 1000), 0);
	assert_int_equal(fx_sendto(fx, s, buf, 5000, STACK_IP, 7), 5000);
	fx_run(fx);
	assert_int_equal(recv_told(fx, s, buf, sizeof(buf), &told, NULL), 1000);
	while (recv_told(fx, s, buf, sizeof(buf), &told, NULL) > 0)
		;
	assert_int_equal(fx_setsockopt(fx, s, SOL_UDP, UDP_GRO, 1), 0);
	assert_int_equal(fx_sendto(fx, s, buf, 5000, STACK_IP, 7), 5000);
	fx_run(fx);
	assert_int_equal(recv_told(fx, s, buf, sizeof(buf), &told, NULL), 5000);
	assert_int_equal(told, 1000);
	fx_close(fx);
}

static void sockets_that_close_are_counted_out(void **state)
{
	struct fixture *fx = udp_open();
	uint8_t buf[2048];
	int s = udp_on(7), told;

	(void)state;
	fx_setsockopt(fx, s, SOL_UDP, UDP_GRO, 1);
	fx_setsockopt(fx, s, SOL_UDP, UDP_GRO, 1);
	fx_close_socket(fx, s);
	s = udp_on(7);
	rx_batch(fx, 3, 500, 500);
	assert_int_equal(recv_told(fx, s, buf, sizeof(buf), &told, NULL), 500);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_take_what_linux_takes),
		cmocka_unit_test(what_is_sent_leaves_in_datagrams_of_the_size),
		cmocka_unit_test(every_size_and_length_is_cut_right),
		cmocka_unit_test(a_control_message_holds_for_one_call),
		cmocka_unit_test(what_cannot_be_cut_is_refused_as_linux_does),
		cmocka_unit_test(identifications_count_up_where_fragments_may_be_made),
		cmocka_unit_test(a_socket_that_wants_them_gets_several_at_once),
		cmocka_unit_test(a_socket_that_does_not_gets_one_after_the_other),
		cmocka_unit_test(at_most_64_are_joined),
		cmocka_unit_test(a_larger_one_begins_anew),
		cmocka_unit_test(what_does_not_fit_the_buffer_is_told_as_cut),
		cmocka_unit_test(what_a_socket_sends_itself_needs_no_cutting),
		cmocka_unit_test(sockets_that_close_are_counted_out),
	};

	return fx_main(tests);
}
