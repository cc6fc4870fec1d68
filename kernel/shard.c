/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which of several stacks a packet belongs to: the owner of its flow by a hash that all shards share, the
 * shards that hold its port by a map. Nothing here locks; docs/adr/0020 says why it is right all the same.
 */
#include <errno.h>

#include "iface.h"
#include "shard.h"
#include "trace.h"

/* Bytes of a transport header that its ports are looked for in. */
#define PORTS_WITHIN 8

/* ---- the owner ---- */

static uint32_t mix_end(const struct strata_shards *group, const struct strata_addr *addr,
			uint16_t port)
{
	return strata_steering_end(&group->steering, strata_steering_fold(addr), port);
}

static uint32_t flow_mix(const struct strata_shards *group, const struct strata_flow_key *key)
{
	return strata_steering_hash(&group->steering, mix_end(group, &key->local, key->local_port),
				    mix_end(group, &key->remote, key->remote_port));
}

unsigned int shard_owner(const struct strata_shards *group, const struct strata_flow_key *key)
{
	return strata_steering_owner(&group->steering, flow_mix(group, key));
}

bool shard_owns(const struct kernel *k, const struct strata_flow_key *key)
{
	return k->shard == NULL || shard_owner(k->shard->group, key) == k->shard->index;
}

void strata_shard_steering(const struct strata_stack *stack, struct strata_steering *out)
{
	static const struct strata_steering alone = { .count = 1 };
	const struct kernel *k = kernel_of(stack);

	*out = k->shard != NULL ? k->shard->group->steering : alone;
}

/* ---- ports ---- */

static uint64_t bit_of(const struct shard *shard)
{
	return UINT64_C(1) << shard->index;
}

/* The entry of a port; NULL: nobody has claimed a port of this transport yet. */
static struct shard_port *port_entry(struct strata_shards *group, uint8_t number, uint16_t port)
{
	struct shard_ports *ports = atomic_load_explicit(&group->ports[number],
							 memory_order_acquire);

	return ports != NULL ? &ports->port[port] : NULL;
}

/* The same, made where there is none. NULL when memory is short: then the port is found by its owner's hash
 * alone. */
static struct shard_port *port_entry_make(struct strata_shards *group, uint8_t number,
					  uint16_t port)
{
	struct shard_ports *ports, *other = NULL;

	if (atomic_load_explicit(&group->ports[number], memory_order_acquire) == NULL) {
		ports = group->env.alloc(group->env.ctx, sizeof(*ports));
		if (ports == NULL)
			return NULL;
		memset(ports, 0, sizeof(*ports));
		if (!atomic_compare_exchange_strong(&group->ports[number], &other, ports))
			group->env.free(group->env.ctx, ports, sizeof(*ports));
	}
	return port_entry(group, number, port);
}

void shard_port_claimed(struct kernel *k, uint8_t number, uint16_t port, bool claimed)
{
	struct shard *shard = k->shard;
	struct shard_port *entry = claimed ? port_entry_make(shard->group, number, port) :
		port_entry(shard->group, number, port);

	if (entry == NULL)
		return;
	if (claimed)
		atomic_fetch_or(&entry->claimed, bit_of(shard));
	else
		atomic_fetch_and(&entry->claimed, ~bit_of(shard));
}

bool shard_port_take(struct kernel *k, uint8_t number, uint16_t port)
{
	struct shard *shard = k->shard;
	struct shard_port *entry = port_entry_make(shard->group, number, port);
	uint64_t none = 0;

	return entry == NULL ||
	       atomic_compare_exchange_strong(&entry->claimed, &none, bit_of(shard)) ||
	       none == bit_of(shard);
}

void shard_port_stray(struct kernel *k, uint8_t number, uint16_t port, bool stray)
{
	struct shard *shard = k->shard;
	struct shard_port *entry = stray ? port_entry_make(shard->group, number, port) :
		port_entry(shard->group, number, port);

	if (entry == NULL)
		return;
	if (stray)
		atomic_fetch_or(&entry->strays, bit_of(shard));
	else
		atomic_fetch_and(&entry->strays, ~bit_of(shard));
}

/* ---- where to ---- */

/* The `n`th set bit, counted from 0. */
static unsigned int nth_bit(uint64_t bits, unsigned int n)
{
	while (n-- > 0)
		bits &= bits - 1;
	return (unsigned int)__builtin_ctzll(bits);
}

/* Who has the flow when nobody has it already: its owner, where that one has the port, else one of those who
 * have it, the same for all packets of the flow; this shard where nobody has. */
static unsigned int designated(const struct shard *shard, uint64_t claimed,
			       const struct strata_flow_key *key)
{
	unsigned int owner = shard_owner(shard->group, key);

	if (claimed == 0)
		return shard->index;
	if ((claimed >> owner & 1) != 0)
		return owner;
	return nth_bit(claimed, flow_mix(shard->group, key) %
				(unsigned int)__builtin_popcountll(claimed));
}

/* The next shard for something of this flow, which those in `*tried` do not have; this one: it belongs here.
 * A port with strays has each shard that has one asked in turn; the designated one is the last. */
static unsigned int next_shard(struct kernel *k, const struct strata_flow_key *key,
			       const struct strata_iface *iface, uint64_t *tried)
{
	const struct shard *shard = k->shard;
	struct shard_port *entry = port_entry(shard->group, key->number, key->local_port);
	uint64_t claimed, strays;
	unsigned int to;

	if (*tried == SHARD_STAYS || entry == NULL)
		return shard->index;
	claimed = atomic_load_explicit(&entry->claimed, memory_order_relaxed);
	strays = atomic_load_explicit(&entry->strays, memory_order_relaxed);
	if (strata_unlikely((strays & ~bit_of(shard)) != 0)) {
		if (strata_flow_exact(&k->pub, key, iface) != NULL)
			return shard->index;
		*tried |= bit_of(shard);
		strays &= ~*tried;
		if (strays != 0)
			return (unsigned int)__builtin_ctzll(strays);
	} else if (strata_unlikely(strays != 0) && strata_flow_exact(&k->pub, key, iface) != NULL) {
		return shard->index;
	}
	to = designated(shard, claimed, key);
	*tried = SHARD_STAYS;
	return to;
}

/* ---- packets ---- */

static void hand_or_drop(struct kernel *k, unsigned int to, enum shard_stage stage, uint64_t tried,
			 struct strata_pkt *pkt)
{
	strata_trace_fields(&k->self, pkt, STRATA_SAID(STRATA_FIELD_UINT("shard", to)),
			    "belongs to shard %u: handed over", to);
	if (shard_hand(k, to, stage, tried, pkt))
		strata_pkt_free(pkt);
	else
		strata_drop(&k->self, pkt, KERNEL_DROP_SHARD_RING_FULL);
}

bool shard_steer(struct kernel *k, struct strata_instance *transport, struct strata_pkt *pkt,
		 uint64_t tried)
{
	const struct strata_transport_ops *ops = transport->module->transport;
	struct strata_flow_key key = { .local = pkt->dst, .remote = pkt->src,
				       .number = pkt->number };
	uint32_t length = strata_pkt_length(pkt);
	const uint8_t *header;
	unsigned int to;

	/* What was sent to many was shown to all, see strata_shard_share(). */
	if (ops->ports == NULL || (pkt->flags & STRATA_PKT_MANY) != 0)
		return false;
	length = length < PORTS_WITHIN ? length : PORTS_WITHIN;
	header = strata_pkt_header(pkt, length);
	if (header == NULL ||
	    !ops->ports(header, length, false, &key.local_port, &key.remote_port))
		return false;
	to = next_shard(k, &key, pkt->iface, &tried);
	if (to == k->shard->index)
		return false;
	hand_or_drop(k, to, SHARD_TRANSPORT, tried, pkt);
	return true;
}

bool shard_steer_error(struct kernel *k, struct strata_instance *transport,
		       const struct strata_transport_error *error, uint64_t tried)
{
	const struct strata_transport_ops *ops = transport->module->transport;
	struct strata_flow_key key = { .local = error->quote.src, .remote = error->quote.dst,
				       .number = error->quote.number };
	unsigned int to;

	if (error->local || ops->ports == NULL ||
	    !ops->ports(error->payload, error->payload_length, true, &key.local_port,
			&key.remote_port))
		return false;
	to = next_shard(k, &key, NULL, &tried);
	if (to == k->shard->index)
		return false;
	if (!shard_hand_error(k, to, tried, error))
		k->self.drops[KERNEL_DROP_SHARD_RING_FULL]++;
	return true;
}

void strata_shard_share(struct strata_iface *iface, const struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(iface->stack);
	unsigned int to;

	if (k->shard == NULL || (pkt->flags & STRATA_PKT_COPY) != 0)
		return;
	for (to = 0; to < k->shard->group->count; to++)
		if (to != k->shard->index &&
		    !shard_hand(k, to, SHARD_NETWORK, SHARD_STAYS, pkt))
			k->self.drops[KERNEL_DROP_SHARD_RING_FULL]++;
}

bool strata_shard_gather(struct strata_iface *iface, struct strata_pkt *pkt, uint64_t value)
{
	struct kernel *k = kernel_of(iface->stack);
	unsigned int to;

	if (k->shard == NULL || (pkt->flags & (STRATA_PKT_GATHERED | STRATA_PKT_LOOPED)) != 0)
		return false;
	value = (value ^ k->shard->group->steering.key[0]) * UINT64_C(0x9e3779b97f4a7c15);
	to = (unsigned int)((value >> 32) * k->shard->group->count >> 32);
	if (to == k->shard->index)
		return false;
	hand_or_drop(k, to, SHARD_NETWORK, 0, pkt);
	return true;
}

bool shard_lladdr(const struct kernel *k, const char *iface, struct strata_lladdr *out)
{
	const struct strata_iface *first;

	if (k->shard == NULL || k->shard->index == 0)
		return false;
	first = strata_iface_by_name(&k->shard->group->shards[0].k->pub, iface);
	if (first == NULL)
		return false;
	*out = first->lladdr;
	return true;
}
