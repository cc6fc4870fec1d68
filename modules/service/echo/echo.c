/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The small services: echo (RFC 862), discard (RFC 863) and character generator (RFC 864), over UDP
 * and TCP. A transport that is not bound is left out, and taken up when it comes.
 */
#include <errno.h>
#include <netinet/in.h>

#include "echo_int.h"

static const char *const protocol_names[ECHO_PROTOCOLS] = {
	[ECHO_ECHO] = "echo",
	[ECHO_DISCARD] = "discard",
	[ECHO_CHARGEN] = "chargen",
};

static const struct {
	const char *name;
	int type, number;
} transports[ECHO_TRANSPORTS] = {
	[ECHO_UDP] = { "udp", SOCK_DGRAM, IPPROTO_UDP },
	[ECHO_TCP] = { "tcp", SOCK_STREAM, IPPROTO_TCP },
};

static const int families[ECHO_FAMILIES] = { AF_INET, AF_INET6 };

const uint8_t *echo_pattern(struct strata_instance *self)
{
	struct echo_state *state = echo_state(self);
	uint32_t i;

	if (state->chargen != NULL)
		return state->chargen;
	state->chargen = strata_alloc(self->stack, CHARGEN_SIZE);
	for (i = 0; state->chargen != NULL && i < CHARGEN_SIZE; i++) {
		uint32_t line = i / (CHARGEN_LINE + 2), column = i % (CHARGEN_LINE + 2);

		if (column < CHARGEN_LINE)
			state->chargen[i] = (uint8_t)(' ' + (line + column) % CHARGEN_CHARACTERS);
		else
			state->chargen[i] = column == CHARGEN_LINE ? '\r' : '\n';
	}
	return state->chargen;
}

/* ---- ports ---- */

static void port_close(struct echo_port *port)
{
	if (port->s >= 0)
		strata_close(port->self->stack, port->s);
	port->s = -1;
}

static void port_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct echo_port *port = arg;

	(void)s;
	(void)stack;
	/* The transport or network module was taken away: the socket is only good for closing. */
	if ((events & EPOLLHUP) != 0)
		port_close(port);
	else if (port->transport == ECHO_UDP)
		echo_datagrams(port);
	else
		echo_accept(port);
}

static uint16_t port_number(const struct echo_port *port)
{
	const struct echo_config *config = port->self->config;

	return (uint16_t)config->ports[port->protocol][port->transport];
}

static int port_bind(const struct echo_port *port)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} any = { .in6 = { 0 } };
	int on = 1;

	if (port->family == AF_INET) {
		any.in.sin_family = AF_INET;
		any.in.sin_port = htons(port_number(port));
		/* Without it (a network module that cannot) answers bear the address routing chooses. */
		if (port->transport == ECHO_UDP)
			strata_setsockopt(port->self->stack, port->s, IPPROTO_IP, IP_PKTINFO, &on,
					  sizeof(on));
	} else {
		any.in6.sin6_family = AF_INET6;
		any.in6.sin6_port = htons(port_number(port));
	}
	if (port->transport == ECHO_TCP)
		strata_setsockopt(port->self->stack, port->s, SOL_SOCKET, SO_REUSEADDR, &on,
				  sizeof(on));
	return strata_bind(port->self->stack, port->s, &any.sa,
			   port->family == AF_INET ? sizeof(any.in) : sizeof(any.in6));
}

/* Opens the port. Returns 0 or -errno: -EPROTONOSUPPORT or -EAFNOSUPPORT where a module is not there. */
static int port_open(struct echo_port *port)
{
	struct strata_stack *stack = port->self->stack;
	int err;

	port->s = strata_socket(stack, port->family, transports[port->transport].type,
				transports[port->transport].number);
	if (port->s < 0) {
		err = port->s;
		port->s = -1;
		return err;
	}
	err = port_bind(port);
	if (err == 0 && port->transport == ECHO_TCP)
		err = strata_listen(stack, port->s, SOMAXCONN);
	if (err < 0) {
		port_close(port);
		return err;
	}
	strata_notify(stack, port->s, port_ready, port);
	return 0;
}

/* Opens one protocol over one transport, `ports` its sockets, on every family there is. Returns 0, also
 * where a module is missing, or -errno. */
static int protocol_open(struct strata_instance *self, struct echo_port *ports,
			 struct strata_error *error)
{
	const char *protocol = protocol_names[ports[0].protocol];
	const char *transport = transports[ports[0].transport].name;
	int err = -EAFNOSUPPORT;
	unsigned int i, open = 0;

	if (port_number(&ports[0]) == 0)
		return 0;
	for (i = 0; i < ECHO_FAMILIES; i++) {
		int result = ports[i].s >= 0 ? 0 : port_open(&ports[i]);

		if (result == 0)
			open++;
		else if (result != -EAFNOSUPPORT)
			err = result;
	}
	if (open > 0)
		return 0;
	if (err == -EPROTONOSUPPORT || err == -EAFNOSUPPORT) {
		strata_log(self->stack, self, STRATA_LOG_INFO, "%s over %s is not served: %s",
			   protocol, transport,
			   err == -EAFNOSUPPORT ? "no network module is running" :
						  "that transport is not running");
		return 0;
	}
	strata_error_add(error, "%s: cannot serve %s on %s port %u: %s%s", self->name,
			 protocol, transport,
			 port_number(&ports[0]), strerror(-err), err == -EADDRINUSE ?
			 " (another service has it: give one of them another port)" : "");
	return err;
}

static int open_all(struct strata_instance *self, struct strata_error *error)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ECHO_PORTS && err == 0; i += ECHO_FAMILIES)
		err = protocol_open(self, &echo_state(self)->ports[i], error);
	return err;
}

static void close_all(struct strata_instance *self)
{
	unsigned int i;

	for (i = 0; i < ECHO_PORTS; i++)
		port_close(&echo_state(self)->ports[i]);
}

/* Ports whose module went have not heard of it yet when it is told. */
static void close_gone(struct strata_instance *self)
{
	struct echo_port *port = echo_state(self)->ports;
	unsigned int i;

	for (i = 0; i < ECHO_PORTS; i++)
		if (port[i].s >= 0 && (strata_events(self->stack, port[i].s) & EPOLLHUP) != 0)
			port_close(&port[i]);
}

/* ---- life ---- */

static void accept_work(struct strata_stack *stack, struct strata_work *work)
{
	(void)stack;
	echo_accept_again(strata_container_of(work, struct echo_state, accept_work)->self);
}

static void accept_timer(struct strata_stack *stack, struct strata_timer *timer)
{
	(void)stack;
	echo_accept_again(strata_container_of(timer, struct echo_state, accept_timer)->self);
}

static void ports_init(struct strata_instance *self)
{
	unsigned int i;

	for (i = 0; i < ECHO_PORTS; i++)
		echo_state(self)->ports[i] = (struct echo_port){
			.self = self,
			.protocol = i / ECHO_FAMILIES / ECHO_TRANSPORTS,
			.transport = i / ECHO_FAMILIES % ECHO_TRANSPORTS,
			.family = families[i % ECHO_FAMILIES],
			.s = -1,
		};
}

static void echo_stop(struct strata_instance *self)
{
	struct echo_state *state = echo_state(self);

	close_all(self);
	state->starved = false;
	if (state->connections != NULL)
		echo_close_connections(self, false);
	strata_work_cancel(self->stack, &state->accept_work);
	strata_timer_stop(self->stack, &state->accept_timer);
	strata_cache_destroy(state->connections);
	strata_free(self->stack, state->scratch);
	strata_free(self->stack, state->chargen);
	strata_free(self->stack, state);
	self->state = NULL;
}

static int echo_start(struct strata_instance *self, struct strata_error *error)
{
	struct echo_state *state = strata_alloc(self->stack, sizeof(*state));
	int err = -ENOMEM;

	if (state == NULL)
		goto out_memory;
	self->state = state;
	state->self = self;
	state->accept_work.run = accept_work;
	state->accept_timer.fire = accept_timer;
	ports_init(self);
	state->scratch = strata_alloc(self->stack, ECHO_SCRATCH);
	state->connections = strata_cache_create(self->stack, "echo connections",
						 echo_connection_size());
	if (state->scratch == NULL || state->connections == NULL)
		goto out_stop;
	err = open_all(self, error);
	if (err == 0)
		return 0;
	echo_stop(self);
	return err;
out_stop:
	echo_stop(self);
out_memory:
	strata_error_add(error, "%s: out of memory", self->name);
	return err;
}

/* A port that was closed because its transport went is opened again when that is back. */
static void echo_modules_changed(struct strata_instance *self)
{
	struct strata_error error = { 0 };

	if (echo_state(self)->draining)
		return;
	close_gone(self);
	if (open_all(self, &error) < 0)
		strata_log(self->stack, self, STRATA_LOG_WARNING, "%s",
			   strata_error_text(&error));
	strata_error_clear(&error);
}

static void echo_drain(struct strata_instance *self)
{
	echo_state(self)->draining = true;
	close_all(self);
	echo_close_connections(self, true);
}

/* ---- descriptor ---- */

#define PORT_OPTION(name_, protocol_, transport_, fallback_, help_) \
	{ \
		.name = name_, .type = STRATA_OPT_UINT, \
		.offset = offsetof(struct echo_config, ports[protocol_][transport_]), \
		.fallback = fallback_, .min = 0, .max = 65535, .unit = "port", .help = help_, \
	}

static const struct strata_option echo_options[] = {
	PORT_OPTION("udp", ECHO_ECHO, ECHO_UDP, "7", "UDP port of echo (RFC 862); 0: off."),
	PORT_OPTION("tcp", ECHO_ECHO, ECHO_TCP, "7", "TCP port of echo (RFC 862); 0: off."),
	PORT_OPTION("discard_udp", ECHO_DISCARD, ECHO_UDP, "0",
		    "UDP port of discard (RFC 863), 9 by custom; 0: off."),
	PORT_OPTION("discard_tcp", ECHO_DISCARD, ECHO_TCP, "0",
		    "TCP port of discard (RFC 863), 9 by custom; 0: off."),
	PORT_OPTION("chargen_udp", ECHO_CHARGEN, ECHO_UDP, "0",
		    "UDP port of the character generator (RFC 864), 19 by custom; 0: off."),
	PORT_OPTION("chargen_tcp", ECHO_CHARGEN, ECHO_TCP, "0",
		    "TCP port of the character generator (RFC 864), 19 by custom; 0: off."),
	{
		.name = "max_connections",
		.type = STRATA_OPT_UINT,
		.offset = offsetof(struct echo_config, max_connections),
		.fallback = "16384",
		.min = 1,
		.max = 1 << 20,
		.unit = "connections",
		.help = "Most connections at once; further ones wait in the listen queue.",
		.runtime = true,
	},
};

static const struct strata_counter_def echo_counters[] = {
#define X(symbol, name, help, mib) { name, help, mib },
#include "echo_counters.def"
#undef X
};
_Static_assert(STRATA_COUNT(echo_counters) == ECHO_COUNTERS, "a definition for each counter");

static const struct strata_dependency echo_depends[] = {
	{ .kind = STRATA_TRANSPORT, .name = "udp", .optional = true },
	{ .kind = STRATA_TRANSPORT, .name = "tcp", .optional = true },
	{ 0 },
};

static const struct strata_service_ops echo_ops = {
	.drain = echo_drain,
	.modules_changed = echo_modules_changed,
};

STRATA_MODULE(echo) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_SERVICE,
	.name = "echo",
	.version = "1.0",
	.summary = "echo, discard and character generator (RFC 862, 863, 864)",
	.depends = echo_depends,
	.config_size = sizeof(struct echo_config),
	.options = echo_options,
	.option_count = STRATA_COUNT(echo_options),
	.counters = echo_counters,
	.counter_count = STRATA_COUNT(echo_counters),
	.start = echo_start,
	.stop = echo_stop,
	.service = &echo_ops,
};
