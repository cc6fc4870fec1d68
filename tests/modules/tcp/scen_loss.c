/* SPDX-License-Identifier: BSD-2-Clause */
/* Loss, found and repaired, by a peer at a distance of 100 ms; and peers that lie about what they received
 * (RFC 5681, RFC 6582, RFC 6675, RFC 8985, RFC 6298 5, RFC 9438). */
#include "states.h"

enum { RTT = 100 };

/* The initial window is sent, and a round trip passes. */
static int flight(struct fixture *fx, bool sack, size_t length)
{
	int s = tcp_distant(fx, RTT, sack, false);

	app_sends(s, 0, length);
	tcp_segments(fx, 1, length / MSS < 10 ? (unsigned int)(length / MSS) : 10);
	fx_advance(fx, RTT);
	return s;
}

static uint64_t recoveries(struct fixture *fx)
{
	return fx_counter(fx, "tcp", "fast_recoveries");
}

/* ---- 42 ---- */

static void new_data_follows_the_retransmission(struct fixture *fx)
{
	flight(fx, true, 16000);
	rx(ACK, .ack = 1, .sack = { { 1001, 2001 } });
	rx(ACK, .ack = 1, .sack = { { 1001, 3001 } });
	fx_discard(fx);
	rx(ACK, .ack = 1, .sack = { { 1001, 4001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	fx_discard(fx);
	rx(ACK, .ack = 1, .sack = { { 1001, 10001 } });
	/* All but one have arrived: what is new goes. */
	assert_true(fx_next(fx)->tcp.seq - fx->conn.stack_isn >= 10001);
	fx_discard(fx);
	rx(ACK, .ack = 16001);
	assert_int_equal(recoveries(fx), 1);
}

static void the_last_of_many_duplicates_starts_no_second_recovery(struct fixture *fx)
{
	int i;

	flight(fx, false, 10000);
	for (i = 0; i < 9; i++)
		rx(ACK, .ack = 1);
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_silence(50);
	rx(ACK, .ack = 10001);
	assert_int_equal(recoveries(fx), 1);
	expect_silence(1000);
}

/* ---- 43 ---- */

struct holes {
	const char *name;
	struct { uint32_t left, right; } block[4];
	int64_t lost[6];
};

/* The segments lost of ten, and what the peer has when all others have arrived. */
static const struct holes holes[] = {
	{ "the first", { { 1001, 10001 } }, { 1 } },
	{ "the first two", { { 2001, 10001 } }, { 1, 1001 } },
	{ "the first five", { { 5001, 10001 } }, { 1, 1001, 2001, 3001, 4001 } },
	{ "the first and the fifth", { { 5001, 10001 }, { 1001, 4001 } }, { 1, 4001 } },
	{ "the first, third and fifth", { { 5001, 10001 }, { 3001, 4001 }, { 1001, 2001 } },
	  { 1, 2001, 4001 } },
};

/* RFC 6675: each hole is filled once, in order, without the timer. */
static void each_hole_is_filled_once(struct fixture *fx, const void *row)
{
	const struct holes *h = row;
	uint32_t left[4] = { 0 }, right[4] = { 0 };
	unsigned int i, n;
	int64_t una = 1;

	flight(fx, true, 10000);
	for (i = 0; i < 4; i++) {
		left[i] = h->block[i].left;
		right[i] = h->block[i].right;
	}
	for (n = 0; n < 6 && h->lost[n] != 0; n++)
		;
	rx(ACK, .ack = una, .sack = { { left[0], right[0] }, { left[1], right[1] },
				      { left[2], right[2] }, { left[3], right[3] } });
	for (i = 0; i < n; i++) {
		expect_tx(ACK, .seq = h->lost[i], .len = MSS, .within = RTT);
		fx_advance(fx, 10);
		/* It arrives, and the ACK moves to the next hole. */
		if (i + 1 < n)
			rx(ACK, .ack = h->lost[i + 1], .sack = { { left[0], right[0] } });
		else
			rx(ACK, .ack = 10001);
	}
	expect_silence(1000);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	assert_int_equal(fx_counter(fx, "tcp", "retransmitted_segments"), n);
	assert_int_equal(recoveries(fx), 1);
}

static void two_segments_that_arrive_early_are_no_loss(struct fixture *fx)
{
	flight(fx, true, 10000);
	rx(ACK, .ack = 1, .sack = { { 1001, 2001 } });
	rx(ACK, .ack = 1, .sack = { { 1001, 3001 } });
	expect_silence(5);
	/* The first was only late. */
	rx(ACK, .ack = 3001);
	assert_int_equal(recoveries(fx), 0);
	rx(ACK, .ack = 10001);
	expect_silence(1000);
	assert_int_equal(fx_counter(fx, "tcp", "retransmitted_segments"), 0);
}

static void a_partial_ack_fills_the_next_hole_without_sack(struct fixture *fx)
{
	int i;

	flight(fx, false, 10000);
	for (i = 0; i < 5; i++)
		rx(ACK, .ack = 1);
	expect_tx(ACK, .seq = 1, .len = MSS);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 3001);
	expect_tx(ACK, .seq = 3001, .len = MSS);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 7001);
	expect_tx(ACK, .seq = 7001, .len = MSS);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 10001);
	expect_silence(1000);
	assert_int_equal(recoveries(fx), 1);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
}

/* ---- TLP ---- */

struct probe {
	const char *name;
	unsigned int segments;
	uint64_t ms;
};

/* PTO = 2 SRTT + 2 ms, and 200 ms more for one segment, but no later than the timer: RTO is 300. */
static const struct probe probes[] = {
	{ "two segments", 2, 202 }, { "five segments", 5, 202 }, { "one segment, when the timer would fire", 1, 300 },
};

static void a_lost_flight_is_probed(struct fixture *fx, const void *row)
{
	const struct probe *probe = row;
	int s = tcp_distant(fx, RTT, true, false);
	uint64_t then = fx_ms(fx);

	app_sends(s, 0, probe->segments * MSS);
	tcp_segments(fx, 1, probe->segments);
	expect_tx(ACK, .seq = 1 + MSS * (int64_t)(probe->segments - 1), .len = MSS, .within = 1000);
	assert_in_range(fx_ms(fx) - then, probe->ms - 2, probe->ms + 4);
	assert_int_equal(fx_counter(fx, "tcp", "tail_loss_probes"), 1);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
}

static void new_data_is_a_probe_where_there_is_some(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, false);

	app_sends(s, 0, 12000);
	tcp_segments(fx, 1, 10);
	/* RFC 8985 7.3: previously unsent data first. */
	expect_tx(ACK, .seq = 10001, .len = MSS, .within = 210);
	assert_int_equal(fx_counter(fx, "tcp", "tail_loss_probes"), 1);
}

static void without_probes_the_timer_repairs_a_tail(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, false);
	uint64_t then = fx_ms(fx);

	app_sends(s, 0, 2000);
	tcp_segments(fx, 1, 2);
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 1000);
	assert_in_range(fx_ms(fx) - then, 298, 304);
}

static void a_probe_that_is_acknowledged_ends_the_wait(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, false);

	app_sends(s, 0, 3000);
	tcp_segments(fx, 1, 3);
	expect_tx(ACK, .seq = 2001, .len = MSS, .within = 210);
	/* The last segment alone was lost: it is repaired; nothing more is sent. */
	rx(ACK, .ack = 3001);
	expect_silence(5000);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
}

static void a_probe_shows_which_segments_are_lost(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, false);

	app_sends(s, 0, 5000);
	tcp_segments(fx, 1, 5);
	expect_tx(ACK, .seq = 4001, .len = MSS, .within = 210);
	fx_advance(fx, RTT);
	/* Only the probe arrived: the four before it are sent again, not all at the timer's pace. */
	rx(ACK, .ack = 1, .sack = { { 4001, 5001 } });
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 300);
	fx_discard(fx);
	rx(ACK, .ack = 5001);
	expect_silence(1000);
}

struct answer {
	const char *name;
	uint32_t left, right;		/* the block of the duplicate ACK; right 0: it has none */
	bool needless;
};

/* What comes after all was acknowledged, the probe's copy of 4001 to 5000 included. */
static const struct answer answers[] = {
	{ "nothing but an ACK", 0, 0, true },
	{ "a DSACK of the probe", 4001, 5001, true },
	{ "a DSACK of a part that ends with the probe", 4501, 5001, true },
	{ "a DSACK of the first segment", 1, 1001, false },
	{ "a DSACK that ends before the probe", 3001, 4001, false },
	{ "a SACK of what was sent behind it", 6001, 7001, false },
};

/* RFC 8985 7.4.2: only a DSACK that matches, or a duplicate without any SACK option, shows that the probe was
 * needless; else it has repaired a loss, which the window hears of with the next ACK. */
static void a_duplicate_tells_of_the_probe_or_does_not(struct fixture *fx, const void *row)
{
	const struct answer *answer = row;
	int s = tcp_distant(fx, RTT, true, false);
	unsigned int before;

	app_sends(s, 0, 5000);
	tcp_segments(fx, 1, 5);
	expect_tx(ACK, .seq = 4001, .len = MSS, .within = 210);
	rx(ACK, .ack = 5001);
	before = tcp_info_of(fx, s).tcpi_snd_cwnd;
	app_sends(s, 5000, 3000);
	tcp_segments(fx, 5001, 3);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 5001, .sack = { { answer->left, answer->right } });
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_cwnd, before);
	rx(ACK, .ack = 8001);
	if (answer->needless)
		assert_true(tcp_info_of(fx, s).tcpi_snd_cwnd >= before);
	else
		assert_true(tcp_info_of(fx, s).tcpi_snd_cwnd < before);
	expect_silence(1000);
	assert_int_equal(recoveries(fx), 0);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
}

/* ---- 47 ---- */

static void one_segment_is_sent_when_the_timer_fires(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, false, false);
	uint64_t then = fx_ms(fx);

	app_sends(s, 0, 20000);
	tcp_segments(fx, 1, 10);
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 400);
	assert_in_range(fx_ms(fx) - then, 298, 304);
	expect_silence(500);
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_cwnd, 1);
	assert_int_equal(tcp_info_of(fx, s).tcpi_ca_state, 4);
}

static void the_first_ack_after_a_timeout_lets_two_go(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, false, false);

	app_sends(s, 0, 10000);
	tcp_segments(fx, 1, 10);
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 400);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1001);
	expect_tx(ACK, .seq = 1001, .len = MSS);
	expect_tx(ACK, .seq = 2001, .len = MSS);
	expect_silence(50);
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_cwnd, 2);
}

static void what_the_peer_has_is_not_sent_again_after_a_timeout(struct fixture *fx)
{
	flight(fx, true, 10000);
	rx(ACK, .ack = 1, .sack = { { 9001, 10001 } });
	/* What was lost comes, by whatever means; what the peer has does not. */
	while (fx_wait_frame(fx, 1000 * STRATA_MS)) {
		const struct fx_pkt *pkt = fx_next(fx);
		uint32_t seq = pkt->tcp.seq - fx->conn.stack_isn;

		assert_true(seq < 9001);
		fx_advance(fx, 10);
		if (seq + MSS > 9000)
			break;
		rx(ACK, .ack = seq + MSS, .sack = { { 9001, 10001 } });
	}
	rx(ACK, .ack = 10001);
	expect_silence(1000);
}

/* ---- 53: peers that lie ---- */

static void acks_of_what_was_not_sent_open_no_window(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, false);

	app_sends(s, 0, 16000);
	tcp_segments(fx, 1, 10);
	/* Optimistic: of what is still to be sent. */
	rx(ACK, .ack = 16001);
	expect_drop("tcp", "BAD_ACK");
	expect_tx(ACK, .len = 0);
	expect_silence(50);
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_cwnd, 10);
}

static void a_thousand_duplicates_send_no_more_than_the_flight(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, false, false), i, sent = 0;

	option("tcp.sndbuf", "4MiB");
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 500000);
	app_sends(s, 0, 300000);
	tcp_segments(fx, 1, 10);
	/* RFC 5681 3.2: each stands for one segment that has left the network, of those that were sent. */
	for (i = 0; i < 1000; i++) {
		rx(ACK, .ack = 1);
		while (fx_next(fx) != NULL)
			sent++;
	}
	assert_in_range(sent, 1, 60);
}

static void duplicates_without_sack_blocks_say_nothing_where_sack_was_agreed(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, false), i;

	app_sends(s, 0, 16000);
	tcp_segments(fx, 1, 10);
	for (i = 0; i < 1000; i++)
		rx(ACK, .ack = 1);
	expect_silence(50);
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_cwnd, 10);
}

static void acks_byte_by_byte_open_the_window_by_a_byte_each(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, false), i;

	app_sends(s, 0, 16000);
	tcp_segments(fx, 1, 10);
	for (i = 1; i <= 1000; i++)
		rx(ACK, .ack = 1 + i);
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_cwnd, 11);
	fx_discard(fx);
}

static void sack_of_what_was_not_sent_says_nothing(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, false), i;

	app_sends(s, 0, 10000);
	tcp_segments(fx, 1, 10);
	for (i = 0; i < 10; i++)
		rx(ACK, .ack = 1, .sack = { { 20001 + 1000 * (uint32_t)i, 21001 + 1000 * (uint32_t)i } });
	expect_silence(50);
	assert_int_equal(recoveries(fx), 0);
}

/* ---- CUBIC, and the window in general ---- */

static void a_window_that_is_not_used_does_not_grow(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, false), i;

	for (i = 0; i < 100; i++) {
		app_sends(s, (uint64_t)i * 100, 100);
		fx_advance(fx, RTT);
		rx(ACK, .ack = 101 + 100 * i);
	}
	fx_discard(fx);
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_cwnd, 10);
}

static void slow_start_doubles_each_round_trip(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, false), i;

	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 500000);
	app_sends(s, 0, 100000);
	for (i = 0; i < 2; i++) {
		fx_discard(fx);
		fx_advance(fx, RTT);
		/* One ACK of two segments each, as a peer with delayed ACKs sends them. */
		for (int n = 0; n < 5 << i; n++)
			rx(ACK, .ack = 1 + 10000 * ((1 << i) - 1) + 2000 * (n + 1));
	}
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_cwnd, 40);
	fx_discard(fx);
}

struct reduction {
	const char *name;
	const char *algorithm;
	unsigned int ssthresh;
};

static const struct reduction reductions[] = {
	{ "newreno, to half", "newreno", 5 }, { "cubic, to 717/1024", "cubic", 7 },
};

static void a_loss_lowers_the_threshold(struct fixture *fx, const void *row)
{
	const struct reduction *r = row;
	int s;

	option("tcp.congestion", r->algorithm);
	s = flight(fx, true, 10000);
	assert_true(tcp_info_of(fx, s).tcpi_snd_ssthresh > 1000);
	rx(ACK, .ack = 1, .sack = { { 1001, 5001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_ssthresh, r->ssthresh);
	assert_int_equal(tcp_info_of(fx, s).tcpi_ca_state, 3);
	rx(ACK, .ack = 10001);
	assert_int_equal(tcp_info_of(fx, s).tcpi_ca_state, 0);
}

static void a_timeout_lowers_the_threshold_once(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, false, false);

	app_sends(s, 0, 10000);
	tcp_segments(fx, 1, 10);
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 400);
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_ssthresh, 5);
	/* RFC 5681 3.1: the same segment again does not lower it further. */
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 700);
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_ssthresh, 5);
}

/* ---- 36: our own numbers wrap ---- */

struct wrap {
	const char *name;
	uint32_t isn;
};

static const struct wrap wraps[] = {
	{ "at the SYN", 0xffffffffu }, { "at the first byte", 0xfffffffeu },
	{ "within the first segment", 0xffffffffu - 500 }, { "between two segments", 0xffffffffu - 1000 },
	{ "in the hole", 0xffffffffu - 2500 }, { "in what is sacked", 0xffffffffu - 4500 },
	{ "at the FIN", 0xffffffffu - 10000 }, { "of the sign", 0x7fffffffu },
	{ "of the sign, in the hole", 0x7fffffffu - 2500 },
	{ "of the window's right edge", 0xffffffffu - 65535 },
};

/* The initial number comes of a clock of 4 µs (RFC 6528): the stack is made when it gives the one wanted. */
static void our_numbers_wrap_without_notice(struct fixture *fx, const void *row)
{
	const struct wrap *wrap = row;
	uint64_t start = 1000 * STRATA_SEC, isn;
	int s;

	listen_on(80);
	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK);
	isn = fx->conn.stack_isn;
	start += (uint64_t)(uint32_t)(wrap->isn - isn) * 4 * STRATA_US;
	fx = fx_open(.start = start, .seed = 1);
	s = tcp_distant(fx, RTT, true, false);
	assert_int_equal(fx->conn.stack_isn, wrap->isn);
	app_sends(s, 0, 10000);
	tcp_segments(fx, 1, 10);
	fx_advance(fx, RTT);
	/* The third is lost. */
	rx(ACK, .ack = 2001);
	rx(ACK, .ack = 2001, .sack = { { 3001, 10001 } });
	expect_tx(ACK, .seq = 2001, .len = MSS);
	/* The retransmission too; the timer repairs it. */
	expect_tx(ACK, .seq = 2001, .len = MSS, .within = 2000);
	rx(ACK, .ack = 12001);
	expect_drop("tcp", "BAD_ACK");
	fx_discard(fx);
	rx(ACK, .ack = 10001);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	expect_tx(FIN | ACK, .seq = 10001);
	rx(ACK, .ack = 10002);
	assert_int_equal(tcp_state_of(fx, s), TCP_FIN_WAIT2);
	expect_silence(1000);
	fx_close(fx);
}

static const struct fx_scenario scenarios[] = {
	SCENARIOS("36", our_numbers_wrap_without_notice, wraps),
	SCENARIO("42", new_data_follows_the_retransmission),
	SCENARIO("42", the_last_of_many_duplicates_starts_no_second_recovery),
	SCENARIOS("43", each_hole_is_filled_once, holes),
	SCENARIO("43", two_segments_that_arrive_early_are_no_loss),
	SCENARIO("43", a_partial_ack_fills_the_next_hole_without_sack),
	SCENARIOS("TLP", a_lost_flight_is_probed, probes),
	SCENARIO("TLP", new_data_is_a_probe_where_there_is_some),
	SCENARIO("TLP", without_probes_the_timer_repairs_a_tail,
		 .options = "tcp.tail_loss_probe=false"),
	SCENARIO("TLP", a_probe_that_is_acknowledged_ends_the_wait),
	SCENARIO("TLP", a_probe_shows_which_segments_are_lost),
	SCENARIOS("TLP", a_duplicate_tells_of_the_probe_or_does_not, answers),
	SCENARIO("47", one_segment_is_sent_when_the_timer_fires),
	SCENARIO("47", the_first_ack_after_a_timeout_lets_two_go),
	SCENARIO("47", what_the_peer_has_is_not_sent_again_after_a_timeout),
	SCENARIO("53", acks_of_what_was_not_sent_open_no_window),
	SCENARIO("53", a_thousand_duplicates_send_no_more_than_the_flight),
	SCENARIO("53", duplicates_without_sack_blocks_say_nothing_where_sack_was_agreed),
	SCENARIO("53", acks_byte_by_byte_open_the_window_by_a_byte_each),
	SCENARIO("53", sack_of_what_was_not_sent_says_nothing),
	SCENARIO("CUBIC", a_window_that_is_not_used_does_not_grow),
	SCENARIO("CUBIC", slow_start_doubles_each_round_trip),
	SCENARIOS("CUBIC", a_loss_lowers_the_threshold, reductions,
		  .modules = "ethernet arp ipv4 newreno cubic tcp"),
	SCENARIO("CUBIC", a_timeout_lowers_the_threshold_once),
};

int main(int argc, char **argv)
{
	return fx_play(argc, argv, scenarios);
}
