/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The difference between a running stack and a manifest: its settings, log levels and modules. The manifest
 * has been made into a kernel of its own, which nothing was started in: two of a kind are compared.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "plan.h"
#include "text.h"

/* ---- the list ---- */

struct change *plan_add(struct plan *plan, enum strata_change_what what,
			enum strata_change_action action, const char *name)
{
	struct change *c = strata_alloc(&plan->wanted->k->pub, sizeof(*c));
	if (c == NULL) {
		plan->out_of_memory = true;
		return NULL;
	}
	c->pub.what = what;
	c->pub.action = action;
	c->pub.name = c->name;
	snprintf(c->name, sizeof(c->name), "%s", name);
	*plan->end = c;
	plan->end = &c->next;
	return c;
}

void plan_free(struct plan *plan)
{
	for (struct module *m = plan->k->registry->modules; m != NULL; m = m->next)
		m->twin = NULL;
	while (plan->first != NULL) {
		struct change *c = plan->first;
		plan->first = c->next;
		strata_free(&plan->wanted->k->pub, c);
	}
}

/* Text of a member of the change, which then counts. */
#define say(c, member, ...) \
	(snprintf((c)->member, sizeof((c)->member), __VA_ARGS__), (c)->pub.member = (c)->member)

struct option_schema plan_schema(const struct strata_module *module, bool iface)
{
	return (struct option_schema){
		.options = iface ? module->iface_options : module->options,
		.count = iface ? module->iface_option_count : module->option_count,
		.size = iface ? module->iface_config_size : module->config_size,
	};
}

/* ---- settings and levels ---- */

static void setting(struct plan *plan, const char *name, uint64_t from, uint64_t to,
		    int (*format)(uint64_t value, char *buf, size_t buf_size))
{
	struct change *c = from != to ? plan_add(plan, STRATA_CHANGE_STACK, STRATA_ACTION_CHANGE,
						 "stack") : NULL;
	if (c == NULL)
		return;
	c->pub.field = name;
	c->number = to;
	c->number_before = from;
	say(c, from, "%" PRIu64, from);
	say(c, to, "%" PRIu64, to);
	if (format != NULL) {
		format(from, c->from, sizeof(c->from));
		format(to, c->to, sizeof(c->to));
	}
}

static void level(struct plan *plan, struct module *m, const char *name, uint8_t from, bool own_from,
		  uint8_t to, bool own_to)
{
	struct change *c;
	if (from == to && own_from == own_to)
		return;
	c = plan_add(plan, STRATA_CHANGE_LOG, STRATA_ACTION_CHANGE, name);
	if (c == NULL)
		return;
	c->module = m;
	c->number = to;
	c->number_before = from;
	c->flag = own_to;
	c->flag_before = own_from;
	/* It goes with the stack's, or no longer does: that shows when the stack's changes. */
	c->quiet = from == to;
	say(c, from, "%s", config_log_level_name(from));
	say(c, to, "%s", config_log_level_name(to));
}

static void setting_bool(struct plan *plan, const char *name, bool from, bool to)
{
	struct change *c = from != to ? plan_add(plan, STRATA_CHANGE_STACK, STRATA_ACTION_CHANGE,
						 "stack") : NULL;
	if (c == NULL)
		return;
	c->pub.field = name;
	c->number = to;
	c->number_before = from;
	say(c, from, "%s", from ? "true" : "false");
	say(c, to, "%s", to ? "true" : "false");
}

static void plan_settings(struct plan *plan)
{
	const struct stack_settings *from = &plan->k->settings, *to = &plan->wanted->k->settings;
	if (strcmp(from->name, to->name) != 0)
		strata_error_add(plan->error, "stack: name: expected \"%s\", found \"%s\": a running stack "
				 "keeps its name, since its run directory has it", from->name, to->name);
	if (from->shards != to->shards || from->shard_ring != to->shard_ring)
		strata_error_add(plan->error, "stack: shards: expected %" PRIu64 " (shard_ring %" PRIu64
				 "), found %" PRIu64 " (%" PRIu64 "): a running stack keeps its shards; stop it "
				 "and start it again", from->shards, from->shard_ring, to->shards,
				 to->shard_ring);
	setting(plan, "memory", from->memory, to->memory, text_format_size);
	setting(plan, "sockets", from->sockets, to->sockets, NULL);
	setting(plan, "busy_poll", from->busy_poll, to->busy_poll, text_format_time);
	setting(plan, "adaptive_poll", from->adaptive_poll, to->adaptive_poll, text_format_time);
	setting_bool(plan, "gro", from->gro, to->gro);
	level(plan, NULL, "stack", from->log_level, false, to->log_level, false);
}

/* ---- modules: what becomes of each ---- */

static bool differs(const struct module *live, const struct module *wanted, bool runtime)
{
	const struct strata_module *module = live->pub.module;
	for (size_t i = 0; i < module->option_count; i++)
		if (module->options[i].runtime == runtime &&
		    !option_equal(&module->options[i], live->pub.config, wanted->pub.config))
			return true;
	return false;
}

static enum fate own_fate(const struct module *live)
{
	const struct module *wanted = live->twin;
	if (wanted == NULL)
		return live->by_hand ? FATE_STAYS : FATE_GOES;
	if (wanted->pub.module != live->pub.module)
		return FATE_IS_REPLACED;
	if (!live->pub.running)
		return FATE_STARTS;
	return wanted->pub.number != live->pub.number || differs(live, wanted, false) ?
		FATE_RESTARTS : FATE_STAYS;
}

static bool needs(const struct module *m, const struct module *other)
{
	const struct strata_dependency *d = m->pub.module->depends;
	for (; !registry_dependency_ends(d); d++)
		if (!d->optional && registry_satisfies(other, d))
			return true;
	return false;
}

/* What stands on a module that stops does so too. In the order of start one walk is enough. */
static void spread(struct plan *plan)
{
	struct kernel *k = plan->k;
	for (struct module *m = registry_walk(k, NULL); m != NULL; m = registry_walk(k, m))
		for (struct module *o = registry_walk(k, NULL); o != m; o = registry_walk(k, o)) {
			if (o->fate < FATE_RESTARTS || m->fate != FATE_STAYS || !m->pub.running ||
			    !needs(m, o))
				continue;
			if (o->fate == FATE_GOES && m->twin == NULL)
				strata_error_add(plan->error, "module \"%s\", which the manifest has no "
						 "longer, is needed by module \"%s\", which was loaded by "
						 "hand; unload that first", o->pub.name, m->pub.name);
			m->fate = FATE_RESTARTS;
		}
}

/* What was loaded by hand keeps its number; the manifest cannot claim it. */
static void check_claims(struct plan *plan)
{
	for (const struct module *w = plan->wanted->k->registry->modules; w != NULL; w = w->next)
		for (const struct module *m = plan->k->registry->modules; m != NULL; m = m->next) {
			if (m->twin != NULL || !m->by_hand || kind_of(m) != kind_of(w) ||
			    m->pub.number != w->pub.number || m->pub.number == 0)
				continue;
			strata_error_add(plan->error, "%s number %u is taken: wanted by module \"%s\" of the "
					 "manifest, held by module \"%s\", which was loaded by hand; unload "
					 "that first", strata_kind_name(kind_of(m)), m->pub.number,
					 w->pub.name, m->pub.name);
		}
}

static void settle_fates(struct plan *plan)
{
	struct kernel *w = plan->wanted->k;
	struct module *m;
	for (m = w->registry->modules; m != NULL; m = m->next)
		m->twin = registry_find(plan->k, m->pub.name);
	for (m = plan->k->registry->modules; m != NULL; m = m->next) {
		m->twin = registry_find(w, m->pub.name);
		m->fate = (uint8_t)own_fate(m);
	}
	check_claims(plan);
	spread(plan);
}

/* ---- modules: the changes ---- */

static struct change *module_change(struct plan *plan, struct module *live, struct module *wanted,
				    enum strata_change_action action)
{
	struct change *c = plan_add(plan, STRATA_CHANGE_MODULE, action,
				    live != NULL ? live->pub.name : wanted->pub.name);
	if (c != NULL) {
		c->module = live;
		c->wanted = wanted;
	}
	return c;
}

/* The first option that makes a restart necessary, for people. */
static void why_restart(struct plan *plan, struct change *c)
{
	const struct module *live = c->module, *wanted = c->wanted;
	const struct strata_module *module = live->pub.module;
	if (wanted != NULL && wanted->pub.number != live->pub.number) {
		c->pub.field = "number";
		say(c, from, "%u", live->pub.number);
		say(c, to, "%u", wanted->pub.number);
		return;
	}
	for (size_t i = 0; wanted != NULL && i < module->option_count; i++) {
		const struct strata_option *option = &module->options[i];
		if (option->runtime || option_equal(option, live->pub.config, wanted->pub.config))
			continue;
		c->pub.field = option->name;
		c->pub.from = c->from;
		c->pub.to = c->to;
		option_format(plan->k, option, live->pub.config, c->from, sizeof(c->from));
		option_format(plan->k, option, wanted->pub.config, c->to, sizeof(c->to));
		say(c, why, "this option cannot be changed while the module runs");
		return;
	}
	for (const struct module *o = registry_walk(plan->k, NULL); o != NULL; o = registry_walk(plan->k, o))
		if (o->fate >= FATE_RESTARTS && needs(live, o)) {
			say(c, why, "it needs module \"%.64s\"", o->pub.name);
			return;
		}
}

/* Of a module that `starts` all options may change: with its start, and not in place. */
static void option_changes(struct plan *plan, struct module *live, bool starts)
{
	const struct strata_module *module = live->pub.module;
	for (size_t i = 0; i < module->option_count; i++) {
		const struct strata_option *option = &module->options[i];
		struct change *c;
		if ((!option->runtime && !starts) ||
		    option_equal(option, live->pub.config, live->twin->pub.config))
			continue;
		c = plan_add(plan, STRATA_CHANGE_OPTION, STRATA_ACTION_CHANGE, live->pub.name);
		if (c == NULL)
			return;
		c->module = live;
		c->wanted = live->twin;
		c->option = option;
		c->flag = starts;
		c->pub.field = option->name;
		c->pub.from = c->from;
		c->pub.to = c->to;
		option_format(plan->k, option, live->pub.config, c->from, sizeof(c->from));
		option_format(plan->k, option, live->twin->pub.config, c->to, sizeof(c->to));
	}
}

static void change_of(struct plan *plan, struct module *live)
{
	struct module *wanted = live->twin;
	struct change *c;
	switch ((enum fate)live->fate) {
	case FATE_GOES:
		module_change(plan, live, NULL, STRATA_ACTION_REMOVE);
		return;
	case FATE_IS_REPLACED:
		c = module_change(plan, live, wanted, STRATA_ACTION_REPLACE);
		if (c != NULL) {
			c->pub.field = "file";
			say(c, from, "%.150s", strata_module_path(live->file));
			say(c, to, "%.150s", strata_module_path(wanted->file));
		}
		return;
	case FATE_RESTARTS:
		c = module_change(plan, live, wanted, STRATA_ACTION_RESTART);
		if (c != NULL)
			why_restart(plan, c);
		break;
	case FATE_STARTS:
		c = module_change(plan, live, wanted, STRATA_ACTION_CHANGE);
		if (c != NULL) {
			c->pub.field = "enabled";
			say(c, from, "false");
			say(c, to, "true");
			if (wanted->pub.number != live->pub.number)
				say(c, why, "it starts with number %u, which was %u", wanted->pub.number,
				    live->pub.number);
		}
		option_changes(plan, live, true);
		break;
	case FATE_STAYS:
		if (wanted != NULL)
			option_changes(plan, live, false);
		break;
	}
	if (wanted != NULL)
		level(plan, live, live->pub.name, live->pub.log_level, live->own_level,
		      wanted->pub.log_level, wanted->own_level);
}

static void plan_modules(struct plan *plan)
{
	struct kernel *w = plan->wanted->k;
	settle_fates(plan);
	for (struct module *m = registry_walk(w, NULL); m != NULL; m = registry_walk(w, m)) {
		struct change *c = m->twin == NULL ? module_change(plan, NULL, m, STRATA_ACTION_ADD) : NULL;
		if (c != NULL)
			say(c, to, "%.150s", strata_module_path(m->file));
	}
	for (struct module *m = registry_walk(plan->k, NULL); m != NULL; m = registry_walk(plan->k, m))
		change_of(plan, m);
}

/* ---- the whole ---- */

int plan_make(struct plan *plan)
{
	unsigned int before = plan->error->count;
	int told = 0;
	plan->first = NULL;
	plan->end = &plan->first;
	plan_settings(plan);
	plan_modules(plan);
	plan_ifaces(plan);
	plan_addresses(plan);
	plan_routes(plan);
	if (plan->out_of_memory) {
		strata_error_add(plan->error, "reload: out of memory; nothing has been changed");
		return -ENOMEM;
	}
	if (plan->error->count != before)
		return -EINVAL;
	for (const struct change *c = plan->first; c != NULL; c = c->next)
		told += !c->quiet;
	return told;
}

/* ---- what ends ---- */

/* Whether a change ends the flow. */
static bool ends(const struct change *c, const struct strata_flow *flow)
{
	switch (c->pub.what) {
	case STRATA_CHANGE_MODULE:
		if (c->module == NULL || !c->module->pub.running || c->pub.action == STRATA_ACTION_ADD)
			return false;
		return (kind_of(c->module) == STRATA_TRANSPORT &&
			c->module->pub.number == flow->key.number) ||
		       (kind_of(c->module) == STRATA_NETWORK &&
			c->module->pub.number == flow->key.local.family);
	case STRATA_CHANGE_INTERFACE:
		if (c->pub.action != STRATA_ACTION_REMOVE && c->pub.action != STRATA_ACTION_REPLACE)
			return false;
		return flow->iface == c->iface;
	case STRATA_CHANGE_ADDRESS:
		return c->pub.action == STRATA_ACTION_REMOVE &&
		       strata_addr_equal(&flow->key.local, &c->prefix.addr);
	default:
		return false;
	}
}

struct census {
	struct plan *plan;
	bool listing;
};

static void count_one(void *ctx, const struct strata_socket_view *view)
{
	const struct census *census = ctx;
	struct change *c = census->plan->first;
	while (c != NULL && !ends(c, view->flow))
		c = c->next;
	if (c == NULL)
		return;
	if (!census->listing) {
		c->pub.ending++;
	} else if (c->pub.sockets != NULL && c->pub.socket_count < STRATA_CHANGE_LISTED &&
		   c->pub.socket_count < c->pub.ending) {
		((struct strata_socket_view *)(uintptr_t)c->pub.sockets)[c->pub.socket_count++] = *view;
	}
}

/* Lists of the changes that end something. */
static int make_lists(struct plan *plan)
{
	for (struct change *c = plan->first; c != NULL; c = c->next) {
		size_t most = c->pub.ending < STRATA_CHANGE_LISTED ? c->pub.ending : STRATA_CHANGE_LISTED;
		if (most == 0)
			continue;
		c->pub.sockets = strata_alloc(&plan->wanted->k->pub, most * sizeof(*c->pub.sockets));
		if (c->pub.sockets == NULL)
			return -ENOMEM;
	}
	return 0;
}

int plan_tell(struct plan *plan, strata_change_fn *each, void *ctx)
{
	struct census census = { .plan = plan };
	int result;
	if (each == NULL)
		return 0;
	strata_inspect_sockets(&plan->k->pub, count_one, &census);
	result = make_lists(plan);
	census.listing = true;
	if (result == 0)
		strata_inspect_sockets(&plan->k->pub, count_one, &census);
	for (struct change *c = plan->first; c != NULL; c = c->next) {
		if (result == 0 && !c->quiet)
			each(ctx, &c->pub);
		strata_free(&plan->wanted->k->pub, (void *)(uintptr_t)c->pub.sockets);
		c->pub.sockets = NULL;
	}
	return result;
}
