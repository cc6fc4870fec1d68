/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ethernet II framing (IEEE 802.3-2022 3.1 to 3.2, RFC 894), for the drivers that carry frames.
 * Padding is the network module's affair: it trims to its own length.
 */
#include <errno.h>
#include <strata/iface.h>
#include <strata/network.h>
#include <strata/trace.h>

#define ADDRESS_SIZE 6
#define HEADER_SIZE 14
#define TAG_SIZE 4
/* LINKTYPE_ETHERNET of capture files. */
#define LINK_TYPE 1
/* IEEE 802.3 3.2.6: up to 1500 the field is a length, from 1536 on an EtherType. */
#define LENGTH_MAX 1500
#define TYPE_MIN 1536
/* IEEE 802.3 4A.4.2: a shorter payload is padded to this. */
#define PAYLOAD_MIN 46
/* IEEE 802.1Q 9.5: customer and service tags, and the service tag of before 802.1ad. */
#define TYPE_CTAG 0x8100
#define TYPE_STAG 0x88a8
#define TYPE_STAG_OLD 0x9100
#define TAG_VID 0x0fff
/* Local choice for all headers of nesting kind together, see struct strata_pkt. */
#define NESTING_MAX 8

/* Families whose multicast addresses have a mapping. */
#define FAMILY_INET4 0x0800
#define FAMILY_INET6 0x86dd

enum {
#define X(symbol, text, severity, mib) ETHERNET_DROP_##symbol,
#include "ethernet_drops.def"
#undef X
	ETHERNET_DROPS,
};

static const struct strata_drop_def ethernet_drops[] = {
#define X STRATA_DROP_DEF
#include "ethernet_drops.def"
#undef X
};
_Static_assert(STRATA_COUNT(ethernet_drops) == ETHERNET_DROPS, "one definition a reason");

enum {
	ETHERNET_IN_UNICAST,
	ETHERNET_IN_MULTICAST,
	ETHERNET_IN_BROADCAST,
	ETHERNET_IN_TAGGED,
	ETHERNET_OUT,
	ETHERNET_COUNTERS,
};

static const struct strata_counter_def ethernet_counters[] = {
	[ETHERNET_IN_UNICAST] = { "in_unicast", "frames received to this host's address",
				  "ifHCInUcastPkts" },
	[ETHERNET_IN_MULTICAST] = { "in_multicast", "frames received to a group address",
				    "ifHCInMulticastPkts" },
	[ETHERNET_IN_BROADCAST] = { "in_broadcast", "frames received to the broadcast address",
				    "ifHCInBroadcastPkts" },
	[ETHERNET_IN_TAGGED] = { "in_tagged", "VLAN and priority tags met on input", NULL },
	[ETHERNET_OUT] = { "out", "headers written", NULL },
};
_Static_assert(STRATA_COUNT(ethernet_counters) == ETHERNET_COUNTERS, "one definition a counter");

struct ethernet_header {
	const uint8_t *dst, *src;	/* in the packet */
	uint16_t type;			/* EtherType behind all tags, or an 802.3 length */
	uint16_t vlan;			/* VID of the outermost tag that has one; 0: none */
	uint32_t tags;
	uint32_t size;			/* tags included */
};

static bool is_group(const uint8_t *addr)
{
	return (addr[0] & 1) != 0;
}

static bool is_broadcast(const uint8_t *addr)
{
	static const uint8_t ones[ADDRESS_SIZE] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	return memcmp(addr, ones, ADDRESS_SIZE) == 0;
}

static bool is_tag(uint16_t type)
{
	return type == TYPE_CTAG || type == TYPE_STAG || type == TYPE_STAG_OLD;
}

/* Reads the tags behind the addresses. Returns -1, or the reason to drop the frame. */
static int parse_tags(struct strata_pkt *pkt, struct ethernet_header *h)
{
	unsigned int nesting = pkt->nesting;
	const uint8_t *p;

	while (is_tag(h->type)) {
		if (++nesting > NESTING_MAX)
			return ETHERNET_DROP_NESTING;
		p = strata_pkt_header(pkt, h->size + TAG_SIZE);
		if (p == NULL)
			return ETHERNET_DROP_TAG_TRUNCATED;
		h->dst = p;
		h->src = p + ADDRESS_SIZE;
		if (h->vlan == 0)
			h->vlan = strata_get_be16(p + h->size) & TAG_VID;
		h->type = strata_get_be16(p + h->size + 2);
		h->size += TAG_SIZE;
		h->tags++;
	}
	return -1;
}

/* Reads the header and all tags. Returns -1, or the reason to drop the frame. */
static int ethernet_parse(struct strata_pkt *pkt, struct ethernet_header *h)
{
	const uint8_t *p = strata_pkt_header(pkt, HEADER_SIZE);

	if (p == NULL)
		return ETHERNET_DROP_TRUNCATED;
	*h = (struct ethernet_header){
		.dst = p, .src = p + ADDRESS_SIZE, .type = strata_get_be16(p + 2 * ADDRESS_SIZE),
		.size = HEADER_SIZE,
	};
	return is_tag(h->type) ? parse_tags(pkt, h) : -1;
}

/* Checks an 802.3 length, which no protocol here has. Returns the reason to drop the frame. */
static int check_length(uint16_t length, uint32_t payload)
{
	if (length > LENGTH_MAX)
		return ETHERNET_DROP_TYPE;
	if (length > payload || (length < payload && payload > PAYLOAD_MIN))
		return ETHERNET_DROP_LENGTH;
	return ETHERNET_DROP_LLC;
}

/* Checks what the header says against the frame. Returns -1, or the reason to drop it. */
static int ethernet_check(const struct strata_iface *iface, const struct strata_pkt *pkt,
			  const struct ethernet_header *h)
{
	uint32_t payload = strata_pkt_length(pkt) - h->size;

	/* IEEE 802.3 3.2.3: the group bit of a source is reserved, no station sends it. */
	if (is_group(h->src))
		return ETHERNET_DROP_SOURCE_GROUP;
	if (!is_group(h->dst) && (iface->lladdr.length != ADDRESS_SIZE ||
				  memcmp(h->dst, iface->lladdr.bytes, ADDRESS_SIZE) != 0))
		return ETHERNET_DROP_OTHER_HOST;
	if (payload > STRATA_PKT_MAX)
		return ETHERNET_DROP_TOO_LONG;
	/* IEEE 802.1Q 6.9: a tag with VID 0 carries a priority only, the frame is as if
	 * untagged. */
	if (h->vlan != 0)
		return ETHERNET_DROP_VLAN;
	return h->type >= TYPE_MIN ? -1 : check_length(h->type, payload);
}

static void trace_header(struct strata_instance *self, struct strata_pkt *pkt, const struct ethernet_header *h)
{
	struct strata_lladdr dst = { .length = ADDRESS_SIZE }, src = { .length = ADDRESS_SIZE };

	memcpy(dst.bytes, h->dst, ADDRESS_SIZE);
	memcpy(src.bytes, h->src, ADDRESS_SIZE);
	strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_LLADDR("src", &src),
			    STRATA_FIELD_LLADDR("dst", &dst), STRATA_FIELD_HEX("type", h->type, 4),
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt)),
			    STRATA_FIELD_FLAGS("tags", h->tags != 0, "tagged")), "%s", "");
}

/* Nearly all frames: of a protocol, untagged, from one station to this one. Nothing that ethernet_check() would
 * look at is wrong with them. */
static inline bool is_plain(const struct strata_iface *iface, const struct strata_pkt *pkt)
{
	const uint8_t *p = pkt->data;
	uint16_t type;

	if (pkt->len < HEADER_SIZE || strata_pkt_length(pkt) > HEADER_SIZE + STRATA_PKT_MAX)
		return false;
	type = strata_get_be16(p + 2 * ADDRESS_SIZE);
	return type >= TYPE_MIN && !is_tag(type) && !is_group(p + ADDRESS_SIZE) &&
	       iface->lladdr.length == ADDRESS_SIZE && memcmp(p, iface->lladdr.bytes, ADDRESS_SIZE) == 0;
}

/* Apart, so that nothing has to be saved for it on the way of a plain frame. */
static __attribute__((noinline)) enum strata_verdict input_checked(struct strata_instance *self,
								   struct strata_iface *iface,
								   struct strata_pkt *pkt)
{
	struct ethernet_header h;
	unsigned int counter = ETHERNET_IN_UNICAST;
	int reason = ethernet_parse(pkt, &h);

	if (reason >= 0)
		return strata_drop(self, pkt, (unsigned int)reason);
	pkt->link_offset = (uint16_t)strata_pkt_headroom(pkt);
	if (strata_traced(self))
		trace_header(self, pkt, &h);
	if (h.tags != 0) {
		strata_count(self, ETHERNET_IN_TAGGED, h.tags);
		pkt->nesting = (uint8_t)(pkt->nesting + h.tags);
	}
	reason = ethernet_check(iface, pkt, &h);
	if (reason >= 0)
		return strata_drop(self, pkt, (unsigned int)reason);

	if (is_group(h.dst)) {
		const bool all = is_broadcast(h.dst);

		pkt->flags |= all ? STRATA_PKT_LINK_BROADCAST : STRATA_PKT_LINK_MULTICAST;
		counter = all ? ETHERNET_IN_BROADCAST : ETHERNET_IN_MULTICAST;
	}
	strata_count(self, counter, 1);
	strata_pkt_pull(pkt, h.size);
	return strata_network_input(iface, pkt, h.type);
}

static enum strata_verdict ethernet_input(struct strata_instance *self, struct strata_iface *iface,
					  struct strata_pkt *pkt)
{
	uint16_t type;

	if (strata_traced(self) || strata_unlikely(!is_plain(iface, pkt)))
		return input_checked(self, iface, pkt);
	type = strata_get_be16(pkt->data + 2 * ADDRESS_SIZE);
	pkt->link_offset = (uint16_t)strata_pkt_headroom(pkt);
	strata_count(self, ETHERNET_IN_UNICAST, 1);
	strata_pkt_pull(pkt, HEADER_SIZE);
	return strata_network_input(iface, pkt, type);
}

/* Apart, so that nothing has to be saved for it where nobody listens. */
static __attribute__((cold, noinline)) int trace_encapsulated(struct strata_instance *self,
							      const struct strata_iface *iface,
							      struct strata_pkt *pkt,
							      const struct strata_lladdr *dst)
{
	strata_trace_fields(self, pkt, STRATA_FIELDS(STRATA_FIELD_LLADDR("src", &iface->lladdr),
			    STRATA_FIELD_LLADDR("dst", dst),
			    STRATA_FIELD_HEX("type", strata_get_be16(pkt->data + 2 * ADDRESS_SIZE), 4),
			    STRATA_FIELD_SIZE("length", strata_pkt_length(pkt))), "%s", "");
	return 0;
}

static int ethernet_encapsulate(struct strata_instance *self, struct strata_iface *iface,
				struct strata_pkt *pkt, uint16_t number,
				const struct strata_lladdr *dst)
{
	uint8_t *p;

	if (dst == NULL || dst->length != ADDRESS_SIZE)
		return -EINVAL;
	p = strata_pkt_push(pkt, HEADER_SIZE);
	if (p == NULL)
		return -ENOBUFS;
	memcpy(p, dst->bytes, ADDRESS_SIZE);
	memcpy(p + ADDRESS_SIZE, iface->lladdr.bytes, ADDRESS_SIZE);
	strata_put_be16(p + 2 * ADDRESS_SIZE, number);
	pkt->link_offset = (uint16_t)strata_pkt_headroom(pkt);
	strata_count(self, ETHERNET_OUT, 1);
	return strata_traced(self) ? trace_encapsulated(self, iface, pkt, dst) : 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Six pairs of hex digits with colons between. Whatever is written by hand names one station: group
 * addresses and the null address are refused. */
static int ethernet_address_parse(const char *text, struct strata_lladdr *out)
{
	struct strata_lladdr addr = { .length = ADDRESS_SIZE };
	unsigned int i, any = 0;

	for (i = 0; i < ADDRESS_SIZE; i++) {
		int high, low;
		if (i > 0 && *text++ != ':')
			return -EINVAL;
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		addr.bytes[i] = (uint8_t)(high << 4 | low);
		any |= addr.bytes[i];
		text += 2;
	}
	if (*text != '\0' || any == 0 || is_group(addr.bytes))
		return -EINVAL;
	*out = addr;
	return 0;
}

static void ethernet_address_random(struct strata_stack *stack, struct strata_lladdr *out)
{
	memset(out, 0, sizeof(*out));
	out->length = ADDRESS_SIZE;
	strata_random(stack, out->bytes, ADDRESS_SIZE);
	out->bytes[0] = 0x02;	/* IEEE 802 8.2.2: locally administered, one station */
}

static void ethernet_address_broadcast(struct strata_lladdr *out)
{
	memset(out, 0, sizeof(*out));
	out->length = ADDRESS_SIZE;
	memset(out->bytes, 0xff, ADDRESS_SIZE);
}

static int ethernet_address_multicast(const struct strata_addr *group, struct strata_lladdr *out)
{
	struct strata_lladdr addr = { .length = ADDRESS_SIZE };

	switch (group->family) {
	case FAMILY_INET4:	/* RFC 1112 6.4: the low 23 bits */
		addr.bytes[0] = 0x01;
		addr.bytes[2] = 0x5e;
		addr.bytes[3] = group->bytes[1] & 0x7f;
		addr.bytes[4] = group->bytes[2];
		addr.bytes[5] = group->bytes[3];
		break;
	case FAMILY_INET6:	/* RFC 2464 7: the low 32 bits */
		addr.bytes[0] = addr.bytes[1] = 0x33;
		memcpy(addr.bytes + 2, group->bytes + 12, 4);
		break;
	default:
		return -EAFNOSUPPORT;
	}
	*out = addr;
	return 0;
}

static const struct strata_link_ops ethernet_link = {
	.header_size = HEADER_SIZE,
	.input = ethernet_input,
	.encapsulate = ethernet_encapsulate,
	.address_parse = ethernet_address_parse,
	.address_random = ethernet_address_random,
	.address_broadcast = ethernet_address_broadcast,
	.address_multicast = ethernet_address_multicast,
	.link_type = LINK_TYPE,
};

STRATA_MODULE(ethernet) = {
	STRATA_MODULE_HEADER,
	.kind = STRATA_LINK,
	.name = "ethernet",
	.version = "1.0",
	.summary = "Ethernet II framing for the drivers that carry frames",
	.counters = ethernet_counters,
	.counter_count = ETHERNET_COUNTERS,
	.drops = ethernet_drops,
	.drop_count = ETHERNET_DROPS,
	.link = &ethernet_link,
};
