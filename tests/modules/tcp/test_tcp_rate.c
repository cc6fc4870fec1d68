/* SPDX-License-Identifier: BSD-2-Clause */
/* Delivery rate and pacing (draft-ietf-ccwg-bbr 4.5.1), over a link that has one. */
#include <linux/tcp.h>

#include "fixture.h"
#include "join.h"

enum { PORT = 9, PEER = 0xc0000202, LINK = 8000000 /* bits a second */ };

struct run {
	struct fx_pair pair;
	int from, to;
	size_t given, taken;
	uint64_t at_once;		/* most bytes that left at one moment */
	uint64_t moment, in_moment;
};

static struct tcp_info info_of(struct fixture *fx, int s)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info;
}

/* What leaves at one moment. */
static bool watch(void *ctx, const struct fx_pkt *pkt)
{
	struct run *run = ctx;
	uint64_t now = run->pair.a != NULL ? run->pair.a->now : 0;

	if (now != run->moment)
		run->in_moment = 0;
	run->moment = now;
	run->in_moment += pkt->length;
	if (run->in_moment > run->at_once)
		run->at_once = run->in_moment;
	return true;
}

static void begin(struct run *run, const char *options, uint64_t rate)
{
	struct fx_config config = { .options = options };
	struct fx_link link = { .delay = 10 * STRATA_MS, .rate = rate, .queue = 1000 };
	int listener;

	memset(run, 0, sizeof(*run));
	run->pair = fx_pair_open(&config, &link, 7);
	link.filter = watch;
	link.ctx = run;
	fx_join_set(run->pair.join, 0, &link);
	listener = fx_socket(run->pair.b, SOCK_STREAM, 0);
	fx_bind(run->pair.b, listener, 0, PORT);
	fx_listen(run->pair.b, listener, 1);
	run->from = fx_socket(run->pair.a, SOCK_STREAM, 0);
	assert_int_equal(fx_connect(run->pair.a, run->from, PEER, PORT), -EINPROGRESS);
	fx_join_run(run->pair.join, 100 * STRATA_MS, NULL, NULL);
	run->to = fx_accept(run->pair.b, listener);
	assert_true(run->to >= 0);
}

/* Moves up to `total` bytes for `ms`. */
static void move(struct run *run, size_t total, unsigned int ms)
{
	static uint8_t bytes[65536];
	ssize_t n;

	for (; ms > 0; ms--) {
		while (run->given < total) {
			size_t want = total - run->given < sizeof(bytes) ? total - run->given : sizeof(bytes);

			n = fx_send(run->pair.a, run->from, bytes, want);
			if (n <= 0)
				break;
			run->given += (size_t)n;
		}
		fx_join_run(run->pair.join, STRATA_MS, NULL, NULL);
		while ((n = fx_recv(run->pair.b, run->to, bytes, sizeof(bytes))) > 0)
			run->taken += (size_t)n;
	}
}

static void a_full_link_is_measured(void **state)
{
	struct run run;
	struct tcp_info info;

	(void)state;
	begin(&run, NULL, LINK);
	move(&run, SIZE_MAX, 2000);
	info = info_of(run.pair.a, run.from);
	/* 1 MB/s with the headers. */
	assert_in_range(info.tcpi_delivery_rate, LINK / 8 * 90 / 100, LINK / 8);
	assert_int_equal(info.tcpi_delivery_rate_app_limited, 0);
	fx_pair_close(&run.pair);
}

static void what_the_application_limits_is_marked(void **state)
{
	struct run run;
	struct tcp_info info;
	int i;

	(void)state;
	begin(&run, NULL, LINK);
	for (i = 1; i <= 20; i++)
		move(&run, (size_t)i * 1000, 50);
	assert_int_equal(run.taken, 20000);
	info = info_of(run.pair.a, run.from);
	assert_int_equal(info.tcpi_delivery_rate_app_limited, 1);
	fx_pair_close(&run.pair);
}

static void so_max_pacing_rate_is_a_rate(void **state)
{
	struct run run;
	uint64_t rate = 100000;

	(void)state;
	begin(&run, NULL, 0);
	assert_int_equal(strata_setsockopt(run.pair.a->stack, run.from, SOL_SOCKET, SO_MAX_PACING_RATE,
					   &rate, sizeof(rate)), 0);
	move(&run, SIZE_MAX, 5000);
	assert_in_range(run.taken, 5 * rate * 90 / 100, 5 * rate * 105 / 100);
	/* Two segments, and what makes up for a late timer. */
	assert_in_range(run.at_once, 1460, 4 * 1514);
	fx_pair_close(&run.pair);
}

static void pacing_spreads_a_window_and_costs_no_throughput(void **state)
{
	struct run bursts, paced;

	(void)state;
	begin(&bursts, "tcp.congestion=newreno", 0);
	move(&bursts, 3000000, 1000);
	begin(&paced, "tcp.congestion=newreno tcp.pacing=true", 0);
	move(&paced, 3000000, 1000);
	assert_true(paced.at_once < bursts.at_once);
	assert_true(paced.taken >= bursts.taken / 2);
	fx_pair_close(&bursts.pair);
	fx_pair_close(&paced.pair);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_link_is_measured),
		cmocka_unit_test(what_the_application_limits_is_marked),
		cmocka_unit_test(so_max_pacing_rate_is_a_rate),
		cmocka_unit_test(pacing_spreads_a_window_and_costs_no_throughput),
	};

	return fx_main(tests);
}
