/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections at rest: what they give back, that nobody notices, and what becomes of them when memory is short. */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/epoll.h>

#include "fixture.h"

enum { MSS = 1000, LEAST = 150, MOST = 2000 };

static int connected(struct fixture *fx)
{
	return accept_one(listen_on(80), .mss = MSS, .sack_ok = true, .ts = true, .wscale = 7);
}

static struct tcp_info info_of(struct fixture *fx, int s)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	memset(&info, 0, sizeof(info));
	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info;
}

/* A kilobyte each way. */
static void talk(struct fixture *fx, int s, uint32_t done)
{
	uint8_t bytes[MSS];

	rx(ACK | PSH, .seq = 1 + done, .ack = 1 + done, .len = MSS / 2);
	assert_int_equal(fx_recv(fx, s, bytes, sizeof(bytes)), MSS / 2);
	fx_discard(fx);
	fx_pattern_fill(bytes, MSS / 2, done);
	assert_int_equal(fx_send(fx, s, bytes, MSS / 2), MSS / 2);
	expect_tx(ACK, .seq = 1 + done, .len = MSS / 2);
	rx(ACK, .seq = 1 + done + MSS / 2, .ack = 1 + done + MSS / 2);
	fx_discard(fx);
}

/* Memory that a connection gives back in `ms`. */
static size_t given_back(struct fixture *fx, unsigned int ms)
{
	size_t before = strata_memory_used(fx->stack);

	fx_advance(fx, ms);
	fx_discard(fx);
	return before - strata_memory_used(fx->stack);
}

static void after_a_second_it_gives_memory_back_and_wakes_for_data(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	uint32_t i;

	(void)state;
	talk(fx, s, 0);
	assert_int_equal(given_back(fx, 900), 0);
	assert_in_range(given_back(fx, 300), LEAST, MOST);
	for (i = 1; i < 10; i++) {
		talk(fx, s, i * MSS / 2);
		assert_in_range(given_back(fx, 3000), LEAST, MOST);
	}
	fx_close(fx);
}

static void the_owner_sees_no_difference(void **state)
{
	struct fixture *awake = fx_open(.options = "tcp.rest_after=0"), *fx;
	struct tcp_info infos[2];
	unsigned int i;

	(void)state;
	fx = awake;
	for (i = 0; i < 2; i++) {
		int s = connected(fx);

		fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPIDLE, 77);
		fx_setsockopt(fx, s, IPPROTO_TCP, TCP_USER_TIMEOUT, 4711);
		talk(fx, s, 0);
		fx_advance(fx, 5000);
		talk(fx, s, MSS / 2);
		fx_advance(fx, 5000);
		fx_discard(fx);
		assert_int_equal(strata_events(fx->stack, s), EPOLLOUT);
		assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_KEEPIDLE), 77);
		assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_USER_TIMEOUT), 4711);
		infos[i] = info_of(fx, s);
		fx_close(fx);
		if (i == 0)
			fx = fx_open();
	}
	assert_int_equal(infos[0].tcpi_bytes_acked, MSS);
	assert_memory_equal(&infos[0], &infos[1], sizeof(infos[0]));
}

static void keepalive_goes_on(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char c;

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPINTVL, 5);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPCNT, 2);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_KEEPALIVE, 1);
	assert_in_range(given_back(fx, 5000), LEAST, MOST);
	expect_silence(4900);
	expect_tx(ACK, .seq = 0, .len = 0, .within = 200);
	rx(ACK);
	assert_in_range(given_back(fx, 5000), 0, MOST);
	expect_silence(4900);
	expect_tx(ACK, .seq = 0, .len = 0, .within = 200);
	expect_tx(ACK, .seq = 0, .len = 0, .within = 5100);
	expect_tx(RST | ACK, .seq = 1, .within = 5100);
	assert_int_equal(fx_recv(fx, s, &c, 1), -ETIMEDOUT);
	fx_close(fx);
}

static void what_is_unread_or_unsent_keeps_it_awake(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	uint8_t bytes[MSS];

	(void)state;
	rx(ACK | PSH, .len = 100);
	assert_in_range(given_back(fx, 10000), 0, LEAST);
	assert_int_equal(fx_recv(fx, s, bytes, sizeof(bytes)), 100);
	/* It is asked again by and by. */
	fx_advance(fx, 60000);
	fx_discard(fx);
	rx(ACK, .seq = 101, .win = 0);
	assert_int_equal(fx_send(fx, s, bytes, 100), 100);
	assert_in_range(given_back(fx, 100), 0, LEAST);
	rx(ACK, .seq = 101, .win = 1000);
	expect_tx(ACK, .seq = 1, .len = 100);
	rx(ACK, .seq = 101, .ack = 101);
	fx_discard(fx);
	fx_close(fx);
}

static void it_is_closed_by_either_end(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char c;

	(void)state;
	assert_in_range(given_back(fx, 3000), LEAST, MOST);
	rx(FIN | ACK);
	expect_tx(ACK, .ack = 2);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLRDHUP);
	/* It rests in CLOSE-WAIT too, and knows of the FIN. */
	assert_in_range(given_back(fx, 5000), LEAST, MOST);
	assert_int_equal(fx_recv(fx, s, &c, 1), 0);
	fx_advance(fx, 5000);
	rx(FIN | ACK, .seq = 1);
	expect_tx(ACK, .ack = 2);
	fx_advance(fx, 5000);
	fx_close_socket(fx, s);
	expect_tx(FIN | ACK, .seq = 1, .ack = 2);
	rx(ACK, .seq = 2, .ack = 2);
	fx_advance(fx, 1000);
	fx_close(fx);
}

static void whoever_looks_does_not_wake_it(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	size_t held;

	(void)state;
	fx_advance(fx, 3000);
	fx_discard(fx);
	held = strata_memory_used(fx->stack);
	assert_int_equal(strata_events(fx->stack, s), EPOLLOUT);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	assert_int_equal(strata_memory_used(fx->stack), held);
	fx_close(fx);
}

static void without_memory_a_segment_comes_again(void **state)
{
	struct fixture *fx = fx_open(.uncached = true);
	int s = connected(fx);
	uint8_t bytes[MSS];

	(void)state;
	talk(fx, s, 0);
	assert_in_range(given_back(fx, 3000), LEAST, MOST);
	rx(ACK | PSH, .seq = 501, .ack = 501, .len = 100);
	assert_int_equal(fx_recv(fx, s, bytes, sizeof(bytes)), 100);
	fx_advance(fx, 3000);
	fx_discard(fx);
	fx_fail_at(fx, 1, true);
	assert_int_equal(fx_send(fx, s, bytes, 1), -ENOBUFS);
	assert_int_equal(strata_events(fx->stack, s), EPOLLOUT);
	/* The segment's own packet, but nothing more. */
	fx_fail_at(fx, 2, true);
	rx(ACK | PSH, .seq = 601, .ack = 501, .len = 100);
	fx_fail_at(fx, 0, false);
	assert_int_equal(fx_drops(fx, "tcp", "no_memory"), 1);
	rx(ACK | PSH, .seq = 601, .ack = 501, .len = 100);
	assert_int_equal(fx_recv(fx, s, bytes, sizeof(bytes)), 100);
	fx_discard(fx);
	fx_close(fx);
}

static void without_memory_it_is_closed_without_a_word(void **state)
{
	struct fixture *fx = fx_open(.uncached = true);
	int s = connected(fx);

	(void)state;
	assert_in_range(given_back(fx, 3000), LEAST, MOST);
	fx_fail_at(fx, 1, true);
	fx_close_socket(fx, s);
	expect_silence(1000);
	fx_fail_at(fx, 0, false);
	rx(ACK | PSH, .len = 1);
	expect_tx(RST);
	fx_close(fx);
}

static void the_address_going_ends_it_with_or_without_memory(void **state)
{
	unsigned int starved;

	(void)state;
	for (starved = 0; starved < 2; starved++) {
		struct fixture *fx = fx_open(.uncached = true);
		const uint32_t ip = htonl(STACK_IP);
		const struct strata_addr addr = strata_addr_make(0x0800, &ip, 4);
		int s = connected(fx);
		char c;

		assert_in_range(given_back(fx, 3000), LEAST, MOST);
		if (starved)
			fx_fail_at(fx, 1, true);
		assert_int_equal(strata_ifaddr_remove(fx->iface, &addr), 0);
		expect_events(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
		fx_fail_at(fx, 0, false);
		fx_discard(fx);
		assert_int_equal(fx_recv(fx, s, &c, 1), -EADDRNOTAVAIL);
		fx_close_socket(fx, s);
		fx_close(fx);
	}
}

/* The algorithm of a connection at rest goes, for good or not, and maybe comes back before it wakes. */
static void an_algorithm_that_goes_meanwhile_is_not_asked_again(void **state)
{
	static const char *const names[] = { "newreno", "cubic", "bbr" };
	unsigned int i, unload, back;

	(void)state;
	for (i = 0; i < 12; i++) {
		struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp udp newreno cubic bbr tcp");
		const char *name = names[i / 4];
		struct strata_error error = { 0 };
		int s = connected(fx);
		uint32_t n;

		unload = i & 1;
		back = i & 2;
		assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_CONGESTION, name,
						   (socklen_t)strlen(name)), 0);
		talk(fx, s, 0);
		for (n = 1; n < 4; n++) {
			assert_in_range(given_back(fx, 3000), LEAST, MOST);
			assert_int_equal((unload ? strata_module_unload :
					  strata_module_disable)(fx->stack, name, &error), 0);
			if (back && unload)
				assert_int_equal(strata_module_load(fx->stack, name, NULL, 0, NULL,
								    &error), 0);
			else if (back)
				assert_int_equal(strata_module_enable(fx->stack, name, &error), 0);
			talk(fx, s, n * MSS / 2);
			if (!back)
				break;
		}
		fx_advance(fx, 3000);
		fx_discard(fx);
		fx_close_socket(fx, s);
		expect_tx(FIN | ACK, .seq = FX_AUTO);
		strata_error_clear(&error);
		fx_close(fx);
	}
}

static void the_end_of_the_module_resets_what_rests(void **state)
{
	unsigned int starved;

	(void)state;
	for (starved = 0; starved < 2; starved++) {
		struct fixture *fx = fx_open(.uncached = true);
		struct strata_error error = { 0 };
		int s = connected(fx), again;
		char c;

		assert_in_range(given_back(fx, 3000), LEAST, MOST);
		if (starved)
			fx_fail_at(fx, 1, true);
		assert_int_equal(strata_module_disable(fx->stack, "tcp", &error), 0);
		fx_fail_at(fx, 0, false);
		if (!starved)
			expect_tx(RST | ACK, .seq = 1);
		expect_silence(1000);
		assert_int_equal(strata_module_enable(fx->stack, "tcp", &error), 0);
		assert_int_equal(fx_recv(fx, s, &c, 1), -ENETDOWN);
		fx->conn = (struct fx_conn){ .peer_port = 41000, .stack_port = 81, .peer_isn = 1000 };
		again = accept_one(listen_on(81), .mss = MSS, .sack_ok = true, .ts = true, .wscale = 7);
		talk(fx, again, 0);
		assert_in_range(given_back(fx, 3000), LEAST, MOST);
		fx_close_socket(fx, s);
		talk(fx, again, MSS / 2);
		strata_error_clear(&error);
		fx_close(fx);
	}
}

/* What an error or an option leaves with the socket must not keep it from waking. */
static void what_a_socket_gets_meanwhile_does_not_keep_it_asleep(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	talk(fx, s, 0);
	assert_in_range(given_back(fx, 3000), LEAST, MOST);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_PRIORITY, 3);
	fx_advance(fx, 3000);
	fx_discard(fx);
	talk(fx, s, MSS / 2);
	fx_close(fx);
}

/* RFC 9293 3.10.7.4: the FIN stands behind bytes that are still missing, and a sender's pause may be long. */
static void a_fin_heard_early_survives_a_pause(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	uint8_t bytes[MSS];

	(void)state;
	rx(FIN | ACK, .seq = 101);
	fx_discard(fx);
	fx_advance(fx, 3000);
	fx_discard(fx);
	rx(ACK | PSH, .seq = 1, .len = 100);
	assert_int_equal(fx_recv(fx, s, bytes, sizeof(bytes)), 100);
	assert_int_equal(fx_recv(fx, s, bytes, sizeof(bytes)), 0);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(after_a_second_it_gives_memory_back_and_wakes_for_data),
		cmocka_unit_test(the_owner_sees_no_difference),
		cmocka_unit_test(a_fin_heard_early_survives_a_pause),
		cmocka_unit_test(keepalive_goes_on),
		cmocka_unit_test(what_is_unread_or_unsent_keeps_it_awake),
		cmocka_unit_test(it_is_closed_by_either_end),
		cmocka_unit_test(whoever_looks_does_not_wake_it),
		cmocka_unit_test(without_memory_a_segment_comes_again),
		cmocka_unit_test(without_memory_it_is_closed_without_a_word),
		cmocka_unit_test(the_address_going_ends_it_with_or_without_memory),
		cmocka_unit_test(an_algorithm_that_goes_meanwhile_is_not_asked_again),
		cmocka_unit_test(the_end_of_the_module_resets_what_rests),
		cmocka_unit_test(what_a_socket_gets_meanwhile_does_not_keep_it_asleep),
	};

	return fx_main(tests);
}
