/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replies: results, and faults with a code for programs and a sentence for people. docs/control.md is
 * the protocol.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include "control_int.h"

/* Local choice: longest `id` that is given back, as JSON text. */
#define ID_MAX 128
/* Local choice: longest message of an error; several faults may be told in one. */
#define MESSAGE_MAX 8192

size_t control_put_id(char *out, size_t size, const json_t *id)
{
	int n = snprintf(out, size, "\"v\":%d", CONTROL_VERSION);
	size_t length = (size_t)n, dumped;

	if (id == NULL)
		return length;
	n = snprintf(out + length, size - length, ",\"id\":");
	dumped = json_dumpb(id, out + length + (size_t)n, ID_MAX, JSON_COMPACT | JSON_ENCODE_ANY);
	return dumped != 0 && dumped <= ID_MAX ? length + (size_t)n + dumped : length;
}

/* Bytes of the well-formed character at `s`, as RFC 3629 section 4 has them; 0: there is none. */
static size_t character(const char *s)
{
	const unsigned char *c = (const unsigned char *)s;
	size_t length = c[0] < 0x80 ? 1 : c[0] >= 0xc2 && c[0] <= 0xdf ? 2 :
			c[0] >= 0xe0 && c[0] <= 0xef ? 3 : c[0] >= 0xf0 && c[0] <= 0xf4 ? 4 : 0;
	size_t i;

	for (i = 1; i < length; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, a surrogate, or beyond the last character. */
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) ||
	    (c[0] == 0xf0 && c[1] < 0x90) || (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return length;
}

/* Copies a message that may quote a request's bytes, cut in the middle of a character; faults that stand a
 * line each are joined. */
static void plain_text(char *out, size_t size, const char *message)
{
	size_t length = 0, n;

	while (*message != '\0' && length + 5 < size) {
		if (*message == '\n') {
			if (*++message != '\0')
				length += (size_t)snprintf(out + length, size - length, "; ");
			continue;
		}
		n = character(message);
		if (n == 0 || (n == 1 && (*message < ' ' || *message > '~'))) {
			out[length++] = '?';
			message++;
			continue;
		}
		memcpy(out + length, message, n);
		length += n;
		message += n;
	}
	out[length] = '\0';
}

size_t control_error(char *out, const json_t *id, const char *code, const char *message)
{
	char plain[MESSAGE_MAX];
	size_t length = 0, n = 0;
	json_t *error;

	plain_text(plain, sizeof(plain), message);
	error = json_pack("{s:s, s:s}", "code", code, "message", plain);
	out[length++] = '{';
	length += control_put_id(out + length, CONTROL_BUFFER - length, id);
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

size_t control_fail(struct control_request *request, const char *code, const char *format, ...)
{
	char message[MESSAGE_MAX];
	va_list args;
	int n = 0;

	va_start(args, format);
	if (request->shard > 0)
		n = snprintf(message, sizeof(message), "shard %u (those before it have the change): ",
			     request->shard);
	vsnprintf(message + n, sizeof(message) - (size_t)n, format, args);
	va_end(args);
	request->failed = true;
	if (request->control != NULL)
		strata_count(request->control->self, CONTROL_COUNTER_ERRORS, 1);
	return control_error(request->out, request->id, code, message);
}

/* The code of what a call of the kernel returned. */
static const char *code_of(int result)
{
	switch (-result) {
	case ENOENT:
	case ESRCH:
	case EADDRNOTAVAIL:
	case ENODEV:
		return "not_found";
	case EEXIST:
	case EALREADY:
		return "exists";
	case EBUSY:
		return "busy_module";
	case EINVAL:
	case EAFNOSUPPORT:
	case ENETUNREACH:
	case EPERM:
	case ERANGE:
		return "invalid";
	default:
		return "failed";
	}
}

size_t control_fail_errno(struct control_request *request, int result, struct strata_error *error)
{
	const char *text = strata_error_text(error);
	size_t length = control_fail(request, code_of(result), "%s",
				     text[0] != '\0' ? text : strerror(-result));

	if (error != NULL)
		strata_error_clear(error);
	return length;
}

size_t control_result(struct control_request *request, json_t *result)
{
	const size_t tail = 2;	/* "}\n" */
	size_t length = 0, room, n = 0;
	char *out = request->out;

	out[length++] = '{';
	length += control_put_id(out + length, CONTROL_BUFFER - length, request->id);
	length += (size_t)snprintf(out + length, CONTROL_BUFFER - length, ",\"ok\":true,\"result\":");
	room = CONTROL_BUFFER - tail - length;
	if (result != NULL)
		n = json_dumpb(result, out + length, room, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(result);
	if (n == 0 || n > room)
		return control_fail(request, "failed", "done, but the reply %s", n == 0 ?
				    "could not be written: out of memory" :
				    "has no room in 65535 bytes");
	length += n;
	out[length++] = '}';
	out[length++] = '\n';
	return length;
}
