/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BBR version 3: a model of the path, made of the greatest delivery rate and the smallest round-trip time
 * seen lately, says how fast to send and how much may be in flight (draft-ietf-ccwg-bbr-06). Names are the
 * draft's. Read its section 5 before editing; numbers in comments are its sections.
 */
#include <errno.h>
#include <stdio.h>

#include "bbr_int.h"

/* ---- control parameters (5.6) ---- */

static void set_initial_pacing_rate(struct strata_congestion *c, struct bbr *b)
{
	uint64_t rtt = c->srtt != 0 ? c->srtt : INITIAL_RTT;

	b->rtt_known = c->srtt != 0;
	c->pacing_rate = (uint64_t)bbr_ref_of(c)->initial_cwnd * STRATA_SEC / rtt * STARTUP_PACING_GAIN /
			 PERCENT;
}

static void set_pacing_rate(struct strata_congestion *c, struct bbr *b, unsigned int gain)
{
	uint64_t rate = bbr_min64(b->bw, RATE_MAX) * gain / PERCENT *
			(PERCENT - bbr_config_of(c)->pacing_margin) / PERCENT;

	if (!b->rtt_known && c->srtt != 0)
		set_initial_pacing_rate(c, b);
	/* Zero would be no pacing at all. */
	if (rate != 0 && (b->full_bw_reached || rate > c->pacing_rate))
		c->pacing_rate = rate;
}

static void set_send_quantum(struct strata_congestion *c)
{
	uint64_t quantum = bbr_min64(bbr_volume(c->pacing_rate, QUANTUM_TIME), QUANTUM_MAX);

	c->send_quantum = bbr_clamp32(bbr_max64(quantum, 2 * (uint64_t)c->mss));
}

/* 5.6.4.7 */
static void bound_cwnd_for_model(struct strata_congestion *c, const struct bbr *b)
{
	uint64_t cap = UNLIMITED;

	if (b->state == BBR_PROBE_RTT || b->state == BBR_PROBE_BW_CRUISE)
		cap = bbr_inflight_with_headroom(c, b);
	else if (bbr_in_probe_bw(b))
		cap = b->inflight_longterm;
	cap = bbr_max64(bbr_min64(cap, b->inflight_shortterm), bbr_min_pipe(c));
	c->cwnd = bbr_clamp32(bbr_min64(c->cwnd, cap));
}

static void set_cwnd(struct strata_congestion *c, const struct bbr *b,
		     const struct strata_ack_sample *ack)
{
	uint64_t grown = (uint64_t)c->cwnd + ack->newly_delivered;
	uint64_t cap = bbr_extra_acked(b) +
		       (uint64_t)bbr_bdp_multiple(c, b, b->bw, bbr_phases[b->state].cwnd_gain);
	uint32_t max_inflight = bbr_quantization_budget(c, b, cap);

	if (b->full_bw_reached)
		grown = bbr_min64(grown, max_inflight);
	else if (c->cwnd >= max_inflight && c->delivered >= bbr_ref_of(c)->initial_cwnd)
		grown = c->cwnd;
	c->cwnd = bbr_clamp32(bbr_max64(grown, bbr_min_pipe(c)));
	if (b->state == BBR_PROBE_RTT)
		c->cwnd = bbr_clamp32(bbr_min64(c->cwnd, bbr_probe_rtt_cwnd(c, b)));
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
	uint64_t now = strata_now(c->algorithm->stack);

	b->min_rtt = b->probe_rtt_min_delay = c->srtt != 0 ? c->srtt : STRATA_NEVER;
	b->min_rtt_stamp = b->probe_rtt_min_stamp = now;
	b->extra_acked_interval_start = now;
	b->undo_state = BBR_STATES;
	b->inflight_longterm = UNLIMITED;
	b->probe_up_acked_per_inc = UINT64_MAX;
	b->next_round_delivered = b->loss_round_delivered = c->delivered;
	bbr_reset_short_term_model(b);
	set_initial_pacing_rate(c, b);
	set_send_quantum(c);
	bbr_ref_of(c)->bbr = b;
}

/* The connection's state; made now where memory was short before. NULL: still short. */
static struct bbr *state_of(struct strata_congestion *c)
{
	struct bbr *b = bbr_ref_of(c)->bbr;

	if (strata_likely(b != NULL))
		return b;
	b = state_new(c);
	if (b != NULL)
		begin(c, b);
	return b;
}

static void bbr_init(struct strata_congestion *c)
{
	bbr_ref_of(c)->bbr = NULL;
	bbr_ref_of(c)->initial_cwnd = c->cwnd;
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
	bbr_ref_of(c)->bbr = NULL;
	*b->link = b->next;
	if (b->next != NULL)
		b->next->link = b->link;
	strata_cache_free(m->states, b);
}

static void bbr_release(struct strata_congestion *c)
{
	if (bbr_ref_of(c)->bbr != NULL)
		let_go(bbr_ref_of(c)->bbr);
}

static void bbr_moved(struct strata_congestion *c)
{
	if (bbr_ref_of(c)->bbr != NULL)
		bbr_ref_of(c)->bbr->owner = c;
}

/* ---- acknowledgements ---- */

/* Without a model the window is the initial one, opened again after a timeout. */
static void control_without_state(struct strata_congestion *c, const struct strata_ack_sample *ack)
{
	if (c->cwnd < bbr_ref_of(c)->initial_cwnd)
		c->cwnd = bbr_clamp32(bbr_min64((uint64_t)c->cwnd + ack->newly_delivered,
					bbr_ref_of(c)->initial_cwnd));
}

/* 5.2.3 */
static void bbr_control(struct strata_congestion *c, const struct strata_ack_sample *ack)
{
	struct bbr *b = state_of(c);

	if (b == NULL) {
		control_without_state(c, ack);
		return;
	}
	bbr_update_model(c, b, ack);
	/* 5.6.4.4: recovery is over. */
	if (b->in_recovery && !ack->in_recovery)
		bbr_restore_cwnd(c, b);
	b->in_recovery = ack->in_recovery;
	set_pacing_rate(c, b, bbr_phases[b->state].pacing_gain);
	set_send_quantum(c);
	set_cwnd(c, b, ack);
	c->mark_app_limited = b->state == BBR_PROBE_RTT;
}

/* ---- losses ---- */

static void bbr_segment_lost(struct strata_congestion *c, const struct strata_loss_sample *loss)
{
	struct bbr *b = state_of(c);

	if (b != NULL)
		bbr_update_lost(c, b, loss);
}

/* Recovery begins. The threshold is not ours: there is no slow start. */
static uint32_t bbr_loss(struct strata_congestion *c, uint64_t now)
{
	struct bbr *b = state_of(c);

	if (b != NULL)
		bbr_save_state(c, b, now);
	return c->ssthresh;
}

static void bbr_undo(struct strata_congestion *c, uint32_t cwnd, uint32_t ssthresh)
{
	struct bbr *b = state_of(c);

	c->ssthresh = ssthresh;
	c->cwnd = c->cwnd > cwnd ? c->cwnd : cwnd;
	if (b != NULL)
		bbr_update_spurious(c, b);
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
	if (bbr_in_probe_bw(b))
		set_pacing_rate(c, b, PERCENT);
	else if (b->state == BBR_PROBE_RTT)
		bbr_check_probe_rtt_done(c, b, now);
}

static void bbr_describe(const struct strata_congestion *c, char *buf, size_t size)
{
	const struct bbr_ref *ref = (const struct bbr_ref *)(const void *)c->priv;
	const struct bbr *b = ref->bbr;

	if (b == NULL)
		snprintf(buf, size, "no memory");
	else
		snprintf(buf, size, "%s bw:%llu min_rtt:%lluus inflight_longterm:%u inflight_shortterm:%u",
			 bbr_phases[b->state].name, (unsigned long long)b->bw,
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
	.moved = bbr_moved,
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
