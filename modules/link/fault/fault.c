/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An imperfect link on a live interface: an interface that stands on another and does to each packet
 * between them what the simulator's links do, by the same engine (impair.c).
 */
#include "fault_int.h"

#include <errno.h>
#include <strata/trace.h>

/* The largest frame and the longest link header. */
#define FLAT_SIZE (STRATA_PKT_MAX + STRATA_HEADROOM)

static const struct strata_counter_def fault_counters[] = {
	[FAULT_COUNTER_PASSED] = { "passed", "packets that went on, copies included", NULL },
	[FAULT_COUNTER_DUPLICATED] = { "duplicated", "packets that came twice", NULL },
	[FAULT_COUNTER_REORDERED] = { "reordered", "packets held back to be overtaken", NULL },
	[FAULT_COUNTER_CORRUPTED] = { "corrupted", "packets with flipped bits", NULL },
	[FAULT_COUNTER_TRUNCATED] = { "truncated", "packets that lost a part of their end", NULL },
	[FAULT_COUNTER_MARKED] = { "marked", "packets marked as having met congestion", NULL },
};
_Static_assert(STRATA_COUNT(fault_counters) == FAULT_COUNTERS, "a definition for each counter");

enum fault_drop {
#define X(symbol, text, severity, mib) FAULT_DROP_##symbol,
#include "fault_drops.def"
#undef X
};

static const struct strata_drop_def fault_drops[] = {
#define X STRATA_DROP_DEF
#include "fault_drops.def"
#undef X
};

static const enum fault_drop fault_fates[] = {
	[IMPAIR_LOST] = FAULT_DROP_LOST,
	[IMPAIR_BURST] = FAULT_DROP_BURST,
	[IMPAIR_QUEUE] = FAULT_DROP_QUEUE_FULL,
	/* No MTU is set: the interface itself has one. */
	[IMPAIR_TOO_BIG] = FAULT_DROP_QUEUE_FULL,
};
_Static_assert(STRATA_COUNT(fault_fates) == IMPAIR_FATES, "a reason for each fate");

static void fault_discard(struct fault *fault, const struct fault_way *way, struct strata_pkt *pkt,
			  enum fault_drop reason)
{
	if (way->out)
		fault->iface->counters.tx_dropped++;
	else
		fault->iface->counters.rx_dropped++;
	strata_drop(fault->iface->driver, pkt, reason);
}

/* ---- what comes out ---- */

static void fault_go_on(struct fault *fault, const struct fault_way *way, struct strata_pkt *pkt)
{
	strata_count(fault->iface->driver, FAULT_COUNTER_PASSED, 1);
	if (way->out)
		strata_iface_xmit(fault->iface->lower, pkt);
	else
		strata_iface_input(fault->iface, pkt);
}

static void fault_come_out(struct fault *fault, struct fault_way *way, uint64_t now)
{
	while (fault_heap_next(way) <= now) {
		struct fault_entry entry = fault_heap_pop(way);

		if (entry.pkt == NULL) {
			if (way->slots[entry.slot] == NULL || way->filled[entry.slot] != entry.filled)
				continue;
			entry.pkt = way->slots[entry.slot];
			way->slots[entry.slot] = NULL;
			impair_expired(&way->impair, entry.slot);
		}
		fault_go_on(fault, way, entry.pkt);
	}
}

static void fault_set_timer(struct fault *fault)
{
	uint64_t rx = fault_heap_next(&fault->rx), tx = fault_heap_next(&fault->tx);

	if (rx == STRATA_NEVER && tx == STRATA_NEVER)
		strata_timer_stop(fault->iface->stack, &fault->timer);
	else
		strata_timer_start(fault->iface->stack, &fault->timer, rx < tx ? rx : tx);
}

static void fault_due(struct strata_stack *stack, struct strata_timer *timer)
{
	struct fault *fault = strata_container_of(timer, struct fault, timer);

	fault_come_out(fault, &fault->rx, strata_now(stack));
	fault_come_out(fault, &fault->tx, strata_now(stack));
	fault_set_timer(fault);
}

/* ---- what goes in ---- */

/* The packet with its bytes changed, in memory of its own: fragments may be those of a send queue.
 * Consumes. Returns NULL, having dropped it, when memory is short. */
static struct strata_pkt *fault_change(struct fault *fault, struct fault_way *way,
				       struct strata_pkt *pkt, const struct impair_copy *copy)
{
	uint32_t length = strata_pkt_read(pkt, 0, fault->flat, FLAT_SIZE);
	struct strata_pkt *changed = strata_pkt_alloc(fault->iface->stack, STRATA_HEADROOM,
						      STRATA_PKT_LARGE - STRATA_HEADROOM);

	if (impair_apply(&way->impair, copy, fault->flat))
		strata_count(fault->iface->driver, FAULT_COUNTER_MARKED, 1);
	if (changed == NULL || strata_pkt_append(changed, fault->flat, length) < 0) {
		strata_pkt_free(changed);
		fault_discard(fault, way, pkt, FAULT_DROP_NO_MEMORY);
		return NULL;
	}
	changed->flags = pkt->flags;
	changed->family = pkt->family;
	changed->time = pkt->time;
	changed->trace_id = pkt->trace_id;
	strata_pkt_free(pkt);
	return changed;
}

/* Gives a copy its faults. Consumes. Returns what travels, or NULL. */
static struct strata_pkt *fault_spoil(struct fault *fault, struct fault_way *way,
				      struct strata_pkt *pkt, const struct impair_copy *copy)
{
	struct strata_instance *self = fault->iface->driver;

	strata_count(self, FAULT_COUNTER_REORDERED, copy->reordered);
	strata_count(self, FAULT_COUNTER_TRUNCATED, copy->truncated);
	strata_count(self, FAULT_COUNTER_CORRUPTED, copy->flips != 0);
	if (copy->truncated || copy->flips != 0) {
		/* What a device has verified it verified before, and what is open it would close. */
		strata_pkt_csum_complete(pkt);
		pkt->csum = STRATA_CSUM_NONE;
	}
	if (copy->truncated)
		strata_pkt_trim(pkt, copy->length);
	if (copy->flips != 0 || copy->truncated || copy->mark)
		strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_FLAGS("faults",
				    (copy->flips != 0 ? 1u : 0) | (copy->truncated ? 2u : 0) |
				    (copy->mark ? 4u : 0), "corrupted truncated marked"),
				    STRATA_FIELD_UINT("bits", copy->flips)), "%s", "");
	if (copy->flips == 0 && !copy->mark)
		return pkt;
	return fault_change(fault, way, pkt, copy);
}

/* Puts a copy on its way. Consumes. */
static void fault_travel(struct fault *fault, struct fault_way *way, struct strata_pkt *pkt,
			 const struct impair_copy *copy)
{
	const struct fault_config *config = fault->iface->config;
	struct fault_entry entry = { .time = copy->time, .pkt = pkt, .slot = copy->slot };

	if (copy->time <= strata_now(fault->iface->stack) && copy->slot < 0 && way->count == 0) {
		fault_go_on(fault, way, pkt);
		return;
	}
	strata_trace_fields(fault->iface->driver, pkt, STRATA_FIELDS(
			    STRATA_FIELD_TIME("delay", copy->time > strata_now(fault->iface->stack) ?
				copy->time - strata_now(fault->iface->stack) : 0)),
			    "%s", copy->slot >= 0 ? "held back, to be overtaken" : "held back");
	if (copy->slot >= 0) {
		entry.pkt = NULL;
		entry.filled = ++way->filled[copy->slot];
	}
	if (way->count >= config->limit ||
	    fault_heap_push(fault->iface->stack, way, entry) < 0) {
		if (copy->slot >= 0)
			impair_expired(&way->impair, copy->slot);
		fault_discard(fault, way, pkt, way->count >= config->limit ? FAULT_DROP_HELD_FULL :
					       FAULT_DROP_NO_MEMORY);
		return;
	}
	if (copy->slot >= 0)
		way->slots[copy->slot] = pkt;
}

/* What enough others have overtaken comes out behind the last of them. */
static void fault_release(struct fault *fault, struct fault_way *way,
			  const struct impair_result *result)
{
	for (uint64_t left = result->released; left != 0; left &= left - 1) {
		int slot = __builtin_ctzll(left);
		struct impair_copy copy = { .time = result->release_time, .slot = -1 };
		struct strata_pkt *pkt = way->slots[slot];

		way->slots[slot] = NULL;
		if (pkt != NULL)
			fault_travel(fault, way, pkt, &copy);
	}
}

static void fault_go_in(struct fault *fault, struct fault_way *way, struct strata_pkt *pkt)
{
	struct strata_pkt *copies[2] = { pkt, NULL };
	struct impair_result result;

	fault_come_out(fault, way, strata_now(fault->iface->stack));
	impair_frame(&way->impair, strata_now(fault->iface->stack), strata_pkt_length(pkt), &result);
	if (result.fate != IMPAIR_PASSED) {
		fault_discard(fault, way, pkt, fault_fates[result.fate]);
		return;
	}
	if (result.copies == 2) {
		strata_count(fault->iface->driver, FAULT_COUNTER_DUPLICATED, 1);
		strata_trace(fault->iface->driver, pkt, "sent twice");
		copies[1] = strata_pkt_copy(pkt, STRATA_HEADROOM);
		if (copies[1] == NULL && result.copy[1].slot >= 0)
			impair_expired(&way->impair, result.copy[1].slot);
	}
	for (unsigned int i = 0; i < result.copies; i++) {
		const struct impair_copy *copy = &result.copy[i];

		if (copies[i] == NULL)
			continue;
		copies[i] = fault_spoil(fault, way, copies[i], copy);
		if (copies[i] != NULL)
			fault_travel(fault, way, copies[i], copy);
		else if (copy->slot >= 0)
			impair_expired(&way->impair, copy->slot);
	}
	fault_release(fault, way, &result);
	fault_come_out(fault, way, strata_now(fault->iface->stack));
	fault_set_timer(fault);
}

static void fault_xmit(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct fault *fault = iface->state;

	strata_trace_fields(iface->driver, pkt, STRATA_FIELDS(
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt)),
			    STRATA_FIELD_TEXT("over", iface->lower->name)), "%s", "");
	fault_go_in(fault, &fault->tx, pkt);
}

static void fault_lower_input(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct fault *fault = iface->state;

	fault_go_in(fault, &fault->rx, pkt);
}

/* ---- life of an interface ---- */

static const char *fault_lower(const void *iface_config)
{
	return ((const struct fault_config *)iface_config)->over;
}

static void fault_seed(struct fault *fault)
{
	const struct fault_config *config = fault->iface->config;
	uint64_t seed = config->seed;

	if (seed == 0)
		strata_random(fault->iface->stack, &seed, sizeof(seed));
	fault->rx.impair.rng = seed;
	/* Another stream out of the same seed: directions must not draw alike. */
	fault->tx.impair.rng = ~seed;
}

static int fault_option_changed(struct strata_iface *iface, const struct strata_option *option)
{
	const struct fault_config *config = iface->config;
	struct strata_impairment rx = fault_impairment(&config->rx), tx = fault_impairment(&config->tx);
	struct fault *fault = iface->state;

	impair_set(&fault->rx.impair, &rx);
	impair_set(&fault->tx.impair, &tx);
	if (strcmp(option->name, "seed") == 0)
		fault_seed(fault);
	return 0;
}

static int fault_open(struct strata_iface *iface, struct strata_error *error)
{
	const uint32_t inherited = STRATA_IFACE_BROADCAST | STRATA_IFACE_MULTICAST |
				   STRATA_IFACE_NO_NEIGHBOUR | STRATA_IFACE_LOOPBACK;
	const struct fault_config *config = iface->config;
	struct strata_impairment rx = fault_impairment(&config->rx), tx = fault_impairment(&config->tx);
	struct fault *fault = strata_alloc(iface->stack, sizeof(*fault));

	if (fault != NULL)
		fault->flat = strata_alloc(iface->stack, FLAT_SIZE);
	if (fault == NULL || fault->flat == NULL) {
		strata_error_add(error, "interface %s: out of memory", iface->name);
		strata_free(iface->stack, fault);
		return -ENOMEM;
	}
	fault->iface = iface;
	fault->tx.out = true;
	fault->timer.fire = fault_due;
	impair_init(&fault->rx.impair, &rx, 0, iface->header_size);
	impair_init(&fault->tx.impair, &tx, 0, iface->header_size);
	fault_seed(fault);
	iface->state = fault;
	iface->caps = STRATA_CAP_FRAGS;
	iface->flags |= STRATA_IFACE_RUNNING | (iface->lower->flags & inherited);
	return 0;
}

static void fault_close(struct strata_iface *iface)
{
	struct fault *fault = iface->state;

	strata_timer_stop(iface->stack, &fault->timer);
	fault_heap_clear(iface->stack, &fault->rx);
	fault_heap_clear(iface->stack, &fault->tx);
	iface->state = NULL;
	iface->flags &= ~(uint32_t)STRATA_IFACE_RUNNING;
	strata_free(iface->stack, fault->flat);
	strata_free(iface->stack, fault);
}

/* The device is the interface below, which has an MTU of its own. */
static int fault_mtu_changed(struct strata_iface *iface, struct strata_error *error)
{
	(void)iface;
	(void)error;
	return 0;
}

static const struct strata_link_ops fault_ops = {
	.lower = fault_lower,
	.lower_input = fault_lower_input,
	.open = fault_open,
	.close = fault_close,
	.xmit = fault_xmit,
	.mtu_changed = fault_mtu_changed,
	.option_changed = fault_option_changed,
	.shards = true,
	.mtu_min = 68,			/* RFC 791 3.2 */
	.mtu_max = STRATA_PKT_MAX,
};

STRATA_MODULE(fault) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_LINK,
	.name = "fault",
	.version = "1.0",
	.summary = "imperfect link: loses, delays, reorders and spoils another interface's packets",
	.iface_config_size = sizeof(struct fault_config),
	.iface_options = fault_options,
	.iface_option_count = STRATA_COUNT(fault_options),
	.counters = fault_counters,
	.counter_count = STRATA_COUNT(fault_counters),
	.drops = fault_drops,
	.drop_count = STRATA_COUNT(fault_drops),
	.link = &fault_ops,
};
