/* SPDX-License-Identifier: BSD-2-Clause */
/* Socket options of level IPPROTO_IP and the control messages of the same level, with Linux's
 * numbers and meaning (ip(7)). */
#include <errno.h>
#include <netinet/in.h>
#include "ipv4_int.h"

#define TTL_MAX 255

/* An option that is a number: an int, or as Linux also takes it, one byte. Returns 0 or -EINVAL. */
static int read_int(const void *value, socklen_t length, int *out)
{
	if (length >= sizeof(*out)) {
		memcpy(out, value, sizeof(*out));
		return 0;
	}
	if (length == 0)
		return -EINVAL;
	*out = *(const uint8_t *)value;
	return 0;
}

/* Writes a number as Linux does: a byte where there is no room for an int and it fits one. */
static int write_int(int number, void *value, socklen_t *length)
{
	if (*length < sizeof(number) && *length > 0 && number >= 0 && number <= UINT8_MAX) {
		*(uint8_t *)value = (uint8_t)number;
		*length = 1;
		return 0;
	}
	if (*length > sizeof(number))
		*length = sizeof(number);
	memcpy(value, &number, *length);
	return 0;
}

static int set_flag(struct strata_socket *sock, uint32_t flag, int on)
{
	if (on)
		sock->options |= flag;
	else
		sock->options &= ~flag;
	return 0;
}

/* DEVIATION: IP_PMTUDISC_INTERFACE and IP_PMTUDISC_OMIT are refused; they differ from DONT and
 * PROBE by what they do about spoofed path MTUs, which has its floor here. */
static int set_discover(struct strata_socket *sock, int how)
{
	static const uint8_t map[] = {
		[IP_PMTUDISC_DONT] = STRATA_DF_DONT,
		[IP_PMTUDISC_WANT] = STRATA_DF_WANT,
		[IP_PMTUDISC_DO] = STRATA_DF_DO,
		[IP_PMTUDISC_PROBE] = STRATA_DF_PROBE,
	};

	if (how < 0 || (size_t)how >= STRATA_COUNT(map))
		return -EINVAL;
	sock->df = map[how];
	return 0;
}

static int get_discover(const struct strata_socket *sock)
{
	static const uint8_t map[] = {
		[STRATA_DF_DONT] = IP_PMTUDISC_DONT,
		[STRATA_DF_WANT] = IP_PMTUDISC_WANT,
		[STRATA_DF_DO] = IP_PMTUDISC_DO,
		[STRATA_DF_PROBE] = IP_PMTUDISC_PROBE,
	};

	return map[sock->df];
}

/* ---- multicast ---- */

/* The interface with this address, or NULL. */
static struct strata_iface *iface_by_address(struct strata_stack *stack, const struct in_addr *in)
{
	struct strata_addr addr = strata_addr_make(STRATA_INET4_FAMILY, in, STRATA_INET4_LENGTH);
	struct strata_ifaddr *ifaddr = strata_ifaddr_find(stack, &addr);

	return ifaddr != NULL ? ifaddr->iface : NULL;
}

/* Reads struct ip_mreqn or the shorter struct ip_mreq; `*iface` becomes NULL where none is
 * named. Returns 0, -EINVAL or -ENODEV. */
static int read_mreq(struct strata_stack *stack, const void *value, socklen_t length,
		     struct strata_addr *group, struct strata_iface **iface)
{
	struct ip_mreqn mreq = { .imr_ifindex = 0 };

	if (length < sizeof(struct ip_mreq))
		return -EINVAL;
	memcpy(&mreq, value, length >= sizeof(mreq) ? sizeof(mreq) : sizeof(struct ip_mreq));
	*group = strata_addr_make(STRATA_INET4_FAMILY, &mreq.imr_multiaddr, STRATA_INET4_LENGTH);
	*iface = NULL;
	if (mreq.imr_ifindex < 0)
		return -ENODEV;
	if (mreq.imr_ifindex != 0)
		*iface = strata_iface_by_index(stack, (uint32_t)mreq.imr_ifindex);
	else if (mreq.imr_address.s_addr != INADDR_ANY)
		*iface = iface_by_address(stack, &mreq.imr_address);
	else
		return 0;
	return *iface != NULL ? 0 : -ENODEV;
}

static int set_multicast_if(struct strata_socket *sock, const void *value, socklen_t length)
{
	struct strata_addr group;
	struct strata_iface *iface = NULL;
	struct in_addr addr;
	int result = 0;

	if (length >= sizeof(struct ip_mreq)) {
		result = read_mreq(sock->stack, value, length, &group, &iface);
	} else if (length >= sizeof(addr)) {
		memcpy(&addr, value, sizeof(addr));
		if (addr.s_addr != INADDR_ANY) {
			iface = iface_by_address(sock->stack, &addr);
			result = iface == NULL ? -EADDRNOTAVAIL : 0;
		}
	} else {
		result = -EINVAL;
	}
	if (result != 0)
		return result == -ENODEV ? -EADDRNOTAVAIL : result;
	if (iface != NULL && sock->flow.iface != NULL && sock->flow.iface != iface)
		return -EINVAL;
	sock->mcast_iface = iface != NULL ? (uint16_t)iface->index : 0;
	return 0;
}

static int membership(struct strata_socket *sock, const void *value, socklen_t length, bool join)
{
	struct strata_addr group;
	struct strata_iface *iface;
	int result = read_mreq(sock->stack, value, length, &group, &iface);

	if (result != 0)
		return result;
	return join ? strata_socket_join(sock, iface, &group) :
		      strata_socket_leave(sock, iface, &group);
}

/* A TTL of 0 keeps a datagram on its host: the transport sees to that. */
static int set_multicast_ttl(struct strata_socket *sock, int ttl)
{
	if (sock->type == SOCK_STREAM)
		return -EINVAL;
	if (ttl == -1)
		ttl = 1;
	if (ttl < 0 || ttl > TTL_MAX)
		return -EINVAL;
	sock->mcast_ttl = (uint8_t)ttl;
	return 0;
}

static int get_multicast_if(const struct strata_socket *sock, void *value, socklen_t *length)
{
	const struct strata_iface *iface =
		strata_iface_by_index(sock->stack, sock->mcast_iface);
	const struct strata_ifaddr *ifaddr = iface != NULL ? strata_ifaddr_first(iface) : NULL;
	struct in_addr addr = { .s_addr = INADDR_ANY };

	while (ifaddr != NULL && ifaddr->prefix.addr.family != STRATA_INET4_FAMILY)
		ifaddr = ifaddr->next;
	if (ifaddr != NULL)
		memcpy(&addr, ifaddr->prefix.addr.bytes, sizeof(addr));
	if (*length > sizeof(addr))
		*length = sizeof(addr);
	memcpy(value, &addr, *length);
	return 0;
}

/* ---- set and get ---- */

static int set_ttl(struct strata_socket *sock, int ttl)
{
	if (ttl == -1)
		ttl = 0;
	else if (ttl < 1 || ttl > TTL_MAX)
		return -EINVAL;
	sock->ttl = (uint8_t)ttl;
	return 0;
}

/* The ECN bits of a stream are its transport's (RFC 3168 6.1). */
static int set_tos(struct strata_socket *sock, int tos)
{
	if (sock->type == SOCK_STREAM)
		tos = (tos & ~IPV4_ECN_MASK) | (sock->tos & IPV4_ECN_MASK);
	sock->tos = (uint8_t)tos;
	return 0;
}

static int set_number(struct strata_socket *sock, int name, int number)
{
	switch (name) {
	case IP_TTL:
		return set_ttl(sock, number);
	case IP_TOS:
		return set_tos(sock, number);
	case IP_MTU_DISCOVER:
		return set_discover(sock, number);
	case IP_PKTINFO:
		return set_flag(sock, STRATA_SO_PKTINFO, number);
	case IP_RECVTTL:
		return set_flag(sock, STRATA_SO_RECVTTL, number);
	case IP_RECVTOS:
		return set_flag(sock, STRATA_SO_RECVTOS, number);
	case IP_RECVERR:
		return set_flag(sock, STRATA_SO_RECVERR, number);
	case IP_MULTICAST_TTL:
		return set_multicast_ttl(sock, number);
	case IP_MULTICAST_LOOP:
		return number != 0 && number != 1 ? -EINVAL :
		       set_flag(sock, STRATA_SO_MCAST_LOOP, number);
	default:
		/* IP_HDRINCL among them: it belongs to raw sockets. */
		return -ENOPROTOOPT;
	}
}

int ipv4_setsockopt(struct strata_instance *self, struct strata_socket *sock, int name,
		    const void *value, socklen_t length)
{
	int number, result;

	(void)self;
	switch (name) {
	case IP_MULTICAST_IF:
		return set_multicast_if(sock, value, length);
	case IP_ADD_MEMBERSHIP:
		return membership(sock, value, length, true);
	case IP_DROP_MEMBERSHIP:
		return membership(sock, value, length, false);
	default:
		result = read_int(value, length, &number);
		return result != 0 ? result : set_number(sock, name, number);
	}
}

/* IP_MTU: of the path of a connected socket. */
static int get_mtu(struct strata_socket *sock, int *out)
{
	const struct strata_flow_key *key = &sock->flow.key;
	struct strata_dst dst = { .network = NULL };
	struct strata_addr src;
	int result;

	if (!strata_addr_is_set(&key->remote))
		return -ENOTCONN;
	result = strata_route_output(sock->stack, &key->remote, &key->local, sock->flow.iface, &dst,
				     &src);
	if (result != 0)
		return result;
	*out = (int)dst.mtu;
	strata_dst_release(&dst);
	return 0;
}

static int get_number(struct strata_instance *self, struct strata_socket *sock, int name, int *out)
{
	const struct ipv4_config *config = self->config;

	switch (name) {
	case IP_TTL:
		*out = sock->ttl != 0 ? sock->ttl : (int)config->ttl;
		return 0;
	case IP_TOS:
		*out = sock->tos;
		return 0;
	case IP_MTU_DISCOVER:
		*out = get_discover(sock);
		return 0;
	case IP_MTU:
		return get_mtu(sock, out);
	case IP_PKTINFO:
		*out = (sock->options & STRATA_SO_PKTINFO) != 0;
		return 0;
	case IP_RECVTTL:
		*out = (sock->options & STRATA_SO_RECVTTL) != 0;
		return 0;
	case IP_RECVTOS:
		*out = (sock->options & STRATA_SO_RECVTOS) != 0;
		return 0;
	case IP_RECVERR:
		*out = (sock->options & STRATA_SO_RECVERR) != 0;
		return 0;
	case IP_MULTICAST_TTL:
		*out = sock->mcast_ttl;
		return 0;
	case IP_MULTICAST_LOOP:
		*out = (sock->options & STRATA_SO_MCAST_LOOP) != 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int ipv4_getsockopt(struct strata_instance *self, struct strata_socket *sock, int name, void *value,
		    socklen_t *length)
{
	int number, result;

	if (name == IP_MULTICAST_IF)
		return get_multicast_if(sock, value, length);
	result = get_number(self, sock, name, &number);
	return result != 0 ? result : write_int(number, value, length);
}

/* ---- control messages ---- */

static void put_pktinfo(const struct strata_pkt *pkt, struct msghdr *msg, size_t room)
{
	struct in_pktinfo info = { .ipi_ifindex = pkt->iface != NULL ? (int)pkt->iface->index : 0 };
	const struct strata_ifaddr *ifaddr;

	memcpy(&info.ipi_addr, pkt->dst.bytes, sizeof(info.ipi_addr));
	info.ipi_spec_dst = info.ipi_addr;
	/* Of a packet to many, the address that would answer. */
	if ((pkt->flags & (STRATA_PKT_NET_BROADCAST | STRATA_PKT_NET_MULTICAST)) != 0 &&
	    pkt->iface != NULL && (ifaddr = strata_ifaddr_first(pkt->iface)) != NULL)
		memcpy(&info.ipi_spec_dst, ifaddr->prefix.addr.bytes, sizeof(info.ipi_spec_dst));
	strata_control_append(msg, room, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
}

void ipv4_control_put(struct strata_instance *self, struct strata_socket *sock,
		      const struct strata_pkt *pkt, struct msghdr *msg, size_t room)
{
	const int ttl = pkt->ttl;

	(void)self;
	if ((sock->options & STRATA_SO_PKTINFO) != 0)
		put_pktinfo(pkt, msg, room);
	if ((sock->options & STRATA_SO_RECVTTL) != 0)
		strata_control_append(msg, room, IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl));
	/* One byte, unlike the TTL: so it is on Linux. */
	if ((sock->options & STRATA_SO_RECVTOS) != 0)
		strata_control_append(msg, room, IPPROTO_IP, IP_TOS, &pkt->tos, sizeof(pkt->tos));
}

/* As ip(7) has it: the error, and behind it who told. */
void ipv4_report_put(struct strata_instance *self, const struct strata_report *report, struct msghdr *msg,
		     size_t room)
{
	struct {
		struct sock_extended_err ee;
		struct sockaddr_in offender;
	} told = { .ee = report->ee };

	(void)self;
	if (report->ee.ee_origin == SO_EE_ORIGIN_ICMP && strata_addr_is_set(&report->offender)) {
		told.offender.sin_family = AF_INET;
		memcpy(&told.offender.sin_addr, report->offender.bytes,
		       sizeof(told.offender.sin_addr));
	}
	strata_control_append(msg, room, IPPROTO_IP, IP_RECVERR, &told, sizeof(told));
}

static int get_pktinfo(struct strata_stack *stack, const struct cmsghdr *c, struct strata_tx *tx,
		       struct strata_iface **bound)
{
	struct in_pktinfo info;

	if (c->cmsg_len != CMSG_LEN(sizeof(info)))
		return -EINVAL;
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	if (info.ipi_ifindex != 0) {
		struct strata_iface *iface = info.ipi_ifindex < 0 ? NULL :
			strata_iface_by_index(stack, (uint32_t)info.ipi_ifindex);
		if (iface == NULL)
			return -ENODEV;
		*bound = iface;
	}
	if (info.ipi_spec_dst.s_addr != INADDR_ANY)
		tx->src = strata_addr_make(STRATA_INET4_FAMILY, &info.ipi_spec_dst,
					   STRATA_INET4_LENGTH);
	return 0;
}

static int get_one(struct strata_stack *stack, const struct cmsghdr *c, struct strata_tx *tx,
		   struct strata_iface **bound)
{
	int number;

	if (c->cmsg_type == IP_PKTINFO)
		return get_pktinfo(stack, c, tx, bound);
	if (read_int(CMSG_DATA(c), (socklen_t)(c->cmsg_len - CMSG_LEN(0)), &number) != 0)
		return -EINVAL;
	switch (c->cmsg_type) {
	case IP_TTL:
		if (number < 1 || number > TTL_MAX)
			return -EINVAL;
		tx->ttl = (uint8_t)number;
		return 0;
	case IP_TOS:
		if (number < 0 || number > UINT8_MAX)
			return -EINVAL;
		tx->tos = (uint8_t)number;
		return 0;
	default:
		return -EINVAL;
	}
}

int ipv4_control_get(struct strata_instance *self, struct strata_socket *sock,
		     const struct msghdr *msg, struct strata_tx *tx, struct strata_iface **bound)
{
	struct msghdr whole = *msg;
	struct cmsghdr *c;

	(void)sock;
	for (c = CMSG_FIRSTHDR(&whole); c != NULL; c = CMSG_NXTHDR(&whole, c)) {
		int result;
		if (c->cmsg_len < CMSG_LEN(0) ||
		    c->cmsg_len > (size_t)((char *)whole.msg_control + whole.msg_controllen -
					   (char *)c))
			return -EINVAL;
		if (c->cmsg_level != IPPROTO_IP)
			continue;
		result = get_one(self->stack, c, tx, bound);
		if (result != 0)
			return result;
	}
	return 0;
}
