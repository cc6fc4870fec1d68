/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams joined on their way out: what a socket sends to one destination within a batch, behind a first that
 * went at once, waits for the end of the batch and leaves as one packet, which the device cuts, as if the
 * application had used UDP_SEGMENT. docs/adr/0025 says why.
 */
#include <errno.h>

#include "udp_int.h"

/* Local choice: datagrams that leave together. */
#define JOINED_MAX 32

#define HEADROOM (STRATA_HEADROOM + UDP_HEADER_SIZE)

static struct strata_tx waiting_tx(const struct udp_socket *us)
{
	const struct udp_waiting *waiting = &us->waiting;

	return (struct strata_tx){
		.src = us->way.src, .dst = us->way.to, .number = us->sock.flow.key.number,
		.ttl = waiting->ttl, .tos = waiting->tos, .df = waiting->df,
	};
}

/* Routes, interfaces or addresses may have changed since. */
static int find_way(struct udp_socket *us, struct strata_tx *tx, struct strata_dst *dst)
{
	struct strata_stack *stack = us->sock.stack;
	struct strata_iface *iface = NULL;

	if (us->way.bound != NULL) {
		while ((iface = strata_iface_next(stack, iface)) != NULL && iface != us->way.bound)
			;
		if (iface == NULL)
			return -ENETDOWN;
	}
	return strata_route_output(stack, &tx->dst, &tx->src, iface, dst, NULL);
}

/* A neighbour that is yet to be asked for keeps few packets, and one that failed is told of. */
static bool is_resolved(const struct strata_neigh *neigh)
{
	return neigh == NULL || (neigh->state != STRATA_NEIGH_INCOMPLETE && neigh->state != STRATA_NEIGH_FAILED);
}

/* May datagrams of `length` bytes go there in a packet that the device cuts? Where somebody looks at what leaves,
 * or a link loses some of it, each is to be seen and lost by itself; such a link does not cut. */
static bool takes_joined(const struct strata_dst *dst, uint32_t length)
{
	return dst->kind == STRATA_DST_UNICAST && (dst->iface->caps & STRATA_CAP_SEG_DATAGRAM) != 0 &&
	       (dst->iface->flags & (STRATA_IFACE_LOOPBACK | STRATA_IFACE_SNIFFED)) == 0 &&
	       udp_segment_fits(dst, (uint16_t)length) == 0 && is_resolved(dst->neigh);
}

/* Sends `count` datagrams in one packet. Consumes. */
static int send_packet(struct udp_socket *us, struct strata_pkt *pkt, const struct strata_tx *tx,
		       const struct strata_dst *dst, uint32_t count)
{
	const uint32_t length = strata_pkt_length(pkt), size = us->waiting.length;
	int err;

	if (count > 1) {
		strata_trace_fields(us->sock.transport, pkt, STRATA_SAID(STRATA_FIELD_UINT("datagrams", count),
				    STRATA_FIELD_SIZE("size", size)),
				    "%u datagrams leave as one packet", count);
		pkt->seg_type = STRATA_SEG_DATAGRAM;
		pkt->seg_size = (uint16_t)size;
	}
	err = udp_emit(pkt, tx, us->sock.flow.key.local_port, us->waiting.port,
		       count > 1 || udp_checksum_partial(dst, length));
	if (err == 0)
		return strata_network_output(dst, pkt, tx);
	strata_pkt_free(pkt);
	return err;
}

/* The same one by one: the way they take now has no device that may cut them, or somebody has begun to look, or
 * they must be fragmented. Consumes. Returns 0 or the last error, of `*lost` datagrams. */
static int send_each(struct udp_socket *us, struct strata_pkt *pkt, const struct strata_tx *tx,
		     const struct strata_dst *dst, uint32_t *lost)
{
	const uint32_t length = strata_pkt_length(pkt), each = us->waiting.length;
	uint32_t at, n;
	int result = 0;

	*lost = 0;
	for (at = 0; at < length; at += n) {
		struct strata_pkt *one;
		int err;

		n = length - at < each ? length - at : each;
		one = strata_pkt_slice(pkt, at, n, HEADROOM);
		err = one != NULL ? send_packet(us, one, tx, dst, 1) : -ENOBUFS;
		if (err < 0) {
			result = err;
			(*lost)++;
		}
	}
	strata_pkt_free(pkt);
	return result;
}

/* Each of them was taken with success: what goes wrong now the next call tells. */
static void tell(struct udp_socket *us, int err, uint32_t count)
{
	strata_count(us->sock.transport, UDP_COUNT_OUT_ERRORS, count);
	if (err != -ENOBUFS || (us->sock.options & STRATA_SO_RECVERR) != 0)
		strata_socket_set_error(&us->sock, -err);
}

void udp_join_leave_slow(struct udp_socket *us)
{
	struct udp_waiting *waiting = &us->waiting;
	struct strata_pkt *pkt = waiting->pkt;
	const uint32_t count = (strata_pkt_length(pkt) + waiting->length - 1) / waiting->length;
	struct strata_tx tx = waiting_tx(us);
	struct strata_dst dst = us->way.dst;	/* borrows its references */
	const bool valid = strata_dst_valid(us->sock.stack, &dst);
	uint32_t lost = count;
	int err = 0;

	waiting->pkt = NULL;
	strata_work_cancel(us->sock.stack, &waiting->leave);
	if (strata_unlikely(!valid)) {
		dst = (struct strata_dst){ 0 };
		err = find_way(us, &tx, &dst);
	}
	if (err < 0)
		strata_drop(us->sock.transport, pkt, UDP_DROP_NO_WAY);
	else if (count == 1 || strata_likely(takes_joined(&dst, waiting->length)))
		err = send_packet(us, pkt, &tx, &dst, count);
	else
		err = send_each(us, pkt, &tx, &dst, &lost);
	if (!valid)
		strata_dst_release(&dst);
	if (err < 0)
		tell(us, err, lost);
	strata_count(us->sock.transport, UDP_COUNT_OUT_DATAGRAMS, err < 0 ? count - lost : count);
}

static void leave(struct strata_stack *stack, struct strata_work *work)
{
	(void)stack;
	udp_join_leave(strata_container_of(work, struct udp_socket, waiting.leave));
}

void udp_join_open(struct udp_socket *us)
{
	us->waiting.leave.run = leave;
}

/* Like the last one, in the same batch; one of those that wait may be shorter, and is the last. */
static bool continues(const struct udp_socket *us, const struct udp_datagram *d)
{
	const struct udp_waiting *waiting = &us->waiting;

	return waiting->batch == us->sock.stack->batch && waiting->port == d->port &&
	       (waiting->length == d->length ||
		(waiting->pkt != NULL && d->length < waiting->length)) && d->length != 0 &&
	       waiting->ttl == d->tx.ttl && waiting->tos == d->tx.tos && waiting->df == d->tx.df;
}

/* May it be part of a packet that the device cuts? */
static bool may_join(const struct udp_socket *us, const struct udp_datagram *d, int flags)
{
	const struct udp_config *config = us->sock.transport->config;

	return config->transmit_coalescing && d->segment == 0 && d->stamps == 0 && (flags & MSG_ZEROCOPY) == 0 &&
	       takes_joined(&us->way.dst, d->length);
}

/* Appends the payload to what waits. Returns false where memory is short: then it is as it was. */
static bool append(struct udp_socket *us, const struct msghdr *msg, const struct udp_datagram *d)
{
	struct udp_waiting *waiting = &us->waiting;
	struct strata_pkt *pkt = waiting->pkt;

	if (pkt == NULL)
		pkt = strata_pkt_alloc(us->sock.stack, HEADROOM, STRATA_PKT_LARGE - HEADROOM);
	if (pkt == NULL)
		return false;
	if (udp_append(pkt, msg, d->length) < 0) {
		if (waiting->pkt == NULL)
			strata_pkt_free(pkt);
		return false;
	}
	udp_trace_out(us, pkt, d, waiting->pkt == NULL ? "waits for others of this batch" :
		      "joined to what waits");
	if (waiting->pkt == NULL)
		strata_work_add(us->sock.stack, &waiting->leave);
	waiting->pkt = pkt;
	return true;
}

/* Whether no other fits behind a last one of `length` bytes. */
static bool is_full(const struct udp_socket *us, uint32_t length)
{
	const uint32_t most = STRATA_PKT_MAX - UDP_HEADER_SIZE - us->way.dst.network->module->network->header_size;
	const uint32_t each = us->waiting.length, all = strata_pkt_length(us->waiting.pkt);

	return length < each || all >= JOINED_MAX * each || all + each > most;
}

bool udp_join(struct udp_socket *us, const struct msghdr *msg, const struct udp_datagram *d, int flags)
{
	if (!continues(us, d) || !may_join(us, d, flags) || !append(us, msg, d)) {
		udp_join_leave(us);
		return false;
	}
	if (is_full(us, d->length))
		udp_join_leave_slow(us);
	return true;
}

void udp_join_sent(struct udp_socket *us, const struct udp_datagram *d)
{
	us->waiting.batch = us->sock.stack->batch;
	us->waiting.port = d->port;
	us->waiting.length = (uint16_t)d->length;
	us->waiting.ttl = d->tx.ttl;
	us->waiting.tos = d->tx.tos;
	us->waiting.df = d->tx.df;
}
