/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream `capture`: the frames of interfaces as a pcapng file, with what discards them as a comment.
 * A frame is held back until the end of its batch, since its discard comes after it; the packet path waits
 * for nobody, what finds no room is lost and counted.
 */
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <strata/inspect.h>
#include <strata/sniff.h>
#include "control_filter.h"
#include "control_int.h"
#include "pcapng.h"

/* Local choices: frames held back, and bytes of them, of which the largest frame takes a quarter. More go
 * as they came, without the rest of the batch having had its say. */
#define HELD 128
#define HELD_BYTES (256 << 10)
/* Longest comment with the name and the text of a reason. */
#define COMMENT_MAX 200
/* Room for a section's or an interface's blocks: a name, a filter of 4 KiB, and little else. */
#define BLOCK_MAX 5120
/* Length of link addresses that pcapng has an option for. */
#define MAC_SIZE 6

enum direction { BOTH, IN, OUT };

/* An interface of the capture. Number n - 1 of the file is the n-th that was told. */
struct port {
	struct strata_iface *iface;	/* NULL: it is gone */
	bool told;			/* its block is in the file */
	uint32_t number;		/* in the file */
	uint64_t received, accepted, lost, untold;
};

/* A frame on its way into the file: its block, but for what follows the bytes. */
struct held {
	const struct strata_pkt *pkt;	/* never looked into: the packet may be gone */
	struct pcapng_packet packet;
	size_t port, offset;
	bool if_dropped;		/* wanted only when it was discarded */
	char comment[COMMENT_MAX];	/* "": none */
};

struct capture {
	struct control_client *client;
	struct strata_stack *stack;
	struct strata_sniffer sniffer;
	struct strata_work release;	/* the end of the batch */
	bool flushed;			/* the drivers have been since */
	struct control_filter *filter;
	json_t *names;			/* a reference: interfaces wanted; NULL: all */
	enum direction direction;
	bool drops_only;
	uint32_t snaplen;		/* 0: no limit */
	uint64_t left;			/* packets still wanted */
	uint64_t start;
	uint32_t told;			/* interfaces in the file */
	struct port *ports;
	size_t port_count, port_room;
	size_t held_count, held_length;
	struct held held[HELD];
	uint8_t bytes[HELD_BYTES];
};

/* ---- blocks about the capture ---- */

static bool write_section(struct capture *capture)
{
	uint8_t bytes[BLOCK_MAX];
	struct pcapng block = { .bytes = bytes, .room = sizeof(bytes) };
	char os[160], application[64];
	struct utsname name = { 0 };

	uname(&name);	/* with valid memory it cannot fail */
	snprintf(os, sizeof(os), "%.70s %.70s", name.sysname, name.release);
	snprintf(application, sizeof(application), "Strata %.40s", strata_version());
	pcapng_section(&block, os, application);
	return control_stream_write(capture->client, bytes, block.length);
}

/* Tells of an interface that is not yet told; once there is room. */
static bool tell_port(struct capture *capture, struct port *port)
{
	const struct strata_iface *iface = port->iface;
	const struct pcapng_interface interface = {
		.name = iface->name, .filter = control_filter_text(capture->filter),
		.mac = iface->lladdr.length == MAC_SIZE ? iface->lladdr.bytes : NULL,
		.link_type = strata_iface_link_type(iface), .snaplen = capture->snaplen,
	};
	uint8_t bytes[BLOCK_MAX];
	struct pcapng block = { .bytes = bytes, .room = sizeof(bytes) };

	if (port->told)
		return true;
	pcapng_interface(&block, &interface);
	if (block.full || control_stream_room(capture->client) < block.length ||
	    !control_stream_write(capture->client, bytes, block.length))
		return false;
	port->told = true;
	port->number = capture->told++;
	return true;
}

static void write_statistics(struct capture *capture, const struct port *port)
{
	const uint64_t now = strata_wall_clock(capture->stack);
	const struct pcapng_statistics statistics = {
		.interface = port->number, .time = now, .start = capture->start, .end = now,
		.received = port->received, .accepted = port->accepted, .lost = port->lost,
	};
	uint8_t bytes[256];
	struct pcapng block = { .bytes = bytes, .room = sizeof(bytes) };

	pcapng_statistics(&block, &statistics);
	control_stream_write(capture->client, bytes, block.length);
}

/* ---- interfaces ---- */

static bool is_named(const struct capture *capture, const struct strata_iface *iface)
{
	size_t i;

	for (i = 0; i < json_array_size(capture->names); i++)
		if (strcmp(json_string_value(json_array_get(capture->names, i)), iface->name) == 0)
			return true;
	return capture->names == NULL;
}

/* The port of an interface, made at its first sight; NULL: it is not wanted, or memory is short. */
static struct port *find_port(struct capture *capture, struct strata_iface *iface)
{
	struct port *ports = capture->ports;
	size_t i;

	for (i = 0; i < capture->port_count; i++)
		if (ports[i].iface == iface)
			return &ports[i];
	if (!is_named(capture, iface))
		return NULL;
	if (capture->port_count == capture->port_room) {
		size_t room = capture->port_room != 0 ? 2 * capture->port_room : 8;

		ports = strata_alloc(capture->stack, room * sizeof(*ports));
		if (ports == NULL)
			return NULL;
		if (capture->port_count != 0)
			memcpy(ports, capture->ports, capture->port_count * sizeof(*ports));
		strata_free(capture->stack, capture->ports);
		capture->ports = ports;
		capture->port_room = room;
	}
	ports[capture->port_count] = (struct port){ .iface = iface };
	return &ports[capture->port_count++];
}

/* ---- frames held back ---- */

static void lose(struct port *port)
{
	port->lost++;
	port->untold++;
}

/* Ends a held block and gives it to the stream. */
static void write_held(struct capture *capture, struct held *held)
{
	struct port *port = &capture->ports[held->port];
	struct pcapng block = { .bytes = capture->bytes + held->offset };

	if (capture->left == 0 || (held->if_dropped && held->comment[0] == '\0')) {
		port->accepted--;	/* as if the filter had known */
		return;
	}
	held->packet.lost = port->untold;
	held->packet.interface = port->number;
	held->packet.comment = held->comment[0] != '\0' ? held->comment : NULL;
	block.room = PCAPNG_PACKET_OVERHEAD + held->packet.captured + COMMENT_MAX;
	pcapng_packet_begin(&block, &held->packet);	/* the bytes behind it are there */
	pcapng_packet_end(&block, &held->packet);
	if (!control_stream_write(capture->client, block.bytes, block.length)) {
		lose(port);
		return;
	}
	port->untold = 0;
	if (--capture->left == 0)
		control_stream_end(capture->client, "the number of packets asked for is reached");
}

static void write_all_held(struct capture *capture)
{
	size_t i;

	for (i = 0; i < capture->held_count; i++)
		write_held(capture, &capture->held[i]);
	capture->held_count = 0;
	capture->held_length = 0;
}

/* Drivers discard when they are flushed, after the work of the batch: only in the round behind that is all
 * known. */
static void batch_ended(struct strata_stack *stack, struct strata_work *work)
{
	struct capture *capture = strata_container_of(work, struct capture, release);

	if (!capture->flushed) {
		capture->flushed = true;
		strata_work_add(stack, work);
		return;
	}
	capture->flushed = false;
	write_all_held(capture);
}

/* Copies the frame as it is on the wire: what the device would put into its checksum is put in. */
static void copy_frame(const struct strata_pkt *pkt, uint8_t *to, uint32_t captured)
{
	const uint32_t headroom = strata_pkt_headroom(pkt);
	const uint32_t start = pkt->csum_start - headroom, field = start + pkt->csum_offset;
	uint16_t check;

	strata_pkt_read(pkt, 0, to, captured);
	if (pkt->csum != STRATA_CSUM_PARTIAL || pkt->csum_start < headroom || field + 2 > captured)
		return;
	check = (uint16_t)~strata_csum_fold(strata_pkt_csum(pkt, start, UINT32_MAX, 0));
	strata_put_be16(to + field, check != 0 ? check : 0xffff);	/* RFC 768: 0 means none */
}

/* Holds a frame. Returns false when the stream would have no room for it. */
static bool hold(struct capture *capture, struct port *port, const struct strata_pkt *pkt,
		 const struct pcapng_packet *packet, bool if_dropped)
{
	const size_t room = PCAPNG_PACKET_OVERHEAD + packet->captured + COMMENT_MAX;
	struct pcapng block = { .room = room };
	struct held *held;
	uint8_t *at;

	if (capture->held_count == HELD || room > HELD_BYTES - capture->held_length)
		write_all_held(capture);
	/* What is to be lost is not copied. */
	if (!if_dropped && control_stream_room(capture->client) < capture->held_length + room)
		return false;
	held = &capture->held[capture->held_count++];
	held->pkt = pkt;
	held->packet = *packet;
	held->port = (size_t)(port - capture->ports);
	held->offset = capture->held_length;
	held->if_dropped = if_dropped;
	held->comment[0] = '\0';
	block.bytes = capture->bytes + held->offset;
	at = pcapng_packet_begin(&block, packet);
	copy_frame(pkt, at, packet->captured);
	capture->held_length += (room + 3) / 4 * 4;
	strata_work_add(capture->stack, &capture->release);
	return true;
}

/* ---- what passes ---- */

static void frame_passes(struct strata_sniffer *sniffer, struct strata_iface *iface,
			 const struct strata_pkt *pkt, bool out)
{
	struct capture *capture = strata_container_of(sniffer, struct capture, sniffer);
	const uint32_t length = strata_pkt_length(pkt);
	/* What a loopback sends it receives again: once is enough, unless it gets no farther. */
	const bool again = out && (iface->flags & STRATA_IFACE_LOOPBACK) && capture->direction == BOTH;
	struct pcapng_packet packet = {
		.time = strata_wall_clock(capture->stack), .out = out, .id = pkt->trace_id,
		.length = length, .captured = length,
	};
	struct port *port;

	if (capture->left == 0 || (capture->direction != BOTH && (capture->direction == OUT) != out))
		return;
	port = find_port(capture, iface);
	if (port == NULL)
		return;
	port->received += !again;
	if (!control_filter_wants(capture->filter, pkt, strata_iface_link_type(iface)))
		return;
	port->accepted++;
	if (capture->snaplen != 0 && length > capture->snaplen)
		packet.captured = capture->snaplen;
	if (tell_port(capture, port) &&
	    hold(capture, port, pkt, &packet, capture->drops_only || again))
		return;
	lose(port);
	control_stream_lose(capture->client, 1);
}

/* The frame that a packet was last seen as. Segments of one packet share its number. */
static struct held *find_held(struct capture *capture, const struct strata_pkt *pkt)
{
	struct held *best = NULL;
	size_t i;

	for (i = capture->held_count; i > 0; i--) {
		struct held *held = &capture->held[i - 1];

		if (held->packet.id != pkt->trace_id)
			continue;
		if (held->pkt == pkt)
			return held;
		if (best == NULL)
			best = held;
	}
	return best;
}

static void packet_dropped(struct strata_sniffer *sniffer, const struct strata_pkt *pkt,
			   const struct strata_instance *by, const struct strata_drop_def *why)
{
	struct capture *capture = strata_container_of(sniffer, struct capture, sniffer);
	struct held *held = pkt->trace_id != 0 ? find_held(capture, pkt) : NULL;
	char reason[64];
	size_t i;

	if (held == NULL || held->comment[0] != '\0')
		return;
	for (i = 0; i < sizeof(reason) - 1 && why->name[i] != '\0'; i++)
		reason[i] = (char)tolower((unsigned char)why->name[i]);
	reason[i] = '\0';
	snprintf(held->comment, sizeof(held->comment), "dropped by %.32s: %s (%s)", by->name, reason,
		 why->text);
}

static void iface_gone(struct strata_sniffer *sniffer, struct strata_iface *iface)
{
	struct capture *capture = strata_container_of(sniffer, struct capture, sniffer);
	size_t i;

	write_all_held(capture);
	for (i = 0; i < capture->port_count; i++) {
		struct port *port = &capture->ports[i];

		if (port->iface != iface)
			continue;
		if (port->told)
			write_statistics(capture, port);
		port->iface = NULL;
		port->told = false;
	}
}

/* ---- beginning and end ---- */

static void capture_free(struct capture *capture)
{
	struct strata_stack *stack = capture->stack;

	control_filter_free(stack, capture->filter);
	json_decref(capture->names);
	strata_free(stack, capture->ports);
	strata_free(stack, capture);
}

/* Length of a refusal of what the request names; 0: none. */
static size_t check_names(struct control_request *request, const struct capture *capture)
{
	size_t i, refused;

	if (capture->names != NULL && json_array_size(capture->names) == 0)
		return control_fail(request, "invalid", "`interfaces` is empty; leave it out for all");
	for (i = 0; i < json_array_size(capture->names); i++) {
		const char *name = json_string_value(json_array_get(capture->names, i));
		const struct strata_iface *iface;

		if (name == NULL)
			return control_fail(request, "invalid", "`interfaces` is an array of names");
		iface = control_find_iface(request, name, &refused);
		if (iface == NULL)
			return refused;
		if (!control_filter_knows(capture->filter, strata_iface_link_type(iface)))
			return control_fail(request, "invalid", "`filter` has no program for interface "
					    "%s, whose link type is %u", name,
					    strata_iface_link_type(iface));
	}
	return 0;
}

/* Reads the request's parameters. Returns the length of a refusal; 0: none. */
static size_t read_request(struct control_request *request, struct capture *capture)
{
	const char *direction = control_text(request, "direction");
	const json_t *names = control_value(request, "interfaces");
	char message[192];
	int result;

	if (direction != NULL && strcmp(direction, "in") != 0 && strcmp(direction, "out") != 0)
		return control_fail(request, "invalid", "`direction` is \"in\" or \"out\", found "
				    "\"%.20s\"", direction);
	if (direction != NULL)
		capture->direction = strcmp(direction, "in") == 0 ? IN : OUT;
	capture->snaplen = (uint32_t)control_uint(request, "snaplen", 0);
	capture->left = control_uint(request, "count", UINT64_MAX);
	capture->drops_only = control_bool(request, "drops_only", false);
	if (names != NULL)
		capture->names = json_incref((json_t *)(uintptr_t)names);
	result = control_filter_read(capture->stack, request->root, &capture->filter, message,
				     sizeof(message));
	if (result < 0)
		return control_fail(request, result == -ENOMEM ? "failed" : "invalid", "%s", message);
	return check_names(request, capture);
}

/* The file begins with the interfaces that are there. */
static bool begin_file(struct capture *capture)
{
	struct strata_iface *iface = NULL;

	if (!write_section(capture))
		return false;
	while ((iface = strata_iface_next(capture->stack, iface)) != NULL) {
		struct port *port;

		if (!is_named(capture, iface))
			continue;
		port = find_port(capture, iface);
		if (port == NULL || !tell_port(capture, port))
			return false;
	}
	return true;
}

static size_t capture_start(struct control_request *request, void **state)
{
	struct strata_stack *stack = request->control->self->stack;
	struct capture *capture = strata_alloc(stack, sizeof(*capture));
	size_t refused;

	if (capture == NULL)
		return control_fail(request, "failed", "out of memory");
	capture->client = request->client;
	capture->stack = stack;
	capture->start = strata_wall_clock(stack);
	capture->release.run = batch_ended;
	capture->sniffer.frame = frame_passes;
	capture->sniffer.dropped = packet_dropped;
	capture->sniffer.gone = iface_gone;
	refused = read_request(request, capture);
	if (refused == 0 && !begin_file(capture))
		refused = control_fail(request, "failed", "no memory or no room for the file's beginning");
	if (refused != 0) {
		capture_free(capture);
		return refused;
	}
	strata_sniffer_add(stack, &capture->sniffer);
	*state = capture;
	return 0;
}

static void capture_stop(struct control_client *client, void *state)
{
	struct capture *capture = state;
	size_t i;

	(void)client;
	strata_sniffer_remove(capture->stack, &capture->sniffer);
	strata_work_cancel(capture->stack, &capture->release);
	write_all_held(capture);
	for (i = 0; i < capture->port_count; i++)
		if (capture->ports[i].told)
			write_statistics(capture, &capture->ports[i]);
	capture_free(capture);
}

const struct control_stream_ops control_capture_ops = {
	.start = capture_start,
	.stop = capture_stop,
	.raw = true,
};
