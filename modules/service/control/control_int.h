/* SPDX-License-Identifier: BSD-2-Clause */
/* The rooms of the control service: what its files promise each other. docs/control.md is the protocol. */
#ifndef CONTROL_INT_H
#define CONTROL_INT_H

#include <jansson.h>
#include <strata/loop.h>
#include <strata/module.h>
#include <strata/timer.h>

/** Bytes a client may have under way, each way. */
#define CONTROL_BUFFER 65536
/** Version of the protocol. */
#define CONTROL_VERSION 1

struct control_config {
	const char *socket;
	uint64_t clients;
	uint64_t timeout;
};

/** A connected client. At most one request of it is worked on in a turn of the loop. */
struct control_client {
	struct control *control;
	struct control_client *next, **link;
	struct strata_watch watch;
	struct strata_timer timer;	/* ends a request or a reply that does not get on */
	uint64_t active;		/* last byte in or out, stack time */
	size_t in_length, out_length, out_sent;
	bool waiting_out;		/* the timer is the reply's */
	bool ended;			/* will send no more; what it has sent is still answered */
	bool closing;			/* closed as soon as the reply has left */
	char in[CONTROL_BUFFER];
	char out[CONTROL_BUFFER];
};

struct control {
	struct strata_instance *self;
	struct strata_watch listener;
	struct strata_timer pause;	/* until accepting is tried again */
	struct control_client *clients;
	unsigned int client_count;
	int reserve;			/* a descriptor given up to serve one client when there are none; -1 */
	char path[108];			/* of the socket: sizeof(sun_path) */
	uint64_t device, inode;		/* the socket's, to tell whether it is still there */
	bool made_directory;		/* the one it is in */
};

enum control_counter {
	CONTROL_COUNTER_ACCEPTED,
	CONTROL_COUNTER_REFUSED,
	CONTROL_COUNTER_EVICTED,
	CONTROL_COUNTER_REQUESTS,
	CONTROL_COUNTER_ERRORS,
	CONTROL_COUNTER_TIMEOUTS,
	CONTROL_COUNTER_PAUSES,
	CONTROL_COUNTERS,
};

/* ---- control_client.c ---- */

/** Takes over a connected, non-blocking descriptor. */
void control_client_add(struct control *control, int fd);
/** Closes the client that has been idle the longest, if for at least the time-out. Returns whether. */
bool control_client_evict(struct control *control);
void control_client_close(struct control_client *client);
/** The descriptor's reserve is had again as soon as one is free. */
void control_reserve(struct control *control);

/* ---- control_reply.c ---- */

/** Works one request of `length` bytes, without its newline; writes one line to `out`, which has room
 *  for CONTROL_BUFFER bytes. Returns the line's length. */
size_t control_answer(struct control *control, const char *request, size_t length, char *out);
/** Writes an error line: `code` for programs, `message` for people. `id` may be NULL. Returns its length. */
size_t control_error(char *out, const json_t *id, const char *code, const char *message);

/* ---- control_show.c ---- */

/** One page of a table on its way into a buffer. */
struct control_page {
	struct strata_stack *stack;
	char *out;
	size_t length, room;
	uint64_t from;		/* first entry wanted */
	uint64_t index;		/* entry the walk has come to */
	uint64_t count;		/* entries written */
	uint64_t next;		/* first entry that found no room; 0: all are written */
};

/** True when the walk's next entry is to be added: it counts the entry either way. */
bool control_page_wants(struct control_page *page);
/** Adds an entry; takes over the reference. NULL: memory is short, the page ends here. */
void control_page_add(struct control_page *page, json_t *entry);

/** Writes the entries of the table `what` to the page. Returns false when there is no such table. */
bool control_show(const char *what, struct control_page *page);
/** "modules, interfaces, …": the tables there are, into `buf`. */
void control_show_names(char *buf, size_t size);

#endif
