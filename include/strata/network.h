/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of a network module (bound to an EtherType) and the kernel's dispatch around them.
 *
 * A module may carry packets (input, output), resolve another family's neighbours (resolve), supply
 * the addresses of a family (address), or any of these together.
 */
#ifndef STRATA_NETWORK_H
#define STRATA_NETWORK_H

#include <strata/iface.h>
#include <strata/module.h>
#include <strata/pkt.h>
#include <strata/route.h>

STRATA_BEGIN_DECLS

struct strata_report;

/** Whether the network may fragment what is sent, and whether it says not to on the way. */
enum strata_df {
	STRATA_DF_WANT,		/**< path MTU discovery: set "don't fragment" where it fits the path MTU,
				 *   fragment here where it does not (IP_PMTUDISC_WANT) */
	STRATA_DF_DONT,		/**< never set it (IP_PMTUDISC_DONT) */
	STRATA_DF_DO,		/**< always set it; larger than the path MTU: -EMSGSIZE */
	STRATA_DF_PROBE,	/**< always set it and ignore the path MTU; the interface's holds */
};

/** What a transport says of a packet it sends. */
struct strata_tx {
	struct strata_addr src, dst;	/**< both set; src may be any (0) only for special protocols */
	uint8_t number;			/**< transport protocol number */
	uint8_t ttl;			/**< 0: the network module's default */
	uint8_t tos;
	uint8_t df;			/**< enum strata_df */
};

/** The part of an offending packet that an error message quotes, parsed. */
struct strata_quote {
	struct strata_addr src, dst;	/**< of the quoted packet: src is who sent it */
	uint8_t number;
	uint32_t header_size;		/**< network header bytes; the transport header follows */
};

/** Errors the network reports, of any family. */
enum strata_net_error {
	STRATA_ERR_NET_UNREACHABLE,
	STRATA_ERR_HOST_UNREACHABLE,
	STRATA_ERR_PROTOCOL_UNREACHABLE,
	STRATA_ERR_PORT_UNREACHABLE,
	STRATA_ERR_TOO_BIG,		/**< info: MTU of the next hop */
	STRATA_ERR_SOURCE_ROUTE,
	STRATA_ERR_PROHIBITED,
	STRATA_ERR_TTL_EXCEEDED,
	STRATA_ERR_REASSEMBLY_TIMEOUT,
	STRATA_ERR_PARAMETER,		/**< info: offset of the bad byte */
	STRATA_ERR_HOST_UNKNOWN,
	STRATA_ERR_NET_UNKNOWN,
	STRATA_ERR_HOST_ISOLATED,
	STRATA_ERR_NET_PROHIBITED,
	STRATA_ERRS,
};

/** An error that came in for something this stack sent, as transports are told of it. */
struct strata_transport_error {
	enum strata_net_error kind;
	uint32_t info;			/**< see the kinds */
	uint8_t type, code;		/**< as on the wire, for IP_RECVERR; 0 when local */
	bool local;			/**< found by this stack, not told by another */
	struct strata_addr offender;	/**< who told; unset when local */
	struct strata_quote quote;
	const uint8_t *payload;		/**< quoted bytes from the transport header on; borrowed */
	uint32_t payload_length;
};

/** How the network header of a segment follows from that of the first. */
enum strata_alike {
	STRATA_ALIKE_NOT,	/**< it does not */
	STRATA_ALIKE_COUNTED,	/**< something in it counts the segments */
	STRATA_ALIKE,		/**< but for its length it is the same (STRATA_PKT_SEG_ALIKE) */
};

struct strata_network_ops {
	/** Addresses of this (or for a resolver, the resolved) family; NULL: supplies none. The first
	 *  module of a family's own number wins over others. */
	const struct strata_address_ops *address;

	/** A packet from the link, pkt->data at the network header. Validates, sets src, dst, number, ttl,
	 *  tos and network_offset, and ends in strata_transport_input(). Consumes. */
	enum strata_verdict (*input)(struct strata_instance *self, struct strata_iface *iface,
				     struct strata_pkt *pkt);

	/** Sends a transport packet, pkt->data at the transport header and transport_offset set: writes the
	 *  header, fragments where it must, and hands to strata_dst_output(). Consumes. Returns 0 or -errno
	 *  (-EMSGSIZE, -ENOBUFS, and those of strata_neigh_output). NULL: carries no transports. */
	int (*output)(struct strata_instance *self, const struct strata_dst *dst,
		      struct strata_pkt *pkt, const struct strata_tx *tx);
	uint16_t header_size;		/**< bytes of a header without options, for the MSS */
	uint16_t mtu_min;		/**< smallest MTU of a link that may carry it */

	/** Family whose neighbours `resolve` asks for; 0: none. */
	uint16_t resolves;
	/** Asks for the neighbour's link address: by multicast or broadcast while INCOMPLETE, by unicast to
	 *  neigh->lladdr in PROBE. The answer comes through strata_neigh_heard(). */
	void (*resolve)(struct strata_instance *self, struct strata_neigh *neigh);
	/** An address came (`added`) or is going. May make it TENTATIVE. NULL: does not care. */
	void (*address_event)(struct strata_instance *self, struct strata_ifaddr *ifaddr, bool added);
	/** The interface began or ceased to run. NULL: does not care. */
	void (*iface_event)(struct strata_instance *self, struct strata_iface *iface, bool running);
	/** A first member joined or the last one left a group. NULL: does not care. */
	void (*group_event)(struct strata_instance *self, struct strata_iface *iface,
			    const struct strata_addr *group, bool joined);

	/** Number of the transport that tells this family's errors; 0: none. */
	uint8_t error_transport;
	/** Parses the beginning of a quoted packet. Returns 0 or -EINVAL. */
	int (*quote_parse)(const uint8_t *bytes, size_t length, struct strata_quote *out);

	/** Path MTU to `to`, given the route's; NULL: the route's. */
	uint32_t (*path_mtu)(struct strata_instance *self, const struct strata_addr *to,
			     uint32_t route_mtu);
	/** Learns a lower path MTU that a transport found plausible (RFC 5927): clamps, stores, bumps the
	 *  generation. Returns the MTU now in force. */
	uint32_t (*path_mtu_learn)(struct strata_instance *self, const struct strata_addr *to,
				   uint32_t mtu);

	/** How well `candidate`, an address of this stack, serves as the source of what goes to `to` out of
	 *  `iface`: the highest wins, of equals the first; negative: not at all. NULL: the order of RFC 1122
	 *  3.3.4.3 (on `iface` and its prefix has the next hop, on `iface`, any). What it says holds until the
	 *  stack's generation changes. */
	int (*source_rank)(struct strata_instance *self, const struct strata_ifaddr *candidate,
			   const struct strata_iface *iface, const struct strata_addr *to);

	/** Finishes the network header of segment `index` cut from `whole`: `segment` has a copy of its
	 *  headers, and data at the network header, as `whole`. Lengths, identification, header checksum.
	 *  Needed for software segmentation. */
	void (*segment)(struct strata_instance *self, const struct strata_pkt *whole,
			struct strata_pkt *segment, uint32_t index);

	/** Whether the header of `pkt` lets it be joined to `whole`, which has `count` segments so far: cut
	 *  again by `segment`, the joined packet must give the same headers. Both have network_offset set and
	 *  the same ends, number and interface, and neither is broadcast, looped or put together from
	 *  fragments. NULL: packets of this family are never joined. */
	enum strata_alike (*coalesce)(struct strata_instance *self, const struct strata_pkt *whole,
				      const struct strata_pkt *pkt, uint32_t count);

	/** Socket level whose options the module answers (IPPROTO_IP …); -1: none. */
	int sockopt_level;
	/** As setsockopt(2) on a socket of this family. Returns 0 or -errno. */
	int (*setsockopt)(struct strata_instance *self, struct strata_socket *sock, int name,
			  const void *value, socklen_t length);
	int (*getsockopt)(struct strata_instance *self, struct strata_socket *sock, int name,
			  void *value, socklen_t *length);
	/** Adds the control messages the socket asked for (packet info, TTL, TOS) for a received packet to
	 *  `msg`, whose msg_controllen says what is used, `room` what there is. NULL: none. */
	void (*control_put)(struct strata_instance *self, struct strata_socket *sock,
			    const struct strata_pkt *pkt, struct msghdr *msg, size_t room);
	/** Adds the control message that tells of a report of the error queue (IP_RECVERR) to `msg`, as
	 *  control_put. NULL: none. */
	void (*report_put)(struct strata_instance *self, const struct strata_report *report,
			   struct msghdr *msg, size_t room);
	/** SO_EE_ORIGIN_… of the errors that this family's error transport tells. */
	uint8_t error_origin;
	/** Takes control messages of sendmsg (packet info, TTL, TOS) into `tx`; `*bound` may become an
	 *  interface. Returns 0 or -EINVAL. */
	int (*control_get)(struct strata_instance *self, struct strata_socket *sock,
			   const struct msghdr *msg, struct strata_tx *tx, struct strata_iface **bound);
};

/** A network packet of `number` from the link: to the module bound to it, or dropped with the reason
 *  that none is. Consumes. */
STRATA_API enum strata_verdict strata_network_input(struct strata_iface *iface,
						    struct strata_pkt *pkt, uint16_t number);

/** Sends a transport packet through the network module of `dst`. Consumes. Returns 0 or -errno. */
STRATA_API int strata_network_output(const struct strata_dst *dst, struct strata_pkt *pkt,
				     const struct strata_tx *tx);

/** For network modules: a finished network packet, pkt->data at its header, to where `dst` says: the
 *  neighbour, the loopback, or a link broadcast or multicast. Consumes. Returns 0 or -errno. */
STRATA_API int strata_dst_output(const struct strata_dst *dst, struct strata_pkt *pkt,
				 const struct strata_addr *to, uint16_t number);

/** For network modules: the transport packet inside, pkt->data at its header, to the transport bound to
 *  pkt->number. Where there is none, protocol unreachable is told. Consumes. */
STRATA_API enum strata_verdict strata_transport_input(struct strata_pkt *pkt);

/** Shows a packet that came in to all other shards (<strata/shards.h>), which get it as this module's input
 *  did, with STRATA_PKT_COPY: they learn from it, but do not answer. For what every shard must know: address
 *  resolution, and what was sent to many. Borrows; alone, or of such a copy, nothing happens. */
STRATA_API void strata_shard_share(struct strata_iface *iface, const struct strata_pkt *pkt);
/** Hands a packet that came in to the shard that `value` stands for, so that all with the same value meet in
 *  one (fragments of a datagram). Returns true and has consumed it; false: this is the one. */
STRATA_API bool strata_shard_gather(struct strata_iface *iface, struct strata_pkt *pkt,
				    uint64_t value);

/** True where a transport is bound to the number. */
STRATA_API bool strata_transport_bound(struct strata_stack *stack, uint8_t number);

/** Tells the sender of `pkt` of an error, through its family's error transport, if that is bound and
 *  lets it (RFC 1122 3.2.2: never about errors, fragments but the first, broadcast, multicast).
 *  Borrows the packet: pkt->network_offset must be set. */
STRATA_API void strata_error_output(const struct strata_pkt *pkt, enum strata_net_error kind,
				    uint32_t info);
/** An error came in: finds the transport of error->quote and tells it. */
STRATA_API void strata_transport_error(struct strata_stack *stack,
				       const struct strata_transport_error *error);
/** This stack could not send `pkt`, whose network header is at network_offset: tells the transport that
 *  sent it. Borrows. */
STRATA_API void strata_error_local(const struct strata_pkt *pkt, enum strata_net_error kind,
				   uint32_t info);

STRATA_END_DECLS
#endif
