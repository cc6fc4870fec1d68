/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets in BSD shape, for services, embedders and applications. Numbers and structures are Linux's.
 * Every call returns a result ≥ 0 or -errno, never blocks (-EAGAIN where it would), and leaves the
 * thread's errno alone. A socket is a small number of its stack, the lowest free.
 */
#ifndef STRATA_SOCKET_H
#define STRATA_SOCKET_H

#include <sys/epoll.h>
#include <sys/socket.h>
#include <strata/base.h>

STRATA_BEGIN_DECLS

/** In msg_flags of strata_recvmsg(): the datagram was sent to a broadcast or multicast address, so that a
 *  server can keep silent (RFC 1122 4.1.3.5 lets the application know). Not a flag of Linux. */
#define STRATA_MSG_MANY 0x01000000

/** socket(2). SOCK_NONBLOCK and SOCK_CLOEXEC are accepted and mean nothing. Returns the socket, or
 *  -EAFNOSUPPORT, -EPROTONOSUPPORT (no such transport is bound), -ESOCKTNOSUPPORT, -EMFILE, -ENOBUFS. */
STRATA_API int strata_socket(struct strata_stack *stack, int domain, int type, int protocol);
STRATA_API int strata_bind(struct strata_stack *stack, int s, const struct sockaddr *addr,
			   socklen_t length);
STRATA_API int strata_listen(struct strata_stack *stack, int s, int backlog);
/** Returns a new socket or -EAGAIN, -EINVAL (not listening), -EOPNOTSUPP, -EMFILE, -ECONNABORTED. */
STRATA_API int strata_accept(struct strata_stack *stack, int s, struct sockaddr *addr,
			     socklen_t *length);
/** -EINPROGRESS once a stream's handshake is under way; EPOLLOUT tells its end, SO_ERROR how. */
STRATA_API int strata_connect(struct strata_stack *stack, int s, const struct sockaddr *addr,
			      socklen_t length);
STRATA_API ssize_t strata_send(struct strata_stack *stack, int s, const void *buf, size_t length,
			       int flags);
STRATA_API ssize_t strata_recv(struct strata_stack *stack, int s, void *buf, size_t length,
			       int flags);
STRATA_API ssize_t strata_sendto(struct strata_stack *stack, int s, const void *buf, size_t length,
				 int flags, const struct sockaddr *addr, socklen_t addr_length);
STRATA_API ssize_t strata_recvfrom(struct strata_stack *stack, int s, void *buf, size_t length,
				   int flags, struct sockaddr *addr, socklen_t *addr_length);
STRATA_API ssize_t strata_sendmsg(struct strata_stack *stack, int s, const struct msghdr *msg,
				  int flags);
STRATA_API ssize_t strata_recvmsg(struct strata_stack *stack, int s, struct msghdr *msg, int flags);
STRATA_API int strata_shutdown(struct strata_stack *stack, int s, int how);
STRATA_API int strata_close(struct strata_stack *stack, int s);
STRATA_API int strata_getsockopt(struct strata_stack *stack, int s, int level, int name, void *value,
				 socklen_t *length);
STRATA_API int strata_setsockopt(struct strata_stack *stack, int s, int level, int name,
				 const void *value, socklen_t length);
STRATA_API int strata_getsockname(struct strata_stack *stack, int s, struct sockaddr *addr,
				  socklen_t *length);
STRATA_API int strata_getpeername(struct strata_stack *stack, int s, struct sockaddr *addr,
				  socklen_t *length);
/** SIOCINQ, SIOCOUTQ, SIOCOUTQNSD: `*value` receives bytes. Returns 0, -ENOTTY, -EINVAL. */
STRATA_API int strata_ioctl(struct strata_stack *stack, int s, unsigned long request, int *value);

/** What holds now: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP, EPOLLPRI. -EBADF. */
STRATA_API int strata_events(struct strata_stack *stack, int s);

/** Called after a batch when something of `events` has newly come true since the last call; and once
 *  for what already holds when it is set. May use any socket call on any socket, close included. */
typedef void strata_notify_fn(struct strata_stack *stack, int s, uint32_t events, void *arg);
/** Sets the socket's callback (NULL: none). `arg` is the caller's. Returns 0 or -EBADF. */
STRATA_API int strata_notify(struct strata_stack *stack, int s, strata_notify_fn *fn, void *arg);

STRATA_END_DECLS
#endif
