/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The decisions of an imperfect link: rate and queue, chances, delays. Every draw comes from the one
 * seeded generator in a fixed order, so that the same frames meet the same faults. The burst model is
 * Gilbert's and Elliott's (Elliott 1963); the mark is RFC 3168's, section 5.
 */
#include "impair.h"

/* Local choice: packets in a queue that nobody has sized. */
#define QUEUE_DEFAULT 100
/* Families that have the ECN field, as EtherTypes, and where it is. */
#define TYPE_VERSION4 0x0800
#define TYPE_VERSION6 0x86dd
#define ECN_CE 3

uint64_t impair_random(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint64_t below(struct impair *impair, uint64_t bound)
{
	return impair_random(&impair->rng) % bound;
}

/* A chance of 0 or of certainty draws nothing. */
static bool chance(struct impair *impair, uint32_t ppm)
{
	if (ppm == 0 || ppm >= STRATA_PPM)
		return ppm != 0;
	return below(impair, STRATA_PPM) < ppm;
}

void impair_set(struct impair *impair, const struct strata_impairment *how)
{
	impair->how = *how;
	if (impair->how.reorder_depth > STRATA_REORDER_DEPTH)
		impair->how.reorder_depth = STRATA_REORDER_DEPTH;
	if (impair->how.queue_packets > STRATA_QUEUE_PACKETS)
		impair->how.queue_packets = STRATA_QUEUE_PACKETS;
	if (impair->how.queue_packets == 0 && impair->how.queue_bytes == 0)
		impair->how.queue_packets = QUEUE_DEFAULT;
	if (impair->how.corrupt_bits > STRATA_CORRUPT_BITS)
		impair->how.corrupt_bits = STRATA_CORRUPT_BITS;
	if (how->burst_enter == 0)
		impair->in_burst = false;
}

void impair_init(struct impair *impair, const struct strata_impairment *how, uint64_t seed,
		 uint32_t header)
{
	memset(impair, 0, sizeof(*impair));
	impair->rng = seed;
	impair->header = header;
	impair_set(impair, how);
}

/* ---- the rate and its queue ---- */

/* Bytes that are still to be sent at `now`. */
static uint64_t backlog(const struct impair *impair, uint64_t now)
{
	uint64_t wait = impair->busy > now ? impair->busy - now : 0;

	/* Seconds apart, so that no product overflows before 2^64 bits a second. */
	return wait / STRATA_SEC * (impair->how.rate / 8) +
	       wait % STRATA_SEC * (impair->how.rate / 8) / STRATA_SEC;
}

static bool queue_full(struct impair *impair, uint64_t now, uint32_t length)
{
	const struct strata_impairment *how = &impair->how;

	while (impair->queued != 0 && impair->leaving[impair->head] <= now) {
		impair->head = (impair->head + 1) % IMPAIR_RING;
		impair->queued--;
	}
	/* The packet on the line is in no queue. */
	if (how->queue_packets != 0 && impair->queued > how->queue_packets)
		return true;
	return how->queue_bytes != 0 && impair->busy > now &&
	       backlog(impair, now) + length > how->queue_bytes;
}

/* When a frame sent now is through with the line, `*mark` whether the queue is long; or STRATA_NEVER:
 * there is no room for it. */
static uint64_t leaves(struct impair *impair, uint64_t now, uint32_t length, bool *mark)
{
	const struct strata_impairment *how = &impair->how;

	if (how->rate == 0)
		return now;
	if (queue_full(impair, now, length))
		return STRATA_NEVER;
	*mark = how->mark_queue != 0 && backlog(impair, now) > how->mark_queue;
	if (impair->busy < now)
		impair->busy = now;
	impair->busy += (uint64_t)length * 8 * STRATA_SEC / how->rate;
	if (impair->queued < IMPAIR_RING)
		impair->leaving[(impair->head + impair->queued++) % IMPAIR_RING] =
			impair->busy;
	return impair->busy;
}

/* ---- losses ---- */

static enum impair_fate lost(struct impair *impair)
{
	const struct strata_impairment *how = &impair->how;

	if (how->burst_enter != 0) {
		if (chance(impair, impair->in_burst ? how->burst_leave : how->burst_enter))
			impair->in_burst = !impair->in_burst;
		if (impair->in_burst && (how->burst_loss == 0 || chance(impair, how->burst_loss)))
			return IMPAIR_BURST;
	}
	return chance(impair, how->loss) ? IMPAIR_LOST : IMPAIR_PASSED;
}

/* ---- when a copy arrives ---- */

static int take_slot(struct impair *impair)
{
	for (int slot = 0; slot < STRATA_REORDER_DEPTH; slot++) {
		if (impair->slots & UINT64_C(1) << slot)
			continue;
		impair->slots |= UINT64_C(1) << slot;
		impair->waits_for[slot] = (uint8_t)(1 + below(impair, impair->how.reorder_depth));
		return slot;
	}
	return -1;
}

void impair_expired(struct impair *impair, int slot)
{
	impair->slots &= ~(UINT64_C(1) << slot);
}

static void schedule(struct impair *impair, uint64_t left, struct impair_copy *copy)
{
	const struct strata_impairment *how = &impair->how;

	copy->slot = -1;
	copy->time = left + how->delay;
	if (how->jitter != 0)
		copy->time += below(impair, how->jitter + 1);
	if (how->bunch != 0)
		copy->time += (how->bunch - copy->time % how->bunch) % how->bunch;
	if (chance(impair, how->reorder)) {
		copy->reordered = true;
		if (how->reorder_depth != 0)
			copy->slot = take_slot(impair);
		copy->time += how->held != 0 ? how->held : 2 * how->delay + STRATA_MS;
		return;
	}
	if (how->jitter_reorders)
		return;
	if (copy->time < impair->latest)
		copy->time = impair->latest;
	impair->latest = copy->time;
}

/* A frame arrives at `time`: what waits to be overtaken by it has one less to wait for. */
static void overtake(struct impair *impair, uint64_t before, uint64_t time,
		     struct impair_result *out)
{
	for (; before != 0; before &= before - 1) {
		int slot = __builtin_ctzll(before);

		if (--impair->waits_for[slot] != 0)
			continue;
		impair_expired(impair, slot);
		out->released |= UINT64_C(1) << slot;
		out->release_time = time;
	}
}

/* ---- what arrives ---- */

static void damage(struct impair *impair, struct impair_copy *copy)
{
	const struct strata_impairment *how = &impair->how;
	unsigned int n = how->corrupt_bits != 0 ? how->corrupt_bits : 1;

	if (copy->length > 1 && chance(impair, how->truncate)) {
		copy->length = (uint32_t)(1 + below(impair, copy->length - 1));
		copy->truncated = true;
	}
	if (copy->length != 0 && chance(impair, how->corrupt))
		while (copy->flips < n)
			copy->flip[copy->flips++] =
				(uint32_t)below(impair, (uint64_t)copy->length * 8);
}

void impair_frame(struct impair *impair, uint64_t now, uint32_t length, struct impair_result *out)
{
	const struct strata_impairment *how = &impair->how;
	const uint64_t before = impair->slots;
	bool mark = false;
	uint64_t left;

	memset(out, 0, sizeof(*out));
	if (how->mtu != 0 && length > how->mtu + impair->header) {
		out->fate = IMPAIR_TOO_BIG;
		return;
	}
	left = leaves(impair, now, length, &mark);
	out->fate = left == STRATA_NEVER ? IMPAIR_QUEUE : lost(impair);
	if (out->fate != IMPAIR_PASSED)
		return;
	mark |= chance(impair, how->mark);
	out->copies = chance(impair, how->duplicate) ? 2 : 1;
	for (unsigned int i = 0; i < out->copies; i++) {
		struct impair_copy *copy = &out->copy[i];

		copy->length = length;
		copy->mark = mark;
		damage(impair, copy);
		schedule(impair, left, copy);
	}
	if (!out->copy[0].reordered)
		overtake(impair, before, out->copy[0].time, out);
}

/* ---- the bytes ---- */

/* Sets CE where the packet is ECN-capable. */
static bool set_ce(uint8_t *ip, uint32_t length)
{
	if (length >= 20 && ip[0] >> 4 == 4 && (ip[1] & ECN_CE) != 0 && (ip[1] & ECN_CE) != ECN_CE) {
		uint16_t before = strata_get_be16(ip);
		uint32_t sum;

		ip[1] |= ECN_CE;
		/* RFC 1624, eqn. 3 */
		sum = (uint32_t)(uint16_t)~strata_get_be16(ip + 10) + (uint16_t)~before +
		      strata_get_be16(ip);
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		strata_put_be16(ip + 10, (uint16_t)~sum);
		return true;
	}
	if (length >= 40 && ip[0] >> 4 == 6 && (ip[1] & 0x30) != 0 && (ip[1] & 0x30) != 0x30) {
		ip[1] |= 0x30;
		return true;
	}
	return false;
}

bool impair_apply(const struct impair *impair, const struct impair_copy *copy, uint8_t *bytes)
{
	uint16_t type = impair->header == 14 && copy->length >= 14 ? strata_get_be16(bytes + 12) : 0;
	bool network = impair->header == 0 || type == TYPE_VERSION4 || type == TYPE_VERSION6;
	bool marked = false;

	if (copy->mark && network && copy->length > impair->header)
		marked = set_ce(bytes + impair->header, copy->length - impair->header);
	for (unsigned int i = 0; i < copy->flips; i++)
		bytes[copy->flip[i] / 8] ^= (uint8_t)(1u << copy->flip[i] % 8);
	return marked;
}
