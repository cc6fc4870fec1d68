/* SPDX-License-Identifier: BSD-2-Clause */
/* The rig of the control service's tests. */
#include "house.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char house_network[] =
	"strata: 1\n"
	"modules:\n"
	"  - name: wire\n"
	"  - name: ethernet\n"
	"  - name: arp\n"
	"  - name: ipv4\n"
	"  - name: icmp\n"
	"  - name: udp\n"
	"  - name: newreno\n"
	"  - name: tcp\n"
	"    options:\n"
	"      congestion: newreno\n"
	"  - name: control\n"
	"interfaces:\n"
	"  - name: w0\n"
	"    driver: wire\n"
	"    mac: 02:00:00:00:00:02\n"
	"    addresses: [192.0.2.2/24]\n";

static uint64_t house_now(void *ctx)
{
	return ((struct house *)ctx)->now;
}

static void house_log(void *ctx, enum strata_log_level level, const char *module, const char *line)
{
	(void)ctx;
	(void)level;
	(void)module;
	(void)line;
}

static int start(struct house *h, const char *manifest, const char *file, struct strata_error *error)
{
	const struct strata_env env = { .ctx = h, .now = house_now, .log = house_log };
	const struct strata_config config = {
		.manifest_text = manifest,
		.manifest_file = file,
		.module_path = fx_module_path(),
		.env = &env,
		.run_dir = h->directory,
	};

	return strata_stack_create(&config, &h->stack, error);
}

int house_start(struct house *h, const char *manifest, struct strata_error *error)
{
	return start(h, manifest, NULL, error);
}

void house_make(struct house *h)
{
	memset(h, 0, sizeof(*h));
	h->now = 1000 * STRATA_SEC;
	strcpy(h->directory, "/tmp/strata-control-XXXXXX");
	assert_non_null(mkdtemp(h->directory));
	snprintf(h->path, sizeof(h->path), "%s/control.sock", h->directory);
}

void house_open_file(struct house *h, const char *path)
{
	struct strata_error error = { 0 };

	if (start(h, NULL, path, &error) < 0)
		fail_msg("%s", strata_error_text(&error));
}

void house_open(struct house *h, const char *manifest)
{
	struct strata_error error = { 0 };

	house_make(h);
	if (house_start(h, manifest, &error) < 0)
		fail_msg("%s", strata_error_text(&error));
	strata_error_clear(&error);	/* what was only remarked */
}

void house_close(struct house *h)
{
	strata_stack_destroy(h->stack);
	assert_int_equal(access(h->path, F_OK), -1);
	assert_int_equal(rmdir(h->directory), 0);
}

unsigned int settle(struct house *h)
{
	unsigned int turns = 0;

	while (strata_loop_turn(h->stack, 0) > 0)
		assert_true(++turns < 100000);
	return turns;
}

void pass(struct house *h, uint64_t ns)
{
	h->now += ns;
	settle(h);
}

int client(struct house *h)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(address.sun_path, h->path, strlen(h->path));
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static json_t *hear_line(struct house *h, int fd, bool must)
{
	static char line[65536];
	size_t length = 0;
	json_t *reply;

	settle(h);
	for (;;) {
		ssize_t n = recv(fd, line + length, 1, 0);

		if ((n == 0 || (n < 0 && errno == EAGAIN && !must)) && length == 0)
			return NULL;
		if (n < 0 && errno == EAGAIN) {
			assert_true(settle(h) > 0);
			continue;
		}
		assert_int_equal(n, 1);
		if (line[length] == '\n')
			break;
		assert_true(++length < sizeof(line));
	}
	reply = json_loadb(line, length, 0, NULL);
	assert_non_null(reply);
	assert_int_equal(json_integer_value(json_object_get(reply, "v")), 1);
	return reply;
}

json_t *hear(struct house *h, int fd)
{
	return hear_line(h, fd, true);
}

json_t *hear_any(struct house *h, int fd)
{
	return hear_line(h, fd, false);
}

void expect_error(struct house *h, int fd, const char *code)
{
	json_t *reply = hear(h, fd);

	assert_true(json_is_false(json_object_get(reply, "ok")));
	assert_string_equal(json_string_value(json_object_get(json_object_get(reply, "error"), "code")),
			    code);
	json_decref(reply);
}

void expect_version(struct house *h, int fd, int id)
{
	json_t *reply = hear(h, fd);

	assert_true(json_is_true(json_object_get(reply, "ok")));
	assert_int_equal(json_integer_value(json_object_get(reply, "id")), id);
	assert_string_equal(json_string_value(json_object_get(json_array_get(
		json_object_get(reply, "result"), 0), "version")), strata_version());
	json_decref(reply);
}

void expect_end(struct house *h, int fd)
{
	assert_null(hear(h, fd));
	close(fd);
}

void ask_version(int fd, int id)
{
	char line[128];

	snprintf(line, sizeof(line), "{\"v\":1,\"id\":%d,\"method\":\"show\",\"what\":\"version\"}\n", id);
	say(fd, line);
}

uint64_t counter(struct house *h, const char *name)
{
	const struct strata_instance *self = strata_instance_by_name(h->stack, STRATA_SERVICE, "control");
	size_t i;

	for (i = 0; i < self->module->counter_count; i++)
		if (strcmp(self->module->counters[i].name, name) == 0)
			return self->counters[i];
	fail_msg("no counter %s", name);
	return 0;
}

json_t *ask(struct house *h, int fd, const char *members)
{
	char line[4096];
	size_t i;

	snprintf(line, sizeof(line), "{\"v\":1,%s}\n", members);
	for (i = 0; line[i] != '\0'; i++)
		if (line[i] == '\'')
			line[i] = '"';
	say(fd, line);
	return hear(h, fd);
}

json_t *ask_ok(struct house *h, int fd, const char *members)
{
	json_t *reply = ask(h, fd, members), *result;

	assert_non_null(reply);
	if (!json_is_true(json_object_get(reply, "ok")))
		fail_msg("%s: %s", members, json_string_value(json_object_get(
			 json_object_get(reply, "error"), "message")));
	result = json_incref(json_object_get(reply, "result"));
	assert_non_null(result);
	json_decref(reply);
	return result;
}

void ask_refused(struct house *h, int fd, const char *members, const char *code, const char *part)
{
	json_t *reply = ask(h, fd, members), *error;

	assert_non_null(reply);
	assert_true(json_is_false(json_object_get(reply, "ok")));
	error = json_object_get(reply, "error");
	if (strcmp(json_string_value(json_object_get(error, "code")), code) != 0 ||
	    strstr(json_string_value(json_object_get(error, "message")), part) == NULL)
		fail_msg("%s: %s: %s", members, json_string_value(json_object_get(error, "code")),
			 json_string_value(json_object_get(error, "message")));
	json_decref(reply);
}
