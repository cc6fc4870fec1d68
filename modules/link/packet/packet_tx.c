/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames to the packet socket, one sendmsg(2) each, behind a virtio header. Read the kernel's packet_snd()
 * before editing: it answers EAGAIN while the socket's send buffer is full, and ENOBUFS where the device's
 * queue was.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <strata/trace.h>
#include "packet_int.h"

/* Local choice: pause after the host had no memory or no room in its queue for a frame. */
#define PACKET_RESEND_PAUSE STRATA_MS

void packet_tx_purge(struct packet *packet)
{
	struct strata_pkt *pkt;

	strata_timer_stop(packet->iface->stack, &packet->resend);
	strata_iface_wake(packet->iface);
	while ((pkt = strata_pkt_dequeue(&packet->tx)) != NULL) {
		packet->iface->counters.tx_dropped++;
		strata_drop(packet->iface->driver, pkt, PACKET_DROP_LINK_DOWN);
	}
}

/* Before Linux 6.2 the host cannot cut datagrams, and says so only when it is given one. */
static void packet_tx_refused(struct packet *packet, const struct strata_pkt *pkt, int error)
{
	struct strata_iface *iface = packet->iface;

	if (error == EINVAL && pkt->seg_type == STRATA_SEG_DATAGRAM && packet->uso) {
		packet->uso = false;
		iface->caps &= ~(uint32_t)STRATA_CAP_SEG_DATAGRAM;
		strata_log(iface->stack, iface->driver, STRATA_LOG_INFO,
			   "%s: the host's kernel has no UDP segmentation offload; the stack does it", iface->name);
	}
	if (error == EMSGSIZE && !packet->told_mtu) {
		packet->told_mtu = true;
		strata_log(iface->stack, iface->driver, STRATA_LOG_WARNING,
			   "%s: device %s takes no packets of %u bytes any more; give one of them the other's MTU",
			   iface->name, packet->device, iface->mtu);
	}
}

/* Writes one frame without consuming it. Returns 0, or -errno of the device; -EPROTO: `*reason` says why
 * the frame cannot be sent at all. */
static int packet_write(struct packet *packet, struct strata_pkt *pkt, enum packet_drop *reason)
{
	struct iovec iov[2 + STRATA_PKT_FRAGS];
	uint8_t vnet[STRATA_VNET_SIZE];
	struct msghdr message = { .msg_iov = iov };
	ssize_t n;

	if (strata_vnet_emit(pkt, packet->uso,
			     packet_config(packet)->checksum == PACKET_CHECKSUM_STACK, vnet) != STRATA_VNET_OK) {
		*reason = PACKET_DROP_CANNOT_SEGMENT;
		return -EPROTO;
	}
	iov[0] = (struct iovec){ vnet, STRATA_VNET_SIZE };
	message.msg_iovlen = 1 + (size_t)strata_pkt_iov(pkt, iov + 1);
	do
		n = sendmsg(packet->fd, &message, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (strata_likely(n >= 0))
		return 0;
	switch (errno) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
	case ENXIO:
	case ENODEV:
		return -errno;
	case ENETDOWN:
		return -EIO;
	default:
		packet_tx_refused(packet, pkt, errno);
		*reason = PACKET_DROP_REFUSED;
		return -EPROTO;
	}
}

static bool packet_tx_may_wait(int result)
{
	return result == -EAGAIN || result == -ENOBUFS || result == -ENOMEM;
}

/* Waits until the host may take frames again: it says so, unless its memory or its queue was short. */
static void packet_tx_wait(struct packet *packet, int error)
{
	struct strata_stack *stack = packet->iface->stack;

	strata_count(packet->iface->driver, PACKET_COUNTER_BACK_PRESSURE, 1);
	strata_iface_stop(packet->iface);
	if (error == -EAGAIN && strata_watch_set(stack, &packet->watch, EPOLLIN | EPOLLOUT) == 0)
		return;
	strata_timer_start(stack, &packet->resend, strata_now(stack) + PACKET_RESEND_PAUSE);
}

static int packet_tx_enqueue(struct packet *packet, struct strata_pkt *pkt)
{
	if (packet->tx.count >= packet_config(packet)->backlog) {
		packet->iface->counters.tx_dropped++;
		strata_drop(packet->iface->driver, pkt, PACKET_DROP_QUEUE_FULL);
		return 0;
	}
	strata_pkt_enqueue(&packet->tx, pkt);
	return 0;
}

/* Ends a frame that packet_write() let go with `result`, neither 0 nor a reason to wait. */
static int packet_tx_end(struct packet *packet, struct strata_pkt *pkt, int result,
			 enum packet_drop reason)
{
	packet->iface->counters.tx_errors++;
	if (result == -EPROTO) {
		strata_drop(packet->iface->driver, pkt, reason);
		return 0;
	}
	strata_drop(packet->iface->driver, pkt, PACKET_DROP_LINK_DOWN);
	return result;
}

int packet_tx_send(struct packet *packet, struct strata_pkt *pkt)
{
	enum packet_drop reason = PACKET_DROP_REFUSED;
	bool super = pkt->seg_type != STRATA_SEG_NONE;
	int result;

	if (packet->tx.count != 0)
		return packet_tx_enqueue(packet, pkt);
	result = packet_write(packet, pkt, &reason);
	if (strata_likely(result == 0)) {
		if (super)
			strata_count(packet->iface->driver, PACKET_COUNTER_TX_SUPER, 1);
		strata_pkt_free(pkt);
		return 0;
	}
	if (packet_tx_may_wait(result)) {
		packet_tx_wait(packet, result);
		return packet_tx_enqueue(packet, pkt);
	}
	return packet_tx_end(packet, pkt, result, reason);
}

int packet_tx_resend(struct packet *packet)
{
	enum packet_drop reason = PACKET_DROP_REFUSED;

	while (packet->tx.count != 0) {
		struct strata_pkt *pkt = packet->tx.head;
		int result = packet_write(packet, pkt, &reason);

		if (packet_tx_may_wait(result)) {
			if (result != -EAGAIN)
				strata_watch_set(packet->iface->stack, &packet->watch, EPOLLIN);
			packet_tx_wait(packet, result);
			return 0;
		}
		pkt = strata_pkt_dequeue(&packet->tx);
		if (result == 0) {
			strata_pkt_free(pkt);
			continue;
		}
		result = packet_tx_end(packet, pkt, result, reason);
		if (result < 0) {
			/* Of a device that is up again when it is looked at nobody else would tell. */
			strata_timer_start(packet->iface->stack, &packet->resend,
					   strata_now(packet->iface->stack) + PACKET_RESEND_PAUSE);
			return result;
		}
	}
	strata_watch_set(packet->iface->stack, &packet->watch, EPOLLIN);
	strata_iface_wake(packet->iface);
	return 0;
}
