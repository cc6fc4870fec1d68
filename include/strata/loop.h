/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop of a process that wants one: it waits for the descriptors that link modules and services
 * watch, and for the stack's timers. A stack in virtual time never makes one.
 */
#ifndef STRATA_LOOP_H
#define STRATA_LOOP_H

#include <strata/base.h>
#include <strata/error.h>

STRATA_BEGIN_DECLS

/** A watched descriptor, embedded in its owner. Zeroed memory is idle; set `ready` first. */
struct strata_watch {
	int fd;
	uint32_t events;		/**< EPOLLIN, EPOLLOUT; level-triggered */
	/** Set before strata_watch_add() where something comes thousands of times a second, as on a device: as long
	 *  as the loop does not sleep, telling it costs the sender nothing. Only so many can be. */
	bool busy;
	bool active;			/**< kernel's */
	/** Called on the loop's thread with the events that hold. */
	void (*ready)(struct strata_stack *stack, struct strata_watch *watch, uint32_t events);
};

/** Starts watching `fd`. Returns 0 or -errno of epoll. The watch must stay until it is removed. */
STRATA_API int strata_watch_add(struct strata_stack *stack, struct strata_watch *watch, int fd,
				uint32_t events);
/** Changes the events. Returns 0 or -errno. */
STRATA_API int strata_watch_set(struct strata_stack *stack, struct strata_watch *watch,
				uint32_t events);
/** Stops watching; an idle watch is left alone. Call before the descriptor is closed. */
STRATA_API void strata_watch_remove(struct strata_stack *stack, struct strata_watch *watch);

/** Runs until strata_loop_stop(): waits, works a batch, runs due timers and deferred work, flushes.
 *  Returns 0 or -errno; -EBUSY from within a callback. Needs an environment with a clock. */
STRATA_API int strata_loop_run(struct strata_stack *stack);
/** Makes strata_loop_run() return after the batch in hand. From the loop's thread. */
STRATA_API void strata_loop_stop(struct strata_stack *stack);
/** One turn: waits at most `timeout` ns (STRATA_NEVER: until something happens; 0: not at all), never
 *  past the next timer. Returns events handled or -errno; -EBUSY from within a callback. */
STRATA_API int strata_loop_turn(struct strata_stack *stack, uint64_t timeout);
/** Descriptor that becomes readable when the loop has something to do, for another loop; -errno. */
STRATA_API int strata_loop_fd(struct strata_stack *stack);

STRATA_END_DECLS
#endif
