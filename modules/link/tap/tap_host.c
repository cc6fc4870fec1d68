/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host's end of a TAP device: made through /dev/net/tun, set up over rtnetlink with libmnl.
 * Read tun.c of the Linux kernel (tun_set_iff, set_offload) and rtnetlink(7) before editing.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "tap_int.h"

#define TAP_CONTROL_DEVICE "/dev/net/tun"
/* Newer than the headers of older distributions: Linux 6.2. Both or neither. */
#define TAP_F_USO (0x20 | 0x40)
/* Room for a request that sets a link or an address up, and for all that is told of a link. */
#define TAP_REQUEST_SIZE 256
#define TAP_ANSWER_SIZE 8192

/** The host's address, parsed. */
struct tap_host_address {
	unsigned char family;	/* AF_INET or AF_INET6 */
	unsigned char bits;
	unsigned char length;
	uint8_t bytes[16];
};

/* ---- options ---- */

static bool tap_host_parse(const char *text, struct tap_host_address *out)
{
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	unsigned long bits;
	char *end;

	memset(out, 0, sizeof(*out));
	if (slash == NULL || (size_t)(slash - text) >= sizeof(address) ||
	    !isdigit((unsigned char)slash[1]))
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (inet_pton(AF_INET, address, out->bytes) == 1) {
		out->family = AF_INET;
		out->length = 4;
	} else if (inet_pton(AF_INET6, address, out->bytes) == 1) {
		out->family = AF_INET6;
		out->length = 16;
	} else {
		return false;
	}
	bits = strtoul(slash + 1, &end, 10);
	if (*end != '\0' || bits == 0 || bits > out->length * 8u)
		return false;
	out->bits = (unsigned char)bits;
	return true;
}

const char *tap_host_device(const struct strata_iface *iface)
{
	const struct tap_config *config = iface->config;

	return config->device != NULL ? config->device : iface->name;
}

/* As the kernel's dev_valid_name(); and no '%', which would be a template there. */
static bool tap_device_valid(const char *name)
{
	const char *p;

	if (name[0] == '\0' || strlen(name) >= IFNAMSIZ || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return false;
	for (p = name; *p != '\0'; p++)
		if (*p == '/' || *p == ':' || *p == '%' || isspace((unsigned char)*p))
			return false;
	return true;
}

int tap_host_validate(const struct strata_iface *iface, struct strata_error *error)
{
	const struct tap_config *config = iface->config;
	const char *device = tap_host_device(iface);
	struct tap_host_address host;
	int result = 0;

	if (!tap_device_valid(device)) {
		strata_error_add(error, "interface %s: `device: %s` is no device name; expected 1 to %d "
				 "characters without '/', ':', '%%' and blanks", iface->name, device,
				 IFNAMSIZ - 1);
		result = -EINVAL;
	}
	if (config->host != NULL && !tap_host_parse(config->host, &host)) {
		strata_error_add(error, "interface %s: `host: %s` is no address with prefix length; "
				 "expected for example 192.0.2.1/24", iface->name, config->host);
		result = -EINVAL;
	}
	return result;
}

/* ---- asking the kernel ---- */

/* Asks by the device's name, for which no privileges are needed. Returns 0 or -errno. */
static int tap_ask(const struct tap *tap, unsigned long what, struct ifreq *answer)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;

	if (fd < 0)
		return -errno;
	memset(answer, 0, sizeof(*answer));
	memcpy(answer->ifr_name, tap->device, strlen(tap->device));
	result = ioctl(fd, what, answer) < 0 ? -errno : 0;
	close(fd);
	return result;
}

/* Sends a request over rtnetlink and reads the kernel's answer, which comes at once; what it tells goes to `told`
 * with `data`. Returns 0 or -errno. */
static int tap_request(struct nlmsghdr *request, mnl_cb_t told, void *data)
{
	char buf[TAP_ANSWER_SIZE];
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int more = MNL_CB_OK, result = 0;

	if (nl == NULL)
		return -errno;
	request->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	request->nlmsg_seq = 1;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, request, request->nlmsg_len) < 0) {
		result = -errno;
		goto out_close;
	}
	while (more > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));

		if (n >= 0)
			more = mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(nl), told, data);
		else if (errno != EINTR)
			more = MNL_CB_ERROR;
	}
	if (more < 0)
		result = -errno;
out_close:
	mnl_socket_close(nl);
	return result;
}

/* Begins a request in the TAP_REQUEST_SIZE bytes of `buf`. */
static struct nlmsghdr *tap_request_begin(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *request;

	memset(buf, 0, TAP_REQUEST_SIZE);
	request = mnl_nlmsg_put_header(buf);
	request->nlmsg_type = type;
	request->nlmsg_flags = flags;
	return request;
}

/* Begins one about the device's link; `flags` are to be set. */
static struct nlmsghdr *tap_link_request(const struct tap *tap, char *buf, uint16_t type, unsigned int flags)
{
	struct nlmsghdr *request = tap_request_begin(buf, type, 0);
	struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifi_family = AF_UNSPEC;
	info->ifi_index = (int)tap->ifindex;
	info->ifi_flags = flags;
	info->ifi_change = flags;
	return request;
}

/* Queues that are set aside count: they may come back. */
static int tap_told_tun(const struct nlattr *attr, void *queues)
{
	const uint16_t type = mnl_attr_get_type(attr);

	if (type == IFLA_TUN_NUM_QUEUES || type == IFLA_TUN_NUM_DISABLED_QUEUES)
		*(unsigned int *)queues += mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

static int tap_told_kind(const struct nlattr *attr, void *queues)
{
	return mnl_attr_get_type(attr) != IFLA_INFO_DATA ? MNL_CB_OK :
		mnl_attr_parse_nested(attr, tap_told_tun, queues);
}

static int tap_told_attribute(const struct nlattr *attr, void *queues)
{
	return mnl_attr_get_type(attr) != IFLA_LINKINFO ? MNL_CB_OK :
		mnl_attr_parse_nested(attr, tap_told_kind, queues);
}

static int tap_told_link(const struct nlmsghdr *answer, void *queues)
{
	return mnl_attr_parse(answer, sizeof(struct ifinfomsg), tap_told_attribute, queues);
}

/* How many queues the device has, whoever opened them. 0: the host does not tell. */
static unsigned int tap_present(const struct tap *tap)
{
	char buf[TAP_REQUEST_SIZE];
	struct nlmsghdr *request = tap_link_request(tap, buf, RTM_GETLINK, 0);
	unsigned int queues = 0;

	mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return tap_request(request, tap_told_link, &queues) < 0 ? 0 : queues;
}

/* ---- the device ---- */

static const char *tap_attach_remedy(const struct tap *tap, int error)
{
	if (error == EINVAL && tap->queues > 1)
		return "a device of that name exists and is not a TAP device, or one with a single queue, "
		       "while several shards want one each; delete it, or make it with "
		       "`ip tuntap add dev NAME mode tap multi_queue`";
	if (error == E2BIG)
		return "it has no queue left for another shard";
	switch (error) {
	case EPERM:
		return "needs CAP_NET_ADMIN, or a device made for this user with "
		       "`ip tuntap add dev NAME mode tap user USER`";
	case EBUSY:
		return "another process, or another interface, has it open";
	case EINVAL:
		return "a device of that name exists and is not a TAP device, or one with several queues";
	default:
		return "the kernel refused it";
	}
}

static void tap_tell_offload(struct tap *tap, const char *what)
{
	if (tap->told_offload)
		return;
	tap->told_offload = true;
	strata_log(tap->iface->stack, tap->iface->driver, STRATA_LOG_INFO,
		   "%s: the host's kernel has no %s offload; the stack does it", tap->device, what);
}

/* Whether frames can have a virtio header: a host that offers the device without one refuses it with one. */
static bool tap_has_vnet(const struct tap *tap)
{
	unsigned int features;

	return ioctl(tap->fd, TUNGETFEATURES, &features) < 0 || (features & IFF_VNET_HDR) != 0;
}

static bool tap_wants_offload(const struct tap *tap)
{
	const struct tap_config *config = tap->iface->config;

	/* Who carries another interface hands it packets as they are on the wire. */
	return config->offload && !(tap->iface->flags & STRATA_IFACE_CARRIES);
}

/* Learns which device the descriptor is of, and what its frames are like: both are the device's to say. The name leads
 * to the index, so it must still be the device's after that. Returns 0 or -errno with a sentence. */
static int tap_identify(struct tap *tap, struct strata_error *error)
{
	struct ifreq request;
	int result = tap_ask(tap, SIOCGIFINDEX, &request);

	if (result == 0) {
		tap->ifindex = (unsigned int)request.ifr_ifindex;
		memset(&request, 0, sizeof(request));
		if (ioctl(tap->fd, TUNGETIFF, &request) < 0)
			result = -errno;
		else if (strncmp(request.ifr_name, tap->device, IFNAMSIZ) != 0)
			result = -ENODEV;
	}
	if (result < 0)
		strata_error_add(error, "interface %s: TAP device %s: %s: it was renamed or deleted while it was "
				 "being opened", tap->iface->name, tap->device, strerror(-result));
	else
		tap->vnet = (request.ifr_flags & IFF_VNET_HDR) != 0;
	return result;
}

/* Makes the descriptor a queue of the device; the lock is held. Returns 0 or -errno with a sentence. */
static int tap_attach_queue(struct tap *tap, struct strata_error *error)
{
	struct ifreq request;
	unsigned int flags;
	int result;

	memset(&request, 0, sizeof(request));
	memcpy(request.ifr_name, tap->device, strlen(tap->device));
	/* A device has the header or not from its first queue to its last. One of several queues has it, so that a
	 * reload, for which they are opened again one by one, can turn the offloads on and off. */
	tap->vnet = (tap->queues > 1 || tap_wants_offload(tap)) && tap_has_vnet(tap);
	flags = IFF_TAP | IFF_NO_PI | (tap->vnet ? IFF_VNET_HDR : 0u) | (tap->queues > 1 ? IFF_MULTI_QUEUE : 0u);
	request.ifr_flags = (short)(flags | IFF_TUN_EXCL);
	result = ioctl(tap->fd, TUNSETIFF, &request) < 0 ? -errno : 0;
	tap->made = result == 0;
	if (result == -EBUSY) {		/* it is there */
		request.ifr_flags = (short)flags;
		result = ioctl(tap->fd, TUNSETIFF, &request) < 0 ? -errno : 0;
	}
	if (result == 0) {
		result = tap_identify(tap, error);
		if (result < 0)
			return result;
		if (tap->queues > 1)
			result = tap_steer_attached(tap, tap_present(tap));
	}
	if (result < 0)
		strata_error_add(error, "interface %s: TAP device %s: %s: %s", tap->iface->name,
				 tap->device, strerror(-result), tap_attach_remedy(tap, -result));
	return result;
}

static int tap_attach(struct tap *tap, struct strata_error *error)
{
	int result;

	tap->queues = strata_shard_count(tap->iface->stack);
	tap_steer_lock(tap);
	result = tap_attach_queue(tap, error);
	if (result < 0) {
		close(tap->fd);
		tap->fd = -1;
	}
	tap_steer_unlock(tap);
	if (result == 0 && tap_wants_offload(tap) && !tap->vnet)
		tap_tell_offload(tap, "checksum and segmentation");
	return result;
}

/* Turns on what the device offers. */
static int tap_offload(struct tap *tap, struct strata_error *error)
{
	static const struct {
		unsigned long flags;
		const char *missing;
	} choices[] = {
		{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TAP_F_USO, NULL },
		{ TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN, "UDP segmentation" },
		{ TUN_F_CSUM, "segmentation" },
		{ 0, "checksum and segmentation" },
	};
	struct strata_iface *iface = tap->iface;
	int size = TAP_VNET_SIZE;
	size_t i;

	iface->caps = STRATA_CAP_TX_CSUM | STRATA_CAP_FRAGS;
	tap->uso = false;
	if (tap->vnet && ioctl(tap->fd, TUNSETVNETHDRSZ, &size) < 0) {
		int result = -errno;

		strata_error_add(error, "interface %s: TAP device %s: offload header of %d bytes: %s%s",
				 iface->name, tap->device, size, strerror(-result),
				 tap->queues == 1 ? "; try `offload: false`" : "");
		return result;
	}
	if (!tap->vnet || !tap_wants_offload(tap)) {
		/* It may have them on from its last user, or from before a reload. */
		ioctl(tap->fd, TUNSETOFFLOAD, 0UL);
		return 0;
	}
	for (i = 0; i < STRATA_COUNT(choices); i++)
		if (ioctl(tap->fd, TUNSETOFFLOAD, choices[i].flags) == 0)
			break;
	if (i != 0)
		tap_tell_offload(tap, i < STRATA_COUNT(choices) ? choices[i].missing : "");
	if (i < STRATA_COUNT(choices) && (choices[i].flags & TUN_F_TSO4))
		iface->caps |= STRATA_CAP_SEG_STREAM | STRATA_CAP_RX_SUPER;
	tap->uso = i == 0;
	if (tap->uso)
		iface->caps |= STRATA_CAP_SEG_DATAGRAM;
	return 0;
}

/* ---- the link ---- */

/* The state of the host's end. */
static int tap_query(const struct tap *tap, int *mtu, bool *up, uint8_t mac[6])
{
	struct ifreq answer;
	int result = tap_ask(tap, SIOCGIFMTU, &answer);

	if (result < 0)
		return result;
	*mtu = answer.ifr_mtu;
	result = tap_ask(tap, SIOCGIFFLAGS, &answer);
	if (result < 0)
		return result;
	*up = (answer.ifr_flags & IFF_UP) != 0;
	result = tap_ask(tap, SIOCGIFHWADDR, &answer);
	if (result == 0)
		memcpy(mac, answer.ifr_hwaddr.sa_data, 6);
	return result;
}

bool tap_host_up(const struct tap *tap)
{
	uint8_t mac[6];
	bool up = true;
	int mtu;

	return tap_query(tap, &mtu, &up, mac) < 0 || up;
}

static int tap_set_link(const struct tap *tap)
{
	const struct tap_config *config = tap->iface->config;
	char buf[TAP_REQUEST_SIZE];
	struct nlmsghdr *request = tap_link_request(tap, buf, RTM_NEWLINK, IFF_UP);

	mnl_attr_put_u32(request, IFLA_MTU, tap->iface->mtu);
	if (config->queue_length != 0)
		mnl_attr_put_u32(request, IFLA_TXQLEN, (uint32_t)config->queue_length);
	return tap_request(request, NULL, NULL);
}

/* Takes the queueing discipline off: the device's own queue drops what it has no room for and stops nobody, so that
 * nothing ever waits in one before it (tun_net_xmit), and each frame of the host would pay for looking. A host that
 * refuses keeps it. */
static void tap_set_noqueue(const struct tap *tap)
{
	char buf[TAP_REQUEST_SIZE];
	struct nlmsghdr *request = tap_request_begin(buf, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE);
	struct tcmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->tcm_family = AF_UNSPEC;
	info->tcm_ifindex = (int)tap->ifindex;
	info->tcm_parent = TC_H_ROOT;
	mnl_attr_put_strz(request, TCA_KIND, "noqueue");
	tap_request(request, NULL, NULL);
}

/* True when the device has the address already: then nothing needs to be asked of the kernel. */
static bool tap_has_address(const struct tap *tap, const struct tap_host_address *host)
{
	struct ifaddrs *all, *one;
	bool found = false;

	if (getifaddrs(&all) < 0)
		return false;
	for (one = all; one != NULL && !found; one = one->ifa_next) {
		const void *bytes;

		if (one->ifa_addr == NULL || one->ifa_addr->sa_family != host->family ||
		    strcmp(one->ifa_name, tap->device) != 0)
			continue;
		bytes = host->family == AF_INET ?
			(const void *)&((struct sockaddr_in *)(void *)one->ifa_addr)->sin_addr :
			(const void *)&((struct sockaddr_in6 *)(void *)one->ifa_addr)->sin6_addr;
		found = memcmp(bytes, host->bytes, host->length) == 0;
	}
	freeifaddrs(all);
	return found;
}

static int tap_set_address(const struct tap *tap, const struct tap_host_address *host)
{
	char buf[TAP_REQUEST_SIZE];
	struct nlmsghdr *request = tap_request_begin(buf, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
	struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof(*info));

	info->ifa_family = host->family;
	info->ifa_prefixlen = host->bits;
	info->ifa_index = tap->ifindex;
	mnl_attr_put(request, IFA_LOCAL, host->length, host->bytes);
	mnl_attr_put(request, IFA_ADDRESS, host->length, host->bytes);
	if (host->family == AF_INET && host->bits < 31) {	/* RFC 3021: a /31 has none */
		uint8_t broadcast[4];

		strata_put_be32(broadcast, strata_get_be32(host->bytes) | (UINT32_MAX >> host->bits));
		mnl_attr_put(request, IFA_BROADCAST, sizeof(broadcast), broadcast);
	}
	return tap_request(request, NULL, NULL);
}

static int tap_fail(const struct tap *tap, struct strata_error *error, const char *what, int result)
{
	strata_error_add(error, "interface %s: TAP device %s: %s: %s%s", tap->iface->name, tap->device,
			 what, strerror(-result),
			 result == -EPERM ? " (needs CAP_NET_ADMIN)" : "");
	return result;
}

/* Brings the host's end up with the interface's MTU and the host's address. */
static int tap_configure(struct tap *tap, struct strata_error *error)
{
	const struct tap_config *config = tap->iface->config;
	const struct strata_lladdr *own = &tap->iface->lladdr;
	struct tap_host_address host;
	uint8_t mac[6];
	bool up;
	int mtu, result;

	result = tap_query(tap, &mtu, &up, mac);
	if (result < 0)
		return tap_fail(tap, error, "its state cannot be read", result);
	if (own->length == sizeof(mac) && memcmp(own->bytes, mac, sizeof(mac)) == 0) {
		strata_error_add(error, "interface %s: its `mac` is the address of the host's end of %s; "
				 "both ends of a link need their own", tap->iface->name, tap->device);
		return -EADDRINUSE;
	}
	if (tap->made)
		tap_set_noqueue(tap);
	if (!up || mtu != (int)tap->iface->mtu || config->queue_length != 0) {
		result = tap_set_link(tap);
		if (result < 0)
			return tap_fail(tap, error, "it cannot be brought up with the interface's MTU",
					result);
	}
	if (config->host == NULL || !tap_host_parse(config->host, &host) ||
	    tap_has_address(tap, &host))
		return 0;
	result = tap_set_address(tap, &host);
	if (result < 0)
		return tap_fail(tap, error, "the host's address cannot be set", result);
	return 0;
}

void tap_host_close(struct tap *tap)
{
	tap_steer_lock(tap);
	tap_steer_detaching(tap);
	close(tap->fd);
	tap->fd = -1;
	tap_steer_unlock(tap);
}

int tap_host_open(struct tap *tap, struct strata_error *error)
{
	int result;

	tap->fd = open(TAP_CONTROL_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap->fd < 0) {
		result = -errno;
		strata_error_add(error, "interface %s: %s: %s%s", tap->iface->name, TAP_CONTROL_DEVICE,
				 strerror(-result), result == -ENOENT || result == -ENODEV ?
				 "; the host's kernel needs its tun module (modprobe tun)" : "");
		return result;
	}
	result = tap_attach(tap, error);
	if (result < 0)
		return result;
	result = tap_offload(tap, error);
	if (result == 0)
		result = tap_configure(tap, error);
	if (result < 0)
		tap_host_close(tap);
	return result;
}

int tap_host_set_mtu(struct tap *tap, struct strata_error *error)
{
	char buf[TAP_REQUEST_SIZE];
	struct nlmsghdr *request = tap_link_request(tap, buf, RTM_NEWLINK, 0);
	int result;

	mnl_attr_put_u32(request, IFLA_MTU, tap->iface->mtu);
	result = tap_request(request, NULL, NULL);
	return result < 0 ? tap_fail(tap, error, "its MTU cannot be changed", result) : 0;
}

/* ---- link events ---- */

int tap_host_news(struct tap *tap)
{
	const struct strata_hostlink_news news = strata_hostlink_read(&tap->host, tap->ifindex);

	if (news.lost)
		return tap_host_up(tap);
	/* That it is gone says nothing: a device that moved to another namespace goes on working, and one
	 * that was deleted shows it at its descriptor. */
	return news.told ? (news.flags & IFF_UP) != 0 : -1;
}
