/* SPDX-License-Identifier: BSD-2-Clause */
/* Plots of lines as small SVG files: axes with round numbers, a colour and a name for each line. */
#include "svg.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 640, HEIGHT = 280, LEFT = 60, RIGHT = 12, TOP = 28, BOTTOM = 36, POINTS = 500, TICKS = 5 };

static const char *const colours[] = { "#1f6fb4", "#d1602a", "#3a8f4d", "#7a4fa0" };

/* A round number not below `v`: 1, 2 or 5 times a power of ten. */
static double round_up(double v)
{
	double unit = pow(10, floor(log10(v > 0 ? v : 1)));

	return v <= unit ? unit : v <= 2 * unit ? 2 * unit : v <= 5 * unit ? 5 * unit : 10 * unit;
}

static void axes(FILE *out, double x_step, double x_max, double y_step, double y_max)
{
	for (double x = 0; x <= x_max * 1.0001; x += x_step) {
		double at = LEFT + x / x_max * (WIDTH - LEFT - RIGHT);

		fprintf(out, "<path d='M%.1f %dv5' stroke='#444'/><text x='%.1f' y='%d' "
			"text-anchor='middle'>%g</text>\n", at, HEIGHT - BOTTOM, at, HEIGHT - BOTTOM + 17, x);
	}
	for (double y = 0; y <= y_max * 1.0001; y += y_step) {
		double at = HEIGHT - BOTTOM - y / y_max * (HEIGHT - TOP - BOTTOM);

		fprintf(out, "<path d='M%d %.1fH%d' stroke='#ddd'/><text x='%d' y='%.1f' "
			"text-anchor='end'>%g</text>\n", LEFT, at, WIDTH - RIGHT, LEFT - 6, at + 4, y);
	}
	fprintf(out, "<path d='M%d %dV%dH%d' fill='none' stroke='#444'/>\n", LEFT, TOP, HEIGHT - BOTTOM,
		WIDTH - RIGHT);
}

bool svg_plot(const char *file, const char *title, const char *x_name, const char *y_name,
	      const struct svg_line *lines, unsigned int count)
{
	double x_most = 0, y_most = 0, x_step, y_step, y_max;
	FILE *out = fopen(file, "w");

	if (out == NULL)
		return false;
	for (unsigned int n = 0; n < count; n++)
		for (unsigned int i = 0; i < lines[n].count; i++) {
			x_most = fmax(x_most, (double)lines[n].x[i * lines[n].stride]);
			y_most = fmax(y_most, (double)lines[n].y[i * lines[n].stride]);
		}
	x_step = round_up(x_most / TICKS);
	y_step = round_up(y_most / TICKS);
	y_max = ceil(y_most / y_step) * y_step;
	if (x_most <= 0 || y_max <= 0)
		x_most = y_max = x_step = y_step = 1;
	fprintf(out, "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %d' font-family='sans-serif' "
		"font-size='11'>\n<rect width='100%%' height='100%%' fill='#fff'/>\n"
		"<text x='%d' y='16' font-size='13'>%s</text>\n", WIDTH, HEIGHT, LEFT, title);
	axes(out, x_step, x_most, y_step, y_max);
	fprintf(out, "<text x='%d' y='%d' text-anchor='end'>%s</text>\n"
		"<text transform='translate(14 %d) rotate(-90)' text-anchor='end'>%s</text>\n",
		WIDTH - RIGHT, HEIGHT - 4, x_name, TOP, y_name);
	for (unsigned int n = 0; n < count; n++) {
		unsigned int step = lines[n].count / POINTS + 1;

		fprintf(out, "<polyline fill='none' stroke='%s' points='", colours[n % 4]);
		for (unsigned int i = 0; i < lines[n].count; i += step)
			fprintf(out, "%.1f,%.1f ",
				LEFT + (double)lines[n].x[i * lines[n].stride] / x_most * (WIDTH - LEFT - RIGHT),
				HEIGHT - BOTTOM - (double)lines[n].y[i * lines[n].stride] / y_max *
							  (HEIGHT - TOP - BOTTOM));
		fprintf(out, "'/>\n<text x='%d' y='%u' fill='%s'>%s</text>\n", WIDTH - 110, TOP + 14 * (n + 1),
			colours[n % 4], lines[n].name);
	}
	fputs("</svg>\n", out);
	return fclose(out) == 0;
}
