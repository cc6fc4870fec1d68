/* SPDX-License-Identifier: BSD-2-Clause */
/* What the code that drives a stack shares: batches (work.c), running (run.c), the loop (loop.c). */
#ifndef STRATA_KERNEL_RUN_H
#define STRATA_KERNEL_RUN_H

#include "kernel.h"

/* Whether work waits for the next batch's end. */
bool work_pending(const struct kernel *k);
/* As kernel_leave(), but deferred work waits for the next kernel_leave(). */
void kernel_leave_batched(struct kernel *k);
/* The outermost entry has ended and k->foreign is set: whoever waits for strata_loop_fd() learns of a changed timer. */
void loop_rearm(struct kernel *k);

#endif
