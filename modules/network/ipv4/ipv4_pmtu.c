/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The path MTUs learnt from others (RFC 1191). Whether a message is to be believed is the
 * transport's to say (RFC 5927 7); here it is clamped, kept for a while and forgotten.
 */
#include "ipv4_int.h"

uint32_t ipv4_path_mtu(struct strata_instance *self, const struct strata_addr *to,
		       uint32_t route_mtu)
{
	const struct ipv4_state *state = self->state;
	const struct ipv4_entry *entry = ipv4_table_find(&state->paths, strata_inet4_value(to));

	if (entry == NULL || entry->expires <= strata_now(self->stack))
		return route_mtu;
	return entry->mtu < route_mtu ? entry->mtu : route_mtu;
}

bool ipv4_path_narrow(struct strata_instance *self, const struct strata_addr *to)
{
	const struct ipv4_state *state = self->state;
	const struct ipv4_entry *entry = ipv4_table_find(&state->paths, strata_inet4_value(to));

	return entry != NULL && entry->narrow && entry->expires > strata_now(self->stack);
}

uint32_t ipv4_path_mtu_learn(struct strata_instance *self, const struct strata_addr *to,
			     uint32_t mtu)
{
	const struct ipv4_config *config = self->config;
	struct ipv4_state *state = self->state;
	uint32_t key = strata_inet4_value(to);
	struct ipv4_entry *entry = ipv4_table_find(&state->paths, key);
	bool evicted = false, narrow = mtu < config->pmtu_floor;

	/* DEVIATION: RFC 1191 3 floors at 68; a forged message would then make every byte cost
	 * twice, so the floor is what practically every path takes. What is sent on one that takes
	 * less goes without DF, for routers to fragment. */
	if (narrow) {
		strata_count(self, IPV4_PMTU_CLAMPED, 1);
		mtu = (uint32_t)config->pmtu_floor;
	}
	/* RFC 1191 3: a message never raises the estimate. */
	if (entry != NULL && entry->mtu <= mtu && entry->expires > strata_now(self->stack)) {
		strata_count(self, IPV4_PMTU_REFUSED, 1);
		entry->narrow |= narrow;
		return entry->mtu;
	}
	if (mtu > UINT16_MAX)
		return mtu;
	if (entry == NULL)
		entry = ipv4_table_add(&state->paths, key, &evicted);
	else
		ipv4_table_touch(&state->paths, entry);
	strata_count(self, IPV4_PMTU_EVICTED, evicted);
	if (entry == NULL)
		return mtu;
	entry->mtu = (uint16_t)mtu;
	entry->narrow = narrow;
	entry->expires = strata_now(self->stack) + config->pmtu_time;
	if (!strata_timer_pending(&state->pmtu_timer))
		strata_timer_start(self->stack, &state->pmtu_timer, entry->expires);
	strata_count(self, IPV4_PMTU_LEARNT, 1);
	strata_generation_bump(self->stack);
	return mtu;
}

/* RFC 1191 6.3: an estimate is forgotten after ten minutes, so that a path that has become wider is
 * found. Entries are in the order they were learnt, and so in the order they expire. */
void ipv4_pmtu_fire(struct strata_stack *stack, struct strata_timer *timer)
{
	struct ipv4_state *state = strata_container_of(timer, struct ipv4_state, pmtu_timer);
	struct ipv4_entry *entry;
	bool any = false;

	while ((entry = state->paths.oldest) != NULL && entry->expires <= strata_now(stack)) {
		ipv4_table_remove(&state->paths, entry);
		strata_count(state->self, IPV4_PMTU_EXPIRED, 1);
		any = true;
	}
	if (entry != NULL)
		strata_timer_start(stack, timer, entry->expires);
	if (any)
		strata_generation_bump(stack);
}
