/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of a frame between a driver and the network modules, and of what is sent back on an interface.
 * Reads and writes no header; framing, segmentation and checksums are others' work called in the right
 * order.
 */
#include <errno.h>
#include "iface.h"
#include "sniff.h"
#include "trace.h"

/* Local choice: packets looped on one interface in one batch. More is a loop that feeds itself. */
#define LOOP_LIMIT 1024
/* A frame as the embedder sees it, in one piece: the largest packet and the longest link header. */
#define FLAT_SIZE (STRATA_PKT_MAX + STRATA_HEADROOM)

/* What a packet in the loop queue keeps in its control bytes. */
struct loop_cb {
	bool network;			/* begins at the network header: the framing is passed by */
};
_Static_assert(sizeof(struct loop_cb) <= STRATA_PKT_CB, "loop_cb fits a packet");

/* ---- what is sent back ---- */

struct strata_pkt *iface_pkt_own(struct kernel *k, struct strata_pkt *pkt)
{
	struct strata_pkt *copy;

	if (strata_likely(pkt->refs == 1))
		return pkt;
	copy = strata_pkt_copy(pkt, strata_pkt_headroom(pkt));
	if (copy == NULL) {
		strata_drop(&k->self, pkt, KERNEL_DROP_NO_MEMORY);
		return NULL;
	}
	strata_pkt_free(pkt);
	return copy;
}

void iface_loop_run(struct strata_stack *stack, struct strata_work *work)
{
	struct iface *inner = strata_container_of(work, struct iface, loop_work);
	struct strata_pkt_queue batch = inner->looped;
	struct strata_pkt *pkt;

	(void)stack;
	memset(&inner->looped, 0, sizeof(inner->looped));
	while ((pkt = strata_pkt_dequeue(&batch)) != NULL) {
		const bool network = ((struct loop_cb *)(void *)pkt->cb)->network;
		pkt->iface = &inner->pub;
		if (network)
			strata_network_input(&inner->pub, pkt, pkt->family);
		else
			strata_iface_input(&inner->pub, pkt);
	}
}

/* What the way out wrote into the packet and the way in must find unset. The checksum state stays:
 * PARTIAL is as good as verified. */
static void forget_way_out(struct strata_pkt *pkt)
{
	pkt->link_offset = 0;
	pkt->network_offset = 0;
	pkt->transport_offset = 0;
	pkt->flags = STRATA_PKT_LOOPED;
	pkt->nesting = 0;
	pkt->time = 0;
	memset(&pkt->src, 0, sizeof(pkt->src));
	memset(&pkt->dst, 0, sizeof(pkt->dst));
}

static int loop_enqueue(struct strata_iface *iface, struct strata_pkt *pkt, bool network)
{
	struct kernel *k = kernel_of(iface->stack);
	struct iface *inner = iface_of(iface);

	if (inner->looped.count >= LOOP_LIMIT)
		return strata_drop_errno(&k->self, pkt, KERNEL_DROP_LOOP_QUEUE_FULL, -ENOBUFS);
	pkt = iface_pkt_own(k, pkt);
	if (pkt == NULL)
		return -ENOBUFS;
	forget_way_out(pkt);
	pkt->iface = iface;
	((struct loop_cb *)(void *)pkt->cb)->network = network;
	strata_pkt_enqueue(&inner->looped, pkt);
	strata_work_add(&k->pub, &inner->loop_work);
	return 0;
}

void strata_iface_enqueue_loop(struct strata_iface *iface, struct strata_pkt *pkt)
{
	loop_enqueue(iface, pkt, false);
}

int iface_loop_network(struct strata_iface *iface, struct strata_pkt *pkt, uint16_t number)
{
	struct kernel *k = kernel_of(iface->stack);

	pkt = iface_pkt_own(k, pkt);
	if (pkt == NULL)
		return -ENOBUFS;
	strata_trace(&k->self, pkt, "looped on %s", iface->name);
	pkt->family = number;
	return loop_enqueue(iface, pkt, true);
}

/* ---- a device that takes no more ---- */

void strata_iface_stop(struct strata_iface *iface)
{
	struct iface *upper;

	for (; iface != NULL; iface = upper != NULL ? &upper->pub : NULL) {
		upper = iface_of(iface)->upper;
		iface->flags |= STRATA_IFACE_STOPPED;
	}
}

bool strata_iface_wait_slow(struct strata_iface *iface, struct strata_work *work)
{
	struct iface *inner = iface_of(iface);

	strata_work_cancel(iface->stack, work);
	work->next = inner->waiting;
	work->link = &inner->waiting;
	if (work->next != NULL)
		work->next->link = &work->next;
	inner->waiting = work;
	kernel_of(iface->stack)->ifaces->waited = true;
	return true;
}

/* Queues what waits, the first first. */
static void wake_all(struct iface *inner)
{
	struct strata_work *work, *first = NULL;

	while ((work = inner->waiting) != NULL) {
		strata_work_cancel(inner->pub.stack, work);
		work->next = first;
		first = work;
	}
	while ((work = first) != NULL) {
		first = work->next;
		strata_work_add(inner->pub.stack, work);
	}
}

void strata_iface_wake(struct strata_iface *iface)
{
	struct iface *upper;

	for (; iface != NULL; iface = upper != NULL ? &upper->pub : NULL) {
		upper = iface_of(iface)->upper;
		if ((iface->flags & STRATA_IFACE_STOPPED) == 0)
			continue;
		iface->flags &= ~(uint32_t)STRATA_IFACE_STOPPED;
		wake_all(iface_of(iface));
	}
}

void iface_wake_waiting(struct kernel *k)
{
	struct iface_table *table = k->ifaces;

	if (strata_likely(table == NULL || !table->waited))
		return;
	table->waited = false;
	for (uint32_t i = 0; i < table->used; i++)
		if (table->slots[i] != NULL)
			wake_all(table->slots[i]);
}

/* ---- input ---- */

/* Gives a frame to the interface that stands on this one. Consumes. */
static enum strata_verdict carry(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct iface *upper = iface_of(iface)->upper;

	if (!upper->opened) {
		iface->counters.rx_dropped++;
		return strata_drop(&kernel_of(iface->stack)->self, pkt, KERNEL_DROP_IFACE_DOWN);
	}
	driver_ops(&upper->pub)->lower_input(&upper->pub, pkt);
	return STRATA_ACCEPTED;
}

/* To the framing, or past it. Consumes. Called from two places, of which one is on every packet's way. */
static inline __attribute__((always_inline)) enum strata_verdict walk_up(struct strata_iface *iface,
									 struct strata_pkt *pkt)
{
	const struct strata_link_ops *framing = framing_ops(iface);
	enum strata_verdict verdict;

	if (strata_likely(framing != NULL))
		verdict = framing->input(iface->framing, iface, pkt);
	else
		verdict = strata_network_input(iface, pkt, pkt->family);
	if (strata_unlikely(verdict == STRATA_DROPPED))
		iface->counters.rx_dropped++;
	return verdict;
}

static inline void count_input(struct strata_iface *iface, const struct strata_pkt *pkt)
{
	iface->counters.rx_packets += segment_count(pkt);
	iface->counters.rx_bytes += strata_pkt_length(pkt);
}

/* A frame that does not go the plain way. While somebody listens, what happens on its way up, it caused. */
static __attribute__((cold, noinline)) enum strata_verdict input_apart(struct strata_iface *iface,
								       struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(iface->stack);
	const bool traced = strata_tracing(&k->pub);
	enum strata_verdict verdict;
	uint32_t before = 0;

	if (iface->apart & IFACE_CLOSED) {
		iface->counters.rx_dropped++;
		return strata_drop(&k->self, pkt, KERNEL_DROP_IFACE_DOWN);
	}
	count_input(iface, pkt);
	if ((iface->flags & STRATA_IFACE_SNIFFED) != 0)
		sniff_frame(iface, pkt, false);
	if (traced) {
		trace_frame(k, pkt, "in on");
		before = trace_cause(k, pkt->trace_id);
	}
	verdict = iface->apart & IFACE_CARRIES ? carry(iface, pkt) : walk_up(iface, pkt);
	if (traced)
		trace_cause(k, before);
	return verdict;
}

enum strata_verdict strata_iface_input(struct strata_iface *iface, struct strata_pkt *pkt)
{
	pkt->iface = iface;
	if (pkt->time == 0)
		pkt->time = strata_now(iface->stack);
	if (strata_unlikely(iface->apart != 0))
		return input_apart(iface, pkt);
	count_input(iface, pkt);
	return walk_up(iface, pkt);
}

/* ---- output ---- */

static int output_drop(struct strata_iface *iface, struct strata_pkt *pkt, enum kernel_drop reason,
		       int result)
{
	iface->counters.tx_dropped++;
	return strata_drop_errno(&kernel_of(iface->stack)->self, pkt, reason, result);
}

/* True where the driver cuts the framed packet itself. */
static bool driver_cuts(const struct strata_iface *iface, const struct strata_pkt *pkt)
{
	const struct strata_link_ops *ops = driver_ops(iface);
	const uint32_t cap = pkt->seg_type == STRATA_SEG_STREAM ? STRATA_CAP_SEG_STREAM
								: STRATA_CAP_SEG_DATAGRAM;

	return (iface->caps & cap) != 0 && (ops->cuts == NULL || ops->cuts(iface, pkt));
}

/* A packet of our own with room for a link header, in place of one that is not or has none. Consumes. Returns
 * NULL when memory is short, having dropped it. Apart, since most are and have. */
static __attribute__((noinline)) struct strata_pkt *make_room(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct strata_pkt *copy = strata_pkt_copy(pkt, STRATA_HEADROOM);

	if (copy == NULL)
		output_drop(iface, pkt, KERNEL_DROP_NO_MEMORY, -ENOBUFS);
	else
		strata_pkt_free(pkt);
	return copy;
}

/* Writes the link header, in a packet of our own with room for it. Consumes, when it returns NULL. */
static struct strata_pkt *frame(struct strata_iface *iface, struct strata_pkt *pkt, uint16_t number,
				const struct strata_lladdr *dst, int *result)
{
	const struct strata_link_ops *ops = framing_ops(iface);

	if (strata_unlikely(pkt->refs != 1 || strata_pkt_headroom(pkt) < iface->header_size)) {
		pkt = make_room(iface, pkt);
		*result = -ENOBUFS;
		if (pkt == NULL)
			return NULL;
	}
	pkt->iface = iface;
	pkt->family = number;
	pkt->flags |= STRATA_PKT_TX;
	if (strata_unlikely(ops == NULL))
		return pkt;
	*result = ops->encapsulate(iface->framing, iface, pkt, number, dst);
	if (strata_unlikely(*result < 0)) {
		output_drop(iface, pkt, KERNEL_DROP_ENCAPSULATE, *result);
		return NULL;
	}
	pkt->link_offset = (uint16_t)strata_pkt_headroom(pkt);
	return pkt;
}

static __attribute__((cold, noinline)) void show_output(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(iface->stack);

	if ((iface->flags & STRATA_IFACE_SNIFFED) != 0)
		sniff_frame(iface, pkt, true);
	if (strata_tracing(&k->pub))
		trace_frame(k, pkt, "out on");
}

/* Gives one frame to the driver in the shape it takes. Consumes. Called from several places, of which one is
 * on every packet's way. */
static inline __attribute__((always_inline)) int transmit(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(iface->stack);
	const struct strata_link_ops *ops = driver_ops(iface);
	struct iface *inner = iface_of(iface);

	if (pkt->csum == STRATA_CSUM_PARTIAL && !(iface->caps & STRATA_CAP_TX_CSUM))
		strata_pkt_csum_complete(pkt);
	if (pkt->frag_count != 0 && !(iface->caps & STRATA_CAP_FRAGS) &&
	    strata_pkt_header(pkt, strata_pkt_length(pkt)) == NULL)
		return output_drop(iface, pkt, KERNEL_DROP_NO_MEMORY, -ENOBUFS);
	if (strata_unlikely((iface->apart & IFACE_WATCHED) != 0))
		show_output(iface, pkt);
	iface->counters.tx_packets += segment_count(pkt);
	iface->counters.tx_bytes += strata_pkt_length(pkt);
	if (strata_unlikely(ops->flush != NULL) && !inner->dirty) {
		inner->dirty = true;
		inner->dirty_next = k->dirty;
		k->dirty = inner;
	}
	if (strata_unlikely(pkt->stamp != 0))
		socket_stamp_leaves(k, pkt);
	ops->xmit(iface, pkt);
	return 0;
}

static int transmit_cut(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct strata_pkt_queue segments = { 0 };
	struct strata_pkt *segment;
	int result = segment_enqueue(iface, pkt, &segments);

	if (result < 0) {
		iface->counters.tx_dropped++;
		return result;
	}
	while ((segment = strata_pkt_dequeue(&segments)) != NULL) {
		int sent = transmit(iface, segment);
		if (result == 0)
			result = sent;
	}
	return result;
}

int iface_output(struct strata_iface *iface, struct strata_pkt *pkt, uint16_t number,
		 const struct strata_lladdr *dst)
{
	int result = 0;

	if (strata_unlikely(!iface_usable(iface)))
		return output_drop(iface, pkt, KERNEL_DROP_IFACE_DOWN, -ENETDOWN);
	if (strata_unlikely(strata_pkt_length(pkt) > iface->mtu && pkt->seg_type == STRATA_SEG_NONE))
		return output_drop(iface, pkt, KERNEL_DROP_TOO_BIG, -EMSGSIZE);
	pkt = frame(iface, pkt, number, dst, &result);
	if (pkt == NULL)
		return result;
	if (pkt->seg_type != STRATA_SEG_NONE && !driver_cuts(iface, pkt))
		return transmit_cut(iface, pkt);
	return transmit(iface, pkt);
}

int strata_iface_output(struct strata_iface *iface, struct strata_pkt *pkt, uint16_t number,
			const struct strata_lladdr *dst)
{
	struct strata_instance *net = registry_network(kernel_of(iface->stack), number);

	if (net != NULL)
		net->tx_packets += segment_count(pkt);
	return iface_output(iface, pkt, number, dst);
}

void strata_iface_xmit(struct strata_iface *lower, struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(lower->stack);

	if (!iface_usable(lower)) {
		output_drop(lower, pkt, KERNEL_DROP_IFACE_DOWN, -ENETDOWN);
		return;
	}
	pkt = iface_pkt_own(k, pkt);
	if (pkt == NULL)
		return;
	pkt->iface = lower;
	if (pkt->seg_type != STRATA_SEG_NONE && !driver_cuts(lower, pkt))
		transmit_cut(lower, pkt);
	else
		transmit(lower, pkt);
}

bool iface_flush(struct kernel *k)
{
	struct iface *iface;
	bool any = false;

	while ((iface = k->dirty) != NULL) {
		k->dirty = iface->dirty_next;
		iface->dirty = false;
		any = true;
		driver_ops(&iface->pub)->flush(&iface->pub);
	}
	return any;
}

unsigned int iface_poll(struct kernel *k)
{
	unsigned int frames = 0;

	/* By index: what a frame leads to may close interfaces. */
	for (uint32_t i = 0; i < k->ifaces->used; i++) {
		struct iface *iface = k->ifaces->slots[i];
		if (iface != NULL && iface->opened && driver_ops(&iface->pub)->poll != NULL)
			frames += driver_ops(&iface->pub)->poll(&iface->pub);
	}
	return frames;
}

struct strata_lladdr strata_iface_broadcast(const struct strata_iface *iface)
{
	const struct strata_link_ops *ops = framing_ops(iface);
	struct strata_lladdr lladdr = { 0 };

	if (ops != NULL && ops->address_broadcast != NULL)
		ops->address_broadcast(&lladdr);
	return lladdr;
}

/* ---- for embedders ---- */

void strata_iface_set_output(struct strata_iface *iface, strata_output_fn *fn, void *ctx)
{
	iface_of(iface)->output = fn;
	iface_of(iface)->output_offload = NULL;
	iface_of(iface)->output_ctx = ctx;
}

void strata_iface_set_output_offload(struct strata_iface *iface, strata_output_offload_fn *fn,
				     void *ctx)
{
	strata_iface_set_output(iface, NULL, ctx);
	iface_of(iface)->output_offload = fn;
}

/* Calls the embedder with a frame and what is still open of it. */
static void call_offload(struct iface *inner, const struct strata_pkt *pkt, const void *frame,
			 size_t length)
{
	struct strata_offload offload = {
		.csum = pkt->csum, .seg_type = pkt->seg_type, .seg_size = pkt->seg_size,
	};

	if (pkt->csum == STRATA_CSUM_PARTIAL) {
		offload.csum_start = (uint16_t)(pkt->csum_start - strata_pkt_headroom(pkt));
		offload.csum_offset = pkt->csum_offset;
	}
	inner->output_offload(inner->output_ctx, &inner->pub, frame, length, &offload);
}

static void call_output(struct iface *inner, const struct strata_pkt *pkt, const void *frame,
			size_t length)
{
	if (inner->output_offload != NULL)
		call_offload(inner, pkt, frame, length);
	else
		inner->output(inner->output_ctx, &inner->pub, frame, length);
}

/* Calls the embedder with a frame that is in pieces. Returns false when memory is short. */
static bool deliver_flat(struct strata_iface *iface, const struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(iface->stack);
	struct iface *inner = iface_of(iface);
	/* Taken out of the table for the call: what the callee does may end here again. */
	uint8_t *flat = k->ifaces->flat;
	uint32_t length;

	k->ifaces->flat = NULL;
	if (flat == NULL)
		flat = strata_alloc(&k->pub, FLAT_SIZE);
	if (flat == NULL)
		return false;
	length = strata_pkt_read(pkt, 0, flat, FLAT_SIZE);
	call_output(inner, pkt, flat, length);
	if (k->ifaces->flat == NULL)
		k->ifaces->flat = flat;
	else
		strata_free(&k->pub, flat);
	return true;
}

bool strata_iface_deliver_out(struct strata_iface *iface, struct strata_pkt *pkt)
{
	struct kernel *k = kernel_of(iface->stack);
	struct iface *inner = iface_of(iface);

	if (inner->output == NULL && inner->output_offload == NULL) {
		strata_drop(&k->self, pkt, KERNEL_DROP_NO_OUTPUT);
		return false;
	}
	/* Who sees bytes alone must not find a checksum left open. */
	if (inner->output_offload == NULL)
		strata_pkt_csum_complete(pkt);
	if (pkt->frag_count == 0) {
		call_output(inner, pkt, pkt->data, pkt->len);
	} else if (!deliver_flat(iface, pkt)) {
		iface->counters.tx_errors++;
		strata_drop(&k->self, pkt, KERNEL_DROP_NO_MEMORY);
		return true;
	}
	strata_pkt_free(pkt);
	return true;
}
