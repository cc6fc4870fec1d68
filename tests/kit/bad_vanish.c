/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet is freed, and nothing tells. */
#include "bad.h"

static enum strata_verdict input(struct strata_instance *self, struct strata_pkt *pkt)
{
	(void)self;
	strata_pkt_free(pkt);
	return STRATA_ACCEPTED;
}

MODULE(bad_vanish, input, good_start, good_stop, );
