/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chance: a ChaCha20 generator (RFC 8439 2.3) with fast key erasure, keyed once from the
 * environment, and SipHash-2-4 (Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012).
 */
#include "random.h"
#include "kernel.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>

/* Local choice: bytes made at once. The first ones become the next key, so that what was given out
 * cannot be found again in memory. */
#define POOL_BLOCKS 8
#define POOL_SIZE (POOL_BLOCKS * CHACHA_BLOCK)

struct rng {
	uint32_t used;			/* bytes of `pool` given out */
	uint8_t key[CHACHA_KEY];
	uint8_t pool[POOL_SIZE];
};

/* ---- ChaCha20 ---- */

static inline uint32_t rotl32(uint32_t v, unsigned int n)
{
	return v << n | v >> (32 - n);
}

static inline uint32_t load_le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static inline void quarter_round(uint32_t x[16], int a, int b, int c, int d)
{
	x[a] += x[b];
	x[d] = rotl32(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotl32(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotl32(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotl32(x[b] ^ x[c], 7);
}

void chacha20_block(const uint8_t key[CHACHA_KEY], uint32_t counter, const uint32_t nonce[3],
		    uint8_t out[CHACHA_BLOCK])
{
	/* "expand 32-byte k" */
	uint32_t start[16] = { 0x61707865, 0x3320646e, 0x79622d32, 0x6b206574 }, x[16];
	int i;

	for (i = 0; i < 8; i++)
		start[4 + i] = load_le32(key + 4 * i);
	start[12] = counter;
	memcpy(start + 13, nonce, 3 * sizeof(nonce[0]));
	memcpy(x, start, sizeof(x));
	for (i = 0; i < 10; i++) {
		quarter_round(x, 0, 4, 8, 12);
		quarter_round(x, 1, 5, 9, 13);
		quarter_round(x, 2, 6, 10, 14);
		quarter_round(x, 3, 7, 11, 15);
		quarter_round(x, 0, 5, 10, 15);
		quarter_round(x, 1, 6, 11, 12);
		quarter_round(x, 2, 7, 8, 13);
		quarter_round(x, 3, 4, 9, 14);
	}
	for (i = 0; i < 16; i++) {
		uint32_t word = htole32(x[i] + start[i]);

		memcpy(out + 4 * i, &word, sizeof(word));
	}
}

/* ---- the generator ---- */

static void rng_refill(struct rng *rng)
{
	static const uint32_t nonce[3] = { 0, 0, 0 };
	uint32_t i;

	for (i = 0; i < POOL_BLOCKS; i++)
		chacha20_block(rng->key, i, nonce, rng->pool + i * CHACHA_BLOCK);
	memcpy(rng->key, rng->pool, CHACHA_KEY);
	memset(rng->pool, 0, CHACHA_KEY);
	rng->used = CHACHA_KEY;
}

void strata_random(struct strata_stack *stack, void *buf, size_t len)
{
	struct rng *rng = kernel_of(stack)->rng;
	uint8_t *to = buf;

	while (len != 0) {
		size_t n;

		if (rng->used == POOL_SIZE)
			rng_refill(rng);
		n = POOL_SIZE - rng->used < len ? POOL_SIZE - rng->used : len;
		memcpy(to, rng->pool + rng->used, n);
		memset(rng->pool + rng->used, 0, n);
		rng->used += (uint32_t)n;
		to += n;
		len -= n;
	}
}

uint32_t strata_random32(struct strata_stack *stack)
{
	uint32_t value;

	strata_random(stack, &value, sizeof(value));
	return value;
}

uint32_t strata_random_below(struct strata_stack *stack, uint32_t bound)
{
	uint64_t product;

	assert(bound != 0);
	/* Lemire, "Fast Random Integer Generation in an Interval" (2019): the high word of a product,
	 * again where the low word shows the surplus values. */
	do {
		product = (uint64_t)strata_random32(stack) * bound;
	} while ((uint32_t)product < -bound % bound);
	return (uint32_t)(product >> 32);
}

void random_key(struct kernel *k, struct strata_hash_key *key)
{
	strata_random(&k->pub, key, sizeof(*key));
}

int random_init(struct kernel *k)
{
	int error;

	k->rng = strata_alloc(&k->pub, sizeof(*k->rng));
	if (k->rng == NULL)
		return -ENOMEM;
	error = k->env.random(k->env.ctx, k->rng->key, CHACHA_KEY);
	if (error != 0) {
		random_fini(k);
		return error;
	}
	k->rng->used = POOL_SIZE;
	return 0;
}

void random_fini(struct kernel *k)
{
	if (k->rng == NULL)
		return;
	explicit_bzero(k->rng, sizeof(*k->rng));
	strata_free(&k->pub, k->rng);
	k->rng = NULL;
}

/* ---- SipHash-2-4 ---- */

static inline uint64_t rotl64(uint64_t v, unsigned int n)
{
	return v << n | v >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl64(v[1], 13) ^ v[0];
	v[0] = rotl64(v[0], 32);
	v[2] += v[3];
	v[3] = rotl64(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl64(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl64(v[1], 17) ^ v[2];
	v[2] = rotl64(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
}

uint64_t strata_siphash(const struct strata_hash_key *key, const void *data, size_t len)
{
	/* "somepseudorandomlygeneratedbytes" */
	uint64_t v[4] = {
		key->k[0] ^ UINT64_C(0x736f6d6570736575), key->k[1] ^ UINT64_C(0x646f72616e646f6d),
		key->k[0] ^ UINT64_C(0x6c7967656e657261), key->k[1] ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t *p = data;
	size_t left = len;
	uint64_t word;

	for (; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, sizeof(word));
		sip_word(v, le64toh(word));
	}
	word = 0;
	memcpy(&word, p, left);
	sip_word(v, le64toh(word) | (uint64_t)len << 56);
	v[2] ^= 0xff;
	sip_round(v);
	sip_round(v);
	sip_round(v);
	sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
