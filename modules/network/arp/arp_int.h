/* SPDX-License-Identifier: BSD-2-Clause */
/* The inside of arp: the packet (RFC 826), the claims on own addresses (RFC 5227),
 * configuration. */
#ifndef ARP_INT_H
#define ARP_INT_H

#include <strata/iface.h>
#include <strata/inet4.h>
#include <strata/network.h>
#include <strata/trace.h>

enum arp_drop {
#define X(symbol, text, severity, mib) ARP_DROP_##symbol,
#include "arp_drops.def"
#undef X
	ARP_DROPS,
};

enum arp_counter {
#define X(symbol, name, help, mib) ARP_##symbol,
#include "arp_counters.def"
#undef X
	ARP_COUNTERS,
};

/* What an unsolicited packet does to a neighbour known to be reachable under another link
 * address. */
enum arp_unsolicited {
	ARP_UNSOLICITED_VERIFY,	/* the neighbour is asked again */
	ARP_UNSOLICITED_ACCEPT,	/* it is replaced, as RFC 826 has it */
};

/* RFC 5227 2.4: what is done when another host uses an own address. */
enum arp_defend {
	ARP_DEFEND_ALWAYS,	/* (c) */
	ARP_DEFEND_ONCE,	/* (b) */
	ARP_DEFEND_YIELD,	/* (a) */
};

struct arp_config {
	bool probe, announce;
	uint32_t unsolicited, defend;
	struct strata_list statics;
};

/* An address given by hand in `static:`. */
struct arp_static {
	struct strata_addr addr;
	struct strata_lladdr lladdr;
};

enum arp_phase {
	ARP_IDLE,		/* held, or waiting for its interface */
	ARP_PROBE,
	ARP_WAIT,		/* all probes sent, ANNOUNCE_WAIT running */
	ARP_ANNOUNCE,
};

/* One own address and how far its claim has come. The interface's address is looked up anew each
 * time, so that nothing here can dangle. */
struct arp_claim {
	struct arp_claim *next;
	struct strata_instance *self;
	struct strata_iface *iface;
	struct strata_addr addr;
	enum arp_phase phase;
	unsigned int sent;		/* packets sent in this phase */
	uint64_t defended_until;	/* end of DEFEND_INTERVAL after the last conflict; 0: none yet */
	struct strata_timer timer;
};

struct arp_state {
	struct arp_claim *claims;
	struct arp_static *statics;
	size_t static_count;
};

/* A packet in host order. */
struct arp_packet {
	uint16_t operation;
	struct strata_lladdr sha, tha;	/* sender and target hardware address */
	struct strata_addr spa, tpa;	/* sender and target protocol address */
};

/* What a packet says, for the trace, whose text is a sentence. */
#define ARP_FIELDS(packet) \
	STRATA_SAID(STRATA_FIELD_UINT("operation", (packet)->operation), \
		    STRATA_FIELD_LLADDR("sender_mac", &(packet)->sha), \
		    STRATA_FIELD_ADDR("sender", &(packet)->spa), \
		    STRATA_FIELD_LLADDR("target_mac", &(packet)->tha), \
		    STRATA_FIELD_ADDR("target", &(packet)->tpa))

#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ARP_HARDWARE_SIZE 6
#define ARP_PACKET_SIZE (8 + 2 * ARP_HARDWARE_SIZE + 2 * STRATA_INET4_LENGTH)

/* Reads and checks the fields. Returns 0, or -1 with the reason to drop the packet. */
int arp_parse(struct strata_pkt *pkt, struct arp_packet *out, unsigned int *reason);
/* Sends a packet to the link address `to`. Our hardware address is the sender's; an any `spa`
 * makes a probe, `tha` NULL is written as zeros. Returns 0 or -errno. */
int arp_send(struct strata_instance *self, struct strata_iface *iface, uint16_t operation,
	     const struct strata_addr *spa, const struct strata_lladdr *tha,
	     const struct strata_addr *tpa, const struct strata_lladdr *to);
/* Does the interface have link addresses that ARP resolves? */
bool arp_usable(const struct strata_iface *iface);

/* Begins to hold an address; one that is held already is left alone. */
void arp_claim_add(struct strata_instance *self, struct strata_ifaddr *ifaddr);
void arp_claim_remove(struct strata_instance *self, struct strata_iface *iface,
		      const struct strata_addr *addr);
void arp_claim_remove_all(struct strata_instance *self);
/* The interface began or ceased to run: all of its claims start over, or stop. */
void arp_claim_iface(struct strata_instance *self, struct strata_iface *iface, bool running);
/* Does `packet` contest an own address? Then the conflict has been dealt with. */
bool arp_claim_contested(struct strata_instance *self, struct strata_iface *iface,
			 const struct arp_packet *packet);

#endif
