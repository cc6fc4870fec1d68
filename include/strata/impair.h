/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an imperfect link does to the frames of one direction: the words that the simulator
 * (<strata/sim.h>) and the link module `fault` have in common. Chances are parts per million.
 */
#ifndef STRATA_IMPAIR_H
#define STRATA_IMPAIR_H

#include <strata/base.h>

STRATA_BEGIN_DECLS

/** Certainty, as a chance. */
#define STRATA_PPM UINT32_C(1000000)
/** Whole per cent as a chance. */
#define STRATA_PERCENT(n) ((uint32_t)(n) * UINT32_C(10000))
/** Most frames that may overtake one that is held back. */
#define STRATA_REORDER_DEPTH 64
/** Most packets in a queue that is limited by packets; for more, limit it by bytes. */
#define STRATA_QUEUE_PACKETS 1000
/** Most bits that are flipped in one frame. */
#define STRATA_CORRUPT_BITS 8

/** One direction of a link. Zeroed: a perfect line without delay. */
struct strata_impairment {
	/* ---- the line ---- */

	uint64_t delay;		/**< ns from the end of sending to arrival */
	uint64_t jitter;	/**< up to so many ns more, each as likely */
	bool jitter_reorders;	/**< jitter may let a frame overtake another; else it waits behind */
	uint64_t rate;		/**< bits a second; 0: no limit, and so no queue */
	/** Drop-tail queue in front of the rate; a frame that would not fit is lost. Both 0: 100 packets. */
	uint32_t queue_packets;
	uint64_t queue_bytes;
	uint32_t mtu;		/**< larger network packets are lost; 0: none is too large */
	/** Frames arrive in bunches, at multiples of so many ns only: ACK compression. 0: each by itself. */
	uint64_t bunch;

	/* ---- chances ---- */

	uint32_t loss;		/**< of a frame, by itself */
	/** Gilbert and Elliott's bursts: chance at each frame that a burst begins, that it ends, and
	 *  of a loss while it lasts (0: all are lost). `burst_enter` 0: none. */
	uint32_t burst_enter, burst_leave, burst_loss;
	uint32_t duplicate;	/**< that a second copy follows */
	/** That a frame is held back: until 1 to `reorder_depth` later ones have overtaken it, at most
	 *  for `held` ns; with a depth of 0 for `held` ns. `held` 0: twice the delay and 1 ms. */
	uint32_t reorder;
	uint32_t reorder_depth;
	uint64_t held;
	uint32_t corrupt;	/**< that bits of a frame are flipped */
	uint32_t corrupt_bits;	/**< how many, at random places; 0: one */
	uint32_t truncate;	/**< that a frame loses a random part of its end */
	uint32_t mark;		/**< that an ECN-capable packet is marked CE (RFC 3168 5) */
	uint64_t mark_queue;	/**< marked too while more bytes than this wait for the rate; 0: not */
};

STRATA_END_DECLS
#endif
