/* SPDX-License-Identifier: BSD-2-Clause */
/* SYN cookies: connections that are remembered by their peer alone (RFC 4987 3.6). */
#include <linux/tcp.h>

#include "fixture.h"
#include "tcp_int.h"

#define ALWAYS "tcp.syncookies=2"
/* Everything a SYN may offer. */
#define ALL .mss = 1460, .sack_ok = true, .ts = true, .wscale = 7

static struct tcp_info info_of(struct fixture *fx, int s)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info;
}

static void a_full_table_is_answered_with_cookies(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.half_open_max=1");
	struct fx_conn other = { .peer_port = 41000, .stack_port = 80 };
	int listener = listen_on(80), s;
	char buf[8];

	(void)state;
	rx(SYN, .mss = 1460, .conn = &other);
	expect_tx(SYN | ACK, .conn = &other);
	assert_int_equal(fx_counter(fx, "tcp", "syn_cookies_sent"), 0);
	rx(SYN, ALL);
	expect_tx(SYN | ACK, .ack = 1, .mss = 1460, .sack_ok = true, .ts = true, .wscale = 7,
		  .win = 65535);
	expect_no_drop();
	assert_int_equal(fx_counter(fx, "tcp", "syn_cookies_sent"), 1);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 1);
	rx(ACK);
	s = fx_accept(fx, listener);
	assert_true(s >= 0);
	assert_int_equal(fx_counter(fx, "tcp", "syn_cookies_received"), 1);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 1);
	rx(ACK, .text = "ping");
	expect_tx(ACK, .ack = 5);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 4);
	assert_int_equal(fx_send(fx, s, "pong", 4), 4);
	expect_tx(ACK, .seq = 1, .text = "pong");
	fx_close(fx);
}

static void a_full_backlog_is_answered_with_cookies(void **state)
{
	struct fixture *fx = fx_open();
	int listener = fx_socket(fx, SOCK_STREAM, 0);
	unsigned int i;

	(void)state;
	fx_bind(fx, listener, 0, 80);
	fx_listen(fx, listener, 10);
	for (i = 0; i < 20; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };

		rx(SYN, ALL, .conn = &conn);
		expect_tx(SYN | ACK, .conn = &conn);
	}
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 10);
	assert_int_equal(fx_counter(fx, "tcp", "syn_cookies_sent"), 10);
	fx_close(fx);
}

static void without_cookies_a_full_table_drops(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.syncookies=0 tcp.half_open_max=1");

	(void)state;
	listen_on(80);
	rx(SYN, .mss = 1460, .conn = &(struct fx_conn){ .peer_port = 41000, .stack_port = 80 });
	fx_discard(fx);
	rx(SYN, .mss = 1460);
	expect_drop("tcp", "HALF_OPEN_LIMIT");
	expect_silence(0);
	fx_close(fx);
}

static void a_time_stamp_carries_what_was_agreed(void **state)
{
	static const struct {
		bool sack;
		int wscale;
		uint8_t options;
	} cases[] = {
		{ true, 14, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE },
		{ true, 0, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE },
		{ false, 3, TCPI_OPT_TIMESTAMPS | TCPI_OPT_WSCALE },
		{ true, -1, TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK },
		{ false, -1, TCPI_OPT_TIMESTAMPS },
	};
	struct fixture *fx = fx_open(.options = ALWAYS);
	int listener = listen_on(80), s;
	struct tcp_info info;
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };

		fx_advance(fx, 17);
		s = accept_one(listener, .mss = 1460, .ts = true, .sack_ok = cases[i].sack,
			       .wscale = cases[i].wscale, .conn = &conn);
		info = info_of(fx, s);
		assert_int_equal(info.tcpi_options, cases[i].options);
		assert_int_equal(info.tcpi_snd_wscale, cases[i].wscale < 0 ? 0 : cases[i].wscale);
		assert_int_equal(info.tcpi_rcv_wscale, cases[i].wscale < 0 ? 0 : 7);
	}
	fx_close(fx);
}

static void without_a_time_stamp_only_the_mss_is_agreed(void **state)
{
	struct fixture *fx = fx_open(.options = ALWAYS);
	int listener = listen_on(80);
	const struct fx_pkt *pkt;

	(void)state;
	rx(SYN, .mss = 1460, .sack_ok = true, .wscale = 7);
	pkt = expect_tx(SYN | ACK, .mss = 1460);
	assert_int_equal(pkt->tcp.options_len, 4);
	rx(ACK);
	assert_int_equal(info_of(fx, fx_accept(fx, listener)).tcpi_options, 0);
	fx_close(fx);
}

/* RFC 7323 5.4: a clock that never runs backwards. */
static void the_stamp_of_a_cookie_is_never_ahead_of_the_clock(void **state)
{
	struct fixture *fx = fx_open(.options = ALWAYS);
	int listener = listen_on(80), s;
	uint32_t stamp;
	unsigned int i;

	(void)state;
	for (i = 0; i < 100; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };

		fx_advance(fx, 1);
		rx(SYN, ALL, .conn = &conn);
		stamp = expect_tx(SYN | ACK, .ts = true, .conn = &conn)->tcp.tsval;
		rx(ACK, .conn = &conn);
		s = fx_accept(fx, listener);
		assert_int_equal(fx_send(fx, s, "x", 1), 1);
		stamp = expect_tx(ACK, .text = "x", .conn = &conn)->tcp.tsval - stamp;
		assert_in_range(stamp, 0, 127);
	}
	fx_close(fx);
}

static void the_mss_is_remembered_by_its_class(void **state)
{
	static const struct { uint16_t offered; int used; } cases[] = {
		{ 47, 48 }, { 48, 48 }, { 215, 48 }, { 216, 216 }, { 536, 536 }, { 1219, 536 },
		{ 1380, 1380 }, { 1440, 1440 }, { 1459, 1440 }, { 1460, 1460 }, { 65535, 1460 },
	};
	struct fixture *fx = fx_open(.options = ALWAYS);
	int listener = listen_on(80), s;
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };

		s = accept_one(listener, .mss = cases[i].offered, .conn = &conn);
		assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_MAXSEG), cases[i].used);
	}
	fx_close(fx);
}

static void data_and_a_fin_complete_the_handshake(void **state)
{
	static const struct { uint8_t flags; int64_t ack; } cases[] = {
		{ ACK, 6 }, { ACK | PSH, 6 }, { ACK | FIN, 7 }, { ACK | PSH | FIN, 7 },
	};
	struct fixture *fx = fx_open(.options = ALWAYS);
	int listener = listen_on(80), s;
	unsigned int i;
	char buf[8];

	(void)state;
	for (i = 0; i < 2 * STRATA_COUNT(cases); i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };
		bool fin = (cases[i / 2].flags & FIN) != 0;

		rx(SYN, .mss = 1460, .ts = i % 2 != 0, .conn = &conn);
		expect_tx(SYN | ACK, .conn = &conn);
		/* The bare ACK was lost. */
		rx(cases[i / 2].flags, .text = "hello", .conn = &conn);
		expect_tx(ACK, .ack = cases[i / 2].ack, .conn = &conn);
		s = fx_accept(fx, listener);
		assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 5);
		assert_memory_equal(buf, "hello", 5);
		assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), fin ? 0 : -EAGAIN);
	}
	fx_close(fx);
}

static void a_syn_ack_or_a_reset_completes_nothing(void **state)
{
	struct fixture *fx = fx_open(.options = ALWAYS);
	int listener = listen_on(80);

	(void)state;
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK);
	rx(SYN | ACK, .seq = 1, .ack = 1);
	expect_tx(RST, .seq = 1);
	expect_drop("tcp", "NO_CONNECTION");
	rx(RST | ACK, .seq = 1, .ack = 1);
	expect_drop("tcp", "RST_IGNORED");
	rx(RST, .seq = 1);
	expect_drop("tcp", "RST_IGNORED");
	expect_silence(5000);
	assert_int_equal(fx_accept(fx, listener), -EAGAIN);
	rx(ACK, .seq = 1, .ack = 1);
	assert_true(fx_accept(fx, listener) >= 0);
	fx_close(fx);
}

static void a_forged_cookie_is_refused(void **state)
{
	struct fixture *fx = fx_open(.options = ALWAYS);
	struct fx_conn elsewhere = { .peer_port = 40001, .stack_port = 80, .peer_isn = 1000 };
	int listener = listen_on(80);
	uint32_t i;

	(void)state;
	rx(SYN, .mss = 1460);
	elsewhere.stack_isn = expect_tx(SYN | ACK)->tcp.seq;
	/* The low bits are the MSS and may be had for nothing; the others may not. */
	for (i = 3; i < 32; i++) {
		rx(ACK, .seq = 1, .ack = (int64_t)(1 + (UINT32_C(1) << i)));
		expect_tx(RST, .seq = (int64_t)(1 + (UINT32_C(1) << i)));
		expect_drop("tcp", "BAD_COOKIE");
	}
	rx(ACK, .seq = 2, .ack = 1);
	expect_tx(RST, .seq = 1);
	expect_drop("tcp", "BAD_COOKIE");
	rx(ACK, .seq = 1, .ack = 1, .conn = &elsewhere);
	expect_tx(RST, .seq = 1, .conn = &elsewhere);
	expect_drop("tcp", "BAD_COOKIE");
	assert_int_equal(fx_counter(fx, "tcp", "syn_cookies_failed"), 31);
	assert_int_equal(fx_accept(fx, listener), -EAGAIN);
	fx_close(fx);
}

static void a_late_cookie_is_refused(void **state)
{
	static const struct { uint64_t wait; bool good; } cases[] = {
		{ 0, true }, { 30, true }, { 59, true }, { 121, false }, { 200, false }, { 86400, false },
	};
	struct fixture *fx = fx_open(.options = ALWAYS);
	int listener = listen_on(80);
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + i), .stack_port = 80 };
		struct fx_conn other = { .peer_port = (uint16_t)(42000 + i), .stack_port = 80 };

		rx(SYN, .mss = 1460, .conn = &conn);
		expect_tx(SYN | ACK, .conn = &conn);
		fx_advance(fx, cases[i].wait * 1000);
		/* Somebody else's cookie, so that they are looked at. */
		rx(SYN, .mss = 1460, .conn = &other);
		expect_tx(SYN | ACK, .conn = &other);
		rx(ACK, .seq = 1, .ack = 1, .conn = &conn);
		if (cases[i].good) {
			assert_true(fx_accept(fx, listener) >= 0);
		} else {
			expect_tx(RST, .seq = 1, .conn = &conn);
			expect_drop("tcp", "BAD_COOKIE");
			assert_int_equal(fx_accept(fx, listener), -EAGAIN);
		}
	}
	fx_close(fx);
}

/* A stack under no attack does not look for cookies at all. */
static void cookies_are_looked_for_only_after_some_were_sent(void **state)
{
	struct fixture *fx = fx_open();
	struct strata_error error = { 0 };

	(void)state;
	listen_on(80);
	rx(ACK, .seq = 1, .ack = 4711);
	expect_tx(RST, .seq = 4711);
	expect_drop("tcp", "NO_CONNECTION");
	assert_int_equal(strata_option_set(fx->stack, "tcp.syncookies", "2", &error), 0);
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK);
	fx_advance(fx, 121000);
	rx(ACK, .seq = 1, .ack = 1);
	expect_tx(RST, .seq = 1);
	expect_drop("tcp", "NO_CONNECTION");
	assert_int_equal(fx_counter(fx, "tcp", "syn_cookies_failed"), 0);
	fx_close(fx);
}

static void a_full_accept_queue_refuses_a_cookie_until_it_is_drained(void **state)
{
	struct fixture *fx = fx_open(.options = ALWAYS);
	struct fx_conn one = { .peer_port = 41001, .stack_port = 80 };
	struct fx_conn two = { .peer_port = 41002, .stack_port = 80 };
	int listener = fx_socket(fx, SOCK_STREAM, 0);
	char buf[8];

	(void)state;
	fx_bind(fx, listener, 0, 80);
	fx_listen(fx, listener, 0);
	rx(SYN, .mss = 1460, .conn = &one);
	expect_tx(SYN | ACK, .conn = &one);
	rx(SYN, .mss = 1460, .conn = &two);
	expect_tx(SYN | ACK, .conn = &two);
	rx(ACK, .conn = &one);
	rx(ACK, .conn = &two);
	expect_drop("tcp", "LISTEN_OVERFLOW");
	rx(ACK, .text = "data", .conn = &two);
	expect_drop("tcp", "LISTEN_OVERFLOW");
	assert_true(fx_accept(fx, listener) >= 0);
	rx(ACK, .seq = 1, .text = "data", .conn = &two);
	expect_tx(ACK, .ack = 5, .conn = &two, .within = 50);
	assert_int_equal(fx_recv(fx, fx_accept(fx, listener), buf, sizeof(buf)), 4);
	fx_close(fx);
}

static void memory_that_is_short_refuses_a_cookie_and_leaves_nothing(void **state)
{
	struct fixture *fx = fx_open(.options = ALWAYS);
	int listener = listen_on(80);
	uint64_t k;

	(void)state;
	for (k = 1;; k++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + k), .stack_port = 80 };
		int s;

		rx(SYN, ALL, .conn = &conn);
		fx_discard(fx);
		rx(SYN, ALL, .seq = 0, .conn = &conn);
		expect_tx(SYN | ACK, .conn = &conn);
		fx_fail_at(fx, k, false);
		rx(ACK, .seq = 1, .ack = 1, .text = "hello", .conn = &conn);
		fx_fail_at(fx, 0, false);
		s = fx_accept(fx, listener);
		fx_discard(fx);
		if (s < 0) {
			/* As if the ACK had been lost. */
			rx(ACK, .seq = 1, .ack = 1, .text = "hello", .conn = &conn);
			s = fx_accept(fx, listener);
		} else if (k > 20) {
			break;
		}
		assert_true(s >= 0);
		fx_close_socket(fx, s);
		fx_discard(fx);
	}
	fx_close(fx);
}

/* ---- the cookie itself ---- */

static struct strata_flow_key some_key(uint32_t i)
{
	struct strata_flow_key key = { .local_port = 80, .remote_port = (uint16_t)(1024 + i) };

	strata_put_be32(key.local.bytes, STACK_IP);
	strata_put_be32(key.remote.bytes, PEER_IP + i);
	return key;
}

/* 2^32 numbers, of which 2 minutes × 8 sizes are good: a forger needs 2^28 guesses. */
static void a_guess_is_good_once_in_2_28_times(void **state)
{
	enum { GUESSES = 1 << 19 };
	struct fixture *fx = fx_open();
	struct tcp_cookies cookies = { 0 };
	struct strata_flow_key key = some_key(1);
	uint32_t cookie, i, good = 0;
	uint64_t rng = 7;

	(void)state;
	cookie = tcp_cookie_make(fx->stack, &cookies, &key, 1000, 1460);
	/* The neighbourhood of a good one: its eight sizes and nothing else. */
	for (i = 0; i < 1 << 16; i++)
		good += tcp_cookie_check(fx->stack, &cookies, &key, 1000,
					 (cookie & ~UINT32_C(0xffff)) + i) != 0;
	assert_int_equal(good, 8);
	/* 0 of 2^19 says, with 95 % confidence, that at most 3 of 2^19 guesses are good (rule of three); 1 of them by
	 * chance would be 1 run in 512. */
	for (i = 0, good = 0; i < GUESSES; i++)
		good += tcp_cookie_check(fx->stack, &cookies, &key, 1000,
					 (uint32_t)fx_random(&rng)) != 0;
	assert_int_equal(good, 0);
	fx_close(fx);
}

static void cookies_have_no_relation(void **state)
{
	enum { CONNECTIONS = 100000 };
	struct fixture *fx = fx_open();
	struct tcp_cookies cookies = { 0 };
	uint32_t bits[32] = { 0 }, last = 0, near = 0, cookie, i, j;

	(void)state;
	for (i = 0; i < CONNECTIONS; i++) {
		struct strata_flow_key key = some_key(i / 2);

		cookie = tcp_cookie_make(fx->stack, &cookies, &key, i, 1460);
		near += cookie - last < 1u << 20 || last - cookie < 1u << 20;
		last = cookie;
		for (j = 0; j < 32; j++)
			bits[j] += cookie >> j & 1;
	}
	/* 1 in 2,048 by chance: 49 ± 7; each bit 50,000 ± 158. Six deviations. */
	assert_in_range(near, 49 - 42, 49 + 42);
	for (j = 0; j < 32; j++)
		assert_in_range(bits[j], 50000 - 950, 50000 + 950);
	fx_close(fx);
}

static void a_new_key_honours_the_cookies_of_the_last(void **state)
{
	struct fixture *fx = fx_open();
	struct tcp_cookies cookies = { 0 };
	struct strata_flow_key key = some_key(1);
	unsigned int hour, changed = 0;
	uint64_t epoch = 0;
	uint32_t cookie, i;

	(void)state;
	for (i = 0, hour = 0; i < 200; i++) {
		cookie = tcp_cookie_make(fx->stack, &cookies, &key, i, 1460);
		fx_advance(fx, 60 * 1000);
		assert_int_equal(tcp_cookie_check(fx->stack, &cookies, &key, i, cookie), 1460);
		fx_advance(fx, 60 * 1000);
		assert_int_equal(tcp_cookie_check(fx->stack, &cookies, &key, i, cookie), 0);
		if (cookies.epoch[0] + cookies.epoch[1] != epoch)
			changed++;
		epoch = cookies.epoch[0] + cookies.epoch[1];
		hour = i * 2 / 60;
	}
	/* As many keys as hours. */
	assert_in_range(changed, hour, hour + 2);
	fx_close(fx);
}

/* ---- floods ---- */

static void a_witness_connects_through_a_flood_of_syns(void **state)
{
	enum { SYNS = 200000, WITNESSES = 10 };
	struct fixture *fx = fx_open(.extra = "routes:\n  - to: 0.0.0.0/0\n    via: 192.0.2.1\n");
	int listener = listen_on(80);
	size_t before, most = 0;
	uint64_t rng = 1;
	uint32_t i, n;

	(void)state;
	before = fx->bytes;
	for (i = 0; i < SYNS; i++) {
		struct fx_conn conn = { .peer_ip = IP4(198, 18, 0, 0) + (uint32_t)(fx_random(&rng) & 0x1ffff),
					.peer_port = (uint16_t)(1024 + (fx_random(&rng) & 0x7fff)),
					.stack_port = 80 };

		/* 200,000 a second. */
		fx_advance_ns(fx, 5 * STRATA_US);
		rx(SYN, ALL, .conn = &conn);
		fx_discard(fx);
		most = fx->bytes > most ? fx->bytes : most;
		if (i % (SYNS / WITNESSES) == SYNS / WITNESSES / 2) {
			struct fx_conn witness = { .peer_port = (uint16_t)(50000 + i / 1000),
						   .stack_port = 80 };

			/* Its first SYN is answered. */
			fx_close_socket(fx, accept_one(listener, ALL, .conn = &witness));
			fx_discard(fx);
		}
	}
	n = (uint32_t)fx_counter(fx, "tcp", "half_open");
	assert_true(n <= 4096);
	assert_int_equal(fx_counter(fx, "tcp", "syn_cookies_received"), WITNESSES);
	assert_true(fx_counter(fx, "tcp", "syn_cookies_sent") > SYNS - 4096 - WITNESSES);
	/* 4096 half-open connections, of at most 512 bytes each with their places in tables. */
	assert_true(most - before < 4096 * 512);
	fx_close(fx);
}

static void random_acks_are_refused_one_by_one(void **state)
{
	enum { ACKS = 1 << 15 };
	struct fixture *fx = fx_open(.options = ALWAYS);
	int listener = listen_on(80), s = accept_one(listener, ALL);
	size_t before;
	uint64_t rng = 1, refused;
	uint32_t i;
	char buf[8];

	(void)state;
	before = fx->bytes;
	refused = fx_drops(fx, "tcp", "bad_cookie");
	for (i = 0; i < ACKS; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(1024 + (fx_random(&rng) & 0x3fff)),
					.stack_port = 80 };

		rx(ACK, .seq = (uint32_t)fx_random(&rng), .ack = (uint32_t)fx_random(&rng), .absolute = true,
		   .conn = &conn);
		assert_int_equal(expect_tx(RST, .absolute = true, .conn = &conn)->tcp.flags, RST);
	}
	assert_int_equal(fx_drops(fx, "tcp", "bad_cookie") - refused, ACKS);
	assert_int_equal(fx->bytes, before);
	assert_int_equal(fx_accept(fx, listener), -EAGAIN);
	rx(ACK, .text = "still");
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 5);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_table_is_answered_with_cookies),
		cmocka_unit_test(a_full_backlog_is_answered_with_cookies),
		cmocka_unit_test(without_cookies_a_full_table_drops),
		cmocka_unit_test(a_time_stamp_carries_what_was_agreed),
		cmocka_unit_test(without_a_time_stamp_only_the_mss_is_agreed),
		cmocka_unit_test(the_stamp_of_a_cookie_is_never_ahead_of_the_clock),
		cmocka_unit_test(the_mss_is_remembered_by_its_class),
		cmocka_unit_test(data_and_a_fin_complete_the_handshake),
		cmocka_unit_test(a_syn_ack_or_a_reset_completes_nothing),
		cmocka_unit_test(a_forged_cookie_is_refused),
		cmocka_unit_test(a_late_cookie_is_refused),
		cmocka_unit_test(cookies_are_looked_for_only_after_some_were_sent),
		cmocka_unit_test(a_full_accept_queue_refuses_a_cookie_until_it_is_drained),
		cmocka_unit_test(memory_that_is_short_refuses_a_cookie_and_leaves_nothing),
		cmocka_unit_test(a_guess_is_good_once_in_2_28_times),
		cmocka_unit_test(cookies_have_no_relation),
		cmocka_unit_test(a_new_key_honours_the_cookies_of_the_last),
		cmocka_unit_test(a_witness_connects_through_a_flood_of_syns),
		cmocka_unit_test(random_acks_are_refused_one_by_one),
	};

	return fx_main(tests);
}
