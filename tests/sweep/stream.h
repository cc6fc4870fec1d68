/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scenario most of TCP's sweep is made of: a client and a server exchange streams whose bytes tell
 * their positions, while one of the two stacks runs out of memory somewhere in between.
 */
#ifndef TEST_SWEEP_STREAM_H
#define TEST_SWEEP_STREAM_H

#include "sweep.h"

struct stream_end {
	struct fixture *fx;
	int s;				/* -1: not yet */
	uint32_t key, peer_key;		/* of the streams sent and expected */
	uint32_t to_send, sent, received, wanted;
	bool shut;			/* has been shut, or is not to be yet */
	bool ended;
	bool again;			/* a call met a lack of memory: to be made again */
	int error;			/* that ended the connection */
};

enum stream_from { FROM_CONNECT, FROM_ESTABLISHED, FROM_CLOSE };
enum stream_side { CLIENT, SERVER };

struct stream_plan {
	enum stream_side side;		/* whose memory fails */
	enum stream_from from;		/* since when */
	uint32_t forth, back;		/* bytes; 0 and 0: none */
	uint32_t most;			/* bytes of one call; 0: 4000 */
	struct fx_link link;		/* delay 0: 1 ms */
	const char *modules, *options, *interface;
	unsigned int mtu;
	bool bare;
	bool warm;			/* an earlier connection has come and gone */
	uint64_t starved;		/* ns without memory at most; 0: 2 s */
	uint64_t pause;			/* ns that the server does not read for */
	/* Called for each end's socket: the client's before connect(), the listener's before listen(). */
	void (*prepare)(struct fixture *fx, int s);
	/* Called with both established, after sweep_begin(). */
	void (*during)(struct sweep *sw, struct stream_end *client, struct stream_end *server);
	int may_end_with;		/* an error that may end the connection; 0: none */
};

/* Runs the plan in sw->arg. */
void sweep_stream(struct sweep *sw);

#endif
