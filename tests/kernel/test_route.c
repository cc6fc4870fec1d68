/* SPDX-License-Identifier: BSD-2-Clause */
/* Routes and the way to a destination: longest prefix, source choice (RFC 1122 3.3.4.3), kinds. */
#include "net.h"

#include <stdio.h>
#include <stdlib.h>

static struct net net;
static struct strata_dst dst;
static struct strata_addr src;

static int setup(void **state)
{
	(void)state;
	net_open(&net);
	assert_int_equal(net_addr(&net, net.one, "192.0.2.1/24"), 0);
	assert_int_equal(net_addr(&net, net.two, "198.51.100.1/24"), 0);
	memset(&dst, 0, sizeof(dst));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	strata_dst_release(&dst);
	net_close(&net);
	return 0;
}

static int way_from(const char *to, const char *from, struct strata_iface *bound)
{
	const struct strata_addr a = addr(&net, to);
	const struct strata_addr b = from != NULL ? addr(&net, from) : (struct strata_addr){ 0 };

	memset(&src, 0, sizeof(src));
	return strata_route_output(net.stack, &a, from != NULL ? &b : NULL, bound, &dst, &src);
}

static int way(const char *to)
{
	return way_from(to, NULL, NULL);
}

static void check_src(const char *text)
{
	const struct strata_addr a = addr(&net, text);

	assert_string_equal(strata_addr_text(net.stack, &src), text);
	assert_true(strata_addr_equal(&src, &a));
}

static const struct strata_route *lookup(const char *to)
{
	const struct strata_addr a = addr(&net, to);
	bool down;

	return route_lookup(net.k, &a, NULL, &down);
}

static int remove_route(const char *to, const char *via, struct strata_iface *iface, uint32_t metric)
{
	struct strata_route route = { .iface = iface, .metric = metric };

	assert_int_equal(strata_prefix_parse(net.stack, to, &route.to), 0);
	if (via != NULL)
		route.via = addr(&net, via);
	return strata_route_remove(net.stack, &route);
}

/* ---- the table ---- */

static void longest_prefix_wins_then_lowest_metric(void **state)
{
	(void)state;
	assert_int_equal(net_route(&net, "0.0.0.0/0", "192.0.2.254", NULL, 0), 0);
	assert_int_equal(net_route(&net, "203.0.0.0/8", "192.0.2.8", NULL, 0), 0);
	assert_int_equal(net_route(&net, "203.0.113.0/24", "192.0.2.24", NULL, 50), 0);
	assert_int_equal(net_route(&net, "203.0.113.0/24", "192.0.2.25", NULL, 10), 0);
	assert_int_equal(net_route(&net, "203.0.113.0/24", "192.0.2.26", NULL, 10), 0);
	assert_int_equal(net_route(&net, "203.0.113.7/32", "192.0.2.32", NULL, 99), 0);
	assert_int_equal(lookup("8.8.8.8")->via.bytes[3], 254);
	assert_int_equal(lookup("203.1.2.3")->via.bytes[3], 8);
	assert_int_equal(lookup("203.0.113.1")->via.bytes[3], 25);
	assert_int_equal(lookup("203.0.113.7")->via.bytes[3], 32);
	assert_int_equal(remove_route("203.0.113.0/24", "192.0.2.25", net.one, 10), 0);
	assert_int_equal(lookup("203.0.113.1")->via.bytes[3], 26);
	assert_int_equal(remove_route("203.0.113.0/24", "192.0.2.26", NULL, 10), 0);
	assert_int_equal(lookup("203.0.113.1")->via.bytes[3], 24);
	assert_int_equal(remove_route("203.0.113.0/24", "192.0.2.24", net.one, 50), 0);
	assert_int_equal(lookup("203.0.113.1")->via.bytes[3], 8);
}

static void bad_routes_are_refused(void **state)
{
	struct strata_route route = { .iface = net.one };

	(void)state;
	assert_int_equal(net_route(&net, "203.0.113.0/24", "192.0.2.9", NULL, 0), 0);
	assert_int_equal(net_route(&net, "203.0.113.99/24", "192.0.2.9", NULL, 0), -EEXIST);
	assert_int_equal(net_route(&net, "203.0.113.0/24", "203.0.113.1", NULL, 0), -ENETUNREACH);
	assert_int_equal(net_route(&net, "203.0.113.0/24", NULL, NULL, 0), -ENETUNREACH);
	assert_int_equal(net_route(&net, "203.0.113.0/25", "192.0.2.1", NULL, 0), -EINVAL);
	assert_int_equal(net_route(&net, "203.0.113.0/25", "224.0.0.1", NULL, 0), -EINVAL);
	route.to.addr = addr(&net, "203.0.113.0");
	route.to.bits = 33;
	assert_int_equal(strata_route_add(net.stack, &route), -EINVAL);
	route.to.addr.family = 0x9999;
	assert_int_equal(strata_route_add(net.stack, &route), -EAFNOSUPPORT);
	assert_int_equal(remove_route("203.0.113.0/24", "192.0.2.9", net.two, 0), -ESRCH);
	assert_int_equal(remove_route("203.0.113.0/24", "192.0.2.9", net.one, 1), -ESRCH);
	assert_int_equal(remove_route("203.0.0.0/16", NULL, net.one, 0), -ESRCH);
	assert_int_equal(remove_route("203.0.113.0/24", "192.0.2.9", net.one, 0), 0);
	assert_int_equal(remove_route("203.0.113.0/24", "192.0.2.9", net.one, 0), -ESRCH);
}

static void every_change_bumps_the_generation(void **state)
{
	uint32_t generation;

	(void)state;
	assert_int_equal(way("192.0.2.9"), 0);
	assert_true(strata_dst_valid(net.stack, &dst));
	generation = net.stack->generation;
	assert_int_equal(net_route(&net, "203.0.113.0/24", "192.0.2.9", NULL, 0), 0);
	assert_int_not_equal(net.stack->generation, generation);
	assert_false(strata_dst_valid(net.stack, &dst));
}

struct naive {
	uint32_t net;
	uint8_t bits;
};

static void a_hundred_thousand_routes_agree_with_a_linear_search(void **state)
{
	enum { ROUTES = 100000, LOOKUPS = 2000 };
	struct naive *naive = calloc(ROUTES, sizeof(*naive));
	struct strata_route route = { .iface = net.one };
	uint64_t seed = 4;
	unsigned int i, j, added = 0;
	uint8_t bytes[4];

	(void)state;
	assert_non_null(naive);
	for (i = 0; i < ROUTES; i++) {
		const uint32_t bits = 8 + rig_below(&seed, 25);
		strata_put_be32(bytes, (uint32_t)rig_random(&seed) & 0x0fffffff);
		route.to.addr = strata_addr_make(FOUR, bytes, 4);
		route.to.bits = (uint8_t)bits;
		if (strata_route_add(net.stack, &route) < 0)
			continue;
		naive[added].net = strata_get_be32(bytes) & (uint32_t)(UINT64_MAX << (32 - bits));
		naive[added++].bits = (uint8_t)bits;
	}
	assert_true(added > ROUTES / 2);
	for (i = 0; i < LOOKUPS; i++) {
		const uint32_t value = (uint32_t)rig_random(&seed) & 0x0fffffff;
		const struct strata_route *found;
		struct strata_addr to;
		int best = -1;
		bool down;
		for (j = 0; j < added; j++)
			if ((value & (uint32_t)(UINT64_MAX << (32 - naive[j].bits))) == naive[j].net &&
			    naive[j].bits > best)
				best = naive[j].bits;
		strata_put_be32(bytes, value);
		to = strata_addr_make(FOUR, bytes, 4);
		found = route_lookup(net.k, &to, NULL, &down);
		assert_int_equal(found != NULL ? found->to.bits : -1, best);
	}
	free(naive);
}

static void routes_of_sixteen_bytes_work_alike(void **state)
{
	const char *const to = "20010db8000000000000000000000099";

	(void)state;
	net_addr(&net, net.one, "20010db8000000000000000000000001/64");
	net_addr(&net, net.two, "20010db8000000010000000000000001/64");
	assert_int_equal(net_route(&net, "20010db8000000000000000000000099/127",
				   "20010db8000000010000000000000002", NULL, 0), 0);
	assert_int_equal(lookup(to)->to.bits, 127);
	assert_int_equal(way(to), 0);
	assert_ptr_equal(dst.iface, net.two);
	assert_int_equal(dst.neigh->addr.bytes[15], 2);
	check_src("20010db8000000010000000000000001");
}

/* ---- interfaces that come and go ---- */

static void route_through_a_dead_interface_gives_way(void **state)
{
	(void)state;
	assert_int_equal(net_route(&net, "203.0.113.0/24", "192.0.2.9", NULL, 0), 0);
	assert_int_equal(net_route(&net, "0.0.0.0/0", "198.51.100.9", NULL, 0), 0);
	assert_ptr_equal(lookup("203.0.113.1")->iface, net.one);
	strata_iface_set_running(net.one, false);
	assert_ptr_equal(lookup("203.0.113.1")->iface, net.two);
	strata_iface_set_running(net.two, false);
	assert_null(lookup("203.0.113.1"));
	assert_int_equal(way("203.0.113.1"), -ENETDOWN);
	strata_iface_set_running(net.one, true);
	assert_ptr_equal(lookup("203.0.113.1")->iface, net.one);
}

static void next_hop_is_found_again_where_it_moved(void **state)
{
	const struct strata_addr a = addr(&net, "192.0.2.1");

	(void)state;
	assert_int_equal(net_route(&net, "203.0.113.0/24", "192.0.2.9", NULL, 0), 0);
	assert_int_equal(strata_ifaddr_remove(net.one, &a), 0);
	assert_int_equal(net_addr(&net, net.two, "192.0.2.1/24"), 0);
	assert_ptr_equal(lookup("203.0.113.1")->iface, net.two);
}

static void routes_go_with_their_interface(void **state)
{
	(void)state;
	assert_int_equal(net_route(&net, "203.0.113.0/25", NULL, net.one, 0), 0);
	assert_int_equal(net_route(&net, "203.0.113.128/25", "192.0.2.9", NULL, 0), 0);
	assert_int_equal(net_route(&net, "192.0.2.0/25", NULL, net.two, 0), 0);
	iface_destroy(net.one);
	assert_null(lookup("203.0.113.1"));
	/* Its next hop is on the link of the other now. */
	assert_ptr_equal(lookup("203.0.113.129")->iface, net.two);
}

static void count_routes(void *ctx, const struct strata_route *route)
{
	unsigned int *n = ctx;

	assert_non_null(route->iface);
	assert_true(n[0] == 0 || route->to.bits <= n[1]);
	n[0]++;
	n[1] = route->to.bits;
}

static void inspection_shows_all_the_longest_first(void **state)
{
	unsigned int n[2] = { 0, 0 };

	(void)state;
	net_route(&net, "0.0.0.0/0", "192.0.2.9", NULL, 0);
	net_route(&net, "203.0.113.7/32", "192.0.2.9", NULL, 0);
	strata_inspect_routes(net.stack, count_routes, n);
	assert_int_equal(n[0], 4);
}

/* ---- the way to a destination ---- */

static void unicast_on_link_and_through_a_router(void **state)
{
	(void)state;
	assert_int_equal(way("192.0.2.9"), 0);
	assert_int_equal(dst.kind, STRATA_DST_UNICAST);
	assert_ptr_equal(dst.iface, net.one);
	assert_int_equal(dst.neigh->addr.bytes[3], 9);
	assert_int_equal(dst.mtu, 1500);
	check_src("192.0.2.1");
	assert_int_equal(way("203.0.113.1"), -ENETUNREACH);
	assert_null(dst.network);
	net_route(&net, "0.0.0.0/0", "198.51.100.9", NULL, 0);
	assert_int_equal(way("203.0.113.1"), 0);
	assert_ptr_equal(dst.iface, net.two);
	assert_int_equal(dst.neigh->addr.bytes[3], 9);
	check_src("198.51.100.1");
}

static void source_is_chosen_in_the_order_of_rfc_1122(void **state)
{
	struct strata_route route = { .iface = net.one };

	(void)state;
	net_addr(&net, net.one, "203.0.113.1/24");
	net_route(&net, "10.0.0.0/8", "203.0.113.9", NULL, 0);
	assert_int_equal(way("10.1.1.1"), 0);
	check_src("203.0.113.1");
	/* On the interface, in no prefix of it: the first. */
	net_route(&net, "11.0.0.0/8", NULL, net.one, 0);
	assert_int_equal(way("11.1.1.1"), 0);
	check_src("192.0.2.1");
	/* The route's own, while it is ours. */
	assert_int_equal(strata_prefix_parse(net.stack, "12.0.0.0/8", &route.to), 0);
	route.src = addr(&net, "198.51.100.1");
	assert_int_equal(strata_route_add(net.stack, &route), 0);
	assert_int_equal(way("12.1.1.1"), 0);
	check_src("198.51.100.1");
	assert_int_equal(strata_ifaddr_remove(net.two, &route.src), 0);
	assert_int_equal(way("12.1.1.1"), 0);
	check_src("192.0.2.1");
	/* A socket's. */
	assert_int_equal(way_from("10.1.1.1", "192.0.2.1", NULL), 0);
	assert_int_equal(way_from("10.1.1.1", "198.51.100.1", NULL), -EINVAL);
	assert_int_equal(way_from("10.1.1.1", "0.0.0.0", NULL), 0);
	check_src("203.0.113.1");
}

static void address_of_another_interface_serves_when_the_own_has_none(void **state)
{
	struct strata_iface *bare = net_iface(&net, "bare", "p2p");

	(void)state;
	net_route(&net, "10.0.0.0/8", NULL, bare, 0);
	assert_int_equal(way("10.1.1.1"), 0);
	check_src("192.0.2.1");
	assert_null(dst.neigh);
}

static void no_source_is_an_error_but_to_many(void **state)
{
	struct strata_ifaddr *ifaddr;

	(void)state;
	net_route(&net, "10.0.0.0/8", NULL, net.one, 0);
	for (ifaddr = strata_ifaddr_first(net.one); ifaddr != NULL; ifaddr = ifaddr->next)
		strata_ifaddr_set_state(ifaddr, STRATA_IFADDR_TENTATIVE);
	strata_ifaddr_set_state(strata_ifaddr_first(net.two), STRATA_IFADDR_DUPLICATE);
	assert_int_equal(way("10.1.1.1"), -EADDRNOTAVAIL);
	assert_int_equal(way_from("255.255.255.255", NULL, net.one), 0);
	assert_true(strata_addr_is_any(&src));
	assert_int_equal(src.family, FOUR);
	assert_int_equal(way_from("10.1.1.1", "192.0.2.1", NULL), -EINVAL);
}

static void network_module_may_rank_sources(void **state)
{
	(void)state;
	net_addr(&net, net.one, "20010db8000000000000000000000001/64");
	net_addr(&net, net.one, "20010db8000000000000000000000009/64");
	net_addr(&net, net.two, "20010db8000000020000000000000003/64");
	assert_int_equal(way("20010db8000000000000000000000077"), 0);
	check_src("20010db8000000000000000000000001");
	/* It ranks otherwise now, and says so. */
	net.ranked = true;
	strata_generation_bump(net.stack);
	assert_int_equal(way("20010db8000000000000000000000077"), 0);
	check_src("20010db8000000000000000000000009");
}

static void scoped_destination_leaves_by_its_interface(void **state)
{
	struct strata_addr to = addr(&net, "fe800000000000000000000000000009");
	struct strata_prefix prefix = { .addr = addr(&net, "fe800000000000000000000000000001"),
					.bits = 64 };

	(void)state;
	prefix.addr.scope = net.one->index;
	assert_int_equal(strata_ifaddr_add(net.one, &prefix), 0);
	prefix.addr.scope = net.two->index;
	assert_int_equal(strata_ifaddr_add(net.two, &prefix), 0);
	to.scope = net.two->index;
	assert_int_equal(strata_route_output(net.stack, &to, NULL, NULL, &dst, &src), 0);
	assert_ptr_equal(dst.iface, net.two);
	assert_int_equal(src.scope, net.two->index);
	assert_int_equal(strata_route_output(net.stack, &to, NULL, net.one, &dst, &src), -EINVAL);
	to.scope = 99;
	assert_int_equal(strata_route_output(net.stack, &to, NULL, NULL, &dst, &src), -EINVAL);
}

static void own_address_goes_by_the_loopback_or_back_in(void **state)
{
	struct strata_iface *lo;

	(void)state;
	assert_int_equal(way("192.0.2.1"), 0);
	assert_int_equal(dst.kind, STRATA_DST_LOCAL);
	assert_ptr_equal(dst.iface, net.one);
	assert_null(dst.neigh);
	check_src("192.0.2.1");
	lo = net_iface(&net, "loop", "lo");
	net_addr(&net, lo, "127.0.0.1/8");
	assert_int_equal(way("192.0.2.1"), 0);
	assert_ptr_equal(dst.iface, lo);
	assert_int_equal(dst.mtu, 65535);
	check_src("192.0.2.1");
	assert_int_equal(way("127.9.9.9"), 0);
	assert_int_equal(dst.kind, STRATA_DST_LOCAL);
	check_src("127.0.0.1");
	assert_int_equal(way_from("192.0.2.1", "127.0.0.1", NULL), 0);
	assert_int_equal(way_from("192.0.2.1", NULL, net.one), 0);
	assert_ptr_equal(dst.iface, net.one);
}

static void loopback_source_never_leaves(void **state)
{
	struct strata_iface *lo = net_iface(&net, "loop", "lo");

	(void)state;
	net_addr(&net, lo, "127.0.0.1/8");
	assert_int_equal(way_from("192.0.2.9", "127.0.0.1", NULL), -EINVAL);
	assert_int_equal(way_from("192.0.2.9", "127.5.5.5", NULL), -EINVAL);
	assert_int_equal(way_from("127.5.5.5", "127.5.5.5", NULL), 0);
	strata_iface_set_running(net.one, false);
	assert_int_equal(way("127.0.0.1"), 0);
}

static void loopback_without_an_interface_leads_nowhere(void **state)
{
	(void)state;
	net_route(&net, "0.0.0.0/0", "192.0.2.9", NULL, 0);
	assert_int_equal(way("127.0.0.1"), -ENETUNREACH);
	assert_int_equal(way("0.0.0.0"), -ENETUNREACH);
	assert_int_equal(way("240.0.0.1"), -ENETUNREACH);
}

static void broadcast_limited_and_directed(void **state)
{
	(void)state;
	assert_int_equal(way("192.0.2.255"), 0);
	assert_int_equal(dst.kind, STRATA_DST_BROADCAST);
	assert_null(dst.neigh);
	check_src("192.0.2.1");
	assert_int_equal(way("255.255.255.255"), 0);
	assert_ptr_equal(dst.iface, net.one);
	assert_int_equal(way_from("255.255.255.255", NULL, net.two), 0);
	assert_ptr_equal(dst.iface, net.two);
	check_src("198.51.100.1");
	assert_int_equal(way_from("255.255.255.255", "198.51.100.1", NULL), 0);
	assert_ptr_equal(dst.iface, net.two);
	/* Behind a router it is a unicast address like any other. */
	net_route(&net, "203.0.113.0/24", "192.0.2.9", NULL, 0);
	assert_int_equal(way("203.0.113.255"), 0);
	assert_int_equal(dst.kind, STRATA_DST_UNICAST);
}

static void multicast_by_binding_route_or_first_interface(void **state)
{
	struct strata_iface *bare = net_iface(&net, "bare", "p2p");

	(void)state;
	assert_int_equal(way("224.0.0.5"), 0);
	assert_int_equal(dst.kind, STRATA_DST_MULTICAST);
	assert_ptr_equal(dst.iface, net.one);
	check_src("192.0.2.1");
	net_route(&net, "224.0.0.0/4", NULL, net.two, 0);
	assert_int_equal(way("224.0.0.5"), 0);
	assert_ptr_equal(dst.iface, net.two);
	assert_int_equal(way_from("224.0.0.5", NULL, net.one), 0);
	assert_ptr_equal(dst.iface, net.one);
	assert_int_equal(way_from("224.0.0.5", "192.0.2.1", NULL), 0);
	assert_ptr_equal(dst.iface, net.one);
	assert_int_equal(way_from("224.0.0.5", NULL, bare), -ENETUNREACH);
	strata_iface_set_running(net.two, false);
	assert_int_equal(way_from("224.0.0.5", NULL, net.two), -ENETDOWN);
	assert_int_equal(way("224.0.0.5"), 0);
	assert_ptr_equal(dst.iface, net.one);
}

static void bound_interface_restricts_the_routes(void **state)
{
	(void)state;
	net_route(&net, "203.0.113.0/24", "192.0.2.9", NULL, 0);
	assert_int_equal(way_from("203.0.113.1", NULL, net.two), -ENETUNREACH);
	net_route(&net, "0.0.0.0/0", "198.51.100.9", NULL, 0);
	assert_int_equal(way_from("203.0.113.1", NULL, net.two), 0);
	assert_ptr_equal(dst.iface, net.two);
	strata_iface_set_running(net.two, false);
	assert_int_equal(way_from("203.0.113.1", NULL, net.two), -ENETDOWN);
}

/* What was found before holds for the same question alone, and until something changes. */
static void a_way_that_was_found_is_found_again(void **state)
{
	const struct strata_addr to = addr(&net, "192.0.2.9");
	const struct strata_neigh *neigh;
	uint32_t generation;

	(void)state;
	assert_int_equal(way("192.0.2.9"), 0);
	neigh = dst.neigh;
	assert_int_equal(way("192.0.2.9"), 0);
	assert_ptr_equal(dst.neigh, neigh);
	/* The table's reference and ours. */
	assert_int_equal(neigh->refs, 2);
	check_src("192.0.2.1");
	assert_int_equal(way_from("192.0.2.9", "198.51.100.1", NULL), 0);
	assert_false(strata_addr_is_set(&src));
	assert_int_equal(way_from("192.0.2.9", "10.0.0.1", NULL), -EINVAL);
	assert_int_equal(way_from("192.0.2.9", NULL, net.two), -ENETUNREACH);
	assert_int_equal(way_from("192.0.2.9", "198.51.100.1", NULL), 0);
	assert_int_equal(way_from("192.0.2.9", "198.51.100.1", net.one), 0);
	assert_int_equal(way("192.0.2.9"), 0);
	check_src("192.0.2.1");
	/* A neighbour that went, held and not held. */
	assert_int_equal(strata_neigh_remove(net.one, &to), 0);
	assert_int_equal(way("192.0.2.9"), 0);
	assert_non_null(dst.neigh->link);
	strata_dst_release(&dst);
	assert_null(strata_neigh_find(net.one, &to));
	generation = net.stack->generation;
	assert_int_equal(way("192.0.2.9"), 0);
	assert_ptr_equal(dst.neigh, strata_neigh_find(net.one, &to));
	assert_int_equal(dst.neigh->refs, 2);
	assert_int_equal(net.stack->generation, generation);
	/* A better route. */
	net_route(&net, "192.0.2.9/32", "198.51.100.9", NULL, 0);
	assert_int_equal(way("192.0.2.9"), 0);
	assert_ptr_equal(dst.iface, net.two);
	check_src("198.51.100.1");
}

static void many_ways_are_not_mistaken_for_each_other(void **state)
{
	char text[32];

	(void)state;
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 2; i < 250; i++) {
			snprintf(text, sizeof(text), "%s.%u", i % 3 == 0 ? "198.51.100" : "192.0.2", i);
			assert_int_equal(way(text), 0);
			assert_ptr_equal(dst.iface, i % 3 == 0 ? net.two : net.one);
			assert_string_equal(strata_addr_text(net.stack, &dst.neigh->addr), text);
			check_src(i % 3 == 0 ? "198.51.100.1" : "192.0.2.1");
		}
	}
}

static void route_gives_mtu_and_congestion_control(void **state)
{
	struct strata_route route = { .iface = net.one, .mtu = 1280 };
	char name[] = "cubic";

	(void)state;
	route.congestion = name;
	assert_int_equal(strata_prefix_parse(net.stack, "10.0.0.0/8", &route.to), 0);
	assert_int_equal(strata_route_add(net.stack, &route), 0);
	name[0] = 'x';
	assert_int_equal(way("10.1.1.1"), 0);
	assert_int_equal(dst.mtu, 1280);
	assert_string_equal(dst.congestion, "cubic");
	route.mtu = 9000;
	route.metric = 1;
	remove_route("10.0.0.0/8", NULL, net.one, 0);
	assert_int_equal(strata_route_add(net.stack, &route), 0);
	assert_int_equal(way("10.1.1.1"), 0);
	assert_int_equal(dst.mtu, 1500);
}

static void family_without_a_carrier_is_not_supported(void **state)
{
	(void)state;
	net.instances[5].running = false;
	addr_ops_changed(net.k);
	assert_int_equal(way("192.0.2.9"), -EAFNOSUPPORT);
	net.instances[5].running = true;
	addr_ops_changed(net.k);
	assert_int_equal(way("192.0.2.9"), 0);
}

static void short_memory_adds_no_route(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 6; i++) {
		net.rig.fail_at = net.rig.allocs + 1 + i;
		if (net_route(&net, "10.0.0.0/8", "192.0.2.9", NULL, 0) == 0)
			break;
		assert_null(lookup("10.1.1.1"));
	}
	net.rig.fail_at = 0;
	assert_true(i > 0 && i < 6);
}

/* ---- who waits for a device ---- */

/* A stuck device keeps nobody whose way leads elsewhere. */
static void who_waits_for_a_device_looks_again_when_a_way_changes(void **state)
{
	const struct strata_addr own = addr(&net, "198.51.100.1");
	static struct net_waiter waiter = { .work.run = net_count_run };
	unsigned int runs = 0, change;

	(void)state;
	strata_iface_stop(net.one);
	for (change = 0; change < 4; change++) {
		assert_true(strata_iface_wait(net.one, &waiter.work));
		net_run(&net, STRATA_SEC);
		assert_int_equal(waiter.runs, runs);
		switch (change) {
		case 0:
			assert_int_equal(net_route(&net, "192.0.2.9/32", NULL, net.two, 0), 0);
			break;
		case 1:
			assert_int_equal(remove_route("192.0.2.9/32", NULL, net.two, 0), 0);
			break;
		case 2:
			assert_int_equal(strata_ifaddr_remove(net.two, &own), 0);
			break;
		case 3:
			strata_iface_set_running(net.two, false);
			break;
		}
		net_run(&net, 1);
		assert_int_equal(waiter.runs, ++runs);
		assert_true(net.one->flags & STRATA_IFACE_STOPPED);
	}
	/* Who does not wait any more is not run. */
	assert_int_equal(net_route(&net, "192.0.2.9/32", NULL, net.two, 0), 0);
	net_run(&net, 1);
	assert_int_equal(waiter.runs, runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(longest_prefix_wins_then_lowest_metric),
		T(bad_routes_are_refused),
		T(every_change_bumps_the_generation),
		T(a_hundred_thousand_routes_agree_with_a_linear_search),
		T(routes_of_sixteen_bytes_work_alike),
		T(route_through_a_dead_interface_gives_way),
		T(next_hop_is_found_again_where_it_moved),
		T(routes_go_with_their_interface),
		T(inspection_shows_all_the_longest_first),
		T(unicast_on_link_and_through_a_router),
		T(source_is_chosen_in_the_order_of_rfc_1122),
		T(address_of_another_interface_serves_when_the_own_has_none),
		T(no_source_is_an_error_but_to_many),
		T(network_module_may_rank_sources),
		T(scoped_destination_leaves_by_its_interface),
		T(own_address_goes_by_the_loopback_or_back_in),
		T(loopback_source_never_leaves),
		T(loopback_without_an_interface_leads_nowhere),
		T(broadcast_limited_and_directed),
		T(multicast_by_binding_route_or_first_interface),
		T(bound_interface_restricts_the_routes),
		T(a_way_that_was_found_is_found_again),
		T(many_ways_are_not_mistaken_for_each_other),
		T(route_gives_mtu_and_congestion_control),
		T(family_without_a_carrier_is_not_supported),
		T(short_memory_adds_no_route),
		T(who_waits_for_a_device_looks_again_when_a_way_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
