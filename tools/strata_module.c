/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata module` and `strata check`: module files and manifests, without a running stack. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <strata/embed.h>
#include "strata_cli.h"

/* ---- a descriptor in words ---- */

static const char *option_type(const struct strata_option *option)
{
	static const char *const types[] = {
		[STRATA_OPT_BOOL] = "bool",
		[STRATA_OPT_UINT] = "number",
		[STRATA_OPT_SIZE] = "size",
		[STRATA_OPT_TIME] = "time",
		[STRATA_OPT_CHANCE] = "chance",
		[STRATA_OPT_STRING] = "text",
		[STRATA_OPT_CHOICE] = "choice",
		[STRATA_OPT_PREFIX] = "prefix",
		[STRATA_OPT_LLADDR] = "mac",
		[STRATA_OPT_LIST] = "list",
		[STRATA_OPT_MODULE] = "module",
	};

	return (size_t)option->type < STRATA_COUNT(types) ? types[option->type] : "?";
}

/* A number with the largest unit of its type that it is a multiple of. */
static void format_value(const struct strata_option *option, uint64_t value, char *buf, size_t size)
{
	static const struct unit {
		uint64_t factor;
		const char *name;
	} sizes[] = { { 1 << 30, "GiB" }, { 1 << 20, "MiB" }, { 1 << 10, "KiB" }, { 1, "" } },
	  times[] = { { 60 * STRATA_SEC, "min" }, { STRATA_SEC, "s" }, { STRATA_MS, "ms" },
		      { STRATA_US, "us" }, { 1, "ns" } };
	const struct unit *unit = option->type == STRATA_OPT_TIME ? times : sizes;

	if (option->type == STRATA_OPT_UINT || value == 0) {
		snprintf(buf, size, "%" PRIu64, value);
		return;
	}
	while (value % unit->factor != 0)
		unit++;
	snprintf(buf, size, "%" PRIu64 "%s", value / unit->factor, unit->name);
}

static void option_range(const struct strata_option *option, char *buf, size_t size)
{
	const char *const *choice;
	char low[32], high[32];
	size_t length = 0;

	snprintf(buf, size, "-");
	if (option->type == STRATA_OPT_BOOL)
		snprintf(buf, size, "true, false");
	if (option->type == STRATA_OPT_CHANCE)
		snprintf(buf, size, "0 to 100%%");
	if (option->type == STRATA_OPT_CHOICE) {
		for (choice = option->choices; *choice != NULL && length < size; choice++)
			length += (size_t)snprintf(buf + length, size - length, "%s%s",
						   length != 0 ? ", " : "", *choice);
	} else if (option->min != 0 || option->max != 0) {
		format_value(option, option->min, low, sizeof(low));
		format_value(option, option->max, high, sizeof(high));
		snprintf(buf, size, "%s to %s", low, high);
	}
}

static bool is_numbered(const struct strata_module *module)
{
	return module->kind == STRATA_NETWORK || module->kind == STRATA_TRANSPORT;
}

static void format_number(const struct strata_module *module, char *buf, size_t size)
{
	if (!is_numbered(module))
		snprintf(buf, size, "-");
	else
		snprintf(buf, size, module->kind == STRATA_NETWORK ? "0x%04" PRIx32 : "%" PRIu32,
			 module->number);
}

static void format_dependency(const struct strata_dependency *need, char *buf, size_t size)
{
	const char *kind = strata_kind_name(need->kind), *optional = need->optional ? " (optional)" : "";

	if (need->name != NULL)
		snprintf(buf, size, "%s %s%s", kind, need->name, optional);
	else
		snprintf(buf, size, need->kind == STRATA_NETWORK ? "%s 0x%04" PRIx32 "%s" :
			 "%s %" PRIu32 "%s", kind, need->number, optional);
}

/* ---- for people ---- */

static void print_options(const char *title, const struct strata_option *options, size_t count)
{
	static const struct cli_column columns[] = {
		{ "OPTION", false }, { "TYPE", false }, { "DEFAULT", false }, { "RANGE", false },
		{ "UNIT", false }, { "RUNTIME", false }, { "MEANING", false },
	};
	struct cli_table *table;
	char range[256];
	size_t i;

	if (count == 0)
		return;
	printf("\n%s\n", title);
	table = cli_table_new(columns, STRATA_COUNT(columns));
	for (i = 0; i < count; i++) {
		option_range(&options[i], range, sizeof(range));
		cli_table_add(table, options[i].name);
		cli_table_add(table, option_type(&options[i]));
		cli_table_add(table, options[i].required ? "(required)" : options[i].fallback);
		cli_table_add(table, range);
		cli_table_add(table, options[i].unit);
		cli_table_add(table, options[i].runtime ? "yes" : "no");
		cli_table_add(table, options[i].help);
	}
	cli_table_print(table, "");
}

static void print_counters(const struct strata_module *module)
{
	static const struct cli_column columns[] = {
		{ "COUNTER", false }, { "MIB OBJECT", false }, { "MEANING", false },
	};
	struct cli_table *table;
	size_t i;

	if (module->counter_count == 0)
		return;
	puts("");
	table = cli_table_new(columns, STRATA_COUNT(columns));
	for (i = 0; i < module->counter_count; i++) {
		cli_table_add(table, module->counters[i].name);
		cli_table_add(table, module->counters[i].mib);
		cli_table_add(table, module->counters[i].help);
	}
	cli_table_print(table, "");
}

static const char *severity_name(enum strata_severity severity)
{
	static const char *const names[] = {
		[STRATA_SEVERITY_INFO] = "info",
		[STRATA_SEVERITY_WARNING] = "warning",
		[STRATA_SEVERITY_ERROR] = "error",
	};

	return (size_t)severity < STRATA_COUNT(names) ? names[severity] : "?";
}

/* A reason's SYMBOL as programs see it. */
static const char *reason_name(const struct strata_drop_def *drop, char *buf, size_t size)
{
	size_t i;

	for (i = 0; drop->name[i] != '\0' && i < size - 1; i++)
		buf[i] = (char)(drop->name[i] >= 'A' && drop->name[i] <= 'Z' ?
				drop->name[i] - 'A' + 'a' : drop->name[i]);
	buf[i] = '\0';
	return buf;
}

static void print_drops(const struct strata_module *module)
{
	static const struct cli_column columns[] = {
		{ "DROP REASON", false }, { "SEVERITY", false }, { "MIB OBJECT", false },
		{ "MEANING", false },
	};
	struct cli_table *table;
	char name[64];
	size_t i;

	if (module->drop_count == 0)
		return;
	puts("");
	table = cli_table_new(columns, STRATA_COUNT(columns));
	for (i = 0; i < module->drop_count; i++) {
		cli_table_add(table, reason_name(&module->drops[i], name, sizeof(name)));
		cli_table_add(table, severity_name(module->drops[i].severity));
		cli_table_add(table, module->drops[i].mib);
		cli_table_add(table, module->drops[i].text);
	}
	cli_table_print(table, "");
}

static bool dependency_ends(const struct strata_dependency *need)
{
	return need->name == NULL && need->number == 0;
}

static void print_info(const struct strata_module *module, const char *path)
{
	const struct strata_dependency *need = module->depends;
	const char *const *feature = module->provides;
	char buf[128];

	format_number(module, buf, sizeof(buf));
	printf("name      %s\nkind      %s\nnumber    %s\nversion   %s\nsummary   %s\nabi       %u.%u\n"
	       "file      %s\n", module->name, strata_kind_name((enum strata_kind)module->kind), buf,
	       module->version, module->summary, module->abi_major, module->abi_minor, path);
	printf("depends   ");
	if (need == NULL || dependency_ends(need))
		printf("on nothing");
	for (; need != NULL && !dependency_ends(need); need++) {
		format_dependency(need, buf, sizeof(buf));
		printf("%s%s", need != module->depends ? ", " : "", buf);
	}
	printf("\nprovides  ");
	if (feature == NULL || *feature == NULL)
		printf("-");
	for (; feature != NULL && *feature != NULL; feature++)
		printf("%s%s", feature != module->provides ? ", " : "", *feature);
	putchar('\n');
	print_options("Options of the module", module->options, module->option_count);
	print_options("Options of an interface", module->iface_options, module->iface_option_count);
	print_counters(module);
	print_drops(module);
}

/* ---- for programs ---- */

static json_t *json_text(const char *text)
{
	return text != NULL ? json_string(text) : json_null();
}

static json_t *json_options(const struct strata_option *options, size_t count)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < count; i++) {
		const struct strata_option *option = &options[i];
		const char *const *choice = option->choices;
		json_t *choices = json_array(), *entry;

		for (; choice != NULL && *choice != NULL; choice++)
			json_array_append_new(choices, json_string(*choice));
		entry = json_pack("{s:s, s:s, s:o, s:o, s:o, s:b, s:b, s:o}",
			"name", option->name, "type", option_type(option),
			"default", json_text(option->fallback), "unit", json_text(option->unit),
			"choices", choices, "runtime", (int)option->runtime,
			"required", (int)option->required, "help", json_text(option->help));
		if (option->min != 0 || option->max != 0) {
			json_object_set_new(entry, "min", json_integer((json_int_t)option->min));
			json_object_set_new(entry, "max", option->max > INT64_MAX ? json_null() :
					    json_integer((json_int_t)option->max));
		}
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *json_depends(const struct strata_module *module)
{
	const struct strata_dependency *need = module->depends;
	json_t *list = json_array();

	for (; need != NULL && !dependency_ends(need); need++)
		json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:b}",
			"kind", strata_kind_name(need->kind), "name", json_text(need->name),
			"number", need->name != NULL ? json_null() : json_integer(need->number),
			"optional", (int)need->optional));
	return list;
}

static json_t *json_reasons(const struct strata_module *module)
{
	json_t *list = json_array();
	char name[64];
	size_t i;

	for (i = 0; i < module->drop_count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:o}",
			"name", reason_name(&module->drops[i], name, sizeof(name)),
			"severity", severity_name(module->drops[i].severity),
			"mib", json_text(module->drops[i].mib),
			"text", json_text(module->drops[i].text)));
	return list;
}

static json_t *json_info(const struct strata_module *module, const char *path)
{
	const char *const *feature = module->provides;
	json_t *counters = json_array(), *provides = json_array();
	size_t i;

	for (i = 0; i < module->counter_count; i++)
		json_array_append_new(counters, json_pack("{s:s, s:o, s:o}",
			"name", module->counters[i].name, "mib", json_text(module->counters[i].mib),
			"help", json_text(module->counters[i].help)));
	for (; feature != NULL && *feature != NULL; feature++)
		json_array_append_new(provides, json_string(*feature));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}",
		"name", module->name, "kind", strata_kind_name((enum strata_kind)module->kind),
		"number", is_numbered(module) ? json_integer(module->number) : json_null(),
		"version", json_text(module->version), "summary", json_text(module->summary),
		"abi", json_sprintf("%u.%u", module->abi_major, module->abi_minor), "file", path,
		"depends", json_depends(module), "provides", provides,
		"options", json_options(module->options, module->option_count),
		"interface_options", json_options(module->iface_options, module->iface_option_count),
		"counters", counters, "drops", json_reasons(module));
}

/* ---- strata module ---- */

/* Opens a module, by the daemon's rule of trust: what runs as root trusts root's files. Tells the faults. */
static struct strata_module_file *open_module(const struct cli *cli, const char *name)
{
	struct strata_error error = { 0 };
	struct strata_module_file *file = geteuid() == 0 ?
		strata_module_open_trusted(name, cli->module_path, &error) :
		strata_module_open(name, cli->module_path, &error);

	if (file == NULL)
		fputs(strata_error_text(&error), stderr);
	strata_error_clear(&error);
	return file;
}

static int tell_info(const struct cli *cli, const char *name)
{
	struct strata_module_file *file = open_module(cli, name);
	int status = 0;

	if (file == NULL)
		return CLI_FAILURE;
	if (cli->json)
		status = cli_print_json(json_info(strata_module_of(file), strata_module_path(file)));
	else
		print_info(strata_module_of(file), strata_module_path(file));
	strata_module_close(file);
	return status;
}

/* Opening a file runs its constructors, and reading one that is damaged may fault: so another process does it,
 * and this one is left to tell. */
static int module_info(const struct cli *cli, int argc, char **argv)
{
	int status = 0;
	pid_t pid;

	(void)argc;
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		status = tell_info(cli, argv[0]);
		fflush(NULL);
		_exit(status);
	}
	if (pid < 0)
		return tell_info(cli, argv[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	cli_error("module \"%s\": opening it ended with signal %d (%s); build or install the module again",
		  argv[0], WTERMSIG(status), strsignal(WTERMSIG(status)));
	return CLI_FAILURE;
}

/** A list of modules being put together. */
struct listing {
	const struct cli *cli;
	struct cli_table *table;	/* for people, or: */
	json_t *json;
	unsigned int faults;
};

static void list_module(void *ctx, const char *name)
{
	struct listing *listing = ctx;
	struct strata_module_file *file = open_module(listing->cli, name);
	const struct strata_module *module;
	char number[16];

	if (file == NULL) {
		listing->faults++;
		return;
	}
	module = strata_module_of(file);
	if (listing->json != NULL) {
		json_array_append_new(listing->json, json_pack("{s:s, s:s, s:o, s:o, s:o, s:s}",
			"name", name, "kind", strata_kind_name((enum strata_kind)module->kind),
			"number", is_numbered(module) ? json_integer(module->number) : json_null(),
			"version", json_text(module->version), "summary", json_text(module->summary),
			"file", strata_module_path(file)));
	} else {
		format_number(module, number, sizeof(number));
		cli_table_add(listing->table, name);
		cli_table_add(listing->table, strata_kind_name((enum strata_kind)module->kind));
		cli_table_add(listing->table, number);
		cli_table_add(listing->table, module->version);
		cli_table_add(listing->table, module->summary);
	}
	strata_module_close(file);
}

static int module_list(const struct cli *cli, int argc, char **argv)
{
	static const struct cli_column columns[] = {
		{ "NAME", false }, { "KIND", false }, { "NUMBER", true }, { "VERSION", false },
		{ "SUMMARY", false },
	};
	struct listing listing = { .cli = cli };
	char path[PATH_MAX];
	int result;

	(void)argc;
	(void)argv;
	if (cli->json)
		listing.json = json_array();
	else
		listing.table = cli_table_new(columns, STRATA_COUNT(columns));
	result = strata_module_list(cli->module_path, list_module, &listing);
	if (result < 0)
		cli_error("module path %s: %s", cli->module_path != NULL ? cli->module_path :
			  strata_default_module_path(path, sizeof(path)), strerror(-result));
	if (cli->json)
		cli_print_json(listing.json);
	else
		cli_table_print(listing.table, "no modules on the module path");
	return result < 0 || listing.faults != 0 ? CLI_FAILURE : 0;
}

static const struct cli_command command_info = {
	.name = "info",
	.run = module_info,
	.summary = "What a module is: its options, counters and drop reasons",
	.operands = "NAME|FILE",
	.least = 1,
	.most = 1,
	.value = CLI_MODULE_FILE,
	.help = "All of it is read from the module itself; no stack need run.",
	.examples = "strata module info tcp           # on the module path\n"
		    "strata module info ./rudp.so     # a file\n"
		    "strata module info udp --json    # for programs",
};

static const struct cli_command command_list = {
	.name = "list",
	.run = module_list,
	.summary = "The modules on the module path",
	.examples = "strata module list\n"
		    "strata module list --module-path /usr/local/lib/strata/modules",
};

static const struct cli_command *const verbs[] = {
	&command_info,
	&command_list,
	&cli_command_module_enable,
	&cli_command_module_disable,
	&cli_command_module_load,
	&cli_command_module_unload,
	&kit_command,
	NULL,
};

const struct cli_command cli_command_module = {
	.name = "module",
	.summary = "Modules: on the module path, and in the running stack",
	.verbs = verbs,
	.examples = "strata module list          # what could be loaded\n"
		    "strata module info tcp      # what a module can be told",
};

/* ---- strata check ---- */

/* The faults as a list, a sentence each. */
static json_t *json_faults(const struct strata_error *error)
{
	const char *line = strata_error_text(error);
	json_t *list = json_array();

	while (*line != '\0') {
		size_t length = strcspn(line, "\n");
		json_t *fault = json_stringn(line, length);

		json_array_append_new(list, fault != NULL ? fault : json_string("(not UTF-8)"));
		line += length + (line[length] == '\n');
	}
	return list;
}

static int run_check(const struct cli *cli, int argc, char **argv)
{
	static const char *const implied[] = { "control", NULL };
	struct strata_config config = {
		.module_path = cli->module_path,
		.run_dir = cli->run_dir,
		.implied_services = implied,
		.check_only = true,
	};
	struct strata_error error = { 0 };
	struct strata_stack *stack = NULL;
	int result;

	(void)argc;
	config.manifest_file = argv[0];
	result = strata_stack_create(&config, &stack, &error);
	strata_stack_destroy(stack);
	if (cli->json)
		cli_print_json(json_pack("{s:s, s:b, s:o}", "file", argv[0], "ok", result == 0,
					 "faults", json_faults(&error)));
	else if (result == 0)
		printf("%s: ok\n", argv[0]);
	else
		fputs(strata_error_text(&error), stderr);
	strata_error_clear(&error);
	if (result == 0)
		return 0;
	return result == -EINVAL ? CLI_USAGE : CLI_FAILURE;
}

const struct cli_command cli_command_check = {
	.name = "check",
	.run = run_check,
	.summary = "Validate a manifest and the modules it names",
	.operands = "FILE",
	.least = 1,
	.most = 1,
	.value = CLI_FILE,
	.help = "Loads and binds the modules, and stops without touching a device. Faults are told with\n"
		"file, line and column.",
	.examples = "strata check /etc/strata/strata.yaml\n"
		    "strata check --json my.yaml     # the faults as an array",
};
