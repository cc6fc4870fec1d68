/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to the way of datagrams while they wait to leave together: none is lost that would have left alone. */
#include <strata/route.h>

#include "udp_device.h"

static void send_and_bump(struct fixture *fx, int s, void *arg)
{
	send_burst(fx, s, arg);
	strata_generation_bump(fx->stack);
}

static void a_way_that_is_found_again_serves(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 10, .length = 64 };
	unsigned int at = 0;

	in_batch(fx, s, send_and_bump, &b);
	expect_burst(dev, &b, &at);
	assert_int_equal(dev->given, 2);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_BINDTOIFINDEX, (int)fx->iface->index);
	device_reset(dev);
	at = 0;
	in_batch(fx, s, send_and_bump, &b);
	expect_burst(dev, &b, &at);
}

static void send_and_lose_the_address(struct fixture *fx, int s, void *arg)
{
	struct strata_prefix own;

	send_burst(fx, s, arg);
	assert_int_equal(strata_prefix_parse(fx->stack, "192.0.2.2", &own), 0);
	assert_int_equal(strata_ifaddr_remove(fx->iface, &own.addr), 0);
}

static void without_a_way_they_are_dropped_and_the_next_call_tells(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 10, .length = 64 };

	in_batch(fx, s, send_and_lose_the_address, &b);
	assert_int_equal(dev->count, 1);
	assert_int_equal(fx_drops(fx, "udp", "no_way"), 1);
	assert_int_equal(fx_counter(fx, "udp", "out_datagrams"), 1);
	assert_int_equal(fx_counter(fx, "udp", "out_errors"), 9);
	assert_int_equal(strata_events(fx->stack, s) & EPOLLERR, EPOLLERR);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -EINVAL);
}

static void send_and_stop_the_link(struct fixture *fx, int s, void *arg)
{
	send_burst(fx, s, arg);
	strata_iface_set_running(fx->iface, false);
}

static void an_interface_that_goes_down_takes_them_along(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 10, .length = 64 };

	in_batch(fx, s, send_and_stop_the_link, &b);
	assert_int_equal(dev->count, 1);
	assert_int_equal(fx_drops(fx, "udp", "no_way"), 1);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -ENETDOWN);
}

struct narrowing {
	struct burst burst;
	uint32_t mtu;
	int df;
};

static void send_and_narrow(struct fixture *fx, int s, void *arg)
{
	const struct narrowing *n = arg;
	struct strata_error error = { 0 };
	struct burst b = n->burst;

	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, n->df);
	send_burst(fx, s, &b);
	assert_int_equal(strata_iface_set_mtu(fx->iface, n->mtu, &error), 0);
}

/* The next frames are two fragments of each datagram of the burst. */
static void expect_halves(struct device *dev, const struct burst *b, unsigned int *at)
{
	for (unsigned int i = 0; i < b->count; i++) {
		uint8_t data[9000], payload[9000];
		size_t done = 0;

		for (int half = 0; half < 2; half++, (*at)++) {
			const size_t skip = half == 0 ? HEADERS : LINK + NETWORK;
			const struct wire_frame *frame = &dev->frames[*at];

			assert_true(*at < dev->count);
			assert_int_equal((frame->bytes[LINK + 6] & 0x20) != 0, half == 0);
			assert_true(done + frame->length - skip <= sizeof(payload));
			memcpy(payload + done, frame->bytes + skip, frame->length - skip);
			done += frame->length - skip;
		}
		assert_int_equal(done, b->length);
		datagram_fill(data, b->length, b->first + i);
		assert_memory_equal(payload, data, b->length);
	}
}

static void what_became_too_large_is_fragmented_each_by_itself(void **state)
{
	static const int dfs[] = { IP_PMTUDISC_DONT, IP_PMTUDISC_WANT };

	(void)state;
	for (unsigned int i = 0; i < STRATA_COUNT(dfs); i++) {
		struct fixture *fx = join_open();
		struct device *dev = device_on(fx);
		struct narrowing n = { { .count = 10, .length = 1400 }, 1000, dfs[i] };
		struct burst first = n.burst, rest = n.burst;
		unsigned int at = 0;
		int s = udp_on(4000);

		first.count = 1;
		rest.count = 9;
		rest.first = 1;
		in_batch(fx, s, send_and_narrow, &n);
		expect_burst(dev, &first, &at);
		expect_halves(dev, &rest, &at);
		assert_int_equal(dev->count, at);
		assert_int_equal(dev->supers, 0);
		assert_int_equal(fx_counter(fx, "udp", "out_datagrams"), 10);
		assert_int_equal(fx_counter(fx, "udp", "out_errors"), 0);
		assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), 1);
		fx_close(fx);
		device_free(dev);
	}
}

static void what_must_not_be_fragmented_is_told_of(struct fixture *fx, struct device *dev, int s)
{
	struct narrowing n = { { .count = 10, .length = 1400 }, 1000, IP_PMTUDISC_DO };

	in_batch(fx, s, send_and_narrow, &n);
	assert_int_equal(dev->count, 1);
	assert_int_equal(fx_counter(fx, "udp", "out_datagrams"), 1);
	assert_int_equal(fx_counter(fx, "udp", "out_errors"), 9);
	assert_int_equal(fx_drops(fx, "ipv4", "out_df"), 9);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -EMSGSIZE);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), 1);
}

static void what_still_fits_leaves_together(struct fixture *fx, struct device *dev, int s)
{
	struct narrowing n = { { .count = 10, .length = 900 }, 1000, IP_PMTUDISC_DO };
	unsigned int at = 0;

	in_batch(fx, s, send_and_narrow, &n);
	expect_burst(dev, &n.burst, &at);
	assert_int_equal(dev->given, 2);
}

static void count_single(void *ctx, struct strata_iface *iface, const struct strata_pkt *pkt, bool out)
{
	(void)iface;
	assert_int_equal(pkt->seg_type, STRATA_SEG_NONE);
	*(unsigned int *)ctx += out;
}

struct watching {
	struct burst burst;
	unsigned int seen;
};

static void send_and_watch(struct fixture *fx, int s, void *arg)
{
	struct watching *w = arg;

	send_burst(fx, s, &w->burst);
	strata_iface_set_sniffer(fx->iface, count_single, &w->seen);
}

static void who_begins_to_look_sees_each_of_what_waits(struct fixture *fx, struct device *dev, int s)
{
	struct watching w = { .burst = { .count = 10, .length = 64 } };
	unsigned int at = 0;

	in_batch(fx, s, send_and_watch, &w);
	assert_int_equal(w.seen, 9);
	assert_int_equal(dev->given, 10);
	expect_burst(dev, &w.burst, &at);
	strata_iface_set_sniffer(fx->iface, NULL, NULL);
}

struct failing {
	struct watching watching;
	uint64_t at;
};

static void send_watch_and_fail(struct fixture *fx, int s, void *arg)
{
	struct failing *f = arg;

	send_and_watch(fx, s, &f->watching);
	fx_fail_at(fx, f->at, false);
}

static void short_memory_costs_one_of_those_that_leave_one_by_one(void **state)
{
	unsigned int lost = 0;

	(void)state;
	for (uint64_t at = 1; at <= 20; at++) {
		struct fixture *fx = join_open(.uncached = true);
		struct device *dev = device_on(fx);
		struct failing f = { { .burst = { .count = 10, .length = 64 } }, at };
		int s = udp_on(4000);

		in_batch(fx, s, send_watch_and_fail, &f);
		fx_fail_at(fx, 0, false);
		assert_in_range(dev->count, 9, 10);
		assert_int_equal(fx_counter(fx, "udp", "out_datagrams"), dev->count);
		assert_int_equal(fx_counter(fx, "udp", "out_errors"), 10 - dev->count);
		lost += 10 - dev->count;
		/* As of one that is sent alone: only who asked for it is told. */
		assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), 1);
		strata_iface_set_sniffer(fx->iface, NULL, NULL);
		fx_close(fx);
		device_free(dev);
	}
	assert_true(lost != 0);
}

static void send_and_become_the_peer(struct fixture *fx, int s, void *arg)
{
	struct strata_prefix peer;

	send_burst(fx, s, arg);
	assert_int_equal(strata_prefix_parse(fx->stack, "192.0.2.1/24", &peer), 0);
	assert_int_equal(strata_ifaddr_add(fx->iface, &peer), 0);
}

static void what_turns_out_to_be_for_this_host_arrives_one_by_one(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 10, .length = 64 };
	int to = udp_on(7);
	uint8_t data[64], buf[100];

	(void)dev;
	in_batch(fx, s, send_and_become_the_peer, &b);
	for (unsigned int i = 1; i < 10; i++) {
		datagram_fill(data, 64, i);
		assert_int_equal(fx_recv(fx, to, buf, sizeof(buf)), 64);
		assert_memory_equal(buf, data, 64);
	}
	expect_nothing(fx, to);
}

static void send_and_forget_the_neighbour(struct fixture *fx, int s, void *arg)
{
	struct strata_prefix peer;

	send_burst(fx, s, arg);
	assert_int_equal(strata_prefix_parse(fx->stack, "192.0.2.1", &peer), 0);
	assert_int_equal(strata_neigh_remove(fx->iface, &peer.addr), 0);
}

static void for_a_neighbour_that_was_forgotten_each_waits_by_itself(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 10, .length = 64 };
	unsigned int at = 0;

	in_batch(fx, s, send_and_forget_the_neighbour, &b);
	/* The first, and what asks for the neighbour. */
	assert_int_equal(dev->count, 2);
	device_reset(dev);
	b.count = 9;
	b.first = 1;
	rx_arp(2);
	expect_burst(dev, &b, &at);
	assert_int_equal(dev->supers, 0);
}

static void send_lose_the_address_and_close(struct fixture *fx, int s, void *arg)
{
	send_and_lose_the_address(fx, s, arg);
	assert_int_equal(strata_close(fx->stack, s), 0);
}

static void closing_without_a_way_tells_nobody(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 10, .length = 64 };
	struct batch batch = { fx, send_lose_the_address_and_close, &b, false };

	assert_int_equal(strata_notify(fx->stack, s, batch_run, &batch), 0);
	assert_true(batch.done);
	assert_int_equal(dev->count, 1);
	assert_int_equal(fx_drops(fx, "udp", "no_way"), 1);
}

static void send_and_disable(struct fixture *fx, int s, void *arg)
{
	struct strata_error error = { 0 };

	send_burst(fx, s, arg);
	assert_int_equal(strata_module_disable(fx->stack, "udp", &error), 0);
}

static void a_module_that_is_disabled_sends_what_waits(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 10, .length = 64 };

	in_batch(fx, s, send_and_disable, &b);
	assert_int_equal(dev->count, 10);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -ENETDOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOIN_TEST(a_way_that_is_found_again_serves),
		JOIN_TEST(without_a_way_they_are_dropped_and_the_next_call_tells),
		JOIN_TEST(an_interface_that_goes_down_takes_them_along),
		cmocka_unit_test(what_became_too_large_is_fragmented_each_by_itself),
		JOIN_TEST(what_must_not_be_fragmented_is_told_of),
		JOIN_TEST(what_still_fits_leaves_together),
		JOIN_TEST(who_begins_to_look_sees_each_of_what_waits),
		cmocka_unit_test(short_memory_costs_one_of_those_that_leave_one_by_one),
		JOIN_TEST(what_turns_out_to_be_for_this_host_arrives_one_by_one),
		JOIN_TEST(for_a_neighbour_that_was_forgotten_each_waits_by_itself),
		JOIN_TEST(closing_without_a_way_tells_nobody),
		JOIN_TEST(a_module_that_is_disabled_sends_what_waits),
	};

	return fx_main(tests);
}
