/* SPDX-License-Identifier: BSD-2-Clause */
/* The state is allocated, and taken for granted. */
#include "bad.h"

static int start(struct strata_instance *self, struct strata_error *error)
{
	struct state *state = strata_alloc(self->stack, sizeof(*state));

	(void)error;
	state->requests = 1;
	self->state = state;
	return 0;
}

MODULE(bad_starved, good_input, start, good_stop, );
