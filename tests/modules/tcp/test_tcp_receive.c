/* SPDX-License-Identifier: BSD-2-Clause */
/* Receiving: order, windows, acknowledgements, and what no peer may do (RFC 9293 3.10.7.4,
 * RFC 2018, RFC 2883, RFC 5961, RFC 7323). */
#include <netinet/tcp.h>

#include "fixture.h"

enum { MSS = 1460 };

/* An established connection whose first, quick ACKs are used up, so that ACKs are delayed. */
static int connected(struct fixture *fx)
{
	int s = accept_one(listen_on(80), .mss = MSS);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_QUICKACK, 0);
	return s;
}

static int connected_sack(struct fixture *fx)
{
	return accept_one(listen_on(80), .mss = MSS, .sack_ok = true);
}

/* The application reads everything; asserts that it is the pattern from `position` on. */
static void read_pattern(struct fixture *fx, int s, uint64_t position, size_t length)
{
	uint8_t *got = malloc(length + 1), *want = malloc(length + 1);

	assert_int_equal(fx_recv(fx, s, got, length + 1), length);
	fx_pattern_fill(want, length, position);
	assert_memory_equal(got, want, length);
	free(got);
	free(want);
}

static void an_ack_waits_40_ms(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	at(0);
	rx(ACK, .len = 100);
	expect_silence(39);
	expect_tx(ACK, .ack = 101, .at = 40, .within = 5);
	read_pattern(fx, s, 0, 100);
	fx_close(fx);
}

/* The peer's next eight segments are read in one go. */
static void rx_batch(struct fixture *fx)
{
	fx->batched = true;
	for (int i = 0; i < 8; i++)
		rx(ACK, .len = MSS);
	fx->batched = false;
	fx_run(fx);
}

static void one_ack_serves_a_batch_but_where_segments_were_lost(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected_sack(fx);
	uint32_t next = 1 + 9 * MSS;

	(void)state;
	/* Joined, they are one. */
	assert_int_equal(strata_option_set(fx->stack, "stack.gro", "false", NULL), 0);
	rx(ACK, .len = MSS);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_QUICKACK, 0);
	fx_advance(fx, 100);
	fx_discard(fx);
	rx_batch(fx);
	expect_tx(ACK, .ack = next);
	expect_silence(0);
	/* A hole, and its repair. */
	rx(ACK, .seq = next + MSS, .len = MSS);
	expect_tx(ACK, .ack = next);
	rx(ACK, .seq = next, .len = MSS);
	next += 2 * MSS;
	expect_tx(ACK, .ack = next);
	fx->conn.peer_nxt = next;
	rx_batch(fx);
	for (uint32_t i = 1; i <= 4; i++)
		expect_tx(ACK, .ack = next + i * 2 * MSS);
	expect_silence(0);
	fx_close(fx);
}

static void the_first_segments_are_acknowledged_at_once(void **state)
{
	struct fixture *fx = fx_open();
	unsigned int i;

	(void)state;
	accept_one(listen_on(80), .mss = MSS);
	for (i = 0; i < 16; i++) {
		rx(ACK, .len = 10);
		expect_tx(ACK, .ack = 11 + 10 * i);
	}
	rx(ACK, .len = 10);
	expect_silence(39);
	expect_tx(ACK, .within = 2);
	fx_close(fx);
}

static void two_full_segments_are_acknowledged_at_once(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	connected(fx);
	rx(ACK, .len = MSS);
	expect_silence(0);
	rx(ACK, .len = MSS);
	expect_tx(ACK, .ack = 1 + 2 * MSS);
	fx_close(fx);
}

static void a_segment_above_the_mss_is_acknowledged_at_once(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	connected(fx);
	rx(ACK, .len = 2 * MSS);
	expect_tx(ACK, .ack = 1 + 2 * MSS);
	expect_silence(100);
	fx_close(fx);
}

static void an_ack_rides_on_an_answer(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	rx(ACK, .text = "ping");
	expect_silence(10);
	fx_send(fx, s, "pong", 4);
	expect_tx(ACK, .ack = 5, .text = "pong");
	expect_silence(100);
	fx_close(fx);
}

static void a_fin_is_acknowledged_at_once(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	connected(fx);
	rx(FIN | ACK, .len = 10);
	expect_tx(ACK, .ack = 12);
	fx_close(fx);
}

static void a_segment_that_overlaps_is_trimmed(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	rx(ACK, .len = 100);
	rx(ACK, .seq = 51, .len = 100);
	expect_tx(ACK, .ack = 151);
	read_pattern(fx, s, 0, 150);
	fx_close(fx);
}

static void old_data_is_acknowledged_again_at_once_each_time(void **state)
{
	struct fixture *fx = fx_open();
	unsigned int i;

	(void)state;
	connected(fx);
	rx(ACK, .len = 100);
	expect_tx(ACK, .within = 50);
	for (i = 0; i < 5; i++) {
		rx(ACK, .seq = 1, .len = 100);
		expect_drop("tcp", "DUPLICATE");
		expect_tx(ACK, .ack = 101);
	}
	fx_close(fx);
}

static void acks_of_what_lies_beyond_the_window_are_limited(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	connected(fx);
	at(0);
	rx(ACK, .seq = 1 + 100000, .len = 10);
	expect_tx(ACK, .ack = 1);
	rx(ACK, .seq = 1 + 100000, .len = 10);
	rx(SYN, .seq = 1 + 100000);
	rx(ACK, .seq = 1 + 100000);
	expect_silence(499);
	at(500);
	rx(SYN, .seq = 1 + 100000);
	expect_tx(ACK, .ack = 1);
	fx_close(fx);
}

static void a_reset_must_hit_the_exact_number(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char c;

	(void)state;
	rx(RST, .seq = 2);
	expect_drop("tcp", "RST_CHALLENGED");
	expect_tx(ACK, .seq = 1, .ack = 1);
	rx(RST, .seq = 0);
	expect_drop("tcp", "RST_OUT_OF_WINDOW");
	rx(RST, .seq = 70000);
	expect_drop("tcp", "RST_OUT_OF_WINDOW");
	expect_silence(0);
	rx(RST, .seq = 1);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
	assert_int_equal(fx_recv(fx, s, &c, 1), -ECONNRESET);
	assert_int_equal(fx_recv(fx, s, &c, 1), 0);
	assert_int_equal(fx_send(fx, s, "x", 1), -EPIPE);
	fx_close(fx);
}

static void data_before_a_reset_can_still_be_read(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char c;

	(void)state;
	rx(ACK, .len = 100);
	rx(RST, .seq = 101);
	read_pattern(fx, s, 0, 100);
	assert_int_equal(fx_recv(fx, s, &c, 1), -ECONNRESET);
	fx_close(fx);
}

static void a_syn_on_a_connection_is_challenged(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	connected(fx);
	rx(SYN, .seq = 1);
	expect_drop("tcp", "SYN_IN_WINDOW");
	expect_tx(ACK, .seq = 1, .ack = 1);
	at(1000);
	rx(SYN | ACK, .seq = 0);
	expect_tx(ACK, .seq = 1, .ack = 1);
	fx_close(fx);
}

static void an_ack_of_what_was_never_sent_is_challenged(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	connected(fx);
	rx(ACK, .ack = 2, .len = 10);
	expect_drop("tcp", "BAD_ACK");
	expect_tx(ACK, .seq = 1, .ack = 1);
	at(1000);
	rx(ACK, .seq = 1, .ack = 1 - 70000, .len = 10);
	expect_drop("tcp", "BAD_ACK");
	expect_tx(ACK, .ack = 1);
	/* Within the largest window it is just old, and the data is taken. */
	rx(ACK, .seq = 1, .ack = 0, .len = 10);
	expect_tx(ACK, .ack = 11, .within = 50);
	fx_close(fx);
}

static void a_segment_without_ack_changes_nothing(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char c;

	(void)state;
	rx(0, .len = 10);
	expect_drop("tcp", "NO_ACK");
	rx(FIN, .len = 10, .seq = 1);
	expect_drop("tcp", "NO_ACK");
	expect_silence(100);
	assert_int_equal(fx_recv(fx, s, &c, 1), -EAGAIN);
	fx_close(fx);
}

static void a_hole_is_filled_and_delivered_once_in_order(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char c;

	(void)state;
	rx(ACK, .seq = 101, .len = 100);
	expect_tx(ACK, .ack = 1);
	rx(ACK, .seq = 301, .len = 100);
	expect_tx(ACK, .ack = 1);
	assert_int_equal(fx_recv(fx, s, &c, 1), -EAGAIN);
	rx(ACK, .seq = 1, .len = 100);
	expect_tx(ACK, .ack = 201);
	rx(ACK, .seq = 151, .len = 200);
	expect_tx(ACK, .ack = 401);
	read_pattern(fx, s, 0, 400);
	fx_close(fx);
}

static void the_first_copy_of_a_byte_wins(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char buf[64];

	(void)state;
	rx(ACK, .seq = 5, .text = "EFGH");
	expect_tx(ACK, .ack = 1);
	rx(ACK, .seq = 3, .text = "cdefghij");
	expect_tx(ACK, .ack = 1);
	rx(ACK, .seq = 1, .text = "1234567890");
	expect_tx(ACK, .ack = 11);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 10);
	assert_memory_equal(buf, "12cdEFGHij", 10);
	fx_close(fx);
}

static void every_overlap_of_three_segments_delivers_the_stream(void **state)
{
	struct fixture *fx = fx_open();
	unsigned int i, a, b;

	(void)state;
	listen_on(80);
	for (i = 0; i < 144; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(20000 + i), .stack_port = 80,
					.peer_isn = 0u - 10u - i };
		int s;

		rx(SYN, .mss = MSS, .conn = &conn);
		expect_tx(SYN | ACK, .conn = &conn);
		rx(ACK, .conn = &conn);
		s = fx_accept(fx, 0);
		a = i % 12 + 1;
		b = i / 12 + 1;
		rx(ACK, .seq = 1 + a, .len = 9, .conn = &conn);
		rx(ACK, .seq = 1 + b, .len = 7, .conn = &conn);
		rx(ACK, .seq = 1 + 6, .len = 18, .conn = &conn);
		rx(ACK, .seq = 1, .len = 12, .conn = &conn);
		read_pattern(fx, s, 0, 24);
		fx_discard(fx);
		fx_close_socket(fx, s);
		fx_discard(fx);
	}
	fx_close(fx);
}

static void sack_blocks_are_those_of_rfc_2018(void **state)
{
	struct fixture *fx = fx_open();
	unsigned int i;

	(void)state;
	connected_sack(fx);
	/* Section 7, case 1: the first four segments of eight of 500 bytes arrive, the last four do not. */
	for (i = 0; i < 4; i++)
		rx(ACK, .seq = 5000 + 500 * i - 4999, .len = 500);
	fx_discard(fx);
	/* Case 2: the first is lost, the others arrive. */
	for (i = 1; i < 8; i++) {
		rx(ACK, .seq = 2001 + 500 * i, .len = 500);
		expect_tx(ACK, .ack = 2001, .sack = { { 2501, 3001 + 500 * (i - 1) } });
	}
	rx(ACK, .seq = 2001, .len = 500);
	expect_tx(ACK, .ack = 6001, .no_sack = true);
	/* Case 3: the second, fourth, sixth and eighth are lost. */
	rx(ACK, .seq = 6001, .len = 500);
	expect_tx(ACK, .ack = 6501, .no_sack = true);
	rx(ACK, .seq = 7001, .len = 500);
	expect_tx(ACK, .ack = 6501, .sack = { { 7001, 7501 } });
	rx(ACK, .seq = 8001, .len = 500);
	expect_tx(ACK, .ack = 6501, .sack = { { 8001, 8501 }, { 7001, 7501 } });
	rx(ACK, .seq = 9001, .len = 500);
	expect_tx(ACK, .ack = 6501, .sack = { { 9001, 9501 }, { 8001, 8501 }, { 7001, 7501 } });
	/* The fourth comes late. */
	rx(ACK, .seq = 7501, .len = 500);
	expect_tx(ACK, .ack = 6501, .sack = { { 7001, 8501 }, { 9001, 9501 } });
	rx(ACK, .seq = 6501, .len = 500);
	expect_tx(ACK, .ack = 8501, .sack = { { 9001, 9501 } });
	fx_close(fx);
}

static void duplicates_are_reported_by_dsack(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	connected_sack(fx);
	rx(ACK, .seq = 1, .len = 500);
	expect_tx(ACK, .ack = 501);
	/* RFC 2883 4.1.1: below the ACK */
	rx(ACK, .seq = 1, .len = 500);
	expect_tx(ACK, .ack = 501, .sack = { { 1, 501 } });
	rx(ACK, .seq = 1001, .len = 500);
	expect_tx(ACK, .ack = 501, .sack = { { 1001, 1501 } });
	/* 4.1.3: above the hole, contained in the second block */
	rx(ACK, .seq = 1001, .len = 500);
	expect_tx(ACK, .ack = 501, .sack = { { 1001, 1501 }, { 1001, 1501 } });
	rx(ACK, .seq = 501, .len = 500);
	expect_tx(ACK, .ack = 1501, .no_sack = true);
	fx_close(fx);
}

static void paws_drops_old_stamps_and_no_stray_segment_sets_them(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	accept_one(listen_on(80), .mss = MSS, .ts = true, .tsval = 1000);
	rx(ACK, .len = 10, .tsval = 1010);
	expect_tx(ACK, .ack = 11, .tsecr = 1010);
	rx(ACK, .len = 10, .tsval = 1009);
	expect_drop("tcp", "OLD_TIMESTAMP");
	expect_tx(ACK, .ack = 11, .tsecr = 1010);
	/* Out of the window, or with an ACK that cannot be: TS.Recent stays. */
	rx(ACK, .seq = 100000, .len = 10, .tsval = 5000);
	expect_tx(ACK, .tsecr = 1010);
	at(2000);
	rx(ACK, .seq = 11, .ack = 100, .len = 10, .tsval = 5000);
	expect_tx(ACK, .tsecr = 1010);
	/* Beyond a hole: RFC 7323 4.3 keeps the stamp of the last in-order segment. */
	rx(ACK, .seq = 21, .len = 10, .tsval = 1020);
	expect_tx(ACK, .ack = 11, .tsecr = 1010);
	rx(ACK, .seq = 11, .len = 10, .tsval = 1030);
	expect_tx(ACK, .ack = 31, .tsecr = 1030);
	fx_close(fx);
}

static void all_orders_of_data_and_fins_deliver_once(void **state)
{
	/* Data [1,11), data [11,21) with FIN, FIN alone at 21, data beyond the FIN [22,32). */
	static const struct { int64_t seq, len; uint8_t flags; } part[] = {
		{ 1, 10, ACK }, { 11, 10, FIN | ACK }, { 21, 0, FIN | ACK }, { 22, 10, ACK },
	};
	struct fixture *fx = fx_open();
	unsigned int order, i, n;
	char c;

	(void)state;
	listen_on(80);
	for (order = 0; order < 256; order++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(20000 + order), .stack_port = 80 };
		unsigned int seen = 0;
		int s;

		for (i = 0; i < 4; i++)
			seen |= 1u << (order >> 2 * i & 3);
		if (seen != 15)
			continue;
		rx(SYN, .mss = MSS, .conn = &conn);
		expect_tx(SYN | ACK, .conn = &conn);
		rx(ACK, .conn = &conn);
		s = fx_accept(fx, 0);
		for (i = 0; i < 4; i++) {
			n = order >> 2 * i & 3;
			rx(part[n].flags, .seq = part[n].seq, .len = part[n].len, .conn = &conn);
		}
		read_pattern(fx, s, 0, 20);
		assert_int_equal(fx_recv(fx, s, &c, 1), 0);
		fx_discard(fx);
		fx_close_socket(fx, s);
		expect_tx(FIN | ACK, .ack = 22, .conn = &conn);
		fx_discard(fx);
	}
	fx_close(fx);
}

static void the_window_closes_and_opens_without_ever_shrinking(void **state)
{
	struct fixture *fx = fx_open();
	const struct fx_pkt *pkt;
	uint32_t edge = 0, at_once, sent = 1;
	int listener = listen_on(80), s;
	char *buf = malloc(1 << 20);

	(void)state;
	fx_setsockopt(fx, listener, SOL_SOCKET, SO_RCVBUF, 16384);
	s = accept_one(listener, .mss = MSS, .wscale = 0);
	for (;;) {
		rx(ACK, .seq = sent, .len = 1000);
		pkt = expect_tx(ACK, .within = 50);
		assert_true((int32_t)(pkt->tcp.ack + pkt->tcp.win - edge) >= 0 || edge == 0);
		edge = pkt->tcp.ack + pkt->tcp.win;
		sent = pkt->tcp.ack - fx->conn.peer_isn;
		if (pkt->tcp.win == 0)
			break;
	}
	assert_true(sent > 10000);
	/* RFC 9293: with a window of zero data is refused, an ACK is taken. */
	at(1000);
	rx(ACK, .seq = sent, .len = 1);
	expect_tx(ACK, .ack = sent, .win = 0);
	/* A little room is not told of. */
	at_once = 100;
	assert_int_equal(fx_recv(fx, s, buf, at_once), at_once);
	expect_silence(100);
	assert_int_equal(fx_recv(fx, s, buf, 1 << 20), sent - 1 - at_once);
	pkt = expect_tx(ACK, .ack = sent);
	assert_true(pkt->tcp.win >= MSS);
	free(buf);
	fx_close(fx);
}

static void what_lies_beyond_the_window_is_cut_off_with_its_fin(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s;
	char *buf = malloc(1 << 17);

	(void)state;
	fx_setsockopt(fx, listener, SOL_SOCKET, SO_RCVBUF, 4096);
	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK, .win = 4096);
	rx(ACK);
	s = fx_accept(fx, listener);
	rx(ACK | FIN, .len = 5000);
	expect_tx(ACK, .ack = 1 + 4096);
	assert_int_equal(fx_recv(fx, s, buf, 1 << 17), 4096);
	assert_int_equal(fx_recv(fx, s, buf, 1 << 17), -EAGAIN);
	free(buf);
	fx_close(fx);
}

static void ranges_out_of_order_are_limited(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.out_of_order_ranges=4");
	unsigned int i;

	(void)state;
	connected_sack(fx);
	for (i = 0; i < 6; i++)
		rx(ACK, .seq = 11 + 20 * i, .len = 10);
	fx_discard(fx);
	rx(ACK, .seq = 1, .len = 10);
	expect_tx(ACK, .ack = 21);
	fx_close(fx);
}

static void single_bytes_out_of_order_cannot_use_up_memory(void **state)
{
	struct fixture *fx = fx_open();
	size_t before;
	unsigned int i;

	(void)state;
	connected_sack(fx);
	before = fx->bytes;
	for (i = 0; i < 20000; i++)
		rx(ACK, .seq = 3 + 2 * (i % 15000), .len = 1);
	fx_discard(fx);
	assert_true(fx->bytes - before < 1 << 20);
	rx(ACK, .seq = 1, .len = 2);
	expect_tx(ACK, .ack = 4);
	fx_close(fx);
}

static void after_shut_rd_data_is_acknowledged_and_thrown_away(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char c;

	(void)state;
	rx(ACK, .len = 10);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_RD), 0);
	assert_int_equal(fx_recv(fx, s, &c, 1), 0);
	rx(ACK, .len = 10);
	expect_tx(ACK, .ack = 21, .within = 50);
	assert_int_equal(fx_recv(fx, s, &c, 1), 0);
	assert_int_equal(fx_send(fx, s, "x", 1), 1);
	expect_tx(ACK, .text = "x");
	fx_close(fx);
}

static void urgent_pointers_break_nothing(void **state)
{
	static const uint16_t urgent[] = { 0, 1, 5, 10, 11, 1000, 65535 };
	struct fixture *fx = fx_open();
	int s = connected(fx);
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(urgent); i++)
		rx(ACK | URG, .len = 10, .urg = urgent[i]);
	fx_discard(fx);
	read_pattern(fx, s, 0, 10 * STRATA_COUNT(urgent));
	fx_close(fx);
}

static void sequence_numbers_may_wrap_anywhere(void **state)
{
	struct fixture *fx = fx_open();
	unsigned int i, n;

	(void)state;
	listen_on(80);
	for (i = 0; i < 70; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(20000 + i), .stack_port = 80,
					.peer_isn = 0u - i };
		int s;

		rx(SYN, .mss = MSS, .sack_ok = true, .conn = &conn);
		expect_tx(SYN | ACK, .conn = &conn);
		rx(ACK, .conn = &conn);
		s = fx_accept(fx, 0);
		rx(ACK, .seq = 41, .len = 10, .conn = &conn);
		expect_tx(ACK, .ack = 1, .sack = { { 41, 51 } }, .conn = &conn);
		for (n = 0; n < 4; n++)
			rx(ACK, .seq = 1 + 10 * n, .len = 10, .conn = &conn);
		fx_discard(fx);
		read_pattern(fx, s, 0, 50);
		rx(RST, .seq = 51, .conn = &conn);
		fx_close_socket(fx, s);
	}
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ack_waits_40_ms),
		cmocka_unit_test(the_first_segments_are_acknowledged_at_once),
		cmocka_unit_test(two_full_segments_are_acknowledged_at_once),
		cmocka_unit_test(a_segment_above_the_mss_is_acknowledged_at_once),
		cmocka_unit_test(an_ack_rides_on_an_answer),
		cmocka_unit_test(a_fin_is_acknowledged_at_once),
		cmocka_unit_test(a_segment_that_overlaps_is_trimmed),
		cmocka_unit_test(old_data_is_acknowledged_again_at_once_each_time),
		cmocka_unit_test(acks_of_what_lies_beyond_the_window_are_limited),
		cmocka_unit_test(a_reset_must_hit_the_exact_number),
		cmocka_unit_test(data_before_a_reset_can_still_be_read),
		cmocka_unit_test(a_syn_on_a_connection_is_challenged),
		cmocka_unit_test(an_ack_of_what_was_never_sent_is_challenged),
		cmocka_unit_test(a_segment_without_ack_changes_nothing),
		cmocka_unit_test(a_hole_is_filled_and_delivered_once_in_order),
		cmocka_unit_test(the_first_copy_of_a_byte_wins),
		cmocka_unit_test(every_overlap_of_three_segments_delivers_the_stream),
		cmocka_unit_test(sack_blocks_are_those_of_rfc_2018),
		cmocka_unit_test(duplicates_are_reported_by_dsack),
		cmocka_unit_test(paws_drops_old_stamps_and_no_stray_segment_sets_them),
		cmocka_unit_test(all_orders_of_data_and_fins_deliver_once),
		cmocka_unit_test(the_window_closes_and_opens_without_ever_shrinking),
		cmocka_unit_test(what_lies_beyond_the_window_is_cut_off_with_its_fin),
		cmocka_unit_test(ranges_out_of_order_are_limited),
		cmocka_unit_test(single_bytes_out_of_order_cannot_use_up_memory),
		cmocka_unit_test(one_ack_serves_a_batch_but_where_segments_were_lost),
		cmocka_unit_test(after_shut_rd_data_is_acknowledged_and_thrown_away),
		cmocka_unit_test(urgent_pointers_break_nothing),
		cmocka_unit_test(sequence_numbers_may_wrap_anywhere),
	};

	return fx_main(tests);
}
