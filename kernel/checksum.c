/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum, RFC 1071: sections 1 and 2 (byte order independence, wide sums) before
 * editing. Sums are of 16-bit big-endian words in host order.
 */
#include "kernel.h"

#include <assert.h>
#include <endian.h>

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

/* 64 to 16 bits; a sum that is not zero does not become zero. */
static inline uint16_t fold64(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	return strata_csum_fold((uint32_t)sum);
}

uint32_t strata_csum_add(const void *bytes, size_t n, uint32_t sum)
{
	const uint8_t *p = bytes;
	uint64_t a = 0, b = 0, c = 0, d = 0;

	/* Four chains, because each addition waits for its own carry only. */
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
	for (; n >= 8; n -= 8, p += 8)
		a = add64(a, load64(p));
	if (n != 0) {
		uint64_t rest = 0;

		memcpy(&rest, p, n);
		b = add64(b, rest);
	}
	/* Summed in the machine's byte order, then swapped once: RFC 1071 2 (B). */
	a = be16toh(fold64(add64(add64(a, b), add64(c, d))));
	return (uint32_t)(((a + sum) & 0xffffffff) + ((a + sum) >> 32));
}

uint32_t strata_pkt_csum(const struct strata_pkt *pkt, uint32_t offset, uint32_t n, uint32_t sum)
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

void strata_pkt_csum_complete(struct strata_pkt *pkt)
{
	uint32_t start, field;
	uint16_t check;

	if (pkt->csum != STRATA_CSUM_PARTIAL)
		return;
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
