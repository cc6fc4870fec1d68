/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The modules of a stack: what binds them to numbers and names, the order in which they start.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "registry.h"
#include "text.h"

#define NETWORK_BUCKETS 16
/* IEEE 802.3 3.2.6: smaller values are lengths. */
#define ETHERTYPE_MIN 0x0600
#define WHERE_SIZE (MANIFEST_PLACE_SIZE + 128)

struct registry {
	struct module *modules;		/* in the order of the manifest */
	size_t count;
	struct module **order;		/* in the order of start */
	struct module *network[NETWORK_BUCKETS];
	struct module *transport[UINT8_MAX + 1];
	bool checking;
	bool loading;			/* holds a loader_begin() */
};

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

static enum strata_kind kind_of(const struct module *m)
{
	return (enum strata_kind)m->pub.module->kind;
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
		while (i < r->count && &r->order[i]->pub != after)
			i++;
		i++;
	}
	for (; i < r->count; i++)
		if (r->order[i]->bound && kind_of(r->order[i]) == kind)
			return &r->order[i]->pub;
	return NULL;
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
		while (i < r->count && r->order[i] != after)
			i++;
		i++;
	}
	return i < r->count ? r->order[i] : NULL;
}

static bool answers(const struct registry *r, const struct module *m)
{
	return m->bound && (m->pub.running || r->checking);
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

static void module_free(struct kernel *k, struct module *m)
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

void registry_fini(struct kernel *k)
{
	struct registry *r = k->registry;
	if (r == NULL)
		return;
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

/* ---- loading ---- */

struct loading {
	struct kernel *k;
	const struct config *config;
	const struct strata_config *stack_config;
	struct strata_error *error;
};

/* `m.yaml:4:5: module "udp"`, or without a place for a module that no manifest names. */
static const char *where(const struct loading *l, const struct config_module *entry,
			 const char *name, char buf[WHERE_SIZE])
{
	char place[MANIFEST_PLACE_SIZE];
	if (entry == NULL)
		snprintf(buf, WHERE_SIZE, "module \"%.64s\"", name);
	else
		snprintf(buf, WHERE_SIZE, "%s: module \"%.64s\"",
			 manifest_place(l->config->manifest, entry->file_node != NULL ?
					entry->file_node : entry->name_node, place), name);
	return buf;
}

static uint8_t level_of(const struct loading *l, const char *name, bool *own)
{
	uint8_t level = l->k->settings.log_level;
	if (l->stack_config->log_level != 0 || l->config->log == NULL)
		return level;
	for (const struct node *item = l->config->log->first; item != NULL; item = item->next)
		if (item->type == NODE_SCALAR && strcmp(item->key->text, name) == 0 &&
		    config_log_level(item->text, &level) == 0)
			*own = true;
	return level;
}

/* Takes the file over, also when it fails. */
static int add_module(const struct loading *l, const struct config_module *entry, const char *name,
		      struct strata_module_file *file)
{
	struct strata_stack *stack = &l->k->pub;
	struct registry *r = l->k->registry;
	const struct strata_module *module = strata_module_of(file);
	struct module **end = &r->modules;
	struct module *m = strata_alloc(stack, sizeof(*m));
	if (m == NULL) {
		loader_close(file);
		goto out_memory;
	}
	m->file = file;
	m->entry = entry;
	m->pub.stack = stack;
	m->pub.module = module;
	m->pub.number = module->number;
	m->pub.name = kernel_strdup(l->k, name);
	/* One more than counted: an empty table is a table. */
	m->pub.counters = strata_alloc(stack, (module->counter_count + 1) * sizeof(uint64_t));
	m->pub.drops = strata_alloc(stack, (module->drop_count + 1) * sizeof(uint64_t));
	m->owned = strata_alloc(stack, (module->option_count + 1) * sizeof(void *));
	if (m->pub.name == NULL || m->pub.counters == NULL || m->pub.drops == NULL ||
	    m->owned == NULL) {
		module_free(l->k, m);
		goto out_memory;
	}
	m->pub.log_level = level_of(l, name, &m->own_level);
	while (*end != NULL)
		end = &(*end)->next;
	*end = m;
	r->count++;
	return 0;
out_memory:
	strata_error_add(l->error, "module \"%s\": out of memory", name);
	return -ENOMEM;
}

static int load_entry(const struct loading *l, const struct config_module *entry)
{
	char place[WHERE_SIZE];
	struct strata_module_file *file = NULL;
	struct loader_request request = {
		.where = where(l, entry, entry->name, place),
		.file = entry->file != NULL ? entry->file : entry->name,
		.directory = manifest_directory(l->config->manifest),
		.module_path = l->stack_config->module_path,
		.trust_check = l->stack_config->trust_check,
	};
	if (loader_open(&request, &file, l->error) < 0)
		return -EINVAL;
	return add_module(l, entry, entry->name, file);
}

/* What the manifest says of a module of that name; NULL: nothing. */
static const struct config_module *named(const struct config *config, const char *name)
{
	const struct config_module *m = config->modules;
	while (m != NULL && (m->name == NULL || strcmp(m->name, name) != 0))
		m = m->next;
	return m;
}

/* A module that the manifest does not speak of, if there is one: -ENOENT. */
static int load_implied(const struct loading *l, const char *name)
{
	char place[WHERE_SIZE];
	struct strata_module_file *file = NULL;
	struct loader_request request = {
		.where = where(l, NULL, name, place),
		.file = name,
		.module_path = l->stack_config->module_path,
		.trust_check = l->stack_config->trust_check,
	};
	if (!loader_exists(&request))
		return -ENOENT;
	if (loader_open(&request, &file, l->error) < 0)
		return -EINVAL;
	return add_module(l, NULL, name, file);
}

/* Services that the program wants, unless the manifest speaks of them or there are none. */
static int load_services(const struct loading *l)
{
	const char *const *name = l->stack_config->implied_services;
	for (; name != NULL && *name != NULL; name++)
		if (!named(l->config, *name) && load_implied(l, *name) == -ENOMEM)
			return -ENOMEM;
	return 0;
}

/* ---- kinds and numbers ---- */

#define module_fault(l, m, node, ...) \
	fault_at_entry((l), (m)->entry != NULL ? (node) : NULL, __VA_ARGS__)

STRATA_PRINTF(3, 4)
static void fault_at_entry(const struct loading *l, const struct node *node, const char *format,
			   ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (node != NULL)
		manifest_fault(l->config->manifest, node, l->error, "%s", text != NULL ? text : "");
	else
		strata_error_add(l->error, "%s", text != NULL ? text : "out of memory");
	free(text);
}

static void check_kind(const struct loading *l, const struct module *m)
{
	const struct config_module *entry = m->entry;
	if (entry != NULL && entry->kind >= 0 && entry->kind != (int)kind_of(m))
		manifest_fault(l->config->manifest, entry->kind_node, l->error,
			       "module \"%s\": expected kind %s, which %s is, found %s",
			       m->pub.name,
			       strata_kind_name(kind_of(m)), strata_module_path(m->file),
			       strata_kind_name((enum strata_kind)entry->kind));
}

static void check_number(const struct loading *l, struct module *m)
{
	bool said = m->entry != NULL && m->entry->number_node != NULL;
	const struct node *node = m->entry == NULL ? NULL :
		said ? m->entry->number_node : m->entry->name_node;
	uint32_t min = kind_of(m) == STRATA_NETWORK ? ETHERTYPE_MIN : 1;
	uint32_t max = kind_of(m) == STRATA_NETWORK ? UINT16_MAX : UINT8_MAX;
	if (kind_of(m) != STRATA_NETWORK && kind_of(m) != STRATA_TRANSPORT) {
		if (said)
			fault_at_entry(l, node, "module \"%s\": expected no number, since a %s "
				       "module is bound by its name, found %u", m->pub.name,
				       strata_kind_name(kind_of(m)), m->entry->number);
		m->pub.number = 0;
		return;
	}
	if (said)
		m->pub.number = m->entry->number;
	if (m->pub.number < min || m->pub.number > max) {
		char range[32];
		snprintf(range, sizeof(range), min == 1 ? "%u to %u" : "0x%04x to 0x%04x", min,
			 max);
		if (m->pub.number == 0)
			fault_at_entry(l, node, "module \"%s\": expected `number:` from %s, found "
				       "none, and the module claims none", m->pub.name, range);
		else
			fault_at_entry(l, node, "module \"%s\": expected a number from %s, found "
				       "%u",
				       m->pub.name, range, m->pub.number);
		m->pub.number = 0;
		return;
	}
	for (const struct module *o = l->k->registry->modules; o != m; o = o->next) {
		char place[MANIFEST_PLACE_SIZE] = "";
		if (kind_of(o) != kind_of(m) || o->pub.number != m->pub.number)
			continue;
		if (o->entry != NULL)
			manifest_place(l->config->manifest, o->entry->name_node, place);
		fault_at_entry(l, node, "%s number %u (0x%04x) is taken: wanted by module \"%s\", "
			       "first claimed by module \"%s\" at %s; give one another `number:`",
			       strata_kind_name(kind_of(m)), m->pub.number, m->pub.number,
			       m->pub.name, o->pub.name, place);
		m->pub.number = 0;
		return;
	}
}

/* ---- modules that options name ---- */

/* The name in an option of type MODULE, NULL: none; `*node` is where the manifest has it. */
static const char *named_by_option(const struct module *m, const struct strata_option *option,
				   const struct node **node)
{
	const struct node *value = option_value(m->entry != NULL ? m->entry->options : NULL,
						option->name);
	*node = value != NULL ? value : m->entry != NULL ? m->entry->name_node : NULL;
	if (value == NULL)
		return option->fallback;
	return value->type == NODE_SCALAR && !value->faulty ? value->text : NULL;
}

static int load_named(const struct loading *l, const struct module *m,
		      const struct strata_option *option)
{
	const struct node *node;
	const char *name = named_by_option(m, option, &node);
	const char *kind = strata_kind_name((enum strata_kind)option->names);
	const struct config_module *entry = name != NULL ? named(l->config, name) : NULL;
	const struct module *found = name != NULL ? registry_find(l->k, name) : NULL;
	if (name == NULL || (entry != NULL && entry->enabled && found == NULL))
		return 0;	/* what could not be loaded has been told */
	if (!text_is_name(name)) {
		fault_at_entry(l, node, "option \"%s\" of module \"%s\": expected the name of a %s "
			       "module, of letters, digits, `_` and `-`, found \"%.64s\"",
			       option->name, m->pub.name, kind, name);
		return 0;
	}
	if (found == NULL && entry != NULL) {
		fault_at_entry(l, node, "missing dependency: option \"%s\" of module \"%s\": expected "
			       "an enabled %s module, found \"%s\" with `enabled: false` at line %u",
			       option->name, m->pub.name, kind, name, entry->node->line);
		return 0;
	}
	if (found == NULL) {
		int result = load_implied(l, name);
		if (result == -ENOENT)
			fault_at_entry(l, node, "missing dependency: option \"%s\" of module \"%s\": "
				       "expected the name of a %s module, found none of name \"%s\" "
				       "on the module path; `strata module list` shows what there is",
				       option->name, m->pub.name, kind, name);
		if (result < 0)
			return result;
		found = registry_find(l->k, name);
	}
	if (kind_of(found) != (enum strata_kind)option->names)
		fault_at_entry(l, node, "option \"%s\" of module \"%s\": expected a %s module, "
			       "found \"%s\", a %s module", option->name, m->pub.name, kind, name,
			       strata_kind_name(kind_of(found)));
	return 0;
}

/* Loads what options name and the manifest does not; what is loaded may name more. */
static int load_all_named(const struct loading *l)
{
	for (const struct module *m = l->k->registry->modules; m != NULL; m = m->next) {
		const struct strata_module *module = m->pub.module;
		for (size_t i = 0; i < module->option_count; i++)
			if (module->options[i].type == STRATA_OPT_MODULE &&
			    load_named(l, m, &module->options[i]) == -ENOMEM)
				return -ENOMEM;
	}
	return 0;
}

/* ---- dependencies ---- */

bool registry_dependency_ends(const struct strata_dependency *d)
{
	return d == NULL || (d->name == NULL && d->number == 0);
}

bool registry_satisfies(const struct module *m, const struct strata_dependency *d)
{
	return kind_of(m) == d->kind && (d->name != NULL ? strcmp(m->pub.name, d->name) == 0 :
					 m->pub.number == d->number);
}

static struct module *find_dependency(struct registry *r, const struct strata_dependency *d)
{
	struct module *m = r->modules;
	while (m != NULL && !registry_satisfies(m, d))
		m = m->next;
	return m;
}

static const char *dependency_text(const struct strata_dependency *d, char buf[96])
{
	if (d->name != NULL)
		snprintf(buf, 96, "%s module \"%.60s\"", strata_kind_name(d->kind), d->name);
	else
		snprintf(buf, 96, "%s module with number %u (0x%04x)", strata_kind_name(d->kind),
			 d->number, d->number);
	return buf;
}

/* Says why nothing satisfies a dependency, and what to do. */
static void missing_dependency(const struct loading *l, const struct module *m,
			       const struct strata_dependency *d)
{
	const struct config_module *off = NULL;
	char wanted[96], remedy[160] = "";
	for (const struct config_module *e = l->config->modules; e != NULL; e = e->next)
		if (!e->enabled && e->name != NULL &&
		    ((d->name != NULL && strcmp(e->name, d->name) == 0) ||
		     (d->name == NULL && e->number_node != NULL && e->number == d->number)))
			off = e;
	if (off != NULL)
		snprintf(remedy, sizeof(remedy), "; \"%.60s\" has `enabled: false` at line %u",
			 off->name, off->node->line);
	else if (d->name != NULL)
		snprintf(remedy, sizeof(remedy), "; add `- name: %.60s` to modules", d->name);
	else
		snprintf(remedy, sizeof(remedy), "; add it to modules");
	module_fault(l, m, m->entry->name_node, "missing dependency: %s needs the %s, found none%s",
		     m->pub.name, dependency_text(d, wanted), remedy);
}

enum {
	MARK_NEW,
	MARK_OPEN,			/* on the path from the root of the walk */
	MARK_DONE,
};

struct ordering {
	const struct loading *l;
	struct module **path;		/* modules being visited, outermost first */
	size_t depth;
	size_t placed;
};

static void tell_cycle(const struct ordering *o, const struct module *again)
{
	char text[512];
	size_t at = 0, i = 0;
	while (o->path[i] != again)
		i++;
	for (; i < o->depth && at < sizeof(text); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s → ", o->path[i]->pub.name);
	module_fault(o->l, again, again->entry->name_node,
		     "circular dependency: %s%s; expected an order in which each module starts "
		     "after what it needs", text, again->pub.name);
}

static void place(struct ordering *o, struct module *m);

static void place_needed(struct ordering *o, const struct module *m, struct module *needed)
{
	if (kind_of(needed) == STRATA_SERVICE && kind_of(m) != STRATA_SERVICE)
		module_fault(o->l, m, m->entry->name_node,
			     "%s needs the service \"%s\": expected no such need, since services "
			     "start last", m->pub.name, needed->pub.name);
	else if (needed->mark == MARK_OPEN)
		tell_cycle(o, needed);
	else if (needed->mark == MARK_NEW)
		place(o, needed);
}

static void place_named(struct ordering *o, const struct module *m)
{
	const struct strata_module *module = m->pub.module;
	for (size_t i = 0; i < module->option_count; i++) {
		const struct node *node;
		const char *name = module->options[i].type == STRATA_OPT_MODULE ?
			named_by_option(m, &module->options[i], &node) : NULL;
		struct module *needed = name != NULL ? registry_find(o->l->k, name) : NULL;
		if (needed != NULL)
			place_needed(o, m, needed);
	}
}

/* Depth first, and so its own caller: what a module needs is placed before it. */
static void place(struct ordering *o, struct module *m)
{
	struct registry *r = o->l->k->registry;
	m->mark = MARK_OPEN;
	o->path[o->depth++] = m;
	const struct strata_dependency *d = m->pub.module->depends;
	for (; !registry_dependency_ends(d); d++) {
		struct module *needed = find_dependency(r, d);
		if (needed != NULL)
			place_needed(o, m, needed);
		else if (!d->optional)
			missing_dependency(o->l, m, d);
	}
	place_named(o, m);
	o->depth--;
	m->mark = MARK_DONE;
	r->order[o->placed++] = m;
}

static int compare_modules(const void *a, const void *b)
{
	const struct module *x = *(struct module *const *)a, *y = *(struct module *const *)b;
	return kind_of(x) != kind_of(y) ? (kind_of(x) < kind_of(y) ? -1 : 1) :
	       strcmp(x->pub.name, y->pub.name);
}

/* Fills the order of start: by kind and name, but what is needed first. */
static int make_order(const struct loading *l)
{
	struct registry *r = l->k->registry;
	size_t bytes = (r->count + 1) * sizeof(struct module *), i = 0;
	struct module **sorted = strata_alloc(&l->k->pub, bytes);
	struct ordering ordering = { .l = l, .path = strata_alloc(&l->k->pub, bytes) };
	r->order = strata_alloc(&l->k->pub, bytes);
	int result = sorted != NULL && ordering.path != NULL && r->order != NULL ? 0 : -ENOMEM;
	if (result < 0) {
		strata_error_add(l->error, "modules: out of memory");
		/* Nobody is to walk an order that is not there. */
		strata_free(&l->k->pub, r->order);
		r->order = NULL;
		goto out_free;
	}
	for (struct module *m = r->modules; m != NULL; m = m->next)
		sorted[i++] = m;
	qsort(sorted, r->count, sizeof(struct module *), compare_modules);
	for (i = 0; i < r->count; i++)
		if (sorted[i]->mark == MARK_NEW)
			place(&ordering, sorted[i]);
out_free:
	strata_free(&l->k->pub, sorted);
	strata_free(&l->k->pub, ordering.path);
	return result;
}

/* ---- options ---- */

static int fill_options(const struct loading *l, struct module *m)
{
	const struct strata_module *module = m->pub.module;
	char owner[96];
	struct option_schema schema = {
		.options = module->options,
		.count = module->option_count,
		.size = module->config_size,
		.owner = owner,
	};
	snprintf(owner, sizeof(owner), "module \"%.64s\"", m->pub.name);
	return option_fill(l->k, &schema, l->config->manifest,
			   m->entry != NULL ? m->entry->options : NULL,
			   m->entry != NULL ? m->entry->node : manifest_root(l->config->manifest),
			   &m->pub.config, l->error);
}

int registry_load(struct kernel *k, const struct config *config,
		  const struct strata_config *stack_config, struct strata_error *error)
{
	struct loading l = { k, config, stack_config, error };
	unsigned int before = error->count;
	if (loader_begin(error) < 0)
		return -EINVAL;
	k->registry->loading = true;
	for (const struct config_module *entry = config->modules; entry != NULL; entry = entry->next)
		/* A faulty name or file has been told. */
		if (entry->enabled && entry->name != NULL &&
		    (entry->file != NULL || entry->file_node == NULL) &&
		    load_entry(&l, entry) == -ENOMEM)
			return -ENOMEM;
	if (load_services(&l) == -ENOMEM || load_all_named(&l) == -ENOMEM)
		return -ENOMEM;
	for (struct module *m = k->registry->modules; m != NULL; m = m->next) {
		check_kind(&l, m);
		check_number(&l, m);
	}
	if (make_order(&l) < 0)
		return -ENOMEM;
	for (struct module *m = k->registry->modules; m != NULL; m = m->next)
		m->bound = true;
	addr_ops_changed(k);
	for (struct module *m = k->registry->modules; m != NULL; m = m->next)
		if (fill_options(&l, m) == -ENOMEM)
			return -ENOMEM;
	return error->count == before ? 0 : -EINVAL;
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
	if (m->pub.module->stop != NULL)
		m->pub.module->stop(&m->pub);
	strata_log(&k->pub, NULL, STRATA_LOG_DEBUG, "module %s: stopped", m->pub.name);
}

int registry_start(struct kernel *k, bool services, struct strata_error *error)
{
	struct registry *r = k->registry;
	for (size_t i = 0; i < r->count; i++) {
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
	for (size_t i = r->order != NULL ? r->count : 0; i > 0; i--) {
		struct module *m = r->order[i - 1];
		if (m->pub.running && (!services_only || kind_of(m) == STRATA_SERVICE))
			registry_stop_one(k, m);
	}
}
