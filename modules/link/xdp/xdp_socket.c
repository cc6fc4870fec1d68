/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an AF_XDP socket needs of the host: a device with the queue, memory for frames, the socket. The program that
 * sends the queue's frames to it is in xdp_program.c. Read Documentation/networking/af_xdp.rst before editing.
 */
#include <errno.h>
#include <linux/if_xdp.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "xdp_int.h"

/* Local choice: attempts at a queue that is taken. */
#define XDP_TRIES 200

int xdp_fail(const struct xdp *xdp, struct strata_error *error, const char *what, int result)
{
	strata_error_add(error, "interface %s: device %s: %s: %s%s", xdp->iface->name, xdp->device, what,
			 strerror(-result), result == -EPERM || result == -EACCES ?
			 " (needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF)" : "");
	return result;
}

/* Every shard has a queue of its own. The host binds a socket to a queue that it can only receive on, and then sends
 * nothing; so it is looked at before. */
static int xdp_check_queues(const struct xdp *xdp, struct strata_error *error)
{
	const struct strata_iface *iface = xdp->iface;
	const uint32_t first = (uint32_t)xdp_config(xdp)->queue;
	const uint32_t wanted = first + strata_shard_count(iface->stack);
	struct xdp_queues queues;
	char channels[48], which[48];
	uint32_t there;

	/* A driver that does not tell: the host refuses what is not there. */
	if (xdp_host_queues(xdp->device, &queues) < 0)
		return 0;
	there = queues.receive < queues.send ? queues.receive : queues.send;
	if (wanted <= there)
		return 0;
	if (queues.combined)
		snprintf(channels, sizeof(channels), "combined %u", wanted);
	else
		snprintf(channels, sizeof(channels), "rx %u tx %u", wanted, wanted);
	if (wanted == first + 1)
		snprintf(which, sizeof(which), "queue %u is wanted", first);
	else
		snprintf(which, sizeof(which), "%u shards want queues %u to %u", wanted - first, first, wanted - 1);
	strata_error_add(error, "interface %s: device %s: %s, counted from 0, and it has %u; `ethtool -L %s %s` gives it "
			 "more where it can have them", iface->name, xdp->device, which, there, xdp->device, channels);
	return -ENXIO;
}

static int xdp_check_device(struct xdp *xdp, struct strata_error *error)
{
	const struct strata_iface *iface = xdp->iface;
	unsigned short type;
	uint32_t mtu;
	int result = xdp_host_query(xdp->device, &xdp->ifindex, &mtu, &type);

	if (result < 0) {
		strata_error_add(error, "interface %s: device %s: %s", iface->name, xdp->device,
				 result == -ENODEV ? "the host has none of that name" : strerror(-result));
		return result;
	}
	if (type != ARPHRD_ETHER && type != ARPHRD_LOOPBACK) {
		strata_error_add(error, "interface %s: device %s does not carry Ethernet frames (its type is "
				 "%u)", iface->name, xdp->device, type);
		return -ENOTSUP;
	}
	if (mtu < iface->mtu) {
		strata_error_add(error, "interface %s: its MTU of %u is larger than %u, the MTU of device %s",
				 iface->name, iface->mtu, mtu, xdp->device);
		return -EMSGSIZE;
	}
	return xdp_check_queues(xdp, error);
}

/* ---- memory and socket ---- */

static int xdp_open_memory(struct xdp *xdp, struct strata_error *error)
{
	const struct xsk_umem_config config = {
		.fill_size = xdp->half, .comp_size = xdp->half, .frame_size = XDP_FRAME_SIZE,
	};
	void *area;
	int result;

	xdp->area_size = (size_t)xdp->half * 2 * XDP_FRAME_SIZE;
	area = mmap(NULL, xdp->area_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED)
		return xdp_fail(xdp, error, "no memory for frames", -errno);
	xdp->area = area;
	/* libxdp sets positions in the rings only in part, and takes the rest to be zero: not those of a device
	 * that went. */
	memset(&xdp->fill, 0, sizeof(xdp->fill));
	memset(&xdp->completion, 0, sizeof(xdp->completion));
	memset(&xdp->rx, 0, sizeof(xdp->rx));
	memset(&xdp->tx, 0, sizeof(xdp->tx));
	result = xsk_umem__create(&xdp->umem, area, xdp->area_size, &xdp->fill, &xdp->completion, &config);
	if (result < 0)
		return xdp_fail(xdp, error, result == -EAFNOSUPPORT ?
				"the host's kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)" :
				"its memory for frames cannot be shared with the host", result);
	return 0;
}

static int xdp_try_socket(struct xdp *xdp, uint16_t mode)
{
	const struct xsk_socket_config config = {
		.rx_size = xdp->half, .tx_size = xdp->half,
		.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD,
		.bind_flags = (uint16_t)(XDP_USE_NEED_WAKEUP | mode),
	};
	/* libxdp copies as many bytes, however short the name is. */
	char name[IF_NAMESIZE] = "";
	int result;

	memcpy(name, xdp->device, strlen(xdp->device));
	result = xsk_socket__create(&xdp->socket, name, xdp->queue, xdp->umem, &xdp->rx, &xdp->tx, &config);
	if (result < 0)
		xdp->socket = NULL;
	return result;
}

static void xdp_tell_mode(struct xdp *xdp)
{
	const struct strata_iface *iface = xdp->iface;
	struct xdp_options options = { 0 };
	socklen_t size = sizeof(options);
	bool zerocopy;

	if (xdp->told_mode)
		return;
	xdp->told_mode = true;
	getsockopt(xsk_socket__fd(xdp->socket), SOL_XDP, XDP_OPTIONS, &options, &size);
	zerocopy = (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
	strata_log(iface->stack, iface->driver,
		   zerocopy || xdp_config(xdp)->mode != XDP_MODE_ZEROCOPY ? STRATA_LOG_INFO : STRATA_LOG_WARNING,
		   "%s: device %s, queue %u: %s", iface->name, xdp->device, xdp->queue, zerocopy ? "zero-copy mode" :
		   xdp_config(xdp)->mode == XDP_MODE_ZEROCOPY ?
		   "copy mode, since its driver has no zero-copy mode" : "copy mode");
}

static void xdp_close_memory(struct xdp *xdp)
{
	if (xdp->umem != NULL)
		xsk_umem__delete(xdp->umem);
	if (xdp->area != NULL)
		munmap(xdp->area, xdp->area_size);
	xdp->umem = NULL;
	xdp->area = NULL;
}

/* Memory and socket together: what a failed socket leaves of its memory's rings is of no use. */
static int xdp_open_socket(struct xdp *xdp, struct strata_error *error)
{
	static const uint16_t modes[XDP_MODES] = {
		[XDP_MODE_AUTO] = 0, [XDP_MODE_COPY] = XDP_COPY, [XDP_MODE_ZEROCOPY] = XDP_ZEROCOPY,
	};
	uint16_t mode = modes[xdp_config(xdp)->mode];
	unsigned int tries;
	int result;

	for (tries = 0; ; tries++) {
		result = xdp_open_memory(xdp, error);
		if (result < 0)
			return result;
		result = xdp_try_socket(xdp, mode);
		if (result == 0) {
			xdp_tell_mode(xdp);
			return 0;
		}
		xdp_close_memory(xdp);
		if (mode == XDP_ZEROCOPY && result != -EBUSY)
			mode = XDP_COPY;
		else if (result != -EBUSY || tries >= XDP_TRIES)
			break;
		/* The host lets go of a queue some time after its socket was closed. */
		sched_yield();
	}
	if (result == -EINVAL)
		return xdp_fail(xdp, error, "it has no queue of that number", -ENXIO);
	return xdp_fail(xdp, error, result == -EBUSY ? "another process has the queue, or another interface or shard" :
			"no AF_XDP socket is to be had", result);
}

/* ---- all of it ---- */

void xdp_socket_close(struct xdp *xdp)
{
	struct strata_stack *stack = xdp->iface->stack;

	/* From here on the host has the queue's frames again. */
	xdp_program_close(xdp);
	if (xdp->socket != NULL)
		xsk_socket__delete(xdp->socket);
	xdp_close_memory(xdp);
	strata_free(stack, xdp->free);
	strata_free(stack, xdp->returned);
	xdp->socket = NULL;
	xdp->free = NULL;
	xdp->returned = NULL;
	xdp->open = false;
}

int xdp_socket_open(struct xdp *xdp, struct strata_error *error)
{
	struct strata_stack *stack = xdp->iface->stack;
	int result = xdp_check_device(xdp, error);

	if (result < 0)
		return result;
	xdp->half = (uint32_t)xdp_config(xdp)->frames / 2;
	xdp->queue = (uint32_t)xdp_config(xdp)->queue + strata_shard(stack);
	xdp->free = strata_alloc(stack, xdp->half * sizeof(*xdp->free));
	xdp->returned = strata_alloc(stack, xdp->half * sizeof(*xdp->returned));
	if (xdp->free == NULL || xdp->returned == NULL)
		result = xdp_fail(xdp, error, "lists of frames", -ENOMEM);
	if (result == 0)
		result = xdp_open_socket(xdp, error);
	if (result == 0) {
		xdp_io_start(xdp);
		result = xdp_program_open(xdp, error);
	}
	if (result < 0) {
		xdp_socket_close(xdp);
		return result;
	}
	xdp->open = true;
	return 0;
}
