/* SPDX-License-Identifier: BSD-2-Clause */
/* Malformed and hostile input, and memory that runs out: nothing changes that should not, one reason for
 * each discard, nothing is left. */
#include <netinet/tcp.h>

#include "fixture.h"

enum { MSS = 1000 };

static uint64_t all_drops(struct fixture *fx)
{
	const struct strata_instance *tcp = fx_instance(fx, "tcp");
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < tcp->module->drop_count; i++)
		sum += tcp->drops[i];
	return sum;
}

/* The connection works: data both ways. */
static void still_works(struct fixture *fx, int s)
{
	char buf[64];

	fx_discard(fx);
	fx->conn.ts = false;
	rx(ACK, .text = "still there?");
	fx_discard(fx);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 12);
	assert_int_equal(fx_send(fx, s, "yes", 3), 3);
	expect_tx(ACK, .text = "yes");
	rx(ACK);
}

static void every_option_kind_and_length_is_survived(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS, .sack_ok = true);
	unsigned int kind, length;
	uint8_t options[40];

	(void)state;
	for (kind = 0; kind < 256; kind++)
		for (length = 0; length <= 40; length++) {
			memset(options, 0xff, sizeof(options));
			options[0] = (uint8_t)kind;
			options[1] = (uint8_t)length;
			rx(ACK, .options = options, .options_len = 40);
			rx(ACK, .options = options, .options_len = 4);
			rx(SYN, .options = options, .options_len = 40,
			   .conn = &(struct fx_conn){ .peer_port = (uint16_t)(1024 + kind * 41 + length),
						      .stack_port = 80 });
			fx_discard(fx);
		}
	still_works(fx, s);
	fx_close(fx);
}

static void a_malformed_option_changes_no_state(void **state)
{
	static const struct { uint8_t bytes[12]; uint8_t length; } bad[] = {
		{ { 2, 0 }, 4 }, { { 2, 1 }, 4 }, { { 8, 0 }, 4 }, { { 254, 0 }, 4 }, { { 2, 5 }, 4 },
		{ { 8, 9 }, 12 }, { { 5, 9 }, 12 }, { { 3, 4 }, 4 }, { { 4, 3 }, 4 }, { { 1, 1, 1, 8 }, 4 },
	};
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS, .sack_ok = true);
	unsigned int i;
	char c;

	(void)state;
	for (i = 0; i < STRATA_COUNT(bad); i++) {
		rx(ACK, .seq = 1, .text = "evil", .options = bad[i].bytes, .options_len = bad[i].length);
		expect_drop("tcp", "BAD_OPTION");
		rx(RST, .seq = 1, .options = bad[i].bytes, .options_len = bad[i].length);
		expect_drop("tcp", "BAD_OPTION");
	}
	expect_silence(1000);
	assert_int_equal(fx_recv(fx, s, &c, 1), -EAGAIN);
	fx->conn.peer_nxt = 1;
	still_works(fx, s);
	fx_close(fx);
}

static void malformed_headers_are_dropped_each_with_its_reason(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);
	unsigned int i;

	(void)state;
	for (i = 0; i < 20; i++) {
		rx(ACK, .seq = 1, .cut = 20 - i);
		expect_drop("tcp", "TRUNCATED");
	}
	for (i = 1; i < 5; i++) {
		rx(ACK, .seq = 1, .len = 100, .data_offset = (int)i);
		expect_drop("tcp", "BAD_OFFSET");
	}
	rx(ACK, .seq = 1, .len = 100, .data_offset = -1);
	expect_drop("tcp", "BAD_OFFSET");
	/* A header of 60 bytes in a packet of 40 (CVE-2018-4407). */
	rx(ACK, .seq = 1, .len = 20, .data_offset = 15);
	expect_drop("tcp", "BAD_OFFSET");
	rx(ACK, .seq = 1, .len = 20, .bad_checksum = true);
	expect_drop("tcp", "BAD_CHECKSUM");
	fx->conn.peer_nxt = 1;
	still_works(fx, s);
	fx_close(fx);
}

static void all_flags_at_the_windows_edges_leave_the_connection_alone(void **state)
{
	static const int64_t seqs[] = { -1000, -10, 2, 65000, 66537, 70000 };
	static const int64_t acks[] = { -100000, -1, 0, 2, 100000 };
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);
	unsigned int flags, i, j, n = 0;
	uint64_t before;

	(void)state;
	for (flags = 0; flags < 64; flags++)
		for (i = 0; i < STRATA_COUNT(seqs); i++)
			for (j = 0; j < STRATA_COUNT(acks); j++) {
				/* Acceptable segments (data in the window with an acceptable ACK) are left to others. */
				if ((flags & ACK) != 0 && (flags & (SYN | RST)) == 0 && acks[j] <= 0 &&
				    seqs[i] >= 2)
					continue;
				if ((flags & ACK) != 0 && (flags & (SYN | RST)) == 0 && i == 3)
					continue;
				before = all_drops(fx);
				rx((uint8_t)flags, .seq = seqs[i], .ack = acks[j], .len = n++ % 3);
				assert_int_equal(all_drops(fx), before + 1);
			}
	fx_discard(fx);
	fx->conn.peer_nxt = 1;
	still_works(fx, s);
	fx_close(fx);
}

static void a_window_scale_of_15_is_read_as_14(void **state)
{
	struct fixture *fx = fx_open();
	struct tcp_info info;
	socklen_t length = sizeof(info);
	int s = accept_one(listen_on(80), .mss = MSS, .wscale = 15);

	(void)state;
	rx(ACK, .win = 65535);
	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(info.tcpi_snd_wscale, 14);
	still_works(fx, s);
	fx_close(fx);
}

static void a_poisoned_time_stamp_needs_an_acceptable_segment(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS, .ts = true, .tsval = 1000);

	(void)state;
	/* Blind: the window is hit, the ACK is not. */
	rx(ACK, .seq = 1, .ack = 50000, .len = 4, .tsval = 1000 + (int64_t)INT32_MAX);
	fx_discard(fx);
	fx_advance(fx, 1000);
	rx(ACK, .seq = 1, .text = "good", .tsval = 1001);
	expect_tx(ACK, .ack = 5, .tsecr = 1001);
	(void)s;
	fx_close(fx);
}

static void two_ends_out_of_step_do_not_talk_for_ever(void **state)
{
	struct fixture *fx = fx_open();
	size_t sent;
	unsigned int i;

	(void)state;
	accept_one(listen_on(80), .mss = MSS);
	sent = fx->frames;
	for (i = 0; i < 1000; i++) {
		rx(ACK, .seq = 100000, .ack = 100000);
		fx_discard(fx);
		fx_advance_ns(fx, STRATA_MS);
	}
	/* A second's worth of answers, at one per 500 ms. */
	assert_true(fx->frames - sent <= 3);
	fx_close(fx);
}

/* A whole connection, each step of which may fail for want of memory. */
static void whole_life(struct fixture *fx)
{
	uint8_t bytes[5000] = { 0 };
	const struct sockaddr_in any = fx_sockaddr(0, 80);
	int listener, s, i;

	listener = strata_socket(fx->stack, AF_INET, SOCK_STREAM, 0);
	if (listener < 0) {
		assert_int_equal(listener, -ENOBUFS);
		return;
	}
	if (strata_bind(fx->stack, listener, (const struct sockaddr *)&any, sizeof(any)) < 0 ||
	    strata_listen(fx->stack, listener, 5) < 0)
		goto out;
	rx(SYN, .seq = 0, .mss = MSS, .sack_ok = true);
	if (fx_waiting(fx) == 0)
		goto out;
	expect_tx(SYN | ACK);
	rx(ACK, .seq = 1, .ack = 1);
	rx(ACK, .seq = 2001, .ack = 1, .len = 1000);
	rx(ACK, .seq = 1, .ack = 1, .len = 1000);
	rx(ACK, .seq = 1001, .ack = 1, .len = 1000);
	s = fx_accept(fx, listener);
	if (s >= 0) {
		fx_send(fx, s, bytes, sizeof(bytes));
		rx(ACK, .seq = 3001, .ack = 1, .sack = { { 1001, 2001 } });
		for (i = 0; i < 20; i++) {
			fx_recv(fx, s, bytes, sizeof(bytes));
			fx_advance(fx, 500);
		}
		strata_close(fx->stack, s);
		rx(RST, .seq = 3001);
	}
out:
	fx_discard(fx);
	strata_close(fx->stack, listener);
	fx_advance(fx, 100000);
	fx_discard(fx);
}

static void allocation_failures_leave_nothing_behind(void **state)
{
	struct fixture *fx;
	unsigned int k, forever;

	(void)state;
	for (forever = 0; forever < 2; forever++)
		for (k = 1; k < 40; k++) {
			fx = fx_open();
			fx->conn.stack_port = 80;
			fx_fail_at(fx, k, forever != 0);
			whole_life(fx);
			fx_fail_at(fx, 0, false);
			/* Memory is back: all works. */
			fx->conn = (struct fx_conn){ .peer_port = 42000, .stack_port = 81 };
			still_works(fx, accept_one(listen_on(81), .mss = MSS));
			fx_close(fx);
		}
}

static void an_idle_connection_takes_at_most_640_bytes(void **state)
{
	enum { MANY = 2000 };
	struct fixture *fx = fx_open();
	int listener = listen_on(80);
	uint8_t bytes[3000] = { 0 };
	size_t before = 0;
	unsigned int i;

	(void)state;
	/* Pools and tables have grown before it is measured. */
	for (i = 0; i < 2 * MANY; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(2000 + i), .stack_port = 80 };
		int s;

		if (i == MANY) {
			fx_advance(fx, 2000);
			before = strata_memory_used(fx->stack);
		}
		s = accept_one(listener, .mss = MSS, .sack_ok = true, .ts = true, .wscale = 7,
			       .conn = &conn);
		/* It has been used, both ways. */
		rx(ACK, .len = 3000, .conn = &conn);
		assert_int_equal(fx_recv(fx, s, bytes, sizeof(bytes)), 3000);
		assert_int_equal(fx_send(fx, s, bytes, sizeof(bytes)), 3000);
		fx_discard(fx);
		rx(ACK, .ack = 3001, .conn = &conn);
		fx_discard(fx);
	}
	fx_advance(fx, 2000);
	i = (unsigned int)((strata_memory_used(fx->stack) - before) / MANY);
	print_message("an idle connection takes %u bytes\n", i);
	assert_true(i <= 640);
	fx_close(fx);
}

static void a_socket_may_connect_to_itself(void **state)
{
	struct fixture *fx = fx_open();
	int s = fx_socket(fx, SOCK_STREAM, 0);
	char buf[8];

	(void)state;
	fx_bind(fx, s, STACK_IP, 5000);
	assert_int_equal(fx_connect(fx, s, STACK_IP, 5000), -EINPROGRESS);
	fx_advance(fx, 1000);
	expect_events(s, EPOLLOUT);
	assert_int_equal(fx_send(fx, s, "echo", 4), 4);
	fx_advance(fx, 100);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "echo", 4);
	fx_close_socket(fx, s);
	fx_advance(fx, 130000);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 0);
	assert_true(fx_counter(fx, "tcp", "in_segments") < 30);
	fx_close(fx);
}

static void two_sockets_of_one_stack_talk(void **state)
{
	enum { LENGTH = 1 << 20 };
	struct fixture *fx = fx_open();
	int listener = listen_on(80), a = fx_socket(fx, SOCK_STREAM, 0), b;
	uint8_t *bytes = malloc(LENGTH), *got = malloc(LENGTH);
	size_t in = 0, out = 0;
	unsigned int i;

	(void)state;
	fx_pattern_fill(bytes, LENGTH, 0);
	assert_int_equal(fx_connect(fx, a, STACK_IP, 80), -EINPROGRESS);
	fx_run(fx);
	b = fx_accept(fx, listener);
	assert_true(b >= 0);
	for (i = 0; in < LENGTH && i < 10000; i++) {
		ssize_t n = fx_send(fx, a, bytes + out, LENGTH - out);

		out += n > 0 ? (size_t)n : 0;
		fx_advance(fx, 1);
		n = fx_recv(fx, b, got + in, LENGTH - in);
		in += n > 0 ? (size_t)n : 0;
	}
	assert_memory_equal(bytes, got, LENGTH);
	free(bytes);
	free(got);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_kind_and_length_is_survived),
		cmocka_unit_test(a_malformed_option_changes_no_state),
		cmocka_unit_test(malformed_headers_are_dropped_each_with_its_reason),
		cmocka_unit_test(all_flags_at_the_windows_edges_leave_the_connection_alone),
		cmocka_unit_test(a_window_scale_of_15_is_read_as_14),
		cmocka_unit_test(a_poisoned_time_stamp_needs_an_acceptable_segment),
		cmocka_unit_test(two_ends_out_of_step_do_not_talk_for_ever),
		cmocka_unit_test(allocation_failures_leave_nothing_behind),
		cmocka_unit_test(an_idle_connection_takes_at_most_640_bytes),
		cmocka_unit_test(a_socket_may_connect_to_itself),
		cmocka_unit_test(two_sockets_of_one_stack_talk),
	};

	return fx_main(tests);
}
