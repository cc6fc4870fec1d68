/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that the application opens (RFC 9293 3.5, 3.9.1.1, 3.10.7.3; RFC 5461). */
#include <netinet/ip_icmp.h>

#include "states.h"

/* ---- 7, 8, 16: what the SYN-ACK offers ---- */

static void the_windows_scale_is_used_after_the_syn_ack(struct fixture *fx)
{
	int s = connect_one(80, .mss = MSS, .wscale = 4, .win = 100);

	/* RFC 7323 2.2: not in the SYN-ACK itself. */
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_NODELAY, 1);
	app_sends(s, 0, 500);
	expect_tx(ACK, .seq = 1, .len = 100, .within = 1000);
	rx(ACK, .win = 10);
	expect_tx(ACK, .seq = 101, .len = 160, .within = 1000);
	expect_silence(50);
}

static void no_scale_is_used_that_the_syn_ack_does_not_have(struct fixture *fx)
{
	int s = connect_one(80, .mss = MSS);

	assert_int_equal(tcp_info_of(fx, s).tcpi_options & TCPI_OPT_WSCALE, 0);
	rx(ACK, .len = 1);
	assert_true(expect_tx(ACK, .ack = 2)->tcp.win > 60000);
}

static void no_scale_is_offered_where_it_is_turned_off(struct fixture *fx)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);

	fx->conn.stack_port = 0;
	fx->conn.peer_port = 80;
	fx_connect(fx, s, PEER_IP, 80);
	assert_int_equal(expect_tx(SYN)->tcp.wscale, -1);
	rx(SYN | ACK, .mss = MSS, .wscale = 7);
	expect_tx(ACK);
	rx(ACK, .win = 100);
	assert_int_equal(tcp_info_of(fx, s).tcpi_snd_wscale, 0);
}

struct option {
	const char *name;
	const char *bytes;
	size_t length;
	int64_t segment;
};

static const struct option msses[] = {
	{ "none: 536", "\x01\x01\x01\x01", 4, 536 },
	{ "0, ignored: 536", "\x02\x04\x00\x00", 4, 536 },
	{ "1, raised to 48", "\x02\x04\x00\x01", 4, 48 },
	{ "47, raised to 48", "\x02\x04\x00\x2f", 4, 48 },
	{ "1400", "\x02\x04\x05\x78", 4, 1400 },
	{ "65535: our MTU", "\x02\x04\xff\xff", 4, 1460 },
	{ "1400 with time stamps", "\x02\x04\x05\x78\x01\x01\x08\x0a\0\0\0\1\0\0\0\0", 16, 1388 },
};

static void segments_are_as_long_as_the_answers_mss(struct fixture *fx, const void *row)
{
	const struct option *option = row;
	int s = connect_one(80, .options = (const uint8_t *)option->bytes,
			    .options_len = option->length);

	app_sends(s, 0, 4000);
	expect_tx(ACK, .seq = 1, .len = option->segment);
	fx_discard(fx);
}

struct window {
	const char *name;
	int64_t win;
};

static const struct window windows[] = { { "0x8000", 0x8000 }, { "0xffff", 0xffff }, { "1", 1 } };

static void a_window_after_a_syn_ack_of_zero_is_used(struct fixture *fx, const void *row)
{
	const struct window *window = row;
	int s = connect_one(80, .mss = MSS, .win = 0);
	size_t sent = 0;

	app_sends(s, 0, 16384);
	expect_silence(100);
	rx(ACK, .win = window->win);
	while (sent < 16384 && sent < (size_t)window->win)
		sent += expect_tx(ACK, .seq = (int64_t)sent + 1, .len = FX_AUTO, .within = 1000)->payload_len;
	expect_silence(50);
}

/* ---- 10: where nobody can be ---- */

struct refused {
	const char *name;
	uint32_t ip;
	uint16_t port;
	int error;
};

static const struct refused refusals[] = {
	{ "port 0", PEER_IP, 0, -ECONNREFUSED },
	{ "a multicast address", IP4(224, 0, 0, 1), 80, -ENETUNREACH },
	{ "the broadcast address", IP4(255, 255, 255, 255), 80, -ENETUNREACH },
	{ "the subnet's broadcast address", IP4(192, 0, 2, 255), 80, -ENETUNREACH },
	{ "an address without a route", IP4(203, 0, 113, 1), 80, -ENETUNREACH },
};

static void connecting_is_refused_at_once(struct fixture *fx, const void *row)
{
	const struct refused *refused = row;
	int s = fx_socket(fx, SOCK_STREAM, 0);

	assert_int_equal(fx_connect(fx, s, refused->ip, refused->port), refused->error);
	expect_silence(3000);
	/* The socket is as it was. */
	fx->conn.stack_port = 0;
	fx->conn.peer_port = 80;
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), -EINPROGRESS);
	expect_tx(SYN);
}

/* ---- 11: calls that come twice ---- */

struct misuse {
	const char *name;
	int state, connect, listen;
};

static const struct misuse misuses[] = {
	{ "SYN-SENT", TCP_SYN_SENT, -EALREADY, -EINVAL },
	{ "ESTABLISHED", TCP_ESTABLISHED, -EISCONN, -EINVAL },
	{ "FIN-WAIT-1", TCP_FIN_WAIT1, -EISCONN, -EINVAL },
	{ "FIN-WAIT-2", TCP_FIN_WAIT2, -EISCONN, -EINVAL },
	{ "CLOSING", TCP_CLOSING, -EISCONN, -EINVAL },
	{ "CLOSE-WAIT", TCP_CLOSE_WAIT, -EISCONN, -EINVAL },
	{ "LAST-ACK", TCP_LAST_ACK, -EISCONN, -EINVAL },
	{ "LISTEN", TCP_LISTEN, -EISCONN, 0 },
};

static void neither_connect_nor_listen_begins_anew(struct fixture *fx, const void *row)
{
	const struct misuse *misuse = row;
	int s = tcp_reach(fx, misuse->state), i;
	size_t before = fx->bytes;

	for (i = 0; i < 100; i++) {
		assert_int_equal(fx_connect(fx, s, PEER_IP, 8080), misuse->connect);
		assert_int_equal(strata_listen(fx->stack, s, 5), misuse->listen);
	}
	assert_int_equal(tcp_state_of(fx, s), misuse->state);
	assert_int_equal(fx->bytes, before);
	expect_silence(0);
}

static void sockets_that_connect_and_give_up_leave_nothing(struct fixture *fx)
{
	size_t before = 0;
	unsigned int i;

	for (i = 0; i < 500; i++) {
		int s = fx_socket(fx, SOCK_STREAM, 0);

		fx_bind(fx, s, STACK_IP, 5000);
		assert_int_equal(fx_connect(fx, s, PEER_IP, 80), -EINPROGRESS);
		fx_close_socket(fx, s);
		fx_run(fx);
		if (i == 250)
			before = fx->bytes;
	}
	assert_int_equal(fx->bytes, before);
	fx_discard(fx);
	expect_silence(5000);
}

/* ---- 12: both open at once ---- */

static void options_are_agreed_when_both_open_at_once(struct fixture *fx)
{
	int s = connecting(80);

	rx(SYN, .mss = MSS, .sack_ok = true, .ts = true, .wscale = 7);
	expect_tx(SYN | ACK, .seq = 0, .ack = 1, .mss = 1460, .sack_ok = true, .ts = true, .wscale = 7);
	fx->conn.ts = true;
	rx(SYN | ACK, .seq = 0, .ack = 1, .mss = MSS, .sack_ok = true, .ts = true, .wscale = 7);
	fx_discard(fx);
	expect_events(s, EPOLLOUT);
	assert_int_equal(tcp_info_of(fx, s).tcpi_options,
			 TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE);
	app_sends(s, 0, 10);
	expect_tx(ACK, .seq = 1, .ack = 1, .len = 10, .ts = true);
}

static void a_lost_syn_ack_is_sent_again_when_both_open_at_once(struct fixture *fx)
{
	int s = connecting(80);

	at(100);
	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK, .seq = 0, .ack = 1);
	expect_tx(SYN | ACK, .seq = 0, .ack = 1, .at = 1100, .within = 1100);
	rx(ACK, .seq = 1, .ack = 1);
	assert_int_equal(tcp_state_of(fx, s), TCP_ESTABLISHED);
	expect_silence(5000);
}

static void a_plain_ack_ends_a_simultaneous_open(struct fixture *fx)
{
	int s = connecting(80);

	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK);
	rx(ACK, .seq = 1, .ack = 1, .text = "hello");
	expect_events(s, EPOLLIN | EPOLLOUT);
	expect_tx(ACK, .ack = 6, .within = 50);
}

static void a_wrong_ack_does_not_end_a_simultaneous_open(struct fixture *fx)
{
	int s = connecting(80);

	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK);
	rx(ACK, .seq = 1, .ack = 2);
	expect_tx(RST, .seq = 2);
	assert_int_equal(tcp_state_of(fx, s), TCP_SYN_RECV);
	rx(ACK, .seq = 1, .ack = 1);
	assert_int_equal(tcp_state_of(fx, s), TCP_ESTABLISHED);
}

static void a_reset_refuses_a_simultaneous_open(struct fixture *fx)
{
	int s = connecting(80);

	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK);
	/* RFC 9293 3.10.7.4, second: an active OPEN is refused. */
	rx(RST, .seq = 1);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	expect_silence(5000);
}

static void a_fin_with_the_ack_ends_a_simultaneous_open(struct fixture *fx)
{
	int s = connecting(80);

	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK);
	rx(FIN | ACK, .seq = 1, .ack = 1, .text = "bye");
	expect_tx(ACK, .ack = 5);
	assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE_WAIT);
	assert_int_equal(tcp_info_of(fx, s).tcpi_last_data_recv, 0);
}

static void closing_during_a_simultaneous_open_sends_a_fin_after_it(struct fixture *fx)
{
	int s = connecting(80);

	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK);
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	rx(ACK, .seq = 1, .ack = 1);
	expect_tx(FIN | ACK, .seq = 1, .within = 1100);
	assert_int_equal(tcp_state_of(fx, s), TCP_FIN_WAIT1);
}

static void the_peers_window_is_heeded_after_a_simultaneous_open(struct fixture *fx)
{
	int s = connecting(80);

	rx(SYN, .mss = MSS, .win = 100);
	expect_tx(SYN | ACK);
	rx(ACK, .seq = 1, .ack = 1, .win = 1500);
	app_sends(s, 0, 3000);
	expect_tx(ACK, .seq = 1, .len = MSS);
	expect_silence(100);
}

/* ---- 13: RST in SYN-SENT ---- */

struct segment {
	const char *name;
	uint8_t flags;
	int64_t ack;
};

static const struct segment ignored_resets[] = {
	{ "no ACK", RST, 0 },
	{ "ACK of nothing", RST | ACK, 0 },
	{ "ACK one beyond", RST | ACK, 2 },
	{ "ACK far beyond", RST | ACK, 0x7fffffff },
	{ "ACK one below", RST | ACK, -1 },
	{ "SYN without ACK", RST | SYN, 0 },
	{ "SYN and a wrong ACK", RST | SYN | ACK, 2 },
};

static void a_reset_without_our_ack_is_ignored(struct fixture *fx, const void *row)
{
	const struct segment *segment = row;
	int s = connecting(80);

	rx(segment->flags, .seq = 0, .ack = segment->ack);
	expect_drop("tcp", "RST_IGNORED");
	expect_silence(900);
	expect_tx(SYN, .seq = 0, .within = 200);
	assert_int_equal(tcp_state_of(fx, s), TCP_SYN_SENT);
}

/* ---- 14: a wrong ACK in SYN-SENT ---- */

static const struct segment wrong_acks[] = {
	{ "SYN ACK of nothing", SYN | ACK, 0 },
	{ "SYN ACK one beyond", SYN | ACK, 2 },
	{ "ACK of nothing", ACK, 0 },
	{ "ACK one below", ACK, -1 },
	{ "ACK far beyond", ACK, 1000000 },
	{ "FIN ACK one beyond", FIN | ACK, 2 },
};

static void a_wrong_ack_in_syn_sent_is_reset(struct fixture *fx, const void *row)
{
	const struct segment *segment = row;
	int s = connecting(80);

	rx(segment->flags, .seq = 0, .ack = segment->ack);
	expect_tx(RST, .seq = segment->ack, .win = 0);
	assert_int_equal(tcp_state_of(fx, s), TCP_SYN_SENT);
	/* The connection is not disturbed. */
	rx(SYN | ACK, .seq = 0, .ack = 1, .mss = MSS);
	expect_tx(ACK, .seq = 1, .ack = 1);
	assert_int_equal(tcp_state_of(fx, s), TCP_ESTABLISHED);
}

static const struct segment nothing[] = {
	{ "the right ACK without a SYN", ACK, 1 },
	{ "FIN with the right ACK", FIN | ACK, 1 },
	{ "FIN alone", FIN, 0 },
	{ "no flag at all", 0, 0 },
	{ "URG PSH", URG | PSH, 0 },
};

static void what_is_neither_syn_nor_reset_is_ignored(struct fixture *fx, const void *row)
{
	const struct segment *segment = row;
	int s = connecting(80);

	rx(segment->flags, .seq = 0, .ack = segment->ack, .len = 5);
	expect_drop("tcp", "BAD_FLAGS");
	expect_silence(500);
	assert_int_equal(tcp_state_of(fx, s), TCP_SYN_SENT);
}

/* ---- 15: the address goes away ---- */

static const struct misuse addressed[] = {
	{ "LISTEN, bound to it", TCP_LISTEN, 0, 0 },
	{ "SYN-SENT", TCP_SYN_SENT, 0, 0 },
	{ "SYN-RECEIVED", TCP_SYN_RECV, 0, 0 },
	{ "ESTABLISHED", TCP_ESTABLISHED, 0, 0 },
	{ "FIN-WAIT-1", TCP_FIN_WAIT1, 0, 0 },
	{ "FIN-WAIT-2", TCP_FIN_WAIT2, 0, 0 },
	{ "CLOSING", TCP_CLOSING, 0, 0 },
	{ "CLOSE-WAIT", TCP_CLOSE_WAIT, 0, 0 },
	{ "LAST-ACK", TCP_LAST_ACK, 0, 0 },
	{ "TIME-WAIT", TCP_TIME_WAIT, 0, 0 },
};

static void nothing_more_is_sent_from_an_address_that_has_gone(struct fixture *fx, const void *row)
{
	static const uint8_t bytes[] = { 192, 0, 2, 2 };
	struct strata_addr addr = strata_addr_make(FX_ETH_IP, bytes, 4);
	struct strata_prefix prefix = { .addr = addr, .bits = 24 };
	const struct misuse *state = row;
	int s = tcp_reach(fx, state->state);

	assert_int_equal(strata_ifaddr_remove(fx->iface, &addr), 0);
	fx_discard(fx);
	expect_silence(300000);
	if (s >= 0 && state->state != TCP_LISTEN && state->state != TCP_TIME_WAIT)
		assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 0);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 0);
	/* And back: connections can be made again. */
	assert_int_equal(strata_ifaddr_add(fx->iface, &prefix), 0);
	fx_advance(fx, 20000);
	fx_discard(fx);
	fx->conn = (struct fx_conn){ .peer_port = 43000, .stack_port = 81, .peer_isn = 5000 };
	assert_true(accept_one(listen_on(81), .mss = MSS) >= 0);
}

/* ---- 17: send and receive in SYN-SENT ---- */

static void a_send_in_syn_sent_waits_for_the_handshake(struct fixture *fx)
{
	int s = connecting(80);

	assert_int_equal(fx_send(fx, s, "x", 1), -EAGAIN);
	expect_events(s, 0);
	rx(SYN | ACK, .mss = MSS);
	expect_tx(ACK);
	expect_events(s, EPOLLOUT);
	app_sends(s, 0, 5);
	expect_tx(ACK, .seq = 1, .len = 5);
}

static void a_receive_in_syn_sent_waits_for_the_handshake(struct fixture *fx)
{
	int s = connecting(80);

	expect_read(s, -EAGAIN);
	rx(SYN | ACK, .mss = MSS);
	expect_tx(ACK);
	expect_read(s, -EAGAIN);
	rx(ACK, .len = 5);
	expect_events(s, EPOLLIN | EPOLLOUT);
	app_reads(s, 0, 5);
}

struct errors {
	const char *name;
	void (*happens)(struct fixture *fx);
	int error;
};

static void reset_comes(struct fixture *fx)
{
	rx(RST | ACK, .seq = 0, .ack = 1);
}

static void reset_with_data_comes(struct fixture *fx)
{
	rx(RST | ACK, .seq = 0, .ack = 1, .text = "no such service");
}

static void syn_and_reset_come(struct fixture *fx)
{
	rx(RST | SYN | ACK, .seq = 0, .ack = 1);
}

static void nothing_comes(struct fixture *fx)
{
	fx_advance(fx, 200000);
	fx_discard(fx);
}

static const struct errors failures[] = {
	{ "a RST", reset_comes, ECONNREFUSED },
	{ "a RST with text", reset_with_data_comes, ECONNREFUSED },
	{ "a RST with SYN", syn_and_reset_come, ECONNREFUSED },
	{ "silence", nothing_comes, ETIMEDOUT },
};

static void what_waits_in_syn_sent_fails_with(struct fixture *fx, const void *row)
{
	const struct errors *failure = row;
	int s = connecting(80);

	expect_read(s, -EAGAIN);
	failure->happens(fx);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
	expect_read(s, -failure->error);
	expect_read(s, 0);
	assert_int_equal(fx_send(fx, s, "x", 1), -EPIPE);
	expect_silence(1000);
}

static void data_with_the_syn_ack_is_received(struct fixture *fx)
{
	int s = connecting(80);
	char buf[16];

	rx(SYN | ACK, .mss = MSS, .text = "welcome");
	expect_tx(ACK, .ack = 8);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 7);
	assert_memory_equal(buf, "welcome", 7);
}

static void a_fin_with_the_syn_ack_is_received(struct fixture *fx)
{
	int s = connecting(80);

	rx(SYN | FIN | ACK, .mss = MSS);
	expect_tx(ACK, .ack = 2);
	assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE_WAIT);
	expect_read(s, 0);
}

static void a_second_syn_ack_is_acknowledged(struct fixture *fx)
{
	connect_one(80, .mss = MSS);
	/* Our ACK was lost (RFC 9293 3.10.7.4, RFC 5961 4.2). */
	rx(SYN | ACK, .seq = 0, .ack = 1, .mss = MSS);
	expect_tx(ACK, .seq = 1, .ack = 1);
	expect_silence(100);
}

/* ---- 18: close in SYN-SENT ---- */

static const struct segment late[] = {
	{ "SYN ACK", SYN | ACK, 1 },
	{ "RST ACK", RST | ACK, 1 },
	{ "SYN", SYN, 0 },
	{ "ACK", ACK, 1 },
};

static void after_a_close_in_syn_sent_what_comes_late_finds_nothing(struct fixture *fx, const void *row)
{
	const struct segment *segment = row;
	int s = connecting(80);

	fx_close_socket(fx, s);
	expect_silence(100);
	rx(segment->flags, .seq = 0, .ack = segment->ack);
	if (segment->flags & RST)
		expect_silence(100);
	else if (segment->flags & ACK)
		expect_tx(RST, .seq = 1);
	else
		expect_tx(RST | ACK, .seq = 0, .absolute = true, .ack = FX_AUTO);
	expect_silence(60000);
}

static void shutdown_in_syn_sent_gives_up(struct fixture *fx)
{
	int s = connecting(80);

	/* As Linux: the socket is as before connect(). */
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	assert_int_equal(tcp_state_of(fx, s), TCP_CLOSE);
	rx(SYN | ACK, .seq = 0, .ack = 1);
	expect_tx(RST, .seq = 1);
	expect_silence(5000);
}

static void an_error_about_a_closed_attempt_is_ignored(struct fixture *fx)
{
	struct fx_pkt syn;
	uint8_t bytes[128];
	int s = fx_socket(fx, SOCK_STREAM, 0);
	const struct fx_pkt *pkt;

	fx->conn.stack_port = 0;
	fx->conn.peer_port = 80;
	fx_connect(fx, s, PEER_IP, 80);
	pkt = expect_tx(SYN);
	memcpy(bytes, pkt->frame, pkt->length);
	assert_null(fx_decode(&syn, bytes, pkt->length, false));
	fx_close_socket(fx, s);
	rx_icmp_error(3, 1, 0, &syn, 8);
	assert_int_equal(fx_counter(fx, "tcp", "icmp_ignored"), 1);
	expect_silence(5000);
}

/* ---- 51: ICMP fails a connect, each code with its errno ---- */

struct unreachable {
	const char *name;
	int type, code, error;
};

static const struct unreachable unreachables[] = {
	{ "network", 3, 0, ENETUNREACH },
	{ "host", 3, 1, EHOSTUNREACH },
	{ "protocol", 3, 2, ENOPROTOOPT },
	{ "port", 3, 3, ECONNREFUSED },
	{ "source route failed", 3, 5, EOPNOTSUPP },
	{ "network unknown", 3, 6, ENETUNREACH },
	{ "host unknown", 3, 7, EHOSTDOWN },
	{ "host isolated", 3, 8, ENONET },
	{ "network forbidden", 3, 9, ENETUNREACH },
	{ "host forbidden", 3, 10, EHOSTUNREACH },
	{ "network, for this type of service", 3, 11, ENETUNREACH },
	{ "host, for this type of service", 3, 12, EHOSTUNREACH },
	{ "filtered", 3, 13, EHOSTUNREACH },
	{ "precedence violation", 3, 14, EHOSTUNREACH },
	{ "precedence cut off", 3, 15, EHOSTUNREACH },
	{ "time exceeded", 11, 0, EHOSTUNREACH },
	{ "parameter problem", 12, 0, EPROTO },
};

static void an_unreachable_fails_a_connect(struct fixture *fx, const void *row)
{
	const struct unreachable *u = row;
	int s = fx_socket(fx, SOCK_STREAM, 0);

	fx->conn.stack_port = 0;
	fx->conn.peer_port = 80;
	fx_connect(fx, s, PEER_IP, 80);
	rx_icmp_error(u->type, u->code, 0, expect_tx(SYN), 8);
	expect_events(s, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), u->error);
	expect_silence(60000);
}

static void source_quench_changes_nothing(struct fixture *fx)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);

	fx->conn.stack_port = 0;
	fx->conn.peer_port = 80;
	fx_connect(fx, s, PEER_IP, 80);
	rx_icmp_error(4, 0, 0, expect_tx(SYN), 8);
	assert_int_equal(tcp_state_of(fx, s), TCP_SYN_SENT);
}

/* ---- constants ---- */

static void the_retries_of_a_syn_are_an_option_of_the_socket(struct fixture *fx)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_SYNCNT, 2);
	fx->conn.stack_port = 0;
	fx->conn.peer_port = 80;
	fx_connect(fx, s, PEER_IP, 80);
	expect_tx(SYN, .at = 0);
	expect_tx(SYN, .at = 1000, .within = 1100);
	expect_tx(SYN, .at = 3000, .within = 2100);
	expect_silence(60000);
	expect_read(s, -ETIMEDOUT);
}

static void six_retries_of_a_syn_double_from_a_second(struct fixture *fx)
{
	static const int64_t times[] = { 1000, 3000, 7000, 15000, 31000, 63000 };
	unsigned int i;
	int s = connecting(80);

	for (i = 0; i < STRATA_COUNT(times); i++)
		expect_tx(SYN, .seq = 0, .at = times[i], .within = 40000);
	at(122900);
	expect_events(s, 0);
	/* The last wait is 60 s, the maximum, not 64. */
	at(123100);
	expect_read(s, -ETIMEDOUT);
	expect_silence(60000);
}

static const struct fx_scenario scenarios[] = {
	SCENARIO("7", the_windows_scale_is_used_after_the_syn_ack),
	SCENARIO("7", no_scale_is_used_that_the_syn_ack_does_not_have),
	SCENARIO("7", no_scale_is_offered_where_it_is_turned_off,
		 .options = "tcp.window_scaling=false"),
	SCENARIOS("8", segments_are_as_long_as_the_answers_mss, msses),
	SCENARIOS("16", a_window_after_a_syn_ack_of_zero_is_used, windows,
		  .options = "tcp.initial_window=64"),
	SCENARIOS("10", connecting_is_refused_at_once, refusals),
	SCENARIOS("11", neither_connect_nor_listen_begins_anew, misuses),
	SCENARIO("11", sockets_that_connect_and_give_up_leave_nothing),
	SCENARIO("12", options_are_agreed_when_both_open_at_once),
	SCENARIO("12", a_lost_syn_ack_is_sent_again_when_both_open_at_once),
	SCENARIO("12", a_plain_ack_ends_a_simultaneous_open),
	SCENARIO("12", a_wrong_ack_does_not_end_a_simultaneous_open),
	SCENARIO("12", a_reset_refuses_a_simultaneous_open),
	SCENARIO("12", a_fin_with_the_ack_ends_a_simultaneous_open),
	SCENARIO("12", closing_during_a_simultaneous_open_sends_a_fin_after_it),
	SCENARIO("12", the_peers_window_is_heeded_after_a_simultaneous_open),
	SCENARIOS("13", a_reset_without_our_ack_is_ignored, ignored_resets),
	SCENARIOS("14", a_wrong_ack_in_syn_sent_is_reset, wrong_acks),
	SCENARIOS("14", what_is_neither_syn_nor_reset_is_ignored, nothing),
	SCENARIOS("15", nothing_more_is_sent_from_an_address_that_has_gone, addressed),
	SCENARIO("17", a_send_in_syn_sent_waits_for_the_handshake),
	SCENARIO("17", a_receive_in_syn_sent_waits_for_the_handshake),
	SCENARIOS("17", what_waits_in_syn_sent_fails_with, failures),
	SCENARIO("17", data_with_the_syn_ack_is_received),
	SCENARIO("17", a_fin_with_the_syn_ack_is_received),
	SCENARIO("17", a_second_syn_ack_is_acknowledged),
	SCENARIOS("18", after_a_close_in_syn_sent_what_comes_late_finds_nothing, late),
	SCENARIO("18", shutdown_in_syn_sent_gives_up),
	SCENARIO("18", an_error_about_a_closed_attempt_is_ignored),
	SCENARIOS("51", an_unreachable_fails_a_connect, unreachables),
	SCENARIO("51", source_quench_changes_nothing),
	SCENARIO("RTO", the_retries_of_a_syn_are_an_option_of_the_socket),
	SCENARIO("RTO", six_retries_of_a_syn_double_from_a_second),
};

int main(int argc, char **argv)
{
	return fx_play(argc, argv, scenarios);
}
