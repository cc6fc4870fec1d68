/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A complete transport to begin your own from: it answers requests on protocol number 253, which is
 * kept for experiments (RFC 3692, RFC 4727). A message is
 *
 *	 0      type: 1 request, 2 reply
 *	 1      zero
 *	 2..3   checksum, over pseudo-header and message as in RFC 768
 *	 4..7   sequence number
 *	 8..    anything, given back unchanged
 *
 * It shows each thing a module has: an option, counters, drop reasons, parse before act, a reply
 * routed and sent, the trace, and the descriptor. strata-module(7) explains them.
 */
#include <errno.h>
#include <strata/network.h>
#include <strata/trace.h>
#include <strata/transport.h>

/* ---- constants and tables ---- */

enum {
	SKELETON_HEADER = 8,
	SKELETON_REQUEST = 1,
	SKELETON_REPLY = 2,
};

struct skeleton_config {
	bool answer;
};

static const struct strata_option skeleton_options[] = {
	{
		.name = "answer",
		.type = STRATA_OPT_BOOL,
		.offset = offsetof(struct skeleton_config, answer),
		.fallback = "true",
		.help = "Whether requests are answered.",
		.runtime = true,
	},
};

enum skeleton_counter {
	SKELETON_IN_REQUESTS,
	SKELETON_OUT_REPLIES,
	SKELETON_OUT_ERRORS,
};

static const struct strata_counter_def skeleton_counters[] = {
	[SKELETON_IN_REQUESTS] = { "in_requests", "requests received", NULL },
	[SKELETON_OUT_REPLIES] = { "out_replies", "replies sent", NULL },
	[SKELETON_OUT_ERRORS] = { "out_errors", "replies that could not be sent", NULL },
};

/* One line a reason in skeleton_drops.def makes both the numbers and the table. */
enum skeleton_drop {
#define X(symbol, text, severity, mib) SKELETON_DROP_##symbol,
#include "skeleton_drops.def"
#undef X
};

static const struct strata_drop_def skeleton_drops[] = {
#define X STRATA_DROP_DEF
#include "skeleton_drops.def"
#undef X
};

/* ---- parse: everything about the header is checked here, and nothing is changed ---- */

struct skeleton_header {
	uint8_t type;
	uint32_t sequence;
};

/* Returns -1 when the message is sound, else the reason to drop it. */
static int skeleton_parse(struct strata_pkt *pkt, struct skeleton_header *out)
{
	uint32_t length = strata_pkt_length(pkt);
	const uint8_t *p = strata_pkt_header(pkt, SKELETON_HEADER);
	uint32_t sum;

	if (p == NULL)
		return SKELETON_DROP_SHORT;
	sum = strata_csum_pseudo(&pkt->src, &pkt->dst, pkt->number, length);
	if (strata_csum_fold(strata_pkt_csum(pkt, 0, length, sum)) != 0xffff)
		return SKELETON_DROP_CHECKSUM;
	out->type = p[0];
	out->sequence = strata_get_be32(p + 4);
	if (out->type != SKELETON_REQUEST && out->type != SKELETON_REPLY)
		return SKELETON_DROP_TYPE;
	return -1;
}

/* ---- output ---- */

/* Turns the request's message into a reply in a packet of its own; NULL when memory is short. */
static struct strata_pkt *skeleton_make_reply(const struct strata_pkt *request,
					      const struct strata_tx *tx)
{
	uint32_t length = strata_pkt_length(request);
	struct strata_pkt *reply = strata_pkt_alloc(request->stack, STRATA_HEADROOM, SKELETON_HEADER);
	uint8_t *p;
	uint32_t sum;

	if (reply == NULL)
		return NULL;
	reply->transport_offset = (uint16_t)strata_pkt_headroom(reply);
	p = strata_pkt_put(reply, SKELETON_HEADER);
	if (p == NULL) {		/* cannot be: the room was asked for */
		strata_pkt_free(reply);
		return NULL;
	}
	memset(p, 0, SKELETON_HEADER);
	p[0] = SKELETON_REPLY;
	strata_pkt_read(request, 4, p + 4, 4);
	for (uint32_t at = SKELETON_HEADER; at < length;) {
		uint8_t part[256];
		uint32_t n = strata_pkt_read(request, at, part, sizeof(part));

		if (strata_pkt_append(reply, part, n) < 0) {
			strata_pkt_free(reply);
			return NULL;
		}
		at += n;
	}
	sum = strata_csum_pseudo(&tx->src, &tx->dst, tx->number, length);
	sum = strata_pkt_csum(reply, 0, length, sum);
	strata_put_be16(reply->data + 2, (uint16_t)~strata_csum_fold(sum));
	return reply;
}

/* Answers from the address that was asked, to whoever asked. Borrows the request. */
static int skeleton_answer(struct strata_instance *self, const struct strata_pkt *request)
{
	struct strata_tx tx = { .src = request->dst, .dst = request->src,
				.number = (uint8_t)self->number };
	struct strata_dst dst = { 0 };
	struct strata_pkt *reply;
	int result;

	result = strata_route_output(self->stack, &tx.dst, &tx.src, NULL, &dst, &tx.src);
	if (result < 0)
		return result;
	reply = skeleton_make_reply(request, &tx);
	result = reply != NULL ? strata_network_output(&dst, reply, &tx) : -ENOBUFS;
	strata_dst_release(&dst);
	return result;
}

/* ---- input ---- */

/* Consumes the packet on every path: answered and freed, or dropped with a reason. */
static enum strata_verdict skeleton_input(struct strata_instance *self, struct strata_pkt *pkt)
{
	const struct skeleton_config *config = self->config;
	struct skeleton_header header;
	int fault = skeleton_parse(pkt, &header);

	if (fault >= 0)
		return strata_drop(self, pkt, (unsigned int)fault);
	if (header.type == SKELETON_REPLY)
		return strata_drop(self, pkt, SKELETON_DROP_UNASKED);
	/* RFC 1122 3.2.2 has it for errors; it is wise for answers: nothing to what was sent to many. */
	if ((pkt->flags & STRATA_PKT_MANY) != 0)
		return strata_drop(self, pkt, SKELETON_DROP_MANY);
	strata_count(self, SKELETON_IN_REQUESTS, 1);
	if (!config->answer)
		return strata_drop(self, pkt, SKELETON_DROP_SILENT);
	strata_trace(self, pkt, "request %u: replying with %u bytes", header.sequence,
		     strata_pkt_length(pkt));
	strata_count(self, skeleton_answer(self, pkt) == 0 ? SKELETON_OUT_REPLIES : SKELETON_OUT_ERRORS,
		     1);
	strata_pkt_free(pkt);
	return STRATA_ACCEPTED;
}

/* ---- the descriptor ---- */

static const struct strata_transport_ops skeleton_ops = {
	.type = SOCK_DGRAM,
	.input = skeleton_input,
};

STRATA_MODULE(skeleton) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_TRANSPORT,
	.number = 253,
	.name = "skeleton",
	.version = "1.0",
	.summary = "Answers requests on an experimental protocol number",
	.config_size = sizeof(struct skeleton_config),
	.options = skeleton_options,
	.option_count = STRATA_COUNT(skeleton_options),
	.counters = skeleton_counters,
	.counter_count = STRATA_COUNT(skeleton_counters),
	.drops = skeleton_drops,
	.drop_count = STRATA_COUNT(skeleton_drops),
	.transport = &skeleton_ops,
};
