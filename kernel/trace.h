/* SPDX-License-Identifier: BSD-2-Clause */
/* The trace inside the kernel: the step that discards a packet, and which packet is being worked on. */
#ifndef STRATA_KERNEL_TRACE_H
#define STRATA_KERNEL_TRACE_H

#include <strata/trace.h>
#include "kernel.h"

/* Gives the packet its number, when it has none yet. */
void trace_identify(struct kernel *k, struct strata_pkt *pkt);
/* Records that `self` discards `pkt` for the reason `def`. Only while stack->tracing. */
void trace_drop(struct strata_instance *self, struct strata_pkt *pkt,
		const struct strata_drop_def *def) __attribute__((cold));

/* Tells that the packet comes in or goes out by its interface. Only while stack->tracing. */
void trace_frame(struct kernel *k, struct strata_pkt *pkt, const char *how) __attribute__((cold));

/* From now on steps of other packets, and those without one, are caused by `id`. Returns who caused them
 * until now, to be set again when the packet's walk up is over. */
uint32_t trace_cause(struct kernel *k, uint32_t id) __attribute__((cold));

/* Shortens `text` by what its end lacks to be whole UTF-8 characters; returns its length. */
size_t trace_whole(const char *text, size_t length);

#endif
