/* SPDX-License-Identifier: BSD-2-Clause */
/* One of three that need each other in a circle. */
#include "mod.h"

static const struct strata_dependency depends[] = {
	{ .kind = STRATA_CONGESTION, .name = "mod_b" },
	{ 0 },
};

STRATA_MODULE(mod_a) = {
	MOD_COMMON("mod_a"),
	.kind = STRATA_CONGESTION,
	.congestion = &mod_congestion,
	.depends = depends,
};
