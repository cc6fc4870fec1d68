/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Joins a TAP device of this network namespace with one of another, so that Linux's own TCP can be measured
 * over TAP: frames are read from one and written to the other as they are, super-packets, open checksums
 * and all (virtio 1.2, 5.1.6). Prints "ready"; ends with SIGTERM.
 *
 *	tap_relay DEVICE NAMESPACE-FILE OTHER-DEVICE
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Local choice: frames one way before the other has its turn. */
#define BATCH 64
/* A super-packet with its Ethernet and virtio headers, and some room. */
#define FRAME_MAX (65536 + 256)
/* TUN_F_USO4 and TUN_F_USO6, which <linux/if_tun.h> has from Linux 6.2 on. */
#define TAP_F_USO (0x20 | 0x40)

static int failed(const char *what)
{
	fprintf(stderr, "tap_relay: %s: %s\n", what, strerror(errno));
	return -1;
}

static int tap_open(const char *device)
{
	static const unsigned int tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return failed("/dev/net/tun");
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return failed(device);
	if (ioctl(fd, TUNSETOFFLOAD, tso | TAP_F_USO) < 0 && ioctl(fd, TUNSETOFFLOAD, tso) < 0)
		return failed("offloads");
	return fd;
}

/* What the other device does not take is lost, as on a full link. */
static int carry(int from, int to)
{
	static char frame[FRAME_MAX];

	for (int i = 0; i < BATCH; i++) {
		ssize_t n = read(from, frame, sizeof(frame));

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : failed("read");
		if (write(to, frame, (size_t)n) < 0 && errno != EAGAIN && errno != EIO && errno != ENOBUFS)
			return failed("write");
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct pollfd ends[2] = { { .events = POLLIN }, { .events = POLLIN } };
	int other;

	if (argc != 4) {
		fprintf(stderr, "usage: tap_relay DEVICE NAMESPACE-FILE OTHER-DEVICE\n");
		return 2;
	}
	ends[0].fd = tap_open(argv[1]);
	other = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (ends[0].fd < 0 || other < 0 || setns(other, CLONE_NEWNET) < 0)
		return -failed(argv[2]);
	ends[1].fd = tap_open(argv[3]);
	if (ends[1].fd < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	for (;;) {
		if (poll(ends, 2, -1) < 0 && errno != EINTR)
			return -failed("poll");
		if (carry(ends[0].fd, ends[1].fd) < 0 || carry(ends[1].fd, ends[0].fd) < 0)
			return 1;
	}
}
