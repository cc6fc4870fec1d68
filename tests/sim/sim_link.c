/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Links and switches: what hosts send goes onto lines, what arrives goes to hosts or on through a
 * switch, and everything is counted, hashed and recorded on its way.
 */
#include "sim_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <strata/network.h>

enum {
	ETHERNET_HEADER = 14,
	MAC = 6,
	LEARN_MOST = 4096,	/* local choice: stations a switch remembers */
	TOO_BIG_ROOM = 14 + 20 + 8 + 60 + 8,
	SENT = 0, ARRIVED = 1,	/* into the hash */
};

struct sim_switch_entry {
	uint8_t mac[MAC];
	size_t port;
};

static const char *const fates[] = {
	[IMPAIR_PASSED] = NULL,
	[IMPAIR_LOST] = "lost",
	[IMPAIR_BURST] = "lost in a burst",
	[IMPAIR_QUEUE] = "queue full",
	[IMPAIR_TOO_BIG] = "larger than the MTU",
};
_Static_assert(STRATA_COUNT(fates) == IMPAIR_FATES, "a text for each fate");

static void out_of_memory(struct strata_sim *sim)
{
	strata_sim_fault(sim, "the simulation is out of memory");
}

/* ---- onto the line ---- */

struct spoiling {
	struct strata_sim_link *link;
	const uint8_t *before;
};

/* A collision: what the network and transport headers' checksums cover has changed, and they hold. */
static void spoilt(void *ctx, struct sim_frame *frame)
{
	const struct spoiling *spoiling = ctx;
	uint32_t header = spoiling->link->header;

	frame->collides = frame->length > header &&
			  memcmp(frame->bytes + header, spoiling->before + header,
				 frame->length - header) != 0 &&
			  sim_packet_check(frame->bytes, frame->length, header) == SIM_CHECK_GOOD;
}

static void count(struct strata_sim_link_stats *stats, const struct impair_result *result,
		  unsigned int marked)
{
	stats->lost += result->fate == IMPAIR_LOST || result->fate == IMPAIR_BURST;
	stats->queue_full += result->fate == IMPAIR_QUEUE;
	stats->too_big += result->fate == IMPAIR_TOO_BIG;
	stats->duplicated += result->copies == 2;
	stats->marked += marked != 0;
	for (unsigned int i = 0; i < result->copies; i++) {
		stats->reordered += result->copy[i].reordered;
		stats->corrupted += result->copy[i].flips != 0;
		stats->truncated += result->copy[i].truncated;
	}
}

/* Puts a frame onto a line as it is, to arrive at `time`. */
static void put_plainly(struct strata_sim *sim, struct sim_line *line, uint64_t time,
			const void *bytes, size_t length)
{
	struct sim_event event = { .time = time, .line = line, .kind = SIM_EVENT_FRAME };

	event.what = sim_frame_make(bytes, length);
	if (event.what == NULL || sim_heap_push(&sim->heap, event) < 0) {
		free(event.what);
		out_of_memory(sim);
	}
}

/* RFC 1191 3: the router in front of the narrow link tells the sender, behind whose line it is. */
static void report_too_big(struct strata_sim_link *link, int direction, const void *bytes,
			   size_t length)
{
	uint8_t report[TOO_BIG_ROOM];
	size_t n = sim_packet_too_big(bytes, length, link->header,
				      link->directions[direction].line.impair.how.mtu, report);

	if (n != 0)
		put_plainly(link->sim, &link->directions[!direction].line, link->sim->now + 1, report,
			    n);
}

/* What becomes of a frame, for the record; NULL: nothing special. */
static const char *impaired(struct strata_sim_link *link, int direction, const void *bytes,
			    size_t length)
{
	struct sim_direction *d = &link->directions[direction];
	struct strata_sim *sim = link->sim;
	struct spoiling spoiling = { .link = link, .before = bytes };
	struct impair_result result;
	unsigned int marked;

	if (sim->now >= d->dark_from && sim->now < d->dark_until) {
		d->stats.dark++;
		return "black-out";
	}
	if (d->filter != NULL && !d->filter(d->filter_ctx, sim->now, bytes, length)) {
		d->stats.filtered++;
		return "filtered";
	}
	if (sim_line_send(&d->line, &sim->heap, sim->now, bytes, length, &result, &marked, spoilt,
			  &spoiling) < 0)
		out_of_memory(sim);
	count(&d->stats, &result, marked);
	if (result.fate == IMPAIR_TOO_BIG && link->report_mtu)
		report_too_big(link, direction, bytes, length);
	if (result.fate != IMPAIR_PASSED)
		return fates[result.fate];
	return result.copies == 2 ? "duplicated" : result.copy[0].flips != 0 ? "corrupted" :
	       result.copy[0].truncated ? "truncated" : result.copy[0].reordered ? "held back" : NULL;
}

static void end_send(struct sim_end *end, const void *bytes, size_t length)
{
	struct strata_sim_link *link = end->link;
	struct sim_direction *d = &link->directions[end->direction];
	struct strata_sim *sim = link->sim;
	const char *comment = NULL;

	d->stats.sent++;
	d->stats.sent_bytes += length;
	sim->quiet_since = sim->now;
	sim_hash_frame(sim, link, end->direction, SENT, bytes, length);
	if (sim->faultless)
		put_plainly(sim, &d->line, sim->now + d->line.impair.how.delay, bytes, length);
	else
		comment = impaired(link, end->direction, bytes, length);
	if (sim->record != NULL)
		sim_record_frame(sim->record, sim->now, end, true, bytes, length, comment);
}

static void host_sends(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	(void)iface;
	end_send(ctx, frame, length);
}

static void put_cut(void *ctx, const void *frame, size_t length)
{
	end_send(ctx, frame, length);
}

static void host_sends_uncut(void *ctx, struct strata_iface *iface, const void *frame, size_t length,
			     const struct strata_offload *offload)
{
	struct sim_end *end = ctx;

	(void)iface;
	if (!sim_packet_cut(frame, length, end->link->header, offload, put_cut, end))
		strata_sim_fault(end->link->sim, "a frame of %zu bytes cannot be cut into %u", length,
				 offload->seg_size);
}

/* ---- switches ---- */

struct strata_sim_switch *strata_sim_switch(struct strata_sim *sim)
{
	struct strata_sim_switch *sw = calloc(1, sizeof(*sw));

	if (sw == NULL) {
		out_of_memory(sim);
		return NULL;
	}
	sw->sim = sim;
	sw->next = sim->switches;
	sim->switches = sw;
	return sw;
}

struct strata_sim_port strata_sim_switch_port(struct strata_sim_switch *sw)
{
	return (struct strata_sim_port){ .sw = sw };
}

void sim_switch_destroy(struct strata_sim_switch *sw)
{
	free(sw->ports);
	free(sw->table);
	free(sw);
}

static struct sim_switch_entry *station(const struct strata_sim_switch *sw, const uint8_t *mac)
{
	for (size_t i = 0; i < sw->learnt; i++)
		if (memcmp(sw->table[i].mac, mac, MAC) == 0)
			return &sw->table[i];
	return NULL;
}

static void learn(struct strata_sim_switch *sw, const uint8_t *mac, size_t port)
{
	struct sim_switch_entry *entry = station(sw, mac);

	if ((mac[0] & 1) != 0)
		return;
	if (entry == NULL && sw->learnt < LEARN_MOST) {
		if (sw->table == NULL)
			sw->table = calloc(LEARN_MOST, sizeof(*sw->table));
		if (sw->table == NULL) {
			out_of_memory(sw->sim);
			return;
		}
		entry = &sw->table[sw->learnt++];
		memcpy(entry->mac, mac, MAC);
	}
	if (entry != NULL)
		entry->port = port;
}

static void switch_forward(struct strata_sim_switch *sw, const struct sim_end *from,
			   const uint8_t *bytes, size_t length)
{
	const struct sim_switch_entry *to;
	size_t in = 0;

	if (length < ETHERNET_HEADER)
		return;
	while (sw->ports[in] != from)
		in++;
	learn(sw, bytes + MAC, in);
	to = station(sw, bytes);
	for (size_t i = 0; i < sw->port_count; i++)
		if (i != in && (to == NULL || to->port == i))
			end_send(sw->ports[i], bytes, length);
}

/* ---- off the line ---- */

void sim_link_arrived(struct sim_line *line, struct sim_frame *frame)
{
	struct strata_sim_link *link = line->owner;
	struct strata_sim *sim = link->sim;
	int direction = line == &link->directions[1].line;
	struct strata_sim_link_stats *stats = &link->directions[direction].stats;
	const struct sim_end *end = &link->ends[!direction];

	stats->collisions += frame->collides;
	if (sim->record != NULL)
		sim_record_frame(sim->record, sim->now, end, false, frame->bytes, frame->length,
				 frame->collides ? "corrupted, and every checksum holds" :
				 frame->corrupted ? "corrupted" : NULL);
	if (frame->collides && !sim->deliver_collisions) {
		free(frame);
		return;
	}
	stats->arrived++;
	stats->arrived_bytes += frame->length;
	sim_hash_frame(sim, link, direction, ARRIVED, frame->bytes, frame->length);
	if (end->port.sw != NULL)
		switch_forward(end->port.sw, end, frame->bytes, frame->length);
	else if (sim->config.super)
		strata_input_batched(end->port.iface, frame->bytes, frame->length,
				     sim_host_time(end->port.host));
	else
		strata_input(end->port.iface, frame->bytes, frame->length,
			     sim_host_time(end->port.host));
	free(frame);
}

/* ---- making links ---- */

struct strata_sim_port strata_sim_port_named(struct strata_sim_host *host, const char *name)
{
	struct strata_iface *iface = NULL;

	if (host == NULL)
		return (struct strata_sim_port){ 0 };
	while ((iface = strata_iface_next(host->stack, iface)) != NULL)
		if ((name != NULL && strcmp(iface->name, name) == 0) ||
		    (name == NULL && strcmp(iface->driver->module->name, "wire") == 0))
			return (struct strata_sim_port){ .host = host, .iface = iface };
	strata_sim_fault(host->sim, "host %s has no interface %s", host->name,
			 name != NULL ? name : "driven by wire");
	return (struct strata_sim_port){ 0 };
}

struct strata_sim_port strata_sim_port(struct strata_sim_host *host)
{
	return strata_sim_port_named(host, NULL);
}

static bool attach(struct sim_end *end)
{
	struct strata_sim_switch *sw = end->port.sw;
	struct sim_end **ports;

	if (sw == NULL) {
		if (end->link->sim->config.super)
			strata_iface_set_output_offload(end->port.iface, host_sends_uncut, end);
		else
			strata_iface_set_output(end->port.iface, host_sends, end);
		return true;
	}
	ports = realloc(sw->ports, (sw->port_count + 1) * sizeof(*ports));
	if (ports == NULL)
		return false;
	sw->ports = ports;
	ports[sw->port_count++] = end;
	return true;
}

/* Bytes of link header at a port, or -1: it is none. */
static int header_at(const struct strata_sim_port *port)
{
	return port->sw != NULL ? ETHERNET_HEADER : port->iface != NULL ? port->iface->header_size : -1;
}

struct strata_sim_link *strata_sim_link(struct strata_sim *sim, struct strata_sim_port a,
					struct strata_sim_port b, const struct strata_impairment *how)
{
	static const struct strata_impairment perfect;
	struct strata_sim_link *link;
	int header = header_at(&a);

	if (header < 0 || header != header_at(&b)) {
		strata_sim_fault(sim, "a link joins two ports, both of Ethernet or both of bare packets");
		return NULL;
	}
	link = calloc(1, sizeof(*link));
	if (link == NULL) {
		out_of_memory(sim);
		return NULL;
	}
	link->sim = sim;
	link->number = ++sim->link_count;
	link->header = (uint32_t)header;
	for (int i = 0; i < 2; i++) {
		uint64_t seed = sim->config.seed + ((uint64_t)link->number * 2 + (uint64_t)i) *
						   UINT64_C(0xd1342543de82ef95);

		link->ends[i] = (struct sim_end){ .link = link, .port = i == 0 ? a : b,
						  .direction = i };
		link->directions[i].line.owner = link;
		impair_init(&link->directions[i].line.impair, how != NULL ? how : &perfect, seed,
			    link->header);
	}
	*sim->links_end = link;
	sim->links_end = &link->next;
	if (!attach(&link->ends[0]) || !attach(&link->ends[1]))
		out_of_memory(sim);
	if (sim->record != NULL)
		sim_record_link(sim->record, link);
	return link;
}

/* ---- changing links ---- */

void strata_sim_link_set(struct strata_sim_link *link, enum strata_sim_direction which,
			 const struct strata_impairment *how)
{
	for (int i = 0; i < 2; i++)
		if (which & (1 << i))
			impair_set(&link->directions[i].line.impair, how);
	strata_sim_note(link->sim, "link %u is impaired in other ways", link->number);
}

struct sim_change {
	struct sim_change *next;	/* of the link: they are freed with it */
	struct strata_sim_link *link;
	enum strata_sim_direction which;
	struct strata_impairment how;
};

void sim_link_destroy(struct strata_sim_link *link)
{
	sim_line_clear(&link->directions[0].line);
	sim_line_clear(&link->directions[1].line);
	while (link->changes != NULL) {
		struct sim_change *change = link->changes;

		link->changes = change->next;
		free(change);
	}
	free(link);
}

static void change_now(void *arg)
{
	const struct sim_change *change = arg;

	strata_sim_link_set(change->link, change->which, &change->how);
}

void strata_sim_link_set_at(struct strata_sim_link *link, enum strata_sim_direction which, uint64_t when,
			    const struct strata_impairment *how)
{
	struct sim_change *change = calloc(1, sizeof(*change));

	if (change == NULL) {
		out_of_memory(link->sim);
		return;
	}
	*change = (struct sim_change){ .next = link->changes, .link = link, .which = which,
				       .how = *how };
	link->changes = change;
	strata_sim_at(link->sim, when, change_now, change);
}

void strata_sim_link_dark(struct strata_sim_link *link, enum strata_sim_direction which, uint64_t from,
			  uint64_t until)
{
	for (int i = 0; i < 2; i++)
		if (which & (1 << i)) {
			link->directions[i].dark_from = from;
			link->directions[i].dark_until = until;
		}
}

void strata_sim_link_report_mtu(struct strata_sim_link *link, bool report)
{
	link->report_mtu = report;
}

void strata_sim_link_filter(struct strata_sim_link *link, enum strata_sim_direction which,
			    bool (*filter)(void *ctx, uint64_t now, const void *frame, size_t length),
			    void *ctx)
{
	for (int i = 0; i < 2; i++)
		if (which & (1 << i)) {
			link->directions[i].filter = filter;
			link->directions[i].filter_ctx = ctx;
		}
}

const struct strata_sim_link_stats *strata_sim_link_stats(const struct strata_sim_link *link,
							  enum strata_sim_direction which)
{
	return &link->directions[which == STRATA_SIM_BACK].stats;
}

/* ---- who is whose neighbour ---- */

/* Numbers the segments: switches that reach each other end up with the least number among them, once
 * nothing changes any more. */
static void name_segments(struct strata_sim *sim, size_t *of, struct strata_sim_switch *const *switches,
			  size_t n)
{
	bool changed = true;

	for (size_t i = 0; i < n; i++)
		of[i] = i;
	while (changed) {
		changed = false;
		for (struct strata_sim_link *link = sim->links; link != NULL; link = link->next) {
			size_t a = n, b = n;

			for (size_t i = 0; i < n; i++) {
				a = link->ends[0].port.sw == switches[i] ? i : a;
				b = link->ends[1].port.sw == switches[i] ? i : b;
			}
			if (a == n || b == n || of[a] == of[b])
				continue;
			of[a] = of[b] = of[a] < of[b] ? of[a] : of[b];
			changed = true;
		}
	}
}

static void introduce(struct strata_sim *sim, const struct strata_sim_port *to,
		      const struct strata_sim_port *who)
{
	for (const struct strata_ifaddr *a = strata_ifaddr_first(who->iface); a != NULL; a = a->next)
		if (strata_neigh_set(to->iface, &a->prefix.addr, &who->iface->lladdr) < 0)
			strata_sim_fault(sim, "%s could not be made a neighbour of %s", who->host->name,
					 to->host->name);
}

/* The segment a host's end is on: of the switch at the link's other end, or the link alone. */
static size_t segment_of(const struct sim_end *end, const size_t *of,
			 struct strata_sim_switch *const *switches, size_t n)
{
	const struct strata_sim_port *other = &end->link->ends[!end->direction].port;

	for (size_t i = 0; i < n; i++)
		if (other->sw == switches[i])
			return of[i];
	return n + end->link->number;
}

static void acquaint_all(struct strata_sim *sim, const size_t *of,
			 struct strata_sim_switch *const *switches, size_t n)
{
	for (struct strata_sim_link *x = sim->links; x != NULL; x = x->next)
		for (struct strata_sim_link *y = sim->links; y != NULL; y = y->next)
			for (int i = 0; i < 4; i++) {
				const struct sim_end *to = &x->ends[i / 2], *who = &y->ends[i % 2];

				if (to != who && to->port.host != NULL && who->port.host != NULL &&
				    x->header != 0 &&
				    segment_of(to, of, switches, n) == segment_of(who, of, switches, n))
					introduce(sim, &to->port, &who->port);
			}
}

void sim_link_acquaint(struct strata_sim *sim)
{
	struct strata_sim_switch **switches, *sw;
	size_t n = 0, *of;

	for (sw = sim->switches; sw != NULL; sw = sw->next)
		n++;
	switches = calloc(n + 1, sizeof(*switches));
	of = calloc(n + 1, sizeof(*of));
	if (switches == NULL || of == NULL) {
		out_of_memory(sim);
	} else {
		n = 0;
		for (sw = sim->switches; sw != NULL; sw = sw->next)
			switches[n++] = sw;
		name_segments(sim, of, switches, n);
		acquaint_all(sim, of, switches, n);
	}
	free(switches);
	free(of);
}
