/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sends N datagrams of 64 bytes from one stack to another through two `wire` ends and receives each:
 * run under callgrind with two values of N, the difference is the instructions of one packet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"

int main(int argc, char **argv)
{
	struct pair pair;
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	char bytes[64] = "sixty-four bytes of payload";
	struct sockaddr_in to;
	int tx, rx;

	pair_open(&pair, argc > 2 ? argv[2] : NULL);
	tx = (int)pair_check(strata_socket(pair.end[0].stack, AF_INET, SOCK_DGRAM, 0), "socket");
	rx = (int)pair_check(strata_socket(pair.end[1].stack, AF_INET, SOCK_DGRAM, 0), "socket");
	to = pair.end[1].addr;
	to.sin_port = htons(4000);
	pair_check(strata_bind(pair.end[1].stack, rx, (struct sockaddr *)&to, sizeof(to)), "bind");
	pair_check(strata_connect(pair.end[0].stack, tx, (struct sockaddr *)&to, sizeof(to)),
		   "connect");
	for (long i = 0; i < count; i++) {
		pair_check(strata_send(pair.end[0].stack, tx, bytes, sizeof(bytes), 0), "send");
		pair_settle(&pair);
		if (pair_check(strata_recv(pair.end[1].stack, rx, bytes, sizeof(bytes), 0), "recv") !=
		    (long)sizeof(bytes)) {
			fprintf(stderr, "bench: short datagram\n");
			return 1;
		}
	}
	pair_close(&pair);
	return 0;
}
