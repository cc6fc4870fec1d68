/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An attack on a stack that works meanwhile: a witness connection carries bytes both ways between the
 * attacker's packets, and what must hold after any attack is checked after each: the bytes came whole, a ping
 * is answered within 100 ms, memory is where it was, no packet had two reasons for its discard.
 */
#ifndef TEST_ATTACK_H
#define TEST_ATTACK_H

#include "fixture.h"

enum {
	ATTACK_PORT = 80,		/* where the stack listens */
	ATTACK_MSS = 1000,
};

struct attack {
	struct fixture *fx;
	const struct strata_instance *tcp;
	int listener;
	unsigned int round;		/* 0, then 1: the same attack again */
	uint64_t rng;
	/* The attacker's packets. */
	uint64_t packets, rejected;
	unsigned int pace;		/* packets between two looks at the witness; 0: 1,000 */
	/* The witness. */
	struct fx_conn witness;
	int s;
	uint32_t carried;		/* bytes each way */
};

/* One segment of the attacker, as on the wire; zeroed fields are what is natural. */
struct attack_segment {
	uint32_t source;		/* address; PEER_IP */
	uint16_t sport, dport;		/* dport: ATTACK_PORT */
	uint8_t flags;
	uint32_t seq, ack;
	uint16_t win, urgent;
	unsigned int offset;		/* words, plus 1; 0: right */
	const uint8_t *options;
	size_t options_length;		/* a multiple of 4 */
	const uint8_t *text;
	size_t length;
};

/* Opens a stack and the witness, lets `run` attack twice, each time with what must hold after it. */
#define attack(run, ...) \
	attack_with(run, &(const struct fx_config){ __VA_ARGS__ })
void attack_with(void (*run)(struct attack *a), const struct fx_config *config);

/* Gives the segment to the stack. Returns 1 when it was discarded, 0 when it was not; more fails the test.
 * Frames that the stack sends wait for fx_next(). */
unsigned int attack_give(struct attack *a, const struct attack_segment *segment);
/* The same without witness and oracle, for a fixture alone. */
void attack_input(struct fixture *fx, const struct attack_segment *segment);
/* The next frame to the attacker's port, whatever is before it is forgotten; NULL: none. */
const struct fx_pkt *attack_answer(struct attack *a, uint16_t port);
/* Packets discarded so far for a reason of tcp's. */
uint64_t attack_drops(const struct attack *a, const char *reason);
/* A number below `bound`. */
uint32_t attack_below(struct attack *a, uint32_t bound);

#endif
