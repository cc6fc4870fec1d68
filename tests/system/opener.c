/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's end of a handshake test: opener ADDRESS PORT TEXT opens a connection with Fast Open, sends the text,
 * reads as much back, and prints one line, "taken" or "asked" (what became of the data in the SYN), then "ecn"
 * where that was agreed upon. Status 1 when anything else happens.
 */
#include <arpa/inet.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct timeval limit = { .tv_sec = 5 };
	struct tcp_info info;
	socklen_t length = sizeof(info);
	size_t size, got = 0;
	char buf[256];
	ssize_t n;
	int s;

	if (argc != 4 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || strlen(argv[3]) > sizeof(buf)) {
		fprintf(stderr, "usage: opener ADDRESS PORT TEXT\n");
		return 2;
	}
	to.sin_port = htons((uint16_t)strtoul(argv[2], NULL, 10));
	size = strlen(argv[3]);
	s = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (sendto(s, argv[3], size, MSG_FASTOPEN, (struct sockaddr *)&to, sizeof(to)) != (ssize_t)size) {
		perror("sendto");
		return 1;
	}
	while (got < size && (n = recv(s, buf + got, sizeof(buf) - got, 0)) > 0)
		got += (size_t)n;
	if (got != size || memcmp(buf, argv[3], size) != 0) {
		fprintf(stderr, "%zu of %zu bytes came back\n", got, size);
		return 1;
	}
	if (getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) {
		perror("TCP_INFO");
		return 1;
	}
	printf("%s%s\n", info.tcpi_options & TCPI_OPT_SYN_DATA ? "taken" : "asked",
	       info.tcpi_options & TCPI_OPT_ECN ? " ecn" : "");
	close(s);
	return 0;
}
