/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of an interface, and what iface.c iface_io.c addr.c group.c route.c dst.c neigh.c
 * network.c segment.c promise each other beyond kernel.h.
 */
#ifndef KERNEL_IFACE_H
#define KERNEL_IFACE_H

#include <sys/queue.h>
#include "kernel.h"

struct neigh;
TAILQ_HEAD(neigh_list, neigh);

/* Where a neighbour stands in its interface: the order in which room is made, see neigh.c. */
enum neigh_place {
	NEIGH_SPARE,	/* failed, not asked for yet, or heard of and never used: goes first */
	NEIGH_KNOWN,	/* resolved and used, the least recently used first */
	NEIGH_ASKED,	/* INCOMPLETE and solicited, the oldest first */
	NEIGH_FIXED,	/* PERMANENT: never goes by itself */
	NEIGH_PLACES,
};

/* What keeps the frames of an interface off the plain way; bits of strata_iface.apart. */
enum iface_apart {
	IFACE_CLOSED = 1 << 0,
	IFACE_CARRIES = 1 << 1,		/* another interface stands on it */
	IFACE_WATCHED = 1 << 2,		/* somebody sniffs, or listens to steps */
};

struct iface {
	struct strata_iface pub;	/* first: modules hold a pointer to it */
	uint8_t fate;			/* plan.h: of the plan in hand */
	struct strata_iface *twin;	/* … what the other kernel has of that name; NULL: nothing */
	struct iface *upper;		/* stands on this one; NULL: none */
	bool opened;
	bool dirty;			/* in the kernel's list of drivers to flush */
	struct iface *dirty_next;
	struct strata_ifaddr *addrs;	/* in the order added */
	strata_output_fn *output;
	strata_output_offload_fn *output_offload;	/* NULL: `output` is called */
	void *output_ctx;
	strata_sniff_fn *sniff;
	void *sniff_ctx;
	struct strata_pkt_queue looped;	/* sent back to the input at the end of the batch */
	struct strata_work loop_work;
	struct strata_work *waiting;	/* until the device takes more, the last first */
	struct neigh_list neighs[NEIGH_PLACES];
	unsigned int neigh_count;	/* in all places */
	unsigned int neigh_asked;	/* in NEIGH_ASKED */
	uint64_t reachable_time;	/* RFC 4861 6.3.2 ReachableTime, ns; 0: not drawn yet */
	uint64_t reachable_drawn;	/* when */
};

struct iface_table {
	struct iface **slots;		/* by index - 1; NULL: gone. An index is never used again */
	uint32_t room, used;
	bool waited;			/* somebody may be among those that wait for a device */
	uint8_t *flat;			/* for frames in pieces, as the embedder sees them; made at the first */
};

static inline struct iface *iface_of(const struct strata_iface *iface)
{
	return (struct iface *)(uintptr_t)iface;
}

static inline const struct strata_link_ops *driver_ops(const struct strata_iface *iface)
{
	return iface->driver->module->link;
}

static inline const struct strata_link_ops *framing_ops(const struct strata_iface *iface)
{
	return iface->framing != NULL ? iface->framing->module->link : NULL;
}

static inline bool iface_usable(const struct strata_iface *iface)
{
	const uint32_t both = STRATA_IFACE_UP | STRATA_IFACE_RUNNING;
	return (iface->flags & both) == both;
}

/* A table's hash of an address that no stranger chooses the entries of; the scope does not count. */
static inline uint32_t addr_hash(const struct strata_addr *addr)
{
	uint64_t w[2];
	memcpy(w, addr->bytes, sizeof(w));
	w[0] = (w[0] ^ addr->family) * UINT64_C(0x9e3779b97f4a7c15);
	w[0] ^= w[0] >> 32;
	w[0] = (w[0] ^ w[1]) * UINT64_C(0xc2b2ae3d27d4eb4f);
	return (uint32_t)(w[0] >> 32);
}

/* The address without its scope: for tables whose entries name the interface anyway. */
static inline struct strata_addr addr_unscoped(const struct strata_addr *addr)
{
	struct strata_addr a = *addr;
	a.scope = 0;
	return a;
}

/* Walks the network modules that run: those that may be told or asked something. (Constant data, such as
 * the address operations, may be read of any that is bound.) */
static inline struct strata_instance *network_next(struct kernel *k, const struct strata_instance *after)
{
	struct strata_instance *net = registry_next(k, STRATA_NETWORK, after);

	while (net != NULL && !net->running)
		net = registry_next(k, STRATA_NETWORK, net);
	return net;
}

/* ---- iface.c ---- */

/* Sets what keeps an interface's frames off the plain way. After it was opened or closed, another was put on it or
 * taken off, or somebody began or ceased to look. */
void iface_mark(struct iface *iface);
/* Puts `upper` on the interface; NULL: takes off what stands on it. */
void iface_set_upper(struct iface *iface, struct iface *upper);

/* Whether the interface may have the MTU; 0 becomes its default. Returns 0 or -EINVAL with sentences. */
int iface_check_mtu(struct kernel *k, const struct strata_iface *iface, uint32_t *mtu,
		    struct strata_error *error);

/* A driver's or framing's packets: what its interfaces have counted, with those that are gone. */
void iface_link_packets(struct kernel *k, const struct strata_instance *link, uint64_t *rx,
			uint64_t *tx);
/* The first usable interface that has all of `flags`; NULL: none. */
struct strata_iface *iface_first_with(struct kernel *k, uint32_t flags);

/* ---- iface_io.c ---- */

/* A packet that its caller may change: itself when it has one owner, else a copy. Consumes. Returns NULL
 * when memory is short, having dropped it. */
struct strata_pkt *iface_pkt_own(struct kernel *k, struct strata_pkt *pkt);
/* Puts a network packet of `number` (no link header) into the input of `iface` at the end of the batch.
 * Consumes; bounded. Returns 0 or -ENOBUFS. */
int iface_loop_network(struct strata_iface *iface, struct strata_pkt *pkt, uint16_t number);
/* strata_iface_output() for the kernel's own calls, where the packet has been counted for its module. */
int iface_output(struct strata_iface *iface, struct strata_pkt *pkt, uint16_t number,
		 const struct strata_lladdr *dst);
/* The work that takes in what loops. */
void iface_loop_run(struct strata_stack *stack, struct strata_work *work);

/* ---- addr.c ---- */

/* The VALID address of ours that `addr` is, or (a loopback address) whose prefix it is in. Any
 * interface: weak host model, RFC 1122 3.3.4.2. NULL: not ours. */
struct strata_ifaddr *addr_own(struct kernel *k, const struct strata_addr *addr);
/* True where `addr` is the directed broadcast address of a prefix of the interface. */
bool addr_is_directed_broadcast(const struct strata_iface *iface, const struct strata_addr *addr);
enum strata_addr_class addr_class(struct kernel *k, const struct strata_addr *addr);
/* Removes the interface's addresses, telling everyone concerned. */
void addr_iface_removed(struct kernel *k, struct strata_iface *iface);

/* Takes the address to another interface, or makes its prefix another, without ending what is bound to it.
 * Returns 0, or -errno with all as it was. */
int addr_move(struct strata_ifaddr *ifaddr, struct strata_iface *to, uint8_t bits);
/* The manifest has it: it goes when that has it no more. */
void addr_claim(struct strata_ifaddr *ifaddr);
/* Whether the address is one that a host may have: neither the prefix itself nor its broadcast address
 * (RFC 1122 3.2.1.3: no host number of 0 or -1). */
bool addr_names_host(const struct strata_address_ops *ops, const struct strata_prefix *prefix);
bool addr_is_claimed(const struct strata_ifaddr *ifaddr);

/* ---- group.c ---- */

bool group_joined(struct kernel *k, const struct strata_iface *iface, const struct strata_addr *group);
void group_iface_removed(struct kernel *k, struct strata_iface *iface);
/* Tells a network module that has just started of the groups there are. */
void group_replay(struct kernel *k, struct strata_instance *network);

/* ---- route.c ---- */

/* The best usable route to `to`, by `bound` alone where that is not NULL. NULL: none, and `*down` tells
 * whether one leads through an interface that is down. Good until a route changes. */
const struct strata_route *route_lookup(struct kernel *k, const struct strata_addr *to,
					const struct strata_iface *bound, bool *down);

/* The manifest has the route. */
void route_claim(struct kernel *k, const struct strata_route *route);
/* Walks all of them; none may come or go meanwhile. */
void route_each(struct kernel *k,
		void (*each)(void *ctx, const struct strata_route *route, bool claimed), void *ctx);

/* ---- neigh.c ---- */

/* The interface goes: forgets all its entries; those that others still hold lose it. */
void neigh_iface_removed(struct kernel *k, struct strata_iface *iface);

/* ---- segment.c ---- */

/* The same as segment_count(), of a super-packet. */
uint32_t segment_count_super(const struct strata_pkt *pkt);

/* Packets on the wire that `pkt` (pkt->data at whatever header) is going to be, or was. */
static inline uint32_t segment_count(const struct strata_pkt *pkt)
{
	return strata_likely(pkt->seg_type == STRATA_SEG_NONE) ? 1 : segment_count_super(pkt);
}

#endif
