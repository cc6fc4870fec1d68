/* SPDX-License-Identifier: BSD-2-Clause */
/* What a stack remembers of how it was made, to be made again from another manifest. */
#ifndef STRATA_KERNEL_ORIGIN_H
#define STRATA_KERNEL_ORIGIN_H

#include "manifest.h"

struct origin {
	char *file;			/* manifest's path; NULL: a text */
	char *name;			/* what faults call the manifest */
	char *directory;		/* of relative module files; NULL: none */
	char *module_path;		/* NULL: the default */
	char **services;		/* implied, NULL-terminated; NULL: none */
	int log_level;
	bool trust_check;
	/* The manifest's text, where it has modules that are not enabled: they may be later. */
	char *text;
	size_t length;
};

int origin_init(struct kernel *k);
void origin_fini(struct kernel *k);
/* Remembers what the stack is made from. Returns 0 or -ENOMEM. */
int origin_keep(struct kernel *k, const struct strata_config *given);
/* Remembers the manifest that is in force. Returns 0, or -ENOMEM with the one before. */
int origin_keep_manifest(struct kernel *k, const struct config *config);
/* What strata_stack_create() was given, to read a manifest with: the remembered file, or `text`. */
void origin_config(const struct kernel *k, const char *text, size_t length,
		   struct strata_config *out);

#endif
