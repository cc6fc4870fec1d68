/* SPDX-License-Identifier: BSD-2-Clause */
/* Another manifest for a running stack (<strata/live.h>). */
#include <errno.h>

#include "live.h"

int strata_reload_text(struct strata_stack *stack, const char *text, size_t length, bool dry_run,
		       strata_change_fn *each, void *ctx, struct strata_error *error)
{
	(void)stack, (void)text, (void)length, (void)dry_run, (void)each, (void)ctx;
	strata_error_add(error, "reload: expected a stack that can be reloaded, found none so far");
	return -ENOTSUP;
}

int strata_reload(struct strata_stack *stack, bool dry_run, strata_change_fn *each, void *ctx,
		  struct strata_error *error)
{
	return strata_reload_text(stack, NULL, 0, dry_run, each, ctx, error);
}
