/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream `trace`: steps of packets' walks as events. Steps of a packet of which nobody knows yet
 * whether it is wanted are held, in a ring of fixed size: neither traffic nor a slow client make it grow.
 * What the client does not take in time is lost and counted, and the packet goes its way.
 */
#include <stdio.h>
#include <strata/inspect.h>
#include "control_trace.h"

/* Local choices: packets remembered, a power of two; bytes of steps held; modules that can be named. */
#define PACKETS 1024
#define HELD_BYTES (128 * 1024)
#define MODULES 16
/* What is around an event's record: `{"v":1,"id":…,"event":"trace","data":` and `}\n`. */
#define LINE_MAX (STRATA_TRACE_JSON + 256)

/* A packet whose walk is under way, or was. Numbers follow each other, so the oldest is overwritten. */
struct packet {
	uint32_t id;			/* 0: none */
	uint8_t verdict;		/* enum control_trace_verdict */
	bool told;			/* its steps go out as they come */
	uint64_t held;			/* where in the ring its first held step is, with any_held */
	bool any_held;
};

/* Before each held step. */
struct held {
	uint32_t id;			/* 0: told or not wanted, to be passed by */
	uint32_t length;
};

struct trace {
	struct strata_trace_sink sink;
	struct control_client *client;
	struct control_trace_want want;
	char modules[MODULES][64];	/* whose steps are told; none: all */
	size_t module_count;
	bool drops;			/* only packets that are discarded */
	uint64_t left;			/* packets still to be told; UINT64_MAX: no limit */
	char prefix[256];
	size_t prefix_length;
	char line[LINE_MAX];
	struct packet packets[PACKETS];
	uint64_t begin, end;		/* of what the ring holds: positions since the stream began */
	uint8_t ring[HELD_BYTES];
};

/* ---- the ring of held steps ---- */

static void ring_write(struct trace *t, const void *bytes, size_t length)
{
	size_t at = t->end % HELD_BYTES, first = length < HELD_BYTES - at ? length : HELD_BYTES - at;

	memcpy(t->ring + at, bytes, first);
	memcpy(t->ring, (const uint8_t *)bytes + first, length - first);
	t->end += length;
}

static void ring_read(const struct trace *t, uint64_t position, void *bytes, size_t length)
{
	size_t at = position % HELD_BYTES, first = length < HELD_BYTES - at ? length : HELD_BYTES - at;

	memcpy(bytes, t->ring + at, first);
	memcpy((uint8_t *)bytes + first, t->ring, length - first);
}

/* Makes the head of a held step say that it is done with. */
static void ring_forget(struct trace *t, uint64_t position)
{
	size_t i;

	for (i = 0; i < sizeof(uint32_t); i++)
		t->ring[(position + i) % HELD_BYTES] = 0;
}

static void ring_pop(struct trace *t)
{
	struct held held;

	ring_read(t, t->begin, &held, sizeof(held));
	t->begin += sizeof(held) + held.length;
	/* One that might have been wanted. Of packets that are not discarded nobody wanted to know. */
	if (held.id != 0 && !t->drops)
		control_stream_lose(t->client, 1);
}

static void hold(struct trace *t, struct packet *packet, size_t length)
{
	const struct held held = { .id = packet->id, .length = (uint32_t)length };

	while (HELD_BYTES - (t->end - t->begin) < sizeof(held) + length)
		ring_pop(t);
	if (!packet->any_held) {
		packet->any_held = true;
		packet->held = t->end;
	}
	ring_write(t, &held, sizeof(held));
	ring_write(t, t->line, length);
}

/* Tells the steps held of a packet, or forgets them. */
static void release(struct trace *t, struct packet *packet, bool tell)
{
	uint64_t at = packet->held > t->begin ? packet->held : t->begin, position;
	struct held held;

	if (!packet->any_held)
		return;
	packet->any_held = false;
	for (; at < t->end; at = position + held.length) {
		ring_read(t, at, &held, sizeof(held));
		position = at + sizeof(held);
		if (held.id != packet->id)
			continue;
		ring_forget(t, at);
		if (!tell)
			continue;
		ring_read(t, position, t->line, held.length);
		control_stream_write(t->client, t->line, held.length);
	}
}

/* ---- steps ---- */

/* Makes the event of a step in t->line. Returns its length. */
static size_t make_line(struct trace *t, const struct strata_trace_record *record)
{
	size_t length = t->prefix_length;

	memcpy(t->line, t->prefix, length);
	length += strata_trace_json(record, t->line + length, STRATA_TRACE_JSON);
	t->line[length++] = '}';
	t->line[length++] = '\n';
	return length;
}

static void tell(struct trace *t, const struct strata_trace_record *record)
{
	/* To a client that is behind nothing is said but how much. */
	if (control_stream_room(t->client) < LINE_MAX)
		control_stream_lose(t->client, 1);
	else
		control_stream_write(t->client, t->line, make_line(t, record));
}

static bool wants_module(const struct trace *t, const struct strata_trace_record *record)
{
	size_t i;

	for (i = 0; i < t->module_count; i++)
		if (strcmp(t->modules[i], record->module) == 0)
			return true;
	return t->module_count == 0;
}

/* The packet's entry, where it has one. */
static struct packet *packet_find(struct trace *t, uint32_t id)
{
	struct packet *packet = &t->packets[id % PACKETS];

	return packet->id == id ? packet : NULL;
}

/* The first step of a packet that is to be told. */
static void begin_telling(struct trace *t, struct packet *packet)
{
	if (t->left == 0) {
		packet->verdict = CONTROL_TRACE_UNWANTED;
		release(t, packet, false);
		return;
	}
	packet->told = true;
	release(t, packet, true);
	if (t->left != UINT64_MAX && --t->left == 0)
		control_stream_end(t->client, "count reached");
}

static void step_of(struct trace *t, struct packet *packet, const struct strata_trace_record *record)
{
	if (packet->verdict == CONTROL_TRACE_UNWANTED)
		return;
	if (!packet->told && packet->verdict == CONTROL_TRACE_WANTED &&
	    (!t->drops || record->drop != NULL)) {
		begin_telling(t, packet);
		if (!packet->told)
			return;
	}
	if (!wants_module(t, record))
		return;
	if (packet->told)
		tell(t, record);
	else
		hold(t, packet, make_line(t, record));
}

static void packet_step(struct trace *t, const struct strata_trace_record *record)
{
	struct packet *packet = packet_find(t, record->id);
	const bool first = packet == NULL;

	if (first) {
		packet = &t->packets[record->id % PACKETS];
		*packet = (struct packet){ .id = record->id };
	}
	if (packet->verdict == CONTROL_TRACE_UNKNOWN) {
		packet->verdict = (uint8_t)control_trace_judge(&t->want, record, first);
		if (packet->verdict == CONTROL_TRACE_UNWANTED)
			release(t, packet, false);
	}
	step_of(t, packet, record);
}

/* A step without a packet belongs to the one that caused it. */
static void event_step(struct trace *t, const struct strata_trace_record *record)
{
	struct packet *packet = record->cause != 0 ? packet_find(t, record->cause) : NULL;

	if (packet != NULL)
		step_of(t, packet, record);
	else if (!t->drops && t->left != 0 && wants_module(t, record) &&
		 control_trace_wants_event(&t->want, record))
		tell(t, record);
}

static void on_step(void *ctx, const struct strata_trace_record *record)
{
	struct trace *t = ctx;

	if (record->id != 0)
		packet_step(t, record);
	else
		event_step(t, record);
}

/* ---- life ---- */

struct module_search {
	const char *name;
	struct control_names names;
	bool found;
};

static void match_module(void *ctx, const struct strata_module_view *view)
{
	struct module_search *search = ctx;

	control_names_add(&search->names, view->instance->name);
	search->found |= strcmp(search->name, view->instance->name) == 0;
}

/* Returns 0 or the length of a refusal. */
static size_t read_module(struct control_request *request, struct trace *t, const json_t *name)
{
	struct module_search search = { .name = json_string_value(name) };
	char hint[96];

	if (search.name == NULL || t->module_count == MODULES)
		return control_fail(request, "invalid", "`modules` is an array of at most %d names", MODULES);
	strata_inspect_modules(request->control->self->stack, match_module, &search);
	if (!search.found)
		return control_fail(request, "not_found", "no module '%.40s' is running%s", search.name,
				    control_names_hint(&search.names, search.name, hint));
	snprintf(t->modules[t->module_count++], sizeof(t->modules[0]), "%s", search.name);
	return 0;
}

static size_t read_params(struct control_request *request, struct trace *t)
{
	const json_t *modules = control_value(request, "modules");
	size_t i, refused = control_trace_want_read(request, &t->want);

	for (i = 0; refused == 0 && i < json_array_size(modules); i++)
		refused = read_module(request, t, json_array_get(modules, i));
	t->drops = control_bool(request, "drops", false);
	t->left = control_uint(request, "count", UINT64_MAX);
	return refused;
}

static size_t start(struct control_request *request, void **state)
{
	struct strata_stack *stack = request->control->self->stack;
	struct trace *t = strata_alloc(stack, sizeof(*t));
	size_t refused;

	if (t == NULL)
		return control_fail(request, "failed", "out of memory: a trace needs %zu KiB",
				    sizeof(*t) / 1024);
	refused = read_params(request, t);
	if (refused != 0) {
		control_trace_want_free(stack, &t->want);
		strata_free(stack, t);
		return refused;
	}
	t->client = request->client;
	t->prefix[t->prefix_length++] = '{';
	t->prefix_length += control_put_id(t->prefix + t->prefix_length,
					   sizeof(t->prefix) - t->prefix_length, request->id);
	t->prefix_length += (size_t)snprintf(t->prefix + t->prefix_length,
					     sizeof(t->prefix) - t->prefix_length,
					     ",\"event\":\"trace\",\"data\":");
	t->sink.step = on_step;
	t->sink.ctx = t;
	strata_trace_sink_add(stack, &t->sink);
	*state = t;
	return 0;
}

static void stop(struct control_client *client, void *state)
{
	struct strata_stack *stack = client->control->self->stack;
	struct trace *t = state;

	strata_trace_sink_remove(stack, &t->sink);
	control_trace_want_free(stack, &t->want);
	strata_free(stack, t);
}

const struct control_stream_ops control_trace_ops = {
	.start = start,
	.stop = stop,
};
