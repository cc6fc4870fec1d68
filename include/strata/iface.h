/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces and their addresses; and the operations of a link module, which drives a device, or
 * frames what other drivers carry, or both.
 *
 *   in:   driver → strata_iface_input() → framing input → strata_network_input()
 *   out:  strata_iface_output() → framing output → segmentation and checksum in software where the
 *         driver can't → driver xmit
 */
#ifndef STRATA_IFACE_H
#define STRATA_IFACE_H

#include <net/if.h>
#include <strata/addr.h>
#include <strata/module.h>
#include <strata/pkt.h>
#include <strata/timer.h>

STRATA_BEGIN_DECLS

/** What a driver takes off the stack's hands; bits of strata_iface.caps. */
enum strata_cap {
	STRATA_CAP_TX_CSUM = 1 << 0,	/**< completes STRATA_CSUM_PARTIAL */
	STRATA_CAP_SEG_STREAM = 1 << 1,	/**< cuts STRATA_SEG_STREAM */
	STRATA_CAP_SEG_DATAGRAM = 1 << 2,/**< cuts STRATA_SEG_DATAGRAM */
	STRATA_CAP_FRAGS = 1 << 3,	/**< takes packets with fragments */
	/** Hands in super-packets where there are any, so that the kernel joins none. */
	STRATA_CAP_RX_SUPER = 1 << 4,
};

/** State of an interface; bits of strata_iface.flags. */
enum strata_iface_flag {
	STRATA_IFACE_UP = 1 << 0,	/**< wanted up */
	STRATA_IFACE_RUNNING = 1 << 1,	/**< the device is there and has carrier */
	STRATA_IFACE_BROADCAST = 1 << 2,
	STRATA_IFACE_MULTICAST = 1 << 3,
	STRATA_IFACE_LOOPBACK = 1 << 4,	/**< what goes out comes in again */
	STRATA_IFACE_NO_NEIGHBOUR = 1 << 5,/**< no link addresses: nothing to resolve */
	/** Carries another interface, which is given the frames as they were on the wire: the driver hands
	 *  in none that has yet to be cut. Set before open. */
	STRATA_IFACE_CARRIES = 1 << 6,
	/** The kernel may join what comes in to super-packets; set by it at open, see STRATA_CAP_RX_SUPER. */
	STRATA_IFACE_GRO = 1 << 7,
	/** The device takes no more for now: strata_iface_stop(). */
	STRATA_IFACE_STOPPED = 1 << 8,
	/** Somebody looks at its frames: set by the kernel. Who would join packets that are sent one by one
	 *  leaves them as they are. */
	STRATA_IFACE_SNIFFED = 1 << 9,
};

struct strata_iface_counters {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
	uint64_t rx_errors, rx_dropped, tx_errors, tx_dropped;
};

struct strata_iface {
	struct strata_stack *stack;
	uint32_t index;			/**< from 1 */
	uint32_t mtu;			/**< largest network packet, bytes */
	uint32_t flags;			/**< enum strata_iface_flag */
	uint32_t caps;			/**< enum strata_cap; set by the driver's open */
	uint16_t header_size;		/**< link header bytes; the framing's, 0 without */
	uint8_t apart;			/**< kernel's: what keeps frames off the plain way; 0: nothing */
	struct strata_instance *driver;
	struct strata_instance *framing;/**< NULL: the driver carries bare network packets */
	void *config;			/**< driver's iface_config */
	void *state;			/**< driver's own */
	struct strata_lladdr lladdr;	/**< length 0: none */
	struct strata_iface_counters counters;
	struct strata_iface *lower;	/**< interface that it stands on; NULL: a device of its own */
	char name[IF_NAMESIZE];
};

struct strata_link_ops {
	/* ---- a driver ---- */

	/** Manifest name of the link module that frames this driver's packets ("ethernet"); NULL: the
	 *  driver gives and takes bare network packets and sets pkt->family itself on input. */
	const char *framing;
	/** As `framing`, where it depends on the interface's options. Overrides it. */
	const char *(*choose_framing)(const void *iface_config);
	/** Checks the interface's options together, without touching anything. NULL: nothing to check. */
	int (*validate)(const struct strata_iface *iface, struct strata_error *error);
	/** Opens the device and sets state, caps, and flags beyond UP. name, mtu, lladdr and config are set.
	 *  Returns 0 or -errno with a sentence. NULL: this module is no driver. */
	int (*open)(struct strata_iface *iface, struct strata_error *error);
	void (*close)(struct strata_iface *iface);
	/** Sends a frame; consumes it. Counts tx_errors itself, drops with a reason of its own. */
	void (*xmit)(struct strata_iface *iface, struct strata_pkt *pkt);
	/** What xmit has put together must leave now: applications are about to hear of the batch, or it ends.
	 *  NULL: xmit sends at once. */
	void (*flush)(struct strata_iface *iface);
	/** Whether the device cuts this very framed packet, of a kind that caps has: it may know fewer
	 *  protocols than the stack. Borrows. NULL: it cuts all of the kind. */
	bool (*cuts)(const struct strata_iface *iface, const struct strata_pkt *pkt);
	uint32_t mtu_default, mtu_min, mtu_max;
	/** Every shard (`stack: shards:`) may open an interface of its own on the same device: queue
	 *  strata_shard() of strata_shard_count(). False: a manifest with several shards is refused. */
	bool shards;
	/** An option of the interface changed at run time; config holds the new value. Returns 0 or -errno:
	 *  then the old value is put back. NULL: the driver reads its configuration each time. */
	int (*option_changed)(struct strata_iface *iface, const struct strata_option *option);

	/** The MTU changed at run time; iface->mtu is the new one, within mtu_min and mtu_max. Returns 0 or -errno
	 *  with a sentence: then the old one is put back. NULL: the device is closed and opened again. */
	int (*mtu_changed)(struct strata_iface *iface, struct strata_error *error);

	/** Takes what the device has now, as when its descriptor is readable, and does not wait. Asked while
	 *  the interface is up, over and over by a loop that polls busily (`stack: busy_poll`). Returns frames
	 *  taken. NULL: the device is only waited for. */
	unsigned int (*poll)(struct strata_iface *iface);

	/* ---- a driver that stands on another interface ---- */

	/** Name of the interface of the same stack that this one stands on, out of its options. It is defined
	 *  before, has no addresses of its own, and carries one interface; framing, and where not given MTU
	 *  and link address, are its. NULL: the driver has a device. */
	const char *(*lower)(const void *iface_config);
	/** A frame has come in on iface->lower. Consumes: hands it to strata_iface_input(), now or later. */
	void (*lower_input)(struct strata_iface *iface, struct strata_pkt *pkt);

	/* ---- a framing ---- */

	uint16_t header_size;
	/** Checks and takes off the link header, then gives the rest to strata_network_input().
	 *  Consumes. NULL: this module is no framing. */
	enum strata_verdict (*input)(struct strata_instance *self, struct strata_iface *iface,
				     struct strata_pkt *pkt);
	/** Writes the link header for `number` to `dst` in front of pkt->data. Returns 0 or -errno; does
	 *  not consume. */
	int (*encapsulate)(struct strata_instance *self, struct strata_iface *iface,
			   struct strata_pkt *pkt, uint16_t number, const struct strata_lladdr *dst);
	int (*address_parse)(const char *text, struct strata_lladdr *out);	/**< 0 or -EINVAL */
	/** A random, locally administered unicast address. */
	void (*address_random)(struct strata_stack *stack, struct strata_lladdr *out);
	/** Link address of the broadcast address. */
	void (*address_broadcast)(struct strata_lladdr *out);
	/** Link address for a multicast network address. Returns 0 or -EAFNOSUPPORT. */
	int (*address_multicast)(const struct strata_addr *group, struct strata_lladdr *out);
	/** Number of its frames in capture files (LINKTYPE_… of the tcpdump group's registry); 0: none. */
	uint16_t link_type;
};

/* ---- for drivers and framings ---- */

/** A packet read from a device: counts it, shows it to sniffers, gives it to the framing or, without
 *  one, to the network module of pkt->family. Consumes. pkt->data is the first byte of the frame. */
STRATA_API enum strata_verdict strata_iface_input(struct strata_iface *iface, struct strata_pkt *pkt);
/** Puts a packet that was sent back into the input of `iface` at the end of the batch. For loopback
 *  devices. Consumes; bounded, drops beyond. */
STRATA_API void strata_iface_enqueue_loop(struct strata_iface *iface, struct strata_pkt *pkt);
/** Gives an outgoing frame, linear and complete, to the embedder's output callback (see
 *  <strata/embed.h>). Consumes. Returns false where nobody listens. */
STRATA_API bool strata_iface_deliver_out(struct strata_iface *iface, struct strata_pkt *pkt);
/** Sends a framed packet through `lower`, the interface that the caller's stands on. Consumes. Its framing is
 *  not asked; what its driver cannot do is done, and it is counted. */
STRATA_API void strata_iface_xmit(struct strata_iface *lower, struct strata_pkt *pkt);
/** The device came or went: sets or clears RUNNING, tells network modules and sockets. An
 *  interface that stands on it follows. */
STRATA_API void strata_iface_set_running(struct strata_iface *iface, bool running);

/** The device takes no more: from now on transports hold back what can wait, in their own queues, where
 *  applications feel it. What is sent all the same (acknowledgements, answers) comes to xmit as before, so that
 *  the driver has a bounded queue. Holds for an interface that stands on this one too. */
STRATA_API void strata_iface_stop(struct strata_iface *iface);
/** It takes more again, or is gone: who waited sends, in the order in which they began to wait. */
STRATA_API void strata_iface_wake(struct strata_iface *iface);

/* ---- for transports ---- */

/** Whether what leaves by `iface` is held up by a device that takes no more. If so `work`, which may be queued,
 *  is run once it does, or when a route or address has changed, since the way may be another then; and not before.
 *  strata_work_cancel() ends the wait. */
STRATA_API bool strata_iface_wait_slow(struct strata_iface *iface, struct strata_work *work);
static inline bool strata_iface_wait(struct strata_iface *iface, struct strata_work *work)
{
	return strata_unlikely((iface->flags & STRATA_IFACE_STOPPED) != 0) &&
	       strata_iface_wait_slow(iface, work);
}

/* ---- for network modules ---- */

/** Sends a network packet as `number` to the link address `dst` (NULL where the interface has none).
 *  Consumes. Returns 0 or -errno (-ENETDOWN, -ENOBUFS, -EMSGSIZE). */
STRATA_API int strata_iface_output(struct strata_iface *iface, struct strata_pkt *pkt,
				   uint16_t number, const struct strata_lladdr *dst);
/** Link broadcast address; length 0 where there is none. */
STRATA_API struct strata_lladdr strata_iface_broadcast(const struct strata_iface *iface);

STRATA_API struct strata_iface *strata_iface_by_name(struct strata_stack *stack, const char *name);
STRATA_API struct strata_iface *strata_iface_by_index(struct strata_stack *stack, uint32_t index);
/** Walks the interfaces: NULL gives the first, the last gives NULL. */
STRATA_API struct strata_iface *strata_iface_next(struct strata_stack *stack,
						  const struct strata_iface *iface);

/* ---- addresses of interfaces ---- */

enum strata_ifaddr_state {
	STRATA_IFADDR_TENTATIVE,	/**< being probed for a duplicate: not yet used */
	STRATA_IFADDR_VALID,
	STRATA_IFADDR_DUPLICATE,	/**< another host has it: not used */
};

struct strata_ifaddr {
	struct strata_ifaddr *next;	/**< of the same interface, in the order added */
	struct strata_iface *iface;
	struct strata_prefix prefix;	/**< the address itself, not masked */
	struct strata_addr broadcast;	/**< directed broadcast; unset where there is none */
	enum strata_ifaddr_state state;
};

/** Adds an address: its connected route with it. Network modules are told (`address_event`) and may
 *  make it TENTATIVE. Returns 0, -EEXIST (on whichever interface), -EINVAL (no unicast address, too many
 *  bits, an interface that carries another), -EAFNOSUPPORT, -ENOMEM. */
STRATA_API int strata_ifaddr_add(struct strata_iface *iface, const struct strata_prefix *prefix);
/** Returns 0 or -EADDRNOTAVAIL. Its connected route goes; sockets bound to it end. */
STRATA_API int strata_ifaddr_remove(struct strata_iface *iface, const struct strata_addr *addr);
/** First address of the interface; follow `next`. */
STRATA_API struct strata_ifaddr *strata_ifaddr_first(const struct strata_iface *iface);
STRATA_API void strata_ifaddr_set_state(struct strata_ifaddr *ifaddr, enum strata_ifaddr_state state);
/** The interface address equal to `addr`, on any interface, whatever its state; NULL: not ours.
 *  Constant cost. */
STRATA_API struct strata_ifaddr *strata_ifaddr_find(struct strata_stack *stack,
						    const struct strata_addr *addr);

/** What `addr` is as the destination of a packet that came in on `iface`. */
enum strata_locality {
	STRATA_NOT_LOCAL,
	STRATA_LOCAL_UNICAST,
	STRATA_LOCAL_BROADCAST,		/**< limited, or directed to a prefix of the interface */
	STRATA_LOCAL_MULTICAST,		/**< a group joined on the interface */
};
STRATA_API enum strata_locality strata_addr_locality(struct strata_iface *iface,
						     const struct strata_addr *addr);

/** Joins a group on an interface; counted, so each join wants its leave. Returns 0, -EINVAL (no multicast
 *  address), -ENOBUFS at the stack's limit (1024 groups), -ENOMEM. */
STRATA_API int strata_group_join(struct strata_iface *iface, const struct strata_addr *group);
/** Returns 0 or -EADDRNOTAVAIL. */
STRATA_API int strata_group_leave(struct strata_iface *iface, const struct strata_addr *group);

/** The address operations of a family, from whichever network module supplies them; NULL: none. */
STRATA_API const struct strata_address_ops *strata_address_ops(struct strata_stack *stack,
							       uint16_t family);
/** The same by AF_… number. */
STRATA_API const struct strata_address_ops *strata_address_ops_af(struct strata_stack *stack, int af);
/** Parses "address" or "address/bits" with whichever family takes it. Returns 0 or -EINVAL. */
STRATA_API int strata_prefix_parse(struct strata_stack *stack, const char *text,
				   struct strata_prefix *out);

STRATA_END_DECLS
#endif
