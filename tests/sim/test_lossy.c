/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Very many connections through very bad links: at 30 % loss, 5 % duplication, 20 % reordering and 1 % corruption
 * each way, every byte of each arrives once and in order, and nothing is left of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <strata/sim.h>

enum { CONNECTIONS = 10000, AT_ONCE = 400, FORTH = 65536, BACK = 1000 };

/* No retry ends anything: what is asked is that the bytes arrive, however long it takes. */
#define PATIENT "tcp.syn_retries=127 tcp.synack_retries=127 tcp.data_retries=127 tcp.orphan_retries=127"

struct crowd {
	struct strata_sim *sim;
	struct strata_sim_host *a, *b;
	unsigned int to_start;
};

static void start_one(struct strata_sim_flow *ended, void *ctx)
{
	struct crowd *crowd = ctx;

	(void)ended;
	if (crowd->to_start == 0)
		return;
	crowd->to_start--;
	strata_sim_flow(crowd->sim, &(struct strata_sim_flow_config){
		.client = crowd->a, .server = crowd->b, .forth = FORTH, .back = BACK, .most = 20000,
		.ended = start_one, .ctx = crowd });
}

static void check_gone(struct crowd *crowd, struct strata_sim_host *host)
{
	if (strata_sim_counter(host, "tcp", "established") != 0 ||
	    strata_sim_counter(host, "tcp", "time_wait") != 0)
		strata_sim_fault(crowd->sim, "host %s has connections left", strata_sim_host_name(host));
}

static uint64_t seconds_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void tell(const struct crowd *crowd, const struct strata_sim_link *link, uint64_t began,
		 uint64_t real)
{
	const struct strata_sim_totals *totals = strata_sim_totals(crowd->sim);
	const struct strata_sim_link_stats *forth = strata_sim_link_stats(link, STRATA_SIM_FORTH);
	const struct strata_sim_link_stats *back = strata_sim_link_stats(link, STRATA_SIM_BACK);

	printf("# %llu connections, %llu completed, %llu bytes right, %llu wrong; %llu frames sent, %llu lost, "
	       "%llu corrupted (%llu beyond detection, held back); %llu segments sent again, %llu timeouts; "
	       "slowest %llu s; %llu s simulated in %llu.%llu s\n",
	       (unsigned long long)totals->flows, (unsigned long long)totals->completed,
	       (unsigned long long)totals->bytes, (unsigned long long)totals->wrong,
	       (unsigned long long)(forth->sent + back->sent),
	       (unsigned long long)(forth->lost + back->lost),
	       (unsigned long long)(forth->corrupted + back->corrupted),
	       (unsigned long long)(forth->collisions + back->collisions),
	       (unsigned long long)(strata_sim_counter(crowd->a, "tcp", "retransmitted_segments") +
				    strata_sim_counter(crowd->b, "tcp", "retransmitted_segments")),
	       (unsigned long long)(strata_sim_counter(crowd->a, "tcp", "timeouts") +
				    strata_sim_counter(crowd->b, "tcp", "timeouts")),
	       (unsigned long long)(totals->longest / STRATA_SEC),
	       (unsigned long long)((strata_sim_now(crowd->sim) - began) / STRATA_SEC),
	       (unsigned long long)(real / 1000), (unsigned long long)(real / 100 % 10));
	fflush(stdout);
}

static void ten_thousand_connections_through_bad_links(struct strata_sim *sim, unsigned int scale)
{
	const struct strata_impairment bad = {
		.delay = 10 * STRATA_MS, .loss = STRATA_PERCENT(30), .duplicate = STRATA_PERCENT(5),
		.reorder = STRATA_PERCENT(20), .reorder_depth = 8, .corrupt = STRATA_PERCENT(1),
		.corrupt_bits = 2,
	};
	unsigned int connections = (unsigned int)((uint64_t)CONNECTIONS * scale / 100);
	struct crowd crowd = { .sim = sim, .to_start = connections };
	uint64_t began, real = seconds_of(CLOCK_MONOTONIC);
	struct strata_sim_link *link;

	crowd.a = strata_sim_host(sim, &(struct strata_sim_host_config){
		.name = "a", .address = "192.0.2.1/24", .options = PATIENT });
	crowd.b = strata_sim_host(sim, &(struct strata_sim_host_config){
		.name = "b", .address = "192.0.2.2/24", .options = PATIENT });
	if (crowd.a == NULL || crowd.b == NULL)
		return;
	link = strata_sim_link(sim, strata_sim_port(crowd.a), strata_sim_port(crowd.b), &bad);
	strata_sim_settle(sim);
	began = strata_sim_now(sim);
	for (unsigned int i = 0; i < AT_ONCE; i++)
		start_one(NULL, &crowd);
	if (!strata_sim_run_flows(sim, 30 * 86400 * STRATA_SEC))
		return;
	tell(&crowd, link, began, seconds_of(CLOCK_MONOTONIC) - real);
	if (strata_sim_totals(sim)->completed != connections ||
	    strata_sim_totals(sim)->bytes != (uint64_t)connections * (FORTH + BACK))
		strata_sim_fault(sim, "not every connection brought all its bytes");
	/* What is left to be retransmitted and to be waited out. */
	strata_sim_run(sim, 86400 * STRATA_SEC, NULL, NULL);
	check_gone(&crowd, crowd.a);
	check_gone(&crowd, crowd.b);
}

static const struct strata_sim_case cases[] = {
	{ "ten_thousand_connections_through_bad_links", ten_thousand_connections_through_bad_links, 1 },
	{ NULL, NULL, 0 },
};

/* Under sanitizers a twentieth of it, unless the command line asks for something. */
int main(int argc, char **argv)
{
	const char *sanitizers = getenv("STRATA_TEST_SANITIZERS");
	char *few[] = { argv[0], (char[]){ "--scale" }, (char[]){ "5" }, NULL };

	if (argc == 1 && sanitizers != NULL && sanitizers[0] == 'y')
		return strata_sim_main(3, few, cases);
	return strata_sim_main(argc, argv, cases);
}
