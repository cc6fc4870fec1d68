/* SPDX-License-Identifier: BSD-2-Clause */
/* Names the congestion module it needs in an option. */
#include <strata/service.h>

#include "mod.h"

struct naming_config {
	struct mod_config common;
	const char *helper;
};

static const struct strata_option options[] = {
	{ .name = "record", .type = STRATA_OPT_UINT,
	  .offset = offsetof(struct naming_config, common.record) },
	{ .name = "helper", .type = STRATA_OPT_MODULE, .names = STRATA_CONGESTION,
	  .offset = offsetof(struct naming_config, helper), .fallback = "mod_low" },
};

static const struct strata_service_ops naming_service = { .drain = NULL };

STRATA_MODULE(mod_naming) = {
	STRATA_MODULE_HEADER,
	.name = "mod_naming",
	.version = "1",
	.summary = "a module of a test",
	.kind = STRATA_SERVICE,
	.service = &naming_service,
	.config_size = sizeof(struct naming_config),
	.options = options,
	.option_count = STRATA_COUNT(options),
	.start = mod_start,
	.stop = mod_stop,
};
