/* SPDX-License-Identifier: BSD-2-Clause */
/* An option has no limits. */
#include "bad.h"

static const struct strata_option unlimited[] = {
	{ .name = "level", .type = STRATA_OPT_UINT, .offset = offsetof(struct config, level),
	  .fallback = "5", .help = "How much of it." },
};

MODULE(bad_limit, good_input, good_start, good_stop, .options = unlimited);
