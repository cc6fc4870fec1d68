/* SPDX-License-Identifier: BSD-2-Clause */
/* The fixed fields of the IPv4 header on the wire (RFC 791 3.1, RFC 1122 3.2.1), in place for what every datagram
 * needs. Options and what is seldom are in ipv4_wire.c. */
#ifndef IPV4_WIRE_H
#define IPV4_WIRE_H

#include "ipv4_int.h"

/* Offsets of the fields. */
#define IPV4_AT_VERSION 0
#define IPV4_AT_TOS 1
#define IPV4_AT_TOTAL 2
#define IPV4_AT_ID 4
#define IPV4_AT_FRAGMENT 6
#define IPV4_AT_TTL 8
#define IPV4_AT_NUMBER 9
#define IPV4_AT_SRC 12
#define IPV4_AT_DST 16

#define IPV4_FLAG_DF 0x4000
#define IPV4_FLAG_MF 0x2000
#define IPV4_OFFSET_MASK 0x1fff

/* Reads the fixed fields at `p`, 20 bytes, without checking any. */
static inline void ipv4_header_read(const uint8_t *p, struct ipv4_header *h)
{
	uint16_t fragment = strata_get_be16(p + IPV4_AT_FRAGMENT);

	h->size = (uint8_t)((p[IPV4_AT_VERSION] & 0x0f) * 4);
	h->tos = p[IPV4_AT_TOS];
	h->total = strata_get_be16(p + IPV4_AT_TOTAL);
	h->id = strata_get_be16(p + IPV4_AT_ID);
	h->df = (fragment & IPV4_FLAG_DF) != 0;
	h->mf = (fragment & IPV4_FLAG_MF) != 0;
	h->offset = (uint16_t)((fragment & IPV4_OFFSET_MASK) * 8);
	h->ttl = p[IPV4_AT_TTL];
	h->number = p[IPV4_AT_NUMBER];
	h->src = strata_get_be32(p + IPV4_AT_SRC);
	h->dst = strata_get_be32(p + IPV4_AT_DST);
}

static inline uint32_t ipv4_load32(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* A sum of words of 32 bits in 32. */
static inline uint32_t ipv4_fold32(uint64_t sum)
{
	return (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);
}

/* RFC 791 3.1: with its checksum field a good header sums up to all ones, in whatever byte order the sum is
 * made (RFC 1071 2 (B)). Nearly all headers are five words. */
static inline bool ipv4_sum_good(const uint8_t *p, unsigned int size)
{
	uint64_t sum;

	if (strata_unlikely(size != IPV4_HEADER_SIZE))
		return strata_csum_fold(strata_csum_add(p, size, 0)) == 0xffff;
	sum = (uint64_t)ipv4_load32(p) + ipv4_load32(p + 4) + ipv4_load32(p + 8) + ipv4_load32(p + 12) +
	      ipv4_load32(p + 16);
	return strata_csum_fold(ipv4_fold32(sum)) == 0xffff;
}

/* Checks and reads the header at pkt->data, and sets what the packet tells of it. Returns -1 when all is well,
 * or the reason to drop the packet. */
static inline int ipv4_parse(struct strata_pkt *pkt, struct ipv4_header *out)
{
	const uint8_t *p = strata_pkt_header(pkt, IPV4_HEADER_SIZE);

	if (p == NULL)
		return IPV4_DROP_TRUNCATED;
	/* RFC 1122 3.2.1.1 */
	if (p[IPV4_AT_VERSION] >> 4 != 4)
		return IPV4_DROP_VERSION;
	ipv4_header_read(p, out);
	if (out->size < IPV4_HEADER_SIZE || (p = strata_pkt_header(pkt, out->size)) == NULL)
		return IPV4_DROP_HEADER_LENGTH;
	if (out->total < out->size)
		return IPV4_DROP_TOTAL_LENGTH;
	if (out->total > strata_pkt_length(pkt))
		return IPV4_DROP_TOTAL_LENGTH_BEYOND;
	/* RFC 1122 3.2.1.2: verified on every datagram. */
	if (!ipv4_sum_good(p, out->size))
		return IPV4_DROP_CHECKSUM;
	strata_inet4_read(&pkt->src, p + IPV4_AT_SRC);
	strata_inet4_read(&pkt->dst, p + IPV4_AT_DST);
	pkt->number = out->number;
	pkt->ttl = out->ttl;
	pkt->tos = out->tos;
	return -1;
}

/* Writes the fixed fields, of whose checksum the options make up `sum`. */
static inline void ipv4_header_write(const struct ipv4_header *h, uint8_t *p, uint32_t sum)
{
	const uint32_t length = (4u << 4 | h->size / 4u) << 24 | (uint32_t)h->tos << 16 | h->total;
	const uint32_t fragment = (uint32_t)h->id << 16 | (h->df ? IPV4_FLAG_DF : 0u) |
				  (h->mf ? IPV4_FLAG_MF : 0u) | h->offset / 8u;
	const uint32_t life = (uint32_t)h->ttl << 24 | (uint32_t)h->number << 16;

	/* Of what is written, not of what would have to be read again. */
	sum = ipv4_fold32((uint64_t)sum + length + fragment + life + h->src + h->dst);
	strata_put_be32(p + IPV4_AT_VERSION, length);
	strata_put_be32(p + IPV4_AT_ID, fragment);
	strata_put_be32(p + IPV4_AT_TTL, life | (uint16_t)~strata_csum_fold(sum));
	strata_put_be32(p + IPV4_AT_SRC, h->src);
	strata_put_be32(p + IPV4_AT_DST, h->dst);
}

#endif
