/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames in memory that stack and host share, handed over through four rings. A received frame is copied out
 * and goes back to the host with its batch; a sent one is copied in. Read
 * Documentation/networking/af_xdp.rst before editing.
 */
#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/socket.h>
#include <strata/trace.h>
#include "xdp_int.h"

/* Local choice: most frames of one batch before the stack's deferred work gets its turn. */
#define XDP_BATCH 128
/* Local choice: most times the host is told of one batch; in copy mode it sends some 32 frames each time. */
#define XDP_KICKS 64
/* Local choice: pause before frames are offered again that the host had no room for. */
#define XDP_RESEND_PAUSE STRATA_MS

void xdp_io_count_lost(struct xdp *xdp)
{
	struct xdp_statistics stats;
	socklen_t size = sizeof(stats);
	uint64_t lost;

	memset(&stats, 0, sizeof(stats));
	if (getsockopt(xsk_socket__fd(xdp->socket), SOL_XDP, XDP_STATISTICS, &stats, &size) < 0)
		return;
	/* They count from the socket's beginning, which ends when this is called. */
	lost = stats.rx_dropped + stats.rx_ring_full;
	strata_count(xdp->iface->driver, XDP_COUNTER_RING_FULL, lost);
	xdp->iface->counters.rx_dropped += lost;
}

/* Whether the host can mean that place: in a frame of the half of the memory that begins with frame `first`. */
static bool xdp_in_half(const struct xdp *xdp, uint64_t addr, uint32_t first)
{
	return addr / XDP_FRAME_SIZE - first < xdp->half;
}

/* ---- receive ---- */

/* Gives the host back the frames that have been read. */
static void xdp_refill(struct xdp *xdp)
{
	uint32_t index, i, n = xdp->unfilled;

	if (n == 0 || xsk_ring_prod__reserve(&xdp->fill, n, &index) != n)
		return;
	for (i = 0; i < n; i++)
		*xsk_ring_prod__fill_addr(&xdp->fill, index + i) = xdp->returned[i];
	xsk_ring_prod__submit(&xdp->fill, n);
	xdp->unfilled = 0;
	if (xsk_ring_prod__needs_wakeup(&xdp->fill))
		recvfrom(xsk_socket__fd(xdp->socket), NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

void xdp_io_start(struct xdp *xdp)
{
	uint32_t i;

	for (i = 0; i < xdp->half; i++) {
		xdp->returned[i] = (uint64_t)i * XDP_FRAME_SIZE;
		xdp->free[i] = (uint64_t)(xdp->half + i) * XDP_FRAME_SIZE;
	}
	xdp->unfilled = xdp->half;
	xdp->free_count = xdp->half;
	xdp->kick = false;
	xdp_refill(xdp);
}

static void xdp_rx_drop(struct xdp *xdp, const uint8_t *data, uint32_t length, enum xdp_drop reason)
{
	struct strata_pkt *pkt = xdp->scrap;
	uint32_t room = pkt->room - XDP_PKT_HEADROOM;

	if (reason == XDP_DROP_NO_MEMORY)
		xdp->iface->counters.rx_dropped++;
	else
		xdp->iface->counters.rx_errors++;
	pkt->iface = xdp->iface;
	pkt->data = pkt->buf + XDP_PKT_HEADROOM;
	pkt->len = length < room ? length : room;
	memcpy(pkt->data, data, pkt->len);
	strata_drop(xdp->iface->driver, strata_pkt_get(pkt), reason);
	pkt->trace_id = 0;
}

/* Copies a frame out of the shared memory; NULL: it was dropped. */
static struct strata_pkt *xdp_rx_frame(struct xdp *xdp, uint64_t addr, uint32_t length)
{
	struct strata_stack *stack = xdp->iface->stack;
	struct strata_pkt *pkt;

	if (strata_unlikely(!xdp_in_half(xdp, addr, 0) || length > XDP_FRAME_ROOM ||
			    length > XDP_FRAME_SIZE - addr % XDP_FRAME_SIZE)) {
		xdp_rx_drop(xdp, xdp->area, 0, XDP_DROP_RING);
		return NULL;
	}
	pkt = strata_pkt_alloc(stack, XDP_PKT_HEADROOM, length < XDP_PKT_LINEAR ? length : XDP_PKT_LINEAR);
	if (strata_unlikely(pkt == NULL || strata_pkt_append(pkt, xdp->area + addr, length) < 0)) {
		strata_pkt_free(pkt);
		xdp_rx_drop(xdp, xdp->area + addr, length, XDP_DROP_NO_MEMORY);
		return NULL;
	}
	pkt->time = strata_now(stack);
	return pkt;
}

unsigned int xdp_io_receive(struct xdp *xdp)
{
	struct strata_pkt_queue batch = { 0 };
	uint32_t index = 0, i, n = xsk_ring_cons__peek(&xdp->rx, XDP_BATCH, &index);
	struct strata_pkt *pkt;

	for (i = 0; i < n; i++) {
		const struct xdp_desc *desc = xsk_ring_cons__rx_desc(&xdp->rx, index + i);

		pkt = xdp_rx_frame(xdp, desc->addr, desc->len);
		if (pkt != NULL)
			strata_pkt_enqueue(&batch, pkt);
		/* All frames are of this size and aligned to it: the beginning is found in the address. */
		if (xdp->unfilled < xdp->half && xdp_in_half(xdp, desc->addr, 0))
			xdp->returned[xdp->unfilled++] = desc->addr & ~(uint64_t)(XDP_FRAME_SIZE - 1);
	}
	if (n != 0)
		xsk_ring_cons__release(&xdp->rx, n);
	xdp_refill(xdp);
	if (n == XDP_BATCH)
		strata_count(xdp->iface->driver, XDP_COUNTER_BATCH_FULL, 1);
	/* The rings are in order again: what is received may close the device. */
	while ((pkt = strata_pkt_dequeue(&batch)) != NULL)
		strata_iface_input(xdp->iface, pkt);
	return n;
}

/* ---- send ---- */

void xdp_io_purge(struct xdp *xdp)
{
	struct strata_pkt *pkt;

	strata_timer_stop(xdp->iface->stack, &xdp->resend);
	strata_iface_wake(xdp->iface);
	while ((pkt = strata_pkt_dequeue(&xdp->waiting)) != NULL) {
		xdp->iface->counters.tx_dropped++;
		strata_drop(xdp->iface->driver, pkt, XDP_DROP_LINK_DOWN);
	}
}

/* Takes back the frames that the host has sent. */
static void xdp_reclaim(struct xdp *xdp)
{
	uint32_t index = 0, i, n = xsk_ring_cons__peek(&xdp->completion, xdp->half - xdp->free_count, &index);

	for (i = 0; i < n; i++) {
		const uint64_t addr = *xsk_ring_cons__comp_addr(&xdp->completion, index + i);

		if (strata_likely(xdp_in_half(xdp, addr, xdp->half)))
			xdp->free[xdp->free_count++] = addr & ~(uint64_t)(XDP_FRAME_SIZE - 1);
		else
			strata_count(xdp->iface->driver, XDP_COUNTER_NOT_OURS, 1);
	}
	if (n != 0)
		xsk_ring_cons__release(&xdp->completion, n);
}

/* Puts a frame into the ring without consuming it. Returns false where there is no room. */
static bool xdp_put(struct xdp *xdp, const struct strata_pkt *pkt)
{
	struct xdp_desc *desc;
	uint32_t index;

	if (xdp->free_count == 0)
		xdp_reclaim(xdp);
	if (xdp->free_count == 0 || xsk_ring_prod__reserve(&xdp->tx, 1, &index) != 1)
		return false;
	desc = xsk_ring_prod__tx_desc(&xdp->tx, index);
	desc->addr = xdp->free[--xdp->free_count];
	desc->len = strata_pkt_read(pkt, 0, xdp->area + desc->addr, XDP_FRAME_ROOM);
	desc->options = 0;
	xsk_ring_prod__submit(&xdp->tx, 1);
	xdp->kick = true;
	return true;
}

/* Tells the host that there is something to be sent. Returns 0, or -errno; -EAGAIN: more is left. */
static int xdp_wake(struct xdp *xdp)
{
	unsigned int i;

	if (!xsk_ring_prod__needs_wakeup(&xdp->tx))
		return 0;
	for (i = 0; i < XDP_KICKS; i++) {
		strata_count(xdp->iface->driver, XDP_COUNTER_WAKEUPS, 1);
		if (sendto(xsk_socket__fd(xdp->socket), NULL, 0, MSG_DONTWAIT, NULL, 0) >= 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		/* It has sent a few; their frames are needed for others. */
		xdp_reclaim(xdp);
	}
	return -EAGAIN;
}

void xdp_io_send(struct xdp *xdp, struct strata_pkt *pkt)
{
	if (strata_pkt_length(pkt) > XDP_FRAME_ROOM) {
		xdp->iface->counters.tx_errors++;
		strata_drop(xdp->iface->driver, pkt, XDP_DROP_TOO_BIG);
		return;
	}
	strata_pkt_csum_complete(pkt);
	/* Without room: the host sends what it has before the batch ends. */
	if (xdp->waiting.count == 0 && (strata_likely(xdp_put(xdp, pkt)) ||
					(xdp_wake(xdp) == 0 && xdp_put(xdp, pkt)))) {
		strata_pkt_free(pkt);
		return;
	}
	strata_iface_stop(xdp->iface);
	if (xdp->waiting.count >= xdp_config(xdp)->backlog) {
		xdp->iface->counters.tx_dropped++;
		strata_drop(xdp->iface->driver, pkt, XDP_DROP_QUEUE_FULL);
		return;
	}
	strata_pkt_enqueue(&xdp->waiting, pkt);
}

/* Offers again what the host has not taken: it does not say when it can. */
static void xdp_resend_later(struct xdp *xdp)
{
	struct strata_stack *stack = xdp->iface->stack;

	if (strata_timer_pending(&xdp->resend))
		return;
	strata_count(xdp->iface->driver, XDP_COUNTER_BACK_PRESSURE, 1);
	strata_timer_start(stack, &xdp->resend, strata_now(stack) + XDP_RESEND_PAUSE);
}

int xdp_io_flush(struct xdp *xdp)
{
	int result = 0;

	do {
		struct strata_pkt *pkt;

		if (xdp->kick)
			result = xdp_wake(xdp);
		xdp->kick = false;
		xdp_reclaim(xdp);
		while (result == 0 && (pkt = xdp->waiting.head) != NULL && xdp_put(xdp, pkt)) {
			strata_pkt_dequeue(&xdp->waiting);
			strata_pkt_free(pkt);
		}
	} while (result == 0 && xdp->kick);
	/* What the ring holds is still to be sent, by whatever comes next: where it is full nothing else would tell. */
	if (result != 0)
		xdp->kick = true;
	switch (result) {
	case 0:
	case -EAGAIN:
	case -EBUSY:
	case -ENOBUFS:
	case -ENOMEM:
		break;
	case -ENETDOWN:
		/* Of a device that is up again when it is looked at nobody else would tell. */
		if (xdp->waiting.count != 0 && (xdp->iface->flags & STRATA_IFACE_RUNNING) != 0)
			xdp_resend_later(xdp);
		return -EIO;
	default:
		return result;
	}
	if (xdp->waiting.count == 0)
		strata_iface_wake(xdp->iface);
	if (result != 0 || xdp->waiting.count != 0)
		xdp_resend_later(xdp);
	return 0;
}
