/* SPDX-License-Identifier: BSD-2-Clause */
/* The wire: pairs within a stack, what crosses it, and bare packets from and to the embedder. */
#include "fixture.h"

#define TYPE 0x88b5	/* local experimental EtherType, IEEE 802 */

/** What the sniffer of an interface saw last on its way in. */
struct seen {
	unsigned int count;
	struct strata_pkt last;
	uint8_t bytes[20000];
};

static void sniff(void *ctx, struct strata_iface *iface, const struct strata_pkt *pkt, bool out)
{
	struct seen *seen = ctx;

	(void)iface;
	if (out)
		return;
	seen->count++;
	seen->last = *pkt;
	strata_pkt_read(pkt, 0, seen->bytes, sizeof(seen->bytes));
}

#define PAIR(first, second) \
	"strata: 1\nmodules:\n  - name: wire\n  - name: ethernet\ninterfaces:\n" \
	"  - name: w0\n    driver: wire\n    mac: 02:00:00:00:00:02\n" first \
	"  - name: w1\n    driver: wire\n    mac: 02:00:00:00:00:01\n" second

static struct strata_pkt *packet(struct fixture *fx, uint32_t length)
{
	struct strata_pkt *pkt = strata_pkt_alloc(fx->stack, STRATA_HEADROOM, 64);
	uint8_t bytes[1000];

	fx_pattern_fill(bytes, sizeof(bytes), 0);
	while (length != 0) {
		uint32_t n = length < sizeof(bytes) ? length : (uint32_t)sizeof(bytes);

		assert_int_equal(strata_pkt_append(pkt, bytes, n), 0);
		length -= n;
	}
	return pkt;
}

static int send_to(struct strata_iface *from, const struct strata_iface *to, struct strata_pkt *pkt)
{
	return strata_iface_output(from, pkt, TYPE, &to->lladdr);
}

static void what_one_end_sends_the_other_receives(void **state)
{
	struct fixture *fx = fx_open(.unsettled = true,
		.manifest = PAIR("    options:\n      peer: w1\n", "    options:\n      peer: w0\n"));
	struct strata_iface *w1 = strata_iface_by_name(fx->stack, "w1");
	struct seen seen = { 0 };

	(void)state;
	strata_iface_set_sniffer(w1, sniff, &seen);
	assert_int_equal(send_to(fx->iface, w1, packet(fx, 1400)), 0);
	fx_run(fx);
	assert_int_equal(seen.count, 1);
	assert_ptr_equal(seen.last.iface, w1);
	assert_int_equal(seen.last.flags, 0);
	assert_int_equal(seen.last.len + seen.last.frags_len, 1414);
	assert_memory_equal(seen.bytes, w1->lladdr.bytes, 6);
	assert_memory_equal(seen.bytes + 6, fx->iface->lladdr.bytes, 6);
	assert_int_equal(seen.bytes[14 + 700], fx_pattern(700));
	assert_int_equal(w1->counters.rx_packets, 1);
	assert_int_equal(fx_counter(fx, "wire", "crossed"), 1);
	strata_iface_set_sniffer(fx->iface, sniff, &seen);
	assert_int_equal(send_to(w1, fx->iface, packet(fx, 100)), 0);
	fx_run(fx);
	assert_int_equal(seen.count, 2);
	assert_ptr_equal(seen.last.iface, fx->iface);
	fx_close(fx);
}

static void one_end_may_name_the_other_alone(void **state)
{
	static const char *const manifests[] = {
		PAIR("    options:\n      peer: w1\n", ""), PAIR("", "    options:\n      peer: w0\n"),
	};
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(manifests); i++) {
		struct fixture *fx = fx_open(.unsettled = true, .manifest = manifests[i]);
		struct strata_iface *w1 = strata_iface_by_name(fx->stack, "w1");

		send_to(fx->iface, w1, packet(fx, 100));
		send_to(w1, fx->iface, packet(fx, 100));
		fx_run(fx);
		assert_int_equal(w1->counters.rx_packets, 1);
		assert_int_equal(fx->iface->counters.rx_packets, 1);
		fx_close(fx);
	}
}

static void with_offload_a_super_packet_crosses_uncut(void **state)
{
	struct fixture *fx = fx_open(.unsettled = true,
		.manifest = PAIR("    options:\n      peer: w1\n      offload: true\n", ""));
	struct strata_iface *w1 = strata_iface_by_name(fx->stack, "w1");
	struct strata_pkt *pkt = packet(fx, 15000);
	struct seen seen = { 0 };

	(void)state;
	strata_iface_set_sniffer(w1, sniff, &seen);
	pkt->seg_type = STRATA_SEG_STREAM;
	pkt->seg_size = 1448;
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = STRATA_HEADROOM + 20;
	pkt->csum_offset = 16;
	assert_int_equal(send_to(fx->iface, w1, pkt), 0);
	fx_run(fx);
	assert_int_equal(seen.count, 1);
	assert_int_equal(seen.last.len + seen.last.frags_len, 15014);
	assert_int_equal(seen.last.seg_size, 1448);
	assert_int_equal(seen.last.csum, STRATA_CSUM_PARTIAL);
	/* The field is where it was: 20 bytes behind the link header. */
	assert_int_equal(seen.last.csum_start - (seen.last.data - seen.last.buf), 14 + 20);
	fx_close(fx);
}

static void the_wire_holds_a_bounded_number_of_packets(void **state)
{
	struct fixture *fx = fx_open(.unsettled = true,
		.manifest = PAIR("    options:\n      peer: w1\n      queue: 10\n", ""));
	struct strata_iface *w1 = strata_iface_by_name(fx->stack, "w1");
	unsigned int i;

	(void)state;
	for (i = 0; i < 25; i++)
		send_to(fx->iface, w1, packet(fx, 100));
	fx_run(fx);
	assert_int_equal(w1->counters.rx_packets, 10);
	assert_int_equal(fx_drops(fx, "wire", "queue_full"), 15);
	assert_int_equal(fx->iface->counters.tx_dropped, 15);
	fx_close(fx);
}

static void packets_under_way_end_with_the_stack(void **state)
{
	struct fixture *fx = fx_open(.unsettled = true,
		.manifest = PAIR("    options:\n      peer: w1\n", ""));
	struct strata_iface *w1 = strata_iface_by_name(fx->stack, "w1");

	(void)state;
	send_to(fx->iface, w1, packet(fx, 100));
	fx_close(fx);	/* asserts that nothing is left */
}

static void refuse(const char *manifest, const char *sentence)
{
	struct fixture *fx = fx_open(.unsettled = true, .may_fail = true, .manifest = manifest);

	assert_null(fx->stack);
	if (strstr(strata_error_text(&fx->error), sentence) == NULL)
		fail_msg("no '%s' in: %s", sentence, strata_error_text(&fx->error));
	fx_close(fx);
}

static void a_pair_that_cannot_be_is_refused(void **state)
{
	(void)state;
	refuse(PAIR("    options:\n      peer: w0\n", ""), "is the interface itself");
	refuse(PAIR("    options:\n      peer: w7\n", ""), "is no interface of this stack");
	refuse("strata: 1\nmodules:\n  - name: wire\n  - name: ethernet\ninterfaces:\n"
	       "  - name: w0\n    driver: wire\n    options:\n      peer: w1\n"
	       "  - name: w1\n    driver: wire\n    options:\n      medium: ip\n", "medium");
	refuse(PAIR("    options:\n      peer: w1\n", "    options:\n      peer: w0\n")
	       "  - name: w2\n    driver: wire\n    options:\n      peer: w0\n", "another peer");
	refuse(PAIR("    options:\n      peer: w1\n", "")
	       "  - name: w2\n    driver: wire\n    options:\n      peer: w1\n", "paired with w0");
}

/* ---- bare packets ---- */

static void a_bare_packet_goes_to_its_version(void **state)
{
	struct fixture *fx = fx_open(.bare = true, .modules = "ipv4 icmp");

	(void)state;
	rx_icmp(.type = 8, .id = 7, .seq = 1, .text = "hello");
	expect_icmp(.type = 0, .id = 7, .seq = 1, .text = "hello");
	fx_close(fx);
}

static void a_bare_packet_of_another_version_is_dropped(void **state)
{
	struct fixture *fx = fx_open(.bare = true, .modules = "ipv4 icmp");
	uint8_t bytes[40] = { 0 };
	unsigned int version;

	(void)state;
	for (version = 0; version < 16; version++) {
		bytes[0] = (uint8_t)(version << 4 | 5);
		if (version == 4)
			continue;
		rx_frame(bytes, sizeof(bytes));
		if (version == 6)
			expect_drop("kernel", "no_network");
		else
			expect_drop("wire", "version");
	}
	rx_frame(bytes, 0);
	expect_drop("wire", "empty");
	fx_close(fx);
}

static void a_bare_wire_has_no_link_addresses(void **state)
{
	struct fixture *fx = fx_open(.bare = true, .modules = "ipv4 icmp");

	(void)state;
	assert_int_equal(fx->iface->lladdr.length, 0);
	assert_true(fx->iface->flags & STRATA_IFACE_NO_NEIGHBOUR);
	assert_false(fx->iface->flags & STRATA_IFACE_BROADCAST);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_one_end_sends_the_other_receives),
		cmocka_unit_test(one_end_may_name_the_other_alone),
		cmocka_unit_test(with_offload_a_super_packet_crosses_uncut),
		cmocka_unit_test(the_wire_holds_a_bounded_number_of_packets),
		cmocka_unit_test(packets_under_way_end_with_the_stack),
		cmocka_unit_test(a_pair_that_cannot_be_is_refused),
		cmocka_unit_test(a_bare_packet_goes_to_its_version),
		cmocka_unit_test(a_bare_packet_of_another_version_is_dropped),
		cmocka_unit_test(a_bare_wire_has_no_link_addresses),
	};

	return fx_main(tests);
}
