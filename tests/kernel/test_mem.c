/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory: the cap, the caches, and what is said of leaks. */
#include "rig.h"
#include "mem.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t refused(const struct rig *rig)
{
	return rig->k.self.counters[KERNEL_COUNT_MEMORY_REFUSED];
}

static void gives_zeroed_memory_aligned_to_16(void **state)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 4096, 100000 };
	struct rig rig = { .seed = 1 };
	size_t i, j;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < STRATA_COUNT(sizes); i++) {
		uint8_t *p = strata_alloc(rig.stack, sizes[i]);

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		for (j = 0; j < sizes[i]; j++)
			assert_int_equal(p[j], 0);
		memset(p, 0xff, sizes[i]);
		strata_free(rig.stack, p);
	}
	strata_free(rig.stack, NULL);
	rig_close(&rig);
}

static void counts_what_is_in_use(void **state)
{
	struct rig rig = { .seed = 1 };
	size_t before, with;
	void *p;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	before = strata_memory_used(rig.stack);
	p = strata_alloc(rig.stack, 1000);
	with = strata_memory_used(rig.stack);
	assert_true(with >= before + 1000 && with <= before + 1016);
	strata_free(rig.stack, p);
	assert_int_equal(strata_memory_used(rig.stack), before);
	rig_close(&rig);
}

static void refuses_beyond_the_cap_and_counts_it(void **state)
{
	struct rig rig = { .seed = 1 };
	size_t left;
	void *p;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	rig.k.settings.memory = strata_memory_used(rig.stack) + 1000;
	left = 1000 - 16;
	assert_null(strata_alloc(rig.stack, left + 1));
	assert_int_equal(refused(&rig), 1);
	p = strata_alloc(rig.stack, left);
	assert_non_null(p);
	assert_null(strata_alloc(rig.stack, 0));
	assert_int_equal(refused(&rig), 2);
	strata_free(rig.stack, p);
	p = strata_alloc(rig.stack, left);
	assert_non_null(p);
	strata_free(rig.stack, p);
	rig_close(&rig);
}

static void refuses_sizes_that_would_overflow(void **state)
{
	struct rig rig = { .seed = 1 };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	assert_null(strata_alloc(rig.stack, SIZE_MAX));
	assert_null(strata_alloc(rig.stack, SIZE_MAX - 15));
	rig.k.settings.memory = 1;
	assert_null(strata_alloc(rig.stack, SIZE_MAX / 2));
	rig_close(&rig);
}

static void copies_strings(void **state)
{
	struct rig rig = { .seed = 1 };
	char *s;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	s = kernel_strdup(&rig.k, "st0");
	assert_string_equal(s, "st0");
	strata_free(rig.stack, s);
	rig_starve(&rig, true);
	assert_null(kernel_strdup(&rig.k, "st0"));
	rig_close(&rig);
}

static void cached_objects_are_zeroed_each_time(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_cache *cache;
	int round;
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	cache = strata_cache_create(rig.stack, "things", 100);
	for (round = 0; round < 3; round++) {
		uint8_t *p = strata_cache_alloc(cache);

		assert_int_equal((uintptr_t)p % 16, 0);
		assert_int_equal(strata_cache_in_use(cache), 1);
		for (i = 0; i < 100; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, 100);
		strata_cache_free(cache, p);
		assert_int_equal(strata_cache_in_use(cache), 0);
	}
	strata_cache_free(cache, NULL);
	strata_cache_destroy(cache);
	strata_cache_destroy(NULL);
	rig_close(&rig);
}

static void a_cache_in_steady_state_asks_for_no_memory(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_cache *cache;
	void *objects[100];
	uint64_t allocs = 0;
	int round, i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	cache = strata_cache_create(rig.stack, "things", 200);
	for (round = 0; round < 10; round++) {
		for (i = 0; i < 100; i++)
			objects[i] = strata_cache_alloc(cache);
		for (i = 0; i < 100; i++)
			strata_cache_free(cache, objects[i]);
		if (round == 0)
			allocs = rig.allocs;
	}
	assert_int_equal(rig.allocs, allocs);
	strata_cache_destroy(cache);
	rig_close(&rig);
}

static void a_cache_with_one_object_is_small(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_cache *cache;
	size_t before;
	void *p;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	cache = strata_cache_create(rig.stack, "things", 64);
	before = rig.bytes;
	p = strata_cache_alloc(cache);
	assert_true(rig.bytes - before <= 1024);
	strata_cache_free(cache, p);
	strata_cache_destroy(cache);
	rig_close(&rig);
}

static void objects_cost_their_size_and_little_more(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_cache *cache;
	static void *objects[2000];
	size_t before, i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	cache = strata_cache_create(rig.stack, "things", 480);
	before = strata_memory_used(rig.stack);
	for (i = 0; i < STRATA_COUNT(objects); i++)
		objects[i] = strata_cache_alloc(cache);
	assert_true(strata_memory_used(rig.stack) - before <= STRATA_COUNT(objects) * 481);
	for (i = 0; i < STRATA_COUNT(objects); i++)
		strata_cache_free(cache, objects[i]);
	strata_cache_destroy(cache);
	rig_close(&rig);
}

static void empty_slabs_make_room_at_the_cap(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_cache *cache;
	static void *objects[1000];
	void *big;
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	cache = strata_cache_create(rig.stack, "things", 256);
	for (i = 0; i < STRATA_COUNT(objects); i++)
		objects[i] = strata_cache_alloc(cache);
	for (i = 1; i < STRATA_COUNT(objects); i++)
		strata_cache_free(cache, objects[i]);
	rig.k.settings.memory = rig.bytes;
	big = strata_alloc(rig.stack, 200000);
	assert_non_null(big);
	/* What is still in use was not touched, and the cache goes on working. */
	assert_int_equal(strata_cache_in_use(cache), 1);
	memset(objects[0], 1, 256);
	objects[1] = strata_cache_alloc(cache);
	assert_non_null(objects[1]);
	strata_cache_free(cache, objects[0]);
	strata_cache_free(cache, objects[1]);
	strata_free(rig.stack, big);
	strata_cache_destroy(cache);
	rig_close(&rig);
}

static void a_refusal_under_pressure_stays_cheap(void **state)
{
	struct rig rig = { .seed = 1 };
	void *p;
	int i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	p = strata_alloc(rig.stack, 1000);
	rig.k.settings.memory = strata_memory_used(rig.stack);
	for (i = 0; i < 1000; i++)
		assert_null(strata_alloc(rig.stack, 100000));
	assert_int_equal(refused(&rig), 1000);
	strata_free(rig.stack, p);
	rig_close(&rig);
}

static void memory_of_a_burst_goes_back_in_time(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_cache *cache;
	static void *objects[8000];
	size_t i, burst;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	cache = strata_cache_create(rig.stack, "things", 256);
	for (i = 0; i < STRATA_COUNT(objects); i++)
		objects[i] = strata_cache_alloc(cache);
	for (i = 0; i < STRATA_COUNT(objects); i++)
		strata_cache_free(cache, objects[i]);
	burst = rig.bytes;
	for (i = 0; i < 4; i++) {
		kernel_set_now(&rig.k, (i + 1) * 2 * STRATA_SEC);
		strata_cache_free(cache, strata_cache_alloc(cache));
	}
	assert_true(rig.bytes < burst / 8);
	strata_cache_destroy(cache);
	rig_close(&rig);
}

static void memory_of_a_burst_goes_back_though_nothing_follows(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_cache *cache;
	static void *objects[16000];
	size_t i, before;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	cache = strata_cache_create(rig.stack, "things", 256);
	before = rig.bytes;
	for (i = 0; i < STRATA_COUNT(objects); i++)
		objects[i] = strata_cache_alloc(cache);
	for (i = 0; i < STRATA_COUNT(objects); i++)
		strata_cache_free(cache, objects[i]);
	assert_true(rig.bytes > before + 16000 * 256);
	for (i = 0; i < 3 && timer_next(&rig.k) != STRATA_NEVER; i++) {
		kernel_set_now(&rig.k, timer_next(&rig.k));
		timer_run(&rig.k);
	}
	assert_true(rig.bytes <= before);
	assert_true(timer_next(&rig.k) == STRATA_NEVER);
	strata_cache_destroy(cache);
	rig_close(&rig);
}

/* They rested for a while before they went, all at once: the timer of their growth had long found nothing. */
static void memory_of_a_crowd_that_rested_goes_back_too(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_cache *cache;
	static void *objects[16000];
	size_t i, before;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	cache = strata_cache_create(rig.stack, "things", 256);
	before = rig.bytes;
	for (i = 0; i < STRATA_COUNT(objects); i++)
		objects[i] = strata_cache_alloc(cache);
	for (i = 0; i < 3 && timer_next(&rig.k) != STRATA_NEVER; i++) {
		kernel_set_now(&rig.k, timer_next(&rig.k));
		timer_run(&rig.k);
	}
	/* A stack at rest has no timer. */
	assert_true(timer_next(&rig.k) == STRATA_NEVER);
	for (i = 0; i < STRATA_COUNT(objects); i++)
		strata_cache_free(cache, objects[i]);
	for (i = 0; i < 3 && timer_next(&rig.k) != STRATA_NEVER; i++) {
		kernel_set_now(&rig.k, timer_next(&rig.k));
		timer_run(&rig.k);
	}
	assert_true(rig.bytes <= before);
	assert_true(timer_next(&rig.k) == STRATA_NEVER);
	strata_cache_destroy(cache);
	rig_close(&rig);
}

/* Each object is filled with a pattern of its own, which nobody else may touch. */
static void objects_never_overlap(void **state)
{
	enum { MOST = 500 };
	struct rig rig = { .seed = 1 };
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 20; seed++) {
		uint64_t rng = seed;
		size_t size = 8 + rig_below(&rng, 600), j;
		uint8_t *objects[MOST] = { NULL };
		struct strata_cache *cache;
		int step;

		rig = (struct rig){ .seed = seed };
		assert_int_equal(rig_open(&rig), 0);
		cache = strata_cache_create(rig.stack, "things", size);
		for (step = 0; step < 5000; step++) {
			uint32_t i = rig_below(&rng, MOST);

			kernel_set_now(&rig.k, (uint64_t)step * STRATA_MS);
			if (objects[i] == NULL) {
				objects[i] = strata_cache_alloc(cache);
				assert_non_null(objects[i]);
				memset(objects[i], (int)i, size);
			} else {
				for (j = 0; j < size; j++)
					assert_int_equal(objects[i][j], (uint8_t)i);
				strata_cache_free(cache, objects[i]);
				objects[i] = NULL;
			}
			if (step % 100 == 0)
				mem_reclaim(&rig.k);
		}
		for (step = 0; step < MOST; step++)
			strata_cache_free(cache, objects[step]);
		mem_reclaim(&rig.k);
		strata_cache_destroy(cache);
		rig_close(&rig);
	}
}

static void an_uncached_object_is_one_allocation(void **state)
{
	struct rig rig = { .seed = 1, .uncached = true };
	struct strata_cache *cache;
	void *objects[100];
	size_t blocks, i;
	uint64_t allocs;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	cache = strata_cache_create(rig.stack, "things", 100);
	blocks = rig.blocks;
	allocs = rig.allocs;
	for (i = 0; i < STRATA_COUNT(objects); i++) {
		objects[i] = strata_cache_alloc(cache);
		assert_non_null(objects[i]);
		memset(objects[i], 0xff, 100);
	}
	assert_int_equal(rig.blocks, blocks + STRATA_COUNT(objects));
	assert_int_equal(rig.allocs, allocs + STRATA_COUNT(objects));
	for (i = 0; i < STRATA_COUNT(objects); i++)
		strata_cache_free(cache, objects[i * 37 % STRATA_COUNT(objects)]);
	assert_int_equal(rig.blocks, blocks);
	rig_starve(&rig, true);
	assert_null(strata_cache_alloc(cache));
	rig_starve(&rig, false);
	strata_cache_free(cache, strata_cache_alloc(cache));
	mem_reclaim(&rig.k);
	assert_int_equal(rig.blocks, blocks);
	strata_cache_destroy(cache);
	rig_close(&rig);
}

static void a_leaked_object_is_named(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_cache *cache;
	struct mem_slab *slab;
	uint8_t *p;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	cache = strata_cache_create(rig.stack, "connections", 64);
	p = strata_cache_alloc(cache);
	slab = cache->slabs;
	strata_cache_destroy(cache);
	rig_fini(&rig);
	assert_non_null(strstr(rig.log, "kernel: cache connections: 1 objects of 64 bytes"));
	/* It can still be written to, and whoever counts the environment's memory sees it. */
	memset(p, 1, 64);
	assert_int_equal(rig.blocks, 1);
	free(slab);
}

static void a_leaked_allocation_is_told(void **state)
{
	struct rig rig = { .seed = 1 };
	uint8_t *p;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	p = strata_alloc(rig.stack, 84);
	rig_fini(&rig);
	assert_string_equal(rig.log,
			    "kernel: 1 allocations of 100 bytes in all were never freed\n");
	assert_int_equal(rig.blocks, 1);
	free(p - 16);
}

static void every_failing_allocation_is_survived(void **state)
{
	uint64_t k;
	int result;

	(void)state;
	for (k = 1;; k++) {
		struct rig rig = { .seed = 1, .fail_at = k };

		result = rig_open(&rig);
		if (result == 0) {
			rig_close(&rig);
			assert_true(k > 7);
			break;
		}
		assert_int_equal(result, -ENOMEM);
		assert_int_equal(rig.blocks, 0);
	}
}

static void a_cache_without_memory_gives_none_and_recovers(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_cache *cache;
	void *p;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	rig_starve(&rig, true);
	assert_null(strata_cache_create(rig.stack, "things", 64));
	rig_starve(&rig, false);
	cache = strata_cache_create(rig.stack, "things", 64);
	rig_starve(&rig, true);
	assert_null(strata_cache_alloc(cache));
	assert_int_equal(strata_cache_in_use(cache), 0);
	rig_starve(&rig, false);
	p = strata_cache_alloc(cache);
	assert_non_null(p);
	strata_cache_free(cache, p);
	strata_cache_destroy(cache);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_zeroed_memory_aligned_to_16),
		cmocka_unit_test(counts_what_is_in_use),
		cmocka_unit_test(refuses_beyond_the_cap_and_counts_it),
		cmocka_unit_test(refuses_sizes_that_would_overflow),
		cmocka_unit_test(copies_strings),
		cmocka_unit_test(cached_objects_are_zeroed_each_time),
		cmocka_unit_test(a_cache_in_steady_state_asks_for_no_memory),
		cmocka_unit_test(a_cache_with_one_object_is_small),
		cmocka_unit_test(objects_cost_their_size_and_little_more),
		cmocka_unit_test(empty_slabs_make_room_at_the_cap),
		cmocka_unit_test(a_refusal_under_pressure_stays_cheap),
		cmocka_unit_test(memory_of_a_burst_goes_back_in_time),
		cmocka_unit_test(memory_of_a_burst_goes_back_though_nothing_follows),
		cmocka_unit_test(memory_of_a_crowd_that_rested_goes_back_too),
		cmocka_unit_test(objects_never_overlap),
		cmocka_unit_test(an_uncached_object_is_one_allocation),
		cmocka_unit_test(a_leaked_object_is_named),
		cmocka_unit_test(a_leaked_allocation_is_told),
		cmocka_unit_test(every_failing_allocation_is_survived),
		cmocka_unit_test(a_cache_without_memory_gives_none_and_recovers),
	};

	return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
