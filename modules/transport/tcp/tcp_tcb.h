/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What TCP's rooms share: the transmission control block (RFC 9293 3.3.1), the half-open and
 * TIME-WAIT records, and a segment's header in host order.
 */
#ifndef TCP_TCB_H
#define TCP_TCB_H

#include <strata/congestion.h>
#include <strata/transport.h>
#include "tcp_seq.h"

/* RFC 9293 3.1 */
#define TCP_HEADER_MIN 20
#define TCP_HEADER_MAX 60
#define TCP_CHECKSUM_OFFSET 16
/* RFC 9293 3.7.1, MUST-15: the peer's MSS where it gave none. */
#define TCP_MSS_DEFAULT_V4 536
/* RFC 7323 2.3: largest shift count. */
#define TCP_WSCALE_MAX 14
/* RFC 2018 section 3: most blocks in 40 bytes of options. */
#define TCP_SACK_BLOCKS 4
/* The option with its padding, on every segment but SYNs (RFC 7323, appendix A). */
#define TCP_TIMESTAMP_SIZE 12
/* As Linux's TCP_DEFAULT_SCALING_RATIO, of 256: half of a receive buffer is payload, until packets show better. */
#define TCP_RATIO_DEFAULT 128
/* local choice: a rate in 32 bits, up to 256 GiB a second. */
#define TCP_RATE_UNIT 64

enum tcp_flag {
	TCP_FIN = 1 << 0,
	TCP_SYN = 1 << 1,
	TCP_RST = 1 << 2,
	TCP_PSH = 1 << 3,
	TCP_ACK = 1 << 4,
	TCP_URG = 1 << 5,
	TCP_ECE = 1 << 6,
	TCP_CWR = 1 << 7,
};

/* RFC 9293 3.3.2, with Linux's numbers: struct tcp_info shows them. */
enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED,
	TCP_FIN_WAIT_1,
	TCP_FIN_WAIT_2,
	TCP_TIME_WAIT,
	TCP_CLOSED,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_STATES,
};
#define TCP_IN(state, mask) ((1u << (state) & (mask)) != 0)
#define TCP_MASK(state) (1u << (state))
/* States in which both sequence spaces are agreed upon. */
#define TCP_SYNCHRONISED \
	(TCP_MASK(TCP_ESTABLISHED) | TCP_MASK(TCP_FIN_WAIT_1) | TCP_MASK(TCP_FIN_WAIT_2) | \
	 TCP_MASK(TCP_CLOSE_WAIT) | TCP_MASK(TCP_CLOSING) | TCP_MASK(TCP_LAST_ACK))
/* States in which the application may queue more data. */
#define TCP_MAY_SEND (TCP_MASK(TCP_ESTABLISHED) | TCP_MASK(TCP_CLOSE_WAIT))
/* States in which queued data and the FIN are still sent. */
#define TCP_SENDS \
	(TCP_MAY_SEND | TCP_MASK(TCP_FIN_WAIT_1) | TCP_MASK(TCP_CLOSING) | TCP_MASK(TCP_LAST_ACK))
/* States in which the peer may still send data. */
#define TCP_RECEIVES \
	(TCP_MASK(TCP_ESTABLISHED) | TCP_MASK(TCP_FIN_WAIT_1) | TCP_MASK(TCP_FIN_WAIT_2))

/* What a flow-table entry is embedded in. */
enum tcp_flow_kind {
	TCP_FLOW_SOCKET,	/* struct tcp_sock */
	TCP_FLOW_REST,		/* the first TCP_REST_SIZE bytes of one */
	TCP_FLOW_REQUEST,	/* struct tcp_request: SYN-RECEIVED of a listener */
	TCP_FLOW_TIME_WAIT,	/* struct tcp_time_wait */
};

enum tcp_drop {
#define X(symbol, text, severity, mib) TCP_DROP_##symbol,
#include "tcp_drops.def"
#undef X
	TCP_DROPS,
};

enum tcp_counter {
#define X(symbol, name, help, mib) TCP_COUNT_##symbol,
#include "tcp_counters.def"
#undef X
	TCP_COUNTERS,
};

/* ---- a segment's header ---- */

enum tcp_option_bit {
	TCP_HAS_MSS = 1 << 0,
	TCP_HAS_WSCALE = 1 << 1,
	TCP_HAS_SACK_PERMITTED = 1 << 2,
	TCP_HAS_TIMESTAMP = 1 << 3,
	TCP_HAS_SACK = 1 << 4,
	TCP_HAS_FASTOPEN = 1 << 5,
};

/* RFC 7413 4.1.1: an option of Fast Open. */
#define TCP_FASTOPEN_COOKIE_MAX 16
struct tcp_fastopen_cookie {
	uint8_t length;			/* 0: asks for one; else 4 … 16, even */
	bool experimental;		/* in the option of RFC 6994, as it was before it had a number */
	uint8_t bytes[TCP_FASTOPEN_COOKIE_MAX];
};

/* Sequence numbers [start, end). */
struct tcp_block {
	uint32_t start, end;
};

/* In host order, options included. */
struct tcp_header {
	uint16_t source, destination;
	uint32_t seq, ack;
	uint8_t flags;			/* enum tcp_flag */
	uint8_t length;			/* bytes of the header, options included; set by tcp_parse() */
	uint8_t options;		/* enum tcp_option_bit: which of the following are there */
	uint8_t wscale;
	uint16_t window;		/* as in the header, not scaled */
	uint16_t urgent;
	uint16_t mss;
	uint16_t sack_count;
	uint32_t tsval, tsecr;
	/* Unset where `options` does not have them. */
	struct tcp_block sack[TCP_SACK_BLOCKS];
	struct tcp_fastopen_cookie fastopen;
};

/* A segment being worked on. `seq`, `length` and `flags` shrink as it is trimmed to the window. */
struct tcp_segment {
	struct strata_pkt *pkt;		/* data at the payload; NULL once a queue has taken it */
	struct tcp_header h;
	uint32_t seq;			/* of the first byte of payload, or of the SYN */
	uint32_t length;		/* bytes of payload */
	enum tcp_drop reason;		/* set by the step that discards */
	uint8_t flags;
	bool unscaled;			/* had a SYN: the window is as it stands (RFC 7323 2.2) */
	bool dropped;			/* its packet has been discarded with a reason */
};

/* ---- configuration and state of the module ---- */

struct tcp_config {
	const char *congestion, *fastopen_key;
	bool sack, dsack, timestamps, window_scaling, nagle, rfc1337, limited_transmit, autotune;
	bool tail_loss_probe, rack, prr, frto, eifel, dsack_undo, pacing;
	uint64_t dupack_threshold;
	uint64_t initial_window, mss_min, backlog_max, half_open_max, syncookies, ecn;
	uint64_t fastopen, fastopen_peers, fastopen_blackhole_timeout;
	uint64_t syn_retries, synack_retries, data_retries, orphan_retries;
	uint64_t rto_initial, rto_min, rto_max, min_rtt_window;
	uint64_t delayed_ack, cork_time;
	uint64_t keepalive_time, keepalive_interval, keepalive_probes;
	uint64_t time_wait, time_wait_max, fin_timeout, fin_wait_max;
	uint64_t challenge_ack_interval, rest_after;
	uint64_t rcvbuf, rcvbuf_max, sndbuf, sndbuf_max;
	uint64_t mtu_probing, mtu_base_mss, mtu_probe_floor, mtu_probe_threshold, mtu_probe_interval;
	uint64_t mtu_black_hole;
	uint64_t out_of_order_ranges, sack_holes, sack_holes_max;
};

struct tcp_sock;
struct tcp_time_wait;

/* Secrets of SYN cookies (tcp_cookie.c). */
struct tcp_cookies {
	struct strata_hash_key keys[2];	/* of odd and even epochs */
	uint64_t epoch[2];		/* that each key is of; 0: none was drawn */
	uint64_t good_until;		/* the last cookie sent is; 0: none was sent */
};

#define TCP_FASTOPEN_KEY_SIZE 16
/* The first makes cookies, both check them. */
struct tcp_fastopen_keys {
	uint8_t bytes[2][TCP_FASTOPEN_KEY_SIZE];
	uint32_t count;
};

/* What is known of a Fast Open server (tcp_fastopen_cache.c). */
struct tcp_fastopen_peer {
	struct tcp_fastopen_peer *next, *older, *newer;
	struct strata_addr addr;
	struct tcp_fastopen_cookie cookie;
	uint64_t lost;			/* when a SYN with the option was lost last */
	uint16_t mss;
	uint8_t losses;			/* in sequence */
	uint8_t kind;			/* of the option to ask by */
};
enum {
	TCP_FASTOPEN_STANDARD = 1,
	TCP_FASTOPEN_EXPERIMENTAL = 2,
};

#define TCP_FASTOPEN_BUCKETS 64
struct tcp_fastopen_cache {
	struct strata_hash_key key;
	struct tcp_fastopen_peer *buckets[TCP_FASTOPEN_BUCKETS];
	struct tcp_fastopen_peer *newest, *oldest;	/* by their last use */
	uint32_t count;
};

/* Fast Open of all sockets. */
struct tcp_fastopen_state {
	struct tcp_fastopen_keys keys;
	bool given;			/* by the option, not drawn */
	uint8_t blackholes;		/* found in sequence */
	uint64_t blackholed;		/* when the last was */
	struct tcp_fastopen_cache cache;
};

/* State of an instance. */
struct tcp_module {
	struct strata_instance *self;
	struct strata_stack *stack;
	struct tcp_config *config;
	struct strata_instance *algorithm;	/* that the option names, as of `generation`; NULL: not known */
	uint32_t generation;
	struct strata_cache *requests, *time_waits, *slices, *ranges, *listeners, *flights;
	struct strata_hash_key isn_key, stamp_key;
	struct tcp_cookies cookies;
	struct tcp_fastopen_state fastopen;
	uint32_t half_open;		/* requests in existence */
	uint32_t sack_runs;		/* separate sacked runs of all connections */
	uint32_t orphans_waiting;	/* FIN-WAIT-2 without an owner */
	/* Connections that ended without an owner, linked by accept_next: freed at the end of the batch, so
	 * that no function on the way finds its connection gone. */
	struct tcp_sock *dead;
	struct strata_work reaper;
	/* TIME-WAIT records, soonest to end first. */
	struct tcp_time_wait *time_wait_head, *time_wait_tail;
	uint32_t time_wait_count;
	struct strata_timer time_wait_timer;
};

/* ---- queues ---- */

/* Application data in the send queue: bytes of one chunk. */
struct tcp_slice {
	struct tcp_slice *next;
	struct strata_chunk *chunk;
	uint32_t seq;			/* of the first byte */
	uint32_t offset, length;	/* in the chunk */
};

struct tcp_send_queue {
	struct tcp_slice *head, *tail;
	struct tcp_slice *spare;	/* with its chunk, for the next few bytes; NULL: none */
};

/* One run of bytes received out of order. */
struct tcp_range {
	struct tcp_range *next;
	struct strata_pkt *head, *tail;	/* consecutive packets, linked by pkt->next */
	struct tcp_range *newer, *older;	/* by the last change: the order of SACK blocks (RFC 2018 4) */
	struct tcp_range *latest;	/* kept by the first run only: the one changed last */
	uint32_t start, end;
};

/* ---- connections ---- */

enum tcp_timer_id {
	TCP_TIMER_RACK,			/* reordering or tail loss probe, which exclude each other (RFC 8985 8);
					 * before the next, whose place a probe may take */
	TCP_TIMER_RETRANSMIT,		/* RFC 6298; SYN and data alike */
	TCP_TIMER_PACE,			/* more may leave */
	TCP_TIMER_PERSIST,		/* RFC 9293 3.8.6.1, and the override of 3.8.6.2.1 */
	TCP_TIMER_DELAYED_ACK,
	TCP_TIMER_KEEPALIVE,
	TCP_TIMER_CORK,			/* local: how long CORK holds a partial segment */
	TCP_TIMER_FIN_WAIT,		/* FIN-WAIT-2 without an owner */
	TCP_TIMER_REST,			/* local: nothing came or went for a while (tcp_rest.c) */
	TCP_TIMERS,
};

/* Loss recovery; Linux's numbers, for tcpi_ca_state. */
enum tcp_phase {
	TCP_PHASE_OPEN,
	TCP_PHASE_DISORDER,		/* duplicate ACKs or SACK blocks, no loss inferred yet */
	TCP_PHASE_CWR,
	TCP_PHASE_RECOVERY,		/* fast recovery: RFC 6582, RFC 6675 */
	TCP_PHASE_LOSS,			/* after a retransmission timeout, until `recover` is passed */
};

/* What only a listener needs. */
struct tcp_listener {
	struct tcp_sock *accept_head, *accept_tail;	/* established, linked by accept_next */
	struct tcp_request *requests;
	uint32_t accept_count;
	uint32_t request_count;
	uint32_t backlog;
};

/* A half-open connection: SYN-RECEIVED of RFC 9293, before it is worth a socket. */
struct tcp_request {
	struct strata_flow flow;	/* first; kind TCP_FLOW_REQUEST */
	struct tcp_request *next;	/* of the same listener */
	struct tcp_request **link;
	struct tcp_sock *listener;
	struct tcp_module *module;
	struct strata_timer timer;
	struct strata_dst dst;		/* the way back, where its next hop is known */
	uint64_t sent;			/* first SYN-ACK, for the round-trip time */
	uint64_t challenge_next;	/* see tcp_sock */
	uint32_t iss, irs;
	uint32_t ts_recent, ts_offset;
	uint32_t rcv_window;		/* as offered in the SYN-ACK */
	uint16_t mss;			/* the peer's */
	uint16_t advmss;		/* ours, as offered */
	uint8_t options;		/* enum tcp_option_bit: agreed upon */
	uint8_t snd_wscale, rcv_wscale;
	uint8_t retransmits;
	bool ecn : 1;			/* RFC 3168 6.1.1: agreed upon */
	bool acked : 1;			/* the final ACK came, but could not be used */
};

/* What is left of a connection in TIME-WAIT. */
struct tcp_time_wait {
	struct strata_flow flow;	/* first; kind TCP_FLOW_TIME_WAIT */
	struct strata_port port;
	struct tcp_time_wait *next, *prev;
	struct tcp_module *module;
	uint64_t deadline;
	uint64_t challenge_next;
	uint32_t snd_nxt, rcv_nxt, rcv_wnd;
	uint32_t ts_recent, ts_offset;
	uint8_t ts_ok;
	uint8_t rcv_wscale;
	uint8_t tos, ttl;
};

/* Fast Open of one socket (tcp_fastopen.c). */
struct tcp_fastopen {
	/* Of a listener; of a connection that it made of a SYN's data, until the handshake is over. */
	struct tcp_fastopen_queue *queue;
	struct tcp_fastopen_keys keys;		/* by TCP_FASTOPEN_KEY */
	struct tcp_fastopen_cookie cookie;	/* for our SYN or SYN-ACK, with send_cookie */
	uint16_t mss;			/* the peer's, as it was before */
	uint16_t data;			/* bytes that our SYN carries */
	uint8_t fail;			/* tcpi_fastopen_client_fail */
	bool connect, no_cookie;	/* TCP_FASTOPEN_CONNECT, TCP_FASTOPEN_NO_COOKIE */
	bool send_cookie;
	bool asked;			/* our SYN had the option, or data */
	bool deferred;			/* connected in name: the SYN waits for data */
	bool data_acked;		/* data of a SYN was taken */
};

/* Values of the option mtu_probing; as Linux's tcp_mtu_probing. */
enum tcp_mtu_probing {
	TCP_MTU_PROBING_OFF,
	TCP_MTU_PROBING_BLACK_HOLE,
	TCP_MTU_PROBING_ALWAYS,
};

/* SO_TIMESTAMPING: the last byte of a write, on its way (tcp_mark.c). */
struct tcp_mark {
	struct tcp_mark *next;
	uint32_t end;			/* after that byte */
	uint32_t wanted;		/* SOF_TIMESTAMPING_TX_…, told once each */
};

/* A search for the path's MTU (tcp_mtu_probe.c); sizes as tcp_sock.mss. */
struct tcp_mtu_probe {
	uint16_t low, high;		/* arrives; the largest that may */
	uint16_t size;			/* of the probe under way, [start, end); 0: none */
	uint8_t doubts;			/* probes left that may show that there was no black hole */
	uint32_t start, end;
	uint64_t next;			/* when the search begins anew; 0: not decided */
};

/* What few connections need; made on demand (tcp_extra()). */
struct tcp_extra {
	struct tcp_fastopen *fastopen;
	struct strata_instance *algorithm;	/* by TCP_CONGESTION; NULL: the route's or the module's */
	uint32_t notsent_lowat;
	uint32_t window_clamp;		/* TCP_WINDOW_CLAMP; 0: none */
	int32_t linger2;		/* seconds; 0: the module's, < 0: none */
	struct tcp_mtu_probe *mtu_probe;	/* NULL: the path is not searched */
	struct tcp_mark *marks, **marks_end;	/* writes whose ways are to be told, oldest first */
	uint32_t mark_count;
	uint32_t stamp_base;		/* SOF_TIMESTAMPING_OPT_ID counts from here */
	bool inq;			/* TCP_INQ */
};

/* The transmission control block. Sequence variables are RFC 9293's; times are ns, *_ms are low
 * 32 bits of the time in ms. The first part is there as long as the connection is; a connection at rest
 * (tcp_rest.c) has no more, so there every byte counts. */
struct tcp_sock {
	struct strata_socket sock;	/* first; flow.kind tells whether the whole structure is there */

	struct strata_timer timer;	/* at rest: KEEPALIVE's */
	struct tcp_extra *extra;	/* what few connections need; NULL: nothing of it */

	/* ---- send ---- */
	uint32_t snd_una;
	uint32_t snd_wnd, snd_wl1, snd_wl2;
	uint32_t max_snd_wnd;		/* largest window ever offered */
	uint32_t iss;

	/* ---- receive ---- */
	uint32_t rcv_nxt;
	uint32_t rcv_adv;		/* right edge of the window offered: never moves left */
	uint32_t rcv_wup;		/* rcv_nxt in the last ACK sent: Last.ACK.sent of RFC 7323 */
	uint32_t irs;
	/* Receive-buffer growth (tcp_buffer.c): what the application took in the round trip before, and how long
	 * one takes. */
	uint32_t rcv_space, rcv_rtt_us;

	/* ---- options agreed ---- */
	uint32_t ts_recent, ts_recent_ms;
	uint32_t ts_offset;		/* added to the clock in ms: TSval */
	uint32_t user_timeout_ms;

	/* ---- times and counts ---- */
	uint64_t rto, rttvar;
	uint64_t min_rtt_recent;	/* smallest since min_rtt_ms */
	uint32_t min_rtt_ms;
	uint32_t delivery_rate;		/* last sample, in TCP_RATE_UNIT bytes a second */
	uint32_t last_sent_ms, last_received_ms, last_ack_ms;
	uint32_t segs_out, segs_in, data_segs_out, data_segs_in;
	uint32_t total_retrans, bytes_retrans;	/* for struct tcp_info, modulo 2^32 */
	uint32_t delivered_ce;		/* segments whose ACK echoed a mark, for struct tcp_info */
	uint64_t bytes_acked, bytes_received;

	uint16_t mss;			/* largest segment to send, before options (RFC 6691) */
	uint16_t peer_mss, advmss;
	uint16_t rcv_mss;		/* estimate of the peer's segment size */
	uint16_t user_mss;		/* TCP_MAXSEG; 0: none */
	uint16_t keepidle, keepintvl;	/* seconds; 0: the module's */
	int16_t soft_error;		/* positive errno, told if the connection times out */
	uint8_t keepcnt, syncnt;	/* 0: the module's */
	uint8_t state;			/* enum tcp_state; written by tcp_set_state() alone */
	uint8_t quick;			/* ACKs to be sent without delay */
	uint8_t defer_accept;		/* TCP_DEFER_ACCEPT, in retransmissions of the SYN-ACK */
	uint8_t reordering_seen;	/* RACK.reordering_seen, counted to 255 */
	uint8_t reo_wnd_mult, reo_wnd_persist; /* RFC 8985 5.2 */
	uint8_t snd_wscale, rcv_wscale;
	uint8_t rcv_ratio;		/* payload in the memory that packets take, of 256 */

	bool ts_ok : 1, sack_ok : 1, wscale_ok : 1;
	bool ack_pending : 1;		/* something received wants an ACK, now or later */
	bool ack_now : 1;		/* … at the end of this batch */
	bool pingpong : 1;		/* interactive: ACKs ride on answers */
	bool fin_queued : 1;		/* the application has closed its side */
	bool rcv_fin_known : 1;
	bool fin_received : 1;		/* … and everything before it */
	bool cwnd_limited : 1;		/* the window stopped the last output */
	bool window_limited : 1;	/* the peer's did */
	bool nodelay : 1, cork : 1, more : 1;
	bool orphan : 1;		/* the application has closed the socket */
	bool embryo : 1;		/* made for a listener, not yet in its queue */
	bool queued : 1;		/* in a listener's accept queue */
	bool connected : 1;		/* was established once */
	bool auto_port : 1;		/* the port was chosen by connect() */
	bool no_space : 1;		/* a send met a full buffer */
	bool made_way : 1;		/* the work has made way for others', once */
	bool counted : 1;		/* in tcpCurrEstab */
	bool fin_waiting : 1;		/* in orphans_waiting */
	bool uncork : 1;		/* the next output ignores CORK */
	bool filling : 1;		/* the application is writing on: only full super-packets leave */
	bool app_limited : 1;		/* the application gave too little to send */
	bool rate_app_limited : 1;	/* delivery_rate was measured so */
	/* RFC 3168: agreed upon (in SYN-SENT: asked for); marks came in; they are echoed; the peer is to hear
	 * that the window was reduced. */
	bool fast_open : 1;		/* made of a SYN's data: sends and receives in SYN-RECEIVED */
	bool ecn_ok : 1, ecn_seen : 1, ece_due : 1, cwr_due : 1;

	struct strata_congestion cc;	/* cc.mss: segment payload, options taken off */

	/* ---- not at rest: what is the same for all then, or follows from the above ---- */

	uint32_t snd_nxt;
	uint32_t snd_end;		/* after the last byte the application gave; the FIN's number */
	uint32_t snd_sml;		/* end of the last segment below MSS sent (Minshall) */
	uint32_t recover;		/* RFC 6582: snd_nxt when recovery began */
	uint32_t retransmit_ms;		/* first retransmission (or probe, or wait) without an answer */
	uint32_t rcv_fin;		/* number of the peer's FIN, with rcv_fin_known */
	uint32_t rcv_offset;		/* bytes of the first queued packet already read */
	uint32_t rcv_bytes;		/* unread bytes in order */
	uint32_t ooo_size;		/* truesize of what waits out of order */
	uint32_t rcv_epoch_seq, rcv_epoch_ms;	/* where and when the round trip of rcv_space began */
	uint32_t dsack_start, dsack_end;	/* to be reported once (RFC 2883), if not equal */
	uint16_t ooo_ranges;
	uint16_t mtu_heard;		/* by an error about a segment in flight; the work learns it */
	int16_t abort_pending;		/* positive errno: the work ends the connection with it */
	uint8_t phase;			/* enum tcp_phase */
	uint8_t dupacks;
	uint8_t backoff;		/* RTO doublings */
	uint8_t retransmits;		/* of the same data, by timeout */
	uint8_t window_probes;		/* since the window closed or data moved, answered or not */
	uint8_t probes;			/* keepalives or window probes without an answer */
	uint8_t batch_blocks;		/* out-of-order segments since the last ACK */
	bool held_up;			/* retransmit_ms is when a timer found the device to take no more */

	struct tcp_send_queue sndq;
	struct tcp_flight *flight;	/* NULL: nothing in flight, nothing remembered */
	struct tcp_flight *flight_spare;	/* the block of the flight before, for the next; NULL: none */
	struct strata_pkt_queue rcvq;	/* in order */
	struct tcp_range *ooo;		/* out of order, ascending */
	struct strata_work work;
	struct strata_dst dst;
	union {
		struct tcp_listener *listener;	/* LISTEN */
		struct tcp_sock *parent;	/* until accepted: the listener it waits at */
	};
	struct tcp_sock *accept_next;
	uint64_t challenge_next;	/* no challenge ACK before (RFC 5961) */
	union {
		uint64_t syn_sent;	/* in the handshake: when, 0: more than once */
		uint64_t pace_next;	/* nothing paced leaves before */
	};
	uint64_t deadline[TCP_TIMERS];	/* 0: not set */
};

/* Bytes of a connection at rest, which may take 640 in all: its place in tables and its port have the rest. */
#define TCP_REST_SIZE offsetof(struct tcp_sock, snd_nxt)
_Static_assert(TCP_REST_SIZE <= 592, "a connection at rest has grown too large");
_Static_assert(sizeof(struct tcp_time_wait) <= 256, "a TIME-WAIT record has grown too large");

static inline struct tcp_sock *tcp_of(struct strata_socket *sock)
{
	return (struct tcp_sock *)(void *)sock;
}

static inline struct tcp_module *tcp_module_of(const struct tcp_sock *tp)
{
	return tp->sock.transport->state;
}

static inline uint32_t tcp_ms(uint64_t now)
{
	return (uint32_t)(now / STRATA_MS);
}

static inline uint64_t tcp_now(const struct tcp_sock *tp)
{
	return strata_now(tp->sock.stack);
}

static inline uint32_t tcp_tsval(const struct tcp_sock *tp)
{
	return tcp_ms(tcp_now(tp)) + tp->ts_offset;
}

static inline void tcp_count(const struct tcp_sock *tp, enum tcp_counter counter, uint64_t n)
{
	strata_count(tp->sock.transport, counter, n);
}

static inline bool tcp_in(const struct tcp_sock *tp, unsigned int mask)
{
	return TCP_IN(tp->state, mask);
}

static inline bool tcp_fin_sent(const struct tcp_sock *tp)
{
	return tp->fin_queued && tp->snd_nxt == tp->snd_end + 1;
}

/* Window still open to the peer (RFC 9293: RCV.WND). */
static inline uint32_t tcp_rcv_wnd(const struct tcp_sock *tp)
{
	return seq_span(tp->rcv_nxt, tp->rcv_adv);
}

/* The window a segment offers, in bytes. */
static inline uint32_t tcp_segment_window(const struct tcp_sock *tp, const struct tcp_segment *seg)
{
	return seg->unscaled ? seg->h.window : (uint32_t)seg->h.window << tp->snd_wscale;
}

#include "tcp_flight.h"

/* Bytes thought to be in the network (RFC 6675 SetPipe). */
static inline uint32_t tcp_pipe(const struct tcp_sock *tp)
{
	uint32_t flight = tp->snd_nxt - tp->snd_una, out, in;
	const struct tcp_flight *f = tp->flight;

	if (f == NULL)
		return flight;
	out = f->sacked + f->lost + f->reno_sacked;
	in = flight + f->retransmitted;
	return in > out ? in - out : 0;
}

#endif
