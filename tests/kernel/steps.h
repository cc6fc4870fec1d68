/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steps: how many basic blocks the kernel's code ran through, which is the same on every machine and in every
 * run. Files compiled with -fsanitize-coverage=trace-pc count; what libc does in one call does not.
 */
#ifndef TEST_STEPS_H
#define TEST_STEPS_H

#include <stdint.h>

/* Steps since the program began. */
uint64_t steps_now(void);

/* What a row of operations cost. */
struct steps {
	uint64_t begun, sum, most, count;
};

static inline void steps_begin(struct steps *steps)
{
	steps->begun = steps_now();
}

static inline void steps_end(struct steps *steps)
{
	uint64_t took = steps_now() - steps->begun;

	steps->sum += took;
	steps->count++;
	if (took > steps->most)
		steps->most = took;
}

/* Hundredths of a step that one operation cost. */
static inline uint64_t steps_mean(const struct steps *steps)
{
	return steps->sum * 100 / steps->count;
}

#endif
