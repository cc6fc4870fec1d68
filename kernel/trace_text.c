/* SPDX-License-Identifier: BSD-2-Clause */
/* Steps as people and programs read them: the one place that writes a record as text and as JSON
 * (RFC 8259, in UTF-8 as its section 8.1 wants). */
#include <strata/inspect.h>
#include <strata/transport.h>
#include "trace.h"

#include <stdarg.h>
#include <stdio.h>

/* Local choice: bytes of a text field that are told. */
#define FIELD_TEXT 128
/* Where fields end in a JSON object, so that the texts behind them always have room: six bytes for each
 * of theirs, twice. */
#define JSON_FIELDS (STRATA_TRACE_JSON - 2 * 6 * STRATA_TRACE_TEXT - 64)

/* A buffer being filled. What does not fit is left out, and `full` is set. */
struct out {
	char *buf;
	size_t size, used;		/* used < size */
	bool full;
	bool json;
	struct strata_stack *stack;
};

STRATA_PRINTF(2, 3)
static void put(struct out *o, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(o->buf + o->used, o->size - o->used, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= o->size - o->used) {
		o->full = true;
		n = n < 0 ? 0 : (int)(o->size - o->used - 1);
	}
	o->used += (size_t)n;
}

/* ---- characters that may not be told as they are ---- */

/* Bytes of the UTF-8 character at `s`, or 0: it is none (RFC 3629 4; overlong forms and surrogates are
 * told from their first two bytes). */
static size_t character(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
		   s[0] < 0xf5 ? 4 : 0;
	size_t i;

	for (i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* At most `most` bytes of `text`, without anything that could forge a line, a terminal's code or the end
 * of a JSON string. */
static void put_safe(struct out *o, const char *text, size_t most)
{
	const unsigned char *s = (const unsigned char *)text;
	const unsigned char *end = s + most;

	while (*s != '\0' && s < end && !o->full) {
		size_t n = character(s);
		if (n > (size_t)(end - s))
			break;
		if (n > 1 || (n == 1 && *s >= ' ' && *s != 0x7f && *s != '"' && *s != '\\'))
			put(o, "%.*s", (int)n, (const char *)s);
		else if (n == 0)
			put(o, "%s", o->json ? "\\ufffd" : "?");
		else if (o->json)
			put(o, "\\u%04x", *s);
		else
			put(o, "%c", *s == '"' || *s == '\\' ? *s : '?');
		s += n == 0 ? 1 : n;
	}
}

static void put_string(struct out *o, const char *text, size_t most)
{
	if (o->json)
		put(o, "\"");
	put_safe(o, text, most);
	if (o->json)
		put(o, "\"");
}

/* ---- values, the same ones twice ---- */

static void put_addr(struct out *o, const struct strata_addr *addr)
{
	if (o->json && !strata_addr_is_set(addr))
		put(o, "null");
	else
		put_string(o, strata_addr_text(o->stack, addr), STRATA_ADDR_TEXT);
}

static void put_lladdr(struct out *o, const struct strata_lladdr *addr)
{
	if (o->json && addr->length == 0)
		put(o, "null");
	else
		put_string(o, strata_lladdr_text(o->stack, addr), STRATA_ADDR_TEXT);
}

/* Address and port: "192.0.2.1:7", or "[2001:db8::1]:7" where the address has colons itself. */
static void put_end(struct out *o, const struct strata_addr *addr, uint16_t port)
{
	const char *text = strata_addr_is_set(addr) ? strata_addr_text(o->stack, addr) : "*";
	const bool colons = strchr(text, ':') != NULL;

	if (!o->json) {
		put(o, "%s%s%s", colons ? "[" : "", text, colons ? "]" : "");
		put(o, port != 0 ? ":%u" : ":*", port);
		return;
	}
	put(o, "{\"address\":");
	put_addr(o, addr);
	put(o, ",\"port\":%u}", port);
}

static void put_flow(struct out *o, const struct strata_flow_key *key)
{
	put(o, "%s", o->json ? "{\"local\":" : "");
	put_end(o, &key->local, key->local_port);
	put(o, "%s", o->json ? ",\"remote\":" : " ↔ ");
	put_end(o, &key->remote, key->remote_port);
	if (o->json)
		put(o, ",\"number\":%u}", key->number);
}

static void put_socket(struct out *o, const struct strata_socket *sock)
{
	const struct strata_transport_ops *ops;
	const char *state = NULL;
	uint32_t rx, tx;

	if (sock == NULL) {
		put(o, "%s", o->json ? "null" : "none");
		return;
	}
	ops = sock->transport->module->transport;
	if (ops->describe != NULL)
		ops->describe(&sock->flow, &state, &rx, &tx);
	if (o->json) {
		if (sock->fd >= 0)
			put(o, "{\"fd\":%d", sock->fd);
		else
			put(o, "{\"fd\":null");
		put(o, ",\"state\":\"%s\",\"flow\":", state != NULL ? state : "");
		put_flow(o, &sock->flow.key);
		put(o, "}");
		return;
	}
	if (sock->fd >= 0)
		put(o, "%d ", sock->fd);
	put(o, "%s%s", state != NULL ? state : "", state != NULL ? " " : "");
	put_flow(o, &sock->flow.key);
}

static void put_route(struct out *o, const struct strata_route *route)
{
	if (route == NULL) {
		put(o, "%s", o->json ? "null" : "none needed");
		return;
	}
	if (!o->json) {
		put(o, "%s/%u", strata_addr_text(o->stack, &route->to.addr), route->to.bits);
		if (strata_addr_is_set(&route->via))
			put(o, " via %s", strata_addr_text(o->stack, &route->via));
		put(o, " dev %s", route->iface->name);
		return;
	}
	put(o, "{\"to\":\"%s/%u\",\"via\":", strata_addr_text(o->stack, &route->to.addr),
	    route->to.bits);
	put_addr(o, &route->via);
	put(o, ",\"interface\":\"");
	put_safe(o, route->iface->name, sizeof(route->iface->name));
	put(o, "\",\"source\":");
	put_addr(o, &route->src);
	put(o, ",\"metric\":%u}", route->metric);
}

static void put_neigh(struct out *o, const struct strata_neigh *neigh)
{
	const char *state = strata_neigh_state_name((enum strata_neigh_state)neigh->state);

	put(o, "%s", o->json ? "{\"address\":" : "");
	put_addr(o, &neigh->addr);
	if (o->json || neigh->lladdr.length != 0) {
		put(o, "%s", o->json ? ",\"mac\":" : " at ");
		put_lladdr(o, &neigh->lladdr);
	}
	put(o, o->json ? ",\"state\":\"%s\"}" : " %s", state);
}

/* The words of the bits that are set. */
static void put_flags(struct out *o, uint64_t value, const char *words)
{
	const char *sep = "";

	put(o, "%s", o->json ? "[" : "");
	for (; *words != '\0'; value >>= 1) {
		const size_t length = strcspn(words, " ");
		if ((value & 1) != 0 && *words != '-') {
			put(o, o->json ? "%s\"%.*s\"" : "%s%.*s", sep, (int)length, words);
			sep = o->json ? "," : " ";
		}
		words += length + (words[length] == ' ');
	}
	put(o, "%s", o->json ? "]" : "");
}

static void put_time(struct out *o, uint64_t ns)
{
	if (o->json)
		put(o, "%llu", (unsigned long long)ns);
	else
		put(o, "%llu.%03llu ms", (unsigned long long)(ns / STRATA_MS),
		    (unsigned long long)(ns % STRATA_MS / STRATA_US));
}

static void put_value(struct out *o, const struct strata_field *f)
{
	switch ((enum strata_field_type)f->type) {
	case STRATA_FIELD_TYPE_END:
	case STRATA_FIELD_TYPE_SAID:
		break;
	case STRATA_FIELD_TYPE_UINT:
		put(o, "%llu", (unsigned long long)f->value);
		break;
	case STRATA_FIELD_TYPE_SIZE:
		put(o, o->json ? "%llu" : "%llu bytes", (unsigned long long)f->value);
		break;
	case STRATA_FIELD_TYPE_HEX:
		put(o, o->json ? "\"0x%0*llx\"" : "0x%0*llx", f->digits,
		    (unsigned long long)f->value);
		break;
	case STRATA_FIELD_TYPE_TIME:
		put_time(o, f->value);
		break;
	case STRATA_FIELD_TYPE_TEXT:
		put_string(o, f->text, FIELD_TEXT);
		break;
	case STRATA_FIELD_TYPE_FLAGS:
		put_flags(o, f->value, f->text);
		break;
	case STRATA_FIELD_TYPE_ADDR:
		put_addr(o, f->addr);
		break;
	case STRATA_FIELD_TYPE_LLADDR:
		put_lladdr(o, f->lladdr);
		break;
	case STRATA_FIELD_TYPE_STATE:
		put(o, o->json ? "{\"from\":\"%s\",\"to\":\"%s\"}" : "%s → %s", f->text, f->to);
		break;
	case STRATA_FIELD_TYPE_FLOW:
		put_flow(o, f->flow);
		break;
	case STRATA_FIELD_TYPE_SOCKET:
		put_socket(o, f->socket);
		break;
	case STRATA_FIELD_TYPE_ROUTE:
		put_route(o, f->route);
		break;
	case STRATA_FIELD_TYPE_NEIGH:
		put_neigh(o, f->neigh);
		break;
	}
}

/* True for a field that has nothing to say. */
static bool is_empty(const struct strata_field *f)
{
	switch ((enum strata_field_type)f->type) {
	case STRATA_FIELD_TYPE_SAID:
		return true;
	case STRATA_FIELD_TYPE_TEXT:
		return f->text == NULL || f->text[0] == '\0';
	case STRATA_FIELD_TYPE_ADDR:
		return f->addr == NULL;
	case STRATA_FIELD_TYPE_LLADDR:
		return f->lladdr == NULL;
	case STRATA_FIELD_TYPE_NEIGH:
		return f->neigh == NULL;
	default:
		return false;
	}
}

/* ---- lines ---- */

static bool is_named(const struct strata_field *f, const char *name)
{
	return f->type > STRATA_FIELD_TYPE_SAID && strcmp(f->name, name) == 0;
}

/* "src", "src port", "dst" and "dst port" as one; returns how many fields that took, 0: it is none. */
static unsigned int put_ends(struct out *o, const struct strata_field *f)
{
	const struct strata_field *first = f;
	bool ports;

	if (is_named(f, "src_port") && is_named(f + 1, "dst_port")) {
		put(o, "port %u → %u", (unsigned int)f->value, (unsigned int)f[1].value);
		return 2;
	}
	if (!is_named(f, "src"))
		return 0;
	ports = is_named(f + 1, "src_port") && is_named(f + 2, "dst") && is_named(f + 3, "dst_port");
	if (!ports && !is_named(f + 1, "dst"))
		return 0;
	if (ports && f->type == STRATA_FIELD_TYPE_ADDR && f[2].type == STRATA_FIELD_TYPE_ADDR) {
		put_end(o, f->addr, (uint16_t)f[1].value);
		put(o, " → ");
		put_end(o, f[2].addr, (uint16_t)f[3].value);
		return 4;
	}
	put_value(o, f++);
	put(o, " → ");
	put_value(o, f++);
	return (unsigned int)(f - first);
}

static void put_field(struct out *o, const struct strata_field *f)
{
	const char *c;

	if (f->type != STRATA_FIELD_TYPE_SIZE && f->type != STRATA_FIELD_TYPE_FLAGS &&
	    f->type != STRATA_FIELD_TYPE_STATE && f->type != STRATA_FIELD_TYPE_FLOW) {
		for (c = f->name; *c != '\0'; c++)
			put(o, "%c", *c == '_' ? ' ' : *c);
		put(o, " ");
	}
	put_value(o, f);
}

static void put_fields_line(struct out *o, const struct strata_field *f)
{
	const char *sep = "";

	while (f->type != STRATA_FIELD_TYPE_END && f->type != STRATA_FIELD_TYPE_SAID) {
		unsigned int taken = 0;
		if (!is_empty(f) && (f->type != STRATA_FIELD_TYPE_FLAGS || f->value != 0)) {
			put(o, "%s", sep);
			taken = put_ends(o, f);
			if (taken == 0)
				put_field(o, f);
			sep = ", ";
		}
		f += taken != 0 ? taken : 1;
	}
}

static void put_text(struct out *o, const struct strata_trace_record *record)
{
	const size_t begin = o->used;

	if (record->drop != NULL)
		put(o, "DROP %s", record->drop);
	else
		put_fields_line(o, record->fields);
	/* A text that goes on with an arrow needs no colon. */
	if (o->used != begin && record->text[0] != '\0')
		put(o, strncmp(record->text, "→", sizeof("→") - 1) == 0 ? " " : ": ");
	put_safe(o, record->text, STRATA_TRACE_TEXT);
	if (o->full)
		o->used = trace_whole(o->buf, o->used);
	o->buf[o->used] = '\0';
}

size_t strata_trace_text(const struct strata_trace_record *record, char *buf, size_t size)
{
	struct out o = { .buf = buf, .size = size, .stack = record->self->stack };

	if (size == 0)
		return 0;
	put_text(&o, record);
	return o.used;
}

/* What has no packet (a state that changed) has neither number nor direction; a packet without an
 * interface is one that a transport has just made. */
static const char *direction(const struct strata_trace_record *record)
{
	if (record->id == 0)
		return NULL;
	return record->out || record->iface[0] == '\0' ? "out" : "in";
}

size_t strata_trace_line(const struct strata_trace_record *record, char *buf, size_t size)
{
	struct out o = { .buf = buf, .size = size, .stack = record->self->stack };
	const char *way = direction(record);
	char id[16] = "-";

	if (size == 0)
		return 0;
	if (record->id != 0)
		snprintf(id, sizeof(id), "#%u", record->id);
	put(&o, "%7llu.%06llu %-7s %-3s %-8s %-10s ",
	    (unsigned long long)(record->time / STRATA_SEC),
	    (unsigned long long)(record->time % STRATA_SEC / STRATA_US), id,
	    way != NULL ? way : "-", record->iface[0] != '\0' ? record->iface : "-",
	    record->module);
	put_text(&o, record);
	return o.used;
}

/* ---- JSON ---- */

/* `,"fields":{…}`; what finds no room is left out. */
static void put_fields_json(struct out *o, const struct strata_field *f)
{
	const size_t size = o->size;
	const char *sep = "";

	put(o, ",\"fields\":{");
	o->size = JSON_FIELDS;
	for (; f->type != STRATA_FIELD_TYPE_END; f++) {
		const size_t before = o->used;
		if (is_empty(f))
			continue;
		put(o, "%s\"%s\":", sep, f->name);
		put_value(o, f);
		if (o->full) {
			o->used = before;
			o->full = false;
			break;
		}
		sep = ",";
	}
	o->size = size;
	put(o, "}");
}

static void put_drop_json(struct out *o, const struct strata_trace_record *record)
{
	static const char *const severity[] = {
		[STRATA_SEVERITY_INFO] = "info",
		[STRATA_SEVERITY_WARNING] = "warning",
		[STRATA_SEVERITY_ERROR] = "error",
	};

	put(o, ",\"drop\":{\"reason\":");
	put_string(o, record->drop, STRATA_ADDR_TEXT);
	put(o, ",\"severity\":\"%s\"}",
	    record->severity < STRATA_COUNT(severity) ? severity[record->severity] : "error");
}

static void put_head_json(struct out *o, const struct strata_trace_record *record)
{
	const char *way = direction(record);

	put(o, "{\"time\":%llu,\"packet\":", (unsigned long long)record->time);
	if (record->id != 0)
		put(o, "%u,\"direction\":\"%s\",\"length\":%u", record->id, way, record->length);
	else
		put(o, "null");
	if (record->cause != 0)
		put(o, ",\"cause\":%u", record->cause);
	if (record->iface[0] != '\0') {
		put(o, ",\"interface\":");
		put_string(o, record->iface, STRATA_ADDR_TEXT);
	}
	put(o, ",\"layer\":\"%s\",\"module\":",
	    record->layer < STRATA_KINDS ? strata_kind_name((enum strata_kind)record->layer)
					 : "kernel");
	put_string(o, record->module, STRATA_ADDR_TEXT);
}

size_t strata_trace_json(const struct strata_trace_record *record, char *buf, size_t size)
{
	struct out o = { .buf = buf, .size = size, .json = true, .stack = record->self->stack };
	char line[STRATA_TRACE_TEXT];

	if (size < STRATA_TRACE_JSON)
		return 0;
	strata_trace_text(record, line, sizeof(line));
	put_head_json(&o, record);
	if (record->fields->type != STRATA_FIELD_TYPE_END)
		put_fields_json(&o, record->fields);
	if (record->drop != NULL)
		put_drop_json(&o, record);
	if (record->text[0] != '\0') {
		put(&o, ",\"text\":");
		put_string(&o, record->text, STRATA_TRACE_TEXT);
	}
	put(&o, ",\"line\":");
	put_string(&o, line, sizeof(line));
	put(&o, "}");
	return o.used;
}
