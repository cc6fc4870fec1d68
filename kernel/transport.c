/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dispatch to transports by protocol number, and what all transports do alike: unknown destinations,
 * errno of network errors (RFC 1122 4.1.3.3 and 4.2.3.9), control messages.
 */
#include <errno.h>
#include <linux/net_tstamp.h>
#include <time.h>

#include "gro.h"
#include "shard.h"

static enum strata_verdict input_super(struct strata_instance *t, struct strata_pkt *pkt)
{
	t->rx_packets += segment_count(pkt);
	return t->module->transport->input(t, pkt);
}

/* Apart, since most stacks are alone. */
static __attribute__((noinline)) bool steer(struct kernel *k, struct strata_instance *t,
					    struct strata_pkt *pkt)
{
	return t != NULL && shard_steer(k, t, pkt, 0);
}

void transport_input_tried(struct kernel *k, struct strata_pkt *pkt, uint64_t tried)
{
	struct strata_instance *t = registry_transport(k, pkt->number);

	/* Its module may have gone meanwhile: not in the other shard, then. */
	if (t == NULL || t->module->transport->input == NULL) {
		strata_drop(&k->self, pkt, KERNEL_DROP_NO_TRANSPORT);
		return;
	}
	if (shard_steer(k, t, pkt, tried))
		return;
	t->rx_packets += segment_count(pkt);
	t->module->transport->input(t, pkt);
}

/* RFC 1122 3.2.2.1: a protocol that is not here should be told as unreachable. Apart, since most are. */
static __attribute__((noinline)) enum strata_verdict no_transport(struct kernel *k, struct strata_pkt *pkt)
{
	strata_trace_fields(&k->self, pkt, STRATA_SAID(STRATA_FIELD_UINT("number", pkt->number)),
			    "no transport %u: protocol unreachable", pkt->number);
	strata_error_output(pkt, STRATA_ERR_PROTOCOL_UNREACHABLE, 0);
	return strata_drop(&k->self, pkt, KERNEL_DROP_NO_TRANSPORT);
}

/* Called from two places, of which one is on every packet's way. */
static inline __attribute__((always_inline)) enum strata_verdict deliver(struct kernel *k,
									 struct strata_instance *t,
									 struct strata_pkt *pkt)
{
	if (strata_likely(t != NULL && t->module->transport->input != NULL)) {
		if (strata_unlikely(pkt->seg_type != STRATA_SEG_NONE))
			return input_super(t, pkt);
		t->rx_packets++;
		return t->module->transport->input(t, pkt);
	}
	return no_transport(k, pkt);
}

enum strata_verdict transport_deliver(struct kernel *k, struct strata_pkt *pkt)
{
	return deliver(k, registry_transport(k, pkt->number), pkt);
}

enum strata_verdict strata_transport_input(struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(pkt->stack);
	struct strata_instance *t = transport_at(k, pkt->number);

	pkt->transport_offset = (uint16_t)strata_pkt_headroom(pkt);
	if (strata_unlikely(k->shard != NULL) && steer(k, t, pkt))
		return STRATA_ACCEPTED;
	if (strata_likely(t != NULL) && gro_wants(k, t, pkt))
		return gro_input(k, t, pkt);
	return deliver(k, t, pkt);
}

bool strata_transport_bound(struct strata_stack *stack, uint8_t number)
{
	return registry_transport(kernel_of(stack), number) != NULL;
}

enum strata_verdict strata_transport_unknown(struct strata_instance *self, struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(self->stack);

	/* RFC 1122 3.2.2: no error about what was sent to many. */
	if ((pkt->flags & STRATA_PKT_MANY) == 0) {
		strata_trace(self, pkt, "nobody at this port: port unreachable");
		strata_error_output(pkt, STRATA_ERR_PORT_UNREACHABLE, 0);
	}
	return strata_drop(&k->self, pkt, KERNEL_DROP_NO_FLOW);
}

int strata_net_error_errno(enum strata_net_error kind)
{
	static const int map[STRATA_ERRS] = {
		[STRATA_ERR_NET_UNREACHABLE] = ENETUNREACH,
		[STRATA_ERR_HOST_UNREACHABLE] = EHOSTUNREACH,
		[STRATA_ERR_PROTOCOL_UNREACHABLE] = ENOPROTOOPT,
		[STRATA_ERR_PORT_UNREACHABLE] = ECONNREFUSED,
		[STRATA_ERR_TOO_BIG] = EMSGSIZE,
		[STRATA_ERR_SOURCE_ROUTE] = EOPNOTSUPP,
		[STRATA_ERR_PROHIBITED] = EHOSTUNREACH,
		[STRATA_ERR_TTL_EXCEEDED] = EHOSTUNREACH,
		[STRATA_ERR_REASSEMBLY_TIMEOUT] = EHOSTUNREACH,
		[STRATA_ERR_PARAMETER] = EPROTO,
		[STRATA_ERR_HOST_UNKNOWN] = EHOSTDOWN,
		[STRATA_ERR_NET_UNKNOWN] = ENETUNREACH,
		[STRATA_ERR_HOST_ISOLATED] = ENONET,
		[STRATA_ERR_NET_PROHIBITED] = ENETUNREACH,
	};

	return (size_t)kind < STRATA_ERRS ? map[kind] : EPROTO;
}

void strata_socket_tx(const struct strata_socket *sock, struct strata_tx *tx)
{
	tx->src = sock->flow.key.local;
	tx->dst = sock->flow.key.remote;
	tx->number = sock->flow.key.number;
	tx->ttl = sock->ttl;
	tx->tos = sock->tos;
	tx->df = sock->df;
}

/* ---- control messages ---- */

int strata_control_append(struct msghdr *msg, size_t room, int level, int type, const void *data,
			  size_t length)
{
	struct cmsghdr header = {
		.cmsg_len = CMSG_LEN(length),
		.cmsg_level = level,
		.cmsg_type = type,
	};
	uint8_t *at;

	if (msg->msg_control == NULL || msg->msg_controllen > room ||
	    room - msg->msg_controllen < CMSG_LEN(length)) {
		msg->msg_flags |= MSG_CTRUNC;
		return -ENOSPC;
	}
	at = (uint8_t *)msg->msg_control + msg->msg_controllen;
	memcpy(at, &header, sizeof(header));
	memcpy(at + CMSG_LEN(0), data, length);
	/* The padding counts where it fits, so that the next message is aligned. */
	msg->msg_controllen += CMSG_SPACE(length) <= room - msg->msg_controllen ?
		CMSG_SPACE(length) : CMSG_LEN(length);
	return 0;
}

int strata_control_stamp(struct msghdr *msg, size_t room, uint64_t wall)
{
	/* Software, nothing (it was the system's clock once), the device's. */
	const struct timespec stamps[3] = {
		{ .tv_sec = (time_t)(wall / STRATA_SEC), .tv_nsec = (long)(wall % STRATA_SEC) },
	};

	return strata_control_append(msg, room, SOL_SOCKET, SO_TIMESTAMPING, stamps,
				     sizeof(stamps));
}

static void put_time_stamp(struct strata_socket *sock, uint64_t ns, struct msghdr *msg, size_t room)
{
	const struct timespec ts = {
		.tv_sec = (time_t)(ns / STRATA_SEC),
		.tv_nsec = (long)(ns % STRATA_SEC),
	};
	const struct timeval tv = {
		.tv_sec = ts.tv_sec,
		.tv_usec = (suseconds_t)((uint64_t)ts.tv_nsec / STRATA_US),
	};

	if ((sock->options & STRATA_SO_TIMESTAMPNS) != 0)
		strata_control_append(msg, room, SOL_SOCKET, SO_TIMESTAMPNS, &ts, sizeof(ts));
	else
		strata_control_append(msg, room, SOL_SOCKET, SO_TIMESTAMP, &tv, sizeof(tv));
}

void strata_control_received(struct strata_socket *sock, uint64_t time, struct msghdr *msg,
			     size_t room)
{
	const uint32_t received = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	bool plain = (sock->options & (STRATA_SO_TIMESTAMP | STRATA_SO_TIMESTAMPNS)) != 0;
	bool stamping = (strata_socket_stamping(sock) & received) == received;
	uint64_t wall, now;

	if (!plain && !stamping)
		return;
	/* Time of day when the driver read the packet: now, less how long ago that was. */
	wall = strata_wall_clock(sock->stack);
	now = strata_now(sock->stack);
	if (time != 0 && time < now)
		wall -= now - time;
	if (plain)
		put_time_stamp(sock, wall, msg, room);
	if (stamping)
		strata_control_stamp(msg, room, wall);
}

void strata_socket_control(struct strata_socket *sock, const struct strata_pkt *pkt,
			   struct msghdr *msg)
{
	const struct strata_network_ops *net = sock->network->module->network;
	size_t room = msg->msg_controllen;

	msg->msg_controllen = 0;
	/* Most ask for nothing. */
	if (strata_likely((sock->options & STRATA_SO_CONTROL) == 0 && sock->extra == NULL))
		return;
	strata_control_received(sock, pkt->time, msg, room);
	if (net->control_put != NULL)
		net->control_put(sock->network, sock, pkt, msg, room);
}
