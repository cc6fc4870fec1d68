/* SPDX-License-Identifier: BSD-2-Clause */
/* Blocks of pcapng files: draft-ietf-opsawg-pcapng, sections 3.1 (blocks), 3.5 (options) and 4. */
#include "pcapng.h"

#include <string.h>

enum block {
	SECTION_HEADER = 0x0a0d0d0a,
	INTERFACE_DESCRIPTION = 1,
	INTERFACE_STATISTICS = 5,
	ENHANCED_PACKET = 6,
};

#define ORDER_MAGIC 0x1a2b3c4d
#define VERSION_MAJOR 1
#define VERSION_MINOR 0
/* Units of 10^-9 s. */
#define RESOLUTION_NS 9
#define MAC_SIZE 6

/* An option's code means what the block it is in says. */
enum option {
	OPT_END = 0, OPT_COMMENT = 1,
	SHB_OS = 3, SHB_USERAPPL = 4,
	IF_NAME = 2, IF_MAC = 6, IF_TSRESOL = 9, IF_FILTER = 11,
	EPB_FLAGS = 2, EPB_DROPCOUNT = 4, EPB_PACKETID = 5,
	ISB_STARTTIME = 2, ISB_ENDTIME = 3, ISB_IFRECV = 4, ISB_IFDROP = 5, ISB_FILTERACCEPT = 6,
	ISB_USRDELIV = 8,
};

/* Section 4.3.1: direction, the two lowest bits of the flags. */
#define INBOUND 1
#define OUTBOUND 2
/* Section 4.2: if_filter begins with what kind of filter it is. */
#define FILTER_IS_TEXT 0

/* Room for `n` bytes padded to four; NULL: there is none. The padding is zero. */
static uint8_t *reserve(struct pcapng *to, size_t n)
{
	const size_t padded = (n + 3) / 4 * 4;
	uint8_t *at = to->bytes + to->length;

	if (to->full || padded > to->room - to->length) {
		to->full = true;
		return NULL;
	}
	memset(at + n, 0, padded - n);
	to->length += padded;
	return at;
}

static void put(struct pcapng *to, const void *bytes, size_t n)
{
	uint8_t *at = reserve(to, n);

	if (at != NULL && n != 0)
		memcpy(at, bytes, n);
}

static void put32(struct pcapng *to, uint32_t value)
{
	put(to, &value, sizeof(value));
}

static void put16s(struct pcapng *to, uint16_t a, uint16_t b)
{
	const uint16_t both[2] = { a, b };

	put(to, both, sizeof(both));
}

/* Section 4.3: a time is two words, the upper first, in whatever byte order. */
static void put_time(struct pcapng *to, uint64_t time)
{
	put32(to, (uint32_t)(time >> 32));
	put32(to, (uint32_t)time);
}

static void put_option(struct pcapng *to, enum option code, const void *bytes, size_t n)
{
	put16s(to, (uint16_t)code, (uint16_t)n);
	put(to, bytes, n);
}

static void put_text(struct pcapng *to, enum option code, const char *text)
{
	size_t n;

	if (text == NULL)
		return;
	n = strlen(text);
	put_option(to, code, text, n < UINT16_MAX ? n : UINT16_MAX);
}

static void put_count(struct pcapng *to, enum option code, uint64_t value)
{
	put_option(to, code, &value, sizeof(value));
}

static void put_time_option(struct pcapng *to, enum option code, uint64_t time)
{
	put16s(to, (uint16_t)code, 8);
	put_time(to, time);
}

static void begin(struct pcapng *to, enum block type)
{
	to->block = to->length;
	put32(to, type);
	put32(to, 0);	/* the total length, known at the end, where it stands again */
}

static void finish(struct pcapng *to)
{
	uint32_t total;

	put_option(to, OPT_END, NULL, 0);
	total = (uint32_t)(to->length - to->block + sizeof(total));
	put32(to, total);
	if (!to->full)
		memcpy(to->bytes + to->block + 4, &total, sizeof(total));
}

void pcapng_section(struct pcapng *to, const char *os, const char *application)
{
	begin(to, SECTION_HEADER);
	put32(to, ORDER_MAGIC);
	put16s(to, VERSION_MAJOR, VERSION_MINOR);
	put32(to, UINT32_MAX);	/* length of the section: not told */
	put32(to, UINT32_MAX);
	put_text(to, SHB_OS, os);
	put_text(to, SHB_USERAPPL, application);
	finish(to);
}

/* Section 4.2: a byte for the kind, then the text. */
static void put_filter(struct pcapng *to, const char *text)
{
	const size_t n = strlen(text);
	uint8_t *at;

	if (n + 1 > UINT16_MAX)
		return;
	put16s(to, IF_FILTER, (uint16_t)(n + 1));
	at = reserve(to, n + 1);
	if (at == NULL)
		return;
	at[0] = FILTER_IS_TEXT;
	memcpy(at + 1, text, n);
}

void pcapng_interface(struct pcapng *to, const struct pcapng_interface *interface)
{
	const uint8_t resolution = RESOLUTION_NS;

	begin(to, INTERFACE_DESCRIPTION);
	put16s(to, interface->link_type, 0);
	put32(to, interface->snaplen);
	put_text(to, IF_NAME, interface->name);
	if (interface->mac != NULL)
		put_option(to, IF_MAC, interface->mac, MAC_SIZE);
	put_option(to, IF_TSRESOL, &resolution, sizeof(resolution));
	if (interface->filter != NULL)
		put_filter(to, interface->filter);
	finish(to);
}

uint8_t *pcapng_packet_begin(struct pcapng *to, const struct pcapng_packet *packet)
{
	begin(to, ENHANCED_PACKET);
	put32(to, packet->interface);
	put_time(to, packet->time);
	put32(to, packet->captured);
	put32(to, packet->length);
	return reserve(to, packet->captured);
}

void pcapng_packet_end(struct pcapng *to, const struct pcapng_packet *packet)
{
	const uint32_t flags = packet->out ? OUTBOUND : INBOUND;

	put_text(to, OPT_COMMENT, packet->comment);
	put_option(to, EPB_FLAGS, &flags, sizeof(flags));
	if (packet->lost != 0)
		put_count(to, EPB_DROPCOUNT, packet->lost);
	if (packet->id != 0)
		put_count(to, EPB_PACKETID, packet->id);
	finish(to);
}

void pcapng_statistics(struct pcapng *to, const struct pcapng_statistics *s)
{
	begin(to, INTERFACE_STATISTICS);
	put32(to, s->interface);
	put_time(to, s->time);
	put_time_option(to, ISB_STARTTIME, s->start);
	put_time_option(to, ISB_ENDTIME, s->end);
	put_count(to, ISB_IFRECV, s->received);
	put_count(to, ISB_IFDROP, s->lost);
	put_count(to, ISB_FILTERACCEPT, s->accepted);
	put_count(to, ISB_USRDELIV, s->accepted - s->lost);
	finish(to);
}
