/* SPDX-License-Identifier: BSD-2-Clause */
/* Echo sockets of the icmp module: SOCK_DGRAM with IPPROTO_ICMP, as Linux's ping sockets. */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include "fixture.h"

#define MODULES .modules = "ethernet arp ipv4 icmp udp"

static int echo_socket(struct fixture *fx)
{
	return fx_socket(fx, SOCK_DGRAM, IPPROTO_ICMP);
}

/* Sends an echo request with `length` bytes of data; the identifier and checksum are left to the
 * stack. */
static ssize_t request(struct fixture *fx, int s, uint16_t seq, size_t length, uint32_t to)
{
	static uint8_t message[65536];

	memset(message, 0, 8);
	message[0] = 8;
	message[2] = message[4] = 0xee;
	strata_put_be16(message + 6, seq);
	fx_pattern_fill(message + 8, length, 0);
	return fx_sendto(fx, s, message, length + 8, to, 0);
}

static void a_request_is_sent_and_its_reply_received(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx);
	uint8_t buf[100];
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	uint16_t id;

	(void)state;
	assert_int_equal(request(fx, s, 5, 56, PEER_IP), 64);
	id = fx_local_port(fx, s);
	assert_true(id != 0);
	expect_icmp(.type = 8, .id = id, .seq = 5, .len = 56, .ip.src = STACK_IP);
	expect_events(s, EPOLLOUT);
	rx_icmp(.type = 0, .id = id, .seq = 5, .len = 56);
	expect_no_drop();
	expect_events(s, EPOLLIN | EPOLLOUT);
	assert_int_equal(strata_recvfrom(fx->stack, s, buf, sizeof(buf), 0, (struct sockaddr *)&from,
					 &length), 64);
	assert_int_equal(ntohl(from.sin_addr.s_addr), PEER_IP);
	assert_int_equal(from.sin_port, 0);
	assert_int_equal(buf[0], 0);
	assert_int_equal(strata_get_be16(buf + 4), id);
	assert_int_equal(buf[8 + 20], fx_pattern(20));
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), -EAGAIN);
	expect_events(s, EPOLLOUT);
	fx_close(fx);
}

static void replies_go_by_their_identifier(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int a = echo_socket(fx), b = echo_socket(fx);
	uint8_t buf[64];

	(void)state;
	fx_bind(fx, a, 0, 100);
	fx_bind(fx, b, STACK_IP, 200);
	rx_icmp(.type = 0, .id = 200, .text = "b");
	assert_int_equal(fx_recv(fx, a, buf, sizeof(buf)), -EAGAIN);
	assert_int_equal(fx_recv(fx, b, buf, sizeof(buf)), 9);
	rx_icmp(.type = 0, .id = 100, .text = "a!");
	assert_int_equal(fx_recv(fx, a, buf, sizeof(buf)), 10);
	rx_icmp(.type = 0, .id = 300, .text = "c");
	expect_drop("icmp", "reply_unasked");
	rx_icmp(.type = 0, .id = 100, .text = "x",
		.ip = { .dst = IP4(192, 0, 2, 255), .to_mac = BROADCAST_MAC });
	expect_drop("icmp", "reply_to_many");
	fx_close(fx);
}

static void an_identifier_has_one_owner(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	struct sockaddr_in at = fx_sockaddr(0, 100);
	int a = echo_socket(fx), b = echo_socket(fx);

	(void)state;
	fx_bind(fx, a, 0, 100);
	assert_int_equal(strata_bind(fx->stack, b, (struct sockaddr *)&at, sizeof(at)), -EADDRINUSE);
	fx_close_socket(fx, a);
	fx_bind(fx, b, 0, 100);
	at = fx_sockaddr(IP4(192, 0, 2, 255), 7);
	a = echo_socket(fx);
	assert_int_equal(strata_bind(fx->stack, a, (struct sockaddr *)&at, sizeof(at)), -EADDRNOTAVAIL);
	at = fx_sockaddr(IP4(224, 0, 0, 1), 7);
	assert_int_equal(strata_bind(fx->stack, a, (struct sockaddr *)&at, sizeof(at)), -EADDRNOTAVAIL);
	fx_close(fx);
}

static void a_connected_socket_hears_its_peer_alone(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx);
	uint8_t message[8] = { 8 }, buf[64];
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };

	(void)state;
	fx_bind(fx, s, 0, 100);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 0), 0);
	assert_int_equal(fx_send(fx, s, message, 8), 8);
	expect_icmp(.type = 8, .id = 100, .ip.dst = PEER_IP);
	rx_icmp(.type = 0, .id = 100, .ip.src = IP4(192, 0, 2, 9));
	expect_drop("icmp", "reply_unasked");
	rx_icmp(.type = 0, .id = 100);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 8);
	/* Another peer, then none. */
	assert_int_equal(fx_connect(fx, s, IP4(192, 0, 2, 9), 0), 0);
	rx_icmp(.type = 0, .id = 100, .ip.src = IP4(192, 0, 2, 9));
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 8);
	assert_int_equal(strata_connect(fx->stack, s, &unspec, sizeof(unspec)), 0);
	assert_int_equal(fx_send(fx, s, message, 8), -EDESTADDRREQ);
	rx_icmp(.type = 0, .id = 100);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 8);
	fx_close(fx);
}

static void only_echo_requests_may_be_sent(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx);
	uint8_t message[9] = { 8 };
	unsigned int type;

	(void)state;
	for (type = 0; type < 256; type++) {
		message[0] = (uint8_t)type;
		if (type != 8)
			assert_int_equal(fx_sendto(fx, s, message, 8, PEER_IP, 0), -EINVAL);
	}
	message[0] = 8;
	message[1] = 1;
	assert_int_equal(fx_sendto(fx, s, message, 8, PEER_IP, 0), -EINVAL);
	message[1] = 0;
	assert_int_equal(fx_sendto(fx, s, message, 7, PEER_IP, 0), -EINVAL);
	assert_int_equal(fx_sendto(fx, s, message, 0, PEER_IP, 0), -EINVAL);
	assert_int_equal(fx_send(fx, s, message, 8), -EDESTADDRREQ);
	assert_int_equal(strata_send(fx->stack, s, message, 8, MSG_OOB), -EOPNOTSUPP);
	assert_int_equal(request(fx, s, 1, 65508, PEER_IP), -EMSGSIZE);
	assert_int_equal(request(fx, s, 1, 8, IP4(192, 0, 2, 255)), -EACCES);
	assert_int_equal(request(fx, s, 1, 8, IP4(203, 0, 113, 1)), -ENETUNREACH);
	expect_silence(0);
	fx_close(fx);
}

static void the_largest_request_is_sent_in_fragments(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx);
	static uint8_t buf[65536];
	uint16_t id;

	(void)state;
	assert_int_equal(request(fx, s, 1, 65507, PEER_IP), 65515);
	id = fx_local_port(fx, s);
	expect_icmp(.type = 8, .id = id, .seq = 1, .len = 65507);
	rx_icmp(.type = 0, .id = id, .seq = 1, .len = 65507, .ip.fragment = 1480);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 65515);
	assert_int_equal(buf[65514], fx_pattern(65506));
	fx_close(fx);
}

static void this_host_answers_itself(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx);
	uint8_t buf[64];

	(void)state;
	assert_int_equal(request(fx, s, 3, 20, STACK_IP), 28);
	fx_run(fx);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 28);
	assert_int_equal(buf[0], 0);
	assert_int_equal(strata_get_be16(buf + 6), 3);
	expect_silence(0);
	fx_close(fx);
}

static void options_and_control_messages_apply(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx), ttl = 0;
	char buf[64], control[64];
	struct iovec iov = { buf, sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = sizeof(control) };

	(void)state;
	fx_bind(fx, s, 0, 100);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_TTL, 3);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVTTL, 1);
	request(fx, s, 1, 0, PEER_IP);
	assert_int_equal(expect_icmp(.type = 8, .len = 0)->ip.ttl, 3);
	rx_icmp(.type = 0, .id = 100, .ip.ttl = 61);
	assert_int_equal(strata_recvmsg(fx->stack, s, &msg, 0), 8);
	assert_int_equal(CMSG_FIRSTHDR(&msg)->cmsg_type, IP_TTL);
	memcpy(&ttl, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(ttl));
	assert_int_equal(ttl, 61);
	fx_close(fx);
}

static void a_reply_can_be_peeked_at_and_is_cut_to_its_buffer(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx), value;
	char buf[64];
	struct iovec iov = { buf, 10 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	(void)state;
	fx_bind(fx, s, 0, 100);
	rx_icmp(.type = 0, .id = 100, .len = 30);
	assert_int_equal(strata_ioctl(fx->stack, s, SIOCINQ, &value), 0);
	assert_int_equal(value, 38);
	assert_int_equal(strata_recv(fx->stack, s, buf, 10, MSG_PEEK), 10);
	assert_int_equal(strata_recv(fx->stack, s, buf, 10, MSG_PEEK | MSG_TRUNC), 38);
	assert_int_equal(strata_recvmsg(fx->stack, s, &msg, 0), 10);
	assert_int_equal(msg.msg_flags, MSG_TRUNC);
	assert_int_equal(fx_recv(fx, s, buf, 10), -EAGAIN);
	assert_int_equal(strata_ioctl(fx->stack, s, SIOCINQ, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(strata_recv(fx->stack, s, buf, 10, MSG_ERRQUEUE), -EAGAIN);
	fx_close(fx);
}

static void the_receive_buffer_is_bounded(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx), i, got = 0;
	char buf[2000];

	(void)state;
	fx_bind(fx, s, 0, 100);
	for (i = 0; i < 1000; i++)
		rx_icmp(.type = 0, .id = 100, .len = 1000);
	assert_true(fx_drops(fx, "icmp", "socket_full") > 700);
	while (fx_recv(fx, s, buf, sizeof(buf)) == 1008)
		got++;
	assert_int_equal(got + (int)fx_drops(fx, "icmp", "socket_full"), 1000);
	assert_true(got > 20);
	rx_icmp(.type = 0, .id = 100);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 8);
	fx_close(fx);
}

static void shutdown_is_of_a_connected_socket(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx);
	uint8_t message[8] = { 8 };

	(void)state;
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_RDWR), -ENOTCONN);
	fx_connect(fx, s, PEER_IP, 0);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	assert_int_equal(fx_send(fx, s, message, 8), -EPIPE);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_RD), 0);
	assert_int_equal(fx_recv(fx, s, message, 8), 0);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP);
	fx_close(fx);
}

/* ---- errors ---- */

static void an_error_about_a_request_reaches_its_socket(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx);
	uint8_t message[8] = { 8 };

	(void)state;
	fx_connect(fx, s, PEER_IP, 0);
	fx_send(fx, s, message, 8);
	rx_icmp_error(3, 1, 0, expect_ip(), 8);
	expect_no_drop();
	expect_events(s, EPOLLOUT | EPOLLERR);
	assert_int_equal(fx_recv(fx, s, message, 8), -EHOSTUNREACH);
	expect_events(s, EPOLLOUT);
	fx_send(fx, s, message, 8);
	rx_icmp_error(11, 0, 0, expect_ip(), 8);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), EHOSTUNREACH);
	fx_close(fx);
}

static void an_unconnected_socket_hears_of_errors_when_it_asks(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx);

	(void)state;
	request(fx, s, 1, 0, PEER_IP);
	rx_icmp_error(3, 1, 0, expect_ip(), 8);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVERR, 1);
	request(fx, s, 1, 0, PEER_IP);
	rx_icmp_error(3, 1, 0, expect_ip(), 8);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), EHOSTUNREACH);
	fx_close(fx);
}

static void an_error_about_what_nobody_sent_is_nobodys(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx);
	uint8_t quote[28], message[8] = { 8, [5] = 1 };

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVERR, 1);
	fx_bind(fx, s, 0, 100);
	fx_build_ip(quote, &(const struct fx_ip){ .proto = 1, .src = STACK_IP, .dst = PEER_IP }, 1,
		    message, 8);
	rx_icmp(.type = 3, .code = 1, .data = quote, .len = 28);
	/* A reply of ours, not a request, with our identifier. */
	quote[20] = 0;
	quote[25] = 100;
	rx_icmp(.type = 3, .code = 1, .data = quote, .len = 28);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	fx_close(fx);
}

static void a_request_too_big_for_the_path_teaches_its_mtu(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx);
	static uint8_t message[1480] = { 8 };

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	fx_connect(fx, s, PEER_IP, 0);
	fx_send(fx, s, message, sizeof(message));
	rx_icmp_error(3, 4, 1400, expect_ip(), 8);
	assert_int_equal(fx_send(fx, s, message, 8), -EMSGSIZE);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_IP, IP_MTU), 1400);
	assert_int_equal(fx_send(fx, s, message, sizeof(message)), -EMSGSIZE);
	fx_close(fx);
}

static void a_neighbour_that_does_not_answer_is_an_error(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true);
	int s = echo_socket(fx);
	uint8_t message[8] = { 8 };

	(void)state;
	fx_connect(fx, s, IP4(192, 0, 2, 50), 0);
	fx_send(fx, s, message, 8);
	fx_advance(fx, 5000);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), EHOSTUNREACH);
	fx_close(fx);
}

/* ---- ends ---- */

static void closing_gives_the_queue_back(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	int s = echo_socket(fx);

	(void)state;
	fx_bind(fx, s, 0, 100);
	rx_icmp(.type = 0, .id = 100, .len = 1000);
	fx_close_socket(fx, s);
	rx_icmp(.type = 0, .id = 100, .len = 1000);
	expect_drop("icmp", "reply_unasked");
	fx_close(fx);
}

static void a_removed_address_ends_what_is_bound_to_it(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	struct strata_addr addr = strata_ifaddr_first(fx->iface)->prefix.addr;
	int s = echo_socket(fx);
	uint8_t buf[8];

	(void)state;
	fx_bind(fx, s, STACK_IP, 100);
	strata_ifaddr_remove(fx->iface, &addr);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), -EADDRNOTAVAIL);
	fx_close(fx);
}

static void disabling_the_module_tells_its_sockets(void **state)
{
	struct fixture *fx = fx_open(MODULES);
	struct strata_error error = { 0 };
	int s = echo_socket(fx);
	uint8_t buf[8];

	(void)state;
	fx_bind(fx, s, 0, 100);
	rx_icmp(.type = 0, .id = 100, .len = 100);
	assert_int_equal(strata_module_disable(fx->stack, "icmp", &error), 0);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), -ENETDOWN);
	fx_close_socket(fx, s);
	rx_icmp(.type = 8, .text = "x");
	expect_drop("kernel", "no_transport");
	assert_int_equal(strata_module_enable(fx->stack, "icmp", &error), 0);
	rx_icmp(.type = 8, .text = "x");
	expect_icmp(.type = 0, .text = "x");
	strata_error_clear(&error);
	fx_close(fx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_sent_and_its_reply_received),
		cmocka_unit_test(replies_go_by_their_identifier),
		cmocka_unit_test(an_identifier_has_one_owner),
		cmocka_unit_test(a_connected_socket_hears_its_peer_alone),
		cmocka_unit_test(only_echo_requests_may_be_sent),
		cmocka_unit_test(the_largest_request_is_sent_in_fragments),
		cmocka_unit_test(this_host_answers_itself),
		cmocka_unit_test(options_and_control_messages_apply),
		cmocka_unit_test(a_reply_can_be_peeked_at_and_is_cut_to_its_buffer),
		cmocka_unit_test(the_receive_buffer_is_bounded),
		cmocka_unit_test(shutdown_is_of_a_connected_socket),
		cmocka_unit_test(an_error_about_a_request_reaches_its_socket),
		cmocka_unit_test(an_unconnected_socket_hears_of_errors_when_it_asks),
		cmocka_unit_test(an_error_about_what_nobody_sent_is_nobodys),
		cmocka_unit_test(a_request_too_big_for_the_path_teaches_its_mtu),
		cmocka_unit_test(a_neighbour_that_does_not_answer_is_an_error),
		cmocka_unit_test(closing_gives_the_queue_back),
		cmocka_unit_test(a_removed_address_ends_what_is_bound_to_it),
		cmocka_unit_test(disabling_the_module_tells_its_sockets),
	};

	return fx_main(tests);
}
