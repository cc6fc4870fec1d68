/* SPDX-License-Identifier: BSD-2-Clause */
/* The workloads of load.c. A server that answers wrongly, or closes early, ends the run. */
#include "load.h"

#include <errno.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 256 };

/* Local choice: a datagram unanswered for so long is lost, and another takes its place. */
#define DATAGRAM_PATIENCE 100000000ull

static void *allocated(size_t size)
{
	void *memory = calloc(1, size);

	if (memory == NULL)
		load_fail("memory");
	return memory;
}

static void watch(struct load *load, int fd, uint32_t events, unsigned int index)
{
	struct epoll_event event = { .events = events, .data.u32 = index };

	if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		load_fail("epoll_ctl");
}

static int await(struct load *load, struct epoll_event *events, int timeout)
{
	int count = epoll_wait(load->epoll, events, EVENTS, timeout);

	if (count < 0 && errno != EINTR)
		load_fail("epoll_wait");
	return count < 0 ? 0 : count;
}

/* `load->connections` connected streams to a port, watched. */
static int *open_streams(struct load *load, uint16_t port, uint32_t events)
{
	int *fds = allocated(load->connections * sizeof(*fds));

	for (unsigned int i = 0; i < load->connections; i++) {
		fds[i] = load_connect(load, SOCK_STREAM, port, true);
		watch(load, fds[i], events, i);
	}
	return fds;
}

/* ---- bulk ---- */

/* Bytes that the server's side has acknowledged. */
static uint64_t acknowledged(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t length = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0)
		load_fail("TCP_INFO");
	return info.tcpi_bytes_acked;
}

static uint64_t acknowledged_by_all(const struct load *load, const int *fds)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < load->connections; i++)
		sum += acknowledged(fds[i]);
	return sum;
}

void load_bulk_in(struct load *load)
{
	int *fds = open_streams(load, PORT_DISCARD, EPOLLOUT);
	char *block = allocated(load->block);
	struct epoll_event events[EVENTS];
	uint64_t before = 0;
	bool counting = false;

	memset(block, 'x', load->block);
	while (!load_over(load)) {
		if (load->counting != counting) {
			counting = load->counting;
			before = acknowledged_by_all(load, fds);
		}
		for (int i = await(load, events, 100); i-- > 0;)
			if (send(fds[events[i].data.u32], block, load->block, MSG_DONTWAIT) < 0 && errno != EAGAIN)
				load_fail("send");
	}
	load->done = acknowledged_by_all(load, fds) - before;
}

void load_bulk_out(struct load *load)
{
	int *fds = open_streams(load, PORT_CHARGEN, EPOLLIN);
	char *block = allocated(load->block);
	struct epoll_event events[EVENTS];

	while (!load_over(load))
		for (int i = await(load, events, 100); i-- > 0;) {
			ssize_t n = recv(fds[events[i].data.u32], block, load->block, MSG_DONTWAIT);

			if (n == 0)
				errno = ECONNRESET;
			if (n <= 0 && errno != EAGAIN)
				load_fail("recv");
			load->done += n > 0 ? (uint64_t)n : 0;
		}
}

/* ---- exchanges ---- */

struct exchange {
	int fd;
	unsigned int have;		/* bytes of the answer */
	uint64_t asked, number;
};

static void ask(struct exchange *e, uint64_t now)
{
	char request[REQUEST] = { 0 };

	e->asked = now;
	e->have = 0;
	e->number++;
	memcpy(request, &e->number, sizeof(e->number));
	if (send(e->fd, request, sizeof(request), MSG_DONTWAIT | MSG_NOSIGNAL) != sizeof(request))
		load_fail("send");
}

/* Returns whether the answer is whole; it must begin as the request did. */
static bool answered(struct exchange *e)
{
	char answer[REQUEST];
	ssize_t n = recv(e->fd, answer, sizeof(answer) - e->have, MSG_DONTWAIT);

	if (n == 0)
		errno = ECONNRESET;
	if (n <= 0) {
		if (n == 0 || errno != EAGAIN)
			load_fail("recv");
		return false;
	}
	if (e->have == 0 && memcmp(answer, &e->number, (size_t)n < sizeof(e->number) ? (size_t)n :
							   sizeof(e->number)) != 0) {
		errno = EBADMSG;
		load_fail("the answer");
	}
	e->have += (unsigned int)n;
	return e->have == sizeof(answer);
}

void load_exchange(struct load *load)
{
	int *fds = open_streams(load, PORT_ECHO, EPOLLIN);
	struct exchange *all = allocated(load->connections * sizeof(*all));
	struct epoll_event events[EVENTS];

	for (unsigned int i = 0; i < load->connections; i++) {
		all[i].fd = fds[i];
		ask(&all[i], load_now());
	}
	while (!load_over(load))
		for (int i = await(load, events, 100); i-- > 0;) {
			struct exchange *e = &all[events[i].data.u32];
			uint64_t now;

			if (!answered(e))
				continue;
			now = load_now();
			load_took(load, now - e->asked);
			ask(e, now);
		}
}

/* ---- connections ---- */

static void open_one(struct load *load, struct exchange *e, unsigned int index)
{
	e->asked = load_now();
	e->number = 0;
	e->fd = load_connect(load, SOCK_STREAM, PORT_ECHO, false);
	watch(load, e->fd, EPOLLOUT, index);
}

/* Connected: asks. Answered: closes, its FIN being the first, and opens the next. */
static void connection_goes_on(struct load *load, struct exchange *e, const struct epoll_event *event)
{
	struct epoll_event input = { .events = EPOLLIN, .data = event->data };
	uint64_t asked = e->asked;

	if ((event->events & (EPOLLERR | EPOLLHUP)) != 0) {
		socklen_t length = sizeof(errno);

		getsockopt(e->fd, SOL_SOCKET, SO_ERROR, &errno, &length);
		load_fail("connect");
	}
	if (e->number == 0) {
		ask(e, asked);
		if (epoll_ctl(load->epoll, EPOLL_CTL_MOD, e->fd, &input) < 0)
			load_fail("epoll_ctl");
	} else if (answered(e)) {
		close(e->fd);
		load_took(load, load_now() - asked);
		open_one(load, e, event->data.u32);
	}
}

void load_connections(struct load *load)
{
	struct exchange *all = allocated(load->outstanding * sizeof(*all));
	struct epoll_event events[EVENTS];

	for (unsigned int i = 0; i < load->outstanding; i++)
		open_one(load, &all[i], i);
	while (!load_over(load))
		for (int i = await(load, events, 100); i-- > 0;)
			connection_goes_on(load, &all[events[i].data.u32], &events[i]);
}

/* ---- datagrams ---- */

static void datagram_send(struct load *load, int fd, struct exchange *e, uint32_t index)
{
	char bytes[REQUEST] = { 0 };

	e->asked = load_now();
	e->number++;
	memcpy(bytes, &index, sizeof(index));
	memcpy(bytes + sizeof(index), &e->number, sizeof(e->number));
	if (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) < 0 && errno != EAGAIN && errno != ENOBUFS)
		load_fail("send");
	(void)load;
}

/* Returns false when nothing is there. An answer to one that was given up is not counted. */
static bool datagram_receive(struct load *load, int fd, struct exchange *all)
{
	char bytes[REQUEST + 1];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	struct exchange *e;
	uint32_t index;

	if (n < 0) {
		if (errno != EAGAIN)
			load_fail("recv");
		return false;
	}
	memcpy(&index, bytes, sizeof(index));
	if (n != REQUEST || index >= load->outstanding) {
		errno = EBADMSG;
		load_fail("a datagram");
	}
	e = &all[index];
	if (memcmp(bytes + sizeof(index), &e->number, sizeof(e->number)) != 0)
		return true;
	load_took(load, load_now() - e->asked);
	datagram_send(load, fd, e, index);
	return true;
}

static void datagrams_again(struct load *load, int fd, struct exchange *all)
{
	uint64_t now = load_now();

	for (uint32_t i = 0; i < load->outstanding; i++)
		if (now - all[i].asked > DATAGRAM_PATIENCE) {
			load->lost++;
			datagram_send(load, fd, &all[i], i);
		}
}

void load_datagrams(struct load *load)
{
	struct exchange *all = allocated(load->outstanding * sizeof(*all));
	int fd = load_connect(load, SOCK_DGRAM, PORT_ECHO, false);
	struct epoll_event events[EVENTS];
	uint64_t looked = load_now();

	watch(load, fd, EPOLLIN, 0);
	for (uint32_t i = 0; i < load->outstanding; i++)
		datagram_send(load, fd, &all[i], i);
	while (!load_over(load)) {
		if (await(load, events, 100) > 0)
			for (unsigned int i = 0; i < load->outstanding && datagram_receive(load, fd, all); i++)
				;
		if (load_now() - looked > DATAGRAM_PATIENCE) {
			datagrams_again(load, fd, all);
			looked = load_now();
		}
	}
}

/* ---- idle connections ---- */

/* Opens them all, says so, and keeps them until its input ends. More than a port has clients for go to another. */
void load_hold(struct load *load)
{
	static const uint16_t ports[] = { PORT_ECHO, PORT_DISCARD };
	/* So that the end of this program is the end of them, without a FIN for each that is sent again and again. */
	const struct linger reset = { .l_onoff = 1 };
	char byte;

	for (unsigned int i = 0; i < load->connections; i++) {
		int fd = load_connect(load, SOCK_STREAM, ports[i % 2], true);

		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		byte = 'x';
		/* Each carries a byte each way where it can. */
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 ||
		    (i % 2 == 0 && recv(fd, &byte, 1, 0) != 1))
			load_fail("an idle connection");
	}
	printf("held %u\n", load->connections);
	fflush(stdout);
	alarm(0);
	while (read(0, &byte, 1) > 0)
		;
}
