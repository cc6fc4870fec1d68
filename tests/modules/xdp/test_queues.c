/* SPDX-License-Identifier: BSD-2-Clause */
/* What the XDP driver says about queues of a device that are none of its own. The host that has the device is here. */
#include "device.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "xdp_int.h"

/* What the device's driver tells; all 0: nothing. */
static struct ethtool_channels channels;

int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct ethtool_channels *out;
	struct ifreq *device;
	va_list args;

	(void)fd;
	va_start(args, request);
	device = va_arg(args, struct ifreq *);
	va_end(args);
	assert_int_equal(request, SIOCETHTOOL);
	assert_string_equal(device->ifr_name, "eth0");
	out = (void *)device->ifr_data;
	assert_int_equal(out->cmd, ETHTOOL_GCHANNELS);
	errno = EOPNOTSUPP;
	if (channels.rx_count + channels.combined_count == 0)
		return -1;
	*out = channels;
	return 0;
}

/* Has `shard` of `shards` stacks look at the device. Returns the line that it logs, without what is in front; the
 * caller's; NULL: none. */
static char *told(uint64_t queue, uint16_t shard, uint16_t shards)
{
	struct fixture *fx = fx_open(.modules = "xdp ethernet arp ipv4 icmp");
	struct xdp_config config = { .device = "eth0", .queue = queue };
	struct xdp xdp = { .iface = fx->iface, .device = "eth0" };
	struct fx_device *device = calloc(1, sizeof(*device));
	int fd = fx_device_open(device, fx, "xdp", &config, &xdp, 0);
	const size_t before = fx->log_len;
	char *line = NULL;

	fx->stack->shard = shard;
	fx->stack->shard_count = shards;
	xdp_host_warn(&xdp);
	fx->stack->shard = 0;
	fx->stack->shard_count = 1;
	if (fx->log_len != before) {
		assert_ptr_equal(strstr(fx->log + before, "warning xdp: w0: "), fx->log + before);
		line = strdup(fx->log + before + strlen("warning xdp: w0: "));
	}
	close(fd);
	fx_device_close(device);
	free(device);
	fx_close(fx);
	return line;
}

static void check_told(uint64_t queue, uint16_t shards, const char *expected)
{
	char *line = told(queue, 0, shards);

	assert_non_null(line);
	assert_string_equal(line, expected);
	free(line);
}

static void queues_that_nobody_reads_are_told_of_with_the_remedy(void **state)
{
	(void)state;
	channels = (struct ethtool_channels){ .combined_count = 4, .max_combined = 8 };
	check_told(0, 1, "device eth0 receives on 4 queues, of which the interface has 1, from 0 on; frames of the others "
		   "go to the host's kernel: `ethtool -L eth0 combined 1` leaves no others, `ethtool -N` has flows come "
		   "to these\n");
	check_told(2, 2, "device eth0 receives on 4 queues, of which the interface has 2, from 2 on; frames of the others "
		   "go to the host's kernel: `ethtool -L eth0 combined 2` with `queue: 0` leaves no others, `ethtool -N` "
		   "has flows come to these\n");
	channels = (struct ethtool_channels){ .rx_count = 2, .tx_count = 2, .max_rx = 2, .max_tx = 2 };
	check_told(0, 1, "device eth0 receives on 2 queues, of which the interface has 1, from 0 on; frames of the others "
		   "go to the host's kernel: `ethtool -L eth0 rx 1 tx 1` leaves no others, `ethtool -N` has flows come "
		   "to these\n");
}

static void one_shard_tells_for_all(void **state)
{
	(void)state;
	channels = (struct ethtool_channels){ .combined_count = 4, .max_combined = 8 };
	assert_null(told(0, 1, 2));
}

static void where_all_queues_are_read_nothing_is_said(void **state)
{
	(void)state;
	channels = (struct ethtool_channels){ .combined_count = 4, .max_combined = 8 };
	assert_null(told(0, 0, 4));
	channels = (struct ethtool_channels){ .combined_count = 1, .max_combined = 1 };
	assert_null(told(0, 0, 1));
	/* More to send on than to receive on. */
	channels = (struct ethtool_channels){ .rx_count = 1, .tx_count = 4 };
	assert_null(told(0, 0, 1));
}

static void a_device_that_tells_nothing_is_not_told_of(void **state)
{
	(void)state;
	channels = (struct ethtool_channels){ 0 };
	assert_null(told(0, 0, 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queues_that_nobody_reads_are_told_of_with_the_remedy),
		cmocka_unit_test(one_shard_tells_for_all),
		cmocka_unit_test(where_all_queues_are_read_nothing_is_said),
		cmocka_unit_test(a_device_that_tells_nothing_is_not_told_of),
	};

	return fx_main(tests);
}
