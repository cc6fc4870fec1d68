/* SPDX-License-Identifier: BSD-2-Clause */
/* The start fails and does not say why. */
#include "bad.h"

static int start(struct strata_instance *self, struct strata_error *error)
{
	(void)self;
	(void)error;
	return -EINVAL;
}

MODULE(bad_silent, good_input, start, NULL, );
