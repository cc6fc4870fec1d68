/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of pcapng files (draft-ietf-opsawg-pcapng, sections 4.1, 4.2, 4.3 and 4.6), put together in memory of
 * the caller's, in this machine's byte order, which a section's first block tells. Times are ns since 1970.
 */
#ifndef PCAPNG_H
#define PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Memory that blocks are appended to. */
struct pcapng {
	uint8_t *bytes;
	size_t room, length;
	bool full;		/* something found no room: what was appended since is useless */
	size_t block;		/* where the block in the making begins */
};

/** Where packets are captured: an Interface Description Block. The n-th of a section is interface n - 1. */
struct pcapng_interface {
	const char *name;
	const char *filter;	/**< text; NULL: none */
	const uint8_t *mac;	/**< six bytes; NULL: none */
	uint16_t link_type;
	uint32_t snaplen;	/**< 0: no limit */
};

/** A packet: an Enhanced Packet Block. */
struct pcapng_packet {
	uint32_t interface;
	uint64_t time;
	uint32_t length;	/**< bytes it had */
	uint32_t captured;	/**< bytes that follow here, at most `length` */
	bool out;		/**< sent; else received */
	uint32_t id;		/**< the same for the same packet on other interfaces; 0: none */
	uint64_t lost;		/**< packets lost between the one before on this interface and this */
	const char *comment;	/**< NULL: none */
};

/** What became of an interface's packets: an Interface Statistics Block. */
struct pcapng_statistics {
	uint32_t interface;
	uint64_t time, start, end;
	uint64_t received;	/**< packets that passed the interface */
	uint64_t accepted;	/**< of them, by the filter */
	uint64_t lost;		/**< of those, lost for want of room */
};

/** Bytes of a packet's block beyond those captured and the comment's, at most. */
#define PCAPNG_PACKET_OVERHEAD 84

/** The block that begins a section: what made it, and on which system; either may be NULL. */
void pcapng_section(struct pcapng *to, const char *os, const char *application);
void pcapng_interface(struct pcapng *to, const struct pcapng_interface *interface);
/** Begins a packet's block. Returns where its captured bytes are to be put; NULL: no room. */
uint8_t *pcapng_packet_begin(struct pcapng *to, const struct pcapng_packet *packet);
/** Ends it: what is told beside the bytes may have come to be known in between. */
void pcapng_packet_end(struct pcapng *to, const struct pcapng_packet *packet);
void pcapng_statistics(struct pcapng *to, const struct pcapng_statistics *statistics);

#endif
