/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header on the wire: checked completely, read into host order, written, and cut into segments.
 * Read RFC 9293 3.1 and 3.2, RFC 7323 2.2 and 3.2, RFC 2018 2 and 3 before editing.
 */
#include "tcp_int.h"

/* RFC 9293 3.2, RFC 7323, RFC 2018: kinds and their lengths. */
enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WSCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TIMESTAMP = 8,
	OPTION_FASTOPEN = 34,		/* RFC 7413 4.1.1 */
	OPTION_EXPERIMENT = 254,	/* RFC 6994 */
};
enum {
	LENGTH_MSS = 4,
	LENGTH_WSCALE = 3,
	LENGTH_SACK_PERMITTED = 2,
	LENGTH_TIMESTAMP = 10,
	LENGTH_FASTOPEN = 2,		/* and the cookie's */
	LENGTH_EXPERIMENT = 4,
};
/* Of Fast Open, among the experiments that share an option. */
#define EXPERIMENT_FASTOPEN 0xf989
/* RFC 7413 4.1.1 */
#define COOKIE_MIN 4
/* "nop, nop, timestamp", the form of every segment of most connections. */
#define TIMESTAMP_WORD UINT32_C(0x0101080a)

static bool parse_sack(const uint8_t *option, unsigned int length, struct tcp_header *h)
{
	unsigned int i, count = (length - 2) / 8;

	if (count == 0 || count > TCP_SACK_BLOCKS || (length - 2) % 8 != 0)
		return false;
	for (i = 0; i < count; i++) {
		h->sack[i].start = strata_get_be32(option + 2 + 8 * i);
		h->sack[i].end = strata_get_be32(option + 6 + 8 * i);
	}
	h->sack_count = (uint16_t)count;
	h->options |= TCP_HAS_SACK;
	return true;
}

/* RFC 7413 4.1.1: one whose length is odd or beyond the range is ignored. */
static void parse_fastopen(const uint8_t *cookie, unsigned int length, bool experimental,
			   struct tcp_header *h)
{
	if ((h->flags & TCP_SYN) == 0 || length % 2 != 0 || length > TCP_FASTOPEN_COOKIE_MAX ||
	    (length != 0 && length < COOKIE_MIN))
		return;
	h->options |= TCP_HAS_FASTOPEN;
	h->fastopen.length = (uint8_t)length;
	h->fastopen.experimental = experimental;
	memcpy(h->fastopen.bytes, cookie, length);
}

/* One option of a known kind; false when its length is wrong. Options that only a SYN may carry are
 * ignored elsewhere (RFC 7323 1.3, RFC 2018 2). */
static bool parse_option(const uint8_t *option, unsigned int length, struct tcp_header *h)
{
	bool syn = (h->flags & TCP_SYN) != 0;

	switch (option[0]) {
	case OPTION_MSS:
		if (length != LENGTH_MSS)
			return false;
		h->mss = strata_get_be16(option + 2);
		/* An MSS of 0 says nothing. */
		if (syn && h->mss != 0)
			h->options |= TCP_HAS_MSS;
		return true;
	case OPTION_WSCALE:
		if (length != LENGTH_WSCALE)
			return false;
		/* RFC 7323 2.3: a larger count is read as 14. */
		h->wscale = option[2] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : option[2];
		if (syn)
			h->options |= TCP_HAS_WSCALE;
		return true;
	case OPTION_SACK_PERMITTED:
		if (length != LENGTH_SACK_PERMITTED)
			return false;
		if (syn)
			h->options |= TCP_HAS_SACK_PERMITTED;
		return true;
	case OPTION_TIMESTAMP:
		if (length != LENGTH_TIMESTAMP)
			return false;
		h->tsval = strata_get_be32(option + 2);
		h->tsecr = strata_get_be32(option + 6);
		h->options |= TCP_HAS_TIMESTAMP;
		return true;
	case OPTION_SACK:
		return parse_sack(option, length, h);
	case OPTION_FASTOPEN:
		parse_fastopen(option + LENGTH_FASTOPEN, length - LENGTH_FASTOPEN, false, h);
		return true;
	case OPTION_EXPERIMENT:
		if (length >= LENGTH_EXPERIMENT && strata_get_be16(option + 2) == EXPERIMENT_FASTOPEN)
			parse_fastopen(option + LENGTH_EXPERIMENT, length - LENGTH_EXPERIMENT, true, h);
		return true;
	default:
		return true;
	}
}

/* RFC 9293 3.1, MUST-5 … MUST-7, MUST-68: unknown options are skipped by their length; an illegal
 * length must do no harm, so nothing of such a segment is believed. */
static bool parse_options(const uint8_t *option, const uint8_t *end, struct tcp_header *h)
{
	unsigned int length;

	while (option < end && option[0] != OPTION_END) {
		if (option[0] == OPTION_NOP) {
			option++;
			continue;
		}
		if (end - option < 2)
			return false;
		length = option[1];
		if (length < 2 || length > (unsigned int)(end - option) ||
		    !parse_option(option, length, h))
			return false;
		option += length;
	}
	return true;
}

static bool checksum_good(const struct strata_pkt *pkt)
{
	uint32_t length = strata_pkt_length(pkt), sum;

	if (pkt->csum != STRATA_CSUM_NONE)
		return true;
	sum = strata_csum_pseudo(&pkt->src, &pkt->dst, pkt->number, length);
	return strata_csum_fold(strata_pkt_csum(pkt, 0, length, sum)) == 0xffff;
}

bool tcp_parse(struct strata_pkt *pkt, struct tcp_header *h, enum tcp_drop *reason)
{
	uint32_t length = strata_pkt_length(pkt), header;
	const uint8_t *p;

	*reason = TCP_DROP_TRUNCATED;
	if (length < TCP_HEADER_MIN)
		return false;
	*reason = TCP_DROP_NO_MEMORY;
	p = strata_pkt_header(pkt, TCP_HEADER_MIN);
	if (p == NULL)
		return false;
	header = (uint32_t)(p[12] >> 4) * 4;
	if (header < TCP_HEADER_MIN || header > length) {
		*reason = TCP_DROP_BAD_OFFSET;
		return false;
	}
	p = strata_pkt_header(pkt, header);
	if (p == NULL)
		return false;
	*reason = TCP_DROP_BAD_CHECKSUM;
	if (!checksum_good(pkt))
		return false;
	memset(h, 0, offsetof(struct tcp_header, sack));
	h->source = strata_get_be16(p);
	h->destination = strata_get_be16(p + 2);
	h->seq = strata_get_be32(p + 4);
	h->ack = strata_get_be32(p + 8);
	h->flags = p[13];
	h->length = (uint8_t)header;
	h->window = strata_get_be16(p + 14);
	h->urgent = strata_get_be16(p + 18);
	*reason = TCP_DROP_BAD_PORT;
	if (h->source == 0 || h->destination == 0)
		return false;
	if (header == TCP_HEADER_MIN + TCP_TIMESTAMP_SIZE &&
	    strata_get_be32(p + TCP_HEADER_MIN) == TIMESTAMP_WORD) {
		h->options = TCP_HAS_TIMESTAMP;
		h->tsval = strata_get_be32(p + 24);
		h->tsecr = strata_get_be32(p + 28);
		return true;
	}
	*reason = TCP_DROP_BAD_OPTION;
	return parse_options(p + TCP_HEADER_MIN, p + header, h);
}

static uint8_t *emit_timestamp(const struct tcp_header *h, uint8_t *out)
{
	out[0] = OPTION_TIMESTAMP;
	out[1] = LENGTH_TIMESTAMP;
	strata_put_be32(out + 2, h->tsval);
	strata_put_be32(out + 6, h->tsecr);
	return out + LENGTH_TIMESTAMP;
}

static uint8_t *emit_nops(uint8_t *out, unsigned int n)
{
	memset(out, OPTION_NOP, n);
	return out + n;
}

/* Without its padding. */
static uint32_t fastopen_length(const struct tcp_header *h)
{
	uint32_t head = h->fastopen.experimental ? LENGTH_EXPERIMENT : LENGTH_FASTOPEN;

	return head + h->fastopen.length;
}

static uint8_t *emit_fastopen(const struct tcp_header *h, uint8_t *out)
{
	uint32_t length = fastopen_length(h);

	out[0] = h->fastopen.experimental ? OPTION_EXPERIMENT : OPTION_FASTOPEN;
	out[1] = (uint8_t)length;
	if (h->fastopen.experimental)
		strata_put_be16(out + 2, EXPERIMENT_FASTOPEN);
	memcpy(out + length - h->fastopen.length, h->fastopen.bytes, h->fastopen.length);
	return emit_nops(out + length, (4 - length % 4) % 4);
}

/* The order in which Linux writes them, which middleboxes know: mss, sackOK, timestamp, nop, wscale, Fast Open.
 * All of them fill the 40 bytes exactly where the cookie has 16. */
static uint8_t *emit_syn_options(const struct tcp_header *h, uint8_t *out)
{
	bool sack = (h->options & TCP_HAS_SACK_PERMITTED) != 0;
	bool stamp = (h->options & TCP_HAS_TIMESTAMP) != 0;

	if (h->options & TCP_HAS_MSS) {
		out[0] = OPTION_MSS;
		out[1] = LENGTH_MSS;
		strata_put_be16(out + 2, h->mss);
		out += LENGTH_MSS;
	}
	if (sack != stamp)
		out = emit_nops(out, 2);
	if (sack) {
		out[0] = OPTION_SACK_PERMITTED;
		out[1] = LENGTH_SACK_PERMITTED;
		out += LENGTH_SACK_PERMITTED;
	}
	if (stamp)
		out = emit_timestamp(h, out);
	if (h->options & TCP_HAS_WSCALE) {
		out = emit_nops(out, 1);
		out[0] = OPTION_WSCALE;
		out[1] = LENGTH_WSCALE;
		out[2] = h->wscale;
		out += LENGTH_WSCALE;
	}
	if (h->options & TCP_HAS_FASTOPEN)
		out = emit_fastopen(h, out);
	return out;
}

static uint8_t *emit_data_options(const struct tcp_header *h, uint8_t *out)
{
	unsigned int i;

	if (h->options & TCP_HAS_TIMESTAMP)
		out = emit_timestamp(h, emit_nops(out, 2));
	if (h->options & TCP_HAS_SACK) {
		out = emit_nops(out, 2);
		out[0] = OPTION_SACK;
		out[1] = (uint8_t)(2 + 8 * h->sack_count);
		out += 2;
		for (i = 0; i < h->sack_count; i++, out += 8) {
			strata_put_be32(out, h->sack[i].start);
			strata_put_be32(out + 4, h->sack[i].end);
		}
	}
	return out;
}

uint32_t tcp_emit_length(const struct tcp_header *h)
{
	uint32_t n = TCP_HEADER_MIN;

	if (h->flags & TCP_SYN) {
		if (h->options & TCP_HAS_MSS)
			n += LENGTH_MSS;
		if (h->options & TCP_HAS_TIMESTAMP)
			n += TCP_TIMESTAMP_SIZE;
		else if (h->options & TCP_HAS_SACK_PERMITTED)
			n += 2 + LENGTH_SACK_PERMITTED;
		if (h->options & TCP_HAS_WSCALE)
			n += 1 + LENGTH_WSCALE;
		if (h->options & TCP_HAS_FASTOPEN)
			n += (fastopen_length(h) + 3) / 4 * 4;
		return n;
	}
	if (h->options & TCP_HAS_TIMESTAMP)
		n += TCP_TIMESTAMP_SIZE;
	if (h->options & TCP_HAS_SACK)
		n += 4 + 8 * (uint32_t)h->sack_count;
	return n;
}

void tcp_emit(const struct tcp_header *h, uint8_t *out, uint32_t length)
{
	strata_put_be16(out, h->source);
	strata_put_be16(out + 2, h->destination);
	strata_put_be32(out + 4, h->seq);
	strata_put_be32(out + 8, h->ack);
	out[12] = (uint8_t)(length / 4 << 4);
	out[13] = h->flags;
	strata_put_be16(out + 14, h->window);
	strata_put_be16(out + TCP_CHECKSUM_OFFSET, 0);
	strata_put_be16(out + 18, h->urgent);
	if (h->flags & TCP_SYN)
		emit_syn_options(h, out + TCP_HEADER_MIN);
	else
		emit_data_options(h, out + TCP_HEADER_MIN);
}

void tcp_emit_flags(uint8_t *header, uint8_t flags)
{
	header[13] = flags;
}

bool tcp_ports(const uint8_t *header, uint32_t length, bool sent, uint16_t *local, uint16_t *remote)
{
	if (length < 4)
		return false;
	*local = strata_get_be16(header + (sent ? 0 : 2));
	*remote = strata_get_be16(header + (sent ? 2 : 0));
	return true;
}

uint32_t tcp_header_length(const struct strata_pkt *pkt)
{
	return pkt->len < TCP_HEADER_MIN ? 0 : (uint32_t)(pkt->data[12] >> 4) * 4;
}

void tcp_segment_cut(struct strata_instance *self, const struct strata_pkt *whole,
		     struct strata_pkt *segment, uint32_t offset, bool last)
{
	uint8_t *p = segment->data;

	(void)self;
	(void)whole;
	strata_put_be32(p + 4, strata_get_be32(p + 4) + offset);
	/* What ends the data belongs to its last segment; RFC 3168 6.1.2: CWR to the first. */
	if (!last)
		p[13] = (uint8_t)(p[13] & ~(TCP_FIN | TCP_PSH));
	if (offset != 0)
		p[13] = (uint8_t)(p[13] & ~TCP_CWR);
}

/* Whether `pkt`, whose header is at `p`, says the same as the whole at `w` but for where its text begins: what
 * cutting would not bring back keeps them apart, as in Linux. */
static bool continues(const uint8_t *w, const uint8_t *p, uint32_t header, uint32_t next)
{
	const uint32_t may_differ = (uint32_t)(TCP_CWR | TCP_FIN | TCP_PSH) << 16;
	const uint32_t word = strata_get_be32(p + 12);

	/* Header length, flags and window in one word; acknowledgement, urgent pointer, options. */
	return strata_get_be32(p + 4) == next &&
	       ((word ^ strata_get_be32(w + 12)) & ~may_differ) == 0 && (p[13] & TCP_CWR) == 0 &&
	       memcmp(p + 8, w + 8, 4) == 0 && memcmp(p + 18, w + 18, header - 18) == 0;
}

enum strata_join tcp_coalesce(struct strata_instance *self, struct strata_pkt *whole,
			      struct strata_pkt *pkt, uint32_t size)
{
	const uint8_t *p = pkt->data;
	uint32_t header, payload, next;
	uint8_t *w;

	(void)self;
	if (pkt->len < TCP_HEADER_MIN)
		return STRATA_JOIN_NOT;
	if (whole != NULL && memcmp(whole->data, p, 4) != 0)
		return STRATA_JOIN_OTHER;
	header = (uint32_t)(p[12] >> 4) * 4;
	if (header < TCP_HEADER_MIN || header >= strata_pkt_length(pkt) || header > pkt->len)
		return STRATA_JOIN_NOT;
	payload = strata_pkt_length(pkt) - header;
	if (whole == NULL) {
		/* What is to be delivered now does not wait. */
		if ((p[13] & (TCP_URG | TCP_PSH | TCP_RST | TCP_SYN | TCP_FIN)) != 0 || !checksum_good(pkt))
			return STRATA_JOIN_NOT;
		if (pkt->csum == STRATA_CSUM_NONE)
			pkt->csum = STRATA_CSUM_VERIFIED;
		return STRATA_JOIN_MORE;
	}
	w = whole->data;
	next = strata_get_be32(w + 4) + strata_pkt_length(whole) - header;
	if (payload > size || !continues(w, p, header, next) || !checksum_good(pkt))
		return STRATA_JOIN_NOT;
	if (pkt->csum == STRATA_CSUM_NONE)
		pkt->csum = STRATA_CSUM_VERIFIED;
	if (strata_pkt_join(whole, pkt, header) < 0)
		return STRATA_JOIN_NOT;
	whole->csum_offset = TCP_CHECKSUM_OFFSET;
	w[13] |= p[13] & (TCP_FIN | TCP_PSH);
	return payload < size || (p[13] & (TCP_FIN | TCP_PSH)) != 0 ? STRATA_JOIN_END : STRATA_JOIN_MORE;
}
