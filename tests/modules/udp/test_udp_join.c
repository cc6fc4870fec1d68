/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams joined on their way out: cut again they are what would have left one by one. */
#include <netinet/udp.h>
#include <strata/route.h>

#include "udp_device.h"

/* ---- joining ---- */

static void the_first_of_a_batch_leaves_at_once_and_the_others_together(struct fixture *fx, struct device *dev, int s)
{
	(void)fx;
	check_burst(dev, s, (struct burst){ .count = 1, .length = 64 }, 1, 0);
	check_burst(dev, s, (struct burst){ .count = 2, .length = 64 }, 2, 0);
	check_burst(dev, s, (struct burst){ .count = 3, .length = 64 }, 2, 1);
	check_burst(dev, s, (struct burst){ .count = 20, .length = 64 }, 2, 1);
	check_burst(dev, s, (struct burst){ .count = 20, .length = 1 }, 2, 1);
	check_burst(dev, s, (struct burst){ .count = 20, .length = 1472 }, 2, 1);
}

static void calls_outside_of_a_batch_send_at_once(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 5, .length = 64 };
	unsigned int at = 0;

	send_burst(fx, s, &b);
	assert_int_equal(dev->given, 5);
	expect_burst(dev, &b, &at);
}

static void what_is_full_leaves(struct fixture *fx, struct device *dev, int s)
{
	(void)fx;
	check_burst(dev, s, (struct burst){ .count = 1 + JOINED, .length = 64 }, 2, 1);
	check_burst(dev, s, (struct burst){ .count = 2 + JOINED, .length = 64 }, 3, 1);
	check_burst(dev, s, (struct burst){ .count = 3 + JOINED, .length = 64 }, 3, 2);
	check_burst(dev, s, (struct burst){ .count = 1 + 4 * JOINED, .length = 64 }, 5, 4);
	/* Never larger than a packet may be. */
	check_burst(dev, s, (struct burst){ .count = 300, .length = 1472 },
		    1 + (299 + JOINED - 1) / JOINED, (299 + JOINED - 1) / JOINED);
}

static void nothing_becomes_larger_than_a_packet_may_be(struct fixture *fx, struct device *dev, int s)
{
	(void)fx;
	/* Eight of them and the headers are a packet, nine are none. */
	check_burst(dev, s, (struct burst){ .count = 20, .length = 8000 }, 4, 3);
}

struct mixed {
	const struct burst *bursts;
	unsigned int count;
};

static void send_mixed(struct fixture *fx, int s, void *arg)
{
	const struct mixed *m = arg;

	for (unsigned int i = 0; i < m->count; i++) {
		struct burst b = m->bursts[i];

		send_burst(fx, s, &b);
	}
}

static void check_mixed(struct device *dev, int s, const struct burst *bursts, unsigned int count,
			unsigned int given, unsigned int supers)
{
	struct mixed m = { bursts, count };
	unsigned int at = 0;

	device_reset(dev);
	in_batch(dev->fx, s, send_mixed, &m);
	for (unsigned int i = 0; i < count; i++)
		expect_burst(dev, &bursts[i], &at);
	assert_int_equal(dev->count, at);
	assert_int_equal(dev->given, given);
	assert_int_equal(dev->supers, supers);
}

static void a_shorter_one_is_the_last(struct fixture *fx, struct device *dev, int s)
{
	const struct burst shorter[] = {
		{ .count = 4, .length = 100 }, { .count = 1, .length = 99, .first = 4 },
		{ .count = 3, .length = 99, .first = 5 },
	};
	const struct burst longer[] = {
		{ .count = 4, .length = 100 }, { .count = 4, .length = 101, .first = 4 },
	};

	(void)fx;
	/* 100 | 100 100 100 99 | 99 | 99 99 */
	check_mixed(dev, s, shorter, 3, 4, 2);
	/* 100 | 100 100 100 | 101 | 101 101 101 */
	check_mixed(dev, s, longer, 2, 4, 2);
}

static void an_empty_one_goes_by_itself(struct fixture *fx, struct device *dev, int s)
{
	const struct burst bursts[] = {
		{ .count = 3, .length = 100 }, { .count = 3, .length = 0, .first = 3 },
		{ .count = 3, .length = 100, .first = 6 },
	};

	(void)fx;
	/* 100 | 100 100 | 0 | 0 | 0 | 100 | 100 100 */
	check_mixed(dev, s, bursts, 3, 7, 2);
}

static void another_destination_goes_behind_what_waits(struct fixture *fx, struct device *dev, int s)
{
	const struct burst ports[] = {
		{ .count = 3, .length = 100 }, { .count = 3, .length = 100, .port = 8, .first = 3 },
		{ .count = 3, .length = 100, .first = 6 },
	};
	const struct burst hosts[] = {
		{ .count = 3, .length = 100 }, { .count = 3, .length = 100, .ip = OTHER_IP, .first = 3 },
		{ .count = 3, .length = 100, .first = 6 },
	};
	const uint8_t mac[6] = { 2, 0, 0, 0, 0, 9 };
	struct strata_lladdr lladdr = { .length = 6 };
	struct strata_prefix other;

	memcpy(lladdr.bytes, mac, 6);
	assert_int_equal(strata_prefix_parse(fx->stack, "192.0.2.9", &other), 0);
	assert_int_equal(strata_neigh_set(fx->iface, &other.addr, &lladdr), 0);
	check_mixed(dev, s, ports, 3, 6, 3);
	check_mixed(dev, s, hosts, 3, 6, 3);
}

static void sockets_do_not_wait_for_each_other(struct fixture *fx, struct device *dev, int s)
{
	int other = udp_on(4001);
	struct burst b = { .count = 6, .length = 100 };
	struct batch one = { fx, send_burst, &b, true }, two = { fx, send_burst, &b, true };
	unsigned int ones = 0;

	strata_notify(fx->stack, s, batch_run, &one);
	strata_notify(fx->stack, other, batch_run, &two);
	one.done = two.done = false;
	/* Both are told at the end of one batch. */
	fx->batched = true;
	rx_udp(.sport = 9, .dport = 4000, .text = "go");
	rx_udp(.sport = 9, .dport = 4001, .text = "go");
	fx->batched = false;
	fx_run(fx);
	assert_true(one.done && two.done);
	assert_int_equal(dev->given, 4);
	assert_int_equal(dev->supers, 2);
	assert_int_equal(dev->count, 12);
	for (unsigned int i = 0; i < dev->count; i++)
		ones += strata_get_be16(dev->frames[i].bytes + LINK + NETWORK) == 4000;
	assert_int_equal(ones, 6);
	strata_notify(fx->stack, s, NULL, NULL);
	strata_notify(fx->stack, other, NULL, NULL);
}

/* ---- the same on the wire ---- */

/* One thing that an application does in a batch. */
static void random_step(struct fixture *fx, int s, uint64_t *rng, unsigned int number)
{
	static const int dfs[] = { IP_PMTUDISC_DONT, IP_PMTUDISC_WANT, IP_PMTUDISC_DO };
	static const uint16_t sizes[] = { 64, 64, 64, 64, 63, 1, 0, 512, 1472, 1473, 3000 };
	size_t length = sizes[fx_random(rng) % STRATA_COUNT(sizes)];
	struct sockaddr_in to = fx_sockaddr(PEER_IP, 7);
	static uint8_t data[3000];

	datagram_fill(data, length, number);
	switch (fx_random(rng) % 24) {
	case 0:
		fx_setsockopt(fx, s, IPPROTO_IP, IP_TTL, (int)(60 + fx_random(rng) % 2));
		break;
	case 1:
		fx_setsockopt(fx, s, IPPROTO_IP, IP_TOS, (int)(fx_random(rng) % 2) * 4);
		break;
	case 2:
		fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, dfs[fx_random(rng) % 3]);
		break;
	case 3:
		fx_setsockopt(fx, s, SOL_UDP, UDP_SEGMENT, (int)(fx_random(rng) % 2) * 40);
		break;
	case 4:
		fx_connect(fx, s, PEER_IP, 7);
		break;
	case 5:
		to.sin_family = AF_UNSPEC;
		strata_connect(fx->stack, s, (struct sockaddr *)&to, sizeof(to));
		break;
	case 6:
		strata_generation_bump(fx->stack);
		break;
	case 7:
		fx_sendto(fx, s, data, length, PEER_IP, 8);
		break;
	default:
		for (uint64_t n = 1 + fx_random(rng) % 12; n > 0; n--)
			fx_sendto(fx, s, data, length, PEER_IP, 7);
		break;
	}
}

struct random_run {
	uint64_t rng;
	unsigned int steps, number;
};

static void random_batch(struct fixture *fx, int s, void *arg)
{
	struct random_run *run = arg;

	for (unsigned int i = 0; i < run->steps; i++)
		random_step(fx, s, &run->rng, run->number++);
}

/* Frames that a run puts on the wire; the kernel's own fragments are not joined. */
static struct device *random_frames(uint64_t seed, bool joining, uint64_t *sent, uint64_t *errors)
{
	struct fixture *fx = join_open(.options = joining ? "udp.transmit_coalescing=true" :
							    "udp.transmit_coalescing=false");
	struct device *dev = device_on(fx);
	struct random_run run = { .rng = seed, .steps = 40 };
	int s = udp_on(4000);

	for (unsigned int i = 0; i < 4; i++)
		in_batch(fx, s, random_batch, &run);
	*sent = fx_counter(fx, "udp", "out_datagrams");
	*errors = fx_counter(fx, "udp", "out_errors");
	fx_close(fx);
	return dev;
}

static void cut_again_they_are_what_leaves_one_by_one(void **state)
{
	unsigned int supers = 0, saved = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 25; seed++) {
		uint64_t sent[2], errors[2];
		struct device *joined = random_frames(seed, true, &sent[0], &errors[0]);
		struct device *alone = random_frames(seed, false, &sent[1], &errors[1]);

		assert_int_equal(joined->count, alone->count);
		for (unsigned int i = 0; i < alone->count; i++) {
			assert_int_equal(joined->frames[i].length, alone->frames[i].length);
			assert_memory_equal(joined->frames[i].bytes, alone->frames[i].bytes,
					    alone->frames[i].length);
		}
		assert_int_equal(sent[0], sent[1]);
		assert_int_equal(errors[0], errors[1]);
		supers += joined->supers;
		saved += alone->given - joined->given;
		device_free(joined);
		device_free(alone);
	}
	/* It did join. */
	assert_true(supers > 100 && saved > 500);
}

/* ---- what a socket does while some wait ---- */

static void send_and_close(struct fixture *fx, int s, void *arg)
{
	send_burst(fx, s, arg);
	assert_int_equal(strata_close(fx->stack, s), 0);
}

static void closing_sends_what_waits(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 10, .length = 64 };
	struct batch batch = { fx, send_and_close, &b, false };
	unsigned int at = 0;

	assert_int_equal(strata_notify(fx->stack, s, batch_run, &batch), 0);
	assert_int_equal(dev->given, 2);
	expect_burst(dev, &b, &at);
	assert_int_equal(fx_counter(fx, "udp", "out_datagrams"), 10);
}

static void send_and_shut_down(struct fixture *fx, int s, void *arg)
{
	send_burst(fx, s, arg);
	strata_shutdown(fx->stack, s, SHUT_RDWR);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -EPIPE);
}

static void shutting_down_sends_what_waits(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 10, .length = 64 };
	unsigned int at = 0;

	in_batch(fx, s, send_and_shut_down, &b);
	expect_burst(dev, &b, &at);
	assert_int_equal(dev->count, 10);
}

static void send_and_disconnect(struct fixture *fx, int s, void *arg)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	assert_int_equal(fx_connect(fx, s, PEER_IP, 7), 0);
	send_burst(fx, s, arg);
	assert_int_equal(strata_connect(fx->stack, s, &none, sizeof(none)), 0);
	send_burst(fx, s, arg);
}

/* A port that was chosen for the connection goes with it. */
static void disconnecting_sends_what_waits_from_the_port_it_had(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct burst b = { .count = 5, .length = 64 };
	unsigned int at = 0;
	uint16_t port;
	int s = udp_socket(fx);

	(void)state;
	in_batch(fx, s, send_and_disconnect, &b);
	expect_burst(dev, &b, &at);
	expect_burst(dev, &b, &at);
	port = strata_get_be16(dev->frames[0].bytes + LINK + NETWORK);
	for (unsigned int i = 0; i < 10; i++)
		if (i < 5)
			assert_int_equal(strata_get_be16(dev->frames[i].bytes + LINK + NETWORK), port);
		else
			assert_int_equal(strata_get_be16(dev->frames[i].bytes + LINK + NETWORK),
					 fx_local_port(fx, s));
	assert_int_not_equal(port, fx_local_port(fx, s));
	fx_close(fx);
	device_free(dev);
}

static void send_to_both(struct fixture *fx, int s, void *arg)
{
	send_burst(fx, s, arg);
	assert_int_equal(fx_connect(fx, s, PEER_IP, 9), 0);
	assert_int_equal(fx_send(fx, s, "nine", 4), 4);
}

static void connecting_sends_what_waits(struct fixture *fx, struct device *dev, int s)
{
	struct burst b = { .count = 5, .length = 64 };
	unsigned int at = 0;

	in_batch(fx, s, send_to_both, &b);
	expect_burst(dev, &b, &at);
	assert_int_equal(dev->count, 6);
	assert_int_equal(strata_get_be16(dev->frames[5].bytes + LINK + NETWORK + 2), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		JOIN_TEST(the_first_of_a_batch_leaves_at_once_and_the_others_together),
		JOIN_TEST(calls_outside_of_a_batch_send_at_once),
		JOIN_TEST(what_is_full_leaves),
		JOIN_TEST(nothing_becomes_larger_than_a_packet_may_be, .mtu = 9000),
		JOIN_TEST(a_shorter_one_is_the_last),
		JOIN_TEST(an_empty_one_goes_by_itself),
		JOIN_TEST(another_destination_goes_behind_what_waits),
		JOIN_TEST(sockets_do_not_wait_for_each_other),
		cmocka_unit_test(cut_again_they_are_what_leaves_one_by_one),
		JOIN_TEST(closing_sends_what_waits),
		JOIN_TEST(shutting_down_sends_what_waits),
		cmocka_unit_test(disconnecting_sends_what_waits_from_the_port_it_had),
		JOIN_TEST(connecting_sends_what_waits),
	};

	return fx_main(tests);
}
