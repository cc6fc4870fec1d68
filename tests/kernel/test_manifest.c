/* SPDX-License-Identifier: BSD-2-Clause */
/* What a manifest may say, and what is told of one that says something else. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "made.h"

#define MIB ((size_t)1 << 20)

/* A manifest, and all that is told of it after "m.yaml:". */
struct told {
	const char *text;
	const char *faults;
};

static void check_told(const struct told *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char told[1024];
		snprintf(told, sizeof(told), "m.yaml:%s\n", cases[i].faults);
		made_refused_exactly(cases[i].text, told);
	}
}
#define CHECK(cases) check_told(cases, STRATA_COUNT(cases))

/* ---- what YAML allows and a manifest does not ---- */

static void tells_what_is_wrong_with_the_syntax(void **state)
{
	static const struct told cases[] = {
		{ "strata: 1\nstack:\n  name: \"abc\n",
		  "3:9: expected a closing quote, found the end of the file" },
		{ "strata: 1\nstack:\n  name: 'abc\n",
		  "3:9: expected a closing quote, found the end of the file" },
		{ "strata: 1\n}\n",
		  "2:1: expected a key or the end of the map, found something else; check the "
		  "indentation (begun at line 1)" },
		{ "strata: 1\n...\ntrailing garbage\n",
		  "3:1: expected the end of the file, found more after the document" },
		{ "strata: 1\n---\nstrata: 1\n",
		  "2:1: expected one document, found the start of a second" },
		{ "strata: 1\nstack: name: x\n",
		  "2:12: expected a value on one line, found a second ':'; quote the value, or "
		  "check the indentation" },
		{ "strata: 1\nstack: [a\n", "3:1: expected ',' or ']', found something else "
		  "(begun at line 2)" },
		{ "strata: 1\nstack: @x\n",
		  "2:8: expected a key or value, found a character that cannot begin one (a tab, "
		  "'@', '`' or '%'); quote it" },
		{ "strata: 1\nstack:\n\tname: a\n",
		  "3:1: expected spaces for indentation, found a tab" },
		{ "%YAML 1.1\n---\nstrata: 1\n", "1:1: expected a map, found a % directive; leave "
		  "it out" },
		{ "", "1:1: expected a manifest that begins \"strata: 1\", found nothing but "
		  "white space or comments" },
		{ "# one\n\n# two\n", "1:1: expected a manifest that begins \"strata: 1\", found "
		  "nothing but white space or comments" },
		{ "---\n~\n", "1:1: expected a manifest that begins \"strata: 1\", found nothing "
		  "but white space or comments" },
	};

	(void)state;
	CHECK(cases);
}

static void refuses_what_makes_yaml_surprising(void **state)
{
	static const struct told cases[] = {
		{ "strata: &one 1\n",
		  "1:9: expected a value, found anchor \"one\"; anchors are not allowed, write "
		  "the value out" },
		{ "strata: 1\nstack:\n  sockets: *one\n",
		  "3:12: expected a value, found alias \"one\"; aliases are not allowed, write "
		  "the value out" },
		{ "strata: !!int 1\n",
		  "1:9: expected a value, found tag \"tag:yaml.org,2002:int\"; tags are not "
		  "allowed, leave it out" },
		{ "strata: 1\nstack: !map {}\n",
		  "2:8: expected a value, found tag \"!map\"; tags are not allowed, leave it out" },
		{ "strata: 1\nstack:\n  <<: {name: x}\n",
		  "3:3: expected a key, found the merge key <<; write the keys out" },
		{ "strata: 1\n? [a]\n: b\n", "2:3: expected a key, found a list" },
		{ "strata: 1\n~: b\n", "2:1: expected a key, found nothing" },
		{ "strata: 1\nstack:\n  name: a\n  log: info\n  name: b\n",
		  "5:3: duplicate key \"name\": expected it once, first found at line 3" },
		{ "strata: 1\nstack: {name: \"a\\0b\"}\n", "2:15: expected text, found an escaped "
		  "NUL" },
	};

	(void)state;
	CHECK(cases);
}

static void refuses_a_billion_laughs_at_the_first_alias_and_anchor(void **state)
{
	static const char laughs[] =
		"strata: 1\n"
		"a: &a [x, x, x, x, x, x, x, x, x]\n"
		"b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
		"c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\n";

	(void)state;
	made_refused(laughs, "m.yaml:2:4: expected a value, found anchor \"a\"");
	made_refused(laughs, "m.yaml:3:8: expected a value, found alias \"a\"");
}

/* ---- bytes ---- */

static void bytes_refused(const void *bytes, size_t length, const char *told)
{
	struct made made;

	made_init(&made);
	made.config.manifest_length = length;
	assert_int_equal(made_from(&made, bytes), -EINVAL);
	assert_string_equal(strata_error_text(&made.error), told);
	made_end(&made);
}
#define BYTES(text) text, sizeof(text) - 1

static void refuses_what_is_not_utf8_text(void **state)
{
	(void)state;
	bytes_refused(BYTES("\xef\xbb\xbfstrata: 1\n"),
		      "m.yaml:1:1: expected UTF-8 without a byte order mark, found one; save the "
		      "file without it\n");
	bytes_refused(BYTES("\xff\xfes\0t\0r\0"),
		      "m.yaml:1:1: expected UTF-8, found UTF-16; save the file as UTF-8\n");
	bytes_refused(BYTES("\xfe\xff\0s\0t\0r"),
		      "m.yaml:1:1: expected UTF-8, found UTF-16; save the file as UTF-8\n");
	bytes_refused(BYTES("s\0t\0r\0"),
		      "m.yaml:1:2: expected text, found a NUL byte; save the file as UTF-8\n");
	bytes_refused(BYTES("strata: 1\nstack: {name: a\0b}\n"),
		      "m.yaml:2:16: expected text, found a NUL byte; save the file as UTF-8\n");
	bytes_refused(BYTES("strata: 1\n# gr\xfc\xdf\n"),
		      "m.yaml:2:5: expected UTF-8, found byte 0xfc; save the file as UTF-8\n");
	bytes_refused(BYTES("# \xc0\xaf overlong\n"),
		      "m.yaml:1:3: expected UTF-8, found byte 0xc0; save the file as UTF-8\n");
	bytes_refused(BYTES("# \xed\xa0\x80 surrogate\n"),
		      "m.yaml:1:3: expected UTF-8, found byte 0xed; save the file as UTF-8\n");
	bytes_refused(BYTES("# \xf4\x90\x80\x80 beyond\n"),
		      "m.yaml:1:3: expected UTF-8, found byte 0xf4; save the file as UTF-8\n");
	bytes_refused(BYTES("# cut \xe2\x82"),
		      "m.yaml:1:7: expected UTF-8, found byte 0xe2; save the file as UTF-8\n");
	bytes_refused(BYTES("strata: 1\nstack: {name: a\x01}\n"),
		      "m.yaml:2:16: expected text, found control character 0x01\n");
}

static void counts_columns_in_characters(void **state)
{
	(void)state;
	made_refused("strata: 1\nstäck: {näme: x}\n",
		     "m.yaml:2:1: unknown key \"stäck\" in the manifest: expected one of strata, "
		     "stack, modules, interfaces, routes; did you mean \"stack\"?");
	made_refused("strata: 1\nstack: {log: \"äöü\", sockets: x}\n", "m.yaml:2:30: \"sockets\"");
}

static void takes_line_ends_of_every_kind(void **state)
{
	(void)state;
	made_accepted("strata: 1\nstack:\n  name: abc\n");
	made_accepted("strata: 1\r\nstack:\r\n  name: abc\r\n");
	made_accepted("strata: 1\rstack:\r  name: abc\r");
	made_accepted("strata: 1\nstack:\n  name: abc");
	made_refused("strata: 1\r\nstack:\r\n  nam: abc\r\n", "m.yaml:3:3: unknown key \"nam\"");
}

static void takes_tabs_that_indent_nothing(void **state)
{
	(void)state;
	made_accepted("strata:\t1\t# one\n");
}

/* ---- size and depth ---- */

/* `head`, then `unit` as often as fits into `length` bytes. */
static void filled_refused(size_t length, const char *head, const char *unit, const char *told)
{
	char *text = malloc(length + 1);
	size_t at = strlen(head), step = strlen(unit);
	struct made made;

	assert_non_null(text);
	memcpy(text, head, at);
	for (; at + step <= length; at += step)
		memcpy(text + at, unit, step);
	text[at] = '\0';
	made_init(&made);
	assert_int_equal(made_from(&made, text), -EINVAL);
	if (strstr(strata_error_text(&made.error), told) == NULL)
		fail_msg("%.40s…: expected to be told: %s\ntold: %s", text, told,
			 strata_error_text(&made.error));
	made_end(&made);
	free(text);
}

static void bounds_size_depth_and_number(void **state)
{
	(void)state;
	filled_refused(MIB + 1, "strata: 1\n# ", "x", "m.yaml:1:1: expected at most 1 MiB, found "
		       "more");
	filled_refused(MIB, "strata: 1\nstack:\n  name: ", "x",
		       "m.yaml:3:9: \"name\": expected a name of at most 63 characters, found "
		       "\"xxxxx");
	filled_refused(10000, "strata: 1\nstack: ", "[",
		       "m.yaml:2:39: expected at most 32 levels, found more");
	filled_refused(10000, "strata: 1\nstack: ", "{a: ",
		       "m.yaml:2:132: expected at most 32 levels, found more");
	filled_refused(20000, "strata: 1\nstack:\n  ", "- ",
		       "m.yaml:3:65: expected at most 32 levels, found more");
	filled_refused(MIB, "", "- a\n", "m.yaml:4097:3: expected at most 4096 entries in one "
		       "list, found more");
	filled_refused(MIB, "strata: 1\nstack: [", "[a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a],",
		       "expected at most 65536 values, found more");
	filled_refused(MIB, "strata: 1\n\"", "x", "m.yaml:2:1: expected a closing quote");
}

/* ---- files ---- */

static void file_refused(const char *path, const char *told)
{
	struct made made;
	char text[8192];

	made_init(&made);
	made.config.manifest_file = path;
	assert_int_equal(made_from(&made, NULL), -EINVAL);
	snprintf(text, sizeof(text), "%s:1:1: %s\n", path, told);
	assert_string_equal(strata_error_text(&made.error), text);
	made_end(&made);
}

static void tells_why_a_file_cannot_be_read(void **state)
{
	char *dir = made_tmpdir(), path[8192];

	(void)state;
	snprintf(path, sizeof(path), "%s/none.yaml", dir);
	file_refused(path,
		     "expected a manifest, found no readable file: No such file or directory");
	file_refused(dir, "expected a regular file, found a directory");
	file_refused("/dev/zero", "expected a regular file, found a device");
	snprintf(path, sizeof(path), "%s/fifo", dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	file_refused(path, "expected a regular file, found a FIFO");
	made_write(dir, "empty.yaml", "", 0);
	snprintf(path, sizeof(path), "%s/empty.yaml", dir);
	file_refused(path, "expected a manifest that begins \"strata: 1\", found nothing but "
		     "white space or comments");
	made_write(dir, "large.yaml", "", 0);
	snprintf(path, sizeof(path), "%s/large.yaml", dir);
	assert_int_equal(truncate(path, 100 << 20), 0);
	file_refused(path, "expected at most 1 MiB, found 104857600 bytes");
	made_remove(dir);
}

static void tells_that_there_is_neither_file_nor_text(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, NULL), -EINVAL);
	assert_string_equal(strata_error_text(&made.error),
			    "stack: expected a manifest's file or text, found neither\n");
	made_end(&made);
}

/* ---- values ---- */

static void takes_numbers_written_one_way(void **state)
{
	static const struct {
		const char *value, *found;
	} cases[] = {
		{ "012", "\"012\"; write it without leading zeros, or 0x for hex" },
		{ "1e3", "\"1e3\"" },
		{ "22:22", "\"22:22\"" },
		{ "~", "~, which is nothing" },
		{ "", "nothing" },
		{ "null", "null, which is nothing" },
		{ "-1", "\"-1\"" },
		{ "+1", "\"+1\"" },
		{ "0", "\"0\"" },
		{ "1048577", "\"1048577\"" },
		{ "18446744073709551616", "\"18446744073709551616\"; it does not fit 64 bits" },
		{ "0x10000000000000000", "\"0x10000000000000000\"; it does not fit 64 bits" },
		{ "0x", "\"0x\"" },
		{ "0X10", "\"0X10\"" },
		{ "0x1g", "\"0x1g\"" },
		{ "1 000", "\"1 000\"" },
		{ "1_000", "\"1_000\"" },
		{ "no", "\"no\"" },
		{ "\"6\"", "\"6\"; leave the quotes out" },
		{ "[1]", "a list" },
		{ "{a: 1}", "a map" },
	};

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		char text[256], told[256];
		snprintf(text, sizeof(text), "strata: 1\nstack: {sockets: %s}\n", cases[i].value);
		snprintf(told, sizeof(told), "m.yaml:2:18: \"sockets\": expected a number from 1 "
			 "to 1048576, found %s\n", cases[i].found);
		made_refused_exactly(text, told);
	}
	made_accepted("strata: 1\nstack: {sockets: 0x100}\n");
	made_accepted("strata: 0x1\nstack: {sockets: 1048576}\n");
}

static void takes_true_and_false_alone_as_bool(void **state)
{
	static const struct {
		const char *value, *found;
	} cases[] = {
		{ "no", "\"no\"; write false" }, { "on", "\"on\"; write true" },
		{ "yes", "\"yes\"; write true" }, { "off", "\"off\"; write false" },
		{ "True", "\"True\"; write true" }, { "FALSE", "\"FALSE\"; write false" },
		{ "1", "\"1\"; write true" }, { "~", "~, which is nothing" },
		{ "\"true\"", "\"true\"; leave the quotes out" }, { "maybe", "\"maybe\"" },
		{ "[true]", "a list" },
	};

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		char text[256], told[256];
		snprintf(text, sizeof(text), "strata: 1\nmodules:\n  - {name: mod_low, enabled: "
			 "%s}\n",
			 cases[i].value);
		snprintf(told, sizeof(told), "m.yaml:3:30: \"enabled\": expected true or false, "
			 "found %s\n",
			 cases[i].found);
		made_refused_exactly(text, told);
	}
}

static void takes_sizes_with_binary_units(void **state)
{
	static const struct {
		const char *value, *told;
	} cases[] = {
		{ "64MB",
		  "expected a size in bytes, KiB, MiB or GiB, found \"64MB\"; write 64MiB" },
		{ "64k", "expected a size in bytes, KiB, MiB or GiB, found \"64k\"; write 64KiB" },
		{ "much", "expected a size in bytes, KiB, MiB or GiB, found \"much\"" },
		{ "1.5MiB", "expected a size in bytes, KiB, MiB or GiB, found \"1.5MiB\"" },
		{ "99999999999GiB", "expected a size in bytes, KiB, MiB or GiB, found "
		  "\"99999999999GiB\"; it does not fit 64 bits" },
		{ "100", "expected a size of at least 256KiB, found \"100\"" },
	};

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		char text[256], told[256];
		snprintf(text, sizeof(text), "strata: 1\nstack:\n  memory: %s\n", cases[i].value);
		snprintf(told, sizeof(told), "m.yaml:3:11: \"memory\": %s\n", cases[i].told);
		made_refused_exactly(text, told);
	}
	made_accepted("strata: 1\nstack: {memory: 64MiB}\n");
	made_accepted("strata: 1\nstack: {memory: 1 GiB}\n");
}

static void takes_times_with_units(void **state)
{
	static const struct {
		const char *value, *told;
	} cases[] = {
		{ "50", "expected a time in us, ms, s or min, found \"50\"" },
		{ "50ns", "expected a time in us, ms, s or min, found \"50ns\"" },
		{ "-1us", "expected a time in us, ms, s or min, found \"-1us\"" },
		{ "2s", "expected a time of at most 1s, found \"2s\"" },
		{ "1min", "expected a time of at most 1s, found \"1min\"" },
	};

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		char text[256], told[256];
		snprintf(text, sizeof(text), "strata: 1\nstack:\n  busy_poll: %s\n", cases[i].value);
		snprintf(told, sizeof(told), "m.yaml:3:14: \"busy_poll\": %s\n", cases[i].told);
		made_refused_exactly(text, told);
	}
	made_refused_exactly("strata: 1\nstack: {adaptive_poll: 2ms}\n",
			     "m.yaml:2:24: \"adaptive_poll\": expected a time of at most 1ms, found \"2ms\"\n");
	made_accepted("strata: 1\nstack: {adaptive_poll: 0}\n");
	made_accepted("strata: 1\nstack: {busy_poll: 0}\n");
	made_accepted("strata: 1\nstack: {busy_poll: 1s}\n");
}

/* ---- the schema ---- */

static void tells_unknown_and_missing_keys(void **state)
{
	static const struct told cases[] = {
		{ "stack:\n  name: a\n", "1:1: missing key \"strata\": expected in the manifest" },
		{ "strata: 2\n", "1:9: \"strata\": expected schema version 1, found \"2\"; this "
		  "manifest is for a newer Strata" },
		{ "strata: 0\n", "1:9: \"strata\": expected schema version 1, found \"0\"" },
		{ "strata: one\n", "1:9: \"strata\": expected schema version 1, found \"one\"" },
		{ "strata: {a: 1}\n", "1:9: \"strata\": expected schema version 1, found a map" },
		{ "- a\n", "1:1: expected a map of keys and values, found a list" },
		{ "hello\n", "1:1: expected a map of keys and values, found \"hello\"" },
		{ "strata: 1\nmodulse: []\n",
		  "2:1: unknown key \"modulse\" in the manifest: expected one of strata, stack, "
		  "modules, interfaces, routes; did you mean \"modules\"?" },
		{ "strata: 1\nstack:\n  colour: red\n",
		  "3:3: unknown key \"colour\" in stack: expected one of name, log, memory, "
		  "sockets, shards, shard_ring, gro, busy_poll, adaptive_poll" },
		{ "strata: 1\nmodules:\n  - kind: link\n", "3:5: missing key \"name\": expected "
		  "in a module" },
		{ "strata: 1\ninterfaces:\n  - name: a\n",
		  "3:5: missing key \"driver\": expected in an interface" },
		{ "strata: 1\nroutes:\n  - metric: 4294967296\n    to: 1.2.3.0/24\n",
		  "3:13: \"metric\": expected a number from 0 to 4294967295, found \"4294967296\"\n"
		  "m.yaml:4:9: expected a prefix such as 0.0.0.0/0 of an enabled network module, "
		  "found \"1.2.3.0/24\"" },
		{ "strata: 1\nmodules: {}\n", "2:10: \"modules\": expected a list of modules, "
		  "found a map" },
		{ "strata: 1\ninterfaces: no\n",
		  "2:13: \"interfaces\": expected a list of interfaces, found \"no\"" },
		{ "strata: 1\nroutes:\n", "2:8: \"routes\": expected a list of routes, found "
		  "nothing" },
		{ "strata: 1\nmodules: [mod_low]\n",
		  "2:11: expected a map of keys and values, found \"mod_low\"" },
		{ "strata: 1\nstack: {log: warn}\n",
		  "2:14: \"log\": expected one of error, warning, info, debug, found \"warn\"; "
		  "did you mean \"warning\"?" },
		{ "strata: 1\nstack: {log: [info]}\n",
		  "2:14: \"log\": expected one of error, warning, info, debug, found a list" },
		{ "strata: 1\nstack: {log: {default: info, mod_lwo: debug}}\nmodules: [{name: "
		  "mod_low}]\n",
		  "2:30: log of \"mod_lwo\": expected the name of a module, found none of that "
		  "name; add `- name: mod_lwo` to modules; did you mean \"mod_low\"?" },
		{ "strata: 1\nmodules: [{name: mod_low, kind: congstion}]\n",
		  "2:33: \"kind\": expected one of link, network, transport, congestion, service, "
		  "found \"congstion\"; did you mean \"congestion\"?" },
		{ "strata: 1\nmodules: [{name: mod_low, options: [a]}]\n",
		  "2:36: \"options\": expected a map of options, found a list" },
	};

	(void)state;
	CHECK(cases);
}

static void refuses_names_that_could_be_paths(void **state)
{
	static const struct told cases[] = {
		{ "strata: 1\nmodules: [{name: ../udp}]\n",
		  "2:18: \"name\": expected a name of letters, digits, '-' and '_', found "
		  "\"../udp\"" },
		{ "strata: 1\nmodules: [{name: a/b}]\n",
		  "2:18: \"name\": expected a name of letters, digits, '-' and '_', found \"a/b\"" },
		{ "strata: 1\nmodules: [{name: [a]}]\n",
		  "2:18: \"name\": expected a name of letters, digits, '-' and '_', found a list" },
		{ "strata: 1\nmodules: [{name: \"\"}]\n",
		  "2:18: \"name\": expected a name of letters, digits, '-' and '_', found \"\"" },
		{ "strata: 1\nmodules: [{name: x, file: ../x}]\n",
		  "2:27: \"file\": expected a name, or a path without \"..\", found \"../x\"; "
		  "write the absolute path" },
		{ "strata: 1\nmodules: [{name: x, file: /a/../x}]\n",
		  "2:27: \"file\": expected a name, or a path without \"..\", found \"/a/../x\"; "
		  "write the absolute path" },
		{ "strata: 1\nmodules: [{name: x, file: /a/}]\n",
		  "2:27: \"file\": expected the name or path of a module file, found \"/a/\"" },
		{ "strata: 1\nstack: {name: ../../etc}\n",
		  "2:15: \"name\": expected a name of letters, digits, '-' and '_', found "
		  "\"../../etc\"" },
		{ "strata: 1\nmodules: [{name: wire}, {name: ethernet}]\ninterfaces: [{name: a/b, "
		  "driver: wire}]\n",
		  "3:21: \"name\": expected a name of letters, digits, '-' and '_', found \"a/b\"" },
		{ "strata: 1\nmodules: [{name: wire}, {name: ethernet}]\n"
		  "interfaces: [{name: abcdefghijklmnop, driver: wire}]\n",
		  "3:21: \"name\": expected a name of at most 15 characters, found "
		  "\"abcdefghijklmnop\"" },
	};

	(void)state;
	CHECK(cases);
}

static void names_both_entries_that_claim_one_name(void **state)
{
	static const struct told cases[] = {
		{ "strata: 1\nmodules:\n  - name: mod_low\n  - name: mod_low\n",
		  "4:11: module name \"mod_low\" is taken: expected it once, first found at "
		  "m.yaml:3:11; remove one entry, or name one otherwise with `file: mod_low`" },
		{ "strata: 1\nmodules: [{name: wire}, {name: ethernet}]\ninterfaces:\n"
		  "  - {name: w0, driver: wire}\n  - {name: w0, driver: wire}\n",
		  "5:12: interface name \"w0\" is taken: expected it once, first found at "
		  "m.yaml:4:12" },
	};

	(void)state;
	CHECK(cases);
	made_accepted("strata: 1\nmodules:\n  - name: mod_low\n  - name: mod_low\n    enabled: "
		      "false\n");
}

static void tells_a_driver_that_is_missing_or_disabled(void **state)
{
	static const struct told cases[] = {
		{ "strata: 1\nmodules:\n  - {name: wire, enabled: false}\n  - name: "
		  "ethernet\ninterfaces:\n  - {name: w0, driver: wire}\n",
		  "6:24: interface \"w0\": driver \"wire\": expected an enabled module, found `enabled: false` at "
		  "m.yaml:3:5" },
		{ "strata: 1\nmodules: [{name: wire}, {name: ethernet}]\ninterfaces:\n"
		  "  - {name: w0, driver: wrie}\n",
		  "4:24: interface \"w0\": driver \"wrie\": expected the name of a module, found none of that name; "
		  "add `- name: wrie` to modules; did you mean \"wire\"?" },
		{ "strata: 1\nmodules: [{name: mod_low}]\ninterfaces:\n  - {name: w0, driver: "
		  "mod_low}\n",
		  "4:24: driver \"mod_low\": expected a link module that drives devices, found "
		  "congestion" },
		{ "strata: 1\nmodules: [{name: ethernet}]\ninterfaces:\n  - {name: w0, driver: "
		  "ethernet}\n",
		  "4:24: driver \"ethernet\": expected a link module that drives devices, found "
		  "one that only frames packets" },
	};

	(void)state;
	CHECK(cases);
}

static void tells_all_faults_at_once(void **state)
{
	(void)state;
	made_refused_exactly("strata: 2\nstack: {sockets: 012, memry: 1}\nmodules:\n  - name: "
			     "mod_lwo\n  - {name: mod_top, options: {levle: 4}}\n",
		"m.yaml:1:9: \"strata\": expected schema version 1, found \"2\"; this manifest is "
		"for a newer Strata\n"
		"m.yaml:2:18: \"sockets\": expected a number from 1 to 1048576, found \"012\"; "
		"write it without leading zeros, or 0x for hex\n"
		"m.yaml:2:23: unknown key \"memry\" in stack: expected one of name, log, memory, "
		"sockets, shards, shard_ring, gro, busy_poll, adaptive_poll; did you mean \"memory\"?\n"
		"m.yaml:4:11: module \"mod_lwo\": expected mod_lwo.so in PATH, found none; did "
		"you mean \"mod_low\"?\n"
		"m.yaml:5:12: missing dependency: mod_top needs the congestion module "
		"\"mod_mid\", found none; add `- name: mod_mid` to modules\n"
		"m.yaml:5:31: unknown option \"levle\": module \"mod_top\" has none of that name; "
		"did you mean \"level\"?\n");
}

static void settings_reach_the_stack(void **state)
{
	struct made made;
	char value[64];

	(void)state;
	made_init(&made);
	made.config.run_dir = "/run/somewhere";
	assert_int_equal(made_from(&made, "strata: 1\nstack:\n  name: lab-1\n  memory: 64MiB\n  "
				   "sockets: 77\n  busy_poll: 50us\n  log: {default: warning, mod_low: "
				   "debug}\nmodules: [{name: mod_low}, {name: mod_mid}]\n"), 0);
	assert_string_equal(made.stack->name, "lab-1");
	assert_string_equal(strata_run_dir(made.stack), "/run/somewhere");
	assert_int_equal(strata_option_get(made.stack, "stack.memory", value, sizeof(value)), 0);
	assert_string_equal(value, "64MiB");
	assert_int_equal(strata_option_get(made.stack, "stack.sockets", value, sizeof(value)), 0);
	assert_string_equal(value, "77");
	assert_int_equal(strata_option_get(made.stack, "stack.busy_poll", value, sizeof(value)), 0);
	assert_string_equal(value, "50us");
	assert_int_equal(strata_option_set(made.stack, "stack.busy_poll", "2s", NULL), -EINVAL);
	assert_int_equal(strata_option_set(made.stack, "stack.busy_poll", "0", NULL), 0);
	assert_int_equal(strata_option_get(made.stack, "stack.log", value, sizeof(value)), 0);
	assert_string_equal(value, "warning");
	assert_int_equal(strata_option_get(made.stack, "mod_low.log", value, sizeof(value)), 0);
	assert_string_equal(value, "debug");
	assert_int_equal(strata_option_get(made.stack, "mod_mid.log", value, sizeof(value)), 0);
	assert_string_equal(value, "warning");
	made_end(&made);
}

static void the_programs_log_level_overrides_the_manifests(void **state)
{
	struct made made;
	char value[64];

	(void)state;
	made_init(&made);
	made.config.log_level = STRATA_LOG_ERROR + 1;
	assert_int_equal(made_from(&made, "strata: 1\nstack: {log: {mod_low: debug}}\n"
				   "modules: [{name: mod_low}]\n"), 0);
	assert_int_equal(strata_option_get(made.stack, "stack.log", value, sizeof(value)), 0);
	assert_string_equal(value, "error");
	assert_int_equal(strata_option_get(made.stack, "mod_low.log", value, sizeof(value)), 0);
	assert_string_equal(value, "error");
	made_end(&made);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_is_wrong_with_the_syntax),
		cmocka_unit_test(refuses_what_makes_yaml_surprising),
		cmocka_unit_test(refuses_a_billion_laughs_at_the_first_alias_and_anchor),
		cmocka_unit_test(refuses_what_is_not_utf8_text),
		cmocka_unit_test(counts_columns_in_characters),
		cmocka_unit_test(takes_line_ends_of_every_kind),
		cmocka_unit_test(takes_tabs_that_indent_nothing),
		cmocka_unit_test(bounds_size_depth_and_number),
		cmocka_unit_test(tells_why_a_file_cannot_be_read),
		cmocka_unit_test(tells_that_there_is_neither_file_nor_text),
		cmocka_unit_test(takes_numbers_written_one_way),
		cmocka_unit_test(takes_true_and_false_alone_as_bool),
		cmocka_unit_test(takes_sizes_with_binary_units),
		cmocka_unit_test(takes_times_with_units),
		cmocka_unit_test(tells_unknown_and_missing_keys),
		cmocka_unit_test(refuses_names_that_could_be_paths),
		cmocka_unit_test(names_both_entries_that_claim_one_name),
		cmocka_unit_test(tells_a_driver_that_is_missing_or_disabled),
		cmocka_unit_test(tells_all_faults_at_once),
		cmocka_unit_test(settings_reach_the_stack),
		cmocka_unit_test(the_programs_log_level_overrides_the_manifests),
	};

	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
