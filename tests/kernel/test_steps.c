/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What flows, ports, sockets and timers cost among 100 and among 100,000, in steps (steps.h). Entering or leaving
 * a table may begin to resize it; then it pays a share, which is bounded. Only socket descriptors are copied at
 * once when their table doubles, in one call of libc's. Ephemeral ports are 28,232; what choosing one of the last
 * costs is bounded too.
 */
#include "rig.h"

#include <errno.h>
#include <stdlib.h>

#include "flow_int.h"
#include "iface.h"
#include "socket_int.h"
#include "steps.h"

#define NUMBER 6
#define FAMILY 0x9001
#define FEW 100
#define MANY 100000
/* Operations of which the mean is taken. */
#define SAMPLE 1000

static const uint32_t sizes[] = { FEW, 1000, 10000, MANY };

struct kernel_parts {
	struct rig rig;			/* first */
	struct strata_stack *stack;
	struct strata_flow *flows;
	uint64_t random;
};

static void parts_open(struct kernel_parts *p)
{
	memset(p, 0, sizeof(*p));
	p->rig.seed = 1;
	p->random = 1;
	assert_int_equal(rig_open(&p->rig), 0);
	p->stack = p->rig.stack;
	assert_int_equal(port_init(&p->rig.k), 0);
	assert_int_equal(flow_init(&p->rig.k), 0);
	assert_int_equal(addr_init(&p->rig.k), 0);
	assert_int_equal(socket_init(&p->rig.k), 0);
}

static void parts_close(struct kernel_parts *p)
{
	socket_fini(&p->rig.k);
	addr_fini(&p->rig.k);
	flow_fini(&p->rig.k);
	port_fini(&p->rig.k);
	rig_close(&p->rig);
	free(p->flows);
}

/* One among many costs no more than half as much again as one among few. */
static void costs_the_same(const char *what, const struct steps cost[STRATA_COUNT(sizes)])
{
	uint64_t few = steps_mean(&cost[0]);
	size_t i;

	assert_true(few > 100);		/* it counts: no operation is without a step */
	for (i = 1; i < STRATA_COUNT(sizes); i++) {
		if (steps_mean(&cost[i]) <= few + few / 2)
			continue;
		print_error("%s: %.2f steps among %u, %.2f among %u\n", what, (double)few / 100, FEW,
			    (double)steps_mean(&cost[i]) / 100, sizes[i]);
		fail();
	}
}

/* No single one costs more than a hundred do: a whole table of them would be thousands. */
static void costs_no_peak(const char *what, const struct steps *cost)
{
	if (cost->most <= steps_mean(cost))
		return;
	print_error("%s: %llu steps at the most, in the mean %.2f\n", what, (unsigned long long)cost->most,
		    (double)steps_mean(cost) / 100);
	fail();
}

/* ---- flows ---- */

static struct strata_addr address(uint32_t value)
{
	uint8_t bytes[4];

	strata_put_be32(bytes, value);
	return strata_addr_make(FAMILY, bytes, sizeof(bytes));
}

/* The connection of client `i` to a server's port. */
static struct strata_flow_key key_of(uint32_t i)
{
	return (struct strata_flow_key){
		.local = address(0x0a000001), .remote = address(0x0b000000 + i / 50000),
		.local_port = 80, .remote_port = (uint16_t)(1024 + i % 50000), .number = NUMBER,
	};
}

static struct strata_flow *find(struct kernel_parts *p, const struct strata_flow_key *key)
{
	struct strata_pkt pkt = {
		.stack = p->stack, .src = key->remote, .dst = key->local, .number = key->number,
	};

	return strata_flow_find(&pkt, key->local_port, key->remote_port);
}

static void flows_add(struct kernel_parts *p, uint32_t from, uint32_t to, struct steps *cost)
{
	uint32_t i;

	for (i = from; i < to; i++) {
		p->flows[i].key = key_of(i);
		steps_begin(cost);
		assert_int_equal(strata_flow_add(p->stack, &p->flows[i]), 0);
		steps_end(cost);
	}
}

static void a_flow_is_found_among_many_as_among_few(void **state)
{
	struct steps found[STRATA_COUNT(sizes)] = { { 0 } }, heard[STRATA_COUNT(sizes)] = { { 0 } };
	struct strata_flow listener = { .key = { .local_port = 80, .number = NUMBER } };
	struct steps add = { 0 };
	struct kernel_parts p;
	uint32_t i, n, there = 0;

	(void)state;
	parts_open(&p);
	p.flows = calloc(MANY, sizeof(*p.flows));
	assert_int_equal(strata_flow_listen(p.stack, &listener), 0);
	for (n = 0; n < STRATA_COUNT(sizes); n++) {
		flows_add(&p, there, sizes[n], &add);
		there = sizes[n];
		for (i = 0; i < SAMPLE; i++) {
			const uint32_t one = rig_below(&p.random, there);
			struct strata_flow_key key = key_of(one);

			steps_begin(&found[n]);
			assert_ptr_equal(find(&p, &key), &p.flows[one]);
			steps_end(&found[n]);
			/* A new one's comes to the listener. */
			key = key_of(MANY + one);
			steps_begin(&heard[n]);
			assert_ptr_equal(find(&p, &key), &listener);
			steps_end(&heard[n]);
		}
	}
	costs_the_same("a flow is found", found);
	costs_the_same("a listener is found", heard);
	for (i = 0; i < MANY; i++)
		strata_flow_remove(p.stack, &p.flows[i]);
	strata_flow_remove(p.stack, &listener);
	parts_close(&p);
}

static void no_flow_that_comes_or_goes_pays_for_a_whole_resize(void **state)
{
	struct steps add = { 0 }, remove = { 0 };
	struct kernel_parts p;
	uint32_t i;

	(void)state;
	parts_open(&p);
	p.flows = calloc(MANY, sizeof(*p.flows));
	flows_add(&p, 0, MANY, &add);
	for (i = 0; i < MANY; i++) {
		steps_begin(&remove);
		strata_flow_remove(p.stack, &p.flows[i]);
		steps_end(&remove);
	}
	costs_no_peak("a flow comes", &add);
	costs_no_peak("a flow goes", &remove);
	parts_close(&p);
}

/* ---- ephemeral ports ---- */

/* No choice costs more than so many that succeed at once: 64 look-ups, and a walk over the words of a bitmap. */
#define CHOICE_MOST 200

struct outgoing {
	struct strata_port port;
	struct strata_flow flow;
};

/* A flow to one of several servers, from a port that is chosen. */
static int connect_timed(struct kernel_parts *p, struct outgoing *o, uint32_t server, struct steps *cost)
{
	int err;

	memset(o, 0, sizeof(*o));
	o->flow.key = (struct strata_flow_key){
		.local = address(0x0a000001), .remote = address(0x0b000000 + server), .remote_port = 80,
		.number = NUMBER,
	};
	steps_begin(cost);
	err = strata_port_claim_flow(p->stack, &o->port, &o->flow.key);
	steps_end(cost);
	if (err == 0)
		assert_int_equal(strata_flow_add(p->stack, &o->flow), 0);
	return err;
}

static void disconnect(struct kernel_parts *p, struct outgoing *o)
{
	strata_flow_remove(p->stack, &o->flow);
	strata_port_release(p->stack, &o->port);
}

static int bind_timed(struct kernel_parts *p, struct strata_port *claim, struct steps *cost)
{
	int err;

	*claim = (struct strata_port){ .local = address(0), .number = NUMBER };
	steps_begin(cost);
	err = strata_port_claim(p->stack, claim);
	steps_end(cost);
	return err;
}

/* No single one costs more than `times` ordinary ones in the mean. */
static void costs_no_more_than(const char *what, const struct steps *cost, uint64_t times,
			       const struct steps *ordinary)
{
	if (cost->most * 100 <= times * steps_mean(ordinary))
		return;
	print_error("%s: %llu steps at the most, expected %llu times %.2f\n", what, (unsigned long long)cost->most,
		    (unsigned long long)times, (double)steps_mean(ordinary) / 100);
	fail();
}

static void a_port_for_a_flow_costs_the_same_while_there_are_some(void **state)
{
	static const uint32_t taken[] = { FEW, 1000, 10000, 27000 };
	struct steps cost[STRATA_COUNT(taken)] = { { 0 } }, ignored = { 0 };
	struct outgoing *o = calloc(PORT_EPHEMERAL_COUNT, sizeof(*o));
	struct kernel_parts p;
	uint32_t n, there = 0, i;

	(void)state;
	assert_non_null(o);
	parts_open(&p);
	for (n = 0; n < STRATA_COUNT(taken); n++) {
		while (there < taken[n])
			assert_int_equal(connect_timed(&p, &o[there++], 1, &ignored), 0);
		for (i = 0; i < SAMPLE; i++)
			assert_int_equal(connect_timed(&p, &o[there++], 1, &cost[n]), 0);
	}
	costs_the_same("a port for a flow", cost);
	while (there > 0)
		disconnect(&p, &o[--there]);
	parts_close(&p);
	free(o);
}

/* RFC 6056 3.3.4 tries port by port, which among 28,231 taken would be 14,000 look-ups in the mean. */
static void the_last_port_for_a_flow_is_found_in_bounded_steps(void **state)
{
	struct outgoing *o = calloc(PORT_EPHEMERAL_COUNT, sizeof(*o)), more;
	struct steps last = { 0 }, none = { 0 }, all = { 0 };
	struct kernel_parts p;
	uint32_t i;

	(void)state;
	assert_non_null(o);
	parts_open(&p);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++)
		assert_int_equal(connect_timed(&p, &o[i], 1, &all), 0);
	for (i = 0; i < SAMPLE; i++) {
		struct outgoing *one = &o[rig_below(&p.random, PORT_EPHEMERAL_COUNT)];
		const uint16_t port = one->port.port;

		assert_int_equal(connect_timed(&p, &more, 1, &none), -EADDRNOTAVAIL);
		disconnect(&p, one);
		assert_int_equal(connect_timed(&p, one, 1, &last), 0);
		assert_int_equal(one->port.port, port);
	}
	costs_no_more_than("the last port for a flow", &last, CHOICE_MOST, &all);
	costs_no_more_than("no port for a flow", &none, 2, &all);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++)
		disconnect(&p, &o[i]);
	parts_close(&p);
	free(o);
}

/* Where every port serves some server, the one that is free for this one must be looked for. */
static void the_last_port_of_two_servers_is_found_with_a_look_up_each(void **state)
{
	struct outgoing *o = calloc(2 * PORT_EPHEMERAL_COUNT, sizeof(*o));
	struct steps last = { 0 }, all = { 0 };
	struct kernel_parts p;
	uint32_t i;

	(void)state;
	assert_non_null(o);
	parts_open(&p);
	for (i = 0; i < 2 * PORT_EPHEMERAL_COUNT; i++)
		assert_int_equal(connect_timed(&p, &o[i], i % 2, &all), 0);
	for (i = 0; i < 10; i++) {
		const uint32_t one = rig_below(&p.random, 2 * PORT_EPHEMERAL_COUNT);
		const uint16_t port = o[one].port.port;

		disconnect(&p, &o[one]);
		assert_int_equal(connect_timed(&p, &o[one], one % 2, &last), 0);
		assert_int_equal(o[one].port.port, port);
	}
	costs_no_more_than("the last port of two servers", &last, PORT_EPHEMERAL_COUNT, &all);
	for (i = 0; i < 2 * PORT_EPHEMERAL_COUNT; i++)
		disconnect(&p, &o[i]);
	parts_close(&p);
	free(o);
}

static void a_port_to_bind_is_found_in_bounded_steps_to_the_last(void **state)
{
	struct strata_port *claims = calloc(PORT_EPHEMERAL_COUNT, sizeof(*claims)), more;
	struct steps all = { 0 }, last = { 0 }, none = { 0 };
	struct kernel_parts p;
	uint32_t i;

	(void)state;
	assert_non_null(claims);
	parts_open(&p);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++)
		assert_int_equal(bind_timed(&p, &claims[i], &all), 0);
	for (i = 0; i < SAMPLE; i++) {
		struct strata_port *one = &claims[rig_below(&p.random, PORT_EPHEMERAL_COUNT)];

		assert_int_equal(bind_timed(&p, &more, &none), -EADDRNOTAVAIL);
		strata_port_release(p.stack, one);
		assert_int_equal(bind_timed(&p, one, &last), 0);
	}
	costs_no_more_than("the last port to bind", &last, CHOICE_MOST, &all);
	/* 2,048 are looked at for one to share. */
	costs_no_more_than("no port to bind", &none, 2048, &all);
	for (i = 0; i < PORT_EPHEMERAL_COUNT; i++)
		strata_port_release(p.stack, &claims[i]);
	parts_close(&p);
	free(claims);
}

/* ---- sockets ---- */

static int accept_one(struct strata_socket *sock, struct strata_socket **out)
{
	*out = strata_socket_spawn(sock);
	return *out != NULL ? 0 : -ENOBUFS;
}

static const struct strata_transport_ops stream_ops = {
	.socket_size = sizeof(struct strata_socket), .type = SOCK_STREAM, .accept = accept_one,
};
static const struct strata_module stream = {
	.kind = STRATA_TRANSPORT, .name = "stream", .number = NUMBER, .transport = &stream_ops,
};

/* A listener in slot 0, whose connections are there whenever they are asked for. */
static void listener_open(struct kernel_parts *p, struct strata_instance *transport)
{
	struct strata_socket parent = {
		.stack = p->stack, .transport = transport, .network = transport, .family = FAMILY,
	};
	struct strata_socket *sock;
	int slot;

	*transport = (struct strata_instance){ .module = &stream, .name = "stream", .stack = p->stack };
	sock = strata_socket_spawn(&parent);
	assert_non_null(sock);
	slot = socket_slot_find(&p->rig.k);
	assert_int_equal(slot, 0);
	socket_slot_take(&p->rig.k, slot, sock);
}

static void accept_timed(struct kernel_parts *p, int expected, struct steps *cost)
{
	steps_begin(cost);
	assert_int_equal(strata_accept(p->stack, 0, NULL, NULL), expected);
	steps_end(cost);
}

static void accept_costs_the_same_however_many_are_held(void **state)
{
	struct steps cost[STRATA_COUNT(sizes)] = { { 0 } }, ignored = { 0 };
	struct strata_instance transport;
	struct kernel_parts p;
	uint32_t n, held = 0, i;

	(void)state;
	parts_open(&p);
	listener_open(&p, &transport);
	for (n = 0; n < STRATA_COUNT(sizes); n++) {
		while (held < sizes[n])
			accept_timed(&p, (int)++held, &ignored);
		for (i = 0; i < SAMPLE; i++)
			accept_timed(&p, (int)++held, &cost[n]);
	}
	costs_the_same("accept", cost);
	costs_no_peak("accept", &ignored);
	parts_close(&p);
}

/* Old connections end while new ones come: the lowest number is free, then it is not. */
static void accept_costs_the_same_while_others_end(void **state)
{
	struct steps cost[STRATA_COUNT(sizes)] = { { 0 } }, ignored = { 0 };
	struct strata_instance transport;
	struct kernel_parts p;
	uint32_t n, held = 0, i;

	(void)state;
	parts_open(&p);
	listener_open(&p, &transport);
	for (n = 0; n < STRATA_COUNT(sizes); n++) {
		while (held < sizes[n])
			accept_timed(&p, (int)++held, &ignored);
		for (i = 0; i < SAMPLE; i++) {
			const int low = 1 + (int)rig_below(&p.random, 64);

			assert_int_equal(strata_close(p.stack, low), 0);
			accept_timed(&p, low, &cost[n]);
			accept_timed(&p, (int)++held, &cost[n]);
		}
	}
	costs_the_same("accept while others end", cost);
	parts_close(&p);
}

/* ---- timers ---- */

static void fire(struct strata_stack *stack, struct strata_timer *timer)
{
	(void)stack;
	timer->deadline = STRATA_NEVER;
}

/* Within the hour that connections' timers lie in. */
static uint64_t some_time(struct kernel_parts *p)
{
	return p->stack->now + STRATA_MS + rig_random(&p->random) % (3600 * STRATA_SEC);
}

static void a_timer_starts_stops_and_fires_among_many_as_among_few(void **state)
{
	struct steps start[STRATA_COUNT(sizes)] = { { 0 } }, stop[STRATA_COUNT(sizes)] = { { 0 } };
	uint64_t fired[STRATA_COUNT(sizes)];
	struct strata_timer *timers = calloc(MANY, sizeof(*timers));
	struct kernel_parts p;
	uint32_t n, i;

	(void)state;
	for (n = 0; n < STRATA_COUNT(sizes); n++) {
		uint64_t begun, next;

		parts_open(&p);
		for (i = 0; i < sizes[n]; i++) {
			timers[i].fire = fire;
			strata_timer_start(p.stack, &timers[i], some_time(&p));
		}
		for (i = 0; i < SAMPLE; i++) {
			struct strata_timer *timer = &timers[rig_below(&p.random, sizes[n])];

			steps_begin(&stop[n]);
			strata_timer_stop(p.stack, timer);
			steps_end(&stop[n]);
			steps_begin(&start[n]);
			strata_timer_start(p.stack, timer, some_time(&p));
			steps_end(&start[n]);
		}
		/* All of them, each at its time, as a loop does that asks for the next. */
		begun = steps_now();
		while ((next = timer_next(&p.rig.k)) != STRATA_NEVER) {
			kernel_set_now(&p.rig.k, next);
			timer_run(&p.rig.k);
		}
		fired[n] = (steps_now() - begun) / sizes[n];
		for (i = 0; i < sizes[n]; i++)
			assert_int_equal(timers[i].deadline, STRATA_NEVER);
		assert_true(fired[n] <= fired[0] * 3 / 2);
		parts_close(&p);
	}
	costs_the_same("a timer is started", start);
	costs_the_same("a timer is stopped", stop);
	free(timers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_is_found_among_many_as_among_few),
		cmocka_unit_test(no_flow_that_comes_or_goes_pays_for_a_whole_resize),
		cmocka_unit_test(a_port_for_a_flow_costs_the_same_while_there_are_some),
		cmocka_unit_test(the_last_port_for_a_flow_is_found_in_bounded_steps),
		cmocka_unit_test(the_last_port_of_two_servers_is_found_with_a_look_up_each),
		cmocka_unit_test(a_port_to_bind_is_found_in_bounded_steps_to_the_last),
		cmocka_unit_test(accept_costs_the_same_however_many_are_held),
		cmocka_unit_test(accept_costs_the_same_while_others_end),
		cmocka_unit_test(a_timer_starts_stops_and_fires_among_many_as_among_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
