/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a packet: appending, joining and reading across the linear part and the fragments.
 * The contract is in <strata/pkt.h>.
 */
#include "pkt_int.h"

#include <assert.h>
#include <errno.h>

/* memcpy(3) that need not be told where nothing is. */
static inline void copy(void *to, const void *from, uint32_t n)
{
	if (n != 0)
		memcpy(to, from, n);
}

/* A place in an iovec. */
struct cursor {
	const struct iovec *iov;
	size_t count;
	size_t at;		/* byte of iov[0] */
};

static void cursor_skip(struct cursor *c, size_t skip)
{
	c->at += skip;
	while (c->count != 0 && c->at >= c->iov->iov_len) {
		c->at -= c->iov->iov_len;
		c->iov++;
		c->count--;
	}
}

/* Copies `n` bytes, which are there, out of the iovec. */
static void cursor_read(struct cursor *c, uint8_t *to, size_t n)
{
	while (n != 0) {
		size_t part = c->iov->iov_len - c->at;

		if (part > n)
			part = n;
		memcpy(to, (const uint8_t *)c->iov->iov_base + c->at, part);
		to += part;
		n -= part;
		cursor_skip(c, part);
	}
}

/* Copies up to `n` bytes into the iovec; returns how many it had room for. */
static uint32_t cursor_write(struct cursor *c, const uint8_t *from, uint32_t n)
{
	uint32_t done = 0;

	while (done < n && c->count != 0) {
		size_t part = c->iov->iov_len - c->at;

		if (part > n - done)
			part = n - done;
		memcpy((uint8_t *)c->iov->iov_base + c->at, from + done, part);
		done += (uint32_t)part;
		cursor_skip(c, part);
	}
	return done;
}

/* ---- reading ---- */

int strata_pkt_iov(const struct strata_pkt *pkt, struct iovec *iov)
{
	int count = 0;
	unsigned int i;

	if (pkt->len != 0)
		iov[count++] = (struct iovec){ pkt->data, pkt->len };
	for (i = 0; i < pkt->frag_count; i++) {
		const struct strata_frag *frag = &pkt->frags[i];

		iov[count++] = (struct iovec){ frag->chunk->data + frag->offset, frag->length };
	}
	return count;
}

uint32_t strata_pkt_read(const struct strata_pkt *pkt, uint32_t offset, void *buf, uint32_t n)
{
	struct iovec iov[STRATA_PKT_FRAGS + 1];
	struct cursor c = { .iov = iov };
	uint32_t length = strata_pkt_length(pkt);

	if (strata_likely(offset <= pkt->len && n <= pkt->len - offset)) {
		copy(buf, pkt->data + offset, n);
		return n;
	}
	if (offset >= length)
		return 0;
	n = pkt_min(n, length - offset);
	c.count = (size_t)strata_pkt_iov(pkt, iov);
	cursor_skip(&c, offset);
	cursor_read(&c, buf, n);
	return n;
}

uint32_t strata_pkt_read_iov(const struct strata_pkt *pkt, uint32_t offset,
			     const struct iovec *iov, size_t count, size_t skip, uint32_t n)
{
	struct iovec parts[STRATA_PKT_FRAGS + 1];
	struct cursor c = { .iov = iov, .count = count };
	int i, part_count;
	uint32_t done = 0;

	/* Most often one piece goes into another that has room for it. */
	if (count != 0 && offset <= pkt->len && (pkt->frag_count == 0 || n <= pkt->len - offset)) {
		const uint32_t whole = pkt_min(n, pkt->len - offset);

		if (skip <= iov->iov_len && whole <= iov->iov_len - skip) {
			copy((uint8_t *)iov->iov_base + skip, pkt->data + offset, whole);
			return whole;
		}
	}
	part_count = strata_pkt_iov(pkt, parts);
	cursor_skip(&c, skip);
	for (i = 0; i < part_count && done < n; i++) {
		uint32_t length = (uint32_t)parts[i].iov_len, want, got;

		if (offset >= length) {
			offset -= length;
			continue;
		}
		want = pkt_min(length - offset, n - done);
		got = cursor_write(&c, (const uint8_t *)parts[i].iov_base + offset, want);
		done += got;
		if (got < want)
			break;
		offset = 0;
	}
	return done;
}

/* ---- appending ---- */

/* Copies all fragments together into as few chunks as hold them. */
static int compact(struct strata_pkt *pkt)
{
	struct strata_frag frags[STRATA_PKT_FRAGS];
	uint32_t done = 0;
	unsigned int i, count = 0;

	while (done < pkt->frags_len && count < STRATA_PKT_FRAGS) {
		struct strata_chunk *chunk = strata_chunk_alloc(pkt->stack, STRATA_CHUNK_SIZE);

		if (chunk == NULL)
			break;
		frags[count].chunk = chunk;
		frags[count].offset = 0;
		frags[count].length = strata_pkt_read(pkt, pkt->len + done, chunk->data, chunk->size);
		done += frags[count++].length;
	}
	if (done < pkt->frags_len) {
		for (i = 0; i < count; i++)
			strata_chunk_put(frags[i].chunk);
		return -ENOBUFS;
	}
	for (i = 0; i < pkt->frag_count; i++)
		strata_chunk_put(pkt->frags[i].chunk);
	memcpy(pkt->frags, frags, count * sizeof(frags[0]));
	pkt->frag_count = (uint8_t)count;
	return 0;
}

/* Bytes free behind the last slice, which nobody else can see; 0 where the chunk is shared. */
static uint32_t slack(const struct strata_pkt *pkt)
{
	const struct strata_frag *last;

	if (pkt->frag_count == 0)
		return 0;
	last = &pkt->frags[pkt->frag_count - 1];
	/* Shared bytes are not written behind, and never the application's memory. */
	if (last->chunk->refs != 1 || last->chunk->release != NULL)
		return 0;
	return last->chunk->size - last->offset - last->length;
}

/* Adds an empty slice of a new chunk for `n` more bytes. Chunks grow with the packet, so that one that
 * is put together from little pieces fits in the fragments there are. */
static int add_chunk(struct strata_pkt *pkt, uint32_t n)
{
	struct strata_chunk *chunk;

	if (n < pkt->frags_len)
		n = pkt->frags_len;
	chunk = strata_chunk_alloc(pkt->stack, pkt_min(n, STRATA_CHUNK_SIZE));
	if (chunk == NULL)
		return -ENOBUFS;
	pkt->frags[pkt->frag_count++] = (struct strata_frag){ .chunk = chunk };
	return 0;
}

/* Makes slack for some of `n` more bytes. */
static int make_slack(struct strata_pkt *pkt, uint32_t n)
{
	if (slack(pkt) != 0)
		return 0;
	if (pkt->frag_count == STRATA_PKT_FRAGS) {
		if (compact(pkt) != 0)
			return -ENOBUFS;
		if (slack(pkt) != 0)
			return 0;
		if (pkt->frag_count == STRATA_PKT_FRAGS)
			return -ENOBUFS;
	}
	return add_chunk(pkt, n);
}

static int append(struct strata_pkt *pkt, struct cursor *c, uint32_t n)
{
	uint32_t before = strata_pkt_length(pkt);
	uint32_t part = pkt_min(n, strata_pkt_tailroom(pkt));

	assert(pkt->refs == 1);
	cursor_read(c, pkt->data + pkt->len, part);
	pkt->len += part;
	for (n -= part; n != 0; n -= part) {
		struct strata_frag *last;

		if (make_slack(pkt, n) != 0) {
			strata_pkt_trim(pkt, before);
			return -ENOBUFS;
		}
		part = pkt_min(n, slack(pkt));
		last = &pkt->frags[pkt->frag_count - 1];
		cursor_read(c, last->chunk->data + last->offset + last->length, part);
		last->length += part;
		pkt->frags_len += part;
	}
	return 0;
}

/* Apart, since most often there is tailroom. */
static __attribute__((noinline)) int append_bytes(struct strata_pkt *pkt, const void *bytes, uint32_t n)
{
	const struct iovec iov = { (void *)(uintptr_t)bytes, n };
	struct cursor c = { .iov = &iov, .count = 1 };

	return append(pkt, &c, n);
}

int strata_pkt_append(struct strata_pkt *pkt, const void *bytes, uint32_t n)
{
	assert(pkt->refs == 1);
	if (strata_likely(n <= strata_pkt_tailroom(pkt))) {
		copy(pkt->data + pkt->len, bytes, n);
		pkt->len += n;
		return 0;
	}
	return append_bytes(pkt, bytes, n);
}

int strata_pkt_append_iov(struct strata_pkt *pkt, const struct iovec *iov, size_t count, size_t skip,
			  uint32_t n)
{
	struct cursor c = { .iov = iov, .count = count };

	/* Most often all comes from one place and fits. */
	if (count != 0 && skip <= iov->iov_len && n <= iov->iov_len - skip)
		return strata_pkt_append(pkt, (const uint8_t *)iov->iov_base + skip, n);
	cursor_skip(&c, skip);
	return append(pkt, &c, n);
}

int strata_pkt_append_chunk(struct strata_pkt *pkt, struct strata_chunk *chunk, uint32_t offset,
			    uint32_t length)
{
	struct strata_frag *last;

	assert(offset <= chunk->size && length <= chunk->size - offset);
	if (length == 0)
		return 0;
	if (pkt->frag_count != 0) {
		last = &pkt->frags[pkt->frag_count - 1];
		if (last->chunk == chunk && last->offset + last->length == offset) {
			last->length += length;
			pkt->frags_len += length;
			return 0;
		}
	}
	if (pkt->frag_count == STRATA_PKT_FRAGS)
		return -ENOBUFS;
	pkt->frags[pkt->frag_count++] = (struct strata_frag){
		.chunk = strata_chunk_get(chunk), .offset = offset, .length = length,
	};
	pkt->frags_len += length;
	return 0;
}

int pkt_append_frag(struct strata_pkt *pkt, const struct strata_frag *frag, uint32_t offset,
		    uint32_t length)
{
	if (strata_pkt_append_chunk(pkt, frag->chunk, frag->offset + offset, length) == 0)
		return 0;
	return strata_pkt_append(pkt, frag->chunk->data + frag->offset + offset, length);
}

int strata_pkt_join(struct strata_pkt *pkt, const struct strata_pkt *tail, uint32_t skip)
{
	const uint32_t before = strata_pkt_length(pkt), linear = pkt_min(skip, tail->len);
	const uint32_t copied = tail->len - linear;
	unsigned int i;
	int result = 0;

	/* Most often the last chunk has room for it. */
	if (pkt->frag_count != 0 && strata_likely(slack(pkt) >= copied)) {
		struct strata_frag *last = &pkt->frags[pkt->frag_count - 1];

		memcpy(last->chunk->data + last->offset + last->length, tail->data + linear, copied);
		last->length += copied;
		pkt->frags_len += copied;
	} else {
		result = strata_pkt_append(pkt, tail->data + linear, copied);
	}
	skip -= linear;
	for (i = 0; i < tail->frag_count && result == 0; i++) {
		const uint32_t n = tail->frags[i].length, past = pkt_min(skip, n);

		result = pkt_append_frag(pkt, &tail->frags[i], past, n - past);
		skip -= past;
	}
	if (result != 0)
		strata_pkt_trim(pkt, before);
	return result;
}

int strata_pkt_enqueue_tail(struct strata_pkt *pkt, struct strata_pkt *tail)
{
	int result = strata_pkt_join(pkt, tail, 0);

	strata_pkt_free(tail);
	return result;
}
