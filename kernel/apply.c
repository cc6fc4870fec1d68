/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making the changes of a plan. What can fail comes first, and leaves a note of how it is undone; what ends
 * connections for good comes last, and cannot fail. In this order:
 *
 *   new modules loaded · devices closed · old modules stopped · new ones started · devices opened ·
 *   options set · addresses and routes added · services started · what is no longer wanted removed
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "plan.h"

/* ---- undoing ---- */

void apply_undo(struct apply *a, struct change *c, undo_fn *fn)
{
	struct undo *u;
	if (c->undo_count == STRATA_COUNT(c->undo))
		abort();	/* a change has fewer steps than that */
	u = &c->undo[c->undo_count++];
	*u = (struct undo){ .before = a->last, .fn = fn, .change = c };
	a->last = u;
}

static void undo_all(struct apply *a)
{
	while (a->last != NULL) {
		struct undo *u = a->last;
		a->last = u->before;
		u->fn(a, u->change);
	}
}

int apply_sentence(struct apply *a, int result, const char *format, ...)
{
	char text[320];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	strata_error_add(a->error, "%s: %s", text, strerror(-result));
	return result;
}

/* ---- modules: coming ---- */

static bool is_module(const struct change *c)
{
	return c->pub.what == STRATA_CHANGE_MODULE;
}

static bool brings_module(const struct change *c)
{
	return is_module(c) && (c->pub.action == STRATA_ACTION_ADD ||
				c->pub.action == STRATA_ACTION_REPLACE);
}

static void undo_adopt(struct apply *a, struct change *c)
{
	struct module *m = c->module;
	c->module = c->old;
	registry_remove(a->k, m);
}

static void undo_config(struct apply *a, struct change *c)
{
	strata_free(&a->k->pub, c->config);
	c->config = NULL;
}

/* Puts what comes into the list, neither bound nor started, and makes the configuration of what restarts. */
static int prepare(struct apply *a, struct change *c)
{
	struct option_schema schema;
	void *config;
	if (!is_module(c) || c->wanted == NULL)
		return 0;
	schema = plan_schema(c->wanted->pub.module, false);
	if (option_copy_all(a->k, &schema, c->wanted->pub.config, &config) < 0)
		return apply_sentence(a, -ENOMEM, "module \"%s\"", c->name);
	c->config = config;
	apply_undo(a, c, undo_config);
	if (!brings_module(c))
		return 0;
	struct module *m = registry_adopt(a->k, c->wanted);
	if (m == NULL)
		return apply_sentence(a, -ENOMEM, "module \"%s\"", c->name);
	m->pub.config = c->config;
	c->config = NULL;
	c->old = c->module;
	c->module = m;
	apply_undo(a, c, undo_adopt);
	/* From here on its name means the new one. */
	if (c->old != NULL)
		registry_place_before(a->k, m, c->old);
	return 0;
}

/* ---- modules: stopping and starting ---- */

static void join(struct kernel *k, struct module *m)
{
	if (kind_of(m) == STRATA_NETWORK)
		toggle_join_network(k, m);
}

static void leave(struct kernel *k, struct module *m)
{
	if (kind_of(m) == STRATA_NETWORK)
		toggle_leave_network(k, m);
	m->bound = false;
}

static void stop(struct kernel *k, struct module *m)
{
	leave(k, m);
	registry_stop_one(k, m);
}

static int start(struct apply *a, struct module *m)
{
	m->bound = true;
	if (kind_of(m) == STRATA_NETWORK)
		addr_ops_changed(a->k);
	int result = registry_start_one(a->k, m, a->error);
	if (result < 0) {
		m->bound = false;
		if (kind_of(m) == STRATA_NETWORK)
			addr_ops_changed(a->k);
		return result;
	}
	join(a->k, m);
	return 0;
}

static void undo_start(struct apply *a, struct change *c)
{
	/* Back to being disabled: its addresses wait for it, as far as there is memory. */
	if (c->pub.action == STRATA_ACTION_CHANGE)
		toggle_save_addresses(a->k, c->module);
	stop(a->k, c->module);
}

static void start_again(struct apply *a, struct module *m)
{
	if (start(a, m) < 0)
		strata_error_add(a->error, "module \"%s\" could not be started again: it is disabled now",
				 m->pub.name);
}

static void undo_stop(struct apply *a, struct change *c)
{
	start_again(a, c->module);
}

static void undo_stop_old(struct apply *a, struct change *c)
{
	start_again(a, c->old);
}

/* It has a number that another is to have; or is a service, which holds ports that another may be going to use. */
static bool is_in_the_way(const struct apply *a, const struct module *m)
{
	for (const struct change *c = a->plan->first; c != NULL; c = c->next)
		if (is_module(c) && c->wanted != NULL && c->module != m &&
		    kind_of(c->wanted) == kind_of(m) && (kind_of(m) == STRATA_SERVICE ||
		     (c->wanted->pub.number == m->pub.number && m->pub.number != 0)))
			return true;
	return false;
}

static struct change *change_of(const struct apply *a, const struct module *m)
{
	struct change *c = a->plan->first;
	while (c != NULL && (!is_module(c) || (c->module != m && c->old != m)))
		c = c->next;
	return c;
}

static void stop_one(struct apply *a, struct module *m)
{
	struct change *c = change_of(a, m);
	if (c == NULL || !m->pub.running)
		return;
	if (c->old == m) {
		stop(a->k, m);
		apply_undo(a, c, undo_stop_old);
	} else if (c->pub.action == STRATA_ACTION_RESTART ||
		   (c->pub.action == STRATA_ACTION_REMOVE && is_in_the_way(a, m))) {
		stop(a->k, m);
		apply_undo(a, c, undo_stop);
	}
}

static void stop_modules(struct apply *a)
{
	const struct registry *r = a->k->registry;
	for (size_t i = r->placed; i > 0; i--)
		stop_one(a, r->order[i - 1]);
}

static void undo_swap(struct apply *a, struct change *c)
{
	void *config = c->module->pub.config;
	(void)a;
	c->module->pub.config = c->config;
	c->config = config;
	c->module->pub.number = (uint32_t)c->number_before;
}

/* The configuration and number with which it starts. */
static void swap(struct apply *a, struct change *c)
{
	c->number_before = c->module->pub.number;
	if (c->wanted == NULL)
		return;
	c->number = c->wanted->pub.number;
	undo_swap(a, c);
	c->module->pub.number = (uint32_t)c->number;
	apply_undo(a, c, undo_swap);
}

static int start_modules(struct apply *a, bool services)
{
	const struct registry *r = a->k->registry;
	for (size_t i = 0; i < r->placed; i++) {
		struct module *m = r->order[i];
		struct change *c = change_of(a, m);
		int result;
		if (c == NULL || c->old == m || m->pub.running ||
		    c->pub.action == STRATA_ACTION_REMOVE ||
		    (kind_of(m) == STRATA_SERVICE) != services)
			continue;
		if (c->pub.action == STRATA_ACTION_RESTART || c->pub.action == STRATA_ACTION_CHANGE)
			swap(a, c);
		result = start(a, m);
		if (result < 0)
			return result;
		apply_undo(a, c, undo_start);
	}
	return 0;
}

/* ---- settings, levels, options ---- */

static void put_level(struct apply *a, struct change *c, uint8_t level, bool own)
{
	if (c->module == NULL) {
		a->k->settings.log_level = level;
		a->k->self.log_level = level;
		for (struct module *m = registry_walk(a->k, NULL); m != NULL; m = registry_walk(a->k, m))
			if (!m->own_level)
				m->pub.log_level = level;
		return;
	}
	c->module->pub.log_level = level;
	c->module->own_level = own;
}

static void undo_level(struct apply *a, struct change *c)
{
	put_level(a, c, (uint8_t)c->number_before, c->flag_before);
}

static void put_setting(struct apply *a, const struct change *c, uint64_t value)
{
	if (strcmp(c->pub.field, "memory") == 0)
		a->k->settings.memory = value;
	else if (strcmp(c->pub.field, "gro") == 0)
		a->k->settings.gro = value != 0;
	else if (strcmp(c->pub.field, "busy_poll") == 0)
		a->k->settings.busy_poll = value;
	else if (strcmp(c->pub.field, "adaptive_poll") == 0)
		a->k->settings.adaptive_poll = value;
	else
		a->k->settings.sockets = value;
}

static void undo_setting(struct apply *a, struct change *c)
{
	put_setting(a, c, c->number_before);
}

static void put_settings(struct apply *a)
{
	for (struct change *c = a->plan->first; c != NULL; c = c->next) {
		if (c->pub.what == STRATA_CHANGE_LOG) {
			put_level(a, c, (uint8_t)c->number, c->flag);
			apply_undo(a, c, undo_level);
		} else if (c->pub.what == STRATA_CHANGE_STACK) {
			put_setting(a, c, c->number);
			apply_undo(a, c, undo_setting);
		}
	}
}

static bool is_option_of(const struct change *c, const struct change *first)
{
	return c->pub.what == STRATA_CHANGE_OPTION && c->module == first->module &&
	       c->iface == first->iface && !(c->module != NULL && c->flag);
}

static void *config_of(const struct change *c)
{
	return c->module != NULL ? c->module->pub.config : c->iface->config;
}

static int tell_option(struct change *c)
{
	if (c->module != NULL)
		return c->module->pub.running && c->module->pub.module->option_changed != NULL ?
			c->module->pub.module->option_changed(&c->module->pub, c->option) : 0;
	const struct strata_link_ops *ops = c->iface->driver->module->link;
	return iface_of(c->iface)->opened && ops->option_changed != NULL ?
		ops->option_changed(c->iface, c->option) : 0;
}

static void take_back(struct apply *a, struct change *c)
{
	memcpy((char *)config_of(c) + c->option->offset, c->before, strata_option_size(c->option));
	strata_free(&a->k->pub, c->owned);
	c->owned = NULL;
}

/* The first of an owner's options undoes them all: they may be good together alone. */
static void undo_options(struct apply *a, struct change *first)
{
	for (struct change *c = first; c != NULL; c = c->next)
		if (is_option_of(c, first))
			take_back(a, c);
	for (struct change *c = first; c != NULL; c = c->next)
		if (is_option_of(c, first))
			(void)tell_option(c);
}

/* All new values are there before the owner hears of the first. */
static int put_options(struct apply *a, struct change *first)
{
	int result = 0;
	for (struct change *c = first; c != NULL; c = c->next)
		if (is_option_of(c, first))
			memcpy(c->before, (char *)config_of(c) + c->option->offset,
			       strata_option_size(c->option));
	apply_undo(a, first, undo_options);
	for (struct change *c = first; c != NULL; c = c->next) {
		const void *from = c->wanted != NULL ? c->wanted->pub.config :
			c->entry != NULL ? c->entry->iface->config : NULL;
		if (is_option_of(c, first) &&
		    option_copy(a->k, c->option, from, config_of(c), &c->owned) < 0)
			return apply_sentence(a, -ENOMEM, "option \"%s.%s\"", c->name, c->option->name);
	}
	for (struct change *c = first; c != NULL && result == 0; c = c->next) {
		result = is_option_of(c, first) ? tell_option(c) : 0;
		if (result < 0)
			apply_sentence(a, result, "option \"%s.%s\": \"%s\" is refused", c->name,
				       c->option->name, c->to);
	}
	return result;
}

static int put_all_options(struct apply *a)
{
	int result = 0;
	for (struct change *c = a->plan->first; c != NULL && result == 0; c = c->next) {
		const struct change *o = a->plan->first;
		while (o != c && !is_option_of(o, c))
			o = o->next;
		if (o == c && is_option_of(c, c))
			result = put_options(a, c);
	}
	return result;
}

/* ---- the end ---- */

/* The strings of the values that went; those of the new ones become the module's. */
static void settle_option(struct kernel *k, struct change *c)
{
	if (!is_option_of(c, c) || c->module == NULL)
		return;
	void **slot = &c->module->owned[c->option - c->module->pub.module->options];
	strata_free(&k->pub, *slot);
	*slot = c->owned;
}

static void settle_module(struct kernel *k, struct change *c)
{
	struct module *m = c->module;
	if (c->pub.action == STRATA_ACTION_REMOVE) {
		toggle_drop_addresses(k, m);
		if (m->pub.running)
			stop(k, m);
		registry_remove(k, m);
		return;
	}
	if (c->old != NULL)
		registry_remove(k, c->old);
	if (brings_module(c) || c->wanted == NULL)
		goto out_config;
	/* Strings of options that were changed one by one went with the structure. */
	for (size_t i = 0; i < m->pub.module->option_count; i++) {
		strata_free(&k->pub, m->owned[i]);
		m->owned[i] = NULL;
	}
out_config:
	strata_free(&k->pub, c->config);
	c->config = NULL;
}

/* What came first goes last: the changes are in the order of start. */
static void remove_modules(struct kernel *k, struct change *c)
{
	if (c == NULL)
		return;
	remove_modules(k, c->next);
	if (is_module(c))
		settle_module(k, c);
}

static void commit(struct apply *a)
{
	apply_links_done(a);
	remove_modules(a->k, a->plan->first);
	for (struct change *c = a->plan->first; c != NULL; c = c->next)
		settle_option(a->k, c);
	for (const struct module *w = a->plan->wanted->k->registry->modules; w != NULL; w = w->next) {
		struct module *m = registry_find(a->k, w->pub.name);
		if (m != NULL)
			m->by_hand = false;
	}
	strata_generation_bump(&a->k->pub);
	toggle_tell_services(a->k);
}

/* What came and goes again leaves an order that is another than there was: what an option names may come after
 * the module whose option it is. */
static int order_modules(struct apply *a)
{
	a->order = registry_copy_order(a->k, &a->placed);
	if (a->order == NULL)
		return apply_sentence(a, -ENOMEM, "modules");
	return registry_order(a->k, a->error);
}

static int all_steps(struct apply *a)
{
	int result = 0;
	for (struct change *c = a->plan->first; c != NULL && result == 0; c = c->next)
		result = prepare(a, c);
	if (result == 0)
		result = order_modules(a);
	if (result == 0)
		result = apply_close(a);
	if (result == 0) {
		stop_modules(a);
		result = start_modules(a, false);
	}
	if (result == 0)
		result = apply_open(a);
	if (result == 0) {
		put_settings(a);
		result = put_all_options(a);
	}
	if (result == 0)
		result = apply_addresses(a);
	if (result == 0)
		result = apply_routes(a);
	if (result == 0)
		result = start_modules(a, true);
	if (result == 0 && origin_keep_manifest(a->k, &a->plan->wanted->config) < 0)
		result = apply_sentence(a, -ENOMEM, "manifest");
	return result;
}

int plan_apply(struct plan *plan)
{
	struct apply a = { .k = plan->k, .plan = plan, .error = plan->error };
	int result = all_steps(&a);
	if (result == 0) {
		strata_free(&plan->k->pub, a.order);
		commit(&a);
		return 0;
	}
	undo_all(&a);
	if (a.order != NULL)
		registry_put_order(plan->k, a.order, a.placed);
	strata_generation_bump(&plan->k->pub);
	toggle_tell_services(plan->k);
	strata_error_add(plan->error, "the reload was undone: the stack is as it was before it");
	return result;
}
