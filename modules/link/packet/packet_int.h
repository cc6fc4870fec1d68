/* SPDX-License-Identifier: BSD-2-Clause */
/* The rooms of the packet driver: what its files promise each other. */
#ifndef PACKET_INT_H
#define PACKET_INT_H

#include <strata/hostlink.h>
#include <strata/iface.h>
#include <strata/loop.h>
#include <strata/vnet.h>

/** Headroom of received packets: the network header lands on a multiple of 16 behind a 14-byte link
 *  header, and a reply or a forwarded packet may get a link header of up to 34 bytes more. */
#define PACKET_HEADROOM 34
/** Largest frame that is copied into a small packet, and into one linear packet. */
#define PACKET_COPYBREAK (STRATA_PKT_SMALL - PACKET_HEADROOM)
#define PACKET_LINEAR (STRATA_PKT_LARGE - PACKET_HEADROOM)
/** Bytes of a VLAN tag, which the host takes off before anyone sees the frame. */
#define PACKET_VLAN_TAG 4

/** Who completes the checksums of packets larger than the MTU. */
enum packet_checksum {
	PACKET_CHECKSUM_DEVICE,
	PACKET_CHECKSUM_STACK,
	PACKET_CHECKSUMS,
};

/** Options of an interface. */
struct packet_config {
	const char *device;
	uint32_t checksum;		/* enum packet_checksum */
	uint64_t ring;			/* bytes */
	uint64_t send_buffer;		/* bytes; 0: the host's default */
	uint64_t backlog;
	uint64_t fanout;		/* 0: none */
};

/** The ring that the host writes received frames into; memory shared with it. */
struct packet_ring {
	uint8_t *base;			/* NULL while the device is gone */
	size_t size;			/* bytes in all */
	uint32_t block_size;		/* bytes between blocks */
	uint32_t slot_size;
	uint32_t block_slots;		/* slots in a block */
	uint32_t slots;			/* in all */
	uint32_t next;			/* slot that the host fills next */
};

struct packet {
	struct strata_iface *iface;
	const char *device;		/* name of the host's device; the configuration's */
	int fd;				/* -1 while the device is gone */
	unsigned int ifindex;		/* the host's */
	bool uso;			/* the host cuts datagrams */
	bool told_not_cut, told_mtu;	/* logged once each */
	int last_error;			/* of reopening: each is logged once */
	struct strata_watch watch;
	struct packet_ring ring;
	struct strata_pkt *scrap;	/* shows the head of frames that never become a packet */

	struct strata_hostlink host;	/* news of the device */

	struct strata_timer reopen;
	uint64_t backoff;		/* of reopening, ns */

	struct strata_pkt_queue tx;	/* frames the device would not take yet */
	struct strata_timer resend;
	struct strata_timer settled;	/* the host's addresses are looked at when the stack has its own */
};

enum packet_counter {
	PACKET_COUNTER_RX_SUPER,
	PACKET_COUNTER_TX_SUPER,
	PACKET_COUNTER_RX_TAGGED,
	PACKET_COUNTER_RING_FULL,
	PACKET_COUNTER_BATCH_FULL,
	PACKET_COUNTER_BACK_PRESSURE,
	PACKET_COUNTER_REOPENED,
	PACKET_COUNTER_LOST,
	PACKET_COUNTERS,
};

enum packet_drop {
#define X(symbol, text, severity, mib) PACKET_DROP_##symbol,
#include "packet_drops.def"
#undef X
	PACKET_DROPS,
};

/* ---- packet_rx.c: frames in ---- */

/** Reads frames until there are none or the batch is full. Returns how many. */
unsigned int packet_rx_receive(struct packet *packet);
/** Adds what the host has dropped for want of room in the ring to the counter. */
void packet_rx_count_lost(struct packet *packet);

/* ---- packet_tx.c: frames out ---- */

/** Discards what waits for the device. */
void packet_tx_purge(struct packet *packet);
/** Sends a frame or lets it wait; consumes it. Returns 0; -EIO when the device is down, another -errno
 *  when it is gone: the frame has then been discarded. */
int packet_tx_send(struct packet *packet, struct strata_pkt *pkt);
/** Sends what waits. Returns as packet_tx_send(). */
int packet_tx_resend(struct packet *packet);

/* ---- packet_filter.c: which frames ---- */

/** Makes the socket take those of the interface, and of this shard. Returns 0 or -errno. */
int packet_filter_set(const struct packet *packet);

/* ---- packet_socket.c: the socket and its ring ---- */

/** Checks device name and ring. Returns 0 or -EINVAL with a sentence. */
int packet_socket_validate(const struct strata_iface *iface, struct strata_error *error);
/** Opens the socket, its ring and filter. Returns 0 with packet->fd and ring, or -errno with a sentence
 *  and nothing left open. */
int packet_socket_open(struct packet *packet, struct strata_error *error);
void packet_socket_close(struct packet *packet);

/* ---- packet_host.c: the device, as the host tells of it ---- */

/** What the host says of the device. */
struct packet_device {
	unsigned int ifindex;
	unsigned short type;	/* ARPHRD_… */
	uint32_t mtu;
	bool up;		/* set up, with carrier */
};

/** Asks for it by name. Returns 0 or -errno. */
int packet_host_query(const char *name, struct packet_device *out);
/** Whether the device is up, and still is the one that was opened. Returns 1, 0, or -ENODEV: gone. */
int packet_host_state(const struct packet *packet);
/** Says in the log what the host does with the same device that may surprise. */
void packet_host_warn(const struct packet *packet);
/** Reads link events. Returns whether any was of this device, or may have been. */
bool packet_host_news(struct packet *packet);

static inline const char *packet_device_name(const struct strata_iface *iface)
{
	const struct packet_config *config = iface->config;

	return config->device != NULL ? config->device : iface->name;
}

static inline const struct packet_config *packet_config(const struct packet *packet)
{
	return packet->iface->config;
}

#endif
