/* SPDX-License-Identifier: BSD-2-Clause */
/* The rooms of the XDP driver: what its files promise each other. */
#ifndef XDP_INT_H
#define XDP_INT_H

#include <xdp/xsk.h>
#include <strata/hostlink.h>
#include <strata/iface.h>
#include <strata/loop.h>

/** Headroom of received packets: the network header lands on a multiple of 16 behind a 14-byte link
 *  header, and a reply or a forwarded packet may get a link header of up to 34 bytes more. */
#define XDP_PKT_HEADROOM 34
#define XDP_PKT_LINEAR (STRATA_PKT_LARGE - XDP_PKT_HEADROOM)
#define XDP_LINK_HEADER 14
/** Bytes of a frame of the shared memory: the largest there are without huge pages. */
#define XDP_FRAME_SIZE 4096
/** What of a received frame the host keeps in front (linux/bpf.h: XDP_PACKET_HEADROOM). */
#define XDP_FRAME_HEADROOM 256
/** Largest Ethernet frame that fits. */
#define XDP_FRAME_ROOM (XDP_FRAME_SIZE - XDP_FRAME_HEADROOM)

/** Highest number of `queue`. */
#define XDP_QUEUE_MOST 4095

struct xdp_common;	/* xdp_program.c */

enum xdp_mode {
	XDP_MODE_AUTO,
	XDP_MODE_COPY,
	XDP_MODE_ZEROCOPY,
	XDP_MODES,
};

/** Options of an interface. */
struct xdp_config {
	const char *device;
	uint64_t queue;			/* of the first shard; the others have those behind it */
	uint32_t mode;			/* enum xdp_mode */
	uint64_t frames;		/* of the shared memory; a power of two */
	uint64_t backlog;
};

struct xdp {
	struct strata_iface *iface;
	const char *device;		/* name of the host's device */
	unsigned int ifindex;		/* the host's */
	bool open;			/* false while the device is gone */
	bool told_mode;			/* what became of `mode: zerocopy` has been logged */
	int last_error;			/* of reopening: each is logged once */
	uint32_t queue;			/* of the device, that this one has */
	struct xdp_common *common;	/* the device's program; NULL: without */

	uint8_t *area;			/* frames: the first half is received into, the other sent from */
	size_t area_size;
	uint32_t half;			/* frames in each half */
	struct xsk_umem *umem;
	struct xsk_socket *socket;
	struct xsk_ring_prod fill, tx;
	struct xsk_ring_cons completion, rx;
	uint64_t *free;			/* addresses of idle frames to send from */
	uint32_t free_count;
	uint32_t unfilled;		/* received frames that the fill ring has not got back yet */
	uint64_t *returned;		/* their addresses */
	bool kick;			/* the host has to be told of frames to be sent */

	struct strata_watch watch;
	struct strata_hostlink host;	/* news of the device */
	struct strata_timer reopen;
	uint64_t backoff;		/* of reopening, ns */
	struct strata_pkt_queue waiting;/* frames there was no room for yet */
	struct strata_timer resend;
	struct strata_pkt *scrap;	/* shows the head of frames that never become a packet */
};

enum xdp_counter {
	XDP_COUNTER_RING_FULL,
	XDP_COUNTER_BATCH_FULL,
	XDP_COUNTER_BACK_PRESSURE,
	XDP_COUNTER_WAKEUPS,
	XDP_COUNTER_NOT_OURS,
	XDP_COUNTER_REOPENED,
	XDP_COUNTER_LOST,
	XDP_COUNTERS,
};

enum xdp_drop {
#define X(symbol, text, severity, mib) XDP_DROP_##symbol,
#include "xdp_drops.def"
#undef X
	XDP_DROPS,
};

/* ---- xdp_io.c: frames ---- */

/** Gives the host all frames to receive into, and has the others ready to send from. */
void xdp_io_start(struct xdp *xdp);
/** Discards what waits for room. */
void xdp_io_purge(struct xdp *xdp);
/** Reads frames until there are none or the batch is full. Returns how many. */
unsigned int xdp_io_receive(struct xdp *xdp);
/** Puts a frame among those to be sent, or lets it wait; consumes it. */
void xdp_io_send(struct xdp *xdp, struct strata_pkt *pkt);
/** Makes the host send what was put together; sends what waits. Returns 0, -EIO when the device is down,
 *  another -errno when it is gone. */
int xdp_io_flush(struct xdp *xdp);
/** Adds what the host has dropped to the counters. */
void xdp_io_count_lost(struct xdp *xdp);

/* ---- xdp_program.c: what sends frames to the socket ---- */

/** Has frames of xdp->queue go to xdp->socket. Returns 0, or -errno with a sentence. */
int xdp_program_open(struct xdp *xdp, struct strata_error *error);
/** No longer; of one that is not open nothing. */
void xdp_program_close(struct xdp *xdp);

/* ---- xdp_socket.c: memory and socket ---- */

/** Says what the host refuses, and what it takes where that is a question of authority. Returns `result`, a
 *  -errno. */
int xdp_fail(const struct xdp *xdp, struct strata_error *error, const char *what, int result);
/** Opens all of it. Returns 0, or -errno with a sentence and nothing left open. */
int xdp_socket_open(struct xdp *xdp, struct strata_error *error);
void xdp_socket_close(struct xdp *xdp);

/* ---- xdp_host.c: the device, as the host tells of it ---- */

/** Number, MTU and type of the device of that name. Returns 0 or -errno. */
int xdp_host_query(const char *name, unsigned int *ifindex, uint32_t *mtu, unsigned short *type);
/** Queues of a device. */
struct xdp_queues {
	uint32_t receive, send;
	bool combined;		/**< some are for either way */
};

/** Asks for the queues. Returns 0, or -errno where its driver does not tell. */
int xdp_host_queues(const char *name, struct xdp_queues *out);
/** Says in the log what becomes of frames of the device that come in on no queue of the interface's. */
void xdp_host_warn(const struct xdp *xdp);
/** Whether the device is up, and still is the one that was opened. Returns 1, 0, or -ENODEV: gone. */
int xdp_host_state(const struct xdp *xdp);
/** Reads link events. Returns whether any was of this device, or may have been. */
bool xdp_host_news(struct xdp *xdp);

static inline const struct xdp_config *xdp_config(const struct xdp *xdp)
{
	return xdp->iface->config;
}

#endif
