/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What TCP does for one connection while 100, and while 20,000 others are held, in steps (tests/kernel/steps.h):
 * opening it either way, an exchange on it, its end. The module is compiled once more for this, so that its own
 * basic blocks count; what it has from the kernel counts in tests/kernel/test_steps.
 */
#include "fixture.h"
#include "steps.h"

enum { FEW = 100, SOME = 2000, MANY = 20000, SAMPLE = 200, PEER_PORTS = 1024, SERVERS = 30000 };

static const unsigned int sizes[] = { FEW, SOME, MANY };

/* What a row of connections cost while so many others were there. */
struct costs {
	struct steps accept, exchange, close, connect;
};

static struct fx_conn conn_of(unsigned int i)
{
	return (struct fx_conn){ .peer_port = (uint16_t)(PEER_PORTS + i), .stack_port = 80,
				 .peer_isn = 1000 * i };
}

static int open_one(struct fixture *fx, int listener, struct fx_conn *conn, struct steps *cost)
{
	int s;

	steps_begin(cost);
	s = accept_one(listener, .mss = 1460, .sack_ok = true, .ts = true, .wscale = 7, .conn = conn);
	steps_end(cost);
	return s;
}

/* Acknowledgements that go before are of no interest. */
static void leave_last(struct fixture *fx)
{
	while (fx_waiting(fx) > 1)
		fx_next(fx);
}

static void exchange(struct fixture *fx, int s, struct fx_conn *conn, struct steps *cost)
{
	char buf[16];

	steps_begin(cost);
	rx(ACK | PSH, .text = "request", .conn = conn);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 7);
	assert_int_equal(fx_send(fx, s, "answer", 6), 6);
	leave_last(fx);
	expect_tx(ACK, .text = "answer", .conn = conn);
	rx(ACK, .conn = conn);
	steps_end(cost);
	assert_int_equal(fx_waiting(fx), 0);
}

/* The peer ends it; no record of it stays. */
static void close_one(struct fixture *fx, int s, struct fx_conn *conn, struct steps *cost)
{
	steps_begin(cost);
	rx(FIN | ACK, .conn = conn);
	fx_close_socket(fx, s);
	fx_run(fx);
	leave_last(fx);
	expect_tx(FIN | ACK, .conn = conn);
	rx(ACK, .conn = conn);
	steps_end(cost);
}

static int connect_to(struct fixture *fx, uint16_t port, struct steps *cost)
{
	struct fx_conn conn = { .peer_isn = 7 };
	int s;

	steps_begin(cost);
	s = connect_one(port, .mss = 1460, .sack_ok = true, .ts = true, .wscale = 7, .conn = &conn);
	steps_end(cost);
	return s;
}

static void sample(struct fixture *fx, int listener, unsigned int held, struct costs *costs)
{
	unsigned int i;

	for (i = 0; i < SAMPLE; i++) {
		struct fx_conn conn = conn_of(held + i);
		int s = open_one(fx, listener, &conn, &costs->accept);

		exchange(fx, s, &conn, &costs->exchange);
		close_one(fx, s, &conn, &costs->close);
		fx_close_socket(fx, connect_to(fx, (uint16_t)(SERVERS + i), &costs->connect));
		fx_run(fx);
		fx_discard(fx);
	}
}

static void costs_the_same(const char *what, unsigned int held, const struct steps *few, const struct steps *many)
{
	uint64_t mean = steps_mean(few);

	assert_true(mean > 1000);	/* the module that counts was loaded */
	if (steps_mean(many) <= mean + mean / 10 && many->most * 100 <= 2 * mean)
		return;
	print_error("%s: %.2f steps among %u, %.2f among %u, %llu at the most\n", what, (double)mean / 100, FEW,
		    (double)steps_mean(many) / 100, held, (unsigned long long)many->most);
	fail();
}

static void a_connection_costs_the_same_however_many_are_held(void **state)
{
	struct fixture *fx = fx_open();
	struct costs costs[STRATA_COUNT(sizes)] = { 0 };
	struct steps ignored = { 0 };
	unsigned int n, held = 0;
	int listener = listen_on(80);

	(void)state;
	for (n = 0; n < STRATA_COUNT(sizes); n++) {
		for (; held < sizes[n]; held++) {
			struct fx_conn conn = conn_of(held);

			open_one(fx, listener, &conn, &ignored);
		}
		/* Those that were busy rest by then, and TIME-WAIT is over. */
		fx_advance(fx, 120000);
		fx_discard(fx);
		sample(fx, listener, held, &costs[n]);
		costs_the_same("handshake and accept", held, &costs[0].accept, &costs[n].accept);
		costs_the_same("exchange", held, &costs[0].exchange, &costs[n].exchange);
		costs_the_same("end", held, &costs[0].close, &costs[n].close);
		costs_the_same("handshake of our own", held, &costs[0].connect, &costs[n].connect);
	}
	assert_int_equal(fx_counter(fx, "tcp", "established"), MANY);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_costs_the_same_however_many_are_held),
	};
	const char *build = getenv("abs_top_builddir"), *modules = fx_module_path();
	char path[4096];

	snprintf(path, sizeof(path), "%s/tests/modules/tcp/.libs:%s", build != NULL ? build : ".",
		 modules != NULL ? modules : "modules/.libs");
	setenv("STRATA_MODULE_PATH", path, 1);
	return fx_main(tests);
}
