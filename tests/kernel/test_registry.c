/* SPDX-License-Identifier: BSD-2-Clause */
/* How modules are bound, ordered, started, rolled back, switched off and on; and what else a
 * manifest brings up. */
#include "made.h"
#include "mod.h"

#include <strata/network.h>

/* ---- order ---- */

static void records(const char *manifest, int result, const char *wanted)
{
	struct record record = { "" };
	char *text = made_text(manifest, &record);
	struct made made;

	made_init(&made);
	if (made_from(&made, text) != result)
		fail_msg("%s\n%s", text, strata_error_text(&made.error));
	made_end(&made);
	assert_string_equal(record.text, wanted);
	free(text);
}

#define R "options: {record: %R}"

static void starts_what_is_needed_first_and_stops_it_last(void **state)
{
	static const char wanted[] = "+mod_low+mod_mid+mod_top-mod_top-mod_mid-mod_low";

	(void)state;
	records("strata: 1\nmodules:\n  - {name: mod_low, " R "}\n  - {name: mod_mid, " R "}\n"
		"  - {name: mod_top, " R "}\n", 0, wanted);
	records("strata: 1\nmodules:\n  - {name: mod_top, " R "}\n  - {name: mod_mid, " R "}\n"
		"  - {name: mod_low, " R "}\n", 0, wanted);
	records("strata: 1\nmodules:\n  - {name: mod_mid, " R "}\n  - {name: mod_top, " R "}\n"
		"  - {name: mod_low, " R "}\n", 0, wanted);
}

static void services_start_last_and_stop_first(void **state)
{
	(void)state;
	records("strata: 1\nmodules:\n  - {name: mod_service, " R "}\n  - {name: mod_low, " R "}\n"
		"  - {name: another, file: mod_service, " R "}\n", 0,
		"+mod_low+another+mod_service-mod_service-another-mod_low");
}

static void a_failed_start_rolls_back_in_reverse_order(void **state)
{
	(void)state;
	records("strata: 1\nmodules:\n  - {name: mod_top, options: {record: %R, fail: true}}\n"
		"  - {name: mod_mid, " R "}\n  - {name: mod_low, " R "}\n  - {name: mod_service, " R "}\n",
		-ENODEV, "+mod_low+mod_mid!mod_top-mod_mid-mod_low");
	records("strata: 1\nmodules:\n  - {name: mod_low, " R "}\n"
		"  - {name: mod_service, options: {record: %R, fail: true}}\n", -ENODEV,
		"+mod_low!mod_service-mod_low");
}

static void tells_which_module_could_not_start(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, "strata: 1\nmodules: [{name: mod_low, options: {fail: "
				   "true}}]\n"),
			 -ENODEV);
	assert_string_equal(strata_error_text(&made.error),
			    "module \"mod_low\" could not start: No such device\n");
	made_end(&made);
}

static void a_check_starts_nothing(void **state)
{
	struct record record = { "" };
	char *text = made_text("strata: 1\nmodules:\n  - {name: mod_low, options: {record: %R, "
			       "fail: true}}\n",
			       &record);

	(void)state;
	made_accepted(text);
	assert_string_equal(record.text, "");
	free(text);
}

static void nothing_starts_beside_a_fault(void **state)
{
	(void)state;
	records("strata: 1\nmodules:\n  - {name: mod_low, " R "}\n  - {name: mod_mid, options: "
		"{record: %R, leve: 3}}\n", -EINVAL, "");
	records("strata: 1\nmodules:\n  - {name: mod_low, " R "}\nroutes: [{to: 10.0.0.0/8}]\n",
		-EINVAL, "");
}

static void an_entry_that_is_not_enabled_is_not_there(void **state)
{
	(void)state;
	records("strata: 1\nmodules:\n  - {name: mod_low, " R "}\n"
		"  - {name: mod_nowhere, enabled: false, options: {any: thing}}\n"
		"  - {name: mod_service, enabled: false, " R "}\n", 0, "+mod_low-mod_low");
}

/* ---- dependencies ---- */

static void tells_missing_dependencies(void **state)
{
	(void)state;
	made_refused_exactly("strata: 1\nmodules:\n  - name: mod_top\n",
		"m.yaml:3:11: missing dependency: mod_top needs the congestion module "
		"\"mod_mid\", found none; add `- name: mod_mid` to modules\n");
	made_refused_exactly("strata: 1\nmodules:\n  - name: mod_mid\n  - name: mod_low\n    "
			     "enabled: false\n",
		"m.yaml:3:11: missing dependency: mod_mid needs the congestion module "
		"\"mod_low\", found none; \"mod_low\" has `enabled: false` at line 4\n");
	made_refused_exactly("strata: 1\nmodules:\n  - name: mod_number\n    number: 200\n",
		"m.yaml:3:11: missing dependency: mod_number needs the network module with number "
		"34998 (0x88b6), found none; add it to modules\n");
	made_accepted("strata: 1\nmodules:\n  - {name: mod_number, number: 200}\n  - {name: "
		      "mod_net, number: 0x88b6}\n");
}

/* ---- modules that options name ---- */

static void what_an_option_names_starts_first(void **state)
{
	(void)state;
	records("strata: 1\nmodules:\n  - {name: mod_naming, " R "}\n  - {name: mod_low, " R "}\n", 0,
		"+mod_low+mod_naming-mod_naming-mod_low");
}

static void what_an_option_names_need_not_stand_in_the_manifest(void **state)
{
	(void)state;
	made_accepted("strata: 1\nmodules:\n  - name: mod_naming\n");
	made_accepted("strata: 1\nmodules:\n  - {name: mod_naming, options: {helper: mod_low}}\n");
}

static void tells_what_is_wrong_with_a_module_that_an_option_names(void **state)
{
	(void)state;
	made_refused_exactly("strata: 1\nmodules:\n  - name: mod_naming\n  - name: mod_low\n    "
			     "enabled: false\n",
		"m.yaml:3:11: missing dependency: option \"helper\" of module \"mod_naming\": expected "
		"an enabled congestion module, found \"mod_low\" with `enabled: false` at line 4\n");
	made_refused_exactly("strata: 1\nmodules:\n  - {name: mod_naming, options: {helper: "
			     "mod_nowhere}}\n",
		"m.yaml:3:42: missing dependency: option \"helper\" of module \"mod_naming\": expected "
		"the name of a congestion module, found none of name \"mod_nowhere\" on the module "
		"path; `strata module list` shows what there is\n");
	made_refused_exactly("strata: 1\nmodules:\n  - {name: mod_naming, options: {helper: "
			     "mod_service}}\n",
		"m.yaml:3:42: option \"helper\" of module \"mod_naming\": expected a congestion "
		"module, found \"mod_service\", a service module\n");
	made_refused_exactly("strata: 1\nmodules:\n  - {name: mod_naming, options: {helper: ../x}}\n",
		"m.yaml:3:42: option \"helper\" of module \"mod_naming\": expected the name of a "
		"congestion module, of letters, digits, `_` and `-`, found \"../x\"\n");
}

static void a_module_that_cannot_be_loaded_is_one_fault(void **state)
{
	(void)state;
	made_refused_exactly("strata: 1\nmodules:\n  - name: wire\n  - {name: ethernet, file: "
			     "mod_nowhere}\n  - {name: ipv4, enabled: false}\ninterfaces:\n"
			     "  - {name: w0, driver: wire, addresses: [192.0.2.1/24]}\n",
		"m.yaml:4:28: module \"ethernet\": expected mod_nowhere.so in PATH, found none; install "
		"it, or say where it is with `file:`\n");
}

static void prints_the_circle(void **state)
{
	(void)state;
	made_refused_exactly("strata: 1\nmodules: [{name: mod_c}, {name: mod_b}, {name: mod_a}]\n",
		"m.yaml:2:48: circular dependency: mod_a → mod_b → mod_c → mod_a; expected an "
		"order in which each module starts after what it needs\n");
	made_refused_exactly("strata: 1\nmodules: [{name: mod_self}]\n",
		"m.yaml:2:18: circular dependency: mod_self → mod_self; expected an order in "
		"which each module starts after what it needs\n");
	made_refused_exactly("strata: 1\nmodules: [{name: mod_needy}, {name: mod_service}]\n",
		"m.yaml:2:18: mod_needy needs the service \"mod_service\": expected no such need, "
		"since services start last\n");
}

/* ---- kinds and numbers ---- */

static void names_both_modules_that_claim_one_number(void **state)
{
	(void)state;
	made_refused_exactly("strata: 1\nmodules:\n  - {name: mod_net, number: 0x88b6}\n"
			     "  - {name: net2, file: mod_net, number: 0x88b6}\n",
		"m.yaml:4:41: network number 34998 (0x88b6) is taken: wanted by module \"net2\", "
		"first claimed by module \"mod_net\" at m.yaml:3:12; give one another `number:`\n");
	made_refused_exactly("strata: 1\nmodules:\n  - {name: mod_net, number: 0x88b6}\n"
			     "  - {name: mod_number, number: 200}\n"
			     "  - {name: number2, file: mod_number, number: 200}\n",
		"m.yaml:5:47: transport number 200 (0x00c8) is taken: wanted by module "
		"\"number2\", first claimed by module \"mod_number\" at m.yaml:4:12; give one "
		"another `number:`\n");
}

static void checks_the_range_of_numbers_by_kind(void **state)
{
	(void)state;
	made_refused_exactly("strata: 1\nmodules: [{name: mod_net, number: 1535}]\n",
		"m.yaml:2:35: module \"mod_net\": expected a number from 0x0600 to 0xffff, found "
		"1535\n");
	made_refused_exactly("strata: 1\nmodules: [{name: mod_net}]\n",
		"m.yaml:2:18: module \"mod_net\": expected `number:` from 0x0600 to 0xffff, found "
		"none, and the module claims none\n");
	made_refused_exactly("strata: 1\nmodules: [{name: mod_net, number: 65536}]\n",
		"m.yaml:2:35: \"number\": expected a number from 1 to 65535, found \"65536\"\n"
		"m.yaml:2:18: module \"mod_net\": expected `number:` from 0x0600 to 0xffff, found "
		"none, and the module claims none\n");
	made_refused_exactly("strata: 1\nmodules: [{name: mod_number, number: 256}, {name: "
			     "mod_net, number: 0x88b6}]\n",
		"m.yaml:2:38: module \"mod_number\": expected a number from 1 to 255, found 256\n");
	made_refused_exactly("strata: 1\nmodules: [{name: mod_low, number: 3}]\n",
		"m.yaml:2:35: module \"mod_low\": expected no number, since a congestion module "
		"is bound by its name, found 3\n");
}

static void checks_the_kind_where_it_is_given(void **state)
{
	char told[8192];

	(void)state;
	snprintf(told, sizeof(told), "m.yaml:2:33: module \"mod_low\": expected kind congestion, "
		 "which %s/mod_low.so is, found link\n", made_directory());
	made_refused_exactly("strata: 1\nmodules: [{name: mod_low, kind: link}]\n", told);
	made_accepted("strata: 1\nmodules: [{name: mod_low, kind: congestion}]\n");
}

static void modules_are_found_by_name_and_number(void **state)
{
	struct made made;
	struct strata_instance *found;

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, "strata: 1\nmodules:\n  - {name: mod_net, number: "
				   "0x88b6}\n  - {name: rnum, file: mod_number, number: 253}\n"),
				   0);
	found = strata_instance_by_number(made.stack, STRATA_TRANSPORT, 253);
	assert_non_null(found);
	assert_string_equal(found->name, "rnum");
	assert_string_equal(found->module->name, "mod_number");
	assert_int_equal(found->number, 253);
	assert_true(found->running);
	assert_ptr_equal(strata_instance_by_name(made.stack, STRATA_TRANSPORT, "rnum"), found);
	assert_null(strata_instance_by_name(made.stack, STRATA_LINK, "rnum"));
	assert_null(strata_instance_by_name(made.stack, STRATA_TRANSPORT, "mod_number"));
	assert_null(strata_instance_by_number(made.stack, STRATA_NETWORK, 253));
	assert_non_null(strata_instance_by_number(made.stack, STRATA_NETWORK, 0x88b6));
	assert_null(strata_instance_by_number(made.stack, STRATA_CONGESTION, 0));
	assert_true(strata_transport_bound(made.stack, 253));
	assert_false(strata_transport_bound(made.stack, 252));
	made_end(&made);
}

/* ---- services that a program wants ---- */

static void implied_services_come_unless_the_manifest_speaks_of_them(void **state)
{
	static const char *const implied[] = { "mod_service", "mod_absent", NULL };
	static const struct {
		const char *manifest;
		bool there;
	} cases[] = {
		{ "strata: 1\n", true },
		{ "strata: 1\nmodules: [{name: mod_service, enabled: false}]\n", false },
		{ "strata: 1\nmodules: [{name: mod_service}]\n", true },
	};
	struct made made;

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		made_init(&made);
		made.config.implied_services = implied;
		assert_int_equal(made_from(&made, cases[i].manifest), 0);
		assert_int_equal(strata_instance_by_name(made.stack, STRATA_SERVICE,
							 "mod_service") != NULL,
				 cases[i].there);
		made_end(&made);
	}
}

/* ---- off and on ---- */

static void a_module_is_switched_off_and_on(void **state)
{
	struct record record = { "" };
	char *text = made_text("strata: 1\nmodules:\n  - {name: mod_low, " R "}\n  - {name: "
			       "mod_mid, " R "}\n",
			       &record);
	struct made made;
	struct strata_error error = { 0 };

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, text), 0);
	assert_int_equal(strata_option_set(made.stack, "mod_mid.level", "9", NULL), 0);
	record.text[0] = '\0';
	assert_int_equal(strata_module_disable(made.stack, "mod_mid", &error), 0);
	assert_string_equal(record.text, "-mod_mid");
	assert_null(strata_instance_by_name(made.stack, STRATA_CONGESTION, "mod_mid"));
	assert_int_equal(strata_module_disable(made.stack, "mod_mid", &error), -EALREADY);
	assert_string_equal(strata_error_text(&error), "module \"mod_mid\" is already disabled\n");
	strata_error_clear(&error);
	assert_int_equal(strata_module_enable(made.stack, "mod_mid", &error), 0);
	assert_string_equal(record.text, "-mod_mid+mod_mid");
	assert_non_null(strata_instance_by_name(made.stack, STRATA_CONGESTION, "mod_mid"));
	assert_int_equal(strata_module_enable(made.stack, "mod_mid", &error), -EALREADY);
	strata_error_clear(&error);
	assert_int_equal(strata_module_enable(made.stack, "mod_none", &error), -ENOENT);
	assert_string_equal(strata_error_text(&error), "module \"mod_none\" is not in the stack; "
			    "a reload brings back what the manifest has\n");
	strata_error_clear(&error);
	made_end(&made);
	free(text);
}

static void what_others_need_is_not_switched_off(void **state)
{
	struct made made;
	struct strata_error error = { 0 };

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, "strata: 1\nmodules: [{name: mod_low}, {name: mod_mid}, "
				   "{name: wire}, {name: ethernet}]\ninterfaces: [{name: w0, "
				   "driver: wire}]\n"), 0);
	assert_int_equal(strata_module_disable(made.stack, "mod_low", &error), -EBUSY);
	assert_string_equal(strata_error_text(&error),
			    "module \"mod_low\" is needed by module \"mod_mid\"; disable that "
			    "first\n");
	strata_error_clear(&error);
	assert_int_equal(strata_module_disable(made.stack, "ethernet", &error), -EBUSY);
	assert_non_null(strstr(strata_error_text(&error), "module \"ethernet\" is needed by "
			       "interface \"w0\"; take that out of the manifest first\n"));
	strata_error_clear(&error);
	assert_int_equal(strata_module_disable(made.stack, "wire", &error), -EBUSY);
	strata_error_clear(&error);
	assert_int_equal(strata_module_disable(made.stack, "mod_mid", &error), 0);
	assert_int_equal(strata_module_disable(made.stack, "mod_low", &error), 0);
	assert_int_equal(strata_module_enable(made.stack, "mod_mid", &error), -EBUSY);
	assert_string_equal(strata_error_text(&error), "module \"mod_mid\" needs module "
			    "\"mod_low\", which is disabled; enable that first\n");
	strata_error_clear(&error);
	made_end(&made);
}

static void a_module_that_cannot_start_again_stays_off(void **state)
{
	struct record record = { "" };
	char *text = made_text("strata: 1\nmodules: [{name: mod_low, " R "}]\n", &record);
	struct strata_error error = { 0 };
	struct mod_config *config;
	struct made made;

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, text), 0);
	config = strata_instance_by_name(made.stack, STRATA_CONGESTION, "mod_low")->config;
	assert_int_equal(strata_module_disable(made.stack, "mod_low", &error), 0);
	config->fail = true;
	assert_int_equal(strata_module_enable(made.stack, "mod_low", &error), -ENODEV);
	assert_string_equal(strata_error_text(&error),
			    "module \"mod_low\" could not start: No such device\n");
	strata_error_clear(&error);
	assert_null(strata_instance_by_name(made.stack, STRATA_CONGESTION, "mod_low"));
	config->fail = false;
	assert_int_equal(strata_module_enable(made.stack, "mod_low", &error), 0);
	made_end(&made);
	assert_string_equal(record.text, "+mod_low-mod_low!mod_low+mod_low-mod_low");
	free(text);
}

static unsigned int count_addresses(struct strata_stack *stack)
{
	unsigned int count = 0;
	struct strata_ifaddr *a = strata_ifaddr_first(strata_iface_by_name(stack, "w0"));

	for (; a != NULL; a = a->next)
		count++;
	return count;
}

static void count_route(void *ctx, const struct strata_route *route)
{
	(void)route;
	(*(unsigned int *)ctx)++;
}

static unsigned int count_routes(struct strata_stack *stack)
{
	unsigned int count = 0;

	strata_inspect_routes(stack, count_route, &count);
	return count;
}

static const char network[] =
	"strata: 1\nmodules: [{name: wire}, {name: ethernet}, {name: arp}, {name: ipv4}]\n"
	"interfaces:\n  - {name: w0, driver: wire, addresses: [192.0.2.1/24, 198.51.100.1/24]}\n"
	"routes: [{to: 0.0.0.0/0, via: 192.0.2.9}]\n";

static void a_manifest_brings_up_interfaces_addresses_and_routes(void **state)
{
	struct made made;
	struct strata_iface *iface;

	(void)state;
	made_init(&made);
	if (made_from(&made, network) != 0)
		fail_msg("%s", strata_error_text(&made.error));
	iface = strata_iface_by_name(made.stack, "w0");
	assert_non_null(iface);
	assert_true((iface->flags & STRATA_IFACE_UP) != 0);
	assert_int_equal(count_addresses(made.stack), 2);
	assert_int_equal(count_routes(made.stack), 3);
	made_end(&made);
	made_accepted(network);
}

/* Switches ipv4 off and on, and looks at what is left meanwhile. */
static void switch_network(const char *manifest, unsigned int addresses, unsigned int routes)
{
	struct made made;
	struct strata_error error = { 0 };

	made_init(&made);
	assert_int_equal(made_from(&made, manifest), 0);
	for (int i = 0; i < 100; i++) {
		if (strata_module_disable(made.stack, "ipv4", &error) != 0)
			fail_msg("%s", strata_error_text(&error));
		assert_null(strata_instance_by_number(made.stack, STRATA_NETWORK, 0x0800));
		assert_int_equal(count_addresses(made.stack), addresses);
		assert_int_equal(count_routes(made.stack), routes);
		strata_run(made.stack, strata_now(made.stack) + STRATA_SEC);
		assert_int_equal(strata_module_enable(made.stack, "ipv4", &error), 0);
		assert_int_equal(count_addresses(made.stack), 2);
		assert_int_equal(count_routes(made.stack), 3);
		strata_run(made.stack, strata_now(made.stack) + STRATA_SEC);
	}
	assert_int_equal(strata_module_disable(made.stack, "ipv4", &error), 0);
	made_end(&made);
}

static void addresses_stay_while_another_module_reads_them(void **state)
{
	(void)state;
	switch_network(network, 2, 3);
}

static void addresses_go_with_the_only_module_that_reads_them_and_come_back(void **state)
{
	(void)state;
	switch_network("strata: 1\nmodules: [{name: wire}, {name: ethernet}, {name: ipv4}]\n"
		       "interfaces:\n  - {name: w0, driver: wire, addresses: [192.0.2.1/24, "
		       "198.51.100.1/24]}\nroutes: [{to: 0.0.0.0/0, via: 192.0.2.9}]\n", 0, 1);
}

static void a_resolver_is_switched_off_and_on(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, network), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(strata_module_disable(made.stack, "arp", NULL), 0);
		assert_int_equal(count_addresses(made.stack), 2);
		strata_run(made.stack, strata_now(made.stack) + STRATA_SEC);
		assert_int_equal(strata_module_enable(made.stack, "arp", NULL), 0);
		strata_run(made.stack, strata_now(made.stack) + STRATA_SEC);
	}
	made_end(&made);
}

static void an_interface_may_stay_down(void **state)
{
	struct made made;

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, "strata: 1\nmodules: [{name: wire}, {name: ethernet}, "
				   "{name: arp}, {name: ipv4}]\ninterfaces:\n"
				   "  - {name: w0, driver: wire, up: false, addresses: "
				   "[192.0.2.1/24]}\n"), 0);
	assert_int_equal(strata_iface_by_name(made.stack, "w0")->flags & STRATA_IFACE_UP, 0);
	made_end(&made);
}

/* ---- interfaces, addresses, routes ---- */

#define IP "strata: 1\nmodules: [{name: wire}, {name: ethernet}, {name: arp}, {name: ipv4}, " \
"{name: mod_low}]\n"

static void tells_what_is_wrong_with_interfaces(void **state)
{
	static const char *const cases[][2] = {
		{ "interfaces: [{name: w0, driver: wire, mtu: 20}]\n", "m.yaml:3:44: " },
		{ "interfaces: [{name: w0, driver: wire, mtu: 65536}]\n",
		  "m.yaml:3:44: \"mtu\": expected a number from 1 to 65535, found \"65536\"\n" },
		{ "interfaces: [{name: w0, driver: wire, mac: zz}]\n", "m.yaml:3:44: " },
		{ "interfaces: [{name: w0, driver: wire, options: {mediun: ip}}]\n",
		  "m.yaml:3:49: unknown option \"mediun\": driver \"wire\" has none of that name; "
		  "did you mean \"medium\"?\n" },
		{ "interfaces: [{name: w0, driver: wire, addresses: 192.0.2.1/24}]\n",
		  "m.yaml:3:50: \"addresses\": expected a list of addresses such as "
		  "[192.0.2.2/24], found \"192.0.2.1/24\"\n" },
		{ "interfaces: [{name: w0, driver: wire, addresses: [192.0.2.256/24]}]\n",
		  "m.yaml:3:51: expected address/bits such as 192.0.2.2/24 of an enabled network "
		  "module, found \"192.0.2.256/24\"\n" },
		{ "interfaces: [{name: w0, driver: wire, addresses: [192.0.2.1/33]}]\n",
		  "m.yaml:3:51: expected address/bits such as 192.0.2.2/24 of an enabled network "
		  "module, found \"192.0.2.1/33\"\n" },
		{ "interfaces: [{name: w0, driver: wire, addresses: [192.0.2.1]}]\n",
		  "m.yaml:3:51: expected address/bits such as 192.0.2.2/24, found \"192.0.2.1\" "
		  "without its bits\n" },
		{ "interfaces: [{name: w0, driver: wire, addresses: [224.0.0.1/24]}]\n",
		  "m.yaml:3:51: expected a unicast address, found 224.0.0.1/24\n" },
		{ "interfaces: [{name: w0, driver: wire, addresses: [192.0.2.255/24]}]\n",
		  "m.yaml:3:51: expected an address of a host, found 192.0.2.255/24, which is the prefix's "
		  "own number or its broadcast address\n" },
		{ "interfaces: [{name: w0, driver: wire, addresses: [[a]]}]\n",
		  "m.yaml:3:51: expected address/bits such as 192.0.2.2/24 of an enabled network "
		  "module, found a list\n" },
		{ "interfaces:\n  - {name: w0, driver: wire, addresses: [192.0.2.1/24]}\n"
		  "  - {name: w1, driver: wire, addresses: [192.0.2.2/24, 192.0.2.1/16]}\n",
		  "m.yaml:5:56: address 192.0.2.1/16 is taken: expected it once, first found at "
		  "m.yaml:4:42\n" },
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		snprintf(text, sizeof(text), IP "%s", cases[i][0]);
		made_refused(text, cases[i][1]);
	}
}

static void tells_what_is_wrong_with_routes(void **state)
{
	static const char *const cases[][2] = {
		{ "{to: 192.0.2.5/24, interface: w0}",
		  "m.yaml:5:10: expected no bits set beyond the first 24, found 192.0.2.5/24; did "
		  "you mean \"192.0.2.0/24\"?\n" },
		{ "{to: default, via: 192.0.2.9}",
		  "m.yaml:5:10: expected a prefix such as 0.0.0.0/0 of an enabled network module, "
		  "found \"default\"\n" },
		{ "{to: 0.0.0.0/0}", "m.yaml:5:5: missing key \"via\": expected it, or "
		  "\"interface\", in a route\n" },
		{ "{via: 192.0.2.9}", "m.yaml:5:5: missing key \"to\": expected in a route\n" },
		{ "{to: 0.0.0.0/0, via: 10.0.0.1}",
		  "m.yaml:5:26: gateway 10.0.0.1: expected it in the prefix of an interface's "
		  "address, found it in none; name its `interface:`\n" },
		{ "{to: 0.0.0.0/0, via: 192.0.2.9/24}",
		  "m.yaml:5:26: expected an address without bits, found \"192.0.2.9/24\"\n" },
		{ "{to: 0.0.0.0/0, via: 192.0.2.9, interface: w1}",
		  "m.yaml:5:48: interface \"w1\": expected a name out of `interfaces:`, found "
		  "none of that name; did you mean \"w0\"?\n" },
		{ "{to: 0.0.0.0/0, via: 192.0.2.9, src: 192.0.2.7}",
		  "m.yaml:5:42: src 192.0.2.7: expected an address of an interface, found none "
		  "that has it\n" },
		{ "{to: 0.0.0.0/0, via: 192.0.2.9, congestion: mod_lwo}",
		  "m.yaml:5:49: congestion \"mod_lwo\": expected the name of a module, found none "
		  "of that name; add `- name: mod_lwo` to modules; did you mean \"mod_low\"?\n" },
		{ "{to: 0.0.0.0/0, via: 192.0.2.9, congestion: ipv4}",
		  "m.yaml:5:49: congestion \"ipv4\": expected a congestion module, found a "
		  "network module\n" },
		{ "{to: 0.0.0.0/0, via: 192.0.2.9, mtu: 67}",
		  "m.yaml:5:5: mtu: expected at least 68 (network module \"ipv4\"), found 67\n" },
		{ "{to: 0.0.0.0/0, via: 192.0.2.9}\n  - {to: 0.0.0.0/0, via: 192.0.2.9}",
		  "m.yaml:6:5: route to 0.0.0.0/0 is taken: expected it once with this way and "
		  "metric, first found at m.yaml:5:5\n" },
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		snprintf(text, sizeof(text), IP "interfaces: [{name: w0, driver: wire, addresses: "
			 "[192.0.2.1/24]}]\nroutes:\n  - %s\n", cases[i][0]);
		made_refused_exactly(text, cases[i][1]);
	}
	made_accepted(IP "interfaces: [{name: w0, driver: wire, addresses: "
		      "[192.0.2.1/24]}]\nroutes:\n  - {to: 0.0.0.0/0, via: 192.0.2.9, src: "
		      "192.0.2.1, metric: 5, mtu: 1400, congestion: mod_low}\n  - {to: 0.0.0.0/0, "
		      "via: 192.0.2.9, metric: 6}\n  - {to: 198.51.100.0/24, interface: w0}\n");
}

/* ---- memory ---- */

static void every_allocation_may_fail(void **state)
{
	struct made made;
	int result = -ENOMEM;

	(void)state;
	for (uint64_t k = 1; result != 0; k++) {
		made_init(&made);
		made.fail_at = k;
		made.fail_forever = k % 2 == 0;
		result = made_from(&made, network);
		if (result != 0 && result != -ENOMEM && result != -ENOBUFS)
			fail_msg("allocation %d: %s", (int)k, strata_error_text(&made.error));
		assert_int_equal(made.stack != NULL, result == 0);
		assert_int_equal(made.error.count > 0, result != 0);
		made_end(&made);
	}
}

/* ---- looking ---- */

static void note_view(void *ctx, const struct strata_module_view *view)
{
	char *text = ctx;

	snprintf(text + strlen(text), 512 - strlen(text), "%s %s\n", view->instance->name,
		 view->state);
}

static void inspection_shows_the_kernel_first_then_the_order_of_start(void **state)
{
	struct made made;
	char text[512] = "";

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, "strata: 1\nmodules: [{name: mod_service}, {name: "
				   "mod_mid}, {name: mod_low}, {name: mod_top, enabled: false}]\n"),
				   0);
	assert_int_equal(strata_module_disable(made.stack, "mod_mid", NULL), 0);
	strata_inspect_modules(made.stack, note_view, text);
	assert_string_equal(text, "kernel running\nmod_low running\nmod_mid disabled\nmod_service "
			    "running\n");
	made_end(&made);
}

static void draining_asks_the_services(void **state)
{
	struct record record = { "" };
	char *text = made_text("strata: 1\nmodules: [{name: mod_service, " R "}]\n", &record);
	struct made made;

	(void)state;
	made_init(&made);
	assert_int_equal(made_from(&made, text), 0);
	strata_stack_drain(made.stack);
	assert_string_equal(record.text, "+mod_service~mod_service");
	assert_true(strata_stack_idle(made.stack));
	made_end(&made);
	free(text);
}

static void every_kind_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(strata_kind_name(STRATA_LINK), "link");
	assert_string_equal(strata_kind_name(STRATA_SERVICE), "service");
	assert_string_equal(strata_kind_name(STRATA_KINDS), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_what_is_needed_first_and_stops_it_last),
		cmocka_unit_test(services_start_last_and_stop_first),
		cmocka_unit_test(a_failed_start_rolls_back_in_reverse_order),
		cmocka_unit_test(tells_which_module_could_not_start),
		cmocka_unit_test(a_check_starts_nothing),
		cmocka_unit_test(nothing_starts_beside_a_fault),
		cmocka_unit_test(an_entry_that_is_not_enabled_is_not_there),
		cmocka_unit_test(tells_missing_dependencies),
		cmocka_unit_test(what_an_option_names_starts_first),
		cmocka_unit_test(what_an_option_names_need_not_stand_in_the_manifest),
		cmocka_unit_test(tells_what_is_wrong_with_a_module_that_an_option_names),
		cmocka_unit_test(a_module_that_cannot_be_loaded_is_one_fault),
		cmocka_unit_test(prints_the_circle),
		cmocka_unit_test(names_both_modules_that_claim_one_number),
		cmocka_unit_test(checks_the_range_of_numbers_by_kind),
		cmocka_unit_test(checks_the_kind_where_it_is_given),
		cmocka_unit_test(modules_are_found_by_name_and_number),
		cmocka_unit_test(implied_services_come_unless_the_manifest_speaks_of_them),
		cmocka_unit_test(a_module_is_switched_off_and_on),
		cmocka_unit_test(what_others_need_is_not_switched_off),
		cmocka_unit_test(a_module_that_cannot_start_again_stays_off),
		cmocka_unit_test(a_manifest_brings_up_interfaces_addresses_and_routes),
		cmocka_unit_test(addresses_stay_while_another_module_reads_them),
		cmocka_unit_test(addresses_go_with_the_only_module_that_reads_them_and_come_back),
		cmocka_unit_test(a_resolver_is_switched_off_and_on),
		cmocka_unit_test(an_interface_may_stay_down),
		cmocka_unit_test(tells_what_is_wrong_with_interfaces),
		cmocka_unit_test(tells_what_is_wrong_with_routes),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(inspection_shows_the_kernel_first_then_the_order_of_start),
		cmocka_unit_test(draining_asks_the_services),
		cmocka_unit_test(every_kind_has_a_name),
	};

	return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
