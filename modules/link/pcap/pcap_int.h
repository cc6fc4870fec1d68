/* SPDX-License-Identifier: BSD-2-Clause */
/* The rooms of the pcap driver: what its files promise each other. Its names begin with replay_: libpcap has
 * the others. */
#ifndef PCAP_INT_H
#define PCAP_INT_H

#include <pcap/pcap.h>
#include <strata/iface.h>

/** Headroom of received packets: the network header lands on a multiple of 16 behind a 14-byte link
 *  header, and a reply or a forwarded packet may get a link header of up to 34 bytes more. */
#define REPLAY_HEADROOM 34
#define REPLAY_LINEAR (STRATA_PKT_LARGE - REPLAY_HEADROOM)
#define REPLAY_LINK_HEADER 14
/** Largest frame: a packet with its link header and two tags. */
#define REPLAY_FRAME_MAX (STRATA_PKT_MAX + REPLAY_LINK_HEADER + 8)

/** `speed: max`. */
#define REPLAY_MAX 0
/** Parts of `speed: realtime`. */
#define REPLAY_REALTIME UINT64_C(1000000)

/** What becomes of the checksums of packets that are read. */
enum replay_checksum {
	REPLAY_CHECKSUM_VERIFY,
	REPLAY_CHECKSUM_TRUST,
	REPLAY_CHECKSUMS,
};

/** Options of an interface. */
struct replay_config {
	const char *read, *write;	/* NULL: none */
	uint32_t checksum;		/* enum replay_checksum */
	const char *speed;
	uint64_t loop;			/* rounds; 0: for ever */
	uint64_t linger;		/* ns */
};

struct replay {
	struct strata_iface *iface;
	pcap_t *in;			/* NULL: nothing to read, or no more */
	pcap_t *shape;			/* what `out` is made of */
	pcap_dumper_t *out;		/* NULL: nothing is written, or no more */
	uint64_t speed;			/* millionths of the file's pace, or REPLAY_MAX */
	uint64_t round;			/* from 1 */
	uint64_t packets;		/* read in this round */
	uint64_t start;			/* stack time of the round's first packet */
	uint64_t first;			/* its time in the file */
	const struct pcap_pkthdr *header;	/* of the packet in hand; NULL: none */
	const u_char *bytes;
	struct strata_timer timer;	/* the next packet, or the end of `linger` */
	struct strata_pkt *scrap;	/* shows the head of frames that never become a packet */
};

enum replay_counter {
	REPLAY_COUNTER_READ,
	REPLAY_COUNTER_ROUNDS,
	REPLAY_COUNTER_WRITTEN,
	REPLAY_COUNTERS,
};

enum replay_drop {
#define X(symbol, text, severity, mib) REPLAY_DROP_##symbol,
#include "pcap_drops.def"
#undef X
	REPLAY_DROPS,
};

/* ---- pcap_file.c ---- */

/** Parses `speed`. Returns false when it is none. */
bool replay_speed_parse(const char *text, uint64_t *out);
/** Stack time from `elapsed` ns of the file's. */
uint64_t replay_scale(uint64_t elapsed, uint64_t speed);
/** Opens the file to be read. Returns 0 or -errno with a sentence. */
int replay_open_in(struct replay *replay, struct strata_error *error);
void replay_close_in(struct replay *replay);
/** Takes the next packet in hand. Returns 1, 0 at the end of the file, or -EIO: the file is broken there, and
 *  the log has it. */
int replay_next(struct replay *replay);
/** Opens the file to be written. Returns 0 or -errno with a sentence. */
int replay_open_out(struct replay *replay, struct strata_error *error);
void replay_close_out(struct replay *replay);
/** Writes a frame. Returns 0 or -EIO: then the log has it, and no more is written. Borrows. */
int replay_write(struct replay *replay, const struct strata_pkt *pkt);
/** Hands what was written to the host. */
void replay_flush(struct replay *replay);

static inline const struct replay_config *replay_config(const struct replay *replay)
{
	return replay->iface->config;
}

#endif
