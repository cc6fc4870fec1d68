/* SPDX-License-Identifier: BSD-2-Clause */
/* Chance: published vectors, determinism from the environment's seed, and fair bounds. */
#include "rig.h"
#include "random.h"

#include <errno.h>

/* RFC 8439 2.3.2 */
static void the_block_function_gives_the_example_of_rfc_8439(void **state)
{
	static const uint32_t nonce[3] = { 0x09000000, 0x4a000000, 0x00000000 };
	static const uint8_t expected[CHACHA_BLOCK] = {
		0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
		0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
		0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
		0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
		0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
	};
	uint8_t key[CHACHA_KEY], out[CHACHA_BLOCK];
	uint8_t i;

	(void)state;
	for (i = 0; i < CHACHA_KEY; i++)
		key[i] = i;
	chacha20_block(key, 1, nonce, out);
	assert_memory_equal(out, expected, sizeof(expected));
}

/* Key 00 01 … 0f, message 00 01 … of the length given: Aumasson, Bernstein 2012, appendix A (length 15)
 * and the vectors of the reference implementation. */
static void siphash_gives_the_published_vectors(void **state)
{
	static const struct { size_t length; uint64_t hash; } vectors[] = {
		{ 0, UINT64_C(0x726fdb47dd0e0e31) },  { 1, UINT64_C(0x74f839c593dc67fd) },
		{ 2, UINT64_C(0x0d6c8009d9a94f5a) },  { 3, UINT64_C(0x85676696d7fb7e2d) },
		{ 8, UINT64_C(0x93f5f5799a932462) },  { 15, UINT64_C(0xa129ca6149be45e5) },
		{ 16, UINT64_C(0x3f2acc7f57c29bdb) }, { 63, UINT64_C(0x958a324ceb064572) },
	};
	const struct strata_hash_key key = {
		{ UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908) },
	};
	uint8_t message[64 + 1];
	size_t i;

	(void)state;
	for (i = 0; i < 64; i++)
		message[1 + i] = (uint8_t)i;
	for (i = 0; i < STRATA_COUNT(vectors); i++)
		/* From an odd address. */
		assert_true(strata_siphash(&key, message + 1, vectors[i].length) ==
			    vectors[i].hash);
}

static void the_same_seed_gives_the_same_numbers(void **state)
{
	static uint8_t a[3000], b[3000], c[3000];
	struct rig rig = { .seed = 5 };
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_random(rig.stack, a, sizeof(a));
	rig_close(&rig);
	/* However it is asked for. */
	rig = (struct rig){ .seed = 5 };
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < sizeof(b); i += 4) {
		uint32_t value = strata_random32(rig.stack);

		memcpy(b + i, &value, 4);
	}
	rig_close(&rig);
	assert_memory_equal(a, b, sizeof(a));
	rig = (struct rig){ .seed = 6 };
	assert_int_equal(rig_open(&rig), 0);
	strata_random(rig.stack, c, sizeof(c));
	rig_close(&rig);
	assert_memory_not_equal(a, c, sizeof(a));
}

static void numbers_do_not_repeat(void **state)
{
	struct rig rig = { .seed = 1 };
	static uint64_t seen[2000];
	size_t i, j;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < STRATA_COUNT(seen); i++) {
		strata_random(rig.stack, &seen[i], sizeof(seen[i]));
		for (j = 0; j < i; j++)
			assert_true(seen[i] != seen[j]);
	}
	rig_close(&rig);
}

static void a_bound_is_never_reached_and_every_value_is_as_likely(void **state)
{
	static const uint32_t bounds[] = { 1, 2, 3, 7, 10, 100 };
	struct rig rig = { .seed = 1 };
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < STRATA_COUNT(bounds); i++) {
		uint32_t counts[100] = { 0 }, bound = bounds[i], j;

		for (j = 0; j < 2000 * bound; j++) {
			uint32_t value = strata_random_below(rig.stack, bound);

			assert_true(value < bound);
			counts[value]++;
		}
		for (j = 0; j < bound; j++)
			assert_in_range(counts[j], 1750, 2250);
	}
	for (i = 0; i < 1000; i++)
		assert_true(strata_random_below(rig.stack, 0xc0000000) < 0xc0000000);
	rig_close(&rig);
}

static void keys_differ(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_hash_key a, b;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	random_key(&rig.k, &a);
	random_key(&rig.k, &b);
	assert_memory_not_equal(&a, &b, sizeof(a));
	rig_close(&rig);
}

static void without_a_source_there_is_no_stack(void **state)
{
	struct rig rig = { .seed = 1, .random_fails = true };

	(void)state;
	assert_int_equal(rig_open(&rig), -EIO);
	assert_int_equal(rig.blocks, 0);
	assert_string_equal(rig.log, "");
}

static void the_systems_environment_works(void **state)
{
	const struct strata_env *env = strata_env_system();
	struct strata_env filled = { .ctx = NULL };
	uint8_t a[100] = { 0 }, b[100] = { 0 };
	uint64_t before = env->now(env->ctx);
	void *p;

	(void)state;
	assert_int_equal(env->random(env->ctx, a, sizeof(a)), 0);
	assert_int_equal(env->random(env->ctx, b, sizeof(b)), 0);
	assert_memory_not_equal(a, b, sizeof(a));
	p = env->alloc(env->ctx, 100);
	assert_int_equal((uintptr_t)p % 16, 0);
	env->free(env->ctx, p, 100);
	assert_true(env->now(env->ctx) >= before);
	/* After 2020. */
	assert_true(env->wall_clock(env->ctx) > UINT64_C(1577836800) * STRATA_SEC);
	env_complete(&filled);
	assert_ptr_equal(filled.random, env->random);
	assert_ptr_equal(filled.alloc, env->alloc);
	assert_ptr_equal(filled.free, env->free);
	assert_ptr_equal(filled.log, env->log);
	/* A stack without a clock stays without one. */
	assert_null(filled.now);
	assert_null(filled.wall_clock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_block_function_gives_the_example_of_rfc_8439),
		cmocka_unit_test(siphash_gives_the_published_vectors),
		cmocka_unit_test(the_same_seed_gives_the_same_numbers),
		cmocka_unit_test(numbers_do_not_repeat),
		cmocka_unit_test(a_bound_is_never_reached_and_every_value_is_as_likely),
		cmocka_unit_test(keys_differ),
		cmocka_unit_test(without_a_source_there_is_no_stack),
		cmocka_unit_test(the_systems_environment_works),
	};

	return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
