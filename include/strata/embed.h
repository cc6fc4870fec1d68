/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stack without a daemon: single-threaded, non-blocking, with no clock of its own. Simulations,
 * conformance tools and embedding programs use this interface and nothing else.
 *
 *	struct strata_config config = { .manifest_text = text };
 *	struct strata_stack *stack;
 *	struct strata_error error = { 0 };
 *	if (strata_stack_create(&config, &stack, &error) < 0)
 *		fputs(strata_error_text(&error), stderr);
 */
#ifndef STRATA_EMBED_H
#define STRATA_EMBED_H

#include <strata/env.h>
#include <strata/error.h>
#include <strata/iface.h>
#include <strata/inspect.h>
#include <strata/live.h>
#include <strata/loop.h>
#include <strata/route.h>
#include <strata/socket.h>
#include <strata/stack.h>
#include <strata/trace.h>

STRATA_BEGIN_DECLS

/** What a stack is made from. Zeroed fields take their defaults. */
struct strata_config {
	const char *manifest_file;	/**< path; or NULL and the text is given: */
	const char *manifest_text;	/**< UTF-8 YAML; borrowed for the call */
	size_t manifest_length;		/**< bytes of the text; 0: up to its NUL */
	const char *manifest_name;	/**< what faults call the text; NULL: "manifest" */
	/** Directories searched for modules, separated by ':'. NULL: $(libdir)/strata/modules, or the build
	 *  tree's when the program runs from there. */
	const char *module_path;
	const struct strata_env *env;	/**< NULL: strata_env_system() */
	/** Directory for sockets of services; NULL: $(runstatedir)/strata/<stack name>. */
	const char *run_dir;
	/** Service modules added where the manifest does not name them and the file is found; NULL-terminated. */
	const char *const *implied_services;
	int log_level;			/**< enum strata_log_level + 1 overrides the manifest's; 0: does not */
	/** Validate, load, bind and stop: nothing is started, no device touched; `*stack` becomes NULL. */
	bool check_only;
	/** Refuse modules (and directories on their path) that another user could have changed. */
	bool trust_check;
};

/** Makes a stack and starts all of its manifest, or nothing. On success `*stack` is the caller's, to be
 *  destroyed. Returns 0 or -errno with every fault found in `error`: -EINVAL for a bad manifest
 *  (modules included), another errno for a failure at run time (a device, a limit). Not from two threads
 *  at once, nor beside strata_stack_destroy(): the module loader belongs to the process. */
STRATA_API int strata_stack_create(const struct strata_config *config, struct strata_stack **stack,
				   struct strata_error *error);
/** Stops everything and frees it. NULL is allowed. Connections are reset, not closed. From within a callback
 *  of the stack it is refused, and logged. */
STRATA_API void strata_stack_destroy(struct strata_stack *stack);
/** Asks services and transports to end in good order; strata_stack_idle() tells when they have. */
STRATA_API void strata_stack_drain(struct strata_stack *stack);
/** True when nothing is left to be sent or acknowledged. */
STRATA_API bool strata_stack_idle(struct strata_stack *stack);
/** Makes the calling thread the stack's. */
STRATA_API void strata_stack_adopt(struct strata_stack *stack);

/** A frame (or with `medium: ip` a bare packet) arrives on an interface; copied. Sets the stack's time,
 *  works the packet and all it brings about. Returns 0, -ENOBUFS, -EMSGSIZE (over 65,550 bytes) or
 *  -ENETDOWN. */
STRATA_API int strata_input(struct strata_iface *iface, const void *frame, size_t length,
			    uint64_t now);
/** As strata_input(), without working off deferred work: for several frames of one batch, the end of
 *  which is strata_run(). */
STRATA_API int strata_input_batched(struct strata_iface *iface, const void *frame, size_t length,
				    uint64_t now);

typedef void strata_output_fn(void *ctx, struct strata_iface *iface, const void *frame,
			      size_t length);
/** Sets who gets the frames that a `wire` interface sends. Called from within any call that sends; it
 *  may call strata_input() of another stack, not of this one. */
STRATA_API void strata_iface_set_output(struct strata_iface *iface, strata_output_fn *fn, void *ctx);

/** What is still to be done with a frame: its transport checksum, its being cut. */
struct strata_offload {
	uint8_t csum;		/**< enum strata_csum: STRATA_CSUM_PARTIAL or complete */
	uint8_t seg_type;	/**< enum strata_seg */
	uint16_t seg_size;	/**< payload bytes of each segment, with seg_type */
	uint16_t csum_start;	/**< from the frame's first byte, with STRATA_CSUM_PARTIAL */
	uint16_t csum_offset;	/**< of the field, from csum_start */
};
typedef void strata_output_offload_fn(void *ctx, struct strata_iface *iface, const void *frame,
				      size_t length, const struct strata_offload *offload);
/** As strata_iface_set_output(), for who completes checksums and cuts packets itself, or hands them on to
 *  who does: a `wire` interface with `offload: true` then leaves both to it. */
STRATA_API void strata_iface_set_output_offload(struct strata_iface *iface,
						strata_output_offload_fn *fn, void *ctx);

/** Sees a copy-free view of each frame of an interface, both ways, before anything else does. */
typedef void strata_sniff_fn(void *ctx, struct strata_iface *iface, const struct strata_pkt *pkt,
			     bool out);
/** Attaches the interface's sniffer; NULL detaches. More than one, and what becomes of frames:
 *  <strata/sniff.h>. */
STRATA_API void strata_iface_set_sniffer(struct strata_iface *iface, strata_sniff_fn *fn, void *ctx);

/** When strata_run() must be called next, absolute ns; STRATA_NEVER: no timer is set. May be a little
 *  early, never late. */
STRATA_API uint64_t strata_next_timer(struct strata_stack *stack);
/** Sets the stack's time, fires due timers, runs deferred work and callbacks. */
STRATA_API void strata_run(struct strata_stack *stack, uint64_t now);

/** Changes a runtime option by name, as "module.option" (or "stack.option", or "interface.option" of its
 *  driver's, where no module has the interface's name) with the value written as in
 *  a manifest: strata_option_set(stack, "tcp.sack", "off", &error) — here alone on, off, yes and no do
 *  for a bool too. "module.log" and "stack.log" are log levels, where the module has no option of that name.
 *  Returns 0, -ENOENT, -EINVAL, -EPERM (not changeable at run time), or what the module refused with: then
 *  the old value stays. */
STRATA_API int strata_option_set(struct strata_stack *stack, const char *name, const char *value,
				 struct strata_error *error);
/** Value of an option as text into `buf`. Returns 0, -ENOENT, -ENOSPC. */
STRATA_API int strata_option_get(struct strata_stack *stack, const char *name, char *buf, size_t size);

/** Stops and unbinds a module of a running stack, or starts it again with the options it had. What
 *  depends on it, or an interface that it drives or frames, stands in the way (-EBUSY names it). Sockets of
 *  a transport or network end with ENETDOWN; of a network module the addresses go, and come back with it,
 *  unless another module reads its family. Returns 0, -ENOENT, -EALREADY, -EBUSY, or -errno of the start. */
STRATA_API int strata_module_disable(struct strata_stack *stack, const char *name,
				     struct strata_error *error);
STRATA_API int strata_module_enable(struct strata_stack *stack, const char *name,
				    struct strata_error *error);

/** Reads a module file's descriptor without a stack, for `strata module info`: `file` is a path or a
 *  name looked for on `module_path`. Keeps it open; NULL with a sentence in `error`. */
struct strata_module_file;
STRATA_API struct strata_module_file *strata_module_open(const char *file, const char *module_path,
							 struct strata_error *error);
/** The same, refusing a file that another user could have changed, as strata_config.trust_check does: for
 *  whoever runs with more rights than the file's author may have. */
STRATA_API struct strata_module_file *strata_module_open_trusted(const char *file,
								 const char *module_path,
								 struct strata_error *error);
STRATA_API const struct strata_module *strata_module_of(const struct strata_module_file *file);
STRATA_API const char *strata_module_path(const struct strata_module_file *file);
STRATA_API void strata_module_close(struct strata_module_file *file);
/** Calls `each` with the name of every module on the path, sorted. Returns how many, or -errno. */
STRATA_API int strata_module_list(const char *module_path, void (*each)(void *ctx, const char *name),
				  void *ctx);
/** The module path in force when none is given, written to `buf` (PATH_MAX bytes are enough): the build
 *  tree's modules when the program runs from one, then $(libdir)/strata/modules. Returns `buf`. */
STRATA_API const char *strata_default_module_path(char *buf, size_t size);

STRATA_END_DECLS
#endif
