/* SPDX-License-Identifier: BSD-2-Clause */
/* Neighbours against the state machine of RFC 4861 7.3 and appendix C, in virtual time. */
#include "net.h"

#include <stdio.h>

static struct net net;

static int setup(void **state)
{
	(void)state;
	net_open(&net);
	assert_int_equal(net_addr(&net, net.one, "192.0.2.1/24"), 0);
	net_forget(&net);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_close(&net);
	return 0;
}

static struct strata_neigh *get(const char *text)
{
	const struct strata_addr a = addr(&net, text);
	struct strata_neigh *neigh = strata_neigh_get(net.one, &a);

	assert_non_null(neigh);
	return neigh;
}

static void put(struct strata_neigh *neigh)
{
	strata_neigh_put(neigh);
}

static struct strata_neigh *find(const char *text)
{
	const struct strata_addr a = addr(&net, text);

	return strata_neigh_find(net.one, &a);
}

static int send_to(const char *text)
{
	struct strata_neigh *neigh = get(text);
	int result = strata_neigh_output(neigh, net_packet(&net, text, 20), FOUR);

	put(neigh);
	return result;
}

static void heard(const char *text, uint8_t n, bool solicited, bool override, bool create)
{
	const struct strata_addr a = addr(&net, text);
	const struct strata_lladdr lladdr = mac(n);

	strata_neigh_heard(net.one, &a, &lladdr, solicited, override, create);
}

static void check_state(const char *text, enum strata_neigh_state state)
{
	assert_non_null(find(text));
	assert_string_equal(strata_neigh_state_name(find(text)->state),
			    strata_neigh_state_name(state));
}

/* The next frame must go to link address 02:…:n. */
static void check_sent_to(uint8_t n)
{
	struct strata_pkt *pkt = net_sent(&net);
	const struct strata_lladdr lladdr = mac(n);

	assert_memory_equal(pkt->data, lladdr.bytes, 6);
	assert_int_equal(strata_get_be16(pkt->data + 12), FOUR);
	strata_pkt_free(pkt);
}

/* ---- address resolution ---- */

static void first_packet_asks_and_waits(void **state)
{
	(void)state;
	assert_int_equal(send_to("192.0.2.9"), 0);
	check_state("192.0.2.9", STRATA_NEIGH_INCOMPLETE);
	assert_int_equal(net.asked, 1);
	assert_int_equal(net.asked_state, STRATA_NEIGH_INCOMPLETE);
	assert_int_equal(net.sent.count, 0);
	assert_int_equal(find("192.0.2.9")->waiting.count, 1);
}

static void answer_sends_what_waited_in_order(void **state)
{
	struct strata_pkt *pkt;

	(void)state;
	send_to("192.0.2.9");
	send_to("192.0.2.9");
	assert_int_equal(net.asked, 1);
	heard("192.0.2.9", 9, true, true, false);
	check_state("192.0.2.9", STRATA_NEIGH_REACHABLE);
	assert_int_equal(net.sent.count, 2);
	pkt = net_sent(&net);
	assert_int_equal(pkt->data[5], 9);
	strata_pkt_free(pkt);
	check_sent_to(9);
	net_run(&net, 0);	/* the batch ends: frames given to a driver are no timer, but do not wait either */
	assert_int_equal(strata_next_timer(net.stack), STRATA_NEVER);
}

static void answer_within_the_question_is_taken(void **state)
{
	(void)state;
	net.answers = true;
	assert_int_equal(send_to("192.0.2.9"), 0);
	check_state("192.0.2.9", STRATA_NEIGH_REACHABLE);
	check_sent_to(99);
}

static void unsolicited_answer_makes_stale_then_delay(void **state)
{
	(void)state;
	send_to("192.0.2.9");
	heard("192.0.2.9", 9, false, true, false);
	/* What waited was sent through the stale entry. */
	check_state("192.0.2.9", STRATA_NEIGH_DELAY);
	check_sent_to(9);
}

static void silence_asks_three_times_a_second_apart_then_fails(void **state)
{
	unsigned int i;

	(void)state;
	send_to("192.0.2.9");
	for (i = 1; i <= 3; i++) {
		assert_int_equal(net.asked, i);
		net_run(&net, STRATA_SEC - 1);
		assert_int_equal(net.asked, i);
		check_state("192.0.2.9", STRATA_NEIGH_INCOMPLETE);
		net_run(&net, 1 + STRATA_MS);
	}
	assert_int_equal(net.asked, 3);
	check_state("192.0.2.9", STRATA_NEIGH_FAILED);
	assert_int_equal(net_drops(&net, KERNEL_DROP_NEIGH_FAILED), 1);
	assert_int_equal(net.local_errors, 1);
	assert_int_equal(net.last_error.kind, STRATA_ERR_HOST_UNREACHABLE);
	assert_true(net.last_error.local);
	assert_int_equal(net.last_error.quote.number, THING);
	assert_int_equal(net.last_error.payload_length, THING_HEADER + 20);
	/* Nothing more is asked for a while, and the sender is told at once. */
	assert_int_equal(send_to("192.0.2.9"), -EHOSTUNREACH);
	assert_int_equal(net.asked, 3);
	net_run(&net, STRATA_SEC + STRATA_MS);
	assert_null(find("192.0.2.9"));
	assert_int_equal(strata_next_timer(net.stack), STRATA_NEVER);
	assert_int_equal(send_to("192.0.2.9"), 0);
	assert_int_equal(net.asked, 4);
}

static void late_answer_revives_a_failed_neighbour(void **state)
{
	(void)state;
	send_to("192.0.2.9");
	net_run(&net, 4 * STRATA_SEC);
	while (find("192.0.2.9") != NULL && find("192.0.2.9")->state != STRATA_NEIGH_FAILED)
		net_run(&net, STRATA_SEC);
	assert_non_null(find("192.0.2.9"));
	heard("192.0.2.9", 9, true, true, false);
	check_state("192.0.2.9", STRATA_NEIGH_REACHABLE);
	net_run(&net, 5 * STRATA_SEC);
	check_state("192.0.2.9", STRATA_NEIGH_REACHABLE);
}

static void waiting_queue_keeps_the_newest_sixteen(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 20; i++)
		send_to("192.0.2.9");
	assert_int_equal(find("192.0.2.9")->waiting.count, 16);
	assert_int_equal(net_drops(&net, KERNEL_DROP_NEIGH_QUEUE_FULL), 4);
}

static void waiting_queue_keeps_to_64_kib(void **state)
{
	struct strata_neigh *neigh = get("192.0.2.9");
	unsigned int i;

	(void)state;
	for (i = 0; i < 8; i++)
		strata_neigh_output(neigh, net_super(&net, 20000, 1000, STRATA_SEG_STREAM), FOUR);
	assert_true(neigh->waiting.bytes <= 64 * 1024);
	assert_true(neigh->waiting.count >= 2);
	assert_int_equal(net_drops(&net, KERNEL_DROP_NEIGH_QUEUE_FULL), 8 - neigh->waiting.count);
	/* A packet larger than all that waits alone. */
	strata_neigh_output(neigh, net_super(&net, 39000, 1000, STRATA_SEG_STREAM), FOUR);
	strata_neigh_output(neigh, net_super(&net, 39000, 1000, STRATA_SEG_STREAM), FOUR);
	assert_int_equal(neigh->waiting.count, 1);
	put(neigh);
}

static void without_a_resolver_the_host_is_unreachable(void **state)
{
	(void)state;
	net.instances[4].running = false;
	assert_int_equal(send_to("192.0.2.9"), -EHOSTUNREACH);
	assert_int_equal(net_drops(&net, KERNEL_DROP_NO_LINK_ADDRESS), 1);
	assert_null(find("192.0.2.9"));
}

static void a_family_that_resolves_itself_needs_no_other(void **state)
{
	const struct strata_addr a = addr(&net, "20010db8000000000000000000000009");
	struct strata_neigh *neigh = strata_neigh_get(net.one, &a);

	(void)state;
	strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 20), WIDE);
	assert_int_equal(net.asked, 1);
	assert_true(strata_addr_equal(&net.asked_for, &a));
	put(neigh);
}

/* ---- reachability ---- */

static void reachable_ages_to_stale_without_a_timer(void **state)
{
	(void)state;
	net.answers = true;
	send_to("192.0.2.9");
	net_forget(&net);
	net_run(&net, 0);
	assert_int_equal(strata_next_timer(net.stack), STRATA_NEVER);
	net_run(&net, 15 * STRATA_SEC - STRATA_MS);
	check_state("192.0.2.9", STRATA_NEIGH_REACHABLE);
	net_run(&net, 30 * STRATA_SEC + 2 * STRATA_MS);
	check_state("192.0.2.9", STRATA_NEIGH_STALE);
	assert_int_equal(net.asked, 1);
}

/* Leaves 192.0.2.9 STALE at link address 9. */
static void make_stale(void)
{
	heard("192.0.2.9", 9, false, true, true);
	check_state("192.0.2.9", STRATA_NEIGH_STALE);
}

static void stale_use_delays_five_seconds_then_probes_by_unicast(void **state)
{
	unsigned int i;

	(void)state;
	make_stale();
	assert_int_equal(send_to("192.0.2.9"), 0);
	check_sent_to(9);
	check_state("192.0.2.9", STRATA_NEIGH_DELAY);
	net_run(&net, 5 * STRATA_SEC - 1);
	check_state("192.0.2.9", STRATA_NEIGH_DELAY);
	assert_int_equal(net.asked, 0);
	net_run(&net, 1 + STRATA_MS);
	check_state("192.0.2.9", STRATA_NEIGH_PROBE);
	assert_int_equal(net.asked, 1);
	assert_int_equal(net.asked_state, STRATA_NEIGH_PROBE);
	/* It is still used meanwhile. */
	assert_int_equal(send_to("192.0.2.9"), 0);
	check_sent_to(9);
	for (i = 0; i < 3; i++)
		net_run(&net, STRATA_SEC + STRATA_MS);
	assert_int_equal(net.asked, 3);
	check_state("192.0.2.9", STRATA_NEIGH_FAILED);
}

/* Nobody looks at it but by sending, ten times a second. */
static void a_neighbour_sent_to_all_the_time_ages_all_the_same(void **state)
{
	const uint64_t began = net.stack->now;
	struct strata_neigh *neigh;

	(void)state;
	heard("192.0.2.9", 9, true, true, true);
	neigh = get("192.0.2.9");
	while (neigh->state == STRATA_NEIGH_REACHABLE && net.stack->now - began < 60 * STRATA_SEC) {
		assert_int_equal(strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 1), FOUR), 0);
		assert_int_equal(neigh->used, net.stack->now);
		check_sent_to(9);
		net_run(&net, STRATA_SEC / 10);
	}
	assert_int_equal(neigh->state, STRATA_NEIGH_DELAY);
	assert_in_range((net.stack->now - began) / STRATA_MS, 15000, 45200);
	put(neigh);
}

static void a_neighbour_confirmed_all_the_time_stays_reachable(void **state)
{
	struct strata_neigh *neigh;
	unsigned int i;

	(void)state;
	heard("192.0.2.9", 9, true, true, true);
	neigh = get("192.0.2.9");
	/* Longer than one time of reachability is kept. */
	for (i = 0; i < 9000; i++) {
		assert_int_equal(strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 1), FOUR), 0);
		check_sent_to(9);
		assert_int_equal(neigh->state, STRATA_NEIGH_REACHABLE);
		strata_neigh_confirm(net.stack, neigh);
		net_run(&net, STRATA_SEC);
	}
	assert_int_equal(net.asked, 0);
	put(neigh);
}

static void probe_that_failed_is_resolved_anew_at_once(void **state)
{
	(void)state;
	make_stale();
	send_to("192.0.2.9");
	net_run(&net, 5 * STRATA_SEC + STRATA_MS);
	net_run(&net, STRATA_SEC + STRATA_MS);
	net_run(&net, STRATA_SEC + STRATA_MS);
	net_run(&net, STRATA_SEC + STRATA_MS);
	check_state("192.0.2.9", STRATA_NEIGH_FAILED);
	assert_int_equal(send_to("192.0.2.9"), 0);
	check_state("192.0.2.9", STRATA_NEIGH_INCOMPLETE);
	assert_int_equal(net.asked_state, STRATA_NEIGH_INCOMPLETE);
}

static void solicited_answer_to_a_probe_is_reachable(void **state)
{
	(void)state;
	make_stale();
	send_to("192.0.2.9");
	net.answers = false;
	net_run(&net, 5 * STRATA_SEC + STRATA_MS);
	heard("192.0.2.9", 9, true, false, false);
	check_state("192.0.2.9", STRATA_NEIGH_REACHABLE);
	assert_int_equal(strata_next_timer(net.stack), STRATA_NEVER);
}

static void confirmation_from_above_spares_the_probe(void **state)
{
	struct strata_neigh *neigh;

	(void)state;
	make_stale();
	neigh = get("192.0.2.9");
	strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 1), FOUR);
	check_state("192.0.2.9", STRATA_NEIGH_DELAY);
	strata_neigh_confirm(net.stack, neigh);
	check_state("192.0.2.9", STRATA_NEIGH_REACHABLE);
	net_run(&net, 10 * STRATA_SEC);
	strata_neigh_confirm(net.stack, neigh);
	net_run(&net, 14 * STRATA_SEC);
	check_state("192.0.2.9", STRATA_NEIGH_REACHABLE);
	assert_int_equal(net.asked, 0);
	put(neigh);
}

/* ---- RFC 4861 7.2.5 as a table ---- */

static void what_is_heard_changes_state_as_rfc_4861_appendix_c_says(void **state)
{
	static const struct {
		enum strata_neigh_state from;
		bool solicited, override, other;	/* `other`: another link address */
		enum strata_neigh_state to;
		bool updated;
	} rows[] = {
		{ STRATA_NEIGH_REACHABLE, true, false, false, STRATA_NEIGH_REACHABLE, false },
		{ STRATA_NEIGH_REACHABLE, true, false, true, STRATA_NEIGH_STALE, false },
		{ STRATA_NEIGH_REACHABLE, false, false, true, STRATA_NEIGH_STALE, false },
		{ STRATA_NEIGH_REACHABLE, false, true, true, STRATA_NEIGH_STALE, true },
		{ STRATA_NEIGH_REACHABLE, false, true, false, STRATA_NEIGH_REACHABLE, false },
		{ STRATA_NEIGH_REACHABLE, true, true, true, STRATA_NEIGH_REACHABLE, true },
		{ STRATA_NEIGH_STALE, true, false, false, STRATA_NEIGH_REACHABLE, false },
		{ STRATA_NEIGH_STALE, true, false, true, STRATA_NEIGH_STALE, false },
		{ STRATA_NEIGH_STALE, false, true, true, STRATA_NEIGH_STALE, true },
		{ STRATA_NEIGH_STALE, true, true, true, STRATA_NEIGH_REACHABLE, true },
		{ STRATA_NEIGH_DELAY, true, false, true, STRATA_NEIGH_DELAY, false },
		{ STRATA_NEIGH_DELAY, false, true, false, STRATA_NEIGH_DELAY, false },
		{ STRATA_NEIGH_DELAY, false, true, true, STRATA_NEIGH_STALE, true },
		{ STRATA_NEIGH_DELAY, true, true, true, STRATA_NEIGH_REACHABLE, true },
		{ STRATA_NEIGH_PROBE, false, false, true, STRATA_NEIGH_PROBE, false },
		{ STRATA_NEIGH_PROBE, true, false, false, STRATA_NEIGH_REACHABLE, false },
		{ STRATA_NEIGH_PROBE, true, true, true, STRATA_NEIGH_REACHABLE, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(rows); i++) {
		const struct strata_addr a = addr(&net, "192.0.2.9");
		heard("192.0.2.9", 9, rows[i].from == STRATA_NEIGH_REACHABLE, true, true);
		if (rows[i].from == STRATA_NEIGH_DELAY || rows[i].from == STRATA_NEIGH_PROBE)
			send_to("192.0.2.9");
		if (rows[i].from == STRATA_NEIGH_PROBE)
			net_run(&net, 5 * STRATA_SEC + STRATA_MS);
		check_state("192.0.2.9", rows[i].from);
		heard("192.0.2.9", rows[i].other ? 10 : 9, rows[i].solicited, rows[i].override, false);
		check_state("192.0.2.9", rows[i].to);
		assert_int_equal(find("192.0.2.9")->lladdr.bytes[5], rows[i].updated ? 10 : 9);
		assert_int_equal(strata_neigh_remove(net.one, &a), 0);
		net_forget(&net);
	}
}

static void hearing_makes_an_entry_only_when_told_to(void **state)
{
	(void)state;
	heard("192.0.2.9", 9, false, true, false);
	assert_null(find("192.0.2.9"));
	heard("192.0.2.9", 9, false, true, true);
	check_state("192.0.2.9", STRATA_NEIGH_STALE);
	heard("192.0.2.8", 8, true, true, true);
	check_state("192.0.2.8", STRATA_NEIGH_REACHABLE);
}

/* ---- by hand, and life ---- */

static void permanent_neighbour_is_not_changed_by_what_is_heard(void **state)
{
	const struct strata_addr a = addr(&net, "192.0.2.9");
	const struct strata_lladdr lladdr = mac(5);

	(void)state;
	send_to("192.0.2.9");
	assert_int_equal(strata_neigh_set(net.one, &a, &lladdr), 0);
	check_sent_to(5);
	heard("192.0.2.9", 9, true, true, true);
	check_state("192.0.2.9", STRATA_NEIGH_PERMANENT);
	net_run(&net, 100 * STRATA_SEC);
	send_to("192.0.2.9");
	check_sent_to(5);
	neigh_iface_down(net.k, net.one);
	check_state("192.0.2.9", STRATA_NEIGH_PERMANENT);
	assert_int_equal(strata_neigh_remove(net.one, &a), 0);
	assert_int_equal(strata_neigh_remove(net.one, &a), -ENOENT);
}

static void look_up_alone_leaves_nothing_behind(void **state)
{
	struct strata_neigh *neigh = get("192.0.2.9");

	(void)state;
	assert_non_null(find("192.0.2.9"));
	put(neigh);
	assert_null(find("192.0.2.9"));
}

static void holder_of_a_removed_entry_sends_through_the_new_one(void **state)
{
	const struct strata_addr a = addr(&net, "192.0.2.9");
	struct strata_neigh *neigh;
	uint32_t generation;

	(void)state;
	make_stale();
	neigh = get("192.0.2.9");
	generation = net.stack->generation;
	assert_int_equal(strata_neigh_remove(net.one, &a), 0);
	assert_int_not_equal(net.stack->generation, generation);
	heard("192.0.2.9", 77, true, true, true);
	assert_int_equal(strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 1), FOUR), 0);
	check_sent_to(77);
	put(neigh);
}

/* Two whom a full table has no room for would else wake each other without end, as each pushes the other out. */
static void who_waits_for_a_device_sleeps_on_when_a_neighbour_goes(void **state)
{
	const struct strata_addr a = addr(&net, "192.0.2.9");
	static struct net_waiter waiter = { .work.run = net_count_run };
	struct strata_neigh *neigh;

	(void)state;
	make_stale();
	neigh = get("192.0.2.9");
	strata_iface_stop(net.two);
	assert_true(strata_iface_wait(net.two, &waiter.work));
	assert_int_equal(strata_neigh_remove(net.one, &a), 0);
	net_run(&net, 1);
	assert_int_equal(waiter.runs, 0);
	strata_generation_bump(net.stack);
	net_run(&net, 1);
	assert_int_equal(waiter.runs, 1);
	put(neigh);
}

/* Gives 192.0.2.9 an entry that was sent to, REACHABLE or PERMANENT. */
static struct strata_neigh *in_use(bool permanent)
{
	const struct strata_addr a = addr(&net, "192.0.2.9");
	const struct strata_lladdr lladdr = mac(9);
	struct strata_neigh *neigh;

	if (permanent)
		assert_int_equal(strata_neigh_set(net.one, &a, &lladdr), 0);
	else
		heard("192.0.2.9", 9, true, true, true);
	neigh = get("192.0.2.9");
	assert_int_equal(strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 1), FOUR), 0);
	check_sent_to(9);
	return neigh;
}

static void what_becomes_of_an_entry_in_use_holds_for_the_next_packet(void **state)
{
	const struct strata_addr a = addr(&net, "192.0.2.9");
	const struct strata_lladdr other = mac(5);
	struct strata_neigh *neigh;
	int permanent;

	(void)state;
	for (permanent = 0; permanent < 2; permanent++) {
		neigh = in_use(permanent != 0);
		assert_int_equal(strata_neigh_remove(net.one, &a), 0);
		heard("192.0.2.9", 77, true, true, true);
		assert_int_equal(strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 1), FOUR), 0);
		check_sent_to(77);
		put(neigh);
		assert_int_equal(strata_neigh_remove(net.one, &a), 0);
	}
	neigh = in_use(false);
	/* RFC 4861 7.2.5: another address that may replace the one known, unasked for. */
	heard("192.0.2.9", 78, false, true, false);
	assert_int_equal(strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 1), FOUR), 0);
	check_sent_to(78);
	assert_int_equal(neigh->state, STRATA_NEIGH_DELAY);
	assert_int_equal(strata_neigh_set(net.one, &a, &other), 0);
	assert_int_equal(strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 1), FOUR), 0);
	check_sent_to(5);
	strata_iface_set_running(net.one, false);
	assert_int_equal(strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 1), FOUR), -ENETDOWN);
	iface_destroy(net.one);
	assert_int_equal(strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 1), FOUR), -ENETDOWN);
	put(neigh);
}

static void holder_outlives_the_interface(void **state)
{
	struct strata_neigh *neigh;

	(void)state;
	make_stale();
	neigh = get("192.0.2.9");
	iface_destroy(net.one);
	assert_int_equal(strata_neigh_output(neigh, net_packet(&net, "192.0.2.9", 1), FOUR), -ENETDOWN);
	put(neigh);
}

static void interface_that_goes_down_forgets_and_drops_what_waits(void **state)
{
	(void)state;
	make_stale();
	send_to("192.0.2.8");
	strata_iface_set_running(net.one, false);
	assert_null(find("192.0.2.9"));
	assert_null(find("192.0.2.8"));
	assert_int_equal(net_drops(&net, KERNEL_DROP_IFACE_DOWN), 1);
	assert_int_equal(send_to("192.0.2.8"), -ENETDOWN);
	assert_int_equal(strata_next_timer(net.stack), STRATA_NEVER);
}

static void family_whose_resolver_goes_is_forgotten(void **state)
{
	const struct strata_addr wide = addr(&net, "20010db8000000000000000000000009");
	const struct strata_lladdr lladdr = mac(1);

	(void)state;
	make_stale();
	strata_neigh_heard(net.one, &wide, &lladdr, true, true, true);
	neigh_family_gone(net.k, FOUR);
	assert_null(find("192.0.2.9"));
	assert_non_null(strata_neigh_find(net.one, &wide));
}

static void link_without_addresses_has_no_neighbours(void **state)
{
	struct strata_iface *bare = net_iface(&net, "bare", "p2p");
	const struct strata_addr a = addr(&net, "192.0.2.9");
	const struct strata_lladdr lladdr = mac(1);

	(void)state;
	assert_null(strata_neigh_get(bare, &a));
	strata_neigh_heard(bare, &a, &lladdr, true, true, true);
	assert_null(strata_neigh_find(bare, &a));
}

/* ---- limits ---- */

static struct strata_addr random_addr(uint64_t *seed)
{
	uint8_t bytes[4];

	strata_put_be32(bytes, 0x0a000000u | (uint32_t)(rig_random(seed) & 0xffffff));
	return strata_addr_make(FOUR, bytes, 4);
}

static void count_one(void *ctx, const struct strata_neigh *neigh)
{
	unsigned int *counts = ctx;

	counts[neigh->state]++;
	counts[STRATA_NEIGH_PERMANENT + 1]++;
}

/* Established: ten that are talked to now and then, five of them held by a flow. */
static void establish(struct strata_neigh **held)
{
	unsigned int i;
	char text[16];

	for (i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", 100 + i);
		heard(text, (uint8_t)(100 + i), true, true, true);
		send_to(text);
		if (i < 5)
			held[i] = get(text);
	}
	net_forget(&net);
}

static void check_established(struct strata_neigh **held)
{
	unsigned int i;
	char text[16];

	for (i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "192.0.2.%u", 100 + i);
		assert_non_null(find(text));
		send_to(text);
		check_sent_to((uint8_t)(100 + i));
		if (i < 5) {
			assert_non_null(held[i]->link);
			put(held[i]);
		}
	}
}

static void a_million_random_neighbours_heard_leave_the_established(void **state)
{
	struct strata_neigh *held[5];
	const struct strata_lladdr lladdr = mac(66);
	unsigned int counts[STRATA_NEIGH_PERMANENT + 2] = { 0 }, i;
	uint64_t seed = 1;

	(void)state;
	establish(held);
	for (i = 0; i < 1000000; i++) {
		const struct strata_addr a = random_addr(&seed);
		strata_neigh_heard(net.one, &a, &lladdr, false, true, true);
	}
	strata_inspect_neighbours(net.stack, count_one, counts);
	assert_int_equal(counts[STRATA_NEIGH_PERMANENT + 1], 1024);
	assert_true(net.k->self.counters[KERNEL_COUNT_NEIGHBOURS_EVICTED] > 990000);
	check_established(held);
}

static void a_million_random_neighbours_sent_to_leave_the_established(void **state)
{
	struct strata_neigh *held[5];
	unsigned int counts[STRATA_NEIGH_PERMANENT + 2] = { 0 }, i;
	uint64_t seed = 2;

	(void)state;
	establish(held);
	for (i = 0; i < 1000000; i++) {
		const struct strata_addr a = random_addr(&seed);
		struct strata_neigh *neigh = strata_neigh_get(net.one, &a);
		assert_non_null(neigh);
		strata_neigh_output(neigh, strata_pkt_alloc(net.stack, 64, 64), FOUR);
		put(neigh);
		if (i % 100000 == 0)
			send_to("192.0.2.100");
	}
	strata_inspect_neighbours(net.stack, count_one, counts);
	assert_int_equal(counts[STRATA_NEIGH_INCOMPLETE], 256);
	net_forget(&net);
	check_established(held);
}

static void least_recently_used_goes_first(void **state)
{
	unsigned int i;
	char text[16];
	uint64_t seed = 3;

	(void)state;
	net.answers = true;
	for (i = 0; i < 1024; i++) {
		snprintf(text, sizeof(text), "198.51.%u.%u", 100 + i / 256, i % 256);
		send_to(text);
	}
	net_run(&net, 10 * STRATA_SEC);
	send_to("198.51.100.0");
	for (i = 0; i < 1000; i++) {
		const struct strata_addr a = random_addr(&seed);
		struct strata_neigh *neigh = strata_neigh_get(net.one, &a);
		strata_neigh_output(neigh, strata_pkt_alloc(net.stack, 64, 64), FOUR);
		put(neigh);
	}
	assert_null(find("198.51.100.1"));
	assert_non_null(find("198.51.100.0"));
}

static void table_of_held_entries_refuses_more(void **state)
{
	struct strata_neigh *held[1024];
	const struct strata_addr more = addr(&net, "203.0.113.1");
	unsigned int i;
	char text[16];

	(void)state;
	net.answers = true;
	for (i = 0; i < 1024; i++) {
		snprintf(text, sizeof(text), "198.51.%u.%u", 100 + i / 256, i % 256);
		held[i] = get(text);
		strata_neigh_output(held[i], net_packet(&net, text, 1), FOUR);
		net_forget(&net);
	}
	assert_null(strata_neigh_get(net.one, &more));
	assert_int_equal(net.k->self.counters[KERNEL_COUNT_NEIGHBOURS_REFUSED], 1);
	/* Stale ones give way though held: their holders look the way up again. */
	net_run(&net, 60 * STRATA_SEC);
	heard("203.0.113.1", 1, false, true, true);
	assert_non_null(find("203.0.113.1"));
	for (i = 0; i < 1024; i++)
		put(held[i]);
}

static void short_memory_refuses_and_leaks_nothing(void **state)
{
	const struct strata_addr a = addr(&net, "192.0.2.9");

	(void)state;
	rig_starve(&net.rig, true);
	assert_null(strata_neigh_get(net.one, &a));
	rig_starve(&net.rig, false);
	assert_int_equal(send_to("192.0.2.9"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(first_packet_asks_and_waits),
		T(answer_sends_what_waited_in_order),
		T(answer_within_the_question_is_taken),
		T(unsolicited_answer_makes_stale_then_delay),
		T(silence_asks_three_times_a_second_apart_then_fails),
		T(late_answer_revives_a_failed_neighbour),
		T(waiting_queue_keeps_the_newest_sixteen),
		T(waiting_queue_keeps_to_64_kib),
		T(without_a_resolver_the_host_is_unreachable),
		T(a_family_that_resolves_itself_needs_no_other),
		T(reachable_ages_to_stale_without_a_timer),
		T(stale_use_delays_five_seconds_then_probes_by_unicast),
		T(a_neighbour_sent_to_all_the_time_ages_all_the_same),
		T(a_neighbour_confirmed_all_the_time_stays_reachable),
		T(probe_that_failed_is_resolved_anew_at_once),
		T(solicited_answer_to_a_probe_is_reachable),
		T(confirmation_from_above_spares_the_probe),
		T(what_is_heard_changes_state_as_rfc_4861_appendix_c_says),
		T(hearing_makes_an_entry_only_when_told_to),
		T(permanent_neighbour_is_not_changed_by_what_is_heard),
		T(look_up_alone_leaves_nothing_behind),
		T(holder_of_a_removed_entry_sends_through_the_new_one),
		T(who_waits_for_a_device_sleeps_on_when_a_neighbour_goes),
		T(what_becomes_of_an_entry_in_use_holds_for_the_next_packet),
		T(holder_outlives_the_interface),
		T(interface_that_goes_down_forgets_and_drops_what_waits),
		T(family_whose_resolver_goes_is_forgotten),
		T(link_without_addresses_has_no_neighbours),
		T(a_million_random_neighbours_heard_leave_the_established),
		T(a_million_random_neighbours_sent_to_leave_the_established),
		T(least_recently_used_goes_first),
		T(table_of_held_entries_refuses_more),
		T(short_memory_refuses_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
