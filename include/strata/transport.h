/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of a transport module (bound to an IP protocol number), and the socket as a transport
 * sees it. A transport's own socket structure begins with struct strata_socket.
 */
#ifndef STRATA_TRANSPORT_H
#define STRATA_TRANSPORT_H

#include <time.h>
#include <linux/errqueue.h>
#include <strata/flow.h>
#include <strata/module.h>
#include <strata/network.h>
#include <strata/pkt.h>
#include <strata/route.h>
#include <strata/socket.h>
#include <strata/timer.h>

STRATA_BEGIN_DECLS

/** Socket options the kernel keeps; bits of strata_socket.options. */
enum strata_socket_option {
	STRATA_SO_REUSEADDR = 1 << 0,
	STRATA_SO_REUSEPORT = 1 << 1,
	STRATA_SO_KEEPALIVE = 1 << 2,
	STRATA_SO_BROADCAST = 1 << 3,
	STRATA_SO_OOBINLINE = 1 << 4,
	STRATA_SO_LINGER = 1 << 5,
	STRATA_SO_TIMESTAMP = 1 << 6,
	STRATA_SO_TIMESTAMPNS = 1 << 7,
	STRATA_SO_DONTROUTE = 1 << 8,
	STRATA_SO_PKTINFO = 1 << 9,	/**< IP_PKTINFO and its like */
	STRATA_SO_RECVTTL = 1 << 10,
	STRATA_SO_RECVTOS = 1 << 11,
	STRATA_SO_RECVERR = 1 << 12,
	STRATA_SO_MCAST_LOOP = 1 << 13,	/**< on by default */
	STRATA_SO_SNDBUF_LOCKED = 1 << 14,	/**< set by hand: not autotuned */
	STRATA_SO_RCVBUF_LOCKED = 1 << 15,
	STRATA_SO_ZEROCOPY = 1 << 16,
	/** Those that ask for a control message with what is received; control_put of a network module is called
	 *  where one of them is set, or time stamps are asked for. */
	STRATA_SO_CONTROL = STRATA_SO_TIMESTAMP | STRATA_SO_TIMESTAMPNS | STRATA_SO_PKTINFO |
			    STRATA_SO_RECVTTL | STRATA_SO_RECVTOS,
};

/** What of its local end the application chose; the rest was chosen for it. port.local keeps the address
 *  that was bound, whatever a connection made of flow.key.local. */
enum strata_bound {
	STRATA_BOUND_ADDRESS = 1 << 0,
	STRATA_BOUND_PORT = 1 << 1,
};

/** A socket. The kernel allocates transport_ops.socket_size zeroed bytes and fills this part. */
struct strata_socket {
	struct strata_stack *stack;
	struct strata_instance *transport;
	struct strata_instance *network;/**< module of the socket's family */
	int32_t fd;			/**< its number; -1 once closed or before accepted */
	uint16_t family;		/**< EtherType of its domain */
	uint8_t type;			/**< SOCK_STREAM, SOCK_DGRAM */
	uint8_t shutdown : 2;		/**< bit 0: receive side shut, bit 1: send side shut */
	uint8_t bound : 2;		/**< enum strata_bound */
	uint8_t gone : 1;		/**< kernel's: its transport or network module went */
	/** The transport's: though the remote end is set there is no connection to it, since it is not made
	 *  yet or over. getpeername(2) then gives -ENOTCONN, as Linux does. */
	uint8_t unconnected : 1;
	/** The transport's: its structure is cut short (strata_socket_resize()), and wake() comes before any
	 *  other operation on the socket. */
	uint8_t resting : 1;
	uint32_t options;		/**< enum strata_socket_option */
	int32_t error;			/**< pending positive errno of SO_ERROR; 0: none */
	uint32_t events;		/**< level state, EPOLL…; written by strata_socket_set_events() */
	uint32_t raised;		/**< kernel's: events not yet told */
	strata_notify_fn *notify;	/**< kernel's */
	void *notify_arg;		/**< kernel's */
	struct strata_work work;	/**< kernel's: tells the events */
	struct strata_flow flow;	/**< ends; flow.kind is the transport's */
	struct strata_port port;
	uint32_t rcvbuf, sndbuf;	/**< limits in bytes of truesize */
	uint32_t rcvlowat;
	uint16_t linger;		/**< seconds, with STRATA_SO_LINGER */
	uint8_t ttl;			/**< 0: default */
	uint8_t tos;
	uint8_t mcast_ttl;		/**< 1 by default */
	uint8_t df;			/**< enum strata_df */
	uint16_t mcast_iface;		/**< index; 0: by route */
	int32_t slot;			/**< kernel's: place in the descriptor table; -1: none */
	struct strata_socket_extra *extra;	/**< kernel's: what few sockets need; NULL: nothing of it */
	struct strata_cache *cache;	/**< kernel's: where its memory is from */
	uint64_t max_pacing_rate;	/**< SO_MAX_PACING_RATE, bytes a second; 0: no limit */
};

/** One detail of an entry: `text`, or where that is NULL `value`. Names end in their unit (`rtt_us`). */
typedef void strata_detail_fn(void *ctx, const char *name, const char *text, uint64_t value);

/** What coalesce says of a packet. */
enum strata_join {
	STRATA_JOIN_OTHER,	/**< of another flow than the whole */
	STRATA_JOIN_NOT,	/**< not to be joined: what waits of the flow goes on before it */
	STRATA_JOIN_MORE,	/**< joined, or a first one; more may follow */
	STRATA_JOIN_END,	/**< joined, and nothing may follow */
};

struct strata_transport_ops {
	int type;			/**< SOCK_STREAM or SOCK_DGRAM */
	/** Bytes of the transport's socket structure; 0: has no sockets. */
	size_t socket_size;
	/** Socket level whose options the transport answers (IPPROTO_…). */
	int sockopt_level;
	uint32_t rcvbuf, sndbuf;	/**< defaults of a new socket */

	/** A packet, pkt->data at the transport header. Parses, validates, finds the flow. Consumes. */
	enum strata_verdict (*input)(struct strata_instance *self, struct strata_pkt *pkt);
	/** An error about something sent. Borrowed. NULL: does not care. */
	void (*error)(struct strata_instance *self, const struct strata_transport_error *error);
	/** For error transports: tells the sender of `pkt` of an error. Borrows. NULL: is none. */
	void (*report)(struct strata_instance *self, const struct strata_pkt *pkt,
		       enum strata_net_error kind, uint32_t info);
	/** Finishes the transport header of the segment with payload `offset` … of `whole`, both with data at
	 *  the transport header, of which the segment has a copy. The checksum stays partial: the kernel has
	 *  put the segment's length into its field. `last`: of this packet. */
	void (*segment)(struct strata_instance *self, const struct strata_pkt *whole,
			struct strata_pkt *segment, uint32_t offset, bool last);
	/** Bytes of the transport header of an outgoing packet (data at it), for segmentation. */
	uint32_t (*header_length)(const struct strata_pkt *pkt);

	/** Reads the ports by which a packet's flow is found, as the flow table has them, out of the `length`
	 *  bytes at its transport header; `sent`: it is one of ours that an error quotes. So the kernel finds the
	 *  shard that has the flow (<strata/shards.h>). Returns false where there are none: the packet is for
	 *  whichever shard got it. NULL: always so. */
	bool (*ports)(const uint8_t *header, uint32_t length, bool sent, uint16_t *local,
		      uint16_t *remote);
	/** Joins received segments. `whole` NULL: whether others may be joined to `pkt` (STRATA_JOIN_MORE, else
	 *  STRATA_JOIN_NOT). Otherwise whether `pkt` is the next segment of `whole`; if so its payload is appended
	 *  (strata_pkt_join()), the first header gets what it must have of the last, and csum_offset of `whole` is
	 *  set. Cut again by `segment`, the whole must give the same segments. `size`: payload bytes of each segment
	 *  of `whole`; 0: they must not be joined, whatever the transport says. Both have data at the transport
	 *  header; checksums are verified before (and csum then says so). `pkt` stays the kernel's. NULL: never. */
	enum strata_join (*coalesce)(struct strata_instance *self, struct strata_pkt *whole,
				     struct strata_pkt *pkt, uint32_t size);

	/* ---- sockets; NULL gives -EOPNOTSUPP ---- */

	/** A new socket, its part zeroed. Returns 0 or -errno, then undone. */
	int (*socket_open)(struct strata_socket *sock);
	/** The application closed it; sock->fd is already -1. The transport frees it, now or when its protocol
	 *  is done, with strata_socket_free(). */
	void (*socket_close)(struct strata_socket *sock);
	/** Gives a socket that rests its whole structure back: returns it, at its new place, or NULL when memory is
	 *  short. close and abort may then follow all the same. Needed by who sets `resting`. */
	struct strata_socket *(*wake)(struct strata_socket *sock);
	/** Bound by the kernel: port claimed, flow.key.local and local_port set. May refuse. NULL: fine. */
	int (*socket_bound)(struct strata_socket *sock);
	int (*connect)(struct strata_socket *sock, const struct strata_addr *addr, uint16_t port);
	/** connect(2) with AF_UNSPEC. NULL: -EOPNOTSUPP. */
	int (*disconnect)(struct strata_socket *sock);
	int (*listen)(struct strata_socket *sock, int backlog);
	/** Gives an established connection its owner: returns 0 and `*out` (fd -1, the kernel numbers it),
	 *  -EAGAIN or -errno. */
	int (*accept)(struct strata_socket *sock, struct strata_socket **out);
	/** `to` NULL: no address given. Returns bytes taken or -errno. */
	ssize_t (*send)(struct strata_socket *sock, const struct msghdr *msg,
			const struct strata_addr *to, uint16_t port, int flags);
	/** Fills iov, control and flags of `msg`; the sender into `*from`, `*port` (left unset on streams).
	 *  msg_controllen is the room on entry and what was used on return; strata_socket_control() does
	 *  that. Returns bytes or -errno. */
	ssize_t (*recv)(struct strata_socket *sock, struct msghdr *msg, struct strata_addr *from,
			uint16_t *port, int flags);
	int (*shutdown)(struct strata_socket *sock, int how);
	int (*setsockopt)(struct strata_socket *sock, int name, const void *value, socklen_t length);
	int (*getsockopt)(struct strata_socket *sock, int name, void *value, socklen_t *length);
	/** SIOCINQ and SIOCOUTQ. Returns 0 or -errno. */
	int (*ioctl)(struct strata_socket *sock, unsigned long request, int *value);
	/** A SOL_SOCKET option that the kernel keeps changed (buffer sizes, keepalive, …). NULL: fine. */
	void (*option_changed)(struct strata_socket *sock, int name);
	/** Name of the entry's state for people ("ESTABLISHED"), and queue lengths in bytes; `flow` is an entry
	 *  of this transport. */
	void (*describe)(const struct strata_flow *flow, const char **state, uint32_t *rx_queue,
			 uint32_t *tx_queue);
	/** The address or interface under these flows went: end them with `error` (positive errno). */
	void (*abort)(struct strata_flow *flow, int error);
	/** The stack is going to end: a connection is closed in good order once what it has has been sent, whoever
	 *  owns it; a listener takes no more. NULL: nothing is under way. */
	void (*drain)(struct strata_flow *flow);
	/** A congestion module is unloaded: the flow must not keep its pointer. NULL: keeps none. */
	void (*algorithm_gone)(struct strata_flow *flow, struct strata_instance *algorithm);
	/** What people ask about an entry beyond describe(): timers, windows, estimates, each under the name that
	 *  its protocol gives it. NULL: nothing. */
	void (*details)(const struct strata_flow *flow, strata_detail_fn *each, void *ctx);
};

/* ---- for transports ---- */

/** No flow wants `pkt`: tells port unreachable where that is proper and drops with the kernel's
 *  reason. Consumes. */
STRATA_API enum strata_verdict strata_transport_unknown(struct strata_instance *self,
							struct strata_pkt *pkt);

/** A socket of the same transport as `parent`, for a connection that came in: options, buffers and
 *  family inherited, fd -1. NULL when memory is short. */
STRATA_API struct strata_socket *strata_socket_spawn(struct strata_socket *parent);
/** Moves a socket to a structure of `size` bytes, at least sizeof(struct strata_socket): what goes beyond is
 *  lost, what is gained is zero. Tables and pending work follow; timers and work of the transport's own must
 *  be idle, and every pointer to the old place is stale. Returns the new one, or NULL with all as it was:
 *  memory is short, or the socket uses what few need (error queue, time stamps, MSG_ZEROCOPY, SO_PRIORITY …). */
STRATA_API struct strata_socket *strata_socket_resize(struct strata_socket *sock, size_t size);
/** Ends a socket: leaves the flow and port tables, groups, pending work; frees the structure. */
STRATA_API void strata_socket_free(struct strata_socket *sock);
/** Replaces the level state; what has newly come true is told after the batch. `edge` are events told
 *  again though they held before (more data came). */
STRATA_API void strata_socket_set_events(struct strata_socket *sock, uint32_t events, uint32_t edge);
/** Sets the pending error (positive errno) and EPOLLERR. */
STRATA_API void strata_socket_set_error(struct strata_socket *sock, int error);
/** Takes the pending error: 0, or -errno, which is then cleared with EPOLLERR. */
STRATA_API int strata_socket_take_error(struct strata_socket *sock);
/** Fills a transport packet's address part from the socket's ends and options. */
STRATA_API void strata_socket_tx(const struct strata_socket *sock, struct strata_tx *tx);
/** Claims an ephemeral port on all addresses for a socket without one and tells the transport
 *  (socket_bound), as a first send does; one that has a port is left alone. Returns 0 or -errno. */
STRATA_API int strata_socket_autobind(struct strata_socket *sock);
/** Fills msg's control part for a received packet: time stamps (SO_TIMESTAMP, SO_TIMESTAMPNS), then what
 *  the network module adds. msg_controllen: the room on entry, what is used on return. */
STRATA_API void strata_socket_control(struct strata_socket *sock, const struct strata_pkt *pkt,
				      struct msghdr *msg);
/** Appends a control message: msg_controllen says what is used, `room` what there is. What does not fit
 *  is left out and MSG_CTRUNC set. Returns 0 or -ENOSPC. */
STRATA_API int strata_control_append(struct msghdr *msg, size_t room, int level, int type,
				     const void *data, size_t length);
/** Joins a group through a socket, which leaves it when it ends; for a network module's setsockopt.
 *  `iface` NULL: the socket's multicast interface, or by route. Returns 0, -EINVAL (no group), -ENODEV,
 *  -EADDRINUSE (already joined), -ENOBUFS (over 64), -ENOMEM. */
STRATA_API int strata_socket_join(struct strata_socket *sock, struct strata_iface *iface,
				  const struct strata_addr *group);
/** Leaves it: on `iface`, or NULL: wherever it was joined first. Returns 0 or -EADDRNOTAVAIL. */
STRATA_API int strata_socket_leave(struct strata_socket *sock, struct strata_iface *iface,
				   const struct strata_addr *group);
/** What a socket's error queue tells (recvmsg(2), MSG_ERRQUEUE). */
struct strata_report {
	struct sock_extended_err ee;
	struct strata_addr offender;	/**< who told; unset: nobody */
	struct strata_addr to;		/**< where the packet was going; unset: not told */
	uint16_t port;
	uint64_t stamp;			/**< time of day in ns that SCM_TIMESTAMPING tells; 0: none */
	const void *data;		/**< the packet concerned, or a part; borrowed, 2 KiB are kept */
	uint32_t length;
};
/** Puts a report into the socket's error queue, which the size of the receive buffer limits, and tells
 *  EPOLLERR. Ranges of MSG_ZEROCOPY that follow each other become one. Returns 0, -ENOBUFS, -ENOMEM,
 *  -ENETDOWN; then it is counted as lost. */
STRATA_API int strata_socket_report(struct strata_socket *sock, const struct strata_report *report);
/** The same for an error about a packet to `to`; the first `skip` of its quoted bytes are left out. */
STRATA_API int strata_socket_report_error(struct strata_socket *sock,
					  const struct strata_transport_error *error,
					  const struct strata_addr *to, uint16_t port, uint32_t skip);
/** SOF_TIMESTAMPING_… flags of the socket. */
STRATA_API uint32_t strata_socket_stamping(const struct strata_socket *sock);
/** Number of the next datagram for SOF_TIMESTAMPING_OPT_ID, counted up. */
STRATA_API uint32_t strata_socket_stamp_key(struct strata_socket *sock);
/** The SOF_TIMESTAMPING_TX_… flags that hold for a message: those of its control message SO_TIMESTAMPING, else
 *  the socket's. Returns 0 or -EINVAL. */
STRATA_API int strata_socket_send_stamps(const struct strata_socket *sock, const struct msghdr *msg,
					 uint32_t *flags);
/** Reports the time now as that of SCM_TSTAMP_… `kind`, with the packet unless the socket wants none or it is
 *  NULL. Returns as strata_socket_report(). */
STRATA_API int strata_socket_stamp(struct strata_socket *sock, uint32_t kind, uint32_t key,
				   const struct strata_pkt *pkt);
/** Has SCM_TSTAMP_SND reported when a driver takes the packet; of one that is cut, its first part. */
STRATA_API void strata_socket_stamp_sent(struct strata_socket *sock, struct strata_pkt *pkt,
					 uint32_t key);
/** One send with MSG_ZEROCOPY on a socket with STRATA_SO_ZEROCOPY: the error queue tells when the last of its
 *  chunks is gone. */
struct strata_zerocopy;
/** Begins one, which strata_zerocopy_end() ends. Returns 0 or -ENOBUFS (too many are under way). */
STRATA_API int strata_zerocopy_begin(struct strata_socket *sock, struct strata_zerocopy **out);
/** A chunk that is the application's memory: `*length` bytes at most, which becomes how many. One reference is
 *  the caller's. NULL when memory is short. */
STRATA_API struct strata_chunk *strata_zerocopy_chunk(struct strata_zerocopy *call, const void *data,
						      uint32_t *length);
/** The bytes were copied after all; the report says so. */
STRATA_API void strata_zerocopy_copied(struct strata_zerocopy *call);
/** The send is over. `used`: something was taken; otherwise it does not count and nothing is told. */
STRATA_API void strata_zerocopy_end(struct strata_zerocopy *call, bool used);
/** Appends SCM_TIMESTAMPING with a software time, ns of the time of day. */
STRATA_API int strata_control_stamp(struct msghdr *msg, size_t room, uint64_t wall);
/** Appends the times of reception the socket asked for (SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING) of what
 *  came at `time`, stack time in ns. */
STRATA_API void strata_control_received(struct strata_socket *sock, uint64_t time,
					struct msghdr *msg, size_t room);
/** errno that an error kind gives an application (RFC 1122 4.2.3.9; as Linux maps it). */
STRATA_API int strata_net_error_errno(enum strata_net_error kind);

STRATA_END_DECLS
#endif
