/* SPDX-License-Identifier: BSD-2-Clause */
/* What connections of two stacks live through besides a transfer, while one of them is short of memory. */
#include "connections.h"

#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/tcp.h>

enum { PORT = 5000, SERVER = STACK_IP, MANY = 12 };

static struct fx_pair open_pair(const struct sweep *sw, const char *modules, const char *options)
{
	static const struct fx_link link = { .delay = STRATA_MS };
	const struct fx_config config = { .modules = modules, .options = options,
					  .uncached = sw->uncached };

	return fx_pair_open(&config, &link, 1);
}

static void pass(struct fx_pair *pair, uint64_t ms)
{
	fx_join_run(pair->join, ms * STRATA_MS, NULL, NULL);
}

/* A call made again until it succeeds; memory is back after a second at the latest. */
static int until_done(struct sweep *sw, struct fx_pair *pair, int (*call)(struct fixture *fx, int s),
		      struct fixture *fx, int s)
{
	for (int i = 0; i < 1000; i++) {
		int result = call(fx, s);

		if (result >= 0)
			return result;
		if (result != -EAGAIN && result != -EINPROGRESS)
			sweep_result(sw, result);
		pass(pair, 100);
		if (i == 20 && sw->begun && !sw->ended)
			sweep_end(sw);
	}
	fx_fail(fx, __FILE__, __LINE__, "it never succeeds");
}

static int is_open(struct fixture *fx, int s)
{
	int events = strata_events(fx->stack, s);

	if (events & EPOLLERR)
		return -fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR);
	return events & EPOLLOUT ? 0 : -EAGAIN;
}

static int has_ended(struct fixture *fx, int s)
{
	return strata_events(fx->stack, s) & EPOLLRDHUP ? 0 : -EAGAIN;
}

static int connect_now(struct fixture *fx, int s)
{
	int result = fx_connect(fx, s, SERVER, PORT);

	return result == -EALREADY || result == -EISCONN ? 0 : result;
}

/* A connection from a to b's listener; both ends in `ends`. */
static void connected(struct sweep *sw, struct fx_pair *pair, int listener, int ends[2])
{
	ends[0] = fx_socket(pair->a, SOCK_STREAM, 0);
	until_done(sw, pair, connect_now, pair->a, ends[0]);
	until_done(sw, pair, is_open, pair->a, ends[0]);
	ends[1] = until_done(sw, pair, fx_accept, pair->b, listener);
}

static void end_if_not(struct sweep *sw)
{
	if (!sw->ended)
		sweep_end(sw);
}

/* A new connection carries bytes both ways: the stacks have come to no harm. */
static void still_works(struct sweep *sw, struct fx_pair *pair, int listener)
{
	char buf[8];
	int ends[2];

	connected(sw, pair, listener, ends);
	assert_int_equal(fx_send(pair->a, ends[0], "forth", 5), 5);
	assert_int_equal(fx_send(pair->b, ends[1], "back", 4), 4);
	pass(pair, 100);
	assert_int_equal(fx_recv(pair->b, ends[1], buf, sizeof(buf)), 5);
	assert_int_equal(fx_recv(pair->a, ends[0], buf, sizeof(buf)), 4);
	fx_close_socket(pair->a, ends[0]);
	fx_close_socket(pair->b, ends[1]);
	pass(pair, 200000);
	assert_int_equal(fx_counter(pair->a, "tcp", "established"), 0);
	assert_int_equal(fx_counter(pair->b, "tcp", "established"), 0);
	assert_int_equal(fx_counter(pair->a, "tcp", "time_wait"), 0);
	assert_int_equal(fx_counter(pair->b, "tcp", "time_wait"), 0);
}

/* ---- many, and too many ---- */

void sweep_many_connections(struct sweep *sw)
{
	struct fx_pair pair = open_pair(sw, NULL, NULL);
	int listener = fx_listen_on(pair.b, PORT), ends[MANY][2], i;
	char byte;

	sweep_begin(sw, sw->arg != NULL ? pair.b : pair.a);
	for (i = 0; i < MANY; i++) {
		int s = strata_socket(pair.a->stack, AF_INET, SOCK_STREAM, 0);

		if (s < 0) {
			sweep_result(sw, s);
			end_if_not(sw);
			s = fx_socket(pair.a, SOCK_STREAM, 0);
		}
		ends[i][0] = s;
		until_done(sw, &pair, connect_now, pair.a, s);
	}
	for (i = 0; i < MANY; i++) {
		until_done(sw, &pair, is_open, pair.a, ends[i][0]);
		ends[i][1] = until_done(sw, &pair, fx_accept, pair.b, listener);
	}
	end_if_not(sw);
	for (i = 0; i < MANY; i++)
		assert_int_equal(fx_send(pair.a, ends[i][0], "x", 1), 1);
	pass(&pair, 2000);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(fx_recv(pair.b, ends[i][1], &byte, 1), 1);
		fx_close_socket(pair.a, ends[i][0]);
		fx_close_socket(pair.b, ends[i][1]);
	}
	still_works(sw, &pair, listener);
	fx_pair_close(&pair);
}

void sweep_full_backlog(struct sweep *sw)
{
	/* A SYN-ACK that memory was short for counts as one of its retries. */
	struct fx_pair pair = open_pair(sw, NULL, "tcp.synack_retries=8");
	int listener = fx_socket(pair.b, SOCK_STREAM, 0), clients[4], servers[4], i;

	fx_bind(pair.b, listener, 0, PORT);
	fx_listen(pair.b, listener, 0);
	sweep_begin(sw, pair.b);
	for (i = 0; i < 4; i++) {
		clients[i] = fx_socket(pair.a, SOCK_STREAM, 0);
		assert_int_equal(fx_connect(pair.a, clients[i], SERVER, PORT), -EINPROGRESS);
	}
	pass(&pair, 1500);
	for (i = 0; i < 4; i++)
		servers[i] = until_done(sw, &pair, fx_accept, pair.b, listener);
	end_if_not(sw);
	for (i = 0; i < 4; i++) {
		until_done(sw, &pair, is_open, pair.a, clients[i]);
		fx_close_socket(pair.a, clients[i]);
		fx_close_socket(pair.b, servers[i]);
	}
	still_works(sw, &pair, listener);
	fx_pair_close(&pair);
}

void sweep_refused(struct sweep *sw)
{
	struct fx_pair pair = open_pair(sw, NULL, NULL);
	int s = fx_socket(pair.a, SOCK_STREAM, 0), result;

	sweep_begin(sw, sw->arg != NULL ? pair.b : pair.a);
	do {
		result = fx_connect(pair.a, s, SERVER, PORT);
		if (result != -EINPROGRESS && result != -ECONNREFUSED) {
			sweep_result(sw, result);
			end_if_not(sw);
		}
	} while (result != -EINPROGRESS && result != -ECONNREFUSED);
	for (int i = 0; i < 200 && (strata_events(pair.a->stack, s) & EPOLLERR) == 0; i++) {
		pass(&pair, 100);
		if (i == 20)
			end_if_not(sw);
	}
	end_if_not(sw);
	assert_int_equal(fx_getsockopt(pair.a, s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	fx_close_socket(pair.a, s);
	still_works(sw, &pair, fx_listen_on(pair.b, PORT));
	fx_pair_close(&pair);
}

void sweep_abandoned_listener(struct sweep *sw)
{
	struct fx_pair pair = open_pair(sw, NULL, NULL);
	int listener = fx_listen_on(pair.b, PORT), clients[4];

	sweep_begin(sw, pair.b);
	for (int i = 0; i < 4; i++) {
		clients[i] = fx_socket(pair.a, SOCK_STREAM, 0);
		assert_int_equal(fx_connect(pair.a, clients[i], SERVER, PORT), -EINPROGRESS);
		pass(&pair, i < 3 ? 10 : 1);
	}
	fx_close_socket(pair.b, listener);
	pass(&pair, 1000);
	end_if_not(sw);
	/* A reset that could not be sent follows upon the client's next segment. */
	for (int i = 0; i < 4; i++) {
		if (fx_send(pair.a, clients[i], "x", 1) < 0)
			continue;
		pass(&pair, 10000);
		assert_true(fx_send(pair.a, clients[i], "x", 1) < 0);
	}
	for (int i = 0; i < 4; i++)
		fx_close_socket(pair.a, clients[i]);
	still_works(sw, &pair, fx_listen_on(pair.b, PORT));
	fx_pair_close(&pair);
}

/* ---- ends ---- */

void sweep_reset_by_linger(struct sweep *sw)
{
	const struct linger now = { .l_onoff = 1, .l_linger = 0 };
	struct fx_pair pair = open_pair(sw, NULL, NULL);
	int listener = fx_listen_on(pair.b, PORT), ends[2];
	static uint8_t data[8000];

	connected(sw, &pair, listener, ends);
	assert_int_equal(strata_setsockopt(pair.a->stack, ends[0], SOL_SOCKET, SO_LINGER, &now,
					   sizeof(now)), 0);
	sweep_begin(sw, sw->arg != NULL ? pair.b : pair.a);
	sweep_result(sw, fx_send(pair.a, ends[0], data, sizeof(data)));
	pass(&pair, 1);
	fx_close_socket(pair.a, ends[0]);
	pass(&pair, 1000);
	end_if_not(sw);
	/* Where the reset was lost for want of memory, the next segment is answered with one. */
	fx_send(pair.b, ends[1], "x", 1);
	pass(&pair, 5000);
	while (fx_recv(pair.b, ends[1], data, sizeof(data)) > 0)
		;
	assert_true(strata_events(pair.b->stack, ends[1]) & EPOLLHUP);
	fx_close_socket(pair.b, ends[1]);
	still_works(sw, &pair, listener);
	fx_pair_close(&pair);
}

void sweep_close_with_unread_data(struct sweep *sw)
{
	struct fx_pair pair = open_pair(sw, NULL, NULL);
	int listener = fx_listen_on(pair.b, PORT), ends[2];

	connected(sw, &pair, listener, ends);
	assert_int_equal(fx_send(pair.a, ends[0], "unread", 6), 6);
	pass(&pair, 100);
	sweep_begin(sw, pair.b);
	fx_close_socket(pair.b, ends[1]);
	pass(&pair, 100);
	end_if_not(sw);
	fx_send(pair.a, ends[0], "x", 1);
	pass(&pair, 5000);
	assert_true(strata_events(pair.a->stack, ends[0]) & EPOLLHUP);
	fx_close_socket(pair.a, ends[0]);
	still_works(sw, &pair, listener);
	fx_pair_close(&pair);
}

void sweep_simultaneous_close(struct sweep *sw)
{
	struct fx_pair pair = open_pair(sw, NULL, NULL);
	int listener = fx_listen_on(pair.b, PORT), ends[2];

	connected(sw, &pair, listener, ends);
	assert_int_equal(fx_send(pair.b, ends[1], "last words", 10), 10);
	assert_int_equal(strata_shutdown(pair.b->stack, ends[1], SHUT_RD), 0);
	pass(&pair, 100);
	assert_int_equal(fx_recv(pair.a, ends[0], (char[16]){ 0 }, 16), 10);
	sweep_begin(sw, pair.a);
	fx_close_socket(pair.a, ends[0]);
	fx_close_socket(pair.b, ends[1]);
	pass(&pair, 1500);
	end_if_not(sw);
	pass(&pair, 10000);
	still_works(sw, &pair, listener);
	fx_pair_close(&pair);
}

/* The same four numbers again while the server is in TIME-WAIT, then more of it than it has room for. */
void sweep_time_wait_again(struct sweep *sw)
{
	struct fx_pair pair = open_pair(sw, NULL, "tcp.time_wait_max=2");
	int listener = fx_listen_on(pair.b, PORT), ends[2];

	sweep_begin(sw, pair.b);
	for (int i = 0; i < 4; i++) {
		ends[0] = fx_socket(pair.a, SOCK_STREAM, 0);
		fx_bind(pair.a, ends[0], PEER_IP, (uint16_t)(i < 2 ? 4000 : 4000 + i));
		assert_int_equal(fx_connect(pair.a, ends[0], SERVER, PORT), -EINPROGRESS);
		until_done(sw, &pair, is_open, pair.a, ends[0]);
		ends[1] = until_done(sw, &pair, fx_accept, pair.b, listener);
		fx_close_socket(pair.b, ends[1]);
		until_done(sw, &pair, has_ended, pair.a, ends[0]);
		fx_close_socket(pair.a, ends[0]);
		pass(&pair, 1000);
		if (sw->forever && sweep_failed(sw))
			end_if_not(sw);
		pass(&pair, 3000);
	}
	end_if_not(sw);
	still_works(sw, &pair, listener);
	fx_pair_close(&pair);
}

/* The peer's frames stop. */
static bool nobody(void *ctx, const struct fx_pkt *pkt)
{
	(void)ctx;
	(void)pkt;
	return false;
}

void sweep_vanished_peer(struct sweep *sw)
{
	struct fx_pair pair = open_pair(sw, NULL, "tcp.data_retries=4 tcp.keepalive_probes=2");
	const struct fx_link gone = { .delay = STRATA_MS, .filter = nobody };
	int listener = fx_listen_on(pair.b, PORT), ends[2], idle[2];

	connected(sw, &pair, listener, ends);
	connected(sw, &pair, listener, idle);
	fx_setsockopt(pair.a, idle[0], SOL_SOCKET, SO_KEEPALIVE, 1);
	fx_setsockopt(pair.a, idle[0], IPPROTO_TCP, TCP_KEEPIDLE, 5);
	fx_setsockopt(pair.a, idle[0], IPPROTO_TCP, TCP_KEEPINTVL, 5);
	fx_join_set(pair.join, 0, &gone);
	sweep_begin(sw, pair.a);
	sweep_result(sw, fx_send(pair.a, ends[0], "anybody?", 8));
	pass(&pair, 3000);
	end_if_not(sw);
	if (fx_send(pair.a, ends[0], "!", 1) < 0)
		fail();
	pass(&pair, 100000);
	assert_int_equal(fx_getsockopt(pair.a, ends[0], SOL_SOCKET, SO_ERROR), ETIMEDOUT);
	assert_int_equal(fx_getsockopt(pair.a, idle[0], SOL_SOCKET, SO_ERROR), ETIMEDOUT);
	fx_close_socket(pair.a, ends[0]);
	fx_close_socket(pair.a, idle[0]);
	fx_close_socket(pair.b, ends[1]);
	fx_close_socket(pair.b, idle[1]);
	fx_join_set(pair.join, 0, &(const struct fx_link){ .delay = STRATA_MS });
	pass(&pair, 100000);
	still_works(sw, &pair, listener);
	fx_pair_close(&pair);
}

/* ---- options ---- */

static void set_each(struct sweep *sw, struct fixture *fx, int s)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ SOL_SOCKET, SO_KEEPALIVE, 1 }, { SOL_SOCKET, SO_RCVBUF, 100000 },
		{ SOL_SOCKET, SO_SNDBUF, 100000 }, { SOL_SOCKET, SO_RCVLOWAT, 10 },
		{ SOL_SOCKET, SO_OOBINLINE, 1 }, { SOL_SOCKET, SO_PRIORITY, 3 },
		{ IPPROTO_TCP, TCP_NODELAY, 1 }, { IPPROTO_TCP, TCP_CORK, 1 },
		{ IPPROTO_TCP, TCP_CORK, 0 }, { IPPROTO_TCP, TCP_KEEPIDLE, 100 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 3 }, { IPPROTO_TCP, TCP_USER_TIMEOUT, 90000 },
		{ IPPROTO_TCP, TCP_QUICKACK, 1 }, { IPPROTO_TCP, TCP_LINGER2, 10 },
		{ IPPROTO_TCP, TCP_NOTSENT_LOWAT, 50000 },
		{ IPPROTO_IP, IP_TTL, 32 }, { IPPROTO_IP, IP_TOS, 0x10 },
	};
	struct tcp_info info;
	socklen_t length = sizeof(info);

	for (size_t i = 0; i < STRATA_COUNT(options); i++) {
		int result = fx_setsockopt(fx, s, options[i].level, options[i].name, options[i].value);

		if (result < 0 && !sweep_failed(sw))
			fx_fail(fx, __FILE__, __LINE__, "option %d of level %d: %s", options[i].name,
				options[i].level, strerror(-result));
		sweep_result(sw, result);
	}
	sweep_result(sw, strata_setsockopt(fx->stack, s, IPPROTO_TCP, TCP_CONGESTION, "newreno", 7));
	sweep_result(sw, strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length));
}

void sweep_options(struct sweep *sw)
{
	struct fx_pair pair = open_pair(sw, NULL, NULL);
	int listener = fx_listen_on(pair.b, PORT), ends[2];

	sweep_begin(sw, pair.a);
	ends[0] = strata_socket(pair.a->stack, AF_INET, SOCK_STREAM, 0);
	if (sweep_result(sw, ends[0]) < 0) {
		end_if_not(sw);
		ends[0] = fx_socket(pair.a, SOCK_STREAM, 0);
	}
	set_each(sw, pair.a, ends[0]);
	until_done(sw, &pair, connect_now, pair.a, ends[0]);
	until_done(sw, &pair, is_open, pair.a, ends[0]);
	ends[1] = until_done(sw, &pair, fx_accept, pair.b, listener);
	set_each(sw, pair.a, ends[0]);
	sweep_result(sw, fx_send(pair.a, ends[0], "some bytes", 10));
	pass(&pair, 100);
	end_if_not(sw);
	fx_close_socket(pair.a, ends[0]);
	fx_close_socket(pair.b, ends[1]);
	pass(&pair, 10000);
	still_works(sw, &pair, listener);
	fx_pair_close(&pair);
}

static unsigned int read_reports(struct sweep *sw, struct fixture *fx, int s)
{
	char control[512], data[256];
	unsigned int n = 0;

	for (;; n++) {
		struct iovec iov = { data, sizeof(data) };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				      .msg_controllen = sizeof(control) };
		ssize_t result = strata_recvmsg(fx->stack, s, &msg, MSG_ERRQUEUE);

		if (result == -EAGAIN)
			return n;
		if (sweep_result(sw, result) < 0)
			return n;
	}
}

/* Software time stamps of what is sent and acknowledged, told on the error queue. */
void sweep_stamps(struct sweep *sw)
{
	const int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_TX_ACK |
			  SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_SOFTWARE |
			  SOF_TIMESTAMPING_OPT_ID;
	struct fx_pair pair = open_pair(sw, NULL, NULL);
	int listener = fx_listen_on(pair.b, PORT), ends[2];
	char buf[64];

	connected(sw, &pair, listener, ends);
	sweep_begin(sw, pair.a);
	sweep_result(sw, fx_setsockopt(pair.a, ends[0], SOL_SOCKET, SO_TIMESTAMPING, flags));
	for (int i = 0; i < 5; i++) {
		sweep_result(sw, fx_send(pair.a, ends[0], "stamped", 7));
		pass(&pair, 50);
		if (i % 2)
			read_reports(sw, pair.a, ends[0]);
	}
	sweep_end(sw);
	pass(&pair, 3000);
	read_reports(sw, pair.a, ends[0]);
	assert_int_equal(fx_setsockopt(pair.a, ends[0], SOL_SOCKET, SO_TIMESTAMPING, flags), 0);
	assert_int_equal(fx_send(pair.a, ends[0], "again", 5), 5);
	pass(&pair, 100);
	assert_true(read_reports(sw, pair.a, ends[0]) >= 2);
	while (fx_recv(pair.b, ends[1], buf, sizeof(buf)) > 0)
		;
	fx_close_socket(pair.a, ends[0]);
	fx_close_socket(pair.b, ends[1]);
	still_works(sw, &pair, listener);
	fx_pair_close(&pair);
}

/* Buffers lent until they are told back on the error queue. */
void sweep_zerocopy(struct sweep *sw)
{
	static uint8_t data[40000], back[40000];
	struct fx_pair pair = open_pair(sw, NULL, NULL);
	int listener = fx_listen_on(pair.b, PORT), ends[2];
	size_t sent = 0, received = 0;

	fx_pattern_fill(data, sizeof(data), 0);
	connected(sw, &pair, listener, ends);
	sweep_begin(sw, pair.a);
	if (sweep_result(sw, fx_setsockopt(pair.a, ends[0], SOL_SOCKET, SO_ZEROCOPY, 1)) < 0) {
		end_if_not(sw);
		assert_int_equal(fx_setsockopt(pair.a, ends[0], SOL_SOCKET, SO_ZEROCOPY, 1), 0);
	}
	for (int i = 0; i < 400 && received < sizeof(data); i++) {
		size_t left = sizeof(data) - sent, part = left < 7000 ? left : 7000;
		ssize_t n = part != 0 ? strata_send(pair.a->stack, ends[0], data + sent, part,
						    MSG_ZEROCOPY) : 0;

		if (n > 0)
			sent += (size_t)n;
		else if (n != -EAGAIN)
			sweep_result(sw, n);
		pass(&pair, 50);
		n = fx_recv(pair.b, ends[1], back + received, sizeof(back) - received);
		if (n > 0)
			received += (size_t)n;
		if (i % 3 == 0)
			read_reports(sw, pair.a, ends[0]);
		if (i == 20)
			end_if_not(sw);
	}
	end_if_not(sw);
	assert_int_equal(received, sizeof(data));
	assert_memory_equal(data, back, sizeof(data));
	read_reports(sw, pair.a, ends[0]);
	assert_int_equal(strata_send(pair.a->stack, ends[0], data, 100, MSG_ZEROCOPY), 100);
	pass(&pair, 1000);
	assert_int_equal(read_reports(sw, pair.a, ends[0]), 1);
	assert_int_equal(fx_recv(pair.b, ends[1], back, sizeof(back)), 100);
	fx_close_socket(pair.a, ends[0]);
	fx_close_socket(pair.b, ends[1]);
	still_works(sw, &pair, listener);
	fx_pair_close(&pair);
}

void sweep_runtime_options(struct sweep *sw)
{
	static const char *const changes[][2] = {
		{ "tcp.sack", "off" }, { "tcp.timestamps", "off" }, { "tcp.rto_min", "300 ms" },
		{ "tcp.congestion", "newreno" }, { "tcp.time_wait", "10 s" }, { "ipv4.ttl", "33" },
	};
	struct fx_pair pair = open_pair(sw, NULL, NULL);
	int listener = fx_listen_on(pair.b, PORT);

	sweep_begin(sw, pair.a);
	for (size_t i = 0; i < STRATA_COUNT(changes); i++) {
		struct strata_error error = { 0 };
		int result = strata_option_set(pair.a->stack, changes[i][0], changes[i][1], &error);

		strata_error_clear(&error);
		sweep_result(sw, result);
	}
	end_if_not(sw);
	for (size_t i = 0; i < STRATA_COUNT(changes); i++)
		assert_int_equal(strata_option_set(pair.a->stack, changes[i][0], changes[i][1], NULL), 0);
	still_works(sw, &pair, listener);
	fx_pair_close(&pair);
}

/* ---- modules ---- */

static int switch_module(struct fixture *fx, const char *name, bool on)
{
	struct strata_error error = { 0 };
	int result = on ? strata_module_enable(fx->stack, name, &error)
			: strata_module_disable(fx->stack, name, &error);

	strata_error_clear(&error);
	return result;
}

void sweep_module_off_and_on(struct sweep *sw)
{
	struct fx_pair pair = open_pair(sw, "ethernet arp ipv4 icmp udp newreno tcp echo", NULL);
	int listener = fx_listen_on(pair.b, PORT), ends[2], result;
	const char *name = sw->arg;

	connected(sw, &pair, listener, ends);
	fx_send(pair.a, ends[0], "under way", 9);
	pass(&pair, 100);
	sweep_begin(sw, pair.b);
	fx_send(pair.a, ends[0], "more", 4);
	result = switch_module(pair.b, name, false);
	sweep_result(sw, result);
	pass(&pair, 50);
	if (result == 0 && sweep_result(sw, switch_module(pair.b, name, true)) == 0)
		result = 1;
	pass(&pair, 50);
	end_if_not(sw);
	/* Off and on it can be put now, wherever it was left. */
	if (result < 0)
		assert_int_equal(switch_module(pair.b, name, false), 0);
	if (result <= 0)
		assert_int_equal(switch_module(pair.b, name, true), 0);
	strata_close(pair.a->stack, ends[0]);
	strata_close(pair.b->stack, ends[1]);
	strata_close(pair.b->stack, listener);
	pass(&pair, 200000);
	still_works(sw, &pair, fx_listen_on(pair.b, PORT));
	fx_pair_close(&pair);
}

/* ---- with itself, and with a service ---- */

void sweep_within_one_stack(struct sweep *sw)
{
	struct fx_pair pair = open_pair(sw, NULL, NULL);
	struct fixture *fx = pair.a;
	int listener = fx_listen_on(fx, PORT + 1), s = -1, t = -1, result;
	static uint8_t data[9000], back[9000];
	size_t sent = 0, received = 0;

	fx_pattern_fill(data, sizeof(data), 0);
	sweep_begin(sw, fx);
	for (int i = 0; i < 400 && received < sizeof(data); i++) {
		ssize_t n = 0;

		if (s < 0) {
			s = (int)sweep_result(sw, strata_socket(fx->stack, AF_INET, SOCK_STREAM, 0));
		} else if (t < 0) {
			result = fx_connect(fx, s, PEER_IP, PORT + 1);
			if (result != -EINPROGRESS && result != -EALREADY && result != -EISCONN)
				sweep_result(sw, result);
			pass(&pair, 10);
			t = fx_accept(fx, listener);
			if (t != -EAGAIN)
				sweep_result(sw, t);
		} else {
			if (sent < sizeof(data))
				n = fx_send(fx, s, data + sent, sizeof(data) - sent);
			if (n > 0)
				sent += (size_t)n;
			else if (n != -EAGAIN)
				sweep_result(sw, n);
			pass(&pair, 50);
			n = fx_recv(fx, t, back + received, sizeof(back) - received);
			if (n > 0)
				received += (size_t)n;
			else if (n != -EAGAIN)
				sweep_result(sw, n);
		}
		pass(&pair, 50);
		if (i == 20)
			end_if_not(sw);
	}
	end_if_not(sw);
	assert_int_equal(received, sizeof(data));
	assert_memory_equal(data, back, sizeof(data));
	fx_close_socket(fx, s);
	fx_close_socket(fx, t);
	still_works(sw, &pair, fx_listen_on(pair.b, PORT));
	fx_pair_close(&pair);
}

void sweep_echo_service(struct sweep *sw)
{
	struct fx_pair pair = open_pair(sw, "ethernet arp ipv4 icmp udp newreno tcp echo", NULL);
	int s = fx_socket(pair.a, SOCK_STREAM, 0), u = fx_socket(pair.a, SOCK_DGRAM, 0);
	static uint8_t data[9000], back[9000];
	size_t sent = 0, received = 0;

	fx_pattern_fill(data, sizeof(data), 0);
	assert_int_equal(fx_connect(pair.a, s, SERVER, 7), -EINPROGRESS);
	sweep_begin(sw, pair.b);
	for (int i = 0; i < 400 && received < sizeof(data); i++) {
		ssize_t n = fx_send(pair.a, s, data + sent, sizeof(data) - sent);

		/* Told in good order that it could not be served: another time, with memory. */
		if (n < 0 && n != -EAGAIN && sweep_failed(sw)) {
			end_if_not(sw);
			fx_close_socket(pair.a, s);
			s = fx_socket(pair.a, SOCK_STREAM, 0);
			assert_int_equal(fx_connect(pair.a, s, SERVER, 7), -EINPROGRESS);
			sent = received = 0;
			continue;
		}
		if (n > 0)
			sent += (size_t)n;
		fx_sendto(pair.a, u, "datagram", 8, SERVER, 7);
		pass(&pair, 50);
		n = fx_recv(pair.a, s, back + received, sizeof(back) - received);
		if (n > 0)
			received += (size_t)n;
		if (i == 20)
			end_if_not(sw);
	}
	end_if_not(sw);
	assert_int_equal(received, sizeof(data));
	assert_memory_equal(data, back, sizeof(data));
	while (fx_recv(pair.a, u, back, sizeof(back)) >= 0)
		;
	assert_int_equal(fx_sendto(pair.a, u, "datagram", 8, SERVER, 7), 8);
	pass(&pair, 50);
	assert_int_equal(fx_recv(pair.a, u, back, sizeof(back)), 8);
	fx_close_socket(pair.a, s);
	fx_close_socket(pair.a, u);
	still_works(sw, &pair, fx_listen_on(pair.b, PORT));
	fx_pair_close(&pair);
}
