/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets: every operation against a plain array of bytes, at the edges by table and by chance. */
#include "rig.h"

#include <errno.h>
#include <stdlib.h>

#define FRAGS STRATA_PKT_FRAGS
#define MODEL_MAX 240000

/* What the packet's bytes should be. */
struct model {
	uint8_t bytes[MODEL_MAX];
	uint32_t length;
};

static uint8_t pattern[MODEL_MAX];

static void assert_bytes(const struct strata_pkt *pkt, const uint8_t *bytes, uint32_t n)
{
	static uint8_t got[MODEL_MAX];
	uint32_t frags = 0;
	unsigned int i;

	assert_int_equal(strata_pkt_length(pkt), n);
	for (i = 0; i < pkt->frag_count; i++) {
		assert_true(pkt->frags[i].length != 0);
		assert_true(pkt->frags[i].offset + pkt->frags[i].length <= pkt->frags[i].chunk->size);
		frags += pkt->frags[i].length;
	}
	assert_int_equal(pkt->frags_len, frags);
	assert_true(strata_pkt_headroom(pkt) + pkt->len <= pkt->room);
	assert_int_equal(strata_pkt_read(pkt, 0, got, MODEL_MAX), n);
	assert_memory_equal(got, bytes, n);
}

static struct strata_pkt *make(struct rig *rig, uint32_t headroom, uint32_t linear,
			       const uint8_t *bytes, uint32_t n)
{
	struct strata_pkt *pkt = strata_pkt_alloc(rig->stack, headroom, linear);

	assert_non_null(pkt);
	assert_int_equal(strata_pkt_append(pkt, bytes, n), 0);
	return pkt;
}

static int set_up(void **state)
{
	uint64_t rng = 17;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)rig_random(&rng);
	return 0;
}

/* ---- life ---- */

static void a_new_packet_is_empty_with_the_room_asked_for(void **state)
{
	static const struct { uint32_t headroom, linear; } rooms[] = {
		{ 0, 0 }, { 128, 0 }, { 128, 128 }, { 128, 129 }, { 0, 256 }, { 0, STRATA_PKT_LARGE },
		{ STRATA_PKT_LARGE, 0 }, { 128, STRATA_PKT_LARGE - 128 }, { 14, 1500 },
	};
	struct rig rig = { .seed = 1 };
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < STRATA_COUNT(rooms); i++) {
		struct strata_pkt *pkt =
			strata_pkt_alloc(rig.stack, rooms[i].headroom, rooms[i].linear);

		assert_non_null(pkt);
		assert_int_equal(strata_pkt_length(pkt), 0);
		assert_true(strata_pkt_headroom(pkt) >= rooms[i].headroom);
		assert_true(strata_pkt_headroom(pkt) > 0);
		assert_true(strata_pkt_tailroom(pkt) >= rooms[i].linear);
		assert_int_equal(pkt->refs, 1);
		assert_int_equal(pkt->csum, STRATA_CSUM_NONE);
		assert_null(pkt->iface);
		assert_int_equal(pkt->link_offset | pkt->network_offset | pkt->transport_offset, 0);
		memset(strata_pkt_put(pkt, rooms[i].linear), 0xff, rooms[i].linear);
		strata_pkt_free(pkt);
	}
	rig_close(&rig);
}

static void more_than_a_large_packet_is_refused(void **state)
{
	struct rig rig = { .seed = 1 };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	assert_null(strata_pkt_alloc(rig.stack, 0, STRATA_PKT_LARGE + 1));
	assert_null(strata_pkt_alloc(rig.stack, STRATA_PKT_LARGE, 1));
	assert_null(strata_pkt_alloc(rig.stack, UINT32_MAX, 2));
	assert_null(strata_pkt_alloc(rig.stack, 2, UINT32_MAX));
	assert_null(strata_chunk_alloc(rig.stack, STRATA_CHUNK_SIZE + 1));
	rig_close(&rig);
}

static void the_last_reference_frees(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt;
	size_t before;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	before = strata_memory_used(rig.stack);
	pkt = make(&rig, 64, 100, pattern, 5000);
	assert_ptr_equal(strata_pkt_get(pkt), pkt);
	strata_pkt_free(pkt);
	assert_bytes(pkt, pattern, 5000);
	strata_pkt_free(pkt);
	strata_pkt_free(NULL);
	assert_true(strata_memory_used(rig.stack) <= before + 16 * 2);
	rig_close(&rig);
}

static void the_steady_state_asks_for_no_memory(void **state)
{
	struct rig rig = { .seed = 1 };
	uint64_t allocs = 0;
	int i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < 1000; i++) {
		struct strata_pkt *small = make(&rig, 128, 64, pattern, 64);
		struct strata_pkt *large = make(&rig, 128, 1500, pattern, 1500);
		struct strata_pkt *super = make(&rig, 128, 100, pattern, 65535);
		struct strata_pkt *copy = strata_pkt_copy(super, 128);

		strata_pkt_free(small);
		strata_pkt_free(large);
		strata_pkt_free(super);
		strata_pkt_free(copy);
		if (i == 0)
			allocs = rig.allocs;
	}
	assert_int_equal(rig.allocs, allocs);
	rig_close(&rig);
}

static void chunks_come_in_size_classes(void **state)
{
	static const struct { uint32_t asked, size; } classes[] = {
		{ 0, 256 },	 { 1, 256 },	  { 256, 256 },	    { 257, 512 },
		{ 512, 512 },	 { 513, 1024 },	  { 1460, 2048 },   { 2049, 4096 },
		{ 4097, 8192 }, { 8193, 16384 }, { 16384, 16384 },
		{ 16385, 32768 }, { 32768, 32768 },
	};
	struct rig rig = { .seed = 1 };
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < STRATA_COUNT(classes); i++) {
		struct strata_chunk *chunk = strata_chunk_alloc(rig.stack, classes[i].asked);

		assert_int_equal(chunk->size, classes[i].size);
		assert_int_equal(chunk->refs, 1);
		memset(chunk->data, 0xff, chunk->size);
		strata_chunk_put(chunk);
	}
	rig_close(&rig);
}

static void an_idle_stack_with_some_packets_stays_small(void **state)
{
	struct rig rig = { .seed = 1 };

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	strata_pkt_free(make(&rig, 128, 64, pattern, 64));
	strata_pkt_free(make(&rig, 128, 1500, pattern, 1500));
	assert_true(rig.bytes < 16384);
	rig_close(&rig);
}

/* ---- front and back ---- */

static void push_and_put_fail_where_there_is_no_room(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt;
	uint8_t *data;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = strata_pkt_alloc(rig.stack, 20, 100);
	data = pkt->data;
	assert_ptr_equal(strata_pkt_push(pkt, 20), data - 20);
	assert_null(strata_pkt_push(pkt, 1));
	assert_int_equal(pkt->len, 20);
	assert_ptr_equal(strata_pkt_put(pkt, 100), data);
	assert_null(strata_pkt_put(pkt, strata_pkt_tailroom(pkt) + 1));
	assert_int_equal(pkt->len, 120);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

static void pull_crosses_fragments_and_releases_them(void **state)
{
	struct rig rig = { .seed = 1 };
	uint32_t n;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (n = 0; n <= 40000; n += 1999) {
		struct strata_pkt *pkt = make(&rig, 64, 200, pattern, 40000);

		assert_non_null(strata_pkt_pull(pkt, n));
		assert_bytes(pkt, pattern + n, 40000 - n);
		assert_null(strata_pkt_pull(pkt, 40001 - n));
		assert_bytes(pkt, pattern + n, 40000 - n);
		assert_non_null(strata_pkt_pull(pkt, 40000 - n));
		assert_int_equal(strata_pkt_length(pkt), 0);
		assert_int_equal(pkt->frag_count, 0);
		strata_pkt_free(pkt);
	}
	rig_close(&rig);
}

static void trim_shortens_anywhere_and_never_lengthens(void **state)
{
	struct rig rig = { .seed = 1 };
	uint32_t n;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (n = 0; n <= 40000; n += 500) {
		struct strata_pkt *pkt = make(&rig, 64, 200, pattern, 40000);

		strata_pkt_trim(pkt, 50000);
		strata_pkt_trim(pkt, n);
		assert_bytes(pkt, pattern, n);
		strata_pkt_trim(pkt, n + 1);
		assert_bytes(pkt, pattern, n);
		strata_pkt_free(pkt);
	}
	rig_close(&rig);
}

static void header_makes_the_first_bytes_linear(void **state)
{
	static const uint32_t wanted[] = { 0, 1, 200, 201, 272, 273, 500, STRATA_PKT_LARGE, STRATA_PKT_LARGE + 1, 9000, 16000 };
	struct rig rig = { .seed = 1 };
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < STRATA_COUNT(wanted); i++) {
		struct strata_pkt *pkt = make(&rig, 64, 100, pattern, 20000);
		uint8_t *data;

		pkt->network_offset = 50;
		memcpy(pkt->buf + 50, "pulled", 6);
		data = strata_pkt_header(pkt, wanted[i]);
		assert_non_null(data);
		assert_ptr_equal(data, pkt->data);
		assert_true(pkt->len >= wanted[i]);
		assert_memory_equal(data, pattern, wanted[i]);
		assert_bytes(pkt, pattern, 20000);
		/* Offsets from buf, and what is in front of data, stay. */
		assert_memory_equal(pkt->buf + pkt->network_offset, "pulled", 6);
		assert_non_null(strata_pkt_push(pkt, 64));
		/* Once more, from a buffer that has already grown. */
		strata_pkt_pull(pkt, 64);
		assert_non_null(strata_pkt_header(pkt, wanted[i] + 300));
		assert_bytes(pkt, pattern, 20000);
		strata_pkt_free(pkt);
	}
	rig_close(&rig);
}

static void header_of_a_shorter_packet_changes_nothing(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = make(&rig, 64, 100, pattern, 1000);
	assert_null(strata_pkt_header(pkt, 1001));
	assert_bytes(pkt, pattern, 1000);
	strata_pkt_free(pkt);
	pkt = make(&rig, 64, 100, pattern, 40000);
	/* More than any buffer holds. */
	assert_null(strata_pkt_header(pkt, STRATA_CHUNK_SIZE + 1));
	assert_bytes(pkt, pattern, 40000);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

/* ---- appending ---- */

static void little_pieces_add_up_to_a_whole_packet(void **state)
{
	static const uint32_t pieces[] = { 1, 7, 100, 1480, 5000 };
	struct rig rig = { .seed = 1 };
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < STRATA_COUNT(pieces); i++) {
		struct strata_pkt *pkt = strata_pkt_alloc(rig.stack, 64, 100);
		uint32_t n = 0;

		while (n < STRATA_PKT_MAX) {
			uint32_t part = pieces[i] < STRATA_PKT_MAX - n ? pieces[i]
								      : STRATA_PKT_MAX - n;

			assert_int_equal(strata_pkt_append(pkt, pattern + n, part), 0);
			n += part;
		}
		assert_bytes(pkt, pattern, STRATA_PKT_MAX);
		strata_pkt_free(pkt);
	}
	rig_close(&rig);
}

static void what_does_not_fit_is_not_appended_at_all(void **state)
{
	const uint32_t much = (STRATA_PKT_FRAGS - 1) * STRATA_CHUNK_SIZE;
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = make(&rig, 64, 100, pattern, much);
	assert_int_equal(strata_pkt_append(pkt, pattern, 2 * STRATA_CHUNK_SIZE), -ENOBUFS);
	assert_bytes(pkt, pattern, much);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

static void shared_chunk_bytes_are_never_changed(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt, *other;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = make(&rig, 64, 0, pattern, 1000);
	other = strata_pkt_copy(pkt, 64);
	assert_int_equal(strata_pkt_append(pkt, pattern + 1000, 500), 0);
	assert_int_equal(strata_pkt_append(other, pattern + 5000, 500), 0);
	assert_bytes(pkt, pattern, 1500);
	strata_pkt_free(pkt);
	assert_int_equal(strata_pkt_length(other), 1500);
	strata_pkt_trim(other, 1000);
	assert_bytes(other, pattern, 1000);
	strata_pkt_free(other);
	rig_close(&rig);
}

static void iovecs_are_gathered_and_scattered_from_any_byte(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 0, 3000, 7, 20000, 0 };
	struct iovec from[STRATA_COUNT(sizes)], to[STRATA_COUNT(sizes)];
	static uint8_t out[30000];
	struct rig rig = { .seed = 1 };
	size_t i, total = 0, skip;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < STRATA_COUNT(sizes); i++) {
		from[i] = (struct iovec){ pattern + total, sizes[i] };
		to[i] = (struct iovec){ out + total, sizes[i] };
		total += sizes[i];
	}
	for (skip = 0; skip < total; skip += 97) {
		struct strata_pkt *pkt = strata_pkt_alloc(rig.stack, 64, 150);
		uint32_t n = (uint32_t)(total - skip), got;

		assert_int_equal(strata_pkt_append_iov(pkt, from, STRATA_COUNT(sizes), skip, n), 0);
		assert_bytes(pkt, pattern + skip, n);
		memset(out, 0, sizeof(out));
		got = strata_pkt_read_iov(pkt, 0, to, STRATA_COUNT(sizes), skip, n);
		assert_int_equal(got, n);
		assert_memory_equal(out + skip, pattern + skip, n);
		/* From the middle on, and no more than there is room for. */
		got = strata_pkt_read_iov(pkt, n / 2, to, STRATA_COUNT(sizes), total - 5, n);
		assert_int_equal(got, n - n / 2 < 5 ? n - n / 2 : 5);
		assert_memory_equal(out + total - 5, pattern + skip + n / 2, got);
		assert_int_equal(strata_pkt_read_iov(pkt, n, to, STRATA_COUNT(sizes), 0, 10), 0);
		strata_pkt_free(pkt);
	}
	rig_close(&rig);
}

static void one_buffer_takes_the_bytes_it_has_room_for(void **state)
{
	static const struct { uint32_t offset, n, size; size_t skip; uint32_t got; } cases[] = {
		{ 0, 100, 100, 0, 100 }, { 10, 50, 100, 30, 50 }, { 0, 100, 60, 0, 60 },
		{ 0, 100, 100, 40, 60 }, { 90, 100, 300, 0, 100 }, { 140, 100, 300, 10, 60 },
		{ 150, 100, 300, 0, 50 }, { 199, UINT32_MAX, 300, 0, 1 }, { 200, 1, 300, 0, 0 },
		{ 0, 10, 5, 5, 0 }, { 0, 0, 5, 0, 0 },
	};
	struct rig rig = { .seed = 1 };
	struct strata_chunk *chunk;
	struct strata_pkt *pkt;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = strata_pkt_alloc(rig.stack, 0, 150);
	memcpy(strata_pkt_put(pkt, 150), pattern, 150);
	chunk = strata_chunk_alloc(rig.stack, 50);
	memcpy(chunk->data, pattern + 150, 50);
	assert_int_equal(strata_pkt_append_chunk(pkt, chunk, 0, 50), 0);
	strata_chunk_put(chunk);
	for (size_t i = 0; i < STRATA_COUNT(cases); i++) {
		uint8_t out[300] = { 0 };
		struct iovec iov = { out, cases[i].size };

		assert_int_equal(strata_pkt_read_iov(pkt, cases[i].offset, &iov, 1, cases[i].skip,
						     cases[i].n), cases[i].got);
		assert_memory_equal(out + cases[i].skip, pattern + cases[i].offset, cases[i].got);
		for (size_t k = cases[i].skip + cases[i].got; k < sizeof(out); k++)
			assert_int_equal(out[k], 0);
	}
	strata_pkt_free(pkt);
	rig_close(&rig);
}

static void touching_slices_of_a_chunk_become_one(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_chunk *chunk;
	struct strata_pkt *pkt;
	uint32_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	chunk = strata_chunk_alloc(rig.stack, 4096);
	memcpy(chunk->data, pattern, 4096);
	pkt = strata_pkt_alloc(rig.stack, 64, 0);
	for (i = 0; i < 4096; i += 64)
		assert_int_equal(strata_pkt_append_chunk(pkt, chunk, i, 64), 0);
	assert_int_equal(pkt->frag_count, 1);
	assert_int_equal(chunk->refs, 2);
	assert_bytes(pkt, pattern, 4096);
	/* Those that do not touch take a fragment each, as long as there is one. */
	for (i = 1; i < FRAGS; i++)
		assert_int_equal(strata_pkt_append_chunk(pkt, chunk, 0, 10), 0);
	assert_int_equal(strata_pkt_append_chunk(pkt, chunk, 100, 10), -ENOBUFS);
	assert_int_equal(chunk->refs, 1 + FRAGS);
	strata_pkt_free(pkt);
	assert_int_equal(chunk->refs, 1);
	strata_chunk_put(chunk);
	rig_close(&rig);
}

static void fragments_of_a_datagram_join(void **state)
{
	static const uint32_t sizes[] = { 8, 512, 1480, 2000, 8960, 20000 };
	struct rig rig = { .seed = 1 };
	size_t i;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (i = 0; i < STRATA_COUNT(sizes); i++) {
		struct strata_pkt *whole = make(&rig, 64, 1500, pattern, sizes[i]);
		uint32_t n = sizes[i];

		while (n < STRATA_PKT_MAX) {
			uint32_t part = sizes[i] < STRATA_PKT_MAX - n ? sizes[i]
								     : STRATA_PKT_MAX - n;
			struct strata_pkt *tail = make(&rig, 64, 1500, pattern + n, part);

			assert_int_equal(strata_pkt_enqueue_tail(whole, tail), 0);
			n += part;
		}
		assert_bytes(whole, pattern, STRATA_PKT_MAX);
		strata_pkt_free(whole);
	}
	rig_close(&rig);
}

static void a_tail_shares_its_chunks(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_chunk *chunk;
	struct strata_pkt *pkt, *tail;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	chunk = strata_chunk_alloc(rig.stack, STRATA_CHUNK_SIZE);
	memcpy(chunk->data, pattern + 100, STRATA_CHUNK_SIZE);
	pkt = make(&rig, 64, 100, pattern, 100);
	tail = strata_pkt_alloc(rig.stack, 64, 0);
	assert_int_equal(strata_pkt_append_chunk(tail, chunk, 0, STRATA_CHUNK_SIZE), 0);
	assert_int_equal(strata_pkt_enqueue_tail(pkt, tail), 0);
	assert_ptr_equal(pkt->frags[0].chunk, chunk);
	assert_int_equal(chunk->refs, 2);
	assert_bytes(pkt, pattern, 100 + STRATA_CHUNK_SIZE);
	strata_pkt_free(pkt);
	strata_chunk_put(chunk);
	rig_close(&rig);
}

/* ---- copies, slices ---- */

static void a_copy_keeps_metadata_and_headers_already_taken_off(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt, *copy;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = make(&rig, 64, 200, pattern, 3000);
	pkt->link_offset = 64;
	pkt->network_offset = 64 + 14;
	pkt->transport_offset = 64 + 34;
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = 64 + 34;
	pkt->csum_offset = 16;
	pkt->flags = STRATA_PKT_LINK_BROADCAST;
	pkt->family = 0x0800;
	pkt->number = 6;
	pkt->ttl = 63;
	pkt->seg_type = STRATA_SEG_STREAM;
	pkt->seg_size = 1448;
	pkt->time = 12345;
	pkt->trace_id = 9;
	pkt->src = strata_addr_make(0x0800, pattern, 4);
	memset(pkt->cb, 0x77, sizeof(pkt->cb));
	strata_pkt_pull(pkt, 34);
	copy = strata_pkt_copy(pkt, 128);
	assert_bytes(copy, pattern + 34, 3000 - 34);
	assert_int_equal(strata_pkt_headroom(copy), 128);
	assert_memory_equal(copy->buf + copy->link_offset, pattern, 34);
	assert_memory_equal(copy->buf + copy->network_offset, pattern + 14, 20);
	assert_ptr_equal(copy->buf + copy->transport_offset, copy->data);
	assert_ptr_equal(copy->buf + copy->csum_start, copy->data);
	assert_int_equal(copy->csum, STRATA_CSUM_PARTIAL);
	assert_int_equal(copy->csum_offset, 16);
	assert_int_equal(copy->flags, STRATA_PKT_LINK_BROADCAST);
	assert_int_equal(copy->family, 0x0800);
	assert_int_equal(copy->number, 6);
	assert_int_equal(copy->ttl, 63);
	assert_int_equal(copy->seg_type, STRATA_SEG_STREAM);
	assert_int_equal(copy->seg_size, 1448);
	assert_int_equal(copy->time, 12345);
	assert_int_equal(copy->trace_id, 9);
	assert_true(strata_addr_equal(&copy->src, &pkt->src));
	assert_memory_equal(copy->cb, pkt->cb, sizeof(pkt->cb));
	assert_int_equal(copy->refs, 1);
	strata_pkt_free(copy);

	/* With too little headroom for a header, it is not there. */
	copy = strata_pkt_copy(pkt, 25);
	assert_int_equal(copy->link_offset, 0);
	assert_memory_equal(copy->buf + copy->network_offset, pattern + 14, 20);
	strata_pkt_free(copy);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

static void a_partial_sum_already_taken_off_counts_as_verified_in_a_copy(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt, *copy, *slice;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = make(&rig, 64, 200, pattern, 100);
	pkt->csum = STRATA_CSUM_PARTIAL;
	pkt->csum_start = 64;
	strata_pkt_pull(pkt, 20);
	copy = strata_pkt_copy(pkt, 32);
	assert_int_equal(copy->csum, STRATA_CSUM_VERIFIED);
	slice = strata_pkt_slice(pkt, 10, 10, 32);
	assert_int_equal(slice->csum, STRATA_CSUM_NONE);
	strata_pkt_free(slice);
	strata_pkt_free(copy);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

static void a_slice_shares_chunks_and_holds_just_its_bytes(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt;
	uint32_t offset;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = make(&rig, 64, 100, pattern, 65535);
	for (offset = 0; offset < 65535; offset += 1448) {
		uint32_t n = offset + 1448 <= 65535 ? 1448 : 65535 - offset;
		struct strata_pkt *slice = strata_pkt_slice(pkt, offset, 1448, 128);

		assert_bytes(slice, pattern + offset, n);
		if (offset != 0)
			assert_int_equal(slice->len, 0);
		assert_true(slice->frag_count <= 2);
		strata_pkt_free(slice);
	}
	/* Beyond the end there is nothing. */
	{
		struct strata_pkt *slice = strata_pkt_slice(pkt, 70000, 10, 128);

		assert_int_equal(strata_pkt_length(slice), 0);
		strata_pkt_free(slice);
	}
	assert_bytes(pkt, pattern, 65535);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

static void a_slice_of_a_packet_with_all_fragments_and_a_long_linear_part(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt, *slice;
	struct strata_chunk *chunk;
	uint32_t i, n;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = make(&rig, 64, 0, pattern, 15000);
	assert_non_null(strata_pkt_header(pkt, 15000));
	assert_int_equal(pkt->frag_count, 0);
	n = 15000;
	for (i = 0; i < FRAGS; i++, n += 1000) {
		chunk = strata_chunk_alloc(rig.stack, 1000);
		memcpy(chunk->data, pattern + n, 1000);
		assert_int_equal(strata_pkt_append_chunk(pkt, chunk, 0, 1000), 0);
		strata_chunk_put(chunk);
	}
	slice = strata_pkt_slice(pkt, 1, n - 1, 200);
	assert_bytes(slice, pattern + 1, n - 1);
	strata_pkt_free(slice);
	slice = strata_pkt_copy(pkt, 0);
	assert_bytes(slice, pattern, n);
	strata_pkt_free(slice);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

/* ---- truesize, queues ---- */

static void truesize_covers_the_bytes_and_bounds_what_slices_keep(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt *pkt, *slice;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	pkt = make(&rig, 128, 64, pattern, 64);
	assert_true(strata_pkt_truesize(pkt) >= sizeof(*pkt) + STRATA_PKT_SMALL);
	assert_true(strata_pkt_truesize(pkt) < 1024);
	strata_pkt_free(pkt);
	pkt = make(&rig, 128, 1500, pattern, 1500);
	assert_true(strata_pkt_truesize(pkt) >= sizeof(*pkt) + STRATA_PKT_LARGE);
	strata_pkt_free(pkt);
	pkt = make(&rig, 128, 0, pattern, 65000);
	assert_true(strata_pkt_truesize(pkt) >= 65000);
	/* One byte keeps a large chunk: it must not look like one byte. */
	slice = strata_pkt_slice(pkt, 20000, 1, 0);
	assert_true(strata_pkt_truesize(slice) >= STRATA_CHUNK_SIZE / 8);
	strata_pkt_free(slice);
	strata_pkt_free(pkt);
	rig_close(&rig);
}

static void a_queue_gives_back_in_order_and_counts(void **state)
{
	struct rig rig = { .seed = 1 };
	struct strata_pkt_queue q = { NULL, NULL, 0, 0 };
	struct strata_pkt *pkt;
	uint32_t i, bytes = 0;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	assert_null(strata_pkt_dequeue(&q));
	for (i = 0; i < 10; i++) {
		pkt = make(&rig, 64, 100, pattern, i * 1000);
		bytes += strata_pkt_truesize(pkt);
		strata_pkt_enqueue(&q, pkt);
	}
	assert_int_equal(q.count, 10);
	assert_int_equal(q.bytes, bytes);
	for (i = 0; i < 5; i++) {
		pkt = strata_pkt_dequeue(&q);
		assert_int_equal(strata_pkt_length(pkt), i * 1000);
		strata_pkt_free(pkt);
	}
	strata_pkt_queue_purge(&q);
	assert_int_equal(q.count, 0);
	assert_int_equal(q.bytes, 0);
	assert_null(q.head);
	assert_null(q.tail);
	rig_close(&rig);
}

/* ---- by chance ---- */

static void random_append(struct rig *rig, uint64_t *rng, struct strata_pkt *pkt,
			  struct model *model)
{
	uint32_t n = rig_below(rng, rig_below(rng, 4) == 0 ? 20000 : 2000);
	const uint8_t *from = pattern + rig_below(rng, 10000);
	uint32_t half = n / 2;
	const struct iovec iov[] = {
		{ (void *)(uintptr_t)from, half }, { (void *)(uintptr_t)(from + half), n - half },
	};
	struct strata_chunk *chunk;
	struct strata_pkt *tail;
	int result = -ENOBUFS;

	if (model->length + n > STRATA_PKT_MAX)
		return;
	switch (rig_below(rng, 4)) {
	case 0:
		result = strata_pkt_append(pkt, from, n);
		break;
	case 1:
		result = strata_pkt_append_iov(pkt, iov, 2, 0, n);
		break;
	case 2:
		if (n > STRATA_CHUNK_SIZE)
			return;
		chunk = strata_chunk_alloc(rig->stack, n);
		if (chunk == NULL)
			return;
		memcpy(chunk->data + chunk->size - n, from, n);
		result = strata_pkt_append_chunk(pkt, chunk, chunk->size - n, n);
		strata_chunk_put(chunk);
		break;
	default:
		tail = strata_pkt_alloc(rig->stack, 0, rig_below(rng, 500));
		if (tail == NULL)
			return;
		result = strata_pkt_append(tail, from, n);
		if (result == 0)
			result = strata_pkt_enqueue_tail(pkt, tail);
		else
			strata_pkt_free(tail);
		break;
	}
	if (result == 0) {
		memcpy(model->bytes + model->length, from, n);
		model->length += n;
	} else {
		assert_int_equal(result, -ENOBUFS);
	}
}

static void random_shorten(uint64_t *rng, struct strata_pkt *pkt, struct model *model)
{
	uint32_t n = rig_below(rng, model->length + 1) >> rig_below(rng, 8);

	if (rig_below(rng, 2) == 0) {
		assert_non_null(strata_pkt_pull(pkt, n));
		memmove(model->bytes, model->bytes + n, model->length - n);
	} else {
		strata_pkt_trim(pkt, model->length - n);
	}
	model->length -= n;
}

static void random_front(uint64_t *rng, struct strata_pkt *pkt, struct model *model)
{
	uint32_t n = rig_below(rng, 64);

	if (rig_below(rng, 2) == 0) {
		uint8_t *data = strata_pkt_header(pkt, n * 8);

		if (data != NULL)
			assert_memory_equal(data, model->bytes, n * 8);
		return;
	}
	if (n > strata_pkt_headroom(pkt) || model->length + n > STRATA_PKT_MAX) {
		n = strata_pkt_headroom(pkt) + 1;
		assert_null(strata_pkt_push(pkt, n));
		return;
	}
	memmove(model->bytes + n, model->bytes, model->length);
	memcpy(model->bytes, pattern, n);
	memcpy(strata_pkt_push(pkt, n), pattern, n);
	model->length += n;
}

/* Returns what is to be gone on with: the packet or a slice of it. */
static struct strata_pkt *random_slice(uint64_t *rng, struct strata_pkt *pkt, struct model *model)
{
	uint32_t offset = rig_below(rng, model->length + 1) >> rig_below(rng, 8);
	uint32_t n = model->length - offset - (rig_below(rng, model->length - offset + 1) >> 3);
	struct strata_pkt *slice = strata_pkt_slice(pkt, offset, n, rig_below(rng, 200));

	if (slice == NULL)
		return pkt;
	assert_bytes(pkt, model->bytes, model->length);
	assert_bytes(slice, model->bytes + offset, n);
	if (rig_below(rng, 2) == 0) {
		strata_pkt_free(slice);
		return pkt;
	}
	strata_pkt_free(pkt);
	memmove(model->bytes, model->bytes + offset, n);
	model->length = n;
	return slice;
}

static void random_walk(struct rig *rig, uint64_t seed, bool starve)
{
	static struct model model;
	uint64_t rng = seed;
	struct strata_pkt *pkt = strata_pkt_alloc(rig->stack, rig_below(&rng, 300), 300);
	int step;

	model.length = 0;
	for (step = 0; step < 200; step++) {
		if (starve)
			rig_starve(rig, rig_below(&rng, 2) == 0);
		switch (rig_below(&rng, 5)) {
		case 0:
		case 1:
			random_append(rig, &rng, pkt, &model);
			break;
		case 2:
			random_shorten(&rng, pkt, &model);
			break;
		case 3:
			random_front(&rng, pkt, &model);
			break;
		default:
			pkt = random_slice(&rng, pkt, &model);
			break;
		}
		assert_bytes(pkt, model.bytes, model.length);
	}
	strata_pkt_free(pkt);
	rig_starve(rig, false);
}

static void behaves_as_an_array_of_bytes(void **state)
{
	struct rig rig = { .seed = 1 };
	uint64_t seed;

	(void)state;
	assert_int_equal(rig_open(&rig), 0);
	for (seed = 1; seed <= 150; seed++)
		random_walk(&rig, seed, false);
	rig_close(&rig);
}

static void behaves_as_an_array_of_bytes_while_memory_fails(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= 150; seed++) {
		struct rig rig = { .seed = 1 };

		assert_int_equal(rig_open(&rig), 0);
		random_walk(&rig, seed, true);
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_packet_is_empty_with_the_room_asked_for),
		cmocka_unit_test(more_than_a_large_packet_is_refused),
		cmocka_unit_test(the_last_reference_frees),
		cmocka_unit_test(the_steady_state_asks_for_no_memory),
		cmocka_unit_test(chunks_come_in_size_classes),
		cmocka_unit_test(an_idle_stack_with_some_packets_stays_small),
		cmocka_unit_test(push_and_put_fail_where_there_is_no_room),
		cmocka_unit_test(pull_crosses_fragments_and_releases_them),
		cmocka_unit_test(trim_shortens_anywhere_and_never_lengthens),
		cmocka_unit_test(header_makes_the_first_bytes_linear),
		cmocka_unit_test(header_of_a_shorter_packet_changes_nothing),
		cmocka_unit_test(little_pieces_add_up_to_a_whole_packet),
		cmocka_unit_test(what_does_not_fit_is_not_appended_at_all),
		cmocka_unit_test(shared_chunk_bytes_are_never_changed),
		cmocka_unit_test(iovecs_are_gathered_and_scattered_from_any_byte),
		cmocka_unit_test(one_buffer_takes_the_bytes_it_has_room_for),
		cmocka_unit_test(touching_slices_of_a_chunk_become_one),
		cmocka_unit_test(fragments_of_a_datagram_join),
		cmocka_unit_test(a_tail_shares_its_chunks),
		cmocka_unit_test(a_copy_keeps_metadata_and_headers_already_taken_off),
		cmocka_unit_test(a_partial_sum_already_taken_off_counts_as_verified_in_a_copy),
		cmocka_unit_test(a_slice_shares_chunks_and_holds_just_its_bytes),
		cmocka_unit_test(a_slice_of_a_packet_with_all_fragments_and_a_long_linear_part),
		cmocka_unit_test(truesize_covers_the_bytes_and_bounds_what_slices_keep),
		cmocka_unit_test(a_queue_gives_back_in_order_and_counts),
		cmocka_unit_test(behaves_as_an_array_of_bytes),
		cmocka_unit_test(behaves_as_an_array_of_bytes_while_memory_fails),
	};

	return cmocka_run_group_tests_name("pkt", tests, set_up, NULL);
}
