/* SPDX-License-Identifier: BSD-2-Clause */
/* Which congestion module a connection has: the manifest's, its route's, its own choice; and what becomes
 * of it when modules come and go. */
#include <linux/tcp.h>

#include <strata/live.h>
#include "fixture.h"

#define ALL "ethernet arp ipv4 newreno cubic bbr tcp"
enum { MSS = 1000 };

static const char *algorithm_of(struct fixture *fx, int s)
{
	static _Thread_local char name[32];
	socklen_t length = sizeof(name);

	memset(name, 0, sizeof(name));
	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
	return name;
}

static int choose(struct fixture *fx, int s, const char *name)
{
	return strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}

static struct tcp_info info_of(struct fixture *fx, int s)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info;
}

/* Ten segments leave, nothing comes back until the timer strikes: newreno's threshold is half of them,
 * cubic's seven tenths, bbr has none. */
static void assert_behaves_as(struct fixture *fx, int s, const char *name)
{
	static const char bytes[10 * MSS];
	uint32_t threshold;

	assert_string_equal(algorithm_of(fx, s), name);
	assert_int_equal(fx_send(fx, s, bytes, sizeof(bytes)), sizeof(bytes));
	fx_advance(fx, 3000);
	threshold = info_of(fx, s).tcpi_snd_ssthresh;
	if (strcmp(name, "newreno") == 0)
		assert_int_equal(threshold, 5);
	else if (strcmp(name, "cubic") == 0)
		assert_in_range(threshold, 7, 8);
	else
		assert_int_equal(threshold, 0x7fffffff);
	fx_discard(fx);
}

static void the_manifest_names_it_and_it_need_not_be_listed(void **state)
{
	static const char *const names[] = { "newreno", "cubic", "bbr" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char option[64];
		struct fixture *fx;

		snprintf(option, sizeof(option), "tcp.congestion=%s", names[i]);
		fx = fx_open(.modules = "ethernet arp ipv4 tcp", .options = option);
		assert_behaves_as(fx, accept_one(listen_on(80), .mss = MSS), names[i]);
		fx_close(fx);
	}
}

static void without_a_word_it_is_cubic(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 tcp");

	(void)state;
	assert_behaves_as(fx, accept_one(listen_on(80), .mss = MSS), "cubic");
	fx_close(fx);
}

static void the_option_changes_for_new_connections_at_run_time(void **state)
{
	struct fixture *fx = fx_open(.modules = ALL, .options = "tcp.congestion=cubic");
	struct strata_error error = { 0 };
	int listener = listen_on(80), before, after;

	(void)state;
	before = accept_one(listener, .mss = MSS);
	assert_int_equal(strata_option_set(fx->stack, "tcp.congestion", "newreno", &error), 0);
	fx->conn = (struct fx_conn){ .peer_port = 40001, .stack_port = 80, .peer_isn = 5000 };
	after = accept_one(listener, .mss = MSS);
	assert_string_equal(algorithm_of(fx, before), "cubic");
	assert_behaves_as(fx, after, "newreno");
	assert_int_equal(strata_option_set(fx->stack, "tcp.congestion", "vegas", &error), -ENOENT);
	strata_error_clear(&error);
	fx_close(fx);
}

static void a_route_names_its_own(void **state)
{
	struct fixture *fx = fx_open(.modules = ALL, .options = "tcp.congestion=cubic",
				     .extra = "routes:\n  - to: 198.51.100.0/24\n    via: 192.0.2.1\n"
					      "    congestion: newreno\n"
					      "  - to: 203.0.113.0/24\n    via: 192.0.2.1\n"
					      "    congestion: bbr\n");
	static const struct {
		uint32_t peer;
		const char *name;
	} cases[] = { { 0xc6336407, "newreno" }, { 0xcb007107, "bbr" }, { 0, "cubic" } };
	int listener = listen_on(80);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fx->conn = (struct fx_conn){ .peer_ip = cases[i].peer, .stack_port = 80, .peer_isn = 1000,
					     .peer_port = (uint16_t)(40000 + i) };
		assert_behaves_as(fx, accept_one(listener, .mss = MSS), cases[i].name);
	}
	fx_close(fx);
}

static void a_socket_chooses_before_and_after_it_is_connected(void **state)
{
	struct fixture *fx = fx_open(.modules = ALL, .options = "tcp.congestion=cubic");
	int s;

	(void)state;
	s = fx_socket(fx, SOCK_STREAM, 0);
	assert_string_equal(algorithm_of(fx, s), "cubic");
	assert_int_equal(choose(fx, s, "vegas"), -ENOENT);
	assert_int_equal(choose(fx, s, "tcp"), -ENOENT);
	assert_int_equal(choose(fx, s, ""), -EINVAL);
	assert_int_equal(choose(fx, s, "newreno"), 0);
	assert_string_equal(algorithm_of(fx, s), "newreno");
	fx_close_socket(fx, s);
	s = accept_one(listen_on(80), .mss = MSS);
	/* There and back again, through one that has memory of its own. */
	assert_int_equal(choose(fx, s, "bbr"), 0);
	assert_true(info_of(fx, s).tcpi_pacing_rate != UINT64_MAX);
	assert_int_equal(choose(fx, s, "newreno"), 0);
	assert_behaves_as(fx, s, "newreno");
	fx_close(fx);
}

static void what_a_listener_chose_its_connections_have(void **state)
{
	struct fixture *fx = fx_open(.modules = ALL, .options = "tcp.congestion=cubic");
	int listener = listen_on(80);

	(void)state;
	assert_int_equal(choose(fx, listener, "newreno"), 0);
	assert_behaves_as(fx, accept_one(listener, .mss = MSS), "newreno");
	fx_close(fx);
}

/* Data flows whatever becomes of the module. */
static void disabling_and_enabling_a_module_does_not_stop_its_connections(void **state)
{
	static const char *const names[] = { "newreno", "cubic", "bbr" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct fixture *fx = fx_open(.modules = ALL, .options = "tcp.congestion=cubic");
		struct strata_error error = { 0 };
		int s = accept_one(listen_on(80), .mss = MSS);
		char bytes[3 * MSS] = { 0 };
		uint32_t seq = 1;

		assert_int_equal(choose(fx, s, names[i]), 0);
		for (unsigned int round = 0; round < 6; round++) {
			assert_int_equal(fx_send(fx, s, bytes, sizeof(bytes)), sizeof(bytes));
			for (unsigned int n = 0; n < 3; n++, seq += MSS)
				expect_tx(n == 2 ? ACK | PSH : ACK, .seq = seq, .len = MSS,
					  .any_data = true, .within = 1000);
			if (round % 2 == 0)
				assert_int_equal(strata_module_disable(fx->stack, names[i], &error), 0);
			else
				assert_int_equal(strata_module_enable(fx->stack, names[i], &error), 0);
			rx(ACK, .ack = seq);
		}
		fx_close(fx);
	}
}

/* The next connection to port 80, from another port of the peer. */
static int next_connection(struct fixture *fx, int listener)
{
	const uint16_t port = (uint16_t)(fx->conn.peer_port + 1);

	fx_discard(fx);
	fx->conn = (struct fx_conn){ .peer_port = port, .stack_port = 80, .peer_isn = 5000 };
	return accept_one(listener, .mss = MSS);
}

/* Ten segments that time out: what the threshold is then. */
static uint32_t threshold_of(struct fixture *fx, int s)
{
	static const char bytes[10 * MSS];

	assert_int_equal(fx_send(fx, s, bytes, sizeof(bytes)), sizeof(bytes));
	fx_advance(fx, 3000);
	return info_of(fx, s).tcpi_snd_ssthresh;
}

/* Whatever was found for connections before: stopped, started, gone, and another module of that name. */
static void the_default_is_what_bears_its_name_when_a_connection_begins(void **state)
{
	struct fixture *fx = fx_open(.modules = ALL, .options = "tcp.congestion=cubic");
	struct strata_error error = { 0 };
	int listener = listen_on(80), s;

	(void)state;
	s = accept_one(listener, .mss = MSS);
	assert_in_range(threshold_of(fx, s), 7, 8);
	assert_int_equal(strata_module_disable(fx->stack, "cubic", &error), 0);
	s = next_connection(fx, listener);
	/* Nobody's: the transport halves what is in flight. */
	assert_int_equal(threshold_of(fx, s), 5);
	assert_int_equal(strata_module_enable(fx->stack, "cubic", &error), 0);
	s = next_connection(fx, listener);
	assert_in_range(threshold_of(fx, s), 7, 8);
	assert_int_equal(strata_module_unload(fx->stack, "cubic", &error), 0);
	s = next_connection(fx, listener);
	assert_int_equal(threshold_of(fx, s), 5);
	assert_int_equal(strata_module_load(fx->stack, "cubic", "bbr", 0, NULL, &error), 0);
	s = next_connection(fx, listener);
	assert_string_equal(algorithm_of(fx, s), "cubic");
	assert_int_equal(threshold_of(fx, s), 0x7fffffff);
	fx_discard(fx);
	fx_close(fx);
}

/* RFC 5681 4.1: the window of before a pause is cut where sending starts again, whatever came meanwhile. */
static void a_pause_cuts_the_window_when_something_is_sent(void **state)
{
	struct fixture *fx = fx_open(.modules = ALL, .options = "tcp.congestion=newreno tcp.rest_after=0");
	static const char bytes[10 * MSS];
	uint32_t grown;
	int s;

	(void)state;
	s = accept_one(listen_on(80), .mss = MSS);
	assert_int_equal(fx_send(fx, s, bytes, sizeof(bytes)), sizeof(bytes));
	fx_discard(fx);
	rx(ACK, .ack = 1 + 10 * MSS);
	grown = info_of(fx, s).tcpi_snd_cwnd;
	assert_true(grown > 10);
	fx_advance(fx, 10000);
	for (unsigned int i = 0; i < 3; i++) {
		rx(ACK, .len = 100);
		fx_advance(fx, 100);
	}
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, grown);
	fx_discard(fx);
	assert_int_equal(fx_send(fx, s, bytes, 1), 1);
	assert_int_equal(info_of(fx, s).tcpi_snd_cwnd, 10);
	fx_discard(fx);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manifest_names_it_and_it_need_not_be_listed),
		cmocka_unit_test(without_a_word_it_is_cubic),
		cmocka_unit_test(the_option_changes_for_new_connections_at_run_time),
		cmocka_unit_test(a_route_names_its_own),
		cmocka_unit_test(a_socket_chooses_before_and_after_it_is_connected),
		cmocka_unit_test(what_a_listener_chose_its_connections_have),
		cmocka_unit_test(the_default_is_what_bears_its_name_when_a_connection_begins),
		cmocka_unit_test(a_pause_cuts_the_window_when_something_is_sent),
		cmocka_unit_test(disabling_and_enabling_a_module_does_not_stop_its_connections),
	};

	return fx_main(tests);
}
