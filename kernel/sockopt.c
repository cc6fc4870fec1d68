/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options of SOL_SOCKET, as socket(7) describes them, and the groups a socket has joined.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/time.h>

#include "flow_int.h"
#include "socket_int.h"

/* As Linux: a value set by hand is doubled, since overhead is counted too; smallest values likewise. */
#define BUFFER_FACTOR 2
#define RCVBUF_MIN 2304
#define SNDBUF_MIN 4608
/* shared limits: buffers grow to 4 MiB. */
#define BUFFER_MAX (4 << 20)
/* shared limits: memberships of a socket. */
#define MEMBERSHIPS_MAX 64
/* As Linux: highest priority without a privilege. */
#define PRIORITY_MAX 6

struct strata_membership {
	struct strata_membership *next;
	struct strata_iface *iface;
	struct strata_addr group;
};

/* ---- values ---- */

static int int_take(const void *value, socklen_t length, int *out)
{
	if (length < sizeof(*out))
		return -EINVAL;
	memcpy(out, value, sizeof(*out));
	return 0;
}

/* As Linux: what does not fit is cut, and the length says what was written. */
static int value_put(void *value, socklen_t *length, const void *data, size_t size)
{
	if (*length > size)
		*length = (socklen_t)size;
	if (*length > 0)
		memcpy(value, data, *length);
	return 0;
}

static int int_put(void *value, socklen_t *length, int number)
{
	return value_put(value, length, &number, sizeof(number));
}

/* ---- flags ---- */

static const struct flag {
	int name;
	uint32_t bit;
	uint32_t clears;	/* bits that this one replaces */
} flags[] = {
	{ SO_REUSEADDR, STRATA_SO_REUSEADDR, 0 },
	{ SO_REUSEPORT, STRATA_SO_REUSEPORT, 0 },
	{ SO_KEEPALIVE, STRATA_SO_KEEPALIVE, 0 },
	{ SO_BROADCAST, STRATA_SO_BROADCAST, 0 },
	{ SO_OOBINLINE, STRATA_SO_OOBINLINE, 0 },
	{ SO_DONTROUTE, STRATA_SO_DONTROUTE, 0 },
	{ SO_TIMESTAMP, STRATA_SO_TIMESTAMP, STRATA_SO_TIMESTAMPNS },
	{ SO_TIMESTAMPNS, STRATA_SO_TIMESTAMPNS, STRATA_SO_TIMESTAMP },
};

static const struct flag *flag_find(int name)
{
	size_t i;

	for (i = 0; i < STRATA_COUNT(flags); i++)
		if (flags[i].name == name)
			return &flags[i];
	return NULL;
}

/* A claim and a listener already made share from now on as the option says. */
static void reuse_changed(struct strata_socket *sock)
{
	uint8_t reuse = 0;

	if ((sock->options & STRATA_SO_REUSEADDR) != 0)
		reuse |= STRATA_PORT_REUSE_ADDRESS;
	if ((sock->options & STRATA_SO_REUSEPORT) != 0)
		reuse |= STRATA_PORT_REUSE_PORT;
	port_set_reuse(kernel_of(sock->stack), &sock->port, reuse);
	sock->flow.reuse_port = (sock->options & STRATA_SO_REUSEPORT) != 0;
}

static int zerocopy_set(struct strata_socket *sock, const void *value, socklen_t length)
{
	int on, err = int_take(value, length, &on);

	if (err < 0)
		return err;
	if (on != 0 && on != 1)
		return -EINVAL;
	sock->options &= ~(uint32_t)STRATA_SO_ZEROCOPY;
	if (on != 0)
		sock->options |= STRATA_SO_ZEROCOPY;
	return 0;
}

static int flag_set(struct strata_socket *sock, const struct flag *flag, const void *value,
		    socklen_t length)
{
	int on, err = int_take(value, length, &on);

	if (err < 0)
		return err;
	sock->options &= ~(flag->bit | flag->clears);
	if (on != 0)
		sock->options |= flag->bit;
	if ((flag->bit & (STRATA_SO_REUSEADDR | STRATA_SO_REUSEPORT)) != 0)
		reuse_changed(sock);
	return 0;
}

/* ---- the others ---- */

static int buffer_set(uint32_t *buffer, const void *value, socklen_t length, uint32_t smallest)
{
	int wanted, err = int_take(value, length, &wanted);
	uint32_t size;

	if (err < 0)
		return err;
	size = wanted < 0 || wanted > BUFFER_MAX ? BUFFER_MAX : (uint32_t)wanted;
	size *= BUFFER_FACTOR;
	*buffer = size < smallest ? smallest : size;
	return 0;
}

static int linger_set(struct strata_socket *sock, const void *value, socklen_t length)
{
	struct linger linger;

	if (length < sizeof(linger))
		return -EINVAL;
	memcpy(&linger, value, sizeof(linger));
	if (linger.l_onoff == 0) {
		sock->options &= ~(uint32_t)STRATA_SO_LINGER;
		return 0;
	}
	sock->options |= STRATA_SO_LINGER;
	sock->linger = linger.l_linger < 0 || linger.l_linger > UINT16_MAX ? UINT16_MAX :
		(uint16_t)linger.l_linger;
	return 0;
}

static int linger_get(const struct strata_socket *sock, void *value, socklen_t *length)
{
	const struct linger linger = {
		.l_onoff = (sock->options & STRATA_SO_LINGER) != 0,
		.l_linger = sock->linger,
	};

	return value_put(value, length, &linger, sizeof(linger));
}

static int rcvlowat_set(struct strata_socket *sock, const void *value, socklen_t length)
{
	int wanted, err = int_take(value, length, &wanted);

	if (err < 0)
		return err;
	sock->rcvlowat = wanted < 0 ? INT_MAX : wanted == 0 ? 1 : (uint32_t)wanted;
	return 0;
}

static int priority_set(struct strata_socket *sock, const void *value, socklen_t length)
{
	int wanted, err = int_take(value, length, &wanted);

	if (err < 0)
		return err;
	if (wanted < 0 || wanted > PRIORITY_MAX)
		return -EPERM;
	if (wanted == 0 && sock->extra == NULL)
		return 0;
	if (socket_extra(sock) == NULL)
		return -ENOMEM;
	sock->extra->priority = (uint32_t)wanted;
	return 0;
}

static int mark_set(struct strata_socket *sock, const void *value, socklen_t length)
{
	int wanted, err = int_take(value, length, &wanted);

	if (err < 0 || (wanted == 0 && sock->extra == NULL))
		return err;
	if (socket_extra(sock) == NULL)
		return -ENOMEM;
	sock->extra->mark = (uint32_t)wanted;
	return 0;
}

/* As Linux: an unsigned int, all bits of which mean no limit, or an unsigned long. */
static int pacing_set(struct strata_socket *sock, const void *value, socklen_t length)
{
	unsigned long wide;
	unsigned int narrow;

	if (length < sizeof(narrow))
		return -EINVAL;
	memcpy(&narrow, value, sizeof(narrow));
	wide = narrow == UINT_MAX ? ULONG_MAX : narrow;
	if (length == sizeof(wide))
		memcpy(&wide, value, sizeof(wide));
	sock->max_pacing_rate = wide == ULONG_MAX ? 0 : wide;
	return 0;
}

static int pacing_get(const struct strata_socket *sock, void *value, socklen_t *length)
{
	uint64_t rate = sock->max_pacing_rate != 0 ? sock->max_pacing_rate : UINT64_MAX;
	const unsigned int narrow = rate < UINT_MAX ? (unsigned int)rate : UINT_MAX;

	return *length >= sizeof(rate) ? value_put(value, length, &rate, sizeof(rate)) :
					 value_put(value, length, &narrow, sizeof(narrow));
}

/* As Linux: flags alone, or struct so_timestamping, whose clock must be none. */
static int stamping_set(struct strata_socket *sock, const void *value, socklen_t length)
{
	int wanted, clock = 0, err = int_take(value, length, &wanted);

	if (err < 0)
		return err;
	if (length >= 2 * sizeof(int))
		memcpy(&clock, (const uint8_t *)value + sizeof(int), sizeof(clock));
	return clock != 0 ? -EINVAL : socket_stamping_set(sock, (uint32_t)wanted);
}

static int stamping_get(const struct strata_socket *sock, void *value, socklen_t *length)
{
	const uint32_t both[2] = { strata_socket_stamping(sock), 0 };

	return value_put(value, length, both,
			 *length >= sizeof(both) ? sizeof(both) : sizeof(both[0]));
}

/* Nothing here ever blocks, so a time limit is checked and means nothing. */
static int timeout_check(const void *value, socklen_t length)
{
	struct timeval tv;

	if (length < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, value, sizeof(tv));
	return tv.tv_usec < 0 || tv.tv_usec >= 1000000 ? -EDOM : 0;
}

static void bind_iface(struct strata_socket *sock, struct strata_iface *iface)
{
	sock->flow.iface = iface;
	sock->port.iface = iface;
	/* Who waits for the device of before to take more looks at the new one. */
	iface_wake_waiting(kernel_of(sock->stack));
}

static int device_set(struct strata_socket *sock, const void *value, socklen_t length)
{
	char name[IFNAMSIZ] = "";
	struct strata_iface *iface;

	if (length > 0)
		memcpy(name, value, length < IFNAMSIZ ? length : IFNAMSIZ - 1);
	if (name[0] == '\0') {
		bind_iface(sock, NULL);
		return 0;
	}
	iface = strata_iface_by_name(sock->stack, name);
	if (iface == NULL)
		return -ENODEV;
	bind_iface(sock, iface);
	return 0;
}

static int device_get(const struct strata_socket *sock, void *value, socklen_t *length)
{
	if (sock->flow.iface == NULL) {
		*length = 0;
		return 0;
	}
	if (*length < IFNAMSIZ)
		return -EINVAL;
	return value_put(value, length, sock->flow.iface->name,
			 strlen(sock->flow.iface->name) + 1);
}

static int device_index_set(struct strata_socket *sock, const void *value, socklen_t length)
{
	int index, err = int_take(value, length, &index);
	struct strata_iface *iface = NULL;

	if (err < 0)
		return err;
	if (index < 0)
		return -EINVAL;
	if (index > 0) {
		iface = strata_iface_by_index(sock->stack, (uint32_t)index);
		if (iface == NULL)
			return -ENODEV;
	}
	bind_iface(sock, iface);
	return 0;
}

static int option_set(struct strata_socket *sock, int name, const void *value, socklen_t length)
{
	const struct flag *flag = flag_find(name);
	int err;

	if (flag != NULL)
		return flag_set(sock, flag, value, length);
	switch (name) {
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		err = buffer_set(&sock->rcvbuf, value, length, RCVBUF_MIN);
		sock->options |= err == 0 ? STRATA_SO_RCVBUF_LOCKED : 0;
		return err;
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		err = buffer_set(&sock->sndbuf, value, length, SNDBUF_MIN);
		sock->options |= err == 0 ? STRATA_SO_SNDBUF_LOCKED : 0;
		return err;
	case SO_LINGER:
		return linger_set(sock, value, length);
	case SO_RCVLOWAT:
		return rcvlowat_set(sock, value, length);
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
		return timeout_check(value, length);
	case SO_PRIORITY:
		return priority_set(sock, value, length);
	case SO_MARK:
		return mark_set(sock, value, length);
	case SO_ZEROCOPY:
		return zerocopy_set(sock, value, length);
	case SO_TIMESTAMPING:
		return stamping_set(sock, value, length);
	case SO_MAX_PACING_RATE:
		return pacing_set(sock, value, length);
	case SO_BINDTODEVICE:
		return device_set(sock, value, length);
	case SO_BINDTOIFINDEX:
		return device_index_set(sock, value, length);
	default:
		return -ENOPROTOOPT;
	}
}

int sockopt_set(struct strata_socket *sock, int name, const void *value, socklen_t length)
{
	int err = option_set(sock, name, value, length);

	if (err == 0 && socket_ops(sock)->option_changed != NULL)
		socket_ops(sock)->option_changed(sock, name);
	return err;
}

int sockopt_get(struct strata_socket *sock, int name, void *value, socklen_t *length)
{
	const struct flag *flag = flag_find(name);
	const struct timeval never = { 0 };

	if (flag != NULL)
		return int_put(value, length, (sock->options & flag->bit) != 0);
	switch (name) {
	case SO_RCVBUF:
		return int_put(value, length, (int)sock->rcvbuf);
	case SO_SNDBUF:
		return int_put(value, length, (int)sock->sndbuf);
	case SO_LINGER:
		return linger_get(sock, value, length);
	case SO_RCVLOWAT:
		return int_put(value, length, (int)sock->rcvlowat);
	case SO_SNDLOWAT:
		return int_put(value, length, 1);
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
		return value_put(value, length, &never, sizeof(never));
	case SO_PRIORITY:
		return int_put(value, length,
			       sock->extra != NULL ? (int)sock->extra->priority : 0);
	case SO_MARK:
		return int_put(value, length, sock->extra != NULL ? (int)sock->extra->mark : 0);
	case SO_ZEROCOPY:
		return int_put(value, length, (sock->options & STRATA_SO_ZEROCOPY) != 0);
	case SO_TIMESTAMPING:
		return stamping_get(sock, value, length);
	case SO_MAX_PACING_RATE:
		return pacing_get(sock, value, length);
	case SO_ERROR:
		return int_put(value, length, -strata_socket_take_error(sock));
	case SO_TYPE:
		return int_put(value, length, sock->type);
	case SO_PROTOCOL:
		return int_put(value, length, (int)sock->transport->number);
	case SO_DOMAIN:
		return int_put(value, length,
			       strata_address_ops(sock->stack, sock->family)->af);
	case SO_ACCEPTCONN:
		return int_put(value, length, (sock->port.reuse & STRATA_PORT_LISTENS) != 0);
	case SO_BINDTODEVICE:
		return device_get(sock, value, length);
	case SO_BINDTOIFINDEX:
		return int_put(value, length, sock->flow.iface != NULL ?
			       (int)sock->flow.iface->index : 0);
	default:
		return -ENOPROTOOPT;
	}
}

/* ---- groups ---- */

/* The interface a group is joined on when the application names none. */
static struct strata_iface *group_iface(struct strata_socket *sock,
					const struct strata_addr *group)
{
	struct strata_dst dst = { 0 };
	struct strata_iface *iface;
	struct strata_addr src;

	if (sock->mcast_iface != 0)
		return strata_iface_by_index(sock->stack, sock->mcast_iface);
	if (strata_route_output(sock->stack, group, NULL, sock->flow.iface, &dst, &src) < 0)
		return sock->flow.iface;
	iface = dst.iface;
	strata_dst_release(&dst);
	return iface;
}

int strata_socket_join(struct strata_socket *sock, struct strata_iface *iface,
		       const struct strata_addr *group)
{
	const struct strata_address_ops *ops = strata_address_ops(sock->stack, group->family);
	struct strata_membership *m;
	unsigned int count = 0;
	int err;

	if (ops == NULL || ops->classify(group) != STRATA_ADDR_MULTICAST)
		return -EINVAL;
	if (iface == NULL)
		iface = group_iface(sock, group);
	if (iface == NULL)
		return -ENODEV;
	if (socket_extra(sock) == NULL)
		return -ENOMEM;
	for (m = sock->extra->memberships; m != NULL; m = m->next, count++)
		if (m->iface == iface && strata_addr_equal(&m->group, group))
			return -EADDRINUSE;
	if (count >= MEMBERSHIPS_MAX) {
		strata_count(&kernel_of(sock->stack)->self, KERNEL_COUNT_GROUPS_REFUSED, 1);
		return -ENOBUFS;
	}
	m = strata_alloc(sock->stack, sizeof(*m));
	if (m == NULL)
		return -ENOMEM;
	err = strata_group_join(iface, group);
	if (err < 0) {
		strata_free(sock->stack, m);
		return err;
	}
	m->iface = iface;
	m->group = *group;
	m->next = sock->extra->memberships;
	sock->extra->memberships = m;
	return 0;
}

static void membership_end(struct strata_socket *sock, struct strata_membership **link)
{
	struct strata_membership *m = *link;

	*link = m->next;
	strata_group_leave(m->iface, &m->group);
	strata_free(sock->stack, m);
}

int strata_socket_leave(struct strata_socket *sock, struct strata_iface *iface,
			const struct strata_addr *group)
{
	struct strata_membership **link, **found = NULL;

	/* The list is newest first: the last match is where it was joined first. */
	if (sock->extra == NULL)
		return -EADDRNOTAVAIL;
	for (link = &sock->extra->memberships; *link != NULL; link = &(*link)->next)
		if ((iface == NULL || (*link)->iface == iface) &&
		    strata_addr_equal(&(*link)->group, group))
			found = link;
	if (found == NULL)
		return -EADDRNOTAVAIL;
	membership_end(sock, found);
	return 0;
}

void membership_clear(struct strata_socket *sock)
{
	while (sock->extra != NULL && sock->extra->memberships != NULL)
		membership_end(sock, &sock->extra->memberships);
}

void membership_iface_gone(struct strata_socket *sock, struct strata_iface *iface)
{
	struct strata_membership **link;

	if (sock->extra == NULL)
		return;
	link = &sock->extra->memberships;
	while (*link != NULL) {
		if ((*link)->iface == iface)
			membership_end(sock, link);
		else
			link = &(*link)->next;
	}
}
