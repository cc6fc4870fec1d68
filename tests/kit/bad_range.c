/* SPDX-License-Identifier: BSD-2-Clause */
/* The schema allows what start() refuses. */
#include "bad.h"

static int start(struct strata_instance *self, struct strata_error *error)
{
	const struct config *config = self->config;

	if (config->level > 10) {
		strata_error_add(error, "level %llu is too high", (unsigned long long)config->level);
		return -EINVAL;
	}
	return good_start(self, error);
}

MODULE(bad_range, good_input, start, good_stop, );
