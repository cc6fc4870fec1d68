/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The link between two fixtures. Frames on their way lie in a heap ordered by the time they arrive, and
 * among equals by the order they were sent, so a seed fixes the whole run.
 */
#include "fixture_int.h"

enum { STORM = 20000, QUEUE = 100, FRAME_BITS = 1514 * 8, CHANCES = 10000 };

struct flight {
	uint64_t time, order;
	int direction;
	size_t length;
	uint8_t *bytes;
};

struct direction {
	struct fx_link link;
	struct fx_join_stats stats;
	uint64_t busy;			/* the line is occupied until then */
	uint64_t latest;		/* arrival of the last frame sent: none overtakes by jitter */
};

struct fx_join {
	struct fixture *ends[2];
	struct direction directions[2];	/* 0: from ends[0] to ends[1] */
	uint64_t rng;
	struct flight *heap;
	size_t count, room;
	uint64_t order;
};

/* ---- the heap ---- */

static bool earlier(const struct flight *a, const struct flight *b)
{
	return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static void swap(struct flight *a, struct flight *b)
{
	struct flight t = *a;

	*a = *b;
	*b = t;
}

static void push(struct fx_join *join, struct flight flight)
{
	size_t i = join->count;

	if (join->count == join->room) {
		join->room = join->room == 0 ? 64 : join->room * 2;
		join->heap = realloc(join->heap, join->room * sizeof(*join->heap));
		assert_non_null(join->heap);
	}
	flight.order = join->order++;
	join->heap[join->count++] = flight;
	for (; i > 0 && earlier(&join->heap[i], &join->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&join->heap[i], &join->heap[(i - 1) / 2]);
}

static struct flight pop(struct fx_join *join)
{
	struct flight first = join->heap[0];
	size_t i = 0;

	join->heap[0] = join->heap[--join->count];
	for (;;) {
		size_t least = i;

		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < join->count; child++)
			if (earlier(&join->heap[child], &join->heap[least]))
				least = child;
		if (least == i)
			return first;
		swap(&join->heap[i], &join->heap[least]);
		i = least;
	}
}

/* ---- onto the link ---- */

static bool chance(struct fx_join *join, uint32_t of)
{
	return of != 0 && fx_random(&join->rng) % CHANCES < of;
}

/* When a frame sent now is through with the line; 0: the queue before it is full. */
static uint64_t leaves(struct direction *d, uint64_t now, size_t length)
{
	uint32_t queue = d->link.queue != 0 ? d->link.queue : QUEUE;
	uint64_t begin = d->busy > now ? d->busy : now;

	if (d->link.rate == 0)
		return now;
	if (begin - now > (uint64_t)queue * FRAME_BITS * STRATA_SEC / d->link.rate)
		return 0;
	d->busy = begin + (uint64_t)length * 8 * STRATA_SEC / d->link.rate;
	return d->busy;
}

static void send_copy(struct fx_join *join, int direction, const struct fx_pkt *pkt, uint64_t left)
{
	struct direction *d = &join->directions[direction];
	struct flight flight = { .direction = direction, .length = pkt->length };
	uint64_t arrives = left + d->link.delay;

	if (d->link.jitter != 0)
		arrives += fx_random(&join->rng) % d->link.jitter;
	if (chance(join, d->link.reorder)) {
		arrives += d->link.held != 0 ? d->link.held : 2 * d->link.delay + STRATA_MS;
		d->stats.reordered++;
	} else {
		if (arrives < d->latest)
			arrives = d->latest;
		d->latest = arrives;
	}
	flight.time = arrives;
	flight.bytes = malloc(pkt->length);
	assert_non_null(flight.bytes);
	memcpy(flight.bytes, pkt->frame, pkt->length);
	if (chance(join, d->link.corrupt)) {
		uint64_t bit = fx_random(&join->rng) % (pkt->length * 8);

		flight.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		d->stats.corrupted++;
	}
	push(join, flight);
}

void fx_join_carry(struct fx_join *join, struct fixture *from, const struct fx_pkt *pkt)
{
	int direction = from == join->ends[1];
	struct direction *d = &join->directions[direction];
	uint64_t left;

	d->stats.sent++;
	if (d->link.filter != NULL && !d->link.filter(d->link.ctx, pkt)) {
		d->stats.lost++;
		return;
	}
	left = leaves(d, from->now, pkt->length);
	if (left == 0 || chance(join, d->link.loss)) {
		d->stats.lost++;
		return;
	}
	send_copy(join, direction, pkt, left);
	if (chance(join, d->link.duplicate)) {
		d->stats.duplicated++;
		send_copy(join, direction, pkt, left);
	}
}

/* ---- time for both ---- */

static uint64_t next_event(const struct fx_join *join)
{
	uint64_t next = join->count != 0 ? join->heap[0].time : STRATA_NEVER;

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
	while (join->count != 0 && join->heap[0].time <= now) {
		struct flight flight = pop(join);
		struct fixture *to = join->ends[!flight.direction];

		join->directions[flight.direction].stats.delivered++;
		strata_input(to->iface, flight.bytes, flight.length, now);
		free(flight.bytes);
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
	join->directions[0].link = *forth;
	join->directions[1].link = back != NULL ? *back : *forth;
	join->rng = seed;
	a->join = join;
	b->join = join;
	return join;
}

void fx_join_set(struct fx_join *join, int direction, const struct fx_link *link)
{
	join->directions[direction].link = *link;
}

const struct fx_join_stats *fx_join_stats(const struct fx_join *join, int direction)
{
	return &join->directions[direction].stats;
}

void fx_part(struct fx_join *join)
{
	join->ends[0]->join = NULL;
	join->ends[1]->join = NULL;
	for (size_t i = 0; i < join->count; i++)
		free(join->heap[i].bytes);
	free(join->heap);
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
