/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BSD calls: arguments checked as Linux checks them (socket(7), POSIX.1-2017 2.10), then handed to
 * the socket's transport. Each public function is one entry into the stack.
 */
#include <errno.h>
#include <limits.h>

#include "flow_int.h"
#include "socket_int.h"

/* As Linux: UIO_MAXIOV. */
#define IOV_PARTS_MAX 1024
/* As Linux: SOCK_PACKET, the last type there is. */
#define SOCKET_TYPE_MAX 10

/* ---- socket(2) ---- */

static int find_modules(struct kernel *k, int domain, int type, int protocol,
			struct strata_instance **network, struct strata_instance **transport)
{
	const struct strata_address_ops *ops = strata_address_ops_af(&k->pub, domain);

	if (type < 0 || type > SOCKET_TYPE_MAX)
		return -EINVAL;
	*network = ops != NULL ? registry_network(k, ops->family) : NULL;
	if (*network == NULL || (*network)->module->network->output == NULL)
		return -EAFNOSUPPORT;
	if (type != SOCK_STREAM && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol < 0 || protocol > UINT8_MAX)
		return -EINVAL;
	*transport = protocol == 0 ? registry_default_transport(k, type) :
		registry_transport(k, (uint8_t)protocol);
	if (*transport == NULL || !transport_fits(*transport, type))
		return -EPROTONOSUPPORT;
	return 0;
}

static int socket_create(struct kernel *k, int domain, int type, int protocol)
{
	struct strata_instance *network, *transport;
	const struct strata_transport_ops *ops;
	struct strata_socket *sock;
	int err, slot;

	err = find_modules(k, domain, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), protocol, &network,
			   &transport);
	if (err < 0)
		return err;
	slot = socket_slot_find(k);
	if (slot < 0)
		return slot;
	sock = socket_alloc(k, transport, network);
	if (sock == NULL)
		return -ENOBUFS;
	ops = socket_ops(sock);
	err = ops->socket_open != NULL ? ops->socket_open(sock) : 0;
	if (err < 0) {
		strata_socket_free(sock);
		return err;
	}
	socket_slot_take(k, slot, sock);
	return slot;
}

int strata_socket(struct strata_stack *stack, int domain, int type, int protocol)
{
	struct kernel *k = kernel_of(stack);
	int s;

	kernel_enter(k);
	s = socket_create(k, domain, type, protocol);
	kernel_leave(k);
	return s;
}

int strata_close(struct strata_stack *stack, int s)
{
	struct kernel *k = kernel_of(stack);
	struct strata_socket *sock;
	int err;

	kernel_enter(k);
	err = socket_get_any(k, s, &sock);
	if (err == 0)
		socket_close(k, sock);
	kernel_leave(k);
	return err;
}

/* ---- addresses ---- */

static int address_parse(const struct strata_socket *sock, const struct sockaddr *sa,
			 socklen_t length, struct strata_addr *addr, uint16_t *port)
{
	const struct strata_address_ops *ops = strata_address_ops(sock->stack, sock->family);

	if (sa == NULL)
		return -EFAULT;
	if (ops == NULL)
		return -ENETDOWN;
	if (length < sizeof(sa->sa_family))
		return -EINVAL;
	memset(addr, 0, sizeof(*addr));
	return ops->from_sockaddr(sa, length, addr, port);
}

/* Tells an address to the application; `sa` may be NULL. */
static int address_tell(const struct strata_socket *sock, const struct strata_addr *addr,
			uint16_t port, struct sockaddr *sa, socklen_t *length)
{
	const struct strata_address_ops *ops = strata_address_ops(sock->stack, sock->family);

	if (sa == NULL)
		return 0;
	if (length == NULL)
		return -EFAULT;
	if (ops == NULL)
		return -ENETDOWN;
	if (*length > INT_MAX)
		return -EINVAL;
	*length = ops->to_sockaddr(addr, port, sa, *length);
	return 0;
}

/* May a socket of this type be bound to the address? "Any", one of our own, and for datagrams a group or
 * a broadcast address of an interface. */
static bool address_bindable(const struct strata_socket *sock, const struct strata_addr *addr)
{
	struct strata_stack *stack = sock->stack;
	const struct strata_address_ops *ops = strata_address_ops(stack, addr->family);
	const struct strata_ifaddr *own;
	struct strata_iface *iface;

	if (strata_addr_is_any(addr))
		return true;
	if (ops != NULL && ops->classify(addr) == STRATA_ADDR_MULTICAST)
		return sock->type == SOCK_DGRAM;
	own = strata_ifaddr_find(stack, addr);
	if (own != NULL)
		return own->state == STRATA_IFADDR_VALID;
	for (iface = strata_iface_next(stack, NULL); iface != NULL;
	     iface = strata_iface_next(stack, iface)) {
		enum strata_locality locality = strata_addr_locality(iface, addr);

		if (locality == STRATA_LOCAL_UNICAST ||
		    (locality == STRATA_LOCAL_BROADCAST && sock->type == SOCK_DGRAM))
			return true;
	}
	return false;
}

static int bind_call(struct kernel *k, int s, const struct sockaddr *sa, socklen_t length)
{
	struct strata_socket *sock;
	struct strata_addr addr;
	uint8_t bound = 0;
	uint16_t port;
	int err;

	err = socket_get(k, s, &sock);
	if (err == 0)
		err = address_parse(sock, sa, length, &addr, &port);
	if (err < 0)
		return err;
	if (!address_bindable(sock, &addr))
		return -EADDRNOTAVAIL;
	if (sock->port.link != NULL || strata_addr_is_set(&sock->flow.key.remote))
		return -EINVAL;
	if (!strata_addr_is_any(&addr))
		bound |= STRATA_BOUND_ADDRESS;
	if (port != 0)
		bound |= STRATA_BOUND_PORT;
	err = socket_bind(sock, &addr, port, bound);
	/* Linux: a bind(2) that finds no port of its own says EADDRINUSE; connect(2) EADDRNOTAVAIL. */
	return err == -EADDRNOTAVAIL && port == 0 ? -EADDRINUSE : err;
}

int strata_bind(struct strata_stack *stack, int s, const struct sockaddr *addr, socklen_t length)
{
	struct kernel *k = kernel_of(stack);
	int err;

	kernel_enter(k);
	err = bind_call(k, s, addr, length);
	kernel_leave(k);
	return err;
}

/* RFC 1122 3.2.1.3 forbids "any" as a destination. As in BSD and Linux it means this host: the address
 * that was bound, else a loopback address, else the first own one. */
static void address_resolve_any(const struct strata_socket *sock, struct strata_addr *addr)
{
	const struct strata_addr *local = &sock->flow.key.local;
	const struct strata_ifaddr *first = NULL, *a;
	struct strata_iface *iface;

	if (!strata_addr_is_any(addr))
		return;
	if (strata_addr_is_set(local) && !strata_addr_is_any(local)) {
		*addr = *local;
		return;
	}
	for (iface = strata_iface_next(sock->stack, NULL); iface != NULL;
	     iface = strata_iface_next(sock->stack, iface)) {
		for (a = strata_ifaddr_first(iface); a != NULL; a = a->next) {
			if (a->prefix.addr.family != sock->family ||
			    a->state != STRATA_IFADDR_VALID)
				continue;
			if (first == NULL || ((iface->flags & STRATA_IFACE_LOOPBACK) != 0 &&
					      (first->iface->flags & STRATA_IFACE_LOOPBACK) == 0))
				first = a;
		}
	}
	if (first != NULL)
		*addr = first->prefix.addr;
}

static int connect_call(struct kernel *k, int s, const struct sockaddr *sa, socklen_t length)
{
	const struct strata_transport_ops *ops;
	struct strata_socket *sock;
	struct strata_addr addr;
	uint16_t port;
	int err;

	err = socket_get(k, s, &sock);
	if (err < 0)
		return err;
	if (sa == NULL)
		return -EFAULT;
	if (length < sizeof(sa->sa_family))
		return -EINVAL;
	ops = socket_ops(sock);
	if (sa->sa_family == AF_UNSPEC)
		return ops->disconnect != NULL ? ops->disconnect(sock) : -EOPNOTSUPP;
	err = address_parse(sock, sa, length, &addr, &port);
	if (err < 0)
		return err;
	address_resolve_any(sock, &addr);
	return ops->connect != NULL ? ops->connect(sock, &addr, port) : -EOPNOTSUPP;
}

int strata_connect(struct strata_stack *stack, int s, const struct sockaddr *addr,
		   socklen_t length)
{
	struct kernel *k = kernel_of(stack);
	int err;

	kernel_enter(k);
	err = connect_call(k, s, addr, length);
	kernel_leave(k);
	return err;
}

int strata_getsockname(struct strata_stack *stack, int s, struct sockaddr *addr, socklen_t *length)
{
	struct kernel *k = kernel_of(stack);
	struct strata_socket *sock;
	struct strata_addr local;
	int err;

	kernel_enter(k);
	err = socket_get(k, s, &sock);
	if (err == 0 && addr == NULL)
		err = -EFAULT;
	if (err == 0) {
		local = strata_addr_is_set(&sock->flow.key.local) ? sock->flow.key.local :
			socket_any(sock);
		err = address_tell(sock, &local, sock->flow.key.local_port, addr, length);
	}
	kernel_leave(k);
	return err;
}

int strata_getpeername(struct strata_stack *stack, int s, struct sockaddr *addr, socklen_t *length)
{
	struct kernel *k = kernel_of(stack);
	struct strata_socket *sock;
	int err;

	kernel_enter(k);
	err = socket_get(k, s, &sock);
	if (err == 0 && addr == NULL)
		err = -EFAULT;
	if (err == 0 && (sock->unconnected || !strata_addr_is_set(&sock->flow.key.remote)))
		err = -ENOTCONN;
	if (err == 0)
		err = address_tell(sock, &sock->flow.key.remote, sock->flow.key.remote_port, addr,
				   length);
	kernel_leave(k);
	return err;
}

/* ---- listen(2), accept(2), shutdown(2) ---- */

static int listen_call(struct kernel *k, int s, int backlog)
{
	const struct strata_transport_ops *ops;
	struct strata_socket *sock;
	bool listened;
	int err;

	err = socket_get(k, s, &sock);
	if (err < 0)
		return err;
	ops = socket_ops(sock);
	if (ops->listen == NULL)
		return -EOPNOTSUPP;
	if (strata_addr_is_set(&sock->flow.key.remote))
		return -EINVAL;
	err = strata_socket_autobind(sock);
	if (err < 0)
		return err;
	listened = (sock->port.reuse & STRATA_PORT_LISTENS) != 0;
	err = strata_port_listen(sock->stack, &sock->port);
	if (err < 0)
		return err;
	err = ops->listen(sock, backlog);
	if (err < 0 && !listened)
		port_unlisten(k, &sock->port);
	return err;
}

int strata_listen(struct strata_stack *stack, int s, int backlog)
{
	struct kernel *k = kernel_of(stack);
	int err;

	kernel_enter(k);
	err = listen_call(k, s, backlog);
	kernel_leave(k);
	return err;
}

/* The slot is found first, so that without one the connection stays queued. */
static int accept_call(struct kernel *k, int s, struct sockaddr *addr, socklen_t *length)
{
	const struct strata_transport_ops *ops;
	struct strata_socket *sock, *accepted = NULL;
	int err, slot;

	err = socket_get(k, s, &sock);
	if (err < 0)
		return err;
	ops = socket_ops(sock);
	if (ops->accept == NULL)
		return -EOPNOTSUPP;
	if (addr != NULL && length == NULL)
		return -EFAULT;
	slot = socket_slot_find(k);
	if (slot < 0)
		return slot;
	err = ops->accept(sock, &accepted);
	if (err < 0)
		return err;
	socket_slot_take(k, slot, accepted);
	err = address_tell(accepted, &accepted->flow.key.remote, accepted->flow.key.remote_port,
			   addr, length);
	if (err == 0)
		return slot;
	socket_close(k, accepted);
	return err;
}

int strata_accept(struct strata_stack *stack, int s, struct sockaddr *addr, socklen_t *length)
{
	struct kernel *k = kernel_of(stack);
	int result;

	kernel_enter(k);
	result = accept_call(k, s, addr, length);
	kernel_leave(k);
	return result;
}

int strata_shutdown(struct strata_stack *stack, int s, int how)
{
	struct kernel *k = kernel_of(stack);
	struct strata_socket *sock;
	int err;

	kernel_enter(k);
	err = socket_get(k, s, &sock);
	if (err == 0 && how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		err = -EINVAL;
	if (err == 0)
		err = socket_ops(sock)->shutdown != NULL ? socket_ops(sock)->shutdown(sock, how) :
			-EOPNOTSUPP;
	kernel_leave(k);
	return err;
}

int strata_ioctl(struct strata_stack *stack, int s, unsigned long request, int *value)
{
	struct kernel *k = kernel_of(stack);
	struct strata_socket *sock;
	int err;

	kernel_enter(k);
	err = socket_get(k, s, &sock);
	if (err == 0 && value == NULL)
		err = -EFAULT;
	if (err == 0)
		err = socket_ops(sock)->ioctl != NULL ? socket_ops(sock)->ioctl(sock, request, value) :
			-ENOTTY;
	kernel_leave(k);
	return err;
}

/* ---- data ---- */

/* As Linux's import_iovec(): parts, their pointers and their sum. */
static int iov_check(const struct msghdr *msg)
{
	size_t i, total = 0;

	if (msg->msg_iovlen > IOV_PARTS_MAX)
		return -EMSGSIZE;
	if (msg->msg_iovlen > 0 && msg->msg_iov == NULL)
		return -EFAULT;
	for (i = 0; i < msg->msg_iovlen; i++) {
		if (msg->msg_iov[i].iov_base == NULL && msg->msg_iov[i].iov_len > 0)
			return -EFAULT;
		if (msg->msg_iov[i].iov_len > (size_t)SSIZE_MAX - total)
			return -EINVAL;
		total += msg->msg_iov[i].iov_len;
	}
	return msg->msg_controllen > 0 && msg->msg_control == NULL ? -EFAULT : 0;
}

static ssize_t send_call(struct kernel *k, int s, const struct msghdr *msg, int flags)
{
	const struct strata_transport_ops *ops;
	struct strata_socket *sock;
	struct strata_addr to;
	bool addressed;
	uint16_t port = 0;
	int err;

	err = socket_get(k, s, &sock);
	if (err == 0)
		err = iov_check(msg);
	if (err < 0)
		return err;
	ops = socket_ops(sock);
	if (ops->send == NULL)
		return -EOPNOTSUPP;
	addressed = msg->msg_name != NULL && msg->msg_namelen > 0;
	if (addressed) {
		err = address_parse(sock, msg->msg_name, msg->msg_namelen, &to, &port);
		if (err < 0)
			return err;
		address_resolve_any(sock, &to);
	}
	return ops->send(sock, msg, addressed ? &to : NULL, port, flags);
}

static ssize_t recv_call(struct kernel *k, int s, struct msghdr *msg, int flags)
{
	const struct strata_transport_ops *ops;
	struct strata_addr from = { 0 };
	struct strata_socket *sock;
	uint16_t port = 0;
	ssize_t result;
	int err;

	err = socket_get(k, s, &sock);
	if (err == 0)
		err = iov_check(msg);
	if (err < 0)
		return err;
	ops = socket_ops(sock);
	if (ops->recv == NULL)
		return -EOPNOTSUPP;
	msg->msg_flags = 0;
	result = flags & MSG_ERRQUEUE ? socket_report_receive(sock, msg, &from, &port) :
					ops->recv(sock, msg, &from, &port, flags);
	if (result < 0)
		return result;
	if (msg->msg_name == NULL)
		return result;
	if (!strata_addr_is_set(&from)) {
		msg->msg_namelen = 0;
		return result;
	}
	err = address_tell(sock, &from, port, msg->msg_name, &msg->msg_namelen);
	return err < 0 ? err : result;
}

ssize_t strata_sendmsg(struct strata_stack *stack, int s, const struct msghdr *msg, int flags)
{
	struct kernel *k = kernel_of(stack);
	ssize_t result;

	kernel_enter(k);
	result = msg != NULL ? send_call(k, s, msg, flags) : -EFAULT;
	kernel_leave(k);
	return result;
}

ssize_t strata_sendto(struct strata_stack *stack, int s, const void *buf, size_t length, int flags,
		      const struct sockaddr *addr, socklen_t addr_length)
{
	struct iovec iov = { .iov_base = (void *)(uintptr_t)buf, .iov_len = length };
	struct msghdr msg = {
		.msg_name = (void *)(uintptr_t)addr,
		.msg_namelen = addr_length,
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};

	return strata_sendmsg(stack, s, &msg, flags);
}

ssize_t strata_send(struct strata_stack *stack, int s, const void *buf, size_t length, int flags)
{
	return strata_sendto(stack, s, buf, length, flags, NULL, 0);
}

ssize_t strata_recvmsg(struct strata_stack *stack, int s, struct msghdr *msg, int flags)
{
	struct kernel *k = kernel_of(stack);
	ssize_t result;

	kernel_enter(k);
	result = msg != NULL ? recv_call(k, s, msg, flags) : -EFAULT;
	kernel_leave(k);
	return result;
}

ssize_t strata_recvfrom(struct strata_stack *stack, int s, void *buf, size_t length, int flags,
			struct sockaddr *addr, socklen_t *addr_length)
{
	struct iovec iov = { .iov_base = buf, .iov_len = length };
	struct msghdr msg = { .msg_name = addr, .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t result;

	if (addr != NULL) {
		if (addr_length == NULL)
			return -EFAULT;
		msg.msg_namelen = *addr_length;
	}
	result = strata_recvmsg(stack, s, &msg, flags);
	if (result >= 0 && addr_length != NULL)
		*addr_length = msg.msg_namelen;
	return result;
}

ssize_t strata_recv(struct strata_stack *stack, int s, void *buf, size_t length, int flags)
{
	return strata_recvfrom(stack, s, buf, length, flags, NULL, NULL);
}

/* ---- options ---- */

static int setsockopt_call(struct kernel *k, int s, int level, int name, const void *value,
			   socklen_t length)
{
	const struct strata_network_ops *net;
	struct strata_socket *sock;
	int err;

	err = socket_get(k, s, &sock);
	if (err < 0)
		return err;
	if (length > INT_MAX)
		return -EINVAL;
	if (value == NULL && length > 0)
		return -EFAULT;
	if (level == SOL_SOCKET)
		return sockopt_set(sock, name, value, length);
	net = sock->network->module->network;
	if (net->setsockopt != NULL && level == net->sockopt_level)
		return net->setsockopt(sock->network, sock, name, value, length);
	if (socket_ops(sock)->setsockopt != NULL && level == socket_ops(sock)->sockopt_level)
		return socket_ops(sock)->setsockopt(sock, name, value, length);
	return -ENOPROTOOPT;
}

int strata_setsockopt(struct strata_stack *stack, int s, int level, int name, const void *value,
		      socklen_t length)
{
	struct kernel *k = kernel_of(stack);
	int err;

	kernel_enter(k);
	err = setsockopt_call(k, s, level, name, value, length);
	kernel_leave(k);
	return err;
}

/* What the kernel itself knows is told of a gone socket too: its SO_ERROR says why. */
static int getsockopt_call(struct kernel *k, int s, int level, int name, void *value,
			   socklen_t *length)
{
	const struct strata_network_ops *net;
	struct strata_socket *sock;
	int err;

	err = socket_get_any(k, s, &sock);
	if (err < 0)
		return err;
	if (length == NULL || (value == NULL && *length > 0))
		return -EFAULT;
	if (*length > INT_MAX)
		return -EINVAL;
	if (sock->gone && !(level == SOL_SOCKET && (name == SO_ERROR || name == SO_TYPE)))
		return -ENETDOWN;
	if (level == SOL_SOCKET)
		return sockopt_get(sock, name, value, length);
	net = sock->network->module->network;
	if (net->getsockopt != NULL && level == net->sockopt_level)
		return net->getsockopt(sock->network, sock, name, value, length);
	if (socket_ops(sock)->getsockopt == NULL || level != socket_ops(sock)->sockopt_level)
		return -ENOPROTOOPT;
	err = sock->resting ? socket_wake(&sock) : 0;
	return err < 0 ? err : socket_ops(sock)->getsockopt(sock, name, value, length);
}

int strata_getsockopt(struct strata_stack *stack, int s, int level, int name, void *value,
		      socklen_t *length)
{
	struct kernel *k = kernel_of(stack);
	int err;

	kernel_enter(k);
	err = getsockopt_call(k, s, level, name, value, length);
	kernel_leave(k);
	return err;
}
