/* SPDX-License-Identifier: BSD-2-Clause */
/* The small services over UDP, when they keep silent, and how they start. */
#include "fixture.h"

#define ECHO_MODULES "ethernet arp ipv4 icmp udp echo"
#define BROADCAST_IP IP4(192, 0, 2, 255)

#define echo_open(...) fx_open(.modules = ECHO_MODULES, ##__VA_ARGS__)

static void a_datagram_comes_back_as_it_was(void **state)
{
	struct fixture *fx = echo_open();

	(void)state;
	rx_udp(.sport = 4000, .dport = 7, .text = "hello");
	expect_udp(.sport = 7, .dport = 4000, .text = "hello");
	rx_udp(.sport = 4000, .dport = 7);
	expect_udp(.sport = 7, .dport = 4000, .text = "");
	assert_int_equal(fx_counter(fx, "echo", "datagrams"), 2);
	fx_close(fx);
}

static void the_largest_datagram_comes_back_too(void **state)
{
	struct fixture *fx = echo_open();

	(void)state;
	rx_udp(.sport = 4000, .dport = 7, .len = 65507, .ip = { .fragment = 1480 });
	expect_udp(.sport = 7, .dport = 4000, .len = 65507);
	fx_close(fx);
}

static void the_answer_bears_the_address_that_was_asked(void **state)
{
	struct fixture *fx = echo_open(.address = "192.0.2.2/24, 192.0.2.3/24");

	(void)state;
	rx_udp(.sport = 4000, .dport = 7, .text = "x", .ip = { .dst = IP4(192, 0, 2, 3) });
	expect_udp(.sport = 7, .dport = 4000, .text = "x", .ip = { .src = IP4(192, 0, 2, 3) });
	rx_udp(.sport = 4000, .dport = 7, .text = "y");
	expect_udp(.sport = 7, .dport = 4000, .text = "y", .ip = { .src = STACK_IP });
	fx_close(fx);
}

static void a_service_port_is_never_answered(void **state)
{
	static const uint16_t ports[] = { 7, 9, 11, 13, 15, 17, 19, 37, 1007, 1009 };
	struct fixture *fx = echo_open(.options = "echo.udp=1007 echo.discard_udp=1009");
	uint8_t from_nowhere[] = { 0, 0, 0x03, 0xef, 0, 9, 0, 0, 'x' };
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(ports); i++)
		rx_udp(.sport = ports[i], .dport = 1007, .text = "loop");
	rx_ip(17, from_nowhere, sizeof(from_nowhere));
	expect_silence(100);
	assert_int_equal(fx_counter(fx, "echo", "datagrams_silent"), STRATA_COUNT(ports) + 1);
	rx_udp(.sport = 20, .dport = 1007, .text = "fine");
	expect_udp(.sport = 1007, .dport = 20, .text = "fine");
	fx_close(fx);
}

static void what_was_sent_to_many_is_not_answered(void **state)
{
	struct fixture *fx = echo_open(.options = "echo.chargen_udp=19");

	(void)state;
	rx_udp(.dport = 7, .text = "x", .ip = { .dst = BROADCAST_IP, .to_mac = BROADCAST_MAC });
	rx_udp(.dport = 19, .text = "x", .ip = { .dst = BROADCAST_IP, .to_mac = BROADCAST_MAC });
	rx_udp(.dport = 7, .text = "x",
	       .ip = { .dst = IP4(224, 0, 0, 1), .to_mac = (const uint8_t *)"\1\0\x5e\0\0\1" });
	expect_silence(100);
	assert_int_equal(fx_counter(fx, "echo", "datagrams_silent"), 3);
	fx_close(fx);
}

static void discard_takes_and_says_nothing(void **state)
{
	struct fixture *fx = echo_open(.options = "echo.discard_udp=9");

	(void)state;
	rx_udp(.dport = 9, .text = "x");
	expect_no_drop();
	expect_silence(100);
	fx_close(fx);
}

static void chargen_answers_with_lines_of_its_pattern(void **state)
{
	struct fixture *fx = echo_open(.options = "echo.chargen_udp=19");
	size_t lengths = 0, i, n;

	(void)state;
	for (n = 0; n < 50; n++) {
		const struct fx_pkt *pkt;
		uint8_t before = 0;

		rx_udp(.sport = 4000, .dport = 19, .text = "?");
		pkt = expect_udp(.sport = 19, .dport = 4000, .len = FX_AUTO, .any_data = true);
		assert_in_range(pkt->payload_len, 0, 512);
		lengths += pkt->payload_len;
		for (i = 0; i < pkt->payload_len; i++) {
			uint8_t c = pkt->payload[i];

			/* Lines of 72, each character the one after the one before it, and CR LF. */
			if (i % 74 == 72)
				assert_int_equal(c, '\r');
			else if (i % 74 == 73)
				assert_int_equal(c, '\n');
			else
				assert_in_range(c, ' ', '~');
			if (i % 74 > 0 && i % 74 < 72)
				assert_int_equal(c, before == '~' ? ' ' : before + 1);
			before = c;
		}
	}
	assert_in_range(lengths / 50, 150, 360);
	fx_close(fx);
}

static void a_port_of_0_is_off(void **state)
{
	struct fixture *fx = echo_open(.options = "echo.udp=0");

	(void)state;
	rx_udp(.dport = 7, .text = "x");
	expect_drop("kernel", "no_flow");
	expect_icmp(.type = 3, .code = 3, .any_data = true, .len = FX_AUTO);
	fx_close(fx);
}

static void without_a_transport_the_service_starts_and_says_so(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp echo");

	(void)state;
	assert_true(fx_logged(fx, "echo over udp is not served: that transport is not running"));
	assert_true(fx_logged(fx, "echo over tcp is not served"));
	rx_udp(.dport = 7, .text = "x");
	expect_drop("kernel", "no_transport");
	fx_close(fx);
}

static void switched_off_and_on_udp_is_served_again(void **state)
{
	struct fixture *fx = echo_open();
	struct strata_error error = { 0 };
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_int_equal(strata_module_disable(fx->stack, "udp", &error), 0);
		fx_advance(fx, 1000);
		assert_int_equal(strata_module_enable(fx->stack, "udp", &error), 0);
		rx_udp(.sport = 4000, .dport = 7, .text = "back");
		expect_udp(.sport = 7, .dport = 4000, .text = "back");
	}
	assert_int_equal(strata_module_disable(fx->stack, "ipv4", &error), 0);
	assert_int_equal(strata_module_enable(fx->stack, "ipv4", &error), 0);
	fx_advance(fx, 20000);
	fx_discard(fx);
	rx_udp(.sport = 4000, .dport = 7, .text = "and back");
	expect_udp(.sport = 7, .dport = 4000, .text = "and back");
	fx_close(fx);
}

static void a_port_that_is_taken_stops_the_start_and_says_which(void **state)
{
	struct fixture *fx = fx_open(.may_fail = true, .manifest =
		"strata: 1\n"
		"modules:\n"
		"  - name: wire\n"
		"  - name: ipv4\n"
		"  - name: udp\n"
		"  - name: echo\n"
		"  - name: more\n"
		"    file: echo\n"
		"interfaces:\n"
		"  - name: w0\n"
		"    driver: wire\n"
		"    options:\n"
		"      medium: ip\n");

	(void)state;
	assert_null(fx->stack);
	assert_non_null(strstr(strata_error_text(&fx->error), "cannot serve echo on udp port 7"));
	assert_non_null(strstr(strata_error_text(&fx->error), "another service has it"));
	fx_close(fx);
}

static void without_memory_it_does_not_start_and_leaves_nothing(void **state)
{
	unsigned int k;

	(void)state;
	/* A sample of the allocations of a start, each failing with all after it. */
	for (k = 1; k < 2000; k += 7) {
		struct fixture *fx = echo_open(.may_fail = true, .fail_at = k, .fail_forever = true,
					       .unsettled = true);
		bool made = fx->stack != NULL;

		fx_fail_at(fx, 0, false);
		fx_close(fx);
		if (made)
			break;
	}
	assert_true(k > 50 && k < 2000);
}

static void note_socket(void *ctx, const struct strata_socket_view *view)
{
	*(int *)ctx = view->fd;
}

/* Sockets are numbers that others of the stack can get wrong. */
static void a_socket_spoilt_by_others_does_not_keep_the_thread(void **state)
{
	struct fixture *fx = echo_open();
	struct sockaddr_in peer = fx_sockaddr(PEER_IP, 4000);
	int s = -1;

	(void)state;
	strata_inspect_sockets(fx->stack, note_socket, &s);
	assert_int_equal(strata_connect(fx->stack, s, (struct sockaddr *)&peer, sizeof(peer)), 0);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_RDWR), 0);
	expect_silence(1000);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_comes_back_as_it_was),
		cmocka_unit_test(the_largest_datagram_comes_back_too),
		cmocka_unit_test(the_answer_bears_the_address_that_was_asked),
		cmocka_unit_test(a_service_port_is_never_answered),
		cmocka_unit_test(what_was_sent_to_many_is_not_answered),
		cmocka_unit_test(discard_takes_and_says_nothing),
		cmocka_unit_test(chargen_answers_with_lines_of_its_pattern),
		cmocka_unit_test(a_socket_spoilt_by_others_does_not_keep_the_thread),
		cmocka_unit_test(a_port_of_0_is_off),
		cmocka_unit_test(without_a_transport_the_service_starts_and_says_so),
		cmocka_unit_test(switched_off_and_on_udp_is_served_again),
		cmocka_unit_test(a_port_that_is_taken_stops_the_start_and_says_which),
		cmocka_unit_test(without_memory_it_does_not_start_and_leaves_nothing),
	};

	return fx_main(tests);
}
