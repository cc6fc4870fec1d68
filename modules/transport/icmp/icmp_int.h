/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of icmp: numbers of RFC 792, the limit on errors, and the parts its files give each
 * other. */
#ifndef ICMP_INT_H
#define ICMP_INT_H

#include <strata/network.h>
#include <strata/trace.h>
#include <strata/transport.h>

enum icmp_drop {
#define X(symbol, text, severity, mib) ICMP_DROP_##symbol,
#include "icmp_drops.def"
#undef X
	ICMP_DROPS,
};

enum icmp_counter {
#define X(symbol, name, help, mib) ICMP_##symbol,
#include "icmp_counters.def"
#undef X
	ICMP_COUNTERS,
};

/* RFC 792, RFC 950. */
enum icmp_type {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO_REQUEST = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
	ICMP_TIMESTAMP_REQUEST = 13,
	ICMP_TIMESTAMP_REPLY = 14,
	ICMP_INFORMATION_REQUEST = 15,
	ICMP_INFORMATION_REPLY = 16,
	ICMP_MASK_REQUEST = 17,
	ICMP_MASK_REPLY = 18,
};

#define ICMP_HEADER_SIZE 8
/* Offsets of the fields. */
#define ICMP_TYPE 0
#define ICMP_CODE 1
#define ICMP_CHECKSUM 2
#define ICMP_ID 4
#define ICMP_SEQUENCE 6
#define ICMP_POINTER 4
#define ICMP_NEXT_MTU 6

struct icmp_config {
	bool echo_broadcast, timestamp;
	uint64_t error_rate, error_burst, error_destination_rate;
};

/* A token bucket, kept as the debt of those who took from it: zeroed memory is a full one. */
struct icmp_bucket {
	uint64_t time;			/* when `debt` was reckoned */
	uint64_t debt;			/* ns until it is full again */
};

/* Local choice: destinations share this many buckets, by a keyed hash. */
#define ICMP_BUCKETS 1024

struct icmp_state {
	struct strata_hash_key hash_key;
	struct icmp_bucket host;
	struct icmp_bucket destinations[ICMP_BUCKETS];
};

/* Fills in the checksum of a message that begins at pkt->data. */
void icmp_checksum(struct strata_pkt *pkt);

/* ---- icmp_limit.c ---- */

/* May an error go to `to` now? Takes from the limits, and counts a refusal. */
bool icmp_limit(struct strata_instance *self, const struct strata_addr *to);

/* ---- icmp_error.c ---- */

/* An error came in, its fixed header being linear. Consumes. */
enum strata_verdict icmp_error_input(struct strata_instance *self, struct strata_pkt *pkt);
void icmp_report(struct strata_instance *self, const struct strata_pkt *pkt,
		 enum strata_net_error kind, uint32_t info);

/* ---- icmp_socket.c: SOCK_DGRAM with IPPROTO_ICMP, as Linux's ping sockets ---- */

struct icmp_socket {
	struct strata_socket sock;	/* first; its local port is the identifier */
	struct strata_pkt_queue received;
};

/* An echo reply, its fixed header being linear. Consumes. */
enum strata_verdict icmp_socket_input(struct strata_instance *self, struct strata_pkt *pkt);
/* An error about an echo request of ours. */
void icmp_socket_error(struct strata_instance *self, const struct strata_transport_error *error);
int icmp_socket_open(struct strata_socket *sock);
void icmp_socket_close(struct strata_socket *sock);
int icmp_socket_bound(struct strata_socket *sock);
int icmp_socket_connect(struct strata_socket *sock, const struct strata_addr *addr, uint16_t port);
int icmp_socket_disconnect(struct strata_socket *sock);
ssize_t icmp_socket_send(struct strata_socket *sock, const struct msghdr *msg,
			 const struct strata_addr *to, uint16_t port, int flags);
ssize_t icmp_socket_recv(struct strata_socket *sock, struct msghdr *msg, struct strata_addr *from,
			 uint16_t *port, int flags);
int icmp_socket_shutdown(struct strata_socket *sock, int how);
int icmp_socket_ioctl(struct strata_socket *sock, unsigned long request, int *value);
void icmp_socket_describe(const struct strata_flow *flow, const char **state, uint32_t *rx_queue,
			  uint32_t *tx_queue);
void icmp_socket_abort(struct strata_flow *flow, int error);

#endif
