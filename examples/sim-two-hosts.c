/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two hosts on a bad link, in virtual time: how long a megabyte takes, and what it took to get it across. The
 * same seed prints the same lines.
 *
 *	sim-two-hosts [LOSS-PERCENT [SEED]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <strata/sim.h>

enum { BYTES = 1000000 };

int main(int argc, char **argv)
{
	unsigned long loss = argc > 1 ? strtoul(argv[1], NULL, 10) : 5;
	const struct strata_impairment how = {
		.delay = 20 * STRATA_MS,
		.rate = 10000000,
		.loss = STRATA_PERCENT(loss < 100 ? loss : 100),
	};
	const struct strata_sim_config config = {
		.seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1,
		.module_path = getenv("STRATA_MODULE_PATH"),
	};
	struct strata_sim *sim = strata_sim_create(&config);
	struct strata_sim_host *a, *b;
	struct strata_sim_link *link;
	uint64_t began;

	if (sim == NULL)
		return 1;
	a = strata_sim_host(sim, &(struct strata_sim_host_config){ .name = "a", .address = "192.0.2.1/24" });
	b = strata_sim_host(sim, &(struct strata_sim_host_config){ .name = "b", .address = "192.0.2.2/24" });
	if (a == NULL || b == NULL)
		return strata_sim_destroy(sim);
	link = strata_sim_link(sim, strata_sim_port(a), strata_sim_port(b), &how);
	strata_sim_settle(sim);

	began = strata_sim_now(sim);
	strata_sim_flow(sim, &(struct strata_sim_flow_config){ .client = a, .server = b, .forth = BYTES });
	if (strata_sim_run_flows(sim, 3600 * STRATA_SEC))
		printf("%d bytes in %.1f s; %llu of %llu frames lost, %llu segments sent again\n", BYTES,
		       (double)(strata_sim_now(sim) - began) / 1e9,
		       (unsigned long long)strata_sim_link_stats(link, STRATA_SIM_FORTH)->lost,
		       (unsigned long long)strata_sim_link_stats(link, STRATA_SIM_FORTH)->sent,
		       (unsigned long long)strata_sim_counter(a, "tcp", "retransmitted_segments"));
	printf("hash over all frames: %016llx\n", (unsigned long long)strata_sim_hash(sim));
	return strata_sim_destroy(sim);
}
