/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UDP sockets: binding, connecting, receiving, as udp(7) and RFC 1122 4.1.4 describe them.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "udp_int.h"

void udp_update_events(struct udp_socket *us, uint32_t edge)
{
	uint32_t events = us->writable.link == NULL ? EPOLLOUT : 0;

	if (us->rx.head != NULL)
		events |= EPOLLIN;
	if ((us->sock.shutdown & UDP_SHUT_RECEIVE) != 0)
		events |= EPOLLIN | EPOLLRDHUP;
	if (us->sock.shutdown == (UDP_SHUT_RECEIVE | UDP_SHUT_SEND))
		events |= EPOLLHUP;
	if (us->sock.error != 0)
		events |= EPOLLERR;
	strata_socket_set_events(&us->sock, events, edge);
}

/* The device takes more again, or the way may be another. */
static void tell_writable(struct strata_stack *stack, struct strata_work *work)
{
	struct udp_socket *us = strata_container_of(work, struct udp_socket, writable);

	(void)stack;
	udp_update_events(us, EPOLLOUT);
}

/* ---- life ---- */

int udp_socket_open(struct strata_socket *sock)
{
	const struct udp_config *config = sock->transport->config;

	sock->rcvbuf = (uint32_t)config->rcvbuf;
	udp_socket_of(sock)->writable.run = tell_writable;
	udp_join_open(udp_socket_of(sock));
	udp_update_events(udp_socket_of(sock), 0);
	return 0;
}

void udp_socket_close(struct strata_socket *sock)
{
	struct udp_socket *us = udp_socket_of(sock);

	udp_join_leave(us);
	strata_work_cancel(sock->stack, &us->writable);
	udp_set_gro(us, false);
	strata_pkt_queue_purge(&us->rx);
	strata_dst_release(&us->way.dst);
	strata_socket_free(sock);
}

/* True for a unicast address of this host: one that may be a source. A socket may also be bound to a
 * group or a broadcast address, to receive what is sent there. */
static bool is_own_unicast(struct strata_stack *stack, const struct strata_addr *addr)
{
	struct strata_iface *iface;

	if (strata_addr_is_any(addr))
		return false;
	if (strata_ifaddr_find(stack, addr) != NULL)
		return true;
	for (iface = strata_iface_next(stack, NULL); iface != NULL;
	     iface = strata_iface_next(stack, iface))
		if (strata_addr_locality(iface, addr) == STRATA_LOCAL_UNICAST)
			return true;
	return false;
}

int udp_socket_bound(struct strata_socket *sock)
{
	struct udp_socket *us = udp_socket_of(sock);

	us->from_bound = is_own_unicast(sock->stack, &sock->flow.key.local);
	return strata_flow_listen(sock->stack, &sock->flow);
}

/* ---- connecting ---- */

/* Enters the flow in the table again, with the ends that `key` says. */
static int reenter(struct strata_socket *sock, const struct strata_flow_key *key)
{
	strata_flow_remove(sock->stack, &sock->flow);
	sock->flow.key = *key;
	return strata_addr_is_set(&key->remote) ? strata_flow_add(sock->stack, &sock->flow) :
		strata_flow_listen(sock->stack, &sock->flow);
}

int udp_connect(struct strata_socket *sock, const struct strata_addr *addr, uint16_t port)
{
	struct udp_socket *us = udp_socket_of(sock);
	struct strata_flow_key before, key;
	struct strata_addr from = { 0 };
	int err = strata_socket_autobind(sock);

	/* As Linux: EAGAIN where no ephemeral port is free. */
	if (err < 0)
		return err == -EADDRNOTAVAIL ? -EAGAIN : err;
	udp_join_leave(us);
	if (us->from_bound)
		from = sock->port.local;
	err = udp_route(us, addr, &from, udp_bound_iface(us, addr));
	if (err < 0)
		return err;
	if (us->way.dst.kind == STRATA_DST_BROADCAST && (sock->options & STRATA_SO_BROADCAST) == 0)
		return -EACCES;
	before = key = sock->flow.key;
	/* Who is bound to a group goes on receiving what is sent to it. */
	key.local = strata_addr_is_any(&sock->port.local) ? us->way.src : sock->port.local;
	key.remote = *addr;
	key.remote_port = port;
	err = reenter(sock, &key);
	if (err < 0)
		reenter(sock, &before);
	return err;
}

int udp_disconnect(struct strata_socket *sock)
{
	struct strata_flow_key key = sock->flow.key;

	if (!strata_addr_is_set(&key.remote))
		return 0;
	udp_join_leave(udp_socket_of(sock));
	memset(&key.remote, 0, sizeof(key.remote));
	key.remote_port = 0;
	key.local = sock->port.local;
	if (sock->bound != 0)
		return reenter(sock, &key);
	/* As Linux: a port that was chosen for the connection goes with it. */
	strata_flow_remove(sock->stack, &sock->flow);
	strata_port_release(sock->stack, &sock->port);
	memset(&key.local, 0, sizeof(key.local));
	key.local_port = 0;
	sock->flow.key = key;
	return 0;
}

int udp_shutdown(struct strata_socket *sock, int how)
{
	if (how != SHUT_WR)
		sock->shutdown |= UDP_SHUT_RECEIVE;
	if (how != SHUT_RD)
		sock->shutdown |= UDP_SHUT_SEND;
	udp_update_events(udp_socket_of(sock), 0);
	/* As Linux: it is done all the same. */
	return strata_addr_is_set(&sock->flow.key.remote) ? 0 : -ENOTCONN;
}

void udp_abort(struct strata_flow *flow, int error)
{
	struct strata_socket *sock = strata_container_of(flow, struct strata_socket, flow);

	strata_flow_remove(sock->stack, flow);
	strata_socket_set_error(sock, error);
}

/* ---- receiving ---- */

static uint32_t copy_out(const struct strata_pkt *pkt, const struct msghdr *msg)
{
	size_t i, room = 0;

	if (strata_likely(msg->msg_iovlen == 1 && pkt->frag_count == 0)) {
		room = msg->msg_iov->iov_len < pkt->len ? msg->msg_iov->iov_len : pkt->len;
		if (room != 0)
			memcpy(msg->msg_iov->iov_base, pkt->data, room);
		return (uint32_t)room;
	}
	for (i = 0; i < msg->msg_iovlen; i++)
		room += msg->msg_iov[i].iov_len;
	if (room > strata_pkt_length(pkt))
		room = strata_pkt_length(pkt);
	return strata_pkt_read_iov(pkt, 0, msg->msg_iov, msg->msg_iovlen, 0, (uint32_t)room);
}

ssize_t udp_recv(struct strata_socket *sock, struct msghdr *msg, struct strata_addr *from,
		 uint16_t *port, int flags)
{
	struct udp_socket *us = udp_socket_of(sock);
	struct strata_pkt *pkt = us->rx.head;
	const size_t room = msg->msg_controllen;
	uint32_t copied, length;
	int err;

	if ((flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	err = sock->error == 0 ? 0 : strata_socket_take_error(sock);
	if (err < 0)
		return err;
	if (pkt == NULL) {
		msg->msg_controllen = 0;
		return (sock->shutdown & UDP_SHUT_RECEIVE) != 0 ? 0 : -EAGAIN;
	}
	length = strata_pkt_length(pkt);
	copied = copy_out(pkt, msg);
	if (copied < length)
		msg->msg_flags |= MSG_TRUNC;
	if ((pkt->flags & STRATA_PKT_MANY) != 0)
		msg->msg_flags |= STRATA_MSG_MANY;
	strata_socket_control(sock, pkt, msg);
	if (us->gro)
		udp_put_control(pkt, msg, room);
	*from = pkt->src;
	*port = udp_cb(pkt)->source_port;
	if ((flags & MSG_PEEK) == 0) {
		strata_pkt_free(strata_pkt_dequeue(&us->rx));
		/* While there are more, nothing that holds has changed. */
		if (us->rx.head == NULL)
			udp_update_events(us, 0);
	}
	return (ssize_t)((flags & MSG_TRUNC) != 0 ? length : copied);
}

int udp_ioctl(struct strata_socket *sock, unsigned long request, int *value)
{
	const struct strata_pkt *first = udp_socket_of(sock)->rx.head;

	switch (request) {
	case SIOCINQ:
		/* udp(7): the size of the next datagram. */
		*value = first != NULL ? (int)strata_pkt_length(first) : 0;
		return 0;
	case SIOCOUTQ:
		*value = 0;
		return 0;
	default:
		return -ENOTTY;
	}
}

/* ---- the rest ---- */

void udp_option_changed(struct strata_socket *sock, int name)
{
	if (name == SO_BINDTODEVICE || name == SO_BINDTOIFINDEX || name == SO_DONTROUTE)
		strata_dst_release(&udp_socket_of(sock)->way.dst);
}

void udp_describe(const struct strata_flow *flow, const char **state, uint32_t *rx_queue,
		  uint32_t *tx_queue)
{
	const struct strata_flow *f = flow;
	const struct udp_socket *us = strata_container_of(f, struct udp_socket, sock.flow);

	*state = strata_addr_is_set(&flow->key.remote) ? "CONNECTED" : "UNCONNECTED";
	*rx_queue = us->rx.bytes;
	*tx_queue = 0;
}
