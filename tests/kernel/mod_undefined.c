/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls a function that nobody has. */
#include "mod.h"

int nobody_has_this(void);

static int undefined_start(struct strata_instance *self, struct strata_error *error)
{
	(void)self;
	(void)error;
	return nobody_has_this();
}

STRATA_MODULE(mod_undefined) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_CONGESTION,
	.name = "mod_undefined",
	.version = "1.0",
	.summary = "calls a function that nobody has",
	.congestion = &mod_congestion,
	.start = undefined_start,
};
