/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfers over the host's own TCP, to be compared with those of a stack (flow_strata.c):
 *
 *	flow server PORT
 *	flow client ADDRESS PORT send|receive BYTES KEY ALGORITHM [SERVER'S-ALGORITHM]
 *
 * The client prints the seconds it took until every byte was known to be right, and the sender's
 * retransmissions where the sender is here. Exits with 1 when a byte was wrong or missing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "flow.h"

static int failed(const char *what)
{
	fprintf(stderr, "flow: %s: %s\n", what, strerror(errno));
	return 1;
}

static bool send_all(int fd, const void *buf, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = send(fd, (const char *)buf + done, size - done, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static int send_stream(int fd, struct flow_stream *s)
{
	char answer = 0;

	for (; s->done < s->bytes; s->done += flow_block(s)) {
		flow_fill(s);
		if (!send_all(fd, s->block, flow_block(s)))
			return failed("send");
	}
	if (recv(fd, &answer, 1, 0) != 1 || answer != FLOW_GOOD) {
		fprintf(stderr, "flow: the receiver did not say that all is well\n");
		return 1;
	}
	return 0;
}

static int receive_stream(int fd, struct flow_stream *s)
{
	const char answer = FLOW_GOOD;

	for (; s->done < s->bytes; s->done += flow_block(s)) {
		size_t size = flow_block(s);

		if (recv(fd, s->block, size, MSG_WAITALL) != (ssize_t)size) {
			fprintf(stderr, "flow: ended near byte %" PRIu64 " of %" PRIu64 "\n", s->done,
				s->bytes);
			return 1;
		}
		if (!flow_check(s))
			return 1;
	}
	return send_all(fd, &answer, 1) ? 0 : failed("send");
}

static int choose(int fd, const char *algorithm)
{
	if (algorithm[0] == '\0' ||
	    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, algorithm, (socklen_t)strlen(algorithm)) == 0)
		return 0;
	return failed(algorithm);
}

static unsigned int retransmissions(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length);
	return info.tcpi_total_retrans;
}

static int serve_one(int fd)
{
	static struct flow_stream stream;
	struct flow_request request;
	int result;

	if (recv(fd, &request, sizeof(request), MSG_WAITALL) != sizeof(request))
		return failed("request");
	request.algorithm[sizeof(request.algorithm) - 1] = '\0';
	stream = (struct flow_stream){ .bytes = request.bytes, .key = request.key };
	if (request.what == 'r')
		return receive_stream(fd, &stream);
	if (choose(fd, request.algorithm) != 0)
		return 1;
	result = send_stream(fd, &stream);
	fprintf(stderr, "flow: server sent %" PRIu64 " bytes, %u segments again\n", stream.done,
		retransmissions(fd));
	return result;
}

static int server(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, fd;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 8) < 0)
		return failed("listen");
	while ((fd = accept(listener, NULL, NULL)) >= 0) {
		serve_one(fd);
		close(fd);
	}
	return failed("accept");
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int client(int argc, char **argv)
{
	static struct flow_stream stream;
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct flow_request request = { .what = strcmp(argv[4], "send") == 0 ? 'r' : 's' };
	int fd = socket(AF_INET, SOCK_STREAM, 0), result;
	double begun;

	request.bytes = stream.bytes = strtoull(argv[5], NULL, 0);
	request.key = stream.key = strtoull(argv[6], NULL, 0);
	snprintf(request.algorithm, sizeof(request.algorithm), "%s", argc > 8 ? argv[8] : argv[7]);
	to.sin_port = htons((uint16_t)atoi(argv[3]));
	if (inet_pton(AF_INET, argv[2], &to.sin_addr) != 1) {
		fprintf(stderr, "flow: %s is no address\n", argv[2]);
		return 2;
	}
	if (choose(fd, argv[7]) != 0)
		return 1;
	begun = seconds();
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return failed("connect");
	if (!send_all(fd, &request, sizeof(request)))
		return failed("send");
	result = request.what == 'r' ? send_stream(fd, &stream) : receive_stream(fd, &stream);
	printf("%.6f", seconds() - begun);
	if (request.what == 'r')
		printf(" %u", retransmissions(fd));
	printf("\n");
	return result;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "server") == 0)
		return server(argv[2]);
	if (argc >= 8 && argc <= 9 && strcmp(argv[1], "client") == 0)
		return client(argc, argv);
	fprintf(stderr, "usage: flow server PORT\n"
			"       flow client ADDRESS PORT send|receive BYTES KEY ALGORITHM [SERVER'S]\n");
	return 2;
}
