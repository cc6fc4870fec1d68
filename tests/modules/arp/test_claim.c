/* SPDX-License-Identifier: BSD-2-Clause */
/* The arp module's claims on own addresses: RFC 5227 probes, announcements, conflicts, defence. */
#include "fixture.h"

#define MODULES .modules = "ethernet arp ipv4 icmp udp"
#define OTHER_MAC ((const uint8_t *)"\x02\x00\x00\x00\x00\x77")

static enum strata_ifaddr_state address_state(struct fixture *fx)
{
	return strata_ifaddr_first(fx->iface)->state;
}

static void an_address_is_announced_twice_and_used_at_once(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .unsettled = true);

	(void)state;
	assert_int_equal(address_state(fx), STRATA_IFADDR_VALID);
	expect_arp(1, .to_mac = BROADCAST_MAC, .sha = STACK_MAC, .spa = STACK_IP, .tpa = STACK_IP,
		   .within = 1, .at = 0);
	expect_arp(1, .spa = STACK_IP, .tpa = STACK_IP, .within = 2001, .at = 2000);
	expect_silence(60000);
	assert_int_equal(fx_counter(fx, "arp", "out_announcements"), 2);
	fx_close(fx);
}

static void an_idle_stack_has_no_timer_once_it_has_announced(void **state)
{
	struct fixture *fx = fx_open(MODULES);

	(void)state;
	fx_advance(fx, 3000);
	assert_true(strata_next_timer(fx->stack) == STRATA_NEVER);
	fx_close(fx);
}

static void announcements_can_be_left_out(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .unsettled = true,
				     .options = "arp.announce=false");

	(void)state;
	expect_silence(60000);
	fx_close(fx);
}

static void an_interface_that_comes_up_again_announces_again(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .unsettled = true);

	(void)state;
	fx_advance(fx, 5000);
	fx_discard(fx);
	strata_iface_set_running(fx->iface, false);
	expect_silence(5000);
	strata_iface_set_running(fx->iface, true);
	expect_arp(1, .spa = STACK_IP, .tpa = STACK_IP, .within = 1);
	expect_arp(1, .spa = STACK_IP, .tpa = STACK_IP, .within = 2001);
	fx_close(fx);
}

/* RFC 5227 2.1.1 and 2.3. */
static void a_probed_address_is_asked_for_three_times_then_announced(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed < 9; seed++) {
		struct fixture *fx = fx_open(MODULES, .resolve = true, .unsettled = true,
					     .options = "arp.probe=true", .seed = seed);
		uint64_t last = 0, now;
		int i;

		for (i = 0; i < 3; i++) {
			now = expect_arp(1, .to_mac = BROADCAST_MAC, .spa = 0, .tpa = STACK_IP,
					 .tha = (const uint8_t *)"\0\0\0\0\0\0",
					 .within = 2001)->time;
			assert_int_equal(address_state(fx), STRATA_IFADDR_TENTATIVE);
			if (i == 0)
				assert_in_range(now - fx->epoch, 0, STRATA_SEC);
			else
				assert_in_range(now - last, STRATA_SEC, 2 * STRATA_SEC);
			last = now;
		}
		now = expect_arp(1, .spa = STACK_IP, .tpa = STACK_IP, .within = 2001)->time;
		assert_true(now - last == 2 * STRATA_SEC);
		assert_int_equal(address_state(fx), STRATA_IFADDR_VALID);
		expect_arp(1, .spa = STACK_IP, .tpa = STACK_IP, .within = 2001);
		expect_silence(60000);
		fx_close(fx);
	}
}

static void a_tentative_address_is_neither_answered_for_nor_used(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .unsettled = true,
				     .options = "arp.probe=true");
	int s = fx_socket(fx, SOCK_DGRAM, 0);

	(void)state;
	rx_arp(1);
	expect_drop("arp", "not_for_us");
	rx_icmp(.type = 8, .text = "x");
	expect_drop("ipv4", "not_local");
	assert_true(fx_sendto(fx, s, "x", 1, PEER_IP, 9) < 0);
	fx_close(fx);
}

static void expect_lost(struct fixture *fx)
{
	assert_int_equal(address_state(fx), STRATA_IFADDR_DUPLICATE);
	assert_int_equal(fx_counter(fx, "arp", "lost"), 1);
	assert_true(fx_logged(fx, "192.0.2.2 is in use by 02:00:00:00:00:77"));
	fx_discard(fx);
	expect_silence(60000);
	rx_arp(1);
	expect_drop("arp", "not_for_us");
}

static void a_reply_during_probing_is_a_conflict(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .unsettled = true,
				     .options = "arp.probe=true");

	(void)state;
	expect_arp(1, .spa = 0, .tpa = STACK_IP, .within = 1001);
	rx_arp(2, .sha = OTHER_MAC, .spa = STACK_IP, .tpa = 0);
	expect_drop("arp", "conflict");
	expect_lost(fx);
	fx_close(fx);
}

static void anothers_probe_during_probing_is_a_conflict(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .unsettled = true,
				     .options = "arp.probe=true");

	(void)state;
	expect_arp(1, .spa = 0, .tpa = STACK_IP, .within = 1001);
	rx_arp(1, .sha = OTHER_MAC, .spa = 0);
	expect_drop("arp", "conflict");
	expect_lost(fx);
	fx_close(fx);
}

static void our_own_probe_coming_back_is_none(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .unsettled = true,
				     .options = "arp.probe=true");

	(void)state;
	expect_arp(1, .spa = 0, .tpa = STACK_IP, .within = 1001);
	rx_arp(1, .sha = STACK_MAC, .spa = 0);
	expect_drop("arp", "own");
	assert_int_equal(address_state(fx), STRATA_IFADDR_TENTATIVE);
	fx_close(fx);
}

static void a_lost_address_is_probed_anew_when_the_interface_comes_up(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .unsettled = true,
				     .options = "arp.probe=true");

	(void)state;
	expect_arp(1, .spa = 0, .tpa = STACK_IP, .within = 1001);
	rx_arp(2, .sha = OTHER_MAC, .spa = STACK_IP, .tpa = 0);
	expect_lost(fx);
	strata_iface_set_running(fx->iface, false);
	strata_iface_set_running(fx->iface, true);
	fx_advance(fx, 20000);
	assert_int_equal(address_state(fx), STRATA_IFADDR_VALID);
	fx_close(fx);
}

/* Attacks, row 38: an ARP reply for our own address. RFC 5227 2.4 (c). */
static void a_claim_on_our_address_is_defended_once_in_ten_seconds(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .options = "arp.announce=false");
	int i;

	(void)state;
	rx_arp(2, .sha = OTHER_MAC, .spa = STACK_IP, .tpa = PEER_IP);
	expect_drop("arp", "conflict");
	expect_arp(1, .to_mac = BROADCAST_MAC, .spa = STACK_IP, .tpa = STACK_IP);
	for (i = 0; i < 9; i++) {
		fx_advance(fx, 1000);
		rx_arp(1, .sha = OTHER_MAC, .spa = STACK_IP, .tpa = STACK_IP);
		expect_drop("arp", "conflict");
		expect_silence(0);
	}
	fx_advance(fx, 1000);
	rx_arp(1, .sha = OTHER_MAC, .spa = STACK_IP, .tpa = STACK_IP);
	expect_arp(1, .spa = STACK_IP, .tpa = STACK_IP);
	assert_int_equal(address_state(fx), STRATA_IFADDR_VALID);
	assert_int_equal(fx_counter(fx, "arp", "conflicts"), 11);
	/* Nothing was learnt of it. */
	rx_arp(1);
	expect_arp(2);
	fx_close(fx);
}

static void with_defend_once_a_second_claim_within_ten_seconds_wins(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true,
				     .options = "arp.announce=false arp.defend=once");

	(void)state;
	rx_arp(1, .sha = OTHER_MAC, .spa = STACK_IP, .tpa = STACK_IP);
	expect_arp(1, .spa = STACK_IP, .tpa = STACK_IP);
	fx_advance(fx, 10000);
	rx_arp(1, .sha = OTHER_MAC, .spa = STACK_IP, .tpa = STACK_IP);
	expect_arp(1, .spa = STACK_IP, .tpa = STACK_IP);
	assert_int_equal(address_state(fx), STRATA_IFADDR_VALID);
	fx_advance(fx, 9999);
	rx_arp(1, .sha = OTHER_MAC, .spa = STACK_IP, .tpa = STACK_IP);
	expect_lost(fx);
	fx_close(fx);
}

static void with_defend_yield_the_first_claim_wins(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true,
				     .options = "arp.announce=false arp.defend=yield");

	(void)state;
	rx_arp(1, .sha = OTHER_MAC, .spa = STACK_IP, .tpa = STACK_IP);
	expect_lost(fx);
	fx_close(fx);
}

static void a_removed_address_is_no_longer_claimed(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .unsettled = true,
				     .options = "arp.probe=true");
	struct strata_addr addr = strata_ifaddr_first(fx->iface)->prefix.addr;

	(void)state;
	expect_arp(1, .spa = 0, .tpa = STACK_IP, .within = 1001);
	assert_int_equal(strata_ifaddr_remove(fx->iface, &addr), 0);
	expect_silence(60000);
	assert_true(strata_next_timer(fx->stack) == STRATA_NEVER);
	fx_close(fx);
}

static void disabling_arp_while_it_probes_leaves_the_address_usable(void **state)
{
	struct fixture *fx = fx_open(MODULES, .resolve = true, .unsettled = true,
				     .options = "arp.probe=true");
	struct strata_error error = { 0 };

	(void)state;
	expect_arp(1, .spa = 0, .tpa = STACK_IP, .within = 1001);
	assert_int_equal(strata_module_disable(fx->stack, "arp", &error), 0);
	assert_int_equal(address_state(fx), STRATA_IFADDR_VALID);
	expect_silence(60000);
	assert_int_equal(strata_module_enable(fx->stack, "arp", &error), 0);
	assert_int_equal(address_state(fx), STRATA_IFADDR_TENTATIVE);
	fx_advance(fx, 20000);
	assert_int_equal(address_state(fx), STRATA_IFADDR_VALID);
	strata_error_clear(&error);
	fx_close(fx);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_announced_twice_and_used_at_once),
		cmocka_unit_test(an_idle_stack_has_no_timer_once_it_has_announced),
		cmocka_unit_test(announcements_can_be_left_out),
		cmocka_unit_test(an_interface_that_comes_up_again_announces_again),
		cmocka_unit_test(a_probed_address_is_asked_for_three_times_then_announced),
		cmocka_unit_test(a_tentative_address_is_neither_answered_for_nor_used),
		cmocka_unit_test(a_reply_during_probing_is_a_conflict),
		cmocka_unit_test(anothers_probe_during_probing_is_a_conflict),
		cmocka_unit_test(our_own_probe_coming_back_is_none),
		cmocka_unit_test(a_lost_address_is_probed_anew_when_the_interface_comes_up),
		cmocka_unit_test(a_claim_on_our_address_is_defended_once_in_ten_seconds),
		cmocka_unit_test(with_defend_once_a_second_claim_within_ten_seconds_wins),
		cmocka_unit_test(with_defend_yield_the_first_claim_wins),
		cmocka_unit_test(a_removed_address_is_no_longer_claimed),
		cmocka_unit_test(disabling_arp_while_it_probes_leaves_the_address_usable),
	};

	return fx_main(tests);
}
