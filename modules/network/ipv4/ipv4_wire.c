/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of the IPv4 header, and headers that are not on every datagram's way: RFC 791 3.1, RFC 1122
 * 3.2.1. */
#include <errno.h>
#include "ipv4_wire.h"

/* Version 4, five words: no options. */
#define VERSION_IHL_PLAIN 0x45

/* RFC 791 3.1, "Options". */
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_RECORD_ROUTE 7
#define OPTION_TIMESTAMP 68
#define OPTION_LSRR 131
#define OPTION_SSRR 137

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

void ipv4_emit(const struct ipv4_header *h, uint8_t *p)
{
	ipv4_header_write(h, p, strata_csum_add(p + IPV4_HEADER_SIZE, (size_t)h->size - IPV4_HEADER_SIZE, 0));
}

/* The checksum of a quoted header is not looked at: routers on the way change its TTL, and some
 * do not mend it (RFC 1812 4.3.2.3 quotes the header as it came). */
int ipv4_quote_parse(const uint8_t *bytes, size_t length, struct strata_quote *out)
{
	struct ipv4_header h;

	if (length < IPV4_HEADER_SIZE || bytes[IPV4_AT_VERSION] >> 4 != 4)
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
	const uint16_t ids = (uint16_t)(strata_get_be16(b + IPV4_AT_ID) - strata_get_be16(a + IPV4_AT_ID));
	const uint16_t fragment = strata_get_be16(a + IPV4_AT_FRAGMENT);

	(void)self;
	/* As Linux: no options, and all alike but for length, checksum and identification. */
	if (a[IPV4_AT_VERSION] != VERSION_IHL_PLAIN || b[IPV4_AT_VERSION] != VERSION_IHL_PLAIN ||
	    a[IPV4_AT_TOS] != b[IPV4_AT_TOS] || a[IPV4_AT_TTL] != b[IPV4_AT_TTL] ||
	    fragment != strata_get_be16(b + IPV4_AT_FRAGMENT) ||
	    (fragment & ~IPV4_FLAG_DF) != 0)
		return STRATA_ALIKE_NOT;
	if (ids == (uint16_t)count)
		return STRATA_ALIKE_COUNTED;
	/* RFC 6864 4.1: what must not be fragmented may have one identification for ever. */
	return ids == 0 && fragment == IPV4_FLAG_DF ? STRATA_ALIKE : STRATA_ALIKE_NOT;
}
