/* SPDX-License-Identifier: BSD-2-Clause */
/* Interfaces: what is refused and why, the way of frames both ways, what comes back in, what is told. */
#include "net.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>

static struct net net;

static int setup(void **state)
{
	(void)state;
	net_open(&net);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_close(&net);
	return 0;
}

static struct strata_instance *link_module(const char *name)
{
	return strata_instance_by_name(net.stack, STRATA_LINK, name);
}

/* Asserts that the interface is refused with exactly this text. */
static void check_refused(const struct iface_spec *spec, int result, const char *text)
{
	struct strata_error error = { 0 };
	struct strata_iface *iface = NULL;

	assert_int_equal(iface_create(net.k, spec, &iface, &error), result);
	assert_string_equal(strata_error_text(&error), text);
	assert_null(iface);
	strata_error_clear(&error);
}

/* ---- making ---- */

static void bad_names_are_refused(void **state)
{
	struct iface_spec spec = { .driver = link_module("dev") };

	(void)state;
	spec.name = "";
	check_refused(&spec, -EINVAL,
		      "interface \"\": expected a name of 1 to 15 characters, found 0\n");
	spec.name = "a23456789012345x";
	check_refused(&spec, -EINVAL, "interface \"a23456789012345x\": expected a name of 1 to 15 "
				      "characters, found 16\n");
	spec.name = "a b";
	check_refused(&spec, -EINVAL, "interface \"a b\": expected a name of printable characters "
				      "other than space, / and :, found byte 0x20\n");
	spec.name = "one";
	check_refused(&spec, -EEXIST, "interface \"one\": expected a name of its own, found another "
				      "interface that has it\n");
}

static void driver_must_drive(void **state)
{
	const struct iface_spec spec = { .name = "st0", .driver = link_module("frame") };

	(void)state;
	check_refused(&spec, -EINVAL, "interface \"st0\": driver: expected a link module that drives a "
				      "device, found \"frame\", which does not\n");
}

static void missing_framing_names_both(void **state)
{
	const struct iface_spec spec = { .name = "st0", .driver = link_module("dev"), .mtu = 1500 };
	struct strata_instance *frame = link_module("frame");

	(void)state;
	frame->running = false;
	check_refused(&spec, -ENOENT, "interface \"st0\": driver \"dev\" needs the link module "
				      "\"frame\" to frame its packets, found none; add `- name: frame` "
				      "to modules\n");
	frame->running = true;
}

static void mtu_is_checked_against_driver_and_every_network(void **state)
{
	struct iface_spec spec = { .name = "st0", .driver = link_module("dev"), .mtu = 9001 };

	(void)state;
	check_refused(&spec, -EINVAL, "interface \"st0\": mtu: expected 46 to 9000 (driver \"dev\"), "
				      "found 9001\n");
	spec.mtu = 60;
	check_refused(&spec, -EINVAL,
		      "interface \"st0\": mtu: expected at least 68 (network module \"four\"), found 60\n"
		      "interface \"st0\": mtu: expected at least 1280 (network module \"wide\"), "
		      "found 60\n");
	assert_int_equal(net.one->mtu, 1500);
}

static void mac_is_parsed_by_the_framing(void **state)
{
	struct iface_spec spec = { .name = "st0", .driver = link_module("dev"), .mac = "fish" };
	struct strata_error error = { 0 };
	const struct strata_lladdr nine = mac(9);
	struct strata_iface *iface;

	(void)state;
	check_refused(&spec, -EINVAL, "interface \"st0\": mac: expected a unicast address as \"frame\" "
				      "writes them, such as 02:00:00:00:00:02, found fish\n");
	spec.mac = "02:00:00:00:00:09";
	assert_int_equal(iface_create(net.k, &spec, &iface, &error), 0);
	assert_true(strata_lladdr_equal(&iface->lladdr, &nine));
	assert_int_equal(iface->header_size, FRAME_HEADER);
	spec.name = "st1";
	spec.driver = link_module("bare");
	check_refused(&spec, -EINVAL, "interface \"st1\": mac: expected none, since driver \"bare\" has "
				      "no link addresses, found 02:00:00:00:00:09; leave it out\n");
	/* Left out: random, and not the same twice. */
	assert_int_equal(net.one->lladdr.length, 6);
	assert_false(strata_lladdr_equal(&net.one->lladdr, &net.two->lladdr));
}

static void all_faults_are_told_at_once(void **state)
{
	const struct iface_spec spec = { .name = "st0", .driver = link_module("dev"), .mtu = 20000,
					 .mac = "x" };
	struct strata_error error = { 0 };
	struct strata_iface *iface;

	(void)state;
	assert_int_equal(iface_create(net.k, &spec, &iface, &error), -EINVAL);
	assert_int_equal(error.count, 2);
	strata_error_clear(&error);
}

static void device_that_does_not_open_leaves_a_closed_interface(void **state)
{
	const struct iface_spec spec = { .name = "st0", .driver = link_module("dev") };
	struct strata_error error = { 0 };
	struct strata_iface *iface;

	(void)state;
	net.open_result = -ENODEV;
	assert_int_equal(iface_create(net.k, &spec, &iface, &error), 0);
	assert_int_equal(iface_open(iface, &error), -ENODEV);
	assert_string_equal(strata_error_text(&error), "interface 'st0': no such device\n");
	assert_int_equal(iface->flags, 0);
	strata_error_clear(&error);
	net.open_result = 0;
	assert_int_equal(iface_open(iface, &error), 0);
	assert_true(iface_usable(iface));
}

static void interfaces_are_found_by_name_index_and_in_order(void **state)
{
	struct strata_iface *three = NULL;
	unsigned int i;
	char name[16];

	(void)state;
	assert_ptr_equal(strata_iface_by_name(net.stack, "two"), net.two);
	assert_null(strata_iface_by_name(net.stack, "three"));
	assert_ptr_equal(strata_iface_by_index(net.stack, 1), net.one);
	assert_null(strata_iface_by_index(net.stack, 0));
	assert_null(strata_iface_by_index(net.stack, 3));
	for (i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "if%u", i);
		three = net_iface(&net, "dev", name);
	}
	assert_int_equal(three->index, 22);
	iface_destroy(net.two);
	assert_null(strata_iface_by_index(net.stack, 2));
	assert_int_equal(strata_iface_next(net.stack, net.one)->index, 3);
	assert_null(strata_iface_next(net.stack, three));
	/* An index is not used again. */
	assert_int_equal(net_iface(&net, "dev", "two")->index, 23);
}

/* ---- in ---- */

static struct strata_pkt *frame_in(uint16_t number)
{
	struct strata_pkt *pkt = net_packet(&net, "192.0.2.1", 40);
	uint8_t *header = strata_pkt_push(pkt, FRAME_HEADER);

	if (header == NULL)
		abort();
	memset(header, 0, FRAME_HEADER);
	strata_put_be16(header + 12, number);
	return pkt;
}

static void frame_goes_through_the_framing_to_its_network(void **state)
{
	struct strata_pkt *pkt;

	(void)state;
	assert_int_equal(strata_iface_input(net.one, frame_in(FOUR)), STRATA_ACCEPTED);
	pkt = net_got(&net);
	assert_ptr_equal(pkt->iface, net.one);
	assert_int_equal(pkt->family, FOUR);
	assert_int_equal(pkt->time, net.stack->now);
	assert_int_equal(strata_pkt_length(pkt), FOUR_HEADER + THING_HEADER + 40);
	assert_int_equal(net.one->counters.rx_packets, 1);
	assert_int_equal(net.one->counters.rx_bytes,
			 FRAME_HEADER + FOUR_HEADER + THING_HEADER + 40);
	strata_pkt_free(pkt);
}

static void number_that_nobody_is_bound_to_is_dropped(void **state)
{
	(void)state;
	assert_int_equal(strata_iface_input(net.one, frame_in(0x9999)), STRATA_DROPPED);
	/* A resolver alone takes no packets of the family. */
	assert_int_equal(strata_iface_input(net.one, frame_in(0x9006)), STRATA_DROPPED);
	assert_int_equal(net_drops(&net, KERNEL_DROP_NO_NETWORK), 2);
	assert_int_equal(net.one->counters.rx_dropped, 2);
}

static void closed_interface_takes_nothing(void **state)
{
	(void)state;
	iface_close(net.one);
	assert_int_equal(strata_iface_input(net.one, frame_in(FOUR)), STRATA_DROPPED);
	assert_int_equal(net_drops(&net, KERNEL_DROP_IFACE_DOWN), 1);
}

static void bare_driver_says_the_family_itself(void **state)
{
	struct strata_iface *bare = net_iface(&net, "bare", "p2p");
	struct strata_pkt *pkt = net_packet(&net, "192.0.2.1", 1);

	(void)state;
	assert_int_equal(bare->header_size, 0);
	assert_true(bare->flags & STRATA_IFACE_NO_NEIGHBOUR);
	pkt->family = WIDE;
	assert_int_equal(strata_iface_input(bare, pkt), STRATA_ACCEPTED);
	pkt = net_got(&net);
	assert_int_equal(pkt->family, WIDE);
	strata_pkt_free(pkt);
}

/* ---- out ---- */

static int output(struct strata_iface *iface, struct strata_pkt *pkt)
{
	const struct strata_lladdr dst = mac(9);

	return strata_iface_output(iface, pkt, FOUR, iface->framing != NULL ? &dst : NULL);
}

/* Work that notes how often the driver had been flushed. */
struct note {
	struct strata_work work;
	unsigned int flushes;
};

static void note_flushes(struct strata_stack *stack, struct strata_work *work)
{
	struct note *note = (struct note *)(void *)work;

	(void)stack;
	note->flushes = net.flushes;
}

static void what_input_sends_leaves_before_applications_run(void **state)
{
	struct note note = { .work.run = note_flushes };

	(void)state;
	kernel_enter(net.k);
	assert_int_equal(output(net.one, net_packet(&net, "192.0.2.2", 100)), 0);
	strata_work_add(net.stack, &note.work);
	kernel_leave(net.k);
	assert_int_equal(note.flushes, 1);
	assert_int_equal(net.flushes, 1);
	strata_pkt_free(net_sent(&net));
}

static void a_stack_with_frames_still_to_be_flushed_does_not_sleep(void **state)
{
	(void)state;
	kernel_enter(net.k);
	assert_int_equal(output(net.one, net_packet(&net, "192.0.2.2", 100)), 0);
	kernel_leave_batched(net.k);
	assert_int_equal(net.flushes, 0);
	assert_int_equal(strata_next_timer(net.stack), net.stack->now);
	net_run(&net, 0);
	assert_int_equal(net.flushes, 1);
	assert_int_equal(strata_next_timer(net.stack), STRATA_NEVER);
	strata_pkt_free(net_sent(&net));
}

static void packet_is_framed_counted_and_flushed_once_a_batch(void **state)
{
	struct strata_pkt *pkt;

	(void)state;
	kernel_enter(net.k);
	assert_int_equal(output(net.one, net_packet(&net, "192.0.2.2", 100)), 0);
	assert_int_equal(output(net.one, net_packet(&net, "192.0.2.2", 100)), 0);
	assert_int_equal(net.flushes, 0);
	kernel_leave(net.k);
	assert_int_equal(net.flushes, 1);
	assert_int_equal(net.one->counters.tx_packets, 2);
	pkt = net_sent(&net);
	assert_int_equal(pkt->data[5], 9);
	assert_memory_equal(pkt->data + 6, net.one->lladdr.bytes, 6);
	assert_int_equal(strata_get_be16(pkt->data + 12), FOUR);
	assert_int_equal(pkt->link_offset, strata_pkt_headroom(pkt));
	strata_pkt_free(pkt);
	assert_false(iface_flush(net.k));
}

static void bounds_of_the_mtu(void **state)
{
	const uint32_t headers = FOUR_HEADER + THING_HEADER;

	(void)state;
	assert_int_equal(output(net.one, net_packet(&net, "192.0.2.2", 1500 - headers)), 0);
	assert_int_equal(output(net.one, net_packet(&net, "192.0.2.2", 1501 - headers)), -EMSGSIZE);
	assert_int_equal(net_drops(&net, KERNEL_DROP_TOO_BIG), 1);
	assert_int_equal(net.one->counters.tx_dropped, 1);
}

static void interface_that_does_not_run_sends_nothing(void **state)
{
	(void)state;
	strata_iface_set_running(net.one, false);
	assert_int_equal(output(net.one, net_packet(&net, "192.0.2.2", 1)), -ENETDOWN);
	assert_int_equal(net_drops(&net, KERNEL_DROP_IFACE_DOWN), 1);
	assert_int_equal(net.sent.count, 0);
}

static void framing_that_refuses_is_a_drop(void **state)
{
	(void)state;
	assert_int_equal(strata_iface_output(net.one, net_packet(&net, "192.0.2.2", 1), FOUR, NULL),
			 -EHOSTUNREACH);
	assert_int_equal(net_drops(&net, KERNEL_DROP_ENCAPSULATE), 1);
}

static void packet_without_headroom_gets_some(void **state)
{
	struct strata_pkt *pkt = strata_pkt_alloc(net.stack, 1, 20);

	(void)state;
	assert_int_equal(strata_pkt_append(pkt, "\1\2\3\4\5\6\7\1\2\3\4\5\6\7\1\2\3\4\5\6", 20), 0);
	assert_int_equal(output(net.one, pkt), 0);
	pkt = net_sent(&net);
	assert_int_equal(strata_pkt_length(pkt), FRAME_HEADER + 20);
	assert_int_equal(pkt->data[FRAME_HEADER + 19], 6);
	strata_pkt_free(pkt);
}

static void checksum_is_completed_for_a_driver_that_cannot(void **state)
{
	struct strata_pkt *pkt = net_super(&net, 1000, 0, STRATA_SEG_NONE);

	(void)state;
	assert_int_equal(output(net.one, pkt), 0);
	pkt = net_sent(&net);
	assert_int_equal(pkt->csum, STRATA_CSUM_NONE);
	assert_int_not_equal(pkt->frag_count, 0);
	strata_pkt_free(pkt);
	net.one->caps = STRATA_CAP_TX_CSUM;
	assert_int_equal(output(net.one, net_super(&net, 1000, 0, STRATA_SEG_NONE)), 0);
	pkt = net_sent(&net);
	assert_int_equal(pkt->csum, STRATA_CSUM_PARTIAL);
	/* It takes no fragments, so there are none. */
	assert_int_equal(pkt->frag_count, 0);
	assert_int_equal(pkt->len, FRAME_HEADER + FOUR_HEADER + THING_HEADER + 1000);
	strata_pkt_free(pkt);
}

static void shared_packet_is_not_written_to(void **state)
{
	struct strata_pkt *pkt = net_packet(&net, "192.0.2.2", 10);
	const uint8_t *data = pkt->data;

	(void)state;
	assert_int_equal(output(net.one, strata_pkt_get(pkt)), 0);
	assert_ptr_equal(pkt->data, data);
	assert_int_equal(pkt->refs, 1);
	strata_pkt_free(pkt);
}

static void broadcast_address_is_the_framings(void **state)
{
	struct strata_iface *bare = net_iface(&net, "bare", "p2p");

	(void)state;
	assert_int_equal(strata_iface_broadcast(net.one).bytes[5], 0xff);
	assert_int_equal(strata_iface_broadcast(bare).length, 0);
}

/* ---- what comes back in ---- */

static void loopback_device_gives_back_at_the_end_of_the_batch(void **state)
{
	struct strata_iface *lo = net_iface(&net, "loop", "lo");
	struct strata_pkt *pkt = net_super(&net, 30000, 1000, STRATA_SEG_STREAM);

	(void)state;
	kernel_enter(net.k);
	assert_int_equal(output(lo, pkt), 0);
	assert_int_equal(net.got.count, 0);
	kernel_leave(net.k);
	pkt = net_got(&net);
	assert_ptr_equal(pkt->iface, lo);
	assert_int_equal(pkt->family, FOUR);
	assert_int_equal(pkt->flags, STRATA_PKT_LOOPED);
	assert_int_equal(pkt->network_offset, 0);
	assert_int_equal(pkt->transport_offset, 0);
	assert_int_equal(pkt->csum, STRATA_CSUM_PARTIAL);
	assert_int_equal(lo->counters.tx_packets, 30);
	assert_int_equal(lo->counters.rx_packets, 30);
	strata_pkt_free(pkt);
}

static void loop_queue_is_bounded(void **state)
{
	struct strata_iface *lo = net_iface(&net, "loop", "lo");
	unsigned int i;

	(void)state;
	kernel_enter(net.k);
	for (i = 0; i < 1030; i++)
		output(lo, net_packet(&net, "192.0.2.2", 1));
	kernel_leave(net.k);
	assert_int_equal(net.got.count, 1024);
	assert_int_equal(net_drops(&net, KERNEL_DROP_LOOP_QUEUE_FULL), 6);
}

static void closing_frees_what_was_to_come_back(void **state)
{
	struct strata_iface *lo = net_iface(&net, "loop", "lo");

	(void)state;
	kernel_enter(net.k);
	output(lo, net_packet(&net, "192.0.2.2", 1));
	iface_close(lo);
	kernel_leave(net.k);
	assert_int_equal(net.got.count, 0);
}

static struct strata_dst dst_of(const char *to)
{
	const struct strata_addr a = addr(&net, to);
	struct strata_dst dst = { 0 };
	struct strata_addr src;

	assert_int_equal(strata_route_output(net.stack, &a, NULL, NULL, &dst, &src), 0);
	return dst;
}

static void dst_output(const char *to, uint16_t flags)
{
	const struct strata_tx tx = { .dst = addr(&net, to) };
	struct strata_pkt *pkt = net_packet(&net, to, 10);
	struct strata_dst dst = dst_of(to);

	pkt->flags = flags;
	kernel_enter(net.k);
	assert_int_equal(strata_network_output(&dst, pkt, &tx), 0);
	kernel_leave(net.k);
	strata_dst_release(&dst);
}

static void own_address_without_a_loopback_comes_back_on_its_interface(void **state)
{
	struct strata_pkt *pkt;

	(void)state;
	net_addr(&net, net.one, "192.0.2.1/24");
	dst_output("192.0.2.1", 0);
	assert_int_equal(net.sent.count, 0);
	pkt = net_got(&net);
	assert_ptr_equal(pkt->iface, net.one);
	assert_true(pkt->flags & STRATA_PKT_LOOPED);
	assert_int_equal(strata_pkt_length(pkt), FOUR_HEADER + THING_HEADER + 10);
	strata_pkt_free(pkt);
}

/* ---- packets of each binding ---- */

static void expect_packets(const struct strata_instance *instance, uint64_t rx, uint64_t tx)
{
	assert_int_equal(instance->rx_packets, rx);
	assert_int_equal(instance->tx_packets, tx);
}

static void expect_link_packets(const char *name, uint64_t rx, uint64_t tx)
{
	uint64_t got_rx, got_tx;

	iface_link_packets(net.k, strata_instance_by_name(net.stack, STRATA_LINK, name), &got_rx,
			   &got_tx);
	assert_int_equal(got_rx, rx);
	assert_int_equal(got_tx, tx);
}

static void each_layer_counts_a_packet_where_it_is_dispatched(void **state)
{
	const struct strata_instance *four = strata_instance_by_number(net.stack, STRATA_NETWORK, FOUR);
	const struct strata_instance *thing = strata_instance_by_number(net.stack, STRATA_TRANSPORT,
									THING);

	(void)state;
	net_addr(&net, net.one, "192.0.2.1/24");
	strata_iface_input(net.one, frame_in(FOUR));
	expect_packets(four, 1, 0);
	/* Nobody took it, but it went through the framing. */
	strata_iface_input(net.one, frame_in(0x9999));
	expect_packets(four, 1, 0);
	expect_link_packets("frame", 2, 0);
	expect_link_packets("dev", 2, 0);
	dst_output("192.0.2.255", STRATA_PKT_NO_LOOP);
	expect_packets(four, 1, 1);
	expect_packets(thing, 0, 0);
	/* A module that frames by itself is counted too. */
	output(net.two, net_packet(&net, "192.0.2.2", 1));
	expect_packets(four, 1, 2);
	expect_link_packets("frame", 2, 2);
	expect_link_packets("dev", 2, 2);
}

static void transport_is_counted_by_the_number_it_sends_with(void **state)
{
	const struct strata_instance *thing = strata_instance_by_number(net.stack, STRATA_TRANSPORT,
									THING);
	struct strata_tx tx = { .dst = addr(&net, "192.0.2.255"), .number = THING };
	struct strata_dst dst;

	(void)state;
	net_addr(&net, net.one, "192.0.2.1/24");
	dst = dst_of("192.0.2.255");
	strata_network_output(&dst, net_packet(&net, "192.0.2.255", 10), &tx);
	expect_packets(thing, 0, 1);
	/* Three segments and a bit: four packets. */
	strata_network_output(&dst, net_super(&net, 3500, 1000, STRATA_SEG_STREAM), &tx);
	expect_packets(thing, 0, 5);
	/* A raw socket may send with a number that nobody has. */
	tx.number = THING + 1;
	strata_network_output(&dst, net_packet(&net, "192.0.2.255", 10), &tx);
	expect_packets(thing, 0, 5);
	strata_dst_release(&dst);
}

static void super_packet_counts_as_its_segments_at_each_layer(void **state)
{
	const struct strata_instance *four = strata_instance_by_number(net.stack, STRATA_NETWORK, FOUR);

	(void)state;
	output(net.one, net_super(&net, 2500, 1000, STRATA_SEG_STREAM));
	expect_packets(four, 0, 3);
	expect_link_packets("frame", 0, 3);
	expect_link_packets("dev", 0, 3);
}

static void packets_of_an_interface_that_went_stay_counted(void **state)
{
	struct strata_iface *three = net_iface(&net, "dev", "three");

	(void)state;
	output(three, net_packet(&net, "192.0.2.2", 1));
	strata_iface_input(three, frame_in(FOUR));
	output(net.one, net_packet(&net, "192.0.2.2", 1));
	iface_destroy(three);
	expect_link_packets("frame", 1, 2);
	expect_link_packets("dev", 1, 2);
	expect_link_packets("bare", 0, 0);
}

static void multicast_is_mapped_and_copied_to_members_here(void **state)
{
	const struct strata_addr group = addr(&net, "224.0.0.5");
	struct strata_pkt *pkt;

	(void)state;
	net_addr(&net, net.one, "192.0.2.1/24");
	dst_output("224.0.0.5", 0);
	assert_int_equal(net.got.count, 0);
	pkt = net_sent(&net);
	assert_memory_equal(pkt->data, "\x01\x00\xe0\x00\x00\x05", 6);
	strata_pkt_free(pkt);
	assert_int_equal(strata_group_join(net.one, &group), 0);
	dst_output("224.0.0.5", 0);
	assert_int_equal(net.sent.count, 1);
	assert_int_equal(net.got.count, 1);
	dst_output("224.0.0.5", STRATA_PKT_NO_LOOP);
	assert_int_equal(net.sent.count, 2);
	assert_int_equal(net.got.count, 1);
}

static void broadcast_goes_to_all_and_comes_back(void **state)
{
	struct strata_pkt *pkt;

	(void)state;
	net_addr(&net, net.one, "192.0.2.1/24");
	dst_output("192.0.2.255", 0);
	assert_int_equal(net.got.count, 1);
	pkt = net_sent(&net);
	assert_memory_equal(pkt->data, "\xff\xff\xff\xff\xff\xff", 6);
	strata_pkt_free(pkt);
}

static void group_that_the_link_cannot_map_is_broadcast(void **state)
{
	struct strata_pkt *pkt;

	(void)state;
	net_addr(&net, net.one, "20010db8000000000000000000000001/64");
	dst_output("ff020000000000000000000000000001", 0);
	pkt = net_sent(&net);
	assert_memory_equal(pkt->data, "\xff\xff\xff\xff\xff\xff", 6);
	strata_pkt_free(pkt);
}

/* ---- errors ---- */

static void errors_are_told_by_the_familys_error_transport(void **state)
{
	struct strata_pkt *pkt = net_packet(&net, "192.0.2.2", 10);

	(void)state;
	pkt->iface = net.one;
	strata_error_output(pkt, STRATA_ERR_PORT_UNREACHABLE, 0);
	assert_int_equal(net.reports, 1);
	pkt->flags = STRATA_PKT_LINK_BROADCAST;
	strata_error_output(pkt, STRATA_ERR_PORT_UNREACHABLE, 0);
	pkt->flags = 0;
	pkt->family = WIDE;
	strata_error_output(pkt, STRATA_ERR_PORT_UNREACHABLE, 0);
	assert_int_equal(net.reports, 1);
	pkt->family = FOUR;
	strata_error_local(pkt, STRATA_ERR_TOO_BIG, 1280);
	assert_int_equal(net.local_errors, 1);
	assert_int_equal(net.last_error.info, 1280);
	assert_int_equal(net.last_error.payload_length, THING_HEADER + 10);
	pkt->network_offset = 0;
	strata_error_local(pkt, STRATA_ERR_TOO_BIG, 1280);
	assert_int_equal(net.local_errors, 1);
	strata_pkt_free(pkt);
}

/* ---- what is told ---- */

static void running_is_told_once_each_way(void **state)
{
	const uint32_t generation = net.stack->generation;

	(void)state;
	strata_iface_set_running(net.one, true);
	assert_string_equal(net.events, "");
	strata_iface_set_running(net.one, false);
	strata_iface_set_running(net.one, false);
	strata_iface_set_running(net.one, true);
	assert_string_equal(net.events, "down:one up:one");
	assert_int_not_equal(net.stack->generation, generation);
}

static void destroying_tells_everything_in_order(void **state)
{
	const struct strata_addr group = addr(&net, "224.0.0.5");

	(void)state;
	net_addr(&net, net.one, "192.0.2.1/24");
	strata_group_join(net.one, &group);
	net.events[0] = '\0';
	iface_destroy(net.one);
	assert_string_equal(net.events, "sockets -addr sockets -group down:one");
}

struct seen {
	unsigned int in, out;
	uint32_t length;
};

static void sniff(void *ctx, struct strata_iface *iface, const struct strata_pkt *pkt, bool out)
{
	struct seen *seen = ctx;

	assert_ptr_equal(iface, net.one);
	seen->in += !out;
	seen->out += out;
	seen->length = strata_pkt_length(pkt);
}

static void sniffer_sees_whole_frames_both_ways(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	strata_iface_set_sniffer(net.one, sniff, &seen);
	strata_iface_input(net.one, frame_in(0x9999));
	assert_int_equal(seen.in, 1);
	assert_int_equal(seen.length, FRAME_HEADER + FOUR_HEADER + THING_HEADER + 40);
	output(net.one, net_super(&net, 2000, 1000, STRATA_SEG_STREAM));
	assert_int_equal(seen.out, 2);
	assert_int_equal(seen.length, FRAME_HEADER + FOUR_HEADER + THING_HEADER + 1000);
	strata_iface_set_sniffer(net.one, NULL, NULL);
	output(net.one, net_packet(&net, "192.0.2.2", 1));
	assert_int_equal(seen.out, 2);
}

static void trace_one(void *ctx, const struct strata_trace_record *record)
{
	char *text = ctx;
	size_t used = strlen(text);

	snprintf(text + used, 256 - used, "%s %s %s\n", record->iface, record->out ? "<" : ">",
		 record->text);
}

static void trace_has_a_step_for_each_frame(void **state)
{
	char text[256] = "";

	(void)state;
	strata_trace_attach(net.stack, trace_one, text);
	strata_iface_input(net.one, frame_in(FOUR));
	output(net.one, net_packet(&net, "192.0.2.2", 100));
	strata_trace_attach(net.stack, NULL, NULL);
	assert_string_equal(text, "one > in on one, 82 bytes\none < out on one, 142 bytes\n");
}

static void deliver(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	struct seen *seen = ctx;

	(void)iface;
	seen->out++;
	seen->length = (uint32_t)length;
	assert_int_equal(((const uint8_t *)frame)[length - 1], (uint8_t)((length - 29) * 7 +
									 ((length - 29) >> 8)));
}

static void embedder_gets_frames_in_one_piece(void **state)
{
	struct seen seen = { 0 };

	(void)state;
	assert_false(strata_iface_deliver_out(net.one, net_packet(&net, "192.0.2.2", 1)));
	assert_int_equal(net_drops(&net, KERNEL_DROP_NO_OUTPUT), 1);
	strata_iface_set_output(net.one, deliver, &seen);
	assert_true(strata_iface_deliver_out(net.one, net_packet(&net, "192.0.2.2", 100)));
	assert_int_equal(seen.length, 128);
	assert_true(strata_iface_deliver_out(net.one, net_super(&net, 39000, 0, STRATA_SEG_NONE)));
	assert_int_equal(seen.length, 39028);
	assert_int_equal(seen.out, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(bad_names_are_refused),
		T(driver_must_drive),
		T(missing_framing_names_both),
		T(mtu_is_checked_against_driver_and_every_network),
		T(mac_is_parsed_by_the_framing),
		T(all_faults_are_told_at_once),
		T(device_that_does_not_open_leaves_a_closed_interface),
		T(interfaces_are_found_by_name_index_and_in_order),
		T(frame_goes_through_the_framing_to_its_network),
		T(number_that_nobody_is_bound_to_is_dropped),
		T(closed_interface_takes_nothing),
		T(bare_driver_says_the_family_itself),
		T(packet_is_framed_counted_and_flushed_once_a_batch),
		T(what_input_sends_leaves_before_applications_run),
		T(a_stack_with_frames_still_to_be_flushed_does_not_sleep),
		T(bounds_of_the_mtu),
		T(interface_that_does_not_run_sends_nothing),
		T(framing_that_refuses_is_a_drop),
		T(packet_without_headroom_gets_some),
		T(checksum_is_completed_for_a_driver_that_cannot),
		T(shared_packet_is_not_written_to),
		T(broadcast_address_is_the_framings),
		T(loopback_device_gives_back_at_the_end_of_the_batch),
		T(loop_queue_is_bounded),
		T(closing_frees_what_was_to_come_back),
		T(own_address_without_a_loopback_comes_back_on_its_interface),
		T(each_layer_counts_a_packet_where_it_is_dispatched),
		T(transport_is_counted_by_the_number_it_sends_with),
		T(super_packet_counts_as_its_segments_at_each_layer),
		T(packets_of_an_interface_that_went_stay_counted),
		T(multicast_is_mapped_and_copied_to_members_here),
		T(broadcast_goes_to_all_and_comes_back),
		T(group_that_the_link_cannot_map_is_broadcast),
		T(errors_are_told_by_the_familys_error_transport),
		T(running_is_told_once_each_way),
		T(destroying_tells_everything_in_order),
		T(sniffer_sees_whole_frames_both_ways),
		T(trace_has_a_step_for_each_frame),
		T(embedder_gets_frames_in_one_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
