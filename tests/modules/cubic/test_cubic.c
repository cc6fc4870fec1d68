/* SPDX-License-Identifier: BSD-2-Clause */
/* CUBIC's windows against the formulas of RFC 9438, and HyStart++'s exits (RFC 9406), without a transport. */
#include <math.h>
#include <strata/congestion.h>

#include "fixture.h"

enum { MSS = 1000 };

extern const struct strata_module cubic_LTX_module;

struct config {
	uint64_t beta, hystart_low_window;
	bool fast_convergence, reno_friendly, hystart;
};

/* A connection, and the clock it lives by. RIG() makes one that ends by itself. */
struct rig {
	struct fixture *fx;		/* whose memory the module takes */
	struct strata_instance self;
	struct config config;
	struct strata_congestion c;
	uint64_t now, rtt;
};

static const struct strata_congestion_ops *ops(void)
{
	return cubic_LTX_module.congestion;
}

static void end(struct rig *rig)
{
	if (rig->fx == NULL)
		return;
	ops()->release(&rig->c);
	cubic_LTX_module.stop(&rig->self);
	fx_close(rig->fx);
}

#define RIG(name) struct rig name __attribute__((cleanup(end))) = { .fx = NULL }

/* Past its first slow start unless ssthresh is UINT32_MAX. */
static void begin(struct rig *rig, uint32_t cwnd, uint32_t ssthresh, uint64_t rtt)
{
	end(rig);
	*rig = (struct rig){
		.fx = fx_open(),
		.config = { .beta = 717, .hystart_low_window = 16, .fast_convergence = true,
			    .reno_friendly = true, .hystart = true },
		.now = 1000 * STRATA_SEC,
		.rtt = rtt,
	};
	rig->self = (struct strata_instance){ .stack = rig->fx->stack, .config = &rig->config,
					      .module = &cubic_LTX_module };
	assert_int_equal(cubic_LTX_module.start(&rig->self, NULL), 0);
	rig->c = (struct strata_congestion){ .algorithm = &rig->self, .mss = MSS,
					     .cwnd = cwnd, .ssthresh = ssthresh, .srtt = rtt,
					     .min_rtt = rtt, .flight = cwnd };
	ops()->init(&rig->c);
}

static void acked(struct rig *rig, uint32_t bytes, bool limited)
{
	const struct strata_ack_sample sample = { .now = rig->now, .rtt = rig->rtt, .acked = bytes,
						  .newly_delivered = bytes, .cwnd_limited = limited };

	rig->c.flight = rig->c.cwnd > bytes ? rig->c.cwnd - bytes : 0;
	ops()->acked(&rig->c, &sample);
}

/* A round trip in which a whole window is acknowledged, segment by segment. */
static void round_trip(struct rig *rig)
{
	uint32_t segments = rig->c.cwnd / MSS;

	for (uint32_t i = 0; i < segments; i++) {
		rig->now += rig->rtt / segments;
		acked(rig, MSS, true);
	}
}

static void lose(struct rig *rig)
{
	rig->c.flight = rig->c.cwnd;
	rig->c.ssthresh = ops()->loss(&rig->c, rig->now);
	rig->c.cwnd = rig->c.ssthresh;
}

/* Figure 1 of RFC 9438, in segments. */
static double w_cubic(double w_max, double begin_window, double t)
{
	double k = cbrt((w_max - begin_window) / 0.4);

	return 0.4 * (t - k) * (t - k) * (t - k) + w_max;
}

/* ---- the curve ---- */

static void the_window_follows_the_cubic_function(void **state)
{
	static const uint64_t rtts[] = { 100 * STRATA_MS, 200 * STRATA_MS, 50 * STRATA_MS };

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(rtts); i++) {
		RIG(rig);
		double start;

		begin(&rig, 2000 * MSS, 2000 * MSS, rtts[i]);
		lose(&rig);
		/* 0.7 by 717/1024 */
		assert_int_equal(rig.c.cwnd, 2000u * MSS * 717ull / 1024);
		start = (double)rig.c.cwnd / MSS;
		for (uint64_t began = rig.now; rig.now - began < 16 * STRATA_SEC;) {
			double expected, window;

			round_trip(&rig);
			/* The first acknowledgement began the stage. */
			expected = w_cubic(2000, start, (double)(rig.now - began) / 1e9);
			window = (double)rig.c.cwnd / MSS;
			if (fabs(window - expected) > 0.01 * expected)
				fail_msg("rtt %u ms, t %.1f s: %.1f segments, expected %.1f",
					 (unsigned int)(rtts[i] / STRATA_MS),
					 (double)(rig.now - began) / 1e9, window, expected);
		}
		/* K is (600/0.4)^(1/3) = 11.4 s: by 16 s it was well beyond the plateau. */
		assert_in_range(rig.c.cwnd, 2030 * MSS, 2050 * MSS);
	}
}

static void the_window_grows_by_no_more_than_half_in_a_round_trip(void **state)
{
	RIG(rig);

	(void)state;
	begin(&rig, 20 * MSS, 20 * MSS, 100 * STRATA_MS);
	round_trip(&rig);
	/* Time passes with the window in use, though no acknowledgement came: the curve is far above. */
	rig.now += 20 * STRATA_SEC;
	for (unsigned int i = 0; i < 4; i++) {
		uint32_t before = rig.c.cwnd;

		acked(&rig, before, true);
		assert_in_range(rig.c.cwnd, before, before + before / 2);
		assert_true(rig.c.cwnd > before + before / 3);
	}
}

static void with_short_round_trips_it_is_no_slower_than_reno(void **state)
{
	RIG(rig);
	double w_est, expected;

	(void)state;
	begin(&rig, 40 * MSS, 40 * MSS, 10 * STRATA_MS);
	lose(&rig);
	w_est = (double)rig.c.cwnd / MSS;
	for (unsigned int i = 0; i < 100; i++) {
		round_trip(&rig);
		/* RFC 9438 4.3: α is 3·0.3/1.7 until the window of before, then 1. */
		w_est += w_est < 40 ? 0.529 : 1;
		expected = w_est;
		if (fabs((double)rig.c.cwnd / MSS - expected) > 2)
			fail_msg("round %u: %.1f segments, expected %.1f", i,
				 (double)rig.c.cwnd / MSS, expected);
	}
	/* Without the region, the curve alone is slower by far. */
	begin(&rig, 40 * MSS, 40 * MSS, 10 * STRATA_MS);
	rig.config.reno_friendly = false;
	lose(&rig);
	for (unsigned int i = 0; i < 100; i++)
		round_trip(&rig);
	assert_in_range(rig.c.cwnd, 36 * MSS, 37 * MSS);
}

static void divided_acknowledgements_gain_nothing(void **state)
{
	RIG(whole);
	RIG(divided);

	(void)state;
	begin(&whole, 500 * MSS, 500 * MSS, 100 * STRATA_MS);
	lose(&whole);
	begin(&divided, 500 * MSS, 500 * MSS, 100 * STRATA_MS);
	lose(&divided);
	for (unsigned int i = 0; i < 300; i++) {
		whole.now += STRATA_MS;
		divided.now += STRATA_MS;
		acked(&whole, MSS, true);
		for (unsigned int part = 0; part < 10; part++)
			acked(&divided, MSS / 10, true);
	}
	assert_in_range(divided.c.cwnd, whole.c.cwnd - MSS, whole.c.cwnd + MSS);
}

/* ---- reduction ---- */

static void fast_convergence_lowers_the_plateau_when_it_sinks(void **state)
{
	RIG(rig);
	uint32_t second;

	(void)state;
	for (unsigned int fast = 0; fast < 2; fast++) {
		char text[100];

		begin(&rig, 1000 * MSS, 1000 * MSS, 100 * STRATA_MS);
		rig.config.fast_convergence = fast != 0;
		lose(&rig);
		round_trip(&rig);
		second = rig.c.cwnd;
		assert_true(second < 1000 * MSS);
		lose(&rig);
		ops()->describe(&rig.c, text, sizeof(text));
		/* RFC 9438 4.7 */
		assert_int_equal(strtoul(text + 6, NULL, 10),
				 fast ? (uint32_t)(second * 1741ull / 2048) : second);
	}
}

static void a_loss_leaves_two_segments_at_least(void **state)
{
	RIG(rig);

	(void)state;
	begin(&rig, 2 * MSS, 2 * MSS, 100 * STRATA_MS);
	lose(&rig);
	assert_int_equal(rig.c.ssthresh, 2 * MSS);
	rig.c.flight = MSS;
	assert_int_equal(ops()->timeout(&rig.c, rig.now), 2 * MSS);
}

static void beta_is_an_option(void **state)
{
	RIG(rig);

	(void)state;
	begin(&rig, 100 * MSS, 100 * MSS, 100 * STRATA_MS);
	rig.config.beta = 512;
	lose(&rig);
	assert_int_equal(rig.c.cwnd, 50 * MSS);
}

static void after_a_timeout_the_stage_begins_at_its_own_plateau(void **state)
{
	RIG(rig);
	double t;
	uint64_t began;

	(void)state;
	begin(&rig, 1000 * MSS, 1000 * MSS, 200 * STRATA_MS);
	rig.c.flight = rig.c.cwnd;
	rig.c.ssthresh = ops()->timeout(&rig.c, rig.now);
	rig.c.cwnd = MSS;
	while (rig.c.cwnd < rig.c.ssthresh)
		acked(&rig, MSS, true);
	assert_int_equal(rig.c.cwnd, 1000u * MSS * 717ull / 1024);
	/* RFC 9438 4.8: K = 0, W_max where slow start ended. */
	began = rig.now;
	for (unsigned int i = 0; i < 40; i++)
		round_trip(&rig);
	t = (double)(rig.now - began) / 1e9;
	assert_in_range(rig.c.cwnd, (uint64_t)((700.2 + 0.4 * t * t * t) * MSS * 0.99),
			(uint64_t)((700.2 + 0.4 * t * t * t) * MSS * 1.01));
}

static void a_spurious_reduction_is_undone(void **state)
{
	RIG(rig);
	RIG(same);

	(void)state;
	begin(&rig, 1000 * MSS, 1000 * MSS, 100 * STRATA_MS);
	begin(&same, 1000 * MSS, 1000 * MSS, 100 * STRATA_MS);
	lose(&rig);
	lose(&same);
	for (unsigned int i = 0; i < 30; i++) {
		round_trip(&rig);
		round_trip(&same);
	}
	lose(&rig);
	acked(&rig, MSS, true);
	acked(&same, MSS, true);
	ops()->undo(&rig.c, same.c.cwnd, same.c.ssthresh);
	assert_int_equal(rig.c.cwnd, same.c.cwnd);
	assert_int_equal(rig.c.ssthresh, same.c.ssthresh);
	/* RFC 9438 4.9: the curve goes on as if nothing had been. */
	for (unsigned int i = 0; i < 100; i++) {
		round_trip(&rig);
		round_trip(&same);
		assert_in_range(rig.c.cwnd, same.c.cwnd - MSS, same.c.cwnd + MSS);
	}
	/* A timeout in the first slow start: it goes on, HyStart++ included. */
	begin(&rig, 100 * MSS, UINT32_MAX, 100 * STRATA_MS);
	round_trip(&rig);
	rig.c.ssthresh = ops()->timeout(&rig.c, rig.now);
	rig.c.cwnd = MSS;
	ops()->undo(&rig.c, 200 * MSS, UINT32_MAX);
	assert_int_equal(rig.c.cwnd, 200 * MSS);
	assert_int_equal(rig.c.ssthresh, UINT32_MAX);
	round_trip(&rig);
	assert_int_equal(rig.c.cwnd, 400 * MSS);
}

/* ---- time and use ---- */

static void an_unused_window_does_not_grow_and_its_time_does_not_count(void **state)
{
	RIG(rig);
	RIG(same);

	(void)state;
	begin(&rig, 1000 * MSS, 1000 * MSS, 100 * STRATA_MS);
	begin(&same, 1000 * MSS, 1000 * MSS, 100 * STRATA_MS);
	lose(&rig);
	lose(&same);
	for (unsigned int i = 0; i < 10; i++) {
		round_trip(&rig);
		round_trip(&same);
	}
	/* Ten minutes of little use: RFC 9438 5.8. */
	for (unsigned int i = 0; i < 600; i++) {
		rig.now += STRATA_SEC;
		acked(&rig, MSS, false);
	}
	assert_int_equal(rig.c.cwnd, same.c.cwnd);
	/* And an hour of none. */
	rig.now += 3600 * STRATA_SEC;
	ops()->flight_begins(&rig.c, rig.now, true);
	for (unsigned int i = 0; i < 100; i++) {
		round_trip(&rig);
		round_trip(&same);
		assert_in_range(rig.c.cwnd, same.c.cwnd - MSS, same.c.cwnd + MSS);
	}
	/* In slow start, too. */
	begin(&rig, 10 * MSS, UINT32_MAX, 100 * STRATA_MS);
	acked(&rig, 10 * MSS, false);
	assert_int_equal(rig.c.cwnd, 10 * MSS);
}

static void extreme_values_stay_within_bounds(void **state)
{
	RIG(rig);

	(void)state;
	begin(&rig, UINT32_C(1) << 30, UINT32_C(1) << 30, 100 * STRATA_MS);
	lose(&rig);
	for (unsigned int i = 0; i < 1000; i++) {
		rig.now += 100 * STRATA_SEC;
		acked(&rig, UINT32_C(1) << 30, true);
		assert_in_range(rig.c.cwnd, UINT32_C(1) << 29, UINT32_C(1) << 31);
	}
	begin(&rig, 10 * MSS, UINT32_MAX, 100 * STRATA_MS);
	rig.config.hystart = false;
	for (unsigned int i = 0; i < 100; i++)
		acked(&rig, UINT32_C(1) << 30, true);
	assert_in_range(rig.c.cwnd, UINT32_C(1) << 30, UINT32_C(1) << 31);
	begin(&rig, 2, 2, 1);
	rig.c.mss = 1;
	for (unsigned int i = 0; i < 1000; i++) {
		rig.now++;
		acked(&rig, 1, true);
	}
	assert_in_range(rig.c.cwnd, 2, 1000);
}

/* ---- memory ---- */

static size_t held(const struct rig *rig)
{
	return strata_memory_used(rig->fx->stack);
}

static void state_is_made_when_the_window_is_the_limit_and_goes_at_rest(void **state)
{
	RIG(rig);
	size_t before;

	(void)state;
	begin(&rig, 10 * MSS, UINT32_MAX, 100 * STRATA_MS);
	before = held(&rig);
	acked(&rig, MSS, false);
	ops()->flight_begins(&rig.c, rig.now, true);
	assert_int_equal(held(&rig), before);
	acked(&rig, MSS, true);
	assert_true(held(&rig) > before + 16);
	ops()->rest(&rig.c);
	/* But for what a slab needs itself. */
	assert_in_range(held(&rig), before, before + 16);
	/* The curve of a window that was reduced is kept. */
	lose(&rig);
	ops()->rest(&rig.c);
	assert_true(held(&rig) > before + 16);
}

static void a_connection_that_moves_keeps_its_curve(void **state)
{
	struct strata_congestion elsewhere;
	RIG(rig);
	RIG(same);

	(void)state;
	begin(&rig, 1000 * MSS, 1000 * MSS, 100 * STRATA_MS);
	begin(&same, 1000 * MSS, 1000 * MSS, 100 * STRATA_MS);
	lose(&rig);
	lose(&same);
	elsewhere = rig.c;
	memset(&rig.c, 0, sizeof(rig.c));
	ops()->moved(&elsewhere);
	rig.c = elsewhere;
	ops()->moved(&rig.c);
	for (unsigned int i = 0; i < 50; i++) {
		round_trip(&rig);
		round_trip(&same);
		assert_int_equal(rig.c.cwnd, same.c.cwnd);
	}
}

static void without_memory_the_window_grows_as_reno(void **state)
{
	RIG(rig);

	(void)state;
	begin(&rig, 10 * MSS, UINT32_MAX, 100 * STRATA_MS);
	fx_fail_at(rig.fx, 1, true);
	round_trip(&rig);
	assert_int_equal(rig.c.cwnd, 20 * MSS);
	lose(&rig);
	assert_int_equal(rig.c.ssthresh, 20u * MSS * 717 / 1024);
	for (unsigned int i = 0; i < 10; i++)
		round_trip(&rig);
	assert_in_range(rig.c.cwnd, 23 * MSS, 24 * MSS);
	fx_fail_at(rig.fx, 0, false);
}

/* ---- slow start ---- */

static void slow_start_counts_bytes_and_ends_at_the_threshold(void **state)
{
	RIG(rig);

	(void)state;
	begin(&rig, 10 * MSS, UINT32_MAX, 100 * STRATA_MS);
	acked(&rig, 2 * MSS, true);
	assert_int_equal(rig.c.cwnd, 12 * MSS);
	for (unsigned int i = 0; i < MSS; i++)
		acked(&rig, 1, true);
	assert_int_equal(rig.c.cwnd, 13 * MSS);
	begin(&rig, 10 * MSS, 12 * MSS, 100 * STRATA_MS);
	acked(&rig, 8 * MSS, true);
	assert_in_range(rig.c.cwnd, 12 * MSS, 13 * MSS);
}

/* RFC 9406: a rise of an eighth, here 12.5 ms, ends slow start after five slower rounds. */
static void a_rising_delay_leads_through_conservative_slow_start_to_the_end(void **state)
{
	RIG(rig);
	uint32_t before;

	(void)state;
	begin(&rig, 64 * MSS, UINT32_MAX, 100 * STRATA_MS);
	round_trip(&rig);
	assert_int_equal(rig.c.cwnd, 128 * MSS);
	rig.rtt = 113 * STRATA_MS;
	/* Eight samples of the round are needed; from then on a quarter. */
	before = rig.c.cwnd;
	round_trip(&rig);
	assert_int_equal(rig.c.cwnd, before + 8 * MSS + 120 * MSS / 4);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(rig.c.ssthresh, UINT32_MAX);
		before = rig.c.cwnd;
		round_trip(&rig);
		/* Its rounds end an acknowledgement earlier than these, each time. */
		assert_in_range(rig.c.cwnd, before + before / 4 - 4 * MSS, before + before / 4);
	}
	/* The partial round and four more. */
	round_trip(&rig);
	assert_true(rig.c.ssthresh != UINT32_MAX);
	before = rig.c.cwnd;
	round_trip(&rig);
	assert_in_range(rig.c.cwnd, before, before + 4 * MSS);
}

static void a_delay_that_falls_back_resumes_slow_start(void **state)
{
	RIG(rig);
	uint32_t before;

	(void)state;
	begin(&rig, 32 * MSS, UINT32_MAX, 100 * STRATA_MS);
	round_trip(&rig);
	rig.rtt = 150 * STRATA_MS;
	round_trip(&rig);
	assert_in_range(rig.c.cwnd, 65 * MSS, 100 * MSS);
	rig.rtt = 101 * STRATA_MS;
	round_trip(&rig);
	before = rig.c.cwnd;
	round_trip(&rig);
	assert_in_range(rig.c.cwnd, 2 * before - MSS, 2 * before);
	assert_int_equal(rig.c.ssthresh, UINT32_MAX);
}

static void the_threshold_of_delay_is_between_4_and_16_ms(void **state)
{
	static const struct {
		uint64_t base, rise;	/* ms */
		bool leaves;
	} cases[] = {
		{ 8, 3, false }, { 8, 5, true },	/* an eighth would be 1 ms: 4 it is */
		{ 80, 9, false }, { 80, 11, true },
		{ 400, 15, false }, { 400, 17, true },	/* an eighth would be 50 ms: 16 it is */
	};

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		RIG(rig);

		begin(&rig, 32 * MSS, UINT32_MAX, cases[i].base * STRATA_MS);
		round_trip(&rig);
		rig.rtt += cases[i].rise * STRATA_MS;
		round_trip(&rig);
		assert_int_equal(rig.c.cwnd < 128 * MSS, cases[i].leaves);
	}
}

static void below_16_segments_or_8_samples_or_switched_off_the_delay_means_nothing(void **state)
{
	RIG(rig);

	(void)state;
	/* A window of 12: the next round has 12 samples, but the window is small. */
	begin(&rig, 6 * MSS, UINT32_MAX, 100 * STRATA_MS);
	round_trip(&rig);
	rig.rtt = 200 * STRATA_MS;
	for (unsigned int i = 0; i < 3; i++)
		acked(&rig, MSS, true);
	assert_int_equal(rig.c.cwnd, 15 * MSS);
	/* Seven acknowledgements of a whole round. */
	begin(&rig, 70 * MSS, UINT32_MAX, 100 * STRATA_MS);
	round_trip(&rig);
	rig.rtt = 200 * STRATA_MS;
	for (unsigned int i = 0; i < 7; i++)
		acked(&rig, 20 * MSS, true);
	assert_int_equal(rig.c.cwnd, 280 * MSS);
	begin(&rig, 32 * MSS, UINT32_MAX, 100 * STRATA_MS);
	rig.config.hystart = false;
	round_trip(&rig);
	rig.rtt = 200 * STRATA_MS;
	round_trip(&rig);
	assert_int_equal(rig.c.cwnd, 128 * MSS);
}

/* ---- in a stack ---- */

static void it_is_the_default_and_its_options_change_at_run_time(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 tcp");
	struct strata_error error = { 0 };

	(void)state;
	assert_true(fx_instance(fx, "cubic")->running);
	assert_int_equal(strata_option_set(fx->stack, "cubic.beta", "600", &error), 0);
	assert_int_equal(strata_option_set(fx->stack, "cubic.hystart", "off", &error), 0);
	assert_true(strata_option_set(fx->stack, "cubic.beta", "2000", &error) < 0);
	strata_error_clear(&error);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_window_follows_the_cubic_function),
		cmocka_unit_test(the_window_grows_by_no_more_than_half_in_a_round_trip),
		cmocka_unit_test(with_short_round_trips_it_is_no_slower_than_reno),
		cmocka_unit_test(divided_acknowledgements_gain_nothing),
		cmocka_unit_test(fast_convergence_lowers_the_plateau_when_it_sinks),
		cmocka_unit_test(a_loss_leaves_two_segments_at_least),
		cmocka_unit_test(beta_is_an_option),
		cmocka_unit_test(after_a_timeout_the_stage_begins_at_its_own_plateau),
		cmocka_unit_test(a_spurious_reduction_is_undone),
		cmocka_unit_test(an_unused_window_does_not_grow_and_its_time_does_not_count),
		cmocka_unit_test(extreme_values_stay_within_bounds),
		cmocka_unit_test(state_is_made_when_the_window_is_the_limit_and_goes_at_rest),
		cmocka_unit_test(a_connection_that_moves_keeps_its_curve),
		cmocka_unit_test(without_memory_the_window_grows_as_reno),
		cmocka_unit_test(slow_start_counts_bytes_and_ends_at_the_threshold),
		cmocka_unit_test(a_rising_delay_leads_through_conservative_slow_start_to_the_end),
		cmocka_unit_test(a_delay_that_falls_back_resumes_slow_start),
		cmocka_unit_test(the_threshold_of_delay_is_between_4_and_16_ms),
		cmocka_unit_test(below_16_segments_or_8_samples_or_switched_off_the_delay_means_nothing),
		cmocka_unit_test(it_is_the_default_and_its_options_change_at_run_time),
	};

	return fx_main(tests);
}
