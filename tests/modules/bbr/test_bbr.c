/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BBR's model and its walk through the states (draft-ietf-ccwg-bbr-06), on a path of this file's own: one
 * bottleneck with a queue, a sender that paces, no transport.
 */
#include <strata/congestion.h>

#include "fixture.h"

enum { MSS = 1000, RING = 1 << 14, WALK = 4096 };

/* A segment on its way: what draft-ietf-ccwg-bbr-06 4.1.2 wants remembered. */
struct sent {
	uint64_t time, arrives;		/* its acknowledgement; STRATA_NEVER: it is lost */
	uint64_t delivered, delivered_time, first_sent_time, lost;
	uint32_t tx_flight;
	bool app_limited;
};

struct path {
	struct fixture *fx;
	struct strata_congestion c;
	uint64_t now, begun;
	/* The path. */
	uint64_t rate, rtt, queue;	/* bytes a second, ns, bytes */
	uint32_t loss;			/* of 10,000, at random */
	uint64_t rng;
	uint64_t busy;			/* the bottleneck is, until then */
	/* The sender. */
	struct sent ring[RING];
	uint64_t head, tail;
	uint64_t paced, delivered_time, first_sent_time, app_limited_until, recover;
	uint64_t supply;		/* bytes that the application still gives; UINT64_MAX: any number */
	bool in_recovery, cwnd_limited;
	/* What was seen. */
	char walk[WALK];		/* phases, a space before each */
	uint32_t most_flight, least_flight;
	uint64_t sent, dropped;
};

static const struct strata_congestion_ops *ops(const struct path *p)
{
	return p->c.algorithm->module->congestion;
}

static const char *describe(struct path *p, char *text, size_t size)
{
	ops(p)->describe(&p->c, text, size);
	return text;
}

static uint64_t figure(struct path *p, const char *name)
{
	char text[200], *at = strstr(describe(p, text, sizeof(text)), name);

	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 10);
}

static void note_phase(struct path *p)
{
	char text[200], *last = strrchr(p->walk, ' ');
	size_t used = strlen(p->walk);

	*strchr(describe(p, text, sizeof(text)), ' ') = '\0';
	if (last != NULL && strcmp(last + 1, text) == 0)
		return;
	assert_true(used + strlen(text) + 2 < WALK);
	snprintf(p->walk + used, WALK - used, " %s", text);
}

static struct path *path_open(uint64_t rate, uint64_t rtt, uint64_t queue)
{
	struct path *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->fx = fx_open(.modules = "ethernet arp ipv4 bbr tcp");
	p->now = p->begun = p->delivered_time = p->first_sent_time = p->fx->now;
	p->rate = rate;
	p->rtt = rtt;
	p->queue = queue;
	p->rng = 1;
	p->supply = UINT64_MAX;
	p->c = (struct strata_congestion){
		.algorithm = (struct strata_instance *)(uintptr_t)fx_instance(p->fx, "bbr"),
		.mss = MSS, .cwnd = 10 * MSS, .ssthresh = UINT32_MAX,
		.srtt = rtt, .min_rtt = rtt, .sack = true,
	};
	ops(p)->init(&p->c);
	return p;
}

static void path_close(struct path *p)
{
	ops(p)->release(&p->c);
	fx_close(p->fx);
	free(p);
}

/* ---- the sender ---- */

static void send_one(struct path *p)
{
	struct sent *s = &p->ring[p->head++ % RING];
	uint64_t start;

	assert_true(p->head - p->tail < RING);
	if (p->c.flight == 0) {
		ops(p)->flight_begins(&p->c, p->now, p->app_limited_until != 0);
		p->first_sent_time = p->delivered_time = p->now;
	}
	p->c.flight += MSS;
	*s = (struct sent){ .time = p->now, .delivered = p->c.delivered, .lost = p->c.lost,
			    .delivered_time = p->delivered_time, .tx_flight = p->c.flight,
			    .first_sent_time = p->first_sent_time,
			    .app_limited = p->app_limited_until != 0 || p->c.mark_app_limited };
	p->supply -= p->supply != UINT64_MAX ? MSS : 0;
	p->paced = (p->paced > p->now ? p->paced : p->now) + MSS * STRATA_SEC / p->c.pacing_rate;
	p->sent++;
	start = p->busy > p->now ? p->busy : p->now;
	s->arrives = STRATA_NEVER;
	if ((start - p->now) * p->rate / STRATA_SEC > p->queue) {
		p->dropped++;
		return;
	}
	p->busy = start + MSS * STRATA_SEC / p->rate;
	if (p->loss == 0 || fx_random(&p->rng) % 10000 >= p->loss)
		s->arrives = p->busy + p->rtt;
}

/* The segments before `s` that never arrived are found lost with it, each by itself. */
static void find_losses(struct path *p, struct strata_ack_sample *ack)
{
	while (p->ring[p->tail % RING].arrives == STRATA_NEVER) {
		struct sent *s = &p->ring[p->tail++ % RING];
		struct strata_loss_sample loss = { .now = p->now, .bytes = MSS, .tx_flight = s->tx_flight,
						   .app_limited = s->app_limited };

		p->c.flight -= MSS;
		p->c.lost += MSS;
		ack->lost += MSS;
		loss.lost_since = (uint32_t)(p->c.lost - s->lost);
		ops(p)->segment_lost(&p->c, &loss);
		if (!p->in_recovery) {
			ops(p)->loss(&p->c, p->now);
			p->in_recovery = true;
			p->recover = p->head;
		}
	}
}

static void receive_ack(struct path *p)
{
	struct strata_ack_sample ack = { .now = p->now, .acked = MSS, .newly_delivered = MSS,
					 .flight_before = p->c.flight };
	struct sent s;

	if (p->in_recovery && p->tail >= p->recover)
		p->in_recovery = false;
	find_losses(p, &ack);
	s = p->ring[p->tail++ % RING];
	p->c.flight -= MSS;
	p->c.delivered += MSS;
	p->delivered_time = p->now;
	p->first_sent_time = s.time;
	if (p->app_limited_until != 0 && p->c.delivered > p->app_limited_until)
		p->app_limited_until = 0;
	ack.rtt = p->now - s.time;
	ack.prior_delivered = s.delivered;
	ack.interval = p->now - s.delivered_time > s.time - s.first_sent_time ?
			       p->now - s.delivered_time : s.time - s.first_sent_time;
	ack.rate_delivered = (uint32_t)(p->c.delivered - s.delivered);
	ack.delivery_rate = ack.rate_delivered * STRATA_SEC / ack.interval;
	ack.rate_lost = (uint32_t)(p->c.lost - s.lost);
	ack.tx_flight = s.tx_flight;
	ack.app_limited = s.app_limited;
	ack.cwnd_limited = p->cwnd_limited;
	ack.in_recovery = p->in_recovery;
	ops(p)->control(&p->c, &ack);
	note_phase(p);
}

static uint64_t next_ack(const struct path *p)
{
	for (uint64_t i = p->tail; i != p->head; i++)
		if (p->ring[i % RING].arrives != STRATA_NEVER)
			return p->ring[i % RING].arrives;
	return STRATA_NEVER;
}

/* Lets `ns` pass. */
static void run(struct path *p, uint64_t ns)
{
	uint64_t end = p->now + ns;

	p->most_flight = 0;
	p->least_flight = UINT32_MAX;
	for (;;) {
		bool room = p->c.flight + MSS <= p->c.cwnd, gives = p->supply >= MSS;
		uint64_t sends = room && gives ? (p->paced > p->now ? p->paced : p->now) : STRATA_NEVER;
		uint64_t acks = next_ack(p);

		p->cwnd_limited = !room;
		if (room && !gives)
			p->app_limited_until = p->c.delivered + p->c.flight + 1;
		if (sends > end && acks > end)
			break;
		p->now = sends < acks ? sends : acks;
		if (sends < acks)
			send_one(p);
		else
			receive_ack(p);
		if (p->c.flight > p->most_flight)
			p->most_flight = p->c.flight;
		if (p->c.flight < p->least_flight)
			p->least_flight = p->c.flight;
	}
	p->now = end;
}

/* Bytes a second delivered while `ns` pass. */
static uint64_t goodput(struct path *p, uint64_t ns)
{
	uint64_t before = p->c.delivered;

	run(p, ns);
	return (p->c.delivered - before) * STRATA_SEC / ns;
}

/* ---- the walk ---- */

/* 10 MB/s, 40 ms: 400 segments. */
#define RATE UINT64_C(10000000)
#define RTT (40 * STRATA_MS)
#define BDP 400000

static void it_walks_from_startup_through_drain_round_the_phases_of_probe_bw(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);

	(void)state;
	/* 2.77 times the initial window in a round trip. */
	assert_in_range(p->c.pacing_rate, 10000 * 25 * 2.76, 10000 * 25 * 2.78);
	run(p, 4 * STRATA_SEC);
	/* At Drain's end the queue is empty: DOWN is over at once. */
	assert_string_equal(p->walk, " Startup Drain ProbeBW_CRUISE ProbeBW_REFILL ProbeBW_UP ProbeBW_DOWN "
				     "ProbeBW_CRUISE");
	assert_in_range(figure(p, "bw:"), RATE * 99 / 100, RATE * 101 / 100);
	assert_in_range(figure(p, "min_rtt:"), 40000, 40200);
	assert_int_equal(p->dropped, 0);
	path_close(p);
}

static void startup_doubles_its_rate_each_round_trip_and_stops_when_that_brings_no_more(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);
	uint64_t before = 0;

	(void)state;
	/* From 10 to 400 segments are five and a half doublings. */
	for (unsigned int round = 0; round < 4; round++) {
		uint64_t rate;

		run(p, RTT);
		rate = figure(p, "bw:");
		assert_true(round == 0 || rate > before * 3 / 2);
		before = rate;
	}
	assert_string_equal(p->walk, " Startup");
	run(p, 12 * RTT);
	assert_string_equal(strrchr(p->walk, ' '), " Drain");
	/* The queue that Startup made is no longer than the path. */
	assert_in_range(p->most_flight, 2 * BDP * 9 / 10, 2 * BDP * 12 / 10);
	while (strcmp(strrchr(p->walk, ' '), " Drain") == 0)
		run(p, STRATA_MS);
	assert_in_range(p->c.flight, BDP * 9 / 10, BDP * 101 / 100);
	path_close(p);
}

static void cruising_it_paces_one_percent_below_the_bandwidth_and_keeps_the_queue_short(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);

	(void)state;
	run(p, 2 * STRATA_SEC);
	while (strcmp(strrchr(p->walk, ' '), " ProbeBW_CRUISE") != 0)
		run(p, STRATA_MS);
	run(p, RTT);
	assert_int_equal(p->c.pacing_rate / 1000, figure(p, "bw:") * 99 / 100 / 1000);
	assert_in_range(p->most_flight, BDP * 9 / 10, BDP * 105 / 100);
	/* 1 ms at that rate. */
	assert_in_range(p->c.send_quantum, 9800, 10000);
	assert_true(goodput(p, 20 * STRATA_SEC) > RATE * 96 / 100);
	path_close(p);
}

static void probe_rtt_comes_every_five_seconds_halves_the_flight_and_gives_the_window_back(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);
	uint32_t window = 0;
	uint64_t began;

	(void)state;
	while (strstr(p->walk, "ProbeRTT") == NULL) {
		window = p->c.cwnd;
		run(p, STRATA_MS);
	}
	began = p->now;
	assert_in_range(p->now - p->begun, 5 * STRATA_SEC, 5 * STRATA_SEC + 500 * STRATA_MS);
	run(p, 200 * STRATA_MS);
	assert_true(p->c.mark_app_limited);
	assert_in_range(p->least_flight, BDP * 45 / 100, BDP * 55 / 100);
	while (strcmp(strrchr(p->walk, ' '), " ProbeRTT") == 0)
		run(p, STRATA_MS);
	assert_false(p->c.mark_app_limited);
	assert_in_range(p->now - began, 200 * STRATA_MS, 400 * STRATA_MS);
	assert_string_equal(strrchr(p->walk, ' '), " ProbeBW_CRUISE");
	assert_in_range(p->c.cwnd, window * 9 / 10, window * 11 / 10);
	/* Its small samples did not lower the estimate. */
	assert_in_range(figure(p, "bw:"), RATE * 99 / 100, RATE * 101 / 100);
	path_close(p);
}

/* ---- changes of the path ---- */

static void more_and_less_bandwidth_is_found(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);

	(void)state;
	run(p, 4 * STRATA_SEC);
	p->rate = 2 * RATE;
	run(p, 8 * STRATA_SEC);
	assert_in_range(figure(p, "bw:"), 2 * RATE * 97 / 100, 2 * RATE * 101 / 100);
	p->rate = RATE / 2;
	run(p, 12 * STRATA_SEC);
	assert_in_range(figure(p, "bw:"), RATE / 2 * 98 / 100, RATE / 2 * 102 / 100);
	path_close(p);
}

static void a_longer_path_is_found_when_the_old_time_is_forgotten(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);

	(void)state;
	run(p, 4 * STRATA_SEC);
	p->rtt = 2 * RTT;
	run(p, 20 * STRATA_SEC);
	assert_in_range(figure(p, "min_rtt:"), 80000, 81000);
	assert_true(goodput(p, 10 * STRATA_SEC) > RATE * 94 / 100);
	path_close(p);
}

/* ---- losses ---- */

static void one_percent_of_random_loss_costs_little(void **state)
{
	/* Some 1600 segments in a round trip: chance seldom makes 2 % of them out of 1 %. */
	struct path *p = path_open(4 * RATE, RTT, 16 * BDP);
	struct strata_error error = { 0 };

	(void)state;
	p->loss = 100;
	run(p, 3 * STRATA_SEC);
	assert_true(goodput(p, 20 * STRATA_SEC) > 4 * RATE * 92 / 100);
	/* The draft's rule. */
	assert_int_equal(strata_option_set(p->fx->stack, "bbr.loss_tolerance", "0", &error), 0);
	assert_true(goodput(p, 20 * STRATA_SEC) < 4 * RATE * 85 / 100);
	path_close(p);
}

static void a_short_queue_bounds_the_flight_near_what_it_holds(void **state)
{
	struct path *p = path_open(RATE, RTT, BDP / 10);
	uint64_t lost, sent;

	(void)state;
	run(p, 3 * STRATA_SEC);
	assert_true(figure(p, "inflight_longterm:") != UINT32_MAX);
	lost = p->dropped;
	sent = p->sent;
	assert_true(goodput(p, 30 * STRATA_SEC) > RATE * 90 / 100);
	assert_in_range(figure(p, "inflight_longterm:"), BDP * 9 / 10, BDP * 13 / 10);
	/* It learns: in the long run fewer are lost than the threshold of 2 %. */
	assert_true((p->dropped - lost) * 100 < 2 * (p->sent - sent));
	path_close(p);
}

static void heavy_loss_ends_startup(void **state)
{
	struct path *p = path_open(RATE, RTT, BDP / 10);

	(void)state;
	while (strcmp(p->walk, " Startup") == 0 || p->walk[0] == '\0')
		run(p, STRATA_MS);
	assert_string_equal(p->walk, " Startup Drain");
	assert_in_range(figure(p, "inflight_longterm:"), BDP * 8 / 10, BDP * 2);
	path_close(p);
}

static void losses_that_never_were_are_forgotten(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);
	const struct strata_loss_sample loss = { .bytes = BDP / 2, .tx_flight = BDP, .lost_since = BDP / 2 };
	struct strata_loss_sample now = loss;
	uint32_t cwnd;

	(void)state;
	run(p, 2 * STRATA_SEC);
	while (strcmp(strrchr(p->walk, ' '), " ProbeBW_UP") != 0)
		run(p, STRATA_MS);
	cwnd = p->c.cwnd;
	assert_int_equal(figure(p, "inflight_longterm:"), UINT32_MAX);
	now.now = p->now;
	ops(p)->segment_lost(&p->c, &now);
	assert_int_equal(ops(p)->loss(&p->c, p->now), UINT32_MAX);
	/* The flight at which 2 % were lost, but no less than CUBIC would leave. */
	assert_in_range(figure(p, "inflight_longterm:"), BDP * 68 / 100, BDP * 72 / 100);
	note_phase(p);
	assert_string_equal(strrchr(p->walk, ' '), " ProbeBW_DOWN");
	p->c.cwnd = cwnd / 4;
	ops(p)->undo(&p->c, cwnd, UINT32_MAX);
	assert_int_equal(figure(p, "inflight_longterm:"), UINT32_MAX);
	assert_int_equal(p->c.cwnd, cwnd);
	note_phase(p);
	assert_string_equal(strrchr(p->walk, ' '), " ProbeBW_REFILL");
	path_close(p);
}

static void after_a_timeout_the_window_comes_back(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);
	uint32_t cwnd;

	(void)state;
	run(p, 3 * STRATA_SEC);
	cwnd = p->c.cwnd;
	assert_int_equal(ops(p)->timeout(&p->c, p->now), UINT32_MAX);
	p->c.cwnd = MSS;
	p->in_recovery = true;
	p->recover = p->head + 10;
	run(p, 2 * RTT);
	assert_false(p->in_recovery);
	assert_in_range(p->c.cwnd, cwnd * 8 / 10, cwnd * 12 / 10);
	path_close(p);
}

/* ---- the application ---- */

static void after_idleness_it_paces_at_the_bandwidth_it_knew(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);
	uint32_t cwnd;
	uint64_t bw;

	(void)state;
	run(p, 3 * STRATA_SEC);
	p->supply = 0;
	run(p, STRATA_SEC);
	assert_int_equal(p->c.flight, 0);
	cwnd = p->c.cwnd;
	bw = figure(p, "bw:");
	/* Long after the smallest time went stale: idleness has emptied the queue, there is no ProbeRTT. */
	p->now += 60 * STRATA_SEC;
	ops(p)->restart(&p->c, 60 * STRATA_SEC);
	assert_int_equal(p->c.cwnd, cwnd);
	p->supply = UINT64_MAX;
	run(p, STRATA_MS);
	assert_int_equal(p->c.pacing_rate / 1000, bw * 99 / 100 / 1000);
	run(p, STRATA_SEC);
	assert_null(strstr(p->walk, "ProbeRTT"));
	path_close(p);
}

static void little_data_does_not_lower_the_estimate(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);

	(void)state;
	run(p, 3 * STRATA_SEC);
	for (unsigned int i = 0; i < 200; i++) {
		p->supply = 20 * MSS;
		run(p, 50 * STRATA_MS);
	}
	assert_in_range(figure(p, "bw:"), RATE * 99 / 100, RATE * 101 / 100);
	path_close(p);
}

/* ---- memory and module ---- */

static void without_memory_the_initial_window_stays_until_there_is_some(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);
	char text[200];

	(void)state;
	ops(p)->release(&p->c);
	assert_int_equal(p->c.pacing_rate, 0);
	fx_fail_at(p->fx, 1, true);
	p->c.cwnd = 10 * MSS;
	ops(p)->init(&p->c);
	/* The cache may have kept the object just given back. */
	if (strcmp(describe(p, text, sizeof(text)), "no memory") != 0) {
		struct strata_congestion second[64];
		unsigned int n = 0;

		do {
			assert_true(n < 64);
			second[n] = p->c;
			ops(p)->init(&second[n]);
			ops(p)->describe(&second[n], text, sizeof(text));
			n++;
		} while (strcmp(text, "no memory") != 0);
		/* It goes on with its initial window, whatever is acknowledged or lost. */
		for (unsigned int i = 0; i < 100; i++) {
			const struct strata_ack_sample ack = { .now = p->now, .newly_delivered = MSS };
			const struct strata_loss_sample loss = { .now = p->now, .bytes = MSS };

			ops(p)->control(&second[n - 1], &ack);
			ops(p)->segment_lost(&second[n - 1], &loss);
			ops(p)->flight_begins(&second[n - 1], p->now, true);
			ops(p)->loss(&second[n - 1], p->now);
		}
		assert_int_equal(second[n - 1].cwnd, 10 * MSS);
		second[n - 1].cwnd = MSS;
		for (unsigned int i = 0; i < 100; i++) {
			const struct strata_ack_sample ack = { .now = p->now, .newly_delivered = MSS };

			ops(p)->control(&second[n - 1], &ack);
		}
		assert_int_equal(second[n - 1].cwnd, 10 * MSS);
		fx_fail_at(p->fx, 0, false);
		ops(p)->flight_begins(&second[n - 1], p->now, true);
		ops(p)->describe(&second[n - 1], text, sizeof(text));
		assert_int_equal(strncmp(text, "Startup", 7), 0);
		while (n != 0)
			ops(p)->release(&second[--n]);
	}
	fx_fail_at(p->fx, 0, false);
	path_close(p);
}

static void disabling_it_unbinds_its_connections_and_enabling_begins_them_anew(void **state)
{
	struct path *p = path_open(RATE, RTT, 4 * BDP);
	struct strata_error error = { 0 };
	uint32_t cwnd;

	(void)state;
	run(p, 3 * STRATA_SEC);
	cwnd = p->c.cwnd;
	assert_int_equal(strata_module_disable(p->fx->stack, "bbr", &error), 0);
	assert_int_equal(p->c.pacing_rate, 0);
	assert_int_equal(p->c.send_quantum, 0);
	assert_int_equal(p->c.cwnd, cwnd);
	assert_int_equal(strata_module_enable(p->fx->stack, "bbr", &error), 0);
	ops(p)->flight_begins(&p->c, p->now, false);
	note_phase(p);
	assert_string_equal(strrchr(p->walk, ' '), " Startup");
	path_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_walks_from_startup_through_drain_round_the_phases_of_probe_bw),
		cmocka_unit_test(startup_doubles_its_rate_each_round_trip_and_stops_when_that_brings_no_more),
		cmocka_unit_test(cruising_it_paces_one_percent_below_the_bandwidth_and_keeps_the_queue_short),
		cmocka_unit_test(probe_rtt_comes_every_five_seconds_halves_the_flight_and_gives_the_window_back),
		cmocka_unit_test(more_and_less_bandwidth_is_found),
		cmocka_unit_test(a_longer_path_is_found_when_the_old_time_is_forgotten),
		cmocka_unit_test(one_percent_of_random_loss_costs_little),
		cmocka_unit_test(a_short_queue_bounds_the_flight_near_what_it_holds),
		cmocka_unit_test(heavy_loss_ends_startup),
		cmocka_unit_test(losses_that_never_were_are_forgotten),
		cmocka_unit_test(after_a_timeout_the_window_comes_back),
		cmocka_unit_test(after_idleness_it_paces_at_the_bandwidth_it_knew),
		cmocka_unit_test(little_data_does_not_lower_the_estimate),
		cmocka_unit_test(without_memory_the_initial_window_stays_until_there_is_some),
		cmocka_unit_test(disabling_it_unbinds_its_connections_and_enabling_begins_them_anew),
	};

	return fx_main(tests);
}
