/* SPDX-License-Identifier: BSD-2-Clause */
/* The ends of connections: every path through the closing states, resets, orphans, TIME-WAIT, listeners
 * that go (RFC 9293 3.6, 3.10.4, 3.10.7.4; RFC 1337, RFC 6191). */
#include "states.h"

static uint64_t time_wait(struct fixture *fx)
{
	return fx_counter(fx, "tcp", "time_wait");
}

/* ---- 56: paths ---- */

enum path { ACTIVE, ACTIVE_AT_ONCE, SIMULTANEOUS, PASSIVE };

struct way {
	const char *name;
	enum path path;
	size_t ours, peers;		/* data sent together with the FINs */
	bool lost;			/* the last ACK is, once */
};

#define WAYS(name, path) \
	{ name, path, 0, 0, false }, \
	{ name ", data of ours with the FIN", path, 500, 0, false }, \
	{ name ", data of the peer's with the FIN", path, 0, 500, false }, \
	{ name ", data both ways", path, 2500, 500, false }, \
	{ name ", the last ACK lost", path, 0, 0, true }, \
	{ name ", data both ways, the last ACK lost", path, 500, 500, true }

static const struct way ways[] = {
	WAYS("FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT", ACTIVE),
	WAYS("FIN-WAIT-1, TIME-WAIT", ACTIVE_AT_ONCE),
	WAYS("FIN-WAIT-1, CLOSING, TIME-WAIT", SIMULTANEOUS),
	WAYS("CLOSE-WAIT, LAST-ACK, CLOSED", PASSIVE),
};

/* The application sends and shuts down; all of it is on its way. Returns the number after our FIN. */
static int64_t we_close(struct fixture *fx, int s, size_t data)
{
	int64_t first = fx->conn.stack_nxt;
	size_t sent = 0;

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_CORK, 1);
	if (data != 0)
		app_sends(s, 0, data);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	while (sent + MSS <= data)
		sent += expect_tx(ACK, .seq = first + (int64_t)sent, .len = MSS)->payload_len;
	expect_tx(FIN | ACK, .seq = first + (int64_t)sent, .len = (int64_t)(data - sent));
	return first + (int64_t)data + 1;
}

/* The peer's data and FIN, acknowledging `ack`; the stack answers, and again where its answer is lost.
 * What the application has not read is there still. */
static void peer_closes(struct fixture *fx, size_t data, int64_t ack, bool lost)
{
	int64_t end = 2 + (int64_t)data;

	rx(FIN | ACK, .seq = 1, .len = (int64_t)data, .ack = ack);
	expect_tx(ACK, .ack = end);
	if (!lost)
		return;
	rx(FIN | ACK, .seq = 1, .len = (int64_t)data, .ack = ack);
	expect_tx(ACK, .ack = end);
}

static void a_connection_closes(struct fixture *fx, const void *row)
{
	const struct way *way = row;
	int s = tcp_connected(fx);
	int64_t ours;

	switch (way->path) {
	case ACTIVE:
		ours = we_close(fx, s, way->ours);
		rx(ACK, .ack = ours);
		assert_int_equal(tcp_state_of(fx, s), TCP_FIN_WAIT2);
		peer_closes(fx, way->peers, ours, way->lost);
		break;
	case ACTIVE_AT_ONCE:
		ours = we_close(fx, s, way->ours);
		peer_closes(fx, way->peers, ours, way->lost);
		break;
	case SIMULTANEOUS:
		ours = we_close(fx, s, way->ours);
		peer_closes(fx, way->peers, 1, false);
		assert_int_equal(tcp_state_of(fx, s), TCP_CLOSING);
		/* Ours or its ACK was lost. */
		if (way->lost)
			expect_tx(FIN | ACK, .seq = 1, .len = (int64_t)way->ours, .within = 1000);
		rx(ACK, .ack = ours);
		break;
	default:
		peer_closes(fx, way->peers, 1, false);
		assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE_WAIT);
		ours = we_close(fx, s, way->ours);
		assert_int_equal(tcp_state_of(fx, s), TCP_LAST_ACK);
		if (way->lost)
			expect_tx(FIN | ACK, .seq = 1, .len = (int64_t)way->ours, .within = 1000);
		rx(ACK, .ack = ours);
		break;
	}
	assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE);
	assert_int_equal(time_wait(fx), way->path == PASSIVE ? 0 : 1);
	app_reads(s, 0, way->peers);
	expect_read(s, 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	expect_silence(59000);
	fx_close_socket(fx, s);
	expect_silence(2000);
	assert_int_equal(time_wait(fx), 0);
}

static void the_half_that_stays_open_carries_data(struct fixture *fx)
{
	int s = tcp_connected(fx);
	unsigned int i;

	we_close(fx, s, 0);
	rx(ACK, .ack = 2);
	for (i = 0; i < 20; i++) {
		rx(ACK, .len = 500);
		fx_advance(fx, 50);
	}
	fx_discard(fx);
	app_reads(s, 0, 10000);
	fx_discard(fx);
	rx(FIN | ACK);
	expect_tx(ACK, .ack = 10002);
	assert_int_equal(time_wait(fx), 1);
}

static void data_goes_in_close_wait(struct fixture *fx)
{
	int s = tcp_reach(fx, TCP_CLOSE_WAIT), i;

	for (i = 0; i < 5; i++) {
		app_sends(s, (uint64_t)i * 100, 100);
		expect_tx(ACK, .seq = 1 + 100 * i, .len = 100);
		rx(ACK, .ack = 101 + 100 * i);
	}
	we_close(fx, s, 0);
}

static void the_fin_of_a_closed_socket_waits_for_its_data(struct fixture *fx)
{
	int s = accept_one(listen_on(80), .mss = MSS, .win = 1500), i;

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, 1);
	app_sends(s, 0, 5000);
	fx_close_socket(fx, s);
	expect_tx(ACK, .seq = 1, .len = 1000);
	for (i = 1; i < 5; i++) {
		rx(ACK, .ack = 1 + 1000 * i, .win = 1500);
		if (i < 4)
			expect_tx(ACK, .seq = 1 + 1000 * i, .len = 1000, .within = 1000);
		else
			expect_tx(FIN | ACK, .seq = 4001, .len = 1000, .within = 1000);
	}
	rx(ACK, .ack = 5002);
	rx(FIN | ACK, .ack = 5002);
	expect_tx(ACK, .ack = 2);
}

/* ---- 57: unread data ---- */

struct unread {
	const char *name;
	size_t comes, read;
	bool fin, beyond;	/* …, data out of order */
	bool reset;
};

static const struct unread unreads[] = {
	{ "nothing came", 0, 0, false, false, false },
	{ "nothing was read", 100, 0, false, false, true },
	{ "all but a byte was read", 100, 99, false, false, true },
	{ "all was read", 100, 100, false, false, false },
	{ "the peer has closed, nothing was read", 100, 0, true, false, true },
	{ "the peer has closed, all was read", 100, 100, true, false, false },
	{ "what came is out of order", 0, 0, false, true, false },
};

static void a_close_resets_where_data_is_unread(struct fixture *fx, const void *row)
{
	const struct unread *unread = row;
	int s = tcp_connected(fx);
	int64_t next = 1 + (int64_t)unread->comes + unread->fin;

	if (unread->comes != 0)
		rx(unread->fin ? FIN | ACK : ACK, .len = (int64_t)unread->comes);
	if (unread->beyond)
		rx(ACK, .seq = 101, .len = 100);
	fx_advance(fx, 50);
	fx_discard(fx);
	if (unread->read != 0)
		assert_int_equal(fx_recv(fx, s, (char[128]){ 0 }, unread->read), unread->read);
	fx_close_socket(fx, s);
	if (unread->reset) {
		expect_tx(RST | ACK, .seq = 1, .ack = next);
		expect_silence(5000);
	} else {
		expect_tx(FIN | ACK, .seq = 1, .ack = next);
	}
}

static void shutdown_does_not_reset_where_data_is_unread(struct fixture *fx)
{
	int s = tcp_connected(fx);

	rx(ACK, .len = 100);
	expect_tx(ACK, .ack = 101);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	expect_tx(FIN | ACK, .seq = 1);
	app_reads(s, 0, 100);
}

/* ---- 58: linger ---- */

struct linger_case {
	const char *name;
	int state;
	int on, seconds;
	uint8_t sent;		/* 0: nothing */
};

/* As Linux: a linger of zero resets wherever the peer could still be told anything. */
static const struct linger_case lingers[] = {
	{ "0 in ESTABLISHED", TCP_ESTABLISHED, 1, 0, RST | ACK },
	{ "0 in CLOSE-WAIT", TCP_CLOSE_WAIT, 1, 0, RST | ACK },
	{ "0 in FIN-WAIT-1", TCP_FIN_WAIT1, 1, 0, RST | ACK },
	{ "0 in FIN-WAIT-2", TCP_FIN_WAIT2, 1, 0, RST | ACK },
	{ "0 in SYN-SENT", TCP_SYN_SENT, 1, 0, 0 },
	{ "0 in TIME-WAIT", TCP_TIME_WAIT, 1, 0, 0 },
	{ "off in ESTABLISHED", TCP_ESTABLISHED, 0, 0, FIN | ACK },
	{ "off in CLOSE-WAIT", TCP_CLOSE_WAIT, 0, 0, FIN | ACK },
	{ "off in FIN-WAIT-2", TCP_FIN_WAIT2, 0, 0, 0 },
	{ "5 s in ESTABLISHED", TCP_ESTABLISHED, 1, 5, FIN | ACK },
	{ "5 s in CLOSE-WAIT", TCP_CLOSE_WAIT, 1, 5, FIN | ACK },
	{ "5 s in FIN-WAIT-2", TCP_FIN_WAIT2, 1, 5, 0 },
};

static void linger_decides_what_a_close_sends(struct fixture *fx, const void *row)
{
	const struct linger_case *c = row;
	struct linger linger = { .l_onoff = c->on, .l_linger = c->seconds };
	int s = tcp_reach(fx, c->state);

	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_LINGER, &linger,
					   sizeof(linger)), 0);
	fx_close_socket(fx, s);
	if (c->sent != 0)
		expect_tx(c->sent, .seq = fx->conn.stack_nxt);
	expect_silence(c->sent & FIN ? 0 : 500);
	if (c->sent & RST) {
		rx(ACK);
		expect_tx(RST);
	}
}

static void a_linger_of_zero_forgets_what_was_not_sent(struct fixture *fx)
{
	struct linger linger = { .l_onoff = 1, .l_linger = 0 };
	int s = accept_one(listen_on(80), .mss = MSS, .win = 1000);

	app_sends(s, 0, 5000);
	expect_tx(ACK, .seq = 1, .len = MSS);
	strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	fx_close_socket(fx, s);
	expect_tx(RST | ACK, .seq = 1001);
	expect_silence(60000);
}

/* ---- 59: FIN-WAIT-2 without an owner ---- */

struct linger2 {
	const char *name;
	int seconds;
	uint64_t ms;
};

static const struct linger2 linger2s[] = {
	{ "the module's", 0, 60000 }, { "5 s", 5, 5000 }, { "beyond the module's", 90, 90000 },
	{ "beyond Linux's most", 1000, 120000 },
};

static void fin_wait_2_lasts_as_long_as_linger2_says(struct fixture *fx, const void *row)
{
	const struct linger2 *l = row;
	int s = tcp_connected(fx);

	if (l->seconds != 0)
		fx_setsockopt(fx, s, IPPROTO_TCP, TCP_LINGER2, l->seconds);
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK);
	rx(ACK, .ack = 2);
	expect_silence(l->ms - 100);
	/* It is there still: a keepalive is answered. */
	rx(ACK, .seq = 0, .ack = 2, .len = 0);
	expect_tx(ACK, .seq = 2, .ack = 1);
	fx_advance(fx, 200);
	rx(FIN | ACK, .seq = 1, .ack = 2);
	expect_tx(RST, .seq = 2);
}

static void a_negative_linger2_does_not_wait(struct fixture *fx)
{
	int s = tcp_connected(fx);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_LINGER2, -1);
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK);
	rx(ACK, .ack = 2);
	expect_tx(RST | ACK, .seq = 2, .within = 10);
	rx(FIN | ACK, .seq = 1, .ack = 2);
	expect_tx(RST, .seq = 2);
}

static void the_time_in_fin_wait_2_is_an_option(struct fixture *fx)
{
	fx_close_socket(fx, tcp_connected(fx));
	expect_tx(FIN | ACK);
	rx(ACK, .ack = 2);
	expect_silence(10500);
	rx(FIN | ACK, .seq = 1, .ack = 2);
	expect_tx(RST, .seq = 2);
}

static void data_for_an_orphan_is_reset(struct fixture *fx)
{
	fx_close_socket(fx, tcp_connected(fx));
	expect_tx(FIN | ACK);
	rx(ACK, .ack = 2);
	rx(ACK, .ack = 2, .len = 10);
	assert_int_equal(fx_next(fx)->tcp.flags & RST, RST);
	expect_silence(1000);
	rx(FIN | ACK, .ack = 2);
	expect_tx(RST, .seq = 2);
}

static void the_orphans_in_fin_wait_2_are_limited(struct fixture *fx)
{
	int listener = listen_on(80), s;
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };

		s = accept_one(listener, .mss = MSS, .conn = &conn);
		fx_close_socket(fx, s);
		expect_tx(FIN | ACK, .conn = &conn);
		rx(ACK, .ack = 2, .conn = &conn);
	}
	assert_int_equal(fx_counter(fx, "tcp", "orphan_overflows"), 2);
}

/* ---- 60: TIME-WAIT ---- */

/* A listener at 80, and a connection of it in TIME-WAIT, with the peer's stamps at 1000. */
static void to_time_wait(struct fixture *fx, bool stamps)
{
	int s;

	listen_on(80);
	rx(SYN, .mss = MSS, .ts = stamps, .tsval = stamps ? 1000 : FX_AUTO);
	expect_tx(SYN | ACK);
	rx(ACK, .tsval = stamps ? 1000 : FX_AUTO);
	s = fx_accept(fx, 0);
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK);
	rx(FIN | ACK, .ack = 2, .tsval = stamps ? 1000 : FX_AUTO);
	expect_tx(ACK, .seq = 2, .ack = 2);
	assert_int_equal(time_wait(fx), 1);
}

struct reopening {
	const char *name;
	bool stamps;
	int64_t seq, tsval;
	bool reopens;
};

/* RFC 6191 section 2, RFC 9293 3.6.1. The last number of the peer was 2, its last stamp 1000. */
static const struct reopening reopenings[] = {
	{ "a sequence number above", false, 3, FX_AUTO, true },
	{ "a sequence number far above", false, 1000000000, FX_AUTO, true },
	{ "the same number", false, 1, FX_AUTO, false },
	{ "a number below", false, -1000, FX_AUTO, false },
	{ "a newer stamp, a number above", true, 1000, 1001, true },
	{ "a newer stamp, a number below", true, -1000, 1001, true },
	{ "the same stamp, a number above", true, 1000, 1000, true },
	{ "the same stamp, a number below", true, -1000, 1000, false },
	{ "an older stamp, a number above", true, 1000, 999, false },
};

static void a_syn_reopens_where_it_is_surely_new(struct fixture *fx, const void *row)
{
	const struct reopening *r = row;

	to_time_wait(fx, r->stamps);
	rx(SYN, .seq = r->seq, .mss = MSS, .tsval = r->tsval);
	if (r->reopens) {
		expect_tx(SYN | ACK, .ack = r->seq + 1);
		assert_int_equal(time_wait(fx), 0);
		assert_int_equal(fx_counter(fx, "tcp", "time_wait_reused"), 1);
	} else {
		expect_tx(ACK, .seq = 2, .ack = 2);
		assert_int_equal(time_wait(fx), 1);
	}
}

static void a_fin_begins_time_wait_anew(struct fixture *fx)
{
	to_time_wait(fx, false);
	fx_advance(fx, 50000);
	rx(FIN | ACK, .seq = 1, .ack = 2);
	expect_tx(ACK, .seq = 2, .ack = 2);
	fx_advance(fx, 59000);
	assert_int_equal(time_wait(fx), 1);
	fx_advance(fx, 2000);
	assert_int_equal(time_wait(fx), 0);
}

struct stray {
	const char *name;
	uint8_t flags;
	int64_t seq, ack, len;
	bool answered;
};

static const struct stray strays[] = {
	{ "an ACK at the exact number", ACK, 2, 2, 0, false },
	{ "data", ACK, 2, 2, 10, true }, { "old data", ACK, 1, 2, 1, true },
	{ "data beyond", ACK, 100000, 2, 10, true }, { "a SYN below", SYN, -5, 0, 0, true },
};

static void strays_do_not_end_time_wait(struct fixture *fx, const void *row)
{
	const struct stray *stray = row;

	to_time_wait(fx, false);
	rx(stray->flags, .seq = stray->seq, .ack = stray->ack, .len = stray->len);
	if (stray->answered)
		expect_tx(ACK, .seq = 2, .ack = 2);
	expect_silence(100);
	assert_int_equal(time_wait(fx), 1);
}

struct reset {
	const char *name;
	int64_t seq;
	bool ends;
};

static const struct reset resets[] = {
	{ "exact", 2, true }, { "one above", 3, false }, { "one below", 1, false }, { "far", 100000, false },
};

static void only_the_exact_reset_ends_time_wait(struct fixture *fx, const void *row)
{
	const struct reset *reset = row;

	to_time_wait(fx, false);
	rx(RST, .seq = reset->seq);
	assert_int_equal(time_wait(fx), reset->ends ? 0 : 1);
	fx_discard(fx);
}

static void no_reset_ends_time_wait_with_rfc_1337(struct fixture *fx, const void *row)
{
	const struct reset *reset = row;

	to_time_wait(fx, false);
	rx(RST, .seq = reset->seq);
	assert_int_equal(time_wait(fx), 1);
}

static void there_is_no_time_wait_where_it_lasts_no_time(struct fixture *fx)
{
	fx_close_socket(fx, tcp_connected(fx));
	expect_tx(FIN | ACK);
	rx(FIN | ACK, .ack = 2);
	expect_tx(ACK, .seq = 2, .ack = 2);
	assert_int_equal(time_wait(fx), 0);
	rx(ACK, .ack = 2);
	expect_tx(RST, .seq = 2);
}

static void the_length_of_time_wait_is_an_option(struct fixture *fx)
{
	to_time_wait(fx, false);
	fx_advance(fx, 4900);
	assert_int_equal(time_wait(fx), 1);
	fx_advance(fx, 200);
	assert_int_equal(time_wait(fx), 0);
}

static void time_wait_keeps_the_time_stamps(struct fixture *fx)
{
	uint32_t before;

	to_time_wait(fx, true);
	before = fx->conn.ts_recent;
	fx_advance(fx, 1000);
	rx(FIN | ACK, .seq = 1, .ack = 2, .tsval = 1500);
	/* RFC 7323 3.2: in every segment but a RST. */
	assert_in_range(expect_tx(ACK, .ack = 2, .ts = true)->tcp.tsval - before, 999, 1001);
}

/* A listener at 80 that may share its port with what is left of former connections. */
static int listen_reuse(struct fixture *fx)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);

	fx_setsockopt(fx, s, SOL_SOCKET, SO_REUSEADDR, 1);
	fx_bind(fx, s, 0, 80);
	fx_listen(fx, s, 5);
	return s;
}

static void a_port_in_time_wait_may_be_listened_at(struct fixture *fx)
{
	int listener = listen_reuse(fx), s = accept_one(listener, .mss = MSS);

	fx_close_socket(fx, s);
	expect_tx(FIN | ACK);
	rx(FIN | ACK, .ack = 2);
	expect_tx(ACK, .ack = 2);
	fx_close_socket(fx, listener);
	assert_true(listen_reuse(fx) >= 0);
	assert_int_equal(time_wait(fx), 1);
}

static void the_oldest_makes_way_at_the_cap(struct fixture *fx)
{
	int listener = listen_on(80), s;
	struct fx_conn conns[3];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		conns[i] = (struct fx_conn){ .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };
		s = accept_one(listener, .mss = MSS, .conn = &conns[i]);
		fx_close_socket(fx, s);
		expect_tx(FIN | ACK, .conn = &conns[i]);
		rx(FIN | ACK, .ack = 2, .conn = &conns[i]);
		expect_tx(ACK, .conn = &conns[i]);
		fx_advance(fx, 100);
	}
	/* The first is gone, the others wait still. */
	rx(FIN | ACK, .seq = 1, .ack = 2, .conn = &conns[0]);
	expect_tx(RST, .seq = 2, .conn = &conns[0]);
	rx(FIN | ACK, .seq = 1, .ack = 2, .conn = &conns[1]);
	expect_tx(ACK, .ack = 2, .conn = &conns[1]);
	rx(FIN | ACK, .seq = 1, .ack = 2, .conn = &conns[2]);
	expect_tx(ACK, .ack = 2, .conn = &conns[2]);
}

/* ---- 61, 19: listeners that go ---- */

static void each_connection_not_accepted_is_reset(struct fixture *fx)
{
	struct fx_conn conns[3];
	int listener = listen_on(80);
	unsigned int i;

	for (i = 0; i < 3; i++) {
		conns[i] = (struct fx_conn){ .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };
		rx(SYN, .mss = MSS, .conn = &conns[i]);
		expect_tx(SYN | ACK, .conn = &conns[i]);
		rx(ACK, .conn = &conns[i]);
	}
	fx_close_socket(fx, listener);
	for (i = 0; i < 3; i++)
		expect_tx(RST | ACK, .seq = 1, .ack = 1, .conn = &conns[i]);
	expect_silence(10000);
}

static void an_accepted_connection_outlives_its_listener(struct fixture *fx)
{
	int listener = listen_on(80), s = accept_one(listener, .mss = MSS);

	fx_close_socket(fx, listener);
	expect_silence(100);
	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	rx(ACK, .len = 10);
	expect_tx(ACK, .ack = 11, .within = 50);
	app_reads(s, 0, 10);
}

static void a_half_open_connection_is_forgotten_with_its_listener(struct fixture *fx)
{
	int listener = listen_on(80);

	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK);
	fx_close_socket(fx, listener);
	/* No SYN-ACK again; the peer's ACK is told that nobody is there. */
	expect_silence(60000);
	rx(ACK);
	expect_tx(RST, .seq = 1);
}

static void shutting_a_listeners_sending_side_down_changes_nothing(struct fixture *fx)
{
	int listener = listen_on(80);

	assert_int_equal(strata_shutdown(fx->stack, listener, SHUT_WR), 0);
	assert_true(accept_one(listener, .mss = MSS) >= 0);
}

static void a_queued_connection_that_the_peer_closed_is_reset_too(struct fixture *fx)
{
	int listener = listen_on(80);

	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK);
	rx(FIN | ACK, .len = 10);
	expect_tx(ACK, .ack = 12);
	fx_close_socket(fx, listener);
	expect_tx(RST | ACK, .seq = 1, .ack = 12);
	expect_silence(5000);
}

static void the_backlog_counts_from_zero_as_linux_does(struct fixture *fx)
{
	int listener = fx_socket(fx, SOCK_STREAM, 0);
	unsigned int i, dropped = 0;

	fx_bind(fx, listener, 0, 80);
	fx_listen(fx, listener, 2);
	for (i = 0; i < 5; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };

		rx(SYN, .mss = MSS, .conn = &conn);
		if (fx_waiting(fx) == 0) {
			dropped++;
			continue;
		}
		expect_tx(SYN | ACK, .conn = &conn);
		rx(ACK, .conn = &conn);
	}
	/* A backlog of n holds n + 1. */
	for (i = 0; fx_accept(fx, listener) >= 0; i++)
		;
	assert_int_equal(i, 3);
	assert_int_equal(dropped, 2);
}

static const struct fx_scenario scenarios[] = {
	SCENARIOS("56", a_connection_closes, ways),
	SCENARIO("56", the_half_that_stays_open_carries_data),
	SCENARIO("56", data_goes_in_close_wait),
	SCENARIO("56", the_fin_of_a_closed_socket_waits_for_its_data),
	SCENARIOS("57", a_close_resets_where_data_is_unread, unreads),
	SCENARIO("57", shutdown_does_not_reset_where_data_is_unread),
	SCENARIOS("58", linger_decides_what_a_close_sends, lingers),
	SCENARIO("58", a_linger_of_zero_forgets_what_was_not_sent),
	SCENARIOS("59", fin_wait_2_lasts_as_long_as_linger2_says, linger2s),
	SCENARIO("59", a_negative_linger2_does_not_wait),
	SCENARIO("59", the_time_in_fin_wait_2_is_an_option, .options = "tcp.fin_timeout=10s"),
	SCENARIO("59", data_for_an_orphan_is_reset),
	SCENARIO("59", the_orphans_in_fin_wait_2_are_limited, .options = "tcp.fin_wait_max=2"),
	SCENARIOS("60", a_syn_reopens_where_it_is_surely_new, reopenings),
	SCENARIO("60", a_fin_begins_time_wait_anew),
	SCENARIOS("60", strays_do_not_end_time_wait, strays),
	SCENARIOS("60", only_the_exact_reset_ends_time_wait, resets),
	SCENARIOS("60", no_reset_ends_time_wait_with_rfc_1337, resets, .options = "tcp.rfc1337=true"),
	SCENARIO("60", there_is_no_time_wait_where_it_lasts_no_time, .options = "tcp.time_wait=0s"),
	SCENARIO("60", the_length_of_time_wait_is_an_option, .options = "tcp.time_wait=5s"),
	SCENARIO("60", time_wait_keeps_the_time_stamps),
	SCENARIO("60", a_port_in_time_wait_may_be_listened_at),
	SCENARIO("60", the_oldest_makes_way_at_the_cap, .options = "tcp.time_wait_max=2"),
	SCENARIO("61", each_connection_not_accepted_is_reset),
	SCENARIO("61", an_accepted_connection_outlives_its_listener),
	SCENARIO("61", a_half_open_connection_is_forgotten_with_its_listener),
	SCENARIO("61", shutting_a_listeners_sending_side_down_changes_nothing),
	SCENARIO("61", a_queued_connection_that_the_peer_closed_is_reset_too),
	SCENARIO("19", the_backlog_counts_from_zero_as_linux_does),
};

int main(int argc, char **argv)
{
	return fx_play(argc, argv, scenarios);
}
