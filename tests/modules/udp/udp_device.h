/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of joined datagrams: a device that cuts and keeps what it puts on the wire, and batches of calls. */
#ifndef UDP_DEVICE_H
#define UDP_DEVICE_H

#include <strata/iface.h>

#include "udp_test.h"

#define OFFLOAD "    options:\n      offload: true\n"
#define JOINING .modules = UDP_MODULES, .interface = OFFLOAD, .large = true
#define join_open(...) fx_open(JOINING, ##__VA_ARGS__)

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
static inline void finish_frame(uint8_t *frame, size_t payload, unsigned int index)
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

static inline void complete_checksum(uint8_t *frame, size_t payload)
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
static inline struct wire_frame *device_sends(struct device *dev, const uint8_t *bytes, size_t headers, size_t at,
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
static inline void device_takes(void *ctx, struct strata_iface *iface, const void *bytes, size_t length,
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

static inline struct device *device_on(struct fixture *fx)
{
	struct device *dev = calloc(1, sizeof(*dev));

	assert_non_null(dev);
	dev->fx = fx;
	strata_iface_set_output_offload(fx->iface, device_takes, dev);
	return dev;
}

static inline void device_reset(struct device *dev)
{
	while (dev->count > 0)
		free(dev->frames[--dev->count].bytes);
	dev->given = dev->supers = 0;
}

static inline void device_free(struct device *dev)
{
	device_reset(dev);
	free(dev);
}

/* ---- plays ---- */

/* What a test does with a stack, its device, and a socket bound to port 4000: made before it, closed after it. */
struct join_play {
	void (*play)(struct fixture *fx, struct device *dev, int s);
	struct fx_config config;
};

static inline void join_play(void **state)
{
	const struct join_play *it = *state;
	struct fixture *fx = fx_open_config(&it->config, __FILE__, __LINE__);
	struct device *dev = device_on(fx);

	it->play(fx, dev, udp_on(4000));
	fx_close(fx);
	device_free(dev);
}

/* An entry of the array of tests. Further arguments are fields of struct fx_config. */
#define JOIN_TEST(play_, ...) \
	{ .name = #play_, .test_func = join_play, \
	  .initial_state = &(struct join_play){ .play = (play_), .config = { JOINING, ##__VA_ARGS__ } } }

/* ---- what an application does in one batch ---- */

typedef void batch_fn(struct fixture *fx, int s, void *arg);

struct batch {
	struct fixture *fx;
	batch_fn *fn;
	void *arg;
	bool done;
};

static inline void batch_run(struct strata_stack *stack, int s, uint32_t events, void *arg)
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
static inline void in_batch(struct fixture *fx, int s, batch_fn *fn, void *arg)
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

static inline void datagram_fill(uint8_t *data, size_t length, unsigned int number)
{
	fx_pattern_fill(data, length, (uint64_t)number * 1009);
}

static inline void send_burst(struct fixture *fx, int s, void *arg)
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
static inline void expect_burst(struct device *dev, const struct burst *b, unsigned int *at)
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
static inline void check_burst(struct device *dev, int s, struct burst b, unsigned int given, unsigned int supers)
{
	unsigned int at = 0;

	device_reset(dev);
	in_batch(dev->fx, s, send_burst, &b);
	assert_int_equal(dev->given, given);
	assert_int_equal(dev->supers, supers);
	expect_burst(dev, &b, &at);
	assert_int_equal(dev->count, at);
}

#endif
