/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches: when deferred work runs, what time it is, and when to come back. */
#include "rig.h"
#include "run.h"

#include <errno.h>

struct job {
	struct strata_work work;	/* first: found from the work */
	struct strata_timer timer;
	unsigned int runs;
	char name;
	struct job *adds, *cancels;
	unsigned int adds_left;
	char *trail;			/* names in the order they ran */
};

static void job_run(struct strata_stack *stack, struct strata_work *work)
{
	struct job *job = (struct job *)(void *)work;

	assert_int_equal(kernel_of(stack)->depth, 1);
	job->runs++;
	if (job->trail != NULL) {
		size_t used = strlen(job->trail);

		job->trail[used] = job->name;
		job->trail[used + 1] = '\0';
	}
	if (job->cancels != NULL)
		strata_work_cancel(stack, &job->cancels->work);
	if (job->adds != NULL && job->adds_left != 0) {
		job->adds_left--;
		strata_work_add(stack, &job->adds->work);
	}
}

static void timer_adds_work(struct strata_stack *stack, struct strata_timer *timer)
{
	struct job *job = strata_container_of(timer, struct job, timer);

	strata_work_add(stack, &job->work);
	assert_int_equal(job->runs, 0);
}

static void work_runs_first_in_first_out_at_the_end_of_the_batch(void **state)
{
	struct rig rig = { .seed = 1 };
	char trail[16] = "";
	struct job jobs[4];
	int i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	kernel_enter(&rig.k);
	for (i = 0; i < 4; i++) {
		jobs[i] = (struct job){ .work.run = job_run, .name = (char)('a' + i), .trail = trail };
		strata_work_add(rig.stack, &jobs[i].work);
		strata_work_add(rig.stack, &jobs[i].work);
	}
	assert_string_equal(trail, "");
	kernel_leave(&rig.k);
	assert_string_equal(trail, "abcd");
	assert_false(work_pending(&rig.k));
	rig_close(&rig);
}

static void nested_entries_leave_work_to_the_outermost(void **state)
{
	struct rig rig = { .seed = 1 };
	struct job job = { .work.run = job_run };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	kernel_enter(&rig.k);
	kernel_enter(&rig.k);
	strata_work_add(rig.stack, &job.work);
	kernel_leave(&rig.k);
	assert_int_equal(job.runs, 0);
	kernel_leave(&rig.k);
	assert_int_equal(job.runs, 1);
	assert_int_equal(rig.k.depth, 0);
	rig_close(&rig);
}

static void cancelled_work_does_not_run(void **state)
{
	struct rig rig = { .seed = 1 };
	char trail[16] = "";
	struct job a = { .work.run = job_run, .name = 'a', .trail = trail };
	struct job b = { .work.run = job_run, .name = 'b', .trail = trail };
	struct job c = { .work.run = job_run, .name = 'c', .trail = trail };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	kernel_enter(&rig.k);
	strata_work_cancel(rig.stack, &a.work);
	strata_work_add(rig.stack, &a.work);
	strata_work_add(rig.stack, &b.work);
	strata_work_cancel(rig.stack, &b.work);
	strata_work_add(rig.stack, &c.work);
	kernel_leave(&rig.k);
	assert_string_equal(trail, "ac");
	/* By another that runs before it. */
	kernel_enter(&rig.k);
	a.cancels = &b;
	strata_work_add(rig.stack, &a.work);
	strata_work_add(rig.stack, &b.work);
	strata_work_add(rig.stack, &c.work);
	kernel_leave(&rig.k);
	assert_string_equal(trail, "acac");
	rig_close(&rig);
}

static void work_that_work_queues_runs_in_the_same_batch(void **state)
{
	struct rig rig = { .seed = 1 };
	char trail[16] = "";
	struct job a = { .work.run = job_run, .name = 'a', .trail = trail, .adds_left = 3 };
	struct job b = { .work.run = job_run, .name = 'b', .trail = trail };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	a.adds = &a;
	kernel_enter(&rig.k);
	strata_work_add(rig.stack, &a.work);
	strata_work_add(rig.stack, &b.work);
	kernel_leave(&rig.k);
	assert_string_equal(trail, "abaaa");
	rig_close(&rig);
}

static void work_without_end_does_not_keep_the_thread(void **state)
{
	struct rig rig = { .seed = 1 };
	struct job job = { .work.run = job_run, .adds_left = 1000000 };
	unsigned int before;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	job.adds = &job;
	kernel_enter(&rig.k);
	strata_work_add(rig.stack, &job.work);
	kernel_leave(&rig.k);
	assert_true(job.runs < 10000);
	/* The rest is for the next batch, which is wanted at once. */
	assert_int_equal(strata_next_timer(rig.stack), rig.stack->now);
	before = job.runs;
	strata_run(rig.stack, 0);
	assert_true(job.runs > before);
	strata_work_cancel(rig.stack, &job.work);
	assert_int_equal(strata_next_timer(rig.stack), STRATA_NEVER);
	rig_close(&rig);
}

static void timers_fire_before_the_work_they_queue(void **state)
{
	struct rig rig = { .seed = 1 };
	struct job job = { .work.run = job_run, .timer.fire = timer_adds_work };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_timer_start(rig.stack, &job.timer, STRATA_SEC);
	assert_int_equal(strata_next_timer(rig.stack), STRATA_SEC);
	strata_run(rig.stack, STRATA_SEC - 1);
	assert_int_equal(job.runs, 0);
	strata_run(rig.stack, STRATA_SEC);
	assert_int_equal(job.runs, 1);
	assert_int_equal(strata_next_timer(rig.stack), STRATA_NEVER);
	rig_close(&rig);
}

static void time_never_goes_back(void **state)
{
	struct rig rig = { .seed = 1, .clock = true, .now = 500 };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	kernel_enter(&rig.k);
	assert_int_equal(strata_now(rig.stack), 500);
	rig.now = 600;
	/* The same time for all work of a batch. */
	kernel_enter(&rig.k);
	assert_int_equal(strata_now(rig.stack), 500);
	kernel_leave(&rig.k);
	kernel_leave(&rig.k);
	strata_run(rig.stack, 0);
	assert_int_equal(strata_now(rig.stack), 600);
	rig.now = 100;
	strata_run(rig.stack, 50);
	assert_int_equal(strata_now(rig.stack), 600);
	strata_run(rig.stack, 700);
	assert_int_equal(strata_now(rig.stack), 700);
	rig_close(&rig);
}

static uint64_t noon(void *ctx)
{
	(void)ctx;
	return UINT64_C(43200) * STRATA_SEC;
}

static void the_time_of_day_falls_back_to_the_clock_there_is(void **state)
{
	struct rig rig = { .seed = 1, .clock = true, .now = 500 };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	assert_int_equal(strata_wall_clock(rig.stack), 500);
	rig.k.env.now = NULL;
	kernel_set_now(&rig.k, 77);
	assert_int_equal(strata_wall_clock(rig.stack), 77);
	rig.k.env.wall_clock = noon;
	assert_int_equal(strata_wall_clock(rig.stack), UINT64_C(43200) * STRATA_SEC);
	rig_close(&rig);
}

static void a_frame_for_an_interface_that_is_down_is_refused(void **state)
{
	static uint8_t frame[65551];
	static const struct { uint32_t flags; size_t length; int result; } cases[] = {
		{ 0, 60, -ENETDOWN },
		{ STRATA_IFACE_UP, 60, -ENETDOWN },
		{ STRATA_IFACE_RUNNING, 60, -ENETDOWN },
		{ STRATA_IFACE_UP | STRATA_IFACE_RUNNING, 65551, -EMSGSIZE },
		{ 0, 65551, -EMSGSIZE },
	};
	struct rig rig = { .seed = 1 };
	struct strata_iface iface = { .index = 1 };
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	iface.stack = rig.stack;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		iface.flags = cases[i].flags;
		assert_int_equal(strata_input(&iface, frame, cases[i].length, 1 + i),
				 cases[i].result);
		assert_int_equal(strata_input_batched(&iface, frame, cases[i].length, 1 + i),
				 cases[i].result);
		assert_int_equal(strata_now(rig.stack), 1 + i);
	}
	rig_close(&rig);
}

static void a_frame_without_memory_for_it_is_counted(void **state)
{
	static uint8_t frame[65550];
	struct rig rig = { .seed = 1 };
	struct strata_iface iface = { .index = 1, .flags = STRATA_IFACE_UP | STRATA_IFACE_RUNNING };
	size_t length;

	(void)state;
	for (length = 60; length <= sizeof(frame); length += 65490) {
		rig = (struct rig){ .seed = 1 };
		assert_int_equal(rig_open(&rig), 0);
		iface.stack = rig.stack;
		iface.counters.rx_dropped = 0;
		rig_starve(&rig, true);
		/* The second time the packet can be had, but not all of its chunks. */
		assert_int_equal(strata_input(&iface, frame, length, 0), -ENOBUFS);
		rig_starve(&rig, false);
		strata_pkt_free(strata_pkt_alloc(rig.stack, 0, 2000));
		if (length > 2000) {
			rig_starve(&rig, true);
			assert_int_equal(strata_input(&iface, frame, length, 0), -ENOBUFS);
			assert_int_equal(iface.counters.rx_dropped, 2);
		}
		rig_close(&rig);
	}
}

static void forgotten_work_is_told(void **state)
{
	struct rig rig = { .seed = 1 };
	struct job job = { .work.run = job_run };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_work_add(rig.stack, &job.work);
	rig_fini(&rig);
	assert_string_equal(rig.log, "kernel: work was never cancelled\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(work_runs_first_in_first_out_at_the_end_of_the_batch),
		cmocka_unit_test(nested_entries_leave_work_to_the_outermost),
		cmocka_unit_test(cancelled_work_does_not_run),
		cmocka_unit_test(work_that_work_queues_runs_in_the_same_batch),
		cmocka_unit_test(work_without_end_does_not_keep_the_thread),
		cmocka_unit_test(timers_fire_before_the_work_they_queue),
		cmocka_unit_test(time_never_goes_back),
		cmocka_unit_test(the_time_of_day_falls_back_to_the_clock_there_is),
		cmocka_unit_test(a_frame_for_an_interface_that_is_down_is_refused),
		cmocka_unit_test(a_frame_without_memory_for_it_is_counted),
		cmocka_unit_test(forgotten_work_is_told),
	};

	return cmocka_run_group_tests_name("work", tests, NULL, NULL);
}
