/* SPDX-License-Identifier: BSD-2-Clause */
/* The ways into TCP's states (RFC 9293 3.3.2, figure 5). */
#include "states.h"

struct tcp_info tcp_info_of(struct fixture *fx, int s)
{
	struct tcp_info info;
	socklen_t length = sizeof(info);

	memset(&info, 0, sizeof(info));
	assert_int_equal(strata_getsockopt(fx->stack, s, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
	return info;
}

int tcp_state_of(struct fixture *fx, int s)
{
	return tcp_info_of(fx, s).tcpi_state;
}

int tcp_connected(struct fixture *fx)
{
	return accept_one(listen_on(80), .mss = MSS);
}

int tcp_connected_slow(struct fixture *fx)
{
	int s = tcp_connected(fx);

	fx_setsockopt(fx, s, IPPROTO_TCP, TCP_QUICKACK, 0);
	return s;
}

int tcp_distant(struct fixture *fx, uint64_t ms, bool sack, bool ts)
{
	listen_on(80);
	rx(SYN, .mss = MSS, .sack_ok = sack, .ts = ts);
	expect_tx(SYN | ACK);
	fx_advance(fx, ms);
	rx(ACK);
	return fx_accept(fx, 0);
}

void tcp_segments(struct fixture *fx, int64_t seq, unsigned int count)
{
	for (; count > 0; count--, seq += MSS)
		expect_tx(ACK, .seq = seq, .len = MSS);
}

static void our_fin(struct fixture *fx, int s)
{
	assert_int_equal(strata_shutdown(fx->stack, s, SHUT_WR), 0);
	expect_tx(FIN | ACK);
}

static void peers_fin(struct fixture *fx, int64_t ack)
{
	rx(FIN | ACK, .ack = ack);
	expect_tx(ACK, .ack = 2);
}

static int half_open(struct fixture *fx)
{
	listen_on(80);
	rx(SYN, .mss = MSS);
	expect_tx(SYN | ACK);
	return -1;
}

int tcp_reach(struct fixture *fx, int state)
{
	int s;

	if (state == TCP_LISTEN)
		return listen_on(80);
	if (state == TCP_SYN_SENT)
		return connecting(80);
	if (state == TCP_SYN_RECV)
		return half_open(fx);
	s = tcp_connected(fx);
	switch (state) {
	case TCP_FIN_WAIT1:
		our_fin(fx, s);
		break;
	case TCP_FIN_WAIT2:
		our_fin(fx, s);
		rx(ACK, .ack = 2);
		break;
	case TCP_CLOSING:
		our_fin(fx, s);
		peers_fin(fx, 1);
		break;
	case TCP_TIME_WAIT:
		our_fin(fx, s);
		peers_fin(fx, 2);
		assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
		return s;
	case TCP_CLOSE_WAIT:
		peers_fin(fx, 1);
		break;
	case TCP_LAST_ACK:
		peers_fin(fx, 1);
		our_fin(fx, s);
		break;
	default:
		break;
	}
	assert_int_equal(tcp_state_of(fx, s), state);
	return s;
}

const char *tcp_state_text(int state)
{
	static const char *const names[] = {
		[TCP_ESTABLISHED] = "ESTABLISHED", [TCP_SYN_SENT] = "SYN-SENT",
		[TCP_SYN_RECV] = "SYN-RECEIVED", [TCP_FIN_WAIT1] = "FIN-WAIT-1",
		[TCP_FIN_WAIT2] = "FIN-WAIT-2", [TCP_TIME_WAIT] = "TIME-WAIT",
		[TCP_CLOSE] = "CLOSED", [TCP_CLOSE_WAIT] = "CLOSE-WAIT", [TCP_LAST_ACK] = "LAST-ACK",
		[TCP_LISTEN] = "LISTEN", [TCP_CLOSING] = "CLOSING",
	};

	return names[state];
}
