/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of UDP (RFC 768): header, socket, and what its files offer each other. */
#ifndef UDP_INT_H
#define UDP_INT_H

#include <strata/trace.h>
#include <strata/transport.h>

/* RFC 768: source port, destination port, length, checksum. */
#define UDP_HEADER_SIZE 8
#define UDP_LENGTH_OFFSET 4
#define UDP_CHECKSUM_OFFSET 6

/* As Linux (UDP_MAX_SEGMENTS, UDP_GRO_CNT_MAX): datagrams in one call, and in one that was joined. */
#define UDP_SEGMENTS_MAX 128
#define UDP_GRO_MAX 64

/* Bits of strata_socket.shutdown. */
enum {
	UDP_SHUT_RECEIVE = 1 << 0,
	UDP_SHUT_SEND = 1 << 1,
};

struct udp_header {
	uint16_t source_port, destination_port;
	uint16_t length;
	uint16_t checksum;
};

struct udp_config {
	bool zero_checksum;
	bool transmit_coalescing;
	uint64_t rcvbuf;
};

struct udp_state {
	uint32_t gro_sockets;	/* that have UDP_GRO on */
};

enum udp_counter {
#define X(symbol, name, help, mib) UDP_COUNT_##symbol,
#include "udp_counters.def"
#undef X
	UDP_COUNTERS,
};

enum udp_drop {
#define X(symbol, text, severity, mib) UDP_DROP_##symbol,
#include "udp_drops.def"
#undef X
	UDP_DROPS,
};

/* What a datagram in a receive queue keeps beside the packet's own fields. */
struct udp_cb {
	uint16_t source_port;
};
_Static_assert(sizeof(struct udp_cb) <= STRATA_PKT_CB, "fits in the packet");

/* The way of the last datagram sent: good for the next to the same end while dst is valid. */
struct udp_way {
	struct strata_dst dst;
	struct strata_addr to;
	struct strata_addr from;	/* that was asked for; unset: chosen */
	struct strata_addr src;		/* that is used */
	struct strata_iface *bound;
};

/* Datagrams that wait to leave together at the end of the batch (udp_join.c). The way is the socket's. */
struct udp_waiting {
	struct strata_pkt *pkt;		/* their payload; NULL: none waits */
	struct strata_work leave;
	uint32_t batch;			/* of the last datagram; the fields below are that one's */
	uint16_t port;			/* destination */
	uint16_t length;		/* of the payload, of each that waits */
	uint8_t ttl, tos, df;
};

/* One datagram on its way out. */
struct udp_datagram {
	struct strata_tx tx;
	struct strata_iface *bound;
	uint16_t port;
	uint32_t length;		/* payload bytes */
	bool local_only;		/* to a group, with a TTL of 0 */
	uint16_t segment;		/* bytes of each datagram that it is cut into; 0: it is one */
	uint32_t stamps;		/* SOF_TIMESTAMPING_TX_… asked for */
};

struct udp_socket {
	struct strata_socket sock;	/* first */
	struct strata_pkt_queue rx;	/* data at the payload, cb a struct udp_cb */
	struct udp_way way;
	struct udp_waiting waiting;
	struct strata_work writable;	/* queued while the device takes no more */
	/* The local address was bound and is a unicast one of our own: what is sent must bear it. */
	bool from_bound;
	bool gro;			/* UDP_GRO: takes several datagrams at once */
	uint16_t segment;		/* UDP_SEGMENT: payload bytes of each datagram; 0: off */
};

static inline struct udp_socket *udp_socket_of(struct strata_socket *sock)
{
	return strata_container_of(sock, struct udp_socket, sock);
}

static inline struct udp_cb *udp_cb(struct strata_pkt *pkt)
{
	return (struct udp_cb *)(void *)pkt->cb;
}

/* Checks all about the header at pkt->data, cuts what is behind the datagram, and verifies the
 * checksum. Returns -1 when all is well, or the reason for a drop (udp_wire.c). */
int udp_parse(const struct udp_config *config, struct strata_pkt *pkt, struct udp_header *header);
/* Pushes the header. `partial`: leaves the sum to whoever takes the packet over. Returns 0 or -ENOBUFS. */
int udp_emit(struct strata_pkt *pkt, const struct strata_tx *tx, uint16_t source_port,
	     uint16_t destination_port, bool partial);
/* Whether the datagram of `length` bytes at pkt->data has a right checksum. */
bool udp_checksum_good(const struct strata_pkt *pkt, uint16_t length);
/* The two below are ops, see struct strata_transport_ops. */
void udp_segment(struct strata_instance *self, const struct strata_pkt *whole,
		 struct strata_pkt *segment, uint32_t offset, bool last);
uint32_t udp_header_length(const struct strata_pkt *pkt);

/* Ops of input and errors (udp_input.c). */
enum strata_verdict udp_input(struct strata_instance *self, struct strata_pkt *pkt);
/* The op `ports`: RFC 768 has them first. */
bool udp_ports(const uint8_t *header, uint32_t length, bool sent, uint16_t *local, uint16_t *remote);
void udp_error(struct strata_instance *self, const struct strata_transport_error *error);

/* Ops of sockets (udp_socket.c). */
int udp_socket_open(struct strata_socket *sock);
void udp_socket_close(struct strata_socket *sock);
int udp_socket_bound(struct strata_socket *sock);
int udp_connect(struct strata_socket *sock, const struct strata_addr *addr, uint16_t port);
int udp_disconnect(struct strata_socket *sock);
ssize_t udp_recv(struct strata_socket *sock, struct msghdr *msg, struct strata_addr *from,
		 uint16_t *port, int flags);
int udp_shutdown(struct strata_socket *sock, int how);
int udp_ioctl(struct strata_socket *sock, unsigned long request, int *value);
void udp_option_changed(struct strata_socket *sock, int name);
void udp_describe(const struct strata_flow *flow, const char **state, uint32_t *rx_queue,
		  uint32_t *tx_queue);
void udp_abort(struct strata_flow *flow, int error);
/* Replaces the socket's events by what holds now. */
void udp_update_events(struct udp_socket *us, uint32_t edge);

/* Many datagrams at once (udp_offload.c): ops, */
int udp_start(struct strata_instance *self, struct strata_error *error);
void udp_stop(struct strata_instance *self);
int udp_setsockopt(struct strata_socket *sock, int name, const void *value, socklen_t length);
int udp_getsockopt(struct strata_socket *sock, int name, void *value, socklen_t *length);
enum strata_join udp_coalesce(struct strata_instance *self, struct strata_pkt *whole,
			      struct strata_pkt *pkt, uint32_t size);
/* … UDP_GRO of a socket, */
void udp_set_gro(struct udp_socket *us, bool gro);
/* … the size of the datagrams that `length` bytes are to be cut into by the socket's option or a control
 * message; 0: they are one. Returns 0 or -EINVAL. */
int udp_segment_size(const struct udp_socket *us, const struct msghdr *msg, uint32_t length,
		     uint16_t *out);
/* … whether such datagrams fit the path: 0 or -EMSGSIZE, */
int udp_segment_fits(const struct strata_dst *dst, uint16_t segment);
/* … and the control message that tells the size, as control_put of a network module. */
void udp_put_control(const struct strata_pkt *pkt, struct msghdr *msg, size_t room);

/* The step of a datagram on its way out; `pkt` is the packet that it goes into. */
#define udp_trace_out(us, pkt, d, text) \
	strata_trace_fields((us)->sock.transport, pkt, STRATA_FIELDS( \
			    STRATA_FIELD_ADDR("src", &(d)->tx.src), \
			    STRATA_FIELD_UINT("src_port", (us)->sock.flow.key.local_port), \
			    STRATA_FIELD_ADDR("dst", &(d)->tx.dst), \
			    STRATA_FIELD_UINT("dst_port", (d)->port), \
			    STRATA_FIELD_SIZE("length", (d)->length), \
			    STRATA_FIELD_UINT("socket", (us)->sock.fd)), "%s", text)

/* Appends the message's bytes, `length` in all. Most are one part and fit in what was allocated. Returns 0 or
 * -ENOBUFS. */
static inline int udp_append(struct strata_pkt *pkt, const struct msghdr *msg, uint32_t length)
{
	uint8_t *to = msg->msg_iovlen == 1 && length != 0 ? strata_pkt_put(pkt, length) : NULL;

	if (strata_unlikely(to == NULL))
		return strata_pkt_append_iov(pkt, msg->msg_iov, msg->msg_iovlen, 0, length);
	memcpy(to, msg->msg_iov->iov_base, length);
	return 0;
}

/* Joining what is sent (udp_join.c). */
void udp_join_open(struct udp_socket *us);
/* Puts the datagram, for which us->way holds, to those that wait, or makes it the first of them. Returns false
 * where it must be sent by itself: then nothing waits any more, and it may be told to udp_join_sent(). */
bool udp_join(struct udp_socket *us, const struct msghdr *msg, const struct udp_datagram *d, int flags);
/* The datagram has left by itself: others may be joined to each other behind it. */
void udp_join_sent(struct udp_socket *us, const struct udp_datagram *d);
/* Sends what waits. Before us->way, the local port or the destination become others. */
void udp_join_leave_slow(struct udp_socket *us);
static inline void udp_join_leave(struct udp_socket *us)
{
	if (strata_unlikely(us->waiting.pkt != NULL))
		udp_join_leave_slow(us);
}

/* Sending (udp_output.c). */
ssize_t udp_send(struct strata_socket *sock, const struct msghdr *msg,
		 const struct strata_addr *to, uint16_t port, int flags);
/* Makes us->way lead to `to`. Returns 0 or -errno. */
int udp_route(struct udp_socket *us, const struct strata_addr *to, const struct strata_addr *from,
	      struct strata_iface *bound);
/* Whether the sum of a datagram of `length` bytes is left to whoever takes it over. */
bool udp_checksum_partial(const struct strata_dst *dst, uint32_t length);
/* The interface that a datagram to `to` must leave by; NULL: by route. */
struct strata_iface *udp_bound_iface(const struct udp_socket *us, const struct strata_addr *to);

#endif
