/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Applies a schema of options (<strata/module.h>) to a configuration structure: from a manifest,
 * and one at a time while the stack runs.
 */
#ifndef STRATA_KERNEL_OPTION_H
#define STRATA_KERNEL_OPTION_H

#include "manifest.h"

struct option_schema {
	const struct strata_option *options;
	size_t count;
	size_t size;			/* of the structure */
	const char *owner;		/* for messages: `module "wire"` */
};

/* Checks the schema itself: what a module's author got wrong. Returns 0 or -EINVAL with faults. */
int option_check_schema(const struct option_schema *schema, struct strata_error *error);

/* Makes the structure, defaults and then `map` (NULL: defaults alone) applied. Its strings are
 * in the same block: strata_free() of `*out` releases all. `*out` is NULL where the structure
 * has no bytes. `node` is where a missing option is told. Returns 0, -EINVAL with faults,
 * -ENOMEM. */
int option_fill(struct kernel *k, const struct option_schema *schema,
		const struct manifest *manifest,
		const struct node *map, const struct node *node, void **out,
		struct strata_error *error);

/* The value a manifest's map gives the option; NULL: none, or no map. */
const struct node *option_value(const struct node *map, const char *name);
/* The option of that name; NULL: none. */
const struct strata_option *option_find(const struct option_schema *schema, const char *name);
/* `; did you mean "…"?` for an unknown name, or "". Returns `buf`. */
const char *option_hint(const struct option_schema *schema, const char *name, char *buf);

/* Parses `text` into one field of the structure, with on, off, yes and no for bool too. Strings
 * go to a new block, `*owned` (else NULL), to be kept as long as the value. Returns 0, -EINVAL
 * with a fault, -ENOMEM. */
int option_parse(struct kernel *k, const struct strata_option *option, const char *text,
		 void *config, void **owned, struct strata_error *error);
/* The field's value, as a manifest would say it. Returns 0 or -ENOSPC. */
int option_format(struct kernel *k, const struct strata_option *option, const void *config,
		  char *buf, size_t size);

/* ---- from structure to structure (option_copy.c) ---- */

/* Whether the values point to memory of their own. */
bool option_owns_memory(const struct strata_option *option);
bool option_equal(const struct strata_option *option, const void *a, const void *b);
/* A structure like `from` in one block, `*out` as option_fill() makes it. Returns 0 or -ENOMEM. */
int option_copy_all(struct kernel *k, const struct option_schema *schema, const void *from,
		    void **out);
/* Copies one value; `*owned` as option_parse() makes it. Returns 0 or -ENOMEM with nothing changed. */
int option_copy(struct kernel *k, const struct strata_option *option, const void *from, void *to,
		void **owned);

/* "02:00:00:00:00:01". Returns 0 or -EINVAL. */
int option_parse_lladdr(const char *text, struct strata_lladdr *out);

#endif
