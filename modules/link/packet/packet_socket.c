/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet socket on a device of the host: its ring, what it asks of the device. Read packet(7)
 * and the kernel's packet_set_ring() before editing.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "packet_int.h"

/* A slot holds the largest packet with link header, tag and what the host writes in front: some 80 bytes. */
#define PACKET_SLOT_SIZE (66u * 1024)
/* Memory of the ring comes in blocks, each one piece of the host's. */
#define PACKET_BLOCK_SIZE (1024u * 1024)

/* ---- options ---- */

/* As the kernel's dev_valid_name(). */
static bool packet_device_valid(const char *name)
{
	const char *p;

	if (name[0] == '\0' || strlen(name) >= IF_NAMESIZE || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return false;
	for (p = name; *p != '\0'; p++)
		if (*p == '/' || *p == ':' || isspace((unsigned char)*p))
			return false;
	return true;
}

int packet_socket_validate(const struct strata_iface *iface, struct strata_error *error)
{
	const struct packet_config *config = iface->config;
	const char *device = packet_device_name(iface);
	int result = 0;

	if (!packet_device_valid(device)) {
		strata_error_add(error, "interface %s: `device: %s` is no device name; expected 1 to %d "
				 "characters without '/', ':' and blanks", iface->name, device,
				 IF_NAMESIZE - 1);
		result = -EINVAL;
	}
	if (config->ring % PACKET_BLOCK_SIZE != 0) {
		strata_error_add(error, "interface %s: `ring: %llu` is no multiple of 1MiB", iface->name,
				 (unsigned long long)config->ring);
		result = -EINVAL;
	}
	return result;
}

/* ---- the device ---- */

static int packet_fail(const struct packet *packet, struct strata_error *error, const char *what,
		       int result)
{
	strata_error_add(error, "interface %s: device %s: %s: %s%s", packet->iface->name,
			 packet->device, what, strerror(-result),
			 result == -EPERM ? " (needs CAP_NET_RAW)" : "");
	return result;
}

static int packet_check_device(struct packet *packet, struct packet_device *device,
			       struct strata_error *error)
{
	const struct strata_iface *iface = packet->iface;
	const char *name = packet->device;
	int result = packet_host_query(name, device);

	if (result < 0) {
		strata_error_add(error, "interface %s: device %s: %s", iface->name, name,
				 result == -ENODEV ? "the host has none of that name" : strerror(-result));
		return result;
	}
	if (device->type != ARPHRD_ETHER && device->type != ARPHRD_LOOPBACK) {
		strata_error_add(error, "interface %s: device %s does not carry Ethernet frames (its type is "
				 "%u)", iface->name, name, device->type);
		return -ENOTSUP;
	}
	if (device->mtu < iface->mtu) {
		strata_error_add(error, "interface %s: its MTU of %u is larger than %u, the MTU of device %s; "
				 "give it `mtu: %u`, or `ip link set %s mtu %u`", iface->name, iface->mtu,
				 device->mtu, name, device->mtu, name, iface->mtu);
		return -EMSGSIZE;
	}
	return 0;
}

/* ---- the socket ---- */

static int packet_map_ring(struct packet *packet, struct strata_error *error)
{
	struct packet_ring *ring = &packet->ring;
	const uint32_t blocks = (uint32_t)(packet_config(packet)->ring / PACKET_BLOCK_SIZE);
	const uint32_t block_slots = PACKET_BLOCK_SIZE / PACKET_SLOT_SIZE;
	struct tpacket_req request = {
		.tp_block_size = PACKET_BLOCK_SIZE, .tp_block_nr = blocks,
		.tp_frame_size = PACKET_SLOT_SIZE, .tp_frame_nr = blocks * block_slots,
	};
	int version = TPACKET_V2;
	void *base;

	if (setsockopt(packet->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(packet->fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) < 0)
		return packet_fail(packet, error, "the host gives no ring for received frames; try a smaller "
				   "`ring`", -errno);
	*ring = (struct packet_ring){
		.size = (size_t)blocks * PACKET_BLOCK_SIZE, .block_size = PACKET_BLOCK_SIZE,
		.slot_size = PACKET_SLOT_SIZE, .block_slots = block_slots, .slots = request.tp_frame_nr,
	};
	base = mmap(NULL, ring->size, PROT_READ | PROT_WRITE, MAP_SHARED, packet->fd, 0);
	if (base == MAP_FAILED)
		return packet_fail(packet, error, "its ring cannot be mapped", -errno);
	ring->base = base;
	return 0;
}

/* Makes the device take frames to the interface's address in; a filter of addresses where it has one, else
 * the host's kernel makes it promiscuous. */
static int packet_join(const struct packet *packet)
{
	const struct strata_iface *iface = packet->iface;
	struct packet_mreq request = { .mr_ifindex = (int)packet->ifindex };

	request.mr_type = PACKET_MR_ALLMULTI;
	if (setsockopt(packet->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) < 0)
		return -errno;
	request.mr_type = PACKET_MR_UNICAST;
	request.mr_alen = ETH_ALEN;
	memcpy(request.mr_address, iface->lladdr.bytes, ETH_ALEN);
	if (iface->flags & STRATA_IFACE_CARRIES)
		request.mr_type = PACKET_MR_PROMISC;
	return setsockopt(packet->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof(request)) < 0 ?
	       -errno : 0;
}

static int packet_bind(struct packet *packet, struct strata_error *error)
{
	const struct packet_config *config = packet_config(packet);
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)packet->ifindex,
	};
	int result, how;

	if (bind(packet->fd, (const struct sockaddr *)(const void *)&address, sizeof(address)) < 0)
		return packet_fail(packet, error, "a packet socket cannot be bound to it", -errno);
	result = packet_join(packet);
	if (result < 0)
		return packet_fail(packet, error, "it cannot be made to take in frames to the interface's address",
				   result);
	/* The same flow always goes to the same socket: packet_mmap.rst, PACKET_FANOUT_HASH. */
	how = (int)config->fanout | PACKET_FANOUT_HASH << 16;
	if (config->fanout != 0 &&
	    setsockopt(packet->fd, SOL_PACKET, PACKET_FANOUT, &how, sizeof(how)) < 0)
		return packet_fail(packet, error, "its frames cannot be shared with others by `fanout` (is the "
				   "number another device's?)", -errno);
	return 0;
}

static void packet_set_send_buffer(const struct packet *packet)
{
	const int size = (int)packet_config(packet)->send_buffer;

	/* Beyond net.core.wmem_max it takes CAP_NET_ADMIN; less is no failure. */
	if (size != 0 && setsockopt(packet->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		setsockopt(packet->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int packet_socket_open(struct packet *packet, struct strata_error *error)
{
	struct packet_device device;
	int result = packet_check_device(packet, &device, error), on = 1;

	if (result < 0)
		return result;
	packet->ifindex = device.ifindex;
	/* Protocol 0: it receives nothing before it is bound. */
	packet->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (packet->fd < 0)
		return packet_fail(packet, error, "no packet socket is to be had", -errno);
	packet->iface->caps = STRATA_CAP_TX_CSUM | STRATA_CAP_FRAGS | STRATA_CAP_SEG_STREAM;
	if (packet->uso)
		packet->iface->caps |= STRATA_CAP_SEG_DATAGRAM;
	packet_set_send_buffer(packet);
	/* Frames that the host sends: from Linux 4.20 on they are not even copied; the filter drops them before. */
	setsockopt(packet->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	if (setsockopt(packet->fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0)
		result = packet_fail(packet, error, "the host gives no offload header", -errno);
	if (result == 0)
		result = packet_filter_set(packet);
	if (result == 0)
		result = packet_map_ring(packet, error);
	if (result == 0)
		result = packet_bind(packet, error);
	if (result < 0)
		packet_socket_close(packet);
	return result;
}

void packet_socket_close(struct packet *packet)
{
	if (packet->ring.base != NULL)
		munmap(packet->ring.base, packet->ring.size);
	packet->ring.base = NULL;
	if (packet->fd >= 0)
		close(packet->fd);
	packet->fd = -1;
}
