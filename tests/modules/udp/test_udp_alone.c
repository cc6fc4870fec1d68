/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams that are not joined on their way out; and what is told of those that are. */
#include <linux/net_tstamp.h>
#include <netinet/udp.h>
#include <strata/route.h>
#include <strata/trace.h>

#include "udp_device.h"

/* ---- what is not joined ---- */

static void the_option_turns_it_off(struct fixture *fx, struct device *dev, int s)
{
	struct strata_error error = { 0 };

	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 10, 0);
	assert_int_equal(strata_option_set(fx->stack, "udp.transmit_coalescing", "true", &error), 0);
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 2, 1);
}

static void a_device_that_cannot_cut_gets_them_one_by_one(struct fixture *fx, struct device *dev, int s)
{
	(void)fx;
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 10, 0);
}

/* A sniffer that counts. */
static void count_frame(void *ctx, struct strata_iface *iface, const struct strata_pkt *pkt, bool out)
{
	(void)iface;
	assert_int_equal(pkt->seg_type, STRATA_SEG_NONE);
	*(unsigned int *)ctx += out;
}

static void whoever_looks_at_the_frames_sees_each_by_itself(struct fixture *fx, struct device *dev, int s)
{
	unsigned int seen = 0;

	strata_iface_set_sniffer(fx->iface, count_frame, &seen);
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 10, 0);
	assert_int_equal(seen, 10);
	strata_iface_set_sniffer(fx->iface, NULL, NULL);
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 2, 1);
}

static void a_link_that_loses_loses_datagrams(void **state)
{
	struct fixture *fx = fx_open(.manifest =
		"strata: 1\nmodules:\n  - name: wire\n  - name: fault\n  - name: ethernet\n  - name: arp\n"
		"  - name: ipv4\n  - name: udp\n"
		"interfaces:\n  - name: w0\n    driver: wire\n    options:\n      offload: true\n"
		"    mac: 02:00:00:00:00:02\n"
		"  - name: f0\n    driver: fault\n    options:\n      over: w0\n      tx_loss: 10%\n      seed: 7\n"
		"    addresses: [192.0.2.2/24]\n");
	struct device *dev = device_on(fx);
	struct burst b = { .count = 500, .length = 64 };
	struct strata_lladdr lladdr = { .length = 6, .bytes = { 2, 0, 0, 0, 0, 1 } };
	struct strata_prefix peer;
	unsigned int pairs = 0, lost = 0;
	uint64_t before;
	int s, previous = -1;

	(void)state;
	fx_advance(fx, 10000);
	assert_int_equal(strata_prefix_parse(fx->stack, "192.0.2.1", &peer), 0);
	assert_int_equal(strata_neigh_set(strata_iface_by_name(fx->stack, "f0"), &peer.addr, &lladdr), 0);
	s = udp_on(4000);
	device_reset(dev);
	before = fx_drops(fx, "fault", "lost");
	in_batch(fx, s, send_burst, &b);
	assert_int_equal(dev->supers, 0);
	assert_int_equal(dev->given, dev->count);
	lost = 500 - dev->count;
	assert_int_equal(fx_drops(fx, "fault", "lost") - before, lost);
	assert_in_range(lost, 30, 75);
	/* Each for itself: most of what is lost stands alone. */
	for (unsigned int i = 0; i < dev->count; i++) {
		uint8_t data[64];
		int number = previous + 1;

		for (; number < 500; number++) {
			datagram_fill(data, sizeof(data), (unsigned int)number);
			if (memcmp(data, dev->frames[i].bytes + HEADERS, sizeof(data)) == 0)
				break;
		}
		assert_true(number < 500);
		pairs += number - previous > 2;
		previous = number;
	}
	assert_true(pairs < lost / 3);
	fx_close(fx);
	device_free(dev);
}

static void what_wants_to_be_told_of_goes_by_itself(struct fixture *fx, struct device *dev, int s)
{
	int flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)), 0);
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 10, 0);
	flags = 0;
	assert_int_equal(strata_setsockopt(fx->stack, s, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof(flags)), 0);
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 2, 1);
	/* What the application cuts itself is not joined to anything. */
	fx_setsockopt(fx, s, SOL_UDP, UDP_SEGMENT, 64);
	{
		struct burst b = { .count = 5, .length = 160 };

		device_reset(dev);
		in_batch(fx, s, send_burst, &b);
		assert_int_equal(dev->given, 5);
		assert_int_equal(dev->count, 15);
	}
}

static void send_zerocopy(struct fixture *fx, int s, void *arg)
{
	uint8_t data[64] = { 0 };
	struct sockaddr_in to = fx_sockaddr(PEER_IP, 7);

	(void)arg;
	for (int i = 0; i < 5; i++)
		assert_int_equal(strata_sendto(fx->stack, s, data, sizeof(data), MSG_ZEROCOPY,
					       (struct sockaddr *)&to, sizeof(to)), 64);
}

static void zero_copy_is_told_for_each(struct fixture *fx, struct device *dev, int s)
{
	fx_setsockopt(fx, s, SOL_SOCKET, SO_ZEROCOPY, 1);
	in_batch(fx, s, send_zerocopy, NULL);
	assert_int_equal(dev->given, 5);
}

static void groups_and_broadcasts_are_not_joined(struct fixture *fx, struct device *dev, int s)
{
	fx_setsockopt(fx, s, SOL_SOCKET, SO_BROADCAST, 1);
	check_burst(dev, s, (struct burst){ .count = 5, .length = 64, .ip = BROADCAST_IP }, 5, 0);
	check_burst(dev, s, (struct burst){ .count = 5, .length = 64, .ip = GROUP_IP }, 5, 0);
}

static void what_a_host_sends_itself_is_not_joined(void **state)
{
	struct fixture *fx = join_open();
	int s = udp_on(4000), to = udp_on(7);
	struct burst b = { .count = 5, .length = 64, .ip = STACK_IP };
	uint8_t data[64], buf[100];

	(void)state;
	in_batch(fx, s, send_burst, &b);
	for (unsigned int i = 0; i < 5; i++) {
		datagram_fill(data, 64, i);
		assert_int_equal(fx_recv(fx, to, buf, sizeof(buf)), 64);
		assert_memory_equal(buf, data, 64);
	}
	expect_nothing(fx, to);
	assert_int_equal(fx_counter(fx, "udp", "in_split"), 0);
	fx_close(fx);
}

static void what_must_be_fragmented_is_not_joined(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 4, .length = 3000 };

	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	in_batch(fx, s, send_burst, &b);
	assert_int_equal(dev->given, 12);
	assert_int_equal(dev->supers, 0);
	/* And those that must not be are refused as ever. */
	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	b.result = -EMSGSIZE;
	in_batch(fx, s, send_burst, &b);
	assert_int_equal(dev->given, 12);
}

static void for_a_neighbour_that_is_asked_for_each_waits_by_itself(void **state)
{
	struct fixture *fx = join_open(.resolve = true);
	struct device *dev;
	struct burst b = { .count = 20, .length = 64 };
	int s = udp_on(4000);

	(void)state;
	fx_discard(fx);
	in_batch(fx, s, send_burst, &b);
	expect_arp(1, .tpa = PEER_IP);
	/* The neighbour keeps the last sixteen. */
	assert_int_equal(fx_drops(fx, "kernel", "neigh_queue_full"), 4);
	dev = device_on(fx);
	rx_arp(2);
	assert_int_equal(dev->given, 16);
	assert_int_equal(dev->supers, 0);
	fx_close(fx);
	device_free(dev);
}

/* ---- errors and limits ---- */

static void send_until_stopped(struct fixture *fx, int s, void *arg)
{
	unsigned int *taken = arg;

	while (fx_sendto(fx, s, "datagram", 8, PEER_IP, 7) == 8)
		(*taken)++;
	assert_int_equal(fx_sendto(fx, s, "datagram", 8, PEER_IP, 7), -EAGAIN);
}

static void a_device_that_takes_no_more_is_told_of(struct fixture *fx, struct device *dev, int s)
{
	unsigned int taken = 0;

	dev->stop_after = 3;
	in_batch(fx, s, send_until_stopped, &taken);
	/* One, and twice as many as leave together: the device said stop with the last of them. */
	assert_int_equal(taken, 1 + 2 * JOINED);
	assert_int_equal(dev->count, taken);
	assert_int_equal(strata_events(fx->stack, s) & EPOLLOUT, 0);
	dev->stop_after = 0;
	strata_iface_wake(fx->iface);
	fx_run(fx);
	assert_int_equal(strata_events(fx->stack, s) & EPOLLOUT, EPOLLOUT);
}

static void send_after_an_error(struct fixture *fx, int s, void *arg)
{
	assert_int_equal(fx_sendto(fx, s, "refused", 7, PEER_IP, 7), -ECONNREFUSED);
	send_burst(fx, s, arg);
}

static void an_error_that_came_in_is_told_before_anything_is_sent(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 6, .length = 64 };
	struct batch batch = { fx, send_after_an_error, &b, true };
	uint8_t quote[NETWORK + UDP];
	unsigned int at = 0;

	assert_int_equal(fx_connect(fx, s, PEER_IP, 7), 0);
	assert_int_equal(fx_send(fx, s, "hello", 5), 5);
	memcpy(quote, dev->frames[0].bytes + LINK, sizeof(quote));
	strata_notify(fx->stack, s, batch_run, &batch);
	batch.done = false;
	device_reset(dev);
	fx->batched = true;
	rx_icmp(.type = 3, .code = 3, .data = quote, .len = sizeof(quote));
	fx->batched = false;
	fx_run(fx);
	assert_true(batch.done);
	expect_burst(dev, &b, &at);
	assert_int_equal(dev->given, 2);
	strata_notify(fx->stack, s, NULL, NULL);
}

static void send_while_memory_is_short(struct fixture *fx, int s, void *arg)
{
	unsigned int *taken = arg;
	uint8_t data[1400] = { 0 };

	for (int i = 0; i < 40; i++) {
		ssize_t n = fx_sendto(fx, s, data, sizeof(data), PEER_IP, 7);

		assert_true(n == (ssize_t)sizeof(data) || n == -ENOBUFS);
		*taken += n > 0;
	}
}

static void short_memory_is_told_or_costs_what_was_taken(void **state)
{
	(void)state;
	for (uint64_t k = 1; k <= 40; k++)
		for (int forever = 0; forever <= 1; forever++) {
			struct fixture *fx = join_open(.uncached = true);
			struct device *dev = device_on(fx);
			unsigned int taken = 0;
			int s = udp_on(4000);

			/* The way is there, so that only datagrams want memory. */
			assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), 1);
			device_reset(dev);
			fx_fail_at(fx, k, forever != 0);
			in_batch(fx, s, send_while_memory_is_short, &taken);
			fx_fail_at(fx, 0, false);
			assert_true(dev->count <= taken);
			/* At most one packet was lost on its way down. */
			if (!forever)
				assert_true(dev->count + JOINED >= taken);
			check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 2, 1);
			fx_close(fx);
			device_free(dev);
		}
}

static void counters_count_datagrams(struct fixture *fx, struct device *dev, int s)
{
	const uint64_t before = fx->iface->counters.tx_packets;

	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 2, 1);
	assert_int_equal(fx_counter(fx, "udp", "out_datagrams"), 10);
	assert_int_equal(fx_counter(fx, "udp", "out_errors"), 0);
	assert_int_equal(fx->iface->counters.tx_packets - before, 10);
}

struct walk {
	unsigned int datagrams, together;
	uint32_t id;
};

static void walk_step(void *ctx, const struct strata_trace_record *record)
{
	struct walk *walk = ctx;

	if (strcmp(record->module, "udp") != 0)
		return;
	if (strcmp(record->text, "9 datagrams leave as one packet") == 0) {
		assert_int_equal(record->id, walk->id);
		walk->together++;
		return;
	}
	assert_int_equal(record->fields[0].type, STRATA_FIELD_TYPE_ADDR);
	walk->datagrams++;
	/* Those that are joined are one packet. */
	if (walk->datagrams == 2)
		walk->id = record->id;
	if (walk->datagrams > 2)
		assert_int_equal(record->id, walk->id);
}

static void a_trace_has_a_step_for_each_and_one_for_all(struct fixture *fx, struct device *dev, int s)
{
	struct walk walk = { 0 };

	strata_trace_attach(fx->stack, walk_step, &walk);
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 2, 1);
	strata_trace_attach(fx->stack, NULL, NULL);
	assert_int_equal(walk.datagrams, 10);
	assert_int_equal(walk.together, 1);
}

static void echo_all(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	uint8_t buf[2048];
	ssize_t n;

	(void)events;
	(void)arg;
	while ((n = strata_recvfrom(stack, s, buf, sizeof(buf), 0, (struct sockaddr *)&from, &length)) >= 0) {
		strata_sendto(stack, s, buf, (size_t)n, 0, (struct sockaddr *)&from, length);
		length = sizeof(from);
	}
}

static void an_echo_of_what_came_in_one_batch_leaves_in_two(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	unsigned int i;
	int s = udp_on(7);

	(void)state;
	strata_notify(fx->stack, s, echo_all, NULL);
	fx->batched = true;
	for (i = 0; i < 20; i++)
		rx_udp(.sport = 4000, .dport = 7, .text = "twenty of these");
	fx->batched = false;
	fx_run(fx);
	assert_int_equal(dev->given, 2);
	assert_int_equal(dev->count, 20);
	strata_notify(fx->stack, s, NULL, NULL);
	fx_close(fx);
	device_free(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOIN_TEST(the_option_turns_it_off, .options = "udp.transmit_coalescing=false"),
		JOIN_TEST(a_device_that_cannot_cut_gets_them_one_by_one, .interface = NULL, .large = false),
		JOIN_TEST(whoever_looks_at_the_frames_sees_each_by_itself),
		cmocka_unit_test(a_link_that_loses_loses_datagrams),
		JOIN_TEST(what_wants_to_be_told_of_goes_by_itself),
		JOIN_TEST(zero_copy_is_told_for_each),
		JOIN_TEST(groups_and_broadcasts_are_not_joined),
		cmocka_unit_test(what_a_host_sends_itself_is_not_joined),
		JOIN_TEST(what_must_be_fragmented_is_not_joined),
		cmocka_unit_test(for_a_neighbour_that_is_asked_for_each_waits_by_itself),
		JOIN_TEST(a_device_that_takes_no_more_is_told_of),
		JOIN_TEST(an_error_that_came_in_is_told_before_anything_is_sent),
		cmocka_unit_test(short_memory_is_told_or_costs_what_was_taken),
		JOIN_TEST(counters_count_datagrams),
		JOIN_TEST(a_trace_has_a_step_for_each_and_one_for_all),
		cmocka_unit_test(an_echo_of_what_came_in_one_batch_leaves_in_two),
	};

	return fx_main(tests);
}
