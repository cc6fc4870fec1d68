/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Address Resolution Protocol for IPv4 over Ethernet: input, resolution, configuration. Read
 * RFC 826 "Packet Reception" and RFC 5227 before editing. The neighbour table is the kernel's.
 */
#include <errno.h>
#include "arp_int.h"

static bool is_ours(struct strata_instance *self, const struct strata_iface *iface,
		    const struct strata_addr *addr)
{
	const struct strata_ifaddr *ifaddr = strata_ifaddr_find(self->stack, addr);
	return ifaddr != NULL && ifaddr->iface == iface && ifaddr->state == STRATA_IFADDR_VALID;
}

static bool is_on_link(const struct strata_iface *iface, const struct strata_addr *addr)
{
	const struct strata_ifaddr *ifaddr;

	for (ifaddr = strata_ifaddr_first(iface); ifaddr != NULL; ifaddr = ifaddr->next)
		if (strata_addr_match(&ifaddr->prefix.addr, addr, ifaddr->prefix.bits))
			return true;
	return false;
}

/* Can `addr` be a host's, seen from the interface? */
static bool is_host(const struct strata_iface *iface, const struct strata_addr *addr)
{
	const struct strata_ifaddr *ifaddr;

	if (strata_inet4_classify(addr) != STRATA_ADDR_UNICAST)
		return false;
	for (ifaddr = strata_ifaddr_first(iface); ifaddr != NULL; ifaddr = ifaddr->next)
		if (strata_addr_equal(&ifaddr->broadcast, addr))
			return false;
	return true;
}

/* Returns 0, or -1 with the reason to drop the packet. */
static int check_sender(const struct strata_iface *iface, const struct arp_packet *packet,
			unsigned int *reason)
{
	static const uint8_t zeros[ARP_HARDWARE_SIZE];

	*reason = ARP_DROP_SENDER_HARDWARE;
	if ((packet->sha.bytes[0] & 1) != 0 ||
	    memcmp(packet->sha.bytes, zeros, ARP_HARDWARE_SIZE) == 0)
		return -1;
	*reason = ARP_DROP_OWN;
	if (strata_lladdr_equal(&packet->sha, &iface->lladdr))
		return -1;
	/* RFC 5227 1.1: a request from 0.0.0.0 is a probe. */
	if (packet->operation == ARP_REQUEST && strata_addr_is_any(&packet->spa))
		return 0;
	*reason = ARP_DROP_SENDER_PROTOCOL;
	return is_host(iface, &packet->spa) ? 0 : -1;
}

/* Local choice: so long a neighbour's word is held against others', whatever its state; the base of
 * ReachableTime in RFC 4861 10. */
#define SETTLED_TIME (30 * STRATA_SEC)

/* Was the neighbour's address confirmed by itself, and either lately or not yet found wanting? */
static bool is_settled(struct strata_instance *self, const struct strata_neigh *neigh)
{
	if (neigh->confirmed == 0)
		return false;
	return neigh->state == STRATA_NEIGH_REACHABLE || neigh->state == STRATA_NEIGH_DELAY ||
	       neigh->state == STRATA_NEIGH_PROBE ||
	       (neigh->state == STRATA_NEIGH_STALE &&
		strata_now(self->stack) - neigh->confirmed < SETTLED_TIME);
}

/* The merge of RFC 826, held against what RFC 4861 7.2 learnt since: returns whether the sender was
 * taken into the neighbour table. */
static bool learn(struct strata_instance *self, struct strata_iface *iface,
		  const struct arp_packet *packet, bool for_us)
{
	const struct arp_config *config = self->config;
	const struct strata_neigh *neigh = strata_neigh_find(iface, &packet->spa);
	/* RFC 826: the target adds the sender; a reply without a question makes no entry. */
	bool create = for_us && packet->operation == ARP_REQUEST &&
		      is_on_link(iface, &packet->spa);
	bool solicited = false, settled = false, same;

	if (strata_addr_is_any(&packet->spa) || (neigh == NULL && !create))
		return false;
	same = neigh != NULL && strata_lladdr_equal(&neigh->lladdr, &packet->sha);
	if (neigh != NULL) {
		solicited = packet->operation == ARP_REPLY && for_us &&
			    (neigh->state == STRATA_NEIGH_INCOMPLETE ||
			     (neigh->state == STRATA_NEIGH_PROBE && same));
		settled = is_settled(self, neigh);
	}
	/* DEVIATION: RFC 826 lets any packet replace a known address. One that was confirmed
	 * lately is not given up for an unasked word; it becomes STALE, and so is asked again
	 * when next used. */
	if (settled && !same && config->unsolicited == ARP_UNSOLICITED_VERIFY)
		strata_count(self, ARP_CONTRADICTED, 1);
	else
		settled = false;
	strata_neigh_heard(iface, &packet->spa, &packet->sha, solicited, !settled, create);
	strata_count(self, ARP_LEARNT, 1);
	return true;
}

static void trace_input(struct strata_instance *self, struct strata_pkt *pkt,
			const struct arp_packet *packet)
{
	struct strata_stack *stack = self->stack;

	if (packet->operation == ARP_REQUEST)
		strata_trace_fields(self, pkt, ARP_FIELDS(packet), "request: who has %s? tell %s at %s",
				    strata_addr_text(stack, &packet->tpa),
				    strata_addr_text(stack, &packet->spa),
				    strata_lladdr_text(stack, &packet->sha));
	else
		strata_trace_fields(self, pkt, ARP_FIELDS(packet), "reply: %s is at %s, told to %s",
				    strata_addr_text(stack, &packet->spa),
				    strata_lladdr_text(stack, &packet->sha),
				    strata_addr_text(stack, &packet->tpa));
}

static enum strata_verdict arp_input(struct strata_instance *self, struct strata_iface *iface,
				     struct strata_pkt *pkt)
{
	struct arp_packet packet;
	unsigned int reason;
	bool for_us, learnt;

	pkt->network_offset = (uint16_t)strata_pkt_headroom(pkt);
	if (!arp_usable(iface))
		return strata_drop(self, pkt, ARP_DROP_NO_ARP);
	if (arp_parse(pkt, &packet, &reason) != 0)
		return strata_drop(self, pkt, reason);
	/* An answer is for whichever shard asked, and all learn from what one is asked. */
	strata_shard_share(iface, pkt);
	trace_input(self, pkt, &packet);
	strata_count(self, packet.operation == ARP_REQUEST ? ARP_IN_REQUESTS : ARP_IN_REPLIES, 1);
	if (check_sender(iface, &packet, &reason) != 0)
		return strata_drop(self, pkt, reason);
	if (arp_claim_contested(self, iface, &packet))
		return strata_drop(self, pkt, ARP_DROP_CONFLICT);

	for_us = is_ours(self, iface, &packet.tpa);
	learnt = learn(self, iface, &packet, for_us);
	if (learnt)
		strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_NEIGH("neighbour",
				    strata_neigh_find(iface, &packet.spa))), "noted");
	if (packet.operation == ARP_REQUEST && for_us && (pkt->flags & STRATA_PKT_COPY) == 0) {
		strata_trace_fields(self, pkt, STRATA_SAID(STRATA_FIELD_ADDR("address", &packet.tpa)),
				    "%s is ours → reply", strata_addr_text(self->stack, &packet.tpa));
		strata_pkt_free(pkt);
		arp_send(self, iface, ARP_REPLY, &packet.tpa, &packet.sha, &packet.spa,
			 &packet.sha);
		return STRATA_ACCEPTED;
	}
	/* What does not concern this host is counted by the shard that got it. */
	if (!learnt && (pkt->flags & STRATA_PKT_COPY) == 0)
		return strata_drop(self, pkt, packet.operation == ARP_REPLY && for_us ?
			ARP_DROP_UNSOLICITED : ARP_DROP_NOT_FOR_US);
	strata_pkt_free(pkt);
	return STRATA_ACCEPTED;
}

/* Own address to ask from: one of the neighbour's own network before any other of the interface.
 * NULL when the interface has none that is valid. */
static const struct strata_addr *choose_source(const struct strata_iface *iface,
					       const struct strata_addr *target)
{
	const struct strata_ifaddr *ifaddr;
	const struct strata_addr *found = NULL;

	for (ifaddr = strata_ifaddr_first(iface); ifaddr != NULL; ifaddr = ifaddr->next) {
		const struct strata_prefix *prefix = &ifaddr->prefix;
		if (prefix->addr.family != STRATA_INET4_FAMILY ||
		    ifaddr->state != STRATA_IFADDR_VALID)
			continue;
		if (strata_addr_match(&prefix->addr, target, prefix->bits))
			return &prefix->addr;
		if (found == NULL)
			found = &prefix->addr;
	}
	return found;
}

static void arp_resolve(struct strata_instance *self, struct strata_neigh *neigh)
{
	const struct strata_addr *source = choose_source(neigh->iface, &neigh->addr);
	struct strata_lladdr to = neigh->lladdr;

	if (source == NULL || !arp_usable(neigh->iface)) {
		strata_count(self, ARP_NO_SOURCE, 1);
		return;
	}
	if (neigh->state != STRATA_NEIGH_PROBE || to.length == 0)
		to = strata_iface_broadcast(neigh->iface);
	arp_send(self, neigh->iface, ARP_REQUEST, source, NULL, &neigh->addr, &to);
}

/* ---- entries by hand ---- */

/* Sets or removes the entries that lie in the prefix. */
static void statics_apply(struct strata_instance *self, struct strata_iface *iface,
			  const struct strata_prefix *prefix, bool set)
{
	const struct arp_state *state = self->state;
	size_t i;

	for (i = 0; i < state->static_count; i++) {
		const struct arp_static *entry = &state->statics[i];
		if (!strata_addr_match(&prefix->addr, &entry->addr, prefix->bits))
			continue;
		if (!set) {
			strata_neigh_remove(iface, &entry->addr);
		} else if (strata_neigh_set(iface, &entry->addr, &entry->lladdr) != 0) {
			strata_log(self->stack, self, STRATA_LOG_WARNING,
				   "%s: the neighbour table is full: no static entry for %s",
				   iface->name, strata_addr_text(self->stack, &entry->addr));
		}
	}
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Six pairs of hex digits, colons between. Returns 0 or -EINVAL. */
static int parse_hardware(const char *text, struct strata_lladdr *out)
{
	unsigned int i;

	memset(out, 0, sizeof(*out));
	out->length = ARP_HARDWARE_SIZE;
	for (i = 0; i < ARP_HARDWARE_SIZE; i++) {
		int high, low;
		if (i > 0 && *text++ != ':')
			return -EINVAL;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		out->bytes[i] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return *text == '\0' && (out->bytes[0] & 1) == 0 ? 0 : -EINVAL;
}

/* "192.0.2.9 02:00:00:00:00:09". Returns 0 or -EINVAL. */
static int parse_static(const char *text, struct arp_static *out)
{
	char addr[STRATA_ADDR_TEXT];
	size_t length = strcspn(text, " \t");

	if (length >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, length);
	addr[length] = '\0';
	text += length;
	text += strspn(text, " \t");
	if (strata_inet4_parse(addr, &out->addr) != 0 ||
	    strata_inet4_classify(&out->addr) != STRATA_ADDR_UNICAST)
		return -EINVAL;
	return parse_hardware(text, &out->lladdr);
}

static int statics_parse(struct strata_instance *self, struct strata_error *error)
{
	const struct arp_config *config = self->config;
	struct arp_state *state = self->state;
	int result = 0;
	size_t i;

	if (config->statics.count == 0)
		return 0;
	state->statics = strata_alloc(self->stack,
				      config->statics.count * sizeof(*state->statics));
	if (state->statics == NULL) {
		strata_error_add(error, "%s: no memory for %zu static entries", self->name,
				 config->statics.count);
		return -ENOMEM;
	}
	state->static_count = config->statics.count;
	for (i = 0; i < state->static_count; i++) {
		if (parse_static(config->statics.items[i], &state->statics[i]) == 0)
			continue;
		strata_error_add(error, "%s: static: expected a host's IPv4 address and its hardware address, "
				 "like \"192.0.2.9 02:00:00:00:00:09\", found \"%s\"", self->name,
				 config->statics.items[i]);
		result = -EINVAL;
	}
	return result;
}

/* ---- events and life ---- */

static void arp_address_event(struct strata_instance *self, struct strata_ifaddr *ifaddr,
			      bool added)
{
	if (ifaddr->prefix.addr.family != STRATA_INET4_FAMILY)
		return;
	statics_apply(self, ifaddr->iface, &ifaddr->prefix, added);
	if (added)
		arp_claim_add(self, ifaddr);
	else
		arp_claim_remove(self, ifaddr->iface, &ifaddr->prefix.addr);
}

static void arp_iface_event(struct strata_instance *self, struct strata_iface *iface, bool running)
{
	arp_claim_iface(self, iface, running);
}

/* Tells every address there is already as added, or as going. */
static void each_address(struct strata_instance *self, bool added)
{
	struct strata_iface *iface = NULL;
	struct strata_ifaddr *ifaddr;

	while ((iface = strata_iface_next(self->stack, iface)) != NULL) {
		for (ifaddr = strata_ifaddr_first(iface); ifaddr != NULL; ifaddr = ifaddr->next) {
			if (ifaddr->prefix.addr.family != STRATA_INET4_FAMILY)
				continue;
			statics_apply(self, iface, &ifaddr->prefix, added);
			if (added)
				arp_claim_add(self, ifaddr);
		}
	}
}

static void state_free(struct strata_instance *self)
{
	struct arp_state *state = self->state;

	strata_free(self->stack, state->statics);
	strata_free(self->stack, state);
	self->state = NULL;
}

static int arp_start(struct strata_instance *self, struct strata_error *error)
{
	int result;

	self->state = strata_alloc(self->stack, sizeof(struct arp_state));
	if (self->state == NULL) {
		strata_error_add(error, "%s: no memory to start", self->name);
		return -ENOMEM;
	}
	result = statics_parse(self, error);
	if (result != 0) {
		state_free(self);
		return result;
	}
	each_address(self, true);
	return 0;
}

static void arp_stop(struct strata_instance *self)
{
	each_address(self, false);
	arp_claim_remove_all(self);
	state_free(self);
}

/* ---- options, counters, descriptor ---- */

static const char *const unsolicited_choices[] = {
	[ARP_UNSOLICITED_VERIFY] = "verify", [ARP_UNSOLICITED_ACCEPT] = "accept", NULL,
};

static const char *const defend_choices[] = {
	[ARP_DEFEND_ALWAYS] = "always", [ARP_DEFEND_ONCE] = "once", [ARP_DEFEND_YIELD] = "yield",
	NULL,
};

static const struct strata_option arp_options[] = {
	{
		.name = "probe", .type = STRATA_OPT_BOOL,
		.offset = offsetof(struct arp_config, probe), .fallback = "false", .runtime = true,
		.help = "Ask whether an address is free before it is used (RFC 5227); takes 4 to 7 s.",
	},
	{
		.name = "announce", .type = STRATA_OPT_BOOL,
		.offset = offsetof(struct arp_config, announce), .fallback = "true",
		.runtime = true,
		.help = "Announce addresses when they are added and when their interface comes up.",
	},
	{
		.name = "unsolicited", .type = STRATA_OPT_CHOICE,
		.offset = offsetof(struct arp_config, unsolicited), .fallback = "verify",
		.choices = unsolicited_choices, .runtime = true,
		.help = "What an unasked packet does to a reachable neighbour with another hardware address: "
			"it is asked again, or replaced at once.",
	},
	{
		.name = "defend", .type = STRATA_OPT_CHOICE,
		.offset = offsetof(struct arp_config, defend), .fallback = "always",
		.choices = defend_choices, .runtime = true,
		.help = "When another host uses an own address: defend it always, once in 10 s, or yield it "
			"(RFC 5227 2.4).",
	},
	{
		.name = "static", .type = STRATA_OPT_LIST,
		.offset = offsetof(struct arp_config, statics),
		.help = "Entries of the form \"192.0.2.9 02:00:00:00:00:09\", never asked for nor forgotten.",
	},
};

static const struct strata_counter_def arp_counters[] = {
#define X(symbol, name_, help_, mib_) { .name = name_, .help = help_, .mib = mib_ },
#include "arp_counters.def"
#undef X
};
_Static_assert(STRATA_COUNT(arp_counters) == ARP_COUNTERS, "one definition a counter");

static const struct strata_drop_def arp_drops[] = {
#define X STRATA_DROP_DEF
#include "arp_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(arp_drops) == ARP_DROPS, "one definition a reason");

static const struct strata_address_ops arp_address = STRATA_INET4_ADDRESS_OPS;

static const struct strata_network_ops arp_network = {
	.address = &arp_address,
	.input = arp_input,
	.resolves = STRATA_INET4_FAMILY,
	.resolve = arp_resolve,
	.address_event = arp_address_event,
	.iface_event = arp_iface_event,
	.sockopt_level = -1,
};

STRATA_MODULE(arp) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_NETWORK,
	.number = 0x0806,
	.name = "arp",
	.version = "1.0",
	.summary = "Address Resolution Protocol for IPv4 over Ethernet",
	.config_size = sizeof(struct arp_config),
	.options = arp_options,
	.option_count = STRATA_COUNT(arp_options),
	.counters = arp_counters,
	.counter_count = ARP_COUNTERS,
	.drops = arp_drops,
	.drop_count = ARP_DROPS,
	.start = arp_start,
	.stop = arp_stop,
	.network = &arp_network,
};
