/* SPDX-License-Identifier: BSD-2-Clause */
/* The packet's walk: records handed to the stack's one sink, and addresses as text for them. */
#include "trace.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

/* Local choice: longest text of a step; what is beyond is cut. */
#define TRACE_TEXT 512
/* Local choice: longest name of a drop reason. */
#define TRACE_DROP 64
#define TRACE_BUFFERS 8

struct trace {
	strata_trace_fn *sink;
	void *ctx;
	uint32_t last_id;
	unsigned int next_buffer;
	char buffers[TRACE_BUFFERS][STRATA_ADDR_TEXT];
};

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

void strata_trace_attach(struct strata_stack *stack, strata_trace_fn *sink, void *ctx)
{
	struct trace *trace = kernel_of(stack)->trace;

	trace->sink = sink;
	trace->ctx = ctx;
	stack->tracing = sink != NULL;
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

static void record(struct strata_instance *self, struct strata_pkt *pkt, const char *text,
		   const char *drop)
{
	struct trace *trace = kernel_of(self->stack)->trace;
	struct strata_trace_record step = {
		.time = strata_now(self->stack),
		.iface = "",
		.module = self->name,
		.text = text,
		.drop = drop,
	};

	if (pkt != NULL) {
		trace_identify(kernel_of(self->stack), pkt);
		step.id = pkt->trace_id;
		step.out = (pkt->flags & STRATA_PKT_TX) != 0;
		step.length = strata_pkt_length(pkt);
		if (pkt->iface != NULL)
			step.iface = pkt->iface->name;
	}
	trace->sink(trace->ctx, &step);
}

void strata_trace_emit(struct strata_instance *self, struct strata_pkt *pkt, const char *format, ...)
{
	char text[TRACE_TEXT];
	va_list args;

	if (!self->stack->tracing)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	record(self, pkt, text, NULL);
}

void trace_drop(struct strata_instance *self, struct strata_pkt *pkt,
		const struct strata_drop_def *def)
{
	char name[TRACE_DROP];
	size_t i;

	for (i = 0; i < sizeof(name) - 1 && def->name[i] != '\0'; i++)
		name[i] = (char)tolower((unsigned char)def->name[i]);
	name[i] = '\0';
	record(self, pkt, def->text, name);
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
