/* SPDX-License-Identifier: BSD-2-Clause */
/* Reductions taken back: F-RTO (RFC 5682), Eifel (RFC 3522), duplicates reported (RFC 2883, RFC 3708). */
#include <linux/tcp.h>

#include "fixture.h"

enum { MSS = 1000, STAMPED = 988 };

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


static void a_spurious_timeout_is_found_by_what_arrives_after_it(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.tail_loss_probe=false");
	int s = accept_one(listen_on(80), .mss = MSS, .sack_ok = true);

	(void)state;
	send_pattern(fx, s, 0, 14000);
	expect_segments(fx, 1, 10);
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 500);
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 4);
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, 1);
	/* RFC 5682 2.1 step 2b: new data instead of retransmissions. */
	rx(ACK, .ack = 1001);
	expect_segments(fx, 10001, 2);
	expect_silence(0);
	/* Step 3b: the first copies arrive. */
	rx(ACK, .ack = 2001);
	assert_int_equal(fx_counter(fx, "tcp", "undo_frto"), 1);
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 0);
	assert_true(info_of(fx, s).tcpi_snd_cwnd >= 10);
	assert_int_equal(info_of(fx, s).tcpi_snd_ssthresh, 0x7fffffff);
	/* The rest of the window that was is in flight still. */
	expect_segments(fx, 12001, 1);
	expect_silence(0);
	rx(ACK, .ack = 13001);
	expect_tx(ACK, .seq = 13001, .len = MSS);
	rx(ACK, .ack = 14001);
	expect_silence(1000);
	fx_close(fx);
}

static void a_real_timeout_is_repaired_after_a_duplicate(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.tail_loss_probe=false");
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	send_pattern(fx, s, 0, 14000);
	expect_segments(fx, 1, 10);
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 500);
	rx(ACK, .ack = 1001);
	expect_segments(fx, 10001, 2);
	/* Step 3a: the new data only brings duplicates. */
	rx(ACK, .ack = 1001);
	expect_segments(fx, 1001, 1);
	assert_int_equal(fx_counter(fx, "tcp", "undo_frto"), 0);
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 4);
	rx(ACK, .ack = 12001);
	expect_segments(fx, 12001, 2);
	assert_int_equal(info_of(fx, s).tcpi_snd_ssthresh, 5);
	fx_close(fx);
}

static void nothing_new_to_send_means_conventional_recovery(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.tail_loss_probe=false");
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	send_pattern(fx, s, 0, 4000);
	expect_segments(fx, 1, 4);
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 500);
	rx(ACK, .ack = 1001);
	expect_segments(fx, 1001, 2);
	rx(ACK, .ack = 4001);
	expect_silence(1000);
	fx_close(fx);
}

static void an_old_time_stamp_shows_a_timeout_to_be_spurious(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.tail_loss_probe=false tcp.frto=false");
	int s = accept_one(listen_on(80), .mss = MSS, .ts = true, .sack_ok = true);
	const struct fx_pkt *pkt;
	uint32_t first;
	int i;

	(void)state;
	send_pattern(fx, s, 0, 4 * STAMPED);
	pkt = expect_tx(ACK, .seq = 1, .len = STAMPED);
	first = pkt->tcp.tsval;
	for (i = 1; i < 4; i++)
		expect_tx(ACK, .seq = 1 + (uint32_t)i * STAMPED, .len = STAMPED);
	pkt = expect_tx(ACK, .seq = 1, .len = STAMPED, .within = 500);
	assert_int_not_equal(pkt->tcp.tsval, first);
	/* RFC 3522 3.2 (5): the ACK echoes what left before the retransmission. */
	rx(ACK, .ack = 1 + STAMPED, .ts = true, .tsecr = first);
	assert_int_equal(fx_counter(fx, "tcp", "undo_eifel"), 1);
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 0);
	assert_true(info_of(fx, s).tcpi_snd_cwnd >= 10);
	fx_close(fx);
}

static void a_time_stamp_of_the_retransmission_proves_the_loss(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.tail_loss_probe=false tcp.frto=false");
	int s = accept_one(listen_on(80), .mss = MSS, .ts = true, .sack_ok = true);
	const struct fx_pkt *pkt;

	(void)state;
	send_pattern(fx, s, 0, 2 * STAMPED);
	expect_tx(ACK, .seq = 1, .len = STAMPED);
	expect_tx(ACK, .seq = 1 + STAMPED, .len = STAMPED);
	pkt = expect_tx(ACK, .seq = 1, .len = STAMPED, .within = 500);
	rx(ACK, .ack = 1 + STAMPED, .ts = true, .tsecr = pkt->tcp.tsval);
	assert_int_equal(fx_counter(fx, "tcp", "undo_eifel"), 0);
	assert_int_equal(info_of(fx, s).tcpi_ca_state, 4);
	fx_close(fx);
}

static void every_retransmission_reported_twice_gives_the_window_back(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.tail_loss_probe=false");
	int s = accept_one(listen_on(80), .mss = MSS, .sack_ok = true);

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	rx(ACK, .ack = 1, .sack = { { 2001, 8001 } });
	expect_segments(fx, 1, 2);
	assert_int_equal(info_of(fx, s).tcpi_snd_ssthresh, 5);
	/* The first copies were only late … */
	rx(ACK, .ack = 10001);
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, 5);
	/* … as both DSACKs show. */
	rx(ACK, .ack = 10001, .sack = { { 1, 1001 } });
	assert_int_equal(fx_counter(fx, "tcp", "undo_dsack"), 0);
	rx(ACK, .ack = 10001, .sack = { { 1001, 2001 } });
	assert_int_equal(fx_counter(fx, "tcp", "undo_dsack"), 1);
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, 10);
	assert_int_equal(info_of(fx, s).tcpi_snd_ssthresh, 0x7fffffff);
	expect_silence(1000);
	fx_close(fx);
}

static void undoing_can_be_switched_off(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.tail_loss_probe=false tcp.dsack_undo=false");
	int s = accept_one(listen_on(80), .mss = MSS, .sack_ok = true);

	(void)state;
	send_pattern(fx, s, 0, 10000);
	expect_segments(fx, 1, 10);
	rx(ACK, .ack = 1, .sack = { { 1001, 5001 } });
	expect_segments(fx, 1, 1);
	rx(ACK, .ack = 10001);
	rx(ACK, .ack = 10001, .sack = { { 1, 1001 } });
	assert_int_equal(fx_counter(fx, "tcp", "undo_dsack"), 0);
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, 5);
	fx_close(fx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_spurious_timeout_is_found_by_what_arrives_after_it),
		cmocka_unit_test(a_real_timeout_is_repaired_after_a_duplicate),
		cmocka_unit_test(nothing_new_to_send_means_conventional_recovery),
		cmocka_unit_test(an_old_time_stamp_shows_a_timeout_to_be_spurious),
		cmocka_unit_test(a_time_stamp_of_the_retransmission_proves_the_loss),
		cmocka_unit_test(every_retransmission_reported_twice_gives_the_window_back),
		cmocka_unit_test(undoing_can_be_switched_off),
	};

	return fx_main(tests);
}
