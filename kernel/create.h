/* SPDX-License-Identifier: BSD-2-Clause */
/* A manifest on its way to a stack: read, and checked in a kernel of its own (stack.c). */
#ifndef STRATA_KERNEL_CREATE_H
#define STRATA_KERNEL_CREATE_H

#include "manifest.h"

/* What creation carries from step to step. */
struct creation {
	struct kernel *k;
	const struct strata_config *given;
	struct manifest *manifest;
	struct config config;
	struct strata_error *error;
	struct shard *shard;		/* which of several it becomes; NULL: alone */
	bool plans;			/* only to compare another with it */
	bool incomplete;		/* a module could not be loaded, which has been told */
};

/* Reads the manifest and makes all of it that can be made without starting a module or touching a device.
 * Returns 0, -EINVAL with every fault, or -errno. creation_end() follows in any case. */
int creation_check(struct creation *c);
/* Frees the kernel, if there is one, and the manifest. */
void creation_end(struct creation *c);

#endif
