/* SPDX-License-Identifier: BSD-2-Clause */
/* A start that fails leaves what it allocated. */
#include "bad.h"

static int start(struct strata_instance *self, struct strata_error *error)
{
	void *more;

	if (good_start(self, error) < 0)
		return -ENOMEM;
	more = strata_alloc(self->stack, 64);
	if (more == NULL) {
		strata_error_add(error, "out of memory");
		return -ENOMEM;
	}
	strata_free(self->stack, more);
	return 0;
}

MODULE(bad_undone, good_input, start, good_stop, );
