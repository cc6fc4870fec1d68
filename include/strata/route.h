/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Routes (longest prefix, then lowest metric), the cached result of a look-up, and neighbours in the
 * states of RFC 4861 7.3, for every family alike.
 */
#ifndef STRATA_ROUTE_H
#define STRATA_ROUTE_H

#include <strata/addr.h>
#include <strata/iface.h>
#include <strata/pkt.h>
#include <strata/timer.h>

STRATA_BEGIN_DECLS

/* ---- neighbours ---- */

enum strata_neigh_state {
	STRATA_NEIGH_INCOMPLETE,	/**< being asked for; packets wait */
	STRATA_NEIGH_REACHABLE,
	STRATA_NEIGH_STALE,		/**< usable, wants confirming when next used */
	STRATA_NEIGH_DELAY,		/**< used while stale: waits for a confirmation from above */
	STRATA_NEIGH_PROBE,		/**< being asked by unicast */
	STRATA_NEIGH_FAILED,		/**< did not answer; forgotten soon */
	STRATA_NEIGH_PERMANENT,		/**< set by hand */
};

/** A neighbour. Reference-counted; the kernel's table holds one reference. Read-only for modules. */
struct strata_neigh {
	struct strata_neigh *next;	/**< kernel's hash chain */
	struct strata_neigh **link;	/**< kernel's; NULL once it has left the table */
	struct strata_iface *iface;
	struct strata_addr addr;
	struct strata_lladdr lladdr;
	uint8_t state;			/**< enum strata_neigh_state */
	uint8_t probes;			/**< solicitations sent in this state */
	uint16_t reserved;
	uint32_t refs;
	uint64_t confirmed;		/**< last confirmation of reachability, stack time */
	uint64_t used;			/**< last packet sent through it */
	uint64_t settled;		/**< kernel's: until then it can be sent to without a look at it */
	struct strata_pkt_queue waiting;	/**< at most 16 packets and 64 KiB */
	struct strata_timer timer;
};

/** Finds or makes the entry; the caller gets a reference. NULL at the table's limit. */
STRATA_API struct strata_neigh *strata_neigh_get(struct strata_iface *iface,
						 const struct strata_addr *addr);
/** Finds an entry without making one; borrowed. NULL: not there. */
STRATA_API struct strata_neigh *strata_neigh_find(struct strata_iface *iface,
						  const struct strata_addr *addr);
STRATA_API void strata_neigh_put(struct strata_neigh *neigh);

/** Sends a network packet to the neighbour as `number`: at once, or after its address was resolved.
 *  Consumes. Returns 0 (sent or waiting) or -errno (-EHOSTUNREACH, -ENOBUFS, -ENETDOWN). */
STRATA_API int strata_neigh_output(struct strata_neigh *neigh, struct strata_pkt *pkt,
				   uint16_t number);
/** A neighbour's link address was heard (RFC 826, RFC 4861 7.2.5). `solicited`: in answer to our own
 *  request, so it is reachable. `override`: it may replace another known address. `create`: an
 *  entry is made where there is none (STALE, or REACHABLE when solicited). */
STRATA_API void strata_neigh_heard(struct strata_iface *iface, const struct strata_addr *addr,
				   const struct strata_lladdr *lladdr, bool solicited, bool override,
				   bool create);
/** Confirmation from above that the neighbour takes our packets (RFC 4861 7.3.1). Cheap. */
STRATA_API void strata_neigh_confirm(struct strata_stack *stack, struct strata_neigh *neigh);
/** Sets a PERMANENT entry. Returns 0 or -ENOBUFS. */
STRATA_API int strata_neigh_set(struct strata_iface *iface, const struct strata_addr *addr,
				const struct strata_lladdr *lladdr);
/** Forgets an entry; what waits in it is dropped. Returns 0 or -ENOENT. */
STRATA_API int strata_neigh_remove(struct strata_iface *iface, const struct strata_addr *addr);

/* ---- routes ---- */

struct strata_route {
	struct strata_prefix to;	/**< masked */
	struct strata_addr via;		/**< unset: on link */
	struct strata_addr src;		/**< preferred source; unset: chosen */
	struct strata_iface *iface;
	uint32_t metric;
	uint32_t mtu;			/**< 0: the interface's */
	const char *congestion;		/**< congestion control for connections over it; NULL: default */
	bool connected;			/**< came with an address */
	bool manifest;			/**< the manifest has it; told, not taken by strata_route_add() */
};

/** Adds a copy. `iface` NULL: found from `via`, and again when interfaces or addresses change. Returns 0,
 *  -EEXIST, -ENETUNREACH (no interface reaches `via`), -EINVAL (`via` is our own or no unicast address,
 *  too many bits), -ERANGE (`mtu` is less than the network module's `mtu_min`), -EAFNOSUPPORT, -ENOMEM. */
STRATA_API int strata_route_add(struct strata_stack *stack, const struct strata_route *route);
/** Removes the route with that prefix, via, interface (NULL: any) and metric. Returns 0 or -ESRCH. */
STRATA_API int strata_route_remove(struct strata_stack *stack, const struct strata_route *route);

enum strata_dst_kind {
	STRATA_DST_UNICAST,
	STRATA_DST_LOCAL,		/**< an address of our own */
	STRATA_DST_BROADCAST,
	STRATA_DST_MULTICAST,
};

/** A look-up's result, kept by a flow and used as long as it is valid. */
struct strata_dst {
	struct strata_instance *network;/**< module of the destination's family; NULL: empty */
	struct strata_iface *iface;
	struct strata_neigh *neigh;	/**< next hop, with a reference; NULL unless UNICAST on a link
					 *   with link addresses */
	uint32_t generation;		/**< of the stack when looked up */
	uint16_t mtu;			/**< path MTU: largest network packet to this destination */
	uint8_t kind;			/**< enum strata_dst_kind */
	uint8_t reserved;
	const char *congestion;		/**< the route's; NULL: default */
};

/** Looks the way to `to` up. `from`: a bound source or unset; when unset (or any), `*src` receives
 *  the chosen one (RFC 1122 3.3.4.3), which is "any" where this host has none and many are spoken to.
 *  `bound`: an interface the socket is bound to, or NULL. Fills `*dst`, which must be released; it must
 *  be empty or hold an old result, which is released (on failure too).
 *  Returns 0, -ENETUNREACH, -EHOSTUNREACH, -ENETDOWN, -EADDRNOTAVAIL (no source), -EINVAL (`from` is
 *  not ours, or must not leave this host), -EAFNOSUPPORT, -ENOBUFS. */
STRATA_API int strata_route_output(struct strata_stack *stack, const struct strata_addr *to,
				   const struct strata_addr *from, struct strata_iface *bound,
				   struct strata_dst *dst, struct strata_addr *src);
/** True while the cached result may still be used. */
static inline bool strata_dst_valid(const struct strata_stack *stack, const struct strata_dst *dst)
{
	return dst->network != NULL && dst->generation == stack->generation;
}
/** Releases the references and empties it; an empty one is left alone. */
STRATA_API void strata_dst_release(struct strata_dst *dst);

/** A path or its MTU changed: whatever was cached from a look-up becomes invalid, and who waits for a device that
 *  takes no more looks whether its way still leads there. */
STRATA_API void strata_generation_bump(struct strata_stack *stack);

STRATA_END_DECLS
#endif
