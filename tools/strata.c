/* SPDX-License-Identifier: BSD-2-Clause */
/* The program a person looks at a stack with: its command line; the subcommands are beside it. */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strata/inspect.h>
#include "strata_cli.h"

void cli_error(const char *format, ...)
{
	va_list args;

	fputs("strata: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
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

/* ---- names ---- */

/* Local choice: longest name that is compared, and the most changes between neighbours. */
#define NAME_MAX_COMPARED 32
#define NAME_DISTANCE 3

/* Levenshtein distance of two names of at most NAME_MAX_COMPARED bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NAME_MAX_COMPARED + 1], i, k, length = strlen(b);

	for (k = 0; k <= length; k++)
		row[k] = k;
	for (i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (k = 0; k < length; k++) {
			size_t best = diagonal + (a[i] != b[k]);

			diagonal = row[k + 1];
			if (row[k] + 1 < best)
				best = row[k] + 1;
			if (row[k + 1] + 1 < best)
				best = row[k + 1] + 1;
			row[k + 1] = best;
		}
	}
	return row[length];
}

const char *cli_nearest(const char *name, const char *const *names)
{
	const char *nearest = NULL;
	size_t least = NAME_DISTANCE + 1;

	if (strlen(name) > NAME_MAX_COMPARED)
		return NULL;
	for (; *names != NULL; names++) {
		size_t d;

		if (strlen(*names) > NAME_MAX_COMPARED)
			continue;
		d = distance(name, *names);
		/* As many changes as letters would make any name of any other. */
		if (d < least && d < strlen(name)) {
			least = d;
			nearest = *names;
		}
	}
	return nearest;
}

/* ---- the command line ---- */

static const struct {
	const char *name;
	int (*run)(const struct cli *cli, int argc, char **argv);
} subcommands[] = {
	{ "check", cli_check },
	{ "module", cli_module },
	{ "show", cli_show },
};
#define SUBCOMMANDS (sizeof(subcommands) / sizeof(subcommands[0]))

static void usage(FILE *to)
{
	fputs("usage: strata [OPTION...] check FILE\n"
	      "       strata [OPTION...] module info NAME|FILE\n"
	      "       strata [OPTION...] module list\n"
	      "       strata [OPTION...] show modules|interfaces|addresses|routes|neighbours|sockets|\n"
	      "                               groups|counters|drops|version\n"
	      "       strata --help | --version\n", to);
}

static void help(void)
{
	usage(stdout);
	fputs("\n  check        validate a manifest and the modules it names\n"
	      "  module info  what a module is, its options, counters and drop reasons\n"
	      "  module list  the modules on the module path\n"
	      "  show         tables of a running stack\n\n"
	      "      --json             JSON instead of tables\n"
	      "      --all              show counters and drops that are 0 as well\n"
	      "      --stack NAME       the stack's name (default: default)\n"
	      "      --run-dir DIR      directory of its control socket\n"
	      "                         (default " STRATA_RUNSTATEDIR "/strata/<stack name>)\n"
	      "      --module-path DIR  directories searched for modules, separated by ':'\n"
	      "  -h, --help             this text\n"
	      "  -V, --version          the version\n\n"
	      "Exit status: 0, 1 for a failure, 2 for a bad command line or manifest. See strata(1).\n",
	      stdout);
}

enum long_option {
	OPTION_JSON = 256,
	OPTION_ALL,
	OPTION_STACK,
	OPTION_RUN_DIR,
	OPTION_MODULE_PATH,
};

/* Returns -1 to go on, or the status to exit with. */
static int parse_options(int argc, char **argv, struct cli *cli)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "all", no_argument, NULL, OPTION_ALL },
		{ "stack", required_argument, NULL, OPTION_STACK },
		{ "run-dir", required_argument, NULL, OPTION_RUN_DIR },
		{ "module-path", required_argument, NULL, OPTION_MODULE_PATH },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "hV", longs, NULL)) != -1) {
		switch (c) {
		case OPTION_JSON:
			cli->json = true;
			break;
		case OPTION_ALL:
			cli->all = true;
			break;
		case OPTION_STACK:
			cli->stack = optarg;
			break;
		case OPTION_RUN_DIR:
			cli->run_dir = optarg;
			break;
		case OPTION_MODULE_PATH:
			cli->module_path = optarg;
			break;
		case 'h':
			help();
			return 0;
		case 'V':
			printf("strata %s\n", strata_version());
			return 0;
		default:
			usage(stderr);
			return CLI_USAGE;
		}
	}
	return -1;
}

static int unknown_subcommand(const char *name)
{
	const char *names[SUBCOMMANDS + 1] = { NULL }, *nearest;
	size_t i;

	for (i = 0; i < SUBCOMMANDS; i++)
		names[i] = subcommands[i].name;
	nearest = cli_nearest(name, names);
	if (nearest != NULL)
		cli_error("no subcommand '%s', did you mean '%s'?", name, nearest);
	else
		cli_error("no subcommand '%s'; there are check, module and show", name);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	struct cli cli = { .stack = "default" };
	int status = parse_options(argc, argv, &cli);
	size_t i;

	if (status >= 0)
		return status;
	if (optind >= argc) {
		usage(stderr);
		return CLI_USAGE;
	}
	if (strchr(cli.stack, '/') != NULL || cli.stack[0] == '\0') {
		cli_error("--stack: expected a stack's name, found '%s'", cli.stack);
		return CLI_USAGE;
	}
	for (i = 0; i < SUBCOMMANDS; i++)
		if (strcmp(subcommands[i].name, argv[optind]) == 0)
			break;
	if (i == SUBCOMMANDS)
		return unknown_subcommand(argv[optind]);
	status = subcommands[i].run(&cli, argc - optind - 1, argv + optind + 1);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		cli_error("standard output cannot be written");
		return CLI_FAILURE;
	}
	return status;
}
