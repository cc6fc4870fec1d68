/* SPDX-License-Identifier: BSD-2-Clause */
/* The environment is read. */
#include <stdlib.h>
#include "bad.h"

static int start(struct strata_instance *self, struct strata_error *error)
{
	self->number += getenv("BAD_NUMBER") != NULL;
	return good_start(self, error);
}

MODULE(bad_call, good_input, start, good_stop, );
