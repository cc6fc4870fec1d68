/* SPDX-License-Identifier: BSD-2-Clause */
/* Needs nothing; mod_mid needs it. */
#include "mod.h"


STRATA_MODULE(mod_low) = {
	MOD_COMMON("mod_low"),
	.kind = STRATA_CONGESTION,
	.congestion = &mod_congestion,
};
