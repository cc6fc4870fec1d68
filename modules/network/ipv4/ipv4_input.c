/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams from below: validation, locality, delivery. Read RFC 791 3.2, RFC 1122 3.2.1 and
 * 3.3, and RFC 1812 5.3.7 (martian addresses) before editing.
 */
#include "ipv4_int.h"

static bool is_directed_broadcast(const struct strata_iface *iface, const struct strata_addr *addr)
{
	const struct strata_ifaddr *ifaddr;

	for (ifaddr = strata_ifaddr_first(iface); ifaddr != NULL; ifaddr = ifaddr->next)
		if (strata_addr_equal(&ifaddr->broadcast, addr))
			return true;
	return false;
}

/* Is the packet one that never was on a link? Loopback addresses and our own as a source are
 * proper on it alone. */
static bool is_inside(const struct strata_iface *iface, const struct strata_pkt *pkt)
{
	return (pkt->flags & STRATA_PKT_LOOPED) != 0 ||
	       (iface->flags & STRATA_IFACE_LOOPBACK) != 0;
}

/* RFC 1122 3.2.1.3: what cannot be a source. Returns 0, or -1 with the reason to drop the
 * packet. */
static int check_source(struct strata_iface *iface, const struct strata_pkt *pkt,
			const struct ipv4_header *h, unsigned int *reason)
{
	const struct strata_ifaddr *ours;

	switch (strata_inet4_classify(&h->src)) {
	case STRATA_ADDR_UNSPECIFIED:
		/* RFC 1122 3.2.1.3 (a): a host that does not know its address yet. It knows nobody
		 * else's either, and so asks all. */
		*reason = IPV4_DROP_SOURCE_ZERO;
		return strata_inet4_classify(&h->dst) == STRATA_ADDR_BROADCAST ? 0 : -1;
	case STRATA_ADDR_LOOPBACK:
		*reason = IPV4_DROP_SOURCE_LOOPBACK;
		return is_inside(iface, pkt) ? 0 : -1;
	case STRATA_ADDR_MULTICAST:
		*reason = IPV4_DROP_SOURCE_MULTICAST;
		return -1;
	case STRATA_ADDR_BROADCAST:
		*reason = IPV4_DROP_SOURCE_BROADCAST;
		return -1;
	case STRATA_ADDR_RESERVED:
		*reason = h->src.bytes[0] == 0 ? IPV4_DROP_SOURCE_ZERO :
						 IPV4_DROP_SOURCE_RESERVED;
		return -1;
	case STRATA_ADDR_UNICAST:
		break;
	}
	*reason = IPV4_DROP_SOURCE_BROADCAST;
	if (is_directed_broadcast(iface, &h->src))
		return -1;
	*reason = IPV4_DROP_SOURCE_OURS;
	if (is_inside(iface, pkt))
		return 0;
	ours = strata_ifaddr_find(iface->stack, &h->src);
	return ours != NULL && ours->state == STRATA_IFADDR_VALID ? -1 : 0;
}

/* Is the packet for this host? Sets the flags that say how. Returns 0, or -1 with the reason to
 * drop it. */
static int check_destination(struct strata_iface *iface, struct strata_pkt *pkt,
			     const struct ipv4_header *h, unsigned int *reason)
{
	enum strata_addr_class class = strata_inet4_classify(&h->dst);

	switch (strata_addr_locality(iface, &h->dst)) {
	case STRATA_LOCAL_UNICAST:
		*reason = IPV4_DROP_DESTINATION_LOOPBACK;
		if (class == STRATA_ADDR_LOOPBACK && !is_inside(iface, pkt))
			return -1;
		/* RFC 1122 3.3.6 */
		*reason = IPV4_DROP_LINK_BROADCAST;
		return (pkt->flags & STRATA_PKT_LINK_BROADCAST) != 0 ? -1 : 0;
	case STRATA_LOCAL_BROADCAST:
		strata_shard_share(iface, pkt);
		pkt->flags |= STRATA_PKT_NET_BROADCAST;
		return 0;
	case STRATA_LOCAL_MULTICAST:
		strata_shard_share(iface, pkt);
		pkt->flags |= STRATA_PKT_NET_MULTICAST;
		return 0;
	case STRATA_NOT_LOCAL:
		/* Another shard may have joined it. */
		if (class == STRATA_ADDR_MULTICAST)
			strata_shard_share(iface, pkt);
		break;
	}
	*reason = class == STRATA_ADDR_MULTICAST ? IPV4_DROP_MULTICAST_NOT_JOINED :
		  class == STRATA_ADDR_LOOPBACK ? IPV4_DROP_DESTINATION_LOOPBACK :
		  h->dst.bytes[0] == 0 ? IPV4_DROP_DESTINATION_ZERO : IPV4_DROP_NOT_LOCAL;
	return -1;
}

/* Both checks. Most datagrams come where another has just come, from the same host: what was found then
 * holds until an address or an interface changes. Only what went to this host alone is remembered. */
static int check_addresses(struct strata_instance *self, struct strata_iface *iface,
			   struct strata_pkt *pkt, const struct ipv4_header *h, unsigned int *reason)
{
	const uint16_t special = STRATA_PKT_MANY | STRATA_PKT_LOOPED;
	const uint32_t src = strata_inet4_value(&h->src), dst = strata_inet4_value(&h->dst);
	const uint32_t generation = self->stack->generation;
	struct ipv4_state *state = self->state;
	struct ipv4_pair *pair = &state->pairs[((src ^ dst) * UINT32_C(0x9e3779b1) >> 16) % IPV4_PAIRS];

	if (strata_likely(pair->src == src && pair->dst == dst && pair->iface == iface &&
			  pair->generation == generation && (pkt->flags & special) == 0))
		return 0;
	if (check_source(iface, pkt, h, reason) != 0 || check_destination(iface, pkt, h, reason) != 0)
		return -1;
	if ((pkt->flags & special) == 0)
		*pair = (struct ipv4_pair){ iface, src, dst, generation };
	return 0;
}

/* Returns 0, or -1 with the reason to drop the packet. */
static int check_options(struct strata_instance *self, struct strata_pkt *pkt, unsigned int size,
			 unsigned int *reason)
{
	const struct ipv4_config *config = self->config;
	struct ipv4_options options;

	strata_count(self, IPV4_IN_OPTIONS, 1);
	*reason = IPV4_DROP_OPTION;
	if (ipv4_options_parse(pkt->data, size, &options) != 0) {
		strata_error_output(pkt, STRATA_ERR_PARAMETER, options.bad);
		return -1;
	}
	if (!options.source_route)
		return 0;
	/* RFC 1122 3.2.1.8 would have us record and reverse it for the reply; RFC 7126 4.3 has
	 * it refused by default, and a reply here always goes by route. */
	*reason = IPV4_DROP_SOURCE_ROUTE;
	if (!config->accept_source_route)
		return -1;
	*reason = IPV4_DROP_SOURCE_ROUTE_UNFINISHED;
	return options.source_route_ended ? 0 : -1;
}

static enum strata_verdict deliver(struct strata_instance *self, struct strata_pkt *pkt,
				   const struct ipv4_header *h)
{
	if (strata_transport_bound(self->stack, h->number))
		strata_count(self, IPV4_IN_DELIVERS, 1);
	if ((pkt->flags & STRATA_PKT_NET_BROADCAST) != 0)
		strata_count(self, IPV4_IN_BROADCAST, 1);
	if ((pkt->flags & STRATA_PKT_NET_MULTICAST) != 0)
		strata_count(self, IPV4_IN_MULTICAST, 1);
	strata_pkt_pull(pkt, h->size);
	pkt->transport_offset = (uint16_t)strata_pkt_headroom(pkt);
	return strata_transport_input(pkt);
}

/* Fragments are joined in place, and errors quote the header: the packet must be this module's
 * alone. */
static struct strata_pkt *own(struct strata_instance *self, struct strata_pkt *pkt)
{
	struct strata_pkt *copy;

	if (strata_likely(pkt->refs == 1))
		return pkt;
	copy = strata_pkt_copy(pkt, strata_pkt_headroom(pkt));
	if (copy == NULL)
		strata_drop(self, pkt, IPV4_DROP_NO_MEMORY);
	else
		strata_pkt_free(pkt);
	return copy;
}

/* RFC 791 3.2: what identifies a datagram, in one number. */
static uint64_t datagram_value(const struct ipv4_header *h)
{
	return ((uint64_t)strata_get_be32(h->src.bytes) << 32 | strata_get_be32(h->dst.bytes)) ^
	       ((uint64_t)h->id << 16 | h->number) * UINT64_C(0x9e3779b97f4a7c15);
}

enum strata_verdict ipv4_input(struct strata_instance *self, struct strata_iface *iface,
			       struct strata_pkt *pkt)
{
	enum strata_verdict verdict;
	struct ipv4_header h;
	unsigned int reason;
	bool wanted;

	strata_count(self, IPV4_IN_RECEIVES, 1);
	pkt = own(self, pkt);
	if (pkt == NULL)
		return STRATA_DROPPED;
	pkt->iface = iface;
	pkt->network_offset = (uint16_t)strata_pkt_headroom(pkt);
	if (ipv4_parse(pkt, &h, &reason) != 0)
		return strata_drop(self, pkt, reason);
	pkt->network_offset = (uint16_t)strata_pkt_headroom(pkt);
	/* What is behind the total length is the link's padding. */
	strata_pkt_trim(pkt, h.total);

	/* The TTL is not looked at: RFC 1122 3.2.1.7 forbids to discard for it what has arrived. */
	wanted = check_addresses(self, iface, pkt, &h, &reason) == 0;
	if (strata_traced(self))
		ipv4_trace_input(self, pkt, &h, wanted);
	if (!wanted ||
	    (h.size > IPV4_HEADER_SIZE && check_options(self, pkt, h.size, &reason) != 0))
		return strata_drop(self, pkt, reason);
	if (h.mf || h.offset != 0) {
		/* Fragments of one datagram may come in at several queues. */
		if ((pkt->flags & STRATA_PKT_MANY) == 0 &&
		    strata_shard_gather(iface, pkt, datagram_value(&h)))
			return STRATA_ACCEPTED;
		pkt = ipv4_reass_input(self, pkt, &h, &verdict);
		if (pkt == NULL)
			return verdict;
	}
	return deliver(self, pkt, &h);
}
