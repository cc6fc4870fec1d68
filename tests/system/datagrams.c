/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several datagrams in one call, between a socket of Linux and one of a stack on a TAP device, both in this
 * program: what one sends at once the other gets, at once or one by one, and both refuse the same. And many calls in
 * one batch, which leave together where the device cuts: each of two sockets of Linux gets its own, in order.
 *
 *	datagrams MODULE-PATH MANIFEST JOINED
 *
 * The stack is 192.0.2.2, Linux 192.0.2.1. JOINED is the fewest datagrams of one call that must come together.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <strata/embed.h>
#include <strata/iface.h>

enum { PORT = 7000, MOST = 70000, TURNS = 200 };
enum { CLIENTS = 2, BATCHES = 60, BURSTS = 4, BURST_MOST = 45 };

static uint8_t data[MOST], got[MOST];

/* One end: its stack, NULL for Linux, and its socket. */
struct end {
	struct strata_stack *stack;
	int s;
	const char *name;
};

static struct sockaddr_in address(const struct end *end)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(PORT) };

	at.sin_addr.s_addr = htonl(end->stack != NULL ? 0xc0000202 : 0xc0000201);
	return at;
}

static ssize_t end_sendmsg(const struct end *end, const struct msghdr *msg)
{
	ssize_t n;

	if (end->stack != NULL)
		return strata_sendmsg(end->stack, end->s, msg, 0);
	n = sendmsg(end->s, msg, 0);
	return n < 0 ? -errno : n;
}

static ssize_t end_recvmsg(const struct end *end, struct msghdr *msg)
{
	ssize_t n;

	if (end->stack != NULL)
		return strata_recvmsg(end->stack, end->s, msg, 0);
	n = recvmsg(end->s, msg, MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

static int end_set(const struct end *end, int name, int value)
{
	if (end->stack != NULL)
		return strata_setsockopt(end->stack, end->s, SOL_UDP, name, &value, sizeof(value));
	return setsockopt(end->s, SOL_UDP, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Sends `n` bytes in datagrams of `size`, told by a control message. */
static ssize_t send_cut(const struct end *from, const struct end *to, size_t n, uint16_t size)
{
	struct sockaddr_in at = address(to);
	struct iovec iov = { data, n };
	uint64_t control[4] = { 0 };
	struct msghdr msg = { .msg_name = &at, .msg_namelen = sizeof(at), .msg_iov = &iov,
			      .msg_iovlen = 1, .msg_control = control,
			      .msg_controllen = CMSG_SPACE(sizeof(size)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	return end_sendmsg(from, &msg);
}

/* Receives what has come; `*size` is what was told of it, 0: nothing. */
static ssize_t receive(struct strata_stack *stack, const struct end *end, int *size)
{
	uint64_t control[8];
	struct iovec iov = { got, sizeof(got) };
	ssize_t n = -EAGAIN;

	for (int turn = 0; turn < TURNS && n == -EAGAIN; turn++) {
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				      .msg_controllen = sizeof(control) };

		strata_loop_turn(stack, turn == 0 ? 0 : 10 * STRATA_MS);
		n = end_recvmsg(end, &msg);
		*size = 0;
		for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&msg); c != NULL;
		     c = CMSG_NXTHDR(&msg, c))
			if (c->cmsg_level == SOL_UDP && c->cmsg_type == UDP_GRO)
				memcpy(size, CMSG_DATA(c), sizeof(*size));
	}
	return n;
}

static int bad(const char *what, const struct end *from, long found, long wanted)
{
	fprintf(stderr, "datagrams: %s, from %s: found %ld, expected %ld\n", what, from->name, found,
		wanted);
	return 1;
}

/* One call with `n` bytes arrives as datagrams of `size`, or with `gro` in at most `most` messages. */
static int exchange(struct strata_stack *stack, const struct end *from, const struct end *to, size_t n,
		    uint16_t size, bool gro, unsigned int most)
{
	unsigned int messages = 0;
	size_t at = 0;
	ssize_t sent;
	int told;

	if (end_set(to, UDP_GRO, gro) != 0)
		return bad("UDP_GRO", to, -1, 0);
	sent = send_cut(from, to, n, size);
	if (sent != (ssize_t)n)
		return bad("bytes sent", from, sent, (long)n);
	while (at < n) {
		size_t one = n - at < size ? n - at : size;
		ssize_t length = receive(stack, to, &told);

		messages++;
		if (length <= 0 || (size_t)length > n - at || memcmp(got, data + at, (size_t)length) != 0)
			return bad("bytes received", from, length, (long)one);
		if (!gro && (size_t)length != one)
			return bad("a datagram's bytes", from, length, (long)one);
		if (gro && (size_t)length > one && told != size)
			return bad("the size told", from, told, size);
		if ((size_t)length <= one && told != 0)
			return bad("the size told of one", from, told, 0);
		at += (size_t)length;
	}
	if (gro && messages > most)
		return bad("messages", from, messages, most);
	return 0;
}

/* Linux and the stack take and refuse the same. */
static int same_refusals(const struct end *strata, const struct end *host)
{
	static const struct {
		size_t n;
		uint16_t size;
	} rows[] = {
		{ 100, 0 }, { 100, 1 }, { 128, 1 }, { 129, 1 }, { 1280, 10 }, { 1281, 10 }, { 3000, 1472 },
		{ 3000, 1473 }, { 1472, 1473 }, { 1400, 9000 }, { 65507, 1472 }, { 65508, 1472 },
		{ 65507, 511 }, { 65507, 512 }, { 1000, 1000 }, { 1001, 1000 },
	};
	int failed = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		/* Each to itself would not have the path's MTU. */
		ssize_t a = send_cut(strata, host, rows[i].n, rows[i].size);
		ssize_t b = send_cut(host, strata, rows[i].n, rows[i].size);

		/* Linux said EINVAL of what does not fit the path before version 6.14. */
		if (a == -EMSGSIZE && b == -EINVAL)
			continue;
		if (a != b) {
			fprintf(stderr, "datagrams: %zu bytes in %u: %zd from the stack, %zd from Linux\n",
				rows[i].n, rows[i].size, a, b);
			failed = 1;
		}
	}
	return failed;
}

/* ---- many calls in one batch ---- */

/* Datagram `number` of a client is `size` bytes of the data from here on. */
static const uint8_t *content(unsigned int number)
{
	return data + number % 4096;
}

struct bursts {
	const struct end *from;
	uint64_t rng;
	unsigned int sent[CLIENTS];	/* in all */
	unsigned int fresh[CLIENTS];	/* in this batch */
	uint16_t sizes[CLIENTS][BURSTS * BURST_MOST];
	ssize_t failed;
	bool done;
};

static uint32_t draw(struct bursts *b, uint32_t below)
{
	b->rng = b->rng * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(b->rng >> 33) % below;
}

static void send_one(struct bursts *b, unsigned int client, uint16_t size)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(PORT + 1 + client)) };
	struct iovec iov = { (void *)(uintptr_t)content(b->sent[client]), size };
	struct msghdr msg = { .msg_name = &at, .msg_namelen = sizeof(at), .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	at.sin_addr.s_addr = htonl(0xc0000201);
	n = end_sendmsg(b->from, &msg);
	if (n != size) {
		b->failed = n;
		return;
	}
	b->sizes[client][b->fresh[client]++] = size;
	b->sent[client]++;
}

/* A callback of the socket: all that it sends is one batch. */
static void send_bursts(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	static const uint16_t sizes[] = { 64, 64, 64, 1, 500, 1472 };
	struct bursts *b = arg;

	(void)stack;
	(void)s;
	(void)events;
	if (b->done)
		return;
	b->done = true;
	for (unsigned int i = 0; i < BURSTS; i++) {
		unsigned int client = draw(b, CLIENTS), count = 1 + draw(b, BURST_MOST);
		uint16_t size = sizes[draw(b, sizeof(sizes) / sizeof(sizes[0]))];

		while (count-- > 0)
			send_one(b, client, size);
	}
}

/* All that was sent in this batch has come to the client, in order. */
static int received(struct strata_stack *stack, const struct end *client, const struct bursts *b, unsigned int c)
{
	for (unsigned int i = 0; i < b->fresh[c]; i++) {
		const uint8_t *wanted = content(b->sent[c] - b->fresh[c] + i);
		int told;
		ssize_t n = receive(stack, client, &told);

		if (n != b->sizes[c][i] || memcmp(got, wanted, b->sizes[c][i]) != 0)
			return bad("bytes of a burst", b->from, n, b->sizes[c][i]);
	}
	return 0;
}

/* Packets of several segments that the driver has sent. */
static uint64_t supers(const struct strata_iface *iface)
{
	const struct strata_instance *driver = iface->driver;
	size_t i = 0;

	while (strcmp(driver->module->counters[i].name, "tx_super_packets") != 0)
		i++;
	return driver->counters[i];
}

static int in_one_batch(struct strata_stack *stack, const struct end *strata)
{
	const struct strata_iface *iface = strata_iface_by_name(stack, "st0");
	const bool cuts = (iface->caps & STRATA_CAP_SEG_DATAGRAM) != 0;
	struct end clients[CLIENTS] = { { .name = "one client" }, { .name = "the other" } };
	struct bursts b = { .from = strata, .rng = 5 };
	const uint64_t before = supers(iface);
	int failed = 0, size = 4 << 20;

	for (unsigned int c = 0; c < CLIENTS; c++) {
		struct sockaddr_in at = address(&clients[c]);

		at.sin_port = htons((uint16_t)(PORT + 1 + c));
		clients[c].s = socket(AF_INET, SOCK_DGRAM, 0);
		setsockopt(clients[c].s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
		if (bind(clients[c].s, (struct sockaddr *)&at, sizeof(at)) < 0)
			return bad("bind", &clients[c], -errno, 0);
	}
	for (unsigned int i = 0; i < BATCHES && !failed; i++) {
		memset(b.fresh, 0, sizeof(b.fresh));
		b.done = false;
		strata_notify(stack, strata->s, send_bursts, &b);
		strata_notify(stack, strata->s, NULL, NULL);
		if (b.failed != 0)
			failed = bad("a datagram of a burst", strata, b.failed, 0);
		for (unsigned int c = 0; c < CLIENTS; c++)
			failed |= received(stack, &clients[c], &b, c);
	}
	if (cuts != (supers(iface) > before + BATCHES))
		failed = bad("packets of several", strata, (long)(supers(iface) - before), cuts);
	for (unsigned int c = 0; c < CLIENTS; c++)
		close(clients[c].s);
	return failed;
}

static void drain(struct strata_stack *stack, const struct end *a, const struct end *b)
{
	struct iovec iov = { got, sizeof(got) };
	unsigned int quiet = 0;

	while (quiet++ < 20) {
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 }, other = msg;

		strata_loop_turn(stack, STRATA_MS);
		if (end_recvmsg(a, &msg) >= 0 || end_recvmsg(b, &other) >= 0)
			quiet = 0;
	}
}

static int run(struct strata_stack *stack, const struct end *strata, const struct end *host,
	       unsigned int joined)
{
	static const struct {
		size_t n;
		uint16_t size;
	} rows[] = { { 5000, 1200 }, { 2400, 1200 }, { 65000, 1400 }, { 12800, 128 }, { 900, 1200 },
		     { 30000, 1472 } };
	int failed = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned int count = (unsigned int)((rows[i].n + rows[i].size - 1) / rows[i].size);
		unsigned int most = joined > 1 ? (count + joined - 1) / joined : count;

		failed |= exchange(stack, strata, host, rows[i].n, rows[i].size, false, 0);
		failed |= exchange(stack, strata, host, rows[i].n, rows[i].size, true, count);
		failed |= exchange(stack, host, strata, rows[i].n, rows[i].size, false, 0);
		failed |= exchange(stack, host, strata, rows[i].n, rows[i].size, true, most);
	}
	failed |= in_one_batch(stack, strata);
	failed |= same_refusals(strata, host);
	drain(stack, strata, host);
	return failed;
}

int main(int argc, char **argv)
{
	struct strata_config config = { 0 };
	struct strata_error error = { 0 };
	struct strata_stack *stack = NULL;
	struct end strata = { .name = "the stack" }, host = { .name = "Linux" };
	struct sockaddr_in at;
	int size = 1 << 20;

	if (argc != 4) {
		fprintf(stderr, "usage: datagrams MODULE-PATH MANIFEST JOINED\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + (i >> 8));
	config.module_path = argv[1];
	config.manifest_file = argv[2];
	if (strata_stack_create(&config, &stack, &error) < 0) {
		fputs(strata_error_text(&error), stderr);
		return 1;
	}
	strata.stack = stack;
	strata.s = strata_socket(stack, AF_INET, SOCK_DGRAM, 0);
	host.s = socket(AF_INET, SOCK_DGRAM, 0);
	strata_setsockopt(stack, strata.s, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(host.s, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	at = address(&strata);
	if (strata_bind(stack, strata.s, (struct sockaddr *)&at, sizeof(at)) < 0)
		return 1;
	at = address(&host);
	if (bind(host.s, (struct sockaddr *)&at, sizeof(at)) < 0)
		return 1;
	/* Addresses are probed first. */
	while (exchange(stack, &strata, &host, 1, 1, false, 0) != 0)
		strata_loop_turn(stack, 100 * STRATA_MS);
	return run(stack, &strata, &host, (unsigned int)atoi(argv[3]));
}
