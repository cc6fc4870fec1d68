/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata graph`: the running stack as nodes and edges, and who draws them. */
#ifndef STRATA_GRAPH_H
#define STRATA_GRAPH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

struct graph_packets {
	bool counted;		/* packets pass here */
	double rx, tx;		/* upward and downward: a second, or in all when the graph is of totals */
};

/** Strings of nodes and edges are the graph's. */
struct graph_node {
	const char *id, *name, *kind, *state;
	const char *text;	/* NULL: none */
	long long number;	/* -1: none */
	bool off;		/* disabled, or an interface that is down */
	struct graph_packets packets;
};

struct graph_edge {
	const struct graph_node *from, *to;
	const char *binding;
	const char *label;	/* NULL: none */
	struct graph_packets packets;
};

struct graph {
	struct graph_node *nodes;
	struct graph_edge *edges;
	size_t node_count, edge_count;
	const char *stack, *version;
	long long memory, uptime_ms;
	double interval;	/* seconds between the samples; 0: totals */
	json_t *entries, *about;	/* what it was made from */
};

/** The first edge of that binding from or to the node; NULL ends: any. NULL when there is none. */
const struct graph_edge *graph_edge_find(const struct graph *graph, const struct graph_node *from,
					 const struct graph_node *to, const char *binding);
/** A count or rate in at most five characters, "0", "12", "1.2k", "340M", into `buf`, which is returned. */
const char *graph_number(double value, char buf[8]);

/* ---- strata_graph_dot.c ---- */

/** Writes the graph in the language of graphviz. */
void graph_print_dot(const struct graph *graph, FILE *to);

/* ---- strata_graph_text.c ---- */

struct graph_style {
	size_t width;		/* columns */
	bool utf8;		/* box-drawing characters, else ASCII */
	bool colour;
};
/** Draws the graph for a terminal. Returns false for want of memory. */
bool graph_print_text(const struct graph *graph, const struct graph_style *style, FILE *to);

#endif
