/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The look-up of the way to a destination: what kind it is, out of which interface, to which
 * neighbour, from which source (RFC 1122 3.3.1, 3.3.4), for every family alike.
 */
#include <errno.h>
#include "iface.h"

/* A look-up under way. */
struct way {
	struct kernel *k;
	const struct strata_addr *to;
	const struct strata_addr *from;		/* NULL: to be chosen */
	struct strata_ifaddr *from_own;		/* the address of ours that `from` is */
	struct strata_iface *bound;		/* NULL: any */
	struct strata_instance *network;
	enum strata_addr_class class;

	enum strata_dst_kind kind;
	struct strata_iface *iface;
	const struct strata_route *route;	/* NULL: none was needed */
	struct strata_addr src;
};

void strata_dst_release(struct strata_dst *dst)
{
	if (dst->neigh != NULL)
		strata_neigh_put(dst->neigh);
	memset(dst, 0, sizeof(*dst));
}

/* ---- the source ---- */

/* May it be a source for what leaves by `iface`? */
static bool may_send(const struct way *way, const struct strata_ifaddr *ifaddr,
		     const struct strata_iface *iface)
{
	if (ifaddr->state != STRATA_IFADDR_VALID || ifaddr->prefix.addr.family != way->to->family)
		return false;
	/* RFC 1122 3.2.1.3 (g): never outside the host. */
	return (iface->flags & STRATA_IFACE_LOOPBACK) ||
	       addr_class(way->k, &ifaddr->prefix.addr) != STRATA_ADDR_LOOPBACK;
}

/* How well an address serves: the network module's word where it has one, else RFC 1122 3.3.4.3 (2): on
 * the outgoing interface and its prefix has the next hop, on that interface, any. Negative: not at all. */
static int rank(const struct way *way, const struct strata_ifaddr *ifaddr,
		const struct strata_addr *next_hop)
{
	const struct strata_network_ops *ops = way->network->module->network;

	if (!may_send(way, ifaddr, way->iface))
		return -1;
	if (ops->source_rank != NULL)
		return ops->source_rank(way->network, ifaddr, way->iface, way->to);
	if (ifaddr->iface != way->iface)
		return 0;
	return strata_addr_match(&ifaddr->prefix.addr, next_hop, ifaddr->prefix.bits) ? 2 : 1;
}

/* The best address of ours for the way found; NULL: none. */
static const struct strata_ifaddr *best_source(const struct way *way,
					       const struct strata_addr *next_hop)
{
	const struct strata_ifaddr *ifaddr, *best = NULL;
	struct strata_iface *iface;
	int most = -1;

	for (iface = strata_iface_next(&way->k->pub, NULL); iface != NULL;
	     iface = strata_iface_next(&way->k->pub, iface)) {
		for (ifaddr = strata_ifaddr_first(iface); ifaddr != NULL; ifaddr = ifaddr->next) {
			const int is = rank(way, ifaddr, next_hop);
			if (is > most) {
				most = is;
				best = ifaddr;
			}
		}
	}
	return best;
}

static const struct strata_addr *next_hop(const struct way *way)
{
	return way->route != NULL && strata_addr_is_set(&way->route->via) ? &way->route->via
									 : way->to;
}

/* Fills way->src. Returns 0 or -errno. */
static int choose_source(struct way *way)
{
	const struct strata_ifaddr *own;

	if (way->from != NULL) {
		way->src = *way->from;
		if (!(way->iface->flags & STRATA_IFACE_LOOPBACK) &&
		    addr_class(way->k, way->from) == STRATA_ADDR_LOOPBACK)
			return -EINVAL;
		return 0;
	}
	if (way->route != NULL && strata_addr_is_set(&way->route->src)) {
		own = addr_own(way->k, &way->route->src);
		if (own != NULL && may_send(way, own, way->iface)) {
			way->src = way->route->src;
			return 0;
		}
	}
	own = best_source(way, next_hop(way));
	if (own != NULL) {
		way->src = own->prefix.addr;
		return 0;
	}
	/* RFC 1122 3.2.1.3 (a): a host that does not know its address yet says so; only to many, from
	 * whom the answer can be learnt. */
	return way->kind == STRATA_DST_BROADCAST || way->kind == STRATA_DST_MULTICAST
		? 0 : -EADDRNOTAVAIL;
}

/* ---- the interface ---- */

static int find_local(struct way *way, const struct strata_ifaddr *own)
{
	struct strata_iface *loopback = iface_first_with(way->k, STRATA_IFACE_LOOPBACK);

	way->kind = STRATA_DST_LOCAL;
	/* A socket that hears one interface alone hears itself there too. */
	if (way->bound != NULL)
		way->iface = way->bound;
	else
		way->iface = loopback != NULL ? loopback : own->iface;
	if (way->from == NULL)
		way->src = own->prefix.addr;
	return way->from != NULL ? choose_source(way) : 0;
}

/* For a destination of many: the interface bound to, that of the source bound to, that of a route, or the
 * first that can. */
static int find_many(struct way *way, enum strata_dst_kind kind, uint32_t flag)
{
	bool down = false;

	way->kind = kind;
	if (way->bound != NULL) {
		way->iface = way->bound;
	} else if (way->from_own != NULL && (way->from_own->iface->flags & flag)) {
		way->iface = way->from_own->iface;
	} else {
		way->route = route_lookup(way->k, way->to, NULL, &down);
		if (way->route != NULL && (way->route->iface->flags & flag))
			way->iface = way->route->iface;
		else
			way->iface = iface_first_with(way->k, flag);
	}
	if (way->route != NULL && way->route->iface != way->iface)
		way->route = NULL;
	if (way->iface == NULL)
		return down ? -ENETDOWN : -ENETUNREACH;
	if (!iface_usable(way->iface))
		return -ENETDOWN;
	if (!(way->iface->flags & (flag | STRATA_IFACE_LOOPBACK)))
		return -ENETUNREACH;
	return choose_source(way);
}

static int find_unicast(struct way *way)
{
	bool down;

	if (way->bound != NULL && !iface_usable(way->bound))
		return -ENETDOWN;
	way->route = route_lookup(way->k, way->to, way->bound, &down);
	if (way->route == NULL)
		return down ? -ENETDOWN : -ENETUNREACH;
	way->kind = STRATA_DST_UNICAST;
	way->iface = way->route->iface;
	if (!strata_addr_is_set(&way->route->via) &&
	    addr_is_directed_broadcast(way->iface, way->to))
		way->kind = STRATA_DST_BROADCAST;
	return choose_source(way);
}

/* Finds kind, interface, route and source. Returns 0 or -errno. */
static int find(struct way *way)
{
	const struct strata_ifaddr *own;

	switch (way->class) {
	case STRATA_ADDR_MULTICAST:
		return find_many(way, STRATA_DST_MULTICAST, STRATA_IFACE_MULTICAST);
	case STRATA_ADDR_BROADCAST:
		return find_many(way, STRATA_DST_BROADCAST, STRATA_IFACE_BROADCAST);
	case STRATA_ADDR_UNICAST:
	case STRATA_ADDR_LOOPBACK:
		own = addr_own(way->k, way->to);
		if (own != NULL)
			return find_local(way, own);
		/* RFC 1122 3.2.1.3 (g) */
		return way->class == STRATA_ADDR_LOOPBACK ? -ENETUNREACH : find_unicast(way);
	case STRATA_ADDR_UNSPECIFIED:
	case STRATA_ADDR_RESERVED:
		break;
	}
	return -ENETUNREACH;
}

/* ---- the result ---- */

static uint32_t path_mtu(const struct way *way)
{
	const struct strata_network_ops *ops = way->network->module->network;
	uint32_t mtu = way->iface->mtu;

	if (way->route != NULL && way->route->mtu != 0 && way->route->mtu < mtu)
		mtu = way->route->mtu;
	if (way->kind == STRATA_DST_UNICAST && ops->path_mtu != NULL)
		mtu = ops->path_mtu(way->network, way->to, mtu);
	return mtu;
}

static int fill(const struct way *way, struct strata_dst *dst)
{
	struct strata_dst found = {
		.network = way->network,
		.iface = way->iface,
		.kind = (uint8_t)way->kind,
		.congestion = way->route != NULL ? way->route->congestion : NULL,
	};

	if (way->kind == STRATA_DST_UNICAST && way->iface->framing != NULL &&
	    !(way->iface->flags & (STRATA_IFACE_NO_NEIGHBOUR | STRATA_IFACE_LOOPBACK))) {
		found.neigh = strata_neigh_get(way->iface, next_hop(way));
		if (found.neigh == NULL)
			return -ENOBUFS;
	}
	found.mtu = (uint16_t)path_mtu(way);
	/* Last: making a neighbour may have made room for it, and so have changed the generation. */
	found.generation = way->k->pub.generation;
	strata_dst_release(dst);
	*dst = found;
	return 0;
}

/* Takes the parameters in. Returns 0 or -errno. */
static int begin(struct way *way, const struct strata_addr *from)
{
	way->network = registry_network(way->k, way->to->family);
	if (way->network == NULL || way->network->module->network->output == NULL ||
	    strata_address_ops(&way->k->pub, way->to->family) == NULL)
		return -EAFNOSUPPORT;
	way->class = addr_class(way->k, way->to);
	if (way->to->scope != 0) {
		struct strata_iface *scope = strata_iface_by_index(&way->k->pub, way->to->scope);
		if (scope == NULL || (way->bound != NULL && way->bound != scope))
			return -EINVAL;
		way->bound = scope;
	}
	if (from == NULL || !strata_addr_is_set(from) || strata_addr_is_any(from))
		return 0;
	way->from = from;
	way->from_own = from->family == way->to->family ? addr_own(way->k, from) : NULL;
	return way->from_own == NULL ? -EINVAL : 0;
}

static __attribute__((cold, noinline)) void trace_way(const struct way *way,
						      const struct strata_dst *dst, int result)
{
	static const char *const kinds[] = {
		[STRATA_DST_UNICAST] = "unicast",
		[STRATA_DST_LOCAL] = "this host",
		[STRATA_DST_BROADCAST] = "broadcast",
		[STRATA_DST_MULTICAST] = "multicast",
	};
	const struct strata_addr *src = strata_addr_is_set(&way->src) ? &way->src : way->from;

	if (dst == NULL) {
		strata_trace_fields(&way->k->self, NULL, STRATA_FIELDS(STRATA_FIELD_ADDR("to", way->to),
				    STRATA_FIELD_ADDR("source", way->from)), "no way: %s",
				    strerror(-result));
		return;
	}
	strata_trace_fields(&way->k->self, NULL, STRATA_FIELDS(STRATA_FIELD_ADDR("to", way->to),
			    STRATA_FIELD_TEXT("kind", kinds[way->kind]),
			    STRATA_FIELD_ROUTE("route", way->route),
			    STRATA_FIELD_TEXT("by", way->route == NULL ? way->iface->name : NULL),
			    STRATA_FIELD_ADDR("source", src), STRATA_FIELD_UINT("mtu", dst->mtu)), "%s", "");
}

/* ---- what is known ---- */

static struct way_known *known_place(struct kernel *k, const struct strata_addr *to)
{
	return &k->ways[addr_hash(to) % WAYS_KNOWN];
}

/* The result of the same look-up before, where it still holds; NULL: unknown. */
static const struct way_known *known(struct kernel *k, const struct strata_addr *to,
				     const struct strata_addr *from, const struct strata_iface *bound)
{
	const struct way_known *w = known_place(k, to);

	return strata_dst_valid(&k->pub, &w->dst) && w->neighs_gone == k->neighs_gone &&
	       w->bound == bound && strata_addr_equal(&w->to, to) &&
	       strata_addr_equal(&w->from, from) ? w : NULL;
}

static void remember(struct kernel *k, const struct strata_addr *to, const struct strata_addr *from,
		     struct strata_iface *bound, const struct strata_dst *dst, const struct strata_addr *src)
{
	*known_place(k, to) = (struct way_known){
		.to = *to, .from = *from, .src = *src, .bound = bound, .dst = *dst,
		.neighs_gone = k->neighs_gone,
	};
}

static void use_known(const struct way_known *w, struct strata_dst *dst)
{
	const struct strata_dst found = w->dst;

	/* Before the old result goes, which may be the last to hold it. */
	if (found.neigh != NULL)
		found.neigh->refs++;
	strata_dst_release(dst);
	*dst = found;
}

static int look_up(struct kernel *k, const struct strata_addr *to, const struct strata_addr *from,
		   struct strata_iface *bound, struct strata_dst *dst, struct strata_addr *src)
{
	struct way way = { .k = k, .to = to, .bound = bound };
	int result = begin(&way, from);

	if (result == 0)
		result = find(&way);
	if (result == 0)
		result = fill(&way, dst);
	if (strata_tracing(&k->pub))
		trace_way(&way, result == 0 ? dst : NULL, result);
	if (result < 0) {
		strata_dst_release(dst);
		return result;
	}
	*src = way.src;
	/* "Any" of the family, not "unset". */
	src->family = to->family;
	src->length = to->length;
	remember(k, to, from, bound, dst, src);
	return 0;
}

int strata_route_output(struct strata_stack *stack, const struct strata_addr *to,
			const struct strata_addr *from, struct strata_iface *bound,
			struct strata_dst *dst, struct strata_addr *src)
{
	const struct strata_addr unset = { 0 };
	struct kernel *k = kernel_of(stack);
	const struct way_known *w;
	struct strata_addr chosen;
	int result;

	if (from == NULL)
		from = &unset;
	/* A trace shows how a way is found. */
	w = strata_unlikely(strata_tracing(stack)) ? NULL : known(k, to, from, bound);
	if (w != NULL) {
		chosen = w->src;
		use_known(w, dst);
	} else {
		result = look_up(k, to, from, bound, dst, &chosen);
		if (result < 0)
			return result;
	}
	if (src != NULL && (!strata_addr_is_set(from) || strata_addr_is_any(from)))
		*src = chosen;
	return 0;
}
