/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces: their table, how one is made, opened, closed and destroyed. The way of a frame through one
 * is in iface_io.c.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include "gro.h"
#include "shard.h"
#include "sniff.h"
#include "trace.h"

/* Local choice: MTU where neither manifest nor driver says one, RFC 894's. */
#define MTU_FALLBACK 1500
/* Interfaces a table begins with; it doubles. */
#define SLOTS_FIRST 8

/* ---- the table ---- */

int iface_init(struct kernel *k)
{
	k->ifaces = strata_alloc(&k->pub, sizeof(*k->ifaces));
	return k->ifaces == NULL ? -ENOMEM : 0;
}

void iface_fini(struct kernel *k)
{
	struct iface_table *t = k->ifaces;
	uint32_t i;

	if (t == NULL)
		return;
	for (i = t->used; i > 0; i--)
		if (t->slots[i - 1] != NULL)
			iface_destroy(&t->slots[i - 1]->pub);
	strata_free(&k->pub, t->flat);
	strata_free(&k->pub, t->slots);
	strata_free(&k->pub, t);
	k->ifaces = NULL;
}

/* Makes room for one more. Returns 0 or -ENOMEM. */
static int table_reserve(struct kernel *k)
{
	struct iface_table *t = k->ifaces;
	struct iface **slots;
	uint32_t room;

	if (t->used < t->room)
		return 0;
	room = t->room == 0 ? SLOTS_FIRST : t->room * 2;
	slots = strata_alloc(&k->pub, room * sizeof(*slots));
	if (slots == NULL)
		return -ENOMEM;
	if (t->used != 0)
		memcpy(slots, t->slots, t->used * sizeof(*slots));
	strata_free(&k->pub, t->slots);
	t->slots = slots;
	t->room = room;
	return 0;
}

struct strata_iface *strata_iface_by_index(struct strata_stack *stack, uint32_t index)
{
	const struct iface_table *t = kernel_of(stack)->ifaces;

	if (t == NULL || index == 0 || index > t->used || t->slots[index - 1] == NULL)
		return NULL;
	return &t->slots[index - 1]->pub;
}

struct strata_iface *strata_iface_next(struct strata_stack *stack, const struct strata_iface *iface)
{
	const struct iface_table *t = kernel_of(stack)->ifaces;
	uint32_t i;

	if (t == NULL)
		return NULL;
	for (i = iface == NULL ? 0 : iface->index; i < t->used; i++)
		if (t->slots[i] != NULL)
			return &t->slots[i]->pub;
	return NULL;
}

struct strata_iface *strata_iface_by_name(struct strata_stack *stack, const char *name)
{
	struct strata_iface *iface;

	for (iface = strata_iface_next(stack, NULL); iface != NULL;
	     iface = strata_iface_next(stack, iface))
		if (strcmp(iface->name, name) == 0)
			return iface;
	return NULL;
}

struct strata_iface *iface_first_with(struct kernel *k, uint32_t flags)
{
	struct strata_iface *iface;

	for (iface = strata_iface_next(&k->pub, NULL); iface != NULL;
	     iface = strata_iface_next(&k->pub, iface))
		if (iface_usable(iface) && (iface->flags & flags) == flags)
			return iface;
	return NULL;
}

/* Whose packets an interface's counters are as well: its driver's, and its framing's unless the frames go
 * on to an interface above. */
static bool counts_for(const struct strata_iface *iface, const struct strata_instance *instance)
{
	return iface->driver == instance ||
	       (iface->framing == instance && iface_of(iface)->upper == NULL);
}

void iface_link_packets(struct kernel *k, const struct strata_instance *link, uint64_t *rx,
			uint64_t *tx)
{
	const struct strata_iface *iface;

	*rx = link->rx_packets;
	*tx = link->tx_packets;
	for (iface = strata_iface_next(&k->pub, NULL); iface != NULL;
	     iface = strata_iface_next(&k->pub, iface)) {
		if (!counts_for(iface, link))
			continue;
		*rx += iface->counters.rx_packets;
		*tx += iface->counters.tx_packets;
	}
}

/* The instance keeps what the interface has counted for it, which from here on is not added to it. */
static void keep_packets(struct strata_instance *link, const struct strata_iface *iface)
{
	link->rx_packets += iface->counters.rx_packets;
	link->tx_packets += iface->counters.tx_packets;
}

/* The other way round: from here on all that the interface has counted is added again. It may leave less
 * than nothing here for a while; the sum is right, modulo 2^64 as all counters are. */
static void unkeep_packets(struct strata_instance *link, const struct strata_iface *iface)
{
	link->rx_packets -= iface->counters.rx_packets;
	link->tx_packets -= iface->counters.tx_packets;
}

void iface_mark(struct iface *iface)
{
	const bool watched = (iface->pub.flags & STRATA_IFACE_SNIFFED) != 0 ||
			     strata_tracing(iface->pub.stack);

	iface->pub.apart = (uint8_t)((iface->opened ? 0 : IFACE_CLOSED) |
				     (iface->upper != NULL ? IFACE_CARRIES : 0) |
				     (watched ? IFACE_WATCHED : 0));
}

void iface_set_upper(struct iface *iface, struct iface *upper)
{
	iface->upper = upper;
	iface_mark(iface);
}

/* ---- making one ---- */

static int check_name(struct kernel *k, const char *name, struct strata_error *error)
{
	const char *c;

	if (name == NULL || name[0] == '\0' || strlen(name) >= IFNAMSIZ) {
		strata_error_add(error, "interface \"%s\": expected a name of 1 to %d characters, "
				 "found %zu", name == NULL ? "" : name, IFNAMSIZ - 1,
				 name == NULL ? 0 : strlen(name));
		return -EINVAL;
	}
	for (c = name; *c != '\0'; c++) {
		if (*c == '/' || *c == ':' || !isgraph((unsigned char)*c)) {
			strata_error_add(error, "interface \"%s\": expected a name of printable "
					 "characters other than space, / and :, found byte 0x%02x", name,
					 (unsigned int)(unsigned char)*c);
			return -EINVAL;
		}
	}
	if (strata_iface_by_name(&k->pub, name) != NULL) {
		strata_error_add(error, "interface \"%s\": expected a name of its own, found "
				 "another interface that has it", name);
		return -EEXIST;
	}
	return 0;
}

/* Finds what the interface stands on, if anything. Returns 0 or -errno with a sentence. */
static int find_lower(struct kernel *k, struct strata_iface *iface, struct strata_error *error)
{
	const struct strata_link_ops *ops = driver_ops(iface);
	const char *name = ops->lower != NULL ? ops->lower(iface->config) : NULL;
	struct strata_iface *lower;

	if (name == NULL)
		return 0;
	lower = strata_iface_by_name(&k->pub, name);
	if (lower == NULL) {
		strata_error_add(error, "interface \"%s\": stands on \"%s\": expected an interface that "
				 "is defined above it, found none of that name", iface->name, name);
		return -ENOENT;
	}
	if (iface_of(lower)->upper != NULL) {
		strata_error_add(error, "interface \"%s\": stands on \"%s\": expected an interface that "
				 "carries no other, found it to carry \"%s\"", iface->name, name,
				 iface_of(lower)->upper->pub.name);
		return -EBUSY;
	}
	iface->lower = lower;
	return 0;
}

static int find_framing(struct kernel *k, struct strata_iface *iface, struct strata_error *error)
{
	const struct strata_link_ops *ops = driver_ops(iface);
	const char *name = ops->choose_framing != NULL ? ops->choose_framing(iface->config)
						       : ops->framing;

	if (iface->lower != NULL) {
		iface->framing = iface->lower->framing;
		iface->header_size = iface->lower->header_size;
		return 0;
	}
	if (name == NULL)
		return 0;
	iface->framing = strata_instance_by_name(&k->pub, STRATA_LINK, name);
	if (iface->framing == NULL) {
		strata_error_add(error, "interface \"%s\": driver \"%s\" needs the link module \"%s\" "
				 "to frame its packets, found none; add `- name: %s` to modules",
				 iface->name, iface->driver->name, name, name);
		return -ENOENT;
	}
	if (framing_ops(iface)->input == NULL || framing_ops(iface)->encapsulate == NULL) {
		strata_error_add(error, "interface \"%s\": driver \"%s\" needs the link module \"%s\" "
				 "to frame its packets, found one that frames nothing", iface->name,
				 iface->driver->name, name);
		return -EINVAL;
	}
	iface->header_size = framing_ops(iface)->header_size;
	return 0;
}

int iface_check_mtu(struct kernel *k, const struct strata_iface *iface, uint32_t *mtu,
		    struct strata_error *error)
{
	const struct strata_link_ops *ops = driver_ops(iface);
	const struct strata_instance *net;
	uint32_t most = ops->mtu_max != 0 && ops->mtu_max < STRATA_PKT_MAX ? ops->mtu_max
									   : STRATA_PKT_MAX;
	int result = 0;

	if (iface->lower != NULL && iface->lower->mtu < most)
		most = iface->lower->mtu;
	if (*mtu == 0 && iface->lower != NULL)
		*mtu = iface->lower->mtu;
	if (*mtu == 0)
		*mtu = ops->mtu_default != 0 ? ops->mtu_default : MTU_FALLBACK;
	if (*mtu < ops->mtu_min || *mtu > most) {
		strata_error_add(error, "interface \"%s\": mtu: expected %u to %u (driver \"%s\"), "
				 "found %u", iface->name, ops->mtu_min, most, iface->driver->name,
				 *mtu);
		result = -EINVAL;
	}
	for (net = registry_next(k, STRATA_NETWORK, NULL); net != NULL;
	     net = registry_next(k, STRATA_NETWORK, net)) {
		if (*mtu >= net->module->network->mtu_min)
			continue;
		strata_error_add(error, "interface \"%s\": mtu: expected at least %u (network module "
				 "\"%s\"), found %u", iface->name, net->module->network->mtu_min,
				 net->name, *mtu);
		result = -EINVAL;
	}
	return result;
}

static int set_lladdr(struct strata_iface *iface, const char *mac, struct strata_error *error)
{
	const struct strata_link_ops *ops = framing_ops(iface);

	if (mac == NULL && iface->lower != NULL) {
		iface->lladdr = iface->lower->lladdr;
		return 0;
	}
	if (mac == NULL) {
		if (!shard_lladdr(kernel_of(iface->stack), iface->name, &iface->lladdr) && ops != NULL &&
		    ops->address_random != NULL)
			ops->address_random(iface->stack, &iface->lladdr);
		return 0;
	}
	if (ops == NULL || ops->address_parse == NULL) {
		strata_error_add(error, "interface \"%s\": mac: expected none, since driver \"%s\" has "
				 "no link addresses, found %s; leave it out", iface->name,
				 iface->driver->name, mac);
		return -EINVAL;
	}
	if (ops->address_parse(mac, &iface->lladdr) < 0) {
		strata_error_add(error, "interface \"%s\": mac: expected a unicast address as \"%s\" "
				 "writes them, such as 02:00:00:00:00:02, found %s", iface->name,
				 iface->framing->name, mac);
		return -EINVAL;
	}
	return 0;
}

/* Everything that can be said against the interface before a device is touched, all at once. */
static int check_all(struct kernel *k, struct strata_iface *iface, const char *mac,
		     struct strata_error *error)
{
	int lower = find_lower(k, iface, error);
	int framing = lower == 0 ? find_framing(k, iface, error) : lower;
	int mtu = iface_check_mtu(k, iface, &iface->mtu, error);
	int result = framing != 0 ? framing : mtu;

	if (framing == 0) {
		int lladdr = set_lladdr(iface, mac, error);
		if (result == 0)
			result = lladdr;
	}
	if (driver_ops(iface)->validate != NULL) {
		int options = driver_ops(iface)->validate(iface, error);
		if (result == 0)
			result = options;
	}
	return result;
}

int iface_create(struct kernel *k, const struct iface_spec *spec, struct strata_iface **out,
		 struct strata_error *error)
{
	struct iface_table *t = k->ifaces;
	struct iface *iface;
	int result = check_name(k, spec->name, error);
	unsigned int i;

	if (result < 0)
		return result;
	if (spec->driver->module->link == NULL || spec->driver->module->link->open == NULL) {
		strata_error_add(error, "interface \"%s\": driver: expected a link module that drives "
				 "a device, found \"%s\", which does not", spec->name,
				 spec->driver->name);
		return -EINVAL;
	}
	iface = strata_alloc(&k->pub, sizeof(*iface));
	if (iface == NULL || table_reserve(k) < 0) {
		strata_error_add(error, "interface \"%s\": out of memory", spec->name);
		strata_free(&k->pub, iface);
		return -ENOMEM;
	}
	snprintf(iface->pub.name, sizeof(iface->pub.name), "%s", spec->name);
	iface->pub.stack = &k->pub;
	iface->pub.driver = spec->driver;
	iface->pub.mtu = spec->mtu;
	iface->pub.config = spec->config;
	iface->loop_work.run = iface_loop_run;
	for (i = 0; i < NEIGH_PLACES; i++)
		TAILQ_INIT(&iface->neighs[i]);
	result = check_all(k, &iface->pub, spec->mac, error);
	if (result < 0) {
		strata_free(&k->pub, iface);
		return result;
	}
	t->slots[t->used++] = iface;
	iface->pub.index = t->used;
	if (iface->pub.lower != NULL) {
		if (iface->pub.lower->framing != NULL)
			keep_packets(iface->pub.lower->framing, iface->pub.lower);
		iface_set_upper(iface_of(iface->pub.lower), iface);
	}
	sniff_update(iface);
	strata_generation_bump(&k->pub);
	*out = &iface->pub;
	return 0;
}

/* ---- opening and closing ---- */

static void set_running(struct kernel *k, struct strata_iface *iface, bool running)
{
	struct strata_instance *net;

	if (running)
		iface->flags |= STRATA_IFACE_RUNNING;
	else
		iface->flags &= ~(uint32_t)STRATA_IFACE_RUNNING;
	strata_generation_bump(&k->pub);
	strata_log(&k->pub, NULL, STRATA_LOG_INFO, "interface %s: %s", iface->name,
		   running ? "running" : "not running");
	if (!running && k->neighs != NULL)
		neigh_iface_down(k, iface);
	for (net = network_next(k, NULL); net != NULL; net = network_next(k, net))
		if (net->module->network->iface_event != NULL)
			net->module->network->iface_event(net, iface, running);
	if (iface_of(iface)->upper != NULL && iface_of(iface)->upper->opened)
		strata_iface_set_running(&iface_of(iface)->upper->pub, running);
}

void strata_iface_set_running(struct strata_iface *iface, bool running)
{
	struct kernel *k = kernel_of(iface->stack);
	const bool is = (iface->flags & STRATA_IFACE_RUNNING) != 0;

	if (running == is)
		return;
	kernel_enter(k);
	if (iface_of(iface)->opened) {
		set_running(k, iface, running);
	} else if (running) {
		/* From within the driver's open: iface_open() tells everyone once that is done. */
		iface->flags |= STRATA_IFACE_RUNNING;
	}
	kernel_leave(k);
}

int iface_open(struct strata_iface *iface, struct strata_error *error)
{
	struct kernel *k = kernel_of(iface->stack);
	bool running;
	int result;

	if (iface_of(iface)->opened)
		return 0;
	if (iface->lower != NULL && !iface_of(iface->lower)->opened) {
		strata_error_add(error, "interface %s stands on %s, which is down", iface->name,
				 iface->lower->name);
		return -ENETDOWN;
	}
	iface->flags = STRATA_IFACE_UP;
	if (iface_of(iface)->upper != NULL)
		iface->flags |= STRATA_IFACE_CARRIES;
	sniff_update(iface_of(iface));
	result = driver_ops(iface)->open(iface, error);
	if (result < 0) {
		iface->flags = 0;
		return result;
	}
	iface_of(iface)->opened = true;
	iface_mark(iface_of(iface));
	if (!(iface->caps & STRATA_CAP_RX_SUPER) && !(iface->flags & STRATA_IFACE_LOOPBACK))
		iface->flags |= STRATA_IFACE_GRO;
	k->polled += driver_ops(iface)->poll != NULL;
	if (iface->framing == NULL)
		iface->flags |= STRATA_IFACE_NO_NEIGHBOUR;
	running = (iface->flags & STRATA_IFACE_RUNNING) != 0 &&
		  (iface->lower == NULL || iface_usable(iface->lower));
	iface->flags &= ~(uint32_t)STRATA_IFACE_RUNNING;
	strata_generation_bump(&k->pub);
	if (running)
		set_running(k, iface, true);
	return 0;
}

static void undirty(struct kernel *k, struct iface *iface)
{
	struct iface **link = &k->dirty;

	if (!iface->dirty)
		return;
	while (*link != iface)
		link = &(*link)->dirty_next;
	*link = iface->dirty_next;
	iface->dirty = false;
	driver_ops(&iface->pub)->flush(&iface->pub);
}

void iface_close(struct strata_iface *iface)
{
	struct kernel *k = kernel_of(iface->stack);
	struct iface *inner = iface_of(iface);

	if (!inner->opened)
		return;
	if (inner->upper != NULL)
		iface_close(&inner->upper->pub);
	if (iface->flags & STRATA_IFACE_RUNNING)
		set_running(k, iface, false);
	undirty(k, inner);
	if (driver_ops(iface)->close != NULL)
		driver_ops(iface)->close(iface);
	k->polled -= driver_ops(iface)->poll != NULL;
	inner->opened = false;
	iface_mark(inner);
	strata_iface_wake(iface);
	iface->flags = 0;
	strata_work_cancel(&k->pub, &inner->loop_work);
	strata_pkt_queue_purge(&inner->looped);
	gro_iface_closed(k, iface);
	strata_generation_bump(&k->pub);
}

void iface_destroy(struct strata_iface *iface)
{
	struct kernel *k = kernel_of(iface->stack);

	/* While it still runs, so that what ends with it can be told to the network. */
	if (k->sockets != NULL)
		socket_iface_gone(k, iface, ENETDOWN);
	addr_iface_removed(k, iface);
	group_iface_removed(k, iface);
	iface_close(iface);
	sniff_iface_removed(k, iface);
	if (k->routes != NULL)
		route_iface_removed(k, iface);
	if (k->neighs != NULL)
		neigh_iface_removed(k, iface);
	if (iface_of(iface)->upper != NULL)
		iface_of(iface)->upper->pub.lower = NULL;
	if (iface->lower != NULL) {
		iface_set_upper(iface_of(iface->lower), NULL);
		if (iface->lower->framing != NULL)
			unkeep_packets(iface->lower->framing, iface->lower);
	}
	keep_packets(iface->driver, iface);
	if (iface->framing != NULL && iface->framing != iface->driver &&
	    iface_of(iface)->upper == NULL)
		keep_packets(iface->framing, iface);
	k->ifaces->slots[iface->index - 1] = NULL;
	strata_generation_bump(&k->pub);
	strata_free(&k->pub, iface->config);
	strata_free(&k->pub, iface_of(iface));
}
