/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Super-packets made in software of what a driver hands in segment by segment: consecutive segments of
 * one flow become one packet that is cut again into the very same ones. What fits together the network
 * and transport modules say (struct strata_network_ops, strata_transport_ops: coalesce); the kernel
 * keeps the packets that wait for more, until the batch ends.
 */
#include "gro.h"

#include "trace.h"

/* Neither on a link in this shape, nor of one flow's order. */
#define GRO_UNFIT (STRATA_PKT_MANY | STRATA_PKT_LOOPED | STRATA_PKT_REASSEMBLED)

/* Takes the entry out. */
static struct gro_entry take(struct gro *gro, unsigned int i)
{
	struct gro_entry entry = gro->held[i];

	gro->count--;
	memmove(gro->held + i, gro->held + i + 1, (gro->count - i) * sizeof(gro->held[0]));
	return entry;
}

/* Makes the headers of the first segment those of the whole, as a device does that joins segments: with
 * its length, and a checksum that covers no data, which has been verified. */
static void finish(struct kernel *k, const struct gro_entry *entry, struct strata_instance *t)
{
	struct strata_instance *net = registry_network(k, entry->pkt->family);
	struct strata_pkt *pkt = entry->pkt;
	const uint32_t network = pkt->transport_offset - pkt->network_offset;

	pkt->seg_type = t->module->transport->type == SOCK_STREAM ? STRATA_SEG_STREAM
								   : STRATA_SEG_DATAGRAM;
	pkt->seg_size = entry->size;
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = pkt->transport_offset;
	t->module->transport->segment(t, pkt, pkt, 0, true);
	strata_put_be16(pkt->data + pkt->csum_offset, strata_csum_fold(strata_csum_pseudo(
			&pkt->src, &pkt->dst, pkt->number, strata_pkt_length(pkt))));
	if (net == NULL)
		return;
	strata_pkt_push(pkt, network);
	net->module->network->segment(net, pkt, pkt, 0);
	strata_pkt_pull(pkt, network);
}

/* Gives a packet that waited to its transport. */
static void release(struct kernel *k, struct gro_entry entry)
{
	struct strata_instance *t = registry_transport(k, entry.pkt->number);
	struct strata_iface *iface = entry.pkt->iface;
	uint32_t before;

	if (entry.count > 1 && t != NULL && t->module->transport->segment != NULL)
		finish(k, &entry, t);
	if (strata_likely(!strata_tracing(&k->pub))) {
		if (transport_deliver(k, entry.pkt) == STRATA_DROPPED)
			iface->counters.rx_dropped += entry.count;
		return;
	}
	if (entry.count > 1)
		strata_trace_fields(&k->self, entry.pkt, STRATA_SAID(
				    STRATA_FIELD_UINT("segments", entry.count),
				    STRATA_FIELD_SIZE("size", entry.size)),
				    "%u segments of %u bytes joined", entry.count, entry.size);
	before = trace_cause(k, entry.pkt->trace_id);
	if (transport_deliver(k, entry.pkt) == STRATA_DROPPED)
		iface->counters.rx_dropped += entry.count;
	trace_cause(k, before);
}

void gro_flush(struct kernel *k)
{
	while (k->gro.count != 0)
		release(k, take(&k->gro, 0));
}

static bool same_ends(const struct strata_pkt *a, const struct strata_pkt *b)
{
	return a->number == b->number && a->family == b->family && a->iface == b->iface &&
	       strata_addr_equal(&a->src, &b->src) && strata_addr_equal(&a->dst, &b->dst);
}

/* Whether the network lets `pkt` be the next segment of the whole, and in which way. */
static enum strata_alike network_fits(struct kernel *k, const struct gro_entry *entry,
				      const struct strata_pkt *pkt)
{
	const struct strata_pkt *whole = entry->pkt;
	struct strata_instance *net = registry_network(k, whole->family);
	const uint32_t before = whole->transport_offset - whole->network_offset;
	enum strata_alike alike;

	if (before + strata_pkt_length(whole) + strata_pkt_length(pkt) > STRATA_PKT_MAX)
		return STRATA_ALIKE_NOT;
	alike = net->module->network->coalesce(net, whole, pkt, entry->count);
	/* The second segment shows which way of the two it is. */
	if (entry->count > 1 && (alike == STRATA_ALIKE) != ((whole->flags & STRATA_PKT_SEG_ALIKE) != 0))
		return STRATA_ALIKE_NOT;
	return alike;
}

static bool hold(struct kernel *k, struct strata_instance *t, struct strata_pkt *pkt)
{
	const struct strata_network_ops *net = registry_network(k, pkt->family)->module->network;
	const struct strata_transport_ops *ops = t->module->transport;
	struct gro *gro = &k->gro;

	if (strata_pkt_length(pkt) < GRO_LEAST || net->coalesce == NULL || net->segment == NULL ||
	    ops->coalesce(t, NULL, pkt, 0) != STRATA_JOIN_MORE)
		return false;
	if (gro->count == GRO_HELD)
		release(k, take(gro, 0));
	/* What was released may have been the last of its module's. */
	if (gro->count == GRO_HELD)
		return false;
	gro->held[gro->count++] = (struct gro_entry){
		.pkt = pkt, .count = 1,
		.size = (uint16_t)(strata_pkt_length(pkt) - ops->header_length(pkt)),
	};
	return true;
}

enum strata_verdict gro_input(struct kernel *k, struct strata_instance *t, struct strata_pkt *pkt)
{
	const bool fit = (pkt->flags & GRO_UNFIT) == 0 && pkt->seg_type == STRATA_SEG_NONE &&
			 pkt->refs == 1 && k->settings.gro;
	const struct strata_transport_ops *ops = t->module->transport;
	unsigned int i;

	for (i = 0; i < k->gro.count; i++) {
		struct gro_entry *entry = &k->gro.held[i];
		enum strata_alike alike;
		enum strata_join join;

		if (!same_ends(entry->pkt, pkt))
			continue;
		alike = fit ? network_fits(k, entry, pkt) : STRATA_ALIKE_NOT;
		join = ops->coalesce(t, entry->pkt, pkt, alike != STRATA_ALIKE_NOT ? entry->size : 0);
		if (join == STRATA_JOIN_OTHER)
			continue;
		if (join == STRATA_JOIN_NOT) {
			release(k, take(&k->gro, i));
			break;
		}
		if (strata_tracing(&k->pub))
			strata_trace(&k->self, pkt, "joined to the segment before it");
		if (alike == STRATA_ALIKE)
			entry->pkt->flags |= STRATA_PKT_SEG_ALIKE;
		entry->count++;
		strata_pkt_free(pkt);
		if (join == STRATA_JOIN_END)
			release(k, take(&k->gro, i));
		return STRATA_ACCEPTED;
	}
	if (fit && hold(k, t, pkt))
		return STRATA_ACCEPTED;
	return transport_deliver(k, pkt);
}

void gro_iface_closed(struct kernel *k, const struct strata_iface *iface)
{
	unsigned int i = k->gro.count;

	while (i-- != 0)
		if (k->gro.held[i].pkt->iface == iface)
			strata_drop(&k->self, take(&k->gro, i).pkt, KERNEL_DROP_IFACE_DOWN);
}
