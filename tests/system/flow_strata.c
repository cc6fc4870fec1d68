/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server of flow.c over a stack of its own, which a manifest describes:
 *
 *	flow_strata MODULE-PATH MANIFEST PORT
 *
 * Prints "ready" when it listens. Ends with SIGTERM.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <strata/embed.h>

#include "flow.h"

struct server {
	struct strata_stack *stack;
	int listener;
};

struct connection {
	int s;
	struct flow_request request;
	size_t asked;			/* bytes of the request read */
	bool filled;			/* the block in hand is made */
	struct flow_stream stream;
};

static void end(struct strata_stack *stack, struct connection *c)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	strata_getsockopt(stack, c->s, IPPROTO_TCP, TCP_INFO, &info, &length);
	if (c->request.what == 's')
		fprintf(stderr, "flow_strata: sent %" PRIu64 " bytes, %u segments again\n",
			c->stream.done, info.tcpi_total_retrans);
	strata_close(stack, c->s);
	free(c);
}

/* Returns false where no more can be done now; `*error` when it is over. */
static bool send_more(struct strata_stack *stack, struct connection *c, int *error)
{
	struct flow_stream *s = &c->stream;
	ssize_t n;

	if (!c->filled)
		flow_fill(s);
	c->filled = true;
	n = strata_send(stack, c->s, s->block + s->have, flow_block(s) - s->have, 0);
	if (n < 0) {
		*error = n == -EAGAIN ? 0 : (int)n;
		return false;
	}
	s->have += (size_t)n;
	if (s->have == flow_block(s)) {
		s->done += s->have;
		s->have = 0;
		c->filled = false;
	}
	return s->done < s->bytes;
}

static bool receive_more(struct strata_stack *stack, struct connection *c, int *error)
{
	struct flow_stream *s = &c->stream;
	const char answer = FLOW_GOOD;
	ssize_t n = strata_recv(stack, c->s, s->block + s->have, flow_block(s) - s->have, 0);

	if (n <= 0) {
		*error = n == 0 ? -EPIPE : n == -EAGAIN ? 0 : (int)n;
		return false;
	}
	s->have += (size_t)n;
	if (s->have < flow_block(s))
		return true;
	if (!flow_check(s)) {
		*error = -EBADMSG;
		return false;
	}
	s->done += s->have;
	s->have = 0;
	if (s->done < s->bytes)
		return true;
	strata_send(stack, c->s, &answer, 1, 0);
	return false;
}

/* The request, as far as it has come. */
static bool read_request(struct strata_stack *stack, struct connection *c, int *error)
{
	char *to = (char *)&c->request;
	ssize_t n = strata_recv(stack, c->s, to + c->asked, sizeof(c->request) - c->asked, 0);

	if (n <= 0) {
		*error = n == -EAGAIN ? 0 : n == 0 ? -EPIPE : (int)n;
		return false;
	}
	c->asked += (size_t)n;
	if (c->asked < sizeof(c->request))
		return true;
	c->request.algorithm[sizeof(c->request.algorithm) - 1] = '\0';
	c->stream.bytes = c->request.bytes;
	c->stream.key = c->request.key;
	if (c->request.what == 's' && c->request.algorithm[0] != '\0')
		*error = strata_setsockopt(stack, c->s, IPPROTO_TCP, TCP_CONGESTION,
					   c->request.algorithm,
					   (socklen_t)strlen(c->request.algorithm));
	return *error == 0;
}

/* After the transfer: until the client's word that all is well, or its end. */
static bool await_end(struct strata_stack *stack, struct connection *c, int *error)
{
	char byte;
	ssize_t n = strata_recv(stack, c->s, &byte, 1, 0);

	if (n == 0)
		*error = -EPIPE;
	else if (n < 0 && n != -EAGAIN)
		*error = (int)n;
	return n > 0;
}

static void ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct connection *c = arg;
	int error = 0;
	bool more = true;

	(void)s;
	(void)events;
	while (more) {
		if (c->asked < sizeof(c->request))
			more = read_request(stack, c, &error);
		else if (c->stream.done == c->stream.bytes)
			more = await_end(stack, c, &error);
		else
			more = c->request.what == 's' ? send_more(stack, c, &error)
						      : receive_more(stack, c, &error);
		if (!more && error == 0 && c->stream.done == c->stream.bytes && c->asked == sizeof(c->request))
			more = await_end(stack, c, &error);
	}
	if (error == 0)
		return;
	if (error != -EPIPE || c->stream.done != c->stream.bytes)
		fprintf(stderr, "flow_strata: %s after %" PRIu64 " bytes\n", strerror(-error),
			c->stream.done);
	end(stack, c);
}

static void accepted(struct strata_stack *stack, int listener, uint32_t events, void *arg)
{
	int s;

	(void)events;
	(void)arg;
	while ((s = strata_accept(stack, listener, NULL, NULL)) >= 0) {
		struct connection *c = calloc(1, sizeof(*c));

		if (c == NULL) {
			strata_close(stack, s);
			continue;
		}
		c->s = s;
		strata_notify(stack, s, ready, c);
	}
}

int main(int argc, char **argv)
{
	struct strata_config config = { 0 };
	struct strata_error error = { 0 };
	struct sockaddr_in at = { .sin_family = AF_INET };
	struct strata_stack *stack = NULL;
	int s;

	if (argc != 4) {
		fprintf(stderr, "usage: flow_strata MODULE-PATH MANIFEST PORT\n");
		return 2;
	}
	config.module_path = argv[1];
	config.manifest_file = argv[2];
	at.sin_port = htons((uint16_t)atoi(argv[3]));
	if (strata_stack_create(&config, &stack, &error) < 0) {
		fputs(strata_error_text(&error), stderr);
		return 1;
	}
	s = strata_socket(stack, AF_INET, SOCK_STREAM, 0);
	if (s < 0 || strata_bind(stack, s, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    strata_listen(stack, s, 8) < 0) {
		fprintf(stderr, "flow_strata: no listener\n");
		return 1;
	}
	strata_notify(stack, s, accepted, NULL);
	puts("ready");
	fflush(stdout);
	return strata_loop_run(stack) < 0;
}
