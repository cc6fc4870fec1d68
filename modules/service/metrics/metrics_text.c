/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack's counters and gauges in Prometheus' text exposition format, version 0.0.4: of each metric a HELP and
 * a TYPE line, then its samples, all together and once. Names follow its conventions: base units, counters end in
 * _total. strata-metrics(7) lists them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <strata/inspect.h>
#include <strata/trace.h>

#include "metrics_int.h"

/* Local choice: kinds of things that are told apart by two labels at most, such as states of sockets. */
#define GROUPS 64
/* Longest name of a metric, and of a label's value. */
#define NAME_SIZE 160
#define LABEL_SIZE 64
#define FIRST_ROOM 8192

/* ---- text ---- */

static bool reserve(struct metrics_text *text, size_t more)
{
	size_t room = text->room == 0 ? FIRST_ROOM : text->room;
	char *data;

	if (text->failed || text->length + more > text->limit) {
		text->failed = true;
		return false;
	}
	if (text->length + more <= text->room)
		return true;
	while (room < text->length + more)
		room *= 2;
	data = strata_alloc(text->stack, room);
	if (data == NULL) {
		text->failed = true;
		return false;
	}
	if (text->length != 0)
		memcpy(data, text->data, text->length);
	strata_free(text->stack, text->data);
	text->data = data;
	text->room = room;
	return true;
}

void metrics_append(struct metrics_text *text, const void *bytes, size_t length)
{
	if (length == 0 || !reserve(text, length))
		return;
	memcpy(text->data + text->length, bytes, length);
	text->length += length;
}

void metrics_printf(struct metrics_text *text, const char *format, ...)
{
	char line[512];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(line))
		text->failed = true;
	else
		metrics_append(text, line, (size_t)n);
}

/* A string with backslash, newline and, in a label's value, the quote escaped. */
static void put_escaped(struct metrics_text *text, const char *string, bool quotes)
{
	const char *run = string;

	for (; *string != '\0'; string++) {
		if (*string != '\\' && *string != '\n' && !(quotes && *string == '"'))
			continue;
		metrics_append(text, run, (size_t)(string - run));
		metrics_append(text, *string == '\n' ? "\\n" : *string == '"' ? "\\\"" : "\\\\", 2);
		run = string + 1;
	}
	metrics_append(text, run, (size_t)(string - run));
}

static void begin(struct metrics_text *text, const char *name, const char *type, const char *help)
{
	metrics_printf(text, "# HELP %s ", name);
	put_escaped(text, help, false);
	metrics_printf(text, "\n# TYPE %s %s\n", name, type);
}

/* One sample; labels are pairs of name and value, ended by NULL. */
static void sample(struct metrics_text *text, const char *name, uint64_t value, ...)
{
	const char *label, *separator = "{";
	va_list args;

	metrics_printf(text, "%s", name);
	if (strata_shard_count(text->stack) > 1) {
		metrics_printf(text, "{shard=\"%u\"", strata_shard(text->stack));
		separator = ",";
	}
	va_start(args, value);
	while ((label = va_arg(args, const char *)) != NULL) {
		const char *string = va_arg(args, const char *);

		metrics_printf(text, "%s%s=\"", separator, label);
		put_escaped(text, string != NULL ? string : "", true);
		metrics_printf(text, "\"");
		separator = ",";
	}
	va_end(args);
	metrics_printf(text, "%s %llu\n", separator[0] == ',' ? "}" : "", (unsigned long long)value);
}

/* A metric of one sample without labels. */
static void single(struct metrics_text *text, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	begin(text, name, type, help);
	sample(text, name, value, NULL);
}

/* A module's or a counter's name as part of a metric's: letters, digits and underscores. */
static void plain_name(char out[LABEL_SIZE], const char *name)
{
	size_t i;

	for (i = 0; name[i] != '\0' && i < LABEL_SIZE - 1; i++) {
		char c = name[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		out[i] = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
	}
	out[i] = '\0';
}

/* ---- the stack ---- */

static void expose_stack(struct metrics_text *text)
{
	struct strata_stack *stack = text->stack;
	uint64_t wall = strata_wall_clock(stack), up = strata_uptime(stack);
	char abi[16];

	snprintf(abi, sizeof(abi), "%d.%d", STRATA_ABI_MAJOR, STRATA_ABI_MINOR);
	begin(text, "strata_build_info", "gauge", "Version of the stack; always 1.");
	sample(text, "strata_build_info", 1, "version", strata_version(), "abi", abi, "stack", stack->name,
	       NULL);
	single(text, "strata_start_time_seconds", "gauge", "When the stack was made, seconds since 1970.",
	       (wall > up ? wall - up : 0) / STRATA_SEC);
	single(text, "strata_uptime_seconds", "gauge", "For how long the stack has been there.",
	       up / STRATA_SEC);
	single(text, "strata_memory_bytes", "gauge", "Memory that the stack holds.",
	       strata_memory_used(stack));
}

/* ---- modules ---- */

/* A walk over modules, of which each metric needs one of its own: its samples must stand together. */
struct module_walk {
	struct metrics_text *text;
	const char *name;
	bool transmit;
	const struct strata_instance *instance;	/* whose names are looked at, and what they begin with */
	char plain[LABEL_SIZE];
	bool clash;			/* another module's may be the same */
};

static bool is_kernel(const struct strata_instance *instance)
{
	return strcmp(instance->name, "kernel") == 0;
}

static bool counts_packets(const struct strata_instance *instance)
{
	const uint32_t kind = instance->module->kind;

	return !is_kernel(instance) && (kind == STRATA_LINK || kind == STRATA_NETWORK ||
					kind == STRATA_TRANSPORT);
}

static void module_info(void *ctx, const struct strata_module_view *view)
{
	const struct strata_instance *instance = view->instance;
	struct module_walk *walk = ctx;
	char number[16] = "";

	if (is_kernel(instance))
		return;
	if (instance->number != 0)
		snprintf(number, sizeof(number), instance->module->kind == STRATA_NETWORK ? "0x%04x" : "%u",
			 instance->number);
	sample(walk->text, walk->name, 1, "module", instance->name, "kind",
	       strata_kind_name((enum strata_kind)instance->module->kind), "number", number, "version",
	       instance->module->version, NULL);
}

static void module_running(void *ctx, const struct strata_module_view *view)
{
	struct module_walk *walk = ctx;

	if (!is_kernel(view->instance))
		sample(walk->text, walk->name, view->instance->running, "module", view->instance->name, NULL);
}

static void module_packets(void *ctx, const struct strata_module_view *view)
{
	struct module_walk *walk = ctx;

	if (counts_packets(view->instance))
		sample(walk->text, walk->name, walk->transmit ? view->tx_packets : view->rx_packets, "module",
		       view->instance->name, NULL);
}

static void module_drops(void *ctx, const struct strata_module_view *view)
{
	static const char *const severities[] = {
		[STRATA_SEVERITY_INFO] = "info",
		[STRATA_SEVERITY_WARNING] = "warning",
		[STRATA_SEVERITY_ERROR] = "error",
	};
	const struct strata_instance *instance = view->instance;
	struct module_walk *walk = ctx;
	size_t i;

	for (i = 0; i < instance->module->drop_count; i++) {
		const struct strata_drop_def *def = &instance->module->drops[i];
		char reason[LABEL_SIZE];

		plain_name(reason, def->name);
		sample(walk->text, walk->name, instance->drops[i], "module", instance->name, "reason", reason,
		       "severity", severities[def->severity], NULL);
	}
}

/* Whether one name begins with the other and an underscore, or is it. */
static bool may_clash(const char *a, const char *b)
{
	size_t x = strlen(a), y = strlen(b), shorter = x < y ? x : y;

	return strncmp(a, b, shorter) == 0 && (x == y || (x > y ? a : b)[shorter] == '_');
}

/* "tcp" with a counter "a_b", and "tcp_a" with "b": only then names are looked for, which takes time. */
static void find_clash(void *ctx, const struct strata_module_view *view)
{
	struct module_walk *walk = ctx;
	char plain[LABEL_SIZE];

	plain_name(plain, view->instance->name);
	if (view->instance != walk->instance && may_clash(plain, walk->plain))
		walk->clash = true;
}

static bool is_taken(const struct metrics_text *text, const char *name)
{
	char line[NAME_SIZE + 16];
	int n = snprintf(line, sizeof(line), "\n# TYPE %s ", name);

	return memmem(text->data, text->length, line, (size_t)n) != NULL;
}

static void module_counters(void *ctx, const struct strata_module_view *view)
{
	const struct strata_instance *instance = view->instance;
	struct module_walk *walk = ctx, own = { .instance = instance };
	unsigned int n;
	size_t i;

	plain_name(own.plain, instance->name);
	own.clash = may_clash(own.plain, "module") || may_clash(own.plain, "interface");
	strata_inspect_modules(walk->text->stack, find_clash, &own);
	for (i = 0; i < instance->module->counter_count; i++) {
		const struct strata_counter_def *def = &instance->module->counters[i];
		char counter[LABEL_SIZE], name[NAME_SIZE];

		plain_name(counter, def->name);
		snprintf(name, sizeof(name), "strata_%s_%s_total", own.plain, counter);
		for (n = 2; own.clash && !walk->text->failed && is_taken(walk->text, name); n++)
			snprintf(name, sizeof(name), "strata_%s_%s_%u_total", own.plain, counter, n);
		begin(walk->text, name, "counter", def->help);
		sample(walk->text, name, instance->counters[i], NULL);
	}
}

static void walk_modules(struct metrics_text *text, const char *name, const char *type, const char *help,
			 bool transmit, void (*each)(void *ctx, const struct strata_module_view *view))
{
	struct module_walk walk = { .text = text, .name = name, .transmit = transmit };

	if (name != NULL)
		begin(text, name, type, help);
	strata_inspect_modules(text->stack, each, &walk);
}

static void expose_modules(struct metrics_text *text)
{
	walk_modules(text, "strata_module_info", "gauge", "Modules of the stack; always 1.", false,
		     module_info);
	walk_modules(text, "strata_module_running", "gauge", "1 while the module runs, 0 while it is disabled.",
		     false, module_running);
	walk_modules(text, "strata_module_receive_packets_total", "counter",
		     "Packets given to the module where it is bound, segments counted each.", false,
		     module_packets);
	walk_modules(text, "strata_module_transmit_packets_total", "counter",
		     "Packets taken from the module where it is bound, segments counted each.", true,
		     module_packets);
	walk_modules(text, "strata_drops_total", "counter", "Packets discarded, by module and reason.", false,
		     module_drops);
	walk_modules(text, NULL, NULL, NULL, false, module_counters);
}

/* ---- interfaces ---- */

static void expose_interface_counters(struct metrics_text *text)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} metrics[] = {
#define M(name_, field, help_) { "strata_interface_" name_ "_total", help_, \
				 offsetof(struct strata_iface_counters, field) }
		M("receive_packets", rx_packets, "Packets received, segments counted each."),
		M("receive_bytes", rx_bytes, "Bytes received, link headers included."),
		M("receive_errors", rx_errors, "Failures of the device to receive."),
		M("receive_dropped", rx_dropped, "Packets received and discarded."),
		M("transmit_packets", tx_packets, "Packets sent, segments counted each."),
		M("transmit_bytes", tx_bytes, "Bytes sent, link headers included."),
		M("transmit_errors", tx_errors, "Failures of the device to send."),
		M("transmit_dropped", tx_dropped, "Packets to be sent and discarded."),
#undef M
	};
	size_t i;

	for (i = 0; i < STRATA_COUNT(metrics); i++) {
		struct strata_iface *iface = NULL;

		begin(text, metrics[i].name, "counter", metrics[i].help);
		while ((iface = strata_iface_next(text->stack, iface)) != NULL) {
			uint64_t value;

			memcpy(&value, (const char *)&iface->counters + metrics[i].offset, sizeof(value));
			sample(text, metrics[i].name, value, "interface", iface->name, NULL);
		}
	}
}

static void expose_interfaces(struct metrics_text *text)
{
	const uint32_t both = STRATA_IFACE_UP | STRATA_IFACE_RUNNING;
	struct strata_iface *iface = NULL;

	begin(text, "strata_interface_info", "gauge", "Interfaces of the stack; always 1.");
	while ((iface = strata_iface_next(text->stack, iface)) != NULL)
		sample(text, "strata_interface_info", 1, "interface", iface->name, "driver",
		       iface->driver->name, "framing", iface->framing != NULL ? iface->framing->name : "",
		       "address", iface->lladdr.length != 0 ?
		       strata_lladdr_text(text->stack, &iface->lladdr) : "", NULL);
	begin(text, "strata_interface_up", "gauge", "1 while the interface is up and has carrier.");
	while ((iface = strata_iface_next(text->stack, iface)) != NULL)
		sample(text, "strata_interface_up", (iface->flags & both) == both, "interface", iface->name,
		       NULL);
	begin(text, "strata_interface_mtu_bytes", "gauge", "Largest network packet of the interface.");
	while ((iface = strata_iface_next(text->stack, iface)) != NULL)
		sample(text, "strata_interface_mtu_bytes", iface->mtu, "interface", iface->name, NULL);
	expose_interface_counters(text);
}

/* ---- what is counted by looking: sockets, neighbours, routes ---- */

/* Things with the same two names; what finds no room is counted under "other". */
struct groups {
	struct group {
		char first[LABEL_SIZE], second[LABEL_SIZE];
		uint64_t count, rx, tx;
	} entries[GROUPS];
	size_t used;
};

static struct group *group_of(struct groups *groups, const char *first, const char *second)
{
	struct group *group;
	size_t i;

	for (i = 0; i < groups->used; i++) {
		group = &groups->entries[i];
		if (i == GROUPS - 1 || (strcmp(group->first, first) == 0 && strcmp(group->second, second) == 0))
			return group;
	}
	group = &groups->entries[groups->used++];
	snprintf(group->first, LABEL_SIZE, "%s", groups->used == GROUPS ? "other" : first);
	snprintf(group->second, LABEL_SIZE, "%s", groups->used == GROUPS ? "other" : second);
	return group;
}

static void count_socket(void *ctx, const struct strata_socket_view *view)
{
	struct group *group = group_of(ctx, view->transport->name, view->state != NULL ? view->state : "");

	group->count++;
	/* A listener's are connections, as ss(8) has it, and no bytes. */
	if (view->state != NULL && strcmp(view->state, "LISTEN") == 0)
		return;
	group->rx += view->rx_queue;
	group->tx += view->tx_queue;
}

static void count_neighbour(void *ctx, const struct strata_neigh *neigh)
{
	group_of(ctx, neigh->iface != NULL ? neigh->iface->name : "",
		 strata_neigh_state_name((enum strata_neigh_state)neigh->state))->count++;
}

static void count_route(void *ctx, const struct strata_route *route)
{
	group_of(ctx, route->iface != NULL ? route->iface->name : "",
		 route->connected ? "address" : route->manifest ? "manifest" : "added")->count++;
}

static void put_groups(struct metrics_text *text, const struct groups *groups, const char *name,
		       const char *help, const char *first, const char *second)
{
	size_t i;

	begin(text, name, "gauge", help);
	for (i = 0; i < groups->used; i++)
		sample(text, name, groups->entries[i].count, first, groups->entries[i].first, second,
		       groups->entries[i].second, NULL);
}

static void put_queues(struct metrics_text *text, const struct groups *groups, const char *name,
		       const char *help, bool transmit)
{
	size_t i;

	begin(text, name, "gauge", help);
	for (i = 0; i < groups->used; i++)
		sample(text, name, transmit ? groups->entries[i].tx : groups->entries[i].rx, "transport",
		       groups->entries[i].first, "state", groups->entries[i].second, NULL);
}

static void expose_tables(struct metrics_text *text)
{
	struct groups *groups = strata_alloc(text->stack, sizeof(*groups));

	if (groups == NULL) {
		text->failed = true;
		return;
	}
	strata_inspect_sockets(text->stack, count_socket, groups);
	put_groups(text, groups, "strata_sockets", "Sockets and connections, by state.", "transport", "state");
	put_queues(text, groups, "strata_sockets_receive_queue_bytes",
		   "Bytes that wait for their readers, by state of the socket.", false);
	put_queues(text, groups, "strata_sockets_transmit_queue_bytes",
		   "Bytes that wait to be sent or acknowledged, by state of the socket.", true);
	memset(groups, 0, sizeof(*groups));
	strata_inspect_neighbours(text->stack, count_neighbour, groups);
	put_groups(text, groups, "strata_neighbours", "Neighbours, by state.", "interface", "state");
	memset(groups, 0, sizeof(*groups));
	strata_inspect_routes(text->stack, count_route, groups);
	put_groups(text, groups, "strata_routes", "Routes, by where they come from.", "interface", "origin");
	strata_free(text->stack, groups);
}

void metrics_expose(struct metrics_text *text)
{
	expose_stack(text);
	expose_modules(text);
	expose_interfaces(text);
	expose_tables(text);
}
