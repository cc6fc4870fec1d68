/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One stack among several that share a manifest (<strata/shards.h>). Who owns a flow and who holds a port:
 * shard.c; packets from one to another: shard_ring.c; threads: shards.c. Whatever another thread may touch is
 * atomic or in a ring.
 */
#ifndef STRATA_KERNEL_SHARD_H
#define STRATA_KERNEL_SHARD_H

#include <stdatomic.h>
#include <strata/shard.h>
#include <strata/shards.h>
#include "kernel.h"

/* A local port of one transport number: the shards that claim it, and of them those with a flow on it that
 * another shard owns. A bit for each shard. */
struct shard_port {
	_Atomic uint64_t claimed, strays;
};

struct shard_ports {
	struct shard_port port[65536];
};

/* What is on its way from one shard to another: bytes between two counters that only grow. One writes, one
 * reads, each its own counter. */
struct shard_ring {
	_Atomic uint32_t tail;		/* the writer's */
	uint8_t apart[64];		/* of processors that would pass one cache line to and fro */
	_Atomic uint32_t head;		/* the reader's */
	uint8_t *bytes;
};

struct shard {
	struct strata_shards *group;
	struct kernel *k;		/* its thread's, and while all are paused the pauser's */
	unsigned int index;
	struct shard_ring *in;		/* from each other shard, by its index */
	int bell;			/* eventfd; -1: whoever drives the stack looks by himself */
	_Atomic bool rung;		/* the bell has been rung and not been answered */
	struct strata_watch watch;
	uint64_t told;			/* whose bells are to be rung at the end of the batch */
	struct strata_work ring_bells;
	pthread_t thread;
	bool has_thread;
};

struct strata_shards {
	struct strata_env env;
	unsigned int count;
	uint32_t ring_size;		/* bytes, a power of two */
	struct strata_steering steering;	/* the owner's hash */
	struct commons commons;
	_Atomic(struct shard_ports *) ports[256];	/* by transport number; made at the first claim */
	struct shard *shards;

	/* Threads: shards.c. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned int running, parked;	/* under the lock, as the next */
	unsigned int pauses;
	_Atomic bool pausing, stopping;
	_Atomic int failure;
};

static inline struct shard *shard_of(const struct kernel *k)
{
	return k->shard;
}

/* ---- stack.c ---- */

/* As strata_stack_create(), of one shard of several; NULL: alone. */
int stack_create(const struct strata_config *config, struct shard *shard, struct strata_stack **stack,
		 struct strata_error *error);
/* How many shards the manifest wants. Returns 0, or -errno with its faults. */
int stack_shards(const struct strata_config *config, struct stack_settings *settings,
		 struct strata_error *error);

/* ---- shard.c ---- */

/* Of a kernel that is made; alone: nothing to do. */
int shard_init(struct kernel *k);
void shard_fini(struct kernel *k);

/* The shard that owns a flow: the same whichever end is called local. */
unsigned int shard_owner(const struct strata_shards *group, const struct strata_flow_key *key);
/* Whether this shard owns the flow; alone it owns all. */
bool shard_owns(const struct kernel *k, const struct strata_flow_key *key);

/* The port is claimed here, or no longer. */
void shard_port_claimed(struct kernel *k, uint8_t number, uint16_t port, bool claimed);
/* Claims an ephemeral port if no other shard has it. Returns whether. */
bool shard_port_take(struct kernel *k, uint8_t number, uint16_t port);
/* There is a flow here on the port that another shard owns, or no longer is. */
void shard_port_stray(struct kernel *k, uint8_t number, uint16_t port, bool stray);

/* Shards that do not have the flow of something; all: it stays where it is. */
#define SHARD_STAYS UINT64_MAX

/* A transport packet on its way up, of a stack that is not alone: hands it to the shard that it belongs to.
 * Returns true, and has consumed it; false: it belongs here. */
bool shard_steer(struct kernel *k, struct strata_instance *transport, struct strata_pkt *pkt,
		 uint64_t tried);
/* The same of an error. */
bool shard_steer_error(struct kernel *k, struct strata_instance *transport,
		       const struct strata_transport_error *error, uint64_t tried);

/* The link address that the interface has in shard 0, which is paused or not begun yet. Returns false where that
 * has none, or this is shard 0. */
bool shard_lladdr(const struct kernel *k, const char *iface, struct strata_lladdr *out);

/* ---- shard_ring.c ---- */

/* What is handed over: where the other shard goes on with it. */
enum shard_stage {
	SHARD_NETWORK,		/* strata_network_input() */
	SHARD_TRANSPORT,	/* the transport's input */
	SHARD_ERROR,		/* the transport's error */
};

/* Rings of a shard. Returns 0 or -ENOMEM. */
int shard_rings_make(struct shard *shard);
void shard_rings_free(struct shard *shard);
/* Copies a packet into the ring to shard `to`; borrows it. `tried` are the shards that do not have its flow.
 * Returns false when there is no room. */
bool shard_hand(struct kernel *k, unsigned int to, enum shard_stage stage, uint64_t tried,
		const struct strata_pkt *pkt);
bool shard_hand_error(struct kernel *k, unsigned int to, uint64_t tried,
		      const struct strata_transport_error *error);
/* Something has come from another shard. */
bool shard_pending(const struct kernel *k);
/* Works what has come. */
void shard_drain(struct kernel *k);

/* ---- transport.c network.c ---- */

/* strata_transport_input() and strata_transport_error() of what another shard handed over. */
void transport_input_tried(struct kernel *k, struct strata_pkt *pkt, uint64_t tried);
void transport_error_tried(struct kernel *k, const struct strata_transport_error *error,
			   uint64_t tried);

/* ---- shards.c ---- */

/* Wakes the thread of a shard. */
void shard_ring_bell(struct shard *shard);

#endif
