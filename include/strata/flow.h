/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who gets a transport packet: flows (exact addresses and ports, then listeners from most to least
 * specific) and the ports they occupy. Keyed hashes; nothing a peer sends makes a chain long.
 */
#ifndef STRATA_FLOW_H
#define STRATA_FLOW_H

#include <strata/addr.h>
#include <strata/base.h>
#include <strata/pkt.h>

STRATA_BEGIN_DECLS

/** Both ends of a flow, seen from this stack. Ports in host order. */
struct strata_flow_key {
	struct strata_addr local, remote;
	uint16_t local_port, remote_port;
	uint8_t number;			/**< transport protocol number */
	uint8_t reserved[3];
};

/** An entry of the flow table, embedded in whatever receives: a socket, a half-open connection, a
 *  TIME-WAIT record. Zeroed memory is an entry that is in no table. */
struct strata_flow {
	struct strata_flow *next;	/**< kernel's */
	struct strata_flow **link;	/**< kernel's; NULL: in no table */
	uint32_t hash;			/**< kernel's */
	uint8_t kind;			/**< the transport's: what the entry is embedded in */
	uint8_t listening;		/**< kernel's: in the listener table */
	uint8_t reuse_port;		/**< shares its local end with others; see strata_flow_listen() */
	uint8_t flags;			/**< kernel's */
	struct strata_iface *iface;	/**< packets of this interface only; NULL: any */
	struct strata_flow_key key;
};

/** Enters a flow with both ends set. Returns 0, or -EADDRINUSE when the key is taken (with the same
 *  iface). */
STRATA_API int strata_flow_add(struct strata_stack *stack, struct strata_flow *flow);
/** Enters a listener: key.local may be any or unset, key.remote is unset. Whether it may stand beside
 *  others is the port table's affair. Returns 0. */
STRATA_API int strata_flow_listen(struct strata_stack *stack, struct strata_flow *flow);
/** `flow` takes the place, the key and the interface of `from`, which then is in no table: what a connection
 *  is kept in changes, its packets are found without a gap. `from` is in the table, `flow` in none. */
STRATA_API void strata_flow_replace(struct strata_stack *stack, struct strata_flow *from,
				    struct strata_flow *flow);
/** Takes it out; in no table: nothing happens. */
STRATA_API void strata_flow_remove(struct strata_stack *stack, struct strata_flow *flow);

/** The flow with exactly these ends; NULL: none. `iface` is where the packet came in; NULL: not known, all
 *  fit. */
STRATA_API struct strata_flow *strata_flow_exact(struct strata_stack *stack,
						 const struct strata_flow_key *key,
						 const struct strata_iface *iface);
/** The listener that fits best: bound to the interface, then to the address, then to the family;
 *  of equals that reuse the port, one by the hash of the flow. NULL: none. */
STRATA_API struct strata_flow *strata_flow_listener(struct strata_stack *stack,
						    const struct strata_flow_key *key,
						    const struct strata_iface *iface);
/** strata_flow_exact(), then strata_flow_listener(), with the key read from a received packet's
 *  addresses and number. */
STRATA_API struct strata_flow *strata_flow_find(const struct strata_pkt *pkt, uint16_t local_port,
						uint16_t remote_port);
/** Calls `each` for every flow and listener that a broadcast or multicast packet concerns. `each` must
 *  not change the table. Returns how many. */
STRATA_API unsigned int strata_flow_each(const struct strata_pkt *pkt, uint16_t local_port,
					 uint16_t remote_port,
					 void (*each)(struct strata_flow *flow, void *ctx), void *ctx);
/** Calls `each` for every entry of a transport number; `each` may remove the entry it is given. */
STRATA_API void strata_flow_walk(struct strata_stack *stack, uint8_t number,
				 void (*each)(struct strata_flow *flow, void *ctx), void *ctx);

/** A claim on a local port, embedded in a socket. Zeroed memory claims nothing. */
struct strata_port {
	struct strata_port *next;	/**< kernel's */
	struct strata_port **link;	/**< kernel's; NULL: claims nothing */
	struct strata_addr local;	/**< unset or any: all addresses */
	struct strata_iface *iface;	/**< bound to an interface; NULL: all */
	uint16_t port;
	uint8_t number;
	uint8_t reuse;			/**< bits STRATA_PORT_… */
};
enum strata_port_reuse {
	STRATA_PORT_REUSE_ADDRESS = 1 << 0,	/**< SO_REUSEADDR */
	STRATA_PORT_REUSE_PORT = 1 << 1,	/**< SO_REUSEPORT */
	STRATA_PORT_LISTENS = 1 << 2,		/**< a stream listener: REUSE_ADDRESS does not help beside it */
	STRATA_PORT_DATAGRAM = 1 << 3,		/**< REUSE_ADDRESS shares fully, as Linux does for datagrams */
	STRATA_PORT_FLOW = 1 << 4,		/**< kernel's: claimed by strata_port_claim_flow() */
};

/** Claims claim->port for claim->number and claim->local; port 0: an ephemeral one (32768–60999) is
 *  chosen and written back. Returns 0, -EADDRINUSE, -EADDRNOTAVAIL when no ephemeral port is free, or
 *  -ENOBUFS. Constant cost. */
STRATA_API int strata_port_claim(struct strata_stack *stack, struct strata_port *claim);
/** Claims an ephemeral port for an outgoing flow, such that the flow's key is free: RFC 6056
 *  algorithm 4. `key` has all but local_port, which is written back with claim->port. The same port
 *  may serve flows to different remote ends. claim->local is taken from the key when unset. Returns 0,
 *  -EADDRNOTAVAIL (under 1 ms when full) or -ENOBUFS. */
STRATA_API int strata_port_claim_flow(struct strata_stack *stack, struct strata_port *claim,
				      struct strata_flow_key *key);
/** A further owner of a port that `from` holds (an accepted connection, a TIME-WAIT record): the same
 *  port and sharing, not listening; claim->local is taken from `from` when unset. Never fails. */
STRATA_API void strata_port_share(struct strata_stack *stack, const struct strata_port *from,
				  struct strata_port *claim);
/** `claim`, which claims nothing, takes the place of `from`, which claims nothing then: what holds the port
 *  changes, nothing else does. Where `from` claims nothing, nothing happens. */
STRATA_API void strata_port_replace(struct strata_stack *stack, struct strata_port *from,
				    struct strata_port *claim);
/** May a stream listener be put on the claimed port now? Sets STRATA_PORT_LISTENS. Returns 0 or
 *  -EADDRINUSE. */
STRATA_API int strata_port_listen(struct strata_stack *stack, struct strata_port *claim);
/** Gives it up; one that claims nothing is left alone. */
STRATA_API void strata_port_release(struct strata_stack *stack, struct strata_port *claim);

STRATA_END_DECLS
#endif
