/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The TAP driver: its options, an interface's life, and what happens when the device goes. The
 * frames are in tap_io.c, their virtio header in tap_vnet.c, the host's end in tap_host.c, who of several
 * shards gets them in tap_steer.c.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <strata/trace.h>
#include "tap_int.h"

/* Local choice: pauses between attempts to get a device back. */
#define TAP_BACKOFF_MIN (100 * STRATA_MS)
#define TAP_BACKOFF_MAX (5 * STRATA_SEC)
/* Largest MTU of a TAP device: 65,535 less its link header (Linux tun.c, MAX_MTU). */
#define TAP_MTU_MAX (STRATA_PKT_MAX - TAP_LINK_HEADER)

static const struct strata_counter_def tap_counters[] = {
	[TAP_COUNTER_RX_SUPER] = { "rx_super_packets", "received packets of several segments", NULL },
	[TAP_COUNTER_TX_SUPER] = { "tx_super_packets", "sent packets of several segments", NULL },
	[TAP_COUNTER_BATCH_FULL] = { "batch_full", "batches that ended before the device was empty",
				     NULL },
	[TAP_COUNTER_BACK_PRESSURE] = { "back_pressure", "times the device took no more frames", NULL },
	[TAP_COUNTER_REOPENED] = { "reopened", "times the device was opened again", NULL },
	[TAP_COUNTER_LOST] = { "lost", "times the device went", NULL },
};
_Static_assert(STRATA_COUNT(tap_counters) == TAP_COUNTERS, "a definition for each counter");

static const struct strata_drop_def tap_drops[] = {
#define X STRATA_DROP_DEF
#include "tap_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(tap_drops) == TAP_DROPS, "a definition for each reason");

/* ---- the device goes and comes back ---- */

static void tap_set_running(struct tap *tap, bool running)
{
	struct strata_iface *iface = tap->iface;

	if (((iface->flags & STRATA_IFACE_RUNNING) != 0) == running)
		return;
	strata_log(iface->stack, iface->driver, running ? STRATA_LOG_INFO : STRATA_LOG_WARNING,
		   "%s: device %s is %s", iface->name, tap->device, running ? "up" : "down");
	strata_iface_set_running(iface, running);
}

/* The descriptor is of no more use: closes it and plans the next attempt. */
static void tap_lose(struct tap *tap, int error)
{
	struct strata_iface *iface = tap->iface;

	if (tap->fd < 0)
		return;
	strata_watch_remove(iface->stack, &tap->watch);
	tap_host_close(tap);
	tap->last_error = 0;
	strata_count(iface->driver, TAP_COUNTER_LOST, 1);
	strata_log(iface->stack, iface->driver, STRATA_LOG_WARNING,
		   "%s: device %s is gone (%s); trying to open it again", iface->name, tap->device,
		   strerror(error));
	tap_io_purge(tap);
	strata_iface_set_running(iface, false);
	tap->backoff = TAP_BACKOFF_MIN;
	strata_timer_start(iface->stack, &tap->reopen, strata_now(iface->stack) + tap->backoff);
}

/* What an operation on the device returned: 0, -EIO for a link set down, or the device is gone. */
static void tap_judge(struct tap *tap, int result)
{
	if (strata_likely(result == 0))
		return;
	if (result == -EIO) {
		tap_io_purge(tap);
		tap_set_running(tap, false);
		return;
	}
	tap_lose(tap, -result);
}

static int tap_start(struct tap *tap, struct strata_error *error)
{
	int result = tap_host_open(tap, error);

	if (result < 0)
		return result;
	result = strata_watch_add(tap->iface->stack, &tap->watch, tap->fd, EPOLLIN);
	if (result < 0) {
		strata_error_add(error, "interface %s: device %s cannot be watched: %s",
				 tap->iface->name, tap->device, strerror(-result));
		tap_host_close(tap);
	}
	return result;
}

static void tap_reopen(struct strata_stack *stack, struct strata_timer *timer)
{
	struct tap *tap = strata_container_of(timer, struct tap, reopen);
	struct strata_error error = { 0 };
	int result = tap_start(tap, &error);
	const char *text = strata_error_text(&error);

	if (result == 0) {
		strata_count(tap->iface->driver, TAP_COUNTER_REOPENED, 1);
		tap_set_running(tap, true);
		return;
	}
	if (result != tap->last_error)
		strata_log(stack, tap->iface->driver, STRATA_LOG_WARNING, "%.*s",
			   (int)strcspn(text, "\n"), text);
	tap->last_error = result;
	strata_error_clear(&error);
	tap->backoff = tap->backoff * 2 < TAP_BACKOFF_MAX ? tap->backoff * 2 : TAP_BACKOFF_MAX;
	strata_timer_start(stack, timer, strata_now(stack) + tap->backoff);
}

/* ---- events ---- */

static void tap_ready(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct tap *tap = strata_container_of(watch, struct tap, watch);

	(void)stack;
	if ((events & EPOLLOUT) && tap->fd >= 0)
		tap_judge(tap, tap_io_resend(tap));
	if ((events & EPOLLIN) && tap->fd >= 0) {
		if (strata_unlikely(!(tap->iface->flags & STRATA_IFACE_RUNNING)) && tap_host_up(tap))
			tap_set_running(tap, true);
		tap_judge(tap, tap_io_receive(tap));
	}
	if ((events & (EPOLLERR | EPOLLHUP)) && !(events & EPOLLIN) && tap->fd >= 0)
		tap_lose(tap, ENODEV);
}

static void tap_resend(struct strata_stack *stack, struct strata_timer *timer)
{
	struct tap *tap = strata_container_of(timer, struct tap, resend);

	(void)stack;
	if (tap->fd >= 0)
		tap_judge(tap, tap_io_resend(tap));
}

static void tap_link_news(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct tap *tap = strata_container_of(watch, struct tap, host.watch);
	int state = tap_host_news(tap);

	(void)stack;
	(void)events;
	if (state >= 0 && tap->fd >= 0) {
		if (state == 0)
			tap_io_purge(tap);
		tap_set_running(tap, state != 0);
	}
}

/* ---- operations ---- */

static int tap_open(struct strata_iface *iface, struct strata_error *error)
{
	struct tap *tap = strata_alloc(iface->stack, sizeof(*tap));
	int result = -ENOMEM;

	if (tap == NULL)
		goto out_memory;
	tap->iface = iface;
	tap->device = tap_host_device(iface);
	tap->fd = -1;
	tap->watch.ready = tap_ready;
	tap->watch.busy = true;
	tap->host.watch.ready = tap_link_news;
	tap->reopen.fire = tap_reopen;
	tap->resend.fire = tap_resend;
	if (tap_io_init(tap) < 0 || tap_steer_init(tap) < 0)
		goto out_memory;
	result = tap_start(tap, error);
	if (result < 0)
		goto out_free;
	iface->state = tap;
	iface->flags |= STRATA_IFACE_RUNNING | STRATA_IFACE_BROADCAST | STRATA_IFACE_MULTICAST;
	strata_hostlink_open(iface->stack, &tap->host);
	return 0;
out_memory:
	strata_error_add(error, "interface %s: out of memory", iface->name);
out_free:
	if (tap != NULL) {
		tap_steer_fini(tap);
		tap_io_fini(tap);
	}
	strata_free(iface->stack, tap);
	return result;
}

static void tap_close(struct strata_iface *iface)
{
	struct tap *tap = iface->state;

	strata_hostlink_close(iface->stack, &tap->host);
	strata_timer_stop(iface->stack, &tap->reopen);
	if (tap->fd >= 0) {
		strata_watch_remove(iface->stack, &tap->watch);
		tap_host_close(tap);
	}
	tap_steer_fini(tap);
	tap_io_fini(tap);
	iface->state = NULL;
	iface->flags &= ~(uint32_t)STRATA_IFACE_RUNNING;
	strata_free(iface->stack, tap);
}

static void tap_xmit(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct tap *tap = iface->state;

	if (strata_unlikely(tap->fd < 0)) {
		iface->counters.tx_dropped++;
		strata_drop(iface->driver, pkt, TAP_DROP_LINK_DOWN);
		return;
	}
	strata_trace_fields(iface->driver, pkt, STRATA_FIELDS(
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt))), "→ %s", tap->device);
	tap_judge(tap, tap_io_send(tap, pkt));
}

static void tap_flush(struct strata_iface *iface)
{
	struct tap *tap = iface->state;

	if (tap->fd >= 0)
		tap_judge(tap, tap_io_flush(tap));
}

static unsigned int tap_poll(struct strata_iface *iface)
{
	struct tap *tap = iface->state;

	if (tap->fd < 0 || !(iface->flags & STRATA_IFACE_RUNNING))
		return 0;
	tap_judge(tap, tap_io_receive(tap));
	return tap->frames;
}

static bool tap_cuts(const struct strata_iface *iface, const struct strata_pkt *pkt)
{
	const struct tap *tap = iface->state;

	return tap_vnet_cuts(pkt, tap->uso);
}

static const char *const tap_checksums[] = {
	[TAP_CHECKSUM_DEVICE] = "device",
	[TAP_CHECKSUM_STACK] = "stack",
	[TAP_CHECKSUMS] = NULL,
};

static const struct strata_option tap_options[] = {
	{
		.name = "device", .type = STRATA_OPT_STRING,
		.offset = offsetof(struct tap_config, device),
		.help = "The host's TAP device, made when missing; none: the interface's name.",
	},
	{
		.name = "host", .type = STRATA_OPT_STRING, .offset = offsetof(struct tap_config, host),
		.help = "Address and prefix length the host's end is given, for example 192.0.2.1/24.",
	},
	{
		.name = "offload", .type = STRATA_OPT_BOOL,
		.offset = offsetof(struct tap_config, offload), .fallback = "true",
		.help = "Exchange packets larger than the MTU, and checksums left open, with the host.",
	},
	{
		.name = "steering", .type = STRATA_OPT_BOOL,
		.offset = offsetof(struct tap_config, steering), .fallback = "true",
		.help = "Of several shards, have the host bring each packet to the one that owns its flow.",
	},
	{
		.name = "checksum", .type = STRATA_OPT_CHOICE,
		.offset = offsetof(struct tap_config, checksum), .fallback = "device",
		.choices = tap_checksums,
		.help = "Who completes the checksums of packets larger than the MTU; stack: slower, but right "
			"in captures on the host.",
	},
	{
		.name = "queue_length", .type = STRATA_OPT_UINT,
		.offset = offsetof(struct tap_config, queue_length), .fallback = "0", .max = 65536,
		.unit = "packets",
		.help = "Packets the host keeps for the stack; 0: the host's default.",
	},
	{
		.name = "backlog", .type = STRATA_OPT_UINT, .offset = offsetof(struct tap_config, backlog),
		.fallback = "256", .min = 1, .max = 65536, .unit = "packets",
		.help = "Most packets that wait in the stack while the device takes none.",
	},
};

static const struct strata_dependency tap_depends[] = {
	{ .kind = STRATA_LINK, .name = "ethernet" },
	{ .name = NULL },
};

static int tap_mtu_changed(struct strata_iface *iface, struct strata_error *error)
{
	struct tap *tap = iface->state;

	/* A device that is gone gets it when it is back. */
	return tap->fd >= 0 ? tap_host_set_mtu(tap, error) : 0;
}

static const struct strata_link_ops tap_ops = {
	.framing = "ethernet",
	.validate = tap_host_validate,
	.open = tap_open,
	.close = tap_close,
	.xmit = tap_xmit,
	.flush = tap_flush,
	.mtu_changed = tap_mtu_changed,
	.cuts = tap_cuts,
	.shards = true,
	.poll = tap_poll,
	.mtu_default = 1500,
	.mtu_min = 68,			/* RFC 791 3.2 */
	.mtu_max = TAP_MTU_MAX,
};

STRATA_MODULE(tap) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_LINK,
	.name = "tap",
	.version = "1.0",
	.summary = "TAP device of a Linux host, with checksum and segmentation offload",
	.depends = tap_depends,
	.iface_config_size = sizeof(struct tap_config),
	.iface_options = tap_options,
	.iface_option_count = STRATA_COUNT(tap_options),
	.counters = tap_counters,
	.counter_count = STRATA_COUNT(tap_counters),
	.drops = tap_drops,
	.drop_count = STRATA_COUNT(tap_drops),
	.link = &tap_ops,
};
