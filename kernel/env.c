/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's own environment: the only place of the kernel that asks the system for time, chance,
 * memory, and writes a log. */
#include "kernel.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

_Static_assert(_Alignof(max_align_t) >= 16, "malloc(3) aligns to 16");

static uint64_t clock_read(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * STRATA_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t system_now(void *ctx)
{
	(void)ctx;
	return clock_read(CLOCK_MONOTONIC);
}

static uint64_t system_wall_clock(void *ctx)
{
	(void)ctx;
	return clock_read(CLOCK_REALTIME);
}

static int system_random(void *ctx, void *buf, size_t len)
{
	uint8_t *to = buf;

	(void)ctx;
	while (len != 0) {
		ssize_t n = getrandom(to, len, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			to += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static void *system_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return malloc(size);
}

static void system_free(void *ctx, void *ptr, size_t size)
{
	(void)ctx;
	(void)size;
	free(ptr);
}

/* Returns whether the line was written. */
static bool write_line(enum strata_log_level level, const char *module, const char *line)
{
	static const char *const levels[] = {
		[STRATA_LOG_ERROR] = "error: ",
		[STRATA_LOG_WARNING] = "warning: ",
		[STRATA_LOG_INFO] = "",
		[STRATA_LOG_DEBUG] = "debug: ",
	};
	struct pollfd where = { .fd = STDERR_FILENO, .events = POLLOUT };

	/* A reader that has stopped reading must not stop the stack: its line is lost. */
	if (poll(&where, 1, 0) == 0)
		return false;
	/* One call is one write: lines of several processes do not mix. */
	return dprintf(STDERR_FILENO, "%s: %s%s\n", module, levels[level], line) > 0;
}

static void system_log(void *ctx, enum strata_log_level level, const char *module, const char *line)
{
	(void)ctx;
	write_line(level, module, line);
}

static const struct strata_env system_env = {
	.now = system_now,
	.wall_clock = system_wall_clock,
	.random = system_random,
	.alloc = system_alloc,
	.free = system_free,
	.log = system_log,
};

const struct strata_env *strata_env_system(void)
{
	return &system_env;
}

bool env_log(const struct strata_env *env, enum strata_log_level level, const char *module,
	     const char *line)
{
	if (env->log == system_log)
		return write_line(level, module, line);
	env->log(env->ctx, level, module, line);
	return true;
}

void env_complete(struct strata_env *env)
{
	if (env->random == NULL)
		env->random = system_random;
	/* Only as a pair: what one allocated the other's free would not know. */
	if (env->alloc == NULL || env->free == NULL) {
		env->alloc = system_alloc;
		env->free = system_free;
	}
	if (env->log == NULL)
		env->log = system_log;
}
