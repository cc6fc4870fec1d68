/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a manifest's entries to modules in a stack: loaded, their kinds, numbers and options checked,
 * and put in the order of what they need. Every fault is told.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "registry.h"
#include "text.h"

/* IEEE 802.3 3.2.6: smaller values are lengths. */
#define ETHERTYPE_MIN 0x0600
#define WHERE_SIZE (MANIFEST_PLACE_SIZE + 128)

/* ---- loading ---- */

/* `m.yaml:4:5: module "wire"`, or without a place for a module that no manifest names. */
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
	if (l->config == NULL || l->config->log == NULL || l->stack_config->log_level != 0)
		return level;
	for (const struct node *item = l->config->log->first; item != NULL; item = item->next)
		if (item->type == NODE_SCALAR && strcmp(item->key->text, name) == 0 &&
		    config_log_level(item->text, &level) == 0)
			*own = true;
	return level;
}

/* Takes the file over, unless it fails. */
static int add_module(const struct loading *l, const struct config_module *entry, const char *name,
		      struct strata_module_file *file)
{
	struct strata_stack *stack = &l->k->pub;
	struct registry *r = l->k->registry;
	const struct strata_module *module = strata_module_of(file);
	struct module **end = &r->modules;
	struct module *m = strata_alloc(stack, sizeof(*m));
	if (m == NULL)
		goto out_memory;
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
		m->file = NULL;
		module_free(l->k, m);
		goto out_memory;
	}
	m->pub.log_level = level_of(l, name, &m->own_level);
	m->pub.traced = stack->tracing;
	while (*end != NULL)
		end = &(*end)->next;
	*end = m;
	r->count++;
	return 0;
out_memory:
	strata_error_add(l->error, "module \"%s\": out of memory", name);
	return -ENOMEM;
}

static int take_file(const struct loading *l, const struct config_module *entry, const char *name,
		     struct strata_module_file *file)
{
	int result = add_module(l, entry, name, file);
	if (result < 0)
		loader_close(file);
	return result;
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
	return take_file(l, entry, entry->name, file);
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
	return take_file(l, NULL, name, file);
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
			       "first claimed by module \"%s\"%s%s; give one another `number:`",
			       strata_kind_name(kind_of(m)), m->pub.number, m->pub.number,
			       m->pub.name, o->pub.name, place[0] != '\0' ? " at " : "", place);
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
	if (m->entry == NULL && m->pub.config != NULL) {
		/* It has run for a while; its manifest is gone. A plan says what it is going to name. */
		const struct module *said = m->twin != NULL &&
			m->twin->pub.module == m->pub.module ? m->twin : m;
		const char *name;
		memcpy(&name, (const char *)said->pub.config + option->offset, sizeof(name));
		return name;
	}
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

/* Loads what options of `m` and those after it name and the manifest does not; what is loaded may name
 * more. */
static int load_all_named(const struct loading *l, const struct module *m)
{
	for (; m != NULL; m = m->next) {
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

/* Fills the order of start: by kind and name, but what is needed first. An order that there was stays where
 * memory is short. */
static int make_order(const struct loading *l)
{
	struct registry *r = l->k->registry;
	size_t bytes = (r->count + 1) * sizeof(struct module *), i = 0;
	struct module **sorted = strata_alloc(&l->k->pub, bytes);
	struct module **order = strata_alloc(&l->k->pub, bytes);
	struct ordering ordering = { .l = l, .path = strata_alloc(&l->k->pub, bytes) };
	int result = sorted != NULL && ordering.path != NULL && order != NULL ? 0 : -ENOMEM;
	if (result < 0) {
		strata_error_add(l->error, "modules: out of memory");
		strata_free(&l->k->pub, order);
		goto out_free;
	}
	strata_free(&l->k->pub, r->order);
	r->order = order;
	for (struct module *m = r->modules; m != NULL; m = m->next) {
		m->mark = MARK_NEW;
		sorted[i++] = m;
	}
	r->placed = r->count;
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
	if (load_services(&l) == -ENOMEM || load_all_named(&l, k->registry->modules) == -ENOMEM)
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

/* ---- into a running stack ---- */

/* Takes `m` and all after it off the list again. */
static void unload_from(struct kernel *k, struct module *m)
{
	struct module **link = &k->registry->modules;
	while (*link != m)
		link = &(*link)->next;
	while (*link != NULL) {
		struct module *gone = *link;
		*link = gone->next;
		k->registry->count--;
		module_free(k, gone);
	}
}

int registry_load_more(const struct loading *l, const struct config_module *entry,
		       struct module **out)
{
	struct registry *r = l->k->registry;
	struct module *last = r->modules, *first;
	unsigned int before = l->error->count;
	while (last != NULL && last->next != NULL)
		last = last->next;
	int result = load_entry(l, entry);
	if (result < 0)
		return result;
	first = last != NULL ? last->next : r->modules;
	result = load_all_named(l, first);
	for (struct module *m = first; m != NULL && result == 0; m = m->next) {
		check_kind(l, m);
		check_number(l, m);
	}
	for (struct module *m = first; m != NULL && result == 0; m = m->next)
		if (fill_options(l, m) == -ENOMEM)
			result = -ENOMEM;
	if (result == 0 && l->error->count == before)
		result = make_order(l);
	if (result == 0 && l->error->count != before)
		result = -EINVAL;
	for (struct module *m = first; m != NULL; m = m->next)
		m->entry = NULL;
	if (result < 0) {
		unload_from(l->k, first);
		registry_reorder(l->k);
		return result;
	}
	*out = first;
	return 0;
}

void registry_reorder(struct kernel *k)
{
	struct registry *r = k->registry;
	size_t kept = 0;
	for (size_t i = 0; i < r->placed; i++) {
		const struct module *m = r->modules;
		while (m != NULL && m != r->order[i])
			m = m->next;
		if (m != NULL)
			r->order[kept++] = r->order[i];
	}
	r->placed = kept;
}

struct module *registry_adopt(struct kernel *k, struct module *wanted)
{
	struct strata_error error = { 0 };
	struct loading l = { .k = k, .error = &error };
	struct module **end = &k->registry->modules;
	if (add_module(&l, NULL, wanted->pub.name, wanted->file) < 0) {
		strata_error_clear(&error);
		return NULL;
	}
	wanted->file = NULL;
	while ((*end)->next != NULL)
		end = &(*end)->next;
	(*end)->pub.number = wanted->pub.number;
	(*end)->pub.log_level = wanted->pub.log_level;
	(*end)->own_level = wanted->own_level;
	return *end;
}

int registry_order(struct kernel *k, struct strata_error *error)
{
	const struct config none = { .modules = NULL };
	struct loading l = { .k = k, .config = &none, .error = error };
	unsigned int before = error->count;
	if (make_order(&l) < 0)
		return -ENOMEM;
	return error->count == before ? 0 : -EINVAL;
}
