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
#define STRATA_CONGESTION_PRIV 64

/** One connection, as its algorithm sees it. The algorithm writes cwnd, ssthresh, pacing_rate and
 *  priv; all else is the transport's. Windows in bytes, times in ns. */
struct strata_congestion {
	struct strata_instance *algorithm;
	struct strata_stack *stack;
	uint32_t mss;			/**< effective send MSS, without options */
	uint32_t cwnd;			/**< congestion window */
	uint32_t ssthresh;		/**< slow-start threshold; UINT32_MAX: none yet */
	uint32_t flight;		/**< bytes sent and neither acknowledged nor deemed lost */
	uint64_t srtt;			/**< smoothed round-trip time; 0: unknown */
	uint64_t min_rtt;		/**< smallest seen; STRATA_NEVER: unknown */
	uint64_t pacing_rate;		/**< bytes a second; 0: no pacing */
	uint64_t priv[STRATA_CONGESTION_PRIV / 8];
};

/** What an acknowledgement brought. */
struct strata_ack_sample {
	uint64_t now;
	uint64_t rtt;			/**< of this acknowledgement; 0: no valid sample (Karn) */
	uint32_t acked;			/**< bytes newly acknowledged, cumulatively: each byte counts once */
	uint32_t lost;			/**< bytes newly deemed lost */
	uint32_t flight_before;		/**< flight before this acknowledgement */
	uint64_t delivered;		/**< bytes delivered in all */
	uint64_t delivery_rate;		/**< bytes a second, or 0 */
	bool app_limited;		/**< the sample was taken with too little to send */
	bool cwnd_limited;		/**< the window was the limit in the last flight */
	bool in_recovery;
	bool ece;			/**< ECN echo */
};

struct strata_congestion_ops {
	/** A connection begins: cwnd and ssthresh hold the transport's initial values. */
	void (*init)(struct strata_congestion *c);
	/** It ends, or changes its algorithm. NULL: nothing to do. */
	void (*release)(struct strata_congestion *c);
	/** New data was acknowledged outside recovery: opens the window. */
	void (*acked)(struct strata_congestion *c, const struct strata_ack_sample *ack);
	/** Loss by duplicate acknowledgements, or ECN: returns the new ssthresh. Called once a window. */
	uint32_t (*loss)(struct strata_congestion *c, uint64_t now);
	/** Retransmission timeout: returns the new ssthresh. The transport sets cwnd to one segment. */
	uint32_t (*timeout)(struct strata_congestion *c, uint64_t now);
	/** Recovery is over: cwnd may be set (by default it becomes ssthresh). NULL: default. */
	void (*recovered)(struct strata_congestion *c, uint64_t now);
	/** The last reduction was a mistake: window and threshold of before. NULL: the transport's copy. */
	void (*undo)(struct strata_congestion *c, uint32_t cwnd, uint32_t ssthresh);
	/** Sending starts again after `idle` ns without anything in flight. NULL: nothing. */
	void (*restart)(struct strata_congestion *c, uint64_t idle);
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
