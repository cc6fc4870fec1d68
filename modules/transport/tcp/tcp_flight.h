/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a connection remembers while data is in flight or a loss is being repaired: one record for each
 * transmission, and the state of loss detection, recovery, undo and delivery-rate estimation. Included
 * by tcp_int.h alone.
 */
#ifndef TCP_FLIGHT_H
#define TCP_FLIGHT_H

/* local choice: records within the block itself; more take a ring of their own. */
#define TCP_FLIGHT_RECORDS 4

enum tcp_sent_flag {
	TCP_SENT_SACKED = 1 << 0,	/* reported received; neither lost nor in flight */
	TCP_SENT_LOST = 1 << 1,		/* deemed lost */
	TCP_SENT_RETRANSMITTED = 1 << 2, /* a retransmission of it is in flight */
	TCP_SENT_EVER = 1 << 3,		/* retransmitted at least once: its time is ambiguous (Karn) */
	TCP_SENT_APP_LIMITED = 1 << 4,	/* left with too little to send */
};

/* Sequence numbers [start, end) that left in one transmission; the last one, where there were more. The
 * four snapshots are those of delivery-rate estimation (draft-ietf-ccwg-bbr 4.5.1). */
struct tcp_sent {
	uint32_t start, end;
	uint64_t time;			/* ns */
	uint64_t delivered;		/* cc.delivered then */
	uint64_t delivered_time;	/* when that was reached */
	uint64_t first_sent_time;	/* when the flight that it measures began */
	uint64_t lost;			/* cc.lost then */
	uint32_t tx_flight;		/* bytes in flight then, itself included */
	uint16_t order;			/* of transmissions at the same time, modulo 2^16 */
	uint8_t flags;			/* enum tcp_sent_flag */
};

/* F-RTO (RFC 5682). */
enum tcp_frto {
	TCP_FRTO_OFF,
	TCP_FRTO_FIRST,			/* 2.1 step 2: waits for the first ACK after the timeout */
	TCP_FRTO_NEW,			/* step 3: new data was sent instead of retransmissions */
};

struct tcp_flight {
	/* ---- zero when a flight begins ---- */

	uint32_t head, count;		/* records, oldest first: record i is ring[(head + i) & (room - 1)] */
	uint32_t sacked;		/* bytes of records with SACKED */
	uint32_t lost;			/* … with LOST */
	uint32_t retransmitted;		/* … with RETRANSMITTED */
	uint32_t waiting;		/* … lost and not retransmitted since */
	uint32_t waiting_seq;		/* none of those begins below */
	uint32_t runs;			/* separate runs of sacked bytes */
	uint32_t reno_sacked;		/* without SACK: bytes that duplicate ACKs stand for */
	uint32_t prior_cwnd;		/* before the last reduction; 0: not kept */
	uint64_t app_limited;		/* cc.delivered at which rate samples are good again; 0: they are */
	/* Where in the send queue snd_nxt, and the last retransmission, were found; NULL: unknown. */
	struct tcp_slice *send_cursor, *again_cursor;
	uint16_t order;			/* of the last transmission */
	uint8_t frto;			/* enum tcp_frto */
	bool rack_valid : 1;		/* rack_time, rack_end and rack_rtt hold something */
	bool fack_valid : 1;
	bool dsack_seen : 1;
	bool probing : 1;		/* TCP_TIMER_RACK is set for a tail loss probe */
	bool tlp_pending : 1;		/* a tail loss probe is not answered yet */
	bool tlp_again : 1;		/* TLP.is_retrans */
	bool undo_possible : 1;
	bool undo_sent : 1;		/* something was retransmitted since undo_marker */
	bool undo_stamped : 1;
	bool mtu_loss : 1;		/* LOSS without a timeout: the path MTU fell */

	/* ---- the rest is read only where one of those tells that it was written ---- */

	struct tcp_sent *ring;
	uint32_t room;
	uint32_t high_sacked;		/* highest number reported received, where sacked != 0 */

	/* RACK (RFC 8985 5.2) */
	uint32_t rack_end;		/* RACK.end_seq */
	uint64_t rack_time, rack_rtt;	/* RACK.xmit_ts, RACK.rtt */
	uint16_t rack_order;		/* of the transmission that rack_time is of */
	uint32_t rack_fack;		/* RACK.fack */
	uint32_t dsack_round;		/* RACK.dsack_round, with dsack_seen */
	uint32_t tlp_end;		/* TLP.end_seq, with tlp_pending */

	/* the window in recovery (RFC 9937 5) */
	uint32_t prr_delivered, prr_out;
	uint32_t recover_fs;		/* RecoverFS */

	/* how the last reduction is taken back */
	uint32_t undo_marker;		/* snd_una when it was made, with undo_possible */
	uint32_t undo_bytes;		/* retransmitted since and not reported as duplicates */
	uint32_t undo_tsval;		/* time stamp of the first retransmission, with undo_stamped */
	uint32_t prior_ssthresh;	/* with prior_cwnd */

	uint64_t delivered_time, first_sent_time; /* for the delivery rate, while there are records */

	struct tcp_sent first[TCP_FLIGHT_RECORDS];
};

/* What an acknowledgement brings, gathered on the way. */
struct tcp_ack_event {
	uint64_t now;
	uint32_t acked;			/* bytes newly acknowledged cumulatively */
	uint32_t sacked;		/* bytes newly sacked */
	uint32_t delivered;		/* bytes newly known to have arrived, each once */
	uint32_t tsecr;			/* with has_tsecr */
	/* When the first and the last of the newly acknowledged, and of the newly sacked, left that were never
	 * retransmitted; 0: none. */
	uint64_t acked_first, acked_last, sacked_first, sacked_last;
	uint64_t rtt;			/* the sample: of the latest sent; 0: none */
	/* The latest sent of what was delivered, for the rate sample; time 0: none. */
	struct tcp_sent newest;
	bool has_tsecr;
	bool duplicate;			/* a duplicate ACK by RFC 5681 section 2 */
	bool has_sack;			/* there is a SACK option */
	bool probe_twice;		/* of it, a DSACK block (RFC 2883) whose end is the tail loss probe's */
	bool retransmitted;		/* acknowledges something that was retransmitted */
	bool original;			/* delivers what was sent before recovery began, and only once */
	bool app_limited;		/* the rate sample is */
};

/* ---- tcp_sent.c: the records ---- */

/* Makes sure that `n` more records find room, and that there is a block. False: memory is short. */
bool tcp_flight_reserve(struct tcp_sock *tp, uint32_t n);
/* Puts the block by where nothing is in flight nor remembered. */
void tcp_flight_release(struct tcp_sock *tp);
/* Gives it back whatever is in it, and what was put by. */
void tcp_flight_free(struct tcp_sock *tp);
static inline struct tcp_sent *tcp_sent_at(const struct tcp_flight *f, uint32_t i)
{
	return &f->ring[(f->head + i) & (f->room - 1)];
}
/* Index of the record with `seq`, or of the first beyond; f->count: none. */
uint32_t tcp_sent_find(const struct tcp_flight *f, uint32_t seq);
/* New data [start, end) leaves now; room was reserved. snd_nxt still stands at `start`. */
void tcp_sent_new(struct tcp_sock *tp, uint32_t start, uint32_t end);
/* [start, end) leaves once more; room for two records was reserved. */
void tcp_sent_again(struct tcp_sock *tp, uint32_t start, uint32_t end);
/* Everything before `ack` has arrived. */
void tcp_sent_acked(struct tcp_sock *tp, uint32_t ack, struct tcp_ack_event *event);
/* [start, end) of the records has arrived, and is marked. False: at the limit, or memory is short. */
bool tcp_sent_sacked(struct tcp_sock *tp, uint32_t start, uint32_t end, struct tcp_ack_event *event);
/* Record i is lost: once more where a retransmission of it was in flight. May merge it with the record before,
 * and returns its index then. */
uint32_t tcp_sent_lost(struct tcp_sock *tp, uint32_t i);
/* Cuts record i at `seq`, if it lies inside. False: memory is short. */
bool tcp_sent_split(struct tcp_sock *tp, uint32_t i, uint32_t seq);
/* The first record that is lost and waits to be retransmitted; NULL: none. */
struct tcp_sent *tcp_sent_waiting(struct tcp_flight *f);
/* What was deemed lost is not (`unmark`: a reduction was a mistake). */
void tcp_sent_unlose(struct tcp_sock *tp);
/* What was retransmitted never arrives: it waits again. */
void tcp_sent_refused(struct tcp_sock *tp);
/* The peer may have discarded what it reported (RFC 2018 section 8). */
void tcp_sent_reneged(struct tcp_sock *tp);
/* RFC 8985 6.2, RACK_sent_after(). Time may stand still while much is sent: then the order counts, and within
 * one transmission the sequence number. */
static inline bool tcp_sent_after(uint64_t time, uint16_t order, uint32_t end,
				  const struct tcp_sent *than, uint32_t than_end)
{
	if (time != than->time)
		return time > than->time;
	return order != than->order ? (int16_t)(order - than->order) > 0 : seq_gt(end, than_end);
}

/* ---- tcp_sack.c ---- */

/* Takes SACK blocks in. */
void tcp_sack_input(struct tcp_sock *tp, const struct tcp_header *h, struct tcp_ack_event *event);

/* ---- tcp_rack.c: RFC 8985 section 6 ---- */

/* A record, or its part that ends at `end`, is delivered. */
void tcp_rack_update(struct tcp_sock *tp, const struct tcp_sent *sent, uint32_t end,
		     const struct tcp_ack_event *event);
/* A DSACK came, at most one a round counts; and recovery ended. */
void tcp_rack_dsack(struct tcp_sock *tp);
void tcp_rack_recovered(struct tcp_sock *tp);
/* Marks what is lost, and arms the reordering timer for what may be soon. */
void tcp_rack_detect(struct tcp_sock *tp);
/* After a retransmission timeout (6.3). */
void tcp_rack_timeout_losses(struct tcp_sock *tp);

/* ---- tcp_probe.c: RFC 8985 section 7 ---- */

/* Something was sent, or acknowledged: when the tail is to be probed. */
void tcp_probe_arm(struct tcp_sock *tp);
/* That time has come. */
void tcp_probe_fire(struct tcp_sock *tp);
/* TLP_process_ack(). True: the probe repaired a loss of which nobody else knows. */
bool tcp_probe_ack(struct tcp_sock *tp, const struct tcp_ack_event *event);

/* ---- tcp_lost.c: loss without RACK ---- */

/* Marks what RFC 6675, or without SACK RFC 6582, shows to be lost. */
void tcp_lost_detect(struct tcp_sock *tp, const struct tcp_ack_event *event);
/* DupThresh segments have arrived beyond a hole. */
bool tcp_lost_dupthresh(const struct tcp_sock *tp);

/* ---- tcp_undo.c ---- */

/* Remembers the window before a reduction. */
void tcp_undo_begin(struct tcp_sock *tp, bool keep_window);
/* [start, end) is retransmitted; a DSACK reports it as a duplicate. */
void tcp_undo_retransmitted(struct tcp_sock *tp, uint32_t bytes);
void tcp_undo_dsack(struct tcp_sock *tp, const struct tcp_block *block);
/* Every retransmission was needless, and every one was reported (RFC 2883, RFC 3708). */
bool tcp_undo_all_duplicates(const struct tcp_sock *tp);
/* The ACK answers something sent before the first retransmission (RFC 3522). */
bool tcp_undo_delayed(const struct tcp_sock *tp, const struct tcp_ack_event *event);
/* Takes the reduction back. `unmark`: what was deemed lost is not. */
void tcp_undo(struct tcp_sock *tp, bool unmark, enum tcp_counter counter);
/* Nothing can be taken back any more. */
void tcp_undo_forget(struct tcp_sock *tp);

/* ---- tcp_rate.c ---- */

/* A record, or its part of `bytes`, is delivered. */
void tcp_rate_delivered(struct tcp_sock *tp, const struct tcp_sent *sent, uint32_t bytes,
			struct tcp_ack_event *event);
/* Fills the rate sample in. */
void tcp_rate_sample(struct tcp_sock *tp, const struct tcp_ack_event *event,
		     struct strata_ack_sample *sample);
/* The application writes: was there too little to send until now? */
void tcp_rate_check_app_limited(struct tcp_sock *tp);

/* ---- tcp_recovery.c ---- */

void tcp_recovery_ack(struct tcp_sock *tp, struct tcp_ack_event *event);
/* Congestion was experienced (RFC 3168 6.1.2): the window is reduced once for what is in flight, and
 * tp->cwr_due is set. */
void tcp_recovery_ecn(struct tcp_sock *tp);
/* The retransmission timer went off. */
void tcp_recovery_timeout(struct tcp_sock *tp);
/* The reordering timer did (RFC 8985 6.2 step 5), or it is time to forget an old reduction. */
void tcp_recovery_reorder(struct tcp_sock *tp);
/* The path MTU fell: what is in flight cannot arrive. */
void tcp_recovery_mtu(struct tcp_sock *tp);
/* The peer's window opens: what was retransmitted into it while it was closed was refused. */
void tcp_recovery_opened(struct tcp_sock *tp);
/* Retransmits what is deemed lost as far as the window lets it. */
void tcp_recovery_output(struct tcp_sock *tp);
/* May data never sent before be sent in this state? */
bool tcp_recovery_allows_new(const struct tcp_sock *tp);
/* The transport, not the algorithm, sets the window now. */
bool tcp_recovery_reducing(const struct tcp_sock *tp);
void tcp_recovery_init(struct tcp_sock *tp);

#endif
