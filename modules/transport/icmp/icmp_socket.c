/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Echo sockets: an application sends echo requests and gets the replies with its identifier,
 * without privilege, as with Linux's ping sockets (icmp(7)). The identifier is the local port.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include "icmp_int.h"

/* Largest message: a network packet less its header. */
#define MESSAGE_MAX (STRATA_PKT_MAX - 20)
/* Bits of strata_socket.shutdown. */
#define SHUT_RECEIVE 1
#define SHUT_SEND 2

static struct icmp_socket *socket_of(struct strata_socket *sock)
{
	return strata_container_of(sock, struct icmp_socket, sock);
}

/* Tells what holds now; `edge` is told again. */
static void update_events(struct icmp_socket *s, uint32_t edge)
{
	uint32_t events = EPOLLOUT;

	if (s->received.count != 0)
		events |= EPOLLIN;
	if ((s->sock.shutdown & SHUT_RECEIVE) != 0)
		events |= EPOLLIN | EPOLLRDHUP;
	if (s->sock.shutdown == (SHUT_RECEIVE | SHUT_SEND))
		events |= EPOLLHUP;
	if (s->sock.error != 0)
		events |= EPOLLERR;
	strata_socket_set_events(&s->sock, events, edge);
}

/* ---- from below ---- */

enum strata_verdict icmp_socket_input(struct strata_instance *self, struct strata_pkt *pkt)
{
	uint16_t id = strata_get_be16(pkt->data + ICMP_ID);
	struct strata_flow *flow;
	struct icmp_socket *s;

	if ((pkt->flags & STRATA_PKT_MANY) != 0)
		return strata_drop(self, pkt, ICMP_DROP_REPLY_TO_MANY);
	flow = strata_flow_find(pkt, id, 0);
	if (flow == NULL)
		return strata_drop(self, pkt, ICMP_DROP_REPLY_UNASKED);
	s = socket_of(strata_container_of(flow, struct strata_socket, flow));
	if ((s->sock.shutdown & SHUT_RECEIVE) != 0)
		return strata_drop(self, pkt, ICMP_DROP_REPLY_UNASKED);
	if (s->received.bytes + strata_pkt_truesize(pkt) > s->sock.rcvbuf)
		return strata_drop(self, pkt, ICMP_DROP_SOCKET_FULL);
	strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_UINT("id", id),
			    STRATA_FIELD_SOCKET("socket", &s->sock)), "echo reply, queued");
	strata_pkt_enqueue(&s->received, pkt);
	update_events(s, EPOLLIN);
	return STRATA_ACCEPTED;
}

/* The socket that sent the quoted request; NULL: none. */
static struct strata_socket *error_socket(struct strata_instance *self,
					  const struct strata_transport_error *error)
{
	struct strata_flow_key key = {
		.local = error->quote.src, .remote = error->quote.dst,
		.number = error->quote.number,
	};
	const struct strata_ifaddr *ifaddr = strata_ifaddr_find(self->stack, &key.local);
	const struct strata_iface *iface = ifaddr != NULL ? ifaddr->iface : NULL;
	struct strata_flow *flow;

	if (error->payload_length < ICMP_HEADER_SIZE ||
	    error->payload[ICMP_TYPE] != ICMP_ECHO_REQUEST)
		return NULL;
	key.local_port = strata_get_be16(error->payload + ICMP_ID);
	flow = strata_flow_exact(self->stack, &key, iface);
	if (flow == NULL)
		flow = strata_flow_listener(self->stack, &key, iface);
	return flow != NULL ? strata_container_of(flow, struct strata_socket, flow) : NULL;
}

void icmp_socket_error(struct strata_instance *self, const struct strata_transport_error *error)
{
	struct strata_socket *sock = error_socket(self, error);
	const struct strata_network_ops *network;

	if (sock == NULL)
		return;
	network = sock->network->module->network;
	if (error->kind == STRATA_ERR_TOO_BIG) {
		/* It asked for no discovery, and what it sends may be fragmented on the way. */
		if (sock->df == STRATA_DF_DONT)
			return;
		if (!error->local && network->path_mtu_learn != NULL)
			network->path_mtu_learn(sock->network, &error->quote.dst, error->info);
	}
	/* As Linux: one that speaks to many hears only of what it asked for. */
	if (!strata_addr_is_set(&sock->flow.key.remote) &&
	    (sock->options & STRATA_SO_RECVERR) == 0)
		return;
	if ((sock->options & STRATA_SO_RECVERR) != 0)
		strata_socket_report_error(sock, error, &error->quote.dst, 0, ICMP_HEADER_SIZE);
	strata_socket_set_error(sock, strata_net_error_errno(error->kind));
}

/* ---- life ---- */

int icmp_socket_open(struct strata_socket *sock)
{
	update_events(socket_of(sock), 0);
	return 0;
}

void icmp_socket_close(struct strata_socket *sock)
{
	strata_pkt_queue_purge(&socket_of(sock)->received);
	strata_socket_free(sock);
}

int icmp_socket_bound(struct strata_socket *sock)
{
	const struct strata_addr *local = &sock->flow.key.local;
	const struct strata_address_ops *ops = strata_address_ops(sock->stack, local->family);

	/* As Linux: what answers an echo is one host, and the local end is where it answers to. */
	if (ops == NULL)
		return -EADDRNOTAVAIL;
	if (!strata_addr_is_any(local) && strata_ifaddr_find(sock->stack, local) == NULL &&
	    ops->classify(local) != STRATA_ADDR_LOOPBACK)
		return -EADDRNOTAVAIL;
	return strata_flow_listen(sock->stack, &sock->flow);
}

/* Puts the socket back to hearing everybody. */
static void forget_remote(struct strata_socket *sock)
{
	strata_flow_remove(sock->stack, &sock->flow);
	memset(&sock->flow.key.remote, 0, sizeof(sock->flow.key.remote));
	sock->flow.key.local = sock->port.local;
}

int icmp_socket_connect(struct strata_socket *sock, const struct strata_addr *addr, uint16_t port)
{
	struct strata_dst dst = { .network = NULL };
	struct strata_addr src = { .family = 0 };
	int result = strata_socket_autobind(sock);

	(void)port;
	if (result != 0)
		return result;
	src = sock->port.local;
	result = strata_route_output(sock->stack, addr, &src, sock->flow.iface, &dst, &src);
	if (result == 0 && dst.kind == STRATA_DST_BROADCAST &&
	    (sock->options & STRATA_SO_BROADCAST) == 0)
		result = -EACCES;
	strata_dst_release(&dst);
	if (result != 0)
		return result;
	forget_remote(sock);
	sock->flow.key.local = src;
	sock->flow.key.remote = *addr;
	result = strata_flow_add(sock->stack, &sock->flow);
	if (result == 0)
		return 0;
	forget_remote(sock);
	strata_flow_listen(sock->stack, &sock->flow);
	return result;
}

int icmp_socket_disconnect(struct strata_socket *sock)
{
	if (!strata_addr_is_set(&sock->flow.key.remote))
		return 0;
	forget_remote(sock);
	return strata_flow_listen(sock->stack, &sock->flow);
}

int icmp_socket_shutdown(struct strata_socket *sock, int how)
{
	if (!strata_addr_is_set(&sock->flow.key.remote))
		return -ENOTCONN;
	if (how != SHUT_WR)
		sock->shutdown |= SHUT_RECEIVE;
	if (how != SHUT_RD)
		sock->shutdown |= SHUT_SEND;
	update_events(socket_of(sock), 0);
	return 0;
}

/* ---- send ---- */

static size_t message_length(const struct msghdr *msg)
{
	size_t i, length = 0;

	for (i = 0; i < msg->msg_iovlen; i++)
		length += msg->msg_iov[i].iov_len;
	return length;
}

/* The request as the application wrote it, with our identifier and checksum. Returns 0 or
 * -errno. */
static int make_request(struct strata_socket *sock, const struct msghdr *msg, size_t length,
			struct strata_pkt **out)
{
	const uint32_t most = STRATA_PKT_LARGE - STRATA_HEADROOM;
	struct strata_pkt *pkt;
	uint8_t *p;

	if (length > MESSAGE_MAX)
		return -EMSGSIZE;
	if (length < ICMP_HEADER_SIZE)
		return -EINVAL;
	pkt = strata_pkt_alloc(sock->stack, STRATA_HEADROOM,
			       length < most ? (uint32_t)length : most);
	if (pkt == NULL)
		return -ENOBUFS;
	if (strata_pkt_append_iov(pkt, msg->msg_iov, msg->msg_iovlen, 0, (uint32_t)length) != 0) {
		strata_pkt_free(pkt);
		return -ENOBUFS;
	}
	p = strata_pkt_header(pkt, ICMP_HEADER_SIZE);
	if (p[ICMP_TYPE] != ICMP_ECHO_REQUEST || p[ICMP_CODE] != 0) {
		strata_pkt_free(pkt);
		return -EINVAL;
	}
	strata_put_be16(p + ICMP_ID, sock->flow.key.local_port);
	icmp_checksum(pkt);
	pkt->transport_offset = (uint16_t)strata_pkt_headroom(pkt);
	*out = pkt;
	return 0;
}

/* Fills in whom to send to and how. Returns 0 or -errno; `*dst` is then to be released. */
static int find_way(struct strata_socket *sock, const struct msghdr *msg, struct strata_tx *tx,
		    struct strata_dst *dst)
{
	const struct strata_network_ops *network = sock->network->module->network;
	const struct strata_address_ops *address = strata_address_ops(sock->stack, sock->family);
	struct strata_iface *bound = sock->flow.iface;
	int result = 0;

	if (address != NULL && address->classify(&tx->dst) == STRATA_ADDR_MULTICAST) {
		tx->ttl = sock->mcast_ttl;
		if (bound == NULL)
			bound = strata_iface_by_index(sock->stack, sock->mcast_iface);
	}
	if (msg->msg_controllen != 0 && network->control_get != NULL)
		result = network->control_get(sock->network, sock, msg, tx, &bound);
	if (result == 0)
		result = strata_route_output(sock->stack, &tx->dst, &tx->src, bound, dst, &tx->src);
	if (result == 0 && dst->kind == STRATA_DST_BROADCAST &&
	    (sock->options & STRATA_SO_BROADCAST) == 0)
		result = -EACCES;
	/* Of a group's members, those on this host. */
	if (result == 0 && dst->kind == STRATA_DST_MULTICAST && sock->mcast_ttl == 0)
		dst->kind = STRATA_DST_LOCAL;
	return result;
}

ssize_t icmp_socket_send(struct strata_socket *sock, const struct msghdr *msg,
			 const struct strata_addr *to, uint16_t port, int flags)
{
	struct strata_instance *self = sock->transport;
	struct strata_dst dst = { .network = NULL };
	size_t length = message_length(msg);
	struct strata_pkt *pkt = NULL;
	struct strata_tx tx;
	int result = strata_socket_take_error(sock);

	(void)port;
	if (result != 0)
		return result;
	if ((flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	if ((sock->shutdown & SHUT_SEND) != 0)
		return -EPIPE;
	if (to == NULL && !strata_addr_is_set(&sock->flow.key.remote))
		return -EDESTADDRREQ;
	result = strata_socket_autobind(sock);
	if (result != 0)
		return result;
	strata_socket_tx(sock, &tx);
	if (to != NULL)
		tx.dst = *to;
	result = find_way(sock, msg, &tx, &dst);
	if (result == 0)
		result = make_request(sock, msg, length, &pkt);
	if (result == 0) {
		if ((sock->options & STRATA_SO_MCAST_LOOP) == 0 && dst.kind == STRATA_DST_MULTICAST)
			pkt->flags |= STRATA_PKT_NO_LOOP;
		strata_trace(self, pkt, "echo request id %u seq %u to %s",
			     strata_get_be16(pkt->data + ICMP_ID),
			     strata_get_be16(pkt->data + ICMP_SEQUENCE),
			     strata_addr_text(self->stack, &tx.dst));
		strata_count(self, ICMP_OUT_MSGS, 1);
		strata_count(self, ICMP_OUT_ECHOS, 1);
		result = strata_network_output(&dst, pkt, &tx);
		strata_count(self, ICMP_OUT_ERRORS, result != 0);
	}
	strata_dst_release(&dst);
	return result != 0 ? result : (ssize_t)length;
}

/* ---- receive ---- */

ssize_t icmp_socket_recv(struct strata_socket *sock, struct msghdr *msg, struct strata_addr *from,
			 uint16_t *port, int flags)
{
	struct icmp_socket *s = socket_of(sock);
	struct strata_pkt *pkt = s->received.head;
	uint32_t length, n;
	int result;

	/* There is no error queue: what went wrong is told by SO_ERROR and by the next call. */
	if ((flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	result = strata_socket_take_error(sock);
	if (result != 0)
		return result;
	if (pkt == NULL) {
		if ((sock->shutdown & SHUT_RECEIVE) == 0)
			return -EAGAIN;
		msg->msg_controllen = 0;
		return 0;
	}
	length = strata_pkt_length(pkt);
	n = strata_pkt_read_iov(pkt, 0, msg->msg_iov, msg->msg_iovlen, 0, length);
	if (n < length)
		msg->msg_flags |= MSG_TRUNC;
	strata_socket_control(sock, pkt, msg);
	*from = pkt->src;
	*port = 0;
	if ((flags & MSG_PEEK) == 0) {
		strata_pkt_free(strata_pkt_dequeue(&s->received));
		update_events(s, 0);
	}
	return (flags & MSG_TRUNC) != 0 ? (ssize_t)length : (ssize_t)n;
}

int icmp_socket_ioctl(struct strata_socket *sock, unsigned long request, int *value)
{
	const struct icmp_socket *s = socket_of(sock);

	switch (request) {
	case SIOCINQ:
		*value = s->received.head != NULL ? (int)strata_pkt_length(s->received.head) : 0;
		return 0;
	case SIOCOUTQ:
		*value = 0;
		return 0;
	default:
		return -ENOTTY;
	}
}

void icmp_socket_describe(const struct strata_flow *flow, const char **state, uint32_t *rx_queue,
			  uint32_t *tx_queue)
{
	const struct strata_socket *sock =
		strata_container_of(flow, const struct strata_socket, flow);
	const struct icmp_socket *s = strata_container_of(sock, const struct icmp_socket, sock);

	*state = strata_addr_is_set(&flow->key.remote) ? "ESTABLISHED" : "UNCONNECTED";
	*rx_queue = s->received.bytes;
	*tx_queue = 0;
}

/* The address or interface under the socket went. */
void icmp_socket_abort(struct strata_flow *flow, int error)
{
	struct strata_socket *sock = strata_container_of(flow, struct strata_socket, flow);

	strata_flow_remove(sock->stack, flow);
	strata_socket_set_error(sock, error);
}
