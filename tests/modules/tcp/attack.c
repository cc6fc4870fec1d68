/* SPDX-License-Identifier: BSD-2-Clause */
/* The attacker's packets, the witness, and what must hold after every attack. */
#include "attack.h"

enum { WITNESS_PORT = 50000, CHUNK = 100, PACE = 1000, PING_MS = 100, QUIET_MS = 400000 };

static uint64_t all_drops(const struct attack *a)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < a->tcp->module->drop_count; i++)
		sum += a->tcp->drops[i];
	return sum;
}

uint64_t attack_drops(const struct attack *a, const char *reason)
{
	return fx_drops(a->fx, "tcp", reason);
}

uint32_t attack_below(struct attack *a, uint32_t bound)
{
	return (uint32_t)(fx_random(&a->rng) % bound);
}

/* ---- the witness ---- */

const struct fx_pkt *attack_answer(struct attack *a, uint16_t port)
{
	const struct fx_pkt *pkt;

	while ((pkt = fx_next(a->fx)) != NULL)
		if (pkt->ip.proto == FX_IP_TCP && pkt->tcp.dport == port)
			return pkt;
	return NULL;
}

/* A few bytes each way, which come whole and at once. */
static void witness(struct attack *a)
{
	struct fixture *fx = a->fx;
	uint8_t bytes[CHUNK], wanted[CHUNK];
	const struct fx_pkt *pkt;

	fx_pattern_fill(wanted, CHUNK, a->carried);
	fx_discard(fx);
	rx(ACK, .len = CHUNK, .conn = &a->witness);
	fx_check(fx, __FILE__, __LINE__);
	assert_int_equal(fx_recv(fx, a->s, bytes, CHUNK), CHUNK);
	assert_memory_equal(bytes, wanted, CHUNK);
	assert_int_equal(fx_send(fx, a->s, wanted, CHUNK), CHUNK);
	do {
		pkt = attack_answer(a, WITNESS_PORT);
		assert_non_null(pkt);
	} while (pkt->payload_len == 0);
	assert_int_equal(pkt->payload_len, CHUNK);
	assert_memory_equal(pkt->payload, wanted, CHUNK);
	a->carried += CHUNK;
	a->witness.stack_nxt = 1 + a->carried;
	rx(ACK, .conn = &a->witness);
}

static void ping(struct attack *a)
{
	struct fixture *fx = a->fx;
	const struct fx_pkt *pkt;

	fx_discard(fx);
	rx_icmp(.type = 8, .id = 7, .seq = (int64_t)a->round, .text = "still there?");
	fx_wait_frame(fx, PING_MS * STRATA_MS);
	while ((pkt = fx_next(fx)) != NULL)
		if (pkt->ip.proto == FX_IP_ICMP && pkt->icmp.type == 0 && pkt->icmp.id == 7)
			return;
	fx_fail(fx, __FILE__, __LINE__, "no ping was answered");
}

/* ---- the attacker ---- */

void attack_input(struct fixture *fx, const struct attack_segment *segment)
{
	const uint32_t source = segment->source != 0 ? segment->source : PEER_IP;
	const size_t header = 20 + segment->options_length;
	uint8_t bytes[20 + 40 + 1500] = { 0 }, frame[14 + 20 + sizeof(bytes)];
	const size_t length = header + segment->length;
	const struct fx_ip ip = { .src = source, .proto = FX_IP_TCP };
	size_t at;

	assert_true(length <= sizeof(bytes));
	strata_put_be16(bytes, segment->sport);
	strata_put_be16(bytes + 2, segment->dport != 0 ? segment->dport : ATTACK_PORT);
	strata_put_be32(bytes + 4, segment->seq);
	strata_put_be32(bytes + 8, segment->ack);
	bytes[12] = (uint8_t)((segment->offset != 0 ? segment->offset - 1 : header / 4) << 4);
	bytes[13] = segment->flags;
	strata_put_be16(bytes + 14, segment->win);
	strata_put_be16(bytes + 18, segment->urgent);
	if (segment->options_length != 0)
		memcpy(bytes + 20, segment->options, segment->options_length);
	if (segment->length != 0)
		memcpy(bytes + header, segment->text, segment->length);
	strata_put_be16(bytes + 16, fx_sum_finish(
		fx_sum(fx_sum_pseudo(source, STACK_IP, FX_IP_TCP, length), bytes, length)));
	at = fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_IP);
	at += fx_build_ip(frame + at, &ip, ++fx->ip_id, bytes, length);
	fx_input(fx, frame, at);
}

unsigned int attack_give(struct attack *a, const struct attack_segment *segment)
{
	const uint64_t before = all_drops(a);
	uint64_t more;

	attack_input(a->fx, segment);
	more = all_drops(a) - before;
	if (more > 1)
		fx_fail(a->fx, __FILE__, __LINE__, "%llu reasons for one discard",
			(unsigned long long)more);
	a->rejected += more;
	if (++a->packets % (a->pace != 0 ? a->pace : PACE) == 0)
		witness(a);
	return (unsigned int)more;
}

/* ---- the run ---- */

void attack_with(void (*run)(struct attack *a), const struct fx_config *config)
{
	struct attack a = { .rng = 1 };
	struct fixture *fx = fx_open_config(config, __FILE__, __LINE__);
	size_t bytes[2], blocks[2];

	a.fx = fx;
	a.tcp = fx_instance(fx, "tcp");
	a.listener = fx_listen_on(fx, ATTACK_PORT);
	a.witness = (struct fx_conn){ .peer_port = WITNESS_PORT, .stack_port = ATTACK_PORT };
	a.s = accept_one(a.listener, .mss = ATTACK_MSS, .conn = &a.witness);
	witness(&a);
	for (a.round = 0; a.round < 2; a.round++) {
		run(&a);
		witness(&a);
		ping(&a);
		/* Whatever was to end by itself has ended. */
		fx_discard(fx);
		fx_advance(fx, QUIET_MS);
		fx_discard(fx);
		witness(&a);
		bytes[a.round] = fx->bytes;
		blocks[a.round] = fx->blocks;
	}
	/* Caches keep what the first round made them grow to; the second finds that enough. */
	assert_true(bytes[1] <= bytes[0]);
	assert_true(blocks[1] <= blocks[0]);
	assert_int_equal(fx_counter(fx, "tcp", "half_open"), 0);
	assert_int_equal(fx_counter(fx, "tcp", "time_wait"), 0);
	assert_int_equal(fx_counter(fx, "tcp", "established"), 1);
	fx_close_at(fx, __FILE__, __LINE__);
}
