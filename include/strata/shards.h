/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several stacks from one manifest (`stack: shards: N`), which share nothing but their devices: each has a
 * queue of every device, and a thread where one is wanted. A flow belongs to one shard; what comes in at
 * another is handed over. An embedder in virtual time drives the stacks one after the other instead.
 *
 *	struct strata_shards *shards;
 *	if (strata_shards_create(&config, &shards, &error) == 0 && strata_shards_start(shards) == 0) {
 *		strata_loop_run(strata_shards_stack(shards, 0));
 *		strata_shards_stop(shards);
 *	}
 *
 * All functions here are for one thread, which is that of shard 0.
 */
#ifndef STRATA_SHARDS_H
#define STRATA_SHARDS_H

#include <strata/embed.h>

STRATA_BEGIN_DECLS

/** Most shards of a manifest. */
#define STRATA_SHARDS_MAX 64

struct strata_shards;

/** Makes as many stacks as the manifest says, one after the other, or none. The environment's functions
 *  are called by all threads at once later. Returns as strata_stack_create(). */
STRATA_API int strata_shards_create(const struct strata_config *config, struct strata_shards **out,
				    struct strata_error *error);
/** Ends the threads, if any run, and all stacks. NULL is allowed. */
STRATA_API void strata_shards_destroy(struct strata_shards *shards);

STRATA_API unsigned int strata_shards_count(const struct strata_shards *shards);
/** The stack of a shard, from 0. Until the threads run, while they are paused and after they were stopped it is
 *  the caller's; then only shard 0's is. */
STRATA_API struct strata_stack *strata_shards_stack(const struct strata_shards *shards,
						    unsigned int shard);
/** The group that a stack is of; NULL: it is alone. */
STRATA_API struct strata_shards *strata_stack_shards(const struct strata_stack *stack);

/** Begins a thread for every shard but 0, which the caller runs. Returns when all are running: 0, or
 *  -errno and none runs. Needs an environment with a clock. */
STRATA_API int strata_shards_start(struct strata_shards *shards);
/** Ends the threads after the turn in hand; their stacks are the caller's. None runs: nothing happens. */
STRATA_API void strata_shards_stop(struct strata_shards *shards);
/** 0, or the -errno with which the loop of a thread failed: then it has ended, and shard 0's loop has been
 *  told to stop. */
STRATA_API int strata_shards_failure(const struct strata_shards *shards);

/** Waits until every thread is at rest between two turns, and gives all stacks to the caller until
 *  strata_shards_resume(). Pauses nest. Not from within a callback of a stack other than shard 0's. No thread
 *  runs: only counts. */
STRATA_API void strata_shards_pause(struct strata_shards *shards);
STRATA_API void strata_shards_resume(struct strata_shards *shards);

/** strata_reload() of every shard: planned on all before it is made on any, told once. When a shard fails
 *  on the way all the same (memory, a device), those before it have what is new, it and those behind it what
 *  was, and `error` names it: another reload makes them one again. `text` NULL: the file again. */
STRATA_API int strata_shards_reload(struct strata_shards *shards, const char *text, size_t length,
				    bool dry_run, strata_change_fn *each, void *ctx,
				    struct strata_error *error);

STRATA_END_DECLS
#endif
