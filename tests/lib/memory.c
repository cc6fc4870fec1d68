/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The environment that fixtures give their stacks: virtual time, a seeded generator, an allocator that
 * counts, can fail, and checks what is given back, and a log that tests can read.
 */
#include "fixture_int.h"

#define BLOCK_MAGIC UINT64_C(0x5354524154414d45)
enum { REPORT_MOST = 8 };

/* In front of each allocation; keeps its alignment of 16. */
struct fx_block {
	struct fx_block *next, **link;
	uint64_t magic;
	uint64_t number;		/* of the call, from 1: what fx_fail_at() counts */
	size_t size;
	size_t reserved;
};
_Static_assert(sizeof(struct fx_block) % 16 == 0, "keeps the alignment");

uint64_t fx_random(uint64_t *state)
{
	/* splitmix64, Steele, Lea, Flood 2014 */
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t env_now(void *ctx)
{
	return ((struct fixture *)ctx)->now;
}

static int env_random(void *ctx, void *buf, size_t len)
{
	struct fixture *fx = ctx;
	uint8_t *out = buf;

	if (fx->config.random_fails)
		return -EIO;
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)fx_random(&fx->rng);
	return 0;
}

static void *env_alloc(void *ctx, size_t size)
{
	struct fixture *fx = ctx;
	struct fx_block *block;

	fx->allocs++;
	if (fx->fail_at != 0 && (fx->allocs == fx->fail_at ||
				 (fx->fail_forever && fx->allocs > fx->fail_at))) {
		fx->failed++;
		return NULL;
	}
	block = malloc(sizeof(*block) + size);
	if (block == NULL)
		return NULL;
	*block = (struct fx_block){ .next = fx->held, .link = &fx->held, .magic = BLOCK_MAGIC,
				    .number = fx->allocs, .size = size };
	if (block->next != NULL)
		block->next->link = &block->next;
	fx->held = block;
	fx->blocks++;
	fx->bytes += size;
	/* The environment need not zero: what is not zero shows who relied on it. */
	memset(block + 1, 0xa5, size);
	return block + 1;
}

static void env_free(void *ctx, void *ptr, size_t size)
{
	struct fixture *fx = ctx;
	struct fx_block *block = (struct fx_block *)ptr - 1;

	if (ptr == NULL)
		return;
	if (block->magic != BLOCK_MAGIC || block->size != size) {
		fprintf(stderr, "free of %p as %zu bytes: %s\n", ptr, size,
			block->magic != BLOCK_MAGIC ? "not allocated, or twice freed"
						    : "allocated with another size");
		abort();
	}
	*block->link = block->next;
	if (block->next != NULL)
		block->next->link = block->link;
	fx->blocks--;
	fx->bytes -= size;
	block->magic = 0;
	memset(ptr, 0x5a, size);
	free(block);
}

static void env_log(void *ctx, enum strata_log_level level, const char *module, const char *line)
{
	static const char *const names[] = {
		[STRATA_LOG_ERROR] = "error", [STRATA_LOG_WARNING] = "warning",
		[STRATA_LOG_INFO] = "info", [STRATA_LOG_DEBUG] = "debug",
	};
	struct fixture *fx = ctx;
	size_t more = strlen(module) + strlen(line) + 16;
	char *log = realloc(fx->log, fx->log_len + more);

	if (log == NULL)
		abort();
	fx->log = log;
	fx->log_len += (size_t)snprintf(log + fx->log_len, more, "%s %s: %s\n", names[level], module,
					line);
	if (getenv("STRATA_TEST_LOG") != NULL)
		fprintf(stderr, "%12.6f %s %s: %s\n", (double)fx->now / 1e9, names[level], module, line);
}

struct strata_env fx_environment(struct fixture *fx)
{
	return (struct strata_env){
		.ctx = fx,
		.now = env_now,
		.wall_clock = env_now,
		.random = env_random,
		.alloc = env_alloc,
		.free = env_free,
		.log = env_log,
		.uncached = fx->config.uncached,
	};
}

void fx_memory_report(const struct fixture *fx)
{
	unsigned int n = 0;

	for (const struct fx_block *b = fx->held; b != NULL && n < REPORT_MOST; b = b->next, n++)
		fprintf(stderr, "  held: allocation %llu, %zu bytes\n", (unsigned long long)b->number,
			b->size);
}

void fx_fail_at(struct fixture *fx, uint64_t k, bool forever)
{
	fx->fail_at = k == 0 ? 0 : fx->allocs + k;
	fx->fail_forever = forever;
}

bool fx_logged(const struct fixture *fx, const char *text)
{
	return fx->log != NULL && strstr(fx->log, text) != NULL;
}
