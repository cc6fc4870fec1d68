/* SPDX-License-Identifier: BSD-2-Clause */
/* The small services over TCP, between two stacks: bytes, ends, back-pressure, many, too many. */
#include "fixture.h"

#define STREAM_MODULES "ethernet arp ipv4 icmp newreno tcp echo"
#define SERVER_IP STACK_IP
#define MINUTE (60 * STRATA_SEC)

static const struct fx_link quick = { .delay = 100 * STRATA_US };

static struct fx_pair pair_open(const char *options)
{
	const struct fx_config config = { .modules = STREAM_MODULES, .options = options };

	return fx_pair_open(&config, &quick, 1);
}

/* A client that sends `total` bytes of the pattern and compares what comes back. */
struct client {
	struct fixture *fx;
	int s;
	uint64_t total, sent, received;
	bool shut, ended;
	int error;
};

static void client_open(struct client *c, struct fixture *fx, uint16_t port, uint64_t total)
{
	int err;

	*c = (struct client){ .fx = fx, .s = fx_socket(fx, SOCK_STREAM, 0), .total = total };
	err = fx_connect(fx, c->s, SERVER_IP, port);
	assert_true(err == 0 || err == -EINPROGRESS);
}

static void client_send(struct client *c)
{
	static uint8_t buf[32768];

	while (c->sent < c->total) {
		size_t n = sizeof(buf);
		ssize_t sent;

		if (n > c->total - c->sent)
			n = (size_t)(c->total - c->sent);
		fx_pattern_fill(buf, n, c->sent);
		sent = fx_send(c->fx, c->s, buf, n);
		if (sent < 0 && sent != -EAGAIN)
			c->error = (int)-sent;
		if (sent <= 0)
			return;
		c->sent += (uint64_t)sent;
	}
	if (!c->shut)
		assert_int_equal(strata_shutdown(c->fx->stack, c->s, SHUT_WR), 0);
	c->shut = true;
}

static void client_receive(struct client *c)
{
	static uint8_t buf[32768], want[32768];

	for (;;) {
		ssize_t n = fx_recv(c->fx, c->s, buf, sizeof(buf));

		if (n == 0)
			c->ended = true;
		if (n < 0 && n != -EAGAIN && c->error == 0)
			c->error = (int)-n;
		if (n <= 0)
			return;
		fx_pattern_fill(want, (size_t)n, c->received);
		assert_memory_equal(buf, want, (size_t)n);
		c->received += (uint64_t)n;
	}
}

static bool client_step(struct client *c)
{
	int events = strata_events(c->fx->stack, c->s);

	if ((events & (EPOLLOUT | EPOLLIN | EPOLLHUP | EPOLLERR)) == 0 || c->ended || c->error != 0)
		return c->ended || c->error != 0;
	client_send(c);
	client_receive(c);
	return c->ended || c->error != 0;
}

struct crowd {
	struct client *clients;
	unsigned int count;
};

static bool crowd_done(void *ctx)
{
	struct crowd *crowd = ctx;
	bool done = true;
	unsigned int i;

	for (i = 0; i < crowd->count; i++)
		done &= client_step(&crowd->clients[i]);
	return done;
}

static void expect_whole(const struct client *c)
{
	assert_int_equal(c->error, 0);
	assert_true(c->ended);
	assert_int_equal(c->received, c->total);
}

static void a_stream_comes_back_whole_and_ends(void **state)
{
	struct fx_pair pair = pair_open(NULL);
	struct client c;
	struct crowd one = { &c, 1 };

	(void)state;
	client_open(&c, pair.a, 7, 3 << 20);
	assert_true(fx_join_run(pair.join, MINUTE, crowd_done, &one));
	expect_whole(&c);
	fx_close_socket(pair.a, c.s);
	assert_int_equal(fx_counter(pair.b, "echo", "connections"), 1);
	assert_int_equal(fx_counter(pair.b, "echo", "connections_aborted"), 0);
	fx_pair_close(&pair);
}

static void an_empty_stream_is_just_closed(void **state)
{
	struct fx_pair pair = pair_open(NULL);
	struct client c;
	struct crowd one = { &c, 1 };

	(void)state;
	client_open(&c, pair.a, 7, 0);
	assert_true(fx_join_run(pair.join, MINUTE, crowd_done, &one));
	expect_whole(&c);
	fx_pair_close(&pair);
}

static void a_hundred_connections_at_once_are_all_whole(void **state)
{
	enum { COUNT = 100 };
	struct fx_pair pair = pair_open(NULL);
	static struct client clients[COUNT];
	struct crowd crowd = { clients, COUNT };
	unsigned int i;

	(void)state;
	for (i = 0; i < COUNT; i++)
		client_open(&clients[i], pair.a, 7, 100000 + i);
	assert_true(fx_join_run(pair.join, 10 * MINUTE, crowd_done, &crowd));
	for (i = 0; i < COUNT; i++)
		expect_whole(&clients[i]);
	fx_pair_close(&pair);
}

/* Sends as long as it is taken, and reads nothing. */
static bool flood(void *ctx)
{
	client_send(ctx);
	return false;
}

static void a_peer_that_does_not_read_is_not_read_from_for_ever(void **state)
{
	struct fx_pair pair = pair_open(NULL);
	struct client c;
	struct crowd one = { &c, 1 };
	size_t before, held;
	uint64_t stuck;

	(void)state;
	before = strata_memory_used(pair.b->stack);
	client_open(&c, pair.a, 7, 64 << 20);
	fx_join_run(pair.join, MINUTE, flood, &c);
	stuck = c.sent;
	fx_join_run(pair.join, MINUTE, flood, &c);
	/* It stands still, with no more than the buffers of both ends on the way. */
	assert_int_equal(c.sent, stuck);
	assert_true(stuck < c.total);
	held = strata_memory_used(pair.b->stack) - before;
	assert_true(held < 16 << 20);
	/* Reading sets it going again, and not a byte is missing. */
	assert_true(fx_join_run(pair.join, 60 * MINUTE, crowd_done, &one));
	expect_whole(&c);
	fx_pair_close(&pair);
}

static void discard_reads_all_and_says_nothing(void **state)
{
	struct fx_pair pair = pair_open("echo.discard_tcp=9");
	struct client c;
	struct crowd one = { &c, 1 };

	(void)state;
	client_open(&c, pair.a, 9, 500000);
	assert_true(fx_join_run(pair.join, MINUTE, crowd_done, &one));
	assert_int_equal(c.error, 0);
	assert_int_equal(c.received, 0);
	assert_int_equal(c.sent, 500000);
	fx_pair_close(&pair);
}

struct reader {
	struct fixture *fx;
	int s;
	uint64_t at, wanted;
};

static bool read_chargen(void *ctx)
{
	struct reader *r = ctx;
	uint8_t buf[4096];
	ssize_t n, i;

	while (r->at < r->wanted && (n = fx_recv(r->fx, r->s, buf, sizeof(buf))) > 0) {
		for (i = 0; i < n; i++, r->at++) {
			uint64_t line = r->at / 74, column = r->at % 74;

			assert_int_equal(buf[i], column == 72 ? '\r' : column == 73 ? '\n' :
					 ' ' + (line + column) % 95);
		}
	}
	return r->at >= r->wanted;
}

static void chargen_sends_its_lines_until_the_peer_closes(void **state)
{
	struct fx_pair pair = pair_open("echo.chargen_tcp=19");
	struct reader r = { .fx = pair.a, .s = fx_socket(pair.a, SOCK_STREAM, 0), .wanted = 300000 };
	uint64_t aborted;

	(void)state;
	fx_connect(pair.a, r.s, SERVER_IP, 19);
	assert_true(fx_join_run(pair.join, MINUTE, read_chargen, &r));
	fx_close_socket(pair.a, r.s);
	fx_join_run(pair.join, MINUTE, NULL, NULL);
	aborted = fx_counter(pair.b, "echo", "connections_aborted");
	assert_in_range(aborted, 0, 1);
	fx_pair_close(&pair);
}

static void beyond_the_limit_connections_wait_their_turn(void **state)
{
	enum { COUNT = 10 };
	struct fx_pair pair = pair_open("echo.max_connections=3");
	struct client clients[COUNT];
	struct crowd crowd = { clients, COUNT };
	unsigned int i;

	(void)state;
	for (i = 0; i < COUNT; i++)
		client_open(&clients[i], pair.a, 7, 20000);
	assert_true(fx_join_run(pair.join, MINUTE, crowd_done, &crowd));
	for (i = 0; i < COUNT; i++)
		expect_whole(&clients[i]);
	assert_true(fx_counter(pair.b, "echo", "accept_starved") > 0);
	fx_pair_close(&pair);
}

static void a_full_house_does_not_spin(void **state)
{
	struct fx_pair pair = pair_open("echo.max_connections=1");
	struct client a, b;
	uint64_t before;

	(void)state;
	client_open(&a, pair.a, 7, 64 << 20);
	client_open(&b, pair.a, 7, 10);
	fx_join_run(pair.join, STRATA_SEC, flood, &a);
	before = fx_counter(pair.b, "echo", "accept_starved");
	fx_join_run(pair.join, 10 * STRATA_SEC, flood, &a);
	/* Once a second it looks again. */
	assert_in_range(fx_counter(pair.b, "echo", "accept_starved") - before, 5, 12);
	fx_pair_close(&pair);
}

static void a_drained_service_ends_its_connections_in_good_order(void **state)
{
	struct fx_pair pair = pair_open(NULL);
	struct client c;
	struct crowd one = { &c, 1 };
	char byte;
	int again;

	(void)state;
	client_open(&c, pair.a, 7, 1000);
	/* All but the end is sent. */
	c.shut = true;
	while (c.received < c.total)
		fx_join_run(pair.join, 10 * STRATA_MS, crowd_done, &one);
	assert_false(c.ended);
	strata_stack_drain(pair.b->stack);
	fx_join_run(pair.join, STRATA_SEC, crowd_done, &one);
	expect_whole(&c);
	again = fx_socket(pair.a, SOCK_STREAM, 0);
	fx_connect(pair.a, again, SERVER_IP, 7);
	fx_join_run(pair.join, STRATA_SEC, NULL, NULL);
	assert_int_equal(fx_recv(pair.a, again, &byte, 1), -ECONNREFUSED);
	fx_pair_close(&pair);
}

static void switched_off_and_on_tcp_is_served_again(void **state)
{
	struct fx_pair pair = pair_open(NULL);
	struct strata_error error = { 0 };
	struct client c;
	struct crowd one = { &c, 1 };

	(void)state;
	client_open(&c, pair.a, 7, 64 << 20);
	fx_join_run(pair.join, 2 * STRATA_MS, crowd_done, &one);
	assert_int_equal(strata_module_disable(pair.b->stack, "tcp", &error), 0);
	fx_join_run(pair.join, MINUTE, crowd_done, &one);
	assert_int_equal(c.error, ECONNRESET);
	fx_close_socket(pair.a, c.s);
	assert_int_equal(strata_module_enable(pair.b->stack, "tcp", &error), 0);
	client_open(&c, pair.a, 7, 100000);
	assert_true(fx_join_run(pair.join, MINUTE, crowd_done, &one));
	expect_whole(&c);
	fx_pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_comes_back_whole_and_ends),
		cmocka_unit_test(an_empty_stream_is_just_closed),
		cmocka_unit_test(a_hundred_connections_at_once_are_all_whole),
		cmocka_unit_test(a_peer_that_does_not_read_is_not_read_from_for_ever),
		cmocka_unit_test(discard_reads_all_and_says_nothing),
		cmocka_unit_test(chargen_sends_its_lines_until_the_peer_closes),
		cmocka_unit_test(beyond_the_limit_connections_wait_their_turn),
		cmocka_unit_test(a_full_house_does_not_spin),
		cmocka_unit_test(a_drained_service_ends_its_connections_in_good_order),
		cmocka_unit_test(switched_off_and_on_tcp_is_served_again),
	};

	return fx_main(tests);
}
