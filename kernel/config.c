/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The schema of a manifest, version 1 (strata.yaml(5)): a table of keys for each map, and a
 * function that takes each value. Here ends all that is known without loading a module.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>

#include <strata/shards.h>
#include "manifest.h"
#include "text.h"

#define SCHEMA_VERSION 1
#define SHOWN 192
/* Local choices. */
#define MEMORY_MIN (UINT64_C(256) << 10)
#define SOCKETS_DEFAULT 65536
#define SOCKETS_MAX (UINT64_C(1) << 20)
/* Local choice: room for the first packets of some hundred flows; a super-packet fits the least. */
#define SHARD_RING_DEFAULT (UINT64_C(256) << 10)
#define SHARD_RING_MIN (UINT64_C(128) << 10)
#define SHARD_RING_MAX (UINT64_C(64) << 20)
/* Local choice: a core that spins for longer than this serves nobody better. */
#define BUSY_POLL_MAX STRATA_SEC
#define ADAPTIVE_POLL_MAX STRATA_MS
/* Local choice: some times what it costs to sleep and be woken. */
#define ADAPTIVE_POLL_DEFAULT (50 * STRATA_US)

struct config_reader {
	struct config *config;
	struct strata_error *error;
	bool out_of_memory;
};

/* One key of a map. */
struct key_rule {
	const char *name;
	void (*take)(struct config_reader *r, const struct node *value, void *object);
	bool required;
};

#define config_fault(r, node, ...) \
	manifest_fault((r)->config->manifest, (node), (r)->error, __VA_ARGS__)

/* ---- taking values ---- */

static void *config_alloc(struct config_reader *r, size_t size)
{
	void *p = manifest_alloc(r->config->manifest, size);
	if (p == NULL && !r->out_of_memory) {
		strata_error_add(r->error, "%s: out of memory", manifest_name(r->config->manifest));
		r->out_of_memory = true;
	}
	return p;
}

static void expected(struct config_reader *r, const struct node *value, const char *what,
		     const char *hint)
{
	char shown[SHOWN], key[TEXT_SHOWN_SIZE];
	bool keyed = value->key != NULL;
	if (value->faulty)
		return;
	config_fault(r, value, "%s%sexpected %s, found %s%s%s",
		     keyed ? text_shown(value->key->text, key) : "", keyed ? ": " : "", what,
		     node_shown(value, shown, sizeof(shown)), hint[0] != '\0' ? "; " : "", hint);
}

/* A scalar that says something; NULL after a fault. */
static const char *take_text(struct config_reader *r, const struct node *value, const char *what)
{
	if (value->faulty)
		return NULL;
	if (value->type == NODE_SCALAR && !node_is_nothing(value) && value->text[0] != '\0')
		return value->text;
	expected(r, value, what, "");
	return NULL;
}

static bool take_uint(struct config_reader *r, const struct node *value, uint64_t min, uint64_t max,
		      uint64_t *out)
{
	struct text_fault fault;
	char what[96];
	uint64_t number = 0;
	snprintf(what, sizeof(what), "a number from %" PRIu64 " to %" PRIu64, min, max);
	const char *text = take_text(r, value, what);
	if (text == NULL)
		return false;
	if (value->quoted || text_uint(text, &number, &fault) < 0) {
		expected(r, value, what, value->quoted ? "leave the quotes out" : fault.hint);
		return false;
	}
	if (number < min || number > max) {
		expected(r, value, what, "");
		return false;
	}
	*out = number;
	return true;
}

static bool take_uint32(struct config_reader *r, const struct node *value, uint32_t min,
			uint32_t max, uint32_t *out)
{
	uint64_t number;
	if (!take_uint(r, value, min, max, &number))
		return false;
	*out = (uint32_t)number;
	return true;
}

static void take_bool(struct config_reader *r, const struct node *value, bool *out)
{
	struct text_fault fault;
	const char *text = take_text(r, value, "true or false");
	if (text == NULL)
		return;
	if (value->quoted)
		expected(r, value, "true or false", "leave the quotes out");
	else if (text_bool(text, false, out, &fault) < 0)
		expected(r, value, fault.expected, fault.hint);
}

static const char *take_name(struct config_reader *r, const struct node *value)
{
	static const char what[] = "a name of letters, digits, '-' and '_'";
	const char *text = take_text(r, value, what);
	if (text != NULL && !text_is_name(text)) {
		expected(r, value, what, "");
		text = NULL;
	}
	return text;
}

static void unknown_key(struct config_reader *r, const struct node *key,
			const struct key_rule *rules, size_t count, const char *what)
{
	struct text_nearest nearest = { .word = key->text };
	char shown[TEXT_SHOWN_SIZE], hint[TEXT_HINT_SIZE], known[160];
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		text_nearest_offer(&nearest, rules[i].name);
		at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", i > 0 ? ", " : "",
				       rules[i].name);
	}
	config_fault(r, key, "unknown key %s in %s: expected one of %s%s",
		     text_shown(key->text, shown), what, known,
		     text_nearest_hint(&nearest, hint));
}

static void take_map(struct config_reader *r, const struct node *map, const struct key_rule *rules,
		     size_t count, const char *what, void *object)
{
	if (map->type != NODE_MAP) {
		expected(r, map, "a map of keys and values", "");
		return;
	}
	for (const struct node *value = map->first; value != NULL; value = value->next) {
		size_t i = 0;
		while (i < count && strcmp(rules[i].name, value->key->text) != 0)
			i++;
		if (i < count)
			rules[i].take(r, value, object);
		else if (!value->key->faulty)
			unknown_key(r, value->key, rules, count, what);
	}
	for (size_t i = 0; i < count; i++) {
		const struct node *value = map->first;
		while (value != NULL && strcmp(rules[i].name, value->key->text) != 0)
			value = value->next;
		if (rules[i].required && value == NULL)
			config_fault(r, map, "missing key \"%s\": expected in %s", rules[i].name,
				     what);
	}
}

static bool take_list(struct config_reader *r, const struct node *list, const char *what)
{
	if (list->type == NODE_LIST)
		return true;
	expected(r, list, what, "");
	return false;
}

/* A map that a module's schema will be applied to. */
static const struct node *take_options(struct config_reader *r, const struct node *value)
{
	if (value->type == NODE_MAP)
		return value;
	expected(r, value, "a map of options", "");
	return NULL;
}


/* ---- levels ---- */

static const char *const level_names[] = {
	[STRATA_LOG_ERROR] = "error",
	[STRATA_LOG_WARNING] = "warning",
	[STRATA_LOG_INFO] = "info",
	[STRATA_LOG_DEBUG] = "debug",
};

int config_log_level(const char *text, uint8_t *level)
{
	for (uint8_t i = 0; i < STRATA_COUNT(level_names); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*level = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *config_log_level_name(uint8_t level)
{
	return level < STRATA_COUNT(level_names) ? level_names[level] : "?";
}

static bool take_level(struct config_reader *r, const struct node *value, uint8_t *level)
{
	static const char what[] = "one of error, warning, info, debug";
	struct text_nearest nearest = { .word = "" };
	char hint[TEXT_HINT_SIZE];
	const char *text = take_text(r, value, what);
	if (text == NULL)
		return false;
	if (config_log_level(text, level) == 0)
		return true;
	nearest.word = text;
	for (size_t i = 0; i < STRATA_COUNT(level_names); i++)
		text_nearest_offer(&nearest, level_names[i]);
	text_nearest_hint(&nearest, hint);
	expected(r, value, what, hint[0] != '\0' ? hint + 2 : "");
	return false;
}

/* ---- stack: ---- */

static void take_stack_name(struct config_reader *r, const struct node *value, void *object)
{
	struct stack_settings *settings = object;
	const char *name = take_name(r, value);
	if (name == NULL)
		return;
	if (strlen(name) >= sizeof(settings->name))
		expected(r, value, "a name of at most 63 characters", "");
	else
		memcpy(settings->name, name, strlen(name) + 1);
}

static void take_stack_log(struct config_reader *r, const struct node *value, void *object)
{
	struct stack_settings *settings = object;
	uint8_t level;
	if (value->type != NODE_MAP) {
		take_level(r, value, &settings->log_level);
		return;
	}
	r->config->log = value;
	for (const struct node *item = value->first; item != NULL; item = item->next)
		if (take_level(r, item, &level) && strcmp(item->key->text, "default") == 0)
			settings->log_level = level;
}

static void take_stack_memory(struct config_reader *r, const struct node *value, void *object)
{
	struct stack_settings *settings = object;
	struct text_fault fault;
	uint64_t bytes = 0;
	const char *text = take_text(r, value, "a size in bytes, KiB, MiB or GiB");
	if (text == NULL)
		return;
	if (text_size(text, &bytes, &fault) < 0)
		expected(r, value, fault.expected, fault.hint);
	else if (bytes < MEMORY_MIN)
		expected(r, value, "a size of at least 256KiB", "");
	else
		settings->memory = bytes;
}

static void take_stack_sockets(struct config_reader *r, const struct node *value, void *object)
{
	struct stack_settings *settings = object;
	take_uint(r, value, 1, SOCKETS_MAX, &settings->sockets);
}

static void take_stack_shards(struct config_reader *r, const struct node *value, void *object)
{
	struct stack_settings *settings = object;
	r->config->shards = value;
	take_uint(r, value, 1, STRATA_SHARDS_MAX, &settings->shards);
}

static void take_stack_shard_ring(struct config_reader *r, const struct node *value, void *object)
{
	static const char what[] = "a size from 128KiB to 64MiB that is a power of two";
	struct stack_settings *settings = object;
	struct text_fault fault;
	uint64_t bytes = 0;
	const char *text = take_text(r, value, what);
	if (text == NULL)
		return;
	if (text_size(text, &bytes, &fault) < 0)
		expected(r, value, fault.expected, fault.hint);
	else if (bytes < SHARD_RING_MIN || bytes > SHARD_RING_MAX || (bytes & (bytes - 1)) != 0)
		expected(r, value, what, "");
	else
		settings->shard_ring = bytes;
}

static void take_stack_gro(struct config_reader *r, const struct node *value, void *object)
{
	struct stack_settings *settings = object;
	take_bool(r, value, &settings->gro);
}

/* A time of at most `most`, which `limit` says in words. */
static void take_poll(struct config_reader *r, const struct node *value, uint64_t most,
		      const char *limit, uint64_t *out)
{
	struct text_fault fault;
	uint64_t ns = 0;
	const char *text = take_text(r, value, "a time in us, ms, s or min");
	if (text == NULL)
		return;
	if (text_time(text, &ns, &fault) < 0)
		expected(r, value, fault.expected, fault.hint);
	else if (ns > most)
		expected(r, value, limit, "");
	else
		*out = ns;
}

static void take_stack_busy_poll(struct config_reader *r, const struct node *value, void *object)
{
	struct stack_settings *settings = object;
	take_poll(r, value, BUSY_POLL_MAX, "a time of at most 1s", &settings->busy_poll);
}

static void take_stack_adaptive_poll(struct config_reader *r, const struct node *value, void *object)
{
	struct stack_settings *settings = object;
	take_poll(r, value, ADAPTIVE_POLL_MAX, "a time of at most 1ms", &settings->adaptive_poll);
}

static const struct key_rule stack_keys[] = {
	{ "name", take_stack_name, false },
	{ "log", take_stack_log, false },
	{ "memory", take_stack_memory, false },
	{ "sockets", take_stack_sockets, false },
	{ "shards", take_stack_shards, false },
	{ "shard_ring", take_stack_shard_ring, false },
	{ "gro", take_stack_gro, false },
	{ "busy_poll", take_stack_busy_poll, false },
	{ "adaptive_poll", take_stack_adaptive_poll, false },
};

static void take_stack(struct config_reader *r, const struct node *value, void *object)
{
	struct config *config = object;
	take_map(r, value, stack_keys, STRATA_COUNT(stack_keys), "stack", &config->settings);
}

/* ---- modules: ---- */

static void take_module_name(struct config_reader *r, const struct node *value, void *object)
{
	struct config_module *module = object;
	module->name = take_name(r, value);
	module->name_node = value;
}

static void take_module_file(struct config_reader *r, const struct node *value, void *object)
{
	struct config_module *module = object;
	const char *text = take_text(r, value, "the name or path of a module file");
	module->file_node = value;
	if (text == NULL)
		return;
	if (strncmp(text, "../", 3) == 0 || strstr(text, "/../") != NULL || strcmp(text, "..") == 0)
		expected(r, value, "a name, or a path without \"..\"", "write the absolute path");
	else if (strlen(text) >= PATH_MAX - 4 || text[strlen(text) - 1] == '/')
		expected(r, value, "the name or path of a module file", "");
	else
		module->file = text;
}

static void take_module_kind(struct config_reader *r, const struct node *value, void *object)
{
	static const char what[] = "one of link, network, transport, congestion, service";
	struct config_module *module = object;
	struct text_nearest nearest = { .word = "" };
	char hint[TEXT_HINT_SIZE];
	const char *text = take_text(r, value, what);
	if (text == NULL)
		return;
	nearest.word = text;
	for (int kind = 0; kind < STRATA_KINDS; kind++) {
		if (strcmp(text, strata_kind_name((enum strata_kind)kind)) == 0) {
			module->kind = kind;
			module->kind_node = value;
			return;
		}
		text_nearest_offer(&nearest, strata_kind_name((enum strata_kind)kind));
	}
	text_nearest_hint(&nearest, hint);
	expected(r, value, what, hint[0] != '\0' ? hint + 2 : "");
}

static void take_module_number(struct config_reader *r, const struct node *value, void *object)
{
	struct config_module *module = object;
	if (take_uint32(r, value, 1, UINT16_MAX, &module->number))
		module->number_node = value;
}

static void take_module_enabled(struct config_reader *r, const struct node *value, void *object)
{
	struct config_module *module = object;
	take_bool(r, value, &module->enabled);
}

static void take_module_options(struct config_reader *r, const struct node *value, void *object)
{
	struct config_module *module = object;
	module->options = take_options(r, value);
}

static const struct key_rule module_keys[] = {
	{ "name", take_module_name, true },
	{ "kind", take_module_kind, false },
	{ "number", take_module_number, false },
	{ "file", take_module_file, false },
	{ "enabled", take_module_enabled, false },
	{ "options", take_module_options, false },
};

static void take_modules(struct config_reader *r, const struct node *list, void *object)
{
	struct config *config = object;
	if (!take_list(r, list, "a list of modules"))
		return;
	struct config_module **end = &config->modules;
	for (const struct node *item = list->first; item != NULL; item = item->next) {
		struct config_module *module = config_alloc(r, sizeof(*module));
		if (module == NULL)
			return;
		module->node = item;
		module->kind = -1;
		module->enabled = true;
		take_map(r, item, module_keys, STRATA_COUNT(module_keys), "a module", module);
		*end = module;
		end = &module->next;
	}
}

/* ---- interfaces: ---- */

static void take_iface_name(struct config_reader *r, const struct node *value, void *object)
{
	struct config_iface *iface = object;
	iface->name = take_name(r, value);
	iface->name_node = value;
	if (iface->name != NULL && strlen(iface->name) >= IFNAMSIZ) {
		expected(r, value, "a name of at most 15 characters", "");
		iface->name = NULL;
	}
}

static void take_iface_driver(struct config_reader *r, const struct node *value, void *object)
{
	struct config_iface *iface = object;
	iface->driver = take_name(r, value);
	iface->driver_node = value;
}

static void take_iface_options(struct config_reader *r, const struct node *value, void *object)
{
	struct config_iface *iface = object;
	iface->options = take_options(r, value);
}

static void take_iface_mtu(struct config_reader *r, const struct node *value, void *object)
{
	struct config_iface *iface = object;
	if (take_uint32(r, value, 1, STRATA_PKT_MAX, &iface->mtu))
		iface->mtu_node = value;
}

static void take_iface_mac(struct config_reader *r, const struct node *value, void *object)
{
	struct config_iface *iface = object;
	iface->mac = take_text(r, value, "a link address such as 02:00:00:00:00:01");
	iface->mac_node = value;
}

static void take_iface_addresses(struct config_reader *r, const struct node *value, void *object)
{
	struct config_iface *iface = object;
	if (take_list(r, value, "a list of addresses such as [192.0.2.2/24]"))
		iface->addresses = value;
}

static void take_iface_up(struct config_reader *r, const struct node *value, void *object)
{
	struct config_iface *iface = object;
	bool up = true;
	take_bool(r, value, &up);
	iface->down = !up;
}

static const struct key_rule iface_keys[] = {
	{ "name", take_iface_name, true },
	{ "driver", take_iface_driver, true },
	{ "options", take_iface_options, false },
	{ "mtu", take_iface_mtu, false },
	{ "mac", take_iface_mac, false },
	{ "addresses", take_iface_addresses, false },
	{ "up", take_iface_up, false },
};

static void take_ifaces(struct config_reader *r, const struct node *list, void *object)
{
	struct config *config = object;
	if (!take_list(r, list, "a list of interfaces"))
		return;
	struct config_iface **end = &config->ifaces;
	for (const struct node *item = list->first; item != NULL; item = item->next) {
		struct config_iface *iface = config_alloc(r, sizeof(*iface));
		if (iface == NULL)
			return;
		iface->node = item;
		take_map(r, item, iface_keys, STRATA_COUNT(iface_keys), "an interface", iface);
		*end = iface;
		end = &iface->next;
	}
}

/* ---- routes: ---- */

static void take_route_text(struct config_reader *r, const struct node *value,
			    const struct node **out, const char *what)
{
	if (take_text(r, value, what) != NULL)
		*out = value;
}

static void take_route_to(struct config_reader *r, const struct node *value, void *object)
{
	struct config_route *route = object;
	take_route_text(r, value, &route->to, "a prefix such as 0.0.0.0/0");
}

static void take_route_via(struct config_reader *r, const struct node *value, void *object)
{
	struct config_route *route = object;
	take_route_text(r, value, &route->via, "the address of a gateway");
}

static void take_route_interface(struct config_reader *r, const struct node *value, void *object)
{
	struct config_route *route = object;
	take_route_text(r, value, &route->interface, "the name of an interface");
}

static void take_route_src(struct config_reader *r, const struct node *value, void *object)
{
	struct config_route *route = object;
	take_route_text(r, value, &route->src, "an address of an interface");
}

static void take_route_congestion(struct config_reader *r, const struct node *value, void *object)
{
	struct config_route *route = object;
	take_route_text(r, value, &route->congestion, "the name of a congestion module");
}

static void take_route_metric(struct config_reader *r, const struct node *value, void *object)
{
	struct config_route *route = object;
	take_uint32(r, value, 0, UINT32_MAX, &route->metric);
}

static void take_route_mtu(struct config_reader *r, const struct node *value, void *object)
{
	struct config_route *route = object;
	take_uint32(r, value, 1, STRATA_PKT_MAX, &route->mtu);
}

static const struct key_rule route_keys[] = {
	{ "to", take_route_to, true },
	{ "via", take_route_via, false },
	{ "interface", take_route_interface, false },
	{ "src", take_route_src, false },
	{ "metric", take_route_metric, false },
	{ "mtu", take_route_mtu, false },
	{ "congestion", take_route_congestion, false },
};

static void take_routes(struct config_reader *r, const struct node *list, void *object)
{
	struct config *config = object;
	if (!take_list(r, list, "a list of routes"))
		return;
	struct config_route **end = &config->routes;
	for (const struct node *item = list->first; item != NULL; item = item->next) {
		struct config_route *route = config_alloc(r, sizeof(*route));
		if (route == NULL)
			return;
		route->node = item;
		take_map(r, item, route_keys, STRATA_COUNT(route_keys), "a route", route);
		*end = route;
		end = &route->next;
	}
}

/* ---- what holds between entries ---- */

/* Two entries claim one name: both are told. */
static void check_module_names(struct config_reader *r)
{
	char place[MANIFEST_PLACE_SIZE];
	for (struct config_module *m = r->config->modules; m != NULL; m = m->next) {
		if (m->name == NULL || !m->enabled)
			continue;
		for (const struct config_module *o = r->config->modules; o != m; o = o->next) {
			if (o->name == NULL || !o->enabled || strcmp(o->name, m->name) != 0)
				continue;
			config_fault(r, m->name_node,
				     "module name \"%s\" is taken: expected it once, first found "
				     "at %s; remove one entry, or name one otherwise with `file: "
				     "%s`", m->name,
				     manifest_place(r->config->manifest, o->name_node, place),
				     m->name);
			m->name = NULL;
			break;
		}
	}
}

static void check_iface_names(struct config_reader *r)
{
	char place[MANIFEST_PLACE_SIZE];
	for (struct config_iface *i = r->config->ifaces; i != NULL; i = i->next) {
		if (i->name == NULL)
			continue;
		for (const struct config_iface *o = r->config->ifaces; o != i; o = o->next) {
			if (o->name == NULL || strcmp(o->name, i->name) != 0)
				continue;
			config_fault(r, i->name_node, "interface name \"%s\" is taken: expected "
				     "it once, first found at %s", i->name,
				     manifest_place(r->config->manifest, o->name_node, place));
			i->name = NULL;
			break;
		}
	}
}

static const struct config_module *find_entry(const struct config *config, const char *name,
					      bool enabled)
{
	const struct config_module *m = config->modules;
	while (m != NULL &&
	       (m->name == NULL || m->enabled != enabled || strcmp(m->name, name) != 0))
		m = m->next;
	return m;
}

const struct config_module *config_module_find(const struct config *config, const char *name)
{
	return find_entry(config, name, true);
}

/* No enabled module has that name: says what to do about it. */
static void no_module(struct config_reader *r, const struct node *node, const char *what,
		      const char *name)
{
	const struct config_module *off = find_entry(r->config, name, false);
	struct text_nearest nearest = { .word = name };
	char hint[TEXT_HINT_SIZE], place[MANIFEST_PLACE_SIZE];
	if (off != NULL) {
		config_fault(r, node, "%s \"%s\": expected an enabled module, found `enabled: "
			     "false` at %s",
			     what, name, manifest_place(r->config->manifest, off->node, place));
		return;
	}
	for (const struct config_module *m = r->config->modules; m != NULL; m = m->next)
		if (m->name != NULL && m->enabled)
			text_nearest_offer(&nearest, m->name);
	config_fault(r, node, "%s \"%s\": expected the name of a module, found none of that name; "
		     "add `- name: %s` to modules%s", what, name, name,
		     text_nearest_hint(&nearest, hint));
}

static void check_references(struct config_reader *r)
{
	const struct config *config = r->config;
	for (struct config_iface *i = config->ifaces; i != NULL; i = i->next) {
		char what[64];
		if (i->driver == NULL || find_entry(config, i->driver, true) != NULL)
			continue;
		snprintf(what, sizeof(what), "interface \"%s\": driver",
			 i->name != NULL ? i->name : "");
		no_module(r, i->driver_node, what, i->driver);
		i->driver = NULL;
	}
	for (const struct config_route *route = config->routes; route != NULL; route = route->next)
		if (route->congestion != NULL &&
		    find_entry(config, route->congestion->text, true) == NULL)
			no_module(r, route->congestion, "congestion", route->congestion->text);
	for (const struct node *item = config->log != NULL ? config->log->first : NULL; item != NULL;
	     item = item->next) {
		const char *name = item->key->text;
		if (!item->key->faulty && strcmp(name, "default") != 0 &&
		    strcmp(name, "kernel") != 0 &&
		    find_entry(config, name, true) == NULL &&
		    find_entry(config, name, false) == NULL)
			no_module(r, item->key, "log of", name);
	}
}

/* ---- the whole ---- */

static void take_version(struct config_reader *r, const struct node *value, void *object)
{
	static const char what[] = "schema version 1";
	const char *text = take_text(r, value, what);
	struct text_fault fault;
	uint64_t version = 0;
	(void)object;
	if (text == NULL)
		return;
	if (text_uint(text, &version, &fault) < 0)
		expected(r, value, what, fault.hint);
	else if (version != SCHEMA_VERSION || value->quoted)
		expected(r, value, what,
			 version > SCHEMA_VERSION ? "this manifest is for a newer Strata" :
			 value->quoted ? "leave the quotes out" : "");
}

static const struct key_rule top_keys[] = {
	{ "strata", take_version, true },
	{ "stack", take_stack, false },
	{ "modules", take_modules, false },
	{ "interfaces", take_ifaces, false },
	{ "routes", take_routes, false },
};

int config_read(struct manifest *manifest, struct config *config, struct strata_error *error)
{
	struct config_reader reader = { .config = config, .error = error };
	*config = (struct config){
		.manifest = manifest,
		.settings = {
			.name = "default",
			.sockets = SOCKETS_DEFAULT,
			.shards = 1,
			.shard_ring = SHARD_RING_DEFAULT,
			.log_level = STRATA_LOG_INFO,
			.gro = true,
			.adaptive_poll = ADAPTIVE_POLL_DEFAULT,
		},
	};
	take_map(&reader, manifest_root(manifest), top_keys, STRATA_COUNT(top_keys), "the manifest",
		 config);
	check_module_names(&reader);
	check_iface_names(&reader);
	check_references(&reader);
	return reader.out_of_memory ? -ENOMEM : 0;
}
