/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What RFC 9293 3.10.7 makes of one segment, as a model that stands on the RFCs' text alone and shares
 * nothing with the stack. Read 3.10.7.1 to 3.10.7.4 beside it, RFC 5961 3.2, 4.2, 5.2 and RFC 6191.
 */
#ifndef TEST_TCP_MODEL_H
#define TEST_TCP_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum model_state {
	MODEL_CLOSED, MODEL_LISTEN, MODEL_SYN_SENT, MODEL_SYN_RECEIVED, MODEL_ESTABLISHED,
	MODEL_FIN_WAIT_1, MODEL_FIN_WAIT_2, MODEL_CLOSE_WAIT, MODEL_CLOSING, MODEL_LAST_ACK,
	MODEL_TIME_WAIT, MODEL_STATES
};

enum {
	MODEL_FIN = 1, MODEL_SYN = 2, MODEL_RST = 4, MODEL_PSH = 8, MODEL_ACK = 16, MODEL_URG = 32,
};

/* The connection before the segment, RFC 9293 3.3.1. Numbers are as on the wire. */
struct model_tcb {
	enum model_state state;
	bool passive;			/* opened by the peer: somebody listens */
	uint32_t iss, snd_una, snd_nxt;
	uint32_t max_snd_wnd;		/* RFC 5961 5.2: the largest window the peer has offered */
	uint32_t irs, rcv_nxt, rcv_wnd;
};

struct model_segment {
	uint8_t flags;
	uint32_t seq, ack;
	uint32_t text;			/* bytes of it */
};

enum model_reply {
	MODEL_SILENCE, MODEL_SEND_ACK, MODEL_SEND_RST, MODEL_SEND_RST_ACK, MODEL_SEND_SYN_ACK,
};

/* Why a segment is discarded; what is taken has none. */
enum model_discard {
	MODEL_TAKEN,
	MODEL_NO_CONNECTION,		/* 3.10.7.1 */
	MODEL_STRAY_RST,		/* a reset of what is not there */
	MODEL_NO_CONTROL,		/* neither SYN nor ACK where a connection begins */
	MODEL_UNACCEPTABLE_SEQ,		/* 3.10.7.4 first */
	MODEL_RST_OUTSIDE,		/* … with RST */
	MODEL_RST_INEXACT,		/* RFC 5961 3.2 */
	MODEL_SYN_UNEXPECTED,		/* RFC 5961 4.2 */
	MODEL_SYN_AGAIN,		/* of a half-open connection */
	MODEL_NO_ACK,			/* 3.10.7.4 fifth */
	MODEL_UNACCEPTABLE_ACK,		/* … and RFC 5961 5.2 */
	MODEL_IGNORED,			/* the state has no use for it */
	MODEL_AFTER_FIN,		/* text or FIN beyond the peer's FIN */
};

/* What the user is told. */
enum model_signal { MODEL_NO_SIGNAL, MODEL_REFUSED, MODEL_RESET };

struct model_result {
	enum model_state state;
	enum model_reply reply;
	uint32_t reply_seq, reply_ack;
	enum model_discard discard;
	enum model_signal signal;
	uint32_t rcv_nxt;
	uint32_t delivered;		/* bytes of text given to the user */
	uint32_t held_seq, held_text;	/* text kept until the hole before it is filled */
	bool held_fin;			/* … with the FIN at its end */
	const char *step;		/* of the RFC, that decided */
};

struct model_result model_arrives(const struct model_tcb *tcb, const struct model_segment *segment);
const char *model_state_name(enum model_state state);

#endif
