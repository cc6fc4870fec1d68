/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Life and layout of packets and chunks: pools, the linear part, slices. The contract is in
 * <strata/pkt.h>.
 */
#include "pkt_int.h"
#include "mem.h"

#include <assert.h>
#include <errno.h>

/* What strata_pkt.pool holds: the cache the packet came from, and whether its linear buffer is a
 * chunk of its own. */
#define POOL_SMALL 0
#define POOL_LARGE 1
#define POOL_CLASSES 2
#define POOL_CLASS 0x0f
#define POOL_OUTSIDE 0x80

/* Room in front of a packet that was asked for without headroom: a header at offset 0 from buf could
 * not be told from one that is not there. */
#define HEADROOM_LEAST 16

#define CHUNK_SHIFT 8			/* the smallest chunk has 256 bytes */
_Static_assert(1 << (CHUNK_SHIFT + CHUNK_CLASSES - 1) == STRATA_CHUNK_SIZE, "the largest class");

_Static_assert(STRATA_COUNT(((struct kernel *)0)->pkts.packets) == POOL_CLASSES, "a cache a class");

#define ROOM_SMALL (STRATA_PKT_SMALL + HEADROOM_LEAST)
#define ROOM_LARGE (STRATA_PKT_LARGE + HEADROOM_LEAST)

/* ---- chunks ---- */

static unsigned int chunk_class(uint32_t size)
{
	if (size <= 1u << CHUNK_SHIFT)
		return 0;
	return 32 - CHUNK_SHIFT - (unsigned int)__builtin_clz(size - 1);
}

struct strata_chunk *strata_chunk_alloc(struct strata_stack *stack, uint32_t size)
{
	struct strata_chunk *chunk;
	unsigned int class;

	if (size > STRATA_CHUNK_SIZE)
		return NULL;
	class = chunk_class(size);
	chunk = cache_pop(kernel_of(stack)->pkts.chunks[class]);
	if (chunk == NULL)
		return NULL;
	chunk->stack = stack;
	chunk->refs = 1;
	chunk->data = (uint8_t *)(chunk + 1);
	chunk->release = NULL;
	chunk->size = UINT32_C(1) << (CHUNK_SHIFT + class);
	return chunk;
}

void strata_chunk_put(struct strata_chunk *chunk)
{
	assert(chunk->refs != 0);
	if (--chunk->refs != 0)
		return;
	if (strata_unlikely(chunk->release != NULL))
		chunk->release(chunk);
	else
		cache_push(kernel_of(chunk->stack)->pkts.chunks[chunk_class(chunk->size)], chunk);
}

/* ---- packets ---- */

/* All that a packet tells of itself is unset; control bytes and fragments are what they were. */
static inline struct strata_pkt *pkt_begin(struct strata_pkt *pkt, struct strata_stack *stack,
					   uint32_t headroom, uint8_t class)
{
	const size_t own = offsetof(struct strata_pkt, len), net = offsetof(struct strata_pkt, src);
	const size_t end = offsetof(struct strata_pkt, cb);

	pkt->next = NULL;
	pkt->stack = stack;
	pkt->iface = NULL;
	pkt->buf = (uint8_t *)(pkt + 1);
	pkt->data = pkt->buf + (headroom != 0 ? headroom : HEADROOM_LEAST);
	pkt->room = class == POOL_SMALL ? ROOM_SMALL : ROOM_LARGE;
	/* In two pieces, each so short that it becomes no loop. */
	memset((uint8_t *)pkt + own, 0, net - own);
	memset((uint8_t *)pkt + net, 0, end - net);
	pkt->refs = 1;
	pkt->pool = class;
	return pkt;
}

/* Apart, so that nothing has to be saved for it where a packet of the pool is at hand. */
static __attribute__((noinline)) struct strata_pkt *pkt_fresh(struct strata_stack *stack, uint32_t headroom,
							      uint8_t class)
{
	struct strata_pkt *pkt = cache_pop(kernel_of(stack)->pkts.packets[class]);

	return pkt != NULL ? pkt_begin(pkt, stack, headroom, class) : NULL;
}

/* In place for either class, which is a constant there. */
static inline __attribute__((always_inline)) struct strata_pkt *pkt_of(struct strata_stack *stack,
								      uint32_t headroom, uint8_t class)
{
	struct strata_pkt *pkt = cache_pop_used(kernel_of(stack)->pkts.packets[class]);

	return strata_likely(pkt != NULL) ? pkt_begin(pkt, stack, headroom, class) :
					    pkt_fresh(stack, headroom, class);
}

struct strata_pkt *strata_pkt_alloc(struct strata_stack *stack, uint32_t headroom, uint32_t linear)
{
	if (strata_unlikely(headroom > STRATA_PKT_LARGE || linear > STRATA_PKT_LARGE - headroom))
		return NULL;
	return headroom + linear <= STRATA_PKT_SMALL ? pkt_of(stack, headroom, POOL_SMALL) :
						       pkt_of(stack, headroom, POOL_LARGE);
}

static struct strata_chunk *outside_chunk(const struct strata_pkt *pkt)
{
	return (struct strata_chunk *)(void *)pkt->buf - 1;
}

static void release_frags(struct strata_pkt *pkt, unsigned int from)
{
	unsigned int i;

	for (i = from; i < pkt->frag_count; i++)
		strata_chunk_put(pkt->frags[i].chunk);
	pkt->frag_count = (uint8_t)from;
}

/* Apart, so that nothing has to be saved for it where a packet holds no more than itself. */
static __attribute__((noinline)) void free_parts(struct strata_pkt *pkt)
{
	release_frags(pkt, 0);
	if (pkt->pool & POOL_OUTSIDE)
		strata_chunk_put(outside_chunk(pkt));
	cache_push(kernel_of(pkt->stack)->pkts.packets[pkt->pool & POOL_CLASS], pkt);
}

void strata_pkt_free(struct strata_pkt *pkt)
{
	if (pkt == NULL)
		return;
	assert(pkt->refs != 0);
	if (--pkt->refs != 0)
		return;
	if (strata_unlikely(pkt->frag_count != 0 || (pkt->pool & POOL_OUTSIDE) != 0))
		free_parts(pkt);
	else
		cache_push(kernel_of(pkt->stack)->pkts.packets[pkt->pool], pkt);
}

void strata_pkt_queue_purge(struct strata_pkt_queue *q)
{
	struct strata_pkt *pkt;

	while ((pkt = strata_pkt_dequeue(q)) != NULL)
		strata_pkt_free(pkt);
}

uint32_t strata_pkt_truesize(const struct strata_pkt *pkt)
{
	uint32_t size = (uint32_t)sizeof(*pkt) +
			((pkt->pool & POOL_CLASS) == POOL_SMALL ? ROOM_SMALL : ROOM_LARGE);
	unsigned int i;

	if (pkt->pool & POOL_OUTSIDE)
		size += outside_chunk(pkt)->size;
	/* A slice counts as an eighth of its chunk at least: slices of one chunk in many packets add up
	 * to about the chunk, and tiny ones cannot keep much more memory busy than they account for. */
	for (i = 0; i < pkt->frag_count; i++) {
		const struct strata_frag *frag = &pkt->frags[i];

		size += frag->length > frag->chunk->size / 8 ? frag->length : frag->chunk->size / 8;
	}
	return size;
}

/* ---- the linear part and the front ---- */

/* Takes `n` bytes, which are there, off the front of the fragments. */
static void consume_frags(struct strata_pkt *pkt, uint32_t n)
{
	unsigned int gone = 0;

	pkt->frags_len -= n;
	while (gone < pkt->frag_count && n >= pkt->frags[gone].length) {
		n -= pkt->frags[gone].length;
		strata_chunk_put(pkt->frags[gone].chunk);
		gone++;
	}
	pkt->frag_count = (uint8_t)(pkt->frag_count - gone);
	if (gone != 0)
		memmove(pkt->frags, pkt->frags + gone, pkt->frag_count * sizeof(pkt->frags[0]));
	if (n != 0) {
		pkt->frags[0].offset += n;
		pkt->frags[0].length -= n;
	}
}

uint8_t *strata_pkt_pull_slow(struct strata_pkt *pkt, uint32_t n)
{
	if (n > strata_pkt_length(pkt))
		return NULL;
	n -= pkt->len;
	pkt->data += pkt->len;
	pkt->len = 0;
	consume_frags(pkt, n);
	return pkt->data;
}

/* Moves the linear part to a buffer with room for `linear` bytes behind the same headroom, so that
 * all offsets from buf stay true. */
static int grow_linear(struct strata_pkt *pkt, uint32_t linear)
{
	uint32_t headroom = strata_pkt_headroom(pkt);
	struct strata_chunk *chunk = strata_chunk_alloc(pkt->stack, headroom + linear);

	if (chunk == NULL)
		return -ENOBUFS;
	memcpy(chunk->data, pkt->buf, headroom + pkt->len);
	if (pkt->pool & POOL_OUTSIDE)
		strata_chunk_put(outside_chunk(pkt));
	pkt->pool |= POOL_OUTSIDE;
	pkt->buf = chunk->data;
	pkt->data = pkt->buf + headroom;
	pkt->room = chunk->size;
	return 0;
}

uint8_t *strata_pkt_header_slow(struct strata_pkt *pkt, uint32_t n)
{
	uint32_t more;

	if (n <= pkt->len)
		return pkt->data;
	if (n > strata_pkt_length(pkt))
		return NULL;
	if (n > pkt->room - strata_pkt_headroom(pkt) && grow_linear(pkt, n) != 0)
		return NULL;
	more = n - pkt->len;
	strata_pkt_read(pkt, pkt->len, pkt->data + pkt->len, more);
	pkt->len = n;
	consume_frags(pkt, more);
	return pkt->data;
}

void strata_pkt_trim_slow(struct strata_pkt *pkt, uint32_t length)
{
	unsigned int i = 0;
	uint32_t rest;

	if (length < pkt->len)
		pkt->len = length;
	rest = pkt->frags_len = length - pkt->len;
	while (rest != 0 && rest >= pkt->frags[i].length)
		rest -= pkt->frags[i++].length;
	if (rest != 0)
		pkt->frags[i++].length = rest;
	release_frags(pkt, i);
}

/* ---- copies and slices ---- */

/* Where a header at `offset` of the old buffer is in the new one; 0 unless in low … high. */
static uint16_t rebase(uint16_t offset, int64_t shift, uint32_t low, uint32_t high)
{
	int64_t moved = offset + shift;

	return offset != 0 && moved > 0 && moved >= low && moved <= high ? (uint16_t)moved : 0;
}

/* Bytes in front of data that belong to headers already taken off. */
static uint32_t pulled_bytes(const struct strata_pkt *pkt)
{
	uint32_t first = strata_pkt_headroom(pkt);

	if (pkt->link_offset != 0)
		first = pkt_min(first, pkt->link_offset);
	if (pkt->network_offset != 0)
		first = pkt_min(first, pkt->network_offset);
	if (pkt->transport_offset != 0)
		first = pkt_min(first, pkt->transport_offset);
	return strata_pkt_headroom(pkt) - first;
}

/* Gives `to` the metadata of `from`, whose byte `offset` is the first of `to`. */
static void copy_metadata(struct strata_pkt *to, const struct strata_pkt *from, uint32_t offset)
{
	const size_t begin = offsetof(struct strata_pkt, link_offset);
	const size_t end = offsetof(struct strata_pkt, frags);
	int64_t shift = (int64_t)strata_pkt_headroom(to) - strata_pkt_headroom(from) - offset;
	uint32_t pulled = offset == 0 ? pkt_min(pulled_bytes(from), strata_pkt_headroom(to)) : 0;
	uint32_t low = strata_pkt_headroom(to) - pulled, high = strata_pkt_headroom(to) + to->len;

	to->iface = from->iface;
	memcpy((uint8_t *)to + begin, (const uint8_t *)from + begin, end - begin);
	memcpy(to->data - pulled, from->data - pulled, pulled);
	to->link_offset = rebase(from->link_offset, shift, low, high);
	to->network_offset = rebase(from->network_offset, shift, low, high);
	to->transport_offset = rebase(from->transport_offset, shift, low, high);
	to->csum_start = rebase(from->csum_start, shift, low, high);
	/* A partial sum whose place is no longer in the packet was one that came in: good as verified. Of
	 * a part of a packet nothing is known. */
	if (from->csum == STRATA_CSUM_PARTIAL && to->csum_start == 0)
		to->csum = offset == 0 ? STRATA_CSUM_VERIFIED : STRATA_CSUM_NONE;
}

/* Appends to `to` bytes `offset` … `offset + length` of the fragments of `from`. */
static int append_frags(struct strata_pkt *to, const struct strata_pkt *from, uint32_t offset,
			uint32_t length)
{
	unsigned int i;

	for (i = 0; i < from->frag_count && length != 0; i++) {
		const struct strata_frag *frag = &from->frags[i];
		uint32_t n;

		if (offset >= frag->length) {
			offset -= frag->length;
			continue;
		}
		n = pkt_min(frag->length - offset, length);
		if (pkt_append_frag(to, frag, offset, n) != 0)
			return -ENOBUFS;
		offset = 0;
		length -= n;
	}
	return 0;
}

struct strata_pkt *strata_pkt_slice(const struct strata_pkt *pkt, uint32_t offset, uint32_t length,
				    uint32_t headroom)
{
	uint32_t linear, first, whole = strata_pkt_length(pkt);
	const uint8_t *bytes;
	struct strata_pkt *slice;

	if (headroom > STRATA_PKT_LARGE)
		return NULL;
	offset = pkt_min(offset, whole);
	length = pkt_min(length, whole - offset);
	linear = offset < pkt->len ? pkt_min(length, pkt->len - offset) : 0;
	first = pkt_min(linear, STRATA_PKT_LARGE - headroom);
	slice = strata_pkt_alloc(pkt->stack, headroom, first);
	if (slice == NULL)
		return NULL;
	bytes = pkt->data + pkt_min(offset, pkt->len);
	memcpy(slice->data, bytes, first);
	slice->len = first;
	copy_metadata(slice, pkt, offset);
	if (strata_pkt_append(slice, bytes + first, linear - first) == 0 &&
	    append_frags(slice, pkt, offset > pkt->len ? offset - pkt->len : 0, length - linear) == 0)
		return slice;
	strata_pkt_free(slice);
	return NULL;
}

struct strata_pkt *strata_pkt_copy(const struct strata_pkt *pkt, uint32_t headroom)
{
	return strata_pkt_slice(pkt, 0, strata_pkt_length(pkt), headroom);
}

/* ---- pools ---- */

static const char *const chunk_names[CHUNK_CLASSES] = {
	"chunk-256", "chunk-512", "chunk-1024", "chunk-2048", "chunk-4096", "chunk-8192",
	"chunk-16384", "chunk-32768",
};

int pkt_init(struct kernel *k)
{
	struct pkt_pools *pools = &k->pkts;
	unsigned int i;

	for (i = 0; i < POOL_CLASSES; i++) {
		pools->packets[i] = strata_cache_create(&k->pub, i == POOL_SMALL ? "packet-small"
										 : "packet-large",
							sizeof(struct strata_pkt) +
							(i == POOL_SMALL ? ROOM_SMALL : ROOM_LARGE));
		if (pools->packets[i] == NULL)
			return -ENOMEM;
	}
	for (i = 0; i < CHUNK_CLASSES; i++) {
		pools->chunks[i] = strata_cache_create(&k->pub, chunk_names[i],
						       sizeof(struct strata_chunk) +
							       (UINT32_C(1) << (CHUNK_SHIFT + i)));
		if (pools->chunks[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

void pkt_fini(struct kernel *k)
{
	unsigned int i;

	for (i = 0; i < POOL_CLASSES; i++)
		strata_cache_destroy(k->pkts.packets[i]);
	for (i = 0; i < CHUNK_CLASSES; i++)
		strata_cache_destroy(k->pkts.chunks[i]);
	memset(&k->pkts, 0, sizeof(k->pkts));
}
