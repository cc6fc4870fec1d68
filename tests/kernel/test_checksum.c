/* SPDX-License-Identifier: BSD-2-Clause */
/* The Internet checksum (RFC 1071, 1624, 768) against a word-by-word reference. */
#include "rig.h"

/* RFC 1071 4.1, one word after the other. */
static uint16_t reference(const uint8_t *bytes, size_t n, uint32_t sum)
{
	uint64_t wide = sum;
	size_t i;

	for (i = 0; i + 1 < n; i += 2)
		wide += (uint64_t)bytes[i] << 8 | bytes[i + 1];
	if (n % 2 != 0)
		wide += (uint64_t)bytes[n - 1] << 8;
	while (wide >> 16 != 0)
		wide = (wide & 0xffff) + (wide >> 16);
	return (uint16_t)wide;
}

static void sums_the_example_of_rfc_1071(void **state)
{
	static const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal(strata_csum_fold(strata_csum_add(bytes, sizeof(bytes), 0)), 0xddf2);
}

static void agrees_with_the_reference_at_every_length_and_alignment(void **state)
{
	uint8_t bytes[432];
	uint64_t rng = 7;
	size_t i, n, start;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rig_random(&rng);
	for (start = 0; start < 9; start++) {
		for (n = 0; n <= 420; n++) {
			uint32_t sum = (uint32_t)rig_random(&rng);

			assert_int_equal(strata_csum_fold(strata_csum_add(bytes + start, n, sum)),
					 reference(bytes + start, n, sum));
		}
	}
}

static void does_not_overflow(void **state)
{
	static uint8_t ones[65536];

	(void)state;
	memset(ones, 0xff, sizeof(ones));
	assert_int_equal(strata_csum_fold(strata_csum_add(ones, sizeof(ones), UINT32_MAX)), 0xffff);
	assert_int_equal(strata_csum_fold(strata_csum_add(ones, sizeof(ones) - 1, UINT32_MAX)),
			 reference(ones, sizeof(ones) - 1, UINT32_MAX));
}

static void nothing_sums_to_nothing_and_zeros_to_zero(void **state)
{
	static const uint8_t zeros[1500];

	(void)state;
	assert_int_equal(strata_csum_add(NULL, 0, 0), 0);
	assert_int_equal(strata_csum_add(NULL, 0, 0x12345), 0x12345);
	assert_int_equal(strata_csum_add(zeros, sizeof(zeros), 0), 0);
}

static void can_be_taken_in_even_parts(void **state)
{
	uint8_t bytes[400];
	uint64_t rng = 3;
	size_t i, cut;
	uint16_t whole;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rig_random(&rng);
	whole = strata_csum_fold(strata_csum_add(bytes, sizeof(bytes), 0));
	for (cut = 0; cut <= sizeof(bytes); cut += 2) {
		uint32_t sum = strata_csum_add(bytes, cut, 0);

		sum = strata_csum_add(bytes + cut, sizeof(bytes) - cut, sum);
		assert_int_equal(strata_csum_fold(sum), whole);
	}
}

static void an_update_equals_a_new_sum(void **state)
{
	uint64_t rng = 5;
	int i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		uint8_t bytes[20];
		uint16_t check, from, to = (uint16_t)rig_random(&rng);
		size_t j;

		for (j = 0; j < sizeof(bytes); j++)
			bytes[j] = (uint8_t)rig_random(&rng);
		check = (uint16_t)~reference(bytes, sizeof(bytes), 0);
		from = strata_get_be16(bytes + 8);
		strata_put_be16(bytes + 8, to);
		assert_int_equal(strata_csum_update16(check, from, to),
				 (uint16_t)~reference(bytes, sizeof(bytes), 0));
	}
}

static void sums_the_pseudo_header_of_rfc_9293(void **state)
{
	/* 192.0.2.1 → 192.0.2.2, protocol 6, 20 bytes */
	static const uint8_t header[] = { 192, 0, 2, 1, 192, 0, 2, 2, 0, 6, 0, 20 };
	const struct strata_addr src = strata_addr_make(0x0800, header, 4);
	const struct strata_addr dst = strata_addr_make(0x0800, header + 4, 4);

	(void)state;
	assert_int_equal(strata_csum_fold(strata_csum_pseudo(&src, &dst, 6, 20)),
			 reference(header, sizeof(header), 0));
}

/* Word by word, as RFC 1071 has it. */
static uint16_t pseudo_by_words(const struct strata_addr *src, const struct strata_addr *dst, uint8_t number,
				uint32_t length)
{
	uint64_t sum = (uint64_t)number + (length >> 16) + (length & 0xffff);

	for (unsigned int i = 0; i < src->length; i += 2)
		sum += (uint64_t)strata_get_be16(src->bytes + i) + strata_get_be16(dst->bytes + i);
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void sums_pseudo_headers_of_any_length_and_carry(void **state)
{
	static const uint8_t lengths[] = { 4, 6, 16 };

	(void)state;
	for (size_t i = 0; i < sizeof(lengths); i++) {
		for (unsigned int fill = 0; fill < 256; fill++) {
			struct strata_addr src = { .length = lengths[i] }, dst = { .length = lengths[i] };
			uint32_t length = fill * 0x01010101u;

			for (unsigned int b = 0; b < lengths[i]; b++) {
				src.bytes[b] = (uint8_t)(fill | b);
				dst.bytes[b] = (uint8_t)(fill == 255 ? 255 : 255 - fill / 2 * b);
			}
			assert_int_equal(strata_csum_fold(strata_csum_pseudo(&src, &dst, 255, length)),
					 pseudo_by_words(&src, &dst, 255, length));
		}
	}
}

/* A packet of `n` bytes cut into pieces of the sizes given, the first linear. */
static struct strata_pkt *in_pieces(struct rig *rig, const uint8_t *bytes, const uint32_t *sizes,
				    size_t count)
{
	struct strata_pkt *pkt = strata_pkt_alloc(rig->stack, 32, sizes[0]);
	size_t i;

	assert_non_null(pkt);
	memcpy(strata_pkt_put(pkt, sizes[0]), bytes, sizes[0]);
	bytes += sizes[0];
	for (i = 1; i < count; i++) {
		struct strata_chunk *chunk = strata_chunk_alloc(rig->stack, sizes[i] + 3);

		memcpy(chunk->data + 3, bytes, sizes[i]);
		bytes += sizes[i];
		assert_int_equal(strata_pkt_append_chunk(pkt, chunk, 3, sizes[i]), 0);
		strata_chunk_put(chunk);
	}
	return pkt;
}

static void fragments_of_odd_length_count_in_the_other_half(void **state)
{
	static const uint32_t cuts[][5] = {
		{ 10, 10, 10, 10, 10 }, { 1, 1, 1, 1, 1 }, { 7, 3, 5, 1, 9 }, { 1, 2, 3, 4, 5 },
		{ 20, 1, 1, 20, 3 },	{ 0, 33, 2, 7, 8 },
	};
	struct rig rig = { .seed = 1 };
	uint8_t bytes[64];
	uint64_t rng = 9;
	size_t i, j;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rig_random(&rng);
	for (i = 0; i < STRATA_COUNT(cuts); i++) {
		struct strata_pkt *pkt = in_pieces(&rig, bytes, cuts[i], 5);
		uint32_t length = strata_pkt_length(pkt), from, n;

		for (from = 0; from <= length; from++) {
			for (n = 0; n <= length - from; n++)
				assert_int_equal(strata_csum_fold(strata_pkt_csum(pkt, from, n, 77)),
						 reference(bytes + from, n, 77));
			/* clipped */
			assert_int_equal(strata_csum_fold(strata_pkt_csum(pkt, from, UINT32_MAX, 0)),
					 reference(bytes + from, length - from, 0));
		}
		for (j = length; j < length + 5; j++)
			assert_int_equal(strata_pkt_csum(pkt, (uint32_t)j, 10, 42), 42);
		strata_pkt_free(pkt);
	}
	rig_close(&rig);
}

static void completes_a_partial_sum(void **state)
{
	static const uint32_t cut[] = { 40, 33, 27 };
	struct rig rig = { .seed = 1 };
	uint8_t bytes[100];
	struct strata_pkt *pkt;
	uint64_t rng = 11;
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)rig_random(&rng);
	/* The field, at 20 + 6, holds a pseudo-header sum. */
	strata_put_be16(bytes + 26, 0x1234);
	pkt = in_pieces(&rig, bytes, cut, STRATA_COUNT(cut));
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = (uint16_t)(strata_pkt_headroom(pkt) + 20);
	pkt->csum_offset = 6;
	strata_pkt_csum_complete(pkt);
	assert_int_equal(pkt->csum, STRATA_CSUM_NONE);
	assert_int_equal(strata_get_be16(pkt->data + 26), (uint16_t)~reference(bytes + 20, 80, 0));
	/* With the pseudo-header's sum the whole now gives all ones. */
	assert_int_equal(strata_csum_fold(strata_pkt_csum(pkt, 20, 80, 0x1234)), 0xffff);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

static void a_computed_zero_is_stored_as_all_ones(void **state)
{
	static const uint8_t bytes[] = { 0xff, 0xf0, 0x00, 0x00, 0x00, 0x0f };
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = strata_pkt_alloc(rig.stack, 16, sizeof(bytes));
	assert_int_equal(strata_pkt_append(pkt, bytes, sizeof(bytes)), 0);
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = (uint16_t)strata_pkt_headroom(pkt);
	pkt->csum_offset = 2;
	strata_pkt_csum_complete(pkt);
	assert_int_equal(strata_get_be16(pkt->data + 2), 0xffff);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

static void other_states_are_left_alone(void **state)
{
	static const uint8_t states[] = { STRATA_CSUM_NONE, STRATA_CSUM_VERIFIED };
	struct rig rig = { .seed = 1 };
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < STRATA_COUNT(states); i++) {
		struct strata_pkt *pkt = strata_pkt_alloc(rig.stack, 16, 20);

		memset(strata_pkt_put(pkt, 20), 0x11, 20);
		pkt->csum = states[i];
		pkt->csum_start = 16;
		strata_pkt_csum_complete(pkt);
		assert_int_equal(pkt->csum, states[i]);
		assert_int_equal(strata_get_be16(pkt->data), 0x1111);
		strata_pkt_free(pkt);
	}
	rig_close(&rig);
}

static void a_field_beyond_the_packet_is_not_written(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = strata_pkt_alloc(rig.stack, 16, 8);
	memset(strata_pkt_put(pkt, 8), 0, 8);
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = 16;
	pkt->csum_offset = 7;
	strata_pkt_csum_complete(pkt);
	assert_int_equal(pkt->csum, STRATA_CSUM_NONE);
	assert_int_equal(strata_pkt_length(pkt), 8);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_the_example_of_rfc_1071),
		cmocka_unit_test(agrees_with_the_reference_at_every_length_and_alignment),
		cmocka_unit_test(does_not_overflow),
		cmocka_unit_test(nothing_sums_to_nothing_and_zeros_to_zero),
		cmocka_unit_test(can_be_taken_in_even_parts),
		cmocka_unit_test(an_update_equals_a_new_sum),
		cmocka_unit_test(sums_the_pseudo_header_of_rfc_9293),
		cmocka_unit_test(sums_pseudo_headers_of_any_length_and_carry),
		cmocka_unit_test(fragments_of_odd_length_count_in_the_other_half),
		cmocka_unit_test(completes_a_partial_sum),
		cmocka_unit_test(a_computed_zero_is_stored_as_all_ones),
		cmocka_unit_test(other_states_are_left_alone),
		cmocka_unit_test(a_field_beyond_the_packet_is_not_written),
	};

	return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
