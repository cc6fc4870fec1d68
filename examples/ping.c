/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pings a host from a stack of its own, over whatever interface the manifest describes:
 *
 *	ping [-c COUNT] [-s SIZE] [-m MODULE-PATH] MANIFEST ADDRESS
 *
 * Shows an embedded stack with the host's clock, the loop, and an echo socket (SOCK_DGRAM with
 * IPPROTO_ICMP, as Linux has it). Exits with 0 when every request was answered.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <strata/embed.h>

enum {
	SIZE_MOST = 65507,		/* 65,535 less both headers */
	HEADER = 8,
	WAIT_MS = 2000,			/* for each answer */
};

struct ping {
	struct strata_stack *stack;
	int socket;
	long count, size;
	struct sockaddr_in to;
	uint8_t request[HEADER + SIZE_MOST], reply[HEADER + SIZE_MOST];
};

/* The byte at `at` of request `sequence`: known by its place, so a misplaced one shows. */
static uint8_t pattern(long at, long sequence)
{
	return (uint8_t)(at * 31 + sequence * 7 + (at >> 8));
}

static void build(struct ping *ping, long sequence)
{
	memset(ping->request, 0, HEADER);
	ping->request[0] = ICMP_ECHO;
	strata_put_be16(ping->request + 6, (uint16_t)sequence);
	for (long i = 0; i < ping->size; i++)
		ping->request[HEADER + i] = pattern(i, sequence);
}

/* True when the reply has the request's sequence number and bytes. */
static bool answers(const struct ping *ping, ssize_t length)
{
	return length == HEADER + ping->size && ping->reply[0] == ICMP_ECHOREPLY &&
	       memcmp(ping->reply + 6, ping->request + 6, 2 + (size_t)ping->size) == 0;
}

/* Waits for the answer; returns nanoseconds it took, or STRATA_NEVER. */
static uint64_t await(struct ping *ping, uint64_t sent)
{
	while (strata_now(ping->stack) - sent < WAIT_MS * STRATA_MS) {
		ssize_t n = strata_recv(ping->stack, ping->socket, ping->reply,
					sizeof(ping->reply), 0);

		if (n >= 0 && answers(ping, n))
			return strata_now(ping->stack) - sent;
		if (n < 0 && n != -EAGAIN)
			fprintf(stderr, "ping: %s\n", strerror((int)-n));
		if (n < 0)
			strata_loop_turn(ping->stack, 100 * STRATA_MS);
	}
	return STRATA_NEVER;
}

static long run(struct ping *ping)
{
	long answered = 0;

	for (long sequence = 1; sequence <= ping->count; sequence++) {
		uint64_t took;
		ssize_t n;

		build(ping, sequence);
		n = strata_sendto(ping->stack, ping->socket, ping->request,
				  (size_t)(HEADER + ping->size), 0,
				  (const struct sockaddr *)&ping->to, sizeof(ping->to));
		if (n < 0) {
			fprintf(stderr, "ping: send: %s\n", strerror((int)-n));
			continue;
		}
		took = await(ping, strata_now(ping->stack));
		if (took == STRATA_NEVER) {
			printf("no answer to request %ld\n", sequence);
			continue;
		}
		printf("%ld bytes, request %ld, %.3f ms\n", ping->size, sequence,
		       (double)took / (double)STRATA_MS);
		answered++;
	}
	printf("%ld sent, %ld answered\n", ping->count, answered);
	return answered;
}

static int usage(void)
{
	fprintf(stderr, "usage: ping [-c COUNT] [-s SIZE] [-m MODULE-PATH] MANIFEST ADDRESS\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct ping *ping = calloc(1, sizeof(*ping));
	struct strata_config config = { 0 };
	struct strata_error error = { 0 };
	int option, result;

	if (ping == NULL)
		return 1;
	ping->count = 3;
	ping->size = 56;
	while ((option = getopt(argc, argv, "c:s:m:")) != -1) {
		if (option == 'c')
			ping->count = strtol(optarg, NULL, 10);
		else if (option == 's')
			ping->size = strtol(optarg, NULL, 10);
		else if (option == 'm')
			config.module_path = optarg;
		else
			return usage();
	}
	ping->to.sin_family = AF_INET;
	if (argc - optind != 2 || ping->size < 0 || ping->size > SIZE_MOST ||
	    inet_pton(AF_INET, argv[optind + 1], &ping->to.sin_addr) != 1)
		return usage();
	config.manifest_file = argv[optind];
	result = strata_stack_create(&config, &ping->stack, &error);
	if (result < 0) {
		fputs(strata_error_text(&error), stderr);
		strata_error_clear(&error);
		free(ping);
		return result == -EINVAL ? 2 : 1;
	}
	ping->socket = strata_socket(ping->stack, AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	if (ping->socket < 0)
		fprintf(stderr, "ping: socket: %s\n", strerror(-ping->socket));
	result = ping->socket >= 0 && run(ping) == ping->count ? 0 : 1;
	strata_stack_destroy(ping->stack);
	free(ping);
	return result;
}
