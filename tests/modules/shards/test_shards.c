/* SPDX-License-Identifier: BSD-2-Clause */
/* Several shards behind a wire whose queue for a frame is anybody's guess: everything arrives all the same. */
#include "world.h"

#include <strata/shard.h>

#define PORT 8080

static void each_shard_listens(struct world *world, int listeners[WORLD_SHARDS])
{
	for (unsigned int i = 0; i < world->count; i++)
		listeners[i] = world_listener(world_shard(world, i), PORT);
}

/* Takes a connection that one of the shards has; -1: none. `*where` is the shard. */
static int accept_anywhere(struct world *world, const int listeners[WORLD_SHARDS], unsigned int *where)
{
	for (unsigned int i = 0; i < world->count; i++) {
		int s = strata_accept(world_shard(world, i), listeners[i], NULL, NULL);

		if (s >= 0) {
			*where = i;
			return s;
		}
	}
	return -1;
}

static void a_connection_works_though_each_segment_comes_in_at_another_queue(void **state)
{
	int listeners[WORLD_SHARDS];
	unsigned int where = 0, spread = 0;
	struct world world;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	each_shard_listens(&world, listeners);
	for (int n = 0; n < 64; n++) {
		int c = world_socket(world.peer, SOCK_STREAM, 0), s;
		char buf[2048];

		assert_int_equal(world_connect(world.peer, c, WORLD_HOST, PORT), -EINPROGRESS);
		world_run(&world, 100);
		s = accept_anywhere(&world, listeners, &where);
		assert_true(s >= 0);
		spread |= 1u << where;
		assert_int_equal(strata_send(world.peer, c, "over", 4, 0), 4);
		world_run(&world, 100);
		assert_string_equal(world_recv(world_shard(&world, where), s, buf), "over");
		assert_int_equal(strata_send(world_shard(&world, where), s, "back", 4, 0), 4);
		world_run(&world, 100);
		assert_string_equal(world_recv(world.peer, c, buf), "back");
		strata_close(world.peer, c);
		strata_close(world_shard(&world, where), s);
		world_run(&world, 100);
	}
	/* 64 connections miss one of four shards once in 10^8. */
	assert_int_equal(spread, (1u << WORLD_SHARDS) - 1);
	assert_int_equal(world_drops(&world, "tcp", "NO_CONNECTION"), 0);
	assert_true(world_counters(&world, "kernel", "shard_out") > 64);
	assert_int_equal(world_counters(&world, "kernel", "shard_out"),
			 world_counters(&world, "kernel", "shard_in"));
	world_close(&world);
}

static void what_comes_in_where_it_belongs_is_not_handed_over(void **state)
{
	int listeners[WORLD_SHARDS];
	unsigned int where = 0;
	struct world world;
	uint64_t before;
	char buf[2048];
	int c, s;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	each_shard_listens(&world, listeners);
	c = world_socket(world.peer, SOCK_STREAM, 0);
	world_connect(world.peer, c, WORLD_HOST, PORT);
	world_run(&world, 100);
	s = accept_anywhere(&world, listeners, &where);
	assert_true(s >= 0);
	world.queue = world_fixed;
	world.fixed = where;
	before = world_counters(&world, "kernel", "shard_out");
	for (int n = 0; n < 10; n++) {
		strata_send(world.peer, c, "x", 1, 0);
		world_run(&world, 100);
		assert_string_equal(world_recv(world_shard(&world, where), s, buf), "x");
	}
	assert_int_equal(world_counters(&world, "kernel", "shard_out"), before);
	world_close(&world);
}

/* As a filter in front of the queues would choose, of packets with ports; all others come in at the first. */
static unsigned int at_its_owner(struct world *world, const uint8_t *frame, size_t length)
{
	const uint8_t *ip = frame + 14, *ports = ip + 20;
	struct strata_steering steering;
	uint32_t from, to;

	if (length < 14 + 20 + 4 || strata_get_be16(frame + 12) != 0x0800 || (ip[9] != 6 && ip[9] != 17))
		return 0;
	/* The same whichever shard is asked. */
	strata_shard_steering(world_shard(world, world->count - 1), &steering);
	assert_int_equal(steering.count, world->count);
	from = strata_steering_end(&steering, strata_get_be32(ip + 12), strata_get_be16(ports));
	to = strata_steering_end(&steering, strata_get_be32(ip + 16), strata_get_be16(ports + 2));
	return strata_steering_owner(&steering, strata_steering_hash(&steering, from, to));
}

static void a_filter_that_computes_the_owner_spares_handing_over(void **state)
{
	int listeners[WORLD_SHARDS];
	unsigned int where = 0, spread = 0;
	struct world world;
	uint64_t before;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	each_shard_listens(&world, listeners);
	world.queue = at_its_owner;
	before = world_counters(&world, "kernel", "shard_out");
	for (int n = 0; n < 64; n++) {
		int c = world_socket(world.peer, SOCK_STREAM, 0), s;

		world_connect(world.peer, c, WORLD_HOST, PORT);
		world_run(&world, 100);
		s = accept_anywhere(&world, listeners, &where);
		assert_true(s >= 0);
		spread |= 1u << where;
		strata_close(world.peer, c);
		strata_close(world_shard(&world, where), s);
		world_run(&world, 100);
	}
	assert_int_equal(spread, (1u << WORLD_SHARDS) - 1);
	/* But for the one question for the address. */
	assert_true(world_counters(&world, "kernel", "shard_out") <= before + 2 * (WORLD_SHARDS - 1));
	world_close(&world);
}

static void what_a_device_has_once_is_the_same_in_all_shards(void **state)
{
	struct strata_instance *udp[WORLD_SHARDS], *tcp;
	struct world world;
	uint32_t *once[WORLD_SHARDS], *other, *alone;
	size_t before;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	before = world.bytes;
	for (unsigned int i = 0; i < WORLD_SHARDS; i++) {
		udp[i] = strata_instance_by_number(world_shard(&world, i), STRATA_TRANSPORT, 17);
		once[i] = strata_common_get(udp[i], 7, sizeof(*once[i]));
		assert_non_null(once[i]);
		assert_ptr_equal(once[i], once[0]);
	}
	strata_common_lock(once[0]);
	assert_int_equal(*once[0], 0);
	*once[0] = 42;
	strata_common_unlock(once[0]);
	other = strata_common_get(udp[0], 8, sizeof(*other));
	assert_ptr_not_equal(other, once[0]);
	strata_common_put(udp[0], other);
	tcp = strata_instance_by_number(world_shard(&world, 0), STRATA_TRANSPORT, 6);
	other = strata_common_get(tcp, 7, sizeof(*other));
	assert_ptr_not_equal(other, once[0]);
	strata_common_put(tcp, other);
	alone = strata_common_get(strata_instance_by_number(world.peer, STRATA_TRANSPORT, 17), 7, sizeof(*alone));
	assert_ptr_not_equal(alone, once[0]);
	assert_int_equal(*alone, 0);
	strata_common_put(strata_instance_by_number(world.peer, STRATA_TRANSPORT, 17), alone);
	/* It stays for whoever still has it, and is new when nobody had. */
	for (unsigned int i = 0; i < WORLD_SHARDS; i++) {
		assert_int_equal(*once[WORLD_SHARDS - 1], 42);
		strata_common_put(udp[i], once[i]);
	}
	assert_int_equal(world.bytes, before);
	once[0] = strata_common_get(udp[0], 7, sizeof(*once[0]));
	assert_int_equal(*once[0], 0);
	strata_common_put(udp[0], once[0]);
	world_close(&world);
}

static void a_shard_that_connects_gets_the_answers(void **state)
{
	struct world world;
	int listener;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	listener = world_listener(world.peer, PORT);
	for (unsigned int i = 0; i < 4 * WORLD_SHARDS; i++) {
		struct strata_stack *stack = world_shard(&world, i % WORLD_SHARDS);
		int c = world_socket(stack, SOCK_STREAM, 0), s;
		char buf[2048];

		assert_int_equal(world_connect(stack, c, WORLD_PEER, PORT), -EINPROGRESS);
		world_run(&world, 100);
		s = strata_accept(world.peer, listener, NULL, NULL);
		assert_true(s >= 0);
		strata_send(world.peer, s, "hello", 5, 0);
		world_run(&world, 100);
		assert_string_equal(world_recv(stack, c, buf), "hello");
	}
	world_close(&world);
}

/* The application has chosen the port, and so the flow may be another shard's by its hash: that one finds it
 * all the same, also while others have flows on the same port. */
static void a_flow_on_a_port_of_the_applications_choice_is_found(void **state)
{
	struct world world;
	int listener, c[WORLD_SHARDS], s;
	char buf[2048];

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	listener = world_listener(world.peer, PORT);
	for (unsigned int i = 0; i < WORLD_SHARDS; i++) {
		struct strata_stack *stack = world_shard(&world, i);

		c[i] = world_socket(stack, SOCK_STREAM, 0);
		world_bind(stack, c[i], 0, (uint16_t)(5000 + i % 2));
		/* Two flows on each port, to two ports of the peer. */
		if (i == 2)
			listener = world_listener(world.peer, PORT + 1);
		assert_int_equal(world_connect(stack, c[i], WORLD_PEER, (uint16_t)(PORT + i / 2)),
				 -EINPROGRESS);
		world_run(&world, 100);
		s = strata_accept(world.peer, listener, NULL, NULL);
		assert_true(s >= 0);
		for (int n = 0; n < 8; n++) {
			strata_send(world.peer, s, "mine", 4, 0);
			world_run(&world, 100);
			assert_string_equal(world_recv(stack, c[i], buf), "mine");
		}
	}
	assert_int_equal(world_drops(&world, "tcp", "NO_CONNECTION"), 0);
	world_close(&world);
}

static void a_segment_for_nobody_is_reset_once(void **state)
{
	struct world world;
	int c;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	c = world_socket(world.peer, SOCK_STREAM, 0);
	world_connect(world.peer, c, WORLD_HOST, PORT);
	world_run(&world, 100);
	assert_true((strata_events(world.peer, c) & EPOLLERR) != 0);
	assert_int_equal(world_drops(&world, "tcp", "NO_CONNECTION"), 1);
	world_close(&world);
}

static void a_datagram_finds_the_one_shard_that_bound_its_port(void **state)
{
	struct world world;
	char buf[2048];
	int server, c;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	for (unsigned int i = 0; i < WORLD_SHARDS; i++) {
		struct strata_stack *stack = world_shard(&world, i);

		server = world_socket(stack, SOCK_DGRAM, 0);
		world_bind(stack, server, 0, 53);
		for (int n = 0; n < 16; n++) {
			c = world_socket(world.peer, SOCK_DGRAM, 0);
			assert_int_equal(world_sendto(world.peer, c, "query", WORLD_HOST, 53), 5);
			world_run(&world, 10);
			assert_string_equal(world_recv(stack, server, buf), "query");
			strata_close(world.peer, c);
		}
		strata_close(stack, server);
		world_run(&world, 10);
	}
	assert_int_equal(world_drops(&world, "kernel", "NO_FLOW"), 0);
	world_close(&world);
}

static void datagrams_of_one_client_stay_with_one_of_the_shards_that_share_a_port(void **state)
{
	unsigned int first = WORLD_SHARDS;
	int servers[WORLD_SHARDS], c;
	struct world world;
	char buf[2048];

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	for (unsigned int i = 0; i < WORLD_SHARDS; i++) {
		servers[i] = world_socket(world_shard(&world, i), SOCK_DGRAM, 0);
		world_bind(world_shard(&world, i), servers[i], 0, 53);
	}
	c = world_socket(world.peer, SOCK_DGRAM, 0);
	for (int n = 0; n < 32; n++) {
		world_sendto(world.peer, c, "again", WORLD_HOST, 53);
		world_run(&world, 10);
		for (unsigned int i = 0; i < WORLD_SHARDS; i++) {
			if (*world_recv(world_shard(&world, i), servers[i], buf) == '\0')
				continue;
			if (first == WORLD_SHARDS)
				first = i;
			assert_int_equal(i, first);
		}
	}
	assert_true(first < WORLD_SHARDS);
	world_close(&world);
}

static void answers_to_an_unbound_socket_come_back_to_its_shard(void **state)
{
	struct world world;
	int server, c;
	char buf[2048];

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	server = world_socket(world.peer, SOCK_DGRAM, 0);
	world_bind(world.peer, server, 0, 53);
	for (unsigned int i = 0; i < 8 * WORLD_SHARDS; i++) {
		struct strata_stack *stack = world_shard(&world, i % WORLD_SHARDS);
		struct sockaddr_in from;
		socklen_t length = sizeof(from);

		c = world_socket(stack, SOCK_DGRAM, 0);
		assert_int_equal(world_sendto(stack, c, "who", WORLD_PEER, 53), 3);
		world_run(&world, 10);
		assert_int_equal(strata_recvfrom(world.peer, server, buf, sizeof(buf), 0,
						 (struct sockaddr *)&from, &length), 3);
		assert_int_equal(strata_sendto(world.peer, server, "me", 2, 0,
					       (struct sockaddr *)&from, length), 2);
		world_run(&world, 10);
		assert_string_equal(world_recv(stack, c, buf), "me");
	}
	world_close(&world);
}

static void a_broadcast_datagram_reaches_every_shard_that_listens(void **state)
{
	struct world world;
	char buf[2048];
	int one, two, c, on = 1;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	one = world_socket(world_shard(&world, 1), SOCK_DGRAM, 0);
	world_bind(world_shard(&world, 1), one, 0, 67);
	two = world_socket(world_shard(&world, 3), SOCK_DGRAM, 0);
	world_bind(world_shard(&world, 3), two, 0, 67);
	c = world_socket(world.peer, SOCK_DGRAM, 0);
	strata_setsockopt(world.peer, c, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	for (int n = 0; n < 8; n++) {
		assert_int_equal(world_sendto(world.peer, c, "all", 0xc00002ff, 67), 3);
		world_run(&world, 10);
		assert_string_equal(world_recv(world_shard(&world, 1), one, buf), "all");
		assert_string_equal(world_recv(world_shard(&world, 3), two, buf), "all");
		assert_string_equal(world_recv(world_shard(&world, 3), two, buf), "");
	}
	world_close(&world);
}

static void a_group_joined_in_one_shard_is_heard_at_every_queue(void **state)
{
	const struct ip_mreqn group = { .imr_multiaddr.s_addr = htonl(0xe9fc0001), .imr_ifindex = 1 };
	struct world world;
	char buf[2048];
	int s, c;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	s = world_socket(world_shard(&world, 2), SOCK_DGRAM, 0);
	world_bind(world_shard(&world, 2), s, 0, 5353);
	assert_int_equal(strata_setsockopt(world_shard(&world, 2), s, IPPROTO_IP, IP_ADD_MEMBERSHIP,
					   &group, sizeof(group)), 0);
	c = world_socket(world.peer, SOCK_DGRAM, 0);
	for (int n = 0; n < 8; n++) {
		world_sendto(world.peer, c, "news", 0xe9fc0001, 5353);
		world_run(&world, 10);
		assert_string_equal(world_recv(world_shard(&world, 2), s, buf), "news");
	}
	world_close(&world);
}

static void neigh_count_one(void *ctx, const struct strata_neigh *neigh)
{
	(void)neigh;
	(*(unsigned int *)ctx)++;
}

static void a_question_for_the_address_is_answered_once_and_noted_by_all(void **state)
{
	struct world world;
	int c;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	c = world_socket(world.peer, SOCK_DGRAM, 0);
	world_sendto(world.peer, c, "x", WORLD_HOST, 9);
	world_run(&world, 100);
	assert_int_equal(world.arp_replies, 1);
	for (unsigned int i = 0; i < WORLD_SHARDS; i++) {
		unsigned int count = 0;

		strata_inspect_neighbours(world_shard(&world, i), neigh_count_one, &count);
		assert_int_equal(count, 1);
	}
	world_close(&world);
}

static void an_answer_about_a_neighbour_reaches_the_shard_that_asked(void **state)
{
	struct world world;
	char buf[2048];
	int server, c;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	server = world_socket(world.peer, SOCK_DGRAM, 0);
	world_bind(world.peer, server, 0, 9);
	world.queue = world_fixed;
	world.fixed = 3;
	c = world_socket(world_shard(&world, 0), SOCK_DGRAM, 0);
	world_sendto(world_shard(&world, 0), c, "ask", WORLD_PEER, 9);
	world_run(&world, 100);
	assert_string_equal(world_recv(world.peer, server, buf), "ask");
	world_close(&world);
}

static void an_echo_request_is_answered_by_whoever_gets_it(void **state)
{
	struct world world;
	uint8_t echo[16] = { 8 };
	struct sockaddr_in to = fx_sockaddr(WORLD_HOST, 0);
	char buf[2048];
	int s;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	s = world_socket(world.peer, SOCK_DGRAM, IPPROTO_ICMP);
	for (int n = 0; n < 16; n++) {
		assert_int_equal(strata_sendto(world.peer, s, echo, sizeof(echo), 0,
					       (struct sockaddr *)&to, sizeof(to)), sizeof(echo));
		world_run(&world, 10);
		assert_int_equal(strata_recv(world.peer, s, buf, sizeof(buf), 0), sizeof(echo));
		assert_int_equal(strata_recv(world.peer, s, buf, sizeof(buf), 0), -EAGAIN);
	}
	world_close(&world);
}

static void an_echo_reply_comes_back_to_the_shard_that_asked(void **state)
{
	struct world world;
	uint8_t echo[16] = { 8 };
	struct sockaddr_in to = fx_sockaddr(WORLD_PEER, 0);
	char buf[2048];

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	for (unsigned int i = 0; i < 4 * WORLD_SHARDS; i++) {
		struct strata_stack *stack = world_shard(&world, i % WORLD_SHARDS);
		int s = world_socket(stack, SOCK_DGRAM, IPPROTO_ICMP);

		assert_int_equal(strata_sendto(stack, s, echo, sizeof(echo), 0,
					       (struct sockaddr *)&to, sizeof(to)), sizeof(echo));
		world_run(&world, 10);
		assert_int_equal(strata_recv(stack, s, buf, sizeof(buf), 0), sizeof(echo));
		strata_close(stack, s);
	}
	world_close(&world);
}

static void an_error_reaches_the_shard_whose_packet_it_is_about(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	for (unsigned int i = 0; i < 4 * WORLD_SHARDS; i++) {
		struct strata_stack *stack = world_shard(&world, i % WORLD_SHARDS);
		int error = 0, s = world_socket(stack, SOCK_DGRAM, 0);
		socklen_t length = sizeof(error);

		assert_int_equal(world_connect(stack, s, WORLD_PEER, 4242), 0);
		assert_int_equal(strata_send(stack, s, "x", 1, 0), 1);
		world_run(&world, 2000);
		assert_int_equal(strata_getsockopt(stack, s, SOL_SOCKET, SO_ERROR, &error, &length), 0);
		assert_int_equal(error, ECONNREFUSED);
		strata_close(stack, s);
	}
	world_close(&world);
}

/* A datagram socket at port 53 of shard 1, and one of the peer's in `*client`. */
static int server_of_shard_1(struct world *world, int *client)
{
	int server = world_socket(world_shard(world, 1), SOCK_DGRAM, 0);

	world_bind(world_shard(world, 1), server, 0, 53);
	*client = world_socket(world->peer, SOCK_DGRAM, 0);
	return server;
}

static void fragments_that_come_in_at_several_queues_become_one_datagram(void **state)
{
	static char big[6000];
	struct sockaddr_in to = fx_sockaddr(WORLD_HOST, 53);
	struct world world;
	char buf[8192];
	int server, c;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	server = server_of_shard_1(&world, &c);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 % 251);
	for (int n = 0; n < 16; n++) {
		assert_int_equal(strata_sendto(world.peer, c, big, sizeof(big), 0,
					       (struct sockaddr *)&to, sizeof(to)), sizeof(big));
		world_run(&world, 10);
		assert_int_equal(strata_recv(world_shard(&world, 1), server, buf, sizeof(buf), 0),
				 sizeof(big));
		assert_memory_equal(buf, big, sizeof(big));
	}
	world_close(&world);
}

static void datagrams_in_fragments_keep_their_order(void **state)
{
	static char big[4000];
	struct sockaddr_in to = fx_sockaddr(WORLD_HOST, 53);
	struct world world;
	char buf[8192];
	int server, c;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	world.queue = world_fixed;
	server = server_of_shard_1(&world, &c);
	/* What is unresolved keeps few packets. */
	world_sendto(world.peer, c, "first", WORLD_HOST, 53);
	world_run(&world, 100);
	assert_int_equal(strata_recv(world_shard(&world, 1), server, buf, sizeof(buf), 0), strlen("first"));
	for (int round = 0; round < 8; round++) {
		for (char n = 0; n < 8; n++) {
			big[0] = n;
			assert_int_equal(strata_sendto(world.peer, c, big, sizeof(big), 0,
						       (struct sockaddr *)&to, sizeof(to)), sizeof(big));
		}
		/* The shards are busy until all have come. */
		strata_run(world.peer, world.now);
		while (world_deliver(&world))
			;
		for (unsigned int i = 0; i < WORLD_SHARDS; i++)
			strata_run(world_shard(&world, i), world.now);
		world_run(&world, 10);
		for (char n = 0; n < 8; n++) {
			assert_int_equal(strata_recv(world_shard(&world, 1), server, buf, sizeof(buf), 0),
					 sizeof(big));
			assert_int_equal(buf[0], n);
		}
	}
	world_close(&world);
}

static void what_finds_no_room_on_its_way_is_discarded_and_counted(void **state)
{
	struct sockaddr_in to = fx_sockaddr(WORLD_HOST, 53);
	static const char bytes[1000];
	struct world world;
	int c;

	(void)state;
	world_open(&world, 2, "  shard_ring: 128KiB\n", "");
	server_of_shard_1(&world, &c);
	world.queue = world_fixed;
	world_sendto(world.peer, c, "first", WORLD_HOST, 53);
	world_run(&world, 100);
	assert_int_equal(world_counters(&world, "kernel", "shard_in"),
			 world_counters(&world, "kernel", "shard_out"));
	/* Shard 1 does not run meanwhile: some 100 fit. */
	for (int n = 0; n < 200; n++) {
		strata_sendto(world.peer, c, bytes, sizeof(bytes), 0, (struct sockaddr *)&to, sizeof(to));
		strata_run(world.peer, world.now);
	}
	for (int n = 0; n < 200; n++)
		world_deliver(&world);
	assert_in_range(world_drops(&world, "kernel", "SHARD_RING_FULL"), 80, 120);
	world_run(&world, 100);
	/* It goes on afterwards. */
	world_sendto(world.peer, c, "last", WORLD_HOST, 53);
	world_run(&world, 100);
	assert_int_equal(world_counters(&world, "kernel", "shard_in"),
			 world_counters(&world, "kernel", "shard_out"));
	world_close(&world);
}

static void all_shards_have_one_link_address(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, WORLD_SHARDS, "", "");
	for (unsigned int i = 1; i < WORLD_SHARDS; i++)
		assert_memory_equal(&strata_iface_by_index(world_shard(&world, 0), 1)->lladdr,
				    &strata_iface_by_index(world_shard(&world, i), 1)->lladdr,
				    sizeof(struct strata_lladdr));
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_works_though_each_segment_comes_in_at_another_queue),
		cmocka_unit_test(what_comes_in_where_it_belongs_is_not_handed_over),
		cmocka_unit_test(a_filter_that_computes_the_owner_spares_handing_over),
		cmocka_unit_test(what_a_device_has_once_is_the_same_in_all_shards),
		cmocka_unit_test(a_shard_that_connects_gets_the_answers),
		cmocka_unit_test(a_flow_on_a_port_of_the_applications_choice_is_found),
		cmocka_unit_test(a_segment_for_nobody_is_reset_once),
		cmocka_unit_test(a_datagram_finds_the_one_shard_that_bound_its_port),
		cmocka_unit_test(datagrams_of_one_client_stay_with_one_of_the_shards_that_share_a_port),
		cmocka_unit_test(answers_to_an_unbound_socket_come_back_to_its_shard),
		cmocka_unit_test(a_broadcast_datagram_reaches_every_shard_that_listens),
		cmocka_unit_test(a_group_joined_in_one_shard_is_heard_at_every_queue),
		cmocka_unit_test(a_question_for_the_address_is_answered_once_and_noted_by_all),
		cmocka_unit_test(an_answer_about_a_neighbour_reaches_the_shard_that_asked),
		cmocka_unit_test(an_echo_request_is_answered_by_whoever_gets_it),
		cmocka_unit_test(an_echo_reply_comes_back_to_the_shard_that_asked),
		cmocka_unit_test(an_error_reaches_the_shard_whose_packet_it_is_about),
		cmocka_unit_test(fragments_that_come_in_at_several_queues_become_one_datagram),
		cmocka_unit_test(datagrams_in_fragments_keep_their_order),
		cmocka_unit_test(what_finds_no_room_on_its_way_is_discarded_and_counted),
		cmocka_unit_test(all_shards_have_one_link_address),
	};

	return fx_main(tests);
}
