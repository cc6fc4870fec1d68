/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another manifest for a running stack (<strata/live.h>): checked in a kernel of its own, compared with what
 * runs, told, made.
 */
#include <errno.h>

#include "plan.h"

/* Whether a service is going to be stopped. */
static bool stops_services(const struct plan *plan)
{
	for (const struct change *c = plan->first; c != NULL; c = c->next)
		if (c->pub.what == STRATA_CHANGE_MODULE && c->module != NULL &&
		    kind_of(c->module) == STRATA_SERVICE && c->module->pub.running &&
		    c->pub.action != STRATA_ACTION_ADD)
			return true;
	return false;
}

static void log_outcome(struct kernel *k, int changes)
{
	if (changes == 0)
		strata_log(&k->pub, NULL, STRATA_LOG_INFO, "reload: %s says what runs already",
			   k->origin->name);
	else
		strata_log(&k->pub, NULL, STRATA_LOG_INFO, "reload: %d change%s made, as %s says", changes,
			   changes == 1 ? "" : "s", k->origin->name);
}

static int tell_and_make(struct plan *plan, bool dry_run, strata_change_fn *each, void *ctx)
{
	int result = plan_tell(plan, each, ctx);
	if (result < 0)
		strata_error_add(plan->error, "reload: out of memory; nothing has been changed");
	else if (!dry_run)
		result = plan_apply(plan);
	return result;
}

static int reload(struct kernel *k, const struct strata_config *given, bool dry_run,
		  strata_change_fn *each, void *ctx, struct strata_error *error)
{
	struct creation wanted = { .given = given, .error = error, .plans = true };
	struct plan plan = { .k = k, .wanted = &wanted, .error = error };
	int result = creation_check(&wanted), changes = 0;
	bool begun = false;
	if (result == 0) {
		changes = result = plan_make(&plan);
		if (result >= 0 && !dry_run) {
			result = live_begin(k, stops_services(&plan), error);
			begun = result == 0;
		}
		if (result >= 0)
			result = tell_and_make(&plan, dry_run, each, ctx);
		plan_free(&plan);
	}
	creation_end(&wanted);
	/* Only now: module files that went are closed, and the two kernels share some. */
	if (begun)
		live_end(k);
	if (result == 0 && !dry_run)
		log_outcome(k, changes);
	return result == 0 ? changes : result;
}

int strata_reload_text(struct strata_stack *stack, const char *text, size_t length, bool dry_run,
		       strata_change_fn *each, void *ctx, struct strata_error *error)
{
	struct kernel *k = kernel_of(stack);
	struct strata_config given;
	struct strata_error faults = { 0 };
	if (text == NULL && k->origin->file == NULL) {
		strata_error_add(error, "reload: the stack was made from a text: expected another text, found "
				 "none");
		return -ENOTSUP;
	}
	origin_config(k, text, length, &given);
	int result = reload(k, &given, dry_run, each, ctx, &faults);
	error_move(result < 0 ? error : NULL, &faults);
	return result;
}

int strata_reload(struct strata_stack *stack, bool dry_run, strata_change_fn *each, void *ctx,
		  struct strata_error *error)
{
	return strata_reload_text(stack, NULL, 0, dry_run, each, ctx, error);
}
