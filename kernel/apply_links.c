/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making the changes of a plan: interfaces, addresses, routes. An interface that goes is set aside, closed and
 * nameless, until nothing can fail any more; its connections last as long.
 */
#include <errno.h>
#include <stdio.h>

#include "plan.h"

static bool is_iface(const struct change *c, enum strata_change_action action)
{
	return c->pub.what == STRATA_CHANGE_INTERFACE && c->pub.action == action;
}

/* ---- closing ---- */

static void undo_close(struct apply *a, struct change *c)
{
	struct strata_iface *iface = c->old_iface != NULL ? c->old_iface : c->iface;
	struct strata_error why = { 0 };
	if (iface_open(iface, &why) < 0)
		strata_error_add(&why, "interface \"%s\" could not be opened again: it is down now", c->name);
	error_move(a->error, &why);
}

static void close_one(struct apply *a, struct change *c)
{
	c->was_open = iface_of(c->iface)->opened;
	if (!c->was_open)
		return;
	iface_close(c->iface);
	apply_undo(a, c, undo_close);
}

/* Closed by a change of its own, or with the one that it stands on. */
static bool closes(const struct change *c)
{
	return is_iface(c, STRATA_ACTION_REMOVE) || is_iface(c, STRATA_ACTION_REPLACE) ||
	       is_iface(c, STRATA_ACTION_RESTART) ||
	       (is_iface(c, STRATA_ACTION_CHANGE) && strcmp(c->pub.field, "up") == 0 && !c->flag);
}

static void undo_aside(struct apply *a, struct change *c)
{
	struct iface *inner = iface_of(c->old_iface);
	(void)a;
	snprintf(inner->pub.name, sizeof(inner->pub.name), "%.15s", c->name);
	if (inner->pub.lower != NULL)
		iface_set_upper(iface_of(inner->pub.lower), inner);
	c->iface = c->old_iface;
	c->old_iface = NULL;
}

/* Its name, and its place on the interface below, are free for another. */
static void set_aside(struct apply *a, struct change *c)
{
	struct iface *inner = iface_of(c->iface);
	inner->pub.name[0] = '\0';
	if (inner->pub.lower != NULL && iface_of(inner->pub.lower)->upper == inner)
		iface_set_upper(iface_of(inner->pub.lower), NULL);
	c->old_iface = c->iface;
	c->iface = NULL;
	apply_undo(a, c, undo_aside);
}

/* What stands on another is closed before it, and opened after it: the changes are in that order. */
static void close_from(struct apply *a, struct change *c)
{
	if (c == NULL)
		return;
	close_from(a, c->next);
	if (closes(c))
		close_one(a, c);
}

static void undo_iface_config(struct apply *a, struct change *c)
{
	strata_free(&a->k->pub, c->config);
	c->config = NULL;
}

/* The configuration of what comes or opens again, while nothing has happened yet. */
static int prepare(struct apply *a, struct change *c)
{
	struct option_schema schema;
	if (c->pub.what != STRATA_CHANGE_INTERFACE || c->entry == NULL ||
	    c->pub.action == STRATA_ACTION_CHANGE)
		return 0;
	schema = plan_schema(c->entry->iface->driver->module, true);
	if (option_copy_all(a->k, &schema, c->entry->iface->config, &c->config) < 0)
		return apply_sentence(a, -ENOMEM, "interface \"%s\"", c->name);
	apply_undo(a, c, undo_iface_config);
	return 0;
}

int apply_close(struct apply *a)
{
	int result = 0;
	for (struct change *c = a->plan->first; c != NULL && result == 0; c = c->next)
		result = prepare(a, c);
	if (result < 0)
		return result;
	close_from(a, a->plan->first);
	/* Not before all are closed: they are opened again, if it comes to that, when all are in their places. */
	for (struct change *c = a->plan->first; c != NULL; c = c->next)
		if (is_iface(c, STRATA_ACTION_REMOVE) || is_iface(c, STRATA_ACTION_REPLACE))
			set_aside(a, c);
	return 0;
}

/* ---- opening ---- */

static void undo_open(struct apply *a, struct change *c)
{
	(void)a;
	iface_close(c->iface);
}

static int open_one(struct apply *a, struct change *c)
{
	struct strata_error why = { 0 };
	int result;
	if (iface_of(c->iface)->opened)
		return 0;
	result = iface_open(c->iface, &why);
	if (result < 0 && why.count == 0)
		strata_error_add(&why, "interface \"%s\" could not be opened: %s", c->name,
				 strerror(-result));
	error_move(a->error, &why);
	if (result == 0)
		apply_undo(a, c, undo_open);
	return result;
}

static void undo_create(struct apply *a, struct change *c)
{
	struct strata_iface *iface = c->iface;
	(void)a;
	c->iface = NULL;
	iface_destroy(iface);
}

static int create(struct apply *a, struct change *c)
{
	const struct strata_iface *like = c->entry->iface;
	struct iface_spec spec = {
		.name = c->name,
		.driver = strata_instance_by_name(&a->k->pub, STRATA_LINK, like->driver->name),
		.config = c->config,
		.mtu = like->mtu,
		.mac = c->entry->mac,
	};
	int result;
	if (spec.driver == NULL) {
		strata_error_add(a->error, "interface \"%s\": its driver \"%s\" does not run", c->name,
				 like->driver->name);
		return -ENETDOWN;
	}
	result = iface_create(a->k, &spec, &c->iface, a->error);
	if (result < 0)
		return result;
	c->config = NULL;
	apply_undo(a, c, undo_create);
	if (c->old_iface != NULL) {
		/* Who takes its frames takes the new one's; its link address is known to others. */
		iface_of(c->iface)->output = iface_of(c->old_iface)->output;
		iface_of(c->iface)->output_offload = iface_of(c->old_iface)->output_offload;
		iface_of(c->iface)->output_ctx = iface_of(c->old_iface)->output_ctx;
		if (c->entry->mac == NULL && c->old_iface->lladdr.length == c->iface->lladdr.length)
			c->iface->lladdr = c->old_iface->lladdr;
	}
	return 0;
}

static void undo_swap(struct apply *a, struct change *c)
{
	void *config = c->iface->config;
	(void)a;
	c->iface->config = c->config;
	c->config = config;
	c->iface->lladdr = c->lladdr_before;
}

static int open_again(struct apply *a, struct change *c)
{
	c->lladdr_before = c->iface->lladdr;
	undo_swap(a, c);
	if (c->entry->mac != NULL)
		c->iface->lladdr = c->entry->iface->lladdr;
	apply_undo(a, c, undo_swap);
	/* One that is to be down is: by a change of its own. */
	return c->was_open && !c->entry->down ? open_one(a, c) : 0;
}

static void undo_mtu(struct apply *a, struct change *c)
{
	struct strata_error why = { 0 };
	(void)live_set_mtu(c->iface, (uint32_t)c->number_before, &why);
	error_move(a->error, &why);
}

static int set_mtu(struct apply *a, struct change *c)
{
	int result = live_set_mtu(c->iface, (uint32_t)c->number, a->error);
	if (result == 0)
		apply_undo(a, c, undo_mtu);
	return result;
}

static bool is_mtu(const struct change *c, bool smaller)
{
	return is_iface(c, STRATA_ACTION_CHANGE) && strcmp(c->pub.field, "mtu") == 0 &&
	       (c->number < c->number_before) == smaller;
}

/* Upper ones shrink first. */
static int shrink_from(struct apply *a, struct change *c)
{
	int result = c != NULL ? shrink_from(a, c->next) : 0;
	return c != NULL && result == 0 && is_mtu(c, true) ? set_mtu(a, c) : result;
}

static int open_change(struct apply *a, struct change *c)
{
	if (is_iface(c, STRATA_ACTION_ADD) || is_iface(c, STRATA_ACTION_REPLACE))
		return c->entry->down ? 0 : open_one(a, c);
	if (is_iface(c, STRATA_ACTION_RESTART))
		return open_again(a, c);
	if (is_mtu(c, false))
		return set_mtu(a, c);
	if (is_iface(c, STRATA_ACTION_CHANGE) && strcmp(c->pub.field, "up") == 0 && c->flag)
		return open_one(a, c);
	return 0;
}

static struct change *change_of_entry(const struct apply *a, const struct config_iface *entry, bool made)
{
	struct change *c = a->plan->first;
	while (c != NULL && (c->pub.what != STRATA_CHANGE_INTERFACE || c->entry != entry ||
			     (is_iface(c, STRATA_ACTION_ADD) || is_iface(c, STRATA_ACTION_REPLACE)) != made))
		c = c->next;
	return c;
}

/* One that carries another cannot be down alone. */
static int check_open(struct apply *a)
{
	const struct config_iface *e = a->plan->wanted->config.ifaces;
	for (; e != NULL; e = e->next) {
		const struct strata_iface *iface = strata_iface_by_name(&a->k->pub, e->name);
		if (e->down || iface_of(iface)->opened)
			continue;
		strata_error_add(a->error, "interface \"%s\" could not be opened: the one that it stands on is "
				 "down", e->name);
		return -ENETDOWN;
	}
	return 0;
}

int apply_open(struct apply *a)
{
	int result = shrink_from(a, a->plan->first);
	/* In the manifest's order, so that what carries another comes before it; all are made before the first is
	 * opened, since drivers ask whether they carry another. */
	for (struct config_iface *e = a->plan->wanted->config.ifaces; e != NULL && result == 0; e = e->next) {
		struct change *c = change_of_entry(a, e, true);
		if (c != NULL)
			result = create(a, c);
	}
	for (struct config_iface *e = a->plan->wanted->config.ifaces; e != NULL && result == 0; e = e->next) {
		struct change *c = change_of_entry(a, e, true);
		if (c != NULL) {
			result = open_change(a, c);
			continue;
		}
		for (c = change_of_entry(a, e, false); c != NULL && result == 0; c = c->next)
			if (c->pub.what == STRATA_CHANGE_INTERFACE && c->entry == e)
				result = open_change(a, c);
	}
	return result < 0 ? result : check_open(a);
}

/* ---- addresses ---- */

static bool is_address(const struct change *c, enum strata_change_action action)
{
	return c->pub.what == STRATA_CHANGE_ADDRESS && c->pub.action == action;
}

static void undo_add_address(struct apply *a, struct change *c)
{
	struct strata_iface *iface = strata_iface_by_name(&a->k->pub, c->pub.owner);
	if (iface != NULL)
		strata_ifaddr_remove(iface, &c->prefix.addr);
}

static void undo_move(struct apply *a, struct change *c)
{
	struct strata_ifaddr *ifaddr = strata_ifaddr_find(&a->k->pub, &c->prefix.addr);
	int result = ifaddr != NULL ? addr_move(ifaddr, c->iface_before, c->prefix_before.bits) : -ENOENT;
	if (result < 0)
		apply_sentence(a, result, "address %s could not be put back", c->name);
}

static int change_address(struct apply *a, struct change *c)
{
	struct strata_iface *iface = strata_iface_by_name(&a->k->pub, c->pub.owner);
	struct strata_ifaddr *there = strata_ifaddr_find(&a->k->pub, &c->prefix.addr);
	int result = 0;
	if (is_address(c, STRATA_ACTION_CHANGE)) {
		result = addr_move(there, iface, c->prefix.bits);
		if (result == 0)
			apply_undo(a, c, undo_move);
	} else if (is_address(c, STRATA_ACTION_ADD)) {
		/* Those of a network module that was disabled have come back with it. */
		if (there != NULL && there->iface == iface && there->prefix.bits == c->prefix.bits)
			return 0;
		if (there != NULL) {
			c->iface_before = there->iface;
			c->prefix_before = there->prefix;
		}
		result = there == NULL ? strata_ifaddr_add(iface, &c->prefix) :
			addr_move(there, iface, c->prefix.bits);
		if (result == 0)
			apply_undo(a, c, there == NULL ? undo_add_address : undo_move);
	}
	return result < 0 ? apply_sentence(a, result, "address %s of interface \"%s\"", c->name,
					   c->pub.owner) : 0;
}

int apply_addresses(struct apply *a)
{
	int result = 0;
	for (struct change *c = a->plan->first; c != NULL && result == 0; c = c->next)
		if (c->pub.what == STRATA_CHANGE_ADDRESS)
			result = change_address(a, c);
	return result;
}

/* ---- routes ---- */

static void undo_add_route(struct apply *a, struct change *c)
{
	strata_route_remove(&a->k->pub, &c->route);
}

static void undo_remove_route(struct apply *a, struct change *c)
{
	const struct strata_route *before = c->pub.action == STRATA_ACTION_CHANGE ? &c->route_before :
		&c->route;
	int result = strata_route_add(&a->k->pub, before);
	if (result < 0)
		apply_sentence(a, result, "route %s could not be put back", c->name);
	else if (c->flag)
		route_claim(a->k, before);
}

struct twin {
	struct change *change;
	const struct strata_route *route;
	bool found;
};

/* Keeps what the route in the place of one that comes is like. */
static void look_for_twin(void *ctx, const struct strata_route *r, bool claimed)
{
	struct twin *twin = ctx;
	struct change *c = twin->change;
	(void)claimed;
	if (twin->found || r->connected || !plan_same_route(twin->route, r))
		return;
	twin->found = true;
	c->route_before = *r;
	if (r->congestion != NULL)
		c->route_before.congestion = (snprintf(c->congestion_before, sizeof(c->congestion_before), "%s",
						       r->congestion), c->congestion_before);
}

/* Adds the route. One made by hand that finds its interface by itself may have come to lead the same way with
 * the changes before: it stays if it is the same in all, and else gives its place. */
static int put_route(struct apply *a, struct change *c)
{
	struct twin twin = { .change = c, .route = &c->route };
	int result = strata_route_add(&a->k->pub, &c->route);
	if (result == -EEXIST)
		route_each(a->k, look_for_twin, &twin);
	if (twin.found && plan_same_attributes(&c->route, &c->route_before))
		return 0;
	if (twin.found && strata_route_remove(&a->k->pub, &c->route_before) == 0) {
		c->pub.action = STRATA_ACTION_CHANGE;
		apply_undo(a, c, undo_remove_route);
		result = strata_route_add(&a->k->pub, &c->route);
	}
	if (result == 0)
		apply_undo(a, c, undo_add_route);
	return result;
}

/* Whether the route that goes was the manifest's: only those are taken away. */
static int change_route(struct apply *a, struct change *c)
{
	struct strata_iface *iface = strata_iface_by_name(&a->k->pub, c->why);
	int result = 0;
	if (c->pub.action == STRATA_ACTION_REMOVE && iface != c->route.iface)
		return 0;	/* it goes with its interface */
	c->flag = true;
	c->route.iface = iface;
	if (c->pub.action != STRATA_ACTION_ADD) {
		result = strata_route_remove(&a->k->pub, c->pub.action == STRATA_ACTION_CHANGE ?
					     &c->route_before : &c->route);
		if (result == 0)
			apply_undo(a, c, undo_remove_route);
	}
	if (result == 0 && c->pub.action != STRATA_ACTION_REMOVE)
		result = put_route(a, c);
	return result < 0 ? apply_sentence(a, result, "route %s", c->name) : 0;
}

int apply_routes(struct apply *a)
{
	int result = 0;
	/* Those that go make room. */
	for (struct change *c = a->plan->first; c != NULL && result == 0; c = c->next)
		if (c->pub.what == STRATA_CHANGE_ROUTE && c->pub.action == STRATA_ACTION_REMOVE)
			result = change_route(a, c);
	for (struct change *c = a->plan->first; c != NULL && result == 0; c = c->next)
		if (c->pub.what == STRATA_CHANGE_ROUTE && c->pub.action != STRATA_ACTION_REMOVE)
			result = change_route(a, c);
	return result;
}

/* ---- the end ---- */

/* From now on the manifest has these; what it does not have was made by hand. */
static void claim_all(struct apply *a)
{
	const struct config *config = &a->plan->wanted->config;
	for (const struct config_iface *e = config->ifaces; e != NULL; e = e->next)
		for (uint32_t n = 0; e->prefixes != NULL && n < e->addresses->count; n++) {
			struct strata_ifaddr *own = strata_ifaddr_find(&a->k->pub, &e->prefixes[n].addr);
			if (own != NULL)
				addr_claim(own);
		}
	for (const struct config_route *r = config->routes; r != NULL; r = r->next) {
		struct strata_route route = r->made;
		route.iface = strata_iface_by_name(&a->k->pub, r->made.iface->name);
		if (route.iface != NULL)
			route_claim(a->k, &route);
	}
}

static void remove_from(struct apply *a, struct change *c)
{
	if (c == NULL)
		return;
	remove_from(a, c->next);
	if (c->old_iface != NULL)
		iface_destroy(c->old_iface);
	if (c->pub.what == STRATA_CHANGE_INTERFACE) {
		strata_free(&a->k->pub, c->config);
		c->config = NULL;
	}
}

void apply_links_done(struct apply *a)
{
	for (struct change *c = a->plan->first; c != NULL; c = c->next) {
		struct strata_ifaddr *own = is_address(c, STRATA_ACTION_REMOVE) ?
			strata_ifaddr_find(&a->k->pub, &c->prefix.addr) : NULL;
		if (own != NULL)
			strata_ifaddr_remove(own->iface, &c->prefix.addr);
	}
	remove_from(a, a->plan->first);
	claim_all(a);
}
