/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What connections must survive, a case each: bursts, jitter, reordering, ACK compression, asymmetry, an MTU
 * that shrinks, a black-out, clocks that go wrong, and a year of silence. Every byte is compared.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <strata/sim.h>

struct pair {
	struct strata_sim_host *a, *b;
	struct strata_sim_link *link;
};

static bool make_pair(struct strata_sim *sim, struct pair *pair, const char *options, int64_t offset,
		      const struct strata_impairment *how)
{
	pair->a = strata_sim_host(sim, &(struct strata_sim_host_config){
		.name = "a", .address = "192.0.2.1/24", .options = options, .clock_offset = offset });
	pair->b = strata_sim_host(sim, &(struct strata_sim_host_config){
		.name = "b", .address = "192.0.2.2/24", .options = options, .clock_offset = offset });
	if (pair->a == NULL || pair->b == NULL)
		return false;
	pair->link = strata_sim_link(sim, strata_sim_port(pair->a), strata_sim_port(pair->b), how);
	strata_sim_settle(sim);
	return pair->link != NULL;
}

static void want(struct strata_sim *sim, bool holds, const char *what)
{
	if (!holds)
		strata_sim_fault(sim, "it does not hold that %s", what);
}

/* A transfer both ways in at most `limit` seconds, through whatever the link does. */
static void transfer(struct strata_sim *sim, const struct pair *pair, uint64_t forth, uint64_t back,
		     uint64_t limit)
{
	strata_sim_flow(sim, &(struct strata_sim_flow_config){ .client = pair->a, .server = pair->b,
		.forth = forth, .back = back, .most = 30000 });
	strata_sim_run_flows(sim, limit * STRATA_SEC);
	want(sim, strata_sim_totals(sim)->bytes == forth + back, "every byte arrives");
}

/* ---- links ---- */

static void bursts_of_losses(struct strata_sim *sim, unsigned int scale)
{
	struct pair pair;

	(void)scale;
	if (make_pair(sim, &pair, NULL, 0, &(struct strata_impairment){ .delay = 10 * STRATA_MS,
			.rate = 10000000, .burst_enter = STRATA_PERCENT(2), .burst_leave = STRATA_PERCENT(25) }))
		transfer(sim, &pair, 500000, 200000, 3600);
}

static void jitter_that_reorders(struct strata_sim *sim, unsigned int scale)
{
	struct pair pair;

	(void)scale;
	if (make_pair(sim, &pair, NULL, 0, &(struct strata_impairment){ .delay = 20 * STRATA_MS,
			.jitter = 30 * STRATA_MS, .jitter_reorders = true, .loss = STRATA_PERCENT(1) }))
		transfer(sim, &pair, 500000, 500000, 600);
}

static void reordering_64_deep(struct strata_sim *sim, unsigned int scale)
{
	struct pair pair;

	(void)scale;
	if (make_pair(sim, &pair, NULL, 0, &(struct strata_impairment){ .delay = 5 * STRATA_MS,
			.rate = 50000000, .reorder = STRATA_PERCENT(20), .reorder_depth = 64,
			.held = 100 * STRATA_MS }))
		transfer(sim, &pair, 1000000, 300000, 600);
}

static void compressed_acknowledgements(struct strata_sim *sim, unsigned int scale)
{
	const struct strata_impairment bunched = { .delay = 10 * STRATA_MS, .bunch = 50 * STRATA_MS };
	struct pair pair;

	(void)scale;
	if (!make_pair(sim, &pair, NULL, 0, &(struct strata_impairment){ .delay = 10 * STRATA_MS,
			.rate = 20000000, .queue_bytes = 60000 }))
		return;
	strata_sim_link_set(pair.link, STRATA_SIM_BACK, &bunched);
	transfer(sim, &pair, 2000000, 0, 300);
}

static void a_way_back_a_hundred_times_slower(struct strata_sim *sim, unsigned int scale)
{
	struct pair pair;

	(void)scale;
	if (!make_pair(sim, &pair, NULL, 0, &(struct strata_impairment){ .delay = 10 * STRATA_MS,
			.rate = 100000000, .queue_bytes = 300000 }))
		return;
	strata_sim_link_set(pair.link, STRATA_SIM_BACK, &(struct strata_impairment){
		.delay = 10 * STRATA_MS, .rate = 1000000, .queue_packets = 20 });
	transfer(sim, &pair, 5000000, 50000, 300);
}

static void an_mtu_that_shrinks_in_mid_flow(struct strata_sim *sim, unsigned int scale)
{
	const struct strata_impairment wide = { .delay = 10 * STRATA_MS, .rate = 10000000 };
	struct strata_impairment narrow = wide;
	struct pair pair;

	(void)scale;
	narrow.mtu = 600;
	if (!make_pair(sim, &pair, NULL, 0, &wide))
		return;
	strata_sim_link_report_mtu(pair.link, true);
	strata_sim_link_set_at(pair.link, STRATA_SIM_BOTH, strata_sim_now(sim) + 300 * STRATA_MS, &narrow);
	transfer(sim, &pair, 1000000, 1000000, 300);
	want(sim, strata_sim_link_stats(pair.link, STRATA_SIM_FORTH)->too_big != 0,
	     "a packet was too large for the narrow link");
}

/* The routers of this path say nothing. */
static void an_mtu_that_shrinks_without_a_word(struct strata_sim *sim, unsigned int scale)
{
	const struct strata_impairment wide = { .delay = 10 * STRATA_MS, .rate = 10000000 };
	struct strata_impairment narrow = wide;
	struct pair pair;

	(void)scale;
	narrow.mtu = 1200;
	if (!make_pair(sim, &pair, NULL, 0, &wide))
		return;
	strata_sim_link_set_at(pair.link, STRATA_SIM_BOTH, strata_sim_now(sim) + 300 * STRATA_MS, &narrow);
	transfer(sim, &pair, 1000000, 1000000, 600);
	want(sim, strata_sim_link_stats(pair.link, STRATA_SIM_FORTH)->too_big != 0,
	     "a packet was too large for the narrow link");
}

static void marks_instead_of_losses(struct strata_sim *sim, unsigned int scale)
{
	struct pair pair;

	(void)scale;
	if (!make_pair(sim, &pair, "tcp.ecn=1", 0, &(struct strata_impairment){ .delay = 10 * STRATA_MS,
			.rate = 20000000, .queue_bytes = 400000, .mark_queue = 30000 }))
		return;
	transfer(sim, &pair, 5000000, 5000000, 60);
	want(sim, strata_sim_link_stats(pair.link, STRATA_SIM_FORTH)->marked != 0 &&
	     strata_sim_link_stats(pair.link, STRATA_SIM_BACK)->marked != 0, "packets are marked");
	want(sim, strata_sim_link_stats(pair.link, STRATA_SIM_FORTH)->queue_full == 0, "and none is lost");
}

/* ---- the fault module, as the link of a live stack would have it ---- */

static struct strata_sim_host *faulty_host(struct strata_sim *sim, const char *name, const char *address)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "strata: 1\nstack:\n  name: %s\n  log: warning\nmodules:\n  - name: wire\n  - name: fault\n"
		 "  - name: ipv4\n  - name: icmp\n  - name: tcp\ninterfaces:\n  - name: w0\n    driver: wire\n"
		 "    options:\n      medium: ip\n  - name: f0\n    driver: fault\n    addresses: [%s]\n"
		 "    options:\n      over: w0\n      rx_loss: 2%%\n      tx_loss: 2%%\n      tx_duplicate: 2%%\n"
		 "      tx_corrupt: 2%%\n      rx_corrupt: 2%%\n      tx_truncate: 1%%\n      rx_reorder: 5%%\n"
		 "      tx_reorder: 5%%\n      rx_delay: 5ms\n      tx_delay: 5ms\n      tx_jitter: 3ms\n"
		 "      tx_rate: 20000000\n      tx_queue_bytes: 200KiB\n", name, address);
	return strata_sim_host(sim, &(struct strata_sim_host_config){ .name = name, .manifest = text });
}

/* What the module spoils is a copy: the bytes that are sent again are those that were given. */
static void the_fault_module_at_both_ends(struct strata_sim *sim, unsigned int scale)
{
	struct pair pair = { .a = faulty_host(sim, "a", "192.0.2.1/24"),
			     .b = faulty_host(sim, "b", "192.0.2.2/24") };

	(void)scale;
	if (pair.a == NULL || pair.b == NULL)
		return;
	pair.link = strata_sim_link(sim, strata_sim_port(pair.a), strata_sim_port(pair.b), NULL);
	strata_sim_settle(sim);
	transfer(sim, &pair, 500000, 500000, 1800);
	want(sim, strata_sim_counter(pair.a, "fault", "corrupted") != 0 &&
	     strata_sim_counter(pair.a, "fault", "truncated") != 0 &&
	     strata_sim_counter(pair.a, "fault", "duplicated") != 0 &&
	     strata_sim_counter(pair.a, "fault", "reordered") != 0 &&
	     strata_sim_counter(pair.a, "fault", "lost") != 0, "the module did all it was asked for");
}

static void corruption_of_several_bits(struct strata_sim *sim, unsigned int scale)
{
	struct pair pair;

	(void)scale;
	if (make_pair(sim, &pair, NULL, 0, &(struct strata_impairment){ .delay = 5 * STRATA_MS,
			.corrupt = STRATA_PERCENT(5), .corrupt_bits = 4, .truncate = STRATA_PERCENT(2) }))
		transfer(sim, &pair, 500000, 500000, 1200);
}

/* ---- black-outs ---- */

struct resumption {
	const struct strata_sim_link_stats *stats;
	uint64_t before;
};

static bool resumed(void *ctx)
{
	const struct resumption *r = ctx;

	return r->stats->arrived > r->before;
}

static void a_black_out_of_a_minute(struct strata_sim *sim, unsigned int scale)
{
	struct resumption r;
	struct pair pair;
	uint64_t now;

	(void)scale;
	if (!make_pair(sim, &pair, NULL, 0, &(struct strata_impairment){ .delay = 10 * STRATA_MS,
			.rate = 1000000 }))
		return;
	now = strata_sim_now(sim);
	strata_sim_link_dark(pair.link, STRATA_SIM_BOTH, now + STRATA_SEC, now + 61 * STRATA_SEC);
	strata_sim_flow(sim, &(struct strata_sim_flow_config){ .client = pair.a, .server = pair.b,
		.forth = 1000000, .back = 100000 });
	strata_sim_run(sim, 61 * STRATA_SEC, NULL, NULL);
	r.stats = strata_sim_link_stats(pair.link, STRATA_SIM_FORTH);
	r.before = r.stats->arrived;
	/* Twice the largest retransmission timeout. */
	want(sim, strata_sim_run(sim, 120 * STRATA_SEC, resumed, &r), "the flow resumes");
	strata_sim_run_flows(sim, 300 * STRATA_SEC);
	want(sim, strata_sim_totals(sim)->bytes == 1100000, "every byte arrives");
}

struct ending {
	unsigned int times;
	int client;
};

static void count_ending(struct strata_sim_flow *flow, void *ctx)
{
	struct ending *ending = ctx;

	ending->times++;
	ending->client = strata_sim_flow_stats(flow)->client.error;
}

static void a_black_out_for_good_times_out_once(struct strata_sim *sim, unsigned int scale)
{
	struct ending ending = { 0 };
	struct pair pair;
	uint64_t now;

	(void)scale;
	if (!make_pair(sim, &pair, NULL, 0, &(struct strata_impairment){ .delay = 10 * STRATA_MS,
			.rate = 1000000 }))
		return;
	now = strata_sim_now(sim);
	strata_sim_link_dark(pair.link, STRATA_SIM_BOTH, now + STRATA_SEC, STRATA_NEVER);
	strata_sim_flow(sim, &(struct strata_sim_flow_config){ .client = pair.a, .server = pair.b,
		.forth = 1000000, .ended = count_ending, .ctx = &ending });
	strata_sim_run(sim, 3600 * STRATA_SEC, NULL, NULL);
	want(sim, ending.times == 1 && ending.client == ETIMEDOUT, "the client reads ETIMEDOUT, once");
}

/* ---- clocks ---- */

enum what { FORWARD, BACKWARD, STOPPED };

struct clockwork {
	struct strata_sim_host *host;
	enum what what;
};

static void go_wrong(void *arg)
{
	const struct clockwork *c = arg;

	if (c->what == STOPPED)
		strata_sim_clock_stop(c->host, 10 * STRATA_SEC);
	else
		strata_sim_clock_jump(c->host, (c->what == FORWARD ? 1 : -1) * 3600 * (int64_t)STRATA_SEC);
}

/* The clock of one end goes wrong in mid-flow, of the sender and of the reader. */
static void wrong_clock(struct strata_sim *sim, enum what what, uint64_t limit)
{
	struct clockwork clocks[2];
	uint64_t sent;
	struct pair pair;

	if (!make_pair(sim, &pair, NULL, 0, &(struct strata_impairment){ .delay = 10 * STRATA_MS,
			.rate = 1000000, .loss = STRATA_PERCENT(1) }))
		return;
	clocks[0] = (struct clockwork){ pair.a, what };
	clocks[1] = (struct clockwork){ pair.b, what };
	strata_sim_at(sim, strata_sim_now(sim) + 2 * STRATA_SEC, go_wrong, &clocks[0]);
	strata_sim_at(sim, strata_sim_now(sim) + 5 * STRATA_SEC, go_wrong, &clocks[1]);
	strata_sim_flow(sim, &(struct strata_sim_flow_config){ .client = pair.a, .server = pair.b,
		.forth = 1000000, .back = 1000000 });
	strata_sim_run_flows(sim, limit * STRATA_SEC);
	want(sim, strata_sim_totals(sim)->bytes == 2000000, "every byte arrives");
	/* Storms of timers would be storms of frames. */
	sent = strata_sim_link_stats(pair.link, STRATA_SIM_FORTH)->sent +
	       strata_sim_link_stats(pair.link, STRATA_SIM_BACK)->sent;
	want(sim, sent < 10000, "no storm of frames breaks out");
}

static void a_clock_that_jumps_an_hour_forward(struct strata_sim *sim, unsigned int scale)
{
	(void)scale;
	wrong_clock(sim, FORWARD, 600);
}

/* It reads as standing until it has caught up. */
static void a_clock_that_jumps_an_hour_back(struct strata_sim *sim, unsigned int scale)
{
	(void)scale;
	wrong_clock(sim, BACKWARD, 3600 + 600);
}

static void a_clock_that_stops(struct strata_sim *sim, unsigned int scale)
{
	(void)scale;
	wrong_clock(sim, STOPPED, 600);
}

static void milliseconds_of_32_bits_that_wrap(struct strata_sim *sim, unsigned int scale)
{
	/* What the hosts read is 20 s before 2^32 ms, of which settling takes 15. */
	int64_t offset = (int64_t)((UINT64_C(1) << 32) * STRATA_MS - 20 * STRATA_SEC - strata_sim_now(sim));
	struct pair pair;

	(void)scale;
	if (!make_pair(sim, &pair, NULL, offset, &(struct strata_impairment){ .delay = 50 * STRATA_MS,
			.rate = 1000000, .loss = STRATA_PERCENT(2) }))
		return;
	transfer(sim, &pair, 1000000, 1000000, 600);
}

/* ---- a year ---- */

static void keep_alive(struct strata_stack *stack, int s, bool server, void *ctx)
{
	int on = 1;

	if (!server)
		*(int *)ctx = s;
	strata_setsockopt(stack, s, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static bool is_established(struct strata_sim_host *host, int s)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	return strata_getsockopt(strata_sim_stack(host), s, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
	       info.tcpi_state == TCP_ESTABLISHED;
}

static void an_idle_connection_lives_a_year(struct strata_sim *sim, unsigned int scale)
{
	const char *sanitizers = getenv("STRATA_TEST_SANITIZERS");
	clock_t began = clock();
	struct pair pair;
	int s = -1;

	(void)scale;
	if (!make_pair(sim, &pair, NULL, 0, &(struct strata_impairment){ .delay = 10 * STRATA_MS }))
		return;
	strata_sim_flow(sim, &(struct strata_sim_flow_config){ .client = pair.a, .server = pair.b,
		.forth = 1000, .keep = true, .prepare = keep_alive, .ctx = &s });
	strata_sim_run(sim, 365 * 86400 * STRATA_SEC, NULL, NULL);
	want(sim, strata_sim_totals(sim)->bytes == 1000 && strata_sim_totals(sim)->failed == 0 &&
	     is_established(pair.a, s), "the connection is there after a year");
	/* One each two hours from each end that is idle; each that is answered makes the other end less so. */
	want(sim, strata_sim_link_stats(pair.link, STRATA_SIM_FORTH)->sent > 4000, "it was kept alive");
	if (sanitizers == NULL || sanitizers[0] != 'y')
		want(sim, clock() - began < 2 * CLOCKS_PER_SEC, "the year takes less than two seconds");
}

static const struct strata_sim_case cases[] = {
	{ "bursts_of_losses", bursts_of_losses, 4 },
	{ "jitter_that_reorders", jitter_that_reorders, 4 },
	{ "reordering_64_deep", reordering_64_deep, 4 },
	{ "compressed_acknowledgements", compressed_acknowledgements, 2 },
	{ "a_way_back_a_hundred_times_slower", a_way_back_a_hundred_times_slower, 2 },
	{ "an_mtu_that_shrinks_in_mid_flow", an_mtu_that_shrinks_in_mid_flow, 4 },
	{ "an_mtu_that_shrinks_without_a_word", an_mtu_that_shrinks_without_a_word, 4 },
	{ "marks_instead_of_losses", marks_instead_of_losses, 2 },
	{ "the_fault_module_at_both_ends", the_fault_module_at_both_ends, 4 },
	{ "corruption_of_several_bits", corruption_of_several_bits, 4 },
	{ "a_black_out_of_a_minute", a_black_out_of_a_minute, 4 },
	{ "a_black_out_for_good_times_out_once", a_black_out_for_good_times_out_once, 2 },
	{ "a_clock_that_jumps_an_hour_forward", a_clock_that_jumps_an_hour_forward, 4 },
	{ "a_clock_that_jumps_an_hour_back", a_clock_that_jumps_an_hour_back, 4 },
	{ "a_clock_that_stops", a_clock_that_stops, 4 },
	{ "milliseconds_of_32_bits_that_wrap", milliseconds_of_32_bits_that_wrap, 4 },
	{ "an_idle_connection_lives_a_year", an_idle_connection_lives_a_year, 1 },
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return strata_sim_main(argc, argv, cases);
}
