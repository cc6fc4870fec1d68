/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the TAP driver asks of the host and makes of its answers: a host stands here that offers some of the
 * offloads. Its open(2) and ioctl(2) are the linker's: the program is linked with --wrap for both.
 */
#include "fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "tap_int.h"

#define MODULES "tap ethernet arp ipv4 icmp"
#define SEGMENTATION (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
#define USO (0x20 | 0x40)	/* TUN_F_USO4, TUN_F_USO6 of Linux 6.2 */
#define PLAIN (STRATA_CAP_TX_CSUM | STRATA_CAP_FRAGS)

/* The host, and what was asked of it. */
static struct host {
	unsigned int features;		/* TUNGETFEATURES; 0: it does not know the question */
	unsigned long offloads;		/* what TUNSETOFFLOAD takes */
	int offload_error, header_error;	/* what it and TUNSETVNETHDRSZ say to the rest */
	int fd;
	bool vnet;			/* asked for */
	bool other_vnet;		/* the device has what was not asked for */
	const char *name;		/* of the device when it is asked */
	int index_error, name_error;	/* what it says to being asked who it is */
	int header;			/* its size */
	unsigned long set;		/* offloads that are on */
	unsigned int closed;
} host;

int __wrap_open(const char *path, int flags, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_open(const char *path, int flags, ...)
{
	assert_string_equal(path, "/dev/net/tun");
	assert_int_equal(flags, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	host.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return host.fd;
}

int __wrap_close(int fd)
{
	host.closed += fd == host.fd;
	return __real_close(fd);
}

static int refuse(int error)
{
	errno = error;
	return -1;
}

static int device_made(const struct ifreq *request)
{
	host.vnet = (request->ifr_flags & IFF_VNET_HDR) != 0;
	assert_string_equal(request->ifr_name, "tap7");
	/* One that does not know a flag refuses the device. */
	return host.vnet && !(host.features & IFF_VNET_HDR) && host.features != 0 ? refuse(EINVAL) : 0;
}

static int device_told(struct ifreq *answer)
{
	if (host.name_error != 0)
		return refuse(host.name_error);
	strcpy(answer->ifr_name, host.name);
	answer->ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (host.vnet != host.other_vnet ? IFF_VNET_HDR : 0));
	return 0;
}

static int offloads_set(unsigned long wanted)
{
	if ((wanted & ~host.offloads) != 0)
		return refuse(host.offload_error);
	host.set = wanted;
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list list;
	void *argument;

	(void)fd;
	va_start(list, request);
	argument = va_arg(list, void *);
	va_end(list);
	switch (request) {
	case TUNGETFEATURES:
		if (host.features == 0)
			return refuse(EINVAL);
		*(unsigned int *)argument = host.features;
		return 0;
	case TUNSETIFF:
		return device_made(argument);
	case TUNGETIFF:
		return device_told(argument);
	case TUNSETVNETHDRSZ:
		host.header = *(int *)argument;
		return host.header_error != 0 ? refuse(host.header_error) : 0;
	case TUNSETOFFLOAD:
		return offloads_set((unsigned long)(uintptr_t)argument);
	case SIOCGIFINDEX:
		assert_string_equal(((struct ifreq *)argument)->ifr_name, "tap7");
		((struct ifreq *)argument)->ifr_ifindex = 7;
		return host.index_error != 0 ? refuse(host.index_error) : 0;
	case SIOCGIFMTU:
		((struct ifreq *)argument)->ifr_mtu = 1500;
		return 0;
	case SIOCGIFFLAGS:
		((struct ifreq *)argument)->ifr_flags = IFF_UP;
		return 0;
	case SIOCGIFHWADDR:
		memset(((struct ifreq *)argument)->ifr_hwaddr.sa_data, 2, 6);
		return 0;
	default:
		fail_msg("ioctl %#lx", request);
		return -1;
	}
}

/* The fixture's interface under the tap driver. */
struct rig {
	struct fixture *fx;
	struct tap tap;
	struct tap_config config;
	struct strata_instance *driver;
	void *old_config;
	uint32_t old_caps;
};

static void rig_open(struct rig *rig)
{
	struct strata_iface *iface;

	memset(rig, 0, sizeof(*rig));
	rig->fx = fx_open(.modules = MODULES);
	iface = rig->fx->iface;
	rig->config = (struct tap_config){ .device = "tap7", .offload = true };
	rig->tap.iface = iface;
	rig->driver = iface->driver;
	rig->old_config = iface->config;
	rig->old_caps = iface->caps;
	iface->driver = strata_instance_by_name(rig->fx->stack, STRATA_LINK, "tap");
	iface->config = &rig->config;
	rig->tap.device = tap_host_device(iface);
	host = (struct host){
		.features = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE,
		.offloads = SEGMENTATION | USO, .offload_error = EINVAL, .name = "tap7",
	};
}

static void rig_close(struct rig *rig)
{
	struct strata_iface *iface = rig->fx->iface;

	iface->driver = rig->driver;
	iface->config = rig->old_config;
	iface->caps = rig->old_caps;
	fx_close(rig->fx);
}

static void device_opens(struct rig *rig)
{
	struct strata_error error = { 0 };

	assert_int_equal(tap_host_open(&rig->tap, &error), 0);
	assert_int_equal(rig->tap.fd, host.fd);
	__real_close(rig->tap.fd);
	strata_error_clear(&error);
}

/* How often a line of log says that something is missing. */
static unsigned int told(const struct rig *rig)
{
	const char *at = rig->fx->log;
	unsigned int count = 0;

	while (at != NULL && (at = strstr(at, "the host's kernel has no")) != NULL) {
		count++;
		at++;
	}
	return count;
}

static void what_the_host_offers_is_taken_without_a_word(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	device_opens(&rig);
	assert_int_equal(rig.tap.ifindex, 7);
	assert_true(host.vnet);
	assert_int_equal(host.header, TAP_VNET_SIZE);
	assert_int_equal(host.set, SEGMENTATION | USO);
	assert_true(rig.tap.vnet);
	assert_true(rig.tap.uso);
	assert_int_equal(rig.tap.iface->caps, PLAIN | STRATA_CAP_SEG_STREAM | STRATA_CAP_RX_SUPER |
			 STRATA_CAP_SEG_DATAGRAM);
	assert_int_equal(told(&rig), 0);
	rig_close(&rig);
}

static void what_the_host_lacks_is_told_once_and_left_to_the_stack(void **state)
{
	static const struct {
		unsigned long offered, taken;
		uint32_t caps;
		const char *missing;
	} cases[] = {
		{ SEGMENTATION, SEGMENTATION, STRATA_CAP_SEG_STREAM | STRATA_CAP_RX_SUPER,
		  "tap7: the host's kernel has no UDP segmentation offload; the stack does it" },
		/* One of the two that go together is as good as none. */
		{ SEGMENTATION | 0x20, SEGMENTATION, STRATA_CAP_SEG_STREAM | STRATA_CAP_RX_SUPER,
		  "has no UDP segmentation offload" },
		{ TUN_F_CSUM, TUN_F_CSUM, 0, "has no segmentation offload" },
		{ TUN_F_CSUM | TUN_F_TSO4, TUN_F_CSUM, 0, "has no segmentation offload" },
		{ 0, 0, 0, "has no checksum and segmentation offload" },
	};
	static const int errors[] = { EINVAL, EOPNOTSUPP, ENOTTY };
	size_t i, j;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		for (j = 0; j < STRATA_COUNT(errors); j++) {
			struct rig rig;

			rig_open(&rig);
			host.offloads = cases[i].offered;
			host.offload_error = errors[j];
			device_opens(&rig);
			assert_int_equal(host.set, cases[i].taken);
			assert_true(rig.tap.vnet);
			assert_false(rig.tap.uso);
			assert_int_equal(rig.tap.iface->caps, PLAIN | cases[i].caps);
			assert_true(fx_logged(rig.fx, cases[i].missing));
			/* The device goes and comes back: that is no news. */
			device_opens(&rig);
			assert_int_equal(told(&rig), 1);
			rig_close(&rig);
		}
	}
}

static void offloads_are_all_taken_again_once_the_host_has_them(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	host.offloads = 0;
	device_opens(&rig);
	assert_int_equal(rig.tap.iface->caps, PLAIN);
	host.offloads = SEGMENTATION | USO;
	device_opens(&rig);
	assert_true(rig.tap.uso);
	assert_int_equal(rig.tap.iface->caps, PLAIN | STRATA_CAP_SEG_STREAM | STRATA_CAP_RX_SUPER |
			 STRATA_CAP_SEG_DATAGRAM);
	rig_close(&rig);
}

static void a_host_without_the_header_has_frames_without_it(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	host.features &= ~(unsigned int)IFF_VNET_HDR;
	host.offloads = 0;
	device_opens(&rig);
	assert_false(host.vnet);
	assert_int_equal(host.header, 0);
	assert_false(rig.tap.vnet);
	assert_false(rig.tap.uso);
	assert_int_equal(rig.tap.iface->caps, PLAIN);
	assert_true(fx_logged(rig.fx, "has no checksum and segmentation offload"));
	device_opens(&rig);
	assert_int_equal(told(&rig), 1);
	rig_close(&rig);
}

static void a_host_that_does_not_tell_its_features_is_asked_for_all(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig);
	host.features = 0;
	device_opens(&rig);
	assert_true(rig.tap.vnet);
	assert_true(rig.tap.uso);
	assert_int_equal(told(&rig), 0);
	rig_close(&rig);
}

static void a_header_of_another_size_is_an_error_with_its_remedy(void **state)
{
	struct strata_error error = { 0 };
	struct rig rig;

	(void)state;
	rig_open(&rig);
	host.header_error = EINVAL;
	assert_int_equal(tap_host_open(&rig.tap, &error), -EINVAL);
	assert_non_null(strstr(strata_error_text(&error), "TAP device tap7: offload header of 10 bytes"));
	assert_non_null(strstr(strata_error_text(&error), "try `offload: false`"));
	assert_int_equal(rig.tap.fd, -1);
	assert_int_equal(host.closed, 1);
	strata_error_clear(&error);
	rig_close(&rig);
}

/* Who does not want offloads, or carries another interface, turns off what a last user of the device left on. */
static void without_offloads_none_is_left_on(void **state)
{
	unsigned int carries;

	(void)state;
	for (carries = 0; carries < 2; carries++) {
		struct rig rig;

		rig_open(&rig);
		rig.config.offload = carries;
		if (carries)
			rig.tap.iface->flags |= STRATA_IFACE_CARRIES;
		host.set = SEGMENTATION;
		device_opens(&rig);
		rig.tap.iface->flags &= ~(uint32_t)STRATA_IFACE_CARRIES;
		assert_false(host.vnet);
		assert_int_equal(host.set, 0);
		assert_false(rig.tap.vnet);
		assert_int_equal(rig.tap.iface->caps, PLAIN);
		assert_int_equal(told(&rig), 0);
		rig_close(&rig);
	}
}

/* A device keeps its header, or its lack of one, while another queue of it is open: frames are what it says. */
static void frames_are_what_the_device_says_not_what_was_asked_for(void **state)
{
	unsigned int wanted;

	(void)state;
	for (wanted = 0; wanted < 2; wanted++) {
		struct rig rig;

		rig_open(&rig);
		rig.config.offload = wanted;
		host.other_vnet = true;
		host.set = SEGMENTATION;
		device_opens(&rig);
		assert_int_equal(host.vnet, wanted);
		assert_int_equal(rig.tap.vnet, !wanted);
		assert_int_equal(host.header, wanted ? 0 : TAP_VNET_SIZE);
		assert_int_equal(host.set, 0);
		assert_false(rig.tap.uso);
		assert_int_equal(rig.tap.iface->caps, PLAIN);
		assert_int_equal(told(&rig), wanted);
		rig_close(&rig);
	}
}

static void a_device_that_goes_while_it_is_opened_is_an_error(void **state)
{
	static const struct {
		const char *name;
		int index_error, name_error, result;
	} cases[] = {
		{ "tap7", ENODEV, 0, -ENODEV },		/* deleted, or renamed */
		{ "tap7", 0, EBADFD, -EBADFD },		/* deleted, and another made */
		{ "tap70", 0, 0, -ENODEV },		/* renamed, and another made */
	};
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		struct strata_error error = { 0 };
		struct rig rig;

		rig_open(&rig);
		host.name = cases[i].name;
		host.index_error = cases[i].index_error;
		host.name_error = cases[i].name_error;
		assert_int_equal(tap_host_open(&rig.tap, &error), cases[i].result);
		assert_non_null(strstr(strata_error_text(&error), "TAP device tap7: "));
		assert_non_null(strstr(strata_error_text(&error), "renamed or deleted while it was being opened"));
		assert_int_equal(rig.tap.fd, -1);
		assert_int_equal(host.closed, 1);
		strata_error_clear(&error);
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_host_offers_is_taken_without_a_word),
		cmocka_unit_test(what_the_host_lacks_is_told_once_and_left_to_the_stack),
		cmocka_unit_test(offloads_are_all_taken_again_once_the_host_has_them),
		cmocka_unit_test(a_host_without_the_header_has_frames_without_it),
		cmocka_unit_test(a_host_that_does_not_tell_its_features_is_asked_for_all),
		cmocka_unit_test(a_header_of_another_size_is_an_error_with_its_remedy),
		cmocka_unit_test(without_offloads_none_is_left_on),
		cmocka_unit_test(frames_are_what_the_device_says_not_what_was_asked_for),
		cmocka_unit_test(a_device_that_goes_while_it_is_opened_is_an_error),
	};

	return fx_main(tests);
}
