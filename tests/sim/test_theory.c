/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion control against theory, on a bottleneck in the simulator: mean windows, paths filled, paths
 * shared. `make bench-theory` measures the same on larger paths and for longer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "dumbbell.h"

static struct dumbbell_result run(const struct dumbbell *d)
{
	struct dumbbell_result result;

	assert_int_equal(dumbbell_run(d, &result), 0);
	return result;
}

/* Each 1/p-th packet is lost on a path of 100 ms without other limits. */
static void assert_mean_window(const char *algorithm, double p, bool super)
{
	double expected = dumbbell_expected(algorithm, p, 0.1), measured;
	struct dumbbell d = { .rtt = 100 * STRATA_MS, .flows = 1, .duration = 400 * STRATA_SEC,
			      .warmup_losses = 4, .losses = 16, .flow = { { algorithm, 0 } },
			      .super = super, .every = (uint64_t)llround(1 / p), .first = (uint64_t)(expected * 1.2) };
	struct dumbbell_result r = run(&d);

	measured = r.flow[0].window;
	assert_int_equal(r.losses, 12);
	if (fabs(measured / expected - 1) > 0.15)
		fail_msg("%s, p = %g: a mean window of %.1f segments, expected %.1f", algorithm, p, measured,
			 expected);
	dumbbell_free(&r);
}

static void the_mean_window_of_newreno_is_mathis_s(void **state)
{
	(void)state;
	assert_mean_window("newreno", 1e-2, false);
	assert_mean_window("newreno", 1e-3, false);
	/* One ACK for a flight tells what arrived and what did not. */
	assert_mean_window("newreno", 1e-2, true);
	assert_mean_window("newreno", 1e-3, true);
}

static void the_mean_window_of_cubic_is_rfc_9438_s(void **state)
{
	(void)state;
	/* As Reno, and in a region of its own. */
	assert_mean_window("cubic", 1e-2, false);
	assert_mean_window("cubic", 1e-3, false);
	assert_mean_window("cubic", 1e-4, false);
	assert_mean_window("cubic", 1e-2, true);
	assert_mean_window("cubic", 1e-3, true);
}

/* 40 ms, a queue of one bandwidth-delay product. */
#define PATH(rate_) .rtt = 40 * STRATA_MS, .rate = (rate_), .queue = (rate_) / 8 / 25, .buffers = 16 << 20

static void assert_fills(const char *algorithm, uint64_t rate, uint32_t loss, double least, bool super)
{
	struct dumbbell d = { PATH(rate), .loss = loss, .flows = 1, .warmup = 2 * STRATA_SEC,
			      .duration = 8 * STRATA_SEC, .super = super, .flow = { { algorithm, 0 } } };
	struct dumbbell_result r = run(&d);

	if (r.used < least)
		fail_msg("%s fills %.1f %%", algorithm, r.used * 100);
	dumbbell_free(&r);
}

static void each_fills_a_path_with_a_queue_of_one_bandwidth_delay_product(void **state)
{
	(void)state;
	for (int super = 0; super < 2; super++) {
		assert_fills("newreno", 100000000, 0, 0.95, super);
		assert_fills("cubic", 100000000, 0, 0.95, super);
		assert_fills("bbr", 100000000, 0, 0.95, super);
	}
}

static void bbr_fills_a_path_that_loses_one_percent_at_random(void **state)
{
	(void)state;
	/* More than 800 segments in a round trip: chance seldom makes 2 % of them out of 1 %. */
	assert_fills("bbr", 250000000, STRATA_PERCENT(1), 0.90, false);
	assert_fills("bbr", 250000000, STRATA_PERCENT(1), 0.90, true);
}

/* Two flows on 20 Mbit/s, the second half a second later: neither has more than a fifth above its half. */
static void assert_shares(const char *algorithm)
{
	struct dumbbell d = { PATH(20000000), .flows = 2, .warmup = 20 * STRATA_SEC,
			      .duration = 60 * STRATA_SEC,
			      .flow = { { algorithm, 0 }, { algorithm, 500 * STRATA_MS } } };
	struct dumbbell_result r = run(&d);
	double part = r.flow[0].goodput / (r.flow[0].goodput + r.flow[1].goodput);

	if (part < 0.4 || part > 0.6)
		fail_msg("of two flows of %s one has %.1f %%", algorithm, part * 100);
	dumbbell_free(&r);
}

static void two_flows_share_a_path(void **state)
{
	(void)state;
	assert_shares("newreno");
	assert_shares("cubic");
	assert_shares("bbr");
}

int main(void)
{
	const char *sanitizers = getenv("STRATA_TEST_SANITIZERS");
	const struct CMUnitTest fills[] = {
		cmocka_unit_test(each_fills_a_path_with_a_queue_of_one_bandwidth_delay_product),
		cmocka_unit_test(bbr_fills_a_path_that_loses_one_percent_at_random),
	};
	const struct CMUnitTest windows[] = {
		cmocka_unit_test(the_mean_window_of_newreno_is_mathis_s),
		cmocka_unit_test(the_mean_window_of_cubic_is_rfc_9438_s),
		cmocka_unit_test(two_flows_share_a_path),
	};
	int failed = cmocka_run_group_tests(fills, NULL, NULL);

	/* Long runs, whose figures no sanitizer changes. */
	if (sanitizers == NULL || sanitizers[0] != 'y')
		failed += cmocka_run_group_tests(windows, NULL, NULL);
	return failed;
}
