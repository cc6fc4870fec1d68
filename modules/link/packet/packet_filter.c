/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which frames of the device are worth a slot: a classic filter on the socket, in the host's kernel. Those to the
 * interface's address and to many; and of several shards, each with a socket, those of flows that this one owns, by
 * the same hash as the stack's (<strata/shard.h>), so that every frame goes to one socket and is seldom handed over.
 * Read the host's Documentation/networking/filter.rst and docs/adr/0023 before editing.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <strata/shard.h>
#include "packet_int.h"

/* Instructions there are at most. */
#define FILTER_MOST 64
/* Where a jump goes that is not known yet; the last three instructions. No jump within is that far. */
enum {
	TO_DROP = 200,
	TO_OTHER,		/* of no flow: the first shard's */
	TO_ACCEPT,
};
/* A frame, from its first byte; the outer tag is off. */
enum {
	FRAME_TYPE = 12,
	FRAME_IP = ETH_HLEN,
	/* RFC 791 3.1 */
	IP_FRAGMENT = FRAME_IP + 6, IP_PROTOCOL = FRAME_IP + 9, IP_SOURCE = FRAME_IP + 12,
	IP_DESTINATION = FRAME_IP + 16, IP_HEADER = 20,
	PORTS = 4,		/* both, first in the transport's header */
};
/* RFC 791 3.1: more fragments, or not the first. */
#define IP_FRAGMENTED 0x3fff

struct packet_filter {
	struct sock_filter code[FILTER_MOST];
	unsigned int count;
};

static void add(struct packet_filter *filter, int code, uint32_t k)
{
	filter->code[filter->count++] = (struct sock_filter)BPF_STMT((uint16_t)code, k);
}

static void jump(struct packet_filter *filter, int test, uint32_t k, uint8_t yes, uint8_t no)
{
	filter->code[filter->count++] = (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | test), k, yes, no);
}

/* Goes on behind where the frame is for the interface. */
static void add_address(struct packet_filter *filter, const struct strata_iface *iface)
{
	const uint8_t *mac = iface->lladdr.bytes;

	add(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE));
	jump(filter, BPF_JEQ | BPF_K, PACKET_OUTGOING, TO_DROP, 0);
	/* The interface that is carried may have another address. */
	if (iface->flags & STRATA_IFACE_CARRIES)
		return;
	add(filter, BPF_LD | BPF_B | BPF_ABS, 0);
	jump(filter, BPF_JSET | BPF_K, 1, 4, 0);	/* a group's address */
	add(filter, BPF_LD | BPF_W | BPF_ABS, 0);
	jump(filter, BPF_JEQ | BPF_K, strata_get_be32(mac), 0, TO_DROP);
	add(filter, BPF_LD | BPF_H | BPF_ABS, 4);
	jump(filter, BPF_JEQ | BPF_K, strata_get_be16(mac + 4), 0, TO_DROP);
}

/* Goes on behind where the frame has ports, with the bytes of its network header in X. A load beyond the
 * frame's end would drop it: whoever counts what is malformed wants to see it. */
static void add_has_ports(struct packet_filter *filter)
{
	add(filter, BPF_LD | BPF_W | BPF_LEN, 0);
	jump(filter, BPF_JGE | BPF_K, FRAME_IP + IP_HEADER + PORTS, 0, TO_OTHER);
	add(filter, BPF_LD | BPF_H | BPF_ABS, FRAME_TYPE);
	jump(filter, BPF_JEQ | BPF_K, ETH_P_IP, 0, TO_OTHER);
	add(filter, BPF_LD | BPF_B | BPF_ABS, IP_PROTOCOL);
	jump(filter, BPF_JEQ | BPF_K, IPPROTO_TCP, 1, 0);
	jump(filter, BPF_JEQ | BPF_K, IPPROTO_UDP, 0, TO_OTHER);
	add(filter, BPF_LD | BPF_H | BPF_ABS, IP_FRAGMENT);
	jump(filter, BPF_JSET | BPF_K, IP_FRAGMENTED, TO_OTHER, 0);
	add(filter, BPF_LDX | BPF_B | BPF_MSH, FRAME_IP);
	add(filter, BPF_MISC | BPF_TXA, 0);
	add(filter, BPF_ALU | BPF_ADD | BPF_K, FRAME_IP + PORTS);
	add(filter, BPF_MISC | BPF_TAX, 0);
	add(filter, BPF_LD | BPF_W | BPF_LEN, 0);
	jump(filter, BPF_JGE | BPF_X, 0, 0, TO_OTHER);
	add(filter, BPF_LDX | BPF_B | BPF_MSH, FRAME_IP);
}

/* A ^= A >> bits; needs M[0] and X. */
static void add_xor_shifted(struct packet_filter *filter, uint32_t bits)
{
	add(filter, BPF_ST, 0);
	add(filter, BPF_ALU | BPF_RSH | BPF_K, bits);
	add(filter, BPF_LDX | BPF_W | BPF_MEM, 0);
	add(filter, BPF_ALU | BPF_XOR | BPF_X, 0);
}

/* A = strata_steering_end() of the address and the port there; X: bytes of the network header, no longer. */
static void add_end(struct packet_filter *filter, const struct strata_steering *steering,
		    uint32_t address, uint32_t port)
{
	add(filter, BPF_LD | BPF_H | BPF_IND, FRAME_IP + port);
	add(filter, BPF_ALU | BPF_MUL | BPF_K, 0x10001);	/* into both halves */
	add(filter, BPF_MISC | BPF_TAX, 0);
	add(filter, BPF_LD | BPF_W | BPF_ABS, address);
	add(filter, BPF_ALU | BPF_XOR | BPF_X, 0);
	add(filter, BPF_ALU | BPF_XOR | BPF_K, steering->key[0]);
	add(filter, BPF_ALU | BPF_MUL | BPF_K, STRATA_STEERING_END);
	add_xor_shifted(filter, 15);
}

/* A = strata_steering_owner() of the frame's flow. */
static void add_owner(struct packet_filter *filter, const struct strata_steering *steering)
{
	add_end(filter, steering, IP_SOURCE, 0);
	add(filter, BPF_ST, 1);
	add(filter, BPF_LDX | BPF_B | BPF_MSH, FRAME_IP);
	add_end(filter, steering, IP_DESTINATION, 2);
	add(filter, BPF_LDX | BPF_W | BPF_MEM, 1);
	add(filter, BPF_ALU | BPF_ADD | BPF_X, 0);
	add(filter, BPF_ALU | BPF_XOR | BPF_K, steering->key[1]);
	add(filter, BPF_ALU | BPF_MUL | BPF_K, STRATA_STEERING_BOTH);
	add_xor_shifted(filter, 16);
	add(filter, BPF_ALU | BPF_AND | BPF_K, 0xffff);
	add(filter, BPF_ALU | BPF_MUL | BPF_K, steering->count);
	add(filter, BPF_ALU | BPF_RSH | BPF_K, 16);
}

static uint8_t resolved(uint8_t to, unsigned int at, unsigned int tail)
{
	return to < TO_DROP ? to : (uint8_t)(tail + to - TO_DROP - at - 1);
}

/* The end of all: three instructions that jumps go to. */
static void add_tail(struct packet_filter *filter, bool takes_other)
{
	const unsigned int tail = filter->count;
	unsigned int i;

	for (i = 0; i < tail; i++) {
		struct sock_filter *one = &filter->code[i];

		if (BPF_CLASS(one->code) != BPF_JMP)
			continue;
		one->jt = resolved(one->jt, i, tail);
		one->jf = resolved(one->jf, i, tail);
	}
	add(filter, BPF_RET | BPF_K, 0);
	add(filter, BPF_RET | BPF_K, takes_other ? UINT32_MAX : 0);
	add(filter, BPF_RET | BPF_K, UINT32_MAX);
}

int packet_filter_set(const struct packet *packet)
{
	const struct strata_iface *iface = packet->iface;
	const unsigned int shard = strata_shard(iface->stack);
	struct packet_filter filter = { .count = 0 };
	struct strata_steering steering;
	struct sock_fprog program = { .filter = filter.code };

	strata_shard_steering(iface->stack, &steering);
	add_address(&filter, iface);
	/* In a group the host has chosen a socket already, which need not be the owner's. */
	if (steering.count > 1 && packet_config(packet)->fanout == 0) {
		add_has_ports(&filter);
		add_owner(&filter, &steering);
		jump(&filter, BPF_JEQ | BPF_K, shard, TO_ACCEPT, TO_DROP);
	} else {
		jump(&filter, BPF_JA, 2, 0, 0);
	}
	add_tail(&filter, shard == 0);
	program.len = (unsigned short)filter.count;
	return setsockopt(packet->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ?
	       -errno : 0;
}
