/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Subcommands that change a running stack: options, addresses, routes, neighbours, interfaces, in the words of ip(8).
 * Who says nothing has done it.
 */
#include <string.h>
#include "strata_cli.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS(list) .words = list, .word_count = COUNT(list)

/* Sends a request; what it returns is for programs alone. */
static int change(const struct cli *cli, json_t *request)
{
	json_t *result = cli_call(cli, request);

	if (result == NULL)
		return CLI_FAILURE;
	if (cli->json)
		return cli_print_json(result);
	json_decref(result);
	return 0;
}

/* The request of a command's words. NULL having told why. */
static json_t *request_of(const struct cli *cli, const char *method, int argc, char **argv)
{
	json_t *request = json_pack("{s:s}", "method", method);

	if (request == NULL) {
		cli_error("out of memory");
		return NULL;
	}
	if (cli_words(cli, argc, argv, request))
		return request;
	json_decref(request);
	return NULL;
}

static int change_by_words(const struct cli *cli, const char *method, int argc, char **argv)
{
	json_t *request = request_of(cli, method, argc, argv);

	return request != NULL ? change(cli, request) : CLI_USAGE;
}

/* ---- option ---- */

static int option_get(const struct cli *cli, int argc, char **argv)
{
	json_t *result = cli_call(cli, json_pack("{s:s, s:s}", "method", "option.get", "name", argv[0]));
	const char *value = json_string_value(json_object_get(result, "value"));

	(void)argc;
	if (result == NULL)
		return CLI_FAILURE;
	if (cli->json)
		return cli_print_json(result);
	puts(value != NULL ? value : "");
	json_decref(result);
	return 0;
}

static int option_set(const struct cli *cli, int argc, char **argv)
{
	const char *value = argc == 2 ? argv[1] : strchr(argv[0], '=');
	size_t length = strcspn(argv[0], "=");

	if (value == NULL)
		return cli_usage_error(cli, "expected a value for %s", argv[0]);
	if (argc == 1)
		value++;
	else
		length = strlen(argv[0]);
	return change(cli, json_pack("{s:s, s:s%, s:s}", "method", "option.set", "name", argv[0], length,
				     "value", value));
}

static int option_list(const struct cli *cli, int argc, char **argv)
{
	return cli_show_table(cli, "options", argc, argv);
}

static const struct cli_command command_option_get = {
	.name = "get",
	.run = option_get,
	.summary = "Print an option's value",
	.operands = "MODULE.OPTION",
	.least = 1,
	.most = 1,
	.value = CLI_OPTION,
	.examples = "strata option get tcp.congestion\n"
		    "strata option get stack.log     # the log level",
};
static const struct cli_command command_option_set = {
	.name = "set",
	.shortest = "set",
	.run = option_set,
	.summary = "Change an option of the running stack",
	.operands = "MODULE.OPTION VALUE",
	.least = 1,
	.most = 2,
	.value = CLI_OPTION,
	.help = "Until the next reload, which makes it what the manifest says. Connections that there are\n"
		"already mostly keep what they began with.",
	.examples = "strata option set tcp.sack off\n"
		    "strata option set ipv4.ttl=32          # the same in one word\n"
		    "strata option set tcp.log debug        # what a module logs\n"
		    "strata option set stack.log warning    # what all of them log",
};
static const struct cli_command command_option_list = {
	.name = "list",
	.alias = "show",
	.run = option_list,
	.summary = "Options of modules and interfaces, with their values",
	.operands = "[MODULE|INTERFACE|OPTION...]",
	.most = -1,
	.value = CLI_MODULE,
	.examples = "strata option list tcp      # of a module\n"
		    "strata option list --json   # all, for programs",
};
static const struct cli_command *const option_verbs[] = {
	&command_option_list,
	&command_option_get,
	&command_option_set,
	NULL,
};
const struct cli_command cli_command_option = {
	.name = "option",
	.run = option_list,
	.summary = "Options of the running stack",
	.verbs = option_verbs,
	.examples = "strata option list tcp\n"
		    "strata option set tcp.sack off",
};

/* ---- address ---- */

static const struct cli_word address_words[] = {
	{ .argument = "ADDRESS/LENGTH", .member = "address", .required = true },
	{ .word = "dev", .argument = "INTERFACE", .member = "interface", .value = CLI_INTERFACE, .required = true },
};

static int address_add(const struct cli *cli, int argc, char **argv)
{
	return change_by_words(cli, "address.add", argc, argv);
}

static int address_delete(const struct cli *cli, int argc, char **argv)
{
	return change_by_words(cli, "address.remove", argc, argv);
}

static int address_show(const struct cli *cli, int argc, char **argv)
{
	return cli_show_table(cli, "addresses", argc, argv);
}

static const struct cli_command command_address_add = {
	.name = "add",
	.shortest = "add",
	.run = address_add,
	.summary = "Give an interface an address",
	WORDS(address_words),
	.most = -1,
	.help = "The route to its prefix comes with it.",
	.examples = "strata address add 192.0.2.9/24 dev st0\n"
		    "strata addr add 198.51.100.1/32 dev lo     # cut short",
};
static const struct cli_command command_address_delete = {
	.name = "delete",
	.alias = "remove",
	.shortest = "del",
	.run = address_delete,
	.summary = "Take an address from an interface",
	WORDS(address_words),
	.most = -1,
	.help = "Connections that use it end.",
	.examples = "strata address delete 192.0.2.9/24 dev st0\n"
		    "strata address del 198.51.100.1/32 dev lo     # cut short",
};
static const struct cli_command command_address_show = {
	.name = "show",
	.alias = "list",
	.run = address_show,
	.summary = "The same as `strata show addresses`",
	.operands = "[INTERFACE|ADDRESS...]",
	.most = -1,
	.value = CLI_INTERFACE,
	.examples = "strata address show\n"
		    "strata address show st0",
};
static const struct cli_command *const address_verbs[] = {
	&command_address_add,
	&command_address_delete,
	&command_address_show,
	NULL,
};
const struct cli_command cli_command_address = {
	.name = "address",
	.run = address_show,
	.summary = "Addresses of the running stack",
	.verbs = address_verbs,
	.examples = "strata address add 192.0.2.9/24 dev st0\n"
		    "strata address delete 192.0.2.9/24 dev st0",
};

/* ---- route ---- */

static const struct cli_word route_words[] = {
	{ .alias = "to", .argument = "PREFIX", .member = "to", .required = true },
	{ .word = "via", .argument = "GATEWAY", .member = "via" },
	{ .word = "dev", .argument = "INTERFACE", .member = "interface", .value = CLI_INTERFACE },
	{ .word = "src", .argument = "ADDRESS", .member = "src" },
	{ .word = "metric", .argument = "NUMBER", .member = "metric", .value = CLI_NUMBER },
	{ .word = "mtu", .argument = "BYTES", .member = "mtu", .value = CLI_NUMBER },
	{ .word = "congestion", .argument = "MODULE", .member = "congestion", .value = CLI_MODULE },
};

/* `default` is the prefix of all addresses of the gateway's family. */
static int change_route(const struct cli *cli, const char *method, int argc, char **argv)
{
	json_t *request = request_of(cli, method, argc, argv);
	const char *to = json_string_value(json_object_get(request, "to"));
	const char *via = json_string_value(json_object_get(request, "via"));

	if (request == NULL)
		return CLI_USAGE;
	if (strcmp(to, "default") == 0)
		json_object_set_new(request, "to", json_string(via != NULL && strchr(via, ':') != NULL ?
							       "::/0" : "0.0.0.0/0"));
	return change(cli, request);
}

static int route_add(const struct cli *cli, int argc, char **argv)
{
	return change_route(cli, "route.add", argc, argv);
}

static int route_delete(const struct cli *cli, int argc, char **argv)
{
	return change_route(cli, "route.remove", argc, argv);
}

static int route_show(const struct cli *cli, int argc, char **argv)
{
	return cli_show_table(cli, "routes", argc, argv);
}

static const struct cli_command command_route_add = {
	.name = "add",
	.shortest = "add",
	.run = route_add,
	.summary = "Add a route",
	WORDS(route_words),
	.most = -1,
	.help = "PREFIX `default` is all addresses. A gateway, an interface, or both must be named. Of two\n"
		"routes of one length the lower metric is taken.",
	.examples = "strata route add 203.0.113.0/24 via 192.0.2.1\n"
		    "strata route add default via 192.0.2.1 metric 10\n"
		    "strata route add 198.51.100.0/24 dev st0 mtu 1400 src 192.0.2.2",
};
static const struct cli_command command_route_delete = {
	.name = "delete",
	.alias = "remove",
	.shortest = "del",
	.run = route_delete,
	.summary = "Remove a route",
	WORDS(route_words),
	.most = -1,
	.help = "Named as it was added: with its gateway, interface and metric.",
	.examples = "strata route delete 203.0.113.0/24 via 192.0.2.1\n"
		    "strata route del default via 192.0.2.1 metric 10     # cut short",
};
static const struct cli_command command_route_show = {
	.name = "show",
	.alias = "list",
	.run = route_show,
	.summary = "The same as `strata show routes`",
	.operands = "[INTERFACE|PREFIX...]",
	.most = -1,
	.value = CLI_INTERFACE,
	.examples = "strata route show\n"
		    "strata route show st0",
};
static const struct cli_command *const route_verbs[] = {
	&command_route_add,
	&command_route_delete,
	&command_route_show,
	NULL,
};
const struct cli_command cli_command_route = {
	.name = "route",
	.run = route_show,
	.summary = "Routes of the running stack",
	.verbs = route_verbs,
	.examples = "strata route add 203.0.113.0/24 via 192.0.2.1\n"
		    "strata route delete 203.0.113.0/24 via 192.0.2.1",
};

/* ---- neighbour ---- */

static const struct cli_word neighbour_add_words[] = {
	{ .argument = "ADDRESS", .member = "address", .required = true },
	{ .word = "lladdr", .alias = "mac", .argument = "MAC", .member = "mac", .required = true },
	{ .word = "dev", .argument = "INTERFACE", .member = "interface", .value = CLI_INTERFACE, .required = true },
};
static const struct cli_word neighbour_delete_words[] = {
	{ .argument = "ADDRESS", .member = "address", .required = true },
	{ .word = "dev", .argument = "INTERFACE", .member = "interface", .value = CLI_INTERFACE, .required = true },
};

static int neighbour_add(const struct cli *cli, int argc, char **argv)
{
	return change_by_words(cli, "neighbour.add", argc, argv);
}

static int neighbour_delete(const struct cli *cli, int argc, char **argv)
{
	return change_by_words(cli, "neighbour.remove", argc, argv);
}

static int neighbour_show(const struct cli *cli, int argc, char **argv)
{
	return cli_show_table(cli, "neighbours", argc, argv);
}

static const struct cli_command command_neighbour_add = {
	.name = "add",
	.shortest = "add",
	.run = neighbour_add,
	.summary = "Set a neighbour's link address for good",
	WORDS(neighbour_add_words),
	.most = -1,
	.help = "It is PERMANENT: nobody is asked, and what comes in does not change it.",
	.examples = "strata neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev st0\n"
		    "strata neigh add 192.0.2.7 lladdr 02:00:00:00:00:07 dev st0     # cut short",
};
static const struct cli_command command_neighbour_delete = {
	.name = "delete",
	.alias = "remove",
	.shortest = "del",
	.run = neighbour_delete,
	.summary = "Forget a neighbour",
	WORDS(neighbour_delete_words),
	.most = -1,
	.examples = "strata neighbour delete 192.0.2.1 dev st0\n"
		    "strata neigh del 192.0.2.7 dev st0     # cut short",
};
static const struct cli_command command_neighbour_show = {
	.name = "show",
	.alias = "list",
	.run = neighbour_show,
	.summary = "The same as `strata show neighbours`",
	.operands = "[INTERFACE|ADDRESS...]",
	.most = -1,
	.value = CLI_INTERFACE,
	.examples = "strata neighbour show\n"
		    "strata neighbour show st0",
};
static const struct cli_command *const neighbour_verbs[] = {
	&command_neighbour_add,
	&command_neighbour_delete,
	&command_neighbour_show,
	NULL,
};
const struct cli_command cli_command_neighbour = {
	.name = "neighbour",
	.alias = "neighbor",
	.run = neighbour_show,
	.summary = "Neighbours of the running stack",
	.verbs = neighbour_verbs,
	.examples = "strata neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev st0\n"
		    "strata neighbour delete 192.0.2.1 dev st0",
};

/* ---- interface ---- */

static const struct cli_word interface_words[] = {
	{ .alias = "dev", .argument = "INTERFACE", .member = "name", .value = CLI_INTERFACE, .required = true },
	{ .word = "up", .member = "up", .truth = true },
	{ .word = "down", .member = "up", .truth = false },
	{ .word = "mtu", .argument = "BYTES", .member = "mtu", .value = CLI_NUMBER },
};

static int interface_set(const struct cli *cli, int argc, char **argv)
{
	json_t *request = request_of(cli, "interface.set", argc, argv);

	if (request == NULL)
		return CLI_USAGE;
	if (json_object_get(request, "up") == NULL && json_object_get(request, "mtu") == NULL) {
		json_decref(request);
		return cli_usage_error(cli, "expected up, down or mtu BYTES");
	}
	return change(cli, request);
}

static int interface_show(const struct cli *cli, int argc, char **argv)
{
	return cli_show_table(cli, "interfaces", argc, argv);
}

static const struct cli_command command_interface_set = {
	.name = "set",
	.shortest = "set",
	.run = interface_set,
	.summary = "Open or close an interface, or change its MTU",
	WORDS(interface_words),
	.most = -1,
	.help = "Down: its device is closed; its addresses and routes stay.",
	.examples = "strata interface set st0 down\n"
		    "strata interface set st0 up\n"
		    "strata interface set st0 mtu 1400",
};
static const struct cli_command command_interface_show = {
	.name = "show",
	.alias = "list",
	.run = interface_show,
	.summary = "The same as `strata show interfaces`",
	.operands = "[NAME...]",
	.most = -1,
	.value = CLI_INTERFACE,
	.examples = "strata interface show\n"
		    "strata interface show st0",
};
static const struct cli_command *const interface_verbs[] = {
	&command_interface_set,
	&command_interface_show,
	NULL,
};
const struct cli_command cli_command_interface = {
	.name = "interface",
	.run = interface_show,
	.summary = "Interfaces of the running stack",
	.verbs = interface_verbs,
	.examples = "strata interface set st0 down\n"
		    "strata interface set st0 mtu 1400",
};

/* ---- module, of the running stack ---- */

static int change_module(const struct cli *cli, const char *method, char **argv)
{
	return change(cli, json_pack("{s:s, s:s}", "method", method, "name", argv[0]));
}

static int module_enable(const struct cli *cli, int argc, char **argv)
{
	(void)argc;
	return change_module(cli, "module.enable", argv);
}

static int module_disable(const struct cli *cli, int argc, char **argv)
{
	(void)argc;
	return change_module(cli, "module.disable", argv);
}

static int module_unload(const struct cli *cli, int argc, char **argv)
{
	(void)argc;
	return change_module(cli, "module.unload", argv);
}

static const struct cli_word load_words[] = {
	{ .argument = "NAME", .member = "name", .value = CLI_MODULE_FILE, .required = true },
	{ .word = "file", .argument = "FILE", .member = "file", .value = CLI_FILE },
	{ .word = "number", .argument = "NUMBER", .member = "number", .value = CLI_NUMBER },
	{ .word = "option", .argument = "OPTION=VALUE", .member = "options" },
};

/* Takes the "option KEY=VALUE" pairs out of the operands into the request. Returns false having told why. */
static bool take_settings(const struct cli *cli, int *argc, char **argv, json_t *options)
{
	int i, left = 0;

	for (i = 0; i < *argc; i++) {
		size_t length;

		if (strcmp(argv[i], "option") != 0) {
			argv[left++] = argv[i];
			continue;
		}
		length = i + 1 < *argc ? strcspn(argv[i + 1], "=") : 0;
		if (length == 0 || argv[i + 1][length] == '\0') {
			cli_usage_error(cli, "option: expected OPTION=VALUE");
			return false;
		}
		i++;
		argv[i][length] = '\0';
		if (json_object_set_new(options, argv[i], json_string(argv[i] + length + 1)) != 0) {
			cli_usage_error(cli, "option: '%s' is not UTF-8", argv[i]);
			return false;
		}
	}
	*argc = left;
	return true;
}

static int module_load(const struct cli *cli, int argc, char **argv)
{
	json_t *options = json_object(), *request;

	if (!take_settings(cli, &argc, argv, options)) {
		json_decref(options);
		return CLI_USAGE;
	}
	request = request_of(cli, "module.load", argc, argv);
	if (request == NULL) {
		json_decref(options);
		return CLI_USAGE;
	}
	if (json_object_size(options) != 0)
		json_object_set(request, "options", options);
	json_decref(options);
	return change(cli, request);
}

const struct cli_command cli_command_module_enable = {
	.name = "enable",
	.shortest = "enable",
	.run = module_enable,
	.summary = "Start a module that was disabled, or is not enabled in the manifest",
	.operands = "NAME",
	.least = 1,
	.most = 1,
	.value = CLI_MODULE,
	.examples = "strata module enable udp\n"
		    "strata show modules udp     # what became of it",
};
const struct cli_command cli_command_module_disable = {
	.name = "disable",
	.shortest = "disable",
	.run = module_disable,
	.summary = "Stop a module: its sockets end with an error, all else goes on",
	.operands = "NAME",
	.least = 1,
	.most = 1,
	.value = CLI_MODULE,
	.help = "Its counters and options are kept for when it is enabled again. Refused while an interface or\n"
		"another module needs it by name; these are named.",
	.examples = "strata module disable udp\n"
		    "strata reload --dry-run        # what would bring it back",
};
const struct cli_command cli_command_module_load = {
	.name = "load",
	.shortest = "load",
	.run = module_load,
	.summary = "Load and start a module that the manifest does not have",
	WORDS(load_words),
	.most = -1,
	.help = "FILE and NUMBER are what the module path and the module itself say when left out; `option`\n"
		"may be given again and again. The file is read by the daemon: name it as it sees it.",
	.examples = "strata module load udp\n"
		    "strata module load rudp file /usr/local/lib/strata/modules/rudp.so number 253\n"
		    "strata module load echo option udp=7 option tcp=7",
};
const struct cli_command cli_command_module_unload = {
	.name = "unload",
	.shortest = "unload",
	.run = module_unload,
	.summary = "Stop a module and forget it",
	.operands = "NAME",
	.least = 1,
	.most = 1,
	.value = CLI_MODULE,
	.help = "Its options and counters go too. Refused while an interface or another module needs it by name.",
	.examples = "strata module unload rudp\n"
		    "strata module disable rudp     # to stop it only",
};
