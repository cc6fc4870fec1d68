/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of a stack: single allocations with a header that tells their size, and caches of equal
 * objects cut from slabs. Everything is counted against the cap before the environment is asked.
 * Slabs: Bonwick, "The Slab Allocator" (USENIX 1994), reduced to one thread.
 */
#include "mem.h"

#include <assert.h>
#include <errno.h>

/* Local choice: a cache begins small, so that an idle stack stays small, and doubles up to slabs
 * that make the environment's allocator a rare guest. */
#define SLAB_FIRST 1024
#define SLAB_LAST 65536
/* Local choice: memory below this is not worth giving back. */
#define TRIM_FLOOR (256 * 1024)
/* Local choice: how long a cache's need is watched before memory beyond it goes back. */
#define TRIM_WINDOW STRATA_SEC
/* Local choice: what a stack may keep at rest without being asked for it. */
#define REST_FLOOR (1024 * 1024)
/* Local choice: a stack at its cap looks for empty slabs at most this often, so that refusing an
 * allocation stays cheap under attack. */
#define RECLAIM_INTERVAL STRATA_SEC

#define MEM_LIVE UINT64_C(0x5354524154414d31)

struct mem {
	size_t used;			/* bytes taken from the environment, this structure aside */
	size_t single;			/* live strata_alloc()s */
	size_t single_bytes;
	uint64_t reclaim_after;
	struct strata_cache *caches;
	struct strata_timer rest;	/* after a burst, until memory has been given back */
};

struct mem_header {
	uint64_t size;			/* of the block, this header included */
	uint64_t guard;			/* MEM_LIVE until it is freed */
};
_Static_assert(sizeof(struct mem_header) == 16, "keeps what follows aligned to 16");

struct mem_slab {
	struct mem_slab *next;		/* first, as in struct mem_object: both lists are sorted alike */
	uint32_t objects;
	uint32_t free;			/* valid during a reclaim */
};
_Static_assert(sizeof(struct mem_slab) == 16, "keeps what follows aligned to 16");

/* ---- raw blocks ---- */

static bool mem_fits(const struct kernel *k, size_t size)
{
	uint64_t cap = k->settings.memory;

	return cap == 0 || (size <= cap && k->mem->used <= cap - size);
}

static void *mem_try(struct kernel *k, size_t size)
{
	return mem_fits(k, size) ? k->env.alloc(k->env.ctx, size) : NULL;
}

void *mem_get(struct kernel *k, size_t size)
{
	void *ptr = mem_try(k, size);

	if (strata_unlikely(ptr == NULL) && k->pub.now >= k->mem->reclaim_after) {
		size_t before = k->mem->used;

		k->mem->reclaim_after = k->pub.now + RECLAIM_INTERVAL;
		mem_reclaim(k);
		if (k->mem->used < before)
			ptr = mem_try(k, size);
	}
	if (strata_unlikely(ptr == NULL)) {
		/* The table of counters is itself allocated. */
		if (k->self.counters != NULL)
			strata_count(&k->self, KERNEL_COUNT_MEMORY_REFUSED, 1);
		return NULL;
	}
	k->mem->used += size;
	return ptr;
}

void mem_put(struct kernel *k, void *ptr, size_t size)
{
	k->mem->used -= size;
	k->env.free(k->env.ctx, ptr, size);
}

/* ---- single allocations ---- */

void *strata_alloc(struct strata_stack *stack, size_t size)
{
	struct kernel *k = kernel_of(stack);
	struct mem_header *header;

	if (size > SIZE_MAX / 2)
		return NULL;
	header = mem_get(k, size + sizeof(*header));
	if (header == NULL)
		return NULL;
	header->size = size + sizeof(*header);
	header->guard = MEM_LIVE;
	k->mem->single++;
	k->mem->single_bytes += header->size;
	return memset(header + 1, 0, size);
}

void strata_free(struct strata_stack *stack, void *ptr)
{
	struct kernel *k = kernel_of(stack);
	struct mem_header *header;

	if (ptr == NULL)
		return;
	header = (struct mem_header *)ptr - 1;
	assert(header->guard == MEM_LIVE);
	header->guard = 0;
	k->mem->single--;
	k->mem->single_bytes -= header->size;
	mem_put(k, header, header->size);
}

char *kernel_strdup(struct kernel *k, const char *s)
{
	size_t size = strlen(s) + 1;
	char *copy = strata_alloc(&k->pub, size);

	return copy != NULL ? memcpy(copy, s, size) : NULL;
}

static uint64_t cache_free_bytes(const struct strata_cache *cache)
{
	return (uint64_t)(cache->total - cache->in_use) * cache->size;
}

size_t strata_memory_used(const struct strata_stack *stack)
{
	const struct mem *mem = kernel_of(stack)->mem;
	const struct strata_cache *cache;
	size_t used = mem->used;

	for (cache = mem->caches; cache != NULL; cache = cache->next)
		used -= cache_free_bytes(cache);
	return used;
}

/* ---- slabs ---- */

static size_t slab_bytes(const struct strata_cache *cache, uint32_t objects)
{
	return sizeof(struct mem_slab) + (size_t)objects * cache->size;
}

static uint32_t slab_objects(const struct strata_cache *cache, uint32_t bytes)
{
	uint32_t objects = (uint32_t)(bytes - sizeof(struct mem_slab)) / cache->size;

	return objects != 0 ? objects : 1;
}

static void cache_set_trim(struct strata_cache *cache)
{
	uint64_t bytes = (uint64_t)cache->total * cache->size;

	if (cache->uncached)
		cache->trim_below = UINT32_MAX;
	else
		cache->trim_below = bytes > TRIM_FLOOR ? cache->total / 4 : 0;
}

/* Only what has just grown large is looked after, so a stack at rest has no timer. */
static void rest_watch(struct kernel *k)
{
	struct strata_timer *timer = &k->mem->rest;

	if (k->mem->used > REST_FLOOR && timer->fire != NULL && !strata_timer_pending(timer))
		strata_timer_start(&k->pub, timer, k->pub.now + TRIM_WINDOW);
}

bool cache_grow(struct strata_cache *cache)
{
	uint32_t objects = cache->grow, most = slab_objects(cache, SLAB_LAST);
	struct mem_slab *slab = mem_get(cache->k, slab_bytes(cache, objects));

	if (slab == NULL)
		return false;
	slab->objects = objects;
	/* A slab of one object is found from it. */
	if (!cache->uncached) {
		slab->next = cache->slabs;
		cache->slabs = slab;
	}
	cache->fresh = (uint8_t *)(slab + 1);
	cache->fresh_end = cache->fresh + (size_t)objects * cache->size;
	poison(cache->fresh, (size_t)objects * cache->size);
	cache->total += objects;
	if (!cache->uncached)
		cache->grow = objects * 2 < most ? objects * 2 : most;
	cache_set_trim(cache);
	rest_watch(cache->k);
	return true;
}

static void slab_release(struct strata_cache *cache, struct mem_slab *slab)
{
	uint8_t *objects = (uint8_t *)(slab + 1);
	size_t bytes = slab_bytes(cache, slab->objects);

	if (cache->fresh_end == (uint8_t *)slab + bytes)
		cache->fresh = cache->fresh_end = NULL;
	cache->total -= slab->objects;
	unpoison(objects, bytes - sizeof(*slab));
	mem_put(cache->k, slab, bytes);
}

/* Merges two lists in order of address. */
static struct mem_object *list_merge(struct mem_object *a, struct mem_object *b)
{
	struct mem_object *head = NULL, **tail = &head;

	while (a != NULL && b != NULL) {
		struct mem_object **first = (uintptr_t)a < (uintptr_t)b ? &a : &b;

		*tail = *first;
		tail = &(*tail)->next;
		*first = *tail;
	}
	*tail = a != NULL ? a : b;
	return head;
}

/* Sorts a list by address, in place: runs[i] is a sorted list of 2^i elements or empty. */
static struct mem_object *list_sort(struct mem_object *list)
{
	struct mem_object *runs[32] = { NULL }, *one;
	unsigned int i;

	while (list != NULL) {
		one = list;
		list = list->next;
		one->next = NULL;
		for (i = 0; i < STRATA_COUNT(runs) - 1 && runs[i] != NULL; i++) {
			one = list_merge(runs[i], one);
			runs[i] = NULL;
		}
		runs[i] = list_merge(runs[i], one);
	}
	for (i = 0; i < STRATA_COUNT(runs); i++)
		list = list_merge(runs[i], list);
	return list;
}

/* Counts the free objects of each slab: with both lists in order of address one walk does it, and
 * no object has to tell which slab it is from. */
static void cache_count_free(struct strata_cache *cache)
{
	struct mem_object *object;
	struct mem_slab *slab;

	cache->free = list_sort(cache->free);
	cache->slabs = (struct mem_slab *)(void *)list_sort((struct mem_object *)(void *)cache->slabs);
	object = cache->free;
	for (slab = cache->slabs; slab != NULL; slab = slab->next) {
		uintptr_t end = (uintptr_t)slab + slab_bytes(cache, slab->objects);

		slab->free = 0;
		if ((uintptr_t)cache->fresh_end == end)
			slab->free = (uint32_t)(cache->fresh_end - cache->fresh) / cache->size;
		for (; object != NULL && (uintptr_t)object < end; object = object->next)
			slab->free++;
	}
}

/* Releases empty slabs as long as `keep` objects remain. */
static void cache_release_empty(struct strata_cache *cache, uint32_t keep)
{
	struct mem_slab *slab, **slab_link = &cache->slabs;
	struct mem_object **link = &cache->free;

	cache_count_free(cache);
	while ((slab = *slab_link) != NULL) {
		uintptr_t end = (uintptr_t)slab + slab_bytes(cache, slab->objects);
		bool empty = slab->free == slab->objects && cache->total - slab->objects >= keep;

		while (*link != NULL && (uintptr_t)*link < end) {
			if (empty)
				*link = (*link)->next;
			else
				link = &(*link)->next;
		}
		if (empty) {
			*slab_link = slab->next;
			slab_release(cache, slab);
		} else {
			slab_link = &slab->next;
		}
	}
	if (cache->slabs == NULL)
		cache->grow = slab_objects(cache, SLAB_FIRST);
	cache_set_trim(cache);
}

void mem_reclaim(struct kernel *k)
{
	struct strata_cache *cache;

	for (cache = k->mem->caches; cache != NULL; cache = cache->next) {
		if (cache->total != cache->in_use)
			cache_release_empty(cache, cache->in_use);
	}
}

/* The object just given back leaves with its slab, which it is alone in. */
static void cache_release_last(struct strata_cache *cache)
{
	struct mem_object *object = cache->free;

	cache->free = object->next;
	slab_release(cache, (struct mem_slab *)(void *)object - 1);
}

void cache_trim(struct strata_cache *cache)
{
	if (cache->uncached) {
		cache_release_last(cache);
		return;
	}
	/* It may be that nobody frees anything after this. */
	rest_watch(cache->k);
	if (cache->k->pub.now < cache->window_end)
		return;
	/* What the whole last window did not need is not needed in steady state. */
	if (cache->peak < cache->trim_below)
		cache_release_empty(cache, 2 * cache->peak);
	cache->peak = cache->in_use;
	cache->window_end = cache->k->pub.now + TRIM_WINDOW;
}

/* Gives back what the last window did not need; looks again as long as somebody was busy. */
static void rest_fire(struct strata_stack *stack, struct strata_timer *timer)
{
	struct kernel *k = kernel_of(stack);
	struct strata_cache *cache;
	bool busy = false;

	(void)timer;
	for (cache = k->mem->caches; cache != NULL; cache = cache->next) {
		busy |= cache->peak != cache->in_use;
		if (cache_free_bytes(cache) > TRIM_FLOOR / 4)
			cache_release_empty(cache, cache->peak);
		cache->peak = cache->in_use;
		cache->window_end = k->pub.now + TRIM_WINDOW;
	}
	if (busy)
		rest_watch(k);
}

int mem_rest_init(struct kernel *k)
{
	k->mem->rest.fire = rest_fire;
	return 0;
}

void mem_rest_fini(struct kernel *k)
{
	if (k->mem == NULL)
		return;
	if (k->timers != NULL)
		strata_timer_stop(&k->pub, &k->mem->rest);
	k->mem->rest.fire = NULL;
}

/* ---- caches ---- */

struct strata_cache *strata_cache_create(struct strata_stack *stack, const char *name,
					 size_t object_size)
{
	struct kernel *k = kernel_of(stack);
	struct strata_cache *cache;

	assert(object_size > 0 && object_size <= UINT32_MAX / 16);
	cache = strata_alloc(stack, sizeof(*cache));
	if (cache == NULL)
		return NULL;
	cache->k = k;
	cache->name = name;
	cache->size = (uint32_t)(object_size + 15) & ~UINT32_C(15);
	cache->uncached = k->env.uncached;
	cache->grow = cache->uncached ? 1 : slab_objects(cache, SLAB_FIRST);
	cache->window_end = k->pub.now + TRIM_WINDOW;
	cache->next = k->mem->caches;
	cache->link = &k->mem->caches;
	if (cache->next != NULL)
		cache->next->link = &cache->next;
	k->mem->caches = cache;
	return cache;
}

void strata_cache_destroy(struct strata_cache *cache)
{
	struct mem_slab *slab;
	struct kernel *k;

	if (cache == NULL)
		return;
	k = cache->k;
	if (cache->in_use == 0) {
		while ((slab = cache->slabs) != NULL) {
			cache->slabs = slab->next;
			slab_release(cache, slab);
		}
	} else {
		/* The slabs stay, so that leaked objects do not turn into stray pointers, and whoever
		 * counts the environment's memory sees them. */
		strata_log(&k->pub, NULL, STRATA_LOG_ERROR,
			   "cache %s: %u objects of %u bytes were never freed", cache->name,
			   cache->in_use, cache->size);
	}
	*cache->link = cache->next;
	if (cache->next != NULL)
		cache->next->link = cache->link;
	strata_free(&k->pub, cache);
}

void *strata_cache_alloc(struct strata_cache *cache)
{
	void *object = cache_pop(cache);

	return object != NULL ? memset(object, 0, cache->size) : NULL;
}

void strata_cache_free(struct strata_cache *cache, void *object)
{
	if (object == NULL)
		return;
	assert(cache->in_use != 0);
	cache_push(cache, object);
}

size_t strata_cache_in_use(const struct strata_cache *cache)
{
	return cache->in_use;
}

/* ---- life ---- */

int mem_init(struct kernel *k)
{
	k->mem = k->env.alloc(k->env.ctx, sizeof(*k->mem));
	if (k->mem == NULL)
		return -ENOMEM;
	memset(k->mem, 0, sizeof(*k->mem));
	return 0;
}

void mem_fini(struct kernel *k)
{
	struct mem *mem = k->mem;
	const struct strata_cache *cache;

	if (mem == NULL)
		return;
	for (cache = mem->caches; cache != NULL; cache = cache->next)
		strata_log(&k->pub, NULL, STRATA_LOG_ERROR,
			   "cache %s was never destroyed: %u objects of %u bytes in use", cache->name,
			   cache->in_use, cache->size);
	if (mem->single != 0)
		strata_log(&k->pub, NULL, STRATA_LOG_ERROR,
			   "%zu allocations of %zu bytes in all were never freed", mem->single,
			   mem->single_bytes);
	k->env.free(k->env.ctx, mem, sizeof(*mem));
	k->mem = NULL;
}
