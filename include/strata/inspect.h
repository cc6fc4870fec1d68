/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking at a running stack: read-only walks over its tables, for `strata show` and for tests. Strings
 * and pointers in what a callback receives are good for that call only.
 */
#ifndef STRATA_INSPECT_H
#define STRATA_INSPECT_H

#include <strata/flow.h>
#include <strata/iface.h>
#include <strata/module.h>
#include <strata/route.h>

STRATA_BEGIN_DECLS

struct strata_module_view {
	const struct strata_instance *instance;	/**< name, number, descriptor, counters, drops */
	const char *path;	/**< file it was loaded from, or "(built in)" */
	const char *state;	/**< "running", "disabled" */
	/** Packets up to the module and down from it where the kernel dispatches, segments counted each;
	 *  of a driver the sum over its interfaces. 0 for congestion control and services. */
	uint64_t rx_packets, tx_packets;
};
/** In order of start; the kernel's own pseudo-instance, which keeps its drops, comes first. Modules that
 *  the manifest has with `enabled: false` are not there. */
STRATA_API void strata_inspect_modules(struct strata_stack *stack,
				       void (*each)(void *ctx, const struct strata_module_view *view),
				       void *ctx);
STRATA_API void strata_inspect_routes(struct strata_stack *stack,
				      void (*each)(void *ctx, const struct strata_route *route),
				      void *ctx);
STRATA_API void strata_inspect_neighbours(struct strata_stack *stack,
					  void (*each)(void *ctx, const struct strata_neigh *neigh),
					  void *ctx);

struct strata_socket_view {
	const struct strata_instance *transport;
	const struct strata_flow *flow;	/**< ends; an unset remote: not connected */
	int fd;				/**< -1: has no owner (half-open, TIME-WAIT, …) */
	const char *state;
	uint32_t rx_queue, tx_queue;
};
/** Every flow and listener, sockets or not, and sockets that are neither bound nor connected. */
STRATA_API void strata_inspect_sockets(struct strata_stack *stack,
				       void (*each)(void *ctx, const struct strata_socket_view *view),
				       void *ctx);

struct strata_group_view {
	struct strata_iface *iface;
	struct strata_addr group;
	unsigned int members;
};
STRATA_API void strata_inspect_groups(struct strata_stack *stack,
				      void (*each)(void *ctx, const struct strata_group_view *view),
				      void *ctx);

/** An option with the value it has now. */
struct strata_option_view {
	const char *owner;	/**< "stack", or a module's or interface's name: strata_option_get() takes
				 *   "owner.name" */
	const char *of;		/**< "stack", "module", "interface" */
	const struct strata_option *option;	/**< `log` is among them, as a choice of levels */
	const char *value;	/**< as a manifest writes it; "": unset */
	const char *fallback;	/**< its default, written in the same form; NULL: none */
};
/** The stack's options, then those of modules in order of start, running or not, then interfaces'. */
STRATA_API void strata_inspect_options(struct strata_stack *stack,
				       void (*each)(void *ctx, const struct strata_option_view *view),
				       void *ctx);

/** "REACHABLE", … */
STRATA_API const char *strata_neigh_state_name(enum strata_neigh_state state);
/** `*host` the name of the run directory of the stack, for services. Borrowed. */
STRATA_API const char *strata_run_dir(const struct strata_stack *stack);
/** For how long the stack has been there, ns of its own clock. */
STRATA_API uint64_t strata_uptime(const struct strata_stack *stack);
/** Version of libstrata, "1.2.3". */
STRATA_API const char *strata_version(void);

STRATA_END_DECLS
#endif
