/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes in fragments are taken for linear ones. */
#include "bad.h"

static enum strata_verdict input(struct strata_instance *self, struct strata_pkt *pkt)
{
	if (strata_pkt_length(pkt) < MESSAGE)
		return strata_drop(self, pkt, DROP_SHORT);
	if (pkt->len == 0 || pkt->data[0] != REQUEST)
		return strata_drop(self, pkt, DROP_TYPE);
	return good_request(self, pkt);
}

MODULE(bad_linear, input, good_start, good_stop, );
