/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reassembly: RFC 791 3.2, RFC 815, RFC 1122 3.3.2. Everything a sender can make grow has a
 * limit, and datagrams whose fragments overlap are given up whole, as RFC 5722 has it for IPv6
 * and RFC 1858 explains.
 */
#include <errno.h>
#include "ipv4_int.h"

/* Local choice: chains stay short at the default memory limit, which holds some 7,000 datagrams. */
#define BUCKETS 1024
#define SOURCE_BUCKETS 256
_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "a mask is made of it");
_Static_assert((SOURCE_BUCKETS & (SOURCE_BUCKETS - 1)) == 0, "a mask is made of it");

/* Where a held fragment's data lies in its datagram; in pkt->cb. The packet's data is at its
 * header. */
struct fragment {
	uint32_t start, end;
	uint32_t header;
};
_Static_assert(sizeof(struct fragment) <= STRATA_PKT_CB, "fits a packet");

/* RFC 791 3.2: what identifies a datagram. No padding, for it is hashed. */
struct key {
	uint32_t src, dst;
	uint16_t id, number;
};

struct source;

/* A datagram of which something is there. */
struct datagram {
	struct datagram *next;			/* hash chain */
	struct datagram *newer, *older;		/* of all */
	struct datagram *source_newer, *source_older;	/* of the same source */
	struct source *source;
	struct key key;
	struct strata_pkt *head, *tail;		/* fragments by offset */
	uint32_t count;
	uint32_t bytes;				/* of data held */
	uint32_t end;				/* length of the whole; 0: not known yet */
	uint32_t memory;			/* charged for it, itself included */
	uint64_t expires;
	uint16_t flags;				/* of all fragments */
	uint8_t ecn;				/* bit 1 << codepoint for each one seen */
	bool given_up;				/* what still comes of it is discarded */
};

/* A source and its share of the memory. */
struct source {
	struct source *next;
	uint32_t addr;
	uint32_t memory;
	struct datagram *oldest, *newest;
};

struct ipv4_reass {
	struct strata_instance *self;
	struct strata_hash_key hash_key;
	struct datagram *buckets[BUCKETS];
	struct source *sources[SOURCE_BUCKETS];
	struct datagram *oldest, *newest;
	uint64_t memory;
	struct strata_cache *datagram_cache, *source_cache;
	struct strata_timer timer;		/* of the oldest */
};

static struct ipv4_reass *reass_of(struct strata_instance *self)
{
	return ((struct ipv4_state *)self->state)->reass;
}

static struct fragment *fragment_of(struct strata_pkt *pkt)
{
	return (struct fragment *)(void *)pkt->cb;
}

/* ---- datagrams and sources ---- */

static struct datagram **datagram_link(struct ipv4_reass *r, const struct key *key)
{
	uint64_t hash = strata_siphash(&r->hash_key, key, sizeof(*key));
	struct datagram **link = &r->buckets[hash & (BUCKETS - 1)];

	while (*link != NULL && memcmp(&(*link)->key, key, sizeof(*key)) != 0)
		link = &(*link)->next;
	return link;
}

static struct source **source_link(struct ipv4_reass *r, uint32_t addr)
{
	uint64_t hash = strata_siphash(&r->hash_key, &addr, sizeof(addr));
	struct source **link = &r->sources[hash & (SOURCE_BUCKETS - 1)];

	while (*link != NULL && (*link)->addr != addr)
		link = &(*link)->next;
	return link;
}

static void charge(struct ipv4_reass *r, struct datagram *d, uint32_t bytes)
{
	d->memory += bytes;
	d->source->memory += bytes;
	r->memory += bytes;
}

static void uncharge(struct ipv4_reass *r, struct datagram *d, uint32_t bytes)
{
	d->memory -= bytes;
	d->source->memory -= bytes;
	r->memory -= bytes;
}

static struct source *source_get(struct ipv4_reass *r, uint32_t addr)
{
	struct source **link = source_link(r, addr);

	if (*link == NULL) {
		*link = strata_cache_alloc(r->source_cache);
		if (*link != NULL)
			(*link)->addr = addr;
	}
	return *link;
}

static void source_free_unused(struct ipv4_reass *r, struct source *source)
{
	struct source **link = source_link(r, source->addr);

	if (source->oldest != NULL)
		return;
	*link = source->next;
	strata_cache_free(r->source_cache, source);
}

static struct datagram *datagram_new(struct ipv4_reass *r, const struct key *key)
{
	const struct ipv4_config *config = r->self->config;
	struct source *source = source_get(r, key->src);
	struct datagram *d;

	if (source == NULL)
		return NULL;
	d = strata_cache_alloc(r->datagram_cache);
	if (d == NULL) {
		source_free_unused(r, source);
		return NULL;
	}
	d->key = *key;
	d->source = source;
	d->expires = strata_now(r->self->stack) + config->reassembly_time;
	*datagram_link(r, key) = d;
	d->older = r->newest;
	if (r->newest != NULL)
		r->newest->newer = d;
	else
		r->oldest = d;
	r->newest = d;
	d->source_older = source->newest;
	if (source->newest != NULL)
		source->newest->source_newer = d;
	else
		source->oldest = d;
	source->newest = d;
	charge(r, d, sizeof(struct datagram) + sizeof(struct source));
	if (!strata_timer_pending(&r->timer))
		strata_timer_start(r->self->stack, &r->timer, d->expires);
	return d;
}

static void source_unlink(struct source *source, struct datagram *d)
{
	if (d->source_older != NULL)
		d->source_older->source_newer = d->source_newer;
	else
		source->oldest = d->source_newer;
	if (d->source_newer != NULL)
		d->source_newer->source_older = d->source_older;
	else
		source->newest = d->source_older;
}

/* Takes a datagram without fragments out of every list and frees it. */
static void datagram_free(struct ipv4_reass *r, struct datagram *d)
{
	*datagram_link(r, &d->key) = d->next;
	if (d->older != NULL)
		d->older->newer = d->newer;
	else
		r->oldest = d->newer;
	if (d->newer != NULL)
		d->newer->older = d->older;
	else
		r->newest = d->older;
	if (r->oldest == NULL)
		strata_timer_stop(r->self->stack, &r->timer);
	source_unlink(d->source, d);
	uncharge(r, d, d->memory);
	source_free_unused(r, d->source);
	strata_cache_free(r->datagram_cache, d);
}

/* Discards the fragments held. */
static void drop_fragments(struct ipv4_reass *r, struct datagram *d, unsigned int reason)
{
	struct strata_pkt *pkt;

	while ((pkt = d->head) != NULL) {
		d->head = pkt->next;
		pkt->next = NULL;
		uncharge(r, d, strata_pkt_truesize(pkt));
		strata_drop(r->self, pkt, reason);
	}
	d->tail = NULL;
	d->count = d->bytes = 0;
}

static void datagram_drop(struct ipv4_reass *r, struct datagram *d, unsigned int reason)
{
	if (!d->given_up)
		strata_count(r->self, IPV4_REASM_FAILS, 1);
	drop_fragments(r, d, reason);
	datagram_free(r, d);
}

/* Contradictory: forgets what there is, and until its time is over discards what follows, lest the
 * second half of an overlap begins a datagram anew. */
static void give_up(struct ipv4_reass *r, struct datagram *d)
{
	strata_count(r->self, IPV4_REASM_FAILS, 1);
	drop_fragments(r, d, IPV4_DROP_FRAGMENT_GIVEN_UP);
	d->given_up = true;
}

/* ---- limits and time ---- */

/* Makes room by the oldest first. Returns false when `current` itself had to go. */
static bool keep_limits(struct ipv4_reass *r, struct datagram *current)
{
	const struct ipv4_config *config = r->self->config;
	struct source *source = current->source;
	struct datagram *victim;

	while (source->memory > config->reassembly_source) {
		victim = source->oldest;
		strata_count(r->self, IPV4_REASM_EVICTED, 1);
		datagram_drop(r, victim, IPV4_DROP_REASSEMBLY_SOURCE);
		if (victim == current)
			return false;
	}
	while (r->memory > config->reassembly_memory) {
		victim = r->oldest;
		strata_count(r->self, IPV4_REASM_EVICTED, 1);
		datagram_drop(r, victim, IPV4_DROP_REASSEMBLY_MEMORY);
		if (victim == current)
			return false;
	}
	return true;
}

static void reass_fire(struct strata_stack *stack, struct strata_timer *timer)
{
	struct ipv4_reass *r = strata_container_of(timer, struct ipv4_reass, timer);
	struct datagram *d;

	while ((d = r->oldest) != NULL && d->expires <= strata_now(stack)) {
		if (!d->given_up)
			strata_count(r->self, IPV4_REASM_TIMEOUTS, 1);
		/* RFC 792, RFC 1122 3.3.2: told only when the first fragment is there to be
		 * quoted. */
		if (d->head != NULL && fragment_of(d->head)->start == 0)
			strata_error_output(d->head, STRATA_ERR_REASSEMBLY_TIMEOUT, 0);
		datagram_drop(r, d, IPV4_DROP_REASSEMBLY_TIMEOUT);
	}
	if (d != NULL)
		strata_timer_start(stack, timer, d->expires);
}

/* ---- a fragment ---- */

/* What one fragment tells by itself. Returns 0, or -1 with the reason to drop it. */
static int check_alone(const struct ipv4_header *h, unsigned int *reason)
{
	uint32_t length = (uint32_t)h->total - h->size;

	*reason = IPV4_DROP_FRAGMENT_EMPTY;
	if (length == 0)
		return -1;
	*reason = IPV4_DROP_FRAGMENT_LENGTH;
	if (h->mf && length % 8 != 0)
		return -1;
	*reason = IPV4_DROP_FRAGMENT_TOO_BIG;
	return h->size + h->offset + length > STRATA_PKT_MAX ? -1 : 0;
}

/* Do all fragments agree on where the whole ends? */
static bool check_end(const struct datagram *d, const struct fragment *f, bool more)
{
	if (more)
		return d->end == 0 || f->end < d->end;
	return (d->end == 0 || d->end == f->end) &&
	       (d->tail == NULL || fragment_of(d->tail)->end <= f->end);
}

/* Puts the fragment in its place. Returns 0, or -1 with the reason to drop it. */
static int insert(struct datagram *d, struct strata_pkt *pkt, unsigned int *reason)
{
	const struct fragment *f = fragment_of(pkt);
	struct strata_pkt *before = NULL, *after = d->head;

	/* In order, as most come: behind the last. Otherwise the limit on their number bounds
	 * the walk. */
	if (d->tail != NULL && fragment_of(d->tail)->start <= f->start) {
		before = d->tail;
		after = NULL;
	}
	while (after != NULL && fragment_of(after)->start <= f->start) {
		before = after;
		after = after->next;
	}
	*reason = IPV4_DROP_FRAGMENT_DUPLICATE;
	if (before != NULL && fragment_of(before)->start == f->start &&
	    fragment_of(before)->end == f->end)
		return -1;
	*reason = IPV4_DROP_FRAGMENT_OVERLAP;
	if ((before != NULL && fragment_of(before)->end > f->start) ||
	    (after != NULL && fragment_of(after)->start < f->end))
		return -1;
	pkt->next = after;
	if (before != NULL)
		before->next = pkt;
	else
		d->head = pkt;
	if (after == NULL)
		d->tail = pkt;
	d->count++;
	d->bytes += f->end - f->start;
	return 0;
}

/* RFC 3168 5.3: congestion experienced on one fragment holds for the whole; a mark on a datagram
 * whose other fragments are not ECN-capable cannot be. Returns -1 then. */
static int join_ecn(const struct datagram *d, uint8_t *tos)
{
	bool ce = (d->ecn & 1 << IPV4_ECN_MASK) != 0;

	if (ce && (d->ecn & 1) != 0)
		return -1;
	if (ce)
		*tos |= IPV4_ECN_MASK;
	return 0;
}

/* Joins a datagram of which all is there, and frees its record. Returns the whole, or NULL when
 * it was dropped. */
static struct strata_pkt *complete(struct ipv4_reass *r, struct datagram *d, struct ipv4_header *h)
{
	struct strata_instance *self = r->self;
	struct strata_pkt *whole = d->head, *rest = whole->next, *pkt;
	const uint32_t header = fragment_of(whole)->header;
	const uint32_t total = header + d->end;
	uint16_t flags = d->flags;
	unsigned int reason = IPV4_DROP_FRAGMENT_ECN;
	uint8_t tos = whole->tos;
	int result = join_ecn(d, &tos);

	if (result == 0 && total > STRATA_PKT_MAX) {
		reason = IPV4_DROP_FRAGMENT_TOO_BIG;
		result = -1;
	}
	d->head = d->tail = NULL;
	datagram_free(r, d);
	whole->next = NULL;
	while ((pkt = rest) != NULL) {
		rest = pkt->next;
		pkt->next = NULL;
		if (result != 0) {
			strata_drop(self, pkt, IPV4_DROP_FRAGMENT_GIVEN_UP);
			continue;
		}
		strata_pkt_pull(pkt, fragment_of(pkt)->header);
		reason = IPV4_DROP_NO_MEMORY;
		result = strata_pkt_enqueue_tail(whole, pkt);
	}
	if (result != 0) {
		strata_count(self, IPV4_REASM_FAILS, 1);
		strata_drop(self, whole, reason);
		return NULL;
	}
	h->size = (uint8_t)header;
	h->total = (uint16_t)total;
	h->tos = whole->tos = tos;
	h->ttl = whole->ttl;
	h->offset = 0;
	h->df = h->mf = false;
	/* The header is put right, for whoever quotes it. Options of the first fragment stay. */
	ipv4_emit(h, whole->data);
	whole->flags = flags | STRATA_PKT_REASSEMBLED;
	whole->csum = STRATA_CSUM_NONE;
	memset(whole->cb, 0, sizeof(whole->cb));
	strata_count(self, IPV4_REASM_OKS, 1);
	strata_trace_fields(self, whole, STRATA_SAID(STRATA_FIELD_SIZE("length", total)),
			    "all fragments are there: %u bytes", total);
	return whole;
}

/* Takes the fragment into its datagram. Returns 0, or -1 with the reason to drop it. */
static int take(struct ipv4_reass *r, struct datagram *d, struct strata_pkt *pkt,
		const struct ipv4_header *h, unsigned int *reason)
{
	const struct ipv4_config *config = r->self->config;
	const struct fragment *f = fragment_of(pkt);

	*reason = IPV4_DROP_FRAGMENT_GIVEN_UP;
	if (d->given_up)
		return -1;
	*reason = IPV4_DROP_FRAGMENT_END;
	if (!check_end(d, f, h->mf)) {
		give_up(r, d);
		return -1;
	}
	if (insert(d, pkt, reason) != 0) {
		if (*reason != IPV4_DROP_FRAGMENT_DUPLICATE)
			give_up(r, d);
		return -1;
	}
	charge(r, d, strata_pkt_truesize(pkt));
	if (!h->mf)
		d->end = f->end;
	d->ecn |= (uint8_t)(1 << (h->tos & IPV4_ECN_MASK));
	d->flags |= pkt->flags;
	if (d->count <= config->reassembly_fragments)
		return 0;
	*reason = IPV4_DROP_FRAGMENT_COUNT;
	return -1;
}

struct strata_pkt *ipv4_reass_input(struct strata_instance *self, struct strata_pkt *pkt,
				    struct ipv4_header *h, enum strata_verdict *verdict)
{
	struct ipv4_reass *r = reass_of(self);
	struct key key = {
		.src = h->src, .dst = h->dst,
		.id = h->id, .number = h->number,
	};
	struct datagram *d;
	unsigned int reason;

	*verdict = STRATA_DROPPED;
	strata_count(self, IPV4_REASM_REQDS, 1);
	if (check_alone(h, &reason) != 0) {
		strata_drop(self, pkt, reason);
		return NULL;
	}
	d = *datagram_link(r, &key);
	if (d == NULL)
		d = datagram_new(r, &key);
	if (d == NULL) {
		strata_drop(self, pkt, IPV4_DROP_NO_MEMORY);
		return NULL;
	}
	*fragment_of(pkt) = (struct fragment){
		.start = h->offset, .end = (uint32_t)h->offset + h->total - h->size,
		.header = h->size,
	};
	if (take(r, d, pkt, h, &reason) != 0) {
		if (reason == IPV4_DROP_FRAGMENT_COUNT) {
			strata_count(self, IPV4_REASM_FAILS, 1);
			drop_fragments(r, d, reason);
			d->given_up = true;
		} else {
			strata_drop(self, pkt, reason);
		}
		return NULL;
	}
	strata_trace_fields(self, pkt, STRATA_SAID(STRATA_FIELD_UINT("offset", h->offset),
			    STRATA_FIELD_UINT("end", fragment_of(pkt)->end),
			    STRATA_FIELD_SIZE("there", d->bytes), STRATA_FIELD_SIZE("of", d->end)),
			    "fragment %u to %u%s kept: %u of %s%u bytes there", h->offset,
			    fragment_of(pkt)->end, h->mf ? "" : ", the last,", d->bytes,
			    d->end == 0 ? "more than " : "", d->end == 0 ? d->bytes : d->end);
	if (!keep_limits(r, d))
		return NULL;
	*verdict = STRATA_ACCEPTED;
	if (d->end == 0 || d->bytes != d->end)
		return NULL;
	*verdict = STRATA_DROPPED;
	return complete(r, d, h);
}

/* ---- life ---- */

int ipv4_reass_start(struct strata_instance *self)
{
	struct ipv4_state *state = self->state;
	struct ipv4_reass *r = strata_alloc(self->stack, sizeof(*r));

	if (r == NULL)
		return -ENOMEM;
	state->reass = r;
	r->self = self;
	r->timer.fire = reass_fire;
	strata_random(self->stack, &r->hash_key, sizeof(r->hash_key));
	r->datagram_cache = strata_cache_create(self->stack, "ipv4 datagrams",
						sizeof(struct datagram));
	r->source_cache = strata_cache_create(self->stack, "ipv4 sources", sizeof(struct source));
	if (r->datagram_cache != NULL && r->source_cache != NULL)
		return 0;
	ipv4_reass_stop(self);
	return -ENOMEM;
}

void ipv4_reass_stop(struct strata_instance *self)
{
	struct ipv4_state *state = self->state;
	struct ipv4_reass *r = state->reass;

	if (r == NULL)
		return;
	strata_timer_stop(self->stack, &r->timer);
	while (r->oldest != NULL)
		datagram_drop(r, r->oldest, IPV4_DROP_REASSEMBLY_ENDED);
	strata_cache_destroy(r->datagram_cache);
	strata_cache_destroy(r->source_cache);
	strata_free(self->stack, r);
	state->reass = NULL;
}
