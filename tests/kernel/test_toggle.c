/* SPDX-License-Identifier: BSD-2-Clause */
/* Modules switched off and on while packets come in: who notices, who does not, and that nothing is left. */
#include "fixture.h"

#define MODULES "ethernet arp ipv4 icmp udp newreno tcp echo"
/* 10,000 times in all. */
#define ROUNDS 1500

static void disable(struct fixture *fx, const char *module)
{
	struct strata_error error = { 0 };

	if (strata_module_disable(fx->stack, module, &error) != 0)
		fail_msg("%s", strata_error_text(&error));
}

static void enable(struct fixture *fx, const char *module)
{
	struct strata_error error = { 0 };

	if (strata_module_enable(fx->stack, module, &error) != 0)
		fail_msg("%s", strata_error_text(&error));
}

static void ping_is_answered(struct fixture *fx)
{
	rx_icmp(.type = 8, .id = 7, .seq = 1, .text = "hello");
	expect_icmp(.type = 0, .id = 7, .seq = 1, .text = "hello");
}

static void without_udp_its_port_is_answered_with_protocol_unreachable(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int s = udp_on(5000), error, t;

	(void)state;
	rx_udp(.dport = 5000, .text = "one");
	assert_int_equal(strata_events(fx->stack, s) & EPOLLIN, EPOLLIN);
	disable(fx, "udp");
	error = fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR);
	assert_true(error == ENETDOWN || error == -EBADF);
	rx_udp(.dport = 5000, .text = "two");
	expect_icmp(.type = 3, .code = 2, .any_data = true, .len = FX_AUTO);
	ping_is_answered(fx);
	assert_int_equal(strata_socket(fx->stack, AF_INET, SOCK_DGRAM, 0), -EPROTONOSUPPORT);
	enable(fx, "udp");
	t = udp_on(5000);
	rx_udp(.dport = 5000, .text = "three");
	assert_int_equal(strata_events(fx->stack, t) & EPOLLIN, EPOLLIN);
	fx_close(fx);
}

static void a_connection_ends_with_its_transport_and_others_do_not_notice(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	int listener = listen_on(80), s, u = udp_on(5000), error;

	(void)state;
	s = accept_one(listener, .mss = 1460);
	disable(fx, "tcp");
	error = fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR);
	assert_true(error == ENETDOWN || error == ECONNABORTED || error == -EBADF);
	fx_discard(fx);
	rx_udp(.dport = 5000, .text = "still there");
	assert_int_equal(strata_events(fx->stack, u) & EPOLLIN, EPOLLIN);
	ping_is_answered(fx);
	enable(fx, "tcp");
	listener = listen_on(81);
	fx->conn.stack_port = 81;
	fx->conn.peer_port++;
	accept_one(listener, .mss = 1460);
	fx_close(fx);
}

/* One packet of each kind, whatever becomes of it. */
static void traffic(struct fixture *fx, uint16_t port)
{
	rx_udp(.sport = port, .dport = 7, .text = "echo");
	rx_icmp(.type = 8, .id = 1, .seq = port, .text = "ping");
	fx->conn.peer_port = port;
	rx(SYN, .seq = 0, .ack = 0, .mss = 1460);
	rx_arp(1);
}

static void again_and_again(const char *module)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	size_t bytes = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		traffic(fx, (uint16_t)(10000 + i));
		disable(fx, module);
		traffic(fx, (uint16_t)(20000 + i));
		enable(fx, module);
		fx_discard(fx);
		fx_advance(fx, 100);
		fx_discard(fx);
		if (i == ROUNDS / 2)
			bytes = strata_memory_used(fx->stack);
	}
	/* Half-open connections and caches fill up; what leaks grows on. */
	assert_true(strata_memory_used(fx->stack) < bytes + bytes / 2);
	fx_advance(fx, 200000);
	fx_discard(fx);
	ping_is_answered(fx);
	rx_udp(.dport = 7, .text = "echo");
	expect_udp(.sport = 7, .text = "echo", .within = 2000);
	fx_close(fx);
}

static void udp_is_switched_under_traffic(void **state)
{
	(void)state;
	again_and_again("udp");
}

static void tcp_is_switched_under_traffic(void **state)
{
	(void)state;
	again_and_again("tcp");
}

static void icmp_is_switched_under_traffic(void **state)
{
	(void)state;
	again_and_again("icmp");
}

static void ipv4_is_switched_under_traffic(void **state)
{
	(void)state;
	again_and_again("ipv4");
}

static void arp_is_switched_under_traffic(void **state)
{
	(void)state;
	again_and_again("arp");
}

static void newreno_is_switched_under_traffic(void **state)
{
	(void)state;
	again_and_again("newreno");
}

static void echo_is_switched_under_traffic(void **state)
{
	(void)state;
	again_and_again("echo");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_udp_its_port_is_answered_with_protocol_unreachable),
		cmocka_unit_test(a_connection_ends_with_its_transport_and_others_do_not_notice),
		cmocka_unit_test(udp_is_switched_under_traffic),
		cmocka_unit_test(tcp_is_switched_under_traffic),
		cmocka_unit_test(icmp_is_switched_under_traffic),
		cmocka_unit_test(ipv4_is_switched_under_traffic),
		cmocka_unit_test(arp_is_switched_under_traffic),
		cmocka_unit_test(newreno_is_switched_under_traffic),
		cmocka_unit_test(echo_is_switched_under_traffic),
	};

	return fx_main(tests);
}
