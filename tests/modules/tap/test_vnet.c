/* SPDX-License-Identifier: BSD-2-Clause */
/* The virtio header of a TAP device's frames, both ways: each field that can be wrong, and its reason. */
#include "fixture.h"

#include <linux/virtio_net.h>
#include "tap_int.h"

#define UDP_L4 5	/* VIRTIO_NET_HDR_GSO_UDP_L4, virtio 1.2 */

/* A frame of a kind, with nothing but what offload fields depend on. */
struct sample {
	uint8_t bytes[2048];
	uint32_t length;
	struct virtio_net_hdr vnet;
};

static struct sample sample4(uint8_t number)
{
	struct sample s = { .length = 1400 };

	strata_put_be16(s.bytes + 12, 0x0800);
	s.bytes[14] = 0x45;
	s.bytes[14 + 9] = number;
	if (number == 6)
		s.bytes[34 + 12] = 0x80;	/* 32 bytes of header */
	s.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	s.vnet.csum_start = 34;
	s.vnet.csum_offset = number == 6 ? 16 : 6;
	return s;
}

static struct sample super4(void)
{
	struct sample s = sample4(6);

	s.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	s.vnet.gso_size = 500;
	return s;
}

static int parse(const struct sample *s, struct strata_vnet *out)
{
	uint8_t header[TAP_VNET_SIZE];
	int result;

	memcpy(header, &s->vnet, sizeof(header));
	result = tap_vnet_parse(header, s->bytes, s->length, s->length, out);
	return result;
}

static void assert_reason(const struct sample *s, enum tap_drop reason)
{
	struct strata_vnet out;
	int result = parse(s, &out);

	assert_true(result < 0);
	assert_int_equal(tap_vnet_reason(result), reason);
}

static void a_plain_frame_has_nothing_open(void **state)
{
	struct sample s = sample4(6);
	struct strata_vnet out;

	(void)state;
	memset(&s.vnet, 0, sizeof(s.vnet));
	assert_int_equal(parse(&s, &out), 0);
	assert_int_equal(out.csum, STRATA_CSUM_NONE);
	assert_int_equal(out.seg_type, STRATA_SEG_NONE);
}

static void data_valid_is_verified(void **state)
{
	struct sample s = sample4(6);
	struct strata_vnet out;

	(void)state;
	s.vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID;
	assert_int_equal(parse(&s, &out), 0);
	assert_int_equal(out.csum, STRATA_CSUM_VERIFIED);
}

static void needs_csum_is_partial_where_it_says(void **state)
{
	struct sample s = sample4(17);
	struct strata_vnet out;

	(void)state;
	assert_int_equal(parse(&s, &out), 0);
	assert_int_equal(out.csum, STRATA_CSUM_PARTIAL);
	assert_int_equal(out.csum_start, 34);
	assert_int_equal(out.csum_offset, 6);
}

static void a_super_packet_is_a_stream_of_segments(void **state)
{
	struct sample s = super4();
	struct strata_vnet out;

	(void)state;
	s.vnet.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	s.vnet.hdr_len = 3;	/* a hint, often wrong */
	assert_int_equal(parse(&s, &out), 0);
	assert_int_equal(out.seg_type, STRATA_SEG_STREAM);
	assert_int_equal(out.seg_size, 500);
}

static void a_super_packet_of_one_segment_is_none(void **state)
{
	struct sample s = super4();
	struct strata_vnet out;

	(void)state;
	s.length = 34 + 32 + 500;
	assert_int_equal(parse(&s, &out), 0);
	assert_int_equal(out.seg_type, STRATA_SEG_NONE);
	s.length++;
	assert_int_equal(parse(&s, &out), 0);
	assert_int_equal(out.seg_type, STRATA_SEG_STREAM);
}

static void datagrams_are_segments_of_their_own(void **state)
{
	struct sample s = sample4(17);
	struct strata_vnet out;

	(void)state;
	s.vnet.gso_type = UDP_L4;
	s.vnet.gso_size = 100;
	assert_int_equal(parse(&s, &out), 0);
	assert_int_equal(out.seg_type, STRATA_SEG_DATAGRAM);
	assert_int_equal(out.seg_size, 100);
}

static void version_6_and_vlan_tags_move_the_offsets(void **state)
{
	struct sample s = super4();
	struct strata_vnet out;

	(void)state;
	memset(s.bytes, 0, sizeof(s.bytes));
	strata_put_be16(s.bytes + 12, 0x8100);
	strata_put_be16(s.bytes + 16, 0x86dd);
	s.bytes[18] = 0x60;
	s.bytes[18 + 6] = 6;
	s.bytes[58 + 12] = 0x50;
	s.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	s.vnet.csum_start = 58;
	assert_int_equal(parse(&s, &out), 0);
	assert_int_equal(out.seg_type, STRATA_SEG_STREAM);
	s.vnet.csum_start = 57;
	assert_reason(&s, TAP_DROP_VNET_CHECKSUM_START);
}

static void unknown_flags_are_refused(void **state)
{
	struct sample s = sample4(6);
	unsigned int bit;

	(void)state;
	for (bit = 2; bit < 8; bit++) {
		s.vnet.flags = (uint8_t)(1u << bit);
		assert_reason(&s, TAP_DROP_VNET_FLAGS);
	}
}

static void a_checksum_must_begin_behind_the_network_header(void **state)
{
	struct sample s = sample4(6);

	(void)state;
	s.vnet.csum_start = 33;
	assert_reason(&s, TAP_DROP_VNET_CHECKSUM_START);
	s.vnet.csum_start = 0;
	assert_reason(&s, TAP_DROP_VNET_CHECKSUM_START);
	s = sample4(6);
	s.bytes[14] = 0x46;	/* with options the header is 4 bytes longer */
	assert_reason(&s, TAP_DROP_VNET_CHECKSUM_START);
	s.bytes[14] = 0x44;	/* and never shorter than 20 */
	assert_reason(&s, TAP_DROP_VNET_CHECKSUM_START);
}

static void a_checksum_field_must_lie_in_the_frame(void **state)
{
	struct sample s = sample4(6);
	struct strata_vnet out;

	(void)state;
	s.vnet.csum_start = (uint16_t)(s.length - 18);
	assert_int_equal(parse(&s, &out), 0);
	s.vnet.csum_start++;
	assert_reason(&s, TAP_DROP_VNET_CHECKSUM_END);
	s.vnet.csum_start = 65535;
	s.vnet.csum_offset = 65535;
	assert_reason(&s, TAP_DROP_VNET_CHECKSUM_END);
}

static void a_frame_without_headers_has_no_offload(void **state)
{
	struct sample s = sample4(6);
	uint32_t length;

	(void)state;
	for (length = 0; length < 34; length++) {
		s.length = length;
		assert_reason(&s, TAP_DROP_VNET_CHECKSUM_START);
	}
}

static void segmentation_types_not_asked_for_are_refused(void **state)
{
	static const uint8_t types[] = { 2, 3, 6, 0x20, 0x41, 0x7f, VIRTIO_NET_HDR_GSO_ECN };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(types); i++) {
		struct sample s = super4();

		s.vnet.gso_type = types[i];
		assert_reason(&s, TAP_DROP_VNET_SEGMENT_TYPE);
	}
}

static void a_segmentation_type_must_fit_the_packet(void **state)
{
	struct sample s = super4();

	(void)state;
	s.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	assert_reason(&s, TAP_DROP_VNET_SEGMENT_PACKET);
	s = super4();
	s.bytes[14 + 9] = 17;
	assert_reason(&s, TAP_DROP_VNET_SEGMENT_PACKET);
	s = super4();
	s.vnet.csum_offset = 6;
	assert_reason(&s, TAP_DROP_VNET_SEGMENT_PACKET);
	s = super4();
	s.bytes[34 + 12] = 0x40;	/* data offset below 5 */
	assert_reason(&s, TAP_DROP_VNET_SEGMENT_PACKET);
	s = super4();
	s.length = 34 + 31;		/* shorter than the headers it announces */
	assert_reason(&s, TAP_DROP_VNET_SEGMENT_PACKET);
	s = super4();
	strata_put_be16(s.bytes + 12, 0x0806);
	assert_reason(&s, TAP_DROP_VNET_SEGMENT_PACKET);
}

static void a_segment_size_of_0_or_too_large_is_refused(void **state)
{
	struct sample s = super4();

	(void)state;
	s.vnet.gso_size = 0;
	assert_reason(&s, TAP_DROP_VNET_SEGMENT_SIZE);
	s.vnet.gso_size = 65535;
	assert_reason(&s, TAP_DROP_VNET_SEGMENT_SIZE);
}

static void no_header_of_random_bytes_leaves_the_frame(void **state)
{
	uint64_t seed = 7;
	unsigned int i;

	(void)state;
	for (i = 0; i < 200000; i++) {
		struct strata_vnet out;
		struct sample s;
		uint64_t r = fx_random(&seed);
		size_t k;
		int result;

		s.length = (uint32_t)(fx_random(&seed) % 120);
		for (k = 0; k < s.length; k++)
			s.bytes[k] = (uint8_t)fx_random(&seed);
		if (i % 2 && s.length > 24) {
			strata_put_be16(s.bytes + 12, i % 4 == 1 ? 0x0800 : 0x86dd);
			s.bytes[14] = 0x45;
			s.bytes[23] = 6;
		}
		memcpy(&s.vnet, &r, sizeof(r));
		s.vnet.csum_offset = (uint16_t)(fx_random(&seed) % 32);
		if (i % 3) {
			s.vnet.flags &= 3;
			s.vnet.csum_start %= 128;
		}
		result = parse(&s, &out);
		if (result < 0) {
			assert_true(tap_vnet_reason(result) < TAP_DROPS);
			continue;
		}
		if (out.csum == STRATA_CSUM_PARTIAL)
			assert_true((uint32_t)out.csum_start + out.csum_offset + 2 <= s.length);
		if (out.seg_type != STRATA_SEG_NONE)
			assert_true(out.seg_size > 0 && out.seg_size < s.length);
	}
}

/* Every pair of flags and type, with offsets and sizes at and around every edge: what is taken is what
 * virtio allows, and can be acted on without another look. */
static void every_header_that_is_taken_is_sound(void **state)
{
	static const uint16_t starts[] = { 0, 13, 14, 33, 34, 35, 65, 66, 1397, 1398, 1399, 1400, 65535 };
	static const uint16_t offsets[] = { 0, 6, 16, 17, 1364, 65535 };
	static const uint16_t sizes[] = { 0, 1, 500, 1333, 1334, 1335, 65535 };
	unsigned int taken = 0, combined, a, b, c;

	(void)state;
	for (combined = 0; combined < 0x10000; combined++) {
		struct sample s = combined & 1 ? sample4(6) : sample4(17);
		const uint8_t flags = (uint8_t)(combined >> 8), type = (uint8_t)combined;

		s.vnet.flags = flags;
		s.vnet.gso_type = type;
		/* The grid behind the few that can be right; the sides of it for the others. */
		for (a = 0; a < STRATA_COUNT(starts); a++)
			for (b = 0; b < STRATA_COUNT(offsets); b++)
				for (c = 0; c < STRATA_COUNT(sizes); c++) {
					struct strata_vnet out;
					int result;

					if (flags > 3 && (a != 4 || b != 2))
						continue;
					s.vnet.csum_start = starts[a];
					s.vnet.csum_offset = offsets[b];
					s.vnet.gso_size = sizes[c];
					s.vnet.hdr_len = (uint16_t)combined;
					result = parse(&s, &out);
					if (result < 0) {
						assert_true(tap_vnet_reason(result) < TAP_DROPS);
						continue;
					}
					taken++;
					assert_true(flags <= 3);
					if (flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
						assert_int_equal(out.csum, STRATA_CSUM_PARTIAL);
						assert_true(out.csum_start >= 34 &&
							    (uint32_t)out.csum_start + out.csum_offset + 2 <=
								    s.length);
					}
					if (out.seg_type == STRATA_SEG_NONE)
						continue;
					assert_int_equal(out.seg_type, combined & 1 ? STRATA_SEG_STREAM :
									 STRATA_SEG_DATAGRAM);
					assert_int_equal(out.seg_size, sizes[c]);
					assert_true(out.seg_size != 0 && out.seg_size < s.length - 34);
				}
	}
	assert_true(taken > 1000);
}

/* ---- out ---- */

/* A packet as it comes to the driver: link header, IPv4, TCP with 32 bytes, `payload` bytes. */
static struct strata_pkt *outgoing(struct fixture *fx, uint32_t payload, uint16_t seg_size)
{
	struct sample s = sample4(6);
	struct strata_pkt *pkt = strata_pkt_alloc(fx->stack, 64, 66);

	memcpy(strata_pkt_put(pkt, 66), s.bytes, 66);
	memset(s.bytes, 0xa5, sizeof(s.bytes));
	while (payload != 0) {
		uint32_t n = payload < sizeof(s.bytes) ? payload : sizeof(s.bytes);

		assert_int_equal(strata_pkt_append(pkt, s.bytes, n), 0);
		payload -= n;
	}
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = 64 + 34;
	pkt->csum_offset = 16;
	if (seg_size != 0) {
		pkt->seg_type = STRATA_SEG_STREAM;
		pkt->seg_size = seg_size;
	}
	return pkt;
}

static void a_small_packet_leaves_with_its_checksum(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp");
	struct strata_pkt *pkt = outgoing(fx, 100, 0);
	uint8_t header[TAP_VNET_SIZE], zero[TAP_VNET_SIZE] = { 0 };

	(void)state;
	assert_int_equal(tap_vnet_emit(pkt, true, false, header), 0);
	assert_memory_equal(header, zero, sizeof(header));
	assert_int_equal(pkt->csum, STRATA_CSUM_NONE);
	assert_int_equal(strata_csum_fold(strata_pkt_csum(pkt, 34, 132, 0)), 0xffff);
	strata_pkt_free(pkt);
	fx_close(fx);
}

static void a_super_packet_leaves_its_checksum_to_the_device(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp");
	struct strata_pkt *pkt = outgoing(fx, 20000, 1448);
	struct virtio_net_hdr vnet;
	uint8_t header[TAP_VNET_SIZE];

	(void)state;
	assert_int_equal(tap_vnet_emit(pkt, true, false, header), 0);
	memcpy(&vnet, header, sizeof(vnet));
	assert_int_equal(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(vnet.gso_size, 1448);
	assert_int_equal(vnet.hdr_len, 66);
	assert_int_equal(vnet.csum_start, 34);
	assert_int_equal(vnet.csum_offset, 16);
	assert_int_equal(pkt->csum, STRATA_CSUM_PARTIAL);
	strata_pkt_free(pkt);
	fx_close(fx);
}

static void a_super_packets_checksum_may_be_wanted_complete(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp");
	struct strata_pkt *pkt = outgoing(fx, 20000, 1448);
	struct virtio_net_hdr vnet;
	uint8_t header[TAP_VNET_SIZE];

	(void)state;
	assert_int_equal(tap_vnet_emit(pkt, true, true, header), 0);
	memcpy(&vnet, header, sizeof(vnet));
	assert_int_equal(vnet.flags, 0);
	assert_int_equal(vnet.gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
	assert_int_equal(vnet.gso_size, 1448);
	assert_int_equal(strata_csum_fold(strata_pkt_csum(pkt, 34, 20032, 0)), 0xffff);
	strata_pkt_free(pkt);
	fx_close(fx);
}

/* Linux discards them otherwise, as tests/system/datagrams.sh would show. */
static void datagrams_to_be_cut_always_leave_their_checksum_open(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp");
	struct strata_pkt *pkt = outgoing(fx, 20000, 1448);
	struct virtio_net_hdr vnet;
	uint8_t header[TAP_VNET_SIZE];

	(void)state;
	pkt->seg_type = STRATA_SEG_DATAGRAM;
	pkt->csum_offset = 6;
	pkt->data[14 + 9] = 17;
	assert_int_equal(tap_vnet_emit(pkt, true, true, header), 0);
	memcpy(&vnet, header, sizeof(vnet));
	assert_int_equal(vnet.flags, VIRTIO_NET_HDR_F_NEEDS_CSUM);
	assert_int_equal(vnet.gso_type, 5);	/* VIRTIO_NET_HDR_GSO_UDP_L4 */
	assert_int_equal(vnet.csum_start, 34);
	assert_int_equal(vnet.csum_offset, 6);
	strata_pkt_free(pkt);
	fx_close(fx);
}

static void what_is_sent_is_read_again(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp");
	struct strata_pkt *pkt = outgoing(fx, 3000, 500);
	uint8_t header[TAP_VNET_SIZE], frame[4096];
	struct strata_vnet out;
	uint32_t length;

	(void)state;
	assert_int_equal(tap_vnet_emit(pkt, true, false, header), 0);
	length = strata_pkt_read(pkt, 0, frame, sizeof(frame));
	assert_int_equal(tap_vnet_parse(header, frame, length, length, &out), 0);
	assert_int_equal(out.seg_type, STRATA_SEG_STREAM);
	assert_int_equal(out.seg_size, 500);
	assert_int_equal(out.csum, STRATA_CSUM_PARTIAL);
	assert_int_equal(out.csum_start, 34);
	strata_pkt_free(pkt);
	fx_close(fx);
}

static void one_segment_is_sent_as_a_plain_packet(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp");
	struct strata_pkt *pkt = outgoing(fx, 500, 500);
	uint8_t header[TAP_VNET_SIZE], zero[TAP_VNET_SIZE] = { 0 };

	(void)state;
	assert_int_equal(tap_vnet_emit(pkt, true, false, header), 0);
	assert_memory_equal(header, zero, sizeof(header));
	assert_int_equal(pkt->csum, STRATA_CSUM_NONE);
	strata_pkt_free(pkt);
	fx_close(fx);
}

static void what_the_device_cannot_cut_is_refused(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp");
	struct strata_pkt *pkt = outgoing(fx, 3000, 500);
	uint8_t header[TAP_VNET_SIZE];

	(void)state;
	pkt->data[14 + 9] = 253;	/* bound to another number */
	assert_int_equal(tap_vnet_reason(tap_vnet_emit(pkt, true, false, header)), TAP_DROP_CANNOT_SEGMENT);
	strata_pkt_free(pkt);
	pkt = outgoing(fx, 3000, 500);
	pkt->seg_type = STRATA_SEG_DATAGRAM;
	pkt->csum_offset = 6;
	pkt->data[14 + 9] = 17;
	assert_int_equal(tap_vnet_reason(tap_vnet_emit(pkt, false, false, header)), TAP_DROP_CANNOT_SEGMENT);
	assert_int_equal(tap_vnet_emit(pkt, true, false, header), 0);
	assert_int_equal(header[1], UDP_L4);
	strata_pkt_free(pkt);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_frame_has_nothing_open),
		cmocka_unit_test(data_valid_is_verified),
		cmocka_unit_test(needs_csum_is_partial_where_it_says),
		cmocka_unit_test(a_super_packet_is_a_stream_of_segments),
		cmocka_unit_test(a_super_packet_of_one_segment_is_none),
		cmocka_unit_test(datagrams_are_segments_of_their_own),
		cmocka_unit_test(version_6_and_vlan_tags_move_the_offsets),
		cmocka_unit_test(unknown_flags_are_refused),
		cmocka_unit_test(a_checksum_must_begin_behind_the_network_header),
		cmocka_unit_test(a_checksum_field_must_lie_in_the_frame),
		cmocka_unit_test(a_frame_without_headers_has_no_offload),
		cmocka_unit_test(segmentation_types_not_asked_for_are_refused),
		cmocka_unit_test(a_segmentation_type_must_fit_the_packet),
		cmocka_unit_test(a_segment_size_of_0_or_too_large_is_refused),
		cmocka_unit_test(no_header_of_random_bytes_leaves_the_frame),
		cmocka_unit_test(every_header_that_is_taken_is_sound),
		cmocka_unit_test(a_small_packet_leaves_with_its_checksum),
		cmocka_unit_test(a_super_packet_leaves_its_checksum_to_the_device),
		cmocka_unit_test(a_super_packets_checksum_may_be_wanted_complete),
		cmocka_unit_test(datagrams_to_be_cut_always_leave_their_checksum_open),
		cmocka_unit_test(what_is_sent_is_read_again),
		cmocka_unit_test(one_segment_is_sent_as_a_plain_packet),
		cmocka_unit_test(what_the_device_cannot_cut_is_refused),
	};

	return fx_main(tests);
}
