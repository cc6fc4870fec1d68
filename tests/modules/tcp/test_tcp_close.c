/* SPDX-License-Identifier: BSD-2-Clause */
/* Closing, in every order, and TIME-WAIT (RFC 9293 3.6, 3.10.4, RFC 1337, RFC 6191). */
#include <netinet/tcp.h>

#include "fixture.h"

static int connected(struct fixture *fx)
{
	return accept_one(listen_on(80), .mss = 1460);
}

static int state_of(struct fixture *fx, int s)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info.tcpi_state;
}

static void the_closer_ends_in_time_wait(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 1, .ack = 1);
	rx(ACK, .ack = 2);
	expect_silence(1000);
	rx(FIN | ACK, .ack = 2);
	expect_tx(ACK, .seq = 2, .ack = 2);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
	/* The last ACK was lost: the FIN again. */
	rx(FIN | ACK, .seq = 1, .ack = 2);
	expect_tx(ACK, .seq = 2, .ack = 2);
	fx_advance(fx, 59000);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
	fx_advance(fx, 2000);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 0);
	fx_close(fx);
}

/* A bind() to the port, of the stack's 5000. */
static int bind_again(struct fixture *fx)
{
	const struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(5000) };
	int s = fx_socket(fx, SOCK_STREAM, 0);
	int result = strata_bind(fx->stack, s, (const struct sockaddr *)&addr, sizeof(addr));

	fx_close_socket(fx, s);
	return result;
}

/* From port 5000 to the peer's 80, closed on both sides: TIME-WAIT, while the socket is still the owner's. */
static int bound_to_time_wait(struct fixture *fx)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);

	fx_bind(fx, s, 0, 5000);
	fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 7000 };
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), -EINPROGRESS);
	expect_tx(SYN);
	rx(SYN | ACK, .seq = 0, .ack = 1, .mss = 1460);
	expect_tx(ACK);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	expect_tx(FIN | ACK, .seq = 1, .ack = 1);
	rx(FIN | ACK, .ack = 2);
	expect_tx(ACK, .seq = 2, .ack = 2);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
	return s;
}

static void port_is_held_for_a_minute(struct fixture *fx)
{
	assert_int_equal(bind_again(fx), -EADDRINUSE);
	fx_advance(fx, 61000);
	assert_int_equal(bind_again(fx), 0);
}

static void a_bound_port_is_its_sockets_and_time_waits_as_long_as_either_is(void **state)
{
	struct fixture *fx = fx_open();
	int s = bound_to_time_wait(fx);

	(void)state;
	assert_int_equal(bind_again(fx), -EADDRINUSE);
	fx_advance(fx, 61000);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 0);
	assert_int_equal(bind_again(fx), -EADDRINUSE);
	fx_close_socket(fx, s);
	assert_int_equal(bind_again(fx), 0);
	s = bound_to_time_wait(fx);
	fx_close_socket(fx, s);
	port_is_held_for_a_minute(fx);
	fx_close(fx);
}

/* Whose owner has gone leaves its port to TIME-WAIT. */
static void time_wait_holds_the_port_of_a_closed_socket(void **state)
{
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	fx_bind(fx, s, 0, 5000);
	fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 7000 };
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), -EINPROGRESS);
	expect_tx(SYN);
	rx(SYN | ACK, .seq = 0, .ack = 1, .mss = 1460);
	expect_tx(ACK);
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 1, .ack = 1);
	rx(FIN | ACK, .ack = 2);
	expect_tx(ACK, .seq = 2, .ack = 2);
	port_is_held_for_a_minute(fx);
	fx_close(fx);
}

static void the_peer_closes_first(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char c;

	(void)state;
	rx(FIN | ACK);
	expect_tx(ACK, .ack = 2);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	assert_int_equal(fx_recv(fx, s, &c, 1), 0);
	assert_int_equal(state_of(fx, s), TCP_CLOSE_WAIT);
	fx_send(fx, s, "last", 4);
	expect_tx(ACK, .text = "last");
	rx(ACK, .ack = 5);
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 5);
	/* LAST-ACK: the FIN is sent again until it is acknowledged. */
	expect_tx(FIN | ACK, .seq = 5, .within = 1000);
	rx(ACK, .ack = 6);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 0);
	rx(ACK, .ack = 6);
	expect_tx(RST, .seq = 6);
	fx_close(fx);
}

static void both_close_at_once(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 1, .ack = 1);
	rx(FIN | ACK, .ack = 1);
	expect_tx(ACK, .seq = 2, .ack = 2);
	/* CLOSING: our FIN is sent again. */
	expect_tx(FIN | ACK, .seq = 1, .ack = 2, .within = 1000);
	rx(ACK, .ack = 2);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
	fx_close(fx);
}

static void a_fin_with_the_ack_of_ours_goes_straight_to_time_wait(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char c;

	(void)state;
	strata_shutdown(fx->stack, s, SHUT_WR);
	expect_tx(FIN | ACK, .seq = 1);
	rx(FIN | ACK, .ack = 2, .text = "x");
	expect_tx(ACK, .seq = 2, .ack = 3);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
	/* The socket itself is done; what came can be read. */
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLRDHUP);
	assert_int_equal(fx_recv(fx, s, &c, 1), 1);
	assert_int_equal(fx_recv(fx, s, &c, 1), 0);
	fx_close(fx);
}

static void after_shutdown_the_other_half_stays_open(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char buf[8];

	(void)state;
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	expect_tx(FIN | ACK, .seq = 1);
	assert_int_equal(fx_send(fx, s, "x", 1), -EPIPE);
	rx(ACK, .ack = 2);
	fx_advance(fx, 600000);
	rx(ACK, .text = "still");
	expect_tx(ACK, .ack = 6, .within = 50);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 5);
	rx(FIN | ACK);
	expect_tx(ACK, .ack = 7);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 0);
	fx_close(fx);
}

static void queued_data_goes_before_the_fin(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = 1000, .win = 1000);
	uint8_t bytes[2500];

	(void)state;
	fx_pattern_fill(bytes, sizeof(bytes), 0);
	fx_send(fx, s, bytes, sizeof(bytes));
	fx_close_socket(fx, s);
	expect_tx(ACK, .seq = 1, .len = 1000);
	expect_silence(0);
	rx(ACK, .ack = 1001, .win = 1000);
	expect_tx(ACK, .seq = 1001, .len = 1000);
	rx(ACK, .ack = 2001, .win = 500);
	expect_tx(ACK, .seq = 2001, .len = 500);
	rx(ACK, .ack = 2501, .win = 500);
	expect_tx(FIN | ACK, .seq = 2501);
	fx_close(fx);
}

static void unread_data_makes_a_close_a_reset(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	rx(ACK, .len = 10);
	expect_tx(ACK, .ack = 11);
	fx_close_socket(fx, s);
	expect_tx(RST | ACK, .seq = 1, .ack = 11);
	expect_silence(1000);
	fx_close(fx);
}

static void linger_of_zero_resets(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };

	(void)state;
	strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	fx_close_socket(fx, s);
	expect_tx(RST | ACK, .seq = 1);
	expect_silence(1000);
	s = accept_one(listen_on(81), .conn = &(struct fx_conn){ .peer_port = 41000, .stack_port = 81 });
	fx_discard(fx);
	linger.l_linger = 5;
	strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	fx_discard(fx);
	fx_close_socket(fx, s);
	expect_silence(0);
	fx_close(fx);
}

static void data_for_a_closed_socket_is_reset(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 1);
	rx(ACK, .ack = 2, .len = 10);
	expect_tx(RST | ACK, .seq = 2);
	expect_drop("tcp", "DATA_AFTER_CLOSE");
	rx(ACK, .ack = 2, .len = 10);
	expect_tx(RST);
	fx_close(fx);
}

static void fin_wait_2_without_an_owner_ends(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 1);
	rx(ACK, .ack = 2);
	expect_silence(61000);
	rx(FIN | ACK, .ack = 2);
	expect_tx(RST, .seq = 2);
	fx_close(fx);
}

static void fin_wait_2_ends_also_when_the_owner_goes_later(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	strata_shutdown(fx->stack, s, SHUT_WR);
	expect_tx(FIN | ACK, .seq = 1);
	rx(ACK, .ack = 2);
	fx_advance(fx, 100000);
	fx_close_socket(fx, s);
	fx_advance(fx, 59000);
	rx(ACK, .seq = 0, .ack = 2);
	expect_tx(ACK, .seq = 2);
	fx_advance(fx, 2000);
	rx(FIN | ACK, .seq = 1, .ack = 2);
	expect_tx(RST, .seq = 2);
	fx_close(fx);
}

/* A connection of the stack's port 80 brought to TIME-WAIT, with or without time stamps. */
static void to_time_wait(struct fixture *fx, bool stamps)
{
	int s = accept_one(listen_on(80), .mss = 1460, .ts = stamps, .tsval = stamps ? 1000 : FX_AUTO);

	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 1);
	rx(FIN | ACK, .ack = 2, .tsval = stamps ? 1000 : FX_AUTO);
	expect_tx(ACK, .seq = 2, .ack = 2);
}

static void a_syn_above_reopens_from_time_wait(void **state)
{
	struct fixture *fx = fx_open();
	const struct fx_pkt *pkt;
	uint32_t isn;

	(void)state;
	to_time_wait(fx, false);
	isn = fx->conn.stack_isn;
	rx(SYN, .seq = 1);
	expect_tx(ACK, .seq = 2, .ack = 2);
	rx(SYN, .seq = 100000, .mss = 1460);
	pkt = expect_tx(SYN | ACK, .ack = 100001);
	/* RFC 9293 3.4.1: above what the old connection used. */
	assert_true((int32_t)(pkt->tcp.seq - isn) > 65535);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 0);
	fx_close(fx);
}

static void a_syn_that_nobody_listens_for_leaves_time_wait_alone(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s = accept_one(listener, .mss = 1460);

	(void)state;
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 1);
	rx(FIN | ACK, .ack = 2);
	expect_tx(ACK, .seq = 2, .ack = 2);
	fx_close_socket(fx, listener);
	rx(SYN, .seq = 100000, .mss = 1460);
	expect_tx(ACK, .seq = 2, .ack = 2);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
	fx_close(fx);
}

static void a_newer_time_stamp_reopens_from_time_wait(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	to_time_wait(fx, true);
	rx(SYN, .seq = -5000, .tsval = 999);
	expect_tx(ACK, .seq = 2, .ack = 2);
	rx(SYN, .seq = -5000, .tsval = 1001);
	expect_tx(SYN | ACK, .ack = -4999);
	fx_close(fx);
}

static void resets_end_time_wait_unless_told_otherwise(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	to_time_wait(fx, false);
	rx(RST, .seq = 1);
	rx(RST, .seq = 3);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
	rx(RST, .seq = 2);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 0);
	fx_close(fx);
	fx = fx_open(.options = "tcp.rfc1337=true");
	to_time_wait(fx, false);
	rx(RST, .seq = 2);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
	fx_close(fx);
}

static void time_wait_is_limited_and_the_oldest_ends(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.time_wait_max=3");
	int listener = listen_on(80), s;
	unsigned int i;

	(void)state;
	for (i = 0; i < 5; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };

		s = accept_one(listener, .conn = &conn);
		fx_close_socket(fx, s);
		expect_tx(FIN | ACK, .conn = &conn);
		rx(FIN | ACK, .ack = 2, .conn = &conn);
		expect_tx(ACK, .conn = &conn);
	}
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 3);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait_overflows"), 2);
	fx_close(fx);
}

static void closing_a_listener_resets_what_nobody_accepted(void **state)
{
	struct fixture *fx = fx_open();
	struct fx_conn half = { .peer_port = 41001, .stack_port = 80 };
	int listener = listen_on(80);

	(void)state;
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK);
	rx(ACK, .text = "data");
	fx_discard(fx);
	rx(SYN, .conn = &half);
	expect_tx(SYN | ACK, .conn = &half);
	fx_close_socket(fx, listener);
	expect_tx(RST | ACK, .seq = 1, .ack = 5);
	rx(ACK, .conn = &half);
	expect_tx(RST, .conn = &half);
	fx_close(fx);
}

static void a_queued_connection_that_was_reset_is_still_accepted(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s;
	char buf[8];

	(void)state;
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK);
	rx(ACK, .text = "data");
	fx_discard(fx);
	rx(RST, .seq = 5);
	s = fx_accept(fx, listener);
	assert_true(s >= 0);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 4);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), -ECONNRESET);
	fx_close_socket(fx, s);
	expect_silence(1000);
	fx_close(fx);
}

static void shutdown_of_a_listener_resets_its_queue(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80);

	(void)state;
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK);
	rx(ACK);
	assert_int_equal(strata_shutdown(fx->stack, listener, SHUT_RD), 0);
	expect_tx(RST | ACK, .seq = 1);
	assert_int_equal(fx_accept(fx, listener), -EINVAL);
	assert_int_equal(strata_listen(fx->stack, listener, 5), 0);
	rx(SYN, .conn = &(struct fx_conn){ .peer_port = 41000, .stack_port = 80 });
	expect_tx(SYN | ACK, .conn = &(struct fx_conn){ .peer_port = 41000, .stack_port = 80 });
	fx_close(fx);
}

static void an_orphan_with_a_closed_window_is_reaped(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.orphan_retries=4");
	int s = connected(fx);
	unsigned int i;

	(void)state;
	rx(ACK, .win = 0);
	fx_send(fx, s, "hello", 5);
	fx_close_socket(fx, s);
	for (i = 0; i < 4; i++) {
		expect_tx(ACK, .seq = 0, .within = 20000);
		rx(ACK, .win = 0);
	}
	expect_silence(100000);
	rx(ACK, .win = 0);
	expect_tx(RST);
	fx_close(fx);
}

static void the_end_of_the_stack_resets_its_connections(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	struct strata_error error = { 0 };
	char c;

	(void)state;
	fx_send(fx, s, "x", 1);
	expect_tx(ACK, .text = "x");
	assert_int_equal(strata_module_disable(fx->stack, "tcp", &error), 0);
	expect_tx(RST | ACK, .seq = 2);
	assert_int_equal(fx_recv(fx, s, &c, 1), -ENETDOWN);
	fx_close_socket(fx, s);
	assert_int_equal(strata_module_enable(fx->stack, "tcp", &error), 0);
	listen_on(80);
	rx(SYN, .conn = &(struct fx_conn){ .peer_port = 41000, .stack_port = 80 });
	expect_tx(SYN | ACK, .conn = &(struct fx_conn){ .peer_port = 41000, .stack_port = 80 });
	strata_error_clear(&error);
	fx_close(fx);
}

static void answer_or_close(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	char bytes[16];
	ssize_t n;

	(void)arg;
	while ((n = strata_recv(stack, s, bytes, sizeof(bytes), 0)) > 0)
		assert_int_equal(strata_send(stack, s, bytes, (size_t)n, 0), n);
	if ((events & EPOLLRDHUP) != 0)
		strata_close(stack, s);
}

static void a_fin_nobody_waits_for_leaves_after_the_answers_of_its_batch(void **state)
{
	struct fx_conn ends = { .peer_port = 41000, .stack_port = 80 };
	struct fx_conn asks = { .peer_port = 41001, .stack_port = 80 };
	struct fx_conn both = { .peer_port = 41002, .stack_port = 80 };
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s[3];

	(void)state;
	s[0] = accept_one(listener, .conn = &ends);
	s[1] = accept_one(listener, .conn = &asks);
	s[2] = accept_one(listener, .conn = &both);
	for (unsigned int i = 0; i < 3; i++)
		strata_notify(fx->stack, s[i], answer_or_close, NULL);
	fx_run(fx);
	fx->batched = true;
	rx(FIN | ACK, .conn = &ends);
	rx(ACK, .conn = &asks, .text = "asked");
	/* One that has bytes to send besides waits for nobody. */
	rx(FIN | ACK, .conn = &both, .text = "last");
	fx->batched = false;
	fx_run(fx);
	expect_tx(ACK, .conn = &asks, .ack = 6, .text = "asked");
	expect_tx(FIN | ACK, .conn = &both, .ack = 6, .text = "last");
	expect_tx(FIN | ACK, .conn = &ends, .ack = 2);
	rx(ACK, .conn = &asks);
	rx(ACK, .conn = &ends);
	rx(ACK, .conn = &both);
	expect_silence(1000);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_closer_ends_in_time_wait),
		cmocka_unit_test(a_bound_port_is_its_sockets_and_time_waits_as_long_as_either_is),
		cmocka_unit_test(time_wait_holds_the_port_of_a_closed_socket),
		cmocka_unit_test(the_peer_closes_first),
		cmocka_unit_test(both_close_at_once),
		cmocka_unit_test(a_fin_with_the_ack_of_ours_goes_straight_to_time_wait),
		cmocka_unit_test(after_shutdown_the_other_half_stays_open),
		cmocka_unit_test(queued_data_goes_before_the_fin),
		cmocka_unit_test(unread_data_makes_a_close_a_reset),
		cmocka_unit_test(linger_of_zero_resets),
		cmocka_unit_test(data_for_a_closed_socket_is_reset),
		cmocka_unit_test(fin_wait_2_without_an_owner_ends),
		cmocka_unit_test(fin_wait_2_ends_also_when_the_owner_goes_later),
		cmocka_unit_test(a_syn_above_reopens_from_time_wait),
		cmocka_unit_test(a_syn_that_nobody_listens_for_leaves_time_wait_alone),
		cmocka_unit_test(a_newer_time_stamp_reopens_from_time_wait),
		cmocka_unit_test(resets_end_time_wait_unless_told_otherwise),
		cmocka_unit_test(time_wait_is_limited_and_the_oldest_ends),
		cmocka_unit_test(closing_a_listener_resets_what_nobody_accepted),
		cmocka_unit_test(a_queued_connection_that_was_reset_is_still_accepted),
		cmocka_unit_test(shutdown_of_a_listener_resets_its_queue),
		cmocka_unit_test(an_orphan_with_a_closed_window_is_reaped),
		cmocka_unit_test(the_end_of_the_stack_resets_its_connections),
		cmocka_unit_test(a_fin_nobody_waits_for_leaves_after_the_answers_of_its_batch),
	};

	return fx_main(tests);
}
