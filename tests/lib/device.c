/* SPDX-License-Identifier: BSD-2-Clause */
/* See device.h. */
#include "device.h"

#include <sys/socket.h>
#include <unistd.h>

static void sniff(void *ctx, struct strata_iface *iface, const struct strata_pkt *pkt, bool out)
{
	struct fx_device *device = ctx;

	(void)iface;
	if (out)
		return;
	device->seen++;
	device->last = *pkt;
	strata_pkt_read(pkt, 0, device->bytes, sizeof(device->bytes));
}

int fx_device_open(struct fx_device *device, struct fixture *fx, const char *driver, void *config, void *state,
		   uint32_t caps)
{
	struct strata_iface *iface = fx->iface;
	int ends[2], size = 1 << 20;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	device->fx = fx;
	device->host = ends[1];
	device->driver = iface->driver;
	device->config = iface->config;
	device->state = iface->state;
	device->caps = iface->caps;
	iface->driver = strata_instance_by_name(fx->stack, STRATA_LINK, driver);
	assert_non_null(iface->driver);
	iface->config = config;
	iface->state = state;
	iface->caps = caps;
	strata_iface_set_sniffer(iface, sniff, device);
	return ends[0];
}

void fx_device_close(struct fx_device *device)
{
	struct strata_iface *iface = device->fx->iface;

	strata_iface_set_sniffer(iface, NULL, NULL);
	close(device->host);
	iface->driver = device->driver;
	iface->config = device->config;
	iface->state = device->state;
	iface->caps = device->caps;
}

void fx_device_never(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	(void)stack;
	(void)watch;
	(void)events;
}

void fx_device_no_timer(struct strata_stack *stack, struct strata_timer *timer)
{
	(void)stack;
	(void)timer;
}

size_t fx_device_reads(struct fx_device *device, struct virtio_net_hdr *vnet, uint8_t *frame, size_t size)
{
	struct iovec iov[2] = { { vnet, sizeof(*vnet) }, { frame, size } };
	ssize_t n = readv(device->host, iov, 2);

	return n < (ssize_t)sizeof(*vnet) ? 0 : (size_t)n - sizeof(*vnet);
}

size_t fx_echo_request(uint8_t *frame, size_t payload)
{
	uint8_t message[2048] = { 8 };
	const struct fx_ip ip = { .proto = FX_IP_ICMP };

	fx_pattern_fill(message + 8, payload, 0);
	strata_put_be16(message + 2, fx_sum_finish(fx_sum(0, message, 8 + payload)));
	fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_IP);
	return 14 + fx_build_ip(frame + 14, &ip, 1, message, 8 + payload);
}

size_t fx_super_packet(uint8_t *frame, struct virtio_net_hdr *vnet)
{
	static uint8_t segment[FX_SUPER];
	const struct fx_ip ip = { .proto = FX_IP_TCP };

	fx_pattern_fill(segment, sizeof(segment), 0);
	segment[12] = 0x50;
	fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_IP);
	*vnet = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
		.hdr_len = 54, .gso_size = 1448, .csum_start = 34, .csum_offset = 16,
	};
	return 14 + fx_build_ip(frame + 14, &ip, 1, segment, sizeof(segment));
}

struct strata_pkt *fx_numbered(struct fixture *fx, unsigned int number)
{
	struct strata_pkt *pkt = strata_pkt_alloc(fx->stack, 64, 1000);
	uint8_t *frame = strata_pkt_put(pkt, 1000);

	memset(frame, 0, 1000);
	fx_build_eth(frame, PEER_MAC, STACK_MAC, 0x88b5);
	strata_put_be16(frame + 14, (uint16_t)number);
	pkt->iface = fx->iface;
	return pkt;
}
