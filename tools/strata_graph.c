/* SPDX-License-Identifier: BSD-2-Clause */
/* `strata graph`: reads the running stack's graph twice, which gives rates, and has it drawn. */
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "strata_cli.h"
#include "strata_graph.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Local choice: seconds between two samples where nothing is said. */
#define INTERVAL 1.0
/* Local choice: columns where there is no terminal to ask. */
#define WIDTH 80

extern char **environ;

const struct graph_edge *graph_edge_find(const struct graph *graph, const struct graph_node *from,
					 const struct graph_node *to, const char *binding)
{
	size_t i;

	for (i = 0; i < graph->edge_count; i++) {
		const struct graph_edge *edge = &graph->edges[i];

		if ((from == NULL || edge->from == from) && (to == NULL || edge->to == to) &&
		    strcmp(edge->binding, binding) == 0)
			return edge;
	}
	return NULL;
}

const char *graph_number(double value, char buf[8])
{
	static const char units[] = " kMGTPE";
	size_t unit = 0;

	/* Where it would be rounded up to four digits the next unit begins. */
	while (value >= 999.5 && unit < sizeof(units) - 2) {
		value /= 1000;
		unit++;
	}
	if (value >= 999.5)
		snprintf(buf, 8, "many");
	else if (unit == 0 && (value >= 9.95 || value == floor(value)))
		snprintf(buf, 8, "%.0f", value);
	else if (unit == 0)
		snprintf(buf, 8, "%.1f", value);
	else
		snprintf(buf, 8, value < 9.95 ? "%.1f%c" : "%.0f%c", value, units[unit]);
	return buf;
}

/* ---- from the tables ---- */

static const char *text(const json_t *entry, const char *key)
{
	return json_string_value(json_object_get(entry, key));
}

static long long integer(const json_t *entry, const char *key, long long none)
{
	const json_t *value = json_object_get(entry, key);

	return json_is_integer(value) ? (long long)json_integer_value(value) : none;
}

static bool is_type(const json_t *entry, const char *type)
{
	const char *is = text(entry, "type");

	return is != NULL && strcmp(is, type) == 0;
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
	return json_equal(json_object_get(a, key), json_object_get(b, key));
}

/* The entry of the earlier sample that is the same node or edge; NULL: it is new. */
static const json_t *earlier(const json_t *before, const json_t *entry)
{
	static const char *const node_keys[] = { "type", "id", NULL };
	static const char *const edge_keys[] = { "type", "from", "to", "binding", "label", NULL };
	const char *const *keys = is_type(entry, "node") ? node_keys : edge_keys;
	json_t *other;
	size_t i, k;

	json_array_foreach(before, i, other) {
		for (k = 0; keys[k] != NULL && same(entry, other, keys[k]); k++)
			;
		if (keys[k] == NULL)
			return other;
	}
	return NULL;
}

/* What was counted between two samples. A counter that is less than before has begun anew. */
static double difference(const json_t *before, const json_t *entry, const char *key)
{
	long long now = integer(entry, key, 0), then = before != NULL ? integer(before, key, 0) : 0;

	return (double)(now >= then ? now - then : now);
}

static struct graph_packets packets_of(const json_t *before, const json_t *entry, double interval)
{
	struct graph_packets packets = {
		.counted = json_is_integer(json_object_get(entry, "rx_packets")),
	};

	if (!packets.counted)
		return packets;
	before = before != NULL ? earlier(before, entry) : NULL;
	packets.rx = difference(before, entry, "rx_packets");
	packets.tx = difference(before, entry, "tx_packets");
	if (interval > 0) {
		packets.rx /= interval;
		packets.tx /= interval;
	}
	return packets;
}

static const struct graph_node *node_of(const struct graph *graph, const char *id)
{
	size_t i;

	for (i = 0; id != NULL && i < graph->node_count; i++)
		if (strcmp(graph->nodes[i].id, id) == 0)
			return &graph->nodes[i];
	return NULL;
}

static void add_node(struct graph *graph, const json_t *before, const json_t *entry)
{
	struct graph_node *node = &graph->nodes[graph->node_count];

	node->id = text(entry, "id");
	node->name = text(entry, "name");
	node->kind = text(entry, "kind");
	node->state = text(entry, "state");
	node->text = text(entry, "text");
	node->number = integer(entry, "number", -1);
	if (node->id == NULL || node->name == NULL || node->kind == NULL || node->state == NULL)
		return;
	node->off = strcmp(node->state, "running") != 0 && strcmp(node->state, "up") != 0;
	node->packets = packets_of(before, entry, graph->interval);
	graph->node_count++;
}

/* An edge whose ends are not there (the table may change between its pages) is left out. */
static void add_edge(struct graph *graph, const json_t *before, const json_t *entry)
{
	struct graph_edge *edge = &graph->edges[graph->edge_count];

	edge->from = node_of(graph, text(entry, "from"));
	edge->to = node_of(graph, text(entry, "to"));
	edge->binding = text(entry, "binding");
	edge->label = text(entry, "label");
	edge->packets = packets_of(before, entry, graph->interval);
	if (edge->from != NULL && edge->to != NULL && edge->binding != NULL)
		graph->edge_count++;
}

/* Makes the graph from the tables `graph` and `version`. Returns false for want of memory. */
static bool build(struct graph *graph, const json_t *before)
{
	const json_t *about = json_array_get(graph->about, 0);
	size_t i, room = json_array_size(graph->entries) + 1;
	json_t *entry;

	graph->stack = text(about, "stack") != NULL ? text(about, "stack") : "?";
	graph->version = text(about, "version") != NULL ? text(about, "version") : "?";
	graph->memory = integer(about, "memory", 0);
	graph->uptime_ms = integer(about, "uptime_ms", 0);
	graph->nodes = calloc(room, sizeof(*graph->nodes));
	graph->edges = calloc(room, sizeof(*graph->edges));
	if (graph->nodes == NULL || graph->edges == NULL) {
		cli_error("out of memory");
		return false;
	}
	json_array_foreach(graph->entries, i, entry)
		if (is_type(entry, "node"))
			add_node(graph, before, entry);
	json_array_foreach(graph->entries, i, entry)
		if (is_type(entry, "edge"))
			add_edge(graph, before, entry);
	return true;
}

static void forget(struct graph *graph)
{
	free(graph->nodes);
	free(graph->edges);
	json_decref(graph->entries);
	json_decref(graph->about);
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void sleep_for(double seconds)
{
	struct timespec left = {
		.tv_sec = (time_t)seconds,
		.tv_nsec = (long)((seconds - floor(seconds)) * 1e9),
	};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

/* Reads the stack, twice where rates are wanted. Returns false having told why. */
static bool sample(const struct cli *cli, double interval, struct graph *graph)
{
	struct cli_link *link = cli_connect(cli);
	json_t *before = NULL;
	double then = 0;
	bool made = false;

	if (link == NULL)
		return false;
	if (interval > 0) {
		before = cli_fetch_on(link, "graph");
		if (before == NULL)
			goto out;
		then = seconds_now();
		sleep_for(interval);
	}
	graph->entries = cli_fetch_on(link, "graph");
	graph->interval = interval > 0 ? seconds_now() - then : 0;
	graph->about = graph->entries != NULL ? cli_fetch_on(link, "version") : NULL;
	made = graph->about != NULL && build(graph, before);
out:
	json_decref(before);
	cli_disconnect(link);
	return made;
}

/* ---- JSON ---- */

static json_t *json_packets(json_t *object, const struct graph_packets *packets, double interval)
{
	const char *const keys[] = {
		interval > 0 ? "rx_rate" : "rx_packets", interval > 0 ? "tx_rate" : "tx_packets",
	};
	const double values[] = { packets->rx, packets->tx };
	size_t i;

	for (i = 0; object != NULL && i < COUNT(keys); i++)
		json_object_set_new(object, keys[i], !packets->counted ? json_null() : interval > 0 ?
				    json_real(values[i]) : json_integer((json_int_t)values[i]));
	return object;
}

static json_t *nullable(const char *string)
{
	return string != NULL ? json_string(string) : json_null();
}

static int print_json(const struct graph *graph)
{
	json_t *nodes = json_array(), *edges = json_array();
	size_t i;

	for (i = 0; i < graph->node_count; i++) {
		const struct graph_node *n = &graph->nodes[i];

		json_array_append_new(nodes, json_packets(json_pack("{s:s, s:s, s:s, s:o, s:s, s:o}",
			"id", n->id, "name", n->name, "kind", n->kind,
			"number", n->number >= 0 ? json_integer(n->number) : json_null(),
			"state", n->state, "text", nullable(n->text)), &n->packets, graph->interval));
	}
	for (i = 0; i < graph->edge_count; i++) {
		const struct graph_edge *e = &graph->edges[i];

		json_array_append_new(edges, json_packets(json_pack("{s:s, s:s, s:s, s:o}",
			"from", e->from->id, "to", e->to->id, "binding", e->binding,
			"label", nullable(e->label)), &e->packets, graph->interval));
	}
	return cli_print_json(json_pack("{s:s, s:s, s:f, s:o, s:o}", "stack", graph->stack,
					"version", graph->version, "interval", graph->interval,
					"nodes", nodes, "edges", edges));
}

/* ---- SVG ---- */

/* Starts graphviz with its input and output set. Returns its process, or -1 having told why. */
static pid_t start_dot(int in, int out)
{
	static char program[] = "dot", type[] = "-Tsvg";
	char *const argv[] = { program, type, NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;
	int result = posix_spawn_file_actions_init(&actions);

	if (result == 0) {
		posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
		posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
		result = posix_spawnp(&pid, program, &actions, NULL, argv, environ);
		posix_spawn_file_actions_destroy(&actions);
	}
	if (result == 0)
		return pid;
	if (result == ENOENT)
		cli_error("graph: SVG is drawn by graphviz, whose program `dot` is not here; install it "
			  "(Debian: apt-get install graphviz), or use --format dot or text");
	else
		cli_error("graph: dot: %s", strerror(result));
	return -1;
}

static int wait_for_dot(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return CLI_FAILURE;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	cli_error("graph: dot could not draw it");
	return CLI_FAILURE;
}

static int print_svg(const struct graph *graph, FILE *to)
{
	int ends[2], status = CLI_FAILURE;
	FILE *in;
	pid_t pid;

	/* Its own end closes on exec: graphviz would wait for itself to end. */
	if (fflush(to) != 0 || pipe2(ends, O_CLOEXEC) < 0) {
		cli_error("graph: %s", strerror(errno));
		return CLI_FAILURE;
	}
	pid = start_dot(ends[0], fileno(to));
	close(ends[0]);
	in = pid >= 0 ? fdopen(ends[1], "w") : NULL;
	if (in == NULL) {
		close(ends[1]);
	} else {
		/* One that ends early must not end this program: its status is what is told. */
		signal(SIGPIPE, SIG_IGN);
		graph_print_dot(graph, in);
		fclose(in);
	}
	if (pid >= 0)
		status = wait_for_dot(pid);
	return status;
}

/* ---- the subcommand ---- */

enum format {
	FORMAT_TEXT,
	FORMAT_DOT,
	FORMAT_SVG,
	FORMATS,
};

static const char *const formats[FORMATS + 1] = { "text", "dot", "svg", NULL };

static int find_format(const char *name)
{
	int i;

	for (i = 0; i < FORMATS; i++)
		if (strcmp(formats[i], name) == 0)
			return i;
	return -1;
}

/* What is said with --format, else what the file's name ends in, else text; -1 having told why. */
static int choose_format(const struct cli *cli, const char *file)
{
	const char *name = cli_option(cli, "format"), *dot = file != NULL ? strrchr(file, '.') : NULL;
	char hint[64];
	int format;

	if (name == NULL)
		return dot != NULL && find_format(dot + 1) > 0 ? find_format(dot + 1) : FORMAT_TEXT;
	format = find_format(name);
	if (format < 0)
		cli_usage_error(cli, "--format: expected text, dot or svg, found '%s'%s", name,
				cli_suggestion(name, formats, hint, sizeof(hint)));
	return format;
}

static int print_text(const struct graph *graph, FILE *to)
{
	size_t width = cli_terminal_width();
	struct graph_style style = {
		.width = width != 0 ? width : WIDTH,
		.colour = to == stdout && cli_colour(),
	};

	/* Which characters the reader's terminal has, the environment says. */
	setlocale(LC_CTYPE, "");
	style.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	if (graph_print_text(graph, &style, to))
		return 0;
	cli_error("out of memory");
	return CLI_FAILURE;
}

static int print(const struct graph *graph, int format, FILE *to)
{
	if (format == FORMAT_SVG)
		return print_svg(graph, to);
	if (format == FORMAT_TEXT)
		return print_text(graph, to);
	graph_print_dot(graph, to);
	return 0;
}

static int print_to_file(const struct graph *graph, int format, const char *file)
{
	FILE *to = fopen(file, "we");
	bool failed;
	int status;

	if (to == NULL) {
		cli_error("graph: %s: %s", file, strerror(errno));
		return CLI_FAILURE;
	}
	status = print(graph, format, to);
	failed = ferror(to) != 0;
	if (fclose(to) != 0 || failed) {
		cli_error("graph: %s cannot be written: %s", file, strerror(errno));
		status = CLI_FAILURE;
	}
	if (status != 0)
		remove(file);
	return status;
}

static bool read_interval(const struct cli *cli, double *interval)
{
	const char *given = cli_option(cli, "interval");

	*interval = INTERVAL;
	if (given == NULL || cli_seconds(given, interval))
		return true;
	*interval = 0;
	if (strcmp(given, "0") == 0)
		return true;
	cli_usage_error(cli, "--interval: expected seconds, at most a day, or 0 for totals, found '%s'",
			given);
	return false;
}

static int run_graph(const struct cli *cli, int argc, char **argv)
{
	const char *file = cli_option(cli, "output");
	struct graph graph = { .nodes = NULL };
	int format = choose_format(cli, file), status = CLI_FAILURE;
	double interval;

	(void)argc;
	(void)argv;
	if (format < 0 || !read_interval(cli, &interval))
		return CLI_USAGE;
	if (cli->json && (file != NULL || cli_option(cli, "format") != NULL))
		return cli_usage_error(cli, "--json stands alone: leave out --format and --output");
	if (sample(cli, interval, &graph)) {
		if (cli->json)
			status = print_json(&graph);
		else if (file != NULL)
			status = print_to_file(&graph, format, file);
		else
			status = print(&graph, format, stdout);
	}
	forget(&graph);
	return status;
}

static const struct cli_option graph_options[] = {
	{ .name = "format", .letter = 'f', .argument = "FORMAT",
	  .help = "text, dot or svg; by the file's name when left out" },
	{ .name = "output", .letter = 'o', .argument = "FILE", .help = "into a file",
	  .value = CLI_FILE },
	{ .name = "interval", .letter = 'i', .argument = "SECONDS",
	  .help = "time between two looks (1); 0: totals", .value = CLI_NUMBER },
	{ .name = NULL },
};

const struct cli_command cli_command_graph = {
	.name = "graph",
	.run = run_graph,
	.summary = "The running stack as a picture",
	.help = "Modules, what they are bound by, and the packets a second on each binding. SVG is drawn\n"
		"by graphviz, which must be installed.",
	.examples = "strata graph                    # in the terminal\n"
		    "strata graph --interval 0       # packets in all instead of a second\n"
		    "strata graph -o stack.svg       # for a browser\n"
		    "strata graph -f dot | xdot -    # for graphviz",
	.options = graph_options,
};
