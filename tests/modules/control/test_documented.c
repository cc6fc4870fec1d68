/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The examples of docs/control.md, replayed in their order against a stack: each request is answered with what
 * the document shows, member by member, and no method is without an example.
 */
#include "house.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	struct stat status;
	char *text;

	if (file == NULL)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fstat(fileno(file), &status), 0);
	text = calloc(1, (size_t)status.st_size + 1);
	assert_int_equal(fread(text, 1, (size_t)status.st_size, file), status.st_size);
	fclose(file);
	return text;
}

static char *read_document(void)
{
	const char *folder = getenv("abs_top_srcdir");
	char path[4096];

	snprintf(path, sizeof(path), "%s/docs/control.md", folder != NULL ? folder : TOP_SRCDIR);
	return read_file(path);
}

/* Whether the reply has the shape of the example: the same members of the same types; of an array, its first
 * entry; `null` may stand for a value and a value for `null`. */
static void expect_shape(const char *line, const char *where, const json_t *shown, const json_t *found)
{
	const char *key;
	json_t *value;

	if (json_is_null(shown) || json_is_null(found))
		return;
	if (json_typeof(shown) != json_typeof(found) &&
	    !(json_is_boolean(shown) && json_is_boolean(found)))
		fail_msg("%s: `%s` is of another type", line, where);
	if (json_is_array(shown)) {
		if (json_array_size(shown) == 0)
			return;
		if (json_array_size(found) == 0)
			fail_msg("%s: `%s` is empty", line, where);
		expect_shape(line, where, json_array_get(shown, 0), json_array_get(found, 0));
	}
	if (!json_is_object(shown))
		return;
	json_object_foreach((json_t *)(uintptr_t)shown, key, value) {
		if (json_object_get(found, key) == NULL)
			fail_msg("%s: `%s` has no `%s`", line, where, key);
		expect_shape(line, key, value, json_object_get(found, key));
	}
	json_object_foreach((json_t *)(uintptr_t)found, key, value)
		if (json_object_get(shown, key) == NULL)
			fail_msg("%s: `%s` has `%s`, which is not shown", line, where, key);
}

static void expect_like(const char *line, const json_t *shown, const json_t *found)
{
	const json_t *error = json_object_get(shown, "error");

	if (json_is_true(json_object_get(shown, "ok")) != json_is_true(json_object_get(found, "ok")))
		fail_msg("%s: %s", line, json_string_value(json_object_get(
			 json_object_get(found, "error"), "message")));
	expect_shape(line, "reply", shown, found);
	if (json_object_get(shown, "id") != NULL)
		assert_true(json_equal(json_object_get(shown, "id"), json_object_get(found, "id")));
	if (error != NULL)
		assert_string_equal(json_string_value(json_object_get(error, "code")), json_string_value(
			json_object_get(json_object_get(found, "error"), "code")));
	if (json_object_get(shown, "event") != NULL)
		assert_string_equal(json_string_value(json_object_get(shown, "event")),
				    json_string_value(json_object_get(found, "event")));
}

/** The replay: examples follow each other on one connection until one carries bytes. */
struct replay {
	struct house h;
	char manifest[128];
	int fd;
	bool raw;		/* the connection is a file's from here on */
	char asked[2048];	/* the request that was sent last */
	unsigned int requests, replies;
	json_t *methods;	/* object: those with an example */
};

static void replay_line(struct replay *r, const char *line, size_t length)
{
	json_t *shown = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL), *found;
	const char *method;

	if (shown == NULL)
		fail_msg("no JSON: %.*s", (int)length, line);
	method = json_string_value(json_object_get(shown, "method"));
	if (method != NULL) {
		if (r->fd < 0)
			r->fd = client(&r->h);
		snprintf(r->asked, sizeof(r->asked), "%.*s\n", (int)length, line);
		say(r->fd, r->asked);
		json_object_set_new(r->methods, method, json_true());
		r->raw = strcmp(method, "capture") == 0;
		r->requests++;
	} else {
		found = hear(&r->h, r->fd);
		assert_non_null(found);
		expect_like(r->asked, shown, found);
		json_decref(found);
		r->replies++;
		if (r->raw) {
			close(r->fd);
			r->fd = -1;
			settle(&r->h);
		}
	}
	json_decref(shown);
}

static void replay_open(struct replay *r)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(7) };
	FILE *file;
	int fd;

	memset(r, 0, sizeof(*r));
	r->fd = -1;
	r->methods = json_object();
	house_make(&r->h);
	snprintf(r->manifest, sizeof(r->manifest), "%s/manifest.yaml", r->h.directory);
	file = fopen(r->manifest, "w");
	assert_non_null(file);
	fputs(house_network, file);
	assert_int_equal(fclose(file), 0);
	house_open_file(&r->h, r->manifest);
	fd = strata_socket(r->h.stack, AF_INET, SOCK_DGRAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(strata_bind(r->h.stack, fd, (struct sockaddr *)&any, sizeof(any)), 0);
}

static void replay_close(struct replay *r)
{
	if (r->fd >= 0)
		close(r->fd);
	settle(&r->h);
	assert_int_equal(unlink(r->manifest), 0);
	json_decref(r->methods);
	house_close(&r->h);
}

/* The methods there are, as the service itself lists them. */
static void expect_all_methods(struct replay *r)
{
	json_t *reply;
	char list[1024], *name, *rest;
	int fd = client(&r->h);

	reply = ask(&r->h, fd, "'method':'?'");
	snprintf(list, sizeof(list), "%s", json_string_value(json_object_get(
		 json_object_get(reply, "error"), "message")));
	json_decref(reply);
	close(fd);
	rest = strstr(list, "there are ");
	assert_non_null(rest);
	for (name = strtok_r(rest + strlen("there are "), ", ", &rest); name != NULL;
	     name = strtok_r(NULL, ", ", &rest))
		if (json_object_get(r->methods, name) == NULL)
			fail_msg("docs/control.md has no example of `%s`", name);
}

static void the_document_tells_what_is_so(void **state)
{
	char *text = read_document(), *line, *rest = NULL;
	bool example = false;
	struct replay r;

	(void)state;
	replay_open(&r);
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		if (strncmp(line, "```", 3) == 0)
			example = strcmp(line, "```json") == 0;
		else if (example)
			replay_line(&r, line, strlen(line));
	}
	assert_true(r.requests >= 20);
	assert_true(r.replies + 1 >= r.requests);	/* `stop` is answered by an event */
	expect_all_methods(&r);
	replay_close(&r);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_document_tells_what_is_so),
	};

	return fx_main(tests);
}
