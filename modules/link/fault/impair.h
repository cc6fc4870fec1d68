/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The impairment engine: decides from a seed what becomes of each frame of one direction. It has no
 * clock, no memory and no frame of its own, so the simulator and the live module use the same.
 */
#ifndef IMPAIR_H
#define IMPAIR_H

#include <strata/impair.h>

/* More than a queue that is limited by packets can hold, with the one on the line. */
enum { IMPAIR_RING = STRATA_QUEUE_PACKETS + 24 };

enum impair_fate {
	IMPAIR_PASSED,
	IMPAIR_LOST,		/* by chance */
	IMPAIR_BURST,		/* in a burst */
	IMPAIR_QUEUE,		/* the queue in front of the rate was full */
	IMPAIR_TOO_BIG,		/* larger than the MTU */
	IMPAIR_FATES,
};

/* One copy of a frame that passes. */
struct impair_copy {
	uint64_t time;		/* when it arrives; in a slot: at the latest */
	uint32_t length;	/* bytes that are left of it */
	int slot;		/* held back here until released; -1: not */
	uint32_t flip[STRATA_CORRUPT_BITS];	/* numbers of bits to be inverted */
	unsigned int flips;
	bool mark;		/* to be marked CE where it can be */
	bool reordered, truncated;
};

struct impair_result {
	enum impair_fate fate;
	unsigned int copies;	/* 0 to 2 */
	struct impair_copy copy[2];
	uint64_t released;	/* bit n: what is held in slot n arrives at release_time, */
	uint64_t release_time;	/* behind the copies */
};

struct impair {
	struct strata_impairment how;
	uint64_t rng;
	uint32_t header;	/* bytes of link header in each frame */
	uint64_t busy;		/* the line is occupied until then */
	uint64_t latest;	/* arrival of the last frame: none overtakes by jitter alone */
	bool in_burst;
	uint64_t slots;		/* bit n: slot n is taken */
	uint8_t waits_for[STRATA_REORDER_DEPTH];	/* frames that have still to overtake */
	uint32_t head, queued;	/* of `leaving`, a ring */
	uint64_t leaving[IMPAIR_RING];		/* when each queued packet is through */
};

/* Starts from a seed. `header` is the size of the link header, 0 for bare packets. */
void impair_init(struct impair *impair, const struct strata_impairment *how, uint64_t seed,
		 uint32_t header);
/* Impairs differently from the next frame on. */
void impair_set(struct impair *impair, const struct strata_impairment *how);
/* Decides about a frame of `length` bytes that is sent at `now`; times never go back. */
void impair_frame(struct impair *impair, uint64_t now, uint32_t length, struct impair_result *out);
/* What was held in a slot has arrived because its time had come. */
void impair_expired(struct impair *impair, int slot);
/* Inverts the bits and sets the mark of a copy in its bytes. Returns whether CE was set. */
bool impair_apply(const struct impair *impair, const struct impair_copy *copy, uint8_t *bytes);
/* The next number of a seeded generator: splitmix64 (Steele, Lea, Flood 2014). */
uint64_t impair_random(uint64_t *state);

#endif
