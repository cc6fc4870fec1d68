/* SPDX-License-Identifier: BSD-2-Clause */
/* The rooms of TCP: what each file offers the others. tcp_tcb.h has what they share. */
#ifndef TCP_INT_H
#define TCP_INT_H

#include "tcp_tcb.h"

/* ---- tcp_wire.c ---- */

/* Checks everything about the header of a received segment, the checksum included, and fills `h`;
 * the packet is changed only in that its header becomes linear. Returns false with the reason. */
bool tcp_parse(struct strata_pkt *pkt, struct tcp_header *h, enum tcp_drop *reason);
/* Bytes that the header takes with its options. */
uint32_t tcp_emit_length(const struct tcp_header *h);
/* Writes it, checksum 0; `length` is that. */
void tcp_emit(const struct tcp_header *h, uint8_t *out, uint32_t length);
/* Changes the flags of a header that was written. */
void tcp_emit_flags(uint8_t *header, uint8_t flags);
/* For segmentation (struct strata_transport_ops). */
void tcp_segment_cut(struct strata_instance *self, const struct strata_pkt *whole,
		     struct strata_pkt *segment, uint32_t offset, bool last);
uint32_t tcp_header_length(const struct strata_pkt *pkt);
/** The op `ports`: RFC 9293 3.1 has them first. */
bool tcp_ports(const uint8_t *header, uint32_t length, bool sent, uint16_t *local, uint16_t *remote);
enum strata_join tcp_coalesce(struct strata_instance *self, struct strata_pkt *whole,
			      struct strata_pkt *pkt, uint32_t size);

/* ---- tcp_trace.c: steps of a packet's walk; only while strata_tracing() ---- */

/* A segment came for `flow`; NULL: for no connection. */
void tcp_trace_input(struct strata_instance *self, const struct tcp_segment *seg,
		     const struct strata_flow *flow) __attribute__((cold));
/* Its ACK was taken in; `una`: SND.UNA before. */
void tcp_trace_ack(const struct tcp_sock *tp, const struct tcp_segment *seg, uint32_t una)
	__attribute__((cold));
/* Its text, `length` bytes, was, and the packet with it; `before`: RCV.NXT then. */
void tcp_trace_text(const struct tcp_sock *tp, uint32_t length, uint32_t before)
	__attribute__((cold));
/* A segment leaves; before it is accounted for. */
void tcp_trace_output(const struct tcp_sock *tp, struct strata_pkt *pkt, const struct tcp_header *h,
		      uint32_t length) __attribute__((cold));
void tcp_trace_reply(struct tcp_module *m, struct strata_pkt *pkt, const struct tcp_header *h)
	__attribute__((cold));
/* The connection is about to enter `state`. */
void tcp_trace_state(const struct tcp_sock *tp, enum tcp_state state) __attribute__((cold));
void tcp_trace_timer(const struct tcp_sock *tp, const char *name) __attribute__((cold));

/* ---- tcp_reply.c: segments that belong to no TCB ---- */

/* A packet with this header, room for others in front and for `room` bytes of payload behind it; NULL when memory
 * is short. */
struct strata_pkt *tcp_pkt_new(struct strata_stack *stack, const struct tcp_header *h, uint32_t room);
/* Fills in the pseudo-header's sum and sends it the way of `dst`. Consumes. Returns 0 or -errno. */
int tcp_pkt_output(const struct strata_dst *dst, struct strata_pkt *pkt,
		   const struct strata_tx *tx);
/* Sends a header without payload between the ends of `key`, by the way `dst`, or one looked up for it. Return 0
 * or -errno. */
int tcp_reply_by(struct tcp_module *m, const struct strata_dst *dst, const struct strata_flow_key *key,
		 const struct tcp_header *h, uint8_t ttl, uint8_t tos);
int tcp_reply(struct tcp_module *m, const struct strata_flow_key *key, struct strata_iface *iface,
	      const struct tcp_header *h, uint8_t ttl, uint8_t tos);
/* Answers a segment that fits nothing with a RST (RFC 9293 3.10.7.1); a RST gets none. Borrows. */
void tcp_reply_reset(struct tcp_module *m, const struct tcp_segment *seg);
/* The ends of a received packet, seen from here. */
struct strata_flow_key tcp_key_of(const struct strata_pkt *pkt, const struct tcp_header *h);
/* One limit for challenge ACKs and ACKs of unacceptable segments (RFC 5961 section 7), by
 * connection so that it is no side channel. True when one may be sent, which is then noted. */
bool tcp_challenge_allowed(struct tcp_module *m, uint64_t *next);

/* ---- tcp_conn.c: a TCB's life ---- */

void tcp_set_state(struct tcp_sock *tp, enum tcp_state state);
/* The window and its algorithm begin: when the connection is established, or data comes in the SYN. */
void tcp_begin_transfer(struct tcp_sock *tp);
const char *tcp_state_name(enum tcp_state state);
/* Fresh variables for a new connection; options set by the application stay. */
void tcp_init_tcb(struct tcp_sock *tp);
/* The initial sequence number of RFC 6528, and a time-stamp offset of the same making. */
uint32_t tcp_isn(struct tcp_module *m, const struct strata_flow_key *key);
uint32_t tcp_stamp_offset(struct tcp_module *m, const struct strata_flow_key *key);
/* Makes tp->dst valid and the MSS what it says. Returns 0 or -errno. */
int tcp_route_anew(struct tcp_sock *tp);
static inline int tcp_route(struct tcp_sock *tp)
{
	return strata_likely(strata_dst_valid(tp->sock.stack, &tp->dst)) ? 0 : tcp_route_anew(tp);
}
/* Works the MSS out anew: peer's, ours, the path's, the application's. */
void tcp_update_mss(struct tcp_sock *tp);
/* Largest segment an interface that `dst` leads over lets us receive. */
uint16_t tcp_advertised_mss(const struct strata_dst *dst, uint16_t user);
/* The same of the connection's way. It may have none: routes went, or the application bound it to a device. Then
 * what it was before; the next segment looks for a way. */
uint32_t tcp_path_mss(const struct tcp_sock *tp);
/* Shift count for a buffer's ceiling (RFC 7323 2.3). */
uint8_t tcp_choose_wscale(const struct tcp_module *m, const struct strata_socket *sock);
/* Attaches the congestion algorithm: the application's, the route's, the module's. */
void tcp_congestion_begin(struct tcp_sock *tp);
void tcp_congestion_end(struct tcp_sock *tp);
/* Operations of the algorithm; NULL when it has been stopped. */
static inline const struct strata_congestion_ops *tcp_cc(const struct tcp_sock *tp)
{
	const struct strata_instance *algorithm = tp->cc.algorithm;

	return algorithm != NULL && algorithm->running ? algorithm->module->congestion : NULL;
}
/* In FIN-WAIT-2 the owner goes: the wait for the peer's FIN becomes limited. */
void tcp_fin_wait_2_orphan(struct tcp_sock *tp);
/* Sets what the connection's timer and work call. */
void tcp_work_init(struct tcp_sock *tp);
/* Who will be told, and free it: nobody holds the connection but the module. */
static inline bool tcp_ownerless(const struct tcp_sock *tp)
{
	return tp->orphan || tp->embryo;
}
/* The connection ends now with `error` (0: none) pending; nothing is sent. */
void tcp_finish(struct tcp_sock *tp, int error);
/* The same, telling the peer with a RST where the state asks for it. */
void tcp_abort(struct tcp_sock *tp, int error);
/* Gives everything back. Only where no caller still holds `tp`. */
void tcp_free(struct tcp_sock *tp);
/* Level state for the socket's owner; `edge`: events told again. */
void tcp_events(struct tcp_sock *tp, uint32_t edge);
/* Data came, or was read: of all the above EPOLLIN alone may be another now. */
void tcp_events_in(struct tcp_sock *tp, uint32_t edge);
/* Output and ACK: once per batch. */
static inline void tcp_schedule(struct tcp_sock *tp)
{
	if (tp->work.link == NULL && tp->state != TCP_CLOSED)
		strata_work_add(tp->sock.stack, &tp->work);
}
/* Puts a connection in CLOSED, of which nobody has a descriptor, among the dead. */
void tcp_bury(struct tcp_sock *tp);
/* Frees the dead. */
void tcp_reap(struct strata_stack *stack, struct strata_work *work);

/* ---- tcp_time_wait.c ---- */

/* Leaves a record for 2·MSL in the connection's place; the TCB goes to CLOSED. */
void tcp_time_wait_enter(struct tcp_sock *tp);
void tcp_time_wait_free(struct tcp_time_wait *tw);
/* A segment for a record. True: it is a SYN that may open anew; the record is gone and `*iss` is
 * what the new connection shall start from. Otherwise the segment was dealt with, `*verdict` says how. */
bool tcp_time_wait_input(struct tcp_time_wait *tw, struct tcp_segment *seg, uint32_t *iss,
			 enum strata_verdict *verdict);
void tcp_time_wait_stop(struct tcp_module *m);

/* ---- tcp_listen.c ---- */

int tcp_listen(struct strata_socket *sock, int backlog);
int tcp_accept(struct strata_socket *sock, struct strata_socket **out);
/* Ends listening: half-open ones are forgotten, those nobody accepted are reset. */
void tcp_listen_stop(struct tcp_sock *tp);
/* A segment for a listener (RFC 9293 3.10.7.2); `iss` 0: to be chosen. Consumes. */
enum strata_verdict tcp_listen_input(struct tcp_sock *tp, struct tcp_segment *seg, uint32_t iss);
/* A segment for a half-open connection. Consumes. */
enum strata_verdict tcp_request_input(struct tcp_request *req, struct tcp_segment *seg);
void tcp_request_free(struct tcp_request *req);
/* A connection for its listener's queue is established. */
void tcp_accept_enqueue(struct tcp_sock *tp);

/* Retransmissions of a SYN-ACK that TCP_DEFER_ACCEPT's seconds stand for, and back. */
uint8_t tcp_defer_count(const struct tcp_module *m, int seconds);
int tcp_defer_seconds(const struct tcp_module *m, uint8_t count);

/* ---- tcp_cookie.c: SYN cookies (RFC 4987 3.6) ---- */

/* The initial sequence number that is a cookie for a SYN with number `peer_iss`. */
uint32_t tcp_cookie_make(struct strata_stack *stack, struct tcp_cookies *cookies,
			 const struct strata_flow_key *key, uint32_t peer_iss, uint16_t mss);
/* Were cookies sent that may still come back? Where none was, an ACK need not be looked at. */
bool tcp_cookies_expected(struct strata_stack *stack, const struct tcp_cookies *cookies);
/* Returns the MSS that the cookie tells; 0: it is forged, or too old. */
uint16_t tcp_cookie_check(struct strata_stack *stack, struct tcp_cookies *cookies,
			  const struct strata_flow_key *key, uint32_t peer_iss, uint32_t cookie);
/* The time stamp for a SYN-ACK with a cookie: its low bits tell the options agreed upon. */
uint32_t tcp_cookie_stamp(uint32_t clock, const struct tcp_request *req);
/* Reads them back from the stamp's echo. */
void tcp_cookie_unstamp(struct tcp_request *req, uint32_t echo);

/* ---- tcp_fastopen.c: Fast Open (RFC 7413) ---- */

static inline struct tcp_fastopen *tcp_fastopen_of(const struct tcp_sock *tp)
{
	return tp->extra != NULL ? tp->extra->fastopen : NULL;
}
/* connect() has returned, and the SYN waits for data. */
static inline bool tcp_fastopen_deferred(const struct tcp_sock *tp)
{
	const struct tcp_fastopen *fo = tcp_fastopen_of(tp);

	return fo != NULL && fo->deferred && tp->state == TCP_SYN_SENT;
}
/* In SYN-RECEIVED of a listener that took data in the SYN: as good as established. */
static inline bool tcp_fastopen_early(const struct tcp_sock *tp)
{
	return tp->fast_open && tp->state == TCP_SYN_RECEIVED;
}
/* Takes the keys from the option. Returns 0 or -EINVAL. */
int tcp_fastopen_configure(struct tcp_module *m);
/* The cookie of a client at a server. */
void tcp_fastopen_make(const uint8_t key[TCP_FASTOPEN_KEY_SIZE], const struct strata_addr *client,
		       const struct strata_addr *server, struct tcp_fastopen_cookie *cookie);
/* May the SYN's data be taken, or data be sent before the handshake is over? `*answer` is for the
 * SYN-ACK where it is not empty. */
bool tcp_fastopen_syn(struct tcp_sock *listener, const struct tcp_segment *seg,
		      struct tcp_fastopen_cookie *answer);
/* A new connection in SYN-RECEIVED becomes such a one. False: no memory. */
bool tcp_fastopen_accept(struct tcp_sock *tp, struct tcp_sock *listener,
			 const struct tcp_fastopen_cookie *answer);
/* Its handshake is over; `reset`: by a RST. */
void tcp_fastopen_settled(struct tcp_sock *tp, bool reset);
bool tcp_fastopen_enabled(const struct tcp_module *m);
/* Decides on the option of the SYN about to be sent. May it carry data? */
bool tcp_fastopen_choose(struct tcp_sock *tp);
/* Bytes of data that a SYN takes. */
uint32_t tcp_fastopen_room(const struct tcp_sock *tp);
/* Puts the option on a SYN or SYN-ACK, where there is one to send. */
void tcp_fastopen_option(struct tcp_sock *tp, struct tcp_header *h);
/* Bytes of data to go with the SYN. */
uint32_t tcp_fastopen_data(const struct tcp_sock *tp);
/* Our SYN was acknowledged: what the answer says of its option and its data. */
void tcp_fastopen_answered(struct tcp_sock *tp, const struct tcp_segment *seg);
/* The retransmission timer went off; `over`: for the last time. */
void tcp_fastopen_timeout(struct tcp_sock *tp, bool over);
/* The listener begins: the option may want Fast Open of all. */
void tcp_fastopen_listening(struct tcp_sock *tp, uint32_t backlog);
int tcp_fastopen_setsockopt(struct tcp_sock *tp, int name, const void *value, socklen_t length);
int tcp_fastopen_getsockopt(const struct tcp_sock *tp, int name, void *value, socklen_t *length);
/* A new connection knows nothing of the last one. */
void tcp_fastopen_reset(struct tcp_sock *tp);
void tcp_fastopen_free(struct tcp_sock *tp);

/* ---- tcp_fastopen_cache.c ---- */

/* What is known of a server; NULL: nothing. */
const struct tcp_fastopen_peer *tcp_fastopen_peer(struct tcp_module *m, const struct strata_addr *addr);
/* Do SYNs with the option get lost on the way to it? */
bool tcp_fastopen_lossy(const struct tcp_module *m, const struct tcp_fastopen_peer *peer);
/* An attempt is over: `mss` 0, an empty cookie and `kind` 0 say nothing new. */
void tcp_fastopen_learn(struct tcp_module *m, const struct strata_addr *addr, uint16_t mss,
			const struct tcp_fastopen_cookie *cookie, bool lost, uint8_t kind);
void tcp_fastopen_forget_all(struct tcp_module *m);
/* Something on the way swallows connections that began with it: it is left alone for a while. */
void tcp_fastopen_blackhole(struct tcp_module *m);
bool tcp_fastopen_blackholed(const struct tcp_module *m);

/* ---- tcp_ecn.c: explicit congestion notification (RFC 3168) ---- */

/* Is this an ECN-setup SYN that we answer as one? */
bool tcp_ecn_asked(const struct tcp_module *m, const struct tcp_segment *seg);
/* The flags that a SYN or SYN-ACK about to leave has besides; notes what was asked for. */
uint8_t tcp_ecn_syn_flags(struct tcp_sock *tp);
/* The peer's SYN or SYN-ACK has come in answer to our SYN. */
void tcp_ecn_answered(struct tcp_sock *tp, const struct tcp_segment *seg);
/* The type of service of a segment that is ECN-capable, or not. */
uint8_t tcp_ecn_tos(uint8_t tos, bool capable);
/* Does the segment echo a mark? */
static inline bool tcp_ecn_echo(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	return tp->ecn_ok && (seg->h.flags & (TCP_ECE | TCP_SYN)) == TCP_ECE;
}
/* An acceptable acknowledgement of `acked` new bytes was taken in: slows down where it echoes a mark. */
void tcp_ecn_echoed(struct tcp_sock *tp, const struct tcp_segment *seg, uint32_t acked);
/* Data in the window arrived: notes marks, and the peer's answer to them. */
void tcp_ecn_received(struct tcp_sock *tp, const struct tcp_segment *seg);

/* ---- tcp_input.c, tcp_ack.c ---- */

enum strata_verdict tcp_input(struct strata_instance *self, struct strata_pkt *pkt);
/* RFC 9293 3.10.7.4 for a TCB in SYN-RECEIVED or beyond. Consumes. */
enum strata_verdict tcp_segment_arrives(struct tcp_sock *tp, struct tcp_segment *seg);
/* Ends a segment: discards with its reason, or frees what is left of it. */
enum strata_verdict tcp_segment_drop(struct tcp_module *m, struct tcp_segment *seg);
enum strata_verdict tcp_segment_done(struct tcp_segment *seg);
/* Challenge ACK (RFC 5961), or an ACK for something unacceptable: limited. */
void tcp_challenge_ack(struct tcp_sock *tp, enum tcp_counter counter);
/* Takes an acceptable acknowledgement in: window, round trips, scoreboard, recovery, send queue. */
void tcp_ack(struct tcp_sock *tp, const struct tcp_segment *seg);
/* The old acknowledgement of a reordered segment: only its SACK blocks say something new. */
void tcp_ack_old(struct tcp_sock *tp, const struct tcp_segment *seg);
/* Data of a SYN is taken in; takes seg->pkt. */
void tcp_syn_data(struct tcp_sock *tp, struct tcp_segment *seg);
/* Options of the peer's SYN or SYN-ACK become the connection's. */
void tcp_syn_options(struct tcp_sock *tp, const struct tcp_header *h);

/* ---- tcp_error.c ---- */

void tcp_error(struct strata_instance *self, const struct strata_transport_error *error);
/* The path takes less than was thought: learns it, cuts smaller, sends again (RFC 5927 7.2). */
void tcp_learn_mtu(struct tcp_sock *tp);

/* ---- tcp_output.c ---- */

/* Sends whatever may be sent now: what is lost, then what is new, then the FIN. */
void tcp_output(struct tcp_sock *tp);
/* An ACK was taken in: schedules the above, unless there is nothing left to send, to repair or to wait for. */
void tcp_schedule_output(struct tcp_sock *tp);
/* Whether the device takes no more: then the work runs once it does. */
bool tcp_held_up(struct tcp_sock *tp);
/* One segment (or super-packet) of [seq, seq + length) and `flags`; a length past the queue's end
 * takes the FIN along. Returns 0 or -errno (-ENOBUFS: nothing was made; -EAGAIN: nor can it leave now). */
int tcp_xmit(struct tcp_sock *tp, uint32_t seq, uint32_t length, uint8_t flags);
void tcp_send_ack(struct tcp_sock *tp);
/* A segment without data at snd_una - 1, which the peer must answer: window and keepalive probe. */
void tcp_send_probe(struct tcp_sock *tp);
void tcp_send_reset(struct tcp_sock *tp);
/* Sends the SYN, or SYN-ACK in SYN-RECEIVED. */
void tcp_send_syn(struct tcp_sock *tp);
/* At the end of a batch: an ACK that is due, or the timer for one that may wait. */
void tcp_ack_flush(struct tcp_sock *tp);
/* Bytes a segment takes at most, options of now taken off. */
uint32_t tcp_segment_room_beside_sack(const struct tcp_sock *tp);
static inline bool tcp_sack_due(const struct tcp_sock *tp)
{
	return tp->sack_ok && (tp->ooo != NULL || tp->dsack_start != tp->dsack_end);
}
static inline uint32_t tcp_segment_room(const struct tcp_sock *tp)
{
	return strata_unlikely(tcp_sack_due(tp)) ? tcp_segment_room_beside_sack(tp) : tp->cc.mss;
}
/* Bytes a second at which the connection sends now; 0: no pacing. */
uint64_t tcp_pacing_rate_now(const struct tcp_sock *tp);
static inline uint64_t tcp_pacing_rate(const struct tcp_sock *tp)
{
	/* The algorithm, the application, the operator: who of them asks for it? */
	if (strata_likely((tp->cc.pacing_rate | tp->sock.max_pacing_rate) == 0 &&
			  !tcp_module_of(tp)->config->pacing))
		return 0;
	return tcp_pacing_rate_now(tp);
}
/* Pacing does not let anything leave yet; its timer is set. */
bool tcp_pacing_holds(struct tcp_sock *tp);
/* A writer that waits for room is told where there is some. */
void tcp_wake_writer(struct tcp_sock *tp);
/* Arms the persist timer where unsent data waits for the window and nothing is in flight. */
void tcp_check_persist(struct tcp_sock *tp);

/* ---- tcp_queue.c: the send queue ---- */

/* Copies up to `n` bytes from byte `skip` of the iovec on. Returns how many; less when memory is short. */
uint32_t tcp_sndq_write(struct tcp_sock *tp, const struct iovec *iov, size_t count, size_t skip,
			uint32_t n);
/* The same without a copy: references to the application's memory (MSG_ZEROCOPY). */
uint32_t tcp_sndq_lend(struct tcp_sock *tp, const struct iovec *iov, size_t count, uint32_t n,
		       struct strata_zerocopy *call);
/* Appends references to [seq, seq + length) to a packet. Returns how many bytes found room. */
uint32_t tcp_sndq_append(struct tcp_sock *tp, struct strata_pkt *pkt, uint32_t seq,
			 uint32_t length, bool retransmission);
/* The same as a copy, for which the packet has room behind its header; of a flight that has a record. */
uint32_t tcp_sndq_copy(struct tcp_sock *tp, struct strata_pkt *pkt, uint32_t seq, uint32_t length,
		       bool retransmission);
/* Forgets what lies before `una`. */
void tcp_sndq_ack(struct tcp_sock *tp, uint32_t una);
void tcp_sndq_purge(struct tcp_sock *tp);
/* Room the application has left, in bytes. */
uint32_t tcp_sndq_room(const struct tcp_sock *tp);
/* A writer is woken when a third of the buffer is free, as on Linux. */
bool tcp_sndq_writable(const struct tcp_sock *tp);

/* ---- tcp_reasm.c: the receive queues ---- */

/* Takes in the segment's payload, which begins within the window and ends within it. Consumes
 * seg->pkt. Returns false with seg->reason when it was discarded. */
bool tcp_reasm_input(struct tcp_sock *tp, struct tcp_segment *seg);
/* Discards runs out of order that begin at `seq` or beyond. */
void tcp_reasm_forget(struct tcp_sock *tp, uint32_t seq);
/* Discards all that is out of order. */
void tcp_reasm_purge(struct tcp_sock *tp);
/* Blocks to report, the most recent first (RFC 2018 4, RFC 2883). Returns how many. */
unsigned int tcp_reasm_blocks(const struct tcp_sock *tp, struct tcp_block *out, unsigned int max);
/* Notes a duplicate to be reported once. */
void tcp_dsack(struct tcp_sock *tp, uint32_t start, uint32_t end);
/* Copies unread bytes; `peek` leaves them, no iovec discards them. Returns how many. */
uint32_t tcp_rcvq_read(struct tcp_sock *tp, const struct iovec *iov, size_t count, uint32_t n,
		       bool peek);
/* When the `n`th unread byte came, stack time in ns. */
uint64_t tcp_rcvq_time(const struct tcp_sock *tp, uint32_t n);
void tcp_rcvq_purge(struct tcp_sock *tp);

/* ---- tcp_rtt.c ---- */

void tcp_rtt_init(struct tcp_sock *tp);
/* A round-trip time was measured (RFC 6298 section 2). */
void tcp_rtt_sample(struct tcp_sock *tp, uint64_t rtt);
/* The sample of the SYN, or SYN-ACK, that was acknowledged. */
void tcp_rtt_handshake(struct tcp_sock *tp, const struct tcp_header *h);
/* The sample an ACK gives, taken in and noted in the event; 0: none. */
void tcp_rtt_ack(struct tcp_sock *tp, struct tcp_ack_event *event);
/* RTO with its backoff. */
uint64_t tcp_rto(const struct tcp_sock *tp);

/* ---- tcp_rest.c: connections at rest ---- */

/* The connection is established, or awake again: it may rest after a while without traffic. */
void tcp_rest_later(struct tcp_sock *tp);
/* That while may be over. True: it rests, and `tp` is stale. */
bool tcp_rest(struct tcp_sock *tp);
/* The whole structure of a connection at rest, which moves; NULL: memory is short. */
struct tcp_sock *tcp_wake(struct tcp_sock *tp);
struct strata_socket *tcp_wake_socket(struct strata_socket *sock);
/* The socket of an entry of any kind, awake; NULL: it has none, or memory is short. */
struct tcp_sock *tcp_awake_of(struct strata_flow *flow);
/* What it would be awake, to be looked at; its way is the caller's to release. */
void tcp_rest_copy(struct tcp_sock *copy, const struct tcp_sock *tp);
/* tcp_abort() of a connection at rest, or as much of it as there is memory for. */
void tcp_rest_abort(struct tcp_sock *tp, int error);

/* ---- tcp_timer.c ---- */

void tcp_timer_set(struct tcp_sock *tp, enum tcp_timer_id id, uint64_t deadline);
static inline void tcp_timer_clear(struct tcp_sock *tp, enum tcp_timer_id id)
{
	tp->deadline[id] = 0;	/* the wheel's timer may fire early, and then finds nothing due */
}
static inline bool tcp_timer_is_set(const struct tcp_sock *tp, enum tcp_timer_id id)
{
	return tp->deadline[id] != 0;
}
void tcp_timer_fire(struct strata_stack *stack, struct strata_timer *timer);
void tcp_timer_stop_all(struct tcp_sock *tp);
/* Starts the retransmission timer from now. */
void tcp_timer_retransmit(struct tcp_sock *tp);
/* Starts, or stops, keepalive by the socket's options. */
void tcp_timer_keepalive(struct tcp_sock *tp);
uint64_t tcp_keepidle(const struct tcp_sock *tp);
uint64_t tcp_keepintvl(const struct tcp_sock *tp);
unsigned int tcp_keepcnt(const struct tcp_sock *tp);

/* ---- tcp_mark.c: time stamps of what is sent (SO_TIMESTAMPING) ---- */

/* The application wrote up to snd_end, and wants to be told of `stamps`. */
void tcp_mark_write(struct tcp_sock *tp, uint32_t stamps);
/* [seq, seq + length) goes down in `pkt`, for the first time. */
void tcp_mark_output(struct tcp_sock *tp, struct strata_pkt *pkt, uint32_t seq, uint32_t length);
/* snd_una has moved. */
void tcp_mark_acked(struct tcp_sock *tp);
void tcp_mark_purge(struct tcp_sock *tp);

/* ---- tcp_mtu_probe.c: packetization-layer path MTU discovery (RFC 4821) ---- */

/* What of `mss` is known to arrive, while a search goes on; else all of it. */
uint32_t tcp_mtu_probe_limit(struct tcp_sock *tp, uint32_t mss);
/* A connection is established: the search begins where it always shall. */
void tcp_mtu_probe_begin(struct tcp_sock *tp);
/* The retransmission timer went off once more. True: the MSS is smaller now. */
bool tcp_mtu_black_hole(struct tcp_sock *tp);
/* Sends a probe where one is due and may leave. True: one was sent. */
bool tcp_mtu_probe_output(struct tcp_sock *tp);
/* snd_una has moved. */
void tcp_mtu_probe_acked(struct tcp_sock *tp);
/* A loss at snd_una: true where it is the probe's, which is no sign of congestion (RFC 4821 7.5.2). */
bool tcp_mtu_probe_lost(struct tcp_sock *tp);
/* What became of the probe cannot be told. */
void tcp_mtu_probe_inconclusive(struct tcp_sock *tp);

/* ---- tcp_buffer.c: the socket's buffers ---- */

/* The window to offer now, in bytes, as it stands beyond rcv_nxt. */
uint32_t tcp_window(const struct tcp_sock *tp);
/* Whether that may be twice what the peer knows of. */
bool tcp_window_may_double(const struct tcp_sock *tp);
/* A connection begins: what growth is measured from. */
void tcp_buffers_begin(struct tcp_sock *tp);
/* A segment with payload came: what it costs, and how long a round trip takes. */
void tcp_buffers_measure(struct tcp_sock *tp, const struct tcp_segment *seg);
/* The application has read: the receive buffer may grow. */
void tcp_rcv_grow(struct tcp_sock *tp);
/* The send buffer follows the congestion window. */
void tcp_snd_grow(struct tcp_sock *tp);
/* SO_RCVLOWAT was set: what cannot be reached is cut, and room made for what can. */
void tcp_rcvlowat_changed(struct tcp_sock *tp);

/* ---- tcp_user.c, tcp_sockopt.c: calls of the application ---- */

/* Made at the first call; NULL when memory is short. */
struct tcp_extra *tcp_extra(struct tcp_sock *tp);
/* A connection of a listener gets what it has. Returns 0 or -ENOMEM. */
int tcp_extra_inherit(struct tcp_sock *tp, const struct tcp_sock *from);
static inline uint32_t tcp_notsent_lowat(const struct tcp_sock *tp)
{
	return tp->extra != NULL ? tp->extra->notsent_lowat : 0;
}

int tcp_open(struct strata_socket *sock);
void tcp_close(struct strata_socket *sock);
int tcp_connect(struct strata_socket *sock, const struct strata_addr *addr, uint16_t port);
int tcp_disconnect(struct strata_socket *sock);
int tcp_shutdown(struct strata_socket *sock, int how);
ssize_t tcp_send(struct strata_socket *sock, const struct msghdr *msg, const struct strata_addr *to,
		 uint16_t port, int flags);
ssize_t tcp_recv(struct strata_socket *sock, struct msghdr *msg, struct strata_addr *from,
		 uint16_t *port, int flags);
int tcp_ioctl(struct strata_socket *sock, unsigned long request, int *value);
int tcp_setsockopt(struct strata_socket *sock, int name, const void *value, socklen_t length);
int tcp_getsockopt(struct strata_socket *sock, int name, void *value, socklen_t *length);
void tcp_option_changed(struct strata_socket *sock, int name);

#endif
