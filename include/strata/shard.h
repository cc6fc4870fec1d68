/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One stack among several of a manifest (<strata/shards.h>), for drivers whose devices have a queue for each: which
 * shard owns a flow, for a filter in front of the queues, and what a device has once for all of them.
 */
#ifndef STRATA_SHARD_H
#define STRATA_SHARD_H

#include <strata/addr.h>
#include <strata/module.h>

STRATA_BEGIN_DECLS

/* ---- who owns a flow ---- */

/** Odd factors of the owner's hash (golden ratio; MurmurHash3's finaliser). */
#define STRATA_STEERING_END UINT32_C(0x9e3779b1)
#define STRATA_STEERING_BOTH UINT32_C(0x85ebca6b)

/** What the owner's hash is made with; the same in all shards, and another each time they are made. */
struct strata_steering {
	uint32_t key[2];
	uint32_t count;		/**< shards */
};

/** Fills `out`; alone, count is 1. A filter that follows it need not be exact: a packet that comes in at a shard
 *  which does not own it is handed over, and the owner may not be who has the port. */
STRATA_API void strata_shard_steering(const struct strata_stack *stack, struct strata_steering *out);

/** An address in 32 bits. */
static inline uint32_t strata_steering_fold(const struct strata_addr *addr)
{
	uint32_t folded = 0;
	unsigned int i;

	for (i = 0; i < addr->length; i += 4)
		folded = (folded ^ strata_get_be32(addr->bytes + i)) * (i == 0 ? 1 : STRATA_STEERING_BOTH);
	return folded;
}

/** One end of a flow: its folded address and its port. */
static inline uint32_t strata_steering_end(const struct strata_steering *steering, uint32_t folded,
					   uint16_t port)
{
	uint32_t end = (folded ^ steering->key[0] ^ ((uint32_t)port << 16 | port)) * STRATA_STEERING_END;

	return end ^ end >> 15;
}

/** The flow between two ends, in either direction. 32-bit steps alone, so that a filter in a device or its driver can
 *  compute it; an attacker who knew the key could load one shard, but no chain of a table. */
static inline uint32_t strata_steering_hash(const struct strata_steering *steering, uint32_t end,
					    uint32_t other_end)
{
	uint32_t both = (end + other_end) ^ steering->key[1];

	both *= STRATA_STEERING_BOTH;
	return both ^ both >> 16;
}

/** The shard that owns the flow with this hash. */
static inline uint32_t strata_steering_owner(const struct strata_steering *steering, uint32_t hash)
{
	return (hash & 0xffff) * steering->count >> 16;
}

/* ---- what a device has once ---- */

/** Memory that the instances of a module in all shards have in common under `key`: `size` bytes, zero for the first
 *  that asks and the same until as many have given it back as have asked. Alone it is this stack's. Between stacks that
 *  are not of one group nothing is common. Shards run on threads of their own, and a device may go and come back
 *  in each of them at any time: whoever reads or writes there holds the lock. Not for the packet path.
 *  Returns NULL when memory is short. */
STRATA_API void *strata_common_get(struct strata_instance *self, uint64_t key, size_t size);
/** Gives it back; the lock must not be held. */
STRATA_API void strata_common_put(struct strata_instance *self, void *common);
/** Waits until no other shard has the lock. The others go on with their packets meanwhile. */
STRATA_API void strata_common_lock(void *common);
STRATA_API void strata_common_unlock(void *common);

STRATA_END_DECLS
#endif
