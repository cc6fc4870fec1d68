/* SPDX-License-Identifier: BSD-2-Clause */
/* Plots as small SVG files: axes with round numbers, a colour and a name for each line or bar. */
#include "svg.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 640, HEIGHT = 280, LEFT = 60, RIGHT = 28, TOP = 28, BOTTOM = 36, POINTS = 500, TICKS = 5 };
/* Of bars. */
enum { BARS_WIDTH = 960, BARS_HEIGHT = 360, BARS_TOP = 64, LEGEND_COLUMN = 150, LEGEND_COLUMNS = 6 };

static const char *const colours[] = {
	"#1f6fb4", "#d1602a", "#3a8f4d", "#7a4fa0", "#b8962e", "#5a5a5a", "#c2477f", "#3aa0a0", "#8c5a3c", "#9fb43a",
	"#2b3a67", "#e08e8e",
};
enum { COLOURS = sizeof(colours) / sizeof(*colours) };

/* A picture being drawn. */
struct picture {
	FILE *out;
	int width, height, top;
	double x_most, y_most;
	bool decades;
};

/* A round number not below `v`: 1, 2 or 5 times a power of ten. */
static double round_up(double v)
{
	double unit = pow(10, floor(log10(v > 0 ? v : 1)));

	return v <= unit ? unit : v <= 2 * unit ? 2 * unit : v <= 5 * unit ? 5 * unit : 10 * unit;
}

static double place_x(const struct picture *p, double x)
{
	double part = p->decades ? log10(x) / log10(p->x_most) : x / p->x_most;

	return LEFT + part * (p->width - LEFT - RIGHT);
}

static double place_y(const struct picture *p, double y)
{
	return p->height - BOTTOM - y / p->y_most * (p->height - p->top - BOTTOM);
}

static bool picture_open(struct picture *p, const char *file, const char *title)
{
	p->out = fopen(file, "w");
	if (p->out == NULL)
		return false;
	fprintf(p->out, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' font-family='sans-serif' "
		"font-size='11'>\n<rect width='100%%' height='100%%' fill='#fff'/>\n"
		"<text x='%d' y='16' font-size='13'>%s</text>\n", p->width, p->height, LEFT, title);
	return true;
}

static bool picture_close(struct picture *p)
{
	fputs("</svg>\n", p->out);
	return fclose(p->out) == 0;
}

static void x_tick(const struct picture *p, double x)
{
	fprintf(p->out, "<path d='M%.1f %dv5' stroke='#444'/><text x='%.1f' y='%d' text-anchor='middle'>%.10g</text>\n",
		place_x(p, x), p->height - BOTTOM, place_x(p, x), p->height - BOTTOM + 17, x);
}

static void y_axis(const struct picture *p, double step, const char *name)
{
	for (double y = 0; y <= p->y_most * 1.0001; y += step)
		fprintf(p->out, "<path d='M%d %.1fH%d' stroke='#ddd'/><text x='%d' y='%.1f' "
			"text-anchor='end'>%g</text>\n", LEFT, place_y(p, y), p->width - RIGHT, LEFT - 6,
			place_y(p, y) + 4, y);
	fprintf(p->out, "<path d='M%d %dV%dH%d' fill='none' stroke='#444'/>\n"
		"<text transform='translate(14 %d) rotate(-90)' text-anchor='end'>%s</text>\n", LEFT, p->top,
		p->height - BOTTOM, p->width - RIGHT, p->top, name);
}

/* ---- lines ---- */

static void x_axis(const struct picture *p, const char *name)
{
	double step = p->decades ? 10 : round_up(p->x_most / TICKS);

	if (p->decades)
		for (double x = 1; x <= p->x_most * 1.0001; x *= step)
			x_tick(p, x);
	else
		for (double x = 0; x <= p->x_most * 1.0001; x += step)
			x_tick(p, x);
	fprintf(p->out, "<text x='%d' y='%d' text-anchor='end'>%s</text>\n", p->width - RIGHT, p->height - 4, name);
}

static void line(const struct picture *p, const struct svg_line *l, unsigned int number)
{
	const char *colour = colours[number % COLOURS];
	unsigned int step = l->count / POINTS + 1;

	fprintf(p->out, "<polyline fill='none' stroke='%s' points='", colour);
	for (unsigned int i = 0; i < l->count; i += step)
		fprintf(p->out, "%.1f,%.1f ", place_x(p, (double)l->x[i * l->stride]),
			place_y(p, (double)l->y[i * l->stride]));
	fprintf(p->out, "'/>\n");
	for (unsigned int i = 0; p->decades && i < l->count; i++)
		fprintf(p->out, "<circle cx='%.1f' cy='%.1f' r='2.5' fill='%s'/>\n",
			place_x(p, (double)l->x[i * l->stride]), place_y(p, (double)l->y[i * l->stride]), colour);
	fprintf(p->out, "<text x='%d' y='%u' text-anchor='end' fill='%s'>%s</text>\n", p->width - RIGHT - 6,
		(unsigned int)p->top + 14 * (number + 1), colour, l->name);
}

static bool plot(struct picture *p, const char *file, const char *title, const char *x_name, const char *y_name,
		 const struct svg_line *lines, unsigned int count)
{
	double y_step;

	for (unsigned int n = 0; n < count; n++)
		for (unsigned int i = 0; i < lines[n].count; i++) {
			p->x_most = fmax(p->x_most, (double)lines[n].x[i * lines[n].stride]);
			p->y_most = fmax(p->y_most, (double)lines[n].y[i * lines[n].stride]);
		}
	y_step = round_up(p->y_most / TICKS);
	p->y_most = ceil(p->y_most / y_step) * y_step;
	if (p->x_most <= (p->decades ? 1 : 0) || p->y_most <= 0) {
		p->x_most = p->decades ? 10 : 1;
		p->y_most = y_step = 1;
	}
	if (!picture_open(p, file, title))
		return false;
	x_axis(p, x_name);
	y_axis(p, y_step, y_name);
	for (unsigned int n = 0; n < count; n++)
		line(p, &lines[n], n);
	return picture_close(p);
}

bool svg_plot(const char *file, const char *title, const char *x_name, const char *y_name,
	      const struct svg_line *lines, unsigned int count)
{
	struct picture p = { .width = WIDTH, .height = HEIGHT, .top = TOP };

	return plot(&p, file, title, x_name, y_name, lines, count);
}

bool svg_plot_decades(const char *file, const char *title, const char *x_name, const char *y_name,
		      const struct svg_line *lines, unsigned int count)
{
	struct picture p = { .width = WIDTH, .height = HEIGHT, .top = TOP, .decades = true };

	return plot(&p, file, title, x_name, y_name, lines, count);
}

/* ---- bars ---- */

static void bar(const struct picture *p, const struct svg_bar *b, double x, double width, const char *colour)
{
	double middle = x + width / 2, top = place_y(p, (double)b->value);

	if (isnan(b->value)) {
		fprintf(p->out, "<text x='%.1f' y='%d' text-anchor='middle' fill='%s'>×</text>\n", middle,
			p->height - BOTTOM - 3, colour);
		return;
	}
	fprintf(p->out, "<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='%s'/>"
		"<path d='M%.1f %.1fV%.1f' stroke='#222'/>\n", x, top, width - 1, p->height - BOTTOM - top, colour,
		middle, place_y(p, (double)b->low), place_y(p, (double)b->high));
}

bool svg_bars(const char *file, const char *title, const char *y_name, double mark,
	      const char *const *groups, unsigned int group_count,
	      const char *const *series, unsigned int series_count, const struct svg_bar *bars)
{
	struct picture p = { .width = BARS_WIDTH, .height = BARS_HEIGHT, .top = BARS_TOP, .y_most = mark };
	double step, wide = (double)(BARS_WIDTH - LEFT - RIGHT) / group_count, each = wide / (series_count + 1);

	for (unsigned int i = 0; i < group_count * series_count; i++)
		if (!isnan(bars[i].value))
			p.y_most = fmax(p.y_most, (double)bars[i].high);
	step = round_up(p.y_most / TICKS);
	p.y_most = ceil(p.y_most / step) * step;
	if (!picture_open(&p, file, title))
		return false;
	y_axis(&p, step, y_name);
	for (unsigned int g = 0; g < group_count; g++) {
		fprintf(p.out, "<text x='%.1f' y='%d' text-anchor='middle'>%s</text>\n", LEFT + (g + 0.5) * wide,
			p.height - BOTTOM + 17, groups[g]);
		for (unsigned int s = 0; s < series_count; s++)
			bar(&p, &bars[g * series_count + s], LEFT + g * wide + (s + 0.5) * each, each,
			    colours[s % COLOURS]);
	}
	fprintf(p.out, "<path d='M%d %.1fH%d' stroke='#222' stroke-dasharray='4 3'/>\n", LEFT, place_y(&p, mark),
		p.width - RIGHT);
	for (unsigned int s = 0; s < series_count; s++) {
		unsigned int x = LEFT + s % LEGEND_COLUMNS * LEGEND_COLUMN, y = 24 + s / LEGEND_COLUMNS * 16;

		fprintf(p.out, "<rect x='%u' y='%u' width='10' height='10' fill='%s'/><text x='%u' y='%u'>%s</text>\n",
			x, y, colours[s % COLOURS], x + 14, y + 9, series[s]);
	}
	return picture_close(&p);
}
