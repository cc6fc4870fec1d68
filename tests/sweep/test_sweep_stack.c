/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every allocation of the kernel and of all modules but tcp (test_sweep_tcp) fails in turn, once and for
 * good: while a stack is made, changed, and at work.
 */
#include "scenes.h"

#define CREATE(name_, ...) \
	{ .name = "create_" name_, .run = sweep_create, .arg = &(const struct fx_config){ __VA_ARGS__ } }
#define CASE(function) { .name = &(#function)[sizeof("sweep_") - 1], .run = function }
#define SWITCHING(module) { .name = "switching_" module, .run = sweep_switching, .arg = module }

static const struct sweep_scenario scenarios[] = {
	CREATE("bare", .modules = "ethernet"),
	CREATE("arp", .modules = "ethernet arp ipv4"),
	CREATE("probing", .modules = "ethernet arp ipv4", .options = "arp.probe=true"),
	CREATE("everything", .modules = "ethernet arp ipv4 icmp udp newreno tcp echo"),
	CREATE("options", .options = "tcp.sack=false ipv4.ttl=7 udp.rcvbuf=9KiB arp.probe=false"),
	CREATE("implied", .modules = "ethernet arp ipv4 tcp"),
	CREATE("routes", .extra = "routes:\n  - to: 0.0.0.0/0\n    via: 192.0.2.1\n"
				  "  - to: 203.0.113.0/24\n    via: 192.0.2.9\n    congestion: newreno\n"
				  "  - to: 198.51.100.0/24\n    via: 192.0.2.9\n    mtu: 1200\n"),
	CREATE("bare_packets", .bare = true),
	CREATE("wires", .resolve = true, .manifest =
		"strata: 1\nmodules:\n  - name: wire\n  - name: loopback\n  - name: ethernet\n"
		"  - name: arp\n    options:\n      static: [\"192.0.2.9 02:00:00:00:00:09\"]\n"
		"  - name: ipv4\n  - name: icmp\n  - name: udp\n"
		"interfaces:\n  - name: w0\n    driver: wire\n    addresses: [192.0.2.2/24]\n"
		"    options:\n      peer: w1\n  - name: w1\n    driver: wire\n"
		"  - name: lo\n    driver: loopback\n    addresses: [127.0.0.1/8]\n"),
	CASE(sweep_addresses), CASE(sweep_routes), CASE(sweep_groups), CASE(sweep_neighbours),
	CASE(sweep_sockets), CASE(sweep_option_values), CASE(sweep_control),
	SWITCHING("udp"), SWITCHING("tcp"), SWITCHING("icmp"), SWITCHING("ipv4"), SWITCHING("arp"),
	SWITCHING("echo"),
	CASE(sweep_resolution), CASE(sweep_arp_requests), CASE(sweep_address_claims),
	CASE(sweep_fragments_out), CASE(sweep_fragments_in), CASE(sweep_fragments_lost),
	CASE(sweep_echo_replies), CASE(sweep_icmp_errors_out), CASE(sweep_icmp_errors_in),
	CASE(sweep_ping_socket), CASE(sweep_udp_talk), CASE(sweep_udp_multicast),
	CASE(sweep_udp_broadcast), CASE(sweep_udp_to_itself), CASE(sweep_udp_ancillary),
	CASE(sweep_udp_connected), CASE(sweep_udp_stamps), CASE(sweep_udp_full_buffer), CASE(sweep_echo_datagrams),
	CASE(sweep_two_wires), CASE(sweep_super_datagrams),
};

int main(void)
{
	return sweep_main(scenarios, STRATA_COUNT(scenarios), 8000);
}
