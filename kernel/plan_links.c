/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The difference between a running stack and a manifest: its interfaces, addresses and routes. What was added
 * by hand stays, and follows an interface that is replaced.
 */
#include <stdio.h>

#include "plan.h"

#define say(c, member, ...) \
	(snprintf((c)->member, sizeof((c)->member), __VA_ARGS__), (c)->pub.member = (c)->member)

/* ---- interfaces: what becomes of each ---- */

static bool same_name(const struct strata_iface *a, const struct strata_iface *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a->name, b->name) == 0);
}

static enum fate module_fate(const struct strata_instance *instance)
{
	return instance != NULL ? (enum fate)module_of(instance)->fate : FATE_STAYS;
}

/* Whether another object has to take its place: what it is made of is another. */
static bool is_replaced(const struct strata_iface *live, const struct strata_iface *wanted)
{
	const struct strata_instance *a = live->framing, *b = wanted->framing;
	if (strcmp(live->driver->name, wanted->driver->name) != 0 ||
	    module_fate(live->driver) >= FATE_IS_REPLACED || module_fate(a) >= FATE_IS_REPLACED)
		return true;
	if ((a == NULL) != (b == NULL) || (a != NULL && strcmp(a->name, b->name) != 0))
		return true;
	return !same_name(live->lower, wanted->lower) ||
	       (live->lower != NULL && iface_of(live->lower)->fate >= FATE_IS_REPLACED);
}

static bool in_place(const struct strata_option *option)
{
	return option->runtime && !option_owns_memory(option);
}

static const struct strata_option *first_restarting(const struct strata_iface *live,
						    const struct strata_iface *wanted)
{
	const struct strata_module *module = live->driver->module;
	for (size_t i = 0; i < module->iface_option_count; i++)
		if (!in_place(&module->iface_options[i]) &&
		    !option_equal(&module->iface_options[i], live->config, wanted->config))
			return &module->iface_options[i];
	return NULL;
}

/* The manifest gives a link address, and it is another. */
static bool other_lladdr(const struct strata_iface *live, const struct config_iface *entry)
{
	const struct strata_lladdr *a = &live->lladdr, *b = &entry->iface->lladdr;
	return entry->mac != NULL &&
	       (a->length != b->length || memcmp(a->bytes, b->bytes, a->length) != 0);
}

/* Drivers ask when they open whether there is an interface on theirs. */
static bool other_burden(const struct strata_iface *live, const struct strata_iface *wanted)
{
	return (iface_of(live)->upper == NULL) != (iface_of(wanted)->upper == NULL);
}

static enum fate iface_fate(const struct strata_iface *live, const struct config_iface *entry)
{
	if (entry == NULL)
		return FATE_GOES;
	if (is_replaced(live, entry->iface))
		return FATE_IS_REPLACED;
	if (first_restarting(live, entry->iface) != NULL || other_lladdr(live, entry) ||
	    other_burden(live, entry->iface) ||
	    module_fate(live->driver) == FATE_RESTARTS || module_fate(live->framing) == FATE_RESTARTS ||
	    (live->lower != NULL && iface_of(live->lower)->fate == FATE_RESTARTS))
		return FATE_RESTARTS;
	return FATE_STAYS;
}

static struct config_iface *entry_of(const struct plan *plan, const char *name)
{
	struct config_iface *i = plan->wanted->config.ifaces;
	while (i != NULL && strcmp(i->name, name) != 0)
		i = i->next;
	return i;
}

/* ---- interfaces: the changes ---- */

static struct change *iface_change(struct plan *plan, enum strata_change_action action,
				   struct strata_iface *live, struct config_iface *entry)
{
	struct change *c = plan_add(plan, STRATA_CHANGE_INTERFACE, action,
				    live != NULL ? live->name : entry->name);
	if (c != NULL) {
		c->iface = live;
		c->entry = entry;
	}
	return c;
}

static void lladdr_text(const struct strata_lladdr *lladdr, char *buf, size_t size)
{
	const struct strata_option option = { .name = "mac", .type = STRATA_OPT_LLADDR };
	option_format(NULL, &option, lladdr, buf, size);
}

static void why_restart(struct plan *plan, struct change *c)
{
	const struct strata_iface *live = c->iface;
	const struct strata_option *option = first_restarting(live, c->entry->iface);
	c->pub.from = c->from;
	c->pub.to = c->to;
	if (option != NULL) {
		c->pub.field = option->name;
		option_format(plan->k, option, live->config, c->from, sizeof(c->from));
		option_format(plan->k, option, c->entry->iface->config, c->to, sizeof(c->to));
		say(c, why, "this option is read when the device is opened");
	} else if (other_lladdr(live, c->entry)) {
		c->pub.field = "mac";
		lladdr_text(&live->lladdr, c->from, sizeof(c->from));
		lladdr_text(&c->entry->iface->lladdr, c->to, sizeof(c->to));
	} else if (other_burden(live, c->entry->iface)) {
		c->pub.from = c->pub.to = NULL;
		say(c, why, "%s", iface_of(live)->upper == NULL ? "another interface is to stand on it" :
		    "no other interface stands on it any more");
	} else {
		c->pub.from = c->pub.to = NULL;
		say(c, why, "%s \"%.64s\" is restarted", live->lower != NULL &&
		    iface_of(live->lower)->fate == FATE_RESTARTS ? "interface" : "module",
		    live->lower != NULL && iface_of(live->lower)->fate == FATE_RESTARTS ?
		    live->lower->name : module_fate(live->driver) == FATE_RESTARTS ?
		    live->driver->name : live->framing->name);
	}
}

static void options_in_place(struct plan *plan, struct strata_iface *live, struct config_iface *entry)
{
	const struct strata_module *module = live->driver->module;
	for (size_t i = 0; i < module->iface_option_count; i++) {
		const struct strata_option *option = &module->iface_options[i];
		struct change *c;
		if (!in_place(option) || option_equal(option, live->config, entry->iface->config))
			continue;
		c = plan_add(plan, STRATA_CHANGE_OPTION, STRATA_ACTION_CHANGE, live->name);
		if (c == NULL)
			return;
		c->iface = live;
		c->entry = entry;
		c->option = option;
		c->pub.field = option->name;
		c->pub.from = c->from;
		c->pub.to = c->to;
		option_format(plan->k, option, live->config, c->from, sizeof(c->from));
		option_format(plan->k, option, entry->iface->config, c->to, sizeof(c->to));
	}
}

static void settings_in_place(struct plan *plan, struct strata_iface *live, struct config_iface *entry)
{
	struct change *c;
	if (live->mtu != entry->iface->mtu) {
		c = iface_change(plan, STRATA_ACTION_CHANGE, live, entry);
		if (c == NULL)
			return;
		c->pub.field = "mtu";
		c->number = entry->iface->mtu;
		c->number_before = live->mtu;
		say(c, from, "%u", live->mtu);
		say(c, to, "%u", entry->iface->mtu);
	}
	if (iface_of(live)->opened == entry->down) {
		c = iface_change(plan, STRATA_ACTION_CHANGE, live, entry);
		if (c == NULL)
			return;
		c->pub.field = "up";
		c->flag = !entry->down;
		say(c, from, "%s", entry->down ? "true" : "false");
		say(c, to, "%s", entry->down ? "false" : "true");
	}
}

static void change_of(struct plan *plan, struct strata_iface *live)
{
	struct config_iface *entry = entry_of(plan, live->name);
	struct change *c;
	switch ((enum fate)iface_of(live)->fate) {
	case FATE_GOES:
		iface_change(plan, STRATA_ACTION_REMOVE, live, NULL);
		return;
	case FATE_IS_REPLACED:
		c = iface_change(plan, STRATA_ACTION_REPLACE, live, entry);
		if (c != NULL) {
			c->pub.field = "driver";
			say(c, from, "%s", live->driver->name);
			say(c, to, "%s", entry->iface->driver->name);
			say(c, why, "it is made of another driver, framing, module file or interface");
		}
		return;
	case FATE_RESTARTS:
		c = iface_change(plan, STRATA_ACTION_RESTART, live, entry);
		if (c != NULL)
			why_restart(plan, c);
		break;
	default:
		options_in_place(plan, live, entry);
		break;
	}
	settings_in_place(plan, live, entry);
}

void plan_ifaces(struct plan *plan)
{
	struct strata_stack *stack = &plan->k->pub;
	struct strata_iface *i;
	for (i = strata_iface_next(stack, NULL); i != NULL; i = strata_iface_next(stack, i))
		iface_of(i)->fate = (uint8_t)iface_fate(i, entry_of(plan, i->name));
	for (i = strata_iface_next(stack, NULL); i != NULL; i = strata_iface_next(stack, i))
		change_of(plan, i);
	for (struct config_iface *e = plan->wanted->config.ifaces; e != NULL; e = e->next)
		if (strata_iface_by_name(stack, e->name) == NULL)
			iface_change(plan, STRATA_ACTION_ADD, NULL, e);
}

/* ---- addresses ---- */

static const char *prefix_text(const struct plan *plan, const struct strata_prefix *prefix, char *buf,
			       size_t size)
{
	const struct strata_option option = { .name = "prefix", .type = STRATA_OPT_PREFIX };
	bool known = strata_address_ops(&plan->wanted->k->pub, prefix->addr.family) != NULL;
	option_format(known ? plan->wanted->k : plan->k, &option, prefix, buf, size);
	return buf;
}

static struct change *address_change(struct plan *plan, enum strata_change_action action,
				     const struct strata_prefix *prefix, const char *owner)
{
	char text[STRATA_ADDR_TEXT + 8];
	struct change *c = plan_add(plan, STRATA_CHANGE_ADDRESS, action,
				    prefix_text(plan, prefix, text, sizeof(text)));
	if (c != NULL) {
		c->prefix = *prefix;
		snprintf(c->why, sizeof(c->why), "%s", owner);
		c->pub.owner = c->why;
	}
	return c;
}

/* What the manifest says of an address; NULL: nothing. */
static struct config_iface *wanted_address(const struct plan *plan, const struct strata_addr *addr,
					   struct strata_prefix *out)
{
	struct config_iface *i = plan->wanted->config.ifaces;
	for (; i != NULL; i = i->next)
		for (uint32_t n = 0; i->prefixes != NULL && n < i->addresses->count; n++)
			if (strata_addr_equal(&i->prefixes[n].addr, addr)) {
				*out = i->prefixes[n];
				return i;
			}
	return NULL;
}

static void move_address(struct plan *plan, const struct strata_ifaddr *a,
			 const struct strata_prefix *to, const char *owner)
{
	const bool same = strcmp(a->iface->name, owner) == 0;
	struct change *c = address_change(plan, STRATA_ACTION_CHANGE, to, owner);
	if (c == NULL)
		return;
	c->iface_before = a->iface;
	c->prefix_before = a->prefix;
	c->quiet = same && a->prefix.bits == to->bits;
	c->pub.field = same ? "prefix" : "interface";
	if (same) {
		c->pub.from = c->from;
		prefix_text(plan, &a->prefix, c->from, sizeof(c->from));
		say(c, to, "%.150s", c->name);
	} else {
		say(c, from, "%s", a->iface->name);
		say(c, to, "%s", owner);
	}
}

static void address_of_live(struct plan *plan, const struct strata_ifaddr *a)
{
	const enum fate fate = (enum fate)iface_of(a->iface)->fate;
	struct strata_prefix to;
	const struct config_iface *entry = wanted_address(plan, &a->prefix.addr, &to);
	if (entry != NULL) {
		if (fate >= FATE_IS_REPLACED || strcmp(entry->name, a->iface->name) != 0 ||
		    to.bits != a->prefix.bits)
			move_address(plan, a, &to, entry->name);
	} else if (fate == FATE_GOES || addr_is_claimed(a)) {
		struct change *c = address_change(plan, STRATA_ACTION_REMOVE, &a->prefix,
						  a->iface->name);
		if (c != NULL)
			c->iface = a->iface;
	} else if (fate == FATE_IS_REPLACED) {
		move_address(plan, a, &a->prefix, a->iface->name);
	}
}

void plan_addresses(struct plan *plan)
{
	struct strata_stack *stack = &plan->k->pub;
	struct strata_iface *i;
	for (i = strata_iface_next(stack, NULL); i != NULL; i = strata_iface_next(stack, i))
		for (const struct strata_ifaddr *a = strata_ifaddr_first(i); a != NULL; a = a->next)
			address_of_live(plan, a);
	for (struct config_iface *e = plan->wanted->config.ifaces; e != NULL; e = e->next)
		for (uint32_t n = 0; e->prefixes != NULL && n < e->addresses->count; n++)
			if (strata_ifaddr_find(stack, &e->prefixes[n].addr) == NULL)
				address_change(plan, STRATA_ACTION_ADD, &e->prefixes[n], e->name);
}

/* ---- routes ---- */

static const char *addr_text(const struct plan *plan, const struct strata_addr *addr,
			     char buf[STRATA_ADDR_TEXT])
{
	const struct strata_address_ops *ops = strata_address_ops(&plan->k->pub, addr->family);
	if (ops == NULL)
		ops = strata_address_ops(&plan->wanted->k->pub, addr->family);
	snprintf(buf, STRATA_ADDR_TEXT, "?");
	if (ops != NULL)
		ops->format(addr, buf, STRATA_ADDR_TEXT);
	return buf;
}

static void route_text(const struct plan *plan, const struct strata_route *r, char *buf, size_t size)
{
	char to[STRATA_ADDR_TEXT + 8], via[STRATA_ADDR_TEXT], metric[24] = "";
	bool gateway = strata_addr_is_set(&r->via);
	if (r->metric != 0)
		snprintf(metric, sizeof(metric), " metric %u", r->metric);
	snprintf(buf, size, "%s%s%s dev %s%s", prefix_text(plan, &r->to, to, sizeof(to)),
		 gateway ? " via " : "", gateway ? addr_text(plan, &r->via, via) : "", r->iface->name,
		 metric);
}

/* What may change while the route stays the same one. */
static void attributes_text(const struct plan *plan, const struct strata_route *r, char *buf,
			    size_t size)
{
	char src[STRATA_ADDR_TEXT];
	bool sourced = strata_addr_is_set(&r->src);
	snprintf(buf, size, "src %s mtu %u congestion %s", sourced ? addr_text(plan, &r->src, src) :
		 "chosen", r->mtu, r->congestion != NULL ? r->congestion : "default");
}

bool plan_same_route(const struct strata_route *a, const struct strata_route *b)
{
	return a->to.bits == b->to.bits && a->metric == b->metric &&
	       strata_addr_equal(&a->to.addr, &b->to.addr) && strata_addr_equal(&a->via, &b->via) &&
	       same_name(a->iface, b->iface);
}

bool plan_same_attributes(const struct strata_route *a, const struct strata_route *b)
{
	const char *x = a->congestion != NULL ? a->congestion : "";
	const char *y = b->congestion != NULL ? b->congestion : "";
	return a->mtu == b->mtu && strata_addr_equal(&a->src, &b->src) && strcmp(x, y) == 0;
}

/* A copy that outlives the route: interface by name, in `why`. */
static void keep_route(struct change *c, const struct strata_route *r)
{
	c->route = *r;
	snprintf(c->why, sizeof(c->why), "%s", r->iface->name);
	if (r->congestion != NULL)
		c->route.congestion = (snprintf(c->congestion, sizeof(c->congestion), "%s", r->congestion),
				       c->congestion);
}

static struct change *route_change(struct plan *plan, enum strata_change_action action,
				   const struct strata_route *r)
{
	char text[192];
	struct change *c;
	route_text(plan, r, text, sizeof(text));
	c = plan_add(plan, STRATA_CHANGE_ROUTE, action, text);
	if (c != NULL)
		keep_route(c, r);
	return c;
}

static void change_route(struct plan *plan, const struct strata_route *from,
			 const struct strata_route *to)
{
	struct change *c = route_change(plan, STRATA_ACTION_CHANGE, to);
	if (c == NULL)
		return;
	c->route_before = *from;
	if (from->congestion != NULL)
		c->route_before.congestion = (snprintf(c->congestion_before, sizeof(c->congestion_before),
						       "%s", from->congestion), c->congestion_before);
	c->pub.from = c->from;
	c->pub.to = c->to;
	attributes_text(plan, from, c->from, sizeof(c->from));
	attributes_text(plan, to, c->to, sizeof(c->to));
}

struct route_walk {
	struct plan *plan;
	const struct strata_route *like;	/* looked for */
	bool found;
};

static void route_of_live(void *ctx, const struct strata_route *r, bool claimed)
{
	struct plan *plan = ((struct route_walk *)ctx)->plan;
	const enum fate fate = (enum fate)iface_of(r->iface)->fate;
	const struct config_route *w = plan->wanted->config.routes;
	struct change *c = NULL;
	if (r->connected)
		return;
	while (w != NULL && !plan_same_route(&w->made, r))
		w = w->next;
	if (w != NULL && fate == FATE_IS_REPLACED) {
		if ((c = route_change(plan, STRATA_ACTION_ADD, &w->made)) != NULL)
			c->quiet = plan_same_attributes(&w->made, r);
	} else if (w != NULL) {
		if (!plan_same_attributes(&w->made, r))
			change_route(plan, r, &w->made);
	} else if (fate == FATE_GOES || claimed) {
		c = route_change(plan, STRATA_ACTION_REMOVE, r);
	} else if (fate == FATE_IS_REPLACED) {
		if ((c = route_change(plan, STRATA_ACTION_ADD, r)) != NULL)
			c->quiet = true;
	}
}

static void look_for(void *ctx, const struct strata_route *r, bool claimed)
{
	struct route_walk *walk = ctx;
	(void)claimed;
	walk->found = walk->found || (!r->connected && plan_same_route(r, walk->like));
}

void plan_routes(struct plan *plan)
{
	struct route_walk walk = { .plan = plan };
	route_each(plan->k, route_of_live, &walk);
	for (const struct config_route *w = plan->wanted->config.routes; w != NULL; w = w->next) {
		walk.like = &w->made;
		walk.found = false;
		route_each(plan->k, look_for, &walk);
		if (!walk.found)
			route_change(plan, STRATA_ACTION_ADD, &w->made);
	}
}
