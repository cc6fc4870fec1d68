/* SPDX-License-Identifier: BSD-2-Clause */
/* Losses inferred by time, and tail loss probes (RFC 8985). */
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

/* A connection whose round trip is RTT, with nothing in flight. */
static int connected(struct fixture *fx)
{
	int listener = listen_on(80), s;

	rx(SYN, .mss = MSS, .sack_ok = true);
	expect_tx(SYN | ACK);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1);
	s = fx_accept(fx, listener);
	assert_true(s >= 0);
	assert_in_range(info_of(fx, s).tcpi_min_rtt, RTT * 1000, RTT * 1000 + 999);
	return s;
}

static void a_single_late_segment_is_lost_after_a_quarter_of_a_round_trip(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	send_pattern(fx, s, 0, 2000);
	expect_segments(fx, 1, 2);
	fx_advance(fx, RTT);
	/* Fewer than DupThresh: the reordering timer decides (6.2 step 5). */
	rx(ACK, .ack = 1, .sack = { { 1001, 2001 } });
	expect_silence(RTT / 4 - 1);
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 2);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	rx(ACK, .ack = 2001);
	expect_silence(1000);
	fx_close(fx);
}

static void a_late_segment_that_comes_in_time_is_not_sent_again(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1, .sack = { { 1001, 3001 } });
	fx_advance(fx, 5);
	rx(ACK, .ack = 3001);
	assert_int_equal(info_of(fx, s).tcpi_reord_seen, 1);
	/* Reordering has been seen: three segments beyond a hole are no proof any more (step 4). */
	rx(ACK, .ack = 3001, .sack = { { 4001, 9001 } });
	expect_silence(4);
	rx(ACK, .ack = 10001);
	assert_int_equal(info_of(fx, s).tcpi_total_retrans, 0);
	assert_int_equal(info_of(fx, s).tcpi_snd_ssthresh, 0x7fffffff);
	expect_silence(1000);
	fx_close(fx);
}

static void duplicates_reported_widen_the_window_once_a_round_trip(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.tail_loss_probe=false");
	int s = connected(fx), i;

	(void)state;
	send_pattern(fx, s, 0, 2000);
	expect_segments(fx, 1, 2);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1, .sack = { { 1001, 2001 } });
	expect_tx(ACK, .seq = 1, .len = MSS, .within = RTT / 4 + 1);
	/* It was only late. Two DSACKs of one round trip count once. */
	rx(ACK, .ack = 2001);
	fx_advance(fx, RTT);
	for (i = 0; i < 2; i++)
		rx(ACK, .ack = 2001, .sack = { { 1, 1001 } });
	send_pattern(fx, s, 2000, 2000);
	expect_segments(fx, 2001, 2);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 2001, .sack = { { 3001, 4001 } });
	/* RACK.reo_wnd_mult is 2 now. */
	expect_silence(2 * (RTT / 4) - 1);
	expect_tx(ACK, .seq = 2001, .len = MSS, .within = 2);
	rx(ACK, .ack = 4001);
	fx_close(fx);
}

static void everything_sent_before_what_arrived_is_lost_by_dupthresh(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1, .sack = { { 4001, 5001 } });
	rx(ACK, .ack = 1, .sack = { { 4001, 6001 } });
	expect_silence(0);
	rx(ACK, .ack = 1, .sack = { { 4001, 7001 } });
	/* 1 to 4000 is lost; the window lets it out as data arrives. */
	assert_int_equal(info_of(fx, s).tcpi_lost, 4);
	expect_segments(fx, 1, 1);
	expect_silence(0);
	rx(ACK, .ack = 1, .sack = { { 4001, 10001 } });
	expect_segments(fx, 1001, 3);
	rx(ACK, .ack = 10001);
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, 5);
	fx_close(fx);
}

static void a_retransmission_lost_again_is_found_by_time(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx), i;

	(void)state;
	send_pattern(fx, s, 0, 14000);
	expect_segments(fx, 1, 10);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1, .sack = { { 1001, 10001 } });
	/* Three times the same segment is lost, what was sent after it arrives. */
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_segments(fx, 10001, 4);
	for (i = 0; i < 3; i++) {
		fx_advance(fx, RTT);
		rx(ACK, .ack = 1, .sack = { { 1001, 11001 + (uint32_t)i * 1000 } });
		if (i == 0)
			expect_tx(ACK, .seq = 1, .len = MSS);
	}
	rx(ACK, .ack = 14001);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	assert_true(fx_counter(fx, "tcp", "lost_retransmissions") >= 1);
	fx_close(fx);
}

static void a_probe_takes_the_place_of_the_first_timeout(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	send_pattern(fx, s, 0, 1000);
	expect_segments(fx, 1, 1);
	/* A lone segment: 2 SRTT and 200 ms would be after the timer (7.2), so it goes then. */
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 400);
	assert_int_equal(fx_counter(fx, "tcp", "tail_loss_probes"), 1);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, 10);
	/* It is lost too: now the timer. */
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 800);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 1);
	rx(ACK, .ack = 1001);
	fx_close(fx);
}

static void a_probe_is_new_data_where_there_is_some(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	send_pattern(fx, s, 0, 12000);
	expect_segments(fx, 1, 10);
	/* The window is full, but a probe may go (7.3). */
	expect_tx(ACK, .seq = 10001, .len = MSS, .within = 2 * RTT + 5);
	assert_int_equal(fx_counter(fx, "tcp", "tail_loss_probes"), 1);
	rx(ACK, .ack = 1, .sack = { { 10001, 11001 } });
	/* All before it is lost, and fast recovery repairs it. */
	expect_tx(ACK, .seq = 1, .len = MSS, .within = RTT);
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 3);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	fx_close(fx);
}

static void without_rack_time_proves_nothing(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.rack=false tcp.tail_loss_probe=false");
	int s = connected(fx);

	(void)state;
	send_pattern(fx, s, 0, 2000);
	expect_segments(fx, 1, 2);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1, .sack = { { 1001, 2001 } });
	expect_silence(RTT);
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 400);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 1);
	fx_close(fx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_single_late_segment_is_lost_after_a_quarter_of_a_round_trip),
		cmocka_unit_test(a_late_segment_that_comes_in_time_is_not_sent_again),
		cmocka_unit_test(duplicates_reported_widen_the_window_once_a_round_trip),
		cmocka_unit_test(everything_sent_before_what_arrived_is_lost_by_dupthresh),
		cmocka_unit_test(a_retransmission_lost_again_is_found_by_time),
		cmocka_unit_test(a_probe_takes_the_place_of_the_first_timeout),
		cmocka_unit_test(a_probe_is_new_data_where_there_is_some),
		cmocka_unit_test(without_rack_time_proves_nothing),
	};

	return fx_main(tests);
}
