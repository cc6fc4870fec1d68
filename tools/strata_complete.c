/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `strata complete`: what may stand at the end of a command line, for the shells' completion. It reads the same
 * descriptions of subcommands as everything else, and asks the running stack for names where one answers.
 *
 * A line of output is a word, a tab, and what it is; ":file" and ":directory" let the shell offer its own.
 */
#include <dirent.h>
#include <string.h>
#include <strata/embed.h>
#include <sys/stat.h>
#include "strata_cli.h"

/** The line being completed. */
struct line {
	struct cli cli;			/* as far as it was read */
	int argc;			/* operands, without the last word */
	char **argv;
	const struct cli_option *wants;	/* whose value the last word is; NULL: of none */
	const char *prefix;		/* put before a candidate: "--stack=" */
	const char *word;		/* what there is of the last word, after the prefix */
};

/* ---- candidates ---- */

static void offer(const struct line *line, const char *candidate, const char *meaning)
{
	if (candidate == NULL || strncmp(candidate, line->word, strlen(line->word)) != 0)
		return;
	printf("%.*s%s\t%.*s\n", (int)(strcspn(line->prefix, "=") + (line->prefix[0] != '\0')), line->prefix,
	       candidate, (int)strcspn(meaning != NULL ? meaning : "", "\n"), meaning != NULL ? meaning : "");
}

static void offer_commands(const struct line *line, const struct cli_command *const *commands)
{
	for (; *commands != NULL; commands++)
		if (!(*commands)->hidden)
			offer(line, (*commands)->name, (*commands)->summary);
}

/* A member of each entry of a table of the running stack; none when none answers. */
static void offer_table(const struct line *line, const char *what, const char *member, const char *meaning)
{
	json_t *entries = cli_fetch_quietly(&line->cli, what), *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
		offer(line, json_string_value(json_object_get(entry, member)),
		      json_string_value(json_object_get(entry, meaning)));
	json_decref(entries);
}

/* Modules of the running stack: for enable those that do not run, for disable those that do. */
static void offer_modules(const struct line *line)
{
	json_t *entries = cli_fetch_quietly(&line->cli, "modules"), *entry;
	const struct cli_command *command = line->cli.path[line->cli.depth - 1];
	size_t i;

	json_array_foreach(entries, i, entry) {
		const char *state = json_string_value(json_object_get(entry, "state"));
		bool running = state != NULL && strcmp(state, "running") == 0;

		if ((command == &cli_command_module_enable && running) ||
		    (command == &cli_command_module_disable && !running))
			continue;
		offer(line, json_string_value(json_object_get(entry, "name")),
		      json_string_value(json_object_get(entry, "summary")));
	}
	json_decref(entries);
}

static void offer_module_file(void *ctx, const char *name)
{
	offer(ctx, name, "on the module path");
}

static void offer_stacks(const struct line *line)
{
	DIR *dir = opendir(STRATA_RUNSTATEDIR "/strata");
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char path[sizeof(STRATA_RUNSTATEDIR) + 300];
		struct stat there;

		snprintf(path, sizeof(path), STRATA_RUNSTATEDIR "/strata/%s/control.sock", entry->d_name);
		if (entry->d_name[0] != '.' && stat(path, &there) == 0)
			offer(line, entry->d_name, "a running stack");
	}
	if (dir != NULL)
		closedir(dir);
}

/* The name of an entry of the table `options` as `option set` takes it. */
static const char *full_name(const json_t *entry, char *buf, size_t size)
{
	const char *owner = json_string_value(json_object_get(entry, "module"));
	const char *name = json_string_value(json_object_get(entry, "option"));

	if (owner == NULL)
		owner = json_string_value(json_object_get(entry, "interface"));
	buf[0] = '\0';
	if (owner != NULL && name != NULL)
		snprintf(buf, size, "%s.%s", owner, name);
	return buf;
}

/* The words that an option of a module takes, from the module's file. */
static void offer_choices(const struct line *line, const char *module, const char *name)
{
	struct strata_error error = { 0 };
	struct strata_module_file *file = strata_module_open(module, line->cli.module_path, &error);
	const struct strata_module *descriptor = file != NULL ? strata_module_of(file) : NULL;
	size_t i;

	for (i = 0; descriptor != NULL && i < descriptor->option_count; i++) {
		const struct strata_option *option = &descriptor->options[i];
		const char *const *choice = option->type == STRATA_OPT_CHOICE ? option->choices : NULL;

		for (; strcmp(option->name, name) == 0 && choice != NULL && *choice != NULL; choice++)
			offer(line, *choice, NULL);
	}
	if (file != NULL)
		strata_module_close(file);
	strata_error_clear(&error);
}

/* What an option may be set to, as far as its type tells. */
static void offer_values_of(const struct line *line, const json_t *entry)
{
	const char *type = json_string_value(json_object_get(entry, "type"));
	const char *module = json_string_value(json_object_get(entry, "module"));

	if (type != NULL && strcmp(type, "bool") == 0) {
		offer(line, "true", NULL);
		offer(line, "false", NULL);
	} else if (type != NULL && strcmp(type, "choice") == 0 && module != NULL) {
		offer_choices(line, module, json_string_value(json_object_get(entry, "option")));
	} else {
		offer(line, json_string_value(json_object_get(entry, "default")), "the default");
	}
}

static void offer_options(const struct line *line)
{
	json_t *entries = cli_fetch_quietly(&line->cli, "options"), *entry;
	char name[128];
	size_t i;

	json_array_foreach(entries, i, entry) {
		full_name(entry, name, sizeof(name));
		if (name[0] == '\0')
			continue;
		if (line->argc == 0)
			offer(line, name, json_string_value(json_object_get(entry, "help")));
		else if (strcmp(name, line->argv[0]) == 0)
			offer_values_of(line, entry);
	}
	json_decref(entries);
}

/* The subcommand that `help` was given, or its verbs. */
static void offer_help(const struct line *line)
{
	const struct cli_command *command;
	bool several;

	if (line->argc == 0) {
		offer_commands(line, line->cli.commands);
		return;
	}
	command = cli_find(line->cli.commands, line->argv[0], &several);
	if (command != NULL && command->verbs != NULL && line->argc == 1)
		offer_commands(line, command->verbs);
}

static void offer_value(struct line *line, enum cli_value value)
{
	switch (value) {
	case CLI_FILE:
		puts(":file");
		break;
	case CLI_DIRECTORY:
		puts(":directory");
		break;
	case CLI_COMMAND:
		offer_help(line);
		break;
	case CLI_STACK:
		offer_stacks(line);
		break;
	case CLI_INTERFACE:
		offer_table(line, "interfaces", "name", "driver");
		break;
	case CLI_MODULE:
		offer_modules(line);
		break;
	case CLI_OPTION:
		offer_options(line);
		break;
	case CLI_MODULE_FILE:
		strata_module_list(line->cli.module_path, offer_module_file, line);
		puts(":file");
		break;
	case CLI_TEXT:
	case CLI_NUMBER:
		break;
	}
}

static void offer_option_names(const struct line *line, const struct cli_option *options)
{
	char name[64];

	for (; options != NULL && options->name != NULL; options++) {
		snprintf(name, sizeof(name), "--%s", options->name);
		offer(line, name, options->help);
	}
}

/* ---- operands in the manner of ip(8) ---- */

/* The word whose value the last one is, or NULL; marks those that were used. */
static const struct cli_word *waiting_word(const struct line *line, const struct cli_command *command, bool *used)
{
	int i;

	for (i = 0; i < line->argc; i++) {
		const struct cli_word *word = cli_word_find(command, line->argv[i]);
		size_t k;

		if (word != NULL) {
			used[word - command->words] = true;
			if (word->argument != NULL && ++i == line->argc)
				return word;
			continue;
		}
		for (k = 0; k < command->word_count && (command->words[k].word != NULL || used[k]); k++)
			continue;
		if (k == command->word_count)
			return NULL;
		used[k] = true;
	}
	return NULL;
}

static void offer_words(struct line *line, const struct cli_command *command)
{
	bool used[16] = { false };
	const struct cli_word *waiting = command->word_count <= 16 ? waiting_word(line, command, used) : NULL;
	size_t i;

	if (waiting != NULL) {
		offer_value(line, waiting->value);
		return;
	}
	for (i = 0; i < command->word_count; i++) {
		const struct cli_word *word = &command->words[i];

		if (used[i])
			continue;
		if (word->word == NULL) {	/* the operand comes first */
			offer_value(line, word->value);
			return;
		}
		offer(line, word->word, word->argument);
	}
}

/* ---- the line ---- */

/* Takes an option of the line, and its value where that is there. */
static void read_option(struct line *line, int *at, int count, char **words)
{
	const struct cli_option *option = cli_option_find(&line->cli, words[*at]);
	const char *value = "";

	if (option == NULL)
		return;
	if (words[*at][1] == '-' && strchr(words[*at], '=') != NULL) {
		value = strchr(words[*at], '=') + 1;
	} else if (option->argument != NULL && (option->argument[0] != '[' ||
		   (*at + 1 < count && words[*at + 1][0] >= '0' && words[*at + 1][0] <= '9'))) {
		if (*at + 1 >= count) {
			line->wants = option;
			return;
		}
		value = words[++*at];
	}
	cli_give(&line->cli, option, value);
}

/* Reads all but the last word; what cannot be understood is passed over. */
static void read_line(struct line *line, int count, char **words)
{
	bool plain = false, several;
	int i;

	for (i = 0; i < count; i++) {
		const struct cli_command *last = line->cli.depth != 0 ? line->cli.path[line->cli.depth - 1] : NULL;
		const struct cli_command *const *next = last != NULL ? last->verbs : line->cli.commands;
		const struct cli_command *found = NULL;

		if (!plain && strcmp(words[i], "--") == 0) {
			plain = true;
		} else if (!plain && words[i][0] == '-' && words[i][1] != '\0') {
			read_option(line, &i, count, words);
		} else {
			if (next != NULL && line->cli.depth < CLI_DEPTH)
				found = cli_find(next, words[i], &several);
			if (found != NULL)
				cli_descend(&line->cli, found);
			else
				words[line->argc++] = words[i];
		}
	}
}

static void offer_all(struct line *line)
{
	const struct cli_command *command = line->cli.depth != 0 ? line->cli.path[line->cli.depth - 1] : NULL;
	const char *equals = strchr(line->word, '=');
	const struct cli_option *option = equals != NULL ? cli_option_find(&line->cli, line->word) : NULL;
	size_t i;

	if (line->wants != NULL) {
		offer_value(line, line->wants->value);
	} else if (option != NULL) {
		line->prefix = line->word;
		line->word = equals + 1;
		offer_value(line, option->value);
	} else if (line->word[0] == '-') {
		for (i = line->cli.depth; i > 0; i--)
			offer_option_names(line, line->cli.path[i - 1]->options);
		offer_option_names(line, cli_global_options);
	} else if (command == NULL || command->verbs != NULL) {
		if (line->argc == 0)
			offer_commands(line, command != NULL ? command->verbs : line->cli.commands);
	} else if (command->words != NULL) {
		offer_words(line, command);
	} else if (command->most < 0 || line->argc < command->most) {
		offer_value(line, command->value);
	}
}

static int run_complete(const struct cli *cli, int argc, char **argv)
{
	struct line line = {
		.cli = { .stack = cli->stack, .commands = cli->commands },
		.argv = argv,
		.prefix = "",
		.word = argc > 0 ? argv[argc - 1] : "",
	};

	if (cli_prepare(&line.cli, argc, argv) != 0)
		return CLI_FAILURE;
	read_line(&line, argc - 1, argv);
	offer_all(&line);
	cli_forget(&line.cli);
	return 0;
}

const struct cli_command cli_command_complete = {
	.name = "complete",
	.run = run_complete,
	.summary = "What the last word may be, for the shells' completion",
	.operands = "-- [WORD...]",
	.most = -1,
	.hidden = true,
	.help = "A line is a word, a tab and its meaning; `:file` and `:directory` stand for names of files.",
	.examples = "strata complete -- sh               # subcommands that begin so\n"
		    "strata complete -- show sockets --  # options of a table",
};
