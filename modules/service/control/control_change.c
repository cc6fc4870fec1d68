/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changing options, addresses, routes and neighbours of the running stack. Each request is understood
 * whole before the kernel is asked; each refusal names the thing, the place and what would help.
 */
#include <errno.h>
#include <stdio.h>
#include <strata/embed.h>
#include "control_int.h"

/* Local choice: longest value of an option as text. */
#define VALUE_MAX 4096

/* ---- what requests name ---- */

struct strata_iface *control_find_iface(struct control_request *request, const char *name,
					size_t *refused)
{
	struct strata_iface *iface = strata_iface_by_name(request->stack, name);
	struct control_names names = { .count = 0 };
	char hint[96], list[512];

	*refused = 0;
	if (iface != NULL)
		return iface;
	while ((iface = strata_iface_next(request->stack, iface)) != NULL)
		control_names_add(&names, iface->name);
	*refused = control_fail(request, "not_found", "no interface '%.40s'%s; there are: %s", name,
				control_names_hint(&names, name, hint),
				control_names_list(&names, list));
	return NULL;
}

/* An address, alone, out of the parameter `name`. Returns the length of a refusal, or 0. */
static size_t parse_addr(struct control_request *request, const char *name, struct strata_addr *out)
{
	const char *text = control_text(request, name);
	struct strata_prefix prefix;

	if (text == NULL)
		return 0;
	if (strchr(text, '/') != NULL || strata_prefix_parse(request->stack, text, &prefix) < 0)
		return control_fail(request, "invalid", "`%s`: '%.60s' is no address of a family that this "
				    "stack has; write one such as 192.0.2.1", name, text);
	*out = prefix.addr;
	return 0;
}

/* The same for a prefix. */
static size_t parse_prefix(struct control_request *request, const char *name, const char *example,
			   struct strata_prefix *out)
{
	const char *text = control_text(request, name);

	if (strchr(text, '/') == NULL)
		return control_fail(request, "invalid", "`%s`: '%.60s' has no prefix length; write one "
				    "such as %s", name, text, example);
	if (strata_prefix_parse(request->stack, text, out) < 0)
		return control_fail(request, "invalid", "`%s`: '%.60s' is no prefix of a family that this "
				    "stack has; write one such as %s", name, text, example);
	return 0;
}

static size_t done(struct control_request *request)
{
	return control_result(request, json_object());
}

/* ---- options ---- */

size_t control_option_get(struct control_request *request)
{
	const char *name = control_text(request, "name");
	struct strata_error error = { 0 };
	char value[VALUE_MAX];
	int result = strata_option_get(request->stack, name, value, sizeof(value));

	if (result == -ENOENT)	/* which is better said by the one that explains */
		strata_option_set(request->stack, name, "", &error);
	if (result < 0)
		return control_fail_errno(request, result, &error);
	return control_result(request, json_pack("{s:s, s:s}", "name", name, "value", value));
}

size_t control_option_set(struct control_request *request)
{
	const char *name = control_text(request, "name");
	struct strata_error error = { 0 };
	int result = strata_option_set(request->stack, name, control_text(request, "value"), &error);

	if (result < 0)
		return control_fail_errno(request, result, &error);
	strata_log(request->stack, request->control->self, STRATA_LOG_INFO, "option %s is %s now", name,
		   control_text(request, "value"));
	return control_option_get(request);
}

/* ---- addresses ---- */

/* The interface and the address of a request. Returns the length of a refusal, or 0. */
static size_t parse_address(struct control_request *request, struct strata_iface **iface,
			    struct strata_prefix *prefix)
{
	size_t refused;

	*iface = control_find_iface(request, control_text(request, "interface"), &refused);
	return refused != 0 ? refused : parse_prefix(request, "address", "192.0.2.1/24", prefix);
}

size_t control_address_add(struct control_request *request)
{
	const char *text = control_text(request, "address");
	struct strata_prefix prefix;
	struct strata_iface *iface;
	size_t refused = parse_address(request, &iface, &prefix);
	const struct strata_ifaddr *there;
	int result;

	if (refused != 0)
		return refused;
	result = strata_ifaddr_add(iface, &prefix);
	switch (result) {
	case 0:
		return done(request);
	case -EEXIST:
		there = strata_ifaddr_find(request->stack, &prefix.addr);
		return control_fail(request, "exists", "address %.60s: interface %s has it already", text,
				    there != NULL ? there->iface->name : iface->name);
	case -EINVAL:
		return control_fail(request, "invalid", "address %.60s: %s", text,
				    "it is no unicast address of a host, or its interface carries another "
				    "interface");
	case -EAFNOSUPPORT:
		return control_fail(request, "invalid", "address %.60s: no network module of its family "
				    "is running", text);
	default:
		return control_fail_errno(request, result, NULL);
	}
}

size_t control_address_remove(struct control_request *request)
{
	const char *text = control_text(request, "address");
	const struct strata_ifaddr *there;
	struct strata_prefix prefix;
	struct strata_iface *iface;
	size_t refused = parse_address(request, &iface, &prefix);
	int result;

	if (refused != 0)
		return refused;
	there = strata_ifaddr_find(request->stack, &prefix.addr);
	if (there == NULL || there->iface != iface)
		return control_fail(request, "not_found", "address %.60s: interface %s does not have it%s%s",
				    text, iface->name, there != NULL ? "; it is on " : "",
				    there != NULL ? there->iface->name : "");
	if (there->prefix.bits != prefix.bits)
		return control_fail(request, "not_found", "address %.60s: interface %s has it with prefix "
				    "length %u", text, iface->name, there->prefix.bits);
	result = strata_ifaddr_remove(iface, &prefix.addr);
	return result < 0 ? control_fail_errno(request, result, NULL) : done(request);
}

/* ---- routes ---- */

/* Fills a route out of a request. Returns the length of a refusal, or 0. */
static size_t parse_route(struct control_request *request, struct strata_route *route)
{
	const char *interface = control_text(request, "interface");
	size_t refused = parse_prefix(request, "to", "198.51.100.0/24, or 0.0.0.0/0 for all", &route->to);

	if (refused == 0)
		refused = parse_addr(request, "via", &route->via);
	if (refused == 0)
		refused = parse_addr(request, "src", &route->src);
	if (refused == 0 && interface != NULL)
		route->iface = control_find_iface(request, interface, &refused);
	route->metric = (uint32_t)control_uint(request, "metric", 0);
	route->mtu = (uint32_t)control_uint(request, "mtu", 0);
	route->congestion = control_text(request, "congestion");
	return refused;
}

/* Length of a refusal where no such congestion module runs; 0: it does, or none is asked for. */
static size_t check_congestion(struct control_request *request, const char *name)
{
	if (name == NULL ||
	    strata_instance_by_name(request->stack, STRATA_CONGESTION, name) != NULL)
		return 0;
	return control_fail(request, "not_found", "`congestion`: no module '%.40s' of kind congestion is "
			    "running; load it first", name);
}

size_t control_route_add(struct control_request *request)
{
	const char *to = control_text(request, "to"), *via = control_text(request, "via");
	struct strata_route route = { .metric = 0 };
	size_t refused = parse_route(request, &route);
	int result;

	if (refused == 0)
		refused = check_congestion(request, route.congestion);
	if (refused != 0)
		return refused;
	if (strata_addr_is_set(&route.src) && strata_ifaddr_find(request->stack, &route.src) == NULL)
		return control_fail(request, "invalid", "route to %.60s: `src`: no interface has address "
				    "%.60s", to, control_text(request, "src"));
	if (via == NULL && route.iface == NULL)
		return control_fail(request, "invalid", "route to %.60s needs `via`, the gateway's address, "
				    "or `interface`, or both", to);
	result = strata_route_add(request->stack, &route);
	switch (result) {
	case 0:
		return done(request);
	case -EEXIST:
		return control_fail(request, "exists", "route to %.60s is there already, with that gateway "
				    "and metric", to);
	case -ENETUNREACH:
		return control_fail(request, "invalid", "route to %.60s: no interface has an address on the "
				    "link of gateway %.60s", to, via != NULL ? via : "?");
	case -EINVAL:
		return control_fail(request, "invalid", "route to %.60s: %.60s is one of this stack's own "
				    "addresses, or not one of a single host", to, via != NULL ? via : to);
	case -ERANGE:
		return control_fail(request, "invalid", "route to %.60s: `mtu`: %u is less than a path of its "
				    "family has at least", to, route.mtu);
	case -EAFNOSUPPORT:
		return control_fail(request, "invalid", "route to %.60s: its parts are of several families, "
				    "or of one that no running network module has", to);
	default:
		return control_fail_errno(request, result, NULL);
	}
}

size_t control_route_remove(struct control_request *request)
{
	struct strata_route route = { .metric = 0 };
	size_t refused = parse_route(request, &route);
	int result;

	if (refused != 0)
		return refused;
	result = strata_route_remove(request->stack, &route);
	if (result == -ESRCH)
		return control_fail(request, "not_found", "no route to %.60s%s%.60s%s%.20s with metric %u; "
				    "the table `routes` has them all", control_text(request, "to"),
				    control_text(request, "via") != NULL ? " via " : "",
				    control_text(request, "via") != NULL ?
				    control_text(request, "via") : "",
				    route.iface != NULL ? " on " : "",
				    route.iface != NULL ? route.iface->name : "", route.metric);
	return result < 0 ? control_fail_errno(request, result, NULL) : done(request);
}

/* ---- neighbours ---- */

/* The interface, which must have neighbours, and the address of one. Returns the length of a refusal, or 0. */
static size_t parse_neighbour(struct control_request *request, struct strata_iface **iface,
			      struct strata_addr *addr)
{
	size_t refused;

	*iface = control_find_iface(request, control_text(request, "interface"), &refused);
	if (*iface == NULL)
		return refused;
	if ((*iface)->framing == NULL || (*iface)->flags & STRATA_IFACE_NO_NEIGHBOUR)
		return control_fail(request, "invalid", "interface %s has no link addresses, so it has no "
				    "neighbours", (*iface)->name);
	return parse_addr(request, "address", addr);
}

size_t control_neighbour_add(struct control_request *request)
{
	const char *mac = control_text(request, "mac");
	struct strata_lladdr lladdr;
	struct strata_iface *iface;
	struct strata_addr addr;
	size_t refused = parse_neighbour(request, &iface, &addr);
	int (*parse)(const char *text, struct strata_lladdr *out);
	int result;

	if (refused != 0)
		return refused;
	parse = iface->framing->module->link->address_parse;
	if (parse == NULL || parse(mac, &lladdr) < 0)
		return control_fail(request, "invalid", "`mac`: '%.40s' is no link address of interface %s; "
				    "write one such as 02:00:00:00:00:01", mac, iface->name);
	result = strata_neigh_set(iface, &addr, &lladdr);
	if (result == -ENOBUFS)
		return control_fail(request, "failed", "neighbour %.60s: the table of neighbours is full; "
				    "remove one", control_text(request, "address"));
	return result < 0 ? control_fail_errno(request, result, NULL) : done(request);
}

size_t control_neighbour_remove(struct control_request *request)
{
	struct strata_iface *iface;
	struct strata_addr addr;
	size_t refused = parse_neighbour(request, &iface, &addr);
	int result;

	if (refused != 0)
		return refused;
	result = strata_neigh_remove(iface, &addr);
	if (result == -ENOENT)
		return control_fail(request, "not_found", "interface %s has no neighbour %.60s",
				    iface->name, control_text(request, "address"));
	return result < 0 ? control_fail_errno(request, result, NULL) : done(request);
}
