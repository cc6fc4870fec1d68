/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filter of a packet socket, run by the host's kernel on datagrams of a socket pair: which frames a stack
 * takes, and which of several shards.
 */
#include "world.h"

#include <strata/shard.h>
#include <sys/socket.h>
#include <unistd.h>
#include "packet_int.h"

#define FRAMES 4000
#define IP 14

/* What stands for the packet socket of each shard, and its other end. */
struct rig {
	struct world world;
	struct packet_config config;
	struct strata_iface iface[WORLD_SHARDS];
	struct packet packet[WORLD_SHARDS];
	int host[WORLD_SHARDS];
	uint8_t mac[6];
};

static void rig_open(struct rig *rig, unsigned int count, uint64_t fanout, uint32_t flags)
{
	memset(rig, 0, sizeof(*rig));
	world_open(&rig->world, count, "", "");
	rig->config.fanout = fanout;
	for (unsigned int i = 0; i < count; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair), 0);
		rig->iface[i] = *strata_iface_by_index(world_shard(&rig->world, i), 1);
		rig->iface[i].config = &rig->config;
		rig->iface[i].flags |= flags;
		rig->packet[i].iface = &rig->iface[i];
		rig->packet[i].fd = pair[0];
		rig->host[i] = pair[1];
		assert_int_equal(packet_filter_set(&rig->packet[i]), 0);
	}
	memcpy(rig->mac, rig->iface[0].lladdr.bytes, sizeof(rig->mac));
}

static void rig_close(struct rig *rig)
{
	for (unsigned int i = 0; i < rig->world.count; i++) {
		close(rig->host[i]);
		close(rig->packet[i].fd);
	}
	world_close(&rig->world);
}

/* The shards that take the frame, a bit for each. */
static unsigned int taken_by(struct rig *rig, const uint8_t *frame, size_t length)
{
	uint8_t buf[256];
	unsigned int who = 0;

	for (unsigned int i = 0; i < rig->world.count; i++) {
		ssize_t n;

		assert_int_equal(send(rig->host[i], frame, length, 0), (ssize_t)length);
		n = recv(rig->packet[i].fd, buf, sizeof(buf), 0);
		if (n < 0)
			continue;
		/* All of it. */
		assert_int_equal(n, (ssize_t)length);
		who |= 1u << i;
	}
	return who;
}

static uint32_t any(struct rig *rig, uint32_t below)
{
	return (uint32_t)(fx_random(&rig->world.rng) >> 33) % below;
}

/* A frame to the interface with whatever in it, and a length that may be too short for it. */
static size_t make_frame(struct rig *rig, uint8_t frame[128])
{
	static const uint16_t types[] = { 0x0800, 0x0800, 0x0800, 0x0800, 0x0806, 0x86dd, 0x8100 };
	static const uint8_t protocols[] = { 6, 6, 17, 17, 1, 253 };

	for (unsigned int i = 0; i < 128; i++)
		frame[i] = (uint8_t)any(rig, 256);
	memcpy(frame, rig->mac, 6);
	strata_put_be16(frame + 12, types[any(rig, STRATA_COUNT(types))]);
	frame[IP] = (uint8_t)(0x40 | (any(rig, 4) != 0 ? 5 : any(rig, 16)));
	frame[IP + 9] = protocols[any(rig, STRATA_COUNT(protocols))];
	/* Don't Fragment as often as not; and what is one. */
	strata_put_be16(frame + IP + 6, (uint16_t)(any(rig, 4) != 0 ? any(rig, 2) << 14 : any(rig, 0x4000)));
	return any(rig, 4) != 0 ? 100 : 14 + any(rig, 80);
}

/* The owner of its flow; 0: it has none. Says what the filter should, in other words. */
static unsigned int owner_of(const struct rig *rig, const uint8_t *frame, size_t length)
{
	const size_t header = (size_t)(frame[IP] & 15) * 4;
	struct strata_steering steering;
	uint32_t from, to;

	if (length < IP + 20 + 4 || length < IP + header + 4 || strata_get_be16(frame + 12) != 0x0800 ||
	    (frame[IP + 9] != 6 && frame[IP + 9] != 17) || (strata_get_be16(frame + IP + 6) & 0x3fff) != 0)
		return 0;
	strata_shard_steering(rig->iface[0].stack, &steering);
	from = strata_steering_end(&steering, strata_get_be32(frame + IP + 12),
				   strata_get_be16(frame + IP + header));
	to = strata_steering_end(&steering, strata_get_be32(frame + IP + 16),
				 strata_get_be16(frame + IP + header + 2));
	return strata_steering_owner(&steering, strata_steering_hash(&steering, from, to));
}

static void a_frame_goes_to_the_owner_of_its_flow_and_to_no_other(void **state)
{
	unsigned int frames[WORLD_SHARDS] = { 0 };
	uint8_t frame[128];
	struct rig rig;

	(void)state;
	rig_open(&rig, WORLD_SHARDS, 0, 0);
	for (unsigned int n = 0; n < FRAMES; n++) {
		size_t length = make_frame(&rig, frame);
		unsigned int owner = owner_of(&rig, frame, length);

		assert_int_equal(taken_by(&rig, frame, length), 1u << owner);
		frames[owner]++;
	}
	/* Some 30 % of them have a flow, which all shards share. */
	for (unsigned int i = 0; i < WORLD_SHARDS; i++)
		assert_true(frames[i] > FRAMES / 20);
	rig_close(&rig);
}

static void both_directions_of_a_flow_have_one_owner(void **state)
{
	uint8_t frame[128], swapped[8];
	struct rig rig;

	(void)state;
	rig_open(&rig, WORLD_SHARDS, 0, 0);
	for (unsigned int n = 0; n < FRAMES / 4; n++) {
		unsigned int who;

		make_frame(&rig, frame);
		strata_put_be16(frame + 12, 0x0800);
		frame[IP] = 0x45;
		frame[IP + 9] = 6;
		strata_put_be16(frame + IP + 6, 0);
		who = taken_by(&rig, frame, 100);
		memcpy(swapped, frame + IP + 16, 4);
		memcpy(swapped + 4, frame + IP + 12, 4);
		memcpy(frame + IP + 12, swapped, 8);
		memcpy(swapped, frame + IP + 22, 2);
		memcpy(swapped + 2, frame + IP + 20, 2);
		memcpy(frame + IP + 20, swapped, 4);
		assert_int_equal(taken_by(&rig, frame, 100), who);
	}
	rig_close(&rig);
}

static void frames_to_others_are_nobodys(void **state)
{
	uint8_t frame[128];
	struct rig rig;

	(void)state;
	rig_open(&rig, WORLD_SHARDS, 0, 0);
	for (unsigned int n = 0; n < FRAMES / 4; n++) {
		size_t length = make_frame(&rig, frame);

		frame[n % 6] ^= n % 6 == 0 ? 2 : 1;
		if ((frame[0] & 1) == 0)
			assert_int_equal(taken_by(&rig, frame, length), 0);
	}
	rig_close(&rig);
}

static void frames_to_all_come_to_one(void **state)
{
	uint8_t frame[128];
	struct rig rig;

	(void)state;
	rig_open(&rig, WORLD_SHARDS, 0, 0);
	for (unsigned int n = 0; n < FRAMES / 4; n++) {
		size_t length = make_frame(&rig, frame);

		memset(frame, 0xff, 6);
		assert_int_equal(taken_by(&rig, frame, length), 1u << owner_of(&rig, frame, length));
	}
	rig_close(&rig);
}

static void one_stack_takes_all(void **state)
{
	uint8_t frame[128];
	struct rig rig;

	(void)state;
	rig_open(&rig, 1, 0, 0);
	for (unsigned int n = 0; n < FRAMES / 4; n++) {
		size_t length = make_frame(&rig, frame);

		assert_int_equal(taken_by(&rig, frame, length), 1);
	}
	rig_close(&rig);
}

static void in_a_group_each_takes_what_it_is_given(void **state)
{
	uint8_t frame[128];
	struct rig rig;

	(void)state;
	rig_open(&rig, WORLD_SHARDS, 9, 0);
	for (unsigned int n = 0; n < FRAMES / 4; n++) {
		size_t length = make_frame(&rig, frame);

		assert_int_equal(taken_by(&rig, frame, length), (1u << WORLD_SHARDS) - 1);
	}
	rig_close(&rig);
}

static void an_interface_that_carries_another_takes_frames_to_any_address(void **state)
{
	uint8_t frame[128];
	struct rig rig;

	(void)state;
	rig_open(&rig, WORLD_SHARDS, 0, STRATA_IFACE_CARRIES);
	for (unsigned int n = 0; n < FRAMES / 4; n++) {
		size_t length = make_frame(&rig, frame);

		frame[n % 6] ^= 2;
		assert_int_equal(taken_by(&rig, frame, length), 1u << owner_of(&rig, frame, length));
	}
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_goes_to_the_owner_of_its_flow_and_to_no_other),
		cmocka_unit_test(both_directions_of_a_flow_have_one_owner),
		cmocka_unit_test(frames_to_others_are_nobodys),
		cmocka_unit_test(frames_to_all_come_to_one),
		cmocka_unit_test(one_stack_takes_all),
		cmocka_unit_test(in_a_group_each_takes_what_it_is_given),
		cmocka_unit_test(an_interface_that_carries_another_takes_frames_to_any_address),
	};

	return fx_main(tests);
}
