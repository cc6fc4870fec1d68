/* SPDX-License-Identifier: BSD-2-Clause */
/* The device as the host tells of it: over ioctls of netdevice(7) and ethtool(8), and the link events of rtnetlink(7). */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
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

int xdp_host_queues(const char *name, struct xdp_queues *out)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq request;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = 0;

	if (fd < 0)
		return -errno;
	memset(&request, 0, sizeof(request));
	memcpy(request.ifr_name, name, strlen(name));
	request.ifr_data = (void *)&channels;
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		result = -errno;
	close(fd);
	out->receive = channels.rx_count + channels.combined_count;
	out->send = channels.tx_count + channels.combined_count;
	out->combined = channels.max_combined != 0;
	return result == 0 && (out->receive == 0 || out->send == 0) ? -EOPNOTSUPP : result;
}

void xdp_host_warn(const struct xdp *xdp)
{
	const struct strata_iface *iface = xdp->iface;
	const unsigned int first = (unsigned int)xdp_config(xdp)->queue, shards = strata_shard_count(iface->stack);
	struct xdp_queues queues;
	char channels[48];

	/* One tells for all shards. */
	if (strata_shard(iface->stack) != 0 || xdp_host_queues(xdp->device, &queues) < 0 || queues.receive <= shards)
		return;
	if (queues.combined)
		snprintf(channels, sizeof(channels), "combined %u", shards);
	else
		snprintf(channels, sizeof(channels), "rx %u tx %u", shards, shards);
	strata_log(iface->stack, iface->driver, STRATA_LOG_WARNING,
		   "%s: device %s receives on %u queues, of which the interface has %u, from %u on; frames of the others "
		   "go to the host's kernel: `ethtool -L %s %s`%s leaves no others, `ethtool -N` has flows come to these",
		   iface->name, xdp->device, queues.receive, shards, first, xdp->device, channels,
		   first != 0 ? " with `queue: 0`" : "");
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

bool xdp_host_news(struct xdp *xdp)
{
	const struct strata_hostlink_news news = strata_hostlink_read(&xdp->host, xdp->ifindex);

	return news.told || news.gone || news.lost;
}
