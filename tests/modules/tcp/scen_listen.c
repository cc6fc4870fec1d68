/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that a peer opens (RFC 9293 3.10.7.1, .2 and .4 in SYN-RECEIVED; RFC 5961). */
#include "states.h"

static uint64_t half_open(struct fixture *fx)
{
	return fx_counter(fx, "tcp", "half_open");
}

/* Connects once, so that tables and pools are as large as they get. */
static void warm_up(struct fixture *fx)
{
	struct fx_conn other = { .peer_port = 42000, .stack_port = 80 };

	rx(SYN, .mss = MSS, .conn = &other);
	expect_tx(SYN | ACK, .conn = &other);
	rx(RST, .seq = 1, .conn = &other);
	assert_int_equal(half_open(fx), 0);
}

/* ---- 1: one entry, freed on abort ---- */

static void one_entry_for_any_number_of_syns(struct fixture *fx)
{
	unsigned int i;

	listen_on(80);
	for (i = 0; i < 10; i++) {
		rx(SYN, .seq = 0, .mss = MSS);
		fx_advance(fx, 600);
		assert_int_equal(half_open(fx), 1);
	}
	fx_discard(fx);
}

static void end_by_reset(struct fixture *fx, int listener)
{
	(void)listener;
	rx(RST, .seq = 1);
}

static void end_by_closing_the_listener(struct fixture *fx, int listener)
{
	fx_close_socket(fx, listener);
}

static void end_by_shutting_the_listener_down(struct fixture *fx, int listener)
{
	assert_int_equal(strata_shutdown(fx->stack, listener, SHUT_RD), 0);
}

static void end_by_silence(struct fixture *fx, int listener)
{
	(void)listener;
	fx_advance(fx, 100000);
	fx_discard(fx);
}

static void end_by_unreachable(struct fixture *fx, int listener)
{
	(void)listener;
	fx_advance(fx, 1000);
	rx_icmp_error(3, 1, 0, expect_tx(SYN | ACK, .seq = 0), 8);
}

static void end_by_losing_the_address(struct fixture *fx, int listener)
{
	static const uint8_t bytes[] = { 192, 0, 2, 2 };
	struct strata_addr addr = strata_addr_make(FX_ETH_IP, bytes, 4);

	(void)listener;
	assert_int_equal(strata_ifaddr_remove(fx->iface, &addr), 0);
}

static void end_by_disabling_the_module(struct fixture *fx, int listener)
{
	struct strata_error error = { 0 };

	(void)listener;
	assert_int_equal(strata_module_disable(fx->stack, "tcp", &error), 0);
	strata_error_clear(&error);
	assert_int_equal(strata_module_enable(fx->stack, "tcp", &error), 0);
	strata_error_clear(&error);
}

struct end {
	const char *name;
	void (*end)(struct fixture *fx, int listener);
};

static const struct end ends[] = {
	{ "a RST", end_by_reset },
	{ "the listener is closed", end_by_closing_the_listener },
	{ "the listener is shut down", end_by_shutting_the_listener_down },
	{ "nobody answers", end_by_silence },
	{ "the network says unreachable", end_by_unreachable },
	{ "the address goes away", end_by_losing_the_address },
	{ "the module is disabled", end_by_disabling_the_module },
};

static void the_entry_is_freed_when(struct fixture *fx, const void *row)
{
	const struct end *end = row;
	int listener = listen_on(80);

	warm_up(fx);
	rx(SYN, .mss = MSS, .sack_ok = true, .ts = true, .wscale = 7);
	expect_tx(SYN | ACK);
	assert_int_equal(half_open(fx), 1);
	end->end(fx, listener);
	assert_int_equal(half_open(fx), 0);
	fx_discard(fx);
	expect_silence(60000);
}

static void entries_come_and_go_without_taking_memory(struct fixture *fx)
{
	size_t before = 0;
	unsigned int i;

	listen_on(80);
	for (i = 0; i < 2000; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(2000 + i), .stack_port = 80 };

		if (i == 1000)
			before = fx->bytes;
		rx(SYN, .mss = MSS, .conn = &conn);
		expect_tx(SYN | ACK, .conn = &conn);
		rx(RST, .seq = 1, .conn = &conn);
	}
	assert_int_equal(fx->bytes, before);
}

/* ---- 2, 3: what a listener does not want ---- */

struct stray {
	const char *name;
	uint8_t flags;
	int64_t len;
	int64_t ack;
};

static const struct stray stray_acks[] = {
	{ "ACK", ACK, 0, 4711 },
	{ "SYN ACK", SYN | ACK, 0, 4711 },
	{ "SYN ACK with data", SYN | ACK, 100, 4711 },
	{ "ACK with data", ACK | PSH, 100, 4711 },
	{ "FIN ACK", FIN | ACK, 0, 4711 },
	{ "SYN FIN ACK", SYN | FIN | ACK, 0, 4711 },
	{ "SYN ACK of number 0", SYN | ACK, 0, 0 },
	{ "ACK of the last number", ACK, 0, UINT32_MAX },
};

/* RFC 9293 3.10.7.2, second: <SEQ=SEG.ACK><CTL=RST> */
static void an_ack_to_a_listener_is_reset(struct fixture *fx, const void *row)
{
	const struct stray *stray = row;
	const struct fx_pkt *pkt;

	listen_on(80);
	rx(stray->flags, .seq = 77, .ack = stray->ack, .len = stray->len, .absolute = true);
	pkt = expect_tx(RST, .seq = stray->ack, .absolute = true, .win = 0);
	assert_int_equal(pkt->tcp.options_len, 0);
	assert_int_equal(pkt->tcp.ack, 0);
	assert_int_equal(half_open(fx), 0);
	expect_silence(1000);
}

static const struct stray stray_resets[] = {
	{ "RST", RST, 0, 0 },
	{ "RST ACK", RST | ACK, 0, 4711 },
	{ "RST SYN", RST | SYN, 0, 0 },
	{ "RST SYN ACK", RST | SYN | ACK, 0, 4711 },
	{ "RST FIN", RST | FIN, 0, 0 },
	{ "RST with data", RST, 100, 0 },
};

static void a_reset_to_a_listener_is_ignored(struct fixture *fx, const void *row)
{
	const struct stray *stray = row;

	listen_on(80);
	rx(stray->flags, .seq = 77, .ack = stray->ack, .len = stray->len);
	expect_drop("tcp", "RST_IGNORED");
	expect_silence(1000);
	assert_int_equal(half_open(fx), 0);
	rx(SYN);
	expect_tx(SYN | ACK, .ack = 1);
}

/* ---- 4: only the ACK of our SYN ---- */

struct wrong_ack {
	const char *name;
	int64_t ack;
	int64_t len;
};

static const struct wrong_ack wrong_acks[] = {
	{ "of nothing", 0, 0 },
	{ "one below the SYN", -1, 0 },
	{ "one beyond", 2, 0 },
	{ "far beyond", 0x7ffffff0, 0 },
	{ "far below", -0x7ffffff0, 0 },
	{ "one beyond, with data", 2, 100 },
};

static void a_wrong_ack_in_syn_received_is_reset(struct fixture *fx, const void *row)
{
	const struct wrong_ack *wrong = row;
	int listener;

	tcp_reach(fx, TCP_SYN_RECV);
	listener = 0;
	rx(ACK, .seq = 1, .ack = wrong->ack, .len = wrong->len);
	expect_tx(RST, .seq = wrong->ack);
	assert_int_equal(fx_accept(fx, listener), -EAGAIN);
	assert_int_equal(half_open(fx), 1);
	rx(ACK, .seq = 1, .ack = 1);
	assert_true(fx_accept(fx, listener) >= 0);
	expect_silence(100);
}

/* ---- 5: data and FIN that complete the handshake ---- */

static void a_fin_alone_completes_the_handshake(struct fixture *fx)
{
	int s;

	tcp_reach(fx, TCP_SYN_RECV);
	rx(FIN | ACK, .seq = 1);
	expect_tx(ACK, .ack = 2);
	s = fx_accept(fx, 0);
	assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE_WAIT);
	expect_read(s, 0);
}

static void data_completes_the_handshake_when_the_ack_was_lost(struct fixture *fx)
{
	int s;

	tcp_reach(fx, TCP_SYN_RECV);
	rx(ACK | PSH, .seq = 1, .len = 500);
	s = fx_accept(fx, 0);
	expect_tx(ACK, .ack = 501, .within = 50);
	app_reads(s, 0, 500);
}

static void data_beyond_a_hole_completes_the_handshake(struct fixture *fx)
{
	int s;

	tcp_reach(fx, TCP_SYN_RECV);
	rx(ACK, .seq = 501, .len = 500);
	expect_tx(ACK, .ack = 1);
	s = fx_accept(fx, 0);
	expect_read(s, -EAGAIN);
	rx(ACK, .seq = 1, .len = 500);
	expect_tx(ACK, .ack = 1001);
	app_reads(s, 0, 1000);
}

static void a_fin_beyond_a_hole_waits_for_it(struct fixture *fx)
{
	int s;

	tcp_reach(fx, TCP_SYN_RECV);
	rx(FIN | ACK, .seq = 501, .len = 500);
	/* One segment, one duplicate ACK. */
	expect_tx(ACK, .ack = 1);
	expect_silence(0);
	s = fx_accept(fx, 0);
	assert_int_equal(tcp_state_of(fx, s), TCP_ESTABLISHED);
	rx(ACK, .seq = 1, .len = 500);
	expect_tx(ACK, .ack = 1002);
	app_reads(s, 0, 1000);
	expect_read(s, 0);
}

static void data_on_the_syn_is_not_taken_but_comes_again(struct fixture *fx)
{
	int s;

	listen_on(80);
	/* RFC 9293 3.10.7.2: it may be queued for later; without Fast Open it is not acknowledged. */
	rx(SYN, .mss = MSS, .text = "early");
	expect_tx(SYN | ACK, .ack = 1);
	fx->conn.peer_nxt = 1;
	rx(ACK);
	s = fx_accept(fx, 0);
	expect_read(s, -EAGAIN);
	rx(ACK, .text = "early");
	expect_tx(ACK, .ack = 6, .within = 50);
}

/* ---- 6: RST in SYN-RECEIVED ---- */

struct position {
	const char *name;
	int64_t seq;
};

static const struct position inside[] = {
	{ "the next byte", 2 }, { "the middle", 30000 }, { "the last byte", 65535 },
};
static const struct position outside[] = {
	{ "the SYN's number", 0 }, { "below it", -1 }, { "at the window's end", 65536 },
	{ "far beyond", 1000000000 },
};

static void a_reset_in_the_window_of_syn_received_is_challenged(struct fixture *fx, const void *row)
{
	const struct position *position = row;

	tcp_reach(fx, TCP_SYN_RECV);
	rx(RST, .seq = position->seq);
	expect_drop("tcp", "RST_CHALLENGED");
	expect_tx(ACK, .seq = 1, .ack = 1);
	assert_int_equal(half_open(fx), 1);
	rx(ACK, .seq = 1, .ack = 1);
	assert_true(fx_accept(fx, 0) >= 0);
}

static void a_reset_outside_the_window_of_syn_received_is_ignored(struct fixture *fx, const void *row)
{
	const struct position *position = row;

	tcp_reach(fx, TCP_SYN_RECV);
	rx(RST, .seq = position->seq);
	expect_drop("tcp", "RST_OUT_OF_WINDOW");
	expect_silence(500);
	assert_int_equal(half_open(fx), 1);
}

static void after_the_reset_the_same_ends_may_connect(struct fixture *fx)
{
	tcp_reach(fx, TCP_SYN_RECV);
	rx(RST | ACK, .seq = 1, .ack = 1);
	assert_int_equal(half_open(fx), 0);
	/* A late ACK of the old handshake meets the listener. */
	rx(ACK, .seq = 1, .ack = 1);
	expect_tx(RST, .seq = 1);
	fx->conn.peer_isn += 5000;
	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK, .ack = 1);
	rx(ACK);
	assert_true(fx_accept(fx, 0) >= 0);
}

/* ---- 7: window scaling ---- */

static void the_peers_window_is_scaled_after_the_syn(struct fixture *fx)
{
	int s = accept_one(listen_on(80), .mss = MSS, .wscale = 2, .win = 1000);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, 1);
	rx(ACK, .win = 100);
	app_sends(s, 0, 1000);
	expect_tx(ACK, .seq = 1, .len = 400, .within = 1000);
	expect_silence(100);
}

static void a_scale_that_the_peer_did_not_offer_is_not_used(struct fixture *fx)
{
	int s = accept_one(listen_on(80), .mss = MSS);

	rx(ACK, .len = 1);
	/* Our window does not exceed what the field holds, and is not shifted. */
	assert_true(expect_tx(ACK, .ack = 2)->tcp.win > 60000);
	assert_int_equal(tcp_info_of(fx, s).tcpi_options & TCPI_OPT_WSCALE, 0);
	assert_int_equal(tcp_info_of(fx, s).tcpi_rcv_wscale, 0);
}

static void no_scale_is_answered_where_it_is_turned_off(struct fixture *fx)
{
	const struct fx_pkt *pkt;

	listen_on(80);
	rx(SYN, .mss = MSS, .wscale = 7);
	pkt = expect_tx(SYN | ACK);
	assert_int_equal(pkt->tcp.wscale, -1);
	rx(ACK, .win = 100);
	assert_int_equal(tcp_info_of(fx, fx_accept(fx, 0)).tcpi_snd_wscale, 0);
}

struct scale {
	const char *name;
	int offered, used;
};

static const struct scale scales[] = {
	{ "0", 0, 0 }, { "1", 1, 1 }, { "14", 14, 14 }, { "15, read as 14", 15, 14 },
	{ "255, read as 14", 255, 14 },
};

static void any_scale_that_is_offered_is_understood(struct fixture *fx, const void *row)
{
	const struct scale *scale = row;
	int s = accept_one(listen_on(80), .mss = MSS, .wscale = scale->offered);

	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_wscale, scale->used);
	rx(ACK, .win = 1);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, 1);
	app_sends(s, 0, 10);
	if (scale->used < 4)
		expect_tx(ACK, .len = 1 << scale->used, .within = 1000);
	else
		expect_tx(ACK, .len = 10);
}

/* ---- 8: MSS ---- */

struct mss {
	const char *name;
	const char *option;
	size_t option_len;
	int64_t length;
};

static const struct mss msses[] = {
	{ "none: 536", "\x01\x01\x01\x01", 4, 536 },
	{ "0, ignored: 536", "\x02\x04\x00\x00", 4, 536 },
	{ "1, raised to 48", "\x02\x04\x00\x01", 4, 48 },
	{ "47, raised to 48", "\x02\x04\x00\x2f", 4, 48 },
	{ "48", "\x02\x04\x00\x30", 4, 48 },
	{ "1000", "\x02\x04\x03\xe8", 4, 1000 },
	{ "1460", "\x02\x04\x05\xb4", 4, 1460 },
	{ "65535, of which our MTU takes 1460", "\x02\x04\xff\xff", 4, 1460 },
	{ "1000 with time stamps, which take 12", "\x02\x04\x03\xe8\x01\x01\x08\x0a\0\0\0\1\0\0\0\0", 16,
	  988 },
	{ "48 with time stamps", "\x02\x04\x00\x30\x01\x01\x08\x0a\0\0\0\1\0\0\0\0", 16, 36 },
	{ "twice, the last counts", "\x02\x04\x03\xe8\x02\x04\x01\xf4", 8, 500 },
};

static void segments_are_as_long_as_the_mss_says(struct fixture *fx, const void *row)
{
	const struct mss *mss = row;
	int s = accept_one(listen_on(80), .options = (const uint8_t *)mss->option,
			   .options_len = mss->option_len);

	app_sends(s, 0, 3000);
	expect_tx(ACK, .seq = 1, .len = mss->length);
	expect_tx(ACK, .seq = 1 + mss->length, .len = mss->length);
	fx_discard(fx);
}

static void the_floor_of_the_mss_is_an_option(struct fixture *fx)
{
	int s = accept_one(listen_on(80), .mss = 100);

	app_sends(s, 0, 3000);
	expect_tx(ACK, .seq = 1, .len = 216);
	fx_discard(fx);
}

/* ---- 9: who may not be a peer ---- */

struct address {
	const char *name;
	uint32_t src, dst;
	const uint8_t *mac;
};

static const struct address addresses[] = {
	{ "from 0.0.0.0", 1, 0, NULL },		/* 1: see below */
	{ "from 0.1.2.3", IP4(0, 1, 2, 3), 0, NULL },
	{ "from 127.0.0.1", IP4(127, 0, 0, 1), 0, NULL },
	{ "from 224.0.0.1", IP4(224, 0, 0, 1), 0, NULL },
	{ "from 239.255.255.255", IP4(239, 255, 255, 255), 0, NULL },
	{ "from 255.255.255.255", IP4(255, 255, 255, 255), 0, NULL },
	{ "from the subnet's broadcast address", IP4(192, 0, 2, 255), 0, NULL },
	{ "from our own address", STACK_IP, 0, NULL },
	{ "to 224.0.0.1", 0, IP4(224, 0, 0, 1), NULL },
	{ "to 255.255.255.255", 0, IP4(255, 255, 255, 255), NULL },
	{ "to the subnet's broadcast address", 0, IP4(192, 0, 2, 255), NULL },
	{ "to our address in a broadcast frame", 0, 0, (const uint8_t *)"\xff\xff\xff\xff\xff\xff" },
};

static void no_connection_is_made(struct fixture *fx, const void *row)
{
	const struct address *address = row;
	uint8_t header[20] = { 0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, SYN, 0xff, 0xff };

	listen_on(80);
	if (address->src == 1) {
		/* A source of 0 cannot be said with rx(). */
		uint8_t packet[14 + 40] = { 0x02, 0, 0, 0, 0, 2, 0x02, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 40,
					    0, 1, 0, 0, 64, 6, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2 };

		strata_put_be16(header + 16, fx_sum_finish(fx_sum(fx_sum_pseudo(0, STACK_IP, 6, 20),
								  header, 20)));
		memcpy(packet + 34, header, 20);
		strata_put_be16(packet + 24, fx_sum_finish(fx_sum(0, packet + 14, 20)));
		rx_frame(packet, sizeof(packet));
	} else {
		rx(SYN, .mss = MSS, .ip.src = address->src, .ip.dst = address->dst,
		   .ip.to_mac = address->mac);
	}
	expect_silence(5000);
	assert_int_equal(half_open(fx), 0);
}

/* ---- 16: the window of the SYN, and after ---- */

struct window {
	const char *name;
	int64_t syn, ack;
};

static const struct window windows[] = {
	{ "0 in the SYN, 0x8000 after it", 0, 0x8000 },
	{ "0x8000 in the SYN and after it", 0x8000, 0x8000 },
	{ "0xfa00 after 0", 0, 0xfa00 },
	{ "0x7fff after 0", 0, 0x7fff },
};

/* The window is a number without a sign. Less than a segment at its end is left (RFC 9293 3.8.6.2.1). */
static void the_window_is_used_to_its_last_segment(struct fixture *fx, const void *row)
{
	const struct window *window = row;
	int64_t sent;
	int s;

	listen_on(80);
	fx_setsockopt(fx, 0, SOL_SOCKET, SO_SNDBUF, 200000);
	rx(SYN, .mss = MSS, .win = window->syn);
	expect_tx(SYN | ACK);
	rx(ACK, .win = window->ack);
	s = fx_accept(fx, 0);
	app_sends(s, 0, 100000);
	for (sent = 0; sent + MSS <= window->ack; sent += MSS)
		expect_tx(ACK, .seq = 1 + sent, .len = MSS);
	expect_silence(100);
}

static void a_closed_window_in_the_handshake_is_probed(struct fixture *fx)
{
	int s = accept_one(listen_on(80), .mss = MSS, .win = 0);

	app_sends(s, 0, 100);
	expect_silence(190);
	expect_tx(ACK, .seq = 0, .len = 0, .within = 3000);
	rx(ACK, .win = 1000);
	expect_tx(ACK, .seq = 1, .len = 100);
}

static const struct fx_scenario scenarios[] = {
	SCENARIO("1", one_entry_for_any_number_of_syns),
	SCENARIOS("1", the_entry_is_freed_when, ends),
	SCENARIO("1", entries_come_and_go_without_taking_memory),
	SCENARIOS("2", an_ack_to_a_listener_is_reset, stray_acks),
	SCENARIOS("3", a_reset_to_a_listener_is_ignored, stray_resets),
	SCENARIOS("4", a_wrong_ack_in_syn_received_is_reset, wrong_acks),
	SCENARIO("5", a_fin_alone_completes_the_handshake),
	SCENARIO("5", data_completes_the_handshake_when_the_ack_was_lost),
	SCENARIO("5", data_beyond_a_hole_completes_the_handshake),
	SCENARIO("5", a_fin_beyond_a_hole_waits_for_it),
	SCENARIO("5", data_on_the_syn_is_not_taken_but_comes_again),
	SCENARIOS("6", a_reset_in_the_window_of_syn_received_is_challenged, inside),
	SCENARIOS("6", a_reset_outside_the_window_of_syn_received_is_ignored, outside),
	SCENARIO("6", after_the_reset_the_same_ends_may_connect),
	SCENARIO("7", the_peers_window_is_scaled_after_the_syn),
	SCENARIO("7", a_scale_that_the_peer_did_not_offer_is_not_used),
	SCENARIO("7", no_scale_is_answered_where_it_is_turned_off,
		 .options = "tcp.window_scaling=false"),
	SCENARIOS("7", any_scale_that_is_offered_is_understood, scales),
	SCENARIOS("8", segments_are_as_long_as_the_mss_says, msses),
	SCENARIO("8", the_floor_of_the_mss_is_an_option, .options = "tcp.mss_min=216"),
	SCENARIOS("9", no_connection_is_made, addresses),
	SCENARIOS("16", the_window_is_used_to_its_last_segment, windows,
		  .options = "tcp.initial_window=64 tcp.congestion=newreno"),
	SCENARIO("16", a_closed_window_in_the_handshake_is_probed),
};

int main(int argc, char **argv)
{
	return fx_play(argc, argv, scenarios);
}
