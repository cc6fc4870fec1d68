/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses: which operations read a family's, which of them are ours, and on which interface. The
 * weak host model of RFC 1122 3.3.4.2: an address of ours is ours whichever interface it came in on.
 */
#include <errno.h>
#include <stdlib.h>
#include "iface.h"

/* Buckets to begin with; they double when there are as many addresses. */
#define BUCKETS_FIRST 16
/* Families whose operations are remembered; more are found by asking every module. */
#define FAMILIES 8

struct own_addr {
	struct strata_ifaddr pub;	/* first: modules hold a pointer to it */
	struct own_addr *hash_next;
	bool claimed;			/* by the manifest */
};

struct addr_table {
	struct own_addr **buckets;
	uint32_t mask;			/* buckets - 1 */
	uint32_t count;
	const struct strata_address_ops *families[FAMILIES];	/* emptied when modules change */
	const struct strata_address_ops *asked;	/* the last that strata_address_ops_af() found; the same */
};

int addr_init(struct kernel *k)
{
	struct addr_table *t = strata_alloc(&k->pub, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->buckets = strata_alloc(&k->pub, BUCKETS_FIRST * sizeof(*t->buckets));
	if (t->buckets == NULL) {
		strata_free(&k->pub, t);
		return -ENOMEM;
	}
	t->mask = BUCKETS_FIRST - 1;
	k->addrs = t;
	return 0;
}

void addr_fini(struct kernel *k)
{
	struct addr_table *t = k->addrs;
	uint32_t i;

	if (t == NULL)
		return;
	for (i = 0; i <= t->mask; i++) {
		struct own_addr *ifaddr;
		while ((ifaddr = t->buckets[i]) != NULL) {
			t->buckets[i] = ifaddr->hash_next;
			iface_of(ifaddr->pub.iface)->addrs = NULL;
			strata_free(&k->pub, ifaddr);
		}
	}
	strata_free(&k->pub, t->buckets);
	strata_free(&k->pub, t);
	k->addrs = NULL;
}

/* ---- operations of families ---- */

/* The operations that a supplier gives for `family` (0: any) and `af` (0: any). A module whose own number
 * is the family's wins over one that only supplies it. */
static const struct strata_address_ops *ask_modules(struct kernel *k, uint16_t family, int af)
{
	const struct strata_address_ops *found = NULL;
	const struct strata_instance *net;

	for (net = registry_next(k, STRATA_NETWORK, NULL); net != NULL;
	     net = registry_next(k, STRATA_NETWORK, net)) {
		const struct strata_address_ops *ops = net->module->network->address;
		if (ops == NULL || (family != 0 && ops->family != family) ||
		    (af != 0 && ops->af != af))
			continue;
		if (net->number == ops->family)
			return ops;
		if (found == NULL)
			found = ops;
	}
	return found;
}

const struct strata_address_ops *strata_address_ops(struct strata_stack *stack, uint16_t family)
{
	struct kernel *k = kernel_of(stack);
	const struct strata_address_ops *ops;
	unsigned int i;

	for (i = 0; i < FAMILIES && k->addrs->families[i] != NULL; i++)
		if (k->addrs->families[i]->family == family)
			return k->addrs->families[i];
	if (family == 0)
		return NULL;
	ops = ask_modules(k, family, 0);
	if (ops != NULL && i < FAMILIES)
		k->addrs->families[i] = ops;
	return ops;
}

const struct strata_address_ops *strata_address_ops_af(struct strata_stack *stack, int af)
{
	struct addr_table *t = kernel_of(stack)->addrs;

	if (af == AF_UNSPEC)
		return NULL;
	if (t->asked == NULL || t->asked->af != af)
		t->asked = ask_modules(kernel_of(stack), 0, af);
	return t->asked;
}

void addr_ops_changed(struct kernel *k)
{
	if (k->addrs != NULL) {
		memset(k->addrs->families, 0, sizeof(k->addrs->families));
		k->addrs->asked = NULL;
	}
	strata_generation_bump(&k->pub);
}

enum strata_addr_class addr_class(struct kernel *k, const struct strata_addr *addr)
{
	const struct strata_address_ops *ops = strata_address_ops(&k->pub, addr->family);

	return ops != NULL ? ops->classify(addr) : STRATA_ADDR_RESERVED;
}

/* Digits alone, at most `most`. Returns -EINVAL otherwise. */
static int parse_bits(const char *text, unsigned int most, uint8_t *out)
{
	unsigned int value = 0;
	const char *c;

	for (c = text; *c >= '0' && *c <= '9' && value <= most; c++)
		value = value * 10 + (unsigned int)(*c - '0');
	if (c == text || *c != '\0' || value > most || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	*out = (uint8_t)value;
	return 0;
}

int strata_prefix_parse(struct strata_stack *stack, const char *text, struct strata_prefix *out)
{
	struct kernel *k = kernel_of(stack);
	const char *slash = strchr(text, '/');
	const size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	const struct strata_instance *net;
	char address[STRATA_ADDR_TEXT];

	if (length >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, length);
	address[length] = '\0';
	for (net = registry_next(k, STRATA_NETWORK, NULL); net != NULL;
	     net = registry_next(k, STRATA_NETWORK, net)) {
		const struct strata_address_ops *ops = net->module->network->address;
		if (ops == NULL || ops->parse(address, &out->addr) < 0)
			continue;
		out->bits = (uint8_t)(ops->length * 8);
		return slash == NULL ? 0 : parse_bits(slash + 1, out->bits, &out->bits);
	}
	return -EINVAL;
}

/* ---- which addresses are ours ---- */

struct strata_ifaddr *strata_ifaddr_first(const struct strata_iface *iface)
{
	return iface_of(iface)->addrs;
}

struct strata_ifaddr *strata_ifaddr_find(struct strata_stack *stack, const struct strata_addr *addr)
{
	const struct addr_table *t = kernel_of(stack)->addrs;
	struct own_addr *ifaddr = t->buckets[addr_hash(addr) & t->mask];

	while (ifaddr != NULL && !strata_addr_equal(&ifaddr->pub.prefix.addr, addr))
		ifaddr = ifaddr->hash_next;
	return ifaddr != NULL ? &ifaddr->pub : NULL;
}

/* The loopback address whose prefix `addr` is in: all of it loops (RFC 1122 3.2.1.3 (g)). */
static struct strata_ifaddr *loopback_prefix(struct kernel *k, const struct strata_addr *addr)
{
	struct strata_iface *iface;
	struct strata_ifaddr *ifaddr;

	for (iface = strata_iface_next(&k->pub, NULL); iface != NULL;
	     iface = strata_iface_next(&k->pub, iface)) {
		if (!(iface->flags & STRATA_IFACE_LOOPBACK))
			continue;
		for (ifaddr = iface_of(iface)->addrs; ifaddr != NULL; ifaddr = ifaddr->next)
			if (ifaddr->state == STRATA_IFADDR_VALID &&
			    strata_addr_match(&ifaddr->prefix.addr, addr, ifaddr->prefix.bits) &&
			    addr_class(k, &ifaddr->prefix.addr) == STRATA_ADDR_LOOPBACK)
				return ifaddr;
	}
	return NULL;
}

struct strata_ifaddr *addr_own(struct kernel *k, const struct strata_addr *addr)
{
	struct strata_ifaddr *ifaddr = strata_ifaddr_find(&k->pub, addr);

	if (ifaddr != NULL)
		return ifaddr->state == STRATA_IFADDR_VALID ? ifaddr : NULL;
	return addr_class(k, addr) == STRATA_ADDR_LOOPBACK ? loopback_prefix(k, addr) : NULL;
}

bool addr_is_directed_broadcast(const struct strata_iface *iface, const struct strata_addr *addr)
{
	const struct strata_ifaddr *ifaddr;

	if (!(iface->flags & STRATA_IFACE_BROADCAST))
		return false;
	for (ifaddr = iface_of(iface)->addrs; ifaddr != NULL; ifaddr = ifaddr->next)
		if (strata_addr_is_set(&ifaddr->broadcast) &&
		    strata_addr_equal(&ifaddr->broadcast, addr))
			return true;
	return false;
}

enum strata_locality strata_addr_locality(struct strata_iface *iface, const struct strata_addr *addr)
{
	struct kernel *k = kernel_of(iface->stack);
	const struct strata_ifaddr *ifaddr = strata_ifaddr_find(&k->pub, addr);

	/* A loopback address came from outside: not ours there (RFC 1122 3.2.1.3 (g)). */
	if (ifaddr != NULL && (ifaddr->iface == iface ||
			       !(ifaddr->iface->flags & STRATA_IFACE_LOOPBACK) ||
			       addr_class(k, addr) != STRATA_ADDR_LOOPBACK))
		return ifaddr->state == STRATA_IFADDR_VALID ? STRATA_LOCAL_UNICAST
							    : STRATA_NOT_LOCAL;
	switch (addr_class(k, addr)) {
	case STRATA_ADDR_MULTICAST:
		return group_joined(k, iface, addr) ? STRATA_LOCAL_MULTICAST : STRATA_NOT_LOCAL;
	case STRATA_ADDR_BROADCAST:
		return STRATA_LOCAL_BROADCAST;
	case STRATA_ADDR_LOOPBACK:
		return (iface->flags & STRATA_IFACE_LOOPBACK) && loopback_prefix(k, addr) != NULL
			? STRATA_LOCAL_UNICAST : STRATA_NOT_LOCAL;
	case STRATA_ADDR_UNICAST:
		return addr_is_directed_broadcast(iface, addr) ? STRATA_LOCAL_BROADCAST
							       : STRATA_NOT_LOCAL;
	case STRATA_ADDR_UNSPECIFIED:
	case STRATA_ADDR_RESERVED:
		break;
	}
	return STRATA_NOT_LOCAL;
}

/* ---- coming and going ---- */

static void tell(struct kernel *k, struct strata_ifaddr *ifaddr, bool added)
{
	struct strata_instance *net;

	for (net = network_next(k, NULL); net != NULL; net = network_next(k, net))
		if (net->module->network->address_event != NULL)
			net->module->network->address_event(net, ifaddr, added);
}

/* Twice the buckets. When memory is short the chains grow instead. */
static void grow(struct kernel *k)
{
	struct addr_table *t = k->addrs;
	const uint32_t mask = t->mask * 2 + 1;
	struct own_addr **buckets = strata_alloc(&k->pub, (mask + (size_t)1) * sizeof(*buckets));
	uint32_t i;

	if (buckets == NULL)
		return;
	for (i = 0; i <= t->mask; i++) {
		struct own_addr *ifaddr;
		while ((ifaddr = t->buckets[i]) != NULL) {
			struct own_addr **head = &buckets[addr_hash(&ifaddr->pub.prefix.addr) & mask];
			t->buckets[i] = ifaddr->hash_next;
			ifaddr->hash_next = *head;
			*head = ifaddr;
		}
	}
	strata_free(&k->pub, t->buckets);
	t->buckets = buckets;
	t->mask = mask;
}

static void link_in(struct kernel *k, struct own_addr *ifaddr)
{
	struct addr_table *t = k->addrs;
	struct strata_ifaddr **end = &iface_of(ifaddr->pub.iface)->addrs;
	struct own_addr **head;

	if (t->count > t->mask)
		grow(k);
	head = &t->buckets[addr_hash(&ifaddr->pub.prefix.addr) & t->mask];
	ifaddr->hash_next = *head;
	*head = ifaddr;
	t->count++;
	while (*end != NULL)
		end = &(*end)->next;
	*end = &ifaddr->pub;
}

static void unlink_from(struct kernel *k, struct own_addr *ifaddr)
{
	struct addr_table *t = k->addrs;
	struct own_addr **hash = &t->buckets[addr_hash(&ifaddr->pub.prefix.addr) & t->mask];
	struct strata_ifaddr **list = &iface_of(ifaddr->pub.iface)->addrs;

	while (*hash != ifaddr)
		hash = &(*hash)->hash_next;
	*hash = ifaddr->hash_next;
	t->count--;
	while (*list != &ifaddr->pub)
		list = &(*list)->next;
	*list = ifaddr->pub.next;
}

/* The route to the address's own link; false for a host's prefix, which has none. */
static bool connected_route(const struct strata_ifaddr *ifaddr, struct strata_route *route)
{
	if (ifaddr->prefix.bits == ifaddr->prefix.addr.length * 8)
		return false;
	memset(route, 0, sizeof(*route));
	route->to.addr = strata_addr_mask(&ifaddr->prefix.addr, ifaddr->prefix.bits);
	route->to.bits = ifaddr->prefix.bits;
	route->iface = ifaddr->iface;
	route->connected = true;
	return true;
}

bool addr_names_host(const struct strata_address_ops *ops, const struct strata_prefix *prefix)
{
	struct strata_addr all, none;

	/* Families and prefixes without a broadcast address (RFC 3021) use every host number. */
	if (prefix->bits == 0 || ops->broadcast == NULL || !ops->broadcast(prefix, &all))
		return true;
	none = strata_addr_mask(&prefix->addr, prefix->bits);
	return !strata_addr_equal(&prefix->addr, &all) && !strata_addr_equal(&prefix->addr, &none);
}

static int check_new(struct kernel *k, const struct strata_prefix *prefix)
{
	const struct strata_address_ops *ops = strata_address_ops(&k->pub, prefix->addr.family);
	enum strata_addr_class class;

	if (ops == NULL)
		return -EAFNOSUPPORT;
	class = ops->classify(&prefix->addr);
	if (prefix->bits > ops->length * 8 ||
	    (class != STRATA_ADDR_UNICAST && class != STRATA_ADDR_LOOPBACK) ||
	    !addr_names_host(ops, prefix))
		return -EINVAL;
	return strata_ifaddr_find(&k->pub, &prefix->addr) != NULL ? -EEXIST : 0;
}

int strata_ifaddr_add(struct strata_iface *iface, const struct strata_prefix *prefix)
{
	struct kernel *k = kernel_of(iface->stack);
	const struct strata_address_ops *ops;
	struct strata_route route;
	struct own_addr *ifaddr;
	int result = check_new(k, prefix);

	if (result < 0)
		return result;
	if (iface_of(iface)->upper != NULL)
		return -EINVAL;	/* what comes in belongs to the interface above */
	ifaddr = strata_alloc(&k->pub, sizeof(*ifaddr));
	if (ifaddr == NULL)
		return -ENOMEM;
	ops = strata_address_ops(&k->pub, prefix->addr.family);
	ifaddr->pub.iface = iface;
	ifaddr->pub.prefix = *prefix;
	ifaddr->pub.state = STRATA_IFADDR_VALID;
	if (ops->broadcast != NULL && !ops->broadcast(prefix, &ifaddr->pub.broadcast))
		memset(&ifaddr->pub.broadcast, 0, sizeof(ifaddr->pub.broadcast));
	if (connected_route(&ifaddr->pub, &route)) {
		result = strata_route_add(&k->pub, &route);
		/* A further address of a prefix shares the route of the first. */
		if (result < 0 && result != -EEXIST) {
			strata_free(&k->pub, ifaddr);
			return result;
		}
	}
	kernel_enter(k);
	link_in(k, ifaddr);
	strata_generation_bump(&k->pub);
	tell(k, &ifaddr->pub, true);
	kernel_leave(k);
	return 0;
}

/* True while another address of the interface stands in the same prefix. */
static bool prefix_shared(const struct strata_ifaddr *ifaddr)
{
	const struct strata_ifaddr *other;

	for (other = iface_of(ifaddr->iface)->addrs; other != NULL; other = other->next)
		if (other != ifaddr && other->prefix.bits == ifaddr->prefix.bits &&
		    strata_addr_match(&other->prefix.addr, &ifaddr->prefix.addr,
				      ifaddr->prefix.bits))
			return true;
	return false;
}

/* `stays`: it is about to be added elsewhere, and what is bound to it does not notice. */
static void remove_ifaddr(struct kernel *k, struct strata_ifaddr *ifaddr, bool stays)
{
	struct strata_route route;

	/* While it is still ours: a goodbye may be sent from it. */
	tell(k, ifaddr, false);
	if (k->sockets != NULL && !stays)
		socket_address_gone(k, &ifaddr->prefix.addr, EADDRNOTAVAIL);
	if (k->routes != NULL && connected_route(ifaddr, &route) && !prefix_shared(ifaddr))
		strata_route_remove(&k->pub, &route);
	unlink_from(k, (struct own_addr *)ifaddr);
	strata_generation_bump(&k->pub);
	strata_free(&k->pub, ifaddr);
}

int strata_ifaddr_remove(struct strata_iface *iface, const struct strata_addr *addr)
{
	struct kernel *k = kernel_of(iface->stack);
	struct strata_ifaddr *ifaddr = strata_ifaddr_find(&k->pub, addr);

	if (ifaddr == NULL || ifaddr->iface != iface)
		return -EADDRNOTAVAIL;
	kernel_enter(k);
	remove_ifaddr(k, ifaddr, false);
	kernel_leave(k);
	return 0;
}

int addr_move(struct strata_ifaddr *ifaddr, struct strata_iface *to, uint8_t bits)
{
	struct strata_iface *from = ifaddr->iface;
	struct kernel *k = kernel_of(from->stack);
	const struct strata_prefix before = ifaddr->prefix;
	const bool claimed = addr_is_claimed(ifaddr);
	struct strata_prefix after = before;
	int result;

	after.bits = bits;
	kernel_enter(k);
	remove_ifaddr(k, ifaddr, true);
	result = strata_ifaddr_add(to, &after);
	if (result < 0 && strata_ifaddr_add(from, &before) < 0)
		socket_address_gone(k, &before.addr, EADDRNOTAVAIL);
	ifaddr = strata_ifaddr_find(&k->pub, &before.addr);
	if (ifaddr != NULL && claimed)
		addr_claim(ifaddr);
	kernel_leave(k);
	return result;
}

void addr_claim(struct strata_ifaddr *ifaddr)
{
	((struct own_addr *)ifaddr)->claimed = true;
}

bool addr_is_claimed(const struct strata_ifaddr *ifaddr)
{
	return ((const struct own_addr *)ifaddr)->claimed;
}

void addr_iface_removed(struct kernel *k, struct strata_iface *iface)
{
	while (k->addrs != NULL && iface_of(iface)->addrs != NULL)
		remove_ifaddr(k, iface_of(iface)->addrs, false);
}

void strata_ifaddr_set_state(struct strata_ifaddr *ifaddr, enum strata_ifaddr_state state)
{
	struct kernel *k = kernel_of(ifaddr->iface->stack);
	const enum strata_ifaddr_state was = ifaddr->state;

	if (state == was)
		return;
	kernel_enter(k);
	ifaddr->state = state;
	strata_generation_bump(&k->pub);
	/* RFC 5227 2.4: an address that turns out another's is given up, connections and all. */
	if (state == STRATA_IFADDR_DUPLICATE && was == STRATA_IFADDR_VALID && k->sockets != NULL)
		socket_address_gone(k, &ifaddr->prefix.addr, EADDRNOTAVAIL);
	kernel_leave(k);
}
