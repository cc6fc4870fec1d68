/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames under way on lines, and the heap of what is to happen. */
#include "sim_line.h"

#include <errno.h>
#include <stdlib.h>

enum { HEAP_FIRST = 64 };

/* ---- the heap ---- */

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
	return a->time != b->time ? a->time < b->time : a->order < b->order;
}

int sim_heap_push(struct sim_heap *heap, struct sim_event event)
{
	size_t i = heap->count;

	if (heap->count == heap->room) {
		size_t room = heap->room == 0 ? HEAP_FIRST : heap->room * 2;
		struct sim_event *events = realloc(heap->events, room * sizeof(*events));

		if (events == NULL)
			return -ENOMEM;
		heap->events = events;
		heap->room = room;
	}
	event.order = heap->order++;
	heap->count++;
	for (; i > 0 && earlier(&event, &heap->events[(i - 1) / 2]); i = (i - 1) / 2)
		heap->events[i] = heap->events[(i - 1) / 2];
	heap->events[i] = event;
	return 0;
}

struct sim_event sim_heap_pop(struct sim_heap *heap)
{
	struct sim_event first = heap->events[0], last = heap->events[--heap->count];
	size_t i = 0, child;

	for (; (child = 2 * i + 1) < heap->count; i = child) {
		if (child + 1 < heap->count &&
		    earlier(&heap->events[child + 1], &heap->events[child]))
			child++;
		if (!earlier(&heap->events[child], &last))
			break;
		heap->events[i] = heap->events[child];
	}
	heap->events[i] = last;
	return first;
}

void sim_heap_clear(struct sim_heap *heap)
{
	for (size_t i = 0; i < heap->count; i++)
		if (heap->events[i].kind == SIM_EVENT_FRAME)
			free(heap->events[i].what);
	free(heap->events);
	memset(heap, 0, sizeof(*heap));
}

/* ---- lines ---- */

struct sim_frame *sim_frame_make(const void *bytes, size_t length)
{
	struct sim_frame *frame = malloc(sizeof(*frame) + length);

	if (frame == NULL)
		return NULL;
	memset(frame, 0, sizeof(*frame));
	frame->length = (uint32_t)length;
	frame->room = (uint32_t)length;
	memcpy(frame->bytes, bytes, length);
	return frame;
}

static int put(struct sim_line *line, struct sim_heap *heap, const struct impair_copy *copy,
	       struct sim_frame *frame)
{
	struct sim_event event = { .time = copy->time, .line = line, .kind = SIM_EVENT_FRAME,
				   .what = frame };

	if (copy->slot >= 0) {
		line->held[copy->slot] = frame;
		event.kind = SIM_EVENT_HELD;
		event.slot = copy->slot;
		event.filled = ++line->filled[copy->slot];
	}
	if (sim_heap_push(heap, event) == 0)
		return 0;
	if (copy->slot >= 0) {
		line->held[copy->slot] = NULL;
		impair_expired(&line->impair, copy->slot);
	}
	free(frame);
	return -ENOMEM;
}

static int release(struct sim_line *line, struct sim_heap *heap, const struct impair_result *result)
{
	int error = 0;

	for (uint64_t left = result->released; left != 0; left &= left - 1) {
		int slot = __builtin_ctzll(left);
		struct sim_event event = { .time = result->release_time, .line = line,
					   .kind = SIM_EVENT_FRAME, .what = line->held[slot] };

		line->held[slot] = NULL;
		if (sim_heap_push(heap, event) < 0) {
			free(event.what);
			error = -ENOMEM;
		}
	}
	return error;
}

int sim_line_send(struct sim_line *line, struct sim_heap *heap, uint64_t now, const void *bytes,
		  size_t length, struct impair_result *result, unsigned int *marked,
		  void (*spoilt)(void *ctx, struct sim_frame *frame), void *ctx)
{
	int error = 0;

	*marked = 0;
	impair_frame(&line->impair, now, (uint32_t)length, result);
	for (unsigned int i = 0; i < result->copies; i++) {
		const struct impair_copy *copy = &result->copy[i];
		struct sim_frame *frame = sim_frame_make(bytes, length);

		if (frame == NULL) {
			if (copy->slot >= 0)
				impair_expired(&line->impair, copy->slot);
			error = -ENOMEM;
			continue;
		}
		frame->length = copy->length;
		frame->truncated = copy->truncated;
		frame->corrupted = copy->flips != 0;
		*marked += impair_apply(&line->impair, copy, frame->bytes);
		if (spoilt != NULL && frame->corrupted)
			spoilt(ctx, frame);
		if (put(line, heap, copy, frame) < 0)
			error = -ENOMEM;
	}
	if (result->released != 0 && release(line, heap, result) < 0)
		error = -ENOMEM;
	return error;
}

struct sim_frame *sim_line_event(const struct sim_event *event)
{
	struct sim_line *line = event->line;
	struct sim_frame *frame;

	if (event->kind == SIM_EVENT_FRAME)
		return event->what;
	if (line->held[event->slot] == NULL || line->filled[event->slot] != event->filled)
		return NULL;
	frame = line->held[event->slot];
	line->held[event->slot] = NULL;
	impair_expired(&line->impair, event->slot);
	return frame;
}

void sim_line_clear(struct sim_line *line)
{
	for (int slot = 0; slot < STRATA_REORDER_DEPTH; slot++) {
		free(line->held[slot]);
		line->held[slot] = NULL;
	}
}
