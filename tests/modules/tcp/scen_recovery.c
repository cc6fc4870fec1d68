/* SPDX-License-Identifier: BSD-2-Clause */
/* Loss found by time and repaired in proportion; what turns out not to have been lost; pacing (RFC 8985,
 * RFC 9937, RFC 5682, RFC 3522, RFC 3708). The peer is 100 ms away. */
#include "states.h"

enum { RTT = 100 };

/* A connection with SACK whose handshake took a round trip, and ten segments that have had as long. */
static int flight(struct fixture *fx, size_t length)
{
	int s = tcp_distant(fx, RTT, true, false);

	app_sends(s, 0, length);
	tcp_segments(fx, 1, 10);
	fx_advance(fx, RTT);
	return s;
}

static unsigned int cwnd_of(struct fixture *fx, int s)
{
	return tcp_info_of(fx, s).tcpi_snd_cwnd;
}

/* Takes all frames off; returns how many. */
static unsigned int taken(struct fixture *fx)
{
	unsigned int n = 0;

	while (fx_waiting(fx) != 0) {
		expect_tx(ACK, .len = FX_AUTO);
		n++;
	}
	return n;
}

/* The segment at `seq` is sent again, `ms` from now. */
static void expect_after(struct fixture *fx, int64_t seq, uint64_t ms)
{
	uint64_t then = fx_ms(fx);

	expect_tx(ACK, .seq = seq, .len = MSS, .within = ms + 50);
	assert_in_range(fx_ms(fx) - then, ms - 2, ms + 4);
}

/* ---- RACK ---- */

static void one_that_arrives_early_is_waited_for_a_quarter_of_a_round_trip(struct fixture *fx)
{
	flight(fx, 10000);
	/* RFC 8985 6.2, step 4: no reordering seen, fewer than DupThresh: min_RTT / 4. */
	rx(ACK, .ack = 1, .sack = { { 1001, 2001 } });
	expect_after(fx, 1, RTT / 4);
	expect_silence(20);
	rx(ACK, .ack = 10001);
	expect_silence(1000);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
}

static void without_rack_one_that_arrives_early_says_nothing(struct fixture *fx)
{
	flight(fx, 10000);
	rx(ACK, .ack = 1, .sack = { { 1001, 2001 } });
	expect_silence(150);
	assert_int_equal(fx_counter(fx, "tcp", "fast_recoveries"), 0);
}

static void three_that_arrive_early_are_a_loss_at_once(struct fixture *fx)
{
	flight(fx, 10000);
	rx(ACK, .ack = 1, .sack = { { 1001, 4001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
}

static void where_reordering_was_seen_three_are_waited_for_too(struct fixture *fx)
{
	int s = flight(fx, 10000);

	rx(ACK, .ack = 1, .sack = { { 1001, 2001 } });
	fx_advance(fx, 5);
	/* The first arrives, and was not sent again. */
	rx(ACK, .ack = 2001);
	rx(ACK, .ack = 10001);
	app_sends(s, 10000, 10000);
	tcp_segments(fx, 10001, 10);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 10001, .sack = { { 11001, 15001 } });
	expect_after(fx, 10001, RTT / 4);
}

static void a_lost_retransmission_is_found_by_what_was_sent_after_it(struct fixture *fx)
{
	flight(fx, 16000);
	rx(ACK, .ack = 1, .sack = { { 1001, 10001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	/* New data follows it, and arrives a round trip later; the retransmission does not. */
	assert_true(taken(fx) >= 1);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 1, .sack = { { 1001, fx->conn.stack_nxt } });
	expect_tx(ACK, .seq = 1, .len = MSS, .within = RTT / 4 + 5);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
}

static void a_needless_retransmission_widens_the_wait(struct fixture *fx)
{
	int s = flight(fx, 10000);

	rx(ACK, .ack = 1, .sack = { { 1001, 2001 } });
	expect_after(fx, 1, RTT / 4);
	/* The first was only late; the peer reports that it came twice. */
	rx(ACK, .ack = 10001);
	fx_advance(fx, RTT / 2);
	rx(ACK, .ack = 10001, .sack = { { 1, 1001 } });
	app_sends(s, 10000, 10000);
	tcp_segments(fx, 10001, 5);
	fx_discard(fx);
	fx_advance(fx, RTT);
	/* RFC 8985 6.2, step 4: twice the quarter. */
	rx(ACK, .ack = 10001, .sack = { { 11001, 12001 } });
	expect_silence(RTT / 4 + 5);
	expect_tx(ACK, .seq = 10001, .len = MSS, .within = RTT / 4 + 5);
}

struct threshold {
	const char *name;
	const char *value;
	uint32_t sacked;		/* segments that show a loss at once */
};

static const struct threshold thresholds[] = {
	{ "2", "2", 2 }, { "3, the default", "3", 3 }, { "5", "5", 5 },
};

static void the_threshold_of_duplicates_is_an_option(struct fixture *fx, const void *row)
{
	const struct threshold *t = row;

	option("tcp.dupack_threshold", t->value);
	flight(fx, 10000);
	rx(ACK, .ack = 1, .sack = { { 1001, 1001 + (t->sacked - 1) * MSS } });
	expect_silence(5);
	rx(ACK, .ack = 1, .sack = { { 1001, 1001 + t->sacked * MSS } });
	expect_tx(ACK, .seq = 1, .len = MSS);
}

/* ---- PRR ---- */

/* The first of twenty is lost; the others arrive one by one. Returns what was sent when nine had. */
static unsigned int reduce(struct fixture *fx, int *s)
{
	unsigned int sent = 0, at_nine = 0;
	uint32_t i;

	*s = tcp_distant(fx, RTT, true, false);
	app_sends(*s, 0, 40000);
	tcp_segments(fx, 1, 20);
	fx_advance(fx, RTT);
	for (i = 1; i <= 19; i++) {
		rx(ACK, .ack = 1, .sack = { { 1001, 1001 + i * MSS } });
		sent += taken(fx);
		if (i == 9)
			at_nine = sent;
	}
	return at_nine;
}

static void the_window_is_reduced_in_proportion_to_what_arrives(struct fixture *fx)
{
	int s;

	/* ssthresh is 10 of 20: about one segment leaves for each two that arrive. */
	assert_in_range(reduce(fx, &s), 3, 5);
	rx(ACK, .ack = 20001);
	assert_int_equal(cwnd_of(fx, s), 10);
}

static void without_prr_the_window_is_halved_at_once(struct fixture *fx)
{
	int s;

	/* The retransmission leaves; for the rest more than ten are on their way still. */
	assert_int_equal(reduce(fx, &s), 1);
	rx(ACK, .ack = 20001);
	assert_int_equal(cwnd_of(fx, s), 10);
}

static void after_recovery_the_window_is_the_threshold(struct fixture *fx)
{
	int s = flight(fx, 10000);

	rx(ACK, .ack = 1, .sack = { { 1001, 10001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	fx_advance(fx, RTT);
	rx(ACK, .ack = 10001);
	assert_int_equal(cwnd_of(fx, s), 5);
	assert_int_equal(tcp_info_of(fx, s).tcpi_ca_state, 0);
}

/* ---- spurious timeouts ---- */

/* Ten segments are delayed until the timer fires. */
static int delayed(struct fixture *fx, bool ts)
{
	int s = tcp_distant(fx, RTT, true, ts);

	app_sends(s, 0, 16000);
	for (int i = 0; i < 10; i++)
		expect_tx(ACK, .len = FX_AUTO);
	/* Probes of the tail are of no interest here. */
	while (fx_counter(fx, "tcp", "timeouts") == 0) {
		assert_true(fx_wait_frame(fx, 2000 * STRATA_MS));
		expect_tx(ACK, .len = FX_AUTO);
	}
	fx_advance(fx, 10);
	assert_int_equal(cwnd_of(fx, s), 1);
	return s;
}

static void f_rto_takes_a_needless_timeout_back(struct fixture *fx)
{
	int s = delayed(fx, false);
	unsigned int again = (unsigned int)fx_counter(fx, "tcp", "retransmitted_segments");

	/* RFC 5682 3.1: the originals arrive one after the other. */
	rx(ACK, .ack = 2001);
	rx(ACK, .ack = 4001);
	rx(ACK, .ack = 6001);
	assert_true(cwnd_of(fx, s) >= 10);
	rx(ACK, .ack = 10001);
	assert_int_equal(fx_counter(fx, "tcp", "retransmitted_segments"), again);
	fx_discard(fx);
}

static void without_f_rto_all_is_sent_again(struct fixture *fx)
{
	int s = delayed(fx, false);

	rx(ACK, .ack = 2001);
	expect_tx(ACK, .seq = 2001, .len = MSS);
	assert_true(cwnd_of(fx, s) < 10);
	fx_discard(fx);
}

static void f_rto_repairs_where_the_timeout_was_right(struct fixture *fx)
{
	int s = delayed(fx, false);

	/* Only the retransmission arrived; then what was sent after it brings a duplicate. */
	rx(ACK, .ack = 1001);
	fx_advance(fx, RTT);
	fx_discard(fx);
	rx(ACK, .ack = 1001, .sack = { { 10001, fx->conn.stack_nxt > 10001 ? fx->conn.stack_nxt : 10002 } });
	assert_true(fx_counter(fx, "tcp", "retransmitted_segments") >= 2 ||
		    fx_wait_frame(fx, 1000 * STRATA_MS));
	fx_discard(fx);
	assert_true(cwnd_of(fx, s) < 10);
	rx(ACK, .ack = 10001);
	fx_discard(fx);
}

static void a_stamp_takes_a_needless_timeout_back(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, true);
	uint32_t original = 0;

	app_sends(s, 0, 9880);
	for (int i = 0; i < 10; i++)
		original = expect_tx(ACK, .len = FX_AUTO)->tcp.tsval;
	expect_tx(ACK, .seq = 1, .len = FX_AUTO, .within = 400);
	assert_int_equal(cwnd_of(fx, s), 1);
	fx_advance(fx, 10);
	/* RFC 3522: the echo is older than the retransmission. */
	rx(ACK, .ack = 989, .tsecr = original);
	assert_true(cwnd_of(fx, s) >= 10);
	fx_discard(fx);
}

static void without_eifel_a_stamp_takes_nothing_back(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, true);
	uint32_t original = 0;

	app_sends(s, 0, 9880);
	for (int i = 0; i < 10; i++)
		original = expect_tx(ACK, .len = FX_AUTO)->tcp.tsval;
	expect_tx(ACK, .seq = 1, .len = FX_AUTO, .within = 400);
	fx_advance(fx, 10);
	rx(ACK, .ack = 989, .tsecr = original);
	assert_true(cwnd_of(fx, s) < 10);
	fx_discard(fx);
}

static int needless(struct fixture *fx)
{
	int s = flight(fx, 10000);

	rx(ACK, .ack = 1, .sack = { { 1001, 10001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	fx_advance(fx, 10);
	rx(ACK, .ack = 10001);
	assert_int_equal(cwnd_of(fx, s), 5);
	fx_advance(fx, RTT);
	/* The retransmission arrives as well. */
	rx(ACK, .ack = 10001, .sack = { { 1, 1001 } });
	return s;
}

static void a_duplicate_reported_takes_a_needless_recovery_back(struct fixture *fx)
{
	assert_true(cwnd_of(fx, needless(fx)) >= 10);
}

static void without_it_a_duplicate_reported_takes_nothing_back(struct fixture *fx)
{
	assert_int_equal(cwnd_of(fx, needless(fx)), 5);
}

/* ---- 55: pacing ---- */

/* Twenty segments are due, after a first flight of ten. Returns how many leave at once. */
static unsigned int burst(struct fixture *fx, int *s)
{
	unsigned int n = 0;

	*s = tcp_distant(fx, RTT, true, false);
	fx_setsockopt(fx, *s, SOL_SOCKET, SO_SNDBUF, 500000);
	app_sends(*s, 0, 10000);
	while (n < 10) {
		expect_tx(ACK, .len = MSS, .within = RTT);
		n++;
	}
	fx_advance(fx, RTT);
	rx(ACK, .ack = 10001);
	fx_discard(fx);
	app_sends(*s, 10000, 100000);
	return taken(fx);
}

static void a_window_is_spread_over_the_round_trip(struct fixture *fx)
{
	unsigned int n, i;
	int s;

	n = burst(fx, &s);
	assert_in_range(n, 1, 15);
	/* The rest follows within the round trip, not in one go. */
	for (i = 0; i < 10; i++) {
		fx_advance(fx, RTT / 10);
		assert_true(fx_waiting(fx) < 10);
		n += taken(fx);
	}
	assert_in_range(n, 18, 21);
}

static void without_pacing_a_window_leaves_at_once(struct fixture *fx)
{
	int s;

	assert_in_range(burst(fx, &s), 19, 21);
}

static void the_sockets_rate_is_not_exceeded(struct fixture *fx)
{
	int s = tcp_distant(fx, RTT, true, false), i;
	unsigned int sent = 0;

	/* 20 kB/s: a segment in 50 ms. */
	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_MAX_PACING_RATE, 20000), 0);
	app_sends(s, 0, 16000);
	for (i = 0; i < 10; i++) {
		fx_advance(fx, 50);
		sent += taken(fx);
	}
	/* Half a second: ten, and a burst at its beginning. */
	assert_in_range(sent, 5, 14);
}

static const struct fx_scenario scenarios[] = {
	SCENARIO("43", one_that_arrives_early_is_waited_for_a_quarter_of_a_round_trip),
	SCENARIO("43", without_rack_one_that_arrives_early_says_nothing,
		 .options = "tcp.rack=false tcp.tail_loss_probe=false"),
	SCENARIO("43", three_that_arrive_early_are_a_loss_at_once),
	SCENARIO("43", where_reordering_was_seen_three_are_waited_for_too),
	SCENARIO("43", a_lost_retransmission_is_found_by_what_was_sent_after_it),
	SCENARIO("43", a_needless_retransmission_widens_the_wait),
	SCENARIOS("DUPACK", the_threshold_of_duplicates_is_an_option, thresholds),
	SCENARIO("PRR", the_window_is_reduced_in_proportion_to_what_arrives,
		 .options = "tcp.limited_transmit=false tcp.initial_window=20 tcp.sndbuf=64KiB"),
	SCENARIO("PRR", without_prr_the_window_is_halved_at_once,
		 .options = "tcp.limited_transmit=false tcp.initial_window=20 tcp.sndbuf=64KiB "
			    "tcp.prr=false"),
	SCENARIO("PRR", after_recovery_the_window_is_the_threshold),
	SCENARIO("47", f_rto_takes_a_needless_timeout_back,
		 .options = "tcp.tail_loss_probe=false tcp.eifel=false tcp.dsack_undo=false"),
	SCENARIO("47", without_f_rto_all_is_sent_again,
		 .options = "tcp.tail_loss_probe=false tcp.eifel=false tcp.dsack_undo=false "
			    "tcp.frto=false"),
	SCENARIO("47", f_rto_repairs_where_the_timeout_was_right,
		 .options = "tcp.tail_loss_probe=false tcp.eifel=false tcp.dsack_undo=false"),
	SCENARIO("47", a_stamp_takes_a_needless_timeout_back,
		 .options = "tcp.tail_loss_probe=false tcp.frto=false tcp.dsack_undo=false"),
	SCENARIO("47", without_eifel_a_stamp_takes_nothing_back,
		 .options = "tcp.tail_loss_probe=false tcp.frto=false tcp.dsack_undo=false "
			    "tcp.eifel=false"),
	SCENARIO("43", a_duplicate_reported_takes_a_needless_recovery_back),
	SCENARIO("43", without_it_a_duplicate_reported_takes_nothing_back,
		 .options = "tcp.dsack_undo=false tcp.eifel=false"),
	SCENARIO("55", a_window_is_spread_over_the_round_trip, .options = "tcp.pacing=true"),
	SCENARIO("55", without_pacing_a_window_leaves_at_once),
	SCENARIO("55", the_sockets_rate_is_not_exceeded),
};

int main(int argc, char **argv)
{
	return fx_play(argc, argv, scenarios);
}
