/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata show`: fetches a table of the running stack, keeps what was asked for, prints it. */
#include <stddef.h>
#include <string.h>
#include "strata_show.h"

/* Local choice: columns of a table with those for rates. */
#define COLUMNS_MAX 24
/* Local choice: names listed where an operand names nothing. */
#define NAMES_MAX 63

const struct show_table *show_table_of(const struct cli *cli)
{
	const char *command = (const char *)cli->path[cli->depth - 1];

	return (const struct show_table *)(const void *)(command - offsetof(struct show_table, command));
}

const json_t *show_member(const json_t *entry, const char *path)
{
	const char *dot = strchr(path, '.');
	char outer[32];

	if (dot == NULL)
		return json_object_get(entry, path);
	snprintf(outer, sizeof(outer), "%.*s", (int)(dot - path), path);
	return show_member(json_object_get(entry, outer), dot + 1);
}

/* ---- people's numbers ---- */

void show_time(uint64_t ms, char *buf, size_t size)
{
	unsigned long long s = ms / 1000;

	if (ms < 1000)
		snprintf(buf, size, "%llu ms", (unsigned long long)ms);
	else if (s < 60)
		snprintf(buf, size, "%.1f s", (double)(ms / 100) / 10);
	else if (s < 3600)
		snprintf(buf, size, "%llu min %llu s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, size, "%llu h %llu min", s / 3600, s / 60 % 60);
	else
		snprintf(buf, size, "%llu d %llu h", s / 86400, s / 3600 % 24);
}

void show_size(double bytes, bool exact, char *buf, size_t size)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
	size_t unit = 0;

	/* Local choice: four digits are read as well as any unit. */
	if (exact || bytes < 10000) {
		snprintf(buf, size, "%.0f", bytes);
		return;
	}
	for (bytes /= 1024; bytes >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0]); bytes /= 1024)
		unit++;
	snprintf(buf, size, bytes < 99.95 ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

/* ---- entries ---- */

/* Whether the operand is the value of one of the members that it may name. */
static bool matches(const struct show_table *table, const json_t *entry, const char *operand)
{
	size_t i;

	for (i = 0; i < sizeof(table->match) / sizeof(table->match[0]) && table->match[i] != NULL; i++) {
		const char *value = json_string_value(show_member(entry, table->match[i]));

		if (value != NULL && strcmp(value, operand) == 0)
			return true;
	}
	return false;
}

static bool any_matches(const struct show_table *table, const json_t *entries, const char *operand)
{
	json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry)
		if (matches(table, entry, operand))
			return true;
	return false;
}

/* Tells that an operand names nothing, with the nearest of what there is. */
static int tell_unknown(const struct cli *cli, const json_t *entries, const char *operand)
{
	const struct show_table *table = show_table_of(cli);
	const char *names[NAMES_MAX + 1] = { NULL };
	char near[96], list[512] = "";
	size_t count = 0, i, k, length = 0;
	json_t *entry;

	json_array_foreach(entries, i, entry) {
		const char *name = json_string_value(show_member(entry, table->match[0]));

		for (k = 0; k < count && name != NULL; k++)
			if (strcmp(names[k], name) == 0)
				name = NULL;
		if (name == NULL || count == NAMES_MAX)
			continue;
		names[count++] = name;
		if (length < sizeof(list))
			length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s",
						   length != 0 ? ", " : "", name);
	}
	cli_suggestion(operand, names, near, sizeof(near));
	cli_error("%s: no %s '%s'%s%s %s", cli->name, table->thing, operand, near,
		  near[0] != '\0' ? " There are" : "; there are", count != 0 ? list : "none");
	return CLI_FAILURE;
}

/* The entries that operands and options keep. */
static json_t *filter(const struct cli *cli, const json_t *entries, int argc, char **argv)
{
	const struct show_table *table = show_table_of(cli);
	json_t *kept = json_array(), *entry;
	size_t i;
	int k;

	json_array_foreach(entries, i, entry) {
		for (k = 0; k < argc && !matches(table, entry, argv[k]); k++)
			continue;
		if ((argc == 0 || k < argc) && (table->keep == NULL || table->keep(cli, entry)))
			json_array_append(kept, entry);
	}
	return kept;
}

json_t *show_entries(const struct cli *cli, struct cli_link *link, int argc, char **argv, int *status)
{
	const struct show_table *table = show_table_of(cli);
	json_t *request = json_pack("{s:s, s:s}", "method", "show", "what", table->command.name), *entries, *kept;
	int i;

	if (table->more != NULL && cli_option(cli, table->more) != NULL)
		json_object_set_new(request, table->more, json_true());
	entries = cli_fetch_by(link, request);
	if (!cli->json)
		entries = cli_merge_shards(table->command.name, entries);
	*status = entries != NULL ? 0 : CLI_FAILURE;
	for (i = 0; *status == 0 && i < argc; i++)
		if (!any_matches(table, entries, argv[i]))
			*status = tell_unknown(cli, entries, argv[i]);
	if (*status != 0) {
		json_decref(entries);
		return NULL;
	}
	kept = filter(cli, entries, argc, argv);
	json_decref(entries);
	return kept;
}

/* ---- rates ---- */

static bool same_key(const struct show_table *table, const json_t *a, const json_t *b)
{
	size_t i;

	for (i = 0; i < sizeof(table->key) / sizeof(table->key[0]) && table->key[i] != NULL; i++)
		if (!json_equal(show_member(a, table->key[i]), show_member(b, table->key[i])))
			return false;
	return i != 0 && json_integer_value(show_member(a, "shard")) ==
	       json_integer_value(show_member(b, "shard"));
}

const json_t *show_same(const struct show_table *table, const json_t *entries, const json_t *entry, size_t guess)
{
	json_t *other = json_array_get(entries, guess);
	size_t i;

	/* Tables mostly keep their order. */
	if (other != NULL && same_key(table, other, entry))
		return other;
	json_array_foreach(entries, i, other)
		if (same_key(table, other, entry))
			return other;
	return NULL;
}

/* ---- for people ---- */

void show_text(const struct show_column *column, const json_t *entry, bool exact, char *buf, size_t size)
{
	const json_t *value = show_member(entry, column->member);

	buf[0] = '\0';
	if (column->format != NULL)
		column->format(entry, value, exact, buf, size);
	else if (json_is_integer(value))
		snprintf(buf, size, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		snprintf(buf, size, "%s", json_is_true(value) ? "yes" : "no");
	if (buf[0] == '\0')
		snprintf(buf, size, "%s", json_is_string(value) ? json_string_value(value) : "-");
}

static void add_cell(struct cli_table *to, const struct show_column *column, const json_t *entry, bool exact)
{
	const json_t *value = show_member(entry, column->member);
	char buf[512];

	show_text(column, entry, exact, buf, sizeof(buf));
	cli_table_add(to, buf);
	if (column->tone != NULL)
		cli_table_tone(to, column->tone(entry, value));
}

static void add_rate(struct cli_table *to, const struct show_column *column, const json_t *entry,
		     const json_t *earlier, double seconds, bool exact)
{
	const json_t *now = show_member(entry, column->member);
	const json_t *then = earlier != NULL ? show_member(earlier, column->member) : NULL;
	double rate;
	char buf[64];

	if (!json_is_integer(now) || !json_is_integer(then) || seconds <= 0) {
		cli_table_add(to, "-");
		return;
	}
	rate = (double)(json_integer_value(now) - json_integer_value(then)) / seconds;
	if (column->format != NULL)	/* bytes */
		show_size(rate > 0 ? rate : 0, exact, buf, sizeof(buf));
	else
		snprintf(buf, sizeof(buf), rate < 99.95 && rate != 0 ? "%.1f" : "%.0f", rate);
	cli_table_add(to, buf);
	if (rate == 0)
		cli_table_tone(to, CLI_DIM);
}

/* Whether entries are one shard's each, of several. What all have is shown without. */
static bool tells_shards(const struct show_table *table, const json_t *entries)
{
	return show_member(json_array_get(entries, 0), "shard") != NULL &&
	       (strcmp(table->command.name, "sockets") == 0 ||
		strcmp(table->command.name, "neighbours") == 0);
}

void show_print(const struct cli *cli, FILE *to, const json_t *entries, const json_t *before, double seconds)
{
	const struct show_table *table = show_table_of(cli);
	bool exact = cli_option(cli, "exact") != NULL, all = cli_option(cli, "all") != NULL;
	bool watched = table->watched != NULL && (seconds >= 0 || cli_option(cli, "brief") != NULL);
	const struct show_column *columns = watched ? table->watched : table->columns;
	size_t count = watched ? table->watched_count : table->count, i, k, made = 0;
	struct cli_column titles[COLUMNS_MAX];
	struct cli_table *out;
	json_t *entry;
	bool sharded = tells_shards(table, entries);

	if (table->print != NULL && !watched && (table->more == NULL || cli_option(cli, table->more) != NULL)) {
		table->print(to, table, entries, exact);
		return;
	}
	if (sharded)
		titles[made++] = (struct cli_column){ "SHARD", true };
	for (i = 0; i < count && made + 2 <= COLUMNS_MAX; i++) {
		titles[made++] = (struct cli_column){ columns[i].title, columns[i].right };
		if (seconds >= 0 && columns[i].rate)
			titles[made++] = (struct cli_column){ "PER S", true };
	}
	out = cli_table_new(titles, made);
	json_array_foreach(entries, i, entry) {
		const json_t *earlier = before != NULL ? show_same(table, before, entry, i) : NULL;

		if (table->zero != NULL && !all && json_integer_value(show_member(entry, table->zero)) == 0)
			continue;
		if (sharded)
			cli_table_addf(out, "%d", (int)json_integer_value(show_member(entry, "shard")));
		for (k = 0; k < count; k++) {
			add_cell(out, &columns[k], entry, exact);
			if (seconds >= 0 && columns[k].rate)
				add_rate(out, &columns[k], entry, earlier, seconds, exact);
		}
	}
	cli_table_print_to(to, out, table->none);
}

/* ---- the subcommand ---- */

static int run_once(const struct cli *cli, int argc, char **argv)
{
	struct cli_link *link = cli_connect(cli);
	json_t *entries;
	int status;

	if (link == NULL)
		return CLI_FAILURE;
	entries = show_entries(cli, link, argc, argv, &status);
	cli_disconnect(link);
	if (entries == NULL)
		return status;
	if (cli->json)
		return cli_print_json(entries);
	show_print(cli, stdout, entries, NULL, -1);
	json_decref(entries);
	return 0;
}

int show_run(const struct cli *cli, int argc, char **argv)
{
	return cli_option(cli, "watch") != NULL ? show_watch(cli, argc, argv) : run_once(cli, argc, argv);
}

int cli_show_table(const struct cli *cli, const char *what, int argc, char **argv)
{
	struct cli shown = *cli;
	bool several;

	shown.path[0] = &cli_command_show;
	shown.path[1] = cli_find(show_verbs, what, &several);
	shown.depth = 2;
	snprintf(shown.name, sizeof(shown.name), "show %s", what);
	return shown.path[1]->run(&shown, argc, argv);
}

static const struct cli_option show_options[] = {
	{ .name = "watch", .letter = 'w', .argument = "[SECONDS]", .value = CLI_NUMBER,
	  .help = "again and again, with what counters gained a second, until SIGINT;\nevery second when left out" },
	{ .name = "exact", .letter = 'e', .help = "bytes as plain numbers, without units" },
	{ .name = NULL },
};

const struct cli_command cli_command_show = {
	.name = "show",
	.summary = "Tables of a running stack",
	.verbs = show_verbs,
	.verb_word = "table",
	.help = "Arguments after the table's name choose entries. On a terminal that is too narrow the last\n"
		"column is wrapped, or each entry becomes a paragraph. NO_COLOR turns colours off.",
	.examples = "strata show interfaces             # with addresses and counters\n"
		    "strata show counters tcp --watch   # what TCP counts, and how fast\n"
		    "strata show drops --json           # why packets were discarded, for programs",
	.options = show_options,
};
