/* SPDX-License-Identifier: BSD-2-Clause */
/* The ARP packet of Ethernet and IPv4 on the wire (RFC 826, "Packet format"). */
#include <errno.h>
#include "arp_int.h"

#define HARDWARE_ETHERNET 1
/* Offsets of the fields. */
#define HRD 0
#define PRO 2
#define HLN 4
#define PLN 5
#define OP 6
#define SHA 8
#define SPA (SHA + ARP_HARDWARE_SIZE)
#define THA (SPA + STRATA_INET4_LENGTH)
#define TPA (THA + ARP_HARDWARE_SIZE)
#define FIXED_SIZE SHA
_Static_assert(TPA + STRATA_INET4_LENGTH == ARP_PACKET_SIZE, "fields fill the packet");

static void read_lladdr(const uint8_t *p, struct strata_lladdr *out)
{
	memset(out, 0, sizeof(*out));
	out->length = ARP_HARDWARE_SIZE;
	memcpy(out->bytes, p, ARP_HARDWARE_SIZE);
}

int arp_parse(struct strata_pkt *pkt, struct arp_packet *out, unsigned int *reason)
{
	const uint8_t *p = strata_pkt_header(pkt, FIXED_SIZE);

	/* RFC 826 "Packet Reception": do I have the hardware type, do I speak the protocol; the
	 * lengths are checked as well, for what follows is read by them. */
	*reason = ARP_DROP_TRUNCATED;
	if (p == NULL)
		return -1;
	*reason = ARP_DROP_HARDWARE_TYPE;
	if (strata_get_be16(p + HRD) != HARDWARE_ETHERNET)
		return -1;
	*reason = ARP_DROP_PROTOCOL_TYPE;
	if (strata_get_be16(p + PRO) != STRATA_INET4_FAMILY)
		return -1;
	*reason = ARP_DROP_ADDRESS_LENGTH;
	if (p[HLN] != ARP_HARDWARE_SIZE || p[PLN] != STRATA_INET4_LENGTH)
		return -1;
	*reason = ARP_DROP_TRUNCATED;
	p = strata_pkt_header(pkt, ARP_PACKET_SIZE);
	if (p == NULL)
		return -1;
	out->operation = strata_get_be16(p + OP);
	read_lladdr(p + SHA, &out->sha);
	read_lladdr(p + THA, &out->tha);
	out->spa = strata_addr_make(STRATA_INET4_FAMILY, p + SPA, STRATA_INET4_LENGTH);
	out->tpa = strata_addr_make(STRATA_INET4_FAMILY, p + TPA, STRATA_INET4_LENGTH);
	*reason = ARP_DROP_OPERATION;
	return out->operation == ARP_REQUEST || out->operation == ARP_REPLY ? 0 : -1;
}

static void arp_emit(const struct arp_packet *packet, uint8_t *p)
{
	strata_put_be16(p + HRD, HARDWARE_ETHERNET);
	strata_put_be16(p + PRO, STRATA_INET4_FAMILY);
	p[HLN] = ARP_HARDWARE_SIZE;
	p[PLN] = STRATA_INET4_LENGTH;
	strata_put_be16(p + OP, packet->operation);
	memcpy(p + SHA, packet->sha.bytes, ARP_HARDWARE_SIZE);
	memcpy(p + SPA, packet->spa.bytes, STRATA_INET4_LENGTH);
	memcpy(p + THA, packet->tha.bytes, ARP_HARDWARE_SIZE);
	memcpy(p + TPA, packet->tpa.bytes, STRATA_INET4_LENGTH);
}

bool arp_usable(const struct strata_iface *iface)
{
	return iface->lladdr.length == ARP_HARDWARE_SIZE &&
	       (iface->flags & (STRATA_IFACE_LOOPBACK | STRATA_IFACE_NO_NEIGHBOUR)) == 0;
}

int arp_send(struct strata_instance *self, struct strata_iface *iface, uint16_t operation,
	     const struct strata_addr *spa, const struct strata_lladdr *tha,
	     const struct strata_addr *tpa, const struct strata_lladdr *to)
{
	struct arp_packet packet = {
		.operation = operation, .sha = iface->lladdr, .spa = *spa, .tpa = *tpa,
	};
	struct strata_pkt *pkt;
	int result;

	if (tha != NULL)
		packet.tha = *tha;
	pkt = to->length == 0 ? NULL :
	      strata_pkt_alloc(self->stack, STRATA_HEADROOM, ARP_PACKET_SIZE);
	if (pkt == NULL) {
		strata_count(self, ARP_OUT_ERRORS, 1);
		return -ENOBUFS;
	}
	arp_emit(&packet, strata_pkt_put(pkt, ARP_PACKET_SIZE));
	pkt->iface = iface;
	pkt->family = (uint16_t)self->number;
	pkt->flags |= STRATA_PKT_TX;
	pkt->network_offset = (uint16_t)strata_pkt_headroom(pkt);
	strata_trace_fields(self, pkt, ARP_FIELDS(&packet),
			    operation == ARP_REPLY ? "reply to %s: %s is at %s" :
			    strata_addr_is_any(spa) ? "probe for %s (%s, %s)" :
			    strata_addr_equal(spa, tpa) ? "announce %s: %s is at %s" :
			    "who has %s? tell %s at %s", strata_addr_text(self->stack, tpa),
			    strata_addr_text(self->stack, spa),
			    strata_lladdr_text(self->stack, &iface->lladdr));
	result = strata_iface_output(iface, pkt, (uint16_t)self->number, to);
	strata_count(self, result != 0 ? ARP_OUT_ERRORS :
			   operation == ARP_REPLY ? ARP_OUT_REPLIES : ARP_OUT_REQUESTS, 1);
	return result;
}
