/* SPDX-License-Identifier: BSD-2-Clause */
/* The timer wheel against a plain array of deadlines, and its promises about cost. */
#include "rig.h"

#include <stdlib.h>

#define TICK (UINT64_C(1) << 16)
#define YEAR (UINT64_C(365) * 24 * 3600 * STRATA_SEC)

struct probe {
	struct strata_timer timer;	/* first: found from the timer */
	unsigned int fired;
	unsigned int order;		/* its place among all that fired */
	uint64_t deadline, at;		/* when it was due, when it fired */
	struct probe *starts;		/* what it does when it fires */
	uint64_t starts_at;
	struct probe *stops;
	unsigned int *counter;
};

static void fire(struct strata_stack *stack, struct strata_timer *timer)
{
	struct probe *probe = (struct probe *)(void *)timer;

	assert_false(strata_timer_pending(timer));
	assert_true(stack->now >= timer->deadline);
	probe->fired++;
	probe->at = stack->now;
	if (probe->counter != NULL)
		probe->order = (*probe->counter)++;
	if (probe->stops != NULL)
		strata_timer_stop(stack, &probe->stops->timer);
	if (probe->starts != NULL)
		strata_timer_start(stack, &probe->starts->timer, probe->starts_at);
}

static void run_at(struct rig *rig, uint64_t now)
{
	kernel_set_now(&rig->k, now);
	timer_run(&rig->k);
}

/* Goes from timer to timer as a driver of the stack would. Returns how often it had to run. */
static unsigned int run_until(struct rig *rig, uint64_t end)
{
	unsigned int runs = 0;
	uint64_t next;

	while ((next = timer_next(&rig->k)) <= end) {
		assert_true(++runs < 10000000);
		run_at(rig, next);
	}
	run_at(rig, end);
	return runs;
}

static void fires_at_the_deadline_and_not_before(void **state)
{
	static const uint64_t delays[] = {
		0, 1, TICK - 1, TICK, TICK + 1, 64 * TICK - 1, 64 * TICK, 65 * TICK, STRATA_MS,
		200 * STRATA_MS, STRATA_SEC, 3600 * STRATA_SEC, YEAR, 100 * YEAR,
	};
	static const uint64_t starts[] = { 0, 1, 12345678, 1000 * STRATA_SEC, 3 * YEAR + 77 };
	size_t i, j;

	(void)state;
	for (i = 0; i < STRATA_COUNT(starts); i++) {
		for (j = 0; j < STRATA_COUNT(delays); j++) {
			struct rig rig = { .seed = 1 };
			struct probe probe = { .timer.fire = fire };
			uint64_t due = starts[i] + delays[j];

			assert_int_equal(rig_open(&rig), 0);
			run_at(&rig, starts[i]);
			strata_timer_start(rig.stack, &probe.timer, due);
			assert_true(strata_timer_pending(&probe.timer));
			assert_int_equal(timer_next(&rig.k), due);
			if (delays[j] != 0) {
				run_at(&rig, due - 1);
				assert_int_equal(probe.fired, 0);
				assert_int_equal(timer_next(&rig.k), due);
			}
			run_at(&rig, due);
			assert_int_equal(probe.fired, 1);
			assert_int_equal(timer_next(&rig.k), STRATA_NEVER);
			run_at(&rig, due + YEAR);
			assert_int_equal(probe.fired, 1);
			rig_close(&rig);
		}
	}
}

static void a_deadline_in_the_past_fires_at_the_next_run(void **state)
{
	struct rig rig = { .seed = 1 };
	struct probe probe = { .timer.fire = fire };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	run_at(&rig, 1000 * STRATA_SEC);
	strata_timer_start(rig.stack, &probe.timer, 5);
	assert_true(timer_next(&rig.k) <= rig.stack->now);
	assert_int_equal(probe.fired, 0);
	timer_run(&rig.k);
	assert_int_equal(probe.fired, 1);
	rig_close(&rig);
}

static void a_timer_restarted_for_now_waits_for_the_next_run(void **state)
{
	struct rig rig = { .seed = 1 };
	struct probe probe = { .timer.fire = fire };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	probe.starts = &probe;
	probe.starts_at = 0;
	strata_timer_start(rig.stack, &probe.timer, STRATA_SEC);
	run_at(&rig, 10 * STRATA_SEC);
	assert_int_equal(probe.fired, 1);
	assert_true(timer_next(&rig.k) <= rig.stack->now);
	timer_run(&rig.k);
	assert_int_equal(probe.fired, 2);
	strata_timer_stop(rig.stack, &probe.timer);
	rig_close(&rig);
}

static void never_is_a_deadline_that_does_not_come(void **state)
{
	struct rig rig = { .seed = 1 };
	struct probe probe = { .timer.fire = fire };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_timer_start(rig.stack, &probe.timer, STRATA_NEVER);
	assert_int_equal(timer_next(&rig.k), STRATA_NEVER);
	run_at(&rig, STRATA_NEVER - 1);
	assert_int_equal(probe.fired, 0);
	strata_timer_stop(rig.stack, &probe.timer);
	rig_close(&rig);
}

static void a_stopped_timer_does_not_fire(void **state)
{
	struct rig rig = { .seed = 1 };
	struct probe probe = { .timer.fire = fire };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_timer_stop(rig.stack, &probe.timer);
	strata_timer_start(rig.stack, &probe.timer, STRATA_SEC);
	strata_timer_stop(rig.stack, &probe.timer);
	assert_false(strata_timer_pending(&probe.timer));
	assert_int_equal(timer_next(&rig.k), STRATA_NEVER);
	run_at(&rig, 2 * STRATA_SEC);
	assert_int_equal(probe.fired, 0);
	rig_close(&rig);
}

static void starting_a_pending_timer_moves_it(void **state)
{
	struct rig rig = { .seed = 1 };
	struct probe probe = { .timer.fire = fire };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_timer_start(rig.stack, &probe.timer, STRATA_SEC);
	strata_timer_start(rig.stack, &probe.timer, 60 * STRATA_SEC);
	run_at(&rig, 59 * STRATA_SEC);
	assert_int_equal(probe.fired, 0);
	strata_timer_start(rig.stack, &probe.timer, 59 * STRATA_SEC + 1);
	run_at(&rig, 60 * STRATA_SEC);
	assert_int_equal(probe.fired, 1);
	rig_close(&rig);
}

static void a_callback_may_stop_another_that_is_due(void **state)
{
	struct rig rig = { .seed = 1 };
	struct probe first = { .timer.fire = fire }, second = { .timer.fire = fire };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	first.stops = &second;
	strata_timer_start(rig.stack, &first.timer, STRATA_SEC);
	strata_timer_start(rig.stack, &second.timer, STRATA_SEC + STRATA_MS);
	run_at(&rig, 2 * STRATA_SEC);
	assert_int_equal(first.fired, 1);
	assert_int_equal(second.fired, 0);
	rig_close(&rig);
}

static void a_callback_may_move_another_that_is_due(void **state)
{
	struct rig rig = { .seed = 1 };
	struct probe first = { .timer.fire = fire }, second = { .timer.fire = fire };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	first.starts = &second;
	first.starts_at = 9 * STRATA_SEC;
	strata_timer_start(rig.stack, &first.timer, STRATA_SEC);
	strata_timer_start(rig.stack, &second.timer, STRATA_SEC);
	run_at(&rig, 2 * STRATA_SEC);
	assert_int_equal(second.fired, 0);
	run_at(&rig, 9 * STRATA_SEC);
	assert_int_equal(second.fired, 1);
	rig_close(&rig);
}

static void free_own_memory(struct strata_stack *stack, struct strata_timer *timer)
{
	(void)stack;
	free(timer);
}

static void a_callback_may_free_its_object(void **state)
{
	struct rig rig = { .seed = 1 };
	int i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < 10; i++) {
		struct strata_timer *timer = calloc(1, sizeof(*timer));

		timer->fire = free_own_memory;
		strata_timer_start(rig.stack, timer, STRATA_SEC);
	}
	run_at(&rig, STRATA_SEC);
	assert_int_equal(timer_next(&rig.k), STRATA_NEVER);
	rig_close(&rig);
}

static void equal_deadlines_fire_in_the_order_started(void **state)
{
	struct rig rig = { .seed = 1 };
	struct probe probes[20];
	unsigned int counter = 0, i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < 20; i++) {
		probes[i] = (struct probe){ .timer.fire = fire, .counter = &counter };
		strata_timer_start(rig.stack, &probes[i].timer, 10 * TICK + i % 2 * 5 * TICK);
	}
	run_at(&rig, STRATA_SEC);
	for (i = 0; i < 20; i++)
		assert_int_equal(probes[i].order, i / 2 + i % 2 * 10);
	rig_close(&rig);
}

static void years_of_idleness_cost_nothing(void **state)
{
	struct rig rig = { .seed = 1 };
	struct probe probe = { .timer.fire = fire };
	int i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 1; i <= 500; i++) {
		unsigned int runs;

		strata_timer_start(rig.stack, &probe.timer, rig.stack->now + YEAR + (uint64_t)i);
		runs = run_until(&rig, rig.stack->now + YEAR + (uint64_t)i);
		/* A lone timer's answer is exact: no wake-up before it is due. */
		assert_int_equal(runs, 1);
		assert_int_equal(probe.fired, i);
	}
	rig_close(&rig);
}

static void many_timers_wake_the_stack_once_a_level_at_most(void **state)
{
	enum { MANY = 5000 };
	struct rig rig = { .seed = 1 };
	struct probe *probes = calloc(MANY, sizeof(*probes));
	uint64_t due = 100 * YEAR;
	unsigned int i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < MANY; i++) {
		probes[i].timer.fire = fire;
		strata_timer_start(rig.stack, &probes[i].timer, due);
	}
	assert_true(timer_next(&rig.k) <= due);
	assert_true(run_until(&rig, due) <= 8 + 1);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(probes[i].fired, 1);
		assert_int_equal(probes[i].at, due);
	}
	free(probes);
	rig_close(&rig);
}

static void a_forgotten_timer_is_told(void **state)
{
	struct rig rig = { .seed = 1 };
	struct probe probe = { .timer.fire = fire };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_timer_start(rig.stack, &probe.timer, STRATA_SEC);
	rig_fini(&rig);
	assert_string_equal(rig.log, "kernel: 1 timers were never stopped\n");
}

/* ---- by chance ---- */

enum { TIMERS = 200 };

static uint64_t random_delay(uint64_t *rng)
{
	/* Every level as likely as the next. */
	return rig_random(rng) >> (8 + rig_below(rng, 56));
}

static uint64_t earliest(const struct probe *probes)
{
	uint64_t first = STRATA_NEVER;
	unsigned int i;

	for (i = 0; i < TIMERS; i++) {
		if (strata_timer_pending(&probes[i].timer) && probes[i].deadline < first)
			first = probes[i].deadline;
	}
	return first;
}

/* Runs at `now` and compares what fired with what was due. */
static void check_run(struct rig *rig, struct probe *probes, uint64_t now)
{
	bool due[TIMERS];
	unsigned int i, before[TIMERS];

	if (now < rig->stack->now)
		now = rig->stack->now;
	for (i = 0; i < TIMERS; i++) {
		before[i] = probes[i].fired;
		due[i] = strata_timer_pending(&probes[i].timer) && probes[i].deadline <= now;
	}
	run_at(rig, now);
	for (i = 0; i < TIMERS; i++)
		assert_int_equal(probes[i].fired - before[i], due[i]);
}

static void behaves_as_an_array_of_deadlines(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 60; seed++) {
		struct rig rig = { .seed = seed };
		struct probe probes[TIMERS];
		uint64_t rng = seed;
		unsigned int i, step;

		assert_int_equal(rig_open(&rig), 0);
		memset(probes, 0, sizeof(probes));
		for (i = 0; i < TIMERS; i++)
			probes[i].timer.fire = fire;
		run_at(&rig, random_delay(&rng) >> 2);
		for (step = 0; step < 2000; step++) {
			struct probe *probe = &probes[rig_below(&rng, TIMERS)];
			uint64_t first = earliest(probes), next = timer_next(&rig.k);

			assert_true(next <= first);
			assert_true(first != STRATA_NEVER || next == STRATA_NEVER);
			switch (rig_below(&rng, 8)) {
			case 0:
				strata_timer_stop(rig.stack, &probe->timer);
				break;
			case 1:
				check_run(&rig, probes, rig.stack->now + random_delay(&rng) / 4096);
				break;
			case 2:
				if (first != STRATA_NEVER)
					check_run(&rig, probes, first - (first > 0 ? 1 : 0));
				break;
			case 3:
				if (next != STRATA_NEVER)
					check_run(&rig, probes, next);
				break;
			default:
				probe->deadline = rig.stack->now + random_delay(&rng);
				if (probe->deadline < rig.stack->now)
					probe->deadline = STRATA_NEVER - 1;
				strata_timer_start(rig.stack, &probe->timer, probe->deadline);
				break;
			}
		}
		for (i = 0; i < TIMERS; i++)
			strata_timer_stop(rig.stack, &probes[i].timer);
		assert_int_equal(timer_next(&rig.k), STRATA_NEVER);
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_at_the_deadline_and_not_before),
		cmocka_unit_test(a_deadline_in_the_past_fires_at_the_next_run),
		cmocka_unit_test(a_timer_restarted_for_now_waits_for_the_next_run),
		cmocka_unit_test(never_is_a_deadline_that_does_not_come),
		cmocka_unit_test(a_stopped_timer_does_not_fire),
		cmocka_unit_test(starting_a_pending_timer_moves_it),
		cmocka_unit_test(a_callback_may_stop_another_that_is_due),
		cmocka_unit_test(a_callback_may_move_another_that_is_due),
		cmocka_unit_test(a_callback_may_free_its_object),
		cmocka_unit_test(equal_deadlines_fire_in_the_order_started),
		cmocka_unit_test(years_of_idleness_cost_nothing),
		cmocka_unit_test(many_timers_wake_the_stack_once_a_level_at_most),
		cmocka_unit_test(a_forgotten_timer_is_told),
		cmocka_unit_test(behaves_as_an_array_of_deadlines),
	};

	return cmocka_run_group_tests_name("timer", tests, NULL, NULL);
}
