/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The graph for a terminal. Layers from services at the top to interfaces at the bottom; the kernel is the double
 * line, a rail of it for each of its tables, on which modules stand with the number that binds them.
 */
#include <stdlib.h>
#include <string.h>
#include "strata_canvas.h"
#include "strata_graph.h"

/* Columns before the boxes: the layer's name. */
#define MARGIN 13
/* Narrower is not drawn; a terminal that is wraps. */
#define WIDTH_MIN 40
/* A box with packets on its line: five digits and an arrow on either side. */
#define PACKET_WIDTH 15
#define GAP 1
#define LINES 6
#define LINE_SIZE 64

struct box {
	const struct graph_node *node;
	char lines[LINES][LINE_SIZE];
	unsigned int line_count;
	unsigned int rules;		/* bit i: a line between i - 1 and i */
	unsigned int title;		/* the line that is its name */
	char label[LINE_SIZE];		/* of the line that joins it to the rail; "": none */
	struct graph_packets packets;
	bool joined;			/* there is such a line */
	size_t width, column;
};

/* A layer: its boxes, in rows where they find no room in one. */
struct layer {
	const char *title;
	struct box *boxes;
	size_t count;
	bool hangs;			/* joined to the rail above instead of the one below */
};

struct drawing {
	const struct graph *graph;
	struct canvas canvas;
	size_t row;			/* the next free one */
	struct rail {
		size_t row;
		const char *title;
	} *rails;
	size_t rail_count, rail_room;
};

static bool is_kind(const struct graph_node *node, const char *kind)
{
	return strcmp(node->kind, kind) == 0;
}

/* ---- boxes ---- */

static void add_line(struct box *box, const char *text)
{
	if (box->line_count < LINES)
		snprintf(box->lines[box->line_count++], LINE_SIZE, "%.*s", LINE_SIZE - 1, text);
}

/* Adds a name to a list that reads "a, b". */
static void append(char list[LINE_SIZE], const char *name)
{
	size_t length = strlen(list);

	snprintf(list + length, LINE_SIZE - length, "%s%s", length != 0 ? ", " : "", name);
}

/* As wide as what is in it and on its line. */
static void measure(struct box *box, size_t most)
{
	size_t width = box->packets.counted && box->joined ? PACKET_WIDTH : 0;
	unsigned int i;

	for (i = 0; i < box->line_count; i++)
		if (strlen(box->lines[i]) + 4 > width)
			width = strlen(box->lines[i]) + 4;
	if (strlen(box->label) > width)
		width = strlen(box->label);
	box->width = width < most ? width : most;
}

static void number_label(const struct graph_node *node, char label[LINE_SIZE])
{
	if (node->number >= 0)
		snprintf(label, LINE_SIZE, is_kind(node, "network") ? "0x%04llx" : "%lld", node->number);
}

/* Names of what a module of a kind is required by or requires. */
static void needs_label(const struct graph *graph, const struct graph_node *node, char label[LINE_SIZE])
{
	size_t i;

	for (i = 0; i < graph->edge_count; i++) {
		const struct graph_edge *edge = &graph->edges[i];

		if (edge->to == node && strcmp(edge->binding, "requires") == 0 && !edge->from->off)
			append(label, edge->from->name);
	}
}

static void module_box(const struct graph *graph, const struct graph_node *node, struct box *box)
{
	add_line(box, node->name);
	box->packets = node->packets;
	box->joined = !node->off;
	if (node->off) {
		char number[LINE_SIZE] = "", line[2 * LINE_SIZE];

		number_label(node, number);
		snprintf(line, sizeof(line), "%s%s%s", number, number[0] != '\0' ? ", " : "", node->state);
		add_line(box, line);
	} else if (is_kind(node, "service")) {
		needs_label(graph, node, box->label);
	} else {
		number_label(node, box->label);
	}
}

static void congestion_box(const struct graph *graph, const struct graph_node *node, struct box *box)
{
	char users[LINE_SIZE] = "";
	size_t i;

	add_line(box, node->name);
	if (node->off)
		add_line(box, node->state);
	else
		add_line(box, "congestion");
	for (i = 0; i < graph->edge_count; i++) {
		const struct graph_edge *edge = &graph->edges[i];

		if (edge->from == node && strcmp(edge->binding, "option") == 0)
			append(users, edge->to->name);
	}
	if (users[0] != '\0') {
		char line[2 * LINE_SIZE];

		snprintf(line, sizeof(line), "of %s", users);
		add_line(box, line);
	}
}

static void iface_box(const struct graph *graph, const struct graph_node *node, struct box *box)
{
	const struct graph_edge *framing = graph_edge_find(graph, node, NULL, "framing");
	const struct graph_edge *driver = graph_edge_find(graph, NULL, node, "driver");
	const struct graph_edge *lower = graph_edge_find(graph, NULL, node, "stands_on");
	const struct graph_edge *upper = graph_edge_find(graph, node, NULL, "stands_on");
	char line[2 * LINE_SIZE];

	if (framing != NULL) {
		add_line(box, framing->to->name);
		box->rules |= 1U << box->line_count;
	}
	box->title = box->line_count;
	add_line(box, node->name);
	if (node->text != NULL)
		add_line(box, node->text);
	if (node->off)
		add_line(box, node->state);
	if (upper != NULL) {
		snprintf(line, sizeof(line), "carries %s", upper->to->name);
		add_line(box, line);
	}
	if (driver != NULL) {
		box->rules |= 1U << box->line_count;
		snprintf(line, sizeof(line), "%s%s%s", driver->from->name, lower != NULL ? " on " : "",
			 lower != NULL ? lower->from->name : "");
		add_line(box, line);
	}
	box->packets = node->packets;
	box->joined = !node->off && upper == NULL;
}

/* A link module that neither drives nor frames an interface has no place in one. */
static bool is_idle_link(const struct graph *graph, const struct graph_node *node)
{
	return is_kind(node, "link") && graph_edge_find(graph, node, NULL, "driver") == NULL &&
	       graph_edge_find(graph, NULL, node, "framing") == NULL;
}

static void idle_box(const struct graph *graph, const struct graph_node *node, struct box *box)
{
	(void)graph;
	add_line(box, node->name);
	add_line(box, node->off ? node->state : "not in use");
}

/* ---- drawing ---- */

/* Makes a rail of the next row, on which lines may end. */
static void draw_rail(struct drawing *d, const char *title)
{
	struct rail *rails = d->rails;

	if (d->rail_count == d->rail_room) {
		d->rail_room += 32;
		rails = realloc(d->rails, d->rail_room * sizeof(*rails));
	}
	if (rails == NULL) {
		d->rail_room = d->rail_count;
		d->canvas.failed = true;
		return;
	}
	d->rails = rails;
	/* Only its place is taken; it is drawn when the picture's width is known. */
	canvas_put(&d->canvas, d->row, 0, GLYPH_TRUNK_BRANCH, LOOK_KERNEL);
	d->rails[d->rail_count++] = (struct rail){ d->row, title };
	d->row++;
}

static void join_rail(struct drawing *d, size_t row, size_t column, uint8_t glyph)
{
	uint8_t there = canvas_get(&d->canvas, row, column);

	canvas_put(&d->canvas, row, column, there != ' ' && there != glyph ? GLYPH_RAIL_BOTH : glyph,
		   LOOK_KERNEL);
}

static size_t box_height(const struct box *box)
{
	return 2 + box->line_count + (size_t)__builtin_popcount(box->rules);
}

static void draw_box(struct drawing *d, size_t row, const struct box *box)
{
	enum canvas_look look = box->node->off ? LOOK_DIM : LOOK_PLAIN;
	size_t at = row + 1;
	unsigned int i;

	canvas_box(&d->canvas, row, box->column, box->width, box_height(box), box->node->off, look);
	for (i = 0; i < box->line_count; i++) {
		size_t length = strlen(box->lines[i]), room = box->width - 2, k;

		if ((box->rules & 1U << i) != 0) {
			canvas_put(&d->canvas, at, box->column, GLYPH_TEE_LEFT, look);
			canvas_put(&d->canvas, at, box->column + box->width - 1, GLYPH_TEE_RIGHT, look);
			for (k = 1; k + 1 < box->width; k++)
				canvas_put(&d->canvas, at, box->column + k, GLYPH_HORIZONTAL, look);
			at++;
		}
		canvas_text(&d->canvas, at, box->column + 1 + (length < room ? (room - length) / 2 : 0),
			    box->lines[i], room, box->node->off ? LOOK_DIM :
			    i == box->title ? LOOK_BOLD : LOOK_PLAIN);
		at++;
	}
}

static size_t middle(const struct box *box)
{
	return box->column + box->width / 2;
}

/* The line of a box with packets either side of it: up on the left, down on the right. */
static void draw_packets(struct drawing *d, size_t row, const struct box *box)
{
	size_t at = middle(box);
	char number[8];

	canvas_put(&d->canvas, row, at, GLYPH_VERTICAL, LOOK_PLAIN);
	if (!box->packets.counted)
		return;
	graph_number(box->packets.rx, number);
	canvas_put(&d->canvas, row, at - 1, GLYPH_IN, box->packets.rx > 0 ? LOOK_BUSY : LOOK_DIM);
	canvas_text(&d->canvas, row, at - 1 - strlen(number), number, sizeof(number),
		    box->packets.rx > 0 ? LOOK_BUSY : LOOK_DIM);
	graph_number(box->packets.tx, number);
	canvas_put(&d->canvas, row, at + 1, GLYPH_OUT, box->packets.tx > 0 ? LOOK_BUSY : LOOK_DIM);
	canvas_text(&d->canvas, row, at + 2, number, sizeof(number),
		    box->packets.tx > 0 ? LOOK_BUSY : LOOK_DIM);
}

static void draw_label(struct drawing *d, size_t row, const struct box *box)
{
	size_t length = strlen(box->label), room = box->width;

	if (length == 0)
		canvas_put(&d->canvas, row, middle(box), GLYPH_VERTICAL, LOOK_PLAIN);
	else
		canvas_text(&d->canvas, row, middle(box) - (length < room ? length : room) / 2, box->label,
			    room, LOOK_KERNEL);
}

/* Boxes that stand on the rail below them. */
static void draw_standing(struct drawing *d, const struct box *boxes, size_t count, const char *rail)
{
	size_t i, height = 0, bottom;
	bool labels = false, packets = false, joined = false;

	for (i = 0; i < count; i++) {
		height = box_height(&boxes[i]) > height ? box_height(&boxes[i]) : height;
		labels |= boxes[i].joined && boxes[i].label[0] != '\0';
		packets |= boxes[i].joined && boxes[i].packets.counted;
		joined |= boxes[i].joined;
	}
	bottom = d->row + height;
	for (i = 0; i < count; i++) {
		const struct box *box = &boxes[i];
		size_t row = bottom;

		draw_box(d, bottom - box_height(box), box);
		if (!box->joined || rail == NULL)
			continue;
		canvas_put(&d->canvas, bottom - 1, middle(box), GLYPH_TEE_DOWN, LOOK_PLAIN);
		if (labels)
			draw_label(d, row++, box);
		if (packets)
			draw_packets(d, row++, box);
		join_rail(d, row, middle(box), GLYPH_RAIL_UP);
	}
	d->row = bottom;
	if (joined && rail != NULL)
		d->row += (size_t)labels + (size_t)packets;
	if (joined && rail != NULL)
		draw_rail(d, rail);
}

/* Boxes that hang from the rail in the row before. */
static void draw_hanging(struct drawing *d, const struct box *boxes, size_t count)
{
	size_t i, rail = d->row - 1, height = 0;

	for (i = 0; i < count; i++) {
		const struct box *box = &boxes[i];

		draw_box(d, d->row + 1, box);
		height = box_height(box) > height ? box_height(box) : height;
		if (!box->joined)
			continue;
		join_rail(d, rail, middle(box), GLYPH_RAIL_DOWN);
		draw_packets(d, d->row, box);
		canvas_put(&d->canvas, d->row + 1, middle(box), GLYPH_TEE_UP, LOOK_PLAIN);
	}
	d->row += 1 + height;
}

/* How many boxes from `first` on find room side by side; sets their columns. */
static size_t fill_row(const struct drawing *d, struct layer *layer, size_t first)
{
	size_t i, column = MARGIN;

	for (i = first; i < layer->count; i++) {
		struct box *box = &layer->boxes[i];

		if (i > first && column + box->width > d->canvas.width)
			break;
		box->column = column;
		column += box->width + GAP;
	}
	return i - first;
}

static void draw_layer(struct drawing *d, struct layer *layer, const char *rail)
{
	size_t first = 0, count;

	while (first < layer->count) {
		/* Each row after the first has a rail of its own to hang from. */
		if (layer->hangs && first != 0)
			draw_rail(d, rail);
		canvas_text(&d->canvas, d->row + 1, 2, first == 0 ? layer->title : "", MARGIN - 2,
			    LOOK_DIM);
		count = fill_row(d, layer, first);
		if (layer->hangs)
			draw_hanging(d, &layer->boxes[first], count);
		else
			draw_standing(d, &layer->boxes[first], count, rail);
		first += count;
	}
}

/* The rails, as wide as the picture, and the trunk that joins them. */
static void draw_kernel(struct drawing *d)
{
	size_t width = canvas_extent(&d->canvas) + 1, i, k;

	for (i = 0; i < d->rail_count; i++) {
		const struct rail *rail = &d->rails[i];

		for (k = 1; k < width; k++)
			if (canvas_get(&d->canvas, rail->row, k) == ' ')
				canvas_put(&d->canvas, rail->row, k, GLYPH_RAIL, LOOK_KERNEL);
		canvas_put(&d->canvas, rail->row, 2, ' ', LOOK_PLAIN);
		canvas_text(&d->canvas, rail->row, 3, rail->title, MARGIN, LOOK_KERNEL);
		canvas_put(&d->canvas, rail->row, 3 + strlen(rail->title), ' ', LOOK_PLAIN);
	}
	if (d->rail_count < 2)
		return;
	for (k = d->rails[0].row; k <= d->rails[d->rail_count - 1].row; k++)
		if (canvas_get(&d->canvas, k, 0) == ' ')
			canvas_put(&d->canvas, k, 0, GLYPH_TRUNK, LOOK_KERNEL);
	canvas_put(&d->canvas, d->rails[0].row, 0, GLYPH_TRUNK_TOP, LOOK_KERNEL);
	canvas_put(&d->canvas, d->rails[d->rail_count - 1].row, 0, GLYPH_TRUNK_BOTTOM, LOOK_KERNEL);
}

/* ---- layers ---- */

typedef void make_box(const struct graph *graph, const struct graph_node *node, struct box *box);

static void add_boxes(const struct drawing *d, struct layer *layer, const char *kind, make_box *make)
{
	size_t i;

	for (i = 0; i < d->graph->node_count; i++) {
		const struct graph_node *node = &d->graph->nodes[i];
		struct box *box = &layer->boxes[layer->count];

		if (kind != NULL ? !is_kind(node, kind) : !is_idle_link(d->graph, node))
			continue;
		memset(box, 0, sizeof(*box));
		box->node = node;
		make(d->graph, node, box);
		measure(box, d->canvas.width - MARGIN);
		layer->count++;
	}
}

static void draw_all(struct drawing *d, struct box *boxes)
{
	struct layer layer = { .title = "service", .boxes = boxes };

	add_boxes(d, &layer, "service", module_box);
	draw_layer(d, &layer, "sockets");
	layer = (struct layer){ .title = "transport", .boxes = boxes };
	add_boxes(d, &layer, "transport", module_box);
	add_boxes(d, &layer, "congestion", congestion_box);
	draw_layer(d, &layer, "IP protocols");
	layer = (struct layer){ .title = "network", .boxes = boxes };
	add_boxes(d, &layer, "network", module_box);
	draw_layer(d, &layer, "EtherTypes");
	layer = (struct layer){ .title = "interface", .boxes = boxes, .hangs = true };
	add_boxes(d, &layer, "interface", iface_box);
	if (d->rail_count == 0 && layer.count != 0)
		draw_rail(d, "EtherTypes");
	draw_layer(d, &layer, "EtherTypes");
	layer = (struct layer){ .title = "link", .boxes = boxes };
	add_boxes(d, &layer, NULL, idle_box);
	draw_layer(d, &layer, NULL);
	draw_kernel(d);
}

static void print_heading(const struct graph *graph, const struct graph_style *style, FILE *to)
{
	const char *in = style->utf8 ? "▲" : "^", *out = style->utf8 ? "▼" : "v";
	const char *what = graph->interval > 0 ? "packets a second" : "packets";
	int length = fprintf(to, "stack %s, Strata %s;", graph->stack, graph->version);

	/* " up, down", the two signs and their spaces. */
	fprintf(to, "%s%s, %s up, %s down\n",
		length < 0 || (size_t)length + strlen(what) + 14 > style->width ? "\n" : " ", what, in, out);
}

/* What has no line in the picture, a sentence each. */
static void print_rest(const struct graph *graph, FILE *to)
{
	size_t i;

	for (i = 0; i < graph->edge_count; i++) {
		const struct graph_edge *edge = &graph->edges[i];
		const char *from = edge->from->name, *with = edge->to->name;

		if (strcmp(edge->binding, "requires") == 0 && !is_kind(edge->to, "service"))
			fprintf(to, "%s requires %s%s\n", with, from,
				edge->label != NULL ? ", where it is there" : "");
		else if (strcmp(edge->binding, "option") == 0 && !is_kind(edge->from, "congestion"))
			fprintf(to, "%s uses %s (option %s)\n", with, from, edge->label);
		else if (strcmp(edge->binding, "resolves") == 0)
			fprintf(to, "%s resolves the addresses of %s\n", from, with);
		else if (strcmp(edge->binding, "errors") == 0)
			fprintf(to, "%s carries the errors of %s\n", with, from);
	}
}

bool graph_print_text(const struct graph *graph, const struct graph_style *style, FILE *to)
{
	struct drawing d = { .graph = graph };
	struct box *boxes = calloc(graph->node_count + 1, sizeof(*boxes));
	bool made;

	if (boxes == NULL)
		return false;
	canvas_init(&d.canvas, style->width > WIDTH_MIN ? style->width : WIDTH_MIN);
	draw_all(&d, boxes);
	made = !d.canvas.failed;
	if (made) {
		print_heading(graph, style, to);
		canvas_print(&d.canvas, style->utf8, style->colour, to);
		print_rest(graph, to);
	}
	canvas_fini(&d.canvas);
	free(d.rails);
	free(boxes);
	return made;
}
