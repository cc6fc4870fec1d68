/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same simulations with super-packets and without: what a link cuts is frame by frame what the stack
 * cuts itself, and whatever is joined on its way in, applications get the same bytes and the same end.
 */
#include <stdlib.h>
#include <string.h>
#include <strata/sim.h>

enum { FLOWS = 12, FORTH = 400000, BACK = 90000 };

struct outcome {
	uint64_t hash;
	struct strata_sim_totals totals;
	uint64_t ways[2];	/* over the frames of each direction, and when they were sent */
	bool faulty;
};

/* FNV-1a (Fowler, Noll, Vo), chained. */
static bool note(void *ctx, uint64_t now, const void *frame, size_t length)
{
	const uint8_t *bytes = frame;
	uint64_t *hash = ctx;

	*hash = (*hash ^ now) * UINT64_C(0x100000001b3);
	for (size_t i = 0; i < length; i++)
		*hash = (*hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return true;
}

static void start(struct strata_sim *sim, struct strata_sim_host *a, struct strata_sim_host *b,
		  unsigned int number)
{
	strata_sim_flow(sim, &(struct strata_sim_flow_config){
		.client = a, .server = b, .most = number % 3 == 0 ? 0 : 9000,
		.forth = number % 4 == 3 ? 0 : FORTH + number * 1000, .back = number % 2 == 0 ? BACK : 0 });
}

static struct outcome run(struct strata_sim *outer, uint64_t seed, bool super, const char *options,
			  const struct strata_impairment *how, bool one_way)
{
	struct strata_sim *sim = strata_sim_create(&(struct strata_sim_config){
		.seed = seed, .super = super, .module_path = getenv("STRATA_MODULE_PATH") });
	struct outcome outcome = { .faulty = true };
	struct strata_sim_host *a, *b;
	struct strata_sim_link *link;

	if (sim == NULL) {
		strata_sim_fault(outer, "no simulation");
		return outcome;
	}
	a = strata_sim_host(sim, &(struct strata_sim_host_config){
		.name = "a", .address = "192.0.2.1/24", .options = options });
	b = strata_sim_host(sim, &(struct strata_sim_host_config){
		.name = "b", .address = "192.0.2.2/24", .options = options });
	if (a != NULL && b != NULL) {
		if (one_way)
			strata_option_set(strata_sim_stack(b), "stack.gro", "false", NULL);
		if (one_way)
			strata_option_set(strata_sim_stack(a), "stack.gro", "false", NULL);
		link = strata_sim_link(sim, strata_sim_port(a), strata_sim_port(b), how);
		strata_sim_link_filter(link, STRATA_SIM_FORTH, note, &outcome.ways[0]);
		strata_sim_link_filter(link, STRATA_SIM_BACK, note, &outcome.ways[1]);
		strata_sim_settle(sim);
		for (unsigned int i = 0; i < FLOWS; i++)
			start(sim, a, b, i);
		strata_sim_run_flows(sim, 86400 * STRATA_SEC);
		/* All that is left is waited out: both ends are gone. */
		strata_sim_run(sim, 3600 * STRATA_SEC, NULL, NULL);
		if (strata_sim_counter(a, "tcp", "established") != 0 ||
		    strata_sim_counter(b, "tcp", "established") != 0)
			strata_sim_fault(sim, "a connection is left");
	}
	outcome.hash = strata_sim_hash(sim);
	outcome.totals = *strata_sim_totals(sim);
	outcome.faulty = strata_sim_destroy(sim) != 0;
	return outcome;
}

static void compare(struct strata_sim *sim, const struct outcome *off, const struct outcome *on)
{
	if (off->faulty || on->faulty)
		strata_sim_fault(sim, "a run had a fault: %d without, %d with super-packets", off->faulty,
				 on->faulty);
	if (off->totals.flows != on->totals.flows || off->totals.completed != on->totals.completed ||
	    off->totals.failed != on->totals.failed || off->totals.bytes != on->totals.bytes ||
	    off->totals.wrong != 0 || on->totals.wrong != 0)
		strata_sim_fault(sim, "%llu flows, %llu complete, %llu bytes without; %llu, %llu, %llu with "
				 "super-packets", (unsigned long long)off->totals.flows,
				 (unsigned long long)off->totals.completed,
				 (unsigned long long)off->totals.bytes,
				 (unsigned long long)on->totals.flows,
				 (unsigned long long)on->totals.completed,
				 (unsigned long long)on->totals.bytes);
}

static const struct strata_impairment links[] = {
	{ .delay = 5 * STRATA_MS },
	{ .delay = 10 * STRATA_MS, .rate = 20000000, .queue_packets = 40 },
	{ .delay = 20 * STRATA_MS, .jitter = 5 * STRATA_MS, .loss = STRATA_PERCENT(3),
	  .duplicate = STRATA_PERCENT(2), .reorder = STRATA_PERCENT(5), .reorder_depth = 8 },
	{ .delay = 10 * STRATA_MS, .loss = STRATA_PERCENT(15), .corrupt = STRATA_PERCENT(1),
	  .corrupt_bits = 2, .truncate = STRATA_PERCENT(1) },
	/* What arrives comes in bunches: the more is joined. */
	{ .delay = 10 * STRATA_MS, .bunch = 4 * STRATA_MS, .loss = STRATA_PERCENT(1),
	  .mark = STRATA_PERCENT(2) },
	{ .delay = 3 * STRATA_MS, .burst_enter = STRATA_PERCENT(1), .burst_leave = STRATA_PERCENT(30) },
};

/* Only how packets are cut differs: so does no frame, nor when it is sent. */
static void frames_are_the_same_whoever_cuts_them(struct strata_sim *sim, unsigned int scale)
{
	(void)scale;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		uint64_t seed = strata_sim_random(sim) | 1;
		struct outcome off = run(sim, seed, false, NULL, &links[i], true);
		struct outcome on = run(sim, seed, true, NULL, &links[i], true);

		compare(sim, &off, &on);
		/* Where several frames arrive at one time their answers are put together. */
		if (links[i].rate != 0 && memcmp(off.ways, on.ways, sizeof(off.ways)) != 0)
			strata_sim_fault(sim, "link %zu: other frames with super-packets", i);
	}
}

static void applications_get_the_same(struct strata_sim *sim, unsigned int scale)
{
	static const char *const options[] = { NULL, "tcp.sack=false tcp.timestamps=false", "tcp.ecn=1" };

	(void)scale;
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		for (size_t o = 0; o < sizeof(options) / sizeof(options[0]); o++) {
			uint64_t seed = strata_sim_random(sim) | 1;
			struct outcome off = run(sim, seed, false, options[o], &links[i], false);
			struct outcome on = run(sim, seed, true, options[o], &links[i], false);
			struct outcome again = run(sim, seed, true, options[o], &links[i], false);

			compare(sim, &off, &on);
			if (on.hash != again.hash)
				strata_sim_fault(sim, "the same seed gives another run");
		}
}

static const struct strata_sim_case cases[] = {
	{ "frames_are_the_same_whoever_cuts_them", frames_are_the_same_whoever_cuts_them, 1 },
	{ "applications_get_the_same", applications_get_the_same, 1 },
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return strata_sim_main(argc, argv, cases);
}
