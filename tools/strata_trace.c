/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `strata trace`: the walks of packets through the layers of a running stack, as they happen. The stack
 * sends steps (docs/control.md); here they are put together by packet for people, or passed on as JSON.
 */
#include <stdlib.h>
#include <string.h>
#include "strata_cli.h"

/* Columns of a line where the terminal does not say; and where a step's text begins. */
#define WIDTH 100
#define INDENT 17
#define NARROWEST 20

#define RED "\033[31m"
#define YELLOW "\033[33m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

struct printer {
	bool json, colour;
	size_t width;
	json_int_t group;	/* the packet whose steps are being printed; -1: none yet */
	unsigned long long steps, lost;
};

/* ---- for people ---- */

static const char *paint(const struct printer *p, const char *code)
{
	return p->colour ? code : "";
}

static json_int_t number(const json_t *step, const char *key)
{
	return json_integer_value(json_object_get(step, key));
}

static const char *text(const json_t *step, const char *key)
{
	const char *value = json_string_value(json_object_get(step, key));

	return value != NULL ? value : "";
}

/* Bytes of the first `columns` characters of UTF-8. */
static size_t columns_of(const char *s, size_t columns)
{
	size_t n = 0;

	while (s[n] != '\0' && columns-- > 0)
		do
			n++;
		while (((unsigned char)s[n] & 0xc0) == 0x80);
	return n;
}

/* The text from column INDENT on, broken between words. */
static void print_wrapped(const struct printer *p, const char *s)
{
	size_t room = p->width > INDENT + NARROWEST ? p->width - INDENT : NARROWEST;

	for (;;) {
		size_t fits = columns_of(s, room), n = fits;

		while (s[fits] != '\0' && n > 0 && s[n] != ' ')
			n--;
		if (n == 0)
			n = fits;
		fwrite(s, 1, n, stdout);
		s += n;
		while (*s == ' ')
			s++;
		if (*s == '\0')
			return;
		printf("\n%*s", INDENT, "");
	}
}

/* A packet's first line: when, which, where. */
static void print_head(const struct printer *p, const json_t *step, json_int_t group)
{
	json_int_t time = number(step, "time"), cause = number(step, "cause");
	const char *iface = text(step, "interface");

	if (p->group != -1)
		putchar('\n');
	printf("%s%lld.%06lld", paint(p, BOLD), (long long)(time / 1000000000),
	       (long long)(time % 1000000000 / 1000));
	if (group != 0)
		printf("  #%lld", (long long)group);
	if (iface[0] != '\0')
		printf("  %s", iface);
	printf("%s", paint(p, PLAIN));
	if (cause != 0 && cause != group)
		printf("  caused by #%lld", (long long)cause);
	putchar('\n');
}

static void print_step(struct printer *p, const json_t *step)
{
	const json_t *drop = json_object_get(step, "drop");
	const char *way = text(step, "direction");
	json_int_t group = number(step, "packet");

	/* What has no packet stands with the one that caused it. */
	if (group == 0)
		group = number(step, "cause");
	if (group != p->group || group == 0)
		print_head(p, step, group);
	p->group = group;
	printf("  %-3s %s%-10s ", way[0] != '\0' ? way : "-", drop == NULL ? "" :
	       strcmp(text(drop, "severity"), "info") == 0 ? paint(p, YELLOW) : paint(p, RED),
	       text(step, "module"));
	print_wrapped(p, text(step, "line"));
	printf("%s\n", drop != NULL ? paint(p, PLAIN) : "");
}

static void print_lost(struct printer *p, unsigned long long lost)
{
	p->group = 0;
	printf("\n%s… %llu steps were lost here: this program did not keep up%s\n", paint(p, RED), lost,
	       paint(p, PLAIN));
}

/* ---- events ---- */

/* Returns false at the end of the stream. */
static bool take_event(struct printer *p, const json_t *event)
{
	const char *name = text(event, "event");
	json_t *data = json_object_get(event, "data");

	if (strcmp(name, "end") == 0) {
		p->lost = (unsigned long long)number(data, "lost");
		return false;
	}
	if (p->json) {
		if (strcmp(name, "lost") == 0)
			printf("{\"lost\":%lld}\n", (long long)number(data, "events"));
		else
			json_dumpf(data, stdout, JSON_COMPACT);
		if (strcmp(name, "trace") == 0)
			putchar('\n');
	} else if (strcmp(name, "lost") == 0) {
		print_lost(p, (unsigned long long)number(data, "events"));
	} else if (strcmp(name, "trace") == 0) {
		print_step(p, data);
	}
	p->steps += strcmp(name, "trace") == 0;
	/* Whoever reads along wants each step when it is made. */
	return fflush(stdout) == 0;
}

static int follow_stream(const struct cli *cli, json_t *request)
{
	struct printer p = {
		.json = cli->json, .colour = cli_colour(), .width = cli_terminal_width(), .group = -1,
	};
	struct cli_stream *stream = cli_stream_open(cli, request);
	bool failed, ended = false;
	json_t *event;

	if (stream == NULL)
		return CLI_FAILURE;
	if (p.width == 0)
		p.width = WIDTH;
	while (!ended && (event = cli_stream_next(stream)) != NULL) {
		ended = !take_event(&p, event);
		json_decref(event);
	}
	failed = cli_stream_failed(stream) || ferror(stdout);
	cli_stream_close(stream);
	if (!ended && !failed)
		fprintf(stderr, "strata: trace: the stack has stopped\n");
	fprintf(stderr, "strata: trace: %llu step%s, %llu lost\n", p.steps, p.steps == 1 ? "" : "s", p.lost);
	return failed ? CLI_FAILURE : 0;
}

/* ---- the command line ---- */

/* One end, "ADDRESS:PORT", "[ADDRESS]:PORT", "*:PORT" or "ADDRESS:*". Returns NULL: it is none. */
static json_t *parse_end(const char *s, size_t length)
{
	json_t *end = json_object();
	uint64_t port = 0;
	char copy[128], *colon, *address = copy;

	if (length >= sizeof(copy))
		goto out_bad;
	memcpy(copy, s, length);
	copy[length] = '\0';
	colon = strrchr(copy, ':');
	if (colon == NULL || colon == copy)
		goto out_bad;
	*colon = '\0';
	if (strcmp(colon + 1, "*") != 0 && !cli_number(colon + 1, 1, UINT16_MAX, &port))
		goto out_bad;
	if (address[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		address++;
	}
	if (strcmp(address, "*") != 0)
		json_object_set_new(end, "address", json_string(address));
	if (port != 0)
		json_object_set_new(end, "port", json_integer((json_int_t)port));
	return end;
out_bad:
	json_decref(end);
	return NULL;
}

/* "ADDRESS:PORT-ADDRESS:PORT", one of them alone, or a socket's number. */
static json_t *parse_follow(const char *s)
{
	const char *dash = strchr(s, '-');
	json_t *local, *remote = NULL;
	uint64_t fd;

	if (cli_number(s, 0, INT32_MAX, &fd))
		return json_pack("{s:I}", "fd", (json_int_t)fd);
	local = parse_end(s, dash != NULL ? (size_t)(dash - s) : strlen(s));
	if (dash != NULL)
		remote = parse_end(dash + 1, strlen(dash + 1));
	if (local == NULL || (dash != NULL && remote == NULL)) {
		json_decref(local);
		json_decref(remote);
		return NULL;
	}
	return json_pack("{s:o, s:o*}", "local", local, "remote", remote);
}

static void add_modules(const struct cli *cli, json_t *request)
{
	json_t *modules = json_array();
	size_t i;

	for (i = 0; i < cli->given_count; i++)
		if (strcmp(cli->given[i].option->name, "module") == 0)
			json_array_append_new(modules, json_string(cli->given[i].value));
	if (json_array_size(modules) != 0)
		json_object_set(request, "modules", modules);
	json_decref(modules);
}

/* Options into members of the request. Returns 0 or an exit status, having told why. */
static int add_options(const struct cli *cli, json_t *request)
{
	const char *iface = cli_option(cli, "interface"), *way = cli_option(cli, "direction");
	const char *follow = cli_option(cli, "follow"), *count = cli_option(cli, "count");
	json_t *flow = NULL;
	uint64_t packets;

	if (iface != NULL)
		json_object_set_new(request, "interface", json_string(iface));
	if (way != NULL && strcmp(way, "in") != 0 && strcmp(way, "out") != 0)
		return cli_usage_error(cli, "--direction: expected in or out, found '%s'", way);
	if (way != NULL)
		json_object_set_new(request, "direction", json_string(way));
	if (cli_option(cli, "drops") != NULL)
		json_object_set_new(request, "drops", json_true());
	if (count != NULL && !cli_number(count, 1, INT64_MAX, &packets))
		return cli_usage_error(cli, "--count: expected a number of packets, found '%s'", count);
	if (count != NULL)
		json_object_set_new(request, "count", json_integer((json_int_t)packets));
	if (follow != NULL && (flow = parse_follow(follow)) == NULL)
		return cli_usage_error(cli, "--follow: expected ADDRESS:PORT-ADDRESS:PORT or the number of "
				       "a socket, found '%s'", follow);
	if (flow != NULL)
		json_object_set_new(request, "follow", flow);
	add_modules(cli, request);
	return 0;
}

static int run_trace(const struct cli *cli, int argc, char **argv)
{
	json_t *request = json_pack("{s:s}", "method", "trace"), *filter = NULL;
	int status = add_options(cli, request);
	char *words;

	if (status == 0 && argc > 0) {
		words = cli_filter_text(argc, argv);
		filter = cli_filter_compile(words, NULL, 0);
		free(words);
		status = filter == NULL ? CLI_USAGE : 0;
	}
	if (status != 0) {
		json_decref(request);
		return status;
	}
	if (filter != NULL)
		json_object_set_new(request, "filter", filter);
	return follow_stream(cli, request);
}

static const struct cli_option trace_options[] = {
	{ "interface", 'i', "INTERFACE", "packets of that interface", CLI_INTERFACE },
	{ "direction", 0, "in|out", "packets that came in, or were sent", CLI_TEXT },
	{ "follow", 'f', "ENDS|SOCKET", "one connection both ways, with its timers and states", CLI_TEXT },
	{ "drops", 'd', NULL, "packets that are discarded", CLI_TEXT },
	{ "module", 'm', "NAME", "steps of that module; may be given again", CLI_MODULE },
	{ "count", 'c', "PACKETS", "ends after so many", CLI_NUMBER },
	{ .name = NULL },
};

const struct cli_command cli_command_trace = {
	.name = "trace",
	.run = run_trace,
	.summary = "The walk of packets through the layers, with a reason at each step",
	.operands = "[FILTER…]",
	.least = 0,
	.most = -1,
	.help = "FILTER is in the syntax of pcap-filter(7). ENDS is ADDRESS:PORT-ADDRESS:PORT, in\n"
		"either order; * stands for any address or port. Ctrl-C ends it; what did not get\n"
		"through because this program was too slow is counted and told.",
	.examples = "strata trace icmp                  # pings, step by step\n"
		    "strata trace --drops               # whatever is discarded, and why\n"
		    "strata trace -f 192.0.2.1:40000-192.0.2.2:7\n"
		    "strata trace --json -c 1 udp port 53   # for programs, one object a line",
	.options = trace_options,
};
