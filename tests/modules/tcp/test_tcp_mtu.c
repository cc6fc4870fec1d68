/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The path's MTU: told by ICMP and believed where the quoted segment is in flight (RFC 1191, RFC 5927),
 * or found out where nobody tells (RFC 4821).
 */
#include <linux/tcp.h>

#include "fixture.h"

enum { PORT = 5000, MSS = 1460, CALL = 32768 };

/* A frame kept beyond the next one. */
struct kept {
	uint8_t bytes[2048];
	struct fx_pkt pkt;
};

static void keep(struct kept *kept, const struct fx_pkt *pkt)
{
	memcpy(kept->bytes, pkt->frame, pkt->length);
	assert_null(fx_decode(&kept->pkt, kept->bytes, pkt->length, false));
}

static int mss_of(struct fixture *fx, int s)
{
	return fx_getsockopt(fx, s, IPPROTO_TCP, TCP_MAXSEG);
}

static void send_zeros(struct fixture *fx, int s, size_t length)
{
	static const uint8_t zeros[CALL];

	assert_int_equal(fx_send(fx, s, zeros, length), length);
}

/* ---- told ---- */

static void an_mtu_that_is_told_is_believed_down_to_a_floor(void **state)
{
	static const struct {
		uint32_t mtu;
		int mss;
	} cases[] = {
		/* A router that does not tell: the next plateau below (RFC 1191 7.1). */
		{ 0, 1452 },
		/* Below what every module forwards uncut (RFC 791 3.2) it is no MTU. */
		{ 20, MSS }, { 67, MSS }, { 68, 512 }, { 551, 512 }, { 552, 512 },
		{ 576, 536 }, { 1400, 1360 }, { 1499, 1459 }, { 1500, MSS }, { 9000, MSS }, { 65535, MSS },
	};
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fixture *fx = fx_open();
		int s = accept_one(listen_on(80), .mss = MSS);
		struct kept kept;

		send_zeros(fx, s, MSS);
		keep(&kept, expect_tx(ACK, .len = MSS, .any_data = true));
		rx_icmp_error(3, 4, cases[i].mtu, &kept.pkt, 8);
		if (mss_of(fx, s) != cases[i].mss)
			fail_msg("MTU %u: MSS %d, not %d", cases[i].mtu, mss_of(fx, s), cases[i].mss);
		if (cases[i].mss < MSS)
			/* It is sent again at once, in pieces. */
			expect_tx(ACK, .seq = 1, .len = cases[i].mss, .any_data = true);
		else
			expect_silence(100);
		fx_close(fx);
	}
}

/* The floor is there against peers; a link of the smallest MTU (RFC 791 3.2) takes no more than it takes. */
static void a_link_below_the_floor_has_segments_that_fit(void **state)
{
	struct fixture *fx = fx_open(.mtu = 68);
	int s = accept_one(listen_on(80), .mss = MSS);

	(void)state;
	assert_int_equal(mss_of(fx, s), 28);
	send_zeros(fx, s, 50);
	expect_tx(ACK, .seq = 1, .len = 28, .any_data = true);
	expect_tx(ACK | PSH, .seq = 29, .len = 22, .any_data = true);
	fx_close(fx);
}

static void an_error_about_what_is_not_in_flight_changes_nothing(void **state)
{
	static const struct {
		int type, code;
		int64_t off;		/* of the quoted number from snd_una */
		bool believed;
	} cases[] = {
		{ 3, 4, -1, false }, { 3, 4, MSS, false }, { 3, 4, 1 << 30, false }, { 3, 4, 0, true },
		{ 3, 4, MSS - 1, true },
		/* Whatever is unreachable: an established connection lives (RFC 5927 5.2). */
		{ 3, 0, 0, false }, { 3, 1, 0, false }, { 3, 2, 0, false }, { 3, 3, 0, false },
		{ 3, 13, 0, false }, { 11, 0, 0, false }, { 12, 0, 0, false }, { 3, 3, -1, false },
		{ 4, 0, 0, false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fixture *fx = fx_open();
		int s = accept_one(listen_on(80), .mss = MSS);
		struct kept kept;
		uint32_t seq;

		send_zeros(fx, s, MSS);
		keep(&kept, expect_tx(ACK, .len = MSS, .any_data = true));
		seq = kept.pkt.tcp.seq + (uint32_t)cases[i].off;
		kept.bytes[14 + 20 + 4] = (uint8_t)(seq >> 24);
		kept.bytes[14 + 20 + 5] = (uint8_t)(seq >> 16);
		kept.bytes[14 + 20 + 6] = (uint8_t)(seq >> 8);
		kept.bytes[14 + 20 + 7] = (uint8_t)seq;
		rx_icmp_error(cases[i].type, cases[i].code, 1000, &kept.pkt, 8);
		assert_int_equal(mss_of(fx, s), cases[i].believed ? 960 : MSS);
		assert_int_equal(fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR), 0);
		fx_discard(fx);
		rx(ACK, .ack = 1 + MSS);
		fx_discard(fx);
		send_zeros(fx, s, 10);
		expect_tx(ACK, .seq = 1 + MSS, .len = 10, .any_data = true, .within = 100);
		fx_close(fx);
	}
}

static void each_unreachable_fails_a_connect_with_its_errno(void **state)
{
	static const struct {
		int type, code, error;
	} cases[] = {
		{ 3, 0, ENETUNREACH }, { 3, 1, EHOSTUNREACH }, { 3, 2, ENOPROTOOPT }, { 3, 3, ECONNREFUSED },
		{ 3, 5, EOPNOTSUPP }, { 3, 6, ENETUNREACH }, { 3, 7, EHOSTDOWN }, { 3, 9, ENETUNREACH },
		{ 3, 10, EHOSTUNREACH }, { 3, 13, EHOSTUNREACH }, { 11, 0, EHOSTUNREACH },
		{ 12, 0, EPROTO },
	};
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct fixture *fx = fx_open();
		int s = fx_socket(fx, SOCK_STREAM, 0), error;
		struct kept kept;

		fx->conn.stack_port = 0;
		assert_int_equal(fx_connect(fx, s, PEER_IP, 40000), -EINPROGRESS);
		keep(&kept, expect_tx(SYN));
		rx_icmp_error(cases[i].type, cases[i].code, 0, &kept.pkt, 8);
		error = fx_getsockopt(fx, s, SOL_SOCKET, SO_ERROR);
		if (error != cases[i].error)
			fail_msg("type %d code %d: errno %d, not %d", cases[i].type, cases[i].code, error,
				 cases[i].error);
		expect_silence(5000);
		fx_close(fx);
	}
}

/* ---- found out ---- */

/* A path that swallows frames above a size, from a time on, without a word. */
struct hole {
	uint64_t from;
	size_t largest;			/* IP packet */
	uint64_t swallowed;
};

static bool passes(void *ctx, const struct fx_pkt *pkt)
{
	struct hole *hole = ctx;

	if (pkt->time < hole->from || pkt->length - 14 <= hole->largest)
		return true;
	hole->swallowed++;
	return false;
}

struct flow {
	struct fx_pair pair;
	int listener, from, to;
	uint64_t sent, received;
	bool paused;
};

static void pump(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	uint8_t buf[CALL];
	struct flow *f = arg;
	ssize_t n;

	(void)events;
	do {
		if (f->paused)
			return;
		fx_pattern_fill(buf, sizeof(buf), f->sent);
		n = strata_send(stack, s, buf, sizeof(buf), 0);
		if (n > 0)
			f->sent += (uint64_t)n;
	} while (n > 0);
}

static void drain(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	uint8_t buf[CALL], want[CALL];
	struct flow *f = arg;
	ssize_t n;

	(void)events;
	while ((n = strata_recv(stack, s, buf, sizeof(buf), 0)) > 0) {
		fx_pattern_fill(want, (size_t)n, f->received);
		assert_memory_equal(buf, want, (size_t)n);
		f->received += (uint64_t)n;
	}
}

static void accepted(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct flow *f = arg;

	(void)events;
	f->to = strata_accept(stack, s, NULL, NULL);
	assert_true(f->to >= 0);
	strata_notify(stack, f->to, drain, f);
}

static void flow_open(struct flow *f, const char *options, const struct fx_link *link)
{
	const struct fx_config config = { .options = options };
	struct fixture *a, *b;

	f->pair = fx_pair_open(&config, link, 1);
	a = f->pair.a;
	b = f->pair.b;
	f->to = -1;
	f->listener = fx_socket(b, SOCK_STREAM, 0);
	fx_bind(b, f->listener, 0, PORT);
	fx_listen(b, f->listener, 5);
	strata_notify(b->stack, f->listener, accepted, f);
	f->from = fx_socket(a, SOCK_STREAM, 0);
	assert_int_equal(fx_connect(a, f->from, STACK_IP, PORT), -EINPROGRESS);
	strata_notify(a->stack, f->from, pump, f);
}

static uint64_t run(struct flow *f, uint64_t ms)
{
	uint64_t before = f->received;

	fx_join_run(f->pair.join, ms * STRATA_MS, NULL, NULL);
	return f->received - before;
}

static void a_black_hole_in_mid_flow_is_got_around(void **state)
{
	static const size_t largest[] = { 1492, 1400, 1280, 1100, 576 };
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(largest); i++) {
		struct hole hole = { .from = UINT64_MAX, .largest = largest[i] };
		const struct fx_link link = { .delay = 5 * STRATA_MS, .rate = 20000000, .filter = passes,
					      .ctx = &hole };
		struct flow f = { 0 };
		uint64_t got;
		int mss;

		flow_open(&f, NULL, &link);
		assert_true(run(&f, 500) > 200000);
		assert_int_equal(mss_of(f.pair.a, f.from), 1448);
		hole.from = f.pair.a->now;
		/* To half of the base it takes six timeouts. */
		run(&f, largest[i] < 1000 ? 60000 : 20000);
		got = run(&f, 2000);
		mss = mss_of(f.pair.a, f.from);
		if (got < 2000000 || mss > (int)largest[i] - 52 ||
		    (largest[i] > 1100 && mss < (int)largest[i] - 52 - 16))
			fail_msg("at most %zu: %llu bytes, MSS %d", largest[i], (unsigned long long)got,
				 mss);
		assert_true(fx_counter(f.pair.a, "tcp", "mtu_black_holes") >= 1);
		fx_pair_close(&f.pair);
	}
}

/* Timeouts in a row are nothing rare where a third of all frames is lost. */
static void heavy_loss_is_no_black_hole_for_long(void **state)
{
	const struct fx_link lossy = { .delay = 50 * STRATA_MS, .rate = 1000000, .loss = 3000 };
	const struct fx_link clean = { .delay = 50 * STRATA_MS, .rate = 1000000 };
	struct flow f = { 0 };
	unsigned int small = 0, i;

	(void)state;
	flow_open(&f, NULL, &clean);
	run(&f, 1000);
	fx_join_set(f.pair.join, 0, &lossy);
	for (i = 0; i < 600; i++) {
		run(&f, 1000);
		small += mss_of(f.pair.a, f.from) != 1448;
		assert_true(mss_of(f.pair.a, f.from) >= 500);
	}
	assert_true(fx_counter(f.pair.a, "tcp", "mtu_black_holes") >= 1);
	if (small > 300)
		fail_msg("%u of 600 s with small segments", small);
	/* And when the loss is over, the old size is found again soon. */
	fx_join_set(f.pair.join, 0, &clean);
	run(&f, 150000);
	assert_int_equal(mss_of(f.pair.a, f.from), 1448);
	fx_pair_close(&f.pair);
}

static void without_probing_a_black_hole_swallows_all(void **state)
{
	struct hole hole = { .from = UINT64_MAX, .largest = 1400 };
	const struct fx_link link = { .delay = 5 * STRATA_MS, .rate = 20000000, .filter = passes,
				      .ctx = &hole };
	struct flow f = { 0 };

	(void)state;
	flow_open(&f, "tcp.mtu_probing=0", &link);
	assert_true(run(&f, 500) > 200000);
	hole.from = f.pair.a->now;
	run(&f, 1000);
	assert_int_equal(run(&f, 20000), 0);
	assert_int_equal(mss_of(f.pair.a, f.from), 1448);
	fx_pair_close(&f.pair);
}

static void with_probing_always_on_the_search_begins_at_the_base(void **state)
{
	struct hole hole = { .from = 0, .largest = 1400 };
	const struct fx_link link = { .delay = 5 * STRATA_MS, .rate = 20000000, .queue = 2000,
				      .filter = passes, .ctx = &hole };
	struct flow f = { .paused = true };

	(void)state;
	flow_open(&f, "tcp.mtu_probing=2", &link);
	run(&f, 100);
	assert_int_equal(mss_of(f.pair.a, f.from), 1024 - 12);
	f.paused = false;
	pump(f.pair.a->stack, f.from, 0, &f);
	assert_true(run(&f, 5000) > 5000000);
	assert_in_range(mss_of(f.pair.a, f.from), 1400 - 52 - 8, 1400 - 52);
	/* What the probes lost was no sign of congestion. */
	assert_true(fx_counter(f.pair.a, "tcp", "mtu_probes_lost") >= 2);
	assert_true(fx_counter(f.pair.a, "tcp", "mtu_probes_arrived") >= 2);
	assert_int_equal(hole.swallowed, fx_counter(f.pair.a, "tcp", "mtu_probes_lost"));
	assert_int_equal(fx_counter(f.pair.a, "tcp", "timeouts"), 0);
	assert_int_equal(fx_counter(f.pair.a, "tcp", "mtu_black_holes"), 0);
	fx_pair_close(&f.pair);
}

static void a_lost_probe_leaves_the_window_alone(void **state)
{
	struct hole hole = { .from = 0, .largest = 1100 };
	const struct fx_link link = { .delay = 20 * STRATA_MS, .filter = passes, .ctx = &hole };
	struct tcp_info info;
	socklen_t length = sizeof(info);
	struct flow f = { 0 };

	(void)state;
	flow_open(&f, "tcp.mtu_probing=2", &link);
	run(&f, 3000);
	assert_true(fx_counter(f.pair.a, "tcp", "mtu_probes_lost") >= 3);
	assert_int_equal(fx_counter(f.pair.a, "tcp", "fast_recoveries"), 0);
	assert_int_equal(strata_getsockopt(f.pair.a->stack, f.from, IPPROTO_TCP, TCP_INFO, &info,
					   &length), 0);
	assert_int_equal(info.tcpi_snd_ssthresh, 0x7fffffff);
	fx_pair_close(&f.pair);
}

static void a_path_that_grows_wider_is_found_after_ten_minutes(void **state)
{
	struct hole hole = { .from = 0, .largest = 1200 };
	const struct fx_link link = { .delay = 5 * STRATA_MS, .rate = 2000000, .filter = passes,
				      .ctx = &hole };
	struct flow f = { 0 };

	(void)state;
	flow_open(&f, "tcp.mtu_probing=2", &link);
	run(&f, 20000);
	assert_in_range(mss_of(f.pair.a, f.from), 1200 - 52 - 8, 1200 - 52);
	hole.largest = 1500;
	f.paused = true;
	run(&f, 570000);
	f.paused = false;
	pump(f.pair.a->stack, f.from, 0, &f);
	run(&f, 5000);
	assert_in_range(mss_of(f.pair.a, f.from), 1200 - 52 - 8, 1200 - 52);
	f.paused = true;
	run(&f, 40000);
	f.paused = false;
	pump(f.pair.a->stack, f.from, 0, &f);
	run(&f, 10000);
	assert_in_range(mss_of(f.pair.a, f.from), 1448 - 8, 1448);
	fx_pair_close(&f.pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_mtu_that_is_told_is_believed_down_to_a_floor),
		cmocka_unit_test(a_link_below_the_floor_has_segments_that_fit),
		cmocka_unit_test(an_error_about_what_is_not_in_flight_changes_nothing),
		cmocka_unit_test(each_unreachable_fails_a_connect_with_its_errno),
		cmocka_unit_test(a_black_hole_in_mid_flow_is_got_around),
		cmocka_unit_test(heavy_loss_is_no_black_hole_for_long),
		cmocka_unit_test(without_probing_a_black_hole_swallows_all),
		cmocka_unit_test(with_probing_always_on_the_search_begins_at_the_base),
		cmocka_unit_test(a_lost_probe_leaves_the_window_alone),
		cmocka_unit_test(a_path_that_grows_wider_is_found_after_ten_minutes),
	};

	return fx_main(tests);
}
