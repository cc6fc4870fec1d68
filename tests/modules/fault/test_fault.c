/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fault module over a wire: what it does to packets in either direction, its options at run time, and
 * what stands on what.
 */
#include "fixture.h"

#include <strata/inspect.h>

#define HEAD "strata: 1\nmodules:\n  - name: wire\n  - name: fault\n  - name: ethernet\n  - name: arp\n" \
	"  - name: ipv4\n  - name: icmp\n  - name: udp\ninterfaces:\n"
#define WIRE "  - name: w0\n    driver: wire\n    mac: 02:00:00:00:00:02\n"
#define FAULT(options) "  - name: f0\n    driver: fault\n    addresses: [192.0.2.2/24]\n    options:\n" \
	"      over: w0\n      seed: 7\n" options

#define open_faulty(options) \
	fx_open(.manifest = HEAD WIRE FAULT(options), .unsettled = true, .resolve = true, \
		.answer_arp = true)

/* The peer becomes a neighbour, and what was said meanwhile is forgotten. */
static struct fixture *settled(struct fixture *fx)
{
	const uint8_t peer[4] = { 192, 0, 2, 1 };
	struct strata_addr addr = strata_addr_make(FX_ETH_IP, peer, 4);
	struct strata_lladdr lladdr = { .length = 6 };

	memcpy(lladdr.bytes, PEER_MAC, 6);
	assert_int_equal(strata_neigh_set(strata_iface_by_name(fx->stack, "f0"), &addr, &lladdr), 0);
	fx_advance(fx, 15000);
	fx_discard(fx);
	return fx;
}

static void set(struct fixture *fx, const char *option, const char *value)
{
	struct strata_error error = { 0 };
	int result = strata_option_set(fx->stack, option, value, &error);

	if (result < 0)
		fail_msg("%s: %s", option, strata_error_text(&error));
}

/* Datagrams that a socket has for its reader. */
static unsigned int readable(struct fixture *fx, int s)
{
	unsigned int n = 0;
	char buf[2048];

	while (fx_recv(fx, s, buf, sizeof(buf)) >= 0)
		n++;
	return n;
}

static void send_one(struct fixture *fx, int s)
{
	assert_int_equal(fx_sendto(fx, s, "hello", 5, PEER_IP, 9), 5);
}

static void without_options_packets_pass_at_once(void **state)
{
	struct fixture *fx = settled(open_faulty(""));
	struct strata_iface *f0 = strata_iface_by_name(fx->stack, "f0");
	int s = udp_on(7);

	(void)state;
	assert_ptr_equal(f0->lower, fx->iface);
	assert_int_equal(f0->mtu, fx->iface->mtu);
	assert_memory_equal(f0->lladdr.bytes, fx->iface->lladdr.bytes, 6);
	assert_ptr_equal(f0->framing, fx->iface->framing);
	rx_udp(.dport = 7, .text = "in");
	assert_int_equal(readable(fx, s), 1);
	send_one(fx, s);
	expect_udp(.sport = 7, .dport = 9, .text = "hello");
	assert_true(f0->counters.rx_packets >= 1 && fx->iface->counters.rx_packets >= 1);
	fx_close(fx);
}

struct packets {
	const char *name;
	uint64_t rx, tx;
};

static void find_packets(void *ctx, const struct strata_module_view *view)
{
	struct packets *packets = ctx;

	if (strcmp(view->instance->name, packets->name) == 0) {
		packets->rx = view->rx_packets;
		packets->tx = view->tx_packets;
	}
}

static void framing_counts_a_packet_of_two_interfaces_once(void **state)
{
	struct fixture *fx = settled(open_faulty(""));
	struct packets before = { .name = "ethernet" }, now = before, wire = { .name = "wire" };
	int s = udp_on(7);

	(void)state;
	strata_inspect_modules(fx->stack, find_packets, &before);
	rx_udp(.dport = 7, .text = "in");
	assert_int_equal(readable(fx, s), 1);
	send_one(fx, s);
	expect_udp(.sport = 7, .dport = 9, .text = "hello");
	strata_inspect_modules(fx->stack, find_packets, &now);
	assert_int_equal(now.rx - before.rx, 1);
	assert_int_equal(now.tx - before.tx, 1);
	strata_inspect_modules(fx->stack, find_packets, &wire);
	assert_int_equal(wire.rx, fx->iface->counters.rx_packets);
	assert_int_equal(wire.tx, fx->iface->counters.tx_packets);
	assert_true(wire.rx >= 1 && wire.tx >= 1);
	fx_close(fx);
}

static void what_is_lost_has_its_reason(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_loss: 100%\n"));
	int s = udp_on(7);

	(void)state;
	rx_udp(.dport = 7, .text = "in");
	expect_drop("fault", "lost");
	assert_int_equal(readable(fx, s), 0);
	set(fx, "f0.rx_loss", "0");
	set(fx, "f0.tx_loss", "100%");
	rx_udp(.dport = 7, .text = "in");
	assert_int_equal(readable(fx, s), 1);
	send_one(fx, s);
	expect_silence(1000);
	fx_close(fx);
}

/* Which of 1000 datagrams pass a loss of 30 %. */
static unsigned int pass_thousand(uint64_t *pattern)
{
	struct fixture *fx = settled(open_faulty("      tx_loss: 30%\n"));
	int s = udp_on(7);
	unsigned int passed = 0;

	*pattern = 0;
	set(fx, "f0.seed", "99");
	for (int i = 0; i < 1000; i++) {
		send_one(fx, s);
		fx_run(fx);
		passed += (unsigned int)fx_waiting(fx);
		*pattern = *pattern * 31 + fx_waiting(fx);
		fx_discard(fx);
	}
	fx_close(fx);
	return passed;
}

static void losses_are_as_many_as_asked_for_and_follow_the_seed(void **state)
{
	uint64_t one, again;
	unsigned int passed = pass_thousand(&one);

	(void)state;
	assert_in_range(passed, 640, 760);
	assert_int_equal(pass_thousand(&again), passed);
	assert_true(one == again);
}

static void bursts_lose_what_is_in_them(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_burst_enter: 100%\n"));
	int s = udp_on(7);

	(void)state;
	rx_udp(.dport = 7, .text = "in");
	expect_drop("fault", "burst");
	assert_int_equal(readable(fx, s), 0);
	fx_close(fx);
}

static void packets_are_delayed(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_delay: 10ms\n      tx_delay: 20ms\n"));
	int s = udp_on(7);

	(void)state;
	rx_udp(.dport = 7, .text = "in");
	fx_advance(fx, 9);
	assert_int_equal(readable(fx, s), 0);
	fx_advance(fx, 1);
	assert_int_equal(readable(fx, s), 1);
	send_one(fx, s);
	expect_silence(19);
	expect_udp(.text = "hello", .within = 1);
	fx_close(fx);
}

static void packets_come_twice(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_duplicate: 100%\n      tx_duplicate: 100%\n"));
	int s = udp_on(7);

	(void)state;
	rx_udp(.dport = 7, .text = "in");
	assert_int_equal(readable(fx, s), 2);
	send_one(fx, s);
	expect_udp(.text = "hello");
	expect_udp(.text = "hello");
	expect_silence(1000);
	fx_close(fx);
}

static void a_packet_held_back_comes_behind_the_next(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_reorder_depth: 1\n"));
	int s = udp_on(7);
	char buf[16] = { 0 };

	(void)state;
	set(fx, "f0.rx_reorder", "100%");
	set(fx, "f0.rx_held", "1s");
	rx_udp(.dport = 7, .text = "one");
	set(fx, "f0.rx_reorder", "0");
	fx_advance(fx, 500);
	assert_int_equal(readable(fx, s), 0);
	rx_udp(.dport = 7, .text = "two");
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "two", 3);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "one", 3);
	fx_advance(fx, 2000);
	assert_int_equal(readable(fx, s), 0);
	fx_close(fx);
}

static void a_packet_that_nothing_overtakes_comes_in_time(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_reorder: 100%\n      rx_held: 30ms\n"));
	int s = udp_on(7);

	(void)state;
	rx_udp(.dport = 7, .text = "one");
	fx_advance(fx, 29);
	assert_int_equal(readable(fx, s), 0);
	fx_advance(fx, 1);
	assert_int_equal(readable(fx, s), 1);
	fx_close(fx);
}

static void corrupted_packets_reach_no_reader(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_corrupt: 100%\n"));
	int s = udp_on(7);

	(void)state;
	for (int i = 0; i < 500; i++)
		rx_udp(.dport = 7, .text = "a datagram of some length, so that bits are found in it");
	/* A bit of the sender's link address is flipped: nobody minds. */
	for (unsigned int n = readable(fx, s); n != 0; n--)
		assert_true(n < 100);
	assert_true(fx_counter(fx, "fault", "corrupted") >= 500);
	assert_true(fx_drops(fx, "udp", "bad_checksum") > 100);
	fx_close(fx);
}

static void truncated_packets_reach_no_reader(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_truncate: 100%\n"));
	int s = udp_on(7);

	(void)state;
	for (int i = 0; i < 100; i++)
		rx_udp(.dport = 7, .len = 200);
	assert_int_equal(readable(fx, s), 0);
	assert_true(fx_counter(fx, "fault", "truncated") >= 100);
	fx_close(fx);
}

static void a_rate_has_a_queue_that_overflows(void **state)
{
	/* 142 bytes with headers at 1,136 kbit/s: one a millisecond. */
	struct fixture *fx = settled(open_faulty("      tx_rate: 1136000\n      tx_queue_packets: 3\n"));
	int s = udp_on(7);
	uint8_t data[100] = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_int_equal(fx_sendto(fx, s, data, sizeof(data), PEER_IP, 9), 100);
	assert_int_equal(fx_waiting(fx), 0);
	assert_int_equal(fx_drops(fx, "fault", "queue_full"), 6);
	fx_advance(fx, 1);
	assert_int_equal(fx_waiting(fx), 1);
	fx_advance(fx, 3);
	assert_int_equal(fx_waiting(fx), 4);
	fx_close(fx);
}

static void packets_under_way_are_limited(void **state)
{
	struct fixture *fx = settled(open_faulty("      tx_delay: 1s\n      limit: 5\n"));
	int s = udp_on(7);

	(void)state;
	for (int i = 0; i < 8; i++)
		send_one(fx, s);
	assert_int_equal(fx_drops(fx, "fault", "held_full"), 3);
	fx_advance(fx, 1000);
	assert_int_equal(fx_waiting(fx), 5);
	fx_close(fx);
}

static void congestion_is_marked_where_the_packet_can_tell(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_mark: 100%\n"));
	int s = udp_on(7);

	(void)state;
	rx_udp(.dport = 7, .text = "no", .ip = { .tos = 0 });
	assert_int_equal(fx_counter(fx, "fault", "marked"), 0);
	rx_udp(.dport = 7, .text = "yes", .ip = { .tos = 2 });
	assert_int_equal(fx_counter(fx, "fault", "marked"), 1);
	assert_int_equal(readable(fx, s), 2);
	fx_close(fx);
}

static void what_is_under_way_at_the_end_is_freed(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_delay: 1s\n      tx_delay: 1s\n"));
	int s = udp_on(7);

	(void)state;
	set(fx, "f0.rx_reorder", "50%");
	set(fx, "f0.tx_reorder", "50%");
	for (int i = 0; i < 20; i++) {
		rx_udp(.dport = 7, .text = "in");
		send_one(fx, s);
	}
	fx_close(fx);
}

/* ---- options ---- */

static void options_are_named_by_the_interface(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_loss: 0.25%\n"));
	struct strata_error error = { 0 };
	char text[32];

	(void)state;
	assert_int_equal(strata_option_get(fx->stack, "f0.rx_loss", text, sizeof(text)), 0);
	assert_string_equal(text, "0.25%");
	set(fx, "f0.rx_loss", "12.5%");
	assert_int_equal(strata_option_get(fx->stack, "f0.rx_loss", text, sizeof(text)), 0);
	assert_string_equal(text, "12.5%");
	assert_int_equal(strata_option_set(fx->stack, "f0.rx_loss", "101%", &error), -EINVAL);
	assert_non_null(strstr(strata_error_text(&error), "expected a chance"));
	assert_int_equal(strata_option_set(fx->stack, "f0.over", "w0", &error), -EPERM);
	assert_int_equal(strata_option_set(fx->stack, "f0.rx_lose", "1%", &error), -ENOENT);
	assert_non_null(strstr(strata_error_text(&error), "did you mean \"rx_loss\""));
	assert_int_equal(strata_option_set(fx->stack, "f1.rx_loss", "1%", &error), -ENOENT);
	assert_non_null(strstr(strata_error_text(&error), "no module or interface of that name"));
	assert_int_equal(strata_option_get(fx->stack, "f0.rx_loss", text, sizeof(text)), 0);
	assert_string_equal(text, "12.5%");
	strata_error_clear(&error);
	fx_close(fx);
}

/* ---- what stands on what ---- */

static void what_cannot_stand_is_refused(void **state)
{
	static const struct {
		const char *interfaces, *sentence;
	} cases[] = {
		{ WIRE "  - name: f0\n    driver: fault\n", "missing option \"over\"" },
		{ WIRE "  - name: f0\n    driver: fault\n    options:\n      over: w1\n",
		  "stands on \"w1\": expected an interface that is defined above it, found none" },
		{ WIRE "  - name: f0\n    driver: fault\n    options:\n      over: f0\n",
		  "stands on \"f0\": expected an interface that is defined above it, found none" },
		{ "  - name: f0\n    driver: fault\n    options:\n      over: w0\n" WIRE,
		  "stands on \"w0\": expected an interface that is defined above it, found none" },
		{ WIRE FAULT("") "  - name: f1\n    driver: fault\n    options:\n      over: w0\n",
		  "expected an interface that carries no other, found it to carry \"f0\"" },
		{ WIRE "    addresses: [192.0.2.9/24]\n" FAULT(""),
		  "interface \"w0\" carries \"f0\": expected the addresses there, found them here" },
		{ WIRE "    mtu: 1000\n" FAULT("") "    mtu: 1001\n", "mtu: expected 68 to 1000" },
	};

	(void)state;
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		char text[4096];
		struct fixture *fx;

		snprintf(text, sizeof(text), "%s%s", HEAD, cases[i].interfaces);
		fx = fx_open(.manifest = text, .unsettled = true, .may_fail = true);
		if (fx->stack != NULL || strstr(strata_error_text(&fx->error), cases[i].sentence) == NULL)
			fail_msg("case %zu: %s", i, strata_error_text(&fx->error));
		fx_close(fx);
	}
}

static void one_may_stand_on_another_that_stands(void **state)
{
	struct fixture *fx = fx_open(.manifest = HEAD WIRE
		"    mtu: 1200\n  - name: f1\n    driver: fault\n    options:\n      over: w0\n"
		"      rx_delay: 5ms\n  - name: f0\n    driver: fault\n    addresses: [192.0.2.2/24]\n"
		"    options:\n      over: f1\n      rx_delay: 5ms\n", .unsettled = true, .resolve = true,
		.answer_arp = true);
	int s;

	(void)state;
	settled(fx);
	s = udp_on(7);
	assert_int_equal(strata_iface_by_name(fx->stack, "f0")->mtu, 1200);
	rx_udp(.dport = 7, .text = "in");
	fx_advance(fx, 9);
	assert_int_equal(readable(fx, s), 0);
	fx_advance(fx, 1);
	assert_int_equal(readable(fx, s), 1);
	fx_close(fx);
}

static void an_interface_that_carries_takes_no_address(void **state)
{
	struct fixture *fx = settled(open_faulty(""));
	const uint8_t bytes[4] = { 192, 0, 2, 77 };
	struct strata_prefix prefix = { .addr = strata_addr_make(FX_ETH_IP, bytes, 4), .bits = 24 };

	(void)state;
	assert_int_equal(strata_ifaddr_add(fx->iface, &prefix), -EINVAL);
	assert_int_equal(strata_ifaddr_add(strata_iface_by_name(fx->stack, "f0"), &prefix), 0);
	fx_close(fx);
}

static void what_carries_goes_and_takes_what_stands_with_it(void **state)
{
	struct fixture *fx = settled(open_faulty("      rx_delay: 1s\n"));
	struct strata_iface *f0 = strata_iface_by_name(fx->stack, "f0");
	int s = udp_on(7);

	(void)state;
	strata_iface_set_running(fx->iface, false);
	assert_false(f0->flags & STRATA_IFACE_RUNNING);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 9), -ENETDOWN);
	strata_iface_set_running(fx->iface, true);
	assert_true(f0->flags & STRATA_IFACE_RUNNING);
	send_one(fx, s);
	expect_udp(.text = "hello");
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_options_packets_pass_at_once),
		cmocka_unit_test(framing_counts_a_packet_of_two_interfaces_once),
		cmocka_unit_test(what_is_lost_has_its_reason),
		cmocka_unit_test(losses_are_as_many_as_asked_for_and_follow_the_seed),
		cmocka_unit_test(bursts_lose_what_is_in_them),
		cmocka_unit_test(packets_are_delayed),
		cmocka_unit_test(packets_come_twice),
		cmocka_unit_test(a_packet_held_back_comes_behind_the_next),
		cmocka_unit_test(a_packet_that_nothing_overtakes_comes_in_time),
		cmocka_unit_test(corrupted_packets_reach_no_reader),
		cmocka_unit_test(truncated_packets_reach_no_reader),
		cmocka_unit_test(a_rate_has_a_queue_that_overflows),
		cmocka_unit_test(packets_under_way_are_limited),
		cmocka_unit_test(congestion_is_marked_where_the_packet_can_tell),
		cmocka_unit_test(what_is_under_way_at_the_end_is_freed),
		cmocka_unit_test(options_are_named_by_the_interface),
		cmocka_unit_test(what_cannot_stand_is_refused),
		cmocka_unit_test(one_may_stand_on_another_that_stands),
		cmocka_unit_test(an_interface_that_carries_takes_no_address),
		cmocka_unit_test(what_carries_goes_and_takes_what_stands_with_it),
	};

	return fx_main(tests);
}
