/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing a running stack: what live.c toggle.c plan.c apply.c promise each other. */
#ifndef STRATA_KERNEL_LIVE_H
#define STRATA_KERNEL_LIVE_H

#include "iface.h"
#include "origin.h"
#include "registry.h"

/* Whether modules and interfaces may be changed from where the caller stands; `services`: one of them is going
 * to be stopped. Returns 0, or -EBUSY with a sentence. live_end() follows 0. */
int live_begin(struct kernel *k, bool services, struct strata_error *error);
void live_end(struct kernel *k);

/* Sets the MTU after checking it, on an interface that is open or not. */
int live_set_mtu(struct strata_iface *iface, uint32_t mtu, struct strata_error *error);

#endif
