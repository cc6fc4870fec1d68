/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop's decisions in virtual time: when it polls devices, when it sleeps and for how long, and when it
 * sets a timer of the system's. Each look at the clock takes a microsecond; nothing waits. */
#include "net.h"
#include "run.h"

#include <poll.h>
#include <sched.h>
#include <strata/loop.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

/* What the system's calls were asked for. */
static struct {
	unsigned int sleeps;		/* ppoll() with a time limit other than 0 */
	unsigned int looks;		/* … of 0 */
	uint64_t longest;		/* the last limit, ns */
	unsigned int settings;		/* of a timerfd */
	bool timer_ends_sleep;		/* a sleep ends as if the timerfd was readable */
	uint64_t wakes_after;		/* … as if a descriptor was, after so long; 0: it does not */
	int timerfd_result;
	bool one_processor;
} asked;

static struct net net;
static uint64_t clock_ns;

/* The device: how many frames the next polls find. */
static struct {
	unsigned int polls;
	unsigned int frames_at;		/* which poll finds one; 0: none */
	bool always;
	bool stops;
	struct strata_iface *closes;
} device;

static uint64_t now(void *ctx)
{
	(void)ctx;
	return clock_ns += STRATA_US;
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *sigmask)
{
	(void)count;
	(void)sigmask;
	asked.longest = timeout == NULL ? STRATA_NEVER :
			(uint64_t)timeout->tv_sec * STRATA_SEC + (uint64_t)timeout->tv_nsec;
	if (asked.longest == 0) {
		asked.looks++;
		return 0;
	}
	asked.sleeps++;
	if (asked.timer_ends_sleep || asked.wakes_after != 0) {
		clock_ns += asked.wakes_after;
		fds[0].revents = POLLIN;
		return 1;
	}
	if (timeout != NULL)
		clock_ns += asked.longest;
	return 0;
}

int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	(void)epfd;
	(void)maxevents;
	(void)timeout;
	if (asked.timer_ends_sleep)
		events[0] = (struct epoll_event){ .events = EPOLLIN, .data.ptr = net.k->loop };
	else
		events[0] = (struct epoll_event){ .events = 0, .data.ptr = NULL };
	return 1;
}

int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	(void)pid;
	memset(set, 0, size);
	CPU_SET(0, set);
	if (!asked.one_processor)
		CPU_SET(1, set);
	return 0;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
	(void)fd;
	(void)flags;
	(void)new;
	(void)old;
	asked.settings++;
	if (asked.timerfd_result != 0)
		errno = EINVAL;
	return asked.timerfd_result;
}

static int device_open(struct strata_iface *iface, struct strata_error *error)
{
	(void)error;
	iface->flags |= STRATA_IFACE_RUNNING;
	return 0;
}

static void device_xmit(struct strata_iface *iface, struct strata_pkt *pkt)
{
	(void)iface;
	strata_pkt_free(pkt);
}

static unsigned int device_poll(struct strata_iface *iface)
{
	device.polls++;
	if (device.stops)
		strata_loop_stop(iface->stack);
	if (device.closes != NULL)
		iface_close(device.closes);
	return device.always || device.polls == device.frames_at ? 1 : 0;
}

static const struct strata_link_ops device_ops = {
	.open = device_open, .xmit = device_xmit, .poll = device_poll, .mtu_default = 1500, .mtu_max = 9000,
};
static const struct strata_module device_module = {
	STRATA_MODULE_HEADER, .name = "spun", .kind = STRATA_LINK, .link = &device_ops,
};
static struct strata_instance device_instance;
static struct strata_iface *spun;

static struct strata_iface *add_device(const char *name)
{
	const struct iface_spec spec = { .name = name, .driver = &device_instance };
	struct strata_iface *iface = NULL;

	assert_int_equal(iface_create(net.k, &spec, &iface, NULL), 0);
	assert_int_equal(iface_open(iface, NULL), 0);
	return iface;
}

static int setup(void **state)
{
	(void)state;
	memset(&asked, 0, sizeof(asked));
	memset(&device, 0, sizeof(device));
	net_open(&net);
	clock_ns = net.stack->now;
	net.k->env.now = now;
	device_instance = (struct strata_instance){ .stack = net.stack, .module = &device_module,
						    .name = "spun", .running = true };
	spun = add_device("spun0");
	net.k->settings.busy_poll = 50 * STRATA_US;
	net.k->settings.adaptive_poll = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	loop_fini(net.k);
	net_close(&net);
	return 0;
}

static int turn(uint64_t timeout)
{
	return strata_loop_turn(net.stack, timeout);
}

/* ---- polling ---- */

static void without_the_setting_a_device_is_only_waited_for(void **state)
{
	(void)state;
	net.k->settings.busy_poll = 0;
	assert_int_equal(turn(STRATA_NEVER), 0);
	assert_int_equal(device.polls, 0);
	assert_int_equal(asked.sleeps, 1);
	assert_int_equal(asked.longest, STRATA_NEVER);
}

static void polls_as_long_as_it_may_and_then_sleeps(void **state)
{
	(void)state;
	assert_int_equal(turn(STRATA_NEVER), 0);
	/* A look at the clock each, the first to begin with. */
	assert_int_equal(device.polls, 51);
	assert_int_equal(asked.sleeps, 1);
	assert_int_equal(asked.longest, STRATA_NEVER);
}

static void a_frame_ends_the_turn_without_a_system_call(void **state)
{
	(void)state;
	assert_int_equal(turn(0), 0);
	asked.looks = 0;
	device.polls = 0;
	device.frames_at = 20;
	assert_int_equal(turn(STRATA_NEVER), 1);
	assert_int_equal(device.polls, 20);
	assert_int_equal(asked.sleeps + asked.looks, 0);
}

static void a_busy_device_does_not_keep_the_loop_from_other_descriptors(void **state)
{
	const uint64_t began = clock_ns;
	unsigned int i;

	(void)state;
	device.always = true;
	for (i = 0; i < 1000; i++)
		assert_int_equal(turn(STRATA_NEVER), 1);
	assert_int_equal(asked.sleeps, 0);
	assert_in_range(asked.looks, (clock_ns - began) / (250 * STRATA_US),
			(clock_ns - began) / (200 * STRATA_US) + 1);
}

struct alarm {
	struct strata_timer timer;
	unsigned int fired;
};

static void fire(struct strata_stack *stack, struct strata_timer *timer)
{
	(void)stack;
	((struct alarm *)(void *)timer)->fired++;
}

static void polling_does_not_delay_a_timer(void **state)
{
	struct alarm alarm = { .timer.fire = fire };
	const uint64_t due = clock_ns + 20 * STRATA_US;

	(void)state;
	strata_timer_start(net.stack, &alarm.timer, due);
	while (alarm.fired == 0)
		assert_int_equal(turn(STRATA_NEVER), 0);
	assert_in_range(clock_ns, due, due + 3 * STRATA_US);
	assert_in_range(device.polls, 15, 21);
	assert_int_equal(asked.sleeps, 0);
}

static void a_turn_polls_no_longer_than_it_may(void **state)
{
	(void)state;
	assert_int_equal(turn(10 * STRATA_US), 0);
	assert_int_equal(device.polls, 11);
	device.polls = 0;
	assert_int_equal(turn(0), 0);
	assert_int_equal(device.polls, 1);
	assert_int_equal(asked.looks, 1);
}

static void a_loop_that_is_stopped_does_not_sleep(void **state)
{
	(void)state;
	device.stops = true;
	assert_int_equal(strata_loop_run(net.stack), 0);
	assert_int_equal(asked.sleeps, 0);
}

static void a_device_that_is_down_is_not_polled(void **state)
{
	(void)state;
	iface_close(spun);
	assert_int_equal(net.k->polled, 0);
	assert_int_equal(turn(STRATA_NEVER), 0);
	assert_int_equal(device.polls, 0);
	assert_int_equal(asked.sleeps, 1);
	assert_int_equal(iface_open(spun, NULL), 0);
	assert_int_equal(net.k->polled, 1);
}

static void a_frame_may_take_another_device_down(void **state)
{
	struct strata_iface *other = add_device("spun1");

	(void)state;
	device.closes = other;
	assert_int_equal(turn(10 * STRATA_US), 0);
	/* From the first poll on there is one device. */
	assert_int_equal(device.polls, 11);
	assert_int_equal(net.k->polled, 1);
}

/* ---- polling as long as it pays ---- */

static void adapts(void)
{
	net.k->settings.busy_poll = 0;
	net.k->settings.adaptive_poll = 50 * STRATA_US;
	assert_int_equal(turn(0), 0);
	device.polls = 0;
	asked.looks = 0;
}

static void a_short_wait_has_the_next_one_polled_through(void **state)
{
	(void)state;
	adapts();
	asked.wakes_after = 20 * STRATA_US;
	assert_int_equal(turn(STRATA_NEVER), 0);
	assert_int_equal(device.polls, 0);
	assert_int_equal(asked.sleeps, 1);
	/* Frames keep coming soon: it does not sleep any more. */
	for (unsigned int i = 0; i < 100; i++) {
		device.frames_at = device.polls + 30;
		assert_int_equal(turn(STRATA_NEVER), 1);
	}
	assert_int_equal(asked.sleeps, 1);
}

static void a_few_polls_in_vain_are_the_last(void **state)
{
	(void)state;
	adapts();
	asked.wakes_after = 20 * STRATA_US;
	turn(STRATA_NEVER);
	asked.wakes_after = STRATA_MS;
	for (unsigned int i = 0; i < 4; i++)
		turn(STRATA_NEVER);
	assert_in_range(device.polls, 4 * 45, 4 * 51);
	assert_int_equal(asked.sleeps, 5);
	device.polls = 0;
	for (unsigned int i = 0; i < 100; i++)
		turn(STRATA_NEVER);
	assert_int_equal(device.polls, 0);
	assert_int_equal(asked.sleeps, 105);
}

static void the_end_of_a_timer_is_no_reason_to_poll(void **state)
{
	struct alarm alarm = { .timer.fire = fire };

	(void)state;
	adapts();
	for (unsigned int i = 0; i < 10; i++) {
		strata_timer_start(net.stack, &alarm.timer, clock_ns + 20 * STRATA_US);
		turn(STRATA_NEVER);
	}
	assert_int_equal(alarm.fired, 10);
	assert_int_equal(device.polls, 0);
}

static void on_one_processor_it_sleeps_at_once(void **state)
{
	(void)state;
	asked.one_processor = true;
	adapts();
	asked.wakes_after = 20 * STRATA_US;
	for (unsigned int i = 0; i < 10; i++)
		turn(STRATA_NEVER);
	assert_int_equal(device.polls, 0);
	assert_int_equal(asked.sleeps, 10);
}

/* ---- sleeping ---- */

static void a_timer_put_off_again_and_again_is_set_once(void **state)
{
	struct alarm alarm = { .timer.fire = fire };
	const uint64_t began = clock_ns;
	unsigned int i;

	(void)state;
	net.k->settings.busy_poll = 0;
	for (i = 0; i < 100; i++) {
		strata_timer_start(net.stack, &alarm.timer, clock_ns + 200 * STRATA_MS);
		turn(STRATA_NEVER);
		assert_int_equal(asked.longest, STRATA_NEVER);
		clock_ns += STRATA_MS;
	}
	assert_int_equal(asked.settings, 1);
	/* Its first time comes: it is set for what is left. */
	clock_ns = began + 200 * STRATA_MS;
	asked.timer_ends_sleep = true;
	turn(STRATA_NEVER);
	assert_int_equal(alarm.fired, 0);
	turn(STRATA_NEVER);
	assert_int_equal(asked.settings, 2);
	clock_ns = alarm.timer.deadline;
	turn(STRATA_NEVER);
	assert_int_equal(alarm.fired, 1);
}

static void an_earlier_timer_sets_it_anew(void **state)
{
	struct alarm late = { .timer.fire = fire }, early = { .timer.fire = fire };

	(void)state;
	net.k->settings.busy_poll = 0;
	strata_timer_start(net.stack, &late.timer, clock_ns + STRATA_SEC);
	turn(STRATA_NEVER);
	strata_timer_start(net.stack, &early.timer, clock_ns + 100 * STRATA_MS);
	turn(STRATA_NEVER);
	assert_int_equal(asked.settings, 2);
	strata_timer_stop(net.stack, &early.timer);
	strata_timer_stop(net.stack, &late.timer);
	turn(STRATA_NEVER);
	assert_int_equal(asked.settings, 2);
	assert_int_equal(asked.longest, STRATA_NEVER);
}

static void a_near_timer_limits_the_sleep(void **state)
{
	struct alarm alarm = { .timer.fire = fire };

	(void)state;
	net.k->settings.busy_poll = 0;
	strata_timer_start(net.stack, &alarm.timer, clock_ns + 100 * STRATA_US);
	turn(STRATA_NEVER);
	assert_in_range(asked.longest, 90 * STRATA_US, 100 * STRATA_US);
	assert_int_equal(asked.settings, 0);
	assert_int_equal(alarm.fired, 1);
}

static void a_timer_the_system_refuses_limits_the_sleep(void **state)
{
	struct alarm alarm = { .timer.fire = fire };

	(void)state;
	net.k->settings.busy_poll = 0;
	asked.timerfd_result = -1;
	strata_timer_start(net.stack, &alarm.timer, clock_ns + STRATA_SEC);
	turn(STRATA_NEVER);
	assert_in_range(asked.longest, STRATA_SEC - 10 * STRATA_US, STRATA_SEC);
	assert_int_equal(alarm.fired, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(without_the_setting_a_device_is_only_waited_for),
		T(polls_as_long_as_it_may_and_then_sleeps),
		T(a_frame_ends_the_turn_without_a_system_call),
		T(a_busy_device_does_not_keep_the_loop_from_other_descriptors),
		T(polling_does_not_delay_a_timer),
		T(a_turn_polls_no_longer_than_it_may),
		T(a_loop_that_is_stopped_does_not_sleep),
		T(a_device_that_is_down_is_not_polled),
		T(a_frame_may_take_another_device_down),
		T(a_short_wait_has_the_next_one_polled_through),
		T(a_few_polls_in_vain_are_the_last),
		T(the_end_of_a_timer_is_no_reason_to_poll),
		T(on_one_processor_it_sleeps_at_once),
		T(a_timer_put_off_again_and_again_is_set_once),
		T(an_earlier_timer_sets_it_anew),
		T(a_near_timer_limits_the_sleep),
		T(a_timer_the_system_refuses_limits_the_sleep),
#undef T
	};

	return cmocka_run_group_tests_name("poll", tests, NULL, NULL);
}
