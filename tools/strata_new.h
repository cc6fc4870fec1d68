/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata new-module`: what its two files promise each other. */
#ifndef STRATA_NEW_H
#define STRATA_NEW_H

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>

/** What a new project is made from. All texts are checked: they may stand in any file. */
struct new_project {
	const char *templates;		/* directory with common/ and one for each kind */
	const char *directory;		/* that is made */
	const char *name;
	const char *kind;
	const char *author;
	char number[16];		/* as a manifest says it; "0" where the kind has none */
};

/** Where the templates are: the build tree's when the program runs from there, else the installed ones.
 *  PATH_MAX bytes into `buf`, which is returned. */
const char *new_templates(char *buf);
/** Makes the directory and every file of the kind in it. Returns the files' names, a JSON array that the caller
 *  owns; NULL having told why, and then nothing is left. */
json_t *new_write(const struct new_project *project);

#endif
