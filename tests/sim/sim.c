/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulation: one virtual clock over all hosts and lines, faults, and the hash over all frames.
 */
#include "sim_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Late enough for clocks that jump hours back. */
#define START (1000000 * STRATA_SEC)
/* RFC 5227 1.1 takes some 10 s to probe for and announce an address, with pauses of at most 2 s. */
#define SETTLE_MOST (30 * STRATA_SEC)
#define SETTLE_QUIET (3 * STRATA_SEC)
/* Local choice: more than finding out whether an address is taken lasts (RFC 5227 1.1). */
#define SETTLE_CHATTER (10 * STRATA_SEC)
/* Turns without time passing that only something which restarts itself for ever takes. */
enum { STORM = 200000, FAULT_SIZE = 4096 };

uint64_t strata_sim_now(const struct strata_sim *sim)
{
	return sim->now;
}

uint64_t strata_sim_random(struct strata_sim *sim)
{
	return impair_random(&sim->rng);
}

uint64_t strata_sim_hash(const struct strata_sim *sim)
{
	return sim->hash.k[0];
}

void sim_hash_frame(struct strata_sim *sim, const struct strata_sim_link *link, int direction,
		    unsigned int what, const void *bytes, size_t length)
{
	uint64_t where = (uint64_t)link->number << 32 | (uint64_t)direction << 8 | what;

	/* The time keys the frame's hash, where and the hash so far go in behind it. */
	sim->hash.k[1] = sim->now;
	sim->hash.k[0] = strata_siphash(&sim->hash, bytes, length) ^
			 where * UINT64_C(0x9e3779b97f4a7c15);
}

/* ---- faults ---- */

void strata_sim_fault(struct strata_sim *sim, const char *format, ...)
{
	char text[FAULT_SIZE];
	va_list args;
	int n;

	if (sim->fault != NULL)
		return;
	n = snprintf(text, sizeof(text), "at %llu.%06llu s: ",
		     (unsigned long long)((sim->now - sim->config.start) / STRATA_SEC),
		     (unsigned long long)((sim->now - sim->config.start) % STRATA_SEC / STRATA_US));
	va_start(args, format);
	vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	va_end(args);
	sim->fault = strdup(text);
	if (sim->fault == NULL)
		abort();
	if (sim->record != NULL)
		sim_record_note(sim->record, sim->now, text);
}

const char *strata_sim_faulty(const struct strata_sim *sim)
{
	return sim->fault;
}

void strata_sim_note(struct strata_sim *sim, const char *format, ...)
{
	char text[FAULT_SIZE];
	va_list args;

	if (sim->record == NULL)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	sim_record_note(sim->record, sim->now, text);
}

void strata_sim_deliver_collisions(struct strata_sim *sim, bool deliver)
{
	sim->deliver_collisions = deliver;
}

/* ---- time ---- */

void strata_sim_at(struct strata_sim *sim, uint64_t when, void (*fn)(void *arg), void *arg)
{
	struct sim_event event = { .time = when > sim->now ? when : sim->now, .kind = SIM_EVENT_CALL,
				   .call = fn, .what = arg };

	if (sim_heap_push(&sim->heap, event) < 0)
		strata_sim_fault(sim, "the simulation is out of memory");
}

static uint64_t next_event(struct strata_sim *sim)
{
	uint64_t next = sim_heap_next(&sim->heap);

	for (struct strata_sim_host *host = sim->hosts; host != NULL; host = host->next) {
		uint64_t timer = sim_host_next(host);

		if (timer < next)
			next = timer;
	}
	return next;
}

static void happen(const struct sim_event *event)
{
	struct sim_frame *frame;

	if (event->kind == SIM_EVENT_CALL) {
		event->call(event->what);
		return;
	}
	frame = sim_line_event(event);
	if (frame != NULL)
		sim_link_arrived(event->line, frame);
}

/* Everything that is due now, each in its order: what is under way, then the hosts' own timers. */
static void work(struct strata_sim *sim)
{
	size_t most = sim->heap.count;

	while (most-- != 0 && sim_heap_next(&sim->heap) <= sim->now) {
		struct sim_event event = sim_heap_pop(&sim->heap);

		happen(&event);
	}
	for (struct strata_sim_host *host = sim->hosts; host != NULL; host = host->next)
		if (sim_host_next(host) <= sim->now)
			strata_run(host->stack, sim_host_time(host));
}

bool strata_sim_run(struct strata_sim *sim, uint64_t ns, bool (*done)(void *ctx), void *ctx)
{
	uint64_t limit = ns > STRATA_NEVER - 1 - sim->now ? STRATA_NEVER - 1 : sim->now + ns;
	unsigned int turns = 0;

	while (sim->fault == NULL) {
		uint64_t next;

		if (done != NULL && done(ctx))
			return true;
		next = next_event(sim);
		if (next > limit)
			break;
		turns = next > sim->now ? 0 : turns + 1;
		if (turns > STORM) {
			strata_sim_fault(sim, "no time passes: something is always due");
			break;
		}
		if (next > sim->now)
			sim->now = next;
		work(sim);
	}
	if (sim->fault == NULL)
		sim->now = limit;
	return done != NULL ? done(ctx) : sim->fault == NULL;
}

/* ---- settling ---- */

static bool host_valid(struct strata_sim_host *host)
{
	struct strata_iface *iface = NULL;

	while ((iface = strata_iface_next(host->stack, iface)) != NULL)
		for (const struct strata_ifaddr *a = strata_ifaddr_first(iface); a != NULL; a = a->next)
			if (a->state == STRATA_IFADDR_TENTATIVE)
				return false;
	return true;
}

/* Settling, and when it began. */
struct settling {
	struct strata_sim *sim;
	uint64_t began;
};

/* A protocol that never falls silent does not keep hosts from being settled. */
static bool settled(void *ctx)
{
	const struct settling *s = ctx;
	struct strata_sim *sim = s->sim;

	if (sim->now - sim->quiet_since < SETTLE_QUIET && sim->now - s->began < SETTLE_CHATTER)
		return false;
	for (struct strata_sim_host *host = sim->hosts; host != NULL; host = host->next)
		if (!host_valid(host))
			return false;
	return true;
}

static void nothing(void *arg)
{
	(void)arg;
}

void strata_sim_settle(struct strata_sim *sim)
{
	struct settling settling = { .sim = sim, .began = sim->now };

	sim->quiet_since = sim->now;
	/* Something has to happen for time to be looked at. */
	for (uint64_t t = STRATA_SEC; t <= SETTLE_MOST; t += STRATA_SEC)
		strata_sim_at(sim, sim->now + t, nothing, NULL);
	if (!strata_sim_run(sim, SETTLE_MOST, settled, &settling))
		strata_sim_fault(sim, "an address is still tentative after 30 s");
	sim_link_acquaint(sim);
	sim->faultless = false;
	sim->settled = true;
}

/* ---- life ---- */

struct strata_sim *strata_sim_create(const struct strata_sim_config *config)
{
	struct strata_sim *sim = calloc(1, sizeof(*sim));

	if (sim == NULL)
		return NULL;
	sim->config = *config;
	if (sim->config.seed == 0)
		sim->config.seed = 1;
	if (sim->config.start == 0)
		sim->config.start = START;
	sim->now = sim->config.start;
	sim->rng = sim->config.seed;
	sim->hosts_end = &sim->hosts;
	sim->links_end = &sim->links;
	sim->faultless = true;
	if (config->record != NULL) {
		sim->record = sim_record_open(config->record);
		if (sim->record == NULL) {
			fprintf(stderr, "sim: %s: the record cannot be written: %s\n", config->record,
				strerror(errno));
			free(sim);
			return NULL;
		}
	}
	return sim;
}

int strata_sim_destroy(struct strata_sim *sim)
{
	int result;

	if (sim == NULL)
		return 1;
	sim_flows_destroy(sim);
	while (sim->hosts != NULL) {
		struct strata_sim_host *host = sim->hosts;

		sim->hosts = host->next;
		sim_host_destroy(host);
	}
	sim_heap_clear(&sim->heap);
	while (sim->links != NULL) {
		struct strata_sim_link *link = sim->links;

		sim->links = link->next;
		sim_link_destroy(link);
	}
	while (sim->switches != NULL) {
		struct strata_sim_switch *sw = sim->switches;

		sim->switches = sw->next;
		sim_switch_destroy(sw);
	}
	if (sim->fault != NULL)
		fprintf(stderr, "sim: seed %llu: %s\n", (unsigned long long)sim->config.seed,
			sim->fault);
	result = sim->fault != NULL;
	sim_record_close(sim->record);
	free(sim->fault);
	free(sim);
	return result;
}
