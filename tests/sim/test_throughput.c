/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One bulk flow with buffers of 32 KiB over a round trip of 100 ms, at several rates of random loss: a table of what
 * it brings, and that it is no less than it has to be.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strata/sim.h>

#define MODULES "ethernet arp ipv4 icmp cubic bbr tcp"

enum { SEEDS = 5, BUFFER = 32768 };

struct row {
	unsigned int loss;		/* per cent */
	uint64_t bytes;			/* of the transfer */
	/* kB/s that it has to bring: with CUBIC, data alone being lost, and with BBR, acknowledgements lost, too;
	 * 0: nothing is asked. */
	unsigned int cubic, bbr;
};

/* At 10 %, what CUBIC brings is near Mathis' 1.22 / sqrt(p) segments a round trip: 56 kB/s. */
static const struct row rows[] = {
	{ 0, 8000000, 320, 320 }, { 1, 4000000, 100, 200 }, { 2, 4000000, 0, 0 },
	{ 5, 2000000, 0, 100 }, { 10, 1000000, 38, 50 }, { 20, 300000, 0, 0 },
	{ 30, 150000, 6, 6 },
};

struct finish {
	struct strata_sim *sim;
	const char *algorithm;
	uint64_t took;
};

/* As on Linux, so many bytes of payload have room. */
static void set_options(struct strata_stack *stack, int s, bool server, void *ctx)
{
	const struct finish *finish = ctx;
	int size = BUFFER;

	(void)server;
	if (strata_setsockopt(stack, s, IPPROTO_TCP, TCP_CONGESTION, finish->algorithm,
			      (socklen_t)strlen(finish->algorithm)) < 0)
		strata_sim_fault(finish->sim, "%s is not running", finish->algorithm);
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
static uint64_t rate_at(const struct row *row, uint64_t seed, const char *algorithm, bool both)
{
	const struct strata_impairment clean = { .delay = 50 * STRATA_MS };
	struct strata_impairment lossy = clean;
	struct strata_sim *sim = strata_sim_create(&(struct strata_sim_config){
		.seed = seed, .module_path = getenv("STRATA_MODULE_PATH") });
	struct finish finish = { .sim = sim, .algorithm = algorithm };
	struct strata_sim_host *a, *b;
	struct strata_sim_link *link;

	if (sim == NULL)
		return 0;
	a = strata_sim_host(sim, &(struct strata_sim_host_config){
		.address = "192.0.2.1/24", .modules = MODULES });
	b = strata_sim_host(sim, &(struct strata_sim_host_config){
		.address = "192.0.2.2/24", .modules = MODULES });
	if (a != NULL && b != NULL) {
		link = strata_sim_link(sim, strata_sim_port(a), strata_sim_port(b), &clean);
		strata_sim_settle(sim);
		lossy.loss = STRATA_PERCENT(row->loss);
		strata_sim_link_set(link, both ? STRATA_SIM_BOTH : STRATA_SIM_FORTH, &lossy);
		strata_sim_flow(sim, &(struct strata_sim_flow_config){ .client = a, .server = b,
			.forth = row->bytes, .prepare = set_options, .ended = ended, .ctx = &finish });
		strata_sim_run_flows(sim, 36000 * STRATA_SEC);
	}
	if (strata_sim_destroy(sim) != 0 || finish.took == 0)
		return 0;
	return row->bytes * 1000 / (finish.took / STRATA_MS);
}

/* kB/s. */
static double mean_rate(struct strata_sim *sim, const struct row *row, const char *algorithm, bool both)
{
	uint64_t sum = 0;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		uint64_t rate = rate_at(row, seed, algorithm, both);

		if (rate == 0)
			strata_sim_fault(sim, "the transfer at %u %% loss fails with seed %llu and %s",
					 row->loss, (unsigned long long)seed, algorithm);
		sum += rate;
	}
	return (double)sum / SEEDS / 1000;
}

static void bulk_with_small_buffers_over_a_long_way(struct strata_sim *sim, unsigned int scale)
{
	(void)scale;
	printf("# 32 KiB buffers, round trip 100 ms, mean of %d seeds, kB/s; asked for in brackets\n"
	       "# loss   cubic, data   cubic, both ways     bbr, both ways\n", SEEDS);
	for (size_t i = 0; i < STRATA_COUNT(rows); i++) {
		const struct row *row = &rows[i];
		double data = mean_rate(sim, row, "cubic", false), both = mean_rate(sim, row, "cubic", true);
		double bbr = mean_rate(sim, row, "bbr", true);

		printf("# %3u %% %7.1f (%3u) %14.1f %12.1f (%3u)\n", row->loss, data, row->cubic, both, bbr,
		       row->bbr);
		if (data < row->cubic || bbr < row->bbr)
			strata_sim_fault(sim, "too little at %u %% loss", row->loss);
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
