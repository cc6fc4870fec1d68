/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Congestion control against theory, in the simulator: mean windows under periodic loss against Mathis'
 * formula and RFC 9438's, how much of a path a flow fills, how two flows share one. Prints a table,
 * and writes JSON and plots: theory [--quick] [--only windows|fill|share] [DIRECTORY].
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dumbbell.h"
#include "svg.h"

static const char *directory;
static FILE *json;
static const char *separator = "";

static void plot(const char *name, const char *title, const struct dumbbell *d,
		 const struct dumbbell_result *r)
{
	struct svg_line lines[DUMBBELL_FLOWS];
	char file[512];

	if (directory == NULL)
		return;
	for (unsigned int i = 0; i < d->flows; i++)
		lines[i] = (struct svg_line){ d->flow[i].algorithm, &r->flow[i].points->time,
					      &r->flow[i].points->window, 2, r->flow[i].point_count };
	snprintf(file, sizeof(file), "%s/%s.svg", directory, name);
	if (!svg_plot(file, title, "seconds", "window, segments", lines, d->flows))
		fprintf(stderr, "%s cannot be written\n", file);
}

static void record(const char *kind, const char *what, const char *names, const char *values)
{
	if (json != NULL)
		fprintf(json, "%s\n  {\"kind\": \"%s\", \"what\": \"%s\", \"%s\": %s}", separator, kind, what,
			names, values);
	separator = ",";
}

/* ---- windows ---- */

static int windows(const char *algorithm, unsigned int power)
{
	struct dumbbell d = { .rtt = 100 * STRATA_MS, .flows = 1, .duration = 2000 * STRATA_SEC,
			      .warmup_losses = 4, .losses = 16, .flow = { { algorithm, 0 } } };
	double p = pow(10, -(double)power), expected = dumbbell_expected(algorithm, p, 0.1), peak;
	struct dumbbell_result r;
	char name[64], what[64], value[200];

	d.every = (uint64_t)llround(1 / p);
	/* The first loss comes where slow start has reached the window at which the others will. */
	peak = strcmp(algorithm, "newreno") == 0 ? expected * 4 / 3 : expected / 0.9;
	d.first = (uint64_t)peak;
	if (dumbbell_run(&d, &r) != 0)
		return 1;
	snprintf(what, sizeof(what), "%s, p = 1e-%u", algorithm, power);
	printf("| %-18s | %8.1f | %8.1f | %+5.1f %% |\n", what, expected, r.flow[0].window,
	       (r.flow[0].window / expected - 1) * 100);
	snprintf(value, sizeof(value), "[%.2f, %.2f]", expected, r.flow[0].window);
	record("mean window", what, "expected, measured", value);
	snprintf(name, sizeof(name), "window-%s-1e-%u", algorithm, power);
	plot(name, what, &d, &r);
	dumbbell_free(&r);
	return 0;
}

/* ---- filling a path ---- */

/* `buffers`: as a program asks for with SO_RCVBUF and SO_SNDBUF, which are doubled for overhead. */
static int fill(const char *algorithm, uint64_t buffers, uint32_t loss, uint64_t rate, uint64_t seconds)
{
	struct dumbbell d = { .rtt = 40 * STRATA_MS, .rate = rate, .queue = rate / 8 / 25, .loss = loss,
			      .flows = 1, .buffers = 2 * buffers, .warmup = seconds * STRATA_SEC / 3,
			      .duration = seconds * STRATA_SEC, .flow = { { algorithm, 0 } } };
	struct dumbbell_result r;
	char what[96], name[96], value[64];

	if (dumbbell_run(&d, &r) != 0)
		return 1;
	snprintf(what, sizeof(what), "%s, %u Mbit/s, loss %u %%, buffers %u MiB", algorithm,
		 (unsigned int)(rate / 1000000), loss / 10000, (unsigned int)(buffers >> 20));
	printf("| %-48s | %5.1f %% | %7.1f ms |\n", what, r.used * 100, r.flow[0].srtt);
	snprintf(value, sizeof(value), "%.4f", r.used);
	record("path filled", what, "part", value);
	snprintf(name, sizeof(name), "fill-%s-%u-%u-%u", algorithm, (unsigned int)(rate / 1000000),
		 loss / 10000, (unsigned int)(buffers >> 20));
	plot(name, what, &d, &r);
	dumbbell_free(&r);
	return 0;
}

/* ---- sharing ---- */

static int share(const char *one, const char *other, uint64_t rate, uint64_t seconds)
{
	struct dumbbell d = { .rtt = 40 * STRATA_MS, .rate = rate, .queue = rate / 8 / 25, .flows = 2,
			      .warmup = seconds * STRATA_SEC / 3, .duration = seconds * STRATA_SEC,
			      .flow = { { one, 0 }, { other, 500 * STRATA_MS } } };
	struct dumbbell_result r;
	char what[64], name[64], value[64];
	double sum;

	if (dumbbell_run(&d, &r) != 0)
		return 1;
	sum = r.flow[0].goodput + r.flow[1].goodput;
	snprintf(what, sizeof(what), "%s and %s", one, other);
	printf("| %-20s | %4.1f %% | %4.1f %% | %.3f | %5.1f %% |\n", what, r.flow[0].goodput / sum * 100,
	       r.flow[1].goodput / sum * 100, r.jain, r.used * 100);
	snprintf(value, sizeof(value), "%.4f", r.jain);
	record("two flows", what, "jain", value);
	snprintf(name, sizeof(name), "share-%s-%s", one, other);
	plot(name, what, &d, &r);
	dumbbell_free(&r);
	return 0;
}

/* ---- all of it ---- */

static const char *const names[] = { "newreno", "cubic", "bbr" };

static int all_windows(bool quick)
{
	int failed = 0;

	puts("Mean window in segments, RTT 100 ms, each 1/p-th packet lost\n\n"
	     "|                    |  formula | measured |         |\n|---|---|---|---|");
	for (unsigned int n = 0; n < 2; n++)
		for (unsigned int power = 2; power <= (quick ? 3 : 5); power++)
			failed |= windows(names[n], power);
	return failed;
}

static int all_fills(bool quick)
{
	uint64_t rate = quick ? 100000000 : 1000000000, seconds = quick ? 6 : 12;
	int failed = 0;

	printf("\nPath of %u Mbit/s x 40 ms with a queue of one bandwidth-delay product\n\n"
	       "| | filled | mean RTT |\n|---|---|---|\n", (unsigned int)(rate / 1000000));
	for (unsigned int n = 0; n < 3; n++)
		failed |= fill(names[n], 64 << 20, 0, rate, seconds);
	failed |= fill("bbr", 64 << 20, STRATA_PERCENT(1), rate, seconds);
	for (unsigned int n = 0; n < 3; n++)
		failed |= fill(names[n], 4 << 20, 0, rate, quick ? seconds : 6);
	return failed;
}

static int all_shares(bool quick)
{
	uint64_t rate = 20000000, seconds = quick ? 60 : 150;
	int failed = 0;

	printf("\nTwo flows on %u Mbit/s x 40 ms, queue of one bandwidth-delay product\n\n"
	       "| | first | second | Jain | filled |\n|---|---|---|---|---|\n",
	       (unsigned int)(rate / 1000000));
	for (unsigned int n = 0; n < 3; n++)
		for (unsigned int m = n; m < 3; m++)
			failed |= share(names[n], names[m], rate, seconds);
	return failed;
}

int main(int argc, char **argv)
{
	const char *only = NULL;
	bool quick = false;
	char file[512];
	int failed = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--quick") == 0)
			quick = true;
		else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
			only = argv[++i];
		else
			directory = argv[i];
	}
	if (directory != NULL) {
		snprintf(file, sizeof(file), "%s/theory.json", directory);
		json = fopen(file, "w");
		if (json == NULL) {
			fprintf(stderr, "%s cannot be written\n", file);
			return 1;
		}
		fputc('[', json);
	}
	if (only == NULL || strcmp(only, "windows") == 0)
		failed |= all_windows(quick);
	if (only == NULL || strcmp(only, "fill") == 0)
		failed |= all_fills(quick);
	if (only == NULL || strcmp(only, "share") == 0)
		failed |= all_shares(quick);
	if (json != NULL) {
		fputs("\n]\n", json);
		fclose(json);
	}
	return failed;
}
