/* SPDX-License-Identifier: BSD-2-Clause */
/* A network without a number of its own (IEEE 802 leaves 0x88b5 and 0x88b6 to experiments). */
#include "mod.h"

#include <strata/network.h>

static const struct strata_network_ops net_ops = { 0 };

STRATA_MODULE(mod_net) = {
	MOD_COMMON("mod_net"),
	.kind = STRATA_NETWORK,
	.network = &net_ops,
};
