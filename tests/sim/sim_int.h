/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the simulator share among themselves. */
#ifndef SIM_INT_H
#define SIM_INT_H

#include <strata/sim.h>

#include "sim_line.h"

/* The names of the next two are their files'. */
struct sim_record;
struct sim_switch_entry;

struct strata_sim_host {
	struct strata_sim_host *next;
	struct strata_sim *sim;
	char name[32];
	struct strata_stack *stack;
	uint64_t rng;
	size_t blocks, bytes;
	int64_t offset;			/* its clock is the virtual time and this */
	uint64_t stopped_at, goes_at;	/* virtual times between which its clock stands; goes_at 0: it goes */
	struct flow_listener *listeners;
};

struct strata_sim_switch {
	struct strata_sim_switch *next;
	struct strata_sim *sim;
	struct sim_end **ports;
	size_t port_count;
	struct sim_switch_entry *table;
	size_t learnt;
};

/* One end of a link: what it sends goes to the line, what arrives at it comes from the other's. */
struct sim_end {
	struct strata_sim_link *link;
	struct strata_sim_port port;
	int direction;			/* of what it sends: 0 from a, 1 from b */
};

struct sim_direction {
	struct sim_line line;		/* first: lines are told apart by it */
	struct strata_sim_link_stats stats;
	uint64_t dark_from, dark_until;
	bool (*filter)(void *ctx, uint64_t now, const void *frame, size_t length);
	void *filter_ctx;
};

struct strata_sim_link {
	struct strata_sim_link *next;
	struct strata_sim *sim;
	unsigned int number;
	struct sim_end ends[2];
	struct sim_direction directions[2];
	uint32_t header;		/* bytes of link header: 14, or 0 for bare packets */
	bool report_mtu;
	struct sim_change *changes;	/* to come or done */
};

struct strata_sim {
	struct strata_sim_config config;
	uint64_t now;
	uint64_t rng;			/* of the simulation's own draws */
	struct strata_hash_key hash;	/* chained: k[0] is the state */
	char *fault;
	bool faultless;			/* frames are not impaired yet: the hosts settle */
	bool settled;
	bool deliver_collisions;
	struct sim_heap heap;
	struct strata_sim_host *hosts, **hosts_end;
	struct strata_sim_switch *switches;
	struct strata_sim_link *links, **links_end;
	unsigned int host_count, link_count;
	struct flow_set *flows;
	struct sim_record *record;	/* NULL: none */
	uint64_t quiet_since;		/* when the last frame was sent */
};

/* ---- sim.c ---- */

/* What a host reads off its clock. */
uint64_t sim_host_time(const struct strata_sim_host *host);
/* Chains a frame into the hash; `what` tells sent from arrived. */
void sim_hash_frame(struct strata_sim *sim, const struct strata_sim_link *link, int direction,
		    unsigned int what, const void *bytes, size_t length);

/* ---- sim_host.c ---- */

void sim_host_destroy(struct strata_sim_host *host);
/* When the host must be run next, in virtual time. */
uint64_t sim_host_next(struct strata_sim_host *host);
/* The module path of the simulation. */
char *sim_manifest(const struct strata_sim_host_config *config, bool super);

/* ---- sim_link.c ---- */

void sim_link_destroy(struct strata_sim_link *link);
void sim_switch_destroy(struct strata_sim_switch *sw);
/* A frame has come to the end of its line. */
void sim_link_arrived(struct sim_line *line, struct sim_frame *frame);
/* Makes each pair of hosts that reach each other permanent neighbours. */
void sim_link_acquaint(struct strata_sim *sim);

/* ---- sim_packet.c ---- */

enum sim_check {
	SIM_CHECK_GOOD,		/* all checksums hold */
	SIM_CHECK_BAD,		/* one fails, or lengths do not fit: no receiver takes it */
	SIM_CHECK_NONE,		/* nothing that can be checked from this frame alone */
};
/* Whether a receiver would take the frame. `header`: bytes of link header. */
enum sim_check sim_packet_check(const uint8_t *frame, size_t length, uint32_t header);
/* Describes a frame in one line. */
void sim_packet_describe(const uint8_t *frame, size_t length, uint32_t header, char *buf, size_t size);
/* Builds "fragmentation needed" about a frame into `out` (at least 14 + 56 bytes). Returns its length; 0
 * where none may be sent. */
size_t sim_packet_too_big(const uint8_t *frame, size_t length, uint32_t header, uint32_t mtu,
			  uint8_t *out);

/* Does what a device does with a frame that comes with work left to it: completes its checksum, and cuts it.
 * Calls `each` with every frame that goes onto the line. Returns false where it cannot be cut. */
bool sim_packet_cut(const uint8_t *frame, size_t length, uint32_t header,
		    const struct strata_offload *offload,
		    void (*each)(void *ctx, const void *frame, size_t length), void *ctx);

/* ---- sim_record.c ---- */

struct sim_record *sim_record_open(const char *prefix);
void sim_record_close(struct sim_record *record);
/* A link was made: its ends become interfaces of the capture. */
void sim_record_link(struct sim_record *record, const struct strata_sim_link *link);
/* A frame at one end of a link. `comment`: what became of it, NULL: nothing special. */
void sim_record_frame(struct sim_record *record, uint64_t now, const struct sim_end *end, bool out,
		      const void *bytes, size_t length, const char *comment);
void sim_record_note(struct sim_record *record, uint64_t now, const char *text);

/* ---- sim_flow.c ---- */

/* Closes and forgets all flows and listeners. */
void sim_flows_destroy(struct strata_sim *sim);

#endif
