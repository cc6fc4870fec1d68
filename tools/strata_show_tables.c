/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of `strata show`: members of docs/control.md's entries as columns. */
#include <string.h>
#include "strata_show.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define COLUMNS(list) .columns = list, .count = COUNT(list)
#define WATCHED(list) .watched = list, .watched_count = COUNT(list)

/* ---- parts of an entry ---- */

static const char *text(const json_t *entry, const char *member)
{
	return json_string_value(show_member(entry, member));
}

static long long number(const json_t *entry, const char *member)
{
	return (long long)json_integer_value(show_member(entry, member));
}

static bool is(const json_t *entry, const char *member, const char *value)
{
	const char *found = text(entry, member);

	return found != NULL && strcmp(found, value) == 0;
}

/* ---- cells ---- */

/* EtherTypes are known in hexadecimal, IP protocol numbers in decimal. */
static void format_number(const json_t *entry, const json_t *value, bool exact, char *buf, size_t size)
{
	(void)exact;
	if (json_is_integer(value))
		snprintf(buf, size, is(entry, "kind", "network") ? "0x%04llx" : "%lld",
			 (long long)json_integer_value(value));
}

static void format_size(const json_t *entry, const json_t *value, bool exact, char *buf, size_t size)
{
	(void)entry;
	if (json_is_integer(value))
		show_size((double)json_integer_value(value), exact, buf, size);
}

static void format_ago(const json_t *entry, const json_t *value, bool exact, char *buf, size_t size)
{
	char age[64];

	(void)entry;
	(void)exact;
	if (!json_is_integer(value)) {
		snprintf(buf, size, "never");
		return;
	}
	show_time((uint64_t)json_integer_value(value), age, sizeof(age));
	snprintf(buf, size, "%s ago", age);
}

/* An end of a socket; RFC 5952 6: an address with colons stands in brackets before a port. */
static void format_end(const json_t *entry, const json_t *value, bool exact, char *buf, size_t size)
{
	const char *address = text(value, "address");
	long long port = number(value, "port");
	bool colons = address != NULL && strchr(address, ':') != NULL;
	char digits[16] = "*";

	(void)entry;
	(void)exact;
	if (port != 0)
		snprintf(digits, sizeof(digits), "%lld", port);
	snprintf(buf, size, "%s%s%s:%s", colons ? "[" : "", address != NULL ? address : "*", colons ? "]" : "",
		 digits);
}

static void format_addresses(const json_t *entry, const json_t *value, bool exact, char *buf, size_t size)
{
	size_t i, length = 0;
	json_t *address;

	(void)entry;
	(void)exact;
	json_array_foreach(value, i, address)
		if (length < size)
			length += (size_t)snprintf(buf + length, size - length, "%s%s/%lld", i != 0 ? " " : "",
						   text(address, "address"), number(address, "prefix"));
}

/* The module or the interface that an option is of. */
static void format_owner(const json_t *entry, const json_t *value, bool exact, char *buf, size_t size)
{
	const char *owner = json_string_value(value);

	(void)exact;
	snprintf(buf, size, "%s", owner != NULL ? owner : text(entry, "interface"));
}

/* ---- colours ---- */

static enum cli_tone tone_of(const char *word)
{
	static const char *const good[] = {
		"up", "running", "valid", "REACHABLE", "PERMANENT", "ESTABLISHED", "LISTEN", NULL,
	}, *const bad[] = {
		"duplicate", "FAILED", "error", NULL,
	}, *const warning[] = {
		"no carrier", "down", "disabled", "tentative", "INCOMPLETE", "PROBE", "DELAY", "warning", NULL,
	};
	static const struct {
		const char *const *words;
		enum cli_tone tone;
	} tones[] = { { good, CLI_GOOD }, { bad, CLI_BAD }, { warning, CLI_WARNING } };
	size_t i, k;

	for (i = 0; i < COUNT(tones); i++)
		for (k = 0; tones[i].words[k] != NULL; k++)
			if (strcmp(tones[i].words[k], word) == 0)
				return tones[i].tone;
	return CLI_PLAIN;
}

static enum cli_tone tone_word(const json_t *entry, const json_t *value)
{
	(void)entry;
	return json_is_string(value) ? tone_of(json_string_value(value)) : CLI_PLAIN;
}

/* An option that is not what it would be by itself. */
static enum cli_tone tone_changed(const json_t *entry, const json_t *value)
{
	return json_equal(value, show_member(entry, "default")) ? CLI_PLAIN : CLI_TITLE;
}

/* ---- modules ---- */

static const struct show_column modules_columns[] = {
	{ .title = "NAME", .member = "name" },
	{ .title = "KIND", .member = "kind" },
	{ .title = "NUMBER", .member = "number", .right = true, .format = format_number },
	{ .title = "VERSION", .member = "version" },
	{ .title = "STATE", .member = "state", .tone = tone_word },
	{ .title = "RX PACKETS", .member = "rx_packets", .right = true, .rate = true },
	{ .title = "TX PACKETS", .member = "tx_packets", .right = true, .rate = true },
	{ .title = "SUMMARY", .member = "summary" },
};
static const struct show_column modules_watched[] = {
	{ .title = "NAME", .member = "name" },
	{ .title = "KIND", .member = "kind" },
	{ .title = "STATE", .member = "state", .tone = tone_word },
	{ .title = "RX PACKETS", .member = "rx_packets", .right = true, .rate = true },
	{ .title = "TX PACKETS", .member = "tx_packets", .right = true, .rate = true },
};
static const struct cli_option modules_options[] = {
	{ .name = "brief", .letter = 'b', .help = "without numbers, versions and summaries" },
	{ .name = NULL },
};
static const struct show_table modules = {
	.command = {
		.name = "modules",
		.run = show_run,
		.summary = "What runs: kind, number, state, packets up and down",
		.operands = "[NAME...]",
		.most = -1,
		.value = CLI_MODULE,
		.options = modules_options,
		.examples = "strata show modules\n"
			    "strata show modules tcp udp     # these alone\n"
			    "strata show modules --watch     # packets a second through each binding",
	},
	COLUMNS(modules_columns),
	WATCHED(modules_watched),
	.none = "no modules",
	.key = { "name" },
	.match = { "name", "kind" },
	.thing = "module or kind",
};

/* ---- interfaces ---- */

static const struct show_column interfaces_columns[] = {
	{ .title = "NAME", .member = "name" },
	{ .title = "TYPE", .member = "driver" },
	{ .title = "STATE", .member = "state", .tone = tone_word },
	{ .title = "MTU", .member = "mtu", .right = true },
	{ .title = "RX PACKETS", .member = "counters.rx_packets", .right = true, .rate = true },
	{ .title = "RX BYTES", .member = "counters.rx_bytes", .right = true, .rate = true, .format = format_size },
	{ .title = "TX PACKETS", .member = "counters.tx_packets", .right = true, .rate = true },
	{ .title = "TX BYTES", .member = "counters.tx_bytes", .right = true, .rate = true, .format = format_size },
	{ .title = "ADDRESSES", .member = "addresses", .format = format_addresses },
};
static const struct cli_option interfaces_options[] = {
	{ .name = "brief", .letter = 'b', .help = "a line for each" },
	{ .name = NULL },
};

static void print_counters(FILE *to, const json_t *entry, bool exact)
{
	static const struct cli_column columns[] = {
		{ "   ", false }, { "        ", false }, { "packets", true }, { "bytes", true },
		{ "errors", true }, { "dropped", true },
	};
	static const char *const directions[] = { "received", "sent" }, *const members[][4] = {
		{ "rx_packets", "rx_bytes", "rx_errors", "rx_dropped" },
		{ "tx_packets", "tx_bytes", "tx_errors", "tx_dropped" },
	};
	const json_t *counters = show_member(entry, "counters");
	struct cli_table *table = cli_table_new(columns, COUNT(columns));
	size_t i, k;

	for (i = 0; i < COUNT(directions); i++) {
		cli_table_add(table, "");
		cli_table_add(table, directions[i]);
		for (k = 0; k < COUNT(members[i]); k++) {
			char buf[64];

			if (k == 1)
				show_size((double)number(counters, members[i][k]), exact, buf, sizeof(buf));
			else
				snprintf(buf, sizeof(buf), "%lld", number(counters, members[i][k]));
			cli_table_add(table, buf);
		}
	}
	cli_table_print_to(to, table, "");
}

static void print_interfaces(FILE *to, const struct show_table *table, const json_t *entries, bool exact)
{
	json_t *entry, *address;
	size_t i, k;

	(void)table;
	if (json_array_size(entries) == 0)
		fputs("no interfaces\n", to);
	json_array_foreach(entries, i, entry) {
		const char *mac = text(entry, "mac"), *framing = text(entry, "framing");

		fprintf(to, "%s%s: type %s%s%s, state %s, mtu %lld bytes\n", i != 0 ? "\n" : "",
			text(entry, "name"), text(entry, "driver"), framing != NULL ? ", framing " : "",
			framing != NULL ? framing : "", text(entry, "state"), number(entry, "mtu"));
		fprintf(to, "     mac      %s\n", mac != NULL ? mac : "none");
		json_array_foreach(json_object_get(entry, "addresses"), k, address) {
			const char *broadcast = text(address, "broadcast");

			fprintf(to, "     address  %s/%lld  mask %s  broadcast %s  %s\n",
				text(address, "address"), number(address, "prefix"), text(address, "mask"),
				broadcast != NULL ? broadcast : "none", text(address, "state"));
		}
		print_counters(to, entry, exact);
	}
}

static const struct show_table interfaces = {
	.command = {
		.name = "interfaces",
		.run = show_run,
		.summary = "Interfaces: type, state, MTU, addresses, counters",
		.operands = "[NAME...]",
		.most = -1,
		.value = CLI_INTERFACE,
		.options = interfaces_options,
		.examples = "strata show interfaces\n"
			    "strata show interfaces st0 --brief     # one of them on a line\n"
			    "strata show interfaces --watch 2       # packets and bytes a second",
	},
	COLUMNS(interfaces_columns),
	WATCHED(interfaces_columns),
	.print = print_interfaces,
	.none = "no interfaces",
	.key = { "name" },
	.match = { "name" },
	.thing = "interface",
};

/* ---- addresses, routes, neighbours, groups ---- */

static const struct show_column addresses_columns[] = {
	{ .title = "INTERFACE", .member = "interface" },
	{ .title = "ADDRESS", .member = "address" },
	{ .title = "PREFIX", .member = "prefix", .right = true },
	{ .title = "MASK", .member = "mask" },
	{ .title = "BROADCAST", .member = "broadcast" },
	{ .title = "STATE", .member = "state", .tone = tone_word },
};
static const struct show_table addresses = {
	.command = {
		.name = "addresses",
		.run = show_run,
		.summary = "Addresses of the interfaces",
		.operands = "[INTERFACE|ADDRESS...]",
		.most = -1,
		.value = CLI_INTERFACE,
		.examples = "strata show addresses\n"
			    "strata show addresses st0     # of one interface",
	},
	COLUMNS(addresses_columns),
	.none = "no addresses",
	.key = { "interface", "address" },
	.match = { "interface", "address" },
	.thing = "interface or address",
};

static const struct show_column routes_columns[] = {
	{ .title = "DESTINATION", .member = "to" },
	{ .title = "VIA", .member = "via" },
	{ .title = "INTERFACE", .member = "interface" },
	{ .title = "SOURCE", .member = "source" },
	{ .title = "METRIC", .member = "metric", .right = true },
	{ .title = "MTU", .member = "mtu", .right = true },
	{ .title = "ORIGIN", .member = "origin" },
};
static const struct show_table routes = {
	.command = {
		.name = "routes",
		.run = show_run,
		.summary = "Where packets go: the longest prefix, then the least metric",
		.operands = "[INTERFACE|PREFIX...]",
		.most = -1,
		.value = CLI_INTERFACE,
		.help = "Origin: `address` comes and goes with an interface's address, `manifest` with the manifest;\n"
			"`added` was added to the running stack, and a reload keeps it.",
		.examples = "strata show routes\n"
			    "strata show routes st0           # through one interface\n"
			    "strata show routes 0.0.0.0/0     # the default route",
	},
	COLUMNS(routes_columns),
	.none = "no routes",
	.key = { "to", "via", "interface", "metric" },
	.match = { "interface", "to", "via" },
	.thing = "interface, destination or gateway",
};

static const struct show_column neighbours_columns[] = {
	{ .title = "ADDRESS", .member = "address" },
	{ .title = "INTERFACE", .member = "interface" },
	{ .title = "MAC", .member = "mac" },
	{ .title = "STATE", .member = "state", .tone = tone_word },
	{ .title = "WAITING", .member = "waiting", .right = true },
	{ .title = "CONFIRMED", .member = "confirmed_ms", .right = true, .format = format_ago },
};
static const struct show_table neighbours = {
	.command = {
		.name = "neighbours",
		.alias = "neighbors",
		.run = show_run,
		.summary = "Link addresses of the hosts on the link",
		.operands = "[INTERFACE|ADDRESS...]",
		.most = -1,
		.value = CLI_INTERFACE,
		.help = "States are RFC 4861's, and FAILED and PERMANENT. Waiting: packets that wait for the answer.",
		.examples = "strata show neighbours\n"
			    "strata show neighbours 192.0.2.1     # one of them\n"
			    "strata show neighbours --watch       # as they come and go",
	},
	COLUMNS(neighbours_columns),
	.none = "no neighbours",
	.key = { "interface", "address" },
	.match = { "interface", "address", "state" },
	.thing = "interface, address or state",
};

static const struct show_column groups_columns[] = {
	{ .title = "INTERFACE", .member = "interface" },
	{ .title = "GROUP", .member = "group" },
	{ .title = "MEMBERS", .member = "members", .right = true },
};
static const struct show_table groups = {
	.command = {
		.name = "groups",
		.run = show_run,
		.summary = "Multicast groups that are listened to",
		.operands = "[INTERFACE...]",
		.most = -1,
		.value = CLI_INTERFACE,
		.examples = "strata show groups\n"
			    "strata show groups st0     # of one interface",
	},
	COLUMNS(groups_columns),
	.none = "no groups",
	.key = { "interface", "group" },
	.match = { "interface", "group" },
	.thing = "interface or group",
};

/* ---- sockets ---- */

static const struct show_column sockets_columns[] = {
	{ .title = "TRANSPORT", .member = "transport" },
	{ .title = "STATE", .member = "state", .tone = tone_word },
	{ .title = "FD", .member = "fd", .right = true },
	{ .title = "RX BYTES", .member = "rx_queue", .right = true, .format = format_size },
	{ .title = "TX BYTES", .member = "tx_queue", .right = true, .format = format_size },
	{ .title = "LOCAL", .member = "local", .format = format_end },
	{ .title = "REMOTE", .member = "remote", .format = format_end },
};
static const struct cli_option sockets_options[] = {
	{ .name = "tcp", .letter = 't', .help = "transport 6" },
	{ .name = "udp", .letter = 'u', .help = "transport 17" },
	{ .name = "listening", .letter = 'l', .help = "those that wait for whoever comes" },
	{ .name = "connected", .letter = 'c', .help = "those that have a remote end" },
	{ .name = "port", .letter = 'p', .argument = "PORT", .value = CLI_NUMBER, .help = "local or remote" },
	{ .name = "details", .letter = 'd', .help = "what the transport knows of each: times, windows, losses" },
	{ .name = NULL },
};

static bool keep_socket(const struct cli *cli, const json_t *entry)
{
	bool tcp = cli_option(cli, "tcp") != NULL, udp = cli_option(cli, "udp") != NULL;
	bool connected = json_is_object(show_member(entry, "remote"));
	const char *port = cli_option(cli, "port");
	uint64_t wanted;

	if ((tcp || udp) && !(tcp && number(entry, "number") == 6) && !(udp && number(entry, "number") == 17))
		return false;
	if (cli_option(cli, "listening") != NULL && connected)
		return false;
	if (cli_option(cli, "connected") != NULL && !connected)
		return false;
	if (port != NULL && cli_number(port, 0, UINT16_MAX, &wanted))
		return (uint64_t)number(entry, "local.port") == wanted ||
		       (uint64_t)number(entry, "remote.port") == wanted;
	return true;
}

static int run_sockets(const struct cli *cli, int argc, char **argv)
{
	const char *port = cli_option(cli, "port");
	uint64_t number;

	if (port != NULL && !cli_number(port, 1, UINT16_MAX, &number))
		return cli_usage_error(cli, "--port: expected 1 to 65535, found '%s'", port);
	return show_run(cli, argc, argv);
}

static const struct show_table sockets = {
	.command = {
		.name = "sockets",
		.run = run_sockets,
		.summary = "Sockets, listeners and connections, as ss(8) has them",
		.operands = "[TRANSPORT|STATE...]",
		.most = -1,
		.value = CLI_MODULE,
		.options = sockets_options,
		.help = "FD: the socket's number in the stack; `-` has no owner, as in TIME-WAIT. RX and TX BYTES wait\n"
			"to be read and to be acknowledged; of a listener, connections that wait for accept(), and\n"
			"how many may.",
		.examples = "strata show sockets\n"
			    "strata show sockets -tl                # TCP's listeners\n"
			    "strata show sockets ESTABLISHED -p 80  # connections of a port\n"
			    "strata show sockets -cd                # round trips, windows, losses of connections\n"
			    "strata show sockets --watch            # as they come and go",
	},
	COLUMNS(sockets_columns),
	.none = "no sockets",
	.key = { "number", "local", "remote", "fd" },
	.match = { "transport", "state" },
	.thing = "transport or state",
	.keep = keep_socket,
	.print = show_details,
	.more = "details",
};

/* ---- counters and drops ---- */

static const struct cli_option zero_options[] = {
	{ .name = "all", .letter = 'a', .help = "those that are 0 as well" },
	{ .name = NULL },
};

static const struct show_column counters_columns[] = {
	{ .title = "MODULE", .member = "module" },
	{ .title = "COUNTER", .member = "counter" },
	{ .title = "VALUE", .member = "value", .right = true, .rate = true },
	{ .title = "MEANING", .member = "help" },
};
static const struct show_table counters = {
	.command = {
		.name = "counters",
		.run = show_run,
		.summary = "What the modules count",
		.operands = "[MODULE|COUNTER...]",
		.most = -1,
		.value = CLI_MODULE,
		.options = zero_options,
		.help = "The module `kernel` is the kernel itself.",
		.examples = "strata show counters               # all that are not 0\n"
			    "strata show counters tcp --all     # one module's, with those that are\n"
			    "strata show counters -w            # how fast they grow",
	},
	COLUMNS(counters_columns),
	.none = "every counter is 0; --all shows them",
	.zero = "value",
	.key = { "module", "counter" },
	.match = { "module", "counter" },
	.thing = "module or counter",
};

static const struct show_column drops_columns[] = {
	{ .title = "MODULE", .member = "module" },
	{ .title = "REASON", .member = "reason" },
	{ .title = "PACKETS", .member = "count", .right = true, .rate = true },
	{ .title = "SEVERITY", .member = "severity", .tone = tone_word },
	{ .title = "MEANING", .member = "text" },
};
static const struct show_table drops = {
	.command = {
		.name = "drops",
		.run = show_run,
		.summary = "Why packets were discarded",
		.operands = "[MODULE|REASON...]",
		.most = -1,
		.value = CLI_MODULE,
		.options = zero_options,
		.examples = "strata show drops              # reasons that happened\n"
			    "strata show drops ipv4 -a      # one module's, with those that did not\n"
			    "strata show drops --watch      # what is being discarded now",
	},
	COLUMNS(drops_columns),
	.none = "no packet was dropped; --all shows the reasons there are",
	.zero = "count",
	.key = { "module", "reason" },
	.match = { "module", "reason", "severity" },
	.thing = "module, reason or severity",
};

/* ---- options ---- */

static const struct show_column options_columns[] = {
	{ .title = "OF", .member = "module", .format = format_owner },
	{ .title = "OPTION", .member = "option" },
	{ .title = "VALUE", .member = "value", .tone = tone_changed },
	{ .title = "DEFAULT", .member = "default" },
	{ .title = "UNIT", .member = "unit" },
	{ .title = "RUNTIME", .member = "runtime" },
	{ .title = "MEANING", .member = "help" },
};
static const struct show_table options = {
	.command = {
		.name = "options",
		.run = show_run,
		.summary = "What modules and interfaces are set to",
		.operands = "[MODULE|INTERFACE|OPTION...]",
		.most = -1,
		.value = CLI_MODULE,
		.help = "Runtime: `strata option set` changes it in the running stack; another takes a reload.",
		.examples = "strata show options tcp      # of a module\n"
			    "strata show options st0      # of an interface\n"
			    "strata show options --json   # all, for programs",
	},
	COLUMNS(options_columns),
	.none = "no options",
	.key = { "module", "interface", "option" },
	.match = { "module", "interface", "option" },
	.thing = "module, interface or option",
};

/* ---- the stack itself ---- */

static void print_version(FILE *to, const struct show_table *table, const json_t *entries, bool exact)
{
	const json_t *entry = json_array_get(entries, 0);
	char memory[64], uptime[64];

	(void)table;
	show_size((double)number(entry, "memory"), exact, memory, sizeof(memory));
	fprintf(to, "version   %s\nstack     %s\nabi       %s\nprotocol  %lld\nmemory    %s%s\n",
		text(entry, "version"), text(entry, "stack"), text(entry, "abi"), number(entry, "protocol"), memory,
		strchr(memory, ' ') != NULL ? "" : " bytes");
	if (show_member(entry, "uptime_ms") == NULL)
		return;
	show_time((uint64_t)number(entry, "uptime_ms"), uptime, sizeof(uptime));
	fprintf(to, "uptime    %s\n", uptime);
}

static const struct show_table version = {
	.command = {
		.name = "version",
		.run = show_run,
		.summary = "The stack itself: versions, memory, uptime",
		.examples = "strata show version\n"
			    "strata show version --watch     # as its memory changes",
	},
	.print = print_version,
	.none = "",
	.thing = "",
};

const struct cli_command *const show_verbs[] = {
	&modules.command,
	&interfaces.command,
	&addresses.command,
	&routes.command,
	&neighbours.command,
	&sockets.command,
	&groups.command,
	&counters.command,
	&drops.command,
	&options.command,
	&version.command,
	NULL,
};
