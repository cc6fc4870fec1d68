/* SPDX-License-Identifier: BSD-2-Clause */
/* The loopback device: what it is, and that what goes out comes in again as it was. */
#include "fixture.h"

#define LOOPBACK_IP IP4(127, 0, 0, 1)
#define MANIFEST \
	"strata: 1\nmodules:\n  - name: wire\n  - name: loopback\n  - name: ipv4\n  - name: icmp\n" \
	"  - name: udp\n" \
	"interfaces:\n  - name: w0\n    driver: wire\n    options:\n      medium: ip\n" \
	"  - name: lo\n    driver: loopback\n    addresses: [127.0.0.1/8]\n"

struct seen {
	unsigned int in, out;
	struct strata_pkt last;
};

static void sniff(void *ctx, struct strata_iface *iface, const struct strata_pkt *pkt, bool out)
{
	struct seen *seen = ctx;

	(void)iface;
	if (out) {
		seen->out++;
		return;
	}
	seen->in++;
	seen->last = *pkt;
}

static void it_is_a_loopback_without_link_addresses(void **state)
{
	struct fixture *fx = fx_open(.manifest = MANIFEST, .unsettled = true, .resolve = true);
	struct strata_iface *lo = strata_iface_by_name(fx->stack, "lo");

	(void)state;
	assert_true(lo->flags & STRATA_IFACE_LOOPBACK);
	assert_true(lo->flags & STRATA_IFACE_NO_NEIGHBOUR);
	assert_true(lo->flags & STRATA_IFACE_RUNNING);
	assert_int_equal(lo->lladdr.length, 0);
	assert_int_equal(lo->mtu, 65535);
	fx_close(fx);
}

static void a_datagram_to_itself_arrives(void **state)
{
	struct fixture *fx = fx_open(.manifest = MANIFEST, .unsettled = true, .resolve = true);
	struct strata_iface *lo = strata_iface_by_name(fx->stack, "lo");
	int a = fx_socket(fx, SOCK_DGRAM, 0), b = fx_socket(fx, SOCK_DGRAM, 0);
	static uint8_t sent[60000], got[60000];

	(void)state;
	fx_bind(fx, b, LOOPBACK_IP, 4000);
	fx_pattern_fill(sent, sizeof(sent), 0);
	assert_int_equal(fx_sendto(fx, a, sent, sizeof(sent), LOOPBACK_IP, 4000), sizeof(sent));
	fx_run(fx);
	assert_int_equal(fx_recv(fx, b, got, sizeof(got)), sizeof(sent));
	assert_memory_equal(sent, got, sizeof(sent));
	assert_int_equal(lo->counters.tx_packets, 1);	/* in one piece */
	assert_int_equal(lo->counters.rx_packets, 1);
	fx_close_socket(fx, a);
	fx_close_socket(fx, b);
	fx_close(fx);
}

static void checksum_and_segments_stay_open(void **state)
{
	struct fixture *fx = fx_open(.manifest = MANIFEST, .unsettled = true, .resolve = true);
	struct strata_iface *lo = strata_iface_by_name(fx->stack, "lo");
	struct strata_pkt *pkt = strata_pkt_alloc(fx->stack, STRATA_HEADROOM, 100);
	uint8_t bytes[3000] = { 0 };
	struct seen seen = { 0 };

	(void)state;
	strata_iface_set_sniffer(lo, sniff, &seen);
	assert_int_equal(strata_pkt_append(pkt, bytes, sizeof(bytes)), 0);
	pkt->seg_type = STRATA_SEG_STREAM;
	pkt->seg_size = 500;
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = STRATA_HEADROOM + 20;
	pkt->csum_offset = 16;
	assert_int_equal(strata_iface_output(lo, pkt, 0x0800, NULL), 0);
	fx_run(fx);
	assert_int_equal(seen.out, 1);
	assert_int_equal(seen.in, 1);
	assert_int_equal(seen.last.seg_size, 500);
	assert_int_equal(seen.last.csum, STRATA_CSUM_PARTIAL);
	assert_int_equal(seen.last.family, 0x0800);
	assert_true(seen.last.flags & STRATA_PKT_LOOPED);
	assert_int_equal(fx_counter(fx, "loopback", "super_packets"), 1);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_loopback_without_link_addresses),
		cmocka_unit_test(a_datagram_to_itself_arrives),
		cmocka_unit_test(checksum_and_segments_stay_open),
	};

	return fx_main(tests);
}
