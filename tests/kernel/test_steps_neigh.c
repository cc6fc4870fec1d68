/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What neighbours cost among 10 and among the 1,024 that an interface may have, in steps (steps.h): looking one up,
 * hearing of a new one, and pushing one out where the table is full. The buckets double at once; no more than the
 * entries of an interface are moved then.
 */
#include "net.h"
#include "steps.h"

#define LIMIT 1024
#define SAMPLE 1000

static const uint32_t sizes[] = { 10, 100, LIMIT };

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

static struct strata_addr address(uint32_t i)
{
	uint8_t bytes[4];

	strata_put_be32(bytes, 0x0a000000 + i);
	return strata_addr_make(FOUR, bytes, 4);
}

/* A neighbour made itself known. */
static void hear(uint32_t i, struct steps *cost)
{
	const struct strata_addr a = address(i);
	const struct strata_lladdr lladdr = mac(66);

	steps_begin(cost);
	strata_neigh_heard(net.one, &a, &lladdr, false, true, true);
	steps_end(cost);
}

static bool there(uint32_t i, struct steps *cost)
{
	const struct strata_addr a = address(i);
	const struct strata_neigh *neigh;

	steps_begin(cost);
	neigh = strata_neigh_find(net.one, &a);
	steps_end(cost);
	return neigh != NULL;
}

static void costs_no_more_than(const char *what, uint64_t cost, uint64_t most)
{
	if (cost <= most)
		return;
	print_error("%s: %.2f steps, expected %.2f\n", what, (double)cost / 100, (double)most / 100);
	fail();
}

static void a_neighbour_is_found_and_made_among_many_as_among_few(void **state)
{
	struct steps found[STRATA_COUNT(sizes)] = { { 0 } }, missed[STRATA_COUNT(sizes)] = { { 0 } };
	struct steps come = { 0 };
	uint32_t n, i, count = 0;
	uint64_t rng = 5;

	(void)state;
	for (n = 0; n < STRATA_COUNT(sizes); n++) {
		while (count < sizes[n])
			hear(count++, &come);
		for (i = 0; i < SAMPLE; i++) {
			assert_true(there(rig_below(&rng, count), &found[n]));
			assert_false(there(count + i, &missed[n]));
		}
		costs_no_more_than("a neighbour is found", steps_mean(&found[n]), steps_mean(&found[0]) * 3 / 2);
		costs_no_more_than("none is found", steps_mean(&missed[n]), steps_mean(&missed[0]) * 3 / 2);
	}
	assert_int_equal(net.k->self.counters[KERNEL_COUNT_NEIGHBOURS_EVICTED], 0);
	/* Their share of the doublings included; one that brings one about moves as many as there are. */
	costs_no_more_than("a neighbour comes", steps_mean(&come), steps_mean(&found[0]) * 8);
	costs_no_more_than("a doubling", come.most * 100, steps_mean(&found[0]) * 2 * LIMIT);
}

static void where_the_table_is_full_one_goes_for_each_that_comes(void **state)
{
	struct steps come = { 0 }, instead = { 0 };
	uint32_t i;

	(void)state;
	for (i = 0; i < LIMIT; i++)
		hear(i, &come);
	for (i = 0; i < SAMPLE; i++)
		hear(LIMIT + i, &instead);
	assert_int_equal(net.k->self.counters[KERNEL_COUNT_NEIGHBOURS_EVICTED], SAMPLE);
	costs_no_more_than("a neighbour comes instead", steps_mean(&instead), steps_mean(&come) * 2);
	costs_no_more_than("at the most", instead.most * 100, steps_mean(&come) * 4);
}

/* All are held and talked to: none may go, which is found out by looking at some only. */
static void where_none_may_go_a_bounded_number_is_looked_at(void **state)
{
	struct strata_neigh *held[LIMIT];
	struct steps come = { 0 }, refused = { 0 };
	uint32_t i;

	(void)state;
	for (i = 0; i < LIMIT; i++) {
		const struct strata_addr a = address(i);
		const struct strata_lladdr lladdr = mac(66);

		hear(i, &come);
		strata_neigh_heard(net.one, &a, &lladdr, true, true, false);
		held[i] = strata_neigh_get(net.one, &a);
		assert_non_null(held[i]);
		strata_neigh_output(held[i], strata_pkt_alloc(net.stack, 64, 64), FOUR);
		net_forget(&net);
	}
	for (i = 0; i < SAMPLE; i++)
		hear(LIMIT + i, &refused);
	assert_int_equal(net.k->self.counters[KERNEL_COUNT_NEIGHBOURS_REFUSED], SAMPLE);
	/* 64 of each of three places, those of two of them once more. */
	costs_no_more_than("a refusal", refused.most * 100, UINT64_C(5) * 64 * steps_mean(&come));
	for (i = 0; i < LIMIT; i++)
		strata_neigh_put(held[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_neighbour_is_found_and_made_among_many_as_among_few, setup, teardown),
		cmocka_unit_test_setup_teardown(where_the_table_is_full_one_goes_for_each_that_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(where_none_may_go_a_bounded_number_is_looked_at, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
