/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop: it sleeps until a watched descriptor is ready or the next timer due and for nothing else, or polls
 * the drivers for a while first. What is ready at one time is one batch, with one end.
 *
 * It sleeps in ppoll(2). An epoll instance holds most descriptors and is one of what is polled; whatever its
 * descriptors have to tell costs the teller, asleep or not. So devices, which tell of each frame, are not in it:
 * ppoll(2) asks to be told for the time of a sleep, and a loop that always finds frames is told nothing.
 */
#include "run.h"
#include "shard.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Local choice: descriptors told in one batch. */
#define LOOP_EVENTS 64
/* Local choice: busy descriptors that are polled; each costs a little of every sleep. */
#define LOOP_BUSY 8
/* Local choice: a timer nearer than this is waited for by the call's own time limit. A later one costs a
 * timerfd, which is set once for many turns: the host's kernel sets a timer of its own for each limit. */
#define LOOP_NEAR STRATA_MS
/* Local choice: waits too long to be polled through before that is given up; among several conversations one
 * is long now and then. */
#define LOOP_CREDIT 4
/* Local choice: how long devices that are polled may keep the loop from the other descriptors. */
#define LOOP_LOOK (200 * STRATA_US)

struct loop {
	int epoll;
	int timer;		/* timerfd; -1: not needed yet */
	uint64_t armed;		/* when the timerfd becomes readable; STRATA_NEVER: it is not set */
	uint64_t looked;	/* when descriptors were last asked */
	bool timerless;		/* the system gave no timerfd */
	bool alone;		/* there is one processor: who is waited for could not run meanwhile */
	unsigned int credit;	/* polls in vain that are still allowed, see loop_adapt() */
	bool stop;
	unsigned int watches;
	unsigned int busy_count;	/* of the following two; before them, the epoll instance */
	struct pollfd polled[1 + LOOP_BUSY];
	struct strata_watch *busy[LOOP_BUSY];
	int next, count;	/* events still to be told in this turn */
	struct epoll_event events[LOOP_EVENTS];
};

/* Makes k->loop where there is none yet. */
static int loop_make(struct kernel *k)
{
	struct loop *loop;
	cpu_set_t set;
	int error;

	if (k->loop != NULL)
		return 0;
	loop = strata_alloc(&k->pub, sizeof(*loop));
	if (loop == NULL)
		return -ENOMEM;
	loop->timer = -1;
	loop->armed = STRATA_NEVER;
	loop->alone = sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		error = -errno;
		strata_free(&k->pub, loop);
		return error;
	}
	loop->polled[0] = (struct pollfd){ .fd = loop->epoll, .events = POLLIN };
	k->loop = loop;
	return 0;
}

void loop_fini(struct kernel *k)
{
	struct loop *loop = k->loop;

	if (loop == NULL)
		return;
	if (loop->watches != 0)
		strata_log(&k->pub, NULL, STRATA_LOG_ERROR, "%u watches were never removed",
			   loop->watches);
	if (loop->timer >= 0)
		close(loop->timer);
	close(loop->epoll);
	strata_free(&k->pub, loop);
	k->loop = NULL;
	k->foreign = false;
}

/* ---- watches ---- */

/* The values of epoll(7) are those of poll(2). */
_Static_assert(EPOLLIN == POLLIN && EPOLLOUT == POLLOUT && EPOLLERR == POLLERR && EPOLLHUP == POLLHUP,
	       "events of either");

static int watch_control(struct loop *loop, int operation, struct strata_watch *watch)
{
	struct epoll_event event = { .events = watch->events, .data.ptr = watch };

	return epoll_ctl(loop->epoll, operation, watch->fd, &event) == 0 ? 0 : -errno;
}

/* Its place among the busy ones; busy_count: it is in the epoll instance. */
static unsigned int busy_find(const struct loop *loop, const struct strata_watch *watch)
{
	unsigned int i = 0;

	while (i < loop->busy_count && loop->busy[i] != watch)
		i++;
	return i;
}

static void busy_remove(struct loop *loop, unsigned int i)
{
	loop->busy_count--;
	loop->busy[i] = loop->busy[loop->busy_count];
	loop->polled[1 + i] = loop->polled[1 + loop->busy_count];
}

/* Has `watch`, which is in the epoll instance and so can be watched, polled instead; unless there are too many, or
 * it is another loop that sleeps. */
static void busy_add(struct kernel *k, struct strata_watch *watch)
{
	struct loop *loop = k->loop;

	if (!watch->busy || k->foreign || loop->busy_count == LOOP_BUSY)
		return;
	watch_control(loop, EPOLL_CTL_DEL, watch);
	loop->busy[loop->busy_count] = watch;
	loop->polled[1 + loop->busy_count] = (struct pollfd){ .fd = watch->fd, .events = (short)watch->events };
	loop->busy_count++;
}

int strata_watch_add(struct strata_stack *stack, struct strata_watch *watch, int fd, uint32_t events)
{
	struct kernel *k = kernel_of(stack);
	int result = loop_make(k);

	assert(watch->ready != NULL && !watch->active);
	if (result != 0)
		return result;
	watch->fd = fd;
	watch->events = events;
	result = watch_control(k->loop, EPOLL_CTL_ADD, watch);
	if (result != 0)
		return result;
	busy_add(k, watch);
	watch->active = true;
	k->loop->watches++;
	return 0;
}

int strata_watch_set(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct loop *loop = kernel_of(stack)->loop;
	uint32_t before = watch->events;
	unsigned int i;
	int result = 0;

	assert(watch->active);
	if (events == before)
		return 0;
	watch->events = events;
	i = busy_find(loop, watch);
	if (i < loop->busy_count)
		loop->polled[1 + i].events = (short)events;
	else
		result = watch_control(loop, EPOLL_CTL_MOD, watch);
	if (result != 0)
		watch->events = before;
	return result;
}

void strata_watch_remove(struct strata_stack *stack, struct strata_watch *watch)
{
	struct loop *loop = kernel_of(stack)->loop;
	unsigned int at;
	int i;

	if (!watch->active)
		return;
	at = busy_find(loop, watch);
	if (at < loop->busy_count)
		busy_remove(loop, at);
	else
		watch_control(loop, EPOLL_CTL_DEL, watch);
	watch->active = false;
	loop->watches--;
	/* Its owner may free it before the turn gets to it. */
	for (i = loop->next; i < loop->count; i++) {
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
	}
}

/* ---- time ---- */

/* Nanoseconds until `when`. */
static uint64_t loop_until(struct kernel *k, uint64_t when)
{
	uint64_t now;

	if (when == STRATA_NEVER)
		return STRATA_NEVER;
	now = k->env.now(k->env.ctx);
	return when > now ? when - now : 0;
}

/* Makes the timerfd. Returns 0 or -errno. */
static int timer_open(struct loop *loop)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = loop };
	int timer, result;

	if (loop->timer >= 0)
		return 0;
	timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer < 0)
		return -errno;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, timer, &event) != 0) {
		result = -errno;
		close(timer);
		return result;
	}
	loop->timer = timer;
	return 0;
}

/* Has the timerfd become readable at `next`, `idle` ns from now, or before. */
static void timer_arm(struct loop *loop, uint64_t next, uint64_t idle)
{
	/* All zero would disarm it. */
	const uint64_t ns = idle + (idle == 0);
	const struct itimerspec spec = {
		.it_value = { .tv_sec = (time_t)(ns / STRATA_SEC), .tv_nsec = (long)(ns % STRATA_SEC) },
	};

	if (timerfd_settime(loop->timer, 0, &spec, NULL) == 0)
		loop->armed = next;
}

/* It stays readable until it is read. */
static void timer_read(struct loop *loop)
{
	uint64_t times;

	loop->armed = STRATA_NEVER;
	if (read(loop->timer, &times, sizeof(times)) < 0)
		return;		/* it was set anew since it became readable */
}

/* How long the loop may sleep: until the next timer, unless the timerfd wakes it in time. A timer that is
 * put off again and again, as each packet puts one off, costs nothing but a look once the first time is up. */
static uint64_t loop_idle(struct kernel *k, struct loop *loop)
{
	const uint64_t next = strata_next_timer(&k->pub);
	uint64_t idle;

	if (next >= loop->armed)
		return STRATA_NEVER;
	idle = loop_until(k, next);
	if (idle < LOOP_NEAR || loop->timerless)
		return idle;
	if (timer_open(loop) < 0) {
		loop->timerless = true;
		return idle;
	}
	timer_arm(loop, next, idle);
	return loop->armed == next ? STRATA_NEVER : idle;
}

/* ---- turns ---- */

/* Waits `wait` ns. Returns the number of events or -errno. */
static int loop_wait(struct loop *loop, uint64_t wait)
{
	const struct timespec limit = {
		.tv_sec = (time_t)(wait / STRATA_SEC), .tv_nsec = (long)(wait % STRATA_SEC),
	};
	int count = 0, n = ppoll(loop->polled, 1 + loop->busy_count, wait == STRATA_NEVER ? NULL : &limit, NULL);

	if (n <= 0)
		return n == 0 ? 0 : -errno;
	for (unsigned int i = 0; i < loop->busy_count; i++) {
		uint32_t events = (uint32_t)loop->polled[1 + i].revents;

		if ((events & POLLNVAL) != 0)	/* closed behind our back */
			events = EPOLLERR;
		if (events != 0)
			loop->events[count++] = (struct epoll_event){ .events = events, .data.ptr = loop->busy[i] };
	}
	if (loop->polled[0].revents == 0)
		return count;
	n = epoll_wait(loop->epoll, loop->events + count, LOOP_EVENTS - count, 0);
	return n >= 0 ? count + n : -errno;
}

static int loop_dispatch(struct kernel *k, struct loop *loop, int count)
{
	int told = 0;

	loop->count = count;
	for (loop->next = 0; loop->next < loop->count;) {
		struct epoll_event *event = &loop->events[loop->next++];
		struct strata_watch *watch = event->data.ptr;

		if (watch == NULL)
			continue;
		if (event->data.ptr == loop) {
			timer_read(loop);
			continue;
		}
		/* What was ready may be wanted no longer; errors and hang-ups always are. */
		if ((event->events & (watch->events | EPOLLERR | EPOLLHUP)) == 0)
			continue;
		k->outward = k->depth;
		watch->ready(&k->pub, watch, event->events);
		k->outward = 0;
		told++;
	}
	return told;
}

/* One batch of what `count` events stand for. */
static int loop_batch(struct kernel *k, struct loop *loop, int count)
{
	int told;

	kernel_enter(k);
	loop->looked = k->pub.now;
	told = loop_dispatch(k, loop, count);
	if (k->shard != NULL)
		shard_drain(k);
	timer_run(k);
	kernel_leave(k);
	return told;
}

static bool shard_waits(const struct kernel *k)
{
	return k->shard != NULL && shard_pending(k);
}

/* How long the turn polls before it sleeps. */
static uint64_t loop_patience(const struct kernel *k)
{
	if (k->polled == 0)
		return 0;
	return k->loop->credit != 0 && k->settings.adaptive_poll > k->settings.busy_poll ?
		k->settings.adaptive_poll : k->settings.busy_poll;
}

/* A wait of `ns` has ended, `woken` by a descriptor: one so short is to be polled through when the like comes
 * again, since to sleep and be woken costs more. Longer ones soon end that. */
static void loop_adapt(struct kernel *k, bool woken, uint64_t ns)
{
	struct loop *loop = k->loop;

	if (woken && ns <= k->settings.adaptive_poll && !loop->alone)
		loop->credit = LOOP_CREDIT;
	else if (loop->credit != 0)
		loop->credit--;
}

/* Polls drivers until one had a frame, but no longer than `busy`, and not past the next timer: one batch. Returns frames taken; `*due` becomes true when there was other
 * work. */
static int loop_spin(struct kernel *k, uint64_t busy, bool *due)
{
	const uint64_t next = strata_next_timer(&k->pub);
	unsigned int frames;
	uint64_t until;

	kernel_enter(k);
	until = next < k->pub.now + busy ? next : k->pub.now + busy;
	while ((frames = iface_poll(k)) == 0 && k->pub.now < until && !shard_waits(k))
		kernel_set_now(k, k->env.now(k->env.ctx));
	*due = next <= k->pub.now || shard_waits(k);
	if (k->shard != NULL)
		shard_drain(k);
	timer_run(k);
	kernel_leave(k);
	return (int)frames;
}

int strata_loop_turn(struct strata_stack *stack, uint64_t timeout)
{
	struct kernel *k = kernel_of(stack);
	uint64_t idle, spin, began = 0;
	int result = loop_make(k), count, frames = 0;
	bool due = false;

	if (k->depth != 0 || k->calling)
		return -EBUSY;
	if (result != 0)
		return result;
	if (k->env.now == NULL)
		return -EINVAL;
	if (k->settings.adaptive_poll != 0 && k->polled != 0)
		began = k->env.now(k->env.ctx);
	spin = loop_patience(k);
	if (spin != 0) {
		frames = loop_spin(k, spin < timeout ? spin : timeout, &due);
		due |= frames != 0 || k->loop->stop;
		if (due && k->pub.now - k->loop->looked < LOOP_LOOK)
			return frames;
		if (due)
			timeout = 0;
	}
	idle = loop_idle(k, k->loop);
	count = loop_wait(k->loop, idle < timeout ? idle : timeout);
	if (count < 0 && count != -EINTR)
		return count;
	result = frames + loop_batch(k, k->loop, count > 0 ? count : 0);
	if (began != 0 && !due)
		loop_adapt(k, count > 0, k->loop->looked - began);
	return result;
}

int strata_loop_run(struct strata_stack *stack)
{
	struct kernel *k = kernel_of(stack);
	int result = loop_make(k);

	while (result >= 0 && !k->loop->stop)
		result = strata_loop_turn(stack, STRATA_NEVER);
	if (result < 0)
		return result;
	k->loop->stop = false;
	return 0;
}

void strata_loop_stop(struct strata_stack *stack)
{
	struct kernel *k = kernel_of(stack);

	if (loop_make(k) == 0)
		k->loop->stop = true;
}

/* ---- for another loop ---- */

void loop_rearm(struct kernel *k)
{
	struct loop *loop = k->loop;
	uint64_t next;

	/* Its time has been served, by whichever call. */
	if (loop->armed <= k->pub.now)
		timer_read(loop);
	next = strata_next_timer(&k->pub);
	if (next < loop->armed)
		timer_arm(loop, next, loop_until(k, next));
}

/* Who is busy is in the epoll instance from now on. Returns 0 or -errno. */
static int busy_end(struct loop *loop)
{
	while (loop->busy_count != 0) {
		int result = watch_control(loop, EPOLL_CTL_ADD, loop->busy[loop->busy_count - 1]);

		if (result != 0)
			return result;
		busy_remove(loop, loop->busy_count - 1);
	}
	return 0;
}

int strata_loop_fd(struct strata_stack *stack)
{
	struct kernel *k = kernel_of(stack);
	int result = loop_make(k);

	if (result != 0)
		return result;
	if (k->env.now == NULL)
		return -EINVAL;
	if (!k->foreign) {
		result = timer_open(k->loop);
		if (result == 0)
			result = busy_end(k->loop);
		if (result != 0)
			return result;
		k->foreign = true;
		loop_rearm(k);
	}
	return k->loop->epoll;
}
