/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multicast groups joined on interfaces, counted by member. What joining means on the wire is the
 * network modules' affair: they hear of the first member and of the last.
 */
#include <errno.h>
#include "iface.h"

/* Local choice: groups of a stack, each counted once however many have joined. */
#define GROUP_LIMIT 1024
#define GROUP_BUCKETS 64

struct group {
	struct group *next;		/* hash chain */
	struct strata_iface *iface;
	struct strata_addr addr;	/* unscoped */
	unsigned int members;
};

struct group_table {
	struct group *buckets[GROUP_BUCKETS];
	unsigned int count;
};

int group_init(struct kernel *k)
{
	k->groups = strata_alloc(&k->pub, sizeof(*k->groups));
	return k->groups == NULL ? -ENOMEM : 0;
}

void group_fini(struct kernel *k)
{
	struct group *group;
	unsigned int i;

	if (k->groups == NULL)
		return;
	for (i = 0; i < GROUP_BUCKETS; i++) {
		while ((group = k->groups->buckets[i]) != NULL) {
			k->groups->buckets[i] = group->next;
			strata_free(&k->pub, group);
		}
	}
	strata_free(&k->pub, k->groups);
	k->groups = NULL;
}

/* The link that points to the entry, or to the NULL at the end of its chain. */
static struct group **find(struct kernel *k, const struct strata_iface *iface,
			   const struct strata_addr *addr)
{
	const struct strata_addr key = addr_unscoped(addr);
	struct group **link = &k->groups->buckets[(addr_hash(&key) + iface->index) % GROUP_BUCKETS];

	while (*link != NULL &&
	       !((*link)->iface == iface && strata_addr_equal(&(*link)->addr, &key)))
		link = &(*link)->next;
	return link;
}

bool group_joined(struct kernel *k, const struct strata_iface *iface, const struct strata_addr *group)
{
	return *find(k, iface, group) != NULL;
}

static void tell(struct kernel *k, const struct group *group, bool joined)
{
	struct strata_instance *net;

	for (net = network_next(k, NULL); net != NULL; net = network_next(k, net))
		if (net->module->network->group_event != NULL)
			net->module->network->group_event(net, group->iface, &group->addr, joined);
}

int strata_group_join(struct strata_iface *iface, const struct strata_addr *addr)
{
	struct kernel *k = kernel_of(iface->stack);
	struct group **link = find(k, iface, addr);
	struct group *group = *link;

	if (group != NULL) {
		group->members++;
		return 0;
	}
	if (addr_class(k, addr) != STRATA_ADDR_MULTICAST)
		return -EINVAL;
	if (k->groups->count >= GROUP_LIMIT) {
		strata_count(&k->self, KERNEL_COUNT_GROUPS_REFUSED, 1);
		return -ENOBUFS;
	}
	group = strata_alloc(&k->pub, sizeof(*group));
	if (group == NULL)
		return -ENOMEM;
	group->iface = iface;
	group->addr = addr_unscoped(addr);
	group->members = 1;
	*link = group;
	k->groups->count++;
	kernel_enter(k);
	tell(k, group, true);
	kernel_leave(k);
	return 0;
}

/* Takes the entry at `link` out and tells of it, in this order: it is no longer joined. */
static void drop_group(struct kernel *k, struct group **link)
{
	struct group *group = *link;

	*link = group->next;
	k->groups->count--;
	tell(k, group, false);
	strata_free(&k->pub, group);
}

int strata_group_leave(struct strata_iface *iface, const struct strata_addr *addr)
{
	struct kernel *k = kernel_of(iface->stack);
	struct group **link = find(k, iface, addr);

	if (*link == NULL)
		return -EADDRNOTAVAIL;
	if (--(*link)->members != 0)
		return 0;
	kernel_enter(k);
	drop_group(k, link);
	kernel_leave(k);
	return 0;
}

void group_iface_removed(struct kernel *k, struct strata_iface *iface)
{
	unsigned int i;

	if (k->groups == NULL)
		return;
	for (i = 0; i < GROUP_BUCKETS; i++) {
		struct group **link = &k->groups->buckets[i];
		while (*link != NULL) {
			if ((*link)->iface == iface)
				drop_group(k, link);
			else
				link = &(*link)->next;
		}
	}
}

void group_replay(struct kernel *k, struct strata_instance *network)
{
	const struct group *group;
	unsigned int i;

	if (network->module->network->group_event == NULL)
		return;
	for (i = 0; i < GROUP_BUCKETS; i++)
		for (group = k->groups->buckets[i]; group != NULL; group = group->next)
			network->module->network->group_event(network, group->iface, &group->addr,
							      true);
}

void strata_inspect_groups(struct strata_stack *stack,
			   void (*each)(void *ctx, const struct strata_group_view *view), void *ctx)
{
	const struct group *group;
	unsigned int i;

	for (i = 0; i < GROUP_BUCKETS; i++) {
		for (group = kernel_of(stack)->groups->buckets[i]; group != NULL;
		     group = group->next) {
			const struct strata_group_view view = {
				.iface = group->iface,
				.group = group->addr,
				.members = group->members,
			};
			each(ctx, &view);
		}
	}
}
