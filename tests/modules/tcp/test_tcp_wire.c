/* SPDX-License-Identifier: BSD-2-Clause */
/* What segments carry: the header and its options (RFC 9293 3.1, 3.2), time stamps (RFC 7323) and reports
 * of duplicates (RFC 2883 5). */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "fixture.h"

enum { MSS = 1000 };
#define DAY_MS (UINT64_C(24) * 3600 * 1000)
#define BYTES(literal) .options = (const uint8_t *)(literal), .options_len = sizeof(literal) - 1

static void each_malformed_segment_has_one_reason(void **state)
{
	static const struct {
		struct fx_tcp segment;
		const char *reason;
	} cases[] = {
		{ { .cut = 1 }, "truncated" },
		{ { .cut = 20 }, "truncated" },
		{ { .data_offset = -1 }, "bad_offset" },
		{ { .data_offset = 4 }, "bad_offset" },
		{ { .data_offset = 6 }, "bad_offset" },
		{ { .data_offset = 15 }, "bad_offset" },
		{ { .bad_checksum = true }, "bad_checksum" },
		{ { BYTES("\x02\x00\x05\xb4") }, "bad_option" },
		{ { BYTES("\x02\x01\x05\xb4") }, "bad_option" },
		{ { BYTES("\x02\x03\x05\xb4") }, "bad_option" },
		{ { BYTES("\x02\x05\x05\xb4") }, "bad_option" },
		{ { BYTES("\x03\x02\x00\x00") }, "bad_option" },
		{ { BYTES("\x04\x03\x00\x00") }, "bad_option" },
		{ { BYTES("\x05\x02\x00\x00") }, "bad_option" },
		{ { BYTES("\x05\x09\0\0\0\1\0\0\0\0\0\0") }, "bad_option" },
		{ { BYTES("\x08\x09\0\0\0\0\0\0\0\0\0\0") }, "bad_option" },
		{ { BYTES("\x08\x0a\0\0\0\0\0\0") }, "bad_option" },
		{ { BYTES("\xfe\x00\x00\x00") }, "bad_option" },
		{ { BYTES("\xfe\x05\x00\x00") }, "bad_option" },
		{ { BYTES("\x01\x01\x01\xfe") }, "bad_option" },
	};
	struct fixture *fx = fx_open();
	unsigned int i;

	(void)state;
	accept_one(listen_on(80), .mss = MSS);
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fx_tcp segment = cases[i].segment;

		segment.flags = ACK;
		segment.seq = segment.ack = segment.win = segment.tsval = segment.tsecr = FX_AUTO;
		segment.wscale = -1;
		fx_rx_tcp(fx, &segment);
		expect_drop("tcp", cases[i].reason);
	}
	expect_silence(1000);
	fx_close(fx);
}

static void unknown_options_are_skipped(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), BYTES("\xfe\x04\xab\xcd\x01\x02\x04\x03\xe8\x00\xff"));

	(void)state;
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_MAXSEG), 1000);
	/* What only a SYN may carry says nothing elsewhere. */
	rx(ACK, .len = 1, BYTES("\x02\x04\x00\x64\xfd\x02"));
	expect_tx(ACK, .ack = 2);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_MAXSEG), 1000);
	fx_close(fx);
}

static void a_reset_may_carry_data(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);
	char c;

	(void)state;
	rx(RST, .seq = 1, .text = "closed for today");
	expect_silence(100);
	assert_int_equal(fx_recv(fx, s, &c, 1), -ECONNRESET);
	fx_close(fx);
}

static void the_type_of_service_is_that_of_the_socket(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_IP, IP_TOS, 0xb8);
	assert_int_equal(fx_send(fx, s, "x", 1), 1);
	assert_int_equal(expect_tx(ACK, .text = "x")->ip.tos, 0xb8);
	fx_close(fx);
}

/* ---- time stamps ---- */

static void first_stamps_tell_nothing_of_the_clock(void **state)
{
	struct fixture *fx = fx_open(.resolve = true, .answer_arp = true);
	uint32_t last = 0, stamp;
	unsigned int i, near = 0;

	(void)state;
	listen_on(80);
	for (i = 0; i < 100; i++) {
		struct fx_conn conn = { .peer_port = 20000, .stack_port = 80 };

		rx(SYN, .ts = true, .ip.src = IP4(192, 0, 2, 100) + i, .conn = &conn);
		stamp = expect_tx(SYN | ACK, .ts = true, .conn = &conn, .within = 10)->tcp.tsval;
		near += stamp - last < 1u << 16 || last - stamp < 1u << 16;
		last = stamp;
	}
	assert_true(near < 5);
	fx_close(fx);
}

static void a_segment_without_the_stamp_agreed_upon_is_taken(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS, .ts = true, .tsval = 1000);
	char buf[8];

	(void)state;
	/* A NOP instead of the option. */
	rx(ACK, .text = "bare", BYTES("\x01\x01\x01\x01"));
	expect_tx(ACK, .ack = 5, .tsecr = 1000);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 4);
	fx_close(fx);
}

static void after_24_days_of_silence_any_stamp_is_taken(void **state)
{
	struct fixture *fx = fx_open();

	(void)state;
	accept_one(listen_on(80), .mss = MSS, .ts = true, .tsval = 1000);
	fx_advance(fx, 23 * DAY_MS);
	rx(ACK, .len = 1, .tsval = 999);
	expect_drop("tcp", "old_timestamp");
	expect_tx(ACK, .ack = 1, .tsecr = 1000);
	fx_advance(fx, 2 * DAY_MS);
	rx(ACK, .seq = 1, .len = 1, .tsval = 999);
	expect_tx(ACK, .ack = 2, .tsecr = 999, .within = 100);
	fx_close(fx);
}

/* ---- reports of duplicates ---- */

static void duplicates_that_the_peer_reports_are_counted(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS, .sack_ok = true);

	(void)state;
	assert_int_equal(fx_send(fx, s, "0123456789", 10), 10);
	expect_tx(ACK, .len = 10, .any_data = true);
	rx(ACK, .ack = 11);
	rx(ACK, .ack = 11, .sack = { { 1, 11 } });
	assert_int_equal(fx_counter(fx, "tcp", "dsack_received"), 1);
	expect_silence(1000);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_malformed_segment_has_one_reason),
		cmocka_unit_test(unknown_options_are_skipped),
		cmocka_unit_test(a_reset_may_carry_data),
		cmocka_unit_test(the_type_of_service_is_that_of_the_socket),
		cmocka_unit_test(first_stamps_tell_nothing_of_the_clock),
		cmocka_unit_test(a_segment_without_the_stamp_agreed_upon_is_taken),
		cmocka_unit_test(after_24_days_of_silence_any_stamp_is_taken),
		cmocka_unit_test(duplicates_that_the_peer_reports_are_counted),
	};

	return fx_main(tests);
}
