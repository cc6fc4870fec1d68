/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The routing table: longest prefix, then lowest metric (RFC 1812 5.2.4.3). One hash table for each
 * prefix length of a family, so that a look-up costs as many probes as there are lengths in use,
 * however many routes there are.
 */
#include <errno.h>
#include "iface.h"

#define LENGTHS (STRATA_ADDR_MAX * 8 + 1)
#define LENGTH_WORDS ((LENGTHS + 63) / 64)
/* Buckets of a prefix length to begin with. */
#define BUCKETS_FIRST 4

struct route {
	struct strata_route pub;	/* first; `congestion` is our copy */
	struct route *next;		/* hash chain; the same prefix by metric, then age */
	char *congestion;
	bool found;			/* the interface was found from `via`, and is found again */
	uint32_t generation;		/* of the stack when it was found last */
};

/* Grows by one bucket for one route (Litwin, "Linear Hashing", VLDB 1980), so that none pays for moving all. */
struct route_length {
	struct route **buckets;		/* room for mask + 1, a power of two */
	uint32_t mask;
	uint32_t used;			/* more than half of them: beyond, the mask's highest bit does not count */
	uint32_t count;
};

struct route_family {
	struct route_family *next;
	uint16_t number;
	uint64_t present[LENGTH_WORDS];	/* bit n: there are routes of n bits */
	struct route_length lengths[LENGTHS];
};

struct route_table {
	struct route_family *families;
};

int route_init(struct kernel *k)
{
	k->routes = strata_alloc(&k->pub, sizeof(*k->routes));
	return k->routes == NULL ? -ENOMEM : 0;
}

static void route_free(struct kernel *k, struct route *route)
{
	strata_free(&k->pub, route->congestion);
	strata_free(&k->pub, route);
}

void route_fini(struct kernel *k)
{
	struct route_family *family;
	unsigned int bits;
	uint32_t i;

	if (k->routes == NULL)
		return;
	while ((family = k->routes->families) != NULL) {
		for (bits = 0; bits < LENGTHS; bits++) {
			struct route_length *length = &family->lengths[bits];
			for (i = 0; length->buckets != NULL && i < length->used; i++) {
				struct route *route;
				while ((route = length->buckets[i]) != NULL) {
					length->buckets[i] = route->next;
					route_free(k, route);
				}
			}
			strata_free(&k->pub, length->buckets);
		}
		k->routes->families = family->next;
		strata_free(&k->pub, family);
	}
	strata_free(&k->pub, k->routes);
	k->routes = NULL;
}

void strata_generation_bump(struct strata_stack *stack)
{
	struct kernel *k = kernel_of(stack);

	k->pub.generation++;
	/* The way may lead past the device that takes no more. */
	iface_wake_waiting(k);
}

/* ---- tables ---- */

static struct route_family *find_family(struct kernel *k, uint16_t number)
{
	struct route_family *family = k->routes->families;

	while (family != NULL && family->number != number)
		family = family->next;
	return family;
}

static struct route **bucket(struct route_length *length, const struct strata_addr *masked)
{
	const uint32_t hash = addr_hash(masked), i = hash & length->mask;

	return &length->buckets[i < length->used ? i : hash & length->mask >> 1];
}

/* The bytes alone decide: family and length are those of the table. */
static bool same_bytes(const struct strata_addr *a, const struct strata_addr *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* Room for twice the buckets: 8 bytes each are copied at once, not the routes. False: no memory. */
static bool widen(struct kernel *k, struct route_length *length)
{
	const uint32_t room = length->buckets == NULL ? BUCKETS_FIRST : 2 * length->used;
	struct route **buckets = strata_alloc(&k->pub, room * sizeof(struct route *));

	if (buckets == NULL)
		return false;
	if (length->buckets == NULL)
		length->used = room;
	else
		memcpy(buckets, length->buckets, length->used * sizeof(struct route *));
	strata_free(&k->pub, length->buckets);
	length->buckets = buckets;
	length->mask = room - 1;
	return true;
}

/* One more bucket, which takes from an earlier one what is its own now; the order within a prefix is kept. Without
 * memory the chains grow instead. */
static void split(struct kernel *k, struct route_length *length)
{
	struct route **from, **link, **to, *route;

	if (length->used > length->mask && !widen(k, length))
		return;
	link = from = &length->buckets[length->used & length->mask >> 1];
	to = &length->buckets[length->used++];
	while ((route = *link) != NULL) {
		if (bucket(length, &route->pub.to.addr) == from) {
			link = &route->next;
			continue;
		}
		*link = route->next;
		*to = route;
		to = &route->next;
	}
	*to = NULL;
}

/* The table for routes of `prefix`'s family and length, made where there is none. NULL: no memory. */
static struct route_length *table_for(struct kernel *k, const struct strata_prefix *prefix)
{
	struct route_family *family = find_family(k, prefix->addr.family);
	struct route_length *length;

	if (family == NULL) {
		family = strata_alloc(&k->pub, sizeof(*family));
		if (family == NULL)
			return NULL;
		family->number = prefix->addr.family;
		family->next = k->routes->families;
		k->routes->families = family;
	}
	length = &family->lengths[prefix->bits];
	if (length->buckets == NULL && !widen(k, length))
		return NULL;
	if (length->count >= length->used)
		split(k, length);
	family->present[prefix->bits / 64] |= UINT64_C(1) << (prefix->bits % 64);
	return length;
}

/* ---- look-up ---- */

typedef bool accept_fn(struct kernel *k, struct route *route, void *ctx);

/* The best route to `to` that `accept` takes: longest prefix first, then in the order of the chain. */
static struct route *best(struct kernel *k, const struct strata_addr *to, accept_fn *accept, void *ctx)
{
	struct route_family *family = find_family(k, to->family);
	unsigned int word = LENGTH_WORDS;

	while (family != NULL && word-- > 0) {
		uint64_t left = family->present[word];
		while (left != 0) {
			const unsigned int bit = 63 - (unsigned int)__builtin_clzll(left);
			const struct strata_addr masked = strata_addr_mask(to, word * 64 + bit);
			struct route *route = *bucket(&family->lengths[word * 64 + bit], &masked);

			for (; route != NULL; route = route->next)
				if (same_bytes(&route->pub.to.addr, &masked) &&
				    accept(k, route, ctx))
					return route;
			left &= ~(UINT64_C(1) << bit);
		}
	}
	return NULL;
}

static bool accept_link(struct kernel *k, struct route *route, void *ctx)
{
	(void)k;
	(void)ctx;
	return !strata_addr_is_set(&route->pub.via) && iface_usable(route->pub.iface);
}

/* The interface on whose link `via` is; NULL: none that is usable. */
static struct strata_iface *link_of(struct kernel *k, const struct strata_addr *via)
{
	const struct route *link = best(k, via, accept_link, NULL);

	return link != NULL ? link->pub.iface : NULL;
}

/* Finds the interface of a route's `via` anew when something has changed since. */
static void refresh(struct kernel *k, struct route *route)
{
	struct strata_iface *iface;

	if (!route->found || route->generation == k->pub.generation)
		return;
	route->generation = k->pub.generation;
	iface = link_of(k, &route->pub.via);
	/* Without a way the last one stays: it is down, and tells people where the route led. */
	if (iface != NULL)
		route->pub.iface = iface;
}

/* What route_lookup() was asked for, and what it saw. */
struct wish {
	const struct strata_iface *bound;
	bool down;
};

static bool accept_wish(struct kernel *k, struct route *route, void *ctx)
{
	struct wish *wish = ctx;

	refresh(k, route);
	if (route->pub.iface == NULL || (wish->bound != NULL && route->pub.iface != wish->bound))
		return false;
	if (iface_usable(route->pub.iface))
		return true;
	wish->down = true;
	return false;
}

const struct strata_route *route_lookup(struct kernel *k, const struct strata_addr *to,
					const struct strata_iface *bound, bool *down)
{
	struct wish wish = { .bound = bound };
	const struct route *route = best(k, to, accept_wish, &wish);

	*down = wish.down;
	return route != NULL ? &route->pub : NULL;
}

/* ---- coming and going ---- */

/* The same route: prefix (known to be equal), next hop, interface (NULL: any) and metric. */
static bool same_route(const struct strata_route *a, const struct strata_route *b)
{
	return same_bytes(&a->to.addr, &b->to.addr) && strata_addr_equal(&a->via, &b->via) &&
	       (a->iface == b->iface || b->iface == NULL) && a->metric == b->metric;
}

/* Where the new route goes in its chain: behind those of its prefix that are as good or better. NULL
 * when it is there already, be it that an interface has just changed what one of them leads to. */
static struct route **place(struct kernel *k, struct route_length *length, const struct strata_route *new)
{
	struct route **link = bucket(length, &new->to.addr), **before = NULL;

	for (; *link != NULL; link = &(*link)->next) {
		refresh(k, *link);
		if (same_route(&(*link)->pub, new))
			return NULL;
		if (before == NULL && same_bytes(&(*link)->pub.to.addr, &new->to.addr) &&
		    (*link)->pub.metric > new->metric)
			before = link;
	}
	return before != NULL ? before : link;
}

/* What a path of the family has to let through at least. */
static uint32_t least_mtu(struct kernel *k, uint16_t family)
{
	const struct strata_instance *net = registry_network(k, family);

	return net != NULL ? net->module->network->mtu_min : 0;
}

static int check_new(struct kernel *k, const struct strata_route *route)
{
	const struct strata_address_ops *ops = strata_address_ops(&k->pub, route->to.addr.family);

	if (ops == NULL)
		return -EAFNOSUPPORT;
	if (route->to.bits > ops->length * 8 || route->to.addr.length != ops->length)
		return -EINVAL;
	if (route->mtu != 0 && route->mtu < least_mtu(k, route->to.addr.family))
		return -ERANGE;
	if (!strata_addr_is_set(&route->via))
		return route->iface == NULL ? -ENETUNREACH : 0;
	/* Through ourselves leads nowhere. */
	if (addr_class(k, &route->via) != STRATA_ADDR_UNICAST || addr_own(k, &route->via) != NULL)
		return -EINVAL;
	return 0;
}

/* Fills `route` from what was asked for: masked, unscoped, with the interface found. */
static int complete(struct kernel *k, struct route *route, const struct strata_route *asked)
{
	route->pub = *asked;
	route->pub.to.addr = strata_addr_mask(&asked->to.addr, asked->to.bits);
	route->pub.to.addr.scope = 0;
	route->pub.congestion = NULL;
	route->pub.manifest = false;
	route->generation = k->pub.generation;
	if (asked->iface == NULL) {
		route->pub.iface = strata_iface_by_index(&k->pub, asked->via.scope);
		if (asked->via.scope == 0) {
			route->found = true;
			route->pub.iface = link_of(k, &asked->via);
		}
		if (route->pub.iface == NULL)
			return -ENETUNREACH;
	}
	if (asked->congestion == NULL)
		return 0;
	route->congestion = kernel_strdup(k, asked->congestion);
	route->pub.congestion = route->congestion;
	return route->congestion == NULL ? -ENOMEM : 0;
}

int strata_route_add(struct strata_stack *stack, const struct strata_route *asked)
{
	struct kernel *k = kernel_of(stack);
	struct route_length *length;
	struct route *route, **link;
	int result = check_new(k, asked);

	if (result < 0)
		return result;
	route = strata_alloc(stack, sizeof(*route));
	if (route == NULL)
		return -ENOMEM;
	result = complete(k, route, asked);
	if (result < 0)
		goto out_free;
	length = table_for(k, &route->pub.to);
	result = -ENOMEM;
	if (length == NULL)
		goto out_free;
	link = place(k, length, &route->pub);
	result = -EEXIST;
	if (link == NULL)
		goto out_free;
	route->next = *link;
	*link = route;
	length->count++;
	strata_generation_bump(stack);
	return 0;
out_free:
	route_free(k, route);
	return result;
}

static void remove_at(struct kernel *k, struct route_family *family, unsigned int bits,
		      struct route **link)
{
	struct route *route = *link;

	*link = route->next;
	if (--family->lengths[bits].count == 0)
		family->present[bits / 64] &= ~(UINT64_C(1) << (bits % 64));
	strata_generation_bump(&k->pub);
	route_free(k, route);
}

int strata_route_remove(struct strata_stack *stack, const struct strata_route *asked)
{
	struct kernel *k = kernel_of(stack);
	struct route_family *family = find_family(k, asked->to.addr.family);
	struct strata_route wanted = *asked;
	struct route **link;

	if (family == NULL || asked->to.bits >= LENGTHS ||
	    family->lengths[asked->to.bits].buckets == NULL)
		return -ESRCH;
	wanted.to.addr = strata_addr_mask(&asked->to.addr, asked->to.bits);
	link = bucket(&family->lengths[asked->to.bits], &wanted.to.addr);
	for (; *link != NULL; link = &(*link)->next) {
		refresh(k, *link);
		if (same_route(&(*link)->pub, &wanted))
			break;
	}
	if (*link == NULL)
		return -ESRCH;
	remove_at(k, family, asked->to.bits, link);
	return 0;
}

/* Calls `each` for every route, the longest prefixes of each family first; one it does not accept goes. */
static void walk(struct kernel *k, accept_fn *each, void *ctx)
{
	struct route_family *family;
	unsigned int bits;
	uint32_t i;

	for (family = k->routes->families; family != NULL; family = family->next) {
		for (bits = LENGTHS; bits-- > 0;) {
			struct route_length *length = &family->lengths[bits];
			for (i = 0; length->buckets != NULL && i < length->used; i++) {
				struct route **link = &length->buckets[i];
				while (*link != NULL) {
					if (each(k, *link, ctx))
						link = &(*link)->next;
					else
						remove_at(k, family, bits, link);
				}
			}
		}
	}
}

/* False: the route goes with the interface in `ctx`. */
static bool survives(struct kernel *k, struct route *route, void *ctx)
{
	struct strata_iface *gone = ctx;

	if (route->pub.iface != gone)
		return true;
	if (!route->found)
		return false;
	/* Its next hop may be on the link of another. */
	route->pub.iface = NULL;
	route->generation = k->pub.generation - 1;
	return true;
}

static bool found_anew(struct kernel *k, struct route *route, void *ctx)
{
	(void)ctx;
	refresh(k, route);
	return route->pub.iface != NULL;
}

void route_iface_removed(struct kernel *k, struct strata_iface *iface)
{
	walk(k, survives, iface);
	walk(k, found_anew, NULL);
	strata_generation_bump(&k->pub);
}

void route_claim(struct kernel *k, const struct strata_route *route)
{
	struct route_family *family = find_family(k, route->to.addr.family);
	struct route_length *length = family != NULL ? &family->lengths[route->to.bits] : NULL;
	struct route *r = length != NULL && length->buckets != NULL ?
		*bucket(length, &route->to.addr) : NULL;

	for (; r != NULL; r = r->next)
		if (same_route(&r->pub, route))
			r->pub.manifest = true;
}

struct tour {
	void (*each)(void *ctx, const struct strata_route *route, bool claimed);
	void *ctx;
};

static bool tour_one(struct kernel *k, struct route *route, void *ctx)
{
	const struct tour *tour = ctx;

	refresh(k, route);
	tour->each(tour->ctx, &route->pub, route->pub.manifest);
	return true;
}

void route_each(struct kernel *k,
		void (*each)(void *ctx, const struct strata_route *route, bool claimed), void *ctx)
{
	struct tour tour = { .each = each, .ctx = ctx };

	walk(k, tour_one, &tour);
}

struct inspection {
	void (*each)(void *ctx, const struct strata_route *route);
	void *ctx;
};

static bool inspect_one(struct kernel *k, struct route *route, void *ctx)
{
	const struct inspection *inspection = ctx;

	refresh(k, route);
	inspection->each(inspection->ctx, &route->pub);
	return true;
}

void strata_inspect_routes(struct strata_stack *stack,
			   void (*each)(void *ctx, const struct strata_route *route), void *ctx)
{
	struct inspection inspection = { .each = each, .ctx = ctx };

	walk(kernel_of(stack), inspect_one, &inspection);
}
