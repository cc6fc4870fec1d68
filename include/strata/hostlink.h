/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * News of the host's links for drivers that stand on one: rtnetlink(7)'s link group, read with libmnl, which
 * a module that includes this names in its module.mk. Nothing but drivers of devices has a use for it.
 */
#ifndef STRATA_HOSTLINK_H
#define STRATA_HOSTLINK_H

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <strata/loop.h>

STRATA_BEGIN_DECLS

/** Local choice: events of a whole host's links, so a few at a time. */
#define STRATA_HOSTLINK_MOST 16

/** Where a driver hears of them. The caller sets watch.ready and has all else zero. */
struct strata_hostlink {
	struct mnl_socket *socket;	/**< NULL: not open */
	struct strata_watch watch;	/**< ready: read */
};

/** What there was about one link. */
struct strata_hostlink_news {
	int ifindex;		/**< whose news */
	bool told;	/**< it changed, or came */
	unsigned int flags;	/**< with `told`: its flags by the last event, IFF_UP and others of netdevice(7) */
	bool gone;	/**< it went, or moved to another namespace */
	bool lost;	/**< events were lost: ask the host */
};

/** Opens it. Its absence is no failure: then only traffic tells of a link that went. */
static inline void strata_hostlink_open(struct strata_stack *stack, struct strata_hostlink *link)
{
	link->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (link->socket == NULL)
		return;
	if (mnl_socket_bind(link->socket, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0 ||
	    strata_watch_add(stack, &link->watch, mnl_socket_get_fd(link->socket), EPOLLIN) < 0) {
		mnl_socket_close(link->socket);
		link->socket = NULL;
	}
}

/** Closes it, where it is open. */
static inline void strata_hostlink_close(struct strata_stack *stack, struct strata_hostlink *link)
{
	if (link->socket == NULL)
		return;
	strata_watch_remove(stack, &link->watch);
	mnl_socket_close(link->socket);
	link->socket = NULL;
}

/** One event into the news at `data`: a callback of mnl_cb_run(). */
static inline int strata_hostlink_event(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = (const struct ifinfomsg *)mnl_nlmsg_get_payload(message);
	struct strata_hostlink_news *news = (struct strata_hostlink_news *)data;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*info) || info->ifi_index != news->ifindex)
		return MNL_CB_OK;
	if (message->nlmsg_type == RTM_DELLINK) {
		news->gone = true;
	} else if (message->nlmsg_type == RTM_NEWLINK) {
		news->told = true;
		news->flags = info->ifi_flags;
	}
	return MNL_CB_OK;
}

/** Reads what has come about the link `ifindex` of the host. */
static inline struct strata_hostlink_news strata_hostlink_read(struct strata_hostlink *link,
							       unsigned int ifindex)
{
	struct strata_hostlink_news news = { (int)ifindex, false, 0, false, false };
	char buf[8192];
	unsigned int i;

	for (i = 0; i < STRATA_HOSTLINK_MOST; i++) {
		ssize_t n = mnl_socket_recvfrom(link->socket, buf, sizeof(buf));

		if (n < 0 && errno == ENOBUFS) {
			news.lost = true;
			continue;
		}
		if (n <= 0)
			break;
		mnl_cb_run(buf, (size_t)n, 0, 0, strata_hostlink_event, &news);
	}
	return news;
}

STRATA_END_DECLS
#endif
