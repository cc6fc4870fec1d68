/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers: a hierarchical wheel (Varghese, Lauck, "Hashed and Hierarchical Timing Wheels", SOSP
 * 1987, scheme 7) with a bitmap a level, so that what costs is timers, never the time between them.
 *
 * A tick is 2^16 ns. A timer sits on the level of the highest 6-bit digit in which its tick differs
 * from the wheel's position. So every timer of a level is due before all of the next one, and
 * within a level in the order of the slots.
 */
#include "kernel.h"

#include <assert.h>
#include <errno.h>

#define TICK_SHIFT 16
#define DIGIT_BITS 6
#define SLOTS (1u << DIGIT_BITS)
#define LEVELS 8
_Static_assert(TICK_SHIFT + DIGIT_BITS * LEVELS == 64, "the wheel spans all of time");

/* Local choice: timers looked at for an exact answer of timer_next() before the beginning of their
 * slot has to do. */
#define NEXT_SCAN 64

struct timer_wheel {
	uint64_t position;			/* tick up to which the wheel has turned */
	uint64_t begin;				/* no occupied slot begins before that tick */
	uint64_t occupied[LEVELS];		/* a bit a slot */
	struct strata_timer *slots[LEVELS][SLOTS];
	struct strata_timer *due;		/* taken off the wheel, about to fire */
};

static void list_insert(struct strata_timer **link, struct strata_timer *timer)
{
	timer->next = *link;
	timer->link = link;
	if (timer->next != NULL)
		timer->next->link = &timer->next;
	*link = timer;
}

static void wheel_insert(struct timer_wheel *wheel, struct strata_timer *timer)
{
	uint64_t tick = timer->deadline >> TICK_SHIFT, differ;
	unsigned int level = 0, slot;

	if (tick < wheel->position)
		tick = wheel->position;
	differ = tick ^ wheel->position;
	if (differ != 0)
		level = (63 - (unsigned int)__builtin_clzll(differ)) / DIGIT_BITS;
	slot = (unsigned int)(tick >> (level * DIGIT_BITS)) % SLOTS;
	list_insert(&wheel->slots[level][slot], timer);
	wheel->occupied[level] |= UINT64_C(1) << slot;
	tick &= UINT64_MAX << (level * DIGIT_BITS);
	if (tick < wheel->begin)
		wheel->begin = tick;
}

static void wheel_remove(struct timer_wheel *wheel, struct strata_timer *timer)
{
	struct strata_timer **first = &wheel->slots[0][0], **link = timer->link;

	*link = timer->next;
	timer->link = NULL;
	if (timer->next != NULL) {
		timer->next->link = link;
	} else if (link >= first && link < first + LEVELS * SLOTS && *link == NULL) {
		/* It was the last of its slot. */
		size_t index = (size_t)(link - first);

		wheel->occupied[index / SLOTS] &= ~(UINT64_C(1) << index % SLOTS);
	}
}

void strata_timer_start(struct strata_stack *stack, struct strata_timer *timer, uint64_t deadline)
{
	struct timer_wheel *wheel = kernel_of(stack)->timers;

	assert(timer->fire != NULL);
	if (timer->link != NULL)
		wheel_remove(wheel, timer);
	timer->deadline = deadline;
	wheel_insert(wheel, timer);
}

void strata_timer_stop(struct strata_stack *stack, struct strata_timer *timer)
{
	if (timer->link != NULL)
		wheel_remove(kernel_of(stack)->timers, timer);
}

/* The first occupied slot: `*level`, `*slot` and the tick it begins at. */
static bool wheel_first(const struct timer_wheel *wheel, unsigned int *level, unsigned int *slot,
			uint64_t *begin)
{
	unsigned int i, shift;

	for (i = 0; i < LEVELS && wheel->occupied[i] == 0; i++)
		;
	if (i == LEVELS)
		return false;
	*level = i;
	*slot = (unsigned int)__builtin_ctzll(wheel->occupied[i]);
	shift = i * DIGIT_BITS;
	*begin = ((wheel->position >> shift & ~(uint64_t)(SLOTS - 1)) | *slot) << shift;
	return true;
}

static struct strata_timer *wheel_take_slot(struct timer_wheel *wheel, unsigned int level,
					    unsigned int slot)
{
	struct strata_timer *list = wheel->slots[level][slot];

	wheel->slots[level][slot] = NULL;
	wheel->occupied[level] &= ~(UINT64_C(1) << slot);
	return list;
}

/* Turns the wheel to `tick`: a slot of a higher level that begins there comes down. */
static void wheel_cascade(struct timer_wheel *wheel, struct strata_timer *list, uint64_t tick)
{
	struct strata_timer *timer;

	wheel->position = tick;
	while ((timer = list) != NULL) {
		list = timer->next;
		wheel_insert(wheel, timer);
	}
}

/* Moves what is due at `now` from `list` to the end of the due timers, of which `*tail` is the last
 * link; the rest goes back on the wheel. */
static struct strata_timer **wheel_collect(struct timer_wheel *wheel, struct strata_timer *list,
					   uint64_t now, struct strata_timer **tail)
{
	struct strata_timer *timer, **end = tail;

	while ((timer = list) != NULL) {
		list = timer->next;
		if (timer->deadline > now) {
			wheel_insert(wheel, timer);
			continue;
		}
		/* Slots are filled at their head: turning them round fires the first started first. */
		list_insert(tail, timer);
		if (end == tail)
			end = &timer->next;
	}
	return end;
}

/* Turns the wheel to now: what is due comes off it. */
static void wheel_turn(struct timer_wheel *wheel, uint64_t now)
{
	uint64_t tick = now >> TICK_SHIFT, begin;
	struct strata_timer **tail = &wheel->due;
	unsigned int level, slot;

	while (*tail != NULL)
		tail = &(*tail)->next;
	wheel->begin = UINT64_MAX;
	while (wheel_first(wheel, &level, &slot, &begin) && begin <= tick) {
		struct strata_timer *list = wheel_take_slot(wheel, level, slot);

		if (level != 0) {
			wheel_cascade(wheel, list, begin);
			continue;
		}
		wheel->position = begin;
		tail = wheel_collect(wheel, list, now, tail);
		if (begin == tick)
			break;
	}
	if (wheel_first(wheel, &level, &slot, &begin))
		wheel->begin = begin;
	if (wheel->position < tick)
		wheel->position = tick;
}

void timer_run(struct kernel *k)
{
	struct timer_wheel *wheel = k->timers;
	uint64_t tick = k->pub.now >> TICK_SHIFT;
	struct strata_timer *timer;

	/* As in most batches: nothing is due, and nothing has to come down. */
	if (tick < wheel->begin) {
		if (wheel->position < tick)
			wheel->position = tick;
	} else {
		wheel_turn(wheel, k->pub.now);
	}
	/* Only now, off the wheel: a timer restarted for a time already past waits for the next run. */
	while ((timer = wheel->due) != NULL) {
		wheel_remove(wheel, timer);
		timer->fire(&k->pub, timer);
	}
}

uint64_t timer_next(struct kernel *k)
{
	struct timer_wheel *wheel = k->timers;
	const struct strata_timer *timer;
	uint64_t begin, first = STRATA_NEVER;
	unsigned int level, slot, scanned = 0;

	if (wheel->due != NULL)
		return k->pub.now;
	if (!wheel_first(wheel, &level, &slot, &begin))
		return STRATA_NEVER;
	begin <<= TICK_SHIFT;
	for (timer = wheel->slots[level][slot]; timer != NULL; timer = timer->next) {
		if (timer->deadline < first)
			first = timer->deadline;
		/* A slot that lies ahead is looked at again when it begins, in finer slots. One that has
		 * begun must give an exact answer, or the caller would spin until its end. */
		if (++scanned >= NEXT_SCAN && begin > k->pub.now)
			return begin < first ? begin : first;
	}
	return first;
}

int timer_init(struct kernel *k)
{
	k->timers = strata_alloc(&k->pub, sizeof(*k->timers));
	if (k->timers == NULL)
		return -ENOMEM;
	k->timers->position = k->pub.now >> TICK_SHIFT;
	return 0;
}

void timer_fini(struct kernel *k)
{
	struct timer_wheel *wheel = k->timers;
	unsigned int level, slot, left = 0;
	uint64_t begin;

	if (wheel == NULL)
		return;
	while (wheel_first(wheel, &level, &slot, &begin)) {
		struct strata_timer *timer = wheel_take_slot(wheel, level, slot);

		for (; timer != NULL; timer = timer->next)
			left++;
	}
	if (left != 0)
		strata_log(&k->pub, NULL, STRATA_LOG_ERROR, "%u timers were never stopped", left);
	strata_free(&k->pub, wheel);
	k->timers = NULL;
}
