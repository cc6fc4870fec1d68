/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Strata's contender: a program with a stack of its own, as <strata/embed.h> wants it. Echo on TCP and UDP
 * port 7 (RFC 862), discard on TCP 9 (RFC 863), chargen on TCP 19 (RFC 864); everything happens in the
 * sockets' callbacks, at the end of a batch. Prints "ready"; ends with SIGTERM.
 *
 *	strata_server [--module-path PATH] [--pin CPU] [--zerocopy] MANIFEST
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strata/embed.h>

enum { BLOCK = 1 << 18, ECHO_BLOCK = 1 << 16 };

static char block[BLOCK];

/* Flags of chargen's sends: MSG_ZEROCOPY with --zerocopy. The bytes never change, so it need not know when
 * the stack is done with them, but it must take the reports, of which a socket keeps a limited number. */
static int chargen_flags;

static const uint32_t over = EPOLLERR | EPOLLHUP | EPOLLRDHUP;

/* Bytes of an echo that the socket did not take; nothing more is read while there are any. */
struct owed {
	size_t length;
	char bytes[ECHO_BLOCK];
};

/* ---- echo ---- */

static void echo_end(struct strata_stack *stack, int s, struct owed *owed)
{
	strata_close(stack, s);
	free(owed);
}

static void echo_ready(struct strata_stack *stack, int s, uint32_t events, void *arg);

/* Keeps what was not sent. The first time the connection gets memory for it. */
static bool echo_owe(struct strata_stack *stack, int s, const char *bytes, size_t length)
{
	struct owed *owed = malloc(sizeof(*owed));

	if (owed == NULL)
		return false;
	owed->length = length;
	memcpy(owed->bytes, bytes, length);
	return strata_notify(stack, s, echo_ready, owed) == 0;
}

/* Returns false while something is still owed. */
static bool echo_owed(struct strata_stack *stack, int s, struct owed *owed)
{
	ssize_t n = strata_send(stack, s, owed->bytes, owed->length, 0);

	if (n <= 0)
		return false;
	owed->length -= (size_t)n;
	memmove(owed->bytes, owed->bytes + n, owed->length);
	return owed->length == 0;
}

static void echo_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct owed *owed = arg;
	ssize_t n, sent;

	if (owed != NULL && owed->length > 0 && (events & (EPOLLERR | EPOLLHUP)) == 0 &&
	    !echo_owed(stack, s, owed))
		return;
	for (;;) {
		n = strata_recv(stack, s, block, ECHO_BLOCK, 0);
		if (n <= 0)
			break;
		sent = strata_send(stack, s, block, (size_t)n, 0);
		if (sent == n) {
			/* Less than was asked for was all; an end that is not there yet comes with a call. */
			if (n < ECHO_BLOCK && (events & over) == 0)
				return;
			continue;
		}
		if (sent < 0 && sent != -EAGAIN)
			break;
		sent = sent < 0 ? 0 : sent;
		if (owed != NULL) {
			owed->length = (size_t)(n - sent);
			memcpy(owed->bytes, block + sent, owed->length);
			return;
		}
		if (!echo_owe(stack, s, block + sent, (size_t)(n - sent)))
			break;
		return;
	}
	if (n != -EAGAIN)
		echo_end(stack, s, owed);
}

/* ---- discard and chargen ---- */

static void discard_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	ssize_t n;

	(void)arg;
	do
		n = strata_recv(stack, s, block, sizeof(block), 0);
	while (n == (ssize_t)sizeof(block) || (n > 0 && (events & over) != 0));
	if (n <= 0 && n != -EAGAIN)
		strata_close(stack, s);
}

/* Takes reports of MSG_ZEROCOPY. Returns whether nothing else is the matter with the socket. */
static bool reports_taken(struct strata_stack *stack, int s)
{
	struct msghdr msg = { 0 };
	int error = 0;
	socklen_t length = sizeof(error);

	if (chargen_flags == 0)
		return false;
	while (strata_recvmsg(stack, s, &msg, MSG_ERRQUEUE) >= 0)
		msg = (struct msghdr){ 0 };
	return strata_getsockopt(stack, s, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

static void chargen_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	ssize_t n;

	(void)arg;
	if ((events & (EPOLLHUP | EPOLLRDHUP)) != 0 || ((events & EPOLLERR) != 0 && !reports_taken(stack, s))) {
		strata_close(stack, s);
		return;
	}
	do
		n = strata_send(stack, s, block, sizeof(block), chargen_flags);
	while (n == (ssize_t)sizeof(block));
	if (n < 0 && n != -EAGAIN && n != -ENOBUFS)
		strata_close(stack, s);
}

static void datagrams_ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	ssize_t n;

	(void)events;
	(void)arg;
	while ((n = strata_recvfrom(stack, s, block, sizeof(block), 0, (struct sockaddr *)&from, &length)) >= 0) {
		strata_sendto(stack, s, block, (size_t)n, 0, (struct sockaddr *)&from, length);
		length = sizeof(from);
	}
}

/* ---- ports ---- */

static const struct served {
	uint16_t port;
	int type;
	strata_notify_fn *ready;	/* of the socket, or of the accepted ones */
} served[] = {
	{ 7, SOCK_STREAM, echo_ready },
	{ 9, SOCK_STREAM, discard_ready },
	{ 19, SOCK_STREAM, chargen_ready },
	{ 7, SOCK_DGRAM, datagrams_ready },
};

static void accept_ready(struct strata_stack *stack, int listener, uint32_t events, void *arg)
{
	const struct served *what = arg;
	int s, one = 1;

	(void)events;
	while ((s = strata_accept(stack, listener, NULL, NULL)) >= 0) {
		strata_setsockopt(stack, s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		if (chargen_flags != 0 && what->port == 19)
			strata_setsockopt(stack, s, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
		strata_notify(stack, s, what->ready, NULL);
	}
}

static int serve(struct strata_stack *stack, const struct served *what)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(what->port) };
	int s = strata_socket(stack, AF_INET, what->type, 0);
	int result = s < 0 ? s : strata_bind(stack, s, (struct sockaddr *)&at, sizeof(at));

	if (result == 0 && what->type == SOCK_STREAM)
		result = strata_listen(stack, s, SOMAXCONN);
	if (result == 0)
		result = strata_notify(stack, s, what->type == SOCK_STREAM ? accept_ready : what->ready,
				       (void *)(uintptr_t)what);
	if (result < 0)
		fprintf(stderr, "strata_server: port %u: %s\n", what->port, strerror(-result));
	return result;
}

static int options(struct strata_config *config, int argc, char **argv)
{
	static const struct option names[] = {
		{ "module-path", required_argument, NULL, 'm' },
		{ "pin", required_argument, NULL, 'p' },
		{ "zerocopy", no_argument, NULL, 'z' },
		{ 0 },
	};
	cpu_set_t set;
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
		switch (option) {
		case 'm':
			config->module_path = optarg;
			break;
		case 'z':
			chargen_flags = MSG_ZEROCOPY;
			break;
		case 'p':
			CPU_ZERO(&set);
			CPU_SET((unsigned int)atoi(optarg), &set);
			if (sched_setaffinity(0, sizeof(set), &set) == 0)
				break;
			perror("strata_server: --pin");
			return -1;
		default:
			return -1;
		}
	}
	if (optind + 1 != argc)
		return -1;
	config->manifest_file = argv[optind];
	return 0;
}

int main(int argc, char **argv)
{
	struct strata_config config = { 0 };
	struct strata_error error = { 0 };
	struct strata_stack *stack = NULL;

	if (options(&config, argc, argv) < 0) {
		fprintf(stderr, "usage: strata_server [--module-path PATH] [--pin CPU] [--zerocopy] MANIFEST\n");
		return 2;
	}
	memset(block, 'x', sizeof(block));
	if (strata_stack_create(&config, &stack, &error) < 0) {
		fputs(strata_error_text(&error), stderr);
		return 1;
	}
	for (size_t i = 0; i < sizeof(served) / sizeof(*served); i++)
		if (serve(stack, &served[i]) < 0)
			return 1;
	puts("ready");
	fflush(stdout);
	return strata_loop_run(stack) < 0;
}
