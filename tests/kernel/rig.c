/* SPDX-License-Identifier: BSD-2-Clause */
/* See rig.h. */
#include "rig.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t rig_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t rig_below(uint64_t *state, uint32_t bound)
{
	return (uint32_t)(rig_random(state) % bound);
}

static uint64_t rig_now(void *ctx)
{
	return ((struct rig *)ctx)->now;
}

static int rig_entropy(void *ctx, void *buf, size_t len)
{
	struct rig *rig = ctx;
	uint8_t *to = buf;

	if (rig->random_fails)
		return -EIO;
	while (len-- != 0)
		*to++ = (uint8_t)rig_random(&rig->seed);
	return 0;
}

static void *rig_alloc(void *ctx, size_t size)
{
	struct rig *rig = ctx;
	void *ptr;

	rig->allocs++;
	if (rig->fail_at != 0 &&
	    (rig->allocs == rig->fail_at || (rig->fail_forever && rig->allocs > rig->fail_at)))
		return NULL;
	ptr = malloc(size);
	assert_non_null(ptr);
	memset(ptr, 0xa5, size);
	rig->blocks++;
	rig->bytes += size;
	return ptr;
}

static void rig_free(void *ctx, void *ptr, size_t size)
{
	struct rig *rig = ctx;

	assert_true(rig->blocks != 0 && rig->bytes >= size);
	rig->blocks--;
	rig->bytes -= size;
	memset(ptr, 0x5a, size);
	free(ptr);
}

static void rig_log(void *ctx, enum strata_log_level level, const char *module, const char *line)
{
	struct rig *rig = ctx;
	size_t used = strlen(rig->log);

	(void)level;
	snprintf(rig->log + used, sizeof(rig->log) - used, "%s: %s\n", module, line);
}

int rig_open(struct rig *rig)
{
	static int (*const inits[])(struct kernel *k) = {
		mem_init, drop_init, random_init, timer_init, mem_rest_init, work_init, trace_init,
		pkt_init,
	};
	size_t i;

	rig->stack = &rig->k.pub;
	rig->k.owner = pthread_self();
	rig->k.env = (struct strata_env){
		.ctx = rig, .now = rig->clock ? rig_now : NULL, .random = rig_entropy,
		.alloc = rig_alloc, .free = rig_free, .log = rig_log,
		.uncached = rig->uncached,
	};
	rig->k.settings.log_level = STRATA_LOG_INFO;
	for (i = 0; i < STRATA_COUNT(inits); i++) {
		int result = inits[i](&rig->k);

		if (result != 0) {
			rig_fini(rig);
			return result;
		}
	}
	return 0;
}

void rig_fini(struct rig *rig)
{
	struct kernel *k = &rig->k;

	loop_fini(k);
	if (k->mem == NULL)
		return;
	pkt_fini(k);
	trace_fini(k);
	work_fini(k);
	mem_rest_fini(k);
	timer_fini(k);
	random_fini(k);
	drop_fini(k);
	mem_fini(k);
}

void rig_close(struct rig *rig)
{
	rig_fini(rig);
	assert_string_equal(rig->log, "");
	assert_int_equal(rig->blocks, 0);
	assert_int_equal(rig->bytes, 0);
}

void rig_starve(struct rig *rig, bool starve)
{
	rig->fail_at = starve ? rig->allocs + 1 : 0;
	rig->fail_forever = starve;
}
