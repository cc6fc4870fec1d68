/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata top`: samples of the running stack, the panes made of them, and the screen that shows them. */
#ifndef STRATA_TOP_H
#define STRATA_TOP_H

#include "strata_cli.h"

/** Tables that a sample has. */
enum top_table {
	TOP_VERSION,
	TOP_INTERFACES,
	TOP_MODULES,
	TOP_SOCKETS,
	TOP_DROPS,
	TOP_TABLES,
};

struct top_sample {
	json_t *tables[TOP_TABLES];
	double when[TOP_TABLES];	/* monotonic seconds */
};

/** Reads the tables, telling nothing. Returns false, the sample empty, when the stack does not answer. */
bool top_sample_read(const struct cli *cli, struct top_sample *sample);
void top_sample_free(struct top_sample *sample);

enum top_pane_index {
	PANE_INTERFACES,
	PANE_MODULES,
	PANE_SOCKETS,
	PANE_DROPS,
	PANES,
};

#define TOP_COLUMNS 8
#define TOP_CELL 64

struct top_row {
	char cells[TOP_COLUMNS][TOP_CELL];
	double keys[TOP_COLUMNS];	/* what numbers are sorted by */
};

/** A table of rates, sorted. */
struct top_pane {
	const char *name;
	const struct cli_column *columns;
	size_t column_count;
	size_t sort;		/* column: numbers from the largest, texts from the first */
	struct top_row *rows;
	size_t row_count;
};

/** The panes, empty, each sorted as suits it. */
void top_panes_init(struct top_pane panes[PANES]);
/** Fills them with what changed from `before` to `now`. Returns false for want of memory. */
bool top_panes_fill(struct top_pane panes[PANES], const struct top_sample *before,
		    const struct top_sample *now);
void top_pane_sort(struct top_pane *pane);
void top_panes_free(struct top_pane panes[PANES]);
/** "stack default, Strata 0.1.0, up 3m 12s, 4.1 MiB" into `buf`. */
void top_heading(const struct top_sample *sample, char *buf, size_t size);

/** The full screen, until the reader leaves it. Returns an exit status. */
int top_screen(const struct cli *cli, double interval);

#endif
