/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole walks, step by step: what a learner sees of a ping, a datagram, a connection and of discards. Each
 * step is expected in its place, with its module, its direction and what it must say.
 */
#include "scenario.h"

#include <strata/trace.h>

enum { STEPS = 200 };

struct step {
	char way[4], module[16], line[STRATA_TRACE_TEXT];
	uint32_t id, cause;
};

struct walk {
	struct fixture *fx;
	struct strata_trace_sink sink;
	struct step steps[STEPS];
	size_t count, seen;
};

static void keep(void *ctx, const struct strata_trace_record *record)
{
	struct walk *walk = ctx;
	struct step *step = &walk->steps[walk->count];

	assert_true(walk->count < STEPS);
	walk->count++;
	step->id = record->id;
	step->cause = record->cause;
	snprintf(step->way, sizeof(step->way), "%s", record->id == 0 ? "-" :
		 record->out || record->iface[0] == '\0' ? "out" : "in");
	snprintf(step->module, sizeof(step->module), "%s", record->module);
	strata_trace_text(record, step->line, sizeof(step->line));
}

static void watch(struct walk *walk, struct fixture *fx)
{
	memset(walk, 0, sizeof(*walk));
	walk->fx = fx;
	walk->sink.step = keep;
	walk->sink.ctx = walk;
	strata_trace_sink_add(fx->stack, &walk->sink);
}

/* The next step: its way and module, and a part of its line; returns it. */
static const struct step *expect_step(struct walk *walk, const char *way, const char *module,
				      const char *part)
{
	const struct step *step = &walk->steps[walk->seen];

	if (walk->seen >= walk->count)
		fail_msg("no step is left where %s %s \"%s\" was expected", way, module, part);
	walk->seen++;
	if (strcmp(step->way, way) != 0 || strcmp(step->module, module) != 0 ||
	    strstr(step->line, part) == NULL)
		fail_msg("step %zu: expected %s %s \"%s\", found %s %s \"%s\"", walk->seen, way, module,
			 part, step->way, step->module, step->line);
	return step;
}

static void expect_no_step(struct walk *walk)
{
	if (walk->seen != walk->count)
		fail_msg("unexpected step: %s %s \"%s\"", walk->steps[walk->seen].way,
			 walk->steps[walk->seen].module, walk->steps[walk->seen].line);
}

/* What every frame that goes out ends with. */
static void expect_way_out(struct walk *walk)
{
	expect_step(walk, "out", "kernel",
		    "by w0, neighbour 192.0.2.1 at 02:00:00:00:00:01 PERMANENT");
	expect_step(walk, "out", "ethernet", "02:00:00:00:00:02 → 02:00:00:00:00:01, type 0x0800");
	expect_step(walk, "out", "kernel", "out on w0");
	expect_step(walk, "out", "wire", "→ embedder");
}

static const struct step *expect_way_in(struct walk *walk)
{
	const struct step *first = expect_step(walk, "in", "kernel", "in on w0");

	expect_step(walk, "in", "ethernet", "02:00:00:00:00:01 → 02:00:00:00:00:02, type 0x0800");
	return first;
}

static void a_ping_is_told_from_the_wire_to_the_reply(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp");
	static struct walk walk;
	uint32_t id;

	(void)state;
	watch(&walk, fx);
	rx_icmp(.type = 8, .id = 7, .seq = 1, .text = "hello");
	expect_icmp(.type = 0, .id = 7, .seq = 1, .text = "hello");
	id = expect_way_in(&walk)->id;
	expect_step(&walk, "in", "ipv4", "192.0.2.1 → 192.0.2.2, protocol 1, 33 bytes, ttl 64");
	expect_step(&walk, "in", "icmp", "type 8, code 0, 13 bytes, checksum good");
	expect_step(&walk, "in", "icmp", "echo request id 7 seq 1, 5 bytes → reply");
	assert_int_equal(expect_step(&walk, "-", "kernel", "to 192.0.2.1, kind unicast, route "
				     "192.0.2.0/24 dev w0, source 192.0.2.2, mtu 1500")->cause, id);
	assert_int_equal(expect_step(&walk, "out", "ipv4", "192.0.2.2 → 192.0.2.1, protocol 1, "
				     "33 bytes, ttl 64")->id, id);
	expect_way_out(&walk);
	expect_no_step(&walk);
	strata_trace_sink_remove(fx->stack, &walk.sink);
	fx_close(fx);
}

static void a_datagram_is_told_to_its_socket_and_from_it(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp udp");
	int s = fx_socket(fx, SOCK_DGRAM, 0);
	static struct walk walk;
	char socket[64];

	(void)state;
	fx_bind(fx, s, 0, 7);
	snprintf(socket, sizeof(socket), "5 bytes, socket %d UNCONNECTED 0.0.0.0:7 ↔ *:*: queued", s);
	watch(&walk, fx);
	rx_udp(.sport = 4000, .dport = 7, .text = "hello");
	expect_way_in(&walk);
	expect_step(&walk, "in", "ipv4", "protocol 17, 33 bytes");
	expect_step(&walk, "in", "udp", "192.0.2.1:4000 → 192.0.2.2:7, 5 bytes, checksum good");
	expect_step(&walk, "in", "udp", socket);
	expect_no_step(&walk);
	fx_sendto(fx, s, "reply", 5, PEER_IP, 4000);
	expect_udp(.sport = 7, .dport = 4000, .text = "reply");
	expect_step(&walk, "-", "kernel", "to 192.0.2.1, kind unicast");
	expect_step(&walk, "out", "udp", "192.0.2.2:7 → 192.0.2.1:4000, 5 bytes, socket");
	expect_step(&walk, "out", "ipv4", "192.0.2.2 → 192.0.2.1, protocol 17");
	expect_way_out(&walk);
	expect_no_step(&walk);
	strata_trace_sink_remove(fx->stack, &walk.sink);
	fx_close(fx);
}

static void a_port_that_nobody_has_is_told_with_the_answer(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp udp");
	static struct walk walk;
	uint32_t id;

	(void)state;
	watch(&walk, fx);
	rx_udp(.sport = 4000, .dport = 9, .text = "hello");
	expect_ip();
	id = expect_way_in(&walk)->id;
	expect_step(&walk, "in", "ipv4", "for this host");
	expect_step(&walk, "in", "udp", "192.0.2.1:4000 → 192.0.2.2:9");
	expect_step(&walk, "in", "udp", "nobody at this port: port unreachable");
	assert_int_equal(expect_step(&walk, "out", "icmp", "(type 3 code 3) → tell 192.0.2.1")->cause, id);
	expect_step(&walk, "-", "kernel", "to 192.0.2.1, kind unicast");
	expect_step(&walk, "out", "ipv4", "protocol 1");
	expect_way_out(&walk);
	assert_int_equal(expect_step(&walk, "in", "kernel", "DROP no_flow: ")->id, id);
	expect_no_step(&walk);
	strata_trace_sink_remove(fx->stack, &walk.sink);
	fx_close(fx);
}

static void a_handshake_data_and_a_close_are_told(void **state)
{
	struct fixture *fx = fx_open();
	int listener = fx_socket(fx, SOCK_STREAM, 0), s;
	static struct walk walk;

	(void)state;
	fx_bind(fx, listener, 0, 80);
	fx_listen(fx, listener, 5);
	watch(&walk, fx);
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK);
	expect_way_in(&walk);
	expect_step(&walk, "in", "ipv4", "protocol 6");
	expect_step(&walk, "in", "tcp", "port 40000 → 80, SYN, seq 1000, ack 0");
	assert_non_null(strstr(walk.steps[walk.seen - 1].line, "LISTEN 0.0.0.0:80 ↔ *:*"));
	expect_step(&walk, "-", "kernel", "to 192.0.2.1");
	expect_step(&walk, "in", "tcp", "half-open, answers SYN ACK");
	expect_step(&walk, "out", "tcp", "port 80 → 40000, SYN ACK, ");
	expect_step(&walk, "out", "ipv4", "DF");
	expect_way_out(&walk);
	expect_no_step(&walk);

	rx(ACK);
	expect_way_in(&walk);
	expect_step(&walk, "in", "ipv4", "protocol 6");
	expect_step(&walk, "in", "tcp", "half-open connection");
	expect_step(&walk, "-", "tcp", "CLOSED → SYN-RECEIVED, 192.0.2.2:80 ↔ 192.0.2.1:40000");
	expect_step(&walk, "-", "tcp", "SYN-RECEIVED → ESTABLISHED");
	expect_step(&walk, "in", "tcp", ": 1 acknowledged");
	expect_no_step(&walk);
	s = fx_accept(fx, listener);

	rx(ACK | PSH, .text = "hello");
	expect_tx(ACK);
	expect_way_in(&walk);
	expect_step(&walk, "in", "ipv4", "protocol 6");
	expect_step(&walk, "in", "tcp", "PSH ACK, seq 1001");
	assert_non_null(strstr(walk.steps[walk.seen - 1].line,
			       "ESTABLISHED 192.0.2.2:80 ↔ 192.0.2.1:40000"));
	expect_step(&walk, "-", "tcp", "5 bytes, rcv nxt 1006, holes 0 → receive queue");
	expect_step(&walk, "out", "tcp", "state ESTABLISHED, port 80 → 40000, ACK, ");
	expect_step(&walk, "out", "ipv4", "protocol 6");
	expect_way_out(&walk);
	expect_no_step(&walk);

	fx_close_socket(fx, s);
	expect_tx(RST | ACK);	/* what it had not read is lost, and the peer is told */
	while (walk.seen < walk.count && strstr(walk.steps[walk.seen].line, "ESTABLISHED → CLOSED") == NULL)
		walk.seen++;
	assert_true(walk.seen < walk.count);
	strata_trace_sink_remove(fx->stack, &walk.sink);
	fx_close(fx);
}

static void a_segment_sent_again_says_why(void **state)
{
	struct fixture *fx = fx_open(.options = "tcp.tail_loss_probe=false");
	int listener = fx_socket(fx, SOCK_STREAM, 0), s;
	static struct walk walk;
	size_t i;
	bool timer = false, again = false;

	(void)state;
	fx_bind(fx, listener, 0, 80);
	fx_listen(fx, listener, 5);
	rx(SYN, .mss = 1460);
	expect_tx(SYN | ACK);
	rx(ACK);
	s = fx_accept(fx, listener);
	watch(&walk, fx);
	fx_send(fx, s, "hello", 5);
	expect_tx(ACK | PSH, .text = "hello");
	expect_tx(ACK | PSH, .text = "hello", .within = 2000);
	for (i = 0; i < walk.count; i++) {
		timer |= strstr(walk.steps[i].line, "timer retransmission") != NULL &&
			 strstr(walk.steps[i].line, "192.0.2.2:80 ↔ 192.0.2.1:40000") != NULL;
		again |= strstr(walk.steps[i].line, "again: the retransmission timer fired") != NULL;
	}
	assert_true(timer);
	assert_true(again);
	strata_trace_sink_remove(fx->stack, &walk.sink);
	fx_close(fx);
}

static void what_is_wrong_is_told_with_its_reason(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp udp");
	static struct walk walk;
	static const uint8_t runt[] = { 1, 2, 3 };

	(void)state;
	watch(&walk, fx);
	rx_frame(runt, sizeof(runt));
	expect_step(&walk, "in", "kernel", "in on w0, 3 bytes");
	expect_step(&walk, "in", "ethernet", "DROP truncated: ");
	rx_ip(99, "x", 1);
	expect_ip();
	expect_way_in(&walk);
	expect_step(&walk, "in", "ipv4", "protocol 99");
	expect_step(&walk, "in", "kernel", "no transport 99: protocol unreachable");
	strata_trace_sink_remove(fx->stack, &walk.sink);
	fx_close(fx);
}

static void a_packet_waits_for_its_neighbour_and_says_so(void **state)
{
	struct fixture *fx = fx_open(.modules = "ethernet arp ipv4 icmp udp", .resolve = true);
	int s = fx_socket(fx, SOCK_DGRAM, 0);
	static struct walk walk;

	(void)state;
	watch(&walk, fx);
	fx_sendto(fx, s, "hello", 5, PEER_IP, 4000);
	expect_step(&walk, "-", "kernel", "to 192.0.2.1");
	expect_step(&walk, "out", "udp", "192.0.2.1:4000");
	expect_step(&walk, "out", "ipv4", "protocol 17");
	expect_step(&walk, "out", "kernel", "waits for the link address of 192.0.2.1");
	expect_step(&walk, "out", "arp", "who has 192.0.2.1? tell 192.0.2.2 at 02:00:00:00:00:02");
	fx_advance(fx, 5000);
	while (walk.seen < walk.count && strstr(walk.steps[walk.seen].line, "no answer: given up") == NULL)
		walk.seen++;
	expect_step(&walk, "-", "kernel", "neighbour 192.0.2.1 INCOMPLETE, probes 3: no answer: given up");
	expect_step(&walk, "out", "kernel", "DROP neigh_failed: ");
	strata_trace_sink_remove(fx->stack, &walk.sink);
	while (fx_wait_frame(fx, 0))
		expect_arp(1);
	fx_close(fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ping_is_told_from_the_wire_to_the_reply),
		cmocka_unit_test(a_datagram_is_told_to_its_socket_and_from_it),
		cmocka_unit_test(a_port_that_nobody_has_is_told_with_the_answer),
		cmocka_unit_test(a_handshake_data_and_a_close_are_told),
		cmocka_unit_test(a_segment_sent_again_says_why),
		cmocka_unit_test(what_is_wrong_is_told_with_its_reason),
		cmocka_unit_test(a_packet_waits_for_its_neighbour_and_says_so),
	};

	return fx_main(tests);
}
