/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet's walk: records handed to all sinks, and addresses as text for them. */
#include "iface.h"
#include "trace.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Local choice: longest name of a drop reason. */
#define TRACE_DROP 64
#define TRACE_BUFFERS 8

struct trace {
	struct strata_trace_sink *sinks;
	struct strata_trace_sink *turn;	/* whose turn is next, while a record is handed round */
	bool telling;			/* a sink is being called */
	struct strata_trace_sink attached;	/* strata_trace_attach()'s */
	uint32_t last_id;
	uint32_t cause;			/* the packet that is being received; 0: none */
	unsigned int next_buffer;
	char buffers[TRACE_BUFFERS][STRATA_ADDR_TEXT];
};

static const struct strata_field no_fields[] = { { .type = STRATA_FIELD_TYPE_END } };

int trace_init(struct kernel *k)
{
	k->trace = strata_alloc(&k->pub, sizeof(*k->trace));
	return k->trace != NULL ? 0 : -ENOMEM;
}

void trace_fini(struct kernel *k)
{
	strata_free(&k->pub, k->trace);
	k->trace = NULL;
	k->pub.tracing = false;
}

/* ---- sinks ---- */

/* Whether somebody listens is kept where a step asks. */
static void set_tracing(struct kernel *k, bool tracing)
{
	struct strata_iface *iface = NULL;

	k->pub.tracing = tracing;
	k->self.traced = tracing;
	registry_set_traced(k, tracing);
	while ((iface = strata_iface_next(&k->pub, iface)) != NULL)
		iface_mark(iface_of(iface));
}

void strata_trace_sink_add(struct strata_stack *stack, struct strata_trace_sink *sink)
{
	struct strata_trace_sink **at = &kernel_of(stack)->trace->sinks;

	if (sink->added)
		return;
	while (*at != NULL)
		at = &(*at)->next;
	sink->next = NULL;
	sink->added = true;
	*at = sink;
	set_tracing(kernel_of(stack), true);
}

void strata_trace_sink_remove(struct strata_stack *stack, struct strata_trace_sink *sink)
{
	struct trace *trace = kernel_of(stack)->trace;
	struct strata_trace_sink **at = &trace->sinks;

	if (!sink->added)
		return;
	while (*at != sink)
		at = &(*at)->next;
	*at = sink->next;
	if (trace->turn == sink)
		trace->turn = sink->next;
	sink->next = NULL;
	sink->added = false;
	set_tracing(kernel_of(stack), trace->sinks != NULL);
}

void strata_trace_attach(struct strata_stack *stack, strata_trace_fn *sink, void *ctx)
{
	struct trace *trace = kernel_of(stack)->trace;

	strata_trace_sink_remove(stack, &trace->attached);
	trace->attached.step = sink;
	trace->attached.ctx = ctx;
	if (sink != NULL)
		strata_trace_sink_add(stack, &trace->attached);
}

static void tell(struct trace *trace, const struct strata_trace_record *record)
{
	struct strata_trace_sink *sink;

	trace->telling = true;
	trace->turn = trace->sinks;
	while ((sink = trace->turn) != NULL) {
		trace->turn = sink->next;
		sink->step(sink->ctx, record);
	}
	trace->telling = false;
}

/* ---- steps ---- */

uint32_t trace_cause(struct kernel *k, uint32_t id)
{
	const uint32_t before = k->trace->cause;

	k->trace->cause = id;
	return before;
}

void trace_identify(struct kernel *k, struct strata_pkt *pkt)
{
	struct trace *trace = k->trace;

	if (pkt->trace_id != 0)
		return;
	/* 0 means that it has none, also when the numbers begin again. */
	trace->last_id += trace->last_id == UINT32_MAX ? 2 : 1;
	pkt->trace_id = trace->last_id;
}

static void describe_packet(struct kernel *k, struct strata_pkt *pkt,
			    struct strata_trace_record *record)
{
	trace_identify(k, pkt);
	record->pkt = pkt;
	record->id = pkt->trace_id;
	record->out = (pkt->flags & STRATA_PKT_TX) != 0;
	record->length = strata_pkt_length(pkt);
	if (pkt->iface != NULL)
		record->iface = pkt->iface->name;
}

/* Completes the record and hands it round. */
static void tell_step(struct strata_instance *self, struct strata_pkt *pkt,
		      struct strata_trace_record *record)
{
	struct trace *trace = kernel_of(self->stack)->trace;

	if (trace->telling)
		return;
	record->time = strata_now(self->stack);
	record->layer = (uint8_t)self->module->kind;
	record->module = self->name;
	record->self = self;
	record->iface = "";
	if (pkt != NULL)
		describe_packet(kernel_of(self->stack), pkt, record);
	if (trace->cause != record->id)
		record->cause = trace->cause;
	tell(trace, record);
}

size_t trace_whole(const char *text, size_t length)
{
	size_t begin = length;
	unsigned int need = 0;

	/* RFC 3629 3: back over at most three bytes that continue a character, to the one that begins it. */
	while (begin > 0 && length - begin < 3 && ((unsigned char)text[begin - 1] & 0xc0) == 0x80)
		begin--;
	if (begin == 0)
		return length;
	begin--;
	if (((unsigned char)text[begin] & 0xe0) == 0xc0)
		need = 2;
	else if (((unsigned char)text[begin] & 0xf0) == 0xe0)
		need = 3;
	else if (((unsigned char)text[begin] & 0xf8) == 0xf0)
		need = 4;
	return length - begin < need ? begin : length;
}

STRATA_PRINTF(4, 0)
static void emit(struct strata_instance *self, struct strata_pkt *pkt,
		 const struct strata_field *fields, const char *format, va_list args)
{
	struct strata_trace_record record = { .fields = fields };
	char text[STRATA_TRACE_TEXT];

	if (!self->stack->tracing)
		return;
	if (vsnprintf(text, sizeof(text), format, args) >= (int)sizeof(text))
		text[trace_whole(text, sizeof(text) - 1)] = '\0';
	record.text = text;
	tell_step(self, pkt, &record);
}

void strata_trace_emit(struct strata_instance *self, struct strata_pkt *pkt, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(self, pkt, no_fields, format, args);
	va_end(args);
}

void strata_trace_emit_fields(struct strata_instance *self, struct strata_pkt *pkt,
			      const struct strata_field *fields, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emit(self, pkt, fields, format, args);
	va_end(args);
}

void trace_drop(struct strata_instance *self, struct strata_pkt *pkt,
		const struct strata_drop_def *def)
{
	char name[TRACE_DROP];
	struct strata_trace_record record = {
		.fields = no_fields,
		.text = def->text,
		.drop = name,
		.severity = (uint8_t)def->severity,
	};
	size_t i;

	for (i = 0; i < sizeof(name) - 1 && def->name[i] != '\0'; i++)
		name[i] = (char)tolower((unsigned char)def->name[i]);
	name[i] = '\0';
	tell_step(self, pkt, &record);
}

void trace_frame(struct kernel *k, struct strata_pkt *pkt, const char *how)
{
	static const char *const checksums[] = {
		[STRATA_CSUM_NONE] = NULL,
		[STRATA_CSUM_VERIFIED] = "found good by the device",
		[STRATA_CSUM_PARTIAL] = "left open",
	};
	const char *checksum = pkt->csum < STRATA_COUNT(checksums) ? checksums[pkt->csum] : NULL;
	const uint32_t length = strata_pkt_length(pkt);

	if (pkt->seg_type != STRATA_SEG_NONE)
		strata_trace_fields(&k->self, pkt, STRATA_SAID(STRATA_FIELD_SIZE("length", length),
				    STRATA_FIELD_TEXT("checksum", checksum),
				    STRATA_FIELD_UINT("segment_size", pkt->seg_size)),
				    "%s %s, %u bytes: a super-packet of segments of %u", how,
				    pkt->iface->name, length, pkt->seg_size);
	else
		strata_trace_fields(&k->self, pkt, STRATA_SAID(STRATA_FIELD_SIZE("length", length),
				    STRATA_FIELD_TEXT("checksum", checksum)), "%s %s, %u bytes%s%s", how,
				    pkt->iface->name, length, checksum != NULL ? ", checksum " : "",
				    checksum != NULL ? checksum : "");
}

/* ---- addresses as text ---- */

static char *next_buffer(struct kernel *k)
{
	return k->trace->buffers[k->trace->next_buffer++ % TRACE_BUFFERS];
}

static void hex_bytes(char *out, size_t size, const uint8_t *bytes, size_t count)
{
	size_t i, used = 0;

	out[0] = '\0';
	for (i = 0; i < count && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, i == 0 ? "%02x" : ":%02x", bytes[i]);
}

const char *strata_addr_text(struct strata_stack *stack, const struct strata_addr *addr)
{
	const struct strata_address_ops *ops;
	char *text = next_buffer(kernel_of(stack));

	if (!strata_addr_is_set(addr))
		snprintf(text, STRATA_ADDR_TEXT, "unset");
	else if ((ops = strata_address_ops(stack, addr->family)) != NULL)
		ops->format(addr, text, STRATA_ADDR_TEXT);
	else
		hex_bytes(text, STRATA_ADDR_TEXT, addr->bytes,
			  addr->length <= STRATA_ADDR_MAX ? addr->length : STRATA_ADDR_MAX);
	return text;
}

const char *strata_lladdr_text(struct strata_stack *stack, const struct strata_lladdr *addr)
{
	char *text = next_buffer(kernel_of(stack));

	if (addr->length == 0)
		snprintf(text, STRATA_ADDR_TEXT, "none");
	else
		hex_bytes(text, STRATA_ADDR_TEXT, addr->bytes,
			  addr->length <= STRATA_LLADDR_MAX ? addr->length : STRATA_LLADDR_MAX);
	return text;
}
