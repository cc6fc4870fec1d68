/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata --help` and `strata help`: made of what the subcommands' own tables say. */
#include <ctype.h>
#include <string.h>
#include "strata_cli.h"

/* Columns that names and options have before their help. */
#define NAME_WIDTH 18
/* Columns of the usage, after its indentation. */
#define USAGE_WIDTH 76

void cli_operands(const struct cli_command *command, char *buf, size_t size)
{
	size_t i, length = 0;

	snprintf(buf, size, "%s", command->operands != NULL ? command->operands : "");
	if (command->operands != NULL)
		return;
	for (i = 0; i < command->word_count && length < size; i++) {
		const struct cli_word *word = &command->words[i];

		length += (size_t)snprintf(buf + length, size - length, "%s%s%s%s%s%s", i != 0 ? " " : "",
			word->required ? "" : "[", word->word != NULL ? word->word : "",
			word->word != NULL && word->argument != NULL ? " " : "",
			word->argument != NULL ? word->argument : "", word->required ? "" : "]");
	}
}

/* Text whose further lines stand under its first. */
static void print_indented(const char *left, const char *text)
{
	size_t length = strlen(left);

	printf("  %-*s", NAME_WIDTH, left);
	if (length >= NAME_WIDTH)
		printf("\n  %*s", NAME_WIDTH, "");
	for (; *text != '\0'; text++) {
		putchar(*text);
		if (*text == '\n')
			printf("  %*s", NAME_WIDTH, "");
	}
	putchar('\n');
}

static void print_options(const char *title, const struct cli_option *options)
{
	char left[64];

	if (options == NULL || options->name == NULL)
		return;
	printf("\n%s\n", title);
	for (; options->name != NULL; options++) {
		char letter[8] = "";

		if (options->letter != 0)
			snprintf(letter, sizeof(letter), "-%c, ", options->letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, options->name,
			 options->argument != NULL ? " " : "",
			 options->argument != NULL ? options->argument : "");
		print_indented(left, options->help);
	}
}

static void print_names(const char *title, const struct cli_command *const *commands)
{
	printf("\n%s\n", title);
	for (; *commands != NULL; commands++)
		if (!(*commands)->hidden)
			print_indented((*commands)->name, (*commands)->summary);
}

static void print_lines(const char *title, const char *text)
{
	printf("\n%s\n", title);
	while (*text != '\0') {
		size_t length = strcspn(text, "\n");

		printf("  %.*s\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

/* The usage, broken between words where it is long. */
static void print_usage(const struct cli *cli, const struct cli_command *command)
{
	const char *word = command->verb_word != NULL ? command->verb_word : "verb";
	char line[512], upper[32] = "", *at = line;
	size_t length, k;

	length = (size_t)snprintf(line, sizeof(line), "strata [OPTION...] %s", cli->name);
	for (k = 0; word[k] != '\0' && k + 1 < sizeof(upper); k++)
		upper[k] = (char)toupper((unsigned char)word[k]);
	if (command->verbs != NULL)
		length += (size_t)snprintf(line + length, sizeof(line) - length, command->run != NULL ? " [%s]" : " %s",
					   upper);
	line[length++] = ' ';
	cli_operands(command, line + length, sizeof(line) - length);
	if (line[length] == '\0')
		line[length - 1] = '\0';
	printf("usage: ");
	while (strlen(at) > USAGE_WIDTH) {
		for (k = USAGE_WIDTH; k > 0 && !(at[k] == ' ' && (at[k + 1] == '[' || at[k - 1] == ']')); k--)
			continue;
		if (k == 0)
			break;
		printf("%.*s\n              ", (int)k, at);
		at += k + 1;
	}
	puts(at);
}

static void help_command(const struct cli *cli)
{
	const struct cli_command *command = cli->path[cli->depth - 1];
	size_t i;

	print_usage(cli, command);
	printf("\n%s.\n", command->summary);
	if (command->help != NULL)
		printf("%s\n", command->help);
	if (command->verbs != NULL)
		print_names(command->verb_word != NULL ? "Tables:" : "Verbs:", command->verbs);
	for (i = cli->depth; i > 0; i--)
		print_options(i == cli->depth ? "Options:" : "Options of all of them:",
			      cli->path[i - 1]->options);
	puts("\nThose of every subcommand (--json, --stack, …): `strata --help`.");
	print_lines("Examples:", command->examples != NULL ? command->examples : "");
	puts("\nExit status: 0, 1 for a failure, 2 for a bad command line or manifest.");
}

static void help_all(const struct cli *cli)
{
	fputs("usage: strata [OPTION...] SUBCOMMAND [ARGUMENT...]\n"
	      "       strata help SUBCOMMAND\n", stdout);
	print_names("Subcommands, which may be cut short while they are clear:", cli->commands);
	print_options("Options, which may stand anywhere:", cli_global_options);
	print_lines("Examples:",
		    "strata check /etc/strata/strata.yaml   # is the manifest right?\n"
		    "strata show interfaces                 # what the running stack has\n"
		    "strata help show                       # more about a subcommand");
	puts("\nExit status: 0, 1 for a failure, 2 for a bad command line or manifest. See strata(1).");
}

void cli_help(const struct cli *cli)
{
	if (cli->depth != 0)
		help_command(cli);
	else
		help_all(cli);
}

static int run_help(const struct cli *cli, int argc, char **argv)
{
	struct cli asked = { .stack = cli->stack, .commands = cli->commands };
	int status = cli_read(&asked, &argc, argv);

	if (status == 0 && argc != 0)
		status = cli_usage_error(&asked, "unexpected argument '%s'", argv[0]);
	if (status == 0)
		cli_help(&asked);
	cli_forget(&asked);
	return status;
}

const struct cli_command cli_command_help = {
	.name = "help",
	.run = run_help,
	.summary = "What a subcommand does, with its options and examples",
	.operands = "[SUBCOMMAND [VERB]]",
	.most = CLI_DEPTH,
	.value = CLI_COMMAND,
	.examples = "strata help                # all subcommands\n"
		    "strata help show           # what can be shown\n"
		    "strata help module info    # a verb",
};
