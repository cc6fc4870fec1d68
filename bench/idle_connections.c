/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of an idle established connection: opens N of them between two stacks, sends bytes each way,
 * lets them rest, and prints what each stack holds more than before, per connection. All of the
 * stack's memory is counted, tables and caches included.
 */
#include <stdio.h>
#include <stdlib.h>

#include "pair.h"

enum { MOST = 200000 };

int main(int argc, char **argv)
{
	struct pair pair;
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	int *sockets[2];
	int listener, client, server;
	struct sockaddr_in to;
	size_t before[2];

	if (count < 1 || count > MOST) {
		fprintf(stderr, "usage: idle_connections [1…%d [MODULE-PATH]]\n", MOST);
		return 2;
	}
	for (int i = 0; i < 2; i++) {
		sockets[i] = calloc((size_t)count, sizeof(*sockets[i]));
		pair_check(sockets[i] == NULL ? -12 : 0, "memory");
	}
	pair_open(&pair, argc > 2 ? argv[2] : NULL);
	/* What a stack needs once, however many connections there are, is there before it is measured. */
	listener = pair_listener(&pair, 1000, &to);
	client = pair_connect(&pair, &to, listener, &server);
	pair_talk(&pair, 0, client, server);
	pair_talk(&pair, 1, server, client);
	for (int i = 0; i < 2; i++)
		before[i] = strata_memory_used(pair.end[i].stack);
	pair_connections(&pair, count, sockets[0], sockets[1]);
	for (int i = 0; i < 2; i++)
		printf("%s %ld\n", i == 0 ? "client" : "server",
		       (long)(strata_memory_used(pair.end[i].stack) - before[i]) / count);
	pair_close(&pair);
	free(sockets[0]);
	free(sockets[1]);
	return 0;
}
