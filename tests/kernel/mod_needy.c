/* SPDX-License-Identifier: BSD-2-Clause */
/* No service, but needs one. */
#include "mod.h"

static const struct strata_dependency depends[] = {
	{ .kind = STRATA_SERVICE, .name = "mod_service" },
	{ 0 },
};

STRATA_MODULE(mod_needy) = {
	MOD_COMMON("mod_needy"),
	.kind = STRATA_CONGESTION,
	.congestion = &mod_congestion,
	.depends = depends,
};
