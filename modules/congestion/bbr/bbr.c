/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BBR version 3: a model of the path, made of the greatest delivery rate and the smallest round-trip time
 * seen lately, says how fast to send and how much may be in flight (draft-ietf-ccwg-bbr-06). Names are the
 * draft's. Read its section 5 before editing; numbers in comments are its sections.
 */
#include <errno.h>
#include <stdio.h>

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
static const struct {
	const char *name;
	uint16_t pacing_gain, cwnd_gain;
} phases[] = {
	[BBR_STARTUP] = { "Startup", STARTUP_PACING_GAIN, 200 },
	[BBR_DRAIN] = { "Drain", 50, 200 },
	[BBR_PROBE_BW_DOWN] = { "ProbeBW_DOWN", 90, 200 },
	[BBR_PROBE_BW_CRUISE] = { "ProbeBW_CRUISE", 100, 200 },
	[BBR_PROBE_BW_REFILL] = { "ProbeBW_REFILL", 100, 200 },
	[BBR_PROBE_BW_UP] = { "ProbeBW_UP", 125, 225 },
	[BBR_PROBE_RTT] = { "ProbeRTT", 100, 50 },
};
_Static_assert(STRATA_COUNT(phases) == BBR_STATES, "a state without gains");

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

static struct bbr_ref *ref_of(struct strata_congestion *c)
{
	return (struct bbr_ref *)(void *)c->priv;
}

static const struct bbr_config *config_of(const struct strata_congestion *c)
{
	return c->algorithm->config;
}

static uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t max64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint32_t clamp32(uint64_t v)
{
	return v < UNLIMITED ? (uint32_t)v : UNLIMITED;
}

/* Bytes that a rate brings in a time. */
static uint64_t volume(uint64_t rate, uint64_t ns)
{
	return min64(rate, RATE_MAX) * (min64(ns, SPAN_MAX) / STRATA_US) / (STRATA_SEC / STRATA_US);
}

static uint32_t min_pipe(const struct strata_congestion *c)
{
	return MIN_PIPE_SEGMENTS * c->mss;
}

static bool in_probe_bw(const struct bbr *b)
{
	return b->state >= BBR_PROBE_BW_DOWN && b->state <= BBR_PROBE_BW_UP;
}

/* Is it accelerating? */
static bool is_probing_bw(const struct bbr *b)
{
	return b->state == BBR_STARTUP || b->state == BBR_PROBE_BW_REFILL || b->state == BBR_PROBE_BW_UP;
}

/* ---- how much should be in flight (5.6.4.2) ---- */

static uint32_t bdp_multiple(struct strata_congestion *c, const struct bbr *b, uint64_t bw,
			     unsigned int gain)
{
	if (b->min_rtt == STRATA_NEVER)
		return ref_of(c)->initial_cwnd;
	return clamp32(volume(bw, b->min_rtt) * gain / PERCENT);
}

static uint32_t quantization_budget(const struct strata_congestion *c, const struct bbr *b,
				    uint64_t cap)
{
	cap = max64(cap, (uint64_t)OFFLOAD_QUANTA * c->send_quantum);
	cap = max64(cap, min_pipe(c));
	if (b->state == BBR_PROBE_BW_UP)
		cap += 2 * c->mss;
	return clamp32(cap);
}

static uint32_t inflight(struct strata_congestion *c, const struct bbr *b, uint64_t bw,
			 unsigned int gain)
{
	return quantization_budget(c, b, bdp_multiple(c, b, bw, gain));
}

static uint32_t inflight_with_headroom(const struct strata_congestion *c, const struct bbr *b)
{
	uint32_t headroom = (uint32_t)((uint64_t)b->inflight_longterm * HEADROOM / PERCENT);

	if (b->inflight_longterm == UNLIMITED)
		return UNLIMITED;
	headroom = headroom > c->mss ? headroom : c->mss;
	return b->inflight_longterm > headroom + min_pipe(c) ? b->inflight_longterm - headroom :
								 min_pipe(c);
}

/* 5.3.3.8: what we want in flight, unless congestion has cut the window. */
static uint32_t target_inflight(struct strata_congestion *c, const struct bbr *b)
{
	return clamp32(min64(bdp_multiple(c, b, b->bw, PERCENT), c->cwnd));
}

static uint32_t probe_rtt_cwnd(struct strata_congestion *c, const struct bbr *b)
{
	return clamp32(max64(bdp_multiple(c, b, b->bw, phases[BBR_PROBE_RTT].cwnd_gain), min_pipe(c)));
}

static uint32_t extra_acked(const struct bbr *b)
{
	uint32_t most = 0;

	for (size_t i = 0; i < EXTRA_ACKED_ROUNDS; i++)
		most = b->extra_acked[i] > most ? b->extra_acked[i] : most;
	return most;
}

/* ---- the window remembered (5.6.4.4) ---- */

static void save_cwnd(const struct strata_congestion *c, struct bbr *b)
{
	if (b->in_recovery || b->state == BBR_PROBE_RTT)
		b->prior_cwnd = b->prior_cwnd > c->cwnd ? b->prior_cwnd : c->cwnd;
	else
		b->prior_cwnd = c->cwnd;
}

static void restore_cwnd(struct strata_congestion *c, const struct bbr *b)
{
	c->cwnd = c->cwnd > b->prior_cwnd ? c->cwnd : b->prior_cwnd;
}

/* 5.5.11.1. Losses and the recovery that they begin come at one time: what the first of them finds is what
 * an undo wants. */
static void save_state(const struct strata_congestion *c, struct bbr *b, uint64_t now)
{
	save_cwnd(c, b);
	if (b->save_stamp == now)
		return;
	b->save_stamp = now;
	b->undo_state = BBR_STATES;
	b->undo_bw_shortterm = b->bw_shortterm;
	b->undo_inflight_shortterm = b->inflight_shortterm;
	b->undo_inflight_longterm = b->inflight_longterm;
}

/* ---- pieces of state that begin anew ---- */

static void start_round(const struct strata_congestion *c, struct bbr *b)
{
	b->next_round_delivered = c->delivered;
}

static void reset_full_bw(struct bbr *b, uint64_t baseline)
{
	b->full_bw = baseline;
	b->full_bw_count = 0;
	b->full_bw_now = false;
}

static void reset_congestion_signals(struct bbr *b)
{
	b->is_loss_in_round = false;
	b->bw_latest = 0;
	b->inflight_latest = 0;
}

static void reset_short_term_model(struct bbr *b)
{
	b->bw_shortterm = UNLIMITED_BW;
	b->inflight_shortterm = UNLIMITED;
}

/* ---- entering states ---- */

static void start_probe_bw_down(struct strata_congestion *c, struct bbr *b, uint64_t now)
{
	reset_congestion_signals(b);
	b->probe_up_acked_per_inc = UINT64_MAX;
	/* 5.3.3.8: randomised, so that flows do not probe in step. */
	b->rounds_since_probe_up = strata_random_below(c->stack, 2);
	b->bw_probe_wait = config_of(c)->probe_wait +
			   strata_random_below(c->stack, (uint32_t)PROBE_WAIT_SPREAD);
	b->cycle_stamp = now;
	b->ack_phase = BBR_ACKS_PROBE_STOPPING;
	start_round(c, b);
	b->state = BBR_PROBE_BW_DOWN;
}

static void start_probe_bw_refill(struct strata_congestion *c, struct bbr *b)
{
	reset_short_term_model(b);
	b->bw_probe_up_rounds = 0;
	b->bw_probe_up_acked = 0;
	b->prev_probe_precautionary = false;
	b->ack_phase = BBR_ACKS_REFILLING;
	start_round(c, b);
	b->state = BBR_PROBE_BW_REFILL;
}

/* 5.3.3.5: by 1, 2, 4, … segments a round trip. */
static void raise_inflight_longterm_slope(const struct strata_congestion *c, struct bbr *b)
{
	uint64_t growth = UINT64_C(1) << b->bw_probe_up_rounds;

	if (b->bw_probe_up_rounds < PROBE_UP_ROUNDS_MAX)
		b->bw_probe_up_rounds++;
	b->probe_up_acked_per_inc = max64(c->cwnd / growth, c->mss);
}

static void start_probe_bw_up(struct strata_congestion *c, struct bbr *b, uint64_t delivery_rate)
{
	b->ack_phase = BBR_ACKS_PROBE_STARTING;
	start_round(c, b);
	reset_full_bw(b, delivery_rate);
	b->state = BBR_PROBE_BW_UP;
	raise_inflight_longterm_slope(c, b);
}

static void enter_drain(struct bbr *b)
{
	b->state = BBR_DRAIN;
	b->drain_start_round = b->round_count;
}

/* 5.3.4.4 */
static void exit_probe_rtt(struct strata_congestion *c, struct bbr *b, uint64_t now)
{
	reset_short_term_model(b);
	if (b->full_bw_reached) {
		start_probe_bw_down(c, b, now);
		b->state = BBR_PROBE_BW_CRUISE;
	} else {
		b->state = BBR_STARTUP;
	}
}

static void check_probe_rtt_done(struct strata_congestion *c, struct bbr *b, uint64_t now)
{
	if (b->probe_rtt_done_stamp == 0 || now <= b->probe_rtt_done_stamp)
		return;
	b->probe_rtt_min_stamp = now;
	restore_cwnd(c, b);
	exit_probe_rtt(c, b, now);
}

/* ---- the model: rounds and signals ---- */

/* 5.5.1. Without a sample nobody knows when what is acknowledged left; the next one will tell. */
static void update_round(const struct strata_congestion *c, struct bbr *b,
			 const struct strata_ack_sample *ack)
{
	b->round_start = ack->interval != 0 && ack->prior_delivered >= b->next_round_delivered;
	if (!b->round_start)
		return;
	start_round(c, b);
	b->round_count++;
	b->rounds_since_probe_up++;
	/* In Startup one round is remembered, ten afterwards (5.5.9). */
	if (!b->full_bw_reached)
		memset(b->extra_acked, 0, sizeof(b->extra_acked));
	b->extra_acked[b->round_count % EXTRA_ACKED_ROUNDS] = 0;
}

/* 5.5.5; "Infinity" is what an empty filter is below. */
static void update_max_bw(const struct strata_congestion *c, struct bbr *b,
			  const struct strata_ack_sample *ack)
{
	update_round(c, b, ack);
	if (ack->delivery_rate == 0 || (ack->delivery_rate < b->max_bw && ack->app_limited))
		return;
	b->max_bw_filter[1] = max64(b->max_bw_filter[1], ack->delivery_rate);
	b->max_bw = max64(b->max_bw_filter[0], b->max_bw_filter[1]);
}

/* 5.5.6. A cycle without a sample does not age the one before. */
static void advance_max_bw_filter(struct bbr *b)
{
	if (b->max_bw_filter[1] == 0)
		return;
	b->max_bw_filter[0] = b->max_bw_filter[1];
	b->max_bw_filter[1] = 0;
	b->max_bw = b->max_bw_filter[0];
}

static void update_latest_delivery_signals(const struct strata_congestion *c, struct bbr *b,
					   const struct strata_ack_sample *ack)
{
	b->loss_round_start = false;
	b->bw_latest = max64(b->bw_latest, ack->delivery_rate);
	b->inflight_latest = clamp32(max64(b->inflight_latest, ack->rate_delivered));
	if (ack->interval != 0 && ack->prior_delivered >= b->loss_round_delivered) {
		b->loss_round_delivered = c->delivered;
		b->loss_round_start = true;
	}
}

/* 5.5.10.3: once a round trip, towards what was delivered in it, but by no more than CUBIC would.
 * DEVIATION: few losses lower nothing (option loss_tolerance). As the draft has it, each loss in each round
 * does: with 1 % of them at random and a flow that paces 1 % below its bandwidth, a quarter of the path
 * stays empty, which the draft does not mean to (5.3.3.8.3: "tolerating 1% loss per round trip"). */
static void adapt_lower_bounds(const struct strata_congestion *c, struct bbr *b,
			       const struct strata_ack_sample *ack)
{
	if (is_probing_bw(b) || !b->is_loss_in_round ||
	    (uint64_t)ack->rate_lost * PERCENT <= ack->tx_flight * config_of(c)->loss_tolerance)
		return;
	if (b->bw_shortterm == UNLIMITED_BW)
		b->bw_shortterm = b->max_bw;
	if (b->inflight_shortterm == UNLIMITED)
		b->inflight_shortterm = c->cwnd;
	b->bw_shortterm = max64(b->bw_latest, b->bw_shortterm * BETA / PERCENT);
	b->inflight_shortterm =
		clamp32(max64(b->inflight_latest, (uint64_t)b->inflight_shortterm * BETA / PERCENT));
}

static void update_congestion_signals(const struct strata_congestion *c, struct bbr *b,
				      const struct strata_ack_sample *ack)
{
	update_max_bw(c, b, ack);
	if (!b->loss_round_start)
		return;
	adapt_lower_bounds(c, b, ack);
	b->is_loss_in_round = false;
}

static void advance_latest_delivery_signals(struct bbr *b, const struct strata_ack_sample *ack)
{
	if (!b->loss_round_start)
		return;
	b->bw_latest = ack->delivery_rate;
	b->inflight_latest = ack->rate_delivered;
}

/* 5.5.9 */
static void update_ack_aggregation(const struct strata_congestion *c, struct bbr *b,
				   const struct strata_ack_sample *ack)
{
	uint64_t expected = volume(b->bw, ack->now - b->extra_acked_interval_start);
	uint32_t *slot = &b->extra_acked[b->round_count % EXTRA_ACKED_ROUNDS];
	uint64_t extra;

	if (b->extra_acked_delivered <= expected) {
		b->extra_acked_delivered = 0;
		b->extra_acked_interval_start = ack->now;
		expected = 0;
	}
	b->extra_acked_delivered += ack->newly_delivered;
	extra = min64(b->extra_acked_delivered - expected, c->cwnd);
	if (extra > *slot)
		*slot = (uint32_t)extra;
}

/* ---- Startup and Drain ---- */

/* 5.3.1.2 */
static void check_full_bw_reached(struct bbr *b, const struct strata_ack_sample *ack)
{
	if (b->full_bw_now || !b->round_start || ack->app_limited)
		return;
	if (ack->delivery_rate >= b->full_bw * FULL_BW_GROWTH / PERCENT) {
		reset_full_bw(b, ack->delivery_rate);
		return;
	}
	b->full_bw_now = ++b->full_bw_count >= FULL_BW_ROUNDS;
	if (b->full_bw_now)
		b->full_bw_reached = true;
}

/* 5.5.10.2. Without SACK there is news of one loss in a round trip at most: that one counts for more. */
static bool is_inflight_too_high(const struct strata_congestion *c, uint64_t lost, uint64_t tx_flight)
{
	return lost * PERCENT > tx_flight * config_of(c)->loss_threshold || (lost != 0 && !c->sack);
}

/* 5.3.1.3. Ranges are not told apart: acknowledgements that showed a loss are counted, as in Linux. */
static void check_startup_high_loss(struct strata_congestion *c, struct bbr *b,
				    const struct strata_ack_sample *ack)
{
	if (b->state != BBR_STARTUP || b->full_bw_reached)
		return;
	if (ack->lost != 0 && b->loss_events_in_round < UINT8_MAX)
		b->loss_events_in_round++;
	if (!b->loss_round_start)
		return;
	if (ack->in_recovery &&
	    (b->loss_events_in_round >= config_of(c)->startup_loss_events || !c->sack) &&
	    is_inflight_too_high(c, ack->rate_lost, ack->tx_flight)) {
		b->undo_state = BBR_STARTUP;
		b->full_bw_reached = true;
		b->inflight_longterm =
			clamp32(max64(bdp_multiple(c, b, b->max_bw, PERCENT), b->inflight_latest));
	}
	b->loss_events_in_round = 0;
}

static void check_startup_done(struct strata_congestion *c, struct bbr *b,
			       const struct strata_ack_sample *ack)
{
	check_startup_high_loss(c, b, ack);
	if (b->state == BBR_STARTUP && b->full_bw_reached)
		enter_drain(b);
}

/* 5.3.2 */
static void check_drain_done(struct strata_congestion *c, struct bbr *b,
			     const struct strata_ack_sample *ack)
{
	if (b->state == BBR_DRAIN && (c->flight <= inflight(c, b, b->bw, PERCENT) ||
				      b->round_count > b->drain_start_round + DRAIN_ROUNDS))
		start_probe_bw_down(c, b, ack->now);
}

/* ---- ProbeBW (5.3.3.9) ---- */

/* Does the window hold the flow back, not its pacing? A transport may call a window used that is half
 * full, which is right for one that doubles. */
static bool is_cwnd_limited(const struct strata_congestion *c, const struct strata_ack_sample *ack)
{
	return ack->cwnd_limited &&
	       (uint64_t)ack->flight_before + max64(c->send_quantum, c->mss) >= c->cwnd;
}

static void probe_inflight_longterm_upward(const struct strata_congestion *c, struct bbr *b,
					   const struct strata_ack_sample *ack)
{
	uint64_t steps;

	if (!is_cwnd_limited(c, ack) || c->cwnd < b->inflight_longterm)
		return;
	b->bw_probe_up_acked += ack->newly_delivered;
	if (b->bw_probe_up_acked >= b->probe_up_acked_per_inc) {
		steps = b->bw_probe_up_acked / b->probe_up_acked_per_inc;
		b->bw_probe_up_acked -= steps * b->probe_up_acked_per_inc;
		b->inflight_longterm =
			clamp32(min64(b->inflight_longterm + steps * c->mss, UNLIMITED - 1));
	}
	if (b->round_start)
		raise_inflight_longterm_slope(c, b);
}

/* Returns whether it has decided on a state. */
static bool adapt_long_term_model(struct strata_congestion *c, struct bbr *b,
				  const struct strata_ack_sample *ack)
{
	if (b->ack_phase == BBR_ACKS_PROBE_STARTING && b->round_start)
		b->ack_phase = BBR_ACKS_PROBE_FEEDBACK;
	if (b->ack_phase == BBR_ACKS_PROBE_STOPPING && b->round_start) {
		b->is_bw_probe_sample = false;
		b->ack_phase = BBR_ACKS_INIT;
		if (in_probe_bw(b) && !ack->app_limited)
			advance_max_bw_filter(b);
		/* 5.3.3.6: the brief probe did no harm; now a whole one. */
		if (in_probe_bw(b) && b->prev_probe_precautionary && !b->prev_probe_too_high) {
			start_probe_bw_refill(c, b);
			return true;
		}
	}
	if (b->inflight_longterm == UNLIMITED ||
	    is_inflight_too_high(c, ack->rate_lost, ack->tx_flight))
		return false;
	if (ack->tx_flight > b->inflight_longterm)
		b->inflight_longterm = ack->tx_flight;
	if (b->state == BBR_PROBE_BW_UP)
		probe_inflight_longterm_upward(c, b, ack);
	return false;
}

/* 5.3.3.8: after the flow's own time, or when Reno would have grown its window by its bdp. */
static bool is_time_to_probe_bw(struct strata_congestion *c, const struct bbr *b, uint64_t now)
{
	return now > b->cycle_stamp + b->bw_probe_wait ||
	       b->rounds_since_probe_up >= min64(target_inflight(c, b) / c->mss, RENO_ROUNDS);
}

static bool is_time_to_cruise(struct strata_congestion *c, const struct bbr *b)
{
	return c->flight <= inflight_with_headroom(c, b) &&
	       c->flight <= inflight(c, b, b->max_bw, PERCENT);
}

/* 5.3.3.7 */
static bool is_time_to_go_down(const struct strata_congestion *c, struct bbr *b,
			       const struct strata_ack_sample *ack)
{
	if (b->prev_probe_too_high && c->flight >= b->inflight_longterm) {
		b->prev_probe_precautionary = true;
		return true;
	}
	if (is_cwnd_limited(c, ack) && c->cwnd >= b->inflight_longterm) {
		/* It is our own bound that holds the rate down. */
		reset_full_bw(b, ack->delivery_rate);
		return false;
	}
	return b->full_bw_now;
}

static void update_probe_bw_cycle_phase(struct strata_congestion *c, struct bbr *b,
					const struct strata_ack_sample *ack)
{
	if (!b->full_bw_reached || adapt_long_term_model(c, b, ack))
		return;
	switch (b->state) {
	case BBR_PROBE_BW_DOWN:
		if (is_time_to_probe_bw(c, b, ack->now))
			start_probe_bw_refill(c, b);
		else if (is_time_to_cruise(c, b))
			b->state = BBR_PROBE_BW_CRUISE;
		return;
	case BBR_PROBE_BW_CRUISE:
		if (is_time_to_probe_bw(c, b, ack->now))
			start_probe_bw_refill(c, b);
		return;
	case BBR_PROBE_BW_REFILL:
		if (b->round_start) {
			b->is_bw_probe_sample = true;
			start_probe_bw_up(c, b, ack->delivery_rate);
		}
		return;
	case BBR_PROBE_BW_UP:
		if (is_time_to_go_down(c, b, ack)) {
			b->prev_probe_too_high = false;
			start_probe_bw_down(c, b, ack->now);
		}
		return;
	default:
		return;
	}
}

/* ---- ProbeRTT (5.3.4.3) ---- */

static void update_min_rtt(const struct strata_congestion *c, struct bbr *b,
			   const struct strata_ack_sample *ack)
{
	const struct bbr_config *config = config_of(c);

	b->probe_rtt_expired = ack->now > b->probe_rtt_min_stamp + config->probe_rtt_interval;
	if (ack->rtt != 0 && (ack->rtt < b->probe_rtt_min_delay || b->probe_rtt_expired)) {
		b->probe_rtt_min_delay = ack->rtt;
		b->probe_rtt_min_stamp = ack->now;
	}
	if (b->probe_rtt_min_delay < b->min_rtt ||
	    ack->now > b->min_rtt_stamp + config->min_rtt_window) {
		b->min_rtt = b->probe_rtt_min_delay;
		b->min_rtt_stamp = b->probe_rtt_min_stamp;
	}
}

static void handle_probe_rtt(struct strata_congestion *c, struct bbr *b, uint64_t now)
{
	if (b->probe_rtt_done_stamp == 0) {
		if (c->flight > probe_rtt_cwnd(c, b))
			return;
		b->probe_rtt_done_stamp = now + config_of(c)->probe_rtt_duration;
		b->probe_rtt_round_done = false;
		start_round(c, b);
		return;
	}
	if (b->round_start)
		b->probe_rtt_round_done = true;
	if (b->probe_rtt_round_done)
		check_probe_rtt_done(c, b, now);
}

static void check_probe_rtt(struct strata_congestion *c, struct bbr *b,
			    const struct strata_ack_sample *ack)
{
	if (b->state != BBR_PROBE_RTT && b->probe_rtt_expired && !b->idle_restart) {
		save_cwnd(c, b);
		b->state = BBR_PROBE_RTT;
		b->probe_rtt_done_stamp = 0;
		b->ack_phase = BBR_ACKS_PROBE_STOPPING;
		start_round(c, b);
	}
	if (b->state == BBR_PROBE_RTT)
		handle_probe_rtt(c, b, ack->now);
	if (ack->newly_delivered != 0)
		b->idle_restart = false;
}

/* ---- control parameters (5.6) ---- */

static void set_initial_pacing_rate(struct strata_congestion *c, struct bbr *b)
{
	uint64_t rtt = c->srtt != 0 ? c->srtt : INITIAL_RTT;

	b->rtt_known = c->srtt != 0;
	c->pacing_rate = (uint64_t)ref_of(c)->initial_cwnd * STRATA_SEC / rtt * STARTUP_PACING_GAIN /
			 PERCENT;
}

static void set_pacing_rate(struct strata_congestion *c, struct bbr *b, unsigned int gain)
{
	uint64_t rate = min64(b->bw, RATE_MAX) * gain / PERCENT *
			(PERCENT - config_of(c)->pacing_margin) / PERCENT;

	if (!b->rtt_known && c->srtt != 0)
		set_initial_pacing_rate(c, b);
	/* Zero would be no pacing at all. */
	if (rate != 0 && (b->full_bw_reached || rate > c->pacing_rate))
		c->pacing_rate = rate;
}

static void set_send_quantum(struct strata_congestion *c)
{
	uint64_t quantum = min64(volume(c->pacing_rate, QUANTUM_TIME), QUANTUM_MAX);

	c->send_quantum = clamp32(max64(quantum, 2 * (uint64_t)c->mss));
}

/* 5.6.4.7 */
static void bound_cwnd_for_model(struct strata_congestion *c, const struct bbr *b)
{
	uint64_t cap = UNLIMITED;

	if (b->state == BBR_PROBE_RTT || b->state == BBR_PROBE_BW_CRUISE)
		cap = inflight_with_headroom(c, b);
	else if (in_probe_bw(b))
		cap = b->inflight_longterm;
	cap = max64(min64(cap, b->inflight_shortterm), min_pipe(c));
	c->cwnd = clamp32(min64(c->cwnd, cap));
}

static void set_cwnd(struct strata_congestion *c, const struct bbr *b,
		     const struct strata_ack_sample *ack)
{
	uint64_t grown = (uint64_t)c->cwnd + ack->newly_delivered;
	uint64_t cap = (uint64_t)bdp_multiple(c, b, b->bw, phases[b->state].cwnd_gain) + extra_acked(b);
	uint32_t max_inflight = quantization_budget(c, b, cap);

	if (b->full_bw_reached)
		grown = min64(grown, max_inflight);
	else if (c->cwnd >= max_inflight && c->delivered >= ref_of(c)->initial_cwnd)
		grown = c->cwnd;
	c->cwnd = clamp32(max64(grown, min_pipe(c)));
	if (b->state == BBR_PROBE_RTT)
		c->cwnd = clamp32(min64(c->cwnd, probe_rtt_cwnd(c, b)));
	bound_cwnd_for_model(c, b);
}

/* ---- the connection ---- */

static struct bbr *state_new(struct strata_congestion *c)
{
	struct bbr_module *m = c->algorithm->state;
	struct bbr *b = strata_cache_alloc(m->states);

	if (b == NULL)
		return NULL;
	b->owner = c;
	b->next = m->first;
	b->link = &m->first;
	if (b->next != NULL)
		b->next->link = &b->next;
	m->first = b;
	return b;
}

/* 5.2.1; what the draft sets to zero is zero. */
static void begin(struct strata_congestion *c, struct bbr *b)
{
	uint64_t now = strata_now(c->stack);

	b->min_rtt = b->probe_rtt_min_delay = c->srtt != 0 ? c->srtt : STRATA_NEVER;
	b->min_rtt_stamp = b->probe_rtt_min_stamp = now;
	b->extra_acked_interval_start = now;
	b->undo_state = BBR_STATES;
	b->inflight_longterm = UNLIMITED;
	b->probe_up_acked_per_inc = UINT64_MAX;
	b->next_round_delivered = b->loss_round_delivered = c->delivered;
	reset_short_term_model(b);
	set_initial_pacing_rate(c, b);
	set_send_quantum(c);
	ref_of(c)->bbr = b;
}

/* The connection's state; made now where memory was short before. NULL: still short. */
static struct bbr *state_of(struct strata_congestion *c)
{
	struct bbr *b = ref_of(c)->bbr;

	if (strata_likely(b != NULL))
		return b;
	b = state_new(c);
	if (b != NULL)
		begin(c, b);
	return b;
}

static void bbr_init(struct strata_congestion *c)
{
	ref_of(c)->bbr = NULL;
	ref_of(c)->initial_cwnd = c->cwnd;
	state_of(c);
}

/* The connection goes on without us: nothing of ours is to bind it. */
static void let_go(struct bbr *b)
{
	struct strata_congestion *c = b->owner;
	struct bbr_module *m = c->algorithm->state;

	c->pacing_rate = 0;
	c->send_quantum = 0;
	c->mark_app_limited = false;
	ref_of(c)->bbr = NULL;
	*b->link = b->next;
	if (b->next != NULL)
		b->next->link = b->link;
	strata_cache_free(m->states, b);
}

static void bbr_release(struct strata_congestion *c)
{
	if (ref_of(c)->bbr != NULL)
		let_go(ref_of(c)->bbr);
}

/* ---- acknowledgements ---- */

/* Without a model the window is the initial one, opened again after a timeout. */
static void control_without_state(struct strata_congestion *c, const struct strata_ack_sample *ack)
{
	if (c->cwnd < ref_of(c)->initial_cwnd)
		c->cwnd = clamp32(min64((uint64_t)c->cwnd + ack->newly_delivered,
					ref_of(c)->initial_cwnd));
}

/* 5.2.3 */
static void bbr_control(struct strata_congestion *c, const struct strata_ack_sample *ack)
{
	struct bbr *b = state_of(c);

	if (b == NULL) {
		control_without_state(c, ack);
		return;
	}
	update_latest_delivery_signals(c, b, ack);
	update_congestion_signals(c, b, ack);
	update_ack_aggregation(c, b, ack);
	check_full_bw_reached(b, ack);
	check_startup_done(c, b, ack);
	check_drain_done(c, b, ack);
	update_probe_bw_cycle_phase(c, b, ack);
	update_min_rtt(c, b, ack);
	check_probe_rtt(c, b, ack);
	advance_latest_delivery_signals(b, ack);
	b->bw = min64(b->max_bw, b->bw_shortterm);
	/* 5.6.4.4: recovery is over. */
	if (b->in_recovery && !ack->in_recovery)
		restore_cwnd(c, b);
	b->in_recovery = ack->in_recovery;
	set_pacing_rate(c, b, phases[b->state].pacing_gain);
	set_send_quantum(c);
	set_cwnd(c, b, ack);
	c->mark_app_limited = b->state == BBR_PROBE_RTT;
}

/* ---- losses (5.5.10.2) ---- */

static void note_loss(const struct strata_congestion *c, struct bbr *b, uint64_t now)
{
	if (!b->is_loss_in_round) {
		b->loss_round_delivered = c->delivered;
		/* In a recovery under way, what was saved at its beginning is what an undo wants. */
		if (!b->in_recovery)
			save_state(c, b, now);
	}
	b->is_loss_in_round = true;
}

/* At what flight did the losses cross the threshold, if within this transmission? */
static uint64_t inflight_at_loss(const struct strata_congestion *c,
				 const struct strata_loss_sample *loss)
{
	uint64_t threshold = config_of(c)->loss_threshold;
	uint64_t inflight_prev = loss->tx_flight - min64(loss->tx_flight, loss->bytes);
	uint64_t lost_prev = loss->lost_since - min64(loss->lost_since, loss->bytes);
	uint64_t allowed = threshold * inflight_prev, had = PERCENT * lost_prev;

	return allowed > had ? inflight_prev + (allowed - had) / (PERCENT - threshold) : inflight_prev;
}

static void bbr_segment_lost(struct strata_congestion *c, const struct strata_loss_sample *loss)
{
	struct bbr *b = state_of(c);

	if (b == NULL)
		return;
	note_loss(c, b, loss->now);
	if (!b->is_bw_probe_sample || !is_inflight_too_high(c, loss->lost_since, loss->tx_flight))
		return;
	b->prev_probe_too_high = true;
	/* Once for each probe. */
	b->is_bw_probe_sample = false;
	if (!loss->app_limited)
		b->inflight_longterm =
			clamp32(max64(inflight_at_loss(c, loss),
				      (uint64_t)target_inflight(c, b) * BETA / PERCENT));
	if (b->state == BBR_PROBE_BW_UP) {
		b->undo_state = BBR_PROBE_BW_UP;
		start_probe_bw_down(c, b, loss->now);
	}
}

/* Recovery begins. The threshold is not ours: there is no slow start. */
static uint32_t bbr_loss(struct strata_congestion *c, uint64_t now)
{
	struct bbr *b = state_of(c);

	if (b != NULL)
		save_state(c, b, now);
	return c->ssthresh;
}

/* 5.5.11.2 */
static void bbr_undo(struct strata_congestion *c, uint32_t cwnd, uint32_t ssthresh)
{
	struct bbr *b = state_of(c);

	c->ssthresh = ssthresh;
	c->cwnd = c->cwnd > cwnd ? c->cwnd : cwnd;
	if (b == NULL)
		return;
	restore_cwnd(c, b);
	b->is_loss_in_round = false;
	reset_full_bw(b, 0);
	b->bw_shortterm = max64(b->bw_shortterm, b->undo_bw_shortterm);
	b->inflight_shortterm = clamp32(max64(b->inflight_shortterm, b->undo_inflight_shortterm));
	b->inflight_longterm = clamp32(max64(b->inflight_longterm, b->undo_inflight_longterm));
	if (b->undo_state == BBR_STARTUP && b->state != BBR_STARTUP) {
		b->full_bw_reached = false;
		if (b->state != BBR_PROBE_RTT)
			b->state = BBR_STARTUP;
	} else if (b->undo_state == BBR_PROBE_BW_UP && b->state != BBR_PROBE_BW_UP &&
		   b->state != BBR_PROBE_RTT) {
		start_probe_bw_refill(c, b);
	}
	b->undo_state = BBR_STATES;
}

/* ---- idle times (5.4) ---- */

/* The window stays as it is: pacing keeps the first flight from being a burst. */
static void bbr_restart(struct strata_congestion *c, uint64_t idle)
{
	(void)c;
	(void)idle;
}

static void bbr_flight_begins(struct strata_congestion *c, uint64_t now, bool app_limited)
{
	struct bbr *b = state_of(c);

	if (b == NULL || !app_limited)
		return;
	b->idle_restart = true;
	b->extra_acked_interval_start = now;
	if (in_probe_bw(b))
		set_pacing_rate(c, b, PERCENT);
	else if (b->state == BBR_PROBE_RTT)
		check_probe_rtt_done(c, b, now);
}

static void bbr_describe(const struct strata_congestion *c, char *buf, size_t size)
{
	const struct bbr_ref *ref = (const struct bbr_ref *)(const void *)c->priv;
	const struct bbr *b = ref->bbr;

	if (b == NULL)
		snprintf(buf, size, "no memory");
	else
		snprintf(buf, size, "%s bw:%llu min_rtt:%lluus inflight_longterm:%u inflight_shortterm:%u",
			 phases[b->state].name, (unsigned long long)b->bw,
			 (unsigned long long)(b->min_rtt == STRATA_NEVER ? 0 : b->min_rtt / STRATA_US),
			 b->inflight_longterm, b->inflight_shortterm);
}

/* ---- the module ---- */

static int bbr_start(struct strata_instance *self, struct strata_error *error)
{
	struct bbr_module *m = strata_alloc(self->stack, sizeof(*m));

	if (m == NULL)
		goto out_memory;
	m->states = strata_cache_create(self->stack, "bbr", sizeof(struct bbr));
	if (m->states == NULL)
		goto out_free;
	self->state = m;
	return 0;
out_free:
	strata_free(self->stack, m);
out_memory:
	strata_error_add(error, "%s: out of memory", self->name);
	return -ENOMEM;
}

/* Connections that use it go on without it, and begin anew should it come back. */
static void bbr_stop(struct strata_instance *self)
{
	struct bbr_module *m = self->state;

	while (m->first != NULL)
		let_go(m->first);
	strata_cache_destroy(m->states);
	strata_free(self->stack, m);
	self->state = NULL;
}

#define OPTION(field, type_, fallback_, min_, max_, unit_, help_) \
	{ .name = #field, .type = STRATA_OPT_##type_, .offset = offsetof(struct bbr_config, field), \
	  .fallback = fallback_, .min = min_, .max = max_, .unit = unit_, .help = help_, \
	  .runtime = true }

static const struct strata_option options[] = {
	OPTION(probe_rtt_interval, TIME, "5s", STRATA_SEC, 3600 * STRATA_SEC, NULL,
	       "How old the smallest round-trip time may grow before it is measured again."),
	OPTION(probe_rtt_duration, TIME, "200ms", STRATA_MS, 10 * STRATA_SEC, NULL,
	       "How long the flight is kept small for that."),
	OPTION(min_rtt_window, TIME, "10s", STRATA_SEC, 3600 * STRATA_SEC, NULL,
	       "How long the smallest round-trip time is remembered."),
	OPTION(probe_wait, TIME, "2s", 0, 60 * STRATA_SEC, NULL,
	       "Time between probes for more bandwidth; up to a second more, at random."),
	OPTION(loss_threshold, UINT, "2", 1, 50, "%",
	       "Part of a flight whose loss says that the flight was too large."),
	OPTION(loss_tolerance, UINT, "2", 0, 50, "%",
	       "Part of a round trip's data whose loss lowers rate and flight not even for the moment."),
	OPTION(pacing_margin, UINT, "1", 0, 50, "%",
	       "How far the pacing rate stays below the bandwidth estimated."),
	OPTION(startup_loss_events, UINT, "6", 1, 255, NULL,
	       "Acknowledgements with news of losses, within a round trip, that may end Startup."),
};

static const struct strata_congestion_ops congestion = {
	.init = bbr_init,
	.release = bbr_release,
	.control = bbr_control,
	.segment_lost = bbr_segment_lost,
	.loss = bbr_loss,
	.timeout = bbr_loss,
	.undo = bbr_undo,
	.restart = bbr_restart,
	.flight_begins = bbr_flight_begins,
	.describe = bbr_describe,
};

STRATA_MODULE(bbr) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_CONGESTION,
	.name = "bbr",
	.version = "0.1.0",
	.summary = "BBR congestion control, version 3 (draft-ietf-ccwg-bbr-06)",
	.config_size = sizeof(struct bbr_config),
	.options = options,
	.option_count = STRATA_COUNT(options),
	.start = bbr_start,
	.stop = bbr_stop,
	.congestion = &congestion,
};
