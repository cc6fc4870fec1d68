/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams over the control socket: what follows a reply, how it ends, and clients that read slowly, not at
 * all, or hang up, while packets go on. Frames come in through a wire, by hand.
 */
#include "house.h"

#include <sys/socket.h>
#include <unistd.h>

#define TRACE "'id':5,'method':'trace'"
#define CAPTURE "'method':'capture'"

/* Asks who has 192.0.2.2; the stack sends an answer. */
static const uint8_t arp_request[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6,
	0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2,
};

static uint64_t answers;

static void count_answer(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	(void)ctx;
	(void)iface;
	answers += length >= 22 && ((const uint8_t *)frame)[21] == 2;
}

static void open_house(struct house *h, const char *options)
{
	char manifest[2048];
	const char *control = strstr(house_network, "  - name: control\n");
	int head = (int)(control - house_network) + (int)strlen("  - name: control\n");

	assert_non_null(control);
	snprintf(manifest, sizeof(manifest), "%.*s%s%s%s", head, house_network,
		 options[0] != '\0' ? "    options:\n" : "", options, house_network + head);
	house_open(h, manifest);
	answers = 0;
	strata_iface_set_output(strata_iface_by_name(h->stack, "w0"), count_answer, NULL);
	settle(h);
}

/* A batch of packets, each answered there and then, whoever watches. */
static void traffic(struct house *h, unsigned int frames)
{
	struct strata_iface *iface = strata_iface_by_name(h->stack, "w0");
	uint64_t before = answers;
	unsigned int i;

	for (i = 0; i < frames; i++) {
		h->now += STRATA_MS;
		assert_int_equal(strata_input(iface, arp_request, sizeof(arp_request), h->now), 0);
	}
	assert_int_equal(answers - before, frames);
}

static const char *event_of(const json_t *line)
{
	const char *event = json_string_value(json_object_get(line, "event"));

	assert_non_null(event);
	assert_int_equal(json_integer_value(json_object_get(line, "id")), 5);
	return event;
}

static json_int_t member(const json_t *line, const char *name)
{
	const json_t *value = json_object_get(json_object_get(line, "data"), name);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

/** What a client saw of a stream up to its end. */
struct seen {
	json_int_t events, lost, end_events, end_lost;
	char reason[64];
};

static struct seen hear_out(struct house *h, int fd)
{
	struct seen seen = { .events = 0 };

	for (;;) {
		json_t *line = hear(h, fd);

		assert_non_null(line);
		if (strcmp(event_of(line), "end") == 0) {
			seen.end_events = member(line, "events");
			seen.end_lost = member(line, "lost");
			snprintf(seen.reason, sizeof(seen.reason), "%s", json_string_value(
				 json_object_get(json_object_get(line, "data"), "reason")));
			json_decref(line);
			return seen;
		}
		if (strcmp(event_of(line), "lost") == 0)
			seen.lost += member(line, "events");
		else
			seen.events++;
		json_decref(line);
	}
}

static void stop(int fd)
{
	say(fd, "{\"v\":1,\"method\":\"stop\"}\n");
}

static void finish(struct house *h, int fd)
{
	close(fd);
	settle(h);
	assert_false(h->stack->tracing);
	house_close(h);
}

static void a_stream_follows_its_reply_until_it_is_stopped(void **state)
{
	struct seen seen;
	struct house h;
	int fd;

	(void)state;
	open_house(&h, "");
	fd = client(&h);
	json_decref(ask_ok(&h, fd, TRACE));
	assert_true(h.stack->tracing);
	traffic(&h, 3);
	stop(fd);
	seen = hear_out(&h, fd);
	assert_string_equal(seen.reason, "stopped");
	assert_true(seen.events >= 6);
	assert_int_equal(seen.end_events, seen.events);
	assert_int_equal(seen.end_lost, 0);
	assert_false(h.stack->tracing);
	ask_version(fd, 9);	/* and the connection is as it was before */
	expect_version(&h, fd, 9);
	json_decref(ask_ok(&h, fd, TRACE));
	stop(fd);
	seen = hear_out(&h, fd);
	assert_int_equal(seen.events, 0);
	finish(&h, fd);
}

static void another_request_during_a_stream_is_refused_between_events(void **state)
{
	json_t *line;
	struct house h;
	bool refused = false;
	int fd, i;

	(void)state;
	open_house(&h, "");
	fd = client(&h);
	json_decref(ask_ok(&h, fd, TRACE));
	for (i = 0; i < 20; i++) {
		traffic(&h, 10);
		say(fd, "{\"v\":1,\"id\":77,\"method\":\"show\",\"what\":\"version\"}\n");
		settle(&h);
	}
	stop(fd);
	for (i = 0; i < 20;) {
		line = hear(&h, fd);
		assert_non_null(line);
		if (json_integer_value(json_object_get(line, "id")) == 77) {
			assert_true(json_is_false(json_object_get(line, "ok")));
			refused = true;
			i++;
		}
		json_decref(line);
	}
	assert_true(refused);
	assert_string_equal(hear_out(&h, fd).reason, "stopped");
	finish(&h, fd);
}

static void a_client_that_does_not_read_loses_events_and_is_told(void **state)
{
	struct seen seen;
	json_t *line;
	size_t memory;
	struct house h;
	int fd, i;

	(void)state;
	open_house(&h, "      stream_buffer: 64KiB\n");
	fd = client(&h);
	json_decref(ask_ok(&h, fd, TRACE));
	for (i = 0; i < 40; i++)	/* fills what the system buffers, and the ring */
		traffic(&h, 100);
	memory = strata_memory_used(h.stack);
	for (i = 0; i < 40; i++)
		traffic(&h, 100);
	assert_int_equal(strata_memory_used(h.stack), memory);
	assert_true(counter(&h, "stream_lost") > 4000);
	/* It reads on: what follows comes after a word on what is missing. */
	for (i = 0; (line = hear_any(&h, fd)) != NULL; i++)
		json_decref(line);
	traffic(&h, 1);
	stop(fd);
	seen = hear_out(&h, fd);
	assert_true(seen.lost > 0);
	assert_int_equal(seen.end_events, seen.events + i);
	assert_int_equal(seen.end_lost, (json_int_t)counter(&h, "stream_lost"));
	assert_int_equal(seen.lost, seen.end_lost);
	finish(&h, fd);
}

static void a_client_may_pause_for_as_long_as_it_likes(void **state)
{
	struct house h;
	int fd;

	(void)state;
	open_house(&h, "      stream_buffer: 64KiB\n");
	fd = client(&h);
	json_decref(ask_ok(&h, fd, TRACE));
	traffic(&h, 4000);
	pass(&h, 3600 * STRATA_SEC);
	assert_int_equal(counter(&h, "timeouts"), 0);
	assert_true(h.stack->tracing);
	stop(fd);
	assert_string_equal(hear_out(&h, fd).reason, "stopped");
	finish(&h, fd);
}

static void the_rest_of_a_stopped_stream_has_5_seconds(void **state)
{
	struct house h;
	int fd;

	(void)state;
	open_house(&h, "");
	fd = client(&h);
	json_decref(ask_ok(&h, fd, TRACE));
	traffic(&h, 8000);
	stop(fd);
	settle(&h);
	assert_false(h.stack->tracing);
	pass(&h, 4900 * STRATA_MS);
	assert_int_equal(counter(&h, "timeouts"), 0);
	pass(&h, 200 * STRATA_MS);
	assert_int_equal(counter(&h, "timeouts"), 1);
	finish(&h, fd);
}

static void the_9th_stream_is_refused(void **state)
{
	struct house h;
	int fds[9], i;

	(void)state;
	open_house(&h, "");
	for (i = 0; i < 9; i++)
		fds[i] = client(&h);
	for (i = 0; i < 8; i++)
		json_decref(ask_ok(&h, fds[i], i % 2 ? CAPTURE : TRACE));
	ask_refused(&h, fds[8], TRACE, "busy", "all 8 streams are taken");
	traffic(&h, 10);
	close(fds[3]);
	settle(&h);
	json_decref(ask_ok(&h, fds[8], TRACE));
	for (i = 0; i < 9; i++)
		if (i != 3)
			close(fds[i]);
	settle(&h);
	assert_false(h.stack->tracing);
	house_close(&h);
}

static void closing_its_side_ends_a_stream_in_good_order(void **state)
{
	static uint8_t bytes[65536];
	size_t length = 0;
	struct seen seen;
	struct house h;
	ssize_t n;
	int fd;

	(void)state;
	open_house(&h, "");
	fd = client(&h);
	json_decref(ask_ok(&h, fd, TRACE));
	traffic(&h, 2);
	shutdown(fd, SHUT_WR);
	seen = hear_out(&h, fd);
	assert_string_equal(seen.reason, "the client closed its side");
	assert_true(seen.events > 0);
	expect_end(&h, fd);

	fd = client(&h);
	json_decref(ask_ok(&h, fd, CAPTURE));
	traffic(&h, 2);
	shutdown(fd, SHUT_WR);
	settle(&h);
	while ((n = recv(fd, bytes + length, sizeof(bytes) - length, 0)) > 0)
		length += (size_t)n;
	assert_int_equal(n, 0);
	assert_true(length > 4 * sizeof(arp_request));
	assert_memory_equal(bytes, "\x0a\x0d\x0d\x0a", 4);	/* a section header block */
	finish(&h, fd);
}

static void anything_said_ends_a_stream_of_bytes(void **state)
{
	static uint8_t bytes[65536];
	struct house h;
	ssize_t n;
	int fd;

	(void)state;
	open_house(&h, "");
	fd = client(&h);
	json_decref(ask_ok(&h, fd, CAPTURE));
	traffic(&h, 2);
	say(fd, "enough");
	settle(&h);
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		continue;
	assert_int_equal(n, 0);
	finish(&h, fd);
}

static void a_client_that_hangs_up_at_any_point_is_forgotten(void **state)
{
	struct house h;
	size_t before;
	int fd, i;

	(void)state;
	open_house(&h, "      stream_buffer: 64KiB\n");
	traffic(&h, 10);
	settle(&h);
	before = strata_memory_used(h.stack);
	for (i = 0; i < 64; i++) {
		fd = client(&h);
		if (i & 1)
			json_decref(ask_ok(&h, fd, i & 32 ? CAPTURE : TRACE));
		else
			say(fd, i & 32 ? "{\"v\":1,\"method\":\"capture\"}\n" :
			    "{\"v\":1,\"method\":\"trace\"}\n");
		if (i & 2)
			traffic(&h, i & 16 ? 3000 : 3);
		if (i & 4)
			settle(&h);
		if (i & 8)
			stop(fd);
		if (i & 16)
			strata_loop_turn(h.stack, 0);
		close(fd);
		traffic(&h, 2);
		settle(&h);
		assert_false(h.stack->tracing);
		assert_int_equal(strata_memory_used(h.stack), before);
	}
	house_close(&h);
}

static void a_request_without_end_ends_the_stream(void **state)
{
	static char flood[70000];
	struct seen seen;
	struct house h;
	size_t sent = 0;
	int fd;

	(void)state;
	open_house(&h, "");
	fd = client(&h);
	json_decref(ask_ok(&h, fd, TRACE));
	memset(flood, ' ', sizeof(flood));
	while (sent < sizeof(flood)) {
		ssize_t n = send(fd, flood + sent, sizeof(flood) - sent, MSG_NOSIGNAL);

		assert_true(n > 0 || errno == EAGAIN || errno == EPIPE);
		if (n < 0 && errno == EPIPE)
			break;
		sent += n > 0 ? (size_t)n : 0;
		settle(&h);
	}
	seen = hear_out(&h, fd);
	assert_string_equal(seen.reason, "a request was too long");
	finish(&h, fd);
}

static void half_a_request_ends_the_stream_after_5_seconds(void **state)
{
	struct house h;
	int fd;

	(void)state;
	open_house(&h, "");
	fd = client(&h);
	json_decref(ask_ok(&h, fd, TRACE));
	say(fd, "{\"v\":1,");
	settle(&h);
	pass(&h, 6 * STRATA_SEC);
	assert_int_equal(counter(&h, "timeouts"), 1);
	assert_false(h.stack->tracing);
	finish(&h, fd);
}

static void a_stack_may_end_under_its_streams(void **state)
{
	struct house h;
	int fds[2];

	(void)state;
	open_house(&h, "");
	fds[0] = client(&h);
	fds[1] = client(&h);
	json_decref(ask_ok(&h, fds[0], TRACE));
	json_decref(ask_ok(&h, fds[1], CAPTURE));
	traffic(&h, 5);
	house_close(&h);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_follows_its_reply_until_it_is_stopped),
		cmocka_unit_test(another_request_during_a_stream_is_refused_between_events),
		cmocka_unit_test(a_client_that_does_not_read_loses_events_and_is_told),
		cmocka_unit_test(a_client_may_pause_for_as_long_as_it_likes),
		cmocka_unit_test(the_rest_of_a_stopped_stream_has_5_seconds),
		cmocka_unit_test(the_9th_stream_is_refused),
		cmocka_unit_test(closing_its_side_ends_a_stream_in_good_order),
		cmocka_unit_test(anything_said_ends_a_stream_of_bytes),
		cmocka_unit_test(a_client_that_hangs_up_at_any_point_is_forgotten),
		cmocka_unit_test(a_request_without_end_ends_the_stream),
		cmocka_unit_test(half_a_request_ends_the_stream_after_5_seconds),
		cmocka_unit_test(a_stack_may_end_under_its_streams),
	};

	return fx_main(tests);
}
