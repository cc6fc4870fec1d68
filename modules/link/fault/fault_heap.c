/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets on their way, in the order in which they are to come out. */
#include "fault_int.h"

#include <errno.h>

enum { HEAP_FIRST = 64 };

static bool earlier(const struct fault_entry *a, const struct fault_entry *b)
{
	return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static int grow(struct strata_stack *stack, struct fault_way *way)
{
	uint32_t room = way->room == 0 ? HEAP_FIRST : way->room * 2;
	struct fault_entry *heap = strata_alloc(stack, room * sizeof(*heap));

	if (heap == NULL)
		return -ENOMEM;
	if (way->count != 0)
		memcpy(heap, way->heap, way->count * sizeof(*heap));
	strata_free(stack, way->heap);
	way->heap = heap;
	way->room = room;
	return 0;
}

int fault_heap_push(struct strata_stack *stack, struct fault_way *way, struct fault_entry entry)
{
	uint32_t i = way->count;

	if (way->count == way->room && grow(stack, way) < 0)
		return -ENOMEM;
	entry.order = way->order++;
	way->count++;
	for (; i > 0 && earlier(&entry, &way->heap[(i - 1) / 2]); i = (i - 1) / 2)
		way->heap[i] = way->heap[(i - 1) / 2];
	way->heap[i] = entry;
	return 0;
}

struct fault_entry fault_heap_pop(struct fault_way *way)
{
	struct fault_entry first = way->heap[0], last = way->heap[--way->count];
	uint32_t i = 0, child;

	for (; (child = 2 * i + 1) < way->count; i = child) {
		if (child + 1 < way->count && earlier(&way->heap[child + 1], &way->heap[child]))
			child++;
		if (!earlier(&way->heap[child], &last))
			break;
		way->heap[i] = way->heap[child];
	}
	way->heap[i] = last;
	return first;
}

void fault_heap_clear(struct strata_stack *stack, struct fault_way *way)
{
	while (way->count != 0)
		strata_pkt_free(way->heap[--way->count].pkt);
	for (int slot = 0; slot < STRATA_REORDER_DEPTH; slot++) {
		strata_pkt_free(way->slots[slot]);
		way->slots[slot] = NULL;
	}
	strata_free(stack, way->heap);
	way->heap = NULL;
	way->room = 0;
}
