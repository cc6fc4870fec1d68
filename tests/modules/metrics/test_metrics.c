/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The metrics service between two stacks: requests well-formed and not, the format of what is exposed, clients
 * that dribble, idle, crowd or go away, and TCP switched off and on under it.
 */
#include "fixture.h"

#include <ctype.h>

#include "metrics_int.h"

#define METRICS_MODULES "ethernet arp ipv4 icmp udp newreno tcp metrics"
#define SERVER_IP STACK_IP
#define PORT 9740
#define GET "GET /metrics HTTP/1.1\r\nHost: s\r\n\r\n"

static const struct fx_link quick = { .delay = 100 * STRATA_US };

static struct fx_pair pair_open(const char *options)
{
	const struct fx_config config = { .modules = METRICS_MODULES, .options = options };

	return fx_pair_open(&config, &quick, 1);
}

/* ---- the parser ---- */

static void every_request_gets_its_status(void **state)
{
	static const struct {
		const char *head;
		unsigned int status;
		bool close;
	} cases[] = {
		{ "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 0, false },
		{ "GET /metrics HTTP/1.1\nhost:a\n\n", 0, false },
		{ "\r\n\r\nGET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 0, false },
		{ "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 0, false },
		{ "GET http://a:1/metrics?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", 0, false },
		{ "GET /metrics HTTP/1.0\r\n\r\n", 0, true },
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", 0, true },
		{ "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", 0, false },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 0, false },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n", 0, true },
		{ "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 0, true },
		{ "POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405, false },
		{ "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", 405, true },
		{ "get / HTTP/1.1\r\nHost: a\r\n\r\n", 405, false },
		{ "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, true },
		{ "GET / HTTP/1.1\r\n\r\n", 400, true },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, true },
		{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, true },
		{ "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400, true },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: a\001b\r\n\r\n", 400, true },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400, true },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400, true },
		{ "GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", 400, true },
		{ "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400, true },
		{ "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400, true },
		{ "GET metrics HTTP/1.1\r\nHost: a\r\n\r\n", 400, true },
		{ "GET /metrics\r\n\r\n", 400, true },
		{ "GET\r\n\r\n", 400, true },
		{ "(x) / HTTP/1.1\r\nHost: a\r\n\r\n", 400, true },
		{ "\026\003\001\n\n", 400, true },
	};
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *head = cases[i].head;
		struct metrics_request request;

		/* The head is there with its last byte and not before. */
		for (n = 0; n < strlen(head); n++)
			assert_int_equal(metrics_head_length(head, n), 0);
		assert_int_equal(metrics_head_length(head, n), n);
		metrics_request_parse(head, n, &request);
		if (request.status != cases[i].status || request.close != cases[i].close)
			fail_msg("status %u close %d for %s", request.status, request.close, head);
	}
}

static void target_is_the_path_without_host_and_query(void **state)
{
	static const char *const heads[] = {
		"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /metrics?a=/b?c HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET HTTP://a.b:1/metrics?x HTTP/1.1\r\nHost: a\r\n\r\n",
	};
	struct metrics_request request;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		metrics_request_parse(heads[i], strlen(heads[i]), &request);
		assert_int_equal(request.status, 0);
		assert_int_equal(request.path_length, 8);
		assert_memory_equal(request.path, "/metrics", 8);
	}
}

static void date_is_in_the_form_of_http(void **state)
{
	char head[METRICS_HEAD_ROOM + 1];

	(void)state;
	head[metrics_head_write(head, 200, 7, true, UINT64_C(784111777) * STRATA_SEC)] = '\0';
	/* The example of RFC 9110 5.6.7. */
	assert_non_null(strstr(head, "\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
	assert_non_null(strstr(head, "\r\nContent-Length: 7\r\n"));
	assert_non_null(strstr(head, "\r\nConnection: close\r\n\r\n"));
}

/* ---- a client ---- */

struct client {
	struct fixture *fx;
	int s;
	char *got;
	size_t length;
	bool ended;
	size_t wanted;		/* responses, 0: until the end */
};

static void client_open(struct client *c, struct fixture *fx)
{
	int err;

	*c = (struct client){ .fx = fx, .s = fx_socket(fx, SOCK_STREAM, 0), .got = calloc(1, 1) };
	err = fx_connect(fx, c->s, SERVER_IP, PORT);
	assert_true(err == 0 || err == -EINPROGRESS);
}

static void client_close(struct client *c)
{
	fx_close_socket(c->fx, c->s);
	free(c->got);
}

static bool connected(void *ctx)
{
	const struct client *c = ctx;

	return (strata_events(c->fx->stack, c->s) & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0;
}

static void say(struct fx_pair *pair, struct client *c, const char *text)
{
	assert_true(fx_join_run(pair->join, STRATA_SEC, connected, c));
	assert_int_equal(fx_send(c->fx, c->s, text, strlen(text)), strlen(text));
}

/* How many whole responses came, by their Content-Length. */
static size_t responses(const struct client *c)
{
	const char *at = c->got;
	size_t n = 0;

	for (;;) {
		const char *end = strstr(at, "\r\n\r\n"), *length = strstr(at, "Content-Length: ");

		if (end == NULL || length == NULL)
			return n;
		end += 4 + strtoul(length + 16, NULL, 10);
		if (end > c->got + c->length)
			return n;
		at = end;
		n++;
	}
}

static bool done(void *ctx)
{
	struct client *c = ctx;
	char buf[4096];
	ssize_t n;

	while (!c->ended && (n = fx_recv(c->fx, c->s, buf, sizeof(buf))) != -EAGAIN) {
		if (n <= 0) {
			c->ended = true;
			break;
		}
		c->got = realloc(c->got, c->length + (size_t)n + 1);
		memcpy(c->got + c->length, buf, (size_t)n);
		c->length += (size_t)n;
		c->got[c->length] = '\0';
	}
	return c->ended || (c->wanted != 0 && responses(c) >= c->wanted);
}

static void hear(struct fx_pair *pair, struct client *c, size_t wanted)
{
	c->wanted = wanted;
	assert_true(fx_join_run(pair->join, 5 * STRATA_SEC, done, c));
}

/* One request and its response, which must begin with the status line. */
static void expect_status(struct fx_pair *pair, const char *request, const char *status)
{
	struct client c;

	client_open(&c, pair->a);
	say(pair, &c, request);
	hear(pair, &c, 1);
	if (strncmp(c.got, status, strlen(status)) != 0)
		fail_msg("expected %s, found %.60s", status, c.got);
	client_close(&c);
}

/* ---- the format ---- */

static size_t name_length(const char *text)
{
	size_t n = 0;

	while (isalpha((unsigned char)text[n]) || text[n] == '_' || text[n] == ':' ||
	       (n != 0 && isdigit((unsigned char)text[n])))
		n++;
	return n;
}

/* {name="value",…} with its escapes. Returns what follows. */
static const char *check_labels(const char *at)
{
	do {
		size_t n = name_length(++at);

		assert_true(n != 0 && memchr(at, ':', n) == NULL);
		at += n;
		assert_memory_equal(at, "=\"", 2);
		for (at += 2; *at != '"'; at++) {
			assert_true(*at != '\n' && *at != '\0');
			if (*at == '\\') {
				at++;
				assert_true(*at == '\\' || *at == '"' || *at == 'n');
			}
		}
		at++;
	} while (*at == ',');
	assert_int_equal(*at, '}');
	return at + 1;
}

/* Of each metric HELP, TYPE, then its samples, once; a counter ends in _total; values are numbers. */
static void check_exposition(const char *body)
{
	char name[256] = "", type[16], heading[300];
	const char *line, *end;
	unsigned int metrics = 0;

	assert_int_equal(body[strlen(body) - 1], '\n');
	for (line = body; *line != '\0'; line = end + 1) {
		size_t n;

		end = strchr(line, '\n');
		if (strncmp(line, "# HELP ", 7) == 0) {
			n = name_length(line + 7);
			assert_true(n != 0 && line[7 + n] == ' ' && line + 8 + n < end);
			snprintf(name, sizeof(name), "%.*s", (int)n, line + 7);
			snprintf(heading, sizeof(heading), "# HELP %s ", name);
			assert_null(strstr(end, heading));
			n = (size_t)snprintf(heading, sizeof(heading), "\n# TYPE %s ", name);
			assert_memory_equal(end, heading, n);
			snprintf(type, sizeof(type), "%.*s", (int)strcspn(end + n, "\n"), end + n);
			assert_true(strcmp(type, "counter") == 0 || strcmp(type, "gauge") == 0);
			n = strlen(name);
			assert_int_equal(strcmp(type, "counter") == 0,
					 n > 6 && strcmp(name + n - 6, "_total") == 0);
			metrics++;
			continue;
		}
		if (strncmp(line, "# TYPE ", 7) == 0)
			continue;
		n = name_length(line);
		assert_int_equal(n, strlen(name));
		assert_memory_equal(line, name, n);
		line += n;
		if (*line == '{')
			line = check_labels(line);
		assert_int_equal(*line, ' ');
		assert_int_equal(strspn(line + 1, "0123456789"), end - line - 1);
		assert_true(end - line > 1);
	}
	assert_true(metrics > 50);
}

static const char *body_of(const struct client *c)
{
	const char *body = strstr(c->got, "\r\n\r\n");

	assert_non_null(body);
	return body + 4;
}

static void exposition_is_well_formed_and_complete(void **state)
{
	static const char *const wanted[] = {
		"\nstrata_build_info{version=\"", "\nstrata_memory_bytes ",
		"\nstrata_module_info{module=\"ipv4\",kind=\"network\",number=\"0x0800\",",
		"\nstrata_module_running{module=\"udp\"} 1\n",
		"\nstrata_module_receive_packets_total{module=\"tcp\"} ",
		"\nstrata_interface_receive_packets_total{interface=\"w0\"} ",
		"\nstrata_interface_up{interface=\"w0\"} 1\n",
		"\nstrata_drops_total{module=\"kernel\",reason=\"no_network\",",
		"\nstrata_metrics_requests_total 0\n", "\nstrata_kernel_memory_refused_total 0\n",
		"\nstrata_sockets{transport=\"tcp\",state=\"ESTABLISHED\"} 1\n",
		"\nstrata_neighbours{interface=\"w0\",", "\nstrata_routes{interface=\"w0\",",
	};
	struct fx_pair pair = pair_open(NULL);
	struct client c;
	size_t i;

	(void)state;
	client_open(&c, pair.a);
	say(&pair, &c, GET);
	hear(&pair, &c, 1);
	check_exposition(body_of(&c));
	for (i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strstr(c.got, wanted[i]) == NULL)
			fail_msg("no %s", wanted[i]);
	client_close(&c);
	fx_pair_close(&pair);
}

static void every_counter_and_reason_is_there(void **state)
{
	struct fx_pair pair = pair_open(NULL);
	const struct strata_instance *tcp;
	struct client c;
	char line[256];
	size_t i;

	(void)state;
	client_open(&c, pair.a);
	say(&pair, &c, GET);
	hear(&pair, &c, 1);
	tcp = strata_instance_by_name(pair.b->stack, STRATA_TRANSPORT, "tcp");
	for (i = 0; i < tcp->module->counter_count; i++) {
		snprintf(line, sizeof(line), "\n# HELP strata_tcp_%s_total ", tcp->module->counters[i].name);
		assert_non_null(strstr(c.got, line));
	}
	for (i = 0; i < tcp->module->drop_count; i++) {
		size_t k, n = (size_t)snprintf(line, sizeof(line),
					       "\nstrata_drops_total{module=\"tcp\",reason=\"%s\"",
					       tcp->module->drops[i].name);

		for (k = strlen("\nstrata_drops_total{module=\"tcp\",reason=\""); k < n; k++)
			line[k] = (char)tolower((unsigned char)line[k]);
		assert_non_null(strstr(c.got, line));
	}
	client_close(&c);
	fx_pair_close(&pair);
}

static void modules_that_would_be_called_alike_are_not(void **state)
{
	static const char *const manifest =
		"strata: 1\nmodules:\n  - name: wire\n  - name: ethernet\n  - name: arp\n  - name: ipv4\n"
		"  - name: newreno\n  - name: tcp\n  - name: udp-x\n    file: udp\n    number: 200\n"
		"  - name: udp_x\n    file: udp\n    number: 201\n  - name: metrics\n"
		"interfaces:\n  - name: w0\n    driver: wire\n    mac: 02:00:00:00:00:02\n"
		"    addresses: [192.0.2.2/24]\n";
	struct fixture *fx = fx_open(.manifest = manifest);
	struct metrics_text text = { .stack = fx->stack, .limit = 1 << 20 };

	(void)state;
	metrics_expose(&text);
	metrics_append(&text, "", 1);
	assert_false(text.failed);
	check_exposition(text.data);
	assert_non_null(strstr(text.data, "\n# TYPE strata_udp_x_"));
	assert_non_null(strstr(text.data, "_2_total counter\n"));
	strata_free(fx->stack, text.data);
	fx_close(fx);
}

/* ---- requests over a connection ---- */

static void a_connection_serves_one_request_after_the_other(void **state)
{
	struct fx_pair pair = pair_open(NULL);
	struct client c;

	(void)state;
	client_open(&c, pair.a);
	say(&pair, &c, GET);
	hear(&pair, &c, 1);
	/* Two at once, then one in pieces. */
	say(&pair, &c, GET GET);
	hear(&pair, &c, 3);
	say(&pair, &c, "GET /metr");
	fx_join_run(pair.join, STRATA_SEC, done, &c);
	say(&pair, &c, "ics HTTP/1.1\r\nHost: s\r\n\r\n");
	hear(&pair, &c, 4);
	assert_false(c.ended);
	assert_int_equal(fx_counter(pair.b, "metrics", "requests"), 4);
	say(&pair, &c, "GET /metrics HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n");
	hear(&pair, &c, 0);
	assert_true(c.ended);
	assert_int_equal(responses(&c), 5);
	assert_int_equal(fx_counter(pair.b, "metrics", "connections_aborted"), 0);
	client_close(&c);
	fx_pair_close(&pair);
}

static void faults_of_requests_are_told(void **state)
{
	struct fx_pair pair = pair_open("metrics.header_limit=512");
	char longest[1024];

	(void)state;
	expect_status(&pair, "GET /other HTTP/1.1\r\nHost: s\r\n\r\n", "HTTP/1.1 404 Not Found\r\n");
	expect_status(&pair, "PUT /metrics HTTP/1.1\r\nHost: s\r\n\r\n",
		      "HTTP/1.1 405 Method Not Allowed\r\n");
	expect_status(&pair, "GET /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, "GET / HTTP/1.1\r\nHost: ", 22);
	expect_status(&pair, longest, "HTTP/1.1 431 Request Header Fields Too Large\r\n");
	assert_int_equal(fx_counter(pair.b, "metrics", "request_errors"), 4);
	fx_pair_close(&pair);
}

static void head_has_the_length_and_no_body(void **state)
{
	struct fx_pair pair = pair_open(NULL);
	struct client c;

	(void)state;
	client_open(&c, pair.a);
	say(&pair, &c, "HEAD /metrics HTTP/1.1\r\nHost: s\r\nConnection: close\r\n\r\n");
	hear(&pair, &c, 0);
	assert_non_null(strstr(c.got, "Content-Length: "));
	assert_true(strtoul(strstr(c.got, "Content-Length: ") + 16, NULL, 10) > 1000);
	assert_string_equal(body_of(&c), "");
	client_close(&c);
	fx_pair_close(&pair);
}

static void more_than_the_limit_is_an_error(void **state)
{
	struct fx_pair pair = pair_open("metrics.body_limit=1024");

	(void)state;
	expect_status(&pair, GET, "HTTP/1.1 500 Internal Server Error\r\n");
	fx_pair_close(&pair);
}

/* ---- clients that misbehave ---- */

static void one_that_dribbles_is_closed_in_time(void **state)
{
	struct fx_pair pair = pair_open(NULL);
	unsigned int i;
	struct client c;

	(void)state;
	client_open(&c, pair.a);
	/* A byte a second would take a minute; ten seconds are what it has. */
	for (i = 0; i < 60 && !c.ended; i++) {
		if (i < 9)
			assert_false(c.ended);
		say(&pair, &c, "x");
		fx_join_run(pair.join, STRATA_SEC, done, &c);
	}
	assert_in_range(i, 9, 12);
	assert_int_equal(fx_counter(pair.b, "metrics", "timeouts"), 1);
	client_close(&c);
	fx_pair_close(&pair);
}

static void idle_ones_are_closed_later(void **state)
{
	struct fx_pair pair = pair_open(NULL);
	struct client c;

	(void)state;
	client_open(&c, pair.a);
	say(&pair, &c, GET);
	hear(&pair, &c, 1);
	c.wanted = 0;
	assert_false(fx_join_run(pair.join, 110 * STRATA_SEC, done, &c));
	assert_true(fx_join_run(pair.join, 20 * STRATA_SEC, done, &c));
	assert_int_equal(fx_counter(pair.b, "metrics", "idle_closed"), 1);
	client_close(&c);
	fx_pair_close(&pair);
}

static void one_too_many_is_refused_unless_another_is_idle(void **state)
{
	struct fx_pair pair = pair_open("metrics.clients=1");
	struct client first, second, third;

	(void)state;
	client_open(&first, pair.a);
	say(&pair, &first, "GET /met");
	fx_join_run(pair.join, STRATA_SEC, done, &first);
	client_open(&second, pair.a);
	hear(&pair, &second, 1);
	assert_memory_equal(second.got, "HTTP/1.1 503 ", 13);
	say(&pair, &first, "rics HTTP/1.1\r\nHost: s\r\n\r\n");
	hear(&pair, &first, 1);
	client_open(&third, pair.a);
	say(&pair, &third, GET);
	hear(&pair, &third, 1);
	assert_memory_equal(third.got, "HTTP/1.1 200 ", 13);
	hear(&pair, &first, 0);
	assert_true(first.ended);
	assert_int_equal(fx_counter(pair.b, "metrics", "connections_refused"), 1);
	client_close(&first);
	client_close(&second);
	client_close(&third);
	fx_pair_close(&pair);
}

static void tcp_may_go_and_come(void **state)
{
	struct fx_pair pair = pair_open(NULL);
	struct strata_error error = { 0 };
	struct client c;

	(void)state;
	client_open(&c, pair.a);
	say(&pair, &c, GET);
	hear(&pair, &c, 1);
	assert_int_equal(strata_module_disable(pair.b->stack, "tcp", &error), 0);
	assert_int_equal(strata_module_enable(pair.b->stack, "tcp", &error), 0);
	client_close(&c);
	expect_status(&pair, GET, "HTTP/1.1 200 OK\r\n");
	fx_pair_close(&pair);
}

/* Whatever allocation of a request fails, the client is answered or ended, and the next one is served. */
static void memory_that_is_short_costs_no_more_than_a_request(void **state)
{
	unsigned int k, answered = 0, ended = 0;

	(void)state;
	for (k = 1; k <= 12; k++) {
		const struct fx_config config = { .modules = METRICS_MODULES, .uncached = true };
		struct fx_pair pair = fx_pair_open(&config, &quick, 1);
		struct client c;

		client_open(&c, pair.a);
		assert_true(fx_join_run(pair.join, STRATA_SEC, connected, &c));
		fx_join_run(pair.join, STRATA_SEC, done, &c);
		fx_fail_at(pair.b, k, false);
		say(&pair, &c, GET);
		c.wanted = 1;
		fx_join_run(pair.join, 30 * STRATA_SEC, done, &c);
		assert_true(c.ended || responses(&c) == 1);
		answered += responses(&c) == 1;
		ended += responses(&c) == 0;
		fx_fail_at(pair.b, 0, false);
		client_close(&c);
		expect_status(&pair, GET, "HTTP/1.1 200 OK\r\n");
		fx_pair_close(&pair);
	}
	assert_true(answered >= 1 && ended >= 1);
}

static void a_path_that_is_none_is_refused(void **state)
{
	struct fixture *fx = fx_open(.modules = METRICS_MODULES, .options = "metrics.path=metrics",
				     .may_fail = true);

	(void)state;
	assert_null(fx->stack);
	assert_non_null(strstr(strata_error_text(&fx->error), "path: expected one that begins with /"));
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test(name)
		T(every_request_gets_its_status),
		T(target_is_the_path_without_host_and_query),
		T(date_is_in_the_form_of_http),
		T(exposition_is_well_formed_and_complete),
		T(every_counter_and_reason_is_there),
		T(modules_that_would_be_called_alike_are_not),
		T(a_connection_serves_one_request_after_the_other),
		T(faults_of_requests_are_told),
		T(head_has_the_length_and_no_body),
		T(more_than_the_limit_is_an_error),
		T(one_that_dribbles_is_closed_in_time),
		T(idle_ones_are_closed_later),
		T(one_too_many_is_refused_unless_another_is_idle),
		T(tcp_may_go_and_come),
		T(memory_that_is_short_costs_no_more_than_a_request),
		T(a_path_that_is_none_is_refused),
	};

	return fx_main(tests);
}
