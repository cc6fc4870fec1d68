/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program of five instructions that gives each queue's frames to the socket that has it, the map of those sockets,
 * and the link that holds the program on the device. A device has one program, so all interfaces on queues of it have
 * these in common: those of several shards, and several of one stack. The link is a descriptor: program and
 * redirection go with the process, however it ends. Read docs/adr/0024 before editing.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <stddef.h>
#include <unistd.h>
#include <strata/shard.h>
#include <strata/shards.h>
#include "xdp_int.h"

/* Queues that an interface can name, in every shard; 8 bytes each in the host's kernel. */
#define XDP_MAP_QUEUES (XDP_QUEUE_MOST + STRATA_SHARDS_MAX)

/** Of a device; under the lock. */
struct xdp_common {
	unsigned int users;
	int map, program, link;		/* descriptors of the host's, -1: none; without users nothing is meant */
};

/* Number of the queue that a frame came in on decides; one without a socket goes on to the host. */
static int xdp_load_program(struct xdp_common *common)
{
	const struct bpf_insn code[] = {
		/* r2 = ctx->rx_queue_index */
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = BPF_REG_2, .src_reg = BPF_REG_1,
		  .off = offsetof(struct xdp_md, rx_queue_index) },
		/* r1 = map */
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = common->map },
		{ .code = 0 },
		/* r3 = XDP_PASS: what becomes of others */
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_3, .imm = XDP_PASS },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect_map },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_XDP);

	common->program = bpf_prog_load(BPF_PROG_TYPE_XDP, "strata", "Dual BSD/GPL", code, STRATA_COUNT(code),
					&options);
	return common->program < 0 ? -errno : 0;
}

/* In the device's driver where that can, else in front of the host's stack. */
static int xdp_attach(struct xdp_common *common, unsigned int ifindex)
{
	static const uint32_t ways[] = { XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE };
	int result = -EOPNOTSUPP;
	size_t i;

	for (i = 0; i < STRATA_COUNT(ways); i++) {
		LIBBPF_OPTS(bpf_link_create_opts, options, .flags = ways[i]);

		common->link = bpf_link_create(common->program, (int)ifindex, BPF_XDP, &options);
		if (common->link >= 0)
			return 0;
		result = -errno;
		if (result == -EBUSY || result == -EEXIST || result == -EPERM)
			break;
	}
	common->link = -1;
	return result;
}

static void xdp_close_descriptor(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void xdp_common_close(struct xdp_common *common)
{
	/* First the link: from then on the host has the device's frames again. */
	xdp_close_descriptor(&common->link);
	xdp_close_descriptor(&common->program);
	xdp_close_descriptor(&common->map);
}

/* For the first user. */
static int xdp_common_open(const struct xdp *xdp, struct xdp_common *common, struct strata_error *error)
{
	int result;

	common->program = common->link = -1;
	common->map = bpf_map_create(BPF_MAP_TYPE_XSKMAP, "strata", sizeof(uint32_t), sizeof(int), XDP_MAP_QUEUES,
				     NULL);
	if (common->map < 0)
		return xdp_fail(xdp, error, "the host makes no map of sockets", -errno);
	result = xdp_load_program(common);
	if (result < 0)
		return xdp_fail(xdp, error, "the host takes no XDP program", result);
	result = xdp_attach(common, xdp->ifindex);
	if (result < 0)
		return xdp_fail(xdp, error, result == -EBUSY || result == -EEXIST ?
				"it has another XDP program (`ip link set DEVICE xdp off`)" :
				"it takes no XDP program", result);
	return 0;
}

static int xdp_join(const struct xdp *xdp, struct xdp_common *common, struct strata_error *error)
{
	const int socket = xsk_socket__fd(xdp->socket);
	int result = 0;

	if (common->users == 0)
		result = xdp_common_open(xdp, common, error);
	if (result == 0 && bpf_map_update_elem(common->map, &xdp->queue, &socket, 0) < 0)
		result = xdp_fail(xdp, error, "its socket does not go into the map", -errno);
	if (result == 0)
		common->users++;
	else if (common->users == 0)
		xdp_common_close(common);
	return result;
}

int xdp_program_open(struct xdp *xdp, struct strata_error *error)
{
	struct xdp_common *common = strata_common_get(xdp->iface->driver, xdp->ifindex, sizeof(*common));
	int result;

	if (common == NULL)
		return xdp_fail(xdp, error, "its program", -ENOMEM);
	strata_common_lock(common);
	result = xdp_join(xdp, common, error);
	strata_common_unlock(common);
	if (result == 0)
		xdp->common = common;
	else
		strata_common_put(xdp->iface->driver, common);
	return result;
}

void xdp_program_close(struct xdp *xdp)
{
	struct xdp_common *common = xdp->common;

	if (common == NULL)
		return;
	strata_common_lock(common);
	bpf_map_delete_elem(common->map, &xdp->queue);
	if (--common->users == 0)
		xdp_common_close(common);
	strata_common_unlock(common);
	strata_common_put(xdp->iface->driver, common);
	xdp->common = NULL;
}
