/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses as data. A network address is bytes with the number (EtherType) of its network
 * protocol; only that protocol's module knows how it is written and what its ranges mean.
 */
#ifndef STRATA_ADDR_H
#define STRATA_ADDR_H

#include <sys/socket.h>
#include <strata/base.h>

STRATA_BEGIN_DECLS

#define STRATA_ADDR_MAX 16
#define STRATA_LLADDR_MAX 8
/** Enough for any address or prefix as text, with the final NUL. */
#define STRATA_ADDR_TEXT 64

/** A network address. All zero: unset. An unset `family` in a binding means "any". */
struct strata_addr {
	uint16_t family;	/**< number of the network protocol, e.g. 0x0800 */
	uint8_t length;		/**< bytes used */
	uint8_t reserved;	/**< zero */
	uint32_t scope;		/**< interface index for a scoped address, else 0 */
	uint8_t bytes[STRATA_ADDR_MAX];	/**< network order, zero beyond `length` */
};

/** An address and how many of its leading bits name the network. */
struct strata_prefix {
	struct strata_addr addr;
	uint8_t bits;
};

/** A link-layer (hardware) address. */
struct strata_lladdr {
	uint8_t length;		/**< 0: none */
	uint8_t bytes[STRATA_LLADDR_MAX];
};

/** What a network module says of an address, without regard to any interface. */
enum strata_addr_class {
	STRATA_ADDR_UNSPECIFIED,
	STRATA_ADDR_UNICAST,
	STRATA_ADDR_LOOPBACK,
	STRATA_ADDR_MULTICAST,
	STRATA_ADDR_BROADCAST,	/**< limited broadcast */
	STRATA_ADDR_RESERVED,	/**< neither a source nor a destination */
};

/** How a family is written and compared. Supplied by network modules; constant data. */
struct strata_address_ops {
	uint16_t family;	/**< EtherType of the network protocol whose addresses these are */
	uint8_t length;		/**< bytes of an address, at most STRATA_ADDR_MAX */
	int af;			/**< AF_… of the socket interface */

	/** Text to address. Returns 0, or -EINVAL. */
	int (*parse)(const char *text, struct strata_addr *out);
	/** Address to text, always terminated; `size` ≥ STRATA_ADDR_TEXT. */
	void (*format)(const struct strata_addr *addr, char *buf, size_t size);
	enum strata_addr_class (*classify)(const struct strata_addr *addr);
	/** Directed broadcast address of a prefix. Returns false where there is none. NULL: never. */
	bool (*broadcast)(const struct strata_prefix *prefix, struct strata_addr *out);
	/** Returns 0, -EINVAL (length) or -EAFNOSUPPORT. `port` in host order. */
	int (*from_sockaddr)(const struct sockaddr *sa, socklen_t len, struct strata_addr *addr,
			     uint16_t *port);
	/** Writes at most `room` bytes; returns the full length, as accept(2) reports it. */
	socklen_t (*to_sockaddr)(const struct strata_addr *addr, uint16_t port, struct sockaddr *sa,
				 socklen_t room);
};

static inline bool strata_addr_is_set(const struct strata_addr *a)
{
	return a->family != 0;
}

static inline bool strata_addr_equal(const struct strata_addr *a, const struct strata_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

/** True when every byte is zero, the "any" of all families. */
static inline bool strata_addr_is_any(const struct strata_addr *a)
{
	uint64_t w[2];
	memcpy(w, a->bytes, sizeof(w));
	return (w[0] | w[1]) == 0;
}

static inline bool strata_lladdr_equal(const struct strata_lladdr *a, const struct strata_lladdr *b)
{
	return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

/** Builds an address from `length` network-order bytes. */
static inline struct strata_addr strata_addr_make(uint16_t family, const void *bytes, uint8_t length)
{
	struct strata_addr a;
	memset(&a, 0, sizeof(a));
	a.family = family;
	a.length = length;
	memcpy(a.bytes, bytes, length);
	return a;
}

/** True when the first `bits` bits of both agree and the families match. */
static inline bool strata_addr_match(const struct strata_addr *a, const struct strata_addr *b,
				     unsigned int bits)
{
	unsigned int whole = bits / 8, rest = bits % 8;
	if (a->family != b->family || memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return rest == 0 || (uint8_t)((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}

/** The address with all bits after the first `bits` cleared. */
static inline struct strata_addr strata_addr_mask(const struct strata_addr *a, unsigned int bits)
{
	struct strata_addr m = *a;
	unsigned int i = bits / 8;
	if (i < m.length && bits % 8 != 0) {
		m.bytes[i] = (uint8_t)(m.bytes[i] & (0xff00u >> (bits % 8)));
		i++;
	}
	for (; i < m.length; i++)
		m.bytes[i] = 0;
	return m;
}

STRATA_END_DECLS
#endif
