/* SPDX-License-Identifier: BSD-2-Clause */
/* Needs mod_mid. */
#include "mod.h"

static const struct strata_dependency depends[] = {
	{ .kind = STRATA_CONGESTION, .name = "mod_mid" },
	{ 0 },
};

STRATA_MODULE(mod_top) = {
	MOD_COMMON("mod_top"),
	.kind = STRATA_CONGESTION,
	.congestion = &mod_congestion,
	.depends = depends,
};
