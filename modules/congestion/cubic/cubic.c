/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CUBIC: the window as a cubic function of the time since it was last reduced (RFC 9438), with HyStart++
 * in the first slow start (RFC 9406). All in integers, so that a run is the same wherever it is built.
 * Read RFC 9438 section 4 and RFC 9406 section 4 before editing.
 */
#include <errno.h>
#include <stdio.h>

#include <strata/congestion.h>

/* RFC 9438 5: C, in segments per second cubed. */
#define C_NUMERATOR 4
#define C_DENOMINATOR 10
/* Multiplicative decrease is counted in parts of it. */
#define BETA_UNIT 1024
/* Time is counted in ticks of 1/1024 s. */
#define TICK_SHIFT 10
/* local choice: beyond 512 s the curve is far above any window, and its cube would not fit. */
#define OFFSET_MAX (1u << 19)
/* local choice: twice the largest window that a header can offer. */
#define WINDOW_MAX (UINT32_C(1) << 31)
/* RFC 9438 4.6: ssthresh is at least two segments. */
#define SSTHRESH_MIN_SEGMENTS 2

/* RFC 9406 4.3 */
#define HYSTART_RTT_MIN_THRESHOLD 4000u		/* µs */
#define HYSTART_RTT_MAX_THRESHOLD 16000u
#define HYSTART_RTT_DIVISOR 8
#define HYSTART_SAMPLES 8
#define CSS_GROWTH_DIVISOR 4
#define CSS_ROUNDS 5

struct cubic_config {
	uint64_t beta;		/* of BETA_UNIT */
	uint64_t hystart_low_window;	/* segments */
	bool fast_convergence, reno_friendly, hystart;
};

/* The curve of one congestion avoidance stage. Windows in bytes. */
struct curve {
	uint32_t epoch;		/* t_epoch, ticks; later than that by all the time the window was not used */
	uint32_t k;		/* K, ticks */
	uint32_t w_max;		/* 0: none, the stage begins at its own plateau */
	uint32_t w_est;		/* what Reno would have reached (RFC 9438 4.3) */
	uint32_t cwnd_prior;	/* cwnd when ssthresh was last set */
};

/* HyStart++ is for the first slow start alone. Times in µs; UINT32_MAX: unknown. */
struct hystart {
	uint32_t left;		/* bytes to be acknowledged until the round ends; 0: none has begun */
	uint32_t last_round_min_rtt, current_round_min_rtt, css_baseline_min_rtt;
	uint8_t samples, css_rounds;
	bool css;		/* conservative slow start */
};

/* What a connection needs once its window was the limit, or was reduced. Until then there is none. */
struct cubic {
	struct strata_congestion *owner;
	struct cubic *next, **link;		/* of the module */
	struct curve curve;
	uint32_t est_acked;	/* bytes acknowledged since w_est last grew */
	uint32_t fraction;	/* of a byte that the window did not grow yet, in parts of cwnd */
	uint32_t last;		/* tick of the last acknowledgement */
	union {
		struct hystart hystart;	/* while there is no threshold */
		struct curve undo;	/* afterwards: before the last reduction */
	};
	bool staged;		/* a congestion avoidance stage is under way */
	bool undo_staged;
};

/* In priv of the connection. */
struct cubic_ref {
	struct cubic *cubic;	/* NULL: not needed yet, or memory was short */
};
_Static_assert(sizeof(struct cubic_ref) <= STRATA_CONGESTION_PRIV, "state too large");

struct cubic_module {
	struct strata_cache *states;
	struct cubic *first;
};

static struct cubic_ref *ref_of(struct strata_congestion *c)
{
	return (struct cubic_ref *)(void *)c->priv;
}

static struct cubic *state_of(struct strata_congestion *c)
{
	return ref_of(c)->cubic;
}

static uint32_t min32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static uint32_t max32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t ticks(uint64_t ns)
{
	return (uint32_t)((ns / STRATA_SEC << TICK_SHIFT) + ((ns % STRATA_SEC) << TICK_SHIFT) / STRATA_SEC);
}

static void hystart_reset(struct hystart *hs)
{
	*hs = (struct hystart){ .last_round_min_rtt = UINT32_MAX, .current_round_min_rtt = UINT32_MAX,
				.css_baseline_min_rtt = UINT32_MAX };
}

/* ---- a connection's state ---- */

/* The state, made where there is none. NULL: memory is short. */
static struct cubic *state_made(struct strata_congestion *c, uint64_t now)
{
	struct cubic_module *m = c->algorithm->state;
	struct cubic *cu = state_of(c);

	if (strata_likely(cu != NULL))
		return cu;
	cu = strata_cache_alloc(m->states);
	if (cu == NULL)
		return NULL;
	cu->owner = c;
	cu->next = m->first;
	cu->link = &m->first;
	if (cu->next != NULL)
		cu->next->link = &cu->next;
	m->first = cu;
	cu->last = ticks(now);
	if (c->ssthresh == UINT32_MAX)
		hystart_reset(&cu->hystart);
	ref_of(c)->cubic = cu;
	return cu;
}

static void let_go(struct cubic_module *m, struct cubic *cu)
{
	ref_of(cu->owner)->cubic = NULL;
	*cu->link = cu->next;
	if (cu->next != NULL)
		cu->next->link = cu->link;
	strata_cache_free(m->states, cu);
}

static void cubic_release(struct strata_congestion *c)
{
	if (state_of(c) != NULL)
		let_go(c->algorithm->state, state_of(c));
}

/* Round-trip times are of no use after a pause; where the window was never reduced that is all there is. */
static void cubic_rest(struct strata_congestion *c)
{
	const struct cubic *cu = state_of(c);

	if (cu != NULL && c->ssthresh == UINT32_MAX && !cu->staged && cu->curve.w_max == 0)
		cubic_release(c);
}

static void cubic_moved(struct strata_congestion *c)
{
	if (state_of(c) != NULL)
		state_of(c)->owner = c;
}

/* ---- arithmetic ---- */

/* The largest integer whose cube is not above `v`, bit by bit. */
static uint32_t cube_root(uint64_t v)
{
	uint64_t root = 0;

	for (int shift = 63; shift >= 0; shift -= 3) {
		uint64_t step;

		root <<= 1;
		/* (root + 1)³ − root³ */
		step = 3 * root * (root + 1) + 1;
		if (v >> shift >= step) {
			v -= step << shift;
			root++;
		}
	}
	return (uint32_t)root;
}

/* ---- slow start ---- */

/* RFC 9406 4.2: what is in flight when a round begins is acknowledged when it ends. */
static void hystart_round(struct strata_congestion *c, struct hystart *hs)
{
	hs->left = c->flight;
	hs->last_round_min_rtt = hs->current_round_min_rtt;
	hs->current_round_min_rtt = UINT32_MAX;
	hs->samples = 0;
	/* The round in which conservative slow start began counts, too. */
	if (hs->css && ++hs->css_rounds >= CSS_ROUNDS)
		c->ssthresh = c->cwnd;
}

static void hystart_rtt(struct strata_congestion *c, struct hystart *hs, uint64_t rtt)
{
	const struct cubic_config *config = c->algorithm->config;
	uint32_t us = rtt / STRATA_US < UINT32_MAX ? (uint32_t)(rtt / STRATA_US) : UINT32_MAX - 1;
	uint32_t threshold;

	hs->current_round_min_rtt = min32(hs->current_round_min_rtt, us);
	if (hs->samples < HYSTART_SAMPLES)
		hs->samples++;
	if (hs->samples < HYSTART_SAMPLES)
		return;
	if (hs->css) {
		/* The delay was an accident: back to slow start. */
		if (hs->current_round_min_rtt < hs->css_baseline_min_rtt) {
			hs->css = false;
			hs->css_rounds = 0;
		}
		return;
	}
	if (hs->last_round_min_rtt == UINT32_MAX || c->cwnd < config->hystart_low_window * c->mss)
		return;
	threshold = hs->last_round_min_rtt / HYSTART_RTT_DIVISOR;
	threshold = max32(HYSTART_RTT_MIN_THRESHOLD, min32(threshold, HYSTART_RTT_MAX_THRESHOLD));
	if (hs->current_round_min_rtt - hs->last_round_min_rtt >= threshold &&
	    hs->current_round_min_rtt > hs->last_round_min_rtt) {
		hs->css = true;
		hs->css_baseline_min_rtt = hs->current_round_min_rtt;
	}
}

/* Returns bytes left for congestion avoidance. */
static uint32_t slow_start(struct strata_congestion *c, const struct strata_ack_sample *ack)
{
	const struct cubic_config *config = c->algorithm->config;
	struct hystart *hs = &state_of(c)->hystart;
	uint32_t grow = ack->acked, room = c->ssthresh - c->cwnd;

	if (c->ssthresh == UINT32_MAX && config->hystart) {
		if (hs->css)
			grow /= CSS_GROWTH_DIVISOR;
		c->cwnd += min32(grow, WINDOW_MAX - min32(c->cwnd, WINDOW_MAX));
		if (ack->rtt != 0)
			hystart_rtt(c, hs, ack->rtt);
		if (hs->left == 0)
			hs->left = ack->acked + c->flight;
		hs->left -= min32(hs->left, ack->acked);
		if (hs->left == 0)
			hystart_round(c, hs);
		return 0;
	}
	if (grow <= room) {
		c->cwnd += min32(grow, WINDOW_MAX - min32(c->cwnd, WINDOW_MAX));
		return 0;
	}
	c->cwnd = c->ssthresh;
	return grow - room;
}

/* ---- congestion avoidance ---- */

/* RFC 9438 4.2, figure 1: W_cubic(t) in bytes. */
static uint32_t w_cubic(const struct strata_congestion *c, const struct curve *curve, uint32_t t)
{
	bool before = t < curve->k;
	uint64_t offset = before ? curve->k - t : t - curve->k, delta;

	if (offset > OFFSET_MAX)
		offset = OFFSET_MAX;
	delta = offset * offset * offset * C_NUMERATOR / C_DENOMINATOR;
	/* Cubed ticks to cubed seconds, in two steps, so that the bytes between fit. */
	delta = (delta >> TICK_SHIFT) * c->mss >> (2 * TICK_SHIFT);
	if (before)
		return curve->w_max > delta ? curve->w_max - (uint32_t)delta : 0;
	return delta < WINDOW_MAX - curve->w_max ? curve->w_max + (uint32_t)delta : WINDOW_MAX;
}

/* RFC 9438 4.2: K = ∛((W_max − cwnd_epoch) / C), in ticks. */
static uint32_t k_of(uint32_t below, uint32_t mss)
{
	return cube_root(((uint64_t)below << 3 * TICK_SHIFT) / C_NUMERATOR * C_DENOMINATOR / mss);
}

static void begin_stage(struct strata_congestion *c, uint32_t now)
{
	struct cubic *cu = state_of(c);
	struct curve *curve = &cu->curve;

	cu->staged = true;
	cu->est_acked = cu->fraction = 0;
	curve->epoch = now;
	curve->w_est = c->cwnd;
	if (curve->w_max <= c->cwnd) {
		/* RFC 9438 4.8, 4.10: after a timeout, or a slow start that ended without a loss. */
		curve->w_max = c->cwnd;
		curve->k = 0;
	} else {
		curve->k = k_of(curve->w_max - c->cwnd, c->mss);
	}
}

/* RFC 9438 4.3, figure 4: W_est grows by α segments a window. */
static void grow_estimate(struct strata_congestion *c, uint32_t acked)
{
	const struct cubic_config *config = c->algorithm->config;
	struct cubic *cu = state_of(c);
	uint64_t step, got = (uint64_t)cu->est_acked + acked;

	for (;;) {
		/* α = 3 (1 − β) / (1 + β), and 1 beyond the window of before. */
		step = c->cwnd;
		if (cu->curve.w_est < cu->curve.cwnd_prior)
			step = step * (BETA_UNIT + config->beta) / (3 * (BETA_UNIT - config->beta));
		if (got < step || cu->curve.w_est >= WINDOW_MAX)
			break;
		got -= step;
		cu->curve.w_est += c->mss;
	}
	cu->est_acked = (uint32_t)(got < UINT32_MAX ? got : UINT32_MAX);
}

static void avoid_congestion(struct strata_congestion *c, uint32_t acked)
{
	const struct cubic_config *config = c->algorithm->config;
	struct cubic *cu = state_of(c);
	uint32_t t = cu->last - cu->curve.epoch, target;
	uint64_t grown;

	grow_estimate(c, acked);
	/* RFC 9438 4.3: the Reno-friendly region. */
	if (config->reno_friendly && w_cubic(c, &cu->curve, t) < cu->curve.w_est) {
		c->cwnd = max32(c->cwnd, cu->curve.w_est);
		return;
	}
	/* 4.4, 4.5: towards where the curve will be in a round trip, by at most half the window in one. */
	target = w_cubic(c, &cu->curve, t + ticks(c->srtt));
	target = min32(target, c->cwnd + c->cwnd / 2);
	if (target <= c->cwnd)
		return;
	grown = (uint64_t)(target - c->cwnd) * min32(acked, c->cwnd) + cu->fraction;
	cu->fraction = (uint32_t)(grown % c->cwnd);
	c->cwnd += (uint32_t)(grown / c->cwnd);
}

/* RFC 9438 4.2, 5.8: time in which the window was not used does not count. */
static void skip_time(struct cubic *cu, uint32_t now)
{
	cu->curve.epoch += now - cu->last;
}

/* Without memory for the curve the window grows as Reno's (RFC 5681 3.1). */
static void acked_without_state(struct strata_congestion *c, uint32_t acked)
{
	uint64_t grow = acked;

	if (c->cwnd >= c->ssthresh)
		grow = (uint64_t)c->mss * min32(acked, c->cwnd) / c->cwnd;
	c->cwnd += (uint32_t)(grow < WINDOW_MAX - min32(c->cwnd, WINDOW_MAX) ? grow : 0);
}

static void cubic_acked(struct strata_congestion *c, const struct strata_ack_sample *ack)
{
	struct cubic *cu = state_of(c);
	uint32_t acked = ack->acked, now;

	if (!ack->cwnd_limited) {
		if (cu == NULL)
			return;
		now = ticks(ack->now);
		skip_time(cu, now);
		cu->last = now;
		return;
	}
	cu = state_made(c, ack->now);
	if (cu == NULL) {
		acked_without_state(c, acked);
		return;
	}
	now = ticks(ack->now);
	cu->last = now;
	if (c->cwnd < c->ssthresh)
		acked = slow_start(c, ack);
	if (acked == 0)
		return;
	if (!cu->staged)
		begin_stage(c, now);
	avoid_congestion(c, acked);
}

static void cubic_flight_begins(struct strata_congestion *c, uint64_t now, bool app_limited)
{
	struct cubic *cu = state_of(c);

	(void)app_limited;
	if (cu == NULL)
		return;
	skip_time(cu, ticks(now));
	cu->last = ticks(now);
	/* What the round-trip times of before the pause were says nothing now. */
	if (c->ssthresh == UINT32_MAX)
		hystart_reset(&cu->hystart);
}

/* ---- reduction ---- */

/* Returns the new threshold. `cu` NULL: memory is short. */
static uint32_t reduce(struct strata_congestion *c, struct cubic *cu)
{
	const struct cubic_config *config = c->algorithm->config;

	if (cu != NULL) {
		cu->undo = cu->curve;
		cu->undo_staged = cu->staged;
		cu->staged = false;
		cu->curve.cwnd_prior = c->cwnd;
	}
	return max32((uint32_t)(c->flight * config->beta / BETA_UNIT), SSTHRESH_MIN_SEGMENTS * c->mss);
}

/* RFC 9438 4.6 */
static uint32_t cubic_loss(struct strata_congestion *c, uint64_t now)
{
	const struct cubic_config *config = c->algorithm->config;
	struct cubic *cu = state_made(c, now);
	uint32_t ssthresh = reduce(c, cu);
	struct curve *curve;

	if (cu == NULL)
		return ssthresh;
	curve = &cu->curve;
	/* 4.7: below the plateau of before, another flow has taken its share: leave it more. */
	if (config->fast_convergence && c->cwnd < curve->w_max)
		curve->w_max = (uint32_t)((uint64_t)c->cwnd * (BETA_UNIT + config->beta) /
					  (2 * BETA_UNIT));
	else
		curve->w_max = c->cwnd;
	return ssthresh;
}

/* RFC 9438 4.8: no plateau; the next stage begins where slow start ends. */
static uint32_t cubic_timeout(struct strata_congestion *c, uint64_t now)
{
	struct cubic *cu = state_made(c, now);
	uint32_t ssthresh = reduce(c, cu);

	if (cu != NULL)
		cu->curve.w_max = 0;
	return ssthresh;
}

/* RFC 9438 4.9 */
static void cubic_undo(struct strata_congestion *c, uint32_t cwnd, uint32_t ssthresh)
{
	struct cubic *cu = state_of(c);

	if (c->ssthresh == UINT32_MAX)
		return;
	c->cwnd = max32(c->cwnd, cwnd);
	c->ssthresh = ssthresh;
	if (cu == NULL)
		return;
	cu->curve = cu->undo;
	cu->staged = cu->undo_staged;
	cu->est_acked = cu->fraction = 0;
	if (ssthresh == UINT32_MAX)
		hystart_reset(&cu->hystart);
}

static void cubic_init(struct strata_congestion *c)
{
	ref_of(c)->cubic = NULL;
}

static void cubic_describe(const struct strata_congestion *c, char *buf, size_t size)
{
	const struct cubic_ref *ref = (const struct cubic_ref *)(const void *)c->priv;
	const struct cubic *cu = ref->cubic;

	if (c->ssthresh == UINT32_MAX)
		snprintf(buf, size, "slow start%s",
			 cu != NULL && cu->hystart.css ? ", conservative" : "");
	else if (cu == NULL)
		snprintf(buf, size, "no memory");
	else if (!cu->staged)
		snprintf(buf, size, "w_max:%u", cu->curve.w_max);
	else
		snprintf(buf, size, "w_max:%u k:%ums w_est:%u", cu->curve.w_max,
			 (unsigned int)((uint64_t)cu->curve.k * 1000 >> TICK_SHIFT), cu->curve.w_est);
}

/* ---- the module ---- */

static int cubic_start(struct strata_instance *self, struct strata_error *error)
{
	struct cubic_module *m = strata_alloc(self->stack, sizeof(*m));

	if (m != NULL)
		m->states = strata_cache_create(self->stack, "cubic", sizeof(struct cubic));
	if (m == NULL || m->states == NULL) {
		strata_free(self->stack, m);
		strata_error_add(error, "%s: out of memory", self->name);
		return -ENOMEM;
	}
	self->state = m;
	return 0;
}

static void cubic_stop(struct strata_instance *self)
{
	struct cubic_module *m = self->state;

	/* Connections of whoever did not end with us go on without their curve. */
	while (m->first != NULL)
		let_go(m, m->first);
	strata_cache_destroy(m->states);
	strata_free(self->stack, m);
	self->state = NULL;
}

/* ---- tables ---- */

#define OPTION(field, type_, fallback_, min_, max_, unit_, help_) \
	{ .name = #field, .type = STRATA_OPT_##type_, .offset = offsetof(struct cubic_config, field), \
	  .fallback = fallback_, .min = min_, .max = max_, .unit = unit_, .help = help_, \
	  .runtime = true }

static const struct strata_option options[] = {
	OPTION(beta, UINT, "717", 512, 973, "1/1024",
	       "What is left of the window after a loss (RFC 9438 4.6)."),
	OPTION(fast_convergence, BOOL, "true", 0, 0, NULL,
	       "Leave more to new flows when the plateau sinks (RFC 9438 4.7)."),
	OPTION(reno_friendly, BOOL, "true", 0, 0, NULL,
	       "Grow no slower than Reno would (RFC 9438 4.3)."),
	OPTION(hystart, BOOL, "true", 0, 0, NULL,
	       "Leave the first slow start when round-trip times grow (RFC 9406)."),
	OPTION(hystart_low_window, UINT, "16", 2, 65535, "segments",
	       "Smallest window at which slow start is left for that."),
};

static const struct strata_congestion_ops congestion = {
	.init = cubic_init,
	.rest = cubic_rest,
	.moved = cubic_moved,
	.release = cubic_release,
	.acked = cubic_acked,
	.loss = cubic_loss,
	.timeout = cubic_timeout,
	.undo = cubic_undo,
	.flight_begins = cubic_flight_begins,
	.describe = cubic_describe,
};

STRATA_MODULE(cubic) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_CONGESTION,
	.name = "cubic",
	.version = "0.1.0",
	.summary = "CUBIC congestion control (RFC 9438) with HyStart++ (RFC 9406)",
	.start = cubic_start,
	.stop = cubic_stop,
	.config_size = sizeof(struct cubic_config),
	.options = options,
	.option_count = STRATA_COUNT(options),
	.congestion = &congestion,
};
