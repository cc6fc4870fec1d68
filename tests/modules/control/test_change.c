/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing a running stack over the control socket: what is done, and what each refusal says. */
#include "house.h"

#include <sys/socket.h>
#include <unistd.h>

/* The entry of a table whose member `key` is `value`; borrowed from `*table`, NULL: there is none. */
static json_t *find(struct house *h, int fd, const char *what, const char *key, const char *value,
		    json_t **table)
{
	char members[128];
	json_t *entry;
	size_t i;

	snprintf(members, sizeof(members), "'method':'show','what':'%s'", what);
	*table = ask_ok(h, fd, members);
	json_array_foreach(*table, i, entry)
		if (json_is_string(json_object_get(entry, key)) &&
		    strcmp(json_string_value(json_object_get(entry, key)), value) == 0)
			return entry;
	return NULL;
}

static bool has(struct house *h, int fd, const char *what, const char *key, const char *value)
{
	json_t *table;
	bool found = find(h, fd, what, key, value, &table) != NULL;

	json_decref(table);
	return found;
}

static void expect_member(struct house *h, int fd, const char *what, const char *key, const char *value,
			  const char *member, const char *expected)
{
	json_t *table, *entry = find(h, fd, what, key, value, &table);

	assert_non_null(entry);
	assert_string_equal(json_string_value(json_object_get(entry, member)), expected);
	json_decref(table);
}

static void done(struct house *h, int fd, const char *members)
{
	json_decref(ask_ok(h, fd, members));
}

static void finish(struct house *h, int fd)
{
	close(fd);
	settle(h);
	house_close(h);
}

static void an_option_can_be_read_and_set(void **state)
{
	struct house h;
	json_t *result;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = client(&h);
	result = ask_ok(&h, fd, "'method':'option.get','name':'tcp.sack'");
	assert_string_equal(json_string_value(json_object_get(result, "name")), "tcp.sack");
	assert_string_equal(json_string_value(json_object_get(result, "value")), "true");
	json_decref(result);
	result = ask_ok(&h, fd, "'method':'option.set','name':'tcp.sack','value':'off'");
	assert_string_equal(json_string_value(json_object_get(result, "value")), "false");
	json_decref(result);
	done(&h, fd, "'method':'option.set','name':'tcp.log','value':'debug'");
	result = ask_ok(&h, fd, "'method':'option.get','name':'tcp.log'");
	assert_string_equal(json_string_value(json_object_get(result, "value")), "debug");
	json_decref(result);
	finish(&h, fd);
}

static void every_option_is_shown_with_its_value(void **state)
{
	static const struct {
		const char *module, *interface, *option, *value, *fallback;
		bool runtime;
	} expected[] = {
		{ "stack", NULL, "log", "warning", NULL, true },
		{ "stack", NULL, "name", "default", NULL, false },
		{ "tcp", NULL, "sack", "false", "true", true },
		{ "tcp", NULL, "congestion", "newreno", "cubic", true },
		{ "tcp", NULL, "rto_max", "1min", "1min", true },
		{ "udp", NULL, "log", "debug", NULL, true },
		{ "control", NULL, "group", NULL, NULL, false },
		{ NULL, "w0", "medium", "ethernet", "ethernet", false },
	};
	json_t *table = json_array(), *page, *entry;
	char members[96];
	size_t i, j, seen = 0;
	struct house h;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = client(&h);
	done(&h, fd, "'method':'option.set','name':'stack.log','value':'warning'");
	done(&h, fd, "'method':'option.set','name':'udp.log','value':'debug'");
	done(&h, fd, "'method':'option.set','name':'tcp.sack','value':'off'");
	do {
		snprintf(members, sizeof(members), "'method':'show','what':'options','from':%zu",
			 json_array_size(table));
		page = ask_ok(&h, fd, members);
		assert_int_equal(json_array_extend(table, page), 0);
		j = json_array_size(page);
		json_decref(page);
	} while (j != 0);
	json_array_foreach(table, i, entry) {
		const char *module = json_string_value(json_object_get(entry, "module"));
		const char *interface = json_string_value(json_object_get(entry, "interface"));

		assert_true((module == NULL) != (interface == NULL));
		for (j = 0; j < STRATA_COUNT(expected); j++) {
			const char *value = json_string_value(json_object_get(entry, "value"));
			const char *fallback = json_string_value(json_object_get(entry, "default"));

			if (strcmp(json_string_value(json_object_get(entry, "option")), expected[j].option) != 0 ||
			    (module != NULL ? expected[j].module == NULL ||
			     strcmp(module, expected[j].module) != 0 : expected[j].interface == NULL ||
			     strcmp(interface, expected[j].interface) != 0))
				continue;
			assert_int_equal(value == NULL, expected[j].value == NULL);
			assert_int_equal(fallback == NULL, expected[j].fallback == NULL);
			if (value != NULL)
				assert_string_equal(value, expected[j].value);
			if (fallback != NULL)
				assert_string_equal(fallback, expected[j].fallback);
			assert_int_equal(json_is_true(json_object_get(entry, "runtime")),
					 expected[j].runtime);
			seen++;
		}
	}
	assert_int_equal(seen, STRATA_COUNT(expected));
	json_decref(table);
	finish(&h, fd);
}

static void an_address_can_be_added_and_removed(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = client(&h);
	done(&h, fd, "'method':'address.add','interface':'w0','address':'198.51.100.7/24'");
	assert_true(has(&h, fd, "addresses", "address", "198.51.100.7"));
	assert_true(has(&h, fd, "routes", "to", "198.51.100.0/24"));
	done(&h, fd, "'method':'address.remove','interface':'w0','address':'198.51.100.7/24'");
	assert_false(has(&h, fd, "addresses", "address", "198.51.100.7"));
	assert_false(has(&h, fd, "routes", "to", "198.51.100.0/24"));
	finish(&h, fd);
}

static void a_route_can_be_added_and_removed(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = client(&h);
	done(&h, fd, "'method':'route.add','to':'203.0.113.0/24','via':'192.0.2.1','src':'192.0.2.2',"
	     "'metric':5,'mtu':1400,'congestion':'newreno'");
	expect_member(&h, fd, "routes", "to", "203.0.113.0/24", "via", "192.0.2.1");
	expect_member(&h, fd, "routes", "to", "203.0.113.0/24", "source", "192.0.2.2");
	expect_member(&h, fd, "routes", "to", "203.0.113.0/24", "interface", "w0");
	expect_member(&h, fd, "routes", "to", "203.0.113.0/24", "congestion", "newreno");
	expect_member(&h, fd, "routes", "to", "203.0.113.0/24", "origin", "added");
	ask_refused(&h, fd, "'method':'route.remove','to':'203.0.113.0/24','via':'192.0.2.1'", "not_found",
		    "with metric 0");
	done(&h, fd, "'method':'route.remove','to':'203.0.113.0/24','via':'192.0.2.1','metric':5");
	assert_false(has(&h, fd, "routes", "to", "203.0.113.0/24"));
	finish(&h, fd);
}

static void a_neighbour_can_be_added_and_removed(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = client(&h);
	done(&h, fd, "'method':'neighbour.add','interface':'w0','address':'192.0.2.1',"
	     "'mac':'02:00:00:00:00:01'");
	expect_member(&h, fd, "neighbours", "address", "192.0.2.1", "mac", "02:00:00:00:00:01");
	expect_member(&h, fd, "neighbours", "address", "192.0.2.1", "state", "PERMANENT");
	done(&h, fd, "'method':'neighbour.remove','interface':'w0','address':'192.0.2.1'");
	assert_false(has(&h, fd, "neighbours", "address", "192.0.2.1"));
	finish(&h, fd);
}

static void a_module_can_be_disabled_and_enabled(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = client(&h);
	done(&h, fd, "'method':'module.disable','name':'udp'");
	expect_member(&h, fd, "modules", "name", "udp", "state", "disabled");
	ask_refused(&h, fd, "'method':'module.disable','name':'udp'", "exists", "already disabled");
	done(&h, fd, "'method':'module.enable','name':'udp'");
	expect_member(&h, fd, "modules", "name", "udp", "state", "running");
	finish(&h, fd);
}

static void a_module_can_be_loaded_and_unloaded(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = client(&h);
	done(&h, fd, "'method':'module.load','name':'late','file':'udp','number':253,"
	     "'options':{'rcvbuf':'64KiB','zero_checksum':true}");
	expect_member(&h, fd, "modules", "name", "late", "state", "running");
	ask_refused(&h, fd, "'method':'module.load','name':'late'", "exists", "there already");
	done(&h, fd, "'method':'module.unload','name':'late'");
	assert_false(has(&h, fd, "modules", "name", "late"));
	finish(&h, fd);
}

static void an_interface_can_be_set(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = client(&h);
	done(&h, fd, "'method':'interface.set','name':'w0','up':false");
	expect_member(&h, fd, "interfaces", "name", "w0", "state", "down");
	done(&h, fd, "'method':'interface.set','name':'w0','mtu':1400,'up':true");
	expect_member(&h, fd, "interfaces", "name", "w0", "state", "up");
	assert_int_equal(strata_iface_by_name(h.stack, "w0")->mtu, 1400);
	ask_refused(&h, fd, "'method':'interface.set','name':'w0'", "bad_request", "`up` or `mtu`");
	ask_refused(&h, fd, "'method':'interface.set','name':'w0','mtu':1", "invalid", "mtu");
	assert_int_equal(strata_iface_by_name(h.stack, "w0")->mtu, 1400);
	finish(&h, fd);
}

static void a_client_that_hangs_up_before_its_answer_is_no_harm(void **state)
{
	static const char request[] =
		"{\"v\":1,\"method\":\"module.disable\",\"name\":\"udp\"}\n"
		"{\"v\":1,\"method\":\"module.enable\",\"name\":\"udp\"}\n";
	struct house h;
	int fd, i;

	(void)state;
	house_open(&h, house_network);
	for (i = 0; i < 30; i++) {
		fd = client(&h);
		say(fd, request);
		if (i % 3 == 1)
			shutdown(fd, SHUT_WR);
		if (i % 3 == 2)
			strata_loop_turn(h.stack, 0);
		if (i % 3 != 1)
			close(fd);
		settle(&h);
		if (i % 3 == 1) {	/* it has sent all it will, and hears both answers */
			json_t *reply = hear(&h, fd);

			json_decref(reply);
			json_decref(hear(&h, fd));
			expect_end(&h, fd);
		}
	}
	house_close(&h);
}

static void every_refusal_says_what_and_where(void **state)
{
	static const struct {
		const char *request, *code, *part;
	} refusals[] = {
		{ "'method':'option.gte','name':'tcp.sack'", "unknown_method", "did you mean \"option.get\"?" },
		{ "'method':'show','what':'route'", "unknown_table", "did you mean \"routes\"?" },
		{ "'method':'show','what':'routes','form':7", "bad_request", "did you mean \"from\"?" },
		{ "'method':'show','what':'routes','from':1.5", "bad_request", "`from` is to be an integer" },
		{ "'method':'show','what':'routes','from':-1", "bad_request", "`from` is to be an integer" },
		{ "'method':'show','what':''", "bad_request", "`what` is to be a text" },
		{ "'method':'option.get'", "bad_request", "`option.get` needs `name`" },
		{ "'method':'option.get','name':'tcp.sakc'", "not_found", "did you mean \"sack\"?" },
		{ "'method':'option.get','name':'tpc.sack'", "not_found", "did you mean \"tcp\"?" },
		{ "'method':'option.get','name':'sack'", "not_found", "expected module.option" },
		{ "'method':'option.set','name':'tcp.sack','value':'maybe'", "invalid", "maybe" },
		{ "'method':'option.set','name':'tcp.sack','value':true", "bad_request", "`value` is to be" },
		{ "'method':'option.set','name':'tcp.congestion','value':'renault'", "not_found",
		  "no module of that name is running" },
		{ "'method':'option.set','name':'control.socket','value':'x'", "invalid",
		  "cannot be changed while the stack runs" },
		{ "'method':'address.add','interface':'w1','address':'192.0.2.9/24'", "not_found",
		  "no interface 'w1'; did you mean" },
		{ "'method':'address.add','interface':'w0','address':'192.0.2.9'", "invalid",
		  "has no prefix length" },
		{ "'method':'address.add','interface':'w0','address':'192.0.2.999/24'", "invalid", "192.0.2.999" },
		{ "'method':'address.add','interface':'w0','address':'192.0.2.2/24'", "exists",
		  "interface w0 has it already" },
		{ "'method':'address.add','interface':'w0','address':'224.0.0.5/24'", "invalid", "unicast" },
		{ "'method':'address.add','interface':'w0','address':'198.51.100.0/24'", "invalid", "unicast address of a host" },
		{ "'method':'address.add','interface':'w0','address':'198.51.100.255/24'", "invalid",
		  "unicast address of a host" },
		{ "'method':'address.remove','interface':'w0','address':'192.0.2.2/25'", "not_found",
		  "prefix length 24" },
		{ "'method':'address.remove','interface':'w0','address':'192.0.2.3/24'", "not_found",
		  "does not have it" },
		{ "'method':'route.add','to':'203.0.113.0/24'", "invalid", "needs `via`" },
		{ "'method':'route.add','to':'203.0.113.0','via':'192.0.2.1'", "invalid", "no prefix length" },
		{ "'method':'route.add','to':'203.0.113.0/24','via':'198.51.100.1'", "invalid",
		  "no interface has an address on the link of gateway 198.51.100.1" },
		{ "'method':'route.add','to':'203.0.113.0/24','via':'192.0.2.2'", "invalid", "own" },
		{ "'method':'route.add','to':'203.0.113.0/24','via':'192.0.2.1/24'", "invalid", "`via`" },
		{ "'method':'route.add','to':'203.0.113.0/24','via':'192.0.2.1','congestion':'renault'",
		  "not_found", "renault" },
		{ "'method':'route.add','to':'203.0.113.0/24','via':'192.0.2.1','src':'192.0.2.3'", "invalid",
		  "no interface has address 192.0.2.3" },
		{ "'method':'route.add','to':'203.0.113.0/24','via':'192.0.2.1','mtu':67", "invalid",
		  "67 is less" },
		{ "'method':'route.add','to':'203.0.113.0/24','via':'192.0.2.1','mtu':65536", "bad_request",
		  "from 0 to 65535" },
		{ "'method':'route.add','to':'203.0.113.0/24','via':'192.0.2.1','metric':4294967296",
		  "bad_request", "from 0 to 4294967295" },
		{ "'method':'neighbour.add','interface':'w0','address':'192.0.2.1','mac':'2:0'", "invalid",
		  "no link address of interface w0" },
		{ "'method':'neighbour.remove','interface':'w0','address':'192.0.2.77'", "not_found",
		  "192.0.2.77" },
		{ "'method':'module.enable','name':'tpc'", "not_found", "tpc" },
		{ "'method':'module.disable','name':'ethernet'", "busy_module", "interface \"w0\"" },
		{ "'method':'module.disable','name':'control'", "busy_module", "this very request" },
		{ "'method':'stop'", "bad_request", "no stream is running" },
	};
	struct house h;
	size_t i;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = client(&h);
	for (i = 0; i < STRATA_COUNT(refusals); i++)
		ask_refused(&h, fd, refusals[i].request, refusals[i].code, refusals[i].part);
	assert_int_equal(counter(&h, "errors"), STRATA_COUNT(refusals));
	finish(&h, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_option_can_be_read_and_set),
		cmocka_unit_test(every_option_is_shown_with_its_value),
		cmocka_unit_test(an_address_can_be_added_and_removed),
		cmocka_unit_test(a_route_can_be_added_and_removed),
		cmocka_unit_test(a_neighbour_can_be_added_and_removed),
		cmocka_unit_test(a_module_can_be_disabled_and_enabled),
		cmocka_unit_test(a_module_can_be_loaded_and_unloaded),
		cmocka_unit_test(an_interface_can_be_set),
		cmocka_unit_test(a_client_that_hangs_up_before_its_answer_is_no_harm),
		cmocka_unit_test(every_refusal_says_what_and_where),
	};

	return fx_main(tests);
}
