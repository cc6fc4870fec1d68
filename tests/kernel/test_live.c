/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changes of a running stack under traffic: who notices and who does not, what the plan tells, what is undone,
 * what is refused from within callbacks, and that nothing is left of 10,000 of them.
 */
#include "fixture.h"
#include <strata/live.h>

#define CHUNK 4096

static void must(int result, struct strata_error *error)
{
	if (result < 0)
		fail_msg("%s", strata_error_text(error));
	strata_error_clear(error);
}

/* ---- again and again under a transfer ---- */

static void toggle(struct fixture *fx, const char *module)
{
	struct strata_error error = { 0 };

	must(strata_module_disable(fx->stack, module, &error), &error);
	must(strata_module_enable(fx->stack, module, &error), &error);
}

/* Byte `at` of the stream. */
static uint8_t pattern(uint64_t at)
{
	return (uint8_t)((at * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

/* A stream from a to b. */
struct stream {
	struct fx_pair pair;
	int from, to;
	uint64_t sent, received;
};

static void stream_begin(struct stream *s)
{
	static const struct fx_link link = { .delay = 200 * STRATA_US };
	const struct fx_config config = { .modules = "ethernet arp ipv4 icmp udp newreno tcp" };
	int listener;

	memset(s, 0, sizeof(*s));
	s->pair = fx_pair_open(&config, &link, 1);
	listener = fx_socket(s->pair.b, SOCK_STREAM, 0);
	fx_bind(s->pair.b, listener, 0, 80);
	fx_listen(s->pair.b, listener, 1);
	s->from = fx_socket(s->pair.a, SOCK_STREAM, 0);
	assert_int_equal(fx_connect(s->pair.a, s->from, STACK_IP, 80), -EINPROGRESS);
	fx_join_run(s->pair.join, 50 * STRATA_MS, NULL, NULL);
	s->to = fx_accept(s->pair.b, listener);
	assert_true(s->to >= 0);
	fx_close_socket(s->pair.b, listener);
}

static void stream_send(struct stream *s)
{
	uint8_t buf[CHUNK];
	ssize_t n;

	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = pattern(s->sent + i);
	n = fx_send(s->pair.a, s->from, buf, sizeof(buf));
	if (n > 0)
		s->sent += (uint64_t)n;
	else
		assert_int_equal(n, -EAGAIN);
}

static void stream_receive(struct stream *s)
{
	uint8_t buf[CHUNK];
	ssize_t n;

	while ((n = fx_recv(s->pair.b, s->to, buf, sizeof(buf))) > 0)
		for (ssize_t i = 0; i < n; i++, s->received++)
			if (buf[i] != pattern(s->received))
				fail_msg("byte %llu is wrong", (unsigned long long)s->received);
	assert_int_equal(n, -EAGAIN);
}

/* Nothing is under way any more. Returns the memory that both use. */
static size_t stream_rest(struct stream *s)
{
	fx_join_run(s->pair.join, 20 * STRATA_SEC, NULL, NULL);
	stream_receive(s);
	fx_join_run(s->pair.join, 200 * STRATA_SEC, NULL, NULL);
	assert_int_equal(s->received, s->sent);
	return strata_memory_used(s->pair.a->stack) + strata_memory_used(s->pair.b->stack);
}

static void cycles_under_a_transfer(const char *module, unsigned int count)
{
	struct stream s;
	size_t before = 0;

	stream_begin(&s);
	for (unsigned int i = 0; i < count; i++) {
		stream_send(&s);
		toggle(i % 2 == 0 ? s.pair.a : s.pair.b, module);
		if (i % 4 == 0)
			fx_join_run(s.pair.join, 300 * STRATA_US, NULL, NULL);
		stream_receive(&s);
		/* Tables have grown by then as far as they do. */
		if (i == count / 4)
			before = stream_rest(&s);
	}
	/* What leaks once a cycle is thousands of times as much as a timer's or a table's last state. */
	assert_in_range(stream_rest(&s), before - 1024, before + 1024);
	assert_true(s.sent >= (uint64_t)count * CHUNK / 8);
	fx_close_socket(s.pair.a, s.from);
	fx_close_socket(s.pair.b, s.to);
	fx_pair_close(&s.pair);
}

static void ten_thousand_cycles_of_udp_lose_no_byte_of_a_transfer_and_no_memory(void **state)
{
	const char *sanitizers = getenv("STRATA_TEST_SANITIZERS");

	(void)state;
	/* Sanitizers make each cost ten times as much, and see a leak in one. */
	cycles_under_a_transfer("udp", sanitizers != NULL && strcmp(sanitizers, "yes") == 0 ? 2000 : 10000);
}

static void cycles_of_icmp_lose_no_byte_of_a_transfer_and_no_memory(void **state)
{
	(void)state;
	cycles_under_a_transfer("icmp", 1000);
}

static void cycles_of_arp_lose_no_byte_of_a_transfer_and_no_memory(void **state)
{
	(void)state;
	cycles_under_a_transfer("arp", 500);
}

static void a_module_is_loaded_and_unloaded_without_a_trace(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp udp");
	const struct strata_setting options[] = { { "udp", "9" }, { "tcp", "0" }, { NULL, NULL } };
	struct strata_error error = { 0 };
	size_t before = 0;

	(void)state;
	for (unsigned int i = 0; i < 300; i++) {
		must(strata_module_load(fx->stack, "spare", "echo", 0, options, &error), &error);
		rx_udp(.dport = 9, .text = "back");
		expect_udp(.sport = 9, .text = "back");
		assert_int_equal(strata_module_load(fx->stack, "spare", "echo", 0, NULL, &error), -EEXIST);
		strata_error_clear(&error);
		must(strata_module_unload(fx->stack, "spare", &error), &error);
		fx_advance(fx, 10);
		if (i == 20)
			before = strata_memory_used(fx->stack);
	}
	assert_int_equal(strata_memory_used(fx->stack), before);
	assert_null(strata_instance_by_name(fx->stack, STRATA_SERVICE, "spare"));
	rx_udp(.dport = 9, .text = "nobody");
	expect_icmp(.type = 3, .code = 3, .any_data = true, .len = FX_AUTO);
	fx_close(fx);
}

/* Where no protocol is named: of the one that is there now, whoever was asked before. */
static void sockets_are_of_the_default_transport_of_the_moment(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp udp");
	struct strata_error error = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(strata_socket(fx->stack, AF_INET, SOCK_DGRAM, 0) >= 0);
		must(strata_module_unload(fx->stack, i == 0 ? "udp" : "datagrams", &error), &error);
		assert_int_equal(strata_socket(fx->stack, AF_INET, SOCK_DGRAM, 0), -EPROTONOSUPPORT);
		must(strata_module_load(fx->stack, "datagrams", "udp", 0, NULL, &error), &error);
	}
	udp_on(5000);
	must(strata_module_disable(fx->stack, "ipv4", &error), &error);
	assert_int_equal(strata_socket(fx->stack, AF_INET, SOCK_DGRAM, 0), -EAFNOSUPPORT);
	must(strata_module_enable(fx->stack, "ipv4", &error), &error);
	assert_true(strata_socket(fx->stack, AF_INET, SOCK_DGRAM, 0) >= 0);
	fx_close(fx);
}

static void what_cannot_be_loaded_leaves_nothing(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp udp");
	const struct strata_setting wrong[] = { { "udp", "many" }, { NULL, NULL } };
	const struct strata_setting lines[] = { { "udp", "7\nmodules: []" }, { NULL, NULL } };
	struct strata_error error = { 0 };
	size_t before = strata_memory_used(fx->stack);

	(void)state;
	assert_int_equal(strata_module_load(fx->stack, "nosuch", NULL, 0, NULL, &error), -EINVAL);
	assert_non_null(strstr(strata_error_text(&error), "nosuch"));
	strata_error_clear(&error);
	assert_int_equal(strata_module_load(fx->stack, "spare", "echo", 0, wrong, &error), -EINVAL);
	assert_non_null(strstr(strata_error_text(&error), "many"));
	strata_error_clear(&error);
	assert_int_equal(strata_module_load(fx->stack, "spare", "echo", 0, lines, &error), -EINVAL);
	strata_error_clear(&error);
	assert_int_equal(strata_module_load(fx->stack, "second", "udp", 0, NULL, &error), -EINVAL);
	assert_non_null(strstr(strata_error_text(&error), "first claimed by module \"udp\"; give"));
	strata_error_clear(&error);
	assert_int_equal(strata_module_unload(fx->stack, "ipv5", &error), -ENOENT);
	assert_non_null(strstr(strata_error_text(&error), "is not in the stack; did you mean \"ipv4\"?"));
	strata_error_clear(&error);
	assert_int_equal(strata_memory_used(fx->stack), before);
	fx_close(fx);
}

/* ---- reloading ---- */

#define HEAD "strata: 1\nmodules:\n  - name: wire\n  - name: ethernet\n  - name: arp\n  - name: icmp\n" \
	"  - name: newreno\n  - name: tcp\n    options:\n      congestion: newreno\n"
#define IPV4 "  - name: ipv4\n"
#define UDP "  - name: udp\n"
#define W0 "interfaces:\n  - name: w0\n    driver: wire\n    mac: 02:00:00:00:00:02\n"
#define BASE HEAD IPV4 UDP W0 "    addresses: [192.0.2.2/24]\n"

struct told {
	char text[2048];
	size_t ending;
};

static void tell(void *ctx, const struct strata_change *c)
{
	struct told *told = ctx;
	size_t at = strlen(told->text);

	snprintf(told->text + at, sizeof(told->text) - at, "%s %s %s%s%s%s%s%s%s ends %zu\n",
		 strata_change_action_name(c->action), strata_change_what_name(c->what), c->name,
		 c->field != NULL ? "." : "", c->field != NULL ? c->field : "",
		 c->from != NULL || c->to != NULL ? " " : "", c->from != NULL ? c->from : "",
		 c->to != NULL ? "→" : "", c->to != NULL && c->what != STRATA_CHANGE_MODULE ? c->to : "",
		 c->ending);
	told->ending += c->ending;
	assert_true(c->socket_count <= c->ending);
}

static int reload(struct fixture *fx, const char *text, bool dry_run, const char *wanted)
{
	struct told told = { .text = "" };
	struct strata_error error = { 0 };
	int result = strata_reload_text(fx->stack, text, 0, dry_run, tell, &told, &error);

	if (result < 0 && wanted != NULL)
		fail_msg("%s", strata_error_text(&error));
	if (wanted != NULL)
		assert_string_equal(told.text, wanted);
	strata_error_clear(&error);
	return result;
}

static void stays(struct fixture *fx, int s)
{
	char buf[16];

	rx(ACK | PSH, .len = 10);
	expect_tx(ACK, .within = 1000);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 10);
}

static void a_connection_does_not_notice_what_does_not_concern_it(void **state)
{
	struct fixture *fx = fx_open(.manifest = BASE);
	int s = accept_one(listen_on(80), .mss = 1460);

	(void)state;
	assert_int_equal(reload(fx, BASE, false, ""), 0);
	stays(fx, s);
	reload(fx, HEAD "  - name: ipv4\n    options:\n      ttl: 9\n" UDP W0
	       "    addresses: [192.0.2.2/24, 198.51.100.2/24]\n    mtu: 1400\nroutes:\n  - to: 203.0.113.0/24\n"
	       "    via: 192.0.2.1\n    mtu: 1000\n", false,
	       "change option ipv4.ttl 64→9 ends 0\n"
	       "change interface w0.mtu 1500→1400 ends 0\n"
	       "add address 198.51.100.2/24 ends 0\n"
	       "add route 203.0.113.0/24 via 192.0.2.1 dev w0 ends 0\n");
	fx_advance(fx, 100);
	fx_discard(fx);
	stays(fx, s);
	/* Without udp, on another interface's option, with another prefix: all but the connection. */
	reload(fx, HEAD IPV4 W0 "    addresses: [192.0.2.2/25]\n", false,
	       "change option ipv4.ttl 9→64 ends 0\n"
	       "remove module udp ends 0\n"
	       "change interface w0.mtu 1400→1500 ends 0\n"
	       "change address 192.0.2.2/25.prefix 192.0.2.2/24→192.0.2.2/25 ends 0\n"
	       "remove address 198.51.100.2/24 ends 0\n"
	       "remove route 203.0.113.0/24 via 192.0.2.1 dev w0 ends 0\n");
	fx_advance(fx, 100);
	fx_discard(fx);
	stays(fx, s);
	fx_close(fx);
}

static void the_plan_says_what_ends_and_nothing_else_does(void **state)
{
	struct fixture *fx = fx_open(.manifest = BASE);
	int listener = listen_on(80), s = accept_one(listener, .mss = 1460), u = udp_on(5000);

	(void)state;
	reload(fx, HEAD IPV4 W0 "    addresses: [192.0.2.2/24]\n", true, "remove module udp ends 1\n");
	assert_int_equal(strata_events(fx->stack, u) & EPOLLHUP, 0);
	reload(fx, HEAD IPV4 W0 "    addresses: [192.0.2.2/24]\n", false, "remove module udp ends 1\n");
	assert_int_equal(strata_events(fx->stack, u) & EPOLLHUP, EPOLLHUP);
	stays(fx, s);
	fx_close_socket(fx, u);
	reload(fx, HEAD IPV4 W0 "    addresses: [192.0.2.3/24]\n", false,
	       "remove address 192.0.2.2/24 ends 1\nadd address 192.0.2.3/24 ends 0\n");
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), EADDRNOTAVAIL);
	assert_int_equal(strata_events(fx->stack, listener) & EPOLLHUP, 0);
	fx_close(fx);
}

static void faults_are_all_told_and_nothing_is_touched(void **state)
{
	struct fixture *fx = fx_open(.manifest = BASE);
	struct strata_error error = { 0 };
	int s = accept_one(listen_on(80), .mss = 1460);

	(void)state;
	assert_int_equal(strata_reload_text(fx->stack, HEAD "  - name: ipv4\n    options:\n      tll: 3\n" W0
					    "    addresses: [192.0.2.2]\n", 0, false, NULL, NULL, &error), -EINVAL);
	if (strstr(strata_error_text(&error), "manifest:13:7: unknown option \"tll\"") == NULL)
		fail_msg("%s", strata_error_text(&error));
	assert_non_null(strstr(strata_error_text(&error), "without its bits"));
	strata_error_clear(&error);
	stays(fx, s);
	assert_int_equal(reload(fx, BASE, false, ""), 0);
	fx_close(fx);
}

#define ECHO(name, port) "  - name: " name "\n    file: echo\n    options:\n      udp: 0\n      tcp: " port "\n"

static void what_fails_on_the_way_is_undone(void **state)
{
	struct fixture *fx = fx_open(.manifest = BASE);
	struct strata_error error = { 0 };
	int s = accept_one(listen_on(80), .mss = 1460);

	(void)state;
	/* The second cannot have the port of the first. */
	assert_int_equal(strata_reload_text(fx->stack, HEAD IPV4 UDP ECHO("one", "7") ECHO("two", "7") W0
					    "    addresses: [192.0.2.2/24, 192.0.2.9/24]\n    mtu: 1400\n", 0, false,
					    NULL, NULL, &error), -EADDRINUSE);
	assert_non_null(strstr(strata_error_text(&error), "module \"two\" could not start"));
	assert_non_null(strstr(strata_error_text(&error), "the reload was undone"));
	strata_error_clear(&error);
	fx_advance(fx, 100);
	fx_discard(fx);
	stays(fx, s);
	assert_int_equal(reload(fx, BASE, false, ""), 0);
	assert_int_equal(fx->iface->mtu, 1500);
	fx_close(fx);
}

static void what_was_done_by_hand_stays_unless_the_manifest_says_otherwise(void **state)
{
	struct fixture *fx = fx_open(.manifest = BASE);
	struct strata_error error = { 0 };
	struct strata_prefix prefix;
	struct strata_route route = { .iface = fx->iface };

	(void)state;
	assert_int_equal(strata_prefix_parse(fx->stack, "198.51.100.2/24", &prefix), 0);
	assert_int_equal(strata_ifaddr_add(fx->iface, &prefix), 0);
	assert_int_equal(strata_prefix_parse(fx->stack, "203.0.113.0/24", &route.to), 0);
	assert_int_equal(strata_prefix_parse(fx->stack, "192.0.2.1", &prefix), 0);
	route.via = prefix.addr;
	assert_int_equal(strata_route_add(fx->stack, &route), 0);
	must(strata_option_set(fx->stack, "ipv4.ttl", "7", &error), &error);
	must(strata_module_disable(fx->stack, "udp", &error), &error);
	must(strata_module_load(fx->stack, "spare", "cubic", 0, NULL, &error), &error);
	reload(fx, BASE, false, "change option ipv4.ttl 7→64 ends 0\nchange module udp.enabled false→ ends 0\n");
	assert_int_equal(reload(fx, BASE, false, ""), 0);
	assert_non_null(strata_instance_by_name(fx->stack, STRATA_CONGESTION, "spare"));
	/* Once the manifest has had it, it goes with it. */
	reload(fx, BASE "routes:\n  - to: 203.0.113.0/24\n    via: 192.0.2.1\n", false, "");
	reload(fx, BASE, false, "remove route 203.0.113.0/24 via 192.0.2.1 dev w0 ends 0\n");
	assert_int_equal(strata_prefix_parse(fx->stack, "198.51.100.2", &prefix), 0);
	assert_non_null(strata_ifaddr_find(fx->stack, &prefix.addr));
	fx_close(fx);
}

#define MOVED HEAD IPV4 UDP W0 "  - name: w1\n    driver: wire\n    addresses: [192.0.2.2/24]\n"

static void a_route_made_by_hand_gives_its_place_to_the_manifests_where_it_follows_an_address(void **state)
{
	struct fixture *fx = fx_open(.manifest = BASE);
	static const char *const routed = MOVED "routes:\n  - to: 203.0.113.0/24\n    via: 192.0.2.1\n"
					  "    mtu: 900\n";
	struct strata_route route = { .metric = 0 };
	struct strata_prefix prefix;

	(void)state;
	assert_int_equal(strata_prefix_parse(fx->stack, "203.0.113.0/24", &route.to), 0);
	assert_int_equal(strata_prefix_parse(fx->stack, "192.0.2.1", &prefix), 0);
	route.via = prefix.addr;
	assert_int_equal(strata_route_add(fx->stack, &route), 0);
	reload(fx, routed, false, NULL);
	assert_int_equal(reload(fx, routed, false, ""), 0);
	reload(fx, MOVED, false, "remove route 203.0.113.0/24 via 192.0.2.1 dev w1 ends 0\n");
	assert_int_equal(reload(fx, MOVED, false, ""), 0);
	assert_int_equal(strata_route_remove(fx->stack, &route), -ESRCH);
	/* Where it says the same it stays, and is found where it leads to now. */
	reload(fx, BASE, false, NULL);
	assert_int_equal(strata_route_add(fx->stack, &route), 0);
	reload(fx, MOVED, false, NULL);
	route.iface = strata_iface_by_name(fx->stack, "w1");
	assert_int_equal(strata_route_remove(fx->stack, &route), 0);
	assert_int_equal(reload(fx, MOVED, false, ""), 0);
	fx_close(fx);
}

static void a_module_that_is_not_enabled_can_be(void **state)
{
	struct fixture *fx = fx_open(.manifest = HEAD IPV4 "  - name: udp\n    enabled: false\n" W0
				     "    addresses: [192.0.2.2/24]\n");
	struct strata_error error = { 0 };

	(void)state;
	assert_int_equal(strata_module_disable(fx->stack, "udp", &error), -ENOENT);
	strata_error_clear(&error);
	must(strata_module_enable(fx->stack, "udp", &error), &error);
	udp_on(5000);
	assert_int_equal(strata_module_enable(fx->stack, "udp", &error), -EALREADY);
	strata_error_clear(&error);
	must(strata_module_disable(fx->stack, "udp", &error), &error);
	must(strata_module_enable(fx->stack, "udp", &error), &error);
	reload(fx, HEAD IPV4 "  - name: udp\n    enabled: false\n" W0 "    addresses: [192.0.2.2/24]\n", false,
	       "remove module udp ends 0\n");
	fx_close(fx);
}

#define ECHO_UDP(port) "  - name: one\n    file: echo\n    options:\n      tcp: 0\n      udp: " port "\n"
#define UDP_AT(number) "  - name: udp\n    number: " number "\n"

static void a_disabled_module_starts_as_the_manifest_says_now(void **state)
{
	struct fixture *fx = fx_open(.manifest = HEAD IPV4 UDP ECHO_UDP("9") W0
				     "    addresses: [192.0.2.2/24]\n");
	static const char *const now = HEAD IPV4 UDP_AT("200") ECHO_UDP("19") W0
				       "    addresses: [192.0.2.2/24]\n";
	struct strata_error error = { 0 };

	(void)state;
	must(strata_module_disable(fx->stack, "one", &error), &error);
	must(strata_module_disable(fx->stack, "udp", &error), &error);
	/* Number and options that are read at the start are not left for the next reload. */
	reload(fx, now, false, "change module udp.enabled false→ ends 0\n"
	       "change module one.enabled false→ ends 0\nchange option one.udp 9→19 ends 0\n");
	assert_non_null(strata_instance_by_number(fx->stack, STRATA_TRANSPORT, 200));
	assert_null(strata_instance_by_number(fx->stack, STRATA_TRANSPORT, 17));
	assert_int_equal(reload(fx, now, false, ""), 0);
	must(strata_module_disable(fx->stack, "one", &error), &error);
	must(strata_module_disable(fx->stack, "udp", &error), &error);
	reload(fx, HEAD IPV4 UDP ECHO_UDP("9") W0 "    addresses: [192.0.2.2/24]\n", false, NULL);
	rx_udp(.dport = 9, .text = "back");
	expect_udp(.sport = 9, .text = "back");
	/* Undone with what else cannot be made: it is disabled again, and as it was. */
	must(strata_module_disable(fx->stack, "one", &error), &error);
	assert_int_equal(reload(fx, HEAD IPV4 UDP ECHO_UDP("19") ECHO("two", "7") ECHO("three", "7") W0
				"    addresses: [192.0.2.2/24]\n", false, NULL), -EADDRINUSE);
	must(strata_module_enable(fx->stack, "one", &error), &error);
	rx_udp(.dport = 9, .text = "back");
	expect_udp(.sport = 9, .text = "back");
	fx_close(fx);
}

static void a_connection_goes_on_when_its_congestion_module_is_unloaded(void **state)
{
	struct fixture *fx = fx_open(.manifest = BASE);
	struct strata_error error = { 0 };
	int s = accept_one(listen_on(80), .mss = 1460);
	uint8_t data[500];

	(void)state;
	must(strata_module_unload(fx->stack, "newreno", &error), &error);
	stays(fx, s);
	fx_pattern_fill(data, sizeof(data), 0);
	assert_int_equal(fx_send(fx, s, data, sizeof(data)), sizeof(data));
	expect_tx(ACK | PSH, .len = 500);
	rx(ACK);
	must(strata_module_load(fx->stack, "newreno", NULL, 0, NULL, &error), &error);
	stays(fx, s);
	fx_close(fx);
}

/* ---- from within ---- */

struct within {
	struct strata_call call;
	unsigned int called;
	int direct, service, turn;
};

static void call(struct strata_stack *stack, struct strata_call *c)
{
	struct within *w = strata_container_of(c, struct within, call);
	struct strata_error error = { 0 };

	w->called++;
	must(strata_module_disable(stack, "echo", &error), &error);
	must(strata_module_unload(stack, "echo", &error), &error);
}

static void readable(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct within *w = arg;
	char buf[64];

	(void)events;
	if (strata_recv(stack, s, buf, sizeof(buf), 0) <= 0)
		return;
	w->direct = strata_module_disable(stack, "icmp", NULL);
	w->service = strata_module_disable(stack, "echo", NULL);
	w->turn = strata_loop_turn(stack, 0);
	strata_stack_destroy(stack);
	strata_call_later(stack, &w->call);
	strata_call_later(stack, &w->call);
}

static void from_a_callback_a_service_is_stopped_later(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp udp echo");
	struct within w = { .call.run = call };
	int s = udp_on(5000);

	(void)state;
	strata_notify(fx->stack, s, readable, &w);
	rx_udp(.dport = 5000, .text = "now");
	assert_int_equal(w.direct, 0);
	assert_int_equal(w.service, -EBUSY);
	assert_int_equal(w.turn, -EBUSY);
	assert_int_equal(w.called, 1);
	assert_true(fx_logged(fx, "refused"));
	assert_null(strata_instance_by_name(fx->stack, STRATA_SERVICE, "echo"));
	rx_udp(.dport = 7, .text = "gone");
	expect_silence(100);
	fx_close(fx);
}

/* ---- interfaces ---- */

static void an_interface_goes_down_and_up_and_changes_its_mtu(void **state)
{
	struct fixture *fx = fx_open(.manifest = BASE);
	struct strata_error error = { 0 };
	int s = accept_one(listen_on(80), .mss = 1460);

	(void)state;
	must(strata_iface_set_up(fx->iface, false, &error), &error);
	assert_int_equal(fx->iface->flags, 0);
	must(strata_iface_set_up(fx->iface, true, &error), &error);
	must(strata_iface_set_up(fx->iface, true, &error), &error);
	fx_advance(fx, 100);
	fx_discard(fx);
	stays(fx, s);
	assert_int_equal(strata_iface_set_mtu(fx->iface, 20, &error), -EINVAL);
	assert_non_null(strstr(strata_error_text(&error), "mtu: expected"));
	strata_error_clear(&error);
	must(strata_iface_set_mtu(fx->iface, 1280, &error), &error);
	assert_int_equal(fx->iface->mtu, 1280);
	stays(fx, s);
	fx_close(fx);
}

/* ---- draining ---- */

static void draining_sends_what_is_queued_and_a_fin_whoever_owns_the_connection(void **state)
{
	struct fixture *fx = fx_open(.manifest = BASE);
	int listener = listen_on(80), s = accept_one(listener, .mss = 1460);
	uint8_t last[10];

	(void)state;
	fx_pattern_fill(last, sizeof(last), 0);
	assert_int_equal(fx_send(fx, s, last, sizeof(last)), sizeof(last));
	strata_stack_drain(fx->stack);
	expect_tx(ACK | PSH, .len = 10);
	expect_tx(FIN | ACK);
	assert_false(strata_stack_idle(fx->stack));
	rx(ACK);
	assert_true(strata_stack_idle(fx->stack));
	fx->conn.peer_port++;
	rx(SYN, .seq = 0, .ack = 0, .mss = 1460);
	expect_tx(RST | ACK);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_cycles_of_udp_lose_no_byte_of_a_transfer_and_no_memory),
		cmocka_unit_test(cycles_of_icmp_lose_no_byte_of_a_transfer_and_no_memory),
		cmocka_unit_test(cycles_of_arp_lose_no_byte_of_a_transfer_and_no_memory),
		cmocka_unit_test(a_module_is_loaded_and_unloaded_without_a_trace),
		cmocka_unit_test(sockets_are_of_the_default_transport_of_the_moment),
		cmocka_unit_test(what_cannot_be_loaded_leaves_nothing),
		cmocka_unit_test(a_connection_does_not_notice_what_does_not_concern_it),
		cmocka_unit_test(the_plan_says_what_ends_and_nothing_else_does),
		cmocka_unit_test(faults_are_all_told_and_nothing_is_touched),
		cmocka_unit_test(what_fails_on_the_way_is_undone),
		cmocka_unit_test(what_was_done_by_hand_stays_unless_the_manifest_says_otherwise),
		cmocka_unit_test(a_route_made_by_hand_gives_its_place_to_the_manifests_where_it_follows_an_address),
		cmocka_unit_test(a_module_that_is_not_enabled_can_be),
		cmocka_unit_test(a_disabled_module_starts_as_the_manifest_says_now),
		cmocka_unit_test(a_connection_goes_on_when_its_congestion_module_is_unloaded),
		cmocka_unit_test(from_a_callback_a_service_is_stopped_later),
		cmocka_unit_test(an_interface_goes_down_and_up_and_changes_its_mtu),
		cmocka_unit_test(draining_sends_what_is_queued_and_a_fin_whoever_owns_the_connection),
	};

	return fx_main(tests);
}
