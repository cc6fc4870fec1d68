/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets. A packet is a linear buffer with headroom, where headers live, followed by a short list
 * of fragments: slices of reference-counted chunks, where bulk payload lives and is never copied.
 * It may be larger than an interface's MTU: then it says how it is to be cut (segmentation state).
 *
 * Ownership: a function whose verb is input, output, xmit, deliver or enqueue consumes its packet
 * on every path, errors included. A `const` parameter is borrowed. Nothing else exists.
 *
 *      buf            data                 data + len
 *       |  headroom    |  linear bytes       |  tailroom  |      frags[0] frags[1] …
 */
#ifndef STRATA_PKT_H
#define STRATA_PKT_H

#include <sys/uio.h>
#include <strata/addr.h>
#include <strata/base.h>

STRATA_BEGIN_DECLS

/** Fragments a packet can hold. */
#define STRATA_PKT_FRAGS 8
/** Payload bytes of a full chunk. Three chunks hold any 64 KiB super-packet, aligned or not: each is a part of
 *  a system call, which smaller ones make dearer. */
#define STRATA_CHUNK_SIZE 32768
/** Linear bytes, headroom included, of a small packet (headers) and of a large one (a frame). */
#define STRATA_PKT_SMALL 256
#define STRATA_PKT_LARGE 1792
/** Room a transport leaves in front of its header for all headers below it. */
#define STRATA_HEADROOM 128
/** Bytes a layer may keep in a packet it owns. */
#define STRATA_PKT_CB 48
/** Largest network packet, and so the largest super-packet without its link header. */
#define STRATA_PKT_MAX 65535

/** Payload memory shared by reference. What has been written is never changed while shared. */
struct strata_chunk {
	struct strata_stack *stack;
	uint32_t refs;
	uint32_t size;		/**< bytes at data */
	uint8_t *data;		/**< behind this structure, unless the memory is another's */
	/** Called when the last reference goes; NULL: memory of the pool. Memory with one is another's, and is
	 *  never written to. */
	void (*release)(struct strata_chunk *chunk);
};

/** A slice of a chunk; holds one reference. */
struct strata_frag {
	struct strata_chunk *chunk;
	uint32_t offset;
	uint32_t length;
};

/** What is known of the transport checksum. */
enum strata_csum {
	STRATA_CSUM_NONE,	/**< in: not verified; out: complete in the header */
	STRATA_CSUM_VERIFIED,	/**< in: found good by the device */
	/** The field holds the folded, not inverted pseudo-header sum; the sum from `csum_start` to
	 *  the end has still to be added and stored at `csum_start + csum_offset`. Good as verified on
	 *  input: the packet never left this machine. */
	STRATA_CSUM_PARTIAL,
};

/** How a packet larger than the path takes is to be cut. */
enum strata_seg {
	STRATA_SEG_NONE,
	STRATA_SEG_STREAM,	/**< one transport stream: consecutive sequence numbers */
	STRATA_SEG_DATAGRAM,	/**< each `seg_size` bytes of payload a datagram of its own */
};

enum strata_pkt_flag {
	STRATA_PKT_LINK_BROADCAST = 1 << 0,	/**< came to the link's broadcast address */
	STRATA_PKT_LINK_MULTICAST = 1 << 1,	/**< came to a link multicast address */
	STRATA_PKT_NET_BROADCAST = 1 << 2,	/**< network destination is a broadcast address */
	STRATA_PKT_NET_MULTICAST = 1 << 3,	/**< network destination is a multicast address */
	STRATA_PKT_LOOPED = 1 << 4,		/**< sent by this stack to itself */
	STRATA_PKT_REASSEMBLED = 1 << 5,	/**< put together from network fragments */
	STRATA_PKT_TX = 1 << 6,			/**< on its way out */
	/** Sent to many, but no copy for this host's own members (IP_MULTICAST_LOOP off). */
	STRATA_PKT_NO_LOOP = 1 << 7,
	/** A copy of what another shard was given, and answers; see strata_shard_share(). */
	STRATA_PKT_COPY = 1 << 8,
	STRATA_PKT_GATHERED = 1 << 9,		/**< see strata_shard_gather() */
	/** A super-packet whose segments have one network header: nothing in it counts them up. */
	STRATA_PKT_SEG_ALIKE = 1 << 10,
};
/** Any sign that a packet was meant for more than this host: never answered with an error. */
#define STRATA_PKT_MANY (STRATA_PKT_LINK_BROADCAST | STRATA_PKT_LINK_MULTICAST | \
			 STRATA_PKT_NET_BROADCAST | STRATA_PKT_NET_MULTICAST)

struct strata_pkt {
	struct strata_pkt *next;	/**< link of whatever queue owns the packet */
	struct strata_stack *stack;
	struct strata_iface *iface;	/**< where it came in or will go out; NULL before routing */

	uint8_t *buf;			/**< start of the linear buffer */
	uint8_t *data;			/**< first linear byte */
	uint32_t room;			/**< bytes from buf to the end of the linear buffer */
	uint32_t len;			/**< linear bytes at data */
	uint32_t frags_len;		/**< bytes in all fragments */
	uint16_t refs;			/**< owners; see strata_pkt_get() */
	uint8_t frag_count;
	uint8_t pool;			/**< kernel's: size class */

	/** Offsets from buf of the headers seen or written so far; 0 = not there. */
	uint16_t link_offset, network_offset, transport_offset;
	uint16_t flags;			/**< enum strata_pkt_flag */

	uint8_t csum;			/**< enum strata_csum */
	uint8_t seg_type;		/**< enum strata_seg */
	uint16_t seg_size;		/**< payload bytes of each segment, with seg_type */
	uint16_t csum_start;		/**< offset from buf, with STRATA_CSUM_PARTIAL */
	uint16_t csum_offset;		/**< of the field, from csum_start */

	uint16_t family;		/**< EtherType of the network header */
	uint8_t number;			/**< transport protocol number */
	uint8_t ttl;			/**< TTL or hop limit of the network header */
	uint8_t tos;			/**< type of service: DSCP and ECN */
	uint8_t nesting;		/**< headers of nesting kind (tunnels, tags) taken off; at most 8 */
	uint16_t reserved;
	struct strata_addr src, dst;	/**< of the network header; valid from network input on */

	uint64_t time;			/**< when the driver read it, stack time in ns */
	uint32_t trace_id;		/**< 0 while neither traced nor sniffed */
	uint32_t stamp;			/**< kernel's: a socket wants to know when it leaves; 0: none does */
	union {
		/** Of the layer that owns the packet now; what it finds in it is another's leavings. */
		uint8_t cb[STRATA_PKT_CB];
		uint64_t cb_align;
	};
	struct strata_frag frags[STRATA_PKT_FRAGS];
};

/** Bytes of the whole packet from data on. */
static inline uint32_t strata_pkt_length(const struct strata_pkt *pkt)
{
	return pkt->len + pkt->frags_len;
}

static inline uint32_t strata_pkt_headroom(const struct strata_pkt *pkt)
{
	return (uint32_t)(pkt->data - pkt->buf);
}

static inline uint32_t strata_pkt_tailroom(const struct strata_pkt *pkt)
{
	return pkt->frag_count != 0 ? 0 : pkt->room - strata_pkt_headroom(pkt) - pkt->len;
}

/* ---- life ---- */

/** An empty packet with `headroom` bytes in front and room for `linear` bytes behind; NULL when
 *  memory is short or headroom + linear > STRATA_PKT_LARGE. Owned by the caller. */
STRATA_API struct strata_pkt *strata_pkt_alloc(struct strata_stack *stack, uint32_t headroom,
					       uint32_t linear);
/** Gives up one reference; the last one frees packet and fragments. NULL is allowed. This is the
 *  silent end of a packet that did its job; a discard is strata_drop(). */
STRATA_API void strata_pkt_free(struct strata_pkt *pkt);
/** One more owner of the very same packet, which nobody may change from now on. */
static inline struct strata_pkt *strata_pkt_get(struct strata_pkt *pkt)
{
	pkt->refs++;
	return pkt;
}
/** A new packet with its own linear bytes, the same metadata and shared fragments; NULL when memory
 *  is short. `headroom` is what the copy gets in front of data; headers already taken off come along
 *  where it holds them (their offsets are 0 where it does not). */
STRATA_API struct strata_pkt *strata_pkt_copy(const struct strata_pkt *pkt, uint32_t headroom);
/** A new packet of `length` bytes from `offset` on (whole packet's bytes), metadata copied, chunk
 *  bytes shared, linear bytes copied (into chunks where they do not fit). NULL when memory is short. */
STRATA_API struct strata_pkt *strata_pkt_slice(const struct strata_pkt *pkt, uint32_t offset,
					       uint32_t length, uint32_t headroom);

/** A chunk with one reference and `size` bytes (STRATA_CHUNK_SIZE from a pool; other sizes up to
 *  that are rounded to a size class, `size` tells). NULL when memory is short. */
STRATA_API struct strata_chunk *strata_chunk_alloc(struct strata_stack *stack, uint32_t size);
static inline struct strata_chunk *strata_chunk_get(struct strata_chunk *chunk)
{
	chunk->refs++;
	return chunk;
}
STRATA_API void strata_chunk_put(struct strata_chunk *chunk);

/* ---- the linear part: push and pull can fail and never overrun ---- */

/** Grows the packet by `n` bytes at the front. Returns the new data, or NULL without headroom. */
static inline uint8_t *strata_pkt_push(struct strata_pkt *pkt, uint32_t n)
{
	if (strata_unlikely(strata_pkt_headroom(pkt) < n))
		return NULL;
	pkt->data -= n;
	pkt->len += n;
	return pkt->data;
}

/** Takes `n` bytes off the front, fragments included. Returns the new data, or NULL (and nothing
 *  changed) when the packet is shorter. */
STRATA_API uint8_t *strata_pkt_pull_slow(struct strata_pkt *pkt, uint32_t n);
static inline uint8_t *strata_pkt_pull(struct strata_pkt *pkt, uint32_t n)
{
	if (strata_unlikely(pkt->len < n))
		return strata_pkt_pull_slow(pkt, n);
	pkt->data += n;
	pkt->len -= n;
	return pkt->data;
}

/** Makes the first `n` bytes linear, out of fragments where needed. Returns data, or NULL when the
 *  packet is shorter than that, memory for it is short, or they would be more than STRATA_CHUNK_SIZE
 *  with the headroom; pointers into it become stale, offsets from buf do not. */
STRATA_API uint8_t *strata_pkt_header_slow(struct strata_pkt *pkt, uint32_t n);
static inline uint8_t *strata_pkt_header(struct strata_pkt *pkt, uint32_t n)
{
	return strata_likely(pkt->len >= n) ? pkt->data : strata_pkt_header_slow(pkt, n);
}

/** Grows the linear part by `n` bytes at the end. Returns their start, or NULL without tailroom. */
static inline uint8_t *strata_pkt_put(struct strata_pkt *pkt, uint32_t n)
{
	uint8_t *end = pkt->data + pkt->len;
	if (strata_unlikely(strata_pkt_tailroom(pkt) < n))
		return NULL;
	pkt->len += n;
	return end;
}

/* ---- the whole ---- */

/** Appends a copy of `n` bytes: into tailroom, then into new chunks. Returns 0 or -ENOBUFS, and then
 *  nothing was appended. */
STRATA_API int strata_pkt_append(struct strata_pkt *pkt, const void *bytes, uint32_t n);
/** Appends bytes from an iovec, `n` from byte `skip` on. As strata_pkt_append(). */
STRATA_API int strata_pkt_append_iov(struct strata_pkt *pkt, const struct iovec *iov, size_t count,
				     size_t skip, uint32_t n);
/** Appends a slice; takes its own reference. Merges with the last fragment where they touch.
 *  Returns 0 or -ENOBUFS when all fragments are taken. */
STRATA_API int strata_pkt_append_chunk(struct strata_pkt *pkt, struct strata_chunk *chunk,
				       uint32_t offset, uint32_t length);
/** Appends all of `tail`'s bytes, sharing its fragments where there is room and copying otherwise,
 *  and consumes it. Returns 0, or -ENOBUFS: then `pkt` is as it was and `tail` is freed all the same. */
STRATA_API int strata_pkt_enqueue_tail(struct strata_pkt *pkt, struct strata_pkt *tail);
/** Appends `tail`'s bytes from its byte `skip` on, as strata_pkt_enqueue_tail(), but borrows it. Returns 0, or
 *  -ENOBUFS: then `pkt` is as it was. */
STRATA_API int strata_pkt_join(struct strata_pkt *pkt, const struct strata_pkt *tail, uint32_t skip);
/** Shortens the packet to its first `length` bytes; longer than it is: nothing happens. */
STRATA_API void strata_pkt_trim_slow(struct strata_pkt *pkt, uint32_t length);
static inline void strata_pkt_trim(struct strata_pkt *pkt, uint32_t length)
{
	if (strata_unlikely(length < strata_pkt_length(pkt)))
		strata_pkt_trim_slow(pkt, length);
}
/** Copies up to `n` bytes from `offset` on. Returns how many. */
STRATA_API uint32_t strata_pkt_read(const struct strata_pkt *pkt, uint32_t offset, void *buf,
				    uint32_t n);
/** As strata_pkt_read() into an iovec, from its byte `skip` on. */
STRATA_API uint32_t strata_pkt_read_iov(const struct strata_pkt *pkt, uint32_t offset,
					const struct iovec *iov, size_t count, size_t skip,
					uint32_t n);
/** Describes the packet as an iovec of at most STRATA_PKT_FRAGS + 1 parts. Returns their number. */
STRATA_API int strata_pkt_iov(const struct strata_pkt *pkt, struct iovec *iov);
/** Bytes of memory the packet keeps busy; what socket buffers account. */
STRATA_API uint32_t strata_pkt_truesize(const struct strata_pkt *pkt);

/* ---- the Internet checksum (RFC 1071) ---- */

/** One's complement sum of `n` bytes added to `sum`, neither folded nor inverted. `bytes` are taken
 *  to begin at an even offset. */
STRATA_API uint32_t strata_csum_add(const void *bytes, size_t n, uint32_t sum);
/** The sum in 16 bits. The halves are added both ways round: what the lower half carries is what the upper
 *  one must have. */
static inline uint16_t strata_csum_fold(uint32_t sum)
{
	return (uint16_t)((sum + (sum << 16 | sum >> 16)) >> 16);
}
/** Sum of a packet's bytes `offset` … `offset + n` (clipped) added to `sum`, as strata_csum_add(). */
STRATA_API uint32_t strata_pkt_csum(const struct strata_pkt *pkt, uint32_t offset, uint32_t n,
				    uint32_t sum);
/** Sum of the pseudo-header of RFC 9293 3.1 and RFC 8200 8.1: same arithmetic for both. `length` is
 *  the transport packet's. Two 16-bit words at a time (RFC 1071 2 (C)); addresses are zero beyond their length. */
static inline uint32_t strata_csum_pseudo(const struct strata_addr *src,
					  const struct strata_addr *dst, uint8_t number,
					  uint32_t length)
{
	uint64_t sum = (uint64_t)number + length;
	unsigned int i;
	for (i = 0; i < src->length; i += 4)
		sum += (uint64_t)strata_get_be32(src->bytes + i) + strata_get_be32(dst->bytes + i);
	return (uint32_t)((sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32));
}
/** Adjusts a stored checksum for a 16-bit field that changed (RFC 1624, eqn. 3). */
static inline uint16_t strata_csum_update16(uint16_t check, uint16_t from, uint16_t to)
{
	return (uint16_t)~strata_csum_fold((uint32_t)(uint16_t)~check + (uint16_t)~from + to);
}
/** Completes a STRATA_CSUM_PARTIAL packet in software (a result of 0 is stored as 0xffff, RFC 768) and
 *  makes its state NONE; another state is left alone. */
STRATA_API void strata_pkt_csum_complete_slow(struct strata_pkt *pkt);
static inline void strata_pkt_csum_complete(struct strata_pkt *pkt)
{
	if (pkt->csum == STRATA_CSUM_PARTIAL)
		strata_pkt_csum_complete_slow(pkt);
}

/* ---- queues of packets, linked by pkt->next ---- */

struct strata_pkt_queue {
	struct strata_pkt *head, *tail;
	uint32_t count;		/**< packets */
	uint32_t bytes;		/**< truesize of all */
};

/** Consumes `pkt` into the queue's end. Unbounded: whoever owns the queue keeps its limit. */
static inline void strata_pkt_enqueue(struct strata_pkt_queue *q, struct strata_pkt *pkt)
{
	pkt->next = NULL;
	if (q->tail != NULL)
		q->tail->next = pkt;
	else
		q->head = pkt;
	q->tail = pkt;
	q->count++;
	q->bytes += strata_pkt_truesize(pkt);
}

/** The first packet, now the caller's; NULL when empty. Its size must not have changed. */
static inline struct strata_pkt *strata_pkt_dequeue(struct strata_pkt_queue *q)
{
	struct strata_pkt *pkt = q->head;
	if (pkt == NULL)
		return NULL;
	q->head = pkt->next;
	if (q->head == NULL)
		q->tail = NULL;
	pkt->next = NULL;
	q->count--;
	q->bytes -= strata_pkt_truesize(pkt);
	return pkt;
}

/** Frees all. */
STRATA_API void strata_pkt_queue_purge(struct strata_pkt_queue *q);

STRATA_END_DECLS
#endif
