/* SPDX-License-Identifier: BSD-2-Clause */
/* What the peer sends: segments, datagrams, messages and frames built from a test's words. */
#include "fixture_int.h"

enum { TRANSPORT_MAX = 65535, TCP_OPTIONS_MAX = 40 };

/* Transport bytes are put together here; IP's are put around them by the fixture. */
struct build {
	uint8_t *bytes;
	size_t length;
};

static struct build build_begin(void)
{
	struct build build = { .bytes = calloc(1, TRANSPORT_MAX + 1) };

	assert_non_null(build.bytes);
	return build;
}

/* Appends a payload given as text, as bytes, or as a length of the pattern from `position` on. */
static size_t add_payload(struct build *build, const char *text, const void *data, int64_t len,
			  uint64_t position)
{
	size_t length = text != NULL ? strlen(text) : (size_t)len;

	assert_true(build->length + length <= TRANSPORT_MAX);
	if (text != NULL)
		memcpy(build->bytes + build->length, text, length);
	else if (data != NULL)
		memcpy(build->bytes + build->length, data, length);
	else
		fx_pattern_fill(build->bytes + build->length, length, position);
	build->length += length;
	return length;
}

static void finish(struct fixture *fx, struct build *build, const struct fx_ip *ip, uint8_t proto,
		   size_t cut)
{
	fx_mark(fx);
	fx_input_ip(fx, ip, proto, build->bytes, cut < build->length ? build->length - cut : 0);
	free(build->bytes);
}

static uint32_t ip_or(uint32_t ip, uint32_t other)
{
	return ip != 0 ? ip : other;
}

/* Writes the checksum of a transport that has a pseudo-header. */
static void put_checksum(struct build *build, const struct fx_ip *ip, uint8_t proto, size_t field,
			 bool bad)
{
	uint32_t sum = fx_sum_pseudo(ip_or(ip->src, PEER_IP), ip_or(ip->dst, STACK_IP), proto,
				     build->length);
	uint16_t checksum = fx_sum_finish(fx_sum(sum, build->bytes, build->length));

	/* RFC 768: a computed zero is sent as all ones */
	if (proto == FX_IP_UDP && checksum == 0)
		checksum = 0xffff;
	strata_put_be16(build->bytes + field, (uint16_t)(bad ? checksum ^ 0x1248 : checksum));
}

/* ---- TCP ---- */

static uint8_t *put_sack(uint8_t *o, const struct fx_tcp *segment, uint32_t isn)
{
	unsigned int count = 0;

	while (count < STRATA_COUNT(segment->sack) && segment->sack[count].right != 0)
		count++;
	if (count == 0)
		return o;
	*o++ = 1;
	*o++ = 1;
	*o++ = 5;
	*o++ = (uint8_t)(2 + count * 8);
	for (unsigned int i = 0; i < count; i++, o += 8) {
		strata_put_be32(o, isn + segment->sack[i].left);
		strata_put_be32(o + 4, isn + segment->sack[i].right);
	}
	return o;
}

static uint8_t *put_ts(uint8_t *o, const struct fixture *fx, const struct fx_tcp *segment,
		       const struct fx_conn *conn)
{
	bool syn = (segment->flags & SYN) != 0;

	if (!segment->ts && segment->tsval == FX_AUTO && segment->tsecr == FX_AUTO &&
	    (syn || !conn->ts))
		return o;
	*o++ = 1;
	*o++ = 1;
	*o++ = 8;
	*o++ = 10;
	strata_put_be32(o, segment->tsval == FX_AUTO ? (uint32_t)fx_ms(fx) + 1000
						     : (uint32_t)segment->tsval);
	strata_put_be32(o + 4, segment->tsecr == FX_AUTO ? conn->ts_recent
							 : (uint32_t)segment->tsecr);
	return o + 8;
}

static size_t put_options(uint8_t *to, const struct fixture *fx, const struct fx_tcp *segment,
			  const struct fx_conn *conn)
{
	uint8_t *o = to;

	if (segment->options != NULL) {
		memcpy(o, segment->options, segment->options_len);
		return (segment->options_len + 3) & ~(size_t)3;
	}
	if (segment->mss != 0) {
		*o++ = 2;
		*o++ = 4;
		strata_put_be16(o, segment->mss);
		o += 2;
	}
	if (segment->sack_ok) {
		memcpy(o, "\x01\x01\x04\x02", 4);
		o += 4;
	}
	o = put_ts(o, fx, segment, conn);
	if (segment->wscale >= 0) {
		memcpy(o, "\x01\x03\x03", 3);
		o[3] = (uint8_t)segment->wscale;
		o += 4;
	}
	o = put_sack(o, segment, conn->stack_isn);
	assert_true(o - to <= TCP_OPTIONS_MAX);
	return (size_t)(o - to);
}

/* What the peer has sent moves its side of the connection on. */
static void advance(struct fx_conn *conn, const struct fx_tcp *segment, uint32_t seq, size_t length,
		    bool ts)
{
	uint32_t end = seq + (uint32_t)length + ((segment->flags & SYN) != 0) +
		       ((segment->flags & FIN) != 0);

	if (segment->bad_checksum || segment->cut != 0 || segment->data_offset != 0 ||
	    segment->ip.bad_checksum || segment->ip.cut != 0)
		return;
	if ((segment->flags & SYN) != 0) {
		conn->peer_nxt = end;
		conn->peer_ts = ts;
	} else if ((int32_t)(end - conn->peer_nxt) > 0) {
		conn->peer_nxt = end;
	}
}

static bool has_ts(const uint8_t *options, size_t length)
{
	return memmem(options, length, "\x08\x0a", 2) != NULL;
}

void fx_rx_tcp(struct fixture *fx, const struct fx_tcp *segment)
{
	struct fx_conn *conn = segment->conn != NULL ? segment->conn : &fx->conn;
	struct build build = build_begin();
	struct fx_ip ip = segment->ip;
	uint8_t *p = build.bytes;
	uint32_t seq, ack = 0;
	size_t options, length;

	if (conn->peer_port == 0)
		conn->peer_port = 40000;
	if (segment->seq == FX_AUTO)
		seq = (segment->flags & SYN) != 0 ? 0 : conn->peer_nxt;
	else
		seq = (uint32_t)segment->seq - (segment->absolute ? conn->peer_isn : 0);
	if (segment->ack != FX_AUTO)
		ack = (uint32_t)segment->ack + (segment->absolute ? 0 : conn->stack_isn);
	else if ((segment->flags & ACK) != 0)
		ack = conn->stack_isn + conn->stack_nxt;
	strata_put_be16(p, conn->peer_port);
	strata_put_be16(p + 2, conn->stack_port);
	strata_put_be32(p + 4, conn->peer_isn + seq);
	strata_put_be32(p + 8, ack);
	options = put_options(p + 20, fx, segment, conn);
	p[12] = (uint8_t)((segment->data_offset == 0 ? 5 + options / 4
						     : segment->data_offset < 0
							       ? 0
							       : (unsigned int)segment->data_offset)
			  << 4);
	p[13] = segment->flags;
	strata_put_be16(p + 14, segment->win == FX_AUTO ? 65535 : (uint16_t)segment->win);
	strata_put_be16(p + 18, segment->urg);
	build.length = 20 + options;
	length = add_payload(&build, segment->text, segment->data, segment->len, seq - 1);
	ip.src = ip_or(ip.src, conn->peer_ip);
	ip.dst = ip_or(ip.dst, conn->stack_ip);
	put_checksum(&build, &ip, FX_IP_TCP, 16, segment->bad_checksum);
	advance(conn, segment, seq, length, has_ts(p + 20, options));
	finish(fx, &build, &ip, FX_IP_TCP, segment->cut);
}

/* ---- UDP, ICMP, ARP ---- */

void fx_rx_udp(struct fixture *fx, const struct fx_udp *datagram)
{
	struct build build = build_begin();
	uint8_t *p = build.bytes;

	strata_put_be16(p, datagram->sport != 0 ? datagram->sport : 40000);
	strata_put_be16(p + 2, datagram->dport != 0 ? datagram->dport : 7);
	build.length = 8;
	add_payload(&build, datagram->text, datagram->data, datagram->len, 0);
	strata_put_be16(p + 4, datagram->length == 0  ? (uint16_t)build.length
			       : datagram->length < 0 ? 0
						      : (uint16_t)datagram->length);
	if (!datagram->no_checksum)
		put_checksum(&build, &datagram->ip, FX_IP_UDP, 6, datagram->bad_checksum);
	finish(fx, &build, &datagram->ip, FX_IP_UDP, datagram->cut);
}

void fx_rx_icmp(struct fixture *fx, const struct fx_icmp *message)
{
	struct build build = build_begin();
	uint8_t *p = build.bytes;

	p[0] = (uint8_t)message->type;
	p[1] = (uint8_t)message->code;
	if (message->rest != FX_AUTO) {
		strata_put_be32(p + 4, (uint32_t)message->rest);
	} else {
		strata_put_be16(p + 4, (uint16_t)message->id);
		strata_put_be16(p + 6, (uint16_t)message->seq);
	}
	build.length = 8;
	add_payload(&build, message->text, message->data, message->len, 0);
	strata_put_be16(p + 2, fx_sum_finish(fx_sum(0, p, build.length)));
	if (message->bad_checksum)
		p[2] ^= 0x12;
	finish(fx, &build, &message->ip, FX_IP_ICMP, message->cut);
}

void fx_rx_icmp_error(struct fixture *fx, int type, int code, uint32_t info,
		      const struct fx_pkt *about, size_t quote)
{
	size_t link = about->eth_dst != NULL ? 14 : 0;
	size_t length = about->ip.header_len + quote;

	if (length > about->length - link)
		length = about->length - link;
	fx_rx_icmp(fx, &(const struct fx_icmp){ .type = type, .code = code, .rest = info,
						.data = about->frame + link, .len = (int64_t)length });
}

void fx_rx_arp(struct fixture *fx, const struct fx_arp *packet)
{
	const uint8_t *sha = packet->sha != NULL ? packet->sha : PEER_MAC;
	const uint8_t *to = packet->to_mac != NULL ? packet->to_mac
			    : packet->op == 1	   ? BROADCAST_MAC
						   : STACK_MAC;
	size_t length;
	uint8_t *p = calloc(1, 42 + packet->pad);

	assert_non_null(p);
	fx_build_eth(p, to, packet->from_mac != NULL ? packet->from_mac : sha, FX_ETH_ARP);
	strata_put_be16(p + 14, packet->htype != 0 ? packet->htype : 1);
	strata_put_be16(p + 16, packet->ptype != 0 ? packet->ptype : FX_ETH_IP);
	p[18] = packet->hlen != 0 ? packet->hlen : 6;
	p[19] = packet->plen != 0 ? packet->plen : 4;
	strata_put_be16(p + 20, packet->op);
	memcpy(p + 22, sha, 6);
	strata_put_be32(p + 28, packet->spa == FX_AUTO ? PEER_IP : (uint32_t)packet->spa);
	if (packet->tha != NULL)
		memcpy(p + 32, packet->tha, 6);
	else if (packet->op != 1)
		memcpy(p + 32, STACK_MAC, 6);
	strata_put_be32(p + 38, packet->tpa == FX_AUTO ? STACK_IP : (uint32_t)packet->tpa);
	length = packet->cut < 42 ? 42 - packet->cut : 0;
	fx_rx_frame(fx, p, length + packet->pad);
	free(p);
}

/* ---- anything ---- */

void fx_rx_ip(struct fixture *fx, const struct fx_ip *ip, const void *payload, size_t length)
{
	fx_mark(fx);
	fx_input_ip(fx, ip, ip->proto, payload, length);
}

void fx_rx_frame(struct fixture *fx, const void *frame, size_t length)
{
	fx_mark(fx);
	fx_input(fx, frame, length);
}
