/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rings and the shared memory of the XDP driver, with the test as the host: it takes frames from one ring and
 * gives them back in another, sometimes others than it was given.
 */
#include "device.h"

#include <errno.h>
#include <linux/if_xdp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "xdp_int.h"

#define MODULES "xdp ethernet arp ipv4 icmp"
#define HALF 32
#define FRAMES (2 * HALF)
#define BACKLOG 8

/* One ring in memory that both ends see. */
struct shared_ring {
	uint32_t producer, consumer, flags;
	union {
		uint64_t addrs[HALF];
		struct xdp_desc descs[HALF];
	};
};

struct rig {
	struct xdp xdp;
	struct xdp_config config;
	struct fx_device device;
	int fd;
	struct shared_ring fill, completion, rx, tx;
};

/* libxdp's: the driver has its socket from there. */
int xsk_socket__fd(const struct xsk_socket *socket)
{
	const int *fd = (const void *)socket;

	return *fd;
}

ssize_t __real_sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size);
ssize_t __wrap_sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size);

/* A negative descriptor: the host refuses so. */
ssize_t __wrap_sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t size)
{
	if (fd >= 0)
		return __real_sendto(fd, bytes, length, flags, to, size);
	errno = -fd;
	return -1;
}

static struct xsk_ring_prod producer(struct shared_ring *ring)
{
	return (struct xsk_ring_prod){
		.cached_cons = HALF, .mask = HALF - 1, .size = HALF, .producer = &ring->producer,
		.consumer = &ring->consumer, .ring = ring->addrs, .flags = &ring->flags,
	};
}

static struct xsk_ring_cons consumer(struct shared_ring *ring)
{
	return (struct xsk_ring_cons){
		.mask = HALF - 1, .size = HALF, .producer = &ring->producer, .consumer = &ring->consumer,
		.ring = ring->addrs, .flags = &ring->flags,
	};
}

static struct rig *rig_open(struct fixture *fx)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct xdp *xdp = &rig->xdp;

	rig->config = (struct xdp_config){ .device = "veth0", .frames = FRAMES, .backlog = BACKLOG };
	rig->fd = fx_device_open(&rig->device, fx, "xdp", &rig->config, xdp,
				 STRATA_CAP_TX_CSUM | STRATA_CAP_FRAGS);
	xdp->iface = fx->iface;
	xdp->device = "veth0";
	xdp->socket = (void *)&rig->fd;
	xdp->half = HALF;
	xdp->area_size = (size_t)FRAMES * XDP_FRAME_SIZE;
	xdp->area = aligned_alloc(XDP_FRAME_SIZE, xdp->area_size);
	xdp->free = calloc(HALF, sizeof(*xdp->free));
	xdp->returned = calloc(HALF, sizeof(*xdp->returned));
	xdp->fill = producer(&rig->fill);
	xdp->tx = producer(&rig->tx);
	xdp->completion = consumer(&rig->completion);
	xdp->rx = consumer(&rig->rx);
	xdp->resend.fire = fx_device_no_timer;
	xdp->scrap = strata_pkt_alloc(fx->stack, XDP_PKT_HEADROOM, STRATA_PKT_SMALL - XDP_PKT_HEADROOM);
	assert_non_null(xdp->scrap);
	xdp->open = true;
	xdp_io_start(xdp);
	return rig;
}

static void rig_close(struct rig *rig)
{
	struct xdp *xdp = &rig->xdp;

	strata_timer_stop(rig->device.fx->stack, &xdp->resend);
	strata_pkt_queue_purge(&xdp->waiting);
	strata_pkt_free(xdp->scrap);
	close(rig->fd);
	fx_device_close(&rig->device);
	free(xdp->area);
	free(xdp->free);
	free(xdp->returned);
	free(rig);
}

/* ---- the host ---- */

/* Frames that the host has to receive into. */
static uint32_t filled(const struct rig *rig)
{
	return rig->fill.producer - rig->fill.consumer;
}

static void host_tells(struct rig *rig, uint64_t addr, uint32_t length)
{
	rig->rx.descs[rig->rx.producer++ % HALF] = (struct xdp_desc){ .addr = addr, .len = length };
}

/* The host receives a frame into the next place that it has; returns that. */
static uint64_t host_receives(struct rig *rig, const void *frame, uint32_t length)
{
	uint64_t addr;

	assert_true(filled(rig) != 0);
	addr = rig->fill.addrs[rig->fill.consumer++ % HALF];
	assert_true(addr < HALF * XDP_FRAME_SIZE);
	assert_int_equal(addr % XDP_FRAME_SIZE, 0);
	memcpy(rig->xdp.area + addr + XDP_FRAME_HEADROOM, frame, length);
	host_tells(rig, addr + XDP_FRAME_HEADROOM, length);
	return addr;
}

static void host_gives_back(struct rig *rig, uint64_t addr)
{
	rig->completion.addrs[rig->completion.producer++ % HALF] = addr;
}

/* The host sends a frame, which must have that number, and gives its place back. */
static void host_sends(struct rig *rig, unsigned int number)
{
	struct xdp_desc desc;

	assert_true(rig->tx.producer != rig->tx.consumer);
	desc = rig->tx.descs[rig->tx.consumer++ % HALF];
	assert_true(desc.addr >= HALF * XDP_FRAME_SIZE && desc.addr < rig->xdp.area_size);
	assert_int_equal(desc.addr % XDP_FRAME_SIZE, 0);
	assert_int_equal(desc.len, 1000);
	assert_int_equal(strata_get_be16(rig->xdp.area + desc.addr + 14), number);
	host_gives_back(rig, desc.addr);
}

static unsigned int receive(struct rig *rig)
{
	unsigned int frames = xdp_io_receive(&rig->xdp);

	fx_run(rig->device.fx);
	return frames;
}

/* ---- receive ---- */

static void frames_go_round_and_each_comes_back_to_the_host(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	uint8_t frame[1514] = { 2 };
	unsigned int i, j;

	(void)state;
	assert_int_equal(filled(rig), HALF);
	fx_build_eth(frame, STACK_MAC, PEER_MAC, 0x88b5);
	for (i = 0; i < 10 * HALF; i += j) {
		for (j = 0; j < 1 + i % HALF; j++) {
			strata_put_be16(frame + 14, (uint16_t)(i + j));
			host_receives(rig, frame, sizeof(frame));
		}
		assert_int_equal(receive(rig), j);
		assert_int_equal(rig->device.seen, i + j);
		assert_int_equal(rig->device.last.len, sizeof(frame));
		assert_memory_equal(rig->device.bytes, frame, sizeof(frame));
		assert_int_equal(filled(rig), HALF);
	}
	assert_int_equal(receive(rig), 0);
	rig_close(rig);
	fx_close(fx);
}

static void a_frame_that_fills_its_place_arrives(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	static uint8_t frame[XDP_FRAME_ROOM];

	(void)state;
	fx_pattern_fill(frame, sizeof(frame), 0);
	fx_build_eth(frame, STACK_MAC, PEER_MAC, 0x88b5);
	host_receives(rig, frame, sizeof(frame));
	assert_int_equal(receive(rig), 1);
	assert_int_equal(rig->device.last.len + rig->device.last.frags_len, sizeof(frame));
	assert_memory_equal(rig->device.bytes, frame, sizeof(frame));
	rig_close(rig);
	fx_close(fx);
}

static void a_descriptor_outside_of_the_frames_is_dropped_with_a_reason(void **state)
{
	static const struct {
		uint64_t addr;
		uint32_t length;
		bool kept;	/* the place is one of the host's: it gets it back */
	} bad[] = {
		{ (uint64_t)FRAMES * XDP_FRAME_SIZE, 60, false },
		{ UINT64_MAX, 60, false },
		{ UINT64_MAX - 59, 60, false },
		{ (uint64_t)1 << 63, 60, false },
		{ (uint64_t)HALF * XDP_FRAME_SIZE, 60, false },	/* what is sent lies there */
		{ XDP_FRAME_HEADROOM, UINT32_MAX, true },
		{ XDP_FRAME_HEADROOM, XDP_FRAME_ROOM + 1, true },
		{ XDP_FRAME_SIZE - 59, 60, true },		/* and on in the next */
		{ (uint64_t)HALF * XDP_FRAME_SIZE - 59, 60, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(bad); i++) {
		struct fixture *fx = fx_open(.modules = MODULES);
		struct rig *rig = rig_open(fx);
		uint8_t frame[64] = { 2 };

		rig->fill.consumer++;
		host_tells(rig, bad[i].addr, bad[i].length);
		host_receives(rig, frame, sizeof(frame));
		assert_int_equal(receive(rig), 2);
		assert_int_equal(rig->device.seen, 1);
		assert_int_equal(fx_drops(fx, "xdp", "ring"), 1);
		assert_int_equal(fx->iface->counters.rx_errors, 1);
		assert_int_equal(filled(rig), bad[i].kept ? HALF : HALF - 1);
		rig_close(rig);
		fx_close(fx);
	}
}

static void without_memory_a_frame_is_dropped_and_its_place_comes_back(void **state)
{
	unsigned int k;

	(void)state;
	for (k = 1; k < 4; k++) {
		struct fixture *fx = fx_open(.modules = MODULES, .uncached = true);
		struct rig *rig = rig_open(fx);
		static uint8_t frame[XDP_FRAME_ROOM];

		fx_build_eth(frame, STACK_MAC, PEER_MAC, 0x88b5);
		fx_fail_at(fx, k, true);
		host_receives(rig, frame, sizeof(frame));
		receive(rig);
		fx_fail_at(fx, 0, false);
		host_receives(rig, frame, sizeof(frame));
		receive(rig);
		assert_int_equal(fx_drops(fx, "xdp", "no_memory") + rig->device.seen, 2);
		assert_int_equal(filled(rig), HALF);
		rig_close(rig);
		fx_close(fx);
	}
}

/* ---- send ---- */

static void what_is_sent_comes_to_the_host_in_order(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	unsigned int i, j;

	(void)state;
	for (i = 0; i < 10 * HALF; i += j) {
		for (j = 0; j < 1 + i % HALF; j++)
			xdp_io_send(&rig->xdp, fx_numbered(fx, i + j));
		assert_int_equal(xdp_io_flush(&rig->xdp), 0);
		for (j = 0; j < 1 + i % HALF; j++)
			host_sends(rig, i + j);
	}
	assert_int_equal(rig->tx.producer, rig->tx.consumer);
	assert_int_equal(fx_counter(fx, "xdp", "wakeups"), 0);
	rig_close(rig);
	fx_close(fx);
}

static void the_host_is_told_once_a_batch_where_it_asks_for_it(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	unsigned int i;

	(void)state;
	rig->tx.flags = XDP_RING_NEED_WAKEUP;
	for (i = 0; i < 10; i++)
		xdp_io_send(&rig->xdp, fx_numbered(fx, i));
	assert_int_equal(fx_counter(fx, "xdp", "wakeups"), 0);
	assert_int_equal(xdp_io_flush(&rig->xdp), 0);
	assert_int_equal(xdp_io_flush(&rig->xdp), 0);
	assert_int_equal(fx_counter(fx, "xdp", "wakeups"), 1);
	rig_close(rig);
	fx_close(fx);
}

static void what_the_host_has_no_room_for_waits_in_order(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	unsigned int i;

	(void)state;
	for (i = 0; i < HALF; i++)
		xdp_io_send(&rig->xdp, fx_numbered(fx, i));
	assert_false(fx->iface->flags & STRATA_IFACE_STOPPED);
	/* Transports hold back; what comes all the same has a queue that ends. */
	for (; i < HALF + BACKLOG + 1; i++) {
		xdp_io_send(&rig->xdp, fx_numbered(fx, i));
		assert_true(fx->iface->flags & STRATA_IFACE_STOPPED);
	}
	assert_int_equal(rig->xdp.waiting.count, BACKLOG);
	assert_int_equal(fx_drops(fx, "xdp", "queue_full"), 1);
	assert_int_equal(fx->iface->counters.tx_dropped, 1);
	assert_int_equal(xdp_io_flush(&rig->xdp), 0);
	assert_true(strata_timer_pending(&rig->xdp.resend));
	assert_int_equal(fx_counter(fx, "xdp", "back_pressure"), 1);
	assert_true(fx->iface->flags & STRATA_IFACE_STOPPED);
	/* Some room is not enough. */
	host_sends(rig, 0);
	assert_int_equal(xdp_io_flush(&rig->xdp), 0);
	assert_int_equal(rig->xdp.waiting.count, BACKLOG - 1);
	assert_true(fx->iface->flags & STRATA_IFACE_STOPPED);
	for (i = 1; i < HALF; i++)
		host_sends(rig, i);
	assert_int_equal(xdp_io_flush(&rig->xdp), 0);
	assert_int_equal(rig->xdp.waiting.count, 0);
	assert_false(fx->iface->flags & STRATA_IFACE_STOPPED);
	for (; i < HALF + BACKLOG; i++)
		host_sends(rig, i);
	rig_close(rig);
	fx_close(fx);
}

static void a_place_that_was_not_sent_from_is_not_sent_from(void **state)
{
	static const uint64_t bad[] = {
		0, (uint64_t)HALF * XDP_FRAME_SIZE - 1, (uint64_t)FRAMES * XDP_FRAME_SIZE, UINT64_MAX,
		(uint64_t)1 << 63,
	};
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	unsigned int i;

	(void)state;
	for (i = 0; i < HALF; i++)
		xdp_io_send(&rig->xdp, fx_numbered(fx, i));
	for (i = 0; i < STRATA_COUNT(bad); i++)
		host_gives_back(rig, bad[i]);
	rig->tx.consumer += STRATA_COUNT(bad);
	xdp_io_send(&rig->xdp, fx_numbered(fx, i));
	assert_int_equal(rig->xdp.free_count, 0);
	assert_int_equal(rig->xdp.waiting.count, 1);
	assert_int_equal(fx_counter(fx, "xdp", "not_ours"), STRATA_COUNT(bad));
	/* The rest goes on. */
	for (; i < HALF; i++)
		host_sends(rig, i);
	assert_int_equal(xdp_io_flush(&rig->xdp), 0);
	host_sends(rig, STRATA_COUNT(bad));
	rig_close(rig);
	fx_close(fx);
}

static void what_no_frame_holds_is_too_big(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	struct strata_pkt *pkt = strata_pkt_alloc(fx->stack, 64, 1000);
	static const uint8_t frame[XDP_FRAME_ROOM + 1];

	(void)state;
	assert_int_equal(strata_pkt_append(pkt, frame, sizeof(frame)), 0);
	pkt->iface = fx->iface;
	xdp_io_send(&rig->xdp, pkt);
	assert_int_equal(fx_drops(fx, "xdp", "too_big"), 1);
	assert_int_equal(rig->tx.producer, 0);
	rig_close(rig);
	fx_close(fx);
}

static void what_waits_is_dropped_when_the_device_goes(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	unsigned int i;
	int fd = rig->fd;

	(void)state;
	for (i = 0; i < HALF + 3; i++)
		xdp_io_send(&rig->xdp, fx_numbered(fx, i));
	rig->tx.flags = XDP_RING_NEED_WAKEUP;
	rig->fd = 12345;
	assert_int_equal(xdp_io_flush(&rig->xdp), -EBADF);
	rig->fd = fd;
	xdp_io_purge(&rig->xdp);
	assert_int_equal(fx_drops(fx, "xdp", "link_down"), 3);
	assert_false(fx->iface->flags & STRATA_IFACE_STOPPED);
	assert_int_equal(rig->xdp.waiting.count, 0);
	rig_close(rig);
	fx_close(fx);
}

/* As a driver does while it resets its device: nobody is told that it is down. */
static void what_a_device_that_is_down_refused_is_sent_when_it_is_up(void **state)
{
	struct fixture *fx = fx_open(.modules = MODULES);
	struct rig *rig = rig_open(fx);
	unsigned int i;
	int fd = rig->fd;

	(void)state;
	rig->tx.flags = XDP_RING_NEED_WAKEUP;
	for (i = 0; i < HALF; i++)
		xdp_io_send(&rig->xdp, fx_numbered(fx, i));
	rig->fd = -ENETDOWN;
	assert_int_equal(xdp_io_flush(&rig->xdp), -EIO);
	xdp_io_send(&rig->xdp, fx_numbered(fx, i++));
	xdp_io_send(&rig->xdp, fx_numbered(fx, i++));
	assert_int_equal(xdp_io_flush(&rig->xdp), -EIO);
	assert_int_equal(rig->xdp.waiting.count, 2);
	/* Nobody sends who would have the rest offered again: that is left to the driver. */
	assert_true(fx->iface->flags & STRATA_IFACE_STOPPED);
	assert_true(strata_timer_pending(&rig->xdp.resend));
	strata_timer_stop(fx->stack, &rig->xdp.resend);
	/* Of one that is known to be down the news tell. */
	fx->iface->flags &= ~(uint32_t)STRATA_IFACE_RUNNING;
	assert_int_equal(xdp_io_flush(&rig->xdp), -EIO);
	assert_false(strata_timer_pending(&rig->xdp.resend));
	fx->iface->flags |= STRATA_IFACE_RUNNING;
	rig->fd = fd;
	i = (unsigned int)fx_counter(fx, "xdp", "wakeups");
	assert_int_equal(xdp_io_flush(&rig->xdp), 0);
	assert_int_equal(fx_counter(fx, "xdp", "wakeups"), i + 1);
	for (i = 0; i < HALF; i++)
		host_sends(rig, i);
	assert_int_equal(xdp_io_flush(&rig->xdp), 0);
	host_sends(rig, i++);
	host_sends(rig, i++);
	assert_int_equal(rig->xdp.waiting.count, 0);
	assert_false(fx->iface->flags & STRATA_IFACE_STOPPED);
	rig_close(rig);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_go_round_and_each_comes_back_to_the_host),
		cmocka_unit_test(a_frame_that_fills_its_place_arrives),
		cmocka_unit_test(a_descriptor_outside_of_the_frames_is_dropped_with_a_reason),
		cmocka_unit_test(without_memory_a_frame_is_dropped_and_its_place_comes_back),
		cmocka_unit_test(what_is_sent_comes_to_the_host_in_order),
		cmocka_unit_test(the_host_is_told_once_a_batch_where_it_asks_for_it),
		cmocka_unit_test(what_the_host_has_no_room_for_waits_in_order),
		cmocka_unit_test(a_place_that_was_not_sent_from_is_not_sent_from),
		cmocka_unit_test(what_no_frame_holds_is_too_big),
		cmocka_unit_test(what_waits_is_dropped_when_the_device_goes),
		cmocka_unit_test(what_a_device_that_is_down_refused_is_sent_when_it_is_up),
	};

	return fx_main(tests);
}
