/* SPDX-License-Identifier: BSD-2-Clause */
/* The default lies outside of its own limits. */
#include "bad.h"

static const struct strata_option outside[] = {
	{ .name = "level", .type = STRATA_OPT_UINT, .offset = offsetof(struct config, level),
	  .fallback = "2000", .min = 1, .max = 1000, .help = "How much of it." },
};

MODULE(bad_default, good_input, good_start, good_stop, .options = outside);
