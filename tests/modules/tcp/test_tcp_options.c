/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every option kind, with every length it may claim, in a header of every size, in LISTEN, SYN-SENT and
 * ESTABLISHED: 503,808 segments. What is well formed is decided here from RFC 9293 3.1 and 3.2, RFC 7323
 * and RFC 2018 alone: such a segment is taken; of another nothing is believed.
 */
#include "attack.h"

enum { KINDS = 256, LENGTHS = 41, OFFSETS = 16, OPTIONS_MAX = 40 };

enum verdict { GOOD, BAD_OPTION, BAD_OFFSET };

/* An option of a kind that has a length of its own, or none. */
static bool length_fits(unsigned int kind, unsigned int length)
{
	switch (kind) {
	case 2:		/* maximum segment size, RFC 9293 3.2 */
		return length == 4;
	case 3:		/* window scale, RFC 7323 2.2 */
		return length == 3;
	case 4:		/* SACK permitted, RFC 2018 2 */
		return length == 2;
	case 5:		/* SACK, RFC 2018 3: one to four blocks */
		return length >= 10 && length <= 34 && length % 8 == 2;
	case 8:		/* time stamps, RFC 7323 3.2 */
		return length == 10;
	default:
		return true;
	}
}

static enum verdict judge(const uint8_t *options, unsigned int offset)
{
	unsigned int room = offset * 4 - 20, i = 0;

	if (offset < 5)
		return BAD_OFFSET;
	while (i < room && options[i] != 0) {
		if (options[i] == 1) {
			i++;
			continue;
		}
		if (i + 1 == room || options[i + 1] < 2 || options[i + 1] > room - i ||
		    !length_fits(options[i], options[i + 1]))
			return BAD_OPTION;
		i += options[i + 1];
	}
	return GOOD;
}

/* One case: the segment is there but for flags and numbers. */
struct sweep {
	struct attack *a;
	struct attack_segment segment;
	enum verdict verdict;
	unsigned int cases, good;
	/* The connection or the attempt that the segments are for. */
	int s;
	uint32_t seq, ack;
};

static void rejected(struct sweep *sweep, uint64_t before, const char *reason)
{
	assert_int_equal(attack_drops(sweep->a, reason), before + 1);
	assert_null(sweep->a->fx->first);
}

/* Gives it; returns whether it is one that is taken. */
static bool give(struct sweep *sweep)
{
	const char *reason = sweep->verdict == BAD_OFFSET ? "bad_offset" : "bad_option";
	const uint64_t before = attack_drops(sweep->a, reason);

	sweep->cases++;
	fx_discard(sweep->a->fx);
	sweep->segment.seq = sweep->seq;
	sweep->segment.ack = sweep->ack;
	attack_input(sweep->a->fx, &sweep->segment);
	if (sweep->verdict != GOOD) {
		rejected(sweep, before, reason);
		return false;
	}
	sweep->good++;
	return true;
}

/* The attacker's reset of what a good segment brought about. */
static void reset(struct sweep *sweep, uint32_t seq)
{
	const struct attack_segment rst = { .sport = sweep->segment.sport,
					    .dport = sweep->segment.dport, .flags = RST, .seq = seq };

	attack_input(sweep->a->fx, &rst);
}

static void in_listen(struct sweep *sweep)
{
	sweep->segment.flags = SYN;
	sweep->segment.sport = (uint16_t)(1024 + sweep->cases % 40000);
	if (!give(sweep))
		return;
	assert_int_equal(fx_next(sweep->a->fx)->tcp.flags, SYN | ACK);
	reset(sweep, sweep->seq + 1);
}

static void attempt(struct sweep *sweep)
{
	struct fixture *fx = sweep->a->fx;

	sweep->s = fx_socket(fx, SOCK_STREAM, 0);
	fx_bind(fx, sweep->s, 0, 3000);
	assert_int_equal(fx_connect(fx, sweep->s, PEER_IP, 2000), -EINPROGRESS);
	sweep->ack = fx_next(fx)->tcp.seq + 1;
	sweep->segment.sport = 2000;
	sweep->segment.dport = 3000;
}

/* The answer to our SYN, right but for its options. */
static void in_syn_sent(struct sweep *sweep)
{
	struct fixture *fx = sweep->a->fx;

	if (sweep->s < 0)
		attempt(sweep);
	sweep->segment.flags = SYN | ACK;
	if (!give(sweep)) {
		assert_int_equal(strata_events(fx->stack, sweep->s), 0);
		return;
	}
	assert_int_equal(fx_next(fx)->tcp.flags, ACK);
	reset(sweep, sweep->seq + 1);
	assert_int_equal(fx_getsockopt(fx, sweep->s, SOL_SOCKET, SO_ERROR), ECONNRESET);
	fx_close_socket(fx, sweep->s);
	sweep->s = -1;
}

/* Text in order: what is malformed must not deliver a byte of it. */
static void in_established(struct sweep *sweep)
{
	struct fixture *fx = sweep->a->fx;
	char c = 0;

	sweep->segment.flags = ACK;
	sweep->segment.text = (const uint8_t *)"x";
	sweep->segment.length = 1;
	if (!give(sweep)) {
		assert_int_equal(fx_recv(fx, sweep->s, &c, 1), -EAGAIN);
		return;
	}
	assert_int_equal(fx_recv(fx, sweep->s, &c, 1), 1);
	assert_int_equal(c, 'x');
	sweep->seq++;
}

static void sweep_all(struct sweep *sweep, void (*in_state)(struct sweep *sweep))
{
	uint8_t options[OPTIONS_MAX];
	unsigned int kind, length, offset;

	/* What follows the option: padding, which as a length is malformed. */
	memset(options, 1, sizeof(options));
	sweep->segment.options = options;
	for (kind = 0; kind < KINDS; kind++)
		for (length = 0; length < LENGTHS; length++)
			for (offset = 0; offset < OFFSETS; offset++) {
				options[0] = (uint8_t)kind;
				options[1] = (uint8_t)length;
				sweep->verdict = judge(options, offset);
				sweep->segment.offset = offset + 1;
				sweep->segment.options_length = offset > 5 ? offset * 4 - 20 : 0;
				in_state(sweep);
			}
	assert_int_equal(sweep->cases, KINDS * LENGTHS * OFFSETS);
	print_message("%u segments, %u of them well formed\n", sweep->cases, sweep->good);
}

static void listen_round(struct attack *a)
{
	struct sweep sweep = { .a = a, .segment = { .win = 1000 }, .seq = 77, .s = -1 };

	sweep_all(&sweep, in_listen);
}

static void every_option_in_listen(void **state)
{
	(void)state;
	attack(listen_round);
}

static void syn_sent_round(struct attack *a)
{
	struct sweep sweep = { .a = a, .segment = { .win = 1000 }, .seq = 77, .s = -1 };

	sweep_all(&sweep, in_syn_sent);
	if (sweep.s >= 0)
		fx_close_socket(a->fx, sweep.s);
}

static void every_option_in_syn_sent(void **state)
{
	(void)state;
	attack(syn_sent_round);
}

static void established_round(struct attack *a)
{
	struct sweep sweep = { .a = a, .segment = { .win = 1000, .sport = 2000 }, .seq = 78 };
	struct fixture *fx = a->fx;
	struct fx_conn conn = { .peer_port = 2000, .stack_port = ATTACK_PORT, .peer_isn = 77 };

	sweep.s = accept_one(a->listener, .mss = ATTACK_MSS, .sack_ok = true, .conn = &conn);
	sweep.ack = conn.stack_isn + 1;
	sweep_all(&sweep, in_established);
	reset(&sweep, sweep.seq);
	fx_close_socket(fx, sweep.s);
}

static void every_option_in_established(void **state)
{
	(void)state;
	attack(established_round);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_option_in_listen),
		cmocka_unit_test(every_option_in_syn_sent),
		cmocka_unit_test(every_option_in_established),
	};

	return fx_main(tests);
}
