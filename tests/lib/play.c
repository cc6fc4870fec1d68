/* SPDX-License-Identifier: BSD-2-Clause */
/* Plays scenarios, and lists them; and the words that many of them share. */
#include "play.h"

/* One to be played: a scenario, or a row of its table. */
struct fx_part {
	const struct fx_scenario *scenario;
	const void *row;
	bool super;
	char name[160];
};

static void play_part(void **state)
{
	const struct fx_part *part = *state;
	struct fx_config config = part->scenario->config;
	struct fixture *fx;

	config.super = part->super;
	fx = fx_open_config(&config, __FILE__, __LINE__);
	if (part->row != NULL)
		part->scenario->play_row(fx, part->row);
	else
		part->scenario->play(fx);
	fx_close(fx);
}

static const char *row_name(const void *row)
{
	const char *name;

	memcpy(&name, row, sizeof(name));
	return name;
}

/* Parts of all scenarios; returns how many. */
static size_t make_parts(const struct fx_scenario *scenarios, size_t count, struct fx_part *parts)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct fx_scenario *sc = &scenarios[i];

		if (sc->rows == NULL) {
			parts[n].scenario = sc;
			snprintf(parts[n++].name, sizeof(parts->name), "%s", sc->name);
			continue;
		}
		for (size_t j = 0; j < sc->row_count; j++) {
			parts[n].scenario = sc;
			parts[n].row = (const char *)sc->rows + j * sc->row_size;
			snprintf(parts[n].name, sizeof(parts->name), "%s: %s", sc->name,
				 row_name(parts[n].row));
			n++;
		}
	}
	return n;
}

/* The program's name from its source's. */
static void program_of(const char *file, char *buf, size_t size)
{
	const char *slash = strrchr(file, '/');
	char *dot;

	snprintf(buf, size, "%s", slash != NULL ? slash + 1 : file);
	dot = strrchr(buf, '.');
	if (dot != NULL)
		*dot = '\0';
}

/* Each a second time: where a device cuts must not be seen by a peer. Returns how many there are then. */
static size_t play_twice(struct fx_part *parts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct fx_part *again = &parts[count + i];

		*again = parts[i];
		again->super = true;
		strncat(again->name, ", with super-packets", sizeof(again->name) - strlen(again->name) - 1);
	}
	return 2 * count;
}

static int play_parts(struct fx_part *parts, size_t count, const char *file, const char *wanted)
{
	struct CMUnitTest *tests = calloc(2 * count + 1, sizeof(*tests));
	size_t n = 0;
	int failed;

	assert_non_null(tests);
	count = play_twice(parts, count);
	for (size_t i = 0; i < count; i++)
		if (wanted == NULL || strstr(parts[i].name, wanted) != NULL)
			tests[n++] = (struct CMUnitTest){ .name = parts[i].name, .test_func = play_part,
							  .initial_state = &parts[i] };
	failed = _cmocka_run_group_tests(file, tests, n, NULL, NULL);
	free(tests);
	if (n == 0)
		print_error("no scenario is named so\n");
	return n == 0 || failed != 0;
}

int fx_play_all(int argc, char **argv, const char *file, const struct fx_scenario *scenarios,
		size_t count)
{
	struct fx_part *parts;
	char program[64];
	size_t n = 0;
	int result = 0;

	for (size_t i = 0; i < count; i++)
		n += scenarios[i].rows != NULL ? scenarios[i].row_count : 1;
	parts = calloc(2 * n + 1, sizeof(*parts));
	assert_non_null(parts);
	n = make_parts(scenarios, count, parts);
	program_of(file, program, sizeof(program));
	if (argc > 1 && strcmp(argv[1], "--list") == 0)
		for (size_t i = 0; i < n; i++)
			printf("%s\t%s\t%s\n", parts[i].scenario->shows, program, parts[i].name);
	else
		result = play_parts(parts, n, file, argc > 1 ? argv[1] : NULL);
	free(parts);
	return result;
}

/* ---- words ---- */

void fx_option(struct fixture *fx, const char *name, const char *value)
{
	struct strata_error error = { 0 };

	if (strata_option_set(fx->stack, name, value, &error) < 0)
		fx_fail(fx, __FILE__, __LINE__, "option %s: %s", name, strata_error_text(&error));
	strata_error_clear(&error);
}

void fx_app_sends(struct fixture *fx, int s, uint64_t position, size_t length)
{
	uint8_t *bytes = malloc(length + 1);
	ssize_t n;

	assert_non_null(bytes);
	fx_pattern_fill(bytes, length, position);
	n = fx_send(fx, s, bytes, length);
	free(bytes);
	if (n != (ssize_t)length)
		fx_fail(fx, __FILE__, __LINE__, "sending %zu bytes gave %zd", length, n);
}

void fx_app_reads(struct fixture *fx, int s, uint64_t position, size_t length)
{
	uint8_t *got = malloc(length + 1);
	size_t have = 0;
	ssize_t n = 1;

	assert_non_null(got);
	/* No further than that, or an error that follows would be taken off. */
	while (have < length && (n = fx_recv(fx, s, got + have, length + 1 - have)) > 0)
		have += (size_t)n;
	if (have != length)
		fx_fail(fx, __FILE__, __LINE__, "%zu bytes could be read (then %zd), expected %zu", have,
			n, length);
	for (size_t i = 0; i < length; i++)
		if (got[i] != fx_pattern(position + i))
			fx_fail(fx, __FILE__, __LINE__, "byte %zu read is 0x%02x, expected 0x%02x", i,
				got[i], fx_pattern(position + i));
	free(got);
}

void fx_expect_read(struct fixture *fx, int s, ssize_t result, const char *file, int line)
{
	char c;
	ssize_t n = fx_recv(fx, s, &c, 1);

	if (n != result)
		fx_fail(fx, file, line, "reading gave %zd, expected %zd", n, result);
}

int fx_connecting(struct fixture *fx, uint16_t port)
{
	int s = fx_socket(fx, SOCK_STREAM, 0);

	fx->conn.stack_port = 0;
	fx->conn.peer_port = port;
	assert_int_equal(fx_connect(fx, s, fx->conn.peer_ip != 0 ? fx->conn.peer_ip : PEER_IP, port),
			 -EINPROGRESS);
	expect_tx(SYN);
	return s;
}
