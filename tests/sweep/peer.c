/* SPDX-License-Identifier: BSD-2-Clause */
/* One stack short of memory, and a peer that sends it what a scenario wants. */
#include "connections.h"

#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

enum { BLOCK = 100, BLOCKS = 30, MUCH = 30000 };

/* A connection that a peer with all options has opened. */
static struct fixture *open_connection(const struct sweep *sw, const char *options, int *listener,
				       int *s)
{
	struct fixture *fx = sweep_open(sw, .options = options);

	*listener = listen_on(80);
	*s = accept_one(*listener, .mss = 1460, .sack_ok = true, .ts = true, .wscale = 7);
	return fx;
}

/* Takes what the stack has sent: how far its bytes go without a hole. */
static void absorb(struct fixture *fx)
{
	const struct fx_pkt *pkt;

	while ((pkt = fx_next(fx)) != NULL) {
		struct fx_conn *conn = &fx->conn;
		uint32_t seq;

		if (pkt->ethertype != FX_ETH_IP || pkt->ip.proto != FX_IP_TCP ||
		    pkt->tcp.dport != conn->peer_port)
			continue;
		seq = pkt->tcp.seq - conn->stack_isn;
		if (seq <= conn->stack_nxt && seq + pkt->payload_len > conn->stack_nxt)
			conn->stack_nxt = seq + (uint32_t)pkt->payload_len;
	}
}

/* The stack's `total` bytes leave, however long that takes. */
static void drain(struct fixture *fx, int s, uint32_t total)
{
	int left = 1;

	for (int i = 0; i < 300 && left != 0; i++) {
		absorb(fx);
		rx(ACK);
		fx_advance(fx, 100);
		assert_int_equal(strata_ioctl(fx->stack, s, SIOCOUTQ, &left), 0);
	}
	assert_int_equal(left, 0);
	assert_int_equal(fx->conn.stack_nxt, total + 1);
}

/* The peer's `total` bytes of the pattern arrive once it has sent them all again. */
static void deliver(struct fixture *fx, int s, uint32_t total)
{
	static uint8_t back[MUCH], wanted[MUCH];
	uint32_t seq, received = 0;
	ssize_t n;

	fx_pattern_fill(wanted, total, 0);
	for (seq = 1; seq <= total; seq += 1000) {
		rx(ACK, .seq = seq, .len = total + 1 - seq < 1000 ? total + 1 - seq : 1000);
		while ((n = fx_recv(fx, s, back + received, sizeof(back) - received)) > 0)
			received += (uint32_t)n;
	}
	assert_int_equal(received, total);
	assert_memory_equal(back, wanted, total);
	fx->conn.peer_nxt = total + 1;
	fx_discard(fx);
}

static void end_well(struct fixture *fx, int listener, int s)
{
	absorb(fx);
	fx_close_socket(fx, s);
	fx_discard(fx);
	fx_advance(fx, 300000);
	fx_discard(fx);
	sweep_usable(fx);
	fx->conn.peer_port++;
	s = accept_one(listener, .mss = 1460);
	assert_int_equal(fx_send(fx, s, "hello", 5), 5);
	expect_tx(ACK | PSH, .text = "hello");
	fx_close(fx);
}

/* ---- receiving ---- */

void sweep_out_of_order(struct sweep *sw)
{
	int listener, s;
	struct fixture *fx = open_connection(sw, NULL, &listener, &s);

	sweep_begin(sw, fx);
	for (uint32_t i = 1; i < BLOCKS; i += 2)
		rx(ACK, .seq = 1 + (i * 7 % BLOCKS | 1) * BLOCK, .len = BLOCK);
	for (uint32_t i = 2; i < BLOCKS; i += 4)
		rx(ACK, .seq = 1 + i * BLOCK, .len = BLOCK);
	fx_advance(fx, 300);
	sweep_end(sw);
	deliver(fx, s, BLOCKS * BLOCK);
	end_well(fx, listener, s);
}

void sweep_overlaps(struct sweep *sw)
{
	static const uint16_t pieces[][2] = {
		{ 1001, 1400 }, { 51, 200 }, { 151, 250 }, { 301, 10 }, { 2001, 1400 }, { 101, 1300 },
		{ 3500, 50 }, { 3201, 1000 }, { 41, 3000 }, { 2501, 1400 }, { 1, 20 },
	};
	int listener, s;
	struct fixture *fx = open_connection(sw, NULL, &listener, &s);

	sweep_begin(sw, fx);
	for (size_t i = 0; i < STRATA_COUNT(pieces); i++) {
		rx(ACK, .seq = pieces[i][0], .len = pieces[i][1]);
		/* In fragments: what is queued is a slice. */
		rx(ACK, .seq = pieces[i][0], .len = pieces[i][1], .ip.fragment = 400);
	}
	fx_advance(fx, 300);
	sweep_end(sw);
	deliver(fx, s, 5000);
	end_well(fx, listener, s);
}

void sweep_urgent(struct sweep *sw)
{
	int listener, s;
	struct fixture *fx = open_connection(sw, NULL, &listener, &s);

	sweep_begin(sw, fx);
	for (uint16_t i = 0; i < 5; i++)
		rx(ACK | URG, .seq = 1 + i * 200, .len = 200, .urg = (uint16_t)(i * 70));
	rx(ACK | URG, .seq = 1501, .len = 100, .urg = 65535);
	fx_advance(fx, 300);
	sweep_end(sw);
	deliver(fx, s, 2000);
	end_well(fx, listener, s);
}

/* ---- sending ---- */

static void send_much(struct sweep *sw, struct fixture *fx, int s, uint32_t total)
{
	static uint8_t data[MUCH];
	uint32_t sent = 0;

	fx_pattern_fill(data, sizeof(data), 0);
	while (sent < total) {
		ssize_t n = fx_send(fx, s, data + sent, total - sent);

		if (sweep_result(sw, n) < 0) {
			sweep_end(sw);
			n = fx_send(fx, s, data + sent, total - sent);
			assert_true(n > 0);
		}
		sent += (uint32_t)n;
	}
}

void sweep_scoreboard(struct sweep *sw)
{
	const char *options = "tcp.initial_window=20";
	int listener, s;
	struct fixture *fx = open_connection(sw, options, &listener, &s);

	sweep_begin(sw, fx);
	send_much(sw, fx, s, 20 * 1448);
	fx_discard(fx);
	for (uint32_t i = 1; i < 20; i += 2) {
		uint32_t left = 1 + i * 1448, before = i >= 3 ? left - 2 * 1448 : left;

		rx(ACK, .ack = 1, .sack = { { left, left + 1448 }, { before, before + 1448 } });
	}
	fx_advance(fx, 1000);
	if (!sw->ended)
		sweep_end(sw);
	drain(fx, s, 20 * 1448);
	end_well(fx, listener, s);
}

void sweep_zero_window(struct sweep *sw)
{
	int listener, s;
	struct fixture *fx = open_connection(sw, NULL, &listener, &s);

	sweep_begin(sw, fx);
	rx(ACK, .win = 0);
	send_much(sw, fx, s, 5000);
	for (int i = 0; i < 5; i++) {
		fx_advance(fx, 700);
		fx_discard(fx);
		rx(ACK, .ack = 1, .win = 0);
	}
	if (!sw->ended)
		sweep_end(sw);
	drain(fx, s, 5000);
	end_well(fx, listener, s);
}

void sweep_path_mtu(struct sweep *sw)
{
	int listener, s;
	struct fixture *fx = open_connection(sw, NULL, &listener, &s);
	const struct fx_pkt *pkt;

	sweep_begin(sw, fx);
	send_much(sw, fx, s, 8000);
	for (uint32_t mtu = 1400; mtu > 600; mtu -= 200) {
		while ((pkt = fx_next(fx)) != NULL && pkt->length < mtu)
			;
		if (pkt != NULL) {
			struct fx_pkt big = *pkt;

			rx_icmp_error(3, 4, mtu, &big, 28);
		}
		fx_advance(fx, 300);
	}
	if (!sw->ended)
		sweep_end(sw);
	drain(fx, s, 8000);
	end_well(fx, listener, s);
}

/* ---- what else comes ---- */

void sweep_strange_segments(struct sweep *sw)
{
	int listener, s;
	struct fixture *fx = open_connection(sw, NULL, &listener, &s);
	struct fx_conn stray = { .peer_port = 999, .stack_port = 81, .peer_isn = 5 };

	sweep_begin(sw, fx);
	rx(SYN, .seq = 0, .ack = 0, .conn = &stray);
	rx(ACK, .seq = 7, .ack = 100, .conn = &stray, .len = 10);
	rx(SYN | FIN, .seq = 0, .conn = &stray);
	for (int i = 0; i < 3; i++) {
		rx(RST, .seq = 100);
		rx(SYN, .seq = 50, .ack = 0);
		rx(ACK, .ack = 100000);
		rx(ACK, .seq = -5000, .len = 10);
		rx(ACK, .seq = 900000, .len = 10);
		rx(ACK, .tsval = 1, .len = 10);
		rx(ACK, .bad_checksum = true, .len = 10);
		fx_advance(fx, 600);
	}
	sweep_end(sw);
	deliver(fx, s, 1000);
	end_well(fx, listener, s);
}

void sweep_syn_flood(struct sweep *sw)
{
	struct fixture *fx = sweep_open(sw, .options = "tcp.half_open_max=8 tcp.synack_retries=1");
	int listener = listen_on(80), s;

	sweep_begin(sw, fx);
	for (uint16_t i = 0; i < 20; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(10000 + i), .stack_port = 80,
					.peer_isn = i };

		rx(SYN, .seq = 0, .ack = 0, .mss = 1460, .sack_ok = true, .conn = &conn);
		if (i % 5 == 4)
			rx(RST, .seq = 1, .ack = 0, .conn = &conn);
	}
	fx_advance(fx, 2500);
	sweep_end(sw);
	fx_advance(fx, 60000);
	fx_discard(fx);
	s = accept_one(listener, .mss = 1460);
	deliver(fx, s, 1000);
	end_well(fx, listener, s);
}

void sweep_keepalive(struct sweep *sw)
{
	int listener, s;
	struct fixture *fx = open_connection(sw, "tcp.keepalive_interval=5s", &listener, &s);

	assert_int_equal(fx_setsockopt(fx, s, SOL_SOCKET, SO_KEEPALIVE, 1), 0);
	assert_int_equal(fx_setsockopt(fx, s, IPPROTO_TCP, TCP_KEEPIDLE, 10), 0);
	sweep_begin(sw, fx);
	for (int i = 0; i < 4; i++) {
		fx_advance(fx, 11000);
		absorb(fx);
		rx(ACK);
	}
	sweep_end(sw);
	deliver(fx, s, 1000);
	end_well(fx, listener, s);
}
