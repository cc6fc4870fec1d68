/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The record of a run: a line of text for each frame at each end of a link, and the same as a pcapng
 * file (draft-ietf-opsawg-pcapng, sections 4.1 to 4.3), with what became of a frame as its comment.
 */
#include "pcapng.h"
#include "sim_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	LINKTYPE_ETHERNET = 1, LINKTYPE_RAW = 101,
	BLOCK_MOST = 70000, TEXT_MOST = 256,
};

struct sim_record {
	FILE *text, *pcapng;
	uint32_t interfaces;
	uint8_t block[BLOCK_MOST];	/* of the capture, being put together */
};

/* ---- blocks of the capture ---- */

static struct pcapng begin(struct sim_record *record)
{
	return (struct pcapng){ .bytes = record->block, .room = sizeof(record->block) };
}

/* One that is too long for the room is left out. */
static void finish(struct sim_record *record, const struct pcapng *block)
{
	if (!block->full)
		fwrite(block->bytes, 1, block->length, record->pcapng);
}

static void put_section(struct sim_record *record)
{
	struct pcapng block = begin(record);

	pcapng_section(&block, NULL, NULL);
	finish(record, &block);
}

static void put_interface(struct sim_record *record, const char *name, uint32_t header)
{
	const struct pcapng_interface interface = {
		.name = name, .link_type = header != 0 ? LINKTYPE_ETHERNET : LINKTYPE_RAW,
	};
	struct pcapng block = begin(record);

	pcapng_interface(&block, &interface);
	finish(record, &block);
}

static void put_packet(struct sim_record *record, uint64_t now, uint32_t interface, bool out,
		       const void *bytes, size_t length, const char *comment)
{
	const struct pcapng_packet packet = {
		.interface = interface, .time = now, .length = (uint32_t)length,
		.captured = (uint32_t)length, .out = out, .comment = comment,
	};
	struct pcapng block = begin(record);
	uint8_t *at = pcapng_packet_begin(&block, &packet);

	if (at != NULL && length != 0)
		memcpy(at, bytes, length);
	pcapng_packet_end(&block, &packet);
	finish(record, &block);
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
