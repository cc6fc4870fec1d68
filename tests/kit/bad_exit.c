/* SPDX-License-Identifier: BSD-2-Clause */
/* It ends the process. */
#include <stdlib.h>
#include "bad.h"

static enum strata_verdict input(struct strata_instance *self, struct strata_pkt *pkt)
{
	(void)self;
	(void)pkt;
	exit(0);
}

MODULE(bad_exit, input, good_start, good_stop, );
