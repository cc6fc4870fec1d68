/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interfaces: their life, and the way of a frame between a driver and the network modules. Reads and
 * writes no header; framing, segmentation and checksums are others' work called in the right order.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include "gro.h"
#include "shard.h"
#include "sniff.h"
#include "trace.h"

/* Local choice: packets looped on one interface in one batch. More is a loop that feeds itself. */
#define LOOP_LIMIT 1024
/* Local choice: MTU where neither manifest nor driver says one, RFC 894's. */
#define MTU_FALLBACK 1500
/* A frame as the embedder sees it, in one piece: the largest packet and the longest link header. */
#define FLAT_SIZE (STRATA_PKT_MAX + STRATA_HEADROOM)
/* Interfaces a table begins with; it doubles. */
#define SLOTS_FIRST 8

struct iface_table {
	struct iface **slots;		/* by index - 1; NULL: gone. An index is never used again */
	uint32_t room, used;
	struct iface *dirty;		/* whose drivers want a flush */
	uint8_t *flat;			/* FLAT_SIZE bytes for frames in pieces; made at the first */
};

/* What a packet in the loop queue keeps in its control bytes. */
struct loop_cb {
	bool network;			/* begins at the network header: the framing is passed by */
};
_Static_assert(sizeof(struct loop_cb) <= STRATA_PKT_CB, "loop_cb fits a packet");

static const struct strata_link_ops *driver_ops(const struct strata_iface *iface)
{
	return iface->driver->module->link;
}

static const struct strata_link_ops *framing_ops(const struct strata_iface *iface)
{
	return iface->framing != NULL ? iface->framing->module->link : NULL;
}

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

/* ---- what is sent back ---- */

struct strata_pkt *iface_pkt_own(struct kernel *k, struct strata_pkt *pkt)
{
	struct strata_pkt *copy;

	if (strata_likely(pkt->refs == 1))
		return pkt;
	copy = strata_pkt_copy(pkt, strata_pkt_headroom(pkt));
	if (copy == NULL) {
		strata_drop(&k->self, pkt, KERNEL_DROP_NO_MEMORY);
		return NULL;
	}
	strata_pkt_free(pkt);
	return copy;
}

static void loop_run(struct strata_stack *stack, struct strata_work *work)
{
	struct iface *inner = strata_container_of(work, struct iface, loop_work);
	struct strata_pkt_queue batch = inner->looped;
	struct strata_pkt *pkt;

	(void)stack;
	memset(&inner->looped, 0, sizeof(inner->looped));
	while ((pkt = strata_pkt_dequeue(&batch)) != NULL) {
		const bool network = ((struct loop_cb *)(void *)pkt->cb)->network;
		memset(pkt->cb, 0, sizeof(pkt->cb));
		pkt->iface = &inner->pub;
		if (network)
			strata_network_input(&inner->pub, pkt, pkt->family);
		else
			strata_iface_input(&inner->pub, pkt);
	}
}

/* What the way out wrote into the packet and the way in must find unset. The checksum state stays:
 * PARTIAL is as good as verified. */
static void forget_way_out(struct strata_pkt *pkt)
{
	pkt->link_offset = 0;
	pkt->network_offset = 0;
	pkt->transport_offset = 0;
	pkt->flags = STRATA_PKT_LOOPED;
	pkt->nesting = 0;
	pkt->time = 0;
	memset(pkt->cb, 0, sizeof(pkt->cb));
	memset(&pkt->src, 0, sizeof(pkt->src));
	memset(&pkt->dst, 0, sizeof(pkt->dst));
}

static int loop_enqueue(struct strata_iface *iface, struct strata_pkt *pkt, bool network)
{
	struct kernel *k = kernel_of(iface->stack);
	struct iface *inner = iface_of(iface);

	if (inner->looped.count >= LOOP_LIMIT)
		return strata_drop_errno(&k->self, pkt, KERNEL_DROP_LOOP_QUEUE_FULL, -ENOBUFS);
	pkt = iface_pkt_own(k, pkt);
	if (pkt == NULL)
		return -ENOBUFS;
	forget_way_out(pkt);
	pkt->iface = iface;
	((struct loop_cb *)(void *)pkt->cb)->network = network;
	strata_pkt_enqueue(&inner->looped, pkt);
	strata_work_add(&k->pub, &inner->loop_work);
	return 0;
}

void strata_iface_enqueue_loop(struct strata_iface *iface, struct strata_pkt *pkt)
{
	loop_enqueue(iface, pkt, false);
}

int iface_loop_network(struct strata_iface *iface, struct strata_pkt *pkt, uint16_t number)
{
	struct kernel *k = kernel_of(iface->stack);

	pkt = iface_pkt_own(k, pkt);
	if (pkt == NULL)
		return -ENOBUFS;
	strata_trace(&k->self, pkt, "looped on %s", iface->name);
	pkt->family = number;
	return loop_enqueue(iface, pkt, true);
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
	iface->loop_work.run = loop_run;
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
		iface_of(iface->pub.lower)->upper = iface;
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
	result = driver_ops(iface)->open(iface, error);
	if (result < 0) {
		iface->flags = 0;
		return result;
	}
	iface_of(iface)->opened = true;
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
	struct iface **link = &k->ifaces->dirty;

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
		iface_of(iface->lower)->upper = NULL;
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

/* ---- a device that takes no more ---- */

void strata_iface_stop(struct strata_iface *iface)
{
	struct iface *upper;

	for (; iface != NULL; iface = upper != NULL ? &upper->pub : NULL) {
		upper = iface_of(iface)->upper;
		iface->flags |= STRATA_IFACE_STOPPED;
	}
}

bool strata_iface_wait_slow(struct strata_iface *iface, struct strata_work *work)
{
	struct iface *inner = iface_of(iface);

	strata_work_cancel(iface->stack, work);
	work->next = inner->waiting;
	work->link = &inner->waiting;
	if (work->next != NULL)
		work->next->link = &work->next;
	inner->waiting = work;
	return true;
}

/* Queues what waits, the first first. */
static void wake_all(struct iface *inner)
{
	struct strata_work *work, *first = NULL;

	while ((work = inner->waiting) != NULL) {
		strata_work_cancel(inner->pub.stack, work);
		work->next = first;
		first = work;
	}
	while ((work = first) != NULL) {
		first = work->next;
		strata_work_add(inner->pub.stack, work);
	}
}

void strata_iface_wake(struct strata_iface *iface)
{
	struct iface *upper;

	for (; iface != NULL; iface = upper != NULL ? &upper->pub : NULL) {
		upper = iface_of(iface)->upper;
		if ((iface->flags & STRATA_IFACE_STOPPED) == 0)
			continue;
		iface->flags &= ~(uint32_t)STRATA_IFACE_STOPPED;
		wake_all(iface_of(iface));
	}
}

/* ---- input ---- */

static void sniff(struct strata_iface *iface, struct strata_pkt *pkt, bool out)
{
	if (strata_unlikely(iface_of(iface)->sniffed))
		sniff_frame(iface, pkt, out);
}

/* Gives a frame to the interface that stands on this one. Consumes. */
static enum strata_verdict carry(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct iface *upper = iface_of(iface)->upper;

	if (!upper->opened) {
		iface->counters.rx_dropped++;
		return strata_drop(&kernel_of(iface->stack)->self, pkt, KERNEL_DROP_IFACE_DOWN);
	}
	driver_ops(&upper->pub)->lower_input(&upper->pub, pkt);
	return STRATA_ACCEPTED;
}

/* To the framing, or past it. Consumes. Called from two places, of which one is on every packet's way. */
static inline __attribute__((always_inline)) enum strata_verdict walk_up(struct strata_iface *iface,
									 struct strata_pkt *pkt)
{
	const struct strata_link_ops *framing = framing_ops(iface);
	enum strata_verdict verdict;

	if (strata_unlikely(iface_of(iface)->upper != NULL))
		return carry(iface, pkt);
	if (framing != NULL)
		verdict = framing->input(iface->framing, iface, pkt);
	else
		verdict = strata_network_input(iface, pkt, pkt->family);
	if (verdict == STRATA_DROPPED)
		iface->counters.rx_dropped++;
	return verdict;
}

/* The same while somebody listens: what happens on the packet's way up, it caused. */
static __attribute__((cold, noinline)) enum strata_verdict walk_up_told(struct strata_iface *iface,
									struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(iface->stack);
	enum strata_verdict verdict;
	uint32_t before;

	trace_frame(k, pkt, "in on");
	before = trace_cause(k, pkt->trace_id);
	verdict = walk_up(iface, pkt);
	trace_cause(k, before);
	return verdict;
}

enum strata_verdict strata_iface_input(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(iface->stack);

	pkt->iface = iface;
	if (pkt->time == 0)
		pkt->time = strata_now(&k->pub);
	if (strata_unlikely(!iface_of(iface)->opened)) {
		iface->counters.rx_dropped++;
		return strata_drop(&k->self, pkt, KERNEL_DROP_IFACE_DOWN);
	}
	iface->counters.rx_packets += segment_count(pkt);
	iface->counters.rx_bytes += strata_pkt_length(pkt);
	sniff(iface, pkt, false);
	if (strata_tracing(&k->pub))
		return walk_up_told(iface, pkt);
	return walk_up(iface, pkt);
}

/* ---- output ---- */

static int output_drop(struct strata_iface *iface, struct strata_pkt *pkt, enum kernel_drop reason,
		       int result)
{
	iface->counters.tx_dropped++;
	return strata_drop_errno(&kernel_of(iface->stack)->self, pkt, reason, result);
}

/* True where the driver cuts the framed packet itself. */
static bool driver_cuts(const struct strata_iface *iface, const struct strata_pkt *pkt)
{
	const struct strata_link_ops *ops = driver_ops(iface);
	const uint32_t cap = pkt->seg_type == STRATA_SEG_STREAM ? STRATA_CAP_SEG_STREAM
								: STRATA_CAP_SEG_DATAGRAM;

	return (iface->caps & cap) != 0 && (ops->cuts == NULL || ops->cuts(iface, pkt));
}

/* Writes the link header, in a packet of our own with room for it. Consumes, when it returns NULL. */
static struct strata_pkt *frame(struct strata_iface *iface, struct strata_pkt *pkt, uint16_t number,
				const struct strata_lladdr *dst, int *result)
{
	const struct strata_link_ops *ops = framing_ops(iface);

	if (pkt->refs != 1 || strata_pkt_headroom(pkt) < iface->header_size) {
		struct strata_pkt *copy = strata_pkt_copy(pkt, STRATA_HEADROOM);
		if (copy == NULL) {
			*result = output_drop(iface, pkt, KERNEL_DROP_NO_MEMORY, -ENOBUFS);
			return NULL;
		}
		strata_pkt_free(pkt);
		pkt = copy;
	}
	pkt->iface = iface;
	pkt->family = number;
	pkt->flags |= STRATA_PKT_TX;
	if (ops == NULL)
		return pkt;
	*result = ops->encapsulate(iface->framing, iface, pkt, number, dst);
	if (*result < 0) {
		output_drop(iface, pkt, KERNEL_DROP_ENCAPSULATE, *result);
		return NULL;
	}
	pkt->link_offset = (uint16_t)strata_pkt_headroom(pkt);
	return pkt;
}

/* Gives one frame to the driver in the shape it takes. Consumes. */
static int transmit(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(iface->stack);
	const struct strata_link_ops *ops = driver_ops(iface);
	struct iface *inner = iface_of(iface);

	if (pkt->csum == STRATA_CSUM_PARTIAL && !(iface->caps & STRATA_CAP_TX_CSUM))
		strata_pkt_csum_complete(pkt);
	if (pkt->frag_count != 0 && !(iface->caps & STRATA_CAP_FRAGS) &&
	    strata_pkt_header(pkt, strata_pkt_length(pkt)) == NULL)
		return output_drop(iface, pkt, KERNEL_DROP_NO_MEMORY, -ENOBUFS);
	sniff(iface, pkt, true);
	if (strata_tracing(&k->pub))
		trace_frame(k, pkt, "out on");
	iface->counters.tx_packets += segment_count(pkt);
	iface->counters.tx_bytes += strata_pkt_length(pkt);
	if (ops->flush != NULL && !inner->dirty) {
		inner->dirty = true;
		inner->dirty_next = k->ifaces->dirty;
		k->ifaces->dirty = inner;
	}
	if (strata_unlikely(pkt->stamp != 0))
		socket_stamp_leaves(k, pkt);
	ops->xmit(iface, pkt);
	return 0;
}

static int transmit_cut(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct strata_pkt_queue segments = { 0 };
	struct strata_pkt *segment;
	int result = segment_enqueue(iface, pkt, &segments);

	if (result < 0) {
		iface->counters.tx_dropped++;
		return result;
	}
	while ((segment = strata_pkt_dequeue(&segments)) != NULL) {
		int sent = transmit(iface, segment);
		if (result == 0)
			result = sent;
	}
	return result;
}

int iface_output(struct strata_iface *iface, struct strata_pkt *pkt, uint16_t number,
		 const struct strata_lladdr *dst)
{
	int result = 0;

	if (strata_unlikely(!iface_usable(iface)))
		return output_drop(iface, pkt, KERNEL_DROP_IFACE_DOWN, -ENETDOWN);
	if (strata_unlikely(strata_pkt_length(pkt) > iface->mtu && pkt->seg_type == STRATA_SEG_NONE))
		return output_drop(iface, pkt, KERNEL_DROP_TOO_BIG, -EMSGSIZE);
	pkt = frame(iface, pkt, number, dst, &result);
	if (pkt == NULL)
		return result;
	if (pkt->seg_type != STRATA_SEG_NONE && !driver_cuts(iface, pkt))
		return transmit_cut(iface, pkt);
	return transmit(iface, pkt);
}

int strata_iface_output(struct strata_iface *iface, struct strata_pkt *pkt, uint16_t number,
			const struct strata_lladdr *dst)
{
	struct strata_instance *net = registry_network(kernel_of(iface->stack), number);

	if (net != NULL)
		net->tx_packets += segment_count(pkt);
	return iface_output(iface, pkt, number, dst);
}

void strata_iface_xmit(struct strata_iface *lower, struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(lower->stack);

	if (!iface_usable(lower)) {
		output_drop(lower, pkt, KERNEL_DROP_IFACE_DOWN, -ENETDOWN);
		return;
	}
	pkt = iface_pkt_own(k, pkt);
	if (pkt == NULL)
		return;
	pkt->iface = lower;
	if (pkt->seg_type != STRATA_SEG_NONE && !driver_cuts(lower, pkt))
		transmit_cut(lower, pkt);
	else
		transmit(lower, pkt);
}

bool iface_flush(struct kernel *k)
{
	struct iface *iface;
	bool any = false;

	while (k->ifaces != NULL && (iface = k->ifaces->dirty) != NULL) {
		k->ifaces->dirty = iface->dirty_next;
		iface->dirty = false;
		any = true;
		driver_ops(&iface->pub)->flush(&iface->pub);
	}
	return any;
}

unsigned int iface_poll(struct kernel *k)
{
	unsigned int frames = 0;

	/* By index: what a frame leads to may close interfaces. */
	for (uint32_t i = 0; i < k->ifaces->used; i++) {
		struct iface *iface = k->ifaces->slots[i];
		if (iface != NULL && iface->opened && driver_ops(&iface->pub)->poll != NULL)
			frames += driver_ops(&iface->pub)->poll(&iface->pub);
	}
	return frames;
}

struct strata_lladdr strata_iface_broadcast(const struct strata_iface *iface)
{
	const struct strata_link_ops *ops = framing_ops(iface);
	struct strata_lladdr lladdr = { 0 };

	if (ops != NULL && ops->address_broadcast != NULL)
		ops->address_broadcast(&lladdr);
	return lladdr;
}

/* ---- for embedders ---- */

void strata_iface_set_output(struct strata_iface *iface, strata_output_fn *fn, void *ctx)
{
	iface_of(iface)->output = fn;
	iface_of(iface)->output_offload = NULL;
	iface_of(iface)->output_ctx = ctx;
}

void strata_iface_set_output_offload(struct strata_iface *iface, strata_output_offload_fn *fn,
				     void *ctx)
{
	strata_iface_set_output(iface, NULL, ctx);
	iface_of(iface)->output_offload = fn;
}

static void call_output(struct iface *inner, const struct strata_pkt *pkt, const void *frame,
			size_t length)
{
	struct strata_offload offload = {
		.csum = pkt->csum, .seg_type = pkt->seg_type, .seg_size = pkt->seg_size,
	};

	if (inner->output_offload == NULL) {
		inner->output(inner->output_ctx, &inner->pub, frame, length);
		return;
	}
	if (pkt->csum == STRATA_CSUM_PARTIAL) {
		offload.csum_start = (uint16_t)(pkt->csum_start - strata_pkt_headroom(pkt));
		offload.csum_offset = pkt->csum_offset;
	}
	inner->output_offload(inner->output_ctx, &inner->pub, frame, length, &offload);
}

/* Calls the embedder with a frame that is in pieces. Returns false when memory is short. */
static bool deliver_flat(struct strata_iface *iface, const struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(iface->stack);
	struct iface *inner = iface_of(iface);
	/* Taken out of the table for the call: what the callee does may end here again. */
	uint8_t *flat = k->ifaces->flat;
	uint32_t length;

	k->ifaces->flat = NULL;
	if (flat == NULL)
		flat = strata_alloc(&k->pub, FLAT_SIZE);
	if (flat == NULL)
		return false;
	length = strata_pkt_read(pkt, 0, flat, FLAT_SIZE);
	call_output(inner, pkt, flat, length);
	if (k->ifaces->flat == NULL)
		k->ifaces->flat = flat;
	else
		strata_free(&k->pub, flat);
	return true;
}

bool strata_iface_deliver_out(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(iface->stack);
	struct iface *inner = iface_of(iface);

	if (inner->output == NULL && inner->output_offload == NULL) {
		strata_drop(&k->self, pkt, KERNEL_DROP_NO_OUTPUT);
		return false;
	}
	/* Who sees bytes alone must not find a checksum left open. */
	if (inner->output_offload == NULL)
		strata_pkt_csum_complete(pkt);
	if (pkt->frag_count == 0) {
		call_output(inner, pkt, pkt->data, pkt->len);
	} else if (!deliver_flat(iface, pkt)) {
		iface->counters.tx_errors++;
		strata_drop(&k->self, pkt, KERNEL_DROP_NO_MEMORY);
		return true;
	}
	strata_pkt_free(pkt);
	return true;
}
