/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many errors may be told (RFC 1812 4.3.2.8, RFC 1122 3.2.2). What a sender can learn from a
 * limit shared with others has served to find open ports (SAD DNS, 2020): so takings are random.
 */
#include "icmp_int.h"

/* Local choice: each error takes 0, 1 or 2 tokens, one on average. */
#define JITTER 3

/* Is a token there? `cost` is the time that one takes to come. */
static bool ready(struct icmp_bucket *bucket, uint64_t now, uint64_t cost, uint64_t burst)
{
	uint64_t elapsed = now - bucket->time;

	bucket->debt = bucket->debt > elapsed ? bucket->debt - elapsed : 0;
	bucket->time = now;
	return bucket->debt + cost <= burst * cost;
}

static void take(struct strata_instance *self, struct icmp_bucket *bucket, uint64_t cost)
{
	bucket->debt += cost * strata_random_below(self->stack, JITTER);
}

bool icmp_limit(struct strata_instance *self, const struct strata_addr *to)
{
	const struct icmp_config *config = self->config;
	struct icmp_state *state = self->state;
	uint64_t now = strata_now(self->stack);
	uint64_t hash = strata_siphash(&state->hash_key, to->bytes, to->length);
	struct icmp_bucket *destination = &state->destinations[hash % ICMP_BUCKETS];
	uint64_t host_cost = STRATA_SEC / config->error_rate;
	uint64_t destination_cost = STRATA_SEC / config->error_destination_rate;

	/* A destination may have a second's worth at once. */
	if (!ready(destination, now, destination_cost, config->error_destination_rate)) {
		strata_count(self, ICMP_OUT_LIMITED_DESTINATION, 1);
		return false;
	}
	if (!ready(&state->host, now, host_cost, config->error_burst)) {
		strata_count(self, ICMP_OUT_LIMITED_HOST, 1);
		return false;
	}
	take(self, destination, destination_cost);
	take(self, &state->host, host_cost);
	return true;
}
