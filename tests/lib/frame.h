/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of a test: built from and taken apart into plain structures by code that shares nothing with
 * the stack, checksums included (RFC 791, 792, 768, 826, 1071, 9293).
 */
#ifndef TEST_FRAME_H
#define TEST_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An IPv4 address in host order. */
#define IP4(a, b, c, d) \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* Who is who in every test, unless it says otherwise. */
#define STACK_IP IP4(192, 0, 2, 2)
#define PEER_IP IP4(192, 0, 2, 1)
#define STACK_MAC ((const uint8_t *)"\x02\x00\x00\x00\x00\x02")
#define PEER_MAC ((const uint8_t *)"\x02\x00\x00\x00\x00\x01")
#define BROADCAST_MAC ((const uint8_t *)"\xff\xff\xff\xff\xff\xff")

enum {
	FX_ETH_IP = 0x0800,
	FX_ETH_ARP = 0x0806,
	FX_IP_ICMP = 1,
	FX_IP_TCP = 6,
	FX_IP_UDP = 17,
	FX_FRAME_MAX = 14 + 65535,
};

/* TCP flags, RFC 9293 3.1. */
enum {
	FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10, URG = 0x20, ECE = 0x40, CWR = 0x80,
};

/* How an IPv4 packet is to be made. All zero is a sound packet from the peer to the stack. */
struct fx_ip {
	uint32_t src, dst;		/* 0: PEER_IP, STACK_IP */
	int ttl;			/* 0: 64; -1: zero */
	uint8_t tos;
	uint8_t proto;			/* 0: as the payload is */
	uint16_t id;			/* 0: the next of a count */
	uint16_t offset;		/* of the fragment, in bytes */
	bool mf, df;
	const uint8_t *options;		/* padded to 4 bytes with zeros */
	size_t options_len;
	uint16_t fragment;		/* cut into fragments of that many payload bytes (a multiple of 8) */
	const uint8_t *to_mac, *from_mac;	/* NULL: STACK_MAC, PEER_MAC */
	/* faults */
	bool bad_checksum;
	uint8_t version;		/* 0: 4 */
	uint8_t ihl;			/* 0: right; else words; 16: zero */
	int total_length;		/* 0: right; -1: zero */
	size_t cut;			/* bytes taken off the end of the frame */
	size_t pad;			/* bytes put behind the packet */
};

/* A frame taken apart. Numbers are in host order; pointers lead into the frame. */
struct fx_pkt {
	uint64_t time;			/* when the stack sent it, ns */
	const uint8_t *frame;
	size_t length;
	const uint8_t *eth_dst, *eth_src;	/* NULL on bare IP */
	uint16_t ethertype;

	struct {
		uint16_t op;
		const uint8_t *sha, *tha;
		uint32_t spa, tpa;
	} arp;

	struct {
		uint32_t src, dst;
		uint8_t ttl, tos, proto;
		uint16_t id, offset;
		bool mf, df;
		size_t header_len, total_len;
		const uint8_t *options;
		size_t options_len;
	} ip;

	const uint8_t *transport;	/* first byte after the IP header */
	size_t transport_len;
	bool whole;			/* not a fragment: the parts below are filled */

	struct {
		uint8_t type, code;
		uint32_t rest;		/* bytes 4 to 7 */
		uint16_t id, seq;	/* the same, for echo */
	} icmp;

	struct {
		uint16_t sport, dport;
		bool checksum;		/* carries one */
	} udp;

	struct {
		uint16_t sport, dport;
		uint32_t seq, ack;
		uint8_t flags;
		uint16_t win, urg;
		const uint8_t *options;
		size_t options_len;
		uint16_t mss;		/* 0: none */
		int wscale;		/* -1: none */
		bool sack_ok, ts;
		uint32_t tsval, tsecr;
		unsigned int sacks;
		struct {
			uint32_t left, right;
		} sack[4];
	} tcp;

	const uint8_t *payload;		/* of UDP, TCP; of ICMP what follows its 8 bytes */
	size_t payload_len;
};

/* RFC 1071: the sum of 16-bit words, folded, not complemented; `sum` continues another. Every part but
 * the last must be of even length. */
uint32_t fx_sum(uint32_t sum, const void *data, size_t length);
/* The checksum field's value for a sum. */
uint16_t fx_sum_finish(uint32_t sum);
/* Sum of the IPv4 pseudo-header. */
uint32_t fx_sum_pseudo(uint32_t src, uint32_t dst, uint8_t proto, size_t length);

/* Writes an IPv4 packet (one; `ip->fragment` is not looked at) with `payload` to `out`; returns its
 * length, faults and padding included. `id` is used where ip->id is 0. */
size_t fx_build_ip(uint8_t *out, const struct fx_ip *ip, uint16_t id, const void *payload,
		   size_t length);
/* Puts an Ethernet header in front: `out` receives 14 bytes. */
size_t fx_build_eth(uint8_t *out, const uint8_t *dst, const uint8_t *src, uint16_t type);

/* Takes a frame apart (a bare IP packet where `bare`) and checks everything about it: lengths, header
 * and transport checksums, the form of options. Returns NULL, or what is wrong with it. */
const char *fx_decode(struct fx_pkt *pkt, const uint8_t *frame, size_t length, bool bare);
/* Fills the transport part from `data` as if it were the payload of `pkt`'s unfragmented packet. */
const char *fx_decode_transport(struct fx_pkt *pkt, const uint8_t *data, size_t length);

/* One line about the frame for people. */
const char *fx_describe(const struct fx_pkt *pkt, char *buf, size_t size);

/* Byte of a stream known by its place, so that one misplaced shows. */
static inline uint8_t fx_pattern(uint64_t position)
{
	return (uint8_t)(position * 31 + (position >> 8) * 7 + (position >> 16));
}
void fx_pattern_fill(void *buf, size_t length, uint64_t position);

#endif
