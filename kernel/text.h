/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values as people write them: numbers, sizes, times, booleans, and the nearest known name to a
 * mistaken one. Strict, so that a manifest means the same to every reader.
 */
#ifndef STRATA_KERNEL_TEXT_H
#define STRATA_KERNEL_TEXT_H

#include <strata/base.h>

/* Why a value was refused. */
struct text_fault {
	const char *expected;	/* "a number, decimal or 0x hex" */
	char hint[80];		/* "write 12", or "" */
};

/* Each parses all of `s`. Returns 0, or -EINVAL with `fault` filled. */
int text_uint(const char *s, uint64_t *out, struct text_fault *fault);
/* Bytes: KiB MiB GiB, or no unit. */
int text_size(const char *s, uint64_t *out, struct text_fault *fault);
/* To nanoseconds: us ms s min; only 0 may go without. */
int text_time(const char *s, uint64_t *out, struct text_fault *fault);
/* A chance as parts per million: 5%, 0.25%; only 0 may go without the sign. */
int text_chance(const char *s, uint64_t *out, struct text_fault *fault);
/* `true` or `false`; with `lenient` also on, off, yes, no. */
int text_bool(const char *s, bool lenient, bool *out, struct text_fault *fault);

/* The same back to text, in the largest unit that divides the value. Returns bytes as snprintf. */
int text_format_size(uint64_t bytes, char *buf, size_t size);
int text_format_time(uint64_t ns, char *buf, size_t size);
int text_format_chance(uint64_t ppm, char *buf, size_t size);

/* True where `s` is a name: [A-Za-z0-9_-]+. */
bool text_is_name(const char *s);

/* Looks for the candidate nearest to a word. Zero but for `word`; offer each; read `best`. */
struct text_nearest {
	const char *word;
	const char *best;	/* borrowed from the offers; NULL: none is near */
	unsigned int distance;
};
void text_nearest_offer(struct text_nearest *nearest, const char *candidate);

/* `; did you mean "best"?` or "" into `buf`, which is returned. */
#define TEXT_HINT_SIZE 96
const char *text_nearest_hint(const struct text_nearest *nearest, char buf[TEXT_HINT_SIZE]);

/* `s` in double quotes for a message: control bytes escaped, cut where it is long. Returns
 * `buf`. */
#define TEXT_SHOWN_SIZE 128
const char *text_shown(const char *s, char buf[TEXT_SHOWN_SIZE]);

#endif
