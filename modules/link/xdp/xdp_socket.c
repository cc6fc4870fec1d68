/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an AF_XDP socket needs of the host: memory for frames, the socket, a program of five instructions that
 * sends the queue's frames to it, and the link that holds the program on the device. The link is a
 * descriptor, so program and redirection go with the process, however it ends. Read
 * Documentation/networking/af_xdp.rst and docs/adr/0024 before editing.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if_arp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "xdp_int.h"

/* Local choice: attempts at a queue that is taken. */
#define XDP_TRIES 200

static int xdp_fail(const struct xdp *xdp, struct strata_error *error, const char *what, int result)
{
	strata_error_add(error, "interface %s: device %s: %s: %s%s", xdp->iface->name, xdp->device, what,
			 strerror(-result), result == -EPERM || result == -EACCES ?
			 " (needs CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF)" : "");
	return result;
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
	return 0;
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
	result = xsk_socket__create(&xdp->socket, name, (uint32_t)xdp_config(xdp)->queue, xdp->umem, &xdp->rx,
				    &xdp->tx, &config);
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
		   "%s: device %s, queue %llu: %s", iface->name, xdp->device,
		   (unsigned long long)xdp_config(xdp)->queue, zerocopy ? "zero-copy mode" :
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
	return xdp_fail(xdp, error, result == -EBUSY ? "another process has the queue" :
			"no AF_XDP socket is to be had", result);
}

/* ---- the program ---- */

/* Number of the queue that a frame came in on decides; one without a socket goes on to the host. */
static int xdp_load_program(struct xdp *xdp)
{
	const struct bpf_insn code[] = {
		/* r2 = ctx->rx_queue_index */
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		/* r1 = map */
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = xdp->map },
		{ .code = 0 },
		/* r3 = XDP_PASS: what becomes of others */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_XDP);

	xdp->program = bpf_prog_load(BPF_PROG_TYPE_XDP, "strata", "Dual BSD/GPL", code, STRATA_COUNT(code),
				     &options);
	return xdp->program < 0 ? -errno : 0;
}

/* In the device's driver where that can, else in front of the host's stack. */
static int xdp_attach(struct xdp *xdp)
{
	static const uint32_t ways[] = { XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE };
	int result = -EOPNOTSUPP;
	size_t i;

	for (i = 0; i < STRATA_COUNT(ways); i++) {
		LIBBPF_OPTS(bpf_link_create_opts, options, .flags = ways[i]);

		xdp->link = bpf_link_create(xdp->program, (int)xdp->ifindex, BPF_XDP, &options);
		if (xdp->link >= 0)
			return 0;
		result = -errno;
		if (result == -EBUSY || result == -EEXIST || result == -EPERM)
			break;
	}
	xdp->link = -1;
	return result;
}

static int xdp_open_program(struct xdp *xdp, struct strata_error *error)
{
	const uint32_t queue = (uint32_t)xdp_config(xdp)->queue;
	const int socket = xsk_socket__fd(xdp->socket);
	int result;

	xdp->map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "strata", sizeof(queue), sizeof(socket), queue + 1, NULL);
	if (xdp->map < 0)
		return xdp_fail(xdp, error, "the host makes no map of sockets", -errno);
	if (bpf_map_update_elem(xdp->map, &queue, &socket, 0) < 0)
		return xdp_fail(xdp, error, "its socket does not go into the map", -errno);
	result = xdp_load_program(xdp);
	if (result < 0)
		return xdp_fail(xdp, error, "the host takes no XDP program", result);
	result = xdp_attach(xdp);
	if (result < 0)
		return xdp_fail(xdp, error, result == -EBUSY || result == -EEXIST ?
				"it has another XDP program (`ip link set DEVICE xdp off`)" :
				"it takes no XDP program", result);
	return 0;
}

/* ---- all of it ---- */

static void xdp_close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void xdp_socket_close(struct xdp *xdp)
{
	struct strata_stack *stack = xdp->iface->stack;

	/* First the link: from then on the host has its frames again. */
	xdp_close_descriptor(&xdp->link);
	xdp_close_descriptor(&xdp->program);
	xdp_close_descriptor(&xdp->map);
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
	xdp->free = strata_alloc(stack, xdp->half * sizeof(*xdp->free));
	xdp->returned = strata_alloc(stack, xdp->half * sizeof(*xdp->returned));
	if (xdp->free == NULL || xdp->returned == NULL)
		result = xdp_fail(xdp, error, "lists of frames", -ENOMEM);
	if (result == 0)
		result = xdp_open_socket(xdp, error);
	if (result == 0) {
		xdp_io_start(xdp);
		result = xdp_open_program(xdp, error);
	}
	if (result < 0) {
		xdp_socket_close(xdp);
		return result;
	}
	xdp->open = true;
	return 0;
}
