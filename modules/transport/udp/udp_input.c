/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams in, and errors about datagrams sent: RFC 768, RFC 1122 4.1.3.1, 4.1.3.3 and 4.1.3.5.
 */
#include <errno.h>

#include "udp_int.h"

/* ---- delivery ---- */

/* Datagrams in a packet, which begins at the payload. */
static uint32_t datagrams(const struct strata_pkt *pkt)
{
	if (strata_likely(pkt->seg_type == STRATA_SEG_NONE))
		return 1;
	return (strata_pkt_length(pkt) + pkt->seg_size - 1) / pkt->seg_size;
}

/* Into a socket's queue. A first datagram always fits, as on Linux; otherwise one larger than the
 * buffer could never be received. Consumes. */
static enum strata_verdict deliver(struct strata_instance *self, struct strata_flow *flow,
				   struct strata_pkt *pkt)
{
	struct udp_socket *us = strata_container_of(flow, struct udp_socket, sock.flow);

	if ((us->sock.shutdown & UDP_SHUT_RECEIVE) != 0)
		return strata_drop(self, pkt, UDP_DROP_SHUT_DOWN);
	if (us->rx.head != NULL && us->rx.bytes + strata_pkt_truesize(pkt) > us->sock.rcvbuf)
		return strata_drop(self, pkt, UDP_DROP_RCVBUF_FULL);
	strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_SIZE("data", strata_pkt_length(pkt)),
			    STRATA_FIELD_SOCKET("socket", &us->sock)), "queued");
	strata_count(self, UDP_COUNT_IN_DATAGRAMS, datagrams(pkt));
	strata_pkt_enqueue(&us->rx, pkt);
	udp_update_events(us, EPOLLIN);
	return STRATA_ACCEPTED;
}

/* A datagram for many: each socket but the last gets a copy. */
struct many {
	struct strata_instance *self;
	const struct strata_pkt *pkt;
	struct strata_flow *last;
	bool short_of_memory;
};

static void deliver_copy(struct many *many)
{
	struct strata_pkt *copy = strata_pkt_copy(many->pkt, 0);

	if (copy != NULL)
		deliver(many->self, many->last, copy);
	else
		many->short_of_memory = true;
}

static void many_each(struct strata_flow *flow, void *ctx)
{
	struct many *many = ctx;

	if (many->last != NULL)
		deliver_copy(many);
	many->last = flow;
}

/* RFC 1122 4.1.3.5, RFC 1112 7.2: every socket that the datagram concerns has it. Consumes. */
static enum strata_verdict deliver_many(struct strata_instance *self, struct strata_pkt *pkt,
					const struct udp_header *header)
{
	struct many many = { .self = self, .pkt = pkt };

	strata_flow_each(pkt, header->destination_port, header->source_port, many_each, &many);
	if (many.last == NULL) {
		strata_count(self, UDP_COUNT_NO_PORTS, 1);
		return strata_transport_unknown(self, pkt);
	}
	if (many.short_of_memory)
		self->drops[UDP_DROP_NO_MEMORY]++;
	return deliver(self, many.last, pkt);
}

static enum strata_verdict deliver_one(struct strata_instance *self, struct strata_flow *flow,
				       struct strata_pkt *pkt, const struct udp_header *header)
{
	return flow != NULL ? deliver(self, flow, pkt) : deliver_many(self, pkt, header);
}

/* A super-packet is as many datagrams, each of seg_size bytes but the last. `flow` NULL: for many.
 * Consumes. */
static enum strata_verdict deliver_split(struct strata_instance *self, struct strata_flow *flow,
					 struct strata_pkt *pkt, const struct udp_header *header)
{
	enum strata_verdict verdict = STRATA_DROPPED;
	uint32_t offset, length = strata_pkt_length(pkt);

	for (offset = 0; offset < length; offset += pkt->seg_size) {
		struct strata_pkt *slice = strata_pkt_slice(pkt, offset, pkt->seg_size, 0);

		if (slice == NULL)
			return strata_drop(self, pkt, UDP_DROP_NO_MEMORY);
		slice->seg_type = STRATA_SEG_NONE;
		slice->csum = STRATA_CSUM_VERIFIED;
		verdict = deliver_one(self, flow, slice, header);
	}
	strata_count(self, UDP_COUNT_IN_SPLIT, 1);
	strata_pkt_free(pkt);
	return verdict;
}

static bool takes_several(const struct strata_flow *flow)
{
	return strata_container_of(flow, const struct udp_socket, sock.flow)->gro;
}

enum strata_verdict udp_input(struct strata_instance *self, struct strata_pkt *pkt)
{
	struct strata_flow *flow = NULL;
	struct udp_header header;
	int reason = udp_parse(self->config, pkt, &header);

	if (reason >= 0)
		return strata_drop(self, pkt, (unsigned int)reason);
	strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_ADDR("src", &pkt->src),
			    STRATA_FIELD_UINT("src_port", header.source_port),
			    STRATA_FIELD_ADDR("dst", &pkt->dst),
			    STRATA_FIELD_UINT("dst_port", header.destination_port),
			    STRATA_FIELD_SIZE("length", header.length - UDP_HEADER_SIZE),
			    STRATA_FIELD_TEXT("checksum", header.checksum != 0 ? "good" : "none")),
			    "%s", "");
	if ((pkt->flags & (STRATA_PKT_NET_BROADCAST | STRATA_PKT_NET_MULTICAST)) == 0) {
		flow = strata_flow_find(pkt, header.destination_port, header.source_port);
		if (flow == NULL) {
			/* RFC 1122 4.1.3.1: should be told as port unreachable. */
			strata_count(self, UDP_COUNT_NO_PORTS, 1);
			return strata_transport_unknown(self, pkt);
		}
	}
	strata_pkt_pull(pkt, UDP_HEADER_SIZE);
	udp_cb(pkt)->source_port = header.source_port;
	if (strata_unlikely(pkt->seg_type != STRATA_SEG_NONE)) {
		const bool several = pkt->seg_type == STRATA_SEG_DATAGRAM && pkt->seg_size != 0 &&
				     strata_pkt_length(pkt) > pkt->seg_size;

		if (several && (flow == NULL || !takes_several(flow)))
			return deliver_split(self, flow, pkt, &header);
		if (!several)
			pkt->seg_type = STRATA_SEG_NONE;
	}
	return deliver_one(self, flow, pkt, &header);
}

bool udp_ports(const uint8_t *header, uint32_t length, bool sent, uint16_t *local, uint16_t *remote)
{
	if (length < 4)
		return false;
	*local = strata_get_be16(header + (sent ? 0 : 2));
	*remote = strata_get_be16(header + (sent ? 2 : 0));
	return true;
}

/* ---- errors ---- */

/* Errors that end a conversation, as Linux has them; the others may pass (RFC 1122 4.2.3.9). */
static bool is_hard(enum strata_net_error kind)
{
	switch (kind) {
	case STRATA_ERR_PROTOCOL_UNREACHABLE:
	case STRATA_ERR_PORT_UNREACHABLE:
	case STRATA_ERR_PROHIBITED:
	case STRATA_ERR_PARAMETER:
	case STRATA_ERR_HOST_UNKNOWN:
	case STRATA_ERR_NET_UNKNOWN:
	case STRATA_ERR_HOST_ISOLATED:
	case STRATA_ERR_NET_PROHIBITED:
		return true;
	default:
		return false;
	}
}

/* The socket that sent what the error is about; NULL: none. */
static struct udp_socket *error_socket(struct strata_instance *self,
				       const struct strata_transport_error *error)
{
	struct strata_flow_key key = {
		.local = error->quote.src,
		.remote = error->quote.dst,
		.number = error->quote.number,
	};
	struct strata_flow *flow;

	/* The quoted ports; RFC 792 has 8 bytes of the datagram quoted at least. */
	if (error->payload_length < 4)
		return NULL;
	key.local_port = strata_get_be16(error->payload);
	key.remote_port = strata_get_be16(error->payload + 2);
	flow = strata_flow_exact(self->stack, &key, NULL);
	if (flow == NULL)
		flow = strata_flow_listener(self->stack, &key, NULL);
	return flow != NULL ? strata_container_of(flow, struct udp_socket, sock.flow) : NULL;
}

/* A smaller path MTU, told by another host about a datagram that a socket of ours may have sent. */
static void learn_path_mtu(const struct udp_socket *us, const struct strata_transport_error *error)
{
	struct strata_instance *network = us->sock.network;

	if (!error->local && network->module->network->path_mtu_learn != NULL)
		network->module->network->path_mtu_learn(network, &error->quote.dst, error->info);
}

void udp_error(struct strata_instance *self, const struct strata_transport_error *error)
{
	struct udp_socket *us = error_socket(self, error);
	bool hard = is_hard(error->kind);

	if (us == NULL) {
		strata_count(self, UDP_COUNT_ERRORS_IGNORED, 1);
		return;
	}
	if (error->kind == STRATA_ERR_TOO_BIG) {
		learn_path_mtu(us, error);
		hard = us->sock.df != STRATA_DF_DONT;
	}
	/* RFC 1122 4.1.3.3 wants errors passed up. As on Linux, a socket that did not ask for all of them
	 * (IP_RECVERR) has those that are final and about its only peer. */
	if ((us->sock.options & STRATA_SO_RECVERR) == 0 &&
	    (!hard || !strata_addr_is_set(&us->sock.flow.key.remote))) {
		strata_count(self, UDP_COUNT_ERRORS_IGNORED, 1);
		return;
	}
	strata_count(self, UDP_COUNT_ERRORS_TOLD, 1);
	/* As Linux: the queue has what was quoted of the data, and where it was to go. */
	if ((us->sock.options & STRATA_SO_RECVERR) != 0)
		strata_socket_report_error(&us->sock, error, &error->quote.dst,
					   strata_get_be16(error->payload + 2), UDP_HEADER_SIZE);
	strata_socket_set_error(&us->sock, strata_net_error_errno(error->kind));
}
