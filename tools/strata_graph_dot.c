/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The graph in the language of graphviz: a row for each layer, the kernel's tables between them, so that a
 * binding is a line from a table to a module.
 */
#include <string.h>
#include "strata_graph.h"

/* Ranks from the top. The kernel's node is drawn once for each of its tables. */
static const struct {
	const char *kind;	/* of the nodes in it; NULL: a table of the kernel */
	const char *id, *title;	/* the table's */
} ranks[] = {
	{ "service", NULL, NULL },
	{ NULL, "sockets", "sockets" },
	{ "congestion", NULL, NULL },
	{ "transport", NULL, NULL },
	{ NULL, "protocols", "IP protocol numbers" },
	{ "network", NULL, NULL },
	{ NULL, "ethertypes", "EtherTypes" },
	{ "framing", NULL, NULL },
	{ "interface", NULL, NULL },
	{ "link", NULL, NULL },
};
#define RANKS (sizeof(ranks) / sizeof(ranks[0]))

/* A quoted string of the language, and what would end it or mean something in a label escaped. */
static void put_string(FILE *to, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', to);
		if ((unsigned char)*text >= ' ')
			fputc(*text, to);
	}
}

static void put_id(FILE *to, const char *id)
{
	fputc('"', to);
	put_string(to, id);
	fputc('"', to);
}

static bool frames(const struct graph *graph, const struct graph_node *node)
{
	return graph_edge_find(graph, NULL, node, "framing") != NULL;
}

/* Rank of a node by kind; link modules that frame stand above the interfaces. */
static bool in_rank(const struct graph *graph, const struct graph_node *node, const char *kind)
{
	if (strcmp(node->kind, "link") == 0)
		return strcmp(kind, frames(graph, node) ? "framing" : "link") == 0;
	return strcmp(node->kind, kind) == 0;
}

static void put_node(const struct graph_node *node, FILE *to)
{
	fputs("\t\t", to);
	put_id(to, node->id);
	fputs(" [label=\"", to);
	put_string(to, node->name);
	if (node->off) {
		fputs("\\n", to);
		put_string(to, node->state);
	} else if (strcmp(node->kind, "interface") == 0 && node->text != NULL) {
		fputs("\\n", to);
		put_string(to, node->text);
	}
	fputs("\", tooltip=\"", to);
	put_string(to, node->text != NULL ? node->text : node->name);
	fputc('"', to);
	if (strcmp(node->kind, "interface") == 0)
		fputs(", shape=component", to);
	else if (strcmp(node->kind, "service") == 0 || strcmp(node->kind, "congestion") == 0)
		fputs(", style=\"rounded,filled\"", to);
	if (node->off)
		fputs(", style=\"dashed\", color=\"#999999\", fontcolor=\"#999999\"", to);
	fputs("];\n", to);
}

static void put_rank(const struct graph *graph, size_t rank, FILE *to)
{
	size_t i;

	fprintf(to, "\tsubgraph \"rank %zu\" {\n\t\trank=same;\n", rank);
	if (ranks[rank].kind == NULL)
		fprintf(to, "\t\t\"%s\" [label=\"kernel: %s\", shape=box, style=filled, "
			"fillcolor=\"#d8e6f3\", width=6];\n", ranks[rank].id, ranks[rank].title);
	for (i = 0; ranks[rank].kind != NULL && i < graph->node_count; i++)
		if (in_rank(graph, &graph->nodes[i], ranks[rank].kind))
			put_node(&graph->nodes[i], to);
	fputs("\t}\n", to);
}

/* The table of the kernel that an end of an edge is. */
static const char *table_of(const struct graph_edge *edge)
{
	if (strcmp(edge->binding, "number") == 0)
		return strcmp(edge->to->kind, "transport") == 0 ? "protocols" : "ethertypes";
	return "ethertypes";
}

static void put_end(const struct graph_edge *edge, const struct graph_node *node, FILE *to)
{
	put_id(to, strcmp(node->kind, "kernel") == 0 ? table_of(edge) : node->id);
}

static void put_label(const struct graph *graph, const struct graph_edge *edge, FILE *to)
{
	const char *unit = graph->interval > 0 ? "/s" : "";
	char rx[8], tx[8];

	fputs(" [label=\"", to);
	if (strcmp(edge->binding, "requires") == 0)
		fprintf(to, "requires%s", edge->label != NULL ? ",\\nwhere it is there" : "");
	else if (edge->label != NULL)
		put_string(to, edge->label);
	else if (!edge->packets.counted)
		put_string(to, edge->binding);
	if (edge->packets.counted)
		fprintf(to, "%s↑%s%s ↓%s%s", edge->label != NULL ? "\\n" : "",
			graph_number(edge->packets.rx, rx), unit,
			graph_number(edge->packets.tx, tx), unit);
	fputc('"', to);
}

/* Lines with packets are solid, and thicker where there are some; what else is bound is dashed. */
static void put_edge(const struct graph *graph, const struct graph_edge *edge, FILE *to)
{
	bool busy = edge->packets.rx + edge->packets.tx > 0;

	/* The upper end first: graphviz draws downward. */
	fputc('\t', to);
	put_end(edge, edge->to, to);
	fputs(" -> ", to);
	put_end(edge, edge->from, to);
	put_label(graph, edge, to);
	if (edge->packets.counted)
		fprintf(to, ", dir=both, penwidth=%s", busy ? "2.0" : "1.0");
	else
		fputs(", style=dashed, arrowhead=vee, color=\"#777777\", fontcolor=\"#777777\"", to);
	/* These would bend the rows. */
	if (!edge->packets.counted && strcmp(edge->binding, "option") != 0)
		fputs(", constraint=false", to);
	fputs("];\n", to);
}

/* Services use the sockets, sockets the transports: who uses which is no binding, so that these lines have no
 * packets. */
static void put_sockets(const struct graph *graph, FILE *to)
{
	size_t i;

	for (i = 0; i < graph->node_count; i++) {
		const struct graph_node *node = &graph->nodes[i];

		if (node->off || (strcmp(node->kind, "service") != 0 &&
				  strcmp(node->kind, "transport") != 0))
			continue;
		fputc('\t', to);
		if (strcmp(node->kind, "service") == 0) {
			put_id(to, node->id);
			fputs(" -> \"sockets\" [dir=none];\n", to);
		} else {
			fputs("\"sockets\" -> ", to);
			put_id(to, node->id);
			fputs(" [dir=none];\n", to);
		}
	}
	for (i = 0; i < graph->node_count; i++) {
		const struct graph_node *node = &graph->nodes[i];

		if (node->off || strcmp(node->kind, "network") != 0)
			continue;
		fputs("\t\"protocols\" -> ", to);
		put_id(to, node->id);
		fputs(" [dir=none];\n", to);
	}
}

void graph_print_dot(const struct graph *graph, FILE *to)
{
	size_t i;

	fputs("digraph \"", to);
	put_string(to, graph->stack);
	fputs("\" {\n\tlabel=\"stack ", to);
	put_string(to, graph->stack);
	fputs(", Strata ", to);
	put_string(to, graph->version);
	fprintf(to, "; %s up and down\";\n", graph->interval > 0 ? "packets a second" : "packets");
	fputs("\tlabelloc=t;\n\trankdir=TB;\n\tcharset=\"UTF-8\";\n"
	      "\tnode [shape=box, style=filled, fillcolor=white, fontname=\"sans-serif\"];\n"
	      "\tedge [fontname=\"sans-serif\", fontsize=10];\n", to);
	for (i = 0; i < RANKS; i++)
		put_rank(graph, i, to);
	/* Rows keep their order also where nothing joins them. */
	fputs("\t\"sockets\" -> \"protocols\" -> \"ethertypes\" [style=invis, weight=10];\n", to);
	put_sockets(graph, to);
	for (i = 0; i < graph->edge_count; i++)
		put_edge(graph, &graph->edges[i], to);
	fputs("}\n", to);
}
