/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What routes cost among 100 and among 100,000, in steps (steps.h): a look-up asks each prefix length that is in
 * use, whatever there is of it; and with a route that comes its table grows by one bucket.
 */
#include "net.h"
#include "steps.h"

#define FEW 100
#define MANY 100000
#define SAMPLE 1000

static struct net net;

static int setup(void **state)
{
	(void)state;
	net_open(&net);
	assert_int_equal(net_addr(&net, net.one, "192.0.2.1/24"), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_close(&net);
	return 0;
}

static struct strata_addr address(uint32_t value)
{
	uint8_t bytes[4];

	strata_put_be32(bytes, value);
	return strata_addr_make(FOUR, bytes, sizeof(bytes));
}

static void add(uint32_t to, unsigned int bits, struct steps *cost)
{
	const struct strata_route route = {
		.to = { .addr = address(to), .bits = (uint8_t)bits }, .iface = net.one,
	};

	steps_begin(cost);
	assert_int_equal(strata_route_add(net.stack, &route), 0);
	steps_end(cost);
}

/* The `i`th network of 24 bits: of each 64 that lie side by side the first 25. */
static uint32_t network(uint32_t i)
{
	return 0x0a000000 + (i % 25 + i / 25 * 64) * 256;
}

static void look_up(uint32_t to, unsigned int bits, struct steps *cost)
{
	const struct strata_addr a = address(to);
	const struct strata_route *route;
	bool down;

	steps_begin(cost);
	route = route_lookup(net.k, &a, NULL, &down);
	steps_end(cost);
	assert_non_null(route);
	assert_int_equal(route->to.bits, bits);
}

static void a_route_is_found_among_many_as_among_few(void **state)
{
	static const uint32_t sizes[] = { FEW, 1000, 10000, MANY };
	struct steps found[STRATA_COUNT(sizes)] = { { 0 } }, fallback[STRATA_COUNT(sizes)] = { { 0 } };
	struct steps come[STRATA_COUNT(sizes)] = { { 0 } };
	uint32_t n, i, there = 0;
	uint64_t rng = 3;

	(void)state;
	add(0, 0, &come[0]);
	for (n = 0; n < STRATA_COUNT(sizes); n++) {
		for (; there < sizes[n]; there++)
			add(network(there), 24, &come[n]);
		for (i = 0; i < SAMPLE; i++) {
			look_up(network(rig_below(&rng, there)) + 7, 24, &found[n]);
			/* Next to networks that there are; only the default is left. */
			look_up(network(25 * rig_below(&rng, there / 25)) + 30 * 256, 0, &fallback[n]);
		}
		assert_true(steps_mean(&found[n]) <= steps_mean(&found[0]) * 3 / 2);
		assert_true(steps_mean(&fallback[n]) <= steps_mean(&fallback[0]) * 3 / 2);
		assert_true(found[n].most <= found[0].most * 4);
		assert_true(steps_mean(&come[n]) <= steps_mean(&come[0]) * 2);
		assert_true(come[n].most * 100 <= steps_mean(&come[0]) * 10);
	}
}

static void a_look_up_asks_each_prefix_length_in_use_once(void **state)
{
	struct steps one = { 0 }, all = { 0 }, ignored = { 0 };
	unsigned int bits;

	(void)state;
	add(0, 0, &ignored);
	look_up(0xc6336401, 0, &one);
	for (bits = 1; bits <= 32; bits++)
		add(0x80000000u >> (bits - 1) | 1, bits, &ignored);
	look_up(0, 0, &all);
	assert_true(all.most > one.most);
	assert_true(all.most <= 33 * one.most);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_route_is_found_among_many_as_among_few, setup, teardown),
		cmocka_unit_test_setup_teardown(a_look_up_asks_each_prefix_length_in_use_once, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
