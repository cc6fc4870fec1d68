/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams out: destination, source and way as RFC 1122 4.1.3.5 and 4.1.4 and Linux's udp(7) have
 * them. What is sent is handed down at once; nothing is queued here.
 */
#include <errno.h>
#include <linux/net_tstamp.h>

#include "udp_int.h"

/* Payload put into the packet's linear part; more goes to chunks. */
#define HEADROOM (STRATA_HEADROOM + UDP_HEADER_SIZE)
#define LINEAR_MAX (STRATA_PKT_LARGE - HEADROOM)

struct strata_iface *udp_bound_iface(const struct udp_socket *us, const struct strata_addr *to)
{
	const struct strata_socket *sock = &us->sock;
	const struct strata_address_ops *ops;

	if (sock->mcast_iface == 0 || sock->flow.iface != NULL)
		return sock->flow.iface;
	ops = strata_address_ops(sock->stack, to->family);
	if (ops == NULL || ops->classify(to) != STRATA_ADDR_MULTICAST)
		return NULL;
	return strata_iface_by_index(sock->stack, sock->mcast_iface);
}

int udp_route(struct udp_socket *us, const struct strata_addr *to, const struct strata_addr *from,
	      struct strata_iface *bound)
{
	struct udp_way *way = &us->way;
	struct strata_stack *stack = us->sock.stack;
	int err;

	if (strata_dst_valid(stack, &way->dst) && way->bound == bound &&
	    strata_addr_equal(&way->to, to) && strata_addr_equal(&way->from, from))
		return 0;
	udp_join_leave(us);
	us->waiting.length = 0;
	way->src = *from;
	err = strata_route_output(stack, to, strata_addr_is_set(from) ? from : NULL, bound,
				  &way->dst, &way->src);
	if (err < 0) {
		strata_dst_release(&way->dst);
		return err;
	}
	way->to = *to;
	way->from = *from;
	way->bound = bound;
	return 0;
}

static int iov_length(const struct msghdr *msg, uint32_t *length)
{
	size_t i, total = 0;

	for (i = 0; i < msg->msg_iovlen; i++)
		total += msg->msg_iov[i].iov_len;
	if (total > STRATA_PKT_MAX)
		return -EMSGSIZE;
	*length = (uint32_t)total;
	return 0;
}

/* What can be told before anything is looked up, in Linux's order. */
static int check(struct strata_socket *sock, const struct msghdr *msg, const struct strata_addr *to,
		 uint16_t port, int flags, struct udp_datagram *d)
{
	int err = iov_length(msg, &d->length);

	if (err < 0)
		return err;
	if ((flags & (MSG_OOB | MSG_MORE)) != 0)
		return -EOPNOTSUPP;
	if (to == NULL && !strata_addr_is_set(&sock->flow.key.remote))
		return -EDESTADDRREQ;
	/* RFC 768: port 0 as a source means none; as a destination it means nothing. */
	if (to != NULL && port == 0)
		return -EINVAL;
	if ((sock->shutdown & UDP_SHUT_SEND) != 0)
		return -EPIPE;
	return sock->error == 0 ? 0 : strata_socket_take_error(sock);
}

/* Where to, from where and how, with what the control messages say. */
static int address(struct udp_socket *us, const struct msghdr *msg, const struct strata_addr *to,
		   uint16_t port, struct udp_datagram *d)
{
	struct strata_socket *sock = &us->sock;
	struct strata_instance *network = sock->network;
	int err = sock->port.link != NULL ? 0 : strata_socket_autobind(sock);

	/* As Linux: sendmsg(2) says EAGAIN where no ephemeral port is free. */
	if (err < 0)
		return err == -EADDRNOTAVAIL ? -EAGAIN : err;
	strata_socket_tx(sock, &d->tx);
	d->port = sock->flow.key.remote_port;
	if (to != NULL) {
		d->tx.dst = *to;
		d->port = port;
	}
	/* A group or "any" that was bound is no source; the one a connection chose is. */
	if (!us->from_bound && (!strata_addr_is_set(&sock->flow.key.remote) ||
				!strata_addr_is_any(&sock->port.local)))
		memset(&d->tx.src, 0, sizeof(d->tx.src));
	d->bound = strata_likely(sock->mcast_iface == 0) ? sock->flow.iface : udp_bound_iface(us, &d->tx.dst);
	if (msg->msg_controllen == 0 || network->module->network->control_get == NULL)
		return 0;
	return network->module->network->control_get(network, sock, msg, &d->tx, &d->bound);
}

/* Finds the way and what it forbids or changes. */
static int route(struct udp_socket *us, struct udp_datagram *d)
{
	struct strata_socket *sock = &us->sock;
	uint32_t headers;
	int err = udp_route(us, &d->tx.dst, &d->tx.src, d->bound);

	if (err < 0)
		return err;
	if (us->way.dst.kind == STRATA_DST_BROADCAST && (sock->options & STRATA_SO_BROADCAST) == 0)
		return -EACCES;
	d->local_only = us->way.dst.kind == STRATA_DST_MULTICAST && sock->mcast_ttl == 0;
	if (us->way.dst.kind == STRATA_DST_MULTICAST && d->tx.ttl == sock->ttl)
		d->tx.ttl = d->local_only ? 1 : sock->mcast_ttl;
	headers = us->way.dst.network->module->network->header_size + UDP_HEADER_SIZE;
	if (d->length > STRATA_PKT_MAX - headers)
		return -EMSGSIZE;
	d->tx.src = us->way.src;
	return strata_likely(d->segment == 0) ? 0 : udp_segment_fits(&us->way.dst, d->segment);
}

/* May the sum be left to the device, or does the datagram never leave this machine? Not where it will
 * be fragmented: a fragment's device could not make it. */
bool udp_checksum_partial(const struct strata_dst *dst, uint32_t length)
{
	uint32_t headers = dst->network->module->network->header_size + UDP_HEADER_SIZE;

	if (dst->kind == STRATA_DST_LOCAL || (dst->iface->flags & STRATA_IFACE_LOOPBACK) != 0)
		return true;
	return (dst->iface->caps & STRATA_CAP_TX_CSUM) != 0 && headers + length <= dst->mtu;
}

static struct strata_pkt *build(struct udp_socket *us, const struct msghdr *msg,
				const struct udp_datagram *d)
{
	struct strata_stack *stack = us->sock.stack;
	struct strata_pkt *pkt;

	/* Payload of several is in chunks, which they can share. */
	pkt = strata_pkt_alloc(stack, HEADROOM, d->length <= LINEAR_MAX && d->segment == 0 ? d->length : 0);
	if (pkt == NULL)
		return NULL;
	if (d->segment != 0) {
		/* Cut by the device, or just before it. */
		pkt->seg_type = STRATA_SEG_DATAGRAM;
		pkt->seg_size = d->segment;
	}
	if (udp_append(pkt, msg, d->length) < 0 ||
	    udp_emit(pkt, &d->tx, us->sock.flow.key.local_port, d->port,
		     d->segment != 0 || udp_checksum_partial(&us->way.dst, d->length)) < 0) {
		strata_pkt_free(pkt);
		return NULL;
	}
	if ((us->sock.options & STRATA_SO_MCAST_LOOP) == 0 &&
	    us->way.dst.kind == STRATA_DST_MULTICAST)
		pkt->flags |= STRATA_PKT_NO_LOOP;
	return pkt;
}

/* Who asked is told when it is handed down, and when a driver takes it. */
static void stamp(struct udp_socket *us, struct strata_pkt *pkt, const struct udp_datagram *d)
{
	bool numbered = (strata_socket_stamping(&us->sock) & SOF_TIMESTAMPING_OPT_ID) != 0;
	uint32_t key = numbered ? strata_socket_stamp_key(&us->sock) : 0;

	if ((d->stamps & SOF_TIMESTAMPING_TX_SCHED) != 0)
		strata_socket_stamp(&us->sock, SCM_TSTAMP_SCHED, key, pkt);
	if ((d->stamps & SOF_TIMESTAMPING_TX_SOFTWARE) != 0)
		strata_socket_stamp_sent(&us->sock, pkt, key);
}

static int transmit(struct udp_socket *us, struct strata_pkt *pkt, const struct udp_datagram *d)
{
	struct strata_instance *self = us->sock.transport;
	struct strata_dst dst = us->way.dst;	/* borrows its references */
	int err;

	udp_trace_out(us, pkt, d, "");
	if (d->stamps != 0)
		stamp(us, pkt, d);
	/* RFC 1112 6.1: such a datagram must not leave the host. */
	if (d->local_only) {
		dst.kind = STRATA_DST_LOCAL;
		if ((pkt->flags & STRATA_PKT_NO_LOOP) != 0) {
			strata_pkt_free(pkt);
			return 0;
		}
	}
	err = strata_network_output(&dst, pkt, &d->tx);
	if (err == 0) {
		strata_count(self, UDP_COUNT_OUT_DATAGRAMS,
			     d->segment == 0 ? 1 : (d->length + d->segment - 1) / d->segment);
		return 0;
	}
	strata_count(self, UDP_COUNT_OUT_ERRORS, 1);
	/* As Linux: a queue that was full below is told only to those who asked for errors. */
	return err == -ENOBUFS && (us->sock.options & STRATA_SO_RECVERR) == 0 ? 0 : err;
}

/* Nothing is queued here: while the device takes no more, the application waits. */
static int held_up(struct udp_socket *us)
{
	const bool stopped = (us->way.dst.iface->flags & STRATA_IFACE_STOPPED) != 0;

	if (strata_likely(!stopped) || us->way.dst.kind == STRATA_DST_LOCAL)
		return 0;
	/* Who waits already keeps its place. */
	if (us->writable.link == NULL)
		strata_iface_wait(us->way.dst.iface, &us->writable);
	udp_update_events(us, 0);
	return -EAGAIN;
}

ssize_t udp_send(struct strata_socket *sock, const struct msghdr *msg, const struct strata_addr *to,
		 uint16_t port, int flags)
{
	struct udp_socket *us = udp_socket_of(sock);
	struct strata_zerocopy *zerocopy = NULL;
	struct udp_datagram d = { 0 };
	struct strata_pkt *pkt;
	int err;

	err = check(sock, msg, to, port, flags, &d);
	if (err == 0)
		err = address(us, msg, to, port, &d);
	if (err == 0 && (us->segment != 0 || msg->msg_controllen != 0))
		err = udp_segment_size(us, msg, d.length, &d.segment);
	if (err == 0)
		err = route(us, &d);
	if (err == 0 && (sock->extra != NULL || msg->msg_controllen != 0))
		err = strata_socket_send_stamps(sock, msg, &d.stamps);
	if (err == 0)
		err = held_up(us);
	if (err < 0)
		return err;
	if ((flags & MSG_CONFIRM) != 0 && us->way.dst.neigh != NULL)
		strata_neigh_confirm(sock->stack, us->way.dst.neigh);
	if (udp_join(us, msg, &d, flags))
		return (ssize_t)d.length;
	pkt = build(us, msg, &d);
	if (pkt == NULL)
		return -ENOBUFS;
	/* A datagram is copied, which Linux lets a stack tell, too. */
	if ((flags & MSG_ZEROCOPY) != 0 && (sock->options & STRATA_SO_ZEROCOPY) != 0) {
		err = strata_zerocopy_begin(sock, &zerocopy);
		if (err < 0) {
			strata_pkt_free(pkt);
			return err;
		}
		strata_zerocopy_copied(zerocopy);
	}
	err = transmit(us, pkt, &d);
	if (err >= 0 && d.segment == 0)
		udp_join_sent(us, &d);
	if (zerocopy != NULL)
		strata_zerocopy_end(zerocopy, err >= 0);
	return err < 0 ? err : (ssize_t)d.length;
}
