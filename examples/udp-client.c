/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends a datagram from a stack of its own, and prints the answer:
 *
 *	udp-client [-m MODULE-PATH] MANIFEST ADDRESS PORT [TEXT]
 *
 * The socket is connected, so an ICMP error (port unreachable) ends the wait with its errno.
 */
#include <unistd.h>

#include "example.h"

#define ANSWER_WAIT (2 * STRATA_SEC)
enum { TRIES = 3 };

/* Sends and waits, a few times, for a datagram may be lost. Returns bytes of the answer or -errno. */
static ssize_t ask(struct strata_stack *stack, int s, const char *text, char *answer, size_t size)
{
	for (int i = 0; i < TRIES; i++) {
		ssize_t n = strata_send(stack, s, text, strlen(text), 0);

		if (n < 0)
			return n;
		if (example_wait(stack, s, EPOLLIN, ANSWER_WAIT) != 0)
			return strata_recv(stack, s, answer, size, 0);
	}
	return -ETIMEDOUT;
}

static int usage(void)
{
	fputs("usage: udp-client [-m MODULE-PATH] MANIFEST ADDRESS PORT [TEXT]\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	const char *module_path = NULL, *text = "hello from above";
	char answer[65536];
	struct strata_stack *stack;
	struct sockaddr_in to;
	int option, status, s;
	long result;

	while ((option = getopt(argc, argv, "m:")) != -1) {
		if (option != 'm')
			return usage();
		module_path = optarg;
	}
	if (argc - optind < 3 || argc - optind > 4 ||
	    !example_address(argv[optind + 1], argv[optind + 2], &to))
		return usage();
	if (argc - optind == 4)
		text = argv[optind + 3];
	stack = example_open(argv[optind], module_path, &status);
	if (stack == NULL)
		return status;
	s = strata_socket(stack, AF_INET, SOCK_DGRAM, 0);
	result = s < 0 ? s : strata_connect(stack, s, (struct sockaddr *)&to, sizeof(to));
	if (result >= 0)
		result = ask(stack, s, text, answer, sizeof(answer));
	if (result < 0)
		status = example_failed("udp-client", "no answer", result);
	else
		printf("%.*s\n", (int)result, answer);
	strata_stack_destroy(stack);
	return status;
}
