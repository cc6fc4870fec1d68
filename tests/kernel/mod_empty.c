/* SPDX-License-Identifier: BSD-2-Clause */
/* A descriptor whose author forgot the operations. */
#include "mod.h"

STRATA_MODULE(mod_empty) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_TRANSPORT,
	.number = 200,
	.name = "mod_empty",
	.version = "1.0",
	.summary = "has no operations",
};
