/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A small transport on 253 that keeps every rule: a message is a type, a zero byte and two bytes that are
 * answered. Each bad_*.c takes it and breaks one rule, which one check of the conformance kit must find.
 */
#ifndef TESTS_KIT_BAD_H
#define TESTS_KIT_BAD_H

#include <errno.h>
#include <strata/network.h>
#include <strata/transport.h>

enum { MESSAGE = 4, REQUEST = 1 };

struct state {
	uint64_t requests;
};

struct config {
	uint64_t level;
};

enum { COUNT_REQUESTS };
static const struct strata_counter_def counters[] = {
	[COUNT_REQUESTS] = { "requests", "requests received", NULL },
};

enum { DROP_SHORT, DROP_TYPE };
static const struct strata_drop_def drops[] = {
	STRATA_DROP_DEF(SHORT, "shorter than a message", ERROR, NULL)
	STRATA_DROP_DEF(TYPE, "no request", WARNING, NULL)
};

static const struct strata_option options[] = {
	{ .name = "level", .type = STRATA_OPT_UINT, .offset = offsetof(struct config, level),
	  .fallback = "5", .min = 1, .max = 1000, .help = "How much of it.", .runtime = true },
};

static inline int good_start(struct strata_instance *self, struct strata_error *error)
{
	self->state = strata_alloc(self->stack, sizeof(struct state));
	if (self->state == NULL) {
		strata_error_add(error, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

static inline void good_stop(struct strata_instance *self)
{
	strata_free(self->stack, self->state);
	self->state = NULL;
}

/* Counts a request and frees it. */
static inline enum strata_verdict good_request(struct strata_instance *self, struct strata_pkt *pkt)
{
	struct state *state = self->state;

	state->requests++;
	strata_count(self, COUNT_REQUESTS, 1);
	strata_pkt_free(pkt);
	return STRATA_ACCEPTED;
}

/* What is no request is dropped, and `pkt` NULL then. */
static inline struct strata_pkt *good_parse(struct strata_instance *self, struct strata_pkt *pkt)
{
	const uint8_t *p = strata_pkt_header(pkt, MESSAGE);

	if (p != NULL && p[0] == REQUEST)
		return pkt;
	strata_drop(self, pkt, p == NULL ? DROP_SHORT : DROP_TYPE);
	return NULL;
}

static inline enum strata_verdict good_input(struct strata_instance *self, struct strata_pkt *pkt)
{
	pkt = good_parse(self, pkt);
	return pkt != NULL ? good_request(self, pkt) : STRATA_DROPPED;
}

/* The descriptor of the module; `...`: what is bad about it, initialisers that stand for those before. */
#define MODULE(file, input_, start_, stop_, ...) \
	static const struct strata_transport_ops ops = { .type = SOCK_DGRAM, .input = input_ }; \
	STRATA_MODULE(file) = { \
		STRATA_MODULE_HEADER, .kind = STRATA_TRANSPORT, .number = 253, .name = #file, \
		.version = "1.0", .summary = "one rule is broken here", \
		.config_size = sizeof(struct config), .options = options, \
		.option_count = STRATA_COUNT(options), .counters = counters, \
		.counter_count = STRATA_COUNT(counters), .drops = drops, .drop_count = STRATA_COUNT(drops), \
		.start = start_, .stop = stop_, .transport = &ops, __VA_ARGS__ \
	}

#endif
