/* SPDX-License-Identifier: BSD-2-Clause */
/* The stack's tables as JSON, an object an entry. docs/control.md lists the fields. */
#include <ctype.h>
#include <stdio.h>
#include <strata/inspect.h>
#include <strata/sniff.h>
#include <strata/trace.h>
#include "control_json.h"

/* Room kept for what follows the entries of a page: `],"next":18446744073709551615}\n`. */
#define REPLY_TAIL 64
/* Local choice: addresses told with their interface; the table `addresses` has them all. */
#define INTERFACE_ADDRESSES 32

/* ---- parts ---- */

static json_t *json_lladdr(struct strata_stack *stack, const struct strata_lladdr *lladdr)
{
	return lladdr->length != 0 ? json_string(strata_lladdr_text(stack, lladdr)) : json_null();
}

static json_t *json_prefix(struct strata_stack *stack, const struct strata_prefix *prefix)
{
	return json_sprintf("%s/%u", strata_addr_text(stack, &prefix->addr), prefix->bits);
}

/* The prefix's leading ones written as an address: 255.255.255.0. */
static json_t *json_mask(struct strata_stack *stack, const struct strata_prefix *prefix)
{
	struct strata_addr ones = prefix->addr;

	memset(ones.bytes, 0xff, ones.length);
	ones = strata_addr_mask(&ones, prefix->bits);
	ones.scope = 0;
	return json_addr(stack, &ones);
}

/* A drop's or state's SYMBOL as programs see it. */
static json_t *json_lower(const char *symbol)
{
	char buf[64];
	size_t i;

	for (i = 0; symbol[i] != '\0' && i < sizeof(buf) - 1; i++)
		buf[i] = (char)tolower((unsigned char)symbol[i]);
	buf[i] = '\0';
	return json_string(buf);
}

/* ---- pages ---- */

bool control_page_wants(struct control_page *page)
{
	uint64_t index = page->index++;

	return index >= page->from && page->next == 0;
}

void control_page_add(struct control_page *page, json_t *entry)
{
	size_t room = page->room - page->length, comma = page->count != 0, n;

	if (page->shards && entry != NULL)
		json_object_set_new(entry, "shard", json_integer(strata_shard(page->stack)));
	if (entry != NULL && room > comma) {
		n = json_dumpb(entry, page->out + page->length + comma, room - comma, JSON_COMPACT);
		json_decref(entry);
		if (n != 0 && n <= room - comma) {
			if (comma != 0)
				page->out[page->length] = ',';
			page->length += comma + n;
			page->count++;
			return;
		}
	} else {
		json_decref(entry);
	}
	page->next = page->index - 1;
}

/* ---- modules, counters, drops ---- */

static bool is_kernel(const struct strata_module_view *view)
{
	return strcmp(view->instance->name, "kernel") == 0;
}

static void add_module(void *ctx, const struct strata_module_view *view)
{
	const struct strata_instance *instance = view->instance;
	const struct strata_module *module = instance->module;
	struct control_page *page = ctx;
	bool numbered, counted;

	if (is_kernel(view) || !control_page_wants(page))
		return;
	numbered = module->kind == STRATA_NETWORK || module->kind == STRATA_TRANSPORT;
	counted = numbered || module->kind == STRATA_LINK;
	control_page_add(page, json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"name", instance->name,
		"kind", strata_kind_name(module->kind),
		"number", numbered ? json_number(instance->number) : json_null(),
		"version", json_text(module->version),
		"state", json_text(view->state),
		"path", json_text(view->path),
		"summary", json_text(module->summary),
		"rx_packets", counted ? json_number(view->rx_packets) : json_null(),
		"tx_packets", counted ? json_number(view->tx_packets) : json_null()));
}

static void show_modules(struct control_page *page)
{
	strata_inspect_modules(page->stack, add_module, page);
}

static void add_counters(void *ctx, const struct strata_module_view *view)
{
	const struct strata_instance *instance = view->instance;
	struct control_page *page = ctx;
	size_t i;

	for (i = 0; i < instance->module->counter_count; i++) {
		const struct strata_counter_def *def = &instance->module->counters[i];

		if (!control_page_wants(page))
			continue;
		control_page_add(page, json_pack("{s:s, s:s, s:o, s:o, s:o}",
			"module", instance->name,
			"counter", def->name,
			"value", json_number(instance->counters[i]),
			"help", json_text(def->help),
			"mib", json_text(def->mib)));
	}
}

static void show_counters(struct control_page *page)
{
	strata_inspect_modules(page->stack, add_counters, page);
}

static void add_drops(void *ctx, const struct strata_module_view *view)
{
	static const char *const severities[] = {
		[STRATA_SEVERITY_INFO] = "info",
		[STRATA_SEVERITY_WARNING] = "warning",
		[STRATA_SEVERITY_ERROR] = "error",
	};
	const struct strata_instance *instance = view->instance;
	struct control_page *page = ctx;
	size_t i;

	for (i = 0; i < instance->module->drop_count; i++) {
		const struct strata_drop_def *def = &instance->module->drops[i];

		if (!control_page_wants(page))
			continue;
		control_page_add(page, json_pack("{s:s, s:o, s:o, s:s, s:s, s:o}",
			"module", instance->name,
			"reason", json_lower(def->name),
			"count", json_number(instance->drops[i]),
			"severity", severities[def->severity],
			"text", def->text,
			"mib", json_text(def->mib)));
	}
}

static void show_drops(struct control_page *page)
{
	strata_inspect_modules(page->stack, add_drops, page);
}

/* ---- interfaces and addresses ---- */

static json_t *address_entry(struct strata_stack *stack, const struct strata_ifaddr *ifaddr)
{
	static const char *const states[] = {
		[STRATA_IFADDR_TENTATIVE] = "tentative",
		[STRATA_IFADDR_VALID] = "valid",
		[STRATA_IFADDR_DUPLICATE] = "duplicate",
	};

	return json_pack("{s:s, s:o, s:i, s:o, s:o, s:s}",
		"interface", ifaddr->iface->name,
		"address", json_addr(stack, &ifaddr->prefix.addr),
		"prefix", (int)ifaddr->prefix.bits,
		"mask", json_mask(stack, &ifaddr->prefix),
		"broadcast", json_addr(stack, &ifaddr->broadcast),
		"state", states[ifaddr->state]);
}

static json_t *interface_addresses(struct strata_iface *iface, uint64_t *total)
{
	const struct strata_ifaddr *ifaddr;
	json_t *list = json_array();

	*total = 0;
	for (ifaddr = strata_ifaddr_first(iface); ifaddr != NULL; ifaddr = ifaddr->next)
		if ((*total)++ < INTERFACE_ADDRESSES)
			json_array_append_new(list, address_entry(iface->stack, ifaddr));
	return list;
}

static json_t *interface_flags(const struct strata_iface *iface)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} flags[] = {
		{ STRATA_IFACE_UP, "up" },
		{ STRATA_IFACE_RUNNING, "running" },
		{ STRATA_IFACE_BROADCAST, "broadcast" },
		{ STRATA_IFACE_MULTICAST, "multicast" },
		{ STRATA_IFACE_LOOPBACK, "loopback" },
		{ STRATA_IFACE_NO_NEIGHBOUR, "no_neighbour" },
	};
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < STRATA_COUNT(flags); i++)
		if (iface->flags & flags[i].flag)
			json_array_append_new(list, json_string(flags[i].name));
	return list;
}

static json_t *interface_counters(const struct strata_iface_counters *c)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"rx_packets", json_number(c->rx_packets),
		"rx_bytes", json_number(c->rx_bytes),
		"rx_errors", json_number(c->rx_errors),
		"rx_dropped", json_number(c->rx_dropped),
		"tx_packets", json_number(c->tx_packets),
		"tx_bytes", json_number(c->tx_bytes),
		"tx_errors", json_number(c->tx_errors),
		"tx_dropped", json_number(c->tx_dropped));
}

static const char *interface_state(const struct strata_iface *iface)
{
	if (!(iface->flags & STRATA_IFACE_UP))
		return "down";
	return iface->flags & STRATA_IFACE_RUNNING ? "up" : "no carrier";
}

static void show_interfaces(struct control_page *page)
{
	struct strata_iface *iface = NULL;

	while ((iface = strata_iface_next(page->stack, iface)) != NULL) {
		uint64_t total;
		json_t *addresses;

		if (!control_page_wants(page))
			continue;
		addresses = interface_addresses(iface, &total);
		control_page_add(page,
			json_pack("{s:s, s:o, s:s, s:o, s:i, s:o, s:s, s:o, s:o, s:o, s:o, s:o}",
			"name", iface->name,
			"index", json_number(iface->index),
			"driver", iface->driver->name,
			"framing", json_text(iface->framing != NULL ? iface->framing->name : NULL),
			"link_type", (int)strata_iface_link_type(iface),
			"mac", json_lladdr(page->stack, &iface->lladdr),
			"state", interface_state(iface),
			"mtu", json_number(iface->mtu),
			"flags", interface_flags(iface),
			"addresses", addresses,
			"address_count", json_number(total),
			"counters", interface_counters(&iface->counters)));
	}
}

static void show_addresses(struct control_page *page)
{
	struct strata_iface *iface = NULL;
	const struct strata_ifaddr *ifaddr;

	while ((iface = strata_iface_next(page->stack, iface)) != NULL)
		for (ifaddr = strata_ifaddr_first(iface); ifaddr != NULL; ifaddr = ifaddr->next)
			if (control_page_wants(page))
				control_page_add(page, address_entry(page->stack, ifaddr));
}

/* ---- routes, neighbours, groups ---- */

static void add_route(void *ctx, const struct strata_route *route)
{
	struct control_page *page = ctx;

	if (!control_page_wants(page))
		return;
	control_page_add(page, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:s}",
		"to", json_prefix(page->stack, &route->to),
		"via", json_addr(page->stack, &route->via),
		"interface", json_iface(route->iface),
		"source", json_addr(page->stack, &route->src),
		"metric", json_number(route->metric),
		"mtu", route->mtu != 0 ? json_number(route->mtu) : json_null(),
		"congestion", json_text(route->congestion),
		"connected", (int)route->connected,
		"origin", route->connected ? "address" : route->manifest ? "manifest" : "added"));
}

static void show_routes(struct control_page *page)
{
	strata_inspect_routes(page->stack, add_route, page);
}

static json_t *json_age(const struct strata_stack *stack, uint64_t time)
{
	if (time == 0 || time > strata_now(stack))
		return json_null();
	return json_number((strata_now(stack) - time) / STRATA_MS);
}

static void add_neighbour(void *ctx, const struct strata_neigh *neigh)
{
	struct control_page *page = ctx;

	if (!control_page_wants(page))
		return;
	control_page_add(page, json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o}",
		"address", json_addr(page->stack, &neigh->addr),
		"interface", json_iface(neigh->iface),
		"mac", json_lladdr(page->stack, &neigh->lladdr),
		"state", strata_neigh_state_name((enum strata_neigh_state)neigh->state),
		"waiting", json_number(neigh->waiting.count),
		"confirmed_ms", json_age(page->stack, neigh->confirmed),
		"used_ms", json_age(page->stack, neigh->used)));
}

static void show_neighbours(struct control_page *page)
{
	strata_inspect_neighbours(page->stack, add_neighbour, page);
}

static void add_group(void *ctx, const struct strata_group_view *view)
{
	struct control_page *page = ctx;

	if (control_page_wants(page))
		control_page_add(page, json_pack("{s:o, s:o, s:o}",
			"interface", json_iface(view->iface),
			"group", json_addr(page->stack, &view->group),
			"members", json_number(view->members)));
}

static void show_groups(struct control_page *page)
{
	strata_inspect_groups(page->stack, add_group, page);
}

/* ---- options ---- */

static void add_option(void *ctx, const struct strata_option_view *view)
{
	static const char *const types[] = {	/* as `strata module info` names them */
		[STRATA_OPT_BOOL] = "bool", [STRATA_OPT_UINT] = "number", [STRATA_OPT_SIZE] = "size",
		[STRATA_OPT_TIME] = "time", [STRATA_OPT_STRING] = "text", [STRATA_OPT_CHOICE] = "choice",
		[STRATA_OPT_PREFIX] = "prefix", [STRATA_OPT_LLADDR] = "mac", [STRATA_OPT_LIST] = "list",
		[STRATA_OPT_MODULE] = "module", [STRATA_OPT_CHANCE] = "chance",
	};
	const struct strata_option *option = view->option;
	struct control_page *page = ctx;
	bool interface;

	if (!control_page_wants(page))
		return;
	interface = strcmp(view->of, "interface") == 0;
	control_page_add(page, json_pack("{s:o, s:o, s:s, s:s, s:o, s:o, s:o, s:b, s:o}",
		"module", json_text(interface ? NULL : view->owner),
		"interface", json_text(interface ? view->owner : NULL),
		"option", option->name,
		"type", option->type < STRATA_COUNT(types) ? types[option->type] : "?",
		"value", json_text(view->value),
		"default", json_text(view->fallback),
		"unit", json_text(option->unit),
		"runtime", (int)option->runtime,
		"help", json_text(option->help)));
}

static void show_options(struct control_page *page)
{
	strata_inspect_options(page->stack, add_option, page);
}

/* ---- the stack itself ---- */

static void show_version(struct control_page *page)
{
	if (!control_page_wants(page))
		return;
	control_page_add(page, json_pack("{s:s, s:s, s:o, s:i, s:o, s:o, s:i, s:i}",
		"version", strata_version(),
		"stack", page->stack->name,
		"abi", json_sprintf("%d.%d", STRATA_ABI_MAJOR, STRATA_ABI_MINOR),
		"protocol", CONTROL_VERSION,
		"memory", json_number(strata_memory_used(page->stack)),
		"uptime_ms", json_number(strata_uptime(page->stack) / STRATA_MS),
		"shard", (int)strata_shard(page->stack),
		"shards", (int)strata_shard_count(page->stack)));
}

static const struct {
	const char *name;
	void (*show)(struct control_page *page);
	bool one;		/* of the shard that is asked alone */
} tables[] = {
	{ .name = "modules", .show = show_modules },
	{ .name = "interfaces", .show = show_interfaces },
	{ .name = "addresses", .show = show_addresses },
	{ .name = "routes", .show = show_routes },
	{ .name = "neighbours", .show = show_neighbours },
	{ .name = "sockets", .show = control_show_sockets },
	{ .name = "groups", .show = show_groups },
	{ .name = "options", .show = show_options },
	{ .name = "counters", .show = show_counters },
	{ .name = "drops", .show = show_drops },
	{ .name = "graph", .show = control_show_graph, .one = true },
	{ .name = "version", .show = show_version, .one = true },
};

/* The entries of all shards, which stand still meanwhile, one shard's after the other's. */
static void show_shards(struct strata_shards *shards, void (*show)(struct control_page *page),
			struct control_page *page)
{
	unsigned int i;

	strata_shards_pause(shards);
	page->shards = true;
	for (i = 0; i < strata_shards_count(shards) && page->next == 0; i++) {
		page->stack = strata_shards_stack(shards, i);
		show(page);
	}
	strata_shards_resume(shards);
}

/* Writes the entries of the table `what`: of all shards where shard 0 is asked and none is named. Returns
 * false when there is no such table. */
static bool show_table(const char *what, bool all, struct control_page *page)
{
	struct strata_shards *shards = all && strata_shard(page->stack) == 0 ?
		strata_stack_shards(page->stack) : NULL;
	size_t i;

	for (i = 0; i < STRATA_COUNT(tables) && strcmp(tables[i].name, what) != 0; i++)
		continue;
	if (i == STRATA_COUNT(tables))
		return false;
	if (shards != NULL && !tables[i].one)
		show_shards(shards, tables[i].show, page);
	else
		tables[i].show(page);
	return true;
}

static size_t refuse_table(struct control_request *request, const char *what)
{
	struct control_names names = { .count = 0 };
	char hint[96], list[512];
	size_t i;

	for (i = 0; i < STRATA_COUNT(tables); i++)
		control_names_add(&names, tables[i].name);
	return control_fail(request, "unknown_table", "no table '%.40s'%s; there are %s", what,
			    control_names_hint(&names, what, hint),
			    control_names_list(&names, list));
}

size_t control_answer_show(struct control_request *request)
{
	struct control_page page = {
		.stack = request->control->self->stack,
		.out = request->out,
		.from = control_uint(request, "from", 0),
		.room = CONTROL_BUFFER - REPLY_TAIL,
	};
	const char *what = control_text(request, "what");
	char *out = request->out;
	size_t refused = control_sockets_filter(request, what, &page);

	if (refused != 0)
		return refused;
	out[page.length++] = '{';
	page.length += control_put_id(out + page.length, page.room - page.length, request->id);
	page.length += (size_t)snprintf(out + page.length, page.room - page.length,
					",\"ok\":true,\"result\":[");
	if (!show_table(what, control_value(request, "shard") == NULL, &page))
		return refuse_table(request, what);
	out[page.length++] = ']';
	if (page.next != 0)
		page.length += (size_t)snprintf(out + page.length, CONTROL_BUFFER - page.length,
						",\"next\":%llu", (unsigned long long)page.next);
	out[page.length++] = '}';
	out[page.length++] = '\n';
	return page.length;
}
