/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pcap driver: an interface that receives what a file has, at the file's pace, and writes what the stack
 * sends to another. It has no clock but the stack's, so it is the same in virtual time. The files are in
 * pcap_file.c.
 */
#include <errno.h>
#include <strata/timer.h>
#include <strata/trace.h>
#include "pcap_int.h"

/* Local choice: most packets at a time before the stack's deferred work gets its turn. */
#define REPLAY_BATCH 64

static const struct strata_counter_def replay_counters[] = {
	[REPLAY_COUNTER_READ] = { "read", "packets read from the file", NULL },
	[REPLAY_COUNTER_ROUNDS] = { "rounds", "times the file was read to its end", NULL },
	[REPLAY_COUNTER_WRITTEN] = { "written", "packets written to the file", NULL },
};
_Static_assert(STRATA_COUNT(replay_counters) == REPLAY_COUNTERS, "a definition for each counter");

static const struct strata_drop_def replay_drops[] = {
#define X STRATA_DROP_DEF
#include "pcap_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(replay_drops) == REPLAY_DROPS, "a definition for each reason");

/* ---- the file plays ---- */

static void replay_drop(struct replay *replay, enum replay_drop reason)
{
	struct strata_pkt *pkt = replay->scrap;
	uint32_t room = pkt->room - REPLAY_HEADROOM;

	if (reason == REPLAY_DROP_NO_MEMORY)
		replay->iface->counters.rx_dropped++;
	else
		replay->iface->counters.rx_errors++;
	pkt->iface = replay->iface;
	pkt->data = pkt->buf + REPLAY_HEADROOM;
	pkt->len = replay->header->caplen < room ? replay->header->caplen : room;
	memcpy(pkt->data, replay->bytes, pkt->len);
	strata_drop(replay->iface->driver, strata_pkt_get(pkt), reason);
	pkt->trace_id = 0;
}

/* Gives the packet in hand to the stack. */
static void replay_input(struct replay *replay)
{
	struct strata_stack *stack = replay->iface->stack;
	const uint32_t length = replay->header->caplen;
	struct strata_pkt *pkt;

	strata_count(replay->iface->driver, REPLAY_COUNTER_READ, 1);
	if (length < replay->header->len) {
		replay_drop(replay, REPLAY_DROP_SNAPPED);
		return;
	}
	if (length > REPLAY_FRAME_MAX) {
		replay_drop(replay, REPLAY_DROP_TOO_BIG);
		return;
	}
	pkt = strata_pkt_alloc(stack, REPLAY_HEADROOM, length < REPLAY_LINEAR ? length : REPLAY_LINEAR);
	if (pkt == NULL || strata_pkt_append(pkt, replay->bytes, length) < 0) {
		strata_pkt_free(pkt);
		replay_drop(replay, REPLAY_DROP_NO_MEMORY);
		return;
	}
	if (replay_config(replay)->checksum == REPLAY_CHECKSUM_TRUST)
		pkt->csum = STRATA_CSUM_VERIFIED;
	pkt->time = strata_now(stack);
	strata_iface_input(replay->iface, pkt);
}

/* The packet's time in the file, ns. */
static uint64_t replay_file_time(const struct replay *replay)
{
	return (uint64_t)replay->header->ts.tv_sec * STRATA_SEC + (uint64_t)replay->header->ts.tv_usec;
}

/* Stack time at which the packet in hand is due. One whose time goes back is due at once. */
static uint64_t replay_due(const struct replay *replay)
{
	uint64_t time = replay_file_time(replay);

	return time <= replay->first ? replay->start :
	       replay->start + replay_scale(time - replay->first, replay->speed);
}

/* No more comes: what the last packets have set off still has its time to leave. */
static void replay_end(struct replay *replay)
{
	struct strata_stack *stack = replay->iface->stack;

	replay_close_in(replay);
	strata_timer_start(stack, &replay->timer, strata_now(stack) + replay_config(replay)->linger);
}

/* Begins the next round. Returns false where there is none. */
static bool replay_again(struct replay *replay)
{
	const struct replay_config *config = replay_config(replay);
	struct strata_error error = { 0 };
	const char *text;
	bool empty = replay->packets == 0;

	strata_count(replay->iface->driver, REPLAY_COUNTER_ROUNDS, 1);
	replay_close_in(replay);
	if (empty || (config->loop != 0 && replay->round >= config->loop))
		return false;
	replay->round++;
	if (replay_open_in(replay, &error) == 0)
		return true;
	text = strata_error_text(&error);
	strata_log(replay->iface->stack, replay->iface->driver, STRATA_LOG_ERROR, "%.*s",
		   (int)strcspn(text, "\n"), text);
	strata_error_clear(&error);
	return false;
}

/* Takes the next packet in hand, of the next round where there is one. Returns false at the end. */
static bool replay_advance(struct replay *replay)
{
	int result = replay_next(replay);

	if (result < 0 || (result == 0 && (!replay_again(replay) || replay_next(replay) <= 0)))
		return false;
	if (replay->packets == 1) {
		replay->first = replay_file_time(replay);
		replay->start = strata_now(replay->iface->stack);
	}
	return true;
}

static void replay_fire(struct strata_stack *stack, struct strata_timer *timer)
{
	struct replay *replay = strata_container_of(timer, struct replay, timer);
	unsigned int n;

	if (replay->in == NULL) {
		strata_log(stack, replay->iface->driver, STRATA_LOG_INFO, "%s: end of %s",
			   replay->iface->name, replay_config(replay)->read);
		strata_iface_set_running(replay->iface, false);
		return;
	}
	for (n = 0; n < REPLAY_BATCH; n++) {
		uint64_t due;

		if (replay->header == NULL && !replay_advance(replay)) {
			replay_end(replay);
			return;
		}
		due = replay_due(replay);
		if (due > strata_now(stack)) {
			strata_timer_start(stack, timer, due);
			return;
		}
		replay_input(replay);
		replay->header = NULL;
	}
	strata_timer_start(stack, timer, strata_now(stack));
}

/* ---- operations ---- */

static int replay_validate(const struct strata_iface *iface, struct strata_error *error)
{
	const struct replay_config *config = iface->config;
	uint64_t speed;

	if (replay_speed_parse(config->speed, &speed))
		return 0;
	strata_error_add(error, "interface %s: `speed: %s` is none; expected realtime, max, or a factor from "
			 "0.001 to 1000000, for example 2 or 0.5", iface->name, config->speed);
	return -EINVAL;
}

static void replay_free(struct replay *replay)
{
	struct strata_stack *stack = replay->iface->stack;

	strata_timer_stop(stack, &replay->timer);
	replay_close_in(replay);
	replay_close_out(replay);
	strata_pkt_free(replay->scrap);
	strata_free(stack, replay);
}

static int replay_open(struct strata_iface *iface, struct strata_error *error)
{
	const struct replay_config *config = iface->config;
	struct replay *replay = strata_alloc(iface->stack, sizeof(*replay));
	int result = 0;

	if (replay != NULL) {
		replay->iface = iface;
		replay->timer.fire = replay_fire;
		replay->scrap = strata_pkt_alloc(iface->stack, REPLAY_HEADROOM,
						 STRATA_PKT_SMALL - REPLAY_HEADROOM);
	}
	if (replay == NULL || replay->scrap == NULL) {
		strata_error_add(error, "interface %s: out of memory", iface->name);
		result = -ENOMEM;
		goto out;
	}
	replay_speed_parse(config->speed, &replay->speed);
	replay->round = 1;
	if (config->read != NULL)
		result = replay_open_in(replay, error);
	if (result == 0 && config->write != NULL)
		result = replay_open_out(replay, error);
	if (result < 0)
		goto out;
	iface->state = replay;
	iface->caps = STRATA_CAP_TX_CSUM | STRATA_CAP_FRAGS;
	iface->flags |= STRATA_IFACE_RUNNING | STRATA_IFACE_BROADCAST | STRATA_IFACE_MULTICAST;
	/* The first packet finds the interface with its addresses. */
	if (replay->in != NULL)
		strata_timer_start(iface->stack, &replay->timer, strata_now(iface->stack));
	return 0;
out:
	if (replay != NULL)
		replay_free(replay);
	return result;
}

static void replay_close(struct strata_iface *iface)
{
	struct replay *replay = iface->state;

	iface->state = NULL;
	iface->flags &= ~(uint32_t)STRATA_IFACE_RUNNING;
	replay_free(replay);
}

static void replay_xmit(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct replay *replay = iface->state;
	const char *file = replay_config(replay)->write;

	if (replay->out == NULL) {
		strata_drop(iface->driver, pkt, file != NULL ? REPLAY_DROP_WRITE_FAILED : REPLAY_DROP_NO_FILE);
		return;
	}
	strata_trace_fields(iface->driver, pkt, STRATA_FIELDS(
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt))), "→ %s", file);
	strata_pkt_csum_complete(pkt);
	if (strata_pkt_length(pkt) > REPLAY_FRAME_MAX || replay_write(replay, pkt) < 0) {
		iface->counters.tx_errors++;
		strata_drop(iface->driver, pkt, REPLAY_DROP_WRITE_FAILED);
		return;
	}
	strata_count(iface->driver, REPLAY_COUNTER_WRITTEN, 1);
	strata_pkt_free(pkt);
}

static void replay_flush_iface(struct strata_iface *iface)
{
	replay_flush(iface->state);
}

/* There is no device to tell. */
static int replay_mtu_changed(struct strata_iface *iface, struct strata_error *error)
{
	(void)iface;
	(void)error;
	return 0;
}

static const char *const replay_checksums[] = {
	[REPLAY_CHECKSUM_VERIFY] = "verify",
	[REPLAY_CHECKSUM_TRUST] = "trust",
	[REPLAY_CHECKSUMS] = NULL,
};

static const struct strata_option replay_options[] = {
	{
		.name = "read", .type = STRATA_OPT_STRING, .offset = offsetof(struct replay_config, read),
		.help = "File in pcap or pcapng format, of Ethernet frames, that is received; none: nothing is.",
	},
	{
		.name = "write", .type = STRATA_OPT_STRING, .offset = offsetof(struct replay_config, write),
		.help = "File that gets what is sent, in pcap format; it is made anew. None: it is discarded.",
	},
	{
		.name = "checksum", .type = STRATA_OPT_CHOICE,
		.offset = offsetof(struct replay_config, checksum), .fallback = "verify",
		.choices = replay_checksums,
		.help = "Whether transports verify the file's checksums; trust: for captures of packets whose "
			"checksums a device was to complete.",
	},
	{
		.name = "speed", .type = STRATA_OPT_STRING, .offset = offsetof(struct replay_config, speed),
		.fallback = "realtime",
		.help = "Pace of the file: realtime, max, or a factor from 0.001 to 1000000.",
	},
	{
		.name = "loop", .type = STRATA_OPT_UINT, .offset = offsetof(struct replay_config, loop),
		.fallback = "1", .max = UINT32_MAX, .unit = "times",
		.help = "How often the file is received; 0: for ever.",
	},
	{
		.name = "linger", .type = STRATA_OPT_TIME, .offset = offsetof(struct replay_config, linger),
		.fallback = "1s", .max = 3600 * STRATA_SEC,
		.help = "How long the interface stays up behind the last packet.",
	},
};

static const struct strata_dependency replay_depends[] = {
	{ .kind = STRATA_LINK, .name = "ethernet" },
	{ .name = NULL },
};

static const struct strata_link_ops replay_ops = {
	.framing = "ethernet",
	.validate = replay_validate,
	.open = replay_open,
	.close = replay_close,
	.xmit = replay_xmit,
	.flush = replay_flush_iface,
	.mtu_changed = replay_mtu_changed,
	.mtu_default = 1500,
	.mtu_min = 68,			/* RFC 791 3.2 */
	.mtu_max = STRATA_PKT_MAX - REPLAY_LINK_HEADER,
};

STRATA_MODULE(pcap) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_LINK,
	.name = "pcap",
	.version = "1.0",
	.summary = "receives what a capture file has, and writes another",
	.depends = replay_depends,
	.iface_config_size = sizeof(struct replay_config),
	.iface_options = replay_options,
	.iface_option_count = STRATA_COUNT(replay_options),
	.counters = replay_counters,
	.counter_count = STRATA_COUNT(replay_counters),
	.drops = replay_drops,
	.drop_count = STRATA_COUNT(replay_drops),
	.link = &replay_ops,
};
