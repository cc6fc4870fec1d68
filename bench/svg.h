/* SPDX-License-Identifier: BSD-2-Clause */
/* Plots of lines as small SVG files. */
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

#endif
