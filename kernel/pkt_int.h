/* SPDX-License-Identifier: BSD-2-Clause */
/* What the two halves of the packet code share: life and layout in pkt.c, bytes in pkt_data.c. */
#ifndef STRATA_KERNEL_PKT_INT_H
#define STRATA_KERNEL_PKT_INT_H

#include "kernel.h"

/* Appends a slice as strata_pkt_append_chunk(), or a copy of it where all fragments are taken. */
int pkt_append_frag(struct strata_pkt *pkt, const struct strata_frag *frag, uint32_t offset,
		    uint32_t length);

static inline uint32_t pkt_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

#endif
