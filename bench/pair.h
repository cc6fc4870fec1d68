/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two stacks joined by their `wire` interfaces in one process, in virtual time: what the measuring
 * programs of this directory stand on. Frames wait in a ring, for a stack must not be entered from
 * its own output.
 */
#ifndef BENCH_PAIR_H
#define BENCH_PAIR_H

#include <netinet/in.h>
#include <strata/embed.h>

#define PAIR_RING 512
#define PAIR_FRAME_MAX 66000

struct pair_end {
	struct pair *pair;
	struct strata_stack *stack;
	struct strata_iface *iface;
	struct sockaddr_in addr;	/* its own, port 0 */
	struct {			/* frames on their way to this end */
		uint32_t length;
		uint8_t *bytes;
	} ring[PAIR_RING];
	unsigned int head, count;
};

struct pair {
	struct pair_end end[2];
	uint64_t now;
	uint64_t frames;		/* carried both ways */
};

/* Makes both stacks from the same modules, as 192.0.2.1 and 192.0.2.2. `module_path` NULL: default.
 * Exits with every fault told when it cannot. */
void pair_open(struct pair *pair, const char *module_path);
void pair_close(struct pair *pair);
/* Carries frames both ways until none is left. */
void pair_settle(struct pair *pair);
/* Lets `ns` pass, timers and frames included. */
void pair_pass(struct pair *pair, uint64_t ns);
/* Opens `count` connections from the first end to the second, sends a byte each way over each and lets them
 * rest for ten seconds. The arrays receive their sockets. */
void pair_connections(struct pair *pair, long count, int *clients, int *servers);
/* A listener of the second end; `to` becomes where it is. Its port tells how many there were before. */
int pair_listener(struct pair *pair, unsigned int number, struct sockaddr_in *to);
/* A socket of the first end, connected to a listener; the second end's is accepted into `*server`. */
int pair_connect(struct pair *pair, const struct sockaddr_in *to, int listener, int *server);
/* Sends 64 bytes from one socket to another of the other end and receives them; `from` is 0 or 1. */
void pair_talk(struct pair *pair, int from, int tx, int rx);
/* Ends the program with a message when `result` is a -errno; else gives it back. */
long pair_check(long result, const char *what);

#endif
