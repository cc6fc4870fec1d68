/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of the echo module: its ports, its connections, and what its files offer each other. */
#ifndef ECHO_INT_H
#define ECHO_INT_H

#include <strata/service.h>
#include <strata/timer.h>

/* Read and written at once, and so the most that a connection keeps while its peer does not read. */
#define ECHO_SCRATCH 65536
/* RFC 864: lines of 72 printing characters and CR LF, each beginning one character later. */
#define CHARGEN_CHARACTERS 95
#define CHARGEN_LINE 72
#define CHARGEN_PERIOD (CHARGEN_CHARACTERS * (CHARGEN_LINE + 2))
/* Whole periods, so that a long run of them can be sent at once. */
#define CHARGEN_SIZE (9 * CHARGEN_PERIOD)

enum echo_protocol {
	ECHO_ECHO,		/* RFC 862 */
	ECHO_DISCARD,		/* RFC 863 */
	ECHO_CHARGEN,		/* RFC 864 */
	ECHO_PROTOCOLS,
};

/* Transports; the index in echo_config.ports. */
enum echo_transport {
	ECHO_UDP,
	ECHO_TCP,
	ECHO_TRANSPORTS,
};

/* Address families, tried in turn. */
#define ECHO_FAMILIES 2
/* Sockets of one protocol over one transport are neighbours in echo_state.ports. */
#define ECHO_PORTS (ECHO_PROTOCOLS * ECHO_TRANSPORTS * ECHO_FAMILIES)

struct echo_config {
	uint64_t ports[ECHO_PROTOCOLS][ECHO_TRANSPORTS];	/* 0: off */
	uint64_t max_connections;
};

enum echo_counter {
#define X(symbol, name, help, mib) ECHO_COUNT_##symbol,
#include "echo_counters.def"
#undef X
	ECHO_COUNTERS,
};

/* A socket that waits for datagrams or connections. */
struct echo_port {
	struct strata_instance *self;
	enum echo_protocol protocol;
	enum echo_transport transport;
	int family;			/* AF_… */
	int s;				/* -1: not open */
};

struct echo_connection;

struct echo_state {
	struct echo_port ports[ECHO_PORTS];
	struct strata_cache *connections;
	struct echo_connection *first;
	uint64_t count;
	uint8_t *scratch;		/* ECHO_SCRATCH bytes, for whoever runs */
	uint8_t *chargen;		/* CHARGEN_SIZE bytes; NULL until needed */
	struct strata_instance *self;
	struct strata_work accept_work;	/* accepting goes on after the batch */
	struct strata_timer accept_timer;	/* … or later, when nothing of ours ends */
	bool starved;			/* connections wait for a descriptor or memory */
	bool draining;
};

static inline struct echo_state *echo_state(const struct strata_instance *self)
{
	return self->state;
}

/* The pattern of RFC 864, made when first asked for; NULL when memory is short. */
const uint8_t *echo_pattern(struct strata_instance *self);

/* Bytes of a struct echo_connection (echo_stream.c). */
size_t echo_connection_size(void);
/* Takes every connection that waits at the port (echo_stream.c). */
void echo_accept(struct echo_port *port);
/* Takes connections at all ports, after having had to wait. */
void echo_accept_again(struct strata_instance *self);
/* Ends connections: when `flush`, after what they have received was worked off. */
void echo_close_connections(struct strata_instance *self, bool flush);

/* Works off every datagram that waits at the port (echo_datagram.c). */
void echo_datagrams(struct echo_port *port);

#endif
