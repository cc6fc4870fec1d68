/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The link between two fixtures: the simulator's lines (tests/sim/sim_line.h), so that there is one engine of
 * impairments, with the fixtures' own stacks at the ends.
 */
#include "fixture_int.h"
#include "sim_line.h"

enum { STORM = 20000, QUEUE = 100, FRAME_BYTES = 1514, PPM_PER_CHANCE = 100 };

struct direction {
	struct sim_line line;
	struct fx_link link;
	struct fx_join_stats stats;
};

struct fx_join {
	struct fixture *ends[2];
	struct direction directions[2];	/* 0: from ends[0] to ends[1] */
	struct sim_heap heap;
};

/* ---- onto the link ---- */

static struct strata_impairment impairment(const struct fx_link *link)
{
	return (struct strata_impairment){
		.delay = link->delay,
		.jitter = link->jitter,
		.rate = link->rate,
		.queue_bytes = (uint64_t)(link->queue != 0 ? link->queue : QUEUE) * FRAME_BYTES,
		.loss = link->loss * PPM_PER_CHANCE,
		.duplicate = link->duplicate * PPM_PER_CHANCE,
		.corrupt = link->corrupt * PPM_PER_CHANCE,
		.reorder = link->reorder * PPM_PER_CHANCE,
		.held = link->held,
	};
}

void fx_join_carry(struct fx_join *join, struct fixture *from, const struct fx_pkt *pkt)
{
	int direction = from == join->ends[1];
	struct direction *d = &join->directions[direction];
	struct impair_result result;
	unsigned int marked;

	d->stats.sent++;
	if (d->link.filter != NULL && !d->link.filter(d->link.ctx, pkt)) {
		d->stats.lost++;
		return;
	}
	assert_int_equal(sim_line_send(&d->line, &join->heap, from->now, pkt->frame, pkt->length, &result,
				       &marked, NULL, NULL), 0);
	d->stats.lost += result.fate != IMPAIR_PASSED;
	d->stats.duplicated += result.copies == 2;
	for (unsigned int i = 0; i < result.copies; i++) {
		d->stats.corrupted += result.copy[i].flips != 0;
		d->stats.reordered += result.copy[i].reordered;
	}
}

/* ---- time for both ---- */

static uint64_t next_event(const struct fx_join *join)
{
	uint64_t next = sim_heap_next(&join->heap);

	for (int i = 0; i < 2; i++) {
		uint64_t timer = strata_next_timer(join->ends[i]->stack);

		if (timer < next)
			next = timer;
	}
	return next;
}

static void work_at(struct fx_join *join, uint64_t now)
{
	join->ends[0]->now = now;
	join->ends[1]->now = now;
	while (sim_heap_next(&join->heap) <= now) {
		struct sim_event event = sim_heap_pop(&join->heap);
		struct sim_frame *frame = sim_line_event(&event);
		int direction = event.line == &join->directions[1].line;
		struct fixture *to = join->ends[!direction];

		if (frame == NULL)
			continue;
		join->directions[direction].stats.delivered++;
		strata_input(to->iface, frame->bytes, frame->length, now);
		free(frame);
	}
	for (int i = 0; i < 2; i++)
		if (strata_next_timer(join->ends[i]->stack) <= now)
			strata_run(join->ends[i]->stack, now);
}

bool fx_join_run(struct fx_join *join, uint64_t ns, bool (*done)(void *ctx), void *ctx)
{
	struct fixture *a = join->ends[0];
	uint64_t limit = a->now + ns;
	unsigned int runs = 0;

	for (;;) {
		uint64_t next = next_event(join);

		if (done != NULL && done(ctx))
			return true;
		if (next > limit)
			break;
		runs = next > a->now ? 0 : runs + 1;
		if (runs > STORM)
			fx_fail(a, __FILE__, __LINE__, "no time passes: something is always due");
		work_at(join, next > a->now ? next : a->now);
		fx_check(join->ends[0], __FILE__, __LINE__);
		fx_check(join->ends[1], __FILE__, __LINE__);
	}
	work_at(join, limit);
	return done != NULL && done(ctx);
}

/* ---- life ---- */

struct fx_join *fx_join(struct fixture *a, struct fixture *b, const struct fx_link *forth,
			const struct fx_link *back, uint64_t seed)
{
	struct fx_join *join = calloc(1, sizeof(*join));

	assert_non_null(join);
	if (a->now < b->now)
		fx_advance_ns(a, b->now - a->now);
	else if (b->now < a->now)
		fx_advance_ns(b, a->now - b->now);
	a->epoch = a->now;
	b->epoch = b->now;
	fx_discard(a);
	fx_discard(b);
	join->ends[0] = a;
	join->ends[1] = b;
	for (int i = 0; i < 2; i++) {
		struct direction *d = &join->directions[i];
		struct strata_impairment how;

		d->link = i == 1 && back != NULL ? *back : *forth;
		how = impairment(&d->link);
		impair_init(&d->line.impair, &how, seed * 2 + (uint64_t)i, a->iface->header_size);
	}
	a->join = join;
	b->join = join;
	return join;
}

void fx_join_set(struct fx_join *join, int direction, const struct fx_link *link)
{
	struct strata_impairment how = impairment(link);

	join->directions[direction].link = *link;
	impair_set(&join->directions[direction].line.impair, &how);
}

const struct fx_join_stats *fx_join_stats(const struct fx_join *join, int direction)
{
	return &join->directions[direction].stats;
}

void fx_part(struct fx_join *join)
{
	join->ends[0]->join = NULL;
	join->ends[1]->join = NULL;
	sim_heap_clear(&join->heap);
	sim_line_clear(&join->directions[0].line);
	sim_line_clear(&join->directions[1].line);
	free(join);
}

struct fx_pair fx_pair_open(const struct fx_config *config, const struct fx_link *link, uint64_t seed)
{
	struct fx_config one = *config;
	struct fx_pair pair;

	one.address = "192.0.2.1/24";
	one.mac = "02:00:00:00:00:01";
	one.seed = seed * 2 + 1;
	pair.a = fx_open_config(&one, __FILE__, __LINE__);
	one.address = "192.0.2.2/24";
	one.mac = "02:00:00:00:00:02";
	one.seed = seed * 2 + 2;
	pair.b = fx_open_config(&one, __FILE__, __LINE__);
	pair.join = fx_join(pair.a, pair.b, link, NULL, seed);
	return pair;
}

void fx_pair_close(struct fx_pair *pair)
{
	fx_part(pair->join);
	fx_close(pair->a);
	fx_close(pair->b);
}
