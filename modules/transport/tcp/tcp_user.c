/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The user's calls: OPEN, SEND, RECEIVE, CLOSE, ABORT (RFC 9293 3.10.1 to 3.10.5), in the shape and with
 * the errors of Linux's sockets.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include "tcp_int.h"

/* local choice: bytes written at once before what can leave does. Two super-packets, so that the device's part of
 * the cache holds them. */
#define PUSH_BYTES (UINT32_C(128) * 1024)

/* ---- open ---- */

struct tcp_extra *tcp_extra(struct tcp_sock *tp)
{
	if (tp->extra == NULL)
		tp->extra = strata_alloc(tp->sock.stack, sizeof(*tp->extra));
	return tp->extra;
}

int tcp_extra_inherit(struct tcp_sock *tp, const struct tcp_sock *from)
{
	if (from->extra == NULL)
		return 0;
	if (tcp_extra(tp) == NULL)
		return -ENOMEM;
	tp->extra->algorithm = from->extra->algorithm;
	tp->extra->notsent_lowat = from->extra->notsent_lowat;
	tp->extra->window_clamp = from->extra->window_clamp;
	tp->extra->linger2 = from->extra->linger2;
	return 0;
}

int tcp_open(struct strata_socket *sock)
{
	struct tcp_sock *tp = tcp_of(sock);
	const struct tcp_config *config = tcp_module_of(tp)->config;

	tp->state = TCP_CLOSED;
	tp->nodelay = !config->nagle;
	sock->rcvbuf = (uint32_t)config->rcvbuf;
	sock->sndbuf = (uint32_t)config->sndbuf;
	tcp_init_tcb(tp);
	tcp_events(tp, 0);
	return 0;
}

/* The ends of a connection about to be opened; claims a port where none is bound. */
static int choose_ends(struct tcp_sock *tp, const struct strata_addr *addr, uint16_t port)
{
	struct strata_socket *sock = &tp->sock;
	struct strata_flow_key *key = &sock->flow.key;
	bool bound = (sock->bound & STRATA_BOUND_ADDRESS) != 0;
	struct strata_addr src;
	int error;

	error = strata_route_output(sock->stack, addr, bound ? &sock->port.local : NULL,
				    sock->flow.iface, &tp->dst, &src);
	if (error < 0)
		return error;
	error = -ENETUNREACH;
	if (tp->dst.kind != STRATA_DST_UNICAST && tp->dst.kind != STRATA_DST_LOCAL)
		goto out_release;
	key->remote = *addr;
	key->remote_port = port;
	key->local = bound ? sock->port.local : src;
	key->number = (uint8_t)sock->transport->number;
	if (sock->port.link == NULL) {
		error = strata_port_claim_flow(sock->stack, &sock->port, key);
		if (error < 0)
			goto out_unset;
		tp->auto_port = true;
	}
	key->local_port = sock->port.port;
	error = strata_flow_add(sock->stack, &sock->flow);
	if (error == 0)
		return 0;
	error = -EADDRNOTAVAIL;
out_unset:
	memset(&key->remote, 0, sizeof(key->remote));
	key->remote_port = 0;
out_release:
	strata_dst_release(&tp->dst);
	return error;
}

/* All of the SYN but its sending. */
static void prepare_handshake(struct tcp_sock *tp)
{
	struct tcp_module *m = tcp_module_of(tp);
	const struct strata_flow_key *key = &tp->sock.flow.key;

	tp->iss = tcp_isn(m, key);
	tp->ts_offset = tcp_stamp_offset(m, key);
	tp->snd_una = tp->iss;
	tp->snd_nxt = tp->snd_end = tp->snd_sml = tp->iss + 1;
	tp->rcv_nxt = tp->rcv_adv = tp->rcv_wup = 0;
	tp->advmss = tcp_advertised_mss(&tp->dst, tp->user_mss);
	tcp_update_mss(tp);
	tcp_recovery_init(tp);
	tcp_set_state(tp, TCP_SYN_SENT);
	tcp_count(tp, TCP_COUNT_ACTIVE_OPENS, 1);
}

static void start_handshake(struct tcp_sock *tp)
{
	tcp_send_syn(tp);
	tcp_timer_retransmit(tp);
	tcp_events(tp, 0);
}

/* What connect() and a send() that connects have in common. */
static int begin_connect(struct tcp_sock *tp, const struct strata_addr *addr, uint16_t port)
{
	int error;

	/* As Linux: to the application it is connected. */
	if (tcp_fastopen_deferred(tp))
		return -EISCONN;
	if (tcp_in(tp, TCP_MASK(TCP_SYN_SENT) | TCP_MASK(TCP_SYN_RECEIVED)))
		return -EALREADY;
	if (tp->state != TCP_CLOSED)
		return -EISCONN;
	error = strata_socket_take_error(&tp->sock);
	if (error < 0)
		return error;
	/* As Linux: nobody can be there. */
	if (port == 0)
		return -ECONNREFUSED;
	tcp_rcvq_purge(tp);
	tcp_init_tcb(tp);
	error = choose_ends(tp, addr, port);
	if (error < 0) {
		tcp_events(tp, 0);
		return error;
	}
	prepare_handshake(tp);
	return 0;
}

int tcp_connect(struct strata_socket *sock, const struct strata_addr *addr, uint16_t port)
{
	struct tcp_sock *tp = tcp_of(sock);
	struct tcp_fastopen *fo = tcp_fastopen_of(tp);
	int error = begin_connect(tp, addr, port);

	if (error < 0)
		return error;
	if (fo != NULL && fo->connect && tcp_fastopen_enabled(tcp_module_of(tp)) &&
	    tcp_fastopen_choose(tp)) {
		/* TCP_FASTOPEN_CONNECT: the SYN waits for the first data. */
		fo->deferred = true;
		tcp_events(tp, 0);
		return 0;
	}
	start_handshake(tp);
	return -EINPROGRESS;
}

/* ---- send ---- */

static size_t iov_total(const struct msghdr *msg)
{
	size_t total = 0, i;

	for (i = 0; i < msg->msg_iovlen; i++)
		total += msg->msg_iov[i].iov_len;
	return total;
}

/* What stands against sending; 0: nothing. */
static int send_refused(struct tcp_sock *tp, int flags)
{
	int error = strata_socket_take_error(&tp->sock);

	if (error < 0)
		return error;
	if (tp->sock.shutdown & 2)
		return -EPIPE;
	if (tcp_in(tp, TCP_MASK(TCP_SYN_SENT) | TCP_MASK(TCP_SYN_RECEIVED)) && !tcp_fastopen_early(tp))
		return -EAGAIN;
	if (!tcp_in(tp, TCP_MAY_SEND) && !tcp_fastopen_early(tp))
		return -EPIPE;
	/* Urgent data is received in line, but not sent (RFC 6093 section 5). */
	return flags & MSG_OOB ? -EOPNOTSUPP : 0;
}

/* Opens the connection, and sends what goes into the SYN: MSG_FASTOPEN, or the first data after a connect() that
 * put it off. Returns the bytes taken, or -EINPROGRESS: none could be, it is opened all the same. */
static ssize_t send_in_syn(struct tcp_sock *tp, const struct msghdr *msg, const struct strata_addr *to,
			   uint16_t port)
{
	bool deferred = tcp_fastopen_deferred(tp), carries = deferred;
	uint64_t total = iov_total(msg);
	uint32_t room, done = 0;
	int error;

	if (!deferred) {
		if (!tcp_fastopen_enabled(tcp_module_of(tp)))
			return -EOPNOTSUPP;
		if (to == NULL && tp->state == TCP_CLOSED)
			return -EINVAL;
		error = begin_connect(tp, to, port);
		if (error < 0)
			return error;
		carries = tcp_fastopen_choose(tp);
	}
	if (carries) {
		tcp_fastopen_of(tp)->deferred = false;
		room = tcp_min32(tcp_fastopen_room(tp), tcp_sndq_room(tp));
		if (total != 0 && room != 0)
			done = tcp_sndq_write(tp, msg->msg_iov, msg->msg_iovlen, 0,
					      total < room ? (uint32_t)total : room);
		tcp_fastopen_of(tp)->data = (uint16_t)done;
	}
	start_handshake(tp);
	return done != 0 ? (ssize_t)done : -EINPROGRESS;
}

/* Copies up to `room` bytes. Super-packets that are full leave while the rest is still being written: the
 * device then copies them out of the processor's cache, where they are not found any more at the batch's end. */
static uint32_t copy_data(struct tcp_sock *tp, const struct msghdr *msg, uint32_t room)
{
	uint32_t done = 0, part, n;

	do {
		part = tcp_min32(room - done, PUSH_BYTES);
		n = tcp_sndq_write(tp, msg->msg_iov, msg->msg_iovlen, done, part);
		done += n;
		if (n == PUSH_BYTES && tp->state == TCP_ESTABLISHED) {
			tp->filling = true;
			tcp_output(tp);
			tp->filling = false;
		}
	} while (n == part && done < room && tcp_in(tp, TCP_MAY_SEND));
	return done;
}

/* Takes up to `room` bytes, by reference where that is asked for and allowed. Returns how many or -errno. */
static ssize_t take_data(struct tcp_sock *tp, const struct msghdr *msg, uint32_t room, int flags)
{
	struct strata_zerocopy *call;
	uint32_t done;
	int error;

	if ((flags & MSG_ZEROCOPY) == 0 || (tp->sock.options & STRATA_SO_ZEROCOPY) == 0) {
		done = copy_data(tp, msg, room);
	} else {
		error = strata_zerocopy_begin(&tp->sock, &call);
		if (error < 0)
			return error;
		done = tcp_sndq_lend(tp, msg->msg_iov, msg->msg_iovlen, room, call);
		strata_zerocopy_end(call, done != 0);
	}
	return done != 0 ? (ssize_t)done : -ENOBUFS;
}

ssize_t tcp_send(struct strata_socket *sock, const struct msghdr *msg, const struct strata_addr *to,
		 uint16_t port, int flags)
{
	struct tcp_sock *tp = tcp_of(sock);
	size_t total = iov_total(msg);
	uint32_t room, stamps = 0;
	ssize_t done = 0;
	int error;

	if ((flags & MSG_FASTOPEN) != 0 || tcp_fastopen_deferred(tp))
		return send_in_syn(tp, msg, to, port);
	error = send_refused(tp, flags);
	if (error == 0)
		error = strata_socket_send_stamps(sock, msg, &stamps);
	if (error < 0)
		return error;
	room = tcp_sndq_room(tp);
	if (total == 0)
		return 0;
	tcp_rate_check_app_limited(tp);
	if (room != 0)
		done = take_data(tp, msg, total < room ? (uint32_t)total : room, flags);
	if (done < 0)
		return done;
	if (strata_unlikely(stamps != 0) && done != 0)
		tcp_mark_write(tp, stamps);
	if ((size_t)done < total)
		tp->no_space = true;
	tp->more = (flags & MSG_MORE) != 0 && (size_t)done == total;
	if (tcp_sndq_writable(tp) != ((sock->events & EPOLLOUT) != 0))
		tcp_events(tp, 0);
	tcp_schedule(tp);
	return done != 0 ? done : -EAGAIN;
}

/* ---- receive ---- */

/* The application has taken data: does the peer learn of the room now? As Linux: where the window
 * would at least double. */
static void window_update(struct tcp_sock *tp)
{
	uint32_t now = tcp_rcv_wnd(tp), window;

	if (!tcp_in(tp, TCP_RECEIVES))
		return;
	tcp_rcv_grow(tp);
	if (!tcp_window_may_double(tp))
		return;
	window = tcp_window(tp);
	if (window != 0 && window >= 2 * (uint64_t)now) {
		tp->ack_pending = tp->ack_now = true;
		tcp_schedule(tp);
	}
}

/* Nothing to read: why, or for how long. */
static ssize_t nothing_to_read(struct tcp_sock *tp)
{
	int error;

	/* As Linux: the end came before any error, which SO_ERROR and send() tell. */
	if (tp->fin_received)
		return 0;
	error = strata_socket_take_error(&tp->sock);
	if (error < 0)
		return error;
	if (tp->sock.shutdown & 1)
		return 0;
	if (!tp->connected && tcp_in(tp, TCP_MASK(TCP_CLOSED) | TCP_MASK(TCP_LISTEN)))
		return -ENOTCONN;
	return -EAGAIN;
}

/* Control messages of what is about to be read, up to its byte `n`; `room` is for all of them. */
static void control_times(struct tcp_sock *tp, struct msghdr *msg, size_t room, uint32_t n)
{
	const uint32_t stamps = STRATA_SO_TIMESTAMP | STRATA_SO_TIMESTAMPNS;

	if ((tp->sock.options & stamps) == 0 && strata_socket_stamping(&tp->sock) == 0)
		return;
	strata_control_received(&tp->sock, tcp_rcvq_time(tp, tcp_min32(n, tp->rcv_bytes)), msg, room);
}

/* tcp(7), TCP_INQ: bytes left; as Linux, with the end of the stream behind them one more. */
static void control_inq(const struct tcp_sock *tp, struct msghdr *msg, size_t room)
{
	const int left = (int)(tp->rcv_bytes != 0 || !tp->fin_received ? tp->rcv_bytes : 1);

	if (tp->extra != NULL && tp->extra->inq)
		strata_control_append(msg, room, IPPROTO_TCP, TCP_CM_INQ, &left, sizeof(left));
}

ssize_t tcp_recv(struct strata_socket *sock, struct msghdr *msg, struct strata_addr *from,
		 uint16_t *port, int flags)
{
	size_t total = iov_total(msg), room = msg->msg_controllen;
	uint32_t n = total < UINT32_MAX ? (uint32_t)total : UINT32_MAX, done;
	struct tcp_sock *tp = tcp_of(sock);

	(void)from;
	(void)port;
	if (tp->state == TCP_LISTEN)
		return -ENOTCONN;
	if (flags & MSG_OOB)
		return -EINVAL;
	msg->msg_controllen = 0;
	if (total == 0)
		return 0;
	if (tp->rcv_bytes == 0)
		return nothing_to_read(tp);
	control_times(tp, msg, room, n);
	/* tcp(7): MSG_TRUNC discards. */
	done = tcp_rcvq_read(tp, flags & MSG_TRUNC ? NULL : msg->msg_iov, msg->msg_iovlen, n,
			     (flags & MSG_PEEK) != 0);
	control_inq(tp, msg, room);
	if (flags & MSG_PEEK)
		return (ssize_t)done;
	window_update(tp);
	tcp_events_in(tp, 0);
	return (ssize_t)done;
}

/* ---- close ---- */

/* Our FIN joins the queue (RFC 9293 3.10.4). */
static void queue_fin(struct tcp_sock *tp)
{
	tp->fin_queued = true;
	if (tp->state == TCP_ESTABLISHED)
		tcp_set_state(tp, TCP_FIN_WAIT_1);
	else if (tp->state == TCP_CLOSE_WAIT)
		tcp_set_state(tp, TCP_LAST_ACK);
	/* In SYN-RECEIVED it waits for ESTABLISHED. */
	tcp_schedule(tp);
}

int tcp_disconnect(struct strata_socket *sock)
{
	struct tcp_sock *tp = tcp_of(sock);

	tcp_abort(tp, 0);
	strata_socket_take_error(sock);
	tcp_rcvq_purge(tp);
	tcp_init_tcb(tp);
	memset(&sock->flow.key.remote, 0, sizeof(sock->flow.key.remote));
	sock->flow.key.remote_port = 0;
	tcp_events(tp, 0);
	return 0;
}

int tcp_shutdown(struct strata_socket *sock, int how)
{
	struct tcp_sock *tp = tcp_of(sock);

	switch (tp->state) {
	case TCP_CLOSED:
		return -ENOTCONN;
	case TCP_LISTEN:
		/* As Linux: the receive side of a listener is its queue. */
		if (how != SHUT_WR)
			tcp_finish(tp, 0);
		return 0;
	case TCP_SYN_SENT:
		return tcp_disconnect(sock);
	default:
		break;
	}
	if (how != SHUT_WR) {
		sock->shutdown |= 1;
		tcp_rcvq_purge(tp);
		window_update(tp);
	}
	if (how != SHUT_RD && (sock->shutdown & 2) == 0) {
		sock->shutdown |= 2;
		queue_fin(tp);
	}
	tcp_events(tp, 0);
	return 0;
}

/* A connection whose owner goes: orderly, unless data would be lost without the peer knowing. */
static void close_connection(struct tcp_sock *tp)
{
	bool unread = tp->rcv_bytes != 0;
	bool abrupt = (tp->sock.options & STRATA_SO_LINGER) != 0 && tp->sock.linger == 0;

	tcp_rcvq_purge(tp);
	if (unread || abrupt) {
		/* RFC 9293 3.10.4, RFC 2525 2.17: unread data is told by a RST; SO_LINGER of 0 asks for one. */
		tcp_abort(tp, 0);
		return;
	}
	tp->sock.shutdown = 3;
	tp->cork = tp->more = false;
	/* For the owner it has made way; now for others. */
	tp->made_way = false;
	if (!tp->fin_queued)
		queue_fin(tp);
	else if (tp->state == TCP_FIN_WAIT_2)
		tcp_fin_wait_2_orphan(tp);
}

void tcp_close(struct strata_socket *sock)
{
	struct tcp_sock *tp = tcp_of(sock);

	/* Ended before: nobody holds it any more. */
	if (tp->state == TCP_CLOSED) {
		tcp_free(tp);
		return;
	}
	tp->orphan = true;
	/* At rest still: memory is too short to take leave. */
	if (sock->resting || tcp_in(tp, TCP_MASK(TCP_LISTEN) | TCP_MASK(TCP_SYN_SENT)))
		tcp_finish(tp, 0);
	else
		close_connection(tp);
}

/* ---- queues ---- */

int tcp_ioctl(struct strata_socket *sock, unsigned long request, int *value)
{
	const struct tcp_sock *tp = tcp_of(sock);

	if (tp->state == TCP_LISTEN)
		return -EINVAL;
	switch (request) {
	case SIOCINQ:
		*value = (int)tp->rcv_bytes;
		return 0;
	case SIOCOUTQ:
		*value = (int)seq_span(tp->snd_una, tp->snd_end);
		return 0;
	case SIOCOUTQNSD:
		*value = (int)seq_span(tp->snd_nxt, tp->snd_end);
		return 0;
	default:
		return -ENOTTY;
	}
}
