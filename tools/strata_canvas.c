/* SPDX-License-Identifier: BSD-2-Clause */
/* A sheet of character cells: see strata_canvas.h. */
#include <stdlib.h>
#include <string.h>
#include "strata_canvas.h"

static const struct {
	const char *utf8;
	char ascii;
} glyphs[GLYPH_END - GLYPH_FIRST] = {
#define G(name, utf8_, ascii_) [GLYPH_##name - GLYPH_FIRST] = { utf8_, ascii_ }
	G(HORIZONTAL, "─", '-'),
	G(VERTICAL, "│", '|'),
	G(TOP_LEFT, "┌", '+'),
	G(TOP_RIGHT, "┐", '+'),
	G(BOTTOM_LEFT, "└", '+'),
	G(BOTTOM_RIGHT, "┘", '+'),
	G(TEE_LEFT, "├", '+'),
	G(TEE_RIGHT, "┤", '+'),
	G(TEE_UP, "┴", '+'),
	G(TEE_DOWN, "┬", '+'),
	G(DASHED_HORIZONTAL, "┄", '.'),
	G(DASHED_VERTICAL, "┆", ':'),
	G(RAIL, "═", '='),
	G(RAIL_UP, "╧", '#'),
	G(RAIL_DOWN, "╤", '#'),
	G(RAIL_BOTH, "╪", '#'),
	G(TRUNK, "║", '#'),
	G(TRUNK_TOP, "╔", '#'),
	G(TRUNK_BRANCH, "╠", '#'),
	G(TRUNK_BOTTOM, "╚", '#'),
	G(IN, "▲", '^'),
	G(OUT, "▼", 'v'),
	G(ELLIPSIS, "…", '~'),
#undef G
};

/* Select graphic rendition, ECMA-48 8.3.117. */
static const char *const looks[LOOKS] = {
	[LOOK_PLAIN] = "\033[0m",
	[LOOK_BOLD] = "\033[0;1m",
	[LOOK_DIM] = "\033[0;2m",
	[LOOK_BUSY] = "\033[0;32m",
	[LOOK_KERNEL] = "\033[0;36m",
};

void canvas_init(struct canvas *canvas, size_t width)
{
	memset(canvas, 0, sizeof(*canvas));
	canvas->width = width;
}

void canvas_fini(struct canvas *canvas)
{
	free(canvas->cells);
}

/* Makes sure that the row is there. */
static bool reach(struct canvas *canvas, size_t row)
{
	struct canvas_cell *cells;
	size_t i, room;

	if (canvas->failed)
		return false;
	if (row >= canvas->room) {
		room = row + 64;
		cells = realloc(canvas->cells, room * canvas->width * sizeof(*cells));
		if (cells == NULL) {
			canvas->failed = true;
			return false;
		}
		for (i = canvas->room * canvas->width; i < room * canvas->width; i++)
			cells[i] = (struct canvas_cell){ ' ', LOOK_PLAIN };
		canvas->cells = cells;
		canvas->room = room;
	}
	if (row >= canvas->height)
		canvas->height = row + 1;
	return true;
}

void canvas_put(struct canvas *canvas, size_t row, size_t column, uint8_t glyph, enum canvas_look look)
{
	if (column < canvas->width && reach(canvas, row))
		canvas->cells[row * canvas->width + column] = (struct canvas_cell){ glyph, (uint8_t)look };
}

uint8_t canvas_get(const struct canvas *canvas, size_t row, size_t column)
{
	if (row >= canvas->height || column >= canvas->width)
		return ' ';
	return canvas->cells[row * canvas->width + column].glyph;
}

void canvas_text(struct canvas *canvas, size_t row, size_t column, const char *text, size_t room,
		 enum canvas_look look)
{
	size_t i;

	for (i = 0; text[i] != '\0' && i < room; i++) {
		uint8_t c = (uint8_t)text[i];

		if (i + 1 == room && text[i + 1] != '\0')
			c = GLYPH_ELLIPSIS;
		else if (c < ' ' || c > '~')
			c = '?';
		canvas_put(canvas, row, column + i, c, look);
	}
}

void canvas_box(struct canvas *canvas, size_t row, size_t column, size_t width, size_t height, bool dashed,
		enum canvas_look look)
{
	uint8_t across = dashed ? GLYPH_DASHED_HORIZONTAL : GLYPH_HORIZONTAL;
	uint8_t down = dashed ? GLYPH_DASHED_VERTICAL : GLYPH_VERTICAL;
	size_t i, right = column + width - 1, bottom = row + height - 1;

	for (i = column + 1; i < right; i++) {
		canvas_put(canvas, row, i, across, look);
		canvas_put(canvas, bottom, i, across, look);
	}
	for (i = row + 1; i < bottom; i++) {
		canvas_put(canvas, i, column, down, look);
		canvas_put(canvas, i, right, down, look);
	}
	canvas_put(canvas, row, column, GLYPH_TOP_LEFT, look);
	canvas_put(canvas, row, right, GLYPH_TOP_RIGHT, look);
	canvas_put(canvas, bottom, column, GLYPH_BOTTOM_LEFT, look);
	canvas_put(canvas, bottom, right, GLYPH_BOTTOM_RIGHT, look);
}

static size_t row_extent(const struct canvas *canvas, size_t row)
{
	size_t n = canvas->width;

	while (n > 0 && canvas->cells[row * canvas->width + n - 1].glyph == ' ')
		n--;
	return n;
}

size_t canvas_extent(const struct canvas *canvas)
{
	size_t row, most = 0;

	for (row = 0; row < canvas->height; row++)
		if (row_extent(canvas, row) > most)
			most = row_extent(canvas, row);
	return most;
}

static void print_glyph(uint8_t glyph, bool utf8, FILE *to)
{
	if (glyph < GLYPH_FIRST)
		fputc(glyph, to);
	else if (utf8)
		fputs(glyphs[glyph - GLYPH_FIRST].utf8, to);
	else
		fputc(glyphs[glyph - GLYPH_FIRST].ascii, to);
}

void canvas_print(const struct canvas *canvas, bool utf8, bool colour, FILE *to)
{
	size_t row, i;

	for (row = 0; row < canvas->height; row++) {
		const struct canvas_cell *cells = &canvas->cells[row * canvas->width];
		size_t extent = row_extent(canvas, row);
		uint8_t look = LOOK_PLAIN;

		for (i = 0; i < extent; i++) {
			if (colour && cells[i].look != look && cells[i].glyph != ' ')
				fputs(looks[look = cells[i].look], to);
			print_glyph(cells[i].glyph, utf8, to);
		}
		if (look != LOOK_PLAIN)
			fputs(looks[LOOK_PLAIN], to);
		fputc('\n', to);
	}
}
