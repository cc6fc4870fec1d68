/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every module may ask of the stack it runs in: the time, memory, random numbers, a log.
 * One thread owns a stack; nothing here may be called from another.
 */
#ifndef STRATA_STACK_H
#define STRATA_STACK_H

#include <strata/base.h>
#include <strata/env.h>

STRATA_BEGIN_DECLS

/** The part of a stack that modules may read. Never allocated or written by them. */
struct strata_stack {
	uint64_t now;		/**< time of the current batch, ns; see strata_now() */
	/** Grows with every change of modules, interfaces, addresses, routes and path MTUs; whatever was
	 *  derived from them under another value must be derived again. */
	uint32_t generation;
	bool tracing;		/**< a trace sink is attached: strata_trace() has a listener */
	bool watching;		/**< a sniffer wants to be told of discards */
	const char *name;	/**< `stack: name:` of the manifest */
	uint16_t shard;		/**< see strata_shard() */
	uint16_t shard_count;
	uint32_t batch;		/**< number of the batch being worked on: another one, another number */
};

/** Which of several stacks of one manifest this is (`stack: shards:`), from 0. A driver opens the queue of
 *  that number; addresses, neighbours and modules are the same in all. */
static inline unsigned int strata_shard(const struct strata_stack *stack)
{
	return stack->shard;
}

/** How many stacks there are; 1: it is alone. */
static inline unsigned int strata_shard_count(const struct strata_stack *stack)
{
	return stack->shard_count;
}

/** Time of the batch being worked on, in ns; never goes back. The same for all work of a batch. */
static inline uint64_t strata_now(const struct strata_stack *stack)
{
	return stack->now;
}

/** Time of day in ns since 1970. Costs a call; for time stamps that people see. */
STRATA_API uint64_t strata_wall_clock(struct strata_stack *stack);

/** `size` zeroed bytes aligned to 16, counted against the stack's memory cap; NULL when the cap is
 *  reached or the environment has none. Not for the packet path: use a cache. */
STRATA_API void *strata_alloc(struct strata_stack *stack, size_t size);
/** Releases what strata_alloc() returned; NULL is allowed. */
STRATA_API void strata_free(struct strata_stack *stack, void *ptr);
/** Bytes in use now. Free objects that caches keep for later are not among them. */
STRATA_API size_t strata_memory_used(const struct strata_stack *stack);

/** A cache of objects of one size: what is freed is kept for the next alloc. */
struct strata_cache;
/** `name` is kept by reference. NULL when memory is short. */
STRATA_API struct strata_cache *strata_cache_create(struct strata_stack *stack, const char *name,
						    size_t object_size);
/** Every object must have been freed (asserted). NULL is allowed. */
STRATA_API void strata_cache_destroy(struct strata_cache *cache);
/** A zeroed object aligned to 16, or NULL. */
STRATA_API void *strata_cache_alloc(struct strata_cache *cache);
STRATA_API void strata_cache_free(struct strata_cache *cache, void *object);
/** Objects handed out and not freed. */
STRATA_API size_t strata_cache_in_use(const struct strata_cache *cache);

/** Fills `buf` from a generator keyed by the environment's random source. Cannot fail. */
STRATA_API void strata_random(struct strata_stack *stack, void *buf, size_t len);
STRATA_API uint32_t strata_random32(struct strata_stack *stack);
/** Uniform in [0, bound), without modulo bias; `bound` > 0. */
STRATA_API uint32_t strata_random_below(struct strata_stack *stack, uint32_t bound);

/** A secret for keyed hashes, drawn from the environment's random source. */
struct strata_hash_key {
	uint64_t k[2];
};
/** SipHash-2-4 of `len` bytes (Aumasson, Bernstein 2012): for tables that a peer can fill. */
STRATA_API uint64_t strata_siphash(const struct strata_hash_key *key, const void *data, size_t len);

/** Logs one line under the instance's name if its level lets it; NULL `self`: under "kernel", with
 *  `stack`'s own level. Never on the packet path: count and trace there. */
STRATA_API void strata_log(struct strata_stack *stack, const struct strata_instance *self,
			   enum strata_log_level level, const char *format, ...)
	STRATA_PRINTF(4, 5);

STRATA_END_DECLS
#endif
