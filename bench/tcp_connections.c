/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opens a connection, sends 64 bytes there and back, closes it from both ends, N times, between two stacks that
 * `wire` ends join: run under callgrind with two values of N, the difference is the instructions of one connection.
 */
#include <stdlib.h>

#include "pair.h"

int main(int argc, char **argv)
{
	struct pair pair;
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	struct sockaddr_in to;
	int listener;

	pair_open(&pair, argc > 2 ? argv[2] : NULL);
	listener = pair_listener(&pair, 0, &to);
	for (long i = 0; i < count; i++) {
		int server, client = pair_connect(&pair, &to, listener, &server);

		pair_talk(&pair, 0, client, server);
		pair_talk(&pair, 1, server, client);
		pair_check(strata_close(pair.end[0].stack, client), "close");
		pair_settle(&pair);
		pair_check(strata_close(pair.end[1].stack, server), "close");
		pair_settle(&pair);
	}
	pair_close(&pair);
	return 0;
}
