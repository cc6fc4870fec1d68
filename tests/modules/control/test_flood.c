/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floods and broken requests on the control socket while packets come in: each is answered in its own turn
 * of the loop, whatever clients do, and what clients are given stays within its bounds.
 */
#include "house.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Local choice: most memory that all clients may make of the stack, at 64 of them with two buffers each. */
#define CLIENTS_MEMORY (64 * (2 * 65536 + 4096))

/* Asks who has 192.0.2.2; the stack sends an answer. */
static const uint8_t arp_request[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6,
	0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 192, 0, 2, 2,
};

struct scene {
	struct house h;
	unsigned int sent, answered;
	size_t memory;		/* of the stack before the first client */
};

static void count_answer(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	struct scene *s = ctx;

	(void)iface;
	s->answered += length >= 22 && ((const uint8_t *)frame)[21] == 2;
}

static void arrive(struct scene *s)
{
	struct strata_iface *iface = strata_iface_by_name(s->h.stack, "w0");

	assert_int_equal(strata_input(iface, arp_request, sizeof(arp_request), s->h.now), 0);
	assert_int_equal(s->answered, ++s->sent);
}

static void scene_open(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	house_open(&s->h, house_network);
	strata_iface_set_output(strata_iface_by_name(s->h.stack, "w0"), count_answer, s);
	settle(&s->h);
	arrive(s);	/* who asks becomes a neighbour */
	settle(&s->h);
	s->memory = strata_memory_used(s->h.stack);
}

/* One turn of the loop, and a packet before it: answered before anything else happens. */
static void turn(struct scene *s)
{
	arrive(s);
	assert_true(strata_loop_turn(s->h.stack, 0) >= 0);
	assert_true(strata_memory_used(s->h.stack) <= s->memory + CLIENTS_MEMORY);
}

static void scene_close(struct scene *s)
{
	settle(&s->h);
	assert_int_equal(s->answered, s->sent);
	house_close(&s->h);
}

/* As client(), where the backlog may be full. */
static int try_client(struct house *h)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, h->path, strlen(h->path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	assert_int_equal(errno, EAGAIN);
	close(fd);
	return -1;
}

static void ten_thousand_clients_do_not_touch_a_packet(void **state)
{
	static int held[200];
	unsigned int i, refused = 0, slot;
	struct scene s;

	(void)state;
	scene_open(&s);
	memset(held, -1, sizeof(held));
	for (i = 0; i < 10000; i++) {
		uint64_t taken = counter(&s.h, "accepted") + counter(&s.h, "refused");

		slot = i % STRATA_COUNT(held);
		if (held[slot] >= 0)
			close(held[slot]);
		held[slot] = try_client(&s.h);
		refused += held[slot] < 0;
		if (held[slot] >= 0 && i % 3 == 0)
			ask_version(held[slot], (int)i);
		if (i % 4 != 0)
			continue;
		turn(&s);
		assert_true(counter(&s.h, "accepted") + counter(&s.h, "refused") - taken <= 16);
	}
	for (slot = 0; slot < STRATA_COUNT(held); slot++)
		if (held[slot] >= 0)
			close(held[slot]);
	settle(&s.h);
	assert_int_equal(counter(&s.h, "accepted") + counter(&s.h, "refused"), 10000 - refused);
	assert_true(counter(&s.h, "refused") > 0);
	assert_int_equal(strata_memory_used(s.h.stack), s.memory);
	scene_close(&s);
}

static void a_gibibyte_of_request_is_cut_off_at_its_first_64_kib(void **state)
{
	static char flood[1 << 16];
	struct scene s;
	size_t sent = 0;
	int fd;

	(void)state;
	scene_open(&s);
	memset(flood, '{', sizeof(flood));
	fd = client(&s.h);
	while (sent < (size_t)1 << 30) {
		ssize_t n = send(fd, flood, sizeof(flood), MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		sent += n > 0 ? (size_t)n : 0;
		turn(&s);
	}
	assert_true(sent < (size_t)4 << 20);
	close(fd);
	scene_close(&s);
}

static void a_request_may_come_a_byte_at_a_time(void **state)
{
	static const char request[] = "{\"v\":1,\"id\":1,\"method\":\"show\",\"what\":\"version\"}\n";
	struct scene s;
	size_t i;
	int fd;

	(void)state;
	scene_open(&s);
	fd = client(&s.h);
	for (i = 0; request[i] != '\0'; i++) {
		assert_int_equal(send(fd, request + i, 1, MSG_NOSIGNAL), 1);
		turn(&s);
	}
	expect_version(&s.h, fd, 1);
	close(fd);
	scene_close(&s);
}

/* The process would end by the SIGPIPE of a reply into a closed socket. */
static void a_client_may_go_at_each_byte_of_its_request(void **state)
{
	static const char request[] =
		"{\"v\":1,\"method\":\"module.disable\",\"name\":\"udp\"}\n"
		"{\"v\":1,\"method\":\"module.enable\",\"name\":\"udp\"}\n"
		"{\"v\":1,\"method\":\"show\",\"what\":\"counters\"}\n";
	struct scene s;
	size_t i;
	int fd, way;

	(void)state;
	scene_open(&s);
	for (i = 0; i < 4 * sizeof(request); i++) {
		way = (int)(i % 4);
		fd = client(&s.h);
		if (i / 4 != 0)
			assert_int_equal(send(fd, request, i / 4, MSG_NOSIGNAL), i / 4);
		if (way == 1)
			turn(&s);
		if (way == 2)
			shutdown(fd, SHUT_WR);
		if (way == 3)
			shutdown(fd, SHUT_RD);
		turn(&s);
		close(fd);
		settle(&s.h);
		/* The request may have got as far as this. */
		strata_module_enable(s.h.stack, "udp", NULL);
		assert_int_equal(strata_memory_used(s.h.stack), s.memory);
	}
	scene_close(&s);
}

static void clients_that_never_read_hold_no_packet_up(void **state)
{
	static const char request[] = "{\"v\":1,\"method\":\"show\",\"what\":\"counters\"}\n";
	struct scene s;
	int fds[64], i, round;

	(void)state;
	scene_open(&s);
	for (i = 0; i < 64; i++) {
		fds[i] = client(&s.h);
		settle(&s.h);
	}
	for (round = 0; round < 200; round++) {
		for (i = 0; i < 64; i++)
			(void)!send(fds[i], request, strlen(request), MSG_NOSIGNAL);
		settle(&s.h);	/* more than one turn takes may be ready */
	}
	pass(&s.h, 6 * STRATA_SEC);
	assert_int_equal(counter(&s.h, "timeouts"), 64);
	assert_int_equal(strata_memory_used(s.h.stack), s.memory);
	for (i = 0; i < 64; i++)
		close(fds[i]);
	scene_close(&s);
}

/* A line of up to 64 KiB and what is to be said to it. */
static void expect_refusal(struct scene *s, int fd, const char *line, size_t length, const char *part)
{
	json_t *reply, *error;
	size_t sent = 0;

	while (sent < length) {
		ssize_t n = send(fd, line + sent, length - sent, MSG_NOSIGNAL);

		assert_true(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		turn(s);
	}
	reply = hear(&s->h, fd);
	assert_non_null(reply);
	assert_true(json_is_false(json_object_get(reply, "ok")));
	error = json_object_get(reply, "error");
	assert_string_equal(json_string_value(json_object_get(error, "code")), "bad_request");
	if (strstr(json_string_value(json_object_get(error, "message")), part) == NULL)
		fail_msg("%s", json_string_value(json_object_get(error, "message")));
	json_decref(reply);
}

static void lines_that_are_no_requests_are_told_why(void **state)
{
#define LINE(text, part) { text, sizeof(text) - 1, part }
	static const struct {
		const char *line;
		size_t length;
		const char *part;
	} lines[] = {
		LINE("\0\n", "not a line of JSON"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"a\0b\"}\n", "not a line of JSON"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"a\\u0000b\"}\n", "not a line of JSON"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"\xc0\x80\"}\n", "not a line of JSON"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"\xed\xa0\x80\"}\n", "not a line of JSON"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"\xf5\x80\x80\x80\"}\n", "not a line of JSON"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"\\ud800\"}\n", "not a line of JSON"),
		LINE("\xef\xbb\xbf{\"v\":1}\n", "not a line of JSON"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"routes\",\"what\":\"drops\"}\n", "duplicate"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"routes\",\"from\":18446744073709551616}\n",
		     "too big"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"routes\",\"from\":-9223372036854775808}\n",
		     "`from` is to be"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"routes\",\"from\":1e400}\n", "real number overflow"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"routes\",\"from\":NaN}\n", "not a line of JSON"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"routes\"} trailing\n", "not a line of JSON"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"routes\"}{\"v\":1}\n", "not a line of JSON"),
		LINE("{'v':1}\n", "not a line of JSON"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":[\"routes\"]}\n", "`what` is to be a text"),
		LINE("null\n", "not a line of JSON"),
		LINE("[1]\n", "a request is a JSON object"),
		LINE("{\"v\":1,\"method\":null}\n", "`method` is missing"),
		LINE("{\"v\":1,\"id\":1.5,\"method\":\"show\"}\n", "`id` is an integer"),
		LINE("{\"v\":1,\"id\":null,\"method\":\"show\"}\n", "`id` is an integer"),
		LINE("{\"v\":1,\"method\":\"show\",\"what\":\"routes\",\"\\u001b[2J\":1}\n",
		     "has no parameter `?[2J`"),
	};
#undef LINE
	struct scene s;
	size_t i;
	int fd;

	(void)state;
	scene_open(&s);
	fd = client(&s.h);
	for (i = 0; i < STRATA_COUNT(lines); i++)
		expect_refusal(&s, fd, lines[i].line, lines[i].length, lines[i].part);
	ask_version(fd, 1);
	expect_version(&s.h, fd, 1);
	close(fd);
	scene_close(&s);
}

static void nesting_without_end_is_refused(void **state)
{
	static char line[60002];
	struct scene s;
	size_t depth;
	int fd;

	(void)state;
	scene_open(&s);
	fd = client(&s.h);
	for (depth = 1; depth <= 60000; depth *= 8) {
		memset(line, '[', depth);
		line[depth] = '\n';
		expect_refusal(&s, fd, line, depth + 1, "not a line of JSON");
	}
	for (depth = 2; depth <= 60000; depth *= 8) {	/* complete, at that */
		memset(line, '[', depth / 2);
		memset(line + depth / 2, ']', depth / 2);
		line[depth] = '\n';
		expect_refusal(&s, fd, line, depth + 1, depth > 4096 ? "depth" : "is a JSON object");
	}
	memset(line, '9', 60000);	/* a number of 60,000 digits */
	line[60000] = '\n';
	expect_refusal(&s, fd, line, 60001, "not a line of JSON");
	close(fd);
	scene_close(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_clients_do_not_touch_a_packet),
		cmocka_unit_test(a_gibibyte_of_request_is_cut_off_at_its_first_64_kib),
		cmocka_unit_test(a_request_may_come_a_byte_at_a_time),
		cmocka_unit_test(a_client_may_go_at_each_byte_of_its_request),
		cmocka_unit_test(clients_that_never_read_hold_no_packet_up),
		cmocka_unit_test(lines_that_are_no_requests_are_told_why),
		cmocka_unit_test(nesting_without_end_is_refused),
	};

	return fx_main(tests);
}
