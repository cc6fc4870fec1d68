/* SPDX-License-Identifier: BSD-2-Clause */
/* What the flow table and the port table tell each other and the sockets, and nobody else. */
#ifndef STRATA_KERNEL_FLOW_INT_H
#define STRATA_KERNEL_FLOW_INT_H

#include "kernel.h"

/* RFC 6335 6 begins the dynamic range at 49152; local choice: Linux's, which is wider. */
#define PORT_EPHEMERAL_MIN 32768
#define PORT_EPHEMERAL_MAX 60999
#define PORT_EPHEMERAL_COUNT (PORT_EPHEMERAL_MAX - PORT_EPHEMERAL_MIN + 1)

/* strata_flow.flags */
enum flow_flag {
	FLOW_SOCKET = 1 << 0,	/* embedded in a struct strata_socket */
	FLOW_COUNTED = 1 << 1,	/* counted in its destination, see flow_destination_count() */
	FLOW_STRAY = 1 << 2,	/* another shard owns it: counted at its port, see port_stray() */
};

/* A key's hash without its local port, for RFC 6056's F and G. */
uint64_t flow_destination_hash(const struct strata_hash_key *secret,
			       const struct strata_flow_key *key);
/* Outgoing flows with ephemeral ports that share all of `key` but the local port. */
uint32_t flow_destination_count(struct kernel *k, const struct strata_flow_key *key);
/* True when some flow has exactly this key, whatever its interface. */
bool flow_taken(struct kernel *k, const struct strata_flow_key *key);
/* `flow` is a copy of an entry, which it takes the place of. */
void flow_moved(struct kernel *k, const struct strata_flow *from, struct strata_flow *flow);
/* Calls `each` for every flow and listener; `each` may remove any entry. */
void flow_walk_all(struct kernel *k, void (*each)(struct strata_flow *flow, void *ctx), void *ctx);

/* True when the port serves outgoing flows (strata_port_claim_flow()). */
bool port_serves_flows(struct kernel *k, uint8_t number, uint16_t port);
/* A flow on the port that another shard owns has come, or goes. Returns false when memory is short. */
bool port_stray(struct kernel *k, uint8_t number, uint16_t port, bool comes);
/* Changes the STRATA_PORT_REUSE_… bits of a claim that may be held. */
void port_set_reuse(struct kernel *k, struct strata_port *claim, uint8_t reuse);
/* `claim` is a copy of one that may be held, which it takes the place of. */
void port_moved(struct strata_port *claim);
/* Takes strata_port_listen() back. */
void port_unlisten(struct kernel *k, struct strata_port *claim);

#endif
