/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the fault module share among themselves. */
#ifndef FAULT_INT_H
#define FAULT_INT_H

#include <strata/iface.h>
#include <strata/stack.h>
#include <strata/timer.h>

#include "impair.h"

/** Options of one direction, as they stand in the manifest. */
struct fault_way_config {
	uint64_t delay, jitter, held, bunch;			/* ns */
	uint64_t rate, queue_packets, queue_bytes, mark_queue;
	uint64_t loss, burst_enter, burst_leave, burst_loss;	/* ppm */
	uint64_t duplicate, reorder, corrupt, truncate, mark;	/* ppm */
	uint64_t reorder_depth, corrupt_bits;
	bool jitter_reorders;
};

/** Options of an interface. */
struct fault_config {
	const char *over;
	uint64_t seed, limit;
	struct fault_way_config rx, tx;
};

/** A packet on its way. In a slot of the engine's: its entry is the latest time, and stale once `filled`
 *  is no longer the slot's. */
struct fault_entry {
	uint64_t time, order;
	struct strata_pkt *pkt;		/* NULL: look in the slot */
	uint32_t filled;
	int slot;
};

/** One direction of an interface. */
struct fault_way {
	struct impair impair;
	bool out;
	struct fault_entry *heap;	/* ordered by time, then by order */
	uint32_t count, room;
	uint64_t order;
	struct strata_pkt *slots[STRATA_REORDER_DEPTH];
	uint32_t filled[STRATA_REORDER_DEPTH];
};

struct fault {
	struct strata_iface *iface;
	struct fault_way rx, tx;
	struct strata_timer timer;
	uint8_t *flat;			/* a frame in one piece, to be changed */
};

enum fault_counter {
	FAULT_COUNTER_PASSED,
	FAULT_COUNTER_DUPLICATED,
	FAULT_COUNTER_REORDERED,
	FAULT_COUNTER_CORRUPTED,
	FAULT_COUNTER_TRUNCATED,
	FAULT_COUNTER_MARKED,
	FAULT_COUNTERS,
};

/* ---- fault_heap.c ---- */

/* Adds an entry. Returns 0 or -ENOMEM. */
int fault_heap_push(struct strata_stack *stack, struct fault_way *way, struct fault_entry entry);
/* Takes the earliest off; there must be one. */
struct fault_entry fault_heap_pop(struct fault_way *way);
/* Frees all packets under way, and the heap. */
void fault_heap_clear(struct strata_stack *stack, struct fault_way *way);
static inline uint64_t fault_heap_next(const struct fault_way *way)
{
	return way->count != 0 ? way->heap[0].time : STRATA_NEVER;
}

/* ---- fault_options.c ---- */

/* Three of the interface, and the same for each direction. */
enum { FAULT_WAY_OPTIONS = 20, FAULT_OPTIONS = 3 + 2 * FAULT_WAY_OPTIONS };
extern const struct strata_option fault_options[FAULT_OPTIONS];
/* The options of a direction in the engine's words. */
struct strata_impairment fault_impairment(const struct fault_way_config *config);

#endif
