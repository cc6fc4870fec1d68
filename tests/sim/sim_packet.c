/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the simulator itself reads and writes of packets: whether every checksum holds (RFC 791, 793,
 * 768, 792), a line for people, and the report of a router whose next link is too narrow (RFC 1191 4).
 */
#include "sim_int.h"

#include <stdio.h>

enum {
	IP_HEADER = 20, ICMP_HEADER = 8, QUOTE = 8,
	PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17,
	TYPE_IP = 0x0800, TYPE_ARP = 0x0806,
	FRAGMENT = 0x3fff, DONT_FRAGMENT = 0x4000,
};

/* The IPv4 header in a frame; NULL: there is none, or it does not fit. */
static const uint8_t *ip_of(const uint8_t *frame, size_t length, uint32_t header)
{
	const uint8_t *ip = frame + header;

	if (length < header + IP_HEADER || ip[0] >> 4 != 4)
		return NULL;
	return header == 0 || strata_get_be16(frame + 12) == TYPE_IP ? ip : NULL;
}

static bool sums_to_zero(const uint8_t *bytes, size_t length, uint32_t sum)
{
	return strata_csum_fold(strata_csum_add(bytes, length, sum)) == 0xffff;
}

static uint32_t pseudo_sum(const uint8_t *ip, size_t length)
{
	return strata_csum_add(ip + 12, 8, (uint32_t)ip[9] + (uint32_t)length);
}

enum sim_check sim_packet_check(const uint8_t *frame, size_t length, uint32_t header)
{
	const uint8_t *ip = ip_of(frame, length, header), *transport;
	size_t ip_header, total, n;

	if (ip == NULL)
		return SIM_CHECK_NONE;
	ip_header = (size_t)(ip[0] & 15) * 4;
	total = strata_get_be16(ip + 2);
	if (ip_header < IP_HEADER || total < ip_header || total > length - header ||
	    !sums_to_zero(ip, ip_header, 0))
		return SIM_CHECK_BAD;
	/* What a fragment's transport header sums up is not all here. */
	if ((strata_get_be16(ip + 6) & FRAGMENT) != 0)
		return SIM_CHECK_NONE;
	transport = ip + ip_header;
	n = total - ip_header;
	switch (ip[9]) {
	case PROTO_ICMP:
		return sums_to_zero(transport, n, 0) ? SIM_CHECK_GOOD : SIM_CHECK_BAD;
	case PROTO_UDP:
		if (n >= 8 && strata_get_be16(transport + 6) == 0)
			return SIM_CHECK_GOOD;
		break;
	case PROTO_TCP:
		break;
	default:
		return SIM_CHECK_NONE;
	}
	return sums_to_zero(transport, n, pseudo_sum(ip, n)) ? SIM_CHECK_GOOD : SIM_CHECK_BAD;
}

/* ---- for people ---- */

static int put_ip(char *buf, size_t size, const uint8_t *ip, int port)
{
	if (port < 0)
		return snprintf(buf, size, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
	return snprintf(buf, size, "%u.%u.%u.%u:%d", ip[0], ip[1], ip[2], ip[3], port);
}

static void put_tcp(char *buf, size_t size, const uint8_t *tcp, size_t n)
{
	static const char letters[] = "FSRPAUEC";
	char flags[9];
	size_t count = 0, header = (size_t)(tcp[12] >> 4) * 4;

	for (unsigned int bit = 0; bit < 8; bit++)
		if (tcp[13] & 1u << bit)
			flags[count++] = letters[bit];
	flags[count] = '\0';
	snprintf(buf, size, " [%s] seq %u ack %u win %u len %zu", flags, strata_get_be32(tcp + 4),
		 strata_get_be32(tcp + 8), strata_get_be16(tcp + 14), header < n ? n - header : 0);
}

static void put_packet(char *buf, size_t size, const uint8_t *ip, size_t length)
{
	size_t header = (size_t)(ip[0] & 15) * 4, n = length > header ? length - header : 0;
	const uint8_t *transport = ip + header;
	bool first = (strata_get_be16(ip + 6) & 0x1fff) == 0;
	bool ports = first && (ip[9] == PROTO_TCP || ip[9] == PROTO_UDP) && n >= 8;
	size_t at;

	at = (size_t)put_ip(buf, size, ip + 12, ports ? strata_get_be16(transport) : -1);
	at += (size_t)snprintf(buf + at, size - at, " > ");
	at += (size_t)put_ip(buf + at, size - at, ip + 16,
			     ports ? strata_get_be16(transport + 2) : -1);
	if (first && ip[9] == PROTO_TCP && n >= 20)
		put_tcp(buf + at, size - at, transport, n);
	else if (first && ip[9] == PROTO_UDP && n >= 8)
		snprintf(buf + at, size - at, " UDP len %zu", n - 8);
	else if (first && ip[9] == PROTO_ICMP && n >= 2)
		snprintf(buf + at, size - at, " ICMP type %u code %u", transport[0], transport[1]);
	else
		snprintf(buf + at, size - at, " protocol %u, %zu bytes from %u on", ip[9], n,
			 (strata_get_be16(ip + 6) & 0x1fffu) * 8);
}

void sim_packet_describe(const uint8_t *frame, size_t length, uint32_t header, char *buf, size_t size)
{
	const uint8_t *ip = ip_of(frame, length, header);
	size_t total;

	if (ip == NULL) {
		if (header == 14 && length >= 14)
			snprintf(buf, size, "%s 0x%04x, %zu bytes",
				 strata_get_be16(frame + 12) == TYPE_ARP ? "ARP" : "EtherType",
				 strata_get_be16(frame + 12), length);
		else
			snprintf(buf, size, "%zu bytes", length);
		return;
	}
	total = strata_get_be16(ip + 2);
	if (total > length - header)
		total = length - header;
	put_packet(buf, size, ip, total);
}

/* ---- the router's report ---- */

static void build_report(uint8_t *ip, const uint8_t *about, size_t quote, uint32_t mtu)
{
	uint8_t *icmp = ip + IP_HEADER;
	size_t total = IP_HEADER + ICMP_HEADER + quote;

	memset(ip, 0, IP_HEADER + ICMP_HEADER);
	ip[0] = 0x45;
	ip[1] = 0xc0;				/* RFC 1812 4.3.2.5: internetwork control */
	strata_put_be16(ip + 2, (uint16_t)total);
	ip[8] = 64;
	ip[9] = PROTO_ICMP;
	memcpy(ip + 12, about + 16, 4);		/* it stands for the router */
	memcpy(ip + 16, about + 12, 4);
	strata_put_be16(ip + 10, (uint16_t)~strata_csum_fold(strata_csum_add(ip, IP_HEADER, 0)));
	icmp[0] = 3;
	icmp[1] = 4;
	strata_put_be16(icmp + 6, (uint16_t)mtu);
	memcpy(icmp + ICMP_HEADER, about, quote);
	strata_put_be16(icmp + 2, (uint16_t)~strata_csum_fold(
		strata_csum_add(icmp, ICMP_HEADER + quote, 0)));
}

size_t sim_packet_too_big(const uint8_t *frame, size_t length, uint32_t header, uint32_t mtu,
			  uint8_t *out)
{
	const uint8_t *ip = ip_of(frame, length, header);
	size_t quote;

	if (ip == NULL || (strata_get_be16(ip + 6) & DONT_FRAGMENT) == 0 ||
	    (strata_get_be16(ip + 6) & 0x1fff) != 0)
		return 0;
	quote = (size_t)(ip[0] & 15) * 4 + QUOTE;
	if (quote > length - header)
		quote = length - header;
	if (header != 0) {
		memcpy(out, frame + 6, 6);
		memcpy(out + 6, frame, 6);
		strata_put_be16(out + 12, TYPE_IP);
	}
	build_report(out + header, ip, quote, mtu);
	return header + IP_HEADER + ICMP_HEADER + quote;
}

/* ---- the device ---- */

/* The one's complement sum over pseudo-header and transport packet, into the field at `check`. */
static void complete(uint8_t *ip, uint8_t *transport, size_t n, size_t check)
{
	uint16_t sum;

	strata_put_be16(transport + check, 0);
	sum = (uint16_t)~strata_csum_fold(strata_csum_add(transport, n, pseudo_sum(ip, n)));
	/* RFC 768: 0 would mean that there is none. */
	strata_put_be16(transport + check, sum == 0 ? 0xffff : sum);
}

/* The headers of the segment at `offset`, copied from the whole, become its own. */
static void finish_segment(uint8_t *ip, size_t total, unsigned int index, uint32_t offset, bool last)
{
	const size_t ip_header = (size_t)(ip[0] & 15) * 4, n = total - ip_header;
	uint8_t *transport = ip + ip_header;

	strata_put_be16(ip + 2, (uint16_t)total);
	strata_put_be16(ip + 4, (uint16_t)(strata_get_be16(ip + 4) + index));
	strata_put_be16(ip + 10, 0);
	strata_put_be16(ip + 10, (uint16_t)~strata_csum_fold(strata_csum_add(ip, ip_header, 0)));
	if (ip[9] == PROTO_UDP) {
		strata_put_be16(transport + 4, (uint16_t)n);
		complete(ip, transport, n, 6);
		return;
	}
	strata_put_be32(transport + 4, strata_get_be32(transport + 4) + offset);
	if (!last)
		transport[13] = (uint8_t)(transport[13] & ~0x09);	/* FIN, PSH */
	if (offset != 0)
		transport[13] = (uint8_t)(transport[13] & ~0x80);	/* CWR */
	complete(ip, transport, n, 16);
}

bool sim_packet_cut(const uint8_t *frame, size_t length, uint32_t header,
		    const struct strata_offload *offload,
		    void (*each)(void *ctx, const void *frame, size_t length), void *ctx)
{
	const uint8_t *ip = ip_of(frame, length, header);
	uint8_t out[65550];
	size_t headers, ip_header;
	uint32_t offset, n;
	unsigned int index = 0;

	if (length > sizeof(out))
		return false;
	if (offload->seg_type == STRATA_SEG_NONE && offload->csum != STRATA_CSUM_PARTIAL) {
		each(ctx, frame, length);
		return true;
	}
	if (ip == NULL || (ip[9] != PROTO_TCP && ip[9] != PROTO_UDP))
		return false;
	ip_header = (size_t)(ip[0] & 15) * 4;
	headers = header + ip_header;
	if (length < headers + IP_HEADER)
		return false;
	headers += ip[9] == PROTO_UDP ? 8 : (size_t)(ip[ip_header + 12] >> 4) * 4;
	n = offload->seg_type == STRATA_SEG_NONE ? (uint32_t)(length - headers) : offload->seg_size;
	if (n == 0 && length != headers)
		return false;
	offset = 0;
	do {
		uint32_t left = (uint32_t)(length - headers) - offset, size = left < n ? left : n;

		memcpy(out, frame, headers);
		memcpy(out + headers, frame + headers + offset, size);
		finish_segment(out + header, headers - header + size, index++, offset, size == left);
		each(ctx, out, headers + size);
		offset += size;
	} while (offset < length - headers);
	return true;
}
