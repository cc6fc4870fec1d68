/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams from below: validation, locality, delivery. Read RFC 791 3.2, RFC 1122 3.2.1 and
 * 3.3, and RFC 1812 5.3.7 (martian addresses) before editing.
 */
#include "ipv4_wire.h"

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

/* RFC 1122 3.2.1.3: what cannot be a source. Returns -1, or the reason to drop the packet. */
static int check_source(struct strata_iface *iface, const struct strata_pkt *pkt)
{
	const struct strata_addr *src = &pkt->src;
	const struct strata_ifaddr *ours;

	switch (strata_inet4_classify(src)) {
	case STRATA_ADDR_UNSPECIFIED:
		/* RFC 1122 3.2.1.3 (a): a host that does not know its address yet. It knows nobody
		 * else's either, and so asks all. */
		return strata_inet4_classify(&pkt->dst) == STRATA_ADDR_BROADCAST ? -1 :
										   IPV4_DROP_SOURCE_ZERO;
	case STRATA_ADDR_LOOPBACK:
		return is_inside(iface, pkt) ? -1 : IPV4_DROP_SOURCE_LOOPBACK;
	case STRATA_ADDR_MULTICAST:
		return IPV4_DROP_SOURCE_MULTICAST;
	case STRATA_ADDR_BROADCAST:
		return IPV4_DROP_SOURCE_BROADCAST;
	case STRATA_ADDR_RESERVED:
		return src->bytes[0] == 0 ? IPV4_DROP_SOURCE_ZERO : IPV4_DROP_SOURCE_RESERVED;
	case STRATA_ADDR_UNICAST:
		break;
	}
	if (is_directed_broadcast(iface, src))
		return IPV4_DROP_SOURCE_BROADCAST;
	if (is_inside(iface, pkt))
		return -1;
	ours = strata_ifaddr_find(iface->stack, src);
	return ours != NULL && ours->state == STRATA_IFADDR_VALID ? IPV4_DROP_SOURCE_OURS : -1;
}

/* Is the packet for this host? Sets the flags that say how. Returns -1, or the reason to drop it. */
static int check_destination(struct strata_iface *iface, struct strata_pkt *pkt)
{
	const struct strata_addr *dst = &pkt->dst;
	enum strata_addr_class class = strata_inet4_classify(dst);

	switch (strata_addr_locality(iface, dst)) {
	case STRATA_LOCAL_UNICAST:
		if (class == STRATA_ADDR_LOOPBACK && !is_inside(iface, pkt))
			return IPV4_DROP_DESTINATION_LOOPBACK;
		/* RFC 1122 3.3.6 */
		return (pkt->flags & STRATA_PKT_LINK_BROADCAST) != 0 ? IPV4_DROP_LINK_BROADCAST : -1;
	case STRATA_LOCAL_BROADCAST:
		strata_shard_share(iface, pkt);
		pkt->flags |= STRATA_PKT_NET_BROADCAST;
		return -1;
	case STRATA_LOCAL_MULTICAST:
		strata_shard_share(iface, pkt);
		pkt->flags |= STRATA_PKT_NET_MULTICAST;
		return -1;
	case STRATA_NOT_LOCAL:
		/* Another shard may have joined it. */
		if (class == STRATA_ADDR_MULTICAST)
			strata_shard_share(iface, pkt);
		break;
	}
	return class == STRATA_ADDR_MULTICAST ? IPV4_DROP_MULTICAST_NOT_JOINED :
	       class == STRATA_ADDR_LOOPBACK ? IPV4_DROP_DESTINATION_LOOPBACK :
	       dst->bytes[0] == 0 ? IPV4_DROP_DESTINATION_ZERO : IPV4_DROP_NOT_LOCAL;
}

/* Signs of a packet whose addresses mean something else than they do on another. */
#define SPECIAL (STRATA_PKT_MANY | STRATA_PKT_LOOPED)

/* Both checks. Only what went to this host alone is remembered in `*pair`. Apart, since most have been seen
 * before. */
static __attribute__((noinline)) int check_anew(struct strata_iface *iface, struct strata_pkt *pkt,
						struct ipv4_pair *pair)
{
	int reason = check_source(iface, pkt);

	if (reason < 0)
		reason = check_destination(iface, pkt);
	if (reason < 0 && (pkt->flags & SPECIAL) == 0)
		*pair = (struct ipv4_pair){ iface, strata_inet4_value(&pkt->src),
					    strata_inet4_value(&pkt->dst), iface->stack->generation };
	return reason;
}

/* Most datagrams come where another has just come, from the same host: what was found then holds until an
 * address or an interface changes. Returns -1, or the reason to drop the packet. */
static int check_addresses(struct strata_instance *self, struct strata_iface *iface,
			   struct strata_pkt *pkt, const struct ipv4_header *h)
{
	struct ipv4_state *state = self->state;
	struct ipv4_pair *pair =
		&state->pairs[((h->src ^ h->dst) * UINT32_C(0x9e3779b1) >> 16) % IPV4_PAIRS];

	if (strata_likely(pair->src == h->src && pair->dst == h->dst && pair->iface == iface &&
			  pair->generation == self->stack->generation && (pkt->flags & SPECIAL) == 0))
		return -1;
	return check_anew(iface, pkt, pair);
}

/* Returns -1, or the reason to drop the packet. */
static int check_options(struct strata_instance *self, struct strata_pkt *pkt, unsigned int size)
{
	const struct ipv4_config *config = self->config;
	struct ipv4_options options;

	strata_count(self, IPV4_IN_OPTIONS, 1);
	if (ipv4_options_parse(pkt->data, size, &options) != 0) {
		strata_error_output(pkt, STRATA_ERR_PARAMETER, options.bad);
		return IPV4_DROP_OPTION;
	}
	if (!options.source_route)
		return -1;
	/* RFC 1122 3.2.1.8 would have us record and reverse it for the reply; RFC 7126 4.3 has
	 * it refused by default, and a reply here always goes by route. */
	if (!config->accept_source_route)
		return IPV4_DROP_SOURCE_ROUTE;
	return options.source_route_ended ? -1 : IPV4_DROP_SOURCE_ROUTE_UNFINISHED;
}

static void count_many(struct strata_instance *self, const struct strata_pkt *pkt)
{
	if ((pkt->flags & STRATA_PKT_NET_BROADCAST) != 0)
		strata_count(self, IPV4_IN_BROADCAST, 1);
	if ((pkt->flags & STRATA_PKT_NET_MULTICAST) != 0)
		strata_count(self, IPV4_IN_MULTICAST, 1);
}

static enum strata_verdict deliver(struct strata_instance *self, struct strata_pkt *pkt, unsigned int size)
{
	const uint8_t number = pkt->number;
	enum strata_verdict verdict;

	if (strata_unlikely((pkt->flags & (STRATA_PKT_NET_BROADCAST | STRATA_PKT_NET_MULTICAST)) != 0))
		count_many(self, pkt);
	strata_pkt_pull(pkt, size);
	verdict = strata_transport_input(pkt);
	/* What nobody is there for has not been delivered. */
	if (strata_likely(verdict == STRATA_ACCEPTED) || strata_transport_bound(self->stack, number))
		strata_count(self, IPV4_IN_DELIVERS, 1);
	return verdict;
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

/* Where the fragments of a datagram meet. Not of the identification too (RFC 791 3.2): datagrams of one flow, each
 * in fragments, stay in order. */
static uint64_t datagram_value(const struct ipv4_header *h)
{
	return ((uint64_t)h->src << 32 | h->dst) ^ h->number * UINT64_C(0x9e3779b97f4a7c15);
}

/* Apart, since most datagrams are whole; with a header of its own, so that of those only what is needed is kept.
 * Consumes. */
static __attribute__((noinline)) enum strata_verdict input_fragment(struct strata_instance *self,
								    struct strata_iface *iface,
								    struct strata_pkt *pkt)
{
	enum strata_verdict verdict;
	struct ipv4_header h;

	ipv4_header_read(pkt->data, &h);
	/* Fragments of one datagram may come in at several queues. */
	if ((pkt->flags & STRATA_PKT_MANY) == 0 && strata_shard_gather(iface, pkt, datagram_value(&h)))
		return STRATA_ACCEPTED;
	pkt = ipv4_reass_input(self, pkt, &h, &verdict);
	return pkt != NULL ? deliver(self, pkt, h.size) : verdict;
}

/* As input_fragment(). */
static __attribute__((cold, noinline)) void trace_input(struct strata_instance *self, struct strata_pkt *pkt,
							bool wanted)
{
	struct ipv4_header h;

	ipv4_header_read(pkt->data, &h);
	ipv4_trace_input(self, pkt, &h, wanted);
}

enum strata_verdict ipv4_input(struct strata_instance *self, struct strata_iface *iface,
			       struct strata_pkt *pkt)
{
	struct ipv4_header h;
	int reason;

	strata_count(self, IPV4_IN_RECEIVES, 1);
	pkt = own(self, pkt);
	if (pkt == NULL)
		return STRATA_DROPPED;
	pkt->iface = iface;
	pkt->network_offset = (uint16_t)strata_pkt_headroom(pkt);
	reason = ipv4_parse(pkt, &h);
	if (reason >= 0)
		return strata_drop(self, pkt, (unsigned int)reason);
	/* What is behind the total length is the link's padding. */
	strata_pkt_trim(pkt, h.total);

	/* The TTL is not looked at: RFC 1122 3.2.1.7 forbids to discard for it what has arrived. */
	reason = check_addresses(self, iface, pkt, &h);
	if (strata_traced(self))
		trace_input(self, pkt, reason < 0);
	if (reason < 0 && strata_unlikely(h.size > IPV4_HEADER_SIZE))
		reason = check_options(self, pkt, h.size);
	if (reason >= 0)
		return strata_drop(self, pkt, (unsigned int)reason);
	if (strata_unlikely(h.mf || h.offset != 0))
		return input_fragment(self, iface, pkt);
	return deliver(self, pkt, h.size);
}
