/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory inside the kernel: raw blocks counted against the cap, and the caches' fast path, inline
 * because a packet costs one pop and one push of it.
 */
#ifndef STRATA_KERNEL_MEM_H
#define STRATA_KERNEL_MEM_H

#include "kernel.h"
#include "poison.h"

/* A free object; its link is the only part that is not poisoned. */
struct mem_object {
	struct mem_object *next;
};

struct mem_slab;

struct strata_cache {
	/* What an object given back and taken again needs stands together. */
	struct mem_object *free;	/* objects given back, the last one first */
	uint32_t in_use;
	uint32_t peak;			/* most in use in this window of time */
	uint32_t trim_below;		/* in_use under which trimming is considered; 0: never */
	uint32_t size;			/* of an object, a multiple of 16 */
	uint8_t *fresh, *fresh_end;	/* objects of the newest slab never handed out */
	uint32_t total;			/* objects in all slabs */
	uint32_t grow;			/* objects of the next slab */
	bool uncached;			/* objects come from the environment and go back to it one by one */
	uint64_t window_end;
	struct kernel *k;
	const char *name;
	struct mem_slab *slabs;		/* in any order */
	struct strata_cache *next;
	struct strata_cache **link;
};

/* `size` bytes counted against the cap, aligned to 16, not zeroed; NULL: refused, and counted. */
void *mem_get(struct kernel *k, size_t size);
void mem_put(struct kernel *k, void *ptr, size_t size);
/* Gives slabs without a live object back to the environment. */
void mem_reclaim(struct kernel *k);

/* The slow halves of the two below. */
bool cache_grow(struct strata_cache *cache);
void cache_trim(struct strata_cache *cache);

/* An object that has been given back; NULL: there is none. */
static inline void *cache_pop_used(struct strata_cache *cache)
{
	struct mem_object *object = cache->free;

	if (strata_unlikely(object == NULL))
		return NULL;
	cache->free = object->next;
	unpoison(object, cache->size);
	if (++cache->in_use > cache->peak)
		cache->peak = cache->in_use;
	return object;
}

/* As strata_cache_alloc(), but the object holds whatever it held before. */
static inline void *cache_pop(struct strata_cache *cache)
{
	struct mem_object *object = cache_pop_used(cache);

	if (strata_likely(object != NULL))
		return object;
	if (strata_unlikely(cache->fresh == cache->fresh_end) && !cache_grow(cache))
		return NULL;
	object = (void *)cache->fresh;
	cache->fresh += cache->size;
	unpoison(object, cache->size);
	if (++cache->in_use > cache->peak)
		cache->peak = cache->in_use;
	return object;
}

static inline void cache_push(struct strata_cache *cache, void *ptr)
{
	struct mem_object *object = ptr;

	object->next = cache->free;
	cache->free = object;
	poison(object + 1, cache->size - sizeof(*object));
	if (strata_unlikely(--cache->in_use < cache->trim_below))
		cache_trim(cache);
}

#endif
