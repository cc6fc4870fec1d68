/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of ipv4: the header in host order, its configuration and its tables. */
#ifndef IPV4_INT_H
#define IPV4_INT_H

#include <strata/iface.h>
#include <strata/inet4.h>
#include <strata/network.h>
#include <strata/trace.h>
#include <strata/transport.h>

enum ipv4_drop {
#define X(symbol, text, severity, mib) IPV4_DROP_##symbol,
#include "ipv4_drops.def"
#undef X
	IPV4_DROPS,
};

enum ipv4_counter {
#define X(symbol, name, help, mib) IPV4_##symbol,
#include "ipv4_counters.def"
#undef X
	IPV4_COUNTERS,
};

#define IPV4_HEADER_SIZE 20
#define IPV4_HEADER_MAX 60
/* RFC 791 3.2: every module must forward 68 bytes unfragmented. */
#define IPV4_MTU_MIN 68
/* RFC 3168 5: the two low bits of the type of service. */
#define IPV4_ECN_MASK 3

struct ipv4_config {
	uint64_t ttl;
	bool accept_source_route;
	uint64_t reassembly_memory, reassembly_source, reassembly_fragments, reassembly_time;
	uint64_t pmtu_floor, pmtu_time, pmtu_entries;
};

/* A header in host order. */
struct ipv4_header {
	uint8_t size;			/* bytes, options included */
	uint8_t tos, ttl, number;
	uint16_t total;
	uint16_t id;
	bool df, mf;
	uint16_t offset;		/* of a fragment, in bytes */
	uint32_t src, dst;
};

/* What the options of a header ask for. */
struct ipv4_options {
	bool source_route;
	bool source_route_ended;	/* its pointer is behind its last address: we are its end */
	uint8_t bad;			/* offset in the header of the byte at fault, when malformed */
};

/* ---- ipv4_wire.c ---- */

/* Reads the options of a header of `size` bytes. Returns 0, or -1 when one is malformed. */
int ipv4_options_parse(const uint8_t *header, unsigned int size, struct ipv4_options *out);
/* Writes a header, checksum included. Options, where `size` tells of any, are there already. */
void ipv4_emit(const struct ipv4_header *h, uint8_t *p);
int ipv4_quote_parse(const uint8_t *bytes, size_t length, struct strata_quote *out);

/* ---- ipv4_table.c: a bounded table by destination, its entries in the order they were touched ---- */

struct ipv4_entry {
	struct ipv4_entry *next;	/* hash chain */
	struct ipv4_entry *newer, *older;
	uint32_t key;			/* destination, in host order */
	union {
		uint16_t id;		/* next identification */
		uint16_t mtu;
	};
	uint64_t expires;		/* with mtu */
	bool narrow;			/* with mtu: the path takes less than the floor */
};

struct ipv4_table {
	struct strata_stack *stack;
	struct strata_hash_key hash_key;
	struct ipv4_entry **buckets;
	uint32_t mask;			/* buckets - 1 */
	uint32_t count, limit;
	struct ipv4_entry *oldest, *newest;
	struct strata_cache *cache;
};

/* Returns 0 or -ENOMEM. `name` is kept. */
int ipv4_table_init(struct ipv4_table *table, struct strata_stack *stack, const char *name,
		    uint32_t limit);
void ipv4_table_fini(struct ipv4_table *table);
struct ipv4_entry *ipv4_table_find(const struct ipv4_table *table, uint32_t key);
/* A new, zeroed entry; the oldest makes room for it, and then `*evicted` becomes true. NULL when
 * memory is short. */
struct ipv4_entry *ipv4_table_add(struct ipv4_table *table, uint32_t key, bool *evicted);
/* Makes it the newest. */
void ipv4_table_touch(struct ipv4_table *table, struct ipv4_entry *entry);
void ipv4_table_remove(struct ipv4_table *table, struct ipv4_entry *entry);

/* ---- ipv4_reass.c ---- */

struct ipv4_reass;
/* Returns 0 or -ENOMEM. */
int ipv4_reass_start(struct strata_instance *self);
void ipv4_reass_stop(struct strata_instance *self);
/* A fragment, pkt->data at its header. Returns the whole datagram (pkt->data at its header, `h`
 * made its header), or NULL: then the fragment is kept or was dropped, and `*verdict` tells.
 * Consumes. */
struct strata_pkt *ipv4_reass_input(struct strata_instance *self, struct strata_pkt *pkt,
				    struct ipv4_header *h, enum strata_verdict *verdict);

/* ---- ipv4_input.c, ipv4_output.c ---- */

enum strata_verdict ipv4_input(struct strata_instance *self, struct strata_iface *iface,
			       struct strata_pkt *pkt);
int ipv4_output(struct strata_instance *self, const struct strata_dst *dst, struct strata_pkt *pkt,
		const struct strata_tx *tx);
void ipv4_segment(struct strata_instance *self, const struct strata_pkt *whole,
		  struct strata_pkt *segment, uint32_t index);
enum strata_alike ipv4_coalesce(struct strata_instance *self, const struct strata_pkt *whole,
				const struct strata_pkt *pkt, uint32_t count);

/* ---- ipv4_trace.c: steps of a packet's walk; only while strata_tracing() ---- */

/* What the header says; `verdict` is what follows from it. */
void ipv4_trace(struct strata_instance *self, struct strata_pkt *pkt, const struct ipv4_header *h,
		const char *verdict) __attribute__((cold));
/* The same of a datagram that came in; `wanted`: it is for this host. */
void ipv4_trace_input(struct strata_instance *self, struct strata_pkt *pkt, const struct ipv4_header *h,
		      bool wanted) __attribute__((cold));

/* ---- ipv4_pmtu.c ---- */

uint32_t ipv4_path_mtu(struct strata_instance *self, const struct strata_addr *to,
		       uint32_t route_mtu);
uint32_t ipv4_path_mtu_learn(struct strata_instance *self, const struct strata_addr *to,
			     uint32_t mtu);
/* Has the path been told to take less than the floor, so that routers must be let fragment? */
bool ipv4_path_narrow(struct strata_instance *self, const struct strata_addr *to);
/* Forgets the oldest path MTUs whose time is over. */
void ipv4_pmtu_fire(struct strata_stack *stack, struct strata_timer *timer);

/* ---- ipv4_sockopt.c ---- */

int ipv4_setsockopt(struct strata_instance *self, struct strata_socket *sock, int name,
		    const void *value, socklen_t length);
int ipv4_getsockopt(struct strata_instance *self, struct strata_socket *sock, int name, void *value,
		    socklen_t *length);
void ipv4_report_put(struct strata_instance *self, const struct strata_report *report, struct msghdr *msg,
		     size_t room);
void ipv4_control_put(struct strata_instance *self, struct strata_socket *sock,
		      const struct strata_pkt *pkt, struct msghdr *msg, size_t room);
int ipv4_control_get(struct strata_instance *self, struct strata_socket *sock,
		     const struct msghdr *msg, struct strata_tx *tx, struct strata_iface **bound);

/* ---- the instance ---- */

/* Local choice: pairs of addresses whose checks are remembered. */
#define IPV4_PAIRS 64

/* Source and destination of a datagram that was for this host alone, in host order. */
struct ipv4_pair {
	const struct strata_iface *iface;	/* it came in on; NULL: none has yet */
	uint32_t src, dst;
	uint32_t generation;		/* of the stack: under another nothing is known */
};

struct ipv4_state {
	struct strata_instance *self;
	struct ipv4_pair pairs[IPV4_PAIRS];	/* by a hash of the addresses */
	struct ipv4_table ids;		/* identification of datagrams that may be fragmented */
	struct ipv4_table paths;	/* path MTUs, oldest learnt first */
	struct strata_timer pmtu_timer;
	struct ipv4_reass *reass;
	struct ipv4_membership *all_hosts;	/* interfaces on which 224.0.0.1 was joined */
};

#endif
