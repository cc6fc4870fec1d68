/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Draws one plot that is described on standard input: plot FILE.svg. Lines of the description are
 *
 *	title TEXT / x TEXT / y TEXT	names
 *	decades				powers of ten on the x axis
 *	line NAME			begins a line; then "X Y" for each of its points
 *	mark NUMBER			bars instead, with a line at that height
 *	series NAME			of bars, in their order
 *	group NAME			begins a group; then "VALUE LOW HIGH", or "-", for each of the series
 */
#include "svg.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES = 64, VALUES = 8192 };

struct description {
	char title[128], x[128], y[128];
	bool decades, bars;
	double mark;
	char *names[NAMES];		/* of lines or series */
	char *groups[NAMES];
	unsigned int name_count, group_count, points[NAMES];
	unsigned int value_count;
	float values[VALUES];		/* of points two each, of bars three */
};

static int failed(unsigned int number, const char *what)
{
	fprintf(stderr, "plot: line %u: %s\n", number, what);
	return -1;
}

static bool name_add(char **names, unsigned int *count, const char *name)
{
	return *count < NAMES && (names[(*count)++] = strdup(name)) != NULL;
}

/* Numbers: a point or a bar. */
static int values(struct description *d, const char *text, unsigned int number)
{
	float *to = d->values + d->value_count;
	int wanted = d->bars ? 3 : 2;

	if (d->value_count + 3 > VALUES || (d->bars ? d->group_count : d->name_count) == 0)
		return failed(number, "numbers without a place");
	if (d->bars && strcmp(text, "-") == 0)
		to[0] = to[1] = to[2] = NAN;
	else if (sscanf(text, "%f %f %f", to, to + 1, to + 2) != wanted)
		return failed(number, "not the numbers of a point or a bar");
	if (!d->bars)
		d->points[d->name_count - 1]++;
	d->value_count += (unsigned int)wanted;
	return 0;
}

static int take(struct description *d, const char *line, unsigned int number)
{
	static const struct {
		const char *word;
		size_t offset;
	} texts[] = {
		{ "title ", offsetof(struct description, title) },
		{ "x ", offsetof(struct description, x) },
		{ "y ", offsetof(struct description, y) },
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (strncmp(line, texts[i].word, strlen(texts[i].word)) == 0) {
			snprintf((char *)d + texts[i].offset, sizeof(d->title), "%s", line + strlen(texts[i].word));
			return 0;
		}
	if (strcmp(line, "decades") == 0) {
		d->decades = true;
		return 0;
	}
	if (strncmp(line, "mark ", 5) == 0) {
		d->bars = true;
		d->mark = strtod(line + 5, NULL);
		return 0;
	}
	if (strncmp(line, "line ", 5) == 0 || strncmp(line, "series ", 7) == 0)
		return name_add(d->names, &d->name_count, strchr(line, ' ') + 1) ? 0 : failed(number, "too many");
	if (strncmp(line, "group ", 6) == 0)
		return name_add(d->groups, &d->group_count, line + 6) ? 0 : failed(number, "too many");
	return values(d, line, number);
}

static bool draw_lines(const struct description *d, const char *file)
{
	struct svg_line lines[NAMES];
	const float *at = d->values;

	for (unsigned int i = 0; i < d->name_count; i++) {
		lines[i] = (struct svg_line){
			.name = d->names[i], .x = at, .y = at + 1, .stride = 2, .count = d->points[i],
		};
		at += 2 * d->points[i];
	}
	return (d->decades ? svg_plot_decades : svg_plot)(file, d->title, d->x, d->y, lines, d->name_count);
}

static bool draw_bars(const struct description *d, const char *file)
{
	struct svg_bar bars[VALUES / 3];

	for (unsigned int i = 0; i < d->value_count / 3; i++)
		bars[i] = (struct svg_bar){ d->values[3 * i], d->values[3 * i + 1], d->values[3 * i + 2] };
	return svg_bars(file, d->title, d->y, d->mark, (const char *const *)d->groups, d->group_count,
			(const char *const *)d->names, d->name_count, bars);
}

int main(int argc, char **argv)
{
	static struct description d;
	unsigned int number = 0;
	char line[512];

	if (argc != 2) {
		fprintf(stderr, "usage: plot FILE.svg < DESCRIPTION\n");
		return 2;
	}
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		number++;
		if (line[0] != '\0' && take(&d, line, number) < 0)
			return 1;
	}
	if (d.name_count == 0 || (d.bars && d.value_count != 3 * d.name_count * d.group_count))
		return -failed(number, "the description is not whole");
	if (!(d.bars ? draw_bars : draw_lines)(&d, argv[1])) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}
