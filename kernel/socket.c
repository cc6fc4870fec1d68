/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets: the descriptor table, their life, their readiness and how it is told, and what becomes of
 * them when the module, address or interface under them goes. The calls of the BSD interface are in
 * sockcall.c, the options in sockopt.c.
 */
#include <errno.h>

#include "flow_int.h"
#include "mem.h"
#include "socket_int.h"

/* First size of the table, which doubles, and one that it never passes: 64 to the number of levels. */
#define SLOTS_MIN 64
#define SLOT_LEVELS 4
#define SLOTS_MAX (UINT32_C(1) << 6 * SLOT_LEVELS)
/* Different sizes of transports' socket structures. */
#define SOCKET_SIZES 32

struct socket_table {
	struct strata_socket **slots;
	uint64_t *used;			/* a bit a slot; behind them level by level, a bit a word that is full */
	uint32_t level[SLOT_LEVELS];	/* where in `used` each begins */
	unsigned int levels;		/* the highest is one word */
	uint32_t size;			/* slots, 64 times a power of two */
	uint32_t count;
	struct {
		size_t size;
		struct strata_cache *cache;
	} caches[SOCKET_SIZES];
};

/* ---- the descriptor table ---- */

int socket_get_any(struct kernel *k, int s, struct strata_socket **out)
{
	const struct socket_table *t = k->sockets;

	if (s < 0 || (uint32_t)s >= t->size || t->slots[s] == NULL)
		return -EBADF;
	*out = t->slots[s];
	return 0;
}

int socket_wake(struct strata_socket **sock)
{
	struct strata_socket *awake = socket_ops(*sock)->wake(*sock);

	if (awake == NULL)
		return -ENOBUFS;
	*sock = awake;
	return 0;
}

int socket_get(struct kernel *k, int s, struct strata_socket **out)
{
	int err = socket_get_any(k, s, out);

	if (err < 0 || strata_likely(!(*out)->gone && !(*out)->resting))
		return err;
	return (*out)->gone ? -ENETDOWN : socket_wake(out);
}

/* Words of a level: of the lowest, one for 64 slots. */
static uint32_t level_words(const struct socket_table *t, unsigned int level)
{
	const uint32_t words = t->size >> 6 * (level + 1);

	return words != 0 ? words : 1;
}

/* Takes the slot, and each word above that this makes full. */
static void slot_set(struct socket_table *t, uint32_t i)
{
	unsigned int level;

	for (level = 0; level < t->levels; level++) {
		uint64_t *word = &t->used[t->level[level] + i / 64];

		*word |= UINT64_C(1) << i % 64;
		if (*word != UINT64_MAX)
			return;
		i /= 64;
	}
}

static void slot_unset(struct socket_table *t, uint32_t i)
{
	unsigned int level;

	for (level = 0; level < t->levels; level++) {
		uint64_t *word = &t->used[t->level[level] + i / 64];
		const bool was_full = *word == UINT64_MAX;

		*word &= ~(UINT64_C(1) << i % 64);
		if (!was_full)
			return;
		i /= 64;
	}
}

/* The lowest free slot; t->size when there is none. */
static uint32_t slot_lowest(const struct socket_table *t)
{
	unsigned int level = t->levels;
	uint32_t i = 0;

	while (level-- > 0) {
		uint64_t word;

		if (i >= level_words(t, level))
			return t->size;
		word = t->used[t->level[level] + i];
		if (word == UINT64_MAX)
			return t->size;
		i = i * 64 + (uint32_t)__builtin_ctzll(~word);
	}
	return i;
}

/* How many levels a table of that many slots has, and where they begin. Returns the words of all. */
static uint32_t table_levels(struct socket_table *t, uint32_t size)
{
	uint32_t words = 0;

	t->size = size;
	t->levels = 0;
	do {
		t->level[t->levels] = words;
		words += level_words(t, t->levels);
	} while (level_words(t, t->levels++) > 1);
	return words;
}

/* Twice the slots. They are copied at once, in one call of libc's: 8 bytes each, which at 65,536 is less than a
 * millisecond; look-ups, of which there are millions, stay with one index. */
static int table_grow(struct kernel *k)
{
	struct socket_table *t = k->sockets, bigger = *t;
	uint32_t size = t->size == 0 ? SLOTS_MIN : t->size * 2, words;
	unsigned int level;

	if (size > SLOTS_MAX)
		return -ENOBUFS;
	words = table_levels(&bigger, size);
	bigger.slots = strata_alloc(&k->pub, size * sizeof(*bigger.slots));
	bigger.used = strata_alloc(&k->pub, words * sizeof(*bigger.used));
	if (bigger.slots == NULL || bigger.used == NULL) {
		strata_free(&k->pub, bigger.slots);
		strata_free(&k->pub, bigger.used);
		return -ENOBUFS;
	}
	if (t->size > 0)
		memcpy(bigger.slots, t->slots, t->size * sizeof(*bigger.slots));
	/* It grows because all are taken. */
	for (level = 0; level < bigger.levels; level++) {
		const uint32_t taken = t->size >> 6 * level;
		uint64_t *map = &bigger.used[bigger.level[level]];

		memset(map, 0xff, taken / 64 * sizeof(*map));
		if (taken % 64 != 0)
			map[taken / 64] = (UINT64_C(1) << taken % 64) - 1;
	}
	strata_free(&k->pub, t->slots);
	strata_free(&k->pub, t->used);
	*t = bigger;
	return 0;
}

int socket_slot_find(struct kernel *k)
{
	struct socket_table *t = k->sockets;
	uint32_t slot;
	int err;

	if (k->settings.sockets != 0 && t->count >= k->settings.sockets) {
		strata_count(&k->self, KERNEL_COUNT_SOCKETS_REFUSED, 1);
		return -EMFILE;
	}
	slot = slot_lowest(t);
	if (slot < t->size)
		return (int)slot;
	err = table_grow(k);
	return err < 0 ? err : (int)slot;
}

void socket_slot_take(struct kernel *k, int slot, struct strata_socket *sock)
{
	struct socket_table *t = k->sockets;
	uint32_t i = (uint32_t)slot;

	t->slots[i] = sock;
	slot_set(t, i);
	t->count++;
	sock->fd = slot;
	sock->slot = slot;
}

static void slot_clear(struct kernel *k, struct strata_socket *sock)
{
	struct socket_table *t = k->sockets;
	uint32_t i = (uint32_t)sock->slot;

	t->slots[i] = NULL;
	slot_unset(t, i);
	t->count--;
	sock->slot = -1;
	sock->fd = -1;
}

/* ---- readiness ---- */

/* End of a batch: the callback may close this socket or any other, so nothing is touched after it. */
static void socket_tell(struct strata_stack *stack, struct strata_work *work)
{
	struct strata_socket *sock = strata_container_of(work, struct strata_socket, work);
	uint32_t events = sock->raised & sock->events;

	sock->raised = 0;
	/* Who destroys a stack may have freed what its callbacks use. */
	if (kernel_of(stack)->stopping)
		return;
	if (sock->notify == NULL || sock->slot < 0 || events == 0)
		return;
	kernel_of(stack)->outward = kernel_of(stack)->depth;
	sock->notify(stack, sock->slot, events, sock->notify_arg);
	kernel_of(stack)->outward = 0;
}

static void socket_raise(struct strata_socket *sock, uint32_t events)
{
	if (events == 0 || sock->notify == NULL)
		return;
	sock->raised |= events;
	strata_work_add(sock->stack, &sock->work);
}

static void events_replace(struct strata_socket *sock, uint32_t events, uint32_t edge)
{
	uint32_t told;

	/* What lies in the error queue is the kernel's to tell. */
	if (strata_unlikely(sock->extra != NULL) && socket_reports(sock))
		events |= EPOLLERR;
	told = (events & ~sock->events) | (events & edge);

	sock->events = events;
	socket_raise(sock, told);
}

void strata_socket_set_events(struct strata_socket *sock, uint32_t events, uint32_t edge)
{
	if (!sock->gone)
		events_replace(sock, events, edge);
}

void strata_socket_set_error(struct strata_socket *sock, int error)
{
	if (sock->gone)
		return;
	sock->error = error;
	events_replace(sock, sock->events | EPOLLERR, EPOLLERR);
}

void socket_raise_error(struct strata_socket *sock)
{
	events_replace(sock, sock->events | EPOLLERR, EPOLLERR);
}

void socket_settle_error(struct strata_socket *sock)
{
	uint32_t events = sock->events & ~(uint32_t)EPOLLERR;

	events_replace(sock, sock->error != 0 ? events | EPOLLERR : events, 0);
}

int strata_socket_take_error(struct strata_socket *sock)
{
	int error = sock->error;

	if (error == 0)
		return 0;
	sock->error = 0;
	if (!socket_reports(sock))
		sock->events &= ~(uint32_t)EPOLLERR;
	return -error;
}

int strata_events(struct strata_stack *stack, int s)
{
	struct strata_socket *sock;
	int err = socket_get_any(kernel_of(stack), s, &sock);

	return err < 0 ? err : (int)sock->events;
}

int strata_notify(struct strata_stack *stack, int s, strata_notify_fn *fn, void *arg)
{
	struct kernel *k = kernel_of(stack);
	struct strata_socket *sock;
	int err;

	kernel_enter(k);
	err = socket_get_any(k, s, &sock);
	if (err == 0) {
		sock->notify = fn;
		sock->notify_arg = arg;
		sock->raised = 0;
		socket_raise(sock, sock->events);
	}
	kernel_leave(k);
	return err;
}

/* ---- life ---- */

/* The cache for structures of that size, made at the first; NULL when memory is short. */
static struct strata_cache *cache_for(struct kernel *k, size_t size)
{
	struct socket_table *t = k->sockets;
	unsigned int i;

	for (i = 0; i < SOCKET_SIZES; i++) {
		if (t->caches[i].size == size)
			return t->caches[i].cache;
		if (t->caches[i].size != 0)
			continue;
		t->caches[i].cache = strata_cache_create(&k->pub, "sockets", size);
		if (t->caches[i].cache != NULL)
			t->caches[i].size = size;
		return t->caches[i].cache;
	}
	return NULL;
}

static struct strata_socket *socket_new(struct kernel *k, size_t size)
{
	struct strata_cache *cache = cache_for(k, size);
	struct strata_socket *sock = cache != NULL ? strata_cache_alloc(cache) : NULL;

	if (sock == NULL)
		return NULL;
	sock->stack = &k->pub;
	sock->cache = cache;
	sock->fd = -1;
	sock->slot = -1;
	sock->work.run = socket_tell;
	sock->flow.flags = FLOW_SOCKET;
	return sock;
}

struct strata_socket *socket_alloc(struct kernel *k, struct strata_instance *transport,
				   struct strata_instance *network)
{
	const struct strata_transport_ops *ops = transport->module->transport;
	struct strata_socket *sock = socket_new(k, ops->socket_size);

	if (sock == NULL)
		return NULL;
	sock->transport = transport;
	sock->network = network;
	sock->family = (uint16_t)network->number;
	sock->type = (uint8_t)ops->type;
	sock->flow.key.number = (uint8_t)transport->number;
	sock->rcvbuf = ops->rcvbuf;
	sock->sndbuf = ops->sndbuf;
	sock->rcvlowat = 1;
	sock->mcast_ttl = 1;
	sock->options = STRATA_SO_MCAST_LOOP;
	return sock;
}

struct strata_socket_extra *socket_extra(struct strata_socket *sock)
{
	if (sock->extra == NULL)
		sock->extra = strata_alloc(sock->stack, sizeof(*sock->extra));
	return sock->extra;
}

struct strata_socket *strata_socket_resize(struct strata_socket *sock, size_t size)
{
	struct kernel *k = kernel_of(sock->stack);
	struct strata_cache *cache = cache_for(k, size);
	const size_t now = sock->cache->size;
	const bool telling = sock->work.link != NULL;
	struct strata_socket *moved;

	if (cache == NULL || sock->extra != NULL)
		return NULL;
	moved = strata_cache_alloc(cache);
	if (moved == NULL)
		return NULL;
	strata_work_cancel(&k->pub, &sock->work);
	memcpy(moved, sock, size < now ? size : now);
	moved->cache = cache;
	flow_moved(k, &sock->flow, &moved->flow);
	port_moved(&moved->port);
	if (moved->slot >= 0)
		k->sockets->slots[moved->slot] = moved;
	if (telling)
		strata_work_add(&k->pub, &moved->work);
	strata_cache_free(sock->cache, sock);
	return moved;
}

/* Gives the structure back, the socket being in no table any more. */
static void socket_release(struct strata_socket *sock)
{
	socket_report_purge(sock);
	strata_free(sock->stack, sock->extra);
	strata_cache_free(sock->cache, sock);
}

/* What a connection inherits of it. */
static int extra_inherit(struct strata_socket *sock, const struct strata_socket *parent)
{
	const struct strata_socket_extra *from = parent->extra;

	if (from == NULL || (from->priority == 0 && from->mark == 0 && from->stamping == 0))
		return 0;
	if (socket_extra(sock) == NULL)
		return -ENOMEM;
	sock->extra->priority = from->priority;
	sock->extra->mark = from->mark;
	sock->extra->stamping = from->stamping;
	return 0;
}

struct strata_socket *strata_socket_spawn(struct strata_socket *parent)
{
	struct strata_socket *sock = socket_new(kernel_of(parent->stack),
						socket_ops(parent)->socket_size);

	if (sock == NULL)
		return NULL;
	sock->transport = parent->transport;
	sock->network = parent->network;
	sock->family = parent->family;
	sock->type = parent->type;
	sock->options = parent->options;
	sock->flow.key.number = parent->flow.key.number;
	sock->flow.iface = parent->flow.iface;
	sock->rcvbuf = parent->rcvbuf;
	sock->sndbuf = parent->sndbuf;
	sock->rcvlowat = parent->rcvlowat;
	sock->linger = parent->linger;
	sock->ttl = parent->ttl;
	sock->tos = parent->tos;
	sock->mcast_ttl = parent->mcast_ttl;
	sock->df = parent->df;
	sock->mcast_iface = parent->mcast_iface;
	sock->max_pacing_rate = parent->max_pacing_rate;
	if (extra_inherit(sock, parent) == 0)
		return sock;
	socket_release(sock);
	return NULL;
}

/* What stays in the slot of a socket that was ended under its owner: every call says so. */
static void socket_become_gone(struct strata_socket *sock, int error)
{
	sock->gone = 1;
	sock->error = error;
	events_replace(sock, EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP, UINT32_MAX);
}

void strata_socket_free(struct strata_socket *sock)
{
	membership_clear(sock);
	socket_stamp_purge(sock);
	socket_zerocopy_detach(sock);
	strata_flow_remove(sock->stack, &sock->flow);
	strata_port_release(sock->stack, &sock->port);
	sock->transport = NULL;
	sock->network = NULL;
	if (sock->slot >= 0) {
		if (!sock->gone)
			socket_become_gone(sock, ECONNABORTED);
		return;
	}
	strata_work_cancel(sock->stack, &sock->work);
	socket_release(sock);
}

/* Lets the transport end a socket that has no owner any more. One that rests is woken if memory lets it: only
 * then it takes leave of its peer. */
static void socket_end(struct strata_socket *sock)
{
	const struct strata_transport_ops *ops = socket_ops(sock);

	if (sock->resting)
		socket_wake(&sock);

	sock->fd = -1;
	if (ops->socket_close != NULL)
		ops->socket_close(sock);
	else
		strata_socket_free(sock);
}

void socket_close(struct kernel *k, struct strata_socket *sock)
{
	slot_clear(k, sock);
	sock->notify = NULL;
	sock->raised = 0;
	strata_work_cancel(&k->pub, &sock->work);
	membership_clear(sock);
	if (!sock->gone)
		socket_end(sock);
	else if (sock->transport == NULL)
		socket_release(sock);
}

struct strata_addr socket_any(const struct strata_socket *sock)
{
	const struct strata_address_ops *ops = strata_address_ops(sock->stack, sock->family);
	struct strata_addr any = { .family = sock->family };

	if (ops != NULL)
		any.length = ops->length;
	return any;
}

/* Forgets the local end, after a transport refused it. */
static void socket_unbind(struct strata_socket *sock)
{
	strata_flow_remove(sock->stack, &sock->flow);
	strata_port_release(sock->stack, &sock->port);
	memset(&sock->port.local, 0, sizeof(sock->port.local));
	memset(&sock->flow.key.local, 0, sizeof(sock->flow.key.local));
	sock->flow.key.local_port = 0;
	sock->bound = 0;
}

int socket_bind(struct strata_socket *sock, const struct strata_addr *addr, uint16_t port,
		uint8_t bound)
{
	const struct strata_transport_ops *ops = socket_ops(sock);
	struct strata_port *claim = &sock->port;
	int err;

	claim->number = (uint8_t)sock->transport->number;
	claim->local = *addr;
	claim->iface = sock->flow.iface;
	claim->port = port;
	if (sock->type == SOCK_DGRAM)
		claim->reuse |= STRATA_PORT_DATAGRAM;
	err = strata_port_claim(sock->stack, claim);
	if (err < 0) {
		claim->port = 0;
		memset(&claim->local, 0, sizeof(claim->local));
		return err;
	}
	sock->flow.key.local = *addr;
	sock->flow.key.local_port = claim->port;
	if (bound & STRATA_BOUND_ADDRESS)
		sock->bound |= STRATA_BOUND_ADDRESS;
	if (bound & STRATA_BOUND_PORT)
		sock->bound |= STRATA_BOUND_PORT;
	err = ops->socket_bound != NULL ? ops->socket_bound(sock) : 0;
	if (err < 0)
		socket_unbind(sock);
	return err;
}

int strata_socket_autobind(struct strata_socket *sock)
{
	struct strata_addr any;

	if (sock->port.link != NULL)
		return 0;
	any = socket_any(sock);
	return socket_bind(sock, &any, 0, 0);
}

/* ---- what went under sockets ---- */

/* Ends a socket and leaves its owner a descriptor that only tells the error. */
static void socket_kill(struct strata_socket *sock, int error)
{
	if (sock->resting)
		socket_wake(&sock);
	sock->gone = 1;
	membership_clear(sock);
	socket_end(sock);
	socket_become_gone(sock, error);
}

/* Which flows and sockets a loss concerns. */
struct loss {
	struct kernel *k;
	const struct strata_instance *transport, *network;
	const struct strata_addr *addr;
	const struct strata_iface *iface;
	int error;
};

static void loss_flow(struct strata_flow *flow, void *ctx)
{
	const struct loss *loss = ctx;
	const struct strata_instance *t;

	if (loss->transport != NULL && flow->key.number != loss->transport->number)
		return;
	if (loss->network != NULL && flow->key.local.family != loss->network->number)
		return;
	if (loss->addr != NULL && !strata_addr_equal(&flow->key.local, loss->addr))
		return;
	if (loss->iface != NULL && flow->iface != loss->iface)
		return;
	t = loss->transport != NULL ? loss->transport :
		registry_transport(loss->k, flow->key.number);
	if (t != NULL && t->module->transport->abort != NULL)
		t->module->transport->abort(flow, loss->error);
}

static bool loss_concerns(const struct loss *loss, const struct strata_socket *sock)
{
	return (loss->transport != NULL && sock->transport == loss->transport) ||
	       (loss->network != NULL && sock->network == loss->network) ||
	       (loss->iface != NULL && sock->flow.iface == loss->iface);
}

static void loss_spread(struct kernel *k, const struct loss *loss)
{
	struct loss copy = *loss;
	uint32_t i;

	if (k->flows == NULL || k->sockets == NULL)
		return;
	flow_walk_all(k, loss_flow, &copy);
	for (i = 0; i < k->sockets->size; i++) {
		struct strata_socket *sock = k->sockets->slots[i];

		if (sock != NULL && !sock->gone && loss_concerns(loss, sock))
			socket_kill(sock, loss->error);
	}
}

void socket_transport_gone(struct kernel *k, struct strata_instance *transport)
{
	loss_spread(k, &(struct loss){ .k = k, .transport = transport, .error = ENETDOWN });
}

void socket_network_gone(struct kernel *k, struct strata_instance *network)
{
	loss_spread(k, &(struct loss){ .k = k, .network = network, .error = ENETDOWN });
}

void socket_address_gone(struct kernel *k, const struct strata_addr *addr, int error)
{
	loss_spread(k, &(struct loss){ .k = k, .addr = addr, .error = error });
}

void socket_iface_gone(struct kernel *k, struct strata_iface *iface, int error)
{
	uint32_t i;

	loss_spread(k, &(struct loss){ .k = k, .iface = iface, .error = error });
	for (i = 0; k->sockets != NULL && i < k->sockets->size; i++)
		if (k->sockets->slots[i] != NULL)
			membership_iface_gone(k->sockets->slots[i], iface);
}

/* ---- all of them ---- */

/* Calls `each` for every flow, and every socket that is in no table of flows. */
static void each_flow(struct kernel *k, void (*each)(struct strata_flow *flow, void *ctx), void *ctx)
{
	uint32_t i;

	if (k->flows == NULL || k->sockets == NULL)
		return;
	flow_walk_all(k, each, ctx);
	for (i = 0; i < k->sockets->size; i++) {
		struct strata_socket *sock = k->sockets->slots[i];

		if (sock != NULL && !sock->gone && sock->flow.link == NULL)
			each(&sock->flow, ctx);
	}
}

static const struct strata_transport_ops *ops_of_flow(struct kernel *k, const struct strata_flow *flow)
{
	const struct strata_instance *transport = registry_transport(k, flow->key.number);

	return transport != NULL ? transport->module->transport : NULL;
}

struct algorithm_loss {
	struct kernel *k;
	struct strata_instance *algorithm;
};

static void lose_algorithm(struct strata_flow *flow, void *ctx)
{
	const struct algorithm_loss *loss = ctx;
	const struct strata_transport_ops *ops = ops_of_flow(loss->k, flow);

	if (ops != NULL && ops->algorithm_gone != NULL)
		ops->algorithm_gone(flow, loss->algorithm);
}

void socket_algorithm_gone(struct kernel *k, struct strata_instance *algorithm)
{
	struct algorithm_loss loss = { .k = k, .algorithm = algorithm };

	each_flow(k, lose_algorithm, &loss);
}

static void drain_flow(struct strata_flow *flow, void *ctx)
{
	const struct strata_transport_ops *ops = ops_of_flow(ctx, flow);

	if (ops != NULL && ops->drain != NULL)
		ops->drain(flow);
}

void socket_drain(struct kernel *k)
{
	each_flow(k, drain_flow, k);
}

/* ---- looking at them ---- */

struct inspection {
	struct kernel *k;
	void (*each)(void *ctx, const struct strata_socket_view *view);
	void *ctx;
};

static void inspect_flow(struct strata_flow *flow, void *ctx)
{
	const struct inspection *in = ctx;
	struct strata_socket_view view = { .flow = flow, .fd = -1, .state = "" };

	view.transport = registry_transport(in->k, flow->key.number);
	if (view.transport == NULL)
		return;
	if ((flow->flags & FLOW_SOCKET) != 0)
		view.fd = strata_container_of(flow, struct strata_socket, flow)->fd;
	if (view.transport->module->transport->describe != NULL)
		view.transport->module->transport->describe(flow, &view.state, &view.rx_queue,
							    &view.tx_queue);
	in->each(in->ctx, &view);
}

void strata_inspect_sockets(struct strata_stack *stack,
			    void (*each)(void *ctx, const struct strata_socket_view *view),
			    void *ctx)
{
	struct kernel *k = kernel_of(stack);
	struct inspection in = { .k = k, .each = each, .ctx = ctx };
	uint32_t i;

	flow_walk_all(k, inspect_flow, &in);
	for (i = 0; i < k->sockets->size; i++) {
		struct strata_socket *sock = k->sockets->slots[i];

		if (sock != NULL && !sock->gone && sock->flow.link == NULL)
			inspect_flow(&sock->flow, &in);
	}
}

/* ---- the table's life ---- */

int socket_init(struct kernel *k)
{
	k->sockets = strata_alloc(&k->pub, sizeof(*k->sockets));
	return k->sockets != NULL ? 0 : -ENOMEM;
}

/* Transports have been stopped, so what is left are descriptors nobody closed. */
void socket_fini(struct kernel *k)
{
	struct socket_table *t = k->sockets;
	uint32_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->size; i++)
		if (t->slots[i] != NULL)
			socket_close(k, t->slots[i]);
	for (i = 0; i < SOCKET_SIZES; i++)
		strata_cache_destroy(t->caches[i].cache);
	strata_free(&k->pub, t->slots);
	strata_free(&k->pub, t->used);
	strata_free(&k->pub, t);
	k->sockets = NULL;
}
