/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata reload`: makes the running stack what its manifest says now, or tells what that would change. */
#include <string.h>
#include "strata_cli.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *text(const json_t *object, const char *member)
{
	return json_string_value(json_object_get(object, member));
}

/* A sign as in a diff, and its colour. */
static const char *sign_of(const char *action, enum cli_tone *tone)
{
	static const struct {
		const char *action, *sign;
		enum cli_tone tone;
	} signs[] = {
		{ "add", "+", CLI_GOOD }, { "remove", "-", CLI_BAD }, { "change", "~", CLI_PLAIN },
		{ "restart", "!", CLI_WARNING }, { "replace", "!", CLI_WARNING },
	};
	size_t i;

	for (i = 0; i < COUNT(signs); i++) {
		if (action != NULL && strcmp(signs[i].action, action) == 0) {
			*tone = signs[i].tone;
			return signs[i].sign;
		}
	}
	*tone = CLI_PLAIN;
	return " ";
}

/* "tcp.sack", "192.0.2.9/24 on st0". */
static void add_name(struct cli_table *table, const json_t *change)
{
	const char *name = text(change, "name"), *field = text(change, "field"), *owner = text(change, "owner");

	cli_table_addf(table, "%s%s%s%s%s", name != NULL ? name : "", field != NULL ? "." : "",
		       field != NULL ? field : "", owner != NULL ? " on " : "", owner != NULL ? owner : "");
}

static void add_value(struct cli_table *table, const json_t *change)
{
	const char *from = text(change, "from"), *to = text(change, "to"), *why = text(change, "why");
	char value[512] = "";

	if (from != NULL && to != NULL)
		snprintf(value, sizeof(value), "%s -> %s", from, to);
	else if (from != NULL || to != NULL)
		snprintf(value, sizeof(value), "%s", to != NULL ? to : from);
	cli_table_addf(table, "%s%s%s", value, value[0] != '\0' && why != NULL ? "; " : "",
		       why != NULL ? why : "");
}

static void print_changes(const json_t *changes, json_int_t omitted)
{
	static const struct cli_column columns[] = {
		{ " ", false }, { "WHAT", false }, { "NAME", false }, { "ACTION", false }, { "ENDS", true },
		{ "VALUE", false },
	};
	struct cli_table *table = cli_table_new(columns, COUNT(columns));
	json_t *change;
	size_t i;

	json_array_foreach(changes, i, change) {
		json_int_t ending = json_integer_value(json_object_get(change, "ending"));
		enum cli_tone tone;

		cli_table_add(table, sign_of(text(change, "action"), &tone));
		cli_table_tone(table, tone);
		cli_table_add(table, text(change, "what"));
		add_name(table, change);
		cli_table_add(table, text(change, "action"));
		cli_table_addf(table, "%lld", (long long)ending);
		cli_table_tone(table, ending != 0 ? CLI_BAD : CLI_DIM);
		add_value(table, change);
	}
	cli_table_print(table, "nothing to change");
	if (omitted != 0)
		printf("and %lld more\n", (long long)omitted);
}

static void add_end(struct cli_table *table, const json_t *end)
{
	const char *address = text(end, "address");

	cli_table_addf(table, "%s:%lld", address != NULL ? address : "*",
		       (long long)json_integer_value(json_object_get(end, "port")));
}

/* The connections that would end, or did; of many only some are listed. */
static void print_sockets(const json_t *changes, bool applied)
{
	static const struct cli_column columns[] = {
		{ "TRANSPORT", false }, { "STATE", false }, { "LOCAL", false }, { "REMOTE", false }, { "BY", false },
	};
	struct cli_table *table;
	json_t *change, *socket;
	json_int_t ending = 0;
	size_t i, k;

	json_array_foreach(changes, i, change)
		ending += json_integer_value(json_object_get(change, "ending"));
	if (ending == 0)
		return;
	printf("\n%lld socket%s %s:\n", (long long)ending, ending != 1 ? "s" : "", applied ? "ended" : "would end");
	table = cli_table_new(columns, COUNT(columns));
	json_array_foreach(changes, i, change) {
		json_array_foreach(json_object_get(change, "sockets"), k, socket) {
			cli_table_add(table, text(socket, "transport"));
			cli_table_add(table, text(socket, "state"));
			add_end(table, json_object_get(socket, "local"));
			add_end(table, json_object_get(socket, "remote"));
			add_name(table, change);
		}
	}
	cli_table_print(table, "");
}

static int run_reload(const struct cli *cli, int argc, char **argv)
{
	bool dry_run = cli_option(cli, "dry-run") != NULL;
	json_t *result = cli_call(cli, json_pack("{s:s, s:b}", "method", "reload", "dry_run", (int)dry_run));
	const json_t *changes = json_object_get(result, "changes");

	(void)argc;
	(void)argv;
	if (result == NULL)
		return CLI_FAILURE;
	if (cli->json)
		return cli_print_json(result);
	print_changes(changes, json_integer_value(json_object_get(result, "omitted")));
	print_sockets(changes, !dry_run);
	json_decref(result);
	return 0;
}

static const struct cli_option reload_options[] = {
	{ .name = "dry-run", .letter = 'n', .help = "print what would change and end, and change nothing" },
	{ .name = NULL },
};

const struct cli_command cli_command_reload = {
	.name = "reload",
	.shortest = "reload",
	.run = run_reload,
	.summary = "Make the running stack what its manifest says now",
	.options = reload_options,
	.help = "The manifest is validated whole first; a fault changes nothing. What fails on the way is undone.\n"
		"What the difference does not concern goes on: connections, routes, counters. Signs are as in\n"
		"diff(1): + added, - removed, ~ changed in place, ! stopped and started.",
	.examples = "strata reload --dry-run            # what would change, which connections would end\n"
		    "strata reload\n"
		    "strata reload --dry-run --json     # for programs",
};
