/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata top`: its command line, its samples, and the text mode for scripts. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "strata_top.h"

/* Local choice: seconds between two samples where nothing is said. */
#define INTERVAL 1.0

/* ---- samples ---- */

static double monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void top_sample_free(struct top_sample *sample)
{
	size_t i;

	for (i = 0; i < TOP_TABLES; i++)
		json_decref(sample->tables[i]);
	memset(sample, 0, sizeof(*sample));
}

bool top_sample_read(const struct cli *cli, struct top_sample *sample)
{
	static const char *const names[TOP_TABLES] = {
		[TOP_VERSION] = "version",
		[TOP_INTERFACES] = "interfaces",
		[TOP_MODULES] = "modules",
		[TOP_SOCKETS] = "sockets",
		[TOP_DROPS] = "drops",
	};
	size_t i;

	memset(sample, 0, sizeof(*sample));
	for (i = 0; i < TOP_TABLES; i++) {
		sample->tables[i] = cli_fetch_quietly(cli, names[i]);
		sample->when[i] = monotonic();
		if (sample->tables[i] == NULL) {
			top_sample_free(sample);
			return false;
		}
	}
	return true;
}

/* ---- for scripts ---- */

static void print_pane(const struct top_pane *pane)
{
	struct cli_table *table = cli_table_new(pane->columns, pane->column_count);
	size_t i, k;

	for (i = 0; i < pane->row_count; i++)
		for (k = 0; k < pane->column_count; k++)
			cli_table_add(table, pane->rows[i].cells[k]);
	printf("\n%s\n", pane->name);
	cli_table_print(table, "none");
}

/* Waits for the interval. Returns false when a signal came. */
static bool wait_for(int signals, double seconds)
{
	struct pollfd fd = { .fd = signals, .events = POLLIN };

	return poll(&fd, 1, (int)(seconds * 1000)) <= 0;
}

static int batch(const struct cli *cli, double interval, uint64_t rounds)
{
	struct top_sample before, now;
	struct top_pane panes[PANES];
	int signals, status = 0;
	char heading[160];
	uint64_t i;

	/* The first one tells what is wrong where nothing answers. */
	json_t *probe = cli_fetch(cli, "version");

	if (probe == NULL)
		return CLI_FAILURE;
	json_decref(probe);
	signals = cli_signal_fd();
	if (signals < 0)
		return CLI_FAILURE;
	memset(&before, 0, sizeof(before));
	top_panes_init(panes);
	for (i = 0; status == 0 && (rounds == 0 || i <= rounds); i++) {
		if (i != 0 && !wait_for(signals, interval))
			break;
		if (!top_sample_read(cli, &now) || !top_panes_fill(panes, &before, &now)) {
			cli_error("top: the stack does not answer any more");
			status = CLI_FAILURE;
		} else if (i != 0) {
			top_heading(&now, heading, sizeof(heading));
			printf("%s%s\n", i != 1 ? "\n" : "", heading);
			for (size_t k = 0; k < PANES; k++)
				print_pane(&panes[k]);
			if (fflush(stdout) != 0)
				break;	/* told by main() */
		}
		top_sample_free(&before);
		before = now;
	}
	top_sample_free(&before);
	top_panes_free(panes);
	close(signals);
	return status;
}

/* ---- the subcommand ---- */

static int run_top(const struct cli *cli, int argc, char **argv)
{
	const char *rounds_text = cli_option(cli, "iterations");
	const char *interval_text = cli_option(cli, "interval");
	double interval = INTERVAL;
	uint64_t rounds = 0;

	(void)argc;
	(void)argv;
	if (interval_text != NULL && !cli_seconds(interval_text, &interval))
		return cli_usage_error(cli, "--interval: expected seconds, more than 0 and at most a day, "
				       "found '%s'", interval_text);
	if (rounds_text != NULL && !cli_number(rounds_text, 1, UINT64_MAX - 1, &rounds))
		return cli_usage_error(cli, "--iterations: expected a number from 1, found '%s'",
				       rounds_text);
	if (cli->json)
		return cli_usage_error(cli, "--json: expected none; `strata show TABLE --json` is for programs");
	if (cli_option(cli, "batch") != NULL)
		return batch(cli, interval, rounds);
	if (rounds_text != NULL)
		return cli_usage_error(cli, "--iterations: expected together with --batch");
	return top_screen(cli, interval);
}

static const struct cli_option top_options[] = {
	{ .name = "interval", .letter = 'i', .argument = "SECONDS", .help = "time between two looks (1)",
	  .value = CLI_NUMBER },
	{ .name = "batch", .letter = 'b', .help = "text for scripts instead of the screen" },
	{ .name = "iterations", .letter = 'n', .argument = "N",
	  .help = "with --batch: end after N; for ever when left out", .value = CLI_NUMBER },
	{ .name = NULL },
};

const struct cli_command cli_command_top = {
	.name = "top",
	.run = run_top,
	.summary = "Rates of interfaces, modules and drops, and the sockets, on a full screen",
	.help = "Keys: q ends, 1 to 4 and tab change the pane, s the column it is sorted by, arrows\n"
		"and page keys move, p pauses, h is help.",
	.examples = "strata top\n"
		    "strata top --interval 0.5       # looks twice a second\n"
		    "strata top --batch -n 3         # three times as text",
	.options = top_options,
};
