/* SPDX-License-Identifier: BSD-2-Clause */
/* Explicit congestion notification in TCP (RFC 3168 6.1). */
#include <netinet/tcp.h>

#include "fixture.h"

enum { MSS = 1000, NOT_ECT = 0, ECT_1 = 1, ECT_0 = 2, CE = 3 };

static struct tcp_info info_of(struct fixture *fx, int s)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info;
}

/* A connection that the peer opened with ECN. */
static int accept_ecn(struct fixture *fx, int listener)
{
	rx(SYN | ECE | CWR, .mss = MSS, .sack_ok = true);
	assert_int_equal(expect_tx(SYN | ACK | ECE)->ip.tos, 0);
	rx(ACK);
	return fx_accept(fx, listener);
}

/* ---- agreeing ---- */

static void by_default_ecn_is_granted_but_not_asked_for(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s;

	(void)state;
	s = accept_ecn(fx, listener);
	assert_int_equal(info_of(fx, s).tcpi_options & TCPI_OPT_ECN, TCPI_OPT_ECN);
	fx->conn.stack_port = 0;
	fx_connect(fx, fx_socket(fx, SOCK_STREAM, 0), PEER_IP, 40000);
	expect_tx(SYN);
	fx_close(fx);
}

static void what_is_no_ecn_setup_syn_gets_a_plain_answer(void **state)
{
	static const struct {
		const char *options;
		uint8_t flags, tos;
	} cases[] = {
		{ "tcp.ecn=0", ECE | CWR, NOT_ECT },
		{ NULL, ECE, NOT_ECT },
		{ NULL, CWR, NOT_ECT },
		{ NULL, 0, NOT_ECT },
		/* RFC 3168 6.1.1: a SYN is not ECN-capable itself; somebody on the way paints packets. */
		{ NULL, ECE | CWR, ECT_0 },
		{ NULL, ECE | CWR, ECT_1 },
		{ NULL, ECE | CWR, CE },
	};
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fixture *fx = fx_open(.options = cases[i].options);
		int listener = listen_on(80), s;

		rx(SYN | cases[i].flags, .mss = MSS, .ip.tos = cases[i].tos);
		expect_tx(SYN | ACK);
		rx(ACK);
		s = fx_accept(fx, listener);
		assert_int_equal(fx_send(fx, s, "x", 1), 1);
		assert_int_equal(expect_tx(ACK, .text = "x")->ip.tos, 0);
		/* And what the peer marks all the same is not echoed. */
		rx(ACK, .text = "y", .ip.tos = CE);
		expect_tx(ACK, .ack = 2, .within = 50);
		fx_close(fx);
	}
}

static void ecn_that_was_asked_for_is_used_if_the_answer_grants_it(void **state)
{
	static const struct { uint8_t flags; bool granted; } cases[] = {
		{ ECE, true }, { 0, false }, { ECE | CWR, false }, { CWR, false },
	};
	struct fixture *fx = fx_open(.options = "tcp.ecn=1");
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		int s = fx_socket(fx, SOCK_STREAM, 0);

		fx->conn = (struct fx_conn){ .peer_port = (uint16_t)(41000 + i), .peer_isn = 1000 };
		fx_connect(fx, s, PEER_IP, fx->conn.peer_port);
		assert_int_equal(expect_tx(SYN | ECE | CWR)->ip.tos, 0);
		rx(SYN | ACK | cases[i].flags, .mss = MSS);
		expect_tx(ACK);
		assert_int_equal((info_of(fx, s).tcpi_options & TCPI_OPT_ECN) != 0, cases[i].granted);
		assert_int_equal(fx_send(fx, s, "x", 1), 1);
		assert_int_equal(expect_tx(ACK, .text = "x")->ip.tos,
				 cases[i].granted ? ECT_0 : NOT_ECT);
	}
	fx_close(fx);
}

/* RFC 3168 6.1.1.1 */
static void a_syn_that_is_sent_again_goes_without_ecn(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.ecn=1");
	int s = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	fx->conn.stack_port = 0;
	fx_connect(fx, s, PEER_IP, 80);
	fx->conn.peer_port = 80;
	expect_tx(SYN | ECE | CWR);
	expect_tx(SYN, .within = 1001);
	/* An answer to the first: too late, one without was sent. */
	rx(SYN | ACK | ECE, .mss = MSS);
	expect_tx(ACK);
	assert_int_equal(info_of(fx, s).tcpi_options & TCPI_OPT_ECN, 0);
	fx_close(fx);
}

static void a_peer_that_gives_ecn_up_is_followed(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s;

	(void)state;
	rx(SYN | ECE | CWR, .mss = MSS);
	expect_tx(SYN | ACK | ECE);
	at(900);
	rx(SYN, .seq = 0, .mss = MSS);
	expect_tx(SYN | ACK);
	rx(ACK);
	s = fx_accept(fx, listener);
	assert_int_equal(info_of(fx, s).tcpi_options & TCPI_OPT_ECN, 0);
	fx_close(fx);
}

static void both_sides_that_open_at_once_agree(void **state)
{
	static const struct { uint8_t syn, syn_ack; bool granted; } cases[] = {
		{ ECE | CWR, ECE, true }, { 0, 0, false }, { ECE | CWR, 0, false },
	};
	struct fixture *fx = fx_open(.options = "tcp.ecn=1");
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		int s = fx_socket(fx, SOCK_STREAM, 0);

		fx->conn = (struct fx_conn){ .peer_port = (uint16_t)(41000 + i), .peer_isn = 1000 };
		fx_connect(fx, s, PEER_IP, fx->conn.peer_port);
		expect_tx(SYN | ECE | CWR);
		rx(SYN | cases[i].syn, .seq = 0, .mss = MSS);
		expect_tx(SYN | ACK | (cases[i].syn != 0 ? ECE : 0), .seq = 0, .ack = 1);
		rx(SYN | ACK | cases[i].syn_ack, .seq = 0, .ack = 1, .mss = MSS);
		expect_events(s, EPOLLOUT);
		assert_int_equal((info_of(fx, s).tcpi_options & TCPI_OPT_ECN) != 0, cases[i].granted);
	}
	fx_close(fx);
}

static void a_cookie_remembers_ecn_with_a_time_stamp_only(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.syncookies=2");
	int listener = listen_on(80), s;

	(void)state;
	rx(SYN | ECE | CWR, .mss = MSS, .ts = true);
	expect_tx(SYN | ACK | ECE);
	rx(ACK);
	s = fx_accept(fx, listener);
	assert_int_equal(fx_send(fx, s, "x", 1), 1);
	assert_int_equal(expect_tx(ACK, .text = "x")->ip.tos, ECT_0);
	fx->conn = (struct fx_conn){ .peer_port = 41000, .stack_port = 80, .peer_isn = 1000 };
	rx(SYN | ECE | CWR, .mss = MSS);
	expect_tx(SYN | ACK);
	rx(ACK);
	s = fx_accept(fx, listener);
	assert_int_equal(fx_send(fx, s, "x", 1), 1);
	assert_int_equal(expect_tx(ACK, .text = "x")->ip.tos, NOT_ECT);
	fx_close(fx);
}

static void a_syn_that_ends_time_wait_agrees_anew(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s = accept_one(listener, .mss = MSS);

	(void)state;
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK);
	rx(ACK | FIN, .ack = 2);
	expect_tx(ACK);
	fx->conn.peer_isn += 100000;
	rx(SYN | ECE | CWR, .seq = 0, .mss = MSS);
	expect_tx(SYN | ACK | ECE);
	fx_close(fx);
}

/* ---- marking ---- */

static void new_data_alone_is_marked(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s = accept_ecn(fx, listener);

	(void)state;
	assert_int_equal(fx_send(fx, s, "new", 3), 3);
	assert_int_equal(expect_tx(ACK, .text = "new")->ip.tos, ECT_0);
	/* A retransmission (6.1.5), be it a probe of the tail. */
	assert_int_equal(expect_tx(ACK, .text = "new", .within = 3000)->ip.tos, NOT_ECT);
	rx(ACK, .ack = 4);
	/* A pure ACK (6.1.4). */
	rx(ACK, .text = "data");
	assert_int_equal(expect_tx(ACK, .ack = 5, .within = 50)->ip.tos, NOT_ECT);
	/* A window probe (6.1.6). */
	rx(ACK, .win = 0);
	assert_int_equal(fx_send(fx, s, "wait", 4), 4);
	assert_int_equal(expect_tx(ACK, .len = 0, .within = 3000)->ip.tos, NOT_ECT);
	rx(ACK, .win = 65535);
	/* The probe of the tail repaired a loss: the window was reduced (6.1.2). */
	assert_int_equal(expect_tx(ACK | CWR, .text = "wait")->ip.tos, ECT_0);
	rx(ACK, .ack = 8);
	/* A FIN with nothing else. */
	strata_shutdown(fx->stack, s, SHUT_WR);
	assert_int_equal(expect_tx(FIN | ACK)->ip.tos, NOT_ECT);
	rx(RST, .seq = 5);
	fx_close(fx);
}

static void the_mark_leaves_the_type_of_service_alone(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s = accept_ecn(fx, listener);

	(void)state;
	/* The two bits are not the application's, as on Linux. */
	fx_setsockopt(fx, s, IPPROTO_IP, IP_TOS, 0xb8 | CE);
	assert_int_equal(fx_send(fx, s, "x", 1), 1);
	assert_int_equal(expect_tx(ACK, .text = "x")->ip.tos, 0xb8 | ECT_0);
	rx(ACK, .text = "y");
	assert_int_equal(expect_tx(ACK, .ack = 2, .within = 50)->ip.tos, 0xb8);
	fx_close(fx);
}

/* ---- the receiver ---- */

static void a_mark_is_echoed_until_the_peer_says_it_has_slowed_down(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s = accept_ecn(fx, listener);

	(void)state;
	rx(ACK, .text = "a", .ip.tos = ECT_0);
	expect_tx(ACK, .ack = 2, .within = 50);
	assert_int_equal(info_of(fx, s).tcpi_options & TCPI_OPT_ECN_SEEN, TCPI_OPT_ECN_SEEN);
	rx(ACK, .text = "b", .ip.tos = CE);
	expect_tx(ACK | ECE, .ack = 3);
	rx(ACK, .text = "c", .ip.tos = ECT_0);
	expect_tx(ACK | ECE, .ack = 4, .within = 50);
	/* On data, too. */
	assert_int_equal(fx_send(fx, s, "x", 1), 1);
	expect_tx(ACK | ECE, .text = "x");
	rx(ACK | CWR, .text = "d", .ip.tos = ECT_0);
	expect_tx(ACK, .ack = 5);
	rx(ACK, .text = "e", .ip.tos = ECT_0);
	expect_tx(ACK, .ack = 6, .within = 50);
	/* CWR answers the marks before: one on the same packet is new. */
	rx(ACK | CWR, .text = "f", .ip.tos = CE);
	expect_tx(ACK | ECE, .ack = 7);
	rx(ACK | CWR, .text = "g", .ip.tos = ECT_1);
	expect_tx(ACK, .ack = 8);
	assert_int_equal(fx_counter(fx, "tcp", "ce_received"), 2);
	fx_close(fx);
}

static void marks_of_what_is_not_taken_say_nothing(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80);

	(void)state;
	accept_ecn(fx, listener);
	rx(ACK, .text = "abc");
	expect_tx(ACK, .ack = 4, .within = 50);
	/* 6.1.5: data outside the window, which an attacker may have sent. */
	rx(ACK, .seq = 1, .text = "abc", .ip.tos = CE);
	expect_tx(ACK, .ack = 4);
	rx(ACK, .seq = 1000000, .text = "xyz", .ip.tos = CE);
	expect_tx(ACK, .ack = 4);
	/* 6.1.4: a pure ACK. */
	rx(ACK, .seq = 4, .ip.tos = CE);
	rx(ACK, .seq = 4, .text = "d");
	expect_tx(ACK, .ack = 5, .within = 50);
	fx_close(fx);
}

/* RFC 3168 5.3 */
static void a_mark_on_one_fragment_is_echoed(void **state)
{
	struct fixture *fx = fx_open();
	uint8_t segment[20 + 16] = { 0 };
	struct fx_ip first = { .proto = FX_IP_TCP, .id = 77, .mf = true, .tos = ECT_0 };
	struct fx_ip second = { .proto = FX_IP_TCP, .id = 77, .offset = 24, .tos = CE };

	(void)state;
	accept_ecn(fx, listen_on(80));
	strata_put_be16(segment, fx->conn.peer_port);
	strata_put_be16(segment + 2, fx->conn.stack_port);
	strata_put_be32(segment + 4, fx->conn.peer_isn + 1);
	strata_put_be32(segment + 8, fx->conn.stack_isn + 1);
	segment[12] = 5 << 4;
	segment[13] = ACK;
	strata_put_be16(segment + 14, 65535);
	strata_put_be16(segment + 16, fx_sum_finish(fx_sum(fx_sum_pseudo(PEER_IP, STACK_IP, FX_IP_TCP,
									 sizeof(segment)),
							   segment, sizeof(segment))));
	fx_input_ip(fx, &first, FX_IP_TCP, segment, 24);
	fx_input_ip(fx, &second, FX_IP_TCP, segment + 24, sizeof(segment) - 24);
	expect_tx(ACK | ECE, .ack = 17);
	fx_close(fx);
}

/* ---- the sender ---- */

static void an_echo_halves_the_window_once_and_is_answered(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s = accept_ecn(fx, listener);
	static char data[40 * MSS];
	unsigned int i;

	(void)state;
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, 10);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, sizeof(data));
	assert_int_equal(fx_send(fx, s, data, sizeof(data)), sizeof(data));
	for (i = 0; i < 10; i++)
		assert_int_equal(expect_tx(ACK, .len = MSS, .any_data = true)->ip.tos, ECT_0);
	/* All acknowledge what was in flight when the mark was told. 6.1.2: the first new data says that the
	 * window was reduced, and no other. */
	rx(ACK | ECE, .ack = 1 + MSS);
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 2);
	assert_int_equal(info_of(fx, s).tcpi_snd_ssthresh, 5);
	assert_int_equal(expect_tx(ACK | CWR, .seq = 1 + 10 * MSS, .len = MSS, .any_data = true)->ip.tos,
			 ECT_0);
	rx(ACK | ECE, .ack = 1 + 2 * MSS);
	rx(ACK | ECE, .ack = 1 + 4 * MSS);
	rx(ACK | ECE, .ack = 1 + 6 * MSS);
	assert_int_equal(info_of(fx, s).tcpi_snd_ssthresh, 5);
	rx(ACK, .ack = 1 + 7 * MSS);
	rx(ACK, .ack = 1 + 10 * MSS);
	/* The window has become smaller in proportion to what arrived (RFC 9937). */
	for (i = 1; fx_waiting(fx) != 0; i++)
		expect_tx(ACK, .len = MSS, .any_data = true);
	assert_in_range(i, 4, 5);
	rx(ACK, .ack = 1 + 11 * MSS);
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, 5);
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 0);
	assert_int_equal(info_of(fx, s).tcpi_total_retrans, 0);
	assert_int_equal(fx_counter(fx, "tcp", "ece_received"), 4);
	fx_close(fx);
}

static void a_mark_in_the_next_window_halves_it_again(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s = accept_ecn(fx, listener);
	static char data[40 * MSS];
	unsigned int i;

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, sizeof(data));
	assert_int_equal(fx_send(fx, s, data, sizeof(data)), sizeof(data));
	for (i = 0; i < 10; i++)
		expect_tx(ACK, .len = MSS, .any_data = true);
	rx(ACK | ECE, .ack = 1 + 10 * MSS);
	expect_tx(ACK | CWR, .len = MSS, .any_data = true);
	for (i = 1; fx_waiting(fx) != 0; i++)
		expect_tx(ACK, .len = MSS, .any_data = true);
	assert_in_range(i, 4, 6);
	rx(ACK | ECE, .ack = 1 + (int64_t)(10 + i) * MSS);
	expect_tx(ACK | CWR, .len = MSS, .any_data = true);
	while (fx_waiting(fx) != 0)
		expect_tx(ACK, .len = MSS, .any_data = true);
	assert_in_range(info_of(fx, s).tcpi_snd_cwnd, 2, 3);
	fx_close(fx);
}

/* A super-packet is cut below: its first segment has CWR, its last PSH. */
static void of_a_super_packet_the_first_segment_tells(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s = accept_ecn(fx, listener);
	static char data[30 * MSS];
	unsigned int i;

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, sizeof(data));
	assert_int_equal(fx_send(fx, s, data, 10 * MSS), 10 * MSS);
	for (i = 0; i < 10; i++)
		expect_tx(ACK, .len = MSS, .any_data = true);
	rx(ACK | ECE, .ack = 1 + 10 * MSS);
	assert_int_equal(fx_send(fx, s, data, 5 * MSS), 5 * MSS);
	for (i = 0; i < 5; i++) {
		uint8_t flags = ACK | (i == 0 ? CWR : 0) | (i == 4 ? PSH : 0);
		const struct fx_pkt *pkt = expect_tx(flags, .len = MSS, .any_data = true);

		assert_int_equal(pkt->tcp.flags, flags);
		assert_int_equal(pkt->ip.tos, ECT_0);
	}
	fx_close(fx);
}

static void echoes_mean_nothing_without_ecn(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);
	static char data[10 * MSS];
	unsigned int i;

	(void)state;
	assert_int_equal(fx_send(fx, s, data, sizeof(data)), sizeof(data));
	for (i = 0; i < 10; i++)
		expect_tx(ACK, .len = MSS, .any_data = true);
	rx(ACK | ECE, .ack = 1 + 10 * MSS);
	assert_true(info_of(fx, s).tcpi_snd_cwnd >= 10);
	assert_int_equal(fx_send(fx, s, "x", 1), 1);
	expect_tx(ACK, .text = "x");
	fx_close(fx);
}

/* ---- two stacks ---- */

static void two_stacks_agree_on_ecn(void **state)
{
	static const struct fx_config config = { .options = "tcp.ecn=1" };
	struct fx_link link = { .delay = 5 * STRATA_MS };
	struct fx_pair pair = fx_pair_open(&config, &link, 1);
	struct fixture *fx = pair.b;
	int listener = listen_on(80), s;
	char buf[4096];
	size_t got = 0, sent = 0;
	ssize_t n;

	(void)state;
	fx = pair.a;
	s = fx_socket(fx, SOCK_STREAM, 0);
	fx_connect(fx, s, STACK_IP, 80);
	fx_join_run(pair.join, 100 * STRATA_MS, NULL, NULL);
	listener = fx_accept(pair.b, listener);
	assert_true(listener >= 0);
	while (got < 200000) {
		while (sent < 200000 && (n = fx_send(fx, s, buf, sizeof(buf))) > 0)
			sent += (size_t)n;
		fx_join_run(pair.join, 5 * STRATA_MS, NULL, NULL);
		while ((n = fx_recv(pair.b, listener, buf, sizeof(buf))) > 0)
			got += (size_t)n;
	}
	assert_int_equal(info_of(fx, s).tcpi_options & TCPI_OPT_ECN, TCPI_OPT_ECN);
	assert_int_equal(info_of(pair.b, listener).tcpi_options & (TCPI_OPT_ECN | TCPI_OPT_ECN_SEEN),
			 TCPI_OPT_ECN | TCPI_OPT_ECN_SEEN);
	fx_pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_default_ecn_is_granted_but_not_asked_for),
		cmocka_unit_test(what_is_no_ecn_setup_syn_gets_a_plain_answer),
		cmocka_unit_test(ecn_that_was_asked_for_is_used_if_the_answer_grants_it),
		cmocka_unit_test(a_syn_that_is_sent_again_goes_without_ecn),
		cmocka_unit_test(a_peer_that_gives_ecn_up_is_followed),
		cmocka_unit_test(both_sides_that_open_at_once_agree),
		cmocka_unit_test(a_cookie_remembers_ecn_with_a_time_stamp_only),
		cmocka_unit_test(a_syn_that_ends_time_wait_agrees_anew),
		cmocka_unit_test(new_data_alone_is_marked),
		cmocka_unit_test(the_mark_leaves_the_type_of_service_alone),
		cmocka_unit_test(a_mark_is_echoed_until_the_peer_says_it_has_slowed_down),
		cmocka_unit_test(marks_of_what_is_not_taken_say_nothing),
		cmocka_unit_test(a_mark_on_one_fragment_is_echoed),
		cmocka_unit_test(an_echo_halves_the_window_once_and_is_answered),
		cmocka_unit_test(a_mark_in_the_next_window_halves_it_again),
		cmocka_unit_test(of_a_super_packet_the_first_segment_tells),
		cmocka_unit_test(echoes_mean_nothing_without_ecn),
		cmocka_unit_test(two_stacks_agree_on_ecn),
	};

	return fx_main(tests);
}
