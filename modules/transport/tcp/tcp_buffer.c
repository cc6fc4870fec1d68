/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket's buffers: what window the memory of a receive buffer is worth, and how both buffers grow
 * with what the path needs. Read RFC 9293 3.8.6 and, for the measuring, "Dynamic Right-Sizing" (Fisk,
 * Feng 2001) before editing.
 */
#include "tcp_int.h"

#define RATIO_ONE 256
/* As Linux: segments added to what is measured, for a sender that slow-starts. */
#define GROWTH_SEGMENTS 16
/* As Linux: what is expected of the first round trip (RFC 6928). */
#define FIRST_SEGMENTS 10
/* As Linux: segments a send buffer is made for at least. */
#define SEND_SEGMENTS 10
/* Local choice: bytes a microsecond beyond which no path is taken to go, 32 Gbit/s; and a send buffer that is
 * always allowed, about half a processor's second cache. */
#define SEND_RATE 4000
#define SEND_CACHED (1u << 20)

/* ---- the window ---- */

/* Payload that `space` bytes of memory take in packets such as come. */
static uint32_t window_of_space(const struct tcp_sock *tp, uint32_t space)
{
	return (uint32_t)((uint64_t)space * tp->rcv_ratio / RATIO_ONE);
}

static uint64_t space_of_window(const struct tcp_sock *tp, uint64_t window)
{
	return (window * RATIO_ONE + tp->rcv_ratio - 1u) / tp->rcv_ratio;
}

static uint32_t window_clamp(const struct tcp_sock *tp)
{
	return tp->extra != NULL && tp->extra->window_clamp != 0 ? tp->extra->window_clamp :
								   UINT32_MAX;
}

uint32_t tcp_window(const struct tcp_sock *tp)
{
	uint32_t used = tp->rcvq.bytes + tp->ooo_size, clamp = window_clamp(tp);
	uint32_t full = tcp_min32(window_of_space(tp, tp->sock.rcvbuf), clamp);
	uint32_t space = used < tp->sock.rcvbuf ?
			 tcp_min32(window_of_space(tp, tp->sock.rcvbuf - used), clamp) : 0;
	uint32_t step = tcp_min32(tp->rcv_mss, full / 2), now = tcp_rcv_wnd(tp), window;
	uint32_t unit = UINT32_C(1) << tp->rcv_wscale, limit = UINT32_C(65535) << tp->rcv_wscale;

	if (space >= now + step) {
		window = space - space % unit;
	} else {
		/* RFC 9293 3.8.6.2.2: the right edge moves by a segment or half the buffer, or not at all; and
		 * never left (3.8.6, SHLD-14): rounded up where memory is there for it. Else scaling costs
		 * less than a unit (RFC 7323 2.4); up to the edge of before, data is taken all the same. */
		window = now - now % unit;
		if (window != now && space >= window + unit)
			window += unit;
	}
	return tcp_min32(window, limit);
}

bool tcp_window_may_double(const struct tcp_sock *tp)
{
	return window_of_space(tp, tp->sock.rcvbuf) >= 2 * (uint64_t)tcp_rcv_wnd(tp);
}

/* ---- measuring ---- */

void tcp_buffers_begin(struct tcp_sock *tp)
{
	tp->rcv_space = tcp_min32(tcp_rcv_wnd(tp), FIRST_SEGMENTS * (uint32_t)tp->advmss);
	tp->rcv_epoch_seq = tp->rcv_nxt;
	tp->rcv_epoch_ms = tcp_ms(tcp_now(tp));
}

/* As Linux's scaling_ratio: the cost of full-size segments says what window the memory is worth. Smaller
 * ones say nothing of it: they are put together (tcp_reasm.c), or the memory's limit stops them. */
static void measure_cost(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint32_t cost = strata_pkt_truesize(seg->pkt), ratio;

	ratio = (uint32_t)((uint64_t)seg->length * RATIO_ONE / (cost != 0 ? cost : 1));
	ratio = tcp_min32(tcp_max32(ratio, 1), RATIO_ONE - 1);
	/* Packets of several kinds may come in turn: half of a change at a time. */
	tp->rcv_ratio = (uint8_t)((tp->rcv_ratio + ratio + 1) / 2);
}

/* A receiver learns the round-trip time from the echo of its own stamp (RFC 7323 4). */
static void measure_round_trip(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	uint32_t took;

	if (!tp->ts_ok || (seg->h.options & TCP_HAS_TIMESTAMP) == 0 || seg->h.tsecr == 0)
		return;
	took = tcp_tsval(tp) - seg->h.tsecr;
	if (took > INT32_MAX)
		return;
	/* Clock ticks are of a millisecond. */
	took = tcp_min32(took != 0 ? took : 1, UINT32_MAX / 1000) * (uint32_t)(STRATA_MS / STRATA_US);
	tp->rcv_rtt_us = tp->rcv_rtt_us == 0 ? took :
			 (uint32_t)(((uint64_t)tp->rcv_rtt_us * 7 + took) / 8);
}

void tcp_buffers_measure(struct tcp_sock *tp, const struct tcp_segment *seg)
{
	if (seg->length < tp->rcv_mss)
		return;
	measure_cost(tp, seg);
	measure_round_trip(tp, seg);
}

/* ---- growing ---- */

/* Without time stamps the handshake has told. */
static uint64_t round_trip(const struct tcp_sock *tp)
{
	return tp->rcv_rtt_us != 0 ? tp->rcv_rtt_us * STRATA_US : tp->cc.srtt;
}

/* The application took `copied` bytes in a round trip: the peer may send twice as many in the next, and
 * more where it has just sped up. */
static void grow_to(struct tcp_sock *tp, uint32_t copied)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;
	uint64_t window = 2 * (uint64_t)copied + GROWTH_SEGMENTS * (uint64_t)tp->advmss, want;

	if (!config->autotune || (tp->sock.options & STRATA_SO_RCVBUF_LOCKED) != 0)
		return;
	window += 2 * (window * (copied - tp->rcv_space) / (tp->rcv_space != 0 ? tp->rcv_space : 1));
	want = space_of_window(tp, window);
	if (want > config->rcvbuf_max)
		want = config->rcvbuf_max;
	if (want > tp->sock.rcvbuf)
		tp->sock.rcvbuf = (uint32_t)want;
}

void tcp_rcv_grow(struct tcp_sock *tp)
{
	uint32_t now = tcp_ms(tcp_now(tp)), taken = tp->rcv_nxt - tp->rcv_bytes, copied;

	if ((uint64_t)(now - tp->rcv_epoch_ms) * STRATA_MS < round_trip(tp))
		return;
	copied = taken - tp->rcv_epoch_seq;
	/* The peer's FIN, read over, counts as one; numbers before the epoch as none. */
	if (copied <= INT32_MAX && copied > tp->rcv_space) {
		grow_to(tp, copied);
		tp->rcv_space = copied;
	}
	tp->rcv_epoch_seq = taken;
	tp->rcv_epoch_ms = now;
}

/* The largest send buffer that the path's shortest round trip can have a use for. What is written, sent and
 * acknowledged before it leaves the processor's cache is copied twice as fast as what does not. */
static uint64_t snd_useful(const struct tcp_sock *tp)
{
	const uint64_t most = UINT32_MAX;
	uint64_t us = tp->cc.min_rtt / STRATA_US;

	if (us >= most / SEND_RATE)	/* not known is the longest */
		return most;
	return us * SEND_RATE > SEND_CACHED ? us * SEND_RATE : SEND_CACHED;
}

void tcp_snd_grow(struct tcp_sock *tp)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;
	/* As Linux: twice the window, so that the next flight is at hand while this one is under way. */
	uint64_t want = 2 * (uint64_t)tcp_max32(tp->cc.cwnd, SEND_SEGMENTS * tp->cc.mss);

	if (want <= tp->sock.sndbuf || (tp->sock.options & STRATA_SO_SNDBUF_LOCKED) != 0 ||
	    !config->autotune)
		return;
	if (want > config->sndbuf_max)
		want = config->sndbuf_max;
	if (want > tp->sock.sndbuf && want > snd_useful(tp))
		want = snd_useful(tp);
	if (want > tp->sock.sndbuf)
		tp->sock.sndbuf = (uint32_t)want;
}

void tcp_rcvlowat_changed(struct tcp_sock *tp)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;
	bool locked = (tp->sock.options & STRATA_SO_RCVBUF_LOCKED) != 0;
	uint64_t most = locked ? tp->sock.rcvbuf : config->rcvbuf_max, space;

	if (most < tp->sock.rcvbuf)
		most = tp->sock.rcvbuf;
	/* As Linux: more than half of the memory is never payload for certain. */
	tp->sock.rcvlowat = tcp_max32(tcp_min32(tp->sock.rcvlowat, (uint32_t)(most / 2)), 1);
	space = space_of_window(tp, tp->sock.rcvlowat);
	if (!locked && space > tp->sock.rcvbuf)
		tp->sock.rcvbuf = (uint32_t)(space < most ? space : most);
}
