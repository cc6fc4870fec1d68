/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line: the path of subcommands, options on either side of it, operands in the manner of ip(8).
 * Names may be cut short while they mean one thing alone and change nothing; mistakes are told with the nearest.
 */
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strata/error.h>
#include "strata_cli.h"

/* Local choice: the longest time between two looks. */
#define SECONDS_MAX 86400.0
/* Local choice: names that a mistake is compared with. */
#define NAMES_MAX 64
/* Local choice: longest name of an option that messages repeat. */
#define NAME_SHOWN 40
/* Highest number of a shard (<strata/shards.h>). */
#define SHARD_LAST 63

const struct cli_option cli_global_options[] = {
	{ .name = "json", .help = "JSON instead of tables" },
	{ .name = "stack", .argument = "NAME", .value = CLI_STACK,
	  .help = "the stack's name (default: default)" },
	{ .name = "run-dir", .argument = "DIR", .value = CLI_DIRECTORY,
	  .help = "directory of its control socket\n(default " STRATA_RUNSTATEDIR "/strata/<stack name>)" },
	{ .name = "shard", .argument = "NUMBER", .value = CLI_NUMBER,
	  .help = "one of several shards (strata.yaml(5)), from 0; all when left out" },
	{ .name = "module-path", .argument = "DIR", .value = CLI_DIRECTORY,
	  .help = "directories searched for modules, separated by ':'" },
	{ .name = "help", .letter = 'h', .help = "this text, or a subcommand's" },
	{ .name = "version", .letter = 'V', .help = "the version" },
	{ .name = NULL },
};

/* ---- names ---- */

const char *cli_nearest(const char *name, const char *const *names)
{
	size_t count = 0;

	while (names[count] != NULL)
		count++;
	return strata_nearest(name, names, count);
}

const char *cli_suggestion(const char *name, const char *const *names, char *buf, size_t size)
{
	const char *nearest = cli_nearest(name, names);

	buf[0] = '\0';
	if (nearest != NULL)
		snprintf(buf, size, ", did you mean '%s'?", nearest);
	return buf;
}

const struct cli_command *cli_find(const struct cli_command *const *commands, const char *name, bool *several)
{
	const struct cli_command *found = NULL;
	size_t length = strlen(name);

	*several = false;
	for (; *commands != NULL; commands++) {
		const struct cli_command *command = *commands;

		if (strcmp(command->name, name) == 0 ||
		    (command->alias != NULL && strcmp(command->alias, name) == 0)) {
			*several = false;
			return command;
		}
		if (command->hidden || length == 0 || (strncmp(command->name, name, length) != 0 &&
		    (command->alias == NULL || strncmp(command->alias, name, length) != 0)))
			continue;
		*several = found != NULL;
		if (!*several)
			found = command;
	}
	if (*several || (found != NULL && found->shortest != NULL &&
			 strncmp(name, found->shortest, strlen(found->shortest)) != 0))
		return NULL;
	return found;
}

/* The command of which `name` is too short a prefix; NULL: none. */
static const struct cli_command *cut_too_short(const struct cli_command *const *commands, const char *name)
{
	size_t length = strlen(name);

	for (; length != 0 && *commands != NULL; commands++)
		if ((*commands)->shortest != NULL && (strncmp((*commands)->name, name, length) == 0 ||
		    ((*commands)->alias != NULL && strncmp((*commands)->alias, name, length) == 0)))
			return *commands;
	return NULL;
}

/* Tells of a name that is none of a list of commands, or several. */
static int unknown_command(const struct cli *cli, const struct cli_command *const *commands, const char *name,
			   bool several)
{
	const char *what = cli->depth == 0 ? "subcommand" : cli->path[cli->depth - 1]->verb_word;
	const char *names[NAMES_MAX + 1] = { NULL }, *nearest;
	const struct cli_command *cut = several ? NULL : cut_too_short(commands, name);
	char list[512], prefix[sizeof(cli->name) + 2] = "";
	size_t count = 0, length = 0;

	if (what == NULL)
		what = "verb";
	if (cli->depth != 0)
		snprintf(prefix, sizeof(prefix), "%s: ", cli->name);
	list[0] = '\0';
	for (; *commands != NULL && count < NAMES_MAX; commands++) {
		if ((*commands)->hidden || (several && strncmp((*commands)->name, name, strlen(name)) != 0))
			continue;
		names[count++] = (*commands)->name;
		if (length < sizeof(list))
			length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
						   length != 0 ? ", " : "", (*commands)->name);
	}
	nearest = cli_nearest(name, names);
	if (several)
		cli_error("%s'%s' may mean %s", prefix, name, list);
	else if (cut != NULL)
		cli_error("%s'%s' is too short for '%s', which changes the stack: write it out", prefix, name,
			  cut->name);
	else if (nearest != NULL)
		cli_error("%sno %s '%s', did you mean '%s'? There are %s", prefix, what, name, nearest, list);
	else
		cli_error("%sno %s '%s'; there are %s", prefix, what, name, list);
	return CLI_USAGE;
}

/* ---- values ---- */

bool cli_number(const char *text, uint64_t least, uint64_t most, uint64_t *number)
{
	bool hex = text[0] == '0' && text[1] == 'x';
	char *end;

	/* No sign, no space, no octal: what strtoull() would let pass. */
	if (text[0] < '0' || text[0] > '9' || (text[0] == '0' && text[1] != '\0' && !hex))
		return false;
	errno = 0;
	*number = strtoull(text, &end, hex ? 16 : 10);
	return errno == 0 && *end == '\0' && *number >= least && *number <= most;
}

bool cli_seconds(const char *text, double *seconds)
{
	char *end;

	if (text[strspn(text, "0123456789.")] != '\0')
		return false;
	*seconds = strtod(text, &end);
	return end != text && *end == '\0' && isfinite(*seconds) && *seconds > 0 && *seconds <= SECONDS_MAX;
}

/* ---- options ---- */

static size_t option_names(const struct cli_option *options, const char **names, size_t count)
{
	for (; options != NULL && options->name != NULL && count < NAMES_MAX; options++)
		names[count++] = options->name;
	return count;
}

/* The option of a list by its name or a prefix; counts what the prefix fits. An exact name ends the search. */
static const struct cli_option *find_long(const struct cli_option *options, const char *name, size_t length,
					  const struct cli_option *found, unsigned int *fits)
{
	for (; options != NULL && options->name != NULL; options++) {
		if (strncmp(options->name, name, length) != 0)
			continue;
		if (options->name[length] == '\0') {
			*fits = 1;
			return options;
		}
		if (++*fits == 1)
			found = options;
	}
	return found;
}

static bool is_exact(const struct cli_option *option, size_t length)
{
	return option != NULL && option->name[length] == '\0';
}

/* The long option whose name has `length` bytes, of the path and the global ones. */
static const struct cli_option *long_option(const struct cli *cli, const char *name, size_t length,
					    unsigned int *fits)
{
	const struct cli_option *found;
	size_t i;

	*fits = 0;
	found = find_long(cli_global_options, name, length, NULL, fits);
	for (i = cli->depth; i > 0 && !is_exact(found, length); i--)
		found = find_long(cli->path[i - 1]->options, name, length, found, fits);
	return found;
}

static const struct cli_option *find_letter(const struct cli_option *options, char letter)
{
	for (; options != NULL && options->name != NULL; options++)
		if (options->letter == letter)
			return options;
	return NULL;
}

static const struct cli_option *short_option(const struct cli *cli, char letter)
{
	const struct cli_option *found = find_letter(cli_global_options, letter);
	size_t i;

	for (i = cli->depth; i > 0 && found == NULL; i--)
		found = find_letter(cli->path[i - 1]->options, letter);
	return found;
}

const struct cli_option *cli_option_find(const struct cli *cli, const char *word)
{
	unsigned int fits;
	const struct cli_option *option;

	if (word[0] != '-' || word[1] == '\0')
		return NULL;
	/* Of letters in one word only the last may have a value. */
	if (word[1] != '-')
		return short_option(cli, word[strlen(word) - 1]);
	option = long_option(cli, word + 2, strcspn(word + 2, "="), &fits);
	return fits == 1 ? option : NULL;
}

static int unknown_option(const struct cli *cli, const char *arg, size_t length)
{
	const char *names[NAMES_MAX + 1] = { NULL }, *nearest;
	char name[NAME_SHOWN + 1];
	size_t count = option_names(cli_global_options, names, 0), i;

	for (i = 0; i < cli->depth; i++)
		count = option_names(cli->path[i]->options, names, count);
	snprintf(name, sizeof(name), "%.*s", (int)length, arg + 2);
	nearest = arg[1] == '-' ? cli_nearest(name, names) : NULL;
	if (nearest != NULL)
		return cli_usage_error(cli, "no option '--%s', did you mean '--%s'?", name, nearest);
	return cli_usage_error(cli, "no option '%s'; `strata %s%s--help` lists those there are", arg, cli->name,
			       cli->depth != 0 ? " " : "");
}

/** A place in the command line. */
struct reader {
	struct cli *cli;
	int argc, at;
	char **argv;
	bool lenient;		/* the path is being looked for: what is unknown is passed over */
};

/* The value of an option: what follows '=' or the letter, or the next argument. */
static int take_value(struct reader *reader, const struct cli_option *option, const char *joined,
		      const char **value)
{
	char *const next = reader->at + 1 < reader->argc ? reader->argv[reader->at + 1] : NULL;

	*value = joined != NULL ? joined : "";
	if (option->argument == NULL) {
		if (joined != NULL && !reader->lenient)
			return cli_usage_error(reader->cli, "--%s takes no value", option->name);
		return 0;
	}
	if (joined != NULL)
		return 0;
	if (option->argument[0] == '[') {
		if (next == NULL || next[0] < '0' || next[0] > '9')
			return 0;
	} else if (next == NULL) {
		return reader->lenient ? 0 : cli_usage_error(reader->cli, "--%s: expected %s", option->name,
							     option->argument);
	}
	*value = next;
	reader->at++;
	return 0;
}

int cli_give(struct cli *cli, const struct cli_option *option, const char *value)
{
	uint64_t number;

	cli->given[cli->given_count++] = (struct cli_given){ option, value };
	if (strcmp(option->name, "json") == 0) {
		cli->json = true;
	} else if (strcmp(option->name, "stack") == 0) {
		cli->stack = value;
		if (strchr(value, '/') != NULL || value[0] == '\0' || value[0] == '.')
			return cli_usage_error(cli, "--stack: expected a stack's name, found '%s'", value);
	} else if (strcmp(option->name, "run-dir") == 0) {
		cli->run_dir = value;
	} else if (strcmp(option->name, "shard") == 0) {
		if (!cli_number(value, 0, SHARD_LAST, &number))
			return cli_usage_error(cli, "--shard: expected a number from 0 to %d, found '%s'", SHARD_LAST,
					       value);
		cli->shard = value;
	} else if (strcmp(option->name, "module-path") == 0) {
		cli->module_path = value;
	} else if (strcmp(option->name, "help") == 0) {
		cli->help = true;
	} else if (strcmp(option->name, "version") == 0) {
		cli->version = true;
	}
	return 0;
}

static int read_long(struct reader *reader)
{
	const char *arg = reader->argv[reader->at], *name = arg + 2, *value;
	size_t length = strcspn(name, "=");
	unsigned int fits;
	const struct cli_option *option = long_option(reader->cli, name, length, &fits);
	int status;

	if (fits != 1) {
		if (reader->lenient)
			return 0;
		if (fits > 1)
			return cli_usage_error(reader->cli, "'%s' may mean several options", arg);
		return unknown_option(reader->cli, arg, length);
	}
	status = take_value(reader, option, name[length] == '=' ? name + length + 1 : NULL, &value);
	return status != 0 || reader->lenient ? status : cli_give(reader->cli, option, value);
}

static int read_short(struct reader *reader)
{
	const char *arg = reader->argv[reader->at], *letter, *value;

	for (letter = arg + 1; *letter != '\0'; letter++) {
		const struct cli_option *option = short_option(reader->cli, *letter);
		bool joined = option != NULL && option->argument != NULL && letter[1] != '\0';
		int status;

		if (option == NULL)
			return reader->lenient ? 0 : unknown_option(reader->cli, arg, 0);
		status = take_value(reader, option, joined ? letter + 1 : NULL, &value);
		if (status != 0)
			return status;
		if (!reader->lenient) {
			status = cli_give(reader->cli, option, value);
			if (status != 0)
				return status;
		}
		if (joined)
			return 0;
	}
	return 0;
}

/* ---- the path of subcommands ---- */

void cli_descend(struct cli *cli, const struct cli_command *command)
{
	size_t length = strlen(cli->name);

	cli->path[cli->depth++] = command;
	snprintf(cli->name + length, sizeof(cli->name) - length, "%s%s", length != 0 ? " " : "",
		 command->name);
}

/* Takes an operand for the path while verbs may follow. Returns 0, or a status having told why it is none. */
static int extend_path(struct cli *cli, const char *name, bool *taken)
{
	const struct cli_command *last = cli->depth != 0 ? cli->path[cli->depth - 1] : NULL;
	const struct cli_command *const *commands = last != NULL ? last->verbs : cli->commands;
	const struct cli_command *found;
	bool several;

	*taken = false;
	if (commands == NULL || cli->depth == CLI_DEPTH)
		return 0;
	found = cli_find(commands, name, &several);
	if (found == NULL)
		return unknown_command(cli, commands, name, several);
	cli_descend(cli, found);
	*taken = true;
	return 0;
}

/* Goes through the line once. Lenient: for the path alone; else for options and operands, which are moved to the
 * front of argv. */
static int pass(struct reader *reader, int *operands)
{
	size_t skip = reader->lenient ? 0 : reader->cli->depth;
	bool plain = false, taken = reader->lenient;
	int status = 0;

	*operands = 0;
	for (reader->at = 0; status == 0 && reader->at < reader->argc; reader->at++) {
		char *arg = reader->argv[reader->at];

		if (!plain && strcmp(arg, "--") == 0)
			plain = true;
		else if (!plain && arg[0] == '-' && arg[1] == '-')
			status = read_long(reader);
		else if (!plain && arg[0] == '-' && arg[1] != '\0')
			status = read_short(reader);
		else if (reader->lenient && taken)
			status = extend_path(reader->cli, arg, &taken);
		else if (skip != 0)
			skip--;
		else if (!reader->lenient)
			reader->argv[(*operands)++] = arg;
	}
	return status;
}

int cli_prepare(struct cli *cli, int argc, char **argv)
{
	/* A letter of an argument gives one option at most. */
	size_t room = 1;
	int i;

	for (i = 0; i < argc; i++)
		room += strlen(argv[i]);
	cli->given = calloc(room, sizeof(*cli->given));
	if (cli->given != NULL)
		return 0;
	cli_error("out of memory");
	return CLI_FAILURE;
}

int cli_read(struct cli *cli, int *argc, char **argv)
{
	struct reader reader = { .cli = cli, .argc = *argc, .argv = argv, .lenient = true };
	int status;

	status = cli_prepare(cli, *argc, argv);
	if (status != 0)
		return status;
	status = pass(&reader, argc);
	if (status != 0)
		return status;
	reader.lenient = false;
	return pass(&reader, argc);
}

void cli_forget(struct cli *cli)
{
	free(cli->given);
	cli->given = NULL;
	cli->given_count = 0;
}

const char *cli_option(const struct cli *cli, const char *name)
{
	const char *value = NULL;
	size_t i;

	for (i = 0; i < cli->given_count; i++)
		if (strcmp(cli->given[i].option->name, name) == 0)
			value = cli->given[i].value;
	return value;
}

/* ---- operands as ip(8) has them ---- */

static bool is_keyword(const struct cli_word *word, const char *text)
{
	return (word->word != NULL && strcmp(word->word, text) == 0) ||
	       (word->alias != NULL && strcmp(word->alias, text) == 0);
}

const struct cli_word *cli_word_find(const struct cli_command *command, const char *text)
{
	size_t i;

	for (i = 0; i < command->word_count; i++)
		if (is_keyword(&command->words[i], text))
			return &command->words[i];
	return NULL;
}

/* Sets the member that a word makes. */
static bool set_member(const struct cli *cli, json_t *request, const struct cli_word *word, const char *value)
{
	uint64_t number;
	json_t *json;

	if (json_object_get(request, word->member) != NULL) {
		cli_usage_error(cli, "'%s' stands there twice", word->word != NULL ? word->word : value);
		return false;
	}
	if (word->argument == NULL) {
		json = json_boolean(word->truth);
	} else if (word->value == CLI_NUMBER) {
		if (!cli_number(value, 0, INT64_MAX, &number)) {
			cli_usage_error(cli, "%s: expected a number, found '%s'", word->word, value);
			return false;
		}
		json = json_integer((json_int_t)number);
	} else {
		json = json_string(value);
		if (json == NULL) {
			cli_usage_error(cli, "'%s' is not UTF-8", value);
			return false;
		}
	}
	json_object_set_new(request, word->member, json);
	return true;
}

static bool unknown_word(const struct cli *cli, const struct cli_command *command, const char *text)
{
	const char *names[NAMES_MAX + 1] = { NULL };
	char list[256] = "", near[96];
	size_t i, count = 0, length = 0;

	for (i = 0; i < command->word_count && count < NAMES_MAX; i++) {
		if (command->words[i].word == NULL)
			continue;
		names[count++] = command->words[i].word;
		if (length < sizeof(list))
			length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
						   length != 0 ? ", " : "", command->words[i].word);
	}
	cli_suggestion(text, names, near, sizeof(near));
	if (count == 0)
		cli_usage_error(cli, "unexpected argument '%s'", text);
	else
		cli_usage_error(cli, "unexpected argument '%s'%s%s %s", text, near,
				near[0] != '\0' ? " There are" : "; there are", list);
	return false;
}

static bool required_are_there(const struct cli *cli, const struct cli_command *command, const json_t *request)
{
	size_t i;

	for (i = 0; i < command->word_count; i++) {
		const struct cli_word *word = &command->words[i];

		if (!word->required || json_object_get(request, word->member) != NULL)
			continue;
		cli_usage_error(cli, "expected %s%s%s", word->word != NULL ? word->word : "",
				word->word != NULL ? " " : "", word->argument);
		return false;
	}
	return true;
}

bool cli_words(const struct cli *cli, int argc, char **argv, json_t *request)
{
	const struct cli_command *command = cli->path[cli->depth - 1];
	size_t operand = 0;	/* the next word without a keyword */
	int i;

	for (i = 0; i < argc; i++) {
		const struct cli_word *word = cli_word_find(command, argv[i]);
		const char *value = argv[i];

		if (word == NULL) {
			while (operand < command->word_count && command->words[operand].word != NULL)
				operand++;
			if (operand == command->word_count)
				return unknown_word(cli, command, argv[i]);
			word = &command->words[operand++];
		} else if (word->argument != NULL) {
			if (i + 1 == argc) {
				cli_usage_error(cli, "%s: expected %s", argv[i], word->argument);
				return false;
			}
			value = argv[++i];
			if (word->word == NULL && word == &command->words[operand])
				operand++;
		}
		if (!set_member(cli, request, word, value))
			return false;
	}
	return required_are_there(cli, command, request);
}
