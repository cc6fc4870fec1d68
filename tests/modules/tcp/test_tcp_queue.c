/* SPDX-License-Identifier: BSD-2-Clause */
/* The send queue: what a packet gets of it, as slices or as a copy. */
#include "fixture.h"
#include "tcp_int.h"

enum { SPACE = 3000, BASE = 0xfffff800u, STEPS = 3000 };

/* What segments without a TCB call besides. */
void tcp_trace_reply(struct tcp_module *m, struct strata_pkt *pkt, const struct tcp_header *h)
{
	(void)m;
	(void)pkt;
	(void)h;
}

struct queue {
	struct fixture *fx;
	struct tcp_sock *tp;
	uint8_t bytes[SPACE];
};

static struct queue open_queue(void)
{
	struct queue q = { .fx = fx_open() };

	q.tp = calloc(1, sizeof(*q.tp));
	q.tp->sock.stack = q.fx->stack;
	q.tp->sock.transport = strata_instance_by_name(q.fx->stack, STRATA_TRANSPORT, "tcp");
	q.tp->snd_una = q.tp->snd_nxt = q.tp->snd_end = BASE;
	q.tp->flight = strata_cache_alloc(tcp_module_of(q.tp)->flights);
	assert_non_null(q.tp->flight);
	for (unsigned int i = 0; i < SPACE; i++)
		q.bytes[i] = (uint8_t)(i * 7 + i / 251);
	return q;
}

static void close_queue(struct queue *q)
{
	tcp_sndq_purge(q->tp);
	strata_cache_free(tcp_module_of(q->tp)->flights, q->tp->flight);
	free(q->tp);
	fx_close(q->fx);
}

/* Queues the next `n` bytes. */
static void write_bytes(struct queue *q, uint32_t n)
{
	struct iovec iov = { q->bytes + (q->tp->snd_end - BASE), n };

	assert_int_equal(tcp_sndq_write(q->tp, &iov, 1, 0, n), n);
}

static struct strata_pkt *packet(struct queue *q, uint32_t room)
{
	static const struct tcp_header h = { .flags = TCP_ACK };

	return tcp_pkt_new(q->fx->stack, &h, room);
}

/* The bytes of a packet behind its header are those of the stream at `seq`. */
static void has_bytes(const struct queue *q, struct strata_pkt *pkt, uint32_t seq, uint32_t length)
{
	uint8_t bytes[SPACE];

	assert_int_equal(strata_pkt_length(pkt), TCP_HEADER_MIN + length);
	assert_int_equal(strata_pkt_read(pkt, TCP_HEADER_MIN, bytes, length), length);
	assert_memory_equal(bytes, q->bytes + (seq - BASE), length);
}

static void a_copy_is_one_run_of_bytes_over_slices(void **state)
{
	struct queue q = open_queue();
	struct strata_pkt *pkt;

	(void)state;
	/* The first chunk has 512 bytes: the copy lies across its end. */
	write_bytes(&q, 500);
	write_bytes(&q, 200);
	assert_ptr_not_equal(q.tp->sndq.head, q.tp->sndq.tail);
	pkt = packet(&q, 100);
	assert_int_equal(tcp_sndq_copy(q.tp, pkt, BASE + 450, 100, false), 100);
	assert_int_equal(pkt->frag_count, 0);
	has_bytes(&q, pkt, BASE + 450, 100);
	assert_ptr_equal(q.tp->flight->send_cursor, q.tp->sndq.tail);
	strata_pkt_free(pkt);
	close_queue(&q);
}

static void a_copy_ends_where_the_queue_does(void **state)
{
	struct queue q = open_queue();
	struct strata_pkt *pkt = packet(&q, 100);

	(void)state;
	write_bytes(&q, 40);
	assert_int_equal(tcp_sndq_copy(q.tp, pkt, BASE + 10, 100, true), 30);
	has_bytes(&q, pkt, BASE + 10, 30);
	strata_pkt_free(pkt);
	close_queue(&q);
}

static void acknowledge(struct queue *q)
{
	q->tp->snd_una = q->tp->snd_end;
	tcp_sndq_ack(q->tp, q->tp->snd_una);
	assert_null(q->tp->sndq.head);
}

static void a_few_bytes_find_the_chunk_of_the_last_few(void **state)
{
	struct queue q = open_queue();
	const struct tcp_slice *first;
	struct strata_pkt *pkt;

	(void)state;
	write_bytes(&q, 64);
	first = q.tp->sndq.head;
	acknowledge(&q);
	write_bytes(&q, 64);
	assert_ptr_equal(q.tp->sndq.head, first);
	assert_null(q.tp->sndq.spare);
	pkt = packet(&q, 64);
	assert_int_equal(tcp_sndq_copy(q.tp, pkt, BASE + 64, 64, false), 64);
	has_bytes(&q, pkt, BASE + 64, 64);
	strata_pkt_free(pkt);
	/* Many do not fit: theirs is another, and the small one is there still. */
	acknowledge(&q);
	write_bytes(&q, 600);
	assert_ptr_not_equal(q.tp->sndq.head, first);
	assert_ptr_equal(q.tp->sndq.spare, first);
	acknowledge(&q);
	assert_ptr_equal(q.tp->sndq.spare, first);
	close_queue(&q);
}

static void a_chunk_that_a_packet_refers_to_is_not_written_again(void **state)
{
	struct queue q = open_queue();
	struct strata_pkt *pkt = packet(&q, 0);

	(void)state;
	write_bytes(&q, 64);
	assert_int_equal(tcp_sndq_append(q.tp, pkt, BASE, 64, false), 64);
	acknowledge(&q);
	assert_null(q.tp->sndq.spare);
	write_bytes(&q, 64);
	has_bytes(&q, pkt, BASE, 64);
	strata_pkt_free(pkt);
	close_queue(&q);
}

/* Copies stay what they were when the queue's bytes are acknowledged, or joined by others. */
static void a_copy_outlives_what_it_was_made_of(void **state)
{
	struct queue q = open_queue();
	struct strata_pkt *pkt = packet(&q, 64);

	(void)state;
	write_bytes(&q, 64);
	assert_int_equal(tcp_sndq_copy(q.tp, pkt, BASE, 64, false), 64);
	q.tp->snd_una = BASE + 64;
	tcp_sndq_ack(q.tp, q.tp->snd_una);
	assert_null(q.tp->sndq.head);
	assert_null(q.tp->flight->send_cursor);
	write_bytes(&q, 500);
	has_bytes(&q, pkt, BASE, 64);
	strata_pkt_free(pkt);
	close_queue(&q);
}

static void slices_and_copies_are_the_same_bytes(void **state)
{
	struct queue q = open_queue();

	(void)state;
	for (unsigned int i = 0; i < STEPS && q.tp->snd_una != BASE + SPACE; i++) {
		uint32_t left = BASE + SPACE - q.tp->snd_end, queued = q.tp->snd_end - q.tp->snd_una;
		uint32_t at = queued != 0 ? strata_random_below(q.fx->stack, queued) : 0;
		uint32_t n = tcp_min32(queued - at, 1 + strata_random_below(q.fx->stack, 300));
		bool again = strata_random_below(q.fx->stack, 2) != 0;
		struct strata_pkt *copy = packet(&q, n), *slices = packet(&q, 0);

		assert_int_equal(tcp_sndq_copy(q.tp, copy, q.tp->snd_una + at, n, again), n);
		has_bytes(&q, copy, q.tp->snd_una + at, n);
		n = tcp_sndq_append(q.tp, slices, q.tp->snd_una + at, n, again);
		has_bytes(&q, slices, q.tp->snd_una + at, n);
		strata_pkt_free(copy);
		strata_pkt_free(slices);
		if (i % 3 == 0 && left != 0) {
			write_bytes(&q, 1 + strata_random_below(q.fx->stack, tcp_min32(left, 400)));
		} else if (i % 11 == 0) {
			q.tp->snd_una += queued != 0 ? 1 + strata_random_below(q.fx->stack, queued) : 0;
			tcp_sndq_ack(q.tp, q.tp->snd_una);
		}
	}
	close_queue(&q);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_is_one_run_of_bytes_over_slices),
		cmocka_unit_test(a_copy_ends_where_the_queue_does),
		cmocka_unit_test(a_few_bytes_find_the_chunk_of_the_last_few),
		cmocka_unit_test(a_chunk_that_a_packet_refers_to_is_not_written_again),
		cmocka_unit_test(a_copy_outlives_what_it_was_made_of),
		cmocka_unit_test(slices_and_copies_are_the_same_bytes),
	};

	return fx_main(tests);
}
