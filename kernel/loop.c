/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop: epoll_pwait2(2) over watched descriptors, woken by the next timer and by nothing else.
 * What is ready at one time is one batch, with one end.
 */
#include "run.h"
#include "shard.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* Local choice: descriptors told in one batch. */
#define LOOP_EVENTS 64

struct loop {
	int epoll;
	int timer;		/* timerfd for strata_loop_fd(); -1 until it is asked for */
	uint64_t armed;		/* what the timerfd is set to; 0: nothing known */
	bool coarse;		/* the system has no epoll_pwait2() */
	bool stop;
	unsigned int watches;
	int next, count;	/* events still to be told in this turn */
	struct epoll_event events[LOOP_EVENTS];
};

/* Makes k->loop where there is none yet. */
static int loop_make(struct kernel *k)
{
	struct loop *loop;
	int error;

	if (k->loop != NULL)
		return 0;
	loop = strata_alloc(&k->pub, sizeof(*loop));
	if (loop == NULL)
		return -ENOMEM;
	loop->timer = -1;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		error = -errno;
		strata_free(&k->pub, loop);
		return error;
	}
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
}

/* ---- watches ---- */

static int watch_control(struct loop *loop, int operation, struct strata_watch *watch)
{
	struct epoll_event event = { .events = watch->events, .data.ptr = watch };

	return epoll_ctl(loop->epoll, operation, watch->fd, &event) == 0 ? 0 : -errno;
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
	watch->active = true;
	k->loop->watches++;
	return 0;
}

int strata_watch_set(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	uint32_t before = watch->events;
	int result;

	assert(watch->active);
	if (events == before)
		return 0;
	watch->events = events;
	result = watch_control(kernel_of(stack)->loop, EPOLL_CTL_MOD, watch);
	if (result != 0)
		watch->events = before;
	return result;
}

void strata_watch_remove(struct strata_stack *stack, struct strata_watch *watch)
{
	struct loop *loop = kernel_of(stack)->loop;
	int i;

	if (!watch->active)
		return;
	watch_control(loop, EPOLL_CTL_DEL, watch);
	watch->active = false;
	loop->watches--;
	/* Its owner may free it before the turn gets to it. */
	for (i = loop->next; i < loop->count; i++) {
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
	}
}

/* ---- turns ---- */

/* Waits `wait` ns. Returns the number of events or -errno. */
static int loop_wait(struct loop *loop, uint64_t wait)
{
	const struct timespec limit = {
		.tv_sec = (time_t)(wait / STRATA_SEC), .tv_nsec = (long)(wait % STRATA_SEC),
	};
	const uint64_t ms = wait / STRATA_MS + (wait % STRATA_MS != 0);
	int n;

	if (!loop->coarse) {
		n = epoll_pwait2(loop->epoll, loop->events, LOOP_EVENTS,
				 wait == STRATA_NEVER ? NULL : &limit, NULL);
		if (n >= 0)
			return n;
		/* EPERM is what sandboxes say of system calls younger than they are. */
		if (errno != ENOSYS && errno != EPERM)
			return -errno;
		loop->coarse = true;
	}
	n = epoll_wait(loop->epoll, loop->events, LOOP_EVENTS,
		       wait == STRATA_NEVER ? -1 : ms < INT_MAX ? (int)ms : INT_MAX);
	return n >= 0 ? n : -errno;
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
			loop->armed = 0;
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

/* Nanoseconds until the stack wants to run. */
static uint64_t loop_idle(struct kernel *k)
{
	uint64_t next = strata_next_timer(&k->pub), now;

	if (next == STRATA_NEVER)
		return STRATA_NEVER;
	now = k->env.now(k->env.ctx);
	return next > now ? next - now : 0;
}

int strata_loop_turn(struct strata_stack *stack, uint64_t timeout)
{
	struct kernel *k = kernel_of(stack);
	uint64_t idle;
	int result = loop_make(k), count;

	if (k->depth != 0 || k->calling)
		return -EBUSY;
	if (result != 0)
		return result;
	if (k->env.now == NULL)
		return -EINVAL;
	idle = loop_idle(k);
	count = loop_wait(k->loop, idle < timeout ? idle : timeout);
	if (count < 0 && count != -EINTR)
		return count;
	kernel_enter(k);
	result = loop_dispatch(k, k->loop, count > 0 ? count : 0);
	if (k->shard != NULL)
		shard_drain(k);
	timer_run(k);
	kernel_leave(k);
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
	struct itimerspec spec = { .it_value = { 0, 0 } };
	uint64_t next, idle;

	if (loop->timer < 0)
		return;
	next = strata_next_timer(&k->pub);
	if (next == loop->armed)
		return;
	loop->armed = next;
	idle = loop_idle(k);
	if (idle != STRATA_NEVER) {
		/* All zero would disarm it. */
		idle += idle == 0;
		spec.it_value.tv_sec = (time_t)(idle / STRATA_SEC);
		spec.it_value.tv_nsec = (long)(idle % STRATA_SEC);
	}
	timerfd_settime(loop->timer, 0, &spec, NULL);
}

int strata_loop_fd(struct strata_stack *stack)
{
	struct kernel *k = kernel_of(stack);
	struct epoll_event event = { .events = EPOLLIN };
	int result = loop_make(k);

	if (result != 0)
		return result;
	if (k->env.now == NULL)
		return -EINVAL;
	if (k->loop->timer < 0) {
		int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

		if (timer < 0)
			return -errno;
		event.data.ptr = k->loop;
		if (epoll_ctl(k->loop->epoll, EPOLL_CTL_ADD, timer, &event) != 0) {
			result = -errno;
			close(timer);
			return result;
		}
		k->loop->timer = timer;
		loop_rearm(k);
	}
	return k->loop->epoll;
}
