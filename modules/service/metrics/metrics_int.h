/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of the metrics module: its sockets, its clients, and what its files offer each other. */
#ifndef METRICS_INT_H
#define METRICS_INT_H

#include <strata/service.h>
#include <strata/timer.h>

/* Room in front of a body for the response's head. */
#define METRICS_HEAD_ROOM 512
/* Address families that it listens on. */
#define METRICS_FAMILIES 2

struct metrics_config {
	struct strata_prefix address;	/* unset: all of the stack's */
	uint64_t port;
	const char *path;
	uint64_t clients;
	uint64_t header_limit;
	uint64_t body_limit;
	uint64_t timeout;
	uint64_t idle_timeout;
};

enum metrics_counter {
#define X(symbol, name, help, mib) METRICS_COUNT_##symbol,
#include "metrics_counters.def"
#undef X
	METRICS_COUNTERS,
};

/* ---- metrics_text.c: the exposition ---- */

/* Text that grows up to a limit. */
struct metrics_text {
	struct strata_stack *stack;
	char *data;
	size_t length, room, limit;
	bool failed;			/* memory was short, or the limit reached */
};

/* Writes all metrics of the stack behind what is there. */
void metrics_expose(struct metrics_text *text);
/* Appends bytes; nothing once it has failed. */
void metrics_append(struct metrics_text *text, const void *bytes, size_t length);
void metrics_printf(struct metrics_text *text, const char *format, ...) STRATA_PRINTF(2, 3);

/* ---- metrics_http.c: requests and responses, RFC 9112 ---- */

/* A request as far as it matters here. */
struct metrics_request {
	unsigned int status;		/* 0: well-formed; else the error it is answered with */
	bool head;			/* HEAD instead of GET */
	bool close;			/* the connection ends with the response */
	const char *path;		/* borrowed from the request */
	size_t path_length;
};

/* Length of the head of a request, with the empty line that ends it; 0: it is not there yet. */
size_t metrics_head_length(const char *bytes, size_t length);
/* Reads the head of a request. */
void metrics_request_parse(const char *head, size_t length, struct metrics_request *request);
/* Writes the head of a response, with a body of `length` bytes, into `out` of METRICS_HEAD_ROOM bytes. Returns
 * its length. `wall` is the time of day, ns since 1970. */
size_t metrics_head_write(char *out, unsigned int status, size_t length, bool close, uint64_t wall);
/* "Not Found" */
const char *metrics_status_text(unsigned int status);

/* ---- metrics_client.c: connections ---- */

struct metrics_client;

struct metrics_state {
	struct strata_instance *self;
	struct metrics_listener {
		struct strata_instance *self;
		int family;		/* AF_… */
		int s;			/* -1: not open */
	} listeners[METRICS_FAMILIES];
	struct metrics_client *clients;
	uint64_t client_count;
	struct strata_timer retry;	/* accepting is tried again: there was no descriptor or memory */
	bool draining;
};

static inline struct metrics_state *metrics_state(const struct strata_instance *self)
{
	return self->state;
}

/* Takes every connection that waits at the listener. Returns false when some had to be left for later. */
bool metrics_accept(struct metrics_listener *listener);
/* Ends all connections, when `flush` after what they are being sent. */
void metrics_close_clients(struct strata_instance *self, bool flush);

#endif
