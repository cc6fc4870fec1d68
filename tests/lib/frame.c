/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Builds and takes apart frames. Nothing of libstrata is called, so a mistake there cannot hide behind
 * the same mistake here. RFC 791 3.1, RFC 826, RFC 1071, RFC 9293 3.1 and 3.2, RFC 7323, RFC 2018.
 */
#include "frame.h"

#include <stdio.h>
#include <string.h>

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* ---- checksums ---- */

uint32_t fx_sum(uint32_t sum, const void *data, size_t length)
{
	const uint8_t *p = data;
	uint64_t total = sum;

	for (; length >= 2; p += 2, length -= 2)
		total += get16(p);
	if (length == 1)
		total += (uint32_t)p[0] << 8;
	while (total >> 16 != 0)
		total = (total & 0xffff) + (total >> 16);
	return (uint32_t)total;
}

uint16_t fx_sum_finish(uint32_t sum)
{
	return (uint16_t)~sum;
}

uint32_t fx_sum_pseudo(uint32_t src, uint32_t dst, uint8_t proto, size_t length)
{
	uint8_t pseudo[12];

	put32(pseudo, src);
	put32(pseudo + 4, dst);
	pseudo[8] = 0;
	pseudo[9] = proto;
	put16(pseudo + 10, (unsigned int)length);
	return fx_sum(0, pseudo, sizeof(pseudo));
}

/* ---- building ---- */

size_t fx_build_eth(uint8_t *out, const uint8_t *dst, const uint8_t *src, uint16_t type)
{
	memcpy(out, dst, 6);
	memcpy(out + 6, src, 6);
	put16(out + 12, type);
	return 14;
}

size_t fx_build_ip(uint8_t *out, const struct fx_ip *ip, uint16_t id, const void *payload,
		   size_t length)
{
	size_t options = (ip->options_len + 3) & ~(size_t)3;
	size_t header = 20 + options, total = header + length;
	unsigned int words = ip->ihl == 0 ? (unsigned int)header / 4 : ip->ihl & 15u;

	memset(out, 0, header);
	out[0] = (uint8_t)((ip->version == 0 ? 4u : ip->version) << 4 | words);
	out[1] = ip->tos;
	if (ip->total_length >= 0)
		put16(out + 2, ip->total_length == 0 ? (unsigned int)total
						     : (unsigned int)ip->total_length);
	put16(out + 4, ip->id == 0 ? id : ip->id);
	put16(out + 6, (ip->df ? 0x4000u : 0) | (ip->mf ? 0x2000u : 0) | ip->offset / 8u);
	out[8] = (uint8_t)(ip->ttl == 0 ? 64 : ip->ttl < 0 ? 0 : ip->ttl);
	out[9] = ip->proto;
	put32(out + 12, ip->src == 0 ? PEER_IP : ip->src);
	put32(out + 16, ip->dst == 0 ? STACK_IP : ip->dst);
	if (ip->options_len != 0)
		memcpy(out + 20, ip->options, ip->options_len);
	put16(out + 10, fx_sum_finish(fx_sum(0, out, header)));
	if (ip->bad_checksum)
		out[10] ^= 0x40;
	if (length != 0)
		memcpy(out + header, payload, length);
	total = ip->cut < total ? total - ip->cut : 0;
	memset(out + total, 0, ip->pad);
	return total + ip->pad;
}

void fx_pattern_fill(void *buf, size_t length, uint64_t position)
{
	uint8_t *p = buf;

	for (size_t i = 0; i < length; i++)
		p[i] = fx_pattern(position + i);
}

/* ---- taking apart ---- */

static const char *decode_arp(struct fx_pkt *pkt, const uint8_t *p, size_t length)
{
	if (length < 28)
		return "ARP: shorter than 28 bytes";
	if (get16(p) != 1 || get16(p + 2) != FX_ETH_IP || p[4] != 6 || p[5] != 4)
		return "ARP: not Ethernet and IPv4";
	pkt->arp.op = get16(p + 6);
	pkt->arp.sha = p + 8;
	pkt->arp.spa = get32(p + 14);
	pkt->arp.tha = p + 18;
	pkt->arp.tpa = get32(p + 24);
	if (pkt->eth_src != NULL && memcmp(pkt->arp.sha, pkt->eth_src, 6) != 0)
		return "ARP: sender hardware address differs from the frame's source";
	return NULL;
}

static const char *decode_icmp(struct fx_pkt *pkt, const uint8_t *p, size_t length)
{
	if (length < 8)
		return "ICMP: shorter than 8 bytes";
	if (fx_sum(0, p, length) != 0xffff)
		return "ICMP: wrong checksum";
	pkt->icmp.type = p[0];
	pkt->icmp.code = p[1];
	pkt->icmp.rest = get32(p + 4);
	pkt->icmp.id = get16(p + 4);
	pkt->icmp.seq = get16(p + 6);
	pkt->payload = p + 8;
	pkt->payload_len = length - 8;
	return NULL;
}

static const char *decode_udp(struct fx_pkt *pkt, const uint8_t *p, size_t length)
{
	if (length < 8)
		return "UDP: shorter than 8 bytes";
	if (get16(p + 4) != length)
		return "UDP: length differs from the packet's";
	pkt->udp.checksum = get16(p + 6) != 0;
	if (pkt->udp.checksum &&
	    fx_sum(fx_sum_pseudo(pkt->ip.src, pkt->ip.dst, FX_IP_UDP, length), p, length) != 0xffff)
		return "UDP: wrong checksum";
	pkt->udp.sport = get16(p);
	pkt->udp.dport = get16(p + 2);
	pkt->payload = p + 8;
	pkt->payload_len = length - 8;
	return NULL;
}

static const char *decode_tcp_option(struct fx_pkt *pkt, const uint8_t *o, size_t size)
{
	switch (o[0]) {
	case 2:
		if (size != 4)
			return "TCP: MSS option of a wrong length";
		pkt->tcp.mss = get16(o + 2);
		return NULL;
	case 3:
		if (size != 3)
			return "TCP: window scale option of a wrong length";
		pkt->tcp.wscale = o[2];
		return NULL;
	case 4:
		if (size != 2)
			return "TCP: SACK-permitted option of a wrong length";
		pkt->tcp.sack_ok = true;
		return NULL;
	case 5:
		if (size < 10 || (size - 2) % 8 != 0)
			return "TCP: SACK option of a wrong length";
		for (pkt->tcp.sacks = 0; 2 + pkt->tcp.sacks * 8 < size; pkt->tcp.sacks++) {
			pkt->tcp.sack[pkt->tcp.sacks].left = get32(o + 2 + pkt->tcp.sacks * 8);
			pkt->tcp.sack[pkt->tcp.sacks].right = get32(o + 6 + pkt->tcp.sacks * 8);
		}
		return NULL;
	case 8:
		if (size != 10)
			return "TCP: timestamps option of a wrong length";
		pkt->tcp.ts = true;
		pkt->tcp.tsval = get32(o + 2);
		pkt->tcp.tsecr = get32(o + 6);
		return NULL;
	}
	return NULL;
}

static const char *decode_tcp_options(struct fx_pkt *pkt)
{
	const uint8_t *o = pkt->tcp.options;
	size_t left = pkt->tcp.options_len;

	pkt->tcp.wscale = -1;
	while (left > 0 && o[0] != 0) {
		size_t size = 1;
		const char *fault = NULL;

		if (o[0] != 1) {
			size = left < 2 ? 0 : o[1];
			if (size < 2 || size > left)
				return "TCP: option runs past the header";
			fault = decode_tcp_option(pkt, o, size);
		}
		if (fault != NULL)
			return fault;
		o += size;
		left -= size;
	}
	return NULL;
}

static const char *decode_tcp(struct fx_pkt *pkt, const uint8_t *p, size_t length)
{
	size_t header;

	if (length < 20)
		return "TCP: shorter than 20 bytes";
	header = (size_t)(p[12] >> 4) * 4;
	if (header < 20 || header > length)
		return "TCP: data offset out of the segment";
	if (fx_sum(fx_sum_pseudo(pkt->ip.src, pkt->ip.dst, FX_IP_TCP, length), p, length) != 0xffff)
		return "TCP: wrong checksum";
	if ((p[12] & 15) != 0)
		return "TCP: reserved bits set";
	pkt->tcp.sport = get16(p);
	pkt->tcp.dport = get16(p + 2);
	pkt->tcp.seq = get32(p + 4);
	pkt->tcp.ack = get32(p + 8);
	pkt->tcp.flags = p[13];
	pkt->tcp.win = get16(p + 14);
	pkt->tcp.urg = get16(p + 18);
	pkt->tcp.options = p + 20;
	pkt->tcp.options_len = header - 20;
	pkt->payload = p + header;
	pkt->payload_len = length - header;
	return decode_tcp_options(pkt);
}

const char *fx_decode_transport(struct fx_pkt *pkt, const uint8_t *data, size_t length)
{
	pkt->transport = data;
	pkt->transport_len = length;
	pkt->payload = data;
	pkt->payload_len = length;
	pkt->whole = true;
	switch (pkt->ip.proto) {
	case FX_IP_ICMP:
		return decode_icmp(pkt, data, length);
	case FX_IP_TCP:
		return decode_tcp(pkt, data, length);
	case FX_IP_UDP:
		return decode_udp(pkt, data, length);
	}
	return NULL;
}

static const char *decode_ip(struct fx_pkt *pkt, const uint8_t *p, size_t length)
{
	unsigned int flags;

	if (length < 20)
		return "IP: shorter than 20 bytes";
	if (p[0] >> 4 != 4)
		return "IP: version is not 4";
	pkt->ip.header_len = (size_t)(p[0] & 15) * 4;
	pkt->ip.total_len = get16(p + 2);
	if (pkt->ip.header_len < 20 || pkt->ip.header_len > pkt->ip.total_len)
		return "IP: header length out of the packet";
	if (pkt->ip.total_len > length)
		return "IP: total length beyond the frame";
	if (fx_sum(0, p, pkt->ip.header_len) != 0xffff)
		return "IP: wrong header checksum";
	flags = get16(p + 6);
	if ((flags & 0x8000) != 0)
		return "IP: reserved flag set";
	pkt->ip.tos = p[1];
	pkt->ip.id = get16(p + 4);
	pkt->ip.df = (flags & 0x4000) != 0;
	pkt->ip.mf = (flags & 0x2000) != 0;
	pkt->ip.offset = (uint16_t)((flags & 0x1fff) * 8);
	pkt->ip.ttl = p[8];
	pkt->ip.proto = p[9];
	pkt->ip.src = get32(p + 12);
	pkt->ip.dst = get32(p + 16);
	pkt->ip.options = p + 20;
	pkt->ip.options_len = pkt->ip.header_len - 20;
	pkt->transport = p + pkt->ip.header_len;
	pkt->transport_len = pkt->ip.total_len - pkt->ip.header_len;
	if (pkt->ip.mf && pkt->transport_len % 8 != 0)
		return "IP: fragment that is not the last is no multiple of 8";
	if (pkt->ip.mf || pkt->ip.offset != 0)
		return NULL;
	return fx_decode_transport(pkt, pkt->transport, pkt->transport_len);
}

const char *fx_decode(struct fx_pkt *pkt, const uint8_t *frame, size_t length, bool bare)
{
	uint64_t time = pkt->time;

	memset(pkt, 0, sizeof(*pkt));
	pkt->time = time;
	pkt->frame = frame;
	pkt->length = length;
	if (bare) {
		pkt->ethertype = FX_ETH_IP;
		return decode_ip(pkt, frame, length);
	}
	if (length < 14)
		return "Ethernet: shorter than its header";
	pkt->eth_dst = frame;
	pkt->eth_src = frame + 6;
	pkt->ethertype = get16(frame + 12);
	if ((pkt->eth_src[0] & 1) != 0)
		return "Ethernet: multicast source";
	if (pkt->ethertype == FX_ETH_ARP)
		return decode_arp(pkt, frame + 14, length - 14);
	if (pkt->ethertype == FX_ETH_IP)
		return decode_ip(pkt, frame + 14, length - 14);
	return NULL;
}

/* ---- for people ---- */

static const char *ip_text(uint32_t ip, char *buf)
{
	snprintf(buf, 16, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255);
	return buf;
}

static void describe_tcp(const struct fx_pkt *pkt, char *buf, size_t size)
{
	static const char letters[] = "FSRPAUEC";
	char flags[9];
	size_t n = 0;

	for (unsigned int i = 0; i < 8; i++)
		if ((pkt->tcp.flags >> i & 1) != 0)
			flags[n++] = letters[i];
	flags[n] = '\0';
	snprintf(buf, size, "TCP %u > %u [%s] seq %u ack %u win %u len %zu", pkt->tcp.sport,
		 pkt->tcp.dport, flags, pkt->tcp.seq, pkt->tcp.ack, pkt->tcp.win, pkt->payload_len);
}

const char *fx_describe(const struct fx_pkt *pkt, char *buf, size_t size)
{
	char from[16], to[16], inner[128];

	if (pkt->ethertype == FX_ETH_ARP) {
		snprintf(buf, size, "ARP op %u, %s asks or tells %s", pkt->arp.op,
			 ip_text(pkt->arp.spa, from), ip_text(pkt->arp.tpa, to));
		return buf;
	}
	if (pkt->ethertype != FX_ETH_IP) {
		snprintf(buf, size, "EtherType 0x%04x, %zu bytes", pkt->ethertype, pkt->length);
		return buf;
	}
	if (!pkt->whole)
		snprintf(inner, sizeof(inner), "protocol %u, fragment of id %u at %u%s, %zu bytes",
			 pkt->ip.proto, pkt->ip.id, pkt->ip.offset, pkt->ip.mf ? ", more follow" : "",
			 pkt->transport_len);
	else if (pkt->ip.proto == FX_IP_TCP)
		describe_tcp(pkt, inner, sizeof(inner));
	else if (pkt->ip.proto == FX_IP_UDP)
		snprintf(inner, sizeof(inner), "UDP %u > %u len %zu", pkt->udp.sport, pkt->udp.dport,
			 pkt->payload_len);
	else if (pkt->ip.proto == FX_IP_ICMP)
		snprintf(inner, sizeof(inner), "ICMP type %u code %u rest 0x%08x len %zu", pkt->icmp.type,
			 pkt->icmp.code, pkt->icmp.rest, pkt->payload_len);
	else
		snprintf(inner, sizeof(inner), "protocol %u, %zu bytes", pkt->ip.proto,
			 pkt->transport_len);
	snprintf(buf, size, "%s > %s: %s", ip_text(pkt->ip.src, from), ip_text(pkt->ip.dst, to), inner);
	return buf;
}
