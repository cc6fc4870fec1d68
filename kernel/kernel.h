/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inside of a stack: what its subsystems promise each other. Each subsystem keeps its state
 * behind a pointer of its own, made by its _init and freed by its _fini; all of them may be NULL
 * in _fini, so that a half-made stack can be undone.
 */
#ifndef STRATA_KERNEL_H
#define STRATA_KERNEL_H

#include <pthread.h>
#include <strata/embed.h>
#include <strata/flow.h>
#include <strata/network.h>
#include <strata/service.h>
#include <strata/transport.h>

/* Local choice: flows whose packets wait at once; beyond, the oldest goes on as it is. */
#define GRO_HELD 8
/* Local choice: ways of which the result is remembered, so that who connects again costs no look-up. */
#define WAYS_KNOWN 16

/* Local choice: chunks have 256 bytes and more, each size twice the one before. */
#define CHUNK_CLASSES 8

struct kernel {
	struct strata_stack pub;	/* first: modules hold a pointer to it */

	/* What every entry and every packet asks for stands together. */
	pthread_t owner;
	unsigned int depth;		/* public entries nested on the thread's stack */
	bool stopping;			/* destroy has begun: no new work */
	bool calling;			/* a strata_call runs */
	bool changing;			/* modules or interfaces are being changed: no other change begins */
	bool foreign;			/* loop.c: another loop waits for the timers of this one */
	struct work_list {		/* work.c: for the end of the batch */
		struct strata_work *head, **tail;
		struct strata_work *running;	/* what is left of the round in hand */
	} work;
	struct iface *dirty;		/* iface_io.c: whose drivers want a flush */
	struct strata_call *calls, **calls_end;	/* work.c: waiting until the stack is at rest, in order */
	struct pkt_pools {		/* pkt.c: by class of size */
		struct strata_cache *packets[2];
		struct strata_cache *chunks[CHUNK_CLASSES];
	} pkts;
	struct registry *registry;	/* registry.c */
	struct shard *shard;		/* shard.h: among several; NULL: alone */
	struct flow_table *flows;	/* flow.c */
	struct timer_wheel *timers;	/* timer.c */
	struct strata_env env;
	struct gro {			/* gro.c: received packets that wait for more of their flow */
		unsigned int count;
		struct gro_entry {
			struct strata_pkt *pkt;
			uint32_t count;		/* segments in it */
			uint16_t size;		/* payload bytes of each but the last */
		} held[GRO_HELD];		/* the oldest first */
	} gro;

	unsigned int outward;		/* depth at which a readiness callback was called; 0: in none */

	/* The pseudo-instance "kernel", which keeps the kernel's own drops and counters. */
	struct strata_instance self;

	struct mem *mem;		/* mem.c */
	struct loop *loop;		/* loop.c, made at the first watch */
	struct rng *rng;		/* random.c */
	struct trace *trace;		/* trace.c */
	struct iface_table *ifaces;	/* iface.c */
	uint32_t polled;		/* … open ones whose drivers can be polled */
	struct strata_sniffer *sniffers;	/* sniff.c, in the order added */
	struct sniff_walk *sniff_walks;	/* … who walks over them now */
	struct addr_table *addrs;	/* addr.c */
	struct group_table *groups;	/* group.c */
	struct route_table *routes;	/* route.c */
	struct neigh_table *neighs;	/* neigh.c */
	struct port_table *ports;	/* port.c */
	struct socket_table *sockets;	/* socket.c */
	struct strata_socket_extra *stamping;	/* report.c: of sockets that wait for packets to leave */
	uint32_t stamp_last;		/* … the last number given to one */

	struct commons {		/* common.c; several have the group's */
		pthread_mutex_t lock;
		struct common *first;
	} commons;

	uint32_t neighs_gone;		/* neigh.c: entries that have left the table */
	struct way_known {		/* dst.c: good while neither the generation nor that count changes */
		struct strata_addr to, from, src;	/* as asked for; as chosen */
		struct strata_iface *bound;
		struct strata_dst dst;	/* its neighbour is the table's; network NULL: nothing is known */
		uint32_t neighs_gone;
	} ways[WAYS_KNOWN];

	uint64_t made;			/* when, by the stack's clock */
	struct origin *origin;		/* origin.c */
	char *run_dir;
	struct stack_settings {		/* `stack:` of the manifest */
		char name[64];
		uint64_t memory;	/* cap in bytes; 0: none */
		uint64_t sockets;	/* most sockets */
		uint64_t shards;	/* stacks made of the manifest */
		uint64_t shard_ring;	/* bytes on their way from one to another */
		uint64_t busy_poll;	/* ns that the loop asks devices for before it sleeps; 0: none */
		uint64_t adaptive_poll;	/* … only as long as its waits are that short */
		uint8_t log_level;	/* of the kernel and of modules without their own */
		bool gro;		/* what comes in is joined to super-packets */
	} settings;
};

static inline struct kernel *kernel_of(const struct strata_stack *stack)
{
	return (struct kernel *)(uintptr_t)stack;
}

/* Has the transport sockets of that type? */
static inline bool transport_fits(const struct strata_instance *t, int type)
{
	const struct strata_transport_ops *ops = t->module->transport;

	return ops->socket_size > 0 && ops->type == type;
}

/* Adds the faults of `from`, which becomes empty; `to` NULL: nobody wants them (error.c). */
void error_move(struct strata_error *to, struct strata_error *from);

/* ---- entries (work.c) ---- */

/* A packet with a stamp goes to its driver: the socket that waits for it is told (report.c). */
void socket_stamp_leaves(struct kernel *k, struct strata_pkt *pkt);

/* Every public function that may send, receive or fire begins and ends with these. The outermost one
 * refreshes the time from the environment's clock (if it has one) and, at its end, runs deferred
 * work and flushes the interfaces until nothing is left. */
void kernel_enter(struct kernel *k);
void kernel_leave(struct kernel *k);
/* Moves the time forward; an earlier time is ignored. */
void kernel_set_now(struct kernel *k, uint64_t now);
int work_init(struct kernel *k);
void work_fini(struct kernel *k);

/* ---- memory, packets, time, chance (mem.c pkt.c timer.c random.c) ---- */

int mem_init(struct kernel *k);		/* first of all; the cap is settings.memory */
void mem_fini(struct kernel *k);	/* last; asserts that nothing is left when built for tests */
/* From here on memory that a burst needed is given back once it is over; needs timers. */
int mem_rest_init(struct kernel *k);
void mem_rest_fini(struct kernel *k);
char *kernel_strdup(struct kernel *k, const char *s);
int pkt_init(struct kernel *k);
void pkt_fini(struct kernel *k);
int timer_init(struct kernel *k);
void timer_fini(struct kernel *k);
uint64_t timer_next(struct kernel *k);	/* absolute ns or STRATA_NEVER */
void timer_run(struct kernel *k);	/* fires all due at k->pub.now */
int random_init(struct kernel *k);	/* -errno when the source fails */
void random_fini(struct kernel *k);
void random_key(struct kernel *k, struct strata_hash_key *key);

/* Takes what is unset from strata_env_system(), but for the clocks (env.c). */
void env_complete(struct strata_env *env);
/* One line to the environment's log. Returns false when it is known to be lost: the host's standard error is
 * full, or its reader has stopped. */
bool env_log(const struct strata_env *env, enum strata_log_level level, const char *module,
	     const char *line);

/* ---- common.c ---- */

void commons_init(struct commons *commons);
void commons_fini(struct commons *commons);
int common_init(struct kernel *k);
void common_fini(struct kernel *k);

/* ---- loop (loop.c), trace and log (trace.c log.c) ---- */

void loop_fini(struct kernel *k);
int trace_init(struct kernel *k);
void trace_fini(struct kernel *k);
/* Sizes the pseudo-instance's tables from kernel_drops.def. */
int drop_init(struct kernel *k);
void drop_fini(struct kernel *k);

/* Reasons of the kernel itself. */
enum kernel_drop {
#define X(symbol, text, severity, mib) KERNEL_DROP_##symbol,
#include "kernel_drops.def"
#undef X
	KERNEL_DROPS,
};

/* Counters of the kernel itself. */
enum kernel_counter {
#define X(symbol, name, help, mib) KERNEL_COUNT_##symbol,
#include "kernel_counters.def"
#undef X
	KERNEL_COUNTERS,
};

/* ---- interfaces, addresses, routes, neighbours (iface*.c addr.c group.c route.c neigh.c) ---- */

int iface_init(struct kernel *k);
void iface_fini(struct kernel *k);	/* closes those still open, frees all */
/* What the manifest says of an interface. */
struct iface_spec {
	const char *name;
	struct strata_instance *driver;
	void *config;			/* filled options, strata_alloc'ed; the interface, once made, takes it over */
	uint32_t mtu;			/* 0: the driver's default */
	const char *mac;		/* NULL: random */
};
/* Makes the interface without opening it: validates name, mtu, mac, options; finds the framing. */
int iface_create(struct kernel *k, const struct iface_spec *spec, struct strata_iface **out,
		 struct strata_error *error);
int iface_open(struct strata_iface *iface, struct strata_error *error);
void iface_close(struct strata_iface *iface);
void iface_destroy(struct strata_iface *iface);
/* Flushes drivers that were given packets in this batch. Returns whether there were any. */
bool iface_flush(struct kernel *k);
/* Queues all work that waits for a device: a way may have changed. */
void iface_wake_waiting(struct kernel *k);
/* Polls the drivers that can be. Returns frames taken. */
unsigned int iface_poll(struct kernel *k);

int addr_init(struct kernel *k);
void addr_fini(struct kernel *k);
/* A network module came or is about to go: its address operations, bindings of its family. */
void addr_ops_changed(struct kernel *k);
int group_init(struct kernel *k);
void group_fini(struct kernel *k);
int route_init(struct kernel *k);
void route_fini(struct kernel *k);
void route_iface_removed(struct kernel *k, struct strata_iface *iface);
int neigh_init(struct kernel *k);
void neigh_fini(struct kernel *k);
void neigh_iface_down(struct kernel *k, struct strata_iface *iface);
/* Forgets what was learnt for a family (its resolver goes): all but PERMANENT entries. */
void neigh_family_gone(struct kernel *k, uint16_t family);

/* Cuts `pkt` (seg_type set) into packets of at most seg_size payload, checksums completed; appends them
 * to `out`. Consumes. Returns 0 or -errno (segment.c). */
int segment_enqueue(struct strata_iface *iface, struct strata_pkt *pkt, struct strata_pkt_queue *out);

/* ---- flows, ports, sockets (flow.c port.c socket.c) ---- */

int flow_init(struct kernel *k);
void flow_fini(struct kernel *k);
int port_init(struct kernel *k);
void port_fini(struct kernel *k);
int socket_init(struct kernel *k);
void socket_fini(struct kernel *k);
/* The transport instance is about to stop: closes (resets) its sockets with ENETDOWN, tells owners. */
void socket_transport_gone(struct kernel *k, struct strata_instance *transport);
/* The same for a network module: every socket of its family. */
void socket_network_gone(struct kernel *k, struct strata_instance *network);
/* A congestion module is about to be freed: no flow keeps its pointer. */
void socket_algorithm_gone(struct kernel *k, struct strata_instance *algorithm);
/* Everything that talks to a peer ends in good order once it has sent what it has. */
void socket_drain(struct kernel *k);
/* An address went: sockets bound to it end with `error`. */
void socket_address_gone(struct kernel *k, const struct strata_addr *addr, int error);
/* An interface is about to be freed: sockets bound to it end with `error`, groups on it are left, nothing
 * keeps its pointer. */
void socket_iface_gone(struct kernel *k, struct strata_iface *iface, int error);

/* ---- modules and the manifest (registry.c manifest.c loader.c option.c stack.c) ---- */

int registry_init(struct kernel *k);
void registry_fini(struct kernel *k);
/* Running instance bound to a number, constant cost: the packet path's look-up. */
struct strata_instance *registry_network(struct kernel *k, uint16_t number);
struct strata_instance *registry_transport(struct kernel *k, uint8_t number);
/* Walks the bound instances of a kind in order of start; NULL begins and ends. All modules of a manifest
 * are bound before the first is started, and each until it is disabled. */
struct strata_instance *registry_next(struct kernel *k, enum strata_kind kind,
				      const struct strata_instance *after);
/* The bound transport that calls itself the default for sockets of `type`, where no protocol is named; NULL: none. */
struct strata_instance *registry_default_transport(struct kernel *k, int type);
/* Tells every module's instance whether somebody listens to its steps. */
void registry_set_traced(struct kernel *k, bool traced);

#endif
