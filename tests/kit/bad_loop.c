/* SPDX-License-Identifier: BSD-2-Clause */
/* A packet makes it turn for ever. */
#include "bad.h"

static enum strata_verdict input(struct strata_instance *self, struct strata_pkt *pkt)
{
	volatile uint8_t type = pkt->len != 0 ? pkt->data[0] : 0;

	while (type == 2)
		continue;
	return good_input(self, pkt);
}

MODULE(bad_loop, input, good_start, good_stop, );
