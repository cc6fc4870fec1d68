/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A socket's error queue: what recvmsg(2) with MSG_ERRQUEUE gives out. Errors the network told, times at
 * which something left or was acknowledged, buffers that the stack needs no longer. Read recvmsg(2), and
 * timestamping.rst and msg_zerocopy.rst of Linux's documentation, before editing.
 */
#include <errno.h>
#include <linux/net_tstamp.h>

#include "socket_int.h"

/* Bytes of the packet concerned that a report keeps, at most. */
#define QUOTE_MAX 2048
/* Packets of a socket on their way to a driver whose leaving is to be told, at most. */
#define STAMPS_MAX 64
/* Newer than the headers of some systems. */
#define STAMPING_OPT_ID_STREAM (1u << 16)
#define STAMPING_KNOWN ((uint32_t)SOF_TIMESTAMPING_MASK | STAMPING_OPT_ID_STREAM)

/* A packet with this number is on its way to a driver. */
struct stamp_wanted {
	struct stamp_wanted *next;
	uint32_t id;
	uint32_t key;
};

struct report {
	struct report *next;
	struct strata_report r;		/* data points behind this structure */
	bool network;			/* the network told: SO_ERROR says the first of these too */
	uint8_t bytes[];
};

static size_t report_size(const struct report *report)
{
	return sizeof(*report) + report->r.length;
}

/* ---- into the queue ---- */

/* As Linux: ranges of buffers done with that follow each other are told as one. */
static bool join_range(struct strata_socket_extra *extra, const struct strata_report *r)
{
	struct report *last = extra->report_tail;

	if (last == NULL || r->ee.ee_origin != SO_EE_ORIGIN_ZEROCOPY ||
	    last->r.ee.ee_origin != SO_EE_ORIGIN_ZEROCOPY ||
	    last->r.ee.ee_code != r->ee.ee_code || last->r.ee.ee_data + 1 != r->ee.ee_info)
		return false;
	last->r.ee.ee_data = r->ee.ee_data;
	return true;
}

static void report_link(struct strata_socket_extra *extra, struct report *report)
{
	report->next = NULL;
	if (extra->report_tail != NULL)
		extra->report_tail->next = report;
	else
		extra->reports = report;
	extra->report_tail = report;
	extra->report_bytes += (uint32_t)report_size(report);
}

struct report *socket_report_reserve(struct strata_socket *sock)
{
	return strata_alloc(sock->stack, sizeof(struct report));
}

void socket_report_done(struct strata_socket *sock, struct report *report, uint32_t id, bool copied)
{
	const struct strata_report r = {
		.ee = {
			.ee_origin = SO_EE_ORIGIN_ZEROCOPY,
			.ee_code = copied ? SO_EE_CODE_ZEROCOPY_COPIED : 0,
			.ee_info = id,
			.ee_data = id,
		},
	};

	/* How many there can be is bounded where a buffer is lent. */
	report->r = r;
	if (sock->gone || join_range(sock->extra, &r))
		strata_free(sock->stack, report);
	else
		report_link(sock->extra, report);
	if (!sock->gone)
		socket_raise_error(sock);
}

static int report_queue(struct strata_socket *sock, const struct strata_report *r, bool network)
{
	uint32_t length = r->length < QUOTE_MAX ? r->length : QUOTE_MAX;
	struct strata_socket_extra *extra = socket_extra(sock);
	struct report *report;

	if (extra == NULL)
		return -ENOMEM;
	if (join_range(extra, r))
		return 0;
	/* As Linux: the receive buffer's limit holds for the error queue. */
	if (extra->report_bytes + sizeof(*report) + length > sock->rcvbuf)
		return -ENOBUFS;
	report = strata_alloc(sock->stack, sizeof(*report) + length);
	if (report == NULL)
		return -ENOMEM;
	report->r = *r;
	report->r.length = length;
	report->r.data = report->bytes;
	report->network = network;
	if (length != 0)
		memcpy(report->bytes, r->data, length);
	report_link(extra, report);
	return 0;
}

static int report_add(struct strata_socket *sock, const struct strata_report *r, bool network)
{
	int err = sock->gone ? -ENETDOWN : report_queue(sock, r, network);

	if (err == 0)
		socket_raise_error(sock);
	else
		strata_count(&kernel_of(sock->stack)->self, KERNEL_COUNT_REPORTS_LOST, 1);
	return err;
}

int strata_socket_report(struct strata_socket *sock, const struct strata_report *report)
{
	return report_add(sock, report, false);
}

int strata_socket_report_error(struct strata_socket *sock,
			       const struct strata_transport_error *error,
			       const struct strata_addr *to, uint16_t port, uint32_t skip)
{
	const struct strata_network_ops *net = sock->network->module->network;
	struct strata_report r = {
		.ee = {
			.ee_errno = (uint32_t)strata_net_error_errno(error->kind),
			.ee_origin = error->local ? SO_EE_ORIGIN_LOCAL : net->error_origin,
			.ee_type = error->type,
			.ee_code = error->code,
			.ee_info = error->kind == STRATA_ERR_TOO_BIG ? error->info : 0,
		},
		.offender = error->offender,
		.to = *to,
		.port = port,
	};

	if (error->payload_length > skip) {
		r.data = error->payload + skip;
		r.length = error->payload_length - skip;
	}
	return report_add(sock, &r, !error->local);
}

/* ---- out of it ---- */

static struct report *report_take(struct strata_socket_extra *extra)
{
	struct report *report = extra->reports;

	extra->reports = report->next;
	if (extra->reports == NULL)
		extra->report_tail = NULL;
	extra->report_bytes -= (uint32_t)report_size(report);
	return report;
}

void socket_report_purge(struct strata_socket *sock)
{
	while (sock->extra != NULL && sock->extra->reports != NULL)
		strata_free(sock->stack, report_take(sock->extra));
}

bool socket_reports(const struct strata_socket *sock)
{
	return sock->extra != NULL && sock->extra->reports != NULL;
}

/* SO_ERROR keeps step with the queue: it is the next error that the network told. */
static void error_follow(struct strata_socket *sock, const struct report *taken)
{
	const struct report *next = sock->extra->reports;

	if (next != NULL && next->network)
		sock->error = (int32_t)next->r.ee.ee_errno;
	else if (taken->network)
		sock->error = 0;
	socket_settle_error(sock);
}

static uint32_t copy_out(const struct report *report, const struct msghdr *msg)
{
	uint32_t done = 0;
	size_t i;

	for (i = 0; i < msg->msg_iovlen && done < report->r.length; i++) {
		size_t n = msg->msg_iov[i].iov_len;

		if (n > report->r.length - done)
			n = report->r.length - done;
		if (n != 0)
			memcpy(msg->msg_iov[i].iov_base, report->bytes + done, n);
		done += (uint32_t)n;
	}
	return done;
}

ssize_t socket_report_receive(struct strata_socket *sock, struct msghdr *msg,
			      struct strata_addr *to, uint16_t *port)
{
	const struct strata_network_ops *net = sock->network->module->network;
	size_t room = msg->msg_controllen;
	struct report *report;
	uint32_t copied;

	if (!socket_reports(sock))
		return -EAGAIN;
	report = report_take(sock->extra);
	copied = copy_out(report, msg);
	msg->msg_flags = MSG_ERRQUEUE | (copied < report->r.length ? MSG_TRUNC : 0);
	msg->msg_controllen = 0;
	if (report->r.stamp != 0 && (sock->extra->stamping & SOF_TIMESTAMPING_SOFTWARE) != 0)
		strata_control_stamp(msg, room, report->r.stamp);
	if (net->report_put != NULL)
		net->report_put(sock->network, &report->r, msg, room);
	*to = report->r.to;
	*port = report->r.port;
	error_follow(sock, report);
	strata_free(sock->stack, report);
	return (ssize_t)copied;
}

/* ---- time stamps ---- */

int socket_stamping_set(struct strata_socket *sock, uint32_t flags)
{
	/* As Linux: what it does not know is refused, and OPT_ID of streams alone. */
	if ((flags & ~STAMPING_KNOWN) != 0 ||
	    ((flags & STAMPING_OPT_ID_STREAM) != 0 && (flags & SOF_TIMESTAMPING_OPT_ID) == 0))
		return -EINVAL;
	/* There are no statistics to give out; and no clocks of devices. */
	if ((flags & (SOF_TIMESTAMPING_OPT_STATS | SOF_TIMESTAMPING_BIND_PHC)) != 0)
		return -EOPNOTSUPP;
	if (flags == 0 && sock->extra == NULL)
		return 0;
	if (socket_extra(sock) == NULL)
		return -ENOMEM;
	if ((flags & ~sock->extra->stamping & SOF_TIMESTAMPING_OPT_ID) != 0) {
		/* A stream counts bytes from here on; there must be one (Linux: EINVAL). */
		if (sock->type == SOCK_STREAM &&
		    (sock->unconnected || !strata_addr_is_set(&sock->flow.key.remote)))
			return -EINVAL;
		sock->extra->stamp_key = 0;
	}
	sock->extra->stamping = flags;
	return 0;
}

uint32_t strata_socket_stamping(const struct strata_socket *sock)
{
	return sock->extra != NULL ? sock->extra->stamping : 0;
}

uint32_t strata_socket_stamp_key(struct strata_socket *sock)
{
	return sock->extra != NULL ? sock->extra->stamp_key++ : 0;
}

int strata_socket_stamp(struct strata_socket *sock, uint32_t kind, uint32_t key,
			const struct strata_pkt *pkt)
{
	uint32_t stamping = strata_socket_stamping(sock);
	uint8_t bytes[QUOTE_MAX];
	struct strata_report r = {
		.ee = {
			.ee_errno = ENOMSG,
			.ee_origin = SO_EE_ORIGIN_TIMESTAMPING,
			.ee_info = kind,
			.ee_data = (stamping & SOF_TIMESTAMPING_OPT_ID) != 0 ? key : 0,
		},
		.stamp = strata_wall_clock(sock->stack),
	};

	if (pkt != NULL && (stamping & SOF_TIMESTAMPING_OPT_TSONLY) == 0) {
		r.length = strata_pkt_read(pkt, 0, bytes, sizeof(bytes));
		r.data = bytes;
	}
	return strata_socket_report(sock, &r);
}

void strata_socket_stamp_sent(struct strata_socket *sock, struct strata_pkt *pkt, uint32_t key)
{
	struct strata_socket_extra *extra = socket_extra(sock);
	struct kernel *k = kernel_of(sock->stack);
	struct stamp_wanted *wanted, **link;
	unsigned int count = 0;

	if (extra == NULL)
		return;
	/* Packets that were dropped on the way leave theirs behind: the oldest make room. */
	for (link = &extra->stamps; *link != NULL && count < STAMPS_MAX - 1; link = &(*link)->next)
		count++;
	while ((wanted = *link) != NULL) {
		*link = wanted->next;
		strata_free(sock->stack, wanted);
	}
	wanted = strata_alloc(sock->stack, sizeof(*wanted));
	if (wanted == NULL)
		return;
	do
		pkt->stamp = ++k->stamp_last;
	while (pkt->stamp == 0);
	wanted->id = pkt->stamp;
	wanted->key = key;
	wanted->next = extra->stamps;
	if (extra->stamps == NULL) {
		extra->stamping_next = k->stamping;
		if (extra->stamping_next != NULL)
			extra->stamping_next->stamping_link = &extra->stamping_next;
		extra->stamping_link = &k->stamping;
		k->stamping = extra;
		extra->sock = sock;
	}
	extra->stamps = wanted;
}

/* Takes a socket that waits for no packet any more off the stack's list. */
static void stamping_unlink(struct strata_socket_extra *extra)
{
	if (extra->stamping_link == NULL || extra->stamps != NULL)
		return;
	*extra->stamping_link = extra->stamping_next;
	if (extra->stamping_next != NULL)
		extra->stamping_next->stamping_link = extra->stamping_link;
	extra->stamping_link = NULL;
	extra->stamping_next = NULL;
}

void socket_stamp_leaves(struct kernel *k, struct strata_pkt *pkt)
{
	struct strata_socket_extra *extra;
	struct stamp_wanted *wanted, **link;
	uint32_t id = pkt->stamp;

	pkt->stamp = 0;
	for (extra = k->stamping; extra != NULL; extra = extra->stamping_next) {
		for (link = &extra->stamps; (wanted = *link) != NULL; link = &wanted->next) {
			if (wanted->id != id)
				continue;
			*link = wanted->next;
			stamping_unlink(extra);
			strata_socket_stamp(extra->sock, SCM_TSTAMP_SND, wanted->key, pkt);
			strata_free(&k->pub, wanted);
			return;
		}
	}
}

void socket_stamp_purge(struct strata_socket *sock)
{
	struct stamp_wanted *wanted;

	if (sock->extra == NULL)
		return;
	while ((wanted = sock->extra->stamps) != NULL) {
		sock->extra->stamps = wanted->next;
		strata_free(sock->stack, wanted);
	}
	stamping_unlink(sock->extra);
}

/* As Linux: which stamps this message asks for, if not the socket. */
int strata_socket_send_stamps(const struct strata_socket *sock, const struct msghdr *msg,
			      uint32_t *flags)
{
	struct msghdr whole = *msg;
	struct cmsghdr *c;
	uint32_t wanted;

	*flags = strata_socket_stamping(sock) & SOF_TIMESTAMPING_TX_RECORD_MASK;
	if (msg->msg_controllen == 0)
		return 0;
	for (c = CMSG_FIRSTHDR(&whole); c != NULL; c = CMSG_NXTHDR(&whole, c)) {
		if (c->cmsg_len < CMSG_LEN(0) ||
		    c->cmsg_len > (size_t)((char *)whole.msg_control + whole.msg_controllen -
					   (char *)c))
			return -EINVAL;
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_TIMESTAMPING)
			continue;
		if (c->cmsg_len != CMSG_LEN(sizeof(wanted)))
			return -EINVAL;
		memcpy(&wanted, CMSG_DATA(c), sizeof(wanted));
		if ((wanted & ~(uint32_t)SOF_TIMESTAMPING_TX_RECORD_MASK) != 0)
			return -EINVAL;
		*flags = wanted;
	}
	return 0;
}
