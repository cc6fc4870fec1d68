/* SPDX-License-Identifier: BSD-2-Clause */
/* stop() forgets what start() allocated. */
#include "bad.h"

static void stop(struct strata_instance *self)
{
	self->state = NULL;
}

MODULE(bad_leak, good_input, good_start, stop, );
