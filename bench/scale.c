/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an operation costs while there are many: of connections, routes or timers.
 *
 *	scale connections|routes|timers N [MODULE-PATH]
 *
 * Two stacks in one process, in virtual time (pair.h); the operation is done in many batches and the
 * fastest batch is told, in ns of the processor, so that other work on the machine shows little.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <strata/timer.h>

#include "pair.h"

enum { BATCHES = 40, BATCH = 250 };

static uint64_t random_state = 1;

/* xorshift64 (Marsaglia 2003): the same sequence in each run. */
static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static uint64_t cpu_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * STRATA_SEC + (uint64_t)now.tv_nsec;
}

static void *allocated(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	pair_check(memory == NULL ? -ENOMEM : 0, "memory");
	return memory;
}

/* ---- the measurement ---- */

struct scene {
	struct pair pair;
	long count;
	int *clients, *servers;
	struct sockaddr_in to;
	int listener, datagrams;
	struct strata_timer *timers;
	unsigned long fired;
};

/* Runs one operation in batches; prints the ns of one in the fastest. Time passes between batches. */
static void measure(struct scene *scene, const char *what, void (*operation)(struct scene *scene))
{
	uint64_t least = UINT64_MAX;

	for (int batch = 0; batch < BATCHES; batch++) {
		uint64_t begun = cpu_now(), took;

		for (int i = 0; i < BATCH; i++)
			operation(scene);
		took = cpu_now() - begun;
		least = took < least ? took : least;
		pair_pass(&scene->pair, 50 * STRATA_MS);
	}
	printf("%s %.1f\n", what, (double)least / BATCH);
}

/* ---- connections ---- */

static void exchange(struct scene *scene, long i)
{
	pair_talk(&scene->pair, 0, scene->clients[i], scene->servers[i]);
	pair_talk(&scene->pair, 1, scene->servers[i], scene->clients[i]);
}

static void exchange_on_one(struct scene *scene)
{
	exchange(scene, scene->count / 2);
}

static void exchange_on_any(struct scene *scene)
{
	exchange(scene, (long)(random_next() % (uint64_t)scene->count));
}

/* 16 KiB one way. */
static void bulk_on_one(struct scene *scene)
{
	static char bytes[16384];
	struct strata_stack *to = scene->pair.end[1].stack;
	const int from = scene->clients[scene->count / 2], at = scene->servers[scene->count / 2];
	size_t sent = 0, got = 0;

	while (got < sizeof(bytes)) {
		ssize_t n = strata_send(scene->pair.end[0].stack, from, bytes + sent, sizeof(bytes) - sent, 0);

		if (n != -EAGAIN)
			sent += (size_t)pair_check(n, "send");
		pair_settle(&scene->pair);
		n = strata_recv(to, at, bytes, sizeof(bytes), 0);
		if (n != -EAGAIN)
			got += (size_t)pair_check(n, "recv");
		else if (sent == sizeof(bytes))		/* the rest of the window waits for an acknowledgement */
			pair_pass(&scene->pair, STRATA_MS);
	}
}

/* Reset at the end, so that no TIME-WAIT adds to the number. */
static void open_and_abort(struct scene *scene)
{
	struct linger now = { .l_onoff = 1 };
	int server, client = pair_connect(&scene->pair, &scene->to, scene->listener, &server);

	pair_check(strata_setsockopt(scene->pair.end[0].stack, client, SOL_SOCKET, SO_LINGER, &now, sizeof(now)),
		   "SO_LINGER");
	pair_check(strata_close(scene->pair.end[0].stack, client), "close");
	pair_settle(&scene->pair);
	pair_check(strata_close(scene->pair.end[1].stack, server), "close");
}

static void over_connections(struct scene *scene)
{
	scene->clients = allocated((size_t)scene->count, sizeof(*scene->clients));
	scene->servers = allocated((size_t)scene->count, sizeof(*scene->servers));
	pair_connections(&scene->pair, scene->count, scene->clients, scene->servers);
	scene->listener = pair_listener(&scene->pair, 1000, &scene->to);
	measure(scene, "exchange-on-one", exchange_on_one);
	measure(scene, "exchange-on-any", exchange_on_any);
	measure(scene, "open-and-abort", open_and_abort);
	measure(scene, "bulk-on-one", bulk_on_one);
	free(scene->clients);
	free(scene->servers);
}

/* ---- routes ---- */

static void swallow(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	(void)ctx;
	(void)iface;
	(void)frame;
	(void)length;
}

/* The i-th prefix of 24 bits below 10.0.0.0/8; every host of it is reached through the other end. */
static uint32_t prefix_of(long i)
{
	return 0x0a000000u + (uint32_t)i * 256;
}

static struct strata_addr address(uint32_t a)
{
	return (struct strata_addr){
		.family = 0x0800,
		.length = 4,
		.bytes = { (uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a },
	};
}

static void route_add(struct strata_stack *stack, uint32_t prefix)
{
	struct strata_route route = {
		.to = { .addr = address(prefix), .bits = 24 }, .via = address(0xc0000202u),
	};

	pair_check(strata_route_add(stack, &route), "route");
}

static void send_to_any(struct scene *scene)
{
	char bytes[64] = { 'x' };

	scene->to.sin_addr.s_addr = htonl(prefix_of((long)(random_next() % (uint64_t)scene->count)) + 1);
	pair_check(strata_sendto(scene->pair.end[0].stack, scene->datagrams, bytes, sizeof(bytes), 0,
				 (struct sockaddr *)&scene->to, sizeof(scene->to)), "sendto");
}

static void send_connected(struct scene *scene)
{
	char bytes[64] = { 'x' };

	pair_check(strata_send(scene->pair.end[0].stack, scene->datagrams, bytes, sizeof(bytes), 0), "send");
}

static void over_routes(struct scene *scene)
{
	struct pair_end *end = &scene->pair.end[0];
	char bytes[64] = { 'x' };

	scene->to = scene->pair.end[1].addr;
	scene->to.sin_port = htons(9);
	scene->datagrams = (int)pair_check(strata_socket(end->stack, AF_INET, SOCK_DGRAM, 0), "socket");
	/* So that the neighbour is known. */
	pair_check(strata_sendto(end->stack, scene->datagrams, bytes, sizeof(bytes), 0,
				 (struct sockaddr *)&scene->to, sizeof(scene->to)), "sendto");
	pair_settle(&scene->pair);
	for (long i = 0; i < scene->count; i++) {
		route_add(end->stack, prefix_of(i));
	}
	strata_iface_set_output(end->iface, swallow, NULL);
	measure(scene, "send-to-any", send_to_any);
	pair_check(strata_connect(end->stack, scene->datagrams, (struct sockaddr *)&scene->to, sizeof(scene->to)),
		   "connect");
	measure(scene, "send-connected", send_connected);
}

/* ---- timers ---- */

/* So far apart that, whatever their number, as many fire in a second. */
static uint64_t random_deadline(const struct scene *scene)
{
	return scene->pair.now + random_next() % ((uint64_t)scene->count * 8 * STRATA_MS);
}

static struct scene *timers_of;

static void fired(struct strata_stack *stack, struct strata_timer *timer)
{
	timers_of->fired++;
	strata_timer_start(stack, timer, random_deadline(timers_of));
}

static void restart_any(struct scene *scene)
{
	strata_timer_start(scene->pair.end[0].stack,
			   &scene->timers[random_next() % (uint64_t)scene->count], random_deadline(scene));
}

static void fire_next(struct scene *scene)
{
	struct strata_stack *stack = scene->pair.end[0].stack;
	unsigned long before = scene->fired;

	while (scene->fired == before) {
		scene->pair.now = strata_next_timer(stack);
		strata_run(stack, scene->pair.now);
	}
}

static void over_timers(struct scene *scene)
{
	struct strata_stack *stack = scene->pair.end[0].stack;

	timers_of = scene;
	scene->timers = allocated((size_t)scene->count, sizeof(*scene->timers));
	for (long i = 0; i < scene->count; i++) {
		scene->timers[i].fire = fired;
		strata_timer_start(stack, &scene->timers[i], random_deadline(scene));
	}
	measure(scene, "restart-any", restart_any);
	measure(scene, "fire-and-restart", fire_next);
	for (long i = 0; i < scene->count; i++)
		strata_timer_stop(stack, &scene->timers[i]);
	free(scene->timers);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(struct scene *scene);
		long most;
	} kinds[] = {
		{ "connections", over_connections, 200000 },
		{ "routes", over_routes, 65536 },
		{ "timers", over_timers, 10000000 },
	};
	static struct scene scene;

	scene.count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;
	for (size_t i = 0; argc > 2 && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i].name, argv[1]) == 0 && scene.count > 0 && scene.count <= kinds[i].most) {
			pair_open(&scene.pair, argc > 3 ? argv[3] : NULL);
			kinds[i].run(&scene);
			pair_close(&scene.pair);
			return 0;
		}
	fprintf(stderr, "usage: scale connections|routes|timers N [MODULE-PATH]\n");
	return 2;
}
