/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables with aligned columns: text to the left, numbers to the right. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "strata_cli.h"

struct cli_table {
	const struct cli_column *columns;
	size_t count;
	char **cells;
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

bool cli_colour(void)
{
	const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return (no == NULL || no[0] == '\0') && terminal != NULL && strcmp(terminal, "dumb") != 0 &&
	       isatty(STDOUT_FILENO);
}

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
	if (table->used == table->room) {
		table->room = table->room == 0 ? 64 : table->room * 2;
		table->cells = must(realloc(table->cells, table->room * sizeof(*table->cells)));
	}
	table->cells[table->used++] = must(strdup(text != NULL ? text : "-"));
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

static void print_cell(const struct cli_table *table, size_t column, size_t width, const char *text)
{
	bool last = column + 1 == table->count;

	if (table->columns[column].right)
		printf("%*s%s", (int)width, text, last ? "" : "  ");
	else if (last)
		printf("%s", text);
	else
		printf("%-*s  ", (int)width, text);
	if (last)
		putchar('\n');
}

void cli_table_print(struct cli_table *table, const char *none)
{
	size_t *widths = must(calloc(table->count, sizeof(*widths)));
	size_t i;

	for (i = 0; i < table->count; i++)
		widths[i] = strlen(table->columns[i].title);
	for (i = 0; i < table->used; i++) {
		size_t n = strlen(table->cells[i]);

		if (n > widths[i % table->count])
			widths[i % table->count] = n;
	}
	if (table->used == 0)
		puts(none);
	for (i = 0; table->used != 0 && i < table->count; i++)
		print_cell(table, i, widths[i], table->columns[i].title);
	for (i = 0; i < table->used; i++) {
		print_cell(table, i % table->count, widths[i % table->count], table->cells[i]);
		free(table->cells[i]);
	}
	free(table->cells);
	free(widths);
	free(table);
}
