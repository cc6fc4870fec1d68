/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion control of a stream transport. An algorithm is one module: it sets the window; loss
 * detection and recovery are the transport's.
 */
#ifndef STRATA_CONGESTION_H
#define STRATA_CONGESTION_H

#include <strata/module.h>

STRATA_BEGIN_DECLS

/** Bytes of private state an algorithm may keep in each connection; one that needs more allocates it. */
#define STRATA_CONGESTION_PRIV 16

/** One connection, as its algorithm sees it. The algorithm writes cwnd, ssthresh, pacing_rate, send_quantum,
 *  mark_app_limited and priv; all else is the transport's. Windows and counts in bytes, times in ns. */
struct strata_congestion {
	struct strata_instance *algorithm;	/**< its stack is the connection's */
	uint32_t mss;			/**< effective send MSS, without options */
	uint32_t cwnd;			/**< congestion window */
	uint32_t ssthresh;		/**< slow-start threshold; UINT32_MAX: none yet */
	uint32_t flight;		/**< bytes sent and neither acknowledged nor deemed lost */
	uint64_t srtt;			/**< smoothed round-trip time; 0: unknown */
	uint64_t min_rtt;		/**< smallest seen; STRATA_NEVER: unknown */
	uint64_t pacing_rate;		/**< bytes a second; 0: no pacing */
	uint64_t delivered;		/**< bytes delivered in all: acknowledged, or reported by SACK */
	uint64_t lost;			/**< bytes deemed lost in all, each time they were */
	uint32_t send_quantum;		/**< most bytes that leave at once with pacing; 0: the transport's rule */
	/** Set by an algorithm that keeps the flight small on purpose: samples of it are no measure of the path
	 *  and count as limited by the application. */
	bool mark_app_limited;
	bool sack;			/**< selective acknowledgements are in use */
	uint64_t priv[STRATA_CONGESTION_PRIV / 8];
};

/** What an acknowledgement brought, loss detection included. The rate sample is that of
 *  draft-ietf-ccwg-bbr 4.5.1 (delivery rate estimation); `interval` 0: none is valid. */
struct strata_ack_sample {
	uint64_t now;
	uint64_t rtt;			/**< of this acknowledgement; 0: no valid sample (Karn) */
	uint32_t acked;			/**< bytes newly acknowledged, cumulatively: each byte counts once */
	uint32_t newly_delivered;	/**< bytes newly acknowledged or sacked: each byte counts once */
	uint32_t lost;			/**< bytes newly deemed lost */
	uint32_t flight_before;		/**< flight before this acknowledgement */
	/** Rate sample: of the latest sent segment that this acknowledgement delivers. */
	uint64_t prior_delivered;	/**< `delivered` when it left: a round trip ends where that moves */
	uint64_t interval;		/**< ns over which it was measured; 0: no sample */
	uint64_t delivery_rate;		/**< bytes a second, or 0 */
	uint32_t rate_delivered;	/**< bytes delivered in the interval */
	uint32_t rate_lost;		/**< bytes deemed lost since it left */
	uint32_t tx_flight;		/**< flight when it left, itself included */
	bool app_limited;		/**< it left with too little to send */
	bool cwnd_limited;		/**< the window was the limit in the last flight */
	bool in_recovery;		/**< fast recovery or RTO recovery is under way */
	bool ece;			/**< ECN echo */
};

/** Bytes newly deemed lost that left in one transmission. */
struct strata_loss_sample {
	uint64_t now;
	uint32_t bytes;
	uint32_t tx_flight;		/**< flight when they left, themselves included */
	uint32_t lost_since;		/**< bytes deemed lost since they left, themselves included */
	bool app_limited;		/**< they left with too little to send */
};

struct strata_congestion_ops {
	/** A connection begins: cwnd and ssthresh hold the transport's initial values. */
	void (*init)(struct strata_congestion *c);
	/** Nothing has been in flight for a while: what the next flight does without may go. NULL: nothing. */
	void (*rest)(struct strata_congestion *c);
	/** The structure lies elsewhere now: who keeps pointers to it mends them. NULL: nobody does. */
	void (*moved)(struct strata_congestion *c);
	/** It ends, or changes its algorithm. NULL: nothing to do. */
	void (*release)(struct strata_congestion *c);
	/** New data was acknowledged outside recovery: opens the window. */
	void (*acked)(struct strata_congestion *c, const struct strata_ack_sample *ack);
	/** Takes the window over: called for every acknowledgement that delivers or loses something, in
	 *  recovery too, instead of acked(), recovered() and proportional rate reduction (RFC 9937). Sets cwnd
	 *  and pacing_rate. NULL: the transport keeps recovery's window. */
	void (*control)(struct strata_congestion *c, const struct strata_ack_sample *ack);
	/** Something is newly deemed lost; called before control() of the same acknowledgement. NULL: nothing. */
	void (*segment_lost)(struct strata_congestion *c, const struct strata_loss_sample *loss);
	/** Recovery begins, by duplicate acknowledgements, RACK or ECN: returns the new ssthresh. Called once a
	 *  window. */
	uint32_t (*loss)(struct strata_congestion *c, uint64_t now);
	/** Retransmission timeout: returns the new ssthresh. The transport sets cwnd to one segment. */
	uint32_t (*timeout)(struct strata_congestion *c, uint64_t now);
	/** Recovery is over: cwnd may be set (by default it becomes ssthresh). NULL: default. */
	void (*recovered)(struct strata_congestion *c, uint64_t now);
	/** The last reduction was a mistake: window and threshold of before. NULL: the transport's copy. */
	void (*undo)(struct strata_congestion *c, uint32_t cwnd, uint32_t ssthresh);
	/** Sending starts again after `idle` ns without anything in flight, more than an RTO. NULL: the
	 *  transport halves the window for each RTO. */
	void (*restart)(struct strata_congestion *c, uint64_t idle);
	/** Data is about to leave with nothing in flight; `app_limited`: what is sent, or was last, is limited by
	 *  the application. NULL: nothing. */
	void (*flight_begins)(struct strata_congestion *c, uint64_t now, bool app_limited);
	/** Text of its own state for people; NULL: none. */
	void (*describe)(const struct strata_congestion *c, char *buf, size_t size);
};

/** The running algorithm of that name; NULL: none. */
static inline struct strata_instance *strata_congestion_find(struct strata_stack *stack,
							     const char *name)
{
	return strata_instance_by_name(stack, STRATA_CONGESTION, name);
}

STRATA_END_DECLS
#endif
