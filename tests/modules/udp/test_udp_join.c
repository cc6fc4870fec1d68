/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams joined on their way out: cut again they are what would have left one by one, and nobody is told other. */
#include <linux/net_tstamp.h>
#include <netinet/udp.h>
#include <strata/iface.h>
#include <strata/route.h>
#include <strata/trace.h>

#include "udp_test.h"

#define OFFLOAD "    options:\n      offload: true\n"
#define join_open(...) udp_open(.interface = OFFLOAD, .large = true, ##__VA_ARGS__)

enum {
	LINK = 14, NETWORK = 20, UDP = 8, HEADERS = LINK + NETWORK + UDP,
	FRAMES = 30000,			/* most frames kept */
	JOINED = 32,			/* datagrams in one packet, see JOINED_MAX of udp_join.c */
};

/* What a device was given, and what it put on the wire. */
struct device {
	struct fixture *fx;
	unsigned int given, supers;
	unsigned int stop_after;	/* takes no more when it was given so many; 0: never */
	unsigned int count;
	struct wire_frame {
		size_t length;
		uint8_t *bytes;
	} frames[FRAMES];
};

/* The headers of the frame of `payload` bytes that is number `index` of those cut out of one. Where an
 * identification means something it counts up, as Linux has it. */
static void finish_frame(uint8_t *frame, size_t payload, unsigned int index)
{
	uint8_t *ip = frame + LINK, *udp = ip + NETWORK;
	const bool df = (ip[6] & 0x40) != 0;

	strata_put_be16(ip + 2, (uint16_t)(NETWORK + UDP + payload));
	if (!df)
		strata_put_be16(ip + 4, (uint16_t)(strata_get_be16(ip + 4) + index));
	strata_put_be16(ip + 10, 0);
	strata_put_be16(ip + 10, fx_sum_finish(fx_sum(0, ip, NETWORK)));
	strata_put_be16(udp + 4, (uint16_t)(UDP + payload));
}

static void complete_checksum(uint8_t *frame, size_t payload)
{
	uint8_t *ip = frame + LINK, *udp = ip + NETWORK;
	uint32_t sum;

	strata_put_be16(udp + 6, 0);
	sum = fx_sum_pseudo(strata_get_be32(ip + 12), strata_get_be32(ip + 16), 17, UDP + payload);
	strata_put_be16(udp + 6, fx_sum_finish(fx_sum(sum, udp, UDP + payload)));
	if (strata_get_be16(udp + 6) == 0)
		strata_put_be16(udp + 6, 0xffff);
}

/* A frame on the wire: the first `headers` bytes of `bytes`, and `n` from `at` on. */
static struct wire_frame *device_sends(struct device *dev, const uint8_t *bytes, size_t headers, size_t at,
				       size_t n)
{
	struct wire_frame *frame = &dev->frames[dev->count];

	assert_true(dev->count < FRAMES);
	dev->count++;
	frame->length = headers + n;
	frame->bytes = malloc(frame->length);
	assert_non_null(frame->bytes);
	memcpy(frame->bytes, bytes, headers);
	memcpy(frame->bytes + headers, bytes + at, n);
	return frame;
}

/* A device that cuts datagrams and makes checksums, as Linux behind a TAP. */
static void device_takes(void *ctx, struct strata_iface *iface, const void *bytes, size_t length,
			 const struct strata_offload *offload)
{
	struct device *dev = ctx;
	unsigned int index = 0;
	struct fx_pkt pkt;

	dev->given++;
	if (dev->stop_after != 0 && dev->given >= dev->stop_after)
		strata_iface_stop(iface);
	if (offload->seg_type == STRATA_SEG_NONE) {
		struct wire_frame *frame = device_sends(dev, bytes, 0, 0, length);

		if (offload->csum == STRATA_CSUM_PARTIAL)
			complete_checksum(frame->bytes, length - HEADERS);
		assert_null(fx_decode(&pkt, frame->bytes, length, false));
		return;
	}
	dev->supers++;
	assert_int_equal(offload->seg_type, STRATA_SEG_DATAGRAM);
	assert_int_equal(offload->csum, STRATA_CSUM_PARTIAL);
	assert_int_equal(offload->csum_start, LINK + NETWORK);
	assert_true(length - HEADERS > offload->seg_size);
	for (size_t at = HEADERS; at < length; at += offload->seg_size) {
		const size_t n = length - at < offload->seg_size ? length - at : offload->seg_size;
		struct wire_frame *frame = device_sends(dev, bytes, HEADERS, at, n);

		finish_frame(frame->bytes, n, index++);
		complete_checksum(frame->bytes, n);
		assert_null(fx_decode(&pkt, frame->bytes, frame->length, false));
	}
}

static struct device *device_on(struct fixture *fx)
{
	struct device *dev = calloc(1, sizeof(*dev));

	assert_non_null(dev);
	dev->fx = fx;
	strata_iface_set_output_offload(fx->iface, device_takes, dev);
	return dev;
}

static void device_reset(struct device *dev)
{
	while (dev->count > 0)
		free(dev->frames[--dev->count].bytes);
	dev->given = dev->supers = 0;
}

static void device_free(struct device *dev)
{
	device_reset(dev);
	free(dev);
}

/* ---- what an application does in one batch ---- */

typedef void batch_fn(struct fixture *fx, int s, void *arg);

struct batch {
	struct fixture *fx;
	batch_fn *fn;
	void *arg;
	bool done;
};

static void batch_run(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct batch *batch = arg;

	(void)stack;
	(void)events;
	if (batch->done)
		return;
	batch->done = true;
	batch->fn(batch->fx, s, batch->arg);
}

/* All that `fn` does is one batch: a callback of the socket, which is called at once. */
static void in_batch(struct fixture *fx, int s, batch_fn *fn, void *arg)
{
	struct batch batch = { fx, fn, arg, false };

	assert_int_equal(strata_notify(fx->stack, s, batch_run, &batch), 0);
	assert_true(batch.done);
	strata_notify(fx->stack, s, NULL, NULL);
}

/* `count` datagrams of `length` bytes of a pattern, number by number, to `port`. */
struct burst {
	unsigned int count;
	size_t length;
	uint16_t port;
	uint32_t ip;
	unsigned int first;		/* number of the first */
	ssize_t result;			/* that each must have; 0: all its bytes */
};

static void datagram_fill(uint8_t *data, size_t length, unsigned int number)
{
	fx_pattern_fill(data, length, (uint64_t)number * 1009);
}

static void send_burst(struct fixture *fx, int s, void *arg)
{
	const struct burst *b = arg;
	uint8_t data[9000];

	for (unsigned int i = 0; i < b->count; i++) {
		datagram_fill(data, b->length, b->first + i);
		assert_int_equal(fx_sendto(fx, s, data, b->length, b->ip != 0 ? b->ip : PEER_IP,
					   b->port != 0 ? b->port : 7),
				 b->result != 0 ? b->result : (ssize_t)b->length);
	}
}

/* The next frames are the datagrams of the burst, all of them. */
static void expect_burst(struct device *dev, const struct burst *b, unsigned int *at)
{
	uint8_t data[9000];

	for (unsigned int i = 0; i < b->count; i++) {
		struct fx_pkt pkt;

		assert_true(*at < dev->count);
		fx_decode(&pkt, dev->frames[*at].bytes, dev->frames[*at].length, false);
		assert_int_equal(pkt.udp.dport, b->port != 0 ? b->port : 7);
		assert_int_equal(pkt.payload_len, b->length);
		datagram_fill(data, b->length, b->first + i);
		assert_memory_equal(pkt.payload, data, b->length);
		(*at)++;
	}
}

/* One burst in a batch of its own: `given` packets to the device, `supers` of them to be cut. */
static void check_burst(struct device *dev, int s, struct burst b, unsigned int given, unsigned int supers)
{
	unsigned int at = 0;

	device_reset(dev);
	in_batch(dev->fx, s, send_burst, &b);
	assert_int_equal(dev->given, given);
	assert_int_equal(dev->supers, supers);
	expect_burst(dev, &b, &at);
	assert_int_equal(dev->count, at);
}

/* ---- joining ---- */

static void the_first_of_a_batch_leaves_at_once_and_the_others_together(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	int s = udp_on(4000);

	(void)state;
	check_burst(dev, s, (struct burst){ .count = 1, .length = 64 }, 1, 0);
	check_burst(dev, s, (struct burst){ .count = 2, .length = 64 }, 2, 0);
	check_burst(dev, s, (struct burst){ .count = 3, .length = 64 }, 2, 1);
	check_burst(dev, s, (struct burst){ .count = 20, .length = 64 }, 2, 1);
	check_burst(dev, s, (struct burst){ .count = 20, .length = 1 }, 2, 1);
	check_burst(dev, s, (struct burst){ .count = 20, .length = 1472 }, 2, 1);
	fx_close(fx);
	device_free(dev);
}

static void calls_outside_of_a_batch_send_at_once(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct burst b = { .count = 5, .length = 64 };
	unsigned int at = 0;
	int s = udp_on(4000);

	(void)state;
	send_burst(fx, s, &b);
	assert_int_equal(dev->given, 5);
	expect_burst(dev, &b, &at);
	fx_close(fx);
	device_free(dev);
}

static void what_is_full_leaves(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	int s = udp_on(4000);

	(void)state;
	check_burst(dev, s, (struct burst){ .count = 1 + JOINED, .length = 64 }, 2, 1);
	check_burst(dev, s, (struct burst){ .count = 2 + JOINED, .length = 64 }, 3, 1);
	check_burst(dev, s, (struct burst){ .count = 3 + JOINED, .length = 64 }, 3, 2);
	check_burst(dev, s, (struct burst){ .count = 1 + 4 * JOINED, .length = 64 }, 5, 4);
	/* Never larger than a packet may be. */
	check_burst(dev, s, (struct burst){ .count = 300, .length = 1472 },
		    1 + (299 + JOINED - 1) / JOINED, (299 + JOINED - 1) / JOINED);
	fx_close(fx);
	device_free(dev);
}

static void nothing_becomes_larger_than_a_packet_may_be(void **state)
{
	struct fixture *fx = join_open(.mtu = 9000);
	struct device *dev = device_on(fx);
	int s = udp_on(4000);

	(void)state;
	/* Eight of them and the headers are a packet, nine are none. */
	check_burst(dev, s, (struct burst){ .count = 20, .length = 8000 }, 4, 3);
	fx_close(fx);
	device_free(dev);
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

static void a_shorter_one_is_the_last(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	const struct burst shorter[] = {
		{ .count = 4, .length = 100 }, { .count = 1, .length = 99, .first = 4 },
		{ .count = 3, .length = 99, .first = 5 },
	};
	const struct burst longer[] = {
		{ .count = 4, .length = 100 }, { .count = 4, .length = 101, .first = 4 },
	};
	int s = udp_on(4000);

	(void)state;
	/* 100 | 100 100 100 99 | 99 | 99 99 */
	check_mixed(dev, s, shorter, 3, 4, 2);
	/* 100 | 100 100 100 | 101 | 101 101 101 */
	check_mixed(dev, s, longer, 2, 4, 2);
	fx_close(fx);
	device_free(dev);
}

static void an_empty_one_goes_by_itself(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	const struct burst bursts[] = {
		{ .count = 3, .length = 100 }, { .count = 3, .length = 0, .first = 3 },
		{ .count = 3, .length = 100, .first = 6 },
	};
	int s = udp_on(4000);

	(void)state;
	/* 100 | 100 100 | 0 | 0 | 0 | 100 | 100 100 */
	check_mixed(dev, s, bursts, 3, 7, 2);
	fx_close(fx);
	device_free(dev);
}

static void another_destination_goes_behind_what_waits(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
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
	int s = udp_on(4000);

	(void)state;
	memcpy(lladdr.bytes, mac, 6);
	assert_int_equal(strata_prefix_parse(fx->stack, "192.0.2.9", &other), 0);
	assert_int_equal(strata_neigh_set(fx->iface, &other.addr, &lladdr), 0);
	check_mixed(dev, s, ports, 3, 6, 3);
	check_mixed(dev, s, hosts, 3, 6, 3);
	fx_close(fx);
	device_free(dev);
}

static void sockets_do_not_wait_for_each_other(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	int s = udp_on(4000), other = udp_on(4001);
	struct burst b = { .count = 6, .length = 100 };
	struct batch one = { fx, send_burst, &b, true }, two = { fx, send_burst, &b, true };
	unsigned int ones = 0;

	(void)state;
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
	fx_close(fx);
	device_free(dev);
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

/* ---- what is not joined ---- */

static void the_option_turns_it_off(void **state)
{
	struct fixture *fx = join_open(.options = "udp.transmit_coalescing=false");
	struct device *dev = device_on(fx);
	struct strata_error error = { 0 };
	int s = udp_on(4000);

	(void)state;
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 10, 0);
	assert_int_equal(strata_option_set(fx->stack, "udp.transmit_coalescing", "true", &error), 0);
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 2, 1);
	fx_close(fx);
	device_free(dev);
}

static void a_device_that_cannot_cut_gets_them_one_by_one(void **state)
{
	struct fixture *fx = udp_open();
	struct device *dev = device_on(fx);
	int s = udp_on(4000);

	(void)state;
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 10, 0);
	fx_close(fx);
	device_free(dev);
}

/* A sniffer that counts. */
static void count_frame(void *ctx, struct strata_iface *iface, const struct strata_pkt *pkt, bool out)
{
	(void)iface;
	assert_int_equal(pkt->seg_type, STRATA_SEG_NONE);
	*(unsigned int *)ctx += out;
}

static void whoever_looks_at_the_frames_sees_each_by_itself(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	unsigned int seen = 0;
	int s = udp_on(4000);

	(void)state;
	strata_iface_set_sniffer(fx->iface, count_frame, &seen);
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 10, 0);
	assert_int_equal(seen, 10);
	strata_iface_set_sniffer(fx->iface, NULL, NULL);
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 2, 1);
	fx_close(fx);
	device_free(dev);
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

static void what_wants_to_be_told_of_goes_by_itself(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	int s = udp_on(4000), flags = SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

	(void)state;
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
	fx_close(fx);
	device_free(dev);
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

static void zero_copy_is_told_for_each(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	int s = udp_on(4000);

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_ZEROCOPY, 1);
	in_batch(fx, s, send_zerocopy, NULL);
	assert_int_equal(dev->given, 5);
	fx_close(fx);
	device_free(dev);
}

static void groups_and_broadcasts_are_not_joined(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	int s = udp_on(4000);

	(void)state;
	fx_setsockopt(fx, s, SOL_SOCKET, SO_BROADCAST, 1);
	check_burst(dev, s, (struct burst){ .count = 5, .length = 64, .ip = BROADCAST_IP }, 5, 0);
	check_burst(dev, s, (struct burst){ .count = 5, .length = 64, .ip = GROUP_IP }, 5, 0);
	fx_close(fx);
	device_free(dev);
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

static void what_must_be_fragmented_is_not_joined(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct burst b = { .count = 4, .length = 3000 };
	int s = udp_on(4000);

	(void)state;
	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	in_batch(fx, s, send_burst, &b);
	assert_int_equal(dev->given, 12);
	assert_int_equal(dev->supers, 0);
	/* And those that must not be are refused as ever. */
	fx_setsockopt(fx, s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	b.result = -EMSGSIZE;
	in_batch(fx, s, send_burst, &b);
	assert_int_equal(dev->given, 12);
	fx_close(fx);
	device_free(dev);
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

/* ---- what a socket does while some wait ---- */

static void send_and_close(struct fixture *fx, int s, void *arg)
{
	send_burst(fx, s, arg);
	assert_int_equal(strata_close(fx->stack, s), 0);
}

static void closing_sends_what_waits(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct burst b = { .count = 10, .length = 64 };
	struct batch batch = { fx, send_and_close, &b, false };
	unsigned int at = 0;
	int s = udp_on(4000);

	(void)state;
	assert_int_equal(strata_notify(fx->stack, s, batch_run, &batch), 0);
	assert_int_equal(dev->given, 2);
	expect_burst(dev, &b, &at);
	assert_int_equal(fx_counter(fx, "udp", "out_datagrams"), 10);
	fx_close(fx);
	device_free(dev);
}

static void send_and_shut_down(struct fixture *fx, int s, void *arg)
{
	send_burst(fx, s, arg);
	strata_shutdown(fx->stack, s, SHUT_RDWR);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -EPIPE);
}

static void shutting_down_sends_what_waits(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct burst b = { .count = 10, .length = 64 };
	unsigned int at = 0;
	int s = udp_on(4000);

	(void)state;
	in_batch(fx, s, send_and_shut_down, &b);
	expect_burst(dev, &b, &at);
	assert_int_equal(dev->count, 10);
	fx_close(fx);
	device_free(dev);
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

static void connecting_sends_what_waits(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct burst b = { .count = 5, .length = 64 };
	unsigned int at = 0;
	int s = udp_on(4000);

	(void)state;
	in_batch(fx, s, send_to_both, &b);
	expect_burst(dev, &b, &at);
	assert_int_equal(dev->count, 6);
	assert_int_equal(strata_get_be16(dev->frames[5].bytes + LINK + NETWORK + 2), 9);
	fx_close(fx);
	device_free(dev);
}

/* ---- what happens to the way meanwhile ---- */

static void send_and_bump(struct fixture *fx, int s, void *arg)
{
	send_burst(fx, s, arg);
	strata_generation_bump(fx->stack);
}

static void a_way_that_is_found_again_serves(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct burst b = { .count = 10, .length = 64 };
	unsigned int at = 0;
	int s = udp_on(4000);

	(void)state;
	in_batch(fx, s, send_and_bump, &b);
	expect_burst(dev, &b, &at);
	assert_int_equal(dev->given, 2);
	fx_setsockopt(fx, s, SOL_SOCKET, SO_BINDTOIFINDEX, (int)fx->iface->index);
	device_reset(dev);
	at = 0;
	in_batch(fx, s, send_and_bump, &b);
	expect_burst(dev, &b, &at);
	fx_close(fx);
	device_free(dev);
}

static void send_and_lose_the_address(struct fixture *fx, int s, void *arg)
{
	struct strata_prefix own;

	send_burst(fx, s, arg);
	assert_int_equal(strata_prefix_parse(fx->stack, "192.0.2.2", &own), 0);
	assert_int_equal(strata_ifaddr_remove(fx->iface, &own.addr), 0);
}

static void without_a_way_they_are_dropped_and_the_next_call_tells(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct burst b = { .count = 10, .length = 64 };
	int s = udp_on(4000);

	(void)state;
	in_batch(fx, s, send_and_lose_the_address, &b);
	assert_int_equal(dev->count, 1);
	assert_int_equal(fx_drops(fx, "udp", "no_way"), 1);
	assert_int_equal(fx_counter(fx, "udp", "out_datagrams"), 1);
	assert_int_equal(fx_counter(fx, "udp", "out_errors"), 9);
	assert_int_equal(strata_events(fx->stack, s) & EPOLLERR, EPOLLERR);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -EINVAL);
	fx_close(fx);
	device_free(dev);
}

static void send_and_stop_the_link(struct fixture *fx, int s, void *arg)
{
	send_burst(fx, s, arg);
	strata_iface_set_running(fx->iface, false);
}

static void an_interface_that_goes_down_takes_them_along(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct burst b = { .count = 10, .length = 64 };
	int s = udp_on(4000);

	(void)state;
	in_batch(fx, s, send_and_stop_the_link, &b);
	assert_int_equal(dev->count, 1);
	assert_int_equal(fx_drops(fx, "udp", "no_way"), 1);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -ENETDOWN);
	fx_close(fx);
	device_free(dev);
}

static void send_and_disable(struct fixture *fx, int s, void *arg)
{
	struct strata_error error = { 0 };

	send_burst(fx, s, arg);
	assert_int_equal(strata_module_disable(fx->stack, "udp", &error), 0);
}

static void a_module_that_is_disabled_sends_what_waits(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct burst b = { .count = 10, .length = 64 };
	int s = udp_on(4000);

	(void)state;
	in_batch(fx, s, send_and_disable, &b);
	assert_int_equal(dev->count, 10);
	assert_int_equal(fx_sendto(fx, s, "x", 1, PEER_IP, 7), -ENETDOWN);
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

static void a_device_that_takes_no_more_is_told_of(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	unsigned int taken = 0;
	int s = udp_on(4000);

	(void)state;
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
	fx_close(fx);
	device_free(dev);
}

static void send_after_an_error(struct fixture *fx, int s, void *arg)
{
	assert_int_equal(fx_sendto(fx, s, "refused", 7, PEER_IP, 7), -ECONNREFUSED);
	send_burst(fx, s, arg);
}

static void an_error_that_came_in_is_told_before_anything_is_sent(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct burst b = { .count = 6, .length = 64 };
	struct batch batch = { fx, send_after_an_error, &b, true };
	uint8_t quote[NETWORK + UDP];
	unsigned int at = 0;
	int s = udp_on(4000);

	(void)state;
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
	fx_close(fx);
	device_free(dev);
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

static void counters_count_datagrams(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	const uint64_t before = fx->iface->counters.tx_packets;
	int s = udp_on(4000);

	(void)state;
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 2, 1);
	assert_int_equal(fx_counter(fx, "udp", "out_datagrams"), 10);
	assert_int_equal(fx_counter(fx, "udp", "out_errors"), 0);
	assert_int_equal(fx->iface->counters.tx_packets - before, 10);
	fx_close(fx);
	device_free(dev);
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

static void a_trace_has_a_step_for_each_and_one_for_all(void **state)
{
	struct fixture *fx = join_open();
	struct device *dev = device_on(fx);
	struct walk walk = { 0 };
	int s = udp_on(4000);

	(void)state;
	strata_trace_attach(fx->stack, walk_step, &walk);
	check_burst(dev, s, (struct burst){ .count = 10, .length = 64 }, 2, 1);
	strata_trace_attach(fx->stack, NULL, NULL);
	assert_int_equal(walk.datagrams, 10);
	assert_int_equal(walk.together, 1);
	fx_close(fx);
	device_free(dev);
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
		cmocka_unit_test(the_first_of_a_batch_leaves_at_once_and_the_others_together),
		cmocka_unit_test(calls_outside_of_a_batch_send_at_once),
		cmocka_unit_test(what_is_full_leaves),
		cmocka_unit_test(nothing_becomes_larger_than_a_packet_may_be),
		cmocka_unit_test(a_shorter_one_is_the_last),
		cmocka_unit_test(an_empty_one_goes_by_itself),
		cmocka_unit_test(another_destination_goes_behind_what_waits),
		cmocka_unit_test(sockets_do_not_wait_for_each_other),
		cmocka_unit_test(cut_again_they_are_what_leaves_one_by_one),
		cmocka_unit_test(the_option_turns_it_off),
		cmocka_unit_test(a_device_that_cannot_cut_gets_them_one_by_one),
		cmocka_unit_test(whoever_looks_at_the_frames_sees_each_by_itself),
		cmocka_unit_test(a_link_that_loses_loses_datagrams),
		cmocka_unit_test(what_wants_to_be_told_of_goes_by_itself),
		cmocka_unit_test(zero_copy_is_told_for_each),
		cmocka_unit_test(groups_and_broadcasts_are_not_joined),
		cmocka_unit_test(what_a_host_sends_itself_is_not_joined),
		cmocka_unit_test(what_must_be_fragmented_is_not_joined),
		cmocka_unit_test(for_a_neighbour_that_is_asked_for_each_waits_by_itself),
		cmocka_unit_test(closing_sends_what_waits),
		cmocka_unit_test(shutting_down_sends_what_waits),
		cmocka_unit_test(disconnecting_sends_what_waits_from_the_port_it_had),
		cmocka_unit_test(connecting_sends_what_waits),
		cmocka_unit_test(a_way_that_is_found_again_serves),
		cmocka_unit_test(without_a_way_they_are_dropped_and_the_next_call_tells),
		cmocka_unit_test(an_interface_that_goes_down_takes_them_along),
		cmocka_unit_test(a_module_that_is_disabled_sends_what_waits),
		cmocka_unit_test(a_device_that_takes_no_more_is_told_of),
		cmocka_unit_test(an_error_that_came_in_is_told_before_anything_is_sent),
		cmocka_unit_test(short_memory_is_told_or_costs_what_was_taken),
		cmocka_unit_test(counters_count_datagrams),
		cmocka_unit_test(a_trace_has_a_step_for_each_and_one_for_all),
		cmocka_unit_test(an_echo_of_what_came_in_one_batch_leaves_in_two),
	};

	return fx_main(tests);
}
