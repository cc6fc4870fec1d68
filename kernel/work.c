/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Batches: every public entry opens one or joins the one that is open; at its end deferred work is
 * run and the interfaces are flushed.
 */
#include "run.h"
#include "gro.h"

#include <strata/live.h>

#include <assert.h>

/* Local choice: after so many rounds of work that made new work a batch ends all the same, so that a
 * conversation of the stack with itself cannot keep the thread; the rest belongs to the next. */
#define DRAIN_ROUNDS 1024

void strata_work_add(struct strata_stack *stack, struct strata_work *work)
{
	struct work_list *list = &kernel_of(stack)->work;

	assert(work->run != NULL);
	if (work->link != NULL)
		return;
	work->next = NULL;
	work->link = list->tail;
	*list->tail = work;
	list->tail = &work->next;
}

void strata_work_cancel(struct strata_stack *stack, struct strata_work *work)
{
	struct work_list *list = &kernel_of(stack)->work;

	if (work->link == NULL)
		return;
	*work->link = work->next;
	if (work->next != NULL)
		work->next->link = work->link;
	else if (list->tail == &work->next)
		list->tail = work->link;
	work->link = NULL;
}

bool work_pending(const struct kernel *k)
{
	return k->work.head != NULL || k->work.running != NULL || k->gro.count != 0;
}

/* Runs what is queued now; what it queues is for the next round. */
static void work_round(struct kernel *k)
{
	struct work_list *list = &k->work;
	struct strata_work *work;

	list->running = list->head;
	if (list->running != NULL)
		list->running->link = &list->running;
	list->head = NULL;
	list->tail = &list->head;
	while ((work = list->running) != NULL) {
		strata_work_cancel(&k->pub, work);
		work->run(&k->pub, work);
	}
}

/* Whether the end of the batch finds anything to be done. */
static inline bool anything(const struct kernel *k)
{
	return work_pending(k) || k->dirty != NULL;
}

/* Apart, since most entries leave nothing to be done. */
static __attribute__((noinline)) void drain(struct kernel *k)
{
	unsigned int round;

	for (round = 0; round < DRAIN_ROUNDS && anything(k); round++) {
		/* First, so that what it brings about is part of the round. */
		if (strata_unlikely(k->gro.count != 0))
			gro_flush(k);
		/* What input has answered by itself does not wait for what applications do. */
		if (k->dirty != NULL)
			iface_flush(k);
		if (k->work.head != NULL)
			work_round(k);
		if (k->dirty != NULL)
			iface_flush(k);
	}
}

/* ---- later ---- */

void strata_call_later(struct strata_stack *stack, struct strata_call *call)
{
	struct kernel *k = kernel_of(stack);
	if (call->link != NULL)
		return;
	if (k->calls == NULL)
		k->calls_end = &k->calls;
	call->next = NULL;
	call->link = k->calls_end;
	*k->calls_end = call;
	k->calls_end = &call->next;
}

void strata_call_cancel(struct strata_stack *stack, struct strata_call *call)
{
	struct kernel *k = kernel_of(stack);
	if (call->link == NULL)
		return;
	*call->link = call->next;
	if (call->next != NULL)
		call->next->link = call->link;
	else
		k->calls_end = call->link;
	call->link = NULL;
}

/* The outermost entry has ended. */
static __attribute__((noinline)) void rest(struct kernel *k)
{
	/* A call's own entries end here too. */
	if (k->calling || k->stopping)
		return;
	k->calling = true;
	while (k->calls != NULL) {
		struct strata_call *call = k->calls;
		strata_call_cancel(&k->pub, call);
		call->run(&k->pub, call);
	}
	k->calling = false;
}

/* ---- entries ---- */

void kernel_set_now(struct kernel *k, uint64_t now)
{
	if (now > k->pub.now)
		k->pub.now = now;
}

void kernel_enter(struct kernel *k)
{
	assert(pthread_equal(k->owner, pthread_self()));
	if (k->depth++ != 0)
		return;
	k->pub.batch++;
	if (k->env.now != NULL)
		kernel_set_now(k, k->env.now(k->env.ctx));
}

void kernel_leave_batched(struct kernel *k)
{
	assert(k->depth != 0);
	if (strata_unlikely(k->foreign) && k->depth == 1)
		loop_rearm(k);
	k->depth--;
}

void kernel_leave(struct kernel *k)
{
	assert(k->depth != 0);
	if (k->depth == 1 && anything(k))
		drain(k);
	kernel_leave_batched(k);
	if (strata_unlikely(k->calls != NULL) && k->depth == 0)
		rest(k);
}

int work_init(struct kernel *k)
{
	k->work.tail = &k->work.head;
	return 0;
}

void work_fini(struct kernel *k)
{
	if (work_pending(k))
		strata_log(&k->pub, NULL, STRATA_LOG_ERROR, "work was never cancelled");
}
