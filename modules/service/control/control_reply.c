/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request's line to a reply's line. Every fault of a request is answered with a code for programs
 * and a sentence for people. docs/control.md is the protocol.
 */
#include <stdio.h>
#include "control_int.h"

/* Room kept for what follows the entries of a page: `],"next":18446744073709551615}\n`. */
#define REPLY_TAIL 64
/* Local choice: longest `id` that is given back, as JSON text. */
#define ID_MAX 128
/* Longest message of an error. */
#define MESSAGE_MAX 320

/* Writes `,"id":…` of a request; nothing when it has none. */
static size_t put_id(char *out, size_t size, const json_t *id)
{
	int n = snprintf(out, size, "\"v\":%d", CONTROL_VERSION);
	size_t length = (size_t)n, dumped;

	if (id == NULL)
		return length;
	n = snprintf(out + length, size - length, ",\"id\":");
	dumped = json_dumpb(id, out + length + (size_t)n, ID_MAX, JSON_COMPACT | JSON_ENCODE_ANY);
	return dumped != 0 && dumped <= ID_MAX ? length + (size_t)n + dumped : length;
}

size_t control_error(char *out, const json_t *id, const char *code, const char *message)
{
	char plain[MESSAGE_MAX];
	size_t length, n = 0;
	json_t *error;

	/* It may quote a request's bytes, cut in the middle of a character. */
	for (length = 0; message[length] != '\0' && length < sizeof(plain) - 1; length++)
		plain[length] = (char)(message[length] >= ' ' && message[length] <= '~' ?
				       message[length] : '?');
	plain[length] = '\0';
	length = 0;
	error = json_pack("{s:s, s:s}", "code", code, "message", plain);
	out[length++] = '{';
	length += put_id(out + length, CONTROL_BUFFER - length, id);
	length += (size_t)snprintf(out + length, CONTROL_BUFFER - length, ",\"ok\":false,\"error\":");
	if (error != NULL)
		n = json_dumpb(error, out + length, CONTROL_BUFFER - length - 2, JSON_COMPACT);
	json_decref(error);
	if (n == 0 || n > CONTROL_BUFFER - length - 2) {
		memcpy(out + length, "null", 4);
		n = 4;
	}
	length += n;
	out[length++] = '}';
	out[length++] = '\n';
	return length;
}

static size_t bad_request(struct control *control, char *out, const json_t *id, const char *message)
{
	strata_count(control->self, CONTROL_COUNTER_ERRORS, 1);
	return control_error(out, id, "bad_request", message);
}

static size_t answer_show(struct control *control, const json_t *request, const json_t *id, char *out)
{
	struct control_page page = { .stack = control->self->stack, .out = out };
	const char *what = json_string_value(json_object_get(request, "what"));
	const json_t *from = json_object_get(request, "from");
	char message[MESSAGE_MAX], names[160];

	if (what == NULL)
		return bad_request(control, out, id, "`show` needs `what`, the name of a table");
	if (from != NULL && (!json_is_integer(from) || json_integer_value(from) < 0))
		return bad_request(control, out, id, "`from` is the number of an entry, from 0");
	page.from = from != NULL ? (uint64_t)json_integer_value(from) : 0;
	page.room = CONTROL_BUFFER - REPLY_TAIL;
	out[page.length++] = '{';
	page.length += put_id(out + page.length, page.room - page.length, id);
	page.length += (size_t)snprintf(out + page.length, page.room - page.length,
					",\"ok\":true,\"result\":[");
	if (!control_show(what, &page)) {
		control_show_names(names, sizeof(names));
		snprintf(message, sizeof(message), "no table '%.40s'; there are %s", what, names);
		strata_count(control->self, CONTROL_COUNTER_ERRORS, 1);
		return control_error(out, id, "unknown_table", message);
	}
	out[page.length++] = ']';
	if (page.next != 0)
		page.length += (size_t)snprintf(out + page.length, CONTROL_BUFFER - page.length,
						",\"next\":%llu", (unsigned long long)page.next);
	out[page.length++] = '}';
	out[page.length++] = '\n';
	return page.length;
}

/* The request's id when it is one that is given back: an integer or a short string. */
static const json_t *request_id(const json_t *request)
{
	const json_t *id = json_object_get(request, "id");

	if (json_is_integer(id) || (json_is_string(id) && json_string_length(id) <= ID_MAX / 8))
		return id;
	return NULL;
}

static size_t answer_object(struct control *control, const json_t *request, char *out)
{
	const json_t *id = request_id(request), *version = json_object_get(request, "v");
	const char *method = json_string_value(json_object_get(request, "method"));
	char message[160];

	if (!json_is_object(request))
		return bad_request(control, out, NULL, "a request is a JSON object");
	if (json_object_get(request, "id") != NULL && id == NULL)
		return bad_request(control, out, NULL, "`id` is an integer or a string of at most 16 bytes");
	if (!json_is_integer(version) || json_integer_value(version) != CONTROL_VERSION) {
		strata_count(control->self, CONTROL_COUNTER_ERRORS, 1);
		return control_error(out, id, "unknown_version", "expected `\"v\": 1`");
	}
	if (method == NULL)
		return bad_request(control, out, id, "`method` is missing or no string");
	if (strcmp(method, "show") == 0)
		return answer_show(control, request, id, out);
	strata_count(control->self, CONTROL_COUNTER_ERRORS, 1);
	snprintf(message, sizeof(message), "no method '%.40s'; there is show", method);
	return control_error(out, id, "unknown_method", message);
}

size_t control_answer(struct control *control, const char *request, size_t length, char *out)
{
	char message[JSON_ERROR_TEXT_LENGTH + 64];
	json_error_t fault;
	json_t *root;
	size_t n;

	strata_count(control->self, CONTROL_COUNTER_REQUESTS, 1);
	root = json_loadb(request, length, JSON_REJECT_DUPLICATES, &fault);
	if (root == NULL) {
		snprintf(message, sizeof(message), "not a line of JSON: byte %d: %s", fault.position,
			 fault.text);
		return bad_request(control, out, NULL, message);
	}
	n = answer_object(control, root, out);
	json_decref(root);
	return n;
}
