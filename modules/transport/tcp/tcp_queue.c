/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The send queue: slices of chunks. Data is copied in once; every transmission refers to the same
 * bytes, or copies a few of them. Cursors make the segment at snd_nxt, and the next retransmission, cheap to find.
 */
#include "tcp_int.h"

/* local choice: the first chunk of an empty queue is no larger than this needs to be. */
#define CHUNK_MIN 512

static void slice_free(struct tcp_module *m, struct tcp_slice *slice)
{
	strata_chunk_put(slice->chunk);
	strata_cache_free(m->slices, slice);
}

/* A slice is done with. One of a small chunk that nobody else has is put by: whoever writes a few bytes at a time
 * finds it again for the next. */
static void slice_done(struct tcp_sock *tp, struct tcp_slice *slice)
{
	const struct strata_chunk *chunk = slice->chunk;

	if (tp->sndq.spare == NULL && chunk->size == CHUNK_MIN && chunk->refs == 1 && chunk->release == NULL)
		tp->sndq.spare = slice;
	else
		slice_free(tcp_module_of(tp), slice);
}

/* What was put by, as good as new; NULL: nothing that holds `size` bytes. */
static struct tcp_slice *slice_again(struct tcp_sock *tp, uint32_t size)
{
	struct tcp_slice *slice = tp->sndq.spare;

	if (slice == NULL || size > CHUNK_MIN)
		return NULL;
	tp->sndq.spare = NULL;
	slice->next = NULL;
	slice->offset = slice->length = 0;
	return slice;
}

static uint32_t slice_room(const struct tcp_slice *slice)
{
	/* Behind memory that is the application's nothing is ours. */
	return slice->chunk->release != NULL ? 0 :
	       slice->chunk->size - slice->offset - slice->length;
}

static void slice_append(struct tcp_sock *tp, struct tcp_slice *slice)
{
	slice->seq = tp->snd_end;
	if (tp->sndq.tail != NULL)
		tp->sndq.tail->next = slice;
	else
		tp->sndq.head = slice;
	tp->sndq.tail = slice;
}

/* A new chunk at the end; `want` bytes are still to come. Chunks grow with the queue, so that few
 * bytes take little memory and many need few fragments. */
static struct tcp_slice *slice_new(struct tcp_sock *tp, uint32_t want)
{
	struct tcp_module *m = tcp_module_of(tp);
	uint32_t queued = tp->snd_end - tp->snd_una;
	uint32_t size = tcp_max32(CHUNK_MIN, tcp_max32(want, queued));
	struct tcp_slice *slice = slice_again(tp, size);

	if (slice == NULL) {
		slice = strata_cache_alloc(m->slices);
		if (slice == NULL)
			return NULL;
		slice->chunk = strata_chunk_alloc(m->stack, tcp_min32(size, STRATA_CHUNK_SIZE));
		if (slice->chunk == NULL) {
			strata_cache_free(m->slices, slice);
			return NULL;
		}
	}
	slice_append(tp, slice);
	return slice;
}

/* Copies `n` bytes from where the iovec stands, and moves on. */
static void iov_copy(uint8_t *out, const struct iovec **iov, size_t *at, uint32_t n)
{
	size_t part;

	while (n != 0) {
		part = (*iov)->iov_len - *at;
		if (part == 0) {
			(*iov)++;
			*at = 0;
			continue;
		}
		if (part > n)
			part = n;
		memcpy(out, (const uint8_t *)(*iov)->iov_base + *at, part);
		out += part;
		*at += part;
		n -= (uint32_t)part;
	}
}

uint32_t tcp_sndq_write(struct tcp_sock *tp, const struct iovec *iov, size_t count, size_t skip,
			uint32_t n)
{
	struct tcp_slice *slice = tp->sndq.tail;
	uint32_t done = 0, part;
	size_t at = skip;

	(void)count;
	while (at >= iov->iov_len && n != 0) {
		at -= iov->iov_len;
		iov++;
	}
	while (done < n) {
		if (slice == NULL || slice_room(slice) == 0) {
			slice = slice_new(tp, n - done);
			if (slice == NULL)
				break;
		}
		part = tcp_min32(n - done, slice_room(slice));
		iov_copy(slice->chunk->data + slice->offset + slice->length, &iov, &at, part);
		slice->length += part;
		tp->snd_end += part;
		done += part;
	}
	return done;
}

/* A slice that is `length` bytes of the application's memory. Takes the chunk. False: memory is short. */
static bool slice_lend(struct tcp_sock *tp, struct strata_chunk *chunk, uint32_t length)
{
	struct tcp_slice *slice = strata_cache_alloc(tcp_module_of(tp)->slices);

	if (slice == NULL) {
		strata_chunk_put(chunk);
		return false;
	}
	slice->chunk = chunk;
	slice->length = length;
	slice_append(tp, slice);
	tp->snd_end += length;
	return true;
}

uint32_t tcp_sndq_lend(struct tcp_sock *tp, const struct iovec *iov, size_t count, uint32_t n,
		       struct strata_zerocopy *call)
{
	struct strata_chunk *chunk;
	uint32_t done = 0, part;
	size_t i, at;

	for (i = 0; i < count; i++) {
		for (at = 0; at < iov[i].iov_len && done < n; at += part, done += part) {
			part = n - done;
			if (iov[i].iov_len - at < part)
				part = (uint32_t)(iov[i].iov_len - at);
			chunk = strata_zerocopy_chunk(call, (const uint8_t *)iov[i].iov_base + at,
						      &part);
			if (chunk == NULL || !slice_lend(tp, chunk, part))
				return done;
		}
	}
	return done;
}

/* The slice with byte `seq`, looked for from the cursor on where that helps. */
static struct tcp_slice *sndq_find(const struct tcp_sock *tp, struct tcp_slice *cursor, uint32_t seq)
{
	struct tcp_slice *slice = cursor;

	if (slice == NULL || seq_lt(seq, slice->seq))
		slice = tp->sndq.head;
	while (slice != NULL && seq_geq(seq, slice->seq + slice->length))
		slice = slice->next;
	return slice;
}

/* The cursor of transmissions for the first time, or again; a SYN's data, without a record of its flight, has none. */
static struct tcp_slice **cursor_of(const struct tcp_sock *tp, bool retransmission)
{
	if (tp->flight == NULL)
		return NULL;
	return retransmission ? &tp->flight->again_cursor : &tp->flight->send_cursor;
}

uint32_t tcp_sndq_append(struct tcp_sock *tp, struct strata_pkt *pkt, uint32_t seq,
			 uint32_t length, bool retransmission)
{
	struct tcp_slice **cursor = cursor_of(tp, retransmission), *slice;
	uint32_t done = 0, part, skip;

	slice = sndq_find(tp, cursor != NULL ? *cursor : NULL, seq);
	for (; slice != NULL && done < length; slice = slice->next) {
		skip = seq + done - slice->seq;
		part = tcp_min32(length - done, slice->length - skip);
		if (strata_pkt_append_chunk(pkt, slice->chunk, slice->offset + skip, part) < 0)
			break;
		done += part;
		if (cursor != NULL)
			*cursor = slice;
	}
	return done;
}

uint32_t tcp_sndq_copy(struct tcp_sock *tp, struct strata_pkt *pkt, uint32_t seq, uint32_t length,
		       bool retransmission)
{
	struct tcp_slice **cursor = cursor_of(tp, retransmission), *slice;
	uint32_t done = 0, part, skip;

	slice = sndq_find(tp, *cursor, seq);
	for (; slice != NULL && done < length; slice = slice->next) {
		skip = seq + done - slice->seq;
		part = tcp_min32(length - done, slice->length - skip);
		memcpy(strata_pkt_put(pkt, part), slice->chunk->data + slice->offset + skip, part);
		done += part;
		*cursor = slice;
	}
	return done;
}

void tcp_sndq_ack(struct tcp_sock *tp, uint32_t una)
{
	struct tcp_send_queue *q = &tp->sndq;
	struct tcp_slice *slice = q->head;
	struct tcp_flight *f = tp->flight;
	uint32_t part;

	while (slice != NULL && seq_leq(slice->seq + slice->length, una)) {
		q->head = slice->next;
		if (f != NULL && f->send_cursor == slice)
			f->send_cursor = slice->next;
		if (f != NULL && f->again_cursor == slice)
			f->again_cursor = slice->next;
		slice_done(tp, slice);
		slice = q->head;
	}
	if (slice == NULL) {
		q->tail = NULL;
		return;
	}
	part = seq_span(slice->seq, una);
	slice->seq += part;
	slice->offset += part;
	slice->length -= part;
}

void tcp_sndq_purge(struct tcp_sock *tp)
{
	struct tcp_slice *slice;

	while ((slice = tp->sndq.head) != NULL) {
		tp->sndq.head = slice->next;
		slice_free(tcp_module_of(tp), slice);
	}
	if (tp->sndq.spare != NULL)
		slice_free(tcp_module_of(tp), tp->sndq.spare);
	memset(&tp->sndq, 0, sizeof(tp->sndq));
	if (tp->flight != NULL)
		tp->flight->send_cursor = tp->flight->again_cursor = NULL;
}

/* Bytes queued that the peer has not acknowledged: what sndbuf limits. Chunks hold little more. */
static uint32_t sndq_used(const struct tcp_sock *tp)
{
	return seq_span(tp->snd_una, tp->snd_end);
}

uint32_t tcp_sndq_room(const struct tcp_sock *tp)
{
	uint32_t used = sndq_used(tp), unsent = seq_span(tp->snd_nxt, tp->snd_end);
	uint32_t lowat = tcp_notsent_lowat(tp);

	/* TCP_NOTSENT_LOWAT: no more than this may wait behind what is under way. */
	if (used >= tp->sock.sndbuf || (lowat != 0 && unsent >= lowat))
		return 0;
	return tp->sock.sndbuf - used;
}

bool tcp_sndq_writable(const struct tcp_sock *tp)
{
	uint32_t used = sndq_used(tp), unsent = seq_span(tp->snd_nxt, tp->snd_end);
	uint32_t lowat = tcp_notsent_lowat(tp);

	/* A writer is woken when a third of the buffer is free, as on Linux. */
	if (lowat != 0 && unsent >= lowat)
		return false;
	return used < tp->sock.sndbuf && tp->sock.sndbuf - used >= used / 2;
}
