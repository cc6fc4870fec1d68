/* SPDX-License-Identifier: BSD-2-Clause */
/* Data in the SYN: Fast Open, from both sides (RFC 7413). */
#include <linux/tcp.h>

#include "fixture.h"

enum { MSS = 1460, COOKIE = 8 };

#define SERVER .options = "tcp.fastopen=2"
#define BYTES(literal) .options = (const uint8_t *)(literal), .options_len = sizeof(literal) - 1
/* mss 1460, and an option of Fast Open that asks for a cookie. */
#define ASKS BYTES("\x02\x04\x05\xb4\x22\x02")

/* The option on a segment: NULL: none; `*length`: its cookie's. */
static const uint8_t *fast_open_option(const struct fx_pkt *pkt, size_t *length)
{
	const uint8_t *o = pkt->tcp.options, *end = o + pkt->tcp.options_len;

	while (o < end) {
		if (o[0] <= 1) {
			o++;
			continue;
		}
		*length = o[1] - 2u;
		if (o[0] == 34)
			return o + 2;
		*length = o[1] - 4u;
		if (o[0] == 254 && o[1] >= 4 && strata_get_be16(o + 2) == 0xf989)
			return o + 4;
		o += o[1];
	}
	return NULL;
}

static struct tcp_info info_of(struct fixture *fx, int s)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info;
}

/* ---- the server ---- */

static int fast_listener(struct fixture *fx, int queue)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);

	fx_bind(fx, s, 0, 80);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_FASTOPEN, queue);
	fx_listen(fx, s, 16);
	return s;
}

/* A SYN from `port` with mss and this cookie, and data. */
static struct fx_conn syn_with(struct fixture *fx, uint16_t port, const uint8_t *cookie, size_t length,
			       const char *text)
{
	struct fx_conn conn = { .peer_port = port, .stack_port = 80, .peer_isn = 1000 };
	uint8_t options[40] = { 2, 4, MSS >> 8, MSS & 0xff, 34, (uint8_t)(2 + length) };

	memcpy(options + 6, cookie, length);
	rx(SYN, .text = text, .options = options, .options_len = 6 + length, .conn = &conn);
	return conn;
}

/* The stack's cookie for the peer. */
static void ask_cookie(struct fixture *fx, uint8_t cookie[COOKIE])
{
	struct fx_conn conn = { .peer_port = 39999, .stack_port = 80, .peer_isn = 1000 };
	const uint8_t *option;
	size_t length = 0;

	rx(SYN, ASKS, .conn = &conn);
	option = fast_open_option(expect_tx(SYN | ACK, .ack = 1, .conn = &conn), &length);
	assert_non_null(option);
	assert_int_equal(length, COOKIE);
	memcpy(cookie, option, COOKIE);
	rx(RST, .seq = 1, .conn = &conn);
}

static void a_cookie_is_given_to_who_asks_and_data_without_one_not_taken(void **state)
{
	struct fixture *fx = fx_open(SERVER);
	int listener = fast_listener(fx, 5);
	const struct fx_pkt *pkt;
	size_t length = 0;

	(void)state;
	rx(SYN, .text = "early", ASKS);
	pkt = expect_tx(SYN | ACK, .seq = 0, .ack = 1);
	assert_non_null(fast_open_option(pkt, &length));
	assert_int_equal(length, COOKIE);
	/* After what else a SYN-ACK carries. */
	assert_memory_equal(pkt->tcp.options, "\x02\x04\x05\xb4\x22\x0a", 6);
	assert_memory_equal(pkt->tcp.options + 14, "\x01\x01", 2);
	assert_int_equal(fx_accept(fx, listener), -EAGAIN);
	rx(ACK, .seq = 1, .ack = 1, .text = "early");
	assert_true(fx_accept(fx, listener) >= 0);
	expect_tx(ACK, .ack = 6);
	fx_close(fx);
}

static void a_good_cookie_opens_at_once(void **state)
{
	struct fixture *fx = fx_open(SERVER);
	int listener = fast_listener(fx, 5), s;
	uint8_t cookie[COOKIE];
	struct fx_conn conn;
	char buf[16];
	size_t n;

	(void)state;
	ask_cookie(fx, cookie);
	conn = syn_with(fx, 40000, cookie, COOKIE, "hello");
	assert_null(fast_open_option(expect_tx(SYN | ACK, .seq = 0, .ack = 6, .conn = &conn), &n));
	/* Before the handshake is over: accepted, read, answered. */
	s = fx_accept(fx, listener);
	assert_true(s >= 0);
	expect_events(s, EPOLLIN | EPOLLOUT);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), -EAGAIN);
	assert_int_equal(fx_send(fx, s, "world", 5), 5);
	expect_tx(ACK, .seq = 1, .ack = 6, .text = "world", .conn = &conn);
	assert_int_equal(info_of(fx, s).tcpi_state, 3);
	rx(ACK, .seq = 6, .ack = 6, .conn = &conn);
	assert_int_equal(info_of(fx, s).tcpi_state, 1);
	assert_int_equal(info_of(fx, s).tcpi_options & TCPI_OPT_SYN_DATA, TCPI_OPT_SYN_DATA);
	assert_int_equal(fx_counter(fx, "tcp", "fastopen_passive"), 1);
	rx(ACK, .text = "more", .conn = &conn);
	expect_tx(ACK, .ack = 10, .conn = &conn, .within = 50);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 4);
	expect_silence(5000);
	fx_close(fx);
}

static void a_good_cookie_without_data_lets_the_server_speak_first(void **state)
{
	struct fixture *fx = fx_open(SERVER);
	int listener = fast_listener(fx, 5), s;
	uint8_t cookie[COOKIE];
	struct fx_conn conn;

	(void)state;
	ask_cookie(fx, cookie);
	conn = syn_with(fx, 40000, cookie, COOKIE, "");
	expect_tx(SYN | ACK, .ack = 1, .conn = &conn);
	s = fx_accept(fx, listener);
	expect_events(s, EPOLLOUT);
	assert_int_equal(fx_send(fx, s, "220", 3), 3);
	expect_tx(ACK, .seq = 1, .text = "220", .conn = &conn);
	/* Only the SYN was acknowledged: the data is sent again by itself. */
	rx(ACK, .seq = 1, .ack = 1, .conn = &conn);
	expect_tx(ACK, .seq = 1, .text = "220", .conn = &conn, .within = 3000);
	rx(ACK, .ack = 4, .conn = &conn);
	expect_silence(5000);
	fx_close(fx);
}

static void a_wrong_cookie_gets_the_right_one_and_a_plain_handshake(void **state)
{
	static const uint8_t wrong[16] = "0123456789abcdef";
	struct fixture *fx = fx_open(SERVER);
	int listener = fast_listener(fx, 5);
	uint8_t cookie[COOKIE];
	struct fx_conn conn;
	const uint8_t *option;
	size_t length, n;

	(void)state;
	ask_cookie(fx, cookie);
	for (length = 4; length <= 16; length += 2) {
		conn = syn_with(fx, (uint16_t)(41000 + length), wrong, length, "hello");
		option = fast_open_option(expect_tx(SYN | ACK, .ack = 1, .conn = &conn), &n);
		assert_non_null(option);
		assert_memory_equal(option, cookie, COOKIE);
		rx(RST, .seq = 1, .conn = &conn);
	}
	assert_int_equal(fx_counter(fx, "tcp", "fastopen_passive_fails"), 7);
	/* Impossible lengths are as no option. */
	for (length = 1; length <= 18; length += length < 5 ? 2 : 13) {
		uint8_t none[20] = { 0 };

		conn = syn_with(fx, (uint16_t)(42000 + length), none, length, "hello");
		assert_null(fast_open_option(expect_tx(SYN | ACK, .ack = 1, .conn = &conn), &n));
		rx(RST, .seq = 1, .conn = &conn);
	}
	assert_int_equal(fx_accept(fx, listener), -EAGAIN);
	fx_close(fx);
}

static void cookies_are_each_peers_own(void **state)
{
	struct fixture *fx = fx_open(SERVER, .extra = "routes:\n  - to: 0.0.0.0/0\n    via: 192.0.2.1\n");
	struct fx_conn conn = { .peer_ip = IP4(198, 51, 100, 7), .peer_port = 40000, .stack_port = 80 };
	uint8_t cookie[COOKIE], options[14] = { 34, 10 };
	size_t n;

	(void)state;
	fast_listener(fx, 5);
	ask_cookie(fx, cookie);
	memcpy(options + 2, cookie, COOKIE);
	rx(SYN, .text = "stolen", .options = options, .options_len = 10, .conn = &conn);
	assert_non_null(fast_open_option(expect_tx(SYN | ACK, .ack = 1, .conn = &conn), &n));
	fx_close(fx);
}

static void the_experimental_option_is_answered_in_kind(void **state)
{
	struct fixture *fx = fx_open(SERVER);
	int listener = fast_listener(fx, 5);
	uint8_t options[12] = { 254, 4, 0xf9, 0x89 };
	const struct fx_pkt *pkt;
	const uint8_t *option;
	size_t n;

	(void)state;
	rx(SYN, .options = options, .options_len = 4);
	pkt = expect_tx(SYN | ACK, .ack = 1);
	option = fast_open_option(pkt, &n);
	assert_int_equal(n, COOKIE);
	assert_int_equal(option[-4], 254);
	options[1] = 12;
	memcpy(options + 4, option, COOKIE);
	rx(RST, .seq = 1);
	fx->conn.peer_port++;
	rx(SYN, .seq = 0, .text = "hello", .options = options, .options_len = 12);
	expect_tx(SYN | ACK, .ack = 6);
	assert_true(fx_accept(fx, listener) >= 0);
	fx_close(fx);
}

static void listeners_that_did_not_ask_for_it_have_none(void **state)
{
	static const struct { const char *options; int queue; bool cookie; } cases[] = {
		{ NULL, 5, false },			/* not as a server */
		{ "tcp.fastopen=2", 0, false },		/* not on this socket */
		{ "tcp.fastopen=0x402", -1, true },	/* every listener */
		{ "tcp.fastopen=2 tcp.syncookies=2", 5, false },
		{ "tcp.fastopen=2", 5, true },
	};
	unsigned int i;
	size_t n;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fixture *fx = fx_open(.options = cases[i].options);

		if (cases[i].queue >= 0)
			fast_listener(fx, cases[i].queue);
		else
			listen_on(80);
		rx(SYN, ASKS);
		assert_int_equal(fast_open_option(expect_tx(SYN | ACK, .ack = 1), &n) != NULL,
				 cases[i].cookie);
		fx_close(fx);
	}
}

static void without_cookies_any_data_is_taken(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct fixture *fx = fx_open(.options = i == 0 ? "tcp.fastopen=0x202" : "tcp.fastopen=2");
		int listener = fast_listener(fx, 5), s;
		char buf[8];

		if (i == 1)
			fx_setsockopt(fx, listener, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
		rx(SYN, .mss = MSS, .text = "hello");
		expect_tx(SYN | ACK, .ack = 6);
		s = fx_accept(fx, listener);
		assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 5);
		fx_close(fx);
	}
}

/* RFC 7413 5.1: forged SYNs with a stolen cookie fill no more than this. */
static void what_is_pending_is_limited_resets_included(void **state)
{
	struct fixture *fx = fx_open(SERVER);
	int listener = fast_listener(fx, 2);
	uint8_t cookie[COOKIE];
	struct fx_conn conn[4];
	uint16_t i;

	(void)state;
	ask_cookie(fx, cookie);
	for (i = 0; i < 4; i++) {
		conn[i] = syn_with(fx, (uint16_t)(41000 + i), cookie, COOKIE, "hello");
		expect_tx(SYN | ACK, .ack = i < 2 ? 6 : 1, .conn = &conn[i]);
	}
	assert_int_equal(fx_counter(fx, "tcp", "fastopen_overflows"), 2);
	/* One completes its handshake and makes room. */
	rx(ACK, .seq = 6, .ack = 1, .conn = &conn[0]);
	conn[0] = syn_with(fx, 42000, cookie, COOKIE, "hello");
	expect_tx(SYN | ACK, .ack = 6, .conn = &conn[0]);
	/* One that is reset does not, for a minute. */
	rx(RST, .seq = 6, .conn = &conn[1]);
	conn[1] = syn_with(fx, 42001, cookie, COOKIE, "hello");
	expect_tx(SYN | ACK, .ack = 1, .conn = &conn[1]);
	rx(RST, .seq = 6, .conn = &conn[0]);
	fx_advance(fx, 60000);
	fx_discard(fx);
	conn[0] = syn_with(fx, 42002, cookie, COOKIE, "hello");
	expect_tx(SYN | ACK, .ack = 6, .conn = &conn[0]);
	fx_close_socket(fx, listener);
	fx_close(fx);
}

static void a_reset_before_the_handshakes_end_is_told(void **state)
{
	struct fixture *fx = fx_open(SERVER);
	int listener = fast_listener(fx, 5), s;
	uint8_t cookie[COOKIE];
	struct fx_conn conn;
	char buf[8];

	(void)state;
	ask_cookie(fx, cookie);
	conn = syn_with(fx, 40000, cookie, COOKIE, "hello");
	expect_tx(SYN | ACK, .ack = 6, .conn = &conn);
	s = fx_accept(fx, listener);
	rx(RST, .seq = 6, .conn = &conn);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), 5);
	assert_int_equal(fx_recv(fx, s, buf, sizeof(buf)), -ECONNRESET);
	fx_close(fx);
}

static void the_syn_again_gets_its_answer_again_data_and_all(void **state)
{
	struct fixture *fx = fx_open(SERVER);
	int listener = fast_listener(fx, 5), s;
	uint8_t cookie[COOKIE];
	struct fx_conn conn;

	(void)state;
	ask_cookie(fx, cookie);
	conn = syn_with(fx, 40000, cookie, COOKIE, "hello");
	expect_tx(SYN | ACK, .ack = 6, .conn = &conn);
	s = fx_accept(fx, listener);
	assert_int_equal(fx_send(fx, s, "world", 5), 5);
	expect_tx(ACK, .seq = 1, .text = "world", .conn = &conn);
	/* Without the option or data (RFC 7413 4.1.3): the peer's timer. */
	rx(SYN, .seq = 0, .mss = MSS, .conn = &conn);
	expect_tx(SYN | ACK, .seq = 0, .ack = 6, .conn = &conn);
	/* Ours. */
	expect_tx(SYN | ACK, .seq = 0, .ack = 6, .conn = &conn, .within = 2000);
	rx(ACK, .seq = 6, .ack = 6, .conn = &conn);
	assert_int_equal(info_of(fx, s).tcpi_state, 1);
	expect_silence(5000);
	fx_close(fx);
}

static void an_accepted_one_that_never_completes_times_out(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.fastopen=2 tcp.synack_retries=2");
	int listener = fast_listener(fx, 5), s;
	uint8_t cookie[COOKIE];
	struct fx_conn conn;

	(void)state;
	ask_cookie(fx, cookie);
	conn = syn_with(fx, 40000, cookie, COOKIE, "hello");
	s = fx_accept(fx, listener);
	fx_advance(fx, 10000);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ETIMEDOUT);
	(void)conn;
	fx_discard(fx);
	fx_close(fx);
}

/* A key in common: the vector is Linux's function, SipHash-2-4 of client and server. */
static void keys_may_be_shared_with_other_servers(void **state)
{
	static const uint8_t key[16] = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
					 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f };
	struct fixture *fx = fx_open(.options = "tcp.fastopen=2 tcp.fastopen_key="
						"03020100-07060504-0b0a0908-0f0e0d0c");
	int listener = fast_listener(fx, 5);
	uint8_t by_option[COOKIE], by_socket[COOKIE], got[32];
	socklen_t length = sizeof(got);

	(void)state;
	ask_cookie(fx, by_option);
	assert_memory_equal(by_option, "\x36\x1b\x9e\x99\x04\x4b\xa9\x81", COOKIE);
	assert_int_equal(strata_getsockopt(fx->stack, listener, IPPROTO_TCP, TCP_FASTOPEN_KEY, got,
					   &length), 0);
	assert_int_equal(length, 16);
	assert_memory_equal(got, key, 16);
	got[0] ^= 1;
	assert_int_equal(strata_setsockopt(fx->stack, listener, IPPROTO_TCP, TCP_FASTOPEN_KEY, got, 16),
			 0);
	ask_cookie(fx, by_socket);
	assert_memory_not_equal(by_socket, by_option, COOKIE);
	fx_close(fx);
}

static void a_cookie_by_the_old_key_opens_and_brings_a_new_one(void **state)
{
	struct fixture *fx = fx_open(SERVER);
	int listener = fast_listener(fx, 5);
	uint8_t keys[32] = { 1 }, old[COOKIE];
	struct fx_conn conn;
	const uint8_t *option;
	size_t n;

	(void)state;
	keys[16] = 2;
	assert_int_equal(strata_setsockopt(fx->stack, listener, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys + 16,
					   16), 0);
	ask_cookie(fx, old);
	assert_int_equal(strata_setsockopt(fx->stack, listener, IPPROTO_TCP, TCP_FASTOPEN_KEY, keys, 32),
			 0);
	conn = syn_with(fx, 40000, old, COOKIE, "hello");
	option = fast_open_option(expect_tx(SYN | ACK, .ack = 6, .conn = &conn), &n);
	assert_non_null(option);
	assert_memory_not_equal(option, old, COOKIE);
	fx_close(fx);
}

static void wrong_keys_are_refused(void **state)
{
	static const char *const keys[] = {
		"0", "03020100-07060504-0b0a0908", "03020100-07060504-0b0a0908-0f0e0d0",
		"03020100-07060504-0b0a0908-0f0e0d0g", "03020100-07060504-0b0a0908-0f0e0d0c0",
		"03020100-07060504-0b0a0908-0f0e0d0c,", "03020100 07060504 0b0a0908 0f0e0d0c",
	};
	struct fixture *fx = fx_open();
	struct strata_error error = { 0 };
	uint8_t key[33] = { 0 };
	unsigned int i;
	int s = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	for (i = 0; i < STRATA_COUNT(keys); i++)
		assert_int_equal(strata_option_set(fx->stack, "tcp.fastopen_key", keys[i], &error), -EINVAL);
	assert_int_equal(strata_option_set(fx->stack, "tcp.fastopen_key",
					   "03020100-07060504-0b0a0908-0f0e0d0c,"
					   "00000000-00000000-00000000-00000001", &error), 0);
	for (i = 0; i <= 33; i++)
		assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_FASTOPEN_KEY, key, i),
				 i == 16 || i == 32 ? 0 : -EINVAL);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_FASTOPEN, &(int){ -1 }, 4),
			 -EINVAL);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){ 2 }, 4),
			 -EINVAL);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, &(int){ 2 },
					   4), -EINVAL);
	strata_error_clear(&error);
	fx_close(fx);
}

static void memory_that_is_short_falls_back_or_leaves_nothing(void **state)
{
	struct fixture *fx = fx_open(SERVER);
	int listener = fast_listener(fx, 5), s;
	uint8_t cookie[COOKIE];
	struct fx_conn conn;
	uint64_t k;

	(void)state;
	ask_cookie(fx, cookie);
	for (k = 1; k < 40; k++) {
		fx_fail_at(fx, k, false);
		conn = syn_with(fx, (uint16_t)(41000 + k), cookie, COOKIE, "hello");
		fx_fail_at(fx, 0, false);
		fx_discard(fx);
		s = fx_accept(fx, listener);
		if (s >= 0)
			fx_close_socket(fx, s);
		rx(RST, .seq = 1, .conn = &conn);
		rx(RST, .seq = 6, .conn = &conn);
		fx_discard(fx);
		fx_advance(fx, 61000);
	}
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 0);
	conn = syn_with(fx, 42000, cookie, COOKIE, "hello");
	expect_tx(SYN | ACK, .ack = 6, .conn = &conn);
	fx_close(fx);
}

/* ---- the client ---- */

static ssize_t fast_send(struct fixture *fx, int s, const void *data, size_t length, int flags)
{
	struct sockaddr_in to = fx_sockaddr(PEER_IP, 80);

	return strata_sendto(fx->stack, s, data, length, flags, (const struct sockaddr *)&to, sizeof(to));
}

/* A connection that brings a cookie home. */
static void learn_cookie(struct fixture *fx)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);
	const uint8_t *option;
	size_t n = 1;

	fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
	assert_int_equal(fast_send(fx, s, "data", 4, MSG_FASTOPEN), -EINPROGRESS);
	option = fast_open_option(expect_tx(SYN, .len = 0), &n);
	assert_non_null(option);
	assert_int_equal(n, 0);
	rx(SYN | ACK, BYTES("\x02\x04\x05\xb4\x22\x0a" "ABCDEFGH\x01\x01"));
	expect_tx(ACK);
	assert_int_equal(info_of(fx, s).tcpi_fastopen_client_fail, TFO_COOKIE_UNAVAILABLE);
	rx(RST, .seq = 1);
	fx_close_socket(fx, s);
	fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
}

static void a_client_asks_for_a_cookie_and_uses_it_next_time(void **state)
{
	struct fixture *fx = fx_open();
	const struct fx_pkt *pkt;
	const uint8_t *option;
	size_t n;
	int s;

	(void)state;
	learn_cookie(fx);
	s = fx_socket(fx, SOCK_STREAM, 0);
	assert_int_equal(fast_send(fx, s, "hello", 5, MSG_FASTOPEN), 5);
	pkt = expect_tx(SYN, .seq = 0, .text = "hello", .mss = 1460, .sack_ok = true, .ts = true);
	option = fast_open_option(pkt, &n);
	assert_int_equal(n, 8);
	assert_memory_equal(option, "ABCDEFGH", 8);
	assert_int_equal(fast_send(fx, s, "again", 5, MSG_FASTOPEN), -EALREADY);
	rx(SYN | ACK, .ack = 6, .mss = 1460);
	expect_tx(ACK, .seq = 6, .ack = 1);
	expect_events(s, EPOLLOUT);
	assert_int_equal(info_of(fx, s).tcpi_options & TCPI_OPT_SYN_DATA, TCPI_OPT_SYN_DATA);
	assert_int_equal(info_of(fx, s).tcpi_fastopen_client_fail, 0);
	assert_int_equal(info_of(fx, s).tcpi_bytes_acked, 5);
	assert_int_equal(fx_counter(fx, "tcp", "fastopen_active"), 1);
	assert_int_equal(fx_send(fx, s, "more", 4), 4);
	expect_tx(ACK, .seq = 6, .text = "more");
	rx(ACK, .ack = 10);
	expect_silence(5000);
	fx_close(fx);
}

static void data_that_was_not_taken_goes_again(void **state)
{
	static const int64_t acks[] = { 1, 3 };
	unsigned int i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(acks); i++) {
		struct fixture *fx = fx_open();
		int s;

		learn_cookie(fx);
		s = fx_socket(fx, SOCK_STREAM, 0);
		assert_int_equal(fast_send(fx, s, "hello", 5, MSG_FASTOPEN), 5);
		expect_tx(SYN, .text = "hello");
		rx(SYN | ACK, .ack = acks[i], .mss = 1460);
		expect_tx(ACK, .seq = acks[i], .text = acks[i] == 1 ? "hello" : "llo");
		rx(ACK, .ack = 6);
		assert_int_equal(info_of(fx, s).tcpi_fastopen_client_fail,
				 acks[i] == 1 ? TFO_DATA_NOT_ACKED : 0);
		assert_int_equal(info_of(fx, s).tcpi_bytes_acked, 5);
		expect_silence(5000);
		fx_close(fx);
	}
}

static void a_syn_that_is_sent_again_carries_neither_option_nor_data(void **state)
{
	struct fixture *fx = fx_open();
	size_t n;
	int s;

	(void)state;
	learn_cookie(fx);
	s = fx_socket(fx, SOCK_STREAM, 0);
	assert_int_equal(fast_send(fx, s, "hello", 5, MSG_FASTOPEN), 5);
	expect_tx(SYN, .text = "hello");
	assert_null(fast_open_option(expect_tx(SYN, .seq = 0, .len = 0, .within = 1001), &n));
	rx(SYN | ACK, .ack = 1, .mss = 1460);
	expect_tx(ACK, .seq = 1, .text = "hello");
	assert_int_equal(info_of(fx, s).tcpi_fastopen_client_fail, TFO_SYN_RETRANSMITTED);
	rx(RST, .seq = 1);
	fx_close_socket(fx, s);
	fx_discard(fx);
	/* The late answer to the first is as good. */
	fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
	s = fx_socket(fx, SOCK_STREAM, 0);
	assert_int_equal(fast_send(fx, s, "hello", 5, MSG_FASTOPEN), 5);
	expect_tx(SYN, .text = "hello");
	expect_tx(SYN, .seq = 0, .len = 0, .within = 1001);
	rx(SYN | ACK, .ack = 6, .mss = 1460);
	expect_tx(ACK, .seq = 6, .len = 0);
	expect_silence(5000);
	fx_close(fx);
}

/* RFC 7413 4.1.3.1 */
static void a_path_that_loses_it_is_spared_for_a_while(void **state)
{
	struct fixture *fx = fx_open();
	unsigned int i;
	size_t n;
	int s;

	(void)state;
	learn_cookie(fx);
	for (i = 0; i < 2; i++) {
		fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
		s = fx_socket(fx, SOCK_STREAM, 0);
		assert_int_equal(fast_send(fx, s, "hello", 5, MSG_FASTOPEN), 5);
		expect_tx(SYN, .text = "hello");
		expect_tx(SYN, .within = 1001);
		rx(SYN | ACK, .ack = 1, .mss = 1460);
		expect_tx(ACK, .text = "hello");
		rx(RST, .seq = 1);
		fx_close_socket(fx, s);
	}
	fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
	s = fx_socket(fx, SOCK_STREAM, 0);
	assert_int_equal(fast_send(fx, s, "hello", 5, MSG_FASTOPEN), -EINPROGRESS);
	assert_null(fast_open_option(expect_tx(SYN, .len = 0), &n));
	fx_close_socket(fx, s);
	fx_advance(fx, 4 * 60000);
	fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
	s = fx_socket(fx, SOCK_STREAM, 0);
	assert_int_equal(fast_send(fx, s, "hello", 5, MSG_FASTOPEN), 5);
	expect_tx(SYN, .text = "hello");
	fx_close(fx);
}

static void a_black_hole_turns_it_off_for_an_hour_then_two(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.syn_retries=3");
	static const uint64_t hours[] = { 1, 2, 4 };
	unsigned int i;
	size_t n;
	int s;

	(void)state;
	for (i = 0; i < STRATA_COUNT(hours); i++) {
		/* Another peer each time: it is not the one, but all. */
		struct sockaddr_in to = fx_sockaddr(PEER_IP, 80);

		s = fx_socket(fx, SOCK_STREAM, 0);
		fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
		strata_sendto(fx->stack, s, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to));
		assert_non_null(fast_open_option(expect_tx(SYN, .len = 0), &n));
		fx_advance(fx, 7500);
		assert_int_equal(fx_counter(fx, "tcp", "fastopen_blackholes"), i + 1);
		fx_close_socket(fx, s);
		fx_discard(fx);
		fx_advance(fx, hours[i] * 3600000 - 10000);
		s = fx_socket(fx, SOCK_STREAM, 0);
		fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
		fast_send(fx, s, "x", 1, MSG_FASTOPEN);
		assert_null(fast_open_option(expect_tx(SYN), &n));
		fx_close_socket(fx, s);
		fx_advance(fx, 20000);
	}
	/* A success ends it. */
	s = fx_socket(fx, SOCK_STREAM, 0);
	fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
	fast_send(fx, s, "x", 1, MSG_FASTOPEN);
	assert_non_null(fast_open_option(expect_tx(SYN), &n));
	fx_close(fx);
}

static void an_option_that_was_ignored_is_tried_in_its_older_form(void **state)
{
	static const uint8_t kinds[] = { 34, 254, 34 };
	struct fixture *fx = fx_open();
	const uint8_t *option;
	unsigned int i;
	size_t n;

	(void)state;
	for (i = 0; i < STRATA_COUNT(kinds); i++) {
		int s = fx_socket(fx, SOCK_STREAM, 0);

		fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
		fast_send(fx, s, "x", 1, MSG_FASTOPEN);
		option = fast_open_option(expect_tx(SYN), &n);
		assert_non_null(option);
		assert_int_equal(n, 0);
		assert_int_equal(option[kinds[i] == 34 ? -2 : -4], kinds[i]);
		rx(SYN | ACK, .mss = 1460);
		expect_tx(ACK);
		rx(RST, .seq = 1);
		fx_close_socket(fx, s);
	}
	fx_close(fx);
}

static void connect_may_wait_for_the_first_data(void **state)
{
	struct fixture *fx = fx_open();
	size_t n;
	int s;

	(void)state;
	/* Without a cookie it asks for one at once. */
	s = fx_socket(fx, SOCK_STREAM, 0);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), -EINPROGRESS);
	assert_non_null(fast_open_option(expect_tx(SYN), &n));
	fx_close_socket(fx, s);
	learn_cookie(fx);
	s = fx_socket(fx, SOCK_STREAM, 0);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	assert_int_equal(fx_getsockopt(fx, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT), 1);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), 0);
	expect_events(s, EPOLLOUT);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), -EISCONN);
	expect_silence(10000);
	assert_int_equal(fx_send(fx, s, "hello", 5), 5);
	expect_tx(SYN, .text = "hello");
	expect_events(s, 0);
	rx(SYN | ACK, .ack = 6, .mss = 1460);
	expect_tx(ACK, .seq = 6);
	expect_events(s, EPOLLOUT);
	fx_close_socket(fx, s);
	fx_discard(fx);
	/* Closed before: nobody ever hears of it. */
	s = fx_socket(fx, SOCK_STREAM, 0);
	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 80), 0);
	fx_close_socket(fx, s);
	fx_close(fx);
}

static void a_syn_takes_what_fits_beside_all_options(void **state)
{
	static char data[4000];
	struct fixture *fx = fx_open();
	int s;

	(void)state;
	learn_cookie(fx);
	s = fx_socket(fx, SOCK_STREAM, 0);
	assert_int_equal(fast_send(fx, s, data, sizeof(data), MSG_FASTOPEN), 1420);
	expect_tx(SYN, .len = 1420, .any_data = true);
	rx(SYN | ACK, .ack = 1421, .mss = 1460);
	expect_tx(ACK, .seq = 1421);
	fx_close(fx);
}

static void data_without_a_cookie_where_that_is_allowed(void **state)
{
	unsigned int i;
	size_t n;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct fixture *fx = fx_open(.options = i == 0 ? "tcp.fastopen=5" : NULL);
		int s = fx_socket(fx, SOCK_STREAM, 0);

		if (i == 1)
			fx_setsockopt(fx, s, IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 1);
		fx->conn = (struct fx_conn){ .peer_port = 80, .peer_isn = 1000 };
		assert_int_equal(fast_send(fx, s, "hello", 5, MSG_FASTOPEN), 5);
		assert_null(fast_open_option(expect_tx(SYN, .text = "hello"), &n));
		rx(SYN | ACK, .ack = 6, .mss = 1460);
		expect_tx(ACK, .seq = 6);
		fx_close(fx);
	}
}

static void misuse_is_an_error(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.fastopen=0");
	struct strata_error error = { 0 };
	int s = fx_socket(fx, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(fast_send(fx, s, "x", 1, MSG_FASTOPEN), -EOPNOTSUPP);
	assert_int_equal(strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){ 1 }, 4),
			 -EOPNOTSUPP);
	assert_int_equal(strata_option_set(fx->stack, "tcp.fastopen", "1", &error), 0);
	assert_int_equal(strata_send(fx->stack, s, "x", 1, MSG_FASTOPEN), -EINVAL);
	s = accept_one(listen_on(80), .mss = MSS);
	assert_int_equal(fast_send(fx, s, "x", 1, MSG_FASTOPEN), -EISCONN);
	fx_close(fx);
}

static void cookies_of_the_peers_longest_unused_make_way(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.fastopen_peers=2",
				     .extra = "routes:\n  - to: 0.0.0.0/0\n    via: 192.0.2.1\n");
	static const struct { unsigned int peer; bool known; } steps[] = {
		{ 1, false }, { 2, false }, { 1, true }, { 3, false }, { 1, true }, { 2, false },
		{ 3, false },
	};
	unsigned int i;
	size_t n;

	(void)state;
	for (i = 0; i < STRATA_COUNT(steps); i++) {
		struct sockaddr_in to = fx_sockaddr(IP4(198, 51, 100, 0) + steps[i].peer, 80);
		int s = fx_socket(fx, SOCK_STREAM, 0);

		fx->conn = (struct fx_conn){ .peer_ip = IP4(198, 51, 100, 0) + steps[i].peer,
					     .peer_port = 80, .peer_isn = 1000 };
		assert_int_equal(strata_sendto(fx->stack, s, "x", 1, MSG_FASTOPEN,
					       (struct sockaddr *)&to, sizeof(to)),
				 steps[i].known ? 1 : -EINPROGRESS);
		fast_open_option(expect_tx(SYN, .len = steps[i].known, .any_data = true), &n);
		assert_int_equal(n, steps[i].known ? 8 : 0);
		rx(SYN | ACK, .ack = steps[i].known ? 2 : 1, BYTES("\x02\x04\x05\xb4\x22\x0a" "ABCDEFGH\x01\x01"));
		expect_tx(ACK);
		rx(RST, .seq = 1);
		fx_close_socket(fx, s);
	}
	fx_close(fx);
}

static void opening_at_once_from_both_sides_loses_no_data(void **state)
{
	struct fixture *fx = fx_open();
	int s;

	(void)state;
	learn_cookie(fx);
	s = fx_socket(fx, SOCK_STREAM, 0);
	assert_int_equal(fast_send(fx, s, "hello", 5, MSG_FASTOPEN), 5);
	expect_tx(SYN, .text = "hello");
	rx(SYN, .seq = 0, .mss = 1460);
	expect_tx(SYN | ACK, .seq = 0, .ack = 1, .len = 0);
	rx(ACK, .seq = 1, .ack = 1);
	expect_tx(ACK, .seq = 1, .text = "hello");
	rx(ACK, .ack = 6);
	expect_silence(5000);
	fx_close(fx);
}

/* ---- two stacks ---- */

static void two_stacks_open_in_one_round_trip(void **state)
{
	static const struct fx_config config = { .options = "tcp.fastopen=3" };
	struct fx_link link = { .delay = 50 * STRATA_MS };
	struct fx_pair pair = fx_pair_open(&config, &link, 1);
	int listener = fast_listener(pair.b, 5), s, t;
	struct sockaddr_in to = fx_sockaddr(STACK_IP, 80);
	char buf[16];
	unsigned int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		s = fx_socket(pair.a, SOCK_STREAM, 0);
		assert_int_equal(strata_sendto(pair.a->stack, s, "question", 8, MSG_FASTOPEN,
					       (struct sockaddr *)&to, sizeof(to)),
				 i == 0 ? -EINPROGRESS : 8);
		fx_join_run(pair.join, 51 * STRATA_MS, NULL, NULL);
		t = fx_accept(pair.b, listener);
		if (i == 0) {
			assert_int_equal(t, -EAGAIN);
			fx_join_run(pair.join, 200 * STRATA_MS, NULL, NULL);
			t = fx_accept(pair.b, listener);
		} else {
			assert_int_equal(fx_recv(pair.b, t, buf, sizeof(buf)), 8);
			assert_int_equal(fx_send(pair.b, t, "answer", 6), 6);
			fx_join_run(pair.join, 51 * STRATA_MS, NULL, NULL);
			assert_int_equal(fx_recv(pair.a, s, buf, sizeof(buf)), 6);
		}
		fx_close_socket(pair.a, s);
		fx_close_socket(pair.b, t);
		fx_join_run(pair.join, 500 * STRATA_MS, NULL, NULL);
	}
	assert_int_equal(fx_counter(pair.a, "tcp", "fastopen_active"), 1);
	assert_int_equal(fx_counter(pair.b, "tcp", "fastopen_passive"), 1);
	fx_pair_close(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cookie_is_given_to_who_asks_and_data_without_one_not_taken),
		cmocka_unit_test(a_good_cookie_opens_at_once),
		cmocka_unit_test(a_good_cookie_without_data_lets_the_server_speak_first),
		cmocka_unit_test(a_wrong_cookie_gets_the_right_one_and_a_plain_handshake),
		cmocka_unit_test(cookies_are_each_peers_own),
		cmocka_unit_test(the_experimental_option_is_answered_in_kind),
		cmocka_unit_test(listeners_that_did_not_ask_for_it_have_none),
		cmocka_unit_test(without_cookies_any_data_is_taken),
		cmocka_unit_test(what_is_pending_is_limited_resets_included),
		cmocka_unit_test(a_reset_before_the_handshakes_end_is_told),
		cmocka_unit_test(the_syn_again_gets_its_answer_again_data_and_all),
		cmocka_unit_test(an_accepted_one_that_never_completes_times_out),
		cmocka_unit_test(keys_may_be_shared_with_other_servers),
		cmocka_unit_test(a_cookie_by_the_old_key_opens_and_brings_a_new_one),
		cmocka_unit_test(wrong_keys_are_refused),
		cmocka_unit_test(memory_that_is_short_falls_back_or_leaves_nothing),
		cmocka_unit_test(a_client_asks_for_a_cookie_and_uses_it_next_time),
		cmocka_unit_test(data_that_was_not_taken_goes_again),
		cmocka_unit_test(a_syn_that_is_sent_again_carries_neither_option_nor_data),
		cmocka_unit_test(a_path_that_loses_it_is_spared_for_a_while),
		cmocka_unit_test(a_black_hole_turns_it_off_for_an_hour_then_two),
		cmocka_unit_test(an_option_that_was_ignored_is_tried_in_its_older_form),
		cmocka_unit_test(connect_may_wait_for_the_first_data),
		cmocka_unit_test(a_syn_takes_what_fits_beside_all_options),
		cmocka_unit_test(data_without_a_cookie_where_that_is_allowed),
		cmocka_unit_test(misuse_is_an_error),
		cmocka_unit_test(cookies_of_the_peers_longest_unused_make_way),
		cmocka_unit_test(opening_at_once_from_both_sides_loses_no_data),
		cmocka_unit_test(two_stacks_open_in_one_round_trip),
	};

	return fx_main(tests);
}
