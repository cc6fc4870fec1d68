/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record of a run: a line of text for each frame at each end of a link, and the same as a pcapng
 * file (draft-ietf-opsawg-pcapng, sections 4.1 to 4.3), with what became of a frame as its comment.
 */
#include "sim_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SECTION_HEADER = 0x0a0d0d0a, INTERFACE = 1, ENHANCED_PACKET = 6,
	ORDER_MAGIC = 0x1a2b3c4d,
	LINKTYPE_ETHERNET = 1, LINKTYPE_RAW = 101,
	OPT_END = 0, OPT_COMMENT = 1, OPT_IF_NAME = 2, OPT_IF_TSRESOL = 9, OPT_FLAGS = 2,
	INBOUND = 1, OUTBOUND = 2,
	BLOCK_MOST = 70000, TEXT_MOST = 256,
};

struct sim_record {
	FILE *text, *pcapng;
	uint32_t interfaces;
	uint8_t block[BLOCK_MOST];	/* of the capture, being put together */
	size_t length;
};

/* ---- blocks of the capture: in the byte order of this machine, which the section header tells ---- */

static void put(struct sim_record *record, const void *bytes, size_t n)
{
	if (record->length + n + 4 > sizeof(record->block))
		return;
	memcpy(record->block + record->length, bytes, n);
	record->length += n;
	while (record->length % 4 != 0)
		record->block[record->length++] = 0;
}

static void put32(struct sim_record *record, uint32_t value)
{
	put(record, &value, sizeof(value));
}

static void put16s(struct sim_record *record, uint16_t a, uint16_t b)
{
	uint16_t both[2] = { a, b };

	put(record, both, sizeof(both));
}

static void put_option(struct sim_record *record, uint16_t code, const void *bytes, size_t n)
{
	put16s(record, code, (uint16_t)n);
	if (n != 0)
		put(record, bytes, n);
}

static void begin(struct sim_record *record, uint32_t type)
{
	record->length = 0;
	put32(record, type);
	put32(record, 0);
}

static void finish(struct sim_record *record)
{
	uint32_t total = (uint32_t)record->length + 4;

	memcpy(record->block + 4, &total, sizeof(total));
	put32(record, total);
	fwrite(record->block, 1, record->length, record->pcapng);
}

static void put_section(struct sim_record *record)
{
	begin(record, SECTION_HEADER);
	put32(record, ORDER_MAGIC);
	put16s(record, 1, 0);
	put32(record, UINT32_MAX);	/* length of the section: not told */
	put32(record, UINT32_MAX);
	finish(record);
}

static void put_interface(struct sim_record *record, const char *name, uint32_t header)
{
	const uint8_t nanoseconds = 9;

	begin(record, INTERFACE);
	put16s(record, header != 0 ? LINKTYPE_ETHERNET : LINKTYPE_RAW, 0);
	put32(record, 0);		/* no limit of captured bytes */
	put_option(record, OPT_IF_NAME, name, strlen(name));
	put_option(record, OPT_IF_TSRESOL, &nanoseconds, 1);
	put_option(record, OPT_END, NULL, 0);
	finish(record);
	record->interfaces++;
}

static void put_packet(struct sim_record *record, uint64_t now, uint32_t interface, bool out,
		       const void *bytes, size_t length, const char *comment)
{
	uint32_t flags = out ? OUTBOUND : INBOUND;

	begin(record, ENHANCED_PACKET);
	put32(record, interface);
	put32(record, (uint32_t)(now >> 32));
	put32(record, (uint32_t)now);
	put32(record, (uint32_t)length);
	put32(record, (uint32_t)length);
	put(record, bytes, length);
	if (comment != NULL)
		put_option(record, OPT_COMMENT, comment, strlen(comment));
	put_option(record, OPT_FLAGS, &flags, sizeof(flags));
	put_option(record, OPT_END, NULL, 0);
	finish(record);
}

/* ---- files ---- */

static FILE *open_as(const char *prefix, const char *suffix)
{
	char *name = NULL;
	FILE *file;

	if (asprintf(&name, "%s%s", prefix, suffix) < 0)
		return NULL;
	file = fopen(name, "w");
	free(name);
	return file;
}

struct sim_record *sim_record_open(const char *prefix)
{
	struct sim_record *record = calloc(1, sizeof(*record));

	if (record == NULL)
		return NULL;
	record->text = open_as(prefix, ".txt");
	record->pcapng = record->text != NULL ? open_as(prefix, ".pcapng") : NULL;
	if (record->pcapng == NULL) {
		int error = errno;

		sim_record_close(record);
		errno = error;
		return NULL;
	}
	put_section(record);
	return record;
}

static void close_one(FILE *file)
{
	if (file == NULL)
		return;
	if (ferror(file) != 0)
		fputs("sim: the record is incomplete\n", stderr);
	if (fclose(file) != 0)
		perror("sim: the record is incomplete");
}

void sim_record_close(struct sim_record *record)
{
	if (record == NULL)
		return;
	close_one(record->text);
	close_one(record->pcapng);
	free(record);
}

/* ---- what is recorded ---- */

static const char *port_name(const struct strata_sim_port *port)
{
	return port->sw != NULL ? "switch" : strata_sim_host_name(port->host);
}

void sim_record_link(struct sim_record *record, const struct strata_sim_link *link)
{
	for (int i = 0; i < 2; i++) {
		char name[64];

		snprintf(name, sizeof(name), "link%u %s", link->number,
			 port_name(&link->ends[i].port));
		put_interface(record, name, link->header);
	}
}

static void put_time(struct sim_record *record, uint64_t now)
{
	fprintf(record->text, "%6llu.%09llu ", (unsigned long long)(now / STRATA_SEC),
		(unsigned long long)(now % STRATA_SEC));
}

void sim_record_frame(struct sim_record *record, uint64_t now, const struct sim_end *end, bool out,
		      const void *bytes, size_t length, const char *comment)
{
	uint32_t interface = (end->link->number - 1) * 2 + (uint32_t)end->direction;
	char text[TEXT_MOST];

	put_packet(record, now, interface, out, bytes, length, comment);
	sim_packet_describe(bytes, length, end->link->header, text, sizeof(text));
	put_time(record, now);
	fprintf(record->text, "link%u %-8s %s %s%s%s%s\n", end->link->number, port_name(&end->port),
		out ? "sends" : "gets ", text, comment != NULL ? " (" : "",
		comment != NULL ? comment : "", comment != NULL ? ")" : "");
}

void sim_record_note(struct sim_record *record, uint64_t now, const char *text)
{
	put_time(record, now);
	fprintf(record->text, "* %s\n", text);
}
