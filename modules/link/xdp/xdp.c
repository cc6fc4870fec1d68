/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XDP driver: an interface on a queue of a device that the host has already, over an AF_XDP socket. Its
 * options, its life, and what happens when the device goes. The frames are in xdp_io.c, program and socket in
 * xdp_socket.c, what the host tells of the device in xdp_host.c.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <strata/trace.h>
#include "xdp_int.h"

/* Local choice: pauses between attempts to get a device back. */
#define XDP_BACKOFF_MIN (100 * STRATA_MS)
#define XDP_BACKOFF_MAX (5 * STRATA_SEC)

static const struct strata_counter_def xdp_counters[] = {
	[XDP_COUNTER_RING_FULL] = { "ring_full", "frames the host dropped for want of room (told at the end)",
				    NULL },
	[XDP_COUNTER_BATCH_FULL] = { "batch_full", "batches that ended before the ring was empty", NULL },
	[XDP_COUNTER_BACK_PRESSURE] = { "back_pressure", "times the device took no more frames", NULL },
	[XDP_COUNTER_WAKEUPS] = { "wakeups", "times the host had to be told of frames to send", NULL },
	[XDP_COUNTER_NOT_OURS] = { "not_ours", "frames the host gave back as sent that are none to send from", NULL },
	[XDP_COUNTER_REOPENED] = { "reopened", "times the device was opened again", NULL },
	[XDP_COUNTER_LOST] = { "lost", "times the device went", NULL },
};
_Static_assert(STRATA_COUNT(xdp_counters) == XDP_COUNTERS, "a definition for each counter");

static const struct strata_drop_def xdp_drops[] = {
#define X STRATA_DROP_DEF
#include "xdp_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(xdp_drops) == XDP_DROPS, "a definition for each reason");

/* ---- the device goes and comes back ---- */

static void xdp_set_running(struct xdp *xdp, bool running)
{
	struct strata_iface *iface = xdp->iface;

	if (((iface->flags & STRATA_IFACE_RUNNING) != 0) == running)
		return;
	strata_log(iface->stack, iface->driver, running ? STRATA_LOG_INFO : STRATA_LOG_WARNING,
		   "%s: device %s is %s", iface->name, xdp->device, running ? "up" : "down");
	if (!running)
		xdp_io_purge(xdp);
	strata_iface_set_running(iface, running);
}

/* The socket is of no more use: closes it and plans the next attempt. */
static void xdp_lose(struct xdp *xdp, int error)
{
	struct strata_iface *iface = xdp->iface;

	if (!xdp->open)
		return;
	strata_watch_remove(iface->stack, &xdp->watch);
	xdp_io_count_lost(xdp);
	xdp_socket_close(xdp);
	xdp->last_error = 0;
	strata_count(iface->driver, XDP_COUNTER_LOST, 1);
	strata_log(iface->stack, iface->driver, STRATA_LOG_WARNING,
		   "%s: device %s is gone (%s); trying to open it again", iface->name, xdp->device,
		   strerror(error));
	xdp_io_purge(xdp);
	strata_iface_set_running(iface, false);
	xdp->backoff = XDP_BACKOFF_MIN;
	strata_timer_start(iface->stack, &xdp->reopen, strata_now(iface->stack) + xdp->backoff);
}

/* Something happened to the device: looks what. */
static void xdp_look(struct xdp *xdp)
{
	int state;

	if (!xdp->open)
		return;
	state = xdp_host_state(xdp);
	if (state < 0)
		xdp_lose(xdp, -state);
	else
		xdp_set_running(xdp, state != 0);
}

/* What sending returned: 0, -EIO for a device set down, or it is gone. */
static void xdp_judge(struct xdp *xdp, int result)
{
	if (strata_likely(result == 0))
		return;
	if (result == -EIO)
		xdp_look(xdp);
	else
		xdp_lose(xdp, -result);
}

static int xdp_start(struct xdp *xdp, struct strata_error *error)
{
	int result = xdp_socket_open(xdp, error);

	if (result < 0)
		return result;
	result = strata_watch_add(xdp->iface->stack, &xdp->watch, xsk_socket__fd(xdp->socket), EPOLLIN);
	if (result < 0) {
		strata_error_add(error, "interface %s: device %s cannot be watched: %s",
				 xdp->iface->name, xdp->device, strerror(-result));
		xdp_socket_close(xdp);
	}
	return result;
}

static void xdp_reopen(struct strata_stack *stack, struct strata_timer *timer)
{
	struct xdp *xdp = strata_container_of(timer, struct xdp, reopen);
	struct strata_error error = { 0 };
	int result = xdp_start(xdp, &error);
	const char *text = strata_error_text(&error);

	if (result == 0) {
		strata_count(xdp->iface->driver, XDP_COUNTER_REOPENED, 1);
		xdp_look(xdp);
		return;
	}
	if (result != xdp->last_error)
		strata_log(stack, xdp->iface->driver, STRATA_LOG_WARNING, "%.*s",
			   (int)strcspn(text, "\n"), text);
	xdp->last_error = result;
	strata_error_clear(&error);
	xdp->backoff = xdp->backoff * 2 < XDP_BACKOFF_MAX ? xdp->backoff * 2 : XDP_BACKOFF_MAX;
	strata_timer_start(stack, timer, strata_now(stack) + xdp->backoff);
}

/* ---- events ---- */

static void xdp_ready(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct xdp *xdp = strata_container_of(watch, struct xdp, watch);

	(void)stack;
	if ((events & (EPOLLERR | EPOLLHUP)) && xdp->open) {
		int error;
		socklen_t size = sizeof(error);

		/* It stays until it is read. */
		getsockopt(xsk_socket__fd(xdp->socket), SOL_SOCKET, SO_ERROR, &error, &size);
		xdp_look(xdp);
	}
	if ((events & EPOLLIN) && xdp->open)
		xdp_io_receive(xdp);
}

static void xdp_resend(struct strata_stack *stack, struct strata_timer *timer)
{
	struct xdp *xdp = strata_container_of(timer, struct xdp, resend);

	(void)stack;
	if (xdp->open)
		xdp_judge(xdp, xdp_io_flush(xdp));
}

static void xdp_link_news(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct xdp *xdp = strata_container_of(watch, struct xdp, host.watch);

	(void)stack;
	(void)events;
	if (xdp_host_news(xdp))
		xdp_look(xdp);
}

/* ---- operations ---- */

static const char *xdp_device_name(const struct strata_iface *iface)
{
	const struct xdp_config *config = iface->config;

	return config->device != NULL ? config->device : iface->name;
}

static int xdp_validate(const struct strata_iface *iface, struct strata_error *error)
{
	const struct xdp_config *config = iface->config;
	const char *device = xdp_device_name(iface);
	int result = 0;

	if (device[0] == '\0' || strlen(device) >= IF_NAMESIZE || strpbrk(device, "/: \t\n") != NULL) {
		strata_error_add(error, "interface %s: `device: %s` is no device name; expected 1 to %d "
				 "characters without '/', ':' and blanks", iface->name, device, IF_NAMESIZE - 1);
		result = -EINVAL;
	}
	if (config->frames & (config->frames - 1)) {
		strata_error_add(error, "interface %s: `frames: %llu` is no power of two", iface->name,
				 (unsigned long long)config->frames);
		result = -EINVAL;
	}
	return result;
}

static void xdp_free(struct xdp *xdp)
{
	struct strata_stack *stack = xdp->iface->stack;

	strata_timer_stop(stack, &xdp->reopen);
	strata_timer_stop(stack, &xdp->resend);
	strata_pkt_queue_purge(&xdp->waiting);
	strata_pkt_free(xdp->scrap);
	strata_free(stack, xdp);
}

static int xdp_open(struct strata_iface *iface, struct strata_error *error)
{
	struct xdp *xdp = strata_alloc(iface->stack, sizeof(*xdp));
	int result;

	if (xdp == NULL)
		goto out_memory;
	xdp->iface = iface;
	xdp->device = xdp_device_name(iface);
	xdp->watch.ready = xdp_ready;
	xdp->host.watch.ready = xdp_link_news;
	xdp->reopen.fire = xdp_reopen;
	xdp->resend.fire = xdp_resend;
	xdp->scrap = strata_pkt_alloc(iface->stack, XDP_PKT_HEADROOM, STRATA_PKT_SMALL - XDP_PKT_HEADROOM);
	if (xdp->scrap == NULL)
		goto out_memory;
	result = xdp_start(xdp, error);
	if (result < 0) {
		xdp_free(xdp);
		return result;
	}
	iface->state = xdp;
	iface->caps = STRATA_CAP_TX_CSUM | STRATA_CAP_FRAGS;
	iface->flags |= STRATA_IFACE_BROADCAST | STRATA_IFACE_MULTICAST;
	strata_hostlink_open(iface->stack, &xdp->host);
	xdp_host_warn(xdp);
	if (xdp_host_state(xdp) > 0)
		iface->flags |= STRATA_IFACE_RUNNING;
	else
		strata_log(iface->stack, iface->driver, STRATA_LOG_WARNING, "%s: device %s is down",
			   iface->name, xdp->device);
	return 0;
out_memory:
	if (xdp != NULL)
		xdp_free(xdp);
	strata_error_add(error, "interface %s: out of memory", iface->name);
	return -ENOMEM;
}

static void xdp_close(struct strata_iface *iface)
{
	struct xdp *xdp = iface->state;

	strata_hostlink_close(iface->stack, &xdp->host);
	if (xdp->open) {
		xdp_io_count_lost(xdp);
		strata_watch_remove(iface->stack, &xdp->watch);
		xdp_socket_close(xdp);
	}
	iface->state = NULL;
	iface->flags &= ~(uint32_t)STRATA_IFACE_RUNNING;
	xdp_free(xdp);
}

static void xdp_xmit(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct xdp *xdp = iface->state;

	if (strata_unlikely(!xdp->open)) {
		iface->counters.tx_dropped++;
		strata_drop(iface->driver, pkt, XDP_DROP_LINK_DOWN);
		return;
	}
	strata_trace_fields(iface->driver, pkt, STRATA_FIELDS(
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt))), "→ %s", xdp->device);
	xdp_io_send(xdp, pkt);
}

static unsigned int xdp_poll(struct strata_iface *iface)
{
	struct xdp *xdp = iface->state;

	return xdp->open ? xdp_io_receive(xdp) : 0;
}

static void xdp_flush(struct strata_iface *iface)
{
	struct xdp *xdp = iface->state;

	if (xdp->open)
		xdp_judge(xdp, xdp_io_flush(xdp));
}

static int xdp_mtu_changed(struct strata_iface *iface, struct strata_error *error)
{
	const struct xdp *xdp = iface->state;
	unsigned int ifindex;
	unsigned short type;
	uint32_t mtu;

	if (!xdp->open || xdp_host_query(xdp->device, &ifindex, &mtu, &type) < 0 || mtu >= iface->mtu)
		return 0;
	strata_error_add(error, "interface %s: device %s has an MTU of %u; give it the larger one first",
			 iface->name, xdp->device, mtu);
	return -EMSGSIZE;
}

static const char *const xdp_modes[] = {
	[XDP_MODE_AUTO] = "auto",
	[XDP_MODE_COPY] = "copy",
	[XDP_MODE_ZEROCOPY] = "zerocopy",
	[XDP_MODES] = NULL,
};

static const struct strata_option xdp_options[] = {
	{
		.name = "device", .type = STRATA_OPT_STRING, .offset = offsetof(struct xdp_config, device),
		.help = "The host's device, which must be there; none: the interface's name.",
	},
	{
		.name = "queue", .type = STRATA_OPT_UINT, .offset = offsetof(struct xdp_config, queue),
		.fallback = "0", .max = XDP_QUEUE_MOST,
		.help = "Queue of the device whose frames the interface gets; of several shards the first's.",
	},
	{
		.name = "mode", .type = STRATA_OPT_CHOICE, .offset = offsetof(struct xdp_config, mode),
		.fallback = "auto", .choices = xdp_modes,
		.help = "Whether the device writes to the shared memory itself; auto: where its driver can.",
	},
	{
		.name = "frames", .type = STRATA_OPT_UINT, .offset = offsetof(struct xdp_config, frames),
		.fallback = "4096", .min = 64, .max = 65536,
		.help = "Frames of the shared memory, 4 KiB each, half for either way; a power of two.",
	},
	{
		.name = "backlog", .type = STRATA_OPT_UINT, .offset = offsetof(struct xdp_config, backlog),
		.fallback = "256", .min = 1, .max = 65536, .unit = "packets",
		.help = "Most packets that wait in the stack while the device takes none.",
	},
};

static const struct strata_dependency xdp_depends[] = {
	{ .kind = STRATA_LINK, .name = "ethernet" },
	{ .name = NULL },
};

static const struct strata_link_ops xdp_ops = {
	.framing = "ethernet",
	.validate = xdp_validate,
	.open = xdp_open,
	.close = xdp_close,
	.xmit = xdp_xmit,
	.poll = xdp_poll,
	.flush = xdp_flush,
	.shards = true,
	.mtu_changed = xdp_mtu_changed,
	.mtu_default = 1500,
	.mtu_min = 68,			/* RFC 791 3.2 */
	.mtu_max = XDP_FRAME_ROOM - XDP_LINK_HEADER,
};

STRATA_MODULE(xdp) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_LINK,
	.name = "xdp",
	.version = "1.0",
	.summary = "a queue of a Linux host's device, over an AF_XDP socket",
	.depends = xdp_depends,
	.iface_config_size = sizeof(struct xdp_config),
	.iface_options = xdp_options,
	.iface_option_count = STRATA_COUNT(xdp_options),
	.counters = xdp_counters,
	.counter_count = STRATA_COUNT(xdp_counters),
	.drops = xdp_drops,
	.drop_count = STRATA_COUNT(xdp_drops),
	.link = &xdp_ops,
};
