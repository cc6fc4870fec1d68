/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changing a stack while it runs: another manifest instead of the one it was made from, modules that come
 * and go, interfaces up and down. Each change is checked first, then made whole or not at all; what it
 * does not concern (connections, routes, neighbours, counters) goes on.
 *
 * All of these may be called from outside the stack, and from a watch's or a socket's readiness callback,
 * as long as no service is stopped by it: its own code may be waiting for the call to return. That, and a
 * call from anywhere deeper (an output callback, a trace sink, a module), is refused with -EBUSY;
 * strata_call_later() is for it.
 */
#ifndef STRATA_LIVE_H
#define STRATA_LIVE_H

#include <strata/inspect.h>

STRATA_BEGIN_DECLS

/** What a change is about. */
enum strata_change_what {
	STRATA_CHANGE_STACK,		/**< an option of the stack: `field` "memory", "sockets" */
	STRATA_CHANGE_LOG,		/**< a log level: `name` is the module's, or "stack" */
	STRATA_CHANGE_MODULE,		/**< `field` "file" or "number" where another one takes its place */
	STRATA_CHANGE_OPTION,		/**< changed in place: `name` a module or interface, `field` the option */
	STRATA_CHANGE_INTERFACE,	/**< `field` "mtu", "mac", "up", "driver" or an option, where one changed */
	STRATA_CHANGE_ADDRESS,		/**< `name` 192.0.2.2/24, `owner` its interface */
	STRATA_CHANGE_ROUTE,		/**< `name` is its text as `ip route` writes it */
	STRATA_CHANGES,
};

enum strata_change_action {
	STRATA_ACTION_ADD,
	STRATA_ACTION_REMOVE,
	STRATA_ACTION_CHANGE,		/**< in place: nothing ends */
	STRATA_ACTION_RESTART,		/**< stopped and started, or closed and opened, with what is new */
	STRATA_ACTION_REPLACE,		/**< removed, and another of the same name added */
	STRATA_ACTIONS,
};

/** One change of a plan. Borrowed for the callback. */
struct strata_change {
	enum strata_change_what what;
	enum strata_change_action action;
	const char *name;
	const char *owner;		/**< interface of an address; NULL elsewhere */
	const char *field;		/**< what of it; NULL: all of it */
	const char *from, *to;		/**< value before and after, as a manifest writes it; NULL: none */
	const char *why;		/**< a sentence where the manifest alone does not explain it; NULL */
	/** Sockets and connections that end by it: their number, and those that are listed. One that several
	 *  changes end is with the first of them. What a service ends of its own accord is not among them. */
	size_t ending;
	const struct strata_socket_view *sockets;
	size_t socket_count;		/**< listed: at most STRATA_CHANGE_LISTED */
};
#define STRATA_CHANGE_LISTED 256

/** "module", "option", … */
STRATA_API const char *strata_change_what_name(enum strata_change_what what);
/** "add", "remove", … */
STRATA_API const char *strata_change_action_name(enum strata_change_action action);

/** Called for each change, in the order in which they are made; NULL: nobody wants to know. */
typedef void strata_change_fn(void *ctx, const struct strata_change *change);

/** Reads the file that the stack was made from again and makes the stack what it says. The manifest is
 *  validated whole before anything is touched, the changes are told, and then, unless `dry_run`, made; when
 *  one fails, those before it are undone and the sentences in `error` say so. It is compared with what runs,
 *  not with the last manifest: what was changed by hand (an option set, a module disabled) becomes what the
 *  manifest says. Addresses, routes and modules added by hand stay, unless the manifest claims their place.
 *  Returns the number of changes; -EINVAL for a bad manifest; another -errno for a failure on the way (a
 *  device, memory, a module that refuses): the stack is then as it was, but for connections that ended;
 *  -EBUSY as said above; -ENOTSUP for a stack that was made from a text. */
STRATA_API int strata_reload(struct strata_stack *stack, bool dry_run, strata_change_fn *each, void *ctx,
			     struct strata_error *error);
/** The same with a manifest's text; `length` 0: up to its NUL. strata_module_enable() of modules that are
 *  not enabled in it takes them from this text from then on. */
STRATA_API int strata_reload_text(struct strata_stack *stack, const char *text, size_t length,
				  bool dry_run, strata_change_fn *each, void *ctx,
				  struct strata_error *error);

/* ---- modules ---- */

/** An option with its value as a manifest writes it. */
struct strata_setting {
	const char *name, *value;
};

/** Loads, binds and starts a module that the manifest does not have. `file`: a name on the module path, or a
 *  path; NULL: `name`. `number`: 0 for the module's own. `options`: ended by one without a name; NULL: none.
 *  Returns 0, -EEXIST (the name or number is taken: `error` says by whom), -EINVAL, or -errno of the start;
 *  then nothing has changed. */
STRATA_API int strata_module_load(struct strata_stack *stack, const char *name, const char *file,
				  uint32_t number, const struct strata_setting *options,
				  struct strata_error *error);
/** Stops a module, if it runs, and forgets it: its options, counters and file. Stood in the way of as
 *  strata_module_disable() is. The next reload brings it back if the manifest has it. Returns 0, -ENOENT,
 *  -EBUSY, -ENOMEM. */
STRATA_API int strata_module_unload(struct strata_stack *stack, const char *name,
				    struct strata_error *error);

/* ---- interfaces ---- */

/** Opens the interface's device, or closes it; its addresses and routes stay. Returns 0 (also when it is so
 *  already), -EBUSY (it carries another that is up), or -errno of the driver with a sentence. */
STRATA_API int strata_iface_set_up(struct strata_iface *iface, bool up, struct strata_error *error);
/** Changes the MTU: by the driver in place, or by closing the device and opening it again. Returns 0,
 *  -EINVAL with a sentence (its limits, or those of network modules), or -errno of the driver; then the old
 *  one stays. */
STRATA_API int strata_iface_set_mtu(struct strata_iface *iface, uint32_t mtu,
				    struct strata_error *error);

/* ---- later ---- */

/** A call that waits for the stack to be at rest: no module's code is running, and any may be stopped.
 *  Embedded in its owner; zeroed but for `run` before first use. */
struct strata_call {
	struct strata_call *next, **link;	/**< kernel's; link NULL: not waiting */
	/** The call. May free its owner. When it stops the module that it belongs to, its code stays loaded until
	 *  it has returned; its memory is gone then, as `stop` leaves it. */
	void (*run)(struct strata_stack *stack, struct strata_call *call);
};

/** Has `call` run once, at the end of the outermost entry (the turn of the loop, strata_run(),
 *  strata_input() …). Waiting already: nothing happens. */
STRATA_API void strata_call_later(struct strata_stack *stack, struct strata_call *call);
/** Not waiting: nothing happens. Its owner does so in `stop`. */
STRATA_API void strata_call_cancel(struct strata_stack *stack, struct strata_call *call);

STRATA_END_DECLS
#endif
