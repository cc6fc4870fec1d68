/* SPDX-License-Identifier: BSD-2-Clause */
/* IPv4's steps in a packet's walk: the header (RFC 791 3.1) and what follows from it. Nothing here is
 * called while nobody listens. */
#include "ipv4_int.h"

/* Fragment bits, as the words of a step have them. */
#define FLAG_NAMES "DF MF"
#define FLAG_DF 1u
#define FLAG_MF 2u

void ipv4_trace(struct strata_instance *self, struct strata_pkt *pkt, const struct ipv4_header *h,
		const char *verdict)
{
	const unsigned int flags = (h->df ? FLAG_DF : 0) | (h->mf ? FLAG_MF : 0);
	const struct strata_addr src = strata_inet4_make(h->src), dst = strata_inet4_make(h->dst);

	if (h->offset == 0 && !h->mf) {
		strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_ADDR("src", &src),
				    STRATA_FIELD_ADDR("dst", &dst),
				    STRATA_FIELD_UINT("protocol", h->number),
				    STRATA_FIELD_SIZE("length", h->total),
				    STRATA_FIELD_UINT("ttl", h->ttl), STRATA_FIELD_HEX("id", h->id, 4),
				    STRATA_FIELD_FLAGS("flags", flags, FLAG_NAMES)), "%s", verdict);
		return;
	}
	strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_ADDR("src", &src),
			    STRATA_FIELD_ADDR("dst", &dst), STRATA_FIELD_UINT("protocol", h->number),
			    STRATA_FIELD_SIZE("length", h->total), STRATA_FIELD_UINT("ttl", h->ttl),
			    STRATA_FIELD_HEX("id", h->id, 4),
			    STRATA_FIELD_FLAGS("flags", flags, FLAG_NAMES),
			    STRATA_FIELD_UINT("offset", h->offset)), "%s", verdict);
}

void ipv4_trace_input(struct strata_instance *self, struct strata_pkt *pkt, const struct ipv4_header *h,
		      bool wanted)
{
	if (!wanted)
		ipv4_trace(self, pkt, h, "");
	else if ((pkt->flags & STRATA_PKT_NET_BROADCAST) != 0)
		ipv4_trace(self, pkt, h, "for all hosts here");
	else if ((pkt->flags & STRATA_PKT_NET_MULTICAST) != 0)
		ipv4_trace(self, pkt, h, "for a group joined here");
	else
		ipv4_trace(self, pkt, h, "for this host");
}
