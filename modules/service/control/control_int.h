/* SPDX-License-Identifier: BSD-2-Clause */
/* The rooms of the control service: what its files promise each other. docs/control.md is the protocol. */
#ifndef CONTROL_INT_H
#define CONTROL_INT_H

#include <jansson.h>
#include <strata/inspect.h>
#include <strata/live.h>
#include <strata/loop.h>
#include <strata/module.h>
#include <strata/shards.h>
#include <strata/timer.h>

/** Bytes a client may have under way, each way. */
#define CONTROL_BUFFER 65536
/** Version of the protocol. */
#define CONTROL_VERSION 1
/** Longest `id` that is a string, bytes. */
#define CONTROL_ID_MAX 16

struct control_config {
	const char *socket;
	const char *group;
	const char *admin_group;
	uint64_t clients;
	uint64_t timeout;
	uint64_t streams;
	uint64_t stream_buffer;
};

struct control_method;
struct control_request;
struct control_stream;

/** A connected client. At most one request of it is worked on in a turn of the loop. */
struct control_client {
	struct control *control;
	struct control_client *next, **link;
	struct strata_watch watch;
	struct strata_timer timer;	/* ends a request or a reply that does not get on */
	uint64_t active;		/* last byte in or out, stack time */
	struct control_stream *stream;	/* what follows the reply; NULL: nothing does */
	size_t in_length, out_length, out_sent;
	struct strata_call call;	/* for a request that has been laid aside until the stack is at rest: */
	json_t *laid;			/* NULL: none has */
	const struct control_method *laid_method;
	bool admin;			/* may change things */
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
	unsigned int client_count, stream_count;
	struct control_request *working;	/* one that was laid aside is being answered; NULL: none */
	int reserve;			/* a descriptor given up to serve one client when there are none; -1 */
	uint32_t group, admin_group;	/* CONTROL_NO_GROUP: none */
	char path[108];			/* of the socket: sizeof(sun_path) */
	uint64_t device, inode;		/* the socket's, to tell whether it is still there */
	bool made_directory;		/* the one it is in */
};
#define CONTROL_NO_GROUP UINT32_MAX

enum control_counter {
	CONTROL_COUNTER_ACCEPTED,
	CONTROL_COUNTER_REFUSED,
	CONTROL_COUNTER_EVICTED,
	CONTROL_COUNTER_REQUESTS,
	CONTROL_COUNTER_ERRORS,
	CONTROL_COUNTER_FORBIDDEN,
	CONTROL_COUNTER_TIMEOUTS,
	CONTROL_COUNTER_PAUSES,
	CONTROL_COUNTER_STREAMS,
	CONTROL_COUNTER_STREAM_LOST,
	CONTROL_COUNTERS,
};

/* ---- control_client.c ---- */

/** Takes over a connected, non-blocking descriptor. */
void control_client_add(struct control *control, int fd);
/** Closes the client that has been idle the longest, if for at least the time-out. Returns whether. */
bool control_client_evict(struct control *control);
void control_client_close(struct control_client *client);
/** Sends what is there to be sent; may close the client. */
void control_client_push(struct control_client *client);
/** The descriptor's reserve is had again as soon as one is free. */
void control_reserve(struct control *control);

/* ---- control_access.c: who may do what ---- */

/** Resolves the options `group` and `admin_group`. Returns 0 or -errno with a sentence. */
int control_access_init(struct control *control, struct strata_error *error);
/** Whether the process at the other end may change things. */
bool control_access_admin(const struct control *control, int fd);
/** "root, user strata and members of group netadm", into `buf`: who may. */
void control_access_names(const struct control *control, char *buf, size_t size);

/* ---- control_reply.c: a request's line to a reply's line ---- */

/** A request being answered. */
struct control_request {
	/* Both NULL once the service has been stopped by what it was asked. */
	struct control *control;
	struct control_client *client;
	int orphan;		/* the client's descriptor when they are */
	struct strata_stack *stack;
	const struct control_method *method;
	const json_t *root;	/* all of it */
	const json_t *id;	/* NULL: has none */
	char *out;		/* room for CONTROL_BUFFER bytes of reply */
	unsigned int shard;	/* which `stack` is, while a change goes to one after the other */
	bool failed;		/* the reply is an error */
};

/** Type of a parameter. */
enum control_type {
	CONTROL_TEXT,		/* a string that is not empty */
	CONTROL_UINT,		/* an integer, `min` to `max` */
	CONTROL_BOOL,
	CONTROL_OBJECT,
	CONTROL_ARRAY,
};

/** A parameter of a method: checked before the method is called. */
struct control_param {
	const char *name;
	enum control_type type;
	bool required;
	uint64_t min, max;
};

/** A method; exactly one of `answer` and `stream` is set. */
struct control_method {
	const char *name;
	bool admin;		/* for administrators alone */
	bool later;		/* `answer` is called when the stack is at rest: it may stop modules */
	const struct control_param *params;
	size_t param_count;
	/** Writes the reply's line to request->out, mostly by control_result() and control_fail(), and
	 *  returns its length. */
	size_t (*answer)(struct control_request *request);
	const struct control_stream_ops *stream;
};

/** Works one request of `length` bytes, without its newline; writes one line to `out`, which has room
 *  for CONTROL_BUFFER bytes. Returns the line's length; 0: there is none. */
size_t control_answer(struct control_client *client, const char *request, size_t length, char *out);
/** Calls a method that has `answer`. A change goes to all shards: to shard 0 first, and no further when it
 *  is refused. */
size_t control_call(struct control_request *request);
/** Writes an error line: `code` for programs, `message` for people. `id` may be NULL. Returns its length. */
size_t control_error(char *out, const json_t *id, const char *code, const char *message);

/** The reply to a request that was fulfilled; takes `result` over. */
size_t control_result(struct control_request *request, json_t *result);
/** The reply to one that was not: counts it. */
size_t control_fail(struct control_request *request, const char *code, const char *format, ...)
	STRATA_PRINTF(3, 4);
/** The same from what a call of the kernel returned and told; empties `error`. */
size_t control_fail_errno(struct control_request *request, int result, struct strata_error *error);
/** Writes `"v":1,"id":…`, with which every line begins after its brace. Returns its length. */
size_t control_put_id(char *out, size_t size, const json_t *id);

/** Parameters that were checked. A text, object or array that was left out is NULL. */
const char *control_text(const struct control_request *request, const char *name);
uint64_t control_uint(const struct control_request *request, const char *name, uint64_t fallback);
bool control_bool(const struct control_request *request, const char *name, bool fallback);
const json_t *control_value(const struct control_request *request, const char *name);

/** Names that there are: what a mistaken one is told, and the nearest looked for among. */
struct control_names {
	const char *names[64];
	size_t count;
};
/** Beyond the room there is, names are left out. */
void control_names_add(struct control_names *names, const char *name);
/** `; did you mean "…"?` or "" into `buf`, which is returned. */
const char *control_names_hint(const struct control_names *names, const char *word, char buf[96]);
/** All of them, with commas between, into `buf`, which is returned; "none" where there are none. */
const char *control_names_list(const struct control_names *names, char buf[512]);

/* ---- control_stream.c: what follows a reply ---- */

/** What a kind of stream does. */
struct control_stream_ops {
	/** Begins. `*state` is the stream's own from now on. Returns 0, or the length of an error reply that it
	 *  has written; then it has undone all it did, and `stop` is not called. */
	size_t (*start)(struct control_request *request, void **state);
	/** Ends: undoes start. It may still write, but nothing after it returns. */
	void (*stop)(struct control_client *client, void *state);
	/** Bytes of its own kind follow the reply, not lines of JSON: it has no event `end`, and ends when the
	 *  client sends anything or closes its side. */
	bool raw;
};

/** The method of a stream: begins it. */
size_t control_stream_start(struct control_request *request);
/** The method `stop`: the event `end` is its answer. */
size_t control_stream_stop(struct control_request *request);
/** The stream's own state; NULL: the client has no stream that runs. */
void *control_stream_state(const struct control_client *client);
/** Appends bytes: all or none. Never waits, sends nothing itself. Returns false when they found no room: they
 *  are counted as one lost event. */
bool control_stream_write(struct control_client *client, const void *bytes, size_t length);
/** Appends the line of an event; takes `data` over. Returns as control_stream_write(). */
bool control_stream_event(struct control_client *client, const char *event, json_t *data);
/** Bytes that would find room now: to spare the making of what would be lost. */
size_t control_stream_room(const struct control_client *client);
/** Counts events that were not made for want of room. */
void control_stream_lose(struct control_client *client, uint64_t events);
uint64_t control_stream_lost(const struct control_client *client);
/** The source has ended (`reason` is a static text, such as "the interface is gone"): the stream stops at the
 *  end of the batch. */
void control_stream_end(struct control_client *client, const char *reason);

/* For control_client.c. */

/** Stops the source and writes the event `end`. */
void control_stream_finish(struct control_client *client, const char *reason);
/** Sends what the client takes at once. Returns false when it is gone. */
bool control_stream_flush(struct control_client *client);
/** The stream has been stopped; what it has left to send comes before anything else. */
bool control_stream_draining(const struct control_client *client);
/** Something waits for the client to take it. */
bool control_stream_pending(const struct control_client *client);
bool control_stream_raw(const struct control_client *client);
/** Ends it at once, with what it has not sent. No stream: nothing happens. */
void control_stream_free(struct control_client *client);

/* ---- control_show.c: tables ---- */

/** One page of a table on its way into a buffer. */
struct control_page {
	struct strata_stack *stack;
	char *out;
	size_t length, room;
	uint64_t from;		/* first entry wanted */
	uint64_t index;		/* entry the walk has come to */
	uint64_t count;		/* entries written */
	uint64_t next;		/* first entry that found no room; 0: all are written */
	/* Of sockets: which are wanted (NULL, 0: all), and whether with all that is known of them. */
	const char *transport, *state;
	uint16_t port;
	bool details;
	bool shards;		/* entries tell their shard */
};

/** True when the walk's next entry is to be added: it counts the entry either way. */
bool control_page_wants(struct control_page *page);
/** Adds an entry; takes over the reference. NULL: memory is short, the page ends here. */
void control_page_add(struct control_page *page, json_t *entry);

/** The method `show`. */
size_t control_answer_show(struct control_request *request);

/* ---- control_sockets.c: the table `sockets` ---- */

/** A socket as the table has it. */
json_t *control_socket_entry(struct strata_stack *stack, const struct strata_socket_view *view);
void control_show_sockets(struct control_page *page);
/** Takes the parameters that only this table has. Returns 0, or the length of a refusal. */
size_t control_sockets_filter(struct control_request *request, const char *what,
			      struct control_page *page);

/* ---- control_change.c: options, addresses, routes, neighbours ---- */

/** The interface of that name; NULL: there is none, and `*refused` is the length of the reply that says so. */
struct strata_iface *control_find_iface(struct control_request *request, const char *name,
					size_t *refused);
size_t control_option_get(struct control_request *request);
size_t control_option_set(struct control_request *request);
size_t control_address_add(struct control_request *request);
size_t control_address_remove(struct control_request *request);
size_t control_route_add(struct control_request *request);
size_t control_route_remove(struct control_request *request);
size_t control_neighbour_add(struct control_request *request);
size_t control_neighbour_remove(struct control_request *request);

/* ---- control_modules.c: what may stop modules ---- */

/** Keeps a request until the stack is at rest; the client is answered then. */
void control_lay_aside(struct control_request *request);
/** The client goes: nobody wants the answer. */
void control_forget_laid(struct control_client *client);
size_t control_module_enable(struct control_request *request);
size_t control_module_disable(struct control_request *request);
size_t control_module_load(struct control_request *request);
size_t control_module_unload(struct control_request *request);
size_t control_interface_set(struct control_request *request);
size_t control_reload(struct control_request *request);

/* ---- control_graph.c ---- */

/** The table `graph`: nodes, then edges. */
void control_show_graph(struct control_page *page);

/* ---- control_capture.c: frames as a pcapng file ---- */

extern const struct control_stream_ops control_capture_ops;

#endif
