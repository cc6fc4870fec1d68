/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of sockets: shared by socket.c, sockcall.c and sockopt.c. */
#ifndef STRATA_KERNEL_SOCKET_INT_H
#define STRATA_KERNEL_SOCKET_INT_H

#include "kernel.h"

/* Bits of strata_socket.shutdown. */
enum {
	SOCKET_SHUT_RD = 1 << 0,
	SOCKET_SHUT_WR = 1 << 1,
};

static inline const struct strata_transport_ops *socket_ops(const struct strata_socket *sock)
{
	return sock->transport->module->transport;
}

/* The socket in that slot, a gone one too. Returns 0 or -EBADF. */
int socket_get_any(struct kernel *k, int s, struct strata_socket **out);
/* Has the transport give a socket that rests its whole structure: `*sock` is where it is then. Returns 0 or
 * -ENOBUFS. */
int socket_wake(struct strata_socket **sock);
/* The same for calls that reach the transport: -ENETDOWN when it went, -ENOBUFS when it cannot be woken. */
int socket_get(struct kernel *k, int s, struct strata_socket **out);

/* Finds the lowest free slot and makes sure of its memory, without taking it. Returns it, -EMFILE or
 * -ENOBUFS. */
int socket_slot_find(struct kernel *k);
void socket_slot_take(struct kernel *k, int slot, struct strata_socket *sock);
/* Gives the slot up and lets the transport end the socket. */
void socket_close(struct kernel *k, struct strata_socket *sock);

/* A socket of `transport` with the kernel's defaults, in no slot; NULL when memory is short. */
struct strata_socket *socket_alloc(struct kernel *k, struct strata_instance *transport,
				   struct strata_instance *network);
/* Claims the port and tells the transport; `bound` of enum strata_bound is what the application chose.
 * Returns 0 or -errno. */
int socket_bind(struct strata_socket *sock, const struct strata_addr *addr, uint16_t port,
		uint8_t bound);
/* "Any" of the socket's family. */
struct strata_addr socket_any(const struct strata_socket *sock);

/* What few sockets need. */
struct strata_socket_extra {
	struct strata_membership *memberships;	/* groups joined through this socket */
	uint32_t priority, mark;		/* SO_PRIORITY, SO_MARK: kept for the application */
	/* The error queue and time stamps (report.c). */
	struct report *reports, *report_tail;
	uint32_t report_bytes;
	uint32_t stamping;			/* SO_TIMESTAMPING: SOF_TIMESTAMPING_… */
	uint32_t stamp_key;			/* of the next datagram, with SOF_TIMESTAMPING_OPT_ID */
	struct stamp_wanted *stamps;		/* newest first */
	/* MSG_ZEROCOPY (zerocopy.c): calls whose buffers are in use, newest first; the next one's number. */
	struct strata_zerocopy *zerocopies;
	uint32_t zerocopy_next, zerocopy_count;
	struct strata_socket *sock;		/* while the following link it */
	struct strata_socket_extra *stamping_next, **stamping_link;
};
/* The socket's, made at the first call; NULL when memory is short. */
struct strata_socket_extra *socket_extra(struct strata_socket *sock);

/* The error queue has something new: EPOLLERR is told. */
void socket_raise_error(struct strata_socket *sock);
/* EPOLLERR is what SO_ERROR and the error queue say. */
void socket_settle_error(struct strata_socket *sock);

/* ---- report.c ---- */

bool socket_reports(const struct strata_socket *sock);
void socket_report_purge(struct strata_socket *sock);
/* recvmsg(2) with MSG_ERRQUEUE: where the packet was going comes back in `to` and `port`. */
ssize_t socket_report_receive(struct strata_socket *sock, struct msghdr *msg,
			      struct strata_addr *to, uint16_t *port);
int socket_stamping_set(struct strata_socket *sock, uint32_t flags);
void socket_stamp_purge(struct strata_socket *sock);

/* Memory for a report that must not fail later: given back by socket_report_done(), which tells that
 * the buffers of call `id` are free, or by strata_free(). */
struct report *socket_report_reserve(struct strata_socket *sock);
void socket_report_done(struct strata_socket *sock, struct report *report, uint32_t id, bool copied);

/* Nobody is told of the buffers still in use (zerocopy.c). */
void socket_zerocopy_detach(struct strata_socket *sock);

/* Options of SOL_SOCKET. */
int sockopt_set(struct strata_socket *sock, int name, const void *value, socklen_t length);
int sockopt_get(struct strata_socket *sock, int name, void *value, socklen_t *length);
/* Leaves all groups. */
void membership_clear(struct strata_socket *sock);
/* Leaves the groups on an interface that goes. */
void membership_iface_gone(struct strata_socket *sock, struct strata_iface *iface);

#endif
