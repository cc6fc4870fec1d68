/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors, out and in: RFC 792, RFC 1122 3.2.2, RFC 1812 4.3.2, RFC 1191, RFC 5927. What an error
 * quotes was written by whoever sent it, and is read within its bounds only.
 */
#include <errno.h>
#include "icmp_int.h"

/* RFC 1812 4.3.2.3: the whole error is at most 576 bytes, of which 20 are its network header. */
#define QUOTE_MAX (576 - 20 - ICMP_HEADER_SIZE)
/* RFC 792: the quoted header is followed by at least 64 bits, which hold the ports. */
#define QUOTE_TRANSPORT_MIN 8
/* Longest network header, and as much of the transport's as may be wanted of a quote. */
#define QUOTE_READ (60 + 60)
/* RFC 791 3.2. */
#define MTU_MIN 68
/* RFC 1349 5.1, RFC 1812 4.3.2.5: precedence 6, the type of service of the offending packet; ECN
 * bits are not copied. */
#define TOS_PRECEDENCE 0xc0
#define TOS_COPIED 0x1c
/* Offset of the total length in a quoted header. */
#define QUOTE_TOTAL 2

/* ---- out ---- */

/* How the kinds are written. */
static const struct {
	uint8_t type, code;
	const char *name;		/* for people */
} wire_of[STRATA_ERRS] = {
	[STRATA_ERR_NET_UNREACHABLE] = { ICMP_UNREACHABLE, 0, "network unreachable" },
	[STRATA_ERR_HOST_UNREACHABLE] = { ICMP_UNREACHABLE, 1, "host unreachable" },
	[STRATA_ERR_PROTOCOL_UNREACHABLE] = { ICMP_UNREACHABLE, 2, "protocol unreachable" },
	[STRATA_ERR_PORT_UNREACHABLE] = { ICMP_UNREACHABLE, 3, "port unreachable" },
	[STRATA_ERR_TOO_BIG] = { ICMP_UNREACHABLE, 4, "fragmentation needed" },
	[STRATA_ERR_SOURCE_ROUTE] = { ICMP_UNREACHABLE, 5, "source route failed" },
	[STRATA_ERR_NET_UNKNOWN] = { ICMP_UNREACHABLE, 6, "network unknown" },
	[STRATA_ERR_HOST_UNKNOWN] = { ICMP_UNREACHABLE, 7, "host unknown" },
	[STRATA_ERR_PROHIBITED] = { ICMP_UNREACHABLE, 13, "prohibited" },
	[STRATA_ERR_HOST_ISOLATED] = { ICMP_UNREACHABLE, 8, "host isolated" },
	[STRATA_ERR_NET_PROHIBITED] = { ICMP_UNREACHABLE, 9, "network prohibited" },
	[STRATA_ERR_TTL_EXCEEDED] = { ICMP_TIME_EXCEEDED, 0, "time exceeded in transit" },
	[STRATA_ERR_REASSEMBLY_TIMEOUT] = { ICMP_TIME_EXCEEDED, 1, "time exceeded in reassembly" },
	[STRATA_ERR_PARAMETER] = { ICMP_PARAMETER_PROBLEM, 0, "parameter problem" },
};

static const struct strata_network_ops *network_ops(struct strata_instance *self, uint16_t family)
{
	const struct strata_instance *network =
		strata_instance_by_number(self->stack, STRATA_NETWORK, family);

	return network != NULL ? network->module->network : NULL;
}

/* Copies up to `n` bytes of a received packet from its network header on, whatever has been
 * pulled off. */
static uint32_t quote_read(const struct strata_pkt *pkt, uint8_t *buf, uint32_t n)
{
	const uint8_t *start = pkt->buf + pkt->network_offset;
	uint32_t linear = (uint32_t)(pkt->data + pkt->len - start);

	if (linear >= n) {
		memcpy(buf, start, n);
		return n;
	}
	memcpy(buf, start, linear);
	return linear + strata_pkt_read(pkt, pkt->len, buf + linear, n - linear);
}

/* Types about which an error may be told: all that are known and no error themselves. */
static bool is_query(uint8_t type)
{
	switch (type) {
	case ICMP_ECHO_REPLY:
	case ICMP_ECHO_REQUEST:
	case ICMP_TIMESTAMP_REQUEST:
	case ICMP_TIMESTAMP_REPLY:
	case ICMP_INFORMATION_REQUEST:
	case ICMP_INFORMATION_REPLY:
	case ICMP_MASK_REQUEST:
	case ICMP_MASK_REPLY:
		return true;
	default:
		return false;
	}
}

/* RFC 1122 3.2.2: what must never be answered with an error. */
static bool may_report(struct strata_instance *self, const struct strata_pkt *pkt)
{
	const struct strata_network_ops *network = network_ops(self, pkt->family);
	const struct strata_address_ops *address =
		strata_address_ops(self->stack, pkt->src.family);
	enum strata_addr_class class;
	uint8_t bytes[QUOTE_READ];
	struct strata_quote quote;
	uint32_t n;

	if ((pkt->flags & STRATA_PKT_MANY) != 0 || address == NULL || network == NULL ||
	    network->quote_parse == NULL)
		return false;
	class = address->classify(&pkt->src);
	if (class != STRATA_ADDR_UNICAST && class != STRATA_ADDR_LOOPBACK)
		return false;
	n = quote_read(pkt, bytes, sizeof(bytes));
	/* Fragments but the first do not parse. */
	if (network->quote_parse(bytes, n, &quote) != 0)
		return false;
	if (quote.number != self->number)
		return true;
	return quote.header_size < n && is_query(bytes[quote.header_size]);
}

/* Sends the message to the sender of `about`, from the address that it was sent to. Consumes. */
static void error_output(struct strata_instance *self, struct strata_pkt *pkt,
			 const struct strata_pkt *about)
{
	struct strata_dst dst = { .network = NULL };
	struct strata_tx tx = {
		.src = about->dst, .dst = about->src, .number = (uint8_t)self->number,
		.tos = (uint8_t)((about->tos & TOS_COPIED) | TOS_PRECEDENCE),
		.df = STRATA_DF_DONT,
	};
	int result = strata_route_output(self->stack, &tx.dst, &tx.src, NULL, &dst, &tx.src);

	/* Not an address of ours, as with a reassembly that a socket's address change overtook. */
	if (result == -EINVAL)
		result = strata_route_output(self->stack, &tx.dst, NULL, NULL, &dst, &tx.src);
	if (result != 0) {
		strata_count(self, ICMP_OUT_MSGS, 1);
		strata_drop(self, pkt, ICMP_DROP_NO_WAY_BACK);
		return;
	}
	strata_count(self, ICMP_OUT_MSGS, 1);
	if (strata_network_output(&dst, pkt, &tx) != 0)
		strata_count(self, ICMP_OUT_ERRORS, 1);
	strata_dst_release(&dst);
}

void icmp_report(struct strata_instance *self, const struct strata_pkt *about,
		 enum strata_net_error kind, uint32_t info)
{
	struct strata_pkt *pkt;
	uint8_t *p;
	uint8_t type = wire_of[kind].type;

	if (!may_report(self, about)) {
		strata_count(self, ICMP_OUT_SUPPRESSED, 1);
		return;
	}
	/* What never leaves the host floods nobody else. */
	if ((about->flags & STRATA_PKT_LOOPED) == 0 && !icmp_limit(self, &about->src))
		return;
	pkt = strata_pkt_alloc(self->stack, STRATA_HEADROOM, ICMP_HEADER_SIZE + QUOTE_MAX);
	p = pkt != NULL ? strata_pkt_put(pkt, ICMP_HEADER_SIZE + QUOTE_MAX) : NULL;
	if (p == NULL) {
		strata_pkt_free(pkt);
		strata_count(self, ICMP_OUT_ERRORS, 1);
		return;
	}
	memset(p, 0, ICMP_HEADER_SIZE);
	p[ICMP_TYPE] = type;
	p[ICMP_CODE] = wire_of[kind].code;
	if (kind == STRATA_ERR_TOO_BIG)
		strata_put_be16(p + ICMP_NEXT_MTU, (uint16_t)info);
	if (kind == STRATA_ERR_PARAMETER)
		p[ICMP_POINTER] = (uint8_t)info;
	strata_pkt_trim(pkt, ICMP_HEADER_SIZE +
			quote_read(about, p + ICMP_HEADER_SIZE, QUOTE_MAX));
	icmp_checksum(pkt);
	pkt->transport_offset = (uint16_t)strata_pkt_headroom(pkt);
	strata_trace_fields(self, pkt, STRATA_SAID(STRATA_FIELD_UINT("type", type),
			    STRATA_FIELD_UINT("code", wire_of[kind].code),
			    STRATA_FIELD_TEXT("error", wire_of[kind].name),
			    STRATA_FIELD_ADDR("to", &about->src), STRATA_FIELD_UINT("about", about->trace_id)),
			    "%s (type %u code %u) → tell %s", wire_of[kind].name, type,
			    wire_of[kind].code, strata_addr_text(self->stack, &about->src));
	strata_count(self, type == ICMP_UNREACHABLE ? ICMP_OUT_DEST_UNREACHS :
			   type == ICMP_TIME_EXCEEDED ? ICMP_OUT_TIME_EXCDS : ICMP_OUT_PARM_PROBS, 1);
	error_output(self, pkt, about);
}

/* ---- in ---- */

/* RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1: codes of destination unreachable. */
static const uint8_t unreachable_kinds[] = {
	[0] = STRATA_ERR_NET_UNREACHABLE,
	[1] = STRATA_ERR_HOST_UNREACHABLE,
	[2] = STRATA_ERR_PROTOCOL_UNREACHABLE,
	[3] = STRATA_ERR_PORT_UNREACHABLE,
	[4] = STRATA_ERR_TOO_BIG,
	[5] = STRATA_ERR_SOURCE_ROUTE,
	[6] = STRATA_ERR_NET_UNKNOWN,
	[7] = STRATA_ERR_HOST_UNKNOWN,
	[8] = STRATA_ERR_HOST_ISOLATED,
	[9] = STRATA_ERR_NET_PROHIBITED,	/* administratively */
	[10] = STRATA_ERR_PROHIBITED,		/* host, likewise */
	[11] = STRATA_ERR_NET_UNREACHABLE,	/* for this type of service */
	[12] = STRATA_ERR_HOST_UNREACHABLE,	/* likewise */
	[13] = STRATA_ERR_PROHIBITED,		/* communication, by a filter */
	[14] = STRATA_ERR_PROHIBITED,		/* host precedence violation */
	[15] = STRATA_ERR_PROHIBITED,		/* precedence cut-off */
};

/* Returns 0, or -1 where the code is not known. */
static int error_kind(uint8_t type, uint8_t code, enum strata_net_error *kind)
{
	switch (type) {
	case ICMP_UNREACHABLE:
		if (code >= STRATA_COUNT(unreachable_kinds))
			return -1;
		*kind = (enum strata_net_error)unreachable_kinds[code];
		return 0;
	case ICMP_TIME_EXCEEDED:
		*kind = code == 0 ? STRATA_ERR_TTL_EXCEEDED : STRATA_ERR_REASSEMBLY_TIMEOUT;
		return code <= 1 ? 0 : -1;
	default:
		/* RFC 792, RFC 1108, RFC 4884: pointer, missing option, bad length. */
		*kind = STRATA_ERR_PARAMETER;
		return code <= 2 ? 0 : -1;
	}
}

/* RFC 1191 5: what a router that does not tell its MTU may have; the next one under the packet's
 * length. */
static uint32_t plateau_under(uint32_t length)
{
	static const uint16_t plateaus[] = {
		65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, MTU_MIN,
	};
	size_t i = 0;

	while (i + 1 < STRATA_COUNT(plateaus) && plateaus[i] >= length)
		i++;
	return plateaus[i];
}

/* MTU of the next hop that the message tells, or a guess. Returns 0, or -1 when it cannot be
 * true: under the smallest, or large enough for the quoted packet (RFC 5927 7.2). */
static int next_mtu(const uint8_t *p, uint32_t quoted_total, uint32_t *mtu)
{
	*mtu = strata_get_be16(p + ICMP_NEXT_MTU);
	if (*mtu == 0)
		*mtu = plateau_under(quoted_total);
	return *mtu < MTU_MIN || *mtu >= quoted_total ? -1 : 0;
}

/* Reads the message. Returns 0, or -1 with the reason to drop it. What `error` points to lies in
 * the packet. */
static int error_parse(struct strata_instance *self, struct strata_pkt *pkt,
		       struct strata_transport_error *error, unsigned int *reason)
{
	const struct strata_network_ops *network = network_ops(self, pkt->family);
	uint32_t length = strata_pkt_length(pkt), total;
	const uint8_t *p, *quote;

	if (length > ICMP_HEADER_SIZE + QUOTE_READ)
		length = ICMP_HEADER_SIZE + QUOTE_READ;
	*reason = ICMP_DROP_NO_MEMORY;
	p = strata_pkt_header(pkt, length);
	if (p == NULL)
		return -1;
	error->type = p[ICMP_TYPE];
	error->code = p[ICMP_CODE];
	*reason = ICMP_DROP_CODE;
	if (error_kind(error->type, error->code, &error->kind) != 0)
		return -1;
	*reason = ICMP_DROP_QUOTE;
	quote = p + ICMP_HEADER_SIZE;
	length -= ICMP_HEADER_SIZE;
	if (network == NULL || network->quote_parse == NULL ||
	    network->quote_parse(quote, length, &error->quote) != 0 ||
	    length - error->quote.header_size < QUOTE_TRANSPORT_MIN)
		return -1;
	total = strata_get_be16(quote + QUOTE_TOTAL);
	if (total < error->quote.header_size + QUOTE_TRANSPORT_MIN)
		return -1;
	error->offender = pkt->src;
	error->payload = quote + error->quote.header_size;
	error->payload_length = (total < length ? total : length) - error->quote.header_size;
	if (error->kind == STRATA_ERR_PARAMETER)
		error->info = p[ICMP_POINTER];
	*reason = ICMP_DROP_MTU;
	return error->kind == STRATA_ERR_TOO_BIG ? next_mtu(p, total, &error->info) : 0;
}

static void trace_error(struct strata_instance *self, struct strata_pkt *pkt,
			const struct strata_transport_error *error)
{
	strata_trace_fields(self, pkt, STRATA_SAID(
			    STRATA_FIELD_TEXT("error", wire_of[error->kind].name),
			    STRATA_FIELD_ADDR("offender", &error->offender),
			    STRATA_FIELD_ADDR("src", &error->quote.src),
			    STRATA_FIELD_ADDR("dst", &error->quote.dst),
			    STRATA_FIELD_UINT("protocol", error->quote.number),
			    STRATA_FIELD_UINT("info", error->info)),
			    "%s, told by %s about %s → %s, protocol %u, info %u",
			    wire_of[error->kind].name,
			    strata_addr_text(self->stack, &error->offender),
			    strata_addr_text(self->stack, &error->quote.src),
			    strata_addr_text(self->stack, &error->quote.dst), error->quote.number,
			    error->info);
}

enum strata_verdict icmp_error_input(struct strata_instance *self, struct strata_pkt *pkt)
{
	struct strata_transport_error error = { .local = false };
	unsigned int reason;

	if ((pkt->flags & STRATA_PKT_MANY) != 0)
		return strata_drop(self, pkt, ICMP_DROP_ERROR_TO_MANY);
	if (error_parse(self, pkt, &error, &reason) != 0)
		return strata_drop(self, pkt, reason);
	trace_error(self, pkt, &error);
	/* It came to the address that the quoted packet was sent from. */
	if (!strata_addr_equal(&error.quote.src, &pkt->dst))
		return strata_drop(self, pkt, ICMP_DROP_QUOTE_FOREIGN);
	strata_count(self, ICMP_ERRORS_DELIVERED, 1);
	strata_transport_error(self->stack, &error);
	strata_pkt_free(pkt);
	return STRATA_ACCEPTED;
}
