/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The modules of a stack: loaded, checked against each other, bound, started and stopped in the
 * order of what they need. kernel.h has what the packet path asks.
 */
#ifndef STRATA_KERNEL_REGISTRY_H
#define STRATA_KERNEL_REGISTRY_H

#include "loader.h"
#include "manifest.h"
#include "option.h"

/* A module in the stack. */
struct module {
	struct strata_instance pub;	/* first: modules hold a pointer to it */
	struct module *next;		/* in the order of the manifest */
	struct module *hash_next;	/* network modules: chain of the EtherType table */
	struct strata_module_file *file;
	const struct config_module *entry;	/* while the manifest is there, else NULL */
	void **owned;			/* strings of options changed at run time, one for each option */
	struct saved_addr *saved;	/* toggle.c: addresses that went with it */
	bool own_level;			/* has a log level of its own */
	bool bound;			/* found by kind: not disabled */
	bool by_hand;			/* loaded while the stack ran: no manifest has it */
	uint8_t mark;			/* of the walk that orders */
	uint8_t fate;			/* plan.h: of the plan in hand */
	struct module *twin;		/* … what the other kernel has of that name; NULL: nothing, no plan */
};

#define NETWORK_BUCKETS 16

struct registry {
	struct module *modules;		/* in the order of the manifest */
	size_t count;
	struct module **order;		/* in the order of start */
	size_t placed;			/* in `order`: fewer than `count` while modules come */
	struct module *network[NETWORK_BUCKETS];
	struct module *transport[UINT8_MAX + 1];
	struct {			/* what registry_default_transport() found */
		struct strata_instance *transport;	/* NULL: nothing yet */
		uint32_t generation;		/* of the stack then */
	} defaults[2];			/* of streams, of datagrams */
	bool checking;
	bool loading;			/* holds a loader_begin() */
	struct module *graves;		/* gone; freed when none of their code can be running */
	struct strata_call reap;	/* … which is then */
};

static inline enum strata_kind kind_of(const struct module *m)
{
	return (enum strata_kind)m->pub.module->kind;
}

static inline struct module *module_of(const struct strata_instance *instance)
{
	return (struct module *)(uintptr_t)instance;
}

/* registry_transport() in place, for what every packet needs. */
static inline struct strata_instance *transport_at(const struct kernel *k, uint8_t number)
{
	struct module *m = k->registry->transport[number];

	return m != NULL ? &m->pub : NULL;
}

/* Frees a module that is in no list, its file and options with it. */
void module_free(struct kernel *k, struct module *m);
/* The same for one that has run, once the stack is at rest: its code may be waiting to go on. */
void module_bury(struct kernel *k, struct module *m);

/* Modules on their way from a manifest into a stack. */
struct loading {
	struct kernel *k;
	const struct config *config;
	const struct strata_config *stack_config;
	struct strata_error *error;
};

/* Loads, checks, orders and binds the modules of a manifest, with their options. All faults are
 * told. Returns 0, -EINVAL, or -ENOMEM. */
int registry_load(struct kernel *k, const struct config *config,
		  const struct strata_config *stack_config, struct strata_error *error);
/* While on, modules that are bound count as running where somebody asks for them by name or
 * number: for checks that need no more than their constant data. */
void registry_set_checking(struct kernel *k, bool checking);
/* Loads one more into a running stack, with what its options name: checked, neither bound nor started. `*out`
 * is the first of them in the list. Returns 0, or -errno with faults and nothing changed. */
int registry_load_more(const struct loading *l, const struct config_module *entry,
		       struct module **out);
/* Takes a module that does not run off the list and the order; what still leads to it is told. It is buried. */
void registry_remove(struct kernel *k, struct module *m);
/* Orders the modules in the list anew. Returns 0, -ENOMEM, or -EINVAL with what they miss. */
int registry_order(struct kernel *k, struct strata_error *error);
/* A copy of the order of start, with its length in `count`, or NULL: no memory. */
struct module **registry_copy_order(struct kernel *k, size_t *count);
/* Puts such a copy, which becomes the registry's, back. All of its modules are in the list. */
void registry_put_order(struct kernel *k, struct module **order, size_t count);
/* Takes what is not in the list out of the order. Cannot fail. */
void registry_reorder(struct kernel *k);
/* A module like `wanted`, which another kernel has, with its file, which that loses, without its
 * configuration; at the end of the list, in no order. NULL: no memory. */
struct module *registry_adopt(struct kernel *k, struct module *wanted);
/* The last of the list goes in front of `other`. */
void registry_place_before(struct kernel *k, struct module *m, struct module *other);
/* The manifest is about to go: forgets the entries. */
void registry_forget_config(struct kernel *k);

/* Starts services, or all that are none, in order. Returns 0 or the -errno of the one that
 * failed, with a fault; those started stay so, for registry_stop(). */
int registry_start(struct kernel *k, bool services, struct strata_error *error);
/* Stops the running services, or all, in reverse order. */
void registry_stop(struct kernel *k, bool services_only);

/* Any module of the stack, disabled ones too; NULL: none. */
struct module *registry_find(struct kernel *k, const char *name);
/* Walks all modules in order of start; NULL begins and ends. */
struct module *registry_walk(struct kernel *k, const struct module *after);

/* One module: starts it and enters its number, or the other way round. */
int registry_start_one(struct kernel *k, struct module *m, struct strata_error *error);
void registry_stop_one(struct kernel *k, struct module *m);
/* True where `m` is what the dependency asks for. */
bool registry_satisfies(const struct module *m, const struct strata_dependency *dependency);
/* The modules' list of needs: NULL-safe test for its end. */
bool registry_dependency_ends(const struct strata_dependency *dependency);

/* ---- while the stack runs (toggle.c) ---- */

void toggle_forget(struct kernel *k, struct module *m);
/* A network module is about to stop: its sockets end, what was learnt for it is forgotten. */
void toggle_leave_network(struct kernel *k, struct module *m);
/* One has started: it is told of what there is, and addresses that went with it come back. */
void toggle_join_network(struct kernel *k, struct module *m);
/* The addresses that nobody can read without `m` go, and come back with it; without memory they only go. */
void toggle_save_addresses(struct kernel *k, struct module *m);
/* The same, for good, of one that has stopped. */
void toggle_drop_addresses(struct kernel *k, struct module *m);
/* Modules have come or gone. */
void toggle_tell_services(struct kernel *k);

#endif
