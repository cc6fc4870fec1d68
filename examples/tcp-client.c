/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connects out from a stack of its own, over whatever interface and gateway the manifest describes:
 *
 *	tcp-client [-m MODULE-PATH] MANIFEST ADDRESS PORT [TEXT…]
 *
 * Sends each TEXT as a line (without any: standard input), shuts its side down, and prints what comes
 * back until the other side is done too.
 */
#include <unistd.h>

#include "example.h"

#define CONNECT_WAIT (30 * STRATA_SEC)
#define DATA_WAIT (30 * STRATA_SEC)

struct client {
	struct strata_stack *stack;
	int socket;
	char **texts;			/* to be sent, NULL-terminated */
	bool from_input;
	char out[4096];			/* being sent */
	size_t length, sent;
	bool shut;			/* nothing more will be sent */
};

/* Puts the next piece to be sent into `out`; false when there is none. */
static bool refill(struct client *c)
{
	ssize_t n;

	c->sent = 0;
	if (c->from_input) {
		n = read(STDIN_FILENO, c->out, sizeof(c->out));
		c->length = n > 0 ? (size_t)n : 0;
	} else if (*c->texts != NULL) {
		int written = snprintf(c->out, sizeof(c->out), "%s\n", *c->texts++);

		c->length = (size_t)written < sizeof(c->out) ? (size_t)written : sizeof(c->out) - 1;
	} else {
		c->length = 0;
	}
	return c->length != 0;
}

/* Sends as much as the stack takes. Returns 0 or -errno. */
static int push(struct client *c)
{
	while (!c->shut) {
		ssize_t n;

		if (c->sent == c->length && !refill(c)) {
			c->shut = true;
			return strata_shutdown(c->stack, c->socket, SHUT_WR);
		}
		n = strata_send(c->stack, c->socket, c->out + c->sent, c->length - c->sent, 0);
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return (int)n;
		c->sent += (size_t)n;
	}
	return 0;
}

/* Prints what has come. Returns 1 at the end of data, 0 when more may come, or -errno. */
static int pull(struct client *c)
{
	char in[4096];
	ssize_t n;

	while ((n = strata_recv(c->stack, c->socket, in, sizeof(in), 0)) > 0)
		fwrite(in, 1, (size_t)n, stdout);
	fflush(stdout);
	if (n == -EAGAIN)
		return 0;
	return n < 0 ? (int)n : 1;
}

static int converse(struct client *c)
{
	int result = 0;

	while (result == 0) {
		uint32_t wanted = EPOLLIN | (c->shut ? 0u : (uint32_t)EPOLLOUT);

		result = push(c);
		if (result == 0)
			result = pull(c);
		if (result == 0 && example_wait(c->stack, c->socket, wanted, DATA_WAIT) == 0)
			result = -ETIMEDOUT;
	}
	return result < 0 ? result : 0;
}

static int connect_out(struct client *c, const struct sockaddr_in *to)
{
	int result;

	c->socket = strata_socket(c->stack, AF_INET, SOCK_STREAM, 0);
	if (c->socket < 0)
		return c->socket;
	result = strata_connect(c->stack, c->socket, (const struct sockaddr *)to, sizeof(*to));
	if (result < 0 && result != -EINPROGRESS)
		return result;
	if (example_wait(c->stack, c->socket, EPOLLOUT, CONNECT_WAIT) == 0)
		return -ETIMEDOUT;
	return example_socket_error(c->stack, c->socket);
}

/* Lets the FIN and its acknowledgement through before the stack goes. */
static void drain(struct strata_stack *stack)
{
	uint64_t end = strata_now(stack) + 2 * STRATA_SEC;

	strata_stack_drain(stack);
	while (!strata_stack_idle(stack) && strata_now(stack) < end)
		strata_loop_turn(stack, 100 * STRATA_MS);
}

static int usage(void)
{
	fputs("usage: tcp-client [-m MODULE-PATH] MANIFEST ADDRESS PORT [TEXT…]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct client client = { 0 };
	const char *module_path = NULL;
	struct sockaddr_in to;
	int option, status, result;

	while ((option = getopt(argc, argv, "m:")) != -1) {
		if (option != 'm')
			return usage();
		module_path = optarg;
	}
	if (argc - optind < 3 || !example_address(argv[optind + 1], argv[optind + 2], &to))
		return usage();
	client.texts = argv + optind + 3;
	client.from_input = *client.texts == NULL;
	client.stack = example_open(argv[optind], module_path, &status);
	if (client.stack == NULL)
		return status;
	result = connect_out(&client, &to);
	if (result < 0)
		status = example_failed("tcp-client", "connect", result);
	else if ((result = converse(&client)) < 0)
		status = example_failed("tcp-client", "connection", result);
	if (client.socket >= 0)
		strata_close(client.stack, client.socket);
	drain(client.stack);
	strata_stack_destroy(client.stack);
	return status;
}
