/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is remembered of Fast Open servers: their cookies, and whether the path to them, or every path,
 * loses what carries the option. Read RFC 7413 4.1.3 before editing.
 */
#include "tcp_int.h"

/* As Linux: recurring losses keep Fast Open off for a minute, doubling; a black hole for at most 2^6 times
 * the option's time. */
#define LOSS_TIME (60 * STRATA_SEC)
#define LOSS_DOUBLINGS_MAX 10
#define BLACKHOLE_DOUBLINGS_MAX 6

static struct tcp_fastopen_peer **bucket_of(struct tcp_fastopen_cache *cache,
					    const struct strata_addr *addr)
{
	uint64_t hash = strata_siphash(&cache->key, addr->bytes, STRATA_ADDR_MAX);

	return &cache->buckets[hash % TCP_FASTOPEN_BUCKETS];
}

static struct tcp_fastopen_peer *find(struct tcp_fastopen_cache *cache, const struct strata_addr *addr)
{
	struct tcp_fastopen_peer *peer = *bucket_of(cache, addr);

	while (peer != NULL && !strata_addr_equal(&peer->addr, addr))
		peer = peer->next;
	return peer;
}

static void age_unlink(struct tcp_fastopen_cache *cache, struct tcp_fastopen_peer *peer)
{
	if (peer->newer != NULL)
		peer->newer->older = peer->older;
	else
		cache->newest = peer->older;
	if (peer->older != NULL)
		peer->older->newer = peer->newer;
	else
		cache->oldest = peer->newer;
}

static void age_first(struct tcp_fastopen_cache *cache, struct tcp_fastopen_peer *peer)
{
	peer->newer = NULL;
	peer->older = cache->newest;
	if (peer->older != NULL)
		peer->older->newer = peer;
	else
		cache->oldest = peer;
	cache->newest = peer;
}

static void forget(struct tcp_module *m, struct tcp_fastopen_peer *peer)
{
	struct tcp_fastopen_cache *cache = &m->fastopen.cache;
	struct tcp_fastopen_peer **link = bucket_of(cache, &peer->addr);

	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
	age_unlink(cache, peer);
	strata_free(m->stack, peer);
	cache->count--;
}

/* The peer's entry, made where there is none; the one longest unused makes way. NULL: no memory, or the cache is
 * off. */
static struct tcp_fastopen_peer *get(struct tcp_module *m, const struct strata_addr *addr)
{
	struct tcp_fastopen_cache *cache = &m->fastopen.cache;
	struct tcp_fastopen_peer *peer = find(cache, addr), **bucket;

	if (peer != NULL) {
		age_unlink(cache, peer);
		age_first(cache, peer);
		return peer;
	}
	while (cache->oldest != NULL && cache->count >= m->config->fastopen_peers)
		forget(m, cache->oldest);
	if (m->config->fastopen_peers == 0)
		return NULL;
	peer = strata_alloc(m->stack, sizeof(*peer));
	if (peer == NULL)
		return NULL;
	if (cache->count++ == 0)
		strata_random(m->stack, &cache->key, sizeof(cache->key));
	bucket = bucket_of(cache, addr);
	peer->addr = *addr;
	peer->next = *bucket;
	*bucket = peer;
	age_first(cache, peer);
	return peer;
}

const struct tcp_fastopen_peer *tcp_fastopen_peer(struct tcp_module *m, const struct strata_addr *addr)
{
	return find(&m->fastopen.cache, addr);
}

bool tcp_fastopen_lossy(const struct tcp_module *m, const struct tcp_fastopen_peer *peer)
{
	unsigned int losses = tcp_min32(peer->losses, LOSS_DOUBLINGS_MAX);

	/* One may be chance. */
	return losses > 1 && strata_now(m->stack) < peer->lost + (LOSS_TIME << losses);
}

void tcp_fastopen_learn(struct tcp_module *m, const struct strata_addr *addr, uint16_t mss,
			const struct tcp_fastopen_cookie *cookie, bool lost, uint8_t kind)
{
	struct tcp_fastopen_peer *peer = get(m, addr);

	if (peer == NULL)
		return;
	if (mss != 0)
		peer->mss = mss;
	if (cookie->length != 0)
		peer->cookie = *cookie;
	else if (kind != 0 && peer->cookie.length == 0)
		peer->kind = kind;
	if (lost) {
		if (peer->losses < UINT8_MAX)
			peer->losses++;
		peer->lost = strata_now(m->stack);
	} else {
		peer->losses = 0;
	}
}

void tcp_fastopen_forget_all(struct tcp_module *m)
{
	while (m->fastopen.cache.oldest != NULL)
		forget(m, m->fastopen.cache.oldest);
}

/* ---- black holes: RFC 7413 4.1.3.1, as Linux keeps them ---- */

void tcp_fastopen_blackhole(struct tcp_module *m)
{
	struct tcp_fastopen_state *state = &m->fastopen;

	if (m->config->fastopen_blackhole_timeout == 0)
		return;
	strata_count(m->self, TCP_COUNT_FASTOPEN_BLACKHOLES, 1);
	state->blackholed = strata_now(m->stack);
	if (state->blackholes < UINT8_MAX)
		state->blackholes++;
}

bool tcp_fastopen_blackholed(const struct tcp_module *m)
{
	const struct tcp_fastopen_state *state = &m->fastopen;
	unsigned int doublings;

	if (state->blackholes == 0)
		return false;
	doublings = tcp_min32(state->blackholes - 1u, BLACKHOLE_DOUBLINGS_MAX);
	return strata_now(m->stack) <
	       state->blackholed + (m->config->fastopen_blackhole_timeout << doublings);
}
