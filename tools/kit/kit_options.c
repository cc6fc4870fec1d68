/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A module's options: the schema as it stands, and what the module does with values: bad ones, the least and
 * the greatest, and new ones while it runs.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "kit.h"

#define VALUE_MOST 64
/* Local choice: a help text is a sentence or two. */
#define HELP_MOST 240

/* Both tables of a module: its own and that of its interfaces. */
struct table {
	const struct strata_option *options;
	size_t count, size;
	bool iface;
};

static struct table table_of(const struct kit *kit, bool iface)
{
	const struct strata_module *m = kit->module;

	if (iface)
		return (struct table){ m->iface_options, m->iface_option_count, m->iface_config_size, true };
	return (struct table){ m->options, m->option_count, m->config_size, false };
}

static bool is_number(const struct strata_option *option)
{
	return option->type == STRATA_OPT_UINT || option->type == STRATA_OPT_SIZE ||
	       option->type == STRATA_OPT_TIME;
}

/* ---- the schema ---- */

static void check_words(struct kit *kit, const struct strata_option *option)
{
	const char *help = option->help;

	if (option->name[strspn(option->name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0' ||
	    option->name[0] == '\0')
		kit_fault(kit, option->name, "use lower case letters, digits and underscores",
			  "option \"%s\" is not named like an option", option->name);
	if (help == NULL || help[0] == '\0')
		kit_fault(kit, option->name, "say in one sentence what it does: .help",
			  "option \"%s\" has no help", option->name);
	else if (strlen(help) > HELP_MOST || strchr(help, '\n') != NULL)
		kit_remark(kit, option->name, "keep it to a sentence",
			   "the help of option \"%s\" is longer than a line or two", option->name);
}

static void check_limits(struct kit *kit, const struct strata_option *option)
{
	size_t i;

	if (option->min > option->max)
		kit_fault(kit, option->name, "exchange .min and .max",
			  "option \"%s\" has a least value above the greatest: none can be set",
			  option->name);
	if (is_number(option) && option->min == 0 && option->max == 0)
		kit_fault(kit, option->name, "set .min and .max: nothing of a module is unbounded",
			  "option \"%s\" takes any number", option->name);
	if (option->required && option->fallback != NULL)
		kit_fault(kit, option->name, "leave one of them out",
			  "option \"%s\" is required and has a default", option->name);
	if (option->type == STRATA_OPT_MODULE && option->names >= STRATA_KINDS)
		kit_fault(kit, option->name, "set .names to an enum strata_kind",
			  "option \"%s\" names a module of no kind", option->name);
	for (i = 0; option->type == STRATA_OPT_CHOICE && option->choices[i] != NULL; i++)
		if (i != 0 && strcmp(option->choices[i], option->choices[i - 1]) == 0)
			kit_fault(kit, option->name, "take one away", "option \"%s\" has the choice %s twice",
				  option->name, option->choices[i]);
}

static void check_place(struct kit *kit, const struct table *table, size_t i)
{
	const struct strata_option *option = &table->options[i];
	size_t size = strata_option_size(option), j, align = size < sizeof(uint64_t) ? size : sizeof(uint64_t);

	if (option->type == STRATA_OPT_LLADDR)
		align = 1;
	if (option->offset > table->size || table->size - option->offset < size)
		kit_fault(kit, option->name, "give offsetof() a field of the structure that .config_size is of",
			  "option \"%s\" lies outside its structure", option->name);
	else if (option->offset % align != 0)
		kit_fault(kit, option->name, "give its field the type that the option's type asks for",
			  "option \"%s\" does not lie on a field of its type", option->name);
	for (j = 0; j < i; j++) {
		const struct strata_option *other = &table->options[j];

		if (strcmp(option->name, other->name) == 0)
			kit_fault(kit, option->name, "name them apart", "there are two options \"%s\"",
				  option->name);
		else if (option->offset < other->offset + strata_option_size(other) &&
			 other->offset < option->offset + size)
			kit_fault(kit, option->name, "use a field for each, of the type that the option's "
				  "type asks for (numbers: uint64_t, choices: uint32_t)",
				  "options \"%s\" and \"%s\" overlap in their structure", other->name,
				  option->name);
	}
}

/* A default is a value like another: a stack where it is written out takes it. */
static void check_default(struct kit *kit, const struct strata_option *option, bool iface)
{
	struct kit_rig rig;
	char line[512];

	if (option->fallback == NULL || option->type == STRATA_OPT_LIST)
		return;
	snprintf(line, sizeof(line), option->type == STRATA_OPT_STRING ? "      %s: \"%s\"\n" :
		 "      %s: %s\n", option->name, option->fallback);
	kit_step(kit, "option \"%s\" is given its default %s", option->name, option->fallback);
	if (kit_rig_open(kit, &rig, &(struct kit_setup){ .check = true, .options = iface ? NULL : line,
							 .iface_options = iface ? line : NULL }) < 0)
		kit_fault(kit, option->name, "give it a default that lies within its own limits",
			  "the default of option \"%s\" is refused: %.*s", option->name,
			  (int)strcspn(strata_error_text(&rig.error), "\n"),
			  strata_error_text(&rig.error));
	kit_rig_close(&rig);
}

static void check_schema(struct kit *kit, bool iface)
{
	struct table table = table_of(kit, iface);
	size_t i;

	for (i = 0; i < table.count; i++) {
		kit_step(kit, "option \"%s\"", table.options[i].name);
		check_words(kit, &table.options[i]);
		check_limits(kit, &table.options[i]);
		check_place(kit, &table, i);
	}
	for (i = 0; i < table.count; i++)
		check_default(kit, &table.options[i], iface);
}

void kit_check_options(struct kit *kit)
{
	check_schema(kit, false);
	check_schema(kit, true);
	kit_done(kit, "%zu options of the module, %zu of an interface", kit->module->option_count,
		 kit->module->iface_option_count);
}

/* ---- bad values ---- */

/* What no option of the type takes, written as in a manifest; those of all types come first. */
static const struct {
	unsigned int types;		/* bits 1 << enum strata_option_type; 0: all */
	const char *value;
} bad_values[] = {
#define BAD(type, value) { 1u << STRATA_OPT_##type, value }
	{ ~(1u << STRATA_OPT_LIST), "[1, 2]" },
	{ ~(1u << STRATA_OPT_STRING), "\"\"" },
	{ ~(1u << STRATA_OPT_STRING | 1u << STRATA_OPT_LIST), "no such value" },
	BAD(BOOL, "2"), BAD(BOOL, "maybe"), BAD(BOOL, "TRUEE"),
	BAD(UINT, "-1"), BAD(UINT, "1e3"), BAD(UINT, "012"), BAD(UINT, "0x"), BAD(UINT, "3.5"),
	BAD(UINT, "99999999999999999999"), BAD(UINT, "1 2"),
	BAD(SIZE, "-1"), BAD(SIZE, "12XiB"), BAD(SIZE, "99999999999999GiB"), BAD(SIZE, "KiB"),
	BAD(TIME, "-1s"), BAD(TIME, "5"), BAD(TIME, "5 parsecs"), BAD(TIME, "9999999999999min"),
	BAD(CHANCE, "5"), BAD(CHANCE, "-1%"), BAD(CHANCE, "101%"),
	BAD(PREFIX, "300.0.2.1/24"), BAD(PREFIX, "192.0.2.1/99"), BAD(PREFIX, "/24"),
	BAD(LLADDR, "02:00:zz"), BAD(LLADDR, "02:00:00:00:00:01:02:03:04:05"),
	BAD(MODULE, "no_such_module"), BAD(MODULE, "../../etc/passwd"),
#undef BAD
};

/* `check`: without starting anything. Returns as kit_rig_open(), which is closed again. */
static int try_value(struct kit *kit, const struct strata_option *option, bool iface, const char *value,
		     bool check, char why[200])
{
	size_t size = strlen(value) + strlen(option->name) + 16;
	char *line = malloc(size);
	struct kit_rig rig;
	int result;

	if (line == NULL)
		abort();
	snprintf(line, size, "      %s: %s\n", option->name, value);
	result = kit_rig_open(kit, &rig, &(struct kit_setup){ .check = check, .options = iface ? NULL : line,
							      .iface_options = iface ? line : NULL });
	snprintf(why, 200, "%.*s", (int)strcspn(strata_error_text(&rig.error), "\n"),
		 strata_error_text(&rig.error));
	kit_rig_close(&rig);
	free(line);
	return result;
}

static void refuse(struct kit *kit, const struct strata_option *option, bool iface, const char *value)
{
	char why[200];
	int result;

	kit_step(kit, "option \"%s\" is given %.40s", option->name, value);
	result = try_value(kit, option, iface, value, true, why);
	if (result >= 0)
		kit_fault(kit, option->name, "let its type, .min, .max and .choices say what it takes",
			  "option \"%s\" takes %.40s", option->name, value);
	else if (why[0] == '\0')
		kit_fault(kit, option->name, "add a sentence with strata_error_add()",
			  "option \"%s\" refuses %.40s without a word", option->name, value);
}

/* Just outside of what a number may be. */
static void refuse_outside(struct kit *kit, const struct strata_option *option, bool iface)
{
	char value[VALUE_MOST];

	/* Times have no unit as small as what they are kept in. */
	if (option->type == STRATA_OPT_TIME) {
		if (option->max != 0 && option->max / STRATA_US < UINT64_MAX / STRATA_US - 1) {
			snprintf(value, sizeof(value), "%" PRIu64 "us", option->max / STRATA_US + 1);
			refuse(kit, option, iface, value);
		}
		if (option->min > STRATA_US) {
			snprintf(value, sizeof(value), "%" PRIu64 "us", (option->min - 1) / STRATA_US);
			refuse(kit, option, iface, value);
		}
		return;
	}
	if (option->max != 0 && option->max != UINT64_MAX) {
		snprintf(value, sizeof(value), "%" PRIu64, option->max + 1);
		refuse(kit, option, iface, value);
	}
	if (option->min != 0) {
		snprintf(value, sizeof(value), "%" PRIu64, option->min - 1);
		refuse(kit, option, iface, value);
	}
}

static unsigned int refuse_all(struct kit *kit, bool iface)
{
	struct table table = table_of(kit, iface);
	unsigned int n = 0;
	size_t i, j;

	for (i = 0; i < table.count; i++) {
		const struct strata_option *option = &table.options[i];

		for (j = 0; j < STRATA_COUNT(bad_values); j++) {
			if ((bad_values[j].types & 1u << option->type) == 0)
				continue;
			refuse(kit, option, iface, bad_values[j].value);
			n++;
		}
		if (is_number(option))
			refuse_outside(kit, option, iface);
	}
	return n;
}

/* Names that no option has are refused, too. */
static void refuse_unknown(struct kit *kit)
{
	static const struct strata_option unknown = { .name = "no_such_option" };
	char why[200];

	kit_step(kit, "an option that it does not have");
	if (try_value(kit, &unknown, false, "1", true, why) >= 0)
		kit_fault(kit, "no_such_option", "", "takes an option that it does not have");
}

void kit_check_values(struct kit *kit)
{
	unsigned int n;

	refuse_unknown(kit);
	n = refuse_all(kit, false) + refuse_all(kit, true);
	kit_done(kit, "%u bad values", n + 1);
}

/* ---- the least and the greatest ---- */

/* The least or greatest value of a number, as in a manifest. */
static void write_bound(const struct strata_option *option, bool greatest, char value[VALUE_MOST])
{
	uint64_t bound = greatest ? option->max : option->min;
	bool time = option->type == STRATA_OPT_TIME && bound != 0;

	if (time)
		bound = greatest ? bound / STRATA_US : (bound + STRATA_US - 1) / STRATA_US;
	snprintf(value, VALUE_MOST, "%" PRIu64 "%s", bound, time ? "us" : "");
}

/* Whether the option was given on the command line. Such a one stays: what it can be depends on the machine, as
 * the number of a device's queue does. */
static bool is_given(const struct kit *kit, const struct strata_option *option, bool iface)
{
	const char *const *given = iface ? kit->iface_options : kit->options;
	unsigned int i, count = iface ? kit->iface_option_count : kit->option_count;
	size_t length = strlen(option->name);

	for (i = 0; i < count; i++)
		if (strncmp(given[i], option->name, length) == 0 && given[i][length] == '=')
			return true;
	return false;
}

/* Numbers of a module may have to fit each other: whether it starts with all at that end. */
static bool starts_with_all(struct kit *kit, bool iface, bool greatest)
{
	struct table table = table_of(kit, iface);
	char *lines = NULL, value[VALUE_MOST];
	size_t size, i;
	FILE *out = open_memstream(&lines, &size);
	struct kit_rig rig;
	int result;

	if (out == NULL)
		abort();
	for (i = 0; i < table.count; i++) {
		if (!is_number(&table.options[i]) || table.options[i].max == 0 ||
		    is_given(kit, &table.options[i], iface))
			continue;
		write_bound(&table.options[i], greatest, value);
		fprintf(out, "      %s: %s\n", table.options[i].name, value);
	}
	fclose(out);
	result = kit_rig_open(kit, &rig, &(struct kit_setup){ .options = iface ? NULL : lines,
							      .iface_options = iface ? lines : NULL });
	kit_rig_close(&rig);
	free(lines);
	return result >= 0 || result == -ENOMEM || result == -ENOBUFS;
}

static bool starts(struct kit *kit, const struct strata_option *option, bool iface, const char *value,
		   char why[200])
{
	int result;

	kit_step(kit, "it starts with option \"%s\" at %s", option->name, value);
	result = try_value(kit, option, iface, value, false, why);
	if (result >= 0 || result == -ENOMEM || result == -ENOBUFS)
		return true;
	if (why[0] == '\0')
		snprintf(why, 200, "%s", strerror(-result));
	return false;
}

static void must_start(struct kit *kit, const struct strata_option *option, bool iface, const char *value)
{
	char why[200];

	if (!starts(kit, option, iface, value, why))
		kit_fault(kit, option->name, "take away the choices that it cannot be started with",
			  "option \"%s\" may be %s, and the module does not start with it: %s", option->name,
			  value, why);
}

static void must_start_bound(struct kit *kit, const struct strata_option *option, bool iface, bool greatest)
{
	char value[VALUE_MOST], why[200];

	write_bound(option, greatest, value);
	if (!starts(kit, option, iface, value, why) && !starts_with_all(kit, iface, greatest))
		kit_fault(kit, option->name, "narrow .min and .max to what it can be started with",
			  "option \"%s\" may be %s, and the module does not start with it: %s", option->name,
			  value, why);
}

static unsigned int start_all(struct kit *kit, bool iface)
{
	struct table table = table_of(kit, iface);
	unsigned int n = 0;
	size_t i, j;

	for (i = 0; i < table.count; i++) {
		const struct strata_option *option = &table.options[i];

		if (is_given(kit, option, iface))
			continue;
		for (j = 0; option->type == STRATA_OPT_CHOICE && option->choices[j] != NULL; j++, n++)
			must_start(kit, option, iface, option->choices[j]);
		for (j = 0; option->type == STRATA_OPT_BOOL && j < 2; j++, n++)
			must_start(kit, option, iface, j == 0 ? "false" : "true");
		for (j = 0; is_number(option) && option->max != 0 && j < 2; j++, n++)
			must_start_bound(kit, option, iface, j != 0);
	}
	return n;
}

void kit_check_bounds(struct kit *kit)
{
	struct kit_rig rig;
	unsigned int n;

	if (!kit_rig_must(kit, &rig, &(struct kit_setup){ 0 }))
		return;
	kit_rig_close(&rig);
	n = start_all(kit, false) + start_all(kit, true);
	kit_done(kit, "%u starts", n);
}

/* ---- at run time ---- */

struct running {
	struct kit *kit;
	struct kit_rig rig;
	const struct strata_option *option;
	char name[160];			/* "module.option" */
};

static bool get(struct running *r, char buf[256])
{
	int result = strata_option_get(r->rig.stack, r->name, buf, 256);

	if (result < 0)
		kit_fault(r->kit, r->name, "", "its value cannot be read: %s", strerror(-result));
	return result == 0;
}

/* A value that it takes, and then has, or refuses since it does not fit another. Returns whether it took it. */
static bool set_good(struct running *r, const char *value, char now[256])
{
	struct strata_error error = { 0 };
	char before[256];
	int result;

	now[0] = '\0';
	if (!get(r, before))
		return false;
	kit_step(r->kit, "%s is set to %s", r->name, value);
	result = strata_option_set(r->rig.stack, r->name, value, &error);
	strata_run(r->rig.stack, r->rig.env.now);
	if (get(r, now) && result < 0 && strcmp(before, now) != 0)
		kit_fault(r->kit, r->name, "leave the configuration as it is where option_changed() refuses",
			  "refused %s, and is %s now", value, now);
	if (result >= 0 && r->option->type == STRATA_OPT_UINT && strcmp(now, value) != 0)
		kit_fault(r->kit, r->name, "leave self->config alone: the kernel keeps it; or refuse the value "
			  "in option_changed()", "was set to %s, and is %s", value, now);
	strata_error_clear(&error);
	return result >= 0;
}

static void set_bad(struct running *r, const char *value)
{
	struct strata_error error = { 0 };
	char before[256], now[256];

	if (!get(r, before))
		return;
	kit_step(r->kit, "%s is set to %s", r->name, value);
	if (strata_option_set(r->rig.stack, r->name, value, &error) >= 0)
		kit_fault(r->kit, r->name, "let .min, .max and .choices say what it takes",
			  "takes %s while it runs", value);
	else if (error.count == 0)
		kit_fault(r->kit, r->name, "add a sentence with strata_error_add()",
			  "refuses %s without a word", value);
	if (get(r, now) && strcmp(before, now) != 0)
		kit_fault(r->kit, r->name, "a value that is refused changes nothing",
			  "was refused %s, and is %s now", value, now);
	strata_error_clear(&error);
}

static void set_number(struct running *r)
{
	const struct strata_option *option = r->option;
	bool time = option->type == STRATA_OPT_TIME;
	uint64_t unit = time ? STRATA_US : 1;
	char value[VALUE_MOST], least[256], most[256];
	bool both;

	write_bound(option, false, value);
	both = set_good(r, value, least);
	write_bound(option, true, value);
	both &= set_good(r, value, most);
	if (both && option->max / unit > option->min / unit + 1 && strcmp(least, most) == 0)
		kit_remark(r->kit, r->name, "", "is %s whether it is set to the least or the greatest value",
			   most);
	if (option->max < UINT64_MAX - unit) {
		snprintf(value, sizeof(value), "%" PRIu64 "%s", option->max / unit + 1, time ? "us" : "");
		set_bad(r, value);
	}
}

static void change_runtime(struct running *r)
{
	const struct strata_option *option = r->option;
	char before[256], now[256];
	size_t i;

	if (!get(r, before))
		return;
	for (i = 0; option->type == STRATA_OPT_CHOICE && option->choices[i] != NULL; i++)
		set_good(r, option->choices[i], now);
	if (option->type == STRATA_OPT_BOOL) {
		set_good(r, "off", now);
		set_good(r, "on", now);
	}
	if (is_number(option) && option->max != 0)
		set_number(r);
	if (option->type != STRATA_OPT_STRING && option->type != STRATA_OPT_LIST)
		set_bad(r, "no such value");
	if (before[0] != '\0' && option->type != STRATA_OPT_LIST)
		set_good(r, before, now);
}

static void change_fixed(struct running *r)
{
	struct strata_error error = { 0 };
	char value[256];
	int result;

	if (!get(r, value))
		return;
	kit_step(r->kit, "%s, which is not for run time, is set", r->name);
	result = strata_option_set(r->rig.stack, r->name, value, &error);
	if (result != -EPERM || error.count == 0)
		kit_fault(r->kit, r->name, "", "is no option for run time, and setting it gives %s",
			  result < 0 ? strerror(-result) : "no error");
	strata_error_clear(&error);
}

static void change_all(struct running *r, bool iface)
{
	struct table table = table_of(r->kit, iface);
	size_t i;

	for (i = 0; i < table.count; i++) {
		r->option = &table.options[i];
		snprintf(r->name, sizeof(r->name), "%s.%s", iface ? "k0" : r->kit->subject->name,
			 r->option->name);
		if (r->option->runtime)
			change_runtime(r);
		else
			change_fixed(r);
	}
}

void kit_check_runtime(struct kit *kit)
{
	struct running r = { .kit = kit };

	if (!kit_rig_must(kit, &r.rig, &(struct kit_setup){ 0 }))
		return;
	change_all(&r, false);
	if (kit->subject->kind == STRATA_LINK && kit->module->link->open != NULL)
		change_all(&r, true);
	kit_step(kit, "the stack ends after its options were changed");
	kit_rig_pass(&r.rig, STRATA_SEC);
	kit_rig_close(&r.rig);
}
