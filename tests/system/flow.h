/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What both ends of a measured transfer agree on, `flow` over the host's sockets and `flow_strata` over a
 * stack's: a client connects and says what is to be done; the bytes are known by their place; who has
 * received all of them, and found each right, says so with one byte.
 */
#ifndef TEST_FLOW_H
#define TEST_FLOW_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { FLOW_WORDS = 8192, FLOW_BLOCK = FLOW_WORDS * 8, FLOW_GOOD = 'Y' };

/* The client's first bytes. */
struct flow_request {
	char what;			/* 's': the server sends; 'r': it receives */
	char algorithm[15];		/* the server's congestion control; empty: its default */
	uint64_t bytes, key;
};

/* A stream being made or checked, a block at a time. */
struct flow_stream {
	uint64_t bytes, key;
	uint64_t done;			/* before the block in hand */
	size_t have;			/* bytes of the block in hand */
	union {
		uint64_t words[FLOW_WORDS];
		char block[FLOW_BLOCK];
	};
};

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014) over the word's place. */
static inline uint64_t flow_word(uint64_t place, uint64_t key)
{
	uint64_t z = (place + key * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9);

	z ^= z >> 27;
	return z * UINT64_C(0x94d049bb133111eb) ^ z >> 31;
}

/* Bytes of the block in hand. */
static inline size_t flow_block(const struct flow_stream *s)
{
	uint64_t left = s->bytes - s->done;

	return left < FLOW_BLOCK ? (size_t)left : (size_t)FLOW_BLOCK;
}

/* Makes the block in hand. */
static inline void flow_fill(struct flow_stream *s)
{
	for (uint64_t i = 0; i < FLOW_WORDS; i++)
		s->words[i] = flow_word(s->done / 8 + i, s->key);
}

/* Whether the block in hand, which is full, is right; tells the first byte that is not. */
static inline bool flow_check(struct flow_stream *s)
{
	size_t size = flow_block(s);

	for (size_t i = 0; i < size; i += 8) {
		uint64_t word = flow_word((s->done + i) / 8, s->key);

		if (memcmp(s->block + i, &word, size - i < 8 ? size - i : 8) == 0)
			continue;
		fprintf(stderr, "flow: a byte from %" PRIu64 " on is wrong\n", s->done + i);
		return false;
	}
	return true;
}

#endif
