/* SPDX-License-Identifier: BSD-2-Clause */
/* Segments that must not be believed, in every state (RFC 9293 3.10.7.4, first to fifth; RFC 5961;
 * RFC 7323 5). */
#include "states.h"

/* The window that the stack offers, once for all: buffers of 131,072 bytes, half for overhead. */
enum { WINDOW = 65535 };

/* What the stack expects next, and has sent. */
static int64_t rcv_nxt(const struct fixture *fx)
{
	return fx->conn.peer_nxt;
}

static int64_t snd_nxt(const struct fixture *fx)
{
	return fx->conn.stack_nxt;
}

/* The right edge of the window offered: what the last segment said. */
static int64_t edge(const struct fixture *fx)
{
	return rcv_nxt(fx) + (rcv_nxt(fx) > 1 ? WINDOW - 1 : WINDOW);
}

struct state {
	const char *name;
	int state;
};

/* The synchronised ones but TIME-WAIT, which is no socket's. */
static const struct state states[] = {
	{ "ESTABLISHED", TCP_ESTABLISHED }, { "FIN-WAIT-1", TCP_FIN_WAIT1 },
	{ "FIN-WAIT-2", TCP_FIN_WAIT2 }, { "CLOSE-WAIT", TCP_CLOSE_WAIT },
	{ "CLOSING", TCP_CLOSING }, { "LAST-ACK", TCP_LAST_ACK },
};

/* ---- 21: trimming ---- */

struct overlap {
	const char *name;
	int64_t seq, len;
	uint8_t flags;
};

/* Bytes 1 to 100 have been received. */
static const struct overlap overlaps[] = {
	{ "by one byte", 100, 50, ACK }, { "by half", 51, 100, ACK }, { "by all but one", 1, 101, ACK },
	{ "by all, with a FIN behind it", 1, 100, FIN | ACK },
	{ "by half, with a FIN", 51, 100, FIN | ACK }, { "from before the SYN", -200, 400, ACK },
};

static void what_was_received_before_is_cut_off(struct fixture *fx, const void *row)
{
	const struct overlap *overlap = row;
	bool fin = (overlap->flags & FIN) != 0;
	int64_t end = overlap->seq + overlap->len;
	int s = tcp_connected_slow(fx);

	rx(ACK, .seq = 1, .len = 100);
	expect_tx(ACK, .ack = 101, .within = 50);
	rx(overlap->flags, .seq = overlap->seq, .len = overlap->len);
	expect_tx(ACK, .ack = end + fin);
	app_reads(s, 0, (size_t)end - 1);
	expect_read(s, fin ? 0 : -EAGAIN);
}

/* ---- 22: a header longer than the segment ---- */

struct offset {
	const char *name;
	int words;
	int64_t len;
};

static const struct offset too_long[] = {
	{ "6 words, no data", 6, 0 }, { "6 words, 3 bytes", 6, 3 }, { "7 words, 7 bytes", 7, 7 },
	{ "10 words, 19 bytes", 10, 19 }, { "14 words, 35 bytes", 14, 35 },
	{ "15 words, no data", 15, 0 }, { "15 words, one byte", 15, 1 }, { "15 words, 39 bytes", 15, 39 },
};

static void a_header_longer_than_its_segment_is_dropped(struct fixture *fx, const void *row)
{
	const struct offset *offset = row;
	int s = tcp_connected(fx);

	rx(ACK, .seq = 1, .len = offset->len, .data_offset = offset->words);
	expect_drop("tcp", "BAD_OFFSET");
	expect_silence(500);
	expect_read(s, -EAGAIN);
}

static void a_header_of_15_words_may_be_followed_by_data(struct fixture *fx)
{
	static const uint8_t nops[40] = {
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
		1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
	};
	int s = tcp_connected(fx);

	rx(ACK, .len = 7, .options = nops, .options_len = sizeof(nops));
	expect_tx(ACK, .ack = 8);
	app_reads(s, 0, 7);
}

/* ---- 24, 25: old data at once, all else at most every 500 ms ---- */

static void what_is_old_is_acknowledged_at_once(struct fixture *fx, const void *row)
{
	const struct state *state = row;
	unsigned int i;

	tcp_reach(fx, state->state);
	for (i = 0; i < 3; i++) {
		/* The byte before what is expected: a FIN, or data, or as keepalives have it. */
		rx(ACK, .seq = rcv_nxt(fx) - 1, .len = 1, .ack = snd_nxt(fx) - (fx->conn.stack_nxt > 1));
		expect_tx(ACK, .ack = rcv_nxt(fx));
	}
}

static void a_keepalive_without_data_is_answered(struct fixture *fx)
{
	tcp_connected(fx);
	rx(ACK, .seq = 0);
	expect_tx(ACK, .seq = 1, .ack = 1);
	fx_advance(fx, 1000);
	rx(ACK, .seq = 0, .len = 1);
	expect_tx(ACK, .seq = 1, .ack = 1);
}

static const struct overlap beyond[] = {
	{ "data beyond the window", 1 + WINDOW, 10, ACK },
	{ "data far beyond", 1000000000, 10, ACK },
	{ "a FIN beyond", 1 + WINDOW, 0, FIN | ACK },
	{ "a SYN beyond", 1 + WINDOW, 0, SYN },
	{ "a SYN below", -1000, 0, SYN },
	{ "an ACK beyond", 1 + WINDOW, 0, ACK },
	{ "an ACK below", -1000, 0, ACK },
};

static void what_lies_outside_is_answered_twice_a_second(struct fixture *fx, const void *row)
{
	const struct overlap *outside = row;
	unsigned int i, answers = 0;

	tcp_connected(fx);
	for (i = 0; i < 100; i++) {
		at(i * 20);
		rx(outside->flags, .seq = outside->seq, .len = outside->len, .ack = 1);
		if (fx_waiting(fx) != 0) {
			expect_tx(ACK, .seq = 1, .ack = 1, .at = 500 * answers++);
			expect_silence(0);
		}
	}
	assert_int_equal(answers, 4);
}

static void the_limit_is_of_each_connection_alone(struct fixture *fx)
{
	struct fx_conn other = { .peer_port = 42000, .stack_port = 80 };
	int listener = listen_on(80);

	/* A limit in common would tell a stranger of connections (CVE-2016-5696). */
	accept_one(listener, .mss = MSS);
	accept_one(listener, .mss = MSS, .conn = &other);
	rx(RST, .seq = 2);
	expect_tx(ACK, .ack = 1);
	rx(RST, .seq = 2, .conn = &other);
	expect_tx(ACK, .ack = 1, .conn = &other);
	rx(RST, .seq = 2);
	rx(RST, .seq = 2, .conn = &other);
	expect_silence(600);
}

static void the_limit_is_an_option(struct fixture *fx)
{
	tcp_connected(fx);
	rx(RST, .seq = 2);
	expect_tx(ACK, .ack = 1);
	at(1999);
	rx(RST, .seq = 2);
	expect_silence(0);
	at(2000);
	rx(RST, .seq = 2);
	expect_tx(ACK, .ack = 1);
	option("tcp.challenge_ack_interval", "0s");
	fx_advance(fx, 2000);
	rx(RST, .seq = 2);
	expect_tx(ACK, .ack = 1);
	rx(RST, .seq = 2);
	expect_tx(ACK, .ack = 1);
}

/* ---- 26: RST ---- */

static int reset_error(int state)
{
	/* As Linux. After the peer's FIN reading gives the end; SO_ERROR tells the rest. */
	return state == TCP_CLOSE_WAIT ? EPIPE : ECONNRESET;
}

static void a_reset_at_the_exact_number_ends_the_connection(struct fixture *fx, const void *row)
{
	const struct state *state = row;
	int s = tcp_reach(fx, state->state);

	rx(RST, .seq = rcv_nxt(fx));
	assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), reset_error(state->state));
	expect_silence(5000);
	/* What comes now finds no connection. */
	rx(ACK, .seq = rcv_nxt(fx), .ack = snd_nxt(fx));
	expect_tx(RST, .seq = snd_nxt(fx));
}

static void a_reset_in_the_window_is_challenged(struct fixture *fx, const void *row)
{
	const struct state *state = row;
	int s = tcp_reach(fx, state->state);
	int64_t next = rcv_nxt(fx), last = edge(fx) - 1;

	rx(RST, .seq = next + 1);
	expect_drop("tcp", "RST_CHALLENGED");
	expect_tx(ACK, .seq = snd_nxt(fx), .ack = next);
	fx_advance(fx, 500);
	fx_discard(fx);
	rx(RST, .seq = last);
	expect_drop("tcp", "RST_CHALLENGED");
	expect_tx(ACK, .seq = snd_nxt(fx), .ack = next);
	assert_int_equal(tcp_state_of(fx, s), state->state);
}

static void a_reset_outside_the_window_is_ignored(struct fixture *fx, const void *row)
{
	const struct state *state = row;
	int s = tcp_reach(fx, state->state);
	int64_t next = rcv_nxt(fx), end = edge(fx);

	rx(RST, .seq = next - 1);
	expect_drop("tcp", "RST_OUT_OF_WINDOW");
	rx(RST, .seq = end);
	expect_drop("tcp", "RST_OUT_OF_WINDOW");
	rx(RST, .seq = next + 0x80000000);
	expect_drop("tcp", "RST_OUT_OF_WINDOW");
	expect_silence(0);
	assert_int_equal(tcp_state_of(fx, s), state->state);
}

static void a_reset_needs_no_acceptable_ack(struct fixture *fx)
{
	int s = tcp_connected(fx);

	/* RFC 9293 3.10.7.4: the RST is looked at before the ACK. */
	rx(RST | ACK, .seq = 1, .ack = 100000);
	expect_read(s, -ECONNRESET);
	expect_silence(100);
}

static void a_reset_beats_a_syn_in_the_same_segment(struct fixture *fx)
{
	int s = tcp_connected(fx);

	rx(RST | SYN, .seq = 1);
	expect_read(s, -ECONNRESET);
	expect_silence(100);
}

static void a_reset_is_taken_at_a_closed_window(struct fixture *fx)
{
	int listener = listen_on(80), s;
	const struct fx_pkt *pkt;

	fx_setsockopt(fx, listener, SOL_SOCKET, SO_RCVBUF, 4096);
	s = accept_one(listener, .mss = MSS);
	do {
		rx(ACK, .len = 512);
		pkt = expect_tx(ACK, .within = 50);
	} while (pkt->tcp.win != 0);
	rx(RST, .seq = pkt->tcp.ack, .absolute = true);
	assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE);
}

/* ---- 27: SYN ---- */

static void a_syn_in_the_window_is_challenged(struct fixture *fx, const void *row)
{
	const struct state *state = row;
	int s = tcp_reach(fx, state->state);

	rx(SYN, .seq = rcv_nxt(fx) + 100);
	expect_drop("tcp", "SYN_IN_WINDOW");
	expect_tx(ACK, .seq = snd_nxt(fx), .ack = fx->conn.peer_nxt - 101);
	assert_int_equal(tcp_state_of(fx, s), state->state);
}

static const struct overlap syns[] = {
	{ "the very first again", 0, 0, SYN }, { "at the exact number", 1, 0, SYN },
	{ "with data", 1, 100, SYN }, { "with an ACK", 1, 0, SYN | ACK },
	{ "with a FIN", 1, 0, SYN | FIN }, { "below the window", -1000, 0, SYN },
	{ "beyond the window", 1 + WINDOW, 0, SYN },
};

static void a_syn_on_a_connection_is_challenged(struct fixture *fx, const void *row)
{
	const struct overlap *syn = row;
	int s = tcp_connected(fx);

	rx(syn->flags, .seq = syn->seq, .len = syn->len, .ack = syn->flags & ACK ? 1 : 0);
	expect_tx(ACK, .seq = 1, .ack = 1);
	expect_silence(100);
	fx->conn.peer_nxt = 1;
	rx(ACK, .text = "still here");
	expect_tx(ACK, .ack = 11, .within = 50);
	assert_int_equal(tcp_state_of(fx, s), TCP_ESTABLISHED);
}

/* ---- 28: ACK ---- */

struct acknowledges {
	const char *name;
	int64_t offset;		/* from SND.NXT (above 0), or from SND.UNA - MAX.WND */
	bool below, good;
};

static const struct acknowledges acks[] = {
	{ "SND.NXT", 0, false, true },
	{ "SND.NXT + 1", 1, false, false },
	{ "SND.NXT + 2 GiB - 1", 0x7fffffff, false, false },
	{ "SND.UNA - MAX.WND", 0, true, true },
	{ "SND.UNA - MAX.WND - 1", -1, true, false },
	{ "SND.UNA - MAX.WND - 1 GiB", -0x40000000, true, false },
};

static void an_ack_outside_its_bounds_is_challenged(struct fixture *fx, const void *row)
{
	const struct acknowledges *ack = row;
	int s = tcp_connected_slow(fx);
	int64_t number;

	app_sends(s, 0, 1000);
	expect_tx(ACK, .len = 1000);
	rx(ACK, .ack = 1001, .win = 40000);
	number = ack->below ? 1001 - 65535 + ack->offset : 1001 + ack->offset;
	rx(ACK, .ack = number, .len = 10);
	if (ack->good) {
		expect_silence(39);
		expect_tx(ACK, .ack = 11, .within = 5);
		app_reads(s, 0, 10);
	} else {
		expect_drop("tcp", "BAD_ACK");
		expect_tx(ACK, .seq = 1001, .ack = 1);
		expect_read(s, -EAGAIN);
	}
}

/* ---- 29: unacceptable sequence number and ACK, state by state ---- */

struct unacceptable {
	const char *name;
	int state;
	bool ack;		/* else the sequence number */
	int offset;		/* 0: the last that is acceptable */
};

#define UNACCEPTABLE(name, state) \
	{ name ": sequence number, last acceptable", state, false, 0 }, \
	{ name ": sequence number, one beyond", state, false, 1 }, \
	{ name ": sequence number, two beyond", state, false, 2 }, \
	{ name ": ACK, last acceptable", state, true, 0 }, \
	{ name ": ACK, one beyond", state, true, 1 }, \
	{ name ": ACK, two beyond", state, true, 2 }

static const struct unacceptable unacceptables[] = {
	UNACCEPTABLE("ESTABLISHED", TCP_ESTABLISHED),
	UNACCEPTABLE("CLOSE-WAIT", TCP_CLOSE_WAIT),
	UNACCEPTABLE("FIN-WAIT-2", TCP_FIN_WAIT2),
	UNACCEPTABLE("CLOSING", TCP_CLOSING),
	UNACCEPTABLE("TIME-WAIT", TCP_TIME_WAIT),
};

/* "An ACK segment containing the current send-sequence number and an acknowledgment indicating the next
 * sequence number expected" (RFC 9293 3.5.2, group 3) answers what is unacceptable, and nothing else. */
static void an_unacceptable_segment_is_answered(struct fixture *fx, const void *row)
{
	const struct unacceptable *u = row;
	int s = tcp_reach(fx, u->state);
	int64_t next = rcv_nxt(fx), seq = next, ack = snd_nxt(fx), sent = ack;

	if (u->ack)
		ack += u->offset;
	else
		seq = edge(fx) - 1 + u->offset;
	/* In TIME-WAIT anything but the exact number is unacceptable enough to be answered. */
	if (u->state == TCP_TIME_WAIT && !u->ack && u->offset == 0)
		seq = next;
	rx(ACK, .seq = seq, .ack = ack);
	if (u->offset == 0)
		expect_silence(100);
	else
		expect_tx(ACK, .seq = sent, .ack = next, .len = 0);
	if (u->state == TCP_TIME_WAIT)
		assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
	else if (u->state != TCP_CLOSING || u->offset != 0)
		assert_int_equal(tcp_state_of(fx, s), u->state);
}

/* ---- 30: PAWS ---- */

static int stamped(struct fixture *fx, uint32_t tsval)
{
	listen_on(80);
	rx(SYN, .mss = MSS, .ts = true, .tsval = tsval);
	expect_tx(SYN | ACK, .tsecr = tsval);
	rx(ACK, .tsval = tsval);
	return fx_accept(fx, 0);
}

struct stamp {
	const char *name;
	uint32_t recent, stamp;
	bool good;
};

static const struct stamp stamps[] = {
	{ "the same", 1000, 1000, true }, { "one newer", 1000, 1001, true },
	{ "one older", 1000, 999, false }, { "2^31 - 1 newer", 1000, 1000 + 0x7fffffffu, true },
	{ "2^31 + 1 newer, which is older", 1000, 1000 + 0x80000001u, false },
	{ "newer past the wrap", 0xfffffff0u, 5, true }, { "older before the wrap", 5, 0xfffffff0u, false },
	{ "0", 0xfffffff0u, 0, true },
};

static void a_stamp_is_compared_with_the_last_one(struct fixture *fx, const void *row)
{
	const struct stamp *stamp = row;
	int s = stamped(fx, stamp->recent);

	rx(ACK, .len = 10, .tsval = stamp->recent);
	expect_tx(ACK, .ack = 11, .tsecr = stamp->recent);
	rx(ACK, .len = 10, .tsval = stamp->stamp);
	if (stamp->good) {
		expect_tx(ACK, .ack = 21, .tsecr = stamp->stamp);
		app_reads(s, 0, 20);
	} else {
		expect_drop("tcp", "OLD_TIMESTAMP");
		expect_tx(ACK, .ack = 11, .tsecr = stamp->recent);
		app_reads(s, 0, 10);
	}
}

static void an_old_stamp_acknowledges_nothing(struct fixture *fx)
{
	int s = stamped(fx, 1000);

	app_sends(s, 0, 10);
	expect_tx(ACK, .len = 10);
	rx(ACK, .ack = 11, .tsval = 999);
	expect_drop("tcp", "OLD_TIMESTAMP");
	fx_discard(fx);
	expect_tx(ACK, .seq = 1, .len = 10, .within = 1000);
}

static void an_old_stamp_does_not_stop_a_reset(struct fixture *fx)
{
	int s = stamped(fx, 1000);

	/* RFC 7323 5.2: RSTs are not subject to it. */
	rx(RST, .tsval = 1);
	expect_read(s, -ECONNRESET);
}

static void a_stamp_out_of_the_window_is_not_kept(struct fixture *fx)
{
	stamped(fx, 1000);
	rx(ACK, .seq = 1 + 200000, .len = 10, .tsval = 5000);
	expect_tx(ACK, .ack = 1, .tsecr = 1000);
	rx(ACK, .seq = 1, .len = 10, .tsval = 1001);
	expect_tx(ACK, .ack = 11, .tsecr = 1001);
}

static void a_stamp_of_a_segment_with_a_bad_ack_is_not_kept(struct fixture *fx)
{
	stamped(fx, 1000);
	rx(ACK, .seq = 1, .ack = 50000, .len = 10, .tsval = 5000);
	expect_tx(ACK, .ack = 1, .tsecr = 1000);
	rx(ACK, .seq = 1, .ack = 1, .len = 10, .tsval = 1001);
	expect_tx(ACK, .ack = 11, .tsecr = 1001);
}

static void a_stamp_beyond_a_hole_is_not_kept(struct fixture *fx)
{
	stamped(fx, 1000);
	rx(ACK, .seq = 101, .len = 100, .tsval = 1500);
	expect_tx(ACK, .ack = 1, .tsecr = 1000);
	/* RFC 7323 4.3, (c): the stamp of what fills the hole. */
	rx(ACK, .seq = 1, .len = 100, .tsval = 1400);
	expect_tx(ACK, .ack = 201, .tsecr = 1400);
}

static void the_stamp_of_the_first_of_two_segments_is_echoed(struct fixture *fx)
{
	int s = stamped(fx, 1000);

	/* RFC 7323 4.3, (a): with delayed ACKs the earliest is echoed. */
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_QUICKACK, 0);
	rx(ACK, .len = 10, .tsval = 1100);
	rx(ACK, .len = 10, .tsval = 1200);
	expect_tx(ACK, .ack = 21, .tsecr = 1100, .within = 50);
}

static void without_time_stamps_there_is_no_paws(struct fixture *fx)
{
	const struct fx_pkt *pkt;
	int s;

	listen_on(80);
	rx(SYN, .mss = MSS, .ts = true, .tsval = 1000);
	pkt = expect_tx(SYN | ACK);
	assert_false(pkt->tcp.ts);
	rx(ACK);
	s = fx_accept(fx, 0);
	rx(ACK, .len = 10, .tsval = 1);
	assert_false(expect_tx(ACK, .ack = 11)->tcp.ts);
	app_reads(s, 0, 10);
}

static const struct fx_scenario scenarios[] = {
	SCENARIOS("21", what_was_received_before_is_cut_off, overlaps),
	SCENARIOS("22", a_header_longer_than_its_segment_is_dropped, too_long),
	SCENARIO("22", a_header_of_15_words_may_be_followed_by_data),
	SCENARIOS("24", what_is_old_is_acknowledged_at_once, states),
	SCENARIO("24", a_keepalive_without_data_is_answered),
	SCENARIOS("25", what_lies_outside_is_answered_twice_a_second, beyond),
	SCENARIO("25", the_limit_is_of_each_connection_alone),
	SCENARIO("25", the_limit_is_an_option, .options = "tcp.challenge_ack_interval=2s"),
	SCENARIOS("26", a_reset_at_the_exact_number_ends_the_connection, states),
	SCENARIOS("26", a_reset_in_the_window_is_challenged, states),
	SCENARIOS("26", a_reset_outside_the_window_is_ignored, states),
	SCENARIO("26", a_reset_needs_no_acceptable_ack),
	SCENARIO("26", a_reset_beats_a_syn_in_the_same_segment),
	SCENARIO("26", a_reset_is_taken_at_a_closed_window),
	SCENARIOS("27", a_syn_in_the_window_is_challenged, states),
	SCENARIOS("27", a_syn_on_a_connection_is_challenged, syns),
	SCENARIOS("28", an_ack_outside_its_bounds_is_challenged, acks),
	SCENARIOS("29", an_unacceptable_segment_is_answered, unacceptables),
	SCENARIOS("30", a_stamp_is_compared_with_the_last_one, stamps),
	SCENARIO("30", an_old_stamp_acknowledges_nothing),
	SCENARIO("30", an_old_stamp_does_not_stop_a_reset),
	SCENARIO("30", a_stamp_out_of_the_window_is_not_kept),
	SCENARIO("30", a_stamp_of_a_segment_with_a_bad_ack_is_not_kept),
	SCENARIO("30", a_stamp_beyond_a_hole_is_not_kept),
	SCENARIO("30", the_stamp_of_the_first_of_two_segments_is_echoed),
	SCENARIO("30", without_time_stamps_there_is_no_paws, .options = "tcp.timestamps=false"),
};

int main(int argc, char **argv)
{
	return fx_play(argc, argv, scenarios);
}
