/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames under way. A line is one direction of a link: the impairment engine decides, the line keeps
 * the copies until they arrive. The heap orders all that is to happen by time and, among equals, by the
 * order in which it was begun, so a seed fixes the whole run.
 */
#ifndef SIM_LINE_H
#define SIM_LINE_H

#include "impair.h"

struct sim_frame {
	uint32_t length;
	uint32_t room;
	bool corrupted, truncated, collides;
	uint8_t bytes[];
};

struct sim_line {
	struct impair impair;
	void *owner;
	/* What waits in the engine's slots to be overtaken; and how often each slot was filled, by which a
	 * deadline knows whether it is still meant. */
	struct sim_frame *held[STRATA_REORDER_DEPTH];
	uint32_t filled[STRATA_REORDER_DEPTH];
};

enum sim_event_kind { SIM_EVENT_FRAME, SIM_EVENT_HELD, SIM_EVENT_CALL };

struct sim_event {
	uint64_t time, order;
	enum sim_event_kind kind;
	uint32_t filled;		/* HELD: of the slot */
	int slot;
	void *what;			/* FRAME: the frame; CALL: the argument */
	union {
		struct sim_line *line;
		void (*call)(void *arg);
	};
};

struct sim_heap {
	struct sim_event *events;
	size_t count, room;
	uint64_t order;
};

/* Returns 0 or -ENOMEM. */
int sim_heap_push(struct sim_heap *heap, struct sim_event event);
/* The earliest event; there must be one. */
struct sim_event sim_heap_pop(struct sim_heap *heap);
static inline uint64_t sim_heap_next(const struct sim_heap *heap)
{
	return heap->count != 0 ? heap->events[0].time : STRATA_NEVER;
}
/* Frees all, frames included. */
void sim_heap_clear(struct sim_heap *heap);

struct sim_frame *sim_frame_make(const void *bytes, size_t length);

/* Sends a frame: the copies that pass go into the heap, `*result` tells what became of it. `spoilt` is
 * called for each copy whose bytes were changed before it travels (NULL: not). 0 or -ENOMEM. */
int sim_line_send(struct sim_line *line, struct sim_heap *heap, uint64_t now, const void *bytes,
		  size_t length, struct impair_result *result, unsigned int *marked,
		  void (*spoilt)(void *ctx, struct sim_frame *frame), void *ctx);
/* The frame of an event of a line that is due, which the caller then owns; NULL where it has gone before. */
struct sim_frame *sim_line_event(const struct sim_event *event);
/* Frees what is held. */
void sim_line_clear(struct sim_line *line);

#endif
