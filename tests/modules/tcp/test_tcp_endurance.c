/* SPDX-License-Identifier: BSD-2-Clause */
/* What must not leave a connection stuck, nor end one whose peer still answers: readers that pause, numbers
 * that wrap, limits at their ends (RFC 9293 3.4, 3.8.6; RFC 6298 5). */
#include "fixture.h"
#include "tcp_int.h"

enum { MSS = 1460 };

/* The peer fills the window with segments of `length` bytes while nobody reads. */
static void fill_window(struct fixture *fx, uint32_t length)
{
	uint8_t *got = malloc(65536), *want = malloc(65536);
	uint32_t window, sent = 0, n;
	size_t before;
	int s = accept_one(listen_on(80), .mss = MSS);

	window = 65535;
	before = fx->bytes;
	while (sent < window) {
		n = window - sent < length ? window - sent : length;
		rx(ACK, .len = n);
		sent += n;
		fx_discard(fx);
	}
	assert_int_equal(fx_drops(fx, "tcp", "rcvbuf_full"), 0);
	/* Memory follows the bytes, whatever they came in. */
	assert_true(fx->bytes - before < 4 * 65536);
	assert_int_equal(fx_recv(fx, s, got, 65536), window);
	fx_pattern_fill(want, window, 0);
	assert_memory_equal(got, want, window);
	free(got);
	free(want);
}

static void whatever_was_offered_is_taken_in_segments_of_any_size(void **state)
{
	static const uint32_t lengths[] = { 1, 48, 100, 210, 230, 536, 741, 1000, 1100, 1400, 1460 };
	struct fixture *fx;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		fx = fx_open();
		fill_window(fx, lengths[i]);
		fx_close(fx);
	}
}

static void a_peer_that_answers_with_a_closed_window_is_not_given_up(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.data_retries=3 tcp.rto_max=1s");
	int s = accept_one(listen_on(80), .mss = MSS);
	uint8_t data[100];
	unsigned int i;

	(void)state;
	fx_pattern_fill(data, sizeof(data), 0);
	fx_send(fx, s, data, sizeof(data));
	expect_tx(ACK, .seq = 1, .len = 100);
	/* It has shrunk its window under what is in flight (RFC 9293 3.8.6). */
	for (i = 0; i < 30; i++) {
		rx(ACK, .ack = 1, .win = 0);
		expect_tx(ACK, .seq = 1, .len = 100, .within = 1100);
	}
	/* What was refused goes again as soon as it opens, and counts anew. */
	rx(ACK, .ack = 1, .win = 1000);
	expect_tx(ACK, .seq = 1, .len = 100);
	expect_tx(ACK, .seq = 1, .len = 100, .within = 1100);
	rx(ACK, .ack = 101, .win = 1000);
	expect_silence(3000);
	fx_send(fx, s, data, sizeof(data));
	expect_tx(ACK, .seq = 101, .any_data = true, .len = 100);
	/* Without answers it is. */
	rx(ACK, .ack = 101, .win = 0);
	for (i = 0; i < 3; i++)
		expect_tx(ACK, .seq = 101, .any_data = true, .len = 100, .within = 1100);
	fx_discard(fx);
	fx_advance(fx, 200000);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ETIMEDOUT);
	fx_discard(fx);
	fx_close(fx);
}

static void syn_acks_stay_a_limit_apart_however_many(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.synack_retries=127 tcp.rto_max=1s");
	unsigned int i;

	(void)state;
	listen_on(80);
	at(0);
	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK, .seq = 0);
	for (i = 1; i <= 127; i++)
		expect_tx(SYN | ACK, .seq = 0, .within = 1001, .at = i * 1000);
	expect_silence(5000);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 0);
	fx_close(fx);
}

static void shutting_the_read_side_reopens_the_window(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);
	uint32_t sent = 0, n;

	(void)state;
	for (; sent < 65535; sent += n) {
		n = 65535 - sent < MSS ? 65535 - sent : MSS;
		rx(ACK, .len = n);
	}
	fx_advance(fx, 100);
	fx_discard(fx);
	strata_shutdown(fx->stack, s, SHUT_RD);
	assert_true(expect_tx(ACK, .ack = 65536)->tcp.win > 30000);
	fx_close(fx);
}

static void a_retransmission_that_acknowledges_brings_its_window(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = 1000);
	uint8_t data[5000];

	(void)state;
	fx_pattern_fill(data, sizeof(data), 0);
	fx_send(fx, s, data, 1000);
	expect_tx(ACK, .seq = 1, .len = 1000);
	rx(ACK, .seq = 101, .ack = 1, .win = 2000, .len = 100);
	rx(ACK, .seq = 1, .ack = 1001, .win = 1000, .len = 100);
	fx_advance(fx, 50);
	fx_discard(fx);
	/* The right edge is at 2001, not at 3001. */
	fx_send(fx, s, data, sizeof(data));
	expect_tx(ACK, .seq = 1001, .any_data = true, .len = 1000);
	expect_silence(100);
	fx_close(fx);
}

static void the_window_of_a_crossing_syn_ack_is_not_scaled(void **state)
{
	struct fixture *fx = fx_open();
	uint8_t data[5000];
	int s = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	fx_pattern_fill(data, sizeof(data), 0);
	fx->conn.peer_port = 6000;
	fx->conn.stack_port = 0;
	fx_bind(fx, s, 0, 5000);
	fx_connect(fx, s, PEER_IP, 6000);
	expect_tx(SYN);
	rx(SYN, .mss = 1000, .wscale = 7, .win = 1000);
	expect_tx(SYN | ACK);
	rx(SYN | ACK, .seq = 0, .ack = 1, .mss = 1000, .wscale = 7, .win = 1000);
	fx_advance(fx, 100);
	fx_discard(fx);
	fx_send(fx, s, data, sizeof(data));
	expect_tx(ACK, .seq = 1, .len = 1000);
	expect_silence(100);
	fx_close(fx);
}

static void find_sock(struct strata_flow *flow, void *ctx)
{
	struct tcp_sock *tp = strata_container_of(flow, struct tcp_sock, sock.flow);

	if (flow->kind == TCP_FLOW_SOCKET && tp->state != TCP_LISTEN)
		*(struct tcp_sock **)ctx = tp;
}

static void a_short_rest_goes_out_after_gigabytes_of_whole_segments(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);
	struct tcp_sock *tp = NULL;

	(void)state;
	strata_flow_walk(fx->stack, FX_IP_TCP, find_sock, &tp);
	assert_non_null(tp);
	/* As if 3 GiB in whole segments had followed the last one below the MSS. */
	tp->snd_sml = tp->snd_una - (UINT32_C(3) << 30);
	fx_send(fx, s, "rest", 4);
	expect_tx(ACK, .seq = 1, .text = "rest");
	fx_close(fx);
}

/* A segment of the peer that others follow in the same batch. */
static void rx_batched(struct fixture *fx, uint8_t flags, uint32_t seq, uint32_t ack)
{
	const struct fx_ip ip = { .src = PEER_IP, .dst = STACK_IP, .proto = FX_IP_TCP, .ttl = 64 };
	uint8_t segment[20] = { 0 }, frame[34 + sizeof(segment)];
	size_t at;

	strata_put_be16(segment, 40000);
	strata_put_be16(segment + 2, 80);
	strata_put_be32(segment + 4, fx->conn.peer_isn + seq);
	strata_put_be32(segment + 8, fx->conn.stack_isn + ack);
	segment[12] = 0x50;
	segment[13] = flags;
	strata_put_be16(segment + 14, 65535);
	strata_put_be16(segment + 16, fx_sum_finish(fx_sum(fx_sum_pseudo(PEER_IP, STACK_IP, FX_IP_TCP,
									 sizeof(segment)),
							   segment, sizeof(segment))));
	at = fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_IP);
	at += fx_build_ip(frame + at, &ip, 1, segment, sizeof(segment));
	assert_int_equal(strata_input_batched(fx->iface, frame, at, fx->now), 0);
}

static void a_fin_is_acknowledged_though_the_last_ack_comes_with_it(void **state)
{
	struct fixture *fx = fx_open();
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	strata_shutdown(fx->stack, s, SHUT_WR);
	expect_tx(FIN | ACK, .seq = 1, .ack = 1);
	/* Simultaneous close: CLOSING, and TIME-WAIT before anything could be sent. */
	rx_batched(fx, FIN | ACK, 1, 1);
	rx_batched(fx, ACK, 2, 2);
	fx_advance(fx, 1);
	expect_tx(ACK, .seq = 2, .ack = 2);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_was_offered_is_taken_in_segments_of_any_size),
		cmocka_unit_test(a_peer_that_answers_with_a_closed_window_is_not_given_up),
		cmocka_unit_test(syn_acks_stay_a_limit_apart_however_many),
		cmocka_unit_test(shutting_the_read_side_reopens_the_window),
		cmocka_unit_test(a_retransmission_that_acknowledges_brings_its_window),
		cmocka_unit_test(the_window_of_a_crossing_syn_ack_is_not_scaled),
		cmocka_unit_test(a_short_rest_goes_out_after_gigabytes_of_whole_segments),
		cmocka_unit_test(a_fin_is_acknowledged_though_the_last_ack_comes_with_it),
	};

	return fx_main(tests);
}
