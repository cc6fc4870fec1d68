/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the example programs share: a stack of their own from a manifest, with the host's clock, and
 * waiting for a socket. A program with a loop of its own would use strata_notify() instead.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strata/embed.h>

/* Makes a stack; tells every fault and returns NULL with the exit status in `*status` when it cannot. */
static inline struct strata_stack *example_open(const char *manifest, const char *module_path,
						int *status)
{
	struct strata_config config = { .manifest_file = manifest, .module_path = module_path };
	struct strata_error error = { 0 };
	struct strata_stack *stack = NULL;
	int result = strata_stack_create(&config, &stack, &error);

	*status = result == 0 ? 0 : result == -EINVAL ? 2 : 1;
	if (result < 0)
		fputs(strata_error_text(&error), stderr);
	strata_error_clear(&error);
	return stack;
}

/* Runs the stack until one of `events` holds for the socket, or an error does; at most `limit` ns.
 * Returns the events that hold, 0 when the time is over. */
static inline uint32_t example_wait(struct strata_stack *stack, int s, uint32_t events, uint64_t limit)
{
	uint64_t end = strata_now(stack) + limit;

	for (;;) {
		int holds = strata_events(stack, s);

		if (holds < 0)
			return EPOLLERR;
		if (((uint32_t)holds & (events | EPOLLERR | EPOLLHUP)) != 0)
			return (uint32_t)holds;
		if (strata_now(stack) >= end)
			return 0;
		strata_loop_turn(stack, end - strata_now(stack));
	}
}

/* Tells a failed call; for `return` in main. */
static inline int example_failed(const char *program, const char *what, long result)
{
	fprintf(stderr, "%s: %s: %s\n", program, what, strerror((int)-result));
	return 1;
}

/* Address and port from the command line; false where they are none. */
static inline bool example_address(const char *address, const char *port, struct sockaddr_in *out)
{
	char *end;
	unsigned long number = strtoul(port, &end, 10);

	memset(out, 0, sizeof(*out));
	out->sin_family = AF_INET;
	out->sin_port = htons((uint16_t)number);
	return *port != '\0' && *end == '\0' && number > 0 && number <= 65535 &&
	       inet_pton(AF_INET, address, &out->sin_addr) == 1;
}

/* Why a connection failed: the socket's pending error as a -errno. */
static inline int example_socket_error(struct strata_stack *stack, int s)
{
	int error = 0;
	socklen_t length = sizeof(error);

	strata_getsockopt(stack, s, SOL_SOCKET, SO_ERROR, &error, &length);
	return -error;
}

#endif
