/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata show … --watch`: a table again and again, with what its counters gained a second. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "strata_show.h"

static double clock_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Waits. Returns true when a signal came. */
static bool wait_until(int signals, double when)
{
	struct pollfd fd = { .fd = signals, .events = POLLIN };
	double left = when - clock_of(CLOCK_MONOTONIC);

	return poll(&fd, 1, left > 0 ? (int)(left * 1000) + 1 : 0) > 0;
}

/* Writes what a screen has room for: the rest is a matter of a larger one. */
static void write_lines(const char *text, size_t lines)
{
	bool limited = lines != 0;

	while (*text != '\0' && (!limited || lines-- != 0)) {
		size_t length = strcspn(text, "\n");

		printf("%.*s\n", (int)length, text);
		text += length + (text[length] == '\n');
	}
}

static void print_head(const struct cli *cli, double interval)
{
	time_t now = time(NULL);
	char clock[16] = "";
	struct tm tm;

	if (localtime_r(&now, &tm) != NULL)
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	printf("every %g s: strata %s    %s\n\n", interval, cli->name, clock);
}

static int print_screen(const struct cli *cli, const json_t *entries, const json_t *before, double interval,
			double seconds)
{
	bool screen = isatty(STDOUT_FILENO);
	size_t lines = cli_terminal_height(), length;
	char *text = NULL;
	FILE *memory = open_memstream(&text, &length);

	if (memory == NULL) {
		cli_error("out of memory");
		return CLI_FAILURE;
	}
	show_print(cli, memory, entries, before, seconds);
	fclose(memory);
	if (screen)
		fputs("\033[H\033[J", stdout);
	print_head(cli, interval);
	write_lines(text, screen && lines > 3 ? lines - 3 : 0);
	if (!screen)
		putchar('\n');
	free(text);
	return 0;
}

/* The entries with `<member>_per_second` beside what counts up. */
static void add_rates(const struct show_table *table, json_t *entries, const json_t *before, double seconds)
{
	const struct show_column *columns = table->watched != NULL ? table->watched : table->columns;
	size_t count = table->watched != NULL ? table->watched_count : table->count, i, k;
	json_t *entry;

	json_array_foreach(entries, i, entry) {
		const json_t *earlier = before != NULL ? show_same(table, before, entry, i) : NULL;

		for (k = 0; k < count; k++) {
			const json_t *now = show_member(entry, columns[k].member);
			const json_t *then = earlier != NULL ? show_member(earlier, columns[k].member) : NULL;
			const char *dot = strrchr(columns[k].member, '.');
			char name[80];

			if (!columns[k].rate || !json_is_integer(now))
				continue;
			snprintf(name, sizeof(name), "%s_per_second", dot != NULL ? dot + 1 : columns[k].member);
			json_object_set_new(entry, name, !json_is_integer(then) || seconds <= 0 ? json_null() :
				json_real((double)(json_integer_value(now) - json_integer_value(then)) / seconds));
		}
	}
}

/* One object a line. */
static int print_line(const struct cli *cli, const json_t *entries, const json_t *before, double seconds)
{
	const struct show_table *table = show_table_of(cli);
	json_t *copy = json_deep_copy(entries), *line;
	int status = CLI_FAILURE;

	if (copy != NULL)
		add_rates(table, copy, before, seconds);
	line = json_pack("{s:s, s:f, s:o}", "table", table->command.name, "time", clock_of(CLOCK_REALTIME), "entries",
			 copy);
	if (line == NULL)
		cli_error("out of memory");
	else if (json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(13)) == 0 && putchar('\n') != EOF)
		status = 0;
	json_decref(line);
	return status;
}

int show_watch(const struct cli *cli, int argc, char **argv)
{
	const char *argument = cli_option(cli, "watch");
	double interval = 1, next, then = 0;
	json_t *before = NULL;
	struct cli_link *link;
	int signals, status = 0;

	if (argument[0] != '\0' && !cli_seconds(argument, &interval))
		return cli_usage_error(cli, "--watch: expected seconds, found '%s'", argument);
	signals = cli_signal_fd();
	link = signals >= 0 ? cli_connect(cli) : NULL;
	if (link == NULL)
		status = CLI_FAILURE;
	next = clock_of(CLOCK_MONOTONIC);
	while (status == 0) {
		json_t *entries = show_entries(cli, link, argc, argv, &status);
		double now = clock_of(CLOCK_MONOTONIC), seconds = before != NULL ? now - then : 0;

		if (entries == NULL)
			break;
		status = cli->json ? print_line(cli, entries, before, seconds) :
				     print_screen(cli, entries, before, interval, seconds);
		json_decref(before);
		before = entries;
		then = now;
		next = next + interval > now ? next + interval : now;
		if (fflush(stdout) != 0 || wait_until(signals, next))
			break;
	}
	json_decref(before);
	cli_disconnect(link);
	if (signals >= 0)
		close(signals);
	return status;
}
