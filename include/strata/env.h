/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The environment a stack lives in: its clock, randomness, memory and log. Whoever creates a
 * stack supplies one, so the same modules run in a daemon, inside a program, and in virtual time.
 */
#ifndef STRATA_ENV_H
#define STRATA_ENV_H

#include <strata/base.h>

STRATA_BEGIN_DECLS

enum strata_log_level {
	STRATA_LOG_ERROR,
	STRATA_LOG_WARNING,
	STRATA_LOG_INFO,
	STRATA_LOG_DEBUG,
};

/** Copied when a stack is created; `ctx` must outlive the stack. Unset functions (NULL) are taken
 *  from strata_env_system(), but for `now`, see there. */
struct strata_env {
	void *ctx;		/**< handed to each function below */

	/** Monotonic time in nanoseconds. NULL: the stack has no clock and knows only the `now` that
	 *  strata_input() and strata_run() are given. A clock that steps back is read as standing. */
	uint64_t (*now)(void *ctx);

	/** Time of day in nanoseconds since 1970, for captures and receive time stamps. NULL: the
	 *  monotonic time stands for it. */
	uint64_t (*wall_clock)(void *ctx);

	/** Fills `buf` with `len` bytes fit for keys. Returns 0 or -errno; a stack is not created
	 *  when it fails. */
	int (*random)(void *ctx, void *buf, size_t len);

	/** `size` bytes aligned to 16, or NULL. Need not be zeroed. */
	void *(*alloc)(void *ctx, size_t size);

	/** Releases what alloc returned for the same `size`. */
	void (*free)(void *ctx, void *ptr, size_t size);

	/** Caches keep nothing: each object of a strata_cache is one call of alloc, and its end one of
	 *  free. Slow; for tests, which so see every allocation, can let each fail, and have a memory
	 *  checker watch each object. */
	bool uncached;

	/** One line of log, without newline. `module` is the instance's name or "kernel". */
	void (*log)(void *ctx, enum strata_log_level level, const char *module, const char *line);
};

/** The host's own: CLOCK_MONOTONIC, getrandom(2), malloc(3), standard error. */
STRATA_API const struct strata_env *strata_env_system(void);

STRATA_END_DECLS
#endif
