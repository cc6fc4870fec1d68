/* SPDX-License-Identifier: BSD-2-Clause */
/* A service, which starts last and stops first. */
#include "mod.h"

#include <strata/service.h>

static void service_drain(struct strata_instance *self)
{
	mod_note(self, '~');
}

static const struct strata_service_ops service_ops = {
	.drain = service_drain,
};

STRATA_MODULE(mod_service) = {
	MOD_COMMON("mod_service"),
	.kind = STRATA_SERVICE,
	.service = &service_ops,
};
