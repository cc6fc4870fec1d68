/* SPDX-License-Identifier: BSD-2-Clause */
/* A sheet of character cells to draw boxes and lines on, written out in UTF-8 or ASCII. */
#ifndef STRATA_CANVAS_H
#define STRATA_CANVAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** What a cell holds beside ASCII characters, which stand for themselves. */
enum canvas_glyph {
	GLYPH_FIRST = 128,
	GLYPH_HORIZONTAL = GLYPH_FIRST,
	GLYPH_VERTICAL,
	GLYPH_TOP_LEFT,
	GLYPH_TOP_RIGHT,
	GLYPH_BOTTOM_LEFT,
	GLYPH_BOTTOM_RIGHT,
	GLYPH_TEE_LEFT,		/* on a box's left side, line to the right */
	GLYPH_TEE_RIGHT,
	GLYPH_TEE_UP,		/* a line goes up from a horizontal one */
	GLYPH_TEE_DOWN,
	GLYPH_DASHED_HORIZONTAL,
	GLYPH_DASHED_VERTICAL,
	GLYPH_RAIL,		/* the double lines of the kernel */
	GLYPH_RAIL_UP,
	GLYPH_RAIL_DOWN,
	GLYPH_RAIL_BOTH,
	GLYPH_TRUNK,
	GLYPH_TRUNK_TOP,
	GLYPH_TRUNK_BRANCH,
	GLYPH_TRUNK_BOTTOM,
	GLYPH_IN,
	GLYPH_OUT,
	GLYPH_ELLIPSIS,
	GLYPH_END,
};

/** How a cell looks where there are colours. */
enum canvas_look {
	LOOK_PLAIN,
	LOOK_BOLD,
	LOOK_DIM,
	LOOK_BUSY,		/* packets pass */
	LOOK_KERNEL,
	LOOKS,
};

struct canvas {
	size_t width, height;	/* height grows as it is drawn on */
	struct canvas_cell {
		uint8_t glyph, look;
	} *cells;
	size_t room;		/* rows there is memory for */
	bool failed;		/* memory was short; all calls do nothing from then on */
};

void canvas_init(struct canvas *canvas, size_t width);
void canvas_fini(struct canvas *canvas);
/** Sets a cell; beyond the width nothing happens. */
void canvas_put(struct canvas *canvas, size_t row, size_t column, uint8_t glyph, enum canvas_look look);
/** The glyph of a cell; a space where nothing was drawn. */
uint8_t canvas_get(const struct canvas *canvas, size_t row, size_t column);
/** Writes text in at most `room` cells, with an ellipsis where it is longer; what is no ASCII becomes `?`. */
void canvas_text(struct canvas *canvas, size_t row, size_t column, const char *text, size_t room,
		 enum canvas_look look);
/** A box with its top left corner there, of at least two columns and rows. */
void canvas_box(struct canvas *canvas, size_t row, size_t column, size_t width, size_t height, bool dashed,
		enum canvas_look look);
/** The first column behind all that was drawn. */
size_t canvas_extent(const struct canvas *canvas);
void canvas_print(const struct canvas *canvas, bool utf8, bool colour, FILE *to);

#endif
