/* SPDX-License-Identifier: BSD-2-Clause */
/* The table `graph` over a real control socket: what is bound to what, and the packets of each binding. */
#include "fixture.h"

#include <jansson.h>
#include <sys/un.h>
#include <unistd.h>

#define MANIFEST \
	"strata: 1\n" \
	"modules:\n" \
	"  - name: wire\n" \
	"  - name: loopback\n" \
	"  - name: ethernet\n" \
	"  - name: arp\n" \
	"  - name: ipv4\n" \
	"  - name: icmp\n" \
	"  - name: udp\n" \
	"  - name: tcp\n" \
	"    options:\n" \
	"      congestion: newreno\n" \
	"  - name: echo\n" \
	"  - name: control\n" \
	"interfaces:\n" \
	"  - name: lo\n" \
	"    driver: loopback\n" \
	"    addresses: [127.0.0.1/8]\n" \
	"  - name: w0\n" \
	"    driver: wire\n" \
	"    addresses: [192.0.2.1/24]\n"

struct graph {
	struct strata_stack *stack;
	char directory[64];
	json_t *entries;
};

static void log_nothing(void *ctx, enum strata_log_level level, const char *module, const char *line)
{
	(void)ctx;
	(void)level;
	(void)module;
	(void)line;
}

static uint64_t still(void *ctx)
{
	(void)ctx;
	return 1000 * STRATA_SEC;
}

/* One page of the table from entry `from` on; returns the `next` of the reply. */
static json_int_t ask(struct graph *g, int fd, json_int_t from)
{
	static char line[65537];
	char request[128];
	size_t length = 0;
	json_int_t next;
	json_t *reply;
	int n = snprintf(request, sizeof(request), "{\"v\":1,\"method\":\"show\",\"what\":\"graph\","
			 "\"from\":%" JSON_INTEGER_FORMAT "}\n", from);

	assert_int_equal(send(fd, request, (size_t)n, MSG_NOSIGNAL), n);
	while (length == 0 || line[length - 1] != '\n') {
		ssize_t got;

		strata_loop_turn(g->stack, 0);
		got = recv(fd, line + length, sizeof(line) - length, MSG_DONTWAIT);
		assert_int_not_equal(got, 0);
		length += got > 0 ? (size_t)got : 0;
	}
	reply = json_loadb(line, length, 0, NULL);
	assert_true(json_is_true(json_object_get(reply, "ok")));
	json_array_extend(g->entries, json_object_get(reply, "result"));
	next = json_integer_value(json_object_get(reply, "next"));
	json_decref(reply);
	return next;
}

static void graph_read(struct graph *g)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	json_int_t next = 0;

	json_decref(g->entries);
	g->entries = json_array();
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control.sock", g->directory);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	do
		next = ask(g, fd, next);
	while (next != 0);
	close(fd);
}

static int setup(void **state)
{
	static struct graph g;
	static const struct strata_env env = { .now = still, .log = log_nothing };
	struct strata_config config = {
		.manifest_text = MANIFEST,
		.module_path = fx_module_path(),
		.env = &env,
		.run_dir = g.directory,
	};
	struct strata_error error = { 0 };

	memset(&g, 0, sizeof(g));
	strcpy(g.directory, "/tmp/strata-graph-XXXXXX");
	assert_non_null(mkdtemp(g.directory));
	if (strata_stack_create(&config, &g.stack, &error) < 0)
		fail_msg("%s", strata_error_text(&error));
	*state = &g;
	return 0;
}

static int teardown(void **state)
{
	struct graph *g = *state;

	json_decref(g->entries);
	strata_stack_destroy(g->stack);
	assert_int_equal(rmdir(g->directory), 0);
	return 0;
}

static const char *text(const json_t *entry, const char *key)
{
	const char *value = json_string_value(json_object_get(entry, key));

	return value != NULL ? value : "";
}

static const json_t *node(const struct graph *g, const char *id)
{
	json_t *entry;
	size_t i;

	json_array_foreach(g->entries, i, entry)
		if (strcmp(text(entry, "type"), "node") == 0 && strcmp(text(entry, "id"), id) == 0)
			return entry;
	fail_msg("no node %s", id);
	return NULL;
}

static const json_t *edge(const struct graph *g, const char *from, const char *to,
			  const char *binding)
{
	json_t *entry;
	size_t i;

	json_array_foreach(g->entries, i, entry)
		if (strcmp(text(entry, "type"), "edge") == 0 &&
		    strcmp(text(entry, "from"), from) == 0 && strcmp(text(entry, "to"), to) == 0 &&
		    strcmp(text(entry, "binding"), binding) == 0)
			return entry;
	fail_msg("no edge %s from %s to %s", binding, from, to);
	return NULL;
}

static void expect_packets(const json_t *entry, json_int_t rx, json_int_t tx)
{
	assert_true(json_is_integer(json_object_get(entry, "rx_packets")));
	assert_int_equal(json_integer_value(json_object_get(entry, "rx_packets")), rx);
	assert_int_equal(json_integer_value(json_object_get(entry, "tx_packets")), tx);
}

static void every_binding_of_the_manifest_is_an_edge(void **state)
{
	struct graph *g = *state;

	graph_read(g);
	assert_string_equal(text(edge(g, "kernel", "module:ipv4", "number"), "label"), "0x0800");
	assert_string_equal(text(edge(g, "kernel", "module:arp", "number"), "label"), "0x0806");
	assert_string_equal(text(edge(g, "kernel", "module:udp", "number"), "label"), "17");
	assert_string_equal(text(edge(g, "module:newreno", "module:tcp", "option"), "label"), "congestion");
	assert_string_equal(text(edge(g, "module:wire", "interface:w0", "driver"), "label"), "wire");
	edge(g, "interface:w0", "module:ethernet", "framing");
	edge(g, "module:ethernet", "kernel", "frames");
	edge(g, "interface:lo", "kernel", "packets");
	edge(g, "module:arp", "module:ipv4", "resolves");
	edge(g, "module:ipv4", "module:icmp", "errors");
	assert_string_equal(text(edge(g, "module:udp", "module:echo", "requires"), "label"), "optional");
}

static void every_end_of_an_edge_is_a_node(void **state)
{
	struct graph *g = *state;
	json_t *entry;
	size_t i, edges = 0;

	graph_read(g);
	json_array_foreach(g->entries, i, entry) {
		if (strcmp(text(entry, "type"), "edge") != 0)
			continue;
		node(g, text(entry, "from"));
		node(g, text(entry, "to"));
		edges++;
	}
	assert_true(edges > 10);
	assert_string_equal(text(node(g, "interface:w0"), "text"), "192.0.2.1/24");
	assert_string_equal(text(node(g, "module:tcp"), "state"), "running");
	assert_int_equal(json_integer_value(json_object_get(node(g, "module:tcp"), "number")), 6);
}

static void a_module_that_is_disabled_loses_its_binding(void **state)
{
	struct strata_error error = { 0 };
	struct graph *g = *state;
	json_t *entry;
	size_t i;

	assert_int_equal(strata_module_disable(g->stack, "udp", &error), 0);
	graph_read(g);
	assert_string_equal(text(node(g, "module:udp"), "state"), "disabled");
	json_array_foreach(g->entries, i, entry)
		assert_false(strcmp(text(entry, "to"), "module:udp") == 0 &&
			     strcmp(text(entry, "binding"), "number") == 0);
}

static void a_datagram_is_counted_on_each_edge_it_takes(void **state)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(7), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct graph *g = *state;
	int s = strata_socket(g->stack, AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(strata_sendto(g->stack, s, "ten bytes!", 10, 0, (struct sockaddr *)&to,
				       sizeof(to)), 10);
	graph_read(g);
	/* There and back again: the echo service answers. */
	expect_packets(edge(g, "kernel", "module:udp", "number"), 2, 2);
	expect_packets(edge(g, "kernel", "module:ipv4", "number"), 2, 2);
	expect_packets(edge(g, "interface:lo", "kernel", "packets"), 2, 2);
	expect_packets(edge(g, "module:loopback", "interface:lo", "driver"), 2, 2);
	expect_packets(node(g, "module:loopback"), 2, 2);
	expect_packets(edge(g, "kernel", "module:tcp", "number"), 0, 0);
	/* arp has announced the address, and none of the datagrams went that way. */
	expect_packets(edge(g, "kernel", "module:arp", "number"), 0, 1);
	expect_packets(edge(g, "interface:w0", "module:ethernet", "framing"), 0, 1);
	expect_packets(edge(g, "module:ethernet", "kernel", "frames"), 0, 1);
	assert_true(json_is_null(json_object_get(edge(g, "module:newreno", "module:tcp", "option"),
						 "rx_packets")));
	strata_close(g->stack, s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(every_binding_of_the_manifest_is_an_edge),
		T(every_end_of_an_edge_is_a_node),
		T(a_module_that_is_disabled_loses_its_binding),
		T(a_datagram_is_counted_on_each_edge_it_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
