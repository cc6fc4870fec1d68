/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbours in the states of RFC 4861 7.3, for every family: read 7.2 and 7.3 of it, RFC 826, and
 * RFC 1122 2.3.2 before editing. How a neighbour is asked for is the affair of the network module that
 * resolves its family. No timer runs for an entry that nobody uses.
 */
#include <errno.h>
#include "iface.h"

/* RFC 4861 10, protocol constants: host. */
#define MAX_MULTICAST_SOLICIT 3
#define MAX_UNICAST_SOLICIT 3
#define REACHABLE_TIME (30 * STRATA_SEC)
#define RETRANS_TIMER STRATA_SEC
#define DELAY_FIRST_PROBE_TIME (5 * STRATA_SEC)
/* RFC 4861 6.3.2: ReachableTime is drawn between half and one and a half times the base, anew "every few
 * hours". */
#define REACHABLE_REDRAW (2 * 3600 * STRATA_SEC)
/* RFC 1122 2.3.2.1: no more than one request a second for the same address; so long a neighbour that did
 * not answer is not asked again. */
#define FAILED_TIME STRATA_SEC
/* Local choice: entries of an interface, and those of them that may be asked for at a time. */
#define NEIGH_LIMIT 1024
#define ASKED_LIMIT (NEIGH_LIMIT / 4)
/* Local choice: what may wait for one neighbour (RFC 1122 2.3.2.2 wants at least one packet). */
#define WAITING_PACKETS 16
#define WAITING_BYTES (64 * 1024)
/* Local choice: entries looked at for one to give up. */
#define SCAN_LIMIT 64
/* Local choice: how exact "recently used" is. */
#define TOUCH_INTERVAL STRATA_SEC
#define BUCKETS_FIRST 32

struct neigh {
	struct strata_neigh pub;	/* first: modules hold a pointer to it */
	struct kernel *k;
	TAILQ_ENTRY(neigh) entry;	/* in its place, or among the orphans */
	uint64_t touched;		/* when it went to the end of its place */
	uint8_t place;			/* enum neigh_place */
};

struct neigh_table {
	struct strata_hash_key key;
	struct strata_cache *cache;
	struct strata_neigh **buckets;
	uint32_t mask, count;
	struct neigh_list orphans;	/* no longer in the table, but held */
};

static struct neigh *neigh_of(struct strata_neigh *neigh)
{
	return (struct neigh *)neigh;
}

int neigh_init(struct kernel *k)
{
	struct neigh_table *t = strata_alloc(&k->pub, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	TAILQ_INIT(&t->orphans);
	random_key(k, &t->key);
	t->cache = strata_cache_create(&k->pub, "neighbour", sizeof(struct neigh));
	t->buckets = strata_alloc(&k->pub, BUCKETS_FIRST * sizeof(struct strata_neigh *));
	t->mask = BUCKETS_FIRST - 1;
	if (t->cache == NULL || t->buckets == NULL) {
		strata_cache_destroy(t->cache);
		strata_free(&k->pub, t->buckets);
		strata_free(&k->pub, t);
		return -ENOMEM;
	}
	k->neighs = t;
	return 0;
}

/* ---- the table ---- */

/* Keyed, since whoever is on the link chooses the addresses. */
static uint32_t hash(const struct neigh_table *t, const struct strata_iface *iface,
		     const struct strata_addr *addr)
{
	uint8_t key[8 + STRATA_ADDR_MAX];

	strata_put_be32(key, iface->index);
	strata_put_be32(key + 4, addr->family);
	memcpy(key + 8, addr->bytes, STRATA_ADDR_MAX);
	return (uint32_t)strata_siphash(&t->key, key, 8 + (size_t)addr->length);
}

static void hash_insert(struct neigh_table *t, struct strata_neigh *neigh)
{
	struct strata_neigh **head = &t->buckets[hash(t, neigh->iface, &neigh->addr) & t->mask];

	neigh->next = *head;
	if (neigh->next != NULL)
		neigh->next->link = &neigh->next;
	neigh->link = head;
	*head = neigh;
}

static void hash_remove(struct strata_neigh *neigh)
{
	*neigh->link = neigh->next;
	if (neigh->next != NULL)
		neigh->next->link = neigh->link;
	neigh->next = NULL;
	neigh->link = NULL;
}

/* Twice the buckets, at once: an interface has so few entries (NEIGH_LIMIT) that all of its doublings together are
 * some 50 µs. When memory is short the chains grow instead. */
static void grow(struct kernel *k)
{
	struct neigh_table *t = k->neighs;
	struct strata_neigh **old = t->buckets, **new;
	const uint32_t mask = t->mask;
	uint32_t i;

	new = strata_alloc(&k->pub, (mask + (size_t)1) * 2 * sizeof(struct strata_neigh *));
	if (new == NULL)
		return;
	t->buckets = new;
	t->mask = mask * 2 + 1;
	for (i = 0; i <= mask; i++) {
		struct strata_neigh *neigh, *next;
		for (neigh = old[i]; neigh != NULL; neigh = next) {
			next = neigh->next;
			hash_insert(t, neigh);
		}
	}
	strata_free(&k->pub, old);
}

static struct neigh *lookup(struct kernel *k, const struct strata_iface *iface,
			    const struct strata_addr *addr)
{
	const struct neigh_table *t = k->neighs;
	const struct strata_addr key = addr_unscoped(addr);
	struct strata_neigh *neigh = t->buckets[hash(t, iface, &key) & t->mask];

	while (neigh != NULL && !(neigh->iface == iface && strata_addr_equal(&neigh->addr, &key)))
		neigh = neigh->next;
	return neigh_of(neigh);
}

/* ---- places: the order in which room is made ---- */

static void leave_place(struct neigh *n)
{
	struct iface *iface = iface_of(n->pub.iface);

	TAILQ_REMOVE(&iface->neighs[n->place], n, entry);
	if (n->place == NEIGH_ASKED)
		iface->neigh_asked--;
}

static void enter_place(struct neigh *n, enum neigh_place place)
{
	struct iface *iface = iface_of(n->pub.iface);

	n->place = (uint8_t)place;
	n->touched = strata_now(&n->k->pub);
	TAILQ_INSERT_TAIL(&iface->neighs[place], n, entry);
	if (place == NEIGH_ASKED)
		iface->neigh_asked++;
}

static void set_place(struct neigh *n, enum neigh_place place)
{
	leave_place(n);
	enter_place(n, place);
}

/* The only writer of the state of an entry that is in use. */
static void set_state(struct neigh *n, enum strata_neigh_state state)
{
	n->pub.state = (uint8_t)state;
	n->pub.settled = 0;
}

/* Takes an entry out of the table and gives up the table's reference. Whoever still holds it must look
 * the way up again. */
static void forget(struct neigh *n, enum kernel_drop reason)
{
	struct kernel *k = n->k;
	struct strata_pkt *pkt;

	strata_timer_stop(&k->pub, &n->pub.timer);
	hash_remove(&n->pub);
	n->pub.settled = 0;
	k->neighs->count--;
	k->neighs_gone++;
	leave_place(n);
	iface_of(n->pub.iface)->neigh_count--;
	while ((pkt = strata_pkt_dequeue(&n->pub.waiting)) != NULL)
		strata_drop(&k->self, pkt, reason);
	if (--n->pub.refs == 0) {
		strata_cache_free(k->neighs->cache, n);
		return;
	}
	TAILQ_INSERT_TAIL(&k->neighs->orphans, n, entry);
	/* No way leads elsewhere for it: who waits for a device sleeps on, or those whom a full table has no room for
	 * would push each other out and wake each other for ever. */
	k->pub.generation++;
}

/* RFC 4861 7.3.3: REACHABLE ends by itself. Found out when somebody looks, without a timer. */
static void refresh(struct neigh *n)
{
	struct iface *iface = iface_of(n->pub.iface);
	const uint64_t now = strata_now(&n->k->pub);

	if (n->pub.state != STRATA_NEIGH_REACHABLE)
		return;
	if (iface->reachable_time == 0 || now - iface->reachable_drawn >= REACHABLE_REDRAW) {
		const uint32_t ms = (uint32_t)(REACHABLE_TIME / STRATA_MS);
		iface->reachable_time = (ms / 2 + strata_random_below(&n->k->pub, ms + 1)) *
					STRATA_MS;
		iface->reachable_drawn = now;
	}
	if (now - n->pub.confirmed >= iface->reachable_time)
		set_state(n, STRATA_NEIGH_STALE);
}

/* The first of a place that nobody holds, or with `held` one that its holders can do without. Those
 * passed over go to the end, so that the next search is not for them again. */
static struct neigh *victim(struct iface *iface, enum neigh_place place, bool held)
{
	unsigned int i;

	for (i = 0; i < SCAN_LIMIT; i++) {
		struct neigh *n = TAILQ_FIRST(&iface->neighs[place]);
		if (n == NULL)
			return NULL;
		refresh(n);
		if (n->pub.refs == 1)
			return n;
		if (held && (place == NEIGH_SPARE || n->pub.state == STRATA_NEIGH_STALE))
			return n;
		set_place(n, place);
	}
	return NULL;
}

/* Room for one more entry of the interface. A flood of addresses that were never of use pushes itself
 * out, not the neighbours that are talked to. Returns false where nothing may go. */
static bool make_room(struct iface *iface)
{
	struct neigh *n;

	if (iface->neigh_count < NEIGH_LIMIT)
		return true;
	n = victim(iface, NEIGH_SPARE, false);
	if (n == NULL)
		n = victim(iface, NEIGH_KNOWN, false);
	if (n == NULL)
		n = victim(iface, NEIGH_ASKED, false);
	if (n == NULL)
		n = victim(iface, NEIGH_SPARE, true);
	if (n == NULL)
		n = victim(iface, NEIGH_KNOWN, true);
	if (n == NULL)
		return false;
	strata_count(&n->k->self, KERNEL_COUNT_NEIGHBOURS_EVICTED, 1);
	forget(n, KERNEL_DROP_NEIGH_TABLE_FULL);
	return true;
}

/* A new entry, INCOMPLETE and not asked for. NULL at a limit. */
static struct neigh *make(struct kernel *k, struct strata_iface *iface, const struct strata_addr *addr)
{
	struct neigh_table *t = k->neighs;
	struct neigh *n;

	if (!make_room(iface_of(iface)))
		return NULL;
	n = strata_cache_alloc(t->cache);
	if (n == NULL)
		return NULL;
	n->k = k;
	n->pub.iface = iface;
	n->pub.addr = addr_unscoped(addr);
	n->pub.state = STRATA_NEIGH_INCOMPLETE;
	n->pub.refs = 1;
	if (t->count > t->mask)
		grow(k);
	hash_insert(t, &n->pub);
	t->count++;
	iface_of(iface)->neigh_count++;
	enter_place(n, NEIGH_SPARE);
	return n;
}

struct strata_neigh *strata_neigh_find(struct strata_iface *iface, const struct strata_addr *addr)
{
	struct neigh *n = lookup(kernel_of(iface->stack), iface, addr);

	if (n == NULL)
		return NULL;
	refresh(n);
	return &n->pub;
}

/* True for an entry that only a look-up made: it is worth nothing when that is over. */
static bool unasked(const struct neigh *n)
{
	return n->pub.state == STRATA_NEIGH_INCOMPLETE && n->place == NEIGH_SPARE;
}

void strata_neigh_put(struct strata_neigh *neigh)
{
	struct neigh *n = neigh_of(neigh);

	n->pub.refs--;
	if (n->pub.refs == 0) {
		TAILQ_REMOVE(&n->k->neighs->orphans, n, entry);
		strata_cache_free(n->k->neighs->cache, n);
	} else if (n->pub.refs == 1 && n->pub.link != NULL && unasked(n)) {
		forget(n, KERNEL_DROP_NEIGH_FAILED);
	}
}

/* ---- asking ---- */

/* The network module that resolves a family: its own or another. */
static struct strata_instance *resolver(struct kernel *k, uint16_t family)
{
	struct strata_instance *net;

	for (net = network_next(k, NULL); net != NULL; net = network_next(k, net))
		if (net->module->network->resolves == family &&
		    net->module->network->resolve != NULL)
			return net;
	return NULL;
}

/* Sends one solicitation and waits for RetransTimer; the answer may come before this returns. */
static void solicit(struct neigh *n)
{
	struct kernel *k = n->k;
	struct strata_instance *net = resolver(k, n->pub.addr.family);

	strata_timer_start(&k->pub, &n->pub.timer, strata_now(&k->pub) + RETRANS_TIMER);
	n->pub.probes++;
	if (net == NULL)
		return;
	n->pub.refs++;
	net->module->network->resolve(net, &n->pub);
	strata_neigh_put(&n->pub);
}

/* RFC 4861 7.2.2: address resolution begins. Too many at a time push out the oldest. */
static void ask(struct neigh *n)
{
	struct iface *iface = iface_of(n->pub.iface);

	if (iface->neigh_asked >= ASKED_LIMIT) {
		strata_count(&n->k->self, KERNEL_COUNT_NEIGHBOURS_EVICTED, 1);
		forget(TAILQ_FIRST(&iface->neighs[NEIGH_ASKED]), KERNEL_DROP_NEIGH_TABLE_FULL);
	}
	set_state(n, STRATA_NEIGH_INCOMPLETE);
	n->pub.lladdr.length = 0;
	n->pub.probes = 0;
	set_place(n, NEIGH_ASKED);
	solicit(n);
}

static void wait_for(struct neigh *n, struct strata_pkt *pkt, uint16_t number)
{
	struct strata_pkt_queue *q = &n->pub.waiting;
	const uint32_t size = strata_pkt_truesize(pkt);

	while (q->count >= WAITING_PACKETS || (q->count != 0 && q->bytes + size > WAITING_BYTES))
		strata_drop(&n->k->self, strata_pkt_dequeue(q), KERNEL_DROP_NEIGH_QUEUE_FULL);
	pkt->family = number;
	pkt->iface = n->pub.iface;
	strata_trace_fields(&n->k->self, pkt, STRATA_SAID(STRATA_FIELD_NEIGH("neighbour", &n->pub),
			    STRATA_FIELD_UINT("waiting", q->count)), "waits for the link address of %s",
			    strata_addr_text(&n->k->pub, &n->pub.addr));
	strata_pkt_enqueue(q, pkt);
}

/* RFC 4861 7.2.2, 7.3.3: no answer. What waits is told of it, and so ends. */
static void fail(struct neigh *n)
{
	struct kernel *k = n->k;
	struct strata_pkt_queue waiting = n->pub.waiting;
	struct strata_pkt *pkt;

	strata_trace_fields(&k->self, NULL, STRATA_FIELDS(STRATA_FIELD_NEIGH("neighbour", &n->pub),
			    STRATA_FIELD_UINT("probes", n->pub.probes)), "no answer: given up");
	memset(&n->pub.waiting, 0, sizeof(n->pub.waiting));
	set_state(n, STRATA_NEIGH_FAILED);
	set_place(n, NEIGH_SPARE);
	strata_timer_start(&k->pub, &n->pub.timer, strata_now(&k->pub) + FAILED_TIME);
	while ((pkt = strata_pkt_dequeue(&waiting)) != NULL) {
		strata_error_local(pkt, STRATA_ERR_HOST_UNREACHABLE, 0);
		strata_drop(&k->self, pkt, KERNEL_DROP_NEIGH_FAILED);
	}
}

/* RFC 4861 7.3.3 and appendix C: what time does to an entry. */
static void fire(struct strata_stack *stack, struct strata_timer *timer)
{
	struct neigh *n = neigh_of(strata_container_of(timer, struct strata_neigh, timer));

	(void)stack;
	switch ((enum strata_neigh_state)n->pub.state) {
	case STRATA_NEIGH_INCOMPLETE:
		if (n->pub.probes < MAX_MULTICAST_SOLICIT)
			solicit(n);
		else
			fail(n);
		break;
	case STRATA_NEIGH_DELAY:
		set_state(n, STRATA_NEIGH_PROBE);
		n->pub.probes = 0;
		solicit(n);
		break;
	case STRATA_NEIGH_PROBE:
		if (n->pub.probes < MAX_UNICAST_SOLICIT)
			solicit(n);
		else
			fail(n);
		break;
	case STRATA_NEIGH_FAILED:
		forget(n, KERNEL_DROP_NEIGH_FAILED);
		break;
	case STRATA_NEIGH_REACHABLE:
	case STRATA_NEIGH_STALE:
	case STRATA_NEIGH_PERMANENT:
		break;
	}
}

/* The entry, made where there is none; NULL at a limit. */
static struct neigh *find_or_make(struct kernel *k, struct strata_iface *iface,
				  const struct strata_addr *addr)
{
	struct neigh *n = lookup(k, iface, addr);

	if (n != NULL || (iface->flags & STRATA_IFACE_NO_NEIGHBOUR))
		return n;
	n = make(k, iface, addr);
	if (n == NULL)
		strata_count(&k->self, KERNEL_COUNT_NEIGHBOURS_REFUSED, 1);
	else
		n->pub.timer.fire = fire;
	return n;
}

struct strata_neigh *strata_neigh_get(struct strata_iface *iface, const struct strata_addr *addr)
{
	struct neigh *n = find_or_make(kernel_of(iface->stack), iface, addr);

	if (n == NULL)
		return NULL;
	n->pub.refs++;
	return &n->pub;
}

/* ---- sending ---- */

static int begin_asking(struct neigh *n, struct strata_pkt *pkt, uint16_t number)
{
	struct kernel *k = n->k;

	if (resolver(k, n->pub.addr.family) == NULL)
		return strata_drop_errno(&k->self, pkt, KERNEL_DROP_NO_LINK_ADDRESS,
					 -EHOSTUNREACH);
	wait_for(n, pkt, number);
	ask(n);
	return 0;
}

/* Nothing known to send to: the packet waits, or ends. */
static int output_unresolved(struct neigh *n, struct strata_pkt *pkt, uint16_t number)
{
	struct kernel *k = n->k;

	if (!iface_usable(n->pub.iface))
		return strata_drop_errno(&k->self, pkt, KERNEL_DROP_IFACE_DOWN, -ENETDOWN);
	pkt = iface_pkt_own(k, pkt);
	if (pkt == NULL)
		return -ENOBUFS;
	if (n->pub.state == STRATA_NEIGH_INCOMPLETE && n->place == NEIGH_ASKED) {
		wait_for(n, pkt, number);
		return 0;
	}
	/* One that failed at a known address may have another now (RFC 4861 7.3.3: the entry is deleted and
	 * resolution done anew); one that never answered is left alone for a while. */
	if (n->pub.state == STRATA_NEIGH_FAILED && n->pub.lladdr.length == 0)
		return strata_drop_errno(&k->self, pkt, KERNEL_DROP_NEIGH_FAILED, -EHOSTUNREACH);
	return begin_asking(n, pkt, number);
}

/* The entry is no longer in the table: sends through the one that is. */
static int output_orphan(struct neigh *n, struct strata_pkt *pkt, uint16_t number)
{
	struct strata_neigh *current;
	int result;

	if (n->pub.iface == NULL)
		return strata_drop_errno(&n->k->self, pkt, KERNEL_DROP_IFACE_DOWN, -ENETDOWN);
	current = strata_neigh_get(n->pub.iface, &n->pub.addr);
	if (current == NULL)
		return strata_drop_errno(&n->k->self, pkt, KERNEL_DROP_NEIGH_TABLE_FULL, -ENOBUFS);
	result = strata_neigh_output(current, pkt, number);
	strata_neigh_put(current);
	return result;
}

static __attribute__((cold, noinline)) void trace_output(const struct strata_neigh *neigh, struct strata_pkt *pkt)
{
	strata_trace_fields(&kernel_of(pkt->stack)->self, pkt, STRATA_FIELDS(
			    STRATA_FIELD_TEXT("by", neigh->iface->name),
			    STRATA_FIELD_NEIGH("neighbour", neigh)), "%s", "");
}

/* Called from two places, of which one is on every packet's way. */
static inline __attribute__((always_inline)) int output_resolved(struct strata_neigh *neigh,
								 struct strata_pkt *pkt,
								 uint16_t number, uint64_t now)
{
	neigh->used = now;
	if (strata_tracing(pkt->stack))
		trace_output(neigh, pkt);
	return iface_output(neigh->iface, pkt, number, &neigh->lladdr);
}

/* Finds until when the entry, just refreshed, stays as it is and where it is unless something happens to it. */
static void settle(struct neigh *n)
{
	const struct iface *iface = iface_of(n->pub.iface);
	uint64_t until = STRATA_NEVER;

	if (n->pub.state == STRATA_NEIGH_REACHABLE) {
		until = n->pub.confirmed + iface->reachable_time;
		if (until > iface->reachable_drawn + REACHABLE_REDRAW)
			until = iface->reachable_drawn + REACHABLE_REDRAW;
	} else if (n->pub.state != STRATA_NEIGH_PERMANENT) {
		return;
	}
	if (n->place == NEIGH_KNOWN && until > n->touched + TOUCH_INTERVAL)
		until = n->touched + TOUCH_INTERVAL;
	n->pub.settled = until;
}

/* Sees to the entry before it is sent to. Apart, since that is seldom to be done. */
static __attribute__((noinline)) int output_unsettled(struct neigh *n, struct strata_pkt *pkt,
						      uint16_t number, uint64_t now)
{
	struct strata_neigh *neigh = &n->pub;

	if (neigh->link == NULL)
		return output_orphan(n, pkt, number);
	refresh(n);
	if (neigh->state == STRATA_NEIGH_INCOMPLETE || neigh->state == STRATA_NEIGH_FAILED) {
		neigh->used = now;
		return output_unresolved(n, pkt, number);
	}
	if (neigh->state == STRATA_NEIGH_STALE) {
		/* RFC 4861 7.3.3: the first packet to a stale neighbour. */
		set_state(n, STRATA_NEIGH_DELAY);
		strata_timer_start(&n->k->pub, &neigh->timer, now + DELAY_FIRST_PROBE_TIME);
	}
	if (n->place == NEIGH_SPARE ||
	    (n->place == NEIGH_KNOWN && now - n->touched >= TOUCH_INTERVAL))
		set_place(n, NEIGH_KNOWN);
	settle(n);
	return output_resolved(neigh, pkt, number, now);
}

int strata_neigh_output(struct strata_neigh *neigh, struct strata_pkt *pkt, uint16_t number)
{
	const uint64_t now = strata_now(pkt->stack);

	if (strata_unlikely(now >= neigh->settled))
		return output_unsettled(neigh_of(neigh), pkt, number, now);
	return output_resolved(neigh, pkt, number, now);
}

/* ---- hearing ---- */

/* Sends what waited for the link address. */
static void release_waiting(struct neigh *n)
{
	struct strata_pkt_queue waiting = n->pub.waiting;
	struct strata_pkt *pkt;

	memset(&n->pub.waiting, 0, sizeof(n->pub.waiting));
	n->pub.refs++;
	while ((pkt = strata_pkt_dequeue(&waiting)) != NULL)
		strata_neigh_output(&n->pub, pkt, pkt->family);
	strata_neigh_put(&n->pub);
}

static void set_reachable(struct neigh *n)
{
	strata_timer_stop(&n->k->pub, &n->pub.timer);
	set_state(n, STRATA_NEIGH_REACHABLE);
	n->pub.confirmed = strata_now(&n->k->pub);
}

static void set_stale(struct neigh *n)
{
	strata_timer_stop(&n->k->pub, &n->pub.timer);
	set_state(n, STRATA_NEIGH_STALE);
}

/* RFC 4861 7.2.5, for an entry whose link address was not known. */
static void learn(struct neigh *n, const struct strata_lladdr *lladdr, bool solicited)
{
	n->pub.lladdr = *lladdr;
	n->pub.probes = 0;
	if (solicited)
		set_reachable(n);
	else
		set_stale(n);
	set_place(n, n->pub.used != 0 ? NEIGH_KNOWN : NEIGH_SPARE);
	release_waiting(n);
}

/* RFC 4861 7.2.5, for one whose link address is known. */
static void update(struct neigh *n, const struct strata_lladdr *lladdr, bool solicited, bool override)
{
	const bool same = strata_lladdr_equal(&n->pub.lladdr, lladdr);

	if (!same && !override) {
		if (n->pub.state == STRATA_NEIGH_REACHABLE)
			set_stale(n);
		return;
	}
	n->pub.lladdr = *lladdr;
	if (solicited)
		set_reachable(n);
	else if (!same)
		set_stale(n);
}

void strata_neigh_heard(struct strata_iface *iface, const struct strata_addr *addr,
			const struct strata_lladdr *lladdr, bool solicited, bool override, bool create)
{
	struct kernel *k = kernel_of(iface->stack);
	struct neigh *n = lookup(k, iface, addr);

	if (n == NULL && create && lladdr->length != 0)
		n = find_or_make(k, iface, addr);
	if (n == NULL || lladdr->length == 0)
		return;
	refresh(n);
	switch ((enum strata_neigh_state)n->pub.state) {
	case STRATA_NEIGH_PERMANENT:
		break;
	case STRATA_NEIGH_INCOMPLETE:
	case STRATA_NEIGH_FAILED:
		learn(n, lladdr, solicited);
		break;
	case STRATA_NEIGH_REACHABLE:
	case STRATA_NEIGH_STALE:
	case STRATA_NEIGH_DELAY:
	case STRATA_NEIGH_PROBE:
		update(n, lladdr, solicited, override);
		break;
	}
}

void strata_neigh_confirm(struct strata_stack *stack, struct strata_neigh *neigh)
{
	(void)stack;
	switch ((enum strata_neigh_state)neigh->state) {
	case STRATA_NEIGH_REACHABLE:
		neigh->confirmed = strata_now(stack);
		break;
	case STRATA_NEIGH_STALE:
	case STRATA_NEIGH_DELAY:
	case STRATA_NEIGH_PROBE:
		if (neigh->link != NULL)
			set_reachable(neigh_of(neigh));
		break;
	case STRATA_NEIGH_INCOMPLETE:
	case STRATA_NEIGH_FAILED:
	case STRATA_NEIGH_PERMANENT:
		break;
	}
}

/* ---- by hand ---- */

int strata_neigh_set(struct strata_iface *iface, const struct strata_addr *addr,
		     const struct strata_lladdr *lladdr)
{
	struct kernel *k = kernel_of(iface->stack);
	struct neigh *n = find_or_make(k, iface, addr);

	if (n == NULL)
		return -ENOBUFS;
	kernel_enter(k);
	strata_timer_stop(&k->pub, &n->pub.timer);
	n->pub.lladdr = *lladdr;
	set_state(n, STRATA_NEIGH_PERMANENT);
	set_place(n, NEIGH_FIXED);
	release_waiting(n);
	kernel_leave(k);
	return 0;
}

int strata_neigh_remove(struct strata_iface *iface, const struct strata_addr *addr)
{
	struct neigh *n = lookup(kernel_of(iface->stack), iface, addr);

	if (n == NULL)
		return -ENOENT;
	forget(n, KERNEL_DROP_NEIGH_FAILED);
	return 0;
}

/* ---- interfaces and families that go ---- */

/* Forgets what was learnt on the interface, of `family` or (0) any. */
static void forget_learnt(struct iface *iface, uint16_t family, enum kernel_drop reason)
{
	unsigned int place;

	for (place = 0; place < NEIGH_FIXED; place++) {
		struct neigh *n = TAILQ_FIRST(&iface->neighs[place]);
		while (n != NULL) {
			struct neigh *next = TAILQ_NEXT(n, entry);
			if (family == 0 || n->pub.addr.family == family)
				forget(n, reason);
			n = next;
		}
	}
}

void neigh_iface_down(struct kernel *k, struct strata_iface *iface)
{
	(void)k;
	forget_learnt(iface_of(iface), 0, KERNEL_DROP_IFACE_DOWN);
}

void neigh_family_gone(struct kernel *k, uint16_t family)
{
	struct strata_iface *iface;

	for (iface = strata_iface_next(&k->pub, NULL); iface != NULL;
	     iface = strata_iface_next(&k->pub, iface))
		forget_learnt(iface_of(iface), family, KERNEL_DROP_NO_LINK_ADDRESS);
}

void neigh_iface_removed(struct kernel *k, struct strata_iface *iface)
{
	struct neigh *n;

	neigh_iface_down(k, iface);
	while ((n = TAILQ_FIRST(&iface_of(iface)->neighs[NEIGH_FIXED])) != NULL)
		forget(n, KERNEL_DROP_IFACE_DOWN);
	TAILQ_FOREACH(n, &k->neighs->orphans, entry)
		if (n->pub.iface == iface)
			n->pub.iface = NULL;
}

void neigh_fini(struct kernel *k)
{
	struct strata_iface *iface;

	if (k->neighs == NULL)
		return;
	for (iface = strata_iface_next(&k->pub, NULL); iface != NULL;
	     iface = strata_iface_next(&k->pub, iface))
		neigh_iface_removed(k, iface);
	strata_cache_destroy(k->neighs->cache);
	strata_free(&k->pub, k->neighs->buckets);
	strata_free(&k->pub, k->neighs);
	k->neighs = NULL;
}

void strata_inspect_neighbours(struct strata_stack *stack,
			       void (*each)(void *ctx, const struct strata_neigh *neigh), void *ctx)
{
	struct strata_iface *iface;
	struct neigh *n;
	unsigned int place;

	for (iface = strata_iface_next(stack, NULL); iface != NULL;
	     iface = strata_iface_next(stack, iface)) {
		for (place = 0; place < NEIGH_PLACES; place++) {
			TAILQ_FOREACH(n, &iface_of(iface)->neighs[place], entry) {
				refresh(n);
				each(ctx, &n->pub);
			}
		}
	}
}
