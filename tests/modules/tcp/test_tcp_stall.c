/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A device that takes no more: what is to be sent stays in the send buffer and presses back on the
 * application, nothing is thrown away or given up for it, and all goes on when the device does.
 */
#include <linux/tcp.h>
#include <strata/iface.h>
#include <sys/epoll.h>

#include "fixture.h"

enum { MSS = 1000 };

static void fill(struct fixture *fx, int s, size_t n)
{
	static uint8_t data[1 << 20];

	fx_pattern_fill(data, n, 0);
	assert_int_equal(fx_send(fx, s, data, n), n);
	fx_run(fx);
}

static void nothing_leaves_until_the_device_takes_it(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.data_retries=3");
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	strata_iface_stop(fx->iface);
	fill(fx, s, 3 * MSS);
	expect_silence(3600 * 1000);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	assert_int_equal(fx_counter(fx, "tcp", "retransmitted_segments"), 0);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	strata_iface_wake(fx->iface);
	fx_run(fx);
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_tx(ACK, .seq = 1 + MSS, .len = MSS);
	expect_tx(ACK | PSH, .seq = 1 + 2 * MSS, .len = MSS);
	rx(ACK, .ack = 1 + 3 * MSS);
	fx_close(fx);
}

static void what_is_in_flight_is_not_taken_for_lost(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.data_retries=3");
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	fill(fx, s, 2 * MSS);
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_tx(ACK | PSH, .seq = 1 + MSS, .len = MSS);
	/* Say both are in the driver's queue. */
	strata_iface_stop(fx->iface);
	expect_silence(600 * 1000);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	strata_iface_wake(fx->iface);
	rx(ACK, .ack = 1 + 2 * MSS);
	expect_silence(5000);
	assert_int_equal(fx_counter(fx, "tcp", "retransmitted_segments"), 0);
	/* Loss is seen again once it can be; the round trip was a long one. */
	assert_int_equal(fx_send(fx, s, "seen", 4), 4);
	fx_run(fx);
	expect_tx(ACK | PSH, .text = "seen");
	expect_tx(ACK | PSH, .seq = 1 + 2 * MSS, .text = "seen", .within = 125000);
	fx_close(fx);
}

static void the_application_feels_it_and_is_told_of_its_end(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS, .win = 65535);
	static uint8_t data[1 << 16];
	size_t taken = 0;
	ssize_t n;

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 40000);
	strata_iface_stop(fx->iface);
	while ((n = fx_send(fx, s, data, sizeof(data))) > 0)
		taken += (size_t)n;
	assert_int_equal(n, -EAGAIN);
	assert_true(taken < 200000);
	fx_run(fx);
	expect_events(s, 0);
	strata_iface_wake(fx->iface);
	fx_run(fx);
	assert_true(fx_waiting(fx) >= 10);
	fx_discard(fx);
	rx(ACK, .ack = 10001, .win = 65535);
	fx_discard(fx);
	fx_close(fx);
}

static void a_fin_waits_too(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	strata_iface_stop(fx->iface);
	fill(fx, s, 10);
	fx_close_socket(fx, s);
	expect_silence(60 * 1000);
	strata_iface_wake(fx->iface);
	fx_run(fx);
	expect_tx(ACK | PSH | FIN, .seq = 1, .len = 10);
	fx_close(fx);
}

static void nobody_s_connection_does_not_wait_for_ever(void **state)
{
	unsigned int in_flight;

	(void)state;
	for (in_flight = 0; in_flight < 2; in_flight++) {
		struct fixture *fx = fx_open(.options = "tcp.orphan_retries=3");
		int s = accept_one(listen_on(80), .mss = MSS);
		size_t held;

		if (!in_flight)
			strata_iface_stop(fx->iface);
		fill(fx, s, MSS);
		held = strata_memory_used(fx->stack);
		fx_close_socket(fx, s);
		fx_run(fx);
		fx_discard(fx);
		strata_iface_stop(fx->iface);
		expect_silence(2500);
		assert_true(strata_memory_used(fx->stack) + 500 > held);
		expect_silence(30 * 1000);
		assert_true(strata_memory_used(fx->stack) + 500 < held);
		strata_iface_wake(fx->iface);
		expect_silence(1000);
		rx(ACK, .ack = 1);
		expect_tx(RST);
		fx_close(fx);
	}
}

static void who_waited_first_sends_first(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s[3], i;

	(void)state;
	for (i = 0; i < 3; i++) {
		fx->conn = (struct fx_conn){ .peer_port = (uint16_t)(40000 + i), .stack_port = 80,
					     .peer_isn = 1000 };
		s[i] = accept_one(listener, .mss = MSS);
	}
	strata_iface_stop(fx->iface);
	fill(fx, s[1], 10);
	fill(fx, s[2], 10);
	fill(fx, s[0], 10);
	strata_iface_wake(fx->iface);
	fx_run(fx);
	assert_int_equal(fx_next(fx)->tcp.dport, 40001);
	assert_int_equal(fx_next(fx)->tcp.dport, 40002);
	assert_int_equal(fx_next(fx)->tcp.dport, 40000);
	fx_close(fx);
}

static void a_connection_that_ends_meanwhile_waits_no_more(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	strata_iface_stop(fx->iface);
	fill(fx, s, 10);
	rx(RST);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ECONNRESET);
	fx_close_socket(fx, s);
	fx_run(fx);
	strata_iface_wake(fx->iface);
	expect_silence(1000);
	fx_close(fx);
}

static void a_stack_ends_while_the_device_is_stuck(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	strata_iface_stop(fx->iface);
	fill(fx, s, 10);
	fx_close(fx);
}

static void datagrams_are_refused_until_the_device_takes_them(void **state)
{
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(fx_sendto(fx, s, "a", 1, PEER_IP, 7), 1);
	expect_udp(.dport = 7, .text = "a");
	expect_events(s, EPOLLOUT);
	strata_iface_stop(fx->iface);
	assert_int_equal(fx_sendto(fx, s, "b", 1, PEER_IP, 7), -EAGAIN);
	assert_int_equal(fx_sendto(fx, s, "b", 1, PEER_IP, 7), -EAGAIN);
	fx_run(fx);
	expect_events(s, 0);
	/* What does not leave the host does not wait. */
	assert_int_equal(fx_sendto(fx, s, "c", 1, STACK_IP, 9), 1);
	expect_silence(10000);
	strata_iface_wake(fx->iface);
	fx_run(fx);
	expect_events(s, EPOLLOUT);
	assert_int_equal(fx_sendto(fx, s, "b", 1, PEER_IP, 7), 1);
	expect_udp(.dport = 7, .text = "b");
	strata_iface_stop(fx->iface);
	assert_int_equal(fx_sendto(fx, s, "b", 1, PEER_IP, 7), -EAGAIN);
	fx_close(fx);
}

/* A driver's device in the middle of a write: frames that leave until something happens to it. */
struct trouble {
	struct fixture *fx;
	unsigned int frames, until;
	void (*happens)(struct fixture *fx);
};

static void trouble_output(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	struct trouble *t = ctx;

	(void)iface;
	(void)frame;
	(void)length;
	if (++t->frames == t->until)
		t->happens(t->fx);
}

static void the_link_goes(struct fixture *fx)
{
	strata_iface_set_running(fx->iface, false);
}

static void the_device_stops(struct fixture *fx)
{
	strata_iface_stop(fx->iface);
}

static void the_address_goes(struct fixture *fx)
{
	const uint32_t ip = htonl(STACK_IP);
	const struct strata_addr addr = strata_addr_make(0x0800, &ip, 4);

	assert_int_equal(strata_ifaddr_remove(fx->iface, &addr), 0);
}

enum { WRITE = 400 * MSS };

/* Begins a write whose first parts leave while the rest is copied, and `t` happens meanwhile. */
static ssize_t write_into(struct trouble *t, int s)
{
	struct fixture *fx = t->fx;
	static uint8_t data[WRITE];
	uint32_t acked;

	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 4 * WRITE);
	fill(fx, s, WRITE);
	for (acked = 1; acked < 1 + WRITE; acked += MSS) {
		assert_non_null(fx_next(fx));
		rx(ACK, .ack = acked + MSS, .win = 65535);
	}
	fx_discard(fx);
	strata_iface_set_output(fx->iface, trouble_output, t);
	return fx_send(fx, s, data, WRITE);
}

static void a_device_that_fails_in_the_middle_of_a_write_does_not_end_it(void **state)
{
	static void (*const happens[])(struct fixture *) = { the_link_goes, the_device_stops };
	unsigned int i, until;

	(void)state;
	for (i = 0; i < 2; i++) {
		for (until = 1; until <= 66; until += 13) {
			struct fixture *fx = fx_open(.options = "tcp.initial_window=64");
			int s = accept_one(listen_on(80), .mss = MSS, .wscale = 7);
			struct trouble t = { fx, 0, until, happens[i] };

			assert_int_equal(write_into(&t, s), WRITE);
			fx_run(fx);
			assert_true(t.frames >= until && t.frames < WRITE / MSS);
			assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
			fx_advance(fx, 10000);
			strata_iface_set_running(fx->iface, true);
			strata_iface_wake(fx->iface);
			fx_advance(fx, 60000);
			assert_true(t.frames > until);
			rx(ACK, .ack = 1 + WRITE + MSS, .win = 65535);
			assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
			fx_close(fx);
		}
	}
}

static void a_connection_that_ends_in_the_middle_of_a_write_is_not_written_to(void **state)
{
	unsigned int closed, until;

	(void)state;
	for (closed = 0; closed < 2; closed++) {
		for (until = 1; until <= 66; until += 13) {
			struct fixture *fx = fx_open(.options = "tcp.initial_window=64");
			int s = accept_one(listen_on(80), .mss = MSS, .wscale = 7);
			struct trouble t = { fx, 0, until, the_address_goes };
			ssize_t n = write_into(&t, s);

			assert_true(n == -EADDRNOTAVAIL || (n > 0 && n < WRITE));
			if (!closed && n > 0)
				assert_int_equal(fx_send(fx, s, "x", 1), -EADDRNOTAVAIL);
			if (!closed)
				assert_int_equal(fx_send(fx, s, "x", 1), -EPIPE);
			fx_close_socket(fx, s);
			fx_run(fx);
			fx_advance(fx, 1000);
			fx_close(fx);
		}
	}
}

static void the_user_timeout_bounds_how_long_data_waits_for_a_device(void **state)
{
	unsigned int in_flight;

	(void)state;
	for (in_flight = 0; in_flight < 2; in_flight++) {
		struct fixture *fx = fx_open();
		int s = accept_one(listen_on(80), .mss = MSS);
		uint64_t began;

		fx_setsockopt(fx, s, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
		/* What was long ago does not count. */
		fill(fx, s, MSS);
		rx(ACK, .ack = 1 + MSS);
		fx_discard(fx);
		fx_advance(fx, 3600 * 1000);
		fx_discard(fx);
		if (!in_flight)
			strata_iface_stop(fx->iface);
		fill(fx, s, MSS);
		fx_discard(fx);
		strata_iface_stop(fx->iface);
		began = fx_ms(fx);
		expect_silence(4900);
		assert_int_equal(strata_events(fx->stack, s) & EPOLLERR, 0);
		fx_advance(fx, 1500);
		assert_true(fx_ms(fx) - began < 7000);
		assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ETIMEDOUT);
		assert_int_equal(fx_send(fx, s, "x", 1), -EPIPE);
		strata_iface_wake(fx->iface);
		expect_silence(5000);
		fx_close(fx);
	}
}

static void each_wait_for_a_device_has_a_user_timeout_of_its_own(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);
	uint32_t sent = 1, i;

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
	for (i = 0; i < 5; i++) {
		strata_iface_stop(fx->iface);
		fill(fx, s, MSS);
		expect_silence(4000);
		strata_iface_wake(fx->iface);
		fx_run(fx);
		expect_tx(ACK | PSH, .seq = sent, .len = MSS, .any_data = true);
		sent += MSS;
		rx(ACK, .ack = sent);
		expect_silence(10);
	}
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	fx_close(fx);
}

/* Counts the frames that leave by another interface than the fixture's. */
static void count_output(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	(void)iface;
	(void)frame;
	(void)length;
	++*(unsigned int *)ctx;
}

/* A fixture with a second interface, whose frames are counted. */
static struct fixture *open_two_ways(unsigned int *second)
{
	struct fixture *fx = fx_open(.bare = true, .manifest =
		"strata: 1\nmodules:\n  - name: wire\n  - name: ipv4\n  - name: udp\n  - name: newreno\n"
		"  - name: tcp\n    options:\n      congestion: newreno\n"
		"interfaces:\n"
		"  - name: w0\n    driver: wire\n    options:\n      medium: ip\n    addresses: [192.0.2.2/24]\n"
		"  - name: w1\n    driver: wire\n    options:\n      medium: ip\n    addresses: [198.51.100.2/24]\n");

	*second = 0;
	strata_iface_set_output(strata_iface_by_name(fx->stack, "w1"), count_output, second);
	return fx;
}

static void lead_by(struct fixture *fx, uint32_t address, uint8_t bits, const char *name)
{
	struct strata_route route = { .iface = strata_iface_by_name(fx->stack, name), .to.bits = bits };
	const uint32_t ip = htonl(address);

	route.to.addr = strata_addr_make(0x0800, &ip, sizeof(ip));
	assert_int_equal(strata_route_add(fx->stack, &route), 0);
}

static void a_connection_whose_way_moves_leaves_the_stuck_device(void **state)
{
	unsigned int second;
	struct fixture *fx = open_two_ways(&second);
	int s = accept_one(listen_on(80), .mss = MSS, .win = 65535);

	(void)state;
	strata_iface_stop(fx->iface);
	fill(fx, s, 3 * MSS);
	expect_silence(60 * 1000);
	assert_int_equal(second, 0);
	lead_by(fx, PEER_IP, 32, "w1");
	fx_run(fx);
	assert_int_equal(second, 3);
	/* And so on, while the first stays stuck. */
	rx(ACK, .ack = 1 + 3 * MSS, .win = 65535);
	fill(fx, s, 3 * MSS);
	assert_int_equal(second, 6);
	assert_int_equal(fx_counter(fx, "tcp", "timeouts"), 0);
	expect_silence(10);
	fx_close(fx);
}

/* socket(7): a socket that is bound to a device sends by that one, from then on. */
static void a_connection_that_is_bound_to_another_device_leaves_by_it(void **state)
{
	static const char second_name[] = "w1";
	unsigned int second, stuck;

	(void)state;
	for (stuck = 0; stuck < 2; stuck++) {
		struct fixture *fx = open_two_ways(&second);
		int s = accept_one(listen_on(80), .mss = MSS, .win = 65535);

		lead_by(fx, 0, 0, second_name);
		if (stuck) {
			strata_iface_stop(fx->iface);
			fill(fx, s, 3 * MSS);
			expect_silence(60 * 1000);
		}
		assert_int_equal(second, 0);
		assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_BINDTODEVICE, second_name,
						   sizeof(second_name)), 0);
		fx_run(fx);
		assert_int_equal(second, stuck ? 3 : 0);
		fill(fx, s, MSS);
		assert_int_equal(second, stuck ? 4 : 1);
		expect_silence(10);
		fx_close(fx);
	}
}

static void bind_to_its_device(struct fixture *fx, int s)
{
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_BINDTODEVICE, fx->iface->name,
					   (socklen_t)strlen(fx->iface->name) + 1), 0);
}

static void unbind(struct fixture *fx, int s)
{
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_BINDTODEVICE, "", 1), 0);
}

static void lose_the_way(struct fixture *fx)
{
	struct strata_route route = { .iface = fx->iface, .to.bits = 32 };
	const uint32_t ip = htonl(fx->conn.peer_ip);

	route.to.addr = strata_addr_make(0x0800, &ip, sizeof(ip));
	assert_int_equal(strata_route_remove(fx->stack, &route), 0);
}

enum { BEYOND = 0xc6336405 };	/* 198.51.100.5 */

/* The handshake goes on with segments that come while the connection has no way. */
static void a_handshake_whose_way_is_lost_goes_on(void **state)
{
	unsigned int how, passive;

	(void)state;
	for (passive = 0; passive < 2; passive++) {
		for (how = 0; how < 3; how++) {
			unsigned int second;
			struct fixture *fx = open_two_ways(&second);
			int s = passive ? listen_on(80) : fx_socket(fx, SOCK_STREAM, 0);

			lead_by(fx, BEYOND, 32, "w0");
			fx->conn.peer_ip = BEYOND;
			if (passive) {
				rx(SYN, .mss = 1000);
				expect_tx(SYN | ACK, .mss = 1460);
			} else {
				fx->conn.stack_port = 0;
				fx->conn.peer_port = 40000;
				assert_int_equal(fx_connect(fx, s, BEYOND, 40000), -EINPROGRESS);
				expect_tx(SYN, .mss = 1460);
			}
			if (how < 2)
				bind_to_its_device(fx, s);
			if (how == 1)
				unbind(fx, s);
			if (how == 2) {
				lose_the_way(fx);
				fx_advance(fx, 1500);
				fx_discard(fx);
			}
			if (passive)
				rx(ACK, .seq = 1, .ack = 1);
			else
				rx(SYN | ACK, .ack = 1, .mss = 1000);
			if (how == 2)
				lead_by(fx, BEYOND, 32, "w0");
			fx_discard(fx);
			if (passive)
				s = fx_accept(fx, s);
			assert_true(s >= 0);
			fill(fx, s, 2500);
			expect_tx(ACK, .seq = 1, .len = 1000);
			expect_tx(ACK, .seq = 1001, .len = 1000);
			expect_tx(ACK | PSH, .seq = 2001, .len = 500);
			fx_close(fx);
		}
	}
}

static void a_syn_that_waits_for_data_leaves_by_the_device_it_is_bound_to(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.fastopen=5");
	int s = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	fx->conn.stack_port = 0;
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	fx_connect(fx, s, PEER_IP, 40000);
	bind_to_its_device(fx, s);
	fx_send(fx, s, "abc", 3);
	fx_run(fx);
	assert_true(fx_waiting(fx) >= 1);
	fx_discard(fx);
	fx_close(fx);
}

static void a_probe_of_the_path_is_acknowledged_without_a_way(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.mtu_probing=2");
	int s = accept_one(listen_on(80), .mss = 1460);
	static uint8_t data[20000];
	uint32_t acked = 1, i;

	(void)state;
	for (i = 0; i < 40 && fx_counter(fx, "tcp", "mtu_probes") == 0; i++) {
		fx_send(fx, s, data, sizeof(data));
		fx_run(fx);
		acked += 1000;
		rx(ACK, .ack = acked, .win = 65535);
		fx_discard(fx);
	}
	assert_int_equal(fx_counter(fx, "tcp", "mtu_probes"), 1);
	strata_iface_stop(fx->iface);
	for (i = 0; i < 60 && fx_counter(fx, "tcp", "mtu_probes_arrived") == 0; i++) {
		bind_to_its_device(fx, s);
		acked += 1000;
		rx(ACK, .ack = acked, .win = 65535);
	}
	assert_int_equal(fx_counter(fx, "tcp", "mtu_probes_arrived"), 1);
	fx_close(fx);
}

static void a_connection_whose_way_stays_waits_on_in_its_turn(void **state)
{
	struct fixture *fx = fx_open();
	int listener = listen_on(80), s[2], i;

	(void)state;
	for (i = 0; i < 2; i++) {
		fx->conn = (struct fx_conn){ .peer_port = (uint16_t)(40000 + i), .stack_port = 80,
					     .peer_isn = 1000 };
		s[i] = accept_one(listener, .mss = MSS);
	}
	strata_iface_stop(fx->iface);
	fill(fx, s[1], 10);
	fill(fx, s[0], 10);
	for (i = 0; i < 3; i++) {
		strata_generation_bump(fx->stack);
		expect_silence(50);
	}
	strata_iface_wake(fx->iface);
	fx_run(fx);
	assert_int_equal(fx_next(fx)->tcp.dport, 40001);
	assert_int_equal(fx_next(fx)->tcp.dport, 40000);
	expect_silence(1);
	fx_close(fx);
}

static void datagrams_whose_way_moves_may_be_sent_again(void **state)
{
	unsigned int second;
	struct fixture *fx = open_two_ways(&second);
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	strata_iface_stop(fx->iface);
	assert_int_equal(fx_sendto(fx, s, "a", 1, PEER_IP, 7), -EAGAIN);
	fx_run(fx);
	expect_events(s, 0);
	lead_by(fx, PEER_IP, 32, "w1");
	fx_run(fx);
	expect_events(s, EPOLLOUT);
	assert_int_equal(fx_sendto(fx, s, "a", 1, PEER_IP, 7), 1);
	fx_run(fx);
	assert_int_equal(second, 1);
	fx_close(fx);
}

static void datagrams_bound_to_another_device_may_be_sent_again(void **state)
{
	static const char second_name[] = "w1";
	unsigned int second;
	struct fixture *fx = open_two_ways(&second);
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	lead_by(fx, 0, 0, second_name);
	strata_iface_stop(fx->iface);
	assert_int_equal(fx_sendto(fx, s, "a", 1, PEER_IP, 7), -EAGAIN);
	fx_run(fx);
	expect_events(s, 0);
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_BINDTODEVICE, second_name,
					   sizeof(second_name)), 0);
	fx_run(fx);
	expect_events(s, EPOLLOUT);
	assert_int_equal(fx_sendto(fx, s, "a", 1, PEER_IP, 7), 1);
	fx_run(fx);
	assert_int_equal(second, 1);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_leaves_until_the_device_takes_it),
		cmocka_unit_test(what_is_in_flight_is_not_taken_for_lost),
		cmocka_unit_test(the_application_feels_it_and_is_told_of_its_end),
		cmocka_unit_test(a_fin_waits_too),
		cmocka_unit_test(nobody_s_connection_does_not_wait_for_ever),
		cmocka_unit_test(who_waited_first_sends_first),
		cmocka_unit_test(a_connection_that_ends_meanwhile_waits_no_more),
		cmocka_unit_test(a_stack_ends_while_the_device_is_stuck),
		cmocka_unit_test(datagrams_are_refused_until_the_device_takes_them),
		cmocka_unit_test(a_device_that_fails_in_the_middle_of_a_write_does_not_end_it),
		cmocka_unit_test(a_connection_that_ends_in_the_middle_of_a_write_is_not_written_to),
		cmocka_unit_test(the_user_timeout_bounds_how_long_data_waits_for_a_device),
		cmocka_unit_test(each_wait_for_a_device_has_a_user_timeout_of_its_own),
		cmocka_unit_test(a_connection_whose_way_moves_leaves_the_stuck_device),
		cmocka_unit_test(a_connection_that_is_bound_to_another_device_leaves_by_it),
		cmocka_unit_test(a_handshake_whose_way_is_lost_goes_on),
		cmocka_unit_test(a_syn_that_waits_for_data_leaves_by_the_device_it_is_bound_to),
		cmocka_unit_test(a_probe_of_the_path_is_acknowledged_without_a_way),
		cmocka_unit_test(a_connection_whose_way_stays_waits_on_in_its_turn),
		cmocka_unit_test(datagrams_whose_way_moves_may_be_sent_again),
		cmocka_unit_test(datagrams_bound_to_another_device_may_be_sent_again),
	};

	return fx_main(tests);
}
