/* SPDX-License-Identifier: BSD-2-Clause */
/* Where two of TCP's mechanisms meet: marks and losses, probes and recovery, a change of algorithm. */
#include <linux/tcp.h>

#include "fixture.h"

enum { MSS = 1000, RTT = 40 };

static struct tcp_info info_of(struct fixture *fx, int s)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info;
}

static void send_pattern(struct fixture *fx, int s, uint64_t position, size_t length)
{
	uint8_t *bytes = malloc(length);

	fx_pattern_fill(bytes, length, position);
	assert_int_equal(fx_send(fx, s, bytes, length), length);
	free(bytes);
}

static void expect_segments(struct fixture *fx, uint32_t seq, unsigned int count)
{
	for (; count > 0; count--, seq += MSS)
		expect_tx(ACK, .seq = seq, .len = MSS);
}

/* A connection whose round trip is RTT. `ecn`: ECE | CWR or 0. */
static int connected(struct fixture *fx, bool sack, uint8_t ecn)
{
	int listener = listen_on(80), s;

	rx(SYN | ecn, .mss = MSS, .sack_ok = sack);
	expect_tx(SYN | ACK | (ecn & ECE));
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1);
	s = fx_accept(fx, listener);
	assert_true(s >= 0);
	return s;
}

static void a_mark_does_not_forget_that_a_segment_is_late(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx, true, ECE | CWR);

	(void)state;
	send_pattern(fx, s, 0, 3000);
	expect_segments(fx, 1, 3);
	fx_advance(fx, RTT);
	rx(ACK | ECE, .ack = 1, .sack = { { 1001, 2001 } });
	/* RACK's timer, not the retransmission timer. */
	expect_tx(ACK, .seq = 1, .len = MSS, .within = RTT / 4 + 1);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	rx(ACK, .ack = 3001);
	fx_close(fx);
}

static void what_is_late_when_recovery_begins_is_found_without_another_ack(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx, true, 0);

	(void)state;
	send_pattern(fx, s, 0, 1000);
	expect_segments(fx, 1, 1);
	fx_advance(fx, 12);
	send_pattern(fx, s, 1000, 2000);
	expect_segments(fx, 1001, 2);
	/* The first is overdue when the third arrives; the second is not yet. */
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1, .sack = { { 2001, 3001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_tx(ACK, .seq = 1001, .len = MSS, .within = RTT / 4 + 1);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	rx(ACK, .ack = 3001);
	fx_close(fx);
}

static void a_loss_after_a_mark_does_not_open_the_window(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.initial_window=20");
	int s = connected(fx, true, ECE | CWR);
	uint32_t at = 1, pipe, i;

	(void)state;
	send_pattern(fx, s, 0, 40000);
	fx_discard(fx);
	fx_advance(fx, RTT);
	/* A mark halves the window of 20; half a window later something is lost. */
	at += MSS;
	rx(ACK | ECE, .ack = at);
	for (i = 0; i < 8; i++) {
		at += MSS;
		rx(ACK, .ack = at);
	}
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 2);
	fx_discard(fx);
	pipe = info_of(fx, s).tcpi_unacked;
	rx(ACK, .ack = at, .sack = { { at + MSS, at + 4 * MSS } });
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 3);
	/* Three arrived and one is lost: two more leave, the retransmission among them. */
	assert_in_range(info_of(fx, s).tcpi_snd_cwnd, 10, pipe - 2);
	fx_close(fx);
}

static void after_recovery_the_next_tail_is_probed_too(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx, true, 0);

	(void)state;
	send_pattern(fx, s, 0, 5000);
	expect_segments(fx, 1, 5);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1, .sack = { { 1001, 5001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 5001);
	/* A late DSACK is still waited for; the next flight is lost altogether. */
	send_pattern(fx, s, 5000, 2000);
	expect_segments(fx, 5001, 2);
	expect_tx(ACK, .seq = 6001, .len = MSS, .within = 2 * RTT + 5);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	rx(ACK, .ack = 7001);
	fx_close(fx);
}

static void a_probe_that_repaired_the_last_flight_costs_half_the_window(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx, true, 0);

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 9001);
	expect_tx(ACK, .seq = 9001, .len = MSS, .within = 400);
	rx(ACK, .ack = 10001);
	/* No duplicate is reported. */
	fx_advance(fx, 1000);
	assert_in_range(info_of(fx, s).tcpi_snd_cwnd, 5, 10);
	fx_close(fx);
}

static void without_sack_a_loss_in_a_marked_window_is_repaired_by_duplicates(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx, false, ECE | CWR), i;

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	fx_advance(fx, RTT);
	rx(ACK | ECE, .ack = 1001);
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 2);
	for (i = 0; i < 3; i++)
		rx(ACK, .ack = 1001);
	expect_tx(ACK, .seq = 1001, .len = MSS);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	rx(ACK, .ack = 10001);
	fx_close(fx);
}

static void a_change_of_algorithm_in_recovery_leaves_a_window(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp udp newreno bbr tcp",
				     .options = "tcp.congestion=bbr");
	int s = connected(fx, true, 0);

	(void)state;
	send_pattern(fx, s, 0, 10000);
	fx_advance(fx, 20);
	fx_discard(fx);
	fx_advance(fx, 20);
	rx(ACK, .ack = 1, .sack = { { 1001, 6001 } });
	fx_discard(fx);
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 3);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_CONGESTION, "newreno", 7), 0);
	rx(ACK, .ack = 10001);
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 0);
	assert_in_range(info_of(fx, s).tcpi_snd_cwnd, 2, 20);
	fx_close(fx);
}

static void without_an_algorithm_the_window_returns_to_its_threshold(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx, true, 0);
	struct strata_error error = { 0 };
	uint32_t at = 1;

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	assert_int_equal(strata_module_disable(fx->stack, "newreno", &error), 0);
	/* Probe and timeout. */
	fx_advance(fx, 3000);
	assert_true(fx_counter(fx, "tcp", "timeouts") >= 1);
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, 1);
	assert_int_equal(info_of(fx, s).tcpi_snd_ssthresh, 5);
	while (at < 10001) {
		fx_discard(fx);
		at += MSS;
		rx(ACK, .ack = at);
	}
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, 5);
	fx_close(fx);
}

static void tcp_info_tells_bytes_sent_once_and_again(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx, true, 0);

	(void)state;
	send_pattern(fx, s, 0, 5000);
	expect_segments(fx, 1, 5);
	assert_int_equal(info_of(fx, s).tcpi_bytes_sent, 5000);
	assert_int_equal(info_of(fx, s).tcpi_bytes_retrans, 0);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1, .sack = { { 1001, 5001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	assert_int_equal(info_of(fx, s).tcpi_bytes_retrans, 1000);
	assert_int_equal(info_of(fx, s).tcpi_bytes_sent, 6000);
	rx(ACK, .ack = 5001);
	/* The FIN is no byte. */
	assert_int_equal(strata_shutdown(fx->stack, s, 1), 0);
	expect_tx(FIN | ACK, .seq = 5001);
	assert_int_equal(info_of(fx, s).tcpi_bytes_sent, 6000);
	assert_int_equal(info_of(fx, s).tcpi_bytes_acked, 5000);
	rx(ACK, .ack = 5002);
	assert_int_equal(info_of(fx, s).tcpi_bytes_sent, 6000);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_does_not_forget_that_a_segment_is_late),
		cmocka_unit_test(what_is_late_when_recovery_begins_is_found_without_another_ack),
		cmocka_unit_test(a_loss_after_a_mark_does_not_open_the_window),
		cmocka_unit_test(after_recovery_the_next_tail_is_probed_too),
		cmocka_unit_test(a_probe_that_repaired_the_last_flight_costs_half_the_window),
		cmocka_unit_test(without_sack_a_loss_in_a_marked_window_is_repaired_by_duplicates),
		cmocka_unit_test(a_change_of_algorithm_in_recovery_leaves_a_window),
		cmocka_unit_test(without_an_algorithm_the_window_returns_to_its_threshold),
		cmocka_unit_test(tcp_info_tells_bytes_sent_once_and_again),
	};

	return fx_main(tests);
}
