/* SPDX-License-Identifier: BSD-2-Clause */
/* Two stacks share a variable. */
#include "bad.h"

static unsigned int turn;

static enum strata_verdict input(struct strata_instance *self, struct strata_pkt *pkt)
{
	if (turn++ % 2 != 0)
		return strata_drop(self, pkt, DROP_TYPE);
	return good_input(self, pkt);
}

MODULE(bad_shared, input, good_start, good_stop, );
