/* SPDX-License-Identifier: BSD-2-Clause */
/* Has an option of every type. */
#include "mod.h"

struct options_config {
	bool flag;
	uint64_t count, size, time, chance;
	const char *text, *name;
	uint32_t mode;
	struct strata_prefix prefix;
	struct strata_lladdr mac;
	struct strata_list list, more;
};

static const char *const modes[] = { "slow", "fast", "sideways", NULL };

#define FIELD(field) .offset = offsetof(struct options_config, field)

static const struct strata_option options[] = {
	{ .name = "flag", .type = STRATA_OPT_BOOL, FIELD(flag), .fallback = "true", .runtime = true,
	  .help = "a switch" },
	{ .name = "count", .type = STRATA_OPT_UINT, FIELD(count), .fallback = "5", .min = 1, .max = 255,
	  .unit = "hops", .runtime = true, .help = "a number" },
	{ .name = "size", .type = STRATA_OPT_SIZE, FIELD(size), .fallback = "4KiB", .min = 1024,
	  .max = 1 << 20, .runtime = true, .help = "a size" },
	{ .name = "time", .type = STRATA_OPT_TIME, FIELD(time), .fallback = "200ms",
	  .min = STRATA_MS, .max = 60 * STRATA_SEC, .runtime = true, .help = "a time" },
	{ .name = "chance", .type = STRATA_OPT_CHANCE, FIELD(chance), .fallback = "2.5%",
	  .runtime = true, .help = "a chance" },
	{ .name = "text", .type = STRATA_OPT_STRING, FIELD(text), .fallback = "nothing much",
	  .runtime = true, .help = "a text" },
	{ .name = "name", .type = STRATA_OPT_STRING, FIELD(name), .required = true, .help = "a name" },
	{ .name = "mode", .type = STRATA_OPT_CHOICE, FIELD(mode), .fallback = "fast", .choices = modes,
	  .runtime = true, .help = "a choice" },
	{ .name = "prefix", .type = STRATA_OPT_PREFIX, FIELD(prefix), .runtime = true,
	  .help = "a prefix" },
	{ .name = "mac", .type = STRATA_OPT_LLADDR, FIELD(mac), .fallback = "02:00:00:00:00:01",
	  .runtime = true, .help = "a link address" },
	{ .name = "list", .type = STRATA_OPT_LIST, FIELD(list), .fallback = "[one, two words]",
	  .runtime = true, .help = "a list" },
	{ .name = "more", .type = STRATA_OPT_LIST, FIELD(more), .help = "another list" },
};

STRATA_MODULE(mod_options) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_CONGESTION,
	.name = "mod_options",
	.version = "1.0",
	.summary = "has an option of every type",
	.config_size = sizeof(struct options_config),
	.options = options,
	.option_count = STRATA_COUNT(options),
	.congestion = &mod_congestion,
};
