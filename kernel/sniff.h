/* SPDX-License-Identifier: BSD-2-Clause */
/* Sniffers inside the kernel: where frames and discards are shown to them. */
#ifndef STRATA_KERNEL_SNIFF_H
#define STRATA_KERNEL_SNIFF_H

#include <strata/sniff.h>
#include "kernel.h"

struct iface;

/* Sets the interface's mark that someone looks at it. */
void sniff_update(struct iface *iface);
/* Shows a frame to all who look. Only while the interface has that mark. Borrows; gives it its trace_id. */
void sniff_frame(struct strata_iface *iface, struct strata_pkt *pkt, bool out);
/* Tells that `self` discards `pkt` for the reason `def`. Only while stack->watching. */
void sniff_drop(struct strata_instance *self, const struct strata_pkt *pkt,
		const struct strata_drop_def *def);
/* The interface is about to be freed: those who look at it alone are removed, all are told. */
void sniff_iface_removed(struct kernel *k, struct strata_iface *iface);

#endif
