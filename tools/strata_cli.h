/* SPDX-License-Identifier: BSD-2-Clause */
/* The rooms of the `strata` program: what its files promise each other. */
#ifndef STRATA_CLI_H
#define STRATA_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/** Exit statuses beside 0. */
#define CLI_FAILURE 1
#define CLI_USAGE 2

/** The command line's options, the same for all subcommands. */
struct cli {
	const char *run_dir;		/* NULL: from the stack's name */
	const char *stack;
	const char *module_path;	/* NULL: the default */
	bool json;
	bool all;			/* counters and drops that are 0 too */
};

/** Tells a fault on standard error as one line, "strata: …". */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The name in the NULL-terminated list that is nearest to `name`; NULL: none is near. */
const char *cli_nearest(const char *name, const char *const *names);
/** Prints JSON for programs, with a final newline; takes over the reference. Returns an exit status. */
int cli_print_json(json_t *json);

/* ---- strata_table.c: tables for people ---- */

struct cli_column {
	const char *title;
	bool right;		/* a number */
};
struct cli_table;
/** A table of `count` columns; the titles are borrowed. Never NULL: without memory the program ends. */
struct cli_table *cli_table_new(const struct cli_column *columns, size_t count);
/** Sets the next cell of the current row; `text` is copied. A row is full after `count` cells. */
void cli_table_add(struct cli_table *table, const char *text);
void cli_table_addf(struct cli_table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** Prints the table, or `none` when it has no rows; frees it. */
void cli_table_print(struct cli_table *table, const char *none);

/* ---- strata_show.c, strata_module.c: subcommands; each returns an exit status ---- */

int cli_show(const struct cli *cli, int argc, char **argv);
int cli_module(const struct cli *cli, int argc, char **argv);
int cli_check(const struct cli *cli, int argc, char **argv);

/* ---- strata_client.c: the control socket ---- */

/** All entries of a table of the running stack, a JSON array that the caller owns; NULL having told why. */
json_t *cli_fetch(const struct cli *cli, const char *what);

#endif
