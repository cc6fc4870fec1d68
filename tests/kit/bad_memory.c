/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet is allocated, and taken for granted. */
#include "bad.h"

static enum strata_verdict input(struct strata_instance *self, struct strata_pkt *pkt)
{
	struct strata_pkt *copy = strata_pkt_copy(pkt, STRATA_HEADROOM);

	copy->tos = 1;
	strata_pkt_free(copy);
	return good_input(self, pkt);
}

MODULE(bad_memory, input, good_start, good_stop, );
