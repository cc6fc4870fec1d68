/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet is counted and never freed. */
#include "bad.h"

static enum strata_verdict input(struct strata_instance *self, struct strata_pkt *pkt)
{
	pkt = good_parse(self, pkt);
	if (pkt == NULL)
		return STRATA_DROPPED;
	strata_count(self, COUNT_REQUESTS, 1);
	return STRATA_ACCEPTED;
}

MODULE(bad_kept, input, good_start, good_stop, );
