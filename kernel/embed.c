/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an embedding program asks of a running stack: options by name, and an end in good order.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include <strata/shards.h>
#include "iface.h"
#include "registry.h"
#include "text.h"

/* Longest name of a module in "module.option". */
#define OWNER_SIZE 128

/* ---- options of the stack itself ---- */

static const struct strata_option stack_options[] = {
	{ .name = "memory", .type = STRATA_OPT_SIZE, .min = 256 << 10, .max = UINT64_MAX,
	  .offset = offsetof(struct stack_settings, memory), .runtime = true, .unit = "bytes",
	  .help = "Most memory that the stack may hold; 0: no limit of its own." },
	{ .name = "sockets", .type = STRATA_OPT_UINT, .min = 1, .max = 1 << 20,
	  .offset = offsetof(struct stack_settings, sockets), .runtime = true, .unit = "sockets",
	  .help = "Most sockets at a time." },
	{ .name = "shards", .type = STRATA_OPT_UINT, .fallback = "1", .min = 1,
	  .max = STRATA_SHARDS_MAX, .offset = offsetof(struct stack_settings, shards), .unit = "stacks",
	  .help = "Stacks made of the manifest, each with a thread and a queue of every device." },
	{ .name = "shard_ring", .type = STRATA_OPT_SIZE, .fallback = "256KiB", .min = 128 << 10,
	  .max = 64 << 20, .offset = offsetof(struct stack_settings, shard_ring), .unit = "bytes",
	  .help = "Room for packets on their way from one shard to another; a power of two." },
	{ .name = "gro", .type = STRATA_OPT_BOOL,
	  .offset = offsetof(struct stack_settings, gro), .runtime = true,
	  .help = "Join the segments that come in to larger packets where the driver does not." },
	{ .name = "busy_poll", .type = STRATA_OPT_TIME, .max = STRATA_SEC,
	  .offset = offsetof(struct stack_settings, busy_poll), .runtime = true, .fallback = "0",
	  .help = "How long the loop goes on asking the devices before it sleeps; 0: it sleeps at once." },
	{ .name = "adaptive_poll", .type = STRATA_OPT_TIME, .max = STRATA_MS,
	  .offset = offsetof(struct stack_settings, adaptive_poll), .runtime = true, .fallback = "50us",
	  .help = "The same, but only after a wait that was no longer; 0: never." },
	{ .name = "name", .type = STRATA_OPT_STRING, .help = "Names the run directory." },
};

/* Where a module has no option of that name, and for the stack, "log" is the level of its log. */
static const char *const log_choices[] = { "error", "warning", "info", "debug", NULL };
static const struct strata_option log_option = {
	.name = "log", .type = STRATA_OPT_CHOICE, .choices = log_choices, .runtime = true,
	.help = "Least severe kind of line that is logged.",
};

static int set_level(struct kernel *k, struct module *m, const char *value,
		     struct strata_error *error)
{
	uint8_t level;
	if (config_log_level(value, &level) < 0) {
		char shown[TEXT_SHOWN_SIZE];
		strata_error_add(error, "option \"log\": expected one of error, warning, info, "
				 "debug, found %s", text_shown(value, shown));
		return -EINVAL;
	}
	if (m != NULL) {
		m->pub.log_level = level;
		m->own_level = true;
		return 0;
	}
	k->settings.log_level = level;
	k->self.log_level = level;
	for (m = registry_walk(k, NULL); m != NULL; m = registry_walk(k, m))
		if (!m->own_level)
			m->pub.log_level = level;
	return 0;
}

/* ---- finding ---- */

/* What "module.option" names. */
struct target {
	struct module *module;		/* NULL: the stack, or */
	struct strata_iface *iface;	/* an interface */
	const char *option;		/* its name */
	struct option_schema schema;
	void *config;
};

static int find_target(struct kernel *k, const char *name, struct target *out,
		       struct strata_error *error)
{
	char owner[OWNER_SIZE];
	const char *dot = strchr(name, '.');
	if (dot == NULL || dot == name || (size_t)(dot - name) >= sizeof(owner)) {
		strata_error_add(error, "option \"%.64s\": expected module.option", name);
		return -ENOENT;
	}
	memcpy(owner, name, (size_t)(dot - name));
	owner[dot - name] = '\0';
	*out = (struct target){ .option = dot + 1, .module = registry_find(k, owner) };
	if (out->module != NULL) {
		const struct strata_module *module = out->module->pub.module;
		out->schema = (struct option_schema){ module->options, module->option_count,
						      module->config_size, "the module" };
		out->config = out->module->pub.config;
		return 0;
	}
	if (strcmp(owner, "stack") == 0) {
		out->schema = (struct option_schema){ stack_options, STRATA_COUNT(stack_options),
						      sizeof(k->settings), "the stack" };
		out->config = &k->settings;
		return 0;
	}
	out->iface = strata_iface_by_name(&k->pub, owner);
	if (out->iface != NULL) {
		const struct strata_module *module = out->iface->driver->module;
		out->schema = (struct option_schema){ module->iface_options,
						      module->iface_option_count,
						      module->iface_config_size, "the interface" };
		out->config = out->iface->config;
		return 0;
	}
	struct text_nearest nearest = { .word = owner };
	char hint[TEXT_HINT_SIZE];
	for (struct module *m = registry_walk(k, NULL); m != NULL; m = registry_walk(k, m))
		text_nearest_offer(&nearest, m->pub.name);
	for (struct strata_iface *i = strata_iface_next(&k->pub, NULL); i != NULL;
	     i = strata_iface_next(&k->pub, i))
		text_nearest_offer(&nearest, i->name);
	strata_error_add(error, "option \"%.64s\": no module or interface of that name%s", name,
			 text_nearest_hint(&nearest, hint));
	return -ENOENT;
}

static bool means_level(const struct target *t)
{
	return t->iface == NULL && strcmp(t->option, "log") == 0 && option_find(&t->schema, "log") == NULL;
}

/* ---- changing ---- */

/* Tells whose the option is. Returns 0 or its refusal. */
static int tell_change(struct kernel *k, const struct target *t, const struct strata_option *option)
{
	struct strata_iface *iface = t->iface;
	int result = 0;
	kernel_enter(k);
	if (iface != NULL) {
		const struct strata_link_ops *ops = iface->driver->module->link;
		if (iface_of(iface)->opened && ops->option_changed != NULL)
			result = ops->option_changed(iface, option);
	} else {
		const struct strata_instance *instance = &t->module->pub;
		if (instance->running && instance->module->option_changed != NULL)
			result = instance->module->option_changed(&t->module->pub, option);
	}
	kernel_leave(k);
	return result;
}

/* Puts the new value in, asks its owner, and takes it back if that refuses. */
static int change(struct kernel *k, const struct target *t, const struct strata_option *option,
		  const char *value, struct strata_error *error)
{
	unsigned char before[sizeof(struct strata_prefix)];
	void *field = (char *)t->config + option->offset, *owned = NULL;
	size_t size = strata_option_size(option);
	_Static_assert(sizeof(before) >= sizeof(struct strata_list) &&
		       sizeof(before) >= sizeof(struct strata_lladdr), "holds every field");
	memcpy(before, field, size);
	int result = option_parse(k, option, value, t->config, &owned, error);
	if (result < 0 || (t->module == NULL && t->iface == NULL))
		return result;
	/* The strings of an interface are one block with its structure. */
	result = t->iface != NULL && owned != NULL ? -EPERM : tell_change(k, t, option);
	if (result < 0) {
		memcpy(field, before, size);
		strata_free(&k->pub, owned);
		strata_error_add(error, "option \"%s\": %s \"%s\" refuses \"%.64s\": %s", option->name,
				 t->iface != NULL ? "interface" : "module",
				 t->iface != NULL ? t->iface->name : t->module->pub.name, value,
				 option->type == STRATA_OPT_MODULE && result == -ENOENT ?
				 "no module of that name is running; load or enable it first" :
				 strerror(-result));
		return result;
	}
	if (t->iface != NULL)
		return 0;
	void **slot = &t->module->owned[option - t->module->pub.module->options];
	strata_free(&k->pub, *slot);
	*slot = owned;
	return 0;
}

int strata_option_set(struct strata_stack *stack, const char *name, const char *value,
		      struct strata_error *error)
{
	struct kernel *k = kernel_of(stack);
	struct target t;
	char hint[TEXT_HINT_SIZE];
	int result = find_target(k, name, &t, error);
	if (result < 0)
		return result;
	if (means_level(&t))
		return set_level(k, t.module, value, error);
	const struct strata_option *option = option_find(&t.schema, t.option);
	if (option == NULL) {
		strata_error_add(error, "option \"%.64s\": %s has none of that name%s", name,
				 t.schema.owner, option_hint(&t.schema, t.option, hint));
		return -ENOENT;
	}
	if (!option->runtime) {
		strata_error_add(error, "option \"%.64s\": cannot be changed while the stack "
				 "runs; change the manifest", name);
		return -EPERM;
	}
	return change(k, &t, option, value, error);
}

int strata_option_get(struct strata_stack *stack, const char *name, char *buf, size_t size)
{
	struct kernel *k = kernel_of(stack);
	struct target t;
	if (find_target(k, name, &t, NULL) < 0)
		return -ENOENT;
	if (means_level(&t)) {
		uint8_t level = t.module != NULL ? t.module->pub.log_level : k->settings.log_level;
		int n = snprintf(buf, size, "%s", config_log_level_name(level));
		return n >= 0 && (size_t)n < size ? 0 : -ENOSPC;
	}
	if (t.module == NULL && t.iface == NULL && strcmp(t.option, "name") == 0) {
		int n = snprintf(buf, size, "%s", k->settings.name);
		return n >= 0 && (size_t)n < size ? 0 : -ENOSPC;
	}
	const struct strata_option *option = option_find(&t.schema, t.option);
	return option != NULL ? option_format(k, option, t.config, buf, size) : -ENOENT;
}

/* ---- looking at all of them ---- */

/* Local choice: longest value that is shown whole. */
#define VALUE_SIZE 1024

struct option_walk {
	struct kernel *k;
	void (*each)(void *ctx, const struct strata_option_view *view);
	void *ctx;
};

/* The default in the form of a value: "60s" is "1min". Types with memory of their own keep the author's. */
static const char *fallback_text(struct kernel *k, const struct strata_option *option,
				 char buf[VALUE_SIZE])
{
	struct strata_option at_start = *option;
	union {
		uint64_t align;
		uint8_t bytes[64];
	} field = { .align = 0 };
	struct strata_error told = { 0 };
	void *owned = NULL;
	const char *text = option->fallback;
	if (text == NULL || option->type == STRATA_OPT_LIST || option->type == STRATA_OPT_STRING ||
	    option->type == STRATA_OPT_MODULE || strata_option_size(option) > sizeof(field))
		return text;
	at_start.offset = 0;
	if (option_parse(k, &at_start, text, &field, &owned, &told) == 0 &&
	    option_format(k, &at_start, &field, buf, VALUE_SIZE) == 0)
		text = buf;
	strata_error_clear(&told);
	strata_free(&k->pub, owned);
	return text;
}

static void walk_schema(const struct option_walk *walk, struct strata_option_view *view,
			const struct strata_option *options, size_t count, const void *config)
{
	char value[VALUE_SIZE], fallback[VALUE_SIZE];
	for (size_t i = 0; i < count; i++) {
		view->option = &options[i];
		view->fallback = fallback_text(walk->k, &options[i], fallback);
		view->value = value;
		if (option_format(walk->k, &options[i], config, value, sizeof(value)) < 0)
			value[0] = '\0';
		walk->each(walk->ctx, view);
	}
}

static void walk_level(const struct option_walk *walk, struct strata_option_view *view, uint8_t level)
{
	view->option = &log_option;
	view->fallback = log_option.fallback;
	view->value = config_log_level_name(level);
	walk->each(walk->ctx, view);
}

void strata_inspect_options(struct strata_stack *stack,
			    void (*each)(void *ctx, const struct strata_option_view *view), void *ctx)
{
	struct kernel *k = kernel_of(stack);
	const struct option_walk walk = { .k = k, .each = each, .ctx = ctx };
	struct strata_option_view view = { .owner = "stack", .of = "stack" };
	/* All but the name, which is no setting of the structure. */
	walk_schema(&walk, &view, stack_options, STRATA_COUNT(stack_options) - 1, &k->settings);
	view.option = &stack_options[STRATA_COUNT(stack_options) - 1];
	view.fallback = view.option->fallback;
	view.value = k->settings.name;
	each(ctx, &view);
	walk_level(&walk, &view, k->settings.log_level);
	view.of = "module";
	for (struct module *m = registry_walk(k, NULL); m != NULL; m = registry_walk(k, m)) {
		const struct strata_module *module = m->pub.module;
		const struct option_schema schema = { module->options, module->option_count,
						      module->config_size, "the module" };
		view.owner = m->pub.name;
		walk_schema(&walk, &view, module->options, module->option_count, m->pub.config);
		if (option_find(&schema, "log") == NULL)
			walk_level(&walk, &view, m->pub.log_level);
	}
	view.of = "interface";
	for (struct strata_iface *i = strata_iface_next(stack, NULL); i != NULL;
	     i = strata_iface_next(stack, i)) {
		view.owner = i->name;
		walk_schema(&walk, &view, i->driver->module->iface_options,
			    i->driver->module->iface_option_count, i->config);
	}
}

/* ---- the end in good order ---- */

void strata_stack_drain(struct strata_stack *stack)
{
	struct kernel *k = kernel_of(stack);
	kernel_enter(k);
	for (struct module *m = registry_walk(k, NULL); m != NULL; m = registry_walk(k, m)) {
		const struct strata_module *module = m->pub.module;
		if (m->pub.running && module->service != NULL && module->service->drain != NULL)
			module->service->drain(&m->pub);
	}
	/* Services have said what is to be ended how; the rest is whoever's. */
	socket_drain(k);
	kernel_leave(k);
}

static void add_queue(void *ctx, const struct strata_socket_view *view)
{
	*(uint64_t *)ctx += view->tx_queue;
}

bool strata_stack_idle(struct strata_stack *stack)
{
	uint64_t waiting = 0;
	strata_inspect_sockets(stack, add_queue, &waiting);
	return waiting == 0;
}
