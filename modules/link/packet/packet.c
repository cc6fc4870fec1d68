/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet driver: an interface on a device that the host has already, over a packet socket. Its options,
 * its life, and what happens when the device goes. The frames are in packet_rx.c and packet_tx.c, the socket
 * in packet_socket.c, what the host tells of the device in packet_host.c.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <strata/trace.h>
#include "packet_int.h"

/* Local choice: pauses between attempts to get a device back. */
#define PACKET_BACKOFF_MIN (100 * STRATA_MS)
#define PACKET_BACKOFF_MAX (5 * STRATA_SEC)

static const struct strata_counter_def packet_counters[] = {
	[PACKET_COUNTER_RX_SUPER] = { "rx_super_packets", "received packets of several segments", NULL },
	[PACKET_COUNTER_TX_SUPER] = { "tx_super_packets", "sent packets of several segments", NULL },
	[PACKET_COUNTER_RX_TAGGED] = { "rx_tagged", "received frames whose VLAN tag was put back", NULL },
	[PACKET_COUNTER_RING_FULL] = { "ring_full", "frames the host dropped because the ring was full",
				       NULL },
	[PACKET_COUNTER_BATCH_FULL] = { "batch_full", "batches that ended before the ring was empty",
					NULL },
	[PACKET_COUNTER_BACK_PRESSURE] = { "back_pressure", "times the device took no more frames", NULL },
	[PACKET_COUNTER_REOPENED] = { "reopened", "times the device was opened again", NULL },
	[PACKET_COUNTER_LOST] = { "lost", "times the device went", NULL },
};
_Static_assert(STRATA_COUNT(packet_counters) == PACKET_COUNTERS, "a definition for each counter");

static const struct strata_drop_def packet_drops[] = {
#define X STRATA_DROP_DEF
#include "packet_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(packet_drops) == PACKET_DROPS, "a definition for each reason");

/* ---- the device goes and comes back ---- */

static void packet_set_running(struct packet *packet, bool running)
{
	struct strata_iface *iface = packet->iface;

	if (((iface->flags & STRATA_IFACE_RUNNING) != 0) == running)
		return;
	strata_log(iface->stack, iface->driver, running ? STRATA_LOG_INFO : STRATA_LOG_WARNING,
		   "%s: device %s is %s", iface->name, packet->device,
		   running ? "up" : "down");
	if (!running)
		packet_tx_purge(packet);
	strata_iface_set_running(iface, running);
}

/* The socket is of no more use: closes it and plans the next attempt. */
static void packet_lose(struct packet *packet, int error)
{
	struct strata_iface *iface = packet->iface;

	if (packet->fd < 0)
		return;
	strata_watch_remove(iface->stack, &packet->watch);
	packet_socket_close(packet);
	packet->last_error = 0;
	strata_count(iface->driver, PACKET_COUNTER_LOST, 1);
	strata_log(iface->stack, iface->driver, STRATA_LOG_WARNING,
		   "%s: device %s is gone (%s); trying to open it again", iface->name,
		   packet->device, strerror(error));
	packet_tx_purge(packet);
	strata_iface_set_running(iface, false);
	packet->backoff = PACKET_BACKOFF_MIN;
	strata_timer_start(iface->stack, &packet->reopen, strata_now(iface->stack) + packet->backoff);
}

/* Something happened to the device: looks what. */
static void packet_look(struct packet *packet)
{
	int state;

	if (packet->fd < 0)
		return;
	state = packet_host_state(packet);
	if (state < 0)
		packet_lose(packet, -state);
	else
		packet_set_running(packet, state != 0);
}

/* What sending returned: 0, -EIO for a device set down, or it is gone. */
static void packet_judge(struct packet *packet, int result)
{
	if (strata_likely(result == 0))
		return;
	if (result == -EIO)
		packet_look(packet);
	else
		packet_lose(packet, -result);
}

static int packet_start(struct packet *packet, struct strata_error *error)
{
	int result = packet_socket_open(packet, error);

	if (result < 0)
		return result;
	packet->watch.fd = packet->fd;
	result = strata_watch_add(packet->iface->stack, &packet->watch, packet->fd, EPOLLIN);
	if (result < 0) {
		strata_error_add(error, "interface %s: device %s cannot be watched: %s",
				 packet->iface->name, packet->device, strerror(-result));
		packet_socket_close(packet);
	}
	return result;
}

static void packet_reopen(struct strata_stack *stack, struct strata_timer *timer)
{
	struct packet *packet = strata_container_of(timer, struct packet, reopen);
	struct strata_error error = { 0 };
	int result = packet_start(packet, &error);
	const char *text = strata_error_text(&error);

	if (result == 0) {
		strata_count(packet->iface->driver, PACKET_COUNTER_REOPENED, 1);
		packet_look(packet);
		return;
	}
	if (result != packet->last_error)
		strata_log(stack, packet->iface->driver, STRATA_LOG_WARNING, "%.*s",
			   (int)strcspn(text, "\n"), text);
	packet->last_error = result;
	strata_error_clear(&error);
	packet->backoff = packet->backoff * 2 < PACKET_BACKOFF_MAX ? packet->backoff * 2 :
			  PACKET_BACKOFF_MAX;
	strata_timer_start(stack, timer, strata_now(stack) + packet->backoff);
}

/* ---- events ---- */

static void packet_ready(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct packet *packet = strata_container_of(watch, struct packet, watch);

	(void)stack;
	if ((events & EPOLLERR) && packet->fd >= 0) {
		int error;
		socklen_t size = sizeof(error);

		/* It stays until it is read. */
		getsockopt(packet->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		packet_look(packet);
	}
	if ((events & EPOLLOUT) && packet->fd >= 0)
		packet_judge(packet, packet_tx_resend(packet));
	if ((events & EPOLLIN) && packet->fd >= 0)
		packet_rx_receive(packet);
}

static void packet_resend(struct strata_stack *stack, struct strata_timer *timer)
{
	struct packet *packet = strata_container_of(timer, struct packet, resend);

	(void)stack;
	if (packet->fd >= 0)
		packet_judge(packet, packet_tx_resend(packet));
}

static void packet_link_news(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct packet *packet = strata_container_of(watch, struct packet, host.watch);

	(void)stack;
	(void)events;
	if (packet_host_news(packet))
		packet_look(packet);
}

/* The interface has its addresses by now. */
static void packet_settled(struct strata_stack *stack, struct strata_timer *timer)
{
	/* Once: the addresses of all shards are the same. */
	if (strata_shard(stack) == 0)
		packet_host_warn(strata_container_of(timer, struct packet, settled));
}

/* ---- operations ---- */

static void packet_free(struct packet *packet)
{
	struct strata_stack *stack = packet->iface->stack;

	strata_timer_stop(stack, &packet->reopen);
	strata_timer_stop(stack, &packet->resend);
	strata_timer_stop(stack, &packet->settled);
	strata_pkt_queue_purge(&packet->tx);
	strata_pkt_free(packet->scrap);
	strata_free(stack, packet);
}

static int packet_open(struct strata_iface *iface, struct strata_error *error)
{
	struct packet *packet = strata_alloc(iface->stack, sizeof(*packet));
	int result;

	if (packet == NULL)
		goto out_memory;
	packet->iface = iface;
	packet->device = packet_device_name(iface);
	packet->fd = -1;
	packet->uso = true;
	packet->watch.ready = packet_ready;
	packet->watch.busy = true;
	packet->host.watch.ready = packet_link_news;
	packet->reopen.fire = packet_reopen;
	packet->resend.fire = packet_resend;
	packet->settled.fire = packet_settled;
	packet->scrap = strata_pkt_alloc(iface->stack, PACKET_HEADROOM, PACKET_COPYBREAK);
	if (packet->scrap == NULL)
		goto out_memory;
	result = packet_start(packet, error);
	if (result < 0) {
		packet_free(packet);
		return result;
	}
	iface->state = packet;
	iface->flags |= STRATA_IFACE_BROADCAST | STRATA_IFACE_MULTICAST;
	strata_hostlink_open(iface->stack, &packet->host);
	if (packet_host_state(packet) > 0)
		iface->flags |= STRATA_IFACE_RUNNING;
	else
		strata_log(iface->stack, iface->driver, STRATA_LOG_WARNING, "%s: device %s is down",
			   iface->name, packet->device);
	strata_timer_start(iface->stack, &packet->settled, strata_now(iface->stack));
	return 0;
out_memory:
	if (packet != NULL)
		packet_free(packet);
	strata_error_add(error, "interface %s: out of memory", iface->name);
	return -ENOMEM;
}

static void packet_close(struct strata_iface *iface)
{
	struct packet *packet = iface->state;

	strata_hostlink_close(iface->stack, &packet->host);
	if (packet->fd >= 0) {
		packet_rx_count_lost(packet);
		strata_watch_remove(iface->stack, &packet->watch);
		packet_socket_close(packet);
	}
	iface->state = NULL;
	iface->flags &= ~(uint32_t)STRATA_IFACE_RUNNING;
	packet_free(packet);
}

static void packet_xmit(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct packet *packet = iface->state;

	if (strata_unlikely(packet->fd < 0)) {
		iface->counters.tx_dropped++;
		strata_drop(iface->driver, pkt, PACKET_DROP_LINK_DOWN);
		return;
	}
	strata_trace_fields(iface->driver, pkt, STRATA_FIELDS(
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt))), "→ %s",
			    packet->device);
	packet_judge(packet, packet_tx_send(packet, pkt));
}

static unsigned int packet_poll(struct strata_iface *iface)
{
	struct packet *packet = iface->state;

	return packet->fd >= 0 ? packet_rx_receive(packet) : 0;
}

static bool packet_cuts(const struct strata_iface *iface, const struct strata_pkt *pkt)
{
	const struct packet *packet = iface->state;

	return strata_vnet_cuts(pkt, packet->uso);
}

static int packet_mtu_changed(struct strata_iface *iface, struct strata_error *error)
{
	const struct packet *packet = iface->state;
	struct packet_device device;

	if (packet->fd < 0 || packet_host_query(packet->device, &device) < 0 ||
	    device.mtu >= iface->mtu)
		return 0;
	strata_error_add(error, "interface %s: device %s has an MTU of %u; give it the larger one first",
			 iface->name, packet->device, device.mtu);
	return -EMSGSIZE;
}

static const char *const packet_checksums[] = {
	[PACKET_CHECKSUM_DEVICE] = "device",
	[PACKET_CHECKSUM_STACK] = "stack",
	[PACKET_CHECKSUMS] = NULL,
};

static const struct strata_option packet_options[] = {
	{
		.name = "device", .type = STRATA_OPT_STRING,
		.offset = offsetof(struct packet_config, device),
		.help = "The host's device, which must be there and stays the host's; none: the interface's name.",
	},
	{
		.name = "checksum", .type = STRATA_OPT_CHOICE,
		.offset = offsetof(struct packet_config, checksum), .fallback = "stack",
		.choices = packet_checksums,
		.help = "Who completes the checksums of packets larger than the MTU; stack: slower, but right "
			"in captures on the host.",
	},
	{
		.name = "ring", .type = STRATA_OPT_SIZE, .offset = offsetof(struct packet_config, ring),
		.fallback = "16MiB", .min = 1024 * 1024, .max = 1024 * 1024 * 1024,
		.help = "Memory for received frames, 15 to the MiB; a multiple of 1 MiB.",
	},
	{
		.name = "send_buffer", .type = STRATA_OPT_SIZE,
		.offset = offsetof(struct packet_config, send_buffer), .fallback = "1MiB",
		.max = 256 * 1024 * 1024,
		.help = "Bytes of sent frames that the host may hold; 0: the host's default.",
	},
	{
		.name = "backlog", .type = STRATA_OPT_UINT,
		.offset = offsetof(struct packet_config, backlog),
		.fallback = "256", .min = 1, .max = 65536, .unit = "packets",
		.help = "Most packets that wait in the stack while the device takes none.",
	},
	{
		.name = "fanout", .type = STRATA_OPT_UINT,
		.offset = offsetof(struct packet_config, fanout), .fallback = "0", .max = 65535,
		.help = "Number of a group of sockets on the device that share its flows between them; 0: none.",
	},
};

static const struct strata_dependency packet_depends[] = {
	{ .kind = STRATA_LINK, .name = "ethernet" },
	{ .name = NULL },
};

static const struct strata_link_ops packet_ops = {
	.framing = "ethernet",
	.validate = packet_socket_validate,
	.open = packet_open,
	.close = packet_close,
	.xmit = packet_xmit,
	.poll = packet_poll,
	.mtu_changed = packet_mtu_changed,
	.cuts = packet_cuts,
	.shards = true,
	.mtu_default = 1500,
	.mtu_min = 68,			/* RFC 791 3.2 */
	.mtu_max = STRATA_PKT_MAX - STRATA_VNET_LINK_HEADER,
};

STRATA_MODULE(packet) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_LINK,
	.name = "packet",
	.version = "1.0",
	.summary = "an existing device of a Linux host, over a packet socket with a ring and offload",
	.depends = packet_depends,
	.iface_config_size = sizeof(struct packet_config),
	.iface_options = packet_options,
	.iface_option_count = STRATA_COUNT(packet_options),
	.counters = packet_counters,
	.counter_count = STRATA_COUNT(packet_counters),
	.drops = packet_drops,
	.drop_count = STRATA_COUNT(packet_drops),
	.link = &packet_ops,
};
