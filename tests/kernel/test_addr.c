/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses of interfaces, what is local, and groups, for families that the kernel does not know. */
#include "net.h"

#include <stdio.h>

static struct net net;

static int setup(void **state)
{
	(void)state;
	net_open(&net);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	net_close(&net);
	return 0;
}

static enum strata_locality locality(struct strata_iface *iface, const char *text)
{
	const struct strata_addr a = addr(&net, text);

	return strata_addr_locality(iface, &a);
}

static bool has_route(const char *text)
{
	const struct strata_addr a = addr(&net, text);
	bool down;

	return route_lookup(net.k, &a, NULL, &down) != NULL;
}

static int remove_addr(struct strata_iface *iface, const char *text)
{
	const struct strata_addr a = addr(&net, text);

	return strata_ifaddr_remove(iface, &a);
}

/* ---- operations of families ---- */

static void prefix_is_parsed_by_whichever_family_takes_it(void **state)
{
	static const struct {
		const char *text;
		int result;
		uint16_t family;
		uint8_t bits;
	} rows[] = {
		{ "192.0.2.1/24", 0, FOUR, 24 },
		{ "192.0.2.1", 0, FOUR, 32 },
		{ "192.0.2.1/0", 0, FOUR, 0 },
		{ "192.0.2.1/32", 0, FOUR, 32 },
		{ "20010db8000000000000000000000001/64", 0, WIDE, 64 },
		{ "20010db8000000000000000000000001", 0, WIDE, 128 },
		{ "192.0.2.1/33", -EINVAL, 0, 0 },
		{ "192.0.2.1/", -EINVAL, 0, 0 },
		{ "192.0.2.1/ 4", -EINVAL, 0, 0 },
		{ "192.0.2.1/+4", -EINVAL, 0, 0 },
		{ "192.0.2.1/024", -EINVAL, 0, 0 },
		{ "192.0.2.1/24x", -EINVAL, 0, 0 },
		{ "192.0.2.1/99999999999", -EINVAL, 0, 0 },
		{ "192.0.2", -EINVAL, 0, 0 },
		{ "", -EINVAL, 0, 0 },
		{ "/24", -EINVAL, 0, 0 },
		{ "12345678901234567890123456789012345678901234567890123456789012345", -EINVAL, 0, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < STRATA_COUNT(rows); i++) {
		struct strata_prefix prefix;
		assert_int_equal(strata_prefix_parse(net.stack, rows[i].text, &prefix),
				 rows[i].result);
		if (rows[i].result < 0)
			continue;
		assert_int_equal(prefix.addr.family, rows[i].family);
		assert_int_equal(prefix.bits, rows[i].bits);
	}
}

static void module_of_a_familys_own_number_supplies_its_addresses(void **state)
{
	struct strata_instance *four = registry_network(net.k, FOUR);
	struct strata_instance *asker = registry_network(net.k, 0x9006);

	(void)state;
	assert_ptr_equal(strata_address_ops(net.stack, FOUR), four->module->network->address);
	assert_ptr_equal(strata_address_ops_af(net.stack, AF_INET), four->module->network->address);
	/* It goes: the other supplier serves. */
	four->running = false;
	addr_ops_changed(net.k);
	assert_ptr_equal(strata_address_ops(net.stack, FOUR), asker->module->network->address);
	four->running = true;
	addr_ops_changed(net.k);
	assert_ptr_equal(strata_address_ops(net.stack, FOUR), four->module->network->address);
	assert_null(strata_address_ops(net.stack, 0x9999));
	assert_null(strata_address_ops(net.stack, 0));
	assert_null(strata_address_ops_af(net.stack, AF_UNSPEC));
	assert_null(strata_address_ops_af(net.stack, AF_APPLETALK));
}

/* ---- coming and going ---- */

static void address_brings_its_connected_route_and_takes_it_away(void **state)
{
	(void)state;
	assert_int_equal(net_addr(&net, net.one, "192.0.2.1/24"), 0);
	assert_string_equal(net.events, "+addr");
	assert_true(has_route("192.0.2.77"));
	assert_int_equal(remove_addr(net.two, "192.0.2.1"), -EADDRNOTAVAIL);
	assert_int_equal(remove_addr(net.one, "192.0.2.1"), 0);
	assert_string_equal(net.events, "+addr -addr sockets");
	assert_false(has_route("192.0.2.77"));
	assert_int_equal(remove_addr(net.one, "192.0.2.1"), -EADDRNOTAVAIL);
	assert_null(strata_ifaddr_first(net.one));
}

static void addresses_of_one_prefix_share_its_route(void **state)
{
	(void)state;
	assert_int_equal(net_addr(&net, net.one, "192.0.2.1/24"), 0);
	assert_int_equal(net_addr(&net, net.one, "192.0.2.2/24"), 0);
	assert_int_equal(remove_addr(net.one, "192.0.2.1"), 0);
	assert_true(has_route("192.0.2.77"));
	assert_int_equal(remove_addr(net.one, "192.0.2.2"), 0);
	assert_false(has_route("192.0.2.77"));
}

static void host_prefix_has_no_route(void **state)
{
	(void)state;
	assert_int_equal(net_addr(&net, net.one, "192.0.2.1/32"), 0);
	assert_false(has_route("192.0.2.1"));
	assert_int_equal(net_addr(&net, net.one, "20010db8000000000000000000000001/128"), 0);
	assert_false(has_route("20010db8000000000000000000000001"));
}

static void what_is_no_unicast_address_is_refused(void **state)
{
	struct strata_prefix prefix = { .addr = strata_addr_make(0x9999, "\1\2", 2), .bits = 8 };

	(void)state;
	assert_int_equal(net_addr(&net, net.one, "192.0.2.1/24"), 0);
	assert_int_equal(net_addr(&net, net.one, "192.0.2.1/24"), -EEXIST);
	assert_int_equal(net_addr(&net, net.two, "192.0.2.1/25"), -EEXIST);
	assert_int_equal(net_addr(&net, net.one, "224.0.0.1/24"), -EINVAL);
	assert_int_equal(net_addr(&net, net.one, "255.255.255.255"), -EINVAL);
	assert_int_equal(net_addr(&net, net.one, "0.0.0.0"), -EINVAL);
	assert_int_equal(net_addr(&net, net.one, "240.0.0.1"), -EINVAL);
	assert_int_equal(strata_ifaddr_add(net.one, &prefix), -EAFNOSUPPORT);
	prefix.addr = addr(&net, "192.0.2.9");
	prefix.bits = 33;
	assert_int_equal(strata_ifaddr_add(net.one, &prefix), -EINVAL);
}

static void a_thousand_addresses_are_found_and_keep_their_order(void **state)
{
	const struct strata_ifaddr *ifaddr;
	char text[32];
	unsigned int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		snprintf(text, sizeof(text), "198.51.%u.%u/32", i / 250, i % 250 + 1);
		assert_int_equal(net_addr(&net, net.one, text), 0);
	}
	ifaddr = strata_ifaddr_first(net.one);
	for (i = 0; i < 1000; i++, ifaddr = ifaddr->next) {
		struct strata_addr a;
		snprintf(text, sizeof(text), "198.51.%u.%u", i / 250, i % 250 + 1);
		a = addr(&net, text);
		assert_ptr_equal(strata_ifaddr_find(net.stack, &a), ifaddr);
	}
	assert_null(ifaddr);
}

static void short_memory_adds_nothing(void **state)
{
	uint64_t calls;
	unsigned int i;

	(void)state;
	for (i = 0; i < 6; i++) {
		net.rig.fail_at = net.rig.allocs + 1 + i;
		calls = net.rig.allocs;
		if (net_addr(&net, net.one, "192.0.2.1/24") == 0)
			break;
		assert_null(strata_ifaddr_first(net.one));
		assert_false(has_route("192.0.2.2"));
		assert_true(net.rig.allocs > calls);
	}
	net.rig.fail_at = 0;
	assert_true(i > 0 && i < 6);
}

/* ---- what is local ---- */

static void unicast_of_ours_is_local_on_any_interface(void **state)
{
	(void)state;
	net_addr(&net, net.one, "192.0.2.1/24");
	assert_int_equal(locality(net.one, "192.0.2.1"), STRATA_LOCAL_UNICAST);
	assert_int_equal(locality(net.two, "192.0.2.1"), STRATA_LOCAL_UNICAST);
	assert_int_equal(locality(net.one, "192.0.2.2"), STRATA_NOT_LOCAL);
	assert_int_equal(locality(net.one, "0.0.0.0"), STRATA_NOT_LOCAL);
	assert_int_equal(locality(net.one, "240.0.0.1"), STRATA_NOT_LOCAL);
}

static void address_being_probed_or_duplicate_is_not_local(void **state)
{
	struct strata_ifaddr *ifaddr;

	(void)state;
	net.tentative = true;
	net_addr(&net, net.one, "192.0.2.1/24");
	ifaddr = strata_ifaddr_first(net.one);
	assert_int_equal(ifaddr->state, STRATA_IFADDR_TENTATIVE);
	assert_int_equal(locality(net.one, "192.0.2.1"), STRATA_NOT_LOCAL);
	assert_ptr_equal(strata_ifaddr_find(net.stack, &ifaddr->prefix.addr), ifaddr);
	strata_ifaddr_set_state(ifaddr, STRATA_IFADDR_VALID);
	assert_int_equal(locality(net.one, "192.0.2.1"), STRATA_LOCAL_UNICAST);
	net_forget(&net);
	strata_ifaddr_set_state(ifaddr, STRATA_IFADDR_DUPLICATE);
	assert_int_equal(locality(net.one, "192.0.2.1"), STRATA_NOT_LOCAL);
	assert_string_equal(net.events, "sockets");
}

static void broadcast_is_local_where_its_prefix_is(void **state)
{
	(void)state;
	net_addr(&net, net.one, "192.0.2.1/24");
	net_addr(&net, net.two, "198.51.100.1/25");
	assert_int_equal(locality(net.one, "192.0.2.255"), STRATA_LOCAL_BROADCAST);
	assert_int_equal(locality(net.two, "192.0.2.255"), STRATA_NOT_LOCAL);
	assert_int_equal(locality(net.two, "198.51.100.127"), STRATA_LOCAL_BROADCAST);
	assert_int_equal(locality(net.two, "198.51.100.255"), STRATA_NOT_LOCAL);
	assert_int_equal(locality(net.two, "255.255.255.255"), STRATA_LOCAL_BROADCAST);
	/* RFC 3021: none in a prefix of 31 bits. */
	net_addr(&net, net.one, "203.0.113.0/31");
	assert_int_equal(locality(net.one, "203.0.113.1"), STRATA_NOT_LOCAL);
}

static void loopback_prefix_is_local_on_the_loopback_alone(void **state)
{
	struct strata_iface *lo = net_iface(&net, "loop", "lo");

	(void)state;
	assert_int_equal(net_addr(&net, lo, "127.0.0.1/8"), 0);
	assert_int_equal(locality(lo, "127.0.0.1"), STRATA_LOCAL_UNICAST);
	assert_int_equal(locality(lo, "127.1.2.3"), STRATA_LOCAL_UNICAST);
	assert_int_equal(locality(net.one, "127.0.0.1"), STRATA_NOT_LOCAL);
	assert_int_equal(locality(net.one, "127.1.2.3"), STRATA_NOT_LOCAL);
	net_addr(&net, net.one, "192.0.2.1/24");
	assert_int_equal(locality(lo, "192.0.2.1"), STRATA_LOCAL_UNICAST);
	/* An ordinary address on the loopback is ours from anywhere. */
	assert_int_equal(net_addr(&net, lo, "203.0.113.5/32"), 0);
	assert_int_equal(locality(net.one, "203.0.113.5"), STRATA_LOCAL_UNICAST);
}

static void family_of_sixteen_bytes_is_served_alike(void **state)
{
	const char *const us = "20010db8000000000000000000000001";
	const struct strata_addr group = addr(&net, "ff020000000000000000000000000001");

	(void)state;
	assert_int_equal(net_addr(&net, net.one, "20010db8000000000000000000000001/64"), 0);
	assert_int_equal(locality(net.two, us), STRATA_LOCAL_UNICAST);
	assert_true(has_route("20010db8000000000000ffffffffffff"));
	assert_false(has_route("20010db8000000010000ffffffffffff"));
	assert_int_equal(strata_group_join(net.one, &group), 0);
	assert_int_equal(strata_addr_locality(net.one, &group), STRATA_LOCAL_MULTICAST);
}

static void same_scoped_address_may_stand_on_two_interfaces(void **state)
{
	struct strata_prefix prefix = { .addr = addr(&net, "fe800000000000000000000000000001"),
					.bits = 64 };

	(void)state;
	prefix.addr.scope = net.one->index;
	assert_int_equal(strata_ifaddr_add(net.one, &prefix), 0);
	prefix.addr.scope = net.two->index;
	assert_int_equal(strata_ifaddr_add(net.two, &prefix), 0);
	assert_ptr_equal(strata_ifaddr_find(net.stack, &prefix.addr)->iface, net.two);
}

/* ---- groups ---- */

static void groups_are_counted_and_told_at_the_first_and_the_last(void **state)
{
	const struct strata_addr group = addr(&net, "224.0.0.5");
	const struct strata_addr unicast = addr(&net, "192.0.2.1");

	(void)state;
	assert_int_equal(strata_addr_locality(net.one, &group), STRATA_NOT_LOCAL);
	assert_int_equal(strata_group_join(net.one, &group), 0);
	assert_int_equal(strata_group_join(net.one, &group), 0);
	assert_string_equal(net.events, "+group");
	/* A module that comes late hears of it too. */
	group_replay(net.k, registry_network(net.k, FOUR));
	assert_string_equal(net.events, "+group +group");
	net.events[0] = '\0';
	assert_int_equal(strata_addr_locality(net.one, &group), STRATA_LOCAL_MULTICAST);
	assert_int_equal(strata_addr_locality(net.two, &group), STRATA_NOT_LOCAL);
	assert_int_equal(strata_group_leave(net.one, &group), 0);
	assert_int_equal(strata_addr_locality(net.one, &group), STRATA_LOCAL_MULTICAST);
	assert_int_equal(strata_group_leave(net.one, &group), 0);
	assert_string_equal(net.events, "-group");
	assert_int_equal(strata_group_leave(net.one, &group), -EADDRNOTAVAIL);
	assert_int_equal(strata_group_join(net.one, &unicast), -EINVAL);
}

static void count_group(void *ctx, const struct strata_group_view *view)
{
	assert_ptr_equal(view->iface, net.one);
	assert_int_equal(view->members, 1);
	++*(unsigned int *)ctx;
}

static void groups_end_at_1024_and_with_their_interface(void **state)
{
	unsigned int i, count = 0;
	struct strata_addr group;
	uint8_t bytes[4];

	(void)state;
	for (i = 0; i < 1025; i++) {
		strata_put_be32(bytes, 0xe0010000u + i);
		group = strata_addr_make(FOUR, bytes, 4);
		net.events[0] = '\0';
		assert_int_equal(strata_group_join(net.one, &group), i < 1024 ? 0 : -ENOBUFS);
	}
	assert_int_equal(net.k->self.counters[KERNEL_COUNT_GROUPS_REFUSED], 1);
	strata_inspect_groups(net.stack, count_group, &count);
	assert_int_equal(count, 1024);
	iface_destroy(net.one);
	count = 0;
	strata_inspect_groups(net.stack, count_group, &count);
	assert_int_equal(count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(prefix_is_parsed_by_whichever_family_takes_it),
		T(module_of_a_familys_own_number_supplies_its_addresses),
		T(address_brings_its_connected_route_and_takes_it_away),
		T(addresses_of_one_prefix_share_its_route),
		T(host_prefix_has_no_route),
		T(what_is_no_unicast_address_is_refused),
		T(a_thousand_addresses_are_found_and_keep_their_order),
		T(short_memory_adds_nothing),
		T(unicast_of_ours_is_local_on_any_interface),
		T(address_being_probed_or_duplicate_is_not_local),
		T(broadcast_is_local_where_its_prefix_is),
		T(loopback_prefix_is_local_on_the_loopback_alone),
		T(family_of_sixteen_bytes_is_served_alike),
		T(same_scoped_address_may_stand_on_two_interfaces),
		T(groups_are_counted_and_told_at_the_first_and_the_last),
		T(groups_end_at_1024_and_with_their_interface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
