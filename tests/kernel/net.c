/* SPDX-License-Identifier: BSD-2-Clause */
/* See net.h. This file stands where the registry and the sockets do in a whole stack. */
#include "net.h"
#include "gro.h"
#include "shard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

static struct net *net_of(const struct kernel *k)
{
	return (struct net *)(uintptr_t)strata_container_of(k, struct rig, k);
}

static struct net *net_from(const struct strata_instance *self)
{
	return net_of(kernel_of(self->stack));
}

/* strata_pkt_push() that does not fail. */
static uint8_t *push(struct strata_pkt *pkt, uint32_t n)
{
	uint8_t *header = strata_pkt_push(pkt, n);

	if (header == NULL)
		abort();
	return memset(header, 0, n);
}

static void note(struct net *net, const char *sign, const char *what)
{
	size_t used = strlen(net->events);
	snprintf(net->events + used, sizeof(net->events) - used, "%s%s%s", used ? " " : "", sign,
		 what);
}

/* ---- families ---- */

static int four_parse(const char *text, struct strata_addr *out)
{
	uint8_t bytes[4];

	if (inet_pton(AF_INET, text, bytes) != 1)
		return -EINVAL;
	*out = strata_addr_make(FOUR, bytes, 4);
	return 0;
}

static void four_format(const struct strata_addr *a, char *buf, size_t size)
{
	snprintf(buf, size, "%u.%u.%u.%u", a->bytes[0], a->bytes[1], a->bytes[2], a->bytes[3]);
}

static enum strata_addr_class four_classify(const struct strata_addr *a)
{
	const uint32_t value = strata_get_be32(a->bytes);

	if (value == 0)
		return STRATA_ADDR_UNSPECIFIED;
	if (value == UINT32_MAX)
		return STRATA_ADDR_BROADCAST;
	if (a->bytes[0] == 127)
		return STRATA_ADDR_LOOPBACK;
	if (a->bytes[0] >= 240)
		return STRATA_ADDR_RESERVED;
	return a->bytes[0] >= 224 ? STRATA_ADDR_MULTICAST : STRATA_ADDR_UNICAST;
}

static bool four_broadcast(const struct strata_prefix *prefix, struct strata_addr *out)
{
	if (prefix->bits >= 31)
		return false;
	*out = prefix->addr;
	strata_put_be32(out->bytes, strata_get_be32(out->bytes) |
			(uint32_t)((UINT64_C(1) << (32 - prefix->bits)) - 1));
	return true;
}

static const struct strata_address_ops four_address = {
	.family = FOUR, .length = 4, .af = AF_INET, .parse = four_parse, .format = four_format,
	.classify = four_classify, .broadcast = four_broadcast,
};
/* The same family, supplied by the module that only resolves it. */
static const struct strata_address_ops asker_address = {
	.family = FOUR, .length = 4, .af = AF_INET, .parse = four_parse, .format = four_format,
	.classify = four_classify, .broadcast = four_broadcast,
};

static int wide_parse(const char *text, struct strata_addr *out)
{
	uint8_t bytes[16];
	unsigned int i;

	if (strlen(text) != 32 || strspn(text, "0123456789abcdef") != 32)
		return -EINVAL;
	for (i = 0; i < 16; i++) {
		const char digits[3] = { text[i * 2], text[i * 2 + 1], '\0' };
		bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	*out = strata_addr_make(WIDE, bytes, 16);
	return 0;
}

static void wide_format(const struct strata_addr *a, char *buf, size_t size)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		snprintf(buf + i * 2, size - i * 2, "%02x", a->bytes[i]);
}

static enum strata_addr_class wide_classify(const struct strata_addr *a)
{
	if (strata_addr_is_any(a))
		return STRATA_ADDR_UNSPECIFIED;
	return a->bytes[0] == 0xff ? STRATA_ADDR_MULTICAST : STRATA_ADDR_UNICAST;
}

static const struct strata_address_ops wide_address = {
	.family = WIDE, .length = 16, .af = AF_INET6, .parse = wide_parse, .format = wide_format,
	.classify = wide_classify,
};

/* ---- network modules ---- */

static enum strata_verdict network_input(struct strata_instance *self, struct strata_iface *iface,
					 struct strata_pkt *pkt)
{
	(void)iface;
	strata_pkt_enqueue(&net_from(self)->got, pkt);
	return STRATA_ACCEPTED;
}

static int network_output(struct strata_instance *self, const struct strata_dst *dst,
			  struct strata_pkt *pkt, const struct strata_tx *tx)
{
	return strata_dst_output(dst, pkt, &tx->dst, (uint16_t)self->number);
}

static void resolve(struct strata_instance *self, struct strata_neigh *neigh)
{
	struct net *net = net_from(self);

	net->asked++;
	net->asked_state = neigh->state;
	net->asked_for = neigh->addr;
	if (net->answers) {
		const struct strata_lladdr lladdr = mac(99);
		strata_neigh_heard(neigh->iface, &neigh->addr, &lladdr, true, true, false);
	}
}

static void address_event(struct strata_instance *self, struct strata_ifaddr *ifaddr, bool added)
{
	struct net *net = net_from(self);

	if (ifaddr->prefix.addr.family != self->number)
		return;
	note(net, added ? "+" : "-", "addr");
	if (added && net->tentative)
		strata_ifaddr_set_state(ifaddr, STRATA_IFADDR_TENTATIVE);
}

static void iface_event(struct strata_instance *self, struct strata_iface *iface, bool running)
{
	note(net_from(self), running ? "up:" : "down:", iface->name);
}

static void group_event(struct strata_instance *self, struct strata_iface *iface,
			const struct strata_addr *group, bool joined)
{
	(void)iface;
	if (group->family == self->number)
		note(net_from(self), joined ? "+" : "-", "group");
}

static int four_quote(const uint8_t *bytes, size_t length, struct strata_quote *out)
{
	if (length < FOUR_HEADER)
		return -EINVAL;
	out->src = strata_addr_make(FOUR, bytes + 4, 4);
	out->dst = strata_addr_make(FOUR, bytes + 8, 4);
	out->number = bytes[2];
	out->header_size = FOUR_HEADER;
	return 0;
}

static void four_segment(struct strata_instance *self, const struct strata_pkt *whole,
			 struct strata_pkt *segment, uint32_t index)
{
	(void)self;
	assert_ptr_equal(segment->data, segment->buf + segment->network_offset);
	assert_ptr_equal(whole->data, whole->buf + whole->network_offset);
	strata_put_be16(segment->data, (uint16_t)strata_pkt_length(segment));
	strata_put_be16(segment->data + 12, (uint16_t)(strata_get_be16(whole->data + 12) + index));
}

static int wide_rank(struct strata_instance *self, const struct strata_ifaddr *candidate,
		     const struct strata_iface *iface, const struct strata_addr *to)
{
	(void)to;
	return net_from(self)->ranked ? candidate->prefix.addr.bytes[15] : candidate->iface == iface;
}

static const struct strata_network_ops four_ops = {
	.address = &four_address, .input = network_input, .output = network_output, .mtu_min = 68,
	.address_event = address_event, .iface_event = iface_event, .group_event = group_event,
	.error_transport = THING, .quote_parse = four_quote, .segment = four_segment,
};
static const struct strata_network_ops asker_ops = {
	.address = &asker_address, .resolves = FOUR, .resolve = resolve,
};
static const struct strata_network_ops wide_ops = {
	.address = &wide_address, .input = network_input, .output = network_output, .mtu_min = 1280,
	.address_event = address_event, .resolves = WIDE, .resolve = resolve,
	.source_rank = wide_rank,
};

/* ---- the transport ---- */

static uint32_t thing_header_length(const struct strata_pkt *pkt)
{
	return pkt->data[11];
}

static void thing_segment(struct strata_instance *self, const struct strata_pkt *whole,
			  struct strata_pkt *segment, uint32_t offset, bool last)
{
	(void)self;
	assert_ptr_equal(segment->data, segment->buf + segment->transport_offset);
	assert_ptr_equal(whole->data, whole->buf + whole->transport_offset);
	strata_put_be32(segment->data + 4, strata_get_be32(whole->data + 4) + offset);
	segment->data[10] = last;
}

static void thing_error(struct strata_instance *self, const struct strata_transport_error *error)
{
	net_from(self)->local_errors++;
	net_from(self)->last_error = *error;
}

static void thing_report(struct strata_instance *self, const struct strata_pkt *pkt,
			 enum strata_net_error kind, uint32_t info)
{
	(void)pkt;
	(void)kind;
	(void)info;
	net_from(self)->reports++;
}

static const struct strata_transport_ops thing_ops = {
	.header_length = thing_header_length, .segment = thing_segment, .error = thing_error,
	.report = thing_report,
};

/* ---- links ---- */

static int dev_open(struct strata_iface *iface, struct strata_error *error)
{
	struct net *net = net_of(kernel_of(iface->stack));

	if (net->open_result < 0) {
		strata_error_add(error, "interface '%s': no such device", iface->name);
		return net->open_result;
	}
	iface->caps = net->caps;
	iface->flags |= STRATA_IFACE_RUNNING | STRATA_IFACE_BROADCAST | STRATA_IFACE_MULTICAST;
	return 0;
}

static int bare_open(struct strata_iface *iface, struct strata_error *error)
{
	(void)error;
	iface->flags |= STRATA_IFACE_RUNNING;
	return 0;
}

static int loop_open(struct strata_iface *iface, struct strata_error *error)
{
	(void)error;
	iface->caps = STRATA_CAP_TX_CSUM | STRATA_CAP_SEG_STREAM | STRATA_CAP_FRAGS;
	iface->flags |= STRATA_IFACE_RUNNING | STRATA_IFACE_LOOPBACK;
	return 0;
}

static void dev_xmit(struct strata_iface *iface, struct strata_pkt *pkt)
{
	strata_pkt_enqueue(&net_of(kernel_of(iface->stack))->sent, pkt);
}

static void dev_flush(struct strata_iface *iface)
{
	net_of(kernel_of(iface->stack))->flushes++;
}

static bool dev_cuts(const struct strata_iface *iface, const struct strata_pkt *pkt)
{
	(void)pkt;
	return !net_of(kernel_of(iface->stack))->cuts_none;
}

static const struct strata_link_ops dev_ops = {
	.framing = "frame", .open = dev_open, .xmit = dev_xmit, .flush = dev_flush, .cuts = dev_cuts,
	.mtu_default = 1500, .mtu_min = 46, .mtu_max = 9000,
};
static const struct strata_link_ops bare_ops = {
	.open = bare_open, .xmit = dev_xmit, .mtu_default = 1500, .mtu_min = 46, .mtu_max = 9000,
};
static const struct strata_link_ops loop_ops = {
	.open = loop_open, .xmit = strata_iface_enqueue_loop, .mtu_default = 65535,
};

static enum strata_verdict frame_input(struct strata_instance *self, struct strata_iface *iface,
				       struct strata_pkt *pkt)
{
	const uint8_t *header = strata_pkt_header(pkt, FRAME_HEADER);
	uint16_t number;

	(void)self;
	assert_non_null(header);
	number = strata_get_be16(header + 12);
	strata_pkt_pull(pkt, FRAME_HEADER);
	return strata_network_input(iface, pkt, number);
}

static int frame_encapsulate(struct strata_instance *self, struct strata_iface *iface,
			     struct strata_pkt *pkt, uint16_t number, const struct strata_lladdr *dst)
{
	uint8_t *header;

	(void)self;
	if (dst == NULL || dst->length != 6)
		return -EHOSTUNREACH;
	header = push(pkt, FRAME_HEADER);
	memcpy(header, dst->bytes, 6);
	memcpy(header + 6, iface->lladdr.bytes, 6);
	strata_put_be16(header + 12, number);
	return 0;
}

static int frame_parse(const char *text, struct strata_lladdr *out)
{
	unsigned int i, b[6];

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x", b, b + 1, b + 2, b + 3, b + 4, b + 5) != 6)
		return -EINVAL;
	out->length = 6;
	for (i = 0; i < 6; i++)
		out->bytes[i] = (uint8_t)b[i];
	return 0;
}

static void frame_random(struct strata_stack *stack, struct strata_lladdr *out)
{
	out->length = 6;
	strata_random(stack, out->bytes, 6);
	out->bytes[0] = 2;
}

static void frame_broadcast(struct strata_lladdr *out)
{
	out->length = 6;
	memset(out->bytes, 0xff, 6);
}

static int frame_multicast(const struct strata_addr *group, struct strata_lladdr *out)
{
	if (group->family != FOUR)
		return -EAFNOSUPPORT;
	out->length = 6;
	out->bytes[0] = 1;
	out->bytes[1] = 0;
	memcpy(out->bytes + 2, group->bytes, 4);
	return 0;
}

static const struct strata_link_ops frame_ops = {
	.header_size = FRAME_HEADER, .input = frame_input, .encapsulate = frame_encapsulate,
	.address_parse = frame_parse, .address_random = frame_random,
	.address_broadcast = frame_broadcast, .address_multicast = frame_multicast,
};

/* ---- the registry's and the sockets' part ---- */

static const struct strata_module modules[] = {
	{ STRATA_MODULE_HEADER, .name = "dev", .kind = STRATA_LINK, .link = &dev_ops },
	{ STRATA_MODULE_HEADER, .name = "bare", .kind = STRATA_LINK, .link = &bare_ops },
	{ STRATA_MODULE_HEADER, .name = "loop", .kind = STRATA_LINK, .link = &loop_ops },
	{ STRATA_MODULE_HEADER, .name = "frame", .kind = STRATA_LINK, .link = &frame_ops },
	{ STRATA_MODULE_HEADER, .name = "asker", .kind = STRATA_NETWORK, .number = 0x9006,
	  .network = &asker_ops },
	{ STRATA_MODULE_HEADER, .name = "four", .kind = STRATA_NETWORK, .number = FOUR,
	  .network = &four_ops },
	{ STRATA_MODULE_HEADER, .name = "wide", .kind = STRATA_NETWORK, .number = WIDE,
	  .network = &wide_ops },
	{ STRATA_MODULE_HEADER, .name = "thing", .kind = STRATA_TRANSPORT, .number = THING,
	  .transport = &thing_ops },
};
_Static_assert(STRATA_COUNT(modules) == STRATA_COUNT(((struct net *)0)->instances), "one each");

struct strata_instance *registry_next(struct kernel *k, enum strata_kind kind,
				      const struct strata_instance *after)
{
	struct net *net = net_of(k);
	size_t i = after == NULL ? 0 : (size_t)(after - net->instances) + 1;

	for (; i < STRATA_COUNT(modules); i++)
		if (net->instances[i].running && modules[i].kind == kind)
			return &net->instances[i];
	return NULL;
}

void registry_set_traced(struct kernel *k, bool traced)
{
	struct net *net = net_of(k);
	size_t i;

	for (i = 0; i < STRATA_COUNT(modules); i++)
		net->instances[i].traced = traced;
}

struct strata_instance *strata_instance_by_number(struct strata_stack *stack, enum strata_kind kind,
						  uint32_t number)
{
	struct strata_instance *i = registry_next(kernel_of(stack), kind, NULL);

	while (i != NULL && i->number != number)
		i = registry_next(kernel_of(stack), kind, i);
	return i;
}

struct strata_instance *strata_instance_by_name(struct strata_stack *stack, enum strata_kind kind,
						const char *name)
{
	struct strata_instance *i = registry_next(kernel_of(stack), kind, NULL);

	while (i != NULL && strcmp(i->name, name) != 0)
		i = registry_next(kernel_of(stack), kind, i);
	return i;
}

struct strata_instance *registry_network(struct kernel *k, uint16_t number)
{
	return strata_instance_by_number(&k->pub, STRATA_NETWORK, number);
}

struct strata_instance *registry_transport(struct kernel *k, uint8_t number)
{
	return strata_instance_by_number(&k->pub, STRATA_TRANSPORT, number);
}

enum strata_verdict transport_deliver(struct kernel *k, struct strata_pkt *pkt)
{
	strata_pkt_enqueue(&net_of(k)->got, pkt);
	return STRATA_ACCEPTED;
}

void transport_input_tried(struct kernel *k, struct strata_pkt *pkt, uint64_t tried)
{
	(void)tried;
	strata_pkt_enqueue(&net_of(k)->got, pkt);
}

void socket_stamp_leaves(struct kernel *k, struct strata_pkt *pkt)
{
	(void)k;
	pkt->stamp = 0;
}

void socket_address_gone(struct kernel *k, const struct strata_addr *gone, int error)
{
	(void)gone;
	assert_int_equal(error, EADDRNOTAVAIL);
	note(net_of(k), "", "sockets");
}

void socket_iface_gone(struct kernel *k, struct strata_iface *iface, int error)
{
	(void)iface;
	(void)error;
	note(net_of(k), "", "sockets");
}

/* ---- life ---- */

struct strata_iface *net_iface(struct net *net, const char *driver, const char *name)
{
	const struct iface_spec spec = {
		.name = name,
		.driver = strata_instance_by_name(net->stack, STRATA_LINK, driver),
	};
	struct strata_error error = { 0 };
	struct strata_iface *iface = NULL;
	int result = iface_create(net->k, &spec, &iface, &error);

	assert_string_equal(strata_error_text(&error), "");
	assert_int_equal(result, 0);
	assert_int_equal(iface_open(iface, &error), 0);
	return iface;
}

void net_open(struct net *net)
{
	static int (*const inits[])(struct kernel *k) = {
		iface_init, addr_init, group_init, route_init, neigh_init,
	};
	size_t i;

	memset(net, 0, sizeof(*net));
	net->k = &net->rig.k;
	net->stack = &net->k->pub;
	net->rig.k.pub.now = STRATA_SEC;
	assert_int_equal(rig_open(&net->rig), 0);
	net->k->settings.log_level = STRATA_LOG_WARNING;
	for (i = 0; i < STRATA_COUNT(modules); i++) {
		net->instances[i].stack = net->stack;
		net->instances[i].module = &modules[i];
		net->instances[i].name = modules[i].name;
		net->instances[i].number = modules[i].number;
		net->instances[i].running = true;
		if (modules[i].kind == STRATA_TRANSPORT)
			net->registry.transport[modules[i].number] = module_of(&net->instances[i]);
	}
	net->k->registry = &net->registry;
	for (i = 0; i < STRATA_COUNT(inits); i++)
		assert_int_equal(inits[i](net->k), 0);
	/* Only asked whether it is there. */
	net->k->sockets = (struct socket_table *)net;
	net->caps = STRATA_CAP_FRAGS;
	net->one = net_iface(net, "dev", "one");
	net->two = net_iface(net, "dev", "two");
	net->events[0] = '\0';
}

void net_forget(struct net *net)
{
	strata_pkt_queue_purge(&net->sent);
	strata_pkt_queue_purge(&net->got);
	net->events[0] = '\0';
}

void net_close(struct net *net)
{
	net_forget(net);
	iface_fini(net->k);
	net_forget(net);
	neigh_fini(net->k);
	route_fini(net->k);
	group_fini(net->k);
	addr_fini(net->k);
	rig_close(&net->rig);
}

void net_run(struct net *net, uint64_t ns)
{
	strata_run(net->stack, net->stack->now + ns);
}

/* ---- shorthand ---- */

static struct strata_prefix prefix_of(struct net *net, const char *text)
{
	struct strata_prefix prefix = { 0 };

	if (strata_prefix_parse(net->stack, text, &prefix) < 0)
		fail_msg("%s is no prefix", text);
	return prefix;
}

struct strata_addr addr(struct net *net, const char *text)
{
	return prefix_of(net, text).addr;
}

int net_addr(struct net *net, struct strata_iface *iface, const char *text)
{
	const struct strata_prefix prefix = prefix_of(net, text);

	return strata_ifaddr_add(iface, &prefix);
}

int net_route(struct net *net, const char *to, const char *via, struct strata_iface *iface,
	      uint32_t metric)
{
	struct strata_route route = { .to = prefix_of(net, to), .iface = iface, .metric = metric };

	if (via != NULL)
		route.via = addr(net, via);
	return strata_route_add(net->stack, &route);
}

struct strata_lladdr mac(uint8_t n)
{
	return (struct strata_lladdr){ 6, { 2, 0, 0, 0, 0, n } };
}

/* Writes the headers of "thing" and "four" in front of the payload. */
static void put_headers(struct net *net, struct strata_pkt *pkt, const char *to)
{
	const uint32_t payload = strata_pkt_length(pkt);
	uint8_t *header = push(pkt, THING_HEADER);

	strata_put_be32(header + 4, 1000);
	header[11] = THING_HEADER;
	pkt->transport_offset = (uint16_t)strata_pkt_headroom(pkt);
	header = push(pkt, FOUR_HEADER);
	strata_put_be16(header, (uint16_t)(payload + THING_HEADER + FOUR_HEADER));
	header[2] = THING;
	header[3] = 64;
	memcpy(header + 4, addr(net, "192.0.2.1").bytes, 4);
	memcpy(header + 8, addr(net, to).bytes, 4);
	strata_put_be16(header + 12, 77);
	pkt->network_offset = (uint16_t)strata_pkt_headroom(pkt);
	pkt->family = FOUR;
	pkt->number = THING;
}

struct strata_pkt *net_packet(struct net *net, const char *to, uint32_t payload)
{
	struct strata_pkt *pkt = strata_pkt_alloc(net->stack, STRATA_HEADROOM, payload);
	uint32_t i;

	assert_non_null(pkt);
	for (i = 0; i < payload; i++)
		*strata_pkt_put(pkt, 1) = (uint8_t)(i * 7 + (i >> 8));
	put_headers(net, pkt, to);
	return pkt;
}

struct strata_pkt *net_super(struct net *net, uint32_t payload, uint16_t seg_size, enum strata_seg type)
{
	struct strata_pkt *pkt = strata_pkt_alloc(net->stack, STRATA_HEADROOM, 0);
	const struct strata_addr src = addr(net, "192.0.2.1"), dst = addr(net, "192.0.2.2");
	uint32_t at = 0;

	assert_non_null(pkt);
	while (at < payload) {
		struct strata_chunk *chunk = strata_chunk_alloc(net->stack, STRATA_CHUNK_SIZE);
		uint32_t n = payload - at < 5000 ? payload - at : 5000, i;
		assert_non_null(chunk);
		for (i = 0; i < n; i++)
			chunk->data[i] = (uint8_t)((at + i) * 7 + ((at + i) >> 8));
		assert_int_equal(strata_pkt_append_chunk(pkt, chunk, 0, n), 0);
		strata_chunk_put(chunk);
		at += n;
	}
	put_headers(net, pkt, "192.0.2.2");
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = pkt->transport_offset;
	pkt->csum_offset = 8;
	strata_put_be16(pkt->buf + pkt->csum_start + pkt->csum_offset,
			strata_csum_fold(strata_csum_pseudo(&src, &dst, THING,
							    payload + THING_HEADER)));
	pkt->seg_type = (uint8_t)type;
	pkt->seg_size = seg_size;
	return pkt;
}

struct strata_pkt *net_sent(struct net *net)
{
	struct strata_pkt *pkt = strata_pkt_dequeue(&net->sent);

	assert_non_null(pkt);
	return pkt;
}

struct strata_pkt *net_got(struct net *net)
{
	struct strata_pkt *pkt = strata_pkt_dequeue(&net->got);

	assert_non_null(pkt);
	return pkt;
}

void net_count_run(struct strata_stack *stack, struct strata_work *work)
{
	(void)stack;
	strata_container_of(work, struct net_waiter, work)->runs++;
}

uint64_t net_drops(const struct net *net, enum kernel_drop reason)
{
	return net->rig.k.self.drops[reason];
}
