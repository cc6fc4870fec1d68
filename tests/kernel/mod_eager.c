/* SPDX-License-Identifier: BSD-2-Clause */
/* Has code that runs as soon as it is mapped, and ends the process. */
#include "mod.h"

#include <stdlib.h>

__attribute__((constructor)) static void eager_begin(void)
{
	abort();
}

STRATA_MODULE(mod_eager) = {
	MOD_COMMON("mod_eager"),
	.kind = STRATA_CONGESTION,
	.congestion = &mod_congestion,
};
