/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gives a stack N packets of one kind, an attack's or the ordinary one that it is to be measured against:
 * attack_cost KIND N [MODULES]. Run under callgrind with two values of N, the difference is the instructions
 * of one packet, those of building it (a few hundred) included in both.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pair.h"

enum { ETH = 14, IP = 20, TCP = 20, PORT = 80, WINDOW = 60000 };
enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };

struct rig {
	struct pair pair;
	struct strata_stack *stack;
	struct strata_iface *iface;
	int listener;
	uint64_t rng;
	uint8_t mac[12];		/* destination and source of what is given */
	uint8_t last[128];		/* beginning of the last frame sent */
	uint16_t id;
	/* The connection, if there is one. */
	int s;
	uint16_t port;
	uint32_t seq, ack;		/* next of the peer; what the stack's next byte was at first */
};

static uint32_t below(struct rig *rig, uint32_t bound)
{
	/* Knuth's MMIX generator */
	rig->rng = rig->rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(rig->rng >> 33) % bound;
}

static void sent(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	struct rig *rig = ctx;

	(void)iface;
	memcpy(rig->last, frame, length < sizeof(rig->last) ? length : sizeof(rig->last));
}

/* ---- packets ---- */

static uint32_t sum(uint32_t total, const uint8_t *p, size_t length)
{
	for (size_t i = 0; i + 1 < length; i += 2)
		total += strata_get_be16(p + i);
	return length % 2 != 0 ? total + (uint32_t)p[length - 1] * 256 : total;
}

static uint16_t fold(uint32_t total)
{
	total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~((total & 0xffff) + (total >> 16));
}

/* Puts Ethernet and IP around the `length` bytes at frame + ETH + IP, and gives it to the stack. */
static void give_ip(struct rig *rig, uint8_t *frame, uint8_t proto, uint16_t fragment, size_t length)
{
	uint8_t *ip = frame + ETH;

	memcpy(frame, rig->mac, 12);
	strata_put_be16(frame + 12, 0x0800);
	memset(ip, 0, IP);
	ip[0] = 0x45;
	strata_put_be16(ip + 2, (uint16_t)(IP + length));
	strata_put_be16(ip + 4, rig->id);
	strata_put_be16(ip + 6, fragment);
	ip[8] = 64;
	ip[9] = proto;
	strata_put_be32(ip + 12, 0xc0000202);
	strata_put_be32(ip + 16, 0xc0000201);
	strata_put_be16(ip + 10, fold(sum(0, ip, IP)));
	strata_input(rig->iface, frame, ETH + IP + length, rig->pair.now);
}

/* A segment with SACK blocks, `blocks` pairs of numbers, and `text` bytes of zeros. */
static void give_tcp(struct rig *rig, uint8_t flags, uint32_t seq, uint32_t ack,
		     const uint32_t *blocks, unsigned int count, size_t text)
{
	uint8_t frame[ETH + IP + 60 + 64] = { 0 }, *tcp = frame + ETH + IP;
	size_t header = TCP + (count != 0 ? 4 + 8 * count : 0);

	strata_put_be16(tcp, rig->port);
	strata_put_be16(tcp + 2, PORT);
	strata_put_be32(tcp + 4, seq);
	strata_put_be32(tcp + 8, ack);
	if ((flags & SYN) != 0) {
		/* MSS 48, SACK permitted, window scale 7. */
		memcpy(tcp + TCP, "\2\4\0\60\1\1\4\2\1\3\3\7", 12);
		header += 12;
	}
	tcp[12] = (uint8_t)(header / 4 << 4);
	tcp[13] = flags;
	strata_put_be16(tcp + 14, 65535);
	if (count != 0) {
		memcpy(tcp + TCP, "\1\1\5", 3);
		tcp[TCP + 3] = (uint8_t)(2 + 8 * count);
	}
	for (unsigned int i = 0; i < 2 * count; i++)
		strata_put_be32(tcp + TCP + 4 + 4 * i, blocks[i]);
	/* The pseudo-header: both addresses, the protocol, the length. */
	strata_put_be16(tcp + 16, fold(sum(0xc000 + 0x0202 + 0xc000 + 0x0201 + 6 +
					   (uint32_t)(header + text), tcp, header + text)));
	give_ip(rig, frame, 6, 0, header + text);
}

static void connect_peer(struct rig *rig)
{
	rig->port = 2000;
	give_tcp(rig, SYN, 99, 0, NULL, 0, 0);
	rig->seq = 100;
	rig->ack = strata_get_be32(rig->last + ETH + IP + 4) + 1;
	give_tcp(rig, ACK, rig->seq, rig->ack, NULL, 0, 0);
	rig->s = (int)pair_check(strata_accept(rig->stack, rig->listener, NULL, NULL), "accept");
}

/* ---- senders: ACKs with blocks ---- */

static void queue(struct rig *rig, size_t length)
{
	static const uint8_t zeros[4096];

	while (length > 0) {
		size_t n = length < sizeof(zeros) ? length : sizeof(zeros);

		n = (size_t)pair_check(strata_send(rig->stack, rig->s, zeros, n, 0), "send");
		length -= n;
	}
}

/* One segment is acknowledged with each, and the next leaves. */
static void ordinary_acks(struct rig *rig, long count)
{
	connect_peer(rig);
	for (long i = 1; i <= count; i++) {
		queue(rig, 48);
		give_tcp(rig, ACK, rig->seq, rig->ack + 48 * (uint32_t)i, NULL, 0, 0);
	}
}

enum { GROWTH = 512 << 10, FLIGHT = 512 << 10 };

/* The congestion window is opened until FLIGHT bytes of tiny segments are out. */
static void open_window(struct rig *rig)
{
	connect_peer(rig);
	queue(rig, GROWTH + FLIGHT);
	for (uint32_t at = 480; at <= GROWTH; at += 480)
		give_tcp(rig, ACK, rig->seq, rig->ack + at, NULL, 0, 0);
}

/* Row 40: three blocks at random places. */
static void sack_panic(struct rig *rig, long count)
{
	uint32_t blocks[6];

	open_window(rig);
	for (long i = 0; i < count; i++) {
		for (unsigned int k = 0; k < 3; k++) {
			blocks[2 * k] = rig->ack + GROWTH + 48 + below(rig, FLIGHT - 1000);
			blocks[2 * k + 1] = blocks[2 * k] + 1 + below(rig, 200);
		}
		give_tcp(rig, ACK, rig->seq, rig->ack + GROWTH, blocks, 3, 0);
	}
}

/* Row 41: every second 8 bytes. */
static void sack_slowness(struct rig *rig, long count)
{
	uint32_t blocks[6], at = 0;

	open_window(rig);
	for (long i = 0; i < count; i++) {
		for (unsigned int k = 0; k < 3; k++, at = (at + 16) % (FLIGHT - 64)) {
			blocks[2 * k] = rig->ack + GROWTH + 8 + at;
			blocks[2 * k + 1] = blocks[2 * k] + 8;
		}
		give_tcp(rig, ACK, rig->seq, rig->ack + GROWTH, blocks, 3, 0);
	}
}

/* ---- receivers ---- */

static void ordinary_bytes(struct rig *rig, long count)
{
	char c;

	connect_peer(rig);
	for (long i = 0; i < count; i++) {
		give_tcp(rig, ACK, rig->seq++, rig->ack, NULL, 0, 1);
		pair_check(strata_recv(rig->stack, rig->s, &c, 1, 0), "recv");
	}
}

/* Row 43: a byte at every second place. */
static void segment_smack(struct rig *rig, long count)
{
	connect_peer(rig);
	for (long i = 0; i < count; i++)
		give_tcp(rig, ACK, rig->seq + 1 + (uint32_t)(i * 2 % WINDOW), rig->ack, NULL, 0, 1);
}

/* ---- listeners ---- */

static void syns(struct rig *rig, long count)
{
	for (long i = 0; i < count; i++) {
		rig->port = (uint16_t)(1024 + i % 60000);
		give_tcp(rig, SYN, 99, 0, NULL, 0, 0);
	}
}

static void ordinary_syns(struct rig *rig, long count)
{
	struct strata_error error = { 0 };

	pair_check(strata_option_set(rig->stack, "tcp.half_open_max", "1000000", &error), "option");
	pair_check(strata_option_set(rig->stack, "tcp.backlog_max", "65535", &error), "option");
	/* The backlog bounds its listener's half-open connections too. */
	pair_check(strata_listen(rig->stack, rig->listener, 65535), "listen");
	syns(rig, count);
}

/* Row 52: the table of half-open connections is full. */
static void syn_flood(struct rig *rig, long count)
{
	struct strata_error error = { 0 };

	pair_check(strata_option_set(rig->stack, "tcp.half_open_max", "1", &error), "option");
	syns(rig, count);
}

static void acks(struct rig *rig, long count)
{
	for (long i = 0; i < count; i++) {
		rig->port = (uint16_t)(1024 + i % 60000);
		give_tcp(rig, ACK, below(rig, 1u << 31), below(rig, 1u << 31) * 2, NULL, 0, 0);
	}
}

/* ACKs for what is no connection are answered with a reset. */
static void ordinary_strays(struct rig *rig, long count)
{
	acks(rig, count);
}

/* Row 53: somebody may be answering a cookie. */
static void cookie_guesses(struct rig *rig, long count)
{
	syn_flood(rig, 2);
	acks(rig, count);
}

/* ---- reassembly ---- */

enum { PARTS = 64, PART = 8 };

static void fragments(struct rig *rig, long count, bool shuffled)
{
	uint8_t frame[ETH + IP + PART], order[PARTS];

	for (long i = 0; i < count; i++) {
		unsigned int part = (unsigned int)(i % PARTS);

		if (part == 0) {
			rig->id++;
			for (unsigned int k = 0; k < PARTS; k++)
				order[k] = (uint8_t)k;
			for (unsigned int k = PARTS; shuffled && k > 1; k--) {
				unsigned int other = below(rig, k);
				uint8_t held = order[other];

				order[other] = order[k - 1];
				order[k - 1] = held;
			}
		}
		part = order[part];
		memset(frame + ETH + IP, 0, PART);
		give_ip(rig, frame, 17, (uint16_t)(part | (part != PARTS - 1 ? 0x2000 : 0)), PART);
	}
}

static void ordinary_fragments(struct rig *rig, long count)
{
	fragments(rig, count, false);
}

/* Row 5, FragmentSmack. */
static void fragment_smack(struct rig *rig, long count)
{
	fragments(rig, count, true);
}

/* ---- the program ---- */

static const struct {
	const char *name;
	void (*run)(struct rig *rig, long count);
} kinds[] = {
	{ "ordinary-fragments", ordinary_fragments }, { "fragment-smack", fragment_smack },
	{ "ordinary-acks", ordinary_acks }, { "sack-panic", sack_panic },
	{ "sack-slowness", sack_slowness }, { "ordinary-bytes", ordinary_bytes },
	{ "segment-smack", segment_smack }, { "ordinary-syns", ordinary_syns },
	{ "syn-flood", syn_flood }, { "ordinary-strays", ordinary_strays },
	{ "cookie-guesses", cookie_guesses },
};

/* Both ends meet once, so that the neighbour is known; then the other end is the attacker. */
static void rig_open(struct rig *rig, const char *module_path)
{
	struct sockaddr_in to;
	struct strata_error error = { 0 };
	int s;

	pair_open(&rig->pair, module_path);
	rig->stack = rig->pair.end[0].stack;
	rig->iface = rig->pair.end[0].iface;
	to = rig->pair.end[1].addr;
	to.sin_port = htons(9);
	s = (int)pair_check(strata_socket(rig->stack, AF_INET, SOCK_DGRAM, 0), "socket");
	pair_check(strata_sendto(rig->stack, s, "", 1, 0, (struct sockaddr *)&to, sizeof(to)), "send");
	pair_settle(&rig->pair);
	strata_iface_set_output(rig->iface, sent, rig);
	pair_check(strata_sendto(rig->stack, s, "", 1, 0, (struct sockaddr *)&to, sizeof(to)), "send");
	strata_close(rig->stack, s);
	memcpy(rig->mac, rig->last + 6, 6);
	memcpy(rig->mac + 6, rig->last, 6);
	pair_check(strata_option_set(rig->stack, "tcp.sndbuf", "4MiB", &error), "option");
	rig->listener = (int)pair_check(strata_socket(rig->stack, AF_INET, SOCK_STREAM, 0), "socket");
	to = rig->pair.end[0].addr;
	to.sin_port = htons(PORT);
	pair_check(strata_bind(rig->stack, rig->listener, (struct sockaddr *)&to, sizeof(to)), "bind");
	pair_check(strata_listen(rig->stack, rig->listener, 16), "listen");
}

int main(int argc, char **argv)
{
	static struct rig rig = { .rng = 1 };
	long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0;

	for (size_t i = 0; argc > 2 && i < STRATA_COUNT(kinds); i++) {
		if (strcmp(kinds[i].name, argv[1]) != 0)
			continue;
		rig_open(&rig, argc > 3 ? argv[3] : NULL);
		kinds[i].run(&rig, count);
		pair_close(&rig.pair);
		return 0;
	}
	fprintf(stderr, "usage: attack_cost KIND N [MODULES]; kinds:\n");
	for (size_t i = 0; i < STRATA_COUNT(kinds); i++)
		fprintf(stderr, "\t%s\n", kinds[i].name);
	return 2;
}
