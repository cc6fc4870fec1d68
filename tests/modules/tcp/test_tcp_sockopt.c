/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket options of TCP: which values are taken, which errno refuses the others, and what they do. */
#include <linux/tcp.h>
#include <stddef.h>
#include <time.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>

#include "fixture.h"

enum { MSS = 1000, SO_PORT = 80 };

static int set_of(struct fixture *fx, int s, int level, int name, const void *value, socklen_t length)
{
	return strata_setsockopt(fx->stack, s, level, name, value, length);
}

/* As a new socket of Linux answers: what is set, and what is then read (-1: not looked at). */
static void values_are_taken_and_refused_as_on_linux(void **state)
{
	static const struct {
		int name, value, result, reads;
	} cases[] = {
		{ TCP_NODELAY, 1, 0, 1 }, { TCP_NODELAY, -5, 0, 1 }, { TCP_NODELAY, 0, 0, 0 },
		{ TCP_CORK, 1, 0, 1 }, { TCP_CORK, 0, 0, 0 },
		{ TCP_MAXSEG, 0, 0, 536 }, { TCP_MAXSEG, 47, -EINVAL, 536 },
		{ TCP_MAXSEG, 1000, 0, 1000 }, { TCP_MAXSEG, 32768, -EINVAL, 1000 },
		{ TCP_KEEPIDLE, 0, -EINVAL, 7200 }, { TCP_KEEPIDLE, 32768, -EINVAL, 7200 },
		{ TCP_KEEPIDLE, 32767, 0, 32767 }, { TCP_KEEPINTVL, 0, -EINVAL, 75 },
		{ TCP_KEEPINTVL, 1, 0, 1 }, { TCP_KEEPCNT, 0, -EINVAL, 9 }, { TCP_KEEPCNT, 128, -EINVAL, 9 },
		{ TCP_KEEPCNT, 127, 0, 127 }, { TCP_SYNCNT, 0, -EINVAL, 6 }, { TCP_SYNCNT, 128, -EINVAL, 6 },
		{ TCP_SYNCNT, 3, 0, 3 }, { TCP_LINGER2, -3, 0, -1 }, { TCP_LINGER2, 20, 0, 20 },
		{ TCP_LINGER2, 5000, 0, 120 }, { TCP_LINGER2, 0, 0, 60 },
		{ TCP_WINDOW_CLAMP, 1, 0, 1152 }, { TCP_WINDOW_CLAMP, 0, 0, 0 },
		{ TCP_QUICKACK, 0, 0, 0 }, { TCP_QUICKACK, 1, 0, 1 },
		{ TCP_USER_TIMEOUT, -1, -EINVAL, 0 }, { TCP_USER_TIMEOUT, 30000, 0, 30000 },
		{ TCP_NOTSENT_LOWAT, 4096, 0, 4096 }, { TCP_INQ, 2, -EINVAL, 0 }, { TCP_INQ, 1, 0, 1 },
		/* For those who may not: as on Linux without the capability. */
		{ TCP_REPAIR, 1, -EPERM, -1 }, { TCP_REPAIR_QUEUE, 1, -EPERM, -1 },
		{ TCP_TIMESTAMP, 1, -EPERM, -1 },
		/* As a Linux built without them. */
		{ TCP_MD5SIG, 0, -ENOPROTOOPT, -1 }, { 38, 0, -ENOPROTOOPT, -1 },
		{ 39, 0, -ENOPROTOOPT, -1 }, { 40, 0, -ENOPROTOOPT, -1 },
		{ TCP_INFO, 0, -ENOPROTOOPT, -1 }, { 9999, 0, -ENOPROTOOPT, -1 },
	};
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_STREAM, 0), result;
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		result = fx_setsockopt(fx, s, IPPROTO_TCP, cases[i].name, cases[i].value);
		if (result != cases[i].result)
			fail_msg("option %d to %d: %d, not %d", cases[i].name, cases[i].value, result,
				 cases[i].result);
		if (cases[i].result == -ENOPROTOOPT || cases[i].result == -EPERM)
			continue;
		result = fx_getsockopt(fx, s, IPPROTO_TCP, cases[i].name);
		if (result != cases[i].reads)
			fail_msg("option %d after %d: reads %d, not %d", cases[i].name, cases[i].value,
				 result, cases[i].reads);
		if (cases[i].result == 0)
			assert_int_equal(set_of(fx, s, IPPROTO_TCP, cases[i].name, &cases[i].value, 3),
					 -EINVAL);
	}
	fx_close(fx);
}

static void options_of_sol_socket_are_as_on_linux(void **state)
{
	static const struct {
		int name, value, result, reads;
	} cases[] = {
		{ SO_ZEROCOPY, 2, -EINVAL, 0 }, { SO_ZEROCOPY, 1, 0, 1 }, { SO_ZEROCOPY, 0, 0, 0 },
		{ SO_KEEPALIVE, 7, 0, 1 }, { SO_OOBINLINE, 1, 0, 1 }, { SO_REUSEPORT, 1, 0, 1 },
		{ SO_RCVLOWAT, 0, 0, 1 }, { SO_RCVLOWAT, 100, 0, 100 },
		{ SO_TYPE, 1, -ENOPROTOOPT, SOCK_STREAM }, { SO_PROTOCOL, 1, -ENOPROTOOPT, IPPROTO_TCP },
		{ SO_DOMAIN, 1, -ENOPROTOOPT, AF_INET }, { SO_ERROR, 1, -ENOPROTOOPT, 0 },
		{ SO_ACCEPTCONN, 1, -ENOPROTOOPT, 0 }, { SO_SNDLOWAT, 1, -ENOPROTOOPT, 1 },
	};
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_STREAM, 0);
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, cases[i].name, cases[i].value),
				 cases[i].result);
		assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, cases[i].name), cases[i].reads);
	}
	fx_close(fx);
}

static void names_of_algorithms_and_layers_are_looked_up(void **state)
{
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(set_of(fx, s, IPPROTO_TCP, TCP_CONGESTION, "newreno", 7), 0);
	assert_int_equal(set_of(fx, s, IPPROTO_TCP, TCP_CONGESTION, "nosuch", 6), -ENOENT);
	assert_int_equal(set_of(fx, s, IPPROTO_TCP, TCP_CONGESTION, "", 0), -EINVAL);
	assert_int_equal(set_of(fx, s, IPPROTO_TCP, TCP_ULP, "tls", 3), -ENOENT);
	assert_int_equal(set_of(fx, s, IPPROTO_TCP, TCP_ULP, "", 0), -EINVAL);
	fx_close(fx);
}

/* ---- struct tcp_info ---- */

/* Where Linux has them: a program built elsewhere reads these bytes. */
_Static_assert(offsetof(struct tcp_info, tcpi_rto) == 8, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_snd_mss) == 16, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_unacked) == 24, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_pmtu) == 60, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_rtt) == 68, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_snd_cwnd) == 80, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_total_retrans) == 100, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_pacing_rate) == 104, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_bytes_acked) == 120, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_min_rtt) == 148, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_delivery_rate) == 160, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_bytes_sent) == 200, "layout");
_Static_assert(offsetof(struct tcp_info, tcpi_snd_wnd) == 228, "layout");

static void tcp_info_is_cut_to_the_room_there_is(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(SO_PORT), .mss = MSS);
	uint8_t whole[512], part[512];
	socklen_t most = sizeof(whole), length, i;

	(void)state;
	memset(whole, 0xee, sizeof(whole));
	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, whole, &most), 0);
	assert_int_equal(most, sizeof(struct tcp_info));
	for (i = 0; i <= most; i++) {
		length = i;
		memset(part, 0xee, sizeof(part));
		assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, part, &length), 0);
		assert_int_equal(length, i);
		assert_memory_equal(part, whole, i);
		assert_int_equal(part[i], 0xee);
	}
	fx_close(fx);
}

static void tcp_info_tells_what_is_so(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(SO_PORT), .mss = MSS, .sack_ok = true, .wscale = 7);
	static const char text[2500];
	struct tcp_info info;
	socklen_t length = sizeof(info);

	(void)state;
	fx_send(fx, s, text, sizeof(text));
	fx_discard(fx);
	rx(ACK, .ack = 1001, .win = 500, .text = "abc");
	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(info.tcpi_state, 1);
	assert_int_equal(info.tcpi_options & (TCPI_OPT_SACK | TCPI_OPT_WSCALE | TCPI_OPT_TIMESTAMPS),
			 TCPI_OPT_SACK | TCPI_OPT_WSCALE);
	assert_int_equal(info.tcpi_snd_wscale, 7);
	assert_int_equal(info.tcpi_snd_mss, MSS);
	assert_int_equal(info.tcpi_unacked, 2);
	assert_int_equal(info.tcpi_bytes_acked, 1000);
	assert_int_equal(info.tcpi_bytes_received, 3);
	assert_int_equal(info.tcpi_data_segs_in, 1);
	assert_int_equal(info.tcpi_data_segs_out, 3);
	assert_int_equal(info.tcpi_pmtu, 1500);
	assert_int_equal(info.tcpi_snd_wnd, 500 << 7);
	assert_int_equal(info.tcpi_notsent_bytes, 0);
	assert_true(info.tcpi_snd_cwnd >= 10);
	assert_true(info.tcpi_max_pacing_rate == UINT64_MAX);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_MAX_PACING_RATE, 125000);
	length = sizeof(info);
	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(info.tcpi_max_pacing_rate, 125000);
	fx_close(fx);
}

/* ---- control messages of reading ---- */

/* recvmsg(2); returns its result, with the number of TCP_CM_INQ (-1: none) and the stamp (0: none). */
static ssize_t receive(struct fixture *fx, int s, size_t room, size_t control_room, int *inq, time_t *stamp)
{
	char data[64];
	union {
		struct cmsghdr align;
		char bytes[256];
	} control;
	struct iovec iov = { data, room };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			      .msg_controllen = control_room };
	ssize_t result = strata_recvmsg(fx->stack, s, &msg, 0);
	struct cmsghdr *c;

	*inq = -1;
	*stamp = 0;
	for (c = CMSG_FIRSTHDR(&msg); result >= 0 && c != NULL; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == IPPROTO_TCP && c->cmsg_type == TCP_CM_INQ)
			memcpy(inq, CMSG_DATA(c), sizeof(*inq));
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_TIMESTAMPING)
			*stamp = ((struct timespec *)(void *)CMSG_DATA(c))->tv_sec;
	}
	return result;
}

static void inq_tells_what_is_left(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(SO_PORT), .mss = MSS), inq;
	time_t stamp;

	(void)state;
	rx(ACK, .text = "0123456789");
	assert_int_equal(receive(fx, s, 3, 64, &inq, &stamp), 3);
	assert_int_equal(inq, -1);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_INQ, 1);
	assert_int_equal(receive(fx, s, 3, 64, &inq, &stamp), 3);
	assert_int_equal(inq, 4);
	/* Room for just that message. */
	assert_int_equal(receive(fx, s, 3, CMSG_SPACE(sizeof(int)), &inq, &stamp), 3);
	assert_int_equal(inq, 1);
	/* With the end of the stream behind it, one more. */
	rx(FIN | ACK);
	assert_int_equal(receive(fx, s, 0, 64, &inq, &stamp), 0);
	fx_close(fx);
}

static void a_stream_tells_when_its_bytes_came(void **state)
{
	const uint32_t flags = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(SO_PORT), .mss = MSS), inq;
	time_t first, second;

	(void)state;
	assert_int_equal(set_of(fx, s, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)), 0);
	rx(ACK, .len = 40);
	fx_advance(fx, 100);
	assert_int_equal(receive(fx, s, 40, 256, &inq, &first), 40);
	fx_advance(fx, 9900);
	rx(ACK, .len = 40);
	assert_int_equal(receive(fx, s, 40, 256, &inq, &second), 40);
	assert_true(first != 0);
	assert_int_equal(second - first, 10);
	fx_close(fx);
}

/* ---- the error queue ---- */

struct told {
	ssize_t result;
	struct sock_extended_err ee;
};

static struct told take(struct fixture *fx, int s)
{
	union {
		struct cmsghdr align;
		char bytes[256];
	} control;
	struct msghdr msg = { .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes) };
	struct told told = { 0 };
	struct cmsghdr *c;

	told.result = strata_recvmsg(fx->stack, s, &msg, MSG_ERRQUEUE);
	for (c = CMSG_FIRSTHDR(&msg); told.result >= 0 && c != NULL; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR)
			memcpy(&told.ee, CMSG_DATA(c), sizeof(told.ee));
	return told;
}

static void a_stream_tells_when_bytes_left_and_were_acknowledged(void **state)
{
	const uint32_t flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_SCHED |
			       SOF_TIMESTAMPING_TX_ACK | SOF_TIMESTAMPING_SOFTWARE |
			       SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(SO_PORT), .mss = MSS);
	static const char text[1500];
	struct told told;

	(void)state;
	fx_send(fx, s, text, 7);
	expect_tx(ACK, .len = 7, .any_data = true);
	rx(ACK, .ack = 8);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, 1);
	assert_int_equal(set_of(fx, s, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)), 0);
	fx_send(fx, s, text, 1500);
	expect_tx(ACK, .len = 1000, .any_data = true);
	expect_tx(ACK, .len = 500, .any_data = true);
	told = take(fx, s);
	assert_int_equal(told.ee.ee_info, SCM_TSTAMP_SCHED);
	/* The last byte's number, counted from where the option was set. */
	assert_int_equal(told.ee.ee_data, 1499);
	told = take(fx, s);
	assert_int_equal(told.ee.ee_info, SCM_TSTAMP_SND);
	assert_int_equal(told.ee.ee_data, 1499);
	rx(ACK, .ack = 1 + 7 + 1000);
	assert_int_equal(take(fx, s).result, -EAGAIN);
	rx(ACK, .ack = 1 + 7 + 1500);
	told = take(fx, s);
	assert_int_equal(told.ee.ee_info, SCM_TSTAMP_ACK);
	assert_int_equal(told.ee.ee_data, 1499);
	assert_int_equal(take(fx, s).result, -EAGAIN);
	fx_close(fx);
}

static ssize_t send_zerocopy(struct fixture *fx, int s, const void *data, size_t length)
{
	return strata_send(fx->stack, s, data, length, MSG_ZEROCOPY);
}

static void a_buffer_lent_is_told_back_when_its_bytes_are_acknowledged(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(SO_PORT), .mss = MSS);
	char *text = malloc(1500);
	struct told told;

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_ZEROCOPY, 1);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, 1);
	fx_pattern_fill(text, 1500, 0);
	assert_int_equal(send_zerocopy(fx, s, text, 1500), 1500);
	expect_tx(ACK, .seq = 1, .len = 1000);
	expect_tx(ACK, .seq = 1001, .len = 500);
	assert_int_equal(take(fx, s).result, -EAGAIN);
	rx(ACK, .ack = 1001);
	assert_int_equal(take(fx, s).result, -EAGAIN);
	/* Not copied: what is sent again is what the buffer holds. */
	memset(text + 1000, 'z', 500);
	assert_memory_equal(expect_tx(ACK, .seq = 1001, .len = 500, .any_data = true, .within = 2000)->payload,
			    text + 1000, 500);
	rx(ACK, .ack = 1501);
	expect_events(s, EPOLLOUT | EPOLLERR);
	told = take(fx, s);
	assert_int_equal(told.result, 0);
	assert_int_equal(told.ee.ee_errno, 0);
	assert_int_equal(told.ee.ee_origin, SO_EE_ORIGIN_ZEROCOPY);
	assert_int_equal(told.ee.ee_info, 0);
	assert_int_equal(told.ee.ee_data, 0);
	assert_int_equal(told.ee.ee_code, 0);
	expect_events(s, EPOLLOUT);
	free(text);
	fx_close(fx);
}

static void buffers_that_follow_each_other_are_told_as_a_range(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(SO_PORT), .mss = MSS), i;
	static const char text[100];
	struct told told;

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_ZEROCOPY, 1);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, 1);
	for (i = 0; i < 5; i++)
		assert_int_equal(send_zerocopy(fx, s, text, 100), 100);
	rx(ACK, .ack = 301);
	rx(ACK, .ack = 501);
	told = take(fx, s);
	assert_int_equal(told.ee.ee_info, 0);
	assert_int_equal(told.ee.ee_data, 4);
	assert_int_equal(take(fx, s).result, -EAGAIN);
	fx_close(fx);
}

static void without_the_option_the_flag_means_nothing(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(SO_PORT), .mss = MSS);
	char text[100];

	(void)state;
	fx_pattern_fill(text, 100, 0);
	assert_int_equal(send_zerocopy(fx, s, text, 100), 100);
	memset(text, 0, 100);
	expect_tx(ACK, .seq = 1, .len = 100);
	rx(ACK, .ack = 101);
	assert_int_equal(take(fx, s).result, -EAGAIN);
	fx_close(fx);
}

/* Copied and lent bytes in turn, more than the buffer takes, the end of the connection among them. */
static void lent_and_copied_bytes_keep_their_order(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(SO_PORT), .mss = MSS);
	static char text[200000];
	ssize_t n;

	(void)state;
	fx_pattern_fill(text, sizeof(text), 0);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_ZEROCOPY, 1);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, 1);
	assert_int_equal(fx_send(fx, s, text, 300), 300);
	assert_int_equal(send_zerocopy(fx, s, text + 300, 400), 400);
	assert_int_equal(fx_send(fx, s, text + 700, 300), 300);
	expect_tx(ACK, .seq = 1, .len = 300);
	expect_tx(ACK, .seq = 301, .len = 400);
	expect_tx(ACK, .seq = 701, .len = 300);
	n = send_zerocopy(fx, s, text + 1000, 150000);
	assert_true(n > 0 && n < 150000);
	assert_int_equal(send_zerocopy(fx, s, text, 10), -EAGAIN);
	rx(ACK, .ack = 1001);
	expect_tx(ACK, .seq = 1001, .len = MSS);
	/* An end of the connection gives the buffers back, too. */
	rx(RST, .seq = 1);
	while (take(fx, s).result >= 0)
		continue;
	fx_close_socket(fx, s);
	fx_close(fx);
}

/* ---- sharing a port ---- */

static void listeners_that_share_a_port_get_about_as_many_connections_each(void **state)
{
	enum { LISTENERS = 4, CONNECTIONS = 400 };
	struct fixture *fx = fx_open();
	int listeners[LISTENERS], got[LISTENERS] = { 0 }, i, j, s;

	(void)state;
	for (i = 0; i < LISTENERS; i++) {
		listeners[i] = fx_socket(fx, SOCK_STREAM, 0);
		fx_setsockopt(fx, listeners[i], SOL_SOCKET, SO_REUSEPORT, 1);
		fx_bind(fx, listeners[i], 0, SO_PORT);
		fx_listen(fx, listeners[i], CONNECTIONS);
	}
	for (j = 0; j < CONNECTIONS; j++) {
		fx->conn = (struct fx_conn){ .peer_port = (uint16_t)(20000 + j), .stack_port = SO_PORT,
					     .peer_isn = 1000 };
		rx(SYN, .mss = MSS);
		expect_tx(SYN | ACK);
		/* A listener more or less changes nothing for those on their way. */
		rx(ACK);
		for (i = 0; i < LISTENERS; i++) {
			s = fx_accept(fx, listeners[i]);
			if (s < 0)
				continue;
			got[i]++;
			break;
		}
		assert_true(i < LISTENERS);
	}
	for (i = 0; i < LISTENERS; i++)
		assert_in_range(got[i], CONNECTIONS / LISTENERS / 2, CONNECTIONS / LISTENERS * 3 / 2);
	/* What is established stays where it is when a listener goes. */
	fx_close_socket(fx, listeners[0]);
	rx(ACK, .text = "x");
	expect_tx(ACK, .ack = 2, .within = 100);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_taken_and_refused_as_on_linux),
		cmocka_unit_test(options_of_sol_socket_are_as_on_linux),
		cmocka_unit_test(names_of_algorithms_and_layers_are_looked_up),
		cmocka_unit_test(tcp_info_is_cut_to_the_room_there_is),
		cmocka_unit_test(tcp_info_tells_what_is_so),
		cmocka_unit_test(inq_tells_what_is_left),
		cmocka_unit_test(a_stream_tells_when_its_bytes_came),
		cmocka_unit_test(a_stream_tells_when_bytes_left_and_were_acknowledged),
		cmocka_unit_test(a_buffer_lent_is_told_back_when_its_bytes_are_acknowledged),
		cmocka_unit_test(buffers_that_follow_each_other_are_told_as_a_range),
		cmocka_unit_test(without_the_option_the_flag_means_nothing),
		cmocka_unit_test(lent_and_copied_bytes_keep_their_order),
		cmocka_unit_test(listeners_that_share_a_port_get_about_as_many_connections_each),
	};

	return fx_main(tests);
}
