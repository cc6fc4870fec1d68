/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4 addresses as data (RFC 791, RFC 1122 3.2.1.3, RFC 6890), for every module that carries or
 * resolves them. Header only, so that none of these modules needs another to be loaded.
 */
#ifndef STRATA_INET4_H
#define STRATA_INET4_H

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <strata/addr.h>
#include <strata/base.h>

STRATA_BEGIN_DECLS

/** Number of the network protocol whose addresses these are: its EtherType. */
#define STRATA_INET4_FAMILY 0x0800
/** Bytes of an address. */
#define STRATA_INET4_LENGTH 4

/** Makes `*out` the address whose bytes, in network order, are at `bytes`. For what every packet needs:
 *  written in place and in whole words, so that it can be read at once. */
static inline void strata_inet4_read(struct strata_addr *out, const void *bytes)
{
	uint64_t word = 0;

	memcpy(&word, bytes, STRATA_INET4_LENGTH);
	out->family = STRATA_INET4_FAMILY;
	out->length = STRATA_INET4_LENGTH;
	out->reserved = 0;
	out->scope = 0;
	memcpy(out->bytes, &word, sizeof(word));
	memset(out->bytes + sizeof(word), 0, sizeof(out->bytes) - sizeof(word));
}

/** The address with the value `host`, given in host order (0x7f000001 is 127.0.0.1). */
static inline struct strata_addr strata_inet4_make(uint32_t host)
{
	uint8_t bytes[STRATA_INET4_LENGTH];
	strata_put_be32(bytes, host);
	return strata_addr_make(STRATA_INET4_FAMILY, bytes, STRATA_INET4_LENGTH);
}

/** The value of an address in host order. */
static inline uint32_t strata_inet4_value(const struct strata_addr *addr)
{
	return strata_get_be32(addr->bytes);
}

/** Dotted quad to address: exactly four decimal numbers from 0 to 255 without leading zeros, which
 *  elsewhere mean octal. Returns 0 or -EINVAL, and then leaves `*out` alone. */
static inline int strata_inet4_parse(const char *text, struct strata_addr *out)
{
	uint32_t value = 0, byte;
	int part, digits;

	for (part = 0; part < 4; part++) {
		if (part > 0 && *text++ != '.')
			return -EINVAL;
		byte = 0;
		for (digits = 0; *text >= '0' && *text <= '9'; digits++, text++) {
			if (digits > 0 && byte == 0)
				return -EINVAL;
			byte = byte * 10 + (uint32_t)(*text - '0');
			if (byte > 255)
				return -EINVAL;
		}
		if (digits == 0)
			return -EINVAL;
		value = value << 8 | byte;
	}
	if (*text != '\0')
		return -EINVAL;
	*out = strata_inet4_make(value);
	return 0;
}

/** Address to dotted quad; always terminated. `size` must be at least 16. */
static inline void strata_inet4_format(const struct strata_addr *addr, char *buf, size_t size)
{
	char text[16], *p = text;
	int part;

	for (part = 0; part < STRATA_INET4_LENGTH; part++) {
		unsigned int byte = addr->bytes[part];
		if (part > 0)
			*p++ = '.';
		if (byte >= 100)
			*p++ = (char)('0' + byte / 100);
		if (byte >= 10)
			*p++ = (char)('0' + byte / 10 % 10);
		*p++ = (char)('0' + byte % 10);
	}
	*p++ = '\0';
	if (size == 0)
		return;
	memcpy(buf, text, (size_t)(p - text) < size ? (size_t)(p - text) : size);
	buf[size - 1] = '\0';
}

/** What an address means by itself. 0/8 but for 0.0.0.0 ("this network", RFC 6890) and 240/4 are
 *  RESERVED. */
static inline enum strata_addr_class strata_inet4_classify(const struct strata_addr *addr)
{
	uint32_t value = strata_inet4_value(addr);

	if (value == 0)
		return STRATA_ADDR_UNSPECIFIED;
	if (value == UINT32_MAX)
		return STRATA_ADDR_BROADCAST;
	switch (value >> 24) {
	case 0:
		return STRATA_ADDR_RESERVED;
	case 127:
		return STRATA_ADDR_LOOPBACK;
	default:
		break;
	}
	if (value >> 28 == 0xe)
		return STRATA_ADDR_MULTICAST;
	return value >> 28 == 0xf ? STRATA_ADDR_RESERVED : STRATA_ADDR_UNICAST;
}

/** Directed broadcast address of a prefix: all host bits set (RFC 919). Returns false for /31
 *  and /32, which have none (RFC 3021), and for /0. */
static inline bool strata_inet4_broadcast(const struct strata_prefix *prefix, struct strata_addr *out)
{
	if (prefix->bits == 0 || prefix->bits >= 31)
		return false;
	*out = strata_inet4_make(strata_inet4_value(&prefix->addr) | UINT32_MAX >> prefix->bits);
	return true;
}

/** From a struct sockaddr_in. Returns 0, -EINVAL (too short) or -EAFNOSUPPORT. */
static inline int strata_inet4_from_sockaddr(const struct sockaddr *sa, socklen_t len,
					     struct strata_addr *addr, uint16_t *port)
{
	struct sockaddr_in in;

	if (len < sizeof(in))
		return -EINVAL;
	memcpy(&in, sa, sizeof(in));
	if (in.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	strata_inet4_read(addr, &in.sin_addr);
	*port = strata_get_be16(&in.sin_port);
	return 0;
}

/** To a struct sockaddr_in, cut at `room` bytes. Returns its full length. */
static inline socklen_t strata_inet4_to_sockaddr(const struct strata_addr *addr, uint16_t port,
						 struct sockaddr *sa, socklen_t room)
{
	struct sockaddr_in in;

	memset(&in, 0, sizeof(in));
	in.sin_family = AF_INET;
	strata_put_be16(&in.sin_port, port);
	memcpy(&in.sin_addr, addr->bytes, STRATA_INET4_LENGTH);
	memcpy(sa, &in, room < sizeof(in) ? room : sizeof(in));
	return sizeof(in);
}

/** Initialises a `static const struct strata_address_ops`. */
#define STRATA_INET4_ADDRESS_OPS \
	{ \
		.family = STRATA_INET4_FAMILY, .length = STRATA_INET4_LENGTH, .af = AF_INET, \
		.parse = strata_inet4_parse, .format = strata_inet4_format, \
		.classify = strata_inet4_classify, .broadcast = strata_inet4_broadcast, \
		.from_sockaddr = strata_inet4_from_sockaddr, \
		.to_sockaddr = strata_inet4_to_sockaddr, \
	}

STRATA_END_DECLS
#endif
