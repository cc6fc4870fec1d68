/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attacks on senders and receivers of TCP, each by the name it is known by, with the witness and the oracle
 * of attack.h. Others have tests of their own: options in test_tcp_options, flags in test_tcp_matrix,
 * floods of SYNs and cookies in test_tcp_cookie, those on connections in bulk in test_tcp_crowds.
 */
#include <netinet/tcp.h>

#include "attack.h"

enum { MIB = 1 << 20, STREAM_MAX = MIB, PEER = 2000 };

/* The peer of a connection that the stack sends a stream on: what of it has come. */
struct receiver {
	struct attack *a;
	int s;
	struct fx_conn conn;
	uint32_t length, queued;
	uint32_t next;			/* all before it has come */
	uint8_t *came;			/* by byte */
	uint32_t top;			/* end of the highest that came */
	unsigned int losses;		/* of 100 segments */
};

static struct receiver receiver_open(struct attack *a, uint32_t length, uint16_t mss)
{
	struct fixture *fx = a->fx;
	struct receiver r = { .a = a, .length = length, .came = calloc(1, length + 1) };

	assert_non_null(r.came);
	r.conn = (struct fx_conn){ .peer_port = PEER, .stack_port = ATTACK_PORT, .peer_isn = 77 };
	r.s = accept_one(a->listener, .mss = mss, .sack_ok = true, .wscale = 7, .conn = &r.conn);
	return r;
}

static void receiver_close(struct receiver *r)
{
	struct fixture *fx = r->a->fx;

	assert_int_equal(r->next, r->length);
	rx(RST, .conn = &r->conn);
	fx_close_socket(fx, r->s);
	free(r->came);
}

/* The stack's user queues what fits. */
static void queue_more(struct receiver *r)
{
	uint8_t bytes[4096];

	while (r->queued < r->length) {
		const uint32_t n = r->length - r->queued < 4096 ? r->length - r->queued : 4096;
		ssize_t sent;

		fx_pattern_fill(bytes, n, r->queued);
		sent = fx_send(r->a->fx, r->s, bytes, n);
		if (sent <= 0)
			return;
		r->queued += (uint32_t)sent;
	}
}

/* Takes what has been sent; returns how many segments. */
static unsigned int take(struct receiver *r)
{
	const struct fx_pkt *pkt;
	unsigned int n = 0;

	while ((pkt = attack_answer(r->a, PEER)) != NULL) {
		const uint32_t at = pkt->tcp.seq - r->conn.stack_isn - 1;

		assert_true((pkt->tcp.flags & RST) == 0);
		n++;
		if (attack_below(r->a, 100) < r->losses)
			continue;
		for (uint32_t i = 0; i < pkt->payload_len; i++) {
			/* A probe stands below what was acknowledged. */
			if (at + i >= r->length)
				continue;
			assert_int_equal(pkt->payload[i], fx_pattern(at + i));
			r->came[at + i] = 1;
			if (at + i >= r->top)
				r->top = at + i + 1;
		}
	}
	while (r->next < r->length && r->came[r->next])
		r->next++;
	return n;
}

/* An ACK of `upto` bytes with blocks of the stream, [start, end) each. */
static void acknowledge(struct receiver *r, uint32_t upto, const uint32_t (*blocks)[2],
			unsigned int count)
{
	uint8_t options[36] = { 1, 1, 5, (uint8_t)(2 + 8 * count) };
	const uint32_t first = r->conn.stack_isn + 1;

	for (unsigned int i = 0; i < count; i++) {
		strata_put_be32(options + 4 + 8 * i, first + blocks[i][0]);
		strata_put_be32(options + 8 + 8 * i, first + blocks[i][1]);
	}
	attack_give(r->a, &(struct attack_segment){
		.sport = PEER, .flags = ACK, .seq = 78, .ack = first + upto, .win = 65535,
		.options = options, .options_length = count != 0 ? 4 + 8 * count : 0 });
}

/* Blocks at random places of what has come above `r->next`. */
static unsigned int random_blocks(struct receiver *r, uint32_t (*blocks)[2])
{
	unsigned int n = 0;

	for (unsigned int tries = 0; tries < 12 && n < 3 && r->top > r->next + 1; tries++) {
		uint32_t at = r->next + 1 + attack_below(r->a, r->top - r->next - 1), end = at;
		const uint32_t most = at + 1 + attack_below(r->a, 200);

		while (end < r->top && end < most && r->came[end])
			end++;
		if (end == at)
			continue;
		blocks[n][0] = at;
		blocks[n++][1] = end;
	}
	return n;
}

/* Row 40, SACK Panic (CVE-2019-11477): many tiny segments in one queue, and blocks that cut them up. */
static void sack_panic(struct attack *a)
{
	struct receiver r = receiver_open(a, MIB, 48);
	uint32_t blocks[3][2];

	r.losses = 5;
	while (r.next < r.length) {
		queue_more(&r);
		if (take(&r) == 0)
			fx_wait_frame(a->fx, 120 * STRATA_SEC);
		acknowledge(&r, r.next, (const uint32_t (*)[2])blocks, random_blocks(&r, blocks));
	}
	receiver_close(&r);
}

static void row_40_tiny_segments_and_blocks_that_cut_them(void **state)
{
	(void)state;
	attack(sack_panic, .options = "tcp.sndbuf=2MiB");
}

/* Row 41, SACK slowness (CVE-2019-11478, CVE-2018-5390's sender): every second 8 bytes, again and again. */
static void sack_slowness(struct attack *a)
{
	enum { ACKS = 100000, FLIGHT = 64 << 10, GROWTH = 512 << 10 };
	struct receiver r = receiver_open(a, GROWTH + FLIGHT, 48);
	uint64_t allocs, first_half = 0;
	uint32_t blocks[3][2];
	unsigned int i, k;

	/* The window grows until all the rest is in flight. */
	while (r.next < GROWTH) {
		queue_more(&r);
		if (take(&r) == 0)
			fx_wait_frame(a->fx, 120 * STRATA_SEC);
		acknowledge(&r, r.next < GROWTH ? r.next : GROWTH, NULL, 0);
	}
	queue_more(&r);
	take(&r);
	assert_int_equal(r.top, r.length);
	allocs = a->fx->allocs;
	for (i = 0; i < ACKS; i++) {
		for (k = 0; k < 3; k++) {
			blocks[k][0] = GROWTH + 8 + (i * 3 + k) % (FLIGHT / 16 - 1) * 16;
			blocks[k][1] = blocks[k][0] + 8;
		}
		acknowledge(&r, GROWTH, (const uint32_t (*)[2])blocks, 3);
		take(&r);
		if (i == ACKS / 2) {
			first_half = a->fx->allocs - allocs;
			allocs = a->fx->allocs;
		}
	}
	/* Nothing piles up: the second half asks for no more than the first. */
	assert_true(a->fx->allocs - allocs <= first_half + 100);
	while (r.next < r.length) {
		if (take(&r) == 0)
			fx_wait_frame(a->fx, 120 * STRATA_SEC);
		acknowledge(&r, r.next, NULL, 0);
	}
	receiver_close(&r);
}

static void row_41_a_hundred_thousand_acks_of_every_second_block(void **state)
{
	(void)state;
	attack(sack_slowness, .options = "tcp.sndbuf=2MiB");
}

/* Row 42 (CVE-2019-11479): the smallest segments a peer may ask for. */
static void tiny_mss(struct attack *a)
{
	static const uint16_t mss[] = { 0, 1, 8, 48 };
	struct fixture *fx = a->fx;

	for (unsigned int i = 0; i < STRATA_COUNT(mss); i++) {
		struct receiver r = { .a = a, .length = 20000, .came = calloc(1, 20001) };
		const uint8_t options[] = { 2, 4, 0, (uint8_t)mss[i], 3, 3, 7, 0 };
		const uint64_t sent = fx_counter(fx, "tcp", "out_segments");

		assert_non_null(r.came);
		r.conn = (struct fx_conn){ .peer_port = PEER, .stack_port = ATTACK_PORT,
					   .peer_isn = 77 };
		r.s = accept_one(a->listener, .options = options, .options_len = 8, .conn = &r.conn);
		while (r.next < r.length) {
			queue_more(&r);
			if (take(&r) == 0)
				fx_wait_frame(fx, 120 * STRATA_SEC);
			acknowledge(&r, r.next, NULL, 0);
		}
		/* No segment below the floor but the last of a write. */
		assert_true(fx_counter(fx, "tcp", "out_segments") - sent < 20000 / 48 + 60);
		receiver_close(&r);
	}
}

static void row_42_no_mss_makes_segments_below_the_floor(void **state)
{
	(void)state;
	attack(tiny_mss);
}

/* Row 43, SegmentSmack (CVE-2018-5390): one byte at every second place. */
static void segment_smack(struct attack *a)
{
	enum { WINDOW = 60000 };
	struct fixture *fx = a->fx;
	struct fx_conn conn = { .peer_port = PEER, .stack_port = ATTACK_PORT, .peer_isn = 77 };
	int s = accept_one(a->listener, .mss = ATTACK_MSS, .sack_ok = true, .conn = &conn);
	struct attack_segment segment = { .sport = PEER, .flags = ACK, .ack = conn.stack_isn + 1,
					  .win = 65535, .length = 1 };
	uint8_t stream[WINDOW], got[WINDOW];
	uint32_t in = 0, i, refused = 0;
	size_t held = fx->bytes;
	ssize_t n;

	fx_pattern_fill(stream, WINDOW, 0);
	for (unsigned int again = 0; again < 3; again++)
		for (i = 1; i < WINDOW; i += 2) {
			segment.seq = 78 + i;
			segment.text = stream + i;
			refused += attack_give(a, &segment);
			fx_discard(fx);
			/* The buffer's worth, with what each byte costs to keep counted. */
			assert_true(fx->bytes < held + 256 * 1024);
		}
	assert_true(refused > WINDOW);
	segment.length = ATTACK_MSS;
	while (in < WINDOW) {
		segment.seq = 78 + in;
		segment.text = stream + in;
		attack_give(a, &segment);
		fx_discard(fx);
		n = fx_recv(fx, s, got + in, WINDOW - in);
		in += n > 0 ? (uint32_t)n : 0;
	}
	assert_memory_equal(got, stream, WINDOW);
	segment.flags = RST;
	segment.seq = 78 + WINDOW;
	segment.length = 0;
	attack_give(a, &segment);
	fx_close_socket(fx, s);
}

static void row_43_single_bytes_at_every_second_place(void **state)
{
	(void)state;
	attack(segment_smack);
}

/* Row 46: the urgent pointer says what it likes. */
static void urgent_pointers(struct attack *a)
{
	static const uint16_t urgent[] = { 0, 1, 5, 9, 10, 11, 4, 1000, 32767, 32768, 65535, 3 };
	struct fixture *fx = a->fx;
	struct fx_conn conn = { .peer_port = PEER, .stack_port = ATTACK_PORT, .peer_isn = 77 };
	struct attack_segment segment = { .sport = PEER, .win = 65535, .seq = 77 };
	uint8_t stream[10 * STRATA_COUNT(urgent)], got[sizeof(stream)];
	int s;

	/* On a SYN, and on what is no connection. */
	for (unsigned int i = 0; i < STRATA_COUNT(urgent); i++) {
		segment.urgent = urgent[i];
		segment.flags = SYN | URG;
		assert_int_equal(attack_give(a, &segment), 0);
		segment.flags = RST | URG;
		segment.seq++;
		assert_int_equal(attack_give(a, &segment), 0);
		segment.seq--;
		segment.flags = ACK | URG;
		assert_int_equal(attack_give(a, &segment), 1);
	}
	fx_discard(fx);
	s = accept_one(a->listener, .mss = ATTACK_MSS, .conn = &conn);
	fx_pattern_fill(stream, sizeof(stream), 0);
	for (unsigned int i = 0; i < STRATA_COUNT(urgent); i++) {
		segment = (struct attack_segment){
			.sport = PEER, .flags = ACK | URG, .seq = 78 + 10 * i, .text = stream + 10 * i,
			.ack = conn.stack_isn + 1, .length = 10, .win = 65535, .urgent = urgent[i] };
		assert_int_equal(attack_give(a, &segment), 0);
		/* Alone, with no byte that it could mean, and from before. */
		segment.seq += 10;
		segment.length = 0;
		assert_int_equal(attack_give(a, &segment), 0);
		segment.seq -= 100;
		assert_int_equal(attack_give(a, &segment), 1);
	}
	assert_int_equal(fx_recv(fx, s, got, sizeof(got)), sizeof(got));
	assert_memory_equal(got, stream, sizeof(got));
	fx_discard(fx);
	conn.peer_nxt = 1 + sizeof(stream);
	rx(RST, .conn = &conn);
	fx_close_socket(fx, s);
}

static void row_46_urgent_pointers_of_every_kind(void **state)
{
	(void)state;
	attack(urgent_pointers);
}

/* Row 48 (RFC 5961): whoever does not know the numbers can do nothing, however near he comes. */
static void blind_segments(struct attack *a)
{
	static const uint8_t flags[] = { RST, RST | ACK, SYN, SYN | ACK, ACK, FIN | ACK };
	struct fixture *fx = a->fx;
	struct fx_conn conn = { .peer_port = PEER, .stack_port = ATTACK_PORT, .peer_isn = 77 };
	int s = accept_one(a->listener, .mss = ATTACK_MSS, .win = 1000, .conn = &conn);
	const uint32_t una = conn.stack_isn + 1, edge = 78 + 65535;
	uint32_t sent = 0;
	char c;

	for (unsigned int f = 0; f < STRATA_COUNT(flags); f++)
		for (int near = -5; near <= 5; near++)
			for (unsigned int at = 0; at < 4; at++) {
				struct attack_segment segment = {
					.sport = PEER, .flags = flags[f], .win = 65535,
					.seq = (at & 1 ? edge : 78) + (uint32_t)near,
					/* Above what was sent, or below what any window allowed. */
					.ack = at & 2 ? una + 1 + (uint32_t)(near + 5)
						      : una - 1001 - (uint32_t)(near + 5),
					.text = (const uint8_t *)"evil", .length = flags[f] & ACK ? 4 : 0,
				};

				/* The one that is right. */
				if ((flags[f] & RST) != 0 && segment.seq == 78)
					continue;
				assert_int_equal(attack_give(a, &segment), 1);
				sent++;
			}
	assert_true(sent > 200);
	assert_int_equal(fx_recv(fx, s, &c, 1), -EAGAIN);
	fx_discard(fx);
	rx(ACK, .seq = 1, .ack = 1, .text = "real", .conn = &conn);
	assert_int_equal(fx_recv(fx, s, &c, 1), 1);
	assert_int_equal(c, 'r');
	rx(RST, .seq = 5, .conn = &conn);
	assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), ECONNRESET);
	fx_close_socket(fx, s);
}

static void row_48_blind_segments_around_the_windows_edges(void **state)
{
	(void)state;
	attack(blind_segments);
}

/* Row 49 (CVE-2016-5696): how often the victim answers others tells nothing of what it answers us. */
static unsigned int answers_of(struct attack *a, const struct fx_conn *victim,
			       const struct fx_conn *mine, unsigned int spoofed)
{
	struct attack_segment segment = { .flags = SYN, .win = 1000, .seq = 90 };
	unsigned int n = 0;

	fx_advance(a->fx, 2000);
	fx_discard(a->fx);
	for (unsigned int i = 0; i < 1000; i++) {
		if (i < spoofed) {
			segment.sport = victim->peer_port;
			attack_give(a, &segment);
			while (attack_answer(a, mine->peer_port) != NULL)
				;
		}
		segment.sport = mine->peer_port;
		attack_give(a, &segment);
		while (attack_answer(a, mine->peer_port) != NULL)
			n++;
		fx_advance_ns(a->fx, 3 * STRATA_MS);
	}
	return n;
}

static void challenge_acks(struct attack *a)
{
	struct fixture *fx = a->fx;
	struct fx_conn victim = { .peer_port = PEER, .stack_port = ATTACK_PORT, .peer_isn = 77 };
	struct fx_conn mine = { .peer_port = PEER + 1, .stack_port = ATTACK_PORT, .peer_isn = 77 };
	int s[2] = { accept_one(a->listener, .mss = ATTACK_MSS, .conn = &victim),
		     accept_one(a->listener, .mss = ATTACK_MSS, .conn = &mine) };
	unsigned int alone;

	a->pace = 10000000;
	alone = answers_of(a, &victim, &mine, 0);
	/* Three seconds of one each 500 ms. */
	assert_in_range(alone, 5, 8);
	assert_int_equal(answers_of(a, &victim, &mine, 1), alone);
	assert_int_equal(answers_of(a, &victim, &mine, 1000), alone);
	rx(RST, .seq = 1, .conn = &victim);
	rx(RST, .seq = 1, .conn = &mine);
	for (unsigned int i = 0; i < 2; i++)
		fx_close_socket(fx, s[i]);
}

static void row_49_challenge_acks_are_no_side_channel(void **state)
{
	(void)state;
	attack(challenge_acks);
}

/* Row 57: a stamp half the circle ahead, from somebody who does not know the numbers. */
static void poisoned_stamps(struct attack *a)
{
	struct fixture *fx = a->fx;
	struct fx_conn conn = { .peer_port = PEER, .stack_port = ATTACK_PORT, .peer_isn = 77 };
	int s = accept_one(a->listener, .mss = ATTACK_MSS, .ts = true, .conn = &conn);
	const uint32_t una = conn.stack_isn + 1;
	uint8_t options[12] = { 1, 1, 8, 10 };
	const struct attack_segment poison[] = {
		{ .flags = ACK, .seq = 78, .ack = una + 5000, .length = 1 },	/* ACK not sent */
		{ .flags = ACK, .seq = 78, .ack = una - 100000, .length = 1 },	/* ACK too old */
		{ .flags = ACK, .seq = 78u - 1000, .ack = una, .length = 1 },	/* before the window */
		{ .flags = ACK, .seq = 78 + 100000, .ack = una, .length = 1 },	/* behind it */
		{ .flags = 0, .seq = 78, .length = 1 },				/* no ACK */
		{ .flags = SYN, .seq = 78 },
		{ .flags = RST, .seq = 79 },
	};
	char c;

	/* The peer's stamps are its milliseconds and 1,000. */
	strata_put_be32(options + 4, (uint32_t)fx_ms(fx) + 1000 + INT32_MAX);
	for (unsigned int i = 0; i < STRATA_COUNT(poison); i++) {
		struct attack_segment segment = poison[i];

		segment.sport = PEER;
		segment.options = options;
		segment.options_length = sizeof(options);
		segment.text = (const uint8_t *)"x";
		assert_int_equal(attack_give(a, &segment), 1);
	}
	fx_discard(fx);
	rx(ACK, .seq = 1, .ack = 1, .text = "y", .conn = &conn);
	assert_int_equal(fx_recv(fx, s, &c, 1), 1);
	assert_int_equal(c, 'y');
	rx(RST, .seq = 2, .conn = &conn);
	fx_close_socket(fx, s);
}

static void row_57_poisoned_time_stamps(void **state)
{
	(void)state;
	attack(poisoned_stamps);
}

/* Row 59: windows that are taken back, and the largest there can be. */
static void strange_windows(struct attack *a)
{
	static const uint16_t windows[] = { 65535, 0, 1, 65535, 100, 0, 0, 65535 };

	for (uint8_t scale = 13; scale <= 15; scale++) {
		const uint8_t options[] = { 2, 4, ATTACK_MSS >> 8, ATTACK_MSS & 255, 3, 3, scale, 0 };
		struct fixture *fx = a->fx;
		struct receiver r = { .a = a, .length = 300000, .came = calloc(1, 300001) };
		struct tcp_info info;
		socklen_t length = sizeof(info);
		unsigned int i = 0;

		assert_non_null(r.came);
		r.conn = (struct fx_conn){ .peer_port = PEER, .stack_port = ATTACK_PORT,
					   .peer_isn = 77 };
		r.s = accept_one(a->listener, .options = options, .options_len = 8, .win = 65535,
				 .conn = &r.conn);
		assert_int_equal(strata_getsockopt(fx->stack, r.s, IPPROTO_TCP, TCP_INFO, &info,
						   &length), 0);
		assert_int_equal(info.tcpi_snd_wscale, scale > 14 ? 14 : scale);
		while (r.next < r.length) {
			queue_more(&r);
			if (take(&r) == 0)
				fx_wait_frame(fx, 120 * STRATA_SEC);
			/* Below SND.NXT, and open again with the next. */
			attack_give(a, &(struct attack_segment){
				.sport = PEER, .flags = ACK, .seq = 78,
				.ack = r.conn.stack_isn + 1 + r.next,
				.win = windows[i++ % STRATA_COUNT(windows)] });
		}
		receiver_close(&r);
	}
}

static void row_59_windows_taken_back_and_of_every_scale(void **state)
{
	(void)state;
	attack(strange_windows, .options = "tcp.sndbuf=1MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(row_40_tiny_segments_and_blocks_that_cut_them),
		cmocka_unit_test(row_41_a_hundred_thousand_acks_of_every_second_block),
		cmocka_unit_test(row_42_no_mss_makes_segments_below_the_floor),
		cmocka_unit_test(row_43_single_bytes_at_every_second_place),
		cmocka_unit_test(row_46_urgent_pointers_of_every_kind),
		cmocka_unit_test(row_48_blind_segments_around_the_windows_edges),
		cmocka_unit_test(row_49_challenge_acks_are_no_side_channel),
		cmocka_unit_test(row_57_poisoned_time_stamps),
		cmocka_unit_test(row_59_windows_taken_back_and_of_every_scale),
	};

	return fx_main(tests);
}
