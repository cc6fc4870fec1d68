/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a module does with packets: any bytes, in any shape, with memory and without. Whatever they are, each
 * is consumed once, discarded with a reason or used, and nothing of it is left at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "kit.h"

/* Local choices. */
enum {
	STACKS = 4,			/* that the packets are spread over, each from another seed */
	MOST = 600,			/* bytes of an ordinary packet */
	SHORT = 96,			/* bytes of one that is cut at each length */
	BASES = 48,			/* packets that are cut, split, … */
	LARGE_EACH = 300,
	FAILURES_MOST = 400,		/* allocations that are let fail for one packet */
	REST = 3600,			/* seconds in which all must come to rest */
};

/* ---- what all share ---- */

/* Two stacks that are given the same: they must do the same. */
struct pair {
	struct kit_rig a, b;
	struct kit_view seen_a, seen_b;
};

struct input {
	struct kit *kit;
	uint64_t rng;
	struct kit_corpus corpus;
	struct kit_packet packet;
	struct pair pair;
};

/* Of a process that ends after one check: it needs no free. */
static struct input *input_new(struct kit *kit)
{
	struct input *in = calloc(1, sizeof(*in));

	if (in == NULL)
		abort();
	in->kit = kit;
	in->rng = kit->seed;
	kit_corpus_learn(kit, &in->corpus);
	return in;
}

static void finish(struct kit_rig *rig)
{
	kit_step(rig->kit, "an hour later");
	kit_serve(rig);
	kit_hang_up(rig);
	kit_rig_pass(rig, REST * STRATA_SEC);
	kit_step(rig->kit, "the stack ends after that");
	kit_rig_close(rig);
}

static bool receives(struct kit *kit)
{
	const struct strata_module *m = kit->module;
	bool ok = m->kind == STRATA_NETWORK ? m->network->input != NULL :
		m->kind == STRATA_TRANSPORT ? m->transport->input != NULL :
		m->link->input != NULL || m->link->lower_input != NULL;

	if (!ok)
		kit_skip(kit, "it has no input operation");
	return ok;
}

/* ---- any packets ---- */

/* Every packet that came to an end says how. */
static void account(struct kit *kit, const struct kit_view *before, const struct kit_view *after,
		    enum strata_verdict verdict, size_t blocks)
{
	static const char text[] = "return strata_drop(self, pkt, REASON) where a packet is not used, and "
		"strata_count() where it is";
	uint64_t drops = kit_view_drops(after) - kit_view_drops(before);

	if (verdict != STRATA_ACCEPTED && verdict != STRATA_DROPPED)
		kit_fault(kit, NULL, text, "returned the verdict %d, which is none", (int)verdict);
	else if (verdict == STRATA_DROPPED && drops == 0)
		kit_fault(kit, NULL, text, "said that it dropped a packet and counted no reason");
	else if (blocks == 0 && kit_view_idle(before, after))
		kit_fault(kit, NULL, text, "a packet is gone and nothing tells: no counter, no drop reason, "
			  "nothing sent, nothing kept");
}

static void fuzz_one(struct input *in, struct kit_rig *rig, unsigned int number)
{
	struct kit *kit = in->kit;
	struct kit_view *before = &in->pair.seen_a, *after = &in->pair.seen_b;
	size_t blocks = rig->env.blocks;
	enum strata_verdict verdict;
	uint32_t split = UINT32_MAX;
	char text[160];

	kit_packet_make(kit, &in->corpus, &in->rng, MOST, &in->packet);
	if (kit_chance(&in->rng, 4))
		split = kit_below(&in->rng, in->packet.length + 1);
	kit_step(kit, "packet %u, %s", number, kit_packet_text(&in->packet, text));
	kit_view_take(rig, before);
	verdict = kit_packet_input(rig, &in->packet, split, 1 + kit_below(&in->rng, 64));
	kit_view_take(rig, after);
	account(kit, before, after, verdict, rig->env.blocks != blocks);
	if (kit_chance(&in->rng, 32)) {
		kit_serve(rig);
		kit_rig_pass(rig, kit_below(&in->rng, 10) * STRATA_SEC);
	}
}

void kit_check_fuzz(struct kit *kit)
{
	struct input *in;
	unsigned int stack, i, each = (kit->packets + STACKS - 1) / STACKS;
	size_t peak = 0;

	if (!receives(kit))
		return;
	in = input_new(kit);
	for (stack = 0; stack < STACKS && !kit_failed(kit); stack++) {
		struct kit_rig *rig = &in->pair.a;

		if (!kit_rig_must(kit, rig, &(struct kit_setup){ .seed = kit->seed + stack }))
			return;
		kit_listen(rig);
		for (i = 0; i < each && !kit_failed(kit); i++)
			fuzz_one(in, rig, stack * each + i);
		peak = rig->env.peak > peak ? rig->env.peak : peak;
		finish(rig);
	}
	kit_done(kit, "%u packets, %u of them learned from its own; at most %zu KiB of memory", each * STACKS,
		 in->corpus.count, peak / 1024);
}

/* ---- pairs ---- */

static bool open_pair(struct input *in, uint8_t fill)
{
	struct kit *kit = in->kit;

	if (!kit_rig_must(kit, &in->pair.a, &(struct kit_setup){ .host = 1 }))
		return false;
	if (!kit_rig_must(kit, &in->pair.b, &(struct kit_setup){ .host = 1, .fill = fill })) {
		kit_rig_close(&in->pair.a);
		return false;
	}
	kit_listen(&in->pair.a);
	kit_listen(&in->pair.b);
	return true;
}

static void close_pair(struct input *in)
{
	finish(&in->pair.a);
	finish(&in->pair.b);
}

/* Whether both have done the same up to here. */
static bool same(struct input *in, char why[200])
{
	kit_view_take(&in->pair.a, &in->pair.seen_a);
	kit_view_take(&in->pair.b, &in->pair.seen_b);
	return kit_view_same(&in->pair.seen_a, &in->pair.seen_b, why);
}

static void pass_both(struct input *in)
{
	kit_serve(&in->pair.a);
	kit_serve(&in->pair.b);
	kit_rig_pass(&in->pair.a, STRATA_SEC);
	kit_rig_pass(&in->pair.b, STRATA_SEC);
}

/* ---- cut at each length ---- */

static void cut(struct input *in, uint32_t length, uint32_t sum)
{
	char text[160], why[200];

	kit_packet_finish(in->kit, &in->packet, length, sum);
	kit_step(in->kit, "a packet cut to %s", kit_packet_text(&in->packet, text));
	kit_packet_input(&in->pair.a, &in->packet, UINT32_MAX, 0);
	kit_packet_input(&in->pair.b, &in->packet, UINT32_MAX, 0);
	if (!same(in, why))
		kit_fault(in->kit, NULL, "compare strata_pkt_length() with what the header needs, and read "
			  "it through strata_pkt_header(), before anything of it is used",
			  "what it does depends on bytes that are not the packet's: %s", why);
}

void kit_check_truncated(struct kit *kit)
{
	static const uint32_t sums[] = { UINT32_MAX, 2, 3, 6, 7, 17 };
	struct input *in;
	unsigned int i, n = 0;
	uint32_t length;

	if (!receives(kit))
		return;
	in = input_new(kit);
	if (!open_pair(in, 0x5a))
		return;
	for (i = 0; i < BASES && !kit_failed(kit); i++) {
		uint32_t sum = sums[i % STRATA_COUNT(sums)];

		kit_packet_make(kit, &in->corpus, &in->rng, SHORT, &in->packet);
		for (length = in->packet.length - in->packet.offset + 1; length-- != 0 && !kit_failed(kit); n++)
			cut(in, length, sum);
		pass_both(in);
	}
	/* Below its own header there is another that may be cut. */
	for (length = in->packet.offset; length != 0 && !kit_failed(kit); length--) {
		in->packet.length = length;
		kit_step(kit, "a frame of %u bytes", length);
		kit_packet_input(&in->pair.a, &in->packet, UINT32_MAX, 0);
		kit_packet_input(&in->pair.b, &in->packet, UINT32_MAX, 0);
	}
	close_pair(in);
	kit_done(kit, "%u packets at each of their lengths, %u in all", BASES, n);
}

/* ---- in fragments ---- */

static void split(struct input *in, uint32_t at, uint32_t piece)
{
	char text[160], why[200];

	kit_step(in->kit, "in fragments from byte %u on, %u bytes each: %s", at, piece,
		 kit_packet_text(&in->packet, text));
	kit_packet_input(&in->pair.a, &in->packet, UINT32_MAX, 0);
	kit_packet_input(&in->pair.b, &in->packet, at, piece);
	/* Packets in fragments keep more memory busy: what limits that must not make a difference. */
	kit_serve(&in->pair.a);
	kit_serve(&in->pair.b);
	if (!same(in, why))
		kit_fault(in->kit, NULL, "read headers through strata_pkt_header() and payload through "
			  "strata_pkt_read(), never beyond pkt->len",
			  "the same packet has another result in fragments than in one piece: %s", why);
}

void kit_check_fragments(struct kit *kit)
{
	struct input *in;
	unsigned int i, n = 0;
	uint32_t at;

	if (!receives(kit))
		return;
	in = input_new(kit);
	if (!open_pair(in, 0))
		return;
	for (i = 0; i < BASES && !kit_failed(kit); i++) {
		kit_packet_make(kit, &in->corpus, &in->rng, SHORT, &in->packet);
		for (at = 0; at <= in->packet.length && !kit_failed(kit); at++, n++)
			split(in, at, 1 + kit_below(&in->rng, 24));
		pass_both(in);
	}
	close_pair(in);
	kit_done(kit, "%u packets split at each byte, %u in all", BASES, n);
}

/* ---- large ---- */

static void large_one(struct input *in, struct kit_rig *rig, unsigned int number)
{
	static const uint8_t types[] = { STRATA_SEG_NONE, STRATA_SEG_STREAM, STRATA_SEG_DATAGRAM };
	uint32_t room = STRATA_PKT_MAX - 20, length;
	struct strata_pkt *pkt;

	kit_packet_make(in->kit, &in->corpus, &in->rng, SHORT, &in->packet);
	length = in->packet.length - in->packet.offset;
	length += kit_below(&in->rng, room - length + 1);
	/* What is beyond the changed bytes is of packets before; whatever it is will do. */
	kit_packet_finish(in->kit, &in->packet, length, 2 * kit_below(&in->rng, 10) + kit_below(&in->rng, 2));
	kit_step(in->kit, "packet %u, of %u bytes", number, length);
	pkt = kit_packet_build(rig, in->packet.bytes, in->packet.length, kit_below(&in->rng, 128),
			       STRATA_CHUNK_SIZE);
	if (pkt == NULL)
		return;
	pkt->seg_type = types[kit_below(&in->rng, 3)];
	if (pkt->seg_type != STRATA_SEG_NONE)
		pkt->seg_size = (uint16_t)(1 + kit_below(&in->rng, kit_chance(&in->rng, 2) ? 1460 : 65535));
	if (kit_chance(&in->rng, 2))
		pkt->csum = STRATA_CSUM_VERIFIED;
	kit_packet_give(rig, pkt);
	if (kit_chance(&in->rng, 8)) {
		kit_serve(rig);
		kit_rig_pass(rig, STRATA_SEC);
	}
}

void kit_check_large(struct kit *kit)
{
	struct input *in;
	unsigned int i;

	if (!receives(kit))
		return;
	in = input_new(kit);
	if (!kit_rig_must(kit, &in->pair.a, &(struct kit_setup){ 0 }))
		return;
	kit_listen(&in->pair.a);
	for (i = 0; i < LARGE_EACH && !kit_failed(kit); i++)
		large_one(in, &in->pair.a, i);
	finish(&in->pair.a);
	kit_done(kit, "%u packets of up to %u bytes", LARGE_EACH, STRATA_PKT_MAX - 20);
}

/* ---- without memory ---- */

/* The packet again and again, each time with a later allocation failing, until none does. */
static unsigned int starve(struct input *in, struct kit_rig *rig, bool forever)
{
	uint32_t split = kit_chance(&in->rng, 2) ? UINT32_MAX : kit_below(&in->rng, 64);
	unsigned int k;
	char text[160];

	for (k = 1; k <= FAILURES_MOST && !kit_failed(in->kit); k++) {
		uint64_t failed = rig->env.failed;
		struct strata_pkt *pkt = kit_packet_build(rig, in->packet.bytes, in->packet.length, split, 16);

		kit_step(in->kit, "allocation %u%s fails while it works on %s", k,
			 forever ? " and all after it" : "", kit_packet_text(&in->packet, text));
		kit_env_fail(&rig->env, k, forever);
		if (pkt != NULL)
			kit_packet_give(rig, pkt);
		kit_serve(rig);
		if (k % 4 == 0)
			kit_rig_pass(rig, STRATA_SEC);
		kit_env_fail(&rig->env, 0, false);
		if (rig->env.failed == failed)
			break;
	}
	return k;
}

void kit_check_memory(struct kit *kit)
{
	struct input *in;
	unsigned int i, n = 0;

	if (!receives(kit))
		return;
	in = input_new(kit);
	if (!kit_rig_must(kit, &in->pair.a, &(struct kit_setup){ 0 }))
		return;
	kit_listen(&in->pair.a);
	for (i = 0; i < 4 * BASES && !kit_failed(kit); i++) {
		kit_packet_make(kit, &in->corpus, &in->rng, MOST, &in->packet);
		n += starve(in, &in->pair.a, i % 2 != 0);
		kit_rig_pass(&in->pair.a, STRATA_SEC);
	}
	finish(&in->pair.a);
	kit_done(kit, "%u packets, %u allocations that failed", 4 * BASES, n);
}

/* ---- two stacks ---- */

/* A stack alone, and one like it beside another that is given other things: they must not differ. */
void kit_check_stacks(struct kit *kit)
{
	struct kit_packet *other = malloc(sizeof(*other));
	struct kit_rig beside;
	struct input *in;
	unsigned int i;
	uint64_t rng;
	char why[200];

	if (!receives(kit) || other == NULL)
		return;
	in = input_new(kit);
	kit_step(kit, "a stack alone");
	rng = in->rng;
	if (!kit_rig_must(kit, &in->pair.a, &(struct kit_setup){ 0 }))
		return;
	for (i = 0; i < 4 * BASES; i++) {
		kit_packet_make(kit, &in->corpus, &rng, SHORT, &in->packet);
		kit_packet_input(&in->pair.a, &in->packet, UINT32_MAX, 0);
	}
	kit_view_take(&in->pair.a, &in->pair.seen_a);
	kit_step(kit, "the same beside another stack");
	rng = in->rng;
	if (!kit_rig_must(kit, &beside, &(struct kit_setup){ .seed = kit->seed + 7 }) ||
	    !kit_rig_must(kit, &in->pair.b, &(struct kit_setup){ 0 }))
		return;
	for (i = 0; i < 4 * BASES; i++) {
		kit_packet_make(kit, &in->corpus, &in->rng, SHORT, other);
		kit_packet_make(kit, &in->corpus, &rng, SHORT, &in->packet);
		kit_packet_input(&beside, other, UINT32_MAX, 0);
		kit_packet_input(&in->pair.b, &in->packet, UINT32_MAX, 0);
	}
	kit_view_take(&in->pair.b, &in->pair.seen_b);
	if (!kit_view_same(&in->pair.seen_a, &in->pair.seen_b, why))
		kit_fault(kit, "two stacks in one process", "keep all state behind self->state and "
			  "self->config, none in globals or statics",
			  "what it does depends on another stack of the process: %s", why);
	kit_rig_close(&beside);
	kit_rig_close(&in->pair.a);
	kit_rig_close(&in->pair.b);
	free(other);
	kit_done(kit, "%u packets, alone and beside another stack", 4 * BASES);
}
