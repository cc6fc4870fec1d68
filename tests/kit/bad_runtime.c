/* SPDX-License-Identifier: BSD-2-Clause */
/* An option that is set becomes something else. */
#include "bad.h"

static int option_changed(struct strata_instance *self, const struct strata_option *option)
{
	struct config *config = self->config;

	(void)option;
	config->level |= 1;
	return 0;
}

MODULE(bad_runtime, good_input, good_start, good_stop, .option_changed = option_changed);
