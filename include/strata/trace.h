/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet's walk: one record a step, with the module, what it read and what it decided. Costs
 * one predicted branch while nobody listens.
 */
#ifndef STRATA_TRACE_H
#define STRATA_TRACE_H

#include <strata/module.h>
#include <strata/pkt.h>
#include <strata/stack.h>

STRATA_BEGIN_DECLS

/** One step. Borrowed by the sink for the length of the call. */
struct strata_trace_record {
	uint64_t time;			/**< stack time, ns */
	uint32_t id;			/**< the packet's, from 1; the same for all its steps */
	bool out;			/**< on its way out */
	const char *iface;		/**< interface name, or "" before routing */
	const char *module;		/**< instance name, or "kernel" */
	const char *text;		/**< what was read and what was decided */
	const char *drop;		/**< name of the drop reason when this step discards, else NULL */
	uint32_t length;		/**< bytes from pkt->data on */
};

typedef void strata_trace_fn(void *ctx, const struct strata_trace_record *record);

/** Attaches the stack's trace sink; NULL detaches it. */
STRATA_API void strata_trace_attach(struct strata_stack *stack, strata_trace_fn *sink, void *ctx);

STRATA_API void strata_trace_emit(struct strata_instance *self, struct strata_pkt *pkt,
				  const char *format, ...) STRATA_PRINTF(3, 4);

/** Records a step of `self` with the packet: strata_trace(self, pkt, "echo request id %u → reply", id).
 *  The arguments are evaluated only while someone listens. */
#define strata_trace(self, pkt, ...) \
	do { \
		if (strata_unlikely((self)->stack->tracing)) \
			strata_trace_emit((self), (pkt), __VA_ARGS__); \
	} while (0)

/** `addr` as text for a trace line, in one of a few rotating buffers of the stack: good until eight
 *  more calls. By the address operations of its family; hex where nobody knows it. */
STRATA_API const char *strata_addr_text(struct strata_stack *stack, const struct strata_addr *addr);
/** The same for a link address, as hex pairs. */
STRATA_API const char *strata_lladdr_text(struct strata_stack *stack,
					  const struct strata_lladdr *addr);

STRATA_END_DECLS
#endif
