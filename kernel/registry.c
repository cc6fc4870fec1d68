/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The modules of a stack: what binds them to numbers and names, and how they start and stop. How they
 * get there from a manifest is in registry_load.c.
 */
#include <errno.h>

#include "registry.h"

const char *strata_kind_name(enum strata_kind kind)
{
	static const char *const names[] = {
		[STRATA_LINK] = "link",
		[STRATA_NETWORK] = "network",
		[STRATA_TRANSPORT] = "transport",
		[STRATA_CONGESTION] = "congestion",
		[STRATA_SERVICE] = "service",
	};
	_Static_assert(STRATA_COUNT(names) == STRATA_KINDS, "a name for each kind");
	return (size_t)kind < STRATA_COUNT(names) ? names[kind] : "?";
}

/* ---- binding ---- */

static struct module **network_bucket(struct registry *r, uint32_t number)
{
	return &r->network[(number ^ number >> 8 ^ number >> 4) % NETWORK_BUCKETS];
}

struct strata_instance *registry_network(struct kernel *k, uint16_t number)
{
	struct module *m = *network_bucket(k->registry, number);
	while (m != NULL && m->pub.number != number)
		m = m->hash_next;
	return m != NULL ? &m->pub : NULL;
}

struct strata_instance *registry_transport(struct kernel *k, uint8_t number)
{
	struct module *m = k->registry->transport[number];
	return m != NULL ? &m->pub : NULL;
}

/* Enters the number into the packet path's tables. */
static void enter_number(struct registry *r, struct module *m)
{
	if (kind_of(m) == STRATA_NETWORK) {
		struct module **bucket = network_bucket(r, m->pub.number);
		m->hash_next = *bucket;
		*bucket = m;
	} else if (kind_of(m) == STRATA_TRANSPORT) {
		r->transport[m->pub.number] = m;
	}
}

static void leave_number(struct registry *r, struct module *m)
{
	if (kind_of(m) == STRATA_NETWORK) {
		struct module **link = network_bucket(r, m->pub.number);
		while (*link != NULL && *link != m)
			link = &(*link)->hash_next;
		if (*link == m)
			*link = m->hash_next;
	} else if (kind_of(m) == STRATA_TRANSPORT && r->transport[m->pub.number] == m) {
		r->transport[m->pub.number] = NULL;
	}
}

struct strata_instance *registry_next(struct kernel *k, enum strata_kind kind,
				      const struct strata_instance *after)
{
	struct registry *r = k->registry;
	size_t i = 0;
	if (r == NULL || r->order == NULL)
		return NULL;
	if (after != NULL) {
		while (i < r->placed && &r->order[i]->pub != after)
			i++;
		i++;
	}
	for (; i < r->placed; i++)
		if (r->order[i]->bound && kind_of(r->order[i]) == kind)
			return &r->order[i]->pub;
	return NULL;
}

static bool provides(const struct strata_module *module, const char *feature)
{
	const char *const *p = module->provides;
	for (; p != NULL && *p != NULL; p++)
		if (strcmp(*p, feature) == 0)
			return true;
	return false;
}

/* Under its own number first, since the same module may be bound to another one as an experiment. */
static struct strata_instance *find_default(struct kernel *k, int type)
{
	const char *feature = type == SOCK_STREAM ? "default-stream" : "default-datagram";
	struct strata_instance *t, *found = NULL;
	for (t = registry_next(k, STRATA_TRANSPORT, NULL); t != NULL;
	     t = registry_next(k, STRATA_TRANSPORT, t))
		if (transport_fits(t, type) && provides(t->module, feature) &&
		    (found == NULL || (t->number == t->module->number &&
				       found->number != found->module->number)))
			found = t;
	return found;
}

struct strata_instance *registry_default_transport(struct kernel *k, int type)
{
	struct registry *r = k->registry;
	const size_t i = type == SOCK_STREAM ? 0 : 1;
	if (r->defaults[i].transport == NULL || r->defaults[i].generation != k->pub.generation) {
		r->defaults[i].transport = find_default(k, type);
		r->defaults[i].generation = k->pub.generation;
	}
	return r->defaults[i].transport;
}

struct module *registry_find(struct kernel *k, const char *name)
{
	struct module *m = k->registry != NULL ? k->registry->modules : NULL;
	while (m != NULL && strcmp(m->pub.name, name) != 0)
		m = m->next;
	return m;
}

struct module *registry_walk(struct kernel *k, const struct module *after)
{
	struct registry *r = k->registry;
	size_t i = 0;
	if (r->order == NULL)
		return NULL;
	if (after != NULL) {
		while (i < r->placed && r->order[i] != after)
			i++;
		i++;
	}
	return i < r->placed ? r->order[i] : NULL;
}

static bool answers(const struct registry *r, const struct module *m)
{
	return m->bound && (m->pub.running || r->checking);
}

void registry_set_traced(struct kernel *k, bool traced)
{
	struct module *m = k->registry != NULL ? k->registry->modules : NULL;

	for (; m != NULL; m = m->next)
		m->pub.traced = traced;
}

struct strata_instance *strata_instance_by_number(struct strata_stack *stack, enum strata_kind kind,
						  uint32_t number)
{
	struct registry *r = kernel_of(stack)->registry;
	if (kind != STRATA_NETWORK && kind != STRATA_TRANSPORT)
		return NULL;
	for (struct module *m = r->modules; m != NULL; m = m->next)
		if (m->pub.number == number && kind_of(m) == kind && answers(r, m))
			return &m->pub;
	return NULL;
}

struct strata_instance *strata_instance_by_name(struct strata_stack *stack, enum strata_kind kind,
						const char *name)
{
	struct kernel *k = kernel_of(stack);
	struct module *m = registry_find(k, name);
	return m != NULL && kind_of(m) == kind && answers(k->registry, m) ? &m->pub : NULL;
}

void registry_set_checking(struct kernel *k, bool checking)
{
	k->registry->checking = checking;
}

/* ---- life of the table ---- */

int registry_init(struct kernel *k)
{
	k->registry = strata_alloc(&k->pub, sizeof(*k->registry));
	return k->registry != NULL ? 0 : -ENOMEM;
}

void module_free(struct kernel *k, struct module *m)
{
	const struct strata_module *module = m->pub.module;
	for (size_t i = 0; m->owned != NULL && i < module->option_count; i++)
		strata_free(&k->pub, m->owned[i]);
	strata_free(&k->pub, m->owned);
	strata_free(&k->pub, m->pub.config);
	strata_free(&k->pub, m->pub.counters);
	strata_free(&k->pub, m->pub.drops);
	strata_free(&k->pub, (char *)(uintptr_t)m->pub.name);
	toggle_forget(k, m);
	loader_close(m->file);
	strata_free(&k->pub, m);
}

static void free_buried(struct kernel *k)
{
	struct registry *r = k->registry;
	while (r->graves != NULL) {
		struct module *m = r->graves;
		r->graves = m->next;
		module_free(k, m);
	}
}

static void reap(struct strata_stack *stack, struct strata_call *call)
{
	(void)call;
	free_buried(kernel_of(stack));
}

void module_bury(struct kernel *k, struct module *m)
{
	struct registry *r = k->registry;
	m->next = r->graves;
	r->graves = m;
	r->reap.run = reap;
	strata_call_later(&k->pub, &r->reap);
}

void registry_remove(struct kernel *k, struct module *m)
{
	struct module **link = &k->registry->modules;
	while (*link != m)
		link = &(*link)->next;
	*link = m->next;
	k->registry->count--;
	registry_reorder(k);
	if (kind_of(m) == STRATA_CONGESTION)
		socket_algorithm_gone(k, &m->pub);
	strata_generation_bump(&k->pub);
	module_bury(k, m);
}

void registry_place_before(struct kernel *k, struct module *m, struct module *other)
{
	struct module **link = &k->registry->modules;
	while (*link != m)
		link = &(*link)->next;
	*link = m->next;
	link = &k->registry->modules;
	while (*link != other)
		link = &(*link)->next;
	m->next = other;
	*link = m;
}

struct module **registry_copy_order(struct kernel *k, size_t *count)
{
	const struct registry *r = k->registry;
	struct module **copy = strata_alloc(&k->pub, (r->placed + 1) * sizeof(struct module *));
	if (copy == NULL)
		return NULL;
	*count = r->placed;
	for (size_t i = 0; i < r->placed; i++)
		copy[i] = r->order[i];
	return copy;
}

void registry_put_order(struct kernel *k, struct module **order, size_t count)
{
	struct registry *r = k->registry;
	strata_free(&k->pub, r->order);
	r->order = order;
	r->placed = count;
}

void registry_fini(struct kernel *k)
{
	struct registry *r = k->registry;
	if (r == NULL)
		return;
	strata_call_cancel(&k->pub, &r->reap);
	free_buried(k);
	while (r->modules != NULL) {
		struct module *m = r->modules;
		r->modules = m->next;
		module_free(k, m);
	}
	strata_free(&k->pub, r->order);
	if (r->loading)
		loader_end();
	strata_free(&k->pub, r);
	k->registry = NULL;
}

void registry_forget_config(struct kernel *k)
{
	for (struct module *m = k->registry->modules; m != NULL; m = m->next)
		m->entry = NULL;
}

/* ---- starting and stopping ---- */

int registry_start_one(struct kernel *k, struct module *m, struct strata_error *error)
{
	struct strata_error why = { 0 };
	int result = m->pub.module->start != NULL ? m->pub.module->start(&m->pub, &why) : 0;
	if (result < 0) {
		size_t length = why.length;
		strata_error_add(error, "module \"%s\" could not start: %.*s%s", m->pub.name,
				 (int)(length > 0 ? length - 1 : 0), strata_error_text(&why),
				 length > 0 ? "" : strerror(-result));
		strata_error_clear(&why);
		return result;
	}
	strata_error_clear(&why);
	m->pub.running = true;
	enter_number(k->registry, m);
	strata_generation_bump(&k->pub);
	strata_log(&k->pub, NULL, STRATA_LOG_DEBUG,
		   "module %s: started (%s, number %u, version %s)", m->pub.name, strata_kind_name(kind_of(m)), m->pub.number,
		   m->pub.module->version);
	return 0;
}

void registry_stop_one(struct kernel *k, struct module *m)
{
	leave_number(k->registry, m);
	if (kind_of(m) == STRATA_TRANSPORT)
		socket_transport_gone(k, &m->pub);
	m->pub.running = false;
	strata_generation_bump(&k->pub);
	if (m->pub.module->stop != NULL)
		m->pub.module->stop(&m->pub);
	strata_log(&k->pub, NULL, STRATA_LOG_DEBUG, "module %s: stopped", m->pub.name);
}

int registry_start(struct kernel *k, bool services, struct strata_error *error)
{
	struct registry *r = k->registry;
	for (size_t i = 0; i < r->placed; i++) {
		struct module *m = r->order[i];
		if ((kind_of(m) == STRATA_SERVICE) != services)
			continue;
		int result = registry_start_one(k, m, error);
		if (result < 0)
			return result;
	}
	return 0;
}

void registry_stop(struct kernel *k, bool services_only)
{
	struct registry *r = k->registry;
	for (size_t i = r->order != NULL ? r->placed : 0; i > 0; i--) {
		struct module *m = r->order[i - 1];
		if (m->pub.running && (!services_only || kind_of(m) == STRATA_SERVICE))
			registry_stop_one(k, m);
	}
}
