/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many datagrams in one call: UDP_SEGMENT and UDP_GRO as udp(7) and Linux have them, as socket options and
 * as control messages; and what of the datagrams that come in may be joined for a socket that wants it.
 */
#include <errno.h>
#include <netinet/udp.h>

#include "udp_int.h"

static struct udp_state *state_of(const struct strata_socket *sock)
{
	return sock->transport->state;
}

int udp_start(struct strata_instance *self, struct strata_error *error)
{
	self->state = strata_alloc(self->stack, sizeof(struct udp_state));
	if (self->state != NULL)
		return 0;
	strata_error_add(error, "module \"%s\": out of memory", self->name);
	return -ENOMEM;
}

void udp_stop(struct strata_instance *self)
{
	strata_free(self->stack, self->state);
	self->state = NULL;
}

/* ---- socket options ---- */

void udp_set_gro(struct udp_socket *us, bool gro)
{
	struct udp_state *state = state_of(&us->sock);

	if (us->gro == gro)
		return;
	us->gro = gro;
	/* The module may be on its way out. */
	if (state != NULL)
		state->gro_sockets += gro ? 1u : -1u;
}

int udp_setsockopt(struct strata_socket *sock, int name, const void *value, socklen_t length)
{
	struct udp_socket *us = udp_socket_of(sock);
	int number;

	if (name != UDP_SEGMENT && name != UDP_GRO)
		return -ENOPROTOOPT;
	if (length < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	if (name == UDP_GRO) {
		udp_set_gro(us, number != 0);
		return 0;
	}
	if (number < 0 || number > UINT16_MAX)
		return -EINVAL;
	us->segment = (uint16_t)number;
	return 0;
}

int udp_getsockopt(struct strata_socket *sock, int name, void *value, socklen_t *length)
{
	const struct udp_socket *us = udp_socket_of(sock);
	int number;

	if (name != UDP_SEGMENT && name != UDP_GRO)
		return -ENOPROTOOPT;
	number = name == UDP_GRO ? us->gro : us->segment;
	if (*length > sizeof(number))
		*length = sizeof(number);
	memcpy(value, &number, *length);
	return 0;
}

/* ---- sending ---- */

/* udp(7): the option for one call. The network module, which goes before, has checked the lengths. */
static int read_control(const struct msghdr *msg, uint16_t *segment)
{
	struct msghdr whole = *msg;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(&whole); c != NULL; c = CMSG_NXTHDR(&whole, c)) {
		if (c->cmsg_level != SOL_UDP)
			continue;
		if (c->cmsg_type != UDP_SEGMENT || c->cmsg_len != CMSG_LEN(sizeof(*segment)))
			return -EINVAL;
		memcpy(segment, CMSG_DATA(c), sizeof(*segment));
	}
	return 0;
}

int udp_segment_size(const struct udp_socket *us, const struct msghdr *msg, uint32_t length,
		     uint16_t *out)
{
	uint16_t size = us->segment;
	int err = msg->msg_controllen != 0 ? read_control(msg, &size) : 0;

	*out = 0;
	if (err < 0 || size == 0)
		return err;
	if (length > (uint32_t)size * UDP_SEGMENTS_MAX)
		return -EINVAL;
	/* One datagram is none of several. */
	if (length > size)
		*out = size;
	return 0;
}

/* As Linux: a segment is not fragmented. */
int udp_segment_fits(const struct strata_dst *dst, uint16_t segment)
{
	const uint32_t headers = dst->network->module->network->header_size + UDP_HEADER_SIZE;

	return segment == 0 || dst->kind == STRATA_DST_LOCAL || headers + segment <= dst->mtu ? 0 : -EMSGSIZE;
}

/* ---- receiving ---- */

void udp_put_control(const struct strata_pkt *pkt, struct msghdr *msg, size_t room)
{
	const int size = pkt->seg_size;

	if (pkt->seg_type == STRATA_SEG_DATAGRAM)
		strata_control_append(msg, room, SOL_UDP, UDP_GRO, &size, sizeof(size));
}

/* As Linux: for a socket that wants them, and not across what was sent without a checksum. */
static bool is_wanted(const struct strata_pkt *pkt)
{
	const struct strata_flow *flow = strata_flow_find(pkt, strata_get_be16(pkt->data + 2),
							  strata_get_be16(pkt->data));

	return flow != NULL &&
	       strata_container_of(flow, const struct udp_socket, sock.flow)->gro;
}

enum strata_join udp_coalesce(struct strata_instance *self, struct strata_pkt *whole,
			      struct strata_pkt *pkt, uint32_t size)
{
	const struct udp_state *state = self->state;
	uint32_t payload, count;

	if (strata_likely(state->gro_sockets == 0) || pkt->len < UDP_HEADER_SIZE)
		return STRATA_JOIN_NOT;
	if (whole != NULL && memcmp(whole->data, pkt->data, UDP_LENGTH_OFFSET) != 0)
		return STRATA_JOIN_OTHER;
	payload = strata_pkt_length(pkt) - UDP_HEADER_SIZE;
	if (payload == 0 || strata_get_be16(pkt->data + UDP_LENGTH_OFFSET) != strata_pkt_length(pkt) ||
	    (strata_get_be16(pkt->data + UDP_CHECKSUM_OFFSET) == 0 && pkt->csum != STRATA_CSUM_PARTIAL) ||
	    !udp_checksum_good(pkt, (uint16_t)strata_pkt_length(pkt)))
		return STRATA_JOIN_NOT;
	if (pkt->csum == STRATA_CSUM_NONE)
		pkt->csum = STRATA_CSUM_VERIFIED;
	if (whole == NULL)
		return is_wanted(pkt) ? STRATA_JOIN_MORE : STRATA_JOIN_NOT;
	if (payload > size || strata_pkt_join(whole, pkt, UDP_HEADER_SIZE) < 0)
		return STRATA_JOIN_NOT;
	whole->csum_offset = UDP_CHECKSUM_OFFSET;
	count = (strata_pkt_length(whole) - UDP_HEADER_SIZE + size - 1) / size;
	return payload < size || count >= UDP_GRO_MAX ? STRATA_JOIN_END : STRATA_JOIN_MORE;
}
