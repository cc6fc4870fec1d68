/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BBR's model of a path and the states it goes through to make it (draft-ietf-ccwg-bbr-06, 5.3 and 5.5).
 * Numbers in comments are the draft's sections; read them before editing.
 */
#include "bbr_int.h"

/* 5.6.1; gains in percent. */
const struct bbr_phase bbr_phases[BBR_STATES] = {
	[BBR_STARTUP] = { "Startup", STARTUP_PACING_GAIN, 200 },
	[BBR_DRAIN] = { "Drain", 50, 200 },
	[BBR_PROBE_BW_DOWN] = { "ProbeBW_DOWN", 90, 200 },
	[BBR_PROBE_BW_CRUISE] = { "ProbeBW_CRUISE", 100, 200 },
	[BBR_PROBE_BW_REFILL] = { "ProbeBW_REFILL", 100, 200 },
	[BBR_PROBE_BW_UP] = { "ProbeBW_UP", 125, 225 },
	[BBR_PROBE_RTT] = { "ProbeRTT", 100, 50 },
};

/* Is it accelerating? */
static bool is_probing_bw(const struct bbr *b)
{
	return b->state == BBR_STARTUP || b->state == BBR_PROBE_BW_REFILL || b->state == BBR_PROBE_BW_UP;
}

/* ---- how much should be in flight (5.6.4.2) ---- */

uint32_t bbr_bdp_multiple(struct strata_congestion *c, const struct bbr *b, uint64_t bw,
			  unsigned int gain)
{
	if (b->min_rtt == STRATA_NEVER)
		return bbr_ref_of(c)->initial_cwnd;
	return bbr_clamp32(bbr_volume(bw, b->min_rtt) * gain / PERCENT);
}

uint32_t bbr_quantization_budget(const struct strata_congestion *c, const struct bbr *b,
				 uint64_t cap)
{
	cap = bbr_max64(cap, (uint64_t)OFFLOAD_QUANTA * c->send_quantum);
	cap = bbr_max64(cap, bbr_min_pipe(c));
	if (b->state == BBR_PROBE_BW_UP)
		cap += 2 * c->mss;
	return bbr_clamp32(cap);
}

static uint32_t inflight(struct strata_congestion *c, const struct bbr *b, uint64_t bw,
			 unsigned int gain)
{
	return bbr_quantization_budget(c, b, bbr_bdp_multiple(c, b, bw, gain));
}

uint32_t bbr_inflight_with_headroom(const struct strata_congestion *c, const struct bbr *b)
{
	uint32_t headroom = (uint32_t)((uint64_t)b->inflight_longterm * HEADROOM / PERCENT);

	if (b->inflight_longterm == UNLIMITED)
		return UNLIMITED;
	headroom = headroom > c->mss ? headroom : c->mss;
	return b->inflight_longterm > headroom + bbr_min_pipe(c) ? b->inflight_longterm - headroom :
								 bbr_min_pipe(c);
}

/* 5.3.3.8: what we want in flight, unless congestion has cut the window. */
static uint32_t target_inflight(struct strata_congestion *c, const struct bbr *b)
{
	return bbr_clamp32(bbr_min64(bbr_bdp_multiple(c, b, b->bw, PERCENT), c->cwnd));
}

uint32_t bbr_probe_rtt_cwnd(struct strata_congestion *c, const struct bbr *b)
{
	uint32_t cwnd = bbr_bdp_multiple(c, b, b->bw, bbr_phases[BBR_PROBE_RTT].cwnd_gain);

	return bbr_clamp32(bbr_max64(cwnd, bbr_min_pipe(c)));
}

uint32_t bbr_extra_acked(const struct bbr *b)
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

void bbr_restore_cwnd(struct strata_congestion *c, const struct bbr *b)
{
	c->cwnd = c->cwnd > b->prior_cwnd ? c->cwnd : b->prior_cwnd;
}

/* 5.5.11.1. Losses and the recovery that they begin come at one time: what the first of them finds is what
 * an undo wants. */
void bbr_save_state(const struct strata_congestion *c, struct bbr *b, uint64_t now)
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

void bbr_reset_short_term_model(struct bbr *b)
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
	b->rounds_since_probe_up = strata_random_below(c->algorithm->stack, 2);
	b->bw_probe_wait = bbr_config_of(c)->probe_wait +
			   strata_random_below(c->algorithm->stack, (uint32_t)PROBE_WAIT_SPREAD);
	b->cycle_stamp = now;
	b->ack_phase = BBR_ACKS_PROBE_STOPPING;
	start_round(c, b);
	b->state = BBR_PROBE_BW_DOWN;
}

static void start_probe_bw_refill(struct strata_congestion *c, struct bbr *b)
{
	bbr_reset_short_term_model(b);
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
	b->probe_up_acked_per_inc = bbr_max64(c->cwnd / growth, c->mss);
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
	bbr_reset_short_term_model(b);
	if (b->full_bw_reached) {
		start_probe_bw_down(c, b, now);
		b->state = BBR_PROBE_BW_CRUISE;
	} else {
		b->state = BBR_STARTUP;
	}
}

void bbr_check_probe_rtt_done(struct strata_congestion *c, struct bbr *b, uint64_t now)
{
	if (b->probe_rtt_done_stamp == 0 || now <= b->probe_rtt_done_stamp)
		return;
	b->probe_rtt_min_stamp = now;
	bbr_restore_cwnd(c, b);
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
	b->max_bw_filter[1] = bbr_max64(b->max_bw_filter[1], ack->delivery_rate);
	b->max_bw = bbr_max64(b->max_bw_filter[0], b->max_bw_filter[1]);
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
	b->bw_latest = bbr_max64(b->bw_latest, ack->delivery_rate);
	b->inflight_latest = bbr_clamp32(bbr_max64(b->inflight_latest, ack->rate_delivered));
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
	    (uint64_t)ack->rate_lost * PERCENT <= ack->tx_flight * bbr_config_of(c)->loss_tolerance)
		return;
	if (b->bw_shortterm == UNLIMITED_BW)
		b->bw_shortterm = b->max_bw;
	if (b->inflight_shortterm == UNLIMITED)
		b->inflight_shortterm = c->cwnd;
	b->bw_shortterm = bbr_max64(b->bw_latest, b->bw_shortterm * BETA / PERCENT);
	b->inflight_shortterm =
		bbr_clamp32(bbr_max64(b->inflight_latest, (uint64_t)b->inflight_shortterm * BETA / PERCENT));
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
	uint64_t expected = bbr_volume(b->bw, ack->now - b->extra_acked_interval_start);
	uint32_t *slot = &b->extra_acked[b->round_count % EXTRA_ACKED_ROUNDS];
	uint64_t extra;

	if (b->extra_acked_delivered <= expected) {
		b->extra_acked_delivered = 0;
		b->extra_acked_interval_start = ack->now;
		expected = 0;
	}
	b->extra_acked_delivered += ack->newly_delivered;
	extra = bbr_min64(b->extra_acked_delivered - expected, c->cwnd);
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
	return lost * PERCENT > tx_flight * bbr_config_of(c)->loss_threshold || (lost != 0 && !c->sack);
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
	    (b->loss_events_in_round >= bbr_config_of(c)->startup_loss_events || !c->sack) &&
	    is_inflight_too_high(c, ack->rate_lost, ack->tx_flight)) {
		b->undo_state = BBR_STARTUP;
		b->full_bw_reached = true;
		b->inflight_longterm =
			bbr_clamp32(bbr_max64(bbr_bdp_multiple(c, b, b->max_bw, PERCENT), b->inflight_latest));
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
	       (uint64_t)ack->flight_before + bbr_max64(c->send_quantum, c->mss) >= c->cwnd;
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
			bbr_clamp32(bbr_min64(b->inflight_longterm + steps * c->mss, UNLIMITED - 1));
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
		if (bbr_in_probe_bw(b) && !ack->app_limited)
			advance_max_bw_filter(b);
		/* 5.3.3.6: the brief probe did no harm; now a whole one. */
		if (bbr_in_probe_bw(b) && b->prev_probe_precautionary && !b->prev_probe_too_high) {
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
	       b->rounds_since_probe_up >= bbr_min64(target_inflight(c, b) / c->mss, RENO_ROUNDS);
}

static bool is_time_to_cruise(struct strata_congestion *c, const struct bbr *b)
{
	return c->flight <= bbr_inflight_with_headroom(c, b) &&
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
	const struct bbr_config *config = bbr_config_of(c);

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
		if (c->flight > bbr_probe_rtt_cwnd(c, b))
			return;
		b->probe_rtt_done_stamp = now + bbr_config_of(c)->probe_rtt_duration;
		b->probe_rtt_round_done = false;
		start_round(c, b);
		return;
	}
	if (b->round_start)
		b->probe_rtt_round_done = true;
	if (b->probe_rtt_round_done)
		bbr_check_probe_rtt_done(c, b, now);
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

/* ---- losses (5.5.10.2) ---- */

static void note_loss(const struct strata_congestion *c, struct bbr *b, uint64_t now)
{
	if (!b->is_loss_in_round) {
		b->loss_round_delivered = c->delivered;
		/* In a recovery under way, what was saved at its beginning is what an undo wants. */
		if (!b->in_recovery)
			bbr_save_state(c, b, now);
	}
	b->is_loss_in_round = true;
}

/* At what flight did the losses cross the threshold, if within this transmission? */
static uint64_t inflight_at_loss(const struct strata_congestion *c,
				 const struct strata_loss_sample *loss)
{
	uint64_t threshold = bbr_config_of(c)->loss_threshold;
	uint64_t inflight_prev = loss->tx_flight - bbr_min64(loss->tx_flight, loss->bytes);
	uint64_t lost_prev = loss->lost_since - bbr_min64(loss->lost_since, loss->bytes);
	uint64_t allowed = threshold * inflight_prev, had = PERCENT * lost_prev;

	return allowed > had ? inflight_prev + (allowed - had) / (PERCENT - threshold) : inflight_prev;
}

void bbr_update_lost(struct strata_congestion *c, struct bbr *b, const struct strata_loss_sample *loss)
{
	note_loss(c, b, loss->now);
	if (!b->is_bw_probe_sample || !is_inflight_too_high(c, loss->lost_since, loss->tx_flight))
		return;
	b->prev_probe_too_high = true;
	/* Once for each probe. */
	b->is_bw_probe_sample = false;
	if (!loss->app_limited)
		b->inflight_longterm =
			bbr_clamp32(bbr_max64(inflight_at_loss(c, loss),
				      (uint64_t)target_inflight(c, b) * BETA / PERCENT));
	if (b->state == BBR_PROBE_BW_UP) {
		b->undo_state = BBR_PROBE_BW_UP;
		start_probe_bw_down(c, b, loss->now);
	}
}

/* 5.5.11.2 */
void bbr_update_spurious(struct strata_congestion *c, struct bbr *b)
{
	bbr_restore_cwnd(c, b);
	b->is_loss_in_round = false;
	reset_full_bw(b, 0);
	b->bw_shortterm = bbr_max64(b->bw_shortterm, b->undo_bw_shortterm);
	b->inflight_shortterm = bbr_clamp32(bbr_max64(b->inflight_shortterm, b->undo_inflight_shortterm));
	b->inflight_longterm = bbr_clamp32(bbr_max64(b->inflight_longterm, b->undo_inflight_longterm));
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

/* 5.2.3 */
void bbr_update_model(struct strata_congestion *c, struct bbr *b, const struct strata_ack_sample *ack)
{
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
	b->bw = bbr_min64(b->max_bw, b->bw_shortterm);
}
