/* SPDX-License-Identifier: BSD-2-Clause */
/* Loss and its repair (RFC 5681, RFC 6582, RFC 6675, RFC 3042). */
#include <linux/tcp.h>

#include "fixture.h"

enum { MSS = 1000 };

static int with_sack(struct fixture *fx)
{
	return accept_one(listen_on(80), .mss = MSS, .sack_ok = true);
}

static int without_sack(struct fixture *fx)
{
	return accept_one(listen_on(80), .mss = MSS);
}

static void send_pattern(struct fixture *fx, int s, uint64_t position, size_t length)
{
	uint8_t *bytes = malloc(length);

	fx_pattern_fill(bytes, length, position);
	assert_int_equal(fx_send(fx, s, bytes, length), length);
	free(bytes);
}

/* Takes `count` full segments off, the first at `seq`. */
static void expect_segments(struct fixture *fx, uint32_t seq, unsigned int count)
{
	for (; count > 0; count--, seq += MSS)
		expect_tx(ACK, .seq = seq, .len = MSS);
}

static unsigned int cwnd_of(struct fixture *fx, int s)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info.tcpi_snd_cwnd;
}

static void three_duplicates_bring_a_fast_retransmission(void **state)
{
	struct fixture *fx = fx_open();
	int s = without_sack(fx);

	(void)state;
	send_pattern(fx, s, 0, 20000);
	expect_segments(fx, 1, 10);
	/* RFC 3042: the first two send one new segment each. */
	rx(ACK, .ack = 1);
	expect_tx(ACK, .seq = 10001, .len = MSS);
	rx(ACK, .ack = 1);
	expect_tx(ACK, .seq = 11001, .len = MSS);
	rx(ACK, .ack = 1);
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_silence(0);
	/* All of it is acknowledged: recovery is over, the window is half of what was in flight, what limited
	 * transmit added not counted. */
	rx(ACK, .ack = 12001);
	assert_int_equal(cwnd_of(fx, s), 5);
	expect_segments(fx, 12001, 5);
	expect_silence(0);
	fx_close(fx);
}

static void what_is_no_duplicate_does_not_count(void **state)
{
	struct fixture *fx = fx_open();
	int s = without_sack(fx);
	unsigned int i;

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	for (i = 0; i < 4; i++) {
		rx(ACK, .ack = 1, .win = 60000 - (int)i);
		rx(ACK, .ack = 1, .len = 10, .win = 60000 - (int)i);
	}
	fx_advance(fx, 100);
	while (fx_waiting(fx) > 0)
		expect_tx(ACK, .len = 0);
	fx_close(fx);
}

static void a_partial_ack_retransmits_the_next_hole(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.limited_transmit=false");
	int s = without_sack(fx), i;

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	/* The first and the fifth are lost. */
	for (i = 0; i < 3; i++)
		rx(ACK, .ack = 1);
	expect_tx(ACK, .seq = 1, .len = MSS);
	for (i = 0; i < 5; i++)
		rx(ACK, .ack = 1);
	expect_silence(0);
	rx(ACK, .ack = 4001);
	expect_tx(ACK, .seq = 4001, .len = MSS);
	expect_silence(0);
	rx(ACK, .ack = 10001);
	expect_silence(1000);
	fx_close(fx);
}

static void duplicates_after_recovery_start_no_other(void **state)
{
	struct fixture *fx = fx_open();
	int s = without_sack(fx), i;

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 500);
	/* RFC 6582 section 4: what was sent before the timeout now brings duplicates. */
	rx(ACK, .ack = 10001);
	send_pattern(fx, s, 10000, 1000);
	expect_segments(fx, 10001, 1);
	for (i = 0; i < 4; i++)
		rx(ACK, .ack = 10001);
	expect_silence(100);
	fx_close(fx);
}

static void sack_shows_which_segments_are_lost(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.rack=false");
	int s = with_sack(fx);

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	/* 1, 3 and 5 are lost. */
	rx(ACK, .ack = 1, .sack = { { 1001, 2001 } });
	rx(ACK, .ack = 1, .sack = { { 3001, 4001 }, { 1001, 2001 } });
	expect_silence(0);
	rx(ACK, .ack = 1, .sack = { { 5001, 6001 }, { 3001, 4001 }, { 1001, 2001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_silence(0);
	rx(ACK, .ack = 1, .sack = { { 5001, 7001 }, { 3001, 4001 }, { 1001, 2001 } });
	rx(ACK, .ack = 1, .sack = { { 5001, 8001 }, { 3001, 4001 }, { 1001, 2001 } });
	expect_tx(ACK, .seq = 2001, .len = MSS);
	rx(ACK, .ack = 1, .sack = { { 5001, 9001 }, { 3001, 4001 }, { 1001, 2001 } });
	expect_tx(ACK, .seq = 4001, .len = MSS);
	rx(ACK, .ack = 1, .sack = { { 5001, 10001 }, { 3001, 4001 }, { 1001, 2001 } });
	rx(ACK, .ack = 10001);
	expect_silence(1000);
	assert_int_equal(cwnd_of(fx, s), 5);
	fx_close(fx);
}

static void enough_sacked_bytes_in_one_block_show_a_loss(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.rack=false");
	int s = with_sack(fx);

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	rx(ACK, .ack = 1, .sack = { { 1001, 3001 } });
	expect_silence(0);
	rx(ACK, .ack = 1, .sack = { { 1001, 4001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	fx_close(fx);
}

static void lost_segments_are_sent_again_before_new_ones(void **state)
{
	struct fixture *fx = fx_open();
	int s = with_sack(fx);

	(void)state;
	send_pattern(fx, s, 0, 20000);
	expect_segments(fx, 1, 10);
	rx(ACK, .ack = 1, .sack = { { 4001, 10001 } });
	/* Half of ten may be in flight: four are lost, six have arrived. */
	expect_segments(fx, 1, 4);
	expect_tx(ACK, .seq = 10001, .len = MSS);
	expect_silence(0);
	rx(ACK, .ack = 10001);
	expect_segments(fx, 11001, 4);
	expect_silence(0);
	fx_close(fx);
}

static void sack_of_what_was_never_sent_is_ignored(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.tail_loss_probe=false");
	int s = with_sack(fx);

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	rx(ACK, .ack = 1, .sack = { { 20001, 90001 } });
	rx(ACK, .ack = 1, .sack = { { 5001, 4001 } });
	rx(ACK, .ack = 1, .sack = { { 9001, 11001 } });
	rx(ACK, .ack = 1, .sack = { { 4294967000u, 3 } });
	expect_silence(100);
	assert_true(fx_counter(fx, "tcp", "sack_ignored") >= 3);
	fx_close(fx);
}

static void a_peer_that_takes_its_word_back_gets_all_again(void **state)
{
	struct fixture *fx = fx_open();
	int s = with_sack(fx);
	unsigned int i;

	(void)state;
	send_pattern(fx, s, 0, 4000);
	expect_segments(fx, 1, 4);
	rx(ACK, .ack = 1, .sack = { { 1001, 4001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	rx(ACK, .ack = 1001);
	/* It had 1001–4000 and has forgotten them. */
	for (i = 0; i < 3; i++) {
		expect_tx(ACK, .seq = 1001 + 1000 * i, .len = MSS, .within = 5000);
		rx(ACK, .ack = 2001 + 1000 * i);
		fx_discard(fx);
	}
	assert_int_equal(fx_counter(fx, "tcp", "sack_reneged"), 1);
	fx_close(fx);
}

static void the_scoreboard_is_limited_and_flat_in_cost(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.mss_min=48");
	int s = accept_one(listen_on(80), .mss = 48, .sack_ok = true);
	uint8_t *bytes = calloc(1, 1 << 20);
	size_t before;
	unsigned int i;

	(void)state;
	for (i = 0; i < 40; i++) {
		fx_send(fx, s, bytes, 1 << 20);
		rx(ACK, .ack = 1 + (int64_t)(i * 960));
		fx_discard(fx);
	}
	before = fx->bytes;
	for (i = 0; i < 3000; i++) {
		uint32_t at_ = 38000 + 16 * (i % 400);

		rx(ACK, .sack = { { at_, at_ + 8 } }, .ack = 37441);
	}
	assert_true(fx->bytes - before < 8192);
	fx_discard(fx);
	free(bytes);
	fx_close(fx);
}

static void sack_blocks_on_an_old_ack_are_used(void **state)
{
	struct fixture *fx = fx_open();
	int s = with_sack(fx);

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	rx(ACK, .ack = 2001);
	rx(ACK, .ack = 1001, .sack = { { 3001, 6001 } });
	expect_tx(ACK, .seq = 2001, .len = MSS);
	fx_close(fx);
}

static void a_lost_fin_is_sent_again(void **state)
{
	struct fixture *fx = fx_open();
	int s = with_sack(fx);

	(void)state;
	send_pattern(fx, s, 0, 500);
	expect_tx(ACK, .len = 500);
	strata_shutdown(fx->stack, s, SHUT_WR);
	expect_tx(FIN | ACK, .seq = 501);
	expect_tx(FIN | ACK, .seq = 1, .len = 500, .within = 500);
	rx(ACK, .ack = 501);
	expect_tx(FIN | ACK, .seq = 501, .within = 1000);
	rx(ACK, .ack = 502);
	expect_silence(5000);
	fx_close(fx);
}

static void a_lost_tail_is_probed_after_two_round_trips(void **state)
{
	struct fixture *fx = fx_open();
	int s = with_sack(fx);
	unsigned int before;

	(void)state;
	send_pattern(fx, s, 0, 4000);
	expect_segments(fx, 1, 4);
	rx(ACK, .ack = 2001);
	before = cwnd_of(fx, s);
	/* The last two are not heard of: the last one comes again, long before the timer. */
	expect_tx(ACK, .seq = 3001, .len = MSS, .within = 20);
	rx(ACK, .ack = 4001);
	/* Without a DSACK the probe repaired a loss, which the next ACK makes known to the window. */
	send_pattern(fx, s, 4000, 1000);
	expect_segments(fx, 4001, 1);
	rx(ACK, .ack = 5001);
	assert_true(cwnd_of(fx, s) < before);
	expect_silence(1000);
	fx_close(fx);
}

/* RFC 8985 7.4.2, of a peer that sends no DSACK: nothing is in flight any more when the probe's copy is answered. */
static void a_plain_duplicate_tells_that_the_probe_was_needless(void **state)
{
	struct fixture *fx = fx_open();
	int s = with_sack(fx);
	unsigned int before;

	(void)state;
	send_pattern(fx, s, 0, 1000);
	expect_segments(fx, 1, 1);
	fx_advance(fx, 1);
	rx(ACK, .ack = 1001);
	send_pattern(fx, s, 1000, 5000);
	expect_segments(fx, 1001, 5);
	expect_tx(ACK, .seq = 5001, .len = MSS, .within = 20);
	rx(ACK, .ack = 6001);
	before = cwnd_of(fx, s);
	rx(ACK, .ack = 6001);
	expect_silence(1000);
	assert_int_equal(cwnd_of(fx, s), before);
	fx_close(fx);
}

static void the_loss_of_the_only_ack_does_not_wait_for_the_timer(void **state)
{
	struct fixture *fx = fx_open();
	int s = with_sack(fx);
	unsigned int before;

	(void)state;
	send_pattern(fx, s, 0, 1000);
	expect_segments(fx, 1, 1);
	fx_advance(fx, 1);
	rx(ACK, .ack = 1001);
	send_pattern(fx, s, 1000, 5000);
	expect_segments(fx, 1001, 5);
	before = cwnd_of(fx, s);
	expect_tx(ACK, .seq = 5001, .len = MSS, .within = 20);
	/* All had arrived: a DSACK says that the probe was needless, and the window stays. */
	rx(ACK, .ack = 6001, .sack = { { 5001, 6001 } });
	assert_true(cwnd_of(fx, s) >= before);
	expect_silence(1000);
	fx_close(fx);
}

static void a_lost_retransmission_is_repaired_without_the_timer(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.tail_loss_probe=false");
	int s = with_sack(fx);

	(void)state;
	at(0);
	send_pattern(fx, s, 0, 14000);
	expect_segments(fx, 1, 10);
	at(10);
	rx(ACK, .ack = 1, .sack = { { 1001, 4001 } });
	expect_segments(fx, 1, 1);
	at(12);
	rx(ACK, .ack = 1, .sack = { { 1001, 10001 } });
	/* The retransmission is lost; new data is sent, and arrives. */
	expect_segments(fx, 10001, 4);
	expect_silence(0);
	at(22);
	rx(ACK, .ack = 1, .sack = { { 1001, 11001 } });
	expect_tx(ACK, .seq = 1, .len = MSS);
	rx(ACK, .ack = 14001);
	assert_int_equal(fx_counter(fx, "tcp", "lost_retransmissions"), 1);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	expect_silence(1000);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_duplicates_bring_a_fast_retransmission),
		cmocka_unit_test(what_is_no_duplicate_does_not_count),
		cmocka_unit_test(a_partial_ack_retransmits_the_next_hole),
		cmocka_unit_test(duplicates_after_recovery_start_no_other),
		cmocka_unit_test(sack_shows_which_segments_are_lost),
		cmocka_unit_test(enough_sacked_bytes_in_one_block_show_a_loss),
		cmocka_unit_test(lost_segments_are_sent_again_before_new_ones),
		cmocka_unit_test(sack_of_what_was_never_sent_is_ignored),
		cmocka_unit_test(a_peer_that_takes_its_word_back_gets_all_again),
		cmocka_unit_test(the_scoreboard_is_limited_and_flat_in_cost),
		cmocka_unit_test(sack_blocks_on_an_old_ack_are_used),
		cmocka_unit_test(a_lost_fin_is_sent_again),
		cmocka_unit_test(a_lost_tail_is_probed_after_two_round_trips),
		cmocka_unit_test(a_plain_duplicate_tells_that_the_probe_was_needless),
		cmocka_unit_test(the_loss_of_the_only_ack_does_not_wait_for_the_timer),
		cmocka_unit_test(a_lost_retransmission_is_repaired_without_the_timer),
	};

	return fx_main(tests);
}
