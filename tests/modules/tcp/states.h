/* SPDX-License-Identifier: BSD-2-Clause */
/* Scenarios of TCP: how a connection of fx->conn is brought into each of its states. */
#ifndef TEST_TCP_STATES_H
#define TEST_TCP_STATES_H

#include <netinet/tcp.h>

#include "play.h"

/* What the peer of reach() offers. */
enum { MSS = 1000 };

/* tcpi_state. */
int tcp_state_of(struct fixture *fx, int s);
struct tcp_info tcp_info_of(struct fixture *fx, int s);
/* A socket listening on port 80 and a connection accepted by it, with MSS and no other option. */
int tcp_connected(struct fixture *fx);
/* The same, past the first ACKs that are sent at once: they are delayed. */
int tcp_connected_slow(struct fixture *fx);
/* A connection accepted at port 80 whose handshake took `ms`: the first round-trip time. */
int tcp_distant(struct fixture *fx, uint64_t ms, bool sack, bool ts);
/* The stack has sent `count` segments of MSS bytes, the first at `seq`. */
void tcp_segments(struct fixture *fx, int64_t seq, unsigned int count);
/* A connection in `state` (TCP_ESTABLISHED …), accepted at port 80, all that was sent acknowledged but
 * where the state forbids it. The socket is open, half or fully shut down. TCP_SYN_RECV: a half-open
 * connection, -1; TCP_LISTEN: the listener; TCP_SYN_SENT: connecting to port 80. */
int tcp_reach(struct fixture *fx, int state);
const char *tcp_state_text(int state);

#endif
