/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * No packet path asks the environment for memory in steady state: two stacks exchange the same work
 * again and again, and after the first rounds neither makes a single allocation.
 */
#include "fixture.h"
#include "join.h"

#include <netinet/ip_icmp.h>

enum { ECHO = 7, PEER = 0xc0000202, ROUNDS = 50 };

static struct fx_pair open_pair(void)
{
	static const struct fx_config config = { .modules = "ethernet arp ipv4 icmp udp newreno tcp echo" };
	static const struct fx_link link = { .delay = 100 * STRATA_US };

	return fx_pair_open(&config, &link, 1);
}

/* Does `round` until it is warm, then ROUNDS times more, counting allocations of both stacks. */
static void asks_for_nothing(struct fx_pair *pair, void (*round)(struct fx_pair *pair, int s), int s)
{
	uint64_t before[2];
	int i;

	for (i = 0; i < ROUNDS; i++)
		round(pair, s);
	before[0] = pair->a->allocs;
	before[1] = pair->b->allocs;
	for (i = 0; i < ROUNDS; i++)
		round(pair, s);
	assert_int_equal(pair->a->allocs - before[0], 0);
	assert_int_equal(pair->b->allocs - before[1], 0);
}

static void datagrams(struct fx_pair *pair, int s)
{
	uint8_t bytes[4000], back[sizeof(bytes)];
	size_t sizes[] = { 1, 64, 1472, sizeof(bytes) };
	unsigned int i;

	memset(bytes, 'u', sizeof(bytes));
	for (i = 0; i < STRATA_COUNT(sizes); i++) {
		assert_int_equal(fx_sendto(pair->a, s, bytes, sizes[i], PEER, ECHO), sizes[i]);
		fx_join_run(pair->join, STRATA_MS, NULL, NULL);
		assert_int_equal(fx_recv(pair->a, s, back, sizeof(back)), sizes[i]);
	}
}

static void pings(struct fx_pair *pair, int s)
{
	uint8_t bytes[3000] = { ICMP_ECHO }, back[sizeof(bytes)];

	assert_int_equal(fx_sendto(pair->a, s, bytes, sizeof(bytes), PEER, 0), sizeof(bytes));
	fx_join_run(pair->join, STRATA_MS, NULL, NULL);
	assert_int_equal(fx_recv(pair->a, s, back, sizeof(back)), sizeof(back));
}

static void stream(struct fx_pair *pair, int s)
{
	static uint8_t bytes[200000];
	size_t sent = 0, received = 0;

	while (received < sizeof(bytes)) {
		ssize_t n = sent < sizeof(bytes) ?
			fx_send(pair->a, s, bytes + sent, sizeof(bytes) - sent) : 0;

		if (n > 0)
			sent += (size_t)n;
		fx_join_run(pair->join, STRATA_MS, NULL, NULL);
		while ((n = fx_recv(pair->a, s, bytes, sizeof(bytes))) > 0)
			received += (size_t)n;
	}
}

static void datagrams_ask_for_no_memory(void **state)
{
	struct fx_pair pair = open_pair();

	(void)state;
	asks_for_nothing(&pair, datagrams, fx_socket(pair.a, SOCK_DGRAM, 0));
	fx_pair_close(&pair);
}

static void pings_ask_for_no_memory(void **state)
{
	struct fx_pair pair = open_pair();

	(void)state;
	asks_for_nothing(&pair, pings, fx_socket(pair.a, SOCK_DGRAM, IPPROTO_ICMP));
	fx_pair_close(&pair);
}

static void a_stream_asks_for_no_memory(void **state)
{
	struct fx_pair pair = open_pair();
	int s = fx_socket(pair.a, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(fx_connect(pair.a, s, PEER, ECHO), -EINPROGRESS);
	fx_join_run(pair.join, 10 * STRATA_MS, NULL, NULL);
	asks_for_nothing(&pair, stream, s);
	fx_pair_close(&pair);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(datagrams_ask_for_no_memory),
		cmocka_unit_test(pings_ask_for_no_memory),
		cmocka_unit_test(a_stream_asks_for_no_memory),
	};

	return fx_main(tests);
}
