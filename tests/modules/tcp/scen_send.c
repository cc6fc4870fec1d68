/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending against a peer's window, Nagle's rules and CORK, time-outs, a device that refuses, ICMP, and
 * idleness (RFC 9293 3.7.4, 3.8.3, 3.8.4, 3.8.6; RFC 5482, RFC 5927). */
#include <linux/sockios.h>

#include "states.h"

/* Waits for the next frame, forgets it, and gives the time between it and the one before. */
static uint64_t interval(struct fixture *fx, uint64_t *last)
{
	uint64_t took = fx_ms(fx) - *last;

	*last += took;
	return took;
}

/* ---- 41: what is no duplicate ACK ---- */

struct ack {
	const char *name;
	int64_t len, win;
	uint8_t flags;
};

static const struct ack no_duplicates[] = {
	{ "data", 10, 65535, ACK },
	{ "a window that grows", 0, 0, ACK },		/* 0: another each time */
	{ "a FIN", 0, 65535, FIN | ACK },
};

static void is_no_duplicate_ack(struct fixture *fx, const void *row)
{
	const struct ack *ack = row;
	int s = tcp_connected(fx), i;

	app_sends(s, 0, 5000);
	for (i = 0; i < 5; i++)
		expect_tx(ACK, .seq = 1 + 1000 * i, .len = MSS);
	for (i = 0; i < 6; i++)
		rx(ack->flags, .seq = ack->flags & FIN ? 1 : FX_AUTO, .ack = 1, .len = ack->len,
		   .win = ack->win != 0 ? ack->win : 50000 + 1000 * i);
	while (fx_waiting(fx) != 0)
		expect_tx(ACK, .len = 0);
	assert_int_equal(fx_counter(fx, "tcp", "fast_recoveries"), 0);
	assert_int_equal(fx_counter(fx, "tcp", "retransmitted_segments"), 0);
}

static void acks_with_nothing_in_flight_are_no_duplicates(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	for (i = 0; i < 10; i++)
		rx(ACK, .ack = 1);
	app_sends(s, 0, 2000);
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_tx(ACK, .seq = 1001, .len = MSS);
	rx(ACK, .ack = 1);
	rx(ACK, .ack = 1);
	expect_silence(100);
	assert_int_equal(fx_counter(fx, "tcp", "fast_recoveries"), 0);
}

static void old_acks_are_no_duplicates(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	app_sends(s, 0, 5000);
	for (i = 0; i < 5; i++)
		expect_tx(ACK, .len = MSS);
	rx(ACK, .ack = 2001);
	for (i = 0; i < 5; i++)
		rx(ACK, .ack = 1001);
	expect_silence(100);
	assert_int_equal(fx_counter(fx, "tcp", "fast_recoveries"), 0);
}

/* ---- 44: zero windows ---- */

static void the_window_closes_on_unsent_data(struct fixture *fx, int s)
{
	app_sends(s, 0, 100);
	expect_tx(ACK, .seq = 1, .len = 100);
	rx(ACK, .ack = 101, .win = 0);
	app_sends(s, 100, 100);
	expect_silence(100);
}

static void a_probe_is_one_below_and_without_data(struct fixture *fx)
{
	int s = tcp_connected(fx);
	const struct fx_pkt *pkt;

	the_window_closes_on_unsent_data(fx, s);
	pkt = expect_tx(ACK, .seq = 100, .ack = 1, .len = 0, .within = 1000);
	assert_int_equal(pkt->tcp.flags, ACK);
	assert_int_equal(fx_counter(fx, "tcp", "zero_window_probes"), 1);
}

static void a_probe_carries_a_fresh_stamp(struct fixture *fx)
{
	int s = accept_one(listen_on(80), .mss = MSS, .ts = true);
	uint32_t before;

	app_sends(s, 0, 100);
	before = expect_tx(ACK, .len = 100)->tcp.tsval;
	rx(ACK, .win = 0);
	app_sends(s, 100, 100);
	assert_in_range(expect_tx(ACK, .seq = 100, .len = 0, .ts = true, .within = 1000)->tcp.tsval - before,
			200, 210);
}

static void answered_probes_go_on_for_ever(struct fixture *fx)
{
	int s = tcp_connected(fx);
	uint64_t last, wait = 0;
	unsigned int i;

	the_window_closes_on_unsent_data(fx, s);
	last = fx_ms(fx);
	/* RFC 9293 3.8.6.1, MUST-37; the interval doubles to the longest RTO and stays there. */
	for (i = 0; i < 60; i++) {
		expect_tx(ACK, .seq = 100, .len = 0, .within = 61000);
		wait = interval(fx, &last);
		rx(ACK, .ack = 101, .win = 0);
	}
	assert_in_range(wait, 59990, 60010);
	rx(ACK, .ack = 101, .win = 1000);
	expect_tx(ACK, .seq = 101, .len = 100);
}

static void the_longest_interval_is_an_option(struct fixture *fx)
{
	int s = tcp_connected(fx);
	uint64_t last, wait = 0;
	unsigned int i;

	the_window_closes_on_unsent_data(fx, s);
	last = fx_ms(fx);
	for (i = 0; i < 8; i++) {
		expect_tx(ACK, .seq = 100, .len = 0, .within = 6000);
		wait = interval(fx, &last);
		rx(ACK, .ack = 101, .win = 0);
	}
	assert_in_range(wait, 4990, 5010);
}

static void probes_without_an_answer_end_the_connection(struct fixture *fx)
{
	int s = tcp_connected(fx);
	unsigned int i;

	the_window_closes_on_unsent_data(fx, s);
	for (i = 0; i < 4; i++)
		expect_tx(ACK, .seq = 100, .len = 0, .within = 61000);
	expect_silence(120000);
	expect_read(s, -ETIMEDOUT);
	expect_read(s, 0);
}

static void a_window_that_opens_is_used_at_once(struct fixture *fx)
{
	int s = tcp_connected(fx);

	the_window_closes_on_unsent_data(fx, s);
	expect_tx(ACK, .seq = 100, .within = 1000);
	expect_tx(ACK, .seq = 100, .within = 2000);
	rx(ACK, .ack = 101, .win = 5000);
	expect_tx(ACK, .seq = 101, .len = 100);
	rx(ACK, .ack = 201, .win = 5000);
	/* And no probe follows. */
	expect_silence(60000);
}

static void a_closed_window_with_data_in_flight_is_no_end(struct fixture *fx)
{
	int s = tcp_connected(fx);
	unsigned int i;

	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	/* The peer takes nothing, but answers: RFC 9293 3.8.6.1, MUST-36. */
	for (i = 0; i < 30; i++) {
		rx(ACK, .ack = 1, .win = 0);
		expect_tx(ACK, .seq = 1, .len = 100, .within = 61000);
	}
	rx(ACK, .ack = 1, .win = 1000);
	fx_discard(fx);
	rx(ACK, .ack = 101, .win = 1000);
	app_sends(s, 100, 10);
	expect_tx(ACK, .seq = 101, .len = 10);
}

static void a_fin_waits_for_a_window_too(struct fixture *fx)
{
	int s = tcp_connected(fx);

	the_window_closes_on_unsent_data(fx, s);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	expect_tx(ACK, .seq = 100, .len = 0, .within = 1000);
	rx(ACK, .ack = 101, .win = 1000);
	expect_tx(FIN | ACK, .seq = 101, .len = 100);
}

static void a_fin_alone_needs_no_window(struct fixture *fx)
{
	int s = tcp_connected(fx);

	/* Linux sends it; RFC 9293 3.8.6.1: a probe at least. */
	rx(ACK, .win = 0);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	assert_true(fx_waiting(fx) != 0 || fx_wait_frame(fx, 2 * STRATA_SEC));
	fx_discard(fx);
	rx(ACK, .win = 100);
	if (fx_waiting(fx) != 0)
		expect_tx(FIN | ACK, .seq = 1);
	rx(ACK, .ack = 2, .win = 100);
	assert_int_equal(tcp_state_of(fx, s), TCP_FIN_WAIT2);
}

/* ---- 45: a window that shrinks ---- */

struct shrink {
	const char *name;
	int64_t ack, win;
};

static const struct shrink shrinks[] = {
	{ "to half of what is in flight", 1, 2500 }, { "to less than a segment", 1, 500 },
	{ "to nothing", 1, 0 }, { "by an ACK of the first segment", 1001, 1000 },
};

static void a_window_that_shrinks_is_survived(struct fixture *fx, const void *row)
{
	const struct shrink *shrink = row;
	int s = tcp_connected(fx), i;

	app_sends(s, 0, 8000);
	for (i = 0; i < 8; i++)
		expect_tx(ACK, .len = MSS);
	rx(ACK, .ack = shrink->ack, .win = shrink->win);
	app_sends(s, 8000, 1000);
	/* Nothing new leaves; what was in flight had been offered, and may arrive. */
	expect_silence(150);
	rx(ACK, .ack = 8001, .win = 0);
	expect_silence(100);
	rx(ACK, .ack = 8001, .win = 5000);
	expect_tx(ACK, .seq = 8001, .len = MSS);
	rx(ACK, .ack = 9001, .win = 5000);
	expect_silence(10000);
}

static void only_the_first_segment_is_sent_again_beyond_the_edge(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	app_sends(s, 0, 4000);
	for (i = 0; i < 4; i++)
		expect_tx(ACK, .len = MSS);
	rx(ACK, .ack = 1, .win = 0);
	for (i = 0; i < 3; i++) {
		expect_tx(ACK, .seq = 1, .len = MSS, .within = 5000);
		expect_silence(0);
		rx(ACK, .ack = 1, .win = 0);
	}
	rx(ACK, .ack = 4001, .win = 4000);
	expect_silence(5000);
}

/* ---- 46: silly windows, Nagle, CORK ---- */

static void a_window_of_half_the_largest_is_used(struct fixture *fx)
{
	int s = accept_one(listen_on(80), .mss = 1460, .win = 1000);

	/* RFC 9293 3.8.6.2.1 (3): min(D, U) >= Fs * Max(SND.WND) */
	rx(ACK, .win = 500);
	app_sends(s, 0, 5000);
	expect_tx(ACK, .seq = 1, .len = 500);
	rx(ACK, .ack = 501, .win = 499);
	expect_silence(150);
	expect_tx(ACK, .seq = 501, .len = 499, .within = 1000);
}

static void a_small_window_is_not_used_byte_by_byte(struct fixture *fx)
{
	int s = tcp_connected(fx);

	rx(ACK, .win = 10);
	app_sends(s, 0, 3000);
	expect_silence(150);
	rx(ACK, .win = 1000);
	expect_tx(ACK, .seq = 1, .len = MSS);
}

static void a_segment_is_full_without_its_options(struct fixture *fx)
{
	int s = accept_one(listen_on(80), .mss = MSS, .ts = true);

	/* Nagle counts with the effective MSS: 1000 less 12 of the time stamp. */
	app_sends(s, 0, 10);
	expect_tx(ACK, .len = 10);
	app_sends(s, 10, 988);
	expect_tx(ACK, .seq = 11, .len = 988);
	app_sends(s, 998, 987);
	expect_silence(100);
	rx(ACK, .ack = 999);
	expect_tx(ACK, .seq = 999, .len = 987);
}

static void without_nagle_all_leaves_at_once(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	for (i = 0; i < 5; i++) {
		app_sends(s, (uint64_t)i * 10, 10);
		expect_tx(ACK, .seq = 1 + 10 * i, .len = 10);
	}
}

static void the_last_write_leaves_with_the_fin(struct fixture *fx)
{
	int s = tcp_connected(fx);

	app_sends(s, 0, 10);
	expect_tx(ACK, .len = 10);
	app_sends(s, 10, 10);
	expect_silence(10);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	expect_tx(FIN | ACK, .seq = 11, .len = 10);
}

static void more_to_come_holds_a_write_200_ms(struct fixture *fx)
{
	int s = tcp_connected(fx);

	at(0);
	assert_int_equal(strata_send(fx->stack, s, "abc", 3, MSG_MORE), 3);
	expect_silence(198);
	expect_tx(ACK, .text = "abc", .at = 200, .within = 5);
	rx(ACK);
	assert_int_equal(strata_send(fx->stack, s, "def", 3, MSG_MORE), 3);
	assert_int_equal(strata_send(fx->stack, s, "ghi", 3, 0), 3);
	expect_tx(ACK, .text = "defghi");
}

static void the_time_that_cork_holds_is_an_option(struct fixture *fx)
{
	int s = tcp_connected(fx);

	at(0);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_CORK, 1);
	app_sends(s, 0, 10);
	expect_silence(998);
	expect_tx(ACK, .len = 10, .at = 1000, .within = 5);
}

static void cork_is_stronger_than_nodelay(struct fixture *fx)
{
	int s = tcp_connected(fx);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, 1);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_CORK, 1);
	app_sends(s, 0, 10);
	expect_silence(100);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_CORK, 0);
	expect_tx(ACK, .len = 10);
}

static void cork_lets_full_segments_go(struct fixture *fx)
{
	int s = tcp_connected(fx);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_CORK, 1);
	app_sends(s, 0, 999);
	expect_silence(10);
	app_sends(s, 999, 1002);
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_tx(ACK, .seq = 1001, .len = MSS);
	expect_silence(10);
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 2001, .len = 1);
}

static void nodelay_set_late_flushes_what_nagle_held(struct fixture *fx)
{
	int s = tcp_connected(fx);

	app_sends(s, 0, 10);
	expect_tx(ACK, .len = 10);
	app_sends(s, 10, 10);
	app_sends(s, 20, 10);
	expect_silence(10);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, 1);
	expect_tx(ACK, .seq = 11, .len = 20);
}

/* ---- 48: retries end, once ---- */

static void data_without_an_answer_ends_in_etimedout_once(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	for (i = 0; i < 3; i++)
		expect_tx(ACK, .seq = 1, .len = 100, .within = 61000);
	expect_silence(61000);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ETIMEDOUT);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	expect_read(s, 0);
	assert_int_equal(fx_send(fx, s, "x", 1), -EPIPE);
	/* As Linux no RST follows; whatever comes finds none. */
	rx(ACK, .ack = 101);
	expect_tx(RST, .seq = 101);
}

static void the_networks_word_is_told_where_there_is_one(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	for (i = 0; i < 3; i++)
		rx_icmp_error(3, 1, 0, expect_tx(ACK, .seq = 1, .len = 100, .within = 61000), 8);
	expect_silence(61000);
	expect_read(s, -EHOSTUNREACH);
}

static void fifteen_retries_take_a_quarter_of_an_hour(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	at(0);
	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	for (i = 0; i < 15; i++)
		expect_tx(ACK, .seq = 1, .len = 100, .within = 61000);
	expect_silence(61000);
	/* 0.2 + 0.4 + … + 51.2 + 7 times 60 s, as Linux with its maximum of 60 s. */
	assert_in_range(fx_ms(fx), 500000, 620000);
	expect_read(s, -ETIMEDOUT);
}

static void the_user_timeout_ends_a_wait_for_a_fin(struct fixture *fx)
{
	int s = tcp_connected(fx);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	fx_advance(fx, 4000);
	assert_int_equal(tcp_state_of(fx, s), TCP_FIN_WAIT1);
	fx_advance(fx, 3000);
	fx_discard(fx);
	expect_read(s, -ETIMEDOUT);
	expect_silence(60000);
}

static void the_user_timeout_ends_unanswered_probes(struct fixture *fx)
{
	int s = tcp_connected(fx);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000);
	the_window_closes_on_unsent_data(fx, s);
	fx_advance(fx, 2500);
	fx_discard(fx);
	expect_read(s, -EAGAIN);
	fx_advance(fx, 5000);
	fx_discard(fx);
	expect_read(s, -ETIMEDOUT);
}

/* tcp(7): "or buffered data may remain untransmitted (due to zero window size)". */
static void the_user_timeout_ends_answered_probes_too(struct fixture *fx)
{
	int s = tcp_connected(fx), i;
	uint64_t first = 0;

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_USER_TIMEOUT, 2000);
	the_window_closes_on_unsent_data(fx, s);
	for (i = 0; fx_wait_frame(fx, 3000 * STRATA_MS); i++) {
		expect_tx(ACK, .seq = 100, .len = 0);
		if (i == 0)
			first = fx_ms(fx);
		rx(ACK, .ack = 101, .win = 0);
	}
	assert_in_range(i, 2, 5);
	expect_read(s, -ETIMEDOUT);
	/* No later than it says after the first probe. */
	rx(ACK, .ack = 101, .win = 0);
	expect_tx(RST, .seq = 101);
	assert_true(fx_ms(fx) - first >= 2000);
}

static void a_window_that_opens_begins_the_user_timeout_anew(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_USER_TIMEOUT, 2000);
	the_window_closes_on_unsent_data(fx, s);
	for (i = 1; i < 6; i++) {
		fx_advance(fx, 1500);
		fx_discard(fx);
		rx(ACK, .ack = 1 + 100 * i, .win = 100);
		expect_tx(ACK, .seq = 1 + 100 * i, .len = 100, .within = 1000);
		rx(ACK, .ack = 101 + 100 * i, .win = 0);
		app_sends(s, 100 + 100 * (uint64_t)i, 100);
	}
	expect_read(s, -EAGAIN);
	fx_discard(fx);
}

static void an_answer_begins_the_user_timeout_anew(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000);
	for (i = 0; i < 5; i++) {
		app_sends(s, (uint64_t)i * 10, 10);
		fx_advance(fx, 2000);
		fx_discard(fx);
		rx(ACK, .ack = 11 + 10 * i);
	}
	expect_read(s, -EAGAIN);
}

/* ---- 49: FIN retransmitted ---- */

struct closing {
	const char *name;
	int state;
};

static const struct closing closings[] = {
	{ "FIN-WAIT-1", TCP_FIN_WAIT1 }, { "CLOSING", TCP_CLOSING }, { "LAST-ACK", TCP_LAST_ACK },
};

static void a_fin_is_sent_again_until_it_is_acknowledged(struct fixture *fx, const void *row)
{
	const struct closing *closing = row;
	int64_t ack;
	uint64_t last, first, second;
	int s = tcp_reach(fx, closing->state);

	ack = fx->conn.peer_nxt;
	last = fx_ms(fx);
	expect_tx(FIN | ACK, .seq = 1, .ack = ack, .within = 1000);
	first = interval(fx, &last);
	expect_tx(FIN | ACK, .seq = 1, .ack = ack, .within = 2000);
	second = interval(fx, &last);
	assert_in_range(second, 2 * first - 2, 2 * first + 2);
	assert_int_equal(tcp_state_of(fx, s), closing->state);
	rx(ACK, .ack = 2);
	assert_int_not_equal(tcp_state_of(fx, s), closing->state);
	expect_silence(50000);
}

static void a_fin_behind_lost_data_goes_with_it(struct fixture *fx)
{
	int s = tcp_connected(fx);

	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	expect_tx(FIN | ACK, .seq = 101, .len = 0);
	expect_tx(FIN | ACK, .seq = 1, .len = 100, .within = 1000);
	rx(ACK, .ack = 102);
	assert_int_equal(tcp_state_of(fx, s), TCP_FIN_WAIT2);
}

/* ---- 50: nothing is lost where a packet is refused ---- */

static void data_waits_for_a_device_that_is_down(struct fixture *fx)
{
	int s = tcp_connected(fx);
	uint64_t got = 0;
	unsigned int i;

	strata_iface_set_running(fx->iface, false);
	app_sends(s, 0, 5000);
	expect_silence(3000);
	strata_iface_set_running(fx->iface, true);
	for (i = 0; got < 5000 && i < 100; i++) {
		const struct fx_pkt *pkt = expect_tx(ACK, .len = FX_AUTO, .within = 20000);

		if (pkt->tcp.seq == fx->conn.stack_isn + 1 + got)
			got += pkt->payload_len;
		rx(ACK, .ack = 1 + (int64_t)got);
	}
	assert_int_equal(got, 5000);
}

static void data_waits_for_memory(struct fixture *fx)
{
	int s = tcp_connected(fx);
	uint64_t got = 0;
	unsigned int i;

	rx(ACK, .win = 0);
	app_sends(s, 0, 5000);
	fx_fail_at(fx, 1, true);
	fx_advance(fx, 1000);
	fx_fail_at(fx, 0, false);
	fx_discard(fx);
	rx(ACK, .win = 10000);
	for (i = 0; got < 5000 && i < 100; i++) {
		const struct fx_pkt *pkt = expect_tx(ACK, .len = FX_AUTO, .within = 20000);

		if (pkt->tcp.seq == fx->conn.stack_isn + 1 + got)
			got += pkt->payload_len;
		rx(ACK, .ack = 1 + (int64_t)got, .win = 10000);
	}
	assert_int_equal(got, 5000);
}

static void a_syn_waits_for_the_neighbour(struct fixture *fx)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);

	fx->conn.stack_port = 0;
	fx->conn.peer_port = 80;
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), -EINPROGRESS);
	expect_arp(1, .tpa = PEER_IP);
	fx_advance(fx, 500);
	fx_discard(fx);
	rx_arp(2);
	expect_tx(SYN);
}

static void an_ack_waits_for_a_device_that_is_down(struct fixture *fx)
{
	int s = tcp_connected(fx);

	rx(ACK, .len = 100);
	expect_tx(ACK, .ack = 101);
	strata_iface_set_running(fx->iface, false);
	fx_advance(fx, 100);
	strata_iface_set_running(fx->iface, true);
	/* The peer asks again, and is answered. */
	rx(ACK, .seq = 1, .len = 100);
	expect_tx(ACK, .ack = 101);
	app_reads(s, 0, 100);
}

/* ---- 51: ICMP ---- */

/* A frame kept beyond the next one. */
struct kept {
	uint8_t bytes[2048];
	struct fx_pkt pkt;
};

static void keep(struct kept *kept, const struct fx_pkt *pkt)
{
	memcpy(kept->bytes, pkt->frame, pkt->length);
	assert_null(fx_decode(&kept->pkt, kept->bytes, pkt->length, false));
}

struct mtu {
	const char *name;
	uint32_t mtu;
	int64_t segment;
};

static const struct mtu mtus[] = {
	{ "1400", 1400, 1360 }, { "1492", 1492, 1452 }, { "576", 576, 536 },
	{ "1500, which is no less", 1500, 1460 }, { "9000", 9000, 1460 },
};

static void fragmentation_needed_sets_the_segments_size(struct fixture *fx, const void *row)
{
	const struct mtu *mtu = row;
	int s = accept_one(listen_on(80), .mss = 1460);
	struct kept about;

	app_sends(s, 0, 1460);
	keep(&about, expect_tx(ACK, .seq = 1, .len = 1460));
	rx_icmp_error(3, 4, mtu->mtu, &about.pkt, 8);
	if (mtu->segment < 1460)
		expect_tx(ACK, .seq = 1, .len = mtu->segment);
	fx_discard(fx);
	rx(ACK, .ack = 1461);
	app_sends(s, 1460, 3000);
	expect_tx(ACK, .seq = 1461, .len = mtu->segment);
	fx_discard(fx);
}

struct quoted {
	const char *name;
	int64_t shift;		/* of the quoted sequence number */
	uint16_t port;		/* instead of ours */
};

static const struct quoted quotes[] = {
	{ "below what is in flight", -1, 0 }, { "at its end", 1460, 0 }, { "far away", 1000000000, 0 },
	{ "of another connection", 0, 8080 },
};

static void an_error_about_nothing_in_flight_is_ignored(struct fixture *fx, const void *row)
{
	const struct quoted *quote = row;
	int s = accept_one(listen_on(80), .mss = 1460);
	struct kept about;
	uint8_t *tcp;

	app_sends(s, 0, 1460);
	keep(&about, expect_tx(ACK, .seq = 1, .len = 1460));
	tcp = about.bytes + 14 + 20;
	strata_put_be32(tcp + 4, strata_get_be32(tcp + 4) + (uint32_t)quote->shift);
	if (quote->port != 0)
		strata_put_be16(tcp, quote->port);
	rx_icmp_error(3, 4, 600, &about.pkt, 8);
	expect_silence(50);
	assert_int_equal(fx_counter(fx, "tcp", "icmp_ignored"), 1);
	rx(ACK, .ack = 1461);
	app_sends(s, 1460, 1460);
	expect_tx(ACK, .seq = 1461, .len = 1460);
}

static void an_error_that_quotes_too_little_is_ignored(struct fixture *fx)
{
	int s = accept_one(listen_on(80), .mss = 1460);
	struct kept about;

	app_sends(s, 0, 1460);
	keep(&about, expect_tx(ACK, .seq = 1, .len = 1460));
	rx_icmp_error(3, 4, 600, &about.pkt, 7);
	expect_silence(50);
}

struct soft {
	const char *name;
	int type, code;
};

static const struct soft softs[] = {
	{ "network unreachable", 3, 0 }, { "host unreachable", 3, 1 }, { "protocol unreachable", 3, 2 },
	{ "port unreachable", 3, 3 }, { "filtered", 3, 13 }, { "source quench", 4, 0 },
	{ "time exceeded", 11, 0 }, { "parameter problem", 12, 0 },
};

static void an_error_does_not_end_an_established_connection(struct fixture *fx, const void *row)
{
	const struct soft *soft = row;
	int s = tcp_connected(fx);

	app_sends(s, 0, 10);
	rx_icmp_error(soft->type, soft->code, 0, expect_tx(ACK, .len = 10), 8);
	assert_int_equal(tcp_state_of(fx, s), TCP_ESTABLISHED);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	rx(ACK, .ack = 11);
	app_sends(s, 10, 10);
	expect_tx(ACK, .seq = 11, .len = 10);
}

/* RFC 1122 4.2.4.1: the application is told if it asks. */
static void recverr_tells_of_an_error_and_the_connection_goes_on(struct fixture *fx)
{
	int s = tcp_connected(fx);

	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_IP, IP_RECVERR, 1), 0);
	app_sends(s, 0, 10);
	rx_icmp_error(3, 1, 0, expect_tx(ACK, .len = 10), 8);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), EHOSTUNREACH);
	assert_int_equal(tcp_state_of(fx, s), TCP_ESTABLISHED);
	rx(ACK, .ack = 11);
	app_sends(s, 10, 10);
	expect_tx(ACK, .seq = 11, .len = 10);
}

/* ---- 54: idleness ---- */

static void no_keepalive_is_sent_unasked(struct fixture *fx)
{
	tcp_connected(fx);
	expect_silence(86400000);
}

static void keepalives_begin_after_two_hours(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	at(0);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_KEEPALIVE, 1);
	expect_silence(7199000);
	for (i = 0; i < 9; i++)
		expect_tx(ACK, .seq = 0, .len = 0, .within = 76000);
	assert_in_range(fx_ms(fx), 7799000, 7801000);
	expect_tx(RST | ACK, .seq = 1, .within = 76000);
	expect_read(s, -ETIMEDOUT);
}

struct idle {
	const char *name;
	void (*happens)(struct fixture *fx, int s);
};

static void data_comes(struct fixture *fx, int s)
{
	(void)s;
	rx(ACK, .len = 10);
	expect_tx(ACK, .within = 50);
}

static void an_ack_comes(struct fixture *fx, int s)
{
	(void)s;
	rx(ACK);
}

static void data_goes_and_is_answered(struct fixture *fx, int s)
{
	app_sends(s, 0, 10);
	expect_tx(ACK, .len = 10);
	rx(ACK);
}

static const struct idle busy[] = {
	{ "data comes", data_comes }, { "an ACK comes", an_ack_comes },
	{ "data goes and is answered", data_goes_and_is_answered },
};

static void the_keepalive_timer_begins_anew_when(struct fixture *fx, const void *row)
{
	const struct idle *idle = row;
	int s = tcp_connected(fx);
	uint64_t then;

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_KEEPALIVE, 1);
	fx_advance(fx, 7000);
	idle->happens(fx, s);
	then = fx_ms(fx);
	expect_tx(ACK, .seq = (int64_t)fx->conn.stack_nxt - 1, .len = 0, .within = 11000);
	assert_in_range(fx_ms(fx) - then, 9950, 10050);
}

static void a_reset_in_answer_to_a_keepalive_ends_the_connection(struct fixture *fx)
{
	int s = tcp_connected(fx);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_KEEPALIVE, 1);
	expect_tx(ACK, .seq = 0, .within = 11000);
	/* The peer has restarted: its RST takes the number our probe acknowledged. */
	rx(RST, .seq = 1);
	expect_read(s, -ECONNRESET);
}

static void keepalives_stop_when_they_are_turned_off(struct fixture *fx)
{
	int s = tcp_connected(fx);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_KEEPALIVE, 1);
	expect_tx(ACK, .seq = 0, .within = 11000);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_KEEPALIVE, 0);
	expect_silence(100000);
}

static void keepalives_are_sent_in_close_wait_and_fin_wait_2(struct fixture *fx, const void *row)
{
	const struct closing *state = row;
	int s = tcp_reach(fx, state->state);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_KEEPALIVE, 1);
	expect_tx(ACK, .seq = (int64_t)fx->conn.stack_nxt - 1, .len = 0, .within = 11000);
}

static const struct closing half_closed[] = {
	{ "CLOSE-WAIT", TCP_CLOSE_WAIT }, { "FIN-WAIT-2", TCP_FIN_WAIT2 },
};

static void the_module_gives_keepalives_their_times(struct fixture *fx)
{
	int s = tcp_connected(fx);

	at(0);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_KEEPALIVE, 1);
	expect_tx(ACK, .seq = 0, .at = 5000, .within = 6000);
	expect_tx(ACK, .seq = 0, .at = 7000, .within = 3000);
	expect_tx(RST | ACK, .at = 9000, .within = 3000);
}

static const struct fx_scenario scenarios[] = {
	SCENARIOS("41", is_no_duplicate_ack, no_duplicates),
	SCENARIO("41", acks_with_nothing_in_flight_are_no_duplicates),
	SCENARIO("41", old_acks_are_no_duplicates),
	SCENARIO("PROBE", a_probe_is_one_below_and_without_data),
	SCENARIO("PROBE", a_probe_carries_a_fresh_stamp),
	SCENARIO("44", answered_probes_go_on_for_ever),
	SCENARIO("44", the_longest_interval_is_an_option, .options = "tcp.rto_max=5s"),
	SCENARIO("44", probes_without_an_answer_end_the_connection, .options = "tcp.data_retries=4"),
	SCENARIO("44", a_window_that_opens_is_used_at_once),
	SCENARIO("44", a_closed_window_with_data_in_flight_is_no_end),
	SCENARIO("44", a_fin_waits_for_a_window_too),
	SCENARIO("44", a_fin_alone_needs_no_window),
	SCENARIOS("45", a_window_that_shrinks_is_survived, shrinks),
	SCENARIO("45", only_the_first_segment_is_sent_again_beyond_the_edge),
	SCENARIO("46", a_window_of_half_the_largest_is_used),
	SCENARIO("46", a_small_window_is_not_used_byte_by_byte),
	SCENARIO("46", a_segment_is_full_without_its_options),
	SCENARIO("46", without_nagle_all_leaves_at_once, .options = "tcp.nagle=false"),
	SCENARIO("46", the_last_write_leaves_with_the_fin),
	SCENARIO("46", more_to_come_holds_a_write_200_ms),
	SCENARIO("46", the_time_that_cork_holds_is_an_option, .options = "tcp.cork_time=1s"),
	SCENARIO("46", cork_is_stronger_than_nodelay),
	SCENARIO("46", cork_lets_full_segments_go),
	SCENARIO("46", nodelay_set_late_flushes_what_nagle_held),
	SCENARIO("48", data_without_an_answer_ends_in_etimedout_once,
		 .options = "tcp.data_retries=3"),
	SCENARIO("48", the_networks_word_is_told_where_there_is_one,
		 .options = "tcp.data_retries=3"),
	SCENARIO("48", fifteen_retries_take_a_quarter_of_an_hour),
	SCENARIO("48", the_user_timeout_ends_a_wait_for_a_fin),
	SCENARIO("48", the_user_timeout_ends_unanswered_probes),
	SCENARIO("48", the_user_timeout_ends_answered_probes_too),
	SCENARIO("48", a_window_that_opens_begins_the_user_timeout_anew),
	SCENARIO("48", an_answer_begins_the_user_timeout_anew),
	SCENARIOS("49", a_fin_is_sent_again_until_it_is_acknowledged, closings),
	SCENARIO("49", a_fin_behind_lost_data_goes_with_it),
	SCENARIO("50", data_waits_for_a_device_that_is_down),
	SCENARIO("50", data_waits_for_memory),
	SCENARIO("50", a_syn_waits_for_the_neighbour, .resolve = true),
	SCENARIO("50", an_ack_waits_for_a_device_that_is_down),
	SCENARIOS("51", fragmentation_needed_sets_the_segments_size, mtus),
	SCENARIOS("51", an_error_about_nothing_in_flight_is_ignored, quotes),
	SCENARIO("51", an_error_that_quotes_too_little_is_ignored),
	SCENARIOS("51", an_error_does_not_end_an_established_connection, softs),
	SCENARIO("51", recverr_tells_of_an_error_and_the_connection_goes_on),
	SCENARIO("54", no_keepalive_is_sent_unasked),
	SCENARIO("54", keepalives_begin_after_two_hours),
	SCENARIOS("54", the_keepalive_timer_begins_anew_when, busy),
	SCENARIO("54", a_reset_in_answer_to_a_keepalive_ends_the_connection),
	SCENARIO("54", keepalives_stop_when_they_are_turned_off),
	SCENARIOS("54", keepalives_are_sent_in_close_wait_and_fin_wait_2, half_closed),
	SCENARIO("54", the_module_gives_keepalives_their_times,
		 .options = "tcp.keepalive_time=5s tcp.keepalive_interval=2s tcp.keepalive_probes=2"),
};

int main(int argc, char **argv)
{
	return fx_play(argc, argv, scenarios);
}
