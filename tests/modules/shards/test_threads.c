/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Shards with a thread each, which talk over the wire of another thread: nothing is lost or mixed up, and the
 * threads stand still and end when they are told to. Built with -fsanitize=thread it shows races.
 */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <strata/shard.h>
#include <strata/shards.h>
#include <unistd.h>

#define SHARDS 3

static const char manifest[] =
	"strata: 1\nstack:\n  name: threads\n  shards: 3\n  log: error\n"
	"modules:\n- name: loopback\n- name: ipv4\n- name: icmp\n- name: udp\n- name: newreno\n- name: tcp\n"
	"  options:\n    congestion: newreno\n- name: echo\n  options:\n    udp: 7\n    tcp: 0\n"
	"interfaces:\n- name: lo\n  driver: loopback\n  addresses: [127.0.0.1/8]\n";

static struct strata_shards *open_shards(void)
{
	const struct strata_config config = { .manifest_text = manifest, .module_path = fx_module_path() };
	struct strata_error error = { 0 };
	struct strata_shards *shards;

	if (strata_shards_create(&config, &shards, &error) < 0)
		fail_msg("%s", strata_error_text(&error));
	return shards;
}

/* A client in each shard, which asks the one server, in shard 0, again with each answer. */
struct client {
	struct strata_stack *stack;
	int s;
	unsigned int number, answers;
};

static void ask(struct client *client)
{
	struct sockaddr_in to = fx_sockaddr(0x7f000001, 5000);
	char text[32];
	int n = snprintf(text, sizeof(text), "%u %u", client->number, client->answers);

	strata_sendto(client->stack, client->s, text, (size_t)n, 0, (struct sockaddr *)&to, sizeof(to));
}

static void answered(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct client *client = arg;
	char text[32], expected[32];
	ssize_t n;

	(void)events;
	while ((n = strata_recv(stack, s, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = '\0';
		snprintf(expected, sizeof(expected), "%u %u", client->number, client->answers);
		assert_string_equal(text, expected);
		client->answers++;
		ask(client);
	}
}

static void serve(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	char text[32];
	ssize_t n;

	(void)events;
	(void)arg;
	while ((n = strata_recvfrom(stack, s, text, sizeof(text), 0, (struct sockaddr *)&from, &length)) > 0)
		strata_sendto(stack, s, text, (size_t)n, 0, (struct sockaddr *)&from, length);
}

static void begin(struct strata_shards *shards, struct client *clients)
{
	struct strata_stack *first = strata_shards_stack(shards, 0);
	struct sockaddr_in at = fx_sockaddr(0x7f000001, 5000);
	int server = strata_socket(first, AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(strata_bind(first, server, (struct sockaddr *)&at, sizeof(at)), 0);
	strata_notify(first, server, serve, NULL);
	for (unsigned int i = 0; i < SHARDS; i++) {
		struct client *client = &clients[i];

		*client = (struct client){ .stack = strata_shards_stack(shards, i), .number = i };
		client->s = strata_socket(client->stack, AF_INET, SOCK_DGRAM, 0);
		assert_true(client->s >= 0);
		strata_notify(client->stack, client->s, answered, client);
		ask(client);
	}
}

/* Turns of shard 0 until all clients have had `wanted` more answers, which is looked at while all stand still. */
static void turn_until(struct strata_shards *shards, const struct client *clients, unsigned int wanted)
{
	for (unsigned int turns = 0; turns < 1000000; turns++) {
		bool done = true;

		assert_true(strata_loop_turn(strata_shards_stack(shards, 0), STRATA_MS) >= 0);
		if (turns % 64 != 0)
			continue;
		strata_shards_pause(shards);
		for (unsigned int i = 0; i < SHARDS; i++)
			done = done && clients[i].answers >= wanted;
		strata_shards_resume(shards);
		if (done)
			return;
	}
	fail_msg("the answers do not come");
}

static void threads_exchange_what_belongs_to_another(void **state)
{
	struct strata_shards *shards = open_shards();
	struct client clients[SHARDS];

	(void)state;
	begin(shards, clients);
	assert_int_equal(strata_shards_start(shards), 0);
	turn_until(shards, clients, 200);
	strata_shards_stop(shards);
	assert_int_equal(strata_shards_failure(shards), 0);
	for (unsigned int i = 0; i < SHARDS; i++)
		assert_true(clients[i].answers >= 200);
	strata_shards_destroy(shards);
}

static void what_concerns_all_is_done_while_they_stand_still(void **state)
{
	struct strata_shards *shards = open_shards();
	struct strata_error error = { 0 };
	struct client clients[SHARDS];
	char value[32];

	(void)state;
	begin(shards, clients);
	assert_int_equal(strata_shards_start(shards), 0);
	for (unsigned int n = 0; n < 20; n++) {
		turn_until(shards, clients, (n + 1) * 5);
		strata_shards_pause(shards);
		for (unsigned int i = 0; i < SHARDS; i++)
			assert_int_equal(strata_option_set(strata_shards_stack(shards, i), "tcp.sack",
							   n % 2 == 0 ? "off" : "on", &error), 0);
		strata_shards_resume(shards);
	}
	/* Another manifest, of which one module is gone, and a faulty one. */
	assert_int_equal(strata_shards_reload(shards, "strata: 1\nmodules:\n- name: tpc\n", 0, false, NULL, NULL,
					      &error), -EINVAL);
	strata_error_clear(&error);
	assert_true(strata_shards_reload(shards,
					 "strata: 1\nstack:\n  name: threads\n  shards: 3\n  log: error\n"
					 "modules:\n- name: loopback\n- name: ipv4\n- name: udp\n"
					 "interfaces:\n- name: lo\n  driver: loopback\n  addresses: [127.0.0.1/8]\n",
					 0, false, NULL, NULL, &error) > 0);
	strata_shards_pause(shards);
	for (unsigned int i = 0; i < SHARDS; i++)
		assert_int_equal(strata_option_get(strata_shards_stack(shards, i), "tcp.sack", value,
						   sizeof(value)), -ENOENT);
	strata_shards_resume(shards);
	turn_until(shards, clients, 120);
	strata_shards_destroy(shards);
}

static void the_number_of_shards_stays(void **state)
{
	struct strata_shards *shards = open_shards();
	struct strata_error error = { 0 };

	(void)state;
	assert_int_equal(strata_shards_reload(shards, "strata: 1\nstack:\n  name: threads\n  shards: 2\n", 0, false,
					      NULL, NULL, &error), -EINVAL);
	assert_non_null(strstr(strata_error_text(&error), "a running stack keeps its shards"));
	strata_error_clear(&error);
	strata_shards_destroy(shards);
}

static void they_begin_and_end_again_and_again(void **state)
{
	struct strata_shards *shards = open_shards();
	struct client clients[SHARDS];

	(void)state;
	begin(shards, clients);
	for (unsigned int n = 0; n < 50; n++) {
		assert_int_equal(strata_shards_start(shards), 0);
		turn_until(shards, clients, n);
		strata_shards_stop(shards);
	}
	strata_shards_destroy(shards);
}

/* As `answered`, and counts in what all have in common. */
static void answered_counted(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct strata_instance *udp = strata_instance_by_number(stack, STRATA_TRANSPORT, 17);
	unsigned int *count = strata_common_get(udp, 1, sizeof(*count));
	struct client *client = arg;
	unsigned int before = client->answers;

	answered(stack, s, events, arg);
	assert_non_null(count);
	strata_common_lock(count);
	*count += client->answers - before;
	strata_common_unlock(count);
	strata_common_put(udp, count);
}

static void threads_count_in_what_they_have_in_common(void **state)
{
	struct strata_shards *shards = open_shards();
	struct strata_instance *udp = strata_instance_by_number(strata_shards_stack(shards, 0), STRATA_TRANSPORT, 17);
	unsigned int *count = strata_common_get(udp, 1, sizeof(*count)), sum = 0;
	struct client clients[SHARDS];

	(void)state;
	begin(shards, clients);
	for (unsigned int i = 0; i < SHARDS; i++) {
		*count += clients[i].answers;
		strata_notify(clients[i].stack, clients[i].s, answered_counted, &clients[i]);
	}
	assert_int_equal(strata_shards_start(shards), 0);
	turn_until(shards, clients, 100);
	strata_shards_stop(shards);
	for (unsigned int i = 0; i < SHARDS; i++)
		sum += clients[i].answers;
	strata_common_lock(count);
	assert_int_equal(*count, sum);
	strata_common_unlock(count);
	strata_common_put(udp, count);
	strata_shards_destroy(shards);
}

/* ---- bad input ---- */

static void refused(const char *text, const char *why)
{
	const struct strata_config config = { .manifest_text = text, .module_path = fx_module_path() };
	struct strata_error error = { 0 };
	struct strata_shards *shards = NULL;

	assert_int_equal(strata_shards_create(&config, &shards, &error), -EINVAL);
	assert_null(shards);
	if (strstr(strata_error_text(&error), why) == NULL)
		fail_msg("expected %s in %s", why, strata_error_text(&error));
	strata_error_clear(&error);
}

static void tells_a_number_of_shards_that_cannot_be(void **state)
{
	(void)state;
	refused("strata: 1\nstack: {shards: 0}\n", "manifest:2:17: \"shards\": expected a number from 1 to 64");
	refused("strata: 1\nstack: {shards: 65}\n", "expected a number from 1 to 64, found \"65\"");
	refused("strata: 1\nstack: {shards: -1}\n", "expected a number from 1 to 64");
	refused("strata: 1\nstack: {shards: two}\n", "expected a number from 1 to 64");
	refused("strata: 1\nstack: {shard: 2}\n", "did you mean \"shards\"?");
	refused("strata: 1\nstack: {shard_ring: 100KiB}\n", "power of two");
	refused("strata: 1\nstack: {shard_ring: 192KiB}\n", "power of two");
	refused("strata: 1\nstack: {shard_ring: 128MiB}\n", "power of two");
}

static void one_stack_is_not_made_of_a_manifest_for_several(void **state)
{
	const struct strata_config config = { .manifest_text = "strata: 1\nstack: {shards: 2}\n",
					      .module_path = fx_module_path() };
	struct strata_error error = { 0 };
	struct strata_stack *stack;

	(void)state;
	assert_int_equal(strata_stack_create(&config, &stack, &error), -EINVAL);
	assert_non_null(strstr(strata_error_text(&error), "expected 1 from a program that runs one stack"));
	strata_error_clear(&error);
}

static void sixty_four_shards_come_and_go(void **state)
{
	const struct strata_config config = {
		.manifest_text = "strata: 1\nstack: {shards: 64, log: error}\nmodules:\n- name: loopback\n- name: ipv4\n"
				 "interfaces:\n- {name: lo, driver: loopback, addresses: [127.0.0.1/8]}\n",
		.module_path = fx_module_path(),
	};
	struct strata_error error = { 0 };
	struct strata_shards *shards;

	(void)state;
	assert_int_equal(strata_shards_create(&config, &shards, &error), 0);
	assert_int_equal(strata_shards_count(shards), 64);
	assert_int_equal(strata_shard(strata_shards_stack(shards, 63)), 63);
	assert_null(strata_shards_stack(shards, 64));
	assert_int_equal(strata_shards_start(shards), 0);
	strata_shards_pause(shards);
	strata_shards_resume(shards);
	strata_shards_destroy(shards);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_exchange_what_belongs_to_another),
		cmocka_unit_test(what_concerns_all_is_done_while_they_stand_still),
		cmocka_unit_test(the_number_of_shards_stays),
		cmocka_unit_test(they_begin_and_end_again_and_again),
		cmocka_unit_test(threads_count_in_what_they_have_in_common),
		cmocka_unit_test(tells_a_number_of_shards_that_cannot_be),
		cmocka_unit_test(one_stack_is_not_made_of_a_manifest_for_several),
		cmocka_unit_test(sixty_four_shards_come_and_go),
	};

	return fx_main(tests);
}
