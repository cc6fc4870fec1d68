/* SPDX-License-Identifier: BSD-2-Clause */
/* Sending: segments, Nagle's rules, windows and probes, timeouts, keepalive, path MTU. */
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <sys/ioctl.h>

#include "fixture.h"

enum { MSS = 1000 };

static int connected(struct fixture *fx)
{
	return accept_one(listen_on(80), .mss = MSS);
}

/* The application sends `length` bytes of the pattern from `position` on. */
static void send_pattern(struct fixture *fx, int s, uint64_t position, size_t length)
{
	uint8_t *bytes = malloc(length);

	fx_pattern_fill(bytes, length, position);
	assert_int_equal(fx_send(fx, s, bytes, length), length);
	free(bytes);
}

/* A frame kept beyond the next one. */
struct kept {
	uint8_t bytes[2048];
	struct fx_pkt pkt;
};

static void keep(struct kept *kept, const struct fx_pkt *pkt)
{
	memcpy(kept->bytes, pkt->frame, pkt->length);
	assert_null(fx_decode(&kept->pkt, kept->bytes, pkt->length, false));
}

static void data_is_cut_into_segments_with_push_on_the_last(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	send_pattern(fx, s, 0, 2500);
	assert_int_equal(expect_tx(ACK, .seq = 1, .len = MSS)->tcp.flags & PSH, 0);
	assert_int_equal(expect_tx(ACK, .seq = 1001, .len = MSS)->tcp.flags & PSH, 0);
	expect_tx(ACK | PSH, .seq = 2001, .len = 500);
	rx(ACK, .ack = 2501);
	expect_silence(1000);
	fx_close(fx);
}

static void the_initial_window_is_ten_segments_and_grows_by_what_is_acknowledged(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	unsigned int i;

	(void)state;
	send_pattern(fx, s, 0, 20000);
	for (i = 0; i < 10; i++)
		expect_tx(ACK, .seq = 1 + 1000 * i, .len = MSS);
	expect_silence(0);
	rx(ACK, .ack = 2001);
	for (; i < 14; i++)
		expect_tx(ACK, .seq = 1 + 1000 * i, .len = MSS);
	expect_silence(0);
	fx_close(fx);
}

static void small_writes_wait_for_the_ack_of_the_one_before(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	send_pattern(fx, s, 0, 10);
	expect_tx(ACK, .seq = 1, .len = 10);
	send_pattern(fx, s, 10, 10);
	send_pattern(fx, s, 20, 10);
	expect_silence(100);
	rx(ACK, .ack = 11);
	expect_tx(ACK, .seq = 11, .len = 20);
	/* Minshall: a full segment under way does not hold a small one back. */
	rx(ACK, .ack = 31);
	send_pattern(fx, s, 30, 1000);
	expect_tx(ACK, .len = 1000);
	send_pattern(fx, s, 1030, 10);
	expect_tx(ACK, .len = 10);
	fx_close(fx);
}

static void nodelay_sends_at_once_and_flushes(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	send_pattern(fx, s, 0, 10);
	expect_tx(ACK, .len = 10);
	send_pattern(fx, s, 10, 10);
	expect_silence(0);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, 1);
	expect_tx(ACK, .seq = 11, .len = 10);
	send_pattern(fx, s, 20, 10);
	expect_tx(ACK, .seq = 21, .len = 10);
	fx_close(fx);
}

static void cork_holds_a_partial_segment_for_200_ms(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	at(0);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_CORK, 1);
	send_pattern(fx, s, 0, 1500);
	expect_tx(ACK, .seq = 1, .len = MSS);
	rx(ACK, .ack = 1001);
	expect_silence(199);
	expect_tx(ACK, .seq = 1001, .len = 500, .at = 200, .within = 5);
	rx(ACK, .ack = 1501);
	send_pattern(fx, s, 1500, 100);
	expect_silence(10);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_CORK, 0);
	expect_tx(ACK, .seq = 1501, .len = 100);
	rx(ACK, .ack = 1601);
	assert_int_equal(strata_send(fx->stack, s, "abc", 3, MSG_MORE), 3);
	expect_silence(10);
	assert_int_equal(strata_send(fx->stack, s, "d", 1, 0), 1);
	expect_tx(ACK, .seq = 1601, .text = "abcd");
	fx_close(fx);
}

/* A stream has no records to end, and no call waits for all. */
static void eor_and_waitall_are_taken_and_change_nothing(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char buf[8];

	(void)state;
	assert_int_equal(strata_send(fx->stack, s, "abc", 3, MSG_EOR), 3);
	expect_tx(ACK, .seq = 1, .text = "abc");
	assert_int_equal(strata_send(fx->stack, s, "de", 2, MSG_EOR), 2);
	assert_int_equal(strata_send(fx->stack, s, "f", 1, MSG_EOR), 1);
	rx(ACK, .ack = 4, .text = "xyz");
	/* What waited behind Nagle's rule goes together. */
	expect_tx(ACK, .seq = 4, .text = "def");
	assert_int_equal(strata_recv(fx->stack, s, buf, sizeof(buf), MSG_WAITALL), 3);
	assert_memory_equal(buf, "xyz", 3);
	assert_int_equal(strata_recv(fx->stack, s, buf, sizeof(buf), MSG_WAITALL), -EAGAIN);
	fx_close(fx);
}

static void a_zero_window_is_probed_at_doubling_intervals(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	unsigned int i;
	uint64_t due = 0, wait;

	(void)state;
	send_pattern(fx, s, 0, 100);
	expect_tx(ACK, .len = 100);
	at(0);
	rx(ACK, .ack = 101, .win = 0);
	send_pattern(fx, s, 100, 100);
	expect_silence(190);
	for (i = 0, wait = 0; i < 5; i++) {
		const struct fx_pkt *pkt = expect_tx(ACK, .seq = 100, .len = 0, .within = 20000);

		if (i > 0) {
			uint64_t took = fx_ms(fx) - due;

			assert_true(i == 1 || (took >= 2 * wait - 2 && took <= 2 * wait + 2));
			wait = took;
		}
		due = fx_ms(fx);
		(void)pkt;
		rx(ACK, .ack = 101, .win = 0);
	}
	rx(ACK, .ack = 101, .win = 1000);
	expect_tx(ACK, .seq = 101, .len = 100);
	fx_close(fx);
}

static void a_small_window_is_used_only_after_a_while(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	rx(ACK, .win = 100);
	send_pattern(fx, s, 0, 1000);
	/* RFC 9293 3.8.6.2.1: neither a full segment nor half the largest window; the timer overrides. */
	expect_silence(150);
	expect_tx(ACK, .seq = 1, .len = 100, .within = 1000);
	rx(ACK, .ack = 101, .win = 1000);
	expect_tx(ACK, .seq = 101, .len = 900);
	fx_close(fx);
}

static void a_window_that_shrinks_under_data_in_flight_is_survived(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);

	(void)state;
	send_pattern(fx, s, 0, 5000);
	while (fx_waiting(fx) > 0)
		expect_tx(ACK, .len = MSS);
	rx(ACK, .ack = 1001, .win = 500);
	expect_silence(100);
	/* Only the first segment goes beyond the edge. */
	expect_tx(ACK, .seq = 1001, .len = MSS, .within = 1000);
	expect_silence(100);
	rx(ACK, .ack = 5001, .win = 5000);
	send_pattern(fx, s, 5000, 10);
	expect_tx(ACK, .seq = 5001, .len = 10);
	fx_close(fx);
}

static void unanswered_data_is_sent_again_with_doubling_timeouts_until_the_end(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.data_retries=5");
	int s = connected(fx);
	unsigned int i;
	uint64_t before, wait = 0;
	char c;

	(void)state;
	send_pattern(fx, s, 0, 3000);
	for (i = 0; i < 3; i++)
		expect_tx(ACK, .len = MSS);
	before = fx_ms(fx);
	for (i = 0; i < 5; i++) {
		uint64_t took;

		/* One segment, the first, each time. */
		expect_tx(ACK, .seq = 1, .len = MSS, .within = 60000);
		took = fx_ms(fx) - before;
		assert_true(i == 0 ? took >= 200 && took <= 300 : took >= 2 * wait - 2 && took <= 2 * wait + 2);
		wait = took;
		before = fx_ms(fx);
	}
	expect_silence(60000);
	assert_int_equal(fx_recv(fx, s, &c, 1), -ETIMEDOUT);
	assert_int_equal(fx_recv(fx, s, &c, 1), 0);
	fx_close(fx);
}

static void nothing_new_is_sent_before_the_recovery_point_after_a_timeout(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.frto=false");
	int s = connected(fx);
	unsigned int i;

	(void)state;
	send_pattern(fx, s, 0, 12000);
	for (i = 0; i < 10; i++)
		expect_tx(ACK, .len = MSS);
	expect_tx(ACK, .seq = 1, .len = MSS, .within = 500);
	rx(ACK, .ack = 1001);
	expect_tx(ACK, .seq = 1001, .len = MSS);
	expect_tx(ACK, .seq = 2001, .len = MSS);
	expect_silence(0);
	rx(ACK, .ack = 10001);
	expect_tx(ACK, .seq = 10001, .len = MSS);
	expect_tx(ACK, .seq = 11001, .len = MSS);
	fx_close(fx);
}

static void the_send_buffer_limits_and_tells_when_there_is_room(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.autotune=false");
	int s = connected(fx), queued;
	uint8_t bytes[20000] = { 0 };

	(void)state;
	assert_int_equal(fx_send(fx, s, bytes, sizeof(bytes)), 16384);
	assert_int_equal(fx_send(fx, s, bytes, 1), -EAGAIN);
	expect_events(s, 0);
	assert_int_equal(strata_ioctl(fx->stack, s, SIOCOUTQ, &queued), 0);
	assert_int_equal(queued, 16384);
	assert_int_equal(strata_ioctl(fx->stack, s, SIOCOUTQNSD, &queued), 0);
	assert_int_equal(queued, 6384);
	rx(ACK, .ack = 1001);
	expect_events(s, 0);
	rx(ACK, .ack = 6001);
	expect_events(s, EPOLLOUT);
	fx_discard(fx);
	fx_close(fx);
}

static void keepalive_probes_and_gives_up(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char c;

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPINTVL, 5);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPCNT, 3);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_KEEPALIVE, 1);
	expect_silence(9900);
	expect_tx(ACK, .seq = 0, .len = 0, .within = 200);
	rx(ACK);
	expect_silence(9900);
	expect_tx(ACK, .seq = 0, .len = 0, .within = 200);
	expect_tx(ACK, .seq = 0, .len = 0, .within = 5100);
	expect_tx(ACK, .seq = 0, .len = 0, .within = 5100);
	expect_tx(RST | ACK, .seq = 1, .within = 5100);
	assert_int_equal(fx_recv(fx, s, &c, 1), -ETIMEDOUT);
	expect_silence(60000);
	fx_close(fx);
}

static void an_idle_connection_sets_no_timer(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 newreno tcp");

	(void)state;
	connected(fx);
	fx_advance(fx, 3600000);
	assert_int_equal(strata_next_timer(fx->stack), STRATA_NEVER);
	fx_close(fx);
}

static void user_timeout_ends_a_connection_that_is_not_answered(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	char c;

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000);
	send_pattern(fx, s, 0, 100);
	fx_advance(fx, 2900);
	fx_discard(fx);
	assert_int_equal(fx_recv(fx, s, &c, 1), -EAGAIN);
	fx_advance(fx, 600);
	assert_int_equal(fx_recv(fx, s, &c, 1), -ETIMEDOUT);
	fx_discard(fx);
	fx_close(fx);
}

static void fragmentation_needed_lowers_the_mss_and_sends_again(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = 1460);
	struct kept about;

	(void)state;
	send_pattern(fx, s, 0, 2920);
	keep(&about, expect_tx(ACK, .seq = 1, .len = 1460));
	expect_tx(ACK, .seq = 1461, .len = 1460);
	rx_icmp_error(3, 4, 1000, &about.pkt, 8);
	expect_tx(ACK, .seq = 1, .len = 960);
	expect_tx(ACK, .seq = 961, .len = 960);
	expect_tx(ACK, .seq = 1921, .len = 960);
	expect_tx(ACK, .seq = 2881, .len = 40);
	rx(ACK, .ack = 2921);
	send_pattern(fx, s, 2920, 960);
	expect_tx(ACK, .seq = 2921, .len = 960);
	rx(ACK, .ack = 3881);
	/* Of something that is not in flight it changes nothing (RFC 5927). */
	rx_icmp_error(3, 4, 600, &about.pkt, 8);
	send_pattern(fx, s, 3880, 960);
	expect_tx(ACK, .seq = 3881, .len = 960);
	fx_close(fx);
}

static void unreachables_do_not_end_an_established_connection(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx), code;
	struct kept about;

	(void)state;
	send_pattern(fx, s, 0, 10);
	keep(&about, expect_tx(ACK, .len = 10));
	for (code = 0; code < 16; code++)
		if (code != 4)
			rx_icmp_error(3, code, 0, &about.pkt, 8);
	rx_icmp_error(4, 0, 0, &about.pkt, 8);
	rx_icmp_error(11, 0, 0, &about.pkt, 8);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
	rx(ACK, .ack = 11);
	send_pattern(fx, s, 10, 10);
	expect_tx(ACK, .len = 10);
	fx_close(fx);
}

static void the_window_is_halved_for_each_timeout_of_idleness(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++) {
		send_pattern(fx, s, 10000 * i, 10000);
		fx_discard(fx);
		rx(ACK, .ack = 10001 + 10000 * i);
	}
	fx_advance(fx, 10000);
	send_pattern(fx, s, 40000, 14000);
	for (i = 0; i < 10; i++)
		expect_tx(ACK, .len = MSS);
	expect_silence(0);
	fx_close(fx);
}

static unsigned int cwnd_of(struct fixture *fx, int s)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info.tcpi_snd_cwnd;
}

/* RFC 5681 4.1 speaks of sending after the idle time: each look at what may not leave yet is none. */
static void what_cork_holds_does_not_cut_the_window(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx), on = 1, off = 0;
	unsigned int i, sent = 0, grown;

	(void)state;
	while ((grown = cwnd_of(fx, s)) < 40) {
		send_pattern(fx, s, sent, grown * MSS);
		fx_discard(fx);
		sent += grown * MSS;
		rx(ACK, .ack = 1 + sent);
	}
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)), 0);
	fx_advance(fx, 300);
	for (i = 0; i < 3; i++, sent += 10)
		send_pattern(fx, s, sent, 10);
	expect_silence(0);
	assert_int_equal(cwnd_of(fx, s), grown);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_CORK, &off, sizeof(off)), 0);
	expect_tx(ACK, .len = 30);
	assert_int_equal(cwnd_of(fx, s), grown / 2);
	fx_close(fx);
}

static void dividing_acks_opens_the_window_no_faster(void **state)
{
	struct fixture *fx = fx_open();
	int s = connected(fx);
	struct tcp_info info;
	socklen_t length = sizeof(info);
	unsigned int i;

	(void)state;
	send_pattern(fx, s, 0, 20000);
	fx_discard(fx);
	for (i = 1; i <= 100; i++)
		rx(ACK, .ack = 1 + 10 * i);
	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	assert_int_equal(info.tcpi_snd_cwnd, 11);
	fx_discard(fx);
	fx_close(fx);
}

/* What fills a super-packet leaves while the rest is still being copied in; the small end of what is there at such a
 * moment must not. */
static void a_large_write_leaves_in_full_segments_but_the_last(void **state)
{
	enum { GROW = 300 * MSS, WRITE = 200 * MSS };
	struct fixture *fx = fx_open(.options = "tcp.initial_window=64");
	int s = accept_one(listen_on(80), .mss = MSS, .wscale = 7), one = 1;
	uint32_t acked = 1, from;
	const struct fx_pkt *pkt;
	uint8_t bytes[MSS];

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, one);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_SNDBUF, 2 * GROW);
	/* Slow start makes a window for all of the write to come. */
	send_pattern(fx, s, 0, GROW);
	for (; acked < 1 + GROW; acked += MSS) {
		assert_non_null(fx_next(fx));
		rx(ACK, .ack = acked + MSS, .win = 60000);
	}
	send_pattern(fx, s, acked - 1, WRITE + 10);
	for (from = acked; from < acked + WRITE; from += MSS) {
		pkt = fx_next(fx);
		assert_non_null(pkt);
		assert_int_equal(pkt->payload_len, MSS);
		fx_pattern_fill(bytes, MSS, from - 1);
		assert_memory_equal(pkt->payload, bytes, MSS);
	}
	expect_tx(ACK | PSH, .seq = from, .len = 10);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_is_cut_into_segments_with_push_on_the_last),
		cmocka_unit_test(the_initial_window_is_ten_segments_and_grows_by_what_is_acknowledged),
		cmocka_unit_test(small_writes_wait_for_the_ack_of_the_one_before),
		cmocka_unit_test(nodelay_sends_at_once_and_flushes),
		cmocka_unit_test(cork_holds_a_partial_segment_for_200_ms),
		cmocka_unit_test(eor_and_waitall_are_taken_and_change_nothing),
		cmocka_unit_test(a_zero_window_is_probed_at_doubling_intervals),
		cmocka_unit_test(a_small_window_is_used_only_after_a_while),
		cmocka_unit_test(a_window_that_shrinks_under_data_in_flight_is_survived),
		cmocka_unit_test(unanswered_data_is_sent_again_with_doubling_timeouts_until_the_end),
		cmocka_unit_test(nothing_new_is_sent_before_the_recovery_point_after_a_timeout),
		cmocka_unit_test(the_send_buffer_limits_and_tells_when_there_is_room),
		cmocka_unit_test(keepalive_probes_and_gives_up),
		cmocka_unit_test(an_idle_connection_sets_no_timer),
		cmocka_unit_test(user_timeout_ends_a_connection_that_is_not_answered),
		cmocka_unit_test(fragmentation_needed_lowers_the_mss_and_sends_again),
		cmocka_unit_test(unreachables_do_not_end_an_established_connection),
		cmocka_unit_test(the_window_is_halved_for_each_timeout_of_idleness),
		cmocka_unit_test(what_cork_holds_does_not_cut_the_window),
		cmocka_unit_test(dividing_acks_opens_the_window_no_faster),
		cmocka_unit_test(a_large_write_leaves_in_full_segments_but_the_last),
	};

	return fx_main(tests);
}
