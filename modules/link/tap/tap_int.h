/* SPDX-License-Identifier: BSD-2-Clause */
/* The rooms of the TAP driver: what its files promise each other. */
#ifndef TAP_INT_H
#define TAP_INT_H

#include <strata/hostlink.h>
#include <strata/iface.h>
#include <strata/loop.h>
#include <strata/vnet.h>

/** Headroom of received packets: the network header lands on a multiple of 16 behind a 14-byte link
 *  header, and a reply or a forwarded packet may get a link header of up to 34 bytes more. */
#define TAP_HEADROOM 34
/** Largest frame that is copied into a small packet. */
#define TAP_COPYBREAK (STRATA_PKT_SMALL - TAP_HEADROOM)
#define TAP_LINEAR (STRATA_PKT_LARGE - TAP_HEADROOM)
/** Chunks behind the linear part: with it they hold every frame of a TAP device. */
#define TAP_CHUNKS 2
/** Bytes of the virtio header (virtio 1.2, 5.1.6, without num_buffers). */
#define TAP_VNET_SIZE STRATA_VNET_SIZE
/** Room for a frame however it is read: more than any that a TAP device has. */
#define TAP_FRAME_ROOM (TAP_LINEAR + TAP_CHUNKS * STRATA_CHUNK_SIZE)
/** … and its virtio header. */
#define TAP_FLAT (TAP_VNET_SIZE + TAP_FRAME_ROOM)
/** Bytes of the link header of a TAP device's frames (linux/if_ether.h: ETH_HLEN). */
#define TAP_LINK_HEADER STRATA_VNET_LINK_HEADER

/** Who completes the checksums of packets larger than the MTU. */
enum tap_checksum {
	TAP_CHECKSUM_DEVICE,
	TAP_CHECKSUM_STACK,
	TAP_CHECKSUMS,
};

/** Options of an interface. */
struct tap_config {
	const char *device;
	const char *host;
	bool offload;
	bool steering;
	uint32_t checksum;		/* enum tap_checksum */
	uint64_t queue_length;
	uint64_t backlog;
};

struct tap {
	struct strata_iface *iface;
	const char *device;		/* name of the host's device; the configuration's */
	int fd;				/* -1 while the device is gone */
	unsigned int ifindex;		/* the host's */
	unsigned int queues;		/* of the device: one for each shard */
	struct tap_queues *common;	/* of all shards; NULL: there is one */
	bool made;			/* the device was not there when it was opened */
	bool vnet;			/* frames carry a virtio header */
	bool uso;			/* the device cuts datagrams */
	bool told_offload;		/* a missing offload has been logged */
	bool told_steering;		/* so has a program that was refused */
	int last_error;			/* of reopening: each is logged once */

	/* What each frame needs stands together, with the above. */
	uint8_t *rx_flat;		/* frames as they were read in one piece, each behind its virtio header */
	uint8_t *tx_flat;		/* a small frame to be written in one piece, the same way */
	unsigned int small_wanted;	/* small frames until they are read in one piece; 0: they are */
	unsigned int frames;		/* of the last batch */
	unsigned int lone;		/* batches of one frame in succession */
	struct strata_pkt_queue tx;	/* frames that wait for the end of the batch, or for the device */
	bool blocked;			/* the device took no more; it says when it does, or `resend` asks */
	struct strata_pkt *rx_pkt;	/* what a large frame is read into; never NULL while open */
	struct strata_chunk *rx_chunks[TAP_CHUNKS];

	struct strata_watch watch;

	struct strata_hostlink host;	/* news of the device */

	struct strata_timer reopen, resend;
	uint64_t backoff;		/* of reopening, ns */
};

enum tap_counter {
	TAP_COUNTER_RX_SUPER,
	TAP_COUNTER_TX_SUPER,
	TAP_COUNTER_BATCH_FULL,
	TAP_COUNTER_BACK_PRESSURE,
	TAP_COUNTER_REOPENED,
	TAP_COUNTER_LOST,
	TAP_COUNTERS,
};

enum tap_drop {
#define X(symbol, text, severity, mib) TAP_DROP_##symbol,
#include "tap_drops.def"
#undef X
	TAP_DROPS,
};

/* ---- tap_vnet.c: the virtio header of <strata/vnet.h>, with the driver's reasons ---- */

/** Checks a received virtio header against its frame, of which the first `linear` of `length` bytes
 *  are at `frame`. Returns 0 and fills `out`, or the reason (enum tap_drop) negated, less one. */
int tap_vnet_parse(const uint8_t header[TAP_VNET_SIZE], const uint8_t *frame, uint32_t linear,
		   uint32_t length, struct strata_vnet *out);

/** Writes the virtio header of an outgoing frame. A checksum is left to the device only together with
 *  segmentation, and not even then where `complete` is set; else it is completed here, so that whoever
 *  looks at the device sees it right. Returns 0, or as tap_vnet_parse(). */
int tap_vnet_emit(struct strata_pkt *pkt, bool uso, bool complete, uint8_t header[TAP_VNET_SIZE]);

/** Whether the device can cut the packet: of the protocols there are it knows two. */
bool tap_vnet_cuts(const struct strata_pkt *pkt, bool uso);

/** The reason in a negative result of tap_vnet_parse() and tap_vnet_emit(). */
static inline unsigned int tap_vnet_reason(int result)
{
	return (unsigned int)(-result - 1);
}

/* ---- tap_io.c: frames in and out ---- */

/** Gives the buffers that frames are read into. Returns 0 or -ENOMEM. */
int tap_io_init(struct tap *tap);
void tap_io_fini(struct tap *tap);
/** Discards what waits for the device. */
void tap_io_purge(struct tap *tap);
/** Reads frames until there are none or the batch is full. Returns 0, or -errno when the device is
 *  gone. */
int tap_io_receive(struct tap *tap);
/** Lets a small frame wait for the end of the batch, and sends a large one, after those that wait; consumes it.
 *  Returns 0; -EIO when the device is down, another -errno when it is gone: a frame has then been discarded. */
int tap_io_send(struct tap *tap, struct strata_pkt *pkt);
/** Sends what waits for the end of the batch. Returns as tap_io_send(). */
int tap_io_flush(struct tap *tap);
/** The device may take frames again: sends what waits. Returns as tap_io_send(). */
int tap_io_resend(struct tap *tap);

/* ---- tap_steer.c: of several shards, which queue a packet comes to; of one, nothing ---- */

/** Gets what the shards have in common of the device `tap->device`. Returns 0 or -ENOMEM. */
int tap_steer_init(struct tap *tap);
void tap_steer_fini(struct tap *tap);
/** Held while a queue is attached or detached: their order is the host's. */
void tap_steer_lock(struct tap *tap);
void tap_steer_unlock(struct tap *tap);
/** The host has made tap->fd the last queue of tap->ifindex, which now has `present` of them, 0: it does not
 *  tell. Packets are steered to it from here on. Returns 0; -EBUSY: others have queues there, and packets would
 *  go to them. */
int tap_steer_attached(struct tap *tap, unsigned int present);
/** tap->fd will be closed: the last queue takes its place. */
void tap_steer_detaching(struct tap *tap);

/* ---- tap_host.c: the host's end ---- */

/** The name of the interface's device. */
const char *tap_host_device(const struct strata_iface *iface);

/** Checks device name and host address. Returns 0 or -EINVAL with a sentence. */
int tap_host_validate(const struct strata_iface *iface, struct strata_error *error);
/** Opens (or makes) the device, sets it up and gives the host its address. Returns 0 with tap->fd, or
 *  -errno with a sentence and nothing left open. */
int tap_host_open(struct tap *tap, struct strata_error *error);
/** Closes tap->fd and makes it -1. */
void tap_host_close(struct tap *tap);
/** Gives the host's end the interface's MTU. Returns 0 or -errno with a sentence. */
int tap_host_set_mtu(struct tap *tap, struct strata_error *error);
/** Whether the host's end is up, as far as can be seen from here: a device that was moved to another
 *  namespace is taken to be. */
bool tap_host_up(const struct tap *tap);
/** Reads link events. Returns 1: the link is up, 0: it is down, -1: no news. */
int tap_host_news(struct tap *tap);

#endif
