/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers of a hierarchical wheel (Varghese, Lauck 1987) and work put off to the end of a batch.
 * Both are embedded in the object they belong to and allocate nothing.
 */
#ifndef STRATA_TIMER_H
#define STRATA_TIMER_H

#include <strata/base.h>

STRATA_BEGIN_DECLS

/** A one-shot timer. Zeroed memory is an idle timer; set `fire` before the first start. */
struct strata_timer {
	struct strata_timer *next;	/**< kernel's; NULL `link` = idle */
	struct strata_timer **link;	/**< kernel's */
	uint64_t deadline;		/**< absolute ns; valid while pending */
	/** Called once, from strata_run(), at the deadline or later, never before. The timer is idle
	 *  again when it is called, so it may be restarted or its object freed. */
	void (*fire)(struct strata_stack *stack, struct strata_timer *timer);
};

/** Starts the timer, or moves it when it is pending. `deadline` is absolute, in ns; a deadline in
 *  the past fires at the next strata_run(). Constant cost. */
STRATA_API void strata_timer_start(struct strata_stack *stack, struct strata_timer *timer,
				   uint64_t deadline);
/** Stops the timer; an idle one is left alone. Constant cost. */
STRATA_API void strata_timer_stop(struct strata_stack *stack, struct strata_timer *timer);

static inline bool strata_timer_pending(const struct strata_timer *timer)
{
	return timer->link != NULL;
}

/** Work for the end of the current batch. Zeroed memory is idle work; set `run` first. */
struct strata_work {
	struct strata_work *next;	/**< kernel's */
	struct strata_work **link;	/**< kernel's; NULL = idle */
	/** Called once when the batch of packets, timers or socket calls in hand is done. */
	void (*run)(struct strata_stack *stack, struct strata_work *work);
};

/** Queues the work once; a second call before it ran changes nothing. First queued, first run. */
STRATA_API void strata_work_add(struct strata_stack *stack, struct strata_work *work);
/** Takes it back; idle work is left alone. Required before the object it is in is freed. */
STRATA_API void strata_work_cancel(struct strata_stack *stack, struct strata_work *work);

STRATA_END_DECLS
#endif
