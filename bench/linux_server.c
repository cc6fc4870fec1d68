/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux's contender: echo on TCP and UDP port 7 (RFC 862), discard on TCP 9 (RFC 863) and chargen on
 * TCP 19 (RFC 864) over the host's own sockets. One thread, epoll(7). Prints "ready"; ends with SIGTERM.
 *
 *	linux_server [CPU]
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256, BLOCK = 1 << 18, ECHO_BLOCK = 1 << 16 };

enum kind { LISTENER, DATAGRAMS, STREAM };

/* What is known of a descriptor. */
struct socket_state {
	int fd;
	enum kind kind;
	uint16_t port;
	size_t owed;			/* bytes of an echo that the socket did not take */
	char *bytes;
};

static char block[BLOCK];

static int failed(const char *what)
{
	fprintf(stderr, "linux_server: %s: %s\n", what, strerror(errno));
	return 1;
}

static bool watch(int epoll, int operation, struct socket_state *s, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.ptr = s };

	return epoll_ctl(epoll, operation, s->fd, &event) == 0;
}

static void end(struct socket_state *s)
{
	close(s->fd);
	free(s->bytes);
	free(s);
}

/* One a call: epoll tells of those that are left. */
static void take(int epoll, const struct socket_state *listener)
{
	int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;
	struct socket_state *s = fd >= 0 ? calloc(1, sizeof(*s)) : NULL;

	if (s == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	*s = (struct socket_state){ .fd = fd, .kind = STREAM, .port = listener->port };
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!watch(epoll, EPOLL_CTL_ADD, s, s->port == 19 ? EPOLLOUT : EPOLLIN))
		end(s);
}

/* Nothing more is read while an answer waits. */
static bool echo_owed(int epoll, struct socket_state *s)
{
	ssize_t n = send(s->fd, s->bytes, s->owed, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN;
	s->owed -= (size_t)n;
	memmove(s->bytes, s->bytes + n, s->owed);
	return s->owed != 0 || watch(epoll, EPOLL_CTL_MOD, s, EPOLLIN);
}

static bool echo(int epoll, struct socket_state *s)
{
	ssize_t n, sent;

	if (s->owed != 0)
		return echo_owed(epoll, s);
	n = recv(s->fd, block, ECHO_BLOCK, 0);
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	sent = send(s->fd, block, (size_t)n, MSG_NOSIGNAL);
	if (sent == n)
		return true;
	if (sent < 0 && errno != EAGAIN)
		return false;
	sent = sent < 0 ? 0 : sent;
	if (s->bytes == NULL)
		s->bytes = malloc(ECHO_BLOCK);
	if (s->bytes == NULL)
		return false;
	s->owed = (size_t)(n - sent);
	memcpy(s->bytes, block + sent, s->owed);
	return watch(epoll, EPOLL_CTL_MOD, s, EPOLLOUT);
}

/* Returns false when the connection is over. */
static bool stream(int epoll, struct socket_state *s)
{
	ssize_t n;

	if (s->port == 7)
		return echo(epoll, s);
	n = s->port == 9 ? recv(s->fd, block, sizeof(block), 0) : send(s->fd, block, sizeof(block), MSG_NOSIGNAL);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void datagrams(const struct socket_state *s)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(s->fd, block, sizeof(block), MSG_DONTWAIT, (struct sockaddr *)&from, &length)) >= 0) {
		sendto(s->fd, block, (size_t)n, MSG_DONTWAIT, (struct sockaddr *)&from, length);
		length = sizeof(from);
	}
}

static bool serve(int epoll, int type, uint16_t port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct socket_state *s = calloc(1, sizeof(*s));
	int one = 1;

	if (s == NULL)
		return false;
	*s = (struct socket_state){
		.fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
		.kind = type == SOCK_STREAM ? LISTENER : DATAGRAMS,
		.port = port,
	};
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(s->fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	       (type == SOCK_DGRAM || listen(s->fd, SOMAXCONN) == 0) &&
	       watch(epoll, EPOLL_CTL_ADD, s, EPOLLIN);
}

static void prepare(int argc, char **argv)
{
	struct rlimit limit = { .rlim_cur = 1 << 20, .rlim_max = 1 << 20 };
	cpu_set_t set;

	setrlimit(RLIMIT_NOFILE, &limit);
	signal(SIGPIPE, SIG_IGN);
	memset(block, 'x', sizeof(block));
	if (argc < 2)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)atoi(argv[1]), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	struct epoll_event events[EVENTS];
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	prepare(argc, argv);
	if (epoll < 0 || !serve(epoll, SOCK_STREAM, 7) || !serve(epoll, SOCK_STREAM, 9) ||
	    !serve(epoll, SOCK_STREAM, 19) || !serve(epoll, SOCK_DGRAM, 7))
		return failed("cannot serve");
	puts("ready");
	fflush(stdout);
	for (;;) {
		int count = epoll_wait(epoll, events, EVENTS, -1);

		if (count < 0 && errno != EINTR)
			return failed("epoll_wait");
		for (int i = 0; i < count; i++) {
			struct socket_state *s = events[i].data.ptr;

			if (s->kind == LISTENER)
				take(epoll, s);
			else if (s->kind == DATAGRAMS)
				datagrams(s);
			else if (!stream(epoll, s))
				end(s);
		}
	}
}
