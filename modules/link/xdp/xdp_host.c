/* SPDX-License-Identifier: BSD-2-Clause */
/* The device as the host tells of it: over ioctls of netdevice(7) and the link events of rtnetlink(7). */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "xdp_int.h"

static bool xdp_is_up(short flags)
{
	return (flags & IFF_UP) && (flags & IFF_RUNNING);
}

int xdp_host_query(const char *name, unsigned int *ifindex, uint32_t *mtu, unsigned short *type)
{
	struct ifreq request;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = 0;

	if (fd < 0)
		return -errno;
	memset(&request, 0, sizeof(request));
	memcpy(request.ifr_name, name, strlen(name));
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		goto out_errno;
	*ifindex = (unsigned int)request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		goto out_errno;
	*type = request.ifr_hwaddr.sa_family;
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		goto out_errno;
	*mtu = (uint32_t)request.ifr_mtu;
	goto out_close;
out_errno:
	result = -errno;
out_close:
	close(fd);
	return result;
}

int xdp_host_state(const struct xdp *xdp)
{
	struct ifreq request;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = 1;

	if (fd < 0)
		return 1;	/* nothing is known: traffic will tell */
	memset(&request, 0, sizeof(request));
	request.ifr_ifindex = (int)xdp->ifindex;
	/* By number: a device that was given another name goes on working. */
	if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		result = -ENODEV;
	else
		result = xdp_is_up(request.ifr_flags);
	close(fd);
	return result;
}

/* ---- link events ---- */

void xdp_host_monitor_open(struct xdp *xdp)
{
	xdp->monitor = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (xdp->monitor == NULL)
		return;
	if (mnl_socket_bind(xdp->monitor, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0 ||
	    strata_watch_add(xdp->iface->stack, &xdp->monitor_watch,
			     mnl_socket_get_fd(xdp->monitor), EPOLLIN) < 0) {
		mnl_socket_close(xdp->monitor);
		xdp->monitor = NULL;
	}
}

void xdp_host_monitor_close(struct xdp *xdp)
{
	if (xdp->monitor == NULL)
		return;
	strata_watch_remove(xdp->iface->stack, &xdp->monitor_watch);
	mnl_socket_close(xdp->monitor);
	xdp->monitor = NULL;
}

/** What is looked for in a batch of link events. */
struct xdp_news {
	unsigned int ifindex;
	bool found;
};

static int xdp_link_event(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct xdp_news *news = data;

	if ((message->nlmsg_type == RTM_NEWLINK || message->nlmsg_type == RTM_DELLINK) &&
	    mnl_nlmsg_get_payload_len(message) >= sizeof(*info) &&
	    info->ifi_index == (int)news->ifindex)
		news->found = true;
	return MNL_CB_OK;
}

bool xdp_host_monitor_read(struct xdp *xdp)
{
	/* Local choice: events of a whole host's links, so a few at a time. */
	enum { MOST = 16 };
	struct xdp_news news = { .ifindex = xdp->ifindex };
	char buf[8192];
	unsigned int i;

	for (i = 0; i < MOST; i++) {
		ssize_t n = mnl_socket_recvfrom(xdp->monitor, buf, sizeof(buf));

		if (n < 0 && errno == ENOBUFS) {	/* events were lost */
			news.found = true;
			continue;
		}
		if (n <= 0)
			break;
		mnl_cb_run(buf, (size_t)n, 0, 0, xdp_link_event, &news);
	}
	return news.found;
}
