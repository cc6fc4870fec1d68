/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening connections, from both sides, and refusing to (RFC 9293 3.5, 3.10.7.1–3). */
#include <netinet/tcp.h>

#include "fixture.h"

static void expect_kinds(const struct fx_pkt *pkt, const uint8_t *kinds, unsigned int count)
{
	unsigned int i, n;

	for (i = 0, n = 0; i < pkt->tcp.options_len; n++) {
		assert_true(n < count);
		assert_int_equal(pkt->tcp.options[i], kinds[n]);
		i += kinds[n] <= 1 ? 1 : pkt->tcp.options[i + 1];
	}
	assert_int_equal(n, count);
}

static void a_syn_ack_has_the_options_in_linuxs_order(void **state)
{
	static const uint8_t with_stamps[] = { 2, 4, 8, 1, 3 };
	struct fixture *fx = fx_open();
	int listener = listen_on(80);

	(void)state;
	rx(SYN, .mss = 1460, .sack_ok = true, .ts = true, .wscale = 7);
	expect_kinds(expect_tx(SYN | ACK, .ack = 1, .mss = 1460, .sack_ok = true, .ts = true,
			       .wscale = 7, .win = 65535), with_stamps, 5);
	rx(ACK);
	assert_true(fx_accept(fx, listener) >= 0);
	fx_close(fx);
}

static void a_syn_has_the_options_in_linuxs_order(void **state)
{
	static const struct {
		const char *options;
		uint8_t kinds[8];
		unsigned int count;
	} cases[] = {
		{ NULL, { 2, 4, 8, 1, 3 }, 5 },
		{ "tcp.timestamps=false", { 2, 1, 1, 4, 1, 3 }, 6 },
		{ "tcp.timestamps=false tcp.sack=false", { 2, 1, 3 }, 3 },
		{ "tcp.timestamps=false tcp.sack=false tcp.window_scaling=false", { 2 }, 1 },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fixture *fx = fx_open(.options = cases[i].options);
		int s = fx_socket(fx, SOCK_STREAM, 0);

		fx->conn.stack_port = 0;
		assert_int_equal(fx_connect(fx, s, PEER_IP, 40000), -EINPROGRESS);
		expect_kinds(expect_tx(SYN, .mss = 1460, .win = 65535), cases[i].kinds, cases[i].count);
		fx_close(fx);
	}
}

static void nothing_is_agreed_that_the_peer_did_not_offer(void **state)
{
	struct fixture *fx = fx_open();
	const struct fx_pkt *pkt;
	int listener = listen_on(80), s;

	(void)state;
	rx(SYN);
	pkt = expect_tx(SYN | ACK, .mss = 1460);
	assert_int_equal(pkt->tcp.options_len, 4);
	rx(ACK);
	s = fx_accept(fx, listener);
	/* RFC 9293 3.7.1: 536 where the peer gave no MSS */
	assert_int_equal(fx_send(fx, s, "x", 1), 1);
	pkt = expect_tx(ACK, .text = "x", .no_sack = true);
	assert_int_equal(pkt->tcp.options_len, 0);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_MAXSEG), 536);
	fx_close(fx);
}

static void an_mss_of_0_is_ignored_and_a_small_one_floored(void **state)
{
	static const struct { uint16_t offered; int used; } cases[] = {
		{ 1, 48 }, { 8, 48 }, { 47, 48 }, { 48, 48 }, { 500, 500 }, { 9000, 1460 },
	};
	static const uint8_t zero[] = { 2, 4, 0, 0 };
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s;
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };

		s = accept_one(listener, .mss = cases[i].offered, .conn = &conn);
		assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_MAXSEG), cases[i].used);
	}
	s = accept_one(listener, .options = zero, .options_len = 4);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_MAXSEG), 536);
	fx_close(fx);
}

static void a_closed_port_is_answered_with_a_reset(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	rx(SYN);
	expect_tx(RST | ACK, .seq = 0, .absolute = true);
	expect_drop("tcp", "NO_CONNECTION");
	rx(SYN | FIN, .seq = 0, .len = 10);
	expect_tx(RST | ACK, .ack = 12);
	rx(ACK, .seq = 5, .ack = 777, .absolute = true);
	expect_tx(RST, .seq = 777, .absolute = true);
	rx(RST, .seq = 5);
	rx(RST | ACK, .seq = 5);
	expect_silence(1000);
	fx_close(fx);
}

static void listen_ignores_resets_and_refuses_acknowledgements(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	listen_on(80);
	rx(RST);
	expect_drop("tcp", "RST_IGNORED");
	rx(SYN | ACK, .ack = 4711, .absolute = true, .seq = 1);
	expect_tx(RST, .seq = 4711, .absolute = true);
	rx(ACK, .ack = 4711, .absolute = true, .seq = 1);
	expect_tx(RST, .seq = 4711, .absolute = true);
	rx(FIN);
	expect_drop("tcp", "BAD_FLAGS");
	rx(SYN | FIN);
	expect_drop("tcp", "BAD_FLAGS");
	rx(0, .len = 5);
	expect_drop("tcp", "BAD_FLAGS");
	expect_silence(100);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 0);
	fx_close(fx);
}

static void a_syn_ack_is_sent_again_and_then_given_up(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	listen_on(80);
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK, .at = 0);
	expect_tx(SYN | ACK, .at = 1000, .within = 2000);
	expect_tx(SYN | ACK, .at = 3000, .within = 3000);
	expect_tx(SYN | ACK, .at = 7000, .within = 5000);
	expect_tx(SYN | ACK, .at = 15000, .within = 9000);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 1);
	expect_silence(60000);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 0);
	/* A stray ACK then meets a RST. */
	rx(ACK, .seq = 1, .ack = 1);
	expect_tx(RST, .seq = 1);
	fx_close(fx);
}

static void a_syn_again_gets_its_answer_again(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	listen_on(80);
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK, .seq = 0);
	at(100);
	rx(SYN, .seq = 0, .mss = 1460);
	expect_tx(SYN | ACK, .seq = 0, .ack = 1);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 1);
	fx_close(fx);
}

static void only_the_acknowledgement_of_the_syn_completes_the_handshake(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80);

	(void)state;
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK);
	rx(ACK, .ack = 0);
	expect_tx(RST, .seq = 0);
	rx(ACK, .ack = 2);
	expect_tx(RST, .seq = 2);
	assert_int_equal(fx_accept(fx, listener), -EAGAIN);
	rx(ACK, .ack = 1);
	assert_true(fx_accept(fx, listener) >= 0);
	fx_close(fx);
}

static void a_reset_forgets_a_half_open_connection(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	listen_on(80);
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK);
	rx(RST, .seq = 5);
	expect_tx(ACK);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 1);
	rx(RST, .seq = 1);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 0);
	expect_silence(5000);
	fx_close(fx);
}

static void data_and_a_fin_may_come_with_the_handshakes_end(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s;
	char buf[16];

	(void)state;
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK);
	rx(ACK | FIN, .text = "hello");
	expect_tx(ACK, .ack = 7);
	s = fx_accept(fx, listener);
	expect_events(s, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 0);
	fx_close(fx);
}

static void a_full_queue_forgets_the_last_ack_and_takes_the_next(void **state)
{
	struct fixture *fx = fx_open();
	struct fx_conn one = { .peer_port = 41001, .stack_port = 80 };
	struct fx_conn two = { .peer_port = 41002, .stack_port = 80 };
	int listener = fx_socket(fx, SOCK_STREAM, 0), s;
	char buf[16];

	(void)state;
	fx_bind(fx, listener, 0, 80);
	fx_listen(fx, listener, 0);
	rx(SYN, .mss = 1460, .conn = &one);
	expect_tx(SYN | ACK, .conn = &one);
	rx(SYN, .mss = 1460, .conn = &two);
	expect_tx(SYN | ACK, .conn = &two);
	rx(ACK, .conn = &one);
	rx(ACK, .conn = &two);
	expect_drop("tcp", "LISTEN_OVERFLOW");
	rx(ACK, .text = "data", .conn = &two);
	expect_drop("tcp", "LISTEN_OVERFLOW");
	rx(SYN, .mss = 1460);
	expect_drop("tcp", "LISTEN_OVERFLOW");
	assert_true(fx_accept(fx, listener) >= 0);
	assert_int_equal(fx_accept(fx, listener), -EAGAIN);
	expect_tx(SYN | ACK, .seq = 0, .within = 1000, .conn = &two);
	rx(ACK, .seq = 1, .text = "data", .conn = &two);
	expect_tx(ACK, .ack = 5, .conn = &two, .within = 50);
	s = fx_accept(fx, listener);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 4);
	fx_close(fx);
}

static void half_open_connections_are_limited(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.half_open_max=3 tcp.syncookies=0");
	unsigned int i;

	(void)state;
	listen_on(80);
	for (i = 0; i < 4; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };

		rx(SYN, .mss = 1460, .conn = &conn);
		if (i < 3)
			expect_tx(SYN | ACK, .conn = &conn);
	}
	expect_drop("tcp", "HALF_OPEN_LIMIT");
	expect_silence(0);
	fx_close(fx);
}

/* TCP_DEFER_ACCEPT as Linux has it: seconds are turned into retransmissions of the SYN-ACK, 1, 3, 7, 15 … */
static void deferred_seconds_are_retransmissions(void **state)
{
	static const struct { int set, got; } cases[] = {
		{ 0, 0 }, { -1, 0 }, { 1, 1 }, { 2, 3 }, { 3, 3 }, { 4, 7 }, { 7, 7 }, { 8, 15 },
		{ 64, 123 }, { 124, 183 },
	};
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_STREAM, 0);
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		fx_setsockopt(fx, s, IPPROTO_TCP, TCP_DEFER_ACCEPT, cases[i].set);
		assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_DEFER_ACCEPT), cases[i].got);
	}
	fx_close(fx);
}

static void a_deferred_connection_is_accepted_when_data_comes(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s;
	char buf[8];

	(void)state;
	fx_setsockopt(fx, listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 10);
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK);
	rx(ACK);
	expect_drop("tcp", "ACCEPT_DEFERRED");
	/* The peer has answered: it is not asked again. */
	expect_silence(5000);
	assert_int_equal(fx_accept(fx, listener), -EAGAIN);
	rx(ACK, .text = "data");
	s = fx_accept(fx, listener);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 4);
	expect_tx(ACK, .ack = 5);
	fx_close(fx);
}

static void deferring_ends_with_one_more_syn_ack(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80);

	(void)state;
	fx_setsockopt(fx, listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 7);
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK, .at = 0);
	rx(ACK);
	expect_tx(SYN | ACK, .at = 7000, .within = 7001);
	assert_int_equal(fx_accept(fx, listener), -EAGAIN);
	rx(ACK);
	assert_true(fx_accept(fx, listener) >= 0);
	fx_close(fx);
}

static void syncnt_limits_the_syn_acks_of_a_listener(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80);

	(void)state;
	fx_setsockopt(fx, listener, IPPROTO_TCP, TCP_SYNCNT, 2);
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK, .at = 0);
	expect_tx(SYN | ACK, .at = 1000, .within = 2000);
	expect_tx(SYN | ACK, .at = 3000, .within = 3000);
	expect_silence(60000);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 0);
	fx_close(fx);
}

static void a_syn_from_what_is_no_peer_is_ignored(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	listen_on(80);
	rx(SYN, .ip.src = STACK_IP);
	rx(SYN, .ip.src = IP4(224, 0, 0, 1));
	rx(SYN, .ip.src = IP4(255, 255, 255, 255));
	rx(SYN, .ip.src = IP4(192, 0, 2, 255));
	rx(SYN, .ip.dst = IP4(192, 0, 2, 255));
	expect_silence(1000);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 0);
	fx_close(fx);
}

static void connecting_takes_the_answers_options(void **state)
{
	struct fixture *fx = fx_open();
	struct tcp_info info;
	socklen_t length = sizeof(info);
	int s;

	(void)state;
	fx->conn.stack_port = 0;
	s = connect_one(80, .mss = 1000, .sack_ok = true, .ts = true, .wscale = 3, .win = 1000);
	expect_events(s, EPOLLOUT);
	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(info.tcpi_state, TCP_ESTABLISHED);
	assert_int_equal(info.tcpi_snd_wscale, 3);
	assert_int_equal(info.tcpi_snd_mss, 988);
	assert_int_equal(info.tcpi_options, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
	fx_close(fx);
}

static void a_syn_is_sent_again_and_then_times_out(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.syn_retries=3");
	int s = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	fx->conn.stack_port = 0;
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), -EINPROGRESS);
	fx->conn.peer_port = 80;
	expect_tx(SYN, .at = 0);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), -EALREADY);
	expect_tx(SYN, .at = 1000, .within = 1000);
	expect_tx(SYN, .at = 3000, .within = 2000);
	expect_tx(SYN, .at = 7000, .within = 4000);
	at(14999);
	expect_events(s, 0);
	at(15000);
	expect_events(s, EPOLLERR | EPOLLHUP | EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ETIMEDOUT);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	expect_silence(60000);
	fx_close(fx);
}

static void after_a_syn_timed_out_the_first_timeout_is_3_seconds(void **state)
{
	static const struct { const char *options; uint64_t ms; } cases[] = {
		{ "tcp.timestamps=false", 3000 },
		{ NULL, 200 },		/* a time stamp tells how long the way is */
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fixture *fx = fx_open(.options = cases[i].options);
		int s = fx_socket(fx, SOCK_STREAM, 0);
		uint64_t sent;

		fx->conn.stack_port = 0;
		fx_connect(fx, s, PEER_IP, 80);
		fx->conn.peer_port = 80;
		expect_tx(SYN, .at = 0);
		expect_tx(SYN, .at = 1000, .within = 1000);
		rx(SYN | ACK, .mss = 1000, .ts = cases[i].options == NULL);
		expect_tx(ACK);
		assert_int_equal(fx_send(fx, s, "x", 1), 1);
		expect_tx(ACK, .text = "x");
		sent = fx_ms(fx);
		expect_tx(ACK, .text = "x", .within = 3000);
		assert_in_range(fx_ms(fx) - sent, cases[i].ms, cases[i].ms + 10);
		fx_close(fx);
	}
}

static void a_reset_refuses_a_connection_only_with_our_ack(void **state)
{
	struct fixture *fx = fx_open();
	char c;
	int s = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	fx->conn.stack_port = 0;
	fx_connect(fx, s, PEER_IP, 80);
	fx->conn.peer_port = 80;
	expect_tx(SYN);
	rx(RST, .seq = 0);
	expect_drop("tcp", "RST_IGNORED");
	rx(RST | ACK, .seq = 0, .ack = 2);
	expect_drop("tcp", "RST_IGNORED");
	assert_int_equal(fx_send(fx, s, "x", 1), -EAGAIN);
	assert_int_equal(fx_recv(fx, s, &c, 1), -EAGAIN);
	rx(RST | ACK, .seq = 0, .ack = 1);
	assert_int_equal(fx_recv(fx, s, &c, 1), -ECONNREFUSED);
	assert_int_equal(fx_send(fx, s, "x", 1), -EPIPE);
	expect_silence(5000);
	/* As on Linux the socket may try again. */
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), -EINPROGRESS);
	fx->conn.stack_port = 0;
	expect_tx(SYN);
	fx_close(fx);
}

/* Programs tell a connection made from one refused by this call (connect(2), EINPROGRESS). */
static void a_peer_has_a_name_while_it_is_connected(void **state)
{
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_STREAM, 0);
	struct sockaddr_in peer;
	socklen_t length = sizeof(peer);

	(void)state;
	fx->conn.stack_port = 0;
	fx_connect(fx, s, PEER_IP, 80);
	fx->conn.peer_port = 80;
	expect_tx(SYN);
	assert_int_equal(strata_getpeername(fx->stack, s, (struct sockaddr *)&peer, &length), -ENOTCONN);
	rx(SYN | ACK, .seq = 0, .ack = 1);
	expect_tx(ACK);
	assert_int_equal(strata_getpeername(fx->stack, s, (struct sockaddr *)&peer, &length), 0);
	assert_int_equal(ntohs(peer.sin_port), 80);
	rx(RST, .seq = 1);
	assert_int_equal(strata_getpeername(fx->stack, s, (struct sockaddr *)&peer, &length), -ENOTCONN);
	fx_close(fx);
}

static void a_wrong_ack_in_syn_sent_is_reset(void **state)
{
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	fx->conn.stack_port = 0;
	fx_connect(fx, s, PEER_IP, 80);
	fx->conn.peer_port = 80;
	expect_tx(SYN);
	rx(SYN | ACK, .seq = 0, .ack = 2);
	expect_tx(RST, .seq = 2);
	rx(ACK, .seq = 0, .ack = 0);
	expect_tx(RST, .seq = 0);
	rx(ACK, .seq = 0, .ack = 1);
	expect_drop("tcp", "BAD_FLAGS");
	rx(SYN | ACK, .seq = 0, .ack = 1);
	expect_tx(ACK, .seq = 1, .ack = 1);
	expect_events(s, EPOLLOUT);
	fx_close(fx);
}

static void both_sides_may_open_at_once(void **state)
{
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_STREAM, 0);
	char buf[8];

	(void)state;
	fx->conn.stack_port = 0;
	fx_connect(fx, s, PEER_IP, 80);
	fx->conn.peer_port = 80;
	expect_tx(SYN);
	rx(SYN, .seq = 0, .mss = 1460);
	expect_tx(SYN | ACK, .seq = 0, .ack = 1);
	expect_events(s, 0);
	rx(SYN | ACK, .seq = 0, .ack = 1, .mss = 1460);
	expect_events(s, EPOLLOUT);
	rx(ACK, .seq = 1, .text = "hello");
	expect_tx(ACK, .ack = 6, .within = 50);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 5);
	assert_int_equal(fx_send(fx, s, "x", 1), 1);
	expect_tx(ACK, .seq = 1, .text = "x");
	fx_close(fx);
}

static void closing_in_syn_sent_is_silent_and_a_late_answer_reset(void **state)
{
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	fx->conn.stack_port = 0;
	fx_connect(fx, s, PEER_IP, 80);
	fx->conn.peer_port = 80;
	expect_tx(SYN);
	fx_close_socket(fx, s);
	expect_silence(2000);
	rx(SYN | ACK, .seq = 0, .ack = 1);
	expect_tx(RST, .seq = 1);
	fx_close(fx);
}

static void misuse_of_the_calls_is_an_error(void **state)
{
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_STREAM, 0), listener = listen_on(80);
	char c;

	(void)state;
	expect_events(s, EPOLLHUP | EPOLLOUT);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 0), -ECONNREFUSED);
	assert_int_equal(fx_send(fx, s, "x", 1), -EPIPE);
	assert_int_equal(fx_recv(fx, s, &c, 1), -ENOTCONN);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), -ENOTCONN);
	assert_int_equal(fx_accept(fx, s), -EINVAL);
	assert_int_equal(strata_listen(fx->stack, listener, 9), 0);
	assert_int_equal(fx_connect(fx, listener, PEER_IP, 80), -EISCONN);
	s = accept_one(listener);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), -EISCONN);
	assert_int_equal(strata_listen(fx->stack, s, 1), -EINVAL);
	fx_close(fx);
}

static void unreachables_fail_a_connect_each_with_its_errno(void **state)
{
	static const struct { int code, error; } cases[] = {
		{ 0, ENETUNREACH }, { 1, EHOSTUNREACH }, { 2, ENOPROTOOPT }, { 3, ECONNREFUSED },
		{ 13, EHOSTUNREACH },
	};
	struct fixture *fx = fx_open();
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		int s = fx_socket(fx, SOCK_STREAM, 0);
		const struct fx_pkt *syn;

		fx->conn.stack_port = 0;
		fx_connect(fx, s, PEER_IP, 80);
		fx->conn.peer_port = 80;
		syn = expect_tx(SYN);
		rx_icmp_error(3, cases[i].code, 0, syn, 8);
		assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), cases[i].error);
		fx_close_socket(fx, s);
	}
	fx_close(fx);
}

static void initial_sequence_numbers_are_not_to_be_guessed(void **state)
{
	struct fixture *fx = fx_open();
	uint32_t last = 0, isn;
	unsigned int i, close = 0;

	(void)state;
	listen_on(80);
	for (i = 0; i < 1000; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(20000 + i), .stack_port = 80 };

		rx(SYN, .conn = &conn);
		isn = expect_tx(SYN | ACK, .conn = &conn)->tcp.seq;
		close += isn - last < 1u << 20 || last - isn < 1u << 20;
		last = isn;
	}
	/* By chance one in 2,048 is that near. */
	assert_true(close < 10);
	fx_close(fx);
}

static struct strata_neigh *neighbour(struct fixture *fx, uint32_t ip)
{
	uint8_t bytes[4];
	struct strata_addr addr;

	strata_put_be32(bytes, ip);
	addr = strata_addr_make(0x0800, bytes, sizeof(bytes));
	return strata_neigh_find(fx->iface, &addr);
}

/* Else a flood of SYNs from addresses that nobody has would keep those out that somebody has. */
static void a_half_open_connection_holds_only_a_neighbour_that_is_known(void **state)
{
	struct fixture *fx = fx_open();
	const uint32_t nobody = IP4(192, 0, 2, 77);

	(void)state;
	listen_on(80);
	rx(SYN);
	expect_tx(SYN | ACK);
	/* The table's reference and the record's. */
	assert_int_equal(neighbour(fx, PEER_IP)->refs, 2);
	rx(SYN, .conn = &(struct fx_conn){ .peer_ip = nobody, .peer_port = 4000, .stack_port = 80 });
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 2);
	assert_non_null(neighbour(fx, nobody));
	assert_int_equal(neighbour(fx, nobody)->refs, 1);
	rx(RST, .seq = 1);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 1);
	assert_int_equal(neighbour(fx, PEER_IP)->refs, 1);
	fx_discard(fx);
	fx_close(fx);
}

/* The way found for the SYN serves the connection too, unless it has changed meanwhile. */
static void the_way_may_change_between_syn_and_ack(void **state)
{
	struct fixture *fx = fx_open();
	struct strata_route route = { .iface = fx->iface, .mtu = 1000 };
	int listener = listen_on(80), s;
	uint8_t net[4];

	(void)state;
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK, .mss = 1460);
	strata_put_be32(net, PEER_IP);
	route.to.addr = strata_addr_make(0x0800, net, sizeof(net));
	route.to.bits = 32;
	assert_int_equal(strata_route_add(fx->stack, &route), 0);
	/* What was offered stays so. */
	fx_advance(fx, 1000);
	expect_tx(SYN | ACK, .mss = 1460);
	rx(ACK);
	s = fx_accept(fx, listener);
	assert_true(s >= 0);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_MAXSEG), 960);
	fx_close(fx);
}

static void without_a_way_back_the_last_ack_is_forgotten(void **state)
{
	const uint32_t far = IP4(198, 51, 100, 9);
	struct fixture *fx = fx_open(.extra = "routes:\n  - to: 198.51.100.0/24\n    via: 192.0.2.1\n");
	struct strata_route route = { .to.bits = 24 };
	struct fx_conn conn = { .peer_ip = far, .peer_port = 4000, .stack_port = 80 };
	int listener = listen_on(80);
	uint8_t bytes[4];

	(void)state;
	rx(SYN, .conn = &conn);
	expect_tx(SYN | ACK, .conn = &conn);
	strata_put_be32(bytes, IP4(198, 51, 100, 0));
	route.to.addr = strata_addr_make(0x0800, bytes, sizeof(bytes));
	strata_put_be32(bytes, PEER_IP);
	route.via = strata_addr_make(0x0800, bytes, sizeof(bytes));
	assert_int_equal(strata_route_remove(fx->stack, &route), 0);
	rx(ACK, .conn = &conn);
	expect_drop("tcp", "NO_ROUTE");
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 1);
	assert_int_equal(fx_accept(fx, listener), -EAGAIN);
	assert_int_equal(strata_route_add(fx->stack, &route), 0);
	/* It is asked for again. */
	fx_advance(fx, 1000);
	expect_tx(SYN | ACK, .conn = &conn);
	rx(ACK, .conn = &conn);
	assert_true(fx_accept(fx, listener) >= 0);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_syn_ack_has_the_options_in_linuxs_order),
		cmocka_unit_test(a_syn_has_the_options_in_linuxs_order),
		cmocka_unit_test(nothing_is_agreed_that_the_peer_did_not_offer),
		cmocka_unit_test(an_mss_of_0_is_ignored_and_a_small_one_floored),
		cmocka_unit_test(a_closed_port_is_answered_with_a_reset),
		cmocka_unit_test(listen_ignores_resets_and_refuses_acknowledgements),
		cmocka_unit_test(a_syn_ack_is_sent_again_and_then_given_up),
		cmocka_unit_test(a_syn_again_gets_its_answer_again),
		cmocka_unit_test(only_the_acknowledgement_of_the_syn_completes_the_handshake),
		cmocka_unit_test(a_reset_forgets_a_half_open_connection),
		cmocka_unit_test(data_and_a_fin_may_come_with_the_handshakes_end),
		cmocka_unit_test(a_full_queue_forgets_the_last_ack_and_takes_the_next),
		cmocka_unit_test(half_open_connections_are_limited),
		cmocka_unit_test(deferred_seconds_are_retransmissions),
		cmocka_unit_test(a_deferred_connection_is_accepted_when_data_comes),
		cmocka_unit_test(deferring_ends_with_one_more_syn_ack),
		cmocka_unit_test(syncnt_limits_the_syn_acks_of_a_listener),
		cmocka_unit_test(a_syn_from_what_is_no_peer_is_ignored),
		cmocka_unit_test(connecting_takes_the_answers_options),
		cmocka_unit_test(a_syn_is_sent_again_and_then_times_out),
		cmocka_unit_test(after_a_syn_timed_out_the_first_timeout_is_3_seconds),
		cmocka_unit_test(a_reset_refuses_a_connection_only_with_our_ack),
		cmocka_unit_test(a_peer_has_a_name_while_it_is_connected),
		cmocka_unit_test(a_wrong_ack_in_syn_sent_is_reset),
		cmocka_unit_test(both_sides_may_open_at_once),
		cmocka_unit_test(closing_in_syn_sent_is_silent_and_a_late_answer_reset),
		cmocka_unit_test(misuse_of_the_calls_is_an_error),
		cmocka_unit_test(unreachables_fail_a_connect_each_with_its_errno),
		cmocka_unit_test(initial_sequence_numbers_are_not_to_be_guessed),
		cmocka_unit_test(a_half_open_connection_holds_only_a_neighbour_that_is_known),
		cmocka_unit_test(the_way_may_change_between_syn_and_ack),
		cmocka_unit_test(without_a_way_back_the_last_ack_is_forgotten),
	};

	return fx_main(tests);
}
