/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What BBR's two files share: the model of a path and the state of a connection. Names are those of
 * draft-ietf-ccwg-bbr-06, numbers in comments its sections.
 */
#ifndef BBR_INT_H
#define BBR_INT_H

#include <strata/congestion.h>

/* 2.x: gains in percent are in the table of phases. */
#define PERCENT 100
#define STARTUP_PACING_GAIN 277
#define BETA 70				/* % */
#define HEADROOM 15			/* % */
#define MIN_PIPE_SEGMENTS 4
#define FULL_BW_GROWTH 125		/* % */
#define FULL_BW_ROUNDS 3
#define DRAIN_ROUNDS 3
#define EXTRA_ACKED_ROUNDS 10
#define RENO_ROUNDS 63
#define PROBE_UP_ROUNDS_MAX 30
#define QUANTUM_MAX 65536		/* 5.6.3 */
#define QUANTUM_TIME STRATA_MS
#define OFFLOAD_QUANTA 3		/* 5.5.8.1 */
#define INITIAL_RTT STRATA_MS		/* 5.6.2, where none is known */
/* local choice: random part of the time between probes, 5.3.3.8.2. */
#define PROBE_WAIT_SPREAD STRATA_SEC
/* local choice: what a product of a rate and a time may be taken of, so that it fits. */
#define SPAN_MAX (100 * STRATA_SEC)
#define RATE_MAX (UINT64_C(1) << 37)

#define UNLIMITED UINT32_MAX		/* "Infinity" of the draft */
#define UNLIMITED_BW UINT64_MAX

enum bbr_state {
	BBR_STARTUP,
	BBR_DRAIN,
	BBR_PROBE_BW_DOWN,
	BBR_PROBE_BW_CRUISE,
	BBR_PROBE_BW_REFILL,
	BBR_PROBE_BW_UP,
	BBR_PROBE_RTT,
	BBR_STATES,
};

/* What acknowledgements say of the last probe for bandwidth. */
enum bbr_ack_phase {
	BBR_ACKS_INIT,
	BBR_ACKS_REFILLING,
	BBR_ACKS_PROBE_STARTING,
	BBR_ACKS_PROBE_FEEDBACK,
	BBR_ACKS_PROBE_STOPPING,
};

/* 5.6.1; gains in percent. */
struct bbr_phase {
	const char *name;
	uint16_t pacing_gain, cwnd_gain;
};

struct bbr_config {
	uint64_t probe_rtt_interval, probe_rtt_duration, min_rtt_window, probe_wait;
	uint64_t loss_threshold, loss_tolerance, pacing_margin;	/* % */
	uint64_t startup_loss_events;
};

/* State of one connection: rates in bytes a second, volumes in bytes, times in ns. */
struct bbr {
	struct strata_congestion *owner;
	struct bbr *next, **link;		/* of the module */

	/* the model: rate */
	uint64_t max_bw_filter[2];		/* of the cycle before, and of this one */
	uint64_t max_bw, bw_shortterm, bw, bw_latest;
	uint64_t full_bw;
	/* the model: time */
	uint64_t min_rtt, min_rtt_stamp;
	uint64_t probe_rtt_min_delay, probe_rtt_min_stamp;
	uint64_t probe_rtt_done_stamp;		/* 0: the flight is not small enough yet */
	/* the model: volume */
	uint32_t inflight_longterm, inflight_shortterm, inflight_latest;
	uint32_t extra_acked[EXTRA_ACKED_ROUNDS];	/* the greatest of each round */
	uint64_t extra_acked_interval_start, extra_acked_delivered;
	/* rounds and cycles */
	uint64_t round_count, next_round_delivered, loss_round_delivered, drain_start_round;
	uint64_t rounds_since_probe_up;
	uint64_t cycle_stamp, bw_probe_wait;
	uint64_t probe_up_acked_per_inc, bw_probe_up_acked;
	uint32_t bw_probe_up_rounds;
	/* to be restored */
	uint64_t save_stamp;
	uint32_t prior_cwnd;
	uint32_t undo_inflight_shortterm, undo_inflight_longterm;
	uint64_t undo_bw_shortterm;

	uint8_t state, undo_state;		/* enum bbr_state; undo: BBR_STATES for none */
	uint8_t ack_phase;			/* enum bbr_ack_phase */
	uint8_t full_bw_count;
	uint8_t loss_events_in_round;
	bool round_start, loss_round_start, is_loss_in_round;
	bool full_bw_now, full_bw_reached;
	bool is_bw_probe_sample, prev_probe_too_high, prev_probe_precautionary;
	bool probe_rtt_expired, probe_rtt_round_done, idle_restart;
	bool in_recovery;			/* as of the last acknowledgement */
	bool rtt_known;				/* the initial pacing rate is from a measured time */
};

/* In priv of the connection. */
struct bbr_ref {
	struct bbr *bbr;			/* NULL: memory was short */
	uint32_t initial_cwnd;
};
_Static_assert(sizeof(struct bbr_ref) <= STRATA_CONGESTION_PRIV, "state too large");

struct bbr_module {
	struct strata_cache *states;
	struct bbr *first;
};

extern const struct bbr_phase bbr_phases[BBR_STATES];

static inline struct bbr_ref *bbr_ref_of(struct strata_congestion *c)
{
	return (struct bbr_ref *)(void *)c->priv;
}

static inline const struct bbr_config *bbr_config_of(const struct strata_congestion *c)
{
	return c->algorithm->config;
}

static inline uint64_t bbr_min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t bbr_max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static inline uint32_t bbr_clamp32(uint64_t v)
{
	return v < UNLIMITED ? (uint32_t)v : UNLIMITED;
}

/* Bytes that a rate brings in a time. */
static inline uint64_t bbr_volume(uint64_t rate, uint64_t ns)
{
	return bbr_min64(rate, RATE_MAX) * (bbr_min64(ns, SPAN_MAX) / STRATA_US) / (STRATA_SEC / STRATA_US);
}

static inline uint32_t bbr_min_pipe(const struct strata_congestion *c)
{
	return MIN_PIPE_SEGMENTS * c->mss;
}

static inline bool bbr_in_probe_bw(const struct bbr *b)
{
	return b->state >= BBR_PROBE_BW_DOWN && b->state <= BBR_PROBE_BW_UP;
}

/* ---- bbr_model.c ---- */

/* What an acknowledgement says of the path, and the state that follows from it (5.2.3). */
void bbr_update_model(struct strata_congestion *c, struct bbr *b, const struct strata_ack_sample *ack);
/* What a loss says (5.2.4). */
void bbr_update_lost(struct strata_congestion *c, struct bbr *b, const struct strata_loss_sample *loss);
/* The losses of this recovery never were (5.2.5). */
void bbr_update_spurious(struct strata_congestion *c, struct bbr *b);
/* Remembers window and model before a recovery that begins now. */
void bbr_save_state(const struct strata_congestion *c, struct bbr *b, uint64_t now);
void bbr_restore_cwnd(struct strata_congestion *c, const struct bbr *b);
void bbr_reset_short_term_model(struct bbr *b);
/* Leaves ProbeRTT if it has lasted long enough. */
void bbr_check_probe_rtt_done(struct strata_congestion *c, struct bbr *b, uint64_t now);

/* Volumes in bytes: `gain` per cent of what the path holds at that bandwidth; */
uint32_t bbr_bdp_multiple(struct strata_congestion *c, const struct bbr *b, uint64_t bw,
			  unsigned int gain);
/* a bound made large enough for segments that go in bunches; */
uint32_t bbr_quantization_budget(const struct strata_congestion *c, const struct bbr *b, uint64_t cap);
/* the long-term bound with room left for others; */
uint32_t bbr_inflight_with_headroom(const struct strata_congestion *c, const struct bbr *b);
uint32_t bbr_probe_rtt_cwnd(struct strata_congestion *c, const struct bbr *b);
/* how much more than expected has been acknowledged at once lately. */
uint32_t bbr_extra_acked(const struct bbr *b);

#endif
