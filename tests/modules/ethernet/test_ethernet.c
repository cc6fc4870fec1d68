/* SPDX-License-Identifier: BSD-2-Clause */
/* The ethernet module: what it takes, and for which reason it drops the rest. */
#include "fixture.h"

#define GROUP_MAC ((const uint8_t *)"\x01\x00\x5e\x00\x00\x01")
#define OTHER_MAC ((const uint8_t *)"\x02\x00\x00\x00\x00\x77")

/* A frame of `payload` zero bytes behind a header. */
static size_t build(uint8_t *out, const uint8_t *dst, const uint8_t *src, uint16_t type,
		    size_t payload)
{
	size_t at = fx_build_eth(out, dst, src, type);

	memset(out + at, 0, payload);
	return at + payload;
}

/* Puts `count` tags of `type` with `vid` behind the addresses of a frame. */
static size_t tag(uint8_t *frame, size_t length, unsigned int count, uint16_t type, uint16_t vid)
{
	while (count-- > 0) {
		memmove(frame + 16, frame + 12, length - 12);
		frame[12] = (uint8_t)(type >> 8);
		frame[13] = (uint8_t)type;
		frame[14] = (uint8_t)(0x60 | vid >> 8);
		frame[15] = (uint8_t)vid;
		length += 4;
	}
	return length;
}

/* An echo request in a frame, for what shall be taken. */
static size_t build_echo(uint8_t *frame, const uint8_t *dst)
{
	uint8_t message[8] = { 8, 0, 0, 0, 0, 7, 0, 1 };
	uint16_t sum = fx_sum_finish(fx_sum(0, message, sizeof(message)));
	size_t at = fx_build_eth(frame, dst, PEER_MAC, FX_ETH_IP);

	message[2] = (uint8_t)(sum >> 8);
	message[3] = (uint8_t)sum;
	return at + fx_build_ip(frame + at, &(const struct fx_ip){ .proto = FX_IP_ICMP }, 1, message,
				sizeof(message));
}

static void a_frame_to_this_host_is_given_to_its_network_module(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp");

	(void)state;
	rx_icmp(.type = 8, .id = 7, .seq = 1, .text = "hello");
	const struct fx_pkt *pkt = expect_icmp(.type = 0, .id = 7, .seq = 1, .text = "hello");
	assert_memory_equal(pkt->eth_dst, PEER_MAC, 6);
	assert_memory_equal(pkt->eth_src, STACK_MAC, 6);
	assert_int_equal(pkt->ethertype, FX_ETH_IP);
	assert_int_equal(fx_counter(fx, "ethernet", "in_unicast"), 1);
	fx_close(fx);
}

/* Attacks, row 60: frames of 0 to 13 bytes. */
static void frames_shorter_than_a_header_are_dropped(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet");
	uint8_t frame[16];
	size_t length;

	(void)state;
	build(frame, STACK_MAC, PEER_MAC, 0x0800, 0);
	for (length = 1; length < 14; length++) {
		rx_frame(frame, length);
		expect_drop("ethernet", "truncated");
	}
	fx_close(fx);
}

struct fault {
	const uint8_t *dst, *src;
	uint16_t type;
	size_t payload;
	const char *reason;
};

static void each_malformed_frame_has_one_reason(void **state)
{
	static const struct fault faults[] = {
		{ STACK_MAC, (const uint8_t *)"\x03\0\0\0\0\1", 0x0800, 46, "source_group" },
		{ STACK_MAC, BROADCAST_MAC, 0x0800, 46, "source_group" },
		{ OTHER_MAC, PEER_MAC, 0x0800, 46, "other_host" },
		{ STACK_MAC, PEER_MAC, 47, 46, "length" },
		{ STACK_MAC, PEER_MAC, 1500, 46, "length" },
		{ STACK_MAC, PEER_MAC, 100, 101, "length" },
		{ STACK_MAC, PEER_MAC, 0, 47, "length" },
		{ STACK_MAC, PEER_MAC, 3, 46, "llc" },
		{ STACK_MAC, PEER_MAC, 100, 100, "llc" },
		{ BROADCAST_MAC, PEER_MAC, 100, 100, "llc" },
		{ STACK_MAC, PEER_MAC, 1501, 100, "type" },
		{ STACK_MAC, PEER_MAC, 1535, 100, "type" },
		{ STACK_MAC, PEER_MAC, 0x8100, 0, "tag_truncated" },
		{ STACK_MAC, PEER_MAC, 0x8100, 3, "tag_truncated" },
	};
	struct fixture *fx = fx_open(.modules = "ethernet");
	uint8_t frame[2048];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		const struct fault *f = &faults[i];
		rx_frame(frame, build(frame, f->dst, f->src, f->type, f->payload));
		expect_drop("ethernet", f->reason);
	}
	expect_silence(0);
	fx_close(fx);
}

/* Attacks, row 60: 65,536 bytes. */
static void a_payload_over_the_largest_packet_is_dropped(void **state)
{
	static uint8_t frame[14 + 65536];
	struct fixture *fx = fx_open(.modules = "ethernet");

	(void)state;
	rx_frame(frame, build(frame, STACK_MAC, PEER_MAC, 0x0800, 65536));
	expect_drop("ethernet", "too_long");
	rx_frame(frame, build(frame, STACK_MAC, PEER_MAC, 0x0800, 65535));
	expect_drop("kernel", "no_network");
	fx_close(fx);
}

static void an_unbound_type_is_the_kernels_drop(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet");
	uint8_t frame[64];

	(void)state;
	rx_frame(frame, build(frame, STACK_MAC, PEER_MAC, 0x0600, 46));
	expect_drop("kernel", "no_network");
	rx_frame(frame, build(frame, BROADCAST_MAC, PEER_MAC, 0x0806, 46));
	expect_drop("kernel", "no_network");
	rx_frame(frame, build(frame, GROUP_MAC, PEER_MAC, 0x86dd, 46));
	expect_drop("kernel", "no_network");
	fx_close(fx);
}

static void a_priority_tag_is_taken_off(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp");
	uint8_t frame[128];
	size_t length = build_echo(frame, STACK_MAC);

	(void)state;
	rx_frame(frame, tag(frame, length, 1, 0x8100, 0));
	expect_icmp(.type = 0, .id = 7, .seq = 1, .len = 0);
	assert_int_equal(fx_counter(fx, "ethernet", "in_tagged"), 1);
	fx_close(fx);
}

static void a_vlan_that_is_not_configured_is_dropped(void **state)
{
	static const uint16_t types[] = { 0x8100, 0x88a8, 0x9100 };
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp");
	uint8_t frame[128];
	size_t i, length;

	(void)state;
	for (i = 0; i < 3; i++) {
		length = build_echo(frame, STACK_MAC);
		rx_frame(frame, tag(frame, length, 1, types[i], 5));
		expect_drop("ethernet", "vlan");
	}
	/* A service tag with a priority tag inside is a VLAN all the same. */
	length = tag(frame, build_echo(frame, STACK_MAC), 1, 0x8100, 0);
	rx_frame(frame, tag(frame, length, 1, 0x88a8, 4095));
	expect_drop("ethernet", "vlan");
	expect_silence(0);
	fx_close(fx);
}

/* Attacks, rows 15 and 60: nested tags are bounded. */
static void tags_beyond_eight_are_dropped_before_they_are_read(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp");
	uint8_t frame[1024];
	size_t length;

	(void)state;
	length = build_echo(frame, STACK_MAC);
	rx_frame(frame, tag(frame, length, 8, 0x8100, 0));
	expect_icmp(.type = 0, .id = 7, .seq = 1, .len = 0);
	for (unsigned int count = 9; count <= 100; count += 13) {
		length = build_echo(frame, STACK_MAC);
		rx_frame(frame, tag(frame, length, count, 0x8100, 0));
		expect_drop("ethernet", "nesting");
	}
	fx_close(fx);
}

static void broadcast_and_group_frames_are_counted_as_such(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp");
	uint8_t frame[128];

	(void)state;
	/* RFC 1122 3.3.6: one host's datagram in a broadcast frame. */
	rx_frame(frame, build_echo(frame, BROADCAST_MAC));
	expect_drop("ipv4", "link_broadcast");
	assert_int_equal(fx_counter(fx, "ethernet", "in_broadcast"), 1);
	rx_frame(frame, build_echo(frame, GROUP_MAC));
	expect_drop("icmp", "echo_to_many");
	assert_int_equal(fx_counter(fx, "ethernet", "in_multicast"), 1);
	fx_close(fx);
}

static void interface_addresses_are_six_hex_pairs(void **state)
{
	static const char *const bad[] = {
		"02:00:00:00:00", "02:00:00:00:00:02:03", "02-00-00-00-00-02", "2:0:0:0:0:2",
		"02:00:00:00:00:0g", "03:00:00:00:00:02", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff",
		" 02:00:00:00:00:02", "0x2:00:00:00:00:02",
	};
	struct fixture *fx;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char quoted[40];
		snprintf(quoted, sizeof(quoted), "\"%s\"", bad[i]);
		fx = fx_open(.modules = "ethernet", .mac = quoted, .may_fail = true);
		assert_null(fx->stack);
		assert_non_null(strstr(strata_error_text(&fx->error), bad[i]));
		fx_close(fx);
	}
	fx = fx_open(.modules = "ethernet", .mac = "\"0A:bC:00:00:00:02\"");
	assert_memory_equal(fx->iface->lladdr.bytes, "\x0a\xbc\0\0\0\2", 6);
	fx_close(fx);
}

static void a_random_address_is_local_and_of_one_station(void **state)
{
	static const char manifest[] =
		"strata: 1\nmodules:\n  - name: wire\n  - name: ethernet\n"
		"interfaces:\n  - name: w0\n    driver: wire\n";
	struct fixture *a = fx_open(.manifest = manifest, .seed = 5);
	struct fixture *b = fx_open(.manifest = manifest, .seed = 6);

	(void)state;
	assert_int_equal(a->iface->lladdr.length, 6);
	assert_int_equal(a->iface->lladdr.bytes[0], 2);
	assert_false(strata_lladdr_equal(&a->iface->lladdr, &b->iface->lladdr));
	fx_close(b);
	fx_close(a);
}

static void group_addresses_map_by_their_family(void **state)
{
	static const uint8_t inet4[] = { 239, 255, 1, 2 };
	static const uint8_t inet6[16] = { 0xff, 2, [12] = 0xff, 0x12, 0x34, 0x56 };
	struct fixture *fx = fx_open(.modules = "ethernet");
	const struct strata_link_ops *ops = fx->iface->framing->module->link;
	struct strata_addr group = strata_addr_make(0x0800, inet4, 4);
	struct strata_lladdr out;

	(void)state;
	assert_int_equal(ops->address_multicast(&group, &out), 0);
	assert_memory_equal(out.bytes, "\x01\x00\x5e\x7f\x01\x02", 6);
	group = strata_addr_make(0x86dd, inet6, 16);
	assert_int_equal(ops->address_multicast(&group, &out), 0);
	assert_memory_equal(out.bytes, "\x33\x33\xff\x12\x34\x56", 6);
	group.family = 0x1234;
	assert_int_equal(ops->address_multicast(&group, &out), -EAFNOSUPPORT);
	fx_close(fx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_to_this_host_is_given_to_its_network_module),
		cmocka_unit_test(frames_shorter_than_a_header_are_dropped),
		cmocka_unit_test(each_malformed_frame_has_one_reason),
		cmocka_unit_test(a_payload_over_the_largest_packet_is_dropped),
		cmocka_unit_test(an_unbound_type_is_the_kernels_drop),
		cmocka_unit_test(a_priority_tag_is_taken_off),
		cmocka_unit_test(a_vlan_that_is_not_configured_is_dropped),
		cmocka_unit_test(tags_beyond_eight_are_dropped_before_they_are_read),
		cmocka_unit_test(broadcast_and_group_frames_are_counted_as_such),
		cmocka_unit_test(interface_addresses_are_six_hex_pairs),
		cmocka_unit_test(a_random_address_is_local_and_of_one_station),
		cmocka_unit_test(group_addresses_map_by_their_family),
	};

	return fx_main(tests);
}
