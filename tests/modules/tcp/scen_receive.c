/* SPDX-License-Identifier: BSD-2-Clause */
/* Data that is taken: in order and out of it, at the window's edge, with FINs and urgent pointers (RFC 9293
 * 3.8.5, 3.8.6, 3.10.7.4 from the sixth on; RFC 2018, RFC 2883). */
#include "states.h"

static int with_sack(struct fixture *fx)
{
	return accept_one(listen_on(80), .mss = MSS, .sack_ok = true);
}

/* A connection whose receive buffer is of `size` bytes: half of them are offered. */
static int with_buffer(struct fixture *fx, int size)
{
	int listener = listen_on(80);

	fx_setsockopt(fx, listener, SOL_SOCKET, SO_RCVBUF, size);
	return accept_one(listener, .mss = MSS);
}

/* The window that the stack offers now, asked for by a keepalive. */
static int64_t window_of(struct fixture *fx)
{
	fx_discard(fx);
	rx(ACK, .seq = (int64_t)fx->conn.peer_nxt - 1, .len = 1);
	return expect_tx(ACK)->tcp.win;
}

/* Fills the window with segments of `size` bytes; returns how many bytes it took. */
static int64_t fill(struct fixture *fx, int64_t size)
{
	const struct fx_pkt *pkt;
	int64_t sent = 0;

	do {
		rx(ACK, .seq = 1 + sent, .len = size);
		pkt = expect_tx(ACK, .within = 50);
		sent = (uint32_t)(pkt->tcp.ack - fx->conn.peer_isn) - 1;
	} while (pkt->tcp.win != 0);
	fx->conn.peer_nxt = (uint32_t)sent + 1;
	return sent;
}

/* ---- 23: partly beyond the window ---- */

struct tail {
	const char *name;
	int64_t beyond;
	uint8_t flags;
	bool finished;
};

static const struct tail tails[] = {
	{ "to the last byte", 0, ACK, false },
	{ "one byte beyond", 1, ACK, false },
	{ "one byte beyond, with a FIN", 1, FIN | ACK, false },
	{ "500 bytes beyond, with a FIN", 500, FIN | ACK, false },
	{ "the FIN alone is beyond", 0, FIN | ACK, false },
	{ "the FIN is the last that is offered", -1, FIN | ACK, true },
};

static void what_lies_beyond_the_window_is_cut_off(struct fixture *fx, const void *row)
{
	const struct tail *tail = row;
	int64_t window;
	int s;

	listen_on(80);
	fx_setsockopt(fx, 0, SOL_SOCKET, SO_RCVBUF, 4096);
	rx(SYN, .mss = 9000);
	window = expect_tx(SYN | ACK)->tcp.win;
	rx(ACK);
	s = fx_accept(fx, 0);
	rx(tail->flags, .seq = 1, .len = window + tail->beyond);
	expect_tx(ACK, .ack = 1 + window, .within = 50);
	app_reads(s, 0, (size_t)(tail->finished ? window - 1 : window));
	expect_read(s, tail->finished ? 0 : -EAGAIN);
}

static void what_was_cut_off_is_taken_when_it_comes_again(struct fixture *fx)
{
	int s = with_buffer(fx, 4096);
	int64_t window = 4096;

	rx(FIN | ACK, .seq = 1, .len = window + 100);
	expect_tx(ACK, .ack = 1 + window, .within = 50);
	app_reads(s, 0, (size_t)window);
	expect_tx(ACK, .ack = 1 + window);
	rx(FIN | ACK, .seq = 1 + window, .len = 100);
	expect_tx(ACK, .ack = 1 + window + 101);
	app_reads(s, (uint64_t)window, 100);
	expect_read(s, 0);
}

/* ---- 31: FIN in every order ---- */

static void a_fin_alone_out_of_order_waits(struct fixture *fx)
{
	int s = tcp_connected(fx);

	rx(FIN | ACK, .seq = 101);
	expect_tx(ACK, .ack = 1);
	assert_int_equal(tcp_state_of(fx, s), TCP_ESTABLISHED);
	rx(ACK, .seq = 1, .len = 100);
	expect_tx(ACK, .ack = 102);
	app_reads(s, 0, 100);
	expect_read(s, 0);
	assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE_WAIT);
}

static void a_fin_is_taken_in_when_the_hole_before_it_is_filled(struct fixture *fx)
{
	int s = tcp_connected(fx);

	rx(FIN | ACK, .seq = 101, .len = 100);
	expect_tx(ACK, .ack = 1);
	rx(FIN | ACK, .seq = 101, .len = 100);
	expect_tx(ACK, .ack = 1);
	rx(ACK, .seq = 1, .len = 50);
	expect_tx(ACK, .ack = 51);
	rx(ACK, .seq = 51, .len = 50);
	expect_tx(ACK, .ack = 202);
	app_reads(s, 0, 200);
	expect_read(s, 0);
}

static void data_after_the_fin_is_not_taken(struct fixture *fx)
{
	int s = tcp_connected(fx);

	rx(FIN | ACK, .len = 10);
	expect_tx(ACK, .ack = 12);
	rx(ACK, .seq = 12, .len = 10);
	fx_discard(fx);
	app_reads(s, 0, 10);
	expect_read(s, 0);
	/* RFC 9293 3.10.7.4, seventh: CLOSE-WAIT ignores the text. */
	rx(ACK, .seq = 1, .len = 1);
	expect_tx(ACK, .ack = 12);
}

static void a_second_fin_is_acknowledged_and_changes_nothing(struct fixture *fx)
{
	int s = tcp_connected(fx);
	unsigned int i;

	rx(FIN | ACK);
	expect_tx(ACK, .ack = 2);
	for (i = 0; i < 3; i++) {
		rx(FIN | ACK, .seq = 1);
		expect_tx(ACK, .ack = 2);
	}
	assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE_WAIT);
	app_sends(s, 0, 10);
	expect_tx(ACK, .seq = 1, .len = 10);
}

static void two_fins_at_different_numbers_end_the_stream_at_the_first_heard(struct fixture *fx)
{
	int s = tcp_connected(fx);

	rx(FIN | ACK, .seq = 51);
	expect_tx(ACK, .ack = 1);
	rx(FIN | ACK, .seq = 101);
	fx_discard(fx);
	rx(ACK, .seq = 1, .len = 50);
	expect_tx(ACK, .ack = 52);
	app_reads(s, 0, 50);
	expect_read(s, 0);
}

struct order {
	const char *name;
	unsigned int parts[4];
};

/* 0: [1, 11). 1: [11, 21) with FIN. 2: FIN alone at 21. 3: [22, 32), beyond the FIN. */
static const struct order orders[] = {
	{ "data, FIN with data, FIN, data beyond", { 0, 1, 2, 3 } },
	{ "data, FIN with data, data beyond, FIN", { 0, 1, 3, 2 } },
	{ "data, FIN, FIN with data, data beyond", { 0, 2, 1, 3 } },
	{ "data, FIN, data beyond, FIN with data", { 0, 2, 3, 1 } },
	{ "data, data beyond, FIN with data, FIN", { 0, 3, 1, 2 } },
	{ "data, data beyond, FIN, FIN with data", { 0, 3, 2, 1 } },
	{ "FIN with data, data, FIN, data beyond", { 1, 0, 2, 3 } },
	{ "FIN with data, FIN, data, data beyond", { 1, 2, 0, 3 } },
	{ "FIN with data, FIN, data beyond, data", { 1, 2, 3, 0 } },
	{ "FIN with data, data beyond, FIN, data", { 1, 3, 2, 0 } },
	{ "FIN, data, FIN with data, data beyond", { 2, 0, 1, 3 } },
	{ "FIN, FIN with data, data, data beyond", { 2, 1, 0, 3 } },
	{ "FIN, data beyond, FIN with data, data", { 2, 3, 1, 0 } },
	{ "data beyond, data, FIN with data, FIN", { 3, 0, 1, 2 } },
	{ "data beyond, FIN, FIN with data, data", { 3, 2, 1, 0 } },
	{ "data beyond, FIN with data, FIN, data", { 3, 1, 2, 0 } },
};

static void in_every_order_the_stream_ends_once(struct fixture *fx, const void *row)
{
	static const struct { int64_t seq, len; uint8_t flags; } part[] = {
		{ 1, 10, ACK }, { 11, 10, FIN | ACK }, { 21, 0, FIN | ACK }, { 22, 10, ACK },
	};
	const struct order *order = row;
	int s = with_sack(fx);
	unsigned int i, n;

	for (i = 0; i < 4; i++) {
		n = order->parts[i];
		rx(part[n].flags, .seq = part[n].seq, .len = part[n].len);
	}
	app_reads(s, 0, 20);
	expect_read(s, 0);
	assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE_WAIT);
	fx_discard(fx);
	/* Nothing is left in the queue: the last ACK reports no block. */
	rx(FIN | ACK, .seq = 21);
	expect_tx(ACK, .ack = 22, .no_sack = true);
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .ack = 22);
}

/* ---- 32: data before a hole ---- */

struct ending {
	const char *name;
	uint8_t flags;
	ssize_t after;
};

static const struct ending endings[] = {
	{ "a RST", RST, -ECONNRESET }, { "a FIN", FIN | ACK, 0 },
};

static void data_before_a_hole_is_read_after(struct fixture *fx, const void *row)
{
	const struct ending *ending = row;
	int s = tcp_connected(fx);

	rx(ACK, .seq = 1, .len = 100);
	rx(ACK, .seq = 201, .len = 100);
	fx_discard(fx);
	rx(ending->flags, .seq = 101);
	fx_discard(fx);
	app_reads(s, 0, 100);
	expect_read(s, ending->after);
	expect_read(s, 0);
}

static void a_hole_filled_piece_by_piece_delivers_each_piece(struct fixture *fx)
{
	int s = with_sack(fx);

	rx(ACK, .seq = 401, .len = 100);
	expect_tx(ACK, .ack = 1, .sack = { { 401, 501 } });
	rx(ACK, .seq = 1, .len = 100);
	expect_tx(ACK, .ack = 101, .sack = { { 401, 501 } });
	app_reads(s, 0, 100);
	rx(ACK, .seq = 201, .len = 100);
	expect_tx(ACK, .ack = 101, .sack = { { 201, 301 }, { 401, 501 } });
	rx(ACK, .seq = 101, .len = 100);
	expect_tx(ACK, .ack = 301, .sack = { { 401, 501 } });
	app_reads(s, 100, 200);
	rx(ACK, .seq = 301, .len = 100);
	expect_tx(ACK, .ack = 501, .no_sack = true);
	app_reads(s, 300, 200);
}

static void one_segment_fills_many_holes(struct fixture *fx)
{
	int s = with_sack(fx);
	unsigned int i;

	for (i = 1; i < 20; i += 2)
		rx(ACK, .seq = 1 + 10 * i, .len = 10);
	fx_discard(fx);
	rx(ACK, .seq = 1, .len = 200);
	/* The first of what came twice is reported (RFC 2883 4.2.3). */
	expect_tx(ACK, .ack = 201, .sack = { { 11, 21 } });
	app_reads(s, 0, 200);
}

static void closing_with_only_data_out_of_order_is_orderly(struct fixture *fx)
{
	int s = tcp_connected(fx);

	/* As Linux: what cannot be read yet is not unread. */
	rx(ACK, .seq = 101, .len = 100);
	expect_tx(ACK, .ack = 1);
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 1);
}

/* ---- 33: SACK and DSACK ---- */

struct reports {
	const char *name;
	struct { int64_t seq, len; } before[3], duplicate;
	int64_t ack;
	struct { uint32_t left, right; } block, second;
};

/* RFC 2883 4.1 to 4.3, with numbers that start at 1. */
static const struct reports duplicates[] = {
	{ "a segment below the ACK", { { 1, 500 } }, { 1, 500 }, 501, { 1, 501 }, { 0, 0 } },
	{ "a segment below the ACK, a hole above", { { 1, 500 }, { 1001, 500 } }, { 1, 500 }, 501,
	  { 1, 501 }, { 1001, 1501 } },
	{ "a segment above a hole", { { 1, 500 }, { 1001, 500 } }, { 1001, 500 }, 501, { 1001, 1501 },
	  { 1001, 1501 } },
	{ "a part of a block", { { 1, 500 }, { 1001, 500 }, { 1501, 500 } }, { 1501, 500 }, 501,
	  { 1501, 2001 }, { 1001, 2001 } },
	{ "half old, half new", { { 1, 500 } }, { 251, 500 }, 751, { 251, 501 }, { 0, 0 } },
};

static void a_duplicate_is_reported(struct fixture *fx, const void *row)
{
	const struct reports *r = row;
	const struct fx_pkt *pkt;
	unsigned int i;

	with_sack(fx);
	for (i = 0; i < 3 && r->before[i].len != 0; i++)
		rx(ACK, .seq = r->before[i].seq, .len = r->before[i].len);
	fx_discard(fx);
	rx(ACK, .seq = r->duplicate.seq, .len = r->duplicate.len);
	pkt = expect_tx(ACK, .ack = r->ack);
	assert_int_equal(pkt->tcp.sacks, r->second.right != 0 ? 2 : 1);
	assert_int_equal(pkt->tcp.sack[0].left - fx->conn.peer_isn, r->block.left);
	assert_int_equal(pkt->tcp.sack[0].right - fx->conn.peer_isn, r->block.right);
	if (r->second.right != 0) {
		assert_int_equal(pkt->tcp.sack[1].left - fx->conn.peer_isn, r->second.left);
		assert_int_equal(pkt->tcp.sack[1].right - fx->conn.peer_isn, r->second.right);
	}
	/* Once only (RFC 2883 4). */
	rx(ACK, .seq = 100001, .ack = 1);
	pkt = expect_tx(ACK, .ack = r->ack, .within = 600);
	assert_int_equal(pkt->tcp.sacks, r->second.right != 0 ? 1 : 0);
}

static void no_duplicate_is_reported_where_it_is_turned_off(struct fixture *fx)
{
	with_sack(fx);
	rx(ACK, .seq = 1, .len = 500);
	expect_tx(ACK, .ack = 501);
	rx(ACK, .seq = 1, .len = 500);
	expect_tx(ACK, .ack = 501, .no_sack = true);
	rx(ACK, .seq = 1001, .len = 500);
	expect_tx(ACK, .ack = 501, .sack = { { 1001, 1501 } });
	rx(ACK, .seq = 1001, .len = 500);
	expect_tx(ACK, .ack = 501, .sack = { { 1001, 1501 } });
}

static void without_sack_no_block_is_sent(struct fixture *fx)
{
	listen_on(80);
	rx(SYN, .mss = MSS, .sack_ok = true);
	assert_false(expect_tx(SYN | ACK)->tcp.sack_ok);
	rx(ACK);
	rx(ACK, .seq = 101, .len = 100);
	expect_tx(ACK, .ack = 1, .no_sack = true);
	rx(ACK, .seq = 101, .len = 100);
	expect_tx(ACK, .ack = 1, .no_sack = true);
}

struct blocks {
	const char *name;
	bool ts;
	unsigned int most;
};

static const struct blocks blocks[] = {
	{ "four", false, 4 }, { "three beside a time stamp", true, 3 },
};

static void as_many_blocks_are_sent_as_there_is_room_for(struct fixture *fx, const void *row)
{
	const struct blocks *b = row;
	const struct fx_pkt *pkt = NULL;
	unsigned int i;

	accept_one(listen_on(80), .mss = MSS, .sack_ok = true, .ts = b->ts);
	for (i = 0; i < 6; i++) {
		rx(ACK, .seq = 101 + 200 * i, .len = 100);
		pkt = expect_tx(ACK, .ack = 1);
		assert_int_equal(pkt->tcp.sacks, i + 1 < b->most ? i + 1 : b->most);
		/* The latest is the first (RFC 2018 4). */
		assert_int_equal(pkt->tcp.sack[0].left - fx->conn.peer_isn, 101 + 200 * i);
		if (i > 0)
			assert_int_equal(pkt->tcp.sack[1].left - fx->conn.peer_isn, 101 + 200 * (i - 1));
	}
	/* Behind NOP NOP, so that the numbers lie at multiples of 4. */
	assert_memory_equal(pkt->tcp.options + (b->ts ? 12 : 0), "\x01\x01\x05", 3);
}

static void blocks_ride_on_data(struct fixture *fx)
{
	int s = with_sack(fx);

	rx(ACK, .seq = 101, .len = 100);
	expect_tx(ACK, .ack = 1, .sack = { { 101, 201 } });
	app_sends(s, 0, 10);
	expect_tx(ACK, .len = 10, .sack = { { 101, 201 } });
}

static void data_makes_room_for_blocks(struct fixture *fx)
{
	int s = with_sack(fx);

	rx(ACK, .seq = 101, .len = 100);
	expect_tx(ACK, .ack = 1, .sack = { { 101, 201 } });
	/* RFC 6691 3: options are taken off the segment. */
	app_sends(s, 0, 2000);
	expect_tx(ACK, .seq = 1, .len = MSS - 12, .sack = { { 101, 201 } });
}

/* ---- 34: the first copy wins ---- */

struct copies {
	const char *name;
	struct { int64_t seq; const char *text; } part[4];
	const char *result;
};

static const struct copies copies[] = {
	{ "the same bytes again", { { 3, "cd" }, { 3, "XX" }, { 1, "ab" } }, "abcd" },
	{ "overlap in front", { { 3, "cdef" }, { 2, "bXX" }, { 1, "a" } }, "abcdef" },
	{ "overlap behind", { { 3, "cdef" }, { 5, "XXgh" }, { 1, "ab" } }, "abcdefgh" },
	{ "inside", { { 2, "bcdef" }, { 3, "XX" }, { 1, "a" } }, "abcdef" },
	{ "around", { { 3, "cd" }, { 2, "bXXe" }, { 1, "a" } }, "abcde" },
	{ "across two runs", { { 2, "b" }, { 5, "e" }, { 2, "XcdXf" }, { 1, "a" } }, "abcdef" },
	{ "in order, over what waits", { { 3, "cd" }, { 1, "abXXef" } }, "abcdef" },
	{ "below what was received", { { 1, "abc" }, { 1, "XXXde" } }, "abcde" },
};

static void the_first_copy_of_each_byte_is_read(struct fixture *fx, const void *row)
{
	const struct copies *c = row;
	int s = tcp_connected(fx);
	char got[64];
	unsigned int i;

	for (i = 0; i < 4 && c->part[i].text != NULL; i++)
		rx(ACK, .seq = c->part[i].seq, .text = c->part[i].text);
	assert_int_equal(fx_recv(fx, s, got, sizeof(got)), strlen(c->result));
	assert_memory_equal(got, c->result, strlen(c->result));
}

/* ---- 35: limits of what waits out of order ---- */

static void at_the_cap_of_bytes_data_in_order_is_still_taken(struct fixture *fx)
{
	int s = with_buffer(fx, 8192);
	unsigned int i;

	/* All of the window but its first byte, in pieces that cost more than they hold. */
	for (i = 0; i < 400; i++)
		rx(ACK, .seq = 2 + 20 * i, .len = 10);
	fx_discard(fx);
	rx(ACK, .seq = 1, .len = 1);
	expect_tx(ACK);
	app_reads(s, 0, 11);
	/* Nothing is wrong with the rest: it comes again. */
	rx(ACK, .seq = 12, .len = 10);
	expect_tx(ACK);
	assert_true(fx_recv(fx, s, (char[64]){ 0 }, 10) == 10);
}

static void a_single_range_is_kept_where_the_option_says_so(struct fixture *fx)
{
	int s = with_sack(fx);

	rx(ACK, .seq = 101, .len = 100);
	expect_tx(ACK, .ack = 1, .sack = { { 101, 201 } });
	rx(ACK, .seq = 301, .len = 100);
	expect_drop("tcp", "OUT_OF_ORDER_LIMIT");
	expect_tx(ACK, .ack = 1, .sack = { { 101, 201 } });
	/* What touches it makes no other range. */
	rx(ACK, .seq = 201, .len = 50);
	expect_no_drop();
	expect_tx(ACK, .ack = 1, .sack = { { 101, 251 } });
	rx(ACK, .seq = 1, .len = 100);
	expect_tx(ACK, .ack = 251, .no_sack = true);
	app_reads(s, 0, 250);
}

/* ---- 36: sequence numbers wrap ---- */

struct wrap {
	const char *name;
	uint32_t isn;
};

static const struct wrap wraps[] = {
	{ "at the SYN", 0xffffffffu }, { "at the first byte", 0xfffffffeu },
	{ "within the first segment", 0xfffffff0u }, { "between two segments", 0xffffffffu - 100 },
	{ "in the hole", 0xffffffffu - 150 }, { "at the FIN", 0xffffffffu - 300 },
	{ "of the sign", 0x7fffffffu }, { "of the sign, in the hole", 0x7fffffffu - 150 },
	{ "of the window's edge", 0xffffffffu - 65535 },
};

static void numbers_wrap_without_notice(struct fixture *fx, const void *row)
{
	const struct wrap *wrap = row;
	int s;

	fx->conn.peer_isn = wrap->isn;
	s = with_sack(fx);
	rx(ACK, .seq = 1, .len = 100);
	expect_tx(ACK, .ack = 101);
	rx(ACK, .seq = 201, .len = 100);
	expect_tx(ACK, .ack = 101, .sack = { { 201, 301 } });
	rx(ACK, .seq = 65537 + 100, .len = 100);
	expect_tx(ACK, .ack = 101, .sack = { { 201, 301 } });
	rx(RST, .seq = 0);
	expect_drop("tcp", "RST_OUT_OF_WINDOW");
	rx(FIN | ACK, .seq = 101, .len = 200);
	expect_tx(ACK, .ack = 302, .sack = { { 201, 301 } });
	app_reads(s, 0, 300);
	expect_read(s, 0);
}

/* ---- 37, 38: the window ---- */

static void the_window_opens_by_a_segment_or_half_the_buffer(struct fixture *fx)
{
	int s = with_buffer(fx, 32768);
	int64_t sent = fill(fx, MSS);
	char byte;

	/* RFC 9293 3.8.6.2.2: a byte read, or a few, tell nothing. */
	assert_int_equal(fx_recv(fx, s, &byte, 1), 1);
	expect_silence(0);
	app_reads(s, 1, (size_t)sent - 1);
	assert_true(expect_tx(ACK, .ack = 1 + sent)->tcp.win >= MSS);
}

static void data_at_a_closed_window_is_refused_and_its_ack_taken(struct fixture *fx)
{
	int s = with_buffer(fx, 8192);
	int64_t sent = fill(fx, 512);

	app_sends(s, 0, 10);
	expect_tx(ACK, .len = 10);
	rx(ACK, .seq = 1 + sent, .len = 1, .ack = 11);
	expect_tx(ACK, .ack = 1 + sent, .win = 0, .within = 500);
	/* RFC 9293 3.10.7.4: "special allowance should be made to accept valid ACKs". */
	expect_silence(3000);
	app_reads(s, 0, (size_t)sent);
}

static void a_fin_at_a_closed_window_waits(struct fixture *fx)
{
	int s = with_buffer(fx, 8192);
	int64_t sent = fill(fx, 512);

	fx_advance(fx, 1000);
	rx(FIN | ACK, .seq = 1 + sent);
	fx_discard(fx);
	app_reads(s, 0, (size_t)sent);
	fx_discard(fx);
	rx(FIN | ACK, .seq = 1 + sent);
	expect_tx(ACK, .ack = 2 + sent);
	expect_read(s, 0);
}

static void a_small_buffer_takes_what_fits(struct fixture *fx)
{
	int listener = listen_on(80), s;
	int64_t window;

	fx_setsockopt(fx, listener, SOL_SOCKET, SO_RCVBUF, 4096);
	rx(SYN, .mss = MSS);
	/* Linux doubles what is asked for, and offers half of that. */
	window = expect_tx(SYN | ACK)->tcp.win;
	assert_in_range(window, 2048, 4096);
	rx(ACK);
	s = fx_accept(fx, listener);
	rx(ACK, .seq = 1, .len = 10000);
	expect_tx(ACK, .ack = 1 + window, .within = 50);
	app_reads(s, 0, (size_t)window);
	fx_discard(fx);
	/* What did not fit comes again. */
	rx(ACK, .seq = 1 + window, .len = 1000);
	expect_tx(ACK, .ack = 1001 + window, .within = 50);
	app_reads(s, (uint64_t)window, 1000);
}

static void the_right_edge_never_moves_left(struct fixture *fx)
{
	int s = with_buffer(fx, 16384);
	int64_t edge = 0, sent = 0, now;
	unsigned int i;
	uint8_t bytes[400];

	for (i = 0; i < 200; i++) {
		int64_t window = window_of(fx);

		now = sent + window;
		assert_true(now >= edge);
		edge = now;
		if (window >= 300) {
			rx(ACK, .seq = 1 + sent, .len = 300);
			sent += 300;
		}
		if (i % 3 == 2)
			fx_recv(fx, s, bytes, sizeof(bytes));
		fx_advance(fx, 7);
	}
	assert_true(sent > 16384);
}

/* ---- 39: SHUT_RD ---- */

static void a_fin_after_shut_rd_is_acknowledged(struct fixture *fx)
{
	int s = tcp_connected(fx);

	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_RD), 0);
	rx(FIN | ACK, .len = 100);
	expect_tx(ACK, .ack = 102);
	expect_read(s, 0);
	assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE_WAIT);
}

static void the_window_stays_open_after_shut_rd(struct fixture *fx)
{
	int s = with_buffer(fx, 8192);
	unsigned int i;

	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_RD), 0);
	for (i = 0; i < 100; i++) {
		rx(ACK, .len = 1000);
		expect_tx(ACK, .ack = 1001 + 1000 * i, .within = 50);
	}
}

static void a_close_after_shut_rd_is_orderly(struct fixture *fx)
{
	int s = tcp_connected(fx);

	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_RD), 0);
	rx(ACK, .len = 100);
	expect_tx(ACK, .ack = 101, .within = 50);
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 1, .ack = 101);
}

/* ---- 40: urgent data ---- */

struct urgent {
	const char *name;
	uint16_t pointer;
	uint8_t flags;
	int64_t seq, len;
};

static const struct urgent urgents[] = {
	{ "pointer 0", 0, ACK | URG, 1, 10 }, { "pointer 1", 1, ACK | URG, 1, 10 },
	{ "at the last byte", 10, ACK | URG, 1, 10 }, { "behind the segment", 11, ACK | URG, 1, 10 },
	{ "65535", 65535, ACK | URG, 1, 10 }, { "no data", 1, ACK | URG, 1, 0 },
	{ "pointer without URG", 5, ACK, 1, 10 }, { "with a FIN", 10, ACK | URG | FIN, 1, 10 },
	{ "out of order", 3, ACK | URG, 11, 10 }, { "old", 1, ACK | URG, -20, 10 },
};

static void an_urgent_pointer_changes_no_byte(struct fixture *fx, const void *row)
{
	const struct urgent *urgent = row;
	int s = tcp_connected(fx);
	char c;

	rx(urgent->flags, .seq = urgent->seq, .len = urgent->len, .urg = urgent->pointer);
	fx_discard(fx);
	/* There is no urgent mark to read at (RFC 6093 5). */
	assert_int_equal(strata_recv(fx->stack, s, &c, 1, MSG_OOB), -EINVAL);
	if ((urgent->flags & FIN) == 0) {
		rx(ACK, .seq = 1, .len = 30);
		expect_tx(ACK, .ack = 31, .within = 50);
	}
	app_reads(s, 0, urgent->flags & FIN ? 10 : 30);
}

static const struct fx_scenario scenarios[] = {
	SCENARIOS("23", what_lies_beyond_the_window_is_cut_off, tails),
	SCENARIO("23", what_was_cut_off_is_taken_when_it_comes_again),
	SCENARIO("31", a_fin_alone_out_of_order_waits),
	SCENARIO("31", a_fin_is_taken_in_when_the_hole_before_it_is_filled),
	SCENARIO("31", data_after_the_fin_is_not_taken),
	SCENARIO("31", a_second_fin_is_acknowledged_and_changes_nothing),
	SCENARIO("31", two_fins_at_different_numbers_end_the_stream_at_the_first_heard),
	SCENARIOS("31", in_every_order_the_stream_ends_once, orders),
	SCENARIOS("32", data_before_a_hole_is_read_after, endings),
	SCENARIO("32", a_hole_filled_piece_by_piece_delivers_each_piece),
	SCENARIO("32", one_segment_fills_many_holes),
	SCENARIO("32", closing_with_only_data_out_of_order_is_orderly),
	SCENARIOS("33", a_duplicate_is_reported, duplicates),
	SCENARIO("33", no_duplicate_is_reported_where_it_is_turned_off, .options = "tcp.dsack=false"),
	SCENARIO("33", without_sack_no_block_is_sent, .options = "tcp.sack=false"),
	SCENARIOS("33", as_many_blocks_are_sent_as_there_is_room_for, blocks),
	SCENARIO("33", blocks_ride_on_data),
	SCENARIO("33", data_makes_room_for_blocks),
	SCENARIOS("34", the_first_copy_of_each_byte_is_read, copies),
	SCENARIO("35", at_the_cap_of_bytes_data_in_order_is_still_taken),
	SCENARIO("35", a_single_range_is_kept_where_the_option_says_so,
		 .options = "tcp.out_of_order_ranges=1"),
	SCENARIOS("36", numbers_wrap_without_notice, wraps),
	SCENARIO("37", the_window_opens_by_a_segment_or_half_the_buffer),
	SCENARIO("37", data_at_a_closed_window_is_refused_and_its_ack_taken),
	SCENARIO("37", a_fin_at_a_closed_window_waits),
	SCENARIO("37", the_right_edge_never_moves_left),
	SCENARIO("38", a_small_buffer_takes_what_fits),
	SCENARIO("39", a_fin_after_shut_rd_is_acknowledged),
	SCENARIO("39", the_window_stays_open_after_shut_rd),
	SCENARIO("39", a_close_after_shut_rd_is_orderly),
	SCENARIOS("40", an_urgent_pointer_changes_no_byte, urgents),
};

int main(int argc, char **argv)
{
	return fx_play(argc, argv, scenarios);
}
