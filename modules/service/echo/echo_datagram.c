/* SPDX-License-Identifier: BSD-2-Clause */
/* The services over UDP: RFC 862, 863 and 864, and when they must keep silent. */
#include <errno.h>
#include <netinet/in.h>

#include "echo_int.h"

/* RFC 864: a datagram of characters, "random (between 0 and 512)". */
#define CHARGEN_DATAGRAM_MAX 512
#define CONTROL_MAX 128

/* A received datagram and all that its answer needs. */
struct datagram {
	struct msghdr msg;
	struct iovec iov;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_storage room;
	} from;
	union {
		struct cmsghdr align;
		uint8_t room[CONTROL_MAX];
	} control;
};

/* Ports whose owner may answer an answer, so that two hosts would talk for ever (CERT CA-1996-01). */
static bool answers_by_itself(uint16_t port)
{
	static const uint16_t ports[] = {
		7,	/* echo */
		9,	/* discard: answers nothing, but nobody sends from it in earnest */
		11,	/* active users */
		13,	/* daytime */
		15,	/* netstat */
		17,	/* quote of the day */
		19,	/* character generator */
		37,	/* time */
	};
	size_t i;

	for (i = 0; i < STRATA_COUNT(ports); i++)
		if (ports[i] == port)
			return true;
	return false;
}

/* Is it one of the ports that this instance serves? */
static bool is_own(const struct strata_instance *self, uint16_t port)
{
	const struct echo_config *config = self->config;
	unsigned int protocol;

	for (protocol = 0; protocol < ECHO_PROTOCOLS; protocol++)
		if (config->ports[protocol][ECHO_UDP] == port)
			return true;
	return false;
}

static bool must_be_silent(const struct strata_instance *self, const struct datagram *d)
{
	/* The port is at the same place in the addresses of all Internet families. */
	uint16_t source_port = ntohs(d->from.in.sin_port);

	/* RFC 1122 3.2.1.3: what was sent to many is not answered: it would make an amplifier. */
	if ((d->msg.msg_flags & STRATA_MSG_MANY) != 0)
		return true;
	return source_port == 0 || answers_by_itself(source_port) || is_own(self, source_port);
}

/* The answer bears the address that was asked (RFC 1122 4.1.3.5), and goes where the routes say. */
static void answer_from_same_address(struct datagram *d)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(&d->msg);
	struct in_pktinfo info;

	d->msg.msg_flags = 0;
	if (c == NULL || c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_PKTINFO) {
		d->msg.msg_control = NULL;
		d->msg.msg_controllen = 0;
		return;
	}
	memcpy(&info, CMSG_DATA(c), sizeof(info));
	info.ipi_ifindex = 0;
	info.ipi_spec_dst = info.ipi_addr;
	memcpy(CMSG_DATA(c), &info, sizeof(info));
}

static void answer(struct echo_port *port, struct datagram *d, size_t length)
{
	struct strata_instance *self = port->self;

	d->iov.iov_len = length;
	if (port->protocol == ECHO_CHARGEN) {
		const uint8_t *pattern = echo_pattern(self);

		if (pattern == NULL)
			return;
		d->iov.iov_base = (void *)(uintptr_t)(pattern +
			strata_random_below(self->stack, CHARGEN_CHARACTERS) * (CHARGEN_LINE + 2));
		d->iov.iov_len = strata_random_below(self->stack, CHARGEN_DATAGRAM_MAX + 1);
	}
	answer_from_same_address(d);
	if (strata_sendmsg(self->stack, port->s, &d->msg, 0) >= 0)
		strata_count(self, ECHO_COUNT_DATAGRAMS, 1);
}

static ssize_t receive(struct echo_port *port, struct datagram *d)
{
	memset(&d->msg, 0, sizeof(d->msg));
	d->iov.iov_base = echo_state(port->self)->scratch;
	d->iov.iov_len = ECHO_SCRATCH;
	d->msg.msg_name = &d->from;
	d->msg.msg_namelen = sizeof(d->from);
	d->msg.msg_iov = &d->iov;
	d->msg.msg_iovlen = 1;
	d->msg.msg_control = &d->control;
	d->msg.msg_controllen = sizeof(d->control);
	return strata_recvmsg(port->self->stack, port->s, &d->msg, 0);
}

void echo_datagrams(struct echo_port *port)
{
	struct strata_instance *self = port->self;
	unsigned int errors = 0;
	struct datagram d;
	ssize_t n;

	while ((n = receive(port, &d)) != -EAGAIN && n != -ENETDOWN) {
		/* An error told on the socket is about an answer that somebody did not want, and gone
		 * when it was told; one that comes again is of the socket itself. */
		errors = n < 0 ? errors + 1 : 0;
		if (errors > 1)
			return;
		/* Nobody sent it: the receive side is shut down. */
		if (n == 0 && d.msg.msg_namelen == 0)
			return;
		if (n < 0 || port->protocol == ECHO_DISCARD)
			continue;
		if (must_be_silent(self, &d))
			strata_count(self, ECHO_COUNT_SILENT, 1);
		else
			answer(port, &d, (size_t)n);
	}
}
