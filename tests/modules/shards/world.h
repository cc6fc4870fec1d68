/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several shards and one ordinary stack at the two ends of a wire, in one thread and in virtual time. Which
 * queue a frame to the shards comes in at is the test's choice. Closing asserts that all memory came back.
 */
#ifndef TEST_WORLD_H
#define TEST_WORLD_H

#include "fixture.h"

#include <strata/shards.h>

#define WORLD_SHARDS 4
/* The shards are HOST, the ordinary stack is PEER. */
#define WORLD_HOST 0xc0000202
#define WORLD_PEER 0xc0000201

struct world_frame;

struct world {
	struct strata_shards *shards;
	struct strata_stack *peer;
	unsigned int count;
	uint64_t now;
	uint64_t rng;
	/* The queue of a frame to the shards; NULL: a random one. */
	unsigned int (*queue)(struct world *world, const uint8_t *frame, size_t length);
	unsigned int fixed;		/* for world_fixed() */
	struct world_frame *first, **end;
	unsigned int sent[WORLD_SHARDS];	/* frames by each shard */
	unsigned int arp_replies;	/* that the shards sent */
	size_t bytes;			/* of memory held */
	char log[8192];
};

/* Opens both ends; `extra` are further lines of the shards' manifest, `stack` further lines of its `stack:`,
 * indented by two. */
void world_open(struct world *world, unsigned int count, const char *stack, const char *extra);
void world_close(struct world *world);
/* Passes time: frames arrive at once, timers fire when they are due. */
void world_run(struct world *world, uint64_t ms);
/* Lets the oldest frame arrive, and nothing else happen. Returns false when there is none. */
bool world_deliver(struct world *world);
struct strata_stack *world_shard(const struct world *world, unsigned int shard);
/* All frames at world->fixed. */
unsigned int world_fixed(struct world *world, const uint8_t *frame, size_t length);
/* A counter of a shard's module. */
uint64_t world_counter(const struct world *world, unsigned int shard, const char *module,
		       const char *counter);
uint64_t world_counters(const struct world *world, const char *module, const char *counter);
uint64_t world_drops(const struct world *world, const char *module, const char *reason);

/* Sockets; each asserts success unless it returns a result. */
int world_socket(struct strata_stack *stack, int type, int protocol);
void world_bind(struct strata_stack *stack, int s, uint32_t ip, uint16_t port);
int world_listener(struct strata_stack *stack, uint16_t port);
int world_connect(struct strata_stack *stack, int s, uint32_t ip, uint16_t port);
ssize_t world_sendto(struct strata_stack *stack, int s, const char *text, uint32_t ip, uint16_t port);
/* What was received as text, "" when nothing was. */
const char *world_recv(struct strata_stack *stack, int s, char buf[2048]);

#endif
