/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace inside the kernel: the step that discards a packet. */
#ifndef STRATA_KERNEL_TRACE_H
#define STRATA_KERNEL_TRACE_H

#include "kernel.h"

/* Gives the packet its number, when it has none yet. */
void trace_identify(struct kernel *k, struct strata_pkt *pkt);
/* Records that `self` discards `pkt` for the reason `def`. Only while stack->tracing. */
void trace_drop(struct strata_instance *self, struct strata_pkt *pkt,
		const struct strata_drop_def *def);

#endif
