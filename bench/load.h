/* SPDX-License-Identifier: BSD-2-Clause */
/* What the workloads of load.c share: the clock, the count of what was done, and times taken by each. */
#ifndef LOAD_H
#define LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	PORT_ECHO = 7,
	PORT_DISCARD = 9,
	PORT_CHARGEN = 19,
	REQUEST = 64,			/* bytes of a request, of its answer, and of a datagram */
	/* Times are counted in classes of 1/16 of their power of two of ns. */
	TIMES_STEPS = 16,
	TIMES = 48 * TIMES_STEPS,
};

struct load {
	struct sockaddr_in to, from;	/* `from` unset: as the host's routes choose */
	unsigned int connections, outstanding;
	uint64_t warm_up, seconds_ns;	/* before counting begins, and how long it lasts */
	size_t block;			/* bytes of a bulk workload's system call */
	int epoll;
	/* What was done since counting began: bytes or exchanges, and what did not come back. */
	bool counting;
	uint64_t begun, done, lost;
	uint64_t times[TIMES];
};

/* Nanoseconds of the monotonic clock. */
uint64_t load_now(void);
/* Ends the program with a message, errno's text behind it. */
_Noreturn void load_fail(const char *what);
/* A socket that does not block, connected or (stream, `wait` false) about to be; port in host order. */
int load_connect(const struct load *load, int type, uint16_t port, bool wait);
/* Counts one exchange that took `ns`. */
void load_took(struct load *load, uint64_t ns);

/* The workloads: each runs until load_over(). */
bool load_over(struct load *load);
void load_bulk_in(struct load *load);
void load_bulk_out(struct load *load);
void load_exchange(struct load *load);
void load_connections(struct load *load);
void load_datagrams(struct load *load);
void load_hold(struct load *load);

#endif
