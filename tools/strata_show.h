/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata show`: what a table of the running stack looks like, between its engine and the tables themselves. */
#ifndef STRATA_SHOW_H
#define STRATA_SHOW_H

#include "strata_cli.h"

/** A column of a table. */
struct show_column {
	const char *title;
	const char *member;	/* of an entry; "counters.rx_bytes" is one of an object in it */
	bool right;		/* a number */
	bool rate;		/* counts up: --watch shows how much a second, beside it */
	/** Puts the cell's text where it is not the member as it is; "" is shown as "-". `exact`: without units. */
	void (*format)(const json_t *entry, const json_t *value, bool exact, char *buf, size_t size);
	/** NULL: plain. */
	enum cli_tone (*tone)(const json_t *entry, const json_t *value);
};

/** A table: the subcommand that shows it, what is in it, and how. */
struct show_table {
	struct cli_command command;	/* its name is the table's */
	const struct show_column *columns;
	size_t count;
	const struct show_column *watched;	/* columns of --watch and --brief; NULL: the same */
	size_t watched_count;
	const char *none;		/* said of an empty table */
	const char *zero;		/* entries whose member is 0 are left out unless --all; NULL: none are */
	const char *key[5];		/* members that tell entries apart, for rates */
	const char *match[3];		/* members that an operand may be the value of */
	const char *thing;		/* what an operand names, "module" */
	/** Whether the options keep an entry; NULL: there are none for it. */
	bool (*keep)(const struct cli *cli, const json_t *entry);
	/** Prints another way than as a table; NULL: as one. */
	void (*print)(FILE *to, const struct show_table *table, const json_t *entries, bool exact);
	/** An option, and the parameter of the request that it sets, for which print() is; NULL: always. */
	const char *more;
};

/** The verbs of `show`: the tables. */
extern const struct cli_command *const show_verbs[];

/** The member of an entry; "a.b" looks into an object. NULL: not there. */
const json_t *show_member(const json_t *entry, const char *path);
/** An age or a duration of milliseconds: "350 ms", "12.3 s", "4 min 10 s", "3 d 4 h". */
void show_time(uint64_t ms, char *buf, size_t size);
/** A cell's text, "-" where there is nothing. */
void show_text(const struct show_column *column, const json_t *entry, bool exact, char *buf, size_t size);
/** Bytes: "512", "1.5 MiB". */
void show_size(double bytes, bool exact, char *buf, size_t size);

/** Shows the table of the command line: its run function. */
int show_run(const struct cli *cli, int argc, char **argv);
/** What is shown of a table: fetched, kept by options and operands. NULL having told why, with the status. */
json_t *show_entries(const struct cli *cli, struct cli_link *link, int argc, char **argv, int *status);
/** Prints entries for people. With `before`, the entries `seconds` ago, rates too. */
void show_print(const struct cli *cli, FILE *to, const json_t *entries, const json_t *before, double seconds);
/** The table of the command line. */
const struct show_table *show_table_of(const struct cli *cli);
/** The entry of `entries` that has the same key; NULL: none. */
const json_t *show_same(const struct show_table *table, const json_t *entries, const json_t *entry, size_t guess);

/* ---- strata_show_details.c ---- */

/** Prints the entries of the table `sockets` with what their transports tell of each. */
void show_details(FILE *to, const struct show_table *table, const json_t *entries, bool exact);

/* ---- strata_watch.c ---- */

/** Shows again and again until SIGINT. Returns an exit status. */
int show_watch(const struct cli *cli, int argc, char **argv);

#endif
