/* SPDX-License-Identifier: BSD-2-Clause */
/* Needs itself. */
#include "mod.h"

static const struct strata_dependency depends[] = {
	{ .kind = STRATA_CONGESTION, .name = "mod_self" },
	{ 0 },
};

STRATA_MODULE(mod_self) = {
	MOD_COMMON("mod_self"),
	.kind = STRATA_CONGESTION,
	.congestion = &mod_congestion,
	.depends = depends,
};
