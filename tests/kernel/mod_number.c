/* SPDX-License-Identifier: BSD-2-Clause */
/* A transport without a number of its own, which needs a network by number. */
#include "mod.h"

#include <strata/transport.h>

static enum strata_verdict number_input(struct strata_instance *self, struct strata_pkt *pkt)
{
	(void)self;
	(void)pkt;
	return STRATA_DROPPED;
}

static const struct strata_transport_ops number_ops = {
	.input = number_input,
};

static const struct strata_dependency depends[] = {
	{ .kind = STRATA_NETWORK, .number = 0x88b5, .optional = true },
	{ .kind = STRATA_NETWORK, .number = 0x88b6 },
	{ 0 },
};

STRATA_MODULE(mod_number) = {
	MOD_COMMON("mod_number"),
	.kind = STRATA_TRANSPORT,
	.transport = &number_ops,
	.depends = depends,
};
