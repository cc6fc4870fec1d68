/* SPDX-License-Identifier: BSD-2-Clause */
/* The rooms of the `strata` program: what its files promise each other. */
#ifndef STRATA_CLI_H
#define STRATA_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** Exit statuses beside 0. */
#define CLI_FAILURE 1
#define CLI_USAGE 2

/* ---- subcommands: what one is, in one place; help, man page check and completion read it too ---- */

struct cli;

/** What a word of the command line stands for; completion offers what there is of it. */
enum cli_value {
	CLI_TEXT,		/* anything: nothing is offered */
	CLI_NUMBER,		/* decimal */
	CLI_FILE,
	CLI_DIRECTORY,
	CLI_COMMAND,		/* a subcommand, for help */
	CLI_STACK,		/* the name of one whose socket is there */
	CLI_INTERFACE,		/* of the running stack, as all down to CLI_OPTION */
	CLI_MODULE,		/* running or disabled */
	CLI_OPTION,		/* "tcp.sack", and then what it may be set to */
	CLI_MODULE_FILE,	/* on the module path, or a file */
};

/** An option, "--name". */
struct cli_option {
	const char *name;	/* without the dashes; NULL ends a list */
	char letter;		/* its short form; 0: none */
	const char *argument;	/* its value, "FILE"; "[SECONDS]": a number that may be left out; NULL: none */
	const char *help;
	enum cli_value value;
};

/** A word of a command's operands in the manner of ip(8): "dev INTERFACE". */
struct cli_word {
	const char *word;	/* the keyword; NULL: the next operand that follows none */
	const char *alias;	/* another keyword, or one that may stand before an operand; NULL: none */
	const char *argument;	/* what follows, "INTERFACE"; NULL: the keyword is all */
	const char *member;	/* of the request that it makes; NULL: the run function looks itself */
	enum cli_value value;
	bool required;
	bool truth;		/* what the member becomes where nothing follows */
};

/** A subcommand, or a verb of one. */
struct cli_command {
	const char *name;
	const char *alias;	/* another spelling; NULL: none */
	/** Works it. argv has the operands alone, the options are found with cli_option(). Returns an exit
	 *  status. NULL: a verb must follow. */
	int (*run)(const struct cli *cli, int argc, char **argv);
	const char *summary;	/* a line without a full stop */
	const char *operands;	/* as in "NAME|FILE"; made of `words` when NULL */
	int least, most;	/* operands that it takes; most -1: any number */
	const char *help;	/* more about it: lines of at most 80 columns; NULL: nothing */
	const char *examples;	/* two to four lines, "strata … # what it does" */
	const struct cli_option *options;	/* its own, and of its verbs; NULL: none */
	const struct cli_word *words;		/* for cli_words(); ends with an empty one; NULL: none */
	size_t word_count;
	enum cli_value value;	/* of the operands, where there are no words */
	const struct cli_command *const *verbs;	/* ends with NULL; NULL: has none */
	const char *verb_word;	/* what a verb is called in messages; NULL: "verb" */
	/** The least that has to be written of a name that changes the stack: "del". NULL: what is clear. */
	const char *shortest;
	bool hidden;		/* not in the help */
};

/** Deepest path of subcommands: "module", "info". */
#define CLI_DEPTH 2

/** A command line that was read. */
struct cli {
	const char *run_dir;		/* NULL: from the stack's name */
	const char *stack;
	const char *module_path;	/* NULL: the default */
	const char *shard;		/* --shard, a number; NULL: all */
	bool json;
	const struct cli_command *const *commands;	/* all there are, ends with NULL */
	const struct cli_command *path[CLI_DEPTH];	/* what was asked for, outermost first */
	size_t depth;
	char name[64];			/* the path in words, for messages */
	struct cli_given {
		const struct cli_option *option;
		const char *value;
	} *given;
	size_t given_count;
	bool help, version;
};

/** The value of an option as given last, "" where it has none; NULL: it was not given. */
const char *cli_option(const struct cli *cli, const char *name);
/** A whole number in decimal, or `0x` and hexadecimal, of at least `least` and at most `most`. */
bool cli_number(const char *text, uint64_t least, uint64_t most, uint64_t *number);
/** A number of seconds, which may have a fraction, more than 0 and at most a day. */
bool cli_seconds(const char *text, double *seconds);
/** Tells a fault on standard error as one line, "strata: …". */
void cli_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The same of the command line: "strata: <name of the subcommand>: …". Returns CLI_USAGE. */
int cli_usage_error(const struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/** The name in the NULL-terminated list that is nearest to `name`; NULL: none is near. */
const char *cli_nearest(const char *name, const char *const *names);
/** ", did you mean 'x'?" of the nearest name, "" when none is near; into `buf`, which is returned. */
const char *cli_suggestion(const char *name, const char *const *names, char *buf, size_t size);
/** Prints JSON for programs, with a final newline; takes over the reference. Returns an exit status. */
int cli_print_json(json_t *json);

/* ---- strata_args.c: the command line ---- */

/** The options that every subcommand has. */
extern const struct cli_option cli_global_options[];
/** Reads the command line into `cli`, whose commands are set. `argv` is put in order: its first `*argc` elements
 *  are the operands. Returns 0, or an exit status having told why. */
int cli_read(struct cli *cli, int *argc, char **argv);
/** The parts of cli_read() that completion has use for: room for the options of these arguments; an option with its
 *  value; another step of the path; and the option that a word begins, "--name", "--name=…" or "-n". */
int cli_prepare(struct cli *cli, int argc, char **argv);
int cli_give(struct cli *cli, const struct cli_option *option, const char *value);
void cli_descend(struct cli *cli, const struct cli_command *command);
const struct cli_option *cli_option_find(const struct cli *cli, const char *word);
/** Frees what cli_read() made. */
void cli_forget(struct cli *cli);
/** The command of a list that `name` means: the name, the alias, or a prefix of one alone, which is not too short
 *  for what it does. NULL: none, or several, which `*several` tells. */
const struct cli_command *cli_find(const struct cli_command *const *commands, const char *name, bool *several);
/** Reads operands by the command's words into members of `request`. Returns false having told why. */
bool cli_words(const struct cli *cli, int argc, char **argv, json_t *request);
/** The word that `text` is the keyword of; NULL: none. */
const struct cli_word *cli_word_find(const struct cli_command *command, const char *text);

/* ---- strata_help.c ---- */

/** `strata --help`, or the help of the subcommand that was asked for. */
void cli_help(const struct cli *cli);
/** What follows a command's name, "NAME|FILE", into `buf`. */
void cli_operands(const struct cli_command *command, char *buf, size_t size);

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
/** Prints the table, or `none` when it has no rows; frees it. A table that is wider than the terminal has its
 *  last column wrapped, or becomes a paragraph for each row. */
void cli_table_print(struct cli_table *table, const char *none);
void cli_table_print_to(FILE *to, struct cli_table *table, const char *none);
/** What the cell added last looks like where there are colours. */
enum cli_tone { CLI_PLAIN, CLI_TITLE, CLI_GOOD, CLI_WARNING, CLI_BAD, CLI_DIM };
void cli_table_tone(struct cli_table *table, enum cli_tone tone);
/** Columns of the terminal that standard output is, or what COLUMNS says; 0: no limit. */
size_t cli_terminal_width(void);
/** Lines of the terminal that standard output is; 0: it is none. */
size_t cli_terminal_height(void);
/** Whether standard output takes colours: a terminal, and NO_COLOR is not set. */
bool cli_colour(void);

/* ---- strata_filter.c: filters in the syntax of pcap-filter(7), compiled here ---- */

/** Joins the words of a command line with spaces; the caller frees. Without memory the program ends. */
char *cli_filter_text(int argc, char **argv);
/** Compiles `text` for each link type there may be, into what requests have as `filter`. It must make
 *  sense for the `count` link types of `wanted`; for others, where it does not, nothing passes. Returns what
 *  the caller owns, or NULL having told why. */
json_t *cli_filter_compile(const char *text, const int *wanted, size_t count);

/* ---- strata_client.c: the control socket ---- */

/** A connection to the control socket, for several requests one after the other. */
struct cli_link;
/** NULL having told why. */
struct cli_link *cli_connect(const struct cli *cli);
void cli_disconnect(struct cli_link *link);
/** Sends a request, to which `v` and `id` are added; takes it over, NULL is taken for want of memory. Returns the
 *  reply's `result`, which the caller owns; NULL having told why. A number of pages is put together. */
json_t *cli_ask(struct cli_link *link, json_t *request);
/** The same over a connection of its own. */
json_t *cli_call(const struct cli *cli, json_t *request);
/** All entries of a table of the running stack, a JSON array that the caller owns; NULL having told why. */
json_t *cli_fetch(const struct cli *cli, const char *what);
json_t *cli_fetch_on(struct cli_link *link, const char *what);
/** The same by a request of one's own, which it takes over. */
json_t *cli_fetch_by(struct cli_link *link, json_t *request);
/** As cli_fetch(), but tells nothing and waits for no more than a second: for completion. */
json_t *cli_fetch_quietly(const struct cli *cli, const char *what);

/** A request whose reply is followed by more: `trace`, `capture`. */
struct cli_stream;
/** Sends the request, which it takes over, and reads the reply; NULL having told why. From here on SIGINT and SIGTERM
 *  end the stream instead of the program. */
struct cli_stream *cli_stream_open(const struct cli *cli, json_t *request);
/** The `result` of the reply; borrowed. */
const json_t *cli_stream_result(const struct cli_stream *stream);
/** The next line's object, {"event":…,"data":…}, which the caller owns; waits for it. NULL: the stream has ended, or
 *  the connection broke, which was told and cli_stream_failed() tells. After a signal the stack is asked to stop;
 *  what it still sends, the event `end` too, is returned as before. */
json_t *cli_stream_next(struct cli_stream *stream);
/** The connection, for a stream whose reply is followed by raw bytes. Not to be mixed with cli_stream_next(). */
int cli_stream_fd(const struct cli_stream *stream);
/** A descriptor that is readable once SIGINT or SIGTERM came. */
int cli_stream_signal_fd(const struct cli_stream *stream);
/** Asks the stack to end the stream, once; what it has still follows. */
void cli_stream_stop(struct cli_stream *stream);
bool cli_stream_failed(const struct cli_stream *stream);
void cli_stream_close(struct cli_stream *stream);

/** Blocks SIGINT and SIGTERM and returns a descriptor that is readable when one came; -1 having told why. */
int cli_signal_fd(void);

/* ---- strata_shards.c ---- */

/** Entries of a table as people want them, of a stack with several shards: counters summed, what all have once. Takes
 *  `entries` over; returns them, or others. Tables of what is one shard's alone stay as they are. */
json_t *cli_merge_shards(const char *what, json_t *entries);

/* ---- the subcommands; each file has its own ---- */

extern const struct cli_command cli_command_address;	/* strata_change.c */
extern const struct cli_command cli_command_capture;	/* strata_capture.c */
extern const struct cli_command cli_command_check;	/* strata_module.c */
extern const struct cli_command cli_command_complete;	/* strata_complete.c */
extern const struct cli_command cli_command_graph;	/* strata_graph.c */
extern const struct cli_command cli_command_help;	/* strata_help.c */
extern const struct cli_command cli_command_interface;	/* strata_change.c */
extern const struct cli_command cli_command_module;	/* strata_module.c */
extern const struct cli_command cli_command_module_disable;	/* strata_change.c, as the next */
extern const struct cli_command cli_command_module_enable;
extern const struct cli_command cli_command_module_load;
extern const struct cli_command cli_command_module_unload;
extern const struct cli_command cli_command_neighbour;	/* strata_change.c */
extern const struct cli_command cli_command_option;	/* strata_change.c */
extern const struct cli_command cli_command_reload;	/* strata_reload.c */
extern const struct cli_command cli_command_route;	/* strata_change.c */
extern const struct cli_command cli_command_new_module;	/* strata_new.c */
extern const struct cli_command cli_command_show;	/* strata_show.c */
extern const struct cli_command cli_command_top;	/* strata_top.c */
extern const struct cli_command cli_command_trace;	/* strata_trace.c */

/** Shows a table as `strata show WHAT …` does, for a verb that is another name of it. */
int cli_show_table(const struct cli *cli, const char *what, int argc, char **argv);

/* ---- verbs that have files of their own ---- */

extern const struct cli_command kit_command;		/* kit/kit.c: module test */

#endif
