/* SPDX-License-Identifier: BSD-2-Clause */
/* Discards: the one way a packet ends that was not used. And the pseudo-instance "kernel", which keeps
 * the kernel's own reasons and counters in the same shape as every module's. */
#include "sniff.h"
#include "trace.h"

#include <assert.h>
#include <errno.h>

enum strata_verdict strata_drop(struct strata_instance *self, struct strata_pkt *pkt,
				unsigned int reason)
{
	assert(reason < self->module->drop_count);
	self->drops[reason]++;
	if (strata_tracing(self->stack))
		trace_drop(self, pkt, &self->module->drops[reason]);
	if (strata_unlikely(self->stack->watching))
		sniff_drop(self, pkt, &self->module->drops[reason]);
	strata_pkt_free(pkt);
	return STRATA_DROPPED;
}

static const struct strata_drop_def kernel_drops[] = {
#define X(symbol, text, severity, mib) STRATA_DROP_DEF(symbol, text, severity, mib)
#include "kernel_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(kernel_drops) == KERNEL_DROPS, "a text for each reason");

static const struct strata_counter_def kernel_counters[] = {
#define X(symbol, name, help, mib) [KERNEL_COUNT_##symbol] = { name, help, mib },
#include "kernel_counters.def"
#undef X
};
_Static_assert(STRATA_COUNT(kernel_counters) == KERNEL_COUNTERS, "a name for each counter");

/* No module of any kind; only its tables are read. */
static const struct strata_module kernel_module = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_KINDS,
	.name = "kernel",
	.version = STRATA_VERSION,
	.summary = "interfaces, addresses, routes, neighbours, ports, flows, sockets",
	.counters = kernel_counters,
	.counter_count = KERNEL_COUNTERS,
	.drops = kernel_drops,
	.drop_count = KERNEL_DROPS,
};

int drop_init(struct kernel *k)
{
	struct strata_instance *self = &k->self;

	self->stack = &k->pub;
	self->module = &kernel_module;
	self->name = kernel_module.name;
	self->log_level = k->settings.log_level;
	self->running = true;
	self->drops = strata_alloc(&k->pub, KERNEL_DROPS * sizeof(*self->drops));
	self->counters = strata_alloc(&k->pub, KERNEL_COUNTERS * sizeof(*self->counters));
	return self->drops != NULL && self->counters != NULL ? 0 : -ENOMEM;
}

void drop_fini(struct kernel *k)
{
	struct strata_instance *self = &k->self;

	if (self->module == NULL)
		return;
	strata_free(&k->pub, self->drops);
	strata_free(&k->pub, self->counters);
	memset(self, 0, sizeof(*self));
}
