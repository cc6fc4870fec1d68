/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From one shard to another: a ring of bytes for each ordered pair, with one writer and one reader, into
 * which a packet is copied and out of which another stack makes one of its own. Bounded: what finds no room
 * is discarded by the writer.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "iface.h"
#include "run.h"
#include "shard.h"
#include "trace.h"

/* Records are aligned to it. */
#define RECORD_ALIGN 8u
/* Local choice: bytes of a quoted packet that go along with an error; RFC 1812 4.3.2.3 has messages of at
 * most 576 bytes sent. */
#define ERROR_PAYLOAD_MAX 1024
/* No such header. */
#define NO_OFFSET UINT16_MAX

/* What precedes the bytes of a packet, or of what an error quotes. */
struct shard_record {
	uint32_t size;			/* of all, aligned */
	uint32_t length;		/* bytes that follow */
	uint64_t tried;
	uint64_t time;
	uint8_t stage;			/* enum shard_stage */
	uint8_t csum, seg_type, number, ttl, tos, nesting;
	uint16_t family, flags, seg_size;
	/* From the first byte that follows. */
	uint16_t data, link, network, transport, csum_start;
	uint16_t csum_offset;
	struct strata_addr src, dst;
	char iface[IF_NAMESIZE];
	struct strata_transport_error error;	/* of SHARD_ERROR; its payload follows */
};

static struct strata_shards *group_of(const struct kernel *k)
{
	return k->shard->group;
}

/* ---- bytes ---- */

static struct shard_ring *ring_to(const struct kernel *k, unsigned int to)
{
	return &group_of(k)->shards[to].in[k->shard->index];
}

/* Copies into the ring from byte `at` of its counters on, around the end. */
static void ring_write(const struct shard_ring *ring, uint32_t size, uint32_t at, const void *bytes,
		       uint32_t n)
{
	uint32_t start = at & (size - 1), first = size - start < n ? size - start : n;

	memcpy(ring->bytes + start, bytes, first);
	memcpy(ring->bytes, (const uint8_t *)bytes + first, n - first);
}

static void ring_read(const struct shard_ring *ring, uint32_t size, uint32_t at, void *bytes,
		      uint32_t n)
{
	uint32_t start = at & (size - 1), first = size - start < n ? size - start : n;

	memcpy(bytes, ring->bytes + start, first);
	memcpy((uint8_t *)bytes + first, ring->bytes, n - first);
}

/* Whether the record fits; `*at` is where it goes. */
static bool ring_room(const struct shard_ring *ring, uint32_t size, uint32_t record, uint32_t *at)
{
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

	*at = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	return size - (*at - head) >= record;
}

/* The record is whole: the reader may have it, and is told at the end of the batch. */
static void publish(struct kernel *k, unsigned int to, struct shard_ring *ring, uint32_t tail)
{
	atomic_store(&ring->tail, tail);
	k->shard->told |= UINT64_C(1) << to;
	strata_work_add(&k->pub, &k->shard->ring_bells);
	strata_count(&k->self, KERNEL_COUNT_SHARD_OUT, 1);
}

/* ---- in: a packet becomes a record ---- */

static uint16_t offset_from(uint32_t first, uint16_t offset)
{
	return offset == 0 || offset < first ? NO_OFFSET : (uint16_t)(offset - first);
}

/* The first byte, from buf, that goes along: errors quote the headers that are off already. */
static uint32_t first_byte(const struct strata_pkt *pkt)
{
	uint32_t first = strata_pkt_headroom(pkt);

	if (pkt->network_offset != 0 && pkt->network_offset < first)
		first = pkt->network_offset;
	if (pkt->link_offset != 0 && pkt->link_offset < first)
		first = pkt->link_offset;
	return first;
}

static void record_fill(struct shard_record *record, const struct strata_pkt *pkt, uint32_t first)
{
	const uint32_t ahead = strata_pkt_headroom(pkt) - first;

	record->length = ahead + strata_pkt_length(pkt);
	record->size = (uint32_t)(sizeof(*record) + record->length + RECORD_ALIGN - 1) &
		~(RECORD_ALIGN - 1);
	record->time = pkt->time;
	record->csum = pkt->csum;
	record->seg_type = pkt->seg_type;
	record->seg_size = pkt->seg_size;
	record->number = pkt->number;
	record->ttl = pkt->ttl;
	record->tos = pkt->tos;
	record->nesting = pkt->nesting;
	record->family = pkt->family;
	record->flags = pkt->flags;
	record->data = (uint16_t)ahead;
	record->link = offset_from(first, pkt->link_offset);
	record->network = offset_from(first, pkt->network_offset);
	record->transport = offset_from(first, pkt->transport_offset);
	record->csum_start = offset_from(first, pkt->csum_start);
	record->csum_offset = pkt->csum_offset;
	record->src = pkt->src;
	record->dst = pkt->dst;
	if (pkt->iface != NULL)
		memcpy(record->iface, pkt->iface->name, sizeof(record->iface));
}

bool shard_hand(struct kernel *k, unsigned int to, enum shard_stage stage, uint64_t tried,
		const struct strata_pkt *pkt)
{
	const uint32_t size = group_of(k)->ring_size, first = first_byte(pkt);
	struct shard_record record = { .stage = (uint8_t)stage, .tried = tried };
	struct shard_ring *ring = ring_to(k, to);
	uint32_t at, tail, linear;
	unsigned int i;

	record_fill(&record, pkt, first);
	if (!ring_room(ring, size, record.size, &at))
		return false;
	tail = at + record.size;
	ring_write(ring, size, at, &record, sizeof(record));
	at += (uint32_t)sizeof(record);
	linear = strata_pkt_headroom(pkt) - first + pkt->len;
	ring_write(ring, size, at, pkt->buf + first, linear);
	at += linear;
	for (i = 0; i < pkt->frag_count; i++) {
		const struct strata_frag *frag = &pkt->frags[i];

		ring_write(ring, size, at, frag->chunk->data + frag->offset, frag->length);
		at += frag->length;
	}
	publish(k, to, ring, tail);
	return true;
}

bool shard_hand_error(struct kernel *k, unsigned int to, uint64_t tried,
		      const struct strata_transport_error *error)
{
	const uint32_t size = group_of(k)->ring_size;
	struct shard_record record = { .stage = SHARD_ERROR, .tried = tried, .error = *error };
	struct shard_ring *ring = ring_to(k, to);
	uint32_t at;

	record.length = error->payload_length < ERROR_PAYLOAD_MAX ? error->payload_length :
		ERROR_PAYLOAD_MAX;
	record.size = (uint32_t)(sizeof(record) + record.length + RECORD_ALIGN - 1) &
		~(RECORD_ALIGN - 1);
	record.error.payload = NULL;
	if (!ring_room(ring, size, record.size, &at))
		return false;
	ring_write(ring, size, at, &record, sizeof(record));
	ring_write(ring, size, at + (uint32_t)sizeof(record), error->payload, record.length);
	publish(k, to, ring, at + record.size);
	return true;
}

/* ---- out: a record becomes a packet of this stack ---- */

static uint16_t offset_in(uint16_t offset)
{
	return offset == NO_OFFSET ? 0 : (uint16_t)(STRATA_HEADROOM + offset);
}

/* NULL when memory is short. */
static struct strata_pkt *record_pkt(struct kernel *k, const struct shard_ring *ring, uint32_t at,
				     const struct shard_record *record)
{
	const uint32_t size = group_of(k)->ring_size, start = at & (size - 1);
	const uint32_t most = STRATA_PKT_LARGE - STRATA_HEADROOM;
	const struct iovec parts[] = {
		{ .iov_base = ring->bytes + start, .iov_len = size - start },
		{ .iov_base = ring->bytes, .iov_len = start },
	};
	struct strata_pkt *pkt;

	pkt = strata_pkt_alloc(&k->pub, STRATA_HEADROOM, record->length < most ? record->length : most);
	if (pkt == NULL)
		return NULL;
	if (strata_pkt_append_iov(pkt, parts, 2, 0, record->length) < 0) {
		strata_pkt_free(pkt);
		return NULL;
	}
	pkt->iface = strata_iface_by_name(&k->pub, record->iface);
	pkt->link_offset = offset_in(record->link);
	pkt->network_offset = offset_in(record->network);
	pkt->transport_offset = offset_in(record->transport);
	pkt->csum = record->csum;
	pkt->csum_start = offset_in(record->csum_start);
	pkt->csum_offset = record->csum_offset;
	pkt->seg_type = record->seg_type;
	pkt->seg_size = record->seg_size;
	pkt->number = record->number;
	pkt->ttl = record->ttl;
	pkt->tos = record->tos;
	pkt->nesting = record->nesting;
	pkt->family = record->family;
	pkt->flags = record->flags;
	pkt->src = record->src;
	pkt->dst = record->dst;
	pkt->time = record->time;
	strata_pkt_pull(pkt, record->data);
	return pkt;
}

static void take_pkt(struct kernel *k, struct strata_pkt *pkt, const struct shard_record *record,
		     unsigned int from)
{
	if (pkt == NULL) {
		k->self.drops[KERNEL_DROP_NO_MEMORY]++;
		return;
	}
	/* The interface may be down here, or gone. */
	if (pkt->iface == NULL || !iface_usable(pkt->iface)) {
		strata_drop(&k->self, pkt, KERNEL_DROP_IFACE_DOWN);
		return;
	}
	strata_trace_fields(&k->self, pkt, STRATA_SAID(STRATA_FIELD_UINT("shard", from)),
			    "from shard %u", from);
	if (record->stage == SHARD_TRANSPORT) {
		transport_input_tried(k, pkt, record->tried);
		return;
	}
	pkt->flags |= record->tried == SHARD_STAYS ? STRATA_PKT_COPY : STRATA_PKT_GATHERED;
	strata_network_input(pkt->iface, pkt, pkt->family);
}

/* The quoted bytes are read out first: what the error brings about may write to the ring. */
static void take_error(struct kernel *k, const struct shard_ring *ring, uint32_t at,
		       struct shard_record *record)
{
	uint8_t payload[ERROR_PAYLOAD_MAX];

	ring_read(ring, group_of(k)->ring_size, at, payload, record->length);
	record->error.payload = payload;
	record->error.payload_length = record->length;
	transport_error_tried(k, &record->error, record->tried);
}

/* All that is in the ring now; what comes meanwhile is for the next time. */
static void drain_ring(struct kernel *k, struct shard_ring *ring, unsigned int from)
{
	const uint32_t size = group_of(k)->ring_size, end = atomic_load(&ring->tail);
	uint32_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	struct shard_record record;

	while (head != end) {
		const uint32_t at = head + (uint32_t)sizeof(record);
		struct strata_pkt *pkt = NULL;

		ring_read(ring, size, head, &record, sizeof(record));
		strata_count(&k->self, KERNEL_COUNT_SHARD_IN, 1);
		if (record.stage == SHARD_ERROR)
			take_error(k, ring, at, &record);
		else
			pkt = record_pkt(k, ring, at, &record);
		head += record.size;
		atomic_store_explicit(&ring->head, head, memory_order_release);
		if (record.stage != SHARD_ERROR)
			take_pkt(k, pkt, &record, from);
	}
}

bool shard_pending(const struct kernel *k)
{
	unsigned int i;

	for (i = 0; i < group_of(k)->count; i++) {
		const struct shard_ring *ring = &k->shard->in[i];

		if (atomic_load_explicit(&ring->tail, memory_order_acquire) !=
		    atomic_load_explicit(&ring->head, memory_order_relaxed))
			return true;
	}
	return false;
}

void shard_drain(struct kernel *k)
{
	unsigned int i;

	for (i = 0; i < group_of(k)->count; i++)
		if (i != k->shard->index)
			drain_ring(k, &k->shard->in[i], i);
}

/* ---- bells ---- */

void shard_ring_bell(struct shard *shard)
{
	const uint64_t one = 1;

	if (shard->bell >= 0 && !atomic_exchange(&shard->rung, true))
		(void)!write(shard->bell, &one, sizeof(one));
}

static void ring_bells(struct strata_stack *stack, struct strata_work *work)
{
	struct shard *shard = strata_container_of(work, struct shard, ring_bells);
	uint64_t told = shard->told;

	(void)stack;
	for (shard->told = 0; told != 0; told &= told - 1)
		shard_ring_bell(&shard->group->shards[__builtin_ctzll(told)]);
}

/* The loop looks into the rings in every turn, after this. */
static void bell_rings(struct strata_stack *stack, struct strata_watch *watch, uint32_t events)
{
	struct shard *shard = strata_container_of(watch, struct shard, watch);
	uint64_t times;

	(void)events;
	(void)!read(watch->fd, &times, sizeof(times));
	atomic_store(&shard->rung, false);
	if (shard->index == 0 && atomic_load(&shard->group->failure) != 0)
		strata_loop_stop(stack);
}

/* ---- life ---- */

int shard_rings_make(struct shard *shard)
{
	struct strata_shards *group = shard->group;
	unsigned int i;

	shard->in = group->env.alloc(group->env.ctx, group->count * sizeof(*shard->in));
	if (shard->in == NULL)
		return -ENOMEM;
	memset(shard->in, 0, group->count * sizeof(*shard->in));
	for (i = 0; i < group->count; i++) {
		if (i == shard->index)
			continue;
		shard->in[i].bytes = group->env.alloc(group->env.ctx, group->ring_size);
		if (shard->in[i].bytes == NULL)
			return -ENOMEM;
	}
	return 0;
}

void shard_rings_free(struct shard *shard)
{
	struct strata_shards *group = shard->group;
	unsigned int i;

	for (i = 0; shard->in != NULL && i < group->count; i++)
		if (shard->in[i].bytes != NULL)
			group->env.free(group->env.ctx, shard->in[i].bytes, group->ring_size);
	if (shard->in != NULL)
		group->env.free(group->env.ctx, shard->in, group->count * sizeof(*shard->in));
	shard->in = NULL;
}

int shard_init(struct kernel *k)
{
	struct shard *shard = k->shard;
	int result;

	if (shard == NULL)
		return 0;
	shard->k = k;
	shard->ring_bells.run = ring_bells;
	shard->watch.ready = bell_rings;
	shard->watch.busy = true;
	shard->bell = -1;
	if (k->env.now == NULL)
		return 0;
	shard->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (shard->bell < 0)
		return -errno;
	result = strata_watch_add(&k->pub, &shard->watch, shard->bell, EPOLLIN);
	if (result < 0) {
		close(shard->bell);
		shard->bell = -1;
	}
	return result;
}

void shard_fini(struct kernel *k)
{
	struct shard *shard = k->shard;

	if (shard == NULL || shard->k != k)
		return;
	strata_watch_remove(&k->pub, &shard->watch);
	strata_work_cancel(&k->pub, &shard->ring_bells);
	if (shard->bell >= 0)
		close(shard->bell);
	shard->bell = -1;
	shard->k = NULL;
}
