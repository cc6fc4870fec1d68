/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The simulator: any number of stacks, made of the very modules that the daemon loads, joined by
 * imperfect links under one virtual clock, all from one seed. The same seed gives the same run, frame
 * by frame. strata-sim(7) is the guide.
 *
 *	struct strata_sim *sim = strata_sim_create(&(struct strata_sim_config){ .seed = 7 });
 *	struct strata_sim_host *a = strata_sim_host(sim, &(struct strata_sim_host_config){
 *		.name = "a", .address = "192.0.2.1/24" });
 *	struct strata_sim_host *b = strata_sim_host(sim, &(struct strata_sim_host_config){
 *		.name = "b", .address = "192.0.2.2/24" });
 *	strata_sim_link(sim, strata_sim_port(a), strata_sim_port(b),
 *		&(struct strata_impairment){ .delay = 20 * STRATA_MS, .loss = STRATA_PERCENT(5) });
 *	strata_sim_settle(sim);
 *	strata_sim_flow(sim, &(struct strata_sim_flow_config){ .client = a, .server = b, .forth = 1 << 20 });
 *	strata_sim_run_flows(sim, 60 * STRATA_SEC);
 *	return strata_sim_destroy(sim);
 *
 * What goes wrong is a fault of the simulation: strata_sim_fault() tells one, the first ends every
 * run, and strata_sim_destroy() tells whether there was one.
 */
#ifndef STRATA_SIM_H
#define STRATA_SIM_H

#include <strata/embed.h>
#include <strata/impair.h>

STRATA_BEGIN_DECLS

struct strata_sim;
struct strata_sim_host;
struct strata_sim_switch;
struct strata_sim_link;
struct strata_sim_flow;

/* ---- the world ---- */

/** What a simulation is made from. Zeroed fields take their defaults. */
struct strata_sim_config {
	uint64_t seed;		/**< 0: 1 */
	uint64_t start;		/**< virtual time of creation, ns; 0: 1,000,000 s */
	const char *module_path;	/**< as in struct strata_config */
	/** Writes <record>.txt, a line for each frame and what became of it, and <record>.pcapng, what
	 *  each end of each link sends and receives. NULL: neither. */
	const char *record;
	bool verbose;		/**< the stacks' log goes to standard error */
	/** Hosts send packets of up to 64 KiB, which the links cut as devices do, and get in one batch what
	 *  arrives at one time, so that they join it again. Of hosts with manifests of their own, wire
	 *  interfaces with `offload: true` send such packets. */
	bool super;
};

/** NULL when memory is short or a record cannot be opened (told on standard error). */
STRATA_API struct strata_sim *strata_sim_create(const struct strata_sim_config *config);
/** Destroys all: flows, links, stacks. A stack that keeps memory is a fault. Returns 0, or 1 after a
 *  fault, having told it on standard error. NULL is allowed: 1. */
STRATA_API int strata_sim_destroy(struct strata_sim *sim);
/** Virtual time, ns. Hosts may read other clocks, see strata_sim_clock_jump(). */
STRATA_API uint64_t strata_sim_now(const struct strata_sim *sim);
/** A number drawn from the seed, apart from what links and stacks draw. */
STRATA_API uint64_t strata_sim_random(struct strata_sim *sim);
/** SipHash chained over every frame that was sent or has arrived: time, link, direction, bytes. */
STRATA_API uint64_t strata_sim_hash(const struct strata_sim *sim);
/** Tells a fault; the first one counts, and ends strata_sim_run(). */
STRATA_API void strata_sim_fault(struct strata_sim *sim, const char *format, ...) STRATA_PRINTF(2, 3);
/** The fault, or NULL. */
STRATA_API const char *strata_sim_faulty(const struct strata_sim *sim);
/** Frames that corruption has changed in such a way that every checksum still holds are delivered. By
 *  default they are counted (struct strata_sim_link_stats) and lost, so that a wrong byte is always a
 *  fault of a stack; delivered, wrong bytes are counted and the simulation judges. */
STRATA_API void strata_sim_deliver_collisions(struct strata_sim *sim, bool deliver);
/** A line of the record, for what the simulation itself wants to see there. */
STRATA_API void strata_sim_note(struct strata_sim *sim, const char *format, ...) STRATA_PRINTF(2, 3);

/* ---- time ---- */

/** Passes `ns` of virtual time, or less: until `done` says so, asked after each event (NULL: never), or
 *  a fault. Returns whether it was done; without `done` whether there is no fault. */
STRATA_API bool strata_sim_run(struct strata_sim *sim, uint64_t ns, bool (*done)(void *ctx), void *ctx);
/** Calls `fn` at the absolute virtual time `when`, or at once in the next run where that has passed.
 *  It may do anything but run or destroy the simulation. */
STRATA_API void strata_sim_at(struct strata_sim *sim, uint64_t when, void (*fn)(void *arg), void *arg);
/** Passes time until the addresses of all hosts are usable and nothing more is said of them, and makes
 *  hosts that are neighbours on a link or by switches know each other for good. Then the links' faults
 *  begin: until here no frame is impaired. Call once, when all is joined. */
STRATA_API void strata_sim_settle(struct strata_sim *sim);

/* ---- hosts ---- */

struct strata_sim_host_config {
	const char *name;	/**< for people; NULL: "host1" and so on */
	/** Its manifest; every `wire` interface without `peer` can be joined to a link. NULL: one is written
	 *  from what follows, with one Ethernet wire "w0". */
	const char *manifest;
	const char *address;	/**< "192.0.2.1/24" */
	const char *modules;	/**< beside wire; NULL: "ethernet arp ipv4 icmp udp newreno tcp" */
	const char *options;	/**< of modules: "tcp.mss=500 ipv4.ttl=3" */
	const char *interface;	/**< further lines of w0's entry, indented by four, each with its newline */
	uint32_t mtu;		/**< 0: the driver's default */
	bool bare;		/**< w0 carries bare IP packets */
	int64_t clock_offset;	/**< its clock against the virtual time, ns */
};

/** A stack of its own. NULL is a fault, told with every fault of the manifest. */
STRATA_API struct strata_sim_host *strata_sim_host(struct strata_sim *sim,
						   const struct strata_sim_host_config *config);
STRATA_API struct strata_stack *strata_sim_stack(struct strata_sim_host *host);
STRATA_API const char *strata_sim_host_name(const struct strata_sim_host *host);
/** Bytes and blocks that the stack holds now. */
STRATA_API size_t strata_sim_memory(const struct strata_sim_host *host, size_t *blocks);
/** Value of a counter or, failing that, a drop reason (lower case) of a module; a fault and 0 where
 *  there is none of that name. */
STRATA_API uint64_t strata_sim_counter(struct strata_sim_host *host, const char *module,
				       const char *counter);
/** Sets the host's clock forward or back at once. Stacks read a clock that went back as standing. */
STRATA_API void strata_sim_clock_jump(struct strata_sim_host *host, int64_t ns);
/** The host's clock stands for `ns`, then goes on from where it stood. */
STRATA_API void strata_sim_clock_stop(struct strata_sim_host *host, uint64_t ns);

/* ---- links ---- */

/** An end of a link: a wire interface of a host, or any port of a switch. */
struct strata_sim_port {
	struct strata_sim_host *host;	/**< NULL: */
	struct strata_sim_switch *sw;
	struct strata_iface *iface;	/**< of the host */
};

/** The host's first wire interface. */
STRATA_API struct strata_sim_port strata_sim_port(struct strata_sim_host *host);
/** The host's interface of that name. */
STRATA_API struct strata_sim_port strata_sim_port_named(struct strata_sim_host *host, const char *name);
/** A learning Ethernet switch without a delay of its own: with several links at it, a shared segment; two
 *  of them with a slow link between, a bottleneck. Each link there is another port. */
STRATA_API struct strata_sim_switch *strata_sim_switch(struct strata_sim *sim);
STRATA_API struct strata_sim_port strata_sim_switch_port(struct strata_sim_switch *sw);

/** Joins two ports, impaired both ways by `how` (NULL: perfect). */
STRATA_API struct strata_sim_link *strata_sim_link(struct strata_sim *sim, struct strata_sim_port a,
						   struct strata_sim_port b,
						   const struct strata_impairment *how);

enum strata_sim_direction {
	STRATA_SIM_FORTH = 1,	/**< from a to b */
	STRATA_SIM_BACK = 2,
	STRATA_SIM_BOTH = 3,
};
/** Impairs frames that are sent from now on in other ways. */
STRATA_API void strata_sim_link_set(struct strata_sim_link *link, enum strata_sim_direction which,
				    const struct strata_impairment *how);
/** The same at an absolute virtual time. */
STRATA_API void strata_sim_link_set_at(struct strata_sim_link *link, enum strata_sim_direction which,
				       uint64_t when, const struct strata_impairment *how);
/** Loses everything sent in [from, until), absolute virtual times. One such span a direction. */
STRATA_API void strata_sim_link_dark(struct strata_sim_link *link, enum strata_sim_direction which,
				     uint64_t from, uint64_t until);
/** Answers packets that the impairment's MTU is too small for, as a router would (RFC 792, RFC 1191):
 *  "fragmentation needed" to the sender. Otherwise, and without DF, they vanish. */
STRATA_API void strata_sim_link_report_mtu(struct strata_sim_link *link, bool report);
/** Asks `filter` about each frame before all else; false loses it. NULL: none. */
STRATA_API void strata_sim_link_filter(struct strata_sim_link *link, enum strata_sim_direction which,
				       bool (*filter)(void *ctx, uint64_t now, const void *frame,
						      size_t length), void *ctx);

/** What became of the frames of one direction. */
struct strata_sim_link_stats {
	uint64_t sent, sent_bytes;
	uint64_t lost;		/**< by chance, in bursts too */
	uint64_t dark, filtered, queue_full, too_big;
	uint64_t duplicated, reordered, corrupted, truncated, marked;
	/** Corrupted frames that a receiver could not know for such: every checksum held. Lost, unless
	 *  the simulation delivers them. */
	uint64_t collisions;
	uint64_t arrived, arrived_bytes;
};
STRATA_API const struct strata_sim_link_stats *
strata_sim_link_stats(const struct strata_sim_link *link, enum strata_sim_direction which);

/* ---- flows ---- */

/** A connection whose bytes both ways tell their positions: each end compares what it reads. */
struct strata_sim_flow_config {
	struct strata_sim_host *client, *server;
	uint16_t port;		/**< of the server; 0: 5000. A listener for it is made once a host */
	uint64_t forth, back;	/**< bytes from the client to the server, and back */
	uint32_t most;		/**< largest single send or recv, sizes are drawn; 0: 16384, each full */
	bool keep;		/**< nobody shuts or closes: the connection stays, the flow never ends */
	/** Sets socket options: of the client before it connects, of the server once accepted. */
	void (*prepare)(struct strata_stack *stack, int s, bool server, void *ctx);
	/** The flow has ended, in order or with an error; its sockets are closed. May start another. */
	void (*ended)(struct strata_sim_flow *flow, void *ctx);
	void *ctx;
};

struct strata_sim_flow_end {
	int s;			/**< socket, -1: none */
	uint64_t sent, received;	/**< bytes taken by send, given by recv */
	bool shut, eof;		/**< this end has shut its side; the other's end was read */
	int error;		/**< errno that ended it; 0: none */
};

struct strata_sim_flow_stats {
	uint64_t number;	/**< from 1, in the order made */
	uint64_t started, connected, accepted;	/**< virtual times; 0: not yet */
	uint64_t ended;
	struct strata_sim_flow_end client, server;
};

/** Starts a flow. NULL is a fault. Belongs to the simulation; once ended it is freed when its `ended` has
 *  returned, and its figures are in strata_sim_totals(). */
STRATA_API struct strata_sim_flow *strata_sim_flow(struct strata_sim *sim,
						   const struct strata_sim_flow_config *config);
STRATA_API const struct strata_sim_flow_stats *strata_sim_flow_stats(const struct strata_sim_flow *flow);

struct strata_sim_totals {
	uint64_t flows;		/**< started */
	uint64_t completed;	/**< every byte arrived once and in order, then the end, both ways */
	uint64_t failed;	/**< ended by an error */
	uint64_t strays;	/**< accepted connections that no flow had opened */
	uint64_t wrong;		/**< bytes that were not what their position wants */
	uint64_t bytes;		/**< read and right */
	uint64_t longest;	/**< ns that the slowest completed flow took */
};
STRATA_API const struct strata_sim_totals *strata_sim_totals(const struct strata_sim *sim);
/** Runs until every flow has ended, at most `ns`; flows that then have not, or failed, are a fault each
 *  and so are wrong bytes. Returns whether there is none. */
STRATA_API bool strata_sim_run_flows(struct strata_sim *sim, uint64_t ns);

/** The byte of a stream of that key at a position, and a run of them. */
STRATA_API uint8_t strata_sim_stream_byte(uint64_t key, uint64_t position);
STRATA_API void strata_sim_stream(uint64_t key, uint64_t position, void *buf, size_t length);

/* ---- programs ---- */

struct strata_sim_case {
	const char *name;
	/** Builds, runs, and checks; tells faults. `scale` is what the command line asks for, in per cent. */
	void (*run)(struct strata_sim *sim, unsigned int scale);
	unsigned int seeds;	/**< runs with the seeds 1 to this; 0: 1 */
};

/** A main(): runs the cases, NULL-terminated by name, each with its seeds. A case that has a fault is run
 *  again with its seed, writing text trace and pcapng file, and the command that replays it is printed.
 *  Options: --case NAME, --seed N, --seeds N, --scale PERCENT, --record PREFIX, --hash, --list,
 *  --module-path PATH, --verbose. Returns the exit status. */
STRATA_API int strata_sim_main(int argc, char **argv, const struct strata_sim_case *cases);

STRATA_END_DECLS
#endif
