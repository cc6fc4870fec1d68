/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which packets a trace is of. A packet on its way in shows its frame at once and its ports last; one on
 * its way out the other way round. So each condition may be unknown for some steps.
 */
#include <errno.h>
#include <stdio.h>
#include <strata/iface.h>
#include <strata/inspect.h>
#include <strata/sniff.h>
#include "control_trace.h"

/* Ports: the first four bytes of every transport that has them. */
#define PORTS_SIZE 4

/* ---- parameters ---- */

/* One end of a flow, {"address":…,"port":…}, both optional. Returns 0 or the length of a refusal. */
static size_t read_end(struct control_request *request, const json_t *end, struct strata_addr *addr,
		       uint16_t *port)
{
	const char *text = json_string_value(json_object_get(end, "address"));
	const json_t *number = json_object_get(end, "port");
	struct strata_prefix prefix;

	if (end == NULL)
		return 0;
	if (number != NULL && (!json_is_integer(number) || json_integer_value(number) < 0 ||
			       json_integer_value(number) > UINT16_MAX))
		return control_fail(request, "invalid", "`follow`: a port is an integer from 0 to 65535");
	*port = (uint16_t)json_integer_value(number);
	if (text == NULL)
		return 0;
	if (strchr(text, '/') != NULL ||
	    strata_prefix_parse(request->control->self->stack, text, &prefix) < 0)
		return control_fail(request, "invalid", "`follow`: '%.60s' is no address of a family that "
				    "this stack has; write one such as 192.0.2.1", text);
	*addr = prefix.addr;
	return 0;
}

struct search {
	json_int_t fd;
	struct strata_flow_key key;
	bool found;
};

static void match_socket(void *ctx, const struct strata_socket_view *view)
{
	struct search *search = ctx;

	if (view->fd != search->fd || search->found)
		return;
	search->found = true;
	search->key = view->flow->key;
}

/* The flow of a socket of this stack, by its number. */
static size_t read_fd(struct control_request *request, const json_t *fd, struct strata_flow_key *key)
{
	struct search search = { .fd = json_integer_value(fd) };

	if (!json_is_integer(fd))
		return control_fail(request, "invalid", "`follow`: `fd` is the number of a socket");
	strata_inspect_sockets(request->control->self->stack, match_socket, &search);
	if (!search.found)
		return control_fail(request, "not_found", "no socket %lld; the table `sockets` has their "
				    "numbers", (long long)search.fd);
	*key = search.key;
	if (strata_addr_is_any(&key->local))
		memset(&key->local, 0, sizeof(key->local));
	if (strata_addr_is_any(&key->remote))
		memset(&key->remote, 0, sizeof(key->remote));
	return 0;
}

static size_t read_follow(struct control_request *request, struct control_trace_want *want)
{
	const json_t *follow = control_value(request, "follow"), *fd, *number;
	size_t refused;

	if (follow == NULL)
		return 0;
	want->follow = true;
	fd = json_object_get(follow, "fd");
	if (fd != NULL)
		return read_fd(request, fd, &want->key);
	number = json_object_get(follow, "number");
	want->key.number = (uint8_t)json_integer_value(number);
	if (number != NULL && (!json_is_integer(number) || json_integer_value(number) < 0 ||
			       json_integer_value(number) > UINT8_MAX))
		return control_fail(request, "invalid", "`follow`: `number` is 0 to 255");
	if (!json_is_object(json_object_get(follow, "local")) &&
	    !json_is_object(json_object_get(follow, "remote")))
		return control_fail(request, "invalid", "`follow` has `fd`, or `local` and `remote`: objects "
				    "with `address` and `port`");
	refused = read_end(request, json_object_get(follow, "local"), &want->key.local,
			   &want->key.local_port);
	if (refused != 0)
		return refused;
	return read_end(request, json_object_get(follow, "remote"), &want->key.remote,
			&want->key.remote_port);
}

static size_t read_interface(struct control_request *request, struct control_trace_want *want)
{
	const char *name = control_text(request, "interface");
	size_t refused = 0;

	if (name == NULL)
		return 0;
	if (control_find_iface(request, name, &refused) == NULL)
		return refused;
	snprintf(want->iface, sizeof(want->iface), "%s", name);
	return 0;
}

static size_t read_direction(struct control_request *request, struct control_trace_want *want)
{
	const char *text = control_text(request, "direction");

	if (text == NULL || strcmp(text, "both") == 0)
		return 0;
	want->way = strcmp(text, "in") == 0 ? CONTROL_TRACE_IN : CONTROL_TRACE_OUT;
	if (want->way == CONTROL_TRACE_OUT && strcmp(text, "out") != 0)
		return control_fail(request, "invalid", "`direction`: expected in, out or both, found "
				    "'%.40s'", text);
	return 0;
}

size_t control_trace_want_read(struct control_request *request, struct control_trace_want *want)
{
	char message[320];
	size_t refused;

	refused = read_interface(request, want);
	if (refused == 0)
		refused = read_direction(request, want);
	if (refused == 0)
		refused = read_follow(request, want);
	if (refused == 0 && control_filter_read(request->control->self->stack, request->root,
						&want->filter, message, sizeof(message)) < 0)
		refused = control_fail(request, "invalid", "%s", message);
	return refused;
}

void control_trace_want_free(struct strata_stack *stack, struct control_trace_want *want)
{
	control_filter_free(stack, want->filter);
	want->filter = NULL;
}

/* ---- the filter ---- */

/* The packet as it looks from one of its headers on: for reading only. */
static struct strata_pkt seen_from(const struct strata_pkt *pkt, uint16_t offset)
{
	struct strata_pkt view = *pkt;

	view.len += (uint32_t)(view.data - view.buf) - offset;
	view.data = view.buf + offset;
	return view;
}

static enum control_trace_verdict verdict_of(bool wanted)
{
	return wanted ? CONTROL_TRACE_WANTED : CONTROL_TRACE_UNWANTED;
}

static enum control_trace_verdict judge_at(const struct control_filter *filter,
					   const struct strata_pkt *pkt, uint16_t offset, uint16_t link_type)
{
	struct strata_pkt view = seen_from(pkt, offset);

	return verdict_of(control_filter_wants(filter, &view, link_type));
}

/* A packet that has no frame: as bare IP. One without a network header either cannot be looked at, and is
 * told: it is one of those whose sender wants to know what became of them. */
static enum control_trace_verdict judge_unframed(const struct control_filter *filter,
						 const struct strata_pkt *pkt)
{
	if (pkt->network_offset == 0 || !control_filter_knows(filter, STRATA_LINK_TYPE_RAW))
		return CONTROL_TRACE_WANTED;
	return judge_at(filter, pkt, pkt->network_offset, STRATA_LINK_TYPE_RAW);
}

static bool inside(const struct strata_pkt *pkt, uint16_t offset)
{
	return offset != 0 && pkt->buf + offset <= pkt->data;
}

static enum control_trace_verdict judge_filter(const struct control_filter *filter,
					       const struct strata_trace_record *record, bool first)
{
	const struct strata_pkt *pkt = record->pkt;
	const struct strata_iface *iface = pkt->iface;
	const uint16_t data = (uint16_t)strata_pkt_headroom(pkt);

	if (filter == NULL)
		return CONTROL_TRACE_WANTED;
	if (iface != NULL && inside(pkt, pkt->link_offset))
		return judge_at(filter, pkt, pkt->link_offset, strata_iface_link_type(iface));
	/* The driver has the whole frame; and it is the first to have one that comes in. */
	if (iface != NULL && (record->out ? record->self == iface->driver :
			      first && pkt->network_offset == 0))
		return judge_at(filter, pkt, data, strata_iface_link_type(iface));
	if (!record->out && inside(pkt, pkt->network_offset))
		return judge_unframed(filter, pkt);
	return record->drop != NULL ? judge_unframed(filter, pkt) : CONTROL_TRACE_UNKNOWN;
}

/* ---- a connection ---- */

static bool end_is(const struct strata_addr *want, uint16_t want_port, const struct strata_addr *addr,
		   uint16_t port)
{
	return (!strata_addr_is_set(want) || strata_addr_equal(want, addr)) &&
	       (want_port == 0 || want_port == port);
}

/* Either way round: on a loopback both ends are ours. */
static bool key_is(const struct strata_flow_key *want, const struct strata_flow_key *key)
{
	if (want->number != 0 && want->number != key->number)
		return false;
	return (end_is(&want->local, want->local_port, &key->local, key->local_port) &&
		end_is(&want->remote, want->remote_port, &key->remote, key->remote_port)) ||
	       (end_is(&want->local, want->local_port, &key->remote, key->remote_port) &&
		end_is(&want->remote, want->remote_port, &key->local, key->local_port));
}

static enum control_trace_verdict judge_follow(const struct control_trace_want *want,
					       const struct strata_trace_record *record)
{
	const struct strata_pkt *pkt = record->pkt;
	const uint8_t *ports = pkt->buf + pkt->transport_offset;
	struct strata_flow_key key = { .local = pkt->src, .remote = pkt->dst, .number = pkt->number };
	const bool other = pkt->network_offset != 0 &&
			   ((strata_addr_is_set(&want->key.local) &&
			     want->key.local.family != pkt->family) ||
			    (strata_addr_is_set(&want->key.remote) &&
			     want->key.remote.family != pkt->family));

	if (!want->follow)
		return CONTROL_TRACE_WANTED;
	if (other || (strata_addr_is_set(&pkt->src) && want->key.number != 0 &&
		      want->key.number != pkt->number))
		return CONTROL_TRACE_UNWANTED;
	if (pkt->transport_offset == 0 || !strata_addr_is_set(&pkt->src) ||
	    ports + PORTS_SIZE > pkt->data + pkt->len)
		return record->drop != NULL ? CONTROL_TRACE_UNWANTED : CONTROL_TRACE_UNKNOWN;
	key.local_port = strata_get_be16(ports);
	key.remote_port = strata_get_be16(ports + 2);
	return verdict_of(key_is(&want->key, &key));
}

/* ---- all of it ---- */

static enum control_trace_verdict judge_iface(const struct control_trace_want *want,
					      const struct strata_trace_record *record, bool first)
{
	const bool out = record->out || record->iface[0] == '\0';

	if (first && want->way != CONTROL_TRACE_BOTH && out != (want->way == CONTROL_TRACE_OUT))
		return CONTROL_TRACE_UNWANTED;
	if (want->iface[0] == '\0')
		return CONTROL_TRACE_WANTED;
	if (record->iface[0] != '\0')
		return verdict_of(strcmp(record->iface, want->iface) == 0);
	return record->drop != NULL ? CONTROL_TRACE_UNWANTED : CONTROL_TRACE_UNKNOWN;
}

enum control_trace_verdict control_trace_judge(const struct control_trace_want *want,
					       const struct strata_trace_record *record, bool first)
{
	const enum control_trace_verdict all[] = {
		judge_iface(want, record, first),
		judge_filter(want->filter, record, first),
		judge_follow(want, record),
	};
	enum control_trace_verdict result = CONTROL_TRACE_WANTED;
	size_t i;

	for (i = 0; i < STRATA_COUNT(all); i++) {
		if (all[i] == CONTROL_TRACE_UNWANTED)
			return CONTROL_TRACE_UNWANTED;
		if (all[i] == CONTROL_TRACE_UNKNOWN)
			result = CONTROL_TRACE_UNKNOWN;
	}
	return result;
}

bool control_trace_wants_event(const struct control_trace_want *want,
			       const struct strata_trace_record *record)
{
	const struct strata_field *f;

	if (want->follow) {
		for (f = record->fields; f->type != STRATA_FIELD_TYPE_END; f++)
			if (f->type == STRATA_FIELD_TYPE_FLOW && key_is(&want->key, f->flow))
				return true;
		return false;
	}
	return want->filter == NULL && want->iface[0] == '\0' && want->way == CONTROL_TRACE_BOTH;
}
