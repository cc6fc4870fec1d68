/* SPDX-License-Identifier: BSD-2-Clause */
/* Needs mod_low; mod_top needs it. */
#include "mod.h"

static const struct strata_dependency depends[] = {
	{ .kind = STRATA_CONGESTION, .name = "mod_low" },
	{ 0 },
};

STRATA_MODULE(mod_mid) = {
	MOD_COMMON("mod_mid"),
	.kind = STRATA_CONGESTION,
	.congestion = &mod_congestion,
	.depends = depends,
};
