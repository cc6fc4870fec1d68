/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operations of the kinds that packets from below do not reach: a network module's addresses, quotes, path MTUs
 * and output; a transport's errors; an algorithm's window; a driver's xmit.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kit.h"

/* Local choices. */
enum { ROUNDS = 3000, OUTPUTS = 1500, ERRORS = 2000, CONNECTIONS = 40, EVENTS = 400, FRAMES = 1200 };

/* ---- addresses ---- */

/* What is written can be read, and is the same. */
static void round_trip(struct kit *kit, const struct strata_address_ops *ops, uint64_t *rng)
{
	uint8_t bytes[STRATA_ADDR_MAX];
	struct strata_addr addr, again;
	struct sockaddr_storage sa;
	char text[STRATA_ADDR_TEXT];
	uint16_t port = 0;
	socklen_t length;
	unsigned int i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(kit_chance(rng, 3) ? 0 : kit_random(rng));
	addr = strata_addr_make(ops->family, bytes, ops->length);
	ops->format(&addr, text, sizeof(text));
	kit_step(kit, "address %s", text);
	if (memchr(text, '\0', sizeof(text)) == NULL || ops->parse(text, &again) != 0 ||
	    !strata_addr_equal(&addr, &again))
		kit_fault(kit, text, "format() writes what parse() reads", "an address is not the same when it "
			  "was written and read again");
	ops->classify(&addr);
	if (ops->to_sockaddr == NULL || ops->from_sockaddr == NULL)
		return;
	length = ops->to_sockaddr(&addr, 4242, (struct sockaddr *)&sa, sizeof(sa));
	if (ops->from_sockaddr((struct sockaddr *)&sa, length, &again, &port) != 0 || port != 4242 ||
	    !strata_addr_equal(&addr, &again))
		kit_fault(kit, text, "from_sockaddr() reads what to_sockaddr() writes",
			  "an address is not the same as a socket address");
	for (i = 0; i < length; i++)
		if (ops->from_sockaddr((struct sockaddr *)&sa, i, &again, &port) == 0)
			kit_fault(kit, text, "check `len` first", "takes a socket address of %u bytes, %u short",
				  i, length - i);
}

static void parse_garbage(struct kit *kit, const struct kit_rig *rig, const struct strata_address_ops *ops,
			  uint64_t *rng)
{
	static const char letters[] = "0123456789abcdefx:./% -";
	uint32_t length = kit_below(rng, 80), i;
	char *text = kit_env_tight((struct kit_env *)&rig->env, length + 1);
	struct strata_addr out;
	int result;

	for (i = 0; i < length; i++)
		text[i] = letters[kit_below(rng, sizeof(letters) - 1)];
	text[length] = '\0';
	kit_step(kit, "parse of \"%s\"", text);
	result = ops->parse(text, &out);
	if (result != 0 && result != -EINVAL)
		kit_fault(kit, "parse", "return 0 or -EINVAL", "parse() returned %d", result);
	if (result == 0 && (out.family != ops->family || out.length != ops->length))
		kit_fault(kit, "parse", "fill the address with strata_addr_make()",
			  "parse() gave an address of another family or length");
	kit_env_release((struct kit_env *)&rig->env, text, length + 1);
}

static void check_quote(struct kit *kit, struct kit_rig *rig, uint64_t *rng, const struct kit_corpus *corpus)
{
	uint32_t length = kit_below(rng, 80), i;
	uint8_t *bytes = kit_env_tight(&rig->env, length);
	struct strata_quote quote;
	int result;

	for (i = 0; i < length; i++)
		bytes[i] = (uint8_t)kit_random(rng);
	if (corpus->count != 0 && kit_chance(rng, 2)) {
		uint32_t which = kit_below(rng, corpus->count);

		memcpy(bytes, corpus->entries[which].bytes, length < corpus->entries[which].length ? length :
		       corpus->entries[which].length);
	}
	kit_step(kit, "quote of %u bytes", length);
	result = kit->module->network->quote_parse(bytes, length, &quote);
	if (result == 0 && quote.header_size > length)
		kit_fault(kit, "quote_parse", "refuse a quote that is shorter than its header",
			  "quote_parse() says the header has %u bytes of %u", quote.header_size, length);
	if (result != 0 && result != -EINVAL)
		kit_fault(kit, "quote_parse", "return 0 or -EINVAL", "quote_parse() returned %d", result);
	kit_env_release(&rig->env, bytes, length);
}

static void check_path(struct kit *kit, struct kit_rig *rig, const struct strata_address_ops *ops, uint64_t *rng)
{
	const struct strata_network_ops *network = kit->module->network;
	struct strata_addr to = kit_address(ops, (uint8_t)kit_below(rng, 256));
	uint32_t told = (uint32_t)(kit_chance(rng, 2) ? kit_below(rng, 1600) : kit_random(rng)), mtu;

	kit_step(kit, "path MTU %u is told", told);
	mtu = network->path_mtu_learn(rig->self, &to, told);
	if (mtu < network->mtu_min)
		kit_fault(kit, "path_mtu_learn", "clamp it to the least that a link must carry",
			  "a path MTU became %u, below the least, %u", mtu, network->mtu_min);
	if (network->path_mtu != NULL && network->path_mtu(rig->self, &to, 1500) > 1500)
		kit_fault(kit, "path_mtu", "never more than the route's", "a path MTU is above its route's");
	if (kit_chance(rng, 64))
		kit_rig_pass(rig, 60 * STRATA_SEC);
}

void kit_check_address(struct kit *kit)
{
	const struct strata_network_ops *network = kit->module->network;
	const struct strata_address_ops *ops = network->address;
	struct kit_corpus *corpus = calloc(1, sizeof(*corpus));
	struct kit_rig rig;
	uint64_t rng = kit->seed;
	unsigned int i;

	if (corpus == NULL)
		abort();
	kit_corpus_learn(kit, corpus);
	if (!kit_rig_must(kit, &rig, &(struct kit_setup){ 0 }))
		return;
	for (i = 0; i < ROUNDS && !kit_failed(kit); i++) {
		if (ops != NULL) {
			round_trip(kit, ops, &rng);
			parse_garbage(kit, &rig, ops, &rng);
		}
		if (network->quote_parse != NULL)
			check_quote(kit, &rig, &rng, corpus);
		if (ops != NULL && network->path_mtu_learn != NULL)
			check_path(kit, &rig, ops, &rng);
	}
	kit_step(kit, "the stack ends");
	kit_rig_pass(&rig, 3600 * STRATA_SEC);
	kit_rig_close(&rig);
	free(corpus);
	if (ops == NULL && network->quote_parse == NULL)
		kit_skip(kit, "it has no addresses and no quotes");
	kit_done(kit, "%u of each", ROUNDS);
}

/* ---- output of a network module ---- */

static void output_one(struct kit *kit, struct kit_rig *rig, const struct strata_address_ops *ops,
		       uint64_t *rng, const uint8_t *bytes)
{
	uint32_t length = kit_below(rng, kit_chance(rng, 8) ? 60000 : 3000), split = kit_below(rng, 200);
	struct strata_addr to = kit_address(ops, (uint8_t)(kit_chance(rng, 4) ? kit_below(rng, 256) : 2));
	struct strata_tx tx = { .dst = to, .number = (uint8_t)kit_random(rng), .ttl = (uint8_t)kit_random(rng),
				.tos = (uint8_t)kit_random(rng), .df = (uint8_t)kit_below(rng, 4) };
	struct strata_dst dst = { 0 };
	struct strata_pkt *pkt = kit_packet_build(rig, bytes, length, split, STRATA_CHUNK_SIZE);
	int result;

	if (pkt == NULL)
		return;
	kit_step(kit, "output of %u bytes, %u of them linear, to host %u, df %u", length, split,
		 to.bytes[to.length - 1], tx.df);
	pkt->transport_offset = (uint16_t)strata_pkt_headroom(pkt);
	result = strata_route_output(rig->stack, &to, NULL, NULL, &dst, &tx.src);
	if (result < 0) {
		strata_pkt_free(pkt);
		return;
	}
	if (kit_chance(rng, 16))
		kit_env_fail(&rig->env, 1 + kit_below(rng, 4), kit_chance(rng, 2));
	result = strata_network_output(&dst, pkt, &tx);
	kit_env_fail(&rig->env, 0, false);
	if (result > 0 || result < -4095)
		kit_fault(kit, "output", "return 0 or -errno", "output() returned %d", result);
	strata_dst_release(&dst);
	strata_run(rig->stack, rig->env.now);
	if (kit_chance(rng, 32))
		kit_rig_pass(rig, STRATA_SEC);
}

void kit_check_output(struct kit *kit)
{
	struct strata_lladdr lladdr = { .length = 6 };
	uint8_t *bytes = calloc(1, KIT_PACKET_MAX);
	const struct strata_address_ops *ops;
	struct strata_addr peer;
	struct kit_rig rig;
	uint64_t rng = kit->seed;
	unsigned int i;

	if (bytes == NULL)
		abort();
	if (kit->module->network->output == NULL) {
		kit_skip(kit, "it carries no transports");
		return;
	}
	if (!kit_rig_must(kit, &rig, &(struct kit_setup){ 0 }))
		return;
	ops = kit_family(&rig);
	if (ops == NULL) {
		kit_skip(kit, "its interface got no address");
	} else {
		peer = kit_address(ops, 2);
		kit_rig_mac(2, lladdr.bytes);
		strata_neigh_set(rig.iface, &peer, &lladdr);
	}
	for (i = 0; ops != NULL && i < OUTPUTS && !kit_failed(kit); i++)
		output_one(kit, &rig, ops, &rng, bytes);
	kit_step(kit, "the stack ends");
	kit_rig_pass(&rig, 3600 * STRATA_SEC);
	kit_done(kit, "%u packets, %llu frames", OUTPUTS, (unsigned long long)rig.frames);
	kit_rig_close(&rig);
	free(bytes);
}

/* ---- errors about what a transport sent ---- */

static void error_one(struct kit *kit, struct kit_rig *rig, const struct kit_corpus *corpus, uint64_t *rng)
{
	const struct strata_address_ops *ops = kit_family(rig);
	uint32_t length = kit_below(rng, 80), i;
	uint8_t *payload = kit_env_tight(&rig->env, length);
	struct strata_transport_error error = {
		.kind = (enum strata_net_error)kit_below(rng, STRATA_ERRS), .info = (uint32_t)kit_random(rng),
		.type = (uint8_t)kit_below(rng, 20), .code = (uint8_t)kit_below(rng, 20),
		.local = kit_chance(rng, 4), .payload = payload, .payload_length = length,
	};

	for (i = 0; i < length; i++)
		payload[i] = (uint8_t)kit_random(rng);
	if (corpus->count != 0 && kit_chance(rng, 2)) {
		i = kit_below(rng, corpus->count);
		memcpy(payload, corpus->entries[i].bytes, length < corpus->entries[i].length ? length :
		       corpus->entries[i].length);
	}
	if (length >= 4 && kit_chance(rng, 2))
		strata_put_be16(payload, KIT_PORT);
	error.quote = (struct strata_quote){ .src = kit_address(ops, 1), .dst = kit_address(ops, 2),
					     .number = (uint8_t)rig->self->number, .header_size = 20 };
	error.offender = error.quote.dst;
	if (kit_chance(rng, 4))
		error.info = kit_below(rng, 1600);
	kit_step(kit, "error of kind %d, info %u, with %u quoted bytes", (int)error.kind, error.info, length);
	strata_transport_error(rig->stack, &error);
	strata_run(rig->stack, rig->env.now);
	kit_env_release(&rig->env, payload, length);
}

void kit_check_errors(struct kit *kit)
{
	struct kit_corpus *corpus = calloc(1, sizeof(*corpus));
	struct kit_rig rig;
	uint64_t rng = kit->seed;
	unsigned int i;

	if (corpus == NULL)
		abort();
	if (kit->module->transport->error == NULL) {
		kit_skip(kit, "it does not care for errors");
		return;
	}
	kit_corpus_learn(kit, corpus);
	if (!kit_rig_must(kit, &rig, &(struct kit_setup){ 0 }))
		return;
	kit_listen(&rig);
	if (kit_family(&rig) == NULL)
		kit_skip(kit, "its interface got no address");
	for (i = 0; kit_family(&rig) != NULL && i < ERRORS && !kit_failed(kit); i++)
		error_one(kit, &rig, corpus, &rng);
	kit_step(kit, "the stack ends");
	kit_hang_up(&rig);
	kit_rig_pass(&rig, 3600 * STRATA_SEC);
	kit_rig_close(&rig);
	free(corpus);
	kit_done(kit, "%u errors", ERRORS);
}

/* ---- congestion control ---- */

struct connection {
	struct kit *kit;
	struct kit_rig *rig;
	const struct strata_congestion_ops *ops;
	struct strata_congestion c;
	uint64_t rng;
};

/* Local choice: RFC 9293 cannot have more than 1 GiB in flight (RFC 7323 2.3). */
#define WINDOW_MOST (UINT32_C(1) << 30)

static void check_window(struct connection *t, const char *op)
{
	const struct strata_congestion *c = &t->c;

	if (c->cwnd == 0)
		kit_fault(t->kit, op, "keep cwnd at one segment at least", "%s() made the window 0", op);
	if (c->cwnd > WINDOW_MOST)
		kit_fault(t->kit, op, "keep cwnd below 1 GiB: check sums and products for overflow",
			  "%s() made the window %u", op, c->cwnd);
	if (c->ssthresh == 0)
		kit_fault(t->kit, op, "RFC 5681 3.1: two segments at least", "%s() made ssthresh 0", op);
}

static void reduce(struct connection *t, const char *op, uint32_t ssthresh)
{
	if (ssthresh == 0)
		kit_fault(t->kit, op, "RFC 5681 3.1: two segments at least", "%s() returned ssthresh 0", op);
	t->c.ssthresh = ssthresh;
}

static struct strata_ack_sample any_ack(struct connection *t)
{
	struct strata_congestion *c = &t->c;
	uint32_t acked = kit_below(&t->rng, 4) * c->mss + (kit_chance(&t->rng, 8) ? 1 : 0);
	struct strata_ack_sample ack = {
		.now = t->rig->env.now, .rtt = kit_chance(&t->rng, 4) ? 0 : c->srtt, .acked = acked,
		.newly_delivered = acked, .flight_before = c->flight + acked,
		.lost = kit_chance(&t->rng, 16) ? c->mss : 0, .prior_delivered = c->delivered,
		.interval = kit_chance(&t->rng, 4) ? 0 : c->srtt, .rate_delivered = acked,
		.tx_flight = c->flight + acked, .app_limited = kit_chance(&t->rng, 4),
		.cwnd_limited = kit_chance(&t->rng, 2), .in_recovery = kit_chance(&t->rng, 8),
		.ece = kit_chance(&t->rng, 32),
	};

	if (ack.interval != 0)
		ack.delivery_rate = acked * STRATA_SEC / ack.interval;
	c->delivered += acked;
	c->lost += ack.lost;
	return ack;
}

static void acknowledge(struct connection *t)
{
	struct strata_ack_sample ack = any_ack(t);

	if (ack.lost != 0 && t->ops->segment_lost != NULL)
		t->ops->segment_lost(&t->c, &(struct strata_loss_sample){ .now = ack.now, .bytes = ack.lost,
			.tx_flight = ack.tx_flight, .lost_since = ack.lost });
	if (t->ops->control != NULL)
		t->ops->control(&t->c, &ack);
	else if (t->ops->acked != NULL && !ack.in_recovery)
		t->ops->acked(&t->c, &ack);
	check_window(t, t->ops->control != NULL ? "control" : "acked");
}

static void happen(struct connection *t)
{
	struct strata_congestion *c = &t->c;
	uint64_t now = t->rig->env.now;

	switch (kit_below(&t->rng, 24)) {
	case 0:
		reduce(t, "loss", t->ops->loss(c, now));
		check_window(t, "loss");
		break;
	case 1:
		reduce(t, "timeout", t->ops->timeout(c, now));
		c->cwnd = c->mss;
		check_window(t, "timeout");
		break;
	case 2:
		c->cwnd = c->ssthresh < WINDOW_MOST ? c->ssthresh : c->cwnd;
		if (t->ops->recovered != NULL)
			t->ops->recovered(c, now);
		check_window(t, "recovered");
		break;
	case 3:
		if (t->ops->undo != NULL)
			t->ops->undo(c, 20 * c->mss, UINT32_MAX);
		check_window(t, "undo");
		break;
	case 4:
		if (t->ops->restart != NULL)
			t->ops->restart(c, kit_random(&t->rng) % (100 * STRATA_SEC));
		check_window(t, "restart");
		break;
	case 5:
		if (t->ops->flight_begins != NULL)
			t->ops->flight_begins(c, now, kit_chance(&t->rng, 2));
		check_window(t, "flight_begins");
		break;
	default:
		acknowledge(t);
		break;
	}
}

static void describe(struct connection *t)
{
	char text[200];

	memset(text, 0x5a, sizeof(text));
	t->ops->describe(&t->c, text, 16);
	if (memchr(text, '\0', 16) == NULL || text[16] != 0x5a)
		kit_fault(t->kit, "describe", "write at most `size` bytes, the final NUL among them",
			  "describe() writes beyond the buffer");
}

static void converse(struct connection *t, unsigned int number)
{
	static const uint32_t sizes[] = { 1, 88, 536, 1460, 8960, 65495 };
	unsigned int i;

	t->c = (struct strata_congestion){
		.algorithm = t->rig->self,
		.mss = sizes[kit_below(&t->rng, STRATA_COUNT(sizes))], .ssthresh = UINT32_MAX,
		.srtt = 1 + kit_random(&t->rng) % STRATA_SEC, .min_rtt = STRATA_NEVER,
		.sack = kit_chance(&t->rng, 2),
	};
	t->c.cwnd = 10 * t->c.mss;
	kit_step(t->kit, "connection %u begins, mss %u", number, t->c.mss);
	t->ops->init(&t->c);
	check_window(t, "init");
	for (i = 0; i < EVENTS && !kit_failed(t->kit); i++) {
		t->c.flight = kit_below(&t->rng, t->c.cwnd < WINDOW_MOST ? t->c.cwnd + 1 : WINDOW_MOST);
		if (kit_chance(&t->rng, 4))
			t->c.srtt = 1 + kit_random(&t->rng) % (10 * STRATA_SEC);
		if (t->c.min_rtt > t->c.srtt)
			t->c.min_rtt = t->c.srtt;
		kit_step(t->kit, "connection %u, event %u: mss %u, cwnd %u, ssthresh %u, flight %u", number, i,
			 t->c.mss, t->c.cwnd, t->c.ssthresh, t->c.flight);
		happen(t);
		kit_rig_pass(t->rig, kit_random(&t->rng) % (kit_chance(&t->rng, 64) ? 3600 * STRATA_SEC :
							     STRATA_SEC));
	}
	if (t->ops->describe != NULL)
		describe(t);
	if (t->ops->release != NULL)
		t->ops->release(&t->c);
}

void kit_check_congestion(struct kit *kit)
{
	struct connection t = { .kit = kit, .ops = kit->module->congestion, .rng = kit->seed };
	struct kit_rig rig;
	unsigned int i;

	if (!kit_rig_must(kit, &rig, &(struct kit_setup){ 0 }))
		return;
	t.rig = &rig;
	for (i = 0; i < CONNECTIONS && !kit_failed(kit); i++)
		converse(&t, i);
	kit_rig_close(&rig);
	kit_done(kit, "%u connections of %u events", CONNECTIONS, EVENTS);
}

/* ---- a driver's xmit, a framing's header ---- */

static void xmit_one(struct kit *kit, struct kit_rig *rig, uint64_t *rng, const uint8_t *bytes)
{
	const struct strata_link_ops *ops = kit->module->link;
	struct strata_iface *iface = rig->iface;
	uint32_t most = ops->open != NULL ? iface->mtu + iface->header_size : 3000;
	uint32_t length = kit_below(rng, (most < 60000 ? most : 60000) + 1), split = kit_below(rng, 200);
	struct strata_lladdr dst = strata_iface_broadcast(iface);
	struct strata_pkt *pkt;

	/* A driver without CAP_FRAGS gets linear packets. */
	if (ops->open != NULL && (iface->caps & STRATA_CAP_FRAGS) == 0)
		split = UINT32_MAX;
	if (split == UINT32_MAX && length > STRATA_PKT_LARGE - STRATA_HEADROOM)
		length = STRATA_PKT_LARGE - STRATA_HEADROOM;
	pkt = kit_packet_build(rig, bytes, length, split, STRATA_CHUNK_SIZE);
	if (pkt == NULL)
		return;
	pkt->flags |= STRATA_PKT_TX;
	pkt->iface = iface;
	kit_step(kit, "%s of %u bytes, %u of them linear", ops->open != NULL ? "xmit" : "header", length,
		 split < length ? split : length);
	if (kit_chance(rng, 16))
		kit_env_fail(&rig->env, 1 + kit_below(rng, 4), kit_chance(rng, 2));
	if (ops->open == NULL) {
		if (ops->encapsulate != NULL)
			ops->encapsulate(rig->self, iface, pkt, (uint16_t)kit_random(rng), &dst);
		strata_pkt_free(pkt);
	} else {
		ops->xmit(iface, pkt);
		if (ops->flush != NULL)
			ops->flush(iface);
	}
	strata_run(rig->stack, rig->env.now);
	kit_env_fail(&rig->env, 0, false);
	if (kit_chance(rng, 16))
		kit_rig_pass(rig, STRATA_SEC);
}

void kit_check_xmit(struct kit *kit)
{
	uint8_t *bytes = calloc(1, KIT_PACKET_MAX);
	struct kit_rig rig;
	uint64_t rng = kit->seed;
	unsigned int i;

	if (bytes == NULL)
		abort();
	if (!kit_rig_must(kit, &rig, &(struct kit_setup){ 0 }))
		return;
	for (i = 0; i < FRAMES && !kit_failed(kit); i++)
		xmit_one(kit, &rig, &rng, bytes);
	kit_step(kit, "the stack ends");
	kit_rig_pass(&rig, 3600 * STRATA_SEC);
	kit_done(kit, "%u packets, %llu frames came out", FRAMES, (unsigned long long)rig.frames);
	kit_rig_close(&rig);
	free(bytes);
}
