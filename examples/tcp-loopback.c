/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A connection of a stack to itself, with every segment shown; needs no root and no device:
 *
 *	tcp-loopback [-m MODULE-PATH] MANIFEST
 *
 * The manifest has a `loopback` interface with 127.0.0.1 (conf/demo/loopback.yaml). Shows an embedded
 * stack, both sides of a connection in one program, and a sniffer on an interface.
 */
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "example.h"

#define PORT 8080
#define WAIT (5 * STRATA_SEC)

static const char greeting[] = "hello from above";

/* What the sniffer remembers: initial sequence numbers, to show the others relative to them. */
struct course {
	uint32_t isn[2];		/* of the client, of the server */
	bool seen[2];
	unsigned int segments;
};

/* Prints a segment's line. Every packet on the loopback is sent once and received once: the sending
 * is shown. The header lies in the packet's first bytes. */
static void show(void *ctx, struct strata_iface *iface, const struct strata_pkt *pkt, bool out)
{
	struct course *course = ctx;
	struct iphdr ip;
	struct tcphdr tcp;
	size_t header;
	unsigned int side;

	(void)iface;
	if (!out || pkt->len < sizeof(ip) + sizeof(tcp))
		return;
	memcpy(&ip, pkt->data, sizeof(ip));
	header = (size_t)ip.ihl * 4;
	if (ip.version != 4 || ip.protocol != IPPROTO_TCP || pkt->len < header + sizeof(tcp))
		return;
	memcpy(&tcp, pkt->data + header, sizeof(tcp));
	side = ntohs(tcp.source) == PORT;
	if (tcp.syn != 0) {
		course->isn[side] = ntohl(tcp.seq);
		course->seen[side] = true;
	}
	course->segments++;
	printf("%-6s -> %-6s  %s%s%s%s%s seq %u", side ? "server" : "client", side ? "client" : "server",
	       tcp.syn ? "SYN " : "", tcp.fin ? "FIN " : "", tcp.rst ? "RST " : "",
	       tcp.psh ? "PSH " : "", tcp.ack ? "ACK" : "", ntohl(tcp.seq) - course->isn[side]);
	if (tcp.ack != 0 && course->seen[!side])
		printf(" ack %u", ntohl(tcp.ack_seq) - course->isn[!side]);
	printf(" win %u, %zu bytes of data\n", ntohs(tcp.window),
	       (size_t)ntohs(ip.tot_len) - header - (size_t)tcp.doff * 4);
}

/* One message from one end to the other. Returns 0 or -errno. */
static int pass(struct strata_stack *stack, int from, int to, const char *text, const char *who)
{
	char received[256];
	ssize_t n = strata_send(stack, from, text, strlen(text), 0);

	if (n < 0)
		return (int)n;
	if (example_wait(stack, to, EPOLLIN, WAIT) == 0)
		return -ETIMEDOUT;
	n = strata_recv(stack, to, received, sizeof(received) - 1, 0);
	if (n < 0)
		return (int)n;
	received[n] = '\0';
	printf("%s received \"%s\"\n", who, received);
	return strcmp(received, text) == 0 ? 0 : -EBADMSG;
}

/* Waits for the other side's end of data. Returns 0 or -errno. */
static int expect_end(struct strata_stack *stack, int s)
{
	char byte;
	ssize_t n;

	if (example_wait(stack, s, EPOLLIN, WAIT) == 0)
		return -ETIMEDOUT;
	n = strata_recv(stack, s, &byte, 1, 0);
	return n > 0 ? -EBADMSG : (int)n;
}

/* The course of a connection. Returns 0, or -errno with the step that failed in `*what`. */
static int run(struct strata_stack *stack, const char **what)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(PORT),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = strata_socket(stack, AF_INET, SOCK_STREAM, 0);
	int client = strata_socket(stack, AF_INET, SOCK_STREAM, 0);
	int server, result;

	*what = "socket";
	if (listener < 0 || client < 0)
		return listener < 0 ? listener : client;
	*what = "bind";
	result = strata_bind(stack, listener, (struct sockaddr *)&at, sizeof(at));
	if (result == 0)
		result = strata_listen(stack, listener, 1);
	if (result < 0)
		return result;
	*what = "connect";
	puts("-- connect");
	result = strata_connect(stack, client, (struct sockaddr *)&at, sizeof(at));
	if (result < 0 && result != -EINPROGRESS)
		return result;
	if (example_wait(stack, client, EPOLLOUT, WAIT) == 0)
		return -ETIMEDOUT;
	result = example_socket_error(stack, client);
	if (result < 0)
		return result;
	*what = "accept";
	if (example_wait(stack, listener, EPOLLIN, WAIT) == 0)
		return -ETIMEDOUT;
	server = strata_accept(stack, listener, NULL, NULL);
	if (server < 0)
		return server;
	*what = "data";
	puts("-- data both ways");
	result = pass(stack, client, server, greeting, "server");
	if (result == 0)
		result = pass(stack, server, client, greeting, "client");
	if (result < 0)
		return result;
	*what = "close";
	puts("-- close");
	strata_shutdown(stack, client, SHUT_WR);
	result = expect_end(stack, server);
	strata_close(stack, server);
	if (result == 0)
		result = expect_end(stack, client);
	strata_close(stack, client);
	strata_close(stack, listener);
	return result;
}

static int usage(void)
{
	fputs("usage: tcp-loopback [-m MODULE-PATH] MANIFEST\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct course course = { 0 };
	const char *module_path = NULL, *what = "";
	struct strata_stack *stack;
	int option, status, result;

	while ((option = getopt(argc, argv, "m:")) != -1) {
		if (option != 'm')
			return usage();
		module_path = optarg;
	}
	if (argc - optind != 1)
		return usage();
	stack = example_open(argv[optind], module_path, &status);
	if (stack == NULL)
		return status;
	strata_iface_set_sniffer(strata_iface_next(stack, NULL), show, &course);
	result = run(stack, &what);
	if (result < 0)
		example_failed("tcp-loopback", what, result);
	else
		printf("%u segments, all in order\n", course.segments);
	strata_stack_destroy(stack);
	return result < 0;
}
