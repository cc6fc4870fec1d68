/* SPDX-License-Identifier: BSD-2-Clause */
/* Plots as small SVG files: lines over a plain or logarithmic axis, and bars in groups. */
#ifndef SVG_H
#define SVG_H

#include <stdbool.h>

struct svg_line {
	const char *name;
	const float *x, *y;	/* `stride` floats apart */
	unsigned int stride, count;
};

/* Writes a plot; lines of many points are thinned. Returns false when the file cannot be written. */
bool svg_plot(const char *file, const char *title, const char *x_name, const char *y_name,
	      const struct svg_line *lines, unsigned int count);
/* The same with powers of ten on the x axis (every x at least 1) and a mark at each point. */
bool svg_plot_decades(const char *file, const char *title, const char *x_name, const char *y_name,
		      const struct svg_line *lines, unsigned int count);

/* A bar: its height, and the range it is the middle of; a height of NAN is a bar that is missing. */
struct svg_bar {
	float value, low, high;
};

/* Writes bars, `series` of them for each group, bars[group * series + series' index]; a line at `mark`. */
bool svg_bars(const char *file, const char *title, const char *y_name, double mark,
	      const char *const *groups, unsigned int group_count,
	      const char *const *series, unsigned int series_count, const struct svg_bar *bars);

#endif
