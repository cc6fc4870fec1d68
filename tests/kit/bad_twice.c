/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet is freed twice. */
#include "bad.h"

static enum strata_verdict input(struct strata_instance *self, struct strata_pkt *pkt)
{
	pkt = good_parse(self, pkt);
	if (pkt == NULL)
		return STRATA_DROPPED;
	strata_count(self, COUNT_REQUESTS, 1);
	strata_pkt_free(pkt);
	strata_pkt_free(pkt);
	return STRATA_ACCEPTED;
}

MODULE(bad_twice, input, good_start, good_stop, );
