/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two stacks joined by a link that loses, duplicates, reorders and delays, from a seed in virtual time.
 * Both ends send streams whose bytes tell their positions; each must arrive once and in order, be
 * followed by the end of the stream, and leave nothing behind. SIM_SEED replays one seed, SIM_SEEDS runs
 * so many, SIM_VERBOSE tells what it took.
 */
#include "fixture.h"

enum { PORT = 5000 };

/* One end of a connection: sends `to_send` bytes, then shuts its side, and reads until the end. */
struct end {
	struct fixture *fx;
	int s;
	uint32_t key;			/* of the stream it sends; the other's key is expected */
	uint32_t peer_key;
	uint64_t to_send, sent, received, wanted;
	uint64_t chance;		/* sizes of its calls */
	uint32_t most;			/* largest call */
	bool shut, ended;
	int error;
};

struct transfer {
	struct fx_pair pair;
	struct end client, server;
	int listener;
};

static uint8_t stream_byte(uint32_t key, uint64_t position)
{
	uint64_t x = (position + key) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint8_t)(x >> 56 ^ x >> 32);
}

static void pump_out(struct end *e)
{
	uint8_t buf[65536];
	uint64_t n, i;
	ssize_t done;

	while (e->sent < e->to_send) {
		n = 1 + fx_random(&e->chance) % e->most;
		if (n > e->to_send - e->sent)
			n = e->to_send - e->sent;
		for (i = 0; i < n; i++)
			buf[i] = stream_byte(e->key, e->sent + i);
		done = strata_send(e->fx->stack, e->s, buf, n, 0);
		if (done == -EAGAIN)
			return;
		if (done < 0) {
			e->error = (int)-done;
			return;
		}
		e->sent += (uint64_t)done;
	}
	if (!e->shut) {
		e->shut = true;
		assert_int_equal(strata_shutdown(e->fx->stack, e->s, SHUT_WR), 0);
	}
}

static void pump_in(struct end *e)
{
	uint8_t buf[65536];
	ssize_t n, i;

	while (!e->ended) {
		n = strata_recv(e->fx->stack, e->s, buf, 1 + fx_random(&e->chance) % e->most, 0);
		if (n == -EAGAIN)
			return;
		if (n < 0) {
			e->error = (int)-n;
			return;
		}
		if (n == 0)
			e->ended = true;
		for (i = 0; i < n; i++)
			if (buf[i] != stream_byte(e->peer_key, e->received + (uint64_t)i))
				fail_msg("byte %llu is wrong",
					 (unsigned long long)(e->received + (uint64_t)i));
		e->received += (uint64_t)n;
	}
}

static void ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct end *e = arg;

	(void)stack;
	(void)s;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP))
		pump_in(e);
	if (events & EPOLLOUT)
		pump_out(e);
}

static void accept_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct transfer *t = arg;

	(void)events;
	t->server.s = strata_accept(stack, s, NULL, NULL);
	assert_true(t->server.s >= 0);
	strata_notify(stack, t->server.s, ready, &t->server);
}

static bool finished(void *ctx)
{
	const struct transfer *t = ctx;

	return (t->client.ended && t->server.ended && t->client.shut && t->server.shut) ||
	       t->client.error != 0 || t->server.error != 0;
}

struct plan {
	struct fx_link link;
	const char *options;
	uint64_t forth, back;		/* bytes */
	uint32_t most;
	uint64_t limit;			/* s of virtual time */
	unsigned int mtu;
	bool bare;
	const char *interface;
};

static void check_end(const struct end *e, const char *who, uint64_t seed)
{
	if (e->error != 0 || e->received != e->wanted || !e->ended)
		fail_msg("seed %llu: %s: error %d, %llu of %llu bytes received, %llu of %llu sent",
			 (unsigned long long)seed, who, e->error, (unsigned long long)e->received,
			 (unsigned long long)e->wanted, (unsigned long long)e->sent,
			 (unsigned long long)e->to_send);
}

static void run(const struct plan *plan, uint64_t seed)
{
	struct fx_config config = { .options = plan->options, .mtu = plan->mtu, .bare = plan->bare,
				    .interface = plan->interface, .large = plan->interface != NULL,
				    .seed = seed };
	struct transfer t = { .pair = fx_pair_open(&config, &plan->link, seed) };
	struct fixture *a = t.pair.a, *b = t.pair.b;

	t.client = (struct end){ .fx = a, .s = -1, .key = (uint32_t)seed, .peer_key = (uint32_t)seed + 77777,
				 .to_send = plan->forth, .wanted = plan->back, .most = plan->most,
				 .chance = seed * 3 + 1 };
	t.server = (struct end){ .fx = b, .s = -1, .key = (uint32_t)seed + 77777, .peer_key = (uint32_t)seed,
				 .to_send = plan->back, .wanted = plan->forth, .most = plan->most,
				 .chance = seed * 5 + 2 };
	t.listener = fx_socket(b, SOCK_STREAM, 0);
	fx_bind(b, t.listener, 0, PORT);
	fx_listen(b, t.listener, 5);
	strata_notify(b->stack, t.listener, accept_ready, &t);
	t.client.s = fx_socket(a, SOCK_STREAM, 0);
	assert_int_equal(fx_connect(a, t.client.s, STACK_IP, PORT), -EINPROGRESS);
	strata_notify(a->stack, t.client.s, ready, &t.client);
	fx_join_run(t.pair.join, plan->limit * STRATA_SEC, finished, &t);
	check_end(&t.client, "client", seed);
	check_end(&t.server, "server", seed);
	if (getenv("SIM_VERBOSE") != NULL)
		print_message("seed %llu: %llu ms, %llu and %llu segments again, %llu and %llu timeouts\n",
			      (unsigned long long)seed, (unsigned long long)fx_ms(a),
			      (unsigned long long)fx_counter(a, "tcp", "retransmitted_segments"),
			      (unsigned long long)fx_counter(b, "tcp", "retransmitted_segments"),
			      (unsigned long long)fx_counter(a, "tcp", "timeouts"),
			      (unsigned long long)fx_counter(b, "tcp", "timeouts"));
	fx_close_socket(a, t.client.s);
	fx_close_socket(b, t.server.s);
	fx_close_socket(b, t.listener);
	fx_join_run(t.pair.join, 200 * STRATA_SEC, NULL, NULL);
	assert_int_equal(fx_counter(a, "tcp", "established"), 0);
	assert_int_equal(fx_counter(a, "tcp", "time_wait"), 0);
	assert_int_equal(fx_counter(b, "tcp", "time_wait"), 0);
	fx_pair_close(&t.pair);
}

static void run_seeds(const struct plan *plan, unsigned int seeds)
{
	const char *one = getenv("SIM_SEED"), *many = getenv("SIM_SEEDS");
	uint64_t seed;

	if (one != NULL) {
		run(plan, strtoull(one, NULL, 0));
		return;
	}
	if (many != NULL)
		seeds = (unsigned int)strtoul(many, NULL, 0);
	for (seed = 1; seed <= seeds; seed++)
		run(plan, seed);
}

static void a_clean_link_carries_both_streams(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = STRATA_MS }, .forth = 3 << 20, .back = 2 << 20,
					.most = 65536, .limit = 60 }, 3);
}

static void streams_survive_loss(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = 5 * STRATA_MS, .loss = 300 },
					.forth = 400000, .back = 300000, .most = 20000, .limit = 600 }, 10);
}

static void streams_survive_heavy_loss(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = 5 * STRATA_MS, .loss = 2000 },
					.forth = 60000, .back = 60000, .most = 5000, .limit = 3600 }, 10);
}

static void streams_survive_loss_without_sack(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = 5 * STRATA_MS, .loss = 300 },
					.options = "tcp.sack=false", .forth = 300000, .back = 300000,
					.most = 20000, .limit = 1200 }, 10);
}

static void streams_survive_loss_without_any_option(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = 5 * STRATA_MS, .loss = 300, .duplicate = 200 },
					.options = "tcp.sack=false tcp.timestamps=false tcp.window_scaling=false",
					.forth = 200000, .back = 200000, .most = 20000, .limit = 1200 }, 10);
}

static void streams_survive_everything_at_once(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = 3 * STRATA_MS, .jitter = 2 * STRATA_MS, .loss = 500,
						  .duplicate = 500, .reorder = 1000, .corrupt = 100 },
					.forth = 200000, .back = 200000, .most = 8000, .limit = 1200 }, 10);
}

static void streams_survive_reordering(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = 3 * STRATA_MS, .reorder = 3000,
						  .held = 10 * STRATA_MS },
					.forth = 500000, .back = 1000, .most = 30000, .limit = 600 }, 10);
}

static void tiny_writes_and_reads_arrive(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = STRATA_MS, .loss = 200, .reorder = 500 },
					.forth = 20000, .back = 20000, .most = 7, .limit = 1200 }, 5);
}

static void a_narrow_link_with_a_short_queue_is_shared(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = 10 * STRATA_MS, .rate = 10000000, .queue = 20 },
					.forth = 2 << 20, .back = 1 << 20, .most = 65536, .limit = 600 }, 3);
}

static void small_mtus_and_bare_packets_work(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = STRATA_MS, .loss = 200 }, .mtu = 576, .bare = true,
					.forth = 200000, .back = 200000, .most = 20000, .limit = 600 }, 5);
}

static void packets_larger_than_the_mtu_travel_uncut(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = STRATA_MS, .loss = 200, .reorder = 500 },
					.interface = "    options:\n      offload: true\n",
					.forth = 3000000, .back = 3000000, .most = 65536, .limit = 600 }, 10);
}

static void small_buffers_only_slow_things_down(void **state)
{
	(void)state;
	run_seeds(&(const struct plan){ .link = { .delay = STRATA_MS, .loss = 100, .reorder = 500 },
					.options = "tcp.rcvbuf=4KiB tcp.sndbuf=4KiB tcp.autotune=false",
					.forth = 100000, .back = 100000, .most = 3000, .limit = 3600 }, 10);
}

/* Everything is lost for a minute, from a second after the first packet on. */
static bool lit(void *ctx, const struct fx_pkt *pkt)
{
	uint64_t *first = ctx, since;

	if (*first == 0)
		*first = pkt->time;
	since = pkt->time - *first;
	return since < STRATA_SEC || since >= 61 * STRATA_SEC;
}

static void a_black_out_of_a_minute_is_survived(void **state)
{
	uint64_t first, seed;

	(void)state;
	for (seed = 1; seed <= 5; seed++) {
		first = 0;
		run(&(const struct plan){ .link = { .delay = 10 * STRATA_MS, .rate = 2000000,
						    .filter = lit, .ctx = &first },
					  .forth = 1000000, .back = 1000000, .most = 20000, .limit = 190 },
		    seed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clean_link_carries_both_streams),
		cmocka_unit_test(streams_survive_loss),
		cmocka_unit_test(streams_survive_heavy_loss),
		cmocka_unit_test(streams_survive_loss_without_sack),
		cmocka_unit_test(streams_survive_loss_without_any_option),
		cmocka_unit_test(streams_survive_everything_at_once),
		cmocka_unit_test(streams_survive_reordering),
		cmocka_unit_test(tiny_writes_and_reads_arrive),
		cmocka_unit_test(a_narrow_link_with_a_short_queue_is_shared),
		cmocka_unit_test(small_mtus_and_bare_packets_work),
		cmocka_unit_test(packets_larger_than_the_mtu_travel_uncut),
		cmocka_unit_test(small_buffers_only_slow_things_down),
		cmocka_unit_test(a_black_out_of_a_minute_is_survived),
	};

	return fx_main(tests);
}
