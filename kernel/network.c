/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dispatch around network modules: packets up by number, packets down by the result of a look-up,
 * and errors to whoever tells or wants them.
 */
#include <errno.h>
#include "iface.h"
#include "registry.h"
#include "shard.h"

/* ---- in ---- */

static __attribute__((noinline)) enum strata_verdict no_network(struct kernel *k, struct strata_pkt *pkt)
{
	strata_trace_fields(&k->self, pkt, STRATA_FIELDS(
			    STRATA_FIELD_HEX("network_number", pkt->family, 4)), "%s", "");
	return strata_drop(&k->self, pkt, KERNEL_DROP_NO_NETWORK);
}

enum strata_verdict strata_network_input(struct strata_iface *iface, struct strata_pkt *pkt,
					 uint16_t number)
{
	struct strata_instance *net = registry_network(kernel_of(iface->stack), number);

	pkt->family = number;
	if (strata_unlikely(net == NULL || net->module->network->input == NULL))
		return no_network(kernel_of(iface->stack), pkt);
	net->rx_packets += segment_count(pkt);
	return net->module->network->input(net, iface, pkt);
}

/* ---- out ---- */

static int output_super(const struct strata_dst *dst, struct strata_pkt *pkt,
			const struct strata_tx *tx)
{
	struct strata_instance *t = registry_transport(kernel_of(dst->network->stack), tx->number);

	pkt->flags |= STRATA_PKT_TX;
	if (t != NULL)
		t->tx_packets += segment_count(pkt);
	return dst->network->module->network->output(dst->network, dst, pkt, tx);
}

int strata_network_output(const struct strata_dst *dst, struct strata_pkt *pkt,
			  const struct strata_tx *tx)
{
	struct strata_instance *t = transport_at(kernel_of(pkt->stack), tx->number);

	/* Apart, so that here no call comes before the last, and nothing has to be saved for it. */
	if (strata_unlikely(pkt->seg_type != STRATA_SEG_NONE))
		return output_super(dst, pkt, tx);
	pkt->flags |= STRATA_PKT_TX;
	if (strata_likely(t != NULL))
		t->tx_packets++;
	return dst->network->module->network->output(dst->network, dst, pkt, tx);
}

/* What goes to many goes to this host too where it listens: a group that is joined on the interface,
 * any broadcast (RFC 1112 6.1, 7.2). The kernel does it, since it alone knows both the groups and
 * the way back; a sender that wants none says so with STRATA_PKT_NO_LOOP. */
static void loop_copy(struct kernel *k, const struct strata_dst *dst, const struct strata_pkt *pkt,
		      const struct strata_addr *to, uint16_t number)
{
	struct strata_pkt *copy;

	if ((pkt->flags & STRATA_PKT_NO_LOOP) || (dst->iface->flags & STRATA_IFACE_LOOPBACK))
		return;
	if (dst->kind == STRATA_DST_MULTICAST && !group_joined(k, dst->iface, to))
		return;
	copy = strata_pkt_copy(pkt, strata_pkt_headroom(pkt));
	if (copy == NULL) {
		k->self.drops[KERNEL_DROP_NO_MEMORY]++;
		return;
	}
	iface_loop_network(dst->iface, copy, number);
}

/* The link address of many. Returns 0, or -errno where the link has none for `to`. */
static int many_lladdr(const struct strata_dst *dst, const struct strata_addr *to,
		       struct strata_lladdr *lladdr)
{
	const struct strata_link_ops *ops = dst->iface->framing->module->link;

	if (dst->kind == STRATA_DST_MULTICAST && ops->address_multicast != NULL) {
		int result = ops->address_multicast(to, lladdr);
		if (result == 0)
			return 0;
	}
	/* RFC 1112 6.4: a link without multicast sends it to all. */
	*lladdr = strata_iface_broadcast(dst->iface);
	return lladdr->length == 0 ? -EAFNOSUPPORT : 0;
}

static int output_many(struct kernel *k, const struct strata_dst *dst, struct strata_pkt *pkt,
		       const struct strata_addr *to, uint16_t number)
{
	struct strata_lladdr lladdr;

	loop_copy(k, dst, pkt, to, number);
	if (dst->iface->framing == NULL)
		return iface_output(dst->iface, pkt, number, NULL);
	if (many_lladdr(dst, to, &lladdr) < 0)
		return strata_drop_errno(&k->self, pkt, KERNEL_DROP_NO_LINK_ADDRESS,
					 -EHOSTUNREACH);
	return iface_output(dst->iface, pkt, number, &lladdr);
}

/* What is not one plain packet to a neighbour. Apart, so that nothing has to be saved for it on the way of those. */
static __attribute__((noinline)) int output_other(const struct strata_dst *dst, struct strata_pkt *pkt,
						  const struct strata_addr *to, uint16_t number)
{
	dst->network->tx_packets += segment_count(pkt);
	switch ((enum strata_dst_kind)dst->kind) {
	case STRATA_DST_LOCAL:
		if (!(dst->iface->flags & STRATA_IFACE_LOOPBACK))
			return iface_loop_network(dst->iface, pkt, number);
		break;
	case STRATA_DST_BROADCAST:
	case STRATA_DST_MULTICAST:
		return output_many(kernel_of(dst->iface->stack), dst, pkt, to, number);
	case STRATA_DST_UNICAST:
		if (dst->neigh != NULL)
			return strata_neigh_output(dst->neigh, pkt, number);
		break;
	}
	return iface_output(dst->iface, pkt, number, NULL);
}

int strata_dst_output(const struct strata_dst *dst, struct strata_pkt *pkt,
		      const struct strata_addr *to, uint16_t number)
{
	if (strata_unlikely(dst->neigh == NULL || dst->kind != STRATA_DST_UNICAST ||
			    pkt->seg_type != STRATA_SEG_NONE))
		return output_other(dst, pkt, to, number);
	dst->network->tx_packets++;
	return strata_neigh_output(dst->neigh, pkt, number);
}

/* ---- errors ---- */

void strata_error_output(const struct strata_pkt *pkt, enum strata_net_error kind, uint32_t info)
{
	struct kernel *k = kernel_of(pkt->stack);
	struct strata_instance *net = registry_network(k, pkt->family);
	struct strata_instance *transport;

	/* RFC 1122 3.2.2: never about what was sent to many. What else must not be answered needs the
	 * packet read, which is the error transport's affair. */
	if ((pkt->flags & STRATA_PKT_MANY) || pkt->network_offset == 0 || net == NULL ||
	    net->module->network->error_transport == 0)
		return;
	transport = registry_transport(k, net->module->network->error_transport);
	if (transport == NULL || transport->module->transport->report == NULL)
		return;
	transport->module->transport->report(transport, pkt, kind, info);
}

void transport_error_tried(struct kernel *k, const struct strata_transport_error *error,
			   uint64_t tried)
{
	struct strata_instance *transport = registry_transport(k, error->quote.number);

	if (transport == NULL || transport->module->transport->error == NULL)
		return;
	if (k->shard == NULL || !shard_steer_error(k, transport, error, tried))
		transport->module->transport->error(transport, error);
}

void strata_transport_error(struct strata_stack *stack, const struct strata_transport_error *error)
{
	transport_error_tried(kernel_of(stack), error, 0);
}

void strata_error_local(const struct strata_pkt *pkt, enum strata_net_error kind, uint32_t info)
{
	struct strata_instance *net = registry_network(kernel_of(pkt->stack), pkt->family);
	struct strata_transport_error error = { .kind = kind, .info = info, .local = true };
	const uint8_t *header = pkt->buf + pkt->network_offset;
	const uint8_t *end = pkt->data + pkt->len;

	if (pkt->network_offset == 0 || header > end || net == NULL ||
	    net->module->network->quote_parse == NULL)
		return;
	if (net->module->network->quote_parse(header, (size_t)(end - header), &error.quote) < 0 ||
	    error.quote.header_size > (size_t)(end - header))
		return;
	error.payload = header + error.quote.header_size;
	error.payload_length = (uint32_t)(end - error.payload);
	strata_transport_error(pkt->stack, &error);
}
