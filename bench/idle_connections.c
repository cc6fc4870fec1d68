/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of an idle established connection: opens N of them between two stacks, sends a byte each way,
 * lets them rest, and prints what each stack holds more than before, per connection. All of the
 * stack's memory is counted, tables and caches included.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "pair.h"

enum { MOST = 20000 };

static void talk(struct pair *pair, int client, int server)
{
	char byte = 'x';

	pair_check(strata_send(pair->end[0].stack, client, &byte, 1, 0), "send");
	pair_settle(pair);
	pair_check(strata_recv(pair->end[1].stack, server, &byte, 1, 0), "recv");
	pair_check(strata_send(pair->end[1].stack, server, &byte, 1, 0), "send");
	pair_settle(pair);
	pair_check(strata_recv(pair->end[0].stack, client, &byte, 1, 0), "recv");
}

int main(int argc, char **argv)
{
	struct pair pair;
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	struct sockaddr_in to;
	size_t before[2];
	int listener;

	if (count < 1 || count > MOST) {
		fprintf(stderr, "usage: idle_connections [1…%d [MODULE-PATH]]\n", MOST);
		return 2;
	}
	pair_open(&pair, argc > 2 ? argv[2] : NULL);
	to = pair.end[1].addr;
	to.sin_port = htons(4000);
	listener = (int)pair_check(strata_socket(pair.end[1].stack, AF_INET, SOCK_STREAM, 0),
				   "socket");
	pair_check(strata_bind(pair.end[1].stack, listener, (struct sockaddr *)&to, sizeof(to)),
		   "bind");
	pair_check(strata_listen(pair.end[1].stack, listener, 128), "listen");
	for (int i = 0; i < 2; i++)
		before[i] = strata_memory_used(pair.end[i].stack);
	for (long i = 0; i < count; i++) {
		int client = (int)pair_check(
			strata_socket(pair.end[0].stack, AF_INET, SOCK_STREAM, 0), "socket");
		int result = strata_connect(pair.end[0].stack, client, (struct sockaddr *)&to,
					    sizeof(to));

		if (result != -EINPROGRESS)
			pair_check(result, "connect");
		pair_settle(&pair);
		talk(&pair, client,
		     (int)pair_check(strata_accept(pair.end[1].stack, listener, NULL, NULL),
				     "accept"));
		/* So that the delayed acknowledgements of all do not fall due together. */
		pair_pass(&pair, STRATA_MS);
	}
	pair_pass(&pair, 10 * STRATA_SEC);
	for (int i = 0; i < 2; i++)
		printf("%s %ld\n", i == 0 ? "client" : "server",
		       (long)(strata_memory_used(pair.end[i].stack) - before[i]) / count);
	pair_close(&pair);
	return 0;
}
