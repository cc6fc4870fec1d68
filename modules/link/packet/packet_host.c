/* SPDX-License-Identifier: BSD-2-Clause */
/* The device as the host tells of it: over ioctls of netdevice(7) and the link events of rtnetlink(7). */
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "packet_int.h"

static bool packet_is_up(short flags)
{
	return (flags & IFF_UP) && (flags & IFF_RUNNING);
}

int packet_host_query(const char *name, struct packet_device *out)
{
	struct ifreq request;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = 0;

	if (fd < 0)
		return -errno;
	memset(&request, 0, sizeof(request));
	memcpy(request.ifr_name, name, strlen(name));
	if (ioctl(fd, SIOCGIFINDEX, &request) < 0)
		goto out_errno;
	out->ifindex = (unsigned int)request.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		goto out_errno;
	out->type = request.ifr_hwaddr.sa_family;
	if (ioctl(fd, SIOCGIFMTU, &request) < 0)
		goto out_errno;
	out->mtu = (uint32_t)request.ifr_mtu;
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		goto out_errno;
	out->up = packet_is_up(request.ifr_flags);
	goto out_close;
out_errno:
	result = -errno;
out_close:
	close(fd);
	return result;
}

int packet_host_state(const struct packet *packet)
{
	struct ifreq request;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), result = 1;

	if (fd < 0)
		return 1;	/* nothing is known: traffic will tell */
	memset(&request, 0, sizeof(request));
	request.ifr_ifindex = (int)packet->ifindex;
	/* By number: a device that was given another name goes on working. */
	if (ioctl(fd, SIOCGIFNAME, &request) < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		result = -ENODEV;
	else
		result = packet_is_up(request.ifr_flags);
	close(fd);
	return result;
}

/* The bytes of an address of the host that strata_ifaddr has in the same form; NULL: another family's. */
static const void *packet_address_bytes(const struct sockaddr *address, uint8_t *length)
{
	switch (address->sa_family) {
	case AF_INET:
		*length = 4;
		return &((const struct sockaddr_in *)(const void *)address)->sin_addr;
	case AF_INET6:
		*length = 16;
		return &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
	default:
		return NULL;
	}
}

void packet_host_warn(const struct packet *packet)
{
	const struct strata_iface *iface = packet->iface;
	const struct strata_ifaddr *own;
	struct ifaddrs *all, *one;

	if (getifaddrs(&all) < 0)
		return;
	for (one = all; one != NULL; one = one->ifa_next) {
		uint8_t length = 0;
		const void *bytes = one->ifa_addr != NULL ?
				    packet_address_bytes(one->ifa_addr, &length) : NULL;

		for (own = strata_ifaddr_first(iface); bytes != NULL && own != NULL; own = own->next)
			if (own->prefix.addr.length == length &&
			    memcmp(own->prefix.addr.bytes, bytes, length) == 0)
				strata_log(iface->stack, iface->driver, STRATA_LOG_WARNING,
					   "%s: the host's kernel has an address of this interface too, on %s; "
					   "both will answer", iface->name, one->ifa_name);
	}
	freeifaddrs(all);
}

/* ---- link events ---- */

bool packet_host_news(struct packet *packet)
{
	const struct strata_hostlink_news news = strata_hostlink_read(&packet->host, packet->ifindex);

	return news.told || news.gone || news.lost;
}
