/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What may stop a module of the running stack, and so has to wait until no module's code is running:
 * modules and interfaces that come and go, and another manifest. Such a request is laid aside until the
 * stack is at rest (<strata/live.h>). It may be this very service that stops: then its client is still
 * told, and all else of the service is gone.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#include <strata/embed.h>
#include "control_int.h"

/* Local choice: options of a module that is loaded. */
#define SETTINGS_MAX 64
/* Longest number or boolean as text. */
#define SCALAR_MAX 24
/* Local choice: sockets told with a change; their number is told whatever it is. */
#define CHANGE_SOCKETS 16
/* Bytes of a reply for its changes; those beyond are counted. */
#define CHANGES_MAX (CONTROL_BUFFER - 1024)

/* ---- laying a request aside ---- */

/* The service went in the middle of its own request: the reply leaves as far as the client takes it. */
static void part_from(struct control_request *request, size_t length)
{
	send(request->orphan, request->out, length, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(request->orphan);
}

static void at_rest(struct strata_stack *stack, struct strata_call *call)
{
	struct control_client *client = strata_container_of(call, struct control_client, call);
	struct control_request request = {
		.control = client->control, .client = client, .stack = stack,
		.method = client->laid_method, .root = client->laid, .orphan = -1,
	};
	json_t *root = client->laid;
	size_t length;

	client->laid = NULL;
	request.id = json_object_get(root, "id");
	/* Not the client's own memory, which may go in the call. */
	request.out = strata_alloc(stack, CONTROL_BUFFER);
	if (request.out == NULL) {
		request.out = client->out;
		length = control_fail(&request, "failed", "out of memory; nothing was done");
	} else {
		request.control->working = &request;
		length = control_call(&request);
	}
	json_decref(root);
	if (request.control == NULL) {
		part_from(&request, length);
		strata_free(stack, request.out);
		return;
	}
	request.control->working = NULL;
	if (request.out != client->out) {
		memcpy(client->out, request.out, length);
		strata_free(stack, request.out);
	}
	client->out_length = length;
	control_client_push(client);
}

void control_lay_aside(struct control_request *request)
{
	struct control_client *client = request->client;

	client->laid = json_incref((json_t *)(uintptr_t)request->root);	/* counting changes nothing of it */
	client->laid_method = request->method;
	client->call.run = at_rest;
	strata_call_later(request->stack, &client->call);
}

void control_forget_laid(struct control_client *client)
{
	if (client->laid == NULL)
		return;
	strata_call_cancel(client->control->self->stack, &client->call);
	json_decref(client->laid);
	client->laid = NULL;
}

static size_t finish(struct control_request *request, int result, struct strata_error *error)
{
	if (result < 0)
		return control_fail_errno(request, result, error);
	strata_error_clear(error);
	return control_result(request, json_object());
}

/* ---- modules ---- */

/* Length of an error reply where the module is this one; 0: it is another. */
static size_t refuse_self(struct control_request *request, const char *name)
{
	if (strcmp(name, request->control->self->name) != 0)
		return 0;
	return control_fail(request, "busy_module", "module \"%s\" answers this very request, and nothing "
			    "could bring it back over its own socket; write `enabled: false` in the manifest "
			    "and reload", name);
}

size_t control_module_enable(struct control_request *request)
{
	struct strata_error error = { 0 };
	int result = strata_module_enable(request->stack, control_text(request, "name"), &error);

	return finish(request, result, &error);
}

size_t control_module_disable(struct control_request *request)
{
	const char *name = control_text(request, "name");
	struct strata_error error = { 0 };
	size_t refused = refuse_self(request, name);
	int result;

	if (refused != 0)
		return refused;
	result = strata_module_disable(request->stack, name, &error);
	return finish(request, result, &error);
}

size_t control_module_unload(struct control_request *request)
{
	const char *name = control_text(request, "name");
	struct strata_error error = { 0 };
	size_t refused = refuse_self(request, name);
	int result;

	if (refused != 0)
		return refused;
	result = strata_module_unload(request->stack, name, &error);
	return finish(request, result, &error);
}

/* An option's value as a manifest writes it; NULL: it has none such. */
static const char *scalar_text(const json_t *value, char buf[SCALAR_MAX])
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	if (!json_is_integer(value))
		return NULL;
	snprintf(buf, SCALAR_MAX, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return buf;
}

/** Options of a module as they came in a request. */
struct settings {
	struct strata_setting list[SETTINGS_MAX + 1];
	char scalars[SETTINGS_MAX][SCALAR_MAX];
};

/* Length of a refusal, or 0. */
static size_t read_settings(struct control_request *request, struct settings *settings)
{
	json_t *options = (json_t *)(uintptr_t)control_value(request, "options");	/* only read */
	size_t count = 0;
	void *at;

	if (json_object_size(options) > SETTINGS_MAX)
		return control_fail(request, "bad_request", "`options`: expected at most %d, found %zu",
				    SETTINGS_MAX, json_object_size(options));
	for (at = json_object_iter(options); at != NULL; at = json_object_iter_next(options, at)) {
		const char *name = json_object_iter_key(at);
		const char *value = scalar_text(json_object_iter_value(at), settings->scalars[count]);

		if (value == NULL)
			return control_fail(request, "bad_request", "`options`: `%.40s` is to be a text, an "
					    "integer, true or false", name);
		settings->list[count++] = (struct strata_setting){ name, value };
	}
	return 0;
}

size_t control_module_load(struct control_request *request)
{
	struct settings settings = { .list = { { NULL, NULL } } };
	struct strata_error error = { 0 };
	size_t refused = read_settings(request, &settings);
	int result;

	if (refused != 0)
		return refused;
	result = strata_module_load(request->stack, control_text(request, "name"),
				    control_text(request, "file"),
				    (uint32_t)control_uint(request, "number", 0), settings.list, &error);
	return finish(request, result, &error);
}

/* ---- interfaces ---- */

size_t control_interface_set(struct control_request *request)
{
	struct strata_error error = { 0 };
	uint32_t mtu = (uint32_t)control_uint(request, "mtu", 0), before;
	struct strata_iface *iface;
	size_t refused;
	int result = 0;

	iface = control_find_iface(request, control_text(request, "name"), &refused);
	if (iface == NULL)
		return refused;
	if (mtu == 0 && control_value(request, "up") == NULL)
		return control_fail(request, "bad_request", "`interface.set` needs `up` or `mtu`, or both");
	before = iface->mtu;
	if (mtu != 0)
		result = strata_iface_set_mtu(iface, mtu, &error);
	if (result == 0 && control_value(request, "up") != NULL) {
		result = strata_iface_set_up(iface, control_bool(request, "up", true), &error);
		if (result < 0 && mtu != 0)	/* both or none */
			strata_iface_set_mtu(iface, before, NULL);
	}
	return finish(request, result, &error);
}

/* ---- another manifest ---- */

/** Changes on their way into a reply. */
struct changes {
	struct strata_stack *stack;
	json_t *list;
	size_t length;		/* bytes as JSON */
	uint64_t omitted;
};

static json_t *text_or_null(const char *text)
{
	json_t *string = text != NULL ? json_string(text) : NULL;

	return string != NULL ? string : json_null();
}

/* The first of the sockets that end. */
static json_t *ending_sockets(struct strata_stack *stack, const struct strata_change *change)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < change->socket_count && i < CHANGE_SOCKETS; i++)
		json_array_append_new(list, control_socket_entry(stack, &change->sockets[i]));
	return list;
}

static void add_change(void *ctx, const struct strata_change *change)
{
	struct changes *changes = ctx;
	json_t *entry = json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}",
		"what", strata_change_what_name(change->what),
		"action", strata_change_action_name(change->action),
		"name", text_or_null(change->name),
		"owner", text_or_null(change->owner),
		"field", text_or_null(change->field),
		"from", text_or_null(change->from),
		"to", text_or_null(change->to),
		"why", text_or_null(change->why),
		"ending", (json_int_t)change->ending,
		"sockets", ending_sockets(changes->stack, change));
	size_t length = entry != NULL ? json_dumpb(entry, NULL, 0, JSON_COMPACT) + 1 : 0;

	if (length == 0 || changes->omitted != 0 || changes->length + length > CHANGES_MAX) {
		json_decref(entry);
		changes->omitted++;
		return;
	}
	changes->length += length;
	json_array_append_new(changes->list, entry);
}

size_t control_reload(struct control_request *request)
{
	bool dry_run = control_bool(request, "dry_run", false);
	struct changes changes = { .stack = request->stack, .list = json_array() };
	struct strata_error error = { 0 };
	struct strata_shards *shards = strata_stack_shards(request->stack);
	int result = shards != NULL ?
		strata_shards_reload(shards, NULL, 0, dry_run, add_change, &changes, &error) :
		strata_reload(request->stack, dry_run, add_change, &changes, &error);

	if (result < 0) {
		json_decref(changes.list);
		return control_fail_errno(request, result, &error);
	}
	strata_error_clear(&error);
	return control_result(request, json_pack("{s:b, s:o, s:I}", "applied", !dry_run,
						 "changes", changes.list,
						 "omitted", (json_int_t)changes.omitted));
}
