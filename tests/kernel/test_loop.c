/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop: watched descriptors, busy ones and others, timers, removal in the middle of a batch. On the system's
 * clock, as it is what ppoll(2) waits by; no test waits longer than its own timers. */
#include "rig.h"
#include "run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What the system says of ppoll(2) instead of doing it; 0: does it. */
static int refusal;
/* Whether the ends are busy ones: all tests are played with both. */
static bool busy;

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *sigmask)
{
	struct timespec left;

	if (refusal != 0) {
		errno = refusal;
		return -1;
	}
	if (timeout != NULL)	/* the system call writes what is left of it */
		left = *timeout;
	return (int)syscall(SYS_ppoll, fds, count, timeout != NULL ? &left : NULL, sigmask, (size_t)(_NSIG / 8));
}

struct end {
	struct strata_watch watch;	/* first: found from the watch */
	int fd[2];
	unsigned int calls;
	uint32_t events;
	struct end *removes;
	struct strata_work *adds;
	bool stops;
};

static void open_loop(struct rig *rig)
{
	*rig = (struct rig){ .seed = 1 };
	assert_int_equal(rig_open(rig), 0);
	rig->k.env.now = strata_env_system()->now;
	kernel_set_now(&rig->k, rig->k.env.now(NULL));
}

static void ready(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct end *end = (struct end *)(void *)watch;

	end->calls++;
	end->events = events;
	if (end->removes != NULL)
		strata_watch_remove(stack, &end->removes->watch);
	if (end->adds != NULL)
		strata_work_add(stack, end->adds);
	if (end->stops)
		strata_loop_stop(stack);
}

static void open_end(struct rig *rig, struct end *end)
{
	*end = (struct end){ .watch = { .ready = ready, .busy = busy } };
	assert_int_equal(pipe2(end->fd, O_NONBLOCK | O_CLOEXEC), 0);
	assert_int_equal(strata_watch_add(rig->stack, &end->watch, end->fd[0], EPOLLIN), 0);
}

static void close_end(struct rig *rig, struct end *end)
{
	strata_watch_remove(rig->stack, &end->watch);
	strata_watch_remove(rig->stack, &end->watch);
	close(end->fd[0]);
	close(end->fd[1]);
}

static void open_loop_with(struct rig *rig, struct end *end)
{
	open_loop(rig);
	open_end(rig, end);
}

static void close_loop_with(struct rig *rig, struct end *end)
{
	close_end(rig, end);
	rig_close(rig);
}

static void tick(struct end *end)
{
	assert_int_equal(write(end->fd[1], "x", 1), 1);
}

static void tells_what_is_ready_as_long_as_it_is(void **state)
{
	struct rig rig;
	struct end end;
	char byte;

	(void)state;
	open_loop_with(&rig, &end);
	assert_int_equal(strata_loop_turn(rig.stack, 0), 0);
	assert_int_equal(end.calls, 0);
	tick(&end);
	assert_int_equal(strata_loop_turn(rig.stack, STRATA_NEVER), 1);
	assert_int_equal(end.calls, 1);
	assert_int_equal(end.events, EPOLLIN);
	assert_int_equal(strata_loop_turn(rig.stack, STRATA_NEVER), 1);
	assert_int_equal(read(end.fd[0], &byte, 1), 1);
	assert_int_equal(strata_loop_turn(rig.stack, 0), 0);
	close_loop_with(&rig, &end);
}

static void a_watch_without_events_is_silent(void **state)
{
	struct rig rig;
	struct end end;

	(void)state;
	open_loop_with(&rig, &end);
	tick(&end);
	assert_int_equal(strata_watch_set(rig.stack, &end.watch, 0), 0);
	assert_int_equal(strata_loop_turn(rig.stack, 0), 0);
	assert_int_equal(strata_watch_set(rig.stack, &end.watch, EPOLLIN), 0);
	assert_int_equal(strata_loop_turn(rig.stack, 0), 1);
	close_loop_with(&rig, &end);
}

static void a_watch_removed_in_the_batch_is_not_told(void **state)
{
	struct rig rig;
	struct end a, b;

	(void)state;
	open_loop(&rig);
	open_end(&rig, &a);
	open_end(&rig, &b);
	a.removes = &b;
	b.removes = &a;
	tick(&a);
	tick(&b);
	assert_int_equal(strata_loop_turn(rig.stack, STRATA_NEVER), 1);
	assert_int_equal(a.calls + b.calls, 1);
	close_end(&rig, &a);
	close_end(&rig, &b);
	rig_close(&rig);
}

static void a_watch_may_remove_itself(void **state)
{
	struct rig rig;
	struct end end;

	(void)state;
	open_loop_with(&rig, &end);
	end.removes = &end;
	tick(&end);
	assert_int_equal(strata_loop_turn(rig.stack, STRATA_NEVER), 1);
	assert_false(end.watch.active);
	assert_int_equal(strata_loop_turn(rig.stack, 0), 0);
	close_loop_with(&rig, &end);
}

static void what_can_not_be_watched_is_refused(void **state)
{
	struct rig rig;
	struct strata_watch watch = { .ready = ready, .busy = busy };
	char name[] = "/tmp/strata-test-XXXXXX";
	int fd = mkstemp(name);

	(void)state;
	open_loop(&rig);
	unlink(name);
	assert_int_equal(strata_watch_add(rig.stack, &watch, fd, EPOLLIN), -EPERM);
	assert_int_equal(strata_watch_add(rig.stack, &watch, -1, EPOLLIN), -EBADF);
	assert_false(watch.active);
	close(fd);
	rig_close(&rig);
}

struct count_work {
	struct strata_work work;
	unsigned int runs, told;
	const struct end *a, *b;
};

static void count_run(struct strata_stack *stack, struct strata_work *work)
{
	struct count_work *count = (struct count_work *)(void *)work;

	(void)stack;
	count->runs++;
	count->told = count->a->calls + count->b->calls;
}

static void work_runs_once_after_all_that_was_ready(void **state)
{
	struct count_work count = { .work.run = count_run };
	struct rig rig;
	struct end a, b;

	(void)state;
	open_loop(&rig);
	open_end(&rig, &a);
	open_end(&rig, &b);
	a.adds = b.adds = &count.work;
	count.a = &a;
	count.b = &b;
	tick(&a);
	tick(&b);
	assert_int_equal(strata_loop_turn(rig.stack, STRATA_NEVER), 2);
	assert_int_equal(count.runs, 1);
	assert_int_equal(count.told, 2);
	close_end(&rig, &a);
	close_end(&rig, &b);
	rig_close(&rig);
}

struct alarm {
	struct strata_timer timer;
	unsigned int fired;
};

static void alarm_fire(struct strata_stack *stack, struct strata_timer *timer)
{
	struct alarm *alarm = (struct alarm *)(void *)timer;

	alarm->fired++;
	strata_loop_stop(stack);
}

static void waits_until_the_next_timer_and_no_longer(void **state)
{
	struct alarm alarm = { .timer.fire = alarm_fire };
	struct rig rig;
	struct end end;

	(void)state;
	open_loop_with(&rig, &end);
	strata_timer_start(rig.stack, &alarm.timer, rig.stack->now + 3 * STRATA_MS);
	assert_int_equal(strata_loop_run(rig.stack), 0);
	assert_int_equal(alarm.fired, 1);
	/* It can be run again. */
	end.stops = true;
	tick(&end);
	assert_int_equal(strata_loop_run(rig.stack), 0);
	assert_int_equal(end.calls, 1);
	close_loop_with(&rig, &end);
}

static void a_turn_waits_no_longer_than_it_may(void **state)
{
	struct alarm alarm = { .timer.fire = alarm_fire };
	struct rig rig;

	(void)state;
	open_loop(&rig);
	strata_timer_start(rig.stack, &alarm.timer, rig.stack->now + 3600 * STRATA_SEC);
	assert_int_equal(strata_loop_turn(rig.stack, STRATA_MS), 0);
	assert_int_equal(alarm.fired, 0);
	strata_timer_stop(rig.stack, &alarm.timer);
	rig_close(&rig);
}

static void a_signal_ends_a_turn_and_no_more(void **state)
{
	struct rig rig;
	struct end end;

	(void)state;
	open_loop_with(&rig, &end);
	refusal = EINTR;
	assert_int_equal(strata_loop_turn(rig.stack, STRATA_NEVER), 0);
	refusal = EBADF;
	assert_int_equal(strata_loop_turn(rig.stack, STRATA_NEVER), -EBADF);
	refusal = 0;
	tick(&end);
	assert_int_equal(strata_loop_turn(rig.stack, STRATA_NEVER), 1);
	close_loop_with(&rig, &end);
}

static void left_over_work_does_not_wait(void **state)
{
	struct count_work count = { .work.run = count_run };
	struct rig rig;
	struct end end;

	(void)state;
	open_loop_with(&rig, &end);
	count.a = count.b = &end;
	strata_work_add(rig.stack, &count.work);
	assert_int_equal(strata_loop_turn(rig.stack, STRATA_NEVER), 0);
	assert_int_equal(count.runs, 1);
	close_loop_with(&rig, &end);
}

static bool readable(int fd, int timeout)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout) == 1;
}

static void another_loop_learns_of_descriptors_and_timers(void **state)
{
	struct alarm alarm = { .timer.fire = alarm_fire };
	struct rig rig;
	struct end end;
	char byte;
	int fd;

	(void)state;
	open_loop_with(&rig, &end);
	fd = strata_loop_fd(rig.stack);
	assert_true(fd >= 0);
	assert_int_equal(strata_loop_fd(rig.stack), fd);
	assert_false(readable(fd, 0));
	tick(&end);
	assert_true(readable(fd, 0));
	assert_int_equal(read(end.fd[0], &byte, 1), 1);
	assert_false(readable(fd, 0));
	/* A timer that any entry starts. */
	kernel_enter(&rig.k);
	strata_timer_start(rig.stack, &alarm.timer, rig.stack->now + STRATA_MS);
	kernel_leave(&rig.k);
	assert_true(readable(fd, -1));
	while (alarm.fired == 0)
		assert_int_equal(strata_loop_turn(rig.stack, STRATA_MS), 0);
	assert_false(readable(fd, 0));
	/* And one that is taken back. */
	kernel_enter(&rig.k);
	strata_timer_start(rig.stack, &alarm.timer, rig.stack->now + 3600 * STRATA_SEC);
	kernel_leave(&rig.k);
	kernel_enter(&rig.k);
	strata_timer_stop(rig.stack, &alarm.timer);
	kernel_leave(&rig.k);
	assert_false(readable(fd, 0));
	close_loop_with(&rig, &end);
}

/* More of them than are polled: the others are in the epoll instance, and nobody sees a difference. */
static void many_watches_are_all_told(void **state)
{
	enum { MANY = 20 };
	struct end ends[MANY];
	struct rig rig;
	unsigned int i, round;

	(void)state;
	open_loop(&rig);
	for (i = 0; i < MANY; i++)
		open_end(&rig, &ends[i]);
	for (i = 0; i < MANY; i++)
		tick(&ends[i]);
	assert_int_equal(strata_loop_turn(rig.stack, STRATA_NEVER), MANY);
	/* Each may go, from wherever it is, and the rest stay. */
	for (round = 0; round < MANY; round++) {
		const unsigned int gone = round * 7 % MANY;

		assert_int_equal(strata_loop_turn(rig.stack, 0), MANY - round);
		for (i = 0; i < MANY; i++)
			assert_int_equal(ends[i].calls, !ends[i].watch.active ? 0 : round + 2);
		close_end(&rig, &ends[gone]);
		ends[gone].calls = 0;
	}
	assert_int_equal(strata_loop_turn(rig.stack, 0), 0);
	rig_close(&rig);
}

static void another_loop_learns_of_those_that_are_added_and_changed_later(void **state)
{
	struct rig rig;
	struct end end;
	int fd;

	(void)state;
	open_loop(&rig);
	fd = strata_loop_fd(rig.stack);
	open_end(&rig, &end);
	tick(&end);
	assert_true(readable(fd, 0));
	assert_int_equal(strata_watch_set(rig.stack, &end.watch, 0), 0);
	assert_false(readable(fd, 0));
	assert_int_equal(strata_watch_set(rig.stack, &end.watch, EPOLLIN), 0);
	assert_true(readable(fd, 0));
	assert_int_equal(strata_loop_turn(rig.stack, 0), 1);
	close_end(&rig, &end);
	assert_false(readable(fd, 0));
	rig_close(&rig);
}

static void a_descriptor_closed_while_it_is_watched_does_not_pass_for_silence(void **state)
{
	struct rig rig;
	struct end end;

	(void)state;
	open_loop_with(&rig, &end);
	close(end.fd[0]);
	/* The system forgets those of an epoll instance. */
	assert_int_equal(strata_loop_turn(rig.stack, 0), busy);
	assert_int_equal(end.events, busy ? EPOLLERR : 0);
	end.fd[0] = -1;
	close_loop_with(&rig, &end);
}

static void without_a_clock_there_is_no_loop(void **state)
{
	struct rig rig;

	(void)state;
	open_loop(&rig);
	rig.k.env.now = NULL;
	assert_int_equal(strata_loop_turn(rig.stack, 0), -EINVAL);
	assert_int_equal(strata_loop_run(rig.stack), -EINVAL);
	assert_int_equal(strata_loop_fd(rig.stack), -EINVAL);
	rig_close(&rig);
}

static void without_memory_there_is_no_loop(void **state)
{
	struct rig rig;
	struct strata_watch watch = { .ready = ready };

	(void)state;
	open_loop(&rig);
	rig_starve(&rig, true);
	assert_int_equal(strata_watch_add(rig.stack, &watch, 0, EPOLLIN), -ENOMEM);
	assert_int_equal(strata_loop_turn(rig.stack, 0), -ENOMEM);
	assert_int_equal(strata_loop_run(rig.stack), -ENOMEM);
	assert_int_equal(strata_loop_fd(rig.stack), -ENOMEM);
	rig_close(&rig);
}

static void a_forgotten_watch_is_told(void **state)
{
	struct rig rig;
	struct end end;

	(void)state;
	open_loop_with(&rig, &end);
	rig_fini(&rig);
	assert_string_equal(rig.log, "kernel: 1 watches were never removed\n");
	close(end.fd[0]);
	close(end.fd[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_is_ready_as_long_as_it_is),
		cmocka_unit_test(a_watch_without_events_is_silent),
		cmocka_unit_test(a_watch_removed_in_the_batch_is_not_told),
		cmocka_unit_test(a_watch_may_remove_itself),
		cmocka_unit_test(what_can_not_be_watched_is_refused),
		cmocka_unit_test(work_runs_once_after_all_that_was_ready),
		cmocka_unit_test(waits_until_the_next_timer_and_no_longer),
		cmocka_unit_test(a_turn_waits_no_longer_than_it_may),
		cmocka_unit_test(a_signal_ends_a_turn_and_no_more),
		cmocka_unit_test(left_over_work_does_not_wait),
		cmocka_unit_test(another_loop_learns_of_descriptors_and_timers),
		cmocka_unit_test(another_loop_learns_of_those_that_are_added_and_changed_later),
		cmocka_unit_test(many_watches_are_all_told),
		cmocka_unit_test(a_descriptor_closed_while_it_is_watched_does_not_pass_for_silence),
		cmocka_unit_test(without_a_clock_there_is_no_loop),
		cmocka_unit_test(without_memory_there_is_no_loop),
		cmocka_unit_test(a_forgotten_watch_is_told),
	};

	int failed = cmocka_run_group_tests_name("loop", tests, NULL, NULL);

	busy = true;
	return failed + cmocka_run_group_tests_name("loop, busy descriptors", tests, NULL, NULL);
}
