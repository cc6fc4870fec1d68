/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The UDP header on the wire: RFC 768, RFC 1122 4.1.3.4 for the checksum, RFC 8200 8.1 for where it
 * is not optional.
 */
#include <errno.h>

#include "udp_int.h"

/* The one family whose header has a checksum of its own, so that UDP's may be left out. */
#define FAMILY_ZERO_CHECKSUM 0x0800

static void header_read(const uint8_t *bytes, struct udp_header *header)
{
	header->source_port = strata_get_be16(bytes);
	header->destination_port = strata_get_be16(bytes + 2);
	header->length = strata_get_be16(bytes + UDP_LENGTH_OFFSET);
	header->checksum = strata_get_be16(bytes + UDP_CHECKSUM_OFFSET);
}

bool udp_checksum_good(const struct strata_pkt *pkt, uint16_t length)
{
	uint32_t sum;

	if (pkt->csum != STRATA_CSUM_NONE)
		return true;
	sum = strata_csum_pseudo(&pkt->src, &pkt->dst, pkt->number, length);
	return strata_csum_fold(strata_pkt_csum(pkt, 0, length, sum)) == 0xffff;
}

int udp_parse(const struct udp_config *config, struct strata_pkt *pkt, struct udp_header *header)
{
	const uint8_t *bytes = strata_pkt_header(pkt, UDP_HEADER_SIZE);

	if (bytes == NULL)
		return UDP_DROP_TRUNCATED;
	header_read(bytes, header);
	if (header->length < UDP_HEADER_SIZE || header->length > strata_pkt_length(pkt))
		return UDP_DROP_BAD_LENGTH;
	/* RFC 768: the length is the datagram's; what follows it is not part of it. */
	strata_pkt_trim(pkt, header->length);
	if (header->checksum == 0 && pkt->csum != STRATA_CSUM_PARTIAL) {
		/* RFC 768: zero means that the sender made none. RFC 8200 8.1 forbids that. */
		if (!config->zero_checksum || pkt->family != FAMILY_ZERO_CHECKSUM)
			return UDP_DROP_NO_CHECKSUM;
	} else if (!udp_checksum_good(pkt, header->length)) {
		return UDP_DROP_BAD_CHECKSUM;
	}
	pkt->csum = STRATA_CSUM_VERIFIED;
	return -1;
}

int udp_emit(struct strata_pkt *pkt, const struct strata_tx *tx, uint16_t source_port,
	     uint16_t destination_port, bool partial)
{
	uint8_t *bytes = strata_pkt_push(pkt, UDP_HEADER_SIZE);
	uint32_t sum, length = strata_pkt_length(pkt);

	if (bytes == NULL)
		return -ENOBUFS;
	strata_put_be16(bytes, source_port);
	strata_put_be16(bytes + 2, destination_port);
	strata_put_be16(bytes + UDP_LENGTH_OFFSET, (uint16_t)length);
	strata_put_be16(bytes + UDP_CHECKSUM_OFFSET, 0);
	pkt->transport_offset = (uint16_t)strata_pkt_headroom(pkt);
	pkt->number = tx->number;
	sum = strata_csum_pseudo(&tx->src, &tx->dst, tx->number, length);
	if (partial) {
		pkt->csum = STRATA_CSUM_PARTIAL;
		pkt->csum_start = pkt->transport_offset;
		pkt->csum_offset = UDP_CHECKSUM_OFFSET;
		strata_put_be16(bytes + UDP_CHECKSUM_OFFSET, strata_csum_fold(sum));
		return 0;
	}
	sum = (uint16_t)~strata_csum_fold(strata_pkt_csum(pkt, 0, length, sum));
	/* RFC 768: a computed zero is sent as all ones, because zero means none. */
	strata_put_be16(bytes + UDP_CHECKSUM_OFFSET, sum == 0 ? 0xffff : (uint16_t)sum);
	return 0;
}

void udp_segment(struct strata_instance *self, const struct strata_pkt *whole,
		 struct strata_pkt *segment, uint32_t offset, bool last)
{
	(void)self;
	(void)whole;
	(void)offset;
	(void)last;
	strata_put_be16(segment->data + UDP_LENGTH_OFFSET, (uint16_t)strata_pkt_length(segment));
}

uint32_t udp_header_length(const struct strata_pkt *pkt)
{
	(void)pkt;
	return UDP_HEADER_SIZE;
}
