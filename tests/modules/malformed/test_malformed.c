/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sound frames of every protocol, spoilt by a seeded generator, against a whole stack. Of each frame the
 * trace and the counters must tell the same: it was taken, or it was dropped for one reason. What the
 * stack sends back must be sound, and when all timers have run its memory is where it was.
 */
#include "fixture.h"

#define MODULES "ethernet arp ipv4 icmp udp newreno tcp echo"

enum {
	FRAMES = 50000,		/* of one round */
	CONNECT_EVERY = 256,	/* frames between two handshakes */
	FRAME_ROOM = 2048,
	ECHO_PORT = 7,
	ETH = 14,
	/* What slabs cost beyond their objects, which is all that may differ between two rounds. */
	MEMORY_SLACK = 4096,
};

struct frame {
	size_t length;
	uint8_t bytes[FRAME_ROOM];
};

struct test {
	struct fixture *fx;
	uint64_t rng;
	/* The connection that segments are made for. */
	uint16_t port;
	uint32_t seq, ack;
	unsigned int fragments;		/* made so far */
	/* Of the frame in hand, as the trace tells. */
	uint32_t id;
	unsigned int drops, out_drops, other_drops;
};

static uint32_t below(struct test *t, uint32_t bound)
{
	return (uint32_t)(fx_random(&t->rng) % bound);
}

/* ---- what the stack says of a frame ---- */

static void traced(void *ctx, const struct strata_trace_record *record)
{
	struct test *t = ctx;

	if (t->id == 0)
		t->id = record->id;
	if (record->drop == NULL)
		return;
	if (record->out)
		t->out_drops++;
	else if (record->id == t->id)
		t->drops++;
	else
		t->other_drops++;
}

static void add_drops(void *ctx, const struct strata_module_view *view)
{
	uint64_t *total = ctx;
	size_t i;

	for (i = 0; i < view->instance->module->drop_count; i++)
		*total += view->instance->drops[i];
}

static uint64_t all_drops(struct test *t)
{
	uint64_t total = 0;

	strata_inspect_modules(t->fx->stack, add_drops, &total);
	return total;
}

static void fail_with(struct test *t, const struct frame *f, const char *why, uint64_t a, uint64_t b)
{
	char hex[3 * 96 + 1] = "";
	size_t i;

	for (i = 0; i < f->length && i < 96; i++)
		snprintf(hex + 3 * i, 4, "%02x ", f->bytes[i]);
	fx_fail(t->fx, __FILE__, __LINE__, "%s: %llu, %llu; frame of %zu bytes: %s", why,
		(unsigned long long)a, (unsigned long long)b, f->length, hex);
}

/* A fragment may complete a datagram, or end it: then the verdict is the datagram's. */
static bool is_fragment(const struct frame *f, bool bare)
{
	return f->length >= ETH + 20 && (bare || (f->bytes[12] == 8 && f->bytes[13] == 0)) &&
	       ((f->bytes[ETH + 6] & 0x3f) != 0 || f->bytes[ETH + 7] != 0);
}

/* Gives the frame to the stack and judges what it says of it. */
static void give(struct test *t, const struct frame *f, bool bare)
{
	const size_t skip = bare ? ETH : 0;
	const uint64_t dropped = t->fx->iface->counters.rx_dropped;
	uint64_t before, total;

	if (f->length < skip)
		return;
	t->fx->now += below(t, 2000) * STRATA_US;
	strata_run(t->fx->stack, t->fx->now);
	before = all_drops(t);
	t->id = 0;
	t->drops = t->out_drops = t->other_drops = 0;
	/* A frame that no packet could be made for has not arrived. */
	if (fx_input(t->fx, f->bytes + skip, f->length - skip) == -ENOBUFS) {
		if (t->fx->fail_at == 0)
			fail_with(t, f, "no memory", t->fx->bytes, 0);
		return;
	}
	total = all_drops(t);
	if (t->drops > 1)
		fail_with(t, f, "dropped more than once", t->drops, 1);
	if (!is_fragment(f, bare) && t->drops != t->fx->iface->counters.rx_dropped - dropped)
		fail_with(t, f, "the verdict and the trace differ",
			  t->fx->iface->counters.rx_dropped - dropped, t->drops);
	/* An answer that finds no way back is a packet of its own. */
	if (!is_fragment(f, bare) && t->other_drops > 1)
		fail_with(t, f, "more was dropped than the frame and its answer", t->other_drops, 1);
	if (total - before != t->drops + t->out_drops + t->other_drops)
		fail_with(t, f, "the counters and the trace differ", total - before,
			  t->drops + t->out_drops + t->other_drops);
	fx_discard(t->fx);
	fx_check(t->fx, __FILE__, __LINE__);
}

/* ---- sound frames ---- */

static void put16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* Completes the checksums of the frame as far as its lengths let it. */
static void finish_checksums(struct frame *f)
{
	uint8_t *ip = f->bytes + ETH, *l4;
	size_t header, total, length, field;

	if (f->length < ETH + 20 || get16(f->bytes + 12) != FX_ETH_IP)
		return;
	header = (size_t)(ip[0] & 15) * 4;
	total = get16(ip + 2);
	if (header < 20 || header > f->length - ETH)
		return;
	put16(ip + 10, 0);
	put16(ip + 10, fx_sum_finish(fx_sum(0, ip, header)));
	if (total < header || total > f->length - ETH || (get16(ip + 6) & 0x3fff) != 0)
		return;
	l4 = ip + header;
	length = total - header;
	field = ip[9] == FX_IP_ICMP ? 2 : ip[9] == FX_IP_UDP ? 6 : ip[9] == FX_IP_TCP ? 16 : 0;
	if (field == 0 || length < field + 2)
		return;
	put16(l4 + field, 0);
	put16(l4 + field, fx_sum_finish(fx_sum(ip[9] == FX_IP_ICMP ? 0 :
		fx_sum_pseudo((uint32_t)get16(ip + 12) << 16 | get16(ip + 14),
			      (uint32_t)get16(ip + 16) << 16 | get16(ip + 18), ip[9], length),
		l4, length)));
}

static void make_ip(struct test *t, struct frame *f, const struct fx_ip *ip, uint8_t proto,
		    const uint8_t *payload, size_t length)
{
	struct fx_ip one = *ip;

	if (one.proto == 0)
		one.proto = proto;
	f->length = fx_build_eth(f->bytes, STACK_MAC, PEER_MAC, FX_ETH_IP);
	f->length += fx_build_ip(f->bytes + f->length, &one, (uint16_t)(1 + below(t, 4)), payload, length);
	finish_checksums(f);
}

static void make_arp(struct test *t, struct frame *f)
{
	const bool reply = below(t, 2) == 0;
	uint8_t *p;

	f->length = fx_build_eth(f->bytes, reply ? STACK_MAC : BROADCAST_MAC, PEER_MAC, FX_ETH_ARP);
	p = f->bytes + f->length;
	memcpy(p, "\x00\x01\x08\x00\x06\x04\x00", 7);
	p[7] = reply ? 2 : 1;
	memcpy(p + 8, PEER_MAC, 6);
	put32(p + 14, PEER_IP);
	memcpy(p + 18, reply ? STACK_MAC : (const uint8_t *)"\0\0\0\0\0\0", 6);
	put32(p + 24, STACK_IP);
	f->length += 28;
}

static size_t udp_header(struct test *t, uint8_t *p, size_t payload)
{
	put16(p, 1000 + below(t, 100));
	put16(p + 2, below(t, 3) == 0 ? 4000 : ECHO_PORT);
	put16(p + 4, (unsigned int)(8 + payload));
	put16(p + 6, 0);
	fx_pattern_fill(p + 8, payload, 0);
	return 8 + payload;
}

static void make_udp(struct test *t, struct frame *f)
{
	uint8_t p[600];

	make_ip(t, f, &(struct fx_ip){ 0 }, FX_IP_UDP, p, udp_header(t, p, below(t, 500)));
}

static void make_fragment(struct test *t, struct frame *f)
{
	/* Most datagrams can be completed; some parts come twice, some out of order. */
	const unsigned int n = below(t, 8) == 0 ? below(t, 4) : t->fragments++;
	const uint16_t part = (uint16_t)(n % 4 * 64);
	struct fx_ip ip = {
		.id = (uint16_t)(1000 + t->fragments / 4), .offset = part, .mf = part != 192,
	};
	uint8_t p[600];

	udp_header(t, p, 248);
	make_ip(t, f, &ip, FX_IP_UDP, p + part, 64);
}

static void make_options(struct test *t, struct frame *f)
{
	static const uint8_t options[][12] = {
		{ 7, 11, 4 }, { 68, 12, 5, 0 }, { 131, 11, 4, 192, 0, 2, 9 }, { 1, 1, 148, 4, 0, 0, 0 },
		{ 130, 11 },
	};
	const struct fx_ip ip = { .options = options[below(t, STRATA_COUNT(options))], .options_len = 12 };
	uint8_t p[32];

	make_ip(t, f, &ip, FX_IP_UDP, p, udp_header(t, p, 16));
}

static void make_echo(struct test *t, struct frame *f)
{
	uint8_t p[600] = { 8, 0, 0, 0, 0, 1, 0, 2 };

	fx_pattern_fill(p + 8, 500, 0);
	make_ip(t, f, &(struct fx_ip){ .tos = (uint8_t)below(t, 4) }, FX_IP_ICMP, p,
		8 + below(t, 500));
}

/* What the stack sent is quoted: a segment of the connection, or an answer of the echo service. */
static void make_error(struct test *t, struct frame *f)
{
	static const uint8_t kinds[][2] = { { 3, 0 }, { 3, 1 }, { 3, 2 }, { 3, 3 }, { 3, 4 }, { 11, 0 },
					    { 11, 1 }, { 12, 0 }, { 4, 0 }, { 5, 1 } };
	const uint8_t *kind = kinds[below(t, STRATA_COUNT(kinds))];
	const bool tcp = below(t, 2) == 0;
	struct fx_ip quoted = { .src = STACK_IP, .dst = PEER_IP };
	uint8_t p[128] = { kind[0], kind[1] }, l4[20] = { 0 };

	put16(p + 6, kind[1] == 4 ? 100 + below(t, 1500) : 0);
	put16(l4, ECHO_PORT);
	put16(l4 + 2, tcp ? t->port : 1000);
	if (tcp)
		put32(l4 + 4, t->ack);
	else
		put16(l4 + 4, sizeof(l4));
	quoted.proto = tcp ? FX_IP_TCP : FX_IP_UDP;
	make_ip(t, f, &(struct fx_ip){ 0 }, FX_IP_ICMP, p,
		8 + fx_build_ip(p + 8, &quoted, 1, l4, sizeof(l4)));
}

static void make_segment(struct test *t, struct frame *f, uint8_t flags, uint32_t seq, uint32_t ack,
			 size_t payload)
{
	static const uint8_t syn_options[] = { 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0,
					       1, 3, 3, 7 };
	static const uint8_t options[] = { 1, 1, 8, 10, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 5, 10, 0, 0, 0, 1,
					   0, 0, 0, 2 };
	const bool syn = (flags & SYN) != 0;
	const size_t room = syn ? sizeof(syn_options) : below(t, 2) == 0 ? sizeof(options) : 0;
	uint8_t p[700] = { 0 };

	put16(p, t->port);
	put16(p + 2, below(t, 20) == 0 ? 4000 : ECHO_PORT);
	put32(p + 4, seq);
	put32(p + 8, ack);
	p[12] = (uint8_t)((20 + room) / 4 << 4);
	p[13] = flags;
	put16(p + 14, 5000);
	memcpy(p + 20, syn ? syn_options : options, room);
	fx_pattern_fill(p + 20 + room, payload, 0);
	make_ip(t, f, &(struct fx_ip){ 0 }, FX_IP_TCP, p, 20 + room + payload);
}

static void make_tcp(struct test *t, struct frame *f)
{
	static const uint8_t flags[] = { ACK, ACK, ACK, ACK | PSH, ACK | FIN, RST, RST | ACK, SYN,
					 SYN | ACK, SYN | FIN, FIN | PSH | URG, 0, ACK | URG };
	const uint32_t ahead = below(t, 3) == 0 ? below(t, 4000) : 0;

	make_segment(t, f, flags[below(t, STRATA_COUNT(flags))], t->seq + ahead, t->ack, below(t, 600));
}

static void make_frame(struct test *t, struct frame *f)
{
	static void (*const makers[])(struct test *t, struct frame *f) = {
		make_arp, make_udp, make_fragment, make_options, make_echo, make_error, make_tcp,
		make_tcp, make_tcp,
	};

	makers[below(t, STRATA_COUNT(makers))](t, f);
}

/* Opens a new connection to the echo service. */
static void make_connection(struct test *t, bool bare)
{
	const size_t skip = bare ? ETH : 0;
	const struct fx_pkt *reply;
	struct frame f;

	t->port = (uint16_t)(t->port >= 60000 ? 20000 : t->port + 1);
	t->seq = (uint32_t)fx_random(&t->rng);
	t->ack = 0;
	make_segment(t, &f, SYN, t->seq, 0, 0);
	put16(f.bytes + ETH + 22, ECHO_PORT);
	finish_checksums(&f);
	fx_input(t->fx, f.bytes + skip, f.length - skip);
	t->seq++;
	while ((reply = fx_next(t->fx)) != NULL)
		if (reply->whole && reply->ip.proto == FX_IP_TCP && reply->tcp.dport == t->port)
			t->ack = reply->tcp.seq + 1;
	make_segment(t, &f, ACK, t->seq, t->ack, 0);
	fx_input(t->fx, f.bytes + skip, f.length - skip);
	fx_discard(t->fx);
}

/* ---- spoiling ---- */

static void flip_bits(struct test *t, struct frame *f)
{
	unsigned int n = 1 + below(t, 8);

	while (n-- > 0 && f->length > 0)
		f->bytes[below(t, (uint32_t)f->length)] ^= (uint8_t)(1u << below(t, 8));
}

/* Headers are where it hurts most. */
static void spoil_header(struct test *t, struct frame *f)
{
	unsigned int n = 1 + below(t, 4);

	while (n-- > 0 && f->length > ETH + 1)
		f->bytes[ETH + below(t, (uint32_t)(f->length < 80 ? f->length : 80) - ETH)] =
			(uint8_t)fx_random(&t->rng);
}

static void truncate_frame(struct test *t, struct frame *f)
{
	f->length = below(t, (uint32_t)f->length + 1);
}

static void pad_frame(struct test *t, struct frame *f)
{
	const size_t more = below(t, 64);

	memset(f->bytes + f->length, 0x5a, more);
	f->length += more;
}

/* Lengths that lie: of the packet, of headers, of the datagram, of options. */
static void spoil_length(struct test *t, struct frame *f)
{
	static const uint8_t places[] = { 2, 3, 0, 6, 7, 24, 25, 21, 32, 40, 41, 42, 43 };
	const size_t at = ETH + places[below(t, STRATA_COUNT(places))];
	static const uint8_t values[] = { 0, 1, 2, 7, 8, 0x40, 0x44, 0x45, 0x46, 0x4f, 0x50, 0xf0, 0xff };

	if (at < f->length)
		f->bytes[at] = below(t, 2) == 0 ? values[below(t, STRATA_COUNT(values))]
						: (uint8_t)(f->bytes[at] + below(t, 9) - 4);
}

static void random_rest(struct test *t, struct frame *f)
{
	size_t i;

	for (i = below(t, (uint32_t)f->length + 1); i < f->length; i++)
		f->bytes[i] = (uint8_t)fx_random(&t->rng);
}

static void leave_sound(struct test *t, struct frame *f)
{
	(void)t;
	(void)f;
}

static void spoil(struct test *t, struct frame *f)
{
	static void (*const ways[])(struct test *t, struct frame *f) = {
		flip_bits, spoil_header, truncate_frame, pad_frame, spoil_length, random_rest, leave_sound,
	};

	ways[below(t, STRATA_COUNT(ways))](t, f);
	if (below(t, 4) == 0)
		ways[below(t, STRATA_COUNT(ways))](t, f);
	if (below(t, 4) != 0)
		finish_checksums(f);
}

/* ---- rounds ---- */

struct addresses {
	struct strata_addr list[1024];
	size_t count;
};

static void note_neighbour(void *ctx, const struct strata_neigh *neigh)
{
	struct addresses *a = ctx;

	if (neigh->state != STRATA_NEIGH_PERMANENT && a->count < STRATA_COUNT(a->list))
		a->list[a->count++] = neigh->addr;
}

/* Ends what the frames began: connections, datagrams in pieces, neighbours. Returns the memory in use. */
static size_t rest(struct test *t)
{
	struct addresses *a = calloc(1, sizeof(*a));
	struct strata_error error = { 0 };
	size_t i;

	assert_non_null(a);
	assert_int_equal(strata_module_disable(t->fx->stack, "echo", &error), 0);
	fx_advance(t->fx, 3600 * 1000);
	fx_discard(t->fx);
	strata_inspect_neighbours(t->fx->stack, note_neighbour, a);
	for (i = 0; i < a->count; i++)
		strata_neigh_remove(t->fx->iface, &a->list[i]);
	free(a);
	fx_check(t->fx, __FILE__, __LINE__);
	assert_int_equal(strata_module_enable(t->fx->stack, "echo", &error), 0);
	strata_error_clear(&error);
	return strata_memory_used(t->fx->stack);
}

static void run_round(struct test *t, bool bare)
{
	struct frame f;
	unsigned int i;

	for (i = 0; i < FRAMES; i++) {
		if (i % CONNECT_EVERY == 0)
			make_connection(t, bare);
		make_frame(t, &f);
		spoil(t, &f);
		give(t, &f, bare);
	}
}

static void run(uint64_t seed, bool bare)
{
	struct test t = { .rng = seed, .port = 20000 };
	size_t before, after;

	t.fx = fx_open(.modules = bare ? "ipv4 icmp udp newreno tcp echo" : MODULES, .bare = bare);
	strata_trace_attach(t.fx->stack, traced, &t);
	/* What tables have grown to in the first round they keep. */
	run_round(&t, bare);
	before = rest(&t);
	run_round(&t, bare);
	after = rest(&t);
	if (after > before + MEMORY_SLACK)
		fx_fail(t.fx, __FILE__, __LINE__, "%zu bytes in use, %zu before", after, before);
	strata_trace_attach(t.fx->stack, NULL, NULL);
	fx_close(t.fx);
}

static void spoilt_frames_are_dropped_once_and_leave_nothing(void **state)
{
	(void)state;
	run(1, false);
}

static void spoilt_packets_without_link_header_are_dropped_once(void **state)
{
	(void)state;
	run(2, true);
}

/* Memory comes and goes: what is refused for want of it is dropped once too. */
static void frames_without_memory_are_dropped_once(void **state)
{
	struct test t = { .rng = 4, .port = 20000 };
	struct frame f;
	unsigned int i;

	(void)state;
	t.fx = fx_open(.modules = MODULES);
	strata_trace_attach(t.fx->stack, traced, &t);
	for (i = 0; i < FRAMES / 2; i++) {
		if (i % 64 == 0) {
			/* What was kept for later is given back, so that it is asked for again. */
			fx_fail_at(t.fx, 0, false);
			fx_advance(t.fx, 20 * 1000);
			fx_discard(t.fx);
			make_connection(&t, false);
			fx_fail_at(t.fx, 1 + below(&t, 3), below(&t, 2) == 0);
		}
		make_frame(&t, &f);
		if (below(&t, 4) == 0)
			spoil(&t, &f);
		give(&t, &f, false);
	}
	fx_fail_at(t.fx, 0, false);
	rest(&t);
	strata_trace_attach(t.fx->stack, NULL, NULL);
	fx_close(t.fx);
}

static void frames_cut_at_each_byte_are_dropped_once(void **state)
{
	struct test t = { .rng = 3, .port = 20000 };
	struct frame whole, cut;
	unsigned int i;

	(void)state;
	t.fx = fx_open(.modules = MODULES);
	strata_trace_attach(t.fx->stack, traced, &t);
	make_connection(&t, false);
	for (i = 0; i < 60; i++) {
		make_frame(&t, &whole);
		cut = whole;
		for (cut.length = 0; cut.length <= whole.length; cut.length++)
			give(&t, &cut, false);
	}
	strata_trace_attach(t.fx->stack, NULL, NULL);
	fx_close(t.fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spoilt_frames_are_dropped_once_and_leave_nothing),
		cmocka_unit_test(spoilt_packets_without_link_header_are_dropped_once),
		cmocka_unit_test(frames_without_memory_are_dropped_once),
		cmocka_unit_test(frames_cut_at_each_byte_are_dropped_once),
	};

	return fx_main(tests);
}
