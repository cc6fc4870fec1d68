/* SPDX-License-Identifier: BSD-2-Clause */
/* The panes of `strata top`: rates out of two samples of the stack's tables. */
#include <stdlib.h>
#include <string.h>
#include "strata_top.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct cli_column interface_columns[] = {
	{ "INTERFACE", false }, { "STATE", false }, { "IN bit/s", true }, { "IN pkt/s", true },
	{ "OUT bit/s", true }, { "OUT pkt/s", true }, { "DROPS/s", true }, { "ADDRESS", false },
};
static const struct cli_column module_columns[] = {
	{ "MODULE", false }, { "KIND", false }, { "STATE", false }, { "IN pkt/s", true },
	{ "OUT pkt/s", true }, { "DROPS/s", true }, { "DROPS", true },
};
static const struct cli_column socket_columns[] = {
	{ "TRANSPORT", false }, { "STATE", false }, { "RX QUEUE", true }, { "TX QUEUE", true },
	{ "LOCAL", false }, { "REMOTE", false },
};
static const struct cli_column drop_columns[] = {
	{ "MODULE", false }, { "REASON", false }, { "COUNT", true }, { "PER SECOND", true },
	{ "SEVERITY", false }, { "TEXT", false },
};
_Static_assert(COUNT(interface_columns) <= TOP_COLUMNS, "a row has room for each column");

/* ---- parts of entries ---- */

static const char *text(const json_t *entry, const char *key)
{
	const char *value = json_string_value(json_object_get(entry, key));

	return value != NULL ? value : "-";
}

static double number(const json_t *entry, const char *key)
{
	return json_number_value(json_object_get(entry, key));
}

/* The entry of the other sample that has the same texts; NULL: it is new. */
static const json_t *match(const json_t *table, const json_t *entry, const char *key, const char *second)
{
	json_t *other;
	size_t i;

	json_array_foreach(table, i, other)
		if (strcmp(text(other, key), text(entry, key)) == 0 &&
		    (second == NULL || strcmp(text(other, second), text(entry, second)) == 0))
			return other;
	return NULL;
}

/* What a counter gained a second; one that is less than before has begun anew. */
static double rate(const json_t *before, const json_t *now, const char *key, double seconds)
{
	double was = before != NULL ? number(before, key) : number(now, key), is = number(now, key);

	return seconds > 0 ? (is >= was ? is - was : is) / seconds : 0;
}

/* ---- rows ---- */

static struct top_row *add_row(struct top_pane *pane)
{
	struct top_row *rows = realloc(pane->rows, (pane->row_count + 1) * sizeof(*rows));

	if (rows == NULL)
		return NULL;
	pane->rows = rows;
	memset(&rows[pane->row_count], 0, sizeof(*rows));
	return &rows[pane->row_count++];
}

static void put_text(struct top_row *row, size_t column, const char *value)
{
	size_t length = strnlen(value, TOP_CELL - 1);

	memcpy(row->cells[column], value, length);
	row->cells[column][length] = '\0';
}

static void put_number(struct top_row *row, size_t column, double value)
{
	row->keys[column] = value;
	snprintf(row->cells[column], TOP_CELL, value != 0 && value < 9.95 ? "%.1f" : "%.0f", value);
}

static void put_count(struct top_row *row, size_t column, double value)
{
	row->keys[column] = value;
	snprintf(row->cells[column], TOP_CELL, "%.0f", value);
}

/* Bits a second with the unit that leaves three digits. */
static void put_bits(struct top_row *row, size_t column, double value)
{
	static const char units[] = " kMGTP";
	size_t unit = 0;

	row->keys[column] = value;
	while (value >= 999.5 && unit < sizeof(units) - 2) {
		value /= 1000;
		unit++;
	}
	if (unit == 0)
		snprintf(row->cells[column], TOP_CELL, "%.0f", value);
	else
		snprintf(row->cells[column], TOP_CELL, value < 99.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
}

/* ---- one function a pane ---- */

/* The two samples of one table, and what lies between them. */
struct span {
	const json_t *before, *now;
	double seconds;
};

static struct span span_of(const struct top_sample *before, const struct top_sample *now,
			   enum top_table table)
{
	return (struct span){
		.before = before->tables[table],
		.now = now->tables[table],
		.seconds = before->tables[table] != NULL ? now->when[table] - before->when[table] : 0,
	};
}

static bool fill_interfaces(struct top_pane *pane, const struct top_sample *before,
			    const struct top_sample *now)
{
	struct span s = span_of(before, now, TOP_INTERFACES);
	json_t *entry;
	size_t i;

	json_array_foreach(s.now, i, entry) {
		const json_t *old = match(s.before, entry, "name", NULL);
		const json_t *a = old != NULL ? json_object_get(old, "counters") : NULL;
		const json_t *b = json_object_get(entry, "counters");
		const json_t *address = json_array_get(json_object_get(entry, "addresses"), 0);
		struct top_row *row = add_row(pane);

		if (row == NULL)
			return false;
		put_text(row, 0, text(entry, "name"));
		put_text(row, 1, text(entry, "state"));
		put_bits(row, 2, 8 * rate(a, b, "rx_bytes", s.seconds));
		put_number(row, 3, rate(a, b, "rx_packets", s.seconds));
		put_bits(row, 4, 8 * rate(a, b, "tx_bytes", s.seconds));
		put_number(row, 5, rate(a, b, "tx_packets", s.seconds));
		put_number(row, 6, rate(a, b, "rx_dropped", s.seconds) + rate(a, b, "tx_dropped", s.seconds));
		put_text(row, 7, text(address, "address"));
	}
	return true;
}

static bool fill_modules(struct top_pane *pane, const struct top_sample *before, const struct top_sample *now)
{
	struct span s = span_of(before, now, TOP_MODULES), d = span_of(before, now, TOP_DROPS);
	json_t *entry, *drop;
	size_t i, k;

	json_array_foreach(s.now, i, entry) {
		const json_t *old = match(s.before, entry, "name", NULL);
		struct top_row *row = add_row(pane);
		double drops = 0, drop_rate = 0;

		if (row == NULL)
			return false;
		json_array_foreach(d.now, k, drop) {
			if (strcmp(text(drop, "module"), text(entry, "name")) != 0)
				continue;
			drops += number(drop, "count");
			drop_rate += rate(match(d.before, drop, "module", "reason"), drop, "count",
					  d.seconds);
		}
		put_text(row, 0, text(entry, "name"));
		put_text(row, 1, text(entry, "kind"));
		put_text(row, 2, text(entry, "state"));
		put_number(row, 3, rate(old, entry, "rx_packets", s.seconds));
		put_number(row, 4, rate(old, entry, "tx_packets", s.seconds));
		put_number(row, 5, drop_rate);
		put_count(row, 6, drops);
	}
	return true;
}

static void put_end(struct top_row *row, size_t column, const json_t *end)
{
	const char *address = json_string_value(json_object_get(end, "address"));
	long long port = (long long)json_integer_value(json_object_get(end, "port"));

	if (!json_is_object(end))
		put_text(row, column, "-");
	else if (port != 0)
		snprintf(row->cells[column], TOP_CELL, "%.50s:%lld", address != NULL ? address : "*", port);
	else
		snprintf(row->cells[column], TOP_CELL, "%.50s:*", address != NULL ? address : "*");
}

static bool fill_sockets(struct top_pane *pane, const struct top_sample *before, const struct top_sample *now)
{
	json_t *entry;
	size_t i;

	(void)before;
	json_array_foreach(now->tables[TOP_SOCKETS], i, entry) {
		struct top_row *row = add_row(pane);

		if (row == NULL)
			return false;
		put_text(row, 0, text(entry, "transport"));
		put_text(row, 1, text(entry, "state"));
		put_count(row, 2, number(entry, "rx_queue"));
		put_count(row, 3, number(entry, "tx_queue"));
		put_end(row, 4, json_object_get(entry, "local"));
		put_end(row, 5, json_object_get(entry, "remote"));
	}
	return true;
}

static bool fill_drops(struct top_pane *pane, const struct top_sample *before, const struct top_sample *now)
{
	struct span s = span_of(before, now, TOP_DROPS);
	json_t *entry;
	size_t i;

	json_array_foreach(s.now, i, entry) {
		struct top_row *row;

		if (number(entry, "count") == 0)
			continue;
		row = add_row(pane);
		if (row == NULL)
			return false;
		put_text(row, 0, text(entry, "module"));
		put_text(row, 1, text(entry, "reason"));
		put_count(row, 2, number(entry, "count"));
		put_number(row, 3, rate(match(s.before, entry, "module", "reason"), entry, "count",
					s.seconds));
		put_text(row, 4, text(entry, "severity"));
		put_text(row, 5, text(entry, "text"));
	}
	return true;
}

static const struct {
	const char *name;
	const struct cli_column *columns;
	size_t column_count, sort;
	bool (*fill)(struct top_pane *pane, const struct top_sample *before, const struct top_sample *now);
} kinds[PANES] = {
	[PANE_INTERFACES] = { "interfaces", interface_columns, COUNT(interface_columns), 3,
			      fill_interfaces },
	[PANE_MODULES] = { "modules", module_columns, COUNT(module_columns), 3, fill_modules },
	[PANE_SOCKETS] = { "sockets", socket_columns, COUNT(socket_columns), 3, fill_sockets },
	[PANE_DROPS] = { "drops", drop_columns, COUNT(drop_columns), 3, fill_drops },
};

/* ---- order ---- */

static int compare(const void *a, const void *b, void *ctx)
{
	const struct top_pane *pane = ctx;
	const struct top_row *x = a, *y = b;
	size_t i = pane->sort;

	if (pane->columns[i].right && x->keys[i] != y->keys[i])
		return x->keys[i] < y->keys[i] ? 1 : -1;
	if (!pane->columns[i].right && strcmp(x->cells[i], y->cells[i]) != 0)
		return strcmp(x->cells[i], y->cells[i]);
	/* What is equal keeps a place of its own, so that rows do not dance. */
	for (i = 0; i < pane->column_count; i++)
		if (!pane->columns[i].right && strcmp(x->cells[i], y->cells[i]) != 0)
			return strcmp(x->cells[i], y->cells[i]);
	return 0;
}

void top_pane_sort(struct top_pane *pane)
{
	if (pane->row_count > 1)
		qsort_r(pane->rows, pane->row_count, sizeof(*pane->rows), compare, pane);
}

void top_panes_init(struct top_pane panes[PANES])
{
	size_t i;

	for (i = 0; i < PANES; i++)
		panes[i] = (struct top_pane){
			.name = kinds[i].name,
			.columns = kinds[i].columns,
			.column_count = kinds[i].column_count,
			.sort = kinds[i].sort,
		};
}

bool top_panes_fill(struct top_pane panes[PANES], const struct top_sample *before,
		    const struct top_sample *now)
{
	size_t i;

	for (i = 0; i < PANES; i++) {
		panes[i].row_count = 0;
		if (!kinds[i].fill(&panes[i], before, now))
			return false;
		top_pane_sort(&panes[i]);
	}
	return true;
}

void top_panes_free(struct top_pane panes[PANES])
{
	size_t i;

	for (i = 0; i < PANES; i++)
		free(panes[i].rows);
}

void top_heading(const struct top_sample *sample, char *buf, size_t size)
{
	const json_t *about = json_array_get(sample->tables[TOP_VERSION], 0);
	long long up = (long long)(number(about, "uptime_ms") / 1000);
	char since[48];

	if (up >= 86400)
		snprintf(since, sizeof(since), "%lldd %lldh", up / 86400, up / 3600 % 24);
	else if (up >= 3600)
		snprintf(since, sizeof(since), "%lldh %lldm", up / 3600, up / 60 % 60);
	else
		snprintf(since, sizeof(since), "%lldm %llds", up / 60, up % 60);
	snprintf(buf, size, "stack %s, Strata %s, up %s, memory %.1f MiB, %zu sockets", text(about, "stack"),
		 text(about, "version"), since, number(about, "memory") / (1 << 20),
		 json_array_size(sample->tables[TOP_SOCKETS]));
}
