/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table `graph`: the running stack as nodes and the bindings between them, for whoever draws it. An edge
 * goes from the lower end to the upper one. docs/control.md lists the fields.
 */
#include <stdio.h>
#include <strata/inspect.h>
#include <strata/network.h>
#include <strata/trace.h>
#include <strata/transport.h>
#include "control_int.h"

#define KERNEL_ID "kernel"
/* "interface:" or "module:" and a name. */
#define ID_SIZE 96

/* Packets of a node or an edge, up and down. */
struct packets {
	uint64_t rx, tx;
};

static json_t *text_or_null(const char *text)
{
	json_t *string = text != NULL && text[0] != '\0' ? json_string(text) : NULL;

	return string != NULL ? string : json_null();
}

static json_t *number_of(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

static const char *module_id(const struct strata_instance *instance, char buf[ID_SIZE])
{
	snprintf(buf, ID_SIZE, "module:%s", instance->name);
	return buf;
}

static const char *iface_id(const struct strata_iface *iface, char buf[ID_SIZE])
{
	snprintf(buf, ID_SIZE, "interface:%s", iface->name);
	return buf;
}

static bool is_kernel(const struct strata_instance *instance)
{
	return strcmp(instance->name, "kernel") == 0;
}

static bool numbered(const struct strata_instance *instance)
{
	return instance->module->kind == STRATA_NETWORK ||
	       instance->module->kind == STRATA_TRANSPORT;
}

/* ---- nodes ---- */

static void add_node(struct control_page *page, const char *id, const char *name, const char *kind,
		     json_t *number, const char *state, const char *text,
		     const struct packets *packets)
{
	control_page_add(page, json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:o, s:o}",
		"type", "node",
		"id", id,
		"name", name,
		"kind", kind,
		"number", number,
		"state", state,
		"text", text_or_null(text),
		"rx_packets", packets != NULL ? number_of(packets->rx) : json_null(),
		"tx_packets", packets != NULL ? number_of(packets->tx) : json_null()));
}

static void add_module_node(void *ctx, const struct strata_module_view *view)
{
	const struct strata_instance *instance = view->instance;
	const struct strata_module *module = instance->module;
	const struct packets packets = { view->rx_packets, view->tx_packets };
	struct control_page *page = ctx;
	char id[ID_SIZE];

	if (!control_page_wants(page))
		return;
	if (is_kernel(instance))
		add_node(page, KERNEL_ID, page->stack->name, "kernel", json_null(), "running",
			 strata_version(), NULL);
	else
		add_node(page, module_id(instance, id), instance->name,
			 strata_kind_name((enum strata_kind)module->kind),
			 numbered(instance) ? number_of(instance->number) : json_null(), view->state,
			 module->summary,
			 numbered(instance) || module->kind == STRATA_LINK ? &packets : NULL);
}

static void add_iface_node(struct control_page *page, const struct strata_iface *iface)
{
	const struct packets packets = { iface->counters.rx_packets, iface->counters.tx_packets };
	const struct strata_ifaddr *first = strata_ifaddr_first(iface);
	char id[ID_SIZE], address[128] = "";

	if (first != NULL)
		snprintf(address, sizeof(address), "%s/%u",
			 strata_addr_text(page->stack, &first->prefix.addr), first->prefix.bits);
	add_node(page, iface_id(iface, id), iface->name, "interface", json_null(),
		 !(iface->flags & STRATA_IFACE_UP) ? "down" :
		 iface->flags & STRATA_IFACE_RUNNING ? "up" : "no carrier", address, &packets);
}

/* ---- edges ---- */

static void add_edge(struct control_page *page, const char *from, const char *to,
		     const char *binding, const char *label, const struct packets *packets)
{
	control_page_add(page, json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:o}",
		"type", "edge",
		"from", from,
		"to", to,
		"binding", binding,
		"label", text_or_null(label),
		"rx_packets", packets != NULL ? number_of(packets->rx) : json_null(),
		"tx_packets", packets != NULL ? number_of(packets->tx) : json_null()));
}

static void add_module_edge(struct control_page *page, const struct strata_instance *from,
			    const struct strata_instance *to, const char *binding,
			    const char *label)
{
	char a[ID_SIZE], b[ID_SIZE];

	if (from != NULL && from != to && control_page_wants(page))
		add_edge(page, module_id(from, a), module_id(to, b), binding, label, NULL);
}

/* What the module is bound by in the kernel's tables. */
static void number_edge(struct control_page *page, const struct strata_module_view *view)
{
	const struct strata_instance *instance = view->instance;
	const struct packets packets = { view->rx_packets, view->tx_packets };
	char id[ID_SIZE], label[16];

	if (!numbered(instance) || !instance->running || !control_page_wants(page))
		return;
	snprintf(label, sizeof(label), instance->module->kind == STRATA_NETWORK ? "0x%04x" : "%u",
		 instance->number);
	add_edge(page, KERNEL_ID, module_id(instance, id), "number", label, &packets);
}

/* Frames that a framing gives to the kernel. */
static void framing_edge(struct control_page *page, const struct strata_module_view *view)
{
	const struct packets packets = { view->rx_packets, view->tx_packets };
	const struct strata_instance *instance = view->instance;
	struct strata_iface *iface = NULL;
	char id[ID_SIZE];

	if (instance->module->kind != STRATA_LINK)
		return;
	while ((iface = strata_iface_next(page->stack, iface)) != NULL)
		if (iface->framing == instance)
			break;
	if (iface != NULL && control_page_wants(page))
		add_edge(page, module_id(instance, id), KERNEL_ID, "frames", NULL, &packets);
}

struct need {
	struct control_page *page;
	const struct strata_instance *needing;
	const struct strata_dependency *dependency;
};

static void add_need(void *ctx, const struct strata_module_view *view)
{
	const struct need *need = ctx;
	const struct strata_dependency *d = need->dependency;
	const struct strata_instance *needed = view->instance;

	if (is_kernel(needed) || needed->module->kind != d->kind ||
	    (d->name != NULL ? strcmp(needed->name, d->name) != 0 : needed->number != d->number))
		return;
	add_module_edge(need->page, needed, need->needing, "requires", d->optional ? "optional" : NULL);
}

static void need_edges(struct control_page *page, const struct strata_instance *instance)
{
	struct need need = { .page = page, .needing = instance };
	const struct strata_dependency *d = instance->module->depends;

	for (; d != NULL && (d->name != NULL || d->number != 0); d++) {
		need.dependency = d;
		strata_inspect_modules(page->stack, add_need, &need);
	}
}

/* Modules that options name: the congestion control of a transport. */
static void option_edges(struct control_page *page, const struct strata_instance *instance)
{
	const struct strata_module *module = instance->module;
	size_t i;

	for (i = 0; i < module->option_count; i++) {
		const struct strata_option *option = &module->options[i];
		const char *name = NULL;

		if (option->type != STRATA_OPT_MODULE || instance->config == NULL)
			continue;
		memcpy(&name, (const char *)instance->config + option->offset, sizeof(name));
		if (name != NULL)
			add_module_edge(page, strata_instance_by_name(page->stack,
					(enum strata_kind)option->names, name), instance, "option",
					option->name);
	}
}

/* What network modules are to each other and to the transport that carries their errors. */
static void network_edges(struct control_page *page, const struct strata_instance *instance)
{
	const struct strata_network_ops *ops = instance->module->network;
	const struct strata_instance *other;

	if (instance->module->kind != STRATA_NETWORK || !instance->running)
		return;
	if (ops->resolves != 0) {
		other = strata_instance_by_number(page->stack, STRATA_NETWORK, ops->resolves);
		if (other != NULL)
			add_module_edge(page, instance, other, "resolves", NULL);
	}
	if (ops->error_transport != 0) {
		other = strata_instance_by_number(page->stack, STRATA_TRANSPORT,
						  ops->error_transport);
		if (other != NULL)
			add_module_edge(page, instance, other, "errors", NULL);
	}
}

static void add_module_edges(void *ctx, const struct strata_module_view *view)
{
	struct control_page *page = ctx;

	if (is_kernel(view->instance))
		return;
	number_edge(page, view);
	framing_edge(page, view);
	need_edges(page, view->instance);
	option_edges(page, view->instance);
	network_edges(page, view->instance);
}

static bool carries(struct strata_stack *stack, const struct strata_iface *lower)
{
	struct strata_iface *iface = NULL;

	while ((iface = strata_iface_next(stack, iface)) != NULL)
		if (iface->lower == lower)
			return true;
	return false;
}

static void add_iface_edges(struct control_page *page, const struct strata_iface *iface)
{
	const struct packets packets = { iface->counters.rx_packets, iface->counters.tx_packets };
	char id[ID_SIZE], other[ID_SIZE];

	iface_id(iface, id);
	if (control_page_wants(page))
		add_edge(page, module_id(iface->driver, other), id, "driver", iface->driver->name,
			 &packets);
	if (iface->lower != NULL && control_page_wants(page))
		add_edge(page, iface_id(iface->lower, other), id, "stands_on", NULL, &packets);
	if (carries(page->stack, iface) || !control_page_wants(page))
		return;
	if (iface->framing != NULL)
		add_edge(page, id, module_id(iface->framing, other), "framing",
			 iface->framing->name, &packets);
	else
		add_edge(page, id, KERNEL_ID, "packets", NULL, &packets);
}

void control_show_graph(struct control_page *page)
{
	const struct strata_iface *iface;

	strata_inspect_modules(page->stack, add_module_node, page);
	for (iface = strata_iface_next(page->stack, NULL); iface != NULL;
	     iface = strata_iface_next(page->stack, iface))
		if (control_page_wants(page))
			add_iface_node(page, iface);
	strata_inspect_modules(page->stack, add_module_edges, page);
	for (iface = strata_iface_next(page->stack, NULL); iface != NULL;
	     iface = strata_iface_next(page->stack, iface))
		add_iface_edges(page, iface);
}
