/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ground every other SDK header stands on: version of the binary interface, byte order,
 * time units, and small helpers that cannot fail.
 */
#ifndef STRATA_BASE_H
#define STRATA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#ifdef __cplusplus
#define STRATA_BEGIN_DECLS extern "C" {
#define STRATA_END_DECLS }
#else
#define STRATA_BEGIN_DECLS
#define STRATA_END_DECLS
#endif

/** Binary interface between libstrata and its modules. Another major is refused; a module may be
 *  of an older minor, never of a newer one. */
#define STRATA_ABI_MAJOR 1
#define STRATA_ABI_MINOR 0

/** Marks what libstrata and a module export; all else has hidden visibility. */
#define STRATA_API __attribute__((visibility("default")))
#define STRATA_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define strata_likely(x) __builtin_expect(!!(x), 1)
#define strata_unlikely(x) __builtin_expect(!!(x), 0)

/** Number of elements of an array (not of a pointer). */
#define STRATA_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** The structure of `type` whose `member` is at `ptr`. */
#define strata_container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/** Times are nanoseconds since an epoch of the environment's choice, in a uint64_t. */
#define STRATA_US UINT64_C(1000)
#define STRATA_MS UINT64_C(1000000)
#define STRATA_SEC UINT64_C(1000000000)
/** "No such time": later than every other. */
#define STRATA_NEVER UINT64_MAX

/** What became of a packet given to an input function, which has consumed it in every case. */
enum strata_verdict {
	STRATA_ACCEPTED,	/**< delivered, answered, or queued */
	STRATA_DROPPED,		/**< discarded with a counted reason */
};

static inline uint16_t strata_get_be16(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;
	return (uint16_t)((uint16_t)b[0] << 8 | b[1]);
}

static inline uint32_t strata_get_be32(const void *p)
{
	const uint8_t *b = (const uint8_t *)p;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static inline uint64_t strata_get_be64(const void *p)
{
	return (uint64_t)strata_get_be32(p) << 32 | strata_get_be32((const uint8_t *)p + 4);
}

/* Written in one piece, which compilers do not always make of single bytes. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define STRATA_BE(bits, v) __builtin_bswap##bits(v)
#else
#define STRATA_BE(bits, v) (v)
#endif

static inline void strata_put_be16(void *p, uint16_t v)
{
	v = STRATA_BE(16, v);
	memcpy(p, &v, sizeof(v));
}

static inline void strata_put_be32(void *p, uint32_t v)
{
	v = STRATA_BE(32, v);
	memcpy(p, &v, sizeof(v));
}

static inline void strata_put_be64(void *p, uint64_t v)
{
	v = STRATA_BE(64, v);
	memcpy(p, &v, sizeof(v));
}

struct strata_stack;
struct strata_instance;
struct strata_iface;
struct strata_pkt;
struct strata_socket;

#endif
