/* SPDX-License-Identifier: BSD-2-Clause */
/* Flows over one bottleneck: building it, looking at the windows, adding up. */
#include "dumbbell.h"

#include <linux/tcp.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FRAME_OVERHEAD = 14 + 20 + 32,	/* Ethernet, IPv4, TCP with time stamps */
	FRAME = 1514,
	DATA_FRAME = 1000,		/* shorter ones are acknowledgements */
	POINTS = 200000,
};

struct run {
	const struct dumbbell *d;
	struct dumbbell_result *result;
	struct strata_sim *sim;
	uint64_t begun;
	struct strata_sim_flow *flow[DUMBBELL_FLOWS];
	struct strata_sim_flow_config config[DUMBBELL_FLOWS];
	struct prepare {
		struct run *run;
		const char *algorithm;
	} prepare[DUMBBELL_FLOWS];
	struct strata_sim_host *client, *server;
	/* Losses by count. */
	uint64_t data_frames;
	unsigned int losses;
	bool measuring, done;
	uint64_t from, sent_before, received_before[DUMBBELL_FLOWS];
	double window_sum[DUMBBELL_FLOWS], rtt_sum[DUMBBELL_FLOWS];
	unsigned long samples[DUMBBELL_FLOWS];
};

static void measure_from_now(struct run *run)
{
	run->measuring = true;
	run->from = strata_sim_now(run->sim);
	run->sent_before = run->data_frames;
	for (unsigned int i = 0; i < run->d->flows; i++)
		if (run->flow[i] != NULL)
			run->received_before[i] =
				strata_sim_flow_stats(run->flow[i])->server.received;
}

static bool filter(void *ctx, uint64_t now, const void *frame, size_t length)
{
	struct run *run = ctx;
	const struct dumbbell *d = run->d;

	(void)now;
	(void)frame;
	if (length < DATA_FRAME)
		return true;
	run->data_frames++;
	if (d->every == 0 || run->data_frames < d->first ||
	    (run->data_frames - d->first) % d->every != 0)
		return true;
	run->losses++;
	if (d->warmup_losses != 0 && run->losses == d->warmup_losses)
		measure_from_now(run);
	if (d->losses != 0 && run->losses >= d->losses)
		run->done = true;
	return false;
}

static void prepare(struct strata_stack *stack, int s, bool server, void *ctx)
{
	const struct prepare *p = ctx;

	if (!server && strata_setsockopt(stack, s, IPPROTO_TCP, TCP_CONGESTION, p->algorithm,
					 (socklen_t)strlen(p->algorithm)) != 0)
		strata_sim_fault(p->run->sim, "there is no %s", p->algorithm);
}

static void start(void *arg)
{
	struct prepare *p = arg;
	struct run *run = p->run;
	size_t i = (size_t)(p - run->prepare);

	run->flow[i] = strata_sim_flow(run->sim, &run->config[i]);
}

/* ---- looking ---- */

static void look(struct run *run, unsigned int i, double seconds)
{
	struct dumbbell_flow *flow = &run->result->flow[i];
	int s = strata_sim_flow_stats(run->flow[i])->client.s;
	socklen_t length = sizeof(struct tcp_info);
	struct tcp_info info = { 0 };

	if (s < 0 || strata_getsockopt(strata_sim_stack(run->client), s, IPPROTO_TCP, TCP_INFO, &info,
				       &length) != 0)
		return;
	run->result->mss = info.tcpi_snd_mss;
	flow->retransmitted = info.tcpi_total_retrans;
	if (flow->point_count < POINTS)
		flow->points[flow->point_count++] =
			(struct dumbbell_point){ (float)seconds, (float)info.tcpi_snd_cwnd };
	if (!run->measuring)
		return;
	run->window_sum[i] += info.tcpi_snd_cwnd;
	run->rtt_sum[i] += info.tcpi_rtt / 1000.0;
	run->samples[i]++;
}

static void sample(void *arg)
{
	struct run *run = arg;
	uint64_t now = strata_sim_now(run->sim), every = run->d->sample;

	if (every == 0)
		every = run->d->rtt / 4;
	for (unsigned int i = 0; i < run->d->flows; i++)
		if (run->flow[i] != NULL)
			look(run, i, (double)(now - run->begun) / 1e9);
	strata_sim_at(run->sim, now + every, sample, run);
}

static void warm(void *arg)
{
	measure_from_now(arg);
}

static bool is_done(void *ctx)
{
	return ((struct run *)ctx)->done;
}

/* ---- adding up ---- */

double dumbbell_expected(const char *algorithm, double p, double rtt)
{
	/* Mathis et al. 1997: each 1/p-th packet is lost, each byte acknowledged opens the window. RFC 9438
	 * 5.1, figure 6, C = 0.4, beta = 0.7; in the Reno-friendly region it is as Reno (4.3). */
	double reno = 1.22 / sqrt(p), cubic = 1.054 * pow(rtt / p, 0.75);

	return strcmp(algorithm, "cubic") == 0 && cubic > reno ? cubic : reno;
}

double dumbbell_capacity(const struct dumbbell *d, const struct dumbbell_result *result)
{
	return (double)d->rate * result->mss / FRAME;
}

static void add_up(struct run *run)
{
	struct dumbbell_result *result = run->result;
	double seconds = (double)(strata_sim_now(run->sim) - run->from) / 1e9, sum = 0, squares = 0;

	result->seconds = seconds;
	result->sent = run->data_frames - run->sent_before;
	result->losses = run->losses > run->d->warmup_losses ? run->losses - run->d->warmup_losses : 0;
	for (unsigned int i = 0; i < run->d->flows; i++) {
		struct dumbbell_flow *flow = &result->flow[i];
		uint64_t received = strata_sim_flow_stats(run->flow[i])->server.received;

		flow->goodput = (double)(received - run->received_before[i]) * 8 / seconds;
		if (run->samples[i] != 0) {
			flow->window = run->window_sum[i] / (double)run->samples[i];
			flow->srtt = run->rtt_sum[i] / (double)run->samples[i];
		}
		sum += flow->goodput;
		squares += flow->goodput * flow->goodput;
	}
	if (squares > 0)
		result->jain = sum * sum / (run->d->flows * squares);
	if (run->d->rate != 0)
		result->used = sum / dumbbell_capacity(run->d, result);
}

/* ---- building ---- */

static void build(struct run *run)
{
	const struct dumbbell *d = run->d;
	struct strata_impairment forth = { .delay = d->rtt / 2, .rate = d->rate, .queue_bytes = d->queue,
					   .loss = d->loss };
	struct strata_impairment back = { .delay = d->rtt - d->rtt / 2 };
	struct strata_sim_host_config host = {
		.modules = "ethernet arp ipv4 icmp newreno cubic bbr tcp",
	};
	unsigned long long buffers = d->buffers != 0 ? d->buffers : 64 << 20;
	struct strata_sim_link *link;
	char options[512];

	snprintf(options, sizeof(options),
		 "tcp.rcvbuf=%llu tcp.sndbuf=%llu tcp.rcvbuf_max=%llu tcp.sndbuf_max=%llu %s", buffers,
		 buffers, buffers, buffers, d->options != NULL ? d->options : "");
	host.options = options;
	host.name = "a";
	host.address = "192.0.2.1/24";
	run->client = strata_sim_host(run->sim, &host);
	host.name = "b";
	host.address = "192.0.2.2/24";
	run->server = strata_sim_host(run->sim, &host);
	if (strata_sim_faulty(run->sim))
		return;
	link = strata_sim_link(run->sim, strata_sim_port(run->client), strata_sim_port(run->server), &back);
	strata_sim_link_set(link, STRATA_SIM_FORTH, &forth);
	strata_sim_link_filter(link, STRATA_SIM_FORTH, filter, run);
	strata_sim_settle(run->sim);
	run->begun = strata_sim_now(run->sim);
	for (unsigned int i = 0; i < d->flows; i++) {
		run->prepare[i] = (struct prepare){ run, d->flow[i].algorithm };
		run->config[i] = (struct strata_sim_flow_config){
			.client = run->client, .server = run->server, .forth = UINT64_C(1) << 50,
			.most = 65536, .keep = true, .prepare = prepare, .ctx = &run->prepare[i],
		};
		run->result->flow[i].points = malloc(POINTS * sizeof(struct dumbbell_point));
		if (run->result->flow[i].points == NULL)
			abort();
		strata_sim_at(run->sim, run->begun + d->flow[i].starts, start, &run->prepare[i]);
	}
	strata_sim_at(run->sim, run->begun + 1, sample, run);
	if (d->warmup_losses == 0)
		strata_sim_at(run->sim, run->begun + d->warmup, warm, run);
}

int dumbbell_run(const struct dumbbell *d, struct dumbbell_result *result)
{
	struct run run = { .d = d, .result = result };

	memset(result, 0, sizeof(*result));
	run.sim = strata_sim_create(&(struct strata_sim_config){ .seed = d->seed, .super = d->super });
	if (run.sim == NULL)
		return 1;
	build(&run);
	if (!strata_sim_faulty(run.sim))
		strata_sim_run(run.sim, d->duration, is_done, &run);
	if (!strata_sim_faulty(run.sim))
		add_up(&run);
	return strata_sim_destroy(run.sim);
}

void dumbbell_free(struct dumbbell_result *result)
{
	for (unsigned int i = 0; i < DUMBBELL_FLOWS; i++)
		free(result->flow[i].points);
}
