/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of a fault interface: the same for either direction, all changeable at run time. */
#include "fault_int.h"

/* Local choices: a minute is the longest that a packet waits anywhere, 400 Gbit/s the fastest line. */
#define TIME_MOST (60 * STRATA_SEC)
#define RATE_MOST UINT64_C(400000000000)
#define QUEUE_BYTES_MOST (UINT64_C(1) << 30)

#define FIELD(way, field) \
	.offset = offsetof(struct fault_config, way) + offsetof(struct fault_way_config, field), \
	.runtime = true
#define CHANCE(way, field, help_) \
	{ .name = #way "_" #field, .type = STRATA_OPT_CHANCE, FIELD(way, field), .fallback = "0", \
	  .help = help_ }
#define TIME(way, field, help_) \
	{ .name = #way "_" #field, .type = STRATA_OPT_TIME, FIELD(way, field), .fallback = "0", \
	  .min = 0, .max = TIME_MOST, .help = help_ }

#define WAY(way, what) \
	CHANCE(way, loss, "Chance that a packet " what " is lost."), \
	CHANCE(way, burst_enter, "Chance at each packet " what " that a burst of losses begins."), \
	CHANCE(way, burst_leave, "Chance at each packet " what " that a burst ends."), \
	CHANCE(way, burst_loss, "Chance of a loss in a burst; 0: all are lost."), \
	CHANCE(way, duplicate, "Chance that a packet " what " comes twice."), \
	CHANCE(way, corrupt, "Chance that bits of a packet " what " are flipped."), \
	{ .name = #way "_corrupt_bits", .type = STRATA_OPT_UINT, FIELD(way, corrupt_bits), \
	  .fallback = "1", .min = 1, .max = STRATA_CORRUPT_BITS, .unit = "bits", \
	  .help = "Bits flipped in a corrupted packet." }, \
	CHANCE(way, truncate, "Chance that a packet " what " loses a random part of its end."), \
	CHANCE(way, reorder, "Chance that a packet " what " is held back, to be overtaken."), \
	{ .name = #way "_reorder_depth", .type = STRATA_OPT_UINT, FIELD(way, reorder_depth), \
	  .fallback = "3", .min = 0, .max = STRATA_REORDER_DEPTH, .unit = "packets", \
	  .help = "Most packets that overtake it; 0: it waits out its time." }, \
	TIME(way, held, "Longest that it is held back; 0: twice the delay and 1 ms."), \
	TIME(way, delay, "Time a packet " what " takes."), \
	TIME(way, jitter, "Up to so much more, at random."), \
	{ .name = #way "_jitter_reorders", .type = STRATA_OPT_BOOL, FIELD(way, jitter_reorders), \
	  .fallback = "false", .help = "Jitter lets packets overtake each other." }, \
	TIME(way, bunch, "Packets " what " come in bunches, so often; 0: each by itself."), \
	{ .name = #way "_rate", .type = STRATA_OPT_UINT, FIELD(way, rate), .fallback = "0", \
	  .min = 0, .max = RATE_MOST, .unit = "bits/s", \
	  .help = "Rate of the line, in bits a second; 0: no limit." }, \
	{ .name = #way "_queue_packets", .type = STRATA_OPT_UINT, FIELD(way, queue_packets), \
	  .fallback = "0", .min = 0, .max = STRATA_QUEUE_PACKETS, .unit = "packets", \
	  .help = "Most packets that wait for the rate; 0 with no limit in bytes: 100." }, \
	{ .name = #way "_queue_bytes", .type = STRATA_OPT_SIZE, FIELD(way, queue_bytes), \
	  .fallback = "0", .min = 0, .max = QUEUE_BYTES_MOST, \
	  .help = "Most bytes that wait for the rate; 0: no limit." }, \
	CHANCE(way, mark, "Chance that an ECN-capable packet " what " is marked CE."), \
	{ .name = #way "_mark_queue", .type = STRATA_OPT_SIZE, FIELD(way, mark_queue), \
	  .fallback = "0", .min = 0, .max = QUEUE_BYTES_MOST, \
	  .help = "ECN-capable packets are marked CE while more bytes wait; 0: not." }

const struct strata_option fault_options[FAULT_OPTIONS] = {
	{
		.name = "over", .type = STRATA_OPT_STRING, .offset = offsetof(struct fault_config, over),
		.required = true,
		.help = "Interface to stand on: one without addresses, defined before this one.",
	},
	{
		.name = "seed", .type = STRATA_OPT_UINT, .offset = offsetof(struct fault_config, seed),
		.fallback = "0", .min = 0, .max = UINT64_MAX, .runtime = true,
		.help = "The same seed draws the same chances; 0: another each time.",
	},
	{
		.name = "limit", .type = STRATA_OPT_UINT, .offset = offsetof(struct fault_config, limit),
		.fallback = "10000", .min = 1, .max = 1000000, .unit = "packets", .runtime = true,
		.help = "Most packets under way at once, each direction.",
	},
	WAY(rx, "in"),
	WAY(tx, "out"),
};

struct strata_impairment fault_impairment(const struct fault_way_config *config)
{
	return (struct strata_impairment){
		.delay = config->delay,
		.jitter = config->jitter,
		.jitter_reorders = config->jitter_reorders,
		.rate = config->rate,
		.queue_packets = (uint32_t)config->queue_packets,
		.queue_bytes = config->queue_bytes,
		.bunch = config->bunch,
		.loss = (uint32_t)config->loss,
		.burst_enter = (uint32_t)config->burst_enter,
		.burst_leave = (uint32_t)config->burst_leave,
		.burst_loss = (uint32_t)config->burst_loss,
		.duplicate = (uint32_t)config->duplicate,
		.reorder = (uint32_t)config->reorder,
		.reorder_depth = (uint32_t)config->reorder_depth,
		.held = config->held,
		.corrupt = (uint32_t)config->corrupt,
		.corrupt_bits = (uint32_t)config->corrupt_bits,
		.truncate = (uint32_t)config->truncate,
		.mark = (uint32_t)config->mark,
		.mark_queue = config->mark_queue,
	};
}
