/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet Control Message Protocol: input, echo and timestamp replies, descriptor. Read RFC
 * 792 and RFC 1122 3.2.2 before editing; errors and echo sockets have files of their own.
 */
#include <errno.h>
#include <netinet/in.h>
#include "icmp_int.h"

/* Below this headroom a reply gets a buffer of its own, for headers longer than those that came
 * in. */
#define REPLY_HEADROOM 64
/* RFC 1349 4.1: a reply has the type of service of its request; ECN bits are never copied. */
#define TOS_COPIED 0xfc
/* RFC 792, timestamp: three stamps behind the header, in ms since midnight UT. */
#define STAMP_RECEIVE 12
#define STAMP_TRANSMIT 16
#define STAMP_MESSAGE_SIZE 20
#define DAY_MS UINT64_C(86400000)

void icmp_checksum(struct strata_pkt *pkt)
{
	uint8_t *p = pkt->data + ICMP_CHECKSUM;

	strata_put_be16(p, 0);
	strata_put_be16(p, (uint16_t)~strata_csum_fold(
				   strata_pkt_csum(pkt, 0, strata_pkt_length(pkt), 0)));
}

static void count_input(struct strata_instance *self, uint8_t type)
{
	static const uint8_t counters[] = {
		[ICMP_ECHO_REPLY] = ICMP_IN_ECHO_REPS,
		[ICMP_UNREACHABLE] = ICMP_IN_DEST_UNREACHS,
		[ICMP_SOURCE_QUENCH] = ICMP_IN_SRC_QUENCHS,
		[ICMP_REDIRECT] = ICMP_IN_REDIRECTS,
		[ICMP_ECHO_REQUEST] = ICMP_IN_ECHOS,
		[ICMP_TIME_EXCEEDED] = ICMP_IN_TIME_EXCDS,
		[ICMP_PARAMETER_PROBLEM] = ICMP_IN_PARM_PROBS,
		[ICMP_TIMESTAMP_REQUEST] = ICMP_IN_TIMESTAMPS,
		[ICMP_TIMESTAMP_REPLY] = ICMP_IN_TIMESTAMP_REPS,
		[ICMP_MASK_REQUEST] = ICMP_IN_ADDR_MASKS,
		[ICMP_MASK_REPLY] = ICMP_IN_ADDR_MASK_REPS,
	};

	if (type < STRATA_COUNT(counters) && counters[type] != ICMP_IN_MSGS)
		strata_count(self, counters[type], 1);
}

/* ---- replies ---- */

/* Makes a received packet one that can be sent: alone in its buffer, with room in front,
 * forgetting the way it came. Consumes; NULL: dropped. */
static struct strata_pkt *turn_round(struct strata_instance *self, struct strata_pkt *pkt)
{
	if (pkt->refs != 1 || strata_pkt_headroom(pkt) < REPLY_HEADROOM) {
		struct strata_pkt *copy = strata_pkt_copy(pkt, STRATA_HEADROOM);
		if (copy == NULL) {
			strata_drop(self, pkt, ICMP_DROP_NO_MEMORY);
			return NULL;
		}
		strata_pkt_free(pkt);
		pkt = copy;
	}
	strata_pkt_csum_complete(pkt);
	pkt->csum = STRATA_CSUM_NONE;
	pkt->seg_type = STRATA_SEG_NONE;
	pkt->seg_size = 0;
	pkt->flags = 0;
	pkt->nesting = 0;
	pkt->iface = NULL;
	pkt->link_offset = pkt->network_offset = 0;
	pkt->transport_offset = (uint16_t)strata_pkt_headroom(pkt);
	return pkt;
}

/* Sends the request, which has become its reply, back to where it came from. RFC 1122 3.2.2.6:
 * from the address that was asked; by route, never by a source route of the request.
 * Consumes. */
static enum strata_verdict reply(struct strata_instance *self, struct strata_pkt *pkt,
				 enum icmp_counter counter)
{
	const bool to_many = (pkt->flags & STRATA_PKT_MANY) != 0;
	struct strata_dst dst = { .network = NULL };
	struct strata_tx tx = {
		.src = pkt->dst, .dst = pkt->src, .number = (uint8_t)self->number,
		.tos = pkt->tos & TOS_COPIED,
		/* A reply that the path does not take whole is not sent again, so let it be
		 * fragmented. */
		.df = STRATA_DF_DONT,
	};
	int result;

	if (to_many)
		memset(&tx.src, 0, sizeof(tx.src));
	strata_count(self, ICMP_OUT_MSGS, 1);
	result = strata_route_output(self->stack, &tx.dst, &tx.src, NULL, &dst, &tx.src);
	if (result != 0)
		return strata_drop(self, pkt, ICMP_DROP_NO_WAY_BACK);
	strata_count(self, counter, 1);
	pkt = turn_round(self, pkt);
	if (pkt != NULL && strata_network_output(&dst, pkt, &tx) != 0)
		strata_count(self, ICMP_OUT_ERRORS, 1);
	strata_dst_release(&dst);
	return STRATA_ACCEPTED;
}

/* Writes the type of the reply into the request; the rest of an echo stays as it is, code
 * included. */
static void become_reply(struct strata_pkt *pkt, uint8_t type)
{
	uint8_t *p = pkt->data;
	uint16_t from = strata_get_be16(p + ICMP_TYPE), to;

	p[ICMP_TYPE] = type;
	to = strata_get_be16(p + ICMP_TYPE);
	strata_put_be16(p + ICMP_CHECKSUM,
			strata_csum_update16(strata_get_be16(p + ICMP_CHECKSUM), from, to));
}

/* The linear bytes of a packet that others hold are not ours to write. Consumes; NULL: dropped. */
static struct strata_pkt *writable(struct strata_instance *self, struct strata_pkt *pkt)
{
	struct strata_pkt *copy;

	if (pkt->refs == 1)
		return pkt;
	copy = strata_pkt_copy(pkt, STRATA_HEADROOM);
	if (copy == NULL)
		strata_drop(self, pkt, ICMP_DROP_NO_MEMORY);
	else
		strata_pkt_free(pkt);
	return copy;
}

static enum strata_verdict echo_input(struct strata_instance *self, struct strata_pkt *pkt)
{
	const struct icmp_config *config = self->config;

	strata_trace_fields(self, pkt, STRATA_SAID(
			    STRATA_FIELD_UINT("id", strata_get_be16(pkt->data + ICMP_ID)),
			    STRATA_FIELD_UINT("seq", strata_get_be16(pkt->data + ICMP_SEQUENCE)),
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt) - ICMP_HEADER_SIZE)),
			    "echo request id %u seq %u, %u bytes → reply",
			    strata_get_be16(pkt->data + ICMP_ID),
			    strata_get_be16(pkt->data + ICMP_SEQUENCE),
			    strata_pkt_length(pkt) - ICMP_HEADER_SIZE);
	if ((pkt->flags & STRATA_PKT_COPY) != 0) {	/* another shard answers */
		strata_pkt_free(pkt);
		return STRATA_ACCEPTED;
	}
	/* RFC 1122 3.2.2.6 leaves it open; answering lets others be flooded (RFC 2644). */
	if ((pkt->flags & STRATA_PKT_MANY) != 0 && !config->echo_broadcast)
		return strata_drop(self, pkt, ICMP_DROP_ECHO_TO_MANY);
	pkt = writable(self, pkt);
	if (pkt == NULL)
		return STRATA_DROPPED;
	/* A checksum that a device or this host vouches for may not be in the header yet. */
	strata_pkt_csum_complete(pkt);
	become_reply(pkt, ICMP_ECHO_REPLY);
	return reply(self, pkt, ICMP_OUT_ECHO_REPS);
}

/* RFC 1122 3.2.2.8: optional; it tells the clock to whoever asks, so it is off by default. */
static enum strata_verdict timestamp_input(struct strata_instance *self, struct strata_pkt *pkt)
{
	const struct icmp_config *config = self->config;
	uint32_t ms;

	if (!config->timestamp || (pkt->flags & STRATA_PKT_MANY) != 0)
		return strata_drop(self, pkt, ICMP_DROP_TIMESTAMP);
	if (strata_pkt_header(pkt, STAMP_MESSAGE_SIZE) == NULL)
		return strata_drop(self, pkt, ICMP_DROP_TRUNCATED);
	strata_trace(self, pkt, "timestamp request → reply");
	pkt = writable(self, pkt);
	if (pkt == NULL)
		return STRATA_DROPPED;
	ms = (uint32_t)(strata_wall_clock(self->stack) / STRATA_MS % DAY_MS);
	pkt->data[ICMP_TYPE] = ICMP_TIMESTAMP_REPLY;
	strata_put_be32(pkt->data + STAMP_RECEIVE, ms);
	strata_put_be32(pkt->data + STAMP_TRANSMIT, ms);
	strata_pkt_trim(pkt, STAMP_MESSAGE_SIZE);
	pkt->csum = STRATA_CSUM_NONE;
	icmp_checksum(pkt);
	return reply(self, pkt, ICMP_OUT_TIMESTAMP_REPS);
}

/* ---- input ---- */

static enum strata_verdict dispatch(struct strata_instance *self, struct strata_pkt *pkt,
				    uint8_t type)
{
	switch (type) {
	case ICMP_ECHO_REQUEST:
		return echo_input(self, pkt);
	case ICMP_ECHO_REPLY:
		return icmp_socket_input(self, pkt);
	case ICMP_UNREACHABLE:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER_PROBLEM:
		return icmp_error_input(self, pkt);
	case ICMP_TIMESTAMP_REQUEST:
		return timestamp_input(self, pkt);
	case ICMP_TIMESTAMP_REPLY:
		return strata_drop(self, pkt, ICMP_DROP_TIMESTAMP_REPLY);
	case ICMP_SOURCE_QUENCH:
		return strata_drop(self, pkt, ICMP_DROP_SOURCE_QUENCH);
	case ICMP_REDIRECT:
		/* RFC 1122 3.2.2.2 would have it obeyed; anyone on the way could then take a
		 * route over. */
		return strata_drop(self, pkt, ICMP_DROP_REDIRECT);
	case ICMP_MASK_REQUEST:
	case ICMP_MASK_REPLY:
		return strata_drop(self, pkt, ICMP_DROP_ADDRESS_MASK);
	default:
		/* RFC 1122 3.2.2: silently. */
		return strata_drop(self, pkt, ICMP_DROP_TYPE);
	}
}

static enum strata_verdict icmp_input(struct strata_instance *self, struct strata_pkt *pkt)
{
	uint32_t length = strata_pkt_length(pkt);
	const uint8_t *p = strata_pkt_header(pkt, ICMP_HEADER_SIZE);
	uint8_t type;

	strata_count(self, ICMP_IN_MSGS, 1);
	if (p == NULL)
		return strata_drop(self, pkt, ICMP_DROP_TRUNCATED);
	if (pkt->csum == STRATA_CSUM_NONE &&
	    strata_csum_fold(strata_pkt_csum(pkt, 0, length, 0)) != 0xffff)
		return strata_drop(self, pkt, ICMP_DROP_CHECKSUM);
	type = p[ICMP_TYPE];
	count_input(self, type);
	strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_UINT("type", type),
			    STRATA_FIELD_UINT("code", p[ICMP_CODE]), STRATA_FIELD_SIZE("length", length),
			    STRATA_FIELD_TEXT("checksum", "good")), "%s", "");
	return dispatch(self, pkt, type);
}

/* Sockets are found by the identifier of what they asked (RFC 792, Echo). */
static bool icmp_ports(const uint8_t *header, uint32_t length, bool sent, uint16_t *local,
		       uint16_t *remote)
{
	if (length < ICMP_HEADER_SIZE ||
	    header[ICMP_TYPE] != (sent ? ICMP_ECHO_REQUEST : ICMP_ECHO_REPLY))
		return false;
	*local = strata_get_be16(header + ICMP_ID);
	*remote = 0;
	return true;
}

/* ---- life ---- */

static int icmp_start(struct strata_instance *self, struct strata_error *error)
{
	struct icmp_state *state = strata_alloc(self->stack, sizeof(*state));

	if (state == NULL) {
		strata_error_add(error, "%s: no memory to start", self->name);
		return -ENOMEM;
	}
	strata_random(self->stack, &state->hash_key, sizeof(state->hash_key));
	self->state = state;
	return 0;
}

static void icmp_stop(struct strata_instance *self)
{
	strata_free(self->stack, self->state);
	self->state = NULL;
}

/* ---- options, counters, descriptor ---- */

static const struct strata_option icmp_options[] = {
	{
		.name = "echo_broadcast", .type = STRATA_OPT_BOOL,
		.offset = offsetof(struct icmp_config, echo_broadcast), .fallback = "false",
		.runtime = true,
		.help = "Answer echo requests to broadcast and multicast addresses.",
	},
	{
		.name = "timestamp", .type = STRATA_OPT_BOOL,
		.offset = offsetof(struct icmp_config, timestamp), .fallback = "false",
		.runtime = true,
		.help = "Answer timestamp requests.",
	},
	{
		.name = "error_rate", .type = STRATA_OPT_UINT,
		.offset = offsetof(struct icmp_config, error_rate), .fallback = "1000", .min = 1,
		.max = 1000000, .unit = "per second", .runtime = true,
		.help = "Most errors told, on average.",
	},
	{
		.name = "error_burst", .type = STRATA_OPT_UINT,
		.offset = offsetof(struct icmp_config, error_burst), .fallback = "50", .min = 1,
		.max = 1000000, .unit = "errors", .runtime = true,
		.help = "Most errors told at once.",
	},
	{
		.name = "error_destination_rate", .type = STRATA_OPT_UINT,
		.offset = offsetof(struct icmp_config, error_destination_rate), .fallback = "10",
		.min = 1, .max = 1000000, .unit = "per second", .runtime = true,
		.help = "Most errors told to one destination, on average and at once.",
	},
};

static const struct strata_counter_def icmp_counters[] = {
#define X(symbol, name_, help_, mib_) { .name = name_, .help = help_, .mib = mib_ },
#include "icmp_counters.def"
#undef X
};
_Static_assert(STRATA_COUNT(icmp_counters) == ICMP_COUNTERS, "one definition a counter");

static const struct strata_drop_def icmp_drops[] = {
#define X STRATA_DROP_DEF
#include "icmp_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(icmp_drops) == ICMP_DROPS, "one definition a reason");

static const struct strata_transport_ops icmp_transport = {
	.type = SOCK_DGRAM,
	.socket_size = sizeof(struct icmp_socket),
	.sockopt_level = IPPROTO_ICMP,
	.rcvbuf = 212992,
	.sndbuf = 212992,
	.input = icmp_input,
	.error = icmp_socket_error,
	.report = icmp_report,
	.ports = icmp_ports,
	.socket_open = icmp_socket_open,
	.socket_close = icmp_socket_close,
	.socket_bound = icmp_socket_bound,
	.connect = icmp_socket_connect,
	.disconnect = icmp_socket_disconnect,
	.send = icmp_socket_send,
	.recv = icmp_socket_recv,
	.shutdown = icmp_socket_shutdown,
	.ioctl = icmp_socket_ioctl,
	.describe = icmp_socket_describe,
	.abort = icmp_socket_abort,
};

STRATA_MODULE(icmp) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_TRANSPORT,
	.number = IPPROTO_ICMP,
	.name = "icmp",
	.version = "1.0",
	.summary = "Internet Control Message Protocol: echo, errors, echo sockets",
	.config_size = sizeof(struct icmp_config),
	.options = icmp_options,
	.option_count = STRATA_COUNT(icmp_options),
	.counters = icmp_counters,
	.counter_count = ICMP_COUNTERS,
	.drops = icmp_drops,
	.drop_count = ICMP_DROPS,
	.start = icmp_start,
	.stop = icmp_stop,
	.transport = &icmp_transport,
};
