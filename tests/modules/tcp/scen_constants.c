/* SPDX-License-Identifier: BSD-2-Clause */
/* The constants that a Linux user expects, the options that change them, and what goes into each segment
 * (RFC 6298, RFC 6928, RFC 7323, RFC 9293 3.7.1 and 3.8.6.3). */
#include <netinet/ip.h>

#include "states.h"

/* ---- IW ---- */

struct number {
	const char *name;
	const char *value;
	int64_t expected;
};

static const struct number initial_windows[] = {
	{ "1", "1", 1 }, { "2", "2", 2 }, { "10, the default", "10", 10 }, { "20", "20", 20 },
};

static void the_first_flight_is_the_initial_window(struct fixture *fx, const void *row)
{
	const struct number *number = row;
	int64_t i;
	int s;

	option("tcp.initial_window", number->value);
	option("tcp.sndbuf", "64KiB");
	s = tcp_connected(fx);
	app_sends(s, 0, 30000);
	for (i = 0; i < number->expected; i++)
		expect_tx(ACK, .seq = 1 + MSS * i, .len = MSS);
	expect_silence(50);
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_cwnd, number->expected);
	/* Where they are to be, super-packets were. */
	assert_int_equal(fx->supers != 0, fx->config.super && number->expected > 1);
}

static void after_two_lost_syn_acks_the_window_is_one_segment(struct fixture *fx)
{
	int s;

	/* RFC 5681 3.1, RFC 6928 2. */
	listen_on(80);
	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK);
	expect_tx(SYN | ACK, .within = 1100);
	expect_tx(SYN | ACK, .within = 2100);
	rx(ACK);
	s = fx_accept(fx, 0);
	app_sends(s, 0, 5000);
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_silence(50);
}

/* ---- MSS ---- */

static void the_mss_offered_is_the_mtu_less_40(struct fixture *fx, const void *row)
{
	const struct number *number = row;
	struct fixture *outer = fx;
	int s;

	(void)outer;
	fx = fx_open(.mtu = (unsigned int)number->expected + 40);
	listen_on(80);
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK, .mss = (uint16_t)number->expected);
	s = fx_socket(fx, SOCK_STREAM, 0);
	fx->conn.stack_port = 0;
	fx_connect(fx, s, PEER_IP, 40000);
	expect_tx(SYN, .mss = (uint16_t)number->expected);
	fx_close(fx);
}

static const struct number mtus[] = {
	{ "576", NULL, 536 }, { "1006", NULL, 966 }, { "1280", NULL, 1240 }, { "1500", NULL, 1460 },
	{ "9000", NULL, 8960 }, { "65535", NULL, 65495 },
};

static void maxseg_lowers_the_mss_offered_and_used(struct fixture *fx)
{
	int listener = listen_on(80), s;

	fx_setsockopt(fx, listener, IPPROTO_TCP, TCP_MAXSEG, 700);
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK, .mss = 700);
	rx(ACK);
	s = fx_accept(fx, listener);
	app_sends(s, 0, 2000);
	expect_tx(ACK, .seq = 1, .len = 700);
}

/* ---- WSCALE ---- */

static const struct number ceilings[] = {
	{ "256 KiB: 3", "256KiB", 3 }, { "1 MiB: 5", "1MiB", 5 }, { "4 MiB: 7", "4MiB", 7 },
	{ "15 MiB: 8", "15MiB", 8 }, { "1 GiB: 14", "1GiB", 14 },
};

static void the_scale_comes_of_the_buffers_ceiling(struct fixture *fx, const void *row)
{
	const struct number *number = row;
	int s;

	option("tcp.rcvbuf_max", number->value);
	listen_on(80);
	rx(SYN, .mss = 1460, .wscale = 7);
	expect_tx(SYN | ACK, .wscale = (int)number->expected, .win = 65535);
	s = fx_socket(fx, SOCK_STREAM, 0);
	fx->conn.stack_port = 0;
	fx_connect(fx, s, PEER_IP, 40000);
	expect_tx(SYN, .wscale = (int)number->expected, .win = 65535);
}

static void the_window_is_scaled_after_the_syn(struct fixture *fx)
{
	listen_on(80);
	rx(SYN, .mss = 1460, .wscale = 7);
	expect_tx(SYN | ACK, .wscale = 7, .win = 65535);
	rx(ACK);
	rx(ACK, .len = 1);
	/* As before, less at most the byte and what scaling cannot say. */
	assert_in_range(expect_tx(ACK, .ack = 2)->tcp.win, (65535 >> 7) - 1, 65535 >> 7);
}

/* ---- RTO ---- */

struct timeout {
	const char *name;
	uint64_t rtt, rto;
};

/* SRTT = RTT, RTTVAR = RTT / 2: RTT + max(200, 2 RTT). Without SACK only the timer repairs. */
static const struct timeout timeouts[] = {
	{ "RTT 1 ms: 201", 1, 201 }, { "RTT 10 ms: 210", 10, 210 }, { "RTT 50 ms: 250", 50, 250 },
	{ "RTT 100 ms: 300", 100, 300 }, { "RTT 200 ms: 600", 200, 600 },
	{ "RTT 700 ms: 2100", 700, 2100 },
};

static void expect_timeout(struct fixture *fx, int64_t seq, uint64_t from, uint64_t rto)
{
	expect_tx(ACK, .seq = seq, .len = FX_AUTO, .within = rto + 1000);
	assert_in_range(fx_ms(fx) - from, rto - 2, rto + 5);
}

static void the_timeout_comes_of_the_round_trip(struct fixture *fx, const void *row)
{
	const struct timeout *t = row;
	int s = tcp_distant(fx, t->rtt, false, false);
	uint64_t then = fx_ms(fx);

	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	expect_timeout(fx, 1, then, t->rto);
}

static void the_smallest_variance_is_an_option(struct fixture *fx)
{
	int s = tcp_distant(fx, 10, false, false);
	uint64_t then = fx_ms(fx);

	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	expect_timeout(fx, 1, then, 60);
}

static void the_first_timeout_is_an_option(struct fixture *fx)
{
	connecting(80);
	expect_tx(SYN, .at = 3000, .within = 4000);
	expect_tx(SYN, .at = 9000, .within = 7000);
}

struct longest {
	const char *name;
	const char *value;
	uint64_t ms;
};

static const struct longest longests[] = {
	{ "60 s, the default", "60s", 60000 }, { "120 s", "120s", 120000 }, { "2 s", "2s", 2000 },
};

static void timeouts_double_to_the_longest(struct fixture *fx, const void *row)
{
	const struct longest *longest = row;
	uint64_t wait = 300, then, i;
	int s;

	option("tcp.rto_max", longest->value);
	s = tcp_distant(fx, 100, false, false);
	then = fx_ms(fx);
	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	for (i = 0; i < 12; i++) {
		expect_timeout(fx, 1, then, wait);
		then = fx_ms(fx);
		wait = 2 * wait < longest->ms ? 2 * wait : longest->ms;
	}
	assert_int_equal(wait, longest->ms);
}

static void each_round_trip_moves_the_timeout_by_an_eighth(struct fixture *fx)
{
	int s = tcp_distant(fx, 100, false, false);
	uint64_t then;

	/* R' = 500: RTTVAR = 3/4 · 50 + 1/4 · 400 = 137.5; SRTT = 7/8 · 100 + 1/8 · 500 = 150 */
	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	fx_advance(fx, 250);
	rx(ACK, .ack = 101);
	app_sends(s, 100, 100);
	expect_tx(ACK, .len = 100);
	then = fx_ms(fx);
	/* R' = 250: RTTVAR = 37.5 + 37.5 = 75; SRTT = 87.5 + 31.25 = 118.75 */
	expect_timeout(fx, 101, then, 418);
}

static void a_retransmitted_segment_gives_no_round_trip(struct fixture *fx)
{
	int s = tcp_distant(fx, 100, false, false);
	uint64_t then;

	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	expect_tx(ACK, .seq = 1, .len = 100, .within = 400);
	fx_advance(fx, 10);
	rx(ACK, .ack = 101);
	/* Karn (RFC 6298 3, 5): not 10 ms, nor 310; the doubled timeout stays until a sample. */
	app_sends(s, 100, 100);
	expect_tx(ACK, .len = 100);
	then = fx_ms(fx);
	expect_timeout(fx, 101, then, 600);
}

static void a_stamp_tells_the_round_trip_of_a_retransmission(struct fixture *fx)
{
	uint64_t then;
	int s;

	listen_on(80);
	rx(SYN, .mss = MSS, .ts = true);
	expect_tx(SYN | ACK);
	fx_advance(fx, 100);
	rx(ACK);
	s = fx_accept(fx, 0);
	app_sends(s, 0, 100);
	expect_tx(ACK, .len = 100);
	expect_tx(ACK, .seq = 1, .len = 100, .within = 400);
	fx_advance(fx, 100);
	/* The echo is of the retransmission. */
	rx(ACK, .ack = 101);
	app_sends(s, 100, 100);
	expect_tx(ACK, .len = 100);
	then = fx_ms(fx);
	expect_tx(ACK, .seq = 101, .len = 100, .within = 400);
	assert_in_range(fx_ms(fx) - then, 290, 305);
}

/* ---- STAMPS ---- */

static uint32_t stamped(struct fixture *fx, int *s)
{
	listen_on(80);
	rx(SYN, .mss = MSS, .ts = true);
	expect_tx(SYN | ACK, .ts = true);
	rx(ACK);
	*s = fx_accept(fx, 0);
	return fx->conn.ts_recent;
}

static void stamps_tick_in_milliseconds(struct fixture *fx)
{
	uint32_t before;
	int s;

	before = stamped(fx, &s);
	fx_advance(fx, 12345);
	app_sends(s, 0, 10);
	assert_in_range(expect_tx(ACK, .len = 10)->tcp.tsval - before, 12344, 12346);
}

static void a_fin_carries_a_fresh_stamp(struct fixture *fx)
{
	uint32_t before;
	int s;

	before = stamped(fx, &s);
	fx_advance(fx, 500);
	fx_close_socket(fx, s);
	assert_in_range(expect_tx(FIN | ACK, .ts = true)->tcp.tsval - before, 499, 501);
	/* … and again when it is sent again. */
	assert_in_range(expect_tx(FIN | ACK, .ts = true, .within = 400)->tcp.tsval - before, 699, 710);
}

static void a_reset_carries_a_fresh_stamp(struct fixture *fx)
{
	uint32_t before;
	int s;

	before = stamped(fx, &s);
	rx(ACK, .len = 10);
	expect_tx(ACK, .ack = 11);
	fx_advance(fx, 500);
	fx_close_socket(fx, s);
	assert_in_range(expect_tx(RST | ACK, .ts = true)->tcp.tsval - before, 499, 501);
}

static void a_retransmission_carries_a_fresh_stamp(struct fixture *fx)
{
	uint32_t before;
	int s;

	stamped(fx, &s);
	app_sends(s, 0, 10);
	before = expect_tx(ACK, .len = 10)->tcp.tsval;
	assert_in_range(expect_tx(ACK, .seq = 1, .len = 10, .within = 500)->tcp.tsval - before, 199, 220);
}

static void a_syn_echoes_nothing(struct fixture *fx)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);

	fx->conn.stack_port = 0;
	fx_connect(fx, s, PEER_IP, 40000);
	expect_tx(SYN, .ts = true, .tsecr = 0);
}

/* ---- DUPACK ---- */

struct duplicates {
	const char *name;
	int duplicates;
	bool retransmits;
};

static const struct duplicates duplicates[] = {
	{ "one", 1, false }, { "two", 2, false }, { "three", 3, true },
};

static void the_third_duplicate_retransmits(struct fixture *fx, const void *row)
{
	const struct duplicates *d = row;
	int s = tcp_connected(fx), i;

	app_sends(s, 0, 10000);
	for (i = 0; i < 10; i++)
		expect_tx(ACK, .len = MSS);
	for (i = 0; i < d->duplicates; i++)
		rx(ACK, .ack = 1);
	if (d->retransmits)
		expect_tx(ACK, .seq = 1, .len = MSS);
	expect_silence(50);
}

static void limited_transmit_sends_new_data_on_the_first_two(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	app_sends(s, 0, 16000);
	for (i = 0; i < 10; i++)
		expect_tx(ACK, .len = MSS);
	rx(ACK, .ack = 1);
	expect_tx(ACK, .seq = 10001, .len = MSS);
	rx(ACK, .ack = 1);
	expect_tx(ACK, .seq = 11001, .len = MSS);
	expect_silence(50);
}

static void without_limited_transmit_the_first_two_send_nothing(struct fixture *fx)
{
	int s = tcp_connected(fx), i;

	app_sends(s, 0, 16000);
	for (i = 0; i < 10; i++)
		expect_tx(ACK, .len = MSS);
	rx(ACK, .ack = 1);
	rx(ACK, .ack = 1);
	expect_silence(50);
	rx(ACK, .ack = 1);
	expect_tx(ACK, .seq = 1, .len = MSS);
}

/* ---- DELACK ---- */

static void the_time_of_a_delayed_ack_is_an_option(struct fixture *fx)
{
	tcp_connected_slow(fx);
	at(0);
	rx(ACK, .len = 10);
	expect_silence(98);
	expect_tx(ACK, .ack = 11, .at = 100, .within = 5);
}

static void quickack_acknowledges_at_once(struct fixture *fx)
{
	int s = tcp_connected_slow(fx), i;

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_QUICKACK, 1);
	for (i = 0; i < 5; i++) {
		rx(ACK, .len = 10);
		expect_tx(ACK, .ack = 11 + 10 * i);
	}
}

static void after_reordering_acks_are_quick_for_a_while(struct fixture *fx)
{
	int i;

	tcp_connected_slow(fx);
	rx(ACK, .seq = 101, .len = 100);
	expect_tx(ACK, .ack = 1);
	rx(ACK, .seq = 1, .len = 100);
	expect_tx(ACK, .ack = 201);
	for (i = 0; i < 5; i++) {
		rx(ACK, .len = 10);
		expect_tx(ACK, .ack = 211 + 10 * i);
	}
}

/* ---- ORDER ---- */

static void on_data_a_stamp_stands_behind_two_nops(struct fixture *fx)
{
	const struct fx_pkt *pkt;
	int s;

	stamped(fx, &s);
	app_sends(s, 0, 10);
	pkt = expect_tx(ACK, .len = 10);
	assert_int_equal(pkt->tcp.options_len, 12);
	assert_memory_equal(pkt->tcp.options, "\x01\x01\x08\x0a", 4);
}

static void sack_blocks_stand_behind_the_stamp_and_two_nops(struct fixture *fx)
{
	const struct fx_pkt *pkt;

	accept_one(listen_on(80), .mss = MSS, .sack_ok = true, .ts = true);
	rx(ACK, .seq = 101, .len = 100);
	pkt = expect_tx(ACK, .ack = 1);
	assert_int_equal(pkt->tcp.options_len, 24);
	assert_memory_equal(pkt->tcp.options, "\x01\x01\x08\x0a", 4);
	assert_memory_equal(pkt->tcp.options + 12, "\x01\x01\x05\x0a", 4);
}

/* ---- SYNACK ---- */

struct retries {
	const char *name;
	const char *value;
	unsigned int expected;
};

static const struct retries synack_retries[] = { { "1", "1", 1 }, { "4, the default", "4", 4 },
						 { "6", "6", 6 } };

static void a_syn_ack_is_sent_again_unasked(struct fixture *fx, const void *row)
{
	const struct retries *retries = row;
	uint64_t when = 0, wait = 1000;
	unsigned int i;

	option("tcp.synack_retries", retries->value);
	listen_on(80);
	at(0);
	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK, .at = 0);
	for (i = 0; i < retries->expected; i++, wait = 2 * wait < 60000 ? 2 * wait : 60000) {
		when += wait;
		expect_tx(SYN | ACK, .seq = 0, .at = (int64_t)when, .within = wait + 100);
	}
	expect_silence(130000);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 0);
}

/* ---- OFF ---- */

struct off {
	const char *name;
	const char *option;
};

static const struct off offs[] = {
	{ "SACK", "tcp.sack" }, { "time stamps", "tcp.timestamps" },
	{ "window scaling", "tcp.window_scaling" },
};

static bool offered(const struct fx_pkt *pkt, const char *option)
{
	if (strcmp(option, "tcp.sack") == 0)
		return pkt->tcp.sack_ok;
	if (strcmp(option, "tcp.timestamps") == 0)
		return pkt->tcp.ts;
	return pkt->tcp.wscale >= 0;
}

static void what_is_turned_off_is_neither_offered_nor_answered(struct fixture *fx, const void *row)
{
	const struct off *off = row;
	const struct fx_pkt *pkt;
	unsigned int i, on;
	int s;

	listen_on(80);
	for (on = 0; on < 2; on++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(41000 + on), .stack_port = 80 };

		option(off->option, on ? "on" : "off");
		s = fx_socket(fx, SOCK_STREAM, 0);
		fx->conn.stack_port = 0;
		fx_connect(fx, s, PEER_IP, 40000);
		pkt = expect_tx(SYN);
		for (i = 0; i < STRATA_COUNT(offs); i++)
			assert_int_equal(offered(pkt, offs[i].option),
					 on || strcmp(offs[i].option, off->option) != 0);
		rx(SYN, .mss = MSS, .sack_ok = true, .ts = true, .wscale = 7, .conn = &conn);
		pkt = expect_tx(SYN | ACK, .conn = &conn);
		for (i = 0; i < STRATA_COUNT(offs); i++)
			assert_int_equal(offered(pkt, offs[i].option),
					 on || strcmp(offs[i].option, off->option) != 0);
		fx_close_socket(fx, s);
	}
}

static void the_algorithm_is_chosen_by_the_socket(struct fixture *fx)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);
	char name[16] = "";
	socklen_t length = sizeof(name);

	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
	assert_string_equal(name, "cubic");
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_CONGESTION, "newreno", 7), 0);
	length = sizeof(name);
	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
	assert_string_equal(name, "newreno");
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_CONGESTION, "none", 4), -ENOENT);
}

static const struct fx_scenario scenarios[] = {
	SCENARIOS("IW", the_first_flight_is_the_initial_window, initial_windows),
	SCENARIO("IW", after_two_lost_syn_acks_the_window_is_one_segment),
	SCENARIOS("MSS", the_mss_offered_is_the_mtu_less_40, mtus),
	SCENARIO("MSS", maxseg_lowers_the_mss_offered_and_used),
	SCENARIOS("WSCALE", the_scale_comes_of_the_buffers_ceiling, ceilings),
	SCENARIO("WSCALE", the_window_is_scaled_after_the_syn),
	SCENARIOS("RTO", the_timeout_comes_of_the_round_trip, timeouts),
	SCENARIO("RTO", the_smallest_variance_is_an_option, .options = "tcp.rto_min=50ms"),
	SCENARIO("RTO", the_first_timeout_is_an_option, .options = "tcp.rto_initial=3s"),
	SCENARIOS("RTO", timeouts_double_to_the_longest, longests),
	SCENARIO("RTO", each_round_trip_moves_the_timeout_by_an_eighth),
	SCENARIO("47", a_retransmitted_segment_gives_no_round_trip),
	SCENARIO("47", a_stamp_tells_the_round_trip_of_a_retransmission),
	SCENARIO("STAMPS", stamps_tick_in_milliseconds),
	SCENARIO("STAMPS", a_fin_carries_a_fresh_stamp),
	SCENARIO("STAMPS", a_reset_carries_a_fresh_stamp),
	SCENARIO("STAMPS", a_retransmission_carries_a_fresh_stamp),
	SCENARIO("STAMPS", a_syn_echoes_nothing),
	SCENARIOS("DUPACK", the_third_duplicate_retransmits, duplicates),
	SCENARIO("DUPACK", limited_transmit_sends_new_data_on_the_first_two),
	SCENARIO("DUPACK", without_limited_transmit_the_first_two_send_nothing,
		 .options = "tcp.limited_transmit=false"),
	SCENARIO("DELACK", the_time_of_a_delayed_ack_is_an_option, .options = "tcp.delayed_ack=100ms"),
	SCENARIO("DELACK", quickack_acknowledges_at_once),
	SCENARIO("DELACK", after_reordering_acks_are_quick_for_a_while),
	SCENARIO("ORDER", on_data_a_stamp_stands_behind_two_nops),
	SCENARIO("ORDER", sack_blocks_stand_behind_the_stamp_and_two_nops),
	SCENARIOS("SYNACK", a_syn_ack_is_sent_again_unasked, synack_retries),
	SCENARIOS("OFF", what_is_turned_off_is_neither_offered_nor_answered, offs),
	SCENARIO("OFF", the_algorithm_is_chosen_by_the_socket,
		 .modules = "ethernet arp ipv4 newreno cubic tcp",
		 .options = "tcp.congestion=cubic"),
};

int main(int argc, char **argv)
{
	return fx_play(argc, argv, scenarios);
}
