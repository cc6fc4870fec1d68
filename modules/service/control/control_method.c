/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of methods: what a request may ask, who may ask it, and what its parameters have to be like
 * before anything is done. docs/control.md lists them for those who write clients.
 */
#include <stdio.h>
#include "control_int.h"
#include "control_trace.h"

/* ---- the table ---- */

static const struct control_param show_params[] = {
	{ .name = "what", .type = CONTROL_TEXT, .required = true },
	{ .name = "from", .type = CONTROL_UINT, .max = INT64_MAX },
	{ .name = "transport", .type = CONTROL_TEXT },
	{ .name = "state", .type = CONTROL_TEXT },
	{ .name = "port", .type = CONTROL_UINT, .min = 1, .max = UINT16_MAX },
	{ .name = "details", .type = CONTROL_BOOL },
};
static const struct control_param option_get_params[] = {
	{ .name = "name", .type = CONTROL_TEXT, .required = true },
};
static const struct control_param option_set_params[] = {
	{ .name = "name", .type = CONTROL_TEXT, .required = true },
	{ .name = "value", .type = CONTROL_TEXT, .required = true },
};
static const struct control_param address_params[] = {
	{ .name = "interface", .type = CONTROL_TEXT, .required = true },
	{ .name = "address", .type = CONTROL_TEXT, .required = true },
};
static const struct control_param route_params[] = {
	{ .name = "to", .type = CONTROL_TEXT, .required = true },
	{ .name = "via", .type = CONTROL_TEXT },
	{ .name = "interface", .type = CONTROL_TEXT },
	{ .name = "src", .type = CONTROL_TEXT },
	{ .name = "metric", .type = CONTROL_UINT, .max = UINT32_MAX },
	{ .name = "mtu", .type = CONTROL_UINT, .max = UINT16_MAX },
	{ .name = "congestion", .type = CONTROL_TEXT },
};
static const struct control_param neighbour_params[] = {
	{ .name = "interface", .type = CONTROL_TEXT, .required = true },
	{ .name = "address", .type = CONTROL_TEXT, .required = true },
	{ .name = "mac", .type = CONTROL_TEXT, .required = true },
};
static const struct control_param module_params[] = {
	{ .name = "name", .type = CONTROL_TEXT, .required = true },
	{ .name = "file", .type = CONTROL_TEXT },
	{ .name = "number", .type = CONTROL_UINT, .max = UINT16_MAX },
	{ .name = "options", .type = CONTROL_OBJECT },
};
static const struct control_param interface_params[] = {
	{ .name = "name", .type = CONTROL_TEXT, .required = true },
	{ .name = "up", .type = CONTROL_BOOL },
	{ .name = "mtu", .type = CONTROL_UINT, .min = 1, .max = UINT32_MAX },
};
static const struct control_param reload_params[] = {
	{ .name = "dry_run", .type = CONTROL_BOOL },
};
/* Local choice for `snaplen`: the limit of libpcap's captures. */
static const struct control_param capture_params[] = {
	{ .name = "interfaces", .type = CONTROL_ARRAY },
	{ .name = "filter", .type = CONTROL_OBJECT },
	{ .name = "snaplen", .type = CONTROL_UINT, .max = 262144 },
	{ .name = "direction", .type = CONTROL_TEXT },
	{ .name = "count", .type = CONTROL_UINT, .min = 1, .max = INT64_MAX },
	{ .name = "drops_only", .type = CONTROL_BOOL },
};

static const struct control_param trace_params[] = {
	{ .name = "filter", .type = CONTROL_OBJECT },
	{ .name = "interface", .type = CONTROL_TEXT },
	{ .name = "direction", .type = CONTROL_TEXT },
	{ .name = "modules", .type = CONTROL_ARRAY },
	{ .name = "drops", .type = CONTROL_BOOL },
	{ .name = "follow", .type = CONTROL_OBJECT },
	{ .name = "count", .type = CONTROL_UINT, .min = 1, .max = INT64_MAX },
};

#define PARAMS(list) .params = list, .param_count = STRATA_COUNT(list)
/* The first `n` of a list: what is needed to name a thing, without what it is to be like. */
#define SOME_PARAMS(list, n) .params = list, .param_count = n

static const struct control_method methods[] = {
	{ "show", PARAMS(show_params), .answer = control_answer_show },
	{ "option.get", PARAMS(option_get_params), .answer = control_option_get },
	{ "option.set", .admin = true, PARAMS(option_set_params), .answer = control_option_set },
	{ "address.add", .admin = true, PARAMS(address_params), .answer = control_address_add },
	{ "address.remove", .admin = true, PARAMS(address_params), .answer = control_address_remove },
	{ "route.add", .admin = true, PARAMS(route_params), .answer = control_route_add },
	{ "route.remove", .admin = true, PARAMS(route_params), .answer = control_route_remove },
	{ "neighbour.add", .admin = true, PARAMS(neighbour_params),
	  .answer = control_neighbour_add },
	{ "neighbour.remove", .admin = true, SOME_PARAMS(neighbour_params, 2),
	  .answer = control_neighbour_remove },
	{ "interface.set", .admin = true, .later = true, PARAMS(interface_params),
	  .answer = control_interface_set },
	{ "module.enable", .admin = true, .later = true, SOME_PARAMS(module_params, 1),
	  .answer = control_module_enable },
	{ "module.disable", .admin = true, .later = true, SOME_PARAMS(module_params, 1),
	  .answer = control_module_disable },
	{ "module.load", .admin = true, .later = true, PARAMS(module_params),
	  .answer = control_module_load },
	{ "module.unload", .admin = true, .later = true, SOME_PARAMS(module_params, 1),
	  .answer = control_module_unload },
	{ "reload", .admin = true, .later = true, PARAMS(reload_params), .answer = control_reload },
	{ "capture", .admin = true, PARAMS(capture_params), .stream = &control_capture_ops },
	{ "trace", .admin = true, PARAMS(trace_params), .stream = &control_trace_ops },
	{ "stop", .answer = control_stream_stop },
};

/* ---- names ---- */

void control_names_add(struct control_names *names, const char *name)
{
	if (names->count < STRATA_COUNT(names->names))
		names->names[names->count++] = name;
}

const char *control_names_hint(const struct control_names *names, const char *word, char buf[96])
{
	const char *best = strata_nearest(word, names->names, names->count);

	buf[0] = '\0';
	if (best != NULL)
		snprintf(buf, 96, "; did you mean \"%s\"?", best);
	return buf;
}

const char *control_names_list(const struct control_names *names, char buf[512])
{
	size_t length = 0, i;

	snprintf(buf, 512, "none");
	for (i = 0; i < names->count && length < 512; i++)
		length += (size_t)snprintf(buf + length, 512 - length, "%s%s", i != 0 ? ", " : "",
					   names->names[i]);
	return buf;
}

/* ---- parameters ---- */

const char *control_text(const struct control_request *request, const char *name)
{
	return json_string_value(json_object_get(request->root, name));
}

uint64_t control_uint(const struct control_request *request, const char *name, uint64_t fallback)
{
	const json_t *value = json_object_get(request->root, name);

	return value != NULL ? (uint64_t)json_integer_value(value) : fallback;
}

bool control_bool(const struct control_request *request, const char *name, bool fallback)
{
	const json_t *value = json_object_get(request->root, name);

	return value != NULL ? json_is_true(value) : fallback;
}

const json_t *control_value(const struct control_request *request, const char *name)
{
	return json_object_get(request->root, name);
}

/* Whether the value is what the parameter wants; else what that is, for people, into `expected`. */
static bool param_fits(const struct control_param *param, const json_t *value, char *expected,
		       size_t size)
{
	json_int_t number = json_integer_value(value);

	switch (param->type) {
	case CONTROL_TEXT:
		snprintf(expected, size, "a text that is not empty");
		return json_is_string(value) && json_string_length(value) != 0;
	case CONTROL_UINT:
		snprintf(expected, size, "an integer from %llu to %llu", (unsigned long long)param->min,
			 (unsigned long long)param->max);
		return json_is_integer(value) && number >= 0 && (uint64_t)number >= param->min &&
		       (uint64_t)number <= param->max;
	case CONTROL_BOOL:
		snprintf(expected, size, "true or false");
		return json_is_boolean(value);
	case CONTROL_OBJECT:
		snprintf(expected, size, "an object");
		return json_is_object(value);
	case CONTROL_ARRAY:
		snprintf(expected, size, "an array");
		return json_is_array(value);
	}
	return false;
}

static bool is_common(const char *key)
{
	return strcmp(key, "shard") == 0 || strcmp(key, "v") == 0 || strcmp(key, "id") == 0 || strcmp(key, "method") == 0;
}

/* Length of an error reply about a parameter that the method does not have; 0: it has all. */
static size_t refuse_unknown(struct control_request *request)
{
	const struct control_method *method = request->method;
	struct control_names names = { .count = 0 };
	char hint[96];
	void *at;
	size_t i;

	for (i = 0; i < method->param_count; i++)
		control_names_add(&names, method->params[i].name);
	/* The iterator wants it without const, and changes nothing. */
	for (at = json_object_iter((json_t *)(uintptr_t)request->root); at != NULL;
	     at = json_object_iter_next((json_t *)(uintptr_t)request->root, at)) {
		const char *key = json_object_iter_key(at);

		for (i = 0; i < method->param_count && strcmp(method->params[i].name, key) != 0; i++)
			continue;
		if (i == method->param_count && !is_common(key))
			return control_fail(request, "bad_request", "`%s` has no parameter `%.40s`%s",
					    method->name, key, control_names_hint(&names, key, hint));
	}
	return 0;
}

/* Length of an error reply about the parameters; 0: they are what the method wants. */
static size_t check_params(struct control_request *request)
{
	const struct control_method *method = request->method;
	char expected[96];
	size_t i;

	for (i = 0; i < method->param_count; i++) {
		const struct control_param *param = &method->params[i];
		const json_t *value = json_object_get(request->root, param->name);

		if (value == NULL && param->required)
			return control_fail(request, "bad_request", "`%s` needs `%s`", method->name,
					    param->name);
		if (value != NULL && !param_fits(param, value, expected, sizeof(expected)))
			return control_fail(request, "bad_request", "`%s`: `%s` is to be %s",
					    method->name, param->name, expected);
	}
	return refuse_unknown(request);
}

/* ---- shards ---- */

/* Length of an error reply about `shard`, which every method may have where there are several; 0: it is this
 * one, or was left out where it may be. */
static size_t check_shard(struct control_request *request)
{
	const unsigned int count = strata_shard_count(request->stack), own = strata_shard(request->stack);
	const json_t *value = json_object_get(request->root, "shard");

	if (value == NULL && request->method->stream != NULL && count > 1)
		return control_fail(request, "shard_needed", "this stack has %u shards: name one of 0 to %u "
				    "(--shard)", count, count - 1);
	if (value == NULL)
		return 0;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) >= (json_int_t)count)
		return control_fail(request, "bad_request", "`shard` is to be an integer from 0 to %u",
				    count - 1);
	if (json_integer_value(value) != (json_int_t)own)
		return control_fail(request, "bad_request", "here is shard %u; shard %d answers at its own "
				    "socket", own, (int)json_integer_value(value));
	return 0;
}

size_t control_call(struct control_request *request)
{
	struct strata_shards *shards = strata_stack_shards(request->stack);
	struct strata_stack *own = request->stack;
	unsigned int i, count;
	size_t length = 0;

	/* Another manifest sees to it itself. */
	if (shards == NULL || !request->method->admin || request->method->answer == control_reload)
		return request->method->answer(request);
	count = strata_shards_count(shards);
	strata_shards_pause(shards);
	for (i = 0; i < count && !request->failed; i++) {
		request->shard = i;
		request->stack = strata_shards_stack(shards, i);
		length = request->method->answer(request);
	}
	strata_shards_resume(shards);
	request->stack = own;
	request->shard = 0;
	return length;
}

/* What changes one shard only would make it another than the others. */
static size_t refuse_change(struct control_request *request)
{
	const struct control_method *method = request->method;

	if (strata_shard_count(request->stack) == 1 || !method->admin || method->answer == NULL ||
	    (strata_shard(request->stack) == 0 && json_object_get(request->root, "shard") == NULL))
		return 0;
	return control_fail(request, "bad_request", "`%s` changes all shards: leave --shard out", method->name);
}

/* ---- requests ---- */

static const struct control_method *find_method(const char *name)
{
	size_t i;

	for (i = 0; i < STRATA_COUNT(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

static size_t refuse_method(struct control_request *request, const char *name)
{
	struct control_names names = { .count = 0 };
	char hint[96], list[512];
	size_t i;

	for (i = 0; i < STRATA_COUNT(methods); i++)
		control_names_add(&names, methods[i].name);
	return control_fail(request, "unknown_method", "no method '%.40s'%s; there are %s", name,
			    control_names_hint(&names, name, hint),
			    control_names_list(&names, list));
}

static size_t call_method(struct control_request *request)
{
	const struct control_method *method = request->method;
	char who[128];
	size_t length;

	if (method->admin && !request->client->admin) {
		control_access_names(request->control, who, sizeof(who));
		strata_count(request->control->self, CONTROL_COUNTER_FORBIDDEN, 1);
		return control_fail(request, "forbidden", "`%s` is for %s", method->name, who);
	}
	if (control_stream_state(request->client) != NULL && method->answer != control_stream_stop)
		return control_fail(request, "bad_request", "a stream is running on this connection; "
				    "send the method `stop` first, or open another");
	length = check_params(request);
	if (length == 0)
		length = check_shard(request);
	if (length == 0)
		length = refuse_change(request);
	if (length != 0)
		return length;
	if (method->later) {
		control_lay_aside(request);
		return 0;
	}
	return method->answer != NULL ? control_call(request) : control_stream_start(request);
}

/* The request's id when it is one that is given back: an integer or a short string. */
static const json_t *request_id(const json_t *request)
{
	const json_t *id = json_object_get(request, "id");

	if (json_is_integer(id) || (json_is_string(id) && json_string_length(id) <= CONTROL_ID_MAX))
		return id;
	return NULL;
}

static size_t answer_object(struct control_request *request)
{
	const json_t *root = request->root, *version = json_object_get(root, "v");
	const char *name = json_string_value(json_object_get(root, "method"));

	request->id = request_id(root);
	if (!json_is_object(root))
		return control_fail(request, "bad_request", "a request is a JSON object");
	if (json_object_get(root, "id") != NULL && request->id == NULL)
		return control_fail(request, "bad_request",
				    "`id` is an integer or a string of at most %d bytes", CONTROL_ID_MAX);
	if (!json_is_integer(version) || json_integer_value(version) != CONTROL_VERSION)
		return control_fail(request, "unknown_version", "expected `\"v\": %d`", CONTROL_VERSION);
	if (name == NULL)
		return control_fail(request, "bad_request", "`method` is missing or no string");
	request->method = find_method(name);
	return request->method != NULL ? call_method(request) : refuse_method(request, name);
}

size_t control_answer(struct control_client *client, const char *line, size_t length, char *out)
{
	struct control_request request = {
		.control = client->control, .client = client, .stack = client->control->self->stack,
		.out = out, .orphan = -1,
	};
	json_error_t fault;
	json_t *root;
	size_t n;

	strata_count(client->control->self, CONTROL_COUNTER_REQUESTS, 1);
	root = json_loadb(line, length, JSON_REJECT_DUPLICATES, &fault);
	if (root == NULL)
		return control_fail(&request, "bad_request", "not a line of JSON: byte %d: %s",
				    fault.position, fault.text);
	request.root = root;
	n = answer_object(&request);
	json_decref(root);
	return n;
}
