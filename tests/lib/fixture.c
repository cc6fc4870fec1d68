/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A fixture at work: time, frames in and out, counters, and how a failure is told.
 */
#include <strings.h>

#include "fixture_int.h"

/* A stack that wants to run so often without time passing has a timer that restarts itself. */
enum { STORM = 10000, LOG_TAIL = 2000, SHOWN = 5 };

/* ---- failing ---- */

void fx_fail(struct fixture *fx, const char *file, int line, const char *format, ...)
{
	char text[1024];
	va_list args;
	unsigned int n = 0;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	print_error("at %llu ms: %s\n", (unsigned long long)fx_ms(fx), text);
	if (fx->fault[0] != '\0')
		print_error("the stack sent a faulty frame: %s\n", fx->fault);
	for (const struct fx_frame *f = fx->first; f != NULL && n < SHOWN; f = f->next, n++) {
		struct fx_pkt pkt = { .time = f->time };

		fx_decode(&pkt, f->bytes, f->length, fx->config.bare);
		print_error("waiting: %s\n", fx_describe(&pkt, text, sizeof(text)));
	}
	if (fx->log != NULL)
		print_error("end of the log:\n%s",
			    fx->log + (fx->log_len > LOG_TAIL ? fx->log_len - LOG_TAIL : 0));
	_fail(file, line);
	abort();
}

void fx_check(struct fixture *fx, const char *file, int line)
{
	if (fx->fault[0] != '\0')
		fx_fail(fx, file, line, "a frame is not as it must be");
}

/* ---- time ---- */

/* Gives the stack the answers that answer_arp has made. */
static void pump(struct fixture *fx)
{
	while (fx->inbound != NULL) {
		struct fx_frame *frame = fx->inbound;

		fx->inbound = frame->next;
		if (fx->inbound == NULL)
			fx->inbound_end = &fx->inbound;
		strata_input(fx->iface, frame->bytes, frame->length, fx->now);
		free(frame);
	}
}

void fx_run_at(struct fixture *fx, uint64_t now)
{
	fx->now = now;
	strata_run(fx->stack, now);
	pump(fx);
}

void fx_run(struct fixture *fx)
{
	fx_run_at(fx, fx->now);
}

/* Runs timers in order up to `limit`; with `stop_at_frame` until one waits. */
static void pass(struct fixture *fx, uint64_t limit, bool stop_at_frame)
{
	unsigned int runs = 0;

	pump(fx);
	while (!stop_at_frame || fx->first == NULL) {
		uint64_t next = strata_next_timer(fx->stack);

		if (next > limit)
			break;
		runs = next > fx->now ? 0 : runs + 1;
		if (runs > STORM)
			fx_fail(fx, __FILE__, __LINE__, "timer storm: due at %llu ns, now %llu ns",
				(unsigned long long)next, (unsigned long long)fx->now);
		fx_run_at(fx, next > fx->now ? next : fx->now);
	}
	if (!stop_at_frame || fx->first == NULL)
		fx_run_at(fx, limit);
}

void fx_advance_ns(struct fixture *fx, uint64_t ns)
{
	if (fx->join != NULL)
		fx_join_run(fx->join, ns, NULL, NULL);
	else
		pass(fx, fx->now + ns, false);
}

bool fx_wait_frame(struct fixture *fx, uint64_t ns)
{
	pass(fx, fx->now + ns, true);
	return fx->first != NULL;
}

void fx_at(struct fixture *fx, uint64_t ms, const char *file, int line)
{
	uint64_t to = fx->epoch + ms * STRATA_MS;

	if (to < fx->now)
		fx_fail(fx, file, line, "at(%llu): that time has passed", (unsigned long long)ms);
	fx_advance_ns(fx, to - fx->now);
	fx_check(fx, file, line);
}

/* ---- frames ---- */

int fx_input(struct fixture *fx, const void *frame, size_t length)
{
	int result;

	if (fx->batched)
		return strata_input_batched(fx->iface, frame, length, fx->now);
	result = strata_input(fx->iface, frame, length, fx->now);
	pump(fx);
	return result;
}

static void input_one(struct fixture *fx, const struct fx_ip *ip, const void *payload, size_t length)
{
	size_t room = 14 + 60 + length + ip->pad + 4, at = 0;
	uint8_t *frame = malloc(room);

	assert_non_null(frame);
	if (!fx->config.bare)
		at = fx_build_eth(frame, ip->to_mac != NULL ? ip->to_mac : STACK_MAC,
				  ip->from_mac != NULL ? ip->from_mac : PEER_MAC, FX_ETH_IP);
	at += fx_build_ip(frame + at, ip, ip->id, payload, length);
	fx_input(fx, frame, at);
	free(frame);
}

void fx_input_ip(struct fixture *fx, const struct fx_ip *ip, uint8_t proto, const void *payload,
		 size_t length)
{
	struct fx_ip one = *ip;

	if (one.proto == 0)
		one.proto = proto;
	if (one.id == 0)
		one.id = ++fx->ip_id != 0 ? fx->ip_id : ++fx->ip_id;
	if (ip->fragment == 0) {
		input_one(fx, &one, payload, length);
		return;
	}
	for (size_t at = 0; at < length; at += ip->fragment) {
		size_t part = length - at < ip->fragment ? length - at : ip->fragment;

		one.offset = (uint16_t)(ip->offset + at);
		one.mf = ip->mf || at + part < length;
		input_one(fx, &one, (const uint8_t *)payload + at, part);
	}
}

const struct fx_pkt *fx_next(struct fixture *fx)
{
	struct fx_frame *frame = fx->first;

	if (frame == NULL)
		return NULL;
	fx->first = frame->next;
	if (fx->first == NULL)
		fx->end = &fx->first;
	free(fx->last);
	fx->last = frame;
	fx->pkt.time = frame->time;
	fx_decode(&fx->pkt, frame->bytes, frame->length, fx->config.bare);
	return &fx->pkt;
}

static bool same_packet(const struct fx_pkt *a, const struct fx_pkt *b)
{
	return b->ethertype == FX_ETH_IP && !b->whole && a->ip.id == b->ip.id &&
	       a->ip.src == b->ip.src && a->ip.dst == b->ip.dst && a->ip.proto == b->ip.proto;
}

const struct fx_pkt *fx_next_whole(struct fixture *fx, const char **what)
{
	const struct fx_pkt *pkt = fx_next(fx);
	struct fx_pkt first;
	size_t have = 0, total = SIZE_MAX;

	if (pkt == NULL || pkt->ethertype != FX_ETH_IP || pkt->whole)
		return pkt;
	if (fx->reassembled == NULL)
		fx->reassembled = malloc(FX_FRAME_MAX + 65536);
	assert_non_null(fx->reassembled);
	first = *pkt;
	while (have != total) {
		if (pkt == NULL || !same_packet(&first, pkt)) {
			*what = "a fragment is missing or not sent in sequence";
			return NULL;
		}
		memcpy(fx->reassembled + pkt->ip.offset, pkt->transport, pkt->transport_len);
		have += pkt->transport_len;
		if (!pkt->ip.mf)
			total = pkt->ip.offset + pkt->transport_len;
		if (have != total)
			pkt = fx_next(fx);
	}
	*what = fx_decode_transport(&fx->pkt, fx->reassembled, total);
	return *what == NULL ? &fx->pkt : NULL;
}

size_t fx_waiting(const struct fixture *fx)
{
	size_t n = 0;

	for (const struct fx_frame *f = fx->first; f != NULL; f = f->next)
		n++;
	return n;
}

/* ---- counters and drops ---- */

struct find {
	const char *name;
	const struct strata_instance *found;
};

static void find_one(void *ctx, const struct strata_module_view *view)
{
	struct find *find = ctx;

	if (find->found == NULL && strcmp(view->instance->name, find->name) == 0)
		find->found = view->instance;
}

const struct strata_instance *fx_instance(struct fixture *fx, const char *name)
{
	struct find find = { .name = name };

	strata_inspect_modules(fx->stack, find_one, &find);
	if (find.found == NULL)
		fx_fail(fx, __FILE__, __LINE__, "no module %s is running", name);
	return find.found;
}

uint64_t fx_counter(struct fixture *fx, const char *module, const char *counter)
{
	const struct strata_instance *instance = fx_instance(fx, module);

	for (size_t i = 0; i < instance->module->counter_count; i++)
		if (strcmp(instance->module->counters[i].name, counter) == 0)
			return instance->counters[i];
	fx_fail(fx, __FILE__, __LINE__, "%s has no counter %s", module, counter);
}

uint64_t fx_drops(struct fixture *fx, const char *module, const char *reason)
{
	const struct strata_instance *instance = fx_instance(fx, module);

	for (size_t i = 0; i < instance->module->drop_count; i++)
		if (strcasecmp(instance->module->drops[i].name, reason) == 0)
			return instance->drops[i];
	fx_fail(fx, __FILE__, __LINE__, "%s has no drop reason %s", module, reason);
}

static void mark_one(void *ctx, const struct strata_module_view *view)
{
	struct fixture *fx = ctx;
	const struct strata_instance *instance = view->instance;
	struct fx_drop_mark *mark = &fx->marks[fx->mark_count];
	size_t count = instance->module->drop_count;

	if (fx->mark_count == STRATA_COUNT(fx->marks))
		return;
	snprintf(mark->module, sizeof(mark->module), "%s", instance->name);
	if (mark->drops == NULL || mark->count != count) {
		free(mark->drops);
		mark->drops = calloc(count + 1, sizeof(*mark->drops));
		assert_non_null(mark->drops);
	}
	mark->count = (unsigned int)count;
	if (count != 0)
		memcpy(mark->drops, instance->drops, count * sizeof(*mark->drops));
	fx->mark_count++;
}

void fx_mark(struct fixture *fx)
{
	unsigned int before = fx->mark_count;

	fx->mark_count = 0;
	strata_inspect_modules(fx->stack, mark_one, fx);
	for (unsigned int i = fx->mark_count; i < before; i++) {
		free(fx->marks[i].drops);
		fx->marks[i].drops = NULL;
	}
}
