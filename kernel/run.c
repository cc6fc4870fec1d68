/* SPDX-License-Identifier: BSD-2-Clause */
/* Driving a stack from outside: frames in, time forward, and when to come back (<strata/embed.h>). */
#include "run.h"
#include "shard.h"

#include <errno.h>

/* Largest frame taken: a network packet of 65,535 bytes and a link header. */
#define FRAME_MAX 65550

void strata_stack_adopt(struct strata_stack *stack)
{
	kernel_of(stack)->owner = pthread_self();
}

uint64_t strata_wall_clock(struct strata_stack *stack)
{
	struct kernel *k = kernel_of(stack);

	if (k->env.wall_clock != NULL)
		return k->env.wall_clock(k->env.ctx);
	return k->env.now != NULL ? k->env.now(k->env.ctx) : k->pub.now;
}

/* A packet with a copy of the frame: linear as far as a large packet's buffer goes, then chunks. */
static struct strata_pkt *frame_to_pkt(struct strata_stack *stack, const void *frame,
				       uint32_t length)
{
	uint32_t linear = STRATA_PKT_LARGE - STRATA_HEADROOM;
	struct strata_pkt *pkt;

	pkt = strata_pkt_alloc(stack, STRATA_HEADROOM, length < linear ? length : linear);
	if (pkt == NULL)
		return NULL;
	if (strata_pkt_append(pkt, frame, length) == 0)
		return pkt;
	strata_pkt_free(pkt);
	return NULL;
}

static int input(struct strata_iface *iface, const void *frame, size_t length)
{
	const uint32_t up = STRATA_IFACE_UP | STRATA_IFACE_RUNNING;
	struct strata_pkt *pkt;

	if (length > FRAME_MAX)
		return -EMSGSIZE;
	if ((iface->flags & up) != up)
		return -ENETDOWN;
	pkt = frame_to_pkt(iface->stack, frame, (uint32_t)length);
	if (pkt == NULL) {
		iface->counters.rx_dropped++;
		return -ENOBUFS;
	}
	pkt->iface = iface;
	pkt->time = strata_now(iface->stack);
	strata_iface_input(iface, pkt);
	return 0;
}

int strata_input(struct strata_iface *iface, const void *frame, size_t length, uint64_t now)
{
	struct kernel *k = kernel_of(iface->stack);
	int result;

	kernel_enter(k);
	kernel_set_now(k, now);
	result = input(iface, frame, length);
	kernel_leave(k);
	return result;
}

int strata_input_batched(struct strata_iface *iface, const void *frame, size_t length, uint64_t now)
{
	struct kernel *k = kernel_of(iface->stack);
	int result;

	kernel_enter(k);
	kernel_set_now(k, now);
	result = input(iface, frame, length);
	kernel_leave_batched(k);
	return result;
}

uint64_t strata_next_timer(struct strata_stack *stack)
{
	struct kernel *k = kernel_of(stack);

	return work_pending(k) || k->dirty != NULL || k->calls != NULL || (k->shard != NULL && shard_pending(k)) ?
		k->pub.now : timer_next(k);
}

void strata_run(struct strata_stack *stack, uint64_t now)
{
	struct kernel *k = kernel_of(stack);

	kernel_enter(k);
	kernel_set_now(k, now);
	if (k->shard != NULL)
		shard_drain(k);
	timer_run(k);
	kernel_leave(k);
}
