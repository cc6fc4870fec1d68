/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Local ports and who holds them, for each transport number apart: the sharing rules of
 * SO_REUSEADDR and SO_REUSEPORT as Linux has them, and ephemeral ports chosen by RFC 6056.
 */
#include <errno.h>

#include "flow_int.h"
#include "shard.h"

/* Ports of a transport are found through two levels of 256. */
#define PAGE_PORTS 256
#define EPHEMERAL_WORDS ((PORT_EPHEMERAL_COUNT + 63) / 64)
/* Random tries before the bitmap is searched: with half the range free, one in 2^32 needs more. */
#define RANDOM_TRIES 32
/* Local choice: ports in use looked at for one that can be shared. Bounds the cost when full. */
#define SHARE_TRIES 2048
/* Local choice: ports that algorithm 4 tries one by one before the bitmap is searched. */
#define FLOW_TRIES 64
/* RFC 6056 3.3.4: the table of algorithm 4. */
#define FLOW_COUNTERS 1024

/* What stands in a page for a port: NULL, its claims where all are for outgoing flows (a client has thousands
 * of such ports, with one claim each), or a node, told by its lowest bit. */
#define ENTRY_NODE 1u

/* A port that was claimed otherwise. */
struct port_node {
	struct strata_port *owners;	/* not listening */
	struct strata_port *listeners;	/* STRATA_PORT_LISTENS */
	uint32_t count;			/* claims in both lists */
	uint32_t reuse_address, reuse_port, flows;	/* of these, with that bit */
	uint32_t strays;		/* flows on it that another shard owns */
	bool told;			/* other shards know of it; for ephemeral ports `taken` tells that */
};

/* The ports of one transport number. */
struct port_space {
	struct strata_port **pages[65536 / PAGE_PORTS];
	uint64_t taken[EPHEMERAL_WORDS];	/* ephemeral ports with any claim */
	uint64_t bound[EPHEMERAL_WORDS];	/* … with a claim that is not for an outgoing flow */
	uint32_t bound_count;
};

struct port_table {
	struct port_space *spaces[256];
	struct strata_cache *nodes;
	struct strata_hash_key secret;		/* of F and G */
	uint32_t counters[FLOW_COUNTERS];
};

/* ---- nodes ---- */

static bool is_ephemeral(uint16_t port)
{
	return port >= PORT_EPHEMERAL_MIN && port <= PORT_EPHEMERAL_MAX;
}

static bool bit_get(const uint64_t *map, uint32_t i)
{
	return (map[i / 64] >> (i % 64) & 1) != 0;
}

static void bit_set(uint64_t *map, uint32_t i, bool value)
{
	uint64_t mask = UINT64_C(1) << (i % 64);

	map[i / 64] = value ? map[i / 64] | mask : map[i / 64] & ~mask;
}

/* Where the port's entry is; NULL: nobody has claimed any near it. */
static struct strata_port **entry_find(const struct port_table *t, uint8_t number, uint16_t port)
{
	const struct port_space *space = t->spaces[number];
	struct strata_port **page = space != NULL ? space->pages[port / PAGE_PORTS] : NULL;

	return page != NULL ? &page[port % PAGE_PORTS] : NULL;
}

static struct port_node *entry_node(struct strata_port *const *entry)
{
	uintptr_t value = (uintptr_t)*entry;

	return (value & ENTRY_NODE) != 0 ? (struct port_node *)(value - ENTRY_NODE) : NULL;
}

static struct port_space *space_get(struct kernel *k, uint8_t number)
{
	struct port_space **space = &k->ports->spaces[number];

	if (*space == NULL)
		*space = strata_alloc(&k->pub, sizeof(**space));
	return *space;
}

/* The port's entry, with the page it is in; NULL when memory is short. */
static struct strata_port **entry_get(struct kernel *k, uint8_t number, uint16_t port)
{
	struct port_space *space = space_get(k, number);
	struct strata_port ***page;

	if (space == NULL)
		return NULL;
	page = &space->pages[port / PAGE_PORTS];
	if (*page == NULL)
		*page = strata_alloc(&k->pub, PAGE_PORTS * sizeof(**page));
	return *page != NULL ? &(*page)[port % PAGE_PORTS] : NULL;
}

/* `by` is 1 or -1. */
static void node_count(struct port_node *node, const struct strata_port *claim, int by)
{
	uint32_t n = (uint32_t)by;

	node->count += n;
	if ((claim->reuse & STRATA_PORT_REUSE_ADDRESS) != 0)
		node->reuse_address += n;
	if ((claim->reuse & STRATA_PORT_REUSE_PORT) != 0)
		node->reuse_port += n;
	if ((claim->reuse & STRATA_PORT_FLOW) != 0)
		node->flows += n;
}

/* Finds or makes the port's node, which takes over claims that had none; NULL when memory is short. */
static struct port_node *node_get(struct kernel *k, uint8_t number, uint16_t port)
{
	struct strata_port **entry = entry_get(k, number, port);
	const struct strata_port *claim;
	struct port_node *node;

	if (entry == NULL)
		return NULL;
	node = entry_node(entry);
	if (node != NULL)
		return node;
	node = strata_cache_alloc(k->ports->nodes);
	if (node == NULL)
		return NULL;
	node->owners = *entry;
	if (node->owners != NULL)
		node->owners->link = &node->owners;
	for (claim = node->owners; claim != NULL; claim = claim->next)
		node_count(node, claim, 1);
	*entry = (struct strata_port *)((uintptr_t)node | ENTRY_NODE);
	return node;
}

/* Brings the bitmaps up to date, and frees a node without claims. */
static void entry_update(struct kernel *k, uint8_t number, uint16_t port)
{
	struct port_space *space = k->ports->spaces[number];
	struct strata_port **entry = entry_find(k->ports, number, port);
	struct port_node *node = entry_node(entry);
	bool bound = node != NULL && node->count > node->flows;
	bool claimed = node != NULL ? node->count > 0 : *entry != NULL, told = claimed;

	/* A server's port, which one more or less of its connections holds. */
	if (claimed && node != NULL && node->told && !is_ephemeral(port))
		return;
	if (is_ephemeral(port)) {
		uint32_t i = (uint32_t)port - PORT_EPHEMERAL_MIN;

		told = bit_get(space->taken, i);
		if (bit_get(space->bound, i) != bound)
			space->bound_count += bound ? 1 : UINT32_MAX;
		bit_set(space->bound, i, bound);
		bit_set(space->taken, i, claimed);
	} else if (node != NULL) {
		told = node->told;
		node->told = claimed;
	}
	if (strata_unlikely(k->shard != NULL) && told != claimed)
		shard_port_claimed(k, number, port, claimed);
	if (node != NULL && node->count == 0 && node->strays == 0) {
		strata_cache_free(k->ports->nodes, node);
		*entry = NULL;
	}
}

bool port_stray(struct kernel *k, uint8_t number, uint16_t port, bool comes)
{
	struct strata_port **entry = entry_find(k->ports, number, port);
	struct port_node *node = comes ? node_get(k, number, port) :
		entry != NULL ? entry_node(entry) : NULL;

	if (node == NULL)
		return false;
	node->strays += comes ? 1 : UINT32_MAX;
	if (node->strays == (comes ? 1 : 0))
		shard_port_stray(k, number, port, comes);
	if (!comes)
		entry_update(k, number, port);
	return true;
}

static void claim_link(struct strata_port **entry, struct strata_port *claim)
{
	struct port_node *node = entry_node(entry);
	struct strata_port **list = entry;

	if (node != NULL) {
		list = (claim->reuse & STRATA_PORT_LISTENS) != 0 ? &node->listeners : &node->owners;
		node_count(node, claim, 1);
	}
	claim->next = *list;
	if (claim->next != NULL)
		claim->next->link = &claim->next;
	*list = claim;
	claim->link = list;
}

static void claim_unlink(struct strata_port **entry, struct strata_port *claim)
{
	struct port_node *node = entry_node(entry);

	*claim->link = claim->next;
	if (claim->next != NULL)
		claim->next->link = claim->link;
	claim->next = NULL;
	claim->link = NULL;
	if (node != NULL)
		node_count(node, claim, -1);
}

/* The entry has a node, or the claim is for an outgoing flow like all others there. */
static void claim_enter(struct kernel *k, struct strata_port *claim, uint16_t port)
{
	claim->port = port;
	claim_link(entry_find(k->ports, claim->number, port), claim);
	entry_update(k, claim->number, port);
}

/* ---- conflicts ---- */

static bool addresses_overlap(const struct strata_addr *a, const struct strata_addr *b)
{
	if (!strata_addr_is_set(a) || !strata_addr_is_set(b))
		return true;
	if (a->family != b->family)
		return false;
	return strata_addr_is_any(a) || strata_addr_is_any(b) || strata_addr_equal(a, b);
}

static bool claims_overlap(const struct strata_port *a, const struct strata_port *b)
{
	if (a->iface != NULL && b->iface != NULL && a->iface != b->iface)
		return false;
	return addresses_overlap(&a->local, &b->local);
}

/* May `claim` stand beside `other`, which overlaps it? Both must want it; and a stream's
 * SO_REUSEADDR does not share with a listener. */
static bool may_share(const struct strata_port *claim, const struct strata_port *other)
{
	uint8_t both = claim->reuse & other->reuse;

	if ((both & STRATA_PORT_REUSE_PORT) != 0)
		return true;
	return (both & STRATA_PORT_REUSE_ADDRESS) != 0 &&
	       ((both & STRATA_PORT_DATAGRAM) != 0 ||
		(other->reuse & STRATA_PORT_LISTENS) == 0);
}

static bool list_conflicts(const struct strata_port *list, const struct strata_port *claim)
{
	for (; list != NULL; list = list->next)
		if (claims_overlap(list, claim) && !may_share(claim, list))
			return true;
	return false;
}

/* The counts answer for a server's many connections, without a walk over them. */
static bool node_conflicts(const struct port_node *node, const struct strata_port *claim)
{
	if ((claim->reuse & STRATA_PORT_REUSE_PORT) != 0 && node->reuse_port == node->count)
		return false;
	if (list_conflicts(node->listeners, claim))
		return true;
	if ((claim->reuse & STRATA_PORT_REUSE_ADDRESS) != 0 &&
	    node->reuse_address == node->count)
		return false;
	return list_conflicts(node->owners, claim);
}

static bool entry_conflicts(struct strata_port *const *entry, const struct strata_port *claim)
{
	const struct port_node *node = entry_node(entry);

	return node != NULL ? node_conflicts(node, claim) : list_conflicts(*entry, claim);
}

/* ---- ephemeral ports ---- */

/* The first clear bit from `start` on, around the end; PORT_EPHEMERAL_COUNT when all are set. */
static uint32_t map_find_clear(const uint64_t *map, uint32_t start)
{
	uint32_t n, i = start;

	for (n = 0; n < PORT_EPHEMERAL_COUNT; ) {
		uint32_t step = 1;

		if (!bit_get(map, i))
			return i;
		if (i % 64 == 0 && map[i / 64] == UINT64_MAX)
			step = 64;
		i += step;
		n += step;
		if (i >= PORT_EPHEMERAL_COUNT)
			i = 0;
	}
	return PORT_EPHEMERAL_COUNT;
}

/* Whether the port is this shard's to take: what comes to it would be another's as well, if that one had it
 * too. */
static bool takes(struct kernel *k, uint8_t number, uint32_t i)
{
	return strata_likely(k->shard == NULL) ||
	       shard_port_take(k, number, (uint16_t)(PORT_EPHEMERAL_MIN + i));
}

/* A port nobody holds, each with the same chance while half of them are free; 0 when none is. */
static uint16_t free_port(struct kernel *k, const struct port_space *space, uint8_t number)
{
	uint32_t i = 0;
	unsigned int n;

	for (n = 0; n < RANDOM_TRIES; n++) {
		i = strata_random_below(&k->pub, PORT_EPHEMERAL_COUNT);
		if (!bit_get(space->taken, i) && takes(k, number, i))
			return (uint16_t)(PORT_EPHEMERAL_MIN + i);
	}
	for (n = 0; n < PORT_EPHEMERAL_COUNT; n++) {
		i = map_find_clear(space->taken, i);
		if (i == PORT_EPHEMERAL_COUNT)
			break;
		if (takes(k, number, i))
			return (uint16_t)(PORT_EPHEMERAL_MIN + i);
		i = (i + 1) % PORT_EPHEMERAL_COUNT;
	}
	return 0;
}

/* A port in use that the claim can share; 0 when none was met. */
static uint16_t shared_port(struct kernel *k, const struct strata_port *claim)
{
	uint32_t i = strata_random_below(&k->pub, PORT_EPHEMERAL_COUNT);
	unsigned int n;

	if (claim->iface == NULL && !strata_addr_is_set(&claim->local) &&
	    (claim->reuse & (STRATA_PORT_REUSE_ADDRESS | STRATA_PORT_REUSE_PORT)) == 0)
		return 0;
	for (n = 0; n < SHARE_TRIES; n++) {
		uint16_t port = (uint16_t)(PORT_EPHEMERAL_MIN + i);
		struct strata_port **entry = entry_find(k->ports, claim->number, port);

		if (entry != NULL && *entry != NULL && !entry_conflicts(entry, claim))
			return port;
		i = (i + 1) % PORT_EPHEMERAL_COUNT;
	}
	return 0;
}

static int claim_ephemeral(struct kernel *k, struct strata_port *claim)
{
	const struct port_space *space = space_get(k, claim->number);
	uint16_t port;

	if (space == NULL)
		return -ENOBUFS;
	port = free_port(k, space, claim->number);
	if (port == 0)
		port = shared_port(k, claim);
	if (port == 0) {
		strata_count(&k->self, KERNEL_COUNT_PORTS_EXHAUSTED, 1);
		return -EADDRNOTAVAIL;
	}
	if (node_get(k, claim->number, port) == NULL)
		return -ENOBUFS;
	claim_enter(k, claim, port);
	return 0;
}

int strata_port_claim(struct strata_stack *stack, struct strata_port *claim)
{
	struct kernel *k = kernel_of(stack);
	struct strata_port **entry;

	if (claim->link != NULL)
		return -EINVAL;
	claim->reuse &= (uint8_t)~(STRATA_PORT_LISTENS | STRATA_PORT_FLOW);
	if (claim->port == 0)
		return claim_ephemeral(k, claim);
	entry = entry_get(k, claim->number, claim->port);
	if (entry == NULL)
		return -ENOBUFS;
	if (entry_conflicts(entry, claim))
		return -EADDRINUSE;
	if (node_get(k, claim->number, claim->port) == NULL)
		return -ENOBUFS;
	claim_enter(k, claim, claim->port);
	return 0;
}

/* RFC 6056 3.3.4, algorithm 4: consecutive ports for one destination, from a secret offset, with a counter shared
 * by few destinations. `map` tells ports that are passed over without a try. True: the flow of the key's port is
 * free. */
static bool try_ports(struct kernel *k, const uint64_t *map, uint32_t tries, struct strata_flow_key *key)
{
	struct port_table *t = k->ports;
	uint64_t hash = flow_destination_hash(&t->secret, key);
	uint32_t *counter = &t->counters[(hash >> 32) % FLOW_COUNTERS];
	uint32_t offset = (uint32_t)hash % PORT_EPHEMERAL_COUNT;

	while (tries-- > 0) {
		uint32_t i = map_find_clear(map, (offset + *counter + 1) % PORT_EPHEMERAL_COUNT);

		if (i == PORT_EPHEMERAL_COUNT)
			return false;
		*counter = (i + PORT_EPHEMERAL_COUNT - offset) % PORT_EPHEMERAL_COUNT;
		key->local_port = (uint16_t)(PORT_EPHEMERAL_MIN + i);
		/* What comes back is to come here. */
		if (shard_owns(k, key) && !flow_taken(k, key))
			return true;
	}
	return false;
}

/* A port that the destination has no flow from yet. Near the end of the range the algorithm alone would be some ten
 * thousand look-ups: then the bitmap tells one that nobody has. Where all serve some other destination, or most are
 * another shard's, it is a look-up each after all: 28,232 at the most, some milliseconds. */
static bool flow_port(struct kernel *k, const struct port_space *space, struct strata_flow_key *key)
{
	return try_ports(k, space->bound, FLOW_TRIES, key) ||
	       (k->shard == NULL && try_ports(k, space->taken, 1, key)) ||
	       try_ports(k, space->bound, PORT_EPHEMERAL_COUNT, key);
}

int strata_port_claim_flow(struct strata_stack *stack, struct strata_port *claim,
			   struct strata_flow_key *key)
{
	struct kernel *k = kernel_of(stack);
	const struct port_space *space;

	if (claim->link != NULL)
		return -EINVAL;
	claim->number = key->number;
	space = space_get(k, claim->number);
	if (space == NULL)
		return -ENOBUFS;
	if (flow_destination_count(k, key) + space->bound_count >= PORT_EPHEMERAL_COUNT ||
	    !flow_port(k, space, key)) {
		strata_count(&k->self, KERNEL_COUNT_PORTS_EXHAUSTED, 1);
		key->local_port = 0;
		return -EADDRNOTAVAIL;
	}
	if (entry_get(k, claim->number, key->local_port) == NULL) {
		key->local_port = 0;
		return -ENOBUFS;
	}
	if (!strata_addr_is_set(&claim->local))
		claim->local = key->local;
	claim->reuse = (uint8_t)((claim->reuse & ~STRATA_PORT_LISTENS) | STRATA_PORT_FLOW);
	claim_enter(k, claim, key->local_port);
	return 0;
}

/* ---- further owners, listening, giving up ---- */

void strata_port_share(struct strata_stack *stack, const struct strata_port *from,
		       struct strata_port *claim)
{
	struct kernel *k = kernel_of(stack);

	if (from->link == NULL || claim->link != NULL)
		return;
	claim->number = from->number;
	claim->iface = from->iface;
	claim->reuse = from->reuse & (uint8_t)~STRATA_PORT_LISTENS;
	if (!strata_addr_is_set(&claim->local))
		claim->local = from->local;
	claim_enter(k, claim, from->port);
}

void port_moved(struct strata_port *claim)
{
	if (claim->link == NULL)
		return;
	*claim->link = claim;
	if (claim->next != NULL)
		claim->next->link = &claim->next;
}

/* It stands nowhere any more. */
static void claim_clear(struct strata_port *claim)
{
	claim->next = NULL;
	claim->link = NULL;
	claim->reuse &= (uint8_t)~(STRATA_PORT_LISTENS | STRATA_PORT_FLOW);
	claim->port = 0;
}

void strata_port_replace(struct strata_stack *stack, struct strata_port *from, struct strata_port *claim)
{
	(void)stack;
	if (from->link == NULL || claim->link != NULL)
		return;
	*claim = *from;
	port_moved(claim);
	claim_clear(from);
}

/* Moves the claim to the list its new bits put it on. */
static void claim_set_bits(struct kernel *k, struct strata_port *claim, uint8_t reuse)
{
	struct strata_port **entry = entry_find(k->ports, claim->number, claim->port);

	claim_unlink(entry, claim);
	claim->reuse = reuse;
	claim_link(entry, claim);
	entry_update(k, claim->number, claim->port);
}

int strata_port_listen(struct strata_stack *stack, struct strata_port *claim)
{
	struct kernel *k = kernel_of(stack);
	const struct strata_port *other;
	const struct port_node *node;

	if (claim->link == NULL)
		return -EINVAL;
	if ((claim->reuse & STRATA_PORT_LISTENS) != 0)
		return 0;
	node = node_get(k, claim->number, claim->port);
	if (node == NULL)
		return -ENOBUFS;
	for (other = node->listeners; other != NULL; other = other->next)
		if (claims_overlap(claim, other) &&
		    (claim->reuse & other->reuse & STRATA_PORT_REUSE_PORT) == 0)
			return -EADDRINUSE;
	claim_set_bits(k, claim, claim->reuse | STRATA_PORT_LISTENS);
	return 0;
}

void port_unlisten(struct kernel *k, struct strata_port *claim)
{
	if (claim->link != NULL)
		claim_set_bits(k, claim, claim->reuse & (uint8_t)~STRATA_PORT_LISTENS);
}

void port_set_reuse(struct kernel *k, struct strata_port *claim, uint8_t reuse)
{
	uint8_t mask = STRATA_PORT_REUSE_ADDRESS | STRATA_PORT_REUSE_PORT;

	reuse = (uint8_t)((claim->reuse & ~mask) | (reuse & mask));
	if (claim->link != NULL)
		claim_set_bits(k, claim, reuse);
	else
		claim->reuse = reuse;
}

bool port_serves_flows(struct kernel *k, uint8_t number, uint16_t port)
{
	struct strata_port **entry = entry_find(k->ports, number, port);
	const struct port_node *node = entry != NULL ? entry_node(entry) : NULL;

	return node != NULL ? node->flows > 0 : entry != NULL && *entry != NULL;
}

void strata_port_release(struct strata_stack *stack, struct strata_port *claim)
{
	struct kernel *k = kernel_of(stack);

	if (claim->link == NULL)
		return;
	claim_unlink(entry_find(k->ports, claim->number, claim->port), claim);
	entry_update(k, claim->number, claim->port);
	claim_clear(claim);
}

/* ---- life ---- */

int port_init(struct kernel *k)
{
	struct port_table *t = strata_alloc(&k->pub, sizeof(*t));
	unsigned int i;

	if (t == NULL)
		return -ENOMEM;
	k->ports = t;
	t->nodes = strata_cache_create(&k->pub, "ports", sizeof(struct port_node));
	if (t->nodes == NULL) {
		port_fini(k);
		return -ENOMEM;
	}
	random_key(k, &t->secret);
	/* RFC 6056 3.3.4: counters begin at random values. */
	for (i = 0; i < FLOW_COUNTERS; i++)
		t->counters[i] = strata_random_below(&k->pub, PORT_EPHEMERAL_COUNT);
	return 0;
}

static void space_free(struct kernel *k, struct port_space *space)
{
	unsigned int i;

	if (space == NULL)
		return;
	for (i = 0; i < STRATA_COUNT(space->pages); i++)
		strata_free(&k->pub, space->pages[i]);
	strata_free(&k->pub, space);
}

void port_fini(struct kernel *k)
{
	struct port_table *t = k->ports;
	unsigned int i;

	if (t == NULL)
		return;
	for (i = 0; i < STRATA_COUNT(t->spaces); i++)
		space_free(k, t->spaces[i]);
	strata_cache_destroy(t->nodes);
	strata_free(&k->pub, t);
	k->ports = NULL;
}
