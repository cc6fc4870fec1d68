/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables with aligned columns: text to the left, numbers to the right. What is wider than the terminal has its last
 * column wrapped, or becomes a paragraph for each row.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "strata_cli.h"

/* Spaces between columns. */
#define GAP 2
/* Local choice: a last column that is left fewer columns than this is not wrapped. */
#define WRAP_LEAST 16

struct cell {
	char *text;
	enum cli_tone tone;
};

struct cli_table {
	const struct cli_column *columns;
	size_t count;
	struct cell *cells;
	size_t used, room;
};

size_t cli_terminal_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t width;

	if (columns != NULL && cli_number(columns, 1, 10000, &width))
		return (size_t)width;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

size_t cli_terminal_height(void)
{
	struct winsize size;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

bool cli_colour(void)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return (no == NULL || no[0] == '\0') && terminal != NULL && strcmp(terminal, "dumb") != 0 &&
	       isatty(STDOUT_FILENO);
}

/* ---- making ---- */

static void *must(void *memory)
{
	if (memory == NULL) {
		cli_error("out of memory");
		exit(CLI_FAILURE);
	}
	return memory;
}

struct cli_table *cli_table_new(const struct cli_column *columns, size_t count)
{
	struct cli_table *table = must(calloc(1, sizeof(*table)));

	table->columns = columns;
	table->count = count;
	return table;
}

void cli_table_add(struct cli_table *table, const char *text)
{
	struct cell *cell;
	char *c;

	if (table->used == table->room) {
		table->room = table->room == 0 ? 64 : table->room * 2;
		table->cells = must(realloc(table->cells, table->room * sizeof(*table->cells)));
	}
	cell = &table->cells[table->used++];
	cell->text = must(strdup(text != NULL ? text : "-"));
	cell->tone = CLI_PLAIN;
	/* What comes from outside does not steer the terminal. */
	for (c = cell->text; *c != '\0'; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

void cli_table_addf(struct cli_table *table, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	cli_table_add(table, text);
}

void cli_table_tone(struct cli_table *table, enum cli_tone tone)
{
	if (table->used != 0)
		table->cells[table->used - 1].tone = tone;
}

/* ---- printing ---- */

/* Columns that UTF-8 takes, a character each. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

/** A line being put together: blanks wait until something follows them. */
struct line {
	FILE *to;
	size_t blanks;
	bool colour;
};

static void put(struct line *line, const char *text, size_t length, enum cli_tone tone)
{
	static const char *const codes[] = {
		[CLI_PLAIN] = "", [CLI_TITLE] = "\033[1m", [CLI_GOOD] = "\033[32m",
		[CLI_WARNING] = "\033[33m", [CLI_BAD] = "\033[31m", [CLI_DIM] = "\033[2m",
	};
	bool coloured = line->colour && tone != CLI_PLAIN;

	if (length == 0)
		return;
	fprintf(line->to, "%*s", (int)line->blanks, "");
	line->blanks = 0;
	fprintf(line->to, "%s%.*s%s", coloured ? codes[tone] : "", (int)length, text, coloured ? "\033[0m" : "");
}

static void end_line(struct line *line)
{
	line->blanks = 0;
	fputc('\n', line->to);
}

static void put_cell(struct line *line, const struct cli_column *column, size_t width, const char *text,
		     enum cli_tone tone)
{
	size_t own = width_of(text), pad = width > own ? width - own : 0;

	if (column->right)
		line->blanks += pad;
	put(line, text, strlen(text), tone);
	line->blanks += GAP + (column->right ? 0 : pad);
}

/* Bytes of `text` that one line of `width` columns takes: up to a blank where there is one. */
static size_t wrap(const char *text, size_t width)
{
	size_t i, columns = 0, blank = 0;

	for (i = 0; text[i] != '\0'; i++) {
		if (((unsigned char)text[i] & 0xc0) != 0x80 && ++columns > width)
			return text[i] == ' ' ? i : blank != 0 ? blank : i;
		if (text[i] == ' ')
			blank = i;
	}
	return i;
}

/* The last cell of a row, `indent` columns from the left, on as many lines as it needs. */
static void put_wrapped(struct line *line, size_t indent, size_t width, const char *text, enum cli_tone tone)
{
	size_t length = wrap(text, width);

	put(line, text, length, tone);
	while (text[length] != '\0') {
		text += length;
		text += strspn(text, " ");
		end_line(line);
		line->blanks = indent;
		length = wrap(text, width);
		put(line, text, length, tone);
	}
	end_line(line);
}

/* Rows below one another; `last` columns are there for the last column. */
static void print_rows(const struct cli_table *table, struct line *line, const size_t *widths, size_t last)
{
	size_t i, column, indent = 0;

	for (column = 0; column + 1 < table->count; column++)
		indent += widths[column] + GAP;
	for (column = 0; column + 1 < table->count; column++)
		put_cell(line, &table->columns[column], widths[column], table->columns[column].title, CLI_TITLE);
	put_cell(line, &table->columns[column], widths[column], table->columns[column].title, CLI_TITLE);
	end_line(line);
	for (i = 0; i < table->used; i++) {
		const struct cell *cell = &table->cells[i];

		column = i % table->count;
		if (column + 1 < table->count) {
			put_cell(line, &table->columns[column], widths[column], cell->text, cell->tone);
		} else if (table->columns[column].right) {
			put_cell(line, &table->columns[column], widths[column], cell->text, cell->tone);
			end_line(line);
		} else {
			put_wrapped(line, indent, last, cell->text, cell->tone);
		}
	}
}

/* A paragraph for each row: a line for each column. */
static void print_paragraphs(const struct cli_table *table, struct line *line)
{
	size_t i, titles = 0;

	for (i = 0; i < table->count; i++)
		if (width_of(table->columns[i].title) > titles)
			titles = width_of(table->columns[i].title);
	for (i = 0; i < table->used; i++) {
		static const struct cli_column left = { .title = "" };

		if (i % table->count == 0 && i != 0)
			end_line(line);
		put_cell(line, &left, titles, table->columns[i % table->count].title, CLI_TITLE);
		put(line, table->cells[i].text, strlen(table->cells[i].text), table->cells[i].tone);
		end_line(line);
	}
}

void cli_table_print_to(FILE *to, struct cli_table *table, const char *none)
{
	struct line line = { .to = to, .colour = cli_colour() };
	size_t *widths = must(calloc(table->count, sizeof(*widths)));
	size_t i, total = 0, limit = cli_terminal_width(), last = table->count - 1;

	for (i = 0; i < table->count; i++)
		widths[i] = width_of(table->columns[i].title);
	for (i = 0; i < table->used; i++)
		if (width_of(table->cells[i].text) > widths[i % table->count])
			widths[i % table->count] = width_of(table->cells[i].text);
	for (i = 0; i < last; i++)
		total += widths[i] + GAP;
	if (table->used == 0)
		fprintf(to, "%s%s", none, none[0] != '\0' ? "\n" : "");
	else if (limit == 0 || total + widths[last] <= limit)
		print_rows(table, &line, widths, SIZE_MAX);
	else if (!table->columns[last].right && total + WRAP_LEAST <= limit)
		print_rows(table, &line, widths, limit - total);
	else
		print_paragraphs(table, &line);
	for (i = 0; i < table->used; i++)
		free(table->cells[i].text);
	free(table->cells);
	free(widths);
	free(table);
}

void cli_table_print(struct cli_table *table, const char *none)
{
	cli_table_print_to(stdout, table, none);
}
