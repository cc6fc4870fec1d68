/* SPDX-License-Identifier: BSD-2-Clause */
/* The IPv4 header and its options on the wire: RFC 791 3.1, RFC 1122 3.2.1. */
#include <errno.h>
#include "ipv4_int.h"

/* Offsets of the fields. */
#define VERSION_IHL 0
#define TOS 1
#define TOTAL 2
#define ID 4
#define FRAGMENT 6
#define TTL 8
#define NUMBER 9
#define CHECKSUM 10
#define SRC 12
#define DST 16

/* Version 4, five words: no options. */
#define VERSION_IHL_PLAIN 0x45

#define FLAG_DF 0x4000
#define FLAG_MF 0x2000
#define OFFSET_MASK 0x1fff

/* RFC 791 3.1, "Options". */
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_RECORD_ROUTE 7
#define OPTION_TIMESTAMP 68
#define OPTION_LSRR 131
#define OPTION_SSRR 137

static inline void read_fields(const uint8_t *p, struct ipv4_header *h)
{
	uint16_t fragment = strata_get_be16(p + FRAGMENT);

	h->size = (uint8_t)((p[VERSION_IHL] & 0x0f) * 4);
	h->tos = p[TOS];
	h->total = strata_get_be16(p + TOTAL);
	h->id = strata_get_be16(p + ID);
	h->df = (fragment & FLAG_DF) != 0;
	h->mf = (fragment & FLAG_MF) != 0;
	h->offset = (uint16_t)((fragment & OFFSET_MASK) * 8);
	h->ttl = p[TTL];
	h->number = p[NUMBER];
	strata_inet4_read(&h->src, p + SRC);
	strata_inet4_read(&h->dst, p + DST);
}

void ipv4_header_read(const uint8_t *p, struct ipv4_header *h)
{
	read_fields(p, h);
}

/* Sum of a header, whose checksum field is part of it. Nearly all headers are five words. */
static inline uint16_t header_sum(const uint8_t *p, unsigned int size)
{
	uint32_t words[IPV4_HEADER_SIZE / 4];
	uint64_t sum = 0;
	unsigned int i;

	if (strata_unlikely(size != IPV4_HEADER_SIZE))
		return strata_csum_fold(strata_csum_add(p, size, 0));
	memcpy(words, p, sizeof(words));
	for (i = 0; i < STRATA_COUNT(words); i++)
		sum += words[i];
	/* In the machine's byte order, then turned round: RFC 1071 2 (B). */
	sum = (sum & 0xffffffff) + (sum >> 32);
	return ntohs(strata_csum_fold((uint32_t)((sum & 0xffffffff) + (sum >> 32))));
}

int ipv4_parse(struct strata_pkt *pkt, struct ipv4_header *out, unsigned int *reason)
{
	const uint8_t *p = strata_pkt_header(pkt, IPV4_HEADER_SIZE);

	*reason = IPV4_DROP_TRUNCATED;
	if (p == NULL)
		return -1;
	/* RFC 1122 3.2.1.1 */
	*reason = IPV4_DROP_VERSION;
	if (p[VERSION_IHL] >> 4 != 4)
		return -1;
	read_fields(p, out);
	*reason = IPV4_DROP_HEADER_LENGTH;
	if (out->size < IPV4_HEADER_SIZE || (p = strata_pkt_header(pkt, out->size)) == NULL)
		return -1;
	*reason = IPV4_DROP_TOTAL_LENGTH;
	if (out->total < out->size)
		return -1;
	*reason = IPV4_DROP_TOTAL_LENGTH_BEYOND;
	if (out->total > strata_pkt_length(pkt))
		return -1;
	/* RFC 1122 3.2.1.2: verified on every datagram. */
	*reason = IPV4_DROP_CHECKSUM;
	if (header_sum(p, out->size) != 0xffff)
		return -1;
	strata_inet4_read(&pkt->src, p + SRC);
	strata_inet4_read(&pkt->dst, p + DST);
	pkt->number = out->number;
	pkt->ttl = out->ttl;
	pkt->tos = out->tos;
	return 0;
}

/* One option with a length byte. `left` counts from its type to the end of the header, and its
 * length is known to fit. Returns the offset in it of the byte at fault, or -1. */
static int option_check(const uint8_t *p, unsigned int length, struct ipv4_options *out)
{
	switch (p[0]) {
	case OPTION_LSRR:
	case OPTION_SSRR:
		/* RFC 1122 3.2.1.8(c): at most one source route. */
		if (out->source_route)
			return 0;
		if (length < 3 || (length - 3) % 4 != 0)
			return 1;
		if (p[2] < 4 || p[2] % 4 != 0)
			return 2;
		out->source_route = true;
		out->source_route_ended = p[2] > length;
		return -1;
	case OPTION_RECORD_ROUTE:
		if (length < 3)
			return 1;
		return p[2] < 4 ? 2 : -1;
	case OPTION_TIMESTAMP:
		if (length < 4)
			return 1;
		return p[2] < 5 ? 2 : -1;
	default:
		/* RFC 1122 3.2.1.8: what is not understood is passed over. */
		return -1;
	}
}

int ipv4_options_parse(const uint8_t *header, unsigned int size, struct ipv4_options *out)
{
	unsigned int at = IPV4_HEADER_SIZE, length;
	int bad;

	memset(out, 0, sizeof(*out));
	for (; at < size && header[at] != OPTION_END; at += length) {
		length = 1;
		if (header[at] == OPTION_NOP)
			continue;
		out->bad = (uint8_t)at;
		if (size - at < 2)
			return -1;
		length = header[at + 1];
		out->bad = (uint8_t)(at + 1);
		if (length < 2 || length > size - at)
			return -1;
		bad = option_check(header + at, length, out);
		if (bad >= 0) {
			out->bad = (uint8_t)(at + (unsigned int)bad);
			return -1;
		}
	}
	return 0;
}

void ipv4_checksum(uint8_t *p)
{
	strata_put_be16(p + CHECKSUM, 0);
	strata_put_be16(p + CHECKSUM, (uint16_t)~header_sum(p, (p[VERSION_IHL] & 0x0fu) * 4));
}

void ipv4_emit(const struct ipv4_header *h, uint8_t *p)
{
	p[VERSION_IHL] = (uint8_t)(4 << 4 | h->size / 4);
	p[TOS] = h->tos;
	strata_put_be16(p + TOTAL, h->total);
	strata_put_be16(p + ID, h->id);
	strata_put_be16(p + FRAGMENT, (uint16_t)((h->df ? FLAG_DF : 0) | (h->mf ? FLAG_MF : 0) |
						 h->offset / 8));
	p[TTL] = h->ttl;
	p[NUMBER] = h->number;
	memcpy(p + SRC, h->src.bytes, STRATA_INET4_LENGTH);
	memcpy(p + DST, h->dst.bytes, STRATA_INET4_LENGTH);
	ipv4_checksum(p);
}

/* The checksum of a quoted header is not looked at: routers on the way change its TTL, and some
 * do not mend it (RFC 1812 4.3.2.3 quotes the header as it came). */
int ipv4_quote_parse(const uint8_t *bytes, size_t length, struct strata_quote *out)
{
	struct ipv4_header h;

	if (length < IPV4_HEADER_SIZE || bytes[VERSION_IHL] >> 4 != 4)
		return -EINVAL;
	ipv4_header_read(bytes, &h);
	/* Only the first fragment has a transport header. */
	if (h.size < IPV4_HEADER_SIZE || h.size > length || h.total < h.size || h.offset != 0)
		return -EINVAL;
	out->src = h.src;
	out->dst = h.dst;
	out->number = h.number;
	out->header_size = h.size;
	return 0;
}

enum strata_alike ipv4_coalesce(struct strata_instance *self, const struct strata_pkt *whole,
				const struct strata_pkt *pkt, uint32_t count)
{
	const uint8_t *a = whole->buf + whole->network_offset, *b = pkt->buf + pkt->network_offset;
	const uint16_t ids = (uint16_t)(strata_get_be16(b + ID) - strata_get_be16(a + ID));
	const uint16_t fragment = strata_get_be16(a + FRAGMENT);

	(void)self;
	/* As Linux: no options, and all alike but for length, checksum and identification. */
	if (a[VERSION_IHL] != VERSION_IHL_PLAIN || b[VERSION_IHL] != VERSION_IHL_PLAIN ||
	    a[TOS] != b[TOS] || a[TTL] != b[TTL] || fragment != strata_get_be16(b + FRAGMENT) ||
	    (fragment & ~FLAG_DF) != 0)
		return STRATA_ALIKE_NOT;
	if (ids == (uint16_t)count)
		return STRATA_ALIKE_COUNTED;
	/* RFC 6864 4.1: what must not be fragmented may have one identification for ever. */
	return ids == 0 && fragment == FLAG_DF ? STRATA_ALIKE : STRATA_ALIKE_NOT;
}
