/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet's walk: one record a step, with the module, what it read (fields), what it decided
 * (text) and the packet itself. Costs one predicted branch while nobody listens.
 *
 *	strata_trace(self, pkt, "request %u → reply", id);
 *	strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_ADDR("src", &h.src),
 *			    STRATA_FIELD_ADDR("dst", &h.dst), STRATA_FIELD_UINT("ttl", h.ttl)),
 *			    "for this host");
 *
 * A step's line is its fields, then its text: "192.0.2.1 → 192.0.2.2, ttl 64: for this host".
 * strata_drop() makes the step of a discard by itself.
 */
#ifndef STRATA_TRACE_H
#define STRATA_TRACE_H

#include <strata/module.h>
#include <strata/pkt.h>
#include <strata/stack.h>

STRATA_BEGIN_DECLS

struct strata_flow_key;
struct strata_neigh;
struct strata_route;
struct strata_socket;

/* ---- fields ---- */

enum strata_field_type {
	STRATA_FIELD_TYPE_END,		/**< after the last field of an array */
	STRATA_FIELD_TYPE_SAID,		/**< no field: the line leaves out those behind it; see STRATA_SAID() */
	STRATA_FIELD_TYPE_UINT,		/**< `value` */
	STRATA_FIELD_TYPE_SIZE,		/**< `value` bytes; its line has no name: "42 bytes" */
	STRATA_FIELD_TYPE_HEX,		/**< `value`, at least `digits` digits */
	STRATA_FIELD_TYPE_TIME,		/**< `value` ns; its line has ms */
	STRATA_FIELD_TYPE_TEXT,		/**< `text`; NULL or empty: left out */
	/** Bits of `value`, named from bit 0 on by the words of `text`; its line has no name: "SYN ACK". */
	STRATA_FIELD_TYPE_FLAGS,
	STRATA_FIELD_TYPE_ADDR,		/**< NULL: left out */
	STRATA_FIELD_TYPE_LLADDR,	/**< NULL: left out */
	STRATA_FIELD_TYPE_STATE,	/**< was `text`, is `to`: "LISTEN → SYN-RECEIVED" */
	STRATA_FIELD_TYPE_FLOW,		/**< both ends; what --follow looks for in steps without a packet */
	STRATA_FIELD_TYPE_SOCKET,	/**< its number, ends and state; NULL: none was found */
	STRATA_FIELD_TYPE_ROUTE,	/**< prefix, next hop, interface, source; NULL: none was needed */
	STRATA_FIELD_TYPE_NEIGH,	/**< address, link address and state; NULL: left out */
};

/** One thing a step has read. Made by the macros below; what it points to is borrowed for the step.
 *  A line writes fields of some names together: `src` and `dst` (with `src_port` and `dst_port` behind
 *  each, or alone) as "192.0.2.1:53 → 192.0.2.2:1024". */
struct strata_field {
	const char *name;		/**< snake_case; member of the JSON object */
	uint8_t type;			/**< enum strata_field_type */
	uint8_t digits;			/**< of HEX */
	uint64_t value;
	union {
		const char *text;
		const struct strata_addr *addr;
		const struct strata_lladdr *lladdr;
		const struct strata_flow_key *flow;
		const struct strata_socket *socket;
		const struct strata_route *route;
		const struct strata_neigh *neigh;
	};
	const char *to;			/**< of STATE */
};

#define STRATA_FIELD_UINT(name_, value_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_UINT, .value = (uint64_t)(value_) }
#define STRATA_FIELD_SIZE(name_, value_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_SIZE, .value = (uint64_t)(value_) }
#define STRATA_FIELD_HEX(name_, value_, digits_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_HEX, .digits = (digits_), \
	  .value = (uint64_t)(value_) }
#define STRATA_FIELD_TIME(name_, value_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_TIME, .value = (uint64_t)(value_) }
#define STRATA_FIELD_TEXT(name_, text_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_TEXT, .text = (text_) }
/** `words_`: "FIN SYN RST", bit 0 first; "-" for a bit without a name. */
#define STRATA_FIELD_FLAGS(name_, value_, words_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_FLAGS, .value = (uint64_t)(value_), .text = (words_) }
#define STRATA_FIELD_ADDR(name_, addr_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_ADDR, .addr = (addr_) }
#define STRATA_FIELD_LLADDR(name_, lladdr_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_LLADDR, .lladdr = (lladdr_) }
#define STRATA_FIELD_STATE(name_, from_, to_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_STATE, .text = (from_), .to = (to_) }
#define STRATA_FIELD_FLOW(name_, key_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_FLOW, .flow = (key_) }
#define STRATA_FIELD_SOCKET(name_, socket_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_SOCKET, .socket = (socket_) }
#define STRATA_FIELD_ROUTE(name_, route_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_ROUTE, .route = (route_) }
#define STRATA_FIELD_NEIGH(name_, neigh_) \
	{ .name = (name_), .type = STRATA_FIELD_TYPE_NEIGH, .neigh = (neigh_) }

/** The fields of one step, for strata_trace_fields(). */
#define STRATA_FIELDS(...) \
	((const struct strata_field[]){ __VA_ARGS__, { .type = STRATA_FIELD_TYPE_END } })

/** The same for a step whose text says them in a sentence of its own: its line has the text alone. */
#define STRATA_SAID(...) \
	((const struct strata_field[]){ { .type = STRATA_FIELD_TYPE_SAID }, __VA_ARGS__, \
					{ .type = STRATA_FIELD_TYPE_END } })

/* ---- making steps ---- */

/** True while somebody listens to the stack's steps. Constant false in a build without tracing, which the
 *  benchmark of its cost makes (-DSTRATA_TRACE_OFF). */
static inline bool strata_tracing(const struct strata_stack *stack)
{
#ifdef STRATA_TRACE_OFF
	(void)stack;
	return false;
#else
	return strata_unlikely(stack->tracing);
#endif
}

/** The same, asked by a module at its own instance: once for each step of each packet. */
static inline bool strata_traced(const struct strata_instance *self)
{
#ifdef STRATA_TRACE_OFF
	(void)self;
	return false;
#else
	return strata_unlikely(self->traced);
#endif
}

STRATA_API void strata_trace_emit(struct strata_instance *self, struct strata_pkt *pkt,
				  const char *format, ...)
	STRATA_PRINTF(3, 4) __attribute__((cold));
STRATA_API void strata_trace_emit_fields(struct strata_instance *self, struct strata_pkt *pkt,
					 const struct strata_field *fields, const char *format, ...)
	STRATA_PRINTF(4, 5) __attribute__((cold));

/** A step of `self` with the packet (NULL: with none, say a timer): what it decided, as printf(3) does.
 *  The arguments are evaluated only while someone listens. */
#define strata_trace(self, pkt, ...) \
	do { \
		if (strata_traced(self)) \
			strata_trace_emit((self), (pkt), __VA_ARGS__); \
	} while (0)

/** The same with what was read: `fields` is STRATA_FIELDS(…). The text may be "%s", "". */
#define strata_trace_fields(self, pkt, fields, ...) \
	do { \
		if (strata_traced(self)) \
			strata_trace_emit_fields((self), (pkt), fields, __VA_ARGS__); \
	} while (0)

/** `addr` as text for a step, in one of a few rotating buffers of the stack: good until eight
 *  more calls. By the address operations of its family; hex where nobody knows it. */
STRATA_API const char *strata_addr_text(struct strata_stack *stack, const struct strata_addr *addr);
/** The same for a link address, as hex pairs. */
STRATA_API const char *strata_lladdr_text(struct strata_stack *stack,
					  const struct strata_lladdr *addr);

/* ---- listening ---- */

/** Longest text of a step, final NUL included; what is beyond is cut between two characters. */
#define STRATA_TRACE_TEXT 512
/** A buffer of this size holds every step's line. */
#define STRATA_TRACE_LINE (STRATA_TRACE_TEXT + 128)
/** A buffer of this size holds every step as JSON. */
#define STRATA_TRACE_JSON 8192

/** One step. Borrowed by the sink for the length of the call, with all it points to. */
struct strata_trace_record {
	uint64_t time;			/**< stack time, ns */
	uint32_t id;			/**< the packet's, from 1; the same for all its steps; 0: none */
	/** The packet that was being received when this step was made, when it is another: an answer, a
	 *  state that changed. 0: none, or itself. */
	uint32_t cause;
	bool out;			/**< on its way out */
	uint8_t layer;			/**< enum strata_kind; STRATA_KINDS: the kernel */
	uint8_t severity;		/**< enum strata_severity, with `drop` */
	const char *iface;		/**< interface name, or "" before routing */
	const char *module;		/**< instance name, or "kernel" */
	const char *text;		/**< what was decided; a discard's reason for people; may be "" */
	const char *drop;		/**< name of the drop reason when this step discards, else NULL */
	uint32_t length;		/**< bytes from pkt->data on */
	const struct strata_field *fields;	/**< what was read; ends with FIELD_TYPE_END; never NULL */
	const struct strata_pkt *pkt;	/**< as it is at this step; NULL: a step without one */
	struct strata_instance *self;	/**< whose step */
};

typedef void strata_trace_fn(void *ctx, const struct strata_trace_record *record);

/** A listener, embedded in its owner. Zero it, set `step` and `ctx`. Steps made while a sink is called are
 *  not told. */
struct strata_trace_sink {
	strata_trace_fn *step;
	void *ctx;
	struct strata_trace_sink *next;	/**< kernel's */
	bool added;			/**< kernel's */
};

/** Adds a sink behind the others; one that was added already is left where it is. */
STRATA_API void strata_trace_sink_add(struct strata_stack *stack, struct strata_trace_sink *sink);
/** Removes it; nothing happens when it was not added. Allowed from within a sink's call, for this and any
 *  other sink: a removed sink is not called again. */
STRATA_API void strata_trace_sink_remove(struct strata_stack *stack, struct strata_trace_sink *sink);

/** One sink more that the kernel keeps, for whoever needs but one; NULL detaches it. */
STRATA_API void strata_trace_attach(struct strata_stack *stack, strata_trace_fn *sink, void *ctx);

/* ---- telling: the one place that writes steps as text and as JSON ---- */

/** What the module has to say: fields and text, or "DROP reason: text". Returns the bytes written, without
 *  the NUL; cut at `size`, between two characters. */
STRATA_API size_t strata_trace_text(const struct strata_trace_record *record, char *buf, size_t size);
/** A whole line without newline: time, packet, direction, interface, module and strata_trace_text(). */
STRATA_API size_t strata_trace_line(const struct strata_trace_record *record, char *buf, size_t size);
/** One JSON object without newline, as docs/control.md describes; always whole and valid UTF-8. Returns its
 *  length; 0 where `size` is less than STRATA_TRACE_JSON. */
STRATA_API size_t strata_trace_json(const struct strata_trace_record *record, char *buf, size_t size);

STRATA_END_DECLS
#endif
