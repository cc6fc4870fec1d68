/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames between the device's descriptor and the stack. A system call of several parts costs more than the
 * copy of a small frame: while frames are small, each is read in one piece into one buffer, one behind the
 * other, and moves to a packet of its size. Once frames are large they are read into a packet and into chunks
 * that the packet then owns, so that payload is never copied here. A frame that is in one piece leaves from
 * where it is, a small one in several pieces out of a buffer, a large one with one writev(2).
 *
 * What the host does with a frame takes more code than the stack's work on it: many are read, then the stack
 * has them, and the small ones that it sends leave together at the end of the batch. Whoever waits for
 * them at the other end is then woken once for many.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>
#include <strata/trace.h>
#include "tap_int.h"

/* Local choice: what one batch may read before the stack's deferred work gets its turn. */
#define TAP_BATCH_FRAMES 128
#define TAP_BATCH_BYTES (512u * 1024)
/* Local choice: most frames, and bytes, that are read before the first goes to the stack. The host's code and the
 * stack's are each of the size of the processor's nearest caches. */
#define TAP_AHEAD 64
#define TAP_AHEAD_BYTES (32u * 1024)
#define TAP_ALIGN 64
/* Local choice: after so many batches of one frame a batch is of one; each so many tries for more. */
#define TAP_LONE 8
#define TAP_LONE_CHECK 16
/* Local choice: small frames in succession after which they are read in one piece again. So many save
 * about what the copy of the one large frame costs that is then the first. */
#define TAP_SMALL_RUN 32
/* Local choice: a last piece up to this moves to a chunk of its size; the large one is kept. It is what a chunk that is
 * almost empty is charged as. */
#define TAP_TAIL_COPY (STRATA_CHUNK_SIZE / 8)
/* Local choice: a frame of several pieces up to this is put together in one to be sent; a larger one costs more
 * to copy than it costs to have several parts. */
#define TAP_TX_COPY 2048
/* Local choice: most small frames that wait for the end of their batch. */
#define TAP_HOLD 64
/* Local choice: pause after the host's kernel had no memory for a frame. */
#define TAP_RESEND_PAUSE (10 * STRATA_MS)

/* A frame as it was read. */
struct tap_frame {
	const uint8_t *vnet;	/* its virtio header; NULL: it has none */
	const uint8_t *data;
	uint32_t length;
	size_t room;		/* bytes that it could have had */
};

/* ---- receive ---- */

static struct strata_pkt *tap_rx_alloc(struct tap *tap)
{
	return strata_pkt_alloc(tap->iface->stack, TAP_HEADROOM, TAP_LINEAR);
}

int tap_io_init(struct tap *tap)
{
	if (tap->rx_flat == NULL)
		tap->rx_flat = strata_alloc(tap->iface->stack, TAP_AHEAD_BYTES + TAP_FLAT);
	if (tap->tx_flat == NULL)
		tap->tx_flat = strata_alloc(tap->iface->stack, TAP_VNET_SIZE + TAP_TX_COPY);
	if (tap->rx_pkt == NULL)
		tap->rx_pkt = tap_rx_alloc(tap);
	return tap->rx_flat != NULL && tap->tx_flat != NULL && tap->rx_pkt != NULL ? 0 : -ENOMEM;
}

void tap_io_purge(struct tap *tap)
{
	struct strata_pkt *pkt;

	strata_timer_stop(tap->iface->stack, &tap->resend);
	tap->blocked = false;
	strata_iface_wake(tap->iface);
	while ((pkt = strata_pkt_dequeue(&tap->tx)) != NULL) {
		tap->iface->counters.tx_dropped++;
		strata_drop(tap->iface->driver, pkt, TAP_DROP_LINK_DOWN);
	}
}

void tap_io_fini(struct tap *tap)
{
	unsigned int i;

	strata_timer_stop(tap->iface->stack, &tap->resend);
	strata_pkt_queue_purge(&tap->tx);
	strata_free(tap->iface->stack, tap->rx_flat);
	strata_free(tap->iface->stack, tap->tx_flat);
	tap->rx_flat = tap->tx_flat = NULL;
	strata_pkt_free(tap->rx_pkt);
	tap->rx_pkt = NULL;
	for (i = 0; i < TAP_CHUNKS; i++) {
		if (tap->rx_chunks[i] != NULL)
			strata_chunk_put(tap->rx_chunks[i]);
		tap->rx_chunks[i] = NULL;
	}
}

static uint32_t tap_linear(uint32_t length)
{
	return length < TAP_LINEAR ? length : TAP_LINEAR;
}

/* Counts and traces the discard of a frame just read, as a part of the receive packet, which stays. */
static void tap_rx_drop(struct tap *tap, const struct tap_frame *frame, enum tap_drop reason)
{
	struct strata_pkt *pkt = tap->rx_pkt;

	if (reason == TAP_DROP_NO_MEMORY || reason == TAP_DROP_LINK_DOWN)
		tap->iface->counters.rx_dropped++;
	else
		tap->iface->counters.rx_errors++;
	pkt->iface = tap->iface;
	pkt->len = tap_linear(frame->length);
	if (frame->data != pkt->data)
		memcpy(pkt->data, frame->data, pkt->len);
	strata_drop(tap->iface->driver, strata_pkt_get(pkt), reason);
	pkt->data = pkt->buf + TAP_HEADROOM;
	pkt->len = 0;
	pkt->trace_id = 0;
}

/* Reads one frame in one piece into `at`. Returns the bytes read, virtio header and all, or -errno. */
static ssize_t tap_read_flat(const struct tap *tap, uint8_t *at, struct tap_frame *frame)
{
	ssize_t n;

	frame->vnet = at;
	frame->data = at + TAP_VNET_SIZE;
	frame->room = TAP_FRAME_ROOM;
	do
		n = tap->vnet ? read(tap->fd, at, TAP_FLAT) :
				read(tap->fd, at + TAP_VNET_SIZE, TAP_FRAME_ROOM);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* The same into the receive packet and chunks. */
static ssize_t tap_read_parts(struct tap *tap, struct tap_frame *frame)
{
	struct iovec iov[2 + TAP_CHUNKS];
	int parts = 0;
	unsigned int i;
	ssize_t n;

	if (tap->vnet)
		iov[parts++] = (struct iovec){ tap->rx_flat, TAP_VNET_SIZE };
	iov[parts++] = (struct iovec){ tap->rx_pkt->data, TAP_LINEAR };
	frame->vnet = tap->rx_flat;
	frame->data = tap->rx_pkt->data;
	frame->room = TAP_LINEAR;
	/* Without offload nothing is larger than the MTU and its link header, with VLAN tags. */
	for (i = 0; i < TAP_CHUNKS; i++) {
		if (!tap->vnet && frame->room >= tap->iface->mtu + 32)
			break;
		if (tap->rx_chunks[i] == NULL)
			tap->rx_chunks[i] = strata_chunk_alloc(tap->iface->stack, STRATA_CHUNK_SIZE);
		if (tap->rx_chunks[i] == NULL)
			break;
		iov[parts++] = (struct iovec){ tap->rx_chunks[i]->data, tap->rx_chunks[i]->size };
		frame->room += tap->rx_chunks[i]->size;
	}
	do
		n = readv(tap->fd, iov, parts);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* Reads what comes next, the way that suits the last frames: one in parts, or at most `most` in one piece each
 * until one of them is large. Returns how many; `*result` is -errno when there are no more. */
static unsigned int tap_read(struct tap *tap, unsigned int most, struct tap_frame *frames, int *result)
{
	uint8_t *at = tap->rx_flat, *const end = at + TAP_AHEAD_BYTES;
	const bool parts = tap->small_wanted != 0;
	unsigned int count = 0;
	ssize_t n;

	do {
		n = parts ? tap_read_parts(tap, frames) : tap_read_flat(tap, at, &frames[count]);
		if (n <= 0) {
			*result = n == 0 ? -ENODEV : (int)n;	/* no TAP device ends its stream */
			break;
		}
		frames[count++].length = (uint32_t)n;
		at += ((size_t)n + TAP_VNET_SIZE + TAP_ALIGN - 1) / TAP_ALIGN * TAP_ALIGN;
	} while (!parts && count < most && n <= TAP_LINEAR && at < end);
	return count;
}

/* Gives `pkt` the chunks that hold the `length` bytes behind its linear part. */
static int tap_rx_chunks(struct tap *tap, struct strata_pkt *pkt, uint32_t length)
{
	unsigned int i;

	for (i = 0; i < TAP_CHUNKS && length != 0; i++) {
		struct strata_chunk *chunk = tap->rx_chunks[i], *small = NULL;
		uint32_t n = length < chunk->size ? length : chunk->size;
		int result;

		if (n <= TAP_TAIL_COPY)
			small = strata_chunk_alloc(tap->iface->stack, n);
		if (small != NULL) {
			memcpy(small->data, chunk->data, n);
			result = strata_pkt_append_chunk(pkt, small, 0, n);
			strata_chunk_put(small);
		} else {
			result = strata_pkt_append_chunk(pkt, chunk, 0, n);
			strata_chunk_put(chunk);
			tap->rx_chunks[i] = NULL;
		}
		if (result < 0)
			return result;
		length -= n;
	}
	return 0;
}

/* A packet with a copy of the frame; NULL when memory is short. */
static struct strata_pkt *tap_rx_copy(struct tap *tap, const struct tap_frame *frame)
{
	uint32_t linear = tap_linear(frame->length);
	struct strata_pkt *pkt = strata_pkt_alloc(tap->iface->stack, TAP_HEADROOM, linear);

	if (strata_unlikely(pkt == NULL))
		return NULL;
	memcpy(strata_pkt_put(pkt, linear), frame->data, linear);
	if (strata_likely(frame->length == linear) ||
	    strata_pkt_append(pkt, frame->data + linear, frame->length - linear) == 0)
		return pkt;
	strata_pkt_free(pkt);
	return NULL;
}

/* The receive packet with the frame that was read into it and its chunks; NULL when memory is short. */
static struct strata_pkt *tap_rx_take(struct tap *tap, uint32_t length)
{
	struct strata_pkt *pkt, *next = tap_rx_alloc(tap);

	if (next == NULL)
		return NULL;
	pkt = tap->rx_pkt;
	tap->rx_pkt = next;
	pkt->len = tap_linear(length);
	if (length > TAP_LINEAR && tap_rx_chunks(tap, pkt, length - TAP_LINEAR) < 0) {
		strata_pkt_free(tap->rx_pkt);
		tap->rx_pkt = pkt;
		strata_pkt_trim(pkt, 0);
		return NULL;
	}
	return pkt;
}

/* Checks the length of a frame as it was read, and takes its virtio header off. Returns false, the frame dropped,
 * where it cannot be whole. */
static bool tap_rx_whole(struct tap *tap, struct tap_frame *frame)
{
	const uint32_t header = tap->vnet ? TAP_VNET_SIZE : 0;

	if (strata_unlikely(frame->length < header)) {
		frame->length = 0;
		tap_rx_drop(tap, frame, TAP_DROP_VNET_SHORT);
		return false;
	}
	frame->length -= header;
	if (strata_unlikely(frame->length >= frame->room)) {	/* it filled all there was: more may have been cut off */
		tap_rx_drop(tap, frame, TAP_DROP_TRUNCATED);
		return false;
	}
	return true;
}

/* One frame as it was read: checked, given to the stack. */
static void tap_rx_frame(struct tap *tap, struct tap_frame *frame)
{
	struct strata_vnet offload = { .csum = STRATA_CSUM_NONE };
	struct strata_pkt *pkt;
	uint32_t length;
	int result;

	if (!tap_rx_whole(tap, frame))
		return;
	length = frame->length;
	if (length > TAP_LINEAR)
		tap->small_wanted = TAP_SMALL_RUN;
	else if (tap->small_wanted != 0)
		tap->small_wanted--;
	if (tap->vnet) {
		result = tap_vnet_parse(frame->vnet, frame->data, tap_linear(length), length, &offload);
		if (result < 0) {
			tap_rx_drop(tap, frame, (enum tap_drop)tap_vnet_reason(result));
			return;
		}
	}
	pkt = length <= TAP_COPYBREAK || frame->data != tap->rx_pkt->data ? tap_rx_copy(tap, frame) :
									    tap_rx_take(tap, length);
	if (pkt == NULL) {
		tap_rx_drop(tap, frame, TAP_DROP_NO_MEMORY);
		return;
	}
	pkt->time = strata_now(tap->iface->stack);
	pkt->csum = offload.csum;
	pkt->seg_type = offload.seg_type;
	pkt->seg_size = offload.seg_size;
	if (offload.csum == STRATA_CSUM_PARTIAL) {
		pkt->csum_start = (uint16_t)(offload.csum_start + strata_pkt_headroom(pkt));
		pkt->csum_offset = offload.csum_offset;
	}
	if (offload.seg_type != STRATA_SEG_NONE)
		strata_count(tap->iface->driver, TAP_COUNTER_RX_SUPER, 1);
	strata_iface_input(tap->iface, pkt);
}

/* Most frames of the batch that begins. Where frames come one at a time, each waiting for the answer to
 * the last, the answer goes out first, and that there is no other frame is left to the loop to find out. */
static unsigned int tap_batch_most(struct tap *tap)
{
	if (tap->frames != 0)
		tap->lone = tap->frames == 1 ? tap->lone + 1 : 0;
	return tap->lone < TAP_LONE || tap->lone % TAP_LONE_CHECK == 0 ? TAP_BATCH_FRAMES : 1;
}

/* The device was closed while the stack had the frame before these: they were read, but there is no way in. */
static void tap_rx_lost(struct tap *tap, struct tap_frame *frames, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (tap_rx_whole(tap, &frames[i]))
			tap_rx_drop(tap, &frames[i], TAP_DROP_LINK_DOWN);
}

int tap_io_receive(struct tap *tap)
{
	const unsigned int most = tap_batch_most(tap);
	struct tap_frame frames[TAP_AHEAD];
	size_t bytes = 0;
	int result = 0;

	tap->frames = 0;
	while (result == 0 && tap->frames < most && bytes < TAP_BATCH_BYTES) {
		const unsigned int left = most - tap->frames;
		const unsigned int count = tap_read(tap, left < TAP_AHEAD ? left : TAP_AHEAD, frames, &result);

		tap->frames += count;
		for (unsigned int i = 0; i < count; i++) {
			bytes += frames[i].length;
			tap_rx_frame(tap, &frames[i]);
			if (strata_unlikely(tap->fd < 0)) {	/* an answer to it found the device gone */
				tap_rx_lost(tap, frames + i + 1, count - i - 1);
				return 0;
			}
		}
	}
	if (result != 0)
		return result == -EAGAIN ? 0 : result;
	if (tap->frames > 1)
		strata_count(tap->iface->driver, TAP_COUNTER_BATCH_FULL, 1);
	return 0;
}

/* ---- send ---- */

/* Where what is written of the frame begins: in front of a frame that is in one piece and nobody else's, with room
 * for the virtio header where the device wants one; else in the buffer. */
static uint8_t *tap_tx_begin(const struct tap *tap, const struct strata_pkt *pkt)
{
	const uint32_t header = tap->vnet ? TAP_VNET_SIZE : 0;

	return pkt->frag_count == 0 && pkt->refs == 1 && strata_pkt_headroom(pkt) >= header ?
		pkt->data - header : tap->tx_flat;
}

/* Writes the frame behind its virtio header, which is at `begin` where the device wants one: one that is in the
 * buffer and small put together in one piece. Returns the bytes written, or -1 with errno. */
static ssize_t tap_write_frame(struct tap *tap, const struct strata_pkt *pkt, const uint8_t *begin)
{
	const uint32_t length = strata_pkt_length(pkt), header = tap->vnet ? TAP_VNET_SIZE : 0;
	struct iovec iov[2 + STRATA_PKT_FRAGS];
	int parts = 0;

	if (begin != tap->tx_flat)
		return write(tap->fd, begin, header + length);
	if (length <= TAP_TX_COPY) {
		strata_pkt_read(pkt, 0, tap->tx_flat + header, length);
		return write(tap->fd, tap->tx_flat, header + length);
	}
	if (tap->vnet)
		iov[parts++] = (struct iovec){ tap->tx_flat, TAP_VNET_SIZE };
	parts += strata_pkt_iov(pkt, iov + parts);
	return writev(tap->fd, iov, parts);
}

/* Writes one frame without consuming it. Returns 0, or -errno of the device; -EPROTO: `*reason` says why
 * the frame cannot be sent at all. */
static int tap_write(struct tap *tap, struct strata_pkt *pkt, enum tap_drop *reason)
{
	const struct tap_config *config = tap->iface->config;
	size_t length = strata_pkt_length(pkt);
	uint8_t *begin = tap_tx_begin(tap, pkt);
	ssize_t n;
	int result;

	if (tap->vnet) {
		result = tap_vnet_emit(pkt, tap->uso, config->checksum == TAP_CHECKSUM_STACK, begin);
		if (result < 0) {
			*reason = (enum tap_drop)tap_vnet_reason(result);
			return -EPROTO;
		}
		length += TAP_VNET_SIZE;
	} else {
		strata_pkt_csum_complete(pkt);
	}
	do
		n = tap_write_frame(tap, pkt, begin);
	while (n < 0 && errno == EINTR);
	if (n >= 0 && (size_t)n == length)
		return 0;
	if (n >= 0) {
		*reason = TAP_DROP_SHORT_WRITE;
		return -EPROTO;
	}
	switch (errno) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
	case EIO:
	case EBADF:
	case EBADFD:
	case ENODEV:
	case ENXIO:
		return -errno;
	default:
		*reason = TAP_DROP_REFUSED;
		return -EPROTO;
	}
}

static bool tap_may_wait(int result)
{
	return result == -EAGAIN || result == -ENOBUFS || result == -ENOMEM;
}

/* Waits until the device may take frames again: it says so, unless the host's memory was short. */
static void tap_tx_wait(struct tap *tap, int error)
{
	struct strata_stack *stack = tap->iface->stack;

	tap->blocked = true;
	strata_count(tap->iface->driver, TAP_COUNTER_BACK_PRESSURE, 1);
	strata_iface_stop(tap->iface);
	if (error == -EAGAIN && strata_watch_set(stack, &tap->watch, EPOLLIN | EPOLLOUT) == 0)
		return;
	strata_watch_set(stack, &tap->watch, EPOLLIN);
	strata_timer_start(stack, &tap->resend, strata_now(stack) + TAP_RESEND_PAUSE);
}

/* Ends a frame that tap_write() let go with `result`, neither 0 nor a reason to wait. */
static int tap_tx_end(struct tap *tap, struct strata_pkt *pkt, int result, enum tap_drop reason)
{
	tap->iface->counters.tx_errors++;
	if (result == -EPROTO) {
		strata_drop(tap->iface->driver, pkt, reason);
		return 0;
	}
	strata_drop(tap->iface->driver, pkt, TAP_DROP_LINK_DOWN);
	return result;
}

int tap_io_flush(struct tap *tap)
{
	enum tap_drop reason = TAP_DROP_REFUSED;
	struct strata_pkt *pkt;

	while (!tap->blocked && (pkt = tap->tx.head) != NULL) {
		const bool super = pkt->seg_type != STRATA_SEG_NONE;
		int result = tap_write(tap, pkt, &reason);

		if (strata_unlikely(tap_may_wait(result))) {
			tap_tx_wait(tap, result);
			return 0;
		}
		strata_pkt_dequeue(&tap->tx);
		if (strata_likely(result == 0)) {
			if (super)
				strata_count(tap->iface->driver, TAP_COUNTER_TX_SUPER, 1);
			strata_pkt_free(pkt);
			continue;
		}
		result = tap_tx_end(tap, pkt, result, reason);
		if (result < 0)
			return result;
	}
	return 0;
}

int tap_io_send(struct tap *tap, struct strata_pkt *pkt)
{
	const struct tap_config *config = tap->iface->config;

	if (strata_unlikely(tap->blocked && tap->tx.count >= config->backlog)) {
		tap->iface->counters.tx_dropped++;
		strata_drop(tap->iface->driver, pkt, TAP_DROP_QUEUE_FULL);
		return 0;
	}
	strata_pkt_enqueue(&tap->tx, pkt);
	if (strata_pkt_length(pkt) <= TAP_TX_COPY && tap->tx.count < TAP_HOLD && tap->tx.count < config->backlog)
		return 0;
	return tap_io_flush(tap);
}

int tap_io_resend(struct tap *tap)
{
	int result;

	tap->blocked = false;
	result = tap_io_flush(tap);
	if (result < 0 || tap->blocked)
		return result;
	strata_watch_set(tap->iface->stack, &tap->watch, EPOLLIN);
	strata_iface_wake(tap->iface);
	return 0;
}
