/* SPDX-License-Identifier: BSD-2-Clause */
/* The joined pair of stacks of bench/pair.h. */
#include "pair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Local choice: fewer than there are ephemeral ports. */
enum { FIRST_PORT = 4000, PER_PORT = 20000 };

static const char *const manifest_format =
	"strata: 1\n"
	"stack:\n"
	"  log: error\n"
	"  sockets: 1048576\n"
	"modules:\n"
	"  - name: wire\n"
	"  - name: ethernet\n"
	"  - name: arp\n"
	"  - name: ipv4\n"
	"  - name: icmp\n"
	"  - name: udp\n"
	"  - name: tcp\n"
	"interfaces:\n"
	"  - name: w0\n"
	"    driver: wire\n"
	"    addresses: [192.0.2.%d/24]\n";

long pair_check(long result, const char *what)
{
	if (result < 0) {
		fprintf(stderr, "bench: %s: %s\n", what, strerror((int)-result));
		exit(1);
	}
	return result;
}

static void carry(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	struct pair_end *from = ctx;
	struct pair *pair = from->pair;
	struct pair_end *to = &pair->end[from == &pair->end[0]];
	unsigned int slot = (to->head + to->count) % PAIR_RING;

	(void)iface;
	if (to->count == PAIR_RING || length > PAIR_FRAME_MAX) {
		fprintf(stderr, "bench: the wire is full\n");
		exit(1);
	}
	memcpy(to->ring[slot].bytes, frame, length);
	to->ring[slot].length = (uint32_t)length;
	to->count++;
	pair->frames++;
}

void pair_settle(struct pair *pair)
{
	while (pair->end[0].count + pair->end[1].count > 0) {
		for (int i = 0; i < 2; i++) {
			struct pair_end *end = &pair->end[i];
			bool worked = end->count > 0;

			while (end->count > 0) {
				unsigned int slot = end->head;

				end->head = (end->head + 1) % PAIR_RING;
				end->count--;
				strata_input_batched(end->iface, end->ring[slot].bytes,
						     end->ring[slot].length, pair->now);
			}
			if (worked)
				strata_run(end->stack, pair->now);
		}
	}
}

void pair_pass(struct pair *pair, uint64_t ns)
{
	uint64_t until = pair->now + ns;

	for (;;) {
		uint64_t next[2] = { strata_next_timer(pair->end[0].stack),
				     strata_next_timer(pair->end[1].stack) };
		uint64_t due = next[0] < next[1] ? next[0] : next[1];

		if (due > until)
			break;
		if (due > pair->now)
			pair->now = due;
		strata_run(pair->end[0].stack, pair->now);
		strata_run(pair->end[1].stack, pair->now);
		pair_settle(pair);
	}
	pair->now = until;
	strata_run(pair->end[0].stack, pair->now);
	strata_run(pair->end[1].stack, pair->now);
	pair_settle(pair);
}

/* ---- connections ---- */

int pair_listener(struct pair *pair, unsigned int number, struct sockaddr_in *to)
{
	int s = (int)pair_check(strata_socket(pair->end[1].stack, AF_INET, SOCK_STREAM, 0), "socket");

	*to = pair->end[1].addr;
	to->sin_port = htons((uint16_t)(FIRST_PORT + number));
	pair_check(strata_bind(pair->end[1].stack, s, (struct sockaddr *)to, sizeof(*to)), "bind");
	pair_check(strata_listen(pair->end[1].stack, s, 128), "listen");
	return s;
}

int pair_connect(struct pair *pair, const struct sockaddr_in *to, int listener, int *server)
{
	int s = (int)pair_check(strata_socket(pair->end[0].stack, AF_INET, SOCK_STREAM, 0), "socket");
	int result = strata_connect(pair->end[0].stack, s, (const struct sockaddr *)to, sizeof(*to));

	if (result != -EINPROGRESS)
		pair_check(result, "connect");
	pair_settle(pair);
	*server = (int)pair_check(strata_accept(pair->end[1].stack, listener, NULL, NULL), "accept");
	return s;
}

void pair_talk(struct pair *pair, int from, int tx, int rx)
{
	char bytes[64] = { 'x' };
	ssize_t n;

	pair_check(strata_send(pair->end[from].stack, tx, bytes, sizeof(bytes), 0), "send");
	pair_settle(pair);
	n = strata_recv(pair->end[!from].stack, rx, bytes, sizeof(bytes), 0);
	if (n != (ssize_t)sizeof(bytes))
		pair_check(n < 0 ? n : -EBADMSG, "recv");
}

void pair_connections(struct pair *pair, long count, int *clients, int *servers)
{
	struct sockaddr_in to = { 0 };
	int listener = -1;

	for (long i = 0; i < count; i++) {
		if (i % PER_PORT == 0)
			listener = pair_listener(pair, (unsigned int)(i / PER_PORT), &to);
		clients[i] = pair_connect(pair, &to, listener, &servers[i]);
		pair_talk(pair, 0, clients[i], servers[i]);
		pair_talk(pair, 1, servers[i], clients[i]);
		/* So that the delayed acknowledgements of all do not fall due together. */
		pair_pass(pair, STRATA_MS);
	}
	pair_pass(pair, 10 * STRATA_SEC);
}

/* ---- life ---- */

static void end_open(struct pair *pair, int i, const char *module_path)
{
	struct pair_end *end = &pair->end[i];
	struct strata_env env = *strata_env_system();
	struct strata_error error = { 0 };
	struct strata_config config = { .module_path = module_path, .env = &env };
	char manifest[1024];

	env.now = NULL;
	snprintf(manifest, sizeof(manifest), manifest_format, i + 1);
	config.manifest_text = manifest;
	end->pair = pair;
	if (strata_stack_create(&config, &end->stack, &error) < 0) {
		fprintf(stderr, "bench: no stack:\n%s", strata_error_text(&error));
		exit(1);
	}
	end->iface = strata_iface_by_name(end->stack, "w0");
	end->addr.sin_family = AF_INET;
	end->addr.sin_addr.s_addr = htonl(0xc0000201u + (uint32_t)i);
	for (unsigned int slot = 0; slot < PAIR_RING; slot++) {
		end->ring[slot].bytes = malloc(PAIR_FRAME_MAX);
		if (end->ring[slot].bytes == NULL)
			pair_check(-12, "ring");
	}
	strata_iface_set_output(end->iface, carry, end);
}

void pair_open(struct pair *pair, const char *module_path)
{
	memset(pair, 0, sizeof(*pair));
	pair->now = STRATA_SEC;
	end_open(pair, 0, module_path);
	end_open(pair, 1, module_path);
	pair_pass(pair, STRATA_SEC);
}

void pair_close(struct pair *pair)
{
	for (int i = 0; i < 2; i++) {
		strata_iface_set_output(pair->end[i].iface, NULL, NULL);
		strata_stack_destroy(pair->end[i].stack);
		for (unsigned int slot = 0; slot < PAIR_RING; slot++)
			free(pair->end[i].ring[slot].bytes);
	}
}
