/* SPDX-License-Identifier: BSD-2-Clause */
/* The program that a person works a stack with: the table of its subcommands, each in a file beside it. */
#include <stdarg.h>
#include <string.h>
#include <strata/inspect.h>
#include "strata_cli.h"

/* In the order of `strata --help`. */
static const struct cli_command *const commands[] = {
	&cli_command_check,
	&cli_command_show,
	&cli_command_module,
	&cli_command_reload,
	&cli_command_option,
	&cli_command_address,
	&cli_command_route,
	&cli_command_neighbour,
	&cli_command_interface,
	&cli_command_trace,
	&cli_command_new_module,
	&cli_command_capture,
	&cli_command_graph,
	&cli_command_top,
	&cli_command_help,
	&cli_command_complete,
	NULL,
};

void cli_error(const char *format, ...)
{
	va_list args;

	fputs("strata: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

int cli_usage_error(const struct cli *cli, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "strata: %s%s", cli->name, cli->depth != 0 ? ": " : "");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return CLI_USAGE;
}

int cli_print_json(json_t *json)
{
	int status = CLI_FAILURE;

	if (json == NULL)
		cli_error("out of memory");
	else if (json_dumpf(json, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF)
		status = 0;
	json_decref(json);
	return status;
}

/* The verbs of a subcommand, or all subcommands, as a list for messages. */
static int expected_verb(const struct cli *cli)
{
	const struct cli_command *last = cli->depth != 0 ? cli->path[cli->depth - 1] : NULL;
	const struct cli_command *const *list = last != NULL ? last->verbs : cli->commands;
	const char *word = last == NULL ? "subcommand" : last->verb_word != NULL ? last->verb_word : "verb";
	char names[512] = "";
	size_t length = 0;

	for (; *list != NULL && length < sizeof(names); list++)
		if (!(*list)->hidden)
			length += (size_t)snprintf(names + length, sizeof(names) - length, "%s%s",
						   length != 0 ? ", " : "", (*list)->name);
	return cli_usage_error(cli, "expected a %s: %s; `strata %s%s--help` tells more", word, names, cli->name,
			       cli->depth != 0 ? " " : "");
}

static int run(const struct cli *cli, int argc, char **argv)
{
	const struct cli_command *command = cli->depth != 0 ? cli->path[cli->depth - 1] : NULL;
	char operands[256];

	if (command == NULL || command->run == NULL)
		return expected_verb(cli);
	cli_operands(command, operands, sizeof(operands));
	if (argc < command->least)
		return cli_usage_error(cli, "expected %s; `strata %s --help` tells more", operands, cli->name);
	if (command->most >= 0 && argc > command->most)
		return cli_usage_error(cli, "unexpected argument '%s'", argv[command->most]);
	return command->run(cli, argc, argv);
}

int main(int argc, char **argv)
{
	struct cli cli = { .stack = "default", .commands = commands };
	int operands = argc - 1, status = 0;

	if (argc > 0)
		status = cli_read(&cli, &operands, argv + 1);
	if (status == 0 && cli.help)
		cli_help(&cli);
	else if (status == 0 && cli.version)
		printf("strata %s\n", strata_version());
	else if (status == 0)
		status = run(&cli, operands, argv + 1);
	cli_forget(&cli);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		cli_error("standard output cannot be written");
		return CLI_FAILURE;
	}
	return status;
}
