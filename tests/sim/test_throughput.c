/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One bulk flow with buffers of 32 KiB over a round trip of 100 ms, at several rates of random loss: a table of what
 * it brings, and that it is no less than it has to be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strata/sim.h>

enum { SEEDS = 5, BUFFER = 32768 };

struct row {
	unsigned int loss;		/* per cent */
	uint64_t bytes;			/* of the transfer */
	unsigned int least;		/* kB/s that it has to bring; 0: nothing is asked */
};

static const struct row rows[] = {
	{ 0, 8000000, 320 }, { 1, 4000000, 0 }, { 2, 4000000, 0 }, { 5, 2000000, 0 },
	{ 10, 1000000, 38 }, { 20, 300000, 0 }, { 30, 150000, 6 },
};

struct finish {
	struct strata_sim *sim;
	uint64_t took;
};

/* As on Linux, so many bytes of payload have room. */
static void set_buffers(struct strata_stack *stack, int s, bool server, void *ctx)
{
	int size = BUFFER;

	(void)server;
	(void)ctx;
	strata_setsockopt(stack, s, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	strata_setsockopt(stack, s, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static void ended(struct strata_sim_flow *flow, void *ctx)
{
	struct finish *finish = ctx;
	const struct strata_sim_flow_stats *stats = strata_sim_flow_stats(flow);

	finish->took = stats->ended - stats->connected;
}

/* Bytes a second; 0 after a fault. `both`: acknowledgements are lost as data is. */
static uint64_t rate_at(const struct row *row, uint64_t seed, bool both)
{
	const struct strata_impairment clean = { .delay = 50 * STRATA_MS };
	struct strata_impairment lossy = clean;
	struct strata_sim *sim = strata_sim_create(&(struct strata_sim_config){
		.seed = seed, .module_path = getenv("STRATA_MODULE_PATH") });
	struct finish finish = { .sim = sim };
	struct strata_sim_host *a, *b;
	struct strata_sim_link *link;

	if (sim == NULL)
		return 0;
	a = strata_sim_host(sim, &(struct strata_sim_host_config){
		.address = "192.0.2.1/24" });
	b = strata_sim_host(sim, &(struct strata_sim_host_config){
		.address = "192.0.2.2/24" });
	if (a != NULL && b != NULL) {
		link = strata_sim_link(sim, strata_sim_port(a), strata_sim_port(b), &clean);
		strata_sim_settle(sim);
		lossy.loss = STRATA_PERCENT(row->loss);
		strata_sim_link_set(link, both ? STRATA_SIM_BOTH : STRATA_SIM_FORTH, &lossy);
		strata_sim_flow(sim, &(struct strata_sim_flow_config){ .client = a, .server = b,
			.forth = row->bytes, .prepare = set_buffers, .ended = ended, .ctx = &finish });
		strata_sim_run_flows(sim, 36000 * STRATA_SEC);
	}
	if (strata_sim_destroy(sim) != 0 || finish.took == 0)
		return 0;
	return row->bytes * 1000 / (finish.took / STRATA_MS);
}

static uint64_t mean_rate(struct strata_sim *sim, const struct row *row, bool both)
{
	uint64_t sum = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t rate = rate_at(row, seed, both);

		if (rate == 0)
			strata_sim_fault(sim, "the transfer at %u %% loss fails with seed %llu", row->loss,
					 (unsigned long long)seed);
		sum += rate;
	}
	return sum / SEEDS;
}

static void bulk_with_small_buffers_over_a_long_way(struct strata_sim *sim, unsigned int scale)
{
	(void)scale;
	printf("# 32 KiB buffers, round trip 100 ms, mean of %d seeds, kB/s\n"
	       "# loss   of data   of data and acknowledgements   at least\n", SEEDS);
	for (size_t i = 0; i < STRATA_COUNT(rows); i++) {
		uint64_t data = mean_rate(sim, &rows[i], false), both = mean_rate(sim, &rows[i], true);

		printf("# %3u %% %6llu.%llu %16llu.%llu %23u\n", rows[i].loss,
		       (unsigned long long)(data / 1000), (unsigned long long)(data / 100 % 10),
		       (unsigned long long)(both / 1000), (unsigned long long)(both / 100 % 10),
		       rows[i].least);
		if (data / 1000 < rows[i].least)
			strata_sim_fault(sim, "%llu kB/s at %u %% loss are too few",
					 (unsigned long long)(data / 1000), rows[i].loss);
	}
	fflush(stdout);
}

static const struct strata_sim_case cases[] = {
	{ "bulk_with_small_buffers_over_a_long_way", bulk_with_small_buffers_over_a_long_way, 1 },
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return strata_sim_main(argc, argv, cases);
}
