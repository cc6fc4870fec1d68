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
	h->src = strata_get_be32(p + SRC);
	h->dst = strata_get_be32(p + DST);
}

void ipv4_header_read(const uint8_t *p, struct ipv4_header *h)
{
	read_fields(p, h);
}

static inline uint32_t load32(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* A sum of words of 32 bits in 32. */
static inline uint32_t fold32(uint64_t sum)
{
	return (uint32_t)((sum + (sum << 32 | sum >> 32)) >> 32);
}

/* RFC 791 3.1: with its checksum field a good header sums up to all ones, in whatever byte order the sum is
 * made (RFC 1071 2 (B)). Nearly all headers are five words. */
static inline bool is_good(const uint8_t *p, unsigned int size)
{
	uint64_t sum;

	if (strata_unlikely(size != IPV4_HEADER_SIZE))
		return strata_csum_fold(strata_csum_add(p, size, 0)) == 0xffff;
	sum = (uint64_t)load32(p) + load32(p + 4) + load32(p + 8) + load32(p + 12) + load32(p + 16);
	return strata_csum_fold(fold32(sum)) == 0xffff;
}

int ipv4_parse(struct strata_pkt *pkt, struct ipv4_header *out)
{
	const uint8_t *p = strata_pkt_header(pkt, IPV4_HEADER_SIZE);

	if (p == NULL)
		return IPV4_DROP_TRUNCATED;
	/* RFC 1122 3.2.1.1 */
	if (p[VERSION_IHL] >> 4 != 4)
		return IPV4_DROP_VERSION;
	read_fields(p, out);
	if (out->size < IPV4_HEADER_SIZE || (p = strata_pkt_header(pkt, out->size)) == NULL)
		return IPV4_DROP_HEADER_LENGTH;
	if (out->total < out->size)
		return IPV4_DROP_TOTAL_LENGTH;
	if (out->total > strata_pkt_length(pkt))
		return IPV4_DROP_TOTAL_LENGTH_BEYOND;
	/* RFC 1122 3.2.1.2: verified on every datagram. */
	if (!is_good(p, out->size))
		return IPV4_DROP_CHECKSUM;
	strata_inet4_read(&pkt->src, p + SRC);
	strata_inet4_read(&pkt->dst, p + DST);
	pkt->number = out->number;
	pkt->ttl = out->ttl;
	pkt->tos = out->tos;
	return -1;
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

/* Writes the header, of whose checksum the options make up `sum`. */
static inline __attribute__((always_inline)) void write_fields(const struct ipv4_header *h, uint8_t *p,
							       uint32_t sum)
{
	const uint32_t length = (4u << 4 | h->size / 4u) << 24 | (uint32_t)h->tos << 16 | h->total;
	const uint32_t fragment = (uint32_t)h->id << 16 | (h->df ? FLAG_DF : 0u) | (h->mf ? FLAG_MF : 0u) |
				  h->offset / 8u;
	const uint32_t life = (uint32_t)h->ttl << 24 | (uint32_t)h->number << 16;

	/* Of what is written, not of what would have to be read again. */
	sum = fold32((uint64_t)sum + length + fragment + life + h->src + h->dst);
	strata_put_be32(p + VERSION_IHL, length);
	strata_put_be32(p + ID, fragment);
	strata_put_be32(p + TTL, life | (uint16_t)~strata_csum_fold(sum));
	strata_put_be32(p + SRC, h->src);
	strata_put_be32(p + DST, h->dst);
}

void ipv4_emit(const struct ipv4_header *h, uint8_t *p)
{
	if (strata_likely(h->size == IPV4_HEADER_SIZE))
		write_fields(h, p, 0);
	else
		write_fields(h, p, strata_csum_add(p + IPV4_HEADER_SIZE,
						   (size_t)h->size - IPV4_HEADER_SIZE, 0));
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
	out->src = strata_inet4_make(h.src);
	out->dst = strata_inet4_make(h.dst);
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
