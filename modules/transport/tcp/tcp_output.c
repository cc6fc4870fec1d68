/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What may be sent, and when; and how a segment is made. Read RFC 9293 3.7.4 (Nagle), 3.8.6 (windows,
 * silly ones too), RFC 1122 4.2.3.4 and RFC 5681 4.2 (delayed ACK) before editing.
 */
#include <errno.h>
#include <strata/trace.h>
#include "tcp_int.h"

/* Headers of the network below a super-packet, options included, at most. */
#define NETWORK_HEADER_MAX 60
/* local choice: super-packets a window is cut into, at least. */
#define WINDOW_PARTS 4
/* A retransmission cuts its record at both ends. */
#define RECORDS_PER_SEGMENT 2
/* local choice: payloads up to this are copied behind their header. One run of bytes is summed and written to a device
 * faster than two, and no chunk is shared for it. */
#define COPY_MAX 256
/* As Linux (tcp_pacing_ss_ratio, tcp_pacing_ca_ratio): percent of a window for each round trip. */
#define PACING_SLOW_START 200
#define PACING_AVOIDANCE 120
/* local choice, as Linux: what leaves at once with pacing is a millisecond's worth, or two segments. */
#define QUANTUM_PER_SECOND 1024
#define QUANTUM_SEGMENTS 2

/* ---- the window we offer ---- */

/* The window field of a segment leaving now, which moves the edge. */
static uint16_t window_field(struct tcp_sock *tp, bool syn)
{
	uint32_t window = tcp_window(tp);

	/* RFC 7323 2.2: never scaled in a SYN. */
	if (syn)
		window = tcp_min32(window, 65535);
	tp->rcv_adv = seq_max(tp->rcv_adv, tp->rcv_nxt + window);
	return (uint16_t)(syn ? window : window >> tp->rcv_wscale);
}

/* ---- a segment ---- */

/* What every segment of the connection carries. */
static void header_init(struct tcp_sock *tp, struct tcp_header *h, uint32_t seq, uint8_t flags)
{
	const struct strata_flow_key *key = &tp->sock.flow.key;

	memset(h, 0, offsetof(struct tcp_header, sack));
	h->source = key->local_port;
	h->destination = key->remote_port;
	h->seq = seq;
	h->flags = flags;
	if (flags & TCP_ACK)
		h->ack = tp->rcv_nxt;
	/* RFC 3168 6.1.3: on every ACK until the peer answers. */
	if (tp->ece_due && (flags & (TCP_ACK | TCP_SYN | TCP_RST)) == TCP_ACK)
		h->flags |= TCP_ECE;
	if (tp->ts_ok) {
		h->options |= TCP_HAS_TIMESTAMP;
		h->tsval = tcp_tsval(tp);
		h->tsecr = flags & TCP_ACK ? tp->ts_recent : 0;
	}
}

/* RFC 2018 section 4: as many blocks as there is room for beside the time stamp. */
static unsigned int sack_room(const struct tcp_sock *tp)
{
	return tp->ts_ok ? TCP_SACK_BLOCKS - 1 : TCP_SACK_BLOCKS;
}

static void header_sack(struct tcp_sock *tp, struct tcp_header *h)
{
	h->sack_count = (uint16_t)tcp_reasm_blocks(tp, h->sack, sack_room(tp));
	if (h->sack_count != 0)
		h->options |= TCP_HAS_SACK;
	tp->dsack_start = tp->dsack_end = 0;
}

uint32_t tcp_segment_room_beside_sack(const struct tcp_sock *tp)
{
	struct tcp_block blocks[TCP_SACK_BLOCKS];
	uint32_t room = tp->cc.mss, n;

	n = tcp_reasm_blocks(tp, blocks, sack_room(tp));
	n = n != 0 ? 4 + 8 * n : 0;
	/* With the smallest MSS, 8 bytes are left all the same (CVE-2019-11477 wants them to be few). */
	return room > n + 8 ? room - n : 8;
}

/* An acknowledgement leaves, alone or on data. */
static void ack_sent(struct tcp_sock *tp)
{
	tp->rcv_wup = tp->rcv_nxt;
	tp->ack_pending = tp->ack_now = false;
	tp->batch_blocks = 0;
	if (tp->quick != 0)
		tp->quick--;
	tcp_timer_clear(tp, TCP_TIMER_DELAYED_ACK);
}

/* Hands a finished segment down. `ect`: it is ECN-capable. */
static int segment_output(struct tcp_sock *tp, struct strata_pkt *pkt, const struct tcp_header *h,
			  bool ect)
{
	struct strata_tx tx;

	strata_socket_tx(&tp->sock, &tx);
	tx.number = tp->sock.flow.key.number;
	tx.tos = tcp_ecn_tos(tx.tos, ect);
	if (h->flags & TCP_ACK)
		ack_sent(tp);
	return tcp_pkt_output(&tp->dst, pkt, &tx);
}

/* A segment that carries nothing to be kept account of: none, or `data` bytes behind a SYN, which go again where
 * they are not acknowledged with it. Returns how many did, or -errno. */
static int send_small(struct tcp_sock *tp, struct tcp_header *h, uint32_t data)
{
	struct strata_pkt *pkt;
	int error = tcp_route(tp);

	if (error < 0)
		return error;
	pkt = tcp_pkt_new(tp->sock.stack, h, 0);
	if (pkt == NULL)
		return -ENOBUFS;
	if (data != 0)
		data = tcp_sndq_append(tp, pkt, h->seq + 1, data, false);
	if (strata_tracing(tp->sock.stack))
		tcp_trace_output(tp, pkt, h, data);
	tp->segs_out++;
	tcp_count(tp, TCP_COUNT_OUT_SEGS, 1);
	if (h->flags & TCP_RST)
		tcp_count(tp, TCP_COUNT_OUT_RSTS, 1);
	error = segment_output(tp, pkt, h, false);
	return error < 0 ? error : (int)data;
}

static int send_bare(struct tcp_sock *tp, struct tcp_header *h)
{
	return send_small(tp, h, 0);
}

void tcp_send_ack(struct tcp_sock *tp)
{
	struct tcp_header h;

	header_init(tp, &h, tp->snd_nxt, TCP_ACK);
	if (tcp_sack_due(tp))
		header_sack(tp, &h);
	h.window = window_field(tp, false);
	if (send_bare(tp, &h) < 0 && tp->ack_pending)
		/* Not made: it is tried again, rather than leave the peer without an answer. */
		tcp_timer_set(tp, TCP_TIMER_DELAYED_ACK,
			      tcp_now(tp) + tcp_module_of(tp)->config->delayed_ack);
}

void tcp_send_probe(struct tcp_sock *tp)
{
	struct tcp_header h;

	header_init(tp, &h, tp->snd_una - 1, TCP_ACK);
	h.window = window_field(tp, false);
	send_bare(tp, &h);
}

void tcp_send_reset(struct tcp_sock *tp)
{
	struct tcp_header h;

	header_init(tp, &h, tp->snd_nxt, TCP_RST | TCP_ACK);
	send_bare(tp, &h);
}

void tcp_send_syn(struct tcp_sock *tp)
{
	const struct tcp_config *config = tcp_module_of(tp)->config;
	bool answer = tp->state == TCP_SYN_RECEIVED;
	struct tcp_header h;
	int data;

	header_init(tp, &h, tp->iss, answer ? TCP_SYN | TCP_ACK : TCP_SYN);
	h.flags |= tcp_ecn_syn_flags(tp);
	h.options = TCP_HAS_MSS;
	h.mss = tp->advmss;
	/* RFC 7323 1.3, RFC 2018 2: in an answer only what the SYN offered. */
	if (answer ? tp->ts_ok : config->timestamps) {
		h.options |= TCP_HAS_TIMESTAMP;
		h.tsval = tcp_tsval(tp);
		h.tsecr = answer ? tp->ts_recent : 0;
	}
	if (answer ? tp->sack_ok : config->sack)
		h.options |= TCP_HAS_SACK_PERMITTED;
	if (answer ? tp->wscale_ok : config->window_scaling) {
		h.options |= TCP_HAS_WSCALE;
		h.wscale = tp->rcv_wscale;
	}
	tcp_fastopen_option(tp, &h);
	h.window = window_field(tp, true);
	if (tp->retransmits != 0) {
		tp->total_retrans++;
		tcp_count(tp, TCP_COUNT_RETRANS_SEGS, 1);
		tp->syn_sent = 0;
	} else if (tp->syn_sent == 0) {
		tp->syn_sent = tcp_now(tp);
	}
	tp->last_sent_ms = tcp_ms(tcp_now(tp));
	/* Data behind it stays sent, whether this is the SYN again or the answer again. */
	tp->snd_nxt = seq_max(tp->snd_nxt, tp->iss + 1);
	data = send_small(tp, &h, tcp_fastopen_data(tp));
	if (data > 0)
		tp->snd_nxt = tp->iss + 1 + (uint32_t)data;
}

/* ---- pacing ---- */

/* The algorithm's rate, or for who asks for pacing as Linux works it out. */
uint64_t tcp_pacing_rate_now(const struct tcp_sock *tp)
{
	uint64_t rate = tp->cc.pacing_rate, most = tp->sock.max_pacing_rate;
	unsigned int percent = PACING_AVOIDANCE;

	/* pace_next still holds when the SYN-ACK left. */
	if (tcp_fastopen_early(tp))
		return 0;
	if (rate == 0 && (most != 0 || tcp_module_of(tp)->config->pacing) && tp->cc.srtt != 0) {
		if (tp->cc.cwnd < tp->cc.ssthresh / 2)
			percent = PACING_SLOW_START;
		rate = (uint64_t)tp->cc.cwnd * percent / 100 * STRATA_SEC / tp->cc.srtt;
		rate = rate != 0 ? rate : 1;
	}
	return most != 0 && rate > most ? most : rate;
}

/* Most bytes that leave at once. */
static uint32_t pacing_quantum(const struct tcp_sock *tp)
{
	uint64_t rate = tcp_pacing_rate(tp);

	if (rate == 0)
		return UINT32_MAX;
	if (tp->cc.send_quantum != 0)
		return tp->cc.send_quantum;
	rate /= QUANTUM_PER_SECOND;
	return tcp_max32(rate < STRATA_PKT_MAX ? (uint32_t)rate : STRATA_PKT_MAX,
			 QUANTUM_SEGMENTS * tp->cc.mss);
}

/* `bytes` left: what follows waits until the rate allows it. A timer that came late is made up for, by a
 * quantum at most. */
static void pace(struct tcp_sock *tp, uint32_t bytes)
{
	uint64_t rate = tcp_pacing_rate(tp), now = tcp_now(tp), credit;

	if (strata_likely(rate == 0))
		return;
	credit = pacing_quantum(tp) * STRATA_SEC / rate;
	credit = credit < now ? now - credit : 0;
	if (tp->pace_next < credit)
		tp->pace_next = credit;
	tp->pace_next += bytes * STRATA_SEC / rate;
}

bool tcp_pacing_holds(struct tcp_sock *tp)
{
	if (strata_likely(tcp_pacing_rate(tp) == 0) || tp->pace_next <= tcp_now(tp))
		return false;
	tcp_timer_set(tp, TCP_TIMER_PACE, tp->pace_next);
	return true;
}

/* Accounts for `payload` bytes from `seq` on, and a FIN, having been sent, once or again. */
static void sent(struct tcp_sock *tp, uint32_t seq, uint32_t payload, bool fin, uint32_t room)
{
	uint32_t segments = payload > room ? (payload + room - 1) / room : 1;
	uint32_t length = payload + fin, now = tcp_ms(tcp_now(tp));

	tp->segs_out += segments;
	tp->data_segs_out += segments;
	tp->flight->prr_out += length;
	pace(tp, payload);
	if (seq_lt(seq, tp->snd_nxt)) {
		tp->total_retrans += segments;
		tp->bytes_retrans += payload;
		tcp_count(tp, TCP_COUNT_RETRANS_SEGS, segments);
		tcp_sent_again(tp, seq, seq + length);
		return;
	}
	tcp_count(tp, TCP_COUNT_OUT_SEGS, segments);
	/* Minshall's Nagle: where the last segment below the MSS ended. */
	if (payload < room || payload % room != 0)
		tp->snd_sml = seq + payload;
	tcp_sent_new(tp, seq, seq + length);
	tp->snd_nxt = seq + length;
	/* Interactive traffic: data goes out soon after data came in, and takes the ACKs along. */
	if (now - tp->last_received_ms < tcp_module_of(tp)->config->delayed_ack / STRATA_MS)
		tp->pingpong = true;
	tp->last_sent_ms = now;
}

/* Segments of `room` bytes that the largest super-packet takes. */
static uint32_t super_segments(uint32_t room)
{
	return (STRATA_PKT_MAX - NETWORK_HEADER_MAX - TCP_HEADER_MAX) / room;
}

/* How many of `length` bytes go into one packet. */
static uint32_t super_length(const struct tcp_sock *tp, uint32_t length, uint32_t room)
{
	uint32_t most = super_segments(room);

	/* A receiver may answer a super-packet with one ACK: a window is several of them, or its loss would
	 * stop the clock. */
	most = tcp_min32(most, tcp_max32(tp->cc.cwnd / WINDOW_PARTS / room, 2));
	most = tcp_min32(most, tcp_max32(pacing_quantum(tp) / room, 1));
	return tcp_min32(length, tcp_max32(most, 1) * room);
}

/* A packet with the header and up to `length` bytes from `seq` on, as far as they go into one. NULL when
 * memory is short. */
static struct strata_pkt *segment_new(struct tcp_sock *tp, const struct tcp_header *h, uint32_t length,
				      uint32_t room, bool again)
{
	struct strata_pkt *pkt;
	uint32_t got;

	if (length <= tcp_min32(room, COPY_MAX)) {
		pkt = tcp_pkt_new(tp->sock.stack, h, length);
		if (pkt != NULL)
			tcp_sndq_copy(tp, pkt, h->seq, length, again);
		return pkt;
	}
	pkt = tcp_pkt_new(tp->sock.stack, h, 0);
	if (pkt == NULL)
		return NULL;
	length = super_length(tp, length, room);
	got = tcp_sndq_append(tp, pkt, h->seq, length, again);
	/* Out of fragments: whole segments only, as far as they reach. */
	if (got < length && got > room)
		strata_pkt_trim(pkt, strata_pkt_length(pkt) - got % room);
	return pkt;
}

bool tcp_held_up(struct tcp_sock *tp)
{
	return tcp_route(tp) == 0 && tp->dst.kind != STRATA_DST_LOCAL &&
	       strata_iface_wait(tp->dst.iface, &tp->work);
}

int tcp_xmit(struct tcp_sock *tp, uint32_t seq, uint32_t length, uint8_t flags)
{
	uint32_t payload = seq_span(seq, seq_min(seq + length, tp->snd_end)), room;
	bool again = seq_lt(seq, tp->snd_nxt), fin, ect;
	struct strata_pkt *pkt;
	struct tcp_header h;
	int error = tcp_route(tp);

	if (error < 0)
		return error;
	/* The device's queue is no place for what may have to wait long. */
	if (tp->dst.kind != STRATA_DST_LOCAL && strata_iface_wait(tp->dst.iface, &tp->work))
		return -EAGAIN;
	if (!tcp_flight_reserve(tp, RECORDS_PER_SEGMENT))
		return -ENOBUFS;
	/* Only now: the route may have brought another MSS. */
	room = tcp_segment_room(tp);
	header_init(tp, &h, seq, flags);
	if (tcp_sack_due(tp))
		header_sack(tp, &h);
	h.window = window_field(tp, false);
	pkt = segment_new(tp, &h, payload, room, again);
	if (pkt == NULL)
		return -ENOBUFS;
	payload = strata_pkt_length(pkt) - tcp_header_length(pkt);
	fin = tp->fin_queued && seq + payload == tp->snd_end && seq_gt(seq + length, tp->snd_end);
	if (payload == 0 && !fin) {
		strata_pkt_free(pkt);
		return -ENOBUFS;
	}
	if (fin)
		h.flags |= TCP_FIN;
	if (payload != 0 && seq + payload == tp->snd_end)
		h.flags |= TCP_PSH;
	/* RFC 3168 6.1.2, 6.1.5, 6.1.6: new data alone is marked, and tells that the window was reduced; not
	 * retransmissions, ACKs or window probes. */
	ect = tp->ecn_ok && payload != 0 && !again;
	if (ect && tp->cwr_due) {
		h.flags |= TCP_CWR;
		tp->cwr_due = false;
	}
	tcp_emit_flags(pkt->data, h.flags);
	if (payload > room) {
		pkt->seg_type = STRATA_SEG_STREAM;
		pkt->seg_size = (uint16_t)room;
	}
	if (strata_tracing(tp->sock.stack))
		tcp_trace_output(tp, pkt, &h, payload);
	if (tp->extra != NULL && !again)
		tcp_mark_output(tp, pkt, seq, payload);
	/* Refused below: lost like any other, repaired by the timer. */
	segment_output(tp, pkt, &h, ect);
	/* What a driver does about its device's failure may have ended the connection. */
	if (strata_unlikely(tp->state == TCP_CLOSED))
		return -ECONNABORTED;
	sent(tp, seq, payload, fin, room);
	return (int)(payload + fin);
}

/* ---- what may be sent ---- */

/* May a last segment below the MSS leave (RFC 9293 3.7.4, in Minshall's version, which Linux uses)? */
static bool nagle_allows(const struct tcp_sock *tp)
{
	if (tp->fin_queued || tp->uncork)
		return true;
	if (tp->cork || tp->more)
		return false;
	/* Beyond snd_nxt it is older than 2 GiB: the numbers have wrapped since. */
	return tp->nodelay || seq_leq(tp->snd_sml, tp->snd_una) || seq_gt(tp->snd_sml, tp->snd_nxt);
}

/* How much new data goes into the next segment; 0: none now. */
static uint32_t new_length(struct tcp_sock *tp, uint32_t room)
{
	uint32_t unsent = seq_span(tp->snd_nxt, tp->snd_end), pipe = tcp_pipe(tp), length, rest;
	uint32_t window = seq_span(tp->snd_nxt, tp->snd_una + tp->snd_wnd);
	uint32_t space;

	/* RFC 3042 switched off: what duplicates report makes no room. */
	if (tp->phase == TCP_PHASE_DISORDER && !tcp_module_of(tp)->config->limited_transmit)
		pipe = tp->snd_nxt - tp->snd_una;
	space = tp->cc.cwnd > pipe ? tp->cc.cwnd - pipe : 0;
	/* The path MTU may have grown a segment beyond the window: one segment is always allowed. */
	if (pipe == 0)
		space = tcp_max32(space, room);
	tp->window_limited = window < unsent;
	length = tcp_min32(unsent, tcp_min32(window, space));
	if (space < unsent && space <= window)
		tp->cwnd_limited = true;
	if (tp->filling)
		return length - length % (super_segments(room) * room);
	rest = length < room ? length : length % room;
	if (rest == 0)
		return length;
	if (length > room)
		/* A super-packet of whole segments; with the last one where all is sent and it may go. */
		return length == unsent && nagle_allows(tp) ? length : length - rest;
	if (length == unsent)
		return nagle_allows(tp) ? length : 0;
	/* RFC 9293 3.8.6.2.1 (3): a segment below MSS for half of the largest window ever seen. */
	return length == window && length >= tp->max_snd_wnd / 2 ? length : 0;
}

/* After an idle time of more than an RTO the window says nothing of the path any more (RFC 5681 4.1;
 * halved for each RTO, as Linux). Once, when something leaves: what Nagle's rules or CORK hold is idle still. */
static void restart_window(struct tcp_sock *tp)
{
	const struct strata_congestion_ops *ops;
	uint64_t idle;
	uint32_t restart;

	if (tp->snd_una != tp->snd_nxt || tp->data_segs_out == 0)
		return;
	idle = (uint64_t)(tcp_ms(tcp_now(tp)) - tp->last_sent_ms) * STRATA_MS;
	if (strata_likely(idle <= tp->rto) || new_length(tp, tcp_segment_room(tp)) == 0)
		return;
	ops = tcp_cc(tp);
	if (ops != NULL && ops->restart != NULL) {
		ops->restart(&tp->cc, idle);
		return;
	}
	/* As Linux: what the path took before is remembered, so that slow start finds back. */
	tp->cc.ssthresh = tcp_max32(tp->cc.ssthresh, tp->cc.cwnd - tp->cc.cwnd / 4);
	restart = (uint32_t)tcp_module_of(tp)->config->initial_window * tp->cc.mss;
	for (; idle > tp->rto && tp->cc.cwnd > restart; idle -= tp->rto)
		tp->cc.cwnd = tcp_max32(tp->cc.cwnd / 2, restart);
}

/* Does the FIN go with, or after, what was sent? RFC 9293 3.10.4: once all data has been. */
static bool fin_due(const struct tcp_sock *tp)
{
	return tp->fin_queued && tp->snd_nxt == tp->snd_end &&
	       seq_gt(tp->snd_una + tp->snd_wnd, tp->snd_end);
}

static void flight_begins(struct tcp_sock *tp)
{
	const struct strata_congestion_ops *ops = tcp_cc(tp);

	if (ops != NULL && ops->flight_begins != NULL)
		ops->flight_begins(&tp->cc, tcp_now(tp), tp->app_limited);
}

/* Returns 0, or -errno when a segment could not be made. */
static int send_new(struct tcp_sock *tp)
{
	uint32_t room = tcp_segment_room(tp), length;
	int taken = 0;

	while (seq_lt(tp->snd_nxt, tp->snd_end)) {
		if (tcp_mtu_probe_output(tp))
			continue;
		length = new_length(tp, room);
		if (length == 0 || tcp_pacing_holds(tp))
			return 0;
		if (tp->snd_una == tp->snd_nxt)
			flight_begins(tp);
		/* The FIN rides on the last byte where the window takes it. */
		if (tp->fin_queued && tp->snd_nxt + length == tp->snd_end &&
		    seq_gt(tp->snd_una + tp->snd_wnd, tp->snd_end))
			length++;
		taken = tcp_xmit(tp, tp->snd_nxt, length, TCP_ACK);
		if (taken < 0)
			return taken;
		room = tcp_segment_room(tp);
	}
	if (fin_due(tp))
		taken = tcp_xmit(tp, tp->snd_nxt, 1, TCP_ACK);
	return taken < 0 ? taken : 0;
}

/* Something is queued that was never sent. */
static bool unsent(const struct tcp_sock *tp)
{
	return seq_lt(tp->snd_nxt, tp->snd_end) || (tp->fin_queued && !tcp_fin_sent(tp));
}

void tcp_check_persist(struct tcp_sock *tp)
{
	if (!unsent(tp) || tp->snd_una != tp->snd_nxt || tcp_timer_is_set(tp, TCP_TIMER_PERSIST))
		return;
	if (!tp->window_limited && seq_gt(tp->snd_una + tp->snd_wnd, tp->snd_nxt))
		return;	/* held back by Nagle's rules or CORK, not by the peer */
	tcp_timer_set(tp, TCP_TIMER_PERSIST, tcp_now(tp) + tcp_rto(tp));
}

/* CORK and MSG_MORE hold a partial segment for no longer than `cork_time`. */
static void check_cork(struct tcp_sock *tp)
{
	if ((tp->cork || tp->more) && seq_lt(tp->snd_nxt, tp->snd_end)) {
		if (!tcp_timer_is_set(tp, TCP_TIMER_CORK))
			tcp_timer_set(tp, TCP_TIMER_CORK,
				      tcp_now(tp) + tcp_module_of(tp)->config->cork_time);
		return;
	}
	tcp_timer_clear(tp, TCP_TIMER_CORK);
}

/* F-RTO found nothing new that may leave: conventional recovery (RFC 5682 2.1 (2b)). */
static void end_frto(struct tcp_sock *tp)
{
	if (tp->flight == NULL || tp->flight->frto != TCP_FRTO_NEW || tp->snd_nxt != tp->recover)
		return;
	tp->flight->frto = TCP_FRTO_OFF;
	tcp_recovery_output(tp);
}

/* Something new left. */
static void new_sent(struct tcp_sock *tp)
{
	tcp_timer_clear(tp, TCP_TIMER_PERSIST);
	tcp_probe_arm(tp);
	/* What waited behind TCP_NOTSENT_LOWAT has become less. */
	if (tcp_notsent_lowat(tp) != 0)
		tcp_wake_writer(tp);
}

/* All has been sent, and nothing of it is being repaired: the work runs for an acknowledgement, or a reader. */
static bool all_sent(const struct tcp_sock *tp)
{
	return tp->phase < TCP_PHASE_RECOVERY && !unsent(tp) &&
	       (tp->flight == NULL || tp->flight->waiting == 0);
}

/* RFC 6298 (5.1) */
static void ensure_retransmission(struct tcp_sock *tp)
{
	if (tp->snd_una != tp->snd_nxt && !tcp_timer_is_set(tp, TCP_TIMER_RETRANSMIT))
		tcp_timer_retransmit(tp);
}

/* Nothing holds anything back. */
static void nothing_held(struct tcp_sock *tp)
{
	tp->cwnd_limited = tp->window_limited = tp->uncork = false;
	tcp_timer_clear(tp, TCP_TIMER_CORK);
}

void tcp_schedule_output(struct tcp_sock *tp)
{
	if (tp->ack_pending || tp->snd_una != tp->snd_nxt || !all_sent(tp)) {
		tcp_schedule(tp);
		return;
	}
	nothing_held(tp);
	tcp_flight_release(tp);
}

void tcp_output(struct tcp_sock *tp)
{
	uint32_t before = tp->snd_nxt;
	int error;

	if (!tcp_in(tp, TCP_SENDS) && !tcp_fastopen_early(tp))
		return;
	if (all_sent(tp)) {
		nothing_held(tp);
		ensure_retransmission(tp);
		return;
	}
	error = tcp_route(tp);
	if (error == 0) {
		tcp_recovery_output(tp);
		if (tcp_recovery_allows_new(tp)) {
			tp->cwnd_limited = tp->window_limited = false;
			restart_window(tp);
			error = send_new(tp);
			end_frto(tp);
		}
	}
	if (strata_unlikely(tp->state == TCP_CLOSED))
		return;
	tp->uncork = false;
	check_cork(tp);
	if (tp->snd_una == tp->snd_nxt) {
		/* No route or no memory, and no ACK to come: the persist timer tries again. */
		if (error < 0 && unsent(tp) && !tcp_timer_is_set(tp, TCP_TIMER_PERSIST))
			tcp_timer_set(tp, TCP_TIMER_PERSIST, tcp_now(tp) + tcp_rto(tp));
		tcp_check_persist(tp);
	}
	ensure_retransmission(tp);
	if (tp->snd_nxt != before)
		new_sent(tp);
}

/* ---- acknowledgements ---- */

/* RFC 5681 4.2, and cases besides: a second segment's worth, a segment above the MSS, the first
 * ones of a connection. */
static bool ack_due(const struct tcp_sock *tp)
{
	if (tp->ack_now || tp->rcv_nxt - tp->rcv_wup > tp->rcv_mss)
		return true;
	return tp->quick != 0 && !tp->pingpong;
}

void tcp_ack_flush(struct tcp_sock *tp)
{
	if (!tp->ack_pending)
		return;
	if (ack_due(tp))
		tcp_send_ack(tp);
	else if (!tcp_timer_is_set(tp, TCP_TIMER_DELAYED_ACK))
		tcp_timer_set(tp, TCP_TIMER_DELAYED_ACK,
			      tcp_now(tp) + tcp_module_of(tp)->config->delayed_ack);
}
