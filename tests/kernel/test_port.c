/* SPDX-License-Identifier: BSD-2-Clause */
/* The port table: who may share what (as Linux has it), and how ephemeral ports are chosen. */
#include "rig.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "flow_int.h"

#define NUMBER 6
#define FAMILY 0x0800
#define FAMILY_LONG 0x86dd
#define LOCAL 0x0a000001
#define REMOTE 0x0a000002

struct table {
	struct rig rig;
	struct strata_stack *stack;
};

static void table_open(struct table *t, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	t->rig.seed = seed;
	assert_int_equal(rig_open(&t->rig), 0);
	t->stack = t->rig.stack;
	assert_int_equal(port_init(&t->rig.k), 0);
	assert_int_equal(flow_init(&t->rig.k), 0);
}

static void table_close(struct table *t)
{
	flow_fini(&t->rig.k);
	port_fini(&t->rig.k);
	rig_close(&t->rig);
}

static struct strata_addr address(uint32_t value)
{
	uint8_t bytes[4];

	strata_put_be32(bytes, value);
	return strata_addr_make(FAMILY, bytes, sizeof(bytes));
}

static struct strata_port claim_of(struct strata_addr local, uint16_t port, unsigned int reuse)
{
	return (struct strata_port){
		.local = local, .port = port, .number = NUMBER, .reuse = (uint8_t)reuse,
	};
}

/* Shortest of several runs of the process's CPU time: the machine has other things to do. */
static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * STRATA_SEC + (uint64_t)ts.tv_nsec;
}

static void a_port_is_held_until_it_is_released(void **state)
{
	struct table t;
	struct strata_port a = claim_of(address(0), 7, 0), b = a;

	(void)state;
	table_open(&t, 1);
	assert_int_equal(strata_port_claim(t.stack, &a), 0);
	assert_int_equal(a.port, 7);
	assert_int_equal(strata_port_claim(t.stack, &b), -EADDRINUSE);
	strata_port_release(t.stack, &a);
	strata_port_release(t.stack, &a);
	assert_int_equal(strata_port_claim(t.stack, &b), 0);
	strata_port_release(t.stack, &b);
	table_close(&t);
}

static void transports_have_ports_of_their_own(void **state)
{
	struct table t;
	struct strata_port a = claim_of(address(0), 7, 0), b = a;

	(void)state;
	table_open(&t, 1);
	b.number = 17;
	assert_int_equal(strata_port_claim(t.stack, &a), 0);
	assert_int_equal(strata_port_claim(t.stack, &b), 0);
	strata_port_release(t.stack, &a);
	strata_port_release(t.stack, &b);
	table_close(&t);
}

static void addresses_and_interfaces_keep_claims_apart(void **state)
{
	static const uint8_t any_long[16];
	struct strata_iface iface[2] = { { .index = 1 }, { .index = 2 } };
	const struct strata_addr unset = { 0 }, any = address(0), one = address(LOCAL),
		two = address(LOCAL + 1), other = strata_addr_make(FAMILY_LONG, any_long, 16);
	const struct {
		struct strata_addr a, b;
		struct strata_iface *iface_a, *iface_b;
		int expected;
	} cases[] = {
		{ one, one, NULL, NULL, -EADDRINUSE },
		{ one, two, NULL, NULL, 0 },
		{ any, one, NULL, NULL, -EADDRINUSE },
		{ one, any, NULL, NULL, -EADDRINUSE },
		{ any, other, NULL, NULL, 0 },
		{ unset, other, NULL, NULL, -EADDRINUSE },
		{ one, unset, NULL, NULL, -EADDRINUSE },
		{ any, any, &iface[0], &iface[1], 0 },
		{ any, any, &iface[0], &iface[0], -EADDRINUSE },
		{ any, any, &iface[0], NULL, -EADDRINUSE },
	};
	struct table t;
	unsigned int i;

	(void)state;
	table_open(&t, 1);
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct strata_port a = claim_of(cases[i].a, 7, 0), b = claim_of(cases[i].b, 7, 0);

		a.iface = cases[i].iface_a;
		b.iface = cases[i].iface_b;
		assert_int_equal(strata_port_claim(t.stack, &a), 0);
		assert_int_equal(strata_port_claim(t.stack, &b), cases[i].expected);
		strata_port_release(t.stack, &a);
		strata_port_release(t.stack, &b);
	}
	table_close(&t);
}

/* Each line was tried on Linux: two sockets, any address, the first of them listening or not. */
static void sharing_follows_linux(void **state)
{
	enum {
		NONE = 0, ADDR = STRATA_PORT_REUSE_ADDRESS, PORT = STRATA_PORT_REUSE_PORT,
		DGRAM = STRATA_PORT_DATAGRAM,
	};
	static const struct {
		unsigned int first;
		bool listens;
		unsigned int second;
		int bind, listen;
	} cases[] = {
		{ NONE, false, NONE, -EADDRINUSE, 0 },
		{ ADDR, false, NONE, -EADDRINUSE, 0 },
		{ NONE, false, ADDR, -EADDRINUSE, 0 },
		{ ADDR, false, ADDR, 0, 0 },
		{ ADDR, true, ADDR, -EADDRINUSE, 0 },
		{ PORT, false, PORT, 0, 0 },
		{ PORT, true, PORT, 0, 0 },
		{ PORT, true, ADDR, -EADDRINUSE, 0 },
		{ ADDR | PORT, true, ADDR, -EADDRINUSE, 0 },
		{ ADDR | PORT, true, ADDR | PORT, 0, 0 },
		{ DGRAM, false, DGRAM, -EADDRINUSE, 0 },
		{ DGRAM | ADDR, false, DGRAM, -EADDRINUSE, 0 },
		{ DGRAM | ADDR, false, DGRAM | ADDR, 0, 0 },
		{ DGRAM | PORT, false, DGRAM | PORT, 0, 0 },
		{ DGRAM | PORT, false, DGRAM | ADDR, -EADDRINUSE, 0 },
	};
	struct table t;
	unsigned int i;

	(void)state;
	table_open(&t, 1);
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct strata_port a = claim_of(address(0), 7, cases[i].first);
		struct strata_port b = claim_of(address(0), 7, cases[i].second);

		assert_int_equal(strata_port_claim(t.stack, &a), 0);
		if (cases[i].listens)
			assert_int_equal(strata_port_listen(t.stack, &a), 0);
		assert_int_equal(strata_port_claim(t.stack, &b), cases[i].bind);
		if (cases[i].bind == 0 && (cases[i].first & DGRAM) == 0)
			assert_int_equal(strata_port_listen(t.stack, &b), cases[i].listen);
		strata_port_release(t.stack, &a);
		strata_port_release(t.stack, &b);
	}
	table_close(&t);
}

static void one_of_two_bound_with_reuseaddr_may_listen(void **state)
{
	struct table t;
	struct strata_port a = claim_of(address(0), 7, STRATA_PORT_REUSE_ADDRESS), b = a;

	(void)state;
	table_open(&t, 1);
	assert_int_equal(strata_port_claim(t.stack, &a), 0);
	assert_int_equal(strata_port_claim(t.stack, &b), 0);
	assert_int_equal(strata_port_listen(t.stack, &a), 0);
	assert_int_equal(strata_port_listen(t.stack, &a), 0);
	assert_int_equal(strata_port_listen(t.stack, &b), -EADDRINUSE);
	strata_port_release(t.stack, &a);
	assert_int_equal(strata_port_listen(t.stack, &b), 0);
	strata_port_release(t.stack, &b);
	table_close(&t);
}

static void an_option_set_later_counts(void **state)
{
	struct table t;
	struct strata_port a = claim_of(address(0), 7, 0);
	struct strata_port b = claim_of(address(0), 7, STRATA_PORT_REUSE_ADDRESS);

	(void)state;
	table_open(&t, 1);
	assert_int_equal(strata_port_claim(t.stack, &a), 0);
	assert_int_equal(strata_port_claim(t.stack, &b), -EADDRINUSE);
	port_set_reuse(&t.rig.k, &a, STRATA_PORT_REUSE_ADDRESS);
	assert_int_equal(strata_port_claim(t.stack, &b), 0);
	strata_port_release(t.stack, &a);
	strata_port_release(t.stack, &b);
	table_close(&t);
}

/* ---- connections that came in ---- */

static void a_shared_port_is_held_by_its_last_owner(void **state)
{
	struct table t;
	struct strata_port listener = claim_of(address(0), 7, 0), child = { 0 }, again = listener;

	(void)state;
	table_open(&t, 1);
	assert_int_equal(strata_port_claim(t.stack, &listener), 0);
	assert_int_equal(strata_port_listen(t.stack, &listener), 0);
	strata_port_share(t.stack, &listener, &child);
	assert_int_equal(child.port, 7);
	assert_int_equal(child.reuse & STRATA_PORT_LISTENS, 0);
	strata_port_release(t.stack, &listener);
	assert_int_equal(strata_port_claim(t.stack, &again), -EADDRINUSE);
	strata_port_release(t.stack, &child);
	assert_int_equal(strata_port_claim(t.stack, &again), 0);
	strata_port_release(t.stack, &again);
	table_close(&t);
}

struct outgoing {
	struct strata_port port;
	struct strata_flow flow;
};

static int connect_to(struct table *t, struct outgoing *o, uint32_t remote, uint16_t remote_port)
{
	int err;

	memset(o, 0, sizeof(*o));
	o->flow.key = (struct strata_flow_key){
		.local = address(LOCAL), .remote = address(remote), .remote_port = remote_port,
		.number = NUMBER,
	};
	err = strata_port_claim_flow(t->stack, &o->port, &o->flow.key);
	if (err == 0)
		assert_int_equal(strata_flow_add(t->stack, &o->flow), 0);
	return err;
}

static void disconnect(struct table *t, struct outgoing *o)
{
	strata_flow_remove(t->stack, &o->flow);
	strata_port_release(t->stack, &o->port);
}

static void a_claim_gives_its_place_to_another(void **state)
{
	struct strata_port bound = claim_of(address(0), 7, STRATA_PORT_REUSE_ADDRESS);
	struct strata_port again = claim_of(address(0), 7, 0), heir = { 0 }, none = { 0 };
	struct outgoing o;
	struct table t;
	uint16_t port;

	(void)state;
	table_open(&t, 1);
	assert_int_equal(strata_port_claim(t.stack, &bound), 0);
	strata_port_replace(t.stack, &bound, &heir);
	assert_int_equal(heir.port, 7);
	assert_int_equal(heir.number, NUMBER);
	assert_int_equal(heir.reuse, STRATA_PORT_REUSE_ADDRESS);
	assert_int_equal(bound.port, 0);
	/* What claims nothing gives nothing, and who has a place keeps it. */
	strata_port_release(t.stack, &bound);
	strata_port_replace(t.stack, &bound, &none);
	assert_null(none.link);
	strata_port_replace(t.stack, &none, &heir);
	assert_int_equal(strata_port_claim(t.stack, &again), -EADDRINUSE);
	strata_port_release(t.stack, &heir);
	assert_int_equal(strata_port_claim(t.stack, &again), 0);
	strata_port_release(t.stack, &again);
	/* A client's port, which has no node. */
	assert_int_equal(connect_to(&t, &o, REMOTE, 80), 0);
	port = o.port.port;
	strata_port_replace(t.stack, &o.port, &heir);
	again = claim_of(address(0), port, 0);
	assert_int_equal(strata_port_claim(t.stack, &again), -EADDRINUSE);
	disconnect(&t, &o);
	assert_int_equal(strata_port_claim(t.stack, &again), -EADDRINUSE);
	strata_port_release(t.stack, &heir);
	assert_int_equal(strata_port_claim(t.stack, &again), 0);
	strata_port_release(t.stack, &again);
	table_close(&t);
}

static void a_server_with_reuseaddr_restarts_beside_100000_connections_at_once(void **state)
{
	enum { COUNT = 100000 };
	struct strata_port *children = calloc(COUNT, sizeof(*children));
	struct strata_port listener = claim_of(address(0), 7, STRATA_PORT_REUSE_ADDRESS);
	struct strata_port again = listener;
	struct table t;
	uint64_t start, took;
	unsigned int i;

	(void)state;
	assert_non_null(children);
	table_open(&t, 1);
	assert_int_equal(strata_port_claim(t.stack, &listener), 0);
	assert_int_equal(strata_port_listen(t.stack, &listener), 0);
	for (i = 0; i < COUNT; i++)
		strata_port_share(t.stack, &listener, &children[i]);
	strata_port_release(t.stack, &listener);
	start = cpu_ns();
	assert_int_equal(strata_port_claim(t.stack, &again), 0);
	assert_int_equal(strata_port_listen(t.stack, &again), 0);
	took = cpu_ns() - start;
	assert_true(took < 100 * STRATA_US);
	strata_port_release(t.stack, &again);
	for (i = 0; i < COUNT; i++)
		strata_port_release(t.stack, &children[i]);
	table_close(&t);
	free(children);
}

/* ---- ephemeral ports ---- */

static void ephemeral_ports_are_all_given_and_then_none_in_no_time(void **state)
{
	struct strata_port *claims = calloc(PORT_EPHEMERAL_COUNT, sizeof(*claims));
	uint8_t *seen = calloc(65536, 1);
	struct strata_port more = claim_of(address(0), 0, 0), shared;
	struct table t;
	uint64_t start;
	unsigned int i;

	(void)state;
	assert_true(claims != NULL && seen != NULL);
	table_open(&t, 1);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++) {
		claims[i] = claim_of(address(0), 0, 0);
		assert_int_equal(strata_port_claim(t.stack, &claims[i]), 0);
		assert_in_range(claims[i].port, 32768, 60999);
		assert_int_equal(seen[claims[i].port]++, 0);
	}
	start = cpu_ns();
	for (i = 0; i < 10; i++)
		assert_int_equal(strata_port_claim(t.stack, &more), -EADDRNOTAVAIL);
	assert_true(cpu_ns() - start < 10 * STRATA_MS);
	assert_int_equal(t.rig.k.self.counters[KERNEL_COUNT_PORTS_EXHAUSTED], 10);
	strata_port_release(t.stack, &claims[4711]);
	assert_int_equal(strata_port_claim(t.stack, &more), 0);
	strata_port_release(t.stack, &more);
	more.port = 0;
	assert_int_equal(strata_port_claim(t.stack, &claims[4711]), 0);
	/* Another family's sockets are in nobody's way. */
	shared = claim_of(strata_addr_make(FAMILY_LONG, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16), 0, 0);
	assert_int_equal(strata_port_claim(t.stack, &shared), 0);
	strata_port_release(t.stack, &shared);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++)
		strata_port_release(t.stack, &claims[i]);
	table_close(&t);
	free(seen);
	free(claims);
}

static void ephemeral_ports_are_uniform_and_unlike_for_another_secret(void **state)
{
	enum { BINS = 16, TRIES = 16000 };
	unsigned int bins[BINS] = { 0 }, same = 0, i;
	struct table t, u;

	(void)state;
	table_open(&t, 1);
	table_open(&u, 2);
	for (i = 0; i < TRIES; i++) {
		struct strata_port a = claim_of(address(0), 0, 0), b = a;

		assert_int_equal(strata_port_claim(t.stack, &a), 0);
		assert_int_equal(strata_port_claim(u.stack, &b), 0);
		bins[(a.port - PORT_EPHEMERAL_MIN) * BINS / PORT_EPHEMERAL_COUNT]++;
		same += a.port == b.port;
		strata_port_release(t.stack, &a);
		strata_port_release(u.stack, &b);
	}
	for (i = 0; i < BINS; i++)
		assert_in_range(bins[i], 850, 1150);
	assert_in_range(same, 0, 8);
	table_close(&t);
	table_close(&u);
}

/* ---- outgoing flows: RFC 6056 ---- */

static void flows_to_one_destination_get_consecutive_ports(void **state)
{
	struct outgoing o[100];
	struct table t;
	unsigned int i;

	(void)state;
	table_open(&t, 1);
	for (i = 0; i < 100; i++) {
		assert_int_equal(connect_to(&t, &o[i], REMOTE, 80), 0);
		assert_in_range(o[i].port.port, 32768, 60999);
		assert_int_equal(o[i].flow.key.local_port, o[i].port.port);
		if (i > 0)
			assert_int_equal((o[i].port.port - o[i - 1].port.port + PORT_EPHEMERAL_COUNT) %
					 PORT_EPHEMERAL_COUNT, 1);
	}
	for (i = 0; i < 100; i++)
		disconnect(&t, &o[i]);
	table_close(&t);
}

/* Who replaces a flow is counted in its place: when the range was full once, it is again, and is free after. */
static void a_flow_that_takes_anothers_place_is_counted_once(void **state)
{
	struct strata_flow *heirs = calloc(PORT_EPHEMERAL_COUNT, sizeof(*heirs));
	struct outgoing *o = calloc(PORT_EPHEMERAL_COUNT, sizeof(*o)), more;
	struct table t;
	unsigned int i;

	(void)state;
	assert_non_null(o);
	assert_non_null(heirs);
	table_open(&t, 1);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++) {
		assert_int_equal(connect_to(&t, &o[i], REMOTE, 80), 0);
		strata_flow_replace(t.stack, &o[i].flow, &heirs[i]);
	}
	assert_int_equal(connect_to(&t, &more, REMOTE, 80), -EADDRNOTAVAIL);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++) {
		strata_flow_remove(t.stack, &heirs[i]);
		disconnect(&t, &o[i]);
	}
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++)
		assert_int_equal(connect_to(&t, &o[i], REMOTE, 80), 0);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++)
		disconnect(&t, &o[i]);
	table_close(&t);
	free(heirs);
	free(o);
}

static void first_ports_of_destinations_tell_nothing_of_each_other(void **state)
{
	enum { BINS = 16, TRIES = 8000 };
	unsigned int bins[BINS] = { 0 }, i;
	uint16_t last = 0;
	struct table t;

	(void)state;
	table_open(&t, 1);
	for (i = 0; i < TRIES; i++) {
		struct outgoing o;

		assert_int_equal(connect_to(&t, &o, REMOTE + i, 80), 0);
		bins[(uint16_t)(o.port.port - last) / 4096]++;
		last = o.port.port;
		disconnect(&t, &o);
	}
	/* Differences of independent uniform numbers are triangular around 0: none is preferred. */
	assert_true(bins[0] < TRIES / 4 && bins[15] < TRIES / 4);
	table_close(&t);
}

static void a_full_destination_says_so_in_no_time_and_others_go_on(void **state)
{
	struct outgoing *o = calloc(PORT_EPHEMERAL_COUNT, sizeof(*o)), more;
	struct table t;
	uint64_t start;
	unsigned int i;

	(void)state;
	assert_non_null(o);
	table_open(&t, 1);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++)
		assert_int_equal(connect_to(&t, &o[i], REMOTE, 80), 0);
	start = cpu_ns();
	for (i = 0; i < 10; i++)
		assert_int_equal(connect_to(&t, &more, REMOTE, 80), -EADDRNOTAVAIL);
	assert_true(cpu_ns() - start < 10 * STRATA_MS);
	assert_int_equal(connect_to(&t, &more, REMOTE, 81), 0);
	disconnect(&t, &more);
	assert_int_equal(connect_to(&t, &more, REMOTE + 1, 80), 0);
	disconnect(&t, &more);
	disconnect(&t, &o[1234]);
	assert_int_equal(connect_to(&t, &more, REMOTE, 80), 0);
	disconnect(&t, &more);
	assert_int_equal(connect_to(&t, &o[1234], REMOTE, 80), 0);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++)
		disconnect(&t, &o[i]);
	table_close(&t);
	free(o);
}

static void ports_that_were_bound_are_left_to_their_owners(void **state)
{
	struct strata_port *claims = calloc(PORT_EPHEMERAL_COUNT, sizeof(*claims));
	struct outgoing a, b;
	struct table t;
	unsigned int i;

	(void)state;
	assert_non_null(claims);
	table_open(&t, 1);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++) {
		claims[i] = claim_of(address(0), (uint16_t)(PORT_EPHEMERAL_MIN + i), 0);
		if (i != 777)
			assert_int_equal(strata_port_claim(t.stack, &claims[i]), 0);
	}
	assert_int_equal(connect_to(&t, &a, REMOTE, 80), 0);
	assert_int_equal(a.port.port, PORT_EPHEMERAL_MIN + 777);
	assert_int_equal(connect_to(&t, &b, REMOTE, 80), -EADDRNOTAVAIL);
	/* A port that serves flows serves further ones, but is not to be bound. */
	assert_int_equal(connect_to(&t, &b, REMOTE + 1, 80), 0);
	assert_int_equal(b.port.port, a.port.port);
	assert_int_equal(strata_port_claim(t.stack, &claims[777]), -EADDRINUSE);
	disconnect(&t, &a);
	disconnect(&t, &b);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++)
		strata_port_release(t.stack, &claims[i]);
	table_close(&t);
	free(claims);
}

static void without_memory_a_claim_fails_and_later_succeeds(void **state)
{
	struct strata_port claim = claim_of(address(0), 7, 0), ephemeral = claim_of(address(0), 0, 0);
	struct outgoing o;
	struct table t;

	(void)state;
	table_open(&t, 1);
	rig_starve(&t.rig, true);
	assert_int_equal(strata_port_claim(t.stack, &claim), -ENOBUFS);
	assert_int_equal(strata_port_claim(t.stack, &ephemeral), -ENOBUFS);
	assert_int_equal(connect_to(&t, &o, REMOTE, 80), -ENOBUFS);
	rig_starve(&t.rig, false);
	assert_int_equal(strata_port_claim(t.stack, &claim), 0);
	/* A port that was chosen and could not be had is not in the key. */
	rig_starve(&t.rig, true);
	assert_int_equal(connect_to(&t, &o, REMOTE, 80), -ENOBUFS);
	assert_int_equal(o.flow.key.local_port, 0);
	rig_starve(&t.rig, false);
	assert_int_equal(strata_port_claim(t.stack, &ephemeral), 0);
	assert_int_equal(connect_to(&t, &o, REMOTE, 80), 0);
	disconnect(&t, &o);
	strata_port_release(t.stack, &claim);
	strata_port_release(t.stack, &ephemeral);
	/* The refusals were counted and, by the memory, logged. */
	memset(t.rig.log, 0, sizeof(t.rig.log));
	table_close(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_port_is_held_until_it_is_released),
		cmocka_unit_test(transports_have_ports_of_their_own),
		cmocka_unit_test(addresses_and_interfaces_keep_claims_apart),
		cmocka_unit_test(sharing_follows_linux),
		cmocka_unit_test(one_of_two_bound_with_reuseaddr_may_listen),
		cmocka_unit_test(an_option_set_later_counts),
		cmocka_unit_test(a_shared_port_is_held_by_its_last_owner),
		cmocka_unit_test(a_claim_gives_its_place_to_another),
		cmocka_unit_test(a_server_with_reuseaddr_restarts_beside_100000_connections_at_once),
		cmocka_unit_test(ephemeral_ports_are_all_given_and_then_none_in_no_time),
		cmocka_unit_test(ephemeral_ports_are_uniform_and_unlike_for_another_secret),
		cmocka_unit_test(flows_to_one_destination_get_consecutive_ports),
		cmocka_unit_test(a_flow_that_takes_anothers_place_is_counted_once),
		cmocka_unit_test(first_ports_of_destinations_tell_nothing_of_each_other),
		cmocka_unit_test(a_full_destination_says_so_in_no_time_and_others_go_on),
		cmocka_unit_test(ports_that_were_bound_are_left_to_their_owners),
		cmocka_unit_test(without_memory_a_claim_fails_and_later_succeeds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
