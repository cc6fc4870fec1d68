/* SPDX-License-Identifier: BSD-2-Clause */
/* The table `sockets`: which of them are wanted, and what their transports know of them. */
#include <strata/transport.h>
#include "control_json.h"

static json_t *json_end(struct strata_stack *stack, const struct strata_addr *addr, uint16_t port)
{
	return json_pack("{s:o, s:i}", "address", json_addr(stack, addr), "port", (int)port);
}

json_t *control_socket_entry(struct strata_stack *stack, const struct strata_socket_view *view)
{
	static const struct strata_flow unbound;
	const struct strata_flow *flow = view->flow != NULL ? view->flow : &unbound;
	const struct strata_flow_key *key = &flow->key;

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"transport", view->transport->name,
		"number", json_number(view->transport->number),
		"fd", view->fd >= 0 ? json_integer(view->fd) : json_null(),
		"state", json_text(view->state),
		"local", json_end(stack, &key->local, key->local_port),
		"remote", strata_addr_is_set(&key->remote) ?
			json_end(stack, &key->remote, key->remote_port) : json_null(),
		"interface", json_iface(flow->iface),
		"rx_queue", json_number(view->rx_queue),
		"tx_queue", json_number(view->tx_queue));
}

static void add_detail(void *ctx, const char *name, const char *text, uint64_t value)
{
	json_object_set_new(ctx, name, text != NULL ? json_text(text) : json_number(value));
}

static json_t *socket_details(const struct strata_socket_view *view)
{
	const struct strata_transport_ops *ops = view->transport->module->transport;
	json_t *object;

	if (ops->details == NULL || view->flow == NULL)
		return json_null();
	object = json_object();
	ops->details(view->flow, add_detail, object);
	return object;
}

static bool is_wanted(const struct control_page *page, const struct strata_socket_view *view)
{
	if (page->transport != NULL && strcmp(page->transport, view->transport->name) != 0)
		return false;
	if (page->state != NULL && (view->state == NULL || strcmp(page->state, view->state) != 0))
		return false;
	return page->port == 0 || (view->flow != NULL && (page->port == view->flow->key.local_port ||
							  page->port == view->flow->key.remote_port));
}

static void add_socket(void *ctx, const struct strata_socket_view *view)
{
	struct control_page *page = ctx;
	json_t *entry;

	if (!is_wanted(page, view) || !control_page_wants(page))
		return;
	entry = control_socket_entry(page->stack, view);
	if (page->details)
		json_object_set_new(entry, "details", socket_details(view));
	control_page_add(page, entry);
}

void control_show_sockets(struct control_page *page)
{
	strata_inspect_sockets(page->stack, add_socket, page);
}

size_t control_sockets_filter(struct control_request *request, const char *what,
			      struct control_page *page)
{
	static const char *const names[] = { "transport", "state", "port", "details" };
	size_t i;

	for (i = 0; i < STRATA_COUNT(names); i++)
		if (control_value(request, names[i]) != NULL && strcmp(what, "sockets") != 0)
			return control_fail(request, "bad_request", "`show`: `%s` is for the table `sockets` "
					    "alone", names[i]);
	page->transport = control_text(request, "transport");
	page->state = control_text(request, "state");
	page->port = (uint16_t)control_uint(request, "port", 0);
	page->details = control_bool(request, "details", false);
	return 0;
}
