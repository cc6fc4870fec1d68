/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The metrics service: what the stack counts, over its own TCP, in the text format of Prometheus. Here: options,
 * the listening sockets, and the module's life. Without TCP it waits for it.
 */
#include <errno.h>
#include <netinet/in.h>
#include <strata/iface.h>

#include "metrics_int.h"

/* Local choice: how soon accepting is tried again when there was no descriptor or memory. */
#define ACCEPT_RETRY (1 * STRATA_SEC)
/* Local choice: connections that wait to be accepted. */
#define BACKLOG 16

static const int families[METRICS_FAMILIES] = { AF_INET, AF_INET6 };

union address {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_storage room;
};

/* ---- listening ---- */

static void listener_close(struct metrics_listener *listener)
{
	if (listener->s >= 0)
		strata_close(listener->self->stack, listener->s);
	listener->s = -1;
}

static void accept_all(struct strata_instance *self)
{
	struct metrics_state *state = metrics_state(self);
	unsigned int i;

	for (i = 0; i < METRICS_FAMILIES; i++)
		if (state->listeners[i].s >= 0 && !metrics_accept(&state->listeners[i]))
			strata_timer_start(self->stack, &state->retry,
					   strata_now(self->stack) + ACCEPT_RETRY);
}

static void accept_again(struct strata_stack *stack, struct strata_timer *timer)
{
	(void)stack;
	accept_all(strata_container_of(timer, struct metrics_state, retry)->self);
}

static void listener_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct metrics_listener *listener = arg;

	(void)stack;
	(void)s;
	/* TCP or the network module was taken away: the socket is only good for closing. */
	if ((events & EPOLLHUP) != 0)
		listener_close(listener);
	else
		accept_all(listener->self);
}

/* Of several shards each has a port of its own, from the configured one on: what is asked at a port is always
 * answered by the same one. */
static uint16_t port_of(const struct strata_instance *self)
{
	const struct metrics_config *config = self->config;

	return (uint16_t)(config->port + strata_shard(self->stack));
}

/* Where to listen. Returns the address's length, or -EAFNOSUPPORT where this family is not meant. */
static int listen_address(const struct metrics_listener *listener, union address *out)
{
	const struct metrics_config *config = listener->self->config;
	const struct strata_address_ops *ops;

	memset(out, 0, sizeof(*out));
	if (strata_addr_is_set(&config->address.addr)) {
		ops = strata_address_ops(listener->self->stack, config->address.addr.family);
		if (ops == NULL || ops->to_sockaddr == NULL || ops->af != listener->family)
			return -EAFNOSUPPORT;
		return (int)ops->to_sockaddr(&config->address.addr, port_of(listener->self), &out->sa,
					     sizeof(*out));
	}
	if (listener->family == AF_INET) {
		out->in.sin_family = AF_INET;
		out->in.sin_port = htons(port_of(listener->self));
		return sizeof(out->in);
	}
	out->in6.sin6_family = AF_INET6;
	out->in6.sin6_port = htons(port_of(listener->self));
	return sizeof(out->in6);
}

static int listener_open(struct metrics_listener *listener)
{
	struct strata_stack *stack = listener->self->stack;
	union address address;
	int length = listen_address(listener, &address), on = 1, err;

	if (length < 0)
		return length;
	listener->s = strata_socket(stack, listener->family, SOCK_STREAM, IPPROTO_TCP);
	if (listener->s < 0) {
		err = listener->s;
		listener->s = -1;
		return err;
	}
	strata_setsockopt(stack, listener->s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	err = strata_bind(stack, listener->s, &address.sa, (socklen_t)length);
	if (err == 0)
		err = strata_listen(stack, listener->s, BACKLOG);
	if (err < 0) {
		listener_close(listener);
		return err;
	}
	strata_notify(stack, listener->s, listener_ready, listener);
	return 0;
}

/* Opens what is not open. Returns 0, also where a module is missing, or -errno with a sentence. */
static int open_all(struct strata_instance *self, struct strata_error *error)
{
	struct metrics_state *state = metrics_state(self);
	int err = -EAFNOSUPPORT;
	unsigned int i;

	for (i = 0; i < METRICS_FAMILIES; i++) {
		int result = state->listeners[i].s >= 0 ? 0 : listener_open(&state->listeners[i]);

		if (result == 0 || (result != -EAFNOSUPPORT && err != 0))
			err = result;
	}
	if (err == 0)
		return 0;
	if (err == -EPROTONOSUPPORT || err == -EAFNOSUPPORT) {
		strata_log(self->stack, self, STRATA_LOG_INFO, "not served yet: %s", err == -EAFNOSUPPORT ?
			   "no network module for the address is running" : "tcp is not running");
		return 0;
	}
	strata_error_add(error, "%s: cannot listen on port %u: %s%s", self->name,
			 port_of(self), strerror(-err),
			 err == -EADDRINUSE ? " (another service has it: give one of them another port)" :
			 err == -EADDRNOTAVAIL ? " (`address` must be one of the stack's)" : "");
	return err;
}

static void close_all(struct strata_instance *self)
{
	unsigned int i;

	for (i = 0; i < METRICS_FAMILIES; i++)
		listener_close(&metrics_state(self)->listeners[i]);
}

/* ---- life ---- */

static void metrics_stop(struct strata_instance *self)
{
	struct metrics_state *state = metrics_state(self);

	close_all(self);
	metrics_close_clients(self, false);
	strata_timer_stop(self->stack, &state->retry);
	strata_free(self->stack, state);
	self->state = NULL;
}

static int metrics_start(struct strata_instance *self, struct strata_error *error)
{
	const struct metrics_config *config = self->config;
	struct metrics_state *state;
	unsigned int i;
	int err;

	if (config->path[0] != '/' || strpbrk(config->path, " ?#\t") != NULL) {
		strata_error_add(error, "%s: path: expected one that begins with / and has no space, ? or #, "
				 "found \"%s\"", self->name, config->path);
		return -EINVAL;
	}
	if (config->port + strata_shard_count(self->stack) - 1 > UINT16_MAX) {
		strata_error_add(error, "%s: port: expected one with a port for each of %u shards from it on, "
				 "found %u", self->name, strata_shard_count(self->stack),
				 (unsigned int)config->port);
		return -EINVAL;
	}
	state = strata_alloc(self->stack, sizeof(*state));
	if (state == NULL) {
		strata_error_add(error, "%s: out of memory", self->name);
		return -ENOMEM;
	}
	self->state = state;
	state->self = self;
	state->retry.fire = accept_again;
	for (i = 0; i < METRICS_FAMILIES; i++)
		state->listeners[i] = (struct metrics_listener){ self, families[i], -1 };
	err = open_all(self, error);
	if (err < 0)
		metrics_stop(self);
	return err;
}

/* Listening sockets whose module went have not heard of it yet when it is told; one that came back is used. */
static void metrics_modules_changed(struct strata_instance *self)
{
	struct metrics_state *state = metrics_state(self);
	struct strata_error error = { 0 };
	unsigned int i;

	if (state->draining)
		return;
	for (i = 0; i < METRICS_FAMILIES; i++)
		if (state->listeners[i].s >= 0 &&
		    (strata_events(self->stack, state->listeners[i].s) & EPOLLHUP) != 0)
			listener_close(&state->listeners[i]);
	if (open_all(self, &error) < 0)
		strata_log(self->stack, self, STRATA_LOG_WARNING, "%s", strata_error_text(&error));
	strata_error_clear(&error);
}

static void metrics_drain(struct strata_instance *self)
{
	metrics_state(self)->draining = true;
	close_all(self);
	metrics_close_clients(self, true);
}

/* ---- descriptor ---- */

#define FIELD(name_) offsetof(struct metrics_config, name_)

static const struct strata_option metrics_options[] = {
	{
		.name = "address", .type = STRATA_OPT_PREFIX, .offset = FIELD(address),
		.help = "Address to listen on; none: all of the stack's.",
	},
	{
		.name = "port", .type = STRATA_OPT_UINT, .offset = FIELD(port), .fallback = "9740", .min = 1,
		.max = 65535, .help = "TCP port to listen on; of several shards the first's, the others have the next ones.",
	},
	{
		.name = "path", .type = STRATA_OPT_STRING, .offset = FIELD(path), .fallback = "/metrics",
		.help = "Path of the metrics in a request.",
	},
	{
		.name = "clients", .type = STRATA_OPT_UINT, .offset = FIELD(clients), .fallback = "16",
		.min = 1, .max = 4096, .unit = "connections", .runtime = true,
		.help = "Most connections at a time; the next is answered with 503 unless one is idle.",
	},
	{
		.name = "header_limit", .type = STRATA_OPT_SIZE, .offset = FIELD(header_limit),
		.fallback = "8KiB", .min = 256, .max = 1 << 20, .runtime = true,
		.help = "Longest head of a request; a longer one is answered with 431.",
	},
	{
		.name = "body_limit", .type = STRATA_OPT_SIZE, .offset = FIELD(body_limit), .fallback = "4MiB",
		.min = 1024, .max = 1 << 28, .runtime = true,
		.help = "Longest response; where the metrics are more, 500 is the answer.",
	},
	{
		.name = "timeout", .type = STRATA_OPT_TIME, .offset = FIELD(timeout), .fallback = "10s",
		.min = 10 * STRATA_MS, .max = 3600 * STRATA_SEC, .runtime = true,
		.help = "How long a request may take to come in, and a response to be taken.",
	},
	{
		.name = "idle_timeout", .type = STRATA_OPT_TIME, .offset = FIELD(idle_timeout),
		.fallback = "120s", .min = 10 * STRATA_MS, .max = 24 * 3600 * STRATA_SEC, .runtime = true,
		.help = "How long a connection may wait for its next request.",
	},
};

static const struct strata_counter_def metrics_counters[] = {
#define X(symbol, name, help, mib) { name, help, mib },
#include "metrics_counters.def"
#undef X
};
_Static_assert(STRATA_COUNT(metrics_counters) == METRICS_COUNTERS, "a definition for each counter");

static const struct strata_dependency metrics_depends[] = {
	{ .kind = STRATA_TRANSPORT, .name = "tcp", .optional = true },
	{ 0 },
};

static const struct strata_service_ops metrics_ops = {
	.drain = metrics_drain,
	.modules_changed = metrics_modules_changed,
};

STRATA_MODULE(metrics) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_SERVICE,
	.name = "metrics",
	.version = "1.0",
	.summary = "counters and gauges of the stack for Prometheus, over HTTP",
	.depends = metrics_depends,
	.config_size = sizeof(struct metrics_config),
	.options = metrics_options,
	.option_count = STRATA_COUNT(metrics_options),
	.counters = metrics_counters,
	.counter_count = STRATA_COUNT(metrics_counters),
	.start = metrics_start,
	.stop = metrics_stop,
	.service = &metrics_ops,
};
