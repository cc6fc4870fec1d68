/* SPDX-License-Identifier: BSD-2-Clause */
/* The control service over real Unix sockets, with clients that are slow, greedy, hung, many or mad. */
#include "house.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MOST_CLIENTS 64

/* ---- requests ---- */

static void a_request_is_answered_with_its_id(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, MANIFEST);
	fd = client(&h);
	ask_version(fd, 7);
	expect_version(&h, fd, 7);
	ask_version(fd, 8);
	expect_version(&h, fd, 8);
	close(fd);
	settle(&h);
	house_close(&h);
}

static void requests_sent_together_are_answered_in_order(void **state)
{
	struct house h;
	int fd, i;

	(void)state;
	house_open(&h, MANIFEST);
	fd = client(&h);
	for (i = 0; i < 50; i++)
		ask_version(fd, i);
	shutdown(fd, SHUT_WR);
	for (i = 0; i < 50; i++)
		expect_version(&h, fd, i);
	expect_end(&h, fd);
	house_close(&h);
}

static void one_request_of_a_client_is_worked_a_turn(void **state)
{
	struct house h;
	int fd, i;

	(void)state;
	house_open(&h, MANIFEST);
	fd = client(&h);
	strata_loop_turn(h.stack, 0);
	for (i = 0; i < 20; i++)
		ask_version(fd, i);
	for (i = 1; i <= 20; i++) {
		strata_loop_turn(h.stack, 0);
		assert_int_equal(counter(&h, "requests"), i);
	}
	close(fd);
	settle(&h);
	house_close(&h);
}

static void every_fault_of_a_request_has_its_code(void **state)
{
	static const struct {
		const char *line, *code;
	} faults[] = {
		{ "nonsense\n", "bad_request" },
		{ "{\"v\":1\n", "bad_request" },
		{ "[]\n", "bad_request" },
		{ "\"\xff\xfe\"\n", "bad_request" },
		{ "{\"v\":1,\"v\":1}\n", "bad_request" },
		{ "{\"v\":2,\"method\":\"show\"}\n", "unknown_version" },
		{ "{\"method\":\"show\"}\n", "unknown_version" },
		{ "{\"v\":1}\n", "bad_request" },
		{ "{\"v\":1,\"id\":{},\"method\":\"show\"}\n", "bad_request" },
		{ "{\"v\":1,\"id\":\"12345678901234567\",\"method\":\"show\"}\n", "bad_request" },
		{ "{\"v\":1,\"method\":\"hide\"}\n", "unknown_method" },
		{ "{\"v\":1,\"method\":\"\xc3\xa4\xc3\xa4\"}\n", "unknown_method" },
		{ "{\"v\":1,\"method\":\"show\"}\n", "bad_request" },
		{ "{\"v\":1,\"method\":\"show\",\"what\":7}\n", "bad_request" },
		{ "{\"v\":1,\"method\":\"show\",\"what\":\"moduls\"}\n", "unknown_table" },
		{ "{\"v\":1,\"method\":\"show\",\"what\":\"modules\",\"from\":-1}\n", "bad_request" },
	};
	struct house h;
	size_t i;
	int fd;

	(void)state;
	house_open(&h, MANIFEST);
	fd = client(&h);
	for (i = 0; i < STRATA_COUNT(faults); i++) {
		say(fd, faults[i].line);
		expect_error(&h, fd, faults[i].code);
	}
	assert_int_equal(counter(&h, "errors"), STRATA_COUNT(faults));
	ask_version(fd, 1);	/* the client is still welcome */
	expect_version(&h, fd, 1);
	close(fd);
	settle(&h);
	house_close(&h);
}

static void empty_lines_and_carriage_returns_do_no_harm(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, MANIFEST);
	fd = client(&h);
	say(fd, "\n\r\n{\"v\":1,\"id\":1,\"method\":\"show\",\"what\":\"version\"}\r\n");
	expect_version(&h, fd, 1);
	close(fd);
	settle(&h);
	house_close(&h);
}

static void a_large_table_comes_in_pages(void **state)
{
	char manifest[32768], *end = manifest;
	json_int_t from = 0, count = 0, next;
	unsigned int pages = 0, i;
	struct house h;
	int fd;

	(void)state;
	end += sprintf(end, "strata: 1\nmodules:\n  - name: wire\n  - name: ethernet\n  - name: arp\n"
		       "  - name: control\ninterfaces:\n  - name: w0\n    driver: wire\n    addresses:\n");
	for (i = 0; i < 1000; i++)
		end += sprintf(end, "      - 10.0.%u.%u/8\n", i / 250, i % 250 + 1);
	house_open(&h, manifest);
	fd = client(&h);
	do {
		char line[128];
		json_t *reply;

		snprintf(line, sizeof(line), "{\"v\":1,\"method\":\"show\",\"what\":\"addresses\","
			 "\"from\":%lld}\n", (long long)from);
		say(fd, line);
		reply = hear(&h, fd);
		assert_true(json_is_true(json_object_get(reply, "ok")));
		count += (json_int_t)json_array_size(json_object_get(reply, "result"));
		next = json_integer_value(json_object_get(reply, "next"));
		assert_true(next == 0 || next == count);
		json_decref(reply);
		from = next;
		pages++;
	} while (next != 0);
	assert_int_equal(count, 1000);
	assert_true(pages > 1);
	close(fd);
	settle(&h);
	house_close(&h);
}

/* ---- bad clients ---- */

static void half_a_request_ends_after_5_seconds(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, MANIFEST);
	fd = client(&h);
	say(fd, "{\"v\":1,");
	settle(&h);
	pass(&h, 4990 * STRATA_MS);
	assert_int_equal(counter(&h, "timeouts"), 0);
	pass(&h, 20 * STRATA_MS);
	assert_int_equal(counter(&h, "timeouts"), 1);
	expect_error(&h, fd, "timeout");
	expect_end(&h, fd);
	house_close(&h);
}

static void one_byte_at_a_time_gets_no_more_time(void **state)
{
	struct house h;
	int fd, i;

	(void)state;
	house_open(&h, MANIFEST);
	fd = client(&h);
	for (i = 0; i < 5; i++) {
		say(fd, "{");
		settle(&h);
		pass(&h, STRATA_SEC + STRATA_MS);
	}
	assert_int_equal(counter(&h, "timeouts"), 1);
	expect_error(&h, fd, "timeout");
	expect_end(&h, fd);
	house_close(&h);
}

static void an_idle_client_may_stay(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, MANIFEST);
	fd = client(&h);
	settle(&h);
	pass(&h, 3600 * STRATA_SEC);
	assert_int_equal(strata_next_timer(h.stack), STRATA_NEVER);
	ask_version(fd, 1);
	expect_version(&h, fd, 1);
	close(fd);
	settle(&h);
	house_close(&h);
}

static void a_request_without_end_is_cut_at_64_kib(void **state)
{
	static char flood[1 << 16];
	size_t sent = 0;
	struct house h;
	int fd;

	(void)state;
	house_open(&h, MANIFEST);
	memset(flood, 'x', sizeof(flood));
	fd = client(&h);
	for (;;) {
		ssize_t n = send(fd, flood, sizeof(flood), MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;	/* closed at the other end */
		sent += n > 0 ? (size_t)n : 0;
		assert_true(sent < 4u << 20);
		strata_loop_turn(h.stack, 0);
	}
	assert_int_equal(counter(&h, "errors"), 1);
	close(fd);
	settle(&h);
	house_close(&h);
}

static void a_client_that_never_reads_holds_nobody_up(void **state)
{
	struct house h;
	unsigned int asked = 0;
	int hung, other;
	char line[128];
	ssize_t n;

	(void)state;
	house_open(&h, MANIFEST);
	hung = client(&h);
	other = client(&h);
	snprintf(line, sizeof(line), "{\"v\":1,\"method\":\"show\",\"what\":\"counters\"}\n");
	do {	/* until nothing moves any more: all buffers are full */
		n = send(hung, line, strlen(line), MSG_NOSIGNAL);
		asked += n > 0;
		settle(&h);
	} while (n == (ssize_t)strlen(line) && asked < 1000000);
	assert_true(asked < 1000000);
	assert_true(counter(&h, "requests") < asked);
	ask_version(other, 3);
	expect_version(&h, other, 3);
	pass(&h, 4 * STRATA_SEC);
	assert_int_equal(counter(&h, "timeouts"), 0);
	pass(&h, 2 * STRATA_SEC);
	assert_int_equal(counter(&h, "timeouts"), 1);
	ask_version(other, 4);
	expect_version(&h, other, 4);
	close(hung);
	close(other);
	settle(&h);
	house_close(&h);
}

static void a_client_that_hangs_up_is_forgotten(void **state)
{
	size_t before;
	struct house h;
	int fd, i;

	(void)state;
	house_open(&h, MANIFEST);
	before = strata_memory_used(h.stack);
	for (i = 0; i < 200; i++) {
		fd = client(&h);
		if (i % 3 == 1)
			say(fd, "{\"v\"");
		if (i % 3 == 2)
			ask_version(fd, i);
		if (i % 2)
			settle(&h);
		close(fd);
		settle(&h);
	}
	assert_int_equal(strata_memory_used(h.stack), before);
	house_close(&h);
}

/* ---- many clients ---- */

static void the_65th_client_is_told_that_all_are_taken(void **state)
{
	int fds[MOST_CLIENTS], extra, i;
	struct house h;

	(void)state;
	house_open(&h, MANIFEST);
	for (i = 0; i < MOST_CLIENTS; i++) {
		fds[i] = client(&h);
		settle(&h);
	}
	extra = client(&h);
	expect_error(&h, extra, "busy");
	expect_end(&h, extra);
	close(fds[5]);
	settle(&h);
	fds[5] = client(&h);
	ask_version(fds[5], 5);
	expect_version(&h, fds[5], 5);
	for (i = 0; i < MOST_CLIENTS; i++) {
		ask_version(fds[i], i);
		expect_version(&h, fds[i], i);
		close(fds[i]);
	}
	settle(&h);
	house_close(&h);
}

static void the_longest_idle_client_makes_room(void **state)
{
	int fds[MOST_CLIENTS], extra, i;
	struct house h;

	(void)state;
	house_open(&h, MANIFEST);
	for (i = 0; i < MOST_CLIENTS; i++) {
		fds[i] = client(&h);
		settle(&h);
		h.now += STRATA_MS;
	}
	pass(&h, 5 * STRATA_SEC);
	extra = client(&h);
	ask_version(extra, 9);
	expect_version(&h, extra, 9);
	assert_int_equal(counter(&h, "evicted"), 1);
	expect_end(&h, fds[0]);
	for (i = 1; i < MOST_CLIENTS; i++)
		close(fds[i]);
	close(extra);
	settle(&h);
	house_close(&h);
}

static void clients_by_the_thousand_are_sent_away(void **state)
{
	struct house h;
	int i;

	(void)state;
	house_open(&h, MANIFEST);
	for (i = 0; i < 3000; i++) {
		int fd = client(&h);

		if (i % 16 == 0)
			strata_loop_turn(h.stack, 0);
		close(fd);
	}
	settle(&h);
	assert_int_equal(counter(&h, "accepted") + counter(&h, "refused"), 3000);
	house_close(&h);
}

/* ---- descriptors ---- */

static void without_descriptors_one_client_is_still_served(void **state)
{
	struct rlimit limit, small;
	struct house h;
	int fds[2], probe;

	(void)state;
	house_open(&h, MANIFEST);
	settle(&h);
	fds[0] = client(&h);	/* in the backlog: not yet accepted */
	fds[1] = client(&h);
	probe = dup(fds[0]);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	small = limit;
	small.rlim_cur = (rlim_t)probe;
	close(probe);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);

	ask_version(fds[0], 1);
	expect_version(&h, fds[0], 1);
	assert_int_equal(counter(&h, "pauses"), 1);
	assert_int_equal(settle(&h), 0);	/* and nothing spins */
	close(fds[0]);
	settle(&h);
	ask_version(fds[1], 2);
	pass(&h, 1100 * STRATA_MS);
	expect_version(&h, fds[1], 2);

	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	close(fds[1]);
	settle(&h);
	house_close(&h);
}

/* ---- the socket's file ---- */

static void the_socket_is_for_its_group_alone(void **state)
{
	struct stat status;
	struct house h;

	(void)state;
	house_open(&h, MANIFEST);
	assert_int_equal(stat(h.path, &status), 0);
	assert_true(S_ISSOCK(status.st_mode));
	assert_int_equal(status.st_mode & 0777, 0660);
	house_close(&h);
}

static void a_socket_left_by_a_killed_daemon_is_replaced(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct house h;
	int fd;

	(void)state;
	memset(&h, 0, sizeof(h));
	h.now = STRATA_SEC;
	strcpy(h.directory, "/tmp/strata-control-XXXXXX");
	assert_non_null(mkdtemp(h.directory));
	snprintf(h.path, sizeof(h.path), "%s/control.sock", h.directory);
	memcpy(address.sun_path, h.path, strlen(h.path));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(house_start(&h, MANIFEST, NULL), 0);
	fd = client(&h);
	ask_version(fd, 1);
	expect_version(&h, fd, 1);
	close(fd);
	settle(&h);
	house_close(&h);
}

static void a_second_daemon_is_refused(void **state)
{
	struct strata_error error = { 0 };
	struct house h, second;
	int fd;

	(void)state;
	house_open(&h, MANIFEST);
	second = h;
	second.stack = NULL;
	assert_int_equal(house_start(&second, MANIFEST, &error), -EADDRINUSE);
	assert_non_null(strstr(strata_error_text(&error), "another stratad answers"));
	strata_error_clear(&error);
	fd = client(&h);	/* the first one noticed nothing */
	ask_version(fd, 1);
	expect_version(&h, fd, 1);
	close(fd);
	settle(&h);
	house_close(&h);
}

static void a_file_in_the_sockets_place_is_left_alone(void **state)
{
	struct strata_error error = { 0 };
	struct house h;

	(void)state;
	house_open(&h, MANIFEST);
	strata_stack_destroy(h.stack);
	close(open(h.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	h.stack = NULL;
	assert_true(house_start(&h, MANIFEST, &error) < 0);
	assert_non_null(strstr(strata_error_text(&error), "is no socket"));
	strata_error_clear(&error);
	assert_int_equal(unlink(h.path), 0);
	assert_int_equal(rmdir(h.directory), 0);
}

static void a_path_too_long_for_a_socket_is_told(void **state)
{
	struct strata_error error = { 0 };
	struct house h = { .now = STRATA_SEC };
	char manifest[512];

	(void)state;
	snprintf(manifest, sizeof(manifest), MANIFEST "    options:\n      socket: /tmp/%0200d\n", 0);
	assert_true(house_start(&h, manifest, &error) < 0);
	assert_non_null(strstr(strata_error_text(&error), "at most 107"));
	strata_error_clear(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_answered_with_its_id),
		cmocka_unit_test(requests_sent_together_are_answered_in_order),
		cmocka_unit_test(one_request_of_a_client_is_worked_a_turn),
		cmocka_unit_test(every_fault_of_a_request_has_its_code),
		cmocka_unit_test(empty_lines_and_carriage_returns_do_no_harm),
		cmocka_unit_test(a_large_table_comes_in_pages),
		cmocka_unit_test(half_a_request_ends_after_5_seconds),
		cmocka_unit_test(one_byte_at_a_time_gets_no_more_time),
		cmocka_unit_test(an_idle_client_may_stay),
		cmocka_unit_test(a_request_without_end_is_cut_at_64_kib),
		cmocka_unit_test(a_client_that_never_reads_holds_nobody_up),
		cmocka_unit_test(a_client_that_hangs_up_is_forgotten),
		cmocka_unit_test(the_65th_client_is_told_that_all_are_taken),
		cmocka_unit_test(the_longest_idle_client_makes_room),
		cmocka_unit_test(clients_by_the_thousand_are_sent_away),
		cmocka_unit_test(without_descriptors_one_client_is_still_served),
		cmocka_unit_test(the_socket_is_for_its_group_alone),
		cmocka_unit_test(a_socket_left_by_a_killed_daemon_is_replaced),
		cmocka_unit_test(a_second_daemon_is_refused),
		cmocka_unit_test(a_file_in_the_sockets_place_is_left_alone),
		cmocka_unit_test(a_path_too_long_for_a_socket_is_told),
	};

	return fx_main(tests);
}
