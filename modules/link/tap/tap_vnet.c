/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver's reasons for what <strata/vnet.h> finds wrong with the header in front of each frame. */
#include <linux/virtio_net.h>
#include "tap_int.h"

_Static_assert(sizeof(struct virtio_net_hdr) == TAP_VNET_SIZE &&
	       sizeof(struct strata_vnet_header) == TAP_VNET_SIZE, "size of the virtio header");

/* The reason negated, less one: 0 is no fault. */
static int tap_vnet_result(enum strata_vnet_fault fault)
{
	static const uint8_t reasons[STRATA_VNET_FAULTS] = {
		[STRATA_VNET_FLAGS] = TAP_DROP_VNET_FLAGS,
		[STRATA_VNET_CHECKSUM_START] = TAP_DROP_VNET_CHECKSUM_START,
		[STRATA_VNET_CHECKSUM_END] = TAP_DROP_VNET_CHECKSUM_END,
		[STRATA_VNET_SEGMENT_TYPE] = TAP_DROP_VNET_SEGMENT_TYPE,
		[STRATA_VNET_SEGMENT_SIZE] = TAP_DROP_VNET_SEGMENT_SIZE,
		[STRATA_VNET_SEGMENT_PACKET] = TAP_DROP_VNET_SEGMENT_PACKET,
		[STRATA_VNET_CANNOT_SEGMENT] = TAP_DROP_CANNOT_SEGMENT,
	};

	return strata_likely(fault == STRATA_VNET_OK) ? 0 : -(int)reasons[fault] - 1;
}

int tap_vnet_parse(const uint8_t header[TAP_VNET_SIZE], const uint8_t *frame, uint32_t linear,
		   uint32_t length, struct strata_vnet *out)
{
	return tap_vnet_result(strata_vnet_parse(header, frame, linear, length, out));
}

bool tap_vnet_cuts(const struct strata_pkt *pkt, bool uso)
{
	return strata_vnet_cuts(pkt, uso);
}

int tap_vnet_emit(struct strata_pkt *pkt, bool uso, bool complete, uint8_t header[TAP_VNET_SIZE])
{
	return tap_vnet_result(strata_vnet_emit(pkt, uso, complete, header));
}
