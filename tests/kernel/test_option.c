/* SPDX-License-Identifier: BSD-2-Clause */
/* Options of every type: from a manifest, at run time, and back to text. */
#include "made.h"

#define BEGIN "strata: 1\nmodules:\n  - name: mod_options\n    options:\n      name: x\n"

/* One option in the manifest, and how it reads when the stack runs. */
struct value {
	const char *option, *written, *read;
};

static void check_read(struct strata_stack *stack, const char *option, const char *wanted)
{
	char name[64], value[256];

	snprintf(name, sizeof(name), "mod_options.%s", option);
	assert_int_equal(strata_option_get(stack, name, value, sizeof(value)), 0);
	if (strcmp(value, wanted) != 0)
		fail_msg("%s is %s, expected %s", option, value, wanted);
}

static void values_of_a_manifest_reach_the_module(void **state)
{
	static const struct value cases[] = {
		{ "flag", "false", "false" },
		{ "count", "0x10", "16" },
		{ "count", "255", "255" },
		{ "size", "1MiB", "1MiB" },
		{ "size", "1536", "1536" },
		{ "time", "1min", "1min" },
		{ "time", "1500us", "1500us" },
		{ "time", "2 s", "2s" },
		{ "chance", "5%", "5%" }, { "chance", "0.0001%", "0.0001%" }, { "chance", "0", "0" },
		{ "chance", "100%", "100%" }, { "chance", "12.50%", "12.5%" }, { "chance", "0%", "0" },
		{ "text", "012", "012" },
		{ "text", "no", "no" },
		{ "text", "\"\"", "" },
		{ "text", "'22:22'", "22:22" },
		{ "mode", "slow", "slow" },
		{ "mac", "0a:0B:0c:0d:0e:0f", "0a:0b:0c:0d:0e:0f" },
		{ "list", "[a, \"b, c\", d]", "[a, b, c, d]" },
		{ "list", "[]", "[]" },
		{ "more", "\n        - a\n        - b", "[a, b]" },
	};

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		struct made made;
		char text[512];
		snprintf(text, sizeof(text), BEGIN "      %s: %s\n", cases[i].option,
			 cases[i].written);
		made_init(&made);
		if (made_from(&made, text) != 0)
			fail_msg("%s\n%s", text, strata_error_text(&made.error));
		check_read(made.stack, cases[i].option, cases[i].read);
		made_end(&made);
	}
}

static void defaults_fill_what_a_manifest_leaves_out(void **state)
{
	static const struct value defaults[] = {
		{ "flag", NULL, "true" }, { "count", NULL, "5" }, { "size", NULL, "4KiB" },
		{ "time", NULL, "200ms" }, { "chance", NULL, "2.5%" }, { "text", NULL, "nothing much" }, { "name", NULL, "x" },
		{ "mode", NULL, "fast" }, { "prefix", NULL, "" },
		{ "mac", NULL, "02:00:00:00:00:01" },
		{ "list", NULL, "[one, two words]" }, { "more", NULL, "[]" },
	};
	struct made made;

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, BEGIN), 0);
	for (size_t i = 0; i < STRATA_COUNT(defaults); i++)
		check_read(made.stack, defaults[i].option, defaults[i].read);
	made_end(&made);
}

static void prefixes_are_read_by_the_network_modules(void **state)
{
	static const char text[] =
		"strata: 1\nmodules:\n  - name: mod_options\n    options: {name: x, prefix: "
		"192.0.2.1/24}\n  - name: ipv4\n  - name: arp\n  - name: ethernet\n";
	struct made made;

	(void)state;
	made_init(&made);
	if (made_from(&made, text) != 0)
		fail_msg("%s", strata_error_text(&made.error));
	check_read(made.stack, "prefix", "192.0.2.1/24");
	assert_int_equal(strata_option_set(made.stack, "mod_options.prefix", "198.51.100.1", NULL),
			 0);
	check_read(made.stack, "prefix", "198.51.100.1/32");
	made_end(&made);
	made_accepted(text);
}

static void tells_what_is_wrong_with_a_value(void **state)
{
	static const struct {
		const char *option, *value, *told;
	} cases[] = {
		{ "flag", "no", "expected true or false, found \"no\"; write false" },
		{ "flag", "\"true\"", "expected a bool, found \"true\"; leave the quotes out" },
		{ "count", "0", "expected a number from 1 to 255, found \"0\"" },
		{ "count", "256", "expected a number from 1 to 255, found \"256\"" },
		{ "count", "-1", "expected a number from 1 to 255, found \"-1\"" },
		{ "count", "012", "expected a number from 1 to 255, found \"012\"; write "
		  "it without leading zeros, or 0x for hex" },
		{ "count", "18446744073709551616", "expected a number from 1 to 255, found "
		  "\"18446744073709551616\"; it does not fit 64 bits" },
		{ "count", "\"5\"", "expected a number, found \"5\"; leave the quotes out" },
		{ "size", "10", "expected a size in bytes, KiB, MiB or GiB from 1KiB to 1MiB, "
		  "found \"10\"" },
		{ "size", "1MB", "expected a size in bytes, KiB, MiB or GiB from 1KiB to 1MiB, "
		  "found \"1MB\"; write 1MiB" },
		{ "time", "5",
		  "expected a time in us, ms, s or min from 1ms to 1min, found \"5\"" },
		{ "chance", "5", "expected a chance such as 5% or 0.25%, found \"5\"; write 5%" },
		{ "chance", "101%", "expected a chance such as 5% or 0.25%, found \"101%\"" },
		{ "chance", "100.0001%", "expected a chance such as 5% or 0.25%, found \"100.0001%\"" },
		{ "chance", "0.00001%", "expected a chance such as 5% or 0.25%, found \"0.00001%\"" },
		{ "chance", "05%", "expected a chance such as 5% or 0.25%, found \"05%\"" },
		{ "chance", "-1%", "expected a chance such as 5% or 0.25%, found \"-1%\"" },
		{ "chance", "5.%", "expected a chance such as 5% or 0.25%, found \"5.%\"" },
		{ "chance", "5%%", "expected a chance such as 5% or 0.25%, found \"5%%\"" },
		{ "chance", "1e2%", "expected a chance such as 5% or 0.25%, found \"1e2%\"" },
		{ "time", "5sec", "expected a time in us, ms, s or min from 1ms to 1min, found "
		  "\"5sec\"; write 5s" },
		{ "time", "0",
		  "expected a time in us, ms, s or min from 1ms to 1min, found \"0\"" },
		{ "text", "~", "expected a value, found ~, which is nothing" },
		{ "text", "[a]", "expected a value, found a list" },
		{ "text", "{a: b}", "expected a value, found a map" },
		{ "mode", "quick", "expected one of slow, fast, sideways, found \"quick\"" },
		{ "mode", "slwo", "expected one of slow, fast, sideways, found \"slwo\"; did you "
		  "mean \"slow\"?" },
		{ "prefix", "192.0.2.1/24", "expected address/bits of an enabled network module, "
		  "found \"192.0.2.1/24\"" },
		{ "mac", "2:0:0:0:0:1", "expected a link address such as 02:00:00:00:00:01, found "
		  "\"2:0:0:0:0:1\"" },
		{ "mac", "00:11:22:33:44:55:66:77:88", "expected a link address such as "
		  "02:00:00:00:00:01, found \"00:11:22:33:44:55:66:77:88\"" },
		{ "list", "a", "expected a list, found \"a\"" },
	};

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		char text[512], told[512];
		snprintf(text, sizeof(text), BEGIN "      %s: %s\n", cases[i].option,
			 cases[i].value);
		snprintf(told, sizeof(told), "m.yaml:6:%zu: option \"%s\" of module "
			 "\"mod_options\": %s\n",
			 9 + strlen(cases[i].option), cases[i].option, cases[i].told);
		made_refused_exactly(text, told);
	}
	made_refused_exactly(BEGIN "      list: [a, [b]]\n",
			     "m.yaml:6:17: option \"list\" of module \"mod_options\": expected a "
			     "value, found a list\n");
}

static void tells_unknown_and_missing_options(void **state)
{
	(void)state;
	made_refused_exactly("strata: 1\nmodules:\n  - name: mod_options\n    options: {cuont: "
			     "3}\n",
			     "m.yaml:4:15: unknown option \"cuont\": module \"mod_options\" has "
			     "none of that name; did you mean \"count\"?\n"
			     "m.yaml:3:5: missing option \"name\": expected in options of module "
			     "\"mod_options\"\n");
	made_refused_exactly("strata: 1\nmodules:\n  - name: mod_options\n",
			     "m.yaml:3:5: missing option \"name\": expected in options of module "
			     "\"mod_options\"\n");
	made_refused_exactly(BEGIN "      count: 3\n      count: 4\n",
			     "m.yaml:7:7: duplicate key \"count\": expected it once, first found "
			     "at line 6\n");
}

static void tells_a_faulty_schema(void **state)
{
	(void)state;
	made_refused("strata: 1\nmodules: [{name: mod_schema}]\n",
		     "m.yaml:2:18: module \"mod_schema\": option \"beyond\" lies outside its "
		     "structure");
	made_refused("strata: 1\nmodules: [{name: mod_schema}]\n",
		     "m.yaml:2:18: module \"mod_schema\": option \"which\" has no choices");
}

/* ---- at run time ---- */

static void runtime_options_change(void **state)
{
	static const struct value cases[] = {
		{ "flag", "off", "false" }, { "flag", "yes", "true" }, { "flag", "no", "false" },
		{ "flag", "on", "true" }, { "flag", "false", "false" },
		{ "count", "7", "7" }, { "size", "8KiB", "8KiB" }, { "time", "3s", "3s" }, { "chance", "0.3%", "0.3%" },
		{ "text", "first", "first" },
		{ "text", "second, and longer", "second, and longer" },
		{ "text", "", "" }, { "mode", "sideways", "sideways" },
		{ "mac", "02:00:00:00:00:09", "02:00:00:00:00:09" },
		{ "list", "x, y", "[x, y]" }, { "list", "[z]", "[z]" }, { "list", "", "[]" },
	};
	struct made made;
	struct strata_error error = { 0 };

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, BEGIN), 0);
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		char name[64];
		snprintf(name, sizeof(name), "mod_options.%s", cases[i].option);
		if (strata_option_set(made.stack, name, cases[i].written, &error) != 0)
			fail_msg("%s", strata_error_text(&error));
		check_read(made.stack, cases[i].option, cases[i].read);
	}
	made_end(&made);
}

static void refused_changes_leave_the_old_value(void **state)
{
	static const struct {
		const char *name, *value;
		int result;
		const char *told;
	} cases[] = {
		{ "mod_options.count", "256", -EINVAL, "option \"count\": expected a number "
		  "from 1 to 255, found \"256\"\n" },
		{ "mod_options.flag", "maybe", -EINVAL, "option \"flag\": expected true or false, "
		  "found \"maybe\"\n" },
		{ "mod_options.name", "y", -EPERM, "option \"mod_options.name\": cannot be "
		  "changed while the stack runs; change the manifest\n" },
		{ "mod_options.cuont", "7", -ENOENT, "option \"mod_options.cuont\": the module "
		  "has none of that name; did you mean \"count\"?\n" },
		{ "mod_option.count", "7", -ENOENT, "option \"mod_option.count\": no module or interface of "
		  "that name; did you mean \"mod_options\"?\n" },
		{ "count", "7", -ENOENT, "option \"count\": expected module.option\n" },
		{ ".count", "7", -ENOENT, "option \".count\": expected module.option\n" },
		{ "stack.memory", "12", -EINVAL, NULL },
		{ "stack.name", "other", -EPERM, "option \"stack.name\": cannot be changed while "
		  "the stack runs; change the manifest\n" },
		{ "stack.log", "loud", -EINVAL, "option \"log\": expected one of error, warning, "
		  "info, debug, found \"loud\"\n" },
	};
	struct made made;

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, BEGIN), 0);
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		struct strata_error error = { 0 };
		assert_int_equal(strata_option_set(made.stack, cases[i].name, cases[i].value,
						   &error),
				 cases[i].result);
		assert_int_equal(error.count, 1);
		if (cases[i].told != NULL)
			assert_string_equal(strata_error_text(&error), cases[i].told);
		strata_error_clear(&error);
	}
	check_read(made.stack, "count", "5");
	check_read(made.stack, "flag", "true");
	check_read(made.stack, "name", "x");
	made_end(&made);
}

static void a_change_that_the_module_refuses_is_taken_back(void **state)
{
	struct record record = { "" };
	char *text = made_text("strata: 1\nmodules:\n  - {name: mod_low, options: {record: %R, "
			       "refuse: 7}}\n",
			       &record), value[16];
	struct strata_error error = { 0 };
	struct made made;

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, text), 0);
	assert_int_equal(strata_option_set(made.stack, "mod_low.level", "7", &error), -ERANGE);
	assert_string_equal(strata_error_text(&error), "option \"level\": module \"mod_low\" "
			    "refuses \"7\": Numerical result out of range\n");
	strata_error_clear(&error);
	assert_int_equal(strata_option_get(made.stack, "mod_low.level", value, sizeof(value)), 0);
	assert_string_equal(value, "3");
	assert_int_equal(strata_option_set(made.stack, "mod_low.level", "8", NULL), 0);
	assert_int_equal(strata_option_get(made.stack, "mod_low.level", value, sizeof(value)), 0);
	assert_string_equal(value, "8");
	made_end(&made);
	assert_string_equal(record.text, "+mod_low=mod_low=mod_low-mod_low");
	free(text);
}

static void the_stacks_own_options_change(void **state)
{
	struct made made;
	char value[32];

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, BEGIN), 0);
	assert_int_equal(strata_option_set(made.stack, "stack.memory", "1GiB", NULL), 0);
	assert_int_equal(strata_option_get(made.stack, "stack.memory", value, sizeof(value)), 0);
	assert_string_equal(value, "1GiB");
	assert_int_equal(strata_option_set(made.stack, "stack.log", "debug", NULL), 0);
	assert_int_equal(strata_option_get(made.stack, "mod_options.log", value, sizeof(value)), 0);
	assert_string_equal(value, "debug");
	assert_int_equal(strata_option_set(made.stack, "mod_options.log", "error", NULL), 0);
	assert_int_equal(strata_option_set(made.stack, "stack.log", "info", NULL), 0);
	assert_int_equal(strata_option_get(made.stack, "mod_options.log", value, sizeof(value)), 0);
	assert_string_equal(value, "error");
	made_end(&made);
}

static void reading_tells_what_is_not_there_and_what_does_not_fit(void **state)
{
	struct made made;
	char value[8];

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, BEGIN), 0);
	assert_int_equal(strata_option_get(made.stack, "mod_options.nothing", value, sizeof(value)),
			 -ENOENT);
	assert_int_equal(strata_option_get(made.stack, "nothing.count", value, sizeof(value)),
			 -ENOENT);
	assert_int_equal(strata_option_get(made.stack, "mod_options.text", value, sizeof(value)),
			 -ENOSPC);
	assert_int_equal(strata_option_get(made.stack, "mod_options.list", value, sizeof(value)),
			 -ENOSPC);
	assert_int_equal(strata_option_get(made.stack, "mod_options.mac", value, sizeof(value)),
			 -ENOSPC);
	made_end(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_a_manifest_reach_the_module),
		cmocka_unit_test(defaults_fill_what_a_manifest_leaves_out),
		cmocka_unit_test(prefixes_are_read_by_the_network_modules),
		cmocka_unit_test(tells_what_is_wrong_with_a_value),
		cmocka_unit_test(tells_unknown_and_missing_options),
		cmocka_unit_test(tells_a_faulty_schema),
		cmocka_unit_test(runtime_options_change),
		cmocka_unit_test(refused_changes_leave_the_old_value),
		cmocka_unit_test(a_change_that_the_module_refuses_is_taken_back),
		cmocka_unit_test(the_stacks_own_options_change),
		cmocka_unit_test(reading_tells_what_is_not_there_and_what_does_not_fit),
	};

	return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
