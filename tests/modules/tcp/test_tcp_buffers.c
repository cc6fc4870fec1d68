/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket buffers: what they let a path carry, how they grow with its need, and what tiny segments cost. */
#include <linux/tcp.h>

#include "fixture.h"

enum { PORT = 5000, CALL = 65536 };

/* One stream over a path: how much has gone in and come out. */
struct flow {
	struct fx_pair pair;
	int listener, from, to;
	int rcvbuf, sndbuf;		/* by SO_RCVBUF, SO_SNDBUF; 0: left alone */
	uint64_t sent, received;
	bool stopped;			/* the reader does not read */
};

static void pump(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	static const uint8_t zeros[CALL];
	struct flow *f = arg;
	ssize_t n;

	(void)events;
	while ((n = strata_send(stack, s, zeros, CALL, 0)) > 0)
		f->sent += (uint64_t)n;
}

static void drain(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct flow *f = arg;
	uint8_t buf[CALL];
	ssize_t n;

	(void)events;
	while (!f->stopped && (n = strata_recv(stack, s, buf, CALL, 0)) > 0)
		f->received += (uint64_t)n;
}

static void accepted(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct flow *f = arg;

	(void)events;
	f->to = strata_accept(stack, s, NULL, NULL);
	assert_true(f->to >= 0);
	strata_notify(stack, f->to, drain, f);
}

static void flow_open(struct flow *f, const char *options, const struct fx_link *link)
{
	const struct fx_config config = { .options = options };
	struct fixture *a, *b;

	f->pair = fx_pair_open(&config, link, 1);
	a = f->pair.a;
	b = f->pair.b;
	f->to = -1;
	f->listener = fx_socket(b, SOCK_STREAM, 0);
	if (f->rcvbuf != 0)
		fx_setsockopt(b, f->listener, SOL_SOCKET, SO_RCVBUF, f->rcvbuf);
	fx_bind(b, f->listener, 0, PORT);
	fx_listen(b, f->listener, 5);
	strata_notify(b->stack, f->listener, accepted, f);
	f->from = fx_socket(a, SOCK_STREAM, 0);
	if (f->sndbuf != 0)
		fx_setsockopt(a, f->from, SOL_SOCKET, SO_SNDBUF, f->sndbuf);
	assert_int_equal(fx_connect(a, f->from, STACK_IP, PORT), -EINPROGRESS);
	strata_notify(a->stack, f->from, pump, f);
}

/* Bytes a second that arrive in `seconds`, after `warm` of them to get up to speed. */
static uint64_t flow_rate(struct flow *f, uint64_t warm, uint64_t seconds)
{
	uint64_t before;

	fx_join_run(f->pair.join, warm * STRATA_SEC, NULL, NULL);
	before = f->received;
	fx_join_run(f->pair.join, seconds * STRATA_SEC, NULL, NULL);
	return (f->received - before) / seconds;
}

static void flow_close(struct flow *f)
{
	fx_pair_close(&f->pair);
}

/* 32 KiB in 100 ms are 328 kB a second. */
static void buffers_of_32_kib_carry_as_much_in_a_round_trip(void **state)
{
	const struct fx_link link = { .delay = 50 * STRATA_MS };
	struct flow f = { .rcvbuf = 32768, .sndbuf = 32768 };
	uint64_t rate;

	(void)state;
	flow_open(&f, NULL, &link);
	rate = flow_rate(&f, 5, 10);
	assert_true(rate >= 320000);
	assert_int_equal(fx_counter(f.pair.a, "tcp", "retransmitted_segments"), 0);
	flow_close(&f);
}

static void buffers_of_32_kib_by_the_options_carry_as_much(void **state)
{
	const struct fx_link link = { .delay = 50 * STRATA_MS };
	struct flow f = { 0 };
	uint64_t rate;

	(void)state;
	flow_open(&f, "tcp.rcvbuf=32KiB tcp.sndbuf=32KiB", &link);
	rate = flow_rate(&f, 5, 10);
	assert_true(rate >= 320000);
	flow_close(&f);
}

/* 100 Mbit/s × 100 ms are 1.25 MB, more than ten times what the buffers begin with. */
static void by_default_the_buffers_grow_until_the_path_is_full(void **state)
{
	const struct fx_link link = { .delay = 50 * STRATA_MS, .rate = 100000000, .queue = 2000 };
	struct flow f = { 0 };
	uint64_t rate;

	(void)state;
	flow_open(&f, NULL, &link);
	rate = flow_rate(&f, 4, 4);
	assert_true(rate >= 11000000);
	flow_close(&f);
}

static void a_buffer_set_by_hand_does_not_grow(void **state)
{
	const struct fx_link link = { .delay = 10 * STRATA_MS };
	struct flow f = { .rcvbuf = 20000, .sndbuf = 30000 };

	(void)state;
	flow_open(&f, NULL, &link);
	assert_true(flow_rate(&f, 1, 5) > 0);
	assert_int_equal(fx_getsockopt(f.pair.b, f.to, SOL_SOCKET, SO_RCVBUF), 40000);
	assert_int_equal(fx_getsockopt(f.pair.a, f.from, SOL_SOCKET, SO_SNDBUF), 60000);
	flow_close(&f);
}

static void a_buffer_grows_to_the_modules_maximum_and_not_beyond(void **state)
{
	const struct fx_link link = { .delay = 50 * STRATA_MS };
	struct flow f = { 0 };

	(void)state;
	flow_open(&f, "tcp.rcvbuf_max=400KiB tcp.sndbuf_max=300KiB", &link);
	assert_true(flow_rate(&f, 2, 5) > 0);
	assert_int_equal(fx_getsockopt(f.pair.b, f.to, SOL_SOCKET, SO_RCVBUF), 400 << 10);
	assert_int_equal(fx_getsockopt(f.pair.a, f.from, SOL_SOCKET, SO_SNDBUF), 300 << 10);
	flow_close(&f);
}

/* What has been acknowledged before it leaves the cache is copied faster: a near peer gets no more than 1 MiB,
 * one 500 us away what 32 Gbit/s carry in that time. */
static void a_send_buffer_grows_with_the_round_trip(void **state)
{
	static const struct {
		uint64_t delay, least, most;
	} cases[] = {
		{ 10 * STRATA_US, 256 << 10, 1 << 20 },
		{ 250 * STRATA_US, (1 << 20) + 1, 2500000 },
		{ 5 * STRATA_MS, (2500000) + 1, 4 << 20 },
	};

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		const struct fx_link link = { .delay = cases[i].delay, .rate = 200000000,
					      .queue = 10000 };
		struct flow f = { 0 };

		flow_open(&f, NULL, &link);
		assert_true(flow_rate(&f, 1, 1) > 0);
		assert_in_range(fx_getsockopt(f.pair.a, f.from, SOL_SOCKET, SO_SNDBUF), cases[i].least,
				cases[i].most);
		flow_close(&f);
	}
}

static void a_reader_that_stops_makes_no_buffer_grow(void **state)
{
	const struct fx_link link = { .delay = 20 * STRATA_MS };
	struct flow f = { .stopped = true };

	(void)state;
	flow_open(&f, NULL, &link);
	assert_int_equal(flow_rate(&f, 5, 5), 0);
	assert_int_equal(fx_getsockopt(f.pair.b, f.to, SOL_SOCKET, SO_RCVBUF), 128 << 10);
	flow_close(&f);
}

/* ---- one end, by hand ---- */

/* Sends the window full in segments of `length` until it is closed or nothing is taken any more. Returns the
 * payload taken. */
static uint32_t fill(struct fixture *fx, int s, uint32_t length, uint32_t most)
{
	uint32_t sent = 0, taken, i;
	int before = -1;

	while (sent < most) {
		for (i = 0; i < 8; i++, sent += length)
			rx(ACK, .len = length);
		fx_advance(fx, 50);
		fx_discard(fx);
		assert_int_equal(strata_ioctl(fx->stack, s, 0x541b, (int *)&taken), 0);
		if ((int)taken == before)
			break;
		before = (int)taken;
	}
	return (uint32_t)before;
}

/* What the window promises of full segments is worth its memory, and tiny ones take no more of it. */
static void tiny_segments_take_no_more_memory_than_large_ones(void **state)
{
	static const uint32_t lengths[] = { 1448, 1, 10, 100 };
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(lengths); i++) {
		struct fixture *fx = fx_open();
		int listener = listen_on(80), s;
		size_t before;
		uint32_t taken;

		fx_setsockopt(fx, listener, SOL_SOCKET, SO_RCVBUF, 16384);
		s = accept_one(listener, .mss = 1460, .ts = true, .wscale = 4);
		rx(ACK, .text = "x");
		fx_advance(fx, 50);
		fx_discard(fx);
		before = fx->bytes;
		taken = fill(fx, s, lengths[i], 60000);
		/* Never more than was offered; and of full segments, about what the buffer's size says. */
		assert_true(taken <= 32768);
		if (lengths[i] == 1448)
			assert_true(taken >= 16384);
		if (fx->bytes - before > 2 * 32768 + 16384)
			fail_msg("segments of %u: %u bytes of payload take %zu", lengths[i], taken,
				 fx->bytes - before);
		fx_close(fx);
	}
}

static void the_right_edge_never_moves_left(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s;
	uint32_t edge = 0, round;

	(void)state;
	fx_setsockopt(fx, listener, SOL_SOCKET, SO_RCVBUF, 8192);
	s = accept_one(listener, .mss = 1460);
	for (round = 0; round < 60; round++) {
		uint32_t length = round % 3 == 0 ? 1460 : round % 3 == 1 ? 1 : 700;
		char buf[900];
		const struct fx_pkt *pkt;

		rx(ACK, .len = length);
		fx_advance(fx, 50);
		while ((pkt = fx_next(fx)) != NULL) {
			uint32_t now = pkt->tcp.ack + pkt->tcp.win;

			if (edge != 0)
				assert_true((int32_t)(now - edge) >= 0);
			edge = now;
		}
		if (round % 2 == 1)
			fx_recv(fx, s, buf, sizeof(buf));
	}
	fx_close(fx);
}

static void a_window_clamp_bounds_what_is_offered(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s, i;

	(void)state;
	fx_setsockopt(fx, listener, IPPROTO_TCP, TCP_WINDOW_CLAMP, 4000);
	s = accept_one(listener, .mss = 1460);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_WINDOW_CLAMP), 4000);
	/* What the handshake offered stands (RFC 9293 3.8.6); the edge stays until the clamp is reached. */
	for (i = 0; i < 60; i++) {
		char buf[2000];

		rx(ACK, .len = 1460);
		assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 1460);
	}
	fx_advance(fx, 100);
	while (fx_waiting(fx) > 1)
		fx_next(fx);
	assert_in_range(fx_next(fx)->tcp.win, 2000, 4000);
	/* In a connection it cannot be taken back, only changed. */
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_WINDOW_CLAMP, &(int){ 0 }, 4),
			 -EINVAL);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_WINDOW_CLAMP, 1);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_WINDOW_CLAMP), 1152);
	fx_close(fx);
}

static void rcvlowat_holds_the_event_back_and_raises_the_buffer(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = 1460, .wscale = 7);

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 3000);
	rx(ACK, .len = 1460);
	rx(ACK, .len = 1460);
	expect_events(s, EPOLLOUT);
	rx(ACK, .len = 80);
	expect_events(s, EPOLLIN | EPOLLOUT);
	/* More than the buffer holds: it is made larger, as Linux does. */
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 500000);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT), 500000);
	assert_true(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVBUF) >= 700000);
	/* Never more than half of what it may grow to. */
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 1 << 30);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT), 2 << 20);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVBUF, 10000);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 15000);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT), 10000);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_RCVBUF), 20000);
	fx_close(fx);
}

/* ---- readiness ---- */

/* What a poller was told. */
struct told {
	uint32_t events;
	unsigned int calls;
};

static void tell(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct told *told = arg;

	(void)stack;
	(void)s;
	told->events = events;
	told->calls++;
}

static void watch(struct fixture *fx, int s, struct told *told)
{
	assert_int_equal(strata_notify(fx->stack, s, tell, told), 0);
	told->calls = 0;
}

/* What holds, and how often news of it has been told. */
#define expect_told(events_, calls_) \
	do { \
		expect_events(s, events_); \
		assert_int_equal(told.calls, calls_); \
		if (told.calls != 0) \
			assert_int_equal(told.events, events_); \
	} while (0)

static void a_larger_send_buffer_makes_a_socket_writable(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = 1460, .win = 1000);
	static const uint8_t data[20000];
	struct told told = { 0 };

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 5000);
	assert_int_equal(fx_send(fx, s, data, sizeof(data)), 10000);
	watch(fx, s, &told);
	expect_told(0, 0);
	/* Room, but not for a third. */
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 6000);
	expect_told(0, 0);
	assert_int_equal(fx_send(fx, s, data, sizeof(data)), 2000);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 50000);
	expect_told(EPOLLOUT, 1);
	/* A smaller one is no news, but it holds. */
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 5000);
	expect_events(s, 0);
	assert_int_equal(fx_send(fx, s, data, sizeof(data)), -EAGAIN);
	assert_int_equal(told.calls, 1);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUFFORCE, 50000);
	expect_told(EPOLLOUT, 2);
	fx_close(fx);
}

/* As Linux: who was refused bytes waits for the next edge, though the socket can be written to. */
static void a_writer_that_was_refused_is_told_of_a_larger_buffer(void **state)
{
	struct fixture *fx = fx_open(.uncached = true);
	int s = accept_one(listen_on(80), .mss = 1460, .win = 1000);
	static const uint8_t data[90000];
	struct told told = { 0 };

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 50000);
	watch(fx, s, &told);
	fx_fail_at(fx, 3, true);
	/* Memory was short for the rest. */
	assert_in_range(fx_send(fx, s, data, sizeof(data)), 1, sizeof(data) - 1);
	fx_fail_at(fx, 0, false);
	expect_told(EPOLLOUT, 0);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 60000);
	expect_told(EPOLLOUT, 1);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 70000);
	expect_told(EPOLLOUT, 1);
	fx_close(fx);
}

static void rcvlowat_makes_a_socket_readable_and_not(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = 1460);
	struct told told = { 0 };

	(void)state;
	watch(fx, s, &told);
	rx(ACK, .len = 1000);
	expect_events(s, EPOLLIN | EPOLLOUT);
	assert_int_equal(told.events, EPOLLIN);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 1001);
	expect_events(s, EPOLLOUT);
	assert_int_equal(told.calls, 1);
	told.events = 0;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 1000);
	expect_events(s, EPOLLIN | EPOLLOUT);
	assert_int_equal(told.events, EPOLLIN);
	assert_int_equal(told.calls, 2);
	/* Nothing that has not been told. */
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 1);
	assert_int_equal(told.calls, 2);
	/* The end is always readable. */
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 5000);
	expect_events(s, EPOLLOUT);
	rx(FIN | ACK);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 6000);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	fx_close(fx);
}

/* A connection at rest is woken by the call; the option holds as if it had not rested. */
static void a_connection_at_rest_takes_both_options(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = 1460);
	struct told told = { 0 };

	(void)state;
	watch(fx, s, &told);
	fx_advance(fx, 5000);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_RCVLOWAT, 2000);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 5000);
	fx_advance(fx, 5000);
	assert_int_equal(told.calls, 0);
	rx(ACK, .len = 1000);
	expect_events(s, EPOLLOUT);
	rx(ACK, .len = 1000);
	expect_events(s, EPOLLIN | EPOLLOUT);
	assert_int_equal(told.calls, 1);
	fx_close(fx);
}

/* What does not fit in a small buffer is not acknowledged; what fitted is read. */
static void a_small_buffer_keeps_what_it_offered(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s;
	uint32_t acked = 0;
	char buf[8192];
	ssize_t n, i;

	(void)state;
	fx_setsockopt(fx, listener, SOL_SOCKET, SO_RCVBUF, 4096);
	s = accept_one(listener, .mss = 1460);
	for (i = 0; i < 8; i++)
		rx(ACK, .seq = 1 + 1000 * i, .len = 1000);
	fx_advance(fx, 100);
	while (fx_waiting(fx) != 0)
		acked = fx_next(fx)->tcp.ack - fx->conn.peer_isn - 1;
	assert_in_range(acked, 3000, 7999);
	n = fx_recv(fx, s, buf, sizeof(buf));
	assert_int_equal(n, acked);
	for (i = 0; i < n; i++)
		assert_int_equal((uint8_t)buf[i], fx_pattern((uint64_t)i));
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buffers_of_32_kib_carry_as_much_in_a_round_trip),
		cmocka_unit_test(buffers_of_32_kib_by_the_options_carry_as_much),
		cmocka_unit_test(by_default_the_buffers_grow_until_the_path_is_full),
		cmocka_unit_test(a_buffer_set_by_hand_does_not_grow),
		cmocka_unit_test(a_buffer_grows_to_the_modules_maximum_and_not_beyond),
		cmocka_unit_test(a_send_buffer_grows_with_the_round_trip),
		cmocka_unit_test(a_reader_that_stops_makes_no_buffer_grow),
		cmocka_unit_test(tiny_segments_take_no_more_memory_than_large_ones),
		cmocka_unit_test(the_right_edge_never_moves_left),
		cmocka_unit_test(a_window_clamp_bounds_what_is_offered),
		cmocka_unit_test(rcvlowat_holds_the_event_back_and_raises_the_buffer),
		cmocka_unit_test(a_larger_send_buffer_makes_a_socket_writable),
		cmocka_unit_test(a_writer_that_was_refused_is_told_of_a_larger_buffer),
		cmocka_unit_test(rcvlowat_makes_a_socket_readable_and_not),
		cmocka_unit_test(a_connection_at_rest_takes_both_options),
		cmocka_unit_test(a_small_buffer_keeps_what_it_offered),
	};

	return fx_main(tests);
}
