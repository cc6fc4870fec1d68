/* SPDX-License-Identifier: BSD-2-Clause */
/* Looking at a running stack, as far as it is not walked beside the tables themselves. */
#include "kernel.h"

const char *strata_neigh_state_name(enum strata_neigh_state state)
{
	/* RFC 4861 7.3.2; FAILED and PERMANENT as Linux calls them. */
	static const char *const names[] = {
		[STRATA_NEIGH_INCOMPLETE] = "INCOMPLETE",
		[STRATA_NEIGH_REACHABLE] = "REACHABLE",
		[STRATA_NEIGH_STALE] = "STALE",
		[STRATA_NEIGH_DELAY] = "DELAY",
		[STRATA_NEIGH_PROBE] = "PROBE",
		[STRATA_NEIGH_FAILED] = "FAILED",
		[STRATA_NEIGH_PERMANENT] = "PERMANENT",
	};

	return (size_t)state < STRATA_COUNT(names) ? names[state] : "?";
}

const char *strata_run_dir(const struct strata_stack *stack)
{
	return kernel_of(stack)->run_dir;
}

uint64_t strata_uptime(const struct strata_stack *stack)
{
	return stack->now - kernel_of(stack)->made;
}

const char *strata_version(void)
{
	return STRATA_VERSION;
}
