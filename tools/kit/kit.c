/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `strata module test`: the checks, the command line, and the order in which they are made.
 * strata-module-test(1) is the guide.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kit_int.h"

/* Local choices: what a module of the tree takes some seconds for. */
#define CYCLES 1000
#define PACKETS 4000
#define TIMEOUT 10
#define CYCLES_MOST 1000000
#define PACKETS_MOST 10000000
#define TIMEOUT_MOST 3600

#define LINK (1u << STRATA_LINK)
#define NETWORK (1u << STRATA_NETWORK)
#define TRANSPORT (1u << STRATA_TRANSPORT)
#define CONGESTION (1u << STRATA_CONGESTION)
#define SERVICE (1u << STRATA_SERVICE)
#define RECEIVES (LINK | NETWORK | TRANSPORT)

const struct kit_check kit_checks[] = {
	{ .name = "load", .run = kit_check_load, .raw = true,
	  .summary = "libstrata takes it: binary interface, size, kind, operations, options, symbols" },
	{ .name = "file", .run = kit_check_file, .raw = true,
	  .summary = "a shared object that can be loaded safely and unloaded" },
	{ .name = "symbols", .run = kit_check_symbols, .raw = true,
	  .summary = "exports its descriptor alone, needs nothing but libstrata, libc and its libraries" },
	{ .name = "calls", .run = kit_check_calls, .raw = true,
	  .summary = "calls nothing that is the stack's to do" },
	{ .name = "globals", .run = kit_check_globals, .raw = true,
	  .summary = "has no writable globals" },
	{ .name = "descriptor", .run = kit_check_descriptor,
	  .summary = "name, texts, operations, counters and drop reasons" },
	{ .name = "number", .run = kit_check_number,
	  .summary = "claims a number or name of its own" },
	{ .name = "options", .run = kit_check_options,
	  .summary = "schema: names, places, ranges, defaults, help" },
	{ .name = "start", .run = kit_check_start,
	  .summary = "starts with its defaults, and stops" },
	{ .name = "values", .run = kit_check_values,
	  .summary = "bad values of options are refused with a sentence" },
	{ .name = "bounds", .run = kit_check_bounds,
	  .summary = "starts with the least and the greatest value of each option" },
	{ .name = "runtime", .run = kit_check_runtime,
	  .summary = "options that can be changed at run time are, others are not" },
	{ .name = "cycles", .run = kit_check_cycles,
	  .summary = "loads, starts, stops and unloads without a leak" },
	{ .name = "toggle", .run = kit_check_toggle,
	  .summary = "is disabled and enabled in a running stack" },
	{ .name = "start-memory", .run = kit_check_start_memory,
	  .summary = "a start that fails for want of memory leaves nothing" },
	{ .name = "stacks", .run = kit_check_stacks, .kinds = RECEIVES,
	  .summary = "two stacks in one process share nothing" },
	{ .name = "fuzz", .run = kit_check_fuzz, .kinds = RECEIVES,
	  .summary = "takes any packet: each consumed once and accounted for" },
	{ .name = "truncated", .run = kit_check_truncated, .kinds = RECEIVES,
	  .summary = "reads no byte beyond a packet" },
	{ .name = "fragments", .run = kit_check_fragments, .kinds = RECEIVES,
	  .summary = "a packet in fragments is the same packet" },
	{ .name = "large", .run = kit_check_large, .kinds = RECEIVES,
	  .summary = "takes packets of up to 64 KiB with segmentation state" },
	{ .name = "memory", .run = kit_check_memory, .kinds = RECEIVES,
	  .summary = "an allocation that fails while it works costs a packet, no more" },
	{ .name = "address", .run = kit_check_address, .kinds = NETWORK,
	  .summary = "address operations, quotes and path MTUs" },
	{ .name = "output", .run = kit_check_output, .kinds = NETWORK,
	  .summary = "sends packets of any size and shape" },
	{ .name = "errors", .run = kit_check_errors, .kinds = TRANSPORT,
	  .summary = "takes any error about what it sent" },
	{ .name = "sockets", .run = kit_check_sockets, .kinds = TRANSPORT,
	  .summary = "takes socket calls in any order" },
	{ .name = "xmit", .run = kit_check_xmit, .kinds = LINK,
	  .summary = "sends or drops each packet that it is given" },
	{ .name = "congestion", .run = kit_check_congestion, .kinds = CONGESTION,
	  .summary = "keeps the window within bounds, whatever happens" },
	{ .name = "service", .run = kit_check_service, .kinds = SERVICE,
	  .summary = "takes any request on what it listens on" },
	{ .name = NULL },
};

/* ---- the checks, one after the other ---- */

static const struct kit_check *find_check(const char *name)
{
	const struct kit_check *check;

	for (check = kit_checks; check->name != NULL; check++)
		if (strcmp(check->name, name) == 0)
			return check;
	return NULL;
}

/* The first check that opens the module tells what it is; where it is not among those wanted, it is made
 * without a word. */
static bool is_known(struct kit *kit)
{
	if (!kit->subject->known && kit->only != NULL) {
		kit_child_run(kit, find_check("load"));
		memset(kit->result, 0, sizeof(*kit->result));
	}
	return kit->subject->known;
}

static bool concerns(const struct kit *kit, const struct kit_check *check)
{
	return check->kinds == 0 || !kit->subject->known ||
	       (check->kinds & 1u << kit->subject->kind) != 0;
}

/* Makes one check, or says why not. False: it cannot be for this module, and was not asked for. */
static bool make_check(struct kit *kit, const struct kit_check *check)
{
	bool known = check->raw || is_known(kit);

	memset(kit->result, 0, sizeof(*kit->result));
	if (!concerns(kit, check)) {
		kit_skip(kit, "not for a module of kind %s",
			 strata_kind_name((enum strata_kind)kit->subject->kind));
		return kit->only != NULL;
	}
	if (known)
		kit_child_run(kit, check);
	else
		kit_skip(kit, "the module cannot be opened, see load");
	return known || kit->only != NULL;
}

static int run_checks(struct kit *kit)
{
	struct kit_report report = { .kit = kit };
	size_t size = sizeof(*kit->result) + sizeof(*kit->subject);
	const struct kit_check *check;
	int status;

	kit->result = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (kit->result == MAP_FAILED) {
		cli_error("%s: %s", kit->cli->name, strerror(errno));
		return CLI_FAILURE;
	}
	kit->subject = (struct kit_subject *)(kit->result + 1);
	kit_report_begin(&report);
	for (check = kit_checks; check->name != NULL; check++)
		if ((kit->only == NULL || strcmp(kit->only, check->name) == 0) && make_check(kit, check))
			kit_report_check(&report, check, kit->result);
	status = kit_report_end(&report);
	munmap(kit->result, size);
	return status;
}

/* ---- the command line ---- */

static int list_checks(const struct kit *kit)
{
	static const struct cli_column columns[] = { { "CHECK", false }, { "WHAT", false } };
	json_t *list = json_array();
	struct cli_table *table;
	const struct kit_check *check;

	for (check = kit_checks; check->name != NULL; check++)
		json_array_append_new(list, json_pack("{s:s, s:s}", "check", check->name, "summary",
						      check->summary));
	if (kit->cli->json)
		return cli_print_json(list);
	json_decref(list);
	table = cli_table_new(columns, STRATA_COUNT(columns));
	for (check = kit_checks; check->name != NULL; check++) {
		cli_table_add(table, check->name);
		cli_table_add(table, check->summary);
	}
	cli_table_print(table, "");
	return 0;
}

/* A number given as an option; false: told what is wrong with it. */
static bool take_number(const struct cli *cli, const char *name, uint64_t least, uint64_t most, uint64_t *out)
{
	const char *text = cli_option(cli, name);

	if (text == NULL || cli_number(text, least, most, out))
		return true;
	cli_usage_error(cli, "--%s: expected a number from %" PRIu64 " to %" PRIu64 ", found '%s'", name, least,
			most, text);
	return false;
}

static bool take_check(struct kit *kit)
{
	const char *names[STRATA_COUNT(kit_checks)];
	char hint[96];
	size_t i;

	kit->only = cli_option(kit->cli, "only");
	if (kit->only == NULL || find_check(kit->only) != NULL)
		return true;
	for (i = 0; i < STRATA_COUNT(kit_checks); i++)
		names[i] = kit_checks[i].name;
	cli_usage_error(kit->cli, "--only: no check '%s'%s; --list shows all", kit->only,
			cli_suggestion(kit->only, names, hint, sizeof(hint)));
	return false;
}

/* The values of an option that may be given several times, each "NAME=VALUE". */
static bool take_options(const struct cli *cli, const char *name, const char **list, unsigned int *count)
{
	size_t i;

	for (i = 0; i < cli->given_count; i++) {
		const char *text = cli->given[i].value;

		if (strcmp(cli->given[i].option->name, name) != 0)
			continue;
		if (strchr(text, '=') == NULL || text[0] == '=') {
			cli_usage_error(cli, "--%s: expected NAME=VALUE, found '%s'", name, text);
			return false;
		}
		if (*count == KIT_OPTIONS) {
			cli_usage_error(cli, "--%s: at most %d of them", name, KIT_OPTIONS);
			return false;
		}
		list[(*count)++] = text;
	}
	return true;
}

static bool take_all(struct kit *kit)
{
	const struct cli *cli = kit->cli;
	uint64_t cycles = CYCLES, packets = PACKETS, timeout = TIMEOUT;

	if (!take_number(cli, "seed", 0, INT64_MAX, &kit->seed) ||
	    !take_number(cli, "cycles", 1, CYCLES_MOST, &cycles) ||
	    !take_number(cli, "packets", 1, PACKETS_MOST, &packets) ||
	    !take_number(cli, "timeout", 1, TIMEOUT_MOST, &timeout) || !take_check(kit) ||
	    !take_options(cli, "option", kit->options, &kit->option_count) ||
	    !take_options(cli, "interface-option", kit->iface_options, &kit->iface_option_count))
		return false;
	kit->cycles = (unsigned int)cycles;
	kit->packets = (unsigned int)packets;
	kit->timeout = (unsigned int)timeout;
	kit->in_process = cli_option(cli, "in-process") != NULL;
	if (!kit->in_process || kit->only != NULL)
		return true;
	cli_usage_error(cli, "--in-process is for one check: add --only CHECK");
	return false;
}

static int module_test(const struct cli *cli, int argc, char **argv)
{
	struct kit kit = { .cli = cli, .seed = 1, .trust = geteuid() == 0 };

	if (!take_all(&kit))
		return CLI_USAGE;
	if (cli_option(cli, "list") != NULL)
		return list_checks(&kit);
	if (argc != 1)
		return cli_usage_error(cli, "expected FILE|NAME");
	kit.file = argv[0];
	return run_checks(&kit);
}

static const struct cli_option test_options[] = {
	{ .name = "only", .argument = "CHECK", .help = "make this check alone" },
	{ .name = "seed", .argument = "NUMBER", .value = CLI_NUMBER,
	  .help = "another draws other packets; the same replays them (1)" },
	{ .name = "cycles", .argument = "NUMBER", .value = CLI_NUMBER,
	  .help = "how often it is loaded and unloaded (1000)" },
	{ .name = "packets", .argument = "NUMBER", .value = CLI_NUMBER,
	  .help = "packets of the check fuzz (4000)" },
	{ .name = "timeout", .argument = "SECONDS", .value = CLI_NUMBER,
	  .help = "processor time that one step may take (10)" },
	{ .name = "option", .argument = "NAME=VALUE", .help = "an option of the module; may be repeated" },
	{ .name = "interface-option", .argument = "NAME=VALUE",
	  .help = "an option of its interface; may be repeated" },
	{ .name = "list", .help = "the checks there are" },
	{ .name = "in-process", .help = "with --only: no process of its own, for a debugger" },
	{ .name = NULL },
};

const struct cli_command kit_command = {
	.name = "test",
	.run = module_test,
	.summary = "Test whether a module keeps the rules of modules",
	.operands = "FILE|NAME",
	.least = 0,
	.most = 1,
	.value = CLI_MODULE_FILE,
	.options = test_options,
	.help = "Each check runs in a process and, where the system allows it, in a network of its own;\n"
		"no stack need run, and no right is needed. Exit status 0: all that could be checked is\n"
		"well; 1: something is not. strata-module-test(1) explains the checks.",
	.examples = "strata module test ./rudp.so                     # all checks, some seconds\n"
		    "strata module test ./rudp.so --only fuzz --seed 7\n"
		    "strata module test ./rudp.so --json              # for programs\n"
		    "strata module test --list                        # what is checked",
};
