/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two stacks talk while something on the path changes their segments, with checksums that are right: bytes,
 * numbers, flags, options, lengths, and segments of long ago come again. Nobody can promise what becomes of
 * the connections; but the stacks send nothing malformed, lose no memory, and serve the next one.
 *
 *	MUTATE=config:seed	runs that one alone
 */
#include <netinet/tcp.h>

#include "fixture.h"

enum {
	PORT = 80, PEERS = 4, TICKS = 400, STREAM = 200000, PIECE = 3000,
	ETH = 14, HISTORY = 32, CHANGES = 5,
	FRAME_MOST = 1600,
};

#define TICK (10 * STRATA_MS)

struct mutant {
	struct fixture *to;
	size_t length;
	uint8_t bytes[FRAME_MOST];
};

struct client {
	int s;
	uint32_t sent, ticks;
};

struct mutation {
	struct fx_pair pair;
	uint64_t rng;
	int listener;
	struct client clients[PEERS];
	int served[PEERS * 4];
	struct mutant history[HISTORY];	/* segments as they were */
	struct mutant pending[HISTORY];
	unsigned int seen, pending_count;
	uint64_t mutants;
};

static uint32_t any(struct mutation *m, uint32_t below)
{
	return (uint32_t)(fx_random(&m->rng) % below);
}

/* ---- what is done to a segment ---- */

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value & 0xffff);
}

static uint32_t near_or_far(struct mutation *m)
{
	static const uint32_t far[] = { UINT32_C(0x80000000), UINT32_C(0x7fffffff), UINT32_C(0xffffffff),
					UINT32_C(0xffff), UINT32_C(0x10000), 1460, 1 };

	switch (any(m, 3)) {
	case 0: return any(m, 10);
	case 1: return 0 - any(m, 100000);
	default: return far[any(m, STRATA_COUNT(far))];
	}
}

/* Options of every kind with every length, well formed or nearly. */
static void change_options(struct mutation *m, struct mutant *f)
{
	static const uint8_t kinds[] = { 0, 1, 2, 3, 4, 5, 8, 34, 254, 30, 69 };
	uint8_t *tcp = f->bytes + ETH + 20, *end = tcp + (tcp[12] >> 4) * 4, *p = tcp + 20;

	if (end > f->bytes + f->length)
		return;
	while (p + 1 < end) {
		p[0] = kinds[any(m, STRATA_COUNT(kinds))];
		p[1] = (uint8_t)(any(m, 8) == 0 ? any(m, 256) : 2 + 2 * any(m, 5));
		for (uint8_t *q = p + 2; q < end && q < p + p[1]; q++)
			if (any(m, 3) == 0)
				*q = (uint8_t)any(m, 256);
		p += p[0] < 2 ? 1 : p[1] < 2 ? 2 : p[1];
	}
}

/* Longer options in place of the payload's first bytes; or shorter ones, the rest becoming payload. */
static void change_offset(struct mutation *m, struct mutant *f)
{
	uint8_t *offset = f->bytes + ETH + 20 + 12;

	*offset = (uint8_t)(any(m, 16) << 4 | (*offset & 15));
	change_options(m, f);
}

static void change_length(struct mutation *m, struct mutant *f)
{
	size_t least = ETH + 20 + (any(m, 10) == 0 ? 0 : 20);
	size_t length = least + any(m, 3) * any(m, 600);

	while (f->length < length)
		f->bytes[f->length++] = (uint8_t)any(m, 256);
	f->length = length;
	put16(f->bytes + ETH + 2, (uint32_t)length - ETH);
}

static void change_something(struct mutation *m, struct mutant *f)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	uint8_t *tcp = f->bytes + ETH + 20;
	size_t header = f->length - ETH - 20 < 60 ? f->length - ETH - 20 : 60;

	if (header < 20)
		return;
	switch (any(m, 10)) {
	case 0: put32(tcp + 4, get32(tcp + 4) + near_or_far(m)); break;
	case 1: put32(tcp + 8, get32(tcp + 8) + near_or_far(m)); break;
	case 2: tcp[13] = (uint8_t)any(m, 256); break;
	case 3: tcp[13] ^= (uint8_t)(1 << any(m, 8)); break;
	case 4: put16(tcp + 14, any(m, 2) == 0 ? any(m, 3) : any(m, 65536)); break;
	case 5: change_options(m, f); break;
	case 6: change_offset(m, f); break;
	case 7: change_length(m, f); break;
	case 8: tcp[4 + any(m, (uint32_t)header - 4)] = values[any(m, STRATA_COUNT(values))]; break;
	default: f->bytes[ETH + 1] = (uint8_t)any(m, 256); break;	/* type of service, ECN */
	}
}

static void correct_checksums(struct mutant *f)
{
	uint8_t *ip = f->bytes + ETH, *tcp = ip + 20;
	size_t length = f->length - ETH - 20;

	put16(ip + 10, 0);
	put16(ip + 10, fx_sum_finish(fx_sum(0, ip, 20)));
	if (length < 18)
		return;
	put16(tcp + 16, 0);
	put16(tcp + 16, fx_sum_finish(fx_sum(fx_sum_pseudo(get32(ip + 12), get32(ip + 16), FX_IP_TCP, length),
					     tcp, length)));
}

/* ---- on the path ---- */

static bool on_the_path(void *ctx, const struct fx_pkt *pkt)
{
	struct mutation *m = ctx;
	struct mutant *kept, *f;

	if (!pkt->whole || pkt->ip.proto != FX_IP_TCP || pkt->ip.header_len != 20 ||
	    ETH + pkt->ip.total_len > FRAME_MOST - 100 || any(m, 4) != 0)
		return true;
	kept = &m->history[m->seen++ % HISTORY];
	kept->to = pkt->ip.dst == PEER_IP ? m->pair.a : m->pair.b;
	kept->length = ETH + pkt->ip.total_len;
	memcpy(kept->bytes, pkt->frame, kept->length);
	if (m->pending_count == HISTORY)
		return true;
	f = &m->pending[m->pending_count++];
	*f = *kept;
	if (any(m, 6) == 0)
		*f = m->history[any(m, m->seen < HISTORY ? m->seen : HISTORY)];
	for (uint32_t i = any(m, CHANGES); i > 0; i--)
		change_something(m, f);
	if (any(m, 16) != 0)
		correct_checksums(f);
	/* Instead of what was sent, or beside it. */
	return any(m, 2) == 0;
}

static void deliver(struct mutation *m)
{
	for (unsigned int i = 0; i < m->pending_count; i++) {
		struct mutant *f = &m->pending[i];

		strata_input(f->to->iface, f->bytes, f->length, f->to->now);
		fx_check(f->to, __FILE__, __LINE__);
	}
	m->mutants += m->pending_count;
	m->pending_count = 0;
}

/* ---- the ends ---- */

static int new_client(struct mutation *m)
{
	struct fixture *fx = m->pair.a;
	int s = fx_socket(fx, SOCK_STREAM, 0);
	int result = fx_connect(fx, s, STACK_IP, PORT);

	if (result == 0 || result == -EINPROGRESS)
		return s;
	fx_close_socket(fx, s);
	return -1;
}

/* Reads and writes what goes; whether the connection is over. */
static bool use(struct mutation *m, struct fixture *fx, int s, uint32_t *sent)
{
	static const uint8_t zeros[PIECE];
	uint8_t buf[PIECE];
	ssize_t n;

	do
		n = fx_recv(fx, s, buf, 1 + any(m, PIECE));
	while (n > 0);
	if (n != -EAGAIN && n != -ENOTCONN && n != -EINPROGRESS)
		return true;
	do {
		n = fx_send(fx, s, zeros, 1 + any(m, PIECE));
		*sent += n > 0 ? (uint32_t)n : 0;
	} while (n > 0 && *sent < STREAM);
	return *sent >= STREAM;
}

static void use_all(struct mutation *m)
{
	uint32_t nothing;

	for (unsigned int i = 0; i < PEERS; i++) {
		struct client *c = &m->clients[i];

		if (c->s < 0) {
			*c = (struct client){ .s = new_client(m) };
		} else if (use(m, m->pair.a, c->s, &c->sent) || c->ticks++ > 60 + any(m, 60)) {
			fx_close_socket(m->pair.a, c->s);
			c->s = -1;
		}
	}
	for (unsigned int i = 0; i < STRATA_COUNT(m->served); i++) {
		if (m->served[i] < 0)
			m->served[i] = fx_accept(m->pair.b, m->listener);
		nothing = STREAM - 20000;
		if (m->served[i] >= 0 && (use(m, m->pair.b, m->served[i], &nothing) || any(m, 100) == 0)) {
			fx_close_socket(m->pair.b, m->served[i]);
			m->served[i] = -1;
		}
	}
}

static void close_accepted(struct mutation *m)
{
	int s;

	while ((s = fx_accept(m->pair.b, m->listener)) >= 0)
		fx_close_socket(m->pair.b, s);
}

static void close_all(struct mutation *m)
{
	for (unsigned int i = 0; i < PEERS; i++)
		if (m->clients[i].s >= 0)
			fx_close_socket(m->pair.a, m->clients[i].s);
	for (unsigned int i = 0; i < STRATA_COUNT(m->served); i++)
		if (m->served[i] >= 0)
			fx_close_socket(m->pair.b, m->served[i]);
	close_accepted(m);
}

/* A connection on the path as it should be: every byte arrives. */
static void serves_the_next(struct mutation *m)
{
	struct fixture *a = m->pair.a, *b = m->pair.b;
	uint8_t sent[PIECE], came[PIECE];
	int s = new_client(m), t;
	size_t have = 0;
	ssize_t n;

	assert_true(s >= 0);
	fx_join_run(m->pair.join, 5 * STRATA_SEC, NULL, NULL);
	t = fx_accept(b, m->listener);
	assert_true(t >= 0);
	fx_pattern_fill(sent, PIECE, 0);
	assert_int_equal(fx_send(a, s, sent, PIECE), PIECE);
	/* As it comes: the receiver's buffer may be too small for all of it at once. */
	for (unsigned int i = 0; i < 500 && have < PIECE; i++) {
		fx_join_run(m->pair.join, TICK, NULL, NULL);
		n = fx_recv(b, t, came + have, PIECE - have);
		have += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(have, PIECE);
	assert_memory_equal(sent, came, PIECE);
	fx_close_socket(a, s);
	fx_close_socket(b, t);
}

/* ---- the tests ---- */

static const struct variant {
	const char *name, *modules, *options;
} variants[] = {
	{ "default", NULL, NULL },
	{ "newreno", "ethernet arp ipv4 icmp newreno tcp", "tcp.timestamps=false tcp.dsack=false" },
	{ "bbr", "ethernet arp ipv4 icmp bbr tcp", "tcp.ecn=1" },
	{ "bare", NULL, "tcp.sack=false tcp.timestamps=false tcp.window_scaling=false tcp.rack=false" },
	{ "fastopen", NULL, "tcp.fastopen=3" },
	{ "cookies", NULL, "tcp.syncookies=2" },
	{ "small", NULL, "tcp.rcvbuf=4KiB tcp.sndbuf=4KiB tcp.autotune=false tcp.out_of_order_ranges=4" },
	{ "probing", NULL, "tcp.mtu_probing=2" },
};

static void survives(const struct variant *v, uint64_t seed)
{
	static const struct fx_link clean = { .delay = 5 * STRATA_MS };
	struct fx_config config = { .modules = v->modules, .options = v->options };
	struct mutation *m = calloc(1, sizeof(*m));
	struct fx_link changing = clean;

	assert_non_null(m);
	m->rng = seed;
	m->pair = fx_pair_open(&config, &clean, seed);
	changing.filter = on_the_path;
	changing.ctx = m;
	m->listener = fx_socket(m->pair.b, SOCK_STREAM, 0);
	fx_bind(m->pair.b, m->listener, 0, PORT);
	fx_listen(m->pair.b, m->listener, 8);
	memset(m->served, -1, sizeof(m->served));
	for (unsigned int i = 0; i < PEERS; i++)
		m->clients[i].s = -1;
	fx_join_set(m->pair.join, 0, &changing);
	fx_join_set(m->pair.join, 1, &changing);
	for (unsigned int tick = 0; tick < TICKS; tick++) {
		use_all(m);
		fx_join_run(m->pair.join, TICK, NULL, NULL);
		deliver(m);
	}
	assert_true(m->mutants > TICKS / 4);
	fx_join_set(m->pair.join, 0, &clean);
	fx_join_set(m->pair.join, 1, &clean);
	close_all(m);
	/* Orphans, TIME-WAIT and half-open connections are given up within. */
	fx_join_run(m->pair.join, 1200 * STRATA_SEC, NULL, NULL);
	close_accepted(m);
	serves_the_next(m);
	fx_close_socket(m->pair.b, m->listener);
	fx_pair_close(&m->pair);
	free(m);
}

static void changed_segments_hurt_nobody_but_their_connection(void **state)
{
	const struct variant *v = *state;
	const char *sanitizers = getenv("STRATA_TEST_SANITIZERS"), *asked = getenv("MUTATE");
	uint64_t seeds = sanitizers != NULL && strcmp(sanitizers, "yes") == 0 ? 12 : 40;
	size_t n = strlen(v->name);

	if (asked != NULL && (strncmp(asked, v->name, n) != 0 || asked[n] != ':'))
		skip();
	if (asked != NULL) {
		survives(v, strtoull(asked + n + 1, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= seeds; seed++) {
		print_message("MUTATE=%s:%u\n", v->name, (unsigned int)seed);
		survives(v, seed);
	}
}

int main(void)
{
	struct CMUnitTest tests[STRATA_COUNT(variants)];

	for (size_t i = 0; i < STRATA_COUNT(variants); i++)
		tests[i] = (struct CMUnitTest){
			.name = variants[i].name,
			.test_func = changed_segments_hurt_nobody_but_their_connection,
			.initial_state = (void *)(uintptr_t)&variants[i],
		};
	return fx_main(tests);
}
