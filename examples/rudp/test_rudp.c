/* SPDX-License-Identifier: BSD-2-Clause */
/* SPDX-FileCopyrightText: Ann Author */
/* Two hosts with rudp and links as bad as can be, in virtual time: strata-sim(7). */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <strata/sim.h>

enum { PROTOCOL = 253, PORT = 7, DATAGRAMS = 1000 };

/* One end: what it has sent, and what has come. Datagram n is n and up to 1399 bytes that tell it. */
struct end {
	struct strata_sim *sim;
	struct strata_sim_host *host;
	struct strata_stack *stack;
	int s;
	uint32_t sent, received;
	ssize_t refused;		/* what send said last when it did not take one */
};

static size_t fill(uint32_t number, uint8_t *buf)
{
	size_t length = 4 + number * 7919 % 1400;

	strata_sim_stream(number, 0, buf, length);
	strata_put_be32(buf, number);
	return length;
}

/* Everything that has come: each must be the one that is awaited, with its own bytes. */
static void receive(struct end *end)
{
	uint8_t buf[4096], wanted[4096];
	ssize_t n;

	while ((n = strata_recv(end->stack, end->s, buf, sizeof(buf), 0)) >= 0) {
		if ((size_t)n != fill(end->received, wanted) || memcmp(buf, wanted, (size_t)n) != 0)
			strata_sim_fault(end->sim, "expected datagram %u, found %u", end->received,
					 n >= 4 ? strata_get_be32(buf) : UINT32_MAX);
		end->received++;
	}
}

static void ready(struct strata_stack *stack, int s, uint32_t events, void *arg)
{
	(void)stack;
	(void)s;
	(void)events;
	receive(arg);
}

static int open_socket(struct end *end, uint16_t port)
{
	struct sockaddr_in here = { .sin_family = AF_INET, .sin_port = htons(port) };

	end->s = strata_socket(end->stack, AF_INET, SOCK_DGRAM, PROTOCOL);
	if (end->s < 0 || strata_bind(end->stack, end->s, (struct sockaddr *)&here, sizeof(here)) < 0)
		strata_sim_fault(end->sim, "no socket");
	end->sent = end->received = 0;
	return strata_notify(end->stack, end->s, ready, end);
}

/* Sends up to `count` more, until the socket takes no more. `host` is the last byte of 192.0.2.0/24. */
static void say(struct end *end, uint32_t host, uint16_t port, uint32_t count)
{
	struct sockaddr_in there = { .sin_family = AF_INET, .sin_port = htons(port) };
	uint8_t buf[4096];

	there.sin_addr.s_addr = htonl(0xc0000200 + host);
	for (; count > 0; count--, end->sent++) {
		size_t length = fill(end->sent, buf);

		end->refused = strata_sendto(end->stack, end->s, buf, length, 0, (struct sockaddr *)&there,
					     sizeof(there));
		if (end->refused != (ssize_t)length)
			return;
		end->refused = 0;
	}
}

/* Hosts 192.0.2.1 and 192.0.2.2. Returns the link; NULL after a fault. */
static struct strata_sim_link *build(struct strata_sim *sim, const char *options,
				     const struct strata_impairment *how, struct end ends[2])
{
	struct strata_sim_link *link;

	for (int i = 0; i < 2; i++) {
		struct strata_sim_host_config config = {
			.address = i == 0 ? "192.0.2.1/24" : "192.0.2.2/24", .options = options,
			.modules = "ethernet arp ipv4 icmp rudp",
		};

		ends[i] = (struct end){ .sim = sim, .host = strata_sim_host(sim, &config) };
		if (ends[i].host == NULL)
			return NULL;
		ends[i].stack = strata_sim_stack(ends[i].host);
	}
	link = strata_sim_link(sim, strata_sim_port(ends[0].host), strata_sim_port(ends[1].host), how);
	strata_sim_settle(sim);
	open_socket(&ends[0], PORT);
	open_socket(&ends[1], PORT);
	return link;
}

/* Both say DATAGRAMS to each other, as fast as the sockets take them, for at most `seconds`. */
static void converse(struct end ends[2], unsigned int seconds)
{
	struct strata_sim *sim = ends[0].sim;

	for (unsigned int i = 0; i < seconds * 100 && strata_sim_faulty(sim) == NULL; i++) {
		say(&ends[0], 2, PORT, DATAGRAMS - ends[0].sent);
		say(&ends[1], 1, PORT, DATAGRAMS - ends[1].sent);
		strata_sim_run(sim, 10 * STRATA_MS, NULL, NULL);
		if (ends[0].received == DATAGRAMS && ends[1].received == DATAGRAMS)
			return;
	}
	strata_sim_fault(sim, "after %u s %u and %u of %u datagrams have arrived", seconds, ends[0].received,
			 ends[1].received, DATAGRAMS);
}

static uint64_t counter(const struct end *end, const char *name)
{
	return strata_sim_counter(end->host, "rudp", name);
}

static void expect(struct end *end, const char *what, uint64_t found, uint64_t wanted)
{
	if (found != wanted)
		strata_sim_fault(end->sim, "%s: expected %llu, found %llu", what, (unsigned long long)wanted,
				 (unsigned long long)found);
}

/* ---- cases ---- */

static const struct strata_impairment good = { .delay = 10 * STRATA_MS };
static const struct strata_impairment bad = {
	.delay = 10 * STRATA_MS, .jitter = 5 * STRATA_MS, .loss = STRATA_PERCENT(30),
	.duplicate = STRATA_PERCENT(10), .reorder = STRATA_PERCENT(20), .reorder_depth = 16,
	.corrupt = STRATA_PERCENT(3),
};

static void each_arrives_once_and_in_order(struct strata_sim *sim, unsigned int scale)
{
	struct end ends[2];

	(void)scale;
	if (build(sim, NULL, &bad, ends) == NULL)
		return;
	converse(ends, 600);
	expect(&ends[1], "delivered", counter(&ends[1], "delivered"), DATAGRAMS);
	if (counter(&ends[1], "duplicate") == 0 || counter(&ends[1], "checksum") == 0)
		strata_sim_fault(sim, "the link was not bad");
}

static void a_good_link_sees_nothing_twice(struct strata_sim *sim, unsigned int scale)
{
	struct end ends[2];

	(void)scale;
	if (build(sim, NULL, &good, ends) == NULL)
		return;
	converse(ends, 60);
	strata_sim_run(sim, STRATA_SEC, NULL, NULL);
	expect(&ends[0], "retransmissions", counter(&ends[0], "retransmissions"), 0);
	expect(&ends[0], "out_data", counter(&ends[0], "out_data"), DATAGRAMS);
	expect(&ends[0], "in_acks", counter(&ends[0], "in_acks"), DATAGRAMS);
}

static void a_black_out_fills_the_buffer_and_no_more(struct strata_sim *sim, unsigned int scale)
{
	struct strata_sim_link *link;
	struct end ends[2];

	(void)scale;
	link = build(sim, "rudp.sndbuf=32KiB", &good, ends);
	if (link == NULL)
		return;
	strata_sim_link_dark(link, STRATA_SIM_BOTH, strata_sim_now(sim), strata_sim_now(sim) + 10 * STRATA_SEC);
	say(&ends[0], 2, PORT, DATAGRAMS);
	if (ends[0].refused != -EAGAIN || ends[0].sent >= DATAGRAMS / 2)
		strata_sim_fault(sim, "%u datagrams were taken", ends[0].sent);
	if ((strata_events(ends[0].stack, ends[0].s) & EPOLLOUT) != 0)
		strata_sim_fault(sim, "the full socket is writable");
	converse(ends, 60);
}

static void who_never_answers_is_given_up(struct strata_sim *sim, unsigned int scale)
{
	struct strata_sim_link *link;
	struct end ends[2];

	(void)scale;
	link = build(sim, "rudp.retries=3", &good, ends);
	if (link == NULL)
		return;
	strata_sim_link_dark(link, STRATA_SIM_BOTH, strata_sim_now(sim), strata_sim_now(sim) + 20 * STRATA_SEC);
	say(&ends[0], 2, PORT, 10);
	strata_sim_run(sim, 20 * STRATA_SEC, NULL, NULL);
	expect(&ends[0], "given_up", counter(&ends[0], "given_up"), 10);
	/* The error was taken by the callback's recv(); a new conversation begins with the next datagram. */
	ends[0].sent = 0;
	converse(ends, 60);
}

static void a_closed_port_is_told(struct strata_sim *sim, unsigned int scale)
{
	struct end ends[2];

	(void)scale;
	if (build(sim, NULL, &good, ends) == NULL)
		return;
	strata_notify(ends[0].stack, ends[0].s, NULL, NULL);
	say(&ends[0], 2, PORT + 1, 1);
	strata_sim_run(sim, STRATA_SEC, NULL, NULL);
	expect(&ends[1], "no_ports", counter(&ends[1], "no_ports"), 1);
	say(&ends[0], 2, PORT + 1, 1);
	if (ends[0].refused != -ECONNREFUSED)
		strata_sim_fault(sim, "send says %zd", ends[0].refused);
}

static void closing_still_delivers(struct strata_sim *sim, unsigned int scale)
{
	struct end ends[2];

	(void)scale;
	if (build(sim, NULL, &bad, ends) == NULL)
		return;
	say(&ends[0], 2, PORT, 30);
	strata_close(ends[0].stack, ends[0].s);
	strata_sim_run(sim, 120 * STRATA_SEC, NULL, NULL);
	expect(&ends[1], "received", ends[1].received, 30);
	/* It has left its port behind. */
	open_socket(&ends[0], PORT);
}

/* The same ports again: another epoch, so that nothing of before is taken for it. */
static void who_begins_anew_is_heard(struct strata_sim *sim, unsigned int scale)
{
	struct end ends[2];

	(void)scale;
	if (build(sim, NULL, &bad, ends) == NULL)
		return;
	converse(ends, 600);
	for (int i = 0; i < 3; i++) {
		strata_close(ends[0].stack, ends[0].s);
		strata_sim_run(sim, 60 * STRATA_SEC, NULL, NULL);
		open_socket(&ends[0], PORT);
		ends[1].received = 0;
		say(&ends[0], 2, PORT, 20);
		strata_sim_run(sim, 60 * STRATA_SEC, NULL, NULL);
		expect(&ends[1], "received", ends[1].received, 20);
	}
}

static void a_reader_that_sleeps_loses_nothing(struct strata_sim *sim, unsigned int scale)
{
	struct end ends[2];

	(void)scale;
	if (build(sim, "rudp.rcvbuf=8KiB", &good, ends) == NULL)
		return;
	strata_notify(ends[1].stack, ends[1].s, NULL, NULL);
	say(&ends[0], 2, PORT, 30);
	strata_sim_run(sim, 10 * STRATA_SEC, NULL, NULL);
	if (counter(&ends[1], "rcvbuf_full") == 0)
		strata_sim_fault(sim, "everything fitted");
	for (int i = 0; i < 60; i++) {
		receive(&ends[1]);
		strata_sim_run(sim, STRATA_SEC, NULL, NULL);
	}
	expect(&ends[1], "received", ends[1].received, 30);
}

static void one_long_silent_is_remembered_by_neither(struct strata_sim *sim, unsigned int scale)
{
	struct end ends[2];

	(void)scale;
	if (build(sim, "rudp.idle=10s", &bad, ends) == NULL)
		return;
	say(&ends[0], 2, PORT, 5);
	for (unsigned int wait = 5; wait <= 80; wait *= 2) {
		strata_sim_run(sim, wait * STRATA_SEC, NULL, NULL);
		say(&ends[0], 2, PORT, 5);
	}
	strata_sim_run(sim, 60 * STRATA_SEC, NULL, NULL);
	expect(&ends[1], "received", ends[1].received, ends[0].sent);
}

static void what_goes_to_many_is_refused(struct strata_sim *sim, unsigned int scale)
{
	struct end ends[2];
	int on = 1;

	(void)scale;
	if (build(sim, NULL, &good, ends) == NULL)
		return;
	strata_setsockopt(ends[0].stack, ends[0].s, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	say(&ends[0], 255, PORT, 1);
	if (ends[0].refused != -EACCES)
		strata_sim_fault(sim, "send says %zd", ends[0].refused);
}

/* With data on its way, in a socket that is closed and in one that is not. The simulation faults a stack that
 * keeps memory when it is destroyed. */
static void the_module_may_go_and_come_back(struct strata_sim *sim, unsigned int scale)
{
	struct end ends[2];

	(void)scale;
	if (build(sim, NULL, &bad, ends) == NULL)
		return;
	strata_notify(ends[1].stack, ends[1].s, NULL, NULL);
	say(&ends[0], 2, PORT, 30);
	strata_close(ends[0].stack, ends[0].s);
	open_socket(&ends[0], PORT + 1);
	say(&ends[0], 2, PORT, 30);
	strata_sim_run(sim, 20 * STRATA_MS, NULL, NULL);
	if (strata_module_disable(ends[0].stack, "rudp", NULL) < 0)
		strata_sim_fault(sim, "it could not be disabled");
	say(&ends[0], 2, PORT, 1);
	if (ends[0].refused != -ENETDOWN)
		strata_sim_fault(sim, "send says %zd", ends[0].refused);
	strata_close(ends[0].stack, ends[0].s);
	if (strata_module_enable(ends[0].stack, "rudp", NULL) < 0)
		strata_sim_fault(sim, "it could not be enabled");
	open_socket(&ends[0], PORT);
	say(&ends[0], 2, PORT, 30);
	strata_sim_run(sim, 60 * STRATA_SEC, NULL, NULL);
	expect(&ends[0], "in_acks", counter(&ends[0], "in_acks") >= 30, 1);
}

/* One datagram, one acknowledgement: what the tutorial looks at. */
static void hello(struct strata_sim *sim, unsigned int scale)
{
	struct strata_sim_link *link;
	struct end ends[2];

	(void)scale;
	link = build(sim, NULL, &good, ends);
	if (link == NULL)
		return;
	/* The first try is lost. */
	strata_sim_link_dark(link, STRATA_SIM_FORTH, strata_sim_now(sim), strata_sim_now(sim) + STRATA_MS);
	say(&ends[0], 2, PORT, 1);
	strata_sim_run(sim, 2 * STRATA_SEC, NULL, NULL);
	expect(&ends[1], "received", ends[1].received, 1);
	expect(&ends[0], "retransmissions", counter(&ends[0], "retransmissions"), 1);
}

static const struct strata_sim_case cases[] = {
	{ "hello", hello, 1 },
	{ "each_arrives_once_and_in_order", each_arrives_once_and_in_order, 5 },
	{ "a_good_link_sees_nothing_twice", a_good_link_sees_nothing_twice, 1 },
	{ "a_black_out_fills_the_buffer_and_no_more", a_black_out_fills_the_buffer_and_no_more, 1 },
	{ "who_never_answers_is_given_up", who_never_answers_is_given_up, 1 },
	{ "a_closed_port_is_told", a_closed_port_is_told, 1 },
	{ "closing_still_delivers", closing_still_delivers, 5 },
	{ "who_begins_anew_is_heard", who_begins_anew_is_heard, 3 },
	{ "a_reader_that_sleeps_loses_nothing", a_reader_that_sleeps_loses_nothing, 1 },
	{ "one_long_silent_is_remembered_by_neither", one_long_silent_is_remembered_by_neither, 3 },
	{ "what_goes_to_many_is_refused", what_goes_to_many_is_refused, 1 },
	{ "the_module_may_go_and_come_back", the_module_may_go_and_come_back, 3 },
	{ NULL, NULL, 0 },
};

int main(int argc, char **argv)
{
	return strata_sim_main(argc, argv, cases);
}
