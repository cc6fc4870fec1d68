/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks that need many connections, or two ends: initial sequence numbers, ends out of step, windows kept
 * shut, TIME-WAIT (RFC 6528, RFC 1337), with the oracle of attack.h where there is a stack to keep alive.
 */
#include <netinet/tcp.h>

#include "attack.h"

enum { BINS = 256, PEER = 2000 };

/* Sum of the squared deviations over what is expected; 255 degrees of freedom: 99.99 % are below 346. */
static double chi_square(const uint32_t *counts, uint32_t total)
{
	const double expected = (double)total / BINS;
	double sum = 0;

	for (unsigned int i = 0; i < BINS; i++)
		sum += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
	return sum;
}

/* The sequence number of the answer to a SYN from there; the half-open connection is forgotten again. */
static uint32_t isn_for(struct fixture *fx, uint32_t source, uint16_t port)
{
	struct attack_segment segment = { .source = source, .sport = port, .flags = SYN, .win = 1000,
					  .seq = 77 };
	const struct fx_pkt *pkt;

	attack_input(fx, &segment);
	pkt = fx_next(fx);
	assert_non_null(pkt);
	assert_int_equal(pkt->tcp.flags, SYN | ACK);
	segment.flags = RST;
	segment.seq++;
	attack_input(fx, &segment);
	return pkt->tcp.seq;
}

struct isns {
	uint32_t high[BINS], low[BINS], steps[BINS], middle[BINS];
	uint32_t total, same;
};

static void count_isn(struct isns *isns, uint32_t isn, uint32_t last)
{
	isns->total++;
	isns->high[isn >> 24]++;
	isns->low[isn & 255]++;
	isns->middle[isn >> 12 & 255]++;
	/* The difference of two in sequence, in its highest bits and in all. */
	isns->steps[(isn - last) >> 24]++;
	isns->same += isn == last;
}

/* Row 50 (NUMBER:JACK). Everything at one instant, so that the clock of RFC 6528 plays no part. */
static void row_50_a_million_initial_sequence_numbers(void **state)
{
	struct fixture *fx = fx_open(.extra = "routes:\n  - to: 0.0.0.0/0\n    via: 192.0.2.1\n");
	struct isns *isns = calloc(1, sizeof(*isns));
	const char *sanitizers = getenv("STRATA_TEST_SANITIZERS");
	/* A tenth where each costs ten times as much. */
	const uint32_t many = sanitizers != NULL && strcmp(sanitizers, "yes") == 0 ? 100000 : 1000000;
	uint32_t last = 0;

	(void)state;
	assert_non_null(isns);
	listen_on(ATTACK_PORT);
	for (uint32_t i = 0; i < many; i++) {
		/* Neighbouring ports of neighbouring addresses: the inputs differ by a bit or two. */
		const uint32_t isn = isn_for(fx, IP4(198, 51, 100, 0) + i % 250 + 1,
					     (uint16_t)(1024 + i / 250));

		count_isn(isns, isn, last);
		last = isn;
	}
	assert_int_equal(isns->total, many);
	assert_true(chi_square(isns->high, many) < 346);
	assert_true(chi_square(isns->middle, many) < 346);
	assert_true(chi_square(isns->low, many) < 346);
	assert_true(chi_square(isns->steps, many) < 346);
	assert_true(isns->same < 5);
	free(isns);
	fx_close(fx);
}

/* RFC 6528 3: for one pair of ends they follow the clock, one each 4 µs. */
static void row_50_for_one_pair_of_ends_they_follow_the_clock(void **state)
{
	struct fixture *fx = fx_open();
	uint32_t first, last, now;

	(void)state;
	listen_on(ATTACK_PORT);
	first = last = isn_for(fx, PEER_IP, PEER);
	for (unsigned int i = 1; i <= 1000; i++) {
		fx_advance_ns(fx, 100 * STRATA_MS);
		now = isn_for(fx, PEER_IP, PEER);
		assert_int_equal(now - last, 25000);
		last = now;
	}
	assert_int_equal(last - first, 25000000);
	fx_close(fx);
}

/* ---- row 54: ends out of step ---- */

/* Bytes that the other end never sent, in its name, with the right numbers. */
static void inject(struct fixture *to, struct fixture *from, uint16_t sport, uint16_t dport,
		   uint32_t seq, uint32_t ack)
{
	const uint32_t source = from->config.address[8] == '1' ? PEER_IP : STACK_IP;
	const struct fx_ip ip = { .src = source, .dst = source == PEER_IP ? STACK_IP : PEER_IP,
				  .proto = FX_IP_TCP,
				  .to_mac = source == PEER_IP ? STACK_MAC : PEER_MAC,
				  .from_mac = source == PEER_IP ? PEER_MAC : STACK_MAC };
	uint8_t bytes[30] = { 0 };

	strata_put_be16(bytes, sport);
	strata_put_be16(bytes + 2, dport);
	strata_put_be32(bytes + 4, seq);
	strata_put_be32(bytes + 8, ack);
	bytes[12] = 5 << 4;
	bytes[13] = ACK;
	strata_put_be16(bytes + 14, 1000);
	strata_put_be16(bytes + 16, fx_sum_finish(
		fx_sum(fx_sum_pseudo(ip.src, ip.dst, FX_IP_TCP, 30), bytes, 30)));
	fx_input_ip(to, &ip, FX_IP_TCP, bytes, sizeof(bytes));
}

struct overheard {
	uint32_t seq[2], ack[2];	/* of the last segment to either end */
	uint16_t port;
};

static bool overhear(void *ctx, const struct fx_pkt *pkt)
{
	struct overheard *o = ctx;
	const unsigned int to = pkt->ip.dst == STACK_IP;

	o->seq[to] = pkt->tcp.seq + (uint32_t)pkt->payload_len + ((pkt->tcp.flags & SYN) != 0);
	o->ack[to] = pkt->tcp.ack;
	if (pkt->tcp.sport != ATTACK_PORT)
		o->port = pkt->tcp.sport;
	return true;
}

/* Both have acknowledged what the other never sent: each ACK is unacceptable to the other, and is answered. */
static void row_54_two_ends_out_of_step_do_not_storm(void **state)
{
	struct overheard o = { 0 };
	const struct fx_link link = { .delay = STRATA_MS, .filter = overhear, .ctx = &o };
	struct fx_pair pair = fx_pair_open(&(const struct fx_config){ 0 }, &link, 1);
	struct fixture *a = pair.a, *b = pair.b;
	const int listener = fx_listen_on(b, ATTACK_PORT), s = fx_socket(a, SOCK_STREAM, 0);
	uint64_t before;
	uint32_t seq[2], ack[2];
	int t;

	(void)state;
	assert_int_equal(fx_connect(a, s, STACK_IP, ATTACK_PORT), -EINPROGRESS);
	fx_advance(a, 100);
	t = fx_accept(b, listener);
	assert_true(t >= 0);
	fx_send(a, s, "hello", 5);
	fx_advance(a, 200);
	fx_send(b, t, "hello", 5);
	fx_advance(a, 200);
	memcpy(seq, o.seq, sizeof(seq));
	memcpy(ack, o.ack, sizeof(ack));
	/* What each has sent last is what the other expects next. */
	before = a->frames + b->frames;
	inject(b, a, o.port, ATTACK_PORT, seq[1], ack[1]);
	inject(a, b, ATTACK_PORT, o.port, seq[0], ack[0]);
	fx_advance(a, 10000);
	/* One each 500 ms each way, and some. */
	assert_in_range(a->frames + b->frames - before, 2, 60);
	fx_part(pair.join);
	fx_close(a);
	fx_close(b);
}

/* A reset is never answered, whatever it is for. */
static void row_54_resets_are_not_answered(void **state)
{
	struct fixture *fx = fx_open();
	struct attack_segment segment = { .sport = PEER, .seq = 77, .win = 1000 };
	static const uint8_t flags[] = { RST, RST | ACK, RST | SYN, RST | FIN, RST | SYN | FIN | ACK };

	(void)state;
	listen_on(ATTACK_PORT);
	for (unsigned int i = 0; i < STRATA_COUNT(flags); i++)
		for (unsigned int k = 0; k < 200; k++) {
			segment.flags = flags[i];
			segment.dport = k & 1 ? ATTACK_PORT : ATTACK_PORT + 1;
			segment.ack = k;
			attack_input(fx, &segment);
			expect_silence(0);
		}
	expect_silence(1000);
	fx_close(fx);
}

/* ---- row 55: windows that stay shut ---- */

enum { SHUT = 10000 };

/* The peers answer each probe, with the window at 0 still. */
static void keep_shut(struct fixture *fx, uint64_t ms)
{
	const uint64_t end = fx->now + ms * STRATA_MS;
	const struct fx_pkt *pkt;

	while (fx->now < end && fx_wait_frame(fx, end - fx->now))
		while ((pkt = fx_next(fx)) != NULL)
			if ((pkt->tcp.flags & RST) == 0)
				attack_input(fx, &(struct attack_segment){
					.sport = pkt->tcp.dport, .flags = ACK, .seq = 78,
					/* A probe stands one below SND.UNA. */
					.ack = pkt->tcp.seq + 1, .win = 0 });
}

static void shut_windows(struct attack *a)
{
	struct fixture *fx = a->fx;
	int *sockets = calloc(SHUT, sizeof(*sockets));
	unsigned int i, ended = 0;

	assert_non_null(sockets);
	for (i = 0; i < SHUT; i++) {
		struct fx_conn conn = { .peer_port = (uint16_t)(1024 + i), .stack_port = ATTACK_PORT,
					.peer_isn = 77 };

		sockets[i] = accept_one(a->listener, .mss = ATTACK_MSS, .win = 0, .conn = &conn);
		assert_int_equal(fx_send(fx, sockets[i], "never to be sent", 16), 16);
		/* Half of the users have gone, the others said how long they wait. */
		if (i & 1)
			fx_close_socket(fx, sockets[i]);
		else
			assert_int_equal(fx_setsockopt(fx, sockets[i], IPPROTO_TCP, TCP_USER_TIMEOUT,
						       30000), 0);
	}
	assert_int_equal(fx_counter(fx, "tcp", "established"), SHUT / 2 + 1);
	keep_shut(fx, 600000);
	for (i = 0; i < SHUT; i += 2) {
		ended += fx_getsockopt(fx, sockets[i], SOL_SOCKET, SO_ERROR) == ETIMEDOUT;
		fx_close_socket(fx, sockets[i]);
	}
	assert_int_equal(ended, SHUT / 2);
	assert_int_equal(fx_counter(fx, "tcp", "established"), 1);
	free(sockets);
}

static void row_55_ten_thousand_windows_kept_shut_are_reaped(void **state)
{
	(void)state;
	attack(shut_windows);
}

/* ---- row 56: TIME-WAIT ---- */

/* A connection that the stack closes first; its numbers are left in `conn`. */
static void into_time_wait(struct attack *a, struct fx_conn *conn)
{
	struct fixture *fx = a->fx;
	struct attack_segment segment = { .source = conn->peer_ip, .sport = conn->peer_port,
					  .flags = SYN, .seq = 77, .win = 65535 };
	int s;

	attack_input(fx, &segment);
	segment.ack = fx_next(fx)->tcp.seq + 1;
	segment.flags = ACK;
	segment.seq = 78;
	attack_input(fx, &segment);
	s = fx_accept(fx, a->listener);
	fx_close_socket(fx, s);
	segment.flags = FIN | ACK;
	segment.ack++;
	attack_input(fx, &segment);
	conn->peer_nxt = 2;
	conn->stack_isn = segment.ack - 2;
	conn->stack_nxt = 2;
	fx_discard(fx);
}

static void many_time_waits(struct attack *a)
{
	enum { MANY = 100000, MOST = 65536 };
	struct fixture *fx = a->fx;
	size_t held = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		struct fx_conn conn = { .peer_ip = IP4(198, 51, 100, 1) + i / 40000,
					.peer_port = (uint16_t)(1024 + i % 40000) };

		into_time_wait(a, &conn);
		if (i == MOST)
			held = fx->bytes;
	}
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), MOST);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait_overflows"), (a->round + 1) * (MANY - MOST));
	/* What the limit allows is all that it takes. */
	assert_true(fx->bytes <= held + 4096);
	assert_true(held / MOST < 256);
}

static void row_56_a_hundred_thousand_time_waits_are_capped(void **state)
{
	(void)state;
	attack(many_time_waits, .extra = "routes:\n  - to: 0.0.0.0/0\n    via: 192.0.2.1\n");
}

/* RFC 1337: old segments of the connection, among them the resets that an ACK of ours may bring about. */
static void assassination(struct attack *a)
{
	struct fixture *fx = a->fx;
	struct fx_conn conn = { .peer_port = PEER, .stack_port = ATTACK_PORT, .peer_isn = 77 };

	into_time_wait(a, &conn);
	for (int seq = -3; seq <= 3; seq++)
		for (int ack = -3; ack <= 3; ack++) {
			rx(ACK, .seq = 2 + seq, .ack = 2 + ack, .len = 4, .conn = &conn);
			rx(FIN | ACK, .seq = 2 + seq, .ack = 2 + ack, .conn = &conn);
			rx(SYN | ACK, .seq = 2 + seq, .ack = 2 + ack, .conn = &conn);
			if (seq <= 0)
				rx(SYN, .seq = 2 + seq, .conn = &conn);
			rx(RST, .seq = 2 + seq, .conn = &conn);
			rx(RST | ACK, .seq = 2 + seq, .ack = 2 + ack, .conn = &conn);
			conn.peer_nxt = 2;
			assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 1);
		}
	fx_discard(fx);
	/* And it ends when it was to: the last FIN that began it anew was the latest. */
	fx_advance(fx, 61000);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 0);
}

static void row_56_time_wait_is_not_assassinated(void **state)
{
	(void)state;
	attack(assassination, .options = "tcp.rfc1337=true");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_50_a_million_initial_sequence_numbers),
		cmocka_unit_test(row_50_for_one_pair_of_ends_they_follow_the_clock),
		cmocka_unit_test(row_54_two_ends_out_of_step_do_not_storm),
		cmocka_unit_test(row_54_resets_are_not_answered),
		cmocka_unit_test(row_55_ten_thousand_windows_kept_shut_are_reaped),
		cmocka_unit_test(row_56_a_hundred_thousand_time_waits_are_capped),
		cmocka_unit_test(row_56_time_wait_is_not_assassinated),
	};

	return fx_main(tests);
}
