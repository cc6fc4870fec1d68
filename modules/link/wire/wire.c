/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A wire in memory: what an interface sends goes to its peer, another wire interface of the same
 * stack, or to whoever embeds the stack. It carries framed packets, or bare network packets: those
 * it frames itself, with a header of no bytes, reading the family from the version field (RFC 791
 * 3.1, RFC 8200 3).
 */
#include <errno.h>
#include <strata/iface.h>
#include <strata/network.h>
#include <strata/trace.h>

/* Families of bare packets, by the version field. */
#define WIRE_VERSION4_FAMILY 0x0800
#define WIRE_VERSION6_FAMILY 0x86dd

enum wire_medium {
	WIRE_MEDIUM_ETHERNET,
	WIRE_MEDIUM_IP,
	WIRE_MEDIA,
};

static const char *const wire_media[] = {
	[WIRE_MEDIUM_ETHERNET] = "ethernet",
	[WIRE_MEDIUM_IP] = "ip",
	[WIRE_MEDIA] = NULL,
};

/** Options of an interface. */
struct wire_config {
	uint32_t medium;	/* enum wire_medium */
	const char *peer;
	bool offload;
	uint64_t queue;
};

/** One end of a wire. */
struct wire {
	struct strata_iface *iface;
	struct wire *peer;		/* NULL: not paired, or its other end is closed */
	struct strata_pkt_queue queue;	/* sent, and not yet come out at the peer */
	struct strata_work deliver;
};

enum wire_counter {
	WIRE_COUNTER_CROSSED,
	WIRE_COUNTERS,
};

static const struct strata_counter_def wire_counters[] = {
	[WIRE_COUNTER_CROSSED] = { "crossed", "packets that reached the peer interface", NULL },
};
_Static_assert(STRATA_COUNT(wire_counters) == WIRE_COUNTERS, "a definition for each counter");

enum wire_drop {
#define X(symbol, text, severity, mib) WIRE_DROP_##symbol,
#include "wire_drops.def"
#undef X
};

static const struct strata_drop_def wire_drops[] = {
#define X STRATA_DROP_DEF
#include "wire_drops.def"
#undef X
};

/* ---- to the peer ---- */

/* Makes a packet that was sent look like one just received: nothing but its bytes and the state of
 * its checksum and segments crosses the wire. */
static void wire_turn(struct strata_iface *to, struct strata_pkt *pkt)
{
	pkt->iface = to;
	pkt->flags = 0;
	pkt->link_offset = 0;
	pkt->network_offset = 0;
	pkt->transport_offset = 0;
	pkt->family = 0;
	pkt->number = 0;
	pkt->ttl = 0;
	pkt->tos = 0;
	pkt->nesting = 0;
	pkt->trace_id = 0;
	pkt->time = strata_now(to->stack);
	memset(&pkt->src, 0, sizeof(pkt->src));
	memset(&pkt->dst, 0, sizeof(pkt->dst));
}

static void wire_deliver(struct strata_stack *stack, struct strata_work *work)
{
	struct wire *wire = strata_container_of(work, struct wire, deliver);
	struct strata_iface *iface = wire->iface;
	uint32_t left = wire->queue.count;	/* what these bring about waits for the next round */

	while (left-- != 0) {
		struct strata_pkt *pkt = strata_pkt_dequeue(&wire->queue);

		if (pkt == NULL)
			return;
		if (wire->peer == NULL) {
			strata_drop(iface->driver, pkt, WIRE_DROP_NO_PEER);
			continue;
		}
		strata_count(iface->driver, WIRE_COUNTER_CROSSED, 1);
		wire_turn(wire->peer->iface, pkt);
		strata_iface_input(wire->peer->iface, pkt);
	}
	if (wire->queue.count != 0)
		strata_work_add(stack, work);
}

static void wire_xmit_peer(struct wire *wire, struct strata_pkt *pkt)
{
	struct strata_iface *iface = wire->iface;
	const struct wire_config *config = iface->config;

	if (wire->peer == NULL || wire->queue.count >= config->queue) {
		iface->counters.tx_dropped++;
		strata_drop(iface->driver, pkt,
			    wire->peer == NULL ? WIRE_DROP_NO_PEER : WIRE_DROP_QUEUE_FULL);
		return;
	}
	strata_trace_fields(iface->driver, pkt, STRATA_FIELDS(
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt))), "→ %s",
			    wire->peer->iface->name);
	strata_pkt_enqueue(&wire->queue, pkt);
	strata_work_add(iface->stack, &wire->deliver);
}

/* Apart, so that nothing has to be saved for it where nobody listens. */
static __attribute__((cold, noinline)) void wire_trace_out(struct strata_iface *iface, struct strata_pkt *pkt)
{
	strata_trace_fields(iface->driver, pkt, STRATA_FIELDS(
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt))), "→ embedder");
}

static void wire_xmit(struct strata_iface *iface, struct strata_pkt *pkt)
{
	const struct wire_config *config = iface->config;

	if (config->peer != NULL || ((struct wire *)iface->state)->peer != NULL) {
		wire_xmit_peer(iface->state, pkt);
		return;
	}
	if (strata_traced(iface->driver))
		wire_trace_out(iface, pkt);
	strata_iface_deliver_out(iface, pkt);
}

/* ---- bare packets: a framing without a header ---- */

static enum strata_verdict wire_input(struct strata_instance *self, struct strata_iface *iface,
				      struct strata_pkt *pkt)
{
	const uint8_t *first = strata_pkt_header(pkt, 1);

	if (first == NULL) {
		iface->counters.rx_errors++;
		return strata_drop(self, pkt, WIRE_DROP_EMPTY);
	}
	switch (first[0] >> 4) {
	case 4:
		pkt->family = WIRE_VERSION4_FAMILY;
		break;
	case 6:
		pkt->family = WIRE_VERSION6_FAMILY;
		break;
	default:
		iface->counters.rx_errors++;
		return strata_drop(self, pkt, WIRE_DROP_VERSION);
	}
	strata_trace_fields(self, pkt, STRATA_FIELDS(
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt)),
			    STRATA_FIELD_UINT("version", first[0] >> 4),
			    STRATA_FIELD_HEX("type", pkt->family, 4)), "%s", "");
	return strata_network_input(iface, pkt, pkt->family);
}

static int wire_encapsulate(struct strata_instance *self, struct strata_iface *iface,
			    struct strata_pkt *pkt, uint16_t number, const struct strata_lladdr *dst)
{
	(void)self;
	(void)iface;
	(void)dst;
	pkt->family = number;
	return 0;
}

static int wire_address_parse(const char *text, struct strata_lladdr *out)
{
	(void)text;
	(void)out;
	return -EINVAL;	/* bare packets have no link address */
}

static void wire_address_random(struct strata_stack *stack, struct strata_lladdr *out)
{
	(void)stack;
	memset(out, 0, sizeof(*out));
}

static void wire_address_broadcast(struct strata_lladdr *out)
{
	memset(out, 0, sizeof(*out));
}

static int wire_address_multicast(const struct strata_addr *group, struct strata_lladdr *out)
{
	(void)group;
	memset(out, 0, sizeof(*out));
	return 0;
}

/* ---- life of an interface ---- */

static const char *wire_choose_framing(const void *iface_config)
{
	const struct wire_config *config = iface_config;

	return config->medium == WIRE_MEDIUM_ETHERNET ? "ethernet" : "wire";
}

static int wire_validate(const struct strata_iface *iface, struct strata_error *error)
{
	const struct wire_config *config = iface->config;

	if (config->peer != NULL && strcmp(config->peer, iface->name) == 0) {
		strata_error_add(error, "interface %s: `peer: %s` is the interface itself; name the "
				 "wire interface at the other end", iface->name, config->peer);
		return -EINVAL;
	}
	return 0;
}

/* Checks what `iface` names as its other end. Returns 0 or -errno with a sentence. */
static int wire_check_peer(const struct strata_iface *iface, const struct strata_iface *peer,
			   struct strata_error *error)
{
	const struct wire_config *config = iface->config, *other;
	const struct wire *end;

	if (peer == NULL) {
		strata_error_add(error, "interface %s: `peer: %s` is no interface of this stack; add "
				 "one with `driver: %s`", iface->name, config->peer,
				 iface->driver->name);
		return -ENOENT;
	}
	if (peer->driver->module != iface->driver->module) {
		strata_error_add(error, "interface %s: peer %s has driver %s, expected %s",
				 iface->name, peer->name, peer->driver->name, iface->driver->name);
		return -EINVAL;
	}
	other = peer->config;
	if (other->medium != config->medium) {
		strata_error_add(error, "interface %s: `medium: %s`, but its peer %s has `medium: %s`",
				 iface->name, wire_media[config->medium], peer->name,
				 wire_media[other->medium]);
		return -EINVAL;
	}
	if (other->peer != NULL && strcmp(other->peer, iface->name) != 0) {
		strata_error_add(error, "interface %s: its peer %s has another peer, %s", iface->name,
				 peer->name, other->peer);
		return -EBUSY;
	}
	end = peer->state;
	if (end != NULL && end->peer != NULL) {
		strata_error_add(error, "interface %s: its peer %s is paired with %s already",
				 iface->name, peer->name, end->peer->iface->name);
		return -EBUSY;
	}
	return 0;
}

/* Joins the new end to the one it names, or to one that names it, if that is open. */
static int wire_pair(struct wire *wire, struct strata_error *error)
{
	struct strata_iface *iface = wire->iface, *peer = NULL;
	const struct wire_config *config = iface->config;
	int result;

	if (config->peer != NULL) {
		peer = strata_iface_by_name(iface->stack, config->peer);
		result = wire_check_peer(iface, peer, error);
		if (result < 0)
			return result;
	} else {
		while ((peer = strata_iface_next(iface->stack, peer)) != NULL) {
			const struct wire_config *other = peer->config;

			if (peer->driver->module == iface->driver->module && other->peer != NULL &&
			    strcmp(other->peer, iface->name) == 0)
				break;
		}
	}
	if (peer != NULL && peer->state != NULL) {
		wire->peer = peer->state;
		wire->peer->peer = wire;
	}
	return 0;
}

static int wire_open(struct strata_iface *iface, struct strata_error *error)
{
	const struct wire_config *config = iface->config;
	struct wire *wire = strata_alloc(iface->stack, sizeof(*wire));
	int result;

	if (wire == NULL) {
		strata_error_add(error, "interface %s: out of memory", iface->name);
		return -ENOMEM;
	}
	wire->iface = iface;
	wire->deliver.run = wire_deliver;
	result = wire_pair(wire, error);
	if (result < 0) {
		strata_free(iface->stack, wire);
		return result;
	}
	iface->state = wire;
	iface->caps = STRATA_CAP_FRAGS;
	if (config->offload)
		iface->caps |= STRATA_CAP_TX_CSUM | STRATA_CAP_SEG_STREAM | STRATA_CAP_SEG_DATAGRAM;
	iface->flags |= STRATA_IFACE_RUNNING | STRATA_IFACE_MULTICAST;
	if (config->medium == WIRE_MEDIUM_ETHERNET)
		iface->flags |= STRATA_IFACE_BROADCAST;
	else
		iface->flags |= STRATA_IFACE_NO_NEIGHBOUR;
	return 0;
}

static void wire_close(struct strata_iface *iface)
{
	struct wire *wire = iface->state;

	strata_work_cancel(iface->stack, &wire->deliver);
	strata_pkt_queue_purge(&wire->queue);
	if (wire->peer != NULL)
		wire->peer->peer = NULL;
	iface->state = NULL;
	iface->flags &= ~(uint32_t)STRATA_IFACE_RUNNING;
	strata_free(iface->stack, wire);
}

static const struct strata_option wire_options[] = {
	{
		.name = "medium", .type = STRATA_OPT_CHOICE,
		.offset = offsetof(struct wire_config, medium), .fallback = "ethernet",
		.choices = wire_media,
		.help = "What the wire carries: framed packets, or bare IP packets.",
	},
	{
		.name = "peer", .type = STRATA_OPT_STRING, .offset = offsetof(struct wire_config, peer),
		.help = "Wire interface of the same stack at the other end; none: the embedder.",
	},
	{
		.name = "offload", .type = STRATA_OPT_BOOL,
		.offset = offsetof(struct wire_config, offload), .fallback = "false",
		.help = "Take packets larger than the MTU uncut, and checksums left open to a peer.",
	},
	{
		.name = "queue", .type = STRATA_OPT_UINT, .offset = offsetof(struct wire_config, queue),
		.fallback = "1024", .min = 1, .max = 65536, .unit = "packets",
		.help = "Most packets under way to the peer at once.",
	},
};

static const struct strata_dependency wire_depends[] = {
	{ .kind = STRATA_LINK, .name = "ethernet", .optional = true },
	{ .name = NULL },
};

/* The frames are the embedder's: there is no device to tell. */
static int wire_mtu_changed(struct strata_iface *iface, struct strata_error *error)
{
	(void)iface;
	(void)error;
	return 0;
}

static const struct strata_link_ops wire_ops = {
	.choose_framing = wire_choose_framing,
	.validate = wire_validate,
	.open = wire_open,
	.close = wire_close,
	.xmit = wire_xmit,
	.mtu_changed = wire_mtu_changed,
	.shards = true,
	.mtu_default = 1500,
	.mtu_min = 68,			/* RFC 791 3.2 */
	.mtu_max = STRATA_PKT_MAX,

	.input = wire_input,
	.encapsulate = wire_encapsulate,
	.address_parse = wire_address_parse,
	.address_random = wire_address_random,
	.address_broadcast = wire_address_broadcast,
	.address_multicast = wire_address_multicast,
};

STRATA_MODULE(wire) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_LINK,
	.name = "wire",
	.version = "1.0",
	.summary = "wire in memory, between two interfaces or to the embedding program",
	.depends = wire_depends,
	.iface_config_size = sizeof(struct wire_config),
	.iface_options = wire_options,
	.iface_option_count = STRATA_COUNT(wire_options),
	.counters = wire_counters,
	.counter_count = STRATA_COUNT(wire_counters),
	.drops = wire_drops,
	.drop_count = STRATA_COUNT(wire_drops),
	.link = &wire_ops,
};
