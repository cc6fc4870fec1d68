/* SPDX-License-Identifier: BSD-2-Clause */
/* The stream `trace`: what its parameters mean, and what becomes of steps that nobody takes. */
#include "house.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static void swallow(void *ctx, struct strata_iface *iface, const void *frame, size_t length)
{
	(void)ctx;
	(void)iface;
	(void)frame;
	(void)length;
}

static struct strata_iface *w0(struct house *h)
{
	return strata_iface_by_name(h->stack, "w0");
}

static int begin(struct house *h, const char *members)
{
	char request[1024];
	int fd = client(h);

	strata_iface_set_output(w0(h), swallow, NULL);
	snprintf(request, sizeof(request), "'method':'trace'%s%s", members[0] != '\0' ? "," : "", members);
	json_decref(ask_ok(h, fd, request));
	return fd;
}

/* A datagram from a port of the peer to one that nobody listens on. */
static void receive(struct house *h, uint16_t from, uint16_t to)
{
	const struct fx_ip ip = { .proto = IPPROTO_UDP };
	uint8_t frame[200], datagram[16] = { 0 };
	size_t length;

	strata_put_be16(datagram, from);
	strata_put_be16(datagram + 2, to);
	strata_put_be16(datagram + 4, sizeof(datagram));
	fx_build_eth(frame, STACK_MAC, PEER_MAC, FX_ETH_IP);
	length = 14 + fx_build_ip(frame + 14, &ip, 1, datagram, sizeof(datagram));
	assert_int_equal(strata_input(w0(h), frame, length, h->now), 0);
}

/* What was heard of a stream that was then stopped. */
struct heard {
	unsigned int steps, drops, gaps;
	json_int_t lost;		/* as the end says */
	json_int_t gap_lost;		/* as the events `lost` say */
	json_int_t first, last;		/* packets' numbers */
	char modules[256];		/* each once, in order */
	char lines[8192];
};

static void hear_step(struct heard *heard, const json_t *data)
{
	const char *module = json_string_value(json_object_get(data, "module"));
	json_int_t packet = json_integer_value(json_object_get(data, "packet"));
	size_t used = strlen(heard->lines);

	assert_true(json_is_integer(json_object_get(data, "time")));
	heard->steps++;
	heard->drops += json_object_get(data, "drop") != NULL;
	if (packet != 0 && heard->first == 0)
		heard->first = packet;
	if (packet != 0)
		heard->last = packet;
	if (strstr(heard->modules, module) == NULL) {
		strncat(heard->modules, module, sizeof(heard->modules) - strlen(heard->modules) - 2);
		strcat(heard->modules, " ");
	}
	snprintf(heard->lines + used, sizeof(heard->lines) - used, "%s\n",
		 json_string_value(json_object_get(data, "line")));
}

static void hear_all(struct house *h, int fd, struct heard *heard, bool stop)
{
	bool ended = false;

	memset(heard, 0, sizeof(*heard));
	if (stop)
		say(fd, "{\"v\":1,\"method\":\"stop\"}\n");
	while (!ended) {
		json_t *event = hear(h, fd);
		const char *name = json_string_value(json_object_get(event, "event"));
		const json_t *data = json_object_get(event, "data");

		assert_non_null(name);
		if (strcmp(name, "trace") == 0)
			hear_step(heard, data);
		if (strcmp(name, "lost") == 0) {
			heard->gaps++;
			heard->gap_lost += json_integer_value(json_object_get(data, "events"));
		}
		ended = strcmp(name, "end") == 0;
		if (ended)
			heard->lost = json_integer_value(json_object_get(data, "lost"));
		json_decref(event);
	}
	close(fd);
	settle(h);
}

static void every_step_is_an_event(void **state)
{
	struct house h;
	struct heard heard;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = begin(&h, "");
	receive(&h, 4000, 9);
	hear_all(&h, fd, &heard, true);
	assert_int_equal(heard.drops, 1);
	assert_int_equal(heard.lost, 0);
	assert_string_equal(heard.modules, "kernel ethernet ipv4 udp icmp arp wire ");
	assert_non_null(strstr(heard.lines, "DROP no_flow: "));
	assert_non_null(strstr(heard.lines, "192.0.2.1:4000 → 192.0.2.2:9, 8 bytes, checksum none\n"));
	house_close(&h);
}

static void a_filter_sees_the_frame_and_a_walk_is_whole(void **state)
{
	struct house h;
	struct heard heard;
	int fd;

	(void)state;
	house_open(&h, house_network);
	/* Ethernet: the protocol, byte 23, is 1: the answer is wanted, what it is about and ARP are not. */
	fd = begin(&h, "'filter':{'text':'icmp','programs':[{'link_type':1,'code':"
		   "[[48,0,0,23],[21,0,1,1],[6,0,0,65535],[6,0,0,0]]}]}");
	assert_int_equal(strata_neigh_set(w0(&h), &(struct strata_addr){ .family = 0x0800, .length = 4,
			 .bytes = { 192, 0, 2, 1 } }, &(struct strata_lladdr){ 6, { 2, 0, 0, 0, 0, 1 } }), 0);
	receive(&h, 4000, 9);
	hear_all(&h, fd, &heard, true);
	assert_int_equal(heard.first, heard.last);
	/* What it told before it had a frame comes first. */
	assert_memory_equal(heard.modules, "icmp ", 5);
	assert_non_null(strstr(heard.modules, "wire"));
	assert_null(strstr(heard.modules, "udp"));
	assert_int_equal(heard.lost, 0);
	house_close(&h);
}

static void a_connection_is_told_from_the_first_step_on(void **state)
{
	struct house h;
	struct heard heard;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = begin(&h, "'follow':{'local':{'port':9},'remote':{'address':'192.0.2.1','port':4001}}");
	receive(&h, 4000, 9);
	receive(&h, 4001, 9);
	receive(&h, 4002, 9);
	hear_all(&h, fd, &heard, true);
	assert_int_equal(heard.drops, 1);
	assert_int_equal(heard.first, heard.last);
	assert_memory_equal(heard.lines, "in on w0, ", 10);
	assert_non_null(strstr(heard.lines, "192.0.2.1:4001 → 192.0.2.2:9"));
	assert_null(strstr(heard.lines, ":4000"));
	assert_null(strstr(heard.lines, ":4002"));
	house_close(&h);
}

static void discards_come_with_their_walk_and_nothing_else(void **state)
{
	struct house h;
	struct heard heard;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = begin(&h, "'drops':true,'direction':'in','interface':'w0'");
	receive(&h, 4000, 9);
	receive(&h, 4000, 10);
	hear_all(&h, fd, &heard, true);
	assert_int_equal(heard.drops, 2);
	assert_memory_equal(heard.lines, "in on w0, ", 10);
	assert_null(strstr(heard.modules, "wire"));
	assert_int_equal(heard.lost, 0);
	house_close(&h);
}

static void it_ends_after_so_many_packets(void **state)
{
	struct house h;
	struct heard heard;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = begin(&h, "'count':2,'direction':'in','modules':['udp','ipv4']");
	receive(&h, 4000, 9);
	receive(&h, 4001, 9);
	receive(&h, 4002, 9);
	hear_all(&h, fd, &heard, false);
	assert_string_equal(heard.modules, "ipv4 udp ");
	assert_non_null(strstr(heard.lines, ":4001"));
	assert_null(strstr(heard.lines, ":4002"));
	house_close(&h);
}

static void a_client_that_does_not_read_loses_steps_and_is_told(void **state)
{
	struct house h;
	struct heard heard;
	size_t memory;
	int fd, i;

	(void)state;
	house_open(&h, house_network);
	fd = begin(&h, "");
	for (i = 0; i < 1000; i++)
		receive(&h, 4000, (uint16_t)(1000 + i));
	memory = strata_memory_used(h.stack);
	for (i = 0; i < 3000; i++)
		receive(&h, 4000, (uint16_t)(2000 + i));
	/* It holds what it held, but for what tables of the traffic itself have. */
	assert_in_range(strata_memory_used(h.stack), 0, memory + 65536);
	assert_true(counter(&h, "stream_lost") > 1000);
	hear_all(&h, fd, &heard, true);
	assert_true(heard.lost > 1000);
	assert_int_equal(heard.lost, counter(&h, "stream_lost"));
	assert_true(heard.steps > 1000);
	house_close(&h);
}

static void steps_that_wait_for_a_verdict_are_bounded(void **state)
{
	struct house h;
	struct heard heard;
	size_t memory;
	int fd, i;

	(void)state;
	house_open(&h, house_network);
	memory = strata_memory_used(h.stack);
	/* Nothing is discarded on its way out: the steps of all wait, and are forgotten. */
	fd = begin(&h, "'drops':true,'direction':'out','interface':'w0'");
	for (i = 0; i < 2000; i++)
		receive(&h, 4000, (uint16_t)(1000 + i));
	assert_in_range(strata_memory_used(h.stack), 0, memory + 2 * 1024 * 1024);
	hear_all(&h, fd, &heard, true);
	assert_int_equal(heard.lost, 0);
	house_close(&h);
}

static void wrong_parameters_are_refused_with_a_sentence(void **state)
{
	static const struct {
		const char *members, *code, *part;
	} cases[] = {
		{ "'interface':'w9'", "not_found", "w9" },
		{ "'direction':'up'", "invalid", "in, out or both" },
		{ "'modules':['upd']", "not_found", "did you mean \"udp\"" },
		{ "'modules':[7]", "invalid", "array" },
		{ "'follow':{}", "invalid", "`local` and `remote`" },
		{ "'follow':{'fd':99}", "not_found", "99" },
		{ "'follow':{'fd':'x'}", "invalid", "number" },
		{ "'follow':{'local':{'port':65536}}", "invalid", "65535" },
		{ "'follow':{'local':{'address':'nowhere'}}", "invalid", "nowhere" },
		{ "'follow':{'number':256,'local':{}}", "invalid", "255" },
		{ "'filter':{'text':'x','programs':[{'link_type':1,'code':[[6,0,0]]}]}", "invalid", "filter" },
		{ "'count':0", "bad_request", "count" },
		{ "'drop':true", "bad_request", "did you mean \"drops\"" },
	};
	struct house h;
	char request[512];
	size_t i;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = client(&h);
	for (i = 0; i < STRATA_COUNT(cases); i++) {
		snprintf(request, sizeof(request), "'method':'trace',%s", cases[i].members);
		ask_refused(&h, fd, request, cases[i].code, cases[i].part);
		assert_false(h.stack->tracing);
	}
	close(fd);
	settle(&h);
	house_close(&h);
}

static void a_client_that_hangs_up_takes_its_trace_along(void **state)
{
	struct house h;
	int fd;

	(void)state;
	house_open(&h, house_network);
	fd = begin(&h, "'filter':{'text':'','programs':[{'link_type':1,'code':[[6,0,0,1]]}]}");
	assert_true(h.stack->tracing);
	close(fd);
	settle(&h);
	receive(&h, 4000, 9);
	assert_false(h.stack->tracing);
	house_close(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_is_an_event),
		cmocka_unit_test(a_filter_sees_the_frame_and_a_walk_is_whole),
		cmocka_unit_test(a_connection_is_told_from_the_first_step_on),
		cmocka_unit_test(discards_come_with_their_walk_and_nothing_else),
		cmocka_unit_test(it_ends_after_so_many_packets),
		cmocka_unit_test(a_client_that_does_not_read_loses_steps_and_is_told),
		cmocka_unit_test(steps_that_wait_for_a_verdict_are_bounded),
		cmocka_unit_test(wrong_parameters_are_refused_with_a_sentence),
		cmocka_unit_test(a_client_that_hangs_up_takes_its_trace_along),
	};

	return fx_main(tests);
}
