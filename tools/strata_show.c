/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata show`: the running stack's tables, for people or as JSON. */
#include <string.h>
#include "strata_cli.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- parts of an entry ---- */

static const char *text(const json_t *entry, const char *key)
{
	return json_string_value(json_object_get(entry, key));	/* NULL is shown as "-" */
}

static long long number(const json_t *entry, const char *key)
{
	return (long long)json_integer_value(json_object_get(entry, key));
}

static void add_text(struct cli_table *table, const json_t *entry, const char *key)
{
	cli_table_add(table, text(entry, key));
}

static void add_number(struct cli_table *table, const json_t *entry, const char *key)
{
	if (json_is_integer(json_object_get(entry, key)))
		cli_table_addf(table, "%lld", number(entry, key));
	else
		cli_table_add(table, "-");
}

/* ---- one function a table ---- */

static void show_modules(const struct cli *cli, const json_t *entries)
{
	static const struct cli_column columns[] = {
		{ "NAME", false }, { "KIND", false }, { "NUMBER", true }, { "VERSION", false },
		{ "STATE", false }, { "RX PACKETS", true }, { "TX PACKETS", true }, { "SUMMARY", false },
	};
	struct cli_table *table = cli_table_new(columns, COUNT(columns));
	json_t *entry;
	size_t i;

	(void)cli;
	json_array_foreach(entries, i, entry) {
		const char *kind = text(entry, "kind");

		add_text(table, entry, "name");
		cli_table_add(table, kind);
		if (kind != NULL && strcmp(kind, "network") == 0)
			cli_table_addf(table, "0x%04llx", number(entry, "number"));
		else
			add_number(table, entry, "number");
		add_text(table, entry, "version");
		add_text(table, entry, "state");
		add_number(table, entry, "rx_packets");
		add_number(table, entry, "tx_packets");
		add_text(table, entry, "summary");
	}
	cli_table_print(table, "no modules");
}

static void print_counters(const json_t *counters)
{
	static const struct cli_column columns[] = {
		{ "   ", false }, { "        ", false }, { "packets", true }, { "bytes", true },
		{ "errors", true }, { "dropped", true },
	};
	static const char *const directions[] = { "received", "sent" }, *const keys[][4] = {
		{ "rx_packets", "rx_bytes", "rx_errors", "rx_dropped" },
		{ "tx_packets", "tx_bytes", "tx_errors", "tx_dropped" },
	};
	struct cli_table *table = cli_table_new(columns, COUNT(columns));
	size_t i, k;

	for (i = 0; i < COUNT(directions); i++) {
		cli_table_add(table, "");
		cli_table_add(table, directions[i]);
		for (k = 0; k < COUNT(keys[i]); k++)
			add_number(table, counters, keys[i][k]);
	}
	cli_table_print(table, "");
}

static void show_interfaces(const struct cli *cli, const json_t *entries)
{
	json_t *entry, *address;
	size_t i, k;

	(void)cli;
	if (json_array_size(entries) == 0)
		puts("no interfaces");
	json_array_foreach(entries, i, entry) {
		const char *mac = text(entry, "mac"), *framing = text(entry, "framing");

		printf("%s%s: type %s%s%s, state %s, mtu %lld bytes\n", i != 0 ? "\n" : "",
		       text(entry, "name"), text(entry, "driver"), framing != NULL ? ", framing " : "",
		       framing != NULL ? framing : "", text(entry, "state"), number(entry, "mtu"));
		printf("     mac      %s\n", mac != NULL ? mac : "none");
		json_array_foreach(json_object_get(entry, "addresses"), k, address) {
			const char *broadcast = text(address, "broadcast");

			printf("     address  %s/%lld  mask %s  broadcast %s  %s\n",
			       text(address, "address"), number(address, "prefix"),
			       text(address, "mask"), broadcast != NULL ? broadcast : "none",
			       text(address, "state"));
		}
		print_counters(json_object_get(entry, "counters"));
	}
}

static void show_addresses(const struct cli *cli, const json_t *entries)
{
	static const struct cli_column columns[] = {
		{ "INTERFACE", false }, { "ADDRESS", false }, { "PREFIX", true }, { "MASK", false },
		{ "BROADCAST", false }, { "STATE", false },
	};
	struct cli_table *table = cli_table_new(columns, COUNT(columns));
	json_t *entry;
	size_t i;

	(void)cli;
	json_array_foreach(entries, i, entry) {
		add_text(table, entry, "interface");
		add_text(table, entry, "address");
		add_number(table, entry, "prefix");
		add_text(table, entry, "mask");
		add_text(table, entry, "broadcast");
		add_text(table, entry, "state");
	}
	cli_table_print(table, "no addresses");
}

static void show_routes(const struct cli *cli, const json_t *entries)
{
	static const struct cli_column columns[] = {
		{ "DESTINATION", false }, { "VIA", false }, { "INTERFACE", false }, { "SOURCE", false },
		{ "METRIC", true }, { "MTU", true }, { "ORIGIN", false },
	};
	struct cli_table *table = cli_table_new(columns, COUNT(columns));
	json_t *entry;
	size_t i;

	(void)cli;
	json_array_foreach(entries, i, entry) {
		add_text(table, entry, "to");
		add_text(table, entry, "via");
		add_text(table, entry, "interface");
		add_text(table, entry, "source");
		add_number(table, entry, "metric");
		add_number(table, entry, "mtu");
		cli_table_add(table, json_is_true(json_object_get(entry, "connected")) ? "address" :
			      "manifest");
	}
	cli_table_print(table, "no routes");
}

static void show_neighbours(const struct cli *cli, const json_t *entries)
{
	static const struct cli_column columns[] = {
		{ "ADDRESS", false }, { "INTERFACE", false }, { "MAC", false }, { "STATE", false },
		{ "WAITING", true }, { "CONFIRMED", true },
	};
	struct cli_table *table = cli_table_new(columns, COUNT(columns));
	json_t *entry;
	size_t i;

	(void)cli;
	json_array_foreach(entries, i, entry) {
		add_text(table, entry, "address");
		add_text(table, entry, "interface");
		add_text(table, entry, "mac");
		add_text(table, entry, "state");
		add_number(table, entry, "waiting");
		if (json_is_integer(json_object_get(entry, "confirmed_ms")))
			cli_table_addf(table, "%.1f s ago", (double)number(entry, "confirmed_ms") / 1e3);
		else
			cli_table_add(table, "never");
	}
	cli_table_print(table, "no neighbours");
}

static void add_end(struct cli_table *table, const json_t *end)
{
	const char *address = text(end, "address");
	long long port = number(end, "port");

	if (port != 0)
		cli_table_addf(table, "%s:%lld", address != NULL ? address : "*", port);
	else
		cli_table_addf(table, "%s:*", address != NULL ? address : "*");
}

static void show_sockets(const struct cli *cli, const json_t *entries)
{
	static const struct cli_column columns[] = {
		{ "TRANSPORT", false }, { "STATE", false }, { "FD", true }, { "RX BYTES", true },
		{ "TX BYTES", true }, { "LOCAL", false }, { "REMOTE", false },
	};
	struct cli_table *table = cli_table_new(columns, COUNT(columns));
	json_t *entry;
	size_t i;

	(void)cli;
	json_array_foreach(entries, i, entry) {
		add_text(table, entry, "transport");
		add_text(table, entry, "state");
		add_number(table, entry, "fd");
		add_number(table, entry, "rx_queue");
		add_number(table, entry, "tx_queue");
		add_end(table, json_object_get(entry, "local"));
		add_end(table, json_object_get(entry, "remote"));
	}
	cli_table_print(table, "no sockets");
}

static void show_groups(const struct cli *cli, const json_t *entries)
{
	static const struct cli_column columns[] = {
		{ "INTERFACE", false }, { "GROUP", false }, { "MEMBERS", true },
	};
	struct cli_table *table = cli_table_new(columns, COUNT(columns));
	json_t *entry;
	size_t i;

	(void)cli;
	json_array_foreach(entries, i, entry) {
		add_text(table, entry, "interface");
		add_text(table, entry, "group");
		add_number(table, entry, "members");
	}
	cli_table_print(table, "no groups");
}

static void show_counters(const struct cli *cli, const json_t *entries)
{
	static const struct cli_column columns[] = {
		{ "MODULE", false }, { "COUNTER", false }, { "VALUE", true }, { "MEANING", false },
	};
	struct cli_table *table = cli_table_new(columns, COUNT(columns));
	json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry) {
		if (cli_option(cli, "all") == NULL && number(entry, "value") == 0)
			continue;
		add_text(table, entry, "module");
		add_text(table, entry, "counter");
		add_number(table, entry, "value");
		add_text(table, entry, "help");
	}
	cli_table_print(table, "every counter is 0; --all shows them");
}

static void show_drops(const struct cli *cli, const json_t *entries)
{
	static const struct cli_column columns[] = {
		{ "MODULE", false }, { "REASON", false }, { "PACKETS", true }, { "SEVERITY", false },
		{ "MEANING", false },
	};
	struct cli_table *table = cli_table_new(columns, COUNT(columns));
	json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry) {
		if (cli_option(cli, "all") == NULL && number(entry, "count") == 0)
			continue;
		add_text(table, entry, "module");
		add_text(table, entry, "reason");
		add_number(table, entry, "count");
		add_text(table, entry, "severity");
		add_text(table, entry, "text");
	}
	cli_table_print(table, "no packet was dropped; --all shows the reasons there are");
}

static void show_version(const struct cli *cli, const json_t *entries)
{
	const json_t *entry = json_array_get(entries, 0);

	(void)cli;
	printf("version   %s\nstack     %s\nabi       %s\nprotocol  %lld\nmemory    %lld bytes\n",
	       text(entry, "version"), text(entry, "stack"), text(entry, "abi"),
	       number(entry, "protocol"), number(entry, "memory"));
}

static const struct {
	const char *name;
	void (*show)(const struct cli *cli, const json_t *entries);
} tables[] = {
	{ "modules", show_modules },
	{ "interfaces", show_interfaces },
	{ "addresses", show_addresses },
	{ "routes", show_routes },
	{ "neighbours", show_neighbours },
	{ "sockets", show_sockets },
	{ "groups", show_groups },
	{ "counters", show_counters },
	{ "drops", show_drops },
	{ "version", show_version },
};

/* Tells of a table that is none, with the nearest. */
static int unknown_table(const char *name)
{
	const char *names[COUNT(tables) + 1] = { NULL }, *nearest;
	size_t i;

	for (i = 0; i < COUNT(tables); i++)
		names[i] = tables[i].name;
	nearest = name != NULL ? cli_nearest(name, names) : NULL;
	if (name == NULL)
		fputs("strata: show: expected a table:", stderr);
	else
		fprintf(stderr, "strata: show: no table '%s'%s%s%s there are:", name,
			nearest != NULL ? ", did you mean '" : ";", nearest != NULL ? nearest : "",
			nearest != NULL ? "'?" : "");
	for (i = 0; i < COUNT(tables); i++)
		fprintf(stderr, "%s %s", i != 0 ? "," : "", tables[i].name);
	fputc('\n', stderr);
	return CLI_USAGE;
}

static int run_show(const struct cli *cli, int argc, char **argv)
{
	json_t *entries;
	size_t i;

	(void)argc;
	for (i = 0; i < COUNT(tables); i++)
		if (strcmp(tables[i].name, argv[0]) == 0)
			break;
	if (i == COUNT(tables))
		return unknown_table(argv[0]);
	entries = cli_fetch(cli, argv[0]);
	if (entries == NULL)
		return CLI_FAILURE;
	if (cli->json)
		return cli_print_json(entries);
	tables[i].show(cli, entries);
	json_decref(entries);
	return 0;
}

static const struct cli_option show_options[] = {
	{ .name = "all", .help = "counters and drops that are 0 as well" },
	{ .name = NULL },
};

const struct cli_command cli_command_show = {
	.name = "show",
	.run = run_show,
	.summary = "Tables of a running stack",
	.operands = "TABLE",
	.least = 1,
	.most = 1,
	.help = "Tables: modules, interfaces, addresses, routes, neighbours, sockets, groups, counters,\n"
		"drops, version.",
	.examples = "strata show interfaces       # with addresses and counters\n"
		    "strata show drops --json     # why packets were discarded, for programs",
	.options = show_options,
};
