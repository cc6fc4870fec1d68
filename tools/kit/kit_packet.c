/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets for the module under test, in the headers that bring them to it: an Ethernet frame (IEEE 802.3)
 * with its EtherType for a network module, an IPv4 packet (RFC 791 3.1) with its number for a transport. The
 * module's own bytes are random, or what modules of its kind said to each other, changed.
 */
#include <string.h>

#include "kit.h"

enum { ETHERNET_HEADER = 14, IPV4_HEADER = 20, PEER = 2 };

/* ---- headers ---- */

static uint32_t lower_header(const struct kit *kit)
{
	return kit->subject->kind == STRATA_NETWORK ? ETHERNET_HEADER :
	       kit->subject->kind == STRATA_TRANSPORT ? IPV4_HEADER : 0;
}

static void write_ethernet(const struct kit *kit, uint8_t *p)
{
	kit_rig_mac(1, p);
	kit_rig_mac(PEER, p + 6);
	strata_put_be16(p + 12, (uint16_t)kit->subject->number);
}

static void write_ipv4(const struct kit *kit, uint8_t *p, uint32_t length)
{
	static const uint8_t header[IPV4_HEADER] = { 0x45, 0, 0, 0, 0, 1, 0, 0, 64, 0, 0, 0,
						     192, 0, 2, PEER, 192, 0, 2, 1 };

	memcpy(p, header, sizeof(header));
	strata_put_be16(p + 2, (uint16_t)(IPV4_HEADER + length));
	p[9] = (uint8_t)kit->subject->number;
	strata_put_be16(p + 10, (uint16_t)~strata_csum_fold(strata_csum_add(p, IPV4_HEADER, 0)));
}

static uint32_t pseudo_sum(const struct kit *kit, const uint8_t *ipv4, uint32_t length)
{
	return strata_csum_add(ipv4 + 12, 8, kit->subject->number + length);
}

void kit_packet_finish(struct kit *kit, struct kit_packet *packet, uint32_t length, uint32_t sum)
{
	uint8_t *p = packet->bytes + packet->offset;
	uint32_t total = 0;

	packet->length = packet->offset + length;
	if (kit->subject->kind == STRATA_NETWORK)
		write_ethernet(kit, packet->bytes);
	if (kit->subject->kind == STRATA_TRANSPORT)
		write_ipv4(kit, packet->bytes, length);
	if (sum == UINT32_MAX || length < 2 || (sum & ~UINT32_C(1)) > length - 2)
		return;
	if (kit->subject->kind == STRATA_TRANSPORT && (sum & 1) != 0)
		total = pseudo_sum(kit, packet->bytes, length);
	sum &= ~UINT32_C(1);
	strata_put_be16(p + sum, 0);
	strata_put_be16(p + sum, (uint16_t)~strata_csum_fold(strata_csum_add(p, length, total)));
}

/* ---- what modules say to each other ---- */

void kit_corpus_add(struct kit *kit, struct kit_corpus *corpus, const uint8_t *frame, size_t length)
{
	uint32_t offset = lower_header(kit);

	if (kit->subject->kind == STRATA_NETWORK && length > offset &&
	    strata_get_be16(frame + 12) != kit->subject->number)
		return;
	if (kit->subject->kind == STRATA_TRANSPORT &&
	    (length <= offset || frame[0] != 0x45 || frame[9] != kit->subject->number))
		return;
	if (length <= offset || length - offset > sizeof(corpus->entries[0].bytes) ||
	    corpus->count == STRATA_COUNT(corpus->entries))
		return;
	corpus->entries[corpus->count].length = (uint16_t)(length - offset);
	memcpy(corpus->entries[corpus->count++].bytes, frame + offset, length - offset);
}

/* Two hosts with the transport: one asks, the other answers. */
static void talk(struct kit_rig *a, struct kit_rig *b)
{
	static const char text[] = "what one says to the other";
	struct sockaddr_storage addr;
	socklen_t length = kit_sockaddr(b, 1, KIT_PORT, &addr);
	int s, i;

	kit_listen(a);
	s = kit_has_sockets(b) ? kit_socket(b) : -1;
	if (s < 0 || length == 0)
		return;
	strata_connect(b->stack, s, (struct sockaddr *)&addr, length);
	for (i = 0; i < 6; i++) {
		kit_rig_exchange(a, b, STRATA_SEC);
		kit_serve(a);
		strata_send(b->stack, s, text, sizeof(text) - 1, MSG_NOSIGNAL);
	}
	strata_close(b->stack, s);
	kit_rig_exchange(a, b, STRATA_SEC);
	kit_hang_up(a);
	kit_rig_exchange(a, b, STRATA_SEC);
}

/* A network module sends a few packets of transports. */
static void send_some(struct kit_rig *from)
{
	static const uint8_t numbers[] = { 1, 6, 17, 253, 255 };
	const struct strata_address_ops *ops = kit_family(from);
	struct strata_lladdr lladdr = { .length = 6 };
	struct strata_addr to;
	size_t i;

	if (ops == NULL)
		return;
	to = kit_address(ops, 1);
	kit_rig_mac(1, lladdr.bytes);
	strata_neigh_set(from->iface, &to, &lladdr);
	for (i = 0; i < STRATA_COUNT(numbers); i++) {
		struct strata_tx tx = { .dst = to, .number = numbers[i] };
		struct strata_pkt *pkt = strata_pkt_alloc(from->stack, STRATA_HEADROOM, 64);
		struct strata_dst dst = { 0 };

		if (pkt == NULL)
			continue;
		pkt->transport_offset = (uint16_t)strata_pkt_headroom(pkt);
		strata_pkt_put(pkt, 64);
		if (strata_route_output(from->stack, &to, NULL, NULL, &dst, &tx.src) == 0)
			strata_network_output(&dst, pkt, &tx);
		else
			strata_pkt_free(pkt);
		strata_dst_release(&dst);
	}
	strata_run(from->stack, from->env.now);
}

void kit_corpus_learn(struct kit *kit, struct kit_corpus *corpus)
{
	struct kit_rig a, b;
	bool both;

	memset(corpus, 0, sizeof(*corpus));
	if (kit->subject->kind != STRATA_NETWORK && kit->subject->kind != STRATA_TRANSPORT)
		return;
	kit_step(kit, "two stacks talk to each other");
	both = kit_rig_open(kit, &a, &(struct kit_setup){ .host = 1 }) == 0 &&
	       kit_rig_open(kit, &b, &(struct kit_setup){ .host = PEER, .seed = kit->seed + 1 }) == 0;
	if (both) {
		a.keep = b.keep = true;
		b.learns = corpus;
		kit_rig_exchange(&a, &b, 20 * STRATA_SEC);
		if (kit->subject->kind == STRATA_TRANSPORT)
			talk(&a, &b);
		else
			send_some(&b);
		kit_rig_close(&b);
	}
	kit_rig_close(&a);
	/* What was wrong with it is another check's affair. */
	memset(kit->result->findings, 0, sizeof(kit->result->findings));
	kit->result->count = kit->result->faults = 0;
}

/* ---- made-up packets ---- */

static uint32_t random_bytes(uint8_t *p, uint32_t most, uint64_t *rng)
{
	uint32_t length = kit_below(rng, kit_chance(rng, 4) ? most + 1 : most < 64 ? most + 1 : 65), i;
	uint32_t kind = kit_below(rng, 4);

	for (i = 0; i < length; i++)
		p[i] = (uint8_t)(kind == 0 ? kit_random(rng) : kind == 1 ? kit_below(rng, 17) :
				 kind == 2 ? (kit_chance(rng, 8) ? kit_random(rng) : 0) :
				 kit_below(rng, 3));
	return length;
}

static uint32_t change(uint8_t *p, uint32_t length, uint32_t most, uint64_t *rng)
{
	static const uint16_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff };
	uint32_t at = length != 0 ? kit_below(rng, length) : 0, more;

	if (length == 0)
		return random_bytes(p, most, rng);
	switch (kit_below(rng, 6)) {
	case 0:
		p[at] ^= (uint8_t)(1u << kit_below(rng, 8));
		break;
	case 1:
		p[at] = (uint8_t)edges[kit_below(rng, STRATA_COUNT(edges))];
		break;
	case 2:
		if (at + 2 <= length)
			strata_put_be16(p + at, edges[kit_below(rng, STRATA_COUNT(edges))]);
		break;
	case 3:
		return at;
	case 4:
		more = kit_below(rng, 64);
		for (; more != 0 && length < most; more--)
			p[length++] = (uint8_t)kit_random(rng);
		break;
	default:
		p[at] = (uint8_t)kit_random(rng);
		break;
	}
	return length;
}

static uint32_t learned_bytes(const struct kit_corpus *corpus, uint8_t *p, uint32_t most, uint64_t *rng)
{
	uint32_t which = kit_below(rng, corpus->count), length = corpus->entries[which].length, changes;

	if (length > most)
		length = most;
	memcpy(p, corpus->entries[which].bytes, length);
	for (changes = kit_below(rng, 4); changes != 0; changes--)
		length = change(p, length, most, rng);
	return length;
}

/* Where the checksums of the protocols that everybody knows are, or anywhere; half with a pseudo-header. */
static uint32_t sum_place(uint32_t length, uint64_t *rng)
{
	static const uint8_t usual[] = { 2, 6, 16, 10 };
	uint32_t place;

	if (length < 4 || kit_chance(rng, 4))
		return UINT32_MAX;
	place = kit_chance(rng, 4) ? kit_below(rng, length / 2) * 2 : usual[kit_below(rng, 4)];
	return place | kit_below(rng, 2);
}

void kit_packet_make(struct kit *kit, const struct kit_corpus *corpus, uint64_t *rng, uint32_t most,
		     struct kit_packet *packet)
{
	uint32_t length;
	uint8_t *p;

	packet->offset = lower_header(kit);
	p = packet->bytes + packet->offset;
	if (corpus->count != 0 && kit_chance(rng, 2))
		length = learned_bytes(corpus, p, most, rng);
	else
		length = random_bytes(p, most, rng);
	if (kit->subject->kind == STRATA_TRANSPORT && length >= 4 && kit_chance(rng, 3))
		strata_put_be16(p + 2, KIT_PORT);
	kit_packet_finish(kit, packet, length, sum_place(length, rng));
	if (kit->subject->kind == STRATA_NETWORK && kit_chance(rng, 4))
		memset(packet->bytes, 0xff, 6);
	if (kit->subject->kind == STRATA_TRANSPORT && kit_chance(rng, 16)) {
		packet->bytes[19] = 255;
		strata_put_be16(packet->bytes + 10, 0);
		strata_put_be16(packet->bytes + 10,
				(uint16_t)~strata_csum_fold(strata_csum_add(packet->bytes, IPV4_HEADER, 0)));
	}
}

/* ---- giving them ---- */

/* All linear bytes at the very end of the packet's memory, so that none beyond them can be read. */
static struct strata_pkt *build_tight(struct kit_rig *rig, const uint8_t *bytes, uint32_t length)
{
	struct strata_pkt *pkt = strata_pkt_alloc(rig->stack, STRATA_PKT_LARGE - length, length);
	uint32_t room;

	if (pkt == NULL)
		return NULL;
	room = strata_pkt_tailroom(pkt);
	memcpy(strata_pkt_put(pkt, room) + room - length, bytes, length);
	strata_pkt_pull(pkt, room - length);
	return pkt;
}

/* The same of a fragment. */
static bool append_piece(struct kit_rig *rig, struct strata_pkt *pkt, const uint8_t *bytes, uint32_t length)
{
	struct strata_chunk *chunk = strata_chunk_alloc(rig->stack, length);
	bool ok;

	if (chunk == NULL)
		return false;
	memcpy(chunk->data + chunk->size - length, bytes, length);
	ok = strata_pkt_append_chunk(pkt, chunk, chunk->size - length, length) == 0;
	strata_chunk_put(chunk);
	return ok;
}

struct strata_pkt *kit_packet_build(struct kit_rig *rig, const uint8_t *bytes, uint32_t length,
				    uint32_t split, uint32_t piece)
{
	const uint32_t most = STRATA_PKT_LARGE - STRATA_HEADROOM;
	uint32_t linear = split < length ? split : length;
	struct strata_pkt *pkt;

	if (linear > most)
		linear = most;
	if (piece < (length - linear + STRATA_PKT_FRAGS - 1) / STRATA_PKT_FRAGS)
		piece = (length - linear + STRATA_PKT_FRAGS - 1) / STRATA_PKT_FRAGS;
	if (piece == 0 || piece > STRATA_CHUNK_SIZE)
		piece = STRATA_CHUNK_SIZE;
	pkt = build_tight(rig, bytes, linear);
	while (pkt != NULL && linear < length) {
		uint32_t n = length - linear < piece ? length - linear : piece;

		if (!append_piece(rig, pkt, bytes + linear, n)) {
			strata_pkt_free(pkt);
			pkt = NULL;
		}
		linear += n;
	}
	return pkt;
}

/* Link modules get frames: a framing as such, a driver that stands on another from below. */
static enum strata_verdict give(struct kit_rig *rig, struct strata_pkt *pkt)
{
	const struct strata_module *module = rig->kit->module;
	struct strata_iface *lower = strata_iface_by_name(rig->stack, "l0");

	if (module->kind == STRATA_LINK && module->link->open == NULL && module->link->input != NULL) {
		pkt->iface = rig->iface;
		return module->link->input(rig->self, rig->iface, pkt);
	}
	return strata_iface_input(lower != NULL ? lower : rig->iface, pkt);
}

enum strata_verdict kit_packet_give(struct kit_rig *rig, struct strata_pkt *pkt)
{
	enum strata_verdict verdict = give(rig, pkt);

	strata_run(rig->stack, rig->env.now);
	return verdict;
}

enum strata_verdict kit_packet_input(struct kit_rig *rig, const struct kit_packet *packet,
				     uint32_t split, uint32_t piece)
{
	struct strata_pkt *pkt = kit_packet_build(rig, packet->bytes, packet->length, split, piece);

	return pkt != NULL ? kit_packet_give(rig, pkt) : STRATA_DROPPED;
}

const char *kit_packet_text(const struct kit_packet *packet, char buf[160])
{
	uint32_t length = packet->length - packet->offset, i;
	size_t at = (size_t)snprintf(buf, 160, "%u bytes:", length);

	for (i = 0; i < length && i < 48; i++)
		at += (size_t)snprintf(buf + at, 160 - at, "%s%02x", i % 4 == 0 ? " " : "",
				       packet->bytes[packet->offset + i]);
	if (i < length)
		snprintf(buf + at, 160 - at, " …");
	return buf;
}
