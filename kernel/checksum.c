/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum, RFC 1071: sections 1 and 2 (byte order independence, wide sums) before
 * editing. Sums are of 16-bit big-endian words in host order.
 */
#include "kernel.h"

#include <assert.h>
#include <endian.h>

/* So many bytes are worth more registers. */
#define MANY 256

/* One's complement addition of 64-bit words: the carry comes in again at the low end. */
static inline uint64_t add64(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* What is left behind the last whole word: the `n` % 8 bytes at `p`. */
static inline uint64_t load_rest(const uint8_t *p, size_t n)
{
	uint64_t sum = 0;
	uint32_t four;
	uint16_t two;

	if (n & 4) {
		memcpy(&four, p, sizeof(four));
		sum += four;
		p += 4;
	}
	if (n & 2) {
		memcpy(&two, p, sizeof(two));
		sum += two;
		p += 2;
	}
	/* RFC 1071 1: an odd byte counts as if a zero followed. */
	if (n & 1)
		sum += htole16(*p);
	return sum;
}

/* 64 to 16 bits, as strata_csum_fold(); a sum that is not zero does not become zero. */
static inline uint16_t fold64(uint64_t sum)
{
	return strata_csum_fold((uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32));
}

/* The sum of `n` bytes added to `a`, which is in the machine's byte order, and to `sum`. */
static inline uint32_t sum_words(const uint8_t *p, size_t n, uint64_t a, uint32_t sum)
{
	size_t left = n & ~(size_t)31;
	uint32_t part;

	/* (Counted, since of no bytes `p` may be NULL.) */
	for (; left != 0; left -= 32, p += 32) {
		a = add64(a, load64(p));
		a = add64(a, load64(p + 8));
		a = add64(a, load64(p + 16));
		a = add64(a, load64(p + 24));
	}
	if (n & 16) {
		a = add64(a, load64(p));
		a = add64(a, load64(p + 8));
		p += 16;
	}
	if (n & 8) {
		a = add64(a, load64(p));
		p += 8;
	}
	if (n & 7)
		a = add64(a, load_rest(p, n));
	/* Summed in the machine's byte order, then swapped once: RFC 1071 2 (B). */
	part = be16toh(fold64(a));
	sum += part;
	return sum + (sum < part);
}

/* The same of many bytes. In four chains, because each addition waits for its own carry only. */
static __attribute__((noinline)) uint32_t sum_many(const uint8_t *p, size_t n, uint32_t sum)
{
	uint64_t a = 0, b = 0, c = 0, d = 0;

	for (; n >= 64; n -= 64, p += 64) {
		a = add64(a, load64(p));
		b = add64(b, load64(p + 8));
		c = add64(c, load64(p + 16));
		d = add64(d, load64(p + 24));
		a = add64(a, load64(p + 32));
		b = add64(b, load64(p + 40));
		c = add64(c, load64(p + 48));
		d = add64(d, load64(p + 56));
	}
	return sum_words(p, n, add64(add64(a, b), add64(c, d)), sum);
}

uint32_t strata_csum_add(const void *bytes, size_t n, uint32_t sum)
{
	return strata_unlikely(n >= MANY) ? sum_many(bytes, n, sum) : sum_words(bytes, n, 0, sum);
}

/* strata_pkt_csum() of a packet in pieces. Apart, since most are not. */
static __attribute__((noinline)) uint32_t csum_pieces(const struct strata_pkt *pkt, uint32_t offset, uint32_t n,
						      uint32_t sum)
{
	struct iovec parts[STRATA_PKT_FRAGS + 1];
	int i, count = strata_pkt_iov(pkt, parts);
	bool odd = false;

	for (i = 0; i < count && n != 0; i++) {
		uint32_t length = (uint32_t)parts[i].iov_len, part;

		if (offset >= length) {
			offset -= length;
			continue;
		}
		length -= offset;
		if (length > n)
			length = n;
		part = strata_csum_fold(strata_csum_add((uint8_t *)parts[i].iov_base + offset,
							length, 0));
		/* Bytes that begin at an odd offset of the whole count in the other half of the word. */
		if (odd)
			part = (part & 0xff) << 8 | part >> 8;
		sum += part;
		sum += sum < part;
		odd ^= length & 1;
		offset = 0;
		n -= length;
	}
	return sum;
}

uint32_t strata_pkt_csum(const struct strata_pkt *pkt, uint32_t offset, uint32_t n, uint32_t sum)
{
	if (strata_unlikely(pkt->frag_count != 0))
		return csum_pieces(pkt, offset, n, sum);
	if (offset >= pkt->len)
		return sum;
	return strata_csum_add(pkt->data + offset, n < pkt->len - offset ? n : pkt->len - offset, sum);
}

void strata_pkt_csum_complete_slow(struct strata_pkt *pkt)
{
	uint32_t start, field;
	uint16_t check;

	assert(pkt->csum_start >= strata_pkt_headroom(pkt));
	start = pkt->csum_start - strata_pkt_headroom(pkt);
	field = start + pkt->csum_offset;
	pkt->csum = STRATA_CSUM_NONE;
	if (strata_pkt_header(pkt, field + 2) == NULL)
		return;
	check = (uint16_t)~strata_csum_fold(strata_pkt_csum(pkt, start, UINT32_MAX, 0));
	/* RFC 768: computed zero is sent as all ones; zero means "no checksum" there, and both are the
	 * same number in one's complement for the others. */
	strata_put_be16(pkt->data + field, check != 0 ? check : 0xffff);
}
