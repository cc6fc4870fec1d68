/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NewReno: slow start and congestion avoidance of RFC 5681, counting bytes (RFC 3465). What is lost, and
 * what is sent again, is the transport's affair. Read RFC 5681 3.1 and RFC 6582 before editing.
 */
#include <strata/congestion.h>

/* RFC 5681 3.1, equation 4: the threshold is never below two segments. */
#define SSTHRESH_MIN_SEGMENTS 2

struct newreno_config {
	uint64_t byte_limit;	/* segments that one ACK may add in slow start; 0: all that it acknowledges */
};

/* In priv of the connection. */
struct newreno {
	uint64_t acked;		/* bytes acknowledged since the window last grew in congestion avoidance */
};
_Static_assert(sizeof(struct newreno) <= STRATA_CONGESTION_PRIV, "state too large");

static struct newreno *state_of(struct strata_congestion *c)
{
	return (struct newreno *)(void *)c->priv;
}

static void newreno_init(struct strata_congestion *c)
{
	state_of(c)->acked = 0;
}

/* RFC 5681 3.1, equation 2, and RFC 3465 2.2. Returns bytes left for congestion avoidance. */
static uint32_t slow_start(struct strata_congestion *c, uint32_t acked)
{
	const struct newreno_config *config = c->algorithm->config;
	uint64_t limit = config->byte_limit * c->mss, grow = acked;
	uint64_t room = c->ssthresh - c->cwnd;

	if (limit != 0 && grow > limit)
		grow = limit;
	if (grow <= room) {
		c->cwnd += (uint32_t)grow;
		return 0;
	}
	c->cwnd = c->ssthresh;
	return (uint32_t)(grow - room);
}

/* RFC 5681 3.1: a segment for each window acknowledged (RFC 3465 2.1). */
static void avoid_congestion(struct strata_congestion *c, uint32_t acked)
{
	struct newreno *nr = state_of(c);

	nr->acked += acked;
	while (nr->acked >= c->cwnd && c->cwnd <= UINT32_MAX / 2) {
		nr->acked -= c->cwnd;
		c->cwnd += c->mss;
	}
}

static void newreno_acked(struct strata_congestion *c, const struct strata_ack_sample *ack)
{
	uint32_t acked = ack->acked;

	/* RFC 7661's concern: a window that is not used is not validated by what is acknowledged. */
	if (!ack->cwnd_limited)
		return;
	if (c->cwnd < c->ssthresh)
		acked = slow_start(c, acked);
	if (acked != 0)
		avoid_congestion(c, acked);
}

/* RFC 5681 3.1, equation 4: half of what is in flight. */
static uint32_t newreno_half(struct strata_congestion *c, uint64_t now)
{
	uint32_t least = SSTHRESH_MIN_SEGMENTS * c->mss;

	(void)now;
	state_of(c)->acked = 0;
	return c->flight / 2 > least ? c->flight / 2 : least;
}

static const struct strata_option options[] = {
	{ .name = "byte_limit", .type = STRATA_OPT_UINT,
	  .offset = offsetof(struct newreno_config, byte_limit), .fallback = "0", .max = 65535,
	  .unit = "segments", .runtime = true,
	  .help = "Most an acknowledgement adds in slow start (L of RFC 3465); 0: all it acknowledges." },
};

static const struct strata_congestion_ops congestion = {
	.init = newreno_init,
	.acked = newreno_acked,
	.loss = newreno_half,
	.timeout = newreno_half,
};

STRATA_MODULE(newreno) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_CONGESTION,
	.name = "newreno",
	.version = "0.1.0",
	.summary = "NewReno congestion control (RFC 5681, RFC 6582)",
	.config_size = sizeof(struct newreno_config),
	.options = options,
	.option_count = STRATA_COUNT(options),
	.congestion = &congestion,
};
