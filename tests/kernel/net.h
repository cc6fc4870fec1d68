/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The upper half of a kernel on a rig: interfaces, addresses, routes and neighbours, over modules that
 * exist nowhere else. Two families that share no number, length or way of resolving with a real one:
 *   "four" 0x9001, 4 bytes, as 192.0.2.1; its neighbours are resolved by "asker" 0x9006;
 *   "wide" 0x9010, 16 bytes, as 32 hex digits; resolves its own neighbours.
 * Transport "thing" is number 200. Drivers: "dev" (framed by "frame"), "bare", "loop".
 */
#ifndef TEST_NET_H
#define TEST_NET_H

#include "rig.h"

#include <errno.h>
#include "iface.h"
#include "registry.h"

#define FOUR 0x9001
#define WIDE 0x9010
#define THING 200
#define FRAME_HEADER 14
#define FOUR_HEADER 16
#define THING_HEADER 12

struct net {
	struct rig rig;			/* first */
	struct kernel *k;
	struct strata_stack *stack;
	struct strata_instance instances[8];
	struct registry registry;	/* the table of transports alone */
	struct strata_iface *one, *two;	/* on "dev", framed, of MTU 1500 */
	struct strata_pkt_queue sent;	/* frames given to drivers */
	struct strata_pkt_queue got;	/* packets given to network modules */
	unsigned int flushes;
	int open_result;		/* what the next open returns */
	uint32_t caps;			/* of devices opened from now on */
	bool cuts_none;			/* the devices cut no packet, whatever their caps say */

	unsigned int asked;		/* solicitations */
	uint8_t asked_state;		/* of the neighbour last asked for */
	struct strata_addr asked_for;
	bool answers;			/* each is answered before it returns */

	unsigned int local_errors;	/* told to the transport */
	struct strata_transport_error last_error;
	unsigned int reports;		/* errors the transport was asked to tell others */

	char events[512];		/* "+addr -addr up down +group -group" in order */
	bool tentative;			/* addresses added from now on are being probed */
	bool ranked;			/* "wide" ranks sources: the highest last byte wins */
};

/* A stack with the modules and the interfaces "one" and "two" open and running. */
void net_open(struct net *net);
/* Destroys the interfaces and asserts that nothing is left. */
void net_close(struct net *net);
/* Time goes on and timers fire. */
void net_run(struct net *net, uint64_t ns);

struct strata_iface *net_iface(struct net *net, const char *driver, const char *name);
/* "192.0.2.1", "20010db8…": the address; dies when it is none. */
struct strata_addr addr(struct net *net, const char *text);
int net_addr(struct net *net, struct strata_iface *iface, const char *prefix);
/* "to" and "via" (NULL: on link). */
int net_route(struct net *net, const char *to, const char *via, struct strata_iface *iface,
	      uint32_t metric);
/* Link address 02:00:00:00:00:n. */
struct strata_lladdr mac(uint8_t n);
/* A packet of family "four" from 192.0.2.1 to `to`, with its header and `payload` patterned bytes. */
struct strata_pkt *net_packet(struct net *net, const char *to, uint32_t payload);
/* The same, a super-packet whose payload is in chunks and whose transport checksum is partial. */
struct strata_pkt *net_super(struct net *net, uint32_t payload, uint16_t seg_size, enum strata_seg type);
/* The next frame given to a driver, or packet given up; the caller's. Dies when there is none. */
struct strata_pkt *net_sent(struct net *net);
struct strata_pkt *net_got(struct net *net);
/* Frees what was captured. */
void net_forget(struct net *net);
/* Who waits for a device, and how often it was woken. */
struct net_waiter {
	struct strata_work work;	/* .run = net_count_run */
	unsigned int runs;
};
void net_count_run(struct strata_stack *stack, struct strata_work *work);
uint64_t net_drops(const struct net *net, enum kernel_drop reason);

#endif
