/* SPDX-License-Identifier: BSD-2-Clause */
/* SPDX-FileCopyrightText: Ann Author */
/*
 * rudp: reliable datagrams between ports, on IP protocol number 253, which is kept for experiments
 * (RFC 3692). Each datagram arrives once, and those from one sender in the order they were sent. There is
 * no handshake. A packet is
 *
 *	 0..1   source port
 *	 2..3   destination port
 *	 4..5   checksum over pseudo-header and packet, as in RFC 768
 *	 6      type: 1 data, 2 acknowledgement
 *	 7      zero
 *	 8..11  epoch: a random number of the conversation, drawn by who sends data
 *	12..15  sequence number of the data, from 1 on; an acknowledgement names the data's
 *	16..    payload
 *
 * Read RFC 6298 for the timer. The tutorial docs/write-a-module.md builds this file step by step.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <strata/trace.h>
#include <strata/transport.h>

/* ---- what a manifest can say ---- */

struct rudp_config {
	uint64_t payload_max;
	uint64_t window;
	uint64_t retries;
	uint64_t rto_initial, rto_min, rto_max;
	uint64_t idle;
	uint64_t peers_max;
	uint64_t rcvbuf, sndbuf;
};

#define RUDP_OPTION(name_, type_, fallback_, min_, max_, unit_, help_) \
	{ \
		.name = #name_, .type = STRATA_OPT_##type_, .offset = offsetof(struct rudp_config, name_), \
		.fallback = fallback_, .min = min_, .max = max_, .unit = unit_, .help = help_, \
		.runtime = true, \
	}

static const struct strata_option rudp_options[] = {
	RUDP_OPTION(payload_max, UINT, "8192", 1, 65000, "bytes",
		    "Largest payload that is sent; a larger one is refused with EMSGSIZE."),
	RUDP_OPTION(window, UINT, "32", 1, 1024, "datagrams",
		    "Datagrams under way to a peer at once, and as far ahead of a gap as one is kept."),
	RUDP_OPTION(retries, UINT, "20", 0, 100, "times",
		    "How often a datagram is sent again before its sender is told ETIMEDOUT."),
	RUDP_OPTION(rto_initial, TIME, "500ms", STRATA_MS, 60 * STRATA_SEC, NULL,
		    "Retransmission timeout before a round trip was measured."),
	RUDP_OPTION(rto_min, TIME, "20ms", STRATA_MS, 60 * STRATA_SEC, NULL,
		    "Smallest retransmission timeout."),
	RUDP_OPTION(rto_max, TIME, "2s", STRATA_MS, 60 * STRATA_SEC, NULL,
		    "Largest retransmission timeout, with backoff."),
	RUDP_OPTION(idle, TIME, "1min", STRATA_SEC, 60 * 60 * STRATA_SEC, NULL,
		    "Silence after which a sender begins anew; a receiver forgets a peer after three."),
	RUDP_OPTION(peers_max, UINT, "64", 1, 4096, "peers",
		    "Most peers of a socket that are remembered at once."),
	RUDP_OPTION(rcvbuf, SIZE, "208KiB", 4096, 64 << 20, "bytes",
		    "Receive buffer of a new socket, packet overhead counted."),
	RUDP_OPTION(sndbuf, SIZE, "208KiB", 4096, 64 << 20, "bytes",
		    "Send buffer of a new socket: what is not acknowledged yet, packet overhead counted."),
};

/* ---- what it counts, and why it discards ---- */

enum rudp_counter {
#define X(symbol, name, help, mib) RUDP_COUNT_##symbol,
#include "rudp_counters.def"
#undef X
	RUDP_COUNTERS,
};

static const struct strata_counter_def rudp_counters[] = {
#define X(symbol, name, help, mib) { name, help, mib },
#include "rudp_counters.def"
#undef X
};
_Static_assert(STRATA_COUNT(rudp_counters) == RUDP_COUNTERS, "a definition for each counter");

enum rudp_drop {
#define X(symbol, text, severity, mib) RUDP_DROP_##symbol,
#include "rudp_drops.def"
#undef X
	RUDP_DROPS,
};

static const struct strata_drop_def rudp_drops[] = {
#define X STRATA_DROP_DEF
#include "rudp_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(rudp_drops) == RUDP_DROPS, "a definition for each reason");

/* ---- the wire: parse everything, change nothing; logic never sees wire bytes ---- */

enum { RUDP_HEADER = 16, RUDP_CHECKSUM_OFFSET = 4 };
enum rudp_type { RUDP_DATA = 1, RUDP_ACK = 2 };

struct rudp_header {
	uint16_t source, destination;
	uint8_t type;
	uint32_t epoch, sequence;
};

static void rudp_read(const uint8_t *p, struct rudp_header *out)
{
	out->source = strata_get_be16(p);
	out->destination = strata_get_be16(p + 2);
	out->type = p[6];
	out->epoch = strata_get_be32(p + 8);
	out->sequence = strata_get_be32(p + 12);
}

/* Returns -1 when the packet is sound, else the reason to drop it. */
static int rudp_parse(struct strata_pkt *pkt, struct rudp_header *out)
{
	uint32_t sum, length = strata_pkt_length(pkt);
	const uint8_t *p = strata_pkt_header(pkt, RUDP_HEADER);

	if (p == NULL)
		return RUDP_DROP_SHORT;
	sum = strata_csum_pseudo(&pkt->src, &pkt->dst, pkt->number, length);
	if (strata_csum_fold(strata_pkt_csum(pkt, 0, length, sum)) != 0xffff)
		return RUDP_DROP_CHECKSUM;
	rudp_read(p, out);
	if (p[7] != 0 || (out->type != RUDP_DATA && out->type != RUDP_ACK))
		return RUDP_DROP_TYPE;
	if (out->type == RUDP_ACK && length != RUDP_HEADER)
		return RUDP_DROP_TYPE;
	if (out->source == 0 || out->destination == 0)
		return RUDP_DROP_PORT;
	return -1;
}

/* Writes the header in front of pkt->data. Returns 0 or -ENOBUFS. */
static int rudp_emit(struct strata_pkt *pkt, const struct strata_tx *tx,
		     const struct rudp_header *header)
{
	uint8_t *p = strata_pkt_push(pkt, RUDP_HEADER);
	uint32_t sum, length = strata_pkt_length(pkt);

	if (p == NULL)
		return -ENOBUFS;
	memset(p, 0, RUDP_HEADER);
	strata_put_be16(p, header->source);
	strata_put_be16(p + 2, header->destination);
	p[6] = header->type;
	strata_put_be32(p + 8, header->epoch);
	strata_put_be32(p + 12, header->sequence);
	pkt->transport_offset = (uint16_t)strata_pkt_headroom(pkt);
	pkt->number = tx->number;
	sum = strata_csum_pseudo(&tx->src, &tx->dst, tx->number, length);
	strata_put_be16(p + RUDP_CHECKSUM_OFFSET,
			(uint16_t)~strata_csum_fold(strata_pkt_csum(pkt, 0, length, sum)));
	return 0;
}

/* ---- sockets and peers ---- */

/* What a packet in a queue keeps beside its own fields. */
struct rudp_cb {
	uint64_t sent, due;	/* tx: when, and when it is sent again */
	uint32_t sequence;
	uint32_t tries;		/* tx: times sent; 0: waits for the window */
	uint16_t port;		/* rx: the sender's */
	bool acked;		/* tx: only waits for those before it */
};
_Static_assert(sizeof(struct rudp_cb) <= STRATA_PKT_CB, "fits in the packet");

static struct rudp_cb *rudp_cb(struct strata_pkt *pkt)
{
	return (struct rudp_cb *)(void *)pkt->cb;
}

struct rudp_socket {
	struct strata_socket sock;	/* the kernel's part comes first */
	struct strata_pkt_queue rx;	/* data at the payload, for the application */
	struct rudp_peer *peers;
	uint32_t peer_count;
	uint32_t held_bytes, tx_bytes;	/* truesize in all peers' queues */
	bool closing;			/* the application closed it; what it sent is still on its way */
};

/* The other end of a conversation, both ways. */
struct rudp_peer {
	struct rudp_peer *next;
	struct rudp_socket *socket;
	struct strata_addr addr, local;
	uint16_t port;
	struct strata_dst dst;		/* the way there, while it is valid */
	struct strata_timer timer;
	uint64_t used;			/* when it last spoke or was spoken to */
	/* Sending. */
	struct strata_pkt_queue tx;	/* ascending sequence numbers, without gaps */
	uint32_t epoch, out_next;	/* epoch 0: the next datagram begins one */
	uint64_t srtt, rttvar;		/* RFC 6298 2; srtt 0: nothing measured */
	/* Receiving. */
	uint32_t in_epoch, old_epoch, in_next;
	struct strata_pkt *held;	/* behind a gap, ascending */
};

struct rudp_state {
	struct strata_cache *peers;
};

static struct rudp_socket *rudp_socket_of(struct strata_socket *sock)
{
	return strata_container_of(sock, struct rudp_socket, sock);
}

static const struct rudp_config *rudp_config(const struct rudp_socket *s)
{
	return s->sock.transport->config;
}

/* Tells who polls the socket what holds now; `edge`: what is told again though it held before. */
static void rudp_update_events(struct rudp_socket *s, uint32_t edge)
{
	uint32_t events = s->tx_bytes < s->sock.sndbuf ? EPOLLOUT : 0;

	if (s->rx.head != NULL)
		events |= EPOLLIN;
	if (s->sock.error != 0)
		events |= EPOLLERR;
	strata_socket_set_events(&s->sock, events, edge);
}

static struct rudp_peer *rudp_peer_find(struct rudp_socket *s, const struct strata_addr *addr,
					uint16_t port)
{
	struct rudp_peer *peer;

	for (peer = s->peers; peer != NULL; peer = peer->next)
		if (peer->port == port && strata_addr_equal(&peer->addr, addr))
			break;
	return peer;
}

static void rudp_purge_tx(struct rudp_peer *peer)
{
	peer->socket->tx_bytes -= peer->tx.bytes;
	strata_pkt_queue_purge(&peer->tx);
}

static void rudp_purge_held(struct rudp_peer *peer)
{
	struct strata_pkt *pkt;

	while ((pkt = peer->held) != NULL) {
		peer->held = pkt->next;
		peer->socket->held_bytes -= strata_pkt_truesize(pkt);
		strata_pkt_free(pkt);
	}
}

static void rudp_peer_free(struct rudp_peer *peer)
{
	struct rudp_socket *s = peer->socket;
	struct rudp_state *state = s->sock.transport->state;
	struct rudp_peer **link = &s->peers;

	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
	s->peer_count--;
	strata_timer_stop(s->sock.stack, &peer->timer);
	rudp_purge_tx(peer);
	rudp_purge_held(peer);
	strata_dst_release(&peer->dst);
	strata_cache_free(state->peers, peer);
}

/* The end of a socket, and of all it had. */
static void rudp_socket_end(struct rudp_socket *s)
{
	while (s->peers != NULL)
		rudp_peer_free(s->peers);
	strata_pkt_queue_purge(&s->rx);
	strata_socket_free(&s->sock);
}

/* ---- output ---- */

/* Finds the way to the peer, and our address on it. Returns 0 or -errno. */
static int rudp_route(struct rudp_peer *peer)
{
	struct strata_socket *sock = &peer->socket->sock;
	struct strata_addr from = peer->local;
	bool bound = strata_addr_is_set(&from) && !strata_addr_is_any(&from);
	int err;

	if (strata_dst_valid(sock->stack, &peer->dst))
		return 0;
	err = strata_route_output(sock->stack, &peer->addr, bound ? &from : NULL, sock->flow.iface,
				  &peer->dst, &peer->local);
	/* Reliable delivery is to one: nobody could tell when all have it. */
	if (err == 0 && peer->dst.kind != STRATA_DST_UNICAST && peer->dst.kind != STRATA_DST_LOCAL)
		err = -EACCES;
	if (err < 0)
		strata_dst_release(&peer->dst);
	return err;
}

/* Sends one packet of the conversation. Consumes. Returns 0 or -errno. */
static int rudp_output(struct rudp_peer *peer, struct strata_pkt *pkt, enum rudp_type type,
		       uint32_t epoch, uint32_t sequence)
{
	struct strata_socket *sock = &peer->socket->sock;
	struct rudp_header header = {
		.source = sock->flow.key.local_port, .destination = peer->port,
		.type = (uint8_t)type, .epoch = epoch, .sequence = sequence,
	};
	struct strata_tx tx;
	int err = rudp_route(peer);

	strata_socket_tx(sock, &tx);
	tx.src = peer->local;
	tx.dst = peer->addr;
	if (err == 0)
		err = rudp_emit(pkt, &tx, &header);
	if (err < 0) {
		strata_count(sock->transport, RUDP_COUNT_OUT_ERRORS, 1);
		strata_pkt_free(pkt);
		return err;
	}
	strata_trace_fields(sock->transport, pkt,
			    STRATA_FIELDS(STRATA_FIELD_ADDR("src", &tx.src),
					  STRATA_FIELD_UINT("src_port", header.source),
					  STRATA_FIELD_ADDR("dst", &tx.dst),
					  STRATA_FIELD_UINT("dst_port", header.destination),
					  STRATA_FIELD_UINT("sequence", sequence)),
			    type == RUDP_DATA ? "data" : "acknowledged");
	err = strata_network_output(&peer->dst, pkt, &tx);
	strata_count(sock->transport, err < 0 ? RUDP_COUNT_OUT_ERRORS :
		     type == RUDP_DATA ? RUDP_COUNT_OUT_DATA : RUDP_COUNT_OUT_ACKS, 1);
	return err;
}

static void rudp_acknowledge(struct rudp_peer *peer, const struct rudp_header *data)
{
	struct strata_stack *stack = peer->socket->sock.stack;
	struct strata_pkt *pkt = strata_pkt_alloc(stack, STRATA_HEADROOM + RUDP_HEADER, 0);

	/* One that is not sent is as one that is lost: the data comes again. */
	if (pkt != NULL)
		rudp_output(peer, pkt, RUDP_ACK, data->epoch, data->sequence);
	else
		strata_count(peer->socket->sock.transport, RUDP_COUNT_OUT_ERRORS, 1);
}

/* ---- sending again: RFC 6298 ---- */

/* RFC 6298 2.2 and 2.3. */
static void rudp_measured(struct rudp_peer *peer, uint64_t rtt)
{
	uint64_t off = rtt > peer->srtt ? rtt - peer->srtt : peer->srtt - rtt;

	if (peer->srtt == 0) {
		peer->srtt = rtt;
		peer->rttvar = rtt / 2;
		return;
	}
	peer->rttvar = (3 * peer->rttvar + off) / 4;
	peer->srtt = (7 * peer->srtt + rtt) / 8;
}

/* Time to wait for the acknowledgement of what was sent `tries` times: doubled each time (5.5). Of the
 * limits the upper one wins. */
static uint64_t rudp_timeout(const struct rudp_peer *peer, uint32_t tries)
{
	const struct rudp_config *config = rudp_config(peer->socket);
	uint64_t rto = peer->srtt != 0 ? peer->srtt + 4 * peer->rttvar : config->rto_initial;

	if (rto < config->rto_min)
		rto = config->rto_min;
	while (--tries > 0 && rto < config->rto_max)
		rto *= 2;
	return rto < config->rto_max ? rto : config->rto_max;
}

/* Sends a copy of a datagram, which stays where it is until it is acknowledged. */
static void rudp_transmit(struct rudp_peer *peer, struct strata_pkt *pkt)
{
	struct strata_instance *self = peer->socket->sock.transport;
	struct strata_pkt *copy = strata_pkt_copy(pkt, STRATA_HEADROOM + RUDP_HEADER);
	struct rudp_cb *cb = rudp_cb(pkt);

	cb->tries++;
	cb->sent = peer->used = strata_now(self->stack);
	cb->due = cb->sent + rudp_timeout(peer, cb->tries);
	if (cb->tries > 1)
		strata_count(self, RUDP_COUNT_RETRANSMISSIONS, 1);
	if (copy != NULL)
		rudp_output(peer, copy, RUDP_DATA, peer->epoch, cb->sequence);
	else
		strata_count(self, RUDP_COUNT_OUT_ERRORS, 1);
}

/* The next datagram after `pkt` (NULL: the first) that the window lets be under way; NULL: none. */
static struct strata_pkt *rudp_under_way(struct rudp_peer *peer, struct strata_pkt *pkt)
{
	pkt = pkt != NULL ? pkt->next : peer->tx.head;
	if (pkt == NULL || rudp_cb(pkt)->sequence - rudp_cb(peer->tx.head)->sequence >=
			   rudp_config(peer->socket)->window)
		return NULL;
	return pkt;
}

/* For the first datagram that will have to be sent again; without one, for forgetting the peer. */
static void rudp_set_timer(struct rudp_peer *peer)
{
	uint64_t when = STRATA_NEVER;

	for (struct strata_pkt *pkt = rudp_under_way(peer, NULL); pkt != NULL; pkt = rudp_under_way(peer, pkt))
		if (!rudp_cb(pkt)->acked && rudp_cb(pkt)->due < when)
			when = rudp_cb(pkt)->due;
	if (when == STRATA_NEVER)
		when = peer->used + 3 * rudp_config(peer->socket)->idle;
	strata_timer_start(peer->socket->sock.stack, &peer->timer, when);
}

/* Sends what the window has room for. */
static void rudp_advance(struct rudp_peer *peer)
{
	for (struct strata_pkt *pkt = rudp_under_way(peer, NULL); pkt != NULL; pkt = rudp_under_way(peer, pkt))
		if (rudp_cb(pkt)->tries == 0)
			rudp_transmit(peer, pkt);
	rudp_set_timer(peer);
}

/* A closed socket goes when all it sent has arrived, or never will. The peer may be gone after it. */
static void rudp_settle(struct rudp_socket *s)
{
	if (s->closing && s->tx_bytes == 0)
		rudp_socket_end(s);
	else if (!s->closing)
		rudp_update_events(s, 0);
}

/* The peer cannot be reached: what was for it is lost, and the application is told. */
static void rudp_fail(struct rudp_peer *peer, int error)
{
	struct rudp_socket *s = peer->socket;

	strata_count(s->sock.transport, RUDP_COUNT_GIVEN_UP, peer->tx.count);
	rudp_purge_tx(peer);
	peer->epoch = 0;
	rudp_set_timer(peer);
	if (!s->closing)
		strata_socket_set_error(&s->sock, error);
	rudp_settle(s);
}

static void rudp_due(struct strata_stack *stack, struct strata_timer *timer)
{
	struct rudp_peer *peer = strata_container_of(timer, struct rudp_peer, timer);
	const struct rudp_config *config = rudp_config(peer->socket);
	uint64_t now = strata_now(stack);
	struct strata_pkt *pkt;

	if (peer->tx.head == NULL && peer->used + 3 * config->idle <= now) {
		rudp_peer_free(peer);
		return;
	}
	for (pkt = rudp_under_way(peer, NULL); pkt != NULL; pkt = rudp_under_way(peer, pkt)) {
		struct rudp_cb *cb = rudp_cb(pkt);

		if (cb->acked || cb->due > now)
			continue;
		if (cb->tries > config->retries) {
			rudp_fail(peer, ETIMEDOUT);
			return;
		}
		rudp_transmit(peer, pkt);
	}
	rudp_set_timer(peer);
}

/* A new peer of the socket; NULL: there are too many, or memory is short. */
static struct rudp_peer *rudp_peer_new(struct rudp_socket *s, const struct strata_addr *addr,
				       uint16_t port, const struct strata_addr *local)
{
	struct rudp_state *state = s->sock.transport->state;
	struct rudp_peer *peer;

	if (s->peer_count >= rudp_config(s)->peers_max)
		return NULL;
	peer = strata_cache_alloc(state->peers);
	if (peer == NULL)
		return NULL;
	peer->socket = s;
	peer->addr = *addr;
	peer->port = port;
	peer->local = *local;
	peer->used = strata_now(s->sock.stack);
	peer->timer.fire = rudp_due;
	peer->next = s->peers;
	s->peers = peer;
	s->peer_count++;
	rudp_set_timer(peer);
	return peer;
}

/* ---- input ---- */

/* An acknowledgement. Consumes the packet, and may end the socket. */
static enum strata_verdict rudp_input_ack(struct rudp_socket *s, struct strata_pkt *pkt,
					  const struct rudp_header *header)
{
	struct strata_instance *self = s->sock.transport;
	struct rudp_peer *peer = rudp_peer_find(s, &pkt->src, header->source);
	struct strata_pkt *data = NULL;

	if (peer != NULL && peer->epoch == header->epoch)
		for (data = rudp_under_way(peer, NULL); data != NULL; data = rudp_under_way(peer, data))
			if (rudp_cb(data)->sequence == header->sequence)
				break;
	if (data == NULL || rudp_cb(data)->acked || rudp_cb(data)->tries == 0)
		return strata_drop(self, pkt, RUDP_DROP_ACK_UNKNOWN);
	strata_count(self, RUDP_COUNT_IN_ACKS, 1);
	rudp_cb(data)->acked = true;
	/* Karn's algorithm (RFC 6298 3): of what was sent twice nobody knows which arrived. */
	if (rudp_cb(data)->tries == 1)
		rudp_measured(peer, strata_now(self->stack) - rudp_cb(data)->sent);
	while (peer->tx.head != NULL && rudp_cb(peer->tx.head)->acked) {
		data = strata_pkt_dequeue(&peer->tx);
		s->tx_bytes -= strata_pkt_truesize(data);
		strata_pkt_free(data);
	}
	/* RFC 4861 7.3.1: who answers is reachable. */
	if (peer->dst.neigh != NULL)
		strata_neigh_confirm(self->stack, peer->dst.neigh);
	strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_UINT("sequence", header->sequence),
						     STRATA_FIELD_TIME("srtt", peer->srtt),
						     STRATA_FIELD_UINT("unacknowledged", peer->tx.count)),
			    "arrived there");
	strata_pkt_free(pkt);
	rudp_advance(peer);
	rudp_settle(s);
	return STRATA_ACCEPTED;
}

/* Puts a datagram behind a gap into its place. Consumes. Returns false: it was there, and is dropped. */
static bool rudp_hold(struct rudp_peer *peer, struct strata_pkt *pkt)
{
	struct strata_instance *self = peer->socket->sock.transport;
	struct strata_pkt **link = &peer->held;
	uint32_t ahead = rudp_cb(pkt)->sequence - peer->in_next;

	while (*link != NULL && rudp_cb(*link)->sequence - peer->in_next < ahead)
		link = &(*link)->next;
	if (*link != NULL && rudp_cb(*link)->sequence == rudp_cb(pkt)->sequence) {
		strata_drop(self, pkt, RUDP_DROP_DUPLICATE);
		return false;
	}
	strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_UINT("awaited", peer->in_next)),
			    "kept behind the gap");
	peer->socket->held_bytes += strata_pkt_truesize(pkt);
	pkt->next = *link;
	*link = pkt;
	return true;
}

/* The datagram that was awaited, and those that waited for it, to the application. Consumes. */
static void rudp_deliver(struct rudp_peer *peer, struct strata_pkt *pkt)
{
	struct rudp_socket *s = peer->socket;

	while (pkt != NULL) {
		strata_trace_fields(s->sock.transport, pkt,
				    STRATA_FIELDS(STRATA_FIELD_SOCKET("socket", &s->sock),
						  STRATA_FIELD_UINT("sequence", peer->in_next),
						  STRATA_FIELD_SIZE("payload", strata_pkt_length(pkt))),
				    "delivered in order");
		strata_count(s->sock.transport, RUDP_COUNT_DELIVERED, 1);
		strata_pkt_enqueue(&s->rx, pkt);
		peer->in_next++;
		pkt = peer->held;
		if (pkt == NULL || rudp_cb(pkt)->sequence != peer->in_next)
			break;
		peer->held = pkt->next;
		s->held_bytes -= strata_pkt_truesize(pkt);
	}
	rudp_update_events(s, EPOLLIN);
}

/* The peer whose conversation the data belongs to. A conversation begins with number 1; one that has
 * another epoch replaces the old, which cannot come back. NULL: none, with the reason. */
static struct rudp_peer *rudp_conversation(struct rudp_socket *s, const struct strata_pkt *pkt,
					   const struct rudp_header *header, unsigned int *reason)
{
	struct rudp_peer *peer = rudp_peer_find(s, &pkt->src, header->source);

	if (peer != NULL && peer->in_next != 0 && peer->in_epoch == header->epoch)
		return peer;
	*reason = RUDP_DROP_EPOCH;
	if (header->sequence != 1 ||
	    (peer != NULL && peer->old_epoch != 0 && peer->old_epoch == header->epoch))
		return NULL;
	*reason = RUDP_DROP_PEERS_FULL;
	if (peer == NULL)
		peer = rudp_peer_new(s, &pkt->src, header->source, &pkt->dst);
	if (peer == NULL)
		return NULL;
	rudp_purge_held(peer);
	peer->old_epoch = peer->in_epoch;
	peer->in_epoch = header->epoch;
	peer->in_next = 1;
	return peer;
}

/* Whether the socket has room for a datagram `ahead` of the one that is awaited. That one may not be kept
 * out by those behind it. */
static bool rudp_has_room(const struct rudp_socket *s, const struct strata_pkt *pkt, uint32_t ahead)
{
	uint32_t used = s->rx.bytes + (ahead != 0 ? s->held_bytes : 0);

	return (s->rx.head == NULL && ahead == 0) || used + strata_pkt_truesize(pkt) <= s->sock.rcvbuf;
}

/* Data. Consumes the packet. */
static enum strata_verdict rudp_input_data(struct rudp_socket *s, struct strata_pkt *pkt,
					   const struct rudp_header *header)
{
	struct strata_instance *self = s->sock.transport;
	struct rudp_peer *peer;
	unsigned int reason;
	uint32_t ahead;

	if (s->closing)
		return strata_drop(self, pkt, RUDP_DROP_CLOSING);
	peer = rudp_conversation(s, pkt, header, &reason);
	if (peer == NULL)
		return strata_drop(self, pkt, reason);
	peer->used = strata_now(self->stack);
	ahead = header->sequence - peer->in_next;
	/* It arrived before, and its acknowledgement was lost: it is told again. */
	if (ahead > INT32_MAX) {
		rudp_acknowledge(peer, header);
		return strata_drop(self, pkt, RUDP_DROP_DUPLICATE);
	}
	/* These two are not acknowledged: the sender tries again. */
	if (ahead >= rudp_config(s)->window)
		return strata_drop(self, pkt, RUDP_DROP_WINDOW);
	if (!rudp_has_room(s, pkt, ahead))
		return strata_drop(self, pkt, RUDP_DROP_RCVBUF_FULL);
	strata_pkt_pull(pkt, RUDP_HEADER);
	rudp_cb(pkt)->port = header->source;
	rudp_cb(pkt)->sequence = header->sequence;
	rudp_acknowledge(peer, header);
	if (ahead == 0)
		rudp_deliver(peer, pkt);
	else if (!rudp_hold(peer, pkt))
		return STRATA_DROPPED;
	return STRATA_ACCEPTED;
}

/* From the network module, pkt->data at our header. Consumes the packet on every path. */
static enum strata_verdict rudp_input(struct strata_instance *self, struct strata_pkt *pkt)
{
	struct rudp_header header;
	struct rudp_socket *s;
	struct strata_flow *flow;
	int fault = rudp_parse(pkt, &header);

	if (fault >= 0)
		return strata_drop(self, pkt, (unsigned int)fault);
	strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_ADDR("src", &pkt->src),
						     STRATA_FIELD_UINT("src_port", header.source),
						     STRATA_FIELD_ADDR("dst", &pkt->dst),
						     STRATA_FIELD_UINT("dst_port", header.destination),
						     STRATA_FIELD_UINT("sequence", header.sequence)),
			    header.type == RUDP_DATA ? "data" : "an acknowledgement");
	if ((pkt->flags & STRATA_PKT_MANY) != 0)
		return strata_drop(self, pkt, RUDP_DROP_MANY);
	flow = strata_flow_find(pkt, header.destination, header.source);
	if (flow == NULL && header.type == RUDP_ACK)
		return strata_drop(self, pkt, RUDP_DROP_ACK_UNKNOWN);
	if (flow == NULL) {
		/* Tells port unreachable where that is proper, and drops with the kernel's reason. */
		strata_count(self, RUDP_COUNT_NO_PORTS, 1);
		return strata_transport_unknown(self, pkt);
	}
	s = strata_container_of(flow, struct rudp_socket, sock.flow);
	return header.type == RUDP_DATA ? rudp_input_data(s, pkt, &header) :
					  rudp_input_ack(s, pkt, &header);
}

/* An error came back for something sent. Anybody can forge one: it counts when what it quotes is under
 * way (RFC 5927 4.1). Only what will not change by itself ends a conversation. */
static void rudp_error(struct strata_instance *self, const struct strata_transport_error *error)
{
	struct strata_flow_key key = {
		.local = error->quote.src, .remote = error->quote.dst, .number = error->quote.number,
	};
	struct rudp_header header;
	struct rudp_peer *peer = NULL;
	struct strata_flow *flow;
	struct strata_pkt *pkt;

	if (error->payload_length < RUDP_HEADER)
		return;
	rudp_read(error->payload, &header);
	key.local_port = header.source;
	key.remote_port = header.destination;
	flow = strata_flow_listener(self->stack, &key, NULL);
	if (flow != NULL)
		peer = rudp_peer_find(strata_container_of(flow, struct rudp_socket, sock.flow),
				      &error->quote.dst, header.destination);
	if (peer == NULL || header.type != RUDP_DATA || header.epoch != peer->epoch)
		return;
	for (pkt = rudp_under_way(peer, NULL); pkt != NULL; pkt = rudp_under_way(peer, pkt))
		if (rudp_cb(pkt)->sequence == header.sequence)
			break;
	if (pkt == NULL || (error->kind != STRATA_ERR_PORT_UNREACHABLE &&
			    error->kind != STRATA_ERR_PROTOCOL_UNREACHABLE))
		return;
	strata_count(self, RUDP_COUNT_ERRORS, 1);
	rudp_fail(peer, strata_net_error_errno(error->kind));
}

/* ---- what an application calls ---- */

static int rudp_socket_open(struct strata_socket *sock)
{
	struct rudp_socket *s = rudp_socket_of(sock);
	const struct rudp_config *config = rudp_config(s);

	sock->rcvbuf = (uint32_t)config->rcvbuf;
	sock->sndbuf = (uint32_t)config->sndbuf;
	rudp_update_events(s, 0);
	return 0;
}

/* What was sent is still to arrive: the socket stays without its owner until it has. */
static void rudp_socket_close(struct strata_socket *sock)
{
	struct rudp_socket *s = rudp_socket_of(sock);

	s->closing = true;
	if (sock->gone || s->tx_bytes == 0)
		rudp_socket_end(s);
	else
		strata_pkt_queue_purge(&s->rx);
}

/* The kernel has claimed the port: from now on packets for it are this socket's. */
static int rudp_socket_bound(struct strata_socket *sock)
{
	return strata_flow_listen(sock->stack, &sock->flow);
}

/* A payload that waits to be sent; NULL when memory is short. */
static struct strata_pkt *rudp_build(struct strata_stack *stack, const struct msghdr *msg, uint32_t length)
{
	const uint32_t headroom = STRATA_HEADROOM + RUDP_HEADER;
	uint32_t linear = length < STRATA_PKT_LARGE - headroom ? length : 0;
	struct strata_pkt *pkt = strata_pkt_alloc(stack, headroom, linear);

	if (pkt == NULL || strata_pkt_append_iov(pkt, msg->msg_iov, msg->msg_iovlen, 0, length) == 0)
		return pkt;
	strata_pkt_free(pkt);
	return NULL;
}

/* What can be told before anything is looked up. Returns 0 and the length, or -errno. */
static int rudp_check(struct strata_socket *sock, const struct msghdr *msg, const struct strata_addr *to,
		      uint16_t port, int flags, uint32_t *length)
{
	struct rudp_socket *s = rudp_socket_of(sock);
	size_t total = 0;

	for (size_t i = 0; i < msg->msg_iovlen; i++)
		total += msg->msg_iov[i].iov_len;
	if ((flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	if (to == NULL)
		return -EDESTADDRREQ;
	if (port == 0)
		return -EINVAL;
	if (total > rudp_config(s)->payload_max)
		return -EMSGSIZE;
	*length = (uint32_t)total;
	return s->tx_bytes >= sock->sndbuf ? -EAGAIN : strata_socket_take_error(sock);
}

/* Taken is not arrived: what never arrives is told by the socket's error. */
static ssize_t rudp_send(struct strata_socket *sock, const struct msghdr *msg,
			 const struct strata_addr *to, uint16_t port, int flags)
{
	struct rudp_socket *s = rudp_socket_of(sock);
	struct rudp_peer *peer;
	struct strata_pkt *pkt;
	uint32_t length;
	int err = rudp_check(sock, msg, to, port, flags, &length);

	if (err == 0)
		err = strata_socket_autobind(sock);
	if (err < 0)
		return err;
	peer = rudp_peer_find(s, to, port);
	if (peer == NULL)
		peer = rudp_peer_new(s, to, port, &sock->flow.key.local);
	err = peer != NULL ? rudp_route(peer) : -ENOBUFS;
	if (err < 0)
		return err;
	pkt = rudp_build(sock->stack, msg, length);
	if (pkt == NULL)
		return -ENOBUFS;
	/* After a long silence the receiver may have forgotten us: begin anew. */
	if (peer->tx.head == NULL && peer->used + rudp_config(s)->idle < strata_now(sock->stack))
		peer->epoch = 0;
	if (peer->epoch == 0) {
		while (peer->epoch == 0)
			peer->epoch = strata_random32(sock->stack);
		peer->out_next = 1;
	}
	*rudp_cb(pkt) = (struct rudp_cb){ .sequence = peer->out_next++ };
	s->tx_bytes += strata_pkt_truesize(pkt);
	strata_pkt_enqueue(&peer->tx, pkt);
	rudp_advance(peer);
	rudp_update_events(s, 0);
	return (ssize_t)length;
}

static ssize_t rudp_recv(struct strata_socket *sock, struct msghdr *msg, struct strata_addr *from,
			 uint16_t *port, int flags)
{
	struct rudp_socket *s = rudp_socket_of(sock);
	struct strata_pkt *pkt = s->rx.head;
	uint32_t length, copied;
	int err = strata_socket_take_error(sock);

	if (err < 0)
		return err;
	if (pkt == NULL)
		return -EAGAIN;
	length = strata_pkt_length(pkt);
	copied = strata_pkt_read_iov(pkt, 0, msg->msg_iov, msg->msg_iovlen, 0, length);
	if (copied < length)
		msg->msg_flags |= MSG_TRUNC;
	strata_socket_control(sock, pkt, msg);
	*from = pkt->src;
	*port = rudp_cb(pkt)->port;
	if ((flags & MSG_PEEK) == 0) {
		strata_pkt_free(strata_pkt_dequeue(&s->rx));
		rudp_update_events(s, 0);
	}
	return (ssize_t)((flags & MSG_TRUNC) != 0 ? length : copied);
}

static int rudp_ioctl(struct strata_socket *sock, unsigned long request, int *value)
{
	const struct rudp_socket *s = rudp_socket_of(sock);

	if (request != SIOCINQ && request != SIOCOUTQ)
		return -ENOTTY;
	if (request == SIOCOUTQ)
		*value = (int)s->tx_bytes;
	else
		*value = s->rx.head != NULL ? (int)strata_pkt_length(s->rx.head) : 0;
	return 0;
}

/* What `strata show sockets` says of it. */
static void rudp_describe(const struct strata_flow *flow, const char **state, uint32_t *rx_queue,
			  uint32_t *tx_queue)
{
	const struct rudp_socket *s = strata_container_of(flow, const struct rudp_socket, sock.flow);

	*state = s->closing ? "CLOSING" : "UNCONNECTED";
	*rx_queue = s->rx.bytes + s->held_bytes;
	*tx_queue = s->tx_bytes;
}

/* The address or the interface under the socket went. */
static void rudp_abort(struct strata_flow *flow, int error)
{
	struct rudp_socket *s = strata_container_of(flow, struct rudp_socket, sock.flow);

	if (s->closing) {
		rudp_socket_end(s);
		return;
	}
	while (s->peers != NULL)
		rudp_peer_free(s->peers);
	strata_flow_remove(s->sock.stack, flow);
	strata_socket_set_error(&s->sock, error);
}

/* ---- life of the module ---- */

static int rudp_start(struct strata_instance *self, struct strata_error *error)
{
	struct rudp_state *state = strata_alloc(self->stack, sizeof(*state));

	if (state != NULL)
		state->peers = strata_cache_create(self->stack, "rudp peers", sizeof(struct rudp_peer));
	if (state == NULL || state->peers == NULL) {
		strata_free(self->stack, state);
		strata_error_add(error, "%s: out of memory", self->name);
		return -ENOMEM;
	}
	self->state = state;
	return 0;
}

static void rudp_stop_flow(struct strata_flow *flow, void *ctx)
{
	(void)ctx;
	rudp_socket_end(strata_container_of(flow, struct rudp_socket, sock.flow));
}

/* The kernel has ended the sockets that have an owner; those that are closing are ours. */
static void rudp_stop(struct strata_instance *self)
{
	struct rudp_state *state = self->state;

	strata_flow_walk(self->stack, (uint8_t)self->number, rudp_stop_flow, NULL);
	strata_cache_destroy(state->peers);
	strata_free(self->stack, state);
	self->state = NULL;
}

/* ---- the descriptor ---- */

static const struct strata_transport_ops rudp_ops = {
	.type = SOCK_DGRAM,
	.socket_size = sizeof(struct rudp_socket),
	.sockopt_level = 253,
	.input = rudp_input,
	.error = rudp_error,
	.socket_open = rudp_socket_open,
	.socket_close = rudp_socket_close,
	.socket_bound = rudp_socket_bound,
	.send = rudp_send,
	.recv = rudp_recv,
	.ioctl = rudp_ioctl,
	.describe = rudp_describe,
	.abort = rudp_abort,
};

STRATA_MODULE(rudp) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_TRANSPORT,
	.number = 253,
	.name = "rudp",
	.version = "0.1.0",
	.summary = "Reliable datagrams on IP protocol number 253",
	.config_size = sizeof(struct rudp_config),
	.options = rudp_options,
	.option_count = STRATA_COUNT(rudp_options),
	.counters = rudp_counters,
	.counter_count = STRATA_COUNT(rudp_counters),
	.drops = rudp_drops,
	.drop_count = STRATA_COUNT(rudp_drops),
	.start = rudp_start,
	.stop = rudp_stop,
	.transport = &rudp_ops,
};
