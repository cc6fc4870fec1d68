/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kit's driver and its report share, which checks do not need. */
#ifndef STRATA_KIT_INT_H
#define STRATA_KIT_INT_H

#include "kit.h"

/* A report being made. */
struct kit_report {
	const struct kit *kit;
	json_t *json;			/* for programs, or NULL */
	bool titled;
	unsigned int ok, failed, skipped;
};
void kit_report_begin(struct kit_report *report);
void kit_report_check(struct kit_report *report, const struct kit_check *check,
		      const struct kit_result *result);
/* Ends it; an exit status. */
int kit_report_end(struct kit_report *report);

/* All checks, in the order they are made; ends with one without a name. */
extern const struct kit_check kit_checks[];

/* Runs `run` in a process of its own, watched; what becomes of it is in kit->result. (kit_child.c) */
void kit_child_run(struct kit *kit, const struct kit_check *check);

#endif
