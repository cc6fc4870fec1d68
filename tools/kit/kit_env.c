/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The environment in which modules are tested: virtual time, chance from a seed, and memory in which every
 * block ends at a page that cannot be touched, and stays untouchable for long after it was given back. So
 * whoever reads beyond a block, or uses or frees it twice, is caught in the act.
 */
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "kit.h"

/* Local choices: address space enough that a page is used again only long after; and a bound on live
 * blocks below the system's on mappings (65,530). */
#define ARENA_PAGES (UINT32_C(1) << 18)
#define PAGE UINT32_C(4096)
#define BLOCKS_MOST 24000
#define FRAMES_MOST 48

enum page_state { PAGE_NEVER, PAGE_FIRST, PAGE_MORE, PAGE_FREED };

struct page {
	uint8_t state;
	uint32_t span;			/* of the first: pages of the block */
	uint32_t size;			/* of the block */
	uint64_t number;		/* of the call that made it */
	const struct kit_env *owner;
};

struct arena {
	uint8_t *base;
	uint32_t next;			/* where the next block is looked for */
	struct page pages[ARENA_PAGES];
};

/* A signal handler and blocks of several stacks find it here; one check runs in a process. */
static struct arena *arena;
static struct kit *crashing;

/* ---- chance ---- */

uint64_t kit_random(uint64_t *state)
{
	/* splitmix64, Steele, Lea, Flood 2014 */
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* ---- places in the module ---- */

/* Whether an object is the subject: by where its descriptor is, or while it is not held open by name. (What
 * was loaded by descriptor, as root, has none.) */
static bool is_subject(const struct kit *kit, const char *base, const Dl_info *object)
{
	const char *name = object->dli_fname != NULL ? strrchr(object->dli_fname, '/') : NULL;
	Dl_info own;

	if (kit->module != NULL && dladdr(kit->module, &own) != 0)
		return own.dli_fbase == object->dli_fbase;
	return name != NULL && (strcmp(name, base) == 0 ||
				strncmp(object->dli_fname, "/proc/self/fd/", 14) == 0);
}

/* The first of the frames that lies in the subject: "rudp.so+0x1a2b". False: none does. */
static bool place_of(const struct kit *kit, void *const *frames, int count, char *buf, size_t size)
{
	const char *base = strrchr(kit->subject->path, '/');
	Dl_info info;
	int i;

	if (base == NULL)
		return false;
	for (i = 0; i < count; i++) {
		if (dladdr(frames[i], &info) == 0 || !is_subject(kit, base, &info))
			continue;
		snprintf(buf, size, "%s+0x%zx", base + 1,
			 (size_t)((uint8_t *)frames[i] - (uint8_t *)info.dli_fbase));
		return true;
	}
	return false;
}

static void trap(struct kit_env *env)
{
	void *frames[FRAMES_MOST];

	place_of(env->kit, frames, backtrace(frames, FRAMES_MOST), env->trapped, sizeof(env->trapped));
}

/* ---- blocks ---- */

static void make_arena(void)
{
	arena = mmap(NULL, sizeof(*arena), PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena == MAP_FAILED)
		abort();
	arena->base = mmap(NULL, (size_t)ARENA_PAGES * PAGE, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (arena->base == MAP_FAILED)
		abort();
}

static bool is_live(const struct page *page)
{
	return page->state == PAGE_FIRST || page->state == PAGE_MORE;
}

/* `span` pages and one to guard them, none of them live. Returns the first, or ARENA_PAGES. */
static uint32_t find_pages(uint32_t span)
{
	uint32_t from = arena->next, run = 0, looked;

	for (looked = 0; looked < 2 * ARENA_PAGES; looked++) {
		if (from + run >= ARENA_PAGES) {
			from = 0;
			run = 0;
		}
		if (is_live(&arena->pages[from + run])) {
			from += run + 1;
			run = 0;
		} else if (++run == span + 1) {
			arena->next = from + span + 1 < ARENA_PAGES ? from + span + 1 : 0;
			return from;
		}
	}
	return ARENA_PAGES;
}

static void *block_make(struct kit_env *env, size_t size, size_t align)
{
	size_t rounded = (size + align - 1) / align * align;
	uint32_t span = (uint32_t)((rounded + PAGE - 1) / PAGE), first, i;
	uint8_t *start;

	if (span == 0)
		span = 1;
	if (size > (size_t)ARENA_PAGES / 4 * PAGE)
		return NULL;
	first = find_pages(span);
	if (first == ARENA_PAGES)
		return NULL;
	start = arena->base + (size_t)first * PAGE;
	if (mprotect(start, (size_t)span * PAGE, PROT_READ | PROT_WRITE) < 0)
		return NULL;
	for (i = 0; i < span; i++)
		arena->pages[first + i] = (struct page){ .state = i == 0 ? PAGE_FIRST : PAGE_MORE };
	arena->pages[first].span = span;
	arena->pages[first].size = (uint32_t)size;
	arena->pages[first].number = env->allocs;
	arena->pages[first].owner = env;
	start += (size_t)span * PAGE - rounded;
	/* The environment need not zero: what is not zero shows who relied on it. */
	memset(start, env->fill, rounded);
	return start;
}

static void complain(struct kit_env *env, const char *what, size_t size)
{
	kit_fault(env->kit, NULL, "each block is given back once, as what it was allocated",
		  "gives back %zu bytes of memory that %s", size, what);
}

static void block_end(struct kit_env *env, void *ptr, size_t size, size_t align)
{
	size_t rounded = (size + align - 1) / align * align, offset = (size_t)((uint8_t *)ptr - arena->base);
	/* Of a block without bytes the pointer is the guard's. */
	uint32_t span = (uint32_t)((rounded + PAGE - 1) / PAGE), i;
	uint32_t first = (uint32_t)(offset / PAGE) - (rounded == 0);
	struct page *page = &arena->pages[first < ARENA_PAGES ? first : 0];
	const uint8_t *slack = (uint8_t *)ptr + size;

	if (span == 0)
		span = 1;
	if (first >= ARENA_PAGES || page->state != PAGE_FIRST || page->owner != env) {
		complain(env, "is not allocated, or was given back before", size);
		return;
	}
	if (page->size != size) {
		complain(env, "was allocated with another size", size);
		span = page->span;
	} else {
		while (slack < (uint8_t *)ptr + rounded && *slack == env->fill)
			slack++;
		if (slack < (uint8_t *)ptr + rounded)
			complain(env, "was written to beyond its end", size);
	}
	env->blocks--;
	env->bytes -= page->size;
	for (i = 0; i < span; i++)
		arena->pages[first + i].state = PAGE_FREED;
	mmap(arena->base + (size_t)first * PAGE, (size_t)span * PAGE, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

static void *block_account(struct kit_env *env, void *block, size_t size)
{
	if (block == NULL)
		return NULL;
	env->blocks++;
	env->bytes += size;
	if (env->bytes > env->peak)
		env->peak = env->bytes;
	return block;
}

void *kit_env_tight(struct kit_env *env, size_t size)
{
	return block_account(env, block_make(env, size, 1), size);
}

void kit_env_release(struct kit_env *env, void *ptr, size_t size)
{
	if (ptr != NULL)
		block_end(env, ptr, size, 1);
}

uint64_t kit_env_oldest(const struct kit_env *env, size_t *size)
{
	uint64_t oldest = 0;
	uint32_t i;

	for (i = 0; i < ARENA_PAGES; i++) {
		const struct page *page = &arena->pages[i];

		if (page->state == PAGE_FIRST && page->owner == env &&
		    (oldest == 0 || page->number < oldest)) {
			oldest = page->number;
			*size = page->size;
		}
	}
	return oldest;
}

/* ---- the environment ---- */

static uint64_t env_now(void *ctx)
{
	return ((struct kit_env *)ctx)->now;
}

static int env_random(void *ctx, void *buf, size_t len)
{
	struct kit_env *env = ctx;
	uint8_t *out = buf;
	size_t i;

	for (i = 0; i < len; i++)
		out[i] = (uint8_t)kit_random(&env->rng);
	return 0;
}

static void *env_alloc(void *ctx, size_t size)
{
	struct kit_env *env = ctx;

	env->allocs++;
	if (env->allocs == env->trap)
		trap(env);
	if (env->fail_at != 0 &&
	    (env->allocs == env->fail_at || (env->forever && env->allocs > env->fail_at))) {
		env->failed++;
		return NULL;
	}
	if (env->blocks >= BLOCKS_MOST)
		return NULL;
	return block_account(env, block_make(env, size, 16), size);
}

static void env_free(void *ctx, void *ptr, size_t size)
{
	if (ptr != NULL)
		block_end(ctx, ptr, size, 16);
}

static void env_log(void *ctx, enum strata_log_level level, const char *module, const char *line)
{
	struct kit_env *env = ctx;

	if (level == STRATA_LOG_ERROR && env->complaint[0] == '\0')
		snprintf(env->complaint, sizeof(env->complaint), "%s: %s", module, line);
}

struct strata_env kit_env_make(struct kit_env *env)
{
	if (arena == NULL)
		make_arena();
	return (struct strata_env){
		.ctx = env, .now = env_now, .wall_clock = env_now, .random = env_random,
		.alloc = env_alloc, .free = env_free, .log = env_log, .uncached = true,
	};
}

void kit_env_fail(struct kit_env *env, uint64_t k, bool forever)
{
	env->fail_at = k != 0 ? env->allocs + k : 0;
	env->forever = forever;
}

/* ---- crashes ---- */

/* What is at the address that could not be touched. */
static void describe_address(const uint8_t *at, char *buf, size_t size)
{
	size_t offset = (size_t)(at - (arena != NULL ? arena->base : at));
	uint32_t page = (uint32_t)(offset / PAGE);

	if (arena == NULL || at < arena->base || offset / PAGE >= ARENA_PAGES)
		snprintf(buf, size, "touched address %p", (const void *)at);
	else if (arena->pages[page].state == PAGE_FREED)
		snprintf(buf, size, "touched memory that it had given back: a packet or block used after it "
			 "was consumed or freed, or freed twice");
	else
		snprintf(buf, size, "went beyond the end of a packet or block");
}

static void crashed(int number, siginfo_t *info, void *context)
{
	struct kit_result *result = crashing->result;
	char what[200] = "", place[160] = "";
	void *frames[FRAMES_MOST];
	int count = backtrace(frames, FRAMES_MOST);

	(void)context;
	if (number == SIGSEGV || number == SIGBUS)
		describe_address(info->si_addr, what, sizeof(what));
	if (place_of(crashing, frames, count, place, sizeof(place)))
		snprintf(result->crash, sizeof(result->crash), "%s%sin %s (addr2line -e %.200s %s)", what,
			 what[0] != '\0' ? ", " : "", place, crashing->subject->path,
			 strchr(place, '+') + 1);
	else
		snprintf(result->crash, sizeof(result->crash), "%s", what);
	signal(number, SIG_DFL);
	raise(number);
}

void kit_env_catch_crashes(struct kit *kit)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
	struct sigaction action = { .sa_sigaction = crashed,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	stack_t stack = { .ss_size = 256 * 1024 };
	void *frames[1];
	size_t i;

	crashing = kit;
	/* The first call loads a library, which a signal handler must not. */
	backtrace(frames, 1);
	stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack.ss_sp != MAP_FAILED)
		sigaltstack(&stack, NULL);
	for (i = 0; i < STRATA_COUNT(numbers); i++)
		sigaction(numbers[i], &action, NULL);
}
