/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors about datagrams sent: which sockets are told of which (RFC 1122 4.1.3.3, as on Linux). */
#include "udp_test.h"

/* A datagram that was sent, kept to be complained about. */
struct sent {
	struct fx_pkt pkt;
	uint8_t frame[1514];
};

static void send_and_keep(struct fixture *fx, int s, size_t length, struct sent *sent)
{
	static uint8_t data[1472];

	assert_int_equal(fx_sendto(fx, s, data, length, PEER_IP, 7), length);
	sent->pkt = *expect_udp(.dport = 7, .len = FX_AUTO, .any_data = true);
	memcpy(sent->frame, sent->pkt.frame, sent->pkt.length);
	sent->pkt.frame = sent->frame;
}

static void a_connected_socket_is_refused_once(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_socket(fx);
	struct sent sent;
	char buf[8];

	(void)state;
	assert_int_equal(fx_connect(fx, s, PEER_IP, 7), 0);
	send_and_keep(fx, s, 4, &sent);
	rx_icmp_error(3, 3, 0, &sent.pkt, 8);
	expect_events(s, EPOLLOUT | EPOLLERR);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), -ECONNREFUSED);
	expect_events(s, EPOLLOUT);
	expect_nothing(fx, s);
	/* The next send would say it too, and SO_ERROR. */
	rx_icmp_error(3, 3, 0, &sent.pkt, 8);
	assert_int_equal(fx_send(fx, s, "x", 1), -ECONNREFUSED);
	assert_int_equal(fx_send(fx, s, "x", 1), 1);
	rx_icmp_error(3, 3, 0, &sent.pkt, 8);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	assert_int_equal(fx_counter(fx, "udp", "errors_told"), 3);
	fx_close(fx);
}

static void each_kind_has_linux_errno_and_soft_ones_pass(void **state)
{
	static const struct {
		int type, code, error;	/* 0: not told without IP_RECVERR */
		int with_recverr;
	} cases[] = {
		{ 3, 0, 0, ENETUNREACH }, { 3, 1, 0, EHOSTUNREACH }, { 3, 2, ENOPROTOOPT, ENOPROTOOPT },
		{ 3, 3, ECONNREFUSED, ECONNREFUSED }, { 3, 5, 0, EOPNOTSUPP },
		{ 3, 6, ENETUNREACH, ENETUNREACH }, { 3, 7, EHOSTDOWN, EHOSTDOWN },
		{ 3, 13, EHOSTUNREACH, EHOSTUNREACH }, { 11, 0, 0, EHOSTUNREACH },
		{ 11, 1, 0, EHOSTUNREACH }, { 12, 0, EPROTO, EPROTO },
	};
	struct fixture *fx = udp_open();
	int s = udp_socket(fx);
	struct sent sent;
	unsigned int i;

	(void)state;
	assert_int_equal(fx_connect(fx, s, PEER_IP, 7), 0);
	send_and_keep(fx, s, 4, &sent);
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		rx_icmp_error(cases[i].type, cases[i].code, 0, &sent.pkt, 8);
		assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), cases[i].error);
	}
	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVERR, 1), 0);
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		rx_icmp_error(cases[i].type, cases[i].code, 0, &sent.pkt, 8);
		assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR),
				 cases[i].with_recverr);
	}
	fx_close(fx);
}

static void an_unconnected_socket_is_told_only_when_it_asked(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_on(4000);
	struct sent sent;

	(void)state;
	send_and_keep(fx, s, 4, &sent);
	rx_icmp_error(3, 3, 0, &sent.pkt, 8);
	expect_events(s, EPOLLOUT);
	assert_int_equal(fx_counter(fx, "udp", "errors_ignored"), 1);
	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVERR, 1), 0);
	rx_icmp_error(3, 3, 0, &sent.pkt, 8);
	expect_events(s, EPOLLOUT | EPOLLERR);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	fx_close(fx);
}

static void an_error_about_other_ends_is_nobodys(void **state)
{
	struct fixture *fx = udp_open();
	uint8_t *ports;
	int s = udp_socket(fx);
	struct sent sent;

	(void)state;
	assert_int_equal(fx_connect(fx, s, PEER_IP, 7), 0);
	send_and_keep(fx, s, 4, &sent);
	ports = sent.frame + 14 + 20;
	ports[1] ^= 1;			/* source port */
	rx_icmp_error(3, 3, 0, &sent.pkt, 8);
	ports[1] ^= 1;
	ports[3] ^= 1;			/* destination port */
	rx_icmp_error(3, 3, 0, &sent.pkt, 8);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	ports[3] ^= 1;
	rx_icmp_error(3, 3, 0, &sent.pkt, 8);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	fx_close(fx);
}

static void a_smaller_path_mtu_is_told_learnt_and_used(void **state)
{
	struct fixture *fx = udp_open();
	int s = udp_socket(fx);
	struct sent sent;
	const struct fx_pkt *fragment;
	static uint8_t data[1400];

	(void)state;
	assert_int_equal(fx_connect(fx, s, PEER_IP, 7), 0);
	send_and_keep(fx, s, 1400, &sent);
	assert_true(sent.pkt.ip.df);
	rx_icmp_error(3, 4, 1000, &sent.pkt, 8);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), EMSGSIZE);
	/* What does not fit the path any more is fragmented here. */
	assert_int_equal(fx_send(fx, s, data, sizeof(data)), sizeof(data));
	fragment = expect_ip();
	assert_true(fragment->ip.total_len <= 1000 && fragment->ip.mf);
	fragment = expect_ip();
	assert_true(fragment->ip.offset > 0 && !fragment->ip.mf);
	/* Who never sets DF is not bothered. */
	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT), 0);
	rx_icmp_error(3, 4, 900, &sent.pkt, 8);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	fx_close(fx);
}

static void nobodys_error_does_not_change_the_path_mtu(void **state)
{
	struct fixture *fx = udp_open();
	static uint8_t data[1400];
	int s = udp_on(4000);
	struct sent sent;

	(void)state;
	send_and_keep(fx, s, sizeof(data), &sent);
	fx_close_socket(fx, s);
	rx_icmp_error(3, 4, 600, &sent.pkt, 8);
	s = udp_on(4001);
	assert_int_equal(fx_sendto(fx, s, data, sizeof(data), PEER_IP, 7), sizeof(data));
	assert_int_equal(expect_ip()->ip.total_len, 1428);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connected_socket_is_refused_once),
		cmocka_unit_test(each_kind_has_linux_errno_and_soft_ones_pass),
		cmocka_unit_test(an_unconnected_socket_is_told_only_when_it_asked),
		cmocka_unit_test(an_error_about_other_ends_is_nobodys),
		cmocka_unit_test(a_smaller_path_mtu_is_told_learnt_and_used),
		cmocka_unit_test(nobodys_error_does_not_change_the_path_mtu),
	};

	return fx_main(tests);
}
