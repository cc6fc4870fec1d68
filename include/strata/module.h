/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A module and its instance. Each .so exports one `struct strata_module` named <file>_LTX_module
 * (libltdl's convention; <file> is the base name, every byte that is not alphanumeric written '_').
 * It is plain data, at the end of the module's main file. strata-module(7) is the guide.
 */
#ifndef STRATA_MODULE_H
#define STRATA_MODULE_H

#include <strata/addr.h>
#include <strata/base.h>
#include <strata/error.h>
#include <strata/stack.h>

STRATA_BEGIN_DECLS

/** Declares a file's descriptor: `STRATA_MODULE(udp) = { STRATA_MODULE_HEADER, .name = … };` */
#define STRATA_MODULE(file) \
	extern STRATA_API const struct strata_module file##_LTX_module; \
	const struct strata_module file##_LTX_module
/** First bytes of an object that is a Strata module: "SMOD", read before any of its code runs. */
#define STRATA_MODULE_MAGIC UINT32_C(0x444f4d53)
#define STRATA_MODULE_HEADER \
	.magic = STRATA_MODULE_MAGIC, .abi_major = STRATA_ABI_MAJOR, .abi_minor = STRATA_ABI_MINOR, \
	.size = sizeof(struct strata_module)

/** What a module is, and so what it is bound by. */
enum strata_kind {
	STRATA_LINK,		/**< drivers and framings, by name */
	STRATA_NETWORK,		/**< by EtherType */
	STRATA_TRANSPORT,	/**< by IP protocol number */
	STRATA_CONGESTION,	/**< by name */
	STRATA_SERVICE,		/**< by name; uses sockets only */
	STRATA_KINDS,
};

/** Something that must be started before this module. Match by name, or by number where the name is
 *  NULL. An array ends with an entry that has neither. */
struct strata_dependency {
	enum strata_kind kind;
	const char *name;
	uint32_t number;
	/** May be absent; when it is there, it is started first all the same. */
	bool optional;
};

/* ---- options ---- */

/** Type of an option and of the field of the configuration structure that receives it. */
enum strata_option_type {
	STRATA_OPT_BOOL,	/**< bool: `true` or `false` */
	STRATA_OPT_UINT,	/**< uint64_t: decimal or 0x hex */
	STRATA_OPT_SIZE,	/**< uint64_t bytes: KiB MiB GiB, or none for bytes */
	STRATA_OPT_TIME,	/**< uint64_t ns: us ms s min; a unit is required unless 0 */
	STRATA_OPT_STRING,	/**< const char *: any scalar; NULL when unset. Kernel's memory */
	STRATA_OPT_CHOICE,	/**< uint32_t: index in `choices` */
	STRATA_OPT_PREFIX,	/**< struct strata_prefix: address/bits; an address alone: all bits */
	STRATA_OPT_LLADDR,	/**< struct strata_lladdr: 02:00:00:00:00:01 */
	STRATA_OPT_LIST,	/**< struct strata_list: sequence of scalars */
	/** const char *: name of a module of kind `names`, without which this one does not start. It is
	 *  started first; where the manifest does not speak of it, it is loaded all the same. */
	STRATA_OPT_MODULE,
	STRATA_OPT_CHANCE,	/**< uint64_t parts per million: 5%, 0.25%; the sign is required unless 0 */
};

/** A list of strings in the kernel's memory. */
struct strata_list {
	const char *const *items;
	size_t count;
};

/** One option of a module: the only source of its name, type, default and help. */
struct strata_option {
	const char *name;
	enum strata_option_type type;
	size_t offset;			/**< of the field in the configuration structure */
	const char *fallback;		/**< default, written as in a manifest; NULL: zero, unset */
	uint64_t min, max;		/**< inclusive, for UINT SIZE TIME; both 0: no limit. CHANCE: to 100% */
	const char *const *choices;	/**< NULL-terminated, for CHOICE */
	const char *unit;		/**< for people, e.g. "hops"; NULL: none */
	const char *help;		/**< one sentence */
	/** May be changed while the module runs; an interface's: types with memory of their own may not. */
	bool runtime;
	bool required;
	uint8_t names;			/**< enum strata_kind, for MODULE */
};
/** Bytes of the option's field in the configuration structure; 0: of no type there is. */
STRATA_API size_t strata_option_size(const struct strata_option *option);

/* ---- counters and drops ---- */

struct strata_counter_def {
	const char *name;	/**< snake_case */
	const char *help;
	const char *mib;	/**< the MIB object it feeds, e.g. "udpInDatagrams"; NULL: none */
};

enum strata_severity {
	STRATA_SEVERITY_INFO,	/**< expected on a healthy network */
	STRATA_SEVERITY_WARNING,/**< a limit was reached or a peer misbehaves */
	STRATA_SEVERITY_ERROR,	/**< malformed or corrupt */
};

/** A reason to discard a packet. Generated from <module>_drops.def, lines of
 *  X(SYMBOL, "text", SEVERITY, "mibObject" or NULL), by the two macros below. */
struct strata_drop_def {
	const char *name;	/**< SYMBOL in lower case is what programs see */
	const char *text;	/**< for people */
	enum strata_severity severity;
	const char *mib;
};
#define STRATA_DROP_DEF(symbol, text_, severity_, mib_) \
	{ #symbol, text_, STRATA_SEVERITY_##severity_, mib_ },

/* ---- the descriptor ---- */

struct strata_link_ops;
struct strata_network_ops;
struct strata_transport_ops;
struct strata_congestion_ops;
struct strata_service_ops;

struct strata_module {
	uint32_t magic;			/**< these four: STRATA_MODULE_HEADER */
	uint16_t abi_major, abi_minor;
	uint32_t size;
	uint32_t kind;			/**< enum strata_kind */
	uint32_t number;		/**< claimed by default (network, transport); else 0 */
	uint32_t reserved;

	const char *name;		/**< as in a manifest */
	const char *version;
	const char *summary;		/**< one line */
	const struct strata_dependency *depends;	/**< NULL: nothing */
	const char *const *provides;	/**< free-form features, NULL-terminated; NULL: none */

	size_t config_size;		/**< of the structure that `options` fill; 0: none */
	const struct strata_option *options;
	size_t option_count;
	size_t iface_config_size;	/**< link drivers: the same for each interface */
	const struct strata_option *iface_options;
	size_t iface_option_count;

	const struct strata_counter_def *counters;
	size_t counter_count;
	const struct strata_drop_def *drops;
	size_t drop_count;

	/** Makes the instance ready: allocates `self->state`. Everything it depends on has been started.
	 *  Returns 0 or -errno with a sentence in `error`, and then has undone all it did. NULL: nothing
	 *  to do. */
	int (*start)(struct strata_instance *self, struct strata_error *error);
	/** Undoes start. Whatever came through this module (sockets, timers, packets held) ends here. */
	void (*stop)(struct strata_instance *self);
	/** An option changed at run time; the field holds the new value. Returns 0 or -errno: then the old
	 *  value is put back. NULL: the module reads its configuration each time. */
	int (*option_changed)(struct strata_instance *self, const struct strata_option *option);

	/* The one of its kind; the others NULL. */
	const struct strata_link_ops *link;
	const struct strata_network_ops *network;
	const struct strata_transport_ops *transport;
	const struct strata_congestion_ops *congestion;
	const struct strata_service_ops *service;
};

/** A module in a stack. Allocated by the kernel; modules write `state` alone, and the counters
 *  through the functions below. */
struct strata_instance {
	struct strata_stack *stack;
	const struct strata_module *module;
	const char *name;		/**< manifest name; differs from module->name when rebound */
	uint32_t number;		/**< number it is bound to */
	uint8_t log_level;		/**< enum strata_log_level: lines above it are not made */
	bool running;			/**< started and not stopped */
	bool traced;			/**< stack->tracing, at hand for each step */
	void *config;			/**< config_size bytes filled from the manifest */
	void *state;			/**< the module's own */
	uint64_t *counters;		/**< counter_count */
	uint64_t *drops;		/**< drop_count */
	/** Packets that the kernel gave it and took from it where a number binds it, segments counted each.
	 *  Of a driver and a framing what their interfaces count is added where somebody asks, by
	 *  strata_inspect_modules(); these have what interfaces counted that are gone. */
	uint64_t rx_packets, tx_packets;
};

static inline void strata_count(struct strata_instance *self, unsigned int counter, uint64_t n)
{
	self->counters[counter] += n;
}

/** Discards a packet for a reason of the instance's table: counts, traces and frees it.
 *  Returns STRATA_DROPPED, so that a path ends in one line. */
STRATA_API enum strata_verdict strata_drop(struct strata_instance *self, struct strata_pkt *pkt,
					   unsigned int reason);
/** The same on an output path: returns `result`, a -errno for the caller. */
static inline int strata_drop_errno(struct strata_instance *self, struct strata_pkt *pkt,
				    unsigned int reason, int result)
{
	strata_drop(self, pkt, reason);
	return result;
}

/** The running instance bound to `number` (network, transport); NULL when there is none. */
STRATA_API struct strata_instance *strata_instance_by_number(struct strata_stack *stack,
							     enum strata_kind kind, uint32_t number);
/** The running instance of that manifest name; NULL when there is none. */
STRATA_API struct strata_instance *strata_instance_by_name(struct strata_stack *stack,
							   enum strata_kind kind, const char *name);

/** "link", "network", … */
STRATA_API const char *strata_kind_name(enum strata_kind kind);

STRATA_END_DECLS
#endif
