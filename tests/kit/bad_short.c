/* SPDX-License-Identifier: BSD-2-Clause */
/* The length is not looked at. */
#include "bad.h"

static enum strata_verdict input(struct strata_instance *self, struct strata_pkt *pkt)
{
	if (pkt->data[0] != REQUEST || pkt->data[40] != 0)
		return strata_drop(self, pkt, DROP_TYPE);
	return good_request(self, pkt);
}

MODULE(bad_short, input, good_start, good_stop, );
