/* SPDX-License-Identifier: BSD-2-Clause */
/* A descriptor whose schema has one option outside its structure and one without choices. */
#include "mod.h"

static const struct strata_option options[] = {
	{ .name = "beyond", .type = STRATA_OPT_UINT, .offset = 4, .help = "reaches too far" },
	{ .name = "which", .type = STRATA_OPT_CHOICE, .offset = 0, .help = "has no choices" },
};

STRATA_MODULE(mod_schema) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_CONGESTION,
	.name = "mod_schema",
	.version = "1.0",
	.summary = "has a faulty schema",
	.config_size = 8,
	.options = options,
	.option_count = STRATA_COUNT(options),
	.congestion = &mod_congestion,
};
