/* SPDX-License-Identifier: BSD-2-Clause */
/* The descriptor itself: names, texts, operations that belong together, and the number it claims. */
#include <string.h>

#include "kit.h"

#define TEXT_MOST 160

/* ---- operations ---- */

static void need(struct kit *kit, bool there, const char *op, const char *why)
{
	if (!there)
		kit_fault(kit, op, "write it, and put it into the operations", "has no %s(): %s", op, why);
}

static void check_link(struct kit *kit, const struct strata_link_ops *ops)
{
	if (ops->open == NULL && ops->input == NULL)
		kit_fault(kit, "link operations", "a driver has open(), a framing has input()",
			  "is neither a driver nor a framing");
	if (ops->open != NULL) {
		need(kit, ops->close != NULL, "close", "what open() brought must end");
		need(kit, ops->xmit != NULL, "xmit", "a driver sends");
		/* One that stands on another interface has its MTU. */
		if (ops->mtu_min > ops->mtu_max || ops->mtu_min == 0 || ops->mtu_default > ops->mtu_max ||
		    (ops->lower == NULL && ops->mtu_default < ops->mtu_min))
			kit_fault(kit, "mtu_min, mtu_default, mtu_max", "give them in that order, above 0",
				  "the MTUs %u, %u and %u are no range", ops->mtu_min, ops->mtu_default,
				  ops->mtu_max);
	}
	if (ops->input != NULL)
		need(kit, ops->encapsulate != NULL, "encapsulate", "a framing writes headers, too");
	if ((ops->lower == NULL) != (ops->lower_input == NULL))
		kit_fault(kit, "lower, lower_input", "have both or none",
			  "has one of lower() and lower_input()");
}

static void check_network(struct kit *kit, const struct strata_network_ops *ops)
{
	need(kit, ops->input != NULL, "input", "packets of its number come in");
	if (ops->resolves != 0)
		need(kit, ops->resolve != NULL, "resolve", "it says that it resolves a family");
	if (ops->output != NULL && ops->header_size == 0)
		kit_fault(kit, "header_size", "set it: transports leave room by it",
			  "carries transports and has no header size");
	if (ops->address != NULL) {
		need(kit, ops->address->parse != NULL, "address->parse", "a family is written and read");
		need(kit, ops->address->format != NULL, "address->format", "a family is written and read");
		need(kit, ops->address->classify != NULL, "address->classify", "the kernel asks for it");
		if (ops->address->length == 0 || ops->address->length > STRATA_ADDR_MAX)
			kit_fault(kit, "address->length", "from 1 to 16", "has addresses of %u bytes",
				  ops->address->length);
	}
	if (ops->error_transport != 0)
		need(kit, ops->quote_parse != NULL, "quote_parse", "errors quote its packets");
}

static void check_transport(struct kit *kit, const struct strata_transport_ops *ops)
{
	need(kit, ops->input != NULL, "input", "packets of its number come in");
	if ((ops->segment == NULL) != (ops->header_length == NULL))
		kit_fault(kit, "segment, header_length", "have both or none",
			  "has one of segment() and header_length()");
	if (ops->socket_size == 0)
		return;
	if (ops->socket_size < sizeof(struct strata_socket))
		kit_fault(kit, "socket_size", "begin the structure with struct strata_socket",
			  "has sockets of %zu bytes, less than struct strata_socket", ops->socket_size);
	if (ops->type != SOCK_STREAM && ops->type != SOCK_DGRAM)
		kit_fault(kit, "type", "SOCK_STREAM or SOCK_DGRAM", "has sockets of type %d", ops->type);
	need(kit, ops->socket_close != NULL, "socket_close", "the transport frees its sockets");
}

static void check_congestion(struct kit *kit, const struct strata_congestion_ops *ops)
{
	need(kit, ops->init != NULL, "init", "a connection begins");
	need(kit, ops->acked != NULL || ops->control != NULL, "acked", "the window must open");
	need(kit, ops->loss != NULL, "loss", "the window must close");
	need(kit, ops->timeout != NULL, "timeout", "the window must close");
}

static void check_ops(struct kit *kit)
{
	const struct strata_module *m = kit->module;
	const void *ops[STRATA_KINDS] = { m->link, m->network, m->transport, m->congestion, m->service };
	unsigned int i;

	for (i = 0; i < STRATA_KINDS; i++)
		if (i != m->kind && ops[i] != NULL)
			kit_fault(kit, strata_kind_name((enum strata_kind)i), "have those of your kind alone",
				  "is of kind %s and has operations of kind %s",
				  strata_kind_name((enum strata_kind)m->kind),
				  strata_kind_name((enum strata_kind)i));
	if (m->kind == STRATA_LINK)
		check_link(kit, m->link);
	else if (m->kind == STRATA_NETWORK)
		check_network(kit, m->network);
	else if (m->kind == STRATA_TRANSPORT)
		check_transport(kit, m->transport);
	else if (m->kind == STRATA_CONGESTION)
		check_congestion(kit, m->congestion);
	if (m->start != NULL && m->stop == NULL)
		kit_remark(kit, "stop", "leave out start() as well, if there is nothing to undo",
			   "has start() and no stop()");
}

/* ---- texts ---- */

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

static void check_text(struct kit *kit, const char *what, const char *text)
{
	if (is_empty(text))
		kit_fault(kit, what, "people read it in `strata module info`", "has no %s", what);
	else if (strchr(text, '\n') != NULL || strlen(text) > TEXT_MOST)
		kit_fault(kit, what, "keep it to a line", "its %s is longer than a line", what);
}

static void check_counters(struct kit *kit)
{
	const struct strata_module *m = kit->module;
	size_t i, j;

	for (i = 0; i < m->counter_count; i++) {
		const struct strata_counter_def *c = &m->counters[i];

		if (is_empty(c->name) || c->name[strspn(c->name, "abcdefghijklmnopqrstuvwxyz0123456789_")] != '\0') {
			kit_fault(kit, "counters", "use snake_case; a table with designated initialisers has no "
				  "gaps only if each is named", "counter %zu is named \"%s\"", i,
				  c->name != NULL ? c->name : "");
			continue;
		}
		if (is_empty(c->help))
			kit_fault(kit, c->name, "say what it counts", "counter %s has no help", c->name);
		for (j = 0; j < i; j++)
			if (m->counters[j].name != NULL && strcmp(m->counters[j].name, c->name) == 0)
				kit_fault(kit, c->name, "name them apart", "there are two counters %s", c->name);
	}
}

static void check_drops(struct kit *kit)
{
	const struct strata_module *m = kit->module;
	size_t i, j;

	for (i = 0; i < m->drop_count; i++) {
		const struct strata_drop_def *d = &m->drops[i];

		if (is_empty(d->name) || d->name[strspn(d->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] != '\0') {
			kit_fault(kit, "drops", "use capitals; STRATA_DROP_DEF makes the table",
				  "drop reason %zu is named \"%s\"", i, d->name != NULL ? d->name : "");
			continue;
		}
		if (is_empty(d->text))
			kit_fault(kit, d->name, "say why the packet is dropped", "drop reason %s has no text",
				  d->name);
		if (d->severity > STRATA_SEVERITY_ERROR)
			kit_fault(kit, d->name, "INFO, WARNING or ERROR", "drop reason %s has severity %d",
				  d->name, (int)d->severity);
		for (j = 0; j < i; j++)
			if (m->drops[j].name != NULL && strcmp(m->drops[j].name, d->name) == 0)
				kit_fault(kit, d->name, "name them apart", "there are two drop reasons %s",
					  d->name);
	}
}

void kit_check_descriptor(struct kit *kit)
{
	const struct strata_module *m = kit->module;

	check_text(kit, "name", m->name);
	check_text(kit, "version", m->version);
	check_text(kit, "summary", m->summary);
	check_ops(kit);
	check_counters(kit);
	check_drops(kit);
	if (m->drop_count == 0 && (m->kind == STRATA_NETWORK || m->kind == STRATA_TRANSPORT))
		kit_remark(kit, "drops", "every discard has a reason: see STRATA_DROP_DEF in <strata/module.h>",
			   "has no drop reasons");
	kit_done(kit, "%zu counters, %zu drop reasons", m->counter_count, m->drop_count);
}

/* ---- the number ---- */

static void match(void *ctx, const char *name)
{
	struct kit *kit = ctx;
	struct strata_error error = { 0 };
	struct strata_module_file *file;
	const struct strata_module *other;

	/* A module of the same name is this one, installed. */
	if (strcmp(name, kit->subject->name) == 0)
		return;
	file = kit_module_open(kit, name, &error);
	strata_error_clear(&error);
	if (file == NULL)
		return;
	other = strata_module_of(file);
	if (other->kind == kit->subject->kind && other->number == kit->subject->number &&
	    strcmp(other->name, kit->subject->name) != 0)
		kit_fault(kit, strata_module_path(file), "claim a number of your own (253 and 254 are for "
			  "experiments, RFC 3692); a manifest may bind a module to another",
			  "claims number %u, which is that of module %s", other->number, other->name);
	strata_module_close(file);
}

void kit_check_number(struct kit *kit)
{
	const struct kit_subject *subject = kit->subject;
	bool network = subject->kind == STRATA_NETWORK;

	if (!network && subject->kind != STRATA_TRANSPORT) {
		if (subject->number != 0)
			kit_fault(kit, "number", "leave it 0", "has a number, and is bound by its name");
		return;
	}
	/* IEEE 802.3 3.2.6: below 0x0600 it is a length. */
	if (subject->number < (network ? 0x0600u : 1u) || subject->number > (network ? 0xffffu : 255u))
		kit_fault(kit, "number", network ? "an EtherType, from 0x0600 on" :
			  "an IP protocol number, from 1 to 255", "claims number %u, which there is not",
			  subject->number);
	strata_module_list(kit->cli->module_path, match, kit);
	kit_done(kit, network ? "EtherType 0x%04x" : "IP protocol number %u", subject->number);
}
