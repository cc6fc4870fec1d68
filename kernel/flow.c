/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow table: which entry a transport packet belongs to. Flows with both ends are found by a
 * keyed hash of their key, listeners by number and local port. The tables double and halve a few
 * buckets at a time, so that no packet pays for a whole rehash.
 */
#include <errno.h>

#include "flow_int.h"
#include "shard.h"

/* Local choice: fewest buckets, so that an idle stack stays small. */
#define BUCKETS_MIN 64
/* Buckets moved with each change while a table grows (more than the one it could grow by), and while it
 * shrinks, when most of them are empty: it is to be small again before the last flow is gone. */
#define BUCKETS_STEP 8
#define BUCKETS_STEP_SHRINK 64

struct flow_hash {
	struct strata_flow **buckets;
	struct strata_flow **old;	/* being emptied into `buckets`, from index `moved` on; or NULL */
	uint32_t size, old_size;	/* powers of two */
	uint32_t moved;
	uint32_t count;
};

/* A walk under way: `next` is put right when that entry is removed. */
struct flow_cursor {
	struct flow_cursor *outer;
	struct strata_flow *next;
};

/* Counts the outgoing flows to one remote end, to tell at once that no ephemeral port is left. */
struct flow_destination {
	struct strata_flow flow;	/* in flow_table.destinations; key.local_port is 0 */
	uint32_t count;
};

struct flow_table {
	struct strata_hash_key key;
	struct flow_hash exact, listeners, destinations;
	struct flow_cursor *cursors;
	struct strata_cache *destination_cache;
	/* The key that was looked for last without being there, and its hash: it may be added next. */
	struct strata_flow_key missed;
	uint32_t missed_hash;
	struct flow_destination *destination;	/* the last one used, of which there may be more; NULL: none */
};

static inline uint64_t rotate(uint64_t v, unsigned int bits)
{
	return v << bits | v >> (64 - bits);
}

struct sip {
	uint64_t v[4];
};

static inline void sip_round(struct sip *s)
{
	s->v[0] += s->v[1];
	s->v[2] += s->v[3];
	s->v[1] = rotate(s->v[1], 13) ^ s->v[0];
	s->v[3] = rotate(s->v[3], 16) ^ s->v[2];
	s->v[0] = rotate(s->v[0], 32);
	s->v[2] += s->v[1];
	s->v[0] += s->v[3];
	s->v[1] = rotate(s->v[1], 17) ^ s->v[2];
	s->v[3] = rotate(s->v[3], 21) ^ s->v[0];
	s->v[2] = rotate(s->v[2], 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_round(s);
	s->v[0] ^= word;
}

static inline uint64_t load64(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* SipHash-1-3 (Aumasson, Bernstein 2012, with Linux's and Rust's round numbers) over the key in words
 * of fixed meaning. Two words hold both ends when the addresses are short. */
static inline uint64_t key_hash(const struct strata_hash_key *secret,
				const struct strata_flow_key *key, uint16_t local_port)
{
	struct sip s = { {
		secret->k[0] ^ UINT64_C(0x736f6d6570736575),
		secret->k[1] ^ UINT64_C(0x646f72616e646f6d),
		secret->k[0] ^ UINT64_C(0x6c7967656e657261),
		secret->k[1] ^ UINT64_C(0x7465646279746573),
	} };
	uint64_t local = load64(key->local.bytes), remote = load64(key->remote.bytes);

	sip_word(&s, (uint64_t)local_port | (uint64_t)key->remote_port << 16 |
		     (uint64_t)key->number << 32 | (uint64_t)key->remote.family << 40);
	if (key->remote.length <= 4) {
		sip_word(&s, (local & UINT32_MAX) | remote << 32);
	} else {
		sip_word(&s, local);
		sip_word(&s, load64(key->local.bytes + 8));
		sip_word(&s, remote);
		sip_word(&s, load64(key->remote.bytes + 8));
	}
	s.v[2] ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}

/* Local ports are this host's choice, so a mixing constant does. */
static inline uint32_t listener_hash(uint8_t number, uint16_t port)
{
	uint64_t mixed = ((uint64_t)number << 16 | port) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(mixed >> 32);
}

static inline bool key_equal(const struct strata_flow_key *a, const struct strata_flow_key *b)
{
	return a->local_port == b->local_port && a->remote_port == b->remote_port &&
	       a->number == b->number && strata_addr_equal(&a->remote, &b->remote) &&
	       strata_addr_equal(&a->local, &b->local);
}

/* ---- hash tables ---- */

/* The one bucket where entries of this hash are, resized or not. */
static inline struct strata_flow **hash_bucket(const struct flow_hash *h, uint32_t hash)
{
	if (strata_unlikely(h->old != NULL)) {
		uint32_t i = hash & (h->old_size - 1);

		if (i >= h->moved)
			return &h->old[i];
	}
	return &h->buckets[hash & (h->size - 1)];
}

static void bucket_push(struct strata_flow **bucket, struct strata_flow *flow)
{
	flow->next = *bucket;
	if (flow->next != NULL)
		flow->next->link = &flow->next;
	*bucket = flow;
	flow->link = bucket;
}

static void bucket_unlink(struct strata_flow *flow)
{
	*flow->link = flow->next;
	if (flow->next != NULL)
		flow->next->link = flow->link;
	flow->next = NULL;
	flow->link = NULL;
}

/* Entries are put back in their order: among equals, the one added last is found first. */
static void bucket_move(struct flow_hash *h, struct strata_flow **from)
{
	struct strata_flow *flow, *reversed = NULL;

	while ((flow = *from) != NULL) {
		bucket_unlink(flow);
		flow->next = reversed;
		reversed = flow;
	}
	while ((flow = reversed) != NULL) {
		reversed = flow->next;
		bucket_push(&h->buckets[flow->hash & (h->size - 1)], flow);
	}
}

/* Moves a few buckets of a resize under way. */
static void hash_step(struct strata_stack *stack, struct flow_hash *h)
{
	unsigned int n, step = h->size > h->old_size ? BUCKETS_STEP : BUCKETS_STEP_SHRINK;

	for (n = 0; n < step && h->moved < h->old_size; n++)
		bucket_move(h, &h->old[h->moved++]);
	if (h->moved < h->old_size)
		return;
	strata_free(stack, h->old);
	h->old = NULL;
}

/* Begins a resize where the table's load asks for one. Without memory the chains stay longer. */
static void hash_resize(struct strata_stack *stack, struct flow_hash *h)
{
	struct strata_flow **buckets;
	uint32_t size = h->size;

	if (h->count > size)
		size *= 2;
	else if (h->count < size / 8 && size > BUCKETS_MIN)
		size /= 2;
	if (size == h->size || size == 0)
		return;
	buckets = strata_alloc(stack, size * sizeof(*buckets));
	if (buckets == NULL)
		return;
	h->old = h->buckets;
	h->old_size = h->size;
	h->moved = 0;
	h->buckets = buckets;
	h->size = size;
}

/* A walk relies on the buckets' places, so nothing is moved during one. */
static void hash_maintain(struct kernel *k, struct flow_hash *h)
{
	if (k->flows->cursors != NULL)
		return;
	if (h->old != NULL)
		hash_step(&k->pub, h);
	else
		hash_resize(&k->pub, h);
}

static int hash_init(struct kernel *k, struct flow_hash *h)
{
	h->buckets = strata_alloc(&k->pub, BUCKETS_MIN * sizeof(*h->buckets));
	h->size = BUCKETS_MIN;
	return h->buckets != NULL ? 0 : -ENOMEM;
}

static void hash_fini(struct kernel *k, struct flow_hash *h)
{
	strata_free(&k->pub, h->old);
	strata_free(&k->pub, h->buckets);
}

static void hash_add(struct kernel *k, struct flow_hash *h, struct strata_flow *flow)
{
	bucket_push(hash_bucket(h, flow->hash), flow);
	h->count++;
	hash_maintain(k, h);
}

static void hash_remove(struct kernel *k, struct flow_hash *h, struct strata_flow *flow)
{
	struct flow_cursor *c;

	for (c = k->flows->cursors; c != NULL; c = c->outer)
		if (c->next == flow)
			c->next = flow->next;
	bucket_unlink(flow);
	h->count--;
	hash_maintain(k, h);
}

/* ---- destinations of outgoing flows ---- */

uint64_t flow_destination_hash(const struct strata_hash_key *secret,
			       const struct strata_flow_key *key)
{
	return key_hash(secret, key, 0);
}

/* All but the local port is the same. */
static bool same_destination(const struct strata_flow_key *a, const struct strata_flow_key *b)
{
	return a->remote_port == b->remote_port && a->number == b->number &&
	       strata_addr_equal(&a->remote, &b->remote) && strata_addr_equal(&a->local, &b->local);
}

static struct flow_destination *destination_find(struct flow_table *t,
						 const struct strata_flow_key *key)
{
	struct strata_flow *flow;
	uint32_t hash;

	if (t->destination != NULL && same_destination(&t->destination->flow.key, key))
		return t->destination;
	hash = (uint32_t)key_hash(&t->key, key, 0);
	for (flow = *hash_bucket(&t->destinations, hash); flow != NULL; flow = flow->next) {
		if (flow->hash != hash || !same_destination(&flow->key, key))
			continue;
		t->destination = strata_container_of(flow, struct flow_destination, flow);
		return t->destination;
	}
	return NULL;
}

/* Without memory the flow goes uncounted, and a full range is found out by trying. */
static void destination_count(struct kernel *k, struct strata_flow *flow)
{
	struct flow_table *t = k->flows;
	struct flow_destination *d = destination_find(t, &flow->key);

	if (d == NULL) {
		d = strata_cache_alloc(t->destination_cache);
		if (d == NULL)
			return;
		d->flow.key = flow->key;
		d->flow.key.local_port = 0;
		d->flow.hash = (uint32_t)key_hash(&t->key, &flow->key, 0);
		hash_add(k, &t->destinations, &d->flow);
		t->destination = d;
	}
	d->count++;
	flow->flags |= FLOW_COUNTED;
}

static void destination_uncount(struct kernel *k, struct strata_flow *flow)
{
	struct flow_table *t = k->flows;
	struct flow_destination *d = destination_find(t, &flow->key);

	flow->flags &= (uint8_t)~FLOW_COUNTED;
	if (d == NULL || --d->count > 0)
		return;
	hash_remove(k, &t->destinations, &d->flow);
	t->destination = NULL;
	strata_cache_free(t->destination_cache, d);
}

uint32_t flow_destination_count(struct kernel *k, const struct strata_flow_key *key)
{
	const struct flow_destination *d = destination_find(k->flows, key);

	return d != NULL ? d->count : 0;
}

/* ---- entering and leaving ---- */

/* There is no such flow; as a rule its maker has just looked, too. */
static void missed(struct flow_table *t, const struct strata_flow_key *key, uint32_t hash)
{
	t->missed = *key;
	t->missed_hash = hash;
}

static uint32_t hash_of_new(const struct flow_table *t, const struct strata_flow_key *key)
{
	return key_equal(&t->missed, key) ? t->missed_hash :
					    (uint32_t)key_hash(&t->key, key, key->local_port);
}

int strata_flow_add(struct strata_stack *stack, struct strata_flow *flow)
{
	struct kernel *k = kernel_of(stack);
	struct flow_table *t = k->flows;
	uint16_t port = flow->key.local_port;
	const struct strata_flow *other;
	uint32_t hash = hash_of_new(t, &flow->key);

	for (other = *hash_bucket(&t->exact, hash); other != NULL; other = other->next)
		if (other->hash == hash && other->iface == flow->iface &&
		    key_equal(&other->key, &flow->key))
			return -EADDRINUSE;
	flow->hash = hash;
	flow->listening = 0;
	hash_add(k, &t->exact, flow);
	if (strata_unlikely(k->shard != NULL) && !shard_owns(k, &flow->key) &&
	    port_stray(k, flow->key.number, port, true))
		flow->flags |= FLOW_STRAY;
	if (port >= PORT_EPHEMERAL_MIN && port <= PORT_EPHEMERAL_MAX &&
	    port_serves_flows(k, flow->key.number, port))
		destination_count(k, flow);
	return 0;
}

int strata_flow_listen(struct strata_stack *stack, struct strata_flow *flow)
{
	struct kernel *k = kernel_of(stack);

	flow->hash = listener_hash(flow->key.number, flow->key.local_port);
	flow->listening = 1;
	hash_add(k, &k->flows->listeners, flow);
	return 0;
}

void strata_flow_remove(struct strata_stack *stack, struct strata_flow *flow)
{
	struct kernel *k = kernel_of(stack);

	if (flow->link == NULL)
		return;
	if ((flow->flags & FLOW_COUNTED) != 0)
		destination_uncount(k, flow);
	if (strata_unlikely((flow->flags & FLOW_STRAY) != 0)) {
		flow->flags &= (uint8_t)~FLOW_STRAY;
		port_stray(k, flow->key.number, flow->key.local_port, false);
	}
	hash_remove(k, flow->listening ? &k->flows->listeners : &k->flows->exact, flow);
	flow->listening = 0;
}

void flow_moved(struct kernel *k, const struct strata_flow *from, struct strata_flow *flow)
{
	struct flow_cursor *c;

	if (flow->link == NULL)
		return;
	*flow->link = flow;
	if (flow->next != NULL)
		flow->next->link = &flow->next;
	for (c = k->flows->cursors; c != NULL; c = c->outer)
		if (c->next == from)
			c->next = flow;
}

void strata_flow_replace(struct strata_stack *stack, struct strata_flow *from, struct strata_flow *flow)
{
	const uint8_t place = FLOW_COUNTED | FLOW_STRAY;

	flow->next = from->next;
	flow->link = from->link;
	flow->hash = from->hash;
	flow->listening = from->listening;
	flow->flags = (uint8_t)((flow->flags & ~place) | (from->flags & place));
	flow->iface = from->iface;
	flow->key = from->key;
	flow_moved(kernel_of(stack), from, flow);
	from->next = NULL;
	from->link = NULL;
	from->listening = 0;
	from->flags &= (uint8_t)~place;
}

/* ---- finding ---- */

/* Of two flows with the same ends, the one bound to the interface is the more specific. */
static struct strata_flow *exact_find(const struct flow_table *t,
				      const struct strata_flow_key *key, uint32_t hash,
				      const struct strata_iface *iface)
{
	struct strata_flow *flow, *found = NULL;

	for (flow = *hash_bucket(&t->exact, hash); flow != NULL; flow = flow->next) {
		if (flow->hash != hash || !key_equal(&flow->key, key))
			continue;
		if (flow->iface == iface || iface == NULL)
			return flow;
		if (flow->iface == NULL)
			found = flow;
	}
	return found;
}

/* How well a listener fits: bound to the interface, then to the address, then to the family; -1 not. */
static int listener_score(const struct strata_flow *flow, const struct strata_flow_key *key,
			  const struct strata_iface *iface)
{
	int score = 0;

	if (flow->key.local_port != key->local_port || flow->key.number != key->number)
		return -1;
	if (flow->iface != NULL) {
		if (flow->iface != iface && iface != NULL)
			return -1;
		score += 4;
	}
	if (strata_addr_is_set(&flow->key.local)) {
		if (flow->key.local.family != key->local.family)
			return -1;
		score += 1;
		if (!strata_addr_is_any(&flow->key.local)) {
			if (!strata_addr_equal(&flow->key.local, &key->local))
				return -1;
			score += 2;
		}
	}
	return score;
}

/* The `n`th of the listeners that share their end with this score. */
static struct strata_flow *listener_nth(struct strata_flow *flow, const struct strata_flow_key *key,
					const struct strata_iface *iface, int score, uint32_t n)
{
	for (; flow != NULL; flow = flow->next)
		if (flow->reuse_port && listener_score(flow, key, iface) == score && n-- == 0)
			return flow;
	return NULL;
}

static struct strata_flow *listener_find(const struct flow_table *t,
					 const struct strata_flow_key *key, uint32_t hash,
					 const struct strata_iface *iface)
{
	struct strata_flow *first = *hash_bucket(&t->listeners,
						 listener_hash(key->number, key->local_port));
	struct strata_flow *flow, *best = NULL;
	uint32_t sharing = 0;
	int best_score = -1;

	for (flow = first; flow != NULL; flow = flow->next) {
		int score = listener_score(flow, key, iface);

		if (score > best_score) {
			best_score = score;
			best = flow;
			sharing = 0;
		}
		if (score >= 0 && score == best_score && flow->reuse_port)
			sharing++;
	}
	if (sharing < 2 || !best->reuse_port)
		return best;
	return listener_nth(first, key, iface, best_score,
			    (uint32_t)((uint64_t)hash * sharing >> 32));
}

static void key_of_pkt(const struct strata_pkt *pkt, uint16_t local_port, uint16_t remote_port,
		       struct strata_flow_key *key)
{
	key->local = pkt->dst;
	key->remote = pkt->src;
	key->local_port = local_port;
	key->remote_port = remote_port;
	key->number = pkt->number;
	memset(key->reserved, 0, sizeof(key->reserved));
}

struct strata_flow *strata_flow_exact(struct strata_stack *stack, const struct strata_flow_key *key,
				      const struct strata_iface *iface)
{
	const struct flow_table *t = kernel_of(stack)->flows;

	return exact_find(t, key, (uint32_t)key_hash(&t->key, key, key->local_port), iface);
}

struct strata_flow *strata_flow_listener(struct strata_stack *stack,
					 const struct strata_flow_key *key,
					 const struct strata_iface *iface)
{
	const struct flow_table *t = kernel_of(stack)->flows;

	return listener_find(t, key, (uint32_t)key_hash(&t->key, key, key->local_port), iface);
}

struct strata_flow *strata_flow_find(const struct strata_pkt *pkt, uint16_t local_port,
				     uint16_t remote_port)
{
	struct flow_table *t = kernel_of(pkt->stack)->flows;
	struct strata_flow_key key;
	struct strata_flow *flow;
	uint32_t hash;

	key_of_pkt(pkt, local_port, remote_port, &key);
	hash = (uint32_t)key_hash(&t->key, &key, local_port);
	flow = exact_find(t, &key, hash, pkt->iface);
	if (flow != NULL)
		return flow;
	missed(t, &key, hash);
	return listener_find(t, &key, hash, pkt->iface);
}

bool flow_taken(struct kernel *k, const struct strata_flow_key *key)
{
	struct flow_table *t = k->flows;
	uint32_t hash = (uint32_t)key_hash(&t->key, key, key->local_port);
	const struct strata_flow *flow;

	for (flow = *hash_bucket(&t->exact, hash); flow != NULL; flow = flow->next)
		if (flow->hash == hash && key_equal(&flow->key, key))
			return true;
	missed(t, key, hash);
	return false;
}

unsigned int strata_flow_each(const struct strata_pkt *pkt, uint16_t local_port,
			      uint16_t remote_port,
			      void (*each)(struct strata_flow *flow, void *ctx), void *ctx)
{
	const struct flow_table *t = kernel_of(pkt->stack)->flows;
	struct strata_flow_key key;
	struct strata_flow *flow;
	unsigned int count = 0;
	uint32_t hash;

	key_of_pkt(pkt, local_port, remote_port, &key);
	hash = (uint32_t)key_hash(&t->key, &key, local_port);
	for (flow = *hash_bucket(&t->exact, hash); flow != NULL; flow = flow->next) {
		if (flow->hash != hash || !key_equal(&flow->key, &key) ||
		    (flow->iface != NULL && flow->iface != pkt->iface))
			continue;
		each(flow, ctx);
		count++;
	}
	hash = listener_hash(key.number, local_port);
	for (flow = *hash_bucket(&t->listeners, hash); flow != NULL; flow = flow->next) {
		if (listener_score(flow, &key, pkt->iface) < 0)
			continue;
		each(flow, ctx);
		count++;
	}
	return count;
}

/* ---- walking ---- */

struct flow_walk {
	struct flow_cursor cursor;
	int number;		/* transport number, or -1: all */
	void (*each)(struct strata_flow *flow, void *ctx);
	void *ctx;
};

static void walk_buckets(struct flow_walk *w, struct strata_flow **buckets, uint32_t from,
			 uint32_t to)
{
	struct strata_flow *flow;
	uint32_t i;

	for (i = from; i < to; i++) {
		for (flow = buckets[i]; flow != NULL; flow = w->cursor.next) {
			w->cursor.next = flow->next;
			if (w->number < 0 || flow->key.number == w->number)
				w->each(flow, w->ctx);
		}
	}
}

static void walk_hash(struct flow_walk *w, struct flow_hash *h)
{
	if (h->old != NULL)
		walk_buckets(w, h->old, h->moved, h->old_size);
	walk_buckets(w, h->buckets, 0, h->size);
}

static void walk(struct kernel *k, int number, void (*each)(struct strata_flow *flow, void *ctx),
		 void *ctx)
{
	struct flow_table *t = k->flows;
	struct flow_walk w = { .number = number, .each = each, .ctx = ctx };

	w.cursor.outer = t->cursors;
	t->cursors = &w.cursor;
	walk_hash(&w, &t->exact);
	walk_hash(&w, &t->listeners);
	t->cursors = w.cursor.outer;
}

void strata_flow_walk(struct strata_stack *stack, uint8_t number,
		      void (*each)(struct strata_flow *flow, void *ctx), void *ctx)
{
	walk(kernel_of(stack), number, each, ctx);
}

void flow_walk_all(struct kernel *k, void (*each)(struct strata_flow *flow, void *ctx), void *ctx)
{
	walk(k, -1, each, ctx);
}

/* ---- life ---- */

int flow_init(struct kernel *k)
{
	struct flow_table *t = strata_alloc(&k->pub, sizeof(*t));
	int err;

	if (t == NULL)
		return -ENOMEM;
	k->flows = t;
	random_key(k, &t->key);
	t->missed_hash = (uint32_t)key_hash(&t->key, &t->missed, 0);
	err = hash_init(k, &t->exact);
	if (err == 0)
		err = hash_init(k, &t->listeners);
	if (err == 0)
		err = hash_init(k, &t->destinations);
	if (err < 0)
		goto out_fini;
	t->destination_cache = strata_cache_create(&k->pub, "flow destinations",
						   sizeof(struct flow_destination));
	if (t->destination_cache != NULL)
		return 0;
	err = -ENOMEM;
out_fini:
	flow_fini(k);
	return err;
}

void flow_fini(struct kernel *k)
{
	struct flow_table *t = k->flows;

	if (t == NULL)
		return;
	strata_cache_destroy(t->destination_cache);
	hash_fini(k, &t->exact);
	hash_fini(k, &t->listeners);
	hash_fini(k, &t->destinations);
	strata_free(&k->pub, t);
	k->flows = NULL;
}
