/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata show sockets --details`: what a transport tells of each of its sockets, in a paragraph below it. */
#include <ctype.h>
#include <string.h>
#include "strata_show.h"

/* Local choice: the width where the output is no terminal, and the indentation of what belongs to a socket. */
#define WIDTH 96
#define INDENT 5

static bool ends_with(const char *name, const char *end)
{
	size_t length = strlen(name), of_end = strlen(end);

	return length > of_end && strcmp(name + length - of_end, end) == 0;
}

/* A member's name ends in its unit, for programs; people have it at the number. Returns the length of the name. */
static size_t format_detail(const char *name, const json_t *value, bool exact, char *buf, size_t size)
{
	size_t length = strlen(name), n;
	double number = (double)json_integer_value(value);

	if (json_is_string(value)) {
		snprintf(buf, size, "%s", json_string_value(value));
	} else if (ends_with(name, "_bytes_per_s")) {
		show_size(number, exact, buf, size);
		n = strlen(buf);
		snprintf(buf + n, size - n, "%s/s", strchr(buf, ' ') != NULL ? "" : " bytes");
		return length - strlen("_bytes_per_s");
	} else if (ends_with(name, "_bytes")) {
		show_size(number, exact, buf, size);
		n = strlen(buf);
		snprintf(buf + n, size - n, "%s", strchr(buf, ' ') != NULL ? "" : " bytes");
		return length - strlen("_bytes");
	} else if (ends_with(name, "_us")) {
		snprintf(buf, size, "%.3f ms", number / 1000);
		return length - strlen("_us");
	} else if (ends_with(name, "_ms")) {
		show_time((uint64_t)json_integer_value(value), buf, size);
		return length - strlen("_ms");
	} else {
		snprintf(buf, size, "%lld", (long long)json_integer_value(value));
	}
	return length;
}

static void print_details(FILE *to, json_t *details, bool exact)
{
	size_t limit = cli_terminal_width(), column = 0;
	const char *name;
	json_t *value;

	if (limit == 0)
		limit = WIDTH;
	json_object_foreach(details, name, value) {
		char text[128], item[192];
		size_t length = format_detail(name, value, exact, text, sizeof(text)), i, width;

		width = (size_t)snprintf(item, sizeof(item), "%.*s %s", (int)length, name, text);
		for (i = 0; i < length && i < sizeof(item); i++)
			if (item[i] == '_')
				item[i] = ' ';
		if (column != 0 && column + 2 + width > limit) {
			fputc('\n', to);
			column = 0;
		}
		fprintf(to, column == 0 ? "%*s%s" : ",%*s%s", column == 0 ? INDENT : 1, "", item);
		column += (column == 0 ? INDENT : 2) + width;
	}
	if (column != 0)
		fputc('\n', to);
}

/* The cells of the socket's line in the table; numbers with what they are. */
static void print_head(FILE *to, const struct show_table *table, const json_t *entry, bool exact)
{
	const char *title;
	const json_t *shard = show_member(entry, "shard");
	char text[512];
	size_t i;

	if (shard != NULL)
		fprintf(to, "shard %d  ", (int)json_integer_value(shard));
	for (i = 0; i < table->count; i++) {
		fputs(i != 0 ? "  " : "", to);
		for (title = table->columns[i].right ? table->columns[i].title : ""; *title != '\0'; title++)
			fputc(tolower((unsigned char)*title), to);
		show_text(&table->columns[i], entry, exact, text, sizeof(text));
		fprintf(to, "%s%s", table->columns[i].right ? " " : "", text);
	}
	fputc('\n', to);
}

void show_details(FILE *to, const struct show_table *table, const json_t *entries, bool exact)
{
	json_t *entry;
	size_t i;

	if (json_array_size(entries) == 0)
		fprintf(to, "%s\n", table->none);
	json_array_foreach(entries, i, entry) {
		fputs(i != 0 ? "\n" : "", to);
		print_head(to, table, entry, exact);
		print_details(to, json_object_get(entry, "details"), exact);
	}
}
