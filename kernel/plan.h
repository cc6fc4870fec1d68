/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The difference between a running stack and what a manifest says (plan.c, plan_links.c), and how it is made
 * (apply.c, apply_links.c).
 */
#ifndef STRATA_KERNEL_PLAN_H
#define STRATA_KERNEL_PLAN_H

#include "create.h"
#include "live.h"

/* What becomes of a module or an interface. */
enum fate {
	FATE_STAYS,
	FATE_STARTS,			/* a module that was disabled */
	FATE_RESTARTS,			/* stopped and started, or closed and opened: the same object */
	FATE_IS_REPLACED,		/* goes, and another of its name comes */
	FATE_GOES,
};

struct change;
struct apply;
typedef void undo_fn(struct apply *a, struct change *c);

/* A change, and what making it needs and has done. Memory of the checking kernel. */
struct change {
	struct strata_change pub;
	struct change *next;
	char name[192], from[160], to[160], why[192];
	bool quiet;			/* part of another: not told */

	struct module *module;		/* the stack's; once adopted, the one that came */
	struct module *old;		/* the one that it took the place of, set aside */
	struct module *wanted;		/* the checking kernel's */
	const struct strata_option *option;
	struct strata_iface *iface;	/* the stack's; once made, the one that came */
	struct strata_iface *old_iface;	/* set aside */
	struct config_iface *entry;	/* with the checking kernel's interface */
	void *config;			/* to be put in; then the one that was there */
	void *owned;			/* of a new value */
	unsigned char before[sizeof(struct strata_prefix)];	/* field's bytes; old owner is in the module */
	struct strata_prefix prefix, prefix_before;
	struct strata_iface *iface_before;	/* of an address that moves */
	struct strata_route route, route_before;
	char congestion[64], congestion_before[64];
	uint64_t number, number_before;	/* of a module, an MTU, a level, a setting */
	bool flag, flag_before;		/* of an option: it comes with the start of its module */
	struct strata_lladdr lladdr, lladdr_before;
	bool was_open;

	struct undo {
		struct undo *before;
		undo_fn *fn;
		struct change *change;
	} undo[6];
	unsigned int undo_count;
};

struct plan {
	struct kernel *k;		/* that runs */
	struct creation *wanted;
	struct change *first, **end;
	struct strata_error *error;
	bool out_of_memory;
};

/* Fills the plan: changes in the order of telling. Returns the number of those told, or -errno with faults. */
int plan_make(struct plan *plan);
void plan_free(struct plan *plan);
/* Tells each change, with the sockets it ends. Returns 0 or -ENOMEM. */
int plan_tell(struct plan *plan, strata_change_fn *each, void *ctx);

/* A new change, last in the plan; NULL: no memory, which plan_make() tells. */
struct change *plan_add(struct plan *plan, enum strata_change_what what,
			enum strata_change_action action, const char *name);
/* Interfaces, addresses and routes (plan_links.c). */
void plan_ifaces(struct plan *plan);
void plan_addresses(struct plan *plan);
void plan_routes(struct plan *plan);
/* The schema of a module's own options, or of its interfaces'. */
struct option_schema plan_schema(const struct strata_module *module, bool iface);
/* Whether two routes have the same prefix, next hop, interface by name, and metric; and whether what else they
 * say is the same. */
bool plan_same_route(const struct strata_route *a, const struct strata_route *b);
bool plan_same_attributes(const struct strata_route *a, const struct strata_route *b);

/* ---- making it ---- */

struct apply {
	struct kernel *k;
	struct plan *plan;
	struct strata_error *error;
	struct undo *last;
	struct module **order;		/* of start, as it was; NULL: as it is */
	size_t placed;
};

/* Makes the changes, or none of them. Returns 0 or -errno with a sentence. */
int plan_apply(struct plan *plan);
/* Remembers how to undo what has just been done to `c`. Cannot fail. */
void apply_undo(struct apply *a, struct change *c, undo_fn *fn);
/* Interfaces, addresses and routes (apply_links.c); each 0 or -errno with a sentence. */
int apply_close(struct apply *a);
int apply_open(struct apply *a);
int apply_addresses(struct apply *a);
int apply_routes(struct apply *a);
/* What cannot fail and cannot be undone. */
void apply_links_done(struct apply *a);
/* Adds "sentence: what errno says". Returns `result`. */
int apply_sentence(struct apply *a, int result, const char *format, ...) STRATA_PRINTF(3, 4);

#endif
