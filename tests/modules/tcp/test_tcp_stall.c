/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device that takes no more: what is to be sent stays in the send buffer and presses back on the
 * application, nothing is thrown away or given up for it, and all goes on when the device does.
 */
#include <strata/iface.h>

#include "fixture.h"

enum { MSS = 1000 };

static void fill(struct fixture *fx, int s, size_t n)
{
	static uint8_t data[1 << 20];

	fx_pattern_fill(data, n, 0);
	assert_int_equal(fx_send(fx, s, data, n), n);
	fx_run(fx);
}

static void nothing_leaves_until_the_device_takes_it(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.data_retries=3");
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	strata_iface_stop(fx->iface);
	fill(fx, s, 3 * MSS);
	expect_silence(3600 * 1000);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	assert_int_equal(fx_counter(fx, "tcp", "retransmitted_segments"), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	strata_iface_wake(fx->iface);
	fx_run(fx);
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_tx(ACK, .seq = 1 + MSS, .len = MSS);
	expect_tx(ACK | PSH, .seq = 1 + 2 * MSS, .len = MSS);
	rx(ACK, .ack = 1 + 3 * MSS);
	fx_close(fx);
}

static void what_is_in_flight_is_not_taken_for_lost(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.data_retries=3");
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	fill(fx, s, 2 * MSS);
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_tx(ACK | PSH, .seq = 1 + MSS, .len = MSS);
	/* Say both are in the driver's queue. */
	strata_iface_stop(fx->iface);
	expect_silence(600 * 1000);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	strata_iface_wake(fx->iface);
	rx(ACK, .ack = 1 + 2 * MSS);
	expect_silence(5000);
	assert_int_equal(fx_counter(fx, "tcp", "retransmitted_segments"), 0);
	/* Loss is seen again once it can be; the round trip was a long one. */
	assert_int_equal(fx_send(fx, s, "seen", 4), 4);
	fx_run(fx);
	expect_tx(ACK | PSH, .text = "seen");
	expect_tx(ACK | PSH, .seq = 1 + 2 * MSS, .text = "seen", .within = 125000);
	fx_close(fx);
}

static void the_application_feels_it_and_is_told_of_its_end(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS, .win = 65535);
	static uint8_t data[1 << 16];
	size_t taken = 0;
	ssize_t n;

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 40000);
	strata_iface_stop(fx->iface);
	while ((n = fx_send(fx, s, data, sizeof(data))) > 0)
		taken += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	assert_true(taken < 200000);
	fx_run(fx);
	expect_events(s, 0);
	strata_iface_wake(fx->iface);
	fx_run(fx);
	assert_true(fx_waiting(fx) >= 10);
	fx_discard(fx);
	rx(ACK, .ack = 10001, .win = 65535);
	fx_discard(fx);
	fx_close(fx);
}

static void a_fin_waits_too(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	strata_iface_stop(fx->iface);
	fill(fx, s, 10);
	fx_close_socket(fx, s);
	expect_silence(60 * 1000);
	strata_iface_wake(fx->iface);
	fx_run(fx);
	expect_tx(ACK | PSH | FIN, .seq = 1, .len = 10);
	fx_close(fx);
}

static void who_waited_first_sends_first(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s[3], i;

	(void)state;
	for (i = 0; i < 3; i++) {
		fx->conn = (struct fx_conn){ .peer_port = (uint16_t)(40000 + i), .stack_port = 80,
					     .peer_isn = 1000 };
		s[i] = accept_one(listener, .mss = MSS);
	}
	strata_iface_stop(fx->iface);
	fill(fx, s[1], 10);
	fill(fx, s[2], 10);
	fill(fx, s[0], 10);
	strata_iface_wake(fx->iface);
	fx_run(fx);
	assert_int_equal(fx_next(fx)->tcp.dport, 40001);
	assert_int_equal(fx_next(fx)->tcp.dport, 40002);
	assert_int_equal(fx_next(fx)->tcp.dport, 40000);
	fx_close(fx);
}

static void a_connection_that_ends_meanwhile_waits_no_more(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	strata_iface_stop(fx->iface);
	fill(fx, s, 10);
	rx(RST);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ECONNRESET);
	fx_close_socket(fx, s);
	fx_run(fx);
	strata_iface_wake(fx->iface);
	expect_silence(1000);
	fx_close(fx);
}

static void a_stack_ends_while_the_device_is_stuck(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	strata_iface_stop(fx->iface);
	fill(fx, s, 10);
	fx_close(fx);
}

static void datagrams_are_refused_until_the_device_takes_them(void **state)
{
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(fx_sendto(fx, s, "a", 1, PEER_IP, 7), 1);
	expect_udp(.dport = 7, .text = "a");
	expect_events(s, EPOLLOUT);
	strata_iface_stop(fx->iface);
	assert_int_equal(fx_sendto(fx, s, "b", 1, PEER_IP, 7), -EAGAIN);
	assert_int_equal(fx_sendto(fx, s, "b", 1, PEER_IP, 7), -EAGAIN);
	fx_run(fx);
	expect_events(s, 0);
	/* What does not leave the host does not wait. */
	assert_int_equal(fx_sendto(fx, s, "c", 1, STACK_IP, 9), 1);
	expect_silence(10000);
	strata_iface_wake(fx->iface);
	fx_run(fx);
	expect_events(s, EPOLLOUT);
	assert_int_equal(fx_sendto(fx, s, "b", 1, PEER_IP, 7), 1);
	expect_udp(.dport = 7, .text = "b");
	strata_iface_stop(fx->iface);
	assert_int_equal(fx_sendto(fx, s, "b", 1, PEER_IP, 7), -EAGAIN);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_leaves_until_the_device_takes_it),
		cmocka_unit_test(what_is_in_flight_is_not_taken_for_lost),
		cmocka_unit_test(the_application_feels_it_and_is_told_of_its_end),
		cmocka_unit_test(a_fin_waits_too),
		cmocka_unit_test(who_waited_first_sends_first),
		cmocka_unit_test(a_connection_that_ends_meanwhile_waits_no_more),
		cmocka_unit_test(a_stack_ends_while_the_device_is_stuck),
		cmocka_unit_test(datagrams_are_refused_until_the_device_takes_them),
	};

	return fx_main(tests);
}
