/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Claims on this host's own addresses: probing before use, announcing, and defending them. Read
 * RFC 5227 sections 2.1 to 2.4 before editing.
 */
#include "arp_int.h"

/* RFC 5227 1.1. */
#define PROBE_WAIT STRATA_SEC
#define PROBE_NUM 3
#define PROBE_MIN STRATA_SEC
#define PROBE_MAX (2 * STRATA_SEC)
#define ANNOUNCE_WAIT (2 * STRATA_SEC)
#define ANNOUNCE_NUM 2
#define ANNOUNCE_INTERVAL (2 * STRATA_SEC)
#define DEFEND_INTERVAL (10 * STRATA_SEC)

/* The interface's address under a claim; NULL when it is gone. */
static struct strata_ifaddr *claim_ifaddr(const struct arp_claim *claim)
{
	struct strata_ifaddr *ifaddr = strata_ifaddr_find(claim->self->stack, &claim->addr);
	return ifaddr != NULL && ifaddr->iface == claim->iface ? ifaddr : NULL;
}

static struct arp_claim *claim_find(struct strata_instance *self, const struct strata_iface *iface,
				    const struct strata_addr *addr)
{
	struct arp_state *state = self->state;
	struct arp_claim *claim;

	for (claim = state->claims; claim != NULL; claim = claim->next)
		if (claim->iface == iface && strata_addr_equal(&claim->addr, addr))
			return claim;
	return NULL;
}

static void claim_send(struct arp_claim *claim, const struct strata_addr *spa,
		       enum arp_counter counter)
{
	struct strata_lladdr broadcast = strata_iface_broadcast(claim->iface);

	if (arp_send(claim->self, claim->iface, ARP_REQUEST, spa, NULL, &claim->addr,
		     &broadcast) == 0)
		strata_count(claim->self, counter, 1);
}

static void claim_after(struct arp_claim *claim, uint64_t delay)
{
	strata_timer_start(claim->self->stack, &claim->timer,
			   strata_now(claim->self->stack) + delay);
}

static void claim_enter(struct arp_claim *claim, enum arp_phase phase, uint64_t delay)
{
	claim->phase = phase;
	claim->sent = 0;
	claim_after(claim, delay);
}

/* RFC 5227 2.1.1: PROBE_NUM probes, spaced at random between PROBE_MIN and PROBE_MAX. */
static void claim_probe(struct arp_claim *claim)
{
	static const uint8_t zeros[STRATA_INET4_LENGTH];
	struct strata_addr any = strata_addr_make(STRATA_INET4_FAMILY, zeros, sizeof(zeros));

	claim_send(claim, &any, ARP_OUT_PROBES);
	if (++claim->sent == PROBE_NUM) {
		claim_enter(claim, ARP_WAIT, ANNOUNCE_WAIT);
		return;
	}
	claim_after(claim, PROBE_MIN + strata_random_below(claim->self->stack,
							   (uint32_t)(PROBE_MAX - PROBE_MIN)));
}

/* RFC 5227 2.3. */
static void claim_announce(struct arp_claim *claim)
{
	claim_send(claim, &claim->addr, ARP_OUT_ANNOUNCEMENTS);
	if (++claim->sent < ANNOUNCE_NUM)
		claim_after(claim, ANNOUNCE_INTERVAL);
	else
		claim->phase = ARP_IDLE;
}

static void claim_fire(struct strata_stack *stack, struct strata_timer *timer)
{
	struct arp_claim *claim = strata_container_of(timer, struct arp_claim, timer);
	struct strata_ifaddr *ifaddr = claim_ifaddr(claim);

	(void)stack;
	if (ifaddr == NULL)
		return;
	switch (claim->phase) {
	case ARP_PROBE:
		claim_probe(claim);
		break;
	case ARP_WAIT:
		strata_log(stack, claim->self, STRATA_LOG_INFO, "%s: nobody else has %s",
			   claim->iface->name, strata_addr_text(stack, &claim->addr));
		claim->phase = ARP_ANNOUNCE;
		claim->sent = 0;
		strata_ifaddr_set_state(ifaddr, STRATA_IFADDR_VALID);
		claim_announce(claim);
		break;
	case ARP_ANNOUNCE:
		claim_announce(claim);
		break;
	case ARP_IDLE:
		break;
	}
}

/* Begins at the beginning: when the address came, or its interface began to run (RFC 5227 2.1). */
static void claim_begin(struct arp_claim *claim)
{
	const struct arp_config *config = claim->self->config;
	struct strata_ifaddr *ifaddr = claim_ifaddr(claim);
	bool running = (claim->iface->flags & STRATA_IFACE_RUNNING) != 0;

	strata_timer_stop(claim->self->stack, &claim->timer);
	claim->phase = ARP_IDLE;
	claim->defended_until = 0;
	if (ifaddr == NULL || !arp_usable(claim->iface))
		return;
	if (config->probe) {
		if (ifaddr->state != STRATA_IFADDR_TENTATIVE)
			strata_ifaddr_set_state(ifaddr, STRATA_IFADDR_TENTATIVE);
		if (running)
			claim_enter(claim, ARP_PROBE, strata_random_below(claim->self->stack,
									  (uint32_t)PROBE_WAIT));
		return;
	}
	/* Several shards have the address; one tells of it. */
	if (config->announce && running && strata_shard(claim->self->stack) == 0)
		claim_enter(claim, ARP_ANNOUNCE, 0);
}

void arp_claim_add(struct strata_instance *self, struct strata_ifaddr *ifaddr)
{
	struct arp_state *state = self->state;
	struct arp_claim *claim;

	if (claim_find(self, ifaddr->iface, &ifaddr->prefix.addr) != NULL)
		return;
	claim = strata_alloc(self->stack, sizeof(*claim));
	if (claim == NULL) {
		/* The address is used all the same, unprobed. */
		strata_log(self->stack, self, STRATA_LOG_WARNING,
			   "%s: no memory to probe and announce %s", ifaddr->iface->name,
			   strata_addr_text(self->stack, &ifaddr->prefix.addr));
		return;
	}
	claim->self = self;
	claim->iface = ifaddr->iface;
	claim->addr = ifaddr->prefix.addr;
	claim->timer.fire = claim_fire;
	claim->next = state->claims;
	state->claims = claim;
	claim_begin(claim);
}

static void claim_free(struct arp_claim *claim)
{
	strata_timer_stop(claim->self->stack, &claim->timer);
	strata_free(claim->self->stack, claim);
}

void arp_claim_remove(struct strata_instance *self, struct strata_iface *iface,
		      const struct strata_addr *addr)
{
	struct arp_state *state = self->state;
	struct arp_claim **link, *claim;

	for (link = &state->claims; (claim = *link) != NULL; link = &claim->next) {
		if (claim->iface != iface || !strata_addr_equal(&claim->addr, addr))
			continue;
		*link = claim->next;
		claim_free(claim);
		return;
	}
}

void arp_claim_remove_all(struct strata_instance *self)
{
	struct arp_state *state = self->state;
	struct arp_claim *claim;

	while ((claim = state->claims) != NULL) {
		struct strata_ifaddr *ifaddr = claim_ifaddr(claim);
		state->claims = claim->next;
		/* Nobody is left to finish the probing: the address is used as without it. */
		if (ifaddr != NULL && ifaddr->state == STRATA_IFADDR_TENTATIVE)
			strata_ifaddr_set_state(ifaddr, STRATA_IFADDR_VALID);
		claim_free(claim);
	}
}

void arp_claim_iface(struct strata_instance *self, struct strata_iface *iface, bool running)
{
	struct arp_state *state = self->state;
	struct arp_claim *claim;

	for (claim = state->claims; claim != NULL; claim = claim->next) {
		if (claim->iface != iface)
			continue;
		if (running) {
			claim_begin(claim);
			continue;
		}
		strata_timer_stop(self->stack, &claim->timer);
		claim->phase = ARP_IDLE;
	}
}

static void claim_lose(struct arp_claim *claim, struct strata_ifaddr *ifaddr,
		       const struct strata_lladdr *by)
{
	struct strata_instance *self = claim->self;

	strata_log(self->stack, self, STRATA_LOG_ERROR,
		   "%s: %s is in use by %s; this host has stopped using it: give one of the two another "
		   "address", claim->iface->name, strata_addr_text(self->stack, &claim->addr),
		   strata_lladdr_text(self->stack, by));
	strata_count(self, ARP_LOST, 1);
	strata_timer_stop(self->stack, &claim->timer);
	claim->phase = ARP_IDLE;
	strata_ifaddr_set_state(ifaddr, STRATA_IFADDR_DUPLICATE);
}

/* RFC 5227 2.4: ongoing conflict detection and defence. */
static void claim_defend(struct arp_claim *claim, struct strata_ifaddr *ifaddr,
			 const struct strata_lladdr *by)
{
	const struct arp_config *config = claim->self->config;
	struct strata_instance *self = claim->self;
	bool recent = strata_now(self->stack) < claim->defended_until;

	if (config->defend == ARP_DEFEND_YIELD || (config->defend == ARP_DEFEND_ONCE && recent)) {
		claim_lose(claim, ifaddr, by);
		return;
	}
	if (recent)
		return;
	claim->defended_until = strata_now(self->stack) + DEFEND_INTERVAL;
	strata_log(self->stack, self, STRATA_LOG_WARNING, "%s: %s also claims %s: defending it",
		   claim->iface->name, strata_lladdr_text(self->stack, by),
		   strata_addr_text(self->stack, &claim->addr));
	claim_send(claim, &claim->addr, ARP_OUT_ANNOUNCEMENTS);
}

bool arp_claim_contested(struct strata_instance *self, struct strata_iface *iface,
			 const struct arp_packet *packet)
{
	struct strata_ifaddr *ifaddr = strata_ifaddr_find(self->stack, &packet->spa);
	struct arp_claim *claim;

	/* RFC 5227 2.1.1: another host's probe for what is being probed here contests it too. */
	if (ifaddr == NULL && packet->operation == ARP_REQUEST && strata_addr_is_any(&packet->spa)) {
		ifaddr = strata_ifaddr_find(self->stack, &packet->tpa);
		if (ifaddr != NULL && ifaddr->state != STRATA_IFADDR_TENTATIVE)
			return false;
	}
	if (ifaddr == NULL || ifaddr->state == STRATA_IFADDR_DUPLICATE)
		return false;
	strata_count(self, ARP_CONFLICTS, 1);
	claim = ifaddr->iface == iface ? claim_find(self, iface, &ifaddr->prefix.addr) : NULL;
	if (claim == NULL)
		return true;
	if (ifaddr->state == STRATA_IFADDR_TENTATIVE)
		claim_lose(claim, ifaddr, &packet->sha);
	else
		claim_defend(claim, ifaddr, &packet->sha);
	return true;
}
