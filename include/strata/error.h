/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults told to a person. A control path returns -errno and adds to the error it was given one
 * sentence a fault: the thing, the place, what was expected, the remedy. All faults found are
 * kept, not only the first.
 */
#ifndef STRATA_ERROR_H
#define STRATA_ERROR_H

#include <strata/base.h>

STRATA_BEGIN_DECLS

/** A growing list of sentences. Start from zero (`= {0}`), end with strata_error_clear(). */
struct strata_error {
	char *text;		/**< lines, each ended by '\n'; NULL while empty. Owned. */
	size_t length;		/**< bytes in `text`, without the final NUL */
	size_t room;		/**< bytes allocated */
	unsigned int count;	/**< faults added */
};

/** Adds one fault. `error` may be NULL: then nothing happens. No newline at the end of `format`.
 *  When memory is short the count still grows. */
STRATA_API void strata_error_add(struct strata_error *error, const char *format, ...)
	STRATA_PRINTF(2, 3);

/** All faults, a line each; "" when there are none. Borrowed until the error changes. */
STRATA_API const char *strata_error_text(const struct strata_error *error);

/** Frees the text and makes the error empty again. */
STRATA_API void strata_error_clear(struct strata_error *error);

/** The candidate nearest to a mistaken word, for "did you mean": one of `candidates`, or NULL when none is near
 *  enough. */
STRATA_API const char *strata_nearest(const char *word, const char *const *candidates, size_t count);

STRATA_END_DECLS
#endif
